"""What became of evenings: in one night, and in ``reports/.logs/evenings.jsonl``, one line each."""

import contextlib
import json
import logging
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from event_impact.base.clock import Clock, format_instant
from event_impact.base.run_record import DOSSIER, RunRecord
from event_impact.page.format import OUTCOME_LABELS
from event_impact.page.outcomes import worst_code
from event_impact.runs.requests import short_name
from event_impact.runs.store import StoredRun, same_results

EVENINGS = "evenings.jsonl"
UNCHANGED = "unchanged"
STATED = ("status", "outcome", "companion_outcome", "verdict", "finding", "event_session")


class Journal(RotatingFileHandler):
    """Appends lines to ``nightly.jsonl``; a disk that refuses them is remembered, not raised.

    Parameters
    ----------
    folder : pathlib.Path
        ``reports/.logs``.
    clock : callable
        Gives the present instant.
    """

    fault = ""

    def __init__(
        self, folder: Path, clock: Clock, *, file: str = "nightly.jsonl", max_bytes: int = 1_000_000, kept: int = 5
    ) -> None:
        super().__init__(folder / file, maxBytes=max_bytes, backupCount=kept, encoding="utf-8", delay=True)
        self.clock = clock

    def write(self, **facts: Any) -> None:
        """One line: the instant, and what there is to say."""
        line = json.dumps({"at": format_instant(self.clock()), **facts}, ensure_ascii=False)
        self.handle(logging.makeLogRecord({"msg": line}))
        self.close()

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:
        """Remember what the disk said."""
        error = sys.exc_info()[1]
        self.fault = f"the log cannot be written ({getattr(error, 'strerror', None) or error})"


@dataclass
class EveningOutcome:
    """One evening of one story."""

    as_of: str
    exit_code: int
    folder: str = ""
    message: str = ""
    outcome: str = ""
    changed: str = ""
    is_unchanged: bool = False


@dataclass
class StoryOutcome:
    """One story in one night."""

    story: str
    state: str
    note: str
    fetch_code: int = 0
    fetched: str = ""
    evenings: list[EveningOutcome] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """The worst of fetch and evenings."""
        return worst_code([self.fetch_code, *(e.exit_code for e in self.evenings)])


@dataclass(frozen=True)
class Summary:
    """What one night came to."""

    at: str
    started_at: str
    finished_at: str
    exit_code: int
    stories: tuple[StoryOutcome, ...]
    notes: tuple[str, ...]

    def as_record(self) -> dict[str, Any]:
        """For the summary file, the notification and ``--json``."""
        return asdict(self)


class EveningLog(Journal):
    """The evenings that were served; one that was served is not due again, though its run may be gone by now.

    A line has the ``story``, its session ``as_of``, the exit ``code``, and the ``run`` or ``unchanged``.
    """

    def __init__(self, reports: Path, clock: Clock) -> None:
        super().__init__(reports / ".logs", clock, file=EVENINGS, kept=1)
        self._reports = reports

    def note_published(self, story: str, runs: list[StoredRun]) -> None:
        """Enter dossiers that were made otherwise, or by a night that ended before it said so: once cleared away, no
        evening of theirs is due again."""
        known = {as_of for as_of, _ in self._read(story)}
        for stored in runs:
            if (stored.run.story, stored.run.notebook) == (story, DOSSIER) and stored.run.as_of not in known:
                self.write(story=story, as_of=stored.run.as_of, code=0, run=stored.folder.name)

    def list_served(self, story: str, runs: list[StoredRun]) -> set[str]:
        """Sessions of a story that were served well and whose run changed nothing, or gave way to newer ones since."""
        newest = max((s.run.as_of for s in runs if s.run.story == story), default="")
        served, reports = self._read(story), self._reports
        return {as_of for as_of, run in served if run == UNCHANGED or (as_of < newest and not (reports / run).exists())}

    def _read(self, story: str) -> list[tuple[str, str]]:
        """Sessions of a story that were served well, with their runs; a line that was cut off is passed over."""
        served = []
        for path in (Path(f"{self.baseFilename}.1"), Path(self.baseFilename)):
            with contextlib.suppress(OSError):
                for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        entry = json.loads(line)
                        if (entry["story"], entry["code"]) == (story, 0):
                            served.append((str(entry["as_of"]), str(entry["run"])))
        return served


def find_before(runs: list[StoredRun], story: str, as_of: str) -> StoredRun | None:
    """The dossier of the evening before: of the last session before ``as_of``, the newest."""
    earlier = [s for s in runs if (s.run.story, s.run.notebook) == (story, DOSSIER) and s.run.as_of < as_of]
    return max(earlier, key=lambda s: (s.run.as_of, s.order), default=None)


def says_the_same(before: StoredRun, run: RunRecord, parts: Iterable[StoredRun]) -> bool:
    """Whether a dossier of these runs would say what one says already: every table byte for byte, every statement."""
    folders = {short_name(part.run.notebook): part.folder for part in parts}
    bound = before.folder / "runs"
    if not bound.is_dir() or {path.name for path in bound.iterdir()} != set(folders):
        return False
    is_stated = all(getattr(before.run, name) == getattr(run, name) for name in STATED)
    return is_stated and all(same_results(bound / name, folder) for name, folder in folders.items())


def tell_change(before: StoredRun | None, now: StoredRun) -> str:
    """The change of the outcome in words; empty where there is none."""
    if before is None or before.run.outcome == now.run.outcome:
        return ""
    words = [OUTCOME_LABELS.get(str(s.run.outcome), "no outcome") for s in (before, now)]
    return f"outcome changed from {words[0]} to {words[1]}"
