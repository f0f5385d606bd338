"""Events given as publication times: aligned with the rules of single stories, before the engine sees them.

An event is an instant (``published_earliest`` alone) or an interval ``[published_earliest,
published_latest)`` in UTC, with the market identifier of its ``exchange``. Nothing is moved without a
word: an event that can belong to several sessions is refused, or resolved as asked, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from event_impact.base.errors import AlignmentError, DataError

EARLIEST, LATEST, EXCHANGE = "published_earliest", "published_latest", "exchange"
HAS_ZONE = r"(?:Z|[+-]\d{2}:?\d{2})$"


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


def has_instants(events: pd.DataFrame) -> bool:
    """Whether a table gives publication times in place of sessions."""
    return EARLIEST in events.columns and not {"session", "date"} & set(events.columns)


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
        raise DataError(
            f"The events give publication times, but no column {EXCHANGE}.", "Add one, or name --calendar for all."
        )
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
    exchanges = _read_exchanges(events, calendar)
    for exchange in pd.unique(exchanges):
        at = np.flatnonzero((exchanges == exchange) & (reason == ""))
        if at.size:
            _align_exchange(aligned, at, str(exchange), earliest[at], latest[at], ambiguous)
    return aligned


def _read_exchanges(events: pd.DataFrame, calendar: str | None) -> np.ndarray:
    if EXCHANGE not in events.columns:
        return np.full(len(events), calendar or "", dtype=object)
    named = events[EXCHANGE].astype(object).where(events[EXCHANGE].notna(), "").astype(str)
    return named.where(named != "", calendar or "").to_numpy(dtype=object)


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
    outside = ~found.is_known
    aligned.reason[at[outside]] = f"published outside the known calendar of {exchange}"
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
