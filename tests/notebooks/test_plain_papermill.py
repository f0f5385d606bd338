"""The notebooks by papermill alone: wrong parameters and a foreign package are refused there too."""

from __future__ import annotations

import os
from pathlib import Path

import papermill
import pytest
from event_impact.base.root import IMPORT_ROOT
from papermill.exceptions import PapermillExecutionError
from stories import ROOT

NOTEBOOK = ROOT / "notebooks/01_alignment.ipynb"


@pytest.fixture(autouse=True)
def of_this_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(IMPORT_ROOT))
    monkeypatch.setenv("IMPACT_ROOT", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def execute(folder: Path, cwd: Path = ROOT, **parameters: object) -> None:
    papermill.execute_notebook(
        NOTEBOOK, folder / "executed.ipynb", parameters, kernel_name="python3", progress_bar=False, cwd=str(cwd)
    )


@pytest.mark.filterwarnings("ignore::UserWarning")  # papermill's own word on the wrong name
@pytest.mark.parametrize("name", ["as_off", "equivalence_bound"])
def test_a_parameter_that_the_notebook_does_not_declare_fails(tmp_path: Path, name: str) -> None:
    with pytest.raises(PapermillExecutionError, match=f"this notebook has no parameter {name}"):
        execute(tmp_path, **{name: "2026-02-13"})


def test_a_foreign_package_of_that_name_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = tmp_path / "desk"
    (desk / "event_impact").mkdir(parents=True)
    (desk / "event_impact/__init__.py").write_text("", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(desk), str(IMPORT_ROOT)]))
    with pytest.raises(PapermillExecutionError, match=r"cannot import name 'Study' from 'event_impact'.*desk"):
        execute(tmp_path, cwd=desk)
