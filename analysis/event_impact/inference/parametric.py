"""The prediction-error t test and the intervals built on it (exact under iid normal errors)."""

from __future__ import annotations

import math

from scipy.special import stdtr, stdtrit

from event_impact.base.result import TestResult


def prediction_error_t(estimate: float, standard_error: float, df: int, *, note: str = "") -> TestResult:
    """Is the abnormal return zero, if sessions are independent and normal?

    ``t = a / (s sqrt(w'Gw))`` against t(L - K), two-sided (Karafiath and Spencer 1991).

    Parameters
    ----------
    estimate, standard_error : float
        Fractions.
    df : int
        L - K.
    note : str
        Said with the result.

    Returns
    -------
    TestResult
    """
    statistic = estimate / standard_error
    p_value = float(2 * stdtr(df, -abs(statistic)))
    return TestResult("t", "the abnormal return of the window is zero", f"t({df})", statistic, p_value, df, note)


def interval(estimate: float, standard_error: float, df: int, level: float) -> tuple[float, float]:
    """The t interval with confidence ``level`` (0.90, 0.95), fractions.

    Parameters
    ----------
    estimate, standard_error : float
        Fractions.
    df : int
        L - K.
    level : float
        Confidence.

    Returns
    -------
    low, high : float
        Fractions.
    """
    half = float(stdtrit(df, 0.5 + level / 2)) * standard_error
    return estimate - half, estimate + half


def is_inside(low: float, high: float, bound: float) -> bool:
    """Whether an interval lies inside +-bound.

    Parameters
    ----------
    low, high : float
        Ends of an interval, fractions.
    bound : float
        delta, positive.

    Returns
    -------
    bool
    """
    return math.isfinite(low) and -bound < low and high < bound
