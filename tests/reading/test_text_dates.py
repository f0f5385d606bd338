"""Dates in words: one line each, read by hand."""

from __future__ import annotations

from datetime import date

import pytest
from event_impact.reading import text_dates
from event_impact.reading.proposals import find_relative_days, resolve_from_earlier, resolve_from_publication
from event_impact.reading.text_dates import MAX_DATES, find_dates

CASES = [
    ("January 31, 2026", "2026-01-31", None, ""),
    ("Jan. 31, 2026 at 2:05 p.m. ET", "2026-01-31", "14:05:00", "America/New_York"),
    ("12 a.m. ET on Saturday, January 31, 2026", "2026-01-31", "00:00:00", "America/New_York"),
    ("January 31, 2026, 11:30 PM", "2026-01-31", "23:30:00", ""),
    ("January 31, 2026, 12:05 PM", "2026-01-31", "12:05:00", ""),
    ("October 24, 2021 07:36 PM Eastern Daylight Time", "2021-10-24", "19:36:00", "America/New_York"),
    ("October 24, 2021 07:36 PM Eastern Time", "2021-10-24", "19:36:00", "America/New_York"),
    ("July 1, 2021 4:05 PM British Summer Time", "2021-07-01", "16:05:00", "Europe/London"),
    ("14:05 GMT, 31 January 2026", "2026-01-31", "14:05:00", "UTC"),
    ("Sat, 31 Jan 2026 14:05:33 -0500", "2026-01-31", "14:05:33", "-05:00"),
    ("2026-01-31T14:05:00+01:00", "2026-01-31", "14:05:00", "+01:00"),
    ("2026/02/02 15:40", "2026-02-02", "15:40:00", ""),
    ("15:40, 2026-02-02 UTC+8", "2026-02-02", "15:40:00", ""),
    ("2026-02-02 15:40 UTC+8", "2026-02-02", "15:40:00", "+08:00"),
    ("31. Januar 2026, 14:05 Uhr", "2026-01-31", "14:05:00", ""),
    ("31.01.2026 14.05 Uhr", "2026-01-31", "14:05:00", ""),
    ("1. März 2026 um 9 Uhr", "2026-03-01", "09:00:00", ""),
    ("1er février 2026 à 14h05", "2026-02-01", "14:05:00", ""),
    ("31/01/2026 à 19:28", "2026-01-31", "19:28:00", ""),
    ("31 de enero de 2026 a las 14:05", "2026-01-31", "14:05:00", ""),
    ("2026年1月31日 下午2:05", "2026-01-31", "14:05:00", ""),
    ("2026年1月31日（土）14時05分", "2026-01-31", "14:05:00", ""),
    ("２０２６年１月３１日", "2026-01-31", None, ""),
    ("令和8年1月31日", "2026-01-31", None, ""),
    ("二〇二六年十二月二十一日", "2026-12-21", None, ""),
    ("2026년 1월 31일 오후 2:05", "2026-01-31", "14:05:00", ""),
    ("2026년 1월 31일 오전 12시 5분", "2026-01-31", "00:05:00", ""),
]


@pytest.mark.parametrize(("line", "day", "clock", "zone"), CASES, ids=[c[0] for c in CASES])
def test_one_date(line, day, clock, zone):
    (found,) = find_dates((line,))
    (stamp,) = found.stamps
    assert (str(stamp.day), stamp.clock and str(stamp.clock), stamp.zone) == (day, clock, zone)
    assert found.place == "stamp"


@pytest.mark.parametrize(
    "line",
    [
        "32 January 2026",
        "2026-13-01",
        "version 1.2.2026.4",
        "call 03/02/2026/7",
        "May 2026",
        "1989-01-01",
        "二〇二六年十十月三日",
    ],
)
def test_no_date(line):
    assert find_dates((line,)) == []


def test_order_of_day_and_month():
    days = {
        lang: [str(s.day) for s in find_dates(("03/02/2026",), language=lang)[0].stamps]
        for lang in ("", "en", "en-us", "en-gb", "fr")
    }
    assert days[""] == days["en"] == ["2026-02-03", "2026-03-02"]
    assert days["en-us"] == ["2026-03-02"]
    assert days["en-gb"] == days["fr"] == ["2026-02-03"]
    assert [str(s.day) for s in find_dates(("13/02/2026",))[0].stamps] == ["2026-02-13"]


def test_the_place_in_the_page_decides():
    long = "The firm makes vans and has made them for a long time in a plant near the river. " * 4
    lines = (
        "Vans January 31, 2026",
        f"SPRINGFIELD, Feb. 1, 2026 (Wire) - {long}",
        f"{long} They met on February 2, 2026.",
        "Another headline of a neighbour Feb 4, 2026",
        "Published 5 February 2026",
        "Last updated: 6 February 2026",
        "— Van Business (@vanbiz) February 7, 2026",
    )
    assert [(f.place, f.stamps[0].day.day) for f in find_dates(lines)] == [
        ("stamp", 31), ("stamp", 1), ("mention", 2), ("mention", 4), ("stamp", 5), ("updated", 6), ("embedded_post", 7),
    ]  # fmt: skip


def test_relative_days():
    lines = ("They met on Monday, and the paper wrote over the weekend; on Friday, January 30, 2026 yesterday’s news.",)
    found = {r.word: r for r in find_relative_days(lines)}
    assert list(found) == ["Monday", "weekend", "yesterday"]
    sunday, tuesday = date(2026, 2, 1), date(2026, 2, 3)

    def days(word: str, anchor: date) -> tuple[str, str]:
        interval = resolve_from_publication(found[word], anchor, "UTC")
        return str(interval.earliest.date()), str(interval.latest.date())

    assert days("Monday", tuesday) == ("2026-02-02", "2026-02-03")
    assert days("Monday", sunday) == ("2026-01-26", "2026-01-27")
    assert days("weekend", tuesday) == days("weekend", sunday) == ("2026-01-31", "2026-02-02")
    assert days("yesterday", tuesday) == ("2026-02-02", "2026-02-03")
    late = resolve_from_earlier(found["Monday"], sunday, "UTC")
    assert late is not None
    assert (str(late.earliest.date()), str(late.latest.date()), late.latest_basis) == (
        "2026-02-02",
        "2026-02-09",
        "assumed",
    )
    assert resolve_from_earlier(found["weekend"], sunday) is None


@pytest.mark.parametrize(
    ("line", "language", "word"),
    [
        ("Die Firma teilte am Montag mit", "de", "Montag"),
        ("Das Werk steht hier", "de", ""),
        ("Le groupe a nié hier", "fr", "hier"),
        ("公司星期一否认", "zh", "星期一"),
        ("회사는 월요일에 부인했다", "ko", "월요일"),
    ],
)
def test_relative_days_of_languages(line, language, word):
    found = find_relative_days((line,), language=language)
    assert [r.word for r in found] == ([word] if word else [])


def test_a_word_for_updating_belongs_to_the_time_behind_it():
    line = "October 24, 2021 11:36 PM UTC Updated October 25, 2021 1:00 AM UTC"
    assert [f.place for f in find_dates((line,))] == ["stamp", "updated"]
    assert [f.place for f in find_dates(("October 24, 2021 11:36 PM UTC Updated 12:10 AM UTC",))] == ["stamp"]
    assert [f.place for f in find_dates(("October 24, 2021 (updated)",))] == ["updated"]


@pytest.mark.parametrize("is_one_line", [True, False])
def test_the_work_beside_a_date_does_not_grow_with_the_page(monkeypatch, is_one_line):
    """Characters that are looked at, counted: 240 kB of dates cost no more beside each than a short line does."""
    seen = []

    def count(before, after, *rest, **options):
        seen.append(len(before) + len(after))
        return place(before, after, *rest, **options)

    place = text_dates._place
    monkeypatch.setattr(text_dates, "_place", count)
    text = "January 31, 2026 2:05 PM. "
    lines = (text * 9000,) if is_one_line else (text,) * 9000
    assert len(find_dates(lines)) == MAX_DATES == len(seen)
    assert max(seen) <= text_dates.LABEL_REACH + text_dates.DATELINE_REACH
