"""Whatever stops a run: what was published stays, the index is valid, the next run succeeds."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from event_impact.base.errors import BusyError, DataError, ExecutionError, RenderError, StudyError
from event_impact.base.root import StudyRoot
from event_impact.page.render import check_page
from event_impact.runs.compare import describe_age
from event_impact.runs.execute import check_executed, execute_notebook
from event_impact.runs.kernel_launch import KernelLimits
from event_impact.runs.run import run_notebook
from event_impact.runs.store import find_finished, is_intact, lock_story, read_facts, read_failures, read_runs
from runner_process import finish, start
from small_study import SHOW, WITH_PRICES, check_index, execute_fake, hash_tree, make_study, request, write_notebook

STAGES = 9
"""Progress lines of a run; a test holds the number to the truth."""


@pytest.fixture
def root(tmp_path: Path) -> StudyRoot:
    """A study with one run published."""
    made = make_study(tmp_path / "study")
    run_notebook(request(made, seed=1), execute=execute_fake)
    return made


def assert_unharmed(root: StudyRoot, before: dict[str, str]) -> None:
    """Everything published before is there byte for byte, the index is whole, and a run succeeds."""
    reports = root.reports
    after = hash_tree(reports)
    assert {name: after.get(name) for name in before} == before
    assert all(is_intact(stored.folder) for stored in read_runs(reports))
    check_index((reports / "index.html").read_text(encoding="utf-8"))
    assert not list(reports.glob(".index.html-*"))
    done = run_notebook(request(root, seed=424242), execute=execute_fake)
    assert is_intact(done.folder)
    index = (reports / "index.html").read_text(encoding="utf-8")
    assert all(f"{stored.folder.name}/report.html" in index for stored in read_runs(reports))
    assert not list((reports / ".staging").rglob("*.ipynb"))


def test_a_run_has_as_many_stages_as_are_stopped_below(root: StudyRoot) -> None:
    seen: list[str] = []
    run_notebook(request(root, seed=2), progress=seen.append, execute=execute_fake)
    assert len(seen) == STAGES
    assert seen[-1] == "done"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("stage", range(1, STAGES + 1))
def test_stopped_between_two_stages(root: StudyRoot, stage: int, signum: int) -> None:
    before = hash_tree(root.reports)
    code = finish(start(request(root, seed=2), stage=stage, signum=signum))
    assert code == (130 if signum == signal.SIGTERM else -signal.SIGKILL)
    published = [s for s in read_runs(root.reports) if s.folder.name not in {n.split("/")[0] for n in before}]
    assert len(published) == (1 if stage >= STAGES - 1 else 0)  # the rename is the one instant that counts
    assert_unharmed(root, before)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_stopped_while_a_cell_runs(root: StudyRoot, signum: int) -> None:
    mark = root.path / "kernel.pid"
    stop = f"import os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\n"
    write_notebook(
        root.notebooks / "02_stop.ipynb", f"{stop}os.kill(os.getppid(), {int(signum)})\ntime.sleep(60)", SHOW
    )
    before = hash_tree(root.reports)
    code = finish(start(request(root, "02_stop"), is_real=True))
    assert code == (130 if signum == signal.SIGTERM else -signal.SIGKILL)
    deadline = time.monotonic() + 20
    while is_alive(int(mark.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(mark.read_text())), "the kernel outlived its runner"
    assert_unharmed(root, before)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("raises", "raise ValueError('broken <b>here</b>')", "ValueError"),
        ("killed", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "kernel died"),
        ("leaves", "import sys\nsys.exit(0)", "SystemExit"),
        ("quits", "import os\nos._exit(0)", "kernel died"),
        ("hangs", "import time\ntime.sleep(60)", "longer than 2 seconds"),
        ("hoards", "hoard = bytearray(6 << 30)", "MemoryError"),
    ],
)
def test_a_cell_that_ends_the_run(root: StudyRoot, name: str, cell: str, said: str) -> None:
    write_notebook(root.notebooks / f"02_{name}.ipynb", cell, SHOW)
    before = hash_tree(root.reports)
    limits = KernelLimits(execution_timeout_s=2, start_timeout_s=30, memory_bytes=4 << 30)
    with pytest.raises(ExecutionError, match=said) as caught:
        run_notebook(request(root, f"02_{name}", limits=limits))
    assert caught.value.exit_code == 4
    (failure,) = read_failures(root.reports)
    page = (failure.folder / "report.html").read_text(encoding="utf-8")
    check_page(page)
    assert said in page
    if name == "raises":
        assert "raise ValueError" in page
        assert "<b>here" not in page
    assert_unharmed(root, before)


def test_a_cell_that_never_ran_is_no_success() -> None:
    ran = nbformat.v4.new_code_cell("1", execution_count=1)
    skipped = nbformat.v4.new_code_cell("2")
    check_executed(nbformat.v4.new_notebook(cells=[ran, nbformat.v4.new_code_cell("  ")]), "small")
    with pytest.raises(ExecutionError, match="cell 2 did not run"):
        check_executed(nbformat.v4.new_notebook(cells=[ran, skipped]), "small")


def test_a_kernel_that_does_not_start(root: StudyRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_impact.runs.kernel.sys.executable", "/bin/false")
    before = hash_tree(root.reports)
    with pytest.raises(ExecutionError, match="did not run") as caught:
        run_notebook(request(root, seed=3, limits=KernelLimits(30, 2, is_cold=True)))
    assert caught.value.exit_code == 4
    monkeypatch.undo()
    assert_unharmed(root, before)


@pytest.mark.parametrize("cell", ["pass", SHOW + "\n" + SHOW, SHOW.replace("estimates", "../escape")])
def test_a_notebook_without_one_honest_record(root: StudyRoot, cell: str) -> None:
    write_notebook(root.notebooks / "02_odd.ipynb", cell)
    before = hash_tree(root.reports)
    with pytest.raises(ExecutionError):
        run_notebook(request(root, "02_odd"), execute=execute_fake)
    assert not list(root.path.rglob("*escape*"))
    assert_unharmed(root, before)


# ---------------------------------------------------------------- several runners


@pytest.mark.parametrize("number", [2, 10])
def test_several_runners_of_one_story(root: StudyRoot, number: int) -> None:
    before = hash_tree(root.reports)
    runners = [start(request(root, seed=7)) for _ in range(number)]
    codes = sorted(finish(runner) for runner in runners)
    assert set(codes) <= {0, 75}
    assert codes.count(0) >= 1
    fresh = [s for s in read_runs(root.reports) if s.folder.name not in {n.split("/")[0] for n in before}]
    assert len(fresh) == 1
    assert_unharmed(root, before)


def test_runners_of_different_requests_never_overwrite(root: StudyRoot) -> None:
    before = hash_tree(root.reports)
    codes = [finish(runner) for runner in [start(request(root, seed=100 + i)) for i in range(4)]]
    assert set(codes) <= {0, 75}
    assert len(read_runs(root.reports)) == 1 + codes.count(0)
    assert_unharmed(root, before)


def test_a_leftover_lock_file_means_nothing_and_a_held_lock_everything(root: StudyRoot) -> None:
    leftover = root.reports / ".locks/ford-xiaomi.lock"
    leftover.write_text("pid 1 since 1999-01-01T00:00:00Z\n", encoding="utf-8")
    assert run_notebook(request(root, seed=8), execute=execute_fake).is_new
    with lock_story(root.reports, "ford-xiaomi"), pytest.raises(BusyError, match=f"pid {os.getpid()}") as caught:
        run_notebook(request(root, seed=9), execute=execute_fake)
    assert caught.value.exit_code == 75


def test_what_dead_runs_left_is_cleared_by_the_next(root: StudyRoot) -> None:
    left = root.reports / ".staging/ford-xiaomi/2026-02-13_ford-xiaomi_small_00000000"
    left.mkdir(parents=True)
    (left / "report.html").write_text("half", encoding="utf-8")
    other = root.reports / ".staging/other-story/work"
    other.mkdir(parents=True)
    run_notebook(request(root, seed=10), execute=execute_fake)
    assert not left.exists()
    assert other.exists()  # its lock is not ours


# ---------------------------------------------------------------- the disk


@pytest.mark.parametrize("size", [0, 200, 5_000])
def test_a_full_disk(root: StudyRoot, size: int) -> None:
    before = hash_tree(root.reports)
    code = finish(start(request(root, seed=11), limits=((resource.RLIMIT_FSIZE, size),)))
    assert code in (4, 5)
    assert_unharmed(root, before)


def test_a_full_disk_at_the_rename(root: StudyRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hash_tree(root.reports)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("event_impact.base.disk.os.rename", refuse)
        with pytest.raises(RenderError, match="No space left") as caught:
            run_notebook(request(root, seed=12), execute=execute_fake)
    assert caught.value.exit_code == 5
    assert_unharmed(root, before)


def test_an_index_that_cannot_be_written_is_not_called_success(
    root: StudyRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_tree(root.reports)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("event_impact.base.disk.os.replace", refuse)
        with pytest.raises(RenderError) as caught:
            run_notebook(request(root, seed=13), execute=execute_fake)
    assert caught.value.exit_code == 5
    assert_unharmed(root, before)


def test_reports_that_cannot_be_written(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    made.reports.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(RenderError, match="cannot be written") as caught:
        run_notebook(request(made), execute=execute_fake)
    assert caught.value.exit_code == 5
    made.reports.unlink()
    assert run_notebook(request(made), execute=execute_fake).is_new


@pytest.mark.parametrize(
    "damage",
    ["", "null", "[]", "{", '{"story": 3}', '{"story": "ford-xiaomi", "notebook": "01_small", "as_of": "x"}', "\x00"],
)
def test_a_damaged_old_run(root: StudyRoot, damage: str) -> None:
    (old,) = read_runs(root.reports)
    healthy = hash_tree(root.reports)
    (old.folder / "run.json").write_text(damage, encoding="utf-8")
    done = run_notebook(request(root, seed=1), execute=execute_fake)
    assert done.folder.name == f"{old.folder.name}-2"  # the damaged one is neither trusted nor overwritten
    assert (old.folder / "run.json").read_text(encoding="utf-8") == damage
    assert "Damaged runs" in (root.reports / "index.html").read_text(encoding="utf-8")
    again = run_notebook(request(root, seed=1), execute=execute_fake)
    assert not again.is_new
    assert again.folder == done.folder
    healthy = {name: sha for name, sha in healthy.items() if not name.endswith("run.json")}
    assert healthy.items() <= hash_tree(root.reports).items()


def test_odd_values_in_an_old_run_do_not_stop_the_next(root: StudyRoot) -> None:
    (old,) = read_runs(root.reports)
    run = {
        **old.run.as_json(),
        "parameters": [1],
        "versions": "x",
        "inputs": None,
        "headline": 3,
        "files": {},
        "source": {},
    }
    (old.folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    assert run_notebook(request(root, seed=14), execute=execute_fake).is_new
    assert read_facts(root.reports).damaged == (old.folder.name,)


def test_a_changed_page_is_noticed_and_made_again(root: StudyRoot) -> None:
    (old,) = read_runs(root.reports)
    (old.folder / "report.html").write_text("truncated", encoding="utf-8")
    assert not is_intact(old.folder)
    assert find_finished(old.folder) is None
    assert run_notebook(request(root, seed=1), execute=execute_fake).is_new


# ---------------------------------------------------------------- time


def test_a_clock_set_back(root: StudyRoot) -> None:
    before = hash_tree(root.reports)
    for year in (2031, 2019, 2026):
        at = datetime(year, 3, 29, 1, 30, tzinfo=UTC)
        run_notebook(request(root, seed=year, clock=lambda at=at: at), execute=execute_fake)
    assert len(read_runs(root.reports)) == 4
    assert_unharmed(root, before)


def test_two_failures_in_one_second_are_both_kept(root: StudyRoot) -> None:
    write_notebook(root.notebooks / "02_odd.ipynb", "pass")
    at = datetime(2026, 2, 14, tzinfo=UTC)
    for _ in range(2):
        with pytest.raises(ExecutionError):
            run_notebook(request(root, "02_odd", clock=lambda: at), execute=execute_fake)
    assert len(read_failures(root.reports)) == 2


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York"])
def test_another_time_zone_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    texts = []
    for name in ("UTC", zone):
        monkeypatch.setenv("TZ", name)
        time.tzset()
        made = make_study(tmp_path / name.replace("/", "-"), with_prices=True)
        write_notebook(made.notebooks / "01_small.ipynb", SHOW, parameters=WITH_PRICES)
        instant = datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC)  # the last second before New York's clocks go forward
        done = run_notebook(request(made, clock=lambda at=instant: at), execute=execute_fake)
        texts.append(
            (done.folder.name, {k: v for k, v in done.run.as_json().items() if k not in ("versions", "files")})
        )
    monkeypatch.undo()
    time.tzset()
    assert texts[0] == texts[1]


# ---------------------------------------------------------------- the heavier sweep: make chaos


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("stage", range(1, STAGES + 1))
def test_stopped_between_two_stages_with_real_kernels(root: StudyRoot, stage: int, signum: int) -> None:
    before = hash_tree(root.reports)
    code = finish(start(request(root, seed=2), stage=stage, signum=signum, is_real=True))
    assert code == (130 if signum == signal.SIGTERM else -signal.SIGKILL)
    done = run_notebook(request(root, seed=2), execute=execute_notebook)
    assert is_intact(done.folder)
    assert_unharmed(root, before)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.05 * step for step in range(1, 33)])
def test_killed_at_any_instant(root: StudyRoot, delay: float) -> None:
    before = hash_tree(root.reports)
    runner = start(request(root, seed=2), is_real=True)
    time.sleep(delay)
    runner.kill()
    assert finish(runner) in (0, -signal.SIGKILL)
    assert_unharmed(root, before)


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 1, 100, 1000, 3000, 10_000, 20_000, 50_000])
def test_a_full_disk_under_a_real_kernel(root: StudyRoot, size: int) -> None:
    before = hash_tree(root.reports)
    code = finish(start(request(root, seed=2), is_real=True, limits=((resource.RLIMIT_FSIZE, size),)))
    assert code in (0, 4, 5)
    assert (code == 0) == (len(read_runs(root.reports)) == 2)
    assert_unharmed(root, before)


def test_study_errors_keep_their_codes() -> None:
    codes = {kind.__name__: kind.exit_code for kind in StudyError.__subclasses__()}
    assert codes == {
        "ConfigError": 2, "DataError": 3, "ExecutionError": 4, "RenderError": 5, "RevisionError": 6,
        "SuspicionError": 6, "BusyError": 75, "RateLimitError": 75,
    }  # fmt: skip


# ---------------------------------------------------------------- the figures


def prices_study(folder: Path) -> StudyRoot:
    made = make_study(folder, with_prices=True)
    write_notebook(made.notebooks / "01_small.ipynb", SHOW, parameters=WITH_PRICES)
    return made


def test_figures_that_cannot_serve_write_nothing(tmp_path: Path) -> None:
    made = prices_study(tmp_path / "study")
    own = tmp_path / "own"
    own.mkdir()
    for ticker in ("F", "SPY"):
        frame = pd.read_csv(made.data / f"snapshot/{ticker}.csv", dtype={"date": str})
        frame.to_parquet(own / f"{ticker}.parquet")
    assert run_notebook(request(made, source=str(own)), execute=execute_fake).is_new
    shutil.rmtree(made.reports)
    whole = (own / "SPY.parquet").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"PAR1" + b"\x00" * 400):
        (own / "SPY.parquet").write_bytes(damaged)
        with pytest.raises(DataError) as caught:
            run_notebook(request(made, source=str(own)), execute=execute_fake)
        assert caught.value.exit_code == 3
    (made.data / "snapshot/F.csv").write_bytes((made.data / "snapshot/F.csv").read_bytes()[:-40])  # truncated
    with pytest.raises(DataError, match="manifest says"):
        run_notebook(request(made), execute=execute_fake)
    assert not made.reports.exists()


def test_source_and_age_stand_on_the_first_screen_and_in_run_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from event_impact.market.download import fetch_vintage
    from event_impact.market.fetch_plan import FetchRequest
    from market.toy_provider import ToyProvider

    def no_factors(first: str, data: Path) -> pd.DataFrame:
        raise DataError("not reached.")

    made = prices_study(tmp_path / "study")
    thursday = datetime(2026, 2, 19, 22, 0, tzinfo=UTC)
    fallback = run_notebook(request(made, source="auto", clock=lambda: thursday), execute=execute_fake)
    assert fallback.run.source["origin"] == "snapshot"
    assert "no whole vintage holds F and SPY" in fallback.page.read_text(encoding="utf-8")
    done = fetch_vintage(
        FetchRequest({"F": "XNYS", "SPY": "XNYS"}, datetime(2024, 1, 2).date(), accepts_revisions=True),
        made.data,
        ToyProvider(),
        at=datetime(2026, 2, 13, 22, 0, tzinfo=UTC),
        factors=no_factors,
    )
    run = run_notebook(request(made, source="auto", clock=lambda: thursday), execute=execute_fake)
    assert run.run.source == {
        "exchange": "XNYS", "asked": "auto", "origin": "vintage", "vintage": done.vintage.name,
        "last_session": "2026-02-13", "age_sessions": 3, "note": "",
    }  # fmt: skip
    page = run.page.read_text(encoding="utf-8")
    assert f"vintage: {done.vintage.name}, recorded to 2026-02-13" in page
    assert "sessions have closed since" not in page  # every window is complete: later prices change nothing
    assert "3 sessions have closed since" in describe_age(replace(run.run, status="open"))
    with pytest.raises(DataError, match="fetch newer"):
        run_notebook(request(made, source="auto", as_of="2026-02-17"), execute=execute_fake)
