"""The rows that decide."""

from __future__ import annotations

from event_impact.base.config import StudyConfig
from event_impact.inference.windows import HEADLINE_KIND, WindowEstimate


def find_primary(rows: list[WindowEstimate], kind: str) -> WindowEstimate:
    """The declared row of a return kind."""
    return next(row for row in rows if row.is_primary and row.return_kind == kind)


def is_complete(rows: list[WindowEstimate], config: StudyConfig) -> bool:
    """Whether every declared window of the headline's return is complete."""
    wanted = [r for r in rows if r.return_kind == HEADLINE_KIND and (r.first, r.last) in config.windows]
    return all(not row.note.startswith("incomplete") for row in wanted)
