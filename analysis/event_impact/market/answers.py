"""What a provider answered, made into the study's own columns or refused: no row is mended silently."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from event_impact.events.calendars import SessionHours
from event_impact.market.checks import check_prices, check_sessions, parse_prices, refuse

COLUMNS = {
    "Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume",
    "Dividends": "dividend", "Stock Splits": "split",
}  # fmt: skip
DAILY = ("date", "ticker", "open", "high", "low", "close", "volume", "dividend", "split")
INTRADAY = ("minute", "ticker", "open", "high", "low", "close", "volume")
EARNINGS = ("announced_earliest", "announced_latest", "ticker", "is_reported")
EARNINGS_HOUR = pd.Timedelta(hours=1)
"""The provider prints announcements to the hour."""
AGAIN = "Fetch again later; nothing was recorded."


@dataclass(frozen=True)
class Answer:
    """One answer of the provider as it came: prices indexed by instant, and what it says of the listing."""

    ticker: str
    frame: pd.DataFrame
    metadata: dict[str, str]


@dataclass(frozen=True)
class DailyTable:
    """Daily prices in the columns :data:`DAILY`, checked, with what was said about them."""

    ticker: str
    table: pd.DataFrame
    metadata: dict[str, str]
    notes: tuple[str, ...]

    @property
    def first_session(self) -> str:
        """First recorded session."""
        return str(self.table["date"].iloc[0])

    @property
    def last_session(self) -> str:
        """Last recorded session."""
        return str(self.table["date"].iloc[-1])


def parse_daily(
    answer: Answer, *, hours: SessionHours | None, expected_last: pd.Timestamp | None, unfinished_after: pd.Timestamp
) -> DailyTable:
    """Check an answer and bring it into the study's columns.

    Parameters
    ----------
    hours : SessionHours or None
        Calendar of the listing; None where none is known, then sessions cannot be checked and a note says so.
    expected_last : pandas.Timestamp or None
        The last closed session of the request; an answer that ends before it is stale.
    unfinished_after : pandas.Timestamp
        Rows after this label belong to a session that has not closed; they are left out with a note.

    Raises
    ------
    DataError
        For an empty, malformed, zone-shifted, duplicated, gapped, impossible or stale answer.
    """
    where = f"the provider's answer for {answer.ticker}"
    frame = _check_shape(answer.frame, where)
    sessions = _to_sessions(pd.DatetimeIndex(frame.index), hours, where)
    notes = []
    frame = frame.set_axis(sessions)
    if sessions.has_duplicates:
        day = sessions[sessions.duplicated()][0].date()
        raise refuse(where, f"the session {day} occurs more than once", AGAIN)
    if not frame.index.is_monotonic_increasing:
        frame = frame.sort_index()
        notes.append("rows came out of order and were sorted")
    late = frame.index > unfinished_after
    if late.any():
        notes.append(f"{int(late.sum())} row after {unfinished_after.date()} left out: its session had not closed")
        frame = frame[~late]
    if frame.empty:
        raise refuse(where, "there is no row of a closed session", AGAIN)
    table = pd.DataFrame({name: frame[column] for column, name in COLUMNS.items()})
    table.insert(0, "ticker", answer.ticker)
    table.insert(0, "date", pd.DatetimeIndex(frame.index).strftime("%Y-%m-%d"))
    table = table.reset_index(drop=True)
    prices = parse_prices(table, where)
    check_prices(prices, where)
    for name in ("open", "high", "low"):
        if prices[name].isna().any():
            raise refuse(where, f"{name} is missing on {prices.index[prices[name].isna()][0].date()}", AGAIN)
    if hours is None:
        notes.append("no calendar is known for this listing: missing sessions could not be looked for")
    else:
        check_sessions(prices, hours, where, allowed_missing=pd.DatetimeIndex([]))
    _refuse_stale(prices, expected_last, where)
    return DailyTable(answer.ticker, table.loc[:, list(DAILY)], answer.metadata, tuple(notes))


def _check_shape(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame) or frame.empty:
        raise refuse(where, "it is empty", "Check the ticker and the dates, or fetch again later.")
    if frame.columns.nlevels > 1:
        raise refuse(where, "its columns have two levels", "This version of the provider's package is not supported.")
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise refuse(where, f"the columns {', '.join(missing)} are missing", AGAIN)
    if not isinstance(frame.index, pd.DatetimeIndex) or frame.index.tz is None:
        raise refuse(where, "its dates carry no time zone", AGAIN)
    return frame


def _to_sessions(index: pd.DatetimeIndex, hours: SessionHours | None, where: str) -> pd.DatetimeIndex:
    """Session labels; every date must be a midnight of the exchange, or it was shifted on its way."""
    local = index.tz_convert(hours.timezone) if hours else index
    off = local != local.normalize()
    if off.any():
        raise refuse(
            where,
            f"{index[off][0]} is no midnight in {local.tz}: the dates are shifted by a zone",
            AGAIN,
        )
    return local.tz_localize(None)


def _refuse_stale(prices: pd.DataFrame, expected_last: pd.Timestamp | None, where: str) -> None:
    last = prices.index[-1]
    if expected_last is not None and last < expected_last:
        raise refuse(
            where,
            f"it ends with {last.date()}, but {expected_last.date()} has closed",
            "Fetch again later, or say --end if the listing has ended.",
        )
    if len(prices) > 1:
        before, after = prices.iloc[-2], prices.iloc[-1]
        same = all(before[name] == after[name] for name in ("open", "high", "low", "close", "volume"))
        if same and after["volume"] > 0:
            raise refuse(where, f"the bar of {last.date()} repeats the one before it in every figure", AGAIN)


def parse_intraday(answer: Answer) -> pd.DataFrame:
    """Bars by the UTC instant at which they begin, in the columns :data:`INTRADAY`.

    Raises
    ------
    DataError
        For an empty, zoneless, duplicated or impossible answer.
    """
    where = f"the provider's intraday answer for {answer.ticker}"
    frame = answer.frame
    if not isinstance(frame, pd.DataFrame) or frame.empty:
        raise refuse(where, "it is empty", AGAIN)
    names = {column: name for column, name in COLUMNS.items() if name in INTRADAY}
    missing = [column for column in names if column not in frame.columns]
    if missing or not isinstance(frame.index, pd.DatetimeIndex) or frame.index.tz is None:
        raise refuse(where, f"columns are missing ({', '.join(missing)}) or its times carry no zone", AGAIN)
    frame = frame.sort_index()
    if frame.index.has_duplicates:
        raise refuse(where, f"the minute {frame.index[frame.index.duplicated()][0]} occurs more than once", AGAIN)
    frame = frame[frame["Close"].notna()]  # bars in which nothing traded
    if (frame[["Open", "High", "Low", "Close"]] <= 0).any().any():
        raise refuse(where, "a price is not positive", AGAIN)
    table = frame.rename(columns=names).reset_index(drop=True)
    table.insert(0, "ticker", answer.ticker)
    table.insert(0, "minute", pd.DatetimeIndex(frame.index).tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"))
    return table.loc[:, list(INTRADAY)]


def parse_earnings(answer: Answer) -> pd.DataFrame:
    """Announcements as intervals in UTC, oldest first, in the columns :data:`EARNINGS`.

    A clock counts as its hour; midnight is what the provider prints when it knows only the day, so it counts
    as the whole day of its zone. ``is_reported`` tells past announcements from expected ones.

    Raises
    ------
    DataError
        If there is none, or the times carry no zone.
    """
    where = f"the provider's earnings dates of {answer.ticker}"
    frame = answer.frame
    if not isinstance(frame, pd.DataFrame) or frame.empty:
        raise refuse(where, "there is none", "Enter them in data/confounders.csv by hand.")
    if not isinstance(frame.index, pd.DatetimeIndex) or frame.index.tz is None or "Reported EPS" not in frame.columns:
        raise refuse(where, "the times carry no zone, or the column Reported EPS is missing", AGAIN)
    local = frame.index
    is_day = local == local.normalize()
    ends = local.where(~is_day, local + pd.DateOffset(days=1)).where(is_day, local + EARNINGS_HOUR)
    table = pd.DataFrame(
        {
            "announced_earliest": local.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"),
            "announced_latest": ends.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ticker": answer.ticker,
            "is_reported": pd.to_numeric(frame["Reported EPS"], errors="coerce")
            .notna()
            .map({True: "yes", False: "no"}),
        }
    )
    return table.drop_duplicates("announced_earliest").sort_values("announced_earliest", ignore_index=True)


def to_bytes(table: pd.DataFrame) -> bytes:
    """A table as CSV, every float with full precision."""
    return table.to_csv(index=False, lineterminator="\n").encode()
