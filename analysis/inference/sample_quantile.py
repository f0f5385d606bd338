"""Tests for a single session that need no normal distribution.

Both rank the event session among the estimation sessions; neither can give p = 0.
"""

from __future__ import annotations

import numpy as np

from analysis.inference.result import TestResult, not_computable

SQ_NULL = "the event session's abnormal return is drawn like an estimation session's residual"
CONFORMAL_NULL = "the event session is exchangeable with the estimation sessions"
ROUNDING = 1e-12
"""Relative slack when absolute residuals are compared, so that equal values count as ties."""


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
    """
    if len(abnormal) != 1:
        return not_computable("sample_quantile", "defined for one-session windows only", null=SQ_NULL)
    return TestResult(
        name="sample_quantile",
        null=SQ_NULL,
        distribution=f"ranks among {len(residuals)} residuals",
        p_value=sample_quantile_p(float(abnormal[0]), residuals),
        note=f"smallest reachable p is {2 / (len(residuals) + 1):.3g}",
    )


def refit_residuals(
    abnormal: np.ndarray, residuals: np.ndarray, design: np.ndarray, event: np.ndarray, inverse: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of the regression on estimation and event sessions together, in closed form.

    ``f_E = G^-1 a`` and ``f_t = e_t - x_t'(X0'X0)^-1 X1' G^-1 a``.

    Returns
    -------
    tuple of numpy.ndarray
        (L,) residuals of the estimation sessions and (m,) of the event sessions.
    """
    factor = np.eye(len(event)) + event @ inverse @ event.T
    at_event = np.linalg.solve(factor, abnormal)
    return residuals - design @ inverse @ event.T @ at_event, at_event


def conformal(
    abnormal: np.ndarray, residuals: np.ndarray, design: np.ndarray, event: np.ndarray, inverse: np.ndarray
) -> TestResult:
    """Conformal test with refit on L + 1 sessions (Chernozhukov, Wuethrich and Zhu 2021).

    ``p = #{|f_t| >= |f_E|} / (L + 1)``, the event session counted.

    Parameters
    ----------
    design, event : numpy.ndarray
        (L, K) and (1, K) regressors.
    inverse : numpy.ndarray
        (X0'X0)^-1, (K, K).
    """
    if len(abnormal) != 1:
        return not_computable("conformal", "defined for one-session windows only", null=CONFORMAL_NULL)
    others, own = refit_residuals(abnormal, residuals, design, event, inverse)
    threshold = abs(float(own[0])) * (1 - ROUNDING)
    return TestResult(
        name="conformal",
        null=CONFORMAL_NULL,
        distribution=f"ranks of {len(residuals) + 1} refitted residuals",
        p_value=(1 + int(np.count_nonzero(np.abs(others) >= threshold))) / (len(residuals) + 1),
        note=f"smallest reachable p is {1 / (len(residuals) + 1):.3g}",
    )
