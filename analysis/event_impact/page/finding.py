"""The finding of a daily study in words: one heading and three sentences, composed by rule from the deciding rows.

An outcome chooses a sentence, numbers fill it, the fitted model says what a return is compared with. No sentence says
why a price moved, none claims that nothing happened, and none judges one of several candidate sessions.
"""

import pandas as pd

from event_impact.base.config import StudyConfig
from event_impact.events.articles import Story
from event_impact.events.sessions import Alignment, EventSession
from event_impact.inference.story_sequence import SequenceRow, StorySequence
from event_impact.inference.windows import HEADLINE_KIND, WindowEstimate
from event_impact.page.format import EXCHANGE_NAMES, format_interval, format_percent, read_labels

EXPLAINED = read_labels("finding.explained")
"""Model -> what a return is compared with, after "less than" or "more than"."""
FOUND = ("effect", "fragile", "detectable_but_small")
UNSEEN = "From the denial on no move is detectable."


def name_firm(story: Story, alignment: Alignment) -> str:
    """``Ford (F, NYSE)``."""
    return f"{story.firm_name} ({story.ticker}, {name_exchange(alignment)})"


def name_exchange(alignment: Alignment) -> str:
    """``NYSE``, ``Nasdaq``, or the city."""
    return EXCHANGE_NAMES.get(alignment.hours.exchange, alignment.hours.city)


def list_tested(alignment: Alignment) -> list[EventSession]:
    """Reports and denials: what a study measures, while copies and other items only bound it."""
    return [e for e in alignment.articles if e.article.role in ("report", "denial")]


def name_matter(story: Story) -> str:
    """``the Xiaomi story``, or ``the story`` where no other party is named."""
    return f"the {story.counterparties[0]} story" if story.counterparties else "the story"


def is_set(row: WindowEstimate) -> bool:
    """Whether a row judges several candidate sessions."""
    return row.candidates is not None and row.candidates.count > 1


def say_day(session: pd.Timestamp) -> str:
    """``Monday 2 February 2026``."""
    return f"{session:%A} {session.day} {session:%B} {session.year}"


def say_size(value: float) -> str:
    """A size with one digit, two where it would read as zero."""
    return format_percent(abs(value), digits=1 if abs(value) >= 0.001 else 2, sign=False)


def say_reach(value: float) -> str:
    """A size in two significant digits: ``5.5 %``, ``0.82 %``, ``12 %``."""
    return f"{two_digits(100 * value)}\u00a0%"


def two_digits(value: float) -> str:
    """Two significant digits, a trailing zero among them."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"


def say_explained(row: WindowEstimate) -> str:
    """What the model of a row compares the return with."""
    return EXPLAINED[row.specification.model].format(benchmark=row.specification.benchmark)


def say_move(row: WindowEstimate) -> str:
    """``returned 1.0 % less than SPY explains``."""
    assert row.estimate is not None
    direction = "less" if row.estimate < 0 else "more"
    return f"returned {say_size(row.estimate)} {direction} than {say_explained(row)}"


def say_share(p: float | None) -> str:
    """``44 of 100``; small ones as ``fewer than 1 of 100``."""
    if p is None:
        return "an unknown number"
    return "fewer than 1 of 100" if p < 0.005 else f"{round(100 * p)} of 100"


def say_found_from(row: WindowEstimate) -> str:
    """What would have been seen, as a sentence."""
    if row.mde80_rule is None:
        return "How large a move would have been seen is not known."
    return f"Four times in five, only moves of about {say_reach(row.mde80_rule)} would have been seen."


def compose_heading(row: WindowEstimate, sequence: StorySequence, story: Story, config: StudyConfig) -> str:
    """The finding, two lines at most.

    The second sentence of a story whose report and denial a close separates is that of its denial.
    """
    firm, matter = story.firm_name, name_matter(story)
    bound = say_reach(config.equivalence_bound)
    if row.estimate is None:
        return f"{firm}: nothing can be measured yet after {matter}. {_sentence(row.note)}"
    denial = sequence.row("denial")
    follows = _head_denial(denial, config) if denial else ""
    if row.outcome == "no_detectable_effect":
        where = "on any possible day" if is_set(row) else f"after {'report or denial' if follows == UNSEEN else matter}"
        return f"{firm}: no detectable move {where}. {say_found_from(row) if follows in ('', UNSEEN) else follows}"
    if row.outcome == "smaller_than_bound":
        shown = f"{firm}: whatever move followed {matter}, it was smaller than {bound}."
        if is_set(row):
            shown = f"{firm}: on each possible day, any move was smaller than {bound}."
        return f"{shown} {follows or say_found_from(row)}"
    if row.outcome == "insufficient_data":
        return f"{firm}: too few earlier prices to judge the day of {matter}."
    moved = f"{firm} {say_move(row)}{' on one of its possible days' if is_set(row) else ''}."
    second = {
        "effect": f"At least as much comes on {say_share(row.rank_p)} ordinary days.",
        "detectable_but_small": f"That can be told from ordinary days, and is smaller than {bound}.",
        "borderline": "Whether that is rare enough, the tests disagree.",
        "fragile": "That is rare, but other reasonable methods do not all bear it out."
        if row.is_curve_tested
        else "That is rare; too few earlier prices exist to test how well it holds.",
    }[row.outcome]
    return f"{moved} {follows if row.outcome == 'effect' and follows else second}"


def _head_denial(row: SequenceRow, config: StudyConfig) -> str:
    if row.rank_p is None or row.estimate is None:
        return ""
    if row.rank_p >= config.significance:
        return UNSEEN
    return f"From the denial on it returned {say_size(row.estimate)} {'less' if row.estimate < 0 else 'more'}."


def compose_sentences(
    row: WindowEstimate, companion: WindowEstimate, alignment: Alignment, config: StudyConfig
) -> tuple[str, ...]:
    """Size and how common; what is ruled out; what can be told apart."""
    if row.estimate is None:
        return (say_apart(alignment),)
    return _say_size_and_rank(row, alignment, config), _say_ruled_out(row, companion), say_apart(alignment)


def _say_size_and_rank(row: WindowEstimate, alignment: Alignment, config: StudyConfig) -> str:
    if row.candidates is not None and is_set(row):
        largest = row.candidates.largest
        return (
            f"The news can have reached {row.candidates.count} sessions; on the most striking, "
            f"{say_day(largest.day)}, the share {say_move(row)}: for so many sessions {_say_rank(row)}{_say_split(row)}."
        )
    day = say_day(alignment.event_session)
    common = f"{say_share(row.p_value('conformal'))} ordinary days are at least as far out"
    if row.judgement.day == "nervous":
        common += "; that is large for an ordinary day, not for one expected to be so nervous"
    elif row.judgement.day == "calm":
        common += "; that is large for so calm a day, not for an ordinary one"
    return f"On {day} the share {say_move(row)}; {common}{_say_split(row)}."


def _say_split(row: WindowEstimate) -> str:
    """Which tests alone would call a borderline move rare."""
    if row.outcome != "borderline":
        return ""
    names = {"conformal": "the rank test", "fhs": "the volatility-aware test", "t": "the t test"}
    said = " and ".join(names[name] for name in row.judgement.rejecting)
    return f", rare by {said} alone" + ("" if is_set(row) else ": no single test may be quoted")


def _say_rank(row: WindowEstimate) -> str:
    return f"at least as much comes in {say_share(row.rank_p)} cases"


def _say_ruled_out(row: WindowEstimate, companion: WindowEstimate) -> str:
    if row.outcome in FOUND and row.ci95 is not None:
        return f"The 95 % interval of the move runs from {format_interval(row.ci95, digits=1)}."
    own, first = row.smallest_bound, companion.smallest_bound
    if first is not None and not companion.caution and (own is None or first < own):
        return f"At the open, where such news is priced first, a move beyond \u00b1{say_reach(first)} is ruled out."
    if own is None:
        return "No size of move is ruled out."
    where = "On any one of these sessions, only" if is_set(row) else "Only"
    return f"{where} a move beyond \u00b1{say_reach(own)} is ruled out."


def say_apart(alignment: Alignment) -> str:
    """What the prices can tell apart, in one sentence."""
    found = alignment.identification
    if found.kind == "joint" and found.is_closed_between:
        return "Report and denial came while the exchange was shut: no price lies between them."
    return {
        "joint": "Report and denial fell between two closing prices: by days they are one number.",
        "ambiguous": "When the articles appeared is not known well enough to tell report from denial.",
        "separable": f"A{'n opening' if found.price_between == 'open' else ' closing'} price lies between report and "
        "denial, so each is measured with the other news of its own stretch.",
        "before_denial": "A price lies before the denial: what came until then is measured, and what came after.",
        "report_only": "No denial is recorded.",
        "denial_only": "The report behind the denial is not recorded with a time of its own.",
    }[found.kind]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def say_reversal(sequence: StorySequence, config: StudyConfig) -> str:
    """Whether all three conditions of a reversal hold, and whether these prices could have shown one; empty without legs."""
    claim = sequence.reversal
    if claim is None:
        return ""
    if claim.is_reversal:
        return (
            "All three conditions of a reversal hold: both effects are distinguishable from zero with opposite signs, "
            f"and their sum lies inside {say_reach(config.equivalence_bound)}."
        )
    if claim.chance is None:
        least = format_percent(claim.half_width, digits=1, sign=False)
        return f"A reversal could not have been shown with these prices; the least that could be proved is {least}."
    conditions = {
        "the effect before the denial is not distinguishable from zero": claim.is_report_significant,
        "the effect from the denial on is not distinguishable from zero with the opposite sign": (
            claim.is_denial_significant_and_opposite
        ),
        f"the total is not shown to lie inside {say_reach(config.equivalence_bound)}": claim.is_total_equivalent_to_zero,
    }
    missing = "; ".join(text for text, holds in conditions.items() if not holds)
    chance = format_percent(claim.chance, digits=0, sign=False)
    return (
        f"Nothing here may be called a reversal: {missing}. "
        f"A perfect reversal would have been shown with a chance of {chance}."
    )


def find_primary(rows: list[WindowEstimate], kind: str) -> WindowEstimate:
    """The declared row of a return kind."""
    return next(row for row in rows if row.is_primary and row.return_kind == kind)


def is_complete(rows: list[WindowEstimate], config: StudyConfig) -> bool:
    """Whether every declared window of the headline's return is complete."""
    wanted = [r for r in rows if r.return_kind == HEADLINE_KIND and (r.first, r.last) in config.windows]
    return all(not row.note.startswith("incomplete") for row in wanted)
