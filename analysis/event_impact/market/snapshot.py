"""Recorded daily prices: the embedded snapshot, the freshest download, or the user's own files.

Every file that is read is hashed; the embedded ones must match ``data/manifest.csv``.
Known faults come from ``data/faults.csv`` and travel with the prices.
"""

import contextlib
import functools
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from event_impact.base.csv_tables import Tables, check_row, open_tables
from event_impact.base.errors import DataError
from event_impact.events.calendars import load_hours
from event_impact.market import checks
from event_impact.market.plausibility import find_doubts
from event_impact.market.vintages import Vintage, choose_vintage, digest, find_last

MANIFEST_COLUMNS = (
    "file", "sha256", "rows", "first_session", "last_session", "ticker", "currency",
    "exchange", "open_available", "vintage", "source",
)  # fmt: skip
BARS_FOLDER, FACTORS = "bars/", "snapshot/factors.csv"
FAULT_COLUMNS = ("ticker", "session", "field", "fault", "action", "source")
#: Stands as the source of prices that were handed over and lie in no file.
GIVEN = "given prices"


@dataclass(frozen=True, eq=False)
class PriceHistory:
    """Checked daily prices of one ticker.

    Attributes
    ----------
    frame : pandas.DataFrame
        Index session; open, high, low, close (currency of the listing), volume (shares), dividend
        (currency, on the ex-date). open, high, low may be missing.
    files : dict of str to str
        Each file read, with its sha256.
    vintage : str
        Name of the recording that the figures come from.
    faults : pandas.DataFrame
        Known faults of this ticker: session, field, fault, action.
    doubts : tuple of Doubt
        Figures that were set aside (missing in ``frame``), and figures that look wrong.
    notes : tuple of str
        How the files had to be read.
    """

    ticker: str
    exchange: str
    frame: pd.DataFrame
    files: dict[str, str]
    vintage: str
    faults: pd.DataFrame
    doubts: tuple[checks.Doubt, ...] = ()
    notes: tuple[str, ...] = ()


@functools.lru_cache(maxsize=8)
def read_manifest(tables: Tables) -> pd.DataFrame:
    """The embedded files of daily figures, one row each; bars of minutes stand in the same table and are left out."""
    manifest = tables.read("manifest.csv", MANIFEST_COLUMNS)
    return manifest[[not file.startswith(BARS_FOLDER) for file in manifest["file"]]]


def read_frame(path: Path, content: bytes) -> pd.DataFrame:
    """A CSV or Parquet file as a raw frame.

    Raises
    ------
    DataError
        If the file is neither, or damaged.
    """
    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(io.BytesIO(content))
            return frame.reset_index() if frame.index.name else frame
        if path.suffix.lower() == ".csv":
            text = {name: str for ours in ("date", "ticker") for name in (ours, ours.title(), "Symbol", "timestamp")}
            return pd.read_csv(io.BytesIO(content), dtype=text)
    except Exception as error:  # pyarrow and pandas raise many kinds for a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise checks.refuse(path.name, f"the file cannot be read ({reason})") from error
    raise checks.refuse(path.name, f"the ending {path.suffix!r} is neither .csv nor .parquet", "Convert the file.")


def read_hashed(path: Path) -> tuple[pd.DataFrame, str]:
    """A CSV or Parquet file as a raw frame, and its sha256.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror}).", "Check the path.") from error
    return read_frame(path, content), digest(content)


def list_own_files(source: str, parameter: str) -> list[Path]:
    """The CSV and Parquet files that somebody named by a parameter: one, or all of a folder.

    Raises
    ------
    DataError
        If there is none.
    """
    path, hint = Path(source).expanduser(), "Name a CSV or Parquet file, or a folder of them."
    check_row(path.exists(), parameter, f"{path} does not exist", hint)
    check_row(path.is_file() or path.is_dir(), parameter, f"{path} is no plain file", hint)
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix.lower() in (".csv", ".parquet"))
    check_row(bool(files), parameter, f"{path} holds no CSV or Parquet file", "Name a folder that does.")
    return files


def pick_rows(ticker: str, frame: pd.DataFrame, stem: str) -> pd.DataFrame:
    """The rows of a ticker: by their column of it, else all or none by the name of their file."""
    named = frame["ticker"].astype(str) if "ticker" in frame.columns else stem
    return frame[np.broadcast_to(named == ticker, len(frame))].reset_index(drop=True)


def check_listed(row: dict[Any, Any], sha: str) -> str:
    """The name of an embedded file, whose sha256 must be that of its row in the manifest.

    Raises
    ------
    DataError
        If it is another one.
    """
    if sha != row["sha256"]:
        said = f"its sha256 is {sha[:12]}..., the manifest says {row['sha256'][:12]}...."
        hint = "Restore the file from the repository; the snapshot is read-only."
        raise DataError(f"data/{row['file']} has another hash than the manifest: {said}", hint)
    return f"data/{row['file']}"


class PriceStore:
    """All prices of one source, read on demand, each file once.

    Parameters
    ----------
    source : str
        ``snapshot``, ``auto`` or the path of a file or folder.
    data : pathlib.Path or Tables
        The ``data/`` folder of the study.
    vintage : Vintage, optional
        For ``auto``: the one that serves; without one the snapshot does.
    note : str
        What was passed over.
    """

    def __init__(self, source: str, data: Path | Tables, vintage: Vintage | None = None, note: str = "") -> None:
        self.source, self.tables = source, open_tables(data)
        self.data = self.tables.folder
        self._vintage, self.note = vintage, note
        self._lenders: dict[str, Vintage | None] = {}
        self._frames: dict[Path, tuple[pd.DataFrame, str]] = {}
        self._histories: dict[tuple[str, str], PriceHistory] = {}
        self._files = [] if source in ("snapshot", "auto", GIVEN) else list_own_files(source, "source")

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, data: Path | Tables) -> "PriceStore":
        """Prices at hand, in the columns of one's own files."""
        store, path = cls(GIVEN, data), Path(GIVEN)
        store._files = [path]
        store._frames[path] = (frame, digest(frame.to_csv(index=False).encode()))
        return store

    def _read(self, path: Path) -> tuple[pd.DataFrame, str]:
        if path not in self._frames:
            self._frames[path] = read_hashed(path)
        return self._frames[path]

    def origin_of(self, ticker: str) -> str:
        """What serves a ticker: ``snapshot``, ``vintage`` or ``own files``."""
        if self.source not in ("snapshot", "auto"):
            return "own files"
        return "vintage" if self.source == "auto" and self._vintage_of(ticker) else "snapshot"

    def _vintage_of(self, ticker: str) -> Vintage | None:
        """The chosen vintage; for a ticker that it lacks, the freshest whole one that holds it."""
        if self._vintage is not None and self._vintage.holds(ticker):
            return self._vintage
        if ticker not in self._lenders:
            self._lenders[ticker] = find_last(self.data / "vintages", ticker) if self._vintage else None
        return self._lenders[ticker]

    def holds(self, ticker: str) -> bool:
        """Whether the source has rows of a ticker, or they are lent to it."""
        origin = self.origin_of(ticker)
        if origin == "vintage" or any(name == ticker for name, _ in self._histories):
            return True
        if origin == "snapshot":
            return ticker in set(read_manifest(self.tables)["ticker"])
        with contextlib.suppress(DataError):
            return bool(self._own(ticker))
        return False

    def lend(self, ticker: str, exchange: str, lender: "PriceStore") -> None:
        """Serve a listing that this source lacks by another source's figures."""
        self._histories[ticker, exchange] = lender.load(ticker, exchange)

    def load(self, ticker: str, exchange: str) -> PriceHistory:
        """Prices of a ticker, read and checked against the calendar of an exchange once.

        Raises
        ------
        DataError
            If the source has no such ticker, or any check fails.
        """
        if (ticker, exchange) not in self._histories:
            self._histories[ticker, exchange] = self._load(ticker, exchange)
        return self._histories[ticker, exchange]

    def _load(self, ticker: str, exchange: str) -> PriceHistory:
        origin = self.origin_of(ticker)
        serve = {"snapshot": self._embedded, "vintage": self._downloaded, "own files": self._own}[origin]
        parts, files, vintage = serve(ticker)
        where = f"{ticker} in {', '.join(files)}"
        notes: tuple[str, ...] = ()
        if origin == "own files":
            read = [checks.read_vendor_cells(part, where) for part in parts]
            parts, notes = [part for part, _ in read], tuple(dict.fromkeys(said for _, all_ in read for said in all_))
        frame = pd.concat([checks.parse_prices(part, where) for part in parts]).sort_index()
        if frame.index.has_duplicates:
            raise checks.refuse(where, f"{frame.index[frame.index.duplicated()][0].date()} stands in two files")
        frame, aside = checks.keep_figures(frame, load_hours(exchange), where)
        if origin == "own files":  # nobody but their owner can say why a session has no row
            aside = tuple(replace(d, state=checks.DOUBTFUL) if d.field == "row" and not d.found else d for d in aside)
        known = self.tables.read("faults.csv", FAULT_COLUMNS)
        known = known[known["ticker"] == ticker].reset_index(drop=True)
        doubts = aside
        if origin != "snapshot":
            lender = self._vintage_of(ticker) if origin == "vintage" else None
            noted = lender.manifest["tickers"][ticker].get("doubts") if lender else None  # some downloads did not look
            held = (*aside, *find_doubts(frame)) if noted is None else tuple(checks.Doubt(**entry) for entry in noted)
            passed = known[known["action"] == "accept"]
            doubts = checks.accept_doubts(held, passed["session"] + passed["field"])
            known = known.iloc[:0]
        columns = [*checks.PRICE_COLUMNS, "volume", "dividend"]
        return PriceHistory(ticker, exchange, frame[columns], files, vintage, known, doubts, notes)

    def _embedded(self, ticker: str) -> tuple[list[pd.DataFrame], dict[str, str], str]:
        manifest = read_manifest(self.tables)
        rows = manifest[manifest["ticker"] == ticker].sort_values("first_session")
        if rows.empty:
            held = ", ".join(sorted(set(manifest["ticker"]) - {""}))
            hint = f"Fetch them (impact fetch {ticker}) or give your own with --source PATH."
            raise DataError(f"the snapshot has no prices of {ticker}; it holds {held}.", hint)
        read = [(row, *self._read(self.data / row["file"])) for row in rows.to_dict("records")]
        files = {check_listed(row, sha): sha for row, _, sha in read}
        return [frame for _, frame, _ in read], files, "; ".join(dict.fromkeys(rows["vintage"]))

    def _downloaded(self, ticker: str) -> tuple[list[pd.DataFrame], dict[str, str], str]:
        vintage = self._vintage_of(ticker)
        assert vintage is not None
        frame, files = read_recorded(vintage, vintage.manifest["tickers"][ticker]["file"])
        return [frame], files, vintage.name

    def _own(self, ticker: str) -> tuple[list[pd.DataFrame], dict[str, str], str]:
        parts, files = [], {}
        for path in self._files:
            raw, sha = self._read(path)
            if len(part := pick_rows(ticker, checks.rename_columns(raw, path.name), path.stem)):
                parts.append(part)
                files[path.name] = sha
        if not parts:
            listed = dict(read_manifest(self.tables)[["ticker", "file"]].to_numpy())
            lent = f"; to mix vendors, put a copy of data/{listed[ticker]} beside yours" if ticker in listed else ""
            said = f"no rows of {ticker} in {', '.join(p.name for p in self._files[:9])}."
            hint = f"Give a column ticker, or name each file after its ticker{lent}."
            raise DataError(f"source {Path(self.source).name}: {said}", hint)
        return parts, files, "own files: " + ", ".join(files)

    def load_factors(self) -> tuple[pd.DataFrame, dict[str, str], str]:
        """Daily factors as fractions: mkt_rf, smb, hml, rmw, cma, mom, rf.

        Raises
        ------
        DataError
            If they are missing, of another hash, or look like percent.
        """
        vintage = self._vintage
        if vintage is not None and "factors.csv" in vintage.manifest["files"]:
            (raw, files), named = read_recorded(vintage, "factors.csv"), f"factors of {vintage.name}"
        else:
            manifest = read_manifest(self.tables)
            row = manifest[manifest["file"] == FACTORS]
            if row.empty:
                raise DataError("data/manifest.csv lists no factor file.", "Restore it from the repository.")
            raw, sha = self._read(self.data / FACTORS)
            files, named = {check_listed(row.iloc[0].to_dict(), sha): sha}, row["vintage"].iloc[0]
        frame = raw.set_index(pd.to_datetime(raw["date"], format="%Y-%m-%d").rename("session")).drop(columns="date")
        if frame.isna().any().any() or float(frame["mkt_rf"].abs().median()) > 0.05:
            raise DataError(f"{', '.join(files)} has gaps or looks like percent.", "Factors are fractions.")
        return frame, files, named


def read_recorded(vintage: Vintage, name: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """A table of a vintage as a raw frame, and its sha256 by its name."""
    content = vintage.read(name)
    return read_frame(Path(name), content), {f"data/vintages/{vintage.folder.name}/{name}": digest(content)}


def open_source(source: str, data: Path | Tables, tickers: tuple[str, ...] = ()) -> PriceStore:
    """The store behind the ``source`` parameter.

    Parameters
    ----------
    tickers : tuple of str
        For ``auto``: the listing and its benchmark, which must come from one download.

    Returns
    -------
    PriceStore
        Of the embedded figures, of the freshest whole vintage, or of the files that were named.

    Raises
    ------
    DataError
        If the source cannot be used.
    """
    choice = choose_vintage(open_tables(data).folder / "vintages", tickers) if source == "auto" else (None, "")
    return PriceStore(source, data, *choice)
