"""Ways of finding coefficients other than least squares, all behind one signature.

A model whose id stands in :data:`ESTIMATORS` shares the design, the prediction errors and the windows of every
other model; only its coefficients are found differently. None of these estimators has a standard error
for a single event session (the residual of a one-day dummy is zero under all of them), so inference ranks the event
among residuals and among earlier sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.estimation.peer_fits import PeerFit, fit_ridge, fit_synthetic_control

Solve = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(n, L) returns and (n, L, K) regressors to (n, K) coefficients, one independent fit a row."""

HUBER_TUNING = 1.345
"""Residuals beyond this many standard deviations are weighted down; 95 % efficient under normal errors (Huber 1981)."""
NORMAL_MAD = 0.6744897501960817
"""Median absolute value of a standard normal."""
STEP_TOLERANCE = 1e-9
"""A row rests once no fitted value moves by more than this share of its scale."""
MAX_STEPS, FREE_SCALE_STEPS = 400, 60
"""After the second the scale is held: the rest is convex and cannot cycle."""


@dataclass(frozen=True)
class Estimator:
    """How the coefficients of a model are found, and why its forecasts have no standard error."""

    solve: Solve
    why_no_error: str


def solve_huber(returns: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Huber's M-estimator with the scale from the median absolute residual, by reweighted least squares.

    Sessions with a residual beyond 1.345 standard deviations count less, so that a few jumps do not tilt beta.

    Parameters
    ----------
    returns, design : ndarray (n, L), (n, L, K)

    Raises
    ------
    EstimationError
        If the regressors are collinear or a fit does not settle.
    """
    weights = np.ones_like(returns)
    coefficients = _weighted(returns, design, weights)
    scale = np.empty(len(returns))
    active = np.arange(len(returns))
    for step in range(MAX_STEPS):
        y, x = returns[active], design[active]
        residuals = y - np.einsum("nlk,nk->nl", x, coefficients[active])
        if step < FREE_SCALE_STEPS:
            scale[active] = np.median(np.abs(residuals), axis=1) / NORMAL_MAD
        limit = HUBER_TUNING * np.maximum(scale[active], np.finfo(float).tiny)[:, None]
        found = _weighted(y, x, np.minimum(1.0, limit / np.maximum(np.abs(residuals), limit)))
        moved = np.abs(np.einsum("nlk,nk->nl", x, found - coefficients[active])).max(axis=1)
        coefficients[active] = found
        active = active[moved > STEP_TOLERANCE * scale[active]]
        if not active.size:
            return coefficients
    raise EstimationError(
        f"the robust fit of window {int(active[0])} does not settle in {MAX_STEPS} steps.", "Use model=market."
    )


def _weighted(returns: np.ndarray, design: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least squares of every row, by QR of the weighted regressors."""
    root = np.sqrt(weights)[:, :, None]
    q, r = np.linalg.qr(root * design)
    try:
        return np.linalg.solve(r, np.einsum("nlk,nl->nk", q, root[:, :, 0] * returns)[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError as error:
        raise EstimationError("the regressors are linearly dependent.", "Leave one out.") from error


def _solve_each(fit: Callable[[np.ndarray, np.ndarray], PeerFit]) -> Solve:
    """A fit of one window with an intercept of its own as a solver of many; the first regressor is the intercept."""

    def solve(returns: np.ndarray, design: np.ndarray) -> np.ndarray:
        fits = [fit(y, x[:, 1:]) for y, x in zip(returns, design, strict=True)]
        return np.array([np.append(f.intercept, f.weights) for f in fits])

    return solve


ESTIMATORS: dict[str, Estimator] = {
    "robust": Estimator(
        solve_huber, "a weighted-down session has no standard error of its own: the event is ranked instead"
    ),
    "ridge": Estimator(
        _solve_each(fit_ridge), "shrunken coefficients have no unbiased forecast error: the event is ranked instead"
    ),
    "synthetic_control": Estimator(
        _solve_each(fit_synthetic_control),
        "weights held at zero and one in sum have no normal theory: the event is ranked instead",
    ),
}
"""Model id to estimator; every other model is least squares. A new one needs a line here, a label and a design."""
