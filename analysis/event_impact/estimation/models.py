"""Models of normal returns, estimated before the event.

One interface: a :class:`Design` (response and regressors on all sessions) and a
:class:`ModelFit` (what was found on the estimation window, by least squares unless the model
names another estimator). Least squares forecasts with the covariance
``s2 [I + X1 (X0'X0)^-1 X1']`` (Salkever 1976; Dufour 1980); what other models forecast with stands in
:mod:`event_impact.estimation.abnormal`, or they have no covariance and say why.

The same abnormal returns as coefficients of one-day dummies (Salkever 1976; Karafiath 1988).

A dummy for a single session fits that session perfectly: its residual is zero, so any
estimator of the coefficient's variance that weighs squared residuals (White, Newey-West,
clustered) sees nothing of the session that matters and understates the error by about
``sqrt(L)``. Only the classical covariance is offered.

A foreign listing explained by the home market, matched by hours and not by date.

A Hong Kong session ends before New York opens on the same date. Its return holds what New York did after the Hong
Kong close before, and shares the overnight hours with the New York session that follows. Both get a
coefficient of their own; the sum of the two times one day's return would be wrong in both (the sum-beta serves
the cost of capital, not abnormal returns).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from event_impact.base.errors import EstimationError
from event_impact.estimation.estimators import ESTIMATORS

#: Share of the asked estimation sessions that must be usable.
MIN_USABLE_SHARE = 0.9
#: Returns that vary less are constant: a halted or pegged listing, not a market.
MIN_RETURN_STD = 1e-10
#: A share whose price stands still on more sessions than this was not traded.
MAX_REPEATED_SHARE = 0.5

MODEL_LABELS = {
    "constant_mean": "constant mean",
    "market_adjusted": "market-adjusted (firm minus benchmark)",
    "market_adjusted_demeaned": "market-adjusted, demeaned",
    "market": "market model",
    "capm": "CAPM on excess returns",
    "ff3": "Fama-French three factors",
    "carhart": "Carhart four factors",
    "ff5": "Fama-French five factors",
    "ff5_mom": "Fama-French five factors and momentum",
    "market_peers": "market model with peers",
    "ridge": "ridge on the benchmark and peers",
    "synthetic_control": "synthetic control of peers",
    "garch_market": "market model with GARCH variance",
    "lead_lag": "market model with the benchmark's session before, separate coefficients",
    "robust": "robust market model (Huber)",
}
#: Models whose regressors include other firms.
PEER_MODELS = ("market_peers", "ridge", "synthetic_control")
#: Least-squares coefficients, forecasts with a GARCH variance.
GARCH_MODELS = ("garch_market",)
FACTOR_COLUMNS = {
    "capm": ("mkt_rf",),
    "ff3": ("mkt_rf", "smb", "hml"),
    "carhart": ("mkt_rf", "smb", "hml", "mom"),
    "ff5": ("mkt_rf", "smb", "hml", "rmw", "cma"),
    "ff5_mom": ("mkt_rf", "smb", "hml", "rmw", "cma", "mom"),
}


@dataclass(frozen=True)
class Design:
    """Response and regressors of one model on all sessions of a panel.

    Attributes
    ----------
    model : str
        Model id.
    return_kind : str
        Kind of return of firm and benchmark.
    benchmark_returns : pandas.Series
        Index session; the benchmark's return of the same kind, whether or not the model uses it.
    response : pandas.Series
        Index session; what is explained, fractions.
    regressors : pandas.DataFrame
        Same index; one column a coefficient, the intercept as a column of ones. No column for
        ``market_adjusted``, which estimates nothing.
    offset : pandas.Series
        Part of the firm's return that the model takes as given (benchmark or riskless return):
        ``firm return = response + offset``.
    """

    model: str
    return_kind: str
    benchmark: str
    benchmark_returns: pd.Series
    response: pd.Series
    regressors: pd.DataFrame
    offset: pd.Series

    @cached_property
    def sessions(self) -> pd.DatetimeIndex:
        """All sessions."""
        return pd.DatetimeIndex(self.response.index)

    @cached_property
    def is_usable(self) -> np.ndarray:
        """Whether response and every regressor exist, by session."""
        return np.asarray(self.response.notna() & self.regressors.notna().all(axis=1))

    @cached_property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Response (T,) and regressors (T, K) of all sessions."""
        return self.response.to_numpy(dtype=float), self.regressors.to_numpy(dtype=float)


def build_design(
    model: str,
    returns: pd.DataFrame,
    *,
    ticker: str,
    benchmark: str,
    return_kind: str,
    factors: pd.DataFrame | None = None,
    peers: tuple[str, ...] = (),
) -> Design:
    """Response and regressors of a model.

    Parameters
    ----------
    returns : pandas.DataFrame
        Index session, columns tickers, fractions, all of ``return_kind``.
    factors : pandas.DataFrame, optional
        Daily factors as fractions with a column ``rf``; needed by the factor models.
    peers : tuple of str
        Columns of ``returns`` that join the regressors of the models in :data:`PEER_MODELS`.

    Returns
    -------
    Design
        Response (T,) and regressors (T, K) on the sessions of ``returns``, fractions.

    Raises
    ------
    EstimationError
        If a factor model or ``lead_lag`` is asked for another return than close to close, or factors or peers are
        missing.
    """
    firm, market = returns[ticker], returns[benchmark]
    ones, zero = pd.Series(1.0, index=returns.index, name="intercept"), pd.Series(0.0, index=returns.index)
    response, offset, columns = firm, zero, [ones, market.rename("market_beta")]
    if model == "constant_mean":
        columns = [ones]
    elif model in ("market_adjusted", "market_adjusted_demeaned"):
        response, offset, columns = firm - market, market, [ones] if model == "market_adjusted_demeaned" else []
    elif model in FACTOR_COLUMNS:
        if factors is None:
            raise EstimationError(f"model {model}: no factors are at hand.", "Use model=market.")
        if return_kind != "close_to_close":
            raise EstimationError(f"model {model}: factors exist for close_to_close returns only.", "Use model=market.")
        aligned = factors.reindex(returns.index)
        response, offset = firm - aligned["rf"], aligned["rf"]
        columns = [ones, *(aligned[name] for name in FACTOR_COLUMNS[model])]
    elif model in PEER_MODELS:
        if not peers:
            raise EstimationError(f"model {model}: no peers with prices are at hand.", "Use model=market.")
        known = [ones] if model == "synthetic_control" else columns
        columns = [*known, *(returns[p].rename(f"beta_{p}") for p in peers)]
    elif model == "lead_lag":
        if return_kind != "close_to_close":
            raise EstimationError("model lead_lag: only close_to_close returns follow each other.", "Use model=market.")
        columns.insert(1, market.shift().rename("market_beta_before"))
    regressors = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=returns.index)
    return Design(model, return_kind, benchmark, market, response, regressors, offset)


@dataclass(frozen=True)
class ModelFit:
    """What was found on the estimation window.

    Attributes
    ----------
    sessions : pandas.DatetimeIndex
        The L sessions used.
    design_matrix : numpy.ndarray
        (L, K).
    coefficients : pandas.Series
        K values by name.
    coefficient_errors : pandas.Series
        Classical standard errors; missing where ``why_no_error`` says why.
    residuals : numpy.ndarray
        (L,), fractions.
    residual_std : float
        sqrt(e'e / (L - K)).
    cross_product_inverse : numpy.ndarray
        (X0'X0)^-1, (K, K).
    df : int
        L - K.
    asked_sessions : int
        Sessions that were asked for; ``dropped`` says why fewer were used.
    why_no_error : str
        Why neither coefficients nor forecasts have a standard error; empty for least squares.
    """

    model: str
    sessions: pd.DatetimeIndex
    design_matrix: np.ndarray
    coefficients: pd.Series
    coefficient_errors: pd.Series
    residuals: np.ndarray
    residual_std: float
    cross_product_inverse: np.ndarray
    df: int
    r_squared: float
    asked_sessions: int
    dropped: str
    why_no_error: str = ""

    @property
    def has_error(self) -> bool:
        """Whether forecasts have a standard error."""
        return not self.why_no_error

    @property
    def n_estimation(self) -> int:
        """L."""
        return len(self.residuals)

    @property
    def leverages(self) -> np.ndarray:
        """h_t of every estimation session, (L,)."""
        inverse = self.cross_product_inverse
        return np.asarray(np.einsum("ij,jk,ik->i", self.design_matrix, inverse, self.design_matrix))

    def forecast_factor(self, regressors: np.ndarray) -> np.ndarray:
        """G = I + X1 (X0'X0)^-1 X1', (m, m): the forecast covariance over s2."""
        return np.asarray(np.eye(len(regressors)) + regressors @ self.cross_product_inverse @ regressors.T)

    def _repr_html_(self) -> str:
        rows = pd.DataFrame({"coefficient": self.coefficients, "standard error": self.coefficient_errors})
        return (
            f"<p>{MODEL_LABELS.get(self.model, self.model)}: L = {self.n_estimation}, residual std {self.residual_std:.4%}, "
            f"R2 {self.r_squared:.3f}</p>{rows.to_html(float_format='{:.4f}'.format)}"
        )


def check_rank(matrix: np.ndarray, names: list[str]) -> None:
    """Refuse regressors that say the same thing twice.

    Raises
    ------
    EstimationError
        If the design is rank deficient; a pseudo-inverse would split one effect over two
        coefficients and halve both.
    """
    if matrix.shape[1] and (rank := np.linalg.matrix_rank(matrix)) < matrix.shape[1]:
        said = f"the regressors {', '.join(names)} are linearly dependent (rank {rank} of {matrix.shape[1]})."
        raise EstimationError(said, "Leave one out, or merge dummies that mark the same session into one joint effect.")


def estimation_sessions_before(
    sessions: pd.DatetimeIndex, event_session: pd.Timestamp, *, length: int, gap: int
) -> pd.DatetimeIndex:
    """The ``length`` sessions that end ``gap + 1`` sessions before the event."""
    last = int(sessions.searchsorted(event_session)) - gap
    return sessions[max(last - length, 0) : max(last, 0)]


def choose_estimation(
    design: Design, event_session: pd.Timestamp, *, length: int, gap: int, masked: pd.DatetimeIndex | None = None
) -> tuple[pd.DatetimeIndex, str]:
    """The sessions that the model is fitted on, and in words why any of those asked for is missing.

    Parameters
    ----------
    design : Design
        The model.
    event_session : pandas.Timestamp
        rel_session 0.
    length, gap : int
        Sessions asked for, and sessions left between them and the event.
    masked : pandas.DatetimeIndex, optional
        Sessions to leave out.

    Returns
    -------
    sessions : pandas.DatetimeIndex
        Those that are usable, at most ``length``.
    dropped : str
        In words why others are missing; empty where none is.

    Raises
    ------
    EstimationError
        If the event session has no row.
    """
    if event_session not in design.sessions:
        raise EstimationError(f"no returns on the event session {event_session.date()}.", "Use a longer history.")
    window = estimation_sessions_before(design.sessions, event_session, length=length, gap=gap)
    complete = window[design.is_usable[design.sessions.get_indexer(window)]]
    used = complete if masked is None else complete[~complete.isin(masked)]
    lacking = {
        "history begins {} sessions too late": length - len(window),
        "{} sessions without a usable return": len(window) - len(complete),
        "{} listed sessions left out": len(complete) - len(used),
    }
    return used, ", ".join(reason.format(count) for reason, count in lacking.items() if count)


def read_rows(design: Design, sessions: pd.DatetimeIndex, *, asked_sessions: int) -> tuple[np.ndarray, np.ndarray]:
    """Response (L,) and regressors (L, K) of the estimation window, found fit for estimation.

    Parameters
    ----------
    design : Design
        The model.
    sessions : pandas.DatetimeIndex
        The estimation window.
    asked_sessions : int
        How many were asked for.

    Returns
    -------
    response : ndarray (L,)
    regressors : ndarray (L, K)

    Raises
    ------
    EstimationError
        For fewer than 90 % of the asked sessions, constant returns, dependent regressors or a perfect fit.
    """
    kind = f" for the return {design.return_kind.replace('_', ' ')}"
    check_length(design, len(sessions), asked_sessions=asked_sessions, purpose=kind)
    parts = design.response, design.regressors, design.offset
    response, matrix, offset = (part.loc[sessions].to_numpy(dtype=float) for part in parts)
    check_rows(design, response, matrix, offset=offset)
    return response, matrix


def check_length(design: Design, n_usable: int, *, asked_sessions: int, purpose: str = "") -> None:
    """Refuse an estimation window of which too little is usable.

    Raises
    ------
    EstimationError
        For fewer than 90 % of the asked sessions.
    """
    needed = max(design.regressors.shape[1] + 2, int(np.ceil(MIN_USABLE_SHARE * asked_sessions)))
    if n_usable < needed:
        said = f"{n_usable} of {asked_sessions} estimation sessions are usable{purpose}; at least {needed} are needed."
        raise EstimationError(said, "Ask for fewer estimation_sessions, or use a source with a longer history.")


def check_rows(design: Design, response: np.ndarray, matrix: np.ndarray, *, offset: np.ndarray) -> None:
    """Refuse an estimation window that no model can be fitted on, whatever its length.

    Parameters
    ----------
    response, matrix, offset : ndarray (L,), (L, K), (L,)
        The rows of the design.

    Raises
    ------
    EstimationError
        For constant returns, dependent regressors or a perfect fit.
    """
    share_of_mode = np.unique(response + offset, return_counts=True)[1].max() / len(response)
    if float(np.std(response)) < MIN_RETURN_STD or share_of_mode > MAX_REPEATED_SHARE:
        said = f"the {design.return_kind} returns are constant on most sessions of the estimation window."
        raise EstimationError(said, "Check the prices: a halted listing has no event study.")
    check_rank(matrix, list(design.regressors.columns))
    rest = response - matrix @ np.linalg.lstsq(matrix, response, rcond=None)[0]
    if matrix.shape[1] and float(np.std(rest)) <= MIN_RETURN_STD:
        raise EstimationError("the regressors explain the returns exactly.", "Is the benchmark the firm itself?")


def fit_model(design: Design, sessions: pd.DatetimeIndex, *, asked_sessions: int, dropped: str = "") -> ModelFit:
    """Fit the model on the estimation window: least squares, or the estimator that the model names.

    Raises
    ------
    EstimationError
        For fewer than 90 % of the asked sessions, constant returns or dependent regressors.
    """
    response, matrix = read_rows(design, sessions, asked_sessions=asked_sessions)
    n, k = matrix.shape
    basis, triangle = np.linalg.qr(matrix)
    inverse = np.linalg.inv(triangle)
    coefficients, estimator = inverse @ (basis.T @ response), ESTIMATORS.get(design.model)
    if estimator is not None:
        coefficients = estimator.solve(response[None], matrix[None])[0]
    residuals = response - matrix @ coefficients
    residual_std = float(np.sqrt(residuals @ residuals / (n - k)))
    errors = residual_std * np.linalg.norm(inverse, axis=1) if estimator is None else np.full(k, np.nan)
    names = list(design.regressors.columns)
    total = response - response.mean() if "intercept" in names else response
    return ModelFit(
        model=design.model, sessions=sessions, design_matrix=matrix,
        coefficients=pd.Series(coefficients, index=names), coefficient_errors=pd.Series(errors, index=names),
        residuals=residuals, residual_std=residual_std, cross_product_inverse=inverse @ inverse.T, df=n - k,
        r_squared=1.0 - float(residuals @ residuals) / float(total @ total) if k else float("nan"),
        asked_sessions=asked_sessions, dropped=dropped,
        why_no_error="" if estimator is None else estimator.why_no_error,
    )  # fmt: skip


@dataclass(frozen=True)
class WindowEffects:
    """Abnormal returns of one event window with their covariance: prediction errors, or coefficients of dummies.

    Attributes
    ----------
    abnormal_returns : ndarray (m,)
        One a session.
    covariance : ndarray (m, m)
        Of their forecast errors, squared fractions: s^2 (I + X1 (X0'X0)^-1 X1') under least squares.
    df : int
        L - K.
    """

    abnormal_returns: np.ndarray
    covariance: np.ndarray
    df: int


def regress_with_dummies(response: np.ndarray, regressors: np.ndarray, event_rows: list[int]) -> WindowEffects:
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
    WindowEffects

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
    return WindowEffects(coefficients[k:], (residuals @ residuals / df * (inverse @ inverse.T))[k:, k:], df)


EARLIER, LATER, LEAD = "home_session_before", "home_session_after", "home_session_lead"


@dataclass(frozen=True)
class MatchedSessions:
    """Foreign sessions with the home sessions on either side.

    Attributes
    ----------
    table : pandas.DataFrame
        Index foreign session; ``home_session_before`` (the one home session that closed since the foreign
        close before), ``home_session_after`` (the first that closes after it) and
        ``home_session_lead`` (the one after that); only sessions where each is unique.
    irregular : pandas.DatetimeIndex
        Foreign sessions left out because a holiday on one side breaks the pattern of one to one.
    """

    table: pd.DataFrame
    irregular: pd.DatetimeIndex


def match_sessions(foreign_closes: pd.Series, home_closes: pd.Series) -> MatchedSessions:
    """Match every foreign session with the home closes before and after its own close.

    Parameters
    ----------
    foreign_closes, home_closes : pandas.Series
        Index session label, values closing instants in UTC, ascending.

    Returns
    -------
    MatchedSessions
    """
    home, labels = home_closes.to_numpy(), home_closes.index
    position = np.searchsorted(home, foreign_closes.to_numpy(), side="right")
    closed_since = np.diff(position, prepend=position[0])
    unique_after = np.concatenate([np.diff(position) > 0, [True]])
    has_home = (position >= 1) & (position + 1 < len(home))
    has_home[0] = False
    regular = has_home & (closed_since == 1) & unique_after
    kept = position[regular]
    columns = {EARLIER: labels[kept - 1], LATER: labels[kept], LEAD: labels[kept + 1]}
    table = pd.DataFrame(columns, index=foreign_closes.index[regular])
    return MatchedSessions(table, pd.DatetimeIndex(foreign_closes.index[has_home & ~regular]))


def build_lead_lag_design(
    foreign_returns: pd.Series, home_returns: pd.Series, matched: MatchedSessions, *, benchmark: str, has_lead: bool
) -> Design:
    """Regress the foreign return on an intercept and the home returns before and after, coefficients separate.

    Parameters
    ----------
    foreign_returns, home_returns : pandas.Series
        Simple close-to-close total returns by own session, fractions.
    has_lead : bool
        Add the home session after next; its coefficient should be near zero, which checks the matching.

    Returns
    -------
    Design
        Index foreign session.

    Raises
    ------
    EstimationError
        If no foreign session can be matched.
    """
    table = matched.table[matched.table.index.isin(foreign_returns.index)]
    if table.empty:
        raise EstimationError("no foreign session has one home session before and after it.", "Check the calendars.")
    names = [EARLIER, LATER, *([LEAD] if has_lead else [])]
    columns = {n: home_returns.reindex(pd.DatetimeIndex(table[n])).to_numpy(dtype=float) for n in names}
    regressors = pd.DataFrame({"intercept": 1.0, **columns}, index=table.index)
    response = foreign_returns.reindex(table.index).astype(float)
    zero = pd.Series(0.0, index=table.index)
    return Design("lead_lag", "close_to_close", benchmark, regressors[LATER], response, regressors, zero)
