"""Execute one notebook by papermill, and believe it only when every cell ran."""

from pathlib import Path
from typing import Any

import nbformat

from event_impact.base.errors import ExecutionError, shorten
from event_impact.base.run_record import RunRecord
from event_impact.page.exhibits import EXHIBIT_MIME
from event_impact.page.provenance import RECORD_MIME
from event_impact.runs.forked import ForkedKernel
from event_impact.runs.kernel_launch import KernelLimits


def execute_notebook(
    notebook_path: Path, target: Path, *, parameters: dict[str, Any], root: Path, limits: KernelLimits,
    forked: ForkedKernel | None = None,
) -> nbformat.NotebookNode:  # fmt: skip
    """Execute a notebook into ``target`` and check that it ran whole.

    Parameters
    ----------
    parameters : dict
        Injected after the parameters cell; names were checked before.
    root : pathlib.Path
        Folder of the study, the kernel's working directory.
    forked : ForkedKernel, optional
        The kernel, where it is a fork that waits; else a separate process is started.

    Raises
    ------
    ExecutionError
        If a cell failed, the kernel died, time ran out, or a cell did not run.
    """
    name = notebook_path.stem
    import papermill

    from event_impact.runs.kernel import Kernel, OwnKernel, start_kernel

    # papermill takes braces in a path for a template
    paths = [str(path).replace("{", "{{").replace("}", "}}") for path in (notebook_path, target)]
    kernel = None
    try:
        kernel = Kernel(forked, forked.pipe) if forked else start_kernel(root, limits)
        papermill.execute_notebook(
            *paths, parameters=parameters, kernel_name="python3", language="python", progress_bar=False,
            engine_name=OwnKernel.__name__, kernel=kernel, limits=limits,
        )  # fmt: skip
    except ExecutionError as error:
        raise ExecutionError(f"{name} failed in {error.message}") from error
    except Exception as error:  # a dead kernel, a time-out, a full disk: all end the run
        raise ExecutionError(f"{name} did not run: {explain(error, limits)}.") from error
    finally:
        if kernel:
            kernel.end()
    notebook: nbformat.NotebookNode = nbformat.read(target, as_version=4)
    check_executed(notebook, name)
    return notebook


def explain(error: Exception, limits: KernelLimits) -> str:
    """Why a kernel stopped, in words."""
    kind = type(error).__name__
    if kind == "CellTimeoutError":
        return f"a cell took longer than {limits.execution_timeout_s} seconds"
    if kind == "DeadKernelError":
        return "its kernel died (killed, out of memory, or it left by itself)"
    return f"{kind}: {shorten(str(error)).rstrip('.')}"


def check_executed(notebook: nbformat.NotebookNode, name: str) -> None:
    """Every non-empty code cell ran; the engine has refused those that left an error.

    Raises
    ------
    ExecutionError
        Naming the first cell that did not.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            raise ExecutionError(f"{name}: cell {number} did not run.", "The kernel ended before it.")


def extract_record(notebook: nbformat.NotebookNode, name: str) -> tuple[RunRecord, dict[str, str]]:
    """The run record that the notebook left among its outputs, with the numbers of every exhibit that it displayed.

    Raises
    ------
    ExecutionError
        If there is no record, more than one, or one of another shape; if two exhibits of one name differ.
    """
    shown = [o.data for c in notebook.cells if c.cell_type == "code" for o in c.outputs if "data" in o]
    records = [data[RECORD_MIME] for data in shown if data.get(RECORD_MIME)]
    if len(records) != 1:
        raise ExecutionError(f"{name} left {len(records)} run records; expected one.", "Its last cell must show one.")
    try:
        record, own = RunRecord(**records[0]["run"]), dict(records[0]["tables"])
    except (TypeError, KeyError, ValueError) as error:
        said = f"{name} left a run record of an unknown shape."
        raise ExecutionError(said, "Make it with Study.record().") from error
    tables: dict[str, str] = {}
    for exhibit in (exhibit for data in shown for exhibit in data.get(EXHIBIT_MIME, ())):
        if tables.setdefault(exhibit["name"], exhibit["csv"]) != exhibit["csv"]:
            raise ExecutionError(f"{name} shows two exhibits named {exhibit['name']}.", "Name them apart.")
    return record, tables | own


def tidy_notebook(notebook: nbformat.NotebookNode) -> None:
    """Take machine paths out of the executed notebook."""
    metadata = notebook.metadata.get("papermill", {})
    for key in metadata.keys() & {"input_path", "output_path"}:
        metadata[key] = Path(metadata[key]).name
