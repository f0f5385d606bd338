"""Volume and range around the event, session by session."""

from __future__ import annotations

import math

import pandas as pd

from event_impact.inference.activity_tests import Surprise, surprise_frame
from event_impact.page.exhibits import TableExhibit
from event_impact.page.figure_style import signed_whole
from event_impact.page.format import format_number, format_p, format_session, or_reason

LABELS = {"log_volume": "volume", "log_range": "range"}


def tabulate_activity(surprises: list[Surprise]) -> TableExhibit:
    """Observed over expected volume and range, with t and ranks."""
    by_kind = {kind: {s.rel_session: s for s in surprises if s.kind == kind} for kind in LABELS}
    rel_sessions = sorted({s.rel_session for s in surprises})
    sessions = {s.rel_session: s.session for s in surprises if s.session is not None}
    columns: dict[str, list[str]] = {}
    for kind, label in LABELS.items():
        rows = [by_kind[kind].get(k) for k in rel_sessions]
        columns[f"{label}, times expected"] = [
            or_reason(s.surprise, _times, s.note) if s is not None else "n/a" for s in rows
        ]
        columns[f"{label}, p t"] = [or_reason(s.p_value("t"), format_p, "") if s else "n/a" for s in rows]
        columns[f"{label}, p rank"] = [
            or_reason(s.p_value("sample_quantile"), format_p, "") if s else "n/a" for s in rows
        ]
    index = [
        f"{signed_whole(k)}, {format_session(sessions[k])}" if k in sessions else signed_whole(k) for k in rel_sessions
    ]
    return TableExhibit(
        name="activity",
        cells=pd.DataFrame(columns, index=index),
        row_header="session",
        caption=(
            "Volume and range against what the sessions before and the benchmark would suggest: 2.0 is twice the expected. "
            "Both p are two-sided; the rank p (sample quantile) is the one to read, since log volume is skewed. After "
            "the event session, what is expected already holds the event's own volume and range. Neither has a "
            "direction: they can show attention, and say nothing of its reason."
        ),
        numbers=surprise_frame(surprises),
    )


def _times(surprise: float) -> str:
    return f"{format_number(math.exp(surprise), sign=False)}"
