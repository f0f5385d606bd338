"""First possible prices after the focal weekend, and hours that differ from the calendar library's."""

from __future__ import annotations

import pandas as pd
import pytest
from event_impact.events.calendars import load_hours
from event_impact.events.venues import first_prices, load_venues
from stories import ROOT


@pytest.fixture(scope="module")
def venues():
    return load_venues(ROOT / "data")


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


@pytest.mark.parametrize(
    ("venue", "first"),
    [
        ("overnight-ats", "2026-02-02 01:00"),  # Sunday 20:00 in New York
        ("frankfurt-floor", "2026-02-02 07:00"),
        ("us-pre-market", "2026-02-02 09:00"),
        ("us-regular", "2026-02-02 14:30"),
    ],
)
def test_after_the_focal_weekend(venues, venue, first):
    held = {v.venue: v for v in venues}
    assert held[venue].first_price_after(at("2026-01-31 23:49")) == at(first)


def test_order_and_selection(venues):
    table = first_prices(venues, "XNYS", at("2026-01-31 23:49"))
    assert table["venue"].iloc[0] == "overnight-ats"
    assert "hong-kong" not in set(table["venue"])
    assert table["first_price_at"].is_monotonic_increasing
    hong_kong = first_prices(venues, "XHKG", at("2026-01-31 23:49"))
    assert list(hong_kong["first_price_at"]) == [at("2026-02-02 01:30")]


def test_trading_now_is_priced_now(venues):
    held = {v.venue: v for v in venues}
    assert held["us-regular"].first_price_after(at("2026-02-02 15:00")) == at("2026-02-02 15:00")
    assert held["overnight-ats"].first_price_after(at("2026-02-02 03:00")) == at("2026-02-02 03:00")


def test_a_closed_night_is_priced_next_morning(venues):
    held = {v.venue: v for v in venues}
    assert held["us-regular"].first_price_after(at("2026-02-02 22:00")) == at("2026-02-03 14:30")


def test_hours_are_dated(venues):
    held = {v.venue: v for v in venues}
    assert held["overnight-ats"].first_price_after(at("2020-02-01 12:00")) is None


def test_the_floor_opens_before_the_library_says(venues):
    floor = {v.venue: v for v in venues}["frankfurt-floor"]
    library = load_hours("XFRA").schedule.at[pd.Timestamp("2026-02-02"), "open"]
    assert floor.hours_of(pd.Timestamp("2026-02-02"))[0] < library


def test_summer_time_moves_the_clock_not_the_rule(venues):
    regular = {v.venue: v for v in venues}["us-regular"]
    assert regular.hours_of(pd.Timestamp("2026-03-06"))[0] == at("2026-03-06 14:30")
    assert regular.hours_of(pd.Timestamp("2026-03-09"))[0] == at("2026-03-09 13:30")
