"""A study of small notebooks, so that the life of a run can be tested in a second."""

from __future__ import annotations

import hashlib
import re
import shutil
from datetime import datetime
from pathlib import Path

import nbformat
import pandas as pd
from event_impact.base.root import StudyRoot
from event_impact.runs.kernel_launch import KernelLimits
from event_impact.runs.requests import RunRequest

ROOT = Path(__file__).resolve().parents[1]
TABLES = ["stories.csv", "articles.csv", "confounders.csv", "manifest.csv", "peers.csv"]
STORIES = ("ford-xiaomi", "ford-geely-2026", "stellantis-xiaomi-xpeng-2026")
RECORD = "application/vnd.event-impact.record+json"
PARAMETERS = 'story: str = "ford-xiaomi"\nas_of: str = "2026-02-13"\nseed: int = 20260202'
WITH_PRICES = f'{PARAMETERS}\nsource: str = "snapshot"'
SHOW = f'''from IPython.display import display
run = {{
    "schema_version": 2, "story": story, "as_of": as_of, "status": "final", "outcome": "no_detectable_effect",
    "companion_outcome": "no_detectable_effect", "verdict": f"Nothing seen in {{story}}.", "plain": "Nothing seen.",
    "event_session": "2026-02-02", "headline": {{"estimate": -0.01, "n_estimation": 250}}, "companion": {{}},
    "identified": {{"kind": "joint"}}, "parameters": {{"story": story, "seed": seed}}, "vintage": "none",
}}
tables = {{"estimates": f"seed\\n{{seed}}\\n"}}
display({{"{RECORD}": {{"run": run, "tables": tables}}, "text/plain": "record"}}, raw=True)'''


def write_notebook(path: Path, *cells: str, parameters: str = PARAMETERS) -> None:
    """A notebook: title, parameters cell, the given code cells."""
    declared = {"parameters": re.findall(r"^(\w+):", parameters, flags=re.MULTILINE), "tables": TABLES}
    notebook = nbformat.v4.new_notebook(metadata={"impact": declared})
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# A question?"),
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *(nbformat.v4.new_code_cell(source) for source in cells),
    ]
    notebook.cells[-1].metadata["tags"] = ["changes"]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # nbformat's own ids are random
    nbformat.write(notebook, path)


def make_study(folder: Path, *, with_prices: bool = False) -> StudyRoot:
    """A study whose only notebook shows a record at once."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "data").mkdir()
    for path in (ROOT / "data").glob("*.csv"):
        shutil.copy(path, folder / "data" / path.name)
    for name in ("stories.csv", "articles.csv"):
        table = pd.read_csv(folder / "data" / name, dtype=str, keep_default_na=False)
        table = table[table["story"].isin(STORIES)]
        if name == "articles.csv":
            table = table[table["role"].isin(["report", "denial"])]
        table.to_csv(folder / "data" / name, index=False)
    if with_prices:
        shutil.copytree(ROOT / "data/snapshot", folder / "data/snapshot")
    write_notebook(folder / "notebooks/01_small.ipynb", SHOW)
    return StudyRoot(folder)


def request(root: StudyRoot, notebook: str = "01_small", **changes: object) -> RunRequest:
    """A request for the focal story, or for other parameters."""
    settings = {
        name: changes.pop(name) for name in ("is_forced", "limits", "clock", "reports", "is_evening") if name in changes
    }
    settings.setdefault("limits", KernelLimits(execution_timeout_s=30, start_timeout_s=30))
    settings.setdefault("reports", root.reports)
    return RunRequest(notebook=notebook, parameters={"story": "ford-xiaomi", **changes}, root=root, **settings)


def hash_tree(reports: Path) -> dict[str, str]:
    """sha256 of every file of every published run."""
    runs = [p for p in reports.iterdir() if p.name[:4].isdigit()] if reports.is_dir() else []
    files = [p for run in runs for p in run.rglob("*") if p.is_file()]
    return {str(p.relative_to(reports)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def execute_fake(notebook_path: Path, target: Path, *, parameters: dict, **_: object) -> nbformat.NotebookNode:
    """What a kernel would leave of the small notebook, without the second that a kernel takes."""
    notebook = nbformat.read(notebook_path, as_version=4)
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
    scope: dict = {"shown": []}
    code = "\n".join(cell.source for cell in notebook.cells[2:] if cell.cell_type == "code")
    code = (
        code.replace("from IPython.display import display\n", "")
        .replace("display(", "shown.append(")
        .replace(", raw=True)", ")")
    )
    exec(code, {**parameters, **scope})
    notebook.cells[-1].outputs = [nbformat.v4.new_output("display_data", data=data) for data in scope["shown"]]
    nbformat.write(notebook, target)
    return notebook


def perform_here(parts: list, *, limit: int = 2, progress=lambda _: None) -> list:
    """The parts of a dossier one after the other, in this process, without kernels."""
    from event_impact.base.errors import StudyError
    from event_impact.runs.run import run_notebook
    from event_impact.runs.workers import PartOutcome

    outcomes = []
    for part in parts:
        notebook = part.request.notebook
        try:
            done = run_notebook(part, execute=execute_fake)
            outcomes.append(PartOutcome(notebook, 0, str(done.folder)))
        except StudyError as error:
            outcomes.append(PartOutcome(notebook, error.exit_code, str(error)))
    return outcomes


def render_index(reports: Path, *, at: datetime) -> str:
    """The first page of the index, made anew."""
    from event_impact.runs.index import rebuild_index

    return rebuild_index(reports, clock=lambda: at).read_text(encoding="utf-8")


def check_index(page: str) -> str:
    """The gates of a page of the index, which holds one script, its own; returns the page without it."""
    from event_impact.page.render import TEMPLATES, check_page

    script = f"<script>{(TEMPLATES / 'page/index.js').read_text(encoding='utf-8').strip()}</script>"
    assert page.count(script) == 1
    without = page.replace(script, "")
    check_page(without)
    return without
