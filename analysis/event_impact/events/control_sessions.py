"""Real sessions on which a test of the firm should reject, and others on which it should not."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from event_impact.base.csv_tables import Tables, open_tables
from event_impact.base.errors import DataError

CONTROL_COLUMNS = ("ticker", "session", "label", "expected", "source")
EXPECTATIONS = ("must_reject", "must_not_reject")


@dataclass(frozen=True)
class Control:
    """One session of one listing with what a sound test says of it.

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
        if row["expected"] not in EXPECTATIONS:
            raise DataError(f"{where}: expected is {row['expected']!r}, not {' or '.join(EXPECTATIONS)}.", "Mend it.")
        try:
            session = pd.Timestamp(row["session"])
        except ValueError as error:
            raise DataError(f"{where}: the session is no date.", "Write YYYY-MM-DD.") from error
        controls.append(Control(row["ticker"], session, row["label"], row["expected"], row["source"]))
    return tuple(controls)
