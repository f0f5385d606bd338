"""A kernel that is a fork of its runner: told once, harmless when unused, and never outliving its runner."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from event_impact.base.root import IMPORT_ROOT
from event_impact.base.threads import ONE_THREAD
from event_impact.runs.forked import ForkedProcess, compute_meanwhile

FORK = """
import json, os, signal, sys, tempfile
from pathlib import Path
from event_impact.runs.forked import ForkedKernel
from event_impact.runs.kernel_launch import KernelLimits, kernel_environment
folder = Path(tempfile.mkdtemp())
environment = kernel_environment(folder, KernelLimits())
def fork(prepare=lambda: None):
    return ForkedKernel(environment, folder, prepare)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Code in a Python of its own, which has one thread and can be forked."""
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(IMPORT_ROOT)}
    return subprocess.run(
        [sys.executable, "-c", FORK + code], env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_one_that_is_not_needed_ends_by_itself() -> None:
    done = run("kernel = fork(); kernel.pipe.close(); print(kernel.wait())")
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_closing_ends_one_that_waits() -> None:
    done = run("kernel = fork(); kernel.close(); print(kernel.returncode); kernel.close()")
    assert (done.stdout, done.stderr) == ("-9\n", "")


def test_it_dies_with_its_runner() -> None:
    done = run("kernel = fork(); print(kernel.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    try:
        handle = os.pidfd_open(int(done.stdout))
    except ProcessLookupError:
        return
    ended, _, _ = select.select([handle], [], [], 60)
    os.close(handle)
    assert ended, "the fork outlived its runner"


def test_it_has_nothing_of_its_runner_but_its_memory(tmp_path: Path) -> None:
    mark = tmp_path / "seen.json"
    done = run(f"""
import warnings
from event_impact.base.threads import pin_threads
pin_threads()
held = open(os.devnull)
signal.signal(signal.SIGTERM, lambda *_: None)
signal.signal(signal.SIGINT, signal.SIG_IGN)
warnings.simplefilter("error")
os.environ["LEFT"] = "behind"
opened = ["by the runner"]
def look():
    import fcntl
    seen = {{"term": str(signal.getsignal(signal.SIGTERM)), "int": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
            "left": os.environ.get("LEFT"), "root": os.environ["IMPACT_ROOT"], "folder": os.getcwd(),
            "session": os.getsid(0) == os.getpid(), "filters": [f[0] for f in warnings.filters], "opened": opened,
            "kept out": [name for name, module in sys.modules.items() if module is None]}}
    try:
        fcntl.fcntl(held.fileno(), fcntl.F_GETFD)
    except OSError:
        seen["file"] = "closed"
    Path({str(mark)!r}).write_text(json.dumps(seen))
kernel = fork(look)
kernel.pipe.close()
print(kernel.wait(), folder, held.closed)
""")
    code, folder, is_closed = done.stdout.split()
    assert (code, is_closed, done.stderr) == ("0", "False", "")
    seen = json.loads(mark.read_text())
    assert seen == {
        "term": str(signal.SIG_DFL), "int": False, "left": None, "root": folder, "folder": folder,
        "session": True, "filters": ["ignore"] * 4, "opened": ["by the runner"], "file": "closed", "kept out": [],
    }  # fmt: skip


@pytest.mark.parametrize("count", [60])
def test_forks_in_a_row_do_not_hang(count: int) -> None:
    done = run(f"""
import numpy, pandas, pyarrow.parquet
from event_impact.base.threads import can_fork
frame = pandas.DataFrame({{"a": numpy.arange(1e4)}})
def work():
    numpy.linalg.lstsq(numpy.ones((50, 3)), numpy.ones(50))
    frame.to_csv(os.devnull)
for _ in range({count}):
    assert can_fork()
    kernel = fork(work)
    kernel.pipe.close()
    assert kernel.wait() == 0
print("done")
""")
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_the_exit_code_of_a_fork_is_told() -> None:
    codes = [ForkedProcess(lambda number=number: os._exit(number)).wait() for number in (0, 3)]
    killed = ForkedProcess(lambda: os.kill(os.getpid(), 9))
    assert (codes, killed.wait(), killed.poll()) == ([0, 3], -9, -9)


def test_what_is_computed_meanwhile_is_what_is_computed_here() -> None:
    found = compute_meanwhile(lambda: iter([("sum", 0.1 + 0.2), ("by", os.getpid())]))
    assert found("by") != os.getpid()
    assert [found(name) for name in ("sum", "sum", "none")] == [0.1 + 0.2, 0.1 + 0.2, None]


def test_what_is_computed_meanwhile_is_for_this_process_alone() -> None:
    found = compute_meanwhile(lambda: iter([("sum", 1)]))
    other = ForkedProcess(lambda: os._exit(found("sum") is None))
    assert other.wait() == 1
    assert found("sum") == 1


def test_what_fails_meanwhile_is_left_to_whoever_asks(capfd) -> None:
    assert compute_meanwhile(lambda: 1 / 0)("ratio") is None
    assert compute_meanwhile(lambda: os.kill(os.getpid(), 9))("death") is None
    assert capfd.readouterr() == ("", "")


def test_what_is_computed_meanwhile_ends_with_its_kernel() -> None:
    done = run("""
from event_impact.runs.forked import compute_meanwhile
def work():
    print("begun", flush=True)
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()
compute_meanwhile(work)
signal.pause()
""")  # which waits for all that holds its output
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "begun\n")
