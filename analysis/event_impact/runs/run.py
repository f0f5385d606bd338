"""The life of a run up to its kernel: found good, found not to be published already, its story held.

Nothing is written under ``reports/`` before the request and the data are known to be good.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from event_impact.runs.recall import ALREADY, is_indexed
from event_impact.runs.requests import Execute, Prepared, Progress, RunRequest, prepare
from event_impact.runs.store import StoredRun, clear_staging, lock_story


def run_notebook(
    request: RunRequest | Prepared, *, progress: Progress = lambda _: None, execute: Execute | None = None
) -> StoredRun:
    """Execute a notebook with its parameters and publish the rendered report.

    A finished run of the same identity is returned as it is, unless forced. A request that was prepared already is not
    checked again.

    Raises
    ------
    StudyError
        With the exit code of what went wrong.
    """
    progress("check: parameters, articles and prices")
    prepared = request if isinstance(request, Prepared) else prepare(request)
    request = prepared.request
    if found := prepared.find_published():
        return _already(found, request, progress)
    lock = contextlib.nullcontext() if request.has_lock else own_story(request.reports, prepared.story, progress)
    with lock:
        if found := prepared.find_published():  # another runner was faster
            return _already(found, request, progress)
        with prepared.forked() if execute is None else contextlib.nullcontext() as forked:
            # all that a request need not wait for is loaded while the kernel loads what is its own
            from event_impact.runs.publication import execute_and_publish

            return execute_and_publish(prepared, progress=progress, execute=execute, forked=forked)


def _already(found: StoredRun, request: RunRequest, progress: Progress) -> StoredRun:
    progress(ALREADY)
    if not request.has_lock and not is_indexed(found, request.reports):
        from event_impact.runs.index import rebuild_index

        rebuild_index(request.reports, clock=request.clock)
    return found


@contextlib.contextmanager
def own_story(reports: Path, story: str, progress: Progress) -> Iterator[None]:
    """Hold the lock of a story, and clear away what its dead runs left behind."""
    with lock_story(reports, story):
        progress("lock: taken")
        if clear_staging(reports, story):
            progress("lock: leftovers of an interrupted run removed")
        yield
