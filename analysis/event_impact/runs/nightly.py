"""Every evening: fetch and dossier of each open story, missed evenings made up for, the worst exit code.

An evening is one session of the story's exchange, ``as_of`` that session; it is due once the session
has closed and the provider has had time to record it. What is already published is not run again, so
the command may be called as often as one likes.
"""

import json
import time
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

import pandas as pd

from event_impact.base.clock import Clock, format_instant, read_system_clock
from event_impact.base.config import CATCH_UP_SESSIONS, KEEP_OPEN_SESSIONS, StudyConfig
from event_impact.base.disk import hold_lock, make_folder, replace_files
from event_impact.base.errors import RateLimitError, StudyError
from event_impact.base.root import StudyRoot
from event_impact.base.run_record import DOSSIER
from event_impact.events.articles import Story, load_stories
from event_impact.events.sessions import Alignment, align_story
from event_impact.market.fetch_plan import last_closed, list_pauses
from event_impact.page.outcomes import INTERRUPTED, worst_code
from event_impact.runs import evenings
from event_impact.runs.index import rebuild_index
from event_impact.runs.notification import compose_digest
from event_impact.runs.prune import prune_runs, prune_vintages
from event_impact.runs.requests import Progress
from event_impact.runs.store import StoredRun, is_intact, read_runs, read_stored
from event_impact.runs.workers import guard

SUMMARY, DIGEST = "nightly-summary.json", "digest.txt"
NONE_OPEN = "no story is open: nothing was served; open one with state `open` in data/stories.csv, or impact story new"


# Story and instant -> what was fetched, in words; raises StudyError.
Fetch = Callable[[str, datetime], str]
# Story and as_of -> the folder of the published dossier; raises StudyError.
Dossier = Callable[[str, str], str]


def find_closing(alignment: Alignment) -> pd.Timestamp:
    """The session after whose evening a story closes by itself."""
    last = max(max(end for _, end in StudyConfig().windows), alignment.hull[1])
    return alignment.hours.offset(alignment.event_session, last + KEEP_OPEN_SESSIONS)


def is_watched(story: Story, at: datetime) -> bool:
    """Whether a story has not closed by itself."""
    alignment = align_story(story)
    return find_closing(alignment) >= last_closed(alignment.hours, at)


def plan_story(
    story: Story, runs: list[StoredRun], at: datetime, served: Collection[str] = ()
) -> tuple[str, tuple[str, ...], str]:
    """The state of a story at an instant, the evenings that are due, and a note.

    States are ``due``, ``up to date``, ``waiting`` (the event session has not closed) and ``closed`` (its windows are
    complete and the sessions for which it is kept open have passed). Without any dossier only the latest evening is
    due; after the first, every evening since that has no whole dossier and was not ``served`` otherwise, at most
    :data:`event_impact.base.config.CATCH_UP_SESSIONS` of them.
    """
    alignment = align_story(story)
    event, hours, closing = alignment.event_session, alignment.hours, find_closing(alignment)
    last = last_closed(hours, at)
    if last < event:
        return "waiting", (), f"the event session {event.date()} has not closed"
    mine = [s for s in runs if s.run.story == story.story and s.run.notebook == DOSSIER and is_intact(s.folder)]
    done = {s.run.as_of for s in mine} | {*served}
    known = min(a.published_latest for a in (*story.with_role("report"), *story.with_role("denial")))
    closes = hours.schedule["close"].loc[event : min(last, closing)]
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
    return state, tuple(missing), "; ".join(notes)


def run_nightly(
    root: StudyRoot, reports: Path, *, at: datetime, fetch: Fetch | None, dossier: Dossier,
    record: Callable[[list[Story]], str] | None = None, keep: int = 0, wait_s: float = 0.0,
    sleep: Callable[[float], None] = time.sleep, clock: Clock = read_system_clock,
    progress: Progress = lambda _: None,
) -> evenings.Summary:  # fmt: skip
    """Serve every open story as it stands at an instant.

    Parameters
    ----------
    fetch : callable or None
        None where the figures do not come from downloads.
    record : callable, optional
        Records what of the open stories would be lost later, whether or not an evening is due; gives words.
    keep : int
        Runs of each story and notebook, and vintages, that stay when the night is over; 0 keeps all.
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
        started, journal = format_instant(clock()), evenings.Journal(reports / ".logs", clock)
        journal.write(stage="begin", serving=format_instant(at))
        outcomes: dict[str, evenings.StoryOutcome] = {}
        stopped, recorded = 0, ""
        try:
            left = [story for story in load_stories(root.data).values() if story.state == "open"]
            if record is not None:
                code, recorded = guard(lambda: record([s for s in left if is_watched(s, at)]))
                journal.write(stage="record", exit_code=code, message=recorded)  # what is optional fails no night
            for pause in (0.0, *list_pauses(wait_s)):
                if pause:
                    progress(f"{', '.join(s.story for s in left)}: deferred for {pause:.0f} s")
                    sleep(pause)
                for story in left:
                    outcomes[story.story] = evenings.StoryOutcome(story.story, "unplanned", "")
                    _serve(story, reports, at, fetch, dossier, journal, progress, outcomes[story.story])
                left = [s for s in left if outcomes[s.story].fetch_code == RateLimitError.exit_code]
                if not left:
                    break
        except KeyboardInterrupt:
            stopped = INTERRUPTED
            journal.write(stage="interrupted")
        code = worst_code([stopped, *(o.exit_code for o in outcomes.values()), 5 if journal.fault else 0])
        notes = [journal.fault, recorded, "" if outcomes else NONE_OPEN]
        notes.append(_clear_away(root, reports, keep, journal) if keep else "")
        served, said = tuple(outcomes.values()), tuple(filter(None, notes))
        summary = evenings.Summary(format_instant(at), started, format_instant(clock()), code, served, said)
        journal.write(stage="end", exit_code=code)
        text = json.dumps(summary.as_record(), indent=1, ensure_ascii=False) + "\n"
        digest = "\n".join(compose_digest(summary) or ("nothing changed",)) + "\n"
        logs = make_folder(reports / ".logs")
        replace_files({logs / SUMMARY: text, logs / DIGEST: digest})
        rebuild_index(reports, clock=clock)
    return summary


def _serve(
    story: Story, reports: Path, at: datetime, fetch: Fetch | None, dossier: Dossier, journal: evenings.Journal,
    progress: Progress, outcome: evenings.StoryOutcome,
) -> None:  # fmt: skip
    """One story; whatever goes wrong with it is its own affair, and is written into its outcome."""
    name = story.story
    try:
        log, runs = evenings.EveningLog(reports, journal.clock), read_runs(reports)
        log.note_published(name, runs)
        outcome.state, due, outcome.note = plan_story(story, runs, at, log.list_served(name, runs))
    except StudyError as error:
        outcome.note, outcome.fetch_code = str(error), error.exit_code
        journal.write(stage="plan", story=name, exit_code=error.exit_code, message=str(error))
        return
    journal.write(stage="plan", story=name, state=outcome.state, evenings=list(due), note=outcome.note)
    progress(f"{name}: {outcome.state}{': ' + ', '.join(due) if due else ''}")
    if outcome.note:
        progress(f"{name}: {outcome.note}")
    if fetch is not None and due:
        outcome.fetch_code, outcome.fetched = guard(lambda: fetch(name, at))
        journal.write(stage="fetch", story=name, exit_code=outcome.fetch_code, message=outcome.fetched)
        if outcome.fetch_code:
            progress(f"{name}: {outcome.fetched}")
            missed = "not run: no new figures"
            outcome.evenings += [evenings.EveningOutcome(as_of, outcome.fetch_code, message=missed) for as_of in due]
            return
    for as_of in due:
        code, said = guard(lambda: dossier(name, as_of))  # noqa: B023  # called at once
        evening = evenings.EveningOutcome(as_of, code, message=said) if code else _settle(reports, as_of, said, runs)
        outcome.evenings.append(evening)
        result = evenings.UNCHANGED if evening.is_unchanged else evening.folder or said
        log.write(story=name, as_of=as_of, code=code, run=result)
        journal.write(stage="dossier", story=name, as_of=as_of, exit_code=code, result=result)
        progress(f"{name} as of {as_of}: {result}")


def _settle(reports: Path, as_of: str, name: str, runs: list[StoredRun]) -> evenings.EveningOutcome:
    """An evening that was served: unchanged where the dossier of an earlier session says the same, else what changed."""
    now, evening = read_stored(reports / name), evenings.EveningOutcome(as_of, 0, Path(name).name)
    if now is not None:
        evening.outcome, evening.is_unchanged = str(now.run.outcome), now.run.as_of < as_of
        if not evening.is_unchanged:
            evening.changed = evenings.tell_change(evenings.find_before(runs, now.run.story, now.run.as_of), now)
            runs.append(now)
    return evening


def _clear_away(root: StudyRoot, reports: Path, keep: int, journal: evenings.Journal) -> str:
    """Old runs and vintages; that they cannot be cleared away is said and fails no night."""
    removed: list[str] = []

    def clear() -> str:
        removed.extend(prune_runs(reports, keep).removed)
        if (root.data / "vintages").is_dir():
            removed.extend(prune_vintages(root.data / "vintages", reports, keep))
        return f"{len(removed)} old runs and vintages removed" if removed else ""

    code, said = guard(clear)
    journal.write(stage="prune", exit_code=code, removed=removed, message=said)
    return said
