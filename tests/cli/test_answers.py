"""What programs read: every verb's JSON line has the shape that is published beside the verbs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pandas as pd
import pytest
from click.testing import CliRunner
from event_impact.base.root import PACKAGE
from event_impact.cli.main import main
from event_impact.page import paper
from event_impact.runs.verify import Verification
from market.toy_provider import ToyProvider
from stories import ROOT

SCHEMA = json.loads((PACKAGE / "cli" / "answers.schema.json").read_text(encoding="utf-8"))
PAGES = ROOT / "tests" / "data" / "pages"


def check(verb: str, *arguments: str, root: Path = ROOT, code: int = 0) -> dict:
    """Run a verb with --json and hold its one line to the schema under its name."""
    done = CliRunner().invoke(main, ["--root", str(root), "--json", *verb.split(), *map(str, arguments)])
    assert done.exit_code == code, done.stderr
    (line,) = done.stdout.splitlines()
    record = json.loads(line)
    shape = (verb if code == 0 else "error").replace(" ", "_")
    jsonschema.validate(record, {**SCHEMA, "$ref": f"#/$defs/{shape}"})
    return record


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A study of one's own with a published run of a small notebook."""
    from event_impact.runs.run import run_notebook
    from small_study import execute_fake, make_study, request

    made = make_study(tmp_path / "desk", with_prices=True)
    run_notebook(request(made), execute=execute_fake)
    return made.path


def test_questions_calendars_and_stories() -> None:
    check("ask", "F", "2026-01-31T18:28Z")
    check("ask", "F", "--before")
    check("align", "ford-xiaomi")
    check("align", "--exchange", "XNYS", "--at", "2025-11-28T18:00Z")
    check("stories")
    check("article read", PAGES / "jsonld_offset.html")
    check("ask", "F", "noon", code=2)
    check("run", "nothing", code=2)


def test_a_study_of_one_s_own(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_impact.cli.scheduler.choose_provider", lambda *_: ToyProvider())
    monkeypatch.setattr(
        "event_impact.cli.scheduler.read_system_clock", lambda: datetime(2026, 2, 13, 22, 0, tzinfo=UTC)
    )
    check("init", tmp_path / "other", root=desk)
    new = ("--title", "Arvo and Tessel talk", "--ticker", "GM", "--denied", "yes", "--yes")
    assert check("story new", *new, root=desk)["story"] == "arvo-tessel-talk"
    page = PAGES / "jsonld_offset.html"
    check("article add", page, "--story", "arvo-tessel-talk", "--role", "report", "--outlet", "x", "--yes", root=desk)
    check("story plan", "arvo-tessel-talk", "--freeze", root=desk)
    check("story confounders", "arvo-tessel-talk", root=desk)
    check("fetch", "ARVO", "--start", "2026-01-05", root=desk)
    feed = tmp_path / "feed.xml"
    feed.write_text('<rss version="2.0"><channel><title>Paper</title></channel></rss>')
    check("watch", "arvo-tessel-talk", "--feed", feed, root=desk)


def test_runs_and_evenings(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check("run", "01_small", root=desk)  # published already: nothing is executed
    for verb, *arguments in (
        ("list",), ("show", "latest"), ("open", "latest"), ("export", "latest", "--format", "csv", "--out", tmp_path / "tables"),
        ("star", "latest", "--note", "kept"),
        ("site build", tmp_path / "site"), ("prune", "--keep", "1"), ("schedule", "show"),
        ("doctor", "--no-kernel", "--at", "2026-02-17T22:00:00Z"),
        ("nightly", "--source", "snapshot", "--at", "2026-02-02T12:00:00Z"),
    ):  # fmt: skip
        monkeypatch.setattr("webbrowser.open", lambda _: True)
        check(verb, *arguments, root=desk)
    fake = tmp_path / "chromium"
    fake.write_text(
        '#!/bin/sh\nfor a in "$@"; do case "$a" in --print-to-pdf=*) echo %PDF-1.4 > "${a#--print-to-pdf=}";; esac; done\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv(paper.VARIABLE, str(fake))
    check("print", "latest", root=desk)


def test_many_events_and_what_takes_long(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = pd.bdate_range("2023-01-02", periods=320, name="date")
    returns = pd.DataFrame(
        {t: [0.001 * ((i * k) % 7 - 3) for i in range(320)] for k, t in enumerate("SABC", 2)}, index=days
    )
    returns.to_csv(tmp_path / "returns.csv")
    events = pd.DataFrame({"ticker": list("ABC"), "session": days[300:303].strftime("%Y-%m-%d")})
    events.to_csv(tmp_path / "events.csv", index=False)
    files = ("--returns", tmp_path / "returns.csv", "--events", tmp_path / "events.csv")
    check("batch", *files, "--benchmark", "S", "--draws", "99", "--out", tmp_path / "out")
    run = SimpleNamespace(as_json=lambda: json.loads((ROOT / "reports/example/run.json").read_text("utf-8")))
    done = SimpleNamespace(folder=tmp_path, page=tmp_path / "report.html", is_new=True, run=run)
    monkeypatch.setattr("event_impact.runs.dossier.run_dossier", lambda *_, **__: done)
    check("dossier", "ford-xiaomi", root=desk)
    found = SimpleNamespace(sessions=range(1000))
    monkeypatch.setattr("event_impact.study.calibrate.calibrate_firm", lambda *_, **__: found)
    monkeypatch.setattr("event_impact.page.calibration_page.render_calibration", lambda _: "<p>page</p>")
    monkeypatch.setattr("event_impact.page.calibration_page.list_exhibits", lambda _: [])
    check("calibrate", "--reports", tmp_path / "reports")
    checked = Verification(str(desk), 1, 2, 3)
    monkeypatch.setattr("event_impact.runs.verify.verify_run", lambda *_, **__: checked)
    check("verify", "latest", root=desk)


def test_every_verb_has_its_shape() -> None:
    names = set()
    for verb in main.verbs:
        names |= {f"{verb}_{own}" for own in getattr(main.get_command(None, verb), "commands", ())} or {verb}
    assert names == set(SCHEMA["$defs"]) - {"error"}
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
