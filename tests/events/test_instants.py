"""Many publication intervals at once land where one at a time does."""

import numpy as np
import pandas as pd
import pytest
from event_impact.events.calendars import OUTSIDE, find_candidates, load_hours


@pytest.mark.parametrize("exchange", ["XNYS", "XHKG", "XLON"])
def test_candidates_are_those_of_the_rule_for_one_instant(exchange):
    hours = load_hours(exchange)
    rng = np.random.default_rng(5)
    earliest = np.datetime64("2024-10-20", "ns") + rng.integers(0, 90 * 86_400, 300) * np.timedelta64(1, "s")
    latest = earliest + rng.integers(0, 3 * 86_400, 300) * np.timedelta64(1, "s")
    found = find_candidates(hours, earliest, latest)
    for k in range(300):
        first, last = (pd.Timestamp(t, tz="UTC") for t in (earliest[k], latest[k]))
        last = max(first, last - pd.Timedelta(nanoseconds=1))
        assert hours.sessions[found.first[k]] == hours.close_session(first)
        assert hours.sessions[found.last[k]] == hours.close_session(last)


def test_the_close_belongs_to_the_next_session_and_half_days_close_early():
    hours = load_hours("XNYS")
    close = np.array(["2026-02-02T21:00:00", "2025-11-28T18:00:00"], dtype="datetime64[ns]")  # the second a half day
    at = find_candidates(hours, close, close)
    before = find_candidates(hours, close - np.timedelta64(1, "s"), close)
    sessions = hours.sessions
    assert [str(sessions[i].date()) for i in at.first] == ["2026-02-03", "2025-12-01"]
    assert [str(sessions[i].date()) for i in before.last] == ["2026-02-02", "2025-11-28"]
    assert before.is_unique.all()


def test_instants_outside_the_calendar_are_said():
    hours = load_hours("XNYS")
    far = np.array(["1971-01-04T12:00", "2099-01-05T12:00", "NaT"], dtype="datetime64[ns]")
    found = find_candidates(hours, far, far)
    assert (found.first == OUTSIDE).all()
    assert not found.is_known.any()
