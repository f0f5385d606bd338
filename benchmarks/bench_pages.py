"""What a user of pages waits for: a run, a dossier, an evening, and the verbs that answer at once.

    python benchmarks/bench_pages.py            every row, into benchmarks/history.csv
    python benchmarks/bench_pages.py --dry-run  measure and print, record nothing

The page is measured against papermill and nbconvert by their own command lines, one after the other in the same run:
on a machine that others use, the ratio of CPU seconds says more than seconds.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.history import HISTORY, Row, measure, record

ROOT = Path(__file__).resolve().parents[1]
STORY, AS_OF, NOTEBOOK = "ford-xiaomi", "2026-02-13", "02_event_study"
OPEN_STORIES = ("ford-xiaomi", "ford-geely-2026", "stellantis-xiaomi-xpeng-2026")
EVENING = "2026-02-13T23:30:00Z"
N_LISTED = 2000
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "analysis")}


def impact(*words: str, root: Path = ROOT) -> tuple[float, float, float]:
    """The command of this checkout."""
    command = [sys.executable, "-P", "-m", "event_impact.cli.main", "--root", str(root), "--quiet", *words]
    return measure(command, cwd=root, environment=ENVIRONMENT)


def run_by_command_lines(folder: Path) -> tuple[float, float]:
    """The same notebook by papermill and nbconvert as they come."""
    executed = str(folder / "executed.ipynb")
    notebook = str(ROOT / "notebooks" / f"{NOTEBOOK}.ipynb")
    steps = [
        [
            sys.executable,
            "-m",
            "papermill",
            "--no-progress-bar",
            "-k",
            "python3",
            "--cwd",
            str(ROOT),
            notebook,
            executed,
        ],
        [sys.executable, "-m", "nbconvert", "--to", "html", executed],
    ]
    spent = [measure(words, cwd=ROOT, environment={**ENVIRONMENT, "IMPACT_ROOT": str(ROOT)}) for words in steps]
    return sum(cpu for cpu, _, _ in spent), sum(wall for _, wall, _ in spent)


def lay_out(folder: Path, *stories: str) -> Path:
    """A study of its own in which these stories are open."""
    for name in ("notebooks", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("vintages"))
    path = folder / "data/stories.csv"
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "state": "open" if row["story"] in stories else "closed"} for row in rows)
    return folder


def measure_nightly(folder: Path) -> Row:
    """Seconds of one story and notebook more, once everything is loaded."""
    spent, pages = [], []
    for stories in (OPEN_STORIES[:1], OPEN_STORIES):
        root = lay_out(folder / f"desk{len(stories)}", *stories)
        spent.append(impact("nightly", "--source", "snapshot", "--at", EVENING, root=root))
        pages.append(len(list((root / "reports").glob("2*/executed.ipynb"))))
    more = pages[1] - pages[0]
    cpu, wall, _ = ((after - before) / more for before, after in zip(*spent, strict=True))
    return Row("nightly, each story and notebook more", cpu, wall, goal="<= 1 s wall")


def measure_list(reports: Path, published: Path) -> list[Row]:
    """The list of many runs, each a copy of one that was published; once more with what the first list, as any index, keeps."""
    record_text = json.loads((published / "run.json").read_text(encoding="utf-8"))
    for number in range(N_LISTED):
        folder = reports / f"{published.name[:-8]}{number:08x}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({**record_text, "files": {}}), encoding="utf-8")
    names = (f"list of {N_LISTED} runs, no index yet", f"list of {N_LISTED} runs")
    return [Row(name, *impact("list", "--reports", str(reports)), goal="<= .3 s wall") for name in names]


def measure_all(folder: Path) -> list[Row]:
    """Every row, the page first."""
    ENVIRONMENT["XDG_CACHE_HOME"] = str(folder / "caches")  # nothing was asked before
    reports = folder / "reports"
    asked = ("run", NOTEBOOK, "--story", STORY, "--as-of", AS_OF, "--reports", str(reports))
    impact("run", "01_alignment", "--reports", str(folder / "warm"))  # calendars kept, files in the disk's cache
    reference = run_by_command_lines(folder)
    page = impact(*asked)
    rows = [Row("page of the event study", *page, "papermill and nbconvert", *reference, goal="<= 2.5 s wall, .3")]
    cold = impact(*asked, "--force", "--cold")
    rows.append(Row("the same with a separate kernel", *cold, "papermill and nbconvert", *reference))
    rows.append(Row("the same once published", *impact(*asked), goal="<= .5 s"))
    bound = impact("dossier", STORY, "--as-of", AS_OF, "--reports", str(folder / "dossier"))
    rows.append(Row("dossier of all notebooks", *bound, goal="<= 4 s wall"))
    rows.append(measure_nightly(folder))
    (published,) = [p.parent for p in reports.glob("*/run.json")]
    rows += measure_list(folder / "listed", published)
    rows.append(Row("--help", *impact("--help"), goal="<= .05 s wall"))
    for words, goal in ((("stories",), ".2"), (("align", "--all"), ".5")):
        for more in ("", ", asked again"):
            rows.append(Row(" ".join(words) + more, *impact(*words), goal=f"<= {goal} s wall"))
    return rows


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="record nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="impact-bench-") as name:
        record(measure_all(Path(name)), file=Path(name) / "history.csv" if options.dry_run else HISTORY)


if __name__ == "__main__":
    main()
