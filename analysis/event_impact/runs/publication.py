"""What follows a request found good: execute, check, render, publish by one rename.

A published run is never overwritten; a failed attempt keeps its page and blocks nothing. Wherever the runner is
stopped, what was published before stays as it was and the next run cleans up.
"""

import contextlib
import dataclasses
import os
import re
from functools import partial
from html import escape
from pathlib import Path

import nbformat

from event_impact.base.clock import format_instant
from event_impact.base.code_digest import digest_package, read_package
from event_impact.base.csv_tables import is_table
from event_impact.base.disk import find_free_name, publish_folder, staging_folder, write_text, writing
from event_impact.base.errors import DataError, ExecutionError, RenderError, StudyError
from event_impact.base.run_record import RunRecord, check_schema
from event_impact.page.format import NAME
from event_impact.page.markup import frame_table, mark_up_row
from event_impact.page.provenance import read_commit, read_versions, reproduce_line
from event_impact.page.render import PageFacts, render_page
from event_impact.runs.compare import frame_run
from event_impact.runs.execute import execute_notebook, extract_record, tidy_notebook
from event_impact.runs.forked import ForkedKernel
from event_impact.runs.freshness import describe_source
from event_impact.runs.index import rebuild_index
from event_impact.runs.requests import Execute, Prepared, Progress, short_name
from event_impact.runs.store import StoredRun, open_staging, publish, read_runs, write_run

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MAX_TRACEBACK_LINES = 40


def execute_and_publish(
    prepared: Prepared, *, progress: Progress, execute: Execute | None = None, forked: ForkedKernel | None = None
) -> StoredRun:
    """Make a run that was found good and is not there yet; the caller holds the lock of its story.

    Raises
    ------
    ExecutionError, RenderError
        With the place of the page that says what failed.
    """
    request, started = prepared.request, format_instant(prepared.request.clock())
    with open_staging(request.reports, prepared.story, prepared.folder.name) as staging:
        target = staging / "executed.ipynb"
        try:
            progress(f"execute: {prepared.notebook_path.stem}")
            run_cells = partial(execute or partial(execute_notebook, forked=forked), prepared.notebook_path, target)
            with writing(staging):
                notebook = run_cells(parameters=prepared.arguments, root=request.root.path, limits=request.limits)
            progress("check: every cell ran")
            record, tables = extract_record(notebook, prepared.notebook_path.stem)
            check_record(prepared, record, tables)
            run = finish_run(prepared, record, started)
            progress("render: report.html, appendix.html")
            pages = render_run(prepared, notebook, run)
            progress("write: page, results, run.json")
            with writing(staging):
                run = write_run(staging, run, {**pages, "executed.ipynb": nbformat.writes(notebook)}, tables)
        except (ExecutionError, RenderError) as error:
            raise keep_attempt(prepared, error, started, target=target) from error
        progress("publish")
        folder, is_new = publish((request.shelf or request.reports) / prepared.folder.name, staging)
    if not request.has_lock:  # else whoever holds it does so when all is done
        progress("index")
        rebuild_index(request.reports, clock=request.clock)
    progress("done")
    return StoredRun(folder, run, is_new)


def check_record(prepared: Prepared, record: RunRecord, tables: dict[str, str]) -> None:
    """The notebook computed from the very files that were checked, for the very request.

    Raises
    ------
    ExecutionError
        If story, as_of or inputs differ, it read a table that it does not declare, or one has a name that is none.
    """
    name = prepared.notebook_path.stem
    if (record.story, record.as_of) != (prepared.story, prepared.study.as_of.isoformat()):
        raise ExecutionError(f"{name}: story or as_of of the run record is not what was asked.", "Mend the notebook.")
    moved = sorted(file for file, sha in prepared.inputs.items() if record.inputs.get(file, sha) != sha)
    if read_package() != digest_package():
        moved.append("the code of event_impact")
    if moved:
        raise ExecutionError(f"{name}: {', '.join(moved)} changed while it ran.", "Run again.")
    unsaid = sorted(file for file in record.inputs if is_table(file) and file not in prepared.inputs)
    if unsaid:
        raise ExecutionError(f"{name} reads {', '.join(unsaid)} and does not say so.", "Name it in impact.tables.")
    for table, text in tables.items():
        if not NAME.fullmatch(table) or not isinstance(text, str):
            raise ExecutionError(f"{name}: {table!r} is no name of a table.", "Use snake-case names.")


def finish_run(prepared: Prepared, record: RunRecord, started: str) -> RunRecord:
    """Add to the notebook's record what only the runner knows.

    Raises
    ------
    ExecutionError
        If the whole does not fit the schema.
    """
    run = dataclasses.replace(
        record, notebook=prepared.notebook_path.stem, title=prepared.study.title, parameters=prepared.parameters,
        inputs={**record.inputs, **prepared.inputs}, source=prepared.source, versions=read_versions(), started_at=started,
        commit=read_commit(prepared.request.root.path), finished_at=format_instant(prepared.request.clock()),
    )  # fmt: skip
    try:
        check_schema(run.as_json())
    except DataError as error:
        raise ExecutionError(f"{run.notebook}: {error.message}", "Mend the record that its last cell shows.") from error
    return run


def render_run(prepared: Prepared, notebook: nbformat.NotebookNode, run: RunRecord) -> dict[str, str]:
    """The report of a run and its appendix, by file name, checked by their gates."""
    tidy_notebook(notebook)
    figures = describe_source(prepared.source) if prepared.source else run.vintage
    title = f"{prepared.study.title}: {short_name(run.notebook).replace('-', ' ')}, {run.as_of}"
    footer = "Made by event-impact. Figures, text and tables come from the same results; see results/*.csv."
    own = {"title": title, "footer": footer}
    facts = frame_run(run, prepared.study.heading, figures, prepared.folder, shelf=prepared.request.shelf, **own)
    report, appendix = render_page(notebook, facts, part="report"), render_page(notebook, facts, part="appendix")
    return {"report.html": report, "appendix.html": appendix}


# ---------------------------------------------------------------- failed attempts


def keep_attempt(
    prepared: Prepared, error: ExecutionError | RenderError, started: str, *, notebook: str = "",
    target: Path | None = None, body_html: str = "",
) -> StudyError:  # fmt: skip
    """The same error, its page kept under ``failed/``, whole or not at all, and named; a disk that refuses is said.

    Parameters
    ----------
    notebook : str
        Where it is not that of the request.
    target : pathlib.Path, optional
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
    stamp, ran = re.sub("[-:]", "", started), read_partial(target)
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
    held = [s for s in read_runs(reports) if (s.run.story, s.run.notebook) == (failure.story, failure.notebook)]
    last = "No run of this page has been published yet."
    if held:
        address, run = f"../../{held[-1].address}", held[-1].run
        last = f'Last good run: <a href="{address}">as of {run.as_of}, finished {run.finished_at}</a>.'
    return f"<p>To try again: <code>{escape(reproduce_line(failure))}</code></p><p>{last}</p>"


def read_partial(target: Path | None) -> nbformat.NotebookNode | None:
    """The notebook as far as it ran, if it can be read: a damaged one must not hide the failure itself."""
    with contextlib.suppress(Exception):
        notebook: nbformat.NotebookNode = nbformat.read(target, as_version=4)
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
    facts = (("as of", failure.as_of), ("status", "failed"), ("started", failure.started_at))
    footer = "Made by event-impact. Nothing of this attempt was published."
    frame = PageFacts(f"Failed: {title}, {failure.as_of}", "Event study", facts, footer, failure_html=section)
    return render_page(nbformat.v4.new_notebook(), frame)
