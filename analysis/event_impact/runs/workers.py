"""Run several notebooks at once, each in a process of its own, a few at a time.

A worker that dies takes nothing with it; when the runner dies, its workers and their kernels die too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from event_impact.base.errors import StudyError
from event_impact.base.root import SAFE_PATH
from event_impact.runs.kernel_launch import die_with_parent
from event_impact.runs.run import RunRequest, run_notebook

Progress = Callable[[str], None]


@dataclass(frozen=True)
class PartOutcome:
    """What became of one notebook: the name of its folder, or an exit code with its message."""

    notebook: str
    exit_code: int
    folder: str = ""
    is_new: bool = False
    message: str = ""


def run_part(request: RunRequest, progress: Progress = lambda _: None) -> PartOutcome:
    """Run one notebook here, every refusal turned into an outcome."""
    try:
        done = run_notebook(request, progress=progress)
    except StudyError as error:
        return PartOutcome(request.notebook, error.exit_code, message=str(error))
    except Exception as error:  # a defect of ours: one notebook must not end the others
        return PartOutcome(request.notebook, 4, message=f"unexpected {type(error).__name__}: {error}")
    return PartOutcome(request.notebook, 0, done.folder.name, done.is_new)


def run_parts(requests: list[RunRequest], *, limit: int = 2, progress: Progress = lambda _: None) -> list[PartOutcome]:
    """Run notebooks in processes, at most ``limit`` at a time; outcomes in the order of the requests."""
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(["event_impact.runs.run", "papermill"])
    waiting = list(enumerate(requests))
    running: dict[Connection, tuple[int, multiprocessing.process.BaseProcess]] = {}
    outcomes: dict[int, PartOutcome] = {}
    try:
        while waiting or running:
            while waiting and len(running) < max(limit, 1):
                number, request = waiting.pop(0)
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(request, sender), daemon=True)
                with _safe_path():
                    process.start()
                sender.close()
                running[receiver] = (number, process)
            for receiver in [ready for ready in wait(list(running)) if isinstance(ready, Connection)]:
                number, process = running[receiver]
                notebook = requests[number].notebook
                try:
                    message = receiver.recv()
                except EOFError:  # it ended, with or without an outcome
                    process.join()
                    died = f"its process ended with {process.exitcode} before it was done"
                    outcomes.setdefault(number, PartOutcome(notebook, 4, message=f"{notebook}: {died}."))
                    del running[receiver]
                    continue
                if isinstance(message, PartOutcome):
                    outcomes[number] = message
                else:
                    progress(f"{notebook}: {message}")
    finally:
        for _, process in running.values():
            process.kill()
            process.join()
    return [outcomes[number] for number in range(len(requests))]


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Processes take their environment from this one's: none may import from the working folder."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        del os.environ[SAFE_PATH]
        if before is not None:
            os.environ[SAFE_PATH] = before


def _work(request: RunRequest, sender: Connection) -> None:
    die_with_parent(os.getppid())
    sender.send(run_part(request, progress=sender.send))
    sender.close()
