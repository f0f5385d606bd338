"""A desk left alone: hundreds of evenings of three stories, with holidays, clock changes, an outage, revisions, lost
vintages, and nights that die between a publication and its line in the log.

The notebooks are stubbed; plans, locks, publication, retention, index, log, digest and vintages are the real ones.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from event_impact.base.clock import format_instant
from event_impact.base.errors import RevisionError
from event_impact.base.root import StudyRoot
from event_impact.base.run_record import DOSSIER, RunRecord
from event_impact.events.calendars import load_hours
from event_impact.market.vintages import FORMAT, list_vintages, write_vintage
from event_impact.runs import nightly
from event_impact.runs.evenings import Summary, find_before, says_the_same
from event_impact.runs.nightly import run_nightly
from event_impact.runs.store import (
    StoredRun,
    hash_files,
    is_intact,
    list_folders,
    lock_story,
    open_staging,
    publish,
    read_runs,
)  # fmt: skip
from small_study import check_index, make_study

FIRST = datetime(2025, 3, 3, 23, 30, tzinfo=UTC)
STORIES = ("ford-xiaomi", "ford-geely-2026", "stellantis-xiaomi-xpeng-2026")
KEEP = 20
CHANGES_EVERY = 3
"""The stub says something new in every third session."""


def start_desk(folder: Path) -> StudyRoot:
    """A study whose three stories lie on the first day and are open."""
    root = make_study(folder)
    articles = pd.read_csv(root.data / "articles.csv", dtype=str, keep_default_na=False)
    articles["published_earliest"], articles["published_latest"] = "2025-02-28T22:00:00Z", "2025-02-28T22:05:00Z"
    articles.to_csv(root.data / "articles.csv", index=False)
    stories = pd.read_csv(root.data / "stories.csv", dtype=str, keep_default_na=False)
    stories["state"], stories["exchange"] = "open", "XNYS"
    stories.to_csv(root.data / "stories.csv", index=False)
    return root


def fetch_stub(root: StudyRoot, at: datetime) -> str:
    """A small vintage, as a download leaves it."""
    session = at.date().isoformat()
    content = f"date,ticker,close\n{session},F,{10 + at.toordinal() % 7}\n".encode()
    sha = hashlib.sha256(content).hexdigest()
    manifest = {
        "format": FORMAT,
        "provider": "toy",
        "tickers": {"F": {"file": "F.csv", "last_session": session}},
        "files": {"F.csv": {"sha256": sha}},
    }
    return write_vintage(root.data / "vintages", at.strftime("%Y%m%dT%H%M%SZ"), {"F.csv": content}, manifest).name


def dossier_stub(root: StudyRoot, story: str, as_of: str, at: datetime) -> str:
    """A dossier as the runner publishes it: staged, compared with the one before, hashed, moved by one rename."""
    number = len(load_hours("XNYS").between(pd.Timestamp("2025-03-03"), pd.Timestamp(as_of))) // CHANGES_EVERY
    held = list_vintages(root.data / "vintages")[0]
    run = RunRecord(
        story=story, as_of=as_of, notebook=DOSSIER, title=story, outcome="effect" if number % 40 == 39 else "fragile",
        headline={"estimate": number / 1e4, "ci95_low": -0.02, "ci95_high": 0.03}, source={"exchange": "XNYS"},
        parameters={"story": story, "as_of": as_of}, vintage=held[-1].name if held else "", finished_at=format_instant(at),
    )  # fmt: skip
    name = f"{as_of}_{story}_dossier_{hashlib.sha256(f'{story}{as_of}'.encode()).hexdigest()[:8]}"
    with lock_story(root.reports, story), open_staging(root.reports, story, name) as staging:
        results = staging / "runs/event-study/results"
        results.mkdir(parents=True)
        (results / "estimates.csv").write_text(f"estimate\n{number}\n")
        part = StoredRun(results.parent, dataclasses.replace(run, notebook="02_event_study"))
        before = find_before(read_runs(root.reports), story, as_of)
        if before is not None and says_the_same(before, run, [part]):
            return before.folder.name
        (staging / "report.html").write_text("<p>A page.</p>")
        run = dataclasses.replace(run, files=hash_files(staging))
        (staging / "run.json").write_text(run.as_text(), encoding="utf-8")
        return publish(root.reports / name, staging)[0].name


def live_through(root: StudyRoot, days: int) -> list[Summary]:
    """Every evening of so many days: the machine off for a week, one revised history, one lost vintage, one death."""
    nights = []
    for number in range(days):
        at = FIRST + timedelta(days=number)
        if 9 <= number % 180 < 16 and number > 9:
            continue  # the machine is off
        if number % 90 == 7:
            newest = list_vintages(root.data / "vintages")[0]
            if newest:
                (newest[-1].folder / "F.csv").write_text("lost")

        def fetch(story: str, instant: datetime, number: int = number) -> str:
            if number % 60 == 4 and story == STORIES[0]:
                raise RevisionError("history was revised.")
            return fetch_stub(root, instant)

        def dossier(story: str, as_of: str, at: datetime = at, number: int = number) -> str:
            name = dossier_stub(root, story, as_of, at)
            if number % 50 == 17 and story == STORIES[1]:
                raise SystemExit  # nobody catches it, as nobody catches a kill
            return name

        with contextlib.suppress(SystemExit):
            nights.append(
                run_nightly(root, root.reports, at=at, fetch=fetch, keep=KEEP, clock=lambda at=at: at, dossier=dossier)
            )
        check_index((root.reports / "index.html").read_text(encoding="utf-8"))
    return nights


def judge(root: StudyRoot, nights: list[Summary], days: int) -> dict[str, int]:
    """What must hold after any number of evenings; returns what has grown."""
    last = FIRST + timedelta(days=days)
    assert run_nightly(
        root, root.reports, at=last, fetch=None, keep=KEEP, clock=lambda: last,
        dossier=lambda story, as_of: dossier_stub(root, story, as_of, last),
    ).exit_code == 0  # fmt: skip
    logged = [
        json.loads(line)
        for path in sorted((root.reports / ".logs").glob("evenings.jsonl*"), reverse=True)
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    final = nightly.last_closed(load_hours("XNYS"), last)
    sessions = [s.date().isoformat() for s in load_hours("XNYS").between(pd.Timestamp("2025-03-03"), final)]
    assert len(sessions) > 500 or days < 700
    for story in STORIES:
        well = [e["as_of"] for e in logged if e["story"] == story and e["code"] == 0]
        assert sorted(well) == sessions  # each evening once: none lost, none twice
        unchanged = {e["as_of"] for e in logged if e["story"] == story and e["run"] == "unchanged"}
        steps = [s for k, s in enumerate(sessions, start=1) if k > 1 and k % CHANGES_EVERY == 0]
        assert unchanged == {*sessions[1:]} - {*steps}  # published exactly where something changed
    for night in nights:
        codes = {s.fetch_code for s in night.stories}
        assert night.exit_code == (6 if 6 in codes else 0)
    runs = read_runs(root.reports)
    assert all(is_intact(s.folder) for s in runs)
    assert not [p for p in (root.reports / ".staging").rglob("*") if p.is_file()]
    index = (root.reports / "index.html").read_text(encoding="utf-8")
    assert all(
        max((s for s in runs if s.run.story == story), key=lambda s: s.order).folder.name in index for story in STORIES
    )
    return {
        "runs": len(list_folders(root.reports)),
        "vintages": len(list_vintages(root.data / "vintages")[0]),
        "index bytes": len(index.encode()),
        "largest page": max(p.stat().st_size for p in (root.reports / "history").glob("*.html")),
    }


@pytest.fixture
def desk(tmp_path, monkeypatch) -> StudyRoot:
    monkeypatch.setattr(nightly, "KEEP_OPEN_SESSIONS", 600)
    return start_desk(tmp_path / "desk")


def test_three_weeks_of_evenings(desk):
    """With the night on which the clocks of New York change, and a revised history."""
    grown = judge(desk, live_through(desk, 24), 24)
    assert grown["runs"] <= len(STORIES) * KEEP
    assert grown["vintages"] <= 2 * KEEP + 2


@pytest.mark.slow
def test_five_hundred_evenings(desk):
    """Growth is bounded by what is kept, however long it goes on: two years of days hold 507 sessions."""
    grown = judge(desk, live_through(desk, 735), 735)
    print(grown, sum(p.stat().st_size for p in desk.path.rglob("*") if p.is_file()))
    assert grown["runs"] <= len(STORIES) * KEEP
    assert grown["vintages"] <= (len(STORIES) + 1) * KEEP + 2  # the newest, and those that a run rests on
    assert grown["largest page"] < 200_000
