"""Where bars come from: the embedded files, vintages of downloads, or the user's own files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from event_impact.base.csv_tables import Tables, open_tables, read_table
from event_impact.base.errors import DataError
from event_impact.market import snapshot
from event_impact.market.bars import LABELS, Bars, Convention, build_bars
from event_impact.market.checks import refuse
from event_impact.market.vintages import list_vintages

# Columns of a manifest that say what the labels of a file of bars mean.
BAR_COLUMNS = ("bar_minutes", "label", "shift_minutes", "zone")
CLOCKS = {"starts_at": "start", "ends_at": "end"}
OWN_CLOCK = f"Name the time column starts_at or ends_at, or add a manifest.csv of file,{','.join(BAR_COLUMNS)}."


@dataclass(frozen=True)
class BarRequest:
    """Which bars are asked for: ``source`` is ``snapshot``, ``auto`` or a path; ``minutes`` the length wanted."""

    source: str
    data: Path | Tables
    exchange: str
    session: pd.Timestamp
    minutes: int


@dataclass(frozen=True)
class _Part:
    """Raw bars with a column ``label``, what that means, and the files they come from."""

    files: dict[str, str]
    raw: pd.DataFrame
    convention: Convention
    vintage: str


def find_bars(ticker: str, request: BarRequest) -> Bars | None:
    """Bars of a ticker that hold a session, the longest that make the wanted length; None where there is none.

    Raises
    ------
    DataError
        If a file is damaged or its labels are contradicted, or only longer bars are recorded.
    """
    if request.source in ("snapshot", "auto"):
        folder = open_tables(request.data).folder
        parts = (_downloaded(ticker, folder) if request.source == "auto" else []) or _embedded(ticker, request)
    else:
        parts = _own(ticker, request.source)
    lengths = {part.convention.bar_minutes for part in parts}
    fitting = [minutes for minutes in lengths if request.minutes % minutes == 0]
    if lengths and not fitting:
        said = f"bars of {' and '.join(map(str, sorted(lengths)))} minutes are recorded, not of {request.minutes}."
        raise DataError(f"{ticker}: {said}", f"Ask for bar_minutes={min(lengths)}.")
    if not fitting:
        return None
    chosen = [part for part in parts if part.convention.bar_minutes == max(fitting)]
    files = {name: sha for part in chosen for name, sha in part.files.items()}
    if len({part.convention for part in chosen}) > 1:
        raise refuse(f"bars of {ticker} in {', '.join(files)}", "their labels mean different things", "Name one file.")
    raw = pd.concat([part.raw for part in chosen], ignore_index=True)
    if request.source == "auto":  # each bar as it was recorded first
        raw = raw.drop_duplicates("label").sort_values("label", ignore_index=True)
    vintage = "; ".join(dict.fromkeys(part.vintage for part in chosen))
    about = {"ticker": ticker, "exchange": request.exchange, "vintage": vintage}
    bars = build_bars(raw, chosen[0].convention, files=files, **about)
    return bars if (bars.regular["session"] == request.session).any() else None


def _embedded(ticker: str, request: BarRequest) -> list[_Part]:
    tables = open_tables(request.data)
    manifest = tables.read("manifest.csv", snapshot.MANIFEST_COLUMNS)
    day = request.session.date().isoformat()
    rows = manifest[manifest["file"].str.startswith(snapshot.BARS_FOLDER) & (manifest["ticker"] == ticker)]
    parts = []
    for row in rows[(rows["first_session"] <= day) & (rows["last_session"] >= day)].to_dict("records"):
        raw, sha = _read(tables.folder / row["file"])
        parts.append(_Part({snapshot.check_listed(row, sha): sha}, raw, _convention(row), row["vintage"]))
    return parts


def _downloaded(ticker: str, data: Path) -> list[_Part]:
    """What each whole vintage recorded, oldest first, labelled by the UTC instant at which a bar begins.

    A bar that was still running at the instant of the download is no bar.
    """
    parts = []
    for vintage in list_vintages(data / "vintages")[0]:
        recorded_at = pd.to_datetime(vintage.folder.name[:16], format="%Y%m%dT%H%M%SZ", utc=True)
        names = [n for n in vintage.manifest["files"] if n.startswith("intraday/") and n.endswith(f"/{ticker}.csv")]
        for name in names if names and not vintage.find_fault() else []:
            raw, sha = _read(vintage.folder / name)
            minutes = int(name.split("/")[1].removesuffix("m"))
            is_whole = pd.to_datetime(raw["label"], utc=True) + pd.Timedelta(minutes=minutes) <= recorded_at
            files = {f"data/vintages/{vintage.folder.name}/{name}": sha}
            parts.append(_Part(files, raw[is_whole], Convention(minutes, "start"), vintage.name))
    return parts


def _own(ticker: str, source: str) -> list[_Part]:
    """One's own files: named after their ticker or with a column of it; labels as their column or a manifest says."""
    files = snapshot.list_own_files(source, "bars")
    said, parts = files[0].with_name("manifest.csv"), []
    rows = read_table(said, ("file", *BAR_COLUMNS)).set_index("file").T.to_dict() if said.is_file() else {}
    for file in (file for file in files if file != said):
        (raw, sha), name = _read(file), file.name
        if len(raw := snapshot.pick_rows(ticker, raw, file.stem.split("_")[0])):
            convention = _convention(rows[name]) if name in rows else _read_clock(raw, name)
            raw = raw.rename(columns=dict.fromkeys(CLOCKS, "label"))
            parts.append(_Part({name: sha}, raw, convention, f"own file: {name}"))
    return parts


def _read(path: Path) -> tuple[pd.DataFrame, str]:
    """A raw table and its sha256; the time column of downloads is named as ours."""
    frame, sha = snapshot.read_hashed(path)
    return frame.rename(columns={"minute": "label"}), sha


def _read_clock(raw: pd.DataFrame, name: str) -> Convention:
    """What the time column of a file says of itself, and the usual step between its bars."""
    if (clock := next((column for column in CLOCKS if column in raw.columns), None)) is None:
        raise refuse(name, "nothing says whether its labels are the start or the end of a bar", OWN_CLOCK)
    steps = pd.to_datetime(raw[clock], utc=True, errors="coerce").diff().dt.total_seconds() / 60
    return _convention({"bar_minutes": steps[steps > 0].mode().min(), "label": CLOCKS[clock]})


def _convention(row: Mapping[Any, Any]) -> Convention:
    try:
        minutes, zone = float(row["bar_minutes"]), str(row.get("zone") or "UTC")
        pd.Timestamp("2000-01-01").tz_localize(zone)
        convention = Convention(int(minutes), str(row["label"]), int(row.get("shift_minutes") or 0), zone)
        if convention.label not in LABELS or minutes != convention.bar_minutes or not 1 <= minutes <= 60:
            raise ValueError("expected 1 to 60 whole minutes and a label that is start or end")
        return convention
    except (ValueError, KeyError) as error:
        said = ", ".join(f"{name}={row.get(name, '')}" for name in BAR_COLUMNS)
        raise DataError(f"a file of bars says {said}: {error}.", "See data/README.md.") from error
