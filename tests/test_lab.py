"""The analyst's notebooks: parameter sets side by side, controls, and the start page."""

from __future__ import annotations

import os
import sys

import nbformat
import pytest
from event_impact.base.errors import ConfigError
from event_impact.base.root import StudyRoot
from event_impact.lab import compare, plot_paths, show_changed, show_controls
from event_impact.page.finding import find_primary
from event_impact.runs.requests import RunRequest
from event_impact.runs.run import run_notebook
from nbclient import NotebookClient
from stories import ROOT


def test_comparison_names_what_differs_and_holds_both_results(focal):
    changed = focal.replace(estimation_sessions=120)
    table = compare(focal, changed)
    assert [c.split(": ")[1] for c in table.cells.columns] == ["estimation_sessions=250", "estimation_sessions=120"]
    own = find_primary(focal.estimates, "close_to_close").estimate
    assert table.numbers["estimate"].iloc[0] == own
    other = find_primary(changed.estimates, "close_to_close").estimate
    assert table.numbers["estimate"].iloc[2] == other != own


def test_lines_hold_the_sums_of_each_set(focal):
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    assert plot_paths(focal, focal.replace(estimation_sessions=120), axes=axes) is axes
    *lines, zero = axes.get_lines()
    assert [line.get_label() for line in lines] == ["set 1", "set 2"]
    assert list(zero.get_ydata()) == [0, 0]
    table = focal.headline.table
    running = 100 * table.loc[0:, "ar"].cumsum()
    assert list(lines[0].get_xdata()) == list(running.index)
    assert list(lines[0].get_ydata()) == pytest.approx(running.tolist(), abs=1e-12)


def test_controls_offer_the_parameters(focal):
    widgets = pytest.importorskip("ipywidgets")
    box = show_controls(focal)
    assert isinstance(box, widgets.HBox)
    *controls, busy = box.children[0].children
    assert [c.description for c in controls] == ["story", "window", "model", "benchmark", "sessions", "mask"]
    assert {"ford-xiaomi", "tesla-ceo-search-2025"} <= set(controls[0].options)
    assert {"", "SPY", "GM"} <= set(controls[3].options)
    assert "computing" not in busy.value
    assert box.children[1].layout.overflow == "auto"  # what changes is scrolled beside the controls


def test_without_ipywidgets_the_controls_say_how_to_get_it(focal, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ConfigError, match=r"pip install 'event-impact\[lab\]'"):
        show_controls(focal)


def test_a_moved_control_computes_that_study(focal, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *objects: shown.extend(objects))
    show_changed(focal, window=(0, 3), model="constant_mean")
    told, verdict, estimates, figure = shown
    assert "model: market \u2192 <mark>constant_mean</mark>" in told.data
    wanted = focal.replace(windows="0:0,0:3", model="constant_mean")
    assert verdict.text == wanted.verdict.text
    assert estimates.numbers["last"].max() == 3
    assert figure.name == "cumulative"
    shown.clear()
    show_changed(focal, window=None, story="ford-xiaomi")
    assert "as declared" in shown[0].data  # a control at rest is no change
    shown.clear()
    show_changed(focal, window=(0, 0), benchmark="NONE")
    assert "the snapshot has no prices of NONE" in shown[0].data
    shown.clear()
    show_changed(focal, window=(0, 0), story="tesla-ceo-search-2025")
    assert "story: ford-xiaomi \u2192 <mark>tesla-ceo-search-2025</mark>" in shown[0].data


@pytest.mark.parametrize(("name", "least"), [("start", 8), ("compare", 2), ("controls", 0), ("cases", 15)])
def test_the_notebooks_run_where_analysts_open_them(name, least):
    if name == "controls":
        pytest.importorskip("ipywidgets")
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert all(not c.get("outputs") and c.get("execution_count") is None for c in notebook.cells)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "notebooks")}})
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT / "analysis")})
    shown = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert sum("text/html" in o.get("data", {}) for o in shown) >= least
    assert not any(o.output_type == "error" for o in shown)


@pytest.mark.parametrize("name", ["start", "compare", "controls", "cases"])
def test_the_notebooks_for_looking_are_never_published(name, tmp_path):
    with pytest.raises(ConfigError, match=name):
        run_notebook(RunRequest(name, {}, StudyRoot(ROOT), tmp_path))
    assert list(tmp_path.iterdir()) == []
