"""A desk may hold folders and files named like this package or like Python's own modules: it runs unharmed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from event_impact.base.root import IMPORT_ROOT, StudyRoot
from event_impact.registry.new_study import lay_out_study
from event_impact.runs.schedule import Schedule

OWN = ("analysis/__init__.py", "event_impact/__init__.py", "statistics/__init__.py", "calendar.py", "signal.py")


@pytest.fixture(scope="module")
def desk(root: StudyRoot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = lay_out_study(root, tmp_path_factory.mktemp("own") / "desk")
    for name in OWN:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"raise ImportError('{name} of the desk was imported')\n")
    return folder


def call(desk: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Start a Python in the desk, which finds this package as an installed one."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"} | {"PYTHONPATH": str(IMPORT_ROOT)}
    return subprocess.run(words, cwd=desk, env=environment, capture_output=True, text=True, check=False)


def test_the_desk_would_break_a_python_that_looks_into_it(desk: Path) -> None:
    assert "of the desk was imported" in call(desk, sys.executable, "-c", "import event_impact").stderr


def test_a_notebook_runs_in_it(desk: Path) -> None:
    done = call(desk, sys.executable, "-P", "-m", "event_impact.cli.main", "run", "01_alignment")  # as `impact` does
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()


def test_a_worker_starts_in_it(desk: Path) -> None:
    code = (
        "from pathlib import Path; from event_impact.base.root import StudyRoot;"
        "from event_impact.runs.requests import RunRequest; from event_impact.runs.workers import run_parts;"
        "(done,) = run_parts([RunRequest('nothing', {}, StudyRoot(Path.cwd()), Path('reports'))]); print(done.exit_code)"
    )
    script = desk.parent / "ask.py"  # its own folder is looked into, the desk is not
    script.write_text(f"if __name__ == '__main__':\n    {code}\n")
    done = call(desk, sys.executable, str(script))
    assert (done.stdout.strip(), done.returncode) == ("2", 0), done.stderr  # the worker read the request and refused it


def test_the_line_of_cron_starts_in_it(desk: Path) -> None:
    words = Schedule(desk).words
    done = call(desk, *words[: words.index("--root")], "--version")
    assert done.returncode == 0, done.stderr
