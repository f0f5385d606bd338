"""Reads the two tables of a batch: returns of many tickers, and the events.

Both may be CSV or Parquet. Whatever cannot be understood is refused with its place; an event that
cannot be placed keeps its row and gets a reason. Events may be given as publication times: an instant
(``published_earliest`` alone) or an interval ``[published_earliest, published_latest)`` in UTC, with the market identifier
of its ``exchange``. Nothing is moved without a word: an event that can belong to several sessions is refused, or
resolved as asked, and says so.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from event_impact.base.errors import AlignmentError, DataError
from event_impact.many import engine as batch
from event_impact.many.engine import EventEstimates
from event_impact.many.layout import FACTORS_OF_MODEL, BatchPanel

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

LARGE_MEDIAN = 0.2  # of absolute returns: a fraction of that size is no typical daily return
MISSING_MARKS = ("", "nan", "na", "n/a", "null", "none")
LONG_COLUMNS = ("date", "ticker", "ret")
RETURN_NAMES = ("return", "returns")  # understood in place of ``ret``
SNIFFED_BYTES = 65_536
DOTTED_DAY = r"\d{1,2}\.\d{1,2}\.\d{4}"
EARLIEST, LATEST, EXCHANGE = "published_earliest", "published_latest", "exchange"
HAS_ZONE = r"(?:Z|[+-]\d{2}:?\d{2})$"
MEASURES = ("returns", "volume", "volatility")
CONTROLS = "controls"


@dataclass(frozen=True)
class AlignedEvents:
    """Sessions of events that were given as publication times.

    Attributes
    ----------
    session : str array (events,)
        ``YYYY-MM-DD``, empty where there is none.
    reason : str array (events,)
        Why an event has no session; empty where it has one.
    note : str array (events,)
        How an ambiguous event was resolved; empty for the others.
    is_ambiguous : bool array (events,)
        More than one session is possible, whatever was done about it.
    """

    session: np.ndarray
    reason: np.ndarray
    note: np.ndarray
    is_ambiguous: np.ndarray


@dataclass(frozen=True)
class EventTable:
    """Events placed on a panel.

    Attributes
    ----------
    frame : DataFrame
        ``event_id`` as text, ``ticker, session`` as categories, then the other columns of the file; one row an event.
    ticker_index, session_index : int arrays (events,)
        Place in the panel, -1 where there is none.
    reason : array (events,) of str
        Why an event cannot be placed; empty where it can.
    aligned : AlignedEvents, optional
        How publication times became sessions, where times were given.
    """

    frame: pd.DataFrame
    ticker_index: np.ndarray
    session_index: np.ndarray
    reason: np.ndarray
    aligned: AlignedEvents | None = None


def _read_csv_or_parquet(path: Path) -> pd.DataFrame:
    """A CSV or Parquet file as a frame, with the errors of reading said in one sentence."""
    if not path.is_file():
        raise DataError(f"Expected a CSV or Parquet file, found none at {path}.", "Check the path.")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pd.read_parquet(path, read_dictionary=["ticker", "session"])
        # "NA" and "NAN" are tickers; only an empty cell is missing
        text = dict.fromkeys(("event_id", "ticker", "date", "session", EARLIEST, LATEST, EXCHANGE), str)
        table: pd.DataFrame = pd.read_csv(
            path, dtype=text, keep_default_na=False, na_values=[""], **sniff_dialect(path)
        )
        return table
    except (ValueError, OSError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read: {first}.", "Give a CSV in UTF-8 or a Parquet file.") from error


def sniff_dialect(path: Path) -> dict[str, Any]:
    """How a spreadsheet wrote its CSV: encoding by its mark, semicolons or tabs, decimal commas, a ``sep=`` line.

    Raises
    ------
    DataError
        If numbers with decimal commas and with decimal points stand in one file.
    """
    with path.open("rb") as file:
        raw = file.read(SNIFFED_BYTES)
    if raw.startswith(b"PK\x03\x04"):
        raise DataError(f"{path} is a workbook, no CSV.", "Save its sheet as CSV.")
    is_wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    start = raw.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")
    first, _, rest = start.partition("\n")
    skipped = int(first.strip().lower().startswith("sep="))
    separator = first.strip()[4:5] if skipped else max(",;\t", key=first.count)
    found = {"sep": separator or ",", "skiprows": skipped, "encoding": "utf-16" if is_wide else "utf-8-sig"}
    if separator == ",":
        return found
    cells = rest.replace("\r", "").replace('"', "").replace("\n", separator).split(separator)
    marks = {mark for cell in cells for mark in ",." if re.fullmatch(rf"[+-]?\d+\{mark}\d+(?:[eE][+-]?\d+)?", cell)}
    if len(marks) > 1:
        raise DataError(f"{path} has decimal commas and decimal points.", "Write all numbers one way.")
    return found | {"decimal": "," if "," in marks else "."}


def read_returns(path: Path, *, allow_large: bool = False, tickers: Sequence[str] | None = None) -> pd.DataFrame:
    """Returns as a frame of sessions x tickers, from a long (``date,ticker,ret``) or wide table.

    Parameters
    ----------
    tickers : sequence of str, optional
        Read only these from a Parquet file, without touching the others.

    Raises
    ------
    DataError
        For unreadable dates or numbers, repeated rows, or (unless ``allow_large``) a median size above 0.2, which
        speaks of percent or of prices.
    """
    table = _name_returns(_read_csv_or_parquet(path), path) if tickers is None else read_tickers(path, tickers)
    if set(LONG_COLUMNS) <= set(table.columns):
        wide = _widen(table, path)
    else:
        first = str(table.columns[0]) if table.columns.size else ""
        if first != "date":
            said = f"Expected the columns date,ticker,ret or a first column date in {path}, found {first!r} first."
            raise DataError(said, "Rename the columns.")
        wide = table.set_index("date")
        wide.columns = wide.columns.astype(str)
        if wide.columns.has_duplicates:
            repeated = wide.columns[wide.columns.duplicated()][0]
            raise DataError(f"Ticker {repeated} has more than one column in {path}.", "Keep one.")
    wide.index = _read_dates(pd.Series(wide.index), path)
    if wide.index.has_duplicates:
        raise DataError(f"Date {wide.index[wide.index.duplicated()][0].date()} appears twice in {path}.", "Keep one.")
    wide = _read_numbers(wide.sort_index(), path)
    _check_sizes(wide, path, allow_large=allow_large)
    return wide


@contextmanager
def _open_parquet(path: Path) -> Iterator["ParquetFile"]:
    """A Parquet file of returns, with the errors of reading said in one sentence."""
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            yield file
    except (ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet ({error}).", "Write the returns as Parquet.") from error


def survey_returns(path: Path) -> tuple[tuple[str, ...], pd.DatetimeIndex]:
    """Tickers of a Parquet file of returns, in the order of :func:`read_returns`, and its dates; no return is read.

    Raises
    ------
    DataError
        If it is no readable Parquet file of returns.
    """
    with _open_parquet(path) as file:
        names = [field.name for field in file.schema_arrow]
        is_long = set(LONG_COLUMNS) <= set(names)
        if not is_long and (not names or names[0] != "date"):
            raise DataError(f"Expected date,ticker,ret or a first column date in {path}.", "Rename the columns.")
        dates, tickers = pd.Index([]), pd.Index([])
        for group in range(file.num_row_groups):
            part = file.read_row_group(group, columns=["date", "ticker"] if is_long else ["date"])
            dates = dates.union(pd.Index(part["date"].unique().to_pandas()))
            if is_long:
                tickers = tickers.union(pd.Index(part["ticker"].unique().to_pandas().astype(str)))
    held = tuple(map(str, tickers.sort_values() if is_long else names[1:]))
    return held, _read_dates(pd.Series(dates), path).sort_values()


def count_cells(path: Path) -> int:
    """Returns that a Parquet file stores, from its own description.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    with _open_parquet(path) as file:
        stored = file.metadata
    is_long = {"date", "ticker"} <= set(stored.schema.names)
    return int(stored.num_rows) * (1 if is_long else max(stored.num_columns - 1, 1))


def read_tickers(path: Path, tickers: Sequence[str]) -> pd.DataFrame:
    """Some tickers of a Parquet file of returns, as :func:`_read_csv_or_parquet` would give them.

    Of the long form one row group is held at a time; those that their statistics show to lack the tickers are not read.
    """
    import pyarrow as pa
    from pyarrow.compute import is_in

    with _open_parquet(path) as file:
        if not set(LONG_COLUMNS) <= set(file.schema_arrow.names):
            return pd.read_parquet(path, columns=["date", *tickers])
        wanted = sorted(tickers)
        column, kept = file.schema_arrow.names.index("ticker"), file.schema_arrow.empty_table().select(LONG_COLUMNS)
        for group in range(file.num_row_groups):
            held = file.metadata.row_group(group).column(column).statistics
            is_told = isinstance(getattr(held, "min", None), str)
            if not is_told or bisect_left(wanted, held.min) < bisect_right(wanted, held.max):
                rows = file.read_row_group(group, columns=list(LONG_COLUMNS)).select(LONG_COLUMNS)
                is_wanted = is_in(rows["ticker"].cast(pa.large_string()), pa.array(wanted, pa.large_string()))
                kept = pa.concat_tables([kept, rows.filter(is_wanted)])
    return pd.DataFrame(kept.to_pandas())


def _name_returns(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The long form under its own names; another third column is refused."""
    if not {"date", "ticker"} <= set(table.columns) or "ret" in table.columns:
        return table
    understood = [name for name in RETURN_NAMES if name in table.columns]
    if len(understood) != 1:
        others = ", ".join(str(name) for name in table.columns if name not in ("date", "ticker"))
        raise DataError(f"Expected date,ticker,ret in {path}, found {others} beside date and ticker.", "Name it ret.")
    return table.rename(columns={understood[0]: "ret"})


def _widen(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    if table["ticker"].isna().any():
        raise DataError(f"{int(table['ticker'].isna().sum())} rows of {path} have no ticker.", "Name or remove them.")
    code, words = _factorize(table["ticker"])
    place, tickers = pd.factorize(as_words(words), sort=True)
    rows, dates = pd.factorize(table["date"], sort=True, use_na_sentinel=False)
    cells = rows.astype(np.int64) * len(tickers) + place[code]
    if np.bincount(cells, minlength=1).max() > 1:
        twice = pd.Index(cells).duplicated()
        row = table.loc[twice].iloc[0]
        said = f"{path} has {int(twice.sum())} repeated rows, the first for {row['ticker']} on {row['date']}."
        raise DataError(said, "Keep one return a ticker and date.")
    returns = table["ret"].to_numpy(dtype=float if pd.api.types.is_numeric_dtype(table["ret"]) else object)
    wide = np.full((len(dates), len(tickers)), np.nan, dtype=returns.dtype)
    wide.reshape(-1)[cells] = returns
    return pd.DataFrame(wide, pd.Index(dates, name="date"), pd.Index(tickers))


def _read_dates(labels: pd.Series, path: Path) -> pd.DatetimeIndex:
    """Session labels from dates; a time of day is refused rather than cut off."""
    if pd.api.types.is_numeric_dtype(labels):
        raise DataError(f"Expected dates like 2026-02-02 in {path}, found the number {labels.iloc[0]}.", "Write dates.")
    dates = _parse_dates(labels)
    if dates.isna().any():
        bad = labels[dates.isna().to_numpy()].iloc[0]
        raise DataError(f"Expected dates like 2026-02-02 in {path}, found {bad!r}.", "Write every date as YYYY-MM-DD.")
    if dates.dt.tz is not None or (dates != dates.dt.normalize()).any():
        raise DataError(f"Expected session dates in {path}, found times of day.", "Write every date as YYYY-MM-DD.")
    return pd.DatetimeIndex(dates.astype("datetime64[s]"), name="date")


def _parse_dates(labels: pd.Series, *, utc: bool = False) -> pd.Series:
    """ISO dates, or days written 2.2.2026 as no locale writes months; NaT for anything else."""
    if labels.dtype.kind == "M":
        return pd.to_datetime(labels, errors="coerce", utc=utc)
    held = labels.dropna().astype(str)
    is_dotted = bool(held.size) and bool(held.str.fullmatch(DOTTED_DAY).all())
    return pd.Series(pd.to_datetime(labels, errors="coerce", format="%d.%m.%Y" if is_dotted else "ISO8601", utc=utc))


def _read_numbers(wide: pd.DataFrame, path: Path) -> pd.DataFrame:
    for name in wide.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in wide.dtypes]]:
        column = wide[name].where(~wide[name].astype(str).str.strip().str.lower().isin(MISSING_MARKS))
        numbers = pd.to_numeric(column, errors="coerce")
        bad = numbers.isna() & column.notna()
        if bad.any():
            at = bad.index[bad][0]
            said = f"Expected a number for {name} on {at.date()} in {path}, found {column.loc[at]!r}."
            raise DataError(said, "Leave the cell empty where there is no return.")
        wide = wide.assign(**{name: numbers})
    return wide.astype(np.float64)


def _check_sizes(wide: pd.DataFrame, path: Path, *, allow_large: bool) -> None:
    values = wide.to_numpy()
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise DataError(f"{path} holds no return.", "Check the columns and the missing-value marks.")
    n_large = np.count_nonzero(np.abs(finite) > LARGE_MEDIAN)  # of fewer than half, the median need not be sought
    if 2 * n_large >= finite.size and not allow_large and (median := float(np.median(np.abs(finite)))) > LARGE_MEDIAN:
        kind = "prices" if (finite > 0).all() else "percent"
        cure = "C_t/C_(t-1) - 1" if kind == "prices" else "the values divided by 100"
        said = f"Expected returns as fractions in {path}, found a median size of {median:.3g}: these look like {kind}."
        raise DataError(said, f"Give {cure}, or pass --allow-large if they are right.")


def set_aside_impossible(wide: pd.DataFrame, *, allow_large: bool = False) -> tuple[pd.DataFrame, pd.Series]:
    """Returns without what no share can do, below -100 % or infinite, and those values by date and ticker.

    ``allow_large`` keeps finite values, as returns in percent or of spreads are meant.
    """
    values = wide.to_numpy()
    is_impossible = np.isinf(values) if allow_large else np.isinf(values) | (values < -1.0)
    if not is_impossible.any():
        return wide, pd.Series(dtype=float)
    rows, columns = np.nonzero(is_impossible)
    places = pd.MultiIndex.from_arrays([wide.index[rows], wide.columns[columns]])
    return wide.mask(is_impossible), pd.Series(values[rows, columns], index=places)


def take_measure(wide: pd.DataFrame, measure: str, benchmark: str) -> pd.DataFrame:
    """What a sample is about, in logarithms where it is not returns.

    ``volume``: the logarithm of the file's volumes (Ajinkya and Jain 1989). ``volatility``: of the returns' distance
    from the benchmark's, so that the mean over a window is the log of a typical move against the usual one. Where it is
    zero there is no logarithm, and the session counts as missing.
    """
    if measure == "returns":
        return wide
    size = wide if measure == "volume" else wide.sub(wide[benchmark], axis=0).abs()
    return pd.DataFrame(np.log(size.where(size > 0)))


def read_factors(path: Path, model: str) -> pd.DataFrame:
    """Daily factors as fractions, a frame of sessions x the factors that the model needs."""
    table = _read_csv_or_parquet(path)
    needed = FACTORS_OF_MODEL[model]
    if lacking := [name for name in ("date", *needed) if name not in table.columns]:
        raise DataError(f"Model {model} needs the columns {', '.join(lacking)} in {path}.", "Add or rename them.")
    factors = table.set_index("date")[list(needed)]
    factors.index = _read_dates(pd.Series(factors.index), path)
    factors = _read_numbers(factors, path)
    _check_sizes(factors, path, allow_large=False)
    if infinite := int(np.isinf(factors.to_numpy()).sum()):
        raise DataError(f"{path} has {infinite} infinite factor returns.", "Leave the cell empty where there is none.")
    return factors


def lay_sessions(dates: pd.DatetimeIndex, mic: str | None, path: Path) -> pd.DatetimeIndex:
    """The calendar of some dates: the sessions of an exchange, or the dates themselves.

    Raises
    ------
    AlignmentError
        If the exchange is unknown.
    DataError
        If there are dates on which the exchange is closed.
    """
    if mic is None:
        return dates
    from event_impact.events.calendars import load_hours

    sessions = load_hours(mic).between(dates[0], dates[-1])
    closed = dates.difference(sessions)
    if closed.size:
        said = f"{path} has {closed.size} dates on which {mic} is closed, the first {closed[0].date()}."
        raise DataError(said, "Remove them, or leave --calendar out to count the dates of the file.")
    return pd.DatetimeIndex(sessions.astype("datetime64[s]"))


def check_benchmark(returns: pd.DataFrame, benchmark: str, path: Path) -> None:
    """Refuse a benchmark that is not among the tickers, or has no return.

    Raises
    ------
    DataError
    """
    if benchmark not in returns.columns:
        said = f"Benchmark {benchmark} is not among the {returns.shape[1]} tickers of {path}."
        raise DataError(said, "Add its returns.")
    if not np.isfinite(returns[benchmark].to_numpy()).any():
        raise DataError(f"Benchmark {benchmark} has no return in {path}.", "Add its returns.")


def build_panel(returns: pd.DataFrame, *, benchmark: str, factors: pd.DataFrame | None = None) -> BatchPanel:
    """The engine's panel from a frame of sessions x tickers that has the benchmark."""
    aligned = {}
    if factors is not None:
        aligned = {str(name): factors[name].reindex(returns.index).to_numpy() for name in factors}
    return BatchPanel(
        sessions=returns.index.to_numpy(),
        tickers=tuple(returns.columns),
        returns=returns.to_numpy().T,
        benchmark=returns[benchmark].to_numpy(),
        factors=aligned,
    )


def read_events(path: Path) -> pd.DataFrame:
    """The table of events: ``ticker`` and ``session`` (or ``date``), optionally ``event_id`` and more.

    In place of sessions it may give publication times.

    Raises
    ------
    DataError
        If a column is missing, there is no row, or an ``event_id`` is empty or repeated.
    """
    table = _read_csv_or_parquet(path)
    if "session" not in table.columns and "date" in table.columns:
        table = table.rename(columns={"date": "session"})
    if EARLIEST in table.columns and not {"session", "date"} & set(table.columns):  # publication times
        table = table.assign(session="")
    if lacking := [name for name in ("ticker", "session") if name not in table.columns]:
        hint = "Write event_id,ticker,session, or event_id,ticker,published_earliest,published_latest,exchange."
        raise DataError(f"Expected the columns {', '.join(lacking)} in {path}.", hint)
    if table.empty:
        raise DataError(f"{path} holds no event.", "Add one row an event: event_id,ticker,session.")
    if "event_id" not in table.columns:
        table = table.assign(event_id=[str(number) for number in range(1, len(table) + 1)])
    if table["event_id"].isna().any():
        raise DataError(f"{int(table['event_id'].isna().sum())} events of {path} have no event_id.", "Name them.")
    table["event_id"] = table["event_id"].astype(str)
    if table["event_id"].nunique() < len(table):
        twice = table["event_id"][table["event_id"].duplicated()].iloc[0]
        raise DataError(f"event_id {twice} appears more than once in {path}.", "Give every event its own.")
    first = ["event_id", "ticker", "session"]
    return table[[*first, *(name for name in table.columns if name not in first)]].reset_index(drop=True)


def align_events(events: pd.DataFrame, *, calendar: str | None = None, ambiguous: str = "reject") -> AlignedEvents:
    """Bring publication times onto the sessions of their exchanges.

    Parameters
    ----------
    events : DataFrame
        ``published_earliest``; ``published_latest`` and ``exchange`` where given. Without ``exchange``
        every event is of ``calendar``.
    ambiguous : str
        ``reject``, ``first`` or ``last`` candidate session.

    Raises
    ------
    DataError
        If there is neither an ``exchange`` column nor a calendar, or an instant column has no zone.
    """
    n = len(events)
    if EXCHANGE not in events.columns and calendar is None:
        said = f"The events give publication times, but no column {EXCHANGE}."
        raise DataError(said, "Add one, or name --calendar for all.")
    earliest, fault = parse_instants(events[EARLIEST], EARLIEST)
    latest, late_fault = earliest.copy(), np.full(n, "", dtype=object)
    if LATEST in events.columns:
        given = events[LATEST].notna().to_numpy() & (events[LATEST].astype(str) != "").to_numpy()
        parsed, late_fault = parse_instants(events[LATEST], LATEST)
        latest, late_fault = np.where(given, parsed, latest), np.where(given, late_fault, "")
    reason = np.where(fault != "", fault, late_fault)
    backwards = (reason == "") & (latest < earliest)
    reason[backwards] = f"{LATEST} lies before {EARLIEST}"
    aligned = AlignedEvents(np.full(n, "", dtype=object), reason, np.full(n, "", dtype=object), np.zeros(n, dtype=bool))
    named = as_words(events.get(EXCHANGE, pd.Series("", events.index)))
    exchanges = named.where(named != "", calendar or "").to_numpy(dtype=object)
    for exchange in pd.unique(exchanges):
        at = np.flatnonzero((exchanges == exchange) & (reason == ""))
        if at.size:
            _align_exchange(aligned, at, str(exchange), earliest[at], latest[at], ambiguous)
    return aligned


def _align_exchange(
    aligned: AlignedEvents, at: np.ndarray, exchange: str, earliest: np.ndarray, latest: np.ndarray, ambiguous: str
) -> None:
    """Fill in the events of one exchange."""
    from event_impact.events.calendars import find_candidates, load_hours  # they take a quarter of a second to load

    try:
        hours = load_hours(exchange)
    except AlignmentError as error:
        aligned.reason[at] = error.message.rstrip(".") if exchange else "no exchange is given"
        return
    labels = np.datetime_as_string(hours.sessions.to_numpy().astype("datetime64[D]")).astype(object)
    found = find_candidates(hours, earliest, latest)
    aligned.reason[at[~found.is_known]] = f"published outside the known calendar of {exchange}"
    several = np.flatnonzero(found.is_known & ~found.is_unique)
    aligned.is_ambiguous[at[several]] = True
    chosen = np.where(found.is_known, found.last if ambiguous == "last" else found.first, 0)
    session = np.where(found.is_known, labels[chosen], "")
    for place in several:
        first, last = int(found.first[place]), int(found.last[place])
        count, joint = last - first + 1, "and" if last - first == 1 else "to"
        said = f"{count} sessions of {exchange} are possible, {labels[first]} {joint} {labels[last]}"
        if ambiguous == "reject":
            aligned.reason[at[place]], session[place] = said, ""
        else:
            aligned.note[at[place]] = f"{ambiguous} taken: {said}"
    aligned.session[at] = session


def parse_instants(column: pd.Series, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Instants in UTC as datetime64[ns] (NaT where there is none), and the fault of each in words.

    Raises
    ------
    DataError
        If the column holds instants without a zone, or numbers.
    """
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        values = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
        return values, np.where(np.isnat(values), f"no {name} is given", "").astype(object)
    if column.dtype.kind in "Miuf" and column.notna().any():
        raise DataError(f"The column {name} holds no instants in UTC.", "Write them as 2026-02-02T14:30:00Z.")
    text = column.astype(object).where(column.notna(), "").astype(str)
    is_instant = text.str.contains("T", regex=False) & text.str.contains(HAS_ZONE, regex=True)
    parsed = pd.to_datetime(text.where(is_instant), errors="coerce", format="ISO8601", utc=True)
    values = parsed.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
    fault = np.full(len(column), "", dtype=object)
    for at in np.flatnonzero(np.isnat(values)):
        shown = text.iloc[at]
        fault[at] = f"{name} {shown!r} is no instant like 2026-02-02T14:30:00Z" if shown else f"no {name} is given"
    return values, fault


def place_on(
    events: pd.DataFrame, held: Sequence[str], sessions: pd.DatetimeIndex, aligned: AlignedEvents | None = None
) -> EventTable:
    """Find the row and column of every event; say why where there is none. Nothing is moved.

    Parameters
    ----------
    held, sessions : sequence of str, DatetimeIndex
        Tickers and calendar of a panel, which need not be in memory.
    aligned : AlignedEvents, optional
        Sessions of events that were given as publication times.
    """
    if aligned is not None:
        events = events.assign(session=aligned.session)
    ticker_code, column = _factorize(events["ticker"])
    tickers = as_words(column)
    ticker_of = pd.Index(held).get_indexer(pd.Index(tickers))
    session_code, column = _factorize(events["session"])
    dates = _parse_sessions(column)
    labels = as_words(column).where(dates.isna(), dates.dt.strftime("%Y-%m-%d"))
    session_of = np.where(dates.isna(), -1, sessions.get_indexer(pd.DatetimeIndex(dates)))
    ticker_index, session_index = ticker_of[ticker_code], session_of[session_code]
    said = np.full(len(column), "", dtype=object)
    for at in np.flatnonzero(session_of < 0):
        said[at] = _explain_session(labels.iloc[at], dates.iloc[at], sessions)
    reason = said[session_code]
    if aligned is not None:
        reason = np.where((session_index < 0) & (aligned.reason != ""), aligned.reason, reason)
    if (ticker_of < 0).any():
        unknown = [f"ticker {name!r} has no returns" if name else "no ticker is given" for name in tickers]
        reason = np.where(ticker_index < 0, np.array(unknown, dtype=object)[ticker_code], reason)
    placed = np.flatnonzero((ticker_index >= 0) & (session_index >= 0))
    keys = ticker_index[placed] * len(sessions) + session_index[placed]
    twice = placed[pd.Index(keys).duplicated()]
    if twice.size:
        first = dict(zip(keys[::-1].tolist(), placed[::-1].tolist(), strict=True))
        again = ticker_index[twice] * len(sessions) + session_index[twice]
        names = events["event_id"].iloc[[first[key] for key in again.tolist()]]
        reason[twice] = [f"same ticker and session as event {name}" for name in names]
        ticker_index[twice] = -1
    words = {"ticker": _spread(tickers, ticker_code), "session": _spread(labels, session_code)}
    return EventTable(
        events.assign(**words), ticker_index.astype(np.int32), session_index.astype(np.int32), reason, aligned
    )


def _factorize(column: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Codes of the cells, and what they stand for."""
    codes, found = pd.factorize(column, use_na_sentinel=False)
    values = pd.Series(found)
    return codes, values.astype(values.cat.categories.dtype) if values.dtype == "category" else values


def _spread(words: pd.Series, code: np.ndarray) -> pd.Categorical:
    """Words by their codes; a word may have several."""
    place, categories = pd.factorize(words)
    return pd.Categorical.from_codes(place[code], categories)


def as_words(column: pd.Series) -> pd.Series:
    """Any column as text, empty where nothing stands; a word that stands for many is made once."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        words = as_words(column.cat.categories.to_series()).array
        column = pd.Series(words.take(column.cat.codes.to_numpy(), allow_fill=True), column.index, name=column.name)
    return column.astype("str").fillna("")


def _parse_sessions(column: pd.Series) -> pd.Series:
    """Session dates of the events; NaT where a cell is no date."""
    if pd.api.types.is_numeric_dtype(column):
        return pd.Series(pd.NaT, index=column.index, dtype="datetime64[s]")
    dates = _parse_dates(column, utc=True).dt.tz_localize(None)
    days: pd.Series = dates.where(dates == dates.dt.normalize()).astype("datetime64[s]")
    return days


def _explain_session(label: str, date: pd.Timestamp, sessions: pd.DatetimeIndex) -> str:
    if pd.isna(date):
        return f"{label!r} is not a session date like 2026-02-02" if label else "no session is given"
    place = int(sessions.searchsorted(date))
    if place == 0:
        return f"{label} lies before the first session {sessions[0].date()}"
    if place == sessions.size:
        return f"{label} lies after the last session {sessions[-1].date()}"
    return f"{label} is not a session; its neighbours are {sessions[place - 1].date()} and {sessions[place].date()}"


def choose_controls(
    table: EventTable, tickers: Sequence[str], asked: Sequence[str], *, benchmark: str, width: int
) -> tuple[EventTable, np.ndarray, dict[str, int]]:
    """The controls named in the events' column ``controls``, or asked for, less those that the event itself may move.

    Parameters
    ----------
    tickers : sequence of str
        Those that have returns.
    asked : sequence of str
        Where the column is empty or missing.
    width : int
        Sessions W of the event window: a firm with an event less than W sessions away shares a day of it.

    Returns
    -------
    table : EventTable
        With the reasons of the events that have none.
    names : array (events,) of tuples of str
    left_out : dict of str to int
        Controls left out, over all events, by why.
    """
    names, reason, known = np.empty(len(table.frame), dtype=object), table.reason.copy(), set(tickers)
    cells = table.frame[CONTROLS].fillna("").astype(str) if CONTROLS in table.frame else [""] * len(names)
    is_placed = (table.ticker_index >= 0) & (table.session_index >= 0)
    events = pd.Series(table.session_index[is_placed]).groupby(table.frame["ticker"].to_numpy()[is_placed])
    sessions, n_busy, n_own = {str(name): held.to_numpy() for name, held in events}, 0, 0
    for at, (own, session, cell) in enumerate(zip(table.frame["ticker"], table.session_index, cells, strict=True)):
        named = tuple(dict.fromkeys(cell.split() or asked)) if is_placed[at] else ()
        same = [name for name in named if name in (own, benchmark)]
        busy = [n for n in named if n not in same and (abs(sessions.get(n, np.empty(0)) - session) < width).any()]
        n_busy, n_own = n_busy + len(busy), n_own + len(same)
        names[at] = tuple(name for name in named if name not in (*same, *busy))
        if unknown := [name for name in named if name not in known]:
            reason[at], names[at] = f"control {', '.join(unknown)} has no returns", ()
        elif is_placed[at] and not names[at]:
            why = [f"{name} has an event in the window" for name in busy] + [f"{name} explains itself" for name in same]
            reason[at] = f"no control is left: {'; '.join(why) or 'none is named'}"
    counts = {"for_an_event_of_their_own": n_busy, "as_share_or_benchmark": n_own}
    return replace(table, reason=reason), names, {f"controls_left_out_{why}": n for why, n in counts.items()}


def explain_rejections(
    table: EventTable,
    estimates: EventEstimates,
    *,
    panel: BatchPanel | None = None,
    impossible: pd.Series | None = None,
) -> np.ndarray:
    """The reason of every event that has no estimate, in words; empty for the used ones.

    Parameters
    ----------
    panel : BatchPanel, optional
        Where it is at hand, the missing session is named, and whether the ticker ends there.
    impossible : Series, optional
        Values that were set aside, by date and ticker.
    """
    windows = estimates.windows
    words = {
        batch.OUTSIDE_CALENDAR: "the event window leaves the calendar",
        batch.MISSING_EVENT_SESSION: "a return of the event window is missing, the ticker's or the benchmark's",
        batch.DEPENDENT_REGRESSORS: "the regressors are constant or repeat each other over the estimation window",
        batch.NO_RESIDUAL_VARIANCE: "the returns of the estimation window leave no residual variance",
    }
    reasons = table.reason.copy()
    if estimates.told is not None:
        reasons = np.where(reasons == "", np.where(estimates.is_used, "", estimates.told), reasons)
    code = np.where(reasons == "", estimates.reason, batch.USED)
    for number, text in words.items():
        reasons[code == number] = text
    few = np.flatnonzero(code == batch.TOO_FEW_SESSIONS)
    needed = windows.count_needed(int(np.max(estimates.n_parameters)))
    counts, place = np.unique(estimates.n_estimation[few], return_inverse=True)
    said = [f"{have} of {windows.n_estimation} estimation sessions usable, {needed} needed" for have in counts]
    reasons[few] = np.array(said, dtype=object)[place]
    if panel is not None:
        for at in np.flatnonzero(code == batch.MISSING_EVENT_SESSION):
            reasons[at] = _explain_missing(panel, estimates, int(at), impossible) or reasons[at]
    return reasons


def _explain_missing(panel: BatchPanel, estimates: EventEstimates, at: int, impossible: pd.Series | None) -> str:
    """Which return of the event window is missing, and how the ticker goes on."""
    row, session, windows = int(estimates.ticker_index[at]), int(estimates.session_index[at]), estimates.windows
    has_own = np.isfinite(panel.returns[row])
    window = np.arange(session + windows.event_first, session + windows.event_last + 1)
    gone = window[~has_own[window]]
    if not gone.size:
        return ""
    day, ticker = pd.Timestamp(panel.sessions[gone[0]]), panel.tickers[row]
    if impossible is not None and (day, ticker) in impossible.index:
        return f"the return of {impossible[(day, ticker)]:.4g} on {day.date()} is impossible"
    if panel.benchmark is not None and not np.isfinite(panel.benchmark[gone[0]]):
        return f"no return on {day.date()}, nor of the benchmark: closed, or missing in the file"
    if not has_own[gone[0] :].any():
        return f"no return from {day.date()} on: delisted, or the file ends"
    return f"no return on {day.date()}: suspended, or missing in the file"


def quote_formulas(column: pd.Series) -> pd.Series:
    """Text that a spreadsheet would run as a formula, made text again by a leading apostrophe."""
    runs = column.str.startswith(("=", "+", "-", "@", "\t", "\r"))
    return column.where(~runs, "'" + column) if runs.any() else column
