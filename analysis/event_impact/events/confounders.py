"""Sessions of a listing of which something is known: other news that can have moved it, and controls of the tests."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from event_impact.base.config import parse_date
from event_impact.base.csv_tables import Tables, check_words, open_tables
from event_impact.base.errors import ConfigError, DataError
from event_impact.events.articles import parse_instant

#: ``own_story`` is the story that an item is a report of: for it the item is no other news.
CONFOUNDER_COLUMNS = (
    "ticker", "session", "label", "known_from", "source", "url", "is_masked", "notes", "own_story", "label_without_it",
)  # fmt: skip
CONTROL_COLUMNS = ("ticker", "session", "label", "expected", "source")
EXPECTATIONS = ("must_reject", "must_not_reject")


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

    @cached_property
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
    table, rows = open_tables(data).read("confounders.csv", CONFOUNDER_COLUMNS), []
    for row in table[table["ticker"] == ticker].to_dict("records"):
        where = f"confounders.csv, {ticker} {row['session']}"
        check_words(row, where, is_masked=("yes", "no"))
        is_own = bool(story) and row["own_story"] == story
        label = row["label_without_it"] if is_own else row["label"]
        if label or not is_own:
            session, known_from = _read_session(row["session"], where), parse_instant(row["known_from"], where)
            rows.append(
                (session, label, known_from, row["source"], row["url"], row["is_masked"] == "yes", row["notes"])
            )
    columns = ["session", "label", "known_from", "source", "url", "is_masked", "notes"]
    frame = pd.DataFrame(rows, columns=columns).astype({"is_masked": bool}).set_index("session").sort_index()
    frame.index = pd.DatetimeIndex(frame.index)
    if known_at is not None and len(frame):
        frame = frame[frame["known_from"] <= known_at]
    return Confounders(ticker=ticker, table=frame)


@dataclass(frozen=True)
class Control:
    """A real session on which a test of the firm should reject, or one on which it should not.

    Attributes
    ----------
    ticker : str
    session : pandas.Timestamp
    label : str
        What happened, or that nothing did.
    expected : str
        ``must_reject`` or ``must_not_reject``: what a sound test says of the session.
    source : str
        Where that is recorded.
    """

    ticker: str
    session: pd.Timestamp
    label: str
    expected: str
    source: str


def load_controls(data: Path | Tables) -> tuple[Control, ...]:
    """All controls, in the order of ``controls.csv``.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the tables.

    Returns
    -------
    tuple of Control

    Raises
    ------
    DataError
        For a malformed row.
    """
    controls = []
    for row in open_tables(data).read("controls.csv", CONTROL_COLUMNS).to_dict("records"):
        where = f"controls.csv, {row['ticker']} {row['session']}"
        check_words(row, where, expected=EXPECTATIONS)
        session = _read_session(row["session"], where)
        controls.append(Control(row["ticker"], session, row["label"], row["expected"], row["source"]))
    return tuple(controls)


def _read_session(text: str, where: str) -> pd.Timestamp:
    try:
        return pd.Timestamp(parse_date("session", text))
    except ConfigError as error:
        raise DataError(f"{where}: the session is no date.", "Write YYYY-MM-DD.") from error
