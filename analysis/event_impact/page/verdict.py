"""The verdict in words, composed by rule from the outcome of the declared pair.

No sentence here says why a price moved. An outcome chooses a sentence; numbers fill it; what
the prices can tell apart is always added. The wording never claims the absence of an effect.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from html import escape

import pandas as pd

from event_impact.base.config import StudyConfig
from event_impact.events.sessions import Alignment
from event_impact.inference.outcome_rule import CALM_DAY, NERVOUS_DAY
from event_impact.inference.sequence import ReversalClaim
from event_impact.inference.story_sequence import SequenceRow, StorySequence
from event_impact.inference.windows import COMPANION_KIND, HEADLINE_KIND, WindowEstimate
from event_impact.page.format import (
    OUTCOME_LABELS,
    format_interval,
    format_percent,
    format_session,
    p_equals,
)

FORBIDDEN = (
    r"no effect",
    r"no impact",
    r"shrugged? off",
    r"ignored the",
    r"denial (reversed|offset|calmed)",
    r"because of",
    r"caused by",
    r"sent the stock",
    r"trend(ing|ed)? towards? significan",
    r"almost significant",
    r"observed power",
    r"robust standard error",
    r"proves? that",
)
"""Wordings that claim more than one event can show; no generated text may match."""


def find_forbidden(text: str) -> list[str]:
    """Forbidden wordings that a text contains."""
    return [pattern for pattern in FORBIDDEN if re.search(pattern, text, flags=re.IGNORECASE)]


@dataclass(frozen=True)
class Verdict:
    """What was found, how sure, and what could have been seen, in words.

    Attributes
    ----------
    label : str
        What it is about; also what a screen reader calls it.
    sentences : tuple of str
        The first carries the finding.
    plain : str
        A paragraph for readers without statistics, where there is one.
    outcome, companion_outcome : str or None
        Outcomes of headline and companion; None where no rule decides.
    status : str
        ``final`` when every declared window is complete at as_of, else ``open``.

    Raises
    ------
    ValueError
        If a sentence holds a forbidden wording.
    """

    label: str
    question: str
    sentences: tuple[str, ...]
    plain: str = ""
    outcome: str | None = None
    companion_outcome: str | None = None
    status: str = "final"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentences", tuple(filter(None, self.sentences)))
        if broken := find_forbidden(f"{self.text} {self.plain}"):
            raise ValueError(f"{self.label}: the verdict holds a forbidden wording: {', '.join(broken)}")

    @property
    def text(self) -> str:
        """The sentences together."""
        return " ".join(self.sentences)

    def _repr_html_(self) -> str:
        first, *others = map(escape, self.sentences)
        mark = f"<strong>{escape(OUTCOME_LABELS[self.outcome].capitalize())}.</strong> " if self.outcome else ""
        rest = "".join(f"<p>{sentence}</p>" for sentence in others)
        plain = '<p class="plain"><span class="label">In plain words.</span> ' + escape(self.plain) + "</p>"
        return (
            f'<section class="verdict" aria-label="{escape(self.label)}"><p class="question">{escape(self.question)}</p>'
            f'<p class="outcome">{mark}{first}</p>{rest}{plain if self.plain else ""}</section>'
        )


def say_alignment(alignment: Alignment) -> str:
    """The sessions of report and denial in one sentence."""
    parts = []
    for role, sessions in (("report", alignment.report_sessions), ("first denial", alignment.denial_sessions)):
        if len(sessions) == 1:
            parts.append(f"the {role} belongs to {format_session(sessions[0])}")
        elif sessions:
            listed = ", ".join(format_session(s) for s in sessions)
            parts.append(f"the {role} can belong to any of {len(sessions)} sessions ({listed})")
    text = " and ".join(parts)
    return f"On {alignment.hours.exchange}, {text}."


def compose_alignment(alignment: Alignment) -> Verdict:
    """The verdict of the alignment alone."""
    question = f"Which sessions of {alignment.story.ticker} can the articles have reached ({alignment.story.title})?"
    return Verdict("Alignment", question, (say_alignment(alignment), alignment.identification.reason))


def find_primary(rows: list[WindowEstimate], kind: str) -> WindowEstimate:
    """The declared row of a return kind."""
    return next(row for row in rows if row.is_primary and row.return_kind == kind)


def is_complete(rows: list[WindowEstimate], config: StudyConfig) -> bool:
    """Whether every declared window of the headline's return is complete."""
    wanted = [r for r in rows if r.return_kind == HEADLINE_KIND and (r.first, r.last) in config.windows]
    return all(not row.note.startswith("incomplete") for row in wanted)


def compose_verdict(
    rows: list[WindowEstimate],
    alignment: Alignment,
    config: StudyConfig,
    *,
    sequence: StorySequence | None = None,
) -> Verdict:
    """The verdict of a study from its rows, its sequence and from what is identified."""
    headline, companion = find_primary(rows, HEADLINE_KIND), find_primary(rows, COMPANION_KIND)
    return Verdict(
        "Verdict",
        _ask(alignment),
        (
            _say_headline(headline, alignment, config),
            _say_companion(companion, config),
            alignment.identification.reason,
            _say_sequence(sequence, config, headline) if sequence else "",
        ),
        plain=_say_plainly(headline, companion, alignment, config),
        outcome=headline.outcome,
        companion_outcome=companion.outcome,
        status="final" if is_complete(rows, config) else "open",
    )


def _ask(alignment: Alignment) -> str:
    what = {
        "report_only": "around the report",
        "denial_only": "around the denial",
    }.get(alignment.identification.kind, "around the report and the denial")
    return f"Did {alignment.story.ticker} move abnormally {what} ({alignment.story.title})?"


DAYS = {
    NERVOUS_DAY: " The move is large for an ordinary day, not for one expected to be so nervous.",
    CALM_DAY: " The move is large for so calm a day, not for an ordinary one.",
}
"""What is added where one of the two rank tests rejects and the other is far from it."""
TEST_NAMES = {"conformal": "the conformal test", "fhs": "the volatility-aware test", "t": "the t test"}


def _when(row: WindowEstimate, alignment: Alignment) -> str:
    """The session of a row; of a set, its largest candidate, so that no candidate is judged alone."""
    if not row.is_set:
        return f"on {format_session(alignment.event_session)}"
    sessions = ", ".join(format_session(s) for s in alignment.reachable)
    return f"on {format_session(_shown_session(row, alignment))}, the largest of {row.n_candidates} candidates ({sessions})"


def _shown_session(row: WindowEstimate, alignment: Alignment) -> pd.Timestamp:
    largest = row.candidates.largest.session if row.candidates else None
    return alignment.event_session if largest is None else largest


def _measure(row: WindowEstimate, config: StudyConfig) -> str:
    estimate = format_percent(row.estimate or 0.0)
    whole = f"; over all candidates {p_equals(row.rank_p)}" if row.is_set and row.rank_p is not None else ""
    return f"{estimate} against {row.specification.benchmark} ({_interval(row)}; {_rank_test(row)}{whole})"


def _interval(row: WindowEstimate) -> str:
    """The printed interval: the effects that the deciding rule does not reject."""
    if row.ci95 is None:
        return "more than one candidate moved, each with an interval of its own"
    if math.isinf(row.ci95[0]):
        return "no interval: the estimation window is too short to rank at 95\u00a0%"
    return f"95\u00a0% interval {format_interval(row.ci95)}"


def _rank_test(row: WindowEstimate) -> str:
    parts = []
    for name, label in (
        ("conformal", "conformal"),
        ("block_conformal", "block conformal"),
        ("fhs", "volatility-aware"),
    ):
        p = row.p_value(name)
        if p is not None and not (name == "block_conformal" and row.p_value("conformal") is not None):
            parts.append(f"{label} {p_equals(p)}")
    return ", ".join(parts) or "no rank test"


def _detectable(row: WindowEstimate) -> str:
    if row.mde80_rule is None:
        return f"How large a move would have been seen is not known ({row.note})"
    if math.isinf(row.mde80_rule):
        return "With so few sessions no move of any size could have been told apart"
    size = format_percent(row.mde80_rule, digits=1, sign=False)
    return f"The rule of this study would have seen a move of {size} or more four times in five"


def _say_headline(row: WindowEstimate, alignment: Alignment, config: StudyConfig) -> str:
    if row.estimate is None:
        return f"The headline cannot be computed: {row.note}."
    when, measure = _when(row, alignment), _measure(row, config)
    ticker, bound = alignment.story.ticker, format_percent(config.equivalence_bound, sign=False)
    sentences = {
        "no_detectable_effect": (
            f"The abnormal return of {ticker} {when} was {measure}. {_detectable(row)}; effects anywhere in the interval "
            "remain compatible with the data."
        ),
        "smaller_than_bound": (
            f"Any abnormal return of {ticker} {'on any one of the candidate sessions ' if row.is_set else ''}was smaller "
            f"than {bound} in absolute value: {when} {measure}; 90\u00a0% interval "
            f"{format_interval(row.ci90 or (0.0, 0.0))}. {_detectable(row)}."
        ),
        "effect": (
            f"{ticker} moved by {measure} {when}, a move of a size seen on {_in_hundred(row.rank_p)} ordinary sessions. "
            "It coincides with the news of that interval; the design cannot attribute it to one item. "
            f"{_detectable(row)}."
        ),
        "fragile": (
            f"{_say_fragile(row)}: {ticker} moved by {measure} {when}. The specification curve: "
            f"{row.note or 'not run'}. {_detectable(row)}."
        ),
        "detectable_but_small": (
            f"Detectable but smaller than {bound}: {ticker} moved by {measure} {when}. {_detectable(row)}."
        ),
        "borderline": (
            f"Borderline, and no detection: the abnormal return of {ticker} {when} was {measure}; the tests disagree: "
            f"{_say_disagreement(row)}. {_detectable(row)}."
        ),
        "insufficient_data": f"The rank tests cannot be computed for {ticker} {when}: {measure}.",
    }
    return sentences[row.outcome] + DAYS.get(row.judgement.day, "")


def _say_disagreement(row: WindowEstimate) -> str:
    """Which of the three accepted tests reject and which do not."""
    no = [name for test, name in TEST_NAMES.items() if test not in row.judgement.rejecting and row.p_value(test)]
    yes = [TEST_NAMES[test] for test in row.judgement.rejecting]
    return (
        f"{' and '.join(yes)} {'reject' if len(yes) > 1 else 'rejects'}, {' and '.join(no) or 'the rule'} by itself not"
    )


def _say_fragile(row: WindowEstimate) -> str:
    if row.is_curve_tested:
        return "A detection that is fragile"
    return "A detection that is called fragile only because too few earlier sessions are recorded to test it"


def _in_hundred(p: float | None) -> str:
    """A p-value as ``about 44 of 100``; small ones as ``fewer than 1 of 100``."""
    if p is None:
        return "an unknown number of"
    return "fewer than 1 of 100" if p < 0.005 else f"about {round(100 * p)} of 100"


def _say_companion(row: WindowEstimate, config: StudyConfig) -> str:
    if row.estimate is None:
        return f"At the open, the declared companion: n/a: {row.note}."
    holm = f", Holm-adjusted {p_equals(row.p_holm)}" if row.p_holm is not None else ""
    label = OUTCOME_LABELS[row.outcome]
    if row.outcome == "smaller_than_bound":
        label = f"smaller than the bound of {format_percent(config.equivalence_bound, sign=False)}"
    reach = ""
    if row.mde80_rule is not None and math.isfinite(row.mde80_rule):
        size = format_percent(row.mde80_rule, digits=1, sign=False)
        reach = f"; moves of {size} or more would have been seen four times in five"
    which = f", the largest of {row.n_candidates} candidates" if row.is_set else ""
    said = (
        f"At the open, the declared companion{which}: {format_percent(row.estimate)} ({_interval(row)}{holm}): "
        f"{label}{reach}.{DAYS.get(row.judgement.day, '')}"
    )
    return f"{said} {row.caution[0].upper()}{row.caution[1:]}." if row.caution else said


def _say_sequence(sequence: StorySequence, config: StudyConfig, headline: WindowEstimate) -> str:
    """Effects of report, denial and total where they are separate, the hull where the session is uncertain."""
    total = sequence.row("total")
    if total is not None and total.contrast is None and total.estimate is not None:
        return _say_without_errors(sequence)
    if total is None or total.contrast is None:
        return f"Effects over the sessions of the articles: n/a: {total.note}." if total else ""
    report, denial = sequence.row("report"), sequence.row("denial")
    if report and denial and report.contrast and denial.contrast:
        text = (
            f"Before the denial ({_span(report.first, report.last)}): {_say_effect(report)}; from the "
            f"denial on: {_say_effect(denial)}; in total: {_say_effect(total)}."
        )
        return f"{text} {_say_reversal(sequence, config)}"
    if total.first == total.last:
        return ""
    summed = f"The sum over the sessions of the articles ({_span(total.first, total.last)}): {_say_effect(total)}"
    max_t = headline.candidates.max_t if headline.candidates else None
    if max_t is None or max_t.p_value is None:
        return f"{summed}."
    return f"{summed}; largest |t| of a candidate, {max_t.distribution}: {p_equals(max_t.p_value)} (beside, it does not decide)."


def _say_without_errors(sequence: StorySequence) -> str:
    """Estimates with their rank p-values, for a model whose forecasts have no standard error."""
    if len(sequence.rows) == 1 and sequence.rows[0].first == sequence.rows[0].last:
        return ""
    parts = [
        f"{row.name} (sessions {row.first} to {row.last}): {format_percent(row.estimate)}, rank {p_equals(row.rank_p)}"
        for row in sequence.rows
        if row.estimate is not None and row.rank_p is not None
    ]
    return f"Effects without intervals: {'; '.join(parts)}. No reversal can be claimed without a standard error."


def _span(first: int, last: int) -> str:
    return f"session {first}" if first == last else f"sessions {first} to {last}"


def _say_effect(row: SequenceRow) -> str:
    ends = row.interval(0.05) or (math.nan, math.nan)
    return f"{format_percent(row.estimate or 0.0)} (95\u00a0% interval {format_interval(ends)})"


def _say_reversal(sequence: StorySequence, config: StudyConfig) -> str:
    claim = sequence.reversal
    if claim is None:
        return ""
    if claim.is_reversal:
        return (
            "All three conditions of a reversal hold: both effects are distinguishable from zero with opposite signs, "
            f"and their sum lies inside {format_percent(config.equivalence_bound, sign=False)}."
        )
    missing = [
        text
        for holds, text in (
            (claim.is_report_significant, "the effect before the denial is not distinguishable from zero"),
            (
                claim.is_denial_significant_and_opposite,
                "the effect from the denial on is not distinguishable from zero with the opposite sign",
            ),
            (
                claim.is_total_equivalent_to_zero,
                f"the total is not shown to lie inside {format_percent(config.equivalence_bound, sign=False)}",
            ),
        )
        if not holds
    ]
    return f"Nothing here may be called a reversal: {'; '.join(missing)}. {_say_showable(claim)}"


def _say_showable(claim: ReversalClaim) -> str:
    """Whether these prices could have shown a reversal at all."""
    if claim.chance is None:
        least = format_percent(claim.half_width, digits=1, sign=False)
        return f"A reversal could not have been shown with these prices; the least that could be proved is {least}."
    chance = format_percent(claim.chance, digits=0, sign=False)
    return f"A perfect reversal would have been shown with a chance of {chance}."


def _say_how_common(row: WindowEstimate, config: StudyConfig) -> str:
    """How often ordinary days show such a gap; near the level, that it is not common either."""
    said = f"Gaps at least that large come up on {_in_hundred(row.rank_p)} ordinary days of this share"
    if row.rank_p is not None and row.rank_p < 2 * config.significance:
        return (
            f"{said}: not common, and not rare enough to be told apart from everyday noise by the rule of this study."
        )
    return f"{said}, too often to tell this one apart from everyday noise."


def _say_plainly(row: WindowEstimate, companion: WindowEstimate, alignment: Alignment, config: StudyConfig) -> str:
    if row.estimate is None:
        return f"There are not enough prices to say anything yet: {row.note}."
    ticker = alignment.story.ticker
    direction = "less" if row.estimate < 0 else "more"
    size = f"{100 * abs(row.estimate):.1f} percentage points"
    opening = (
        f"On {format_session(_shown_session(row, alignment))} the shares of {ticker} returned about {size} {direction} than "
        f"their usual relation to {row.specification.benchmark} would suggest."
    )
    ordinary = {
        "no_detectable_effect": _say_how_common(row, config),
        "smaller_than_bound": (
            f"Whatever the news did{' on any one of the possible days' if row.is_set else ''}, the data rule out a move "
            f"of {format_percent(config.equivalence_bound, sign=False)} or more."
        ),
        "effect": "A gap of that size is rare for this share. What it belongs to, one day cannot tell.",
        "fragile": (
            "A gap of that size is unusual, but other reasonable choices of method do not all bear it out."
            if row.is_curve_tested
            else "A gap of that size is unusual; whether other choices of method bear it out could not be tested, for want "
            "of earlier prices."
        ),
        "detectable_but_small": "The gap is real enough to be seen, and small.",
        "borderline": "That missed the rule of this study by little: one accepted test would have seen it, the rule does not.",
        "insufficient_data": "There are not enough data to judge whether that is unusual.",
    }[row.outcome]
    reach = "How small a gap this way of measuring would have noticed is not known."
    if row.mde80_rule is not None and math.isfinite(row.mde80_rule):
        size = format_percent(row.mde80_rule, digits=1, sign=False)
        reach = f"Only a gap of about {size} or more would have been noticed reliably."
    apart = {
        "joint": (
            "The report and the denial came out while the exchange was closed, so nobody can say from daily prices what "
            "either did alone."
            if alignment.identification.is_closed_between
            else "No daily price was recorded between the report and the denial, so nobody can say from daily prices what "
            "either did alone."
        ),
        "ambiguous": "When exactly the articles appeared is not known well enough to separate report from denial.",
        "separable": "A price was made between report and denial, so the two can be looked at one by one.",
        "report_only": "There was a report but no recorded denial.",
        "denial_only": "There was a denial; the report behind it is not recorded with a time of its own.",
    }[alignment.identification.kind]
    if row.is_set:
        opening += f" It is the largest move of the {row.n_candidates} days that the news can have reached."
    return f"{opening} {ordinary} {reach} {apart}"
