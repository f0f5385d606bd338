"""Other news of the same listing, by the session that it can have moved."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from event_impact.base.config import parse_date
from event_impact.base.csv_tables import Tables, open_tables
from event_impact.base.errors import ConfigError, DataError
from event_impact.events.articles import parse_instant

CONFOUNDER_COLUMNS = (
    "ticker", "session", "label", "known_from", "source", "url", "is_masked", "notes", "own_story", "label_without_it",
)  # fmt: skip
"""``own_story`` is the story that an item is a report of: for it the item is no other news."""


@dataclass(frozen=True)
class Confounders:
    """Confounded sessions of one listing.

    Attributes
    ----------
    table : pandas.DataFrame
        Index session; columns label, known_from (UTC), source, url, is_masked (bool), notes.
    """

    ticker: str
    table: pd.DataFrame

    @property
    def masked_sessions(self) -> pd.DatetimeIndex:
        """Sessions that ``mask = listed`` leaves out of the estimation window."""
        return pd.DatetimeIndex(self.table.index[self.table["is_masked"]].unique())

    def label_of(self, session: pd.Timestamp) -> str:
        """All labels of a session, joined; empty when there is none."""
        return "; ".join(self.table["label"][self.table.index == session])

    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
        """Rows from first to last session, both included."""
        return self.table[(self.table.index >= first) & (self.table.index <= last)]


def load_confounders(
    ticker: str, data: Path | Tables, *, known_at: pd.Timestamp | None = None, story: str = ""
) -> Confounders:
    """Confounders of a listing that were public at ``known_at`` (UTC).

    Parameters
    ----------
    story : str
        The story that is studied: its own report is not listed as other news.

    Returns
    -------
    Confounders
        In order of time.

    Raises
    ------
    DataError
        For a malformed row.
    """
    table = open_tables(data).read("confounders.csv", CONFOUNDER_COLUMNS)
    table = table[table["ticker"] == ticker]
    rows = []
    for row in table.to_dict("records"):
        where = f"confounders.csv, {ticker} {row['session']}"
        if row["is_masked"] not in ("yes", "no"):
            raise DataError(f"{where}: is_masked {row['is_masked']!r} is neither yes nor no.", "Mend the row.")
        is_own = bool(story) and row["own_story"] == story
        if is_own and not row["label_without_it"]:
            continue
        try:
            session = pd.Timestamp(parse_date("session", row["session"]))
        except ConfigError as error:
            raise DataError(f"{where}: the session is no date.", "Write YYYY-MM-DD.") from error
        rows.append(
            {
                "session": session,
                "label": row["label_without_it"] if is_own else row["label"],
                "known_from": parse_instant(row["known_from"], where),
                "source": row["source"],
                "url": row["url"],
                "is_masked": row["is_masked"] == "yes",
                "notes": row["notes"],
            }
        )
    columns = ["session", "label", "known_from", "source", "url", "is_masked", "notes"]
    frame = pd.DataFrame(rows, columns=columns).astype({"is_masked": bool}).set_index("session").sort_index()
    frame.index = pd.DatetimeIndex(frame.index)
    if known_at is not None and len(frame):
        frame = frame[frame["known_from"] <= known_at]
    return Confounders(ticker=ticker, table=frame)
