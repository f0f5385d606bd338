"""Report, then denial: contrasts over one dummy a session, joint tests and the bar for a reversal.

With a dummy for every session of the window the coefficients are the abnormal returns a, with covariance
s^2 G (Salkever 1976). Every effect of the sequence is a contrast c'a; a single dummy over several sessions is
another estimator and is not used. Sessions from the denial on belong to the denial, though drift of the report may
be in them.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc, stdtr, stdtrit

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult
from event_impact.inference.parametric import chance_to_show_reversal, is_inside
from event_impact.inference.ranks import MIN_PLACEBO_SESSIONS, is_rejected, placebo_p_values


@dataclass(frozen=True)
class WindowEffects:
    """What contrasts need of one event window.

    Attributes
    ----------
    abnormal_returns : ndarray (m,)
        One a session.
    forecast_scale : ndarray (m, m)
        G = I + X1 (X0'X0)^-1 X1'.
    residual_variance : float
        s^2 of the estimation window.
    df : int
        L - K.
    """

    abnormal_returns: np.ndarray
    forecast_scale: np.ndarray
    residual_variance: float
    df: int


@dataclass(frozen=True)
class Contrast:
    """A linear combination of abnormal returns, c'a, with variance s^2 c'Gc and t(L - K).

    Attributes
    ----------
    name : str
    weights : ndarray (m,)
        c.
    estimate, std_error : float
        Fractions.
    df : int
        L - K.
    """

    name: str
    weights: np.ndarray
    estimate: float
    std_error: float
    df: int

    @property
    def t_value(self) -> float:
        """Estimate over standard error."""
        return self.estimate / self.std_error

    @property
    def p_value(self) -> float:
        """Two-sided p of t(L - K)."""
        return float(2.0 * stdtr(self.df, -abs(self.t_value)))

    def interval(self, coverage: float = 0.95) -> tuple[float, float]:
        """The t interval of the given coverage."""
        half = float(stdtrit(self.df, 0.5 + coverage / 2.0)) * self.std_error
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True)
class SequenceEffects:
    """Effects of a report and of the denial that follows it.

    Attributes
    ----------
    report, denial : Contrast or None
        None when both fall in one session: then only the total is identified.
    total : Contrast
        Over all sessions of the window.
    n_report_sessions : int
        Sessions before the denial's.
    """

    report: Contrast | None
    denial: Contrast | None
    total: Contrast
    n_report_sessions: int


@dataclass(frozen=True)
class FiellerSet:
    """Confidence set of the reversed fraction -denial / report.

    Attributes
    ----------
    shape : str
        ``interval`` [lower, upper]; ``two_rays`` (-inf, lower] and [upper, inf); ``whole_line``.
    estimate : float
        -denial / report.
    lower, upper : float
        Ends as the shape says; infinite for ``whole_line``.
    """

    shape: str
    estimate: float
    lower: float
    upper: float

    @property
    def is_bounded(self) -> bool:
        """False when the report's own effect is not distinguishable from zero: print "not bounded"."""
        return self.shape == "interval"


@dataclass(frozen=True)
class ReversalClaim:
    """The three conditions without which nothing may be called a reversal, and whether the third could have held.

    Attributes
    ----------
    is_report_significant : bool
        The report's effect is distinguishable from zero.
    is_denial_significant_and_opposite : bool
        So is the denial's, with the other sign.
    is_total_equivalent_to_zero : bool
        The 90 % interval of the sum lies inside the bound; that the sum is not distinguishable from zero is not
        enough.
    p_report, p_denial : float
        The p* behind the first two.
    total_interval : (float, float)
    bound : float
        The equivalence bound, a fraction.
    chance : float or None
        That a perfect reversal would be shown with these prices; None where none could have been: the half-width of
        the interval reaches the bound.
    """

    is_report_significant: bool
    is_denial_significant_and_opposite: bool
    is_total_equivalent_to_zero: bool
    p_report: float
    p_denial: float
    total_interval: tuple[float, float]
    bound: float
    chance: float | None

    @property
    def is_reversal(self) -> bool:
        """All three."""
        return (
            self.is_report_significant and self.is_denial_significant_and_opposite and self.is_total_equivalent_to_zero
        )

    @property
    def half_width(self) -> float:
        """Of the sum's 90 % interval: no smaller bound could be proved with these prices."""
        return (self.total_interval[1] - self.total_interval[0]) / 2.0


def contrast(effects: WindowEffects, weights: np.ndarray, *, name: str) -> Contrast:
    """c'a with its standard error s sqrt(c'Gc).

    Raises
    ------
    EstimationError
        If there is not one weight a session, or all are zero.
    """
    weights = np.asarray(weights, dtype=float)
    if weights.shape != effects.abnormal_returns.shape or not weights.any():
        raise EstimationError(
            f"Expected {len(effects.abnormal_returns)} weights that are not all zero for {name}, found {weights}.",
            "Give one weight a session of the window.",
        )
    variance = effects.residual_variance * float(weights @ effects.forecast_scale @ weights)
    return Contrast(
        name=name,
        weights=weights,
        estimate=float(weights @ effects.abnormal_returns),
        std_error=math.sqrt(variance),
        df=effects.df,
    )


def sequence_effects(effects: WindowEffects, *, n_report_sessions: int) -> SequenceEffects:
    """Report, denial and total effect of a window whose first sessions precede the denial's.

    Parameters
    ----------
    effects : WindowEffects
        The window from the report's session to the end of the denial's horizon.
    n_report_sessions : int
        Sessions before the denial's session, S_D - S_R; 0 when the two share one, and then the
        dummies would coincide: only the total is returned.
    """
    m = len(effects.abnormal_returns)
    if not 0 <= n_report_sessions < m:
        raise EstimationError(
            f"Expected between 0 and {m - 1} sessions before the denial in a window of {m}, found {n_report_sessions}.",
            "Extend the window to the denial's session.",
        )
    total = contrast(effects, np.ones(m), name="total")
    if n_report_sessions == 0:
        return SequenceEffects(report=None, denial=None, total=total, n_report_sessions=0)
    before = (np.arange(m) < n_report_sessions).astype(float)
    return SequenceEffects(
        report=contrast(effects, before, name="report"),
        denial=contrast(effects, 1.0 - before, name="denial"),
        total=total,
        n_report_sessions=n_report_sessions,
    )


def joint_f_values(abnormal_returns: np.ndarray, forecast_scale: np.ndarray, *, residual_std: np.ndarray) -> np.ndarray:
    """F = a'G^-1 a / (m s^2) of n windows, (n, m) and (n, m, m) to (n,); Chow's predictive test."""
    solved = np.linalg.solve(forecast_scale, abnormal_returns[:, :, None])[:, :, 0]
    m = abnormal_returns.shape[1]
    return np.asarray(np.einsum("nm,nm->n", abnormal_returns, solved) / (m * np.asarray(residual_std) ** 2))


def joint_test(effects: WindowEffects, placebo: np.ndarray, *, minimum: int = MIN_PLACEBO_SESSIONS) -> TestResult:
    """Are all sessions of the window ordinary? F with its p from placebo windows.

    The F distribution is not used for the p when there are enough placebo windows: it rejects too often under fat
    tails. With too few the statistic is shown without a p, and the note says why.

    Parameters
    ----------
    placebo : ndarray (n,)
        F of the same window at the eligible placebo sessions.
    """
    a = effects.abnormal_returns
    m = len(a)
    value = joint_f_values(a[None], effects.forecast_scale[None], residual_std=np.sqrt([effects.residual_variance]))[0]
    count, null = len(placebo), "every session of the window is ordinary"
    parametric = float(fdtrc(m, effects.df, value))
    if count < minimum:
        note = f"no p: {count} eligible placebo windows, {minimum} needed; F({m}, {effects.df}) gives {parametric:.4g}"
        return TestResult("joint_f", null, statistic=float(value), note=note)
    p_value, note = float(placebo_p_values(value, placebo)), f"F({m}, {effects.df}) would give {parametric:.4g}"
    return TestResult("joint_f", null, f"ranks among {count} earlier windows", float(value), p_value, note=note)


def fieller_set(report: Contrast, denial: Contrast, *, effects: WindowEffects, coverage: float = 0.95) -> FiellerSet:
    """Set of reversed fractions r with (denial + r report)^2 <= t^2 s^2 (g_DD + 2 r g_RD + r^2 g_RR).

    A ratio of two estimates has no symmetric interval; the delta method is never used (Fieller 1954).
    """
    s2, scale = effects.residual_variance, effects.forecast_scale
    bar = float(stdtrit(effects.df, 0.5 + coverage / 2.0)) ** 2 * s2
    g_rr, g_dd, g_rd = (
        float(x @ scale @ y)
        for x, y in (
            (report.weights, report.weights),
            (denial.weights, denial.weights),
            (report.weights, denial.weights),
        )
    )
    quadratic = report.estimate**2 - bar * g_rr
    half_linear = denial.estimate * report.estimate - bar * g_rd
    constant = denial.estimate**2 - bar * g_dd
    estimate = -denial.estimate / report.estimate if report.estimate else math.nan
    discriminant = half_linear**2 - quadratic * constant
    if quadratic == 0.0 or (quadratic < 0.0 and discriminant <= 0.0):
        return FiellerSet("whole_line", estimate, -math.inf, math.inf)
    root = math.sqrt(max(discriminant, 0.0))
    ends = sorted(((-half_linear - root) / quadratic, (-half_linear + root) / quadratic))
    return FiellerSet("interval" if quadratic > 0.0 else "two_rays", estimate, *ends)


def reversal_claim(
    sequence: SequenceEffects,
    *,
    p_report: float,
    p_denial: float,
    total_interval: tuple[float, float],
    bound: float,
    level: float = 0.05,
) -> ReversalClaim:
    """Check the three conditions of a reversal.

    Parameters
    ----------
    p_report, p_denial : float
        p* of both effects.
    total_interval : (float, float)
        Printed 90 % interval of the sum.
    bound : float
        Equivalence bound on the total, a positive fraction set beforehand.
    level : float
        Of the first two tests.

    Raises
    ------
    EstimationError
        If report and denial share a session: the data identify only their sum.
    """
    if sequence.report is None or sequence.denial is None:
        raise EstimationError(
            "Expected a report and a denial in different sessions, found both in one: only their joint effect exists.",
            "Show the total.",
        )
    is_opposite = sequence.report.estimate * sequence.denial.estimate < 0.0
    total, width = sequence.total, total_interval[1] - total_interval[0]
    return ReversalClaim(
        is_report_significant=is_rejected(p_report, level),
        is_denial_significant_and_opposite=is_rejected(p_denial, level) and is_opposite,
        is_total_equivalent_to_zero=is_inside(*total_interval, bound), p_report=p_report, p_denial=p_denial,
        total_interval=total_interval, bound=bound,
        chance=chance_to_show_reversal(total.std_error, df=total.df, half_width=width / 2.0, bound=bound),
    )  # fmt: skip
