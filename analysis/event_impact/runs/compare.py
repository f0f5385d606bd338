"""What changed since the previous run of the same story and notebook."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from event_impact.page.format import OUTCOME_LABELS, format_percent
from event_impact.runs.store import read_runs

ROUNDING = 1e-9
"""Numbers that differ by less, relatively, are the same."""
COMPARED_NUMBERS = ("estimate", "standard_error", "p_conformal", "n_estimation")


def find_previous(reports: Path, run: dict[str, Any], *, exclude: str) -> dict[str, Any] | None:
    """The newest other run of this story and notebook."""
    for stored in reversed(read_runs(reports)):
        if (stored.story, stored.notebook) == (run["story"], run["notebook"]) and stored.folder.name != exclude:
            return stored.run
    return None


def list_changes(previous: dict[str, Any], run: dict[str, Any]) -> list[str]:
    """Differences in parameters, inputs, versions and numbers, in words."""
    changes = []
    for group in ("parameters", "versions"):
        before, after = _table(previous, group), _table(run, group)
        for name in sorted(set(before) | set(after)):
            if before.get(name) != after.get(name):
                changes.append(f"{name}: {before.get(name, 'absent')} \u2192 {after.get(name, 'absent')}")
    before, after = _table(previous, "inputs"), _table(run, "inputs")
    moved = sorted(name for name in set(before) | set(after) if before.get(name) != after.get(name))
    if moved:
        changes.append(f"inputs changed: {', '.join(moved)}")
    for key, label in (("headline", "headline"), ("companion", "companion")):
        changes += _compare_rows(_table(previous, key), _table(run, key), label)
    for key, label in (("outcome", "outcome"), ("companion_outcome", "companion outcome"), ("status", "status")):
        if previous.get(key) != run.get(key):
            words = [OUTCOME_LABELS.get(str(r.get(key)), str(r.get(key))) for r in (previous, run)]
            changes.append(f"{label}: {words[0]} \u2192 {words[1]}")
    return changes


def _table(run: dict[str, Any], key: str) -> dict[str, Any]:
    """A part of a run.json; an old or damaged one may hold something else there."""
    value = run.get(key)
    return value if isinstance(value, dict) else {}


def _compare_rows(before: dict[str, Any], after: dict[str, Any], label: str) -> list[str]:
    changes = []
    for name in COMPARED_NUMBERS:
        a, b = before.get(name), after.get(name)
        if a is None and b is None:
            continue
        if not _is_number(a) or not _is_number(b) or abs(a - b) > ROUNDING * max(abs(a), abs(b)):
            texts = [_show(name, value) for value in (a, b)]
            changes.append(f"{label} {name.replace('_', ' ')}: {texts[0]} \u2192 {texts[1]}")
    return changes


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _show(name: str, value: Any) -> str:
    if not _is_number(value):
        return "n/a"
    if name in ("estimate", "standard_error"):
        return format_percent(value, digits=3)
    return f"{value:g}"


def describe_age(run: dict[str, Any]) -> str:
    """How old the figures were when the run was made, as a paragraph; empty where none were used."""
    source = _table(run, "source")
    if not source:
        return ""
    age = source["age_sessions"]
    old = {0: "no session has", 1: "one session has"}.get(age, f"{age} sessions have")
    return (
        f"<p><b>Age of the figures.</b> {escape(str(source['vintage']))} ends with {escape(source['last_session'])}; "
        f"{old} closed since, up to this run.</p>"
    )


def describe_changes(previous: dict[str, Any] | None, run: dict[str, Any]) -> str:
    """The block of the page that says what changed; part of the provenance, not of the results."""
    if previous is None:
        text = "<p><b>Since the previous run.</b> This is the first run of this story.</p>"
    else:
        changes = list_changes(previous, run)
        when = f"as of {previous['as_of']}, finished {previous['finished_at']}"
        if changes:
            items = "".join(f"<li>{escape(change)}</li>" for change in changes)
            text = f"<p><b>Since the previous run</b> ({escape(when)}):</p><ul>{items}</ul>"
        else:
            text = f"<p><b>Since the previous run</b> ({escape(when)}): nothing changed.</p>"
    return f'<section class="changed" data-provenance aria-label="Changes">{text}{describe_age(run)}</section>'
