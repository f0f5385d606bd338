"""From a request to a new vintage: ask, check, compare with what was recorded, write whole or not at all."""

import importlib.metadata
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from event_impact.base.clock import format_instant
from event_impact.base.code_digest import VERSION
from event_impact.base.config import FETCH_HISTORY_DAYS
from event_impact.base.csv_tables import Tables
from event_impact.base.disk import hold_lock
from event_impact.base.errors import ConfigError, DataError, RateLimitError, RevisionError, StudyError, SuspicionError
from event_impact.events.articles import Story
from event_impact.events.calendars import load_hours
from event_impact.events.sessions import align_story
from event_impact.market.answers import INSTANT, DailyTable, parse_bars, parse_daily, parse_earnings, to_bytes
from event_impact.market.checks import ACCEPTED, Doubt, accept_doubts, describe_doubts, tell_stopping
from event_impact.market.fetch_plan import FetchRequest, last_closed, list_bar_tickers, list_pauses
from event_impact.market.protocol import Provider
from event_impact.market.providers.french import fetch_factors
from event_impact.market.revisions import Comparison, compare_history, compare_snapshot
from event_impact.market.snapshot import PriceStore, open_source, read_recorded
from event_impact.market.vintages import FORMAT, Parcel, Vintage, find_file, find_last, list_vintages, write_vintage

Progress = Callable[[str], None]
Factors = Callable[[str, Path], pd.DataFrame]
T = TypeVar("T")
#: Bars that are recorded; longer ones can be made from them.
BAR_MINUTES = (1, 5)
#: So many days before bars leave the provider's reach, it is said.
WARNING_DAYS = 7


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

    parcel: Parcel = field(default_factory=Parcel)
    daily: dict[str, DailyTable] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def wait_out(
    work: Callable[[], T], wait_s: float, *, sleep: Callable[[float], None] = time.sleep,
    progress: Progress = lambda _: None,
) -> T:  # fmt: skip
    """Do some work, again and again while a provider asks to wait, for as long as one is willing to.

    Raises
    ------
    RateLimitError
        If the provider still asks to wait then.
    """
    for pause in list_pauses(wait_s):
        try:
            return work()
        except RateLimitError as error:
            progress(f"{error.message} Trying again in {pause:.0f} s.")
            sleep(pause)
    return work()


def fetch_vintage(
    request: FetchRequest, data: Path, provider: Provider, *, at: datetime, recorded_at: datetime | None = None,
    progress: Progress = lambda _: None, factors: Factors | None = fetch_factors,
) -> FetchOutcome:  # fmt: skip
    """Download, check, compare and record; nothing is recorded unless every required ticker is whole.

    Parameters
    ----------
    at : datetime.datetime
        The instant that decides which sessions have closed.
    recorded_at : datetime.datetime, optional
        The present instant, which names the vintage; ``at`` if left out.
    factors : callable
        First session and data folder -> factor table; whatever it raises, or without one, the embedded factors serve.

    Raises
    ------
    DataError
        If an answer is missing, malformed or stale, or the disk refuses.
    RateLimitError
        If the provider asks to wait.
    RevisionError, SuspicionError
        If recorded history changed beyond tolerance, or a figure that the study needs looks wrong, and the request
        does not accept that.
    BusyError
        If another download is at work.
    """
    vintages = data / "vintages"
    with hold_lock(vintages, ".lock", "another download is at work", wait_s=1.0, refusal=DataError):
        got = _Collected()
        for ticker in sorted(request.exchanges, key=lambda t: t not in request.benchmarks.values()):
            progress(f"fetch: {ticker}")
            try:
                _collect(ticker, request, data, provider, at, got)
            except (DataError, RateLimitError) as error:
                if ticker not in request.optional:
                    raise
                got.parcel.missed[ticker] = error.message
                progress(f"fetch: {ticker} left out: {error.message}")
        _refuse_odd(got, request)
        collect_bars({t: request.exchanges[t] for t in request.bars}, vintages, provider, got, at=at, progress=progress)
        for ticker in request.firms:
            progress(f"fetch: {ticker}, earnings dates")
            _collect_earnings(ticker, provider, vintages, got)
        factor_note = _collect_factors(request, factors, data, got.parcel)
        notes = (*_list_notes(got), f"factors: {factor_note}")
        last = find_last(vintages, next(iter(request.exchanges)))
        if last is not None and got.parcel.is_in(last) and not request.accepts_suspicions:
            return FetchOutcome(last, False, ("nothing new: identical to the last vintage", *notes))
        manifest = {
            "prices": "split-adjusted as the provider gives them, not adjusted for dividends",
            "request": asdict(request),
            "tickers": {t: table.as_record() | {"exchange": request.exchanges[t]} for t, table in got.daily.items()},
            "comparison": [asdict(c) for c in got.comparisons],
            "factors": factor_note,
        }
        vintage = _record(vintages, got.parcel, manifest, provider, recorded_at or at)
        progress(f"recorded: {vintage.folder}")
        return FetchOutcome(vintage, True, notes)


def fetch_passing(
    tickers: tuple[str, ...], exchange: str, since: date, tables: Tables, provider: Provider, *, at: datetime,
    progress: Progress = lambda _: None,
) -> PriceStore:  # fmt: skip
    """Daily prices of tickers on one calendar as the provider gives them now, checked as ever; nothing is recorded.

    Raises
    ------
    DataError, RateLimitError
        As :func:`fetch_vintage`.
    """

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(tables.folder / "faults.csv", folder)
        request = FetchRequest(dict.fromkeys(tickers, exchange), since - timedelta(days=FETCH_HISTORY_DAYS))
        fetch_vintage(request, Path(folder), provider, at=at, progress=progress, factors=None)
        store = open_source("auto", Path(folder), tickers)
        for ticker in tickers:  # kept by the store: the folder goes
            store.load(ticker, exchange)
    return store


def record_bars(
    stories: list[Story], data: Path, provider: Provider, *, at: datetime, recorded_at: datetime | None = None,
    progress: Progress = lambda _: None,
) -> tuple[Vintage | None, tuple[str, ...]]:  # fmt: skip
    """Record the bars of open stories and of what they are compared with, whether or not an evening is due.

    Returns
    -------
    tuple
        The vintage, None where nothing is new; and what was missed, set aside, lost or is about to be lost.

    Raises
    ------
    DataError
        If the disk refuses.
    BusyError
        If a download is at work.
    """
    vintages = data / "vintages"
    tickers: dict[str, str | None] = {ticker: story.exchange for story in stories for ticker in list_bar_tickers(story)}
    with hold_lock(vintages, ".lock", "another download is at work", wait_s=1.0, refusal=DataError):
        got = _Collected()
        collect_bars(tickers, vintages, provider, got, at=at, progress=progress)
        manifest: dict[str, Any] = {"request": {"bars": sorted(tickers)}, "tickers": {}}
        vintage = _record(vintages, got.parcel, manifest, provider, recorded_at or at) if got.parcel.files else None
    return vintage, (*_list_notes(got), *warn_of_loss(stories, vintages, provider, at=at))


def _collect(ticker: str, request: FetchRequest, data: Path, provider: Provider, at: datetime, got: _Collected) -> None:
    exchange = request.exchanges[ticker]
    try:
        hours = load_hours(exchange) if exchange else None
    except ConfigError as error:  # a calendar that cannot be built leaves the sessions unchecked, and that is said
        got.notes.append(f"{ticker}: {error.message}")
        hours = None
    today = pd.Timestamp(at.astimezone(UTC).date())
    closed = last_closed(hours, at) if hours else today - pd.Timedelta(days=1)
    end = min(pd.Timestamp(request.end), closed) if request.end else closed
    wanted = hours.between(pd.Timestamp(request.start), end) if hours else [None]
    if not len(wanted):
        raise DataError(f"{ticker}: {exchange} has no session from {request.start} to {end.date()}.", "Widen it.")
    asked = (ticker, request.start, end.date() if request.end else today.date())
    answer, opinion = provider.daily(*asked), None
    try:
        opinion = provider.actions(*asked)
    except (DataError, RateLimitError) as error:
        got.notes.append(f"{ticker}: no second opinion: {error.message}")
    market = got.daily.get(request.benchmarks.get(ticker, ""))
    closes = None if market is None else market.frame["close"]
    table = parse_daily(
        answer, hours=hours, expected_last=wanted[-1], unfinished_after=end, opinion=opinion, benchmark=closes
    )
    last = find_last(data / "vintages", ticker)
    known = last.manifest["tickers"][ticker].get("doubts", []) if last else []
    accepted = [Doubt(**d).key for d in known if d["state"] == ACCEPTED]
    got.comparisons.append(_compare(table, last, request, data))
    got.daily[ticker] = replace(table, doubts=accept_doubts(table.doubts, accepted))
    got.parcel.add(f"{ticker}.csv", to_bytes(table.table), rows=len(table.table), raw=table.raw)


def _compare(table: DailyTable, last: Vintage | None, request: FetchRequest, data: Path) -> Comparison:
    new = table.frame
    if last is not None:
        entry = last.manifest["tickers"][table.ticker]
        content, _ = read_recorded(last, entry["file"])
        old = content.drop(columns=["date", "ticker"]).set_axis(pd.DatetimeIndex(content["date"]))
        reach = (old.index >= pd.Timestamp(request.start)) & (old.index <= pd.Timestamp(request.end or new.index[-1]))
        if reach.any():
            listings = (entry["listing"], table.metadata)
            return compare_history(table.ticker, old[reach], new, against=last.name, listings=listings)
    try:
        history = PriceStore("snapshot", data).load(table.ticker, request.exchanges[table.ticker] or "XNYS")
    except StudyError:
        return Comparison(table.ticker, "", 0, (), ("first recording: nothing to compare with",))
    return compare_snapshot(table.ticker, history.frame, new, against=history.vintage)


def _refuse_odd(got: _Collected, request: FetchRequest) -> None:
    """Stop at revisions, and at figures that the study needs and that look wrong, unless they are accepted."""
    found = [f"{c.ticker}: {text} (against {c.against})" for c in got.comparisons for text in c.revisions]
    if found and not request.accepts_revisions:
        hint = "Nothing was recorded. Look into it; then fetch with --accept-revisions."
        raise RevisionError(f"recorded history was revised: {'; '.join(found)}.", hint)
    if request.accepts_suspicions:
        for ticker, table in got.daily.items():
            got.daily[ticker] = replace(table, doubts=accept_doubts(table.doubts, [d.key for d in table.doubts]))
    if said := tell_stopping({ticker: table.doubts for ticker, table in got.daily.items()}, request.windows):
        hint = "Nothing was recorded. Look into each; if they are right, fetch with --accept-suspicions."
        raise SuspicionError(said, hint)


def _collect_earnings(ticker: str, provider: Provider, vintages: Path, got: _Collected) -> None:
    """The firm's announcements; where they cannot be had, those that were recorded before are kept."""
    name = f"earnings/{ticker}.csv"
    try:
        answer = provider.earnings(ticker)
        table = parse_earnings(answer)
        got.parcel.add(name, to_bytes(table), rows=len(table), raw=answer.raw)
    except (DataError, RateLimitError) as error:
        got.parcel.missed[name] = error.message
        if held := find_file(vintages, ticker, name):
            entry = held.manifest["files"][name]
            origin = entry.get("kept_from", held.name)
            got.parcel.add(name, held.read(name), rows=entry["rows"], kept_from=origin)
            got.parcel.missed[name] += f" Those of {origin} are kept."


def _collect_factors(request: FetchRequest, factors: Factors | None, data: Path, parcel: Parcel) -> str:
    """The factors' vintage in words: recorded with this one, or the embedded ones with the reason."""
    if factors is None:
        return "embedded: factors are not asked for."
    try:
        table = factors(request.start.isoformat(), data)
    except StudyError as error:
        return f"embedded: {error.message}"
    parcel.add("factors.csv", to_bytes(table), rows=len(table))
    return f"Kenneth French library, recorded to {table['date'].iloc[-1]}"


def _list_notes(got: _Collected) -> list[str]:
    notes = [f"{ticker}: {note}" for ticker, table in got.daily.items() for note in table.notes]
    notes += [text for ticker, table in got.daily.items() for text in describe_doubts(ticker, table.doubts)]
    notes += [f"{c.ticker}: {note}" for c in got.comparisons for note in c.notes]
    notes += [f"{c.ticker}: accepted revision: {text}" for c in got.comparisons for text in c.revisions]
    return [*notes, *got.notes, *(f"{name} not to be had: {reason}" for name, reason in got.parcel.missed.items())]


def _record(vintages: Path, parcel: Parcel, manifest: dict[str, Any], provider: Provider, moment: datetime) -> Vintage:
    """Write a parcel as a vintage, with what every manifest says."""
    versions = {name: importlib.metadata.version(name) for name in ("pandas", *provider.packages)}
    origin = {"provider": provider.name, "versions": {"event-impact": VERSION} | versions}
    head = {"format": FORMAT, "recorded_at": format_instant(moment), **origin}
    whole = {**head, **manifest, "files": parcel.entries, "not_to_be_had": parcel.missed}
    plain = json.loads(json.dumps(whole, allow_nan=False, default=str))
    return write_vintage(vintages, f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}", parcel.files, plain)


def _list_files(tickers: Iterable[str], provider: Provider) -> list[tuple[str, int, str]]:
    """Ticker, minutes and the name of their file in a vintage, for every length of bar that the provider has."""
    return [(t, m, f"intraday/{m}m/{t}.csv") for t in tickers for m in BAR_MINUTES if m in provider.bar_reach]


def _list_spans(vintages: Path, name: str) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """First and last instant at which the bars of a file begin, for each vintage that has it."""
    held = [v.manifest["files"].get(name, {}) for v in list_vintages(vintages)[0]]
    return [(pd.Timestamp(entry["first"]), pd.Timestamp(entry["last"])) for entry in held if "first" in entry]


def collect_bars(
    exchanges: dict[str, str | None], vintages: Path, provider: Provider, got: _Collected, *, at: datetime,
    progress: Progress,
) -> None:  # fmt: skip
    """Ask for the bars that no vintage has yet, put them into the parcel, and note what was set aside.

    What cannot be had is written into ``parcel.missed``; nothing is raised for it.
    """
    now, limit = pd.Timestamp(at).tz_convert("UTC"), ""
    for ticker, minutes, name in _list_files(exchanges, provider):
        first = at.date() - timedelta(days=provider.bar_reach[minutes])
        known = max((last for _, last in _list_spans(vintages, name)), default=now - pd.Timedelta(days=999))
        if exchange := exchanges[ticker]:
            hours = load_hours(exchange)
            if known + pd.Timedelta(minutes=minutes) >= hours.close_at(last_closed(hours, at)):
                continue
        progress(f"fetch: {ticker}, bars of {minutes} min")
        try:
            if limit:  # whoever asks to wait is not asked further
                raise RateLimitError(limit)
            answer = provider.bars(ticker, minutes, max(first, known.date()), at.date())
            table, doubts = parse_bars(answer, minutes=minutes, until=now)
        except (DataError, RateLimitError) as error:
            got.parcel.missed[name] = error.message
            limit = error.message if isinstance(error, RateLimitError) else ""
            continue
        got.notes += [*describe_doubts(f"{ticker}, bars of {minutes} min", doubts), *answer.remarks]
        table = table[table["minute"] > known.strftime(INSTANT)]
        if len(table):
            said = {"bar_minutes": minutes, "label": "start", "shift_minutes": 0, "zone": "UTC"}
            ends = {"first": table["minute"].iloc[0], "last": table["minute"].iloc[-1]}
            got.parcel.add(name, to_bytes(table), rows=len(table), raw=answer.raw, **said, **ends)


def warn_of_loss(stories: Iterable[Story], vintages: Path, provider: Provider, *, at: datetime) -> list[str]:
    """Which bars of open stories, on the event session, are lost or about to be, in words."""
    said = []
    for story in stories:
        event = align_story(story).event_session
        opens = load_hours(story.exchange).open_at(event)
        for ticker, minutes, name in _list_files(list_bar_tickers(story), provider):
            left = (event.date() + timedelta(days=provider.bar_reach[minutes]) - at.date()).days
            is_due = opens <= pd.Timestamp(at) and left <= WARNING_DAYS
            if is_due and not any(first <= opens <= last for first, last in _list_spans(vintages, name)):
                verb, when = ("leave", f"in {left} days") if left >= 0 else ("have left", f"{-left} days ago")
                what = f"bars of {minutes} min of {ticker} on the event session {event.date()}"
                said.append(f"{story.story}: {what} are not recorded, and {verb} the provider's reach {when}")
    return said
