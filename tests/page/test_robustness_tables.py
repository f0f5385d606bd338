"""What the pages on robustness, spillover and claims say, from the same objects as their CSV."""

from __future__ import annotations

import dataclasses
import re

import pytest
from conftest import compute
from event_impact.page import claim_tables, robustness_tables, spillover_tables
from event_impact.page.comparison_figures import draw_peers
from event_impact.page.exhibits import write_csv
from event_impact.page.format import format_p, format_percent
from event_impact.page.verdict import find_forbidden
from event_impact.study.specifications import judge_curve


@pytest.fixture(scope="module")
def curve(focal):
    return focal.curve


@pytest.fixture(scope="module")
def spillover(focal):
    return focal.spillover


@pytest.fixture(scope="module")
def claims(focal):
    return focal.claims


def say(curve):
    return robustness_tables.compose_robustness(curve, judge_curve(curve), ticker="F", significance=0.05)


def change(curve, chosen, **changes):
    estimates = tuple(dataclasses.replace(e, **changes) if chosen(e) else e for e in curve.estimates)
    return dataclasses.replace(curve, estimates=estimates)


def test_agreement_is_said_with_its_numbers(curve):
    text = say(curve).text
    assert "No choice would flip the outcome: all 188 specifications" in text
    lowest = min(e.estimate for e in curve.computed)
    assert format_percent(lowest) in text
    assert f"p\u00a0=\u00a0{format_p(curve.tests.max_t.p_value)}" in text
    assert "32 others have too few earlier sessions" in text


def test_a_single_choice_that_flips_is_named_in_words(curve):
    text = say(change(curve, lambda e: e.choice.model == "Fama-French five factors", outcome="detected")).text
    assert "12 of 188 specifications say something else" in text
    assert "One choice is enough: model = Fama-French five factors (detected on its own, \u22122.15\u00a0%)" in text


def test_flips_that_take_two_choices_are_named_too(curve):
    def chosen(e):
        return e.choice.model == "Fama-French five factors" and e.choice.mask == "listed"

    text = say(change(curve, chosen, outcome="detected")).text
    assert "No single choice is enough; it takes two or more together" in text
    assert "news days in the window = listed ones left out (6 of 6)" in text


def test_a_detection_is_told_whether_the_curve_supports_it(curve):
    detected = change(curve, lambda e: e.is_computed, outcome="detected")
    assert "The curve does not support the detection: same sign in 100 % of 188" in say(detected).text
    untested = dataclasses.replace(detected, tests=None, reason="12 eligible placebo sessions, 200 needed")
    assert "cannot be tested as a whole: n/a: 12 eligible placebo sessions" in say(untested).text


def test_tables_of_the_curve_show_what_their_numbers_hold(curve):
    single = robustness_tables.tabulate_single_choices(curve)
    assert single.cells.index[0] == "headline: market model on SPY"
    assert single.cells["estimate"].iloc[0] == format_percent(curve.headline.estimate)
    assert len(single.numbers) == 204
    assert len(single.cells) == 1 + 10 + 1 + 1 + 2 + 1
    choices = robustness_tables.tabulate_choices(curve)
    assert choices.cells.loc["estimation sessions: 500", "specifications"] == "52 of 68"
    assert choices.numbers["n_computed"][choices.numbers["choice"] == "mask"].sum() == 188
    lacking = robustness_tables.tabulate_unavailable(curve)
    assert lacking.numbers["count"].sum() == 16
    assert lacking.cells["reason"].str.startswith("n/a: ").all()
    tests = robustness_tables.tabulate_curve_tests(curve)
    assert tests.numbers["p"].tolist() == [t.p_value for t in curve.tests.all]


def test_the_figure_frame_marks_one_headline_and_keeps_the_models_apart(curve):
    frame = robustness_tables.figure_frame(curve)
    assert frame["is_headline"].sum() == 1
    assert frame["model"].nunique() == 11
    assert frame["model"].str.len().max() <= 28
    assert frame[["estimate", "ci95_low", "ci95_high", "p"]].notna().all().all()


def all_texts(focal, curve, spillover, claims):
    days = focal.left_out_days
    yield say(curve).text
    yield spillover_tables.compose_spillover(spillover, focal.alignment, significance=0.05).text
    exhibits = [
        robustness_tables.tabulate_single_choices(curve),
        robustness_tables.tabulate_choices(curve),
        robustness_tables.tabulate_curve_tests(curve),
        robustness_tables.tabulate_unavailable(curve),
        robustness_tables.tabulate_left_out_days(days, curve.headline),
        robustness_tables.tabulate_left_out_peers(focal.left_out_peers),
        spillover_tables.tabulate_peers(spillover),
        spillover_tables.tabulate_groups(spillover),
        spillover_tables.tabulate_adjusted(spillover),
        spillover_tables.tabulate_foreign(spillover),
        claim_tables.tabulate_claims(claims),
        claim_tables.tabulate_other_claims(claims),
        claim_tables.tabulate_clock(focal.alignment),
        claim_tables.tabulate_dollars(focal.money),
    ]
    assert len({e.name for e in exhibits}) == len(exhibits)
    for exhibit in exhibits:
        csv = write_csv(exhibit.numbers)
        assert not re.search(r"(?m)(^|,)(nan|None|NaT)(,|$)", csv), exhibit.name
        yield exhibit._repr_html_()


def test_no_text_holds_a_forbidden_wording_or_a_bare_blank(focal, curve, spillover, claims):
    for text in all_texts(focal, curve, spillover, claims):
        assert find_forbidden(text) == []
        assert not re.search(r"<td[^>]*>(nan|None|)</td>", text)
        assert not re.search(r"n/a: *<", text)


def test_the_figure_of_peers_describes_every_firm(spillover):
    figure = draw_peers(spillover, "Ford")
    for ticker in ("Ford", "GM", "STLA", "TSLA", "TM", "HMC", "1810.HK (named in the story)"):
        assert f"{ticker}: " in figure.description
    assert figure.numbers["kind"].tolist() == ["firm", "own news", "own news", "clean", "clean", "clean", "own news"]


def test_what_is_uninterpretable_is_called_so(focal, spillover):
    table = spillover_tables.tabulate_peers(spillover)
    assert table.cells.loc["1810.HK", "reading"] == "uninterpretable: own news"
    assert table.cells.loc["GM", "reading"] == "uninterpretable: own news"
    assert table.cells.loc["TM", "reading"] == "donor"
    text = spillover_tables.compose_spillover(spillover, focal.alignment, significance=0.05).text
    assert "Not readable as an answer to this story" in text
    assert "1810.HK (January deliveries of Chinese makers)" in text


def test_a_story_without_peers_figures_or_claims_has_reasons():
    early = compute(story="ford-ev-spinoff-2022", as_of="2022-03-01")
    found = early.spillover
    text = spillover_tables.compose_spillover(found, early.alignment, significance=0.05).text
    assert "Nothing can be said of the peers (GM, STLA, TSLA, TM, HMC)" in text
    assert draw_peers(found, "Volvo").numbers["estimate"].notna().sum() == 1
    claims = early.claims
    assert "No article of this story" in claim_tables.tabulate_claims(claims).caption
    assert "No article of this story" in claim_tables.tabulate_clock(early.alignment).caption
    dollars = claim_tables.tabulate_dollars(early.money)
    assert dollars.cells["estimate"].str.startswith("n/a: no count of shares").all()
    assert "The story names none" in spillover_tables.tabulate_foreign(found).caption


def test_the_ledger_table_and_its_csv_agree(claims):
    table = claim_tables.tabulate_claims(claims)
    other = claim_tables.tabulate_other_claims(claims)
    assert len(table.cells) + len(other.cells) == len(table.numbers) == 114
    computed = table.numbers[table.numbers["decided_by"] == "run"]
    assert len(computed) == 14
    assert computed["measured"].ne("").all()
    assert table.cells.loc["S0-24 (FX-S0)", "status"] == "not established"
    assert "abnormal return \u22121.04\u00a0%" in table.cells.loc["S0-24 (FX-S0)", "measured"]
    assert table.cells.loc["S1-16 (FX-S1)"].iloc[2].startswith("recorded: ")


def test_the_clock_table_reads_every_zone(focal):
    table = claim_tables.tabulate_clock(focal.alignment)
    assert len(table.cells) == 27
    assert table.cells.loc["UTC+8", "New York"] == "Mon 02:40"
    assert "2026/02/02 15:40" in table.caption


def test_money_is_rounded_from_the_same_object(focal):
    effects = focal.money
    table = claim_tables.tabulate_dollars(effects)
    assert table.cells["estimate"].iloc[0] == f"\u2212{abs(effects[0].estimate) / 1e9:.2f}\u00a0bn"
    assert "Arithmetic, not evidence" in table.caption
    assert table.numbers["market_value"].iloc[0] == 3_984_498_566 * 13.88
