"""Filtered historical simulation: is the abnormal return large for the volatility of its own day?

The residuals are divided by their GARCH standard deviations, the abnormal return by its forecast, and the
event is ranked among the standardised residuals (Barone-Adesi, Giannopoulos & Vosper 1999). No tail is assumed,
and the level holds in stressed and in calm markets alike, where unconditional tests reject far too often or
far too rarely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.garch import GarchFit, fit_garch
from event_impact.estimation.rolling import WindowFits

NULL = "the standardised abnormal return is drawn like the standardised residuals of the estimation window"


@dataclass(frozen=True)
class FilteredRanks:
    """FHS of n event days.

    Attributes
    ----------
    p_values : ndarray (n,)
        (1 + #{|e_t| / sqrt(h_t) >= |z|}) / (L + 1), between 1 / (L + 1) and 1.
    z : ndarray (n,)
        AR / sqrt(h_E (1 + leverage)).
    garch : GarchFit
        Parameters and variances behind them.
    half_width : ndarray (n,)
        Half the width of the interval of the level asked for, in the unit of the returns; infinite when
        the window is too short for the level.
    """

    p_values: np.ndarray
    z: np.ndarray
    garch: GarchFit
    half_width: np.ndarray


def filtered_ranks(fits: WindowFits, *, level: float = 0.05) -> FilteredRanks:
    """FHS for every window of ``fits``, one event session each.

    Raises
    ------
    EstimationError
        If the event windows have more than one session: use circular blocks there.
    """
    if fits.window_length != 1:
        raise EstimationError(
            f"Expected windows of one session for FHS, found {fits.window_length}.", "Use the block-conformal test."
        )
    return rank_filtered(
        fits.residuals,
        fits.abnormal_returns[:, 0],
        leverage=fits.leverage[:, 0],
        following=fits.gap_abnormal_returns,
        level=level,
    )


def rank_filtered(
    residuals: np.ndarray,
    abnormal_returns: np.ndarray,
    *,
    leverage: np.ndarray,
    following: np.ndarray | None = None,
    level: float = 0.05,
) -> FilteredRanks:
    """FHS from arrays, for models that do not come from least squares.

    Parameters
    ----------
    residuals : ndarray (n, L)
        Of the estimation window in order of time.
    abnormal_returns, leverage : ndarray (n,)
        Of the event day; leverage x_E'(X0'X0)^-1 x_E, zero for a model without one.
    following : ndarray (n, g), optional
        Realised abnormal returns through the gap.
    level : float
        The interval covers 1 - level.

    Returns
    -------
    FilteredRanks
        p (n,) and half the width of the interval of effects that the ranks do not reject.
    """
    residuals = np.atleast_2d(residuals)
    abnormal_returns, leverage = np.atleast_1d(abnormal_returns), np.atleast_1d(leverage)
    garch = fit_garch(residuals, following)
    scale = np.sqrt(garch.forecast_variance * (1.0 + leverage))
    z = abnormal_returns / scale
    standardised = np.abs(residuals) / np.sqrt(garch.variances)
    length = residuals.shape[1]
    # The smallest c with #{|z_t| <= c} >= (1 - level)(L + 1); rounding guards 0.95 * 200 = 190.00000000000003.
    order = int(np.ceil(np.round((1.0 - level) * (length + 1), 9)))
    half_width = np.full(len(z), np.inf)
    if order <= length:
        half_width = np.partition(standardised, order - 1, axis=1)[:, order - 1] * scale
    return FilteredRanks(p_values=_rank(standardised, z), z=z, garch=garch, half_width=half_width)


def filtered_p_values(fits: WindowFits, garch: GarchFit) -> np.ndarray:
    """FHS p of one-session windows for a GARCH that is already estimated, (n,).

    An effect added to the event day changes neither residuals nor variances, so a study of power estimates
    GARCH once.
    """
    z = fits.abnormal_returns[:, 0] / np.sqrt(garch.forecast_variance * (1.0 + fits.leverage[:, 0]))
    return _rank(np.abs(fits.residuals) / np.sqrt(garch.variances), z)


def _rank(standardised: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(1 + #{|z_t| >= |z|}) / (L + 1) from |z_t| of (n, L)."""
    return np.asarray((1 + np.count_nonzero(standardised >= np.abs(z)[:, None], axis=1)) / (standardised.shape[1] + 1))


def fhs_test(fits: WindowFits) -> TestResult:
    """FHS of the first window of ``fits`` as a test result; n/a for windows of several sessions.

    Parameters
    ----------
    fits : WindowFits
        The event's fit.

    Returns
    -------
    TestResult
    """
    if fits.window_length != 1:
        return not_computable(
            "fhs", f"FHS ranks one session; this window has {fits.window_length}: see the block-conformal p.", null=NULL
        )
    ranks = filtered_ranks(fits)
    state = float(ranks.garch.volatility_state[0])
    return TestResult(
        name="fhs",
        null=NULL,
        distribution=f"ranks of {fits.n_estimation + 1} sessions",
        statistic=float(ranks.z[0]),
        p_value=float(ranks.p_values[0]),
        note=f"volatility of the event day {state:.2f} times that of the estimation window",
    )
