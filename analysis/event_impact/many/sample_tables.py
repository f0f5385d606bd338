"""A batch run and as its files hold it: events.csv, aar.csv and sample.json."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from event_impact.base.disk import make_folder, replace_files
from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, record_of
from event_impact.inference.parametric import holm
from event_impact.many.dependence import cut_blocks
from event_impact.many.engine import OUTSIDE_CALENDAR, UNKNOWN_SESSION, UNKNOWN_TICKER
from event_impact.many.file_tables import EventTable, quote_formulas
from event_impact.many.files import BatchRequest, OpenedBatch, WindowWork, open_batch
from event_impact.many.sample import SampleResult
from event_impact.many.traits import TraitRegression, lay_out_traits, regress_on_traits

SCHEMA_VERSION = 1
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
        return BatchOutcome(*describe_batch(opened, [opened.work(event, watch) for event in request.windows]))


def describe_batch(opened: OpenedBatch, works: list[WindowWork]) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
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
    adjusted = holm([work.result.p_value for work in works])
    windows = [
        describe_sample(work.result)
        | {"n_rejected": sum(map(bool, work.reasons)), "n_positive": int((work.estimates.car > 0).sum()), "p_holm": p}
        for work, p in zip(works, adjusted, strict=True)
    ]
    events = pd.concat([_tabulate_events(opened, work) for work in works], ignore_index=True)
    days = pd.concat([_tabulate_days(work) for work in works], ignore_index=True)
    return events, days, windows[0] | sample | {"windows": windows}


def _compare_groups(opened: OpenedBatch, work: WindowWork, used: np.ndarray) -> dict[str, Any]:
    """Each group as a sample of its own, and the tests that all groups share one mean CAR."""
    name = opened.request.group or ""
    labels = _read_words(opened.placed.frame[name].iloc[used])
    groups = {str(label): describe_sample(work.assess(used[labels == label])) for label in np.unique(labels)}
    return {"groups": groups, "group_difference": _regress(opened, work, used, (name,), fewest=3)}


def _read_words(column: pd.Series) -> np.ndarray:
    return column.astype(object).where(column.notna(), "").astype(str).to_numpy()


def _regress(
    opened: OpenedBatch, work: WindowWork, used: np.ndarray, names: tuple[str, ...], *, fewest: int = 10
) -> dict[str, Any]:
    """Regressions of the CARs on columns of the events; a column that is not all numbers is taken as categories."""
    frame, chosen = opened.placed.frame.iloc[used], work.estimates.select(used)
    traits: dict[str, np.ndarray] = {}
    for name in names:
        numbers = pd.to_numeric(frame[name], errors="coerce")
        is_words = name == opened.request.group or (numbers.isna() & frame[name].notna()).any()
        traits[name] = _read_words(frame[name]) if is_words else numbers.to_numpy(dtype=float)
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


def _explain_all(placed: EventTable, reasons: list[str]) -> list[str]:
    """Why an event was rejected, or how an ambiguous one was resolved."""
    if placed.aligned is None:
        return reasons
    return [reason or str(note) for reason, note in zip(reasons, placed.aligned.note, strict=True)]


def _find_status(placed: EventTable, work: WindowWork) -> np.ndarray:
    """``used``, ``rejected``, or ``ambiguous`` for one that was rejected for that."""
    status = np.where(work.estimates.is_used, "used", "rejected").astype(object)
    if placed.aligned is not None:
        status[placed.aligned.is_ambiguous & (placed.aligned.session == "")] = "ambiguous"
    return status


def _tabulate_events(opened: OpenedBatch, work: WindowWork) -> pd.DataFrame:
    placed, estimates, p = opened.placed, work.estimates, work.p_values
    frame = placed.frame
    bhar = np.full(estimates.car.size, np.nan)
    if work.result.bhar is not None:
        bhar[estimates.is_used] = work.result.bhar
    is_counted = ~np.isin(estimates.reason, (UNKNOWN_TICKER, UNKNOWN_SESSION, OUTSIDE_CALENDAR))
    return pd.DataFrame(
        {
            "event_id": quote_formulas(frame["event_id"].tolist()),
            "ticker": quote_formulas(frame["ticker"].tolist()),
            "session": quote_formulas(frame["session"].tolist()),
            "status": _find_status(placed, work),
            "reason": quote_formulas(_explain_all(placed, work.reasons)),
            "n_estimation": pd.array(estimates.n_estimation, dtype="Int64"),
            "car": estimates.car,
            "car_std_error": estimates.car_std_error,
            "scar": estimates.scar,
            "t": estimates.scar,
            "p_t": p.t,
            "p_sample_quantile": p.sample_quantile,
            "p_conformal": p.conformal,
            "bhar": bhar,
            "first": work.windows.event_first,
            "last": work.windows.event_last,
        }
    ).assign(n_estimation=lambda table: table["n_estimation"].mask(~is_counted))


def _tabulate_days(work: WindowWork) -> pd.DataFrame:
    if work.result.days is None:
        return pd.DataFrame({name: [] for name in ("rel_session", "n", "aar", "caar", "first", "last")})
    days = work.result.days
    table = pd.DataFrame(
        {"rel_session": days.rel_session, "n": days.n, "aar": days.aar, "caar": days.caar, **days.columns}
    )
    reason = "empty: needs at least 2 events" if days.n < 2 else "empty: the events have no spread on this day"
    notes = [reason if is_empty else "" for is_empty in table.isna().any(axis=1)]
    return table.assign(note=notes, first=work.windows.event_first, last=work.windows.event_last)


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

    contents: dict[str, str | bytes] = {"sample.json": json.dumps(outcome.sample, indent=2, allow_nan=False) + "\n"}
    for name, table in (("events", outcome.events), ("aar", outcome.aar)):
        contents[f"{name}.csv"] = _write_rows(table)
        if table_format == "parquet":
            contents[f"{name}.parquet"] = table.to_parquet(index=False)
    make_folder(out)
    replace_files({out / name: content for name, content in contents.items()})


def _write_rows(table: pd.DataFrame) -> bytes:
    """A table as CSV with a plain header; missing cells are empty, text is quoted where some of it must be."""
    arrow = pa.Table.from_pandas(table.replace({"": None}), preserve_index=False)
    head = (",".join(table.columns) + "\n").encode()
    for style in ("none", "needed"):
        stream = pa.BufferOutputStream()
        with contextlib.suppress(pa.ArrowInvalid):
            arrow_csv.write_csv(arrow, stream, arrow_csv.WriteOptions(include_header=False, quoting_style=style))
            break
    return head + bytes(stream.getvalue())
