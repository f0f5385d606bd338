"""What follows a request found good: execute, check, render, publish by one rename.

A published run is never overwritten; a failed attempt keeps its page and blocks nothing. Wherever the runner is
stopped, what was published before stays as it was and the next run cleans up.
"""

import dataclasses
from functools import partial

import nbformat

from event_impact.base.clock import format_instant
from event_impact.base.code_digest import digest_package, read_package
from event_impact.base.csv_tables import is_table
from event_impact.base.disk import writing
from event_impact.base.errors import DataError, ExecutionError, RenderError
from event_impact.base.run_record import RunRecord, check_schema
from event_impact.page.format import NAME
from event_impact.page.provenance import provenance_html, read_commit, read_versions
from event_impact.page.render import MAX_REPORT_BYTES, check_page, render_page
from event_impact.runs.compare import frame_run
from event_impact.runs.execute import execute_notebook, extract_record, tidy_notebook
from event_impact.runs.failure import keep_attempt
from event_impact.runs.forked import ForkedKernel
from event_impact.runs.freshness import describe_source
from event_impact.runs.index import rebuild_index
from event_impact.runs.requests import Execute, Prepared, Progress, short_name
from event_impact.runs.store import StoredRun, open_staging, publish, write_run


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
            raise keep_attempt(prepared, error, started, partial=target) from error
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
        inputs={**record.inputs, **prepared.inputs},
        source=prepared.source, versions=read_versions(),
        commit=read_commit(prepared.request.root.path), started_at=started,
        finished_at=format_instant(prepared.request.clock()),
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
    facts = frame_run(
        run, prepared.study.heading, figures, prepared.folder, shelf=prepared.request.shelf,
        title=f"{prepared.study.title}: {short_name(run.notebook).replace('-', ' ')}, {run.as_of}",
        footer="Made by event-impact. Figures, text and tables come from the same results; see results/*.csv.",
        provenance_html=provenance_html(run, prepared.request.notebook),
    )  # fmt: skip
    report, appendix = render_page(notebook, facts, part="report"), render_page(notebook, facts, part="appendix")
    check_page(report, largest=MAX_REPORT_BYTES)
    check_page(appendix)
    return {"report.html": report, "appendix.html": appendix}
