"""Counterfactuals from other firms: ridge with leave-one-out choice of the penalty, and a synthetic control.

Both are fitted on returns, never on price levels. Neither has a trustworthy standard error for one event day, so
inference ranks the event among refitted residuals.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from event_impact.base.errors import EstimationError

PENALTIES = tuple(float(p) for p in np.logspace(-3, 4, 36))
"""Ridge penalties tried, per session of standardised regressors."""
MAX_DONORS = 10
"""Every support of the synthetic control is tried, so their number must stay small."""
SINGULAR = 1e-12


@dataclass(frozen=True)
class PeerFit:
    """A counterfactual for one firm from the returns of others.

    Attributes
    ----------
    intercept : float
    weights : ndarray (J,)
        In the unit of the returns; donors in the order given.
    penalty : float
        Ridge penalty; 0 for the synthetic control.
    residuals : ndarray (L,)
    """

    intercept: float
    weights: np.ndarray
    penalty: float
    residuals: np.ndarray

    def predict(self, donors: np.ndarray) -> np.ndarray:
        """Counterfactual returns, (m,) from (m, J)."""
        return np.asarray(self.intercept + np.asarray(donors) @ self.weights)


def fit_ridge(returns: np.ndarray, donors: np.ndarray, *, penalties: tuple[float, ...] = PENALTIES) -> PeerFit:
    """Ridge on standardised donors, intercept unpenalised, penalty of least leave-one-out error.

    CV(k) = mean[((y - yhat) / (1 - h))^2] with h the diagonal of the smoother 11'/L + Z (Z'Z + k I)^-1 Z'.

    Parameters
    ----------
    returns, donors : ndarray (L,), (L, J)
        Fractions.

    Returns
    -------
    PeerFit
        Weights in units of the donors' returns.

    Raises
    ------
    EstimationError
        For too few sessions, missing values or a donor that never varies.
    """
    y, x = _check(returns, donors)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    if (spread <= SINGULAR).any():
        raise EstimationError("Expected donors that vary, found a constant one.", "Leave it out.")
    z, centred = (x - mean) / spread, y - y.mean()
    left, values, right = np.linalg.svd(z, full_matrices=False)
    projected = left.T @ centred
    best: tuple[float, float] | None = None
    for penalty in penalties:
        shrink = values**2 / (values**2 + penalty)
        fitted = left @ (shrink * projected)
        leverage = 1.0 / len(y) + (left**2) @ shrink
        error = float(np.mean(((centred - fitted) / (1.0 - leverage)) ** 2))
        if best is None or error < best[0]:
            best = (error, penalty)
    assert best is not None
    penalty = best[1]
    weights = right.T @ (values / (values**2 + penalty) * projected) / spread
    intercept = float(y.mean() - mean @ weights)
    return PeerFit(intercept, weights, penalty, y - intercept - x @ weights)


def fit_synthetic_control(returns: np.ndarray, donors: np.ndarray) -> PeerFit:
    """Weights w >= 0 with sum 1 that track the firm's demeaned returns best (Abadie, Diamond and Hainmueller 2010).

    The problem is convex; its solution is a least-squares fit with the sum constraint on some subset of the donors,
    so every subset is solved and the best admissible one taken. Exact for up to ten donors.

    Parameters
    ----------
    returns, donors : ndarray (L,), (L, J)
        Fractions.

    Returns
    -------
    PeerFit

    Raises
    ------
    EstimationError
        As :func:`fit_ridge`, or for more than ten donors.
    """
    y, x = _check(returns, donors)
    n_donors = x.shape[1]
    if n_donors > MAX_DONORS:
        raise EstimationError(f"Expected at most {MAX_DONORS} donors, found {n_donors}.", "Choose the closest ones.")
    mean = x.mean(axis=0)
    z, centred = x - mean, y - y.mean()
    cross, response = z.T @ z, z.T @ centred
    best, weights = np.inf, np.zeros(n_donors)
    for size in range(1, n_donors + 1):
        for support in combinations(range(n_donors), size):
            own = _solve_with_unit_sum(cross[np.ix_(support, support)], response[list(support)])
            if own is None or (own < -1e-12).any():
                continue
            full = np.zeros(n_donors)
            full[list(support)] = np.maximum(own, 0.0)
            loss = float(full @ cross @ full - 2 * response @ full)
            if loss < best - 1e-15:
                best, weights = loss, full
    intercept = float(y.mean() - mean @ weights)
    return PeerFit(intercept, weights, 0.0, y - intercept - x @ weights)


def _solve_with_unit_sum(cross: np.ndarray, response: np.ndarray) -> np.ndarray | None:
    """argmin w'Aw/2 - b'w subject to sum w = 1, None where A is singular on the constraint."""
    size = len(response)
    scale = float(np.trace(cross)) / size or 1.0
    bordered = np.zeros((size + 1, size + 1))
    bordered[:size, :size] = cross / scale
    bordered[:size, size] = bordered[size, :size] = 1.0
    try:
        return np.linalg.solve(bordered, np.append(response / scale, 1.0))[:size]
    except np.linalg.LinAlgError:
        return None


def _check(returns: np.ndarray, donors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.asarray(returns, dtype=float), np.asarray(donors, dtype=float)
    if x.ndim != 2 or len(x) != len(y) or x.shape[1] < 1 or len(y) < x.shape[1] + 3:
        raise EstimationError(
            f"Expected L returns and (L, J) donors with L > J + 2, found shapes {y.shape} and {x.shape}.",
            "Use more sessions.",
        )
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise EstimationError("Expected finite returns, found some missing.", "Drop those sessions.")
    return y, x
