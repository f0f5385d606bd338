"""Filings of EDGAR in each shape: times to the second, by which clock, and what an amendment says."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from event_impact.base.errors import DataError
from event_impact.reading.filings import read_submissions
from event_impact.reading.ingest import examine_page

SAVED_AT = datetime(2026, 3, 31, tzinfo=UTC)
INDEX = """<!DOCTYPE html><html><head><title>EDGAR Filing Documents for 0000000007-26-000012</title></head><body>
<div id="formName"><strong>Form {form}</strong> - Current report:</div>
<div id="secNum"><strong>SEC Accession <acronym>No.</acronym></strong> 0000000007-26-000012</div>
<div class="formGrouping"><div class="infoHead">Filing Date</div><div class="info">{filed}</div>
<div class="infoHead">Accepted</div><div class="info">{accepted}</div></div>
<div class="formGrouping"><div class="infoHead">Period of Report</div><div class="info">2026-02-09</div>
<div class="infoHead">Items</div><div class="info">Item 2.02: Results of Operations and Financial Condition</div></div>
</body></html>"""
HEADER = """<SEC-DOCUMENT>0000000007-26-000012.txt : 20260210
<SEC-HEADER>0000000007-26-000012.hdr.sgml : 20260210
<ACCEPTANCE-DATETIME>{accepted}
ACCESSION NUMBER:		0000000007-26-000012
CONFORMED SUBMISSION TYPE:	8-K
CONFORMED PERIOD OF REPORT:	20260209
ITEM INFORMATION:		Results of Operations and Financial Condition
FILED AS OF DATE:		{filed}
"""


def index(form: str = "8-K", filed: str = "2026-02-10", accepted: str = "2026-02-10 16:05:37") -> bytes:
    return INDEX.format(form=form, filed=filed, accepted=accepted).encode()


def header(accepted: str = "20260210160537", filed: str = "20260210") -> bytes:
    return HEADER.format(accepted=accepted, filed=filed).encode()


def submissions(**changes) -> bytes:
    columns = {
        "accessionNumber": ["0000000007-26-000012", "0000000007-26-000009"],
        "filingDate": ["2026-02-10", "2026-01-05"],
        "acceptanceDateTime": ["2026-02-10T21:05:37.000Z", "2026-01-05T14:00:00.000Z"],
        "form": ["8-K", "8-K/A"],
        "items": ["2.02,9.01", "2.02"],
    } | changes
    return json.dumps({"cik": "0000000007", "name": "ARVO CORP", "filings": {"recent": columns}}).encode()


@pytest.mark.parametrize("content", [index(), header()], ids=["index page", "header"])
def test_header_clocks_are_new_york_time_to_the_second(content):
    found = examine_page(content, name="f", saved_at=SAVED_AT).proposal
    assert (found.verdict, found.zone, found.stamp.zone_basis, found.stamp.precision) == (
        "found", "America/New_York", "site_convention", "second",
    )  # fmt: skip
    assert found.interval.earliest == datetime(2026, 2, 10, 21, 5, 37, tzinfo=UTC)
    assert found.interval.latest == datetime(2026, 2, 10, 21, 5, 38, tzinfo=UTC)
    (item,) = found.evidence
    assert "item 2.02" in item.note
    assert "New York time" in item.note


def test_summer_time_moves_the_header_clock():
    found = examine_page(header("20250710160500", "20250710"), name="f", saved_at=SAVED_AT).proposal
    assert found.interval.earliest == datetime(2025, 7, 10, 20, 5, 0, tzinfo=UTC)
    assert found.interval.width.total_seconds() == 1  # seconds of zero are seconds here


def test_the_submissions_json_is_utc():
    first, second = read_submissions(submissions(), name="s")
    assert first.bounds.earliest == datetime(2026, 2, 10, 21, 5, 37, tzinfo=UTC)
    assert "UTC as printed" in first.describe()
    assert (first.items, first.is_amended, second.is_amended) == (("2.02", "9.01"), False, True)
    assert first.address == (
        "https://www.sec.gov/Archives/edgar/data/7/000000000726000012/0000000007-26-000012-index.htm"
    )


def test_a_filing_after_hours_is_shown_the_next_morning():
    found = examine_page(index(filed="2026-02-11", accepted="2026-02-10 18:30:00"), name="f", saved_at=SAVED_AT)
    bounds = found.proposal.interval
    assert bounds.earliest == datetime(2026, 2, 10, 23, 30, tzinfo=UTC)
    assert bounds.latest == datetime(
        2026, 2, 11, 13, 0, tzinfo=UTC
    )  # 08:00 in New York: the SEC states the day, no hour
    assert bounds.latest_basis == "assumed"
    assert "EDGAR states no hour" in found.proposal.evidence[0].note


def test_an_amended_filing_says_that_another_came_before():
    (item,) = examine_page(index(form="8-K/A"), name="f", saved_at=SAVED_AT).proposal.evidence
    assert "amends a filing that was public earlier" in item.note


def test_a_filing_of_the_future_is_not_used():
    early = datetime(2026, 2, 10, 21, 5, tzinfo=UTC)
    with pytest.raises(DataError, match="in the future"):
        examine_page(header(), name="f", saved_at=early)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"{}", "no list of submissions"),
        (submissions(form=["8-K"]), "no list of submissions"),
        (submissions(acceptanceDateTime=["soon", "2026-01-05T14:00:00.000Z"]), "no list of submissions"),
        (b'{"filings": [', "no list of submissions"),
    ],
)
def test_other_json_is_refused(content, what):
    with pytest.raises(DataError, match=what):
        read_submissions(content, name="s")


def test_an_acceptance_time_that_is_none_is_refused():
    with pytest.raises(DataError, match="acceptance time 20261310160537 is none"):
        examine_page(header("20261310160537"), name="f", saved_at=SAVED_AT)
