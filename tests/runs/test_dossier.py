"""All notebooks of a story behind one page that says what each adds."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from event_impact.base.errors import BusyError, ConfigError, ExecutionError
from event_impact.base.root import StudyRoot
from event_impact.page.render import check_page
from event_impact.runs.dossier import (
    find_story_notebooks,
    list_computations,
    run_dossier,
    say_agreement,
)
from event_impact.runs.kernel_launch import KernelLimits
from event_impact.runs.run import RunRequest, run_notebook
from event_impact.runs.store import is_intact, lock_story, read_failures, read_runs, read_stored
from small_study import SHOW, execute_fake, hash_tree, make_study, perform_here, request, write_notebook


@pytest.fixture
def root(tmp_path: Path) -> StudyRoot:
    """A study with two notebooks of a story and one of something else."""
    made = make_study(tmp_path / "study")
    write_notebook(made.notebooks / "02_event_study.ipynb", SHOW)
    write_notebook(made.notebooks / "05_panel.ipynb", SHOW, parameters="seed: int = 20260202")
    return made


def ask(root: StudyRoot, **changes: object) -> RunRequest:
    parameters = {"story": "ford-xiaomi", "as_of": "2026-02-13", "source": "snapshot", **changes}
    return RunRequest("dossier", parameters, root, root.reports, limits=KernelLimits(30, 30))


def test_only_notebooks_of_a_story_belong(root: StudyRoot) -> None:
    assert list(find_story_notebooks(root)) == ["01_small", "02_event_study"]


def test_the_notebook_of_bars_is_skipped_with_one_line_where_there_are_none(root: StudyRoot) -> None:
    parameters = 'story: str = "ford-xiaomi"\nas_of: str = "2026-02-13"\nbars: str = "snapshot"'
    write_notebook(root.notebooks / "06_minutes.ipynb", SHOW, parameters=parameters)
    said: list[str] = []
    done = run_dossier(ask(root), perform=perform_here, progress=said.append)
    assert "skip: 06_minutes, no bars of the event session are recorded" in said
    assert [part["notebook"] for part in done.run.parts] == ["01_small", "02_event_study"]


def test_a_dossier_binds_its_runs_and_can_be_passed_on_whole(root: StudyRoot) -> None:
    done = run_dossier(ask(root), perform=perform_here)
    assert re.fullmatch(r"2026-02-13_ford-xiaomi_dossier_[0-9a-f]{8}", done.folder.name)
    assert is_intact(done.folder)
    page = done.page.read_text(encoding="utf-8")
    check_page(page)
    for part in done.run.parts:
        inside = done.folder / "runs" / part["notebook"].split("_", 1)[1].replace("_", "-")
        outside = root.reports / part["folder"]
        for name in ("report.html", "run.json", "results/estimates.csv"):
            assert (inside / name).read_bytes() == (outside / name).read_bytes()
        assert f'href="runs/{inside.name}/report.html"' in page
    assert "The same move, computed otherwise" in page
    assert "impact dossier ford-xiaomi --as-of 2026-02-13" in page
    assert "Nothing seen in ford-xiaomi." in page
    assert done.run.verdict == "Nothing seen in ford-xiaomi."
    again = run_dossier(ask(root), perform=perform_here)
    assert not again.is_new
    assert again.folder == done.folder
    changed = run_dossier(ask(root, seed=3), perform=perform_here)
    assert changed.is_new
    assert "seed: 20260202 \u2192 3" in changed.page.read_text(encoding="utf-8")


def test_ways_to_compute_the_move_stand_together_and_repeated_numbers_do_not(root: StudyRoot) -> None:
    write_notebook(root.notebooks / "03_robustness.ipynb", SHOW)
    done = run_dossier(ask(root), perform=perform_here)
    assert done.run.agreement == "No other page computes this move in another way."
    runs = [read_stored(root.reports / part["folder"]) for part in done.run.parts]
    (curve,) = [s for s in runs if s.run.notebook == "03_robustness"]
    (curve.folder / "results/specification_curve.csv").write_text("estimate\n-0.02\n0.01\n\n", encoding="utf-8")
    computed = list_computations(runs)
    assert computed["computation"].tolist() == ["the declared model", "2 reasonable specifications"]
    assert computed.loc[1, ["n", "low", "high"]].tolist() == [2, -0.02, 0.01]
    assert "both sides of zero" in say_agreement(computed)
    assert "have one sign" in say_agreement(computed.assign(low=0.01, high=0.02))


def test_in_processes_a_part_that_dies_fails_the_dossier_and_nothing_else(root: StudyRoot) -> None:
    write_notebook(root.notebooks / "03_bad.ipynb", f"import os\nos.kill(os.getppid(), {int(signal.SIGKILL)})", SHOW)
    with pytest.raises(ExecutionError, match="1 of 3 notebooks failed: 03_bad") as caught:
        run_dossier(ask(root))
    assert caught.value.exit_code == 4
    assert {s.run.notebook for s in read_runs(root.reports)} == {"01_small", "02_event_study"}
    (failure,) = [f for f in read_failures(root.reports) if f.run.notebook == "dossier"]
    page = (failure.folder / "report.html").read_text(encoding="utf-8")
    check_page(page)
    assert "03_bad" in page
    before = hash_tree(root.reports)
    (root.notebooks / "03_bad.ipynb").unlink()
    assert run_dossier(ask(root), perform=perform_here).is_new
    assert before.items() <= hash_tree(root.reports).items()


def test_a_wrong_request_writes_nothing(root: StudyRoot) -> None:
    for changes in ({"story": "no-such"}, {"as_of": "2026-02-14"}, {"as_of": "2026-01-05"}, {"story": "../x"}):
        with pytest.raises(ConfigError):
            run_dossier(ask(root, **changes), perform=perform_here)
    assert not root.reports.exists()


def test_a_dossier_and_a_run_of_one_story_exclude_each_other(root: StudyRoot) -> None:
    with lock_story(make_reports(root), "ford-xiaomi"):
        with pytest.raises(BusyError):
            run_dossier(ask(root), perform=perform_here)
        with pytest.raises(BusyError):
            run_notebook(request(root), execute=execute_fake)


def make_reports(root: StudyRoot) -> Path:
    root.reports.mkdir()
    return root.reports


def test_the_runs_inside_survive_the_removal_of_those_outside(root: StudyRoot) -> None:
    import shutil

    done = run_dossier(ask(root), perform=perform_here)
    for part in done.run.parts:
        shutil.rmtree(root.reports / part["folder"])
    assert is_intact(done.folder)
    inside = done.folder / "runs/small/run.json"
    assert json.loads(inside.read_text(encoding="utf-8"))["story"] == "ford-xiaomi"
    assert os.stat(inside).st_nlink == 1
