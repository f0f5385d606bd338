"""Hundreds of runs or dossiers on the workers of a Dask scheduler.

Each worker sees the same study folder and the same reports folder (a shared disk). All requests of one story go
to one worker, one after the other, since they share its lock. A worker that dies loses nothing: its
story is asked for again elsewhere, what it had published is found and left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from event_impact.base.errors import StudyError
from event_impact.many.cluster import check_scheduler, open_client
from event_impact.runs.dossier import DossierRequest, run_dossier
from event_impact.runs.run import RunRequest
from event_impact.runs.workers import PartOutcome, run_part

Request = RunRequest | DossierRequest
DOSSIER_NAME = "dossier"


@dataclass(frozen=True)
class ManyOutcome:
    """What became of the requests, in their order; ``exit_code`` is the worst of them."""

    parts: tuple[PartOutcome, ...]

    @property
    def exit_code(self) -> int:
        """The exit code of the whole."""
        from event_impact.page.outcomes import worst_code

        return worst_code(part.exit_code for part in self.parts)


def run_many(requests: Sequence[Request], scheduler: str) -> ManyOutcome:
    """Run notebooks or dossiers of many stories on a cluster.

    Parameters
    ----------
    requests : sequence of RunRequest or DossierRequest
        Their root and reports are paths that every worker can reach.
    scheduler : str
        ``tcp://HOST:PORT``, or ``local``.

    Raises
    ------
    ConfigError, DataError
        If the address is none, nothing answers there, or the workers hold other code. What goes wrong with a
        single request is in its outcome.
    """
    check_scheduler(scheduler)
    groups: dict[str, list[int]] = {}
    for number, request in enumerate(requests):
        groups.setdefault(str(request.parameters.get("story", "")), []).append(number)
    found: dict[int, PartOutcome] = {}
    with open_client(scheduler) as client:
        futures = [
            client.submit(run_in_turn, [requests[i] for i in numbers], pure=False) for numbers in groups.values()
        ]
        for numbers, future in zip(groups.values(), futures, strict=True):
            found.update(zip(numbers, _outcomes_of(future, [requests[i] for i in numbers]), strict=True))
    return ManyOutcome(tuple(found[i] for i in range(len(requests))))


def _outcomes_of(future: Any, asked: list[Request]) -> list[PartOutcome]:
    """What a task returned; the same failure for all its requests where it could not end."""
    try:
        return future.result()
    except Exception as error:  # every worker that tried it died
        said = f"not done: {type(error).__name__}: {error}"
        return [PartOutcome(name_of(request), 4, message=said) for request in asked]


def name_of(request: Request) -> str:
    """The notebook of a request, or ``dossier``."""
    return DOSSIER_NAME if isinstance(request, DossierRequest) else request.notebook


def run_in_turn(requests: Sequence[Request]) -> list[PartOutcome]:
    """On a worker: the requests of one story, one after the other."""
    return [run_one(request) for request in requests]


def run_one(request: Request) -> PartOutcome:
    """One notebook or one dossier, every refusal turned into an outcome."""
    if isinstance(request, RunRequest):
        return run_part(request)
    try:
        done = run_dossier(request, perform=run_parts_in_turn)
    except StudyError as error:
        return PartOutcome(DOSSIER_NAME, error.exit_code, message=str(error))
    except Exception as error:  # a defect of ours: one dossier must not end the others
        return PartOutcome(DOSSIER_NAME, 4, message=f"unexpected {type(error).__name__}: {error}")
    return PartOutcome(DOSSIER_NAME, 0, done.folder.name, done.is_new)


def run_parts_in_turn(requests: list[RunRequest], **_: Any) -> list[PartOutcome]:
    """The notebooks of a dossier without processes of their own: a worker may not have children that fork."""
    return [run_part(request) for request in requests]
