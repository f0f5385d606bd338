"""Trading calendars with explicit bounds, and the mapping of instants to sessions.

A session is a tz-naive label; opens, closes and breaks are UTC instants. A session is
left-closed: news at the very instant of the close belongs to the next session.
"""

import contextlib
import importlib.metadata
import io
import re
import zipfile
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from event_impact.base.disk import make_folder, replace_files
from event_impact.base.errors import AlignmentError, StudyError
from event_impact.base.places import place_of
from event_impact.base.remembered import find_caches

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

FIRST_DAY = pd.Timestamp("1998-12-01")
#: Explicit bounds: the library's default moves with today's date.
LAST_DAY = pd.Timestamp("2027-12-31")

HOURS = ("open", "break_start", "break_end", "close")
NEAR_CLOSE = pd.Timedelta(minutes=10)
#: Place of an instant that the known calendar does not hold.
OUTSIDE = -1
#: Packages that decide what a calendar holds.
MAKERS = ("exchange_calendars", "tzdata")


@dataclass(frozen=True, eq=False)
class SessionHours:
    """Opens and closes of one exchange, and the questions that articles ask of them; equal only to itself.

    Attributes
    ----------
    exchange : str
        Market identifier (ISO 10383).
    timezone : str
        IANA name.
    schedule : pandas.DataFrame
        Index session, tz-naive; columns open, break_start, break_end, close: instants in UTC, breaks missing
        where there is none.
    """

    exchange: str
    timezone: str
    schedule: pd.DataFrame  # index session; open, break_start, break_end, close in UTC

    @cached_property
    def sessions(self) -> pd.DatetimeIndex:
        """All sessions, tz-naive."""
        return pd.DatetimeIndex(self.schedule.index)

    @cached_property
    def _instants(self) -> dict[str, pd.DatetimeIndex]:
        return {name: pd.DatetimeIndex(self.schedule[name]) for name in HOURS}

    @property
    def city(self) -> str:
        """The place whose clock the exchange keeps, as its zone names it."""
        return self.timezone.rsplit("/", 1)[-1].replace("_", " ")

    def open_at(self, session: pd.Timestamp) -> pd.Timestamp:
        """When a session opens."""
        return self._instants["open"][place_of(self.sessions, session)]

    def close_at(self, session: pd.Timestamp) -> pd.Timestamp:
        """When a session closes."""
        return self._instants["close"][place_of(self.sessions, session)]

    def _place_after(self, column: str, instant: pd.Timestamp) -> int:
        """Of the first session whose ``open`` or ``close`` lies strictly after an instant."""
        known = f"known session of {self.exchange}."
        try:
            position = int(self._instants[column].searchsorted(instant, side="right"))
        except pd.errors.OutOfBoundsDatetime as error:
            said = f"{instant} lies outside the known sessions of {self.exchange}."
            raise AlignmentError(said, "Use a year of our time.") from error
        if position >= len(self.schedule):
            raise AlignmentError(f"{instant} lies after the last {known}", "Use an earlier time.")
        if position == 0:
            raise AlignmentError(f"{instant} lies before the first {known}", "Use a later time.")
        return position

    def close_session(self, instant: pd.Timestamp) -> pd.Timestamp:
        """First session whose close-to-close return contains news of that instant."""
        return self.sessions[self._place_after("close", instant)]

    def open_session(self, instant: pd.Timestamp) -> pd.Timestamp:
        """First session whose opening price can react to news of that instant."""
        return self.sessions[self._place_after("open", instant)]

    def phase(self, instant: pd.Timestamp) -> str:
        """Where an instant falls: in_session, lunch_break, pre_open, after_close, weekend or holiday."""
        place = self._place_after("close", instant)
        opens, rest, back, _ = (self._instants[name][place] for name in HOURS)
        if opens <= instant:
            return "lunch_break" if pd.notna(rest) and rest <= instant < back else "in_session"
        local_day = instant.tz_convert(self.timezone).tz_localize(None).normalize()
        if local_day in self.schedule.index:
            return "pre_open" if instant < self.open_at(local_day) else "after_close"
        return "weekend" if local_day.day_of_week >= 5 else "holiday"

    def phases(self, first: pd.Timestamp, last: pd.Timestamp) -> tuple[str, ...]:
        """Every phase from one instant to another, in order, each change once."""
        near = slice(self._instants["close"].searchsorted(first), self._instants["open"].searchsorted(last, "right"))
        days = pd.date_range(first.tz_convert(self.timezone).normalize(), last.tz_convert(self.timezone), freq="D")
        changes = {*days, *(instant for instants in self._instants.values() for instant in instants[near])}
        inside = sorted(instant for instant in changes if first < instant <= last)
        found = [self.phase(instant) for instant in (first, *inside)]
        return tuple(name for name, before in zip(found, [None, *found], strict=False) if name != before)

    def is_near_close(self, instant: pd.Timestamp) -> bool:
        """Whether an instant lies within the last ten minutes before a close."""
        return self.close_at(self.close_session(instant)) - instant <= NEAR_CLOSE

    def neighbours(self, day: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp]:
        """The sessions around a date that is none."""
        position = min(max(int(self.sessions.searchsorted(day)), 1), len(self.sessions) - 1)
        return self.sessions[position - 1], self.sessions[position]

    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
        """Sessions from first to last, both included."""
        return self.sessions[self.sessions.searchsorted(first) : self.sessions.searchsorted(last, "right")]

    def stretches(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
        """Unbroken hours of trading between two sessions: one row a session, two where a lunch break divides it.

        Columns session, part (0 or 1), opens_at, closes_at.
        """
        rows = []
        for session, opens, rest, back, closes in self.schedule.loc[first:last, list(HOURS)].itertuples():
            halves = [(opens, closes)] if pd.isna(rest) else [(opens, rest), (back, closes)]
            rows += [(session, part, *half) for part, half in enumerate(halves)]
        return pd.DataFrame(rows, columns=["session", "part", "opens_at", "closes_at"])

    def offset(self, session: pd.Timestamp, steps: int) -> pd.Timestamp:
        """The session that many sessions later (earlier when negative)."""
        position = place_of(self.sessions, session) + steps
        if not 0 <= position < len(self.sessions):
            said = f"no session {steps:+d} from {session.date()} on {self.exchange}."
            raise AlignmentError(said, "Shorten the window.")
        return self.sessions[position]


def resolve_alias(exchange: str) -> str:
    """The market identifier behind a common name such as NYSE; other texts stay as they are."""
    if not exchange:  # the library takes a quarter of a second to load
        return ""
    import exchange_calendars

    try:
        return str(exchange_calendars.resolve_alias(exchange))
    except exchange_calendars.errors.InvalidCalendarName:
        return exchange


@lru_cache(maxsize=32)
def load_hours(exchange: str) -> SessionHours:
    """Hours of an exchange, by its ISO 10383 market identifier.

    Built once for each version of the library and kept on disk: some take the library seconds.

    Parameters
    ----------
    exchange : str
        Market identifier, such as XNYS.

    Returns
    -------
    SessionHours
        From :data:`FIRST_DAY` to :data:`LAST_DAY`, or as far as the library knows its holidays.

    Raises
    ------
    AlignmentError
        If the exchange is unknown, or the library cannot build its calendar.
    """
    place, arrays = _find_kept(exchange), None
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        arrays = dict(np.load(io.BytesIO(place.read_bytes() if place else b""), allow_pickle=False))
    if arrays is None:
        arrays = _build_arrays(exchange)
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **arrays)
        with contextlib.suppress(StudyError):  # a disk that refuses is no matter
            if place:
                make_folder(place.parent)
                replace_files({place: content.getvalue()})
    columns = {name: pd.DatetimeIndex(arrays[name].view("M8[ns]")).tz_localize("UTC") for name in HOURS}
    sessions = pd.DatetimeIndex(arrays["sessions"].view("M8[ns]"))
    return SessionHours(exchange, str(arrays["timezone"]), pd.DataFrame(columns).set_axis(sessions))


def _find_kept(exchange: str) -> Path | None:
    """Where the calendar of an exchange is kept, by the versions that made it; None where there is no place for it."""
    caches = find_caches()
    if caches is None or not re.fullmatch(r"[A-Za-z0-9_]{1,32}", exchange):
        return None
    return caches / "-".join([exchange, *_read_versions(), f"{FIRST_DAY:%Y%m%d}-{LAST_DAY:%Y%m%d}.npz"])


@lru_cache(maxsize=1)
def _read_versions() -> list[str]:
    """Of the packages that make a calendar."""
    return [found.version for maker in MAKERS for found in importlib.metadata.distributions(name=maker)]


def _build_arrays(exchange: str) -> dict[str, np.ndarray]:
    """Sessions and hours as nanoseconds, and the zone, from the library."""
    import exchange_calendars

    try:
        calendar = _build_calendar(exchange)
    except (exchange_calendars.errors.InvalidCalendarName, KeyError) as error:
        hint = "Use a market identifier that exchange_calendars knows, such as XNYS."
        raise AlignmentError(f"unknown exchange {exchange!r}.", hint) from error
    except (ValueError, NotImplementedError) as error:  # some calendars do not work with every version of pandas
        said = (
            f"exchange_calendars {exchange_calendars.__version__} cannot build the calendar of {exchange} with pandas "
        )
        said += f"{pd.__version__} ({type(error).__name__})."
        raise AlignmentError(said, "Study another listing of the firm, or wait for a version that can.") from error
    found = {"sessions": calendar.schedule.index} | {n: pd.DatetimeIndex(calendar.schedule[n]) for n in HOURS}
    arrays = {name: index.as_unit("ns").asi8 for name, index in found.items()}
    return {"timezone": np.array(str(calendar.tz)), **arrays}


def _build_calendar(exchange: str) -> "ExchangeCalendar":
    """The calendar from :data:`FIRST_DAY` to :data:`LAST_DAY`, or as far as the library knows its holidays."""
    import exchange_calendars

    try:
        return exchange_calendars.get_calendar(exchange, start=FIRST_DAY, end=LAST_DAY)
    except ValueError:
        known = exchange_calendars.get_calendar(exchange)  # only to ask for its bounds
    first, last = known.bound_min() or FIRST_DAY, known.bound_max() or LAST_DAY
    return exchange_calendars.get_calendar(exchange, start=max(first, FIRST_DAY), end=min(last, LAST_DAY))


@dataclass(frozen=True)
class Candidates:
    """Candidate sessions of many intervals, as places in the calendar.

    Attributes
    ----------
    first, last : int arrays (intervals,)
        Places of the first and the last session whose close can be the first that contains the article;
        ``OUTSIDE`` where the calendar ends before or begins after.
    """

    first: np.ndarray
    last: np.ndarray

    @property
    def is_known(self) -> np.ndarray:
        """Whether both ends lie in the calendar."""
        return np.asarray((self.first != OUTSIDE) & (self.last != OUTSIDE))

    @property
    def is_unique(self) -> np.ndarray:
        """Whether one session only is possible."""
        return np.asarray(self.is_known & (self.first == self.last))


def find_candidates(hours: SessionHours, earliest: np.ndarray, latest: np.ndarray) -> Candidates:
    """Sessions that texts published within ``[earliest, latest)`` can have reached.

    Parameters
    ----------
    earliest, latest : arrays (intervals,) of datetime64[ns]
        In UTC. Where both are the same the text has that very instant.

    Returns
    -------
    Candidates
        close_session of the first and of the last instant of each interval: the first session whose
        close lies strictly after it.
    """
    closes = hours.schedule["close"].to_numpy(dtype="datetime64[ns]")
    last_instant = np.where(latest > earliest, latest - np.timedelta64(1, "ns"), earliest)
    return Candidates(_place(closes, earliest), _place(closes, last_instant))


def _place(closes: np.ndarray, instants: np.ndarray) -> np.ndarray:
    places = np.searchsorted(closes, instants, side="right")
    return np.where((places == 0) | (places == closes.size) | np.isnat(instants), OUTSIDE, places)
