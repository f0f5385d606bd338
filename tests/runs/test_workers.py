"""Which notebooks run beside each other, and which wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from event_impact.base.root import IMPORT_ROOT
from event_impact.base.threads import ONE_THREAD

# A study that sees, while its verdict is computed, which worker began and how many there are.
COUNT = """
import json, multiprocessing, os, sys
from pathlib import Path
from types import SimpleNamespace
from event_impact.base.root import StudyRoot
from event_impact.runs.requests import Prepared, RunRequest
from event_impact.runs.workers import run_parts
NOTEBOOKS = {"01_alignment": "timing_record", "02_event_study": "record()", "03_robustness": "record()", "05_panel": ""}
(log, told), (passed, gate), beside = os.pipe(), os.pipe(), []
class CountedStudy:
    @property
    def verdict(self):
        running = len(multiprocessing.active_children())
        beside.append([self.ahead, os.read(log, 9).decode() if running else "", running])
        os.write(gate, b"." * len(NOTEBOOKS))
class CountedPart(Prepared):
    def begin(self, *nouns):
        self.study.ahead = " ".join(nouns)
def run(part, *, progress):
    assert part.request.notebook == "05_panel" or not vars(part.study)
    os.write(told, part.request.notebook[1:2].encode())
    os.read(passed, 1)
    return SimpleNamespace(folder=part.request.notebook)
parts, study = [], CountedStudy()
for name, noun in NOTEBOOKS.items():
    request = RunRequest(name, {}, StudyRoot(Path()), Path("reports"), is_forced=True)
    source = None if name == "01_alignment" else {}
    parts.append(CountedPart(request, study, Path(name), {"cells": [{"source": ["study." + noun]}]}, {}, source))
outcomes = run_parts(parts, limit=int(sys.argv[1]), run=run)
assert [(o.notebook, o.exit_code, o.said) for o in outcomes] == [(name, 0, name) for name in NOTEBOOKS], outcomes
print(json.dumps([*beside, os.read(log, 9).decode()]))
"""


@pytest.mark.parametrize(("limit", "beside"), [(1, ["curve", "", 0]), (2, ["curve", "5", 1])])
def test_beside_the_verdict_runs_what_reads_prices_without_it_and_what_is_short_comes_last(
    limit: int, beside: list[object], tmp_path: Path
) -> None:
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(IMPORT_ROOT)}
    command = [sys.executable, "-c", COUNT, str(limit)]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    seen, later = json.loads(done.stdout)
    assert seen == beside
    assert later == "2351" if limit == 1 else set(later) == set("231")
