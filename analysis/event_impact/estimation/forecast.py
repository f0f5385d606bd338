"""Covariance of the abnormal returns of a window: what a forecast from least squares can be wrong by.

    least squares:  s2 (I + X1 (X0'X0)^-1 X1')
    GARCH:          diag(h) + X1 (X0'X0)^-1 X0' diag(h_t) X0 (X0'X0)^-1 X1'

The second holds beta at its least-squares value and lets the variance follow GARCH(1,1): h_t of the estimation
sessions, and for the event window the forecast made at the close before its first session. No squared
residual of an event session enters, so a one-day window is not degenerate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from event_impact.estimation.garch import fit_garch, variance_path
from event_impact.estimation.rolling import WindowFits


@dataclass(frozen=True)
class GarchParameters:
    """alpha and beta of n estimation windows, (n,) each; the variance itself is carried on from them."""

    alpha: np.ndarray
    beta: np.ndarray


def estimate_garch(residuals: np.ndarray) -> GarchParameters:
    """GARCH(1,1) parameters of every row of residuals, (n, L).

    Parameters
    ----------
    residuals : ndarray (n, L)
        Fractions, in order of time.

    Returns
    -------
    GarchParameters
    """
    fitted = fit_garch(residuals)
    return GarchParameters(fitted.alpha, fitted.beta)


def forecast_covariances(fits: WindowFits, garch: GarchParameters | None = None) -> np.ndarray:
    """Forecast covariance of every window, (n, m, m).

    Parameters
    ----------
    garch : GarchParameters, optional
        Of the same estimation windows; None for a constant variance.

    Returns
    -------
    ndarray (n, m, m)
        In squared fractions.
    """
    if garch is None:
        return np.asarray(fits.forecast_scale * (fits.residual_std**2)[:, None, None])
    length, m = fits.n_estimation, fits.window_length
    target = np.mean(fits.residuals**2, axis=1)
    path = np.concatenate([fits.residuals, fits.gap_abnormal_returns], axis=1) ** 2 / target[:, None]
    variances = variance_path(path, garch.alpha, garch.beta) * target[:, None]
    basis, rows = fits.estimation_coordinates, fits.window_coordinates
    inner = (basis * variances[:, :length, None]).swapaxes(1, 2) @ basis
    covariance: np.ndarray = rows @ inner @ rows.swapaxes(1, 2)
    persistence = (garch.alpha + garch.beta)[:, None] ** np.arange(m)
    ahead = target[:, None] + persistence * (variances[:, -1] - target)[:, None]
    diagonal = np.arange(m)
    covariance[:, diagonal, diagonal] += ahead
    return covariance
