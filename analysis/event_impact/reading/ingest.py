"""From a saved page to a row of ``articles.csv``: examine, compose, check the whole registry, write.

What is kept of a page: bounds of its time with their bases, its stamp as printed, its outlet and
address, hashes, and the analyst's own short paraphrase. Nothing of its text.
"""

import http.client
import itertools
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from event_impact.base import csv_tables
from event_impact.base.clock import format_instant
from event_impact.base.code_digest import VERSION
from event_impact.base.config import parse_choice
from event_impact.base.errors import ConfigError, DataError
from event_impact.events.articles import ARTICLE_COLUMNS, STORY_COLUMNS, Story, build_stories, find_story
from event_impact.events.sessions import align_story
from event_impact.reading import fingerprints
from event_impact.reading.evidence import MENTION, STRUCTURED, TIME_ELEMENT, gather_evidence
from event_impact.reading.fingerprints import Copy, Fingerprint
from event_impact.reading.pages import SavedPage, is_sound_address, read_page
from event_impact.reading.proposals import Proposal, add_relative_days, propose
from event_impact.reading.stamps import Interval, load_zone
from event_impact.reading.tickers import Listing, find_listings

#: Within so many seconds an address has to answer in full.
ANSWER_S = 60
CHUNK = 65_536
#: The date library builds a tree of the whole page; larger pages are not given to it.
MAX_LIBRARY_BYTES = 3_000_000
#: A day in the address of a picture is the picture's.
PICTURE_ADDRESS = re.compile(r"""[^\s"'<>=(]+\.(?:jpe?g|png|gif|webp|avif|svg)\b[^\s"'<>)]*""", re.IGNORECASE)
LIBRARY_MISSING = "the date library is not installed; it comes with the extra `ingest` (pip install htmldate)"
MAX_PARAPHRASE_WORDS = 22
SOURCE_KINDS = ("origin", "wire", "relay", "syndication", "statement")
KIND_OF_ROLE = {"report": "origin", "denial": "statement", "relay": "relay", "other": "relay"}
CONFIDENCES = ("high", "medium", "low")
ID_PATTERN = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")
ROLE_LETTERS = {"report": "R", "denial": "D", "relay": "L", "other": "O"}
HASH_IN_NOTES = re.compile(r"Text sha256 ([0-9a-f]{64})")


@dataclass(frozen=True)
class Examined:
    """A page with everything read from it."""

    page: SavedPage
    proposal: Proposal
    fingerprint: Fingerprint
    listings: tuple[Listing, ...]
    outlet: str
    address: str
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class ArticleRequest:
    """What the analyst says about an article; empty fields are filled from the page or by rule."""

    story: str
    role: str
    interval: Interval
    outlet: str = ""
    paraphrase: str = ""
    article_id: str = ""
    source_kind: str = ""
    confidence: str = ""
    keeps_role: bool = False


@dataclass(frozen=True)
class Added:
    """The row that was written, or the one that was there already."""

    article_id: str
    row: dict[str, str]
    story: Story
    is_new: bool
    remarks: tuple[str, ...]


def read_source(where: str, limit: int) -> bytes:
    """The bytes of a file or of an address of the web, at most one more than ``limit``.

    Raises
    ------
    DataError
        If it cannot be read, is no plain file, or does not come within :data:`ANSWER_S`.
    """
    if re.match(r"https?://", where):
        return _read_address(where, limit)
    path = Path(where).expanduser()
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is no plain file.", "Name a saved page, a feed or a text file.")
        with path.open("rb") as handle:
            return handle.read(limit + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", "Name a saved page or a text file.") from error


def _read_address(address: str, limit: int) -> bytes:
    deadline, content = time.monotonic() + ANSWER_S, bytearray()
    request = urllib.request.Request(address, headers={"User-Agent": f"event-impact/{VERSION}"})
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S / 2) as answer:
            while len(content) <= limit and (part := answer.read1(CHUNK)):
                content += part
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no whole answer within {ANSWER_S} s")
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise DataError(f"{address} cannot be read ({error}).", "Try again later, or save the page.") from error
    return bytes(content[: limit + 1])


def ask_library(page: SavedPage, saved_at: datetime) -> tuple[date | None, str]:
    """The day that htmldate reads in a page, with a remark when it was not asked."""
    if not page.is_html or page.filing:
        return None, ""
    if len(page.source) > MAX_LIBRARY_BYTES:
        return None, "the page is too large for the date library, which was not asked"
    try:
        from htmldate import find_date

        source, last = PICTURE_ADDRESS.sub("", page.source), f"{saved_at:%Y-%m-%d}"
        found = find_date(source, original_date=True, extensive_search=False, max_date=last)
        return (date.fromisoformat(found) if found else None), ""
    except ImportError:
        return None, LIBRARY_MISSING
    except Exception as error:  # a broken page may break the library in many ways; the other evidence stands
        return None, f"the date library failed on this page ({type(error).__name__})"


def examine_page(content: bytes, *, name: str, encoding: str = "", **reading: Any) -> Examined:
    """Read a saved page and weigh its evidence, with the options of :func:`weigh_page`.

    Raises
    ------
    ConfigError, DataError
        As :func:`weigh_page`; also for an unknown encoding, or a page that cannot be read.
    """
    _check_words_of_reading(reading.get("address", ""), reading.get("zone", ""))  # before a long page is read
    return weigh_page(read_page(content, name=name, encoding=encoding), **reading)


def _check_words_of_reading(address: str, zone: str) -> None:
    if zone:
        load_zone(zone)
    if address and not (re.match(r"https?://", address) and is_sound_address(address)):
        raise ConfigError(f"--url {address!r} is no address.", "It begins with https:// or http://.")


def weigh_page(
    page: SavedPage, *, saved_at: datetime, address: str = "", zone: str = "", zone_basis: str = "inferred",
    anchor: date | None = None, home: str = "",
) -> Examined:  # fmt: skip
    """Weigh the evidence of a page that was taken apart.

    Parameters
    ----------
    saved_at : datetime.datetime
        When the copy was saved; later dates cannot be its own.
    zone : str
        IANA zone for stamps that print none.
    anchor : datetime.date, optional
        The day from which *yesterday* or *Monday* is counted.
    home : str
        Zone of the story's exchange, which settles what a printed name of several zones means.

    Returns
    -------
    Examined
        The page, its evidence and what it proposes.

    Raises
    ------
    ConfigError
        For an unknown zone or an address that is none.
    DataError
        If the page is dated in the future.
    """
    _check_words_of_reading(address, zone)
    day, remark = ask_library(page, saved_at)
    where = address or page.address
    evidence = gather_evidence(
        page, address=where, zone=zone, zone_basis=zone_basis, library_day=day, home=home, saved_at=saved_at
    )
    evidence = add_relative_days(evidence, page, anchor=anchor, zone=zone)
    remarks = [remark, "the text is very long; only its first part was searched" * page.is_truncated]
    if page.broken_linked_data:
        remarks.append(f"{page.broken_linked_data} block(s) of JSON-LD are damaged and were not read")
    return Examined(
        page, propose(evidence), fingerprints.fingerprint_text(page.main_text), find_listings(page.text), find_outlet(page, where),
        where if re.match(r"https?://", where) else "", tuple(filter(None, remarks)),
    )  # fmt: skip


def find_outlet(page: SavedPage, address: str) -> str:
    """Who published: the site's own name, the publisher of its metadata, or the host of its address."""
    names = ("og:site_name", "application-name", "dc.publisher", "citation_publisher")
    name = next((value for name in names for key, value in page.meta if key == name and value), "")
    if name and not csv_tables.is_executable(name):
        return name[:60]
    for thing in page.linked_data:
        publisher = thing.get("publisher")
        publisher = publisher[0] if isinstance(publisher, list) and publisher else publisher
        if isinstance(publisher, dict) and (name := str(publisher.get("name", "")).strip()):
            return name[:60]
    return (urlsplit(address).hostname or "").removeprefix("www.")


def check_paraphrase(paraphrase: str, text: str) -> None:
    """Refuse a paraphrase that is long, quotes, or takes a run of words from the page.

    Raises
    ------
    ConfigError
        Naming the run.
    """
    if (count := len(paraphrase.split())) > MAX_PARAPHRASE_WORDS or len(paraphrase) > 200:
        raise ConfigError(f"the paraphrase has {count} words; at most {MAX_PARAPHRASE_WORDS} are kept.", "Shorten it.")
    if re.search(r"[\"“”«»「」]", paraphrase):
        raise ConfigError("the paraphrase holds quotation marks.", "Say it in your own words.")
    if run := fingerprints.find_copied_run(paraphrase, text):
        said = f"the paraphrase repeats {fingerprints.COPIED_WORDS} or more consecutive words of the page ({run})."
        raise ConfigError(said, "Say it in your own words; no text of an article is kept.")


def rate_confidence(proposal: Proposal, interval: Interval) -> str:
    """Trust in the time: high from machine-readable marks with a zone, low where a bound is assumed."""
    if proposal.chosen is None or "assumed" in (interval.earliest_basis, interval.latest_basis):
        return "low"
    rank, stamp = proposal.basis.rank, proposal.stamp
    is_marked = rank in (STRUCTURED, TIME_ELEMENT) and stamp is not None and bool(stamp.zone)
    return "low" if rank == MENTION else "high" if is_marked else "medium"


def add_article(data: Path, examined: Examined, request: ArticleRequest) -> Added:
    """Write an article into the registry, if the whole registry stays sound with it.

    A text that repeats an article of the same story becomes a relay. The same text from the same place is not
    written twice.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the tables.
    examined : Examined
        The page.
    request : ArticleRequest
        What the analyst says about it.

    Returns
    -------
    Added
        The row as written, and what is to be said of it.

    Raises
    ------
    ConfigError
        For an unknown story, an id in use, or a paraphrase that copies.
    DataError
        If the row contradicts the story, or the tables cannot be written.
    AlignmentError
        If its time lies outside what the calendars know.
    """
    check_paraphrase(request.paraphrase, examined.page.text)
    parse_choice("--role", request.role, tuple(ROLE_LETTERS))
    parse_choice("--source-kind", request.source_kind, ("", *SOURCE_KINDS))
    parse_choice("--confidence", request.confidence, ("", *CONFIDENCES))
    if request.article_id and not ID_PATTERN.fullmatch(request.article_id):
        raise ConfigError(f"--id: {request.article_id!r} is no id.", "Use letters, digits and hyphens.")
    with csv_tables.locked(data):
        stories = csv_tables.read_table(data / "stories.csv", STORY_COLUMNS)
        articles = csv_tables.read_table(data / "articles.csv", ARTICLE_COLUMNS)
        own = find_story(request.story, build_stories(stories, articles))
        stored = fingerprints.load_fingerprints(data)
        copy = fingerprints.find_copy(examined.fingerprint, _known_fingerprints(stored, articles))
        first: dict[Any, str] = (
            articles.set_index("article_id", drop=False).loc[copy.article_id].to_dict() if copy else {}
        )
        if copy and _is_same_place(first, copy, request, examined.address):
            return Added(copy.article_id, first, own, False, ("this page is recorded already",))
        row, remarks = _compose(examined, request, articles, copy, first)
        content = csv_tables.append_rows((data / "articles.csv").read_bytes(), [row], name="articles.csv")
        table = csv_tables.parse_table(content, ARTICLE_COLUMNS, name="articles.csv")
        story = build_stories(stories, table)[request.story]
        if not story.is_draft:
            align_story(story)
        held_prints = {name: entry for name, entry in stored.items() if name in set(articles["article_id"])}
        rows = [entry.as_row(name) for name, entry in (held_prints | {row["article_id"]: examined.fingerprint}).items()]
        header = csv_tables.start_table(fingerprints.FINGERPRINT_COLUMNS)
        prints = csv_tables.append_rows(header, rows, name="fingerprints.csv")
        csv_tables.replace_tables({data / "fingerprints.csv": prints, data / "articles.csv": content})
    return Added(row["article_id"], row, story, True, remarks)


def _known_fingerprints(stored: dict[str, Fingerprint], articles: pd.DataFrame) -> dict[str, Fingerprint]:
    """Fingerprints of articles that are still registered; hashes in their notes stand in for lost ones."""
    known: dict[str, Fingerprint] = {}
    for article_id, notes in zip(articles["article_id"], articles["notes"], strict=True):
        if match := HASH_IN_NOTES.search(notes):
            entry, bare = stored.get(article_id), Fingerprint(match[1], 0, ())
            known[article_id] = entry if entry and entry.text_sha256 == match[1] else bare
    return known


def _is_same_place(first: dict[str, str], copy: Copy, request: ArticleRequest, url: str) -> bool:
    """Whether a row is of the same text at the same address, or without one at the same time."""
    bounds = (format_instant(request.interval.earliest), format_instant(request.interval.latest))
    is_there = url == first["url"] if url else bounds == (first["published_earliest"], first["published_latest"])
    is_own = first["story"] == request.story and (first["role"] == request.role or request.keeps_role)
    return copy.is_identical and is_own and is_there


def _compose(
    examined: Examined, request: ArticleRequest, articles: pd.DataFrame, copy: Copy | None, first: dict[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The row of an article, ``first`` being that of the article of which it is a copy; and what is to be said."""
    remarks: list[str] = []
    role, kind = request.role, request.source_kind or KIND_OF_ROLE[request.role]
    if copy is not None:
        share = "the same text as" if copy.is_identical else f"{copy.share:.0%} of its runs of words stand in"
        remarks.append(f"a copy: {share} {copy.article_id} (story {first['story']})")
        if first["story"] == request.story and not request.keeps_role:
            if {first["role"], role} == {"report", "denial"}:
                raise DataError(
                    f"{examined.page.name} repeats {copy.article_id}, a {first['role']}, and is to be a {role}: one of them is no "
                    "such thing, or both pages hold little but the same surroundings.",
                    "Look at the pages; then save the text alone, or say --role relay, or --keep-role.",
                )
            kind = "syndication"
            if role != "relay":
                remarks.append(f"entered as a relay, not as a {role}: a copy bounds its original and is no second one")
                role = "relay"
    if not (outlet := csv_tables.clean_cell(request.outlet or examined.outlet)[:60]):
        raise ConfigError("the page does not name its outlet.", "Give it with --outlet.")
    article_id = request.article_id or choose_id(request.story, role, articles)
    if article_id in set(articles["article_id"]):
        raise ConfigError(f"the article id {article_id} is in use.", "Choose another with --id.")
    stamp, proposal, interval = examined.proposal.stamp, examined.proposal, request.interval
    row = {
        "story": request.story, "article_id": article_id, "role": role, "source_kind": kind, "outlet": outlet,
        "published_earliest": format_instant(interval.earliest), "published_latest": format_instant(interval.latest),
        "earliest_basis": interval.earliest_basis, "latest_basis": interval.latest_basis,
        "time_as_printed": csv_tables.clean_cell(proposal.printed) if proposal.chosen is not None else "none",
        "zone": proposal.zone, "zone_basis": stamp.zone_basis if stamp else "unstated",
        "precision": stamp.precision if stamp else "day", "url": examined.address, "paraphrase": request.paraphrase,
        "confidence": request.confidence or rate_confidence(proposal, interval), "notes": _note(examined, copy),
    }  # fmt: skip
    return row, tuple(remarks)


def _note(examined: Examined, copy: Copy | None) -> str:
    """Where the time comes from, what the page names, and the hash of its text."""
    proposal = examined.proposal
    names = ", ".join(f"{ticker} ({exchange})" if exchange else ticker for ticker, exchange in examined.listings)
    time = proposal.reason if proposal.chosen is not None else "bounds given by hand."
    named, copied = f" Listings named: {names}." * bool(names), f" Copy of {copy.article_id}." if copy else ""
    return f"Time: {time}{named}{copied} Text sha256 {examined.fingerprint.text_sha256}."


def choose_id(story: str, role: str, articles: pd.DataFrame) -> str:
    """The next free id: the prefix of the story's other articles, else its initials, and the role's letter."""
    taken = set(articles["article_id"])
    own = articles["article_id"][articles["story"] == story]
    prefixes = {i.rsplit("-", 1)[0] for i in own if "-" in i}
    others = {i.rsplit("-", 1)[0] for i in taken - set(own)}
    initials = "".join(word if word.isdigit() else word[0].upper() for word in story.split("-"))
    prefix = prefixes.pop() if len(prefixes) == 1 else initials if initials not in others else story.upper()
    names = (f"{prefix}-{ROLE_LETTERS[role]}{number}" for number in itertools.count(1))
    return next(name for name in names if name not in taken)
