"""The inputs of the batch engine: returns of many tickers, and what each model regresses them on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from event_impact.base.errors import ConfigError, DataError
from event_impact.estimation.models import FACTOR_COLUMNS, GARCH_MODELS, PEER_MODELS

FACTORS_OF_MODEL = {name: ("rf", *columns) for name, columns in FACTOR_COLUMNS.items()} | {"capm": ("rf",)}
THIN_TRADING_MODELS = ("lead_lag", "scholes_williams")
#: Models without window sums: :mod:`event_impact.many.each_event` fits them event by event.
EACH_EVENT_MODELS = (*PEER_MODELS, *GARCH_MODELS, "robust")
BATCH_MODELS = (
    *("market", "market_adjusted", "market_adjusted_demeaned", "constant_mean"),
    *(*THIN_TRADING_MODELS, *FACTORS_OF_MODEL, *EACH_EVENT_MODELS),
)


@dataclass(frozen=True)
class BatchPanel:
    """Returns of many tickers on one calendar, gaps allowed.

    Attributes
    ----------
    sessions : array (sessions,) of datetime64[D]
        The calendar that rel_sessions count; strictly increasing.
    tickers : tuple of str
        One name a row of ``returns``.
    returns : array (tickers, sessions)
        Simple returns as fractions, NaN where a ticker has none.
    benchmark : array (sessions,) or (tickers, sessions), optional
        The benchmark's returns, common to all or one series a ticker.
    factors : mapping of str to array (sessions,)
        Daily factors as fractions: ``rf, mkt_rf, smb, hml, rmw, cma, mom``, as the model needs.
    """

    sessions: np.ndarray
    tickers: tuple[str, ...]
    returns: np.ndarray
    benchmark: np.ndarray | None = None
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sessions", np.asarray(self.sessions, dtype="datetime64[D]"))
        object.__setattr__(self, "tickers", tuple(self.tickers))
        object.__setattr__(self, "returns", np.ascontiguousarray(self.returns, dtype=np.float64))
        if self.benchmark is not None:
            object.__setattr__(self, "benchmark", np.ascontiguousarray(self.benchmark, dtype=np.float64))
        factors = {name: np.ascontiguousarray(values, dtype=np.float64) for name, values in self.factors.items()}
        object.__setattr__(self, "factors", factors)
        self._check_shapes()
        self._check_values()

    def _check_shapes(self) -> None:
        expected = (len(self.tickers), self.sessions.size)
        if self.returns.shape != expected:
            raise DataError(f"Returns must be (tickers, sessions) = {expected}, found {self.returns.shape}.")
        if len(set(self.tickers)) != len(self.tickers):
            raise DataError("The tickers of a panel must be unique.", "Merge or drop the repeated columns.")
        if self.sessions.size > 1 and not (np.diff(self.sessions) > np.timedelta64(0, "D")).all():
            raise DataError("The sessions of a panel must be strictly increasing.", "Sort them and drop duplicates.")
        shared = (self.sessions.size,)
        if self.benchmark is not None and self.benchmark.shape not in (shared, expected):
            raise DataError(f"The benchmark must be {shared} or {expected}, found {self.benchmark.shape}.")
        for name, values in self.factors.items():
            if values.shape != shared:
                raise DataError(f"Factor {name} must be {shared}, found {values.shape}.")

    def _check_values(self) -> None:
        named = [("returns", self.returns), ("benchmark", self.benchmark), *self.factors.items()]
        for name, values in named:
            if values is not None and np.isinf(values).any():
                where = np.argwhere(np.isinf(values))[0]
                label = self.tickers[where[0]] if values.ndim == 2 else name
                session = self.sessions[where[-1]]
                found = int(np.isinf(values).sum())
                said = f"Expected finite {name}, found {found} infinite, the first of {label} on {session}."
                hint = "A price of zero usually lies behind it: repair the price or leave the return empty."
                raise DataError(said, hint)


@dataclass(frozen=True)
class BatchDesign:
    """One model laid out for the engine.

    Attributes
    ----------
    outcome : array (tickers, sessions)
        What is explained: returns, excess returns or market-adjusted returns.
    regressors : tuple of arrays, each (1, sessions) or (tickers, sessions)
        What explains it besides the intercept.
    has_intercept : bool
        False only for the market-adjusted model, which estimates no mean.
    model : str
        Identifier of the model.
    subtracted : array (1, sessions) or (tickers, sessions)
        What was taken off the returns to make the outcome: the benchmark, the risk-free rate, or 0.
    instrument : array (1, sessions) or (tickers, sessions), optional
        Gives the slope of a single regressor x in place of least squares: cov(z, y)/cov(z, x).
    panel : BatchPanel, optional
        Of a model that is fitted event by event; its regressor here is the benchmark, for what portfolios need.
    """

    outcome: np.ndarray
    regressors: tuple[np.ndarray, ...]
    has_intercept: bool
    model: str
    subtracted: np.ndarray
    instrument: np.ndarray | None = None
    panel: BatchPanel | None = None

    @property
    def n_parameters(self) -> int:
        """Number K of estimated mean parameters."""
        return int(self.has_intercept) + len(self.regressors)


def lay_out_model(panel: BatchPanel, model: str) -> BatchDesign:
    """Turn a panel and a model identifier into outcome and regressors.

    ``market``: returns on the benchmark, K = 2. ``market_adjusted``: return minus benchmark, K = 0;
    ``market_adjusted_demeaned``: the same with its mean estimated, K = 1. ``constant_mean``: K = 1.
    ``lead_lag``: on the benchmark of the session before, the same and the next, K = 4, whose slopes add up to
    Dimson's (1979) beta. ``scholes_williams``: on the benchmark with the sum of those three as instrument, K = 2;
    the slope is (b_-1 + b_0 + b_+1)/(1 + 2 rho) of Scholes and Williams (1977).
    ``capm``: excess return on the benchmark's excess return. ``ff3``, ``carhart``, ``ff5``,
    ``ff5_mom``: excess return on the factors of the panel. :data:`EACH_EVENT_MODELS` keep the panel.

    Raises
    ------
    ConfigError
        If the model is not one of these.
    DataError
        If the panel lacks the benchmark or a factor that the model needs.
    """
    check_batch_model(model)
    nothing = np.zeros((1, panel.sessions.size))
    if model == "constant_mean":
        return BatchDesign(panel.returns, (), True, model, nothing)
    if model in FACTORS_OF_MODEL:
        return _lay_out_factors(panel, model)
    benchmark = _benchmark_rows(panel, model)
    if model == "market":
        return BatchDesign(panel.returns, (benchmark,), True, model, nothing)
    if model in EACH_EVENT_MODELS:
        return BatchDesign(panel.returns, (benchmark,), True, model, nothing, panel=panel)
    if model in THIN_TRADING_MODELS:
        around = [_shift_sessions(benchmark, by) for by in (1, 0, -1)]
        if model == "lead_lag":
            return BatchDesign(panel.returns, tuple(around), True, model, nothing)
        instrument = around[0] + around[1] + around[2]
        regressor = np.where(np.isfinite(instrument), benchmark, np.nan)
        return BatchDesign(panel.returns, (regressor,), True, model, nothing, instrument)
    return BatchDesign(panel.returns - benchmark, (), model == "market_adjusted_demeaned", model, benchmark)


def check_batch_model(model: str) -> None:
    """Refuse a model that the engine does not have.

    Raises
    ------
    ConfigError
    """
    if model not in BATCH_MODELS:
        raise ConfigError(f"Unknown batch model {model!r}.", f"Use one of {', '.join(BATCH_MODELS)}.")


def _shift_sessions(rows: np.ndarray, by: int) -> np.ndarray:
    """Each session's neighbour, ``by`` sessions before it; NaN beyond the calendar."""
    moved = np.full(rows.shape, np.nan)
    moved[:, max(by, 0) : rows.shape[1] + min(by, 0)] = rows[:, max(-by, 0) : rows.shape[1] - max(by, 0)]
    return moved


def _benchmark_rows(panel: BatchPanel, model: str) -> np.ndarray:
    if panel.benchmark is None:
        raise DataError(f"Model {model} needs a benchmark and the panel has none.", "Name one, or use constant_mean.")
    return np.atleast_2d(panel.benchmark)


def _lay_out_factors(panel: BatchPanel, model: str) -> BatchDesign:
    if missing := [name for name in FACTORS_OF_MODEL[model] if name not in panel.factors]:
        raise DataError(f"Model {model} needs the factors {', '.join(missing)}.", "Give a table of daily factors.")
    risk_free = panel.factors["rf"][None, :]
    if model == "capm":
        regressors: tuple[np.ndarray, ...] = (_benchmark_rows(panel, model) - risk_free,)
    else:
        regressors = tuple(panel.factors[name][None, :] for name in FACTORS_OF_MODEL[model][1:])
    return BatchDesign(panel.returns - risk_free, regressors, True, model, risk_free)
