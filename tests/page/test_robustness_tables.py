"""What the pages on robustness, spillover and claims say, from the same objects as their CSV."""

from __future__ import annotations

import dataclasses
import re

import pytest
from conftest import compute
from event_impact.page import claim_tables, robustness_tables, spillover_tables
from event_impact.page.comparison_figures import draw_peers
from event_impact.page.exhibits import write_csv
from event_impact.page.format import find_forbidden, format_p, format_percent
from event_impact.page.robustness_tables import compose_robustness
from event_impact.page.spillover_tables import compose_spillover
from event_impact.page.timelines import compose_timing
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


@pytest.fixture(scope="module")
def say(focal):
    def compose(curve):
        return compose_robustness(curve, judge_curve(curve), focal.verdict, significance=0.05)

    return compose


def notes_of(screen):
    return " ".join(text for _, text in screen.notes)


def change(curve, chosen, **changes):
    estimates = tuple(dataclasses.replace(e, **changes) if chosen(e) else e for e in curve.estimates)
    return dataclasses.replace(curve, estimates=estimates)


def test_agreement_is_said_with_its_numbers(curve, say):
    screen = say(curve)
    assert "no choice of method changes the outcome. 188 specifications" in screen.finding
    lowest = min(e.estimate for e in curve.computed)
    assert format_percent(lowest, digits=1) in screen.finding
    assert f"p\u00a0=\u00a0{format_p(curve.tests.max_t.p_value)}" in notes_of(screen)
    assert "32 others have too few earlier sessions" in notes_of(screen)


def test_each_choice_alone_has_a_row_with_what_it_gives(curve, say):
    rows = {row.label: row.cells for row in say(curve).rows}
    alone = [e for e in curve.computed if e.choice.differs_in(curve.headline.choice) == ("model",)]
    low, high = (100 * end(e.estimate for e in alone) for end in (min, max))
    assert rows["model"][0] == f"{low:.1f} to {high:.1f}".replace("-", "\u2212")
    assert rows["model"][1:] == (str(len(alone)), format_p(min(e.p_conformal for e in alone)), "none")


def test_a_single_choice_that_flips_is_named_in_words(curve, say):
    screen = say(change(curve, lambda e: e.choice.model == "Fama-French five factors", outcome="detected"))
    assert "12 of 188 specifications" in screen.finding
    assert (
        "One choice is enough: model = Fama-French five factors (detected on its own, \u22122.15\u00a0%)" in screen.text
    )


def test_flips_that_take_two_choices_are_named_too(curve, say):
    def chosen(e):
        return e.choice.model == "Fama-French five factors" and e.choice.mask == "listed"

    screen = say(change(curve, chosen, outcome="detected"))
    assert "No single choice is enough" in screen.finding
    assert "It takes two choices or more together" in screen.text
    assert "news days in the window = listed ones left out (6 of 6)" in screen.text


def test_a_detection_is_told_whether_the_curve_supports_it(curve, say):
    detected = change(curve, lambda e: e.is_computed, outcome="detected")
    assert "it does not support the detection: same sign in 100 % of 188" in notes_of(say(detected))
    untested = dataclasses.replace(detected, tests=None, reason="12 eligible placebo sessions, 200 needed")
    assert "cannot be tested: n/a: 12 eligible placebo sessions" in notes_of(say(untested))


def test_tables_of_the_curve_show_what_their_numbers_hold(curve):
    single = robustness_tables.tabulate_single_choices(curve)
    assert single.cells.index[0] == "headline: market model on SPY"
    assert single.cells["estimate"].iloc[0] == format_percent(curve.headline.estimate)
    assert len(single.numbers) == 204
    assert len(single.cells) == 1 + 10 + 1 + 1 + 2 + 1
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


def all_texts(focal, curve, spillover, claims, say):
    days = focal.left_out_days
    yield say(curve).text
    yield focal.spillover_verdict.text
    yield focal.timing_verdict.text
    exhibits = [
        robustness_tables.tabulate_single_choices(curve),
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


def test_no_text_holds_a_forbidden_wording_or_a_bare_blank(focal, curve, spillover, claims, say):
    for text in all_texts(focal, curve, spillover, claims, say):
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
    assert table.cells.loc["1810.HK (Hong Kong)", "reading"] == "uninterpretable: own news"
    assert table.cells.loc["GM (NYSE)", "reading"] == "uninterpretable: own news"
    assert table.cells.loc["TM (NYSE)", "reading"] == "donor"
    screen = compose_spillover(spillover, focal.alignment, focal.verdict, significance=0.05)
    assert "3 of 6 other firms had news of their own and answer to that too: GM, STLA, 1810.HK" in screen.text
    assert "January deliveries of Chinese makers" in screen._repr_html_()


def test_what_a_rank_among_few_can_reach_at_best_is_said(focal, spillover):
    screen = compose_spillover(spillover, focal.alignment, focal.verdict, significance=0.05)
    assert "the smallest p it can reach is 0.25" in screen.text
    assert screen.rows[-1].cells[2:5] == (format_p(spillover.in_space.p_value), "", "0.25")
    assert screen.reading == "no_detectable_effect"


def test_peers_that_move_together_are_said_to_have(focal, spillover):
    moved = tuple(
        dataclasses.replace(g, portfolio=-0.03, tests=tuple(dataclasses.replace(t, p_value=0.001) for t in g.tests))
        for g in spillover.groups
    )
    screen = compose_spillover(
        dataclasses.replace(spillover, groups=moved), focal.alignment, focal.verdict, significance=0.05
    )
    assert "moved together" in screen.finding
    assert "\u22123.0\u00a0%" in screen.finding
    assert screen.reading == "found"


@pytest.mark.parametrize("kind", ["separable", "joint", "ambiguous", "report_only", "denial_only"])
def test_every_kind_of_story_has_a_sentence_of_its_sessions(focal, kind):
    held = next(a for a in focal.registry if a.identification.kind == kind)
    screen = compose_timing(held, focal.registry)
    sessions = held.denial_sessions if kind == "denial_only" else held.report_sessions
    assert f"{sessions[0].day} {sessions[0]:%B %Y}" in screen.finding
    assert "XNYS" not in screen.text
    assert len(screen.rows) == sum(e.article.role in ("report", "denial") for e in held.articles)
    assert str(sum(a.identification.kind == "joint" for a in focal.registry)) in notes_of(screen)


def test_a_story_without_peers_figures_or_claims_has_reasons():
    early = compute(story="ford-ev-spinoff-2022", as_of="2022-03-01")
    found = early.spillover
    screen = compose_spillover(found, early.alignment, early.verdict, significance=0.05)
    assert "too few peers have figures" in screen.finding
    assert "No peer is measured (GM, STLA, TSLA, TM, HMC)" in screen.text
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
    said = {c.claim.claim_id: c.claim.paraphrase for c in claims}
    assert table.cells.loc[said["S0-24"], "status"] == "not established"
    assert "abnormal return \u22121.04\u00a0%" in table.cells.loc[said["S0-24"], "measured"]
    assert table.cells.loc[said["S1-16"], "rule, or recorded judgement"].startswith("recorded: ")


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
