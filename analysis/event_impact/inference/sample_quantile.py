"""Tests for a single session that need no normal distribution.

Both rank the event session among the estimation sessions; neither can give p = 0.
"""

from __future__ import annotations

import numpy as np

from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.rolling import WindowFits
from event_impact.inference.block_conformal import conformal_p_values

SQ_NULL = "the event session's abnormal return is drawn like an estimation session's residual"
CONFORMAL_NULL = "the event session is exchangeable with the estimation sessions"


def sample_quantile_p(abnormal: float, residuals: np.ndarray) -> float:
    """``min(1, 2 min(1 + #{e <= a}, 1 + #{e >= a}) / (L + 1))``."""
    below = 1 + int(np.count_nonzero(residuals <= abnormal))
    above = 1 + int(np.count_nonzero(residuals >= abnormal))
    return min(1.0, 2 * min(below, above) / (len(residuals) + 1))


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
    p_value, note = sample_quantile_p(float(abnormal[0]), residuals), f"{2 / (len(residuals) + 1):.3g}"
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
