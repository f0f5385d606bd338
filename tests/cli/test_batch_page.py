"""``impact batch --page``: one run like any other, published, verified and listed."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
from click.testing import CliRunner
from event_impact.base.root import find_root
from event_impact.cli.many_events import batch_command
from event_impact.runs.store import read_runs
from event_impact.runs.verify import verify_run
from stories import ROOT


def call(*arguments, root=ROOT):
    settings = {"root": str(root), "quiet": True, "as_json": True}
    return CliRunner().invoke(batch_command, list(arguments), obj=settings)


def test_neither_files_nor_page_is_refused():
    result = call("--returns", "a.csv", "--events", "b.csv", "--benchmark", "SPY")
    assert result.exception.exit_code == 2
    assert "--out" in result.exception.message


def test_a_batch_is_published_verified_and_found_again(tmp_path, monkeypatch):
    reports = tmp_path / "reports"
    monkeypatch.setattr("event_impact.cli.context.find_reports", lambda *_: reports)
    rng = np.random.default_rng(1)
    days = pd.bdate_range("2023-01-02", periods=320, name="date")
    frame = pd.DataFrame(rng.normal(0, 0.01, (320, 7)), index=days, columns=["SPY", *"ABCDEF"])
    frame.to_csv(tmp_path / "returns.csv")
    events = pd.DataFrame({"ticker": list("ABCDEF"), "session": days[200:320:20].strftime("%Y-%m-%d")})
    events.to_csv(tmp_path / "events.csv", index=False)
    files = ["--returns", str(tmp_path / "returns.csv"), "--events", str(tmp_path / "events.csv")]
    asked = [*files, "--benchmark", "SPY", "--estimation", "-130:-11", "--draws", "99", "--page", "--name", "six"]
    result = call(*asked)
    assert result.exception is None, result.output
    folder = read_runs(reports)[0].folder
    assert re.fullmatch(rf"{days[-1].date()}_six_sample_[0-9a-f]{{8}}", folder.name)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert (run["story"], run["notebook"], run["panel"]["n"]) == ("six", "07_sample", 6)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert run["finding"].split(". Over")[0].split(":")[0].replace("\xa0", " ") in page.replace("\xa0", " ")
    assert "impact run 07_sample" in (folder / "appendix.html").read_text(encoding="utf-8")
    again = call(*asked)
    assert json.loads(again.stdout) == {"page": str(folder / "report.html"), "is_new": False, **run}
    verified = verify_run(folder, find_root(ROOT))
    assert verified.numbers > 200
