"""What a table of daily prices must satisfy before anything is computed from it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from event_impact.base.errors import DataError
from event_impact.events.calendars import SessionHours

PRICE_COLUMNS = ("open", "high", "low", "close")
REQUIRED_COLUMNS = ("date", "close", "volume", "dividend")
MAX_PRICE_FACTOR = 4.0
"""Larger steps between two sessions are splits, unit errors or another company, not returns."""
OHLC_TOLERANCE = 1e-6
"""Vendors round open, high, low and close one by one; relative."""


def refuse(where: str, what: str, hint: str = "Mend the file, or fetch the figures again.") -> DataError:
    """A :class:`DataError` that names the table."""
    return DataError(f"{where}: {what}.", hint)


def parse_prices(raw: pd.DataFrame, where: str) -> pd.DataFrame:
    """Turn a raw table of one ticker into floats indexed by session.

    Returns
    -------
    pandas.DataFrame
        Index tz-naive session, strictly increasing; columns open, high, low, close, volume, dividend
        (open, high and low all missing where the source has none).

    Raises
    ------
    DataError
        For missing columns, no rows, unreadable or repeated or disordered dates, zones in dates,
        numbers that are none, infinite or not positive.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in raw.columns]
    if missing:
        raise refuse(where, f"the columns {', '.join(missing)} are missing", "See data/README.md for the columns.")
    if raw.empty:
        raise refuse(where, "there are no rows")
    frame = pd.DataFrame({name: _to_numbers(raw, name, where) for name in (*PRICE_COLUMNS, "volume", "dividend")})
    frame.index = _to_sessions(raw["date"], where)
    if frame["dividend"].isna().all():
        frame["dividend"] = 0.0
    for name in ("close", "volume", "dividend"):
        _refuse_first(frame[name].isna(), where, f"{name} is missing")
    for name in PRICE_COLUMNS:
        _refuse_first(frame[name] <= 0, where, f"{name} is not positive")
    for name in ("volume", "dividend"):
        _refuse_first(frame[name] < 0, where, f"{name} is negative")
    return frame


def _to_numbers(raw: pd.DataFrame, name: str, where: str) -> np.ndarray:
    if name not in raw.columns:
        return np.full(len(raw), np.nan)
    try:
        numbers = pd.to_numeric(raw[name], errors="raise").to_numpy(dtype=float, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise refuse(where, f"{name} holds something that is no number ({error})") from error
    if np.isinf(numbers).any():
        raise refuse(where, f"{name} is infinite on row {int(np.isinf(numbers).argmax()) + 1}")
    return numbers


def _to_sessions(dates: pd.Series, where: str) -> pd.DatetimeIndex:
    text = dates.map(lambda d: d.isoformat() if hasattr(d, "isoformat") else str(d))
    plain = text.str.replace(r"[T ]00:00:00$", "", regex=True)
    bad = ~plain.str.fullmatch(r"\d{4}-\d{2}-\d{2}")
    if bad.any():
        raise refuse(
            where,
            f"date {text[bad].iloc[0]!r} is not a plain YYYY-MM-DD",
            "Dates are session labels of the exchange, without clock or zone.",
        )
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


def _refuse_first(bad: pd.Series, where: str, what: str) -> None:
    if bad.any():
        raise refuse(where, f"{what} on {bad.index[bad][0].date()}")


def check_prices(frame: pd.DataFrame, where: str) -> None:
    """Refuse impossible bars and steps no share price makes.

    Raises
    ------
    DataError
        If low <= open, close <= high fails, or a close is more than
        :data:`MAX_PRICE_FACTOR` times its neighbour.
    """
    slack = 1 + OHLC_TOLERANCE
    for name in ("open", "close"):
        _refuse_first(frame[name] > frame["high"] * slack, where, f"{name} lies above high")
        _refuse_first(frame[name] < frame["low"] / slack, where, f"{name} lies below low")
    with_dividend = frame["close"] + frame["dividend"]
    factor = with_dividend / frame["close"].shift()
    jump = (factor > MAX_PRICE_FACTOR) | (factor < 1 / MAX_PRICE_FACTOR)
    if jump.any():
        day = jump.index[jump][0]
        raise refuse(
            where,
            f"the close changes by a factor of {factor[day]:.3g} on {day.date()}",
            "A split, another unit or another company: use one split-adjusted series in one currency.",
        )


def check_sessions(frame: pd.DataFrame, hours: SessionHours, where: str, *, allowed_missing: pd.DatetimeIndex) -> None:
    """Refuse dates on which the exchange did not trade, and sessions without a row.

    Raises
    ------
    DataError
        If the dates and the calendar disagree beyond the sessions that are known to be missing.
    """
    expected = hours.between(frame.index[0], frame.index[-1])
    extra = frame.index.difference(expected)
    if len(extra):
        raise refuse(
            where,
            f"{extra[0].date()} is no session of {hours.exchange} ({len(extra)} such rows)",
            "Check the exchange of the story and the dates of the file.",
        )
    missing = expected.difference(pd.DatetimeIndex(frame.index)).difference(allowed_missing)
    if len(missing):
        raise refuse(
            where,
            f"{hours.exchange} traded on {missing[0].date()} but the file has no row ({len(missing)} missing)",
            "Fetch the missing sessions; a return across a gap is not a one-session return.",
        )


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
        If the session has no row, or no volume.
    """
    is_traded = session in frame.index and not ("volume" in frame.columns and frame["volume"].at[session] == 0)
    if not is_traded:
        what = "no row" if session not in frame.index else "no volume"
        raise DataError(
            f"{ticker} has {what} on the event session {session.date()}: trading may have been halted.",
            "Treat the session of resumption as the event: move the bound of the article, with its reason.",
        )
