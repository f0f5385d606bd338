"""Size and power of the single-firm tests, beside the Monte Carlo values they should agree with.

    python -m calibration.single_firm --draws 40000 --seed 20260202

Every number prints with the draws and the seed behind it. A value agrees when it lies within
3 sqrt(se1^2 + se2^2) + 0.05 points of the earlier one. With price files of a firm and its market
(``date,close,dividend``) the tests are also run on the firm's own earlier sessions:

    python -m calibration.single_firm --draws 0 --firm F.csv --market SPY.csv --event 2026-02-02
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
from event_impact.inference.calibration import FirmHistory, calibrate_history, simulated_sizes, simulated_window_sizes
from event_impact.inference.ranks import eligible_placebo_sessions
from event_impact.inference.simulation import PROCESSES, RESIDUAL_STD, WINDOW_PROCESSES

POINT_TOLERANCE = 0.05
EARLIER_DRAWS, EARLIER_WINDOW_DRAWS = 40_000, 10_000
# 2, 3 and 5 % on a residual standard deviation of 1.5 %: 1.33, 2 and 3.33 of them.
POWER_EFFECTS = (0.02, 0.03, 0.05)
WINDOW_LENGTHS = (1, 3, 5, 11, 21)
TESTS = ("p_t", "p_sample_quantile", "p_conformal", "p_fhs")

# The values below are Monte Carlo results themselves, per cent, L = 250, gap 0: 40,000 draws a column, a tenth of
# them in the stressed and calm columns, 10,000 for windows. They carry simulation error, like ours.
# (process, group, level): sizes of TESTS in order.
EARLIER_SIZES = {
    ("iid_normal", "all", 0.05): (5.0, 4.9, 4.8, 5.0),
    ("iid_t4", "all", 0.05): (5.3, 5.0, 4.9, 5.0),
    ("garch_normal", "all", 0.05): (5.9, 5.5, 5.4, 5.3),
    ("garch_t4", "all", 0.05): (5.8, 5.1, 5.2, 5.2),
    ("garch_t4", "all", 0.01): (2.8, 0.9, 1.0, 1.0),
    ("garch_t4", "stressed", 0.05): (14.5, 13.2, 13.3, 5.6),
    ("garch_t4", "calm", 0.05): (2.4, 2.0, 2.2, 5.5),
    ("recent_std_x1.6", "all", 0.05): (14.4, 13.2, 13.3, 11.4),
    ("event_variance_x2.25", "all", 0.05): (14.3, 12.6, 12.7, 13.7),
    ("four_jumps", "all", 0.05): (3.2, 3.3, 3.4, 3.5),
}
# (process, effect): power of TESTS at 5 %. The earlier table prints the largest effect as 3.3 standard deviations; it
# is read as 5 %, that is 3.33: at 3.30 exactly three values lie .1 to .3 points beyond the tolerance.
EARLIER_POWER = {
    ("iid_t4", 0.02): (22.3, 20.2, 20.1, 20.6),
    ("iid_t4", 0.03): (51.9, 47.6, 48.2, 48.7),
    ("iid_t4", 0.05): (93.4, 91.8, 92.8, 92.4),
    ("garch_t4", 0.02): (33.2, 28.5, 28.9, 36.3),
    ("garch_t4", 0.03): (65.4, 59.3, 60.2, 67.7),
    ("garch_t4", 0.05): (92.8, 90.4, 91.0, 92.0),
    ("four_jumps", 0.03): (34.3, 33.8, 34.7, 35.5),
}
# (process, window length): size at 5 % of t with the full covariance and of circular blocks.
EARLIER_WINDOWS = {
    ("garch_t4", 1): (5.6, 5.0),
    ("garch_t4", 3): (6.2, 5.0),
    ("garch_t4", 5): (6.1, 5.0),
    ("garch_t4", 11): (6.5, 5.5),
    ("garch_t4", 21): (6.7, 5.4),
    ("garch_t4_ar1", 5): (7.7, 5.0),
    ("garch_t4_ar1", 11): (8.3, 5.7),
}


def main() -> None:
    """Simulate, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--draws", type=int, default=40_000, help="draws of each process (windows: a quarter); 0 for none"
    )
    parser.add_argument("--seed", type=int, default=20260202)
    parser.add_argument("--gap", type=int, default=10, help="gap of the second size column")
    parser.add_argument("--firm", type=Path, help="price file of a firm")
    parser.add_argument("--market", type=Path, help="price file of its market")
    parser.add_argument("--event", help="event session, YYYY-MM-DD; placebo sessions come before it")
    options = parser.parse_args()
    started = time.process_time()
    if options.draws:
        print(f"draws {options.draws}, seed {options.seed}, L = 250\n")
        print_sizes(options.draws, options.seed, options.gap)
        print_windows(options.draws // 4, options.seed, options.gap)
    if options.firm and options.market and options.event:
        print_history(options.firm, options.market, options.event, gap=options.gap)
    print(f"\n{time.process_time() - started:.0f} s of processor time")


def print_sizes(draws: int, seed: int, gap: int) -> None:
    """Sizes at gap 0 and at the gap asked for, and power at gap 0."""
    effects = [effect / RESIDUAL_STD for effect in POWER_EFFECTS]
    table = simulated_sizes(PROCESSES, seed=seed, n_draws=draws, effects=(0.0, *effects))
    gapped = simulated_sizes(PROCESSES, seed=seed, n_draws=draws, gap=gap)
    is_null, is_five = table["effect"] == 0, table["level"] == 0.05
    print(f"SIZE, %, gap 0 and gap {gap}")
    keys = ["process", "group", "level", "test"]
    sizes = table[is_null].merge(gapped, on=[*keys, "effect"], suffixes=("", "_gap"))
    expected = {(*key, test): v for key, row in EARLIER_SIZES.items() for test, v in zip(TESTS, row, strict=True)}
    print_comparison(sizes, keys, expected, earlier_draws=lambda k: EARLIER_DRAWS // (1 if k[1] == "all" else 10))
    print("\nPOWER at 5 %, %, gap 0; effect as a fraction of the price")
    power = table[~is_null & is_five & (table["group"] == "all")]
    power = power.assign(effect=(power["effect"] * RESIDUAL_STD).round(6))
    expected = {(*key, test): v for key, row in EARLIER_POWER.items() for test, v in zip(TESTS, row, strict=True)}
    keys = ["process", "effect", "test"]
    has_earlier = [key in expected for key in power[keys].itertuples(index=False, name=None)]
    print_comparison(power[has_earlier], keys, expected, earlier_draws=lambda _: EARLIER_DRAWS)


def print_windows(draws: int, seed: int, gap: int) -> None:
    """Sizes of the window tests at both gaps."""
    table = simulated_window_sizes(WINDOW_PROCESSES, WINDOW_LENGTHS, seed=seed, n_draws=draws, levels=(0.05,))
    gapped = simulated_window_sizes(WINDOW_PROCESSES, WINDOW_LENGTHS, seed=seed, n_draws=draws, levels=(0.05,), gap=gap)
    keys = ["process", "window_length", "test"]
    table = table.merge(gapped, on=keys, suffixes=("", "_gap"))
    tests = ("p_t", "p_block_conformal")
    expected = {(*key, test): v for key, row in EARLIER_WINDOWS.items() for test, v in zip(tests, row, strict=True)}
    print(f"\nWINDOWS, size at 5 %, %, {draws} draws, gap 0 and gap {gap}")
    print_comparison(table, keys, expected, earlier_draws=lambda _: EARLIER_WINDOW_DRAWS)


def print_comparison(table: pd.DataFrame, keys: list[str], expected: dict, *, earlier_draws) -> None:
    """One line a cell: earlier, ours, tolerance and whether they agree; a gap column where there is one."""
    compared = agreed = 0
    for row in table.to_dict("records"):
        key = tuple(row[name] for name in keys)
        line = "  ".join(f"{value!s:<20}" for value in key) + f"  ours {100 * row['rate']:6.2f}"
        line += f" (se {100 * row['std_error']:.2f}, n {row['n_draws']})"
        if "rate_gap" in row:
            line += f"  with gap {100 * row['rate_gap']:6.2f}"
        if key in expected:
            share = expected[key] / 100
            earlier_error = 100 * math.sqrt(share * (1 - share) / earlier_draws(key))
            tolerance = 3 * math.hypot(earlier_error, 100 * row["std_error"]) + POINT_TOLERANCE
            is_near = abs(100 * row["rate"] - expected[key]) <= tolerance
            compared, agreed = compared + 1, agreed + is_near
            line += f"  earlier {expected[key]:5.1f}  +-{tolerance:.2f}  {'agrees' if is_near else 'DIFFERS'}"
        print(line)
    print(f"{agreed} of {compared} compared values agree")


def print_history(firm: Path, market: Path, event: str, *, gap: int) -> None:
    """Rates on the firm's own sessions before the event."""
    returns = pd.concat({"firm": total_returns(firm), "market": total_returns(market)}, axis=1, join="inner")
    position = returns.index.get_loc(event)
    y, design = returns["firm"].to_numpy(), np.column_stack([np.ones(len(returns)), returns["market"]])
    eligible = eligible_placebo_sessions(np.ones(len(y), dtype=bool), position, estimation_length=250, gap=gap)
    for label, sessions in (
        (f"before {event}", np.arange(250 + gap, position)),
        (f"before {event} minus the gap of {gap}", eligible),
    ):
        rates = calibrate_history(FirmHistory(y, design, sessions, 250, gap))
        print(f"\nOWN HISTORY of {firm.stem} on {market.stem}: {len(sessions)} sessions {label}, L = 250, gap {gap}")
        shown = rates.assign(**{name: (100 * rates[name]).round(2) for name in ("nominal", "rate", "lower", "upper")})
        print(shown.round({"effective_sessions": 0}).to_string(index=False))
    for effect in (-0.02, -0.03):
        injected = calibrate_history(FirmHistory(y, design, sessions, 250, gap), effect=effect)
        found = injected[(injected["group"] == "all") & (injected["level"] == 0.05)]
        print(
            f"\npower at 5 % with {100 * effect:.0f} % injected: "
            + ", ".join(f"{test} {100 * rate:.1f}" for test, rate in zip(found["test"], found["rate"], strict=True))
        )


def total_returns(path: Path) -> pd.Series:
    """Simple close-to-close total returns of a price file."""
    prices = pd.read_csv(path, parse_dates=["date"], index_col="date")
    return ((prices["close"] + prices["dividend"]) / prices["close"].shift() - 1.0).iloc[1:]


if __name__ == "__main__":
    main()
