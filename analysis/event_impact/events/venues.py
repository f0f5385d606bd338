"""Where a share can first be priced after an instant: venues besides its own exchange, with dated hours.

These are timing aids. A price on another venue is the same news once more, never a second test.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from event_impact.base.csv_tables import Tables, open_tables
from event_impact.base.errors import DataError
from event_impact.events.calendars import load_hours

VENUE_COLUMNS = (
    "venue", "label", "calendar", "zone", "opens", "closes", "day_offset", "listing_exchanges",
    "valid_from", "valid_to", "source", "notes",
)  # fmt: skip
#: No closed stretch of an exchange is longer than this many sessions.
SEARCH_SESSIONS = 12


@dataclass(frozen=True)
class Venue:
    """One place of trading with its local hours.

    ``day_offset`` is -1 where the hours begin on the evening before the session whose date they carry.
    """

    venue: str
    label: str
    calendar: str
    zone: str
    opens: str
    closes: str
    day_offset: int
    listing_exchanges: tuple[str, ...]
    valid_from: pd.Timestamp
    valid_to: pd.Timestamp | None
    notes: str

    def hours_of(self, session: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp]:
        """First and last instant of trading that carries the date of a session, in UTC."""
        zone = ZoneInfo(self.zone)
        first = (session + pd.Timedelta(days=self.day_offset)).normalize()
        opens = pd.Timestamp(f"{first.date()} {self.opens}").tz_localize(zone)
        last_day = session if self.closes > self.opens or self.day_offset else session + pd.Timedelta(days=1)
        closes = pd.Timestamp(f"{last_day.date()} {self.closes}").tz_localize(zone)
        return opens.tz_convert("UTC"), closes.tz_convert("UTC")

    def first_price_after(self, instant: pd.Timestamp) -> pd.Timestamp | None:
        """First instant after ``instant`` at which the venue trades; None before it existed."""
        hours = load_hours(self.calendar)
        start = hours.sessions.searchsorted((instant - pd.Timedelta(days=2)).tz_convert(None).normalize())
        for session in hours.sessions[start : start + SEARCH_SESSIONS]:
            if session < self.valid_from or (self.valid_to is not None and session > self.valid_to):
                continue
            opens, closes = self.hours_of(session)
            if opens > instant:
                return opens
            if closes > instant:
                return instant
        return None


def load_venues(data: Path | Tables) -> tuple[Venue, ...]:
    """The venue table, checked.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the tables.

    Returns
    -------
    tuple of Venue

    Raises
    ------
    DataError
        For an unknown zone or a malformed clock.
    """
    venues = []
    for row in open_tables(data).read("venues.csv", VENUE_COLUMNS).to_dict("records"):
        try:
            ZoneInfo(row["zone"])
            for clock in (row["opens"], row["closes"]):
                pd.Timestamp(f"2000-01-01 {clock}")
            last = pd.Timestamp(row["valid_to"]) if row["valid_to"] else None
            read: dict[str, Any] = {name: row[name] for name in VENUE_COLUMNS if name != "source"}
            read["day_offset"] = int(row["day_offset"])
            read["listing_exchanges"] = tuple(row["listing_exchanges"].split(";"))
            venues.append(Venue(**read | {"valid_from": pd.Timestamp(row["valid_from"]), "valid_to": last}))
        except (ValueError, KeyError) as error:
            raise DataError(f"venues.csv, {row['venue']}: {error}.", "Mend the row; see data/README.md.") from error
    return tuple(venues)


def first_prices(venues: tuple[Venue, ...], exchange: str, instant: pd.Timestamp) -> pd.DataFrame:
    """First possible price on each venue that trades a listing of ``exchange``, earliest first.

    Parameters
    ----------
    venues : tuple of Venue
        From :func:`load_venues`.
    exchange : str
        Market identifier of the listing.
    instant : pandas.Timestamp
        When the text was public, UTC.

    Returns
    -------
    pandas.DataFrame
        One row a venue, with its label and ``first_price_at`` in UTC.
    """
    listed = [v for v in venues if exchange in v.listing_exchanges]
    rows = [(v.venue, v.label, v.first_price_after(instant), v.notes) for v in listed]
    frame = pd.DataFrame(rows, columns=["venue", "label", "first_price_at", "notes"]).dropna(subset="first_price_at")
    return frame.sort_values("first_price_at", kind="stable", ignore_index=True)
