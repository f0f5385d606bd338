"""The life of a run: validate, execute, check, render, publish by one rename.

Nothing is written under ``reports/`` before the request and the data are known to be good. A
published run is never overwritten; a failed attempt keeps its page and blocks nothing. Wherever
the runner is stopped, what was published before stays as it was and the next run cleans up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from event_impact.base.clock import Clock, format_instant, read_system_clock
from event_impact.base.csv_tables import is_table
from event_impact.base.disk import FULL_DISK, write_text, writing
from event_impact.base.errors import ConfigError, DataError, ExecutionError, RenderError, did_you_mean
from event_impact.base.root import PACKAGE, StudyRoot
from event_impact.base.run_record import RunRecord, check_schema
from event_impact.page.format import NAME
from event_impact.page.provenance import provenance_html, read_commit, read_versions
from event_impact.page.render import MAX_REPORT_BYTES, PageFacts, check_page, render_page
from event_impact.runs.compare import describe_changes, find_previous, link_siblings
from event_impact.runs.execute import execute_notebook, extract_record, tidy_notebook
from event_impact.runs.failure import keep_failure
from event_impact.runs.freshness import Freshness, measure_freshness
from event_impact.runs.index import rebuild_index
from event_impact.runs.kernel import KernelLimits, clear_scratch, scratch_folder
from event_impact.runs.store import (
    StoredRun,
    clear_staging,
    find_finished,
    hash_files,
    lock_story,
    open_staging,
    publish,
)
from event_impact.study.opening import hash_inputs
from event_impact.study.sample_study import SampleStudy
from event_impact.study.study import Study

NOTEBOOK_NAME = re.compile(r"[0-9]{2}_[a-z0-9_]+")
FILES, NAMED_SOURCES = ("source", "bars", "returns", "events", "factors"), ("snapshot", "auto", "registry", "")
"""Parameters that may name files, and what they name else."""
Progress = Callable[[str], None]
Execute = Callable[..., nbformat.NotebookNode]


@dataclass(frozen=True)
class RunRequest:
    """What is asked: one notebook (or ``dossier``) with its parameters, and where the result goes.

    Attributes
    ----------
    has_lock : bool
        The caller already holds the story's lock (a dossier does, for all its notebooks).
    clock : callable
        Gives the present instant; tests inject others.
    """

    notebook: str
    parameters: dict[str, Any]
    root: StudyRoot
    reports: Path
    is_forced: bool = False
    limits: KernelLimits = field(default_factory=KernelLimits)
    has_lock: bool = False
    clock: Clock = read_system_clock


@dataclass(frozen=True)
class RunOutcome:
    """Where the run lies, and whether this call made it."""

    folder: Path
    is_new: bool
    run: RunRecord

    @property
    def page(self) -> Path:
        """The rendered report."""
        return self.folder / "report.html"


@dataclass(frozen=True)
class Prepared:
    """A request found good: the study opened, its inputs hashed, its folder named."""

    request: RunRequest
    study: Study | SampleStudy
    notebook_path: Path
    notebook: nbformat.NotebookNode
    inputs: dict[str, str]
    freshness: Freshness | None
    folder: Path = Path()

    @property
    def story(self) -> str:
        """Id of the story."""
        return self.study.name

    @property
    def arguments(self) -> dict[str, Any]:
        """All validated parameters that the notebook reads."""
        declared = read_declaration(self.notebook, "parameters")
        return {name: value for name, value in self.study.arguments.items() if name in declared}

    @property
    def parameters(self) -> dict[str, Any]:
        """The same with the story's benchmark filled in, as they are recorded."""
        return {name: self.study.parameters[name] for name in self.arguments}

    @property
    def scratch(self) -> Path:
        """Where the kernel of this run keeps its sockets."""
        return (
            scratch_folder(self.request.reports, self.story)
            / hashlib.sha256(self.notebook_path.stem.encode()).hexdigest()[:6]
        )


def short_name(notebook: str) -> str:
    """``02_event_study`` as ``event-study``."""
    return notebook.split("_", 1)[1].replace("_", "-")


def find_notebook(root: StudyRoot, notebook: str) -> Path:
    """The notebook of a study by its name; nothing outside ``notebooks/`` is ever executed.

    Raises
    ------
    ConfigError
        If there is no such notebook.
    """
    name = notebook.removesuffix(".ipynb")
    held = sorted(p.stem for p in root.notebooks.glob("[0-9][0-9]_*.ipynb"))
    if not NOTEBOOK_NAME.fullmatch(name) or name not in held:
        hint = f"{did_you_mean(name, held)} The notebooks are: {', '.join(held) or 'none'}."
        raise ConfigError(f"unknown notebook {notebook!r}.", hint.strip())
    path = root.notebooks / f"{name}.ipynb"
    if path.resolve().parent != root.notebooks.resolve() or not path.is_file():
        raise ConfigError(f"{path.name} leads out of the notebooks of this study.", "Replace the link by the file.")
    return path


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook file, checked to hold exactly one parameters cell.

    Raises
    ------
    ConfigError
        If it is no notebook, or has no cell tagged ``parameters``.
    """
    try:
        notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds
        raise ConfigError(f"{path.name} is not a readable notebook ({error}).", "Restore it.") from error
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ConfigError(
            f"{path.name} has {len(tagged)} cells tagged `parameters`; expected one.",
            "Without it every parameter would silently keep its default.",
        )
    return notebook


def read_declaration(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    """What a notebook says in its metadata that it reads: ``parameters``, or ``tables`` of ``data/``.

    Raises
    ------
    ConfigError
        If it does not say so.
    """
    declared = notebook.metadata.get("impact", {}).get(kind)
    if not isinstance(declared, list):
        raise ConfigError(
            f"the notebook does not say which {kind} it reads.",
            f"Name them in its metadata: impact.{kind}; take a notebook of version 0.1, which imports `analysis`, anew "
            "from impact init.",
        )
    return [str(name) for name in declared]


def prepare(request: RunRequest) -> Prepared:
    """Check everything that can be checked before a kernel starts.

    Raises
    ------
    ConfigError, DataError
        If the request is wrong, or the data cannot serve it.
    """
    path = find_notebook(request.root, request.notebook)
    notebook = read_notebook(path)
    names = read_declaration(notebook, "parameters")
    unknown = sorted(set(request.parameters) - set(names))
    if unknown:
        hint = f"{did_you_mean(unknown[0], names)} Its parameters are: {', '.join(names)}."
        raise ConfigError(f"{path.stem} has no parameter {', '.join(unknown)}.", hint.strip())
    request = dataclasses.replace(request, parameters=_settle_parameters(request.parameters))
    subject = SampleStudy if "events" in names else Study
    study = subject(root=request.root.path, **request.parameters)
    inputs, freshness = study.hash_tables(read_declaration(notebook, "tables")), None
    if "source" in names and isinstance(study, Study):
        study.check()
        inputs |= hash_inputs(study.opened, study.returns)
        freshness = measure_freshness(study.opened, study.returns, request.clock())
    if "bars" in names and isinstance(study, Study):
        inputs |= study.minute_files
    prepared = Prepared(request, study, path, notebook, inputs, freshness)
    stem = f"{study.as_of.isoformat()}_{study.name}_{short_name(path.stem)}_{hash_run(prepared)}"
    return dataclasses.replace(prepared, folder=request.reports / stem)


def _settle_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters with the path of one's own prices made absolute: a kernel runs in a folder of its own."""

    def settle(value: Any) -> Any:
        if not isinstance(value, str) or value.strip() in NAMED_SOURCES or "\x00" in value:
            return value
        return str(Path(value).expanduser().resolve())

    return {name: settle(value) if name in FILES else value for name, value in parameters.items()}


def hash_run(prepared: Prepared) -> str:
    """First eight hex digits of the sha256 over everything that decides the results."""
    identity = {
        "notebook": prepared.notebook_path.stem,
        "notebook_sha256": hashlib.sha256(prepared.notebook_path.read_bytes()).hexdigest(),
        "story": prepared.story,
        "as_of": prepared.study.as_of.isoformat(),
        "parameters": prepared.parameters,
        "inputs": prepared.inputs,
        "analysis": digest_package(),
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@functools.cache
def digest_package() -> str:
    """sha256 over the code and templates of ``analysis/`` as they are when first asked: those that this process runs."""
    return read_package()


def read_package() -> str:
    """The same as they are now, by relative path."""
    total = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".j2", ".css") and "_study" not in path.parts:
            total.update(path.relative_to(PACKAGE).as_posix().encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def run_notebook(
    request: RunRequest | Prepared, *, progress: Progress = lambda _: None, execute: Execute = execute_notebook
) -> RunOutcome:
    """Execute a notebook with its parameters and publish the rendered report.

    A finished run of the same identity is returned as it is, unless forced. A request that was prepared already is not
    checked again.

    Raises
    ------
    StudyError
        With the exit code of what went wrong.
    """
    progress("check: parameters, articles and prices")
    prepared = request if isinstance(request, Prepared) else prepare(request)
    request = prepared.request
    found = None if request.is_forced else find_finished(prepared.folder)
    if found:
        return _already(found, request, progress)
    lock = contextlib.nullcontext() if request.has_lock else own_story(request.reports, prepared.story, progress)
    with lock:
        found = None if request.is_forced else find_finished(prepared.folder)
        if found:  # another runner was faster
            return _already(found, request, progress)
        return _execute_and_publish(prepared, progress, execute)


def _already(found: StoredRun, request: RunRequest, progress: Progress) -> RunOutcome:
    progress("already published: nothing to do (--force executes again)")
    if not request.has_lock:  # whoever published it may have been stopped before this
        rebuild_index(request.reports, clock=request.clock)
    return RunOutcome(found.folder, False, found.run)


@contextlib.contextmanager
def own_story(reports: Path, story: str, progress: Progress) -> Iterator[None]:
    """Hold the lock of a story, and clear away what its dead runs left behind."""
    with lock_story(reports, story):
        progress("lock: taken")
        if clear_staging(reports, story):
            progress("lock: leftovers of an interrupted run removed")
        with writing(reports):
            scratch = scratch_folder(reports, story)
            clear_scratch(scratch)
        try:
            yield
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _execute_and_publish(prepared: Prepared, progress: Progress, execute: Execute) -> RunOutcome:
    request, started = prepared.request, format_instant(prepared.request.clock())
    with open_staging(request.reports, prepared.story, prepared.folder.name) as staging:
        target = staging / "executed.ipynb"
        try:
            progress(f"execute: {prepared.notebook_path.stem}")
            notebook = _execute(prepared, target, execute)
            progress("check: every cell ran")
            record, tables = extract_record(notebook, prepared.notebook_path.stem)
            check_record(prepared, record, tables)
            run = finish_run(prepared, record, started)
            progress("render: report.html, appendix.html")
            pages = render_run(prepared, notebook, run)
            progress("write: page, results, run.json")
            with writing(staging):
                run = write_run(staging, notebook, run, tables, pages)
        except (ExecutionError, RenderError) as error:
            raise keep_attempt(prepared, error, started, partial=target) from error
        progress("publish")
        folder, is_new = publish(prepared.folder, staging)
    progress("index")
    rebuild_index(request.reports, clock=request.clock)
    progress("done")
    return RunOutcome(folder, is_new, run)


def _execute(prepared: Prepared, target: Path, execute: Execute) -> nbformat.NotebookNode:
    try:
        return execute(
            prepared.notebook_path,
            target,
            parameters=prepared.arguments,
            root=prepared.request.root.path,
            scratch=prepared.scratch,
            limits=prepared.request.limits,
            prepare=prepared.study.offer,
        )
    except OSError as error:  # a full disk, no sockets, no processes left
        kind = RenderError if error.errno in FULL_DISK else ExecutionError
        raise kind(
            f"{prepared.notebook_path.stem} did not run: {error.strerror or error}.", "Look at the disk and its limits."
        ) from error


def keep_attempt(
    prepared: Prepared,
    error: ExecutionError | RenderError,
    started: str,
    *,
    notebook: str = "",
    partial: Path | None = None,
    body_html: str = "",
) -> ExecutionError | RenderError:
    """The same error, its page kept and named; a disk that refuses even that is said, not raised."""
    request = prepared.request
    failure = RunRecord(
        story=prepared.story,
        notebook=notebook or prepared.notebook_path.stem,
        as_of=prepared.study.as_of.isoformat(),
        status="failed",
        error=error.message,
        exit_code=error.exit_code,
        started_at=started,
        finished_at=format_instant(request.clock()),
        parameters=prepared.study.arguments if notebook else prepared.parameters,
    )
    try:
        page = keep_failure(request.reports, failure, title=prepared.study.title, partial=partial, body_html=body_html)
        rebuild_index(request.reports, clock=request.clock)
        said = f"See {page}."
    except (OSError, RenderError) as second:
        said = f"Its page could not be kept ({second})."
    kept = type(error)(error.message, f"{error.hint} {said}".strip())
    kept.exit_code = error.exit_code
    return kept


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
        record,
        notebook=prepared.notebook_path.stem,
        title=prepared.study.title,
        parameters=prepared.parameters,
        inputs={**record.inputs, **prepared.inputs},
        source=prepared.freshness.as_record() if prepared.freshness else None,
        versions=read_versions(),
        commit=read_commit(prepared.request.root.path),
        started_at=started,
        finished_at=format_instant(prepared.request.clock()),
    )
    try:
        check_schema(run.as_json())
    except DataError as error:
        raise ExecutionError(f"{run.notebook}: {error.message}", "Mend the record that its last cell shows.") from error
    return run


def render_run(prepared: Prepared, notebook: nbformat.NotebookNode, run: RunRecord) -> dict[str, str]:
    """The report of a run and its appendix, by file name, checked by their gates."""
    tidy_notebook(notebook)
    previous = find_previous(prepared.request.reports, run, exclude=prepared.folder.name)
    facts = PageFacts(
        title=f"{prepared.study.title}: {short_name(run.notebook).replace('-', ' ')}, {run.as_of}",
        kicker=f"Event study \u00b7 {run.story} \u00b7 {run.notebook}",
        facts=masthead(run, prepared),
        footer="Made by event-impact. Figures, text and tables come from the same results; see results/*.csv.",
        changed_html=describe_changes(previous, run),
        provenance_html=provenance_html(run, prepared.request.notebook),
        siblings_html=link_siblings(prepared.request.reports, run),
    )
    report, appendix = render_page(notebook, facts, part="report"), render_page(notebook, facts, part="appendix")
    check_page(report, largest=MAX_REPORT_BYTES)
    check_page(appendix)
    return {"report.html": report, "appendix.html": appendix}


def write_run(
    folder: Path, notebook: nbformat.NotebookNode, run: RunRecord, tables: dict[str, str], pages: dict[str, str]
) -> RunRecord:
    """Write pages, results and, last, run.json with the sha256 of all of them."""
    (folder / "results").mkdir()
    for name, text in tables.items():
        write_text(folder / "results" / f"{name}.csv", text)
    write_text(folder / "executed.ipynb", nbformat.writes(notebook))
    for name, page in pages.items():
        write_text(folder / name, page)
    run = dataclasses.replace(run, files=hash_files(folder))
    write_text(folder / "run.json", run.as_text())
    return run


def masthead(run: RunRecord, prepared: Prepared) -> tuple[tuple[str, str], ...]:
    """The facts at the head of a page."""
    figures = prepared.freshness.describe() if prepared.freshness else run.vintage
    return (
        prepared.study.heading,
        ("as of", run.as_of),
        ("status", run.status),
        ("figures", figures),
    )
