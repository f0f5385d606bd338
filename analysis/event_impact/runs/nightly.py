"""Every evening: fetch and dossier of each open story, missed evenings made up for, the worst exit code.

An evening is one session of the story's exchange, ``as_of`` that session; it is due once the session
has closed and the provider has had time to record it. What is already published is not run again, so
the command may be called as often as one likes.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from event_impact.base.clock import Clock, format_instant, read_system_clock
from event_impact.base.config import CATCH_UP_SESSIONS, KEEP_OPEN_SESSIONS, StudyConfig
from event_impact.base.disk import hold_lock, make_folder, replace_files
from event_impact.base.errors import ConfigError, RateLimitError, StudyError
from event_impact.base.root import StudyRoot
from event_impact.base.run_record import DOSSIER
from event_impact.events.articles import Story, load_stories
from event_impact.events.sessions import Alignment, align_story
from event_impact.market.fetch_plan import last_closed, list_pauses
from event_impact.page.outcomes import INTERRUPTED, worst_code
from event_impact.runs.index import rebuild_index
from event_impact.runs.journal import Journal
from event_impact.runs.run import Progress
from event_impact.runs.store import StoredRun, is_intact, read_runs

NOTIFY_TIMEOUT_S = 60
SUMMARY = "nightly-summary.json"


@dataclass(frozen=True)
class StoryPlan:
    """What is due for one story.

    ``state``: ``due``, ``up to date``, ``waiting`` (the event session has not closed) or ``closed``
    (its windows are complete and the sessions for which it is kept open have passed).
    """

    story: str
    exchange: str
    state: str
    evenings: tuple[str, ...]
    note: str


@dataclass
class EveningOutcome:
    """One evening of one story."""

    as_of: str
    exit_code: int
    folder: str = ""
    message: str = ""


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


Fetch = Callable[[str, datetime], str]
"""Story and instant -> what was fetched, in words; raises StudyError."""
Dossier = Callable[[str, str], str]
"""Story and as_of -> the folder of the published dossier; raises StudyError."""


def find_closing(alignment: Alignment) -> pd.Timestamp:
    """The session after whose evening a story closes by itself."""
    last = max(max(end for _, end in StudyConfig().windows), alignment.hull[1])
    return alignment.hours.offset(alignment.event_session, last + KEEP_OPEN_SESSIONS)


def is_watched(story: Story, at: datetime) -> bool:
    """Whether a story has not closed by itself."""
    alignment = align_story(story)
    return find_closing(alignment) >= last_closed(alignment.hours, at)


def plan_story(story: Story, runs: list[StoredRun], at: datetime) -> StoryPlan:
    """Which evenings of a story are due at an instant.

    Without any dossier only the latest evening is due; after the first, every evening since that has no
    whole dossier, at most :data:`event_impact.base.config.CATCH_UP_SESSIONS` of them.
    """
    alignment = align_story(story)
    event, hours, closing = alignment.event_session, alignment.hours, find_closing(alignment)
    last = last_closed(hours, at)
    if last < event:
        note = f"the event session {event.date()} has not closed"
        return StoryPlan(story.story, story.exchange, "waiting", (), note)
    final = min(last, closing)
    mine = [s for s in runs if s.story == story.story and s.notebook == DOSSIER and is_intact(s.folder)]
    done = {s.run.as_of for s in mine}
    known = min(a.published_latest for a in (*story.with_role("report"), *story.with_role("denial")))
    closes = hours.schedule["close"].loc[event:final]
    due = [session.date().isoformat() for session in closes[closes >= known].index]
    missing = [d for d in due if d not in done and d > min(done)] if done else due[-1:]
    notes = []
    if len(missing) > CATCH_UP_SESSIONS:
        notes.append(f"{len(missing) - CATCH_UP_SESSIONS} earlier missed evenings are not made up for")
        missing = missing[-CATCH_UP_SESSIONS:]
    if last >= closing:
        notes.append(
            f"closed by itself on {closing.date()}: its windows are complete and {KEEP_OPEN_SESSIONS} more sessions have "
            "passed (state closed in stories.csv silences this line)"
        )
    state = "due" if missing else "closed" if last >= closing else "up to date" if due else "waiting"
    return StoryPlan(story.story, story.exchange, state, tuple(missing), "; ".join(notes))


def run_nightly(
    root: StudyRoot,
    reports: Path,
    *,
    at: datetime,
    fetch: Fetch | None,
    dossier: Dossier,
    record: Callable[[list[Story]], str] | None = None,
    wait_s: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Clock = read_system_clock,
    progress: Progress = lambda _: None,
) -> Summary:
    """Serve every open story as it stands at an instant.

    Parameters
    ----------
    fetch : callable or None
        None where the figures do not come from downloads.
    record : callable, optional
        Records what of the open stories would be lost later, whether or not an evening is due; gives words.
    wait_s : float
        For so long the stories whose provider asks to wait are tried again, after all others.

    Raises
    ------
    BusyError
        If another nightly run is at work.
    RenderError
        If ``reports/`` cannot be written.
    """
    with hold_lock(reports / ".locks", ".nightly.lock", "another nightly run is at work"):
        started, journal = format_instant(clock()), Journal(reports / ".logs", clock)
        journal.write("begin", serving=format_instant(at))
        outcomes: dict[str, StoryOutcome] = {}
        codes: list[int] = []
        recorded = ""
        try:
            left = [story for story in load_stories(root.data).values() if story.state == "open"]
            if record is not None:
                code, recorded = _guard(lambda: record([s for s in left if is_watched(s, at)]))
                journal.write("record", exit_code=code, message=recorded)  # what is optional fails no night
            for pause in (0.0, *list_pauses(wait_s)):
                if pause:
                    progress(f"{', '.join(s.story for s in left)}: deferred for {pause:.0f} s")
                    sleep(pause)
                for story in left:
                    outcomes[story.story] = StoryOutcome(story.story, "unplanned", "")
                    _serve(story, reports, at, fetch, dossier, journal, progress, outcomes[story.story])
                left = [s for s in left if outcomes[s.story].fetch_code == RateLimitError.exit_code]
                if not left:
                    break
        except KeyboardInterrupt:
            codes.append(INTERRUPTED)
            journal.write("interrupted")
        codes += [o.exit_code for o in outcomes.values()]
        if journal.fault:
            codes.append(5)
        code = worst_code(codes)
        notes = tuple(filter(None, (journal.fault, recorded, "" if outcomes else "no story is open")))
        served = tuple(outcomes.values())
        summary = Summary(format_instant(at), started, format_instant(clock()), code, served, notes)
        journal.write("end", exit_code=code)
        text = json.dumps(summary.as_record(), indent=1, ensure_ascii=False) + "\n"
        replace_files({make_folder(reports / ".logs") / SUMMARY: text})
        rebuild_index(reports, clock=clock)
    return summary


def _serve(
    story: Story,
    reports: Path,
    at: datetime,
    fetch: Fetch | None,
    dossier: Dossier,
    journal: Journal,
    progress: Progress,
    outcome: StoryOutcome,
) -> None:
    """One story; whatever goes wrong with it is its own affair, and is written into its outcome."""
    try:
        plan = plan_story(story, read_runs(reports), at)
    except StudyError as error:
        outcome.state, outcome.note, outcome.fetch_code = "unplanned", str(error), error.exit_code
        journal.write("plan", story=story.story, exit_code=error.exit_code, message=str(error))
        return
    outcome.state, outcome.note = plan.state, plan.note
    journal.write("plan", story=plan.story, state=plan.state, evenings=list(plan.evenings), note=plan.note)
    progress(f"{plan.story}: {plan.state}{': ' + ', '.join(plan.evenings) if plan.evenings else ''}")
    if plan.note:
        progress(f"{plan.story}: {plan.note}")
    if not plan.evenings:
        return
    if fetch is not None:
        outcome.fetch_code, outcome.fetched = _guard(lambda: fetch(plan.story, at))
        journal.write("fetch", story=plan.story, exit_code=outcome.fetch_code, message=outcome.fetched)
        if outcome.fetch_code:
            progress(f"{plan.story}: {outcome.fetched}")
            for as_of in plan.evenings:
                outcome.evenings.append(EveningOutcome(as_of, outcome.fetch_code, message="not run: no new figures"))
            return
    for as_of in plan.evenings:
        code, said = _guard(lambda: dossier(plan.story, as_of))  # noqa: B023  # called at once
        evening = EveningOutcome(as_of, code, folder="" if code else said, message=said if code else "")
        outcome.evenings.append(evening)
        journal.write("dossier", story=plan.story, as_of=as_of, exit_code=code, result=said)
        progress(f"{plan.story} as of {as_of}: {said}")


def _guard(work: Callable[[], str]) -> tuple[int, str]:
    """Exit code and words of some work; a defect of ours counts as a failed notebook."""
    try:
        return 0, work()
    except StudyError as error:
        return error.exit_code, str(error)
    except Exception as error:  # the next story must still be served
        return 4, f"unexpected {type(error).__name__}: {error}"


def notify(command: str, summary: Summary) -> str:
    """Run a command with the summary as JSON on its standard input; no shell. Returns what went wrong.

    Raises
    ------
    ConfigError
        If the command cannot be read.
    """
    arguments = split_command(command)
    text = json.dumps(summary.as_record(), ensure_ascii=False)
    try:
        done = subprocess.run(
            arguments, input=text, text=True, timeout=NOTIFY_TIMEOUT_S, check=False, stdout=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the notification failed: {error}"
    return "" if done.returncode == 0 else f"the notification ended with exit code {done.returncode}"


def split_command(command: str) -> list[str]:
    """A command line as its words, as a shell would read it but run by none."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"the notification command cannot be read ({error}).", "Close its quotes.") from error
    if not words:
        raise ConfigError("the notification command is empty.", "Name a program.")
    return words
