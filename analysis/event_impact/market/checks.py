"""What a table of daily prices must satisfy; what of it is set aside, field by field, and what stops a study.

A figure that cannot be right is set aside with its reason and the rest of its row is kept. Whether anything
stops is decided where it is known which sessions are needed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from event_impact.base.errors import DataError
from event_impact.events.calendars import SessionHours

PRICE_COLUMNS = ("open", "high", "low", "close")
REQUIRED_COLUMNS = ("date", "close")
OPTIONAL_COLUMNS = ("volume", "dividend", "split", "adj_close")
#: Bars further from each other than this, inside a session, are of different units.
MAX_PRICE_FACTOR = 4.0
#: Vendors round open, high, low and close one by one; relative.
OHLC_TOLERANCE = 1e-6
#: More rows than this that are missing, or belong to no session, are another series or another calendar.
MAX_BAD_SHARE = 0.05
#: Ours -> theirs, without signs and case: Yahoo!, Stooq, Nasdaq, Alpha Vantage, Tiingo and the like.
ALIASES = {
    "date": ("date", "datetime", "timestamp", "session", "tradedate"), "ticker": ("ticker", "symbol"),
    "open": ("open",), "high": ("high",), "low": ("low",), "close": ("close", "closelast", "last", "price"),
    "adj_close": ("adjclose", "adjustedclose"), "volume": ("volume", "vol"),
    "dividend": ("dividend", "dividends", "dividendamount", "divcash"),
    "split": ("split", "stocksplits", "splitcoefficient", "splitfactor"),
}  # fmt: skip
SOUND_FIGURES = "Give sound figures with --source PATH, or fetch them again."
SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
Span = tuple[pd.Timestamp, pd.Timestamp]
SET_ASIDE, NOTED, DOUBTFUL, ACCEPTED = "set aside", "noted", "doubtful", "accepted"


@dataclass(frozen=True)
class Doubt:
    """One figure of a recording that was set aside, or that is used and looks wrong.

    Attributes
    ----------
    session : str
        Label of the session.
    field : str
        ``open``, ``high``, ``low``, ``close``, ``volume``, ``dividend``, ``split``, or ``row``.
    found : str
        The figure as it stood; empty where there was none.
    reason : str
        Why it is doubted, in words.
    state : str
        ``set aside``: not used. Used all the same: ``noted``, worth saying; ``doubtful``, stops what needs it;
        ``accepted``, doubtful until somebody looked at it and let it stand.
    """

    session: str
    field: str
    found: str
    reason: str
    state: str = SET_ASIDE

    @property
    def key(self) -> str:
        """What makes two doubts the same."""
        return f"{self.session}{self.field} {self.found}"


def accept_doubts(doubts: Iterable[Doubt], accepted: Iterable[str]) -> tuple[Doubt, ...]:
    """The doubts, those marked that somebody accepted: by session and field, with or without the figure."""
    known = set(accepted)
    return tuple(
        replace(d, state=ACCEPTED) if d.state == DOUBTFUL and known & {d.session + d.field, d.key} else d
        for d in doubts
    )


def describe_doubts(ticker: str, doubts: Iterable[Doubt]) -> list[str]:
    """One sentence for each reason: on which sessions first, and how often."""
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for doubt in doubts:
        kinds.setdefault((doubt.field, doubt.state, doubt.reason), []).append(doubt.session)
    return [
        f"{ticker}: {field} of {', '.join(days[:3])}{f' and {len(days) - 3} more' if len(days) > 3 else ''} "
        f"{state} ({reason})."
        for (field, state, reason), days in kinds.items()
    ]


def tell_stopping(doubts: Mapping[str, tuple[Doubt, ...]], windows: Mapping[str, Span]) -> str:
    """What is used inside the windows of a study, looks wrong, and nobody accepted, in words; empty where nothing is.

    Parameters
    ----------
    doubts : mapping of str to tuple of Doubt
        By ticker.
    windows : mapping of str to (pandas.Timestamp, pandas.Timestamp)
        By ticker: first session of the estimation window, last of the event windows.
    """
    said = []
    for ticker, (first, last) in windows.items():
        inside = [d for d in doubts.get(ticker, ()) if f"{first:%Y-%m-%d}" <= d.session <= f"{last:%Y-%m-%d}"]
        said += describe_doubts(ticker, [d for d in inside if d.state == DOUBTFUL])
    return f"figures inside the estimation or event windows look wrong: {' '.join(said)}" if said else ""


def refuse(where: str, what: str, hint: str = SOUND_FIGURES) -> DataError:
    """A :class:`DataError` that names the table."""
    return DataError(f"{where}: {what}.", hint)


def check_table(is_sound: bool, where: str, what: str, hint: str = SOUND_FIGURES) -> None:
    """Refuse a table that is not sound, as :func:`refuse`."""
    if not is_sound:
        raise refuse(where, what, hint)


def parse_prices(raw: pd.DataFrame, where: str) -> pd.DataFrame:
    """Turn a raw table of one ticker into floats indexed by session; no figure is judged yet.

    Returns
    -------
    pandas.DataFrame
        Index tz-naive session, strictly increasing; columns open, high, low, close, volume, dividend, split,
        adj_close, NaN where the source has none (dividend and split 0 where their column is empty).

    Raises
    ------
    DataError
        For missing columns, no rows, unreadable or repeated or disordered dates, zones in dates, cells that are
        no number.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in raw.columns]
    said = f"the columns {', '.join(missing)} are missing"
    check_table(not missing, where, said, "See data/README.md for the columns.")
    check_table(not raw.empty, where, "there are no rows")
    frame = pd.DataFrame({name: _to_numbers(raw, name, where) for name in (*PRICE_COLUMNS, *OPTIONAL_COLUMNS)})
    frame.index = _to_sessions(raw["date"], where)
    frame[frame.columns[frame.isna().all()].intersection(["dividend", "split"])] = 0.0
    return frame


def _to_numbers(raw: pd.DataFrame, name: str, where: str) -> np.ndarray:
    if name not in raw.columns:
        return np.full(len(raw), np.nan)
    try:
        return pd.to_numeric(raw[name], errors="raise").to_numpy(dtype=float, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise refuse(where, f"{name} holds something that is no number ({error})") from error


def _to_sessions(dates: pd.Series, where: str) -> pd.DatetimeIndex:
    text = dates.map(lambda d: d.isoformat() if hasattr(d, "isoformat") else str(d))
    plain = text.str.replace(r"[T ]00:00:00([+-]\d{2}:\d{2})?$", "", regex=True)
    bad = ~plain.str.fullmatch(r"\d{4}-\d{2}-\d{2}")
    if bad.any():
        hint = "Dates are session labels of the exchange: YYYY-MM-DD, or midnights of its own zone."
        raise refuse(where, f"date {text[bad].iloc[0]!r} is not a plain YYYY-MM-DD", hint)
    try:
        index = pd.DatetimeIndex(pd.to_datetime(plain, format="%Y-%m-%d"))
    except ValueError as error:
        raise refuse(where, f"a date does not exist ({error})") from error
    if index.has_duplicates:
        raise refuse(where, f"the session {index[index.duplicated()][0].date()} occurs more than once")
    if not index.is_monotonic_increasing:
        step = int((np.diff(index.asi8) <= 0).argmax()) + 1
        raise refuse(where, f"the sessions are not in order at {index[step].date()}", "Sort the file by date.")
    return index.rename("session")


def set_aside_figures(frame: pd.DataFrame, *, label: str = "%Y-%m-%d") -> tuple[pd.DataFrame, tuple[Doubt, ...]]:
    """Take out every figure that cannot be right by itself or beside the others of its row.

    The close is believed before high and low, and the open after them: an open beyond a bound that the close
    keeps goes; a bound that the close does not keep goes. Figures without any basis are no doubt where a whole
    column is empty (a source without opening prices has none to doubt).
    """
    frame, doubts = frame.copy(), []

    def take(name: str, bad: pd.Series, reason: str) -> None:
        if not bad.to_numpy().any():
            return
        for session, value in frame.loc[bad, name].items():
            doubts.append(Doubt(session.strftime(label), name, "" if pd.isna(value) else f"{value:.6g}", reason))
        frame.loc[bad, name] = np.nan

    for name in (*PRICE_COLUMNS, "volume", "dividend"):
        column, is_price = frame[name], name in PRICE_COLUMNS
        if column.notna().any():
            take(name, column.isna(), "there is no figure")
        take(name, column.abs() == np.inf, "it is infinite")
        bad, reason = (frame[name] <= 0, "it is not positive") if is_price else (frame[name] < 0, "it is negative")
        take(name, bad, reason)
    for bound, side, sign in (("high", "above", 1), ("low", "below", -1)):
        rules = ("close", bound, f"the close lies {side} it"), ("open", "open", f"it lies {side} the {bound}")
        for judged, victim, reason in rules:
            take(victim, sign * frame[judged] > sign * frame[bound] * (1 + OHLC_TOLERANCE) ** sign, reason)
    return frame, tuple(doubts)


def place_on_calendar(frame: pd.DataFrame, hours: SessionHours, where: str) -> tuple[pd.DataFrame, tuple[Doubt, ...]]:
    """Keep the rows of sessions that have a close; name every other row, and every session without one.

    Raises
    ------
    DataError
        If more than :data:`MAX_BAD_SHARE` of the rows belong to no session, or of the sessions have no row.
    """
    expected = hours.between(frame.index[0], frame.index[-1])
    recorded = pd.DatetimeIndex(frame.index)
    extra, missing = recorded.difference(expected), expected.difference(recorded)
    kept = frame[recorded.isin(expected) & frame["close"].notna()]
    holes = expected.difference(pd.DatetimeIndex(kept.index))
    for bad, what, hint in (
        (extra, f"is no session of {hours.exchange}", "Check the exchange of the story and the dates of the file."),
        (holes, "has no close", f"{hours.exchange} traded then: give the missing sessions."),
    ):
        if len(bad) > (0 if kept.empty else max(MAX_BAD_SHARE * len(expected), 1)):
            raise refuse(where, f"{bad[0].date()} {what} ({len(bad)} such of {len(expected)} sessions)", hint)
    odd = [(day, "was closed") for day in extra] + [(day, "traded, but there is no row") for day in missing]
    return kept, tuple(Doubt(f"{day:%Y-%m-%d}", "row", "", f"{hours.exchange} {why}") for day, why in odd)


def keep_figures(frame: pd.DataFrame, hours: SessionHours | None, where: str) -> tuple[pd.DataFrame, tuple[Doubt, ...]]:
    """The figures of sessions that have a close, as far as they can be right, and what was set aside.

    Without a calendar, sessions are not looked for.
    """
    figures, aside = set_aside_figures(frame)
    if hours is None:
        return figures[figures["close"].notna()], aside
    figures, holes = place_on_calendar(figures, hours, where)
    return figures, aside + holes


def refuse_halt(frame: pd.DataFrame, session: pd.Timestamp, ticker: str) -> None:
    """Refuse an event session on which nothing was traded: its price would be that of another day.

    Parameters
    ----------
    frame : pandas.DataFrame
        Index session; ``volume`` in shares, where it is recorded.
    session : pandas.Timestamp
        The event session.
    ticker : str
        For the refusal.

    Raises
    ------
    DataError
        If the session has no close, or no volume.
    """
    has_close = session in frame.index and bool(frame["close"].notna().at[session])
    is_idle = has_close and "volume" in frame.columns and frame["volume"].at[session] == 0
    if is_idle or not has_close:
        what = "no volume" if has_close else "no close"
        said = f"{ticker} has {what} on the event session {session.date()}: trading may have been halted."
        hint = "Treat the session of resumption as the event: move the bound of the article, with its reason."
        raise DataError(said, hint)


def rename_columns(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """The columns that are understood, under our names.

    Raises
    ------
    DataError
        If two columns mean the same, or date or close is missing: then with what was read as what.
    """
    theirs = {str(name): re.sub(r"[^a-z]", "", str(name).lower()) for name in frame.columns}
    read = {name: ours for name, plain in theirs.items() for ours, known in ALIASES.items() if plain in known}
    held = list(read.values())
    missing = [name for name in ("date", "close") if name not in held]
    twice = [name for name in ALIASES if held.count(name) > 1]
    if missing or twice:
        found = "; ".join(f"{name!r} read as {read.get(name, 'nothing')}" for name in list(theirs)[:12])
        what = f"no column for {' and '.join(missing)}" if missing else f"two columns for {twice[0]}"
        raise refuse(where, f"{what} ({found})", "Separate by commas, and give at least the columns date and close.")
    return frame.set_axis(list(theirs), axis=1)[list(read)].rename(columns=read)


def read_vendor_cells(frame: pd.DataFrame, where: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows oldest first, dates with a year first, prices without a currency sign; and what had to be read that way.

    Raises
    ------
    DataError
        If dates with slashes can be read in two ways.
    """
    frame, said = frame.reset_index(drop=True), []
    parts = frame["date"].astype(str).str.extract(SLASHED).astype(float)
    if parts.notna().all().all() and len(parts):
        later = [int(parts[i].max()) > 12 for i in (0, 1)]
        if sum(later) != 1:
            raise refuse(where, f"dates such as {frame['date'].iloc[0]} can be read in two ways", "Write YYYY-MM-DD.")
        month, day = (parts[0], parts[1]) if later[1] else (parts[1], parts[0])
        frame["date"] = [f"{y:04.0f}-{m:02.0f}-{d:02.0f}" for y, m, d in zip(parts[2], month, day, strict=True)]
        said.append(f"dates were read as {'month/day' if later[1] else 'day/month'}/year")
    for name in frame.columns.difference(["date", "ticker"]):
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = frame[name].map(lambda cell: str(cell).strip().removeprefix("$"), na_action="ignore")
    if len(frame) > 1 and frame["date"].is_monotonic_decreasing and frame["date"].is_unique:
        frame = frame.iloc[::-1].reset_index(drop=True)
        said.append("rows came newest first")
    if "dividend" not in frame.columns or frame["dividend"].isna().all():
        frame = frame.drop(columns=["dividend", "adj_close"], errors="ignore")
        said.append("there are no dividends, so that returns are of the price alone")
    if "open" not in frame.columns or frame["open"].isna().all():
        said.append("there are no opening prices, so that no return to the open can be had")
    return frame, tuple(said)
