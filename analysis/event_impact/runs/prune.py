"""Remove old runs without ever removing the last good one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from event_impact.base.disk import remove_folder
from event_impact.base.errors import BusyError, ConfigError
from event_impact.runs.index import rebuild_index
from event_impact.runs.store import StoredRun, is_intact, lock_story, read_failures, read_runs


@dataclass(frozen=True)
class Pruned:
    """Folders removed, and stories left alone because a run of theirs was at work."""

    removed: tuple[str, ...]
    busy: tuple[str, ...]


def choose_old(runs: list[StoredRun], keep: int) -> list[StoredRun]:
    """Runs of one story and notebook that may go: all but the newest ``keep`` and the newest whole one."""
    newest_first = sorted(runs, key=lambda s: s.order, reverse=True)
    kept = newest_first[:keep]
    if not any(is_intact(s.folder) for s in kept):
        kept += [s for s in newest_first[keep:] if is_intact(s.folder)][:1]
    return [s for s in newest_first if s not in kept]


def prune_runs(reports: Path, keep: int, *, is_trial: bool = False) -> Pruned:
    """Keep the newest ``keep`` runs, and as many failed attempts, of each story and notebook.

    Folders that cannot be read are never removed: someone should look at them.

    Raises
    ------
    ConfigError
        If ``keep`` is less than 1.
    """
    if keep < 1:
        raise ConfigError(f"--keep: expected at least 1, found {keep}.", "The last good run is never removed.")
    groups: dict[str, list[list[StoredRun]]] = {}
    for held in (read_runs(reports), read_failures(reports)):
        by_name: dict[tuple[str, str], list[StoredRun]] = {}
        for stored in held:
            by_name.setdefault((stored.story, stored.notebook), []).append(stored)
        for (story, _), runs in by_name.items():
            groups.setdefault(story, []).append(runs)
    removed, busy = [], []
    for story, parts in sorted(groups.items()):
        old = [s for runs in parts for s in choose_old(runs, keep)]
        if not old:
            continue
        if is_trial:
            removed += [s.folder.name for s in old]
            continue
        try:
            with lock_story(reports, story):
                for stored in old:
                    name = stored.folder.name
                    remove_folder(stored.folder, reports / ".staging" / story / f"removed-{name}")
                    removed.append(name)
        except BusyError:
            busy.append(story)
    if removed and not is_trial:
        rebuild_index(reports)
    return Pruned(tuple(removed), tuple(busy))
