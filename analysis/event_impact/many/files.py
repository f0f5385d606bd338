"""``impact batch``: many events over many tickers, opened from two files and computed one window at a time.

returns, events -> panel, placed events -> estimates -> tests
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from event_impact.base.errors import ConfigError, DataError
from event_impact.many import file_tables as tables
from event_impact.many.cluster import ClusterEngine, Source, choose_scheduler, open_client
from event_impact.many.engine import EventEstimates, EventWindows, estimate_events
from event_impact.many.event_instants import AlignedEvents
from event_impact.many.file_tables import EventTable
from event_impact.many.layout import FACTORS_OF_MODEL, BatchDesign, BatchPanel, check_batch_model, lay_out_model
from event_impact.many.sample import SampleResult, assess_sample
from event_impact.many.sample_days import hold_shares
from event_impact.many.sample_events import EventPValues, judge_events


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
    reasons : list of str
        Why an event has no estimate; empty for the used ones.
    assess : callable
        The statistics of some of the events, by their positions.
    """

    windows: EventWindows
    estimates: EventEstimates
    p_values: EventPValues
    result: SampleResult
    reasons: list[str]
    assess: Callable[[np.ndarray], SampleResult]


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

    for event in request.windows:
        request.lay_window(event)
    _check_request(request)
    scheduler = choose_scheduler(request.scheduler, request.returns) if frames is None else None
    returns, events = (None, tables.read_events(request.events)) if frames is None else frames
    _check_columns(events, request)
    aligned = tables.align_table(events, calendar=request.calendar, ambiguous=request.ambiguous)
    if scheduler is None:
        return _open_here(request, events, aligned, returns)
    asked = [f"--{name}" for name, plain in (("measure", "returns"), ("bhar", "model")) if vars(request)[name] != plain]
    if asked:
        raise ConfigError(f"{' and '.join(asked)} need the returns in one process.", "Leave --scheduler out.")
    return _open_on_cluster(request, events, aligned, stack.enter_context(open_client(scheduler)))


def _check_request(request: BatchRequest) -> None:
    check_batch_model(request.model)
    if request.model in FACTORS_OF_MODEL and request.factors is None:
        raise ConfigError(f"Model {request.model} needs daily factors.", "Name their file with --factors.")
    if request.ambiguous not in ("reject", "first", "last"):
        raise ConfigError(f"Unknown choice {request.ambiguous!r} for --ambiguous.", "Use reject, first or last.")
    if request.measure not in tables.MEASURES:
        raise ConfigError(f"Unknown measure {request.measure!r}.", f"Use one of {', '.join(tables.MEASURES)}.")
    if request.measure == "volatility" and request.model != "constant_mean":
        raise ConfigError("Volatility is compared with its own mean.", "Add --model constant_mean.")
    if request.measure == "volume" and request.model not in ("market", "constant_mean"):
        raise ConfigError(f"Model {request.model} explains returns, not volume.", "Use market or constant_mean.")


def _open_here(
    request: BatchRequest, events: pd.DataFrame, aligned: AlignedEvents | None, returns: pd.DataFrame | None
) -> OpenedBatch:
    """In this process, on some threads."""
    allow_large = request.allow_large or request.measure == "volume"
    if returns is None:
        returns = tables.read_returns(request.returns, allow_large=allow_large)
    returns, impossible = tables.set_aside_impossible(returns, allow_large=allow_large)
    returns = tables.lay_calendar(returns, request.calendar, request.returns)
    factors = None
    if request.factors and request.model in FACTORS_OF_MODEL:
        factors = tables.read_factors(request.factors, request.model)
    tables.check_benchmark(returns, request.benchmark, request.returns)
    measured = tables.take_measure(returns, request.measure, request.benchmark)
    panel = tables.build_panel(measured, benchmark=request.benchmark, factors=factors)
    placed, design = tables.place_events(events, panel, aligned), lay_out_model(panel, request.model)
    settings: dict[str, Any] = {"draws": request.draws, "seed": request.seed}
    settings["is_activity"] = request.measure != "returns"

    def compute(windows: EventWindows, watch: Any) -> WindowWork:
        places = placed.ticker_index, placed.session_index
        estimates = estimate_events(design, *places, windows=windows, workers=request.workers)
        held = _hold_comparison(request, panel, placed, estimates)

        def assess(positions: np.ndarray) -> SampleResult:
            chosen = None if held is None else held[positions]
            return assess_sample(design, estimates.select(positions), held=chosen, **settings)

        with watch("testing", int(estimates.is_used.sum()) * 2) as bar:
            more: dict[str, Any] = {"workers": request.workers, "on_progress": bar.update, **settings}
            result = assess_sample(design, estimates, held=held, **more)
        reasons = tables.explain_rejections(placed, estimates, panel=panel, impossible=impossible)
        return WindowWork(windows, estimates, judge_events(design, estimates), result, reasons, assess)

    return OpenedBatch(request, placed, panel, design, impossible, compute)


def _hold_comparison(
    request: BatchRequest, panel: BatchPanel, placed: EventTable, estimates: EventEstimates
) -> np.ndarray | None:
    """What the benchmark, or the matched firms named beside each event, earned over its window; NaN where unknown."""

    if request.bhar == "model":
        return None
    names = [request.benchmark] * len(placed.frame)
    if request.bhar != "benchmark":
        names = (
            placed.frame[request.bhar].astype(object).where(placed.frame[request.bhar].notna(), "").astype(str).tolist()
        )
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

    extent = tables.survey_returns(request.returns)
    sessions = tables.lay_sessions(extent.sessions, request.calendar, request.returns)
    if request.benchmark not in extent.tickers:
        held = len(extent.tickers)
        raise DataError(f"Benchmark {request.benchmark} is not among the {held} tickers of {request.returns}.")
    placed = tables.place_on(events, extent.tickers, sessions, aligned)
    factors = request.factors.resolve() if request.factors and request.model in FACTORS_OF_MODEL else None
    source = Source(request.returns.resolve(), request.benchmark, request.model, factors, sessions, request.allow_large)

    def compute(windows: EventWindows, watch: Any) -> WindowWork:
        engine = ClusterEngine(
            client, source, extent.tickers, placed.ticker_index, placed.session_index, windows=windows
        )

        def assess(positions: np.ndarray) -> SampleResult:
            return engine.assess(positions, draws=request.draws, seed=request.seed)

        with watch("testing", int(engine.estimates.is_used.sum()) * 2) as bar:
            result = engine.assess(draws=request.draws, seed=request.seed, on_progress=bar.update)
        reasons = tables.explain_rejections(placed, engine.estimates)
        return WindowWork(windows, engine.estimates, engine.judge(), result, reasons, assess)

    return OpenedBatch(request, placed, None, None, pd.Series(dtype=float), compute)


def _watch_nothing(_label: str, _total: int) -> Any:
    return contextlib.nullcontext(SimpleNamespace(update=lambda _: None))


def _check_columns(events: pd.DataFrame, request: BatchRequest) -> None:

    asked = [*([request.group] if request.group else []), *request.traits]
    asked += [request.bhar] if request.bhar not in ("model", "benchmark") else []
    lacking = [name for name in asked if name not in events]
    if lacking:
        raise ConfigError(f"The events have no column {', '.join(lacking)}.", f"They have {', '.join(events.columns)}.")
