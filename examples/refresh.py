"""Make ``reports/example/`` anew: one run of the focal story for reviewers, and the figure of the README.

Run by ``make example``.
"""

from __future__ import annotations

import base64
import re
import shutil
import sys
import tempfile
from pathlib import Path

from event_impact.base.root import StudyRoot
from event_impact.runs.run import RunRequest, run_notebook

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = "02_event_study"
FIGURE = "returns"


def refresh(root: StudyRoot) -> Path:
    """Execute the notebook elsewhere and put the result in place of the old example."""
    target = root.reports / "example"
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_notebook(RunRequest(NOTEBOOK, {}, root, Path(folder) / "reports"))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(outcome.folder, target)
    page = (target / "report.html").read_text(encoding="utf-8")
    figure = re.search(rf'<figure id="{FIGURE}".*?base64,([A-Za-z0-9+/=]+)"', page, flags=re.DOTALL)
    if figure is None:
        sys.exit(f"the page holds no figure {FIGURE}")
    (target / f"{FIGURE}.svg").write_bytes(base64.b64decode(figure[1]))
    return target / "report.html"


if __name__ == "__main__":
    print(refresh(StudyRoot(ROOT)))
