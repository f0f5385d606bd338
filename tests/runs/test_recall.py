"""A run that was asked for before is told again without a kernel; what is not whole, or not the same, is asked anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from event_impact.base import remembered
from event_impact.base.root import StudyRoot
from event_impact.runs.recall import ALREADY, run_unless_known
from event_impact.runs.run import run_notebook
from event_impact.runs.store import StoredRun
from small_study import execute_fake, make_study, request

Ask = Callable[..., tuple[StoredRun, list[str]]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyRoot:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remembered, "SETTLED_NS", -(10**18))
    return make_study(tmp_path / "study")


@pytest.fixture
def ask(root: StudyRoot) -> Ask:
    def ask(is_forced: bool = False, **parameters: object) -> tuple[StoredRun, list[str]]:
        said: list[str] = []
        asked = request(root, is_forced=is_forced, **parameters)
        done = run_unless_known(
            "01_small", asked.parameters, root, root.reports, is_forced=is_forced, progress=said.append,
            run=lambda: run_notebook(asked, progress=said.append, execute=execute_fake),
        )  # fmt: skip
        return done, said

    return ask


def test_the_second_time_nothing_is_opened(ask: Ask) -> None:
    first, said = ask()
    assert (first.is_new, len(said) > 2) == (True, True)
    again, said = ask()
    assert (again.folder, again.is_new, said) == (first.folder, False, [ALREADY])
    assert ask(seed=7)[0].folder != first.folder


@pytest.mark.parametrize("change", ["run", "page", "index", "table", "notebook", "forced"])
def test_what_is_not_whole_or_not_the_same_is_asked_anew(root: StudyRoot, ask: Ask, change: str) -> None:
    folder = ask()[0].folder
    if change == "run":
        shutil.rmtree(folder)
    elif change == "page":
        (folder / "report.html").write_text("changed")
    elif change == "index":
        (root.reports / "index.html").unlink()
    elif change == "table":
        path = root.data / "stories.csv"
        path.write_text(path.read_text() + "\n")
    elif change == "notebook":
        path = root.notebooks / "01_small.ipynb"
        path.write_text(path.read_text() + "\n")
    done, said = ask(is_forced=change == "forced")
    assert len(said) > 1, "it was not checked again"
    assert done.page.is_file()
    assert (root.reports / "index.html").is_file()
