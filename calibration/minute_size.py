"""Size and power of the tests on bars of minutes, beside the Monte Carlo values they should agree with.

    python -m calibration.minute_size --draws 4000 --seed 20260202

Bars have a mean variance of 1: t4 noise x a clock curve x the day's volatility (GARCH with daily t4 innovations), a market
half as large with days of its own (slope 1, estimated), and bid-ask bounce. The clock curve is not in the span of the
basis that is fitted to it. A value agrees when it lies within 3 sqrt(se1^2 + se2^2) + 0.05 points of the earlier one.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from event_impact.estimation.bar_fit import BarFit, fit_bars, sum_bars
from event_impact.inference.bar_tests import (
    assess_bars,
    decide_bars,
    is_reversal,
    placebo_moves,
    placebo_p,
    share_taken_back,
)
from scipy import stats

SESSION_MINUTES = 390
BOUNCE = {1: 0.45, 5: 0.2}
GARCH = (0.02, 0.08, 0.90)
BURN_IN = 200
STARTS = (30, 145)
"""Minutes after the open at which a window begins, the second not included."""
POINT_TOLERANCE = 0.05
LENGTHS = (1, 2, 6, 12, 30)
DAYS = {"ordinary day": 1.0, "day x1.5": 1.5, "day x2": 2.0}
# Monte Carlo results themselves, per cent. (minutes, sessions, state): sizes at 5 % of the deciding p for the lengths
# above, then of the companion; None where the earlier table has no value. Their draws are 4,000 for the first row and
# fewer, not said how many a row, for the others: taken as 1,500.
EARLIER_DRAWS, FEWER_DRAWS = 4000, 1500
EARLIER = {
    (5, 10, "ordinary day"): ((5.1, 5.3, 5.2, 5.2, 5.9), (5.5, 5.0, 4.5, 4.3, 3.9)),
    (5, 10, "day x1.5"): ((6.0, None, 6.8, None, 7.2), (6.2, None, 6.0, None, 4.9)),
    (5, 10, "day x2"): ((6.2, None, 7.4, None, 7.8), (6.5, None, 6.5, None, 5.4)),
    (5, 10, "from the window x2"): ((8.9, None, 12.0, None, 12.0), (9.1, None, 10.0, None, 9.2)),
    (5, 20, "ordinary day"): ((5.3, 4.9, 4.6, 4.0, 5.1), (5.4, 4.6, 3.9, 3.0, 3.7)),
    (5, 60, "ordinary day"): ((4.1, 4.4, 4.3, 4.0, 5.1), (4.2, 3.8, 3.5, 2.7, 3.7)),
    (1, 10, "ordinary day"): ((5.5, 5.0, 5.1, 5.5, 5.1), (4.9, 2.7, 2.0, 1.8, 1.4)),
}
# Power at 5 % of an effect in the first bar of the window, in standard deviations of an average bar: 10 sessions.
EARLIER_POWER = {
    (5, "ordinary day", 5.0): ((98, 93, 71, 49, 28), (98, 93, 69, 45, 22)),
    (5, "ordinary day", 8.0): ((100, 99, 92, 81, 53), None),
    (5, "day x2", 8.0): ((95, 88, 63, 43, 25), None),
    (1, "ordinary day", 5.0): ((97, 93, 73, 51, 24), (97, 92, 59, 29, 8)),
}


@dataclass(frozen=True)
class MinuteDesign:
    """One simulated world.

    Attributes
    ----------
    minutes, sessions : int
        Length of a bar, and estimation sessions.
    day : float
        Factor on all of the event session's own noise; the bounce stays as it is.
    from_window : float
        Factor on it from the first bar of the window on.
    missing : float
        Share of the estimation sessions' returns that are not recorded.
    """

    minutes: int = 5
    sessions: int = 10
    day: float = 1.0
    from_window: float = 1.0
    missing: float = 0.0


def draw_days(rng: np.random.Generator, n_draws: int, n_days: int) -> np.ndarray:
    """Daily standard deviations of a GARCH(1,1) with t4 innovations and mean variance 1: (draws, days)."""
    omega, alpha, beta = GARCH
    variance, kept = np.ones(n_draws), []
    for _ in range(BURN_IN + n_days):
        kept.append(variance)
        variance = omega + (alpha * draw_t4(rng, (n_draws,)) ** 2 + beta) * variance
    return np.sqrt(np.stack(kept[BURN_IN:], axis=-1))


def draw_t4(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Student t with 4 degrees of freedom and variance 1."""
    return rng.standard_t(4, shape) / math.sqrt(2)


def clock_curve(n_clocks: int) -> np.ndarray:
    """U(c) with a mean square of 1: the opening three times midday, the close one and a half times."""
    t = (np.arange(n_clocks) + 0.5) / n_clocks
    squared = np.exp(1.6 * np.exp(-t / 0.06) + 3.84 * (t - 0.55) ** 2)
    return np.sqrt(squared / squared.mean())


def simulate_bars(
    design: MinuteDesign, n_draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Returns of firm and market (draws, sessions + 1, clocks), the event session last, and first clocks (draws,)."""
    n_clocks = SESSION_MINUTES // design.minutes
    shape = (n_draws, design.sessions + 1, n_clocks)
    curve = clock_curve(n_clocks)
    own = draw_t4(rng, shape) * curve * draw_days(rng, n_draws, shape[1])[..., None]
    market = 0.5 * draw_t4(rng, shape) * curve * draw_days(rng, n_draws, shape[1])[..., None]
    first = rng.integers(*STARTS, n_draws) // design.minutes
    is_after = np.arange(n_clocks) >= first[:, None]
    own[:, -1] *= design.day * np.where(is_after, design.from_window, 1.0)
    sides = rng.choice([-1.0, 1.0], (*shape[:-1], n_clocks + 1)) * BOUNCE[design.minutes]
    own += np.diff(sides, axis=-1)
    if design.missing:
        own[:, :-1][rng.random(own[:, :-1].shape) < design.missing] = np.nan
    return own + market, market, first


def fit_draws(design: MinuteDesign, returns: np.ndarray, market: np.ndarray, jump: np.ndarray | float = 0.0) -> BarFit:
    """The study's own fit of every draw."""
    middles = (np.arange(returns.shape[-1]) + 0.5) / returns.shape[-1]
    return fit_bars(
        returns[:, :-1], returns[:, -1] + jump, market[:, :-1], market[:, -1], middles=middles, minutes=design.minutes
    )


def reject_draws(fit: BarFit, first: np.ndarray, n_bars: int, level: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Whether placebo and companion reject, a draw."""
    window = sum_bars(fit, first, n_bars)
    placebo = placebo_p(placebo_moves(fit.pools[0], window), np.abs(window.estimate) * window.own_share) <= level
    t = np.abs(window.estimate) / window.scaled_std_error / fit.day_factor
    return placebo, 2 * stats.t.sf(t, fit.df) <= level


def measure_sizes(
    design: MinuteDesign,
    *,
    n_draws: int,
    seed: int,
    lengths: tuple[int, ...] = LENGTHS,
    effect: float = 0.0,
    chunk: int = 250,
) -> pd.DataFrame:
    """Rejection rates of placebo and companion, by length; ``effect`` is put into the first bar of every window."""
    rng = np.random.default_rng(seed)
    found = {m: [] for m in lengths}
    for size in [chunk] * (n_draws // chunk) + [n_draws % chunk] * (n_draws % chunk > 0):
        returns, market, first = simulate_bars(design, size, rng)
        jump = effect * (np.arange(returns.shape[-1]) == first[:, None])
        fit = fit_draws(design, returns, market, jump)
        for m in lengths:
            found[m].append(np.stack(reject_draws(fit, first, m)))
    rates = {m: np.concatenate(parts, axis=-1).mean(axis=-1) for m, parts in found.items()}
    return pd.DataFrame(rates, index=["deciding", "companion"]).T.rename_axis("bars")


def agrees(rate: float, earlier: float, n_draws: int, earlier_draws: int) -> bool:
    """Within three joint standard errors and the rounding of the earlier value; both in per cent."""
    p = min(max((rate + earlier) / 200, 0.002), 0.998)
    error = 100 * math.sqrt(p * (1 - p) * (1 / n_draws + 1 / earlier_draws))
    return abs(rate - earlier) <= 3 * error + POINT_TOLERANCE


def pick_draw(fit: BarFit, draw: int) -> BarFit:
    """The fit of one draw."""
    return BarFit(**{field.name: getattr(fit, field.name)[draw] for field in dataclasses.fields(fit)})


def measure_power_at_mde(design: MinuteDesign, *, n_draws: int, seed: int, n_bars: int) -> float:
    """Share of draws in which the effect that is stated as seen four times in five is seen."""
    rng = np.random.default_rng(seed)
    returns, market, first = simulate_bars(design, n_draws, rng)
    fit = fit_draws(design, returns, market)
    options = {"minutes": design.minutes, "significance": 0.05}
    stated = np.array([assess_bars(pick_draw(fit, i), first[i], n_bars, **options).mde80 for i in range(n_draws)])
    jump = stated[:, None] * (np.arange(returns.shape[-1]) == first[:, None])
    return float(reject_draws(fit_draws(design, returns, market, jump), first, n_bars)[0].mean())


STORIES = {
    "report known": lambda denial: (denial - REPORT_BARS, 3),
    "from the report": lambda denial: (denial - REPORT_BARS, REPORT_BARS),
    "from the open": lambda denial: (0, denial),
}
"""Windows up to the denial, as first clock and bars: the report's own, from it on, and from the open."""
REPORT_BARS = 8
DENIALS = (20, 44)
FIRST_SHARE = 0.7
"""Of each effect, in its first bar; the rest in the next."""
# (effect in bar deviations, share taken back, factor of the day): per cent rejected in each window up to the denial
# and in the denial's own, then called reversed, by window; 800 to 2,000 draws.
EARLIER_STORIES = {
    (0.0, 0.0, 1.0): ((1.8, 3.0, 4.6), 2.6, None),
    (6.0, 1.0, 1.0): ((95, 78, 20), 95, (14, 3, 0)),
    (10.0, 1.0, 1.0): ((99, 96, 46), 99, (63, 31, 1)),
    (15.0, 1.0, 1.0): ((99, 99, 72), 99, (87, 68, 9)),
    (15.0, 1.0, 2.0): ((97, 90, 37), 97, (45, 21, 0)),
}
EARLIER_STORY_DRAWS = 800


def measure_stories(
    effect: float, share: float, *, day: float = 1.0, n_draws: int, seed: int, level: float = 0.05
) -> pd.DataFrame:
    """A report eight bars before its denial: Holm over the two windows, and the reversals that the rule claims.

    Returns
    -------
    pandas.DataFrame
        One row a window up to the denial: first, denial (rejected after Holm), either, reversed; fractions.
    """
    rng = np.random.default_rng(seed)
    design = MinuteDesign(day=day)
    returns, market, _ = simulate_bars(design, n_draws, rng)
    denial = rng.integers(*DENIALS, n_draws)
    clocks = np.arange(returns.shape[-1])
    jump = np.zeros((n_draws, returns.shape[-1]))
    for at, size in ((denial - REPORT_BARS, -effect), (denial, share * effect)):
        for bars, part in ((0, FIRST_SHARE), (1, 1 - FIRST_SHARE)):
            jump += part * size * (clocks == at[:, None] + bars)
    fit = fit_draws(design, returns, market, jump)
    rows = {}
    for name, window in STORIES.items():
        found = []
        for i in range(n_draws):
            one, spans = pick_draw(fit, i), (window(denial[i]), (denial[i], 3))
            tests = [assess_bars(one, *span, minutes=5, significance=level) for span in spans]
            first, own = decide_bars(tests, n_sessions=10, significance=level, bound=0.001)
            taken = share_taken_back(one, *spans)
            rejected = [t.p_holm < level for t in (first, own)]
            found.append((*rejected, any(rejected), is_reversal(first, own, taken, significance=level)))
        rows[name] = np.mean(found, axis=0)
    return pd.DataFrame(rows, index=["first", "denial", "either", "reversed"]).T


def main() -> None:
    """Simulate, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4000, help="draws of each world; a fifth for one-minute bars")
    parser.add_argument("--seed", type=int, default=20260202)
    options = parser.parse_args()
    started, compared = time.process_time(), []
    print(f"draws {options.draws}, seed {options.seed}; lengths {', '.join(map(str, LENGTHS))} bars\n\nSIZE at 5 %, %")
    for (minutes, sessions, state), earlier in EARLIER.items():
        change = {"from_window": 2.0} if "window" in state else {"day": DAYS[state]}
        design = MinuteDesign(minutes=minutes, sessions=sessions, **change)
        n_draws = options.draws // (1 if minutes == 5 else 5)
        rates = 100 * measure_sizes(design, n_draws=n_draws, seed=options.seed)
        earlier_draws = EARLIER_DRAWS if state == "ordinary day" and (minutes, sessions) == (5, 10) else FEWER_DRAWS
        compared += compare(f"{minutes} min, {sessions} sessions, {state}", rates, earlier, n_draws, earlier_draws)
    print("\nPOWER at 5 %, %, effect in deviations of an average bar")
    for (minutes, state, effect), earlier in EARLIER_POWER.items():
        n_draws = options.draws // (2 if minutes == 5 else 10)
        design = MinuteDesign(minutes=minutes, day=DAYS[state])
        rates = 100 * measure_sizes(design, n_draws=n_draws, seed=options.seed + 1, effect=effect)
        compared += compare(f"{minutes} min, {state}, {effect:g} sd", rates, earlier, n_draws, EARLIER_STORY_DRAWS)
    print("\nPOWER at the stated MDE80, %")
    for n_bars in (1, 3, 6, 24):
        power = measure_power_at_mde(MinuteDesign(), n_draws=options.draws // 2, seed=options.seed + 2, n_bars=n_bars)
        print(f"{n_bars:3d} bars {100 * power:6.1f}")
    print("\nREPORT AND DENIAL, Holm over two, %: rejected before, at the denial, either; called reversed")
    for (effect, share, day), (first, own, undone) in EARLIER_STORIES.items():
        n_draws = options.draws // 5
        found = 100 * measure_stories(effect, share, day=day, n_draws=n_draws, seed=options.seed + 3)
        print(f"effect {effect:g}, taken back {share:g}, day x{day:g}\n{found.round(1).to_string()}")
        pairs = [*zip(found["first"], first, strict=True), (found["denial"].iloc[0], own)]
        pairs += [*zip(found["reversed"], undone, strict=True)] if undone else []
        compared += [agrees(rate, value, n_draws, EARLIER_STORY_DRAWS) for rate, value in pairs]
        print(f"earlier {first}, {own}, {undone}")
    print(f"\n{sum(compared)} of {len(compared)} compared values agree; {time.process_time() - started:.0f} s")


def compare(
    name: str, rates: pd.DataFrame, earlier: tuple, n_draws: int, earlier_draws: int
) -> list[bool]:  # fmt: skip
    """Print one world beside its earlier values; whether each of them agrees."""
    found = []
    for column, values in zip(rates.columns, earlier, strict=True):
        cells = []
        for rate, value in zip(rates[column], values or [None] * len(rates), strict=True):
            is_near = value is None or agrees(rate, value, n_draws, earlier_draws)
            found += [is_near] if value is not None else []
            cells.append(f"{rate:5.1f} ({'-' if value is None else value}{'' if is_near else ' DIFFERS'})")
        print(f"{name:<42} {column:<10} {'  '.join(cells)}")
    return found


if __name__ == "__main__":
    main()
