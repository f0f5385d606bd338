"""``impact batch``: many events over many tickers, from two files to three, one window at a time.

returns, events -> panel, placed events -> estimates -> tests -> events.csv, aar.csv, sample.json
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from event_impact.base.disk import make_folder, replace_files
from event_impact.base.errors import ConfigError, DataError, EstimationError
from event_impact.base.result import TestResult, record_of
from event_impact.base.threads import keep_freed_memory
from event_impact.estimation.estimators import ESTIMATORS
from event_impact.estimation.models import PEER_MODELS
from event_impact.inference.parametric import holm
from event_impact.many import file_tables as tables
from event_impact.many.cluster import ClusterEngine, Source, choose_scheduler, open_client
from event_impact.many.dependence import cut_blocks
from event_impact.many.each_event import WITHOUT_PATELL, estimate_sample
from event_impact.many.engine import OUTSIDE_CALENDAR, UNKNOWN_SESSION, UNKNOWN_TICKER, EventEstimates, EventWindows
from event_impact.many.file_tables import CONTROLS, AlignedEvents, EventTable, as_words, quote_formulas
from event_impact.many.layout import FACTORS_OF_MODEL, BatchDesign, BatchPanel, check_batch_model, lay_out_model
from event_impact.many.resampling import TraitRegression, lay_out_traits, regress_on_traits
from event_impact.many.sample import EventPValues, SampleResult, assess_sample, judge_events
from event_impact.many.sample_days import hold_shares

SCHEMA_VERSION = 1
ROWS_AT_ONCE = 500_000  # of a table that is written
SAMPLE = (
    "first=windows.event_first last=windows.event_last n caar standard_error ci90_low=ci90.0 ci90_high=ci90.1 "
    "ci95_low=ci95.0 ci95_high=ci95.1 recommended recommendation p=p_value mde80 mean_correlation=correlation.value"
)
OVERLAP = (
    "sessions=overlap.n_sessions tickers=overlap.n_tickers events_sharing_a_session=overlap.n_sharing_session "
    "pairs_sharing_days=overlap.n_pairs pairs_of_one_firm_sharing_days=overlap.n_same_firm_pairs "
    "pairs_with_too_few_shared_estimation_sessions=correlation.n_too_short "
    "events_with_an_event_of_the_firm_in_their_estimation_window=overlap.n_in_estimation"
)


@dataclass(frozen=True)
class BatchRequest:
    """What a batch is asked to do; the fields are the options of ``impact batch``.

    Attributes
    ----------
    returns, events, out : Path
    benchmark : str
    model : str
    estimation_sessions, gap_sessions : int
        Length of the estimation window, and the sessions between it and session 0.
    calendar : str, optional
        Market identifier code; None counts the dates of the returns file.
    table_format : str
        ``csv``, or ``parquet`` for Parquet beside the CSV.
    factors : Path, optional
    controls : tuple of str
        Tickers that explain the event's own in models with peers, where the events' column ``controls`` names none.
    windows : tuple of str
        Event windows ``first:last`` in rel_sessions, the first of them declared.
    usable_share : float
        Share of the estimation sessions that an event needs.
    measure : str
        ``returns``, ``volume`` (the file holds volumes) or ``volatility`` (of returns).
    bhar : str
        What buy-and-hold returns are compared with: ``model``, ``benchmark``, or a column of the events file that
        names a matched firm, or several for a portfolio of them, separated by spaces.
    group : str, optional
        A column of the events file that splits the sample.
    traits : tuple of str
        Columns of the events file to regress the CARs on; words are taken as categories.
    draws, seed : int
    allow_large : bool
    workers : int
    ambiguous : str
        What becomes of an event whose publication time allows several sessions: ``reject``, ``first``, ``last``.
    scheduler : str, optional
        Address of a Dask scheduler, ``local`` for one on this machine; None computes in this process
        unless the returns do not fit into memory.

    Examples
    --------
    >>> from pathlib import Path
    >>> from event_impact import BatchRequest
    >>> files = Path("returns.csv"), Path("events.csv")
    >>> BatchRequest(*files, benchmark="SPY", out=Path("results"), windows=("0:0", "-1:1")).model
    'market'
    """

    returns: Path
    events: Path
    benchmark: str
    out: Path
    model: str = "market"
    estimation_sessions: int = 250
    gap_sessions: int = 10
    calendar: str | None = None
    table_format: str = "csv"
    factors: Path | None = None
    controls: tuple[str, ...] = ()
    group: str | None = None
    traits: tuple[str, ...] = ()
    draws: int = 1_999
    seed: int = 20260202
    allow_large: bool = False
    workers: int = 2
    ambiguous: str = "reject"
    scheduler: str | None = None
    windows: tuple[str, ...] = ("-1:1",)
    usable_share: float = 0.9
    measure: str = "returns"
    bhar: str = "model"

    def lay_window(self, event: str) -> EventWindows:
        """Estimation window and one event window, ``first:last``.

        Raises
        ------
        ConfigError
            If the text is no window, runs backwards, or the two overlap.
        """
        first, last = parse_window(event)
        gap = self.gap_sessions
        return EventWindows(-gap - self.estimation_sessions, -gap - 1, first, last, self.usable_share)


@dataclass(frozen=True)
class WindowWork:
    """A batch computed for one event window.

    Attributes
    ----------
    reasons : array (events,) of str
        Why an event has no estimate; empty for the used ones.
    assess : callable
        The statistics of some of the events, by their positions.
    left_out : dict of str to int
        Controls that were left out, by why.
    """

    windows: EventWindows
    estimates: EventEstimates
    p_values: EventPValues
    result: SampleResult
    reasons: np.ndarray
    assess: Callable[[np.ndarray], SampleResult]
    left_out: dict[str, int]


@dataclass(frozen=True)
class OpenedBatch:
    """A batch with its files read; ``work`` estimates and tests one event window.

    Attributes
    ----------
    placed : EventTable
    panel : BatchPanel or None
        None on a cluster, whose workers hold the returns.
    design : BatchDesign or None
    impossible : Series
        Returns that no share can have, by date and ticker, set aside.
    """

    request: BatchRequest
    placed: EventTable
    panel: BatchPanel | None
    design: BatchDesign | None
    impossible: pd.Series
    compute: Callable[[EventWindows, Any], WindowWork]

    def work(self, event: str, watch: Any = None) -> WindowWork:
        """One event window, ``first:last``."""
        return self.compute(self.request.lay_window(event), watch or _watch_nothing)


def parse_window(text: str) -> tuple[int, int]:
    """The two ends of a window written ``first:last``.

    Raises
    ------
    ConfigError
        If the text is no window.
    """
    try:
        first, last = (int(part) for part in text.split(":"))
    except ValueError:
        raise ConfigError(f"Expected a window as first:last, found {text!r}.", "Write for example -1:1.") from None
    return first, last


def open_batch(
    request: BatchRequest, stack: contextlib.ExitStack, *, frames: tuple[pd.DataFrame, pd.DataFrame] | None = None
) -> OpenedBatch:
    """Read the files of a batch; ``stack`` closes a cluster's client.

    Parameters
    ----------
    frames : (DataFrame, DataFrame), optional
        Returns, sessions x tickers, and events, in the place of the two files.
    """
    keep_freed_memory()
    returns, events = frames or (None, None)
    events = check_request(request, events)
    scheduler = choose_scheduler(request.scheduler, request.returns) if frames is None else None
    aligned = None
    if tables.EARLIEST in events and not (events["session"] != "").any():
        aligned = tables.align_events(events, calendar=request.calendar, ambiguous=request.ambiguous)
    if scheduler is None:
        return _open_here(request, events, aligned, returns)
    asked = [f"--{name}" for name, plain in (("measure", "returns"), ("bhar", "model")) if vars(request)[name] != plain]
    if asked:
        raise ConfigError(f"{' and '.join(asked)} need the returns in one process.", "Leave --scheduler out.")
    return _open_on_cluster(request, events, aligned, stack.enter_context(open_client(scheduler)))


def check_request(request: BatchRequest, events: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table of events, where the request can be served as far as that shows.

    Raises
    ------
    ConfigError
        If the request is wrong.
    DataError
        If the events cannot be read.
    """
    for event in request.windows:
        request.lay_window(event)
    check_batch_model(request.model)
    if request.model in FACTORS_OF_MODEL and request.factors is None:
        raise ConfigError(f"Model {request.model} needs daily factors.", "Name their file with --factors.")
    if request.ambiguous not in ("reject", "first", "last"):
        raise ConfigError(f"Unknown choice {request.ambiguous!r} for --ambiguous.", "Use reject, first or last.")
    if request.measure not in tables.MEASURES:
        raise ConfigError(f"Unknown measure {request.measure!r}.", f"Use one of {', '.join(tables.MEASURES)}.")
    if request.controls and request.model not in PEER_MODELS:
        raise ConfigError(f"Model {request.model} takes no controls.", f"They are for {', '.join(PEER_MODELS)}.")
    if request.measure == "volatility" and request.model != "constant_mean":
        raise ConfigError("Volatility is compared with its own mean.", "Add --model constant_mean.")
    if request.measure == "volume" and request.model not in ("market", "constant_mean"):
        raise ConfigError(f"Model {request.model} explains returns, not volume.", "Use market or constant_mean.")
    events = tables.read_events(request.events) if events is None else events
    asked = {request.group or "", *request.traits, request.bhar} - {"", "model", "benchmark"}
    if request.model in PEER_MODELS and not request.controls and tables.CONTROLS not in events:
        said = f"Model {request.model} needs controls, and neither --controls nor a column controls names any."
        raise ConfigError(said, "Name tickers of the returns, separated by commas.")
    if lacking := sorted(asked - set(events)):
        raise ConfigError(f"The events have no column {', '.join(lacking)}.", f"They have {', '.join(events.columns)}.")
    return events


def _open_here(
    request: BatchRequest, events: pd.DataFrame, aligned: AlignedEvents | None, returns: pd.DataFrame | None
) -> OpenedBatch:
    """In this process, on some threads."""
    allow_large = request.allow_large or request.measure == "volume"
    if returns is None:
        returns = tables.read_returns(request.returns, allow_large=allow_large)
    returns, impossible = tables.set_aside_impossible(returns, allow_large=allow_large)
    sessions = tables.lay_sessions(pd.DatetimeIndex(returns.index), request.calendar, request.returns)
    returns = returns.reindex(sessions)
    factors = None
    if request.factors and request.model in FACTORS_OF_MODEL:
        factors = tables.read_factors(request.factors, request.model)
    tables.check_benchmark(returns, request.benchmark, request.returns)
    measured = tables.take_measure(returns, request.measure, request.benchmark)
    panel = tables.build_panel(measured, benchmark=request.benchmark, factors=factors)
    placed = tables.place_on(events, panel.tickers, sessions, aligned)
    design = lay_out_model(panel, request.model)
    settings: dict[str, Any] = record_of(request, "draws seed") | {"is_activity": request.measure != "returns"}

    def compute(windows: EventWindows, watch: Any) -> WindowWork:
        table, named, left_out = _choose_controls(request, placed, panel.tickers, windows)
        more: dict[str, Any] = {"windows": windows, "workers": request.workers, "controls": named}
        with (watch if design.panel else _watch_nothing)("fitting", len(table.reason)) as bar:
            more["on_progress"] = bar.update
            estimates = estimate_sample(design, placed.ticker_index, placed.session_index, **more)
        held = _hold_comparison(request, panel, placed, estimates)

        def assess(positions: np.ndarray) -> SampleResult:
            chosen = None if held is None else held[positions]
            return assess_sample(design, estimates.select(positions), held=chosen, **settings)

        with watch("testing", int(estimates.is_used.sum()) * 2) as bar:
            more = {"workers": request.workers, "on_progress": bar.update, **settings}
            result = assess_sample(design, estimates, held=held, **more)
        reasons = tables.explain_rejections(table, estimates, panel=panel, impossible=impossible)
        return WindowWork(windows, estimates, judge_events(design, estimates), result, reasons, assess, left_out)

    return OpenedBatch(request, placed, panel, design, impossible, compute)


def _choose_controls(
    request: BatchRequest, placed: EventTable, tickers: Sequence[str], windows: EventWindows
) -> tuple[EventTable, np.ndarray | None, dict[str, int]]:
    if request.model not in PEER_MODELS:
        return placed, None, {}
    if lacking := [name for name in request.controls if name not in set(tickers)]:
        held = f"{len(tickers)} tickers of {request.returns}"
        raise ConfigError(f"Controls {', '.join(lacking)} are not among the {held}.", "Add their returns.")
    return tables.choose_controls(placed, tickers, request.controls, benchmark=request.benchmark, width=windows.n_event)


def _hold_comparison(
    request: BatchRequest, panel: BatchPanel, placed: EventTable, estimates: EventEstimates
) -> np.ndarray | None:
    """What the benchmark, or the matched firms named beside each event, earned over its window; NaN where unknown."""

    if request.bhar == "model":
        return None
    names = [request.benchmark] * len(placed.frame)
    if request.bhar != "benchmark":
        names = as_words(placed.frame[request.bhar]).tolist()
    row = {ticker: k for k, ticker in enumerate(panel.tickers)}
    held = np.full(len(names), np.nan)
    for at in np.flatnonzero(estimates.is_used):
        rows = np.array([row[name] for name in names[at].split() if name in row], dtype=int)
        if rows.size and rows.size == len(names[at].split()):
            held[at] = hold_shares(panel.returns, rows, estimates.select(np.full(rows.size, at))).mean()
    return held


def _open_on_cluster(
    request: BatchRequest, events: pd.DataFrame, aligned: AlignedEvents | None, client: Any
) -> OpenedBatch:
    """On the workers of a scheduler; this process never holds the returns."""

    tickers, dates = tables.survey_returns(request.returns)
    sessions = tables.lay_sessions(dates, request.calendar, request.returns)
    if request.benchmark not in tickers:
        held = len(tickers)
        raise DataError(f"Benchmark {request.benchmark} is not among the {held} tickers of {request.returns}.")
    placed = tables.place_on(events, tickers, sessions, aligned)
    pa.default_memory_pool().release_unused()  # what reading took, before the workers need it
    factors = request.factors.resolve() if request.factors and request.model in FACTORS_OF_MODEL else None
    source = Source(request.returns.resolve(), request.benchmark, request.model, factors, sessions, request.allow_large)

    def compute(windows: EventWindows, watch: Any) -> WindowWork:
        table, named, left_out = _choose_controls(request, placed, tickers, windows)
        engine = ClusterEngine(
            client, source, tickers, placed.ticker_index, placed.session_index, windows=windows, controls=named
        )

        drawn: dict[str, Any] = {"draws": request.draws, "seed": request.seed}

        def assess(positions: np.ndarray) -> SampleResult:
            return engine.assess(positions, **drawn)

        with watch("testing", int(engine.estimates.is_used.sum()) * 2) as bar:
            result = engine.assess(**drawn, is_last=not request.group, on_progress=bar.update)
        reasons = tables.explain_rejections(table, engine.estimates)
        return WindowWork(windows, engine.estimates, engine.p_values, result, reasons, assess, left_out)

    return OpenedBatch(request, placed, None, None, pd.Series(dtype=float), compute)


def _watch_nothing(_label: str, _total: int) -> Any:
    return contextlib.nullcontext(SimpleNamespace(update=lambda _: None))


@dataclass(frozen=True)
class BatchOutcome:
    """What a batch found, as written.

    Attributes
    ----------
    opened, works
        The batch, and every event window of it.
    aar : DataFrame
        ``aar.csv``.
    sample : dict
        ``sample.json``.
    """

    opened: OpenedBatch
    works: list[WindowWork]
    aar: pd.DataFrame
    sample: dict[str, Any]

    @cached_property
    def events(self) -> pd.DataFrame:
        """``events.csv``."""
        return pd.concat(list(self.iterate_rows()), ignore_index=True)

    def iterate_rows(self) -> Iterator[pd.DataFrame]:
        """``events.csv`` in parts, so that a large one need not be held."""
        for work in self.works:
            for cut in range(0, len(work.reasons), ROWS_AT_ONCE):
                yield _tabulate_events(self.opened, work, slice(cut, cut + ROWS_AT_ONCE))

    @property
    def words(self) -> list[pd.Series]:
        """The text of ``events.csv``, all of it at least once."""
        frame, aligned = self.opened.placed.frame, self.opened.placed.aligned
        said = [work.reasons for work in self.works] + ([] if aligned is None else [aligned.note])
        named = [
            " ".join(each)
            for work in self.works
            if work.estimates.controls is not None
            for each in work.estimates.controls
        ]
        texts = [frame["event_id"], frame["ticker"].cat.categories, frame["session"].cat.categories, named]
        return [pd.Series(text, dtype="str") for text in (*texts, *map(pd.unique, said))]


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

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pandas as pd
    >>> from event_impact import BatchRequest, run_batch
    >>> days = pd.bdate_range("2024-01-01", periods=300, name="date")
    >>> draws = np.random.default_rng(1).normal(0, 0.01, (300, 3))
    >>> pd.DataFrame(draws, days, ["A", "B", "SPY"]).to_csv("returns.csv")
    >>> events = pd.DataFrame({"event_id": [1, 2], "ticker": ["A", "B"], "session": ["2025-01-15", "2025-01-21"]})
    >>> events.to_csv("events.csv", index=False)
    >>> files = Path("returns.csv"), Path("events.csv")
    >>> done = run_batch(BatchRequest(*files, benchmark="SPY", out=Path("results")))
    >>> done.sample["n"], list(done.events["status"])
    (2, ['used', 'used'])
    """
    with contextlib.ExitStack() as stack:
        opened = open_batch(request, stack)
        return describe_batch(opened, [opened.work(event, watch) for event in request.windows])


def describe_batch(opened: OpenedBatch, works: list[WindowWork]) -> BatchOutcome:
    """All windows of a batch: one row an event and window, one a day and window, and the sample.

    The sample's first level is the first window, with its groups and traits; ``windows`` lists all of them, and
    ``p_holm`` adjusts the recommended p for their number.
    """
    request, first = opened.request, works[0]
    shared = ("model", "measure", "benchmark", "draws", "seed")
    sample = {
        "schema_version": SCHEMA_VERSION,
        "window": request.windows[0],
        "estimation_window": f"{first.windows.estimation_first}:{first.windows.estimation_last}",
    }
    sample |= {name: getattr(request, name) for name in shared} | {"impossible_returns": len(opened.impossible)}
    if opened.placed.aligned is not None:
        sample |= {"n_ambiguous": int(opened.placed.aligned.is_ambiguous.sum()), "ambiguous": request.ambiguous}
    used = np.flatnonzero(first.estimates.is_used)
    if request.group and used.size:
        sample |= _compare_groups(opened, first, used)
    if request.traits and used.size:
        sample["traits"] = _regress(opened, first, used, request.traits)
    windows = []
    for work, p in zip(works, holm([work.result.p_value for work in works]), strict=True):
        counts = {"n_rejected": int((work.reasons != "").sum()), "n_positive": int((work.estimates.car > 0).sum())}
        windows.append(describe_sample(work.result) | work.left_out | counts | {"p_holm": p})
    days = [_tabulate_days(work) for work in works]
    aar = pd.concat(days, ignore_index=True) if len(days) > 1 else days[0]
    return BatchOutcome(opened, works, aar, windows[0] | sample | {"windows": windows})


def _compare_groups(opened: OpenedBatch, work: WindowWork, used: np.ndarray) -> dict[str, Any]:
    """Each group as a sample of its own, and the tests that all groups share one mean CAR."""
    name = opened.request.group or ""
    labels = as_words(opened.placed.frame[name].iloc[used]).to_numpy(dtype=object)
    groups = {str(label): describe_sample(work.assess(used[labels == label])) for label in np.unique(labels)}
    return {"groups": groups, "group_difference": _regress(opened, work, used, (name,), fewest=3)}


def _regress(
    opened: OpenedBatch, work: WindowWork, used: np.ndarray, names: tuple[str, ...], *, fewest: int = 10
) -> dict[str, Any]:
    """Regressions of the CARs on columns of the events; a column that is not all numbers is taken as categories."""
    frame, chosen = opened.placed.frame.iloc[used], work.estimates.select(used)
    traits: dict[str, np.ndarray] = {}
    for name in names:
        numbers = pd.to_numeric(frame[name], errors="coerce")
        is_words = name == opened.request.group or (numbers.isna() & frame[name].notna()).any()
        column = as_words(frame[name]) if is_words else numbers
        traits[name] = column.to_numpy(dtype=object if is_words else float)
    try:
        found = regress_on_traits(
            chosen.car,
            chosen.car_std_error,
            lay_out_traits(traits, used.size, fewest=fewest),
            ticker=chosen.ticker_index,
            block=cut_blocks(chosen.session_index, work.windows.n_event).label,
            draws=opened.request.draws,
            seed=opened.request.seed,
        )
    except EstimationError as error:
        return {"note": f"{error.message} {error.hint}"}
    return {each.method: _describe_regression(each) for each in found}


def _describe_regression(found: TraitRegression) -> dict[str, Any]:
    columns = {
        name: {"coefficient": float(found.coefficients[k]), **describe_test(found.tests[k])}
        for k, name in enumerate(found.names)
    }
    return columns | {test.name: describe_test(test) for test in found.terms}


def _tabulate_events(opened: OpenedBatch, work: WindowWork, rows: slice) -> pd.DataFrame:
    estimates, aligned = work.estimates.select(rows), opened.placed.aligned
    frame, said, kind = opened.placed.frame.iloc[rows], work.reasons[rows], np.where(estimates.is_used, 0, 1)
    t, sample_quantile, conformal = (each[rows] for each in work.p_values)
    bhar, has_error = np.full(estimates.car.size, np.nan), estimates.model not in ESTIMATORS
    if work.result.bhar is not None:
        first = np.count_nonzero(work.estimates.is_used[: rows.start])
        bhar[estimates.is_used] = work.result.bhar[first : first + np.count_nonzero(estimates.is_used)]
    if aligned is not None:  # how one was resolved
        kind[aligned.is_ambiguous[rows] & (aligned.session[rows] == "")] = 2
        said = np.where(said == "", aligned.note[rows], said)
    is_unknown = np.isin(estimates.reason, (UNKNOWN_TICKER, UNKNOWN_SESSION, OUTSIDE_CALENDAR))
    words = {name: as_words(frame[name]).reset_index(drop=True) for name in ("event_id", "ticker", "session")}
    words |= {"status": pd.Series(["used", "rejected", "ambiguous"]).take(kind).reset_index(drop=True)}
    words |= {"reason": pd.Series(said, dtype="str")}
    columns: dict[str, Any] = {name: quote_formulas(column) for name, column in words.items()}
    columns |= {"n_estimation": pd.Series(estimates.n_estimation, dtype="Int64").mask(is_unknown)}
    columns |= {"car": estimates.car, "car_std_error": np.where(has_error, estimates.car_std_error, np.nan)}
    columns |= {"scar": estimates.scar, "t": np.where(has_error, estimates.scar, np.nan), "p_t": t}
    columns |= {"p_sample_quantile": sample_quantile, "p_conformal": conformal, "bhar": bhar}
    columns |= {"first": work.windows.event_first, "last": work.windows.event_last}
    if estimates.controls is not None:
        columns[CONTROLS] = quote_formulas(pd.Series([" ".join(names) for names in estimates.controls], dtype="str"))
    return pd.DataFrame(columns)


def _tabulate_days(work: WindowWork) -> pd.DataFrame:
    if work.result.days is None:
        return pd.DataFrame({name: [] for name in ("rel_session", "n", "aar", "caar", "first", "last")})
    days = work.result.days
    table = pd.DataFrame({name: getattr(days, name) for name in ("rel_session", "n", "aar", "caar")} | days.columns)
    reason = "empty: needs at least 2 events" if days.n < 2 else "empty: the events have no spread on this day"
    told = WITHOUT_PATELL.get(work.estimates.model)
    others = table.drop(columns=[name for name in days.columns if "patell" in name and told])
    notes = [reason if is_empty else f"no Patell: {told}" if told else "" for is_empty in others.isna().any(axis=1)]
    return table.assign(note=notes, first=work.windows.event_first, last=work.windows.event_last)


def describe_test(test: TestResult) -> dict[str, Any]:
    """One test as sample.json holds it."""
    numbers = {"statistic": test.statistic, "distribution": test.distribution or None, "df": test.df}
    return numbers | {"p": test.p_value, "null": test.null or None, "note": test.note or None}


def describe_sample(result: SampleResult) -> dict[str, Any]:
    """The statistics of some events over one window as sample.json holds them."""
    return record_of(result, SAMPLE) | {
        "recommended": result.recommended or None,
        "overlap": record_of(result, OVERLAP),
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

    contents: dict[str, Any] = {"sample.json": json.dumps(outcome.sample, indent=2, allow_nan=False) + "\n"}
    contents["events.csv"] = partial(_write_rows, outcome.iterate_rows(), outcome.words)
    contents["aar.csv"] = partial(_write_rows, [outcome.aar], [outcome.aar["note"]] if "note" in outcome.aar else [])
    if table_format == "parquet":
        contents |= {f"{name}.parquet": getattr(outcome, name).to_parquet(index=False) for name in ("events", "aar")}
    make_folder(out)
    replace_files({out / name: content for name, content in contents.items()})


def _write_rows(parts: Iterable[pd.DataFrame], words: Sequence[pd.Series], handle: BinaryIO) -> None:
    """A table as CSV with a plain header; missing cells are empty, text is quoted where some of it must be."""
    has_marks = any(text.str.contains('[",\\r\\n]').any() for text in words)
    style = arrow_csv.WriteOptions(include_header=False, quoting_style="needed" if has_marks else "none")
    for at, part in enumerate(parts):
        if not at:
            handle.write((",".join(part.columns) + "\n").encode())
        texts = {str(name): part[name].replace("", None) for name, kind in part.dtypes.items() if kind == "str"}
        arrow_csv.write_csv(pa.Table.from_pandas(part.assign(**texts), preserve_index=False), handle, style)
