"""A desk of version 0.1 opens unchanged: tables, prices, plans and runs that its own code wrote (``desk_of_0_1``)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from event_impact.base.config import StudyConfig
from event_impact.base.errors import ConfigError
from event_impact.base.root import StudyRoot
from event_impact.cli.main import main
from event_impact.events.articles import load_stories, load_story
from event_impact.events.claims import load_claims
from event_impact.events.confounders import load_confounders
from event_impact.events.sessions import align_story
from event_impact.market.snapshot import open_source
from event_impact.registry.plans import load_plans, plan_status
from event_impact.runs.nightly import plan_story
from event_impact.runs.run import run_notebook
from event_impact.runs.store import is_intact, read_failures, read_runs
from small_study import SHOW, execute_fake, hash_tree, request, write_notebook
from stories import ROOT

OLD = Path(__file__).with_name("desk_of_0_1")
AT = datetime(2026, 2, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path) -> StudyRoot:
    shutil.copytree(OLD, tmp_path / "desk")
    return StudyRoot(tmp_path / "desk")


def impact(desk: StudyRoot, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["--root", str(desk.path), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_its_tables_are_read_and_columns_they_lack_are_empty(desk: StudyRoot) -> None:
    stories = load_stories(desk.data)
    assert sorted(stories) == ["ford-geely-2026", "ford-xiaomi", "stellantis-xiaomi-xpeng-2026"]
    assert len(load_claims(stories["ford-xiaomi"].articles, desk.data)) > 20
    assert len(load_confounders("F", desk.data, story="ford-xiaomi").table) > 10
    header = (desk.data / "stories.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.endswith(",shares_source")  # what 0.2 adds is not there
    assert "ford-xiaomi" in impact(desk, "stories")
    assert impact(desk, "align", "ford-xiaomi").startswith("ford-xiaomi (F, XNYS): joint; event session 2026-02-02")


def test_tables_of_before_any_shares_were_recorded_are_read_too(desk: StudyRoot) -> None:
    path = desk.data / "stories.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.iloc[:, :-3].to_csv(path, index=False)
    assert load_stories(desk.data)["ford-xiaomi"].shares_outstanding is None


def test_a_story_is_added_to_its_tables(desk: StudyRoot) -> None:
    before = (desk.data / "stories.csv").read_bytes()
    impact(
        desk, "story", "new", "--story", "gm-arvo", "--title", "GM and Arvo", "--ticker", "GM", "--exchange", "XNYS",
        "--benchmark", "SPY", "--denied", "yes", "--yes",
    )  # fmt: skip
    assert (desk.data / "stories.csv").read_bytes().startswith(before)
    assert load_stories(desk.data, with_drafts=True)["gm-arvo"].is_draft


@pytest.mark.parametrize(("source", "vintage"), [("snapshot", "snapshot-2026-09"), ("auto", "yahoo-20260213T220000Z")])
def test_its_recorded_prices_are_served(desk: StudyRoot, source: str, vintage: str) -> None:
    store = open_source(source, desk.data, ("F", "SPY"))
    history = store.load("F", "XNYS")
    assert history.vintage == vintage
    assert (len(history.frame), str(history.frame.index[-1].date())) == (287, "2026-02-13")
    assert store.note == ""


def test_its_plan_still_stands(desk: StudyRoot) -> None:
    story, config = load_story("ford-xiaomi", desk.data), StudyConfig()
    found = plan_status(story, config, alignment=align_story(story), plans=load_plans(desk.data, story.story))
    assert found.kind == "before"


def test_its_runs_are_whole_and_listed(desk: StudyRoot) -> None:
    runs = read_runs(desk.reports)
    texts = [(stored.folder / "run.json").read_text(encoding="utf-8") for stored in runs]
    assert [json.loads(text)["schema_version"] for text in texts] == [1, 1, 1]
    assert all(is_intact(stored.folder) for stored in runs)
    assert len(read_failures(desk.reports)) == 1
    listed = impact(desk, "list")
    assert all(stored.folder.name in listed for stored in runs)
    assert "damaged" not in listed
    shown = json.loads(impact(desk, "--json", "show", "2026-02-13"))
    assert shown["verdict"] == "Nothing seen in ford-xiaomi."


def test_new_runs_stand_beside_the_old_and_know_them(desk: StudyRoot) -> None:
    write_notebook(desk.notebooks / "01_small.ipynb", SHOW)  # of this version
    before = hash_tree(desk.reports)
    done = run_notebook(request(desk, seed=1, clock=lambda: AT), execute=execute_fake)
    assert done.is_new
    assert before.items() <= hash_tree(desk.reports).items()
    page = done.page.read_text(encoding="utf-8")
    assert "as of 2026-02-13, finished 2026-02-14T01:00:00Z" in page  # what it is compared with
    index = (desk.reports / "index.html").read_text(encoding="utf-8")
    assert all(f"{stored.folder.name}/report.html" in index for stored in read_runs(desk.reports))


def test_nights_go_on_from_the_evenings_that_are_recorded(desk: StudyRoot) -> None:
    _, due, _ = plan_story(load_story("ford-xiaomi", desk.data), read_runs(desk.reports), AT)
    assert due == ("2026-02-13",)  # a dossier of the 12th is there


def test_the_old_import_name_fails_with_the_new_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from analysis import study"],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONSAFEPATH": ""},
    )  # fmt: skip
    assert "ImportError: The package is called event_impact since version 0.2" in done.stderr


def test_its_notebooks_are_refused_and_the_refusal_says_where_to_take_new_ones(desk: StudyRoot) -> None:
    with pytest.raises(
        ConfigError, match=r"take a notebook of version 0\.1, which imports `analysis`, anew from impact"
    ):
        run_notebook(request(desk, clock=lambda: AT))
