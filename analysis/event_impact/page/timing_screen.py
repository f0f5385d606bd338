"""The first screen of an alignment: which sessions report and denial can have reached, before any price is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from event_impact.events.sessions import Alignment, EventSession
from event_impact.page.finding import name_exchange, name_firm, name_matter, say_day
from event_impact.page.first_screen import FirstScreen, ScreenRow
from event_impact.page.timelines import draw_publication_intervals
from event_impact.page.words import read_labels

COLUMNS = ("article", "sessions", "not before", "not after", "while the exchange was")
COUNTED = read_labels("timing_screen.counted")
"""What daily prices can say, counted over stories."""


def say_sessions(sessions: Sequence[pd.Timestamp]) -> str:
    """One session by its day, several by the first and the last."""
    if len(sessions) == 1:
        return say_day(sessions[0])
    return f"any of {len(sessions)} sessions from {say_day(sessions[0])} to {say_day(sessions[-1])}"


def compose_timing(alignment: Alignment, registry: Sequence[Alignment]) -> FirstScreen:
    """Finding, the reason, the clock, each declared article, and how many stories are of which kind."""
    story = alignment.story
    declared = [e for e in alignment.articles if e.article.role in ("report", "denial")]
    reason = alignment.identification.reason.replace(alignment.hours.exchange, name_exchange(alignment))
    counts = Counter(a.identification.kind for a in registry)
    listed = "; ".join(f"{counts[kind]} {said}" for kind, said in COUNTED.items() if counts[kind])
    return FirstScreen(
        firm=name_firm(story, alignment),
        story=story.title,
        prices_to=None,
        status="final",
        outcome="aligned",
        finding=_head(alignment),
        sentences=(f"{reason.rstrip('.')}.",),
        drawings=(draw_publication_intervals(alignment, is_whole=True),),
        columns=COLUMNS,
        rows=tuple(_show_row(e, alignment) for e in declared),
        notes=(
            ("Read it so:", f"clocks are those of {alignment.hours.city}; a session counts on {name_exchange(alignment)} "
             "when its close is the first that can hold the article."),
            ("All stories:", f"of {len(registry)} registered, {listed}."),
        ),
        csv="alignment",
    )  # fmt: skip


def _head(alignment: Alignment) -> str:
    firm, matter = alignment.story.firm_name, name_matter(alignment.story)
    report, denial = alignment.report_sessions, alignment.denial_sessions
    kind = alignment.identification.kind
    if kind == "report_only":
        return f"{firm}: the report of {matter} reached {say_sessions(report)}; no denial is recorded."
    if kind == "denial_only":
        return f"{firm}: the denial of {matter} reached {say_sessions(denial)}; its report has no time of its own."
    where = f"the report reached {say_sessions(report)}, the denial {say_sessions(denial)}"
    if tuple(report) == tuple(denial):
        where = f"report and denial reached {say_sessions(report)}"
    so = {
        "separable": "a price lies between them",
        "joint": "by days they are one number",
        "ambiguous": "whether a price lies between depends on their times",
    }[kind]
    return f"{firm}: {where}; {so}."


def _show_row(event: EventSession, alignment: Alignment) -> ScreenRow:
    article, zone = event.article, alignment.hours.timezone
    days = [f"{s:%a} {s.day} {s:%b}" for s in event.sessions]
    sessions = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    clocks = (f"{at.tz_convert(zone):%a %d %b %H:%M}" for at in (article.published_earliest, article.published_latest))
    phase = event.phase.replace("_", " ") + ", near its close" * event.is_near_close
    return ScreenRow(f"{article.role}: {article.outlet}", (sessions, *clocks, phase))
