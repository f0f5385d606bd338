"""Which evenings were served, and which of them changed nothing: ``reports/.logs/evenings.jsonl``, one line each."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from event_impact.base.clock import Clock, format_instant
from event_impact.base.disk import remove_folder
from event_impact.base.run_record import DOSSIER
from event_impact.page.format import OUTCOME_LABELS
from event_impact.runs.journal import Journal
from event_impact.runs.store import StoredRun, same_results

EVENINGS = "evenings.jsonl"
UNCHANGED = "unchanged"
STATED = ("status", "outcome", "companion_outcome", "verdict", "finding", "event_session")


class EveningLog(Journal):
    """The evenings that were served; one that was served is not due again, though its run may be gone by now."""

    def __init__(self, reports: Path, clock: Clock) -> None:
        super().__init__(reports / ".logs", clock, file=EVENINGS, kept=1)
        self._reports = reports

    def record(self, story: str, as_of: str, code: int, run: str) -> None:
        """One line: the story, its session, the exit code, and the run or ``unchanged``."""
        self.append(
            json.dumps({"at": format_instant(self.clock()), "story": story, "as_of": as_of, "code": code, "run": run})
        )

    def list_served(self, story: str, runs: list[StoredRun]) -> set[str]:
        """Sessions of a story that were served well and whose run changed nothing, or gave way to newer ones since."""
        newest, served = max((s.run.as_of for s in runs if s.story == story), default=""), set()
        for entry in self._read():
            is_well = entry.get("story") == story and entry.get("code") == 0
            run = str(entry.get("run"))
            as_of = str(entry["as_of"])
            if is_well and (run == UNCHANGED or (as_of < newest and not (self._reports / run).exists())):
                served.add(as_of)
        return served

    def _read(self) -> list[dict[str, Any]]:
        """Lines of the file and of the one before it; a line that was cut off is passed over."""
        entries = []
        for path in (Path(f"{self.baseFilename}.1"), Path(self.baseFilename)):
            with contextlib.suppress(OSError):
                for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                    with contextlib.suppress(ValueError):
                        entry = json.loads(line)
                        entries += [entry] if isinstance(entry, dict) and "as_of" in entry else []
        return entries


def find_before(runs: list[StoredRun], story: str, as_of: str) -> StoredRun | None:
    """The dossier of the evening before: of the last session before ``as_of``, the newest."""
    earlier = [s for s in runs if (s.story, s.notebook) == (story, DOSSIER) and s.run.as_of < as_of]
    return max(earlier, key=lambda s: (s.run.as_of, s.order), default=None)


def says_the_same(before: StoredRun, now: StoredRun) -> bool:
    """Whether two dossiers say the same of the same notebooks: every table byte for byte, every statement."""
    parts = [
        {p.name for p in (s.folder / "runs").iterdir()} if (s.folder / "runs").is_dir() else set()
        for s in (before, now)
    ]
    if parts[0] != parts[1] or not parts[0]:
        return False
    if any(getattr(before.run, name) != getattr(now.run, name) for name in STATED):
        return False
    return all(same_results(before.folder / "runs" / name, now.folder / "runs" / name) for name in parts[0])


def withdraw(reports: Path, now: StoredRun, runs: list[StoredRun], before: set[str]) -> None:
    """Take away a dossier that changed nothing, and the runs that were made for it this evening."""
    made = [s for s in runs if (s.story, s.run.as_of) == (now.story, now.run.as_of) and s.folder.name not in before]
    for stored in sorted(made, key=lambda s: s.notebook != DOSSIER):
        remove_folder(stored.folder, reports / ".staging" / now.story / f"removed-{stored.folder.name}")


def tell_change(before: StoredRun | None, now: StoredRun) -> str:
    """The change of the outcome in words; empty where there is none."""
    if before is None or before.run.outcome == now.run.outcome:
        return ""
    words = [OUTCOME_LABELS.get(str(s.run.outcome), "no outcome") for s in (before, now)]
    return f"outcome changed from {words[0]} to {words[1]}"
