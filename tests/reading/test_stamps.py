"""Zone rules: what a printed stamp can mean, checked instant by instant against the clocks themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from event_impact.base.errors import ConfigError, DataError
from event_impact.reading.stamps import (
    Interval,
    NonexistentTimeError,
    Stamp,
    interval_of,
    interval_of_days,
    name_zone,
    read_abbreviation,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

ZONES = (
    "America/New_York", "Europe/London", "Europe/Paris", "Asia/Hong_Kong", "Asia/Kolkata", "Pacific/Kiritimati",
    "Australia/Lord_Howe", "America/Havana", "America/Santiago", "Asia/Beirut", "Africa/Cairo", "Pacific/Apia",
)  # fmt: skip
DAYS = st.dates(date(2005, 1, 1), date(2027, 12, 31))
CLOCKS = st.times().map(lambda t: t.replace(microsecond=0))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("stamp", "earliest", "latest"),
    [
        (Stamp("", date(2026, 1, 31)), "2026-01-30T10:00", "2026-02-01T12:00"),
        (Stamp("", date(2026, 1, 31), zone="America/New_York"), "2026-01-31T05:00", "2026-02-01T05:00"),
        (Stamp("", date(2026, 1, 31), time(19, 28), "minute", "Europe/Paris"), "2026-01-31T18:28", "2026-01-31T18:29"),
        (Stamp("", date(2026, 2, 2), time(15, 40), "minute"), "2026-02-02T01:40", "2026-02-03T03:41"),
        (Stamp("", date(2026, 2, 2), time(15), "hour", "+05:30"), "2026-02-02T09:30", "2026-02-02T10:30"),
        (Stamp("", date(2026, 2, 2), time(15, 0, 7), "second", "UTC"), "2026-02-02T15:00:07", "2026-02-02T15:00:08"),
        # the hour that London keeps twice, and the day of 25 hours that holds it
        (Stamp("", date(2025, 10, 26), time(1, 30), "minute", "Europe/London"), "2025-10-26T00:30", "2025-10-26T01:31"),
        (Stamp("", date(2025, 10, 26), zone="Europe/London"), "2025-10-25T23:00", "2025-10-27T00:00"),
        # midnight itself is skipped in Beirut that day
        (Stamp("", date(2026, 3, 29), zone="Asia/Beirut"), "2026-03-28T22:00", "2026-03-29T21:00"),
        # the day after this one was skipped whole in Samoa
        (Stamp("", date(2011, 12, 29), zone="Pacific/Apia"), "2011-12-29T10:00", "2011-12-30T10:00"),
    ],
)
def test_intervals(stamp, earliest, latest):
    interval = interval_of(stamp)
    assert (interval.earliest, interval.latest) == (at(earliest), at(latest))


@pytest.mark.parametrize(
    ("day", "clock", "zone"),
    [
        (date(2026, 3, 29), time(1, 30), "Europe/London"),
        (date(2026, 3, 8), time(2, 0), "America/New_York"),
        (date(2011, 12, 30), None, "Pacific/Apia"),
    ],
)
def test_skipped_times_are_refused(day, clock, zone):
    with pytest.raises(NonexistentTimeError, match="does not exist"):
        interval_of(Stamp("", day, clock, "minute" if clock else "day", zone))


def test_unknown_zone_is_a_wrong_request():
    with pytest.raises(ConfigError, match="unknown time zone 'Europe/Dearborn'"):
        interval_of(Stamp("", date(2026, 1, 1), zone="Europe/Dearborn"))
    with pytest.raises(DataError, match="no place on earth"):
        interval_of(Stamp("", date(2026, 1, 1), time(1), "minute", "+15:00"))


@given(day=DAYS, zone=st.sampled_from(ZONES), share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=150, deadline=None)
def test_a_zoned_day_holds_exactly_its_instants(day, zone, share):
    """Every instant inside shows that day on the clocks of the zone; the ones just outside do not."""
    try:
        interval = interval_of(Stamp("", day, zone=zone))
    except NonexistentTimeError:
        assume(False)
    inside = interval.earliest + timedelta(seconds=int(interval.width.total_seconds() * share))
    clocks = ZoneInfo(zone)
    # a day whose last hour is repeated after midnight keeps no single interval; the sample holds no such zone
    assert inside.astimezone(clocks).date() == day
    assert (interval.earliest - timedelta(seconds=1)).astimezone(clocks).date() < day
    assert interval.latest.astimezone(clocks).date() > day


@given(day=DAYS, clock=CLOCKS, zone=st.sampled_from(ZONES))
@settings(max_examples=150, deadline=None)
def test_an_unstated_zone_encloses_every_zone(day, clock, zone):
    for precision, of_clock in (("second", clock), ("day", None)):
        try:
            known = interval_of(Stamp("", day, of_clock, precision, zone))
        except NonexistentTimeError:
            continue
        unknown = interval_of(Stamp("", day, of_clock, precision))
        assert unknown.earliest <= known.earliest
        assert known.latest <= unknown.latest


@given(instant=st.datetimes(datetime(2005, 1, 1), datetime(2027, 12, 31)), zone=st.sampled_from(ZONES))
@settings(max_examples=150, deadline=None)
def test_what_a_clock_shows_leads_back_to_the_instant(instant, zone):
    true = instant.replace(tzinfo=UTC, microsecond=0)
    shown = true.astimezone(ZoneInfo(zone))
    interval = interval_of(Stamp("", shown.date(), shown.time(), "second", zone))
    assert interval.earliest <= true < interval.latest
    assert interval.width in (timedelta(seconds=1), timedelta(minutes=30, seconds=1), timedelta(hours=1, seconds=1))


def test_named_zones():
    winter, summer, noon = date(2026, 2, 3), date(2025, 7, 3), time(12)
    assert read_abbreviation("ET", summer, noon) == ("America/New_York",)
    assert read_abbreviation("EST", winter, noon) == ("America/New_York",)
    assert read_abbreviation("EST", summer, noon) == ("-05:00", "America/New_York")
    assert read_abbreviation("CST", winter, noon) == ("America/Chicago", "Asia/Shanghai")
    assert read_abbreviation("MEZ", winter, noon) == ("Europe/Berlin",)
    # half past one is EDT first and EST an hour later: the printed name says which
    assert read_abbreviation("EST", date(2025, 11, 2), time(1, 30)) == ("-05:00",)
    assert read_abbreviation("XYZ", winter, noon) == ()


def test_zones_as_the_registry_names_them():
    assert [name_zone(z) for z in ("", "Asia/Tokyo", "+01:00", "-05:00", "+05:30", "+00:00")] == [
        "", "Asia/Tokyo", "Etc/GMT-1", "Etc/GMT+5", "Asia/Kolkata", "UTC",
    ]  # fmt: skip
    for offset in ("+01:00", "-05:00"):
        shift = datetime(2026, 1, 1, tzinfo=ZoneInfo(name_zone(offset))).utcoffset()
        assert shift == timedelta(hours=int(offset[:3]))


def test_several_days_and_empty_intervals():
    weekend = interval_of_days(date(2026, 1, 31), date(2026, 2, 1), "America/New_York")
    assert (weekend.earliest, weekend.latest) == (at("2026-01-31T05:00"), at("2026-02-02T05:00"))
    with pytest.raises(DataError, match="no time is left"):
        Interval(at("2026-01-01"), at("2026-01-01"), "printed", "printed")
