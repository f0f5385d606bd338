"""Every notebook of a story: the same bytes from forks of one process and from kernels that load everything anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from event_impact.base.root import IMPORT_ROOT
from small_study import SHOW, WITH_PRICES, make_study, write_notebook
from stories import ROOT

PROVENANCE = re.compile(r"<section data-provenance.*?</section>", re.DOTALL)


def bind(root: Path, reports: Path, *words: str) -> dict[str, bytes]:
    """What a dossier publishes, by file, without what says when and how it was made; one page after the other, since
    each links to those that are there."""
    command = [sys.executable, "-P", "-m", "event_impact.cli.main", "--root", str(root), "--quiet", "dossier"]
    environment = {**os.environ, "PYTHONPATH": str(IMPORT_ROOT)}
    done = subprocess.run(
        [*command, "ford-xiaomi", "--as-of", "2026-02-13", "--reports", str(reports), "--limit", "1", *words],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    held = {}
    for path in sorted(Path(done.stdout.strip()).parent.rglob("*")):
        if path.suffix == ".csv":
            held[path.relative_to(reports).as_posix()] = path.read_bytes()
        elif path.suffix == ".html" and path.parent.parent.name == "runs":
            text = PROVENANCE.sub("", path.read_text(encoding="utf-8"))
            held[path.relative_to(reports).as_posix()] = text.encode()
    return held


def compare(root: Path, folder: Path) -> set[str]:
    """Bind twice and compare; gives the pages that were compared."""
    forked, cold = bind(root, folder / "forked"), bind(root, folder / "cold", "--cold")
    assert forked.keys() == cold.keys()
    assert [name for name in forked if forked[name] != cold[name]] == []
    return {name.split("/")[2] for name in forked if "/runs/" in name}


def test_a_cold_and_a_forked_run_publish_the_same_bytes(tmp_path: Path) -> None:
    root = make_study(tmp_path / "study", with_prices=True)
    shown = SHOW.replace('f"seed\\n{seed}\\n"', "study.headline.table.to_csv(index=False)")
    assert shown != SHOW
    opened = "from event_impact import Study\nstudy = Study.from_cell(globals())"
    write_notebook(root.notebooks / "01_small.ipynb", opened, shown, parameters=WITH_PRICES)
    assert compare(root.path, tmp_path) == {"small"}


@pytest.mark.slow
def test_every_notebook_of_a_story_publishes_the_same_bytes_cold_and_forked(tmp_path: Path) -> None:
    assert len(compare(ROOT, tmp_path)) >= 5
