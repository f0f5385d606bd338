"""Runs on disk: names, locks, staging, publication by one rename, and reading them back.

Layout under ``reports/``: published runs, ``failed/``, and three folders that start with a dot:
``.locks`` (one file a story), ``.staging`` (work of the runs that hold those locks), ``.logs``.

Whoever holds the lock of a story knows that everything in that story's staging folder belongs to
dead runs: :mod:`event_impact.base.disk` has the rule for locks.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from event_impact.base.disk import hold_lock, make_folder, numbered_names, publish_folder, replace_files, staging_folder
from event_impact.base.errors import ConfigError, DataError, RenderError
from event_impact.base.run_record import DOSSIER, RunRecord, read_record

RUN_NAME = re.compile(r"\d{4}-\d{2}-\d{2}_[a-z0-9-]+_[a-z0-9-]+_[0-9a-f]{8}(-\d{1,4})?")
FAILED_NAME = re.compile(r"\d{8}T\d{6}Z_[a-z0-9-]+_[a-z0-9-]+(-\d{1,4})?")
#: What a page is called in a link, in the order of links.
PAGE_NAMES = {
    "01_alignment": "times", "02_event_study": "days", "06_minutes": "minutes", "03_robustness": "robustness",
    "04_spillover": "peers", "05_report_denial_panel": "all denials", DOSSIER: "dossier",
}  # fmt: skip


@dataclass(frozen=True)
class StoredRun:
    """One folder under ``reports/`` with its readable ``run.json``; of a request, whether it was made for it."""

    folder: Path
    run: RunRecord
    is_new: bool = False

    @property
    def page(self) -> Path:
        """The rendered report."""
        return self.folder / "report.html"

    @property
    def address(self) -> str:
        """Of its page, seen from the folder of the runs."""
        return f"{'' if self.run.is_good else 'failed/'}{quote(self.folder.name)}/report.html"

    @property
    def page_name(self) -> str:
        """What its page is called in a link."""
        return PAGE_NAMES.get(self.run.notebook, self.run.notebook)

    @property
    def order(self) -> tuple[str, str, bool, str]:
        """Sorts runs from old to new; a dossier comes after the runs it binds."""
        return self.run.finished_at, self.run.as_of, self.run.notebook == DOSSIER, self.folder.name


def read_stored(folder: Path) -> StoredRun | None:
    """The run in a folder, or None where its ``run.json`` is missing, damaged or someone else's."""
    if folder.is_symlink() or not folder.is_dir():
        return None
    try:
        text = (folder / "run.json").read_text(encoding="utf-8")
        return StoredRun(folder, read_record(json.loads(text, parse_constant=lambda _: None)))
    except (OSError, ValueError, RecursionError, DataError):
        return None


def list_folders(reports: Path) -> list[Path]:
    """Folders that are named like published runs, damaged ones among them."""
    return sorted(p for p in _entries(reports) if RUN_NAME.fullmatch(p.name))


def read_runs(reports: Path) -> list[StoredRun]:
    """All published runs, oldest first by the time they finished."""
    return _read(list_folders(reports))


def list_failed(reports: Path) -> list[Path]:
    """Folders that are named like failed attempts."""
    return sorted(p for p in _entries(reports / "failed") if FAILED_NAME.fullmatch(p.name))


def read_failures(reports: Path) -> list[StoredRun]:
    """Failed attempts, oldest first."""
    return _read(list_failed(reports))


def group_pages(runs: Iterable[StoredRun]) -> list[list[StoredRun]]:
    """The runs of each story and notebook, in the order in which they come."""
    page_of = attrgetter("run.story", "run.notebook")
    return [[*held] for _, held in groupby(sorted(runs, key=page_of), page_of)]


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(folders: list[Path]) -> list[StoredRun]:
    return sorted(filter(None, map(read_stored, folders)), key=lambda stored: stored.order)


def find_run(reports: Path, name: str) -> StoredRun:
    """A run by the name of its folder, an unambiguous beginning of it, or ``latest``.

    Raises
    ------
    ConfigError
        If nothing or more than one run fits, or the name is no name of a run.
    """
    good, failed = read_runs(reports), read_failures(reports)
    if name == "latest":
        fitting = (good or failed)[-1:]
    else:
        held = [*good, *failed]
        wanted = Path(name).name if Path(name).resolve().parent in (reports, reports / "failed") else name
        fitting = [s for s in held if s.folder.name == wanted] or [
            s for s in held if wanted and (s.folder.name.startswith(wanted) or s.folder.name.endswith(f"_{wanted}"))
        ]
    if len(fitting) != 1:
        found = "no run" if not fitting else f"{len(fitting)} runs, for instance {fitting[0].folder.name}"
        raise ConfigError(f"{name!r} names {found}.", "List the runs with: impact list")
    return fitting[0]


# ---------------------------------------------------------------- locks


def lock_story(reports: Path, story: str) -> AbstractContextManager[None]:
    """One run of a story at a time.

    Raises
    ------
    BusyError
        If another run of the story is at work.
    RenderError
        If ``reports/`` cannot be written.
    """
    return hold_lock(reports / ".locks", f"{story}.lock", f"another run of {story} is at work")


# ---------------------------------------------------------------- staging and publication


def open_staging(reports: Path, story: str, name: str) -> AbstractContextManager[Path]:
    """A fresh folder for one run; only the holder of the story's lock may call this."""
    return staging_folder(reports / ".staging" / story / name)


def clear_staging(reports: Path, story: str) -> int:
    """Remove what dead runs of a story left behind; only the holder of its lock may call this."""
    left = _entries(reports / ".staging" / story)
    shutil.rmtree(reports / ".staging" / story, ignore_errors=True)
    return len(left)


def hash_files(folder: Path) -> dict[str, str]:
    """sha256 of every file of a run but its ``run.json``, which will hold them."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / "run.json")
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def write_run(folder: Path, run: RunRecord, pages: Mapping[str, str], tables: Mapping[str, str]) -> RunRecord:
    """Write pages by file name, tables by name and, last, run.json with the sha256 of all that the folder holds."""
    (folder / "results").mkdir()
    texts = {**pages, **{f"results/{name}.csv": text for name, text in tables.items()}}
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    run = dataclasses.replace(run, files=hash_files(folder))
    (folder / "run.json").write_bytes(run.as_text().encode())
    return run


def publish(folder: Path, staging: Path) -> tuple[Path, bool]:
    """Move a whole run into place by one rename; one that says the same as a published one is dropped."""
    for target in numbered_names(folder):
        if not os.path.lexists(target):
            break
        if is_intact(target) and same_results(target, staging):
            return target, False
    return publish_folder(staging, target), True


def same_results(one: Path, other: Path) -> bool:
    """Whether two runs hold the same results, byte for byte."""
    held = [{p.name: p.read_bytes() for p in (folder / "results").glob("*.csv")} for folder in (one, other)]
    return held[0] == held[1]


def find_finished(folder: Path) -> StoredRun | None:
    """The newest whole run of that identity, if there is one: ``folder`` itself or a numbered sibling."""
    pattern = re.compile(re.escape(folder.name) + r"(-\d{1,4})?")
    fitting = [p for p in _entries(folder.parent) if pattern.fullmatch(p.name) and is_intact(p)]
    return max(filter(None, map(read_stored, fitting)), key=lambda stored: stored.order, default=None)


def is_intact(folder: Path) -> bool:
    """Whether a folder holds a whole published run, with the content it was published with."""
    stored = read_stored(folder)
    if stored is None or not stored.run.is_good:
        return False
    needed = ["report.html"] if stored.run.notebook == DOSSIER else ["report.html", "executed.ipynb"]
    with contextlib.suppress(OSError):
        is_whole = all((folder / name).is_file() for name in needed)
        return is_whole and (not stored.run.files or hash_files(folder) == stored.run.files)
    return False


#: What the index needs of every run, kept so that thousands are not read again each evening: a cache, of which what does
#: not match the ``run.json`` that lies there is read anew, and which is made again where it is lost or damaged.
FACTS = Path(".index/facts.json")
FIELDS_KEPT = "story as_of notebook title status outcome parameters source vintage finished_at error"
NUMBERS_KEPT = ("estimate", "ci95_low", "ci95_high")
MAX_SENTENCE = 240


@dataclass(frozen=True)
class RunFacts:
    """All runs and failed attempts with what an index says of them, and the folders that cannot be read."""

    good: tuple[StoredRun, ...]
    failed: tuple[StoredRun, ...]
    damaged: tuple[str, ...]


def read_facts(reports: Path) -> RunFacts:
    """The facts of every run under ``reports``, from the cache where it still holds."""
    known, held = _load(reports / FACTS), dict[str, Any]()
    groups: dict[Path, list[StoredRun]] = {reports: [], reports / "failed": []}
    damaged: list[str] = []
    for folder in (*list_folders(reports), *list_failed(reports)):
        key, mark = folder.relative_to(reports).as_posix(), _mark(folder)
        entry = known.get(key)
        if entry is None or entry["mark"] != mark:
            if (stored := read_stored(folder)) is None:
                damaged += [folder.name] * (folder.parent == reports)
                continue
            entry = {"mark": mark, "run": _shorten_run(stored.run)}
        held[key] = entry
        groups[folder.parent].append(StoredRun(folder, RunRecord(**entry["run"])))
    if held != known:
        with contextlib.suppress(OSError, RenderError):  # a disk that refuses costs time alone
            make_folder((reports / FACTS).parent)
            replace_files({reports / FACTS: json.dumps(held, ensure_ascii=False)})
    good, failed = (tuple(sorted(group, key=lambda stored: stored.order)) for group in groups.values())
    return RunFacts(good, failed, tuple(damaged))


def read_json(path: Path) -> dict[str, Any]:
    """An object of JSON; empty where none can be read."""
    with contextlib.suppress(OSError, ValueError):
        held = json.loads(path.read_text(encoding="utf-8"))
        return held if isinstance(held, dict) else {}
    return {}


def _load(path: Path) -> dict[str, dict[str, Any]]:
    """What was held of each run; nothing where any of it is damaged or of another version."""
    with contextlib.suppress(TypeError, KeyError):
        entries = read_json(path)
        for entry in entries.values():
            RunRecord(**entry["run"]), entry["mark"]
        return entries
    return {}


def _mark(folder: Path) -> str:
    """What changes whenever the record of a run is written anew; empty for what is no folder of a run."""
    with contextlib.suppress(OSError):
        status = (folder / "run.json").stat()
        return "" if folder.is_symlink() else f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
    return ""


def _shorten_run(run: RunRecord) -> dict[str, Any]:
    """The fields of a record that an index says something of."""
    headline = None if run.headline is None else {name: run.headline.get(name) for name in NUMBERS_KEPT}
    kept = {name: getattr(run, name) for name in FIELDS_KEPT.split()}
    return kept | {"headline": headline, "verdict": run.verdict[:MAX_SENTENCE]}
