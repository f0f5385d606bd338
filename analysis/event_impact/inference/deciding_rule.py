"""The rule that decides, inverted once: its thresholds carry interval, power and what would overturn a detection.

The rule rejects where p* = max(conformal, FHS) is below the level. Among N values p >= level holds exactly while
q = ceil(level N) - 1 of the others are as large as the event, so both tests are inverted by an order statistic:

    C+, C-   q-th largest effect upwards, downwards, at which another block is still as large after the refit
    F        q-th largest |z_t|, times the forecast standard deviation of the window
    D+ = max(C+, F),   D- = max(C-, F)

An estimate above D+ or below -D- is a detection, and [estimate - D+, estimate + D-] holds the effects that the rule
does not reject: zero lies outside exactly when it rejects. At q = 0 no size is a detection and nothing is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.estimation.garch import GarchFit, fit_garch
from event_impact.estimation.rolling import WindowFits
from event_impact.inference.block_conformal import circular_sums, refit_residuals

ROUNDING = 1e-9
"""Where level times N is whole (L = 119, 199, 239 at 5 %), what is left beyond this is the rounding of the product."""


def quantile_order(level: float, count: int) -> int:
    """q = ceil(level N) - 1: with q others as large, p among N values is not below the level; 0: nothing can reject."""
    return max(math.ceil(level * count - ROUNDING) - 1, 0)


def is_rejected(p_value: float | None, level: float) -> bool:
    """p < level; a p that differs from the level by rounding alone equals it."""
    return p_value is not None and p_value < level - ROUNDING


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
        return _largest(self.rises, order), _largest(self.falls, order)


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
    """

    sizes: np.ndarray
    errors: np.ndarray
    scale: np.ndarray
    garch: GarchFit

    def rank(self, estimate: np.ndarray) -> np.ndarray:
        """p: (1 + #) / (L + 1)."""
        as_large = self.sizes >= np.abs(estimate)[:, None]
        return np.asarray((1 + np.count_nonzero(as_large, axis=1)) / (self.sizes.shape[1] + 1))

    def ends(self, level: float) -> np.ndarray:
        """F, (n,)."""
        return _largest(self.sizes, quantile_order(level, self.sizes.shape[1] + 1))

    def stretch(self, factor: float) -> FilteredSizes:
        """The same residuals on a day whose standard deviation is ``factor`` times as large."""
        return replace(self, sizes=factor * self.sizes, errors=factor * self.errors, scale=factor * self.scale)


def _largest(values: np.ndarray, order: int) -> np.ndarray:
    """The ``order``-th largest value of each row; infinite for order 0."""
    if order == 0:
        return np.full(len(values), np.inf)
    return -np.partition(-values, order - 1, axis=1)[:, order - 1]


@dataclass(frozen=True)
class Thresholds:
    """Sizes from which the estimates of n windows are detections, fractions, (n,) each.

    Attributes
    ----------
    conformal_up, conformal_down : ndarray (n,)
        C+ and C-, for estimates above and below zero.
    fhs : ndarray (n,)
        F, for both.
    """

    conformal_up: np.ndarray
    conformal_down: np.ndarray
    fhs: np.ndarray

    @property
    def up(self) -> np.ndarray:
        """D+."""
        return np.asarray(np.maximum(self.conformal_up, self.fhs))

    @property
    def down(self) -> np.ndarray:
        """D-."""
        return np.asarray(np.maximum(self.conformal_down, self.fhs))

    def facing(self, estimate: np.ndarray) -> np.ndarray:
        """The threshold on the side of each estimate."""
        return np.where(estimate < 0, self.down, self.up)

    @property
    def sources(self) -> list[str]:
        """Which of the two is wider: ``conformal``, ``fhs``, or ``both`` where each is on one side or they tie."""
        wins = zip(self.conformal_up > self.fhs, self.conformal_down > self.fhs, strict=True)
        loses = zip(self.conformal_up < self.fhs, self.conformal_down < self.fhs, strict=True)
        return [
            "conformal" if all(above) else "fhs" if all(below) else "both"
            for above, below in zip(wins, loses, strict=True)
        ]


@dataclass(frozen=True)
class Breakdown:
    """What would overturn a detection, (n,) each; nan where nothing is detected.

    Attributes
    ----------
    volatility : ndarray (n,)
        |estimate| over its threshold: how many times as nervous as forecast the day must have been.
    news : ndarray (n,)
        |estimate| less its threshold, the distance of the interval from zero: the effect that other news of the
        window must have had, with the sign of the estimate.
    """

    volatility: np.ndarray
    news: np.ndarray


@dataclass(frozen=True)
class DecidingRule:
    """p*, and everything that follows from its thresholds, for n windows of m sessions.

    Attributes
    ----------
    estimate : ndarray (n,)
        Cumulative abnormal return.
    """

    estimate: np.ndarray
    conformal: ConformalRoots
    filtered: FilteredSizes

    @property
    def window_length(self) -> int:
        """m."""
        return int(self.conformal.rises.shape[1] + 1 - self.filtered.sizes.shape[1])

    @property
    def p_conformal(self) -> np.ndarray:
        """Conformal with refit; of circular blocks for several sessions."""
        return self.conformal.rank(self.estimate)

    @property
    def p_fhs(self) -> np.ndarray:
        """Filtered historical simulation."""
        return self.filtered.rank(self.estimate)

    @property
    def p_star(self) -> np.ndarray:
        """The larger of the two: what decides."""
        return np.asarray(np.maximum(self.p_conformal, self.p_fhs))

    def thresholds(self, level: float) -> Thresholds:
        """C+, C-, F and D+, D- at one level."""
        return Thresholds(*self.conformal.ends(level), self.filtered.ends(level))

    def is_detected(self, level: float) -> np.ndarray:
        """Whether the estimate lies beyond its threshold: exactly where p* < level."""
        return np.asarray(np.abs(self.estimate) > self.thresholds(level).facing(self.estimate))

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the effects that p* does not reject at the level; the widest of both tests on each side."""
        found = self.thresholds(level)
        return self.estimate - found.up, self.estimate + found.down

    def break_down(self, level: float) -> Breakdown:
        """What would overturn each detection at the level that decided."""
        threshold = self.thresholds(level).facing(self.estimate)
        size = np.abs(self.estimate)
        is_detected = size > threshold
        volatility = np.divide(size, threshold, out=np.full_like(size, np.nan), where=is_detected)
        return Breakdown(volatility, np.where(is_detected, size - threshold, np.nan))

    def shift(self, effect: float | np.ndarray) -> DecidingRule:
        """The same windows with a true effect added: neither refit nor variance moves with it."""
        return replace(self, estimate=self.estimate + effect)

    def needed_effects(self, level: float) -> np.ndarray:
        """Effects from which each draw of the day's error is detected, both signs, ascending; (n, 2L).

        A true effect d is found where d + error passes the threshold: at the 2L values D+ - error and D- + error.

        Raises
        ------
        EstimationError
            For windows of several sessions, whose errors are not draws of one day.
        """
        if self.window_length != 1:
            raise EstimationError("Expected a window of one session to measure power by.", "Use its single sessions.")
        found, errors = self.thresholds(level), self.filtered.errors
        values = np.concatenate([found.up[:, None] - errors, found.down[:, None] + errors], axis=1)
        return np.sort(values, axis=1)


def find_detectable(needed: np.ndarray, share: float) -> float:
    """Smallest effect that is found with the given chance, mean of both signs; infinite where nothing can be detected.

    Parameters
    ----------
    needed : ndarray
        Of :meth:`DecidingRule.needed_effects`, of one window or pooled over several.
    """
    order = math.ceil(share * needed.size - ROUNDING)
    return float(np.sort(needed, axis=None)[order - 1])


def chance_to_find(needed: np.ndarray, effects: Sequence[float] | np.ndarray) -> np.ndarray:
    """Share of the needed effects that each true effect reaches: the power curve, monotone by construction."""
    return np.searchsorted(np.sort(needed, axis=None), effects, side="right") / needed.size


def invert_rule(fits: WindowFits, *, garch: GarchFit | None = None) -> DecidingRule:
    """The deciding rule of every window of ``fits``.

    Parameters
    ----------
    garch : GarchFit, optional
        Of the same residuals and gap sessions, where it is already known.
    """
    if garch is None:
        garch = fit_garch(fits.residuals, fits.gap_abnormal_returns)
    spread = fits.forecast_scale.sum(axis=(1, 2)) / fits.window_length
    return DecidingRule(fits.car, find_roots(fits), filter_windows(fits.residuals, garch, spread, fits.window_length))


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


def filter_windows(residuals: np.ndarray, garch: GarchFit, spread: np.ndarray, length: int) -> FilteredSizes:
    """Standardised residuals in the unit of a window of ``length`` sessions.

    Parameters
    ----------
    residuals : ndarray (n, L)
    garch : GarchFit
        Its forecast is made for the first session of the window; the later ones follow from it alone.
    spread : ndarray (n,)
        1'G1 / m, what the estimation error of the coefficients adds; 1 for a model without one.
    """
    scale = np.sqrt(sum(garch.forecast_ahead(steps) for steps in range(length)) * spread)
    standardised = residuals / np.sqrt(garch.variances)
    sizes = np.abs(circular_sums(standardised, length)) / math.sqrt(length)
    return FilteredSizes(sizes * scale[:, None], standardised * scale[:, None], scale, garch)
