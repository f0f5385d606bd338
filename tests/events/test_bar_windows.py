"""Articles on bars: which bars they can have reached, and which windows follow."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from event_impact.events.articles import Article
from event_impact.events.bar_windows import align_to_bars, candidate_bars

ENDS = pd.DatetimeIndex(pd.date_range("2024-04-05T13:31Z", "2024-04-05T16:01Z", freq="5min"))
"""Prices of a morning: 31 of them, 13:31 to 16:01."""
NIGHT, NOON = "2024-04-05T04:00:00Z", "2024-04-05T16:00:00Z"


def article(role: str, earliest: str, latest: str) -> Article:
    stamps = {"published_earliest": pd.Timestamp(earliest), "published_latest": pd.Timestamp(latest)}
    texts = {f.name: "" for f in dataclasses.fields(Article) if f.name not in stamps}
    return Article(**{**texts, **stamps, "article_id": role, "role": role})


def at(clock: str) -> str:
    return f"2024-04-05T{clock}Z"


def align(report: tuple[str, str] | None, denial: tuple[str, str] | None, *, after_minutes: int = 60):
    articles = [article(role, *bounds) for role, bounds in (("report", report), ("denial", denial)) if bounds]
    found = align_to_bars(tuple(articles), ENDS, after_minutes=after_minutes)
    spans = {
        span.name: (ENDS[span.first].strftime("%H:%M"), ENDS[span.last].strftime("%H:%M"))
        if not span.reason
        else span.reason
        for span in found.spans
    }
    return found, spans


class TestCandidates:
    @pytest.mark.parametrize(
        ("earliest", "latest", "first", "last"),
        [
            ("15:35:33", "15:35:34", "15:36", "15:36"),  # one bar holds it
            ("15:36:00", "15:36:01", "15:41", "15:41"),  # a bar is left-closed: its end belongs to the next
            ("15:35:59", "15:36:00", "15:36", "15:36"),  # the last instant before 15:36
            ("15:35:00", "15:36:01", "15:36", "15:41"),
            ("14:10:00", "14:40:00", "14:11", "14:41"),
        ],
    )
    def test_the_first_bar_that_ends_strictly_after(self, earliest, latest, first, last):
        places = candidate_bars(ENDS, article("report", at(earliest), at(latest)))
        assert [ENDS[place].strftime("%H:%M") for place in places] == [first, last]

    def test_every_price_of_the_morning_lies_on_one_side_of_any_instant(self):
        for seconds in range(0, 9000, 37):
            instant = ENDS[0] + pd.Timedelta(seconds=seconds)
            place, _ = candidate_bars(ENDS, article("report", instant, instant + pd.Timedelta(seconds=1)))
            assert all(end <= instant for end in ENDS[:place])
            assert all(end > instant for end in ENDS[place:])


class TestWindows:
    def test_tesla_before_the_denial_and_its_own(self):
        found, spans = align((NIGHT, at("15:35:34")), (at("15:35:33"), at("15:35:34")))
        assert found.identification.kind == "before_denial"
        assert spans == {
            "before the denial": ("13:31", "15:31"),
            "denial": ("15:31", "15:46"),
            "bars that hold the denial": ("15:31", "15:36"),
            "wholly after the denial": ("15:36", "15:46"),
            "in total": ("13:31", "16:01"),
        }
        assert [span.name for span in found.spans if span.is_declared] == ["before the denial", "denial"]
        assert found.candidates == {"report": (0, 25), "denial": (25, 25)}

    def test_a_known_report_is_separable_and_its_window_is_cut_at_the_denial(self):
        found, spans = align((at("15:10:00"), at("15:11:00")), (at("15:35:33"), at("15:35:34")))
        assert found.identification.kind == "separable"
        assert spans["report"] == ("15:06", "15:21")
        found, spans = align((at("15:25:00"), at("15:26:00")), (at("15:35:33"), at("15:35:34")))
        assert spans["report"] == ("15:21", "15:31")

    def test_a_lower_bound_moves_the_start_of_the_stretch_before_the_denial(self):
        found, spans = align((at("14:50:00"), at("15:35:34")), (at("15:35:33"), at("15:35:34")))
        assert found.identification.kind == "before_denial"
        assert spans["before the denial"] == ("14:46", "15:31")

    def test_report_and_denial_in_one_bar_are_not_separable(self):
        found, spans = align((at("15:33:00"), at("15:34:00")), (at("15:35:33"), at("15:35:34")))
        assert found.identification.kind == "joint"
        record = found.identification.as_record()
        assert (record["report"], record["joint"]) == (False, True)
        assert "Only their joint effect is measured" in found.identification.reason
        assert spans["report and denial"] == ("15:31", "15:46")

    def test_a_denial_as_early_as_its_report_leaves_one_window(self):
        found, spans = align((at("14:11:00"), at("14:12:00")), (at("14:11:00"), at("14:42:00")))
        assert found.identification.kind == "joint"
        assert spans == {"report and denial": ("14:11", "14:56"), "in total": ("14:11", "15:46")}

    @pytest.mark.parametrize(("role", "kind"), [("report", "report_only"), ("denial", "denial_only")])
    def test_one_article_alone_has_its_own_window(self, role, kind):
        bounds = {role: (at("14:12:00"), at("14:13:00"))}
        found, spans = align(bounds.get("report"), bounds.get("denial"))
        assert found.identification.kind == kind
        assert spans[role] == ("14:11", "14:26")

    def test_the_total_ends_after_the_minutes_asked_for_or_with_the_last_bar(self):
        for minutes, end in ((20, "14:36"), (60, "15:16"), (390, "16:01")):
            _, spans = align((at("14:12:00"), at("14:13:00")), None, after_minutes=minutes)
            assert spans["in total"] == ("14:11", end)


class TestReasons:
    def test_an_article_before_the_first_bar(self):
        found, spans = align((NIGHT, at("12:00:00")), (at("12:30:00"), at("12:31:00")))
        assert "can have begun before the first price" in spans["report and denial"]
        assert "before the first price of these bars" in found.identification.reason

    def test_a_denial_after_the_last_bar(self):
        _, spans = align((NIGHT, at("18:30:00")), (at("18:00:00"), at("18:01:00")))
        assert spans["before the denial"] == spans["denial"] == "it can end after the last price of these bars"

    def test_a_denial_wider_than_the_session(self):
        _, spans = align((NIGHT, at("14:00:00")), (NIGHT, "2024-04-06T04:00:00Z"))
        assert "can have begun before the first price" in spans["report and denial"]

    def test_a_report_before_the_open_leaves_the_stretch_up_to_the_denial(self):
        _, spans = align((NIGHT, at("12:00:00")), (at("14:00:00"), at("14:01:00")))
        assert spans["before the denial"] == ("13:31", "13:56")
