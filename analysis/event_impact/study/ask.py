"""One question about one share: its story is made from a ticker and an instant, and never written to ``data/``."""

import contextlib
import dataclasses
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from event_impact.base.clock import format_instant, read_instant
from event_impact.base.config import StudyConfig
from event_impact.base.csv_tables import Tables, append_rows
from event_impact.base.errors import ConfigError, DataError
from event_impact.base.root import StudyRoot, find_root
from event_impact.events.articles import Article, Story, load_stories
from event_impact.events.calendars import load_hours
from event_impact.events.sessions import align_story
from event_impact.market.checks import rename_columns
from event_impact.market.snapshot import GIVEN, PriceStore, open_source, read_frame
from event_impact.registry.registration import find_benchmark, find_exchange, parse_ticker
from event_impact.study.study import Study

Instant = str | datetime
Prices = pd.DataFrame | pd.Series | str | Path
LACK_HINT = "Name a file that holds them with --prices, or leave --offline out."
#: Basis of bounds that are taken as they were given.
STATED = "stated"


@dataclass(frozen=True)
class Listing:
    """A share with its calendar and what explains an ordinary day of it."""

    ticker: str
    exchange: str
    benchmark: str


def ask(
    prices: Prices, at: Instant | tuple[Instant, Instant], *, ticker: str = "", benchmark: str = "",
    exchange: str = "", root: str | Path | None = None, **parameters: Any,
) -> Study:  # fmt: skip
    """Whether a share moved abnormally at news of one instant, without a registry of stories.

    Parameters
    ----------
    prices : DataFrame, Series, path or str
        Daily prices: a frame or file with the columns date and close and, where there are any, ticker, open, high,
        low, volume, dividend, under these names or a vendor's (what ``yfinance.download`` gives, for one); a series of
        closes; or a ticker whose prices are recorded.
    at : str or datetime, or a pair of them
        When the news became public, with its zone, to the minute; of a pair, not before the first and before the
        second.
    ticker : str, optional
        What the share is called; found from ``prices`` where they name one.
    benchmark : str, optional
        Ticker of what explains an ordinary day: the usual one of the exchange when left out. Its prices are taken
        from ``prices``, else from what is recorded.
    exchange : str, optional
        Market identifier of the calendar; found from the ticker when left out.
    root : str or Path, optional
        Folder of a study; found from the working directory when left out.
    **parameters
        As :class:`StudyConfig` names them.

    Returns
    -------
    Study
        With all its nouns: ``alignment``, ``estimates``, ``verdict``, ...

    Raises
    ------
    ConfigError
        If the instant names no zone, or ticker, exchange or benchmark cannot be told.
    DataError
        If the prices cannot serve it.

    Examples
    --------
    >>> from event_impact import Study, ask
    >>> closes = Study().returns.prices["close"].rename("F")
    >>> found = ask(closes, "2026-01-31T18:28Z")
    >>> found.alignment.event_session.date().isoformat()
    '2026-02-02'
    >>> found.verdict.outcome
    'no_detectable_effect'
    """
    desk = find_root(root)
    tables, prices = Tables(desk.data), read_prices(prices)
    listing = find_listing(ticker or _name_share(prices), tables, exchange=exchange, benchmark=benchmark)
    bounds = at if isinstance(at, (tuple, list)) else (at,)
    if len(bounds) > 2:
        raise ConfigError(f"{len(bounds)} instants are given.", "Give one, or the two that the news lies between.")
    store = open_prices(prices, listing, tables)
    return pose(make_story(listing, read_bounds(*bounds), tables), store, desk, parameters)


def read_prices(prices: Prices) -> pd.DataFrame | str | Path:
    """Prices at hand or in a file under our names of columns; a ticker, and a folder, as they are.

    Raises
    ------
    ConfigError
        If they are of a kind that holds no prices.
    DataError
        If a file or its columns cannot be read.
    """
    if isinstance(prices, pd.Series):
        named = {} if prices.name is None else {"ticker": str(prices.name)}
        prices = prices.rename("close").to_frame().assign(**named)
    if isinstance(prices, pd.DataFrame):
        if prices.columns.nlevels == 2:  # yfinance: prices of several tickers beside each other
            prices = prices.stack(level=prices.columns.names[1], future_stack=True).reset_index()
        elif prices.index.nlevels > 1:
            prices = prices.reset_index()
        elif not (pd.api.types.is_numeric_dtype(prices.index) or "date" in prices.columns):
            prices = prices.rename_axis("date").reset_index()
        return rename_columns(prices, GIVEN)
    if not isinstance(prices, (str, Path)):
        hint = "Give a frame, a series of closes, a file, or a ticker."
        raise ConfigError(f"prices: a {type(prices).__name__} holds none.", hint)
    path = Path(prices).expanduser()
    return rename_columns(read_frame(path, path.read_bytes()), path.name) if path.is_file() else prices


def _name_share(prices: pd.DataFrame | str | Path) -> str:
    """What prices call their share: the one ticker of a frame, or themselves."""
    if isinstance(prices, (str, Path)):
        return str(prices)
    held = list(prices["ticker"].unique()) if "ticker" in prices.columns else []
    if len(held) != 1:
        raise ConfigError(f"the prices are of {len(held)} tickers.", "Name the share: ticker=...")
    return str(held[0])


def find_listing(ticker: str, tables: Tables, *, exchange: str = "", benchmark: str = "") -> Listing:
    """The share, its calendar by its ticker, its benchmark by its exchange, where these are not named.

    Raises
    ------
    ConfigError
        If one of them cannot be told.
    """
    parse_ticker("ticker", ticker)
    calendar = load_hours(find_exchange(tables.folder, ticker, exchange)).exchange
    usual = benchmark or find_benchmark(tables.folder, calendar)
    if not usual or usual == ticker:
        why = "is the usual benchmark itself" if usual else f"trades on {calendar}, for which none is usual"
        raise ConfigError(f"no benchmark is named, and {ticker} {why}.", "Name one with --benchmark.")
    return Listing(ticker, calendar, parse_ticker("benchmark", usual))


def read_bounds(first: Instant, last: Instant | None = None) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Bounds of a publication in UTC: ``[t, t + 1 min)`` of one instant, ``[first, last)`` of two.

    Raises
    ------
    ConfigError
        If an instant is malformed or names no zone, or the two are in disorder.
    """
    found = [pd.Timestamp(read_instant(given)) for given in ((first,) if last is None else (first, last))]
    end = found[-1] if last is not None else found[0] + pd.Timedelta(seconds=1 if found[0].second else 60)
    if found[0] >= end:
        raise ConfigError(f"{first} does not lie before {last}.", "Exchange them.")
    return found[0], end


def make_story(listing: Listing, bounds: tuple[pd.Timestamp, pd.Timestamp], tables: Tables, **known: str) -> Story:
    """A story of one report; ``known`` are fields of its article that a page proved."""
    identity = "|".join((listing.ticker, listing.exchange, listing.benchmark, *map(str, bounds)))
    name = re.sub(r"[^a-z0-9]+", "-", listing.ticker.lower()).strip("-")
    name = f"ask-{name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    kin = [story for story in load_stories(tables).values() if story.ticker == listing.ticker]
    words = {
        "source_kind": "origin", "outlet": "", "earliest_basis": STATED, "latest_basis": STATED, "time_as_printed": "none",
        "zone": "UTC", "zone_basis": "unstated", "precision": "minute", "url": "", "paraphrase": "", "confidence": "low",
        "notes": "As asked.",
    }  # fmt: skip
    article = Article(
        story=name, article_id=f"{name}-R1", role="report", published_earliest=bounds[0], published_latest=bounds[1],
        **words | known,
    )  # fmt: skip
    return Story(
        story=name, title=f"news of {bounds[0].day} {bounds[0]:%B %Y, %H:%M} UTC", **dataclasses.asdict(listing),
        other_tickers=(), counterparties=(), denied="no", tier="asked", is_embedded=False, state="closed", notes="As asked.",
        articles=(article,), firm=kin[0].firm if kin else "",
    )  # fmt: skip


def open_prices(prices: pd.DataFrame | str | Path, listing: Listing, tables: Tables) -> PriceStore:
    """Prices at hand, of a folder or recorded; a benchmark that they lack is lent by what is recorded.

    Raises
    ------
    DataError
        If a path leads nowhere, or the benchmark is recorded nowhere.
    """
    recorded = open_source("auto", tables, (listing.ticker, listing.benchmark))
    if isinstance(prices, pd.DataFrame):
        named = prices if "ticker" in prices.columns else prices.assign(ticker=listing.ticker)
        store = PriceStore.of_frame(named, tables)
    else:
        path = Path(prices).expanduser()
        if isinstance(prices, str) and path.suffix.lower() not in (".csv", ".parquet") and not path.exists():
            return recorded
        store = PriceStore(str(path), tables)
    if not store.holds(listing.benchmark):
        store.lend(listing.benchmark, listing.exchange, recorded)
    return store


def tell_lack(store: PriceStore, story: Story, *, needs_event: bool = True) -> str:
    """What prices of a story's listing and benchmark lack, of its event session too; empty where nothing."""
    pair, event = (story.ticker, story.benchmark), align_story(story).event_session
    if missing := [ticker for ticker in pair if not store.holds(ticker)]:
        return f"no prices of {' and '.join(missing)} are to be had here."
    last = min(store.load(ticker, story.exchange).frame.index[-1] for ticker in pair)
    ends = f"the prices end on {last.date()}, and the news can first be priced on {event.date()}."
    return ends if needs_event and last < event else ""


def pose(story: Story, store: PriceStore, root: StudyRoot, parameters: dict[str, Any]) -> Study:
    """The study of an asked story.

    Raises
    ------
    ConfigError
        If a parameter is wrong, or is one that a question takes in another way.
    DataError
        If the prices cannot serve it.
    """
    if taken := sorted({"story", "source", "prices", "root"} & parameters.keys()):
        hint = "The share, the instant and the prices make its story."
        raise ConfigError(f"{taken[0]} is no parameter of a question.", hint)
    if lack := tell_lack(store, story):
        raise DataError(lack, LACK_HINT)
    return Study(story, root=root.path, prices=store, **parameters)


def imagine_next_session(
    listing: Listing, store: PriceStore, tables: Tables, root: StudyRoot, parameters: dict[str, Any]
) -> Study:
    """A study of the session after the last recorded one, for what it could show: ``mde_rule`` of its rows.

    That session is entered with unchanged prices, so that forecast and variance are those of an ordinary next day;
    its own return means nothing.
    """
    hours = load_hours(listing.exchange)
    frames = {t: store.load(t, listing.exchange).frame for t in (listing.ticker, listing.benchmark)}
    last = min(frame.index[-1] for frame in frames.values())
    session = hours.offset(last, 1)
    made = []
    for ticker, frame in frames.items():
        close = frame.loc[last, "close"]
        day = frame.loc[[last]].set_axis([session]).assign(open=close, high=close, low=close, dividend=0.0)
        made.append(pd.concat([frame.loc[:last], day]).rename_axis("date").reset_index().assign(ticker=ticker))
    story = make_story(listing, read_bounds(hours.close_at(last)), tables)
    store = PriceStore.of_frame(pd.concat(made), tables)
    return pose(story, store, root, {"windows": "0:0", "runup": "0:0"} | parameters | {"as_of": session.date()})


@contextlib.contextmanager
def lend_study(study: Study) -> Iterator[tuple[StudyRoot, StudyConfig]]:
    """A passing copy of the study's folder whose tables hold the asked story, and the parameters to read it by."""
    story, origin, store = study.story, study.root, study.opened.store
    with tempfile.TemporaryDirectory() as folder:
        lent = StudyRoot(Path(folder))
        lent.data.mkdir()
        lent.notebooks.symlink_to(origin.notebooks)
        for path in origin.data.iterdir():
            if path.is_dir():
                (lent.data / path.name).symlink_to(path)
            elif path.suffix == ".csv":
                shutil.copy(path, lent.data)
        fields = {f.name: getattr(story, f.name) for f in dataclasses.fields(story)}
        del fields["articles"], fields["is_embedded"]
        row = {name: ";".join(v) if isinstance(v, tuple) else str(v or "") for name, v in fields.items()}
        row["embedded"] = "no"
        ends = ("published_earliest", "published_latest")
        articles = [dataclasses.asdict(a) | {e: format_instant(getattr(a, e)) for e in ends} for a in story.articles]
        for path, rows in ((lent.data / "stories.csv", [row]), (lent.data / "articles.csv", articles)):
            path.write_bytes(append_rows(path.read_bytes(), rows, name=path.name))
        source = store.source
        if source != "auto" or store.data != origin.data:
            source = str(lent.path / "prices")
            Path(source).mkdir()
            for ticker in (story.ticker, study.opened.benchmark):
                frame = store.load(ticker, story.exchange).frame.rename_axis("date").reset_index()
                frame.assign(ticker=ticker).to_csv(Path(source) / f"{ticker}.csv", index=False)
        yield lent, study.config.replace(source=source)
