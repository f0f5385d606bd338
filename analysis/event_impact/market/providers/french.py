"""Daily factors from the Kenneth French library, where it can be reached.

Enters the network like :mod:`event_impact.market.providers.yahoo`; no notebook imports it.
"""

from __future__ import annotations

import io
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from event_impact.base.errors import DataError
from event_impact.market.snapshot import PriceStore

BASE = "https://mba.tuck.dartmouth.edu/pages/faculty/ken.french/ftp/"
FIVE_FACTORS = "F-F_Research_Data_5_Factors_2x3_daily_CSV.zip"
MOMENTUM = "F-F_Momentum_Factor_daily_CSV.zip"
NAMES = {"Mkt-RF": "mkt_rf", "SMB": "smb", "HML": "hml", "RMW": "rmw", "CMA": "cma", "RF": "rf", "Mom": "mom"}
COLUMNS = ("date", "mkt_rf", "smb", "hml", "rmw", "cma", "mom", "rf")
MISSING = -99.0
"""The library writes -99.99 or -999 for a missing number."""
MAX_FACTOR_CHANGE = 0.0005
"""Median absolute difference between two vintages; the library's own revisions stay below a fifth of it."""
MAX_BYTES = 50_000_000
TIMEOUT_S = 30


def read_url(address: str) -> bytes:
    """The content behind an address of the library."""
    with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
        return bytes(answer.read(MAX_BYTES))


def fetch_factors(first: str, *, read: Callable[[str], bytes] = read_url) -> pd.DataFrame:
    """Daily factors as fractions from a session on, in the columns of ``data/snapshot/factors.csv``.

    Raises
    ------
    DataError
        If the library cannot be reached, or its files have another shape.
    """
    try:
        parts = [parse_library(read(BASE + name)) for name in (FIVE_FACTORS, MOMENTUM)]
    except Exception as error:  # a damaged archive fails in many ways, and factors may fail nothing
        raise DataError(
            f"the Kenneth French library gave no factors ({type(error).__name__}: {error}).",
            "The embedded factors serve instead.",
        ) from error
    if any(part.index.has_duplicates for part in parts):
        raise DataError("the Kenneth French library's table repeats a date.", "The embedded factors serve instead.")
    joined = pd.concat(parts, axis=1, join="inner").rename(columns=NAMES)
    joined = joined[joined.index >= pd.Timestamp(first)].reset_index(names="date")
    missing = [name for name in COLUMNS if name not in joined.columns]
    if missing or joined.empty or joined.isna().any().any():
        raise DataError(
            f"the Kenneth French library's table lacks {', '.join(missing) or 'numbers'}.",
            "The embedded factors serve instead.",
        )
    joined["date"] = joined["date"].dt.strftime("%Y-%m-%d")
    return joined.loc[:, list(COLUMNS)]


def compare_factors(table: pd.DataFrame, data: Path) -> None:
    """Refuse factors that are not those of the embedded file, save for the revisions that the library makes.

    Raises
    ------
    DataError
        If no session is shared, or the median difference of a factor exceeds :data:`MAX_FACTOR_CHANGE`.
    """
    try:
        embedded = PriceStore("snapshot", data).load_factors()[0]
    except DataError:  # a study without them has nothing to compare with
        return
    new = table.set_axis(pd.to_datetime(table["date"])).drop(columns="date")
    shared = embedded.index.intersection(new.index)
    apart = (embedded.loc[shared] - new.loc[shared]).abs().median()
    if shared.empty or not (apart <= MAX_FACTOR_CHANGE).all():
        said = (
            "share no session"
            if shared.empty
            else f"differ in {apart.idxmax()} by {apart.max():.2g} on half of the days"
        )
        raise DataError(
            f"the Kenneth French library's factors and the embedded ones {said}.", "The embedded ones serve."
        )


def parse_library(content: bytes) -> pd.DataFrame:
    """One zipped CSV of the library: prose, a header, rows ``yyyymmdd, percent, ...``, prose."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = archive.infolist()[0]
        if entry.file_size > MAX_BYTES:
            raise ValueError("the file inside is too large")
        lines = archive.read(entry).decode("latin-1").splitlines()
    head = next((i for i, line in enumerate(lines) if line.strip().startswith(",")), None)
    if head is None:
        raise ValueError("there is no header")
    names = [name.strip() for name in lines[head].split(",")[1:]]
    rows = []
    for line in lines[head + 1 :]:
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(names) + 1 or not (cells[0].isdigit() and len(cells[0]) == 8):
            break
        rows.append(cells)
    if not rows:
        raise ValueError("there are no daily rows")
    table = pd.DataFrame([row[1:] for row in rows], columns=names).astype(float)
    table = table.mask(table <= MISSING) / 100
    return table.set_axis(pd.to_datetime([row[0] for row in rows], format="%Y%m%d"))
