"""Runs read back: the index, names, pruning, and hostile text."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from event_impact.base.errors import ConfigError, ExecutionError
from event_impact.base.root import StudyRoot
from event_impact.base.run_record import RunRecord
from event_impact.page.exhibits import write_csv
from event_impact.page.render import check_page
from event_impact.runs.index import find_state
from event_impact.runs.prune import prune_runs
from event_impact.runs.requests import find_notebook
from event_impact.runs.run import run_notebook
from event_impact.runs.store import StoredRun, find_run, is_intact, lock_story, read_failures, read_runs
from small_study import SHOW, check_index, execute_fake, hash_tree, make_study, render_index, request, write_notebook

AT = datetime(2026, 2, 17, 22, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'&\u202e<img src=x onerror=y> " + "w" * 300


@pytest.fixture
def root(tmp_path: Path) -> StudyRoot:
    return make_study(tmp_path / "study")


def publish(root: StudyRoot, seed: int, minute: int = 0, **changes: object):
    at = datetime(2026, 2, 14, 1, minute, tzinfo=UTC)
    return run_notebook(request(root, seed=seed, clock=lambda: at, **changes), execute=execute_fake)


def fail(root: StudyRoot, minute: int = 0) -> None:
    write_notebook(root.notebooks / "02_bad.ipynb", "pass")
    at = datetime(2026, 2, 15, 1, minute, tzinfo=UTC)
    with pytest.raises(ExecutionError):
        run_notebook(request(root, "02_bad", clock=lambda: at), execute=execute_fake)


# ---------------------------------------------------------------- the index


def stored(status: str, finished: str, as_of: str = "2026-02-13", **more: object) -> StoredRun:
    run = RunRecord(story="s", notebook="n", as_of=as_of, status=status, finished_at=finished, **more)
    return StoredRun(Path("x"), run)


def test_states_of_a_story() -> None:
    nyse = {"source": {"exchange": "XNYS"}}
    good = stored("final", "2026-02-14T01:00:00Z", **nyse)
    assert find_state([good], AT)[0] == "final"
    assert find_state([stored("failed", "2026-02-14T01:00:00Z")], AT) == ("failed", "no good run yet")
    assert find_state([good, stored("failed", "2026-02-15T01:00:00Z")], AT)[0] == "stale"
    assert find_state([good, stored("failed", "2026-02-13T01:00:00Z")], AT)[0] == "final"
    opened = stored("open", "2026-02-14T01:00:00Z", **nyse)
    assert find_state([opened], AT)[0] == "open"  # one session has closed since: Monday is a holiday
    assert find_state([opened], datetime(2026, 2, 18, 22, 0, tzinfo=UTC))[0] == "stale"
    assert "4 days ago" in find_state([opened], datetime(2026, 2, 18, 1, 0, tzinfo=UTC))[1]
    assert "in the future" in find_state([good], datetime(2026, 1, 1, tzinfo=UTC))[1]
    assert "21 h ago" in find_state([good], datetime(2026, 2, 14, 22, 0, tzinfo=UTC))[1]


def test_the_index_is_newest_first_and_rests_on_run_json_alone(root: StudyRoot) -> None:
    old, new = publish(root, 1, 1), publish(root, 2, 2)
    fail(root)
    (root.reports / "index.html").unlink()
    page = render_index(root.reports, at=AT)
    check_index(page)
    assert page.index(new.folder.name) < page.index(old.folder.name)
    assert page.index("failed/20260215T010000Z") < page.index(new.folder.name)
    assert "a later attempt failed" in page
    (root.reports / "example").mkdir()
    (root.reports / "example/run.json").write_text((new.folder / "run.json").read_text(), encoding="utf-8")
    assert render_index(root.reports, at=AT) == page  # only folders named like runs count


def test_an_empty_index(tmp_path: Path) -> None:
    page = render_index(tmp_path / "nothing", at=AT)
    check_index(page)
    assert "No run has been published yet" in page


def test_hostile_text_is_shown_as_text(root: StudyRoot) -> None:
    stories = pd.read_csv(root.data / "stories.csv", dtype=str, keep_default_na=False)
    stories.loc[stories["story"] == "ford-xiaomi", "title"] = HOSTILE
    stories.to_csv(root.data / "stories.csv", index=False)
    write_notebook(
        root.notebooks / "01_small.ipynb", SHOW.replace("Nothing seen in {story}.", HOSTILE.replace('"', ""))
    )
    done = publish(root, 1)
    fail(root)
    (failure,) = read_failures(root.reports)
    for path in (done.page, failure.folder / "report.html", root.reports / "index.html"):
        page = path.read_text(encoding="utf-8")
        if path.name == "index.html":
            page = check_index(page)
        check_page(page)
        seen = Tags()
        seen.feed(page)
        assert not {"script", "img"} & seen.tags
        assert "<script>alert" not in page


class Tags(HTMLParser):
    """Names of all tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)


def test_csv_cells_are_no_formulas() -> None:
    frame = pd.DataFrame({"text": ["=1+1", "+cmd", "-2", "@x", "\tx", "\rx", "a\r=1"], "number": [-1.5] * 7})
    rows = list(csv.reader(io.StringIO(write_csv(frame), newline="")))[1:]
    assert [row[0] for row in rows] == ["'=1+1", "'+cmd", "'-2", "'@x", "'\tx", "'\nx", "a\n=1"]
    assert {row[1] for row in rows} == {"-1.5"}  # a negative number is a number


# ---------------------------------------------------------------- names and paths


def test_a_run_is_found_by_name_part_or_latest(root: StudyRoot) -> None:
    one, two = publish(root, 1, 1), publish(root, 2, 2)
    assert find_run(root.reports, one.folder.name).folder == one.folder
    assert find_run(root.reports, str(one.folder)).folder == one.folder
    assert find_run(root.reports, one.folder.name.rsplit("_", 1)[1]).folder == one.folder
    assert find_run(root.reports, "latest").folder == two.folder
    with pytest.raises(ConfigError, match="2 runs"):
        find_run(root.reports, "2026-02-13")
    for name in ("nope", "", "..", "../../etc", "/etc/passwd"):
        with pytest.raises(ConfigError):
            find_run(root.reports, name)


def test_links_out_of_the_study_are_not_followed(root: StudyRoot, tmp_path: Path) -> None:
    done = publish(root, 1)
    outside = tmp_path / "outside"
    done.folder.rename(outside)
    done.folder.symlink_to(outside)
    assert read_runs(root.reports) == []
    secret = tmp_path / "secret.ipynb"
    write_notebook(secret, SHOW)
    (root.notebooks / "03_secret.ipynb").symlink_to(secret)
    with pytest.raises(ConfigError, match="leads out"):
        find_notebook(root, "03_secret")
    for name in ("../secret", "/tmp/x", "01_small/../01_small", "", "01_SMALL"):
        with pytest.raises(ConfigError):
            find_notebook(root, name)


def test_a_lock_that_is_a_link_is_refused(root: StudyRoot, tmp_path: Path) -> None:
    from event_impact.base.errors import RenderError

    target = tmp_path / "precious"
    target.write_text("keep", encoding="utf-8")
    (root.reports / ".locks").mkdir(parents=True)
    (root.reports / ".locks/ford-xiaomi.lock").symlink_to(target)
    with pytest.raises(RenderError), lock_story(root.reports, "ford-xiaomi"):
        pass
    assert target.read_text(encoding="utf-8") == "keep"


# ---------------------------------------------------------------- pruning


def test_pruning_keeps_the_newest_and_the_last_good(root: StudyRoot) -> None:
    runs = [publish(root, seed, seed) for seed in range(1, 6)]
    for minute in range(3):
        fail(root, minute)
    trial = prune_runs(root.reports, 2, is_trial=True)
    assert len(read_runs(root.reports)) == 5
    done = prune_runs(root.reports, 2)
    assert set(done.removed) == set(trial.removed)
    assert [s.folder for s in read_runs(root.reports)] == [r.folder for r in runs[3:]]
    assert len(read_failures(root.reports)) == 2
    check_index((root.reports / "index.html").read_text(encoding="utf-8"))


def test_the_last_whole_run_is_never_removed(root: StudyRoot) -> None:
    whole, cut = publish(root, 1, 1), publish(root, 2, 2)
    (cut.folder / "report.html").write_text("cut", encoding="utf-8")
    before = hash_tree(root.reports)
    assert prune_runs(root.reports, 1).removed == ()
    assert is_intact(whole.folder)
    assert hash_tree(root.reports) == before
    with pytest.raises(ConfigError):
        prune_runs(root.reports, 0)


def test_pruning_leaves_damaged_folders_and_busy_stories_alone(root: StudyRoot) -> None:
    runs = [publish(root, seed, seed) for seed in (1, 2, 3)]
    (runs[0].folder / "run.json").write_text("{", encoding="utf-8")
    with lock_story(root.reports, "ford-xiaomi"):
        done = prune_runs(root.reports, 1)
    assert done.removed == ()
    assert done.busy == ("ford-xiaomi",)
    assert prune_runs(root.reports, 1).removed == (runs[1].folder.name,)
    assert (runs[0].folder / "report.html").is_file()


def test_forcing_the_same_results_adds_nothing(root: StudyRoot) -> None:
    first = publish(root, 1)
    again = publish(root, 1, is_forced=True)
    assert not again.is_new
    assert again.folder == first.folder
    record = json.loads((first.folder / "run.json").read_text(encoding="utf-8"))
    assert record["parameters"]["seed"] == 1
    assert set(record["files"]) == {"executed.ipynb", "report.html", "appendix.html", "results/estimates.csv"}
