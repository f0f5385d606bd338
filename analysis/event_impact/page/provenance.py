"""What a run leaves behind for machines, and what is needed to make it again."""

import importlib.metadata
import platform
import shlex
import subprocess
from html import escape
from pathlib import Path

from event_impact.base.code_digest import VERSION
from event_impact.base.config import StudyConfig
from event_impact.base.run_record import DOSSIER, RunRecord

RECORD_MIME = "application/vnd.event-impact.record+json"
REPORTED_PACKAGES = (
    "numpy", "pandas", "scipy", "statsmodels", "exchange-calendars",
    "papermill", "nbconvert", "ipykernel",
)  # fmt: skip


def read_versions() -> dict[str, str]:
    """Versions of Python, of this package and of what it computes with."""
    versions = {"python": platform.python_version(), "event-impact": VERSION}
    return versions | {name: importlib.metadata.version(name) for name in REPORTED_PACKAGES}


def read_commit(root: Path) -> str | None:
    """The commit of the study, None outside git or before its first commit."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def reproduce_line(run: RunRecord) -> str:
    """The one command that makes this run again."""
    defaults = StudyConfig().as_parameters()
    if "story" not in run.parameters:  # a sample: its files take the place of a story
        given = (f"-p {k}={shlex.quote(str(v))}" for k, v in run.parameters.items() if v != "")
        return " ".join((f"impact run {run.notebook}", *given))
    verb = f"impact {DOSSIER}" if run.notebook == DOSSIER else f"impact run {run.notebook} --story"
    changed = {k: v for k, v in run.parameters.items() if k not in ("story", "as_of") and str(v) != str(defaults[k])}
    flags = (f"{'--source ' if k == 'source' else f'-p {k}='}{shlex.quote(str(v))}" for k, v in changed.items())
    return " ".join((f"{verb} {run.story} --as-of {run.as_of}", *flags))


def provenance_html(run: RunRecord, notebook: str) -> str:
    """The closing block of a page: versions, commit, times, how to repeat and how to cite."""
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    commit = f"Commit {run.commit}" if run.commit else "Not under version control"
    year = run.finished_at[:4]
    return (
        '<section data-provenance aria-label="Provenance"><h2 id="provenance">How this page was made</h2>'
        f"<p>Started {escape(run.started_at)}, finished {escape(run.finished_at)}. "
        f"{escape(commit)}. {escape(versions)}.</p>"
        f"<p>To make it again: <code>{escape(reproduce_line(run))}</code></p>"
        f"<p>To cite: The event-impact project ({escape(year)}), {escape(run.story)}, {escape(notebook)}, "
        f"as of {escape(run.as_of)}, version {escape(VERSION)}.</p></section>"
    )
