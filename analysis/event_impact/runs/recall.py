"""A request that was answered before is told from a new one without loading what would have to check it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from event_impact.base.remembered import put_question
from event_impact.base.root import StudyRoot
from event_impact.runs.store import StoredRun, find_finished

ALREADY = "already published: nothing to do (--force executes again)"
# Parameters that may name files, and what they name else.
FILES, NAMED_SOURCES = ("source", "bars", "returns", "events", "factors"), ("snapshot", "auto", "registry", "")


def run_unless_known(
    notebook: str, parameters: dict[str, Any], root: StudyRoot, reports: Path, *, is_forced: bool,
    progress: Callable[[str], None], run: Callable[[], StoredRun],
) -> StoredRun:  # fmt: skip
    """The published run of a request that was asked before of the same files and the same code; else ``run`` is called.

    Notebooks, tables, prices and every file that a parameter names are compared as
    :func:`event_impact.base.remembered.put_question` does; the run itself must be whole, and on the index.
    """
    settled = settle_parameters(parameters)
    named = [Path(value) for name, value in settled.items() if names_files(name, value)]
    question = put_question(["run", notebook, settled, str(reports)], root.notebooks, root.data, *named)
    folder = None if is_forced else question.recall()
    found = find_finished(reports / folder) if folder else None
    if found and is_indexed(found, reports):
        progress(ALREADY)
        return found
    outcome = run()
    question.remember(re.sub(r"-\d{1,4}$", "", outcome.folder.name))
    return outcome


def is_indexed(found: StoredRun, reports: Path) -> bool:
    """Whether the index was made after a run; whoever published it may have been stopped before that."""
    index = reports / "index.html"
    return index.is_file() and index.stat().st_mtime_ns >= (found.folder / "run.json").stat().st_mtime_ns


def settle_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters with the path of one's own prices made absolute: a kernel runs in a folder of its own."""
    named = {name: value for name, value in parameters.items() if names_files(name, value)}
    return {**parameters, **{name: str(Path(value).expanduser().resolve()) for name, value in named.items()}}


def names_files(name: str, value: Any) -> bool:
    """Whether the value of a parameter is the path of a file or folder."""
    return name in FILES and isinstance(value, str) and value.strip() not in NAMED_SOURCES and "\x00" not in value
