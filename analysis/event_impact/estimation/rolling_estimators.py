"""Prediction errors of estimators other than least squares, on one window or on many.

What the rank tests need: residuals of the estimation window, abnormal returns of the event window and of the gap
before it, and the residuals when the same estimator is fitted on both windows together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from event_impact.estimation.estimators import Solve

CHUNK = 256
"""Windows solved together; bounds memory."""


@dataclass(frozen=True)
class CounterfactualFits:
    """Fits of an estimator on n estimation windows and what follows each.

    Attributes
    ----------
    coefficients : ndarray (n, K)
    residuals : ndarray (n, L)
        Of the estimation window.
    abnormal_returns : ndarray (n, m)
        y - x'b on the event sessions.
    gap_abnormal_returns : ndarray (n, g)
        The same between the two windows, in order of time.
    refit : callable
        From a total effect, spread evenly and taken off the event sessions, to the residuals (n, L + m) of the same
        estimator fitted on both windows without a dummy, estimation sessions first.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    abnormal_returns: np.ndarray
    gap_abnormal_returns: np.ndarray
    refit: Callable[[float], np.ndarray]

    @property
    def n_estimation(self) -> int:
        """L."""
        return int(self.residuals.shape[1])

    @property
    def window_length(self) -> int:
        """m."""
        return int(self.abnormal_returns.shape[1])


def fit_counterfactual(
    y: np.ndarray, design: np.ndarray, solve: Solve, *, estimation: np.ndarray, window: np.ndarray, between: np.ndarray
) -> CounterfactualFits:
    """Fit one window given by positions, (L,), (m,) and (g,), and refit it with the event sessions.

    Parameters
    ----------
    y, design : ndarray (T,), (T, K)
        One firm.
    """
    both = np.concatenate([estimation, window])
    share = np.r_[np.zeros(len(estimation)), np.full(len(window), 1.0 / len(window))]
    coefficients = solve(y[None, estimation], design[None, estimation])

    def error(positions: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(y[positions] - design[positions] @ b[0])[None]

    def refit(effect: float) -> np.ndarray:
        returns = (y[both] - effect * share)[None]
        return np.asarray(returns - solve(returns, design[None, both]) @ design[both].T)

    return CounterfactualFits(
        coefficients=coefficients,
        residuals=error(estimation, coefficients),
        abnormal_returns=error(window, coefficients),
        gap_abnormal_returns=error(between, coefficients),
        refit=refit,
    )


def solve_rolling(
    y: np.ndarray, design: np.ndarray, solve: Solve, *, events: np.ndarray, estimation_length: int, gap: int
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (n, K) and root mean squared residual (n,) of the estimation window of every event position.

    Parameters
    ----------
    y, design : ndarray (T,), (T, K)
        One firm, fractions.
    solve : callable
        From (L,) and (L, K) to coefficients (K,).
    events : ndarray (n,)
        Positions in ``y``.
    estimation_length, gap : int
        L and the sessions between the estimation window and the event session.

    Returns
    -------
    coefficients : ndarray (n, K)
    spread : ndarray (n,)
        Root mean squared residual, fractions.
    """
    coefficients, spread = [], []
    for start in range(0, len(events), CHUNK):
        rows = events[start : start + CHUNK, None] + np.arange(-gap - estimation_length, -gap)
        b = solve(y[rows], design[rows])
        residuals = y[rows] - np.einsum("nlk,nk->nl", design[rows], b)
        coefficients.append(b)
        spread.append(np.sqrt(np.mean(residuals**2, axis=1)))
    return np.concatenate(coefficients), np.concatenate(spread)


def standardised_sums(
    y: np.ndarray,
    design: np.ndarray,
    coefficients: np.ndarray,
    spread: np.ndarray,
    *,
    events: np.ndarray,
    first: int,
    last: int,
) -> np.ndarray:
    """Sum of the prediction errors over each window in units of sqrt(m) residuals, (n,): ranked, never looked up."""
    rows = events[:, None] + np.arange(first, last + 1)
    errors = y[rows] - np.einsum("nmk,nk->nm", design[rows], coefficients)
    return np.asarray(errors.sum(axis=1) / (spread * np.sqrt(last - first + 1)))
