"""Remove old runs and vintages, never the last good one, never a run that somebody starred or signed."""

from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from event_impact.base.disk import hold_lock, make_folder, remove_folder, replace_files
from event_impact.base.errors import BusyError, ConfigError, DataError
from event_impact.market.vintages import iterate_good, list_vintages
from event_impact.runs.index import rebuild_index
from event_impact.runs.store import StoredRun, group_pages, is_intact, lock_story, read_failures, read_runs

STARS = ".stars"


@dataclass(frozen=True)
class Pruned:
    """Folders removed, and stories left alone because a run of theirs was at work."""

    removed: tuple[str, ...]
    busy: tuple[str, ...]


def choose_old(runs: list[StoredRun], keep: int, starred: Collection[str] = ()) -> list[StoredRun]:
    """Runs of one story and notebook that may go: all but the newest ``keep``, the newest whole one, and starred ones."""
    newest_first = sorted(runs, key=lambda s: s.order, reverse=True)
    kept = newest_first[:keep]
    if not any(is_intact(s.folder) for s in kept):
        kept += [s for s in newest_first[keep:] if is_intact(s.folder)][:1]
    return [s for s in newest_first if s not in kept and s.folder.name not in starred]


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
    starred, olds = list_starred(reports), dict[str, list[StoredRun]]()
    for held in (read_runs(reports), read_failures(reports)):
        for runs in group_pages(held):
            olds.setdefault(runs[0].run.story, []).extend(choose_old(runs, keep, starred))
    removed, busy = list[str](), list[str]()
    for story, old in sorted(olds.items()):
        try:
            with nullcontext() if is_trial or not old else lock_story(reports, story):
                for stored in old:
                    name = stored.folder.name
                    if not is_trial:
                        remove_folder(stored.folder, reports / ".staging" / story / f"removed-{name}")
                    removed.append(name)
        except BusyError:
            busy.append(story)
    if removed and not is_trial:
        rebuild_index(reports)
    return Pruned(tuple(removed), tuple(busy))


def list_starred(reports: Path) -> set[str]:
    """Names of the runs that somebody starred."""
    return {path.name for path in (reports / STARS).glob("*")}


def star_run(stored: StoredRun, reports: Path, note: str) -> Path:
    """Keep a run for good, with a note such as the name of who signed it."""
    target = make_folder(reports / STARS) / stored.folder.name
    replace_files({target: f"{note}\n"})
    return target


def prune_vintages(vintages: Path, reports: Path, keep: int) -> tuple[str, ...]:
    """Remove downloads beyond the newest ``keep`` that nothing needs any more; returns their names.

    One stays that a run rests on, that holds bars of minutes (no provider gives them again), or that is the last
    whole one of any ticker.

    Raises
    ------
    BusyError
        If a download is at work.
    """
    with hold_lock(vintages, ".lock", "another download is at work", refusal=DataError):
        held = list_vintages(vintages)[0]
        cited = " ".join({s.run.vintage for s in read_runs(reports)})
        tickers = {ticker for vintage in held for ticker in vintage.manifest["tickers"]}
        last = {next((v.name for v in iterate_good(vintages, (ticker,), [])), "") for ticker in tickers}
        bars = {v.name for v in held if any(name.startswith("intraday/") for name in v.manifest["files"])}
        old = [v for v in held[:-keep] if v.folder.name not in cited and v.name not in last | bars]
        for vintage in old:
            remove_folder(vintage.folder, vintages / ".staging" / f"removed-{vintage.folder.name}")
    return tuple(v.folder.name for v in old)
