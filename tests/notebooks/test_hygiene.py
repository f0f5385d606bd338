"""Committed notebooks: thin, without outputs, and with the parameters that the study knows."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest
from event_impact.base.config import StudyConfig
from event_impact.page.format import find_forbidden
from event_impact.runs.requests import read_declaration, read_notebook
from event_impact.study.sample_study import DEFAULTS
from stories import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.stem)
def notebook(request):
    read_notebook(request.param)
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [c for c in notebook.cells if c.cell_type == "code"]


def test_there_are_notebooks():
    assert {"01_alignment", "02_event_study"} <= {p.stem for p in NOTEBOOKS}


def test_no_outputs_counts_paths_or_papermill_metadata(notebook):
    assert "papermill" not in notebook.metadata
    for cell in code_cells(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
        assert "papermill" not in cell.metadata
    assert not re.search(r"(/home/|/root/|/tmp/|[A-Z]:\\\\)", nbformat.writes(notebook))


def test_no_heading_stands_on_the_report_over_nothing(notebook):
    """What a heading of the report announces is on the report, and not in the appendix alone."""
    shown = [c for c in notebook.cells if "appendix" not in c.metadata.get("tags", [])]
    for cell, following in zip(shown, [*shown[1:], None], strict=True):
        if cell.cell_type == "markdown" and cell.source.strip().splitlines()[-1].startswith("#"):
            assert following is not None
            assert following.cell_type == "code"


def test_the_parameters_cell_is_what_the_notebook_declares_with_its_defaults(notebook):
    source = next(c.source for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    tree = ast.parse(source)
    values = {node.target.id: ast.literal_eval(node.value) for node in tree.body}
    defaults = DEFAULTS if "events" in values else StudyConfig().as_parameters()
    assert values == {name: defaults[name] for name in read_declaration(notebook, "parameters")}
    assert all("#" in line for line in source.splitlines() if line.strip())


def test_cells_define_nothing_and_wrangle_nothing(notebook):
    for cell in code_cells(notebook):
        tree = ast.parse(cell.source)
        for node in ast.walk(tree):
            assert not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Lambda, ast.ListComp))
        assert not re.search(r"\b(open|read_csv|print)\(", cell.source)
        imported = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert all(module.split(".")[0] == "event_impact" for module in imported)
        assert not any("yahoo" in module for module in imported)


def test_prose_states_no_result(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not find_forbidden(cell.source)
            assert not re.search(r"\d+\.\d+\s*%", cell.source)


def test_the_first_cell_asks_and_the_last_records(notebook):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert first.source.splitlines()[0].startswith("# ")
    assert "?" in first.source.splitlines()[0]
    assert "record" in notebook.cells[-1].metadata.get("tags", [])
