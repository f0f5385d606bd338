"""From a printed stamp to the interval of instants that it can mean.

A stamp names a day, sometimes a clock, sometimes a zone. What it does not name widens the
interval; nothing is ever assumed. Intervals are half-open and in UTC.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from event_impact.base.errors import ConfigError, DataError
from event_impact.reading.vocabulary import WORDS

EASTERNMOST = timedelta(hours=14)
#: A day begins first at UTC+14 and ends last at UTC-12.
WESTERNMOST = timedelta(hours=-12)

#: Offsets that are no whole hours, with a zone that keeps each all year.
ZONES_OF_OFFSETS: dict[str, str] = WORDS["zones_of_offsets"]
UNITS = {"second": timedelta(seconds=1), "minute": timedelta(minutes=1), "hour": timedelta(hours=1)}


class NonexistentTimeError(DataError):
    """A local time that the clocks of its zone skipped."""


@dataclass(frozen=True)
class Interval:
    """Instants ``[earliest, latest)`` in UTC, with the reason for each bound.

    Raises
    ------
    DataError
        If it holds no instant.
    """

    earliest: datetime
    latest: datetime
    earliest_basis: str
    latest_basis: str

    def __post_init__(self) -> None:
        if self.earliest >= self.latest:
            raise DataError(f"no time is left between {self.earliest} and {self.latest}.", "Check the stamps.")

    def overlaps(self, other: "Interval") -> bool:
        """Whether some instant lies in both."""
        return self.earliest < other.latest and other.earliest < self.latest

    @property
    def width(self) -> timedelta:
        """Length of the interval."""
        return self.latest - self.earliest


@dataclass(frozen=True)
class Stamp:
    """A day, and perhaps a clock and a zone, as printed.

    Attributes
    ----------
    text : str
        As printed.
    clock : datetime.time or None
        ``None`` for a bare day.
    precision : str
        ``second``, ``minute``, ``hour`` or ``day``.
    zone : str
        IANA name or an offset such as ``+05:30``; empty when none is stated.
    zone_basis : str
        ``printed``, ``site_convention``, ``inferred``, or ``unstated``.
    is_zone_fixed : bool
        Whether a zone was printed that is not used: none may be put in its place.
    """

    text: str
    day: date
    clock: time | None = None
    precision: str = "day"
    zone: str = ""
    zone_basis: str = "unstated"
    is_zone_fixed: bool = False


def load_zone(name: str) -> tzinfo:
    """A zone by its IANA name, or by an offset written ``+HH:MM``.

    Parameters
    ----------
    name : str
        Such as Europe/London or +09:00.

    Returns
    -------
    datetime.tzinfo

    Raises
    ------
    ConfigError
        If there is no such zone.
    """
    if re.fullmatch(r"[+-]\d\d:\d\d", name, re.ASCII):
        offset = timedelta(hours=int(name[:3]), minutes=int(name[0] + name[4:6]))
        if not WESTERNMOST <= offset <= EASTERNMOST or int(name[4:6]) > 59:
            raise DataError(f"no place on earth keeps the offset {name}.", "Check the stamp.")
        return timezone(offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = "Use an IANA name such as America/New_York or Asia/Hong_Kong."
        raise ConfigError(f"unknown time zone {name!r}.", hint) from error


def name_zone(zone: str) -> str:
    """A zone as ``articles.csv`` records it: an IANA name, for a whole-hour offset its ``Etc/GMT`` name."""
    if zone[:1] not in "+-" or not zone or zone in ZONES_OF_OFFSETS:
        return ZONES_OF_OFFSETS.get(zone, zone)
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if minutes or not hours:
        return "UTC"
    return f"Etc/GMT{'-' if zone[0] == '+' else '+'}{hours}"  # POSIX signs: Etc/GMT-1 is UTC+01:00


def locate_clock(day: date, clock: time, zone: tzinfo) -> tuple[datetime, ...]:
    """The one or two instants in UTC at which the clocks of a zone show a local time.

    Raises
    ------
    NonexistentTimeError
        If they skip it.
    """
    local = datetime.combine(day, clock, tzinfo=zone)
    found = sorted({local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)})
    if found[0].astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        said = f"{day} {clock} does not exist in {zone}: the clocks skip it."
        raise NonexistentTimeError(said, "Check the zone, or the stamp.")
    return tuple(found)


def start_of_day(day: date, zone: tzinfo) -> datetime:
    """The first instant in UTC that a zone counts to a day, midnight skipped or not.

    Parameters
    ----------
    day : datetime.date
    zone : datetime.tzinfo

    Returns
    -------
    datetime.datetime

    Raises
    ------
    NonexistentTimeError
        If the zone skips the whole day.
    """
    midnight = datetime.combine(day, time(0), tzinfo=zone)
    first, last = sorted(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    while first < last and first.astimezone(zone).date() < day:  # inside a gap: step to the change of the clocks
        first += timedelta(minutes=1)
    if first.astimezone(zone).date() != day:
        raise NonexistentTimeError(f"the day {day} does not exist in {zone}.", "Check the zone, or the stamp.")
    return first


def interval_of(stamp: Stamp) -> Interval:
    """What a stamp can mean.

    A clock with a zone is its unit; a local time that occurs twice covers both. A clock without a
    zone is the union over all zones, UTC+14 to UTC-12, and so is a day without one.

    Raises
    ------
    ConfigError
        If the zone is unknown.
    NonexistentTimeError
        If the clocks of the zone skip the time.
    """
    zone = load_zone(stamp.zone) if stamp.zone else None
    if stamp.clock is None:
        return _interval_of_day(stamp.day, zone)
    unit = UNITS[stamp.precision]
    if zone is None:
        at = datetime.combine(stamp.day, stamp.clock, tzinfo=UTC)
        return Interval(at - EASTERNMOST, at - WESTERNMOST + unit, "printed", "printed")
    instants = locate_clock(stamp.day, stamp.clock, zone)
    return Interval(instants[0], instants[-1] + unit, "printed", "printed")


def _interval_of_day(day: date, zone: tzinfo | None) -> Interval:
    following = day + timedelta(days=1)
    if zone is None:
        first = datetime.combine(day, time(0), tzinfo=UTC) - EASTERNMOST
        last = datetime.combine(following, time(0), tzinfo=UTC) - WESTERNMOST
    else:
        first = start_of_day(day, zone)
        try:
            last = start_of_day(following, zone)
        except NonexistentTimeError:  # the zone skips the next day: this one ends where the one after begins
            last = start_of_day(following + timedelta(days=1), zone)
    return Interval(first, last, "start_of_named_day", "end_of_named_day")


def interval_of_days(first: date, last: date, zone: str = "") -> Interval:
    """The union of several days, both included."""
    days = [_interval_of_day(day, load_zone(zone) if zone else None) for day in (first, last)]
    return replace(days[0], latest=days[1].latest)


def read_abbreviation(printed: str, day: date, clock: time | None) -> tuple[str, ...]:
    """The zones that a printed zone name can mean on a day; several when it has several meanings.

    ``EST`` printed in summer may be meant literally or loosely: both readings are returned.
    """
    name = " ".join(printed.upper().strip("()").split())
    name = WORDS["zone_names"].get(name, name)
    zones = tuple(WORDS["zones"].get(name, ()))
    literal = WORDS["literal_offsets"].get(name)
    if len(zones) != 1 or clock is None or literal is None:
        return zones
    local = datetime.combine(day, clock, tzinfo=ZoneInfo(zones[0]))
    kept = {(local.replace(fold=fold).tzname() or "").upper() for fold in (0, 1)}
    if WORDS["english_names"].get(name, name) not in kept:
        return (literal, zones[0])
    return zones if len(kept) == 1 else (literal,)
