"""Levels and ranks: what counts as below a level, and which order statistic that is.

Conformal test of a window of sessions: circular blocks of the refitted residuals.

Under the null the event days are ordinary, so the model is refitted on the L + m sessions without a dummy, and
the event's block sum is ranked among all circular blocks of m consecutive residuals
(Chernozhukov, Wuethrich & Zhu 2021, JASA 116:1849). With m = 1 this is the conformal test of one session.
No refit is run: the refitted residuals follow from those of the estimation window,

    f_E = G^-1 a,    f_t = e_t - x_t'(X0'X0)^-1 X1' G^-1 a.

Conformal thresholds of models whose forecasts have no standard error.

Their refit has no closed form, so that the ends of the interval are found by bisection, one refit a step. Without a
leverage of known meaning none is corrected for, which matters at order K / L.

Filtered historical simulation: is the abnormal return large for the volatility of its own day?

The residuals are divided by their GARCH standard deviations, the abnormal return by its forecast, and the
event is ranked among the standardised residuals (Barone-Adesi, Giannopoulos & Vosper 1999). No tail is assumed,
and the level holds in stressed and in calm markets alike, where unconditional tests reject far too often or
far too rarely. A window of m sessions is ranked among circular sums of m standardised residuals.

Tests for a single session that need no normal distribution.

Both rank the event session among the estimation sessions; neither can give p = 0.

Placebo in time: where does the event stand among the ordinary sessions of the same firm?

The whole pipeline is repeated on every eligible earlier session, each with its own estimation window, and the
event's |t| is ranked among theirs. Nothing is assumed about the shape of the returns, only that the
event, under the null, is drawn like an earlier session.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.estimators import CounterfactualFits
from event_impact.estimation.garch import GarchFit
from event_impact.estimation.rolling import WindowFits

Array = np.ndarray
#: Where level times N is whole (L = 119, 199, 239 at 5 %), what is left beyond this is the rounding of the product.
ROUNDING = 1e-9


def quantile_order(level: float, count: int) -> int:
    """q = ceil(level N) - 1: with q others as large, p among N values is not below the level; 0: nothing can reject."""
    return max(math.ceil(level * count - ROUNDING) - 1, 0)


def is_rejected(p_value: float | None, level: float) -> bool:
    """p < level; a p that differs from the level by rounding alone equals it."""
    return p_value is not None and p_value < level - ROUNDING


def take_largest(values: np.ndarray, order: int) -> np.ndarray:
    """The ``order``-th largest value of each row; infinite for order 0."""
    if order == 0:
        return np.full(len(values), np.inf)
    return -np.partition(-values, order - 1, axis=1)[:, order - 1]


BLOCK_NULL = "the sessions of the window are drawn like those of the estimation window"


@dataclass(frozen=True)
class ConformalRoots:
    """Circular blocks of the refitted residuals as functions of the true effect of n windows.

    Attributes
    ----------
    rises, falls : ndarray (n, L + m - 1)
        For each other block, how far below and above the estimate a true effect may lie with the block still as
        large as the event's; infinite for a block that moves as much as the event's own.
    """

    rises: np.ndarray
    falls: np.ndarray

    def rank(self, estimate: np.ndarray) -> np.ndarray:
        """p of a true effect of zero: the share of blocks as large, the event's own counted."""
        as_large = (self.rises >= estimate[:, None]) & (self.falls >= -estimate[:, None])
        return np.asarray((1 + np.count_nonzero(as_large, axis=1)) / (self.rises.shape[1] + 1))

    def ends(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """C+ and C-, (n,) each."""
        order = quantile_order(level, self.rises.shape[1] + 1)
        return take_largest(self.rises, order), take_largest(self.falls, order)


def refit_residuals(fits: WindowFits, *, effect: np.ndarray | None = None) -> np.ndarray:
    """Residuals of the fit on all L + m sessions, (n, L + m), estimation days first.

    Parameters
    ----------
    fits : WindowFits
        Fits on the estimation windows alone.
    effect : ndarray (n, m), optional
        Subtracted from the event days before the refit; default none.
    """
    abnormal = fits.abnormal_returns if effect is None else fits.abnormal_returns - effect
    event = np.linalg.solve(fits.forecast_scale, abnormal[:, :, None])[:, :, 0]
    pulled = np.einsum("nmk,nm->nk", fits.window_coordinates, event)
    before = fits.residuals - np.einsum("nlk,nk->nl", fits.estimation_coordinates, pulled)
    return np.concatenate([before, event], axis=1)


def circular_sums(residuals: np.ndarray, block: int) -> np.ndarray:
    """Sums of ``block`` consecutive values on a circle, starting at each position; (n, N) to (n, N)."""
    total = residuals.copy()
    for offset in range(1, block):
        total += np.roll(residuals, -offset, axis=1)
    return total


def block_p_values(sums: np.ndarray, event_position: int) -> np.ndarray:
    """Share of blocks at least as large in absolute value as the event's, which counts itself by its index."""
    size = np.abs(sums)
    others = np.count_nonzero(size >= size[:, event_position : event_position + 1], axis=1)
    return np.asarray(others / sums.shape[1])


def conformal_p_values(fits: WindowFits) -> np.ndarray:
    """p of every window, without the intervals, (n,).

    Parameters
    ----------
    fits : WindowFits
        n windows of m sessions.

    Returns
    -------
    ndarray (n,)
    """
    return block_p_values(circular_sums(refit_residuals(fits), fits.window_length), fits.n_estimation)


def find_roots(fits: WindowFits) -> ConformalRoots:
    """Where each circular block stops being as large as the event's.

    A total effect c is spread evenly, c / m a session, and taken off before the refit. Every block sum is then linear
    in c, A_k - c B_k, and block k is as large as the event's between the two roots of |A_k - c B_k| = |A_E - c B_E|.
    With m = 1 these are the closed forms (1 + h) e_t / (1 -+ g_t), g_t = x_t'(X0'X0)^-1 x_E, h = g_E.
    """
    m, event = fits.window_length, fits.n_estimation
    plain = refit_residuals(fits)
    flat = np.full_like(fits.abnormal_returns, -1.0 / m)
    sums = circular_sums(plain, m)
    weights = circular_sums(refit_residuals(fits, effect=flat) - plain, m)
    keep = np.arange(sums.shape[1]) != event
    a, b, a_event, b_event = sums[:, keep], weights[:, keep], sums[:, ~keep], weights[:, ~keep]
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.stack([(a_event - a) / (b_event - b), (a_event + a) / (b_event + b)])
    # Where a block moves as much as the event's own (long windows only), it is taken to stay as large: wider.
    moves_less = np.abs(b) < np.abs(b_event)
    estimate = fits.car[:, None]
    return ConformalRoots(
        rises=np.where(moves_less, estimate - roots.min(axis=0), np.inf),
        falls=np.where(moves_less, roots.max(axis=0) - estimate, np.inf),
    )


#: Of an end, in standard deviations of the residuals.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class SearchedRoots:
    """What :class:`event_impact.inference.ranks.ConformalRoots` says, for one window of any estimator."""

    fits: CounterfactualFits
    found: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """N = L + m blocks."""
        return self.fits.n_estimation + self.fits.window_length

    def rank(self, estimate: np.ndarray) -> np.ndarray:
        """p of a true effect of zero, (1,)."""
        effect = float(self.fits.abnormal_returns.sum() - estimate[0])
        sums = circular_sums(self.fits.refit(effect), self.fits.window_length)
        return block_p_values(sums, self.fits.n_estimation)

    def ends(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """C+ and C-, (1,) each."""
        order = quantile_order(level, self.count)
        if order not in self.found:
            self.found[order] = self._search(order, 1.0), self._search(order, -1.0)
        return self.found[order]

    def _search(self, order: int, sign: float) -> np.ndarray:
        """Largest distance of a true effect below (above) the estimate at which ``order`` other blocks are as large."""
        if order == 0:
            return np.array([np.inf])
        own = self.fits.abnormal_returns.sum()
        spread = float(np.sqrt(np.mean(self.fits.residuals**2)))

        def holds(distance: float) -> bool:
            return bool(self.rank(np.array([sign * distance]))[0] * self.count > order + 0.5)

        low, high = 0.0, 8.0 * spread
        # The estimate itself is probed first: zero then lies outside the interval exactly where the test rejects it.
        if sign * own > 0:
            low, high = (abs(own), max(high, 2 * abs(own))) if holds(abs(own)) else (0.0, abs(own))
        while holds(high):
            low, high = high, 2.0 * high
        while high - low > TOLERANCE * spread:
            middle = (low + high) / 2.0
            low, high = (middle, high) if holds(middle) else (low, middle)
        return np.array([low])


FHS_NULL = "the standardised abnormal return is drawn like the standardised residuals of the estimation window"


@dataclass(frozen=True)
class FilteredSizes:
    """Standardised residuals of n windows in the unit of the window's own return.

    Attributes
    ----------
    sizes : ndarray (n, L)
        |sum of m consecutive e_t / sqrt(h_t)| / sqrt(m) on a circle, times ``scale``.
    errors : ndarray (n, L)
        e_t / sqrt(h_t) times ``scale``; for one session, draws of the error of that very day.
    scale : ndarray (n,)
        sqrt(sum of the forecast variances times 1'G1 / m).
    garch : GarchFit
        Behind both; its forecast is that of the first session of the window.
    window_length : int
        m.
    """

    sizes: np.ndarray
    errors: np.ndarray
    scale: np.ndarray
    garch: GarchFit
    window_length: int

    def rank(self, estimate: np.ndarray) -> np.ndarray:
        """p: (1 + #) / (L + 1)."""
        as_large = self.sizes >= np.abs(estimate)[:, None]
        return np.asarray((1 + np.count_nonzero(as_large, axis=1)) / (self.sizes.shape[1] + 1))

    def ends(self, level: float) -> np.ndarray:
        """F, (n,)."""
        return take_largest(self.sizes, quantile_order(level, self.sizes.shape[1] + 1))

    def stretch(self, factor: float) -> "FilteredSizes":
        """The same residuals on a day whose standard deviation is ``factor`` times as large."""
        return replace(self, sizes=factor * self.sizes, errors=factor * self.errors, scale=factor * self.scale)


def filter_windows(residuals: np.ndarray, garch: GarchFit, spread: np.ndarray | float, length: int) -> FilteredSizes:
    """Standardised residuals in the unit of a window of ``length`` sessions.

    Parameters
    ----------
    residuals : ndarray (n, L)
    garch : GarchFit
        Its forecast is made for the first session of the window; the later ones follow from it alone.
    spread : ndarray (n,) or float
        1'G1 / m, what the estimation error of the coefficients adds; 1 for a model without one.
    """
    scale = np.sqrt(sum(garch.forecast_ahead(steps) for steps in range(length)) * spread)
    standardised = residuals / np.sqrt(garch.variances)
    sizes = np.abs(circular_sums(standardised, length)) / math.sqrt(length)
    return FilteredSizes(sizes * scale[:, None], standardised * scale[:, None], scale, garch, length)


def filter_fits(fits: WindowFits, garch: GarchFit) -> FilteredSizes:
    """The standardised residuals of least-squares fits, with the estimation error of their coefficients."""
    spread = fits.forecast_scale.sum(axis=(1, 2)) / fits.window_length
    return filter_windows(fits.residuals, garch, spread, fits.window_length)


SQ_NULL = "the event session's abnormal return is drawn like an estimation session's residual"
CONFORMAL_NULL = "the event session is exchangeable with the estimation sessions"


def sample_quantile_p(abnormal: Array, residuals: Array) -> Array:
    """``min(1, 2 min(1 + #{e <= a}, 1 + #{e >= a}) / (L + 1))`` of one session (), (L,) or of many (n, 1), (n, L)."""
    below, above = (np.count_nonzero(side, axis=-1) for side in (residuals <= abnormal, residuals >= abnormal))
    return np.asarray(np.minimum(1.0, 2.0 * (1 + np.minimum(below, above)) / (residuals.shape[-1] + 1)))


def sample_quantile(abnormal: np.ndarray, residuals: np.ndarray) -> TestResult:
    """Two-tailed sample-quantile test of one session (Gelbach, Helland and Klick 2013).

    Parameters
    ----------
    abnormal : numpy.ndarray
        (1,); longer windows are refused with a reason.
    residuals : numpy.ndarray
        (L,) residuals of the estimation window.

    Returns
    -------
    TestResult
        p = min(1, 2 min(1 + #{e <= a}, 1 + #{e >= a}) / (L + 1)).
    """
    if len(abnormal) != 1:
        return not_computable("sample_quantile", "defined for one-session windows only", null=SQ_NULL)
    p_value, note = float(sample_quantile_p(abnormal[0], residuals)), f"{2 / (len(residuals) + 1):.3g}"
    ranked = f"ranks among {len(residuals)} residuals"
    return TestResult("sample_quantile", SQ_NULL, ranked, p_value=p_value, note=f"smallest reachable p is {note}")


def conformal(fits: WindowFits) -> TestResult:
    """Conformal test of one session with refit on L + 1 sessions (Chernozhukov, Wuethrich and Zhu 2021).

    ``p = #{|f_t| >= |f_E|} / (L + 1)``, the event session counted.

    Parameters
    ----------
    fits : WindowFits
        The event's own fit, one window of one session.

    Returns
    -------
    TestResult
    """
    return describe_conformal(float(conformal_p_values(fits)[0]), fits.n_estimation)


def describe_conformal(p_value: float, n_estimation: int) -> TestResult:
    """The conformal p of one session as a test result."""
    ranked, note = f"ranks of {n_estimation + 1} refitted residuals", f"{1 / (n_estimation + 1):.3g}"
    return TestResult("conformal", CONFORMAL_NULL, ranked, p_value=p_value, note=f"smallest reachable p is {note}")


#: Fewer eligible sessions than this give no p: a rank among a handful says little.
MIN_PLACEBO_SESSIONS = 200
#: A placebo session closer than this to another article or masked confounder of the story is not ordinary.
MIN_DISTANCE = 10

PLACEBO_NULL = "the event session is drawn like an earlier ordinary session of the same firm"


def eligible_placebo_sessions(
    usable: Array,
    event: int,
    *,
    estimation_length: int,
    gap: int,
    first: int = 0,
    last: int = 0,
    news: Iterable[int] = (),
) -> Array:
    """Positions of the sessions at which the pipeline may be repeated as if nothing had happened, ascending.

    Eligible is a session strictly before the event session minus the gap, whose own estimation and
    event windows are complete and end before that limit too, and which is more than :data:`MIN_DISTANCE`
    sessions away from every other article and masked confounder of the story.

    Parameters
    ----------
    usable : ndarray (T,) of bool
        False where a series has no return.
    event : int
        Position of the event session.
    estimation_length, gap, first, last : int
        The windows of the study, in sessions.
    news : iterable of int
        Positions of the story's other articles and masked confounders.
    """
    earliest = gap + estimation_length
    limit = event - max(gap, -first)
    candidates = np.arange(earliest, max(earliest, limit - max(last, 0)))
    unusable_before = np.concatenate([[0], np.cumsum(~usable)])
    spoiled = unusable_before[candidates + max(last, 0) + 1] - unusable_before[candidates - earliest]
    candidates = candidates[spoiled == 0]
    others = np.array(sorted(set(news)), dtype=int)
    if others.size:
        candidates = candidates[np.abs(candidates[:, None] - others[None, :]).min(axis=1) > MIN_DISTANCE]
    return np.asarray(candidates)


def placebo_p_values(statistics: np.ndarray | float, placebo: np.ndarray) -> np.ndarray:
    """(1 + #{|placebo| >= |statistic|}) / (n + 1) for one or many statistics."""
    ranked = np.sort(np.abs(np.asarray(placebo, dtype=float)))
    size = np.abs(np.asarray(statistics, dtype=float))
    return np.asarray((1 + len(ranked) - np.searchsorted(ranked, size, side="left")) / (len(ranked) + 1))


def placebo_test(
    statistic: float, placebo: np.ndarray, *, name: str = "placebo", null: str = PLACEBO_NULL
) -> TestResult:
    """Rank of the event's statistic among the placebo sessions'; n/a with the count where they are too few.

    Parameters
    ----------
    statistic : float
        Of the event: t of one session, standardised CAR or joint F of a window.
    placebo : ndarray (n,)
        The same statistic at the eligible placebo sessions.
    """
    count = len(placebo)
    if count < MIN_PLACEBO_SESSIONS:
        return not_computable(name, f"{count} eligible placebo sessions, {MIN_PLACEBO_SESSIONS} needed", null=null)
    if not (np.isfinite(statistic) and np.isfinite(placebo).all()):
        raise EstimationError(f"Expected finite statistics to rank for {name}, found some that are not.", "")
    p_value = float(placebo_p_values(statistic, placebo))
    return TestResult(name, null, f"ranks among {count} earlier sessions", float(statistic), p_value)
