"""Covariance of the abnormal returns of a window: what a forecast from least squares can be wrong by.

    least squares:  s2 (I + X1 (X0'X0)^-1 X1')
    GARCH:          diag(h) + X1 (X0'X0)^-1 X0' diag(h_t) X0 (X0'X0)^-1 X1'

The second holds beta at its least-squares value and lets the variance follow GARCH(1,1): h_t of the estimation
sessions, and for the event window the forecast made at the close before its first session. No squared
residual of an event session enters, so a one-day window is not degenerate.
"""

from __future__ import annotations

import numpy as np

from event_impact.estimation.garch import GarchParameters, carry_garch
from event_impact.estimation.rolling import WindowFits


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
    carried = carry_garch(fits.residuals, fits.gap_abnormal_returns, garch)
    basis, rows = fits.estimation_coordinates, fits.window_coordinates
    inner = (basis * carried.variances[:, :, None]).swapaxes(1, 2) @ basis
    covariance: np.ndarray = rows @ inner @ rows.swapaxes(1, 2)
    for step in range(fits.window_length):
        covariance[:, step, step] += carried.forecast_ahead(step)
    return covariance
