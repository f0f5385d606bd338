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

from event_impact.base.result import TestResult
from event_impact.inference.parametric import chance_to_show_reversal, is_inside
from event_impact.inference.ranks import MIN_PLACEBO_SESSIONS, is_rejected, placebo_p_values

Ends = tuple[float, float]


@dataclass(frozen=True)
class WindowEffects:
    """What contrasts need of one event window.

    Attributes
    ----------
    abnormal_returns : ndarray (m,)
        One a session.
    covariance : ndarray (m, m)
        Of their forecast errors, squared fractions: s^2 (I + X1 (X0'X0)^-1 X1') under least squares.
    df : int
        L - K.
    """

    abnormal_returns: np.ndarray
    covariance: np.ndarray
    df: int


@dataclass(frozen=True)
class Contrast:
    """A linear combination of abnormal returns, c'a, with variance c'Cc and t(L - K).

    Attributes
    ----------
    weights : ndarray (m,)
        c.
    estimate, std_error : float
        Fractions.
    df : int
        L - K.
    """

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
    total_interval: Ends
    bound: float
    chance: float | None

    @property
    def is_reversal(self) -> bool:
        """All three."""
        legs = self.is_report_significant and self.is_denial_significant_and_opposite
        return legs and self.is_total_equivalent_to_zero

    @property
    def half_width(self) -> float:
        """Of the sum's 90 % interval: no smaller bound could be proved with these prices."""
        return (self.total_interval[1] - self.total_interval[0]) / 2.0


def contrast(effects: WindowEffects, weights: np.ndarray) -> Contrast:
    """c'a with its standard error sqrt(c'Cc); one weight a session of the window."""
    variance = float(weights @ effects.covariance @ weights)
    return Contrast(weights, float(weights @ effects.abnormal_returns), math.sqrt(variance), effects.df)


def joint_f_values(abnormal_returns: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """F = a'C^-1 a / m of n windows, (n, m) and (n, m, m) to (n,); Chow's predictive test."""
    solved = np.linalg.solve(covariance, abnormal_returns[:, :, None])[:, :, 0]
    return np.asarray(np.einsum("nm,nm->n", abnormal_returns, solved) / abnormal_returns.shape[1])


def joint_test(effects: WindowEffects, placebo: np.ndarray) -> TestResult:
    """Are all sessions of the window ordinary? F with its p from placebo windows.

    The F distribution is not used for the p when there are enough placebo windows: it rejects too often under fat
    tails. With too few the statistic is shown without a p, and the note says why.

    Parameters
    ----------
    placebo : ndarray (n,)
        F of the same window at the eligible placebo sessions.
    """
    m, value = len(effects.covariance), joint_f_values(effects.abnormal_returns[None], effects.covariance[None])[0]
    count, null = len(placebo), "every session of the window is ordinary"
    parametric = float(fdtrc(m, effects.df, value))
    if count < MIN_PLACEBO_SESSIONS:
        note = f"no p: {count} eligible placebo windows, {MIN_PLACEBO_SESSIONS} needed; F({m}, {effects.df}) gives "
        note += f"{parametric:.4g}"
        return TestResult("joint_f", null, statistic=float(value), note=note)
    p_value, note = float(placebo_p_values(value, placebo)), f"F({m}, {effects.df}) would give {parametric:.4g}"
    return TestResult("joint_f", null, f"ranks among {count} earlier windows", float(value), p_value, note=note)


def fieller_set(report: Contrast, denial: Contrast, *, effects: WindowEffects, coverage: float = 0.95) -> FiellerSet:
    """Set of reversed fractions r with (denial + r report)^2 <= t^2 (c_DD + 2 r c_RD + r^2 c_RR).

    A ratio of two estimates has no symmetric interval; the delta method is never used (Fieller 1954).
    """
    bar, c = float(stdtrit(effects.df, 0.5 + coverage / 2.0)) ** 2, effects.covariance
    r, d = report.weights, denial.weights
    quadratic = report.estimate**2 - bar * float(r @ c @ r)
    half_linear = denial.estimate * report.estimate - bar * float(r @ c @ d)
    constant = denial.estimate**2 - bar * float(d @ c @ d)
    estimate = -denial.estimate / report.estimate if report.estimate else math.nan
    discriminant = half_linear**2 - quadratic * constant
    if quadratic == 0.0 or (quadratic < 0.0 and discriminant <= 0.0):
        return FiellerSet("whole_line", estimate, -math.inf, math.inf)
    root = math.sqrt(max(discriminant, 0.0))
    ends = sorted(((-half_linear - root) / quadratic, (-half_linear + root) / quadratic))
    return FiellerSet("interval" if quadratic > 0.0 else "two_rays", estimate, *ends)


def reversal_claim(
    legs: dict[str, Contrast], *, p_report: float, p_denial: float, total_interval: Ends, bound: float, level: float
) -> ReversalClaim:
    """Check the three conditions of a reversal.

    Parameters
    ----------
    legs : dict of str to Contrast
        ``report``, ``denial`` and their ``total``.
    p_report, p_denial : float
        p* of both effects.
    total_interval : (float, float)
        Printed 90 % interval of the sum.
    bound : float
        Equivalence bound on the total, a positive fraction set beforehand.
    level : float
        Of the first two tests.
    """
    report, denial, total = (legs[name] for name in ("report", "denial", "total"))
    is_opposite = report.estimate * denial.estimate < 0.0
    half = (total_interval[1] - total_interval[0]) / 2.0
    return ReversalClaim(
        is_report_significant=is_rejected(p_report, level),
        is_denial_significant_and_opposite=is_rejected(p_denial, level) and is_opposite,
        is_total_equivalent_to_zero=is_inside(*total_interval, bound), p_report=p_report, p_denial=p_denial,
        total_interval=total_interval, bound=bound,
        chance=chance_to_show_reversal(total.std_error, df=total.df, half_width=half, bound=bound),
    )  # fmt: skip
