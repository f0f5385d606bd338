"""What the index needs of every run, kept beside the runs so that thousands are not read again each evening.

``.index/facts.jsonl`` is a cache: whatever in it does not match the ``run.json`` that lies there is read anew,
and a lost or damaged one is made again from them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from event_impact.base.disk import make_folder, replace_files
from event_impact.base.errors import RenderError
from event_impact.base.run_record import RunRecord
from event_impact.runs.store import StoredRun, list_failed, list_folders, read_stored

FACTS = Path(".index/facts.jsonl")
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
    known, lines = _load(reports / FACTS)
    fresh: dict[str, dict[str, Any]] = {}
    groups: list[list[StoredRun]] = [[], []]
    damaged: list[str] = []
    for held, folders in zip(groups, (list_folders(reports), list_failed(reports)), strict=True):
        for folder in folders:
            key, mark = folder.relative_to(reports).as_posix(), _mark(folder)
            entry = known.get(key)
            if entry is None or entry["mark"] != mark:
                stored = read_stored(folder)
                if stored is None:
                    if held is groups[0]:
                        damaged.append(folder.name)
                    continue
                entry = fresh[key] = {"key": key, "mark": mark, "run": _shorten_run(stored.run).as_json()}
            held.append(StoredRun(folder, RunRecord(**entry["run"])))
    if fresh:
        live = {s.folder.relative_to(reports).as_posix() for held in groups for s in held}
        _save(reports / FACTS, known, fresh, live, lines)
    good, failed = (tuple(sorted(held, key=lambda s: s.order)) for held in groups)
    return RunFacts(good, failed, tuple(damaged))


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
        error=run.error and run.error[:MAX_SENTENCE],
    )  # fmt: skip


def _load(path: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """Entries by key, the last of each; what was cut off or is of another version is passed over."""
    entries: dict[str, dict[str, Any]] = {}
    count = 0
    with contextlib.suppress(OSError), path.open(encoding="utf-8") as handle:
        for line in handle:
            count += 1
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                entry = json.loads(line)
                RunRecord(**entry["run"])
                entries[entry["key"]] = {"key": entry["key"], "mark": entry["mark"], "run": entry["run"]}
    return entries, count


def _save(
    path: Path, known: dict[str, dict[str, Any]], fresh: dict[str, dict[str, Any]], live: set[str], lines: int
) -> None:
    """Append what is new, or write all anew once most lines are out of date; a disk that refuses costs time alone."""
    whole = {key: entry for key, entry in (known | fresh).items() if key in live}
    with contextlib.suppress(OSError, RenderError):
        make_folder(path.parent)
        if lines + len(fresh) > 2 * len(whole) + 100 or not lines:
            replace_files({path: "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in whole.values())})
            return
        with path.open("a", encoding="utf-8") as handle:
            handle.write(
                "\n" * _is_cut(path) + "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in fresh.values())
            )


def _is_cut(path: Path) -> bool:
    """Whether the last line was not written whole."""
    with path.open("rb") as handle:
        handle.seek(-1, os.SEEK_END)
        return handle.read(1) != b"\n"
