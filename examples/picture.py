"""Make ``docs/first-screen.png`` and ``docs/ask.txt`` anew: the first screen of ``reports/example/``, an answer in a terminal.

Needs Chromium. Run after ``make example``: ``python examples/picture.py``.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from click.testing import CliRunner
from event_impact.cli.main import main
from event_impact.page.paper import find_browser

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1280, 800
QUESTION = ("ask", "F", "2026-01-31T18:28Z", "--offline")


def take_picture(page: Path, target: Path) -> None:
    """The top of a page as a reader with a common screen sees it."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            find_browser(), "--headless", "--disable-gpu", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={profile}",
            f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={target}", page.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    take_picture(ROOT / "reports" / "example" / "report.html", ROOT / "docs" / "first-screen.png")
    asked = CliRunner().invoke(main, ["--root", str(ROOT), *QUESTION])
    (ROOT / "docs" / "ask.txt").write_text(f"$ impact {' '.join(QUESTION[:-1])}\n{asked.stdout}", encoding="utf-8")
