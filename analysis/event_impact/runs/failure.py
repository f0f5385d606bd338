"""The page of a failed attempt: what failed, where, with which parameters, and what to do."""

import contextlib
import os
import re
from html import escape
from pathlib import Path

import nbformat

from event_impact.base.clock import format_instant
from event_impact.base.disk import find_free_name, publish_folder, staging_folder, write_text, writing
from event_impact.base.errors import ExecutionError, RenderError
from event_impact.base.run_record import RunRecord
from event_impact.page.markup import frame_table, mark_up_row
from event_impact.page.provenance import reproduce_line
from event_impact.page.render import PageFacts, check_page, render_page
from event_impact.runs.execute import tidy_notebook
from event_impact.runs.index import rebuild_index
from event_impact.runs.requests import Prepared
from event_impact.runs.store import read_runs

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MAX_TRACEBACK_LINES = 40


def keep_attempt(
    prepared: Prepared, error: ExecutionError | RenderError, started: str, *, notebook: str = "",
    partial: Path | None = None, body_html: str = "",
) -> ExecutionError | RenderError:  # fmt: skip
    """The same error, its page kept under ``failed/``, whole or not at all, and named; a disk that refuses is said.

    Parameters
    ----------
    notebook : str
        Where it is not that of the request.
    partial : pathlib.Path, optional
        The notebook as far as it ran.
    body_html : str
        More for the page, already escaped.
    """
    reports, study = prepared.request.reports, prepared.study
    failure = RunRecord(
        story=prepared.story, notebook=notebook or prepared.notebook_path.stem, as_of=study.as_of.isoformat(),
        status="failed", error=error.message, exit_code=error.exit_code, started_at=started,
        finished_at=format_instant(prepared.request.clock()),
        parameters=study.arguments if notebook else prepared.parameters,
    )  # fmt: skip
    stamp, ran = re.sub("[-:]", "", started), read_partial(partial)
    folder = reports / "failed" / f"{stamp}_{failure.story}_{failure.notebook.split('_', 1)[-1].replace('_', '-')}"
    try:
        with staging_folder(folder.with_name(f".{folder.name}-{os.getpid()}")) as staging, writing(folder):
            if ran is not None:
                write_text(staging / "executed.ipynb", nbformat.writes(ran))
            body_html = f"{say_next(reports, failure)}{body_html}"
            write_text(staging / "report.html", render_failure(failure, study.title, ran, body_html))
            write_text(staging / "run.json", failure.as_text())
            page = publish_folder(staging, find_free_name(folder)) / "report.html"
        rebuild_index(reports, clock=prepared.request.clock)
        said = f"See {page}."
    except (OSError, RenderError) as second:
        said = f"Its page could not be kept ({second})."
    kept = type(error)(error.message, f"{error.hint} {said}".strip())
    kept.exit_code = error.exit_code
    return kept


def say_next(reports: Path, failure: RunRecord) -> str:
    """The command that tries again, and the last good run of this page."""
    held = [s for s in read_runs(reports) if (s.story, s.notebook) == (failure.story, failure.notebook)]
    last = "No run of this page has been published yet."
    if held:
        address, run = f"../../{held[-1].address}", held[-1].run
        last = f'Last good run: <a href="{address}">as of {run.as_of}, finished {run.finished_at}</a>.'
    return f"<p>To try again: <code>{escape(reproduce_line(failure))}</code></p><p>{last}</p>"


def read_partial(partial: Path | None) -> nbformat.NotebookNode | None:
    """The notebook as far as it ran, if it can be read: a damaged one must not hide the failure itself."""
    with contextlib.suppress(Exception):
        notebook: nbformat.NotebookNode = nbformat.read(partial, as_version=4)
        tidy_notebook(notebook)
        return notebook
    return None


def describe_cell(notebook: nbformat.NotebookNode | None) -> str:
    """The failing cell and the end of its traceback, as text."""
    for cell in notebook.cells if notebook is not None else ():
        for error in (o for o in cell.get("outputs", []) if o.output_type == "error"):
            lines = ANSI.sub("", "\n".join(error.get("traceback", []))).splitlines()
            shown = "\n".join(lines[-MAX_TRACEBACK_LINES:]) or error.evalue
            return (
                f"<h2>The cell that failed</h2><pre>{escape(cell.source)}</pre>"
                f"<h2>What it said</h2><pre>{escape(shown)}</pre>"
            )
    return ""


def render_failure(failure: RunRecord, title: str, notebook: nbformat.NotebookNode | None, body_html: str = "") -> str:
    """The page, checked by the same gates as every other."""
    rows = "".join(mark_up_row(name, [value]) for name, value in failure.parameters.items())
    table = frame_table("Parameters of this attempt.", ("parameter", "value"), rows) if rows else ""
    section = (
        f'<h1>{escape(title)}: this run failed</h1><section class="failure" aria-label="Failure">'
        f"<p>{escape(str(failure.error))}</p>"
        f"<p>Nothing was published; runs published before are untouched. The command ended with exit code "
        f"{failure.exit_code}.</p></section>{body_html}{describe_cell(notebook)}{table}"
    )
    page = render_page(
        nbformat.v4.new_notebook(),
        PageFacts(
            title=f"Failed: {title}, {failure.as_of}",
            kicker="Event study",
            facts=(("as of", failure.as_of), ("status", "failed"), ("started", failure.started_at)),
            footer="Made by event-impact. Nothing of this attempt was published.",
            failure_html=section,
        ),
    )
    check_page(page)
    return page
