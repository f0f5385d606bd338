"""The life of a run: validate, execute, check, render, publish by one rename.

Nothing is written under ``reports/`` before the request and the data are known to be good. A
published run is never overwritten; a failed attempt keeps its page and blocks nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from analysis.config import PARSERS, StudyConfig
from analysis.errors import BusyError, ConfigError, ExecutionError, RenderError
from analysis.reporting.compare import describe_changes, find_previous
from analysis.reporting.index import rebuild_index
from analysis.reporting.provenance import (
    RECORD_MIME,
    clean,
    input_hashes,
    provenance_html,
    read_commit,
    read_versions,
    resolved_parameters,
)
from analysis.reporting.render import PageFacts, check_page, render_page
from analysis.root import StudyRoot
from analysis.study import Study, check_study, open_study

NOTEBOOK_NAME = re.compile(r"[0-9]{2}_[a-z0-9_]+")
EXECUTION_TIMEOUT_S = 600
START_TIMEOUT_S = 60
RUN_FILES = ("report.html", "run.json", "executed.ipynb")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class RunRequest:
    """What is asked: one notebook with its parameters, and where the result goes."""

    notebook: str
    parameters: dict[str, Any]
    root: StudyRoot
    reports: Path
    is_forced: bool = False
    execution_timeout: int = EXECUTION_TIMEOUT_S
    start_timeout: int = START_TIMEOUT_S


@dataclass(frozen=True)
class RunOutcome:
    """Where the run lies, and whether this call made it."""

    folder: Path
    is_new: bool
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def page(self) -> Path:
        """The rendered report."""
        return self.folder / "report.html"


@dataclass(frozen=True)
class Prepared:
    """A request found good: the study opened, its inputs hashed, its folder named."""

    request: RunRequest
    study: Study
    notebook_path: Path
    notebook: nbformat.NotebookNode
    inputs: dict[str, str]
    folder: Path

    @property
    def name(self) -> str:
        """Story and notebook, for messages and folders."""
        return f"{self.study.story.story}_{short_name(self.request.notebook)}"


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
        raise ConfigError(f"unknown notebook {notebook!r}.", f"The notebooks are: {', '.join(held) or 'none'}.")
    return root.notebooks / f"{name}.ipynb"


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook file, checked to hold exactly one parameters cell.

    Raises
    ------
    ConfigError
        If it is no notebook, or has no cell tagged ``parameters``.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds
        raise ConfigError(f"{path.name} is not a readable notebook ({error}).", "Restore it.") from error
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ConfigError(
            f"{path.name} has {len(tagged)} cells tagged `parameters`; expected one.",
            "Without it every parameter would silently keep its default.",
        )
    return notebook


def known_parameters(notebook: nbformat.NotebookNode) -> list[str]:
    """Names assigned in the parameters cell."""
    source = next(c.source for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    return re.findall(r"^([a-z_]+)\s*(?::[^=\n]+)?=", source, flags=re.MULTILINE)


def prepare(request: RunRequest) -> Prepared:
    """Check everything that can be checked before a kernel starts.

    Raises
    ------
    ConfigError, DataError
        If the request is wrong, or the data cannot serve it.
    """
    path = find_notebook(request.root, request.notebook)
    notebook = read_notebook(path)
    names = known_parameters(notebook)
    unknown = sorted(set(request.parameters) - set(names))
    if unknown:
        raise ConfigError(
            f"{path.stem} has no parameter {', '.join(unknown)}.", f"Its parameters are: {', '.join(names)}."
        )
    missing = sorted(set(names) - set(PARSERS))
    if missing:
        raise ConfigError(f"{path.stem}: the parameters cell assigns {', '.join(missing)}.", "Keep to the known names.")
    config = StudyConfig.from_parameters(**request.parameters)
    study = open_study(config, request.root.path)
    panel = check_study(study, needs=notebook.metadata.get("impact", {}).get("needs", "prices"))
    inputs = input_hashes(study, panel)
    folder = request.reports / (
        f"{config.as_of.isoformat()}_{config.story}_{short_name(path.stem)}_{hash_run(path, study, inputs)}"
    )
    return Prepared(request, study, path, notebook, inputs, folder)


def hash_run(notebook_path: Path, study: Study, inputs: dict[str, str]) -> str:
    """First eight hex digits of the sha256 over everything that decides the results."""
    identity = {
        "notebook": notebook_path.stem,
        "notebook_sha256": hashlib.sha256(notebook_path.read_bytes()).hexdigest(),
        "story": study.story.story,
        "as_of": study.config.as_of.isoformat(),
        "parameters": resolved_parameters(study),
        "inputs": inputs,
        "analysis": digest_package(),
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def digest_package() -> str:
    """sha256 over the code and templates of ``analysis/``, by relative path."""
    package = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".j2", ".css") and "_study" not in path.parts:
            total.update(path.relative_to(package).as_posix().encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@contextlib.contextmanager
def lock_story(reports: Path, story: str) -> Iterator[None]:
    """One run of a story at a time; the lock dies with its process.

    Raises
    ------
    BusyError
        If another run of the story is at work.
    """
    folder = reports / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{story}.lock", "w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                f"another run of {story} is at work.", "Wait for it to end; its lock goes with its process."
            ) from error
        yield


@contextlib.contextmanager
def kernel_environment(root: StudyRoot) -> Iterator[None]:
    """Environment for the kernel: the study's root, and this package importable."""
    package_parent = str(Path(__file__).resolve().parents[2])
    paths = [package_parent, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    changes = {
        "IMPACT_ROOT": str(root.path),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def execute(prepared: Prepared, folder: Path) -> nbformat.NotebookNode:
    """Execute the notebook into a folder by papermill, and check that it ran whole.

    Raises
    ------
    ExecutionError
        If a cell failed, the kernel died, or a cell did not run.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    target = folder / "executed.ipynb"
    ipc = {"config": Config({"KernelManager": {"transport": "ipc", "ip": str(folder / "kernel")}})}
    try:
        with kernel_environment(prepared.request.root):
            papermill.execute_notebook(
                str(prepared.notebook_path),
                str(target),
                parameters=prepared.study.config.as_parameters(),
                progress_bar=False,
                log_output=False,
                cwd=str(prepared.request.root.path),
                execution_timeout=prepared.request.execution_timeout,
                start_timeout=prepared.request.start_timeout,
                **(ipc if os.name == "posix" else {}),
            )
    except PapermillExecutionError as error:
        raise ExecutionError(
            f"{prepared.notebook_path.stem} failed in cell {error.cell_index + 1}: {error.ename}: {error.evalue}."
        ) from error
    except Exception as error:  # a dead kernel, a time-out, a full disk: all end the run
        first = (str(error).splitlines() or [""])[0]
        raise ExecutionError(f"{prepared.notebook_path.stem} did not run: {type(error).__name__}: {first}.") from error
    notebook = nbformat.read(target, as_version=4)
    check_executed(notebook, prepared.notebook_path.stem)
    return notebook


def check_executed(notebook: nbformat.NotebookNode, name: str) -> None:
    """Every non-empty code cell ran, and none left an error.

    Raises
    ------
    ExecutionError
        Naming the first cell that did not.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None:
            raise ExecutionError(f"{name}: cell {number} did not run.", "The kernel ended before it.")
        for output in cell.outputs:
            if output.output_type == "error":
                raise ExecutionError(f"{name}: cell {number} failed: {output.ename}: {output.evalue}.")


def extract_record(notebook: nbformat.NotebookNode, name: str) -> dict[str, Any]:
    """The run record that the notebook left among its outputs.

    Raises
    ------
    ExecutionError
        If there is none, or more than one.
    """
    found = [
        output.data[RECORD_MIME]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.get("data", {}).get(RECORD_MIME)
    ]
    if len(found) != 1:
        raise ExecutionError(f"{name} left {len(found)} run records; expected one.", "Its last cell must show one.")
    return found[0]


def tidy_notebook(notebook: nbformat.NotebookNode) -> None:
    """Take machine paths out of the executed notebook."""
    metadata = notebook.metadata.get("papermill", {})
    for key in ("input_path", "output_path"):
        if key in metadata:
            metadata[key] = Path(metadata[key]).name


def run_notebook(request: RunRequest, *, progress: Progress = lambda _: None) -> RunOutcome:
    """Execute a notebook with its parameters and publish the rendered report.

    A finished run of the same identity is returned as it is, unless forced.

    Raises
    ------
    StudyError
        With the exit code of what went wrong.
    """
    progress("check: parameters, articles and prices")
    prepared = prepare(request)
    if is_finished(prepared.folder) and not request.is_forced:
        progress("already published: nothing to do (--force executes again)")
        return RunOutcome(prepared.folder, False, read_run(prepared.folder))
    request.reports.mkdir(parents=True, exist_ok=True)
    with lock_story(request.reports, prepared.study.story.story):
        if is_finished(prepared.folder) and not request.is_forced:
            return RunOutcome(prepared.folder, False, read_run(prepared.folder))
        return _execute_and_publish(prepared, progress)


def _execute_and_publish(prepared: Prepared, progress: Progress) -> RunOutcome:
    started = now()
    staging = prepared.request.reports / f".staging-{prepared.folder.name}-{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        try:
            progress(f"execute: {prepared.notebook_path.stem}")
            notebook = execute(prepared, staging)
            record = extract_record(notebook, prepared.notebook_path.stem)
            progress("render: report.html")
            run = finish_run(prepared, record["run"], started)
            write_run(prepared, staging, notebook, run, record["tables"])
        except (ExecutionError, RenderError) as error:
            page = keep_failure(prepared, staging, error, started)
            rebuild_index(prepared.request.reports)
            error.hint = f"{error.hint} See {page}.".strip()
            raise
        progress("publish")
        folder, is_new = publish(prepared.folder, staging)
        rebuild_index(prepared.request.reports)
        return RunOutcome(folder, is_new, run)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def now() -> str:
    """The present instant, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def finish_run(prepared: Prepared, run: dict[str, Any], started: str) -> dict[str, Any]:
    """Add to the notebook's record what only the runner knows."""
    return {
        **run,
        "inputs": prepared.inputs,
        "versions": read_versions(),
        "commit": read_commit(prepared.request.root.path),
        "started_at": started,
        "finished_at": now(),
    }


def write_run(
    prepared: Prepared,
    folder: Path,
    notebook: nbformat.NotebookNode,
    run: dict[str, Any],
    tables: dict[str, str],
) -> None:
    """Write page, results and run.json into a folder, and check the page."""
    results = folder / "results"
    results.mkdir()
    for name, text in tables.items():
        write_text(results / f"{name}.csv", text)
    tidy_notebook(notebook)
    nbformat.write(notebook, folder / "executed.ipynb")
    previous = find_previous(prepared.request.reports, run, exclude=prepared.folder.name)
    page = render_page(
        notebook,
        PageFacts(
            title=f"{prepared.study.story.title}: {short_name(run['notebook']).replace('-', ' ')}, {run['as_of']}",
            kicker=f"Event study \u00b7 {run['story']} \u00b7 {run['notebook']}",
            facts=masthead(run, prepared.study),
            footer="Made by event-impact. Figures, text and tables come from the same results; see results/*.csv.",
            changed_html=describe_changes(previous, run),
            provenance_html=provenance_html(run, prepared.request.notebook),
        ),
    )
    check_page(page)
    write_text(folder / "report.html", page)
    write_text(folder / "run.json", json.dumps(clean(run), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def masthead(run: dict[str, Any], study: Study) -> tuple[tuple[str, str], ...]:
    """The facts at the head of a page."""
    return (
        ("ticker", f"{study.story.ticker} ({study.story.exchange})"),
        ("as of", str(run["as_of"])),
        ("status", str(run["status"])),
        ("figures", str(run["vintage"])),
    )


def write_text(path: Path, text: str) -> None:
    """Write and force to disk."""
    with open(path, "w", encoding="utf-8", newline="\n") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())


def publish(folder: Path, staging: Path) -> tuple[Path, bool]:
    """Move a finished run into place by one rename; a forced run that says the same is dropped."""
    for leftover in staging.iterdir():
        if leftover.name not in (*RUN_FILES, "results"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    target, number = folder, 1
    while target.exists():
        if is_finished(target) and same_results(target, staging):
            return target, False
        number += 1
        target = folder.with_name(f"{folder.name}-{number}")
    os.replace(staging, target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return target, True


def same_results(one: Path, other: Path) -> bool:
    """Whether two runs hold the same results, byte for byte."""
    names = {p.name for folder in (one, other) for p in (folder / "results").glob("*.csv")}
    return all(
        (one / "results" / n).is_file()
        and (other / "results" / n).is_file()
        and (one / "results" / n).read_bytes() == (other / "results" / n).read_bytes()
        for n in names
    )


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a whole published run."""
    return all((folder / name).is_file() for name in RUN_FILES)


def read_run(folder: Path) -> dict[str, Any]:
    """``run.json`` of a published run."""
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def keep_failure(prepared: Prepared, staging: Path, error: ExecutionError | RenderError, started: str) -> Path:
    """Keep a failed attempt with its page under ``failed/``."""
    from html import escape

    stamp = started.replace("-", "").replace(":", "")
    folder = prepared.request.reports / "failed" / f"{stamp}_{prepared.name}"
    number = 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{stamp}_{prepared.name}-{number}")
    folder.mkdir(parents=True)
    partial = staging / "executed.ipynb"
    notebook = prepared.notebook
    if partial.is_file():
        with contextlib.suppress(Exception):  # a damaged partial notebook must not hide the failure itself
            notebook = nbformat.read(partial, as_version=4)
            tidy_notebook(notebook)
            nbformat.write(notebook, folder / "executed.ipynb")
    run = {
        "story": prepared.study.story.story,
        "notebook": prepared.notebook_path.stem,
        "as_of": prepared.study.config.as_of.isoformat(),
        "status": "failed",
        "error": error.message,
        "started_at": started,
        "finished_at": now(),
    }
    failing = next(
        (c for c in notebook.cells if c.cell_type == "code" and any(o.output_type == "error" for o in c.outputs)), None
    )
    code = f"<pre>{escape(failing.source)}</pre>" if failing is not None else ""
    failure = f'<h1>This run failed</h1><section class="failure"><p>{escape(error.message)}</p>{code}</section>'
    empty = nbformat.v4.new_notebook()
    page = render_page(
        empty,
        PageFacts(
            title=f"Failed: {prepared.study.story.title}, {run['as_of']}",
            kicker=f"Event study \u00b7 {run['story']} \u00b7 {run['notebook']}",
            facts=(("as of", run["as_of"]), ("status", "failed"), ("started", started)),
            footer="Made by event-impact. Nothing of this attempt was published.",
            failure_html=failure,
        ),
    )
    write_text(folder / "report.html", page)
    write_text(folder / "run.json", json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    return folder / "report.html"


def print_progress(message: str) -> None:
    """A progress line on stderr."""
    print(message, file=sys.stderr, flush=True)
