"""The analyst's notebooks: parameter sets side by side, controls, and the start page."""

from __future__ import annotations

import os

import nbformat
import pytest
from nbclient import NotebookClient
from stories import ROOT

from analysis.config import StudyConfig
from analysis.reporting.verdict import find_primary
from analysis.workbench import compare, compute_rows, show_controls


def test_comparison_names_what_differs_and_holds_both_results(focal):
    config = focal.study.config
    table = compare(config, config.replace(estimation_sessions=120))
    assert [c.split(": ")[1] for c in table.cells.columns] == ["estimation_sessions=250", "estimation_sessions=120"]
    own = find_primary(focal.rows, "close_to_close").estimate
    assert table.numbers["estimate"].iloc[0] == own
    other = find_primary(compute_rows(config.replace(estimation_sessions=120))[0], "close_to_close").estimate
    assert table.numbers["estimate"].iloc[2] == other != own


def test_controls_offer_the_parameters():
    widgets = pytest.importorskip("ipywidgets")
    box = show_controls(StudyConfig())
    assert isinstance(box, widgets.VBox)
    assert [c.description for c in box.children[0].children] == ["model", "benchmark", "L", "mask"]


@pytest.mark.parametrize("name", ["start", "compare"])
def test_the_notebooks_run_where_analysts_open_them(name):
    if name == "compare":
        pytest.importorskip("ipywidgets")
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert all(not c.get("outputs") and c.get("execution_count") is None for c in notebook.cells)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "notebooks")}})
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    shown = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert sum("text/html" in o.get("data", {}) for o in shown) >= 1
    assert not any(o.output_type == "error" for o in shown)
