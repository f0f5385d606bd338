"""Instants to sessions: every rule has a case that fails when the rule is broken."""

from __future__ import annotations

import dataclasses
from datetime import date

import pandas as pd
import pytest
from event_impact.base.errors import AlignmentError, ConfigError
from event_impact.events.articles import Article, Story, load_stories
from event_impact.events.calendars import load_hours
from event_impact.events.sessions import align_article, align_story, identify, tighten_by_order
from hypothesis import given, settings
from hypothesis import strategies as st


def article(role: str, earliest: str, latest: str, article_id: str = "") -> Article:
    return Article(
        story="s",
        article_id=article_id or role,
        role=role,
        source_kind="origin",
        outlet="o",
        published_earliest=pd.Timestamp(earliest, tz="UTC"),
        published_latest=pd.Timestamp(latest, tz="UTC"),
        earliest_basis="printed",
        latest_basis="printed",
        time_as_printed="",
        zone="UTC",
        zone_basis="printed",
        precision="minute",
        url="",
        paraphrase="",
        confidence="high",
        notes="",
    )


def story(*articles: Article, exchange: str = "XNYS") -> Story:
    return Story("s", "t", "A", exchange, "M", (), (), "yes", "A", True, "open", "", articles)


@pytest.mark.parametrize(
    ("exchange", "instant", "close", "opening", "phase"),
    [
        # weekend: the focal story
        ("XNYS", "2026-01-31 18:28", "2026-02-02", "2026-02-02", "weekend"),
        # before the open, in session, at the very close, a second before it
        ("XNYS", "2026-02-02 14:29:59", "2026-02-02", "2026-02-02", "pre_open"),
        ("XNYS", "2026-02-02 14:30:00", "2026-02-02", "2026-02-03", "in_session"),
        ("XNYS", "2026-02-02 20:59:59", "2026-02-02", "2026-02-03", "in_session"),
        ("XNYS", "2026-02-02 21:00:00", "2026-02-03", "2026-02-03", "after_close"),
        # half day: 13:00 New York closes
        ("XNYS", "2025-11-28 17:59:59", "2025-11-28", "2025-12-01", "in_session"),
        ("XNYS", "2025-11-28 18:00:00", "2025-12-01", "2025-12-01", "after_close"),
        # holiday
        ("XNYS", "2026-01-19 15:00", "2026-01-20", "2026-01-20", "holiday"),
        # either side of the change to summer time
        ("XNYS", "2026-03-06 20:30", "2026-03-06", "2026-03-09", "in_session"),
        ("XNYS", "2026-03-09 20:30", "2026-03-10", "2026-03-10", "after_close"),
        # Sunday evening in New York is Monday in Hong Kong
        ("XHKG", "2026-02-02 01:00", "2026-02-02", "2026-02-02", "pre_open"),
        ("XHKG", "2026-02-02 04:30", "2026-02-02", "2026-02-03", "lunch_break"),
        ("XHKG", "2026-02-16 03:59", "2026-02-16", "2026-02-20", "in_session"),
        ("XHKG", "2026-02-16 04:00", "2026-02-20", "2026-02-20", "after_close"),
        ("XETR", "2026-02-02 16:29", "2026-02-02", "2026-02-03", "in_session"),
        ("XETR", "2026-02-02 16:30", "2026-02-03", "2026-02-03", "after_close"),
    ],
)
def test_one_instant(exchange, instant, close, opening, phase):
    hours = load_hours(exchange)
    at = pd.Timestamp(instant, tz="UTC")
    assert str(hours.close_session(at).date()) == close
    assert str(hours.open_session(at).date()) == opening
    assert hours.phase(at) == phase


def test_a_day_without_zone_reaches_two_sessions():
    day = article("relay", "2026-01-30 10:00", "2026-02-01 12:00")
    aligned = align_article(day, load_hours("XNYS"))
    assert [str(s.date()) for s in aligned.sessions] == ["2026-01-30", "2026-02-02"]
    assert len(aligned.sessions) > 1


def test_the_upper_bound_is_exclusive():
    until_close = article("relay", "2026-02-02 15:00", "2026-02-02 21:00")
    assert len(align_article(until_close, load_hours("XNYS")).sessions) == 1


def test_near_close_is_noted_and_moves_nothing():
    late = align_article(article("report", "2026-02-02 20:52", "2026-02-02 20:53"), load_hours("XNYS"))
    assert late.is_near_close
    assert "near_close" in late.reason
    assert [str(s.date()) for s in late.sessions] == ["2026-02-02"]
    early = align_article(article("report", "2026-02-02 20:30", "2026-02-02 20:31"), load_hours("XNYS"))
    assert not early.is_near_close


def test_order_tightens_bounds_and_says_so():
    report = article("report", "2026-02-02 12:00", "2026-02-04 12:00")
    denial = article("denial", "2026-02-01 12:00", "2026-02-03 12:00")
    moved = {a.role: a for a in tighten_by_order((report, denial))}
    assert moved["denial"].published_earliest == report.published_earliest
    assert moved["denial"].earliest_basis == "order"
    assert moved["report"].published_latest == denial.published_latest
    assert moved["report"].latest_basis == "order"
    impossible = article("denial", "2026-01-31 12:00", "2026-02-02 12:00")
    with pytest.raises(AlignmentError, match="no time is left"):
        tighten_by_order((report, impossible))


@pytest.mark.parametrize(
    ("report", "denial", "kind", "between"),
    [
        # both in one closed interval
        (("2026-01-31 10:00", "2026-01-31 18:29"), ("2026-01-31 19:00", "2026-01-31 23:49"), "joint", ""),
        # a close lies between
        (("2026-02-02 15:00", "2026-02-02 15:01"), ("2026-02-03 12:00", "2026-02-03 12:01"), "separable", "close"),
        # only an open lies between
        (("2026-02-02 12:00", "2026-02-02 12:01"), ("2026-02-02 16:00", "2026-02-02 16:01"), "separable", "open"),
        # the report ends exactly at the close: the close can still contain it
        (("2026-02-02 15:00", "2026-02-02 21:00"), ("2026-02-02 21:00", "2026-02-02 22:00"), "separable", "close"),
        # an open and a close lie between: the close is used, since close-to-close returns then separate them
        (("2026-02-02 12:00", "2026-02-02 12:01"), ("2026-02-02 22:00", "2026-02-02 22:01"), "separable", "close"),
        # a report that begins at the very close is not followed by that close
        (("2026-02-02 21:00", "2026-02-02 22:00"), ("2026-02-02 22:00", "2026-02-02 23:00"), "joint", ""),
        # bounds that overlap a close
        (("2026-02-02 15:00", "2026-02-03 15:00"), ("2026-02-02 16:00", "2026-02-03 16:00"), "ambiguous", ""),
    ],
)
def test_what_is_identified(report, denial, kind, between):
    alignment = align_story(story(article("report", *report), article("denial", *denial)))
    assert alignment.identification.kind == kind
    assert alignment.identification.price_between == between
    record = alignment.identification.as_record()
    assert record["report"] == record["denial"] == (kind == "separable")


def test_the_first_of_several_denials_counts():
    early = article("denial", "2026-02-02 15:00", "2026-02-02 16:00", "early")
    late = article("denial", "2026-02-02 15:00", "2026-02-04 16:00", "late")
    alignment = align_story(story(article("report", "2026-02-02 12:00", "2026-02-02 12:01"), late, early))
    assert [str(s.date()) for s in alignment.denial_sessions] == ["2026-02-02"]


def test_the_report_that_was_surely_public_first_counts():
    loose = article("report", "2026-02-02 10:00", "2026-02-03 23:00", "loose")
    tight = article("report", "2026-02-02 12:00", "2026-02-02 12:01", "tight")
    denial = article("denial", "2026-02-02 22:00", "2026-02-02 22:01")
    assert align_story(story(loose, tight, denial)).identification.kind == "separable"


def test_without_opens_an_open_cannot_separate():
    pair = story(
        article("report", "2026-02-02 12:00", "2026-02-02 12:01"),
        article("denial", "2026-02-02 16:00", "2026-02-02 16:01"),
    )
    assert align_story(pair).identification.kind == "separable"
    assert align_story(pair, opens=pd.DatetimeIndex([])).identification.kind == "joint"


def test_roles_that_are_missing():
    hours = load_hours("XNYS")
    one = align_article(article("report", "2026-02-02 12:00", "2026-02-02 12:01"), hours)
    assert identify((one,), ticker="A", hours=hours, opens=None).kind == "report_only"
    denial = align_article(article("denial", "2026-02-02 12:00", "2026-02-02 12:01"), hours)
    assert identify((denial,), ticker="A", hours=hours, opens=None).kind == "denial_only"


def test_the_focal_story_is_joint(focal):
    found = focal.alignment.identification
    known = {"report": False, "denial": False, "joint": True}
    assert found.as_record() == {"kind": "joint", **known, "reason": found.reason}
    assert "joint effect" in found.reason
    assert str(focal.alignment.event_session.date()) == "2026-02-02"
    assert focal.alignment.hull == (0, 0)


def test_as_of_is_checked(root):
    held = load_stories(root.data)["ford-xiaomi"]
    with pytest.raises(ConfigError, match=r"no session.*2026-02-13 and 2026-02-17"):
        align_story(held, as_of=date(2026, 2, 14))
    with pytest.raises(ConfigError, match="before the event session"):
        align_story(held, as_of=date(2026, 1, 30))
    early = align_story(held, as_of=date(2026, 2, 2))
    late = align_story(held, as_of=date(2026, 2, 13))
    assert len(early.articles) < len(late.articles)
    limit = pd.Timestamp("2026-02-02 21:00", tz="UTC")
    assert all(e.article.published_latest <= limit for e in early.articles)


instants = st.datetimes(
    min_value=pd.Timestamp("2024-01-02").to_pydatetime(), max_value=pd.Timestamp("2026-06-01").to_pydatetime()
)


@settings(max_examples=80, deadline=None)
@given(instants, st.integers(min_value=1, max_value=5000), st.sampled_from(["XNYS", "XHKG", "XETR"]))
def test_candidates_are_contiguous_and_hold_both_ends(start, minutes, exchange):
    hours = load_hours(exchange)
    begin = pd.Timestamp(start).tz_localize("UTC").floor("s")
    end = begin + pd.Timedelta(minutes=minutes)
    base = article("report", "2026-02-02 12:00", "2026-02-02 12:01")
    aligned = align_article(dataclasses.replace(base, published_earliest=begin, published_latest=end), hours)
    # brute force over the schedule, from the definition
    closes = hours.schedule["close"]
    first = closes.index[(closes > begin).to_numpy().argmax()]
    last = closes.index[(closes > end - pd.Timedelta(nanoseconds=1)).to_numpy().argmax()]
    assert aligned.sessions[0] == first
    assert aligned.sessions[-1] == last
    assert list(aligned.sessions) == list(hours.between(first, last))


@settings(max_examples=60, deadline=None)
@given(instants, st.sampled_from(["America/New_York", "Asia/Tokyo", "Europe/Paris", "Pacific/Kiritimati"]))
def test_the_zone_of_the_input_does_not_matter(start, zone):
    hours = load_hours("XNYS")
    instant = pd.Timestamp(start).tz_localize("UTC")
    assert hours.close_session(instant) == hours.close_session(instant.tz_convert(zone))
    assert hours.phase(instant) == hours.phase(instant.tz_convert(zone))


@pytest.mark.parametrize(
    ("report", "denial", "is_closed", "words"),
    [
        # one closed stretch: evening to the morning after, a weekend
        (("2026-02-02 21:00", "2026-02-02 22:00"), ("2026-02-02 22:00", "2026-02-03 14:30"), True, "was closed"),
        (("2026-01-31 00:00", "2026-01-31 18:29"), ("2026-01-31 18:29", "2026-02-01 12:00"), True, "was closed"),
        # both within the hours of a session: trades there lie between them, daily prices do not
        (("2026-02-02 15:00", "2026-02-02 16:00"), ("2026-02-02 17:00", "2026-02-02 18:00"), False, "within a session"),
        # the last bound reaches a minute into the session
        (("2026-02-02 21:00", "2026-02-02 22:00"), ("2026-02-02 22:00", "2026-02-03 14:31"), False, "within a session"),
    ],
)
def test_closed_and_not_recorded_are_told_apart(report, denial, is_closed, words):
    pair = story(article("report", *report), article("denial", *denial))
    found = align_story(pair, opens=pd.DatetimeIndex([])).identification
    assert (found.kind, found.is_closed_between) == ("joint", is_closed)
    assert words in found.reason
    assert "only their joint effect" in found.reason


def test_opens_count_session_by_session():
    pair = story(
        article("report", "2026-02-02 12:00", "2026-02-02 12:01"),
        article("denial", "2026-02-02 16:00", "2026-02-02 16:01"),
    )
    assert align_story(pair, opens=pd.DatetimeIndex(["2026-02-02"])).identification.price_between == "open"
    assert align_story(pair, opens=pd.DatetimeIndex(["2026-02-03"])).identification.kind == "joint"


def test_a_denial_alone_claims_no_joint_effect():
    found = align_story(story(article("denial", "2026-02-02 15:00", "2026-02-02 16:00"))).identification
    assert [found.as_record()[name] for name in ("report", "denial", "joint")] == [False, True, False]
    assert "only if it came in the same interval" in found.reason


@pytest.mark.parametrize(
    ("first", "last", "phases"),
    [
        ("2026-02-02 15:00", "2026-02-02 16:00", ("in_session",)),
        ("2026-02-02 15:00", "2026-02-03 15:00", ("in_session", "after_close", "pre_open", "in_session")),
        ("2026-01-30 21:00", "2026-02-02 14:29", ("after_close", "weekend", "pre_open")),
        ("2026-01-17 15:00", "2026-01-20 14:00", ("weekend", "holiday", "pre_open")),
    ],
)
def test_every_phase_that_an_interval_crosses_is_named(first, last, phases):
    hours = load_hours("XNYS")
    assert hours.phases(pd.Timestamp(first, tz="UTC"), pd.Timestamp(last, tz="UTC")) == phases
    cell = align_article(article("report", first, last), hours).phase
    assert cell == " to ".join(phases)


def test_a_long_interval_counts_the_sessions_in_its_middle():
    held = align_article(article("report", "2026-02-02 15:00", "2026-02-05 15:00"), load_hours("XNYS"))
    assert held.phase == "in_session to 2 sessions to in_session"


@pytest.mark.parametrize(
    ("earliest", "latest", "holds"),
    [
        ("2026-02-02 14:29", "2026-02-02 14:30", "yes"),
        ("2026-02-02 14:30", "2026-02-02 14:31", "no"),
        ("2026-02-02 14:29", "2026-02-02 14:31", "perhaps"),
    ],
)
def test_whether_the_opening_price_can_hold_the_report(earliest, latest, holds):
    assert align_story(story(article("report", earliest, latest))).open_holds_news == holds


def test_the_clock_of_the_exchange_stands_beside_utc():
    held = align_article(article("report", "2026-02-02 02:45", "2026-02-02 02:46"), load_hours("XTKS"))
    assert "Mon 2026-02-02 02:45 UTC, Mon 11:45 Tokyo" in held.reason
