"""Can this machine be trusted with unattended runs? One line a question, and an exit code."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from packaging.requirements import Requirement

from event_impact.base.disk import is_locked, read_holder
from event_impact.base.errors import ExecutionError, StudyError
from event_impact.base.root import CHECKOUT, StudyRoot
from event_impact.events.articles import load_stories
from event_impact.events.calendars import load_hours
from event_impact.market.fetch_plan import last_closed
from event_impact.market.vintages import choose_vintage, list_vintages
from event_impact.page.outcomes import worst_code
from event_impact.runs.freshness import count_closed
from event_impact.runs.store import is_intact, read_facts, read_runs

MIN_FREE_BYTES = 500_000_000
MIN_CALENDAR_DAYS = 90
MAX_DATA_AGE_SESSIONS = 3
LOADED = ("event_impact.runs.run", "pandas.core.frame", "papermill.execute", "jinja2.environment")
CLOCK_SLACK = pd.Timedelta(minutes=5)


@dataclass(frozen=True)
class Diagnosis:
    """One question and its answer.

    ``state`` is ``ok``, ``warn`` (worth a look, nothing fails) or ``fail``; ``exit_code`` counts for ``fail``.
    """

    question: str
    state: str
    answer: str
    exit_code: int = 0


def examine(root: StudyRoot, reports: Path, *, at: datetime, with_kernel: bool = True) -> list[Diagnosis]:
    """Ask everything; a question that cannot be asked is a failure of its own."""
    checks: dict[str, Callable[[], Iterator[Diagnosis]]] = {
        "python": check_python, "packages": check_packages, "bytecode": check_bytecode,
        "kernel": lambda: check_kernel(root) if with_kernel else iter(()),
        "calendar": lambda: check_calendars(root, at), "disk": lambda: check_disk(root, reports),
        "clock": lambda: check_clock(root, reports, at), "figures": lambda: check_figures(root, at),
        "locks": lambda: check_locks(reports), "leftovers": lambda: check_leftovers(reports),
        "runs": lambda: check_runs(reports),
    }  # fmt: skip
    found: list[Diagnosis] = []
    for question, check in checks.items():
        try:
            found += check()
        except (StudyError, OSError) as error:
            found.append(Diagnosis(question, "fail", str(error), getattr(error, "exit_code", 5)))
    return found


def verdict_code(findings: list[Diagnosis]) -> int:
    """The worst exit code of what failed."""
    return worst_code(f.exit_code for f in findings if f.state == "fail")


def check_python() -> Iterator[Diagnosis]:
    """The interpreter is one that the package claims."""
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Diagnosis("python", "ok" if good else "fail", f"{version} at {sys.executable}", 0 if good else 4)


def read_requirements() -> list[Requirement]:
    """Every package that runs need, from the installed metadata or pyproject.toml."""
    try:
        lines = importlib.metadata.requires("event-impact") or []
    except importlib.metadata.PackageNotFoundError:
        import tomllib

        project = CHECKOUT / "pyproject.toml"
        lines = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    needed = map(Requirement, lines)
    return [need for need in needed if need.marker is None or need.marker.evaluate({"extra": ""})]


def check_packages() -> Iterator[Diagnosis]:
    """Every package that runs need is there, in a version that was asked for."""
    wrong = []
    requirements = read_requirements()
    for need in requirements:
        try:
            held = importlib.metadata.version(need.name)
            if held not in need.specifier:
                wrong.append(f"{need.name} {held} is not {need.specifier}")
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
    text = "; ".join(wrong) or f"{len(requirements)} packages present"
    yield Diagnosis("packages", "fail" if wrong else "ok", text, 4 if wrong else 0)


def check_bytecode() -> Iterator[Diagnosis]:
    """The modules that a run loads are compiled, so that no run compiles them again."""
    specs = [importlib.util.find_spec(name) for name in LOADED]
    missing = [spec.name for spec in specs if spec and spec.cached and not Path(spec.cached).is_file()]
    if missing:
        folders = " ".join(str(Path(spec.origin or "").parent) for spec in specs if spec and spec.name in missing)
        said = f"not compiled: {', '.join(missing)}; every run does it again until python -m compileall -q {folders}"
    yield Diagnosis("bytecode", "warn" if missing else "ok", said if missing else "compiled")


def check_kernel(root: StudyRoot) -> Iterator[Diagnosis]:
    """A kernel starts, runs a line and ends, the way runs start it."""
    import nbformat

    from event_impact.runs.execute import execute_notebook
    from event_impact.runs.kernel_launch import KernelLimits

    with tempfile.TemporaryDirectory(prefix="impact-doctor-") as name:
        folder = Path(name)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import event_impact")])
        nbformat.write(notebook, folder / "line.ipynb")
        try:
            limits = KernelLimits(execution_timeout_s=60, is_cold=True)
            execute_notebook(folder / "line.ipynb", folder / "done.ipynb", parameters={}, root=root.path, limits=limits)
            yield Diagnosis("kernel", "ok", "started, ran a line and ended")
        except ExecutionError as error:
            yield Diagnosis("kernel", "fail", str(error), 4)


def check_calendars(root: StudyRoot, at: datetime) -> Iterator[Diagnosis]:
    """The calendars of the open stories reach beyond today."""
    today = pd.Timestamp(at.astimezone(UTC).date())
    for exchange in sorted({s.exchange for s in load_stories(root.data).values() if s.state == "open"}):
        last = load_hours(exchange).sessions[-1]
        left = (last - today).days
        state = "fail" if left < 0 else "warn" if left < MIN_CALENDAR_DAYS else "ok"
        yield Diagnosis(f"calendar ({exchange})", state, f"reaches {last.date()}, {left} days on", 3 if left < 0 else 0)


def check_disk(root: StudyRoot, reports: Path) -> Iterator[Diagnosis]:
    """Reports and downloads can be written, and there is room."""
    for label, folder, code in (("reports", reports, 5), ("downloads", root.data / "vintages", 3)):
        place = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(place).free
        fault = f"{free / 1e6:.0f} MB free, less than 500" if free < MIN_FREE_BYTES else ""
        if not place.is_dir() or not os.access(place, os.W_OK):
            fault = f"{place} cannot be written"
        room = f"{free / 1e9:.1f} GB free at {place}"
        yield Diagnosis(f"disk ({label})", "fail" if fault else "ok", fault or room, code if fault else 0)


def check_clock(root: StudyRoot, reports: Path, at: datetime) -> Iterator[Diagnosis]:
    """Nothing recorded lies in the future of this machine's clock."""
    stamps = [s.run.finished_at for s in read_runs(reports)]
    stamps += [str(v.manifest.get("recorded_at")) for v in list_vintages(root.data / "vintages")[0]]
    instants = pd.to_datetime(pd.Series(stamps, dtype=object), utc=True, errors="coerce").dropna()
    said = pd.Timestamp(at).tz_convert("UTC").strftime("%Y-%m-%d %H:%M UTC")
    is_early = bool((instants > pd.Timestamp(at) + CLOCK_SLACK).any())
    said += f", but {instants.max():%Y-%m-%d %H:%M} UTC is recorded already" if is_early else ""
    yield Diagnosis("clock", "warn" if is_early else "ok", said)


def check_figures(root: StudyRoot, at: datetime) -> Iterator[Diagnosis]:
    """The open stories have figures, and fresh ones."""
    vintages = root.data / "vintages"
    for fault in list_vintages(vintages)[1]:
        yield Diagnosis("figures", "warn", fault)
    for story in load_stories(root.data).values():
        if story.state != "open":
            continue
        vintage, note = choose_vintage(vintages, (story.ticker, story.benchmark))
        if vintage is None:
            yield Diagnosis(f"figures ({story.story})", "warn", note)
            continue
        hours = load_hours(story.exchange)
        last = pd.Timestamp(vintage.last_session((story.ticker, story.benchmark)))
        closed_at = hours.close_at(last_closed(hours, at)).to_pydatetime()  # one in its settling time does not count
        age = count_closed(hours, last, closed_at)
        text = f"{vintage.name} ends with {last.date()}, {age} sessions old"
        yield Diagnosis(f"figures ({story.story})", "warn" if age > MAX_DATA_AGE_SESSIONS else "ok", text)


def check_locks(reports: Path) -> Iterator[Diagnosis]:
    """Who is at work now. A lock file that no process holds means nothing."""
    held = filter(is_locked, sorted((reports / ".locks").glob("*.lock")))
    for answer in [f"{path.name} is held ({read_holder(path)})" for path in held] or ["none is held"]:
        yield Diagnosis("locks", "ok", answer)


def check_leftovers(reports: Path) -> Iterator[Diagnosis]:
    """Staging folders of runs that died; the next run of their story clears them."""
    left = [folder.name for folder in sorted((reports / ".staging").glob("*")) if any(folder.iterdir())]
    stale = [name for name in left if not is_locked(reports / ".locks" / f"{name}.lock")]
    text = f"of interrupted runs: {', '.join(stale)}; cleared at their next run" if stale else "none"
    yield Diagnosis("leftovers", "warn" if stale else "ok", text)


def check_runs(reports: Path) -> Iterator[Diagnosis]:
    """Every published run still holds what it was published with."""
    facts = read_facts(reports)
    damaged = [*facts.damaged, *(s.folder.name for s in facts.good if s.run.is_good and not is_intact(s.folder))]
    said = f"damaged: {', '.join(damaged)}" if damaged else f"{len(facts.good)} published, all whole"
    yield Diagnosis("runs", "warn" if damaged else "ok", said)
