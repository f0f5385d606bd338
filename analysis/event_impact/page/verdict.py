"""What a page found, in sentences, and the wordings that no sentence may hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from event_impact.base.config import StudyConfig
from event_impact.events.sessions import Alignment
from event_impact.inference.windows import HEADLINE_KIND, WindowEstimate
from event_impact.page.format import (
    OUTCOME_LABELS,
    format_session,
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
