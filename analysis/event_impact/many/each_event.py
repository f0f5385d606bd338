"""Models without window sums, fitted event by event by the functions that the study of one event uses.

The rows of an event are those of the study's own design, its fit, forecast variance and refit those of the estimation
room; events with as many sessions and regressors pass through them together.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd

from event_impact.base.errors import EstimationError
from event_impact.estimation.estimators import ESTIMATORS
from event_impact.estimation.models import GARCH_MODELS, Design, build_design, check_rows
from event_impact.estimation.rolling import fit_stack
from event_impact.many import engine
from event_impact.many.layout import BatchDesign

EVENTS_AT_ONCE = 128
#: Place of an event, its usable sessions counted from the first of the estimation window, and outcome and regressors of
#: the estimation window, the event window and the usable sessions between them.
EventRows = tuple[int, np.ndarray, tuple[np.ndarray, ...]]
#: Models without the forecast variance that Patell's tests rest on, and why.
WITHOUT_PATELL = {
    "garch_market": "the GARCH forecast depends on the days before, and the CAR over it has no t distribution",
    **{name: estimator.why_no_error for name, estimator in ESTIMATORS.items()},
}


def estimate_sample(
    design: BatchDesign,
    ticker_index: np.ndarray,
    session_index: np.ndarray,
    *,
    windows: engine.EventWindows,
    workers: int = 1,
    keep_model: bool = True,
    controls: np.ndarray | None = None,
    on_progress: Callable[[int], object] | None = None,
) -> engine.EventEstimates:
    """:func:`event_impact.many.engine.estimate_events` for every model, those without window sums among them.

    Parameters
    ----------
    controls : array (events,) of tuples of str, optional
        Tickers of the panel that explain the event's own beside the benchmark, for models with peers.
    on_progress : callable, optional
        Called with the number of events just passed over, of models that are fitted event by event.

    Returns
    -------
    EventEstimates
        Of models that are fitted event by event with their days in ``held``, unless ``keep_model`` is false. Where the
        model has no standard error, the residual standard deviation times sqrt(W) stands in for it as a scale.
    """
    if design.panel is None:
        places = ticker_index, session_index
        return engine.estimate_events(design, *places, windows=windows, workers=workers, keep_model=keep_model)
    output = lay_out_sample(design, ticker_index, session_index, windows=windows, keep_model=keep_model)
    waiting: dict[tuple[int, ...], list[EventRows]] = defaultdict(list)
    build = lru_cache(maxsize=1)(partial(_build_design, design))
    for at in np.argsort(output.ticker_index, kind="stable").tolist():
        if output.reason[at] == engine.USED:
            try:
                built = build(int(output.ticker_index[at]), () if controls is None else controls[at])
                if (found := _read_rows(output, at, built)) is not None:
                    shape = tuple(part.size for part in found[2])
                    waiting[shape].append(found)
                    if len(waiting[shape]) == EVENTS_AT_ONCE:
                        _fit(output, waiting.pop(shape))
            except EstimationError as error:
                _refuse(output, at, engine.NOT_FITTED, error.message)
        if on_progress is not None:
            on_progress(1)
    for group in waiting.values():
        _fit(output, group)
    return replace(output, controls=controls)


def lay_out_sample(
    design: BatchDesign, tickers: np.ndarray, sessions: np.ndarray, *, windows: engine.EventWindows, keep_model: bool
) -> engine.EventEstimates:
    """Estimates of every model before any is made; ``keep_model`` is whether their days are held."""
    places = (np.asarray(each, dtype=np.int64) for each in (tickers, sessions))
    plain = engine.lay_out_estimates(design, *places, windows=windows, keep_model=keep_model and design.panel is None)
    if design.panel is None:
        return plain
    n, length, width = plain.reason.size, windows.n_estimation, windows.n_event
    sizes = {"residuals": length, "abnormal": width, "day_factor": width, "cumulative_factor": width, "conformal": 1}
    held = {name: np.full((n, size), np.nan) for name, size in sizes.items()} if keep_model else None
    blank: dict[str, Any] = dict.fromkeys(("slopes", "regressor_means", "cholesky"), np.empty((0, n)))
    blank |= {"outcome_mean": np.zeros(n), "n_parameters": np.zeros(n, dtype=np.int32)}
    return replace(plain, told=np.full(n, "", dtype=object), held=held, **blank)


def _build_design(design: BatchDesign, row: int, controls: tuple[str, ...]) -> Design:
    """What the study of one event regresses on, over the whole calendar."""
    panel, market = design.panel, design.regressors[0]
    assert panel is not None
    columns = {panel.tickers[row]: panel.returns[row], "the benchmark": market[row if len(market) > 1 else 0]}
    columns |= {name: panel.returns[panel.tickers.index(name)] for name in controls}
    frame = pd.DataFrame(columns, index=pd.DatetimeIndex(panel.sessions.astype("datetime64[s]")))
    names: dict[str, Any] = {"ticker": panel.tickers[row], "benchmark": "the benchmark", "peers": controls}
    return build_design(design.model, frame, **names, return_kind="close_to_close")


def _refuse(output: engine.EventEstimates, at: int, reason: int, told: str = "") -> None:
    assert output.told is not None
    output.reason[at] = reason
    output.told[at] = told.rstrip(".").replace(" of window 0", "").replace(" in window 0", "")


def _read_rows(output: engine.EventEstimates, at: int, design: Design) -> EventRows | None:
    """The rows of one event; None where they are too few or lack a session of the event window, which is then said.

    Raises
    ------
    EstimationError
        If no model can be fitted on them.
    """
    windows, session, (y, x), usable = output.windows, int(output.session_index[at]), design.arrays, design.is_usable
    start = session + windows.estimation_first
    estimation = np.flatnonzero(usable[: max(session + windows.estimation_last + 1, 0)])
    estimation = estimation[estimation >= start]
    window = np.arange(session + windows.event_first, session + windows.event_last + 1)
    assert isinstance(output.n_parameters, np.ndarray)
    output.n_estimation[at], output.n_parameters[at] = estimation.size, x.shape[1]
    if estimation.size < (needed := windows.count_needed(x.shape[1])):
        said = f"{estimation.size} of {windows.n_estimation} estimation sessions usable, {needed} needed"
        _refuse(output, at, engine.TOO_FEW_SESSIONS, said)
        return None
    if not usable[window].all():
        lacking = design.regressors.columns[np.isnan(x[window]).any(axis=0)]
        names = ", ".join(name.removeprefix("beta_") for name in lacking if name.startswith("beta_"))
        _refuse(output, at, engine.MISSING_EVENT_SESSION, names and f"no return of {names} in the event window")
        return None
    check_rows(design, y[estimation], x[estimation], offset=design.offset.to_numpy()[estimation])
    between = np.arange(estimation[-1] + 1, window[0])
    between = between[usable[between]]
    return at, estimation - start, tuple(each[days] for days in (estimation, window, between) for each in (y, x))


def _fit(output: engine.EventEstimates, group: list[EventRows]) -> None:
    """Fit events of one shape together; where one of them cannot be fitted, in halves, down to that one."""
    places, sessions, rows = zip(*group, strict=True)
    try:
        residuals, abnormal, std, factor, conformal = _fit_rows(output, *map(np.stack, zip(*rows, strict=True)))
    except EstimationError as error:
        if len(group) == 1:
            _refuse(output, places[0], engine.NOT_FITTED, error.message)
            return
        _fit(output, group[: len(group) // 2])
        _fit(output, group[len(group) // 2 :])
        return
    at = np.array(places)
    output.car[at], output.residual_std[at] = abnormal.sum(axis=1), std
    output.car_factor[at] = factor.sum(axis=(1, 2))
    if (held := output.held) is not None:
        held["residuals"][at[:, None], np.stack(sessions)] = residuals
        held["abnormal"][at], held["day_factor"][at] = abnormal, np.diagonal(factor, axis1=1, axis2=2)
        held["cumulative_factor"][at] = np.diagonal(factor.cumsum(axis=1).cumsum(axis=2), axis1=1, axis2=2)
        held["conformal"][at, 0] = conformal


def _fit_rows(output: engine.EventEstimates, *rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Residuals (n, L), abnormal returns (n, W), s (n,), forecast covariance over s^2 (n, W, W), conformal p (n,)."""
    # here, as most samples are estimated by window sums
    from event_impact.estimation.abnormal import forecast_covariances
    from event_impact.estimation.garch import estimate_garch
    from event_impact.inference.ranks import block_p_values, conformal_p_values

    returns, design, event_returns, event_design, gap_returns, gap_design = rows
    (n, length, k), width = design.shape, event_returns.shape[1]
    has_conformal, p = width == 1 and output.held is not None, np.full(n, np.nan)
    if output.model not in ESTIMATORS:
        fits = fit_stack((returns, design), (event_returns, event_design), (gap_returns, gap_design))
        garch = estimate_garch(fits.residuals) if output.model in GARCH_MODELS else None
        factor = forecast_covariances(fits, garch) / np.square(fits.residual_std)[:, None, None]
        p = conformal_p_values(fits) if has_conformal else p
        return fits.residuals, fits.abnormal_returns, fits.residual_std, factor, p
    solve = ESTIMATORS[output.model].solve

    def find_errors(y: np.ndarray, x: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        return np.asarray(y - np.einsum("nlk,nk->nl", x, coefficients))

    coefficients = solve(returns, design)
    residuals = find_errors(returns, design, coefficients)
    if has_conformal:
        both = np.concatenate([returns, event_returns], axis=1), np.concatenate([design, event_design], axis=1)
        p = block_p_values(find_errors(*both, solve(*both)), length)
    std = np.sqrt(np.einsum("nl,nl->n", residuals, residuals) / (length - k))
    unit = np.broadcast_to(np.eye(width), (n, width, width))
    return residuals, find_errors(event_returns, event_design, coefficients), std, unit, p
