"""From a request to a new vintage: ask, check, compare with what was recorded, write whole or not at all."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from event_impact import __version__
from event_impact.base.config import FETCH_HISTORY_DAYS, SETTLE_MINUTES, TICKER_PATTERN
from event_impact.base.disk import hold_lock
from event_impact.base.errors import ConfigError, DataError, RevisionError, StudyError
from event_impact.events.articles import load_stories
from event_impact.events.calendars import SessionHours, load_hours
from event_impact.events.peer_lists import load_peers
from event_impact.market.answers import Answer, DailyTable, parse_daily, parse_earnings, parse_intraday, to_bytes
from event_impact.market.providers.french import fetch_factors
from event_impact.market.providers.yahoo import INTRADAY_REACH
from event_impact.market.revisions import Comparison, compare_history, compare_snapshot
from event_impact.market.snapshot import PriceStore
from event_impact.market.vintages import FORMAT, Vintage, find_last, write_vintage
from event_impact.reading.tickers import AMERICAN, SUFFIXES


class Provider(Protocol):
    """Where prices come from."""

    name: str

    def fetch_daily(self, ticker: str, start: date, end: date) -> Answer:
        """Daily bars, both ends included."""

    def fetch_intraday(self, ticker: str, interval: str, at: datetime) -> Answer:
        """All bars of an interval that are still to be had."""

    def fetch_earnings(self, ticker: str) -> Answer:
        """Earnings announcements, past and expected."""


@dataclass(frozen=True)
class FetchRequest:
    """Which listings, from when to when.

    Attributes
    ----------
    exchanges : dict of str to str or None
        Ticker -> calendar of its listing, None where none is known.
    optional : frozenset of str
        Tickers whose failure leaves them out, with the reason, instead of failing the whole.
    firms : tuple of str
        Tickers whose earnings dates are asked for too; that they cannot be had is said and fails nothing.
    end : datetime.date or None
        Last day wanted; None means up to the last closed session.
    """

    exchanges: dict[str, str | None]
    start: date
    end: date | None = None
    optional: frozenset[str] = frozenset()
    firms: tuple[str, ...] = ()
    has_intraday: bool = False
    accepts_revisions: bool = False


@dataclass(frozen=True)
class FetchOutcome:
    """The vintage that holds the answer, whether it is new, and what was said.

    Attributes
    ----------
    vintage : Vintage
        What was recorded, now or before.
    is_new : bool
        False where the provider said nothing new.
    notes : tuple of str
        What was said of the figures and stops nothing.
    """

    vintage: Vintage
    is_new: bool
    notes: tuple[str, ...]


@dataclass
class _Collected:
    """What a fetch has gathered so far."""

    daily: dict[str, DailyTable] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    intraday: dict[str, str] = field(default_factory=dict)
    earnings: dict[str, str] = field(default_factory=dict)


def guess_exchange(ticker: str) -> str | None:
    """The calendar of a ticker by its suffix; an unknown one, or an index, has none unless a story names it."""
    if ticker.startswith("^") or "=" in ticker:
        return None
    return SUFFIXES.get(ticker.rsplit(".", 1)[1]) if "." in ticker else AMERICAN[0]


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
    exchanges: dict[str, str | None] = {}
    required: set[str] = set()
    firms: list[str] = []
    first = None
    for name in names:
        if name in stories:
            story = stories[name]
            for ticker in (story.ticker, story.benchmark):
                exchanges[ticker] = story.exchange
                required.add(ticker)
            firms.append(story.ticker)
            entered = {peer.ticker: peer.exchange for peer in load_peers(story.ticker, data)}
            for ticker in story.other_tickers:
                exchanges.setdefault(ticker, entered.get(ticker) or guess_exchange(ticker))
            earliest = min(a.published_earliest for a in story.articles).date()
            first = min(first or earliest, earliest)
        elif TICKER_PATTERN.fullmatch(name):
            exchanges.setdefault(name, guess_exchange(name))
            required.add(name)
        else:
            raise ConfigError(f"{name!r} is neither a story nor a ticker.", "List the stories with: impact stories")
    last = end or today
    begin = start or (first or last) - timedelta(days=FETCH_HISTORY_DAYS)
    if begin >= last:
        raise ConfigError(f"--start {begin} is not before --end {last}.", "Give an earlier start.")
    for ticker in exchanges:
        if not TICKER_PATTERN.fullmatch(ticker):
            raise ConfigError(f"{ticker!r} is no ticker.", "Mend stories.csv.")
    optional = frozenset(set(exchanges) - required)
    return FetchRequest(exchanges, begin, end, optional=optional, firms=tuple(dict.fromkeys(firms)))


def last_closed(hours: SessionHours, at: datetime, *, settle_minutes: int = SETTLE_MINUTES) -> pd.Timestamp:
    """The last session whose close lies at least ``settle_minutes`` before an instant.

    Parameters
    ----------
    hours : SessionHours
        Calendar of the listing.
    at : datetime.datetime
        With its zone.
    settle_minutes : int
        A provider needs that long to record a close.

    Returns
    -------
    pandas.Timestamp
        The session.

    Raises
    ------
    DataError
        If none has closed by then.
    """
    limit = pd.Timestamp(at).tz_convert("UTC") - pd.Timedelta(minutes=settle_minutes)
    position = int(hours.schedule["close"].searchsorted(limit, side="right"))
    if position == 0:
        raise DataError(f"no session of {hours.exchange} has closed by {at}.", "Check the clock of this machine.")
    return hours.sessions[position - 1]


def fetch_vintage(
    request: FetchRequest,
    data: Path,
    provider: Provider,
    *,
    at: datetime,
    recorded_at: datetime | None = None,
    progress: Callable[[str], None] = lambda _: None,
    factors: Callable[[str], pd.DataFrame] = fetch_factors,
) -> FetchOutcome:
    """Download, check, compare and record; nothing is recorded unless every required ticker is whole.

    Parameters
    ----------
    at : datetime.datetime
        The instant that decides which sessions have closed.
    recorded_at : datetime.datetime, optional
        The present instant, which names the vintage; ``at`` if left out.
    factors : callable
        First session -> factor table; raises DataError where the library cannot be reached.

    Raises
    ------
    DataError
        If an answer is missing, malformed or stale, or the disk refuses.
    RevisionError
        If recorded history changed beyond tolerance and the request does not accept that.
    BusyError
        If another download is at work.
    """
    vintages = data / "vintages"
    with hold_lock(vintages, ".lock", "another download is at work", wait_s=1.0, refusal=DataError):
        got = _Collected()
        for ticker, exchange in request.exchanges.items():
            progress(f"fetch: {ticker}")
            try:
                _collect(ticker, exchange, request, data, provider, at, got)
            except DataError as error:
                if ticker not in request.optional:
                    raise
                got.left_out[ticker] = error.message
                progress(f"fetch: {ticker} left out: {error.message}")
        _refuse_revisions(got.comparisons, request.accepts_revisions)
        if request.has_intraday:
            _collect_intraday(provider, at, got, progress)
        _collect_earnings(request.firms, provider, got, progress)
        factor_note = _collect_factors(request, factors, got)
        same = _find_same(vintages, got)
        notes = tuple(_list_notes(got, factor_note))
        if same is not None:
            return FetchOutcome(same, False, ("nothing new: identical to the last vintage", *notes))
        moment = recorded_at or at
        stamp = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        manifest = _describe(request, provider, moment, got, factor_note)
        vintage = write_vintage(vintages, stamp, got.files, manifest)
        progress(f"recorded: {vintage.folder}")
        return FetchOutcome(vintage, True, notes)


def _collect(
    ticker: str,
    exchange: str | None,
    request: FetchRequest,
    data: Path,
    provider: Provider,
    at: datetime,
    got: _Collected,
) -> None:
    hours = load_hours(exchange) if exchange else None
    today = pd.Timestamp(at.astimezone(UTC).date())
    closed = last_closed(hours, at) if hours else today - pd.Timedelta(days=1)
    end = min(pd.Timestamp(request.end), closed) if request.end else closed
    expected = None
    if hours is not None:
        wanted = hours.between(pd.Timestamp(request.start), end)
        if wanted.empty:
            raise DataError(f"{ticker}: {exchange} has no session from {request.start} to {end.date()}.", "Widen it.")
        expected = wanted[-1]
    asked_to = end.date() if request.end else today.date()
    answer = provider.fetch_daily(ticker, request.start, asked_to)
    table = parse_daily(answer, hours=hours, expected_last=expected, unfinished_after=end)
    got.comparisons.append(_compare(table, exchange, request, data))
    got.daily[ticker] = table
    got.files[f"{ticker}.csv"] = to_bytes(table.table)
    got.rows[f"{ticker}.csv"] = len(table.table)


def _index(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=["date", "ticker"]).set_axis(pd.DatetimeIndex(table["date"]))


def _compare(table: DailyTable, exchange: str | None, request: FetchRequest, data: Path) -> Comparison:
    new = _index(table.table)
    last = find_last(data / "vintages", table.ticker)
    if last is not None:
        entry = last.manifest["tickers"][table.ticker]
        old = _index(_read_csv(last.read(entry["file"])))
        reach = (old.index >= pd.Timestamp(request.start)) & (old.index <= pd.Timestamp(request.end or new.index[-1]))
        if reach.any():
            return compare_history(
                table.ticker,
                old[reach],
                new,
                against=last.name,
                old_metadata=entry["listing"],
                new_metadata=table.metadata,
            )
    try:
        history = PriceStore("snapshot", data).load(table.ticker, exchange or "XNYS")
    except StudyError:
        return Comparison(table.ticker, "", 0, (), ("first recording: nothing to compare with",))
    return compare_snapshot(table.ticker, history.frame, new, against=history.vintage)


def _read_csv(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), dtype={"date": str, "ticker": str})


def _refuse_revisions(comparisons: list[Comparison], is_accepted: bool) -> None:
    found = [f"{c.ticker}: {text} (against {c.against})" for c in comparisons for text in c.revisions]
    if found and not is_accepted:
        raise RevisionError(
            f"recorded history was revised: {'; '.join(found)}.",
            "Nothing was recorded. Look into it; then fetch with --accept-revisions.",
        )


def _collect_intraday(provider: Provider, at: datetime, got: _Collected, progress: Callable[[str], None]) -> None:
    for ticker in got.daily:
        for interval in INTRADAY_REACH:
            progress(f"fetch: {ticker}, bars of {interval}")
            name = f"intraday/{interval}/{ticker}.csv"
            try:
                bars = parse_intraday(provider.fetch_intraday(ticker, interval, at))
            except DataError as error:
                got.intraday[name] = error.message
                continue
            got.files[name], got.rows[name] = to_bytes(bars), len(bars)


def _collect_earnings(
    firms: tuple[str, ...], provider: Provider, got: _Collected, progress: Callable[[str], None]
) -> None:
    for ticker in firms:
        progress(f"fetch: {ticker}, earnings dates")
        name = f"earnings/{ticker}.csv"
        try:
            table = parse_earnings(provider.fetch_earnings(ticker))
        except DataError as error:
            got.earnings[ticker] = error.message
            continue
        got.files[name], got.rows[name] = to_bytes(table), len(table)


def _collect_factors(request: FetchRequest, factors: Callable[[str], pd.DataFrame], got: _Collected) -> str:
    """The factors' vintage in words: recorded with this one, or the embedded ones with the reason."""
    try:
        table = factors(request.start.isoformat())
    except DataError as error:
        return f"embedded: {error.message}"
    got.files["factors.csv"], got.rows["factors.csv"] = to_bytes(table), len(table)
    return f"Kenneth French library, recorded to {table['date'].iloc[-1]}"


def _find_same(vintages: Path, got: _Collected) -> Vintage | None:
    last = find_last(vintages, next(iter(got.daily)))
    if last is None:
        return None
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in got.files.items()}
    return last if {n: e["sha256"] for n, e in last.manifest["files"].items()} == hashes else None


def _list_notes(got: _Collected, factor_note: str) -> list[str]:
    notes = [f"{ticker}: {note}" for ticker, table in got.daily.items() for note in table.notes]
    notes += [f"{c.ticker}: {note}" for c in got.comparisons for note in c.notes]
    notes += [f"{c.ticker}: accepted revision: {text}" for c in got.comparisons for text in c.revisions]
    notes += [f"{ticker} left out: {reason}" for ticker, reason in got.left_out.items()]
    notes += [f"{name} not to be had: {reason}" for name, reason in got.intraday.items()]
    notes += [f"{ticker}, earnings dates not to be had: {reason}" for ticker, reason in got.earnings.items()]
    return [*notes, f"factors: {factor_note}"]


def _describe(
    request: FetchRequest, provider: Provider, moment: datetime, got: _Collected, factor_note: str
) -> dict[str, Any]:
    manifest = {
        "format": FORMAT,
        "recorded_at": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "provider": provider.name,
        "prices": "split-adjusted as the provider gives them, not adjusted for dividends",
        "request": {
            "tickers": request.exchanges,
            "start": request.start.isoformat(),
            "end": request.end.isoformat() if request.end else None,
            "intraday": request.has_intraday,
            "accept_revisions": request.accepts_revisions,
        },
        "versions": {"event-impact": __version__}
        | {name: importlib.metadata.version(name) for name in ("yfinance", "pandas")},
        "tickers": {
            ticker: {
                "file": f"{ticker}.csv",
                "exchange": request.exchanges[ticker],
                "first_session": table.first_session,
                "last_session": table.last_session,
                "listing": table.metadata,
                "notes": list(table.notes),
            }
            for ticker, table in got.daily.items()
        },
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "rows": got.rows[name]}
            for name, content in got.files.items()
        },
        "factors": factor_note,
        "left_out": got.left_out,
        "intraday_not_to_be_had": got.intraday,
        "earnings_not_to_be_had": got.earnings,
        "comparison": [
            {
                "ticker": c.ticker,
                "against": c.against,
                "sessions": c.sessions,
                "accepted_revisions": list(c.revisions),
                "notes": list(c.notes),
            }
            for c in got.comparisons
        ],
    }
    json.dumps(manifest, allow_nan=False)
    return manifest
