"""The finding of a daily study in words: one heading and three sentences, composed by rule from the deciding rows.

An outcome chooses a sentence, numbers fill it, the fitted model says what a return is compared with. No sentence says
why a price moved, none claims that nothing happened, and none judges one of several candidate sessions.
"""

import pandas as pd

from event_impact.base.config import StudyConfig
from event_impact.events.articles import Story
from event_impact.events.sessions import Alignment, EventSession
from event_impact.inference.sequence import SequenceRow, StorySequence
from event_impact.inference.windows import HEADLINE_KIND, WindowEstimate
from event_impact.page.format import EXCHANGE_NAMES, format_interval, format_size, read_labels, say, say_reach

#: Model -> what a return is compared with, after "less than" or "more than".
EXPLAINED = read_labels("finding.explained")
NERVES, RANKED = read_labels("finding.nerves"), read_labels("finding.ranked")
SETTLED = ("no_detectable_effect", "smaller_than_bound", "insufficient_data")
#: Outcomes whose second sentence may be that of a denial.
ANSWERED = ("no_detectable_effect", "smaller_than_bound", "effect")
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


def say_explained(row: WindowEstimate) -> str:
    """What the model of a row compares the return with."""
    return EXPLAINED[row.specification.model].format(benchmark=row.specification.benchmark)


def say_move(row: WindowEstimate) -> str:
    """``returned 1.0 % less than SPY explains``."""
    assert row.estimate is not None
    return f"returned {_say_direction(row.estimate)} than {say_explained(row)}"


def _say_direction(value: float) -> str:
    """``1.0 % less``: one digit, two where it would read as zero."""
    size = format_size(abs(value), digits=1 if abs(value) >= 0.001 else 2)
    return f"{size} {'less' if value < 0 else 'more'}"


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
    if row.estimate is None:
        return say("finding.unmeasured", firm=firm, matter=matter, why=f"{row.note[:1].upper()}{row.note[1:]}")
    follows, is_silent = _head_denial(sequence.row("denial"), config), row.outcome == "no_detectable_effect"
    if is_silent and follows == UNSEEN:
        matter, follows = "report or denial", ""
    kind = (row.outcome if row.outcome in SETTLED else "moved") + "_of_set" * is_set(row)
    move, share, bound = say_move(row), say_share(row.rank_p), config.equivalence_bound
    first = say(f"finding.first.{kind}", firm=firm, matter=matter, move=move, bound=bound)
    if not follows or row.outcome not in ANSWERED:
        kind = "untested" if row.outcome == "fragile" and not row.is_curve_tested else row.outcome
        follows = say(f"finding.second.{kind}", seen=say_found_from(row), share=share, bound=bound)
    return f"{first} {follows}".rstrip()


def _head_denial(row: SequenceRow | None, config: StudyConfig) -> str:
    if row is None or row.rank_p is None or row.estimate is None:
        return ""
    is_unseen = row.rank_p >= config.significance
    return UNSEEN if is_unseen else f"From the denial on it returned {_say_direction(row.estimate)}."


def compose_sentences(row: WindowEstimate, companion: WindowEstimate, alignment: Alignment) -> tuple[str, ...]:
    """Size and how common; what is ruled out; what can be told apart."""
    if row.estimate is None:
        return (say_apart(alignment),)
    return _say_size_and_rank(row, alignment), _say_ruled_out(row, companion), say_apart(alignment)


def _say_size_and_rank(row: WindowEstimate, alignment: Alignment) -> str:
    told = {"move": say_move(row), "split": _say_split(row)}
    if row.candidates is not None and is_set(row):
        held, day = row.candidates, say_day(row.candidates.largest.day)
        return say("finding.size_in_set", n=held.count, day=day, share=say_share(row.rank_p), **told)
    share, nerves = say_share(row.p_value("conformal")), NERVES.get(row.judgement.day, "")
    return say("finding.size", day=say_day(alignment.event_session), share=share, nerves=nerves, **told)


def _say_split(row: WindowEstimate) -> str:
    """Which tests alone would call a borderline move rare."""
    if row.outcome != "borderline":
        return ""
    said = " and ".join(RANKED[name] for name in row.judgement.rejecting)
    return f", rare by {said} alone" + ("" if is_set(row) else ": no single test may be quoted")


def _say_ruled_out(row: WindowEstimate, companion: WindowEstimate) -> str:
    if row.outcome in FOUND and row.ci95 is not None:
        return f"The 95 % interval of the move runs from {format_interval(row.ci95, digits=1)}."
    own, first = row.smallest_bound, companion.smallest_bound
    if first is not None and not companion.caution and (own is None or first < own):
        return say("finding.ruled_out_at_open", bound=first)
    if own is None:
        return "No size of move is ruled out."
    return say("finding.ruled_out", where="On any one of these sessions, only" if is_set(row) else "Only", bound=own)


def say_apart(alignment: Alignment) -> str:
    """What the prices can tell apart, in one sentence."""
    found = alignment.identification
    kind = "shut" if found.kind == "joint" and found.is_closed_between else found.kind
    return say(f"finding.apart.{kind}", price="An opening" if found.price_between == "open" else "A closing")


def say_reversal(sequence: StorySequence, config: StudyConfig) -> str:
    """Whether all three conditions of a reversal hold, and whether these prices could have shown one; empty without legs."""
    claim, bound = sequence.reversal, config.equivalence_bound
    if claim is None:
        return ""
    if claim.is_reversal:
        return say("finding.reversed", bound=bound)
    if claim.chance is None:
        return say("finding.no_chance", least=claim.half_width)
    conditions = {
        "report": claim.is_report_significant,
        "denial": claim.is_denial_significant_and_opposite,
        "total": claim.is_total_equivalent_to_zero,
    }
    lacking = (say(f"finding.lacking.{name}", bound=bound) for name, holds in conditions.items() if not holds)
    return say("finding.not_reversed", missing="; ".join(lacking), chance=claim.chance)


def find_primary(rows: list[WindowEstimate], kind: str) -> WindowEstimate:
    """The declared row of a return kind."""
    return next(row for row in rows if row.is_primary and row.return_kind == kind)


def is_complete(rows: list[WindowEstimate], config: StudyConfig) -> bool:
    """Whether every declared window of the headline's return is complete."""
    wanted = [r for r in rows if r.return_kind == HEADLINE_KIND and (r.first, r.last) in config.windows]
    return all(not row.note.startswith("incomplete") for row in wanted)
