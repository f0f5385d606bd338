"""Run several notebooks at once, each in a process of its own, a few at a time.

A worker is a fork of this process where that is safe and the code on disk is still the code in memory, else a new
Python. One that dies takes nothing with it; when the runner ends, its workers and their kernels end too.
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from event_impact.base.code_digest import digest_package, read_package
from event_impact.base.disk import FULL_DISK
from event_impact.base.errors import StudyError
from event_impact.base.root import SAFE_PATH
from event_impact.base.threads import ONE_THREAD, can_fork
from event_impact.runs.forked import SERVING
from event_impact.runs.kernel_launch import die_with_parent
from event_impact.runs.recall import ALREADY
from event_impact.runs.requests import Prepared, Progress, RunRequest
from event_impact.runs.run import run_notebook
from event_impact.runs.store import StoredRun

Run = Callable[..., StoredRun]
# How long a worker may take to tidy up when it is told to end.
ENDING_S = 10.0


@dataclass(frozen=True)
class PartOutcome:
    """What became of one notebook: an exit code, and the path of its folder or what went wrong."""

    notebook: str
    exit_code: int
    said: str

    def settle(self) -> str:
        """The path of the folder.

        Raises
        ------
        StudyError
            If there is none, with the exit code.
        """
        if self.exit_code:
            error = StudyError(self.said)
            error.exit_code = self.exit_code
            raise error
        return self.said


def run_parts(
    parts: Sequence[RunRequest | Prepared], *, limit: int = 2, progress: Progress = lambda _: None,
    run: Run = run_notebook,
) -> list[PartOutcome]:  # fmt: skip
    """Run requests in processes, at most ``limit`` at a time; outcomes in the order of the requests.

    A fork takes over what was opened to find a request good; a new Python opens it again.
    """
    requests = [part.request if isinstance(part, Prepared) else part for part in parts]
    is_cold = not can_fork() or any(request.limits.is_cold for request in requests)
    outcomes: dict[int, PartOutcome] = {}
    for number, part in enumerate(parts):
        if isinstance(part, Prepared) and (stored := part.find_published()):
            progress(f"{part.request.notebook}: {ALREADY}")
            outcomes[number] = PartOutcome(part.request.notebook, 0, str(stored.folder))
    waiting = [number for number in range(len(parts)) if number not in outcomes]
    stating = {n: p for n, p in enumerate(parts) if isinstance(p, Prepared) and p.states_verdict}
    waiting.sort(key=lambda n: getattr(parts[n], "source", None) is None)  # what reads no prices is short: at the end
    lead = None if is_cold else next((stating[n] for n in waiting if n in stating), None)
    if lead:
        lead.begin("curve")
    for name in () if is_cold or not waiting else ("papermill", "event_impact.runs.publication", *SERVING):
        importlib.import_module(name)
    running: dict[Connection, tuple[int, multiprocessing.process.BaseProcess]] = {}
    try:
        while waiting or running:
            ready = [n for n in waiting if not lead or n not in stating]  # others need not wait for the verdict
            while ready and len(running) < max(limit, 1) - bool(lead):
                waiting.remove(number := ready.pop(0))
                is_new = is_cold or digest_package() != read_package()
                context: Any = multiprocessing.get_context("spawn" if is_new else "fork")
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(run, (requests if is_new else parts)[number], sender))
                with _set_environment({**ONE_THREAD, SAFE_PATH: "1"}):
                    process.start()
                sender.close()
                running[receiver] = (number, process)
            if lead:  # while others run, what several notebooks ask of one study, which keeps it
                with contextlib.suppress(Exception):  # each part says for itself what is wrong
                    getattr(lead.study, "verdict", None)
                vars(lead.study).pop("ahead", None)  # of this process alone
                lead = None
                continue
            for receiver in [ready for ready in wait(list(running)) if isinstance(ready, Connection)]:
                number, process = running[receiver]
                notebook = requests[number].notebook
                try:
                    message = receiver.recv()
                except EOFError:  # it ended, with or without an outcome
                    process.join()
                    died = f"its process ended with {process.exitcode} before it was done"
                    outcomes.setdefault(number, PartOutcome(notebook, 4, f"{notebook}: {died}."))
                    del running[receiver]
                    continue
                if isinstance(message, PartOutcome):
                    outcomes[number] = message
                else:
                    progress(f"{notebook}: {message}" if len(parts) > 1 else message)
    finally:
        _end([process for _, process in running.values()])
    return [outcomes[number] for number in range(len(parts))]


def _end(processes: list[multiprocessing.process.BaseProcess]) -> None:
    """End what still runs: first by asking, so that it tidies up."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(ENDING_S)
        process.kill()
        process.join()


@contextlib.contextmanager
def _set_environment(values: dict[str, str]) -> Iterator[None]:
    """Processes take their environment from this one's: none may import from the working folder."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def guard(work: Callable[[], str]) -> tuple[int, str]:
    """Exit code and words of some work; a defect of ours counts as a failed notebook, and ends nothing else."""
    try:
        return 0, work()
    except StudyError as error:
        return error.exit_code, str(error)
    except Exception as error:
        is_full = isinstance(error, OSError) and error.errno in FULL_DISK
        return 5 if is_full else 4, f"unexpected {type(error).__name__}: {error}"


def _work(run: Run, part: RunRequest | Prepared, sender: Connection) -> None:
    """Run one request in this process, every refusal turned into an outcome."""
    die_with_parent(os.getppid())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    notebook = (part.request if isinstance(part, Prepared) else part).notebook
    try:
        outcome = PartOutcome(notebook, *guard(lambda: str(run(part, progress=sender.send).folder)))
    except KeyboardInterrupt:  # the runner says so itself
        os._exit(130)
    sender.send(outcome)
    sender.close()
