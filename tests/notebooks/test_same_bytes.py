"""Every notebook of a story: the same bytes from forks of one process and from kernels that load everything anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from event_impact.base.root import IMPORT_ROOT
from stories import ROOT

PROVENANCE = re.compile(r"<section data-provenance.*?</section>", re.DOTALL)


def bind(reports: Path, *words: str) -> dict[str, bytes]:
    """What a dossier publishes, by file, without what says when and how it was made; one page after the other, since
    each links to those that are there."""
    command = [sys.executable, "-P", "-m", "event_impact.cli.main", "--root", str(ROOT), "--quiet", "dossier"]
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


def test_cold_and_forked_runs_publish_the_same_bytes(tmp_path: Path) -> None:
    forked, cold = bind(tmp_path / "forked"), bind(tmp_path / "cold", "--cold")
    assert forked.keys() == cold.keys()
    assert [name for name in forked if forked[name] != cold[name]] == []
    notebooks = {name.split("/")[2] for name in forked if "/runs/" in name}
    assert len(notebooks) >= 5
