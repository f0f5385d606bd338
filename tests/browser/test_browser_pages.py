"""Pages as readers meet them: in a browser, by keyboard and screen reader, on a phone, in the dark, on paper."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from event_impact.base.errors import ExecutionError
from event_impact.base.root import StudyRoot
from event_impact.page.paper import print_page
from event_impact.runs.dossier import run_dossier
from event_impact.runs.requests import RunRequest
from event_impact.runs.run import run_notebook
from stories import ROOT

MODULES = Path(os.environ.get("IMPACT_BROWSER_MODULES") or ROOT / "node_modules")
CHROMIUM = os.environ.get("IMPACT_CHROMIUM") or shutil.which("chromium") or ""
HOSTILE_TITLE = "<b>Tom & \"Jerry\"</b> <script>alert('x')</script> \u202eevil\u202c " + "w" * 300
SMALLEST_LABEL_PX = 11
HOSTILE_OUTLET = "<img src=x onerror=alert(1)> & Sons"


def why_not() -> str:
    if not CHROMIUM:
        return "no Chromium here"
    if not shutil.which("node"):
        return "no node here"
    missing = [name for name in ("puppeteer-core", "axe-core") if not (MODULES / name).is_dir()]
    return f"npm packages missing in {MODULES.name}: {', '.join(missing)}" if missing else ""


pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(why_not()), reason=why_not() or "present")]


def copy_study(folder: Path) -> StudyRoot:
    shutil.copytree(ROOT / "data", folder / "data", ignore=shutil.ignore_patterns("vintages"))
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    return StudyRoot(folder)


def make_hostile(folder: Path) -> Path:
    root = copy_study(folder)
    for name, column, value in (("stories.csv", "title", HOSTILE_TITLE), ("articles.csv", "outlet", HOSTILE_OUTLET)):
        table = pd.read_csv(root.data / name, dtype=str, keep_default_na=False)
        table.loc[table["story"] == "ford-xiaomi", column] = value
        table.to_csv(root.data / name, index=False)
    return run_notebook(RunRequest("01_alignment", {}, root, folder / "reports")).page


def make_failure(folder: Path, reports: Path) -> Path:
    root = copy_study(folder)
    path = root.notebooks / "01_alignment.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].source = "raise ValueError('<i>a cell that fails</i>')"
    nbformat.write(notebook, path)
    with pytest.raises(ExecutionError):
        run_notebook(RunRequest("01_alignment", {}, root, reports))
    return next((reports / "failed").glob("*/report.html"))


def make_dossier(folder: Path) -> Path:
    """The front page over two small notebooks that disagree; no kernel is needed for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tests"))
        from small_study import SHOW, make_study, perform_here, write_notebook
    root = make_study(folder)
    write_notebook(root.notebooks / "02_event_study.ipynb", SHOW.replace('"2026-02-02"', '"2026-02-03"'))
    return run_dossier(RunRequest("dossier", {"story": "ford-xiaomi"}, root, root.reports), perform=perform_here).page


@pytest.fixture(scope="module")
def pages(tmp_path_factory, publish_focal) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("browser")
    reports = folder / "reports"
    notebooks = {"event study": "02_event_study", "alignment": "01_alignment", "panel": "05_report_denial_panel"}
    shown = {name: publish_focal(notebook) for name, notebook in notebooks.items()}
    for outcome in shown.values():
        shutil.copytree(outcome.folder, reports / outcome.folder.name)
    made = {
        **{name: reports / outcome.folder.name / "report.html" for name, outcome in shown.items()},
        "hostile": make_hostile(folder / "hostile"),
        "failed": make_failure(folder / "failing", reports),
        "dossier": make_dossier(folder / "dossier"),
    }
    return {**made, "index": reports / "index.html"}


@pytest.fixture(scope="module")
def seen(pages, tmp_path_factory) -> dict[str, dict]:
    out = tmp_path_factory.mktemp("print")
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("visit.cjs")), str(out), *map(str, pages.values())],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "IMPACT_BROWSER_MODULES": str(MODULES), "IMPACT_CHROMIUM": CHROMIUM},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return {name: found[str(path)] for name, path in pages.items()}


NAMES = ["event study", "alignment", "panel", "hostile", "failed", "dossier", "index"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_leaves_the_page_and_nothing_breaks(seen, name):
    page = seen[name]
    assert page["requests"] == []
    assert page["errors"] == []
    assert page["scripts"] == (name == "index")  # the one that sorts and searches, allowed by its hash
    assert "default-src 'none'" in page["policy"]
    assert page["brokenAnchors"] == []
    assert page["unseen"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_everyone_can_read_it(seen, name):
    page = seen[name]
    assert page["axeLight"] == []
    assert page["axeDark"] == []
    assert page["axePhone"] == []
    assert page["undescribed"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_a_phone_and_a_sheet_of_paper(seen, name):
    page = seen[name]
    assert page["overflow"] == 0
    assert page["cutOnPhone"] == []
    assert page["cutInPrint"] == []
    assert page["hiddenInPrint"] == []
    assert page["shownInPrint"] == []
    assert page["pdf"] == "%PDF-"


@pytest.mark.parametrize("name", NAMES)
def test_tables_fit_beside_the_contents(seen, name):
    assert seen[name]["cutOnDesktop"] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_a_phone_must_scroll_says_so_and_can_be_reached(seen, name):
    frames = seen[name]["frames"]
    assert frames["unreachable"] == []
    assert frames["uncued"] == []
    for where, cue in seen[name]["cues"].items():
        darker = cue["end"] - cue["start"]
        # a bar beside what is still hidden, and none at the end
        assert (darker if where.startswith("light") else -darker) > 40, (where, cue)


@pytest.mark.parametrize("name", ["event study", "panel"])
def test_cues_were_measured(seen, name):
    assert set(seen[name]["cues"]) == {"light .table-frame", "dark .table-frame"}


@pytest.mark.parametrize("name", ["event study", "alignment", "panel"])
def test_labels_of_figures_stay_legible_on_a_phone(seen, name):
    labels = seen[name]["frames"]["labels"]
    assert labels
    assert min(labels) >= SMALLEST_LABEL_PX


@pytest.mark.parametrize("name", ["event study", "alignment", "dossier"])  # the panel draws its rows
def test_the_first_table_is_read_whole_on_a_phone(seen, name):
    page = seen[name]
    assert not page["frames"]["firstScrolls"]
    assert page["frames"]["firstUnlabelled"] == 0
    # laid out as lists, the tables stay tables for a screen reader
    assert page["parts"]["desktop"]["columnheader"] > 3
    assert page["parts"]["phone"] == page["parts"]["desktop"]


@pytest.mark.parametrize("name", NAMES)
def test_sheets_are_numbered_and_tables_begin_and_end_in_company(seen, name):
    sheets = seen[name]["sheets"]
    if sheets is None:
        pytest.skip("no pdftotext here")
    assert sheets["torn"] == []
    assert sheets["unnumbered"] == []


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="no pdftotext here")
def test_the_command_that_prints_numbers_its_sheets_too(pages, tmp_path, monkeypatch):
    monkeypatch.setenv("IMPACT_CHROMIUM", CHROMIUM)
    print_page(pages["alignment"], tmp_path / "page.pdf")
    text = subprocess.run(["pdftotext", "-raw", tmp_path / "page.pdf", "-"], capture_output=True, text=True, check=True)
    sheets = text.stdout.split("\f")[:-1]
    assert len(sheets) > 1
    assert all(f"{k} / {len(sheets)}" in sheet for k, sheet in enumerate(sheets, 1))


def test_text_of_a_registry_stays_text(seen):
    page = seen["hostile"]
    assert "alert('x')" in page["text"]
    assert any(HOSTILE_OUTLET in cell for cell in page["cells"])
    assert "script" not in page["elements"]
    assert page["titles"][0].startswith('<b>Tom & "Jerry"</b> <script>')
    assert "<b>Tom &" in page["text"]


def test_a_failed_run_names_its_cell_and_message(seen):
    text = seen["failed"]["text"]
    assert "ValueError" in text
    assert "<i>a cell that fails</i>" in text
