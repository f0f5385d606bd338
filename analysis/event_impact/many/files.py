"""``impact batch``: many events over many tickers, from two files to three.

returns, events -> panel, placed events -> estimates -> tests -> events.csv, aar.csv, sample.json
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from event_impact.base.result import TestResult
    from event_impact.many.engine import EventEstimates, EventWindows
    from event_impact.many.event_instants import AlignedEvents
    from event_impact.many.file_tables import EventTable
    from event_impact.many.sample import SampleResult
    from event_impact.many.sample_events import EventPValues

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class BatchRequest:
    """What a batch is asked to do; the fields are the options of ``impact batch``.

    Attributes
    ----------
    returns, events, out : Path
    benchmark : str
    model : str
    estimation, event : str
        Windows as ``first:last`` in rel_sessions.
    calendar : str, optional
        Market identifier code; None counts the dates of the returns file.
    table_format : str
        ``csv``, or ``parquet`` for Parquet beside the CSV.
    factors : Path, optional
    group : str, optional
        A column of the events file that splits the sample.
    traits : tuple of str
        Numeric columns of the events file to regress the CARs on.
    draws, seed : int
    allow_large : bool
    workers : int
    ambiguous : str
        What becomes of an event whose publication time allows several sessions: ``reject``, ``first``, ``last``.
    scheduler : str, optional
        Address of a Dask scheduler, ``local`` for one on this machine; None computes in this process
        unless the returns do not fit into memory.
    """

    returns: Path
    events: Path
    benchmark: str
    out: Path
    model: str = "market"
    estimation: str = "-260:-11"
    event: str = "-1:1"
    calendar: str | None = None
    table_format: str = "csv"
    factors: Path | None = None
    group: str | None = None
    traits: tuple[str, ...] = ()
    draws: int = 1_999
    seed: int = 20260202
    allow_large: bool = False
    workers: int = 2
    ambiguous: str = "reject"
    scheduler: str | None = None


@dataclass(frozen=True)
class BatchOutcome:
    """What a batch found, as written.

    Attributes
    ----------
    events, aar : DataFrame
        ``events.csv`` and ``aar.csv``.
    sample : dict
        ``sample.json``.
    """

    events: pd.DataFrame
    aar: pd.DataFrame
    sample: dict[str, Any]


def parse_event_windows(estimation: str, event: str) -> EventWindows:
    """Both windows from ``first:last`` texts.

    Raises
    ------
    ConfigError
        If a text is no window, runs backwards, or the two overlap.
    """
    from event_impact.base.errors import ConfigError
    from event_impact.many.engine import EventWindows

    bounds = []
    for name, text in (("estimation", estimation), ("event", event)):
        parts = text.split(":")
        try:
            first, last = (int(part) for part in parts)
        except ValueError:
            message = f"Expected the {name} window as first:last, found {text!r}."
            raise ConfigError(message, "Write for example -260:-11.") from None
        bounds += [first, last]
    return EventWindows(*bounds)


def run_batch(request: BatchRequest, *, watch: Any = None) -> BatchOutcome:
    """Read, estimate, test; write nothing.

    Parameters
    ----------
    request : BatchRequest
    watch : callable, optional
        ``watch(label, total)`` returns a context manager whose ``update(n)`` is told of progress.

    Returns
    -------
    BatchOutcome
        Every event with its estimate or its reason, and the tests of the sample.

    Raises
    ------
    ConfigError
        If the request is wrong: model, windows, exchange, columns asked for.
    DataError
        If the files cannot serve it.
    """
    import numpy as np

    from event_impact.many import file_tables as tables
    from event_impact.many.cluster import choose_scheduler, open_client

    windows = parse_event_windows(request.estimation, request.event)
    _check_model(request)
    scheduler = choose_scheduler(request.scheduler, request.returns)
    events = tables.read_events(request.events)
    _check_columns(events, request)
    aligned = tables.align_table(events, calendar=request.calendar, ambiguous=request.ambiguous)
    with contextlib.ExitStack() as stack:
        watching = watch or _watch_nothing
        if scheduler is None:
            work = _compute_here(request, events, aligned, windows, watching)
        else:
            client = stack.enter_context(open_client(scheduler))
            work = _compute_on_cluster(request, events, aligned, windows, watching, client)
        reasons = tables.explain_rejections(work.placed, work.estimates)
        sample = describe_sample(work.result, request=request, reasons=[r for r in reasons if r])
        if aligned is not None:
            sample |= {"n_ambiguous": int(aligned.is_ambiguous.sum()), "ambiguous": request.ambiguous}
        used = np.flatnonzero(work.estimates.is_used)
        if request.group and used.size:
            sample["groups"] = _assess_groups(work, used, request)
        if request.traits and used.size:
            sample["traits"] = _regress_traits(work.estimates.select(used), work.placed.frame.iloc[used], request)
        table = _tabulate_events(work.placed, work.estimates, work.p_values, reasons)
        return BatchOutcome(table, _tabulate_days(work.result), sample)


@dataclass(frozen=True)
class _Work:
    """A batch computed, here or on a cluster; ``assess`` does the same for some of its events."""

    placed: EventTable
    estimates: EventEstimates
    p_values: EventPValues
    result: SampleResult
    assess: Callable[[np.ndarray], SampleResult]


def _check_model(request: BatchRequest) -> None:
    from event_impact.base.errors import ConfigError
    from event_impact.many.layout import BATCH_MODELS, FACTORS_OF_MODEL

    if request.model not in BATCH_MODELS:
        raise ConfigError(f"Unknown batch model {request.model!r}.", f"Use one of {', '.join(BATCH_MODELS)}.")
    if request.model in FACTORS_OF_MODEL and request.factors is None:
        raise ConfigError(f"Model {request.model} needs daily factors.", "Name their file with --factors.")
    if request.ambiguous not in ("reject", "first", "last"):
        raise ConfigError(f"Unknown choice {request.ambiguous!r} for --ambiguous.", "Use reject, first or last.")


def _compute_here(
    request: BatchRequest, events: pd.DataFrame, aligned: AlignedEvents | None, windows: EventWindows, watch: Any
) -> _Work:
    """In this process, on some threads."""
    from event_impact.many import file_tables as tables
    from event_impact.many.engine import estimate_events
    from event_impact.many.layout import FACTORS_OF_MODEL, lay_out_model
    from event_impact.many.sample import assess_sample
    from event_impact.many.sample_events import judge_events

    returns = tables.read_returns(request.returns, allow_large=request.allow_large)
    returns = tables.lay_calendar(returns, request.calendar, request.returns)
    factors = None
    if request.factors and request.model in FACTORS_OF_MODEL:
        factors = tables.read_factors(request.factors, request.model)
    panel = tables.build_panel(returns, benchmark=request.benchmark, factors=factors, path=request.returns)
    placed = tables.place_events(events, panel, aligned)
    design = lay_out_model(panel, request.model)
    estimates = estimate_events(
        design, placed.ticker_index, placed.session_index, windows=windows, workers=request.workers
    )

    def assess(positions: np.ndarray) -> SampleResult:
        return assess_sample(design, estimates.select(positions), draws=request.draws, seed=request.seed)

    with watch("testing", int(estimates.is_used.sum()) * 2) as bar:
        result = assess_sample(
            design,
            estimates,
            draws=request.draws,
            seed=request.seed,
            workers=request.workers,
            on_progress=bar.update,
        )
    return _Work(placed, estimates, judge_events(design, estimates), result, assess)


def _compute_on_cluster(
    request: BatchRequest,
    events: pd.DataFrame,
    aligned: AlignedEvents | None,
    windows: EventWindows,
    watch: Any,
    client: Any,
) -> _Work:
    """On the workers of a scheduler; this process never holds the returns."""
    from event_impact.base.errors import DataError
    from event_impact.many import file_tables as tables
    from event_impact.many.cluster import ClusterEngine, Source
    from event_impact.many.layout import FACTORS_OF_MODEL

    extent = tables.survey_returns(request.returns)
    sessions = tables.lay_sessions(extent.sessions, request.calendar, request.returns)
    if request.benchmark not in extent.tickers:
        held = len(extent.tickers)
        raise DataError(f"Benchmark {request.benchmark} is not among the {held} tickers of {request.returns}.")
    placed = tables.place_on(events, extent.tickers, sessions, aligned)
    factors = request.factors.resolve() if request.factors and request.model in FACTORS_OF_MODEL else None
    source = Source(request.returns.resolve(), request.benchmark, request.model, factors, sessions, request.allow_large)
    engine = ClusterEngine(client, source, extent.tickers, placed.ticker_index, placed.session_index, windows=windows)

    def assess(positions: np.ndarray) -> SampleResult:
        return engine.assess(positions, draws=request.draws, seed=request.seed)

    with watch("testing", int(engine.estimates.is_used.sum()) * 2) as bar:
        result = engine.assess(draws=request.draws, seed=request.seed, on_progress=bar.update)
    return _Work(placed, engine.estimates, engine.judge(), result, assess)


class _Silence:
    def __enter__(self) -> _Silence:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, _: int) -> None:
        """Take note of nothing."""


def _watch_nothing(_label: str, _total: int) -> _Silence:
    return _Silence()


def _check_columns(events: pd.DataFrame, request: BatchRequest) -> None:
    from event_impact.base.errors import ConfigError

    lacking = [name for name in (*([request.group] if request.group else []), *request.traits) if name not in events]
    if lacking:
        raise ConfigError(f"The events have no column {', '.join(lacking)}.", f"They have {', '.join(events.columns)}.")


def _assess_groups(work: _Work, used: np.ndarray, request: BatchRequest) -> dict[str, Any]:
    import numpy as np

    column = work.placed.frame[request.group].iloc[used]
    labels = column.astype(object).where(column.notna(), "").astype(str).to_numpy()
    return {
        str(label): describe_sample(work.assess(used[labels == label]), request=request, reasons=[])
        for label in np.unique(labels)
    }


def _regress_traits(estimates: EventEstimates, frame: pd.DataFrame, request: BatchRequest) -> Any:
    import pandas as pd

    from event_impact.base.errors import EstimationError
    from event_impact.many.traits import regress_on_traits

    traits = {name: pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float) for name in request.traits}
    try:
        regressions = regress_on_traits(estimates.car, estimates.car_std_error, traits=traits)
    except EstimationError as error:
        return {"note": f"{error.message} {error.hint}"}
    return {
        each.method: {
            name: {"coefficient": float(each.coefficients[k]), **describe_test(each.tests[k])}
            for k, name in enumerate(each.names)
        }
        for each in regressions
    }


def _explain_all(placed: EventTable, reasons: list[str]) -> list[str]:
    """Why an event was rejected, or how an ambiguous one was resolved."""
    if placed.aligned is None:
        return reasons
    return [reason or str(note) for reason, note in zip(reasons, placed.aligned.note, strict=True)]


def _find_status(placed: EventTable, estimates: EventEstimates) -> np.ndarray:
    """``used``, ``rejected``, or ``ambiguous`` for one that was rejected for that."""
    import numpy as np

    status = np.where(estimates.is_used, "used", "rejected").astype(object)
    if placed.aligned is not None:
        status[placed.aligned.is_ambiguous & (placed.aligned.session == "")] = "ambiguous"
    return status


def _tabulate_events(placed: EventTable, estimates: EventEstimates, p: Any, reasons: list[str]) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    from event_impact.many.engine import OUTSIDE_CALENDAR, UNKNOWN_SESSION, UNKNOWN_TICKER
    from event_impact.many.file_tables import quote_formulas

    frame = placed.frame
    is_counted = ~np.isin(estimates.reason, (UNKNOWN_TICKER, UNKNOWN_SESSION, OUTSIDE_CALENDAR))
    return pd.DataFrame(
        {
            "event_id": quote_formulas(frame["event_id"].tolist()),
            "ticker": quote_formulas(frame["ticker"].tolist()),
            "session": quote_formulas(frame["session"].tolist()),
            "status": _find_status(placed, estimates),
            "reason": quote_formulas(_explain_all(placed, reasons)),
            "n_estimation": pd.array(estimates.n_estimation, dtype="Int64"),
            "car": estimates.car,
            "car_std_error": estimates.car_std_error,
            "scar": estimates.scar,
            "t": estimates.scar,
            "p_t": p.t,
            "p_sample_quantile": p.sample_quantile,
            "p_conformal": p.conformal,
        }
    ).assign(n_estimation=lambda table: table["n_estimation"].mask(~is_counted))


def _tabulate_days(result: SampleResult) -> pd.DataFrame:
    import pandas as pd

    if result.days is None:
        return pd.DataFrame({name: [] for name in ("rel_session", "n", "aar", "caar")})
    days = result.days
    table = pd.DataFrame(
        {"rel_session": days.rel_session, "n": days.n, "aar": days.aar, "caar": days.caar, **days.columns}
    )
    reason = "empty: needs at least 2 events" if days.n < 2 else "empty: the events have no spread on this day"
    return table.assign(note=[reason if is_empty else "" for is_empty in table.isna().any(axis=1)])


def describe_test(test: TestResult) -> dict[str, Any]:
    """One test as sample.json holds it."""
    return {
        "statistic": test.statistic,
        "distribution": test.distribution or None,
        "df": test.df,
        "p": test.p_value,
        "null": test.null or None,
        "note": test.note or None,
    }


def describe_sample(result: SampleResult, *, request: BatchRequest, reasons: list[str]) -> dict[str, Any]:
    """The sample as sample.json holds it."""
    overlap, correlation = result.overlap, result.correlation
    return {
        "schema_version": SCHEMA_VERSION,
        "n": result.n,
        "n_rejected": len(reasons),
        "caar": result.caar,
        "window": request.event,
        "estimation_window": request.estimation,
        "model": request.model,
        "benchmark": request.benchmark,
        "mde80": result.mde80,
        "mean_correlation": correlation.value,
        "draws": request.draws,
        "seed": request.seed,
        "recommended": result.recommended or None,
        "recommendation": result.recommendation,
        "overlap": {
            "sessions": overlap.n_sessions,
            "tickers": overlap.n_tickers,
            "events_sharing_a_session": overlap.n_sharing_session,
            "pairs_sharing_days": overlap.n_pairs,
            "pairs_of_one_firm_sharing_days": overlap.n_same_firm_pairs,
            "pairs_with_too_few_shared_estimation_sessions": correlation.n_too_short,
            "events_with_an_event_of_the_firm_in_their_estimation_window": overlap.n_in_estimation,
        },
        "tests": {name: describe_test(test) for name, test in result.tests.items()},
    }


def write_batch(outcome: BatchOutcome, out: Path, *, table_format: str = "csv") -> None:
    """Write events.csv, aar.csv and sample.json, all or none.

    Parameters
    ----------
    outcome : BatchOutcome
        From :func:`run_batch`.
    out : pathlib.Path
        Folder, made where it is missing.
    table_format : str
        ``csv``, or ``parquet`` for Parquet files beside the CSV.

    Raises
    ------
    RenderError
        If the folder cannot be written.
    """
    import json

    from event_impact.base.disk import make_folder, replace_files

    contents: dict[str, str | bytes] = {"sample.json": json.dumps(outcome.sample, indent=2, allow_nan=False) + "\n"}
    for name, table in (("events", outcome.events), ("aar", outcome.aar)):
        contents[f"{name}.csv"] = table.to_csv(index=False, lineterminator="\n")
        if table_format == "parquet":
            contents[f"{name}.parquet"] = table.to_parquet(index=False)
    make_folder(out)
    replace_files({out / name: content for name, content in contents.items()})
