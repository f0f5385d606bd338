"""Bars of minutes, recorded while the provider still has them: after some weeks they are gone for good."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from event_impact.base.errors import DataError, RateLimitError
from event_impact.events.articles import Story
from event_impact.events.calendars import load_hours
from event_impact.events.sessions import align_story
from event_impact.market.answers import INSTANT, parse_bars, to_bytes
from event_impact.market.checks import describe_doubts
from event_impact.market.fetch_plan import last_closed, list_bar_tickers
from event_impact.market.protocol import Provider
from event_impact.market.vintages import Parcel, list_vintages

BAR_MINUTES = (1, 5)
"""Bars that are recorded; longer ones can be made from them."""
WARNING_DAYS = 7
"""So many days before bars leave the provider's reach, it is said."""


def _list_files(tickers: Iterable[str], provider: Provider) -> list[tuple[str, int, str]]:
    """Ticker, minutes and the name of their file in a vintage, for every length of bar that the provider has."""
    return [(t, m, f"intraday/{m}m/{t}.csv") for t in tickers for m in BAR_MINUTES if m in provider.bar_reach]


def _list_spans(vintages: Path, name: str) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """First and last instant at which the bars of a file begin, for each vintage that has it."""
    held = [v.manifest["files"].get(name, {}) for v in list_vintages(vintages)[0]]
    return [(pd.Timestamp(entry["first"]), pd.Timestamp(entry["last"])) for entry in held if "first" in entry]


def collect_bars(
    exchanges: dict[str, str | None], vintages: Path, provider: Provider, *, at: datetime, parcel: Parcel,
    progress: Callable[[str], None] = lambda _: None,
) -> list[str]:  # fmt: skip
    """Ask for the bars that no vintage has yet, put them into the parcel, and say what was set aside.

    What cannot be had is written into ``parcel.missed``; nothing is raised for it.
    """
    now, notes, limit = pd.Timestamp(at).tz_convert("UTC"), [], ""
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
            parcel.missed[name] = error.message
            limit = error.message if isinstance(error, RateLimitError) else ""
            continue
        notes += [*describe_doubts(f"{ticker}, bars of {minutes} min", doubts), *answer.remarks]
        table = table[table["minute"] > known.strftime(INSTANT)]
        if len(table):
            said = {"bar_minutes": minutes, "label": "start", "shift_minutes": 0, "zone": "UTC"}
            ends = {"first": table["minute"].iloc[0], "last": table["minute"].iloc[-1]}
            parcel.add(name, to_bytes(table), rows=len(table), raw=answer.raw, **said, **ends)
    return notes


def warn_of_loss(stories: Iterable[Story], vintages: Path, provider: Provider, *, at: datetime) -> list[str]:
    """Which bars of open stories, on the event session, are lost or about to be, in words."""
    said = []
    for story in stories:
        event = align_story(story).event_session
        opens = load_hours(story.exchange).open_at(event)
        for ticker, minutes, name in (
            _list_files(list_bar_tickers(story), provider) if opens <= pd.Timestamp(at) else ()
        ):
            left = (event.date() + timedelta(days=provider.bar_reach[minutes]) - at.date()).days
            if left <= WARNING_DAYS and not any(first <= opens <= last for first, last in _list_spans(vintages, name)):
                what = (
                    "leave the provider's reach in {} days"
                    if left >= 0
                    else "have left the provider's reach {} days ago"
                )
                said.append(
                    f"{story.story}: bars of {minutes} min of {ticker} on the event session {event.date()} are not "
                    f"recorded, and {what.format(abs(left))}"
                )
    return said
