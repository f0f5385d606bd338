"""What a download asks for: listings with their calendars, days, and the sessions that a study will need."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd

from event_impact.base.config import FETCH_HISTORY_DAYS, SETTLE_MINUTES, TICKER_PATTERN, StudyConfig
from event_impact.base.errors import ConfigError, DataError
from event_impact.events.articles import Story, load_stories
from event_impact.events.calendars import SessionHours
from event_impact.events.peer_lists import load_peers
from event_impact.events.sessions import Alignment, align_story
from event_impact.market.checks import Span
from event_impact.reading.tickers import AMERICAN, SUFFIXES

FIRST_PAUSE_S, LONGEST_PAUSE_S = 60.0, 600.0


@dataclass(frozen=True)
class FetchRequest:
    """Which listings, from when to when.

    Attributes
    ----------
    exchanges : dict of str to str or None
        Ticker -> calendar of its listing, None where none is known.
    optional : tuple of str
        Tickers whose failure leaves them out, with the reason, instead of failing the whole.
    firms : tuple of str
        Tickers whose earnings dates are asked for too; that they cannot be had is said and fails nothing.
    benchmarks : dict of str to str
        Firm -> the listing that its jumps are compared with.
    windows : dict of str to (first, last)
        Ticker -> sessions that a study needs, inside which a doubtful figure stops the download.
    bars : tuple of str
        Tickers whose bars of minutes are recorded too; that they cannot be had is said and fails nothing.
    end : datetime.date or None
        Last day wanted; None means up to the last closed session.
    """

    exchanges: dict[str, str | None]
    start: date
    end: date | None = None
    optional: tuple[str, ...] = ()
    firms: tuple[str, ...] = ()
    benchmarks: dict[str, str] = field(default_factory=dict)
    windows: dict[str, Span] = field(default_factory=dict)
    bars: tuple[str, ...] = ()
    accepts_revisions: bool = False
    accepts_suspicions: bool = False


def guess_exchange(ticker: str) -> str | None:
    """The calendar of a ticker by its suffix; an unknown one, or an index, has none unless a story names it."""
    if ticker.startswith("^") or "=" in ticker:
        return None
    return SUFFIXES.get(ticker.rsplit(".", 1)[1]) if "." in ticker else AMERICAN[0]


def span_needed(alignment: Alignment, config: StudyConfig) -> Span:
    """From the first estimation session of a story to the last of its windows and candidate sessions."""
    event, last = alignment.event_session, max(max(end for _, end in config.windows), alignment.hull[1])
    first = -config.gap_sessions - config.estimation_sessions
    return alignment.hours.offset(event, first), alignment.hours.offset(event, last)


def list_bar_tickers(story: Story) -> tuple[str, ...]:
    """The listings whose bars an open story needs; where it names no benchmark for them, it may do so later."""
    return (story.ticker, story.bar_benchmark or story.benchmark) if story.state == "open" else ()


def plan_fetch(
    names: tuple[str, ...], data: Path, *, today: date, start: date | None = None, end: date | None = None
) -> FetchRequest:
    """A request for stories and tickers; a story brings its listing, its benchmark and its other listings.

    Raises
    ------
    ConfigError
        If a name is neither a story nor a ticker, or the dates are in disorder.
    """
    if not names:
        raise ConfigError("nothing to fetch is named.", "Name a story or tickers, for example: impact fetch F SPY")
    stories = load_stories(data)
    asked = [stories[name] for name in names if name in stories]
    bare = [name for name in names if name not in stories]
    exchanges: dict[str, str | None] = {t: s.exchange for s in asked for t in (s.ticker, s.benchmark)}
    required = {*exchanges, *bare}
    for story in asked:
        entered = {peer.ticker: peer.exchange for peer in load_peers(story.ticker, data)}
        others = {ticker: entered.get(ticker) or guess_exchange(ticker) for ticker in story.other_tickers}
        exchanges = others | exchanges
    exchanges = {name: guess_exchange(name) for name in bare} | exchanges
    for ticker in exchanges:
        if not TICKER_PATTERN.fullmatch(ticker):
            raise ConfigError(f"{ticker!r} is neither a story nor a ticker.", "List the stories with: impact stories")
    spans = [(t, *span_needed(align_story(s), StudyConfig())) for s in asked for t in (s.ticker, s.benchmark)]
    windows = {t: (min(a for u, a, _ in spans if u == t), max(b for u, _, b in spans if u == t)) for t, _, _ in spans}
    opening = min((a.published_earliest.date() for story in asked for a in story.articles), default=None)
    final = end or today
    begin = start or (opening or final) - timedelta(days=FETCH_HISTORY_DAYS)
    if begin >= final:
        raise ConfigError(f"--start {begin} is not before --end {final}.", "Give an earlier start.")
    return FetchRequest(
        exchanges, begin, end, optional=tuple(ticker for ticker in exchanges if ticker not in required),
        firms=tuple(dict.fromkeys(story.ticker for story in asked)),
        benchmarks={story.ticker: story.benchmark for story in asked}, windows=windows,
        bars=tuple(dict.fromkeys(ticker for story in asked for ticker in list_bar_tickers(story))),
    )  # fmt: skip


def list_pauses(wait_s: float) -> Iterator[float]:
    """Seconds between deferred requests: doubled each time, until all that one is willing to wait is over."""
    pause = FIRST_PAUSE_S
    while wait_s > 0:
        yield (pause := min(pause, wait_s))
        wait_s, pause = wait_s - pause, min(2 * pause, LONGEST_PAUSE_S)


def last_closed(hours: SessionHours, at: datetime) -> pd.Timestamp:
    """The last session whose close lies at least :data:`SETTLE_MINUTES` before an instant; a provider needs that long.

    Parameters
    ----------
    hours : SessionHours
        Calendar of the listing.
    at : datetime.datetime
        With its zone.

    Returns
    -------
    pandas.Timestamp
        The session.

    Raises
    ------
    DataError
        If none has closed by then.
    """
    limit = pd.Timestamp(at).tz_convert("UTC") - pd.Timedelta(minutes=SETTLE_MINUTES)
    position = int(hours.schedule["close"].searchsorted(limit, side="right"))
    if position == 0:
        raise DataError(f"no session of {hours.exchange} has closed by {at}.", "Check the clock of this machine.")
    return hours.sessions[position - 1]
