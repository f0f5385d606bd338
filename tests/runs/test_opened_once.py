"""A run opens its calendar, its tables and its prices once, whoever asks for them: the runner, or its kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from event_impact.base.root import IMPORT_ROOT
from event_impact.base.threads import ONE_THREAD
from small_study import SHOW, WITH_PRICES, make_study, write_notebook

COUNT = """
import os, sys
from pathlib import Path
LOG, ROOT = Path({log!r}), {root!r}
def count(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        name = os.fspath(arguments[0])
        if isinstance(name, str) and (name.startswith(ROOT + "/data/") or name.endswith(".npz")):
            with open(os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a") as handle:
                handle.write(name + "\\n")
sys.addaudithook(count)
from event_impact.cli.main import main
main()
"""
ASK = """
from event_impact import Study
study = Study.from_cell(globals())
study.returns, study.alignment.hours, study.news
"""


def test_calendar_tables_and_prices_are_opened_once_by_runner_and_kernel_together(tmp_path: Path) -> None:
    root = make_study(tmp_path / "study", with_prices=True)
    write_notebook(root.notebooks / "01_small.ipynb", ASK, SHOW, parameters=WITH_PRICES)
    log = tmp_path / "opened.txt"
    environment = {
        **os.environ,
        **ONE_THREAD,
        "PYTHONPATH": str(IMPORT_ROOT),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", COUNT.format(log=str(log), root=str(root.path))]
    words = ["--root", str(root.path), "run", "01_small", "--story", "ford-xiaomi", "--as-of", "2026-02-13"]
    for number in range(2):  # the first builds the calendar and keeps it
        log.unlink(missing_ok=True)
        done = subprocess.run(
            [*command, *words, "-p", f"seed={number}"], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    opened = Counter(Path(line).name for line in log.read_text().splitlines())
    names = {"stories.csv", "articles.csv", "confounders.csv", "manifest.csv", "F.csv", "SPY.csv"}
    assert names <= opened.keys()
    assert any(name.startswith("XNYS-") for name in opened)
    assert {name: count for name, count in opened.items() if count > 1} == {}
