"""Size and power of the tests on bars of minutes, beside the Monte Carlo values they should agree with.

    python -m calibration.minute_size                writes the tables of minute_size.md, some minutes
    python -m calibration.minute_size --draws 2000

Bars have a mean variance of 1: t4 noise x a clock curve x the day's volatility (GARCH with daily t4 innovations), a market
half as large with days of its own (slope 1, estimated), and bid-ask bounce. The clock curve is not in the span of the
basis that is fitted to it. A value agrees when it lies within 3 sqrt(se1^2 + se2^2) of the earlier one, the
earlier one's rounding allowed for.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from event_impact.estimation.bar_fit import BarFit, fit_bars, median_move, sum_bars
from event_impact.inference.bar_tests import (
    LONGEST_OWN_RANK,
    assess_bars,
    decide_bars,
    is_reversal,
    own_session_p,
    placebo_moves,
    placebo_p,
    share_taken_back,
)
from scipy import signal, stats

SESSION_MINUTES = 390
BOUNCE = {1: 0.45, 5: 0.2}
PAGE, SUMMARY = Path(__file__).with_suffix(".md"), "**Agreement.** "
GARCH = (0.02, 0.08, 0.90)
BURN_IN = 200
TEN = 30
"""Minutes from the open to 10:00 in New York."""
STARTS = (30, 145)
"""Minutes after the open at which a window begins, the second not included."""
LENGTHS = (1, 2, 6, 12, 30)
TESTS = ("deciding", "companion", "raw t", "smooth t", "same clock", "same clock, no factor", "own session")
WORLDS: dict[str, dict[str, float]] = {
    "ordinary": {},
    "day x1.5": {"day": 1.5},
    "day x2": {"day": 2.0},
    "window x2": {"from_window": 2.0},
    "jumps": {"jumps": 1.0},
    "clusters": {"clusters": 0.4},
    "10:00 x2": {"at_ten": 2.0},
    "window x2, k of one bar": {"from_window": 2.0, "move_minutes": 1},
}
"""What differs from an ordinary session. The last takes the factor k from moves of one bar, which bounce dilutes at one minute:
the earlier values of that world come from it, see ``minute_size.md``."""
UNKNOWN = (None,) * 5
# Monte Carlo results of an independent version, per cent: (minutes, sessions, world, test), sizes at 5 % for the
# lengths above, None where it has no value. Of its draws it says that they were 4,000 for the first table and from 400
# to 4,000 for the others, not which had how many: 1,500 are taken. Values of 10 and more are given in whole per cent.
MAIN_WORLDS = ("ordinary", "day x1.5", "day x2", "window x2")
EARLIER_DRAWS, FEWER_DRAWS = 4000, 1500
EARLIER: dict[tuple[int, int, str, str], tuple[float | None, ...]] = {
    (5, 10, "ordinary", "deciding"): (5.1, 5.3, 5.2, 5.2, 5.9),
    (5, 10, "ordinary", "companion"): (5.5, 5.0, 4.5, 4.3, 3.9),
    (5, 10, "ordinary", "same clock"): (0.0, 0.0, 0.0, 0.0, 0.0),
    (5, 10, "ordinary", "raw t"): (4.1, 3.2, 2.9, 2.4, 2.4),
    (5, 10, "ordinary", "smooth t"): (5.4, 4.5, 4.0, 4.2, 4.5),
    (5, 10, "ordinary", "own session"): (4.2, 4.2, None, None, None),
    (5, 10, "day x1.5", "deciding"): (6.0, None, 6.8, None, 7.2),
    (5, 10, "day x1.5", "companion"): (6.2, None, 6.0, None, 4.9),
    (5, 10, "day x1.5", "raw t"): (11.0, None, 10.0, None, 10.0),
    (5, 10, "day x1.5", "smooth t"): (14.0, None, 14.0, None, 15.0),
    (5, 10, "day x1.5", "own session"): (4.0, None, None, None, None),
    (5, 10, "day x2", "deciding"): (6.2, None, 7.4, None, 7.8),
    (5, 10, "day x2", "companion"): (6.5, None, 6.5, None, 5.4),
    (5, 10, "day x2", "raw t"): (19.0, None, 20.0, None, 20.0),
    (5, 10, "day x2", "smooth t"): (23.0, None, 25.0, None, 27.0),
    (5, 10, "day x2", "own session"): (4.2, None, None, None, None),
    (5, 10, "window x2", "deciding"): (8.9, None, 12.0, None, 12.0),
    (5, 10, "window x2", "companion"): (9.1, None, 10.0, None, 9.2),
    (5, 10, "window x2", "raw t"): (19.0, None, 20.0, None, 20.0),
    (5, 10, "window x2", "smooth t"): (23.0, None, 25.0, None, 27.0),
    (5, 10, "window x2", "own session"): (6.8, None, None, None, None),
    (5, 10, "jumps", "deciding"): (3.5, None, 3.1, 2.8, None),
    (5, 10, "jumps", "companion"): (2.8, None, 2.5, 2.5, None),
    (5, 10, "clusters", "deciding"): (5.8, None, 4.9, 5.7, None),
    (5, 10, "clusters", "companion"): (5.8, None, 4.3, 4.5, None),
    (5, 10, "10:00 x2", "smooth t"): (24.0, None, None, None, None),
    (5, 60, "10:00 x2", "smooth t"): (22.0, None, None, None, None),
    (5, 20, "ordinary", "deciding"): (5.3, 4.9, 4.6, 4.0, 5.1),
    (5, 20, "ordinary", "companion"): (5.4, 4.6, 3.9, 3.0, 3.7),
    (5, 20, "day x2", "deciding"): (6.4, None, 6.9, None, 7.5),
    (5, 20, "day x2", "same clock"): (4.9, None, 6.6, None, 5.8),
    (5, 20, "window x2", "deciding"): (9.0, None, 11.0, None, 12.0),
    (5, 60, "ordinary", "deciding"): (4.1, 4.4, 4.3, 4.0, 5.1),
    (5, 60, "ordinary", "companion"): (4.2, 3.8, 3.5, 2.7, 3.7),
    (5, 60, "day x2", "deciding"): (5.8, None, 6.3, None, 7.9),
    (5, 60, "day x2", "same clock"): (5.1, None, 6.6, None, 6.5),
    (5, 60, "window x2", "deciding"): (9.1, None, 11.0, None, 12.0),
    (1, 10, "ordinary", "deciding"): (5.5, 5.0, 5.1, 5.5, 5.1),
    (1, 10, "ordinary", "companion"): (4.9, 2.7, 2.0, 1.8, 1.4),
    (1, 10, "day x2", "deciding"): (4.1, None, 5.9, None, 6.9),
    (1, 10, "window x2", "deciding"): UNKNOWN,
    (1, 10, "window x2, k of one bar", "deciding"): (9.2, None, 13.0, None, 17.0),
    (1, 20, "ordinary", "deciding"): (4.7, 4.7, 4.5, 4.9, 5.5),
    (1, 20, "ordinary", "companion"): (4.6, 2.4, 1.5, 1.5, 1.8),
    (1, 20, "day x2", "deciding"): (3.7, None, 4.9, None, 7.0),
    (1, 20, "day x2", "same clock"): (5.3, None, 7.8, None, 12.0),
    (1, 20, "window x2", "deciding"): UNKNOWN,
    (1, 20, "window x2, k of one bar", "deciding"): (8.8, None, 13.0, None, 17.0),
    (1, 60, "ordinary", "deciding"): (4.0, 4.2, 5.2, 4.5, 5.5),
    (1, 60, "ordinary", "companion"): (3.5, 2.2, 1.8, 1.0, 1.5),
    (1, 60, "day x2", "deciding"): (3.0, None, 6.2, None, 6.2),
    (1, 60, "day x2", "same clock"): (3.2, None, 7.4, None, 9.0),
    (1, 60, "window x2", "deciding"): UNKNOWN,
    (1, 60, "window x2, k of one bar", "deciding"): (10.0, None, 14.0, None, 15.0),
}
WIDE_STARTS = (30, 240)
"""Minutes after the open at which the windows of these tests begin in that table."""
WIDE = ("raw t", "smooth t", "own session", "same clock, no factor")
# Power at 5 % of an effect in the first bar of the window, in standard deviations of an average bar, in whole per cent.
EARLIER_POWER: dict[tuple[int, int, str, float, str], tuple[float | None, ...]] = {
    (5, 10, "ordinary", 5.0, "deciding"): (98, 93, 71, 49, 28),
    (5, 10, "ordinary", 5.0, "companion"): (98, 93, 69, 45, 22),
    (5, 10, "ordinary", 8.0, "deciding"): (100, 99, 92, 81, 53),
    (5, 10, "day x2", 8.0, "deciding"): (95, 88, 63, 43, 25),
    (5, 10, "jumps", 5.0, "deciding"): (None, None, 61, None, None),
    (5, 20, "ordinary", 5.0, "same clock, no factor"): (96, 90, 69, 46, 25),
    (1, 10, "ordinary", 5.0, "deciding"): (97, 93, 73, 51, 24),
    (1, 10, "ordinary", 5.0, "companion"): (97, 92, 59, 29, 8),
}
# The effect that is stated as seen four times in five, mean over draws in deviations of an average bar, by bars.
EARLIER_MDE = {"ordinary": {1: 2.0, 3: 3.4, 6: 4.7, 24: 9.1}, "day x2": {1: 3.6, 3: 6.0, 6: 8.4, 24: 16.0}}


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
    jumps : float
        Jumps of 4 to 8 deviations in .3 of the estimation sessions at 10:00 and in .2 of them at any bar, times this.
    clusters : float
        Standard deviation of an autoregressive log volatility within the session, with a half-life of 30 minutes.
    at_ten : float
        Factor on the bar after 10:00 of every session, which the smooth scale does not follow; windows begin there.
    move_minutes : int, optional
        Length of the moves whose median gives the factor k; the study's own where it is left out.
    starts : tuple of int
        Minutes after the open at which a window begins, the second not included.
    """

    minutes: int = 5
    sessions: int = 10
    day: float = 1.0
    from_window: float = 1.0
    missing: float = 0.0
    jumps: float = 0.0
    clusters: float = 0.0
    at_ten: float = 1.0
    move_minutes: int | None = None
    starts: tuple[int, int] = STARTS


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


def draw_clusters(rng: np.random.Generator, shape: tuple[int, ...], memory: float, sd: float) -> np.ndarray:
    """Log volatility about a mean square of 1, autoregressive within a session."""
    steps = rng.normal(0.0, sd, shape)
    steps[..., 1:] *= math.sqrt(1 - memory**2)
    return signal.lfilter([1.0], [1.0, -memory], steps, axis=-1) - sd**2


def draw_jumps(rng: np.random.Generator, shape: tuple[int, ...], at_ten: int) -> np.ndarray:
    """Jumps of 4 to 8 deviations, either sign: .3 a session at 10:00, .2 at any bar."""
    found = np.zeros(shape)
    anywhere = rng.integers(0, shape[-1], shape[:-1])
    for chance, clock in ((0.3, np.full(shape[:-1], at_ten)), (0.2, anywhere)):
        size = rng.uniform(4, 8, shape[:-1]) * rng.choice([-1.0, 1.0], shape[:-1]) * (rng.random(shape[:-1]) < chance)
        np.put_along_axis(
            found, clock[..., None], size[..., None] + np.take_along_axis(found, clock[..., None], -1), -1
        )
    return found


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
    first = rng.integers(*design.starts, n_draws) // design.minutes
    is_after = np.arange(n_clocks) >= first[:, None]
    own[:, -1] *= design.day * np.where(is_after, design.from_window, 1.0)
    own[..., TEN // design.minutes] *= design.at_ten
    if design.clusters:
        own *= np.exp(draw_clusters(rng, shape, 0.5 ** (design.minutes / 30), design.clusters))
    if design.jumps:
        own[:, :-1] += draw_jumps(rng, own[:, :-1].shape, TEN // design.minutes)
    sides = rng.choice([-1.0, 1.0], (*shape[:-1], n_clocks + 1)) * BOUNCE[design.minutes]
    own += np.diff(sides, axis=-1)
    if design.missing:
        own[:, :-1][rng.random(own[:, :-1].shape) < design.missing] = np.nan
    return own + market, market, first


def fit_draws(design: MinuteDesign, returns: np.ndarray, market: np.ndarray, jump: np.ndarray | float = 0.0) -> BarFit:
    """The study's own fit of every draw."""
    middles = (np.arange(returns.shape[-1]) + 0.5) / returns.shape[-1]
    fit = fit_bars(
        returns[:, :-1], returns[:, -1] + jump, market[:, :-1], market[:, -1], middles=middles, minutes=design.minutes
    )
    if design.move_minutes is None:
        return fit
    n_bars = max(round(design.move_minutes / design.minutes), 1)
    moves = [
        median_move(e / d, n_bars) for e, d in ((fit.residuals, fit.scale[:, None]), (fit.event_residuals, fit.scale))
    ]
    return dataclasses.replace(fit, session_moves=moves[0], event_move=moves[1])


def reject_draws(fit: BarFit, first: np.ndarray, n_bars: int, level: float = 0.05) -> dict[str, np.ndarray]:
    """Whether each test rejects, a draw."""
    window = sum_bars(fit, first, n_bars)
    size = np.abs(window.estimate)
    found = {"deciding": placebo_p(placebo_moves(fit.pool, window), size * window.own_share)}
    errors = {"companion": window.scaled_std_error * fit.day_factor, "raw t": window.raw_std_error}
    for name, error in {**errors, "smooth t": window.scaled_std_error}.items():
        found[name] = 2 * stats.t.sf(size / error, fit.df)
    sums = (fit.residuals * window.weights[:, None, :]).sum(axis=-1)
    found["same clock, no factor"] = placebo_p(sums, size * window.own_share)
    carried = sums / fit.session_moves * fit.event_move[:, None]
    found["same clock"] = placebo_p(carried, size * window.own_share)
    if n_bars <= LONGEST_OWN_RANK:
        singles = [pick_draw(fit, i) for i in range(len(first))]
        own = [own_session_p(one, sum_bars(one, first[i], n_bars), int(first[i])) for i, one in enumerate(singles)]
        found["own session"] = np.array(own)
    return {name: p <= level for name, p in found.items()}


def measure_sizes(
    design: MinuteDesign,
    *,
    n_draws: int,
    seed: int,
    lengths: tuple[int, ...] = LENGTHS,
    effect: float = 0.0,
    chunk: int = 250,
) -> pd.DataFrame:
    """Rejection rates of every test, by length; ``effect`` is put into the first bar of every window."""
    rng = np.random.default_rng(seed)
    found = {m: [] for m in lengths}
    for size in [chunk] * (n_draws // chunk) + [n_draws % chunk] * (n_draws % chunk > 0):
        returns, market, first = simulate_bars(design, size, rng)
        jump = effect * (np.arange(returns.shape[-1]) == first[:, None])
        fit = fit_draws(design, returns, market, jump)
        for m in lengths:
            found[m].append(pd.DataFrame(reject_draws(fit, first, m)))
    rates = {m: pd.concat(parts).mean() for m, parts in found.items()}
    return pd.DataFrame(rates).reindex(list(TESTS)).T.rename_axis("bars")


def agrees(rate: float, earlier: float, n_draws: int, earlier_draws: int) -> bool:
    """Within three joint standard errors and the rounding of the earlier value; both in per cent."""
    return abs(rate - earlier) <= 3 * joint_error(rate, earlier, n_draws, earlier_draws) + rounding(earlier)


def joint_error(rate: float, earlier: float, n_draws: int, earlier_draws: int) -> float:
    """Monte Carlo standard error of the difference of two rates, in points."""
    p = min(max((rate + earlier) / 200, 0.002), 0.998)
    return 100 * math.sqrt(p * (1 - p) * (1 / n_draws + 1 / earlier_draws))


def rounding(earlier: float) -> float:
    """Half of the last digit that the earlier value is given with."""
    return 0.5 if earlier >= 10 else 0.05


def pick_draw(fit: BarFit, draw: int) -> BarFit:
    """The fit of one draw."""
    return BarFit(**{field.name: getattr(fit, field.name)[draw] for field in dataclasses.fields(fit)})


def measure_power_at_mde(design: MinuteDesign, *, n_draws: int, seed: int, n_bars: int) -> tuple[float, np.ndarray]:
    """Share of draws in which the effect that is stated as seen four times in five is seen, and the stated effects."""
    rng = np.random.default_rng(seed)
    returns, market, first = simulate_bars(design, n_draws, rng)
    fit = fit_draws(design, returns, market)
    options = {"minutes": design.minutes, "significance": 0.05}
    stated = np.array([assess_bars(pick_draw(fit, i), first[i], n_bars, **options).mde80 for i in range(n_draws)])
    jump = stated[:, None] * (np.arange(returns.shape[-1]) == first[:, None])
    found = reject_draws(fit_draws(design, returns, market, jump), first, n_bars)["deciding"]
    return float(found.mean()), stated


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
# and in the denial's own, then called reversed and rejected in either, by window; 800 to 2,000 draws, 800 taken.
EARLIER_STORIES: dict[tuple[float, float, float], tuple[tuple | None, float | None, tuple | None, tuple | None]] = {
    (0.0, 0.0, 1.0): ((1.8, 3.0, 4.6), 2.6, None, (4.3, 5.5, 6.8)),
    (0.0, 0.0, 2.0): (None, 3.5, None, (6.1, 7.3, 9.2)),
    (6.0, 1.0, 1.0): ((95, 78, 20), 95, (14, 3, 0), None),
    (10.0, 1.0, 1.0): ((99, 96, 46), 99, (63, 31, 1), None),
    (15.0, 1.0, 1.0): ((99, 99, 72), 99, (87, 68, 9), None),
    (15.0, 1.0, 2.0): ((97, 90, 37), 97, (45, 21, 0), None),
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


@dataclass
class Table:
    """Lines of the report, and every compared value: what it is, ours, the earlier one, the draws of both."""

    lines: list[str]
    values: list[tuple[str, float, float, int, int]]

    def add(self, name: str, pairs: list[tuple[str, float, float | None]], n_draws: int, earlier_draws: int) -> None:
        """One row, ours with the earlier value in brackets; a value that differs is marked."""
        cells = []
        for what, rate, earlier in pairs:
            if earlier is None:
                cells.append("" if math.isnan(rate) else f"{rate:.1f}")
                continue
            self.values.append((f"{name}, {what}", rate, earlier, n_draws, earlier_draws))
            mark = "" if agrees(rate, earlier, n_draws, earlier_draws) else " **differs**"
            cells.append(f"{rate:.1f} ({earlier:g}){mark}")
        self.lines.append(f"| {name} | {n_draws:,} | " + " | ".join(cells) + " |")

    def head(self, title: str, columns: list[str]) -> None:
        """A new table."""
        self.lines += ["", f"## {title}", "", f"| {'world'} | draws | " + " | ".join(columns) + " |"]
        self.lines.append("|---" * (len(columns) + 2) + "|")


def count_draws(draws: int, minutes: int, sessions: int) -> int:
    """Fewer where a draw holds more returns, never less than a quarter."""
    return int(draws * min(1.0, max(0.25, 20 * minutes / (5 * sessions))))


def compare_sizes(table: Table, *, draws: int, seed: int) -> None:
    """Every world once with the ordinary starts and, for the tests that have them in that table, with the wide ones."""
    table.head("Rejections at 5 % without an effect, percent", [f"{m} bars" for m in LENGTHS])
    wanted = dict.fromkeys((*world, test in WIDE) for *world, test in EARLIER)
    for k, (minutes, sessions, world, is_wide) in enumerate(wanted):
        starts = (TEN, TEN + 1) if world == "10:00 x2" else WIDE_STARTS if is_wide else STARTS
        design = MinuteDesign(minutes=minutes, sessions=sessions, starts=starts, **WORLDS[world])
        n_draws = count_draws(draws, minutes, sessions)
        rates = 100 * measure_sizes(design, n_draws=n_draws, seed=seed + k)
        earlier_draws = EARLIER_DRAWS if (minutes, sessions) == (5, 10) and world in MAIN_WORLDS else FEWER_DRAWS
        for test in TESTS:
            if values := EARLIER.get((minutes, sessions, world, test)) if (test in WIDE) == is_wide else None:
                pairs = list(zip(map(str, LENGTHS), rates[test], values, strict=True))
                table.add(f"{minutes} min, {sessions} sessions, {world}: {test}", pairs, n_draws, earlier_draws)


def compare_power(table: Table, *, draws: int, seed: int) -> None:
    """An effect in the first bar; then effects of the stated size."""
    table.head("Rejections at 5 % of an effect, percent; deviations of an average bar", [f"{m} bars" for m in LENGTHS])
    for minutes, sessions, world, effect in dict.fromkeys(key[:4] for key in EARLIER_POWER):
        is_wide = any(key[:4] == (minutes, sessions, world, effect) and key[4] in WIDE for key in EARLIER_POWER)
        starts = WIDE_STARTS if is_wide else STARTS
        design = MinuteDesign(minutes=minutes, sessions=sessions, starts=starts, **WORLDS[world])
        n_draws = count_draws(draws, minutes, sessions) // 2
        rates = 100 * measure_sizes(design, n_draws=n_draws, seed=seed, effect=effect)
        for test in TESTS:
            if values := EARLIER_POWER.get((minutes, sessions, world, effect, test)):
                pairs = list(zip(map(str, LENGTHS), rates[test], values, strict=True))
                name = f"{minutes} min, {sessions} sessions, {world}, {effect:g} sd: {test}"
                table.add(name, pairs, n_draws, EARLIER_STORY_DRAWS)
    columns = ["power at it, %", "stated, mean", "median", "earlier"]
    table.head("The effect that is stated as seen four times in five, deviations of an average bar", columns)
    for world, values in EARLIER_MDE.items():
        for n_bars, earlier in values.items():
            n_draws = draws // 5
            power, stated = measure_power_at_mde(
                MinuteDesign(**WORLDS[world]), n_draws=n_draws, seed=seed + 1, n_bars=n_bars
            )
            cells = f"{100 * power:.1f} | {stated.mean():.2f} | {np.median(stated):.2f} | {earlier:g}"
            table.lines.append(f"| {world}, {n_bars} bars | {n_draws:,} | {cells} |")


def compare_stories(table: Table, *, draws: int, seed: int) -> None:
    """Holm over two windows, and reversals."""
    names = ["first", "denial", "either", "reversed"]
    table.head("Report and denial, Holm over two, percent", ["rejected before", "at the denial", *names[2:]])
    for (effect, share, day), (first, own, undone, either) in EARLIER_STORIES.items():
        n_draws = draws // 5
        found = 100 * measure_stories(effect, share, day=day, n_draws=n_draws, seed=seed)
        for i, (window, row) in enumerate(found.iterrows()):
            earlier = [values and values[i] for values in (first, (own, None, None), either, undone)]
            pairs = list(zip(names, row, earlier, strict=True))
            name = f"effect {effect:g} sd, {share:.0%} taken back, day x{day:g}: {window}"
            table.add(name, pairs, n_draws, EARLIER_STORY_DRAWS)


def main() -> None:
    """Simulate, compare, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4_000, help="draws of a world of five-minute bars")
    parser.add_argument("--seed", type=int, default=20260202)
    options = parser.parse_args()
    table = Table([], [])
    for k, part in enumerate((compare_sizes, compare_power, compare_stories)):
        part(table, draws=options.draws, seed=options.seed + k)
    gaps = np.array([max(abs(v[1] - v[2]) - rounding(v[2]), 0) / joint_error(*v[1:]) for v in table.values])
    summary = (
        f"{(gaps <= 3).sum()} of {len(gaps)} values lie within three joint errors of the earlier ones, "
        f"{(gaps <= 2).sum()} within two; draws up to {options.draws:,}, seed {options.seed}."
    )
    names = [
        f"{v[0]} {v[1]:.1f} ({v[2]:g}, {gap:.1f} errors)" for v, gap in zip(table.values, gaps, strict=True) if gap > 3
    ]
    summary += f" The others: {'; '.join(names)}." if names else ""
    text = PAGE.read_text(encoding="utf-8").split(SUMMARY)[0] if PAGE.exists() else ""
    PAGE.write_text(f"{text}{SUMMARY}{summary}\n" + "\n".join(table.lines) + "\n", encoding="utf-8")
    print(summary)


if __name__ == "__main__":
    main()
