"""The same abnormal returns as coefficients of one-day dummies (Salkever 1976; Karafiath 1988).

A dummy for a single session fits that session perfectly: its residual is zero, so any
estimator of the coefficient's variance that weighs squared residuals (White, Newey-West,
clustered) sees nothing of the session that matters and understates the error by about
``sqrt(L)``. Only the classical covariance is offered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from event_impact.estimation.models import check_rank


@dataclass(frozen=True)
class DummyRegression:
    """Coefficients of one dummy a session, their classical covariance and degrees of freedom.

    Attributes
    ----------
    effects : ndarray (m,)
        Coefficient of each dummy: the prediction error of its session, a fraction.
    covariance : ndarray (m, m)
        Classical, s^2 G: that of the prediction errors.
    df : int
        L - K.
    """

    effects: np.ndarray
    covariance: np.ndarray
    df: int


def regress_with_dummies(response: np.ndarray, regressors: np.ndarray, event_rows: list[int]) -> DummyRegression:
    """Regress on the model's regressors and one dummy for each event row.

    Parameters
    ----------
    response : numpy.ndarray
        (T,) estimation and event sessions together.
    regressors : numpy.ndarray
        (T, K).
    event_rows : list of int
        Row of each dummy; a row named twice is the same effect twice and is refused.

    Returns
    -------
    DummyRegression

    Raises
    ------
    EstimationError
        For dummies that mark the same session.
    """
    dummies = np.zeros((len(response), len(event_rows)))
    dummies[event_rows, range(len(event_rows))] = 1.0
    design = np.column_stack([regressors, dummies])
    check_rank(design, [*(f"x{i}" for i in range(regressors.shape[1])), *(f"dummy of row {r}" for r in event_rows)])
    from statsmodels.tools.tools import pinv_extended  # what OLS fits by, without what OLS loads

    k = regressors.shape[1]
    inverse, _ = pinv_extended(design)
    coefficients, df = inverse @ response, design.shape[0] - design.shape[1]
    residuals = response - design @ coefficients
    return DummyRegression(coefficients[k:], (residuals @ residuals / df * (inverse @ inverse.T))[k:, k:], df)
