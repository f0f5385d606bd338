"""What looks wrong in a price history, and what only looks unusual."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from event_impact.events.calendars import load_hours
from event_impact.market.checks import DOUBTFUL, NOTED, set_aside_figures
from event_impact.market.plausibility import find_doubts

DAYS = load_hours("XNYS").between(pd.Timestamp("2023-01-03"), pd.Timestamp("2025-12-31"))
DAY = 400
SESSION = str(DAYS[DAY].date())


@pytest.fixture
def frame() -> pd.DataFrame:
    """Three years of a share that moves by 1.2 % a session and pays .15 on 12 each quarter, and falls by it."""
    rng = np.random.default_rng(11)
    paid = np.where(np.arange(len(DAYS)) % 63 == 40, 0.15, 0.0)
    closes = [12.0]
    for t in range(1, len(DAYS)):
        closes.append(closes[-1] * (1 + rng.normal(0, 0.012)) - paid[t])
    frame = pd.DataFrame({"close": closes, "dividend": paid, "split": 0.0, "volume": 1e6}, index=DAYS)
    return adjusted(frame)


def adjusted(frame: pd.DataFrame) -> pd.DataFrame:
    """With the adjusted series that belongs to its dividends."""
    kept = (1 - frame["dividend"] / frame["close"].shift()).fillna(1.0)
    factor = kept[::-1].cumprod()[::-1].shift(-1).fillna(1.0)
    return frame.assign(adj_close=frame["close"] * factor)


def put(frame: pd.DataFrame, column: str, value: float, *, day: int = DAY) -> pd.DataFrame:
    frame = frame.copy()
    frame.iloc[day, frame.columns.get_loc(column)] = value
    return frame


def scale_from(frame: pd.DataFrame, factor: float, *, first: int = DAY, last: int | None = None) -> pd.DataFrame:
    frame = frame.copy()
    frame.iloc[first:last, frame.columns.get_indexer(["close", "adj_close"])] *= factor
    return frame


def doubts(frame: pd.DataFrame, state: str = DOUBTFUL, **others: object) -> list[tuple[str, str]]:
    return [(d.session, d.field) for d in find_doubts(frame, **others) if d.state == state]


def test_a_sound_history_raises_no_doubt(frame):
    assert find_doubts(frame) == ()
    assert find_doubts(frame, opinion=frame, benchmark=frame["close"] * 3) == ()


def test_a_unit_is_told_from_both_of_its_steps(frame):
    assert doubts(scale_from(frame, 100.0, last=DAY + 5)) == [
        (SESSION, "close"), (str(DAYS[DAY + 5].date()), "close"),
    ]  # fmt: skip


def test_a_step_of_three_for_two_is_noted_and_stops_nothing(frame):
    moved = scale_from(frame, 1 / 1.5 * frame["close"].iloc[DAY - 1] / frame["close"].iloc[DAY])
    assert doubts(moved) == []
    assert doubts(moved, NOTED) == [(SESSION, "close")]


@pytest.mark.parametrize("ratio", [2.0, 0.1, 1.5])
def test_a_recorded_split_must_have_left_the_closes(frame, ratio):
    assert doubts(put(frame, "split", ratio)) == []
    still_there = put(scale_from(frame, 1 / ratio), "split", ratio)
    assert (SESSION, "split") in doubts(still_there)
    twice = put(scale_from(frame, ratio), "split", ratio)
    assert (SESSION, "split") in doubts(twice)


def test_a_spike_is_doubted_unless_it_was_traded_or_the_market_shares_it(frame):
    spiked = scale_from(frame, 1.4, last=DAY + 1)
    after = str(DAYS[DAY + 1].date())
    assert doubts(spiked) == [(SESSION, "close"), (after, "close")]
    traded = put(spiked, "volume", 5e6)
    assert doubts(traded) == []
    assert doubts(traded, NOTED) == [(SESSION, "close")]  # a report, denied the day after
    market = scale_from(frame, 1.4, last=DAY + 1)["close"]
    assert doubts(spiked, benchmark=market) == []


def test_a_dividend_that_the_price_does_not_show(frame):
    assert doubts(adjusted(put(frame, "dividend", 2.4))) == [(SESSION, "dividend")]
    fallen = frame.copy()
    fallen.iloc[DAY:, fallen.columns.get_loc("close")] *= 0.8
    assert doubts(adjusted(put(fallen, "dividend", 0.2 * fallen["close"].iloc[DAY - 1]))) == []  # a special one
    still = put(adjusted(put(frame, "dividend", 2.4)), "volume", 0.0)
    assert doubts(still) == []  # nobody traded


def test_one_dividend_entered_on_two_days(frame):
    paid = np.flatnonzero(frame["dividend"])[5]
    twice = adjusted(put(frame, "dividend", 0.16, day=paid + 3))
    assert doubts(twice) == [(str(DAYS[paid].date()), "dividend"), (str(DAYS[paid + 3].date()), "dividend")]
    weekly = adjusted(frame.assign(dividend=np.where(np.arange(len(frame)) % 5 == 0, 0.01, 0.0)))
    assert doubts(weekly) == []  # it pays each week


def test_pence_and_pounds_are_mixed_up_only_where_there_are_pence(frame):
    paid = np.flatnonzero(frame["dividend"])[5]
    small = adjusted(put(frame, "dividend", 0.0015, day=paid))
    assert doubts(small, currency="USD") == []
    assert doubts(small, currency="GBp") == [(str(DAYS[paid].date()), "dividend")]
    all_small = adjusted(frame.assign(dividend=frame["dividend"] / 100))
    assert len(doubts(all_small, currency="GBp")) == np.count_nonzero(frame["dividend"])


def test_the_adjusted_series_is_heard_where_there_is_no_second_reading(frame):
    paid = np.flatnonzero(frame["dividend"])[5]
    missing = put(frame, "dividend", 0.0, day=paid)
    assert doubts(missing) == [(str(DAYS[paid].date()), "dividend")]
    assert doubts(missing, opinion=missing) == []
    assert doubts(put(frame, "dividend", 0.06, day=paid)) == [(str(DAYS[paid].date()), "dividend")]
    assert doubts(put(frame, "dividend", 0.14, day=paid)) == []


def test_a_second_reading_is_heard_on_dividends_and_steps(frame):
    opinion = scale_from(put(frame, "dividend", 0.3), 0.5)
    found = find_doubts(frame, opinion=opinion)
    assert [(d.session, d.field) for d in found] == [(SESSION, "close"), (SESSION, "dividend")]
    assert found[1].reason == "a second reading makes it 0.3"


def bar(**cells: float) -> pd.DataFrame:
    row = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 5.0, "dividend": 0.0} | cells
    sound = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 5.0, "dividend": 0.0}
    return pd.DataFrame([sound, row], index=pd.DatetimeIndex(["2024-01-02", "2024-01-03"]))


@pytest.mark.parametrize(
    ("cells", "lost"),
    [
        ({}, []),
        ({"open": 11.0}, []),
        ({"open": 11.1}, ["open"]),
        ({"open": 8.9}, ["open"]),
        ({"close": 11.1}, ["high"]),
        ({"close": 8.9}, ["low"]),
        ({"open": 11.2, "close": 11.3}, ["high"]),  # two witnesses against one
        ({"high": 0.0, "low": np.nan}, ["high", "low"]),
        ({"volume": -1.0, "dividend": np.inf}, ["dividend", "volume"]),
        ({"close": -np.inf}, ["close"]),
        ({"close": 0.0}, ["close"]),
    ],
)
def test_the_close_is_believed_before_the_bounds_and_the_open_after_them(cells, lost):
    figures, found = set_aside_figures(bar(**cells))
    assert sorted(d.field for d in found) == lost
    assert sorted(figures.columns[figures.iloc[1].isna()]) == lost
    assert figures.iloc[0].notna().all()
