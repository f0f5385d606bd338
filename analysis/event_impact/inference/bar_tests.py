"""Tests of a window of bars: a circular placebo decides, with every clock carried to the event's clocks.

All take the smooth scale by clock and the factor of the whole session into account; a factor cannot tell a move from a
session that became more volatile with the window itself, and the page says so beside every verdict.

What the bars of an event session say of report and denial: windows with their tests, and the fit behind them.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from event_impact.estimation.bar_fit import BarFit, BarSum, sum_bars
from event_impact.estimation.models import WindowEffects
from event_impact.events.bar_windows import BarAlignment, BarSpan
from event_impact.inference.deciding_rule import find_detectable
from event_impact.inference.parametric import holm
from event_impact.inference.ranks import placebo_p_values, quantile_order, take_largest
from event_impact.inference.sequence import FiellerSet, contrast, fieller_set
from event_impact.market.bars import BarGrid, Bars

# Below so many independent placebos, L / m, the larger p of placebo and companion decides.
MIN_EFFECTIVE = 20
# With fewer sessions figures are shown without a verdict.
MIN_VERDICT_SESSIONS = 5
# The same clock cannot reach 5 % with fewer sessions; 39 for Holm over two windows.
MIN_CLOCK_SESSIONS = 19
# Windows of so few bars are also ranked among the session's own.
LONGEST_OWN_RANK = 2
POWER = 0.8
SHARE_COVERAGE = 0.90
# A reversal: the whole interval of the share taken back lies inside.
SHARE_BOUNDS = (0.5, 1.5)


@dataclass(frozen=True)
class BarTest:
    """One window of bars, tested; a row of ``results/minutes.csv`` but for its instants.

    ``p_star`` decides: the placebo's p, or the larger of it and the companion's where L / m is below
    :data:`MIN_EFFECTIVE`. ``ci90`` and ``ci95`` invert it. ``mde80`` is that of the placebo. ``placebos`` are the signed
    moves that the estimate is ranked among.
    """

    n_bars: int
    estimate: float
    se_raw: float
    t_raw: float
    p_raw: float
    se_scaled: float
    t_scaled: float
    day_factor: float
    p_placebo: float
    p_smallest: float
    n_effective: float
    p_companion: float
    p_star: float
    p_same_clock: float | None
    p_own_session: float | None
    ci90: tuple[float, float] | None
    ci95: tuple[float, float] | None
    mde80: float | None
    mde80_companion: float | None
    placebos: np.ndarray
    p_holm: float | None = None
    outcome: str = ""

    @property
    def smallest_bound(self) -> float | None:
        """The larger end of the 90 % interval in absolute value."""
        return None if self.ci90 is None else max(map(abs, self.ci90))


def placebo_moves(pool: np.ndarray, window: BarSum) -> np.ndarray:
    """P(j) = sum_i d(i0 + i) u((j + i) mod L) for each of the L shifts j of scaled residuals u: (..., L).

    With u over its session's median move, times the event session's, this is what decides. NaN where a shift meets a
    missing return.
    """
    moves = np.zeros_like(pool)
    for i in range(window.scale.shape[-1]):
        moves += window.scale[..., i, None] * np.roll(pool, -i, axis=-1)
    return moves


def placebo_p(moves: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(1 + #{|P| >= size}) / (L + 1) over the shifts that are complete."""
    reached = (np.abs(moves) >= np.asarray(size)[..., None]).sum(axis=-1)
    return np.asarray((1 + reached) / (1 + np.isfinite(moves).sum(axis=-1)))


def critical_placebo(moves: np.ndarray, level: float) -> float:
    """The move that the placebo test must exceed at a level; infinite where it can reject nothing."""
    known = np.abs(moves[np.isfinite(moves)])
    return float(take_largest(known[None], quantile_order(level, len(known) + 1))[0])


def power_effect(moves: np.ndarray, threshold: float, share: float = POWER) -> float | None:
    """Smallest effect with which so large a share of the signed placebos reach a threshold; None if none can."""
    found = float(find_detectable(threshold - moves[np.isfinite(moves)], share))
    return found if math.isfinite(found) else None


def found_share(test: BarTest, effect: float) -> float:
    """Share of the placebos that an effect of this size would carry over the threshold of the deciding rule at 5 %."""
    known = test.placebos[np.isfinite(test.placebos)]
    return 0.0 if test.ci95 is None else float((known + abs(effect) >= test.ci95[1] - test.estimate).mean())


def same_clock_p(fit: BarFit, window: BarSum) -> float | None:
    """Rank of the window among the same clocks of the earlier sessions, each over its own median move."""
    sums = (fit.residuals * window.weights).sum(axis=-1) / fit.session_moves
    known = sums[np.isfinite(sums)]
    is_enough = len(known) >= MIN_CLOCK_SESSIONS
    return float(placebo_p_values(window.estimate * window.own_share, known * fit.event_move)) if is_enough else None


def own_session_p(fit: BarFit, window: BarSum, first: int) -> float | None:
    """Rank of a short window among the session's other windows, each carried to its clocks; None for longer ones."""
    m = window.scale.shape[-1]
    if m > LONGEST_OWN_RANK:
        return None
    moves = np.lib.stride_tricks.sliding_window_view(fit.event_residuals / fit.scale, m) @ window.scale
    others = np.delete(moves, np.arange(max(first - m + 1, 0), min(first + m, len(moves))))
    return float(placebo_p_values(window.estimate, others))


def assess_bars(fit: BarFit, first: int, n_bars: int, *, minutes: int, significance: float) -> BarTest:
    """Estimate and test one window of ``n_bars`` returns from clock ``first`` on."""
    window = sum_bars(fit, first, n_bars)
    moves = placebo_moves(fit.pool, window)
    estimate, h, k, df = (float(v) for v in (window.estimate, window.own_share, fit.day_factor, fit.df))
    se_raw, se_scaled = float(window.raw_std_error), float(window.scaled_std_error)
    n_known = int(np.isfinite(moves).sum())
    p_placebo = float(placebo_p(moves, np.asarray(abs(estimate) * h)))
    p_raw, p_companion = (float(2 * stdtr(df, -abs(estimate) / se)) for se in (se_raw, k * se_scaled))
    has_companion = n_known / n_bars < MIN_EFFECTIVE and minutes > 1

    def threshold(level: float) -> float:
        by_t = float(stdtrit(df, 1 - level / 2)) * k * se_scaled
        return max(critical_placebo(moves, level) / h, by_t if has_companion else 0.0)

    halves = [threshold(level) for level in (0.10, 0.05)]
    ci90, ci95 = ((estimate - half, estimate + half) if math.isfinite(half) else None for half in halves)
    return BarTest(
        n_bars=n_bars, estimate=estimate, se_raw=se_raw, t_raw=estimate / se_raw, p_raw=p_raw, se_scaled=se_scaled,
        t_scaled=estimate / se_scaled, day_factor=k, p_placebo=p_placebo,
        p_smallest=1 / (n_known + 1), n_effective=n_known / n_bars, p_companion=p_companion,
        p_star=max(p_placebo, p_companion) if has_companion else p_placebo,
        p_same_clock=same_clock_p(fit, window), p_own_session=own_session_p(fit, window, first), ci90=ci90, ci95=ci95,
        mde80=power_effect(moves / h, critical_placebo(moves, significance) / h),
        mde80_companion=power_effect(moves / h, threshold(significance)) if has_companion else None, placebos=moves / h,
    )  # fmt: skip


def decide_bars(
    tests: list[BarTest | None], *, n_sessions: int, significance: float, bound: float
) -> list[BarTest | None]:
    """Holm over the declared windows, and the outcome of each; with fewer than five sessions no verdict."""
    if n_sessions < MIN_VERDICT_SESSIONS:
        return [t and replace(t, outcome="insufficient_data") for t in tests]
    adjusted = holm([t.p_star if t else None for t in tests])
    held = [t and replace(t, p_holm=p) for t, p in zip(tests, adjusted, strict=True)]
    return [t and replace(t, outcome=_outcome(t, significance, bound)) for t in held]


def _outcome(test: BarTest, level: float, bound: float) -> str:
    p = test.p_star if test.p_holm is None else test.p_holm
    is_small = test.smallest_bound is not None and test.smallest_bound < bound
    if level <= p < 2 * level and min(test.p_placebo, test.p_companion, test.p_raw) < level:
        return "borderline"
    if p < level:
        return "detectable_but_small" if is_small else "found"
    return "smaller_than_bound" if is_small else "no_detectable_effect"


def share_taken_back(fit: BarFit, first: tuple[int, int], second: tuple[int, int]) -> FiellerSet:
    """Fieller's set of -second / first, windows as (first clock, bars), with the day factor in the covariance k^2 V."""
    x, d2 = fit.event_design, fit.scale**2
    covariance = float(fit.scaled_variance) * (np.diag(d2) + x @ fit.scaled_leverage @ x.T)
    effects = WindowEffects(fit.event_residuals, float(fit.day_factor) ** 2 * covariance, int(fit.df))
    one, two = (contrast(effects, sum_bars(fit, *leg).weights) for leg in (first, second))
    return fieller_set(one, two, effects=effects, coverage=SHARE_COVERAGE)


def is_reversal(first: BarTest, second: BarTest, share: FiellerSet, *, significance: float) -> bool:
    """Both found, of opposite sign, and the whole 90 % interval of the share taken back inside (1/2, 3/2)."""
    found = all(t.p_holm is not None and t.p_holm < significance for t in (first, second))
    inside = share.is_bounded and SHARE_BOUNDS[0] < share.lower and share.upper < SHARE_BOUNDS[1]
    return found and first.estimate * second.estimate < 0 and inside


@dataclass(frozen=True)
class MinuteRow:
    """A window on the clock: tested, only measured (``untested``), or why it cannot be."""

    span: BarSpan
    starts_at: pd.Timestamp = pd.NaT  # type: ignore[assignment]
    ends_at: pd.Timestamp = pd.NaT  # type: ignore[assignment]
    test: BarTest | None = None
    untested: float | None = None
    note: str = ""

    @property
    def estimate(self) -> float | None:
        """The abnormal return of the window."""
        return self.test.estimate if self.test else self.untested


@dataclass(frozen=True)
class MinuteResult:
    """The windows of report and denial on the bars of one listing, the declared rows first.

    ``share`` is the part of the first declared move that the second takes back, None where there is one window only.
    """

    bars: Bars
    files: dict[str, str]
    grid: BarGrid
    alignment: BarAlignment
    fit: BarFit
    rows: tuple[MinuteRow, ...]
    share: FiellerSet | None
    is_reversal: bool

    @property
    def declared(self) -> list[MinuteRow]:
        """The windows that decide."""
        return [row for row in self.rows if row.span.is_declared]

    @property
    def judged(self) -> list[tuple[MinuteRow, BarTest]]:
        """The declared windows with a test."""
        return [pair for pair in self.tested if pair[0].span.is_declared]

    @property
    def tested(self) -> list[tuple[MinuteRow, BarTest]]:
        """The windows with a test."""
        return [(row, row.test) for row in self.rows if row.test]

    @property
    def outcome(self) -> str:
        """Of the first declared window."""
        return self.rows[0].test.outcome if self.rows[0].test else "insufficient_data"

    @property
    def model(self) -> str:
        """What is taken off a return: ``1.04 x QQQ``, or its own mean."""
        slope = f"{float(self.fit.coefficients[-1]):.2f} \u00d7 {self.grid.benchmark_ticker}"
        return slope if self.grid.benchmark_ticker else "its own mean"


class MinuteVariant(NamedTuple):
    """The declared windows measured another way, or on another listing; or why they cannot be."""

    name: str
    result: MinuteResult | None
    reason: str = ""
