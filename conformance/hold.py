"""Holds a package to the suite: ``python -m conformance.hold ADAPTER [ADAPTER ...]``.

ADAPTER is a module of ``conformance.adapters``, or the path of a file of yours, with ``PACKAGE`` and
``compute(task)`` Each run writes ``results/<adapter>.csv``; with ``--table`` the summary of all results is printed.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
AGREES = 1e-9
UNEXPLAINED = "not explained by a known form"
COLUMNS = ("case", "figure", "expected", "found", "verdict", "same_as")


class NotOffered(Exception):
    """An adapter's word that its package cannot do a case, with the reason."""


@dataclass(frozen=True)
class Task:
    """What an adapter is given.

    Attributes
    ----------
    returns : DataFrame
        One row a session (DatetimeIndex), one column a ticker, ``MKT`` the market; NaN for no return.
    events : DataFrame
        ``event_id, ticker, session`` (session as text).
    model : str
        ``market``, ``constant_mean``, ``market_adjusted`` or ``market_adjusted_demeaned``.
    estimation, event : (int, int)
        Windows in sessions from the event, both ends included.
    """

    name: str
    returns: pd.DataFrame
    events: pd.DataFrame
    model: str
    estimation: tuple[int, int]
    event: tuple[int, int]

    def cut(self, ticker: str, session: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Firm and market of the estimation window, firm and market of the event window."""
        at = self.returns.index.get_loc(pd.Timestamp(session))
        windows = [slice(at + first, at + last + 1) for first, last in (self.estimation, self.event)]
        return tuple(self.returns[name].to_numpy()[window] for window in windows for name in (ticker, "MKT"))

    def require(self, *models: str, whole: bool = True) -> None:
        """Stop where the package has no such model, or (``whole``) takes no gaps and no date without a session."""
        if self.model not in models:
            raise NotOffered(f"no model {self.model}")
        if whole and (self.returns.isna().any().any() or not set(self.events["session"]) <= self.held_sessions()):
            raise NotOffered("takes arrays: what becomes of gaps and closed days is the caller's work")

    def held_sessions(self) -> set[str]:
        """Dates of the returns as text."""
        return set(self.returns.index.strftime("%Y-%m-%d"))


def read_tasks() -> Iterator[Task]:
    """All cases of the suite."""
    suite = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    for name, spec in suite["cases"].items():
        folder = HERE / "inputs" / spec["inputs"]
        returns = pd.read_csv(folder / "returns.csv", index_col="date", parse_dates=True) * spec.get("multiplied_by", 1)
        events = pd.read_csv(folder / "events.csv", dtype=str)
        if spec.get("reversed"):
            events = events.iloc[::-1].reset_index(drop=True)
        yield Task(name, returns, events, spec["model"], tuple(spec["estimation"]), tuple(spec["event"]))


def judge(found: float, known: dict[str, str], *, agrees: float = AGREES) -> tuple[str, str]:
    """``agrees``, or ``differs`` with the known mistake that gives the same number."""

    def is_same(value: str) -> bool:
        return abs(found - float(value)) <= agrees * max(1.0, abs(float(value)))

    if is_same(known["right"]):
        return "agrees", ""
    return "differs", next((label for label, value in known.items() if label != "right" and is_same(value)), "")


def hold(compute: Callable[[Task], dict[str, float]], *, agrees: float = AGREES) -> list[dict[str, str]]:
    """One row a figure of the suite."""
    cases = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))["cases"]
    rows = []
    for task in read_tasks():
        reason, found = "", {}
        try:
            found = {name: value for name, value in compute(task).items() if value is not None and np.isfinite(value)}
        except NotOffered as refused:
            reason = str(refused)
        except Exception as error:  # a package under test may raise anything; the table says what
            reason = f"{type(error).__name__}: {str(error).splitlines()[0][:80] if str(error) else ''}"
        for figure, known in cases[task.name].items():
            verdict, same = judge(found[figure], known, agrees=agrees) if figure in found else ("not computed", reason)
            value = f"{found[figure]:.12g}" if figure in found else ""
            rows.append(dict(zip(COLUMNS, (task.name, figure, known["right"], value, verdict, same), strict=True)))
    return rows


def load(name: str) -> ModuleType:
    """An adapter by its name, or by the path of a file."""
    if not name.endswith(".py"):
        return importlib.import_module(f"conformance.adapters.{name}")
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_results(name: str, adapter: ModuleType, rows: list[dict[str, str]]) -> None:
    """``results/<adapter>.csv``, with the version of the package in its first line."""
    version = getattr(adapter, "VERSION", "") or importlib.metadata.version(adapter.PACKAGE)
    with (HERE / "results" / f"{Path(name).stem}.csv").open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {adapter.PACKAGE} {version} | {getattr(adapter, 'NOTE', UNEXPLAINED)}\n")
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_results() -> dict[tuple[str, str], pd.DataFrame]:
    """What lies in ``results``, by package with version, and its note."""
    found = {}
    for path in sorted((HERE / "results").glob("*.csv")):
        with path.open(encoding="utf-8") as file:
            title, _, note = file.readline().lstrip("# ").strip().partition(" | ")
            found[title, note] = pd.read_csv(file, dtype=str, keep_default_na=False)
    return found


def tabulate() -> str:
    """The summary as Markdown: counts a package, what differs, and the notes of the adapters."""
    lines = ["| package | agrees | differs | not computed |", "|---|---|---|---|"]
    differs = ["| package | figure | differs | what it gives instead |", "|---|---|---|---|"]
    notes = []
    for (title, note), table in read_results().items():
        counts = table["verdict"].value_counts()
        cells = [str(counts.get(verdict, 0)) for verdict in ("agrees", "differs", "not computed")]
        lines.append(f"| {title} | {' | '.join(cells)} |")
        wrong = table[table["verdict"] == "differs"]
        kinds = wrong["figure"].str.replace(r"^e\d+\.", "event ", regex=True)
        for kind, part in wrong.groupby(kinds, sort=False):
            why = part["same_as"].replace("", "see the note").value_counts()
            said = "; ".join(f"{label} ({count})" for label, count in why.items())
            differs.append(f"| {title} | {kind} | {len(part)} | {said} |")
        if (wrong["same_as"] == "").any():
            notes.append(f"- {title}: {note}.")
    return "\n".join([*lines, "", *differs, "", "Notes, where no single form explains a difference:", "", *notes])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapters", nargs="*")
    parser.add_argument("--table", action="store_true", help="print the summary of results/")
    options = parser.parse_args()
    for name in options.adapters:
        adapter = load(name)
        rows = hold(adapter.compute, agrees=getattr(adapter, "AGREES", AGREES))
        write_results(name, adapter, rows)
        counts = pd.Series([row["verdict"] for row in rows]).value_counts().to_dict()
        print(f"{adapter.PACKAGE}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    if options.table:
        print(tabulate())


if __name__ == "__main__":
    main()
