"""Tables for a paper: what the page shows, safe for LaTeX."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from event_impact.base.errors import ConfigError
from event_impact.base.run_record import RunRecord
from event_impact.page.exhibits import TableExhibit
from event_impact.runs.export import export_run, read_tables
from event_impact.runs.store import StoredRun

HOSTILE = 'A & B_{1} 5 % of $x <b> \\input{a} ~^| "q" \u202ertl'


@pytest.fixture
def exhibit() -> TableExhibit:
    cells = pd.DataFrame(
        {"return": ["-", "-"], "estimate, %": ["\u22121.04\u00a0%", "+0.16\u00a0%"], "on": ["2026-02-02", "w" * 60]},
        index=pd.Index([HOSTILE, "sessions 0 to +1"], name="return"),
    )
    return TableExhibit("effects", cells, f"Effects & more. {HOSTILE}.", cells, aligned=(False, True, False))


def publish(folder: Path, exhibit: TableExhibit, status: str = "final") -> StoredRun:
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "effects.csv").write_text("estimate\n-0.0104\n")
    (folder / "report.html").write_text(f"<table><tr><td>no name</td></tr></table>{exhibit._repr_html_()}")
    return StoredRun(folder, RunRecord(status=status, story="s", notebook="n", as_of="2026-02-13"))


def test_a_page_gives_back_the_cells_it_was_made_from(exhibit: TableExhibit) -> None:
    ((name, found),) = read_tables(exhibit._repr_html_()).items()
    cells = found.cells
    assert name == found.name == "effects"
    assert found.caption == exhibit.caption
    assert found.aligned == exhibit.aligned
    assert cells.index.name == "return"
    assert cells.to_numpy().tolist() == exhibit.cells.to_numpy().tolist()
    assert [label.replace("\u00a0", " ") for label in cells.index] == list(exhibit.cells.index)


def test_latex_holds_the_cells_and_no_live_command(exhibit: TableExhibit, tmp_path: Path) -> None:
    (path,) = export_run(publish(tmp_path / "run", exhibit), tmp_path / "out", form="latex")
    text = path.read_text(encoding="utf-8")
    assert path.name == "effects.tex"
    assert r"- & $-$1.04~\% & 2026-02-02 \\" in text
    assert r"A \& B\_\{1\} 5 \% of \$x \textless{}b\textgreater{} \textbackslash{}input\{a\}" in text
    assert r"\label{tab:effects}" in text
    assert "\\input" not in text
    assert not re.search("[\u00a0\u202e\u2212]", text)
    assert text.replace("~to~", " to ") == exhibit.to_latex()


def test_csv_is_copied_byte_for_byte(exhibit: TableExhibit, tmp_path: Path) -> None:
    (path,) = export_run(publish(tmp_path / "run", exhibit), tmp_path / "out", form="csv")
    assert path.read_bytes() == (tmp_path / "run/results/effects.csv").read_bytes()


def test_what_has_no_tables_is_refused(exhibit: TableExhibit, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no tables"):
        export_run(publish(tmp_path / "run", exhibit, "failed"), tmp_path / "out", form="latex")
    nameless = publish(tmp_path / "nameless", exhibit)
    (nameless.folder / "report.html").write_text("<table><tr><td>x</td></tr></table>")
    with pytest.raises(ConfigError, match="names no table"):
        export_run(nameless, tmp_path / "out", form="latex")
    with pytest.raises(ConfigError, match="unknown format"):
        export_run(publish(tmp_path / "other", exhibit), tmp_path / "out", form="docx")
    assert not (tmp_path / "out").exists()
