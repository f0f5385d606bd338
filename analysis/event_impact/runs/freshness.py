"""Which figures a run rests on, and how old they were when it ran."""

from datetime import datetime
from typing import Any

import pandas as pd

from event_impact.events.calendars import SessionHours, load_hours
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel


def count_closed(hours: SessionHours, after: pd.Timestamp, at: datetime) -> int:
    """Sessions after a label that have closed by an instant."""
    schedule = hours.schedule
    return int(((schedule.index > after) & (schedule["close"] <= pd.Timestamp(at).tz_convert("UTC"))).sum())


def measure_freshness(study: OpenedStory, panel: ReturnPanel, at: datetime) -> dict[str, Any]:
    """Source and age of the figures of a study that was opened and loaded, as ``run.json`` keeps them.

    Returns
    -------
    dict
        ``exchange``, whose sessions are counted; ``asked``, the parameter, and ``origin``, what served it
        (``snapshot``, ``vintage`` or ``own files``); ``vintage``, the name of the recording; ``last_session`` of the
        story's listing; ``age_sessions``, those that closed after it, up to the start of the run; ``note``, why another
        source was passed over.
    """
    ticker, exchange = study.story.ticker, study.story.exchange
    last = study.store.load(ticker, exchange).frame.index[-1]
    return {
        "exchange": exchange, "asked": study.config.source, "origin": study.store.origin_of(ticker),
        "vintage": panel.vintage, "last_session": last.date().isoformat(),
        "age_sessions": count_closed(load_hours(exchange), last, at), "note": study.store.note,
    }  # fmt: skip


def describe_source(source: dict[str, Any]) -> str:
    """For the first screen; the age is said elsewhere, since it depends on the day of the run."""
    note = f"; {source['note']}" if source["note"] else ""
    vintage, origin = source["vintage"], source["origin"]
    named = vintage if vintage.startswith(origin) else f"{origin}: {vintage}"
    return f"{named}, recorded to {source['last_session']}{note}"
