"""Downloads as they were recorded: one immutable folder each, with a manifest, under ``data/vintages``.

Prices in a vintage are split-adjusted, since the provider gives no others, and not adjusted for
dividends. Nothing is ever changed in a vintage; a newer one stands beside it.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from event_impact.base.disk import find_free_name, publish_folder, staging_folder, write_text, writing
from event_impact.base.errors import DataError

VINTAGE_NAME = re.compile(r"\d{8}T\d{6}Z(-\d{1,3})?")
FILE_NAME = re.compile(r"(raw/)?((intraday/(1m|5m|60m)|earnings)/)?([A-Z0-9^][A-Z0-9.\-^=]{0,14}|factors)\.(csv|gz)")
SESSION = re.compile(r"\d{4}-\d{2}-\d{2}")
MANIFEST = "manifest.json"
FORMAT = 1
#: A larger answer, compressed, is not kept; the manifest says so.
MAX_RAW_BYTES = 2_000_000


def digest(content: bytes) -> str:
    """sha256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Vintage:
    """One download.

    Attributes
    ----------
    folder : pathlib.Path
        Its folder, named by the instant of the download in UTC.
    manifest : dict
        ``tickers`` (ticker -> rows, first and last session, currency, file), ``files`` (path -> sha256, rows),
        ``request``, ``versions``, ``recorded_at``, ``comparison``.
    """

    folder: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """The name under which pages cite it."""
        return f"{self.manifest.get('provider', 'yahoo')}-{self.folder.name}"

    def last_session(self, tickers: tuple[str, ...]) -> str:
        """The session up to which it serves all of these tickers."""
        return min(str(self.manifest["tickers"][ticker]["last_session"]) for ticker in tickers)

    def holds(self, ticker: str) -> bool:
        """Whether it has daily prices of a ticker."""
        return ticker in self.manifest["tickers"]

    def find_fault(self) -> str:
        """Why it cannot be trusted: a file that is missing or has another hash; empty when whole."""
        for name, entry in self.manifest["files"].items():
            path = self.folder / name
            if path.is_symlink() or not path.is_file():
                return f"{name} is missing"
            if digest(path.read_bytes()) != entry["sha256"]:
                return f"{name} has another hash than its manifest says"
        return ""

    def read(self, name: str) -> bytes:
        """Content of one file, checked against the manifest.

        Raises
        ------
        DataError
            If it is missing or changed.
        """
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{self.name}: {name} cannot be read ({error.strerror}).", "Fetch again.") from error
        if digest(content) != self.manifest["files"][name]["sha256"]:
            raise DataError(f"{self.name}: {name} was changed since it was recorded.", "Fetch again.")
        return content


@dataclass
class Parcel:
    """What a download has gathered for one vintage: files, what the manifest says of each, and what was missed."""

    files: dict[str, bytes] = field(default_factory=dict)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    missed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, content: bytes, *, raw: bytes = b"", **facts: Any) -> None:
        """Put a table in, and the answer that it was made from beside it, compressed."""
        self._put(name, content, facts)
        packed = gzip.compress(raw, mtime=0)
        if len(packed) > MAX_RAW_BYTES:
            self.missed[f"raw/{name}"] = f"an answer of {len(packed)} bytes, compressed, is not kept"
        elif raw:
            self._put(f"raw/{name.removesuffix('.csv')}.gz", packed, {"of": name})

    def _put(self, name: str, content: bytes, facts: dict[str, Any]) -> None:
        self.files[name] = content
        self.entries[name] = {"sha256": digest(content), **facts}

    def is_in(self, vintage: Vintage) -> bool:
        """Whether a vintage has all of these tables; the answers behind them differ each time."""
        held = vintage.manifest["files"]
        own = {name: entry["sha256"] for name, entry in self.entries.items() if not name.startswith("raw/")}
        return all(name in held and held[name]["sha256"] == sha for name, sha in own.items())


def read_vintage(folder: Path) -> Vintage | str:
    """The vintage in a folder, or why there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files, tickers = manifest["files"], manifest["tickers"].values()
        marks = [entry["file"] in files and SESSION.fullmatch(entry["last_session"]) for entry in tickers]
        marks += [isinstance(entry["sha256"], str) and FILE_NAME.fullmatch(name) for name, entry in files.items()]
        is_sound = manifest.get("format") == FORMAT and all(marks)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"its manifest cannot be read ({type(error).__name__})"
    return Vintage(folder, manifest) if is_sound else "its manifest is malformed"


def list_vintages(vintages: Path) -> tuple[list[Vintage], list[str]]:
    """Vintages with a readable manifest, oldest first by name, and what was passed over."""
    held, faults = [], []
    folders = sorted(vintages.iterdir()) if vintages.is_dir() else []
    for folder in (f for f in folders if VINTAGE_NAME.fullmatch(f.name) and not f.is_symlink()):
        if isinstance(found := read_vintage(folder), Vintage):
            held.append(found)
        else:
            faults.append(f"vintage {folder.name} passed over: {found}")
    return held, faults


def iterate_good(vintages: Path, tickers: tuple[str, ...], faults: list[str]) -> Iterator[Vintage]:
    """Whole vintages that hold all tickers, freshest first: by last recorded session, then by name.

    The name alone would trust the clock of the machine, which may have been set back.
    """
    held, said = list_vintages(vintages)
    faults.extend(said)
    fitting = [v for v in held if all(map(v.holds, tickers))]
    for vintage in sorted(fitting, key=lambda v: (v.last_session(tickers), v.folder.name), reverse=True):
        if fault := vintage.find_fault():
            faults.append(f"vintage {vintage.folder.name} passed over: {fault}")
        else:
            yield vintage


def choose_vintage(vintages: Path, tickers: tuple[str, ...]) -> tuple[Vintage | None, str]:
    """The freshest whole vintage that holds all tickers, None where the snapshot has to serve; what was passed over."""
    faults: list[str] = []
    if (vintage := next(iterate_good(vintages, tickers, faults), None)) is None:
        faults.append(f"no whole vintage holds {' and '.join(tickers)}")
    return vintage, "; ".join(faults)


def find_file(vintages: Path, ticker: str, name: str) -> Vintage | None:
    """The freshest whole vintage of a ticker that has a file."""
    return next((v for v in iterate_good(vintages, (ticker,), []) if name in v.manifest["files"]), None)


def find_last(vintages: Path, ticker: str) -> Vintage | None:
    """The vintage against which a new download of a ticker is compared."""
    return choose_vintage(vintages, (ticker,))[0]


def write_vintage(vintages: Path, stamp: str, files: dict[str, bytes], manifest: dict[str, Any]) -> Vintage:
    """Write a whole vintage and move it into place by one rename; the caller holds the lock of the folder.

    Raises
    ------
    DataError
        If the disk refuses; nothing remains then.
    """
    with staging_folder(vintages / ".staging", refusal=DataError) as staging, writing(vintages, refusal=DataError):
        for name, content in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(content)
        write_text(staging / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
        target = publish_folder(staging, find_free_name(vintages / stamp), refusal=DataError)
    return Vintage(target, manifest)
