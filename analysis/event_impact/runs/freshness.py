"""Which figures a run rests on, and how old they were when it ran."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import pandas as pd

from event_impact.events.calendars import SessionHours, load_hours
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel


@dataclass(frozen=True)
class Freshness:
    """Source and age of the figures.

    Attributes
    ----------
    exchange : str
        The exchange whose sessions are counted.
    asked, origin : str
        The ``source`` parameter, and what served it: ``snapshot``, ``vintage`` or ``own files``.
    vintage : str
        Name of the recording.
    last_session : str
        Last recorded session of the story's listing.
    age_sessions : int
        Sessions of the exchange that closed after it, up to the start of the run.
    note : str
        Why another source was passed over; empty when none was.
    """

    exchange: str
    asked: str
    origin: str
    vintage: str
    last_session: str
    age_sessions: int
    note: str

    def as_record(self) -> dict[str, object]:
        """The part that ``run.json`` keeps."""
        return asdict(self)

    def describe(self) -> str:
        """For the first screen; the age is said elsewhere, since it depends on the day of the run."""
        note = f"; {self.note}" if self.note else ""
        named = self.vintage if self.vintage.startswith(self.origin) else f"{self.origin}: {self.vintage}"
        return f"{named}, recorded to {self.last_session}{note}"


def count_closed(hours: SessionHours, after: pd.Timestamp, at: datetime) -> int:
    """Sessions after a label that have closed by an instant."""
    schedule = hours.schedule
    return int(((schedule.index > after) & (schedule["close"] <= pd.Timestamp(at).tz_convert("UTC"))).sum())


def measure_freshness(study: OpenedStory, panel: ReturnPanel, at: datetime) -> Freshness:
    """Source and age of the figures of a study that was opened and loaded."""
    history = study.store.load(study.story.ticker, study.story.exchange)
    last = history.frame.index[-1]
    return Freshness(
        exchange=study.story.exchange, asked=study.config.source, origin=study.store.origin_of(study.story.ticker),
        vintage=panel.vintage, last_session=last.date().isoformat(),
        age_sessions=count_closed(load_hours(study.story.exchange), last, at), note=study.store.note,
    )  # fmt: skip
