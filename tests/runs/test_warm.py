"""A waiting kernel: used once, harmless when unused, and never outliving its runner."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest
from event_impact.base.root import IMPORT_ROOT
from event_impact.runs import warm


@pytest.fixture(autouse=True)
def none_left():
    yield
    warm.discard_waiting()


def test_an_unused_process_is_ended():
    warm.start_waiting()
    process = warm.take_waiting()
    assert process is not None
    assert warm.take_waiting() is None
    process.stdin.close()  # the end of the input means that no kernel is needed
    assert process.wait(timeout=60) == 0


def test_discarding_kills_what_waits():
    warm.start_waiting()
    held = warm._waiting[0]
    warm.discard_waiting()
    assert held.returncode is not None
    assert warm.take_waiting() is None


def test_a_dead_process_is_not_taken():
    warm.start_waiting()
    warm._waiting[0].kill()
    warm._waiting[0].wait()
    assert warm.take_waiting() is None


def test_it_dies_with_its_runner():
    code = (
        "import os, signal; from event_impact.runs import warm; warm.start_waiting();"
        "print(warm._waiting[0].pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=IMPORT_ROOT, capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([handle], [], [], 60)
    os.close(handle)
    assert ended, "the waiting process outlived its runner"
