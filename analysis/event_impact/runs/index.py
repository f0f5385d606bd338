"""The index of the runs: one row a story, and the whole history of each story on pages of its own.

Everything comes from the ``run.json`` files, by way of a cache that can be made again from them. Pages hold a
bounded number of rows, so that no number of runs makes one too large, and old pages of a history are written once.
"""

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from event_impact.base.code_digest import digest_package
from event_impact.base.disk import Content, hold_lock, make_folder, replace_files
from event_impact.base.errors import AlignmentError
from event_impact.events.calendars import load_hours
from event_impact.page.format import OUTCOME_LABELS, format_interval, format_percent
from event_impact.page.markup import frame_table, mark_up
from event_impact.page.render import TEMPLATES
from event_impact.runs.compare import find_changed
from event_impact.runs.freshness import count_closed
from event_impact.runs.store import MAX_SENTENCE, PAGE_NAMES, RunFacts, StoredRun, read_facts, read_json

Stories = dict[str, list[StoredRun]]
LOCK_WAIT_S = 60.0
HISTORY = "history"
WRITTEN = Path(".index/pages.json")
MAX_VERDICT = 240
#: Runs in the fold of a story; the others stand in its history.
RUNS_SHOWN = 8
ROWS_OF_A_PAGE = 300
#: An open story is stale when that many sessions closed since its newest good run.
STALE_SESSIONS = 2
#: The bars of a page reach as far as its widest interval, and no further than this.
LARGEST_SCALE = 0.3
#: Whether the page of a run lies beside the index.
Shown = Callable[[StoredRun], bool]


def rebuild_index(reports: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Path:
    """Bring the index to the state of the runs; rebuilds wait for each other, so that none writes an older state."""
    with hold_lock(reports / ".locks", ".index.lock", "the index is being rebuilt", wait_s=LOCK_WAIT_S):
        write_index(read_facts(reports), reports, at=clock())
    return reports / "index.html"


def write_index(facts: RunFacts, folder: Path, *, at: datetime, has_page: Shown = lambda _: True) -> None:
    """Write the index and the histories into a folder that holds the pages of the runs."""
    stories = group_stories(facts)
    pages = {folder / HISTORY / name: page for name, page in _list_histories(stories, has_page)}
    marks, written = {path.name: mark for path, (mark, _) in pages.items()}, read_json(folder / WRITTEN)
    stale = [path for path, (mark, _) in pages.items() if written.get(path.name) != mark or not path.is_file()]
    fresh: dict[Path, Content] = {path: pages[path][1]() for path in stale}
    fresh |= {folder / name: page for name, page in _render_overviews(stories, facts, has_page, at)}
    fresh[folder / WRITTEN] = json.dumps(marks, indent=0) + "\n"
    for part in {path.parent for path in fresh}:
        make_folder(part)
    replace_files(fresh)
    for path in [*(folder / HISTORY).glob("*.html"), *folder.glob("index-*.html")]:
        if path not in pages and path not in fresh:
            path.unlink(missing_ok=True)


def group_stories(facts: RunFacts) -> Stories:
    """Runs and failed attempts by story, newest first, the story that ran last first."""
    stories: Stories = {}
    for stored in sorted((*facts.good, *facts.failed), key=lambda s: s.order, reverse=True):
        stories.setdefault(stored.run.story, []).append(stored)
    return stories


def _with_newer(runs: list[StoredRun], newer: Iterable[StoredRun] = ()) -> Iterator[tuple[StoredRun, StoredRun | None]]:
    """Each run, newest first, with the next newer good one of its notebook."""
    above = {s.run.notebook: s for s in newer if s.run.is_good}
    for stored in runs:
        yield stored, above.get(stored.run.notebook)
        if stored.run.is_good:
            above[stored.run.notebook] = stored


def _split(rows: list[Any]) -> list[list[Any]]:
    return [rows[k : k + ROWS_OF_A_PAGE] for k in range(0, len(rows), ROWS_OF_A_PAGE)]


# ---------------------------------------------------------------- states


def find_state(runs: list[StoredRun], at: datetime) -> tuple[str, str]:
    """State of a story and the reason: final, open, stale or failed.

    ``failed`` when no run is good; ``stale`` when a later attempt failed, or when the newest good run is
    open and :data:`STALE_SESSIONS` sessions have closed since its as_of.
    """
    if not (good := [s for s in runs if s.run.is_good]):
        return "failed", "no good run yet"
    last, newest = max(good, key=lambda s: s.order), max(runs, key=lambda s: s.order)
    behind = _sessions_behind(last, at)
    age = f"last good run as of {last.run.as_of}, finished {_show_minute(last.run.finished_at)} UTC{_describe_age(last, at)}"
    if not newest.run.is_good:
        return "stale", f"{age}; a later attempt failed"
    if last.run.status == "open" and behind >= STALE_SESSIONS:
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


def _sessions_behind(stored: StoredRun, at: datetime) -> int:
    """Sessions that closed after the last one of a run; none where its exchange is not known."""
    with contextlib.suppress(AlignmentError, ValueError):
        exchange = str((stored.run.source or {}).get("exchange"))
        return count_closed(load_hours(exchange), pd.Timestamp(stored.run.as_of), at)
    return 0


def _show_minute(text: str) -> str:
    """``2026-02-13T22:05:00Z`` as ``2026-02-13 22:05``; anything else as it is."""
    match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}):\d{2}Z", text)
    return f"{match[1]} {match[2]}" if match else text


# ---------------------------------------------------------------- parts of a row


def find_stating(runs: Iterable[StoredRun]) -> StoredRun | None:
    """The first good run that states an outcome; runs that test no price of the story state none."""
    return next((s for s in runs if s.run.is_good and s.run.outcome in OUTCOME_LABELS), None)


def name_outcome(stored: StoredRun | None) -> str:
    """The outcome of a run in words."""
    outcome = None if stored is None else stored.run.outcome
    return OUTCOME_LABELS.get(str(outcome), "n/a: none stated")


def read_numbers(stored: StoredRun | None) -> tuple[float, float, float] | None:
    """Estimate and 95 % interval of a run's headline, where all three are numbers."""
    row = (stored.run.headline if stored else None) or {}
    numbers = [row.get(name) for name in ("estimate", "ci95_low", "ci95_high")]
    if not all(isinstance(n, (int, float)) and not isinstance(n, bool) and abs(n) < 1e6 for n in numbers):
        return None
    return float(numbers[0]), float(numbers[1]), float(numbers[2])  # type: ignore[arg-type]


def find_scale(runs: Iterable[StoredRun | None]) -> float:
    """How far the bars of a page reach to each side."""
    ends = [abs(end) for stored in runs if (numbers := read_numbers(stored)) for end in numbers]
    return min(max(ends, default=0.01), LARGEST_SCALE) or 0.01


def draw_bar(stored: StoredRun | None, scale: float) -> str:
    """Estimate with its interval, as a drawing on the scale of the page and in words."""
    if (numbers := read_numbers(stored)) is None:
        value = ((stored.run.headline if stored else None) or {}).get("estimate")
        return mark_up(format_percent(value) if isinstance(value, float) else "n/a: no estimate stated")
    estimate, low, high = numbers
    said = f"{format_percent(estimate)} ({format_interval((low, high))})"
    a, b, middle = (80 + 76 * max(-1.0, min(1.0, end / scale)) for end in (low, high, estimate))
    return (
        f'<span class="estimate" data-sort="{estimate:.6f}">{mark_up(said)}</span>'
        f'<svg class="bar" viewBox="0 0 160 16" role="img" aria-label="{escape(said)}"><title>{escape(said)}</title>'
        f'<line class="zero" x1="80" x2="80" y1="1" y2="15"/><line class="span" x1="{a:.1f}" x2="{b:.1f}" y1="8" y2="8"/>'
        f'<circle cx="{middle:.1f}" cy="8" r="3.4"/></svg>'
    )


def tell_difference(stored: StoredRun, above: StoredRun | None) -> str:
    """In which parameters and prices a run differs from the next newer one of its notebook; own files are named."""
    if above is None or not stored.run.is_good:
        return ""
    was, now = above.run.parameters, stored.run.parameters
    names = [name for name in find_changed(was, now) if name not in ("as_of", "story")]
    said = [f"{name} {_name_value(name, now[name]) if name in now else 'not set'}" for name in names]
    if stored.run.vintage != above.run.vintage:
        said.append(f"prices of {stored.run.vintage or 'none'}")
    return "; ".join(said)


def _name_value(name: str, value: object) -> str:
    text = str(value)
    return f"own files {Path(text).name}" if name == "source" and ("/" in text or "\\" in text) else text or "none"


def _link(stored: StoredRun, words: str, has_page: Shown, up: str = "") -> str:
    return f'<a href="{up}{stored.address}">{mark_up(words)}</a>' if has_page(stored) else mark_up(words)


# ---------------------------------------------------------------- the overview


def _render_overviews(stories: Stories, facts: RunFacts, has_page: Shown, at: datetime) -> Iterator[tuple[str, str]]:
    chunks = _split(list(stories)) or [[]]
    files = ["index.html", *(f"index-{k + 1}.html" for k in range(1, len(chunks)))]
    damaged = "".join(f"<li><code>{escape(name)}</code></li>" for name in facts.damaged[:ROWS_OF_A_PAGE])
    notice = (
        f'<section class="failure" aria-label="Damaged runs"><h2>Damaged runs</h2><p>The run.json of {len(facts.damaged)} '
        f"folders cannot be read; nothing else rests on them.</p><ul>{damaged}</ul></section>" * bool(damaged)
    )
    for number, (file, chunk) in enumerate(zip(files, chunks, strict=True)):
        links = _link_pages(files, number) if len(files) > 1 else ""
        scale = find_scale(find_stating(stories[story]) for story in chunk)
        rows = "".join(_render_story(story, stories[story], has_page, scale, at) for story in chunk)
        table = frame_table(
            f"One row a story, the one that ran last first; bars of 95 % intervals reach from {format_interval((-scale, scale))}.",
            ("story", "estimate", "outcome", "pages", "state"), rows, is_numbered=False,
        )  # fmt: skip
        body = (
            f"<h1>Rendered reports</h1><p>State of {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: ages count up to then.</p>"
            f"{table if stories else '<p>No run has been published yet.</p>'}{links}{notice}"
        )
        yield file, frame_page("Rendered reports", body)


def _render_story(story: str, runs: list[StoredRun], has_page: Shown, scale: float, at: datetime) -> str:
    (state, reason), stating = find_state(runs, at), find_stating(runs)
    newest = {s.run.notebook: s for s in reversed(runs) if s.run.is_good}
    named = [newest[name] for name in dict.fromkeys([*PAGE_NAMES, *newest]) if name in newest]
    siblings = " \u00b7 ".join(_link(stored, stored.page_name, has_page) for stored in named)
    items = "".join(f"<li>{_list_run(*pair, has_page)}</li>" for pair in _with_newer(runs[:RUNS_SHOWN]))
    failed = sum(not s.run.is_good for s in runs)
    title = next((s.run.title for s in runs if s.run.title), story)
    more = f'<a href="{HISTORY}/{quote(story)}.html">all {len(runs)} runs</a>' + f", {failed} failed" * bool(failed)
    verdict, when = (stating.run.verdict, f"{stating.page_name}, as of {stating.run.as_of}") if stating else ("", "")
    note = f'<div class="cell-note">{mark_up(when)}</div>' * bool(when)
    return (
        f'<tr id="{escape(story)}"><th scope="row">{mark_up(title)}<div class="cell-note">{mark_up(story)}</div>'
        f'<details class="fold"><summary>History: {len(runs)} runs</summary><p class="cell-note">{mark_up(verdict)}</p>'
        f'<ol class="runs">{items}</ol><p>{more}</p></details></th>'
        f"<td>{draw_bar(stating, scale)}</td><td>{mark_up(name_outcome(stating))}{note}</td><td>{siblings or 'none'}</td>"
        f'<td><span class="badge {state}">{state}</span> <span class="cell-note">{mark_up(reason)}</span></td></tr>'
    )


def _list_run(stored: StoredRun, above: StoredRun | None, has_page: Shown) -> str:
    head = _link(stored, f"{stored.run.as_of}, {stored.page_name}", has_page)
    if not stored.run.is_good:
        return f'{head} <span class="badge failed">failed</span> {mark_up((stored.run.error or "")[:MAX_SENTENCE])}'
    numbers = read_numbers(stored)
    parts = [name_outcome(stored), format_percent(numbers[0]) if numbers else "", tell_difference(stored, above)]
    return f"{head}: {mark_up('; '.join(filter(None, parts)))}"


# ---------------------------------------------------------------- histories


def _list_histories(stories: Stories, has_page: Shown) -> Iterator[tuple[str, tuple[str, Callable[[], str]]]]:
    """Every page of every history, with what it depends on; full pages count from the oldest run and stay as they are."""
    for story, runs in stories.items():
        chunks = [chunk[::-1] for chunk in _split(runs[::-1])]
        files = [*(f"{story}-{k}.html" for k in range(1, len(chunks))), f"{story}.html"]
        for number, (file, chunk, later) in enumerate(zip(files, chunks, [*chunks[1:], []], strict=True)):
            held = "\n".join(f"{s.folder.name} {s.run.finished_at} {s.run.outcome} {has_page(s)}" for s in chunk)
            last = later[-1].folder.name if later else ""
            mark = hashlib.sha256(f"{digest_package()}\n{held}\n{last}\n{files[-2:]}\n{number}".encode()).hexdigest()
            links = _link_pages(files[::-1], len(files) - 1 - number)
            yield file, (mark, partial(_render_history, story, chunk, later, links, has_page))


def _render_history(story: str, runs: list[StoredRun], later: list[StoredRun], links: str, has_page: Shown) -> str:
    scale = find_scale(runs)
    rows = "".join(_render_row(*pair, has_page, scale) for pair in _with_newer(runs, later))
    title = next((s.run.title for s in runs if s.run.title), story)
    heads = ("run", "estimate", "outcome", "differs from the next newer run", "finished (UTC)")
    caption = f"Runs of {story}, newest first; bars of 95 % intervals reach from {format_interval((-scale, scale))}."
    table = frame_table(caption, heads, rows, is_numbered=False)
    body = f'<h1>{mark_up(title)}</h1><p><a href="../index.html#{escape(story)}">All stories</a></p>{table}{links}'
    return frame_page(f"{title}: all runs", body)


def _render_row(stored: StoredRun, above: StoredRun | None, has_page: Shown, scale: float) -> str:
    said = (stored.run.verdict if stored.run.is_good else stored.run.error) or "n/a: none stated"
    short = said if len(said) <= MAX_VERDICT else said[: MAX_VERDICT - 3] + "..."
    badge = f'<span class="badge {stored.run.status}">{stored.run.status}</span>'
    return (
        f'<tr><th scope="row">{_link(stored, f"{stored.page_name}, {stored.run.as_of}", has_page, "../")} {badge}</th>'
        f"<td>{draw_bar(stored, scale)}</td>"
        f'<td>{mark_up(name_outcome(stored))}<div class="cell-note">{mark_up(short)}</div></td>'
        f"<td>{mark_up(tell_difference(stored, above) or 'nothing')}</td>"
        f"<td>{mark_up(_show_minute(stored.run.finished_at))}</td></tr>"
    )


# ---------------------------------------------------------------- the frame


def _link_pages(files: list[str], here: int) -> str:
    near = {here - 1: "newer", here + 1: "older", 0: "newest", len(files) - 1: "oldest"}
    links = [f'<a href="{quote(files[k])}">{word}</a>' for k, word in near.items() if 0 <= k < len(files) and k != here]
    return f"<p>Page {here + 1} of {len(files)}{': ' if links else ''}{', '.join(links)}.</p>"


def frame_page(title: str, body: str) -> str:
    """A page of the index around its content: one style, one small script, nothing from elsewhere."""
    style, script = (
        "".join((TEMPLATES / "page" / name).read_text(encoding="utf-8").strip() for name in names)
        for names in (("style.css", "index.css"), ("index.js",))
    )
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        '<a class="skip" href="#content">Skip to the runs</a>'
        '<header class="masthead"><p class="kicker">Event studies</p></header>'
        f'<div class="layout whole"><main id="content">{body}</main></div>'
        "<footer><p>Made by event-impact from the run.json of every run.</p></footer>"
        f"<script>{script}</script></body></html>\n"
    )
