"""What a page offers as evidence of when it became public, item by item.

Ranks: 1 structured metadata that speaks of publication, 2 a ``<time>`` element, 3 the date library,
4 the address, 5 a stamp in the visible text, 6 clocks decoded from identifiers and times of
modification (upper bounds only), 7 days that the text only mentions.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import parse_qs, urlsplit

from event_impact.base.errors import StudyError
from event_impact.reading.pages import SavedPage
from event_impact.reading.stamps import Interval, Stamp, interval_of
from event_impact.reading.text_dates import MAX_DATES, find_dates, read_zone
from event_impact.reading.vocabulary import WORDS

STRUCTURED, TIME_ELEMENT, LIBRARY, ADDRESS, TEXT, BOUND, MENTION = range(1, 8)
NAMES = ("metadata", "time element", "date library", "address", "visible text", "upper bound", "mention")
RANK_NAMES = dict(enumerate(NAMES, start=STRUCTURED))
STATED, CHANGED, MENTIONED = ("published", STRUCTURED), ("not_later_than", BOUND), ("mention", MENTION)
EMBEDDED = ("not_earlier_than", MENTION)
#: What a date of the text is evidence of, by its place.
PLACES = {"stamp": ("published", TEXT), "updated": CHANGED, "embedded_post": EMBEDDED, "mention": MENTIONED}
ARTICLE_TYPES = re.compile(r"article|posting|report|webpage", re.IGNORECASE)
ADDRESS_DAY = re.compile(
    r"(?<!\d)(?P<y>(?:19|20)\d\d)(?P<s>[/-]|)(?P<m>0[1-9]|1[0-2])(?P=s)(?P<d>0[1-9]|[12]\d|3[01])(?!\d)"
)
MACHINE_STAMP = re.compile(
    r"(?P<y>\d{4})-?(?P<m>\d\d)-?(?P<d>\d\d)"
    r"(?:[T ]+(?P<h>\d\d):?(?P<i>\d\d)(?::?(?P<c>\d\d)(?:[.,]\d+)?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?|[A-Z]{2,4})?)?"
)
MAX_MENTIONS = 12
MAX_ITEMS = 2000
#: First millisecond of X's identifiers, 2010-11-04.
SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
BYTEDANCE_HOSTS = (".toutiao.com", ".dongchedi.com", ".douyin.com", ".ixigua.com", ".tiktok.com")
FIRST_PLAUSIBLE = datetime(2006, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Evidence:
    """One reading of one item.

    Attributes
    ----------
    kind : str
        ``published`` can be proposed; ``not_later_than`` and ``not_earlier_than`` bound; ``mention`` and
        ``relative`` are shown and can be chosen by hand.
    stamp : Stamp or None
        None for decoded clocks and relative days.
    interval : Interval or None
        None when the item cannot be read as a time; ``problem`` says why.
    problem : str
        Why the item cannot be used.
    of_day : datetime.time or None
        Time of day (UTC) of an address that holds no day: that must come from elsewhere.
    """

    kind: str
    rank: int
    source: str
    printed: str
    stamp: Stamp | None = None
    interval: Interval | None = None
    problem: str = ""
    note: str = ""
    of_day: time | None = None

    @property
    def is_usable(self) -> bool:
        """Whether it gives an interval without objection."""
        return self.interval is not None and not self.problem

    @property
    def span(self) -> Interval:
        """Its interval, where it has one."""
        assert self.interval is not None
        return self.interval


def gather_evidence(
    page: SavedPage, *, address: str = "", zone: str = "", zone_basis: str = "inferred",
    library_day: date | None = None, home: str = "", saved_at: datetime,
) -> list[Evidence]:  # fmt: skip
    """Everything a page offers, ranked, each item with its interval or with what is wrong with it.

    Parameters
    ----------
    address : str
        Where the page was published; its own canonical address is used when empty.
    zone : str
        IANA zone for stamps that print none; empty leaves them open.
    library_day : datetime.date, optional
        What a date library read.
    home : str
        Zone of the story's exchange, which settles what a printed name of several zones means.
    saved_at : datetime.datetime
        When the copy was saved; nothing can have been published after it.
    """
    where = address or page.address
    if (filing := page.filing) is not None:  # nothing else on its pages can overrule its acceptance time
        said, stamp = filing.describe(), filing.accepted
        item = Evidence(*STATED, "EDGAR acceptance", stamp.text, stamp, filing.bounds, note=said)
        return [_measure(item, zone, zone_basis, saved_at)]
    items = [item for mark in _list_marks(page) for item in _read_mark(*mark)]
    if library_day is not None:
        stamp = Stamp(library_day.isoformat(), library_day)
        items.append(Evidence("published", LIBRARY, "htmldate", stamp.text, stamp))
    with contextlib.suppress(ValueError):
        if match := ADDRESS_DAY.search(urlsplit(where).path):
            stamp = Stamp(match[0], date(*(int(match[name]) for name in "ymd")))
            items.append(Evidence("published", ADDRESS, "day in the address", stamp.text, stamp))
    items += _from_text(page)
    addresses = [(where, "decoded from the address", *CHANGED)]
    addresses += [(post, "of an embedded post", *MENTIONED) for post in page.embedded_posts]  # not of the page
    for url, place, kind, rank in addresses:
        if clock := decode_address(url):
            items.append(replace(clock, kind=kind, rank=rank, source=f"{clock.source}, {place}"))
    measured = [_measure(item, zone, zone_basis, saved_at) for item in items[:MAX_ITEMS]]
    if len(items) > MAX_ITEMS or sum(item.source.startswith("text") for item in items) >= MAX_DATES:
        more = f"the page offers more than {min(MAX_ITEMS, MAX_DATES)} times; the first were weighed"
        measured.append(Evidence("mention", MENTION, "limit", "", problem=more))
    return sorted(_settle_by_home(_merge_same(_doubt_library(measured)), home), key=lambda e: e.rank)


def _settle_by_home(items: list[Evidence], home: str) -> list[Evidence]:
    """Of several zones of one printed name, the one where the story's exchange is."""
    settled = []
    for item in items:
        zones = {e.stamp.zone for e in find_twins(items, item) if e.stamp}
        if not home or home not in zones or len(zones) == 1:
            settled.append(item)
        elif item.stamp and item.stamp.zone == home:
            settled.append(replace(item, note=f"its zone is read as {home}, as the story's exchange is there"))
    return settled


def find_twins(items: list[Evidence], own: Evidence) -> list[Evidence]:
    """An item and the other readings of the same characters."""
    is_tied = "readings" in own.note
    return [e for e in items if (e.printed, e.source) == (own.printed, own.source)] if is_tied else [own]


def _doubt_library(items: list[Evidence]) -> list[Evidence]:
    """Take back the library's day when nothing supports it but a day of something else, or of a change."""
    supported = [e.interval for e in items if e.kind == "published" and e.rank != LIBRARY and e.interval]
    elsewhere = {e.stamp.day for e in items if e.rank in (MENTION, BOUND) and e.stamp}
    doubted = []
    for item in items:
        is_elsewhere = item.rank == LIBRARY and item.stamp is not None and item.stamp.day in elsewhere
        if is_elsewhere and item.interval and not any(map(item.interval.overlaps, supported)):
            item = replace(item, kind="mention", rank=MENTION, note="the page names that day only for something else")
        doubted.append(item)
    return doubted


def _measure(item: Evidence, zone: str, zone_basis: str, saved_at: datetime) -> Evidence:
    interval, problem, stamp = item.interval, item.problem, item.stamp
    if stamp is not None and interval is None and not problem:
        if zone and not (stamp.zone or stamp.is_zone_fixed):  # what the page prints, read or not, comes first
            stamp = replace(stamp, zone=zone, zone_basis=zone_basis)
        try:
            interval = interval_of(stamp)
        except StudyError as error:
            problem = error.message.rstrip(".")
    if interval is not None and interval.earliest > saved_at:
        problem = "in the future: after the copy was saved"
    return replace(item, stamp=stamp, interval=interval, problem=problem)


def _merge_same(items: list[Evidence]) -> list[Evidence]:
    """One item a reading: the same kind, rank and interval from several places is named once."""
    merged: dict[tuple[object, ...], Evidence] = {}
    for item in items:
        key = (item.kind, item.rank, item.interval, item.problem, item.of_day, item.printed if item.problem else "")
        if (first := merged.get(key)) is None:
            merged[key] = item
        elif item.source not in first.source:
            merged[key] = replace(first, source=f"{first.source}, {item.source}")
    return list(merged.values())


def read_machine_stamp(text: str) -> tuple[Stamp, ...]:
    """The readings of a machine-written time: ISO 8601, Unix seconds, or a date in words.

    A clock of exactly midnight is read as a bare day without a zone: programs write it when they
    know only the day. Seconds of exactly zero are read as a minute.
    """
    text = text.strip()
    if re.fullmatch(r"1\d{9}(?:\d{3})?", text):
        at = datetime.fromtimestamp(int(text[:10]), tz=UTC)
        return (Stamp(text, at.date(), at.time(), "second", "UTC", "printed"),)
    if not (match := MACHINE_STAMP.fullmatch(text)):
        return tuple(_soften(s) for found in find_dates((text,))[:1] for s in found.stamps)
    try:
        day = date(*(int(match[name]) for name in "ymd"))
        clock = time(int(match["h"]), int(match["i"]), int(match["c"] or 0)) if match["h"] else None
    except ValueError:
        return ()
    if clock is None:
        return (Stamp(text, day),)
    precision = "second" if match["c"] else "minute"
    zones = read_zone(match["zone"], day, clock) if match["zone"] else ()
    if not zones:
        return (_soften(Stamp(text, day, clock, precision, is_zone_fixed=bool(match["zone"]))),)
    return tuple(_soften(Stamp(text, day, clock, precision, zone, "printed")) for zone in zones)


def _soften(stamp: Stamp) -> Stamp:
    if stamp.clock == time(0):  # in the zone that the program printed: no other zone's day need hold it
        return Stamp(stamp.text, stamp.day, is_zone_fixed=bool(stamp.zone) or stamp.is_zone_fixed)
    if stamp.clock is None or stamp.precision != "second":
        return stamp
    return replace(stamp, precision="minute") if stamp.clock.second == 0 else stamp


def _read_mark(source: str, text: str, kind: str, rank: int) -> list[Evidence]:
    """The readings of a machine-written time, or that it has none: worth saying where it is more than a mention."""
    stamps, printed = read_machine_stamp(text), " ".join(text.split())[:60]
    if not stamps:
        is_idle = kind == "mention" and source.startswith("time element")
        return [Evidence(kind, rank, source, printed, problem="not readable as a time")] * (not is_idle)
    is_midnight = stamps[0].clock is None and re.search(r"\d[T ]\d\d:?\d\d", text) is not None
    note = "a clock of exactly midnight is read as a bare day" if is_midnight else ""
    if len(stamps) > 1:
        note = f"one of {len(stamps)} readings"
    return [Evidence(kind, rank, source, printed, stamp, note=note) for stamp in stamps]


def _list_marks(page: SavedPage) -> Iterator[tuple[str, str, str, int]]:
    """Machine-written times: where each stands, its characters, and what it is evidence of."""
    for thing in page.linked_data:
        types = thing.get("@type", "")
        is_article = ARTICLE_TYPES.search(" ".join(map(str, types)) if isinstance(types, list) else str(types))
        for key, mark in (("datePublished", STATED), ("dateModified", CHANGED)) if is_article else ():
            value = thing.get(key)
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, (str, int)) and str(one).strip():
                    yield f"JSON-LD {key}", str(one), *mark
    for value in page.nested_days[:MAX_MENTIONS]:
        yield "JSON-LD of another page", value, *MENTIONED
    for name, value in page.meta:
        for words, mark in (("published_meta", STATED), ("modified_meta", CHANGED)):
            if name in WORDS[words]:
                yield f"meta {name}", value, *mark
    # a <time> marked as publication, or the only one that is not beside the article
    is_lone = len({value for value, kind in page.times if kind in ("own", "")}) == 1
    for value, kind in page.times:
        if kind == "modified":
            yield "time element of an update", value, *CHANGED
        elif kind == "own" or (is_lone and not kind):
            yield "time element", value, "published", TIME_ELEMENT
        else:
            yield f"time element {'beside the article' if kind else 'among several'}", value, *MENTIONED


def _from_text(page: SavedPage) -> list[Evidence]:
    items: list[Evidence] = []
    mentions = 0
    for found in find_dates(page.lines, language=page.language, asides=page.aside_lines):
        mentions += found.place == "mention"
        if found.place == "mention" and mentions > MAX_MENTIONS:
            continue
        kind, rank = PLACES[found.place]
        note = f"one of {len(found.stamps)} readings" if len(found.stamps) > 1 else ""
        items += [Evidence(kind, rank, f"text, {found.why}", found.printed, stamp, note=note) for stamp in found.stamps]
    return items


def decode_address(url: str) -> Evidence | None:
    """The clock that an address carries, if its site is known to number pages by the time.

    Such a number is given when the page is made, and others could already quote the page: what it supports is "not later
    than", never more.
    """
    parts = urlsplit(url)
    path, host = parts.path, "." + (parts.hostname or "").lower()
    scheme, text, seconds = "", "", 0
    if host.endswith((".x.com", ".twitter.com")) and (match := re.search(r"/status(?:es)?/(\d{15,20})\b", path)):
        scheme, text, seconds = "X post id", match[1], ((int(match[1]) >> 22) + SNOWFLAKE_EPOCH_MS) // 1000
    elif host.endswith(BYTEDANCE_HOSTS) and (match := re.search(r"(?<!\d)(\d{19})(?!\d)", path)):
        scheme, text, seconds = "ByteDance id", match[1], int(match[1]) >> 32
    elif host.endswith(".myzaker.com"):
        key = (parse_qs(parts.query).get("pk") or [""])[0] or path.rstrip("/").rsplit("/", 1)[-1]
        if re.fullmatch(r"[0-9a-f]{24}", key):
            scheme, text, seconds = "ZAKER id", key, int(key[:8], 16)
    elif host.endswith(".yahoo.com") and (match := re.search(r"-(\d\d)(\d\d)(\d\d)\d{3}\.html$", path)):
        with contextlib.suppress(ValueError):
            clock = time.fromisoformat(":".join(match.groups()))
            note = f"{clock} UTC of a day that must come from elsewhere"
            return Evidence("not_later_than", BOUND, "Yahoo suffix", match[0][1:10], of_day=clock, note=note)
    if not FIRST_PLAUSIBLE.timestamp() <= seconds < 2**33:
        return None
    at = datetime.fromtimestamp(seconds, tz=UTC)
    bound = Interval(at, at + timedelta(seconds=1), "assumed", "decoded")
    return Evidence("not_later_than", BOUND, scheme, text, interval=bound)


def last_occurrence(clock: time, interval: Interval) -> Interval | None:
    """The last second of an interval at which UTC clocks show a time of day, as an upper bound."""
    at = datetime.combine(interval.latest.date(), clock, tzinfo=UTC)
    at -= timedelta(days=at >= interval.latest)
    return Interval(at, at + timedelta(seconds=1), "assumed", "decoded") if at >= interval.earliest else None
