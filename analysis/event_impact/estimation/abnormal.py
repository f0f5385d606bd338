"""Abnormal returns around the event, with their full forecast covariance.

Covariance of the abnormal returns of a window: what a forecast from least squares can be wrong by.

    least squares:  s2 (I + X1 (X0'X0)^-1 X1')
    GARCH:          diag(h) + X1 (X0'X0)^-1 X0' diag(h_t) X0 (X0'X0)^-1 X1'

The second holds beta at its least-squares value and lets the variance follow GARCH(1,1): h_t of the estimation
sessions, and for the event window the forecast made at the close before its first session. No squared
residual of an event session enters, so a one-day window is not degenerate.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import stdtr

from event_impact.base.errors import EstimationError
from event_impact.base.places import place_of
from event_impact.estimation.estimators import ESTIMATORS, CounterfactualFits, fit_counterfactual
from event_impact.estimation.garch import GarchParameters, carry_garch, estimate_garch
from event_impact.estimation.models import GARCH_MODELS, Design, ModelFit, choose_estimation, fit_model
from event_impact.estimation.rolling import WindowFits, fit_windows


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


@dataclass(frozen=True)
class WindowSum:
    """A cumulative abnormal return with its standard error; ``note`` says why either is missing.

    Attributes
    ----------
    first, last : int
        The window in rel_sessions, both ends included.
    estimate : float or None
        Sum of its abnormal returns, a fraction; None where the window is not complete.
    standard_error : float or None
        s sqrt(w'Gw) with the whole forecast covariance; None where the model has none.
    abnormal : ndarray (m,)
        Its abnormal returns, fractions.
    note : str
        Why a number is missing.
    """

    first: int
    last: int
    estimate: float | None
    standard_error: float | None
    abnormal: np.ndarray
    note: str

    @property
    def length(self) -> int:
        """Sessions in the window."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class AbnormalReturns:
    """Prediction errors of one model and return kind on the sessions around an event.

    Attributes
    ----------
    design, fit : Design, ModelFit
        What was estimated, and on which sessions.
    event_session : pandas.Timestamp
        rel_session 0.
    table : pandas.DataFrame
        Index rel_session; session, firm_return, benchmark_return, expected_return, ar (fractions),
        is_estimation (the session helped to fit the model, so its ar is a residual, not a forecast error),
        forecast_std, t, p_t (missing on estimation sessions and where a return is missing).
    regressors : numpy.ndarray
        (m, K) regressors of the rows of ``table``.
    garch : GarchParameters or None
        For models whose forecast variance follows GARCH.
    """

    design: Design
    fit: ModelFit
    event_session: pd.Timestamp
    table: pd.DataFrame
    regressors: np.ndarray
    confounders: pd.Series
    garch: GarchParameters | None = None

    @property
    def return_kind(self) -> str:
        """Kind of return."""
        return self.design.return_kind

    @cached_property
    def volatility(self) -> GarchParameters:
        """GARCH(1,1) of the residuals, estimated once for every window and every day of the event."""
        return self.garch or estimate_garch(self.fit.residuals)

    def session_of(self, rel_session: int) -> pd.Timestamp:
        """The session of a rel_session."""
        return pd.Timestamp(self.table["session"][rel_session])

    def sum_window(self, first: int, last: int) -> WindowSum:
        """CAR over rel_sessions first..last: ``w'a`` with variance ``w'Cw``, C the forecast covariance.

        Incomplete windows have no estimate and the note ``incomplete: k of m sessions``; a model without forecast
        errors has an estimate, no standard error, and the reason as its note.
        """
        wanted = list(range(first, last + 1))
        rows = self.table.reindex(wanted)
        complete = int(rows["ar"].notna().sum())
        if complete < len(wanted):
            return WindowSum(first, last, None, None, np.empty(0), f"incomplete: {complete} of {len(wanted)} sessions")
        if bool(rows["is_estimation"].astype(bool).any()):
            said = f"the window {first}:{last} overlaps the estimation window."
            raise EstimationError(said, "Choose a shorter window or a longer gap.")
        abnormal = rows["ar"].to_numpy(dtype=float)
        error = float(np.sqrt(self.forecast_covariance(first, last).sum())) if self.fit.has_error else None
        return WindowSum(first, last, float(abnormal.sum()), error, abnormal, self.fit.why_no_error)

    def forecast_covariance(self, first: int, last: int) -> np.ndarray:
        """Covariance of the abnormal returns of a window under the model, (m, m).

        Raises
        ------
        EstimationError
            If the model has none.
        """
        if not self.fit.has_error:
            raise EstimationError(f"{self.fit.model} has no forecast covariance: {self.fit.why_no_error}.", "")
        if self.garch is not None:
            return np.asarray(forecast_covariances(self.window_fits(first, last), self.garch)[0])
        rows = self.table.index.get_indexer(pd.RangeIndex(first, last + 1))
        return self.fit.residual_std**2 * self.fit.forecast_factor(self.regressors[rows])

    def window_fits(self, first: int, last: int) -> WindowFits:
        """The event's least-squares fit in the form that the rank tests take: estimation sessions, gap, window.

        Left-out sessions, and sessions of the gap without a return, are closed up: their neighbours count
        as consecutive.
        """
        return fit_windows(*self.design.arrays, **self._positions(first, last))

    def counterfactual_fits(self, first: int, last: int) -> CounterfactualFits:
        """The same for a model with another estimator than least squares."""
        solve = ESTIMATORS[self.fit.model].solve
        return fit_counterfactual(*self.design.arrays, solve, **self._positions(first, last))

    def _positions(self, first: int, last: int) -> dict[str, np.ndarray]:
        origin = place_of(self.design.sessions, self.event_session)
        estimation = self.design.sessions.get_indexer(self.fit.sessions)
        between = np.arange(estimation[-1] + 1, origin + first)
        between = between[self.design.is_usable[between]]
        return {"estimation": estimation, "window": np.arange(origin + first, origin + last + 1), "between": between}

    def _repr_html_(self) -> str:
        near = self.table.loc[-2:2, ["session", "firm_return", "expected_return", "ar", "t"]]
        return f"<p>{self.return_kind}, {self.design.model}</p>{near.to_html(float_format='{:.4f}'.format)}"


def measure_abnormal_returns(
    design: Design,
    event_session: pd.Timestamp,
    *,
    estimation_sessions: int,
    gap_sessions: int,
    path: tuple[int, int],
    masked: pd.DatetimeIndex | None = None,
    labels: dict[pd.Timestamp, str] | None = None,
) -> AbnormalReturns:
    """Fit the model before the event and measure prediction errors along a path of rel_sessions.

    Parameters
    ----------
    path : (int, int)
        First and last rel_session of the table; cut where the figures end.
    masked : pandas.DatetimeIndex, optional
        Sessions left out of the estimation window.
    labels : dict, optional
        Confounders by session, carried into the table.

    Returns
    -------
    AbnormalReturns
        The fit, and a table with one row a rel_session of the path.

    Raises
    ------
    EstimationError
        If the event session has no row, or too few estimation sessions are usable.
    """
    used, dropped = choose_estimation(
        design, event_session, length=estimation_sessions, gap=gap_sessions, masked=masked
    )
    fit = fit_model(design, used, asked_sessions=estimation_sessions, dropped=dropped)
    origin = place_of(design.sessions, event_session)
    first, last = max(path[0], -origin), min(path[1], len(design.sessions) - 1 - origin)
    shown = slice(origin + first, origin + last + 1)
    rows, (response, regressors) = design.sessions[shown], (part[shown] for part in design.arrays)
    offset, market = (s.to_numpy(dtype=float)[shown] for s in (design.offset, design.benchmark_returns))
    expected = regressors @ fit.coefficients.to_numpy(dtype=float)
    abnormal, is_estimation = response - expected, rows.isin(fit.sessions)
    has_no_error = is_estimation | np.isnan(abnormal) | (not fit.has_error)
    factors = np.diag(fit.forecast_factor(regressors))
    forecast_std = np.where(has_no_error, np.nan, fit.residual_std * np.sqrt(factors))
    statistic = abnormal / forecast_std
    table = pd.DataFrame(
        {
            "session": rows,
            "firm_return": response + offset,
            "benchmark_return": market,
            "expected_return": expected + offset,
            "ar": abnormal,
            "is_estimation": is_estimation,
            "forecast_std": forecast_std,
            "t": statistic,
            "p_t": 2 * stdtr(fit.df, -np.abs(statistic)),
        },
        index=pd.RangeIndex(first, last + 1, name="rel_session"),
    )
    confounders = pd.Series([(labels or {}).get(s, "") for s in rows], index=table.index, name="confounders")
    found = AbnormalReturns(design, fit, event_session, table, regressors, confounders)
    return _with_garch(found) if design.model in GARCH_MODELS else found


def _with_garch(plain: AbnormalReturns) -> AbnormalReturns:
    """The same abnormal returns with the forecast error of each session from a GARCH variance.

    Sessions between left-out ones of the estimation window keep the error of a constant variance.
    """
    found = replace(plain, garch=estimate_garch(plain.fit.residuals[None]))
    last_fitted = plain.table.index[plain.table["session"] <= plain.fit.sessions[-1]].max()
    table = plain.table.copy()
    later = table.index[table["forecast_std"].notna() & ~(table.index <= last_fitted)]
    table.loc[later, "forecast_std"] = [float(np.sqrt(found.forecast_covariance(r, r)[0, 0])) for r in later]
    table["t"] = table["ar"] / table["forecast_std"]
    table["p_t"] = 2 * stdtr(plain.fit.df, -np.abs(table["t"]))
    return replace(found, table=table)


@dataclass(frozen=True)
class Unmeasured:
    """A return kind that cannot be measured, with the reason.

    Attributes
    ----------
    reason : str
        In words.
    """

    reason: str


@dataclass(frozen=True)
class Measured:
    """Abnormal returns of every return kind; the headline's, close to close, are always there."""

    close_to_close: AbnormalReturns
    close_to_open: AbnormalReturns | Unmeasured
    open_to_close: AbnormalReturns | Unmeasured

    def items(self) -> Iterator[tuple[str, AbnormalReturns | Unmeasured]]:
        """Each kind by its name."""
        return ((field.name, getattr(self, field.name)) for field in fields(self))
