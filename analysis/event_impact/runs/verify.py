"""Recompute a published run from its recorded inputs and compare every number.

The notebook is executed again with the recorded parameters, after the sha256 of every input was compared. Numbers
must agree to 1e-9, words exactly; the page and the executed notebook must be the published bytes.
"""

import csv
import io
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from typing import Any

from event_impact.base.csv_tables import is_table
from event_impact.base.errors import ConfigError, DataError
from event_impact.base.root import StudyRoot
from event_impact.base.run_record import DOSSIER
from event_impact.runs.compare import find_changed
from event_impact.runs.execute import execute_notebook, extract_record
from event_impact.runs.requests import RunRequest, prepare, read_parameters
from event_impact.runs.store import StoredRun, hash_files, read_stored

RELATIVE_TOLERANCE = 1e-9
# Below this two numbers near zero are the same: rounding of another processor.
ABSOLUTE_TOLERANCE = 1e-12
COMPARED_FIELDS = (
    "status", "outcome", "companion_outcome", "verdict", "plain", "identified", "event_session", "vintage",
    "headline", "companion",
)  # fmt: skip
HINT = "The run was changed after publication, or comes from other code; its run.json names the commit."


@dataclass(frozen=True)
class Verification:
    """A run that agrees with its own inputs: how many of them, of its tables and their numbers; what changed since."""

    run: str
    inputs: int
    tables: int
    numbers: int
    changed_tables: tuple[str, ...] = ()
    agrees: bool = True


def verify_run(
    folder: Path, root: StudyRoot, *, progress: Callable[[str], None] = lambda _: None,
    execute: Callable[..., Any] = execute_notebook,
) -> Verification:  # fmt: skip
    """Recompute a published run and compare it with what was published.

    Prices must be the recorded ones. The hand-curated tables grow with every story: where they have changed since, the
    run is recomputed from today's, and must still say the same.

    Raises
    ------
    ConfigError
        If the folder holds no published run of one notebook.
    DataError
        If an input has another hash, or a number or word differs: the first one, by file, row and column.
    """
    stored = read_published(folder)
    progress("check: inputs")
    with tempfile.TemporaryDirectory(prefix="impact-") as scratch:
        known = read_parameters(root, stored.run.notebook)  # other recorded parameters had no part in the run
        parameters = {name: value for name, value in stored.run.parameters.items() if name in known}
        request = RunRequest(stored.run.notebook, parameters, root, Path(scratch))
        prepared = prepare(request)
        if changed := compare_inputs(stored.run.inputs, prepared.inputs):
            progress(f"changed since the run: {', '.join(changed)}; recomputed from today's")
        progress(f"execute: {stored.run.notebook}")
        with prepared.forked() as forked:
            notebook = execute(
                prepared.notebook_path, Path(scratch) / "executed.ipynb", parameters=prepared.arguments,
                root=root.path, limits=request.limits, forked=forked,
            )  # fmt: skip
        recomputed, tables = extract_record(notebook, stored.run.notebook)
    progress("compare: every number")
    try:
        n_numbers = compare_results(folder / "results", tables)
        for name in COMPARED_FIELDS:
            n_numbers += compare_values(getattr(stored.run, name), getattr(recomputed, name), f"run.json, {name}")
    except DataError as error:
        if not changed:
            raise
        hint = f"{', '.join(changed)} changed since the run was made: restore what it was made from, and verify again."
        raise DataError(error.message, hint) from error
    compare_files(stored)
    return Verification(str(folder), len(prepared.inputs), len(tables), n_numbers, changed)


def read_published(folder: Path) -> StoredRun:
    """The published run of one notebook in a folder.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if (stored := read_stored(folder)) is None:
        raise ConfigError(f"{folder} holds no published run.", "Name the folder of a run, with its run.json.")
    if not stored.run.is_good:
        raise ConfigError(f"{folder.name} is a failed attempt: nothing of it was published.", "Name a published run.")
    if stored.run.notebook == DOSSIER:
        raise ConfigError(f"{folder.name} is a dossier.", "Verify the runs that it gathers, one by one.")
    return stored


def compare_inputs(recorded: dict[str, str], found: dict[str, str]) -> tuple[str, ...]:
    """Every recorded input is at hand with the recorded sha256; returns the hand-curated tables that are not.

    Raises
    ------
    DataError
        Naming the first file of prices that is not, or an input that is gone or new.
    """
    changed = sorted(find_changed(recorded, found), key=lambda name: name not in recorded)
    for name in filterfalse(is_table, changed):
        if name not in found:
            raise DataError(f"input {name} of the run is not at hand.", "Restore it, or name the study with --root.")
        if name not in recorded:
            raise DataError(f"input {name} is used now and was not when the run was made.", HINT)
        said = f"input {name} has sha256 {found[name][:12]}..., the run recorded {recorded[name][:12]}...."
        raise DataError(said, "Restore the file that the run was made from.")
    return tuple(changed)


def compare_results(results: Path, tables: dict[str, str]) -> int:
    """Published and recomputed tables agree cell by cell; gives the count of numbers compared.

    Raises
    ------
    DataError
        Naming file, row and column of the first difference.
    """
    published = {path.stem: path.read_text(encoding="utf-8") for path in results.glob("*.csv")}
    for name in sorted(published.keys() ^ tables):
        said = "is in the run and is not made by its notebook" if name in published else "is missing from the run"
        raise DataError(f"results/{name}.csv {said}.", HINT)
    return sum(compare_table(f"results/{name}.csv", published[name], tables[name]) for name in sorted(tables))


def compare_table(name: str, published: str, recomputed: str) -> int:
    """Two CSV texts agree: same columns, same rows, words exactly, numbers to 1e-9.

    Raises
    ------
    DataError
        Naming the first difference.
    """
    (header, *rows), (heads, *others) = ([*csv.reader(io.StringIO(text))] or [[]] for text in (published, recomputed))
    if header != heads:
        raise DataError(f"{name}: the columns differ from those recomputed.", HINT)
    if len(rows) != len(others):
        raise DataError(f"{name} has {len(rows)} rows, recomputed {len(others)}.", HINT)
    count = 0
    for number, (row, other) in enumerate(zip(rows, others, strict=True), start=1):
        if len(row) != len(header):
            raise DataError(f"{name}, row {number} has {len(row)} cells for {len(header)} columns.", HINT)
        for column, cell, fresh in zip(header, row, other, strict=True):
            if not is_same(cell, fresh):
                raise _differ(f"{name}, row {number}, column {column}", cell, fresh)
            count += _as_number(cell) is not None
    return count


def compare_values(published: Any, recomputed: Any, where: str) -> int:
    """Two JSON values agree; gives the count of numbers compared.

    Raises
    ------
    DataError
        Naming the first difference.
    """
    if isinstance(published, dict) and isinstance(recomputed, dict):
        if set(published) != set(recomputed):
            names = ", ".join(sorted(set(published) ^ set(recomputed)))
            raise DataError(f"{where}: {names} stands on one side only.", HINT)
        return sum(compare_values(published[k], recomputed[k], f"{where}.{k}") for k in sorted(published))
    are_numbers = {type(published), type(recomputed)} <= {int, float}
    is_equal = type(published) is type(recomputed) and published == recomputed
    if not (_are_close(published, recomputed) if are_numbers else is_equal):
        raise _differ(where, published, recomputed)
    return int(are_numbers)


def _are_close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)


def _as_number(cell: str) -> float | None:
    """The finite number in a cell of a CSV, None where it holds something else."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def is_same(cell: str, other: str) -> bool:
    """Whether two cells say the same: words exactly, numbers to 1e-9, ``name=0.1; other=2`` part by part."""
    one, two = _as_number(cell), _as_number(other)
    if one is not None and two is not None:
        return _are_close(one, two)
    ours, theirs = ([part.partition("=") for part in text.split("; ")] for text in (cell, other))
    return cell == other or (
        len(ours) == len(theirs)
        and all(n == m and e == f == "=" and is_same(v, w) for (n, e, v), (m, f, w) in zip(ours, theirs, strict=True))
    )


def compare_files(stored: StoredRun) -> None:
    """Page and executed notebook are the published bytes; tables were compared by their numbers.

    Raises
    ------
    DataError
        Naming the first file that was changed.
    """
    recorded = stored.run.files
    found = hash_files(stored.folder)
    for name in sorted(recorded):
        if not name.startswith("results/") and found.get(name) != recorded[name]:
            what = "is missing from the run" if name not in found else "was changed after publication"
            raise DataError(f"{name} {what}.", "Its numbers agree; restore the file, or publish the run again.")


def _differ(where: str, published: Any, recomputed: Any) -> DataError:
    return DataError(f"{where}: published {published!r}, recomputed {recomputed!r}.", HINT)
