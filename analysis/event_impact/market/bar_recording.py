"""Bars of minutes, recorded while the provider still has them: after some weeks they are gone for good."""

from __future__ import annotations

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


def name_bars(ticker: str, minutes: int) -> str:
    """Where a vintage keeps the bars of a listing."""
    return f"intraday/{minutes}m/{ticker}.csv"


def last_recorded(vintages: Path, name: str) -> pd.Timestamp | None:
    """The instant at which the last recorded bar of a file begins, over all vintages."""
    held = (v.manifest["files"].get(name, {}).get("last") for v in list_vintages(vintages)[0])
    return max((pd.Timestamp(text) for text in held if text), default=None)


def collect_bars(
    tickers: Iterable[str],
    exchanges: dict[str, str | None],
    vintages: Path,
    provider: Provider,
    *,
    at: datetime,
    parcel: Parcel,
    progress: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Ask for the bars that no vintage has yet, put them into the parcel, and say what was set aside.

    What cannot be had is written into ``parcel.missed``; nothing is raised for it.
    """
    now, notes, limit = pd.Timestamp(at).tz_convert("UTC"), [], ""
    for ticker in tickers:
        for minutes in (m for m in BAR_MINUTES if m in provider.bar_reach):
            name = name_bars(ticker, minutes)
            known = last_recorded(vintages, name)
            if known is not None and exchanges.get(ticker):
                hours = load_hours(str(exchanges[ticker]))
                if known + pd.Timedelta(minutes=minutes) >= hours.close_at(last_closed(hours, at)):
                    continue
            if limit:  # whoever asks to wait is not asked further
                parcel.missed[name] = limit
                continue
            earliest = at.date() - timedelta(days=provider.bar_reach[minutes])
            first = earliest if known is None else max(earliest, known.date())
            progress(f"fetch: {ticker}, bars of {minutes} min")
            try:
                answer = provider.bars(ticker, minutes, first, at.date())
                table, doubts = parse_bars(answer, minutes=minutes, until=now)
            except (DataError, RateLimitError) as error:
                parcel.missed[name] = error.message
                limit = error.message if isinstance(error, RateLimitError) else ""
                continue
            notes += [*describe_doubts(f"{ticker}, bars of {minutes} min", doubts), *answer.remarks]
            table = table if known is None else table[table["minute"] > known.strftime(INSTANT)]
            if len(table):
                parcel.add(
                    name, to_bytes(table), rows=len(table), raw=answer.raw, bar_minutes=minutes, label="start",
                    shift_minutes=0, zone="UTC", first=table["minute"].iloc[0], last=table["minute"].iloc[-1],
                )  # fmt: skip
    return notes


def warn_of_loss(stories: Iterable[Story], vintages: Path, provider: Provider, *, at: datetime) -> list[str]:
    """Which bars of open stories, from the event session on, are lost or about to be, in words."""
    said = []
    for story in stories:
        event = align_story(story).event_session
        opens = load_hours(story.exchange).open_at(event)
        if opens > pd.Timestamp(at):
            continue
        for ticker in list_bar_tickers(story):
            for minutes in (m for m in BAR_MINUTES if m in provider.bar_reach):
                name = name_bars(ticker, minutes)
                held = [v.manifest["files"][name] for v in list_vintages(vintages)[0] if name in v.manifest["files"]]
                if any(pd.Timestamp(h["first"]) <= opens <= pd.Timestamp(h["last"]) for h in held if "first" in h):
                    continue
                left = (event.date() + timedelta(days=provider.bar_reach[minutes]) - at.date()).days
                what = f"{story.story}: bars of {minutes} min of {ticker} on the event session {event.date()} "
                if left < 0:
                    said.append(
                        what
                        + f"were not recorded and have left the provider's reach of {provider.bar_reach[minutes]} days"
                    )
                elif left <= WARNING_DAYS:
                    said.append(what + f"are not recorded, and leave the provider's reach in {left} days")
    return said
