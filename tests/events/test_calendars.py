"""Calendars of every exchange: bounds that never move with today's date, and refusals in one sentence."""

from __future__ import annotations

import exchange_calendars
import pandas as pd
import pytest
from event_impact.base.errors import AlignmentError
from event_impact.events import calendars
from event_impact.events.calendars import FIRST_DAY, LAST_DAY, load_hours


def test_every_exchange_of_the_library_opens_or_is_refused_in_words():
    refused = {}
    for name in exchange_calendars.get_calendar_names(include_aliases=False):
        try:
            hours = load_hours(name)
        except AlignmentError as error:
            refused[name] = error.message
            continue
        assert hours.sessions.is_monotonic_increasing, name
        assert (hours.schedule["open"] < hours.schedule["close"]).all(), name
        assert hours.sessions[0] >= FIRST_DAY, name
        assert hours.sessions[-1] <= LAST_DAY, name
    assert set(refused) <= {"ASEX", "XBEL", "XBSE", "XCYS", "XTAE"}  # fewer with a library that mends them
    assert all("cannot build the calendar" in message for message in refused.values())


@pytest.mark.parametrize(
    ("exchange", "first", "last"),
    [
        ("XNYS", "1998-12-01", "2027-12-31"),
        ("XSAU", "2021-01-03", "2027-12-30"),
        ("AIXK", "2017-01-04", "2027-12-31"),
    ],
)
def test_a_calendar_reaches_as_far_as_its_holidays_are_known(exchange, first, last):
    sessions = load_hours(exchange).sessions
    assert (str(sessions[0].date()), str(sessions[-1].date())) == (first, last)


def test_a_calendar_known_for_less_is_asked_for_less(monkeypatch):
    asked = []

    class Known:
        @staticmethod
        def bound_min():
            return pd.Timestamp("2010-01-01")

        @staticmethod
        def bound_max():
            return pd.Timestamp("2025-12-31")

    def get_calendar(name, **bounds):
        asked.append(bounds)
        if bounds and bounds["end"] > Known.bound_max():
            raise ValueError("only recorded to the year 2025")
        return Known

    monkeypatch.setattr(exchange_calendars, "get_calendar", get_calendar)
    calendars._build_calendar("XANY")
    assert asked[-1] == {"start": Known.bound_min(), "end": Known.bound_max()}


def test_a_calendar_is_built_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load = calendars.load_hours.__wrapped__
    built = load("XHKG")
    (kept,) = tmp_path.rglob("XHKG-*.npz")
    monkeypatch.setattr(calendars, "_build_arrays", None)
    again = load("XHKG")
    pd.testing.assert_frame_equal(again.schedule, built.schedule)
    library = exchange_calendars.get_calendar("XHKG", start=calendars.FIRST_DAY, end=calendars.LAST_DAY).schedule
    pd.testing.assert_frame_equal(again.schedule, library[list(calendars.HOURS)], check_freq=False)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for damage in (b"", kept.read_bytes()[:1000], b"no archive"):
        kept.write_bytes(damage)
        pd.testing.assert_frame_equal(load("XHKG").schedule, built.schedule)


def test_without_a_place_to_keep_calendars_they_are_built(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert calendars.load_hours.__wrapped__("XHKG").timezone == "Asia/Hong_Kong"
