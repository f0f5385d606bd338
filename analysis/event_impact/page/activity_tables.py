"""Volume and range around the event, session by session."""

from __future__ import annotations

from event_impact.inference.activity_tests import Surprise, surprise_frame
from event_impact.page.columns import Column, declare_table
from event_impact.page.exhibits import TableExhibit
from event_impact.page.figure_style import signed_whole
from event_impact.page.format import format_session

LABELS = {"log_volume": "volume", "log_range": "range"}


def tabulate_activity(surprises: list[Surprise]) -> TableExhibit:
    """Observed over expected volume and range, with t and ranks."""
    sessions = {s.rel_session: s.session for s in surprises if s.session is not None}
    rows: dict[int, dict[str, object]] = {}
    for s in sorted(surprises, key=lambda s: s.rel_session):
        day = f", {format_session(sessions[s.rel_session])}" if s.rel_session in sessions else ""
        rows.setdefault(s.rel_session, {"label": signed_whole(s.rel_session) + day})[s.kind] = s
    columns = [Column("label", "session")]
    for kind, label in LABELS.items():
        columns += [
            Column(f"{kind}.surprise", f"{label}, times expected", "times", why=f"{kind}.note"),
            Column(f"{kind}.tests.t.p_value", f"{label}, p t", "p"),
            Column(f"{kind}.tests.sample_quantile.p_value", f"{label}, p rank", "p"),
        ]
    caption = (
        "Volume and range against what the sessions before and the benchmark would suggest: 2.0 is twice the expected. "
        "Both p are two-sided; the rank p (sample quantile) is the one to read, since log volume is skewed. After "
        "the event session, what is expected already holds the event's own volume and range. Neither has a "
        "direction: they can show attention, and say nothing of its reason."
    )
    return declare_table("activity", rows.values(), columns, caption=caption, numbers=surprise_frame(surprises))
