"""Watching feeds for a story: items that name its firm are recorded once each, with the time that they print.

Nothing is taken into the articles by watching; ``impact article add FEED --item KEY`` does that when asked.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from event_impact.base.clock import format_instant
from event_impact.base.csv_tables import append_rows, clean_cell, locked, parse_table, replace_tables, start_table
from event_impact.base.errors import DataError, StudyError
from event_impact.events.articles import Story
from event_impact.events.calendars import load_hours
from event_impact.reading.feeds import MAX_FEED_BYTES, name_feed, pick_items, read_feed, web_address
from event_impact.reading.ingest import weigh_page
from event_impact.reading.pages import SavedPage
from event_impact.reading.stamps import Interval

WATCHED = "watched.csv"
WATCHED_COLUMNS = (
    "story", "item", "seen_at", "feed", "feed_sha256", "url", "time_as_printed", "published_earliest",
    "published_latest", "why",
)  # fmt: skip


@dataclass(frozen=True)
class ProposedItem:
    """An item that was not seen before: its row of ``watched.csv``, and its title, which is not kept."""

    row: dict[str, str]
    title: str


@dataclass(frozen=True)
class Watched:
    """What one look at the feeds came to; ``faults`` are feeds that could not be read."""

    proposed: tuple[ProposedItem, ...]
    remarks: tuple[str, ...]
    faults: tuple[StudyError, ...]


def watch_feeds(
    story: Story, feeds: Iterable[str], data: Path, *, at: datetime, read: Callable[[str, int], bytes]
) -> Watched:
    """Look at feeds once and record the items about a story's firm that are new.

    Watchers of the same study wait for each other; an item that another has recorded is not proposed again.

    Parameters
    ----------
    read : callable
        Place of a feed and number of bytes -> its content; raises StudyError.

    Raises
    ------
    DataError
        If ``watched.csv`` is damaged or cannot be written.
    """
    found, remarks, faults = list[ProposedItem](), list[str](), list[StudyError]()
    for source in feeds:
        try:
            feed = read_feed(read(source, MAX_FEED_BYTES), name=name_feed(source), address=web_address(source))
        except StudyError as error:
            faults.append(error)
            continue
        remarks += feed.remarks
        for item in pick_items(feed.items, story):
            bounds, printed, why = _weigh(item.page, story, at)
            row = {
                "story": story.story, "item": item.key, "seen_at": format_instant(at), "feed": name_feed(source),
                "feed_sha256": feed.sha256, "url": item.page.address, "time_as_printed": printed,
                "published_earliest": format_instant(bounds.earliest) if bounds else "",
                "published_latest": format_instant(bounds.latest) if bounds else "", "why": why,
            }  # fmt: skip
            found.append(ProposedItem({name: clean_cell(cell) for name, cell in row.items()}, item.title))
    return Watched(tuple(_record(data, found)), tuple(remarks), tuple(faults))


def _weigh(page: SavedPage, story: Story, at: datetime) -> tuple[Interval | None, str, str]:
    """The bounds of an item, its stamp as printed, and why; an item that cannot be read hides no other."""
    try:
        proposal = weigh_page(page, saved_at=at, home=load_hours(story.exchange).timezone).proposal
    except DataError as error:
        return None, "", error.message
    return proposal.interval, "" if proposal.chosen is None else proposal.printed, proposal.reason


def _record(data: Path, found: list[ProposedItem]) -> list[ProposedItem]:
    """Append what is new to ``watched.csv``; returns it."""
    path = data / WATCHED
    with locked(data):
        content = path.read_bytes() if path.exists() else start_table(WATCHED_COLUMNS)
        table = parse_table(content, WATCHED_COLUMNS, name=WATCHED)
        seen = set(zip(table["story"], table["item"], strict=True))
        first: dict[tuple[str, str], ProposedItem] = {}
        for proposed in found:
            first.setdefault((proposed.row["story"], proposed.row["item"]), proposed)
        if new := [proposed for key, proposed in first.items() if key not in seen]:
            replace_tables({path: append_rows(content, [p.row for p in new], name=WATCHED)})
    return new
