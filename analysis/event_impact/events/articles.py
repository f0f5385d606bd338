"""Stories and their articles, read from the hand-curated tables and checked row by row.

An article is never a point in time: it carries the half-open interval
``[published_earliest, published_latest)`` in UTC within which it became public.
"""

import contextlib
import dataclasses
import itertools
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from event_impact.base.csv_tables import Tables, check_row, check_unique, check_words, open_tables
from event_impact.base.errors import ConfigError, DataError, did_you_mean

STORY_COLUMNS = (
    "story", "title", "ticker", "exchange", "benchmark", "other_tickers", "counterparties",
    "denied", "tier", "embedded", "state", "notes",
)  # fmt: skip
ROLES = ("report", "denial", "relay", "other")
PRECISIONS = ("second", "minute", "hour", "day")
DENIED = ("yes", "no", "partial")
STATES = ("open", "closed")
DECODED_EARLIEST = (
    "a clock decoded from an identifier is an upper bound only, unless the identifier was issued with the statement "
    "itself and bounds it from above as well"
)
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


@dataclass(frozen=True)
class Article:
    """One published text, with the bounds of when it became public.

    Attributes
    ----------
    story : str
        Id of its story.
    article_id : str
        Its own id.
    role : str
        ``report``, ``denial``, ``relay`` or ``other``; reports and denials define the event, relays bound them.
    source_kind : str
        ``origin``, ``wire``, ``relay``, ``syndication`` or ``statement``.
    outlet : str
        Who published it.
    published_earliest, published_latest : pandas.Timestamp
        In UTC; it became public at or after the first and before the second.
    earliest_basis, latest_basis : str
        What each bound rests on; ``assumed`` where nothing but judgement.
    time_as_printed, zone, zone_basis, precision : str
        The clock that the page prints, the zone it is read in and why, and how fine it is.
    url, paraphrase, confidence, notes : str
        Where it is, what it says in our words, how sure its bounds are, anything else.
    """

    story: str
    article_id: str
    role: str
    source_kind: str
    outlet: str
    published_earliest: pd.Timestamp
    published_latest: pd.Timestamp
    earliest_basis: str
    latest_basis: str
    time_as_printed: str
    zone: str
    zone_basis: str
    precision: str
    url: str
    paraphrase: str
    confidence: str
    notes: str

    @property
    def last_instant(self) -> pd.Timestamp:
        """The last instant inside the half-open interval."""
        return self.published_latest - pd.Timedelta(nanoseconds=1)

    def _repr_html_(self) -> str:
        return _show_articles((self,))


ARTICLE_COLUMNS = tuple(field.name for field in dataclasses.fields(Article))


@dataclass(frozen=True)
class Story:
    """A chain of articles about one matter, and the one listing used for inference.

    Attributes
    ----------
    story : str
        Its id.
    title : str
        One line.
    ticker, exchange : str
        The one listing that is used for inference, and the market identifier of its exchange.
    benchmark : str
        Ticker of what explains an ordinary session.
    other_tickers, counterparties : tuple of str
        Other listings of the firm; other firms of the story.
    denied : str
        ``yes``, ``no`` or ``partial``.
    tier, notes : str
        How well it is sourced; anything else.
    is_embedded : bool
        Whether its prices come with the study.
    state : str
        ``open`` or ``closed``; nightly runs serve the open ones.
    articles : tuple of Article
        In the order of the table.
    shares_outstanding : int or None
        All classes, counted before the event.
    shares_as_of, shares_source : str
        When, and by whom.
    """

    story: str
    title: str
    ticker: str
    exchange: str
    benchmark: str
    other_tickers: tuple[str, ...]
    counterparties: tuple[str, ...]
    denied: str
    tier: str
    is_embedded: bool
    state: str
    notes: str
    articles: tuple[Article, ...]
    shares_outstanding: int | None = None
    shares_as_of: str = ""
    shares_source: str = ""
    bar_benchmark: str = ""
    confounders_searched: str = ""
    firm: str = ""

    @property
    def firm_name(self) -> str:
        """What the firm is called in a sentence; its ticker where no name is recorded."""
        return self.firm or self.ticker

    @property
    def is_draft(self) -> bool:
        """Whether no report and no denial is recorded yet, so that nothing defines its event."""
        return not any(article.role in ("report", "denial") for article in self.articles)

    def with_role(self, role: str) -> tuple[Article, ...]:
        """The articles of one role, in the order of the table."""
        return tuple(article for article in self.articles if article.role == role)

    def _repr_html_(self) -> str:
        head = f"<p><b>{escape(self.title)}</b> ({escape(self.ticker)}, {escape(self.exchange)})</p>"
        return head + _show_articles(self.articles)


def _show_articles(articles: tuple[Article, ...]) -> str:
    """Articles as an HTML table: what, by whom, and between which instants."""
    rows = []
    for a in articles:
        bounds = ((a.published_earliest, a.earliest_basis), (a.published_latest, a.latest_basis))
        shown = (f"{at:%Y-%m-%d %H:%M}, {basis}" for at, basis in bounds)
        rows.append((a.article_id, a.role, a.outlet, *shown, a.paraphrase))
    heads = ["article", "role", "outlet", "not before (UTC)", "not after (UTC)", "what it says"]
    frame = pd.DataFrame(rows, columns=heads)
    with pd.option_context("display.max_colwidth", None):
        return frame.to_html(index=False)


def parse_instant(text: str, where: str) -> pd.Timestamp:
    """An instant written ``YYYY-MM-DDTHH:MM:SSZ``.

    Parameters
    ----------
    text : str
        As it stands in a table.
    where : str
        Table and row, for the refusal.

    Returns
    -------
    pandas.Timestamp
        In UTC.

    Raises
    ------
    DataError
        If it is written otherwise, or names no instant.
    """
    with contextlib.suppress(ValueError):
        if INSTANT.fullmatch(text):
            return pd.Timestamp(text)
    raise DataError(f"{where}: {text!r} is not an instant in UTC.", "Write YYYY-MM-DDTHH:MM:SSZ.")


def _build_article(row: Mapping[Hashable, str]) -> Article:
    where = f"articles.csv, {row['article_id'] or 'a row without article_id'}"
    earliest = parse_instant(row["published_earliest"], where)
    latest = parse_instant(row["published_latest"], where)
    check_row(bool(row["article_id"]), where, "article_id is empty")
    check_row(earliest < latest, where, f"published_earliest {earliest} is not before published_latest {latest}")
    is_issued = row["source_kind"] == "statement" and row["latest_basis"] == "decoded"
    check_row(row["earliest_basis"] != "decoded" or is_issued, where, DECODED_EARLIEST)
    check_words(row, where, role=ROLES, precision=PRECISIONS)
    url = row["url"]
    check_row(not url or url.startswith(("http://", "https://")), where, f"url {url!r} is no address")
    try:
        ZoneInfo(row["zone"] or "UTC")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise DataError(f"{where}: zone {row['zone']!r} is unknown.", "Use an IANA name.") from error
    fields: dict[str, Any] = {name: row[name] for name in ARTICLE_COLUMNS}
    return Article(**{**fields, "published_earliest": earliest, "published_latest": latest})


def _build_story(row: Mapping[Hashable, str], articles: tuple[Article, ...]) -> Story:
    where = f"stories.csv, {row['story'] or 'a row without story'}"
    check_words(row, where, denied=DENIED, state=STATES, embedded=("yes", "no"))
    check_row(bool(row["ticker"]) and ";" not in row["ticker"], where, "exactly one listing is used for inference")
    for denial, report in itertools.product(*([a for a in articles if a.role == r] for r in ("denial", "report"))):
        is_possible = denial.published_latest > report.published_earliest
        said = f"the denial ends before its report {report.article_id} begins"
        check_row(is_possible, f"articles.csv, {denial.article_id}", said)
    split = {name: tuple(filter(None, row[name].split(";"))) for name in ("other_tickers", "counterparties")}
    later = ("shares_as_of", "shares_source", "bar_benchmark", "confounders_searched", "firm")
    fields: dict[str, Any] = {name: row[name] for name in STORY_COLUMNS if name != "embedded"} | split
    shares = row.get("shares_outstanding", "")
    check_row(bool(re.fullmatch(r"([1-9][0-9]{3,14})?", shares)), where, f"{shares!r} counts no shares")
    read = {"is_embedded": row["embedded"] == "yes", "shares_outstanding": int(shares) if shares else None}
    return Story(**fields | {name: row.get(name, "") for name in later} | read, articles=articles)


def load_stories(data: Path | Tables, *, with_drafts: bool = False) -> dict[str, Story]:
    """All stories of ``stories.csv`` with their articles, checked.

    Parameters
    ----------
    with_drafts : bool
        Also those without a report or denial yet: registered, but with nothing that defines their event.

    Returns
    -------
    dict of str to Story
        By id, in the order of the table.

    Raises
    ------
    DataError
        For a malformed table, a duplicate id, an unknown zone, an impossible interval.
    """
    tables = open_tables(data)
    built = build_stories(tables.read("stories.csv", STORY_COLUMNS), tables.read("articles.csv", ARTICLE_COLUMNS))
    return {name: story for name, story in built.items() if with_drafts or not story.is_draft}


def build_stories(stories: pd.DataFrame, articles: pd.DataFrame) -> dict[str, Story]:
    """Every story of the two tables, drafts among them, checked row by row.

    Raises
    ------
    DataError
        As :func:`load_stories`.
    """
    check_unique(stories["story"], "stories.csv")
    check_unique(articles["article_id"], "articles.csv")
    orphans = sorted(set(articles["story"]) - set(stories["story"]))
    check_row(not orphans, "articles.csv", f"no story {', '.join(orphans)} in stories.csv")
    built: dict[str, list[Article]] = {}
    for row in articles.to_dict("records"):
        built.setdefault(row["story"], []).append(_build_article(row))
    return {row["story"]: _build_story(row, tuple(built.get(row["story"], ()))) for row in stories.to_dict("records")}


def find_story(story: str, stories: dict[str, Story]) -> Story:
    """One story by its id, a draft too.

    Raises
    ------
    ConfigError
        If no such story is registered.
    """
    if story not in stories:
        kin = [name for name in stories if name.split("-")[0] == story.split("-")[0]]
        near = did_you_mean(story, stories) or (f"Did you mean {' or '.join(kin[:3])}?" if kin else "")
        hint = f"{near} List the stories with: impact stories; register one with: impact story new"
        raise ConfigError(f"unknown story {story!r}.", hint.strip())
    return stories[story]


def load_story(story: str, data: Path | Tables) -> Story:
    """One story of the registry, with what defines its event.

    Parameters
    ----------
    story : str
        Its id.
    data : pathlib.Path
        Folder of the tables.

    Returns
    -------
    Story

    Raises
    ------
    ConfigError
        If no such story is registered.
    DataError
        If it has no report and no denial yet.
    """
    found = find_story(story, load_stories(data, with_drafts=True))
    if found.is_draft:
        said = f"story {story!r} has no report and no denial yet, so nothing defines its event."
        raise DataError(said, f"Add one with: impact article add FILE --story {story} --role report")
    return found
