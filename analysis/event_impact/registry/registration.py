"""Registering a story, and whether recorded prices can serve it."""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from event_impact.base.config import TICKER_PATTERN, StudyConfig, check_value, parse_choice, parse_story
from event_impact.base.csv_tables import Tables, append_rows, locked, parse_table, read_table, replace_tables
from event_impact.base.errors import ConfigError, DataError
from event_impact.base.root import SHIPPED, holds_study
from event_impact.events.articles import ARTICLE_COLUMNS, DENIED, STATES, STORY_COLUMNS, Story, build_stories
from event_impact.events.calendars import load_hours, resolve_alias
from event_impact.events.peer_lists import PEER_COLUMNS
from event_impact.events.sessions import Alignment, align_story
from event_impact.market.checks import refuse_halt
from event_impact.market.snapshot import MANIFEST_COLUMNS, open_source
from event_impact.reading.tickers import AMERICAN, EXCHANGE_WORDS, resolve_exchange
from event_impact.registry.alignments import embedded_opens

MAX_TITLE_WORDS = 22
TO_FETCH = "to be fetched"
SMALL_WORDS = {
    "a", "about", "an", "and", "as", "at", "by", "for", "from", "in", "into", "is", "it", "its", "of", "on", "or", "over",
    "the", "their", "to", "with",
}  # fmt: skip


@dataclass(frozen=True)
class NewStory:
    """What the analyst says about a story."""

    story: str
    title: str
    ticker: str
    exchange: str
    benchmark: str
    other_tickers: tuple[str, ...] = ()
    counterparties: tuple[str, ...] = ()
    denied: str = "yes"
    state: str = "open"
    notes: str = ""


def parse_ticker(name: str, value: str) -> str:
    """A ticker as the price vendor writes it.

    Raises
    ------
    ConfigError
        If it is none.
    """
    is_ticker = TICKER_PATTERN.fullmatch(value) is not None
    check_value(is_ticker, name, "a ticker such as F, VOW3.DE or 1810.HK", value, "Use the price vendor's form.")
    return value


def known_exchanges(data: Path) -> dict[str, set[str]]:
    """The exchanges under which the study already knows each ticker, from stories and price files."""
    known: dict[str, set[str]] = {}
    for name, columns in (("stories.csv", STORY_COLUMNS), ("manifest.csv", MANIFEST_COLUMNS)):
        table = read_table(data / name, columns) if (data / name).exists() else {"ticker": (), "exchange": ()}
        for ticker, exchange in zip(table["ticker"], table["exchange"], strict=True):
            if ticker and exchange:
                known.setdefault(ticker, set()).add(exchange)
    return known


def check_new_id(data: Path, story: str) -> None:
    """Refuse a malformed id, or one in use.

    Raises
    ------
    ConfigError
        Naming it.
    """
    parse_story("story", story)
    if story in set(read_table(data / "stories.csv", STORY_COLUMNS)["story"]):
        raise ConfigError(f"the story id {story} is in use.", "Choose another, or add articles to that story.")


def check_title(title: str) -> None:
    """Refuse an empty, long or quoting title.

    Raises
    ------
    ConfigError
        Saying which.
    """
    words = len(title.split())
    if not 1 <= words <= MAX_TITLE_WORDS or re.search(r"[\"“”«»]", title):
        hint = f"Use 1 to {MAX_TITLE_WORDS} words of your own."
        raise ConfigError(f"the title has {words} words or holds quotation marks.", hint)


def check_new_story(data: Path, new: NewStory) -> NewStory:
    """The story with its exchange found, everything else checked; nothing is written.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the tables.
    new : NewStory
        What the analyst says about it.

    Returns
    -------
    NewStory

    Raises
    ------
    ConfigError
        For an id in use, a malformed ticker, an unknown exchange, a ticker of two exchanges.
    """
    check_new_id(data, new.story)
    named = [("ticker", new.ticker), ("benchmark", new.benchmark), *(("peers", t) for t in new.other_tickers)]
    for name, ticker in named:
        parse_ticker(name, ticker)
    if new.benchmark == new.ticker:
        raise ConfigError("the benchmark is the story's own ticker.", "Name a market index or fund.")
    if doubled := [t for t in new.other_tickers if t == new.ticker or new.other_tickers.count(t) > 1]:
        raise ConfigError(f"the ticker {doubled[0]} is named twice.", "Name each listing once.")
    check_title(new.title)
    if any(";" in name for name in new.counterparties):
        raise ConfigError("a counterparty holds a semicolon.", "Give the option once for each.")
    parse_choice("denied", new.denied, DENIED)
    parse_choice("state", new.state, STATES)
    known = known_exchanges(data)
    new = replace(new, exchange=find_exchange(data, new.ticker, new.exchange))
    for exchange in (new.exchange, *(resolve_peer(ticker, new, known) for ticker in new.other_tickers)):
        load_hours(exchange)
    return new


def register_story(data: Path, new: NewStory) -> Story:
    """Append a story to ``stories.csv``, if the registry stays sound with it.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the tables.
    new : NewStory
        What the analyst says about it.

    Returns
    -------
    Story
        As it now stands in the registry.

    Raises
    ------
    ConfigError, DataError
        As :func:`check_new_story`, or if the table cannot be written.
    """
    with locked(data):
        new = check_new_story(data, new)
        lists = {"other_tickers": ";".join(new.other_tickers), "counterparties": ";".join(new.counterparties)}
        row = asdict(new) | lists | {"embedded": "no"}
        path = data / "stories.csv"
        content = append_rows(path.read_bytes(), [row], name="stories.csv")
        table = parse_table(content, STORY_COLUMNS, name="stories.csv")
        built = build_stories(table, read_table(data / "articles.csv", ARTICLE_COLUMNS))
        replace_tables({path: content, **_with_peers(data, new)})
    return built[new.story]


def resolve_peer(ticker: str, new: NewStory, known: dict[str, set[str]]) -> str:
    """The exchange of a peer: by its ticker; a bare one keeps the story's calendar when that is American.

    Raises
    ------
    ConfigError
        If it cannot be told.
    """
    if "." not in ticker and new.exchange in AMERICAN and not known.get(ticker):
        return new.exchange
    return resolve_exchange(ticker, "", known)


def _with_peers(data: Path, new: NewStory) -> dict[Path, bytes]:
    """``peers.csv`` with the story's peers, those that the firm has already left as they are; empty without new ones."""
    path = data / "peers.csv"
    held = read_table(path, PEER_COLUMNS)
    there = set(held["peer"][held["ticker"] == new.ticker])
    known, notes = known_exchanges(data), f"Entered with the story {new.story}."
    common = {"ticker": new.ticker, "role": "peer", "notes": notes}
    peers = {ticker: resolve_peer(ticker, new, known) for ticker in new.other_tickers if ticker not in there}
    rows = [common | {"peer": ticker, "exchange": exchange} for ticker, exchange in peers.items()]
    return {path: append_rows(path.read_bytes(), rows, name=path.name)} if rows else {}


@contextlib.contextmanager
def rehearsal(data: Path) -> Iterator[Path]:
    """A passing copy of the tables: what fails there is never begun on the real ones."""
    with tempfile.TemporaryDirectory() as folder:
        for path in data.glob("*.csv"):
            shutil.copy(path, folder)
        yield Path(folder)


def tell_recorded(data: Path | Tables, *tickers: str) -> str:
    """Where prices of all these tickers lie: ``embedded``, ``recorded`` in a vintage, or else :data:`TO_FETCH`."""
    store = open_source("auto", data, tickers)
    if not all(map(store.holds, tickers)):
        return TO_FETCH
    return "embedded" if all(store.origin_of(ticker) == "snapshot" for ticker in tickers) else "recorded"


def suggest_id(data: Path, title: str) -> str | None:
    """An id made from the first telling words of a title; None where there is none, or it is in use."""
    words = [w for w in re.findall(r"[a-z0-9]+", title.lower()) if w not in SMALL_WORDS]
    with contextlib.suppress(ConfigError):
        check_new_id(data, found := "-".join(words[:4]))
        return found
    return None


def find_exchange(data: Path, ticker: str, exchange: str = "") -> str:
    """The calendar of a ticker: as asked for under any of its names, else by its ending or what is registered.

    Raises
    ------
    ConfigError
        If none or several fit, or the one asked for contradicts the ticker.
    """
    named = EXCHANGE_WORDS.get(exchange.upper(), exchange)
    return resolve_exchange(ticker, named if named in AMERICAN else resolve_alias(named), known_exchanges(data))


def find_benchmark(data: Path, exchange: str) -> str | None:
    """The benchmark that most registered stories of an exchange have, here or in what comes with the package."""
    kin = AMERICAN if exchange in AMERICAN else (exchange,)
    for folder in (data, *(path / "data" for path in SHIPPED if holds_study(path))):
        table = read_table(folder / "stories.csv", STORY_COLUMNS)
        counts = table.loc[table["exchange"].isin(kin), "benchmark"].value_counts()
        if len(counts):
            return str(counts.index[0])
    return None


def default_source(story: Story) -> str:
    """The ``source`` that nobody named: the snapshot where it was made for the story, else the freshest recording."""
    return "snapshot" if story.is_embedded else "auto"


def align_recorded(story: Story, data: Path, source: str = "snapshot") -> Alignment:
    """The alignment of a story, with opens counted as prices where they are recorded."""
    return align_story(story, opens=embedded_opens(story, data) if source in ("snapshot", "auto") else None)


def check_readiness(story: Story, alignment: Alignment, config: StudyConfig, data: Path) -> tuple[str, ...]:
    """Whether the recorded prices of the listing and its benchmark cover what the plan needs, in sentences.

    Missing or late prices refuse nothing: a plan may be frozen before its event. No return is computed.

    Parameters
    ----------
    story : Story
    alignment : Alignment
        Of that story.
    config : StudyConfig
        The parameters of the plan.
    data : pathlib.Path
        Folder of the tables.

    Returns
    -------
    Readiness

    Raises
    ------
    DataError
        If prices are recorded but unsound, or the event session lies before the first of them, or trading was
        halted on it.
    """
    session = alignment.event_session
    benchmark = config.benchmark or story.benchmark
    store = open_source(config.source, data, (story.ticker, benchmark))
    sentences = []
    for ticker in (story.ticker, benchmark):
        if store.origin_of(ticker) == "snapshot" and not store.holds(ticker):
            how = f"Fetch them (impact fetch {story.story}), or name your own with --source PATH."
            sentences.append(f"{ticker}: no prices are recorded. {how}")
            continue
        frame = store.load(ticker, story.exchange).frame
        first, last = frame.index[0], frame.index[-1]
        if session < first:
            said = (
                f"the event session {session.date()} lies before the first recorded price of {ticker}, {first.date()}."
            )
            hint = "If it was not listed yet, there is nothing to study; else record earlier prices (impact fetch)."
            raise DataError(said, hint)
        if session > last:
            sentences.append(f"{ticker}: prices end on {last.date()}, before the event session {session.date()}.")
            continue
        refuse_halt(frame, session, ticker)
        needed = config.estimation_sessions + config.gap_sessions
        held = int((frame.index < session).sum())
        enough = "enough" if held > needed else f"fewer than the {needed + 1} that the plan needs"
        sentences.append(f"{ticker}: {held} sessions before the event session, {enough}.")
    return tuple(sentences)
