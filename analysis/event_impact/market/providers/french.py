"""Daily factors from the Kenneth French library, where it can be reached.

Enters the network like :mod:`event_impact.market.providers.yahoo`; no notebook imports it.
"""

import io
import re
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
NAMES = {"Mkt-RF": "mkt_rf", "SMB": "smb", "HML": "hml", "RMW": "rmw", "CMA": "cma", "Mom": "mom", "RF": "rf"}
#: The library writes -99.99 or -999 for a missing number.
MISSING = -99.0
#: Median absolute difference between two vintages; the library's own revisions stay below a fifth of it.
MAX_FACTOR_CHANGE = 0.0005
MAX_BYTES = 50_000_000
TIMEOUT_S = 30


def read_url(address: str) -> bytes:
    """The content behind an address of the library."""
    with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
        return bytes(answer.read(MAX_BYTES))


def fetch_factors(first: str, data: Path, *, read: Callable[[str], bytes] = read_url) -> pd.DataFrame:
    """Daily factors as fractions from a session on, in the columns of ``data/snapshot/factors.csv``.

    Raises
    ------
    DataError
        If the library cannot be reached, its files have another shape, or its factors are not the embedded ones, save
        for the revisions that it makes.
    """
    try:
        parts = [parse_library(read(BASE + name)) for name in (FIVE_FACTORS, MOMENTUM)]
        joined = pd.concat(parts, axis=1, join="inner").rename(columns=NAMES)[list(NAMES.values())]
        joined = joined[joined.index >= pd.Timestamp(first)].copy()
        if joined.empty or joined.isna().any().any():
            raise ValueError("numbers are missing")
        apart = (PriceStore("snapshot", data).load_factors()[0] - joined).abs().median()
        if not (apart <= MAX_FACTOR_CHANGE).all():
            said = f"they differ from the embedded ones in {apart.idxmax()} by {apart.max():.2g} on half of the days"
            raise ValueError(said)
    except Exception as error:  # a damaged archive fails in many ways, and factors may fail nothing
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        said = f"the Kenneth French library gave no factors that can serve ({reason})."
        raise DataError(said, "The embedded ones serve instead.") from error
    joined.insert(0, "date", pd.DatetimeIndex(joined.index).strftime("%Y-%m-%d"))
    return joined.reset_index(drop=True)


def parse_library(content: bytes) -> pd.DataFrame:
    """One zipped CSV of the library: prose, a header, rows ``yyyymmdd, percent, ...``, prose."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = archive.infolist()[0]
        if entry.file_size > MAX_BYTES:
            raise ValueError("the file inside is too large")
        text = archive.read(entry).decode("latin-1")
    if (head := re.search(r"^\s*,(.+)$", text, re.MULTILINE)) is None:
        raise ValueError("there is no header")
    if not (rows := re.findall(r"^\s*(\d{8}\s*,.+)$", text[head.end() :], re.MULTILINE)):
        raise ValueError("there are no daily rows")
    names = ["date", *map(str.strip, head[1].split(","))]
    table = pd.read_csv(io.StringIO("\n".join(rows)), names=names, index_col="date", parse_dates=["date"]).astype(float)
    if table.index.has_duplicates:
        raise ValueError("it repeats a date")
    return table.mask(table <= MISSING) / 100
