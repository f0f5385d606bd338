"""Make ``reports/example/`` anew: one run of the focal story for reviewers, without its
executed notebook: ``impact run 02_event_study`` makes one.

Run by ``make example``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from event_impact.base.root import StudyRoot
from event_impact.runs.requests import RunRequest
from event_impact.runs.run import run_notebook

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = "02_event_study"


def refresh(root: StudyRoot) -> Path:
    """Execute the notebook elsewhere and put the result in place of the old example."""
    target = root.reports / "example"
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_notebook(RunRequest(NOTEBOOK, {}, root, Path(folder) / "reports"))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(outcome.folder, target, ignore=shutil.ignore_patterns("executed.ipynb"))
    return target / "report.html"


if __name__ == "__main__":
    print(refresh(StudyRoot(ROOT)))
