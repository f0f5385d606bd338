"""Wordings that no sentence may hold, and the rows that decide."""

from __future__ import annotations

import re

from event_impact.base.config import StudyConfig
from event_impact.inference.windows import HEADLINE_KIND, WindowEstimate

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


def find_primary(rows: list[WindowEstimate], kind: str) -> WindowEstimate:
    """The declared row of a return kind."""
    return next(row for row in rows if row.is_primary and row.return_kind == kind)


def is_complete(rows: list[WindowEstimate], config: StudyConfig) -> bool:
    """Whether every declared window of the headline's return is complete."""
    wanted = [r for r in rows if r.return_kind == HEADLINE_KIND and (r.first, r.last) in config.windows]
    return all(not row.note.startswith("incomplete") for row in wanted)
