"""What the index needs of every run, kept beside the runs so that thousands are not read again each evening.

``.index/facts.json`` is a cache: whatever in it does not match the ``run.json`` that lies there is read anew,
and a lost or damaged one is made again from them.
"""

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from event_impact.base.disk import make_folder, replace_files
from event_impact.base.errors import RenderError
from event_impact.base.run_record import RunRecord
from event_impact.runs.store import StoredRun, list_failed, list_folders, read_stored

FACTS = Path(".index/facts.json")
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
    groups: list[tuple[StoredRun, ...]] = []
    damaged: list[str] = []
    for folders in (list_folders(reports), list_failed(reports)):
        group = []
        for folder in folders:
            key, mark = folder.relative_to(reports).as_posix(), _mark(folder)
            entry = known.get(key)
            if entry is None or entry["mark"] != mark:
                stored = read_stored(folder)
                if stored is None:
                    damaged += [folder.name] * (folder.parent == reports)
                    continue
                entry = {"mark": mark, "run": _shorten_run(stored.run).as_json()}
            held[key] = entry
            group.append(StoredRun(folder, RunRecord(**entry["run"])))
        groups.append(tuple(sorted(group, key=lambda s: s.order)))
    if held != known:
        with contextlib.suppress(OSError, RenderError):  # a disk that refuses costs time alone
            make_folder((reports / FACTS).parent)
            replace_files({reports / FACTS: json.dumps(held, ensure_ascii=False)})
    return RunFacts(groups[0], groups[1], tuple(damaged))


def _load(path: Path) -> dict[str, dict[str, Any]]:
    """What was held of each run; nothing where any of it is damaged or of another version."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        entries: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        for entry in entries.values():
            RunRecord(**entry["run"]), entry["mark"]
        return entries
    return {}


def _mark(folder: Path) -> str:
    """What changes whenever the record of a run is written anew; empty for what is no folder of a run."""
    if folder.is_symlink():
        return ""
    with contextlib.suppress(OSError):
        status = (folder / "run.json").stat()
        return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
    return ""


def _shorten_run(run: RunRecord) -> RunRecord:
    """The record without what no index says."""
    headline = None if run.headline is None else {name: run.headline.get(name) for name in NUMBERS_KEPT}
    return dataclasses.replace(
        run, inputs={}, versions={}, files={}, candidates=[], identified={}, parts=None, plain="", panel=None, commit=None,
        headline=headline, companion=None, verdict=run.verdict[:MAX_SENTENCE], finding=run.finding[:MAX_SENTENCE],
    )  # fmt: skip
