"""``reports/index.html``: every run, newest first, made from the ``run.json`` files alone."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from analysis.reporting.compare import read_runs
from analysis.reporting.format import OUTCOME_LABELS
from analysis.reporting.render import TEMPLATES, check_page


def read_failures(reports: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Failed attempts, oldest first."""
    failures = []
    for path in sorted((reports / "failed").glob("*/run.json")):
        try:
            failures.append((path.parent, json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError):
            continue
    return failures


def rebuild_index(reports: Path) -> Path:
    """Write the index anew, by one rename."""
    page = render_index(reports)
    check_page(page)
    target = reports / "index.html"
    staging = reports / f".index-{os.getpid()}.html"
    with open(staging, "w", encoding="utf-8", newline="\n") as handle:
        handle.write(page)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(staging, target)
    return target


def render_index(reports: Path) -> str:
    """The index as one page: a table a story, its runs newest first, failures marked."""
    runs = [(f, r, f.relative_to(reports)) for f, r in (*read_runs(reports), *read_failures(reports))]
    stories: dict[str, list[tuple[dict[str, Any], Path]]] = {}
    for _, run, relative in runs:
        stories.setdefault(str(run.get("story")), []).append((run, relative))
    newest = sorted(stories, key=lambda s: max(str(r.get("finished_at")) for r, _ in stories[s]), reverse=True)
    sections = "".join(_render_story(story, stories[story]) for story in newest)
    style = (TEMPLATES / "page" / "style.css").read_text(encoding="utf-8").strip()
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    links = "".join(f'<li><a href="#{escape(s)}">{escape(s)}</a></li>' for s in newest)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Rendered reports</title><style>{style}</style></head><body>"
        '<a class="skip" href="#content">Skip to the runs</a>'
        '<header class="masthead"><p class="kicker">Event studies</p></header>'
        f'<div class="layout"><nav class="contents" aria-label="Stories"><details open><summary>Stories</summary>'
        f'<ol>{links}</ol></details></nav><main id="content"><h1>Rendered reports</h1>'
        f"{sections or '<p>No run has been published yet.</p>'}</main></div>"
        "<footer><p>Made by event-impact from the run.json files beside this page.</p></footer></body></html>\n"
    )


def _render_story(story: str, runs: list[tuple[dict[str, Any], Path]]) -> str:
    runs = sorted(runs, key=lambda item: str(item[0].get("finished_at")), reverse=True)
    good = [r for r, _ in runs if r.get("status") != "failed"]
    last_good = f"Last good run: {good[0].get('finished_at')}." if good else "No good run yet."
    is_stale = bool(good) and runs[0][0].get("status") == "failed"
    stale = ' <span class="badge stale">stale</span> A later attempt failed.' if is_stale else ""
    rows = "".join(_render_row(run, relative) for run, relative in runs)
    return (
        f'<h2 id="{escape(story)}">{escape(story)}</h2><p>{escape(last_good)}{stale}</p>'
        f'<div class="table-frame" role="region" tabindex="0" aria-label="Runs of {escape(story)}"><table>'
        f"<caption>Runs of {escape(story)}, newest first.</caption><thead><tr>"
        '<th scope="col">as of</th><th scope="col">notebook</th><th scope="col">status</th>'
        '<th scope="col">outcome</th><th scope="col">verdict</th><th scope="col">finished (UTC)</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _render_row(run: dict[str, Any], relative: Path) -> str:
    status = str(run.get("status"))
    outcome = OUTCOME_LABELS.get(str(run.get("outcome")), "")
    verdict = str(run.get("error") if status == "failed" else run.get("verdict", ""))
    short = verdict if len(verdict) <= 240 else verdict[:237] + "..."
    address = quote(relative.as_posix()) + "/report.html"
    return (
        f'<tr><th scope="row"><a href="{address}">{escape(str(run.get("as_of")))}</a></th>'
        f"<td>{escape(str(run.get('notebook')))}</td>"
        f'<td><span class="badge {escape(status)}">{escape(status)}</span></td>'
        f"<td>{escape(outcome)}</td><td>{escape(short)}</td><td>{escape(str(run.get('finished_at')))}</td></tr>"
    )
