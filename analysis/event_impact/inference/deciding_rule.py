"""The rule that decides, inverted once: its thresholds carry interval, power and what would overturn a detection.

The rule rejects where p* = max(conformal, FHS) is below the level. Among N values p >= level holds exactly while
q = ceil(level N) - 1 of the others are as large as the event, so both tests are inverted by an order statistic:

    C+, C-   q-th largest effect upwards, downwards, at which another block is still as large after the refit
    F        q-th largest |z_t|, times the forecast standard deviation of the window
    D+ = max(C+, F),   D- = max(C-, F)

An estimate above D+ or below -D- is a detection, and [estimate - D+, estimate + D-] holds the effects that the rule
does not reject: zero lies outside exactly when it rejects. At q = 0 no size is a detection and nothing is bounded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.garch import GarchFit, carry_garch, fit_garch
from event_impact.estimation.rolling import WindowFits
from event_impact.inference import ranks


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
        ends = np.stack([self.conformal_up, self.conformal_down])
        wins, loses = (ends > self.fhs).all(axis=0), (ends < self.fhs).all(axis=0)
        return [str(name) for name in np.select([wins, loses], ["conformal", "fhs"], "both")]


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
    conformal: ranks.ConformalRoots | ranks.SearchedRoots
    filtered: ranks.FilteredSizes

    @property
    def window_length(self) -> int:
        """m."""
        return self.filtered.window_length

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

    def first_interval(self, level: float) -> tuple[float, float]:
        """That of the first window."""
        low, high = self.interval(level)
        return float(low[0]), float(high[0])

    def rule_out(self, bounds: np.ndarray) -> np.ndarray:
        """p of "the effect of the first window lies inside +-bound" at each bound: half the larger p* of the two ends.

        Below level / 2 exactly where the interval of that level lies inside (Schuirmann 1987 with p* for t).
        """
        ends = [np.maximum(self.shift(b).p_star, self.shift(-b).p_star)[0] for b in bounds]
        return np.where(np.abs(self.estimate[0]) < bounds, np.array(ends) / 2.0, 0.5)

    def break_down(self, level: float) -> Breakdown:
        """What would overturn each detection at the level that decided."""
        threshold = self.thresholds(level).facing(self.estimate)
        size, is_detected = np.abs(self.estimate), self.is_detected(level)
        volatility = np.divide(size, threshold, out=np.full_like(size, np.nan), where=is_detected)
        return Breakdown(volatility, np.where(is_detected, size - threshold, np.nan))

    def shift(self, effect: float | np.ndarray) -> "DecidingRule":
        """The same windows with a true effect added: neither refit nor variance moves with it."""
        return replace(self, estimate=self.estimate + effect)

    def needed_effects(self, level: float) -> np.ndarray:
        """Effects from which each draw of the day's error is detected, both signs, (n, 2L).

        A true effect d is found where d + error passes the threshold: at the 2L values D+ - error and D- + error.

        Raises
        ------
        EstimationError
            For windows of several sessions, whose errors are not draws of one day.
        """
        if self.window_length != 1:
            raise EstimationError("Expected a window of one session to measure power by.", "Use its single sessions.")
        found, errors = self.thresholds(level), self.filtered.errors
        return np.concatenate([found.up[:, None] - errors, found.down[:, None] + errors], axis=1)


def find_detectable(needed: np.ndarray, share: float) -> np.ndarray:
    """Smallest effect that is found with the given chance, mean of both signs; infinite where nothing can be detected.

    Parameters
    ----------
    needed : ndarray (..., M)
        Of :meth:`DecidingRule.needed_effects`, or pooled over several windows.
    """
    order = math.ceil(share * needed.shape[-1] - ranks.ROUNDING)
    return np.partition(needed, order - 1, axis=-1)[..., order - 1]


def chance_to_find(needed: np.ndarray, effects: Sequence[float] | np.ndarray) -> np.ndarray:
    """Share of the (M,) needed effects that each true effect reaches: the power curve, monotone by construction."""
    return np.searchsorted(np.sort(needed), effects, side="right") / len(needed)


def invert_rule(fits: WindowFits, *, garch: GarchFit | None = None) -> DecidingRule:
    """The deciding rule of every window of ``fits``.

    Parameters
    ----------
    garch : GarchFit, optional
        Of the same residuals and gap sessions, where it is already known.
    """
    if garch is None:
        garch = fit_garch(fits.residuals, fits.gap_abnormal_returns)
    return DecidingRule(fits.car, ranks.find_roots(fits), ranks.filter_fits(fits, garch))


def invert_window(abnormal: AbnormalReturns, first: int, last: int) -> DecidingRule:
    """The deciding rule of one complete window of a study, whatever its estimator."""
    if abnormal.fit.has_error:
        fits = abnormal.window_fits(first, last)
        return invert_rule(fits, garch=carry_garch(fits.residuals, fits.gap_abnormal_returns, abnormal.volatility))
    found = abnormal.counterfactual_fits(first, last)
    garch = carry_garch(found.residuals, found.gap_abnormal_returns, abnormal.volatility)
    filtered = ranks.filter_windows(found.residuals, garch, 1.0, found.window_length)
    return DecidingRule(found.car, ranks.SearchedRoots(found), filtered)


def describe_rule(rule: DecidingRule) -> dict[str, TestResult]:
    """The tests of the first window of a rule, by name."""
    m, count = rule.window_length, rule.filtered.sizes.shape[1]
    p_value, sessions = float(rule.p_conformal[0]), f"{m} session{'s' if m > 1 else ''}"
    blocks = f"ranks of {count + m} circular blocks of {sessions}"
    refitted = "refitted without a dummy on the estimation and event sessions together"
    ranked = f"ranks of {count + 1} standardised {'returns' if m == 1 else f'sums of {sessions}'}"
    statistic, state = float(rule.estimate[0] / rule.filtered.scale[0]), rule.filtered.garch.volatility_state[0]
    nervous = f"volatility of the event day {state:.2f} times that of the estimation window"
    several = not_computable("conformal", "defined for one-session windows only", null=ranks.CONFORMAL_NULL)
    return {
        "conformal": several if m > 1 else ranks.describe_conformal(p_value, count),
        "block_conformal": TestResult("block_conformal", ranks.BLOCK_NULL, blocks, None, p_value, note=refitted),
        "fhs": TestResult("fhs", ranks.FHS_NULL, ranked, statistic, float(rule.p_fhs[0]), note=nervous),
    }
