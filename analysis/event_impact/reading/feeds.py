"""Feeds (RSS, Atom, EDGAR's list of submissions) taken apart into items, each of which is read as a small page.

Nothing of an item's text is kept; an item is known by a hash of its id, address and title.
"""

import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from event_impact.base.errors import ConfigError, DataError
from event_impact.events.articles import Story
from event_impact.reading.filings import Filing, is_submissions, read_submissions
from event_impact.reading.pages import SavedPage, is_sound_address
from event_impact.reading.tickers import find_listings

MAX_FEED_BYTES = 8_000_000
FEED_ROOT = re.compile(rb"<(?:rss|feed|rdf:RDF)[\s>]", re.IGNORECASE)
HEAD = 4096
TAG = re.compile(r"<[^<>]{0,2000}>")
NAMES_LISTED = 12


@dataclass(frozen=True)
class FeedItem:
    """One item: its key, its title for the analyst, and itself as a page."""

    key: str
    title: str
    page: SavedPage


@dataclass(frozen=True)
class Feed:
    """Items in the order of the feed, and what is to be said of it."""

    items: tuple[FeedItem, ...]
    remarks: tuple[str, ...]
    sha256: str

    def find(self, key: str) -> FeedItem:
        """An item by its key.

        Raises
        ------
        ConfigError
            If the feed has none of that key.
        """
        for item in self.items:
            if item.key == key:
                return item
        listed = "; ".join(f"{item.key} {item.title[:60]}" for item in self.items[:NAMES_LISTED])
        said = f"the feed has {len(self.items)} items and none is chosen ({key or '--item is missing'})."
        raise ConfigError(said, f"Name one with --item: {listed or 'it is empty'}.")


def is_feed(content: bytes) -> bool:
    """Whether a file is a feed rather than a page."""
    return FEED_ROOT.search(content[:HEAD]) is not None or is_submissions(content)


def read_feed(content: bytes, *, name: str, address: str = "") -> Feed:
    """Take a feed apart; items that repeat another in id, address and title are named once.

    Parameters
    ----------
    address : str
        Where the feed was found, against which relative links are read.

    Raises
    ------
    DataError
        If it is too large, declares entities, is no feed, or the reader of feeds is not installed.
    """
    if len(content) > MAX_FEED_BYTES:
        what = f"{name} has more than the {MAX_FEED_BYTES // 1_000_000} MB of a feed."
        raise DataError(what, "Name a feed of the newest items.")
    if is_submissions(content):
        items = [_of_filing(filing) for filing in read_submissions(content, name=name)]
        remarks: list[str] = []
    else:
        items, remarks = _parse(content, name, address)
    kept = {item.key: item for item in reversed(items)}
    if len(kept) < len(items):
        remarks.append(f"{len(items) - len(kept)} item(s) of {name} repeat another and are named once")
    unique = tuple(item for item in items if kept[item.key] is item)
    return Feed(unique, tuple(remarks), hashlib.sha256(content).hexdigest())


def _parse(content: bytes, name: str, address: str) -> tuple[list[FeedItem], list[str]]:
    if b"<!ENTITY" in content.upper():
        raise DataError(f"{name} declares entities of its own, which no feed needs.", "It was not read.")
    try:
        import feedparser
    except ImportError as error:
        hint = "It comes with the extra `ingest` (pip install feedparser)."
        raise DataError("the reader of feeds is not installed.", hint) from error
    parsed = feedparser.parse(io.BytesIO(content), response_headers={"content-location": address} if address else {})
    if not parsed.version:
        raise DataError(f"{name} is no feed that can be read.", "Name an RSS or Atom feed, or a saved page.")
    remarks = [f"the markup of {name} is damaged; what could be read is shown"] if parsed.bozo else []
    return [_of_entry(entry, parsed.feed.get("title", "")) for entry in parsed.entries], remarks


def _of_entry(entry: dict[str, str], outlet: str) -> FeedItem:
    title, summary = (_plain(entry.get(name, "")) for name in ("title", "summary"))
    link = entry.get("link", "")
    is_whole = re.match(r"https?://", link) is not None and is_sound_address(link)
    meta = [("og:site_name", _plain(outlet)), ("pubdate", entry.get("published", ""))]
    meta.append(("lastmod", "" if entry.get("published") else entry.get("updated", "")))
    lines = tuple(filter(None, (title, summary)))
    page = SavedPage(
        f"item {title[:60]!r}", False, "utf-8", "feed", lines or ("(no title)",), title=title,
        address=link if is_whole else "", meta=tuple((n, v) for n, v in meta if v), aside_lines=frozenset((0, 1)),
    )  # fmt: skip
    return FeedItem(_key(entry.get("id", ""), link, title), title or "(no title)", page)


def _of_filing(filing: Filing) -> FeedItem:
    title = f"Form {filing.form}{', item ' + ', '.join(filing.items) if filing.items else ''}, filed {filing.filed}"
    page = SavedPage(
        title, False, "utf-8", "feed", (title,), title=title, address=filing.address, filing=filing,
        meta=(("og:site_name", "EDGAR"),), aside_lines=frozenset((0,)),
    )  # fmt: skip
    return FeedItem(_key(filing.address), title, page)


def _plain(markup: str) -> str:
    return " ".join(TAG.sub(" ", markup).split())


def _key(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:10]


def pick_items(items: Iterable[FeedItem], story: Story) -> list[FeedItem]:
    """The items that name a story's firm: its name as whole words, or one of its listings; its filings."""
    tickers = {story.ticker, *story.other_tickers}
    firm = re.compile(rf"(?<![A-Za-zÀ-ÿ0-9]){re.escape(story.firm)}(?![A-Za-zÀ-ÿ0-9])") if story.firm else None
    picked = []
    for item in items:
        named = {ticker for ticker, _ in find_listings(item.page.text)}
        if item.page.filing or tickers & named or (firm and firm.search(item.page.text)):
            picked.append(item)
    return picked


def web_address(where: str) -> str:
    """A place as an address of the web; empty for a file."""
    return where if re.match(r"https?://", where) else ""


def name_feed(where: str) -> str:
    """A feed as the tables name it: without what a query or a login may hold."""
    parts = urlsplit(where)
    return f"{parts.hostname}{parts.path}" if parts.hostname else where.rsplit("/", 1)[-1]
