"""Words follow outcomes, numbers follow results, and nothing is claimed that one event cannot show."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from event_impact.base.config import StudyConfig
from event_impact.base.result import TestResult
from event_impact.inference.windows import OUTCOMES, adjust_primary, apply_confirmation, decide_outcome
from event_impact.page.format import format_interval, format_p, format_percent, p_equals
from event_impact.page.verdict import FORBIDDEN, compose_verdict, find_forbidden, find_primary
from stories import compute


def rank(p: float | None, name: str) -> TestResult:
    return TestResult(name=name, null="x", p_value=p) if p is not None else TestResult(name=name, null="x", note="n/a")


@pytest.mark.parametrize(
    ("conformal", "fhs", "ci90", "confirmed", "outcome"),
    [
        (None, None, (-0.01, 0.01), False, "insufficient_data"),
        (0.04, 0.06, (-0.05, -0.01), True, "depends_on_volatility"),
        (0.06, 0.04, (-0.05, -0.01), True, "depends_on_volatility"),
        (0.01, 0.01, (-0.019, -0.001), True, "detectable_but_small"),
        (0.01, 0.01, (-0.05, -0.01), True, "effect"),
        (0.01, 0.01, (-0.05, -0.01), False, "fragile"),
        (0.50, 0.60, (-0.019, 0.019), False, "smaller_than_bound"),
        (0.50, 0.60, (-0.02, 0.019), False, "no_detectable_effect"),
        (0.05, 0.04, (-0.05, -0.01), True, "depends_on_volatility"),
        (0.50, None, (-0.05, 0.01), False, "no_detectable_effect"),
    ],
)
def test_the_first_rule_that_applies_decides(focal, conformal, fhs, ci90, confirmed, outcome):
    tests = {"conformal": rank(conformal, "conformal"), "fhs": rank(fhs, "fhs")}
    found = decide_outcome(tests, ci90, significance=0.05, bound=0.02)
    row = dataclasses.replace(focal.estimates[0], outcome=found)
    assert apply_confirmation(row, is_confirmed=confirmed, reason="x").outcome == outcome
    assert outcome in OUTCOMES


def test_holm_decides_the_companion_only(focal):
    strong = {"conformal": rank(0.03, "conformal"), "fhs": rank(0.03, "fhs")}
    rows = [
        dataclasses.replace(row, tests=strong, ci90=(-0.05, -0.01)) if row.is_primary else row
        for row in focal.estimates
    ]
    rows = [
        dataclasses.replace(r, tests={k: rank(0.2, k) for k in strong})
        if r.is_primary and r.return_kind == "close_to_close"
        else r
        for r in rows
    ]
    adjusted = adjust_primary(rows, significance=0.05, bound=0.02)
    assert find_primary(adjusted, "close_to_open").p_holm == pytest.approx(0.06)
    assert find_primary(adjusted, "close_to_open").outcome == "no_detectable_effect"
    assert find_primary(adjusted, "close_to_close").p_holm == pytest.approx(0.2)


def test_focal_figures(focal):
    headline, companion = (find_primary(focal.estimates, k) for k in ("close_to_close", "close_to_open"))
    assert headline.estimate == pytest.approx(-0.0103510, abs=1e-7)
    assert headline.tests["t"].statistic == pytest.approx(-0.55751, abs=1e-5)
    assert companion.estimate == pytest.approx(0.0016007, abs=2e-6)
    complement = next(r for r in focal.estimates if r.return_kind == "open_to_close" and (r.first, r.last) == (0, 0))
    assert complement.estimate == pytest.approx(-0.013165, abs=1e-6)
    assert not complement.is_primary
    assert (headline.outcome, companion.outcome) == ("no_detectable_effect", "smaller_than_bound")
    assert headline.mde80 == pytest.approx(0.0522, abs=1e-4)
    assert companion.mde80 == pytest.approx(0.0202, abs=1e-4)


def test_the_verdict_holds_its_numbers_and_the_joint_sentence(focal):
    verdict = compose_verdict(focal.estimates, focal.alignment, focal.config)
    headline = find_primary(focal.estimates, "close_to_close")
    for text in (
        format_percent(headline.estimate),
        format_interval(headline.ci95),
        p_equals(headline.p_value("conformal")),
        format_percent(headline.mde80, sign=False),
    ):
        assert text in verdict.sentences[0]
    assert "only their joint effect" in verdict.sentences[2]
    assert verdict.status == "final"


def test_no_outcome_is_worded_with_a_forbidden_claim(focal):
    for outcome, companion in itertools.product(OUTCOMES, OUTCOMES):
        rows = [
            dataclasses.replace(row, outcome=outcome if row.return_kind == "close_to_close" else companion)
            if row.is_primary
            else row
            for row in focal.estimates
        ]
        verdict = compose_verdict(rows, focal.alignment, focal.config)
        assert not find_forbidden(verdict.text)
        assert not find_forbidden(verdict.plain)
        assert "None" not in verdict.text


@pytest.mark.parametrize(
    "text",
    [
        "There was no effect.",
        "It fell because of the report.",
        "The denial reversed it.",
        "News sent the stock down.",
        "A trend toward significance.",
        "Investors shrugged off the story.",
    ],
)
def test_forbidden_wordings_are_found(text):
    assert find_forbidden(text)
    assert len(FORBIDDEN) > 8


def test_an_interval_that_excludes_zero_is_said(focal):
    rows = [
        dataclasses.replace(r, ci95=(-0.09, -0.001)) if r.is_primary and r.return_kind == "close_to_close" else r
        for r in focal.estimates
    ]
    assert "excludes zero" in compose_verdict(rows, focal.alignment, focal.config).sentences[0]


def test_an_open_window_is_a_row_with_a_note():
    early = compute(as_of="2026-02-03")
    verdict = compose_verdict(early.estimates, early.alignment, StudyConfig.from_parameters(as_of="2026-02-03"))
    assert verdict.status == "open"
    row = next(r for r in early.estimates if (r.return_kind, r.first, r.last) == ("close_to_close", 0, 2))
    assert row.estimate is None
    assert row.note == "incomplete: 2 of 3 sessions"
    assert row.outcome == "insufficient_data"


@pytest.mark.parametrize(("p", "text"), [(0.00049, "<\u00a00.001"), (0.0316, "0.032"), (0.4382, "0.44"), (1.0, "1.00")])
def test_p_values_are_never_zero(p, text):
    assert format_p(p) == text


def test_separate_sessions_give_separate_effects():
    story = compute(story="statestreet-creditsuisse-2022", as_of="2022-06-22")

    sequence = story.sequence
    report, denial, total = (sequence.row(n).contrast for n in ("report", "denial", "total"))
    assert report.estimate + denial.estimate == pytest.approx(total.estimate, rel=1e-12)
    assert report.std_error**2 + denial.std_error**2 != pytest.approx(total.std_error**2, rel=1e-6)
    verdict = compose_verdict(story.estimates, story.alignment, story.config, sequence=sequence)
    assert "Before the denial" in verdict.sentences[3]
    assert "Nothing here may be called a reversal" in verdict.sentences[3]
    focal_sequence = compute()
    joint = focal_sequence.sequence
    assert joint.row("report") is None
    assert joint.row("denial") is None


def test_uncertain_sessions_show_every_candidate():

    story = compute(story="stellantis-maserati-2025", as_of="2025-07-02")
    sequence = story.sequence
    assert [r.name for r in sequence.rows] == ["total", "session 0", "session 1"]
    assert "232 of 250 estimation sessions" in find_primary(story.estimates, "close_to_close").note
    verdict = compose_verdict(story.estimates, story.alignment, story.config, sequence=sequence)
    assert "candidate sessions" in verdict.sentences[0]
    assert "all candidate sessions" in verdict.sentences[3]


def test_a_model_without_a_standard_error_claims_no_interval_and_no_power():
    from event_impact.page.tables import tabulate_headline, tabulate_sequence, tabulate_tests, tabulate_window_tests

    robust = compute(model="robust", windows="0:0,0:2", runup="-5:-1")
    sequence = robust.sequence
    verdict = compose_verdict(robust.estimates, robust.alignment, robust.config, sequence=sequence)
    text = f"{verdict.text} {verdict.plain}"
    assert "interval by ranks" in text
    assert "four times in five" not in text
    assert "0.00\u00a0% to 0.00" not in text
    assert "is not known" in verdict.plain
    headline = tabulate_headline(robust.estimates, robust.config)
    assert headline.cells["95 % interval"].iloc[0].startswith("by ranks: ")
    assert headline.cells["p (t)"].iloc[0] == "n/a"
    for table in (tabulate_tests(robust.estimates), tabulate_window_tests(robust.estimates)):
        assert "no standard error" in table.caption
    shown = tabulate_sequence(sequence, robust.alignment).cells
    assert shown["p (t)"].tolist() == ["n/a"]
    assert shown["p (rank)"].iloc[0] != "n/a"


def test_separate_effects_without_a_standard_error_are_never_a_reversal():

    robust = compute(model="robust", story="stellantis-xiaomi-xpeng-2026", as_of="2026-03-31")
    sequence = robust.sequence
    assert sequence.reversal is None
    assert all(row.contrast is None and row.estimate is not None and row.rank_p for row in sequence.rows)
    text = compose_verdict(robust.estimates, robust.alignment, robust.config, sequence=sequence).text
    assert ("No reversal can be claimed" in text) == (
        len(sequence.rows) > 1 or sequence.rows[0].first < sequence.rows[0].last
    )


def test_a_verdict_refuses_a_forbidden_wording_and_drops_what_is_not_said():
    from event_impact.page.verdict import Verdict

    said = Verdict("Panel", "Which?", ("First <b>.", "", "Second."), plain="Plainly.", outcome="fragile")
    assert said.text == "First <b>. Second."
    page = said._repr_html_()
    assert "<strong>Detected, but fragile.</strong> First &lt;b&gt;.</p><p>Second.</p>" in page
    assert "In plain words.</span> Plainly." in page
    assert "In plain words" not in Verdict("Robustness", "Which?", ("One.",))._repr_html_()
    for sentences, plain in ((("It had no effect.",), ""), (("Fine.",), "It fell because of it.")):
        with pytest.raises(ValueError, match="forbidden wording"):
            Verdict("Panel", "Which?", sentences, plain=plain)
