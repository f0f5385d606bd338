"""Evenings as people get them: what changed only, nothing twice, old runs cleared away, word of it that fails no night."""

from __future__ import annotations

import json
import shlex
import sys
import threading
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from event_impact.base.errors import ConfigError
from event_impact.base.root import StudyRoot
from event_impact.base.run_record import DOSSIER
from event_impact.runs import notification
from event_impact.runs.dossier import run_dossier
from event_impact.runs.evenings import EveningLog, EveningOutcome, StoryOutcome, Summary
from event_impact.runs.nightly import NONE_OPEN, run_nightly
from event_impact.runs.notification import check_target, compose_digest, is_service, notify, shorten_digest
from event_impact.runs.prune import list_starred, prune_runs, star_run
from event_impact.runs.site import SITE_MARK, build_site
from event_impact.runs.store import list_folders, read_runs
from small_study import SHOW, check_index, hash_tree, make_study, perform_here, request, write_notebook

DAYS = ("2026-02-03", "2026-02-04", "2026-02-05", "2026-02-06")


def evening(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T23:30:00+00:00")


@pytest.fixture
def root(tmp_path: Path) -> StudyRoot:
    return make_study(tmp_path / "study")


def serve(root: StudyRoot, day: str, **options) -> Summary:
    def bind(story: str, as_of: str) -> str:
        asked = request(
            root, notebook=DOSSIER, story=story, as_of=as_of, source="snapshot", is_evening=True, clock=lambda: evening(day),
        )  # fmt: skip
        return run_dossier(asked, perform=perform_here).folder.name

    at = evening(day)
    return run_nightly(root, root.reports, at=at, fetch=None, dossier=bind, clock=lambda: at, **options)


def change_results(root: StudyRoot, outcome: str = "no_detectable_effect") -> None:
    """From now on the notebook says something that differs each evening."""
    shown = SHOW.replace(r"seed\n{seed}", r"seed,as_of\n{seed},{as_of}").replace(
        '"no_detectable_effect"', f'"{outcome}"'
    )
    write_notebook(root.notebooks / "01_small.ipynb", shown)


def log_of(root: StudyRoot) -> list[dict]:
    text = (root.reports / ".logs/evenings.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


# ---------------------------------------------------------------- unchanged


def test_an_evening_where_only_the_date_changed_publishes_nothing_new(root):
    first = serve(root, DAYS[0])
    held = [f.name for f in list_folders(root.reports)]
    second = serve(root, DAYS[1])
    assert [f.name for f in list_folders(root.reports)] == held
    (story,) = second.stories
    assert (second.exit_code, story.evenings[0].is_unchanged) == (0, True)
    assert story.evenings[0].folder == first.stories[0].evenings[0].folder
    assert [(e["as_of"], e["code"], e["run"]) for e in log_of(root)] == [
        (DAYS[0], 0, first.stories[0].evenings[0].folder), (DAYS[1], 0, "unchanged"),
    ]  # fmt: skip
    assert serve(root, DAYS[1]).stories[0].state == "up to date"  # it is not due again
    assert f"{DAYS[1]}_ford" not in check_index((root.reports / "index.html").read_text(encoding="utf-8"))


def test_what_says_nothing_new_is_never_published_and_what_a_stop_leaves_is_cleared(root, monkeypatch):
    serve(root, DAYS[0])
    held, index = hash_tree(root.reports), (root.reports / "index.html").read_text(encoding="utf-8")
    with monkeypatch.context() as patched:
        patched.setattr("event_impact.runs.dossier.says_the_same", lambda *_: sys.exit())  # nobody catches it
        with pytest.raises(SystemExit):
            serve(root, DAYS[1])
    assert hash_tree(root.reports) == held
    assert (root.reports / "index.html").read_text(encoding="utf-8") == index
    assert serve(root, DAYS[1]).stories[0].evenings[0].is_unchanged
    assert hash_tree(root.reports) == held
    assert not list((root.reports / ".staging").rglob("*.html"))


def test_a_dossier_made_by_hand_is_no_evening_again_once_it_is_cleared_away(root):
    change_results(root)
    serve(root, DAYS[0])
    run_dossier(request(root, notebook=DOSSIER, as_of=DAYS[1], source="snapshot"), perform=perform_here)
    for day in DAYS[2:]:
        serve(root, day, keep=2)
    assert [e["as_of"] for e in log_of(root)] == [*DAYS]
    assert serve(root, DAYS[3], keep=2).stories[0].state == "up to date"


def test_a_changed_figure_is_published_and_a_changed_outcome_is_said(root):
    serve(root, DAYS[0])
    change_results(root)
    assert not serve(root, DAYS[1]).stories[0].evenings[0].is_unchanged
    change_results(root, "effect")
    done = serve(root, DAYS[2]).stories[0].evenings[0]
    assert done.changed == "outcome changed from no detectable effect to abnormal return detected"
    assert len({s.run.as_of for s in read_runs(root.reports)}) == 3
    digest = (root.reports / ".logs/digest.txt").read_text(encoding="utf-8")
    assert digest.splitlines()[1:] == [f"ford-xiaomi: {done.changed} (as of {DAYS[2]})"]
    serve(root, DAYS[2])
    assert (root.reports / ".logs/digest.txt").read_text(encoding="utf-8") == "nothing changed\n"


def test_a_lost_or_damaged_log_of_evenings_costs_work_and_no_result(root):
    serve(root, DAYS[0])
    serve(root, DAYS[1])
    path = root.reports / ".logs/evenings.jsonl"
    path.write_text(path.read_text()[:-9] + "\n[1]\n{}\n", encoding="utf-8")
    assert EveningLog(root.reports, lambda: evening(DAYS[0])).list_served("ford-xiaomi", []) == set()
    again = serve(root, DAYS[1]).stories[0]
    assert [e.as_of for e in again.evenings] == [DAYS[1]]
    assert again.evenings[0].is_unchanged


# ---------------------------------------------------------------- retention


def test_old_runs_go_at_the_end_of_a_night_and_are_not_made_again(root):
    change_results(root)
    for day in DAYS:
        done = serve(root, day, keep=2)
    assert sorted({s.run.as_of for s in read_runs(root.reports)}) == [*DAYS[2:]]
    assert any("old runs and vintages removed" in note for note in done.notes)
    assert serve(root, DAYS[3], keep=2).stories[0].state == "up to date"
    page = check_index((root.reports / "index.html").read_text(encoding="utf-8"))
    assert DAYS[0] not in page


def test_a_starred_run_stays(root):
    change_results(root)
    serve(root, DAYS[0])
    starred = read_runs(root.reports)[-1]
    star_run(starred, root.reports, "signed by the desk")
    assert list_starred(root.reports) == {starred.folder.name}
    for day in DAYS[1:]:
        serve(root, day, keep=1)
    assert starred.folder.is_dir()
    assert len(list_folders(root.reports)) == 3
    assert starred.folder.name not in prune_runs(root.reports, 1).removed


# ---------------------------------------------------------------- empty desks


def test_an_empty_desk_says_that_nothing_is_open(root):
    path = root.data / "stories.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",open,", ",closed,"), encoding="utf-8")
    night = serve(root, DAYS[0])
    assert (night.exit_code, night.notes, night.stories) == (0, (NONE_OPEN,), ())


# ---------------------------------------------------------------- word of it


def night_of(code: int = 0, *stories: StoryOutcome) -> Summary:
    return Summary("2026-02-03T23:30:00Z", "a", "b", code, stories, ())


def story_with(*evenings: EveningOutcome, name: str = "acme", **changes) -> StoryOutcome:
    return StoryOutcome(name, "due", "", evenings=list(evenings), **changes)


def test_nothing_is_said_of_a_night_without_news():
    same = EveningOutcome("2026-02-03", 0, "run", is_unchanged=True)
    assert compose_digest(night_of(0, story_with(same), story_with(name="bolt"))) == ()
    assert notify("/no/such/program", night_of(0, story_with(same))) == ""


def test_a_night_is_told_in_three_lines_failures_first():
    new = EveningOutcome("2026-02-03", 0, "run", outcome="effect")
    changed = EveningOutcome("2026-02-03", 0, "run", changed="outcome changed from a to b")
    bad = EveningOutcome("2026-02-03", 4, message="the kernel\ndied.")
    lines = compose_digest(night_of(4, story_with(new), story_with(changed, name="bolt"), story_with(bad, name="cure")))
    assert lines == (
        "Night of 2026-02-03: FAILED, code 4",
        "cure failed: the kernel died.",
        "bolt: outcome changed from a to b (as of 2026-02-03)",
        "acme: new page as of 2026-02-03, abnormal return detected",
    )
    assert shorten_digest(lines) == (*lines[:2], f"{lines[2]}; and 1 more in the digest")


def test_a_command_gets_lines_and_summary_and_no_shell(tmp_path):
    out = tmp_path / "got.json"
    script = tmp_path / "tell.py"
    script.write_text("import sys\nopen(sys.argv[1], 'w').write(sys.stdin.read())\n")
    new = EveningOutcome("2026-02-03", 0, "run", outcome="effect")
    command = shlex.join([sys.executable, str(script), str(out), "; touch bad", "$(touch bad)", "| tee bad"])
    assert not is_service(command)
    assert notify(command, night_of(0, story_with(new))) == ""
    assert json.loads(out.read_text())["message"][0] == "Night of 2026-02-03: all well"
    assert not Path("bad").exists()


def test_a_command_that_hangs_is_left():
    command = shlex.join([sys.executable, "-c", "import time; time.sleep(600)"])
    assert "no answer within" in notify(command, night_of(4), timeout_s=0.3)


@pytest.fixture
def service():
    """A service on this machine that answers as its path says, and remembers what it was told."""
    told = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(self.rfile.read(int(self.headers["Content-Length"])))
            if "hang" in self.path:
                released.wait(30)
            self.send_response(500 if "500" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    released = threading.Event()
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}", told
    released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_services_that_answer_refuse_fail_or_hang(service):
    pytest.importorskip("apprise")
    address, told = service
    assert notify(f"{address}/good", night_of(4)) == ""
    assert b"FAILED, code 4" in told[0]
    assert json.loads(told[0])["title"] == "Night of 2026-02-03: FAILED, code 4"
    assert "refused" in notify(f"{address}/500", night_of(4))
    assert "refused" in notify("json://127.0.0.1:9/", night_of(4))
    assert "no answer within" in notify(f"{address}/hang", night_of(4), timeout_s=4)


def test_targets_are_checked_before_the_night(monkeypatch):
    for bad in ("", "  ", "echo 'open"):
        with pytest.raises(ConfigError):
            check_target(bad)
    check_target("tell --all")
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"extra `notify`") as caught:
        check_target("mailto://desk.example")
    assert caught.value.exit_code == 2
    assert notification.MISSING in caught.value.message


# ---------------------------------------------------------------- the site


def test_a_site_holds_index_histories_pages_feed_and_json(root, tmp_path):
    change_results(root)
    for day in DAYS:
        serve(root, day)
    folder = tmp_path / "site"
    count = build_site(root.reports, folder, at=evening(DAYS[3]), runs_kept=2, address="https://desk.example/studies/")
    assert count == 4  # two evenings of the notebook and of the dossier
    pages = {p.name for p in folder.glob("2026*")}
    index = check_index((folder / "index.html").read_text(encoding="utf-8"))
    history = check_index((folder / "history/ford-xiaomi.html").read_text(encoding="utf-8"))
    for name in pages:
        assert f'href="{name}/report.html"' in index
        assert f'href="../{name}/report.html"' in history
        assert (folder / name / "report.html").is_file()
    assert DAYS[0] in history  # listed, without a link
    assert history.count("/report.html") == 4
    held = json.loads((folder / "history/ford-xiaomi.json").read_text(encoding="utf-8"))
    assert len(held["runs"]) == 8
    feed = ElementTree.fromstring((folder / "feed.xml").read_text(encoding="utf-8"))
    atom = "{http://www.w3.org/2005/Atom}"
    links = [entry.find(f"{atom}link").get("href") for entry in feed.iter(f"{atom}entry")]
    assert {link.split("/")[-2] for link in links} == pages
    assert all(link.startswith("https://desk.example/studies/2026") for link in links)


def test_a_site_follows_the_runs_and_keeps_its_addresses(root, tmp_path):
    change_results(root)
    serve(root, DAYS[0])
    folder = tmp_path / "site"
    build_site(root.reports, folder, at=evening(DAYS[0]), runs_kept=1)
    first = {p.name for p in folder.glob("2026*")}
    serve(root, DAYS[1])
    build_site(root.reports, folder, at=evening(DAYS[1]), runs_kept=1)
    second = {p.name for p in folder.glob("2026*")}
    assert len(first) == len(second) == 2
    assert not first & second
    assert (folder / "history/ford-xiaomi.html").is_file()


def test_a_folder_that_holds_other_files_is_refused(root, tmp_path):
    serve(root, DAYS[0])
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds other files, for instance thesis\.tex"):
        build_site(root.reports, folder, at=evening(DAYS[0]))
    (folder / SITE_MARK).touch()
    with pytest.raises(ConfigError, match="holds other files"):
        build_site(root.reports, folder, at=evening(DAYS[0]))
    assert sorted(p.name for p in folder.iterdir()) == [SITE_MARK, "thesis.tex"]
    for inside in (root.reports, root.reports / "site"):
        with pytest.raises(ConfigError, match="where runs are published"):
            build_site(root.reports, inside, at=evening(DAYS[0]))


def test_an_unreadable_clock_of_a_feed_is_escaped(root, tmp_path):
    serve(root, DAYS[0])
    build_site(root.reports, tmp_path / "site", at=datetime(2026, 2, 3, tzinfo=UTC), address='https://a.example/"><x>')
    ElementTree.fromstring((tmp_path / "site/feed.xml").read_text(encoding="utf-8"))
