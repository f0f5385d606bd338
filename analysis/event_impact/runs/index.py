"""``reports/index.html``: every run, newest first, made from the ``run.json`` files alone."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from event_impact.base.disk import hold_lock, replace_files
from event_impact.base.errors import AlignmentError
from event_impact.events.calendars import load_hours
from event_impact.page.format import OUTCOME_LABELS
from event_impact.page.markup import frame_table, mark_up, mark_up_cell
from event_impact.page.render import TEMPLATES, check_page
from event_impact.runs.freshness import count_closed
from event_impact.runs.store import StoredRun, list_damaged, read_failures, read_runs

LOCK_WAIT_S = 60.0
MAX_VERDICT = 240
STALE_SESSIONS = 2
"""An open story is stale when that many sessions closed since its newest good run."""


def rebuild_index(reports: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Path:
    """Write the index anew, by one rename; rebuilds wait for each other, so that none writes an older state."""
    target = reports / "index.html"
    with hold_lock(reports / ".locks", ".index.lock", "the index is being rebuilt", wait_s=LOCK_WAIT_S):
        page = render_index(reports, at=clock())
        check_page(page)
        replace_files({target: page})
    return target


def render_index(reports: Path, *, at: datetime) -> str:
    """The index as one page: a table a story, its runs newest first, failures and damage marked."""
    stories: dict[str, list[StoredRun]] = {}
    for stored in (*read_runs(reports), *read_failures(reports)):
        stories.setdefault(stored.story, []).append(stored)
    newest = sorted(stories, key=lambda story: max(s.order for s in stories[story]), reverse=True)
    summary = _render_summary([(story, stories[story]) for story in newest], at) if newest else ""
    sections = "".join(_render_story(story, stories[story], reports, at) for story in newest)
    damaged = "".join(f"<li><code>{escape(name)}</code></li>" for name in list_damaged(reports))
    notice = (
        f'<section class="failure" aria-label="Damaged runs"><h2>Damaged runs</h2><p>The run.json of these folders '
        f"cannot be read; nothing else rests on them.</p><ul>{damaged}</ul></section>"
        if damaged
        else ""
    )
    style = (TEMPLATES / "page" / "style.css").read_text(encoding="utf-8").strip()
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    links = "".join(f'<li><a href="#{escape(s)}">{escape(s)}</a></li>' for s in newest)
    built = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Rendered reports</title><style>{style}</style></head><body>"
        '<a class="skip" href="#content">Skip to the runs</a>'
        '<header class="masthead"><p class="kicker">Event studies</p></header>'
        '<div class="layout"><nav class="contents" aria-label="Stories"><details open><summary>Stories</summary>'
        f'<ol>{links}</ol></details></nav><main id="content"><h1>Rendered reports</h1>'
        f"<p>State of {built}: ages count up to then.</p>"
        f"{summary or '<p>No run has been published yet.</p>'}{sections}{notice}</main></div>"
        "<footer><p>Made by event-impact from the run.json files beside this page.</p></footer></body></html>\n"
    )


def find_state(runs: list[StoredRun], at: datetime) -> tuple[str, str]:
    """State of a story and the reason: final, open, stale or failed.

    ``failed`` when no run is good; ``stale`` when a later attempt failed, or when the newest good run is
    open and :data:`STALE_SESSIONS` sessions have closed since its as_of.
    """
    good = [s for s in runs if s.is_good]
    if not good:
        return "failed", "no good run yet"
    last, newest = max(good, key=lambda s: s.order), max(runs, key=lambda s: s.order)
    behind = _sessions_behind(last, at)
    age = f"last good run as of {last.run.as_of}, finished {_show_minute(last.run.finished_at)} UTC{_describe_age(last, at)}"
    if not newest.is_good:
        return "stale", f"{age}; a later attempt failed"
    if last.run.status == "open" and behind is not None and behind >= STALE_SESSIONS:
        return "stale", f"{age}; its windows are open and {behind} sessions have closed since"
    return last.run.status, age


def _describe_age(stored: StoredRun, at: datetime) -> str:
    finished = pd.to_datetime(stored.run.finished_at, utc=True, errors="coerce")
    if pd.isna(finished):
        return ""
    days = (pd.Timestamp(at) - finished) / pd.Timedelta(days=1)
    if days < 0:
        return " (in the future of this machine's clock)"
    return f" ({days * 24:.0f} h ago)" if days < 2 else f" ({days:.0f} days ago)"


def _sessions_behind(stored: StoredRun, at: datetime) -> int | None:
    exchange = (stored.run.source or {}).get("exchange")
    if not isinstance(exchange, str):
        return None
    try:
        return count_closed(load_hours(exchange), pd.Timestamp(stored.run.as_of), at)
    except (AlignmentError, ValueError):
        return None


def _render_summary(stories: list[tuple[str, list[StoredRun]]], at: datetime) -> str:
    rows = ""
    for story, runs in stories:
        state, reason = find_state(runs, at)
        rows += (
            f'<tr><th scope="row"><a href="#{escape(story)}">{escape(story)}</a></th>'
            f'<td><span class="badge {state}">{state}</span></td>'
            f"{mark_up_cell(_describe_outcome(runs))}{mark_up_cell(reason)}</tr>"
        )
    heads = ("story", "state", "outcome", "why")
    return frame_table("Stories, the one that ran last first.", heads, rows, is_numbered=False)


def _describe_outcome(runs: list[StoredRun]) -> str:
    """The outcome that the newest good run states; runs that test no price of the story state none."""
    good = [s for s in runs if s.is_good]
    stating = [s for s in good if s.run.outcome in OUTCOME_LABELS]
    if not stating:
        return "n/a: none stated" if good else "n/a: no good run"
    last = max(stating, key=lambda s: s.order)
    return f"{OUTCOME_LABELS[str(last.run.outcome)]} ({last.notebook}, as of {last.run.as_of})"


def _render_story(story: str, runs: list[StoredRun], reports: Path, at: datetime) -> str:
    runs = sorted(runs, key=lambda s: s.order, reverse=True)
    state, reason = find_state(runs, at)
    rows = "".join(_render_row(stored, reports) for stored in runs)
    heads = ("run", "status", "outcome", "verdict", "finished (UTC)")
    return (
        f'<h2 id="{escape(story)}">{escape(story)}</h2>'
        f'<p><span class="badge {state}">{state}</span> {mark_up(reason)}.</p>'
        + frame_table(f"Runs of {story}, newest first.", heads, rows, is_numbered=False)
    )


def _show_minute(text: str) -> str:
    """``2026-02-13T22:05:00Z`` as ``2026-02-13 22:05``; anything else as it is."""
    match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}):\d{2}Z", text)
    return f"{match[1]} {match[2]}" if match else text


def _render_row(stored: StoredRun, reports: Path) -> str:
    run, status = stored.run, stored.run.status
    outcome = OUTCOME_LABELS.get(str(run.outcome), "n/a: none stated")
    verdict = (run.verdict if run.is_good else run.error) or "n/a: none stated"
    short = verdict if len(verdict) <= MAX_VERDICT else verdict[: MAX_VERDICT - 3] + "..."
    address = quote(stored.folder.relative_to(reports).as_posix()) + "/report.html"
    return (
        f'<tr><th scope="row"><a href="{escape(address)}">{escape(stored.notebook)}, {mark_up(run.as_of)}</a></th>'
        f'<td><span class="badge {status}">{status}</span></td>'
        f"{mark_up_cell(outcome)}{mark_up_cell(short)}{mark_up_cell(_show_minute(run.finished_at))}</tr>"
    )
