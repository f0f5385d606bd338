from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from event_impact.inference.windows import value_in_currency


def test_it_is_shares_times_close_times_return(focal):
    headline, companion = focal.money
    assert (headline.row.return_kind, companion.row.return_kind) == ("close_to_close", "close_to_open")
    value = 3_984_498_566 * 13.88
    assert headline.previous_close == 13.88
    assert headline.market_value == pytest.approx(value)
    assert headline.estimate == pytest.approx(value * headline.row.estimate)
    assert headline.ci95_low == pytest.approx(value * headline.row.ci95[0])
    assert headline.ci95_high == pytest.approx(value * headline.row.ci95[1])
    assert headline.mde80_rule == pytest.approx(value * headline.row.mde80_rule)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shares_outstanding": None}, "no count of shares"),
        ({"shares_as_of": "2026-02-02"}, "not before"),
        ({"shares_as_of": ""}, "nowhere"),
    ],
)
def test_without_a_count_there_is_a_reason_and_no_amount(focal, changes, said):
    story = dataclasses.replace(focal.story, **changes)
    row = next(r for r in focal.estimates if r.is_primary)
    found = value_in_currency(row, focal.returns.prices["close"], focal.alignment.event_session, story)
    assert said in found.note
    assert found.estimate is found.market_value is None


def test_a_row_without_an_estimate_passes_its_reason_on(focal):
    row = dataclasses.replace(next(r for r in focal.estimates if r.is_primary), estimate=None, note="no open")
    found = value_in_currency(row, focal.returns.prices["close"], pd.Timestamp("2026-02-02"), focal.story)
    assert found.note == "no open"
