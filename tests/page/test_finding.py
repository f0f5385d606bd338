"""The words of the first screen against the numbers they were written from: every model, outcome and kind of story."""

from __future__ import annotations

import dataclasses
import re

import pytest
from event_impact.base.config import MODELS
from event_impact.inference.candidate_set import Judgement
from event_impact.inference.windows import COMPANION_KIND, HEADLINE_KIND
from event_impact.page.clock_drawing import show_article
from event_impact.page.daily_screen import _say_news
from event_impact.page.finding import (
    EXPLAINED,
    FOUND,
    compose_heading,
    compose_sentences,
    find_primary,
    is_set,
    say_apart,
    say_explained,
    say_reversal,
)
from event_impact.page.first_screen import CHIPS, read_outcome
from event_impact.page.format import find_forbidden, format_interval, two_digits
from stories import compute

OUTCOMES = (
    "no_detectable_effect", "smaller_than_bound", "detectable_but_small", "effect", "fragile", "borderline",
    "insufficient_data",
)  # fmt: skip


@pytest.fixture(scope="module")
def ambiguous():
    return compute(story="tesla-saudi-2023", as_of="2023-09-27")


@pytest.fixture(scope="module")
def separable():
    return compute(story="statestreet-creditsuisse-2022", as_of="2022-06-17")


def words(study, row):
    companion = find_primary(study.estimates, COMPANION_KIND)
    heading = compose_heading(row, study.sequence, study.story, study.config)
    return [heading, *compose_sentences(row, companion, study.alignment)]


def headline(study, **changed):
    return dataclasses.replace(find_primary(study.estimates, HEADLINE_KIND), **changed)


def test_every_model_and_every_outcome_has_words():
    assert set(EXPLAINED) == set(MODELS)
    assert set(OUTCOMES) <= set(CHIPS)


@pytest.mark.parametrize("model", MODELS)
def test_the_words_follow_the_fitted_model(focal, model):
    row = headline(focal)
    row = dataclasses.replace(row, specification=dataclasses.replace(row.specification, model=model))
    said = " ".join(words(focal, row))
    uses_market = "{benchmark}" in EXPLAINED[model]
    assert ("SPY" in said) == uses_market
    assert say_explained(row) in said


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("kind", ["focal", "ambiguous", "separable"])
def test_sentences_hold_the_numbers_and_no_forbidden_wording(outcome, kind, request):
    study = request.getfixturevalue(kind)
    row = headline(study, judgement=Judgement(outcome, rejecting=("t",) if outcome == "borderline" else ()))
    said = words(study, row)
    text = " ".join(said)
    assert find_forbidden(text) == []
    assert len(" ".join(said[1:]).split()) <= 75
    assert f"{100 * abs(row.estimate):.1f}" in text
    direction = "less" if row.estimate < 0 else "more"
    assert f"% {direction} than" in text
    if outcome in FOUND:
        assert f"The 95 % interval of the move runs from {format_interval(row.ci95, digits=1)}." in said
    else:
        assert two_digits(100 * row.smallest_bound) in text or "At the open" in text
        assert ("On any one of these sessions" in text) or not is_set(row)
    assert ("rare by the t test alone" in text) == (outcome == "borderline")
    if is_set(row):
        assert f"{row.candidates.count} sessions" in text
    if outcome in ("no_detectable_effect", "smaller_than_bound") and kind != "separable":
        assert two_digits(100 * row.mde80_rule) in said[0]


def test_the_focal_story_reads_as_its_numbers(focal):
    said = words(focal, headline(focal))
    assert said[0] == (
        "Ford: no detectable move after the Xiaomi story. Four times in five, only moves of about 5.5\u00a0% would have "
        "been seen."
    )
    assert "On Monday 2 February 2026 the share returned 1.0\u00a0% less than SPY explains; 44 of 100" in said[1]
    assert said[2] == "At the open, where such news is priced first, a move beyond \u00b11.2\u00a0% is ruled out."


def test_a_set_is_never_judged_by_its_first_session(ambiguous):
    row = headline(ambiguous)
    fallen = headline(ambiguous, judgement=Judgement("smaller_than_bound"))
    assert is_set(row)
    assert words(ambiguous, fallen)[0].startswith("Tesla: on each possible day, any move was")


def test_a_denial_that_a_close_separates_has_a_sentence_of_its_own(separable):
    row = headline(separable, judgement=Judgement("effect"))
    assert words(separable, row)[0].endswith("From the denial on no move is detectable.")
    quiet = headline(separable, judgement=Judgement("no_detectable_effect"))
    assert "no detectable move after report or denial. Four times in five" in words(separable, quiet)[0]
    assert "so each is measured" in say_apart(separable.alignment)


def test_a_reversal_that_no_price_could_have_shown_is_said_to_be_such(separable):
    said = say_reversal(separable.sequence, separable.config)
    least = 100 * separable.sequence.reversal.half_width
    assert "could not have been shown with these prices" in said
    assert f"{least:.1f}" in said


def test_what_a_reversal_lacks_is_named_where_one_could_have_been_shown(separable):
    claim = dataclasses.replace(separable.sequence.reversal, chance=0.42, is_report_significant=False)
    said = say_reversal(dataclasses.replace(separable.sequence, reversal=claim), separable.config)
    assert "the effect before the denial is not distinguishable from zero" in said
    assert said.endswith("with a chance of 42\u00a0%.")


def test_a_story_without_two_legs_has_no_reversal_to_speak_of(focal):
    assert say_reversal(focal.sequence, focal.config) == ""


def test_the_first_screen_repeats_the_estimates_to_the_digit(focal):
    screen, row = focal.verdict, headline(focal)
    cells = dict(zip(screen.columns[1:], screen.rows[0].cells, strict=True))
    numbers = [float(x.replace("\u2212", "-")) for x in re.findall(r"[+\u2212]?\d+\.\d", cells["95 % interval"])]
    assert numbers == [round(100 * end, 1) for end in row.ci95]
    assert float(cells["seen 4 in 5 from"].lstrip("\u00b1")) == pytest.approx(100 * row.mde80_rule, abs=0.05)
    assert cells["reading"] == read_outcome(row.outcome)
    days = screen.drawings[0].numbers
    assert (days["mark"] == "ordinary").sum() == row.n_estimation


@pytest.mark.parametrize(
    "text",
    [
        "There was no effect.",
        "NO EFFECT WAS FOUND.",
        "Because Of the denial it rose.",
        "Proves\nthat, or so it says: it proves that.",
    ],
)
def test_forbidden_wordings_are_found_in_any_case(text):
    assert find_forbidden(text)


def test_recorded_news_of_an_unsearched_story_is_named_and_the_rest_called_not_researched(focal):
    story = dataclasses.replace(focal.alignment.story, confounders_searched="")
    alone = dataclasses.replace(focal.alignment, story=story)
    news = focal.news
    said = _say_news(alone, news)
    assert "dividend" in said
    assert said.endswith("; not researched for this story.")
    assert _say_news(alone, news.iloc[:0]) == "not researched."
    assert _say_news(focal.alignment, news.iloc[:0]) == "none recorded."


def test_an_article_without_an_outlet_is_drawn_as_the_news(focal):
    article = focal.alignment.articles[0].article
    assert show_article(article).label.startswith("report: ")
    assert show_article(dataclasses.replace(article, outlet="")).label == "the news"
