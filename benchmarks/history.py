"""What benchmarks measured, kept in ``benchmarks/history.csv`` with the machine and the versions.

Any benchmark records its rows the same way: ``record([Row("name", cpu_s, wall_s, reference, ...)])``. A row is
compared with the newest one of its name from another commit on a machine of the same kind: by its ratio to the
reference where it has one, else by its CPU seconds. One that fell back by a fifth is a finding, and is said.
"""

from __future__ import annotations

import csv
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

HISTORY = Path(__file__).with_name("history.csv")
FALL_BACK = 1.2
PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib", "exchange-calendars", "papermill", "nbconvert")
COLUMNS = (
    "at", "commit", "machine", "versions", "name", "cpu_s", "wall_s", "peak_mib", "reference", "reference_cpu_s",
    "reference_wall_s", "ratio", "goal",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One measurement: CPU and wall seconds, beside those of a reference measured in the same run where there is one.

    ``peak_mib`` is the resident memory of the largest process; ``goal`` a text for readers, such as ``<= 2.5 s wall``.
    """

    name: str
    cpu_s: float
    wall_s: float
    peak_mib: float | None = None
    reference: str = ""
    reference_cpu_s: float | None = None
    reference_wall_s: float | None = None
    goal: str = ""

    @property
    def ratio(self) -> float | None:
        """CPU seconds over those of the reference: what a busy machine changes least."""
        return self.cpu_s / self.reference_cpu_s if self.reference_cpu_s else None


def measure(
    words: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None
) -> tuple[float, float, float]:
    """CPU seconds (user and system, of the command and all it waited for), wall seconds, and MiB of its largest process.

    The command must succeed.
    """
    start = time.perf_counter()
    child = subprocess.Popen(words, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {child.returncode}: {said.decode()[-2000:]}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - start, used.ru_maxrss / 1024


def describe_machine() -> str:
    """Processor, cores and system; no name of it."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def describe_versions() -> str:
    """Python and the packages that weigh most."""
    held = "; ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"python {platform.python_version()}; {held}"


def read_commit(folder: Path) -> str:
    """The commit that is measured, with a plus where the tree holds more."""
    told = ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(told, capture_output=True, text=True, check=False).stdout.strip()


def record(rows: Sequence[Row], *, file: Path = HISTORY, commit: str | None = None) -> list[str]:
    """Print rows, append them to the history, and say which of them fell back.

    Returns
    -------
    list of str
        One sentence a row that is slower by a fifth than the newest of another commit on such a machine.
    """
    commit = read_commit(file.parent) if commit is None else commit
    facts = {"commit": commit, "machine": describe_machine(), "versions": describe_versions()}
    at, earlier, findings = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), [], []
    if file.is_file():
        with file.open(newline="", encoding="utf-8") as handle:
            earlier = list(csv.DictReader(handle))
    with file.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        if not earlier:
            writer.writeheader()
        for row in rows:
            numbers = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items()}
            ratio = None if row.ratio is None else round(row.ratio, 4)
            writer.writerow({"at": at, **facts, **numbers, "ratio": ratio})
            shown = "" if ratio is None else f"  {ratio:.2g} of {row.reference} ({row.reference_wall_s:.2f} s)"
            print(f"{row.name:44} {row.cpu_s:7.2f} CPU-s {row.wall_s:7.2f} s{shown}  {row.goal}", flush=True)
            findings += _compare(row, [e for e in earlier if e["name"] == row.name], facts)
    for finding in findings:
        print(f"FINDING  {finding}", file=sys.stderr)
    return findings


def _compare(row: Row, earlier: list[dict[str, str]], facts: Mapping[str, str]) -> list[str]:
    others = [e for e in earlier if e["machine"] == facts["machine"] and e["commit"] != facts["commit"]]
    if not others:
        return []
    last, now = others[-1], row.ratio if row.ratio is not None else row.cpu_s
    before = last["ratio"] if row.ratio is not None else last["cpu_s"]
    if not before or now <= FALL_BACK * float(before):
        return []
    return [f"{row.name}: {now:.2g} after {float(before):.2g} at {last['commit']}."]
