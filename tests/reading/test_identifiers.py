"""Clocks in addresses, against arithmetic and against rows of the registry read by other means."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pandas as pd
import pytest
from event_impact.reading.evidence import SNOWFLAKE_EPOCH_MS, decode_address, last_occurrence
from event_impact.reading.stamps import Interval


def test_schemes():
    at = datetime(2026, 2, 1, 14, 1, 15, tzinfo=UTC)
    seconds = int(at.timestamp())
    snowflake = ((seconds * 1000 - SNOWFLAKE_EPOCH_MS) << 22) + 4095
    for url in (
        f"https://x.com/vanbiz/status/{snowflake}",
        f"https://mobile.twitter.com/vanbiz/status/{snowflake}?s=20",
        f"https://www.toutiao.com/article/{(seconds << 32) + 77}/",
        f"http://app.myzaker.com/news/article.php?pk={seconds:08x}0123456789abcdef",
        f"https://www.myzaker.com/article/{seconds:08x}0123456789abcdef",
    ):
        clock = decode_address(url)
        assert clock is not None, url
        assert clock.span.earliest == at, url
    suffix = decode_address("https://tw.news.yahoo.com/vans-140115123.html")
    assert suffix is not None
    assert suffix.of_day == time(14, 1, 15)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://example.com/status/1234567890123456789",
        "https://x.com/vanbiz",
        "https://tw.news.yahoo.com/vans-256199123.html",
        "https://notyahoo.com/vans-140115123.html",
        "https://www.toutiao.com/article/0000000000000000001/",
        "https://www.myzaker.com/article/xyz",
    ],
)
def test_no_clock(url):
    assert decode_address(url) is None


def test_registry_rows_are_decoded_to_their_own_bounds(root):
    """Rows whose upper bound was decoded by hand: the same second comes out here."""
    table = pd.read_csv(root.data / "articles.csv", dtype=str, keep_default_na=False)
    seen = 0
    for row in table.to_dict("records"):
        clock = decode_address(row["url"]) if row["latest_basis"] == "decoded" else None
        if clock is None:
            continue
        seen += 1
        latest = pd.Timestamp(row["published_latest"])
        if clock.interval is not None:
            assert clock.interval.latest == latest, row["article_id"]
        else:
            assert (latest - pd.Timedelta(seconds=1)).time() == clock.of_day, row["article_id"]
    assert seen >= 2


def test_last_occurrence_of_a_clock():
    first, last = datetime(2026, 2, 2, 10, tzinfo=UTC), datetime(2026, 2, 4, 12, tzinfo=UTC)
    late, short = Interval(first, last, "", ""), Interval(first, datetime(2026, 2, 2, 11, tzinfo=UTC), "", "")
    assert last_occurrence(time(6, 5), late).earliest == datetime(2026, 2, 4, 6, 5, tzinfo=UTC)
    assert last_occurrence(time(12), late).earliest == datetime(2026, 2, 3, 12, tzinfo=UTC)
    assert last_occurrence(time(9), short) is None
