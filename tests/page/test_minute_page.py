"""The minute study in words, tables and drawings: chosen by outcome, and the same numbers everywhere."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

import pytest
from event_impact import Study
from event_impact.page.first_screen import CHIPS
from event_impact.page.format import find_forbidden
from event_impact.page.minute_page import say_minutes, tabulate_variants, tabulate_windows
from stories import ROOT

COLUMNS = (
    "window,is_declared,starts_at,ends_at,bar_minutes,n_bars,estimate,se_raw,t_raw,se_scaled,t_scaled,day_factor,p_placebo,"
    "p_smallest,n_effective,p_companion,p_star,p_same_clock,p_holm,ci90_low,ci90_high,ci95_low,ci95_high,smallest_bound,"
    "mde80,outcome,note"
)


@pytest.fixture(scope="module")
def tesla() -> Study:
    return Study("tesla-model2-2024", as_of="2024-04-05", root=ROOT)


@pytest.fixture(scope="module")
def tariff() -> Study:
    return Study("tariff-pause-2025", as_of="2025-04-07", root=ROOT)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u2212", "-")


class TestFinding:
    def test_both_found(self, tesla):
        assert plain(tesla.minute_screen.finding).endswith(
            "fell 5.6 % before the denial and rose 2.2 % in the 15 minutes that hold it, less 1.04 \u00d7 QQQ."
        )

    def test_none_found(self, tariff):
        assert plain(tariff.minute_screen.finding).endswith(
            ": no detectable move around report and denial. Four times in five, only one of \u00b18.1 % "
            "would have been seen."
        )

    @pytest.mark.parametrize(
        ("outcomes", "expected"),
        [
            (("no_detectable_effect", "found"), "Tesla rose 2.2 % in the 15 minutes that hold it, less 1.04 \u00d7 QQQ; no "
             "detectable move before the denial. Four times in five, only one of \u00b17.2 % would have been seen."),
            (("borderline", "found"), "Tesla fell 5.6 % before the denial (the tests disagree) and rose 2.2 % "
             "in the 15 minutes that hold it, less 1.04 \u00d7 QQQ."),
            (("insufficient_data", "insufficient_data"),
             "Tesla: too few earlier sessions have bars; figures, and no verdict."),
        ],
    )  # fmt: skip
    def test_an_outcome_chooses_the_words(self, tesla, outcomes, expected):
        result = tesla.minutes
        declared = [dataclasses.replace(r, test=dataclasses.replace(r.test, outcome=o))
                    for r, o in zip(result.declared, outcomes, strict=True)]  # fmt: skip
        changed = dataclasses.replace(result, rows=(*declared, *result.rows[2:]))
        assert plain(say_minutes(changed, "Tesla")) == expected

    def test_windows_that_cannot_be_measured_say_why(self, tesla):
        gone = tuple(dataclasses.replace(r, test=None, note="trading was halted") for r in tesla.minutes.rows)
        changed = dataclasses.replace(tesla.minutes, rows=gone)
        assert say_minutes(changed, "Tesla") == "Tesla: these bars cannot measure report or denial: trading was halted."


class TestSentences:
    def test_ranks_days_and_what_is_told_apart(self, tesla):
        ranks, days, apart = tesla.minute_screen.sentences
        assert "Of 300 ordinary stretches as long" in ranks
        assert ranks.endswith("9 went as far before the denial, none in the 15 minutes that hold it.")
        assert plain(days).startswith("By days it is one number: -5.6 %")
        assert "all other news of its hours" in apart
        assert sum(len(s.split()) for s in tesla.minute_screen.sentences) <= 75

    def test_calm_is_never_claimed_where_a_rise_and_a_fall_share_a_window(self, tariff):
        assert "no sign of calm" in tariff.minute_screen.sentences[-1]

    def test_no_sentence_claims_more_than_bars_can_show(self, tesla, tariff):
        for screen in (tesla.minute_screen, tariff.minute_screen):
            said = screen.text + " ".join(f"{lead} {text}" for lead, text in screen.notes)
            assert find_forbidden(said) == []
            assert "reversed" not in said

    def test_the_closing_line_names_what_the_finding_hangs_on(self, tesla):
        notes = {lead: plain(text) for lead, text in tesla.minute_screen.notes}
        assert "9 to 12 %" in notes["k = 1.55."]
        assert "constant mean -4.8 % (p = 0.12)" in notes["Does it hold?"]
        assert "labels as they stand -3.1 %" in notes["Does it hold?"]
        assert notes["Reversal"] == "not shown: opposite moves, 39 % taken back (16 to 245 %)."
        assert notes["The denial's bar"] == (
            "begins 4 min 33 s before it and moved +2.5 %; what followed wholly after it, -0.3 %."
        )
        assert notes["Other news"] == "was searched for on 2026-11-30."
        assert "inferred" in notes["Bars:"]

    def test_a_market_wide_item_is_said(self, tariff):
        assert "any benchmark: only its own mean is taken off" in tariff.minute_screen.text
        assert "RSP by 1 min +0.8 % (no verdict)" in plain(dict(tariff.minute_screen.notes)["Does it hold?"])


class TestTables:
    def test_the_csv_has_the_columns_of_the_contract(self, tesla):
        assert ",".join(tabulate_windows(tesla.minutes).numbers.columns) == COLUMNS

    def test_screen_table_and_csv_state_the_same_estimates(self, tesla):
        numbers = tabulate_windows(tesla.minutes).numbers.set_index("window")["estimate"]
        for row in tesla.minute_screen.rows:
            assert plain(row.cells[0]) == f"{100 * numbers[row.label]:+.1f} %"

    def test_only_declared_windows_have_a_reading(self, tesla):
        readings = {row.label: row.cells[-1] for row in tesla.minute_screen.rows}
        assert readings.pop("before the denial") == readings.pop("denial") == CHIPS["found"][1]
        assert set(readings.values()) == {"not tested"}

    def test_what_must_be_known_stands_beside_a_window(self, tesla):
        notes = tabulate_windows(tesla.minutes).numbers.set_index("window")["note"]
        assert "the companion decides, its reach is \u00b17.8" in notes["before the denial"]
        assert "spans an hour of scheduled releases" in notes["before the denial"]
        assert "rank in its own session" in notes["bars that hold the denial"]

    def test_without_bars_there_is_a_sentence_in_the_place_of_a_table(self):
        for table in (tabulate_windows(None), tabulate_variants(None, ())):
            assert "No bars of the event session are recorded" in table._repr_html_()
            assert "<table" not in table._repr_html_()


class TestDrawings:
    @pytest.mark.parametrize("width", [656, 358])
    def test_every_declared_window_article_and_bar_is_drawn(self, tesla, width):
        clock, effects = tesla.minute_screen.drawings
        svg = clock.draw(width).to_svg("a")
        ET.fromstring(svg)
        for text in (
            "Reuters: at an unknown time before",
            "Elon Musk on X, 11:35:33",
            "before the denial",
            "denial",
            "9:31",
        ):
            assert text in svg
        assert svg.count("<title>to ") == 30
        assert "New York time (UTC less 4 hours)" in svg
        other = effects.draw(width).to_svg("b")
        ET.fromstring(other)
        assert other.count("<polygon") == 4  # two declared, the total, the day

    def test_the_numbers_behind_are_those_of_the_result(self, tesla):
        clock, effects = tesla.minute_screen.drawings
        assert clock.numbers["abnormal"].iloc[-1] == pytest.approx(tesla.minutes.rows[4].estimate, abs=1e-15)
        held = effects.numbers.groupby("mark").size()
        assert held["ordinary, denial"] == 300


def test_the_short_page_of_a_story_without_bars_says_what_would_have_been_needed():
    screen = Study(root=ROOT).minute_screen
    assert screen.outcome == "no_bars"
    assert screen.finding.endswith("no prices by the minute are recorded for 2 February 2026.")
    assert "US overnight system" in screen.text
    assert "would have had to be recorded" in screen.text
