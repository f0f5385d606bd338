"""Evenings: what is due, what is made up for, what is said; fifteen of them with faults."""

from __future__ import annotations

import itertools
import json
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from event_impact.base.config import CATCH_UP_SESSIONS, KEEP_OPEN_SESSIONS
from event_impact.base.errors import BusyError, ConfigError, DataError, ExecutionError, RateLimitError, RevisionError
from event_impact.base.root import StudyRoot
from event_impact.events.articles import load_stories
from event_impact.events.calendars import load_hours
from event_impact.events.sessions import align_story
from event_impact.page.outcomes import worst_code
from event_impact.runs import nightly
from event_impact.runs.dossier import run_dossier
from event_impact.runs.evenings import Journal, Summary
from event_impact.runs.nightly import find_closing, plan_story, run_nightly
from event_impact.runs.notification import notify, split_command
from event_impact.runs.requests import RunRequest
from event_impact.runs.store import hold_lock, is_intact, read_runs
from small_study import SHOW, check_index, hash_tree, make_study, perform_here, write_notebook


def evening(day: str, clock: str = "23:30") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}:00+00:00")


@pytest.fixture
def root(tmp_path: Path) -> StudyRoot:
    """A study whose results differ from evening to evening."""
    made = make_study(tmp_path / "study")
    write_notebook(made.notebooks / "01_small.ipynb", SHOW.replace(r"seed\n{seed}", r"seed,as_of\n{seed},{as_of}"))
    return made


def serve(root: StudyRoot, at: datetime, *, fetch: Callable | None = None, fault: Callable | None = None) -> Summary:
    """One night with faked kernels; ``fault(story, as_of)`` may raise before the dossier is made."""

    def bind(story: str, as_of: str):
        if fault:
            fault(story, as_of)
        parameters = {"story": story, "as_of": as_of, "source": "snapshot"}
        request = RunRequest("dossier", parameters, root, root.reports, clock=lambda: at)
        return run_dossier(request, perform=perform_here).folder.name

    return run_nightly(root, root.reports, at=at, fetch=fetch, dossier=bind, clock=lambda: at)


def dossiers(root: StudyRoot, story: str = "ford-xiaomi") -> list[str]:
    held = [s for s in read_runs(root.reports) if s.run.story == story and s.run.notebook == "dossier"]
    assert all(is_intact(s.folder) for s in held)
    return sorted(s.run.as_of for s in held)


def set_open(root: StudyRoot, *stories: str) -> None:
    path = root.data / "stories.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table["state"] = ["open" if s in stories else "closed" for s in table["story"]]
    table.to_csv(path, index=False)


def test_the_worst_code_wins() -> None:
    order = [0, 75, 6, 3, 2, 5, 4]
    for better, worse in itertools.pairwise(order):
        assert worst_code([worse, better, 0]) == worse
    assert worst_code([]) == 0
    assert worst_code([4, 130]) == 130
    assert worst_code([1]) == 4  # a code that nobody documented is no small matter


def test_an_evening_is_due_once_its_session_has_closed_and_settled(root: StudyRoot) -> None:
    assert serve(root, evening("2026-02-02", "21:29")).stories[0].state == "waiting"
    first = serve(root, evening("2026-02-02", "21:30"))
    assert [e.as_of for e in first.stories[0].evenings] == ["2026-02-02"]
    assert serve(root, evening("2026-02-03", "02:00")).stories[0].state == "up to date"
    assert dossiers(root) == ["2026-02-02"]


def test_weekend_and_holiday_have_no_evening(root: StudyRoot) -> None:
    serve(root, evening("2026-02-13"))
    for day in ("2026-02-14", "2026-02-15", "2026-02-16"):  # Monday is Presidents' Day
        assert serve(root, evening(day)).stories[0].state == "up to date"
    assert dossiers(root) == ["2026-02-13"]


def test_missed_evenings_are_made_up_for_each_as_of_its_own(root: StudyRoot) -> None:
    serve(root, evening("2026-02-03"))
    done = serve(root, evening("2026-02-09"))
    assert [e.as_of for e in done.stories[0].evenings] == ["2026-02-04", "2026-02-05", "2026-02-06", "2026-02-09"]
    assert done.exit_code == 0
    assert dossiers(root) == ["2026-02-03", "2026-02-04", "2026-02-05", "2026-02-06", "2026-02-09"]


def test_a_hole_left_by_a_failed_evening_is_filled(root: StudyRoot) -> None:
    def fail_once(story: str, as_of: str) -> None:
        if as_of == "2026-02-04":
            raise ExecutionError("a cell failed.")

    serve(root, evening("2026-02-03"))
    night = serve(root, evening("2026-02-05"), fault=fail_once)
    assert night.exit_code == 4
    assert dossiers(root) == ["2026-02-03", "2026-02-05"]
    assert serve(root, evening("2026-02-06")).exit_code == 0
    assert dossiers(root) == ["2026-02-03", "2026-02-04", "2026-02-05", "2026-02-06"]


def test_a_damaged_dossier_is_made_again(root: StudyRoot) -> None:
    serve(root, evening("2026-02-03"))
    serve(root, evening("2026-02-04"))
    (last,) = [s for s in read_runs(root.reports) if s.run.notebook == "dossier" and s.run.as_of == "2026-02-04"]
    (last.folder / "report.html").write_text("cut", encoding="utf-8")
    _, due, _ = plan_story(load_stories(root.data)["ford-xiaomi"], read_runs(root.reports), evening("2026-02-04"))
    assert due == ("2026-02-04",)


def test_a_long_absence_is_made_up_for_in_part_and_said(root: StudyRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "CATCH_UP_SESSIONS", 3)
    serve(root, evening("2026-02-03"))
    night = serve(root, evening("2026-02-12"))
    assert len(night.stories[0].evenings) == 3
    assert "4 earlier missed evenings are not made up for" in night.stories[0].note
    assert CATCH_UP_SESSIONS >= 5


def test_a_story_closes_by_itself_and_says_so(root: StudyRoot) -> None:
    alignment = align_story(load_stories(root.data)["ford-xiaomi"])
    closing = find_closing(alignment)
    assert len(load_hours("XNYS").between(alignment.event_session, closing)) - 1 == 2 + KEEP_OPEN_SESSIONS
    assert closing == pd.Timestamp("2026-02-19")
    late = serve(root, evening("2026-03-02"))
    assert [e.as_of for e in late.stories[0].evenings] == ["2026-02-19"]  # its final dossier
    assert "closed by itself" in late.stories[0].note
    assert serve(root, evening("2026-03-03")).stories[0].state == "closed"
    assert dossiers(root) == ["2026-02-19"]


def test_without_new_figures_no_evening_is_run(root: StudyRoot) -> None:
    def fetch(story: str, at: datetime) -> str:
        raise RevisionError("history was revised.", "Look into it.")

    night = serve(root, evening("2026-02-03"), fetch=fetch)
    assert night.exit_code == 6
    assert night.stories[0].evenings[0].exit_code == 6
    assert dossiers(root) == []


def test_one_story_does_not_stop_the_others(root: StudyRoot) -> None:
    set_open(root, "ford-xiaomi", "ford-geely-2026")

    def fetch(story: str, at: datetime) -> str:
        if story == "ford-xiaomi":
            raise ZeroDivisionError("a defect")
        return "fetched"

    night = serve(root, evening("2026-02-06"), fetch=fetch)
    assert night.exit_code == 4
    assert "unexpected ZeroDivisionError" in night.stories[0].fetched
    assert dossiers(root, "ford-geely-2026") == ["2026-02-06"]


def test_a_rate_limit_defers_a_story_behind_the_others_until_the_wait_is_over(root: StudyRoot) -> None:
    set_open(root, "ford-xiaomi", "ford-geely-2026")
    asked: list[str] = []
    slept: list[float] = []

    def fetch(story: str, at: datetime) -> str:
        asked.append(story)
        if story == "ford-xiaomi" and len(slept) < limits:
            raise RateLimitError("wait.")
        return "fetched"

    def dossier(story: str, as_of: str) -> str:
        return f"{as_of}_{story}"

    def night() -> Summary:
        asked.clear()
        slept.clear()
        at = evening("2026-02-06")
        return run_nightly(
            root, root.reports, at=at, fetch=fetch, dossier=dossier, wait_s=1800.0, sleep=slept.append, clock=lambda: at
        )

    limits = 2
    first = night()
    assert asked == ["ford-xiaomi", "ford-geely-2026", "ford-xiaomi", "ford-xiaomi"]
    assert (first.exit_code, slept) == (0, [60.0, 120.0])
    assert [s.fetch_code for s in first.stories] == [0, 0]
    limits = 99
    last = night()
    assert last.exit_code == 75
    assert sum(slept) == 1800.0
    assert asked.count("ford-geely-2026") == 1
    assert last.stories[0].evenings[0].message == "not run: no new figures"


def test_what_would_be_lost_is_recorded_first_and_fails_no_night(root: StudyRoot) -> None:
    def record(stories: list) -> str:
        assert [s.story for s in stories] == ["ford-xiaomi"]
        raise DataError("the bars could not be had.")

    at = evening("2026-02-01")
    night = run_nightly(root, root.reports, at=at, fetch=None, dossier=None, record=record, clock=lambda: at)
    assert (night.exit_code, night.stories[0].state) == (0, "waiting")
    assert "the bars could not be had." in night.notes


def test_summary_and_log_are_for_machines(root: StudyRoot) -> None:
    night = serve(root, evening("2026-02-03"))
    written = json.loads((root.reports / ".logs/nightly-summary.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(night.as_record()))
    lines = [json.loads(line) for line in (root.reports / ".logs/nightly.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["begin", "plan", "dossier", "end"]
    assert all(line["at"] == "2026-02-03T23:30:00Z" for line in lines)


def test_two_nights_at_once(root: StudyRoot) -> None:
    with hold_lock(root.reports / ".locks", ".nightly.lock", "busy"), pytest.raises(BusyError):
        serve(root, evening("2026-02-03"))


def test_an_interruption_is_written_down(root: StudyRoot) -> None:
    def interrupt(story: str, as_of: str) -> None:
        raise KeyboardInterrupt

    assert serve(root, evening("2026-02-03"), fault=interrupt).exit_code == 130
    assert json.loads((root.reports / ".logs/nightly-summary.json").read_text())["exit_code"] == 130


def test_the_log_rotates_and_forgives_a_full_disk(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "logs", lambda: datetime(2026, 2, 3, tzinfo=UTC), max_bytes=200, kept=2)
    for number in range(30):
        journal.write(stage="stage", number=number)
    held = sorted(p.name for p in (tmp_path / "logs").iterdir())
    assert held == ["nightly.jsonl", "nightly.jsonl.1", "nightly.jsonl.2"]
    assert all(p.stat().st_size <= 300 for p in (tmp_path / "logs").iterdir())
    (tmp_path / "file").write_text("")
    blocked = Journal(tmp_path / "file", lambda: datetime(2026, 2, 3, tzinfo=UTC))
    blocked.write(stage="stage")
    assert "cannot be written" in blocked.fault


# ---------------------------------------------------------------- the notification


def night_of(code: int) -> Summary:
    return Summary("2026-02-03T23:30:00Z", "a", "b", code, (), ("it's <b>odd</b>; $(touch x)",))


def test_the_command_gets_the_summary_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "got.json"
    script = tmp_path / "tell.py"
    script.write_text("import sys\nopen(sys.argv[1], 'w').write(sys.stdin.read() + '|'.join(sys.argv[2:]))\n")
    command = shlex.join([sys.executable, str(script), str(out), "$HOME; touch bad", "a b"])
    assert notify(command, night_of(4)) == ""
    text = out.read_text()
    assert text.endswith("$HOME; touch bad|a b")
    assert json.loads(text.split("}$HOME")[0] + "}")["exit_code"] == 4


def test_a_notification_that_fails_is_said(tmp_path: Path) -> None:
    assert "exit code 3" in notify(shlex.join([sys.executable, "-c", "raise SystemExit(3)"]), night_of(4))
    assert "failed" in notify(str(tmp_path / "no-such-program"), night_of(4))
    with pytest.raises(ConfigError):
        split_command("echo 'open")
    with pytest.raises(ConfigError):
        split_command("  ")


# ---------------------------------------------------------------- fifteen evenings


NIGHTS = (
    ("2025-10-31", None), ("2025-11-01", None), ("2025-11-02", "OSError"),  # the clocks of New York change
    ("2025-11-03", "empty"), ("2025-11-04", "kernel"), ("2025-11-05", "revision"), ("2025-11-06", "disk"),
    ("2025-11-17", "defect"),  # the machine was off for six sessions
    ("2025-11-24", "limit"), ("2025-11-25", None), ("2025-11-26", "timeout"), ("2025-11-27", "empty"),  # a holiday
    ("2025-11-28", "revision"),  # a half day
    ("2025-11-29", "kernel"), ("2025-12-01", None),
)  # fmt: skip
FAULTS = {
    "empty": ("fetch", DataError("the answer is empty."), 3),
    "revision": ("fetch", RevisionError("history was revised."), 6),
    "limit": ("fetch", DataError("Too Many Requests."), 3),
    "kernel": ("dossier", ExecutionError("the kernel died."), 4),
    "timeout": ("dossier", ExecutionError("a cell took too long."), 4),
    "disk": ("dossier", OSError(28, "No space left on device"), 5),
    "OSError": ("dossier", OSError(5, "Input/output error"), 4),
    "defect": ("dossier", KeyError("a defect"), 4),
}
MOVED = {"ford-xiaomi": "2025-10-30", "ford-geely-2026": "2025-10-31", "stellantis-xiaomi-xpeng-2026": "2025-11-04"}


def test_fifteen_evenings_with_faults_lose_nothing(root: StudyRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three stories, the night on which the clocks change, an absence, a holiday and a half day."""
    monkeypatch.setattr(nightly, "KEEP_OPEN_SESSIONS", 30)
    for story, day in MOVED.items():
        move_articles(root, story, day)
    set_open(root, *MOVED)
    hours, failed = load_hours("XNYS"), 0
    for day, name in NIGHTS:
        kind, error, code = FAULTS.get(name or "", ("", None, 0))
        victim = "ford-geely-2026" if kind == "fetch" else "ford-xiaomi"
        before = hash_tree(root.reports)

        def fetch(story: str, at: datetime, kind=kind, error=error, victim=victim) -> str:
            if kind == "fetch" and story == victim:
                raise error
            return "fetched"

        def fault(story: str, as_of: str, kind=kind, error=error, victim=victim) -> None:
            if kind == "dossier" and story == victim:
                raise error

        night = serve(root, evening(day, "18:30" if day == "2025-11-28" else "23:30"), fetch=fetch, fault=fault)
        hit = next(s for s in night.stories if s.story == victim)
        is_hit = bool(kind) and bool(hit.evenings)
        failed += is_hit
        assert night.exit_code == (code if is_hit else 0)
        assert before.items() <= hash_tree(root.reports).items()  # nothing published was touched
        check_index((root.reports / "index.html").read_text(encoding="utf-8"))
        for one in (e for s in night.stories for e in s.evenings):
            assert (one.exit_code == 0) == (root.reports / one.folder / "report.html").is_file()
        closed = not len(hours.between(pd.Timestamp(day), pd.Timestamp(day)))
        if closed and not any(s.evenings for s in night.stories):
            assert hash_tree(root.reports) == before
    assert failed == 8
    assert serve(root, evening("2025-12-02")).exit_code == 0
    for story in MOVED:
        held = dossiers(root, story)
        assert held == [d.date().isoformat() for d in hours.between(pd.Timestamp(held[0]), pd.Timestamp("2025-12-02"))]
    assert "2025-11-27" not in dossiers(root)


def move_articles(root: StudyRoot, story: str, day: str) -> None:
    articles = pd.read_csv(root.data / "articles.csv", dtype=str, keep_default_na=False)
    rows = articles["story"] == story
    articles.loc[rows, "published_earliest"] = f"{day}T22:00:00Z"
    articles.loc[rows, "published_latest"] = f"{day}T22:30:00Z"
    articles.to_csv(root.data / "articles.csv", index=False)


def test_a_half_day_and_the_holiday_before_it(root: StudyRoot) -> None:
    move_articles(root, "ford-xiaomi", "2025-11-25")
    serve(root, evening("2025-11-26"))
    assert serve(root, evening("2025-11-27")).stories[0].state == "up to date"  # Thanksgiving
    assert serve(root, evening("2025-11-28", "18:29")).stories[0].state == "up to date"
    serve(root, evening("2025-11-28", "18:30"))  # closed at 13:00 New York
    assert dossiers(root) == ["2025-11-26", "2025-11-28"]
