"""A folder of pages for readers: the index with its histories, the newest runs, a feed, and JSON beside each history.

It is the writer of the index with another folder, so that addresses stay as they are and any web server, or none, will do.
"""

import json
import shutil
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from event_impact.base.clock import format_instant
from event_impact.base.disk import (
    Content,
    make_folder,
    publish_folder,
    remove_folder,
    replace_files,
    staging_folder,
    writing,
)
from event_impact.base.errors import ConfigError
from event_impact.runs.index import HISTORY, group_stories, name_outcome, write_index
from event_impact.runs.store import RUN_NAME, RunFacts, StoredRun, group_pages, list_failed, list_folders, read_facts

SITE_MARK = ".event-impact-site"
OWN_NAMES = {"index.html", "feed.xml", HISTORY, "failed"}
SHOWN_FILES = ("report.html", "appendix.html", "run.json")
ENTRIES = 50


def build_site(reports: Path, folder: Path, *, at: datetime, runs_kept: int = 30, address: str = "") -> int:
    """Bring a site to the state of the runs; returns how many runs it shows.

    Parameters
    ----------
    runs_kept : int
        Pages of so many runs of each story and notebook are copied, the newest; all are listed.
    address : str
        Where the site will stand, for the links of the feed; relative ones without it.

    Raises
    ------
    ConfigError
        If the folder holds other files.
    RenderError
        If it cannot be written.
    """
    folder = folder.expanduser().absolute()
    _refuse_others(folder, reports)
    facts = read_facts(reports)
    newest = [s for runs in group_pages(facts.good) for s in runs[-runs_kept:]]
    shown = {s.folder.name: s for s in (*newest, *(runs[-1] for runs in group_pages(facts.failed)))}
    with writing(folder):
        make_folder(folder)
        (folder / SITE_MARK).touch()
        for stored in shown.values():
            _copy_run(stored, folder / stored.folder.relative_to(reports), folder)
    write_index(facts, folder, at=at, has_page=lambda stored: stored.folder.name in shown)
    stories = group_stories(facts)
    place = folder / HISTORY
    pages: dict[Path, Content] = {place / f"{story}.json": _write_json(story, runs) for story, runs in stories.items()}
    replace_files(pages | {folder / "feed.xml": render_feed(facts, shown, at, address)})
    with writing(folder):
        for old in (*list_folders(folder), *list_failed(folder)):
            if old.name not in shown:
                remove_folder(old, folder / ".old")
        for path in place.glob("*.json"):
            if path.stem not in stories:
                path.unlink()
    return len(shown)


def _refuse_others(folder: Path, reports: Path) -> None:
    if folder.resolve() == reports.resolve() or reports.resolve() in folder.resolve().parents:
        raise ConfigError(f"{folder} is where runs are published.", "Name a folder of its own for the site.")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is no folder.", "Name a new or empty one.")
    held = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    if SITE_MARK in held:
        held = [n for n in held if not (n in OWN_NAMES or n.startswith((".", "index-")) or RUN_NAME.fullmatch(n))]
    if held:
        what = f"{folder} holds other files, for instance {held[0]}."
        raise ConfigError(what, "Name a new or empty folder, or the one of an earlier site.")


def _copy_run(stored: StoredRun, target: Path, folder: Path) -> None:
    """The pages and tables of a run, whole or not at all; a run never changes once it is published."""
    if target.is_dir():
        return
    with staging_folder(folder / ".staging" / target.name) as staging:
        for name in SHOWN_FILES:
            if (stored.folder / name).is_file():
                shutil.copyfile(stored.folder / name, staging / name)
        for part in ("results", "runs"):
            if (stored.folder / part).is_dir():
                shutil.copytree(stored.folder / part, staging / part, ignore=shutil.ignore_patterns("*.ipynb"))
        make_folder(target.parent)
        publish_folder(staging, target)


def _write_json(story: str, runs: list[StoredRun]) -> str:
    rows: list[dict[str, Any]] = [
        {
            "run": s.folder.name, "notebook": s.run.notebook, "as_of": s.run.as_of, "status": s.run.status,
            "outcome": s.run.outcome, **(s.run.headline or {}), "parameters": s.run.parameters,
            "vintage": s.run.vintage, "finished_at": s.run.finished_at,
        }
        for s in runs
    ]  # fmt: skip
    return json.dumps({"story": story, "runs": rows}, indent=1, ensure_ascii=False) + "\n"


def render_feed(facts: RunFacts, shown: dict[str, StoredRun], at: datetime, address: str) -> str:
    """The newest runs as an Atom feed; the id of an entry is the name of its run."""
    base = f"{address.rstrip('/')}/" if address else ""
    entries = ""
    for stored in [s for s in reversed(facts.good) if s.folder.name in shown][:ENTRIES]:
        run = stored.run
        title = f"{run.title or run.story}: {name_outcome(stored)} ({stored.page_name}, as of {run.as_of})"
        entries += (
            f"<entry><id>urn:event-impact:{escape(stored.folder.name)}</id><title>{escape(title)}</title>"
            f"<updated>{escape(run.finished_at)}</updated><summary>{escape(run.verdict)}</summary>"
            f'<link href="{escape(base + stored.address)}"/></entry>\n'
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>{escape(base) or 'urn:event-impact:site'}</id><title>Event studies</title>"
        f"<updated>{format_instant(at.astimezone(UTC))}</updated><author><name>event-impact</name></author>"
        f'<link rel="self" href="{escape(base)}feed.xml"/>\n{entries}</feed>\n'
    )
