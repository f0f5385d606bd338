"""The verbs that fetch, through the command line and the real client, against a server of ours."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from event_impact.base.root import StudyRoot
from event_impact.cli.main import main
from event_impact.runs.workers import PartOutcome
from market.replay import FAULTS, ReplayServer, bend, make_library, make_listing, replaying
from small_study import make_study

FRIDAY = datetime(2026, 2, 13, 22, 0, tzinfo=UTC)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ReplayServer]:
    monkeypatch.setattr("event_impact.market.providers.yahoo.FIRST_WAIT_S", 0.0)
    monkeypatch.setattr("event_impact.cli.scheduler.read_system_clock", lambda: FRIDAY)
    monkeypatch.setattr("event_impact.cli.analyst.read_system_clock", lambda: FRIDAY)
    with replaying(monkeypatch, tmp_path / "cache") as server:
        server.listings = {ticker: make_listing(ticker) for ticker in ("F", "SPY")}
        server.listings["1810.HK"] = make_listing("1810.HK", exchange="XHKG", currency="HKD")
        server.listings["F"].earnings = (("February 10, 2026 at 4 PM EST", "0.13"),)
        server.factors = make_library()
        yield server


@pytest.fixture
def root(tmp_path: Path) -> StudyRoot:
    return make_study(tmp_path / "study", with_prices=True)


def call(root: StudyRoot, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--root", str(root.path), *arguments])


def vintages(root: StudyRoot) -> list[Path]:
    return sorted((root.data / "vintages").glob("2*"))


def test_a_story_is_fetched(server: ReplayServer, root: StudyRoot) -> None:
    done = call(root, "--json", "fetch", "ford-xiaomi")
    assert done.exit_code == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["is_new"]
    files = json.loads((Path(said["folder"]) / "manifest.json").read_text(encoding="utf-8"))["files"]
    wanted = {"F.csv", "SPY.csv", "1810.HK.csv", "factors.csv", "earnings/F.csv", "raw/F.gz", "intraday/1m/SPY.csv"}
    assert wanted <= set(files)
    assert "Warning" not in done.stderr


def test_tickers_are_fetched_with_bars_when_asked(server: ReplayServer, root: StudyRoot) -> None:
    done = call(root, "fetch", "SPY", "--start", "2026-01-05", "--intraday")
    assert done.exit_code == 0, done.stderr
    assert (Path(done.stdout.strip()) / "intraday/5m/SPY.csv").is_file()


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [("429", 75, "asks to wait"), ("503", 3, "is down or cannot be reached"), ("404", 3, "does not know this ticker")],
)
def test_what_the_provider_refuses_has_its_own_code(
    server: ReplayServer, root: StudyRoot, fault: str, code: int, said: str
) -> None:
    server.steady = FAULTS[fault]
    done = call(root, "fetch", "F", "--wait", "0")
    assert (done.exit_code, vintages(root)) == (code, [])
    assert said in done.stderr


def test_suspicions_have_code_6_and_a_way_through(server: ReplayServer, root: StudyRoot) -> None:
    server.listings["F"] = bend(server.listings["F"], "2025-11-11", dividend=15.0)
    done = call(root, "fetch", "ford-xiaomi")
    assert (done.exit_code, vintages(root)) == (6, [])
    assert "F: dividend of 2025-11-11 doubtful" in done.stderr
    assert call(root, "fetch", "ford-xiaomi", "--accept-suspicions").exit_code == 0
    assert call(root, "fetch", "ford-xiaomi").exit_code == 0


def test_nightly_fetches_records_bars_and_defers(
    server: ReplayServer, root: StudyRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[str] = []

    def run_parts(requests, *, run, progress) -> list[PartOutcome]:
        served.extend(request.parameters["as_of"] for request in requests)
        return [PartOutcome("dossier", 0, "2026-02-13_ford-xiaomi_dossier_00000000")]

    monkeypatch.setattr("event_impact.runs.workers.run_parts", run_parts)
    server.steady = FAULTS["429"]
    limited = call(root, "nightly", "--at", "2026-02-13T23:00:00Z", "--wait", "0")
    assert (limited.exit_code, served, vintages(root)) == (75, [], [])
    server.steady = None
    server.listings["F"] = dataclasses.replace(server.listings["F"])
    done = call(root, "--json", "nightly", "--at", "2026-02-13T23:00:00Z")
    assert done.exit_code == 0, done.stderr
    assert served == ["2026-02-13"]
    bars, daily = sorted(vintages(root), key=lambda folder: (folder / "F.csv").exists())
    assert sorted(p.name for p in (bars / "intraday").iterdir()) == ["1m", "5m"]
    assert not (daily / "intraday").exists()  # recorded once a night
    assert pd.read_csv(daily / "F.csv")["date"].iloc[-1] == "2026-02-13"


def test_prices_of_a_new_story_are_fetched(server: ReplayServer, root: StudyRoot, tmp_path: Path) -> None:
    words = (
        "--story", "ford-again", "--title", "Ford: again", "--ticker", "F", "--exchange", "XNYS", "--benchmark", "SPY",
        "--denied", "no",
    )  # fmt: skip
    page = tmp_path / "page.html"
    stamp = '<meta property="article:published_time" content="2026-01-20T15:04:05Z">'
    stamp += '<meta property="og:site_name" content="The Example">'
    page.write_text(f"<html><head>{stamp}</head><body><h1>Ford</h1></body></html>", encoding="utf-8")
    done = call(root, "story", "new", *words, "--article", f"report={page}", "--prices", "fetch", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "F: " in done.stderr
    assert len(vintages(root)) == 1
