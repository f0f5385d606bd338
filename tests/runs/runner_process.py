"""A runner in a process of its own, that can be stopped between two stages."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys

from event_impact.base.errors import StudyError
from event_impact.runs.execute import execute_notebook
from event_impact.runs.requests import RunRequest
from event_impact.runs.run import run_notebook
from small_study import execute_fake

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["event_impact.runs.publication", "papermill", "small_study"])


def _raise(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _work(request: RunRequest, stage: int, signum: int, is_real: bool, limits: tuple) -> None:
    signal.signal(signal.SIGTERM, _raise)  # as the command line does
    for resource_number, value in limits:
        import resource

        resource.setrlimit(resource_number, (value, value))
    seen = 0

    def progress(message: str) -> None:
        nonlocal seen
        seen += 1
        if seen == stage:
            os.kill(os.getpid(), signum)

    try:
        run_notebook(request, progress=progress, execute=execute_notebook if is_real else execute_fake)
    except StudyError as error:
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def start(request: RunRequest, *, stage: int = 0, signum: int = 0, is_real: bool = False, limits: tuple = ()):
    """Start a runner; ``stage`` is the number of the progress line at which it gets the signal."""
    process = CONTEXT.Process(target=_work, args=(request, stage, signum, is_real, limits))
    process.start()
    return process


def finish(process) -> int:
    """Its exit code, negative for a signal."""
    process.join(120)
    assert process.exitcode is not None, "the runner hangs"
    return process.exitcode
