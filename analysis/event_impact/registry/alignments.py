"""Alignments of one story or all of them, for the command line and the alignment notebook."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd

from event_impact.base.clock import format_instant
from event_impact.base.config import parse_date, parse_story
from event_impact.base.csv_tables import Tables, open_tables
from event_impact.base.errors import AlignmentError
from event_impact.events.articles import Story, load_stories, load_story
from event_impact.events.calendars import load_hours
from event_impact.events.sessions import Alignment, align_story
from event_impact.market.snapshot import read_manifest

LOCATED = ("instant", "local", "phase", "close_session", "close_at", "open_session", "is_near_close")


def embedded_opens(story: Story, data: Path | Tables, recorded: list[dict[Any, str]] | None = None) -> pd.DatetimeIndex:
    """Sessions of a story's listing whose opening price is embedded, by the manifest of ``data``; empty where none is."""
    hours, recorded = load_hours(story.exchange), recorded or read_manifest(open_tables(data)).to_dict("records")
    held = [row for row in recorded if (row["ticker"], row["open_available"]) == (story.ticker, "yes")]
    found = [hours.between(pd.Timestamp(row["first_session"]), pd.Timestamp(row["last_session"])) for row in held]
    return reduce(pd.DatetimeIndex.union, found) if found else pd.DatetimeIndex([])


def load_alignments(data: Path | Tables, story: str | None = None, *, as_of: str | None = None) -> list[Alignment]:
    """Alignments of one story, or of all when none is named.

    Opening prices separate report from denial only where the embedded figures have them.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the tables.
    story : str, optional
        Its id; all stories when left out.
    as_of : str, optional
        ``YYYY-MM-DD``; what was not yet public at the close of that session is left out.

    Returns
    -------
    list of Alignment
        In the order of the table.
    """
    day, data = parse_date("as_of", as_of) if as_of else None, open_tables(data)
    stories = [load_story(parse_story("story", story), data)] if story else list(load_stories(data).values())
    recorded = read_manifest(data).to_dict("records")
    return [align_story(s, as_of=day, opens=embedded_opens(s, data, recorded)) for s in stories]


def load_known_alignments(data: Path | Tables, as_of: date) -> list[Alignment]:
    """Alignments of every story whose last session had begun by ``as_of``."""
    return [a for a in load_alignments(data) if a.last_session <= pd.Timestamp(as_of)]


def frame_alignments(alignments: list[Alignment]) -> pd.DataFrame:
    """Alignment rows of several stories, with the story in the first column."""
    frames = [a.frame().assign(story=a.story.story, identified=a.identification.kind) for a in alignments]
    frame = pd.concat(frames, ignore_index=True)
    return frame[["story", "identified", *[c for c in frame.columns if c not in ("story", "identified")]]]


def align(exchange: str, instants: Iterable[str | datetime]) -> pd.DataFrame:
    """Where news of an instant falls on an exchange, for any calendar and without a story.

    Parameters
    ----------
    instants : iterable of str or datetime
        Each with its zone.

    Returns
    -------
    pandas.DataFrame
        One row an instant: ``instant`` (UTC), ``local`` (clock of the exchange), ``phase``, ``close_session``,
        ``close_at`` (UTC), ``open_session``, ``is_near_close``.

    Raises
    ------
    AlignmentError
        If the exchange is unknown, or an instant has no zone or lies outside its known sessions.

    Examples
    --------
    >>> from event_impact import align
    >>> align("XNYS", ["2026-01-31T18:28Z"])["close_session"].tolist()
    ['2026-02-02']
    """
    hours = load_hours(exchange)
    rows = []
    for instant in map(pd.Timestamp, instants):
        if instant.tzinfo is None:
            raise AlignmentError(f"{instant} names no zone.", "End it with Z, or with an offset such as +01:00.")
        session = hours.close_session(instant)
        local = f"{instant.tz_convert(hours.timezone):%a %Y-%m-%d %H:%M}"
        closing = (str(session.date()), format_instant(hours.close_at(session)))
        opening, is_near = str(hours.open_session(instant).date()), hours.is_near_close(instant)
        rows.append((format_instant(instant), local, hours.phase(instant), *closing, opening, is_near))
    return pd.DataFrame(rows, columns=list(LOCATED))


def describe_instants(exchange: str, located: pd.DataFrame) -> str:
    """Located instants as text for a terminal."""
    return "\n".join(
        f"{row['instant']} ({row['local']} on {exchange}, {row['phase'].replace('_', ' ')}): in the return that closes "
        f"on {row['close_session']} ({row['close_at']}); first opening price on {row['open_session']}"
        + ("; within ten minutes of the close" if row["is_near_close"] else "")
        for row in located.to_dict("records")
    )


def describe_alignment(alignment: Alignment, *, is_short: bool = False) -> str:
    """An alignment as text for a terminal."""
    sessions = ", ".join(str(s.date()) for s in alignment.candidates)
    story, found = alignment.story, alignment.identification
    head = f"{story.story} ({story.ticker}, {alignment.hours.exchange}): {found.kind}; event session {sessions}"
    if is_short:
        return head
    lines = [head, f"  {found.reason}"]
    for event in alignment.articles:
        sessions = ", ".join(str(s.date()) for s in event.sessions)
        lines.append(f"  {event.article.article_id:8} {event.article.role:7} -> {sessions}")
        lines.append(f"           {event.reason}")
    return "\n".join(lines)
