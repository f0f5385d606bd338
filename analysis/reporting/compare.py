"""What changed since the previous run of the same story and notebook."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from analysis.reporting.format import OUTCOME_LABELS, format_percent

ROUNDING = 1e-9
"""Numbers that differ by less, relatively, are the same."""
COMPARED_NUMBERS = ("estimate", "standard_error", "p_conformal", "n_estimation")


def read_runs(reports: Path) -> list[tuple[Path, dict[str, Any]]]:
    """All published runs with a readable ``run.json``, oldest first by the time they finished."""
    runs = []
    for path in reports.glob("*/run.json"):
        if path.parent.name.startswith("."):
            continue
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
            key = (str(run["finished_at"]), str(run["as_of"]), path.parent.name)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        runs.append((key, path.parent, run))
    return [(folder, run) for _, folder, run in sorted(runs, key=lambda item: item[0])]


def find_previous(reports: Path, run: dict[str, Any], *, exclude: str) -> dict[str, Any] | None:
    """The newest other run of this story and notebook."""
    for folder, other in reversed(read_runs(reports)):
        same = (other.get("story"), other.get("notebook")) == (run["story"], run["notebook"])
        if same and folder.name != exclude:
            return other
    return None


def list_changes(previous: dict[str, Any], run: dict[str, Any]) -> list[str]:
    """Differences in parameters, inputs, versions and numbers, in words."""
    changes = []
    for group in ("parameters", "versions"):
        before, after = previous.get(group, {}), run.get(group, {})
        for name in sorted(set(before) | set(after)):
            if before.get(name) != after.get(name):
                changes.append(f"{name}: {before.get(name, 'absent')} \u2192 {after.get(name, 'absent')}")
    before, after = previous.get("inputs", {}), run.get("inputs", {})
    moved = sorted(name for name in set(before) | set(after) if before.get(name) != after.get(name))
    if moved:
        changes.append(f"inputs changed: {', '.join(moved)}")
    for key, label in (("headline", "headline"), ("companion", "companion")):
        changes += _compare_rows(previous.get(key) or {}, run.get(key) or {}, label)
    for key, label in (("outcome", "outcome"), ("companion_outcome", "companion outcome"), ("status", "status")):
        if previous.get(key) != run.get(key):
            words = [OUTCOME_LABELS.get(str(r.get(key)), str(r.get(key))) for r in (previous, run)]
            changes.append(f"{label}: {words[0]} \u2192 {words[1]}")
    return changes


def _compare_rows(before: dict[str, Any], after: dict[str, Any], label: str) -> list[str]:
    changes = []
    for name in COMPARED_NUMBERS:
        a, b = before.get(name), after.get(name)
        if a is None and b is None:
            continue
        if a is None or b is None or abs(a - b) > ROUNDING * max(abs(a), abs(b)):
            texts = [_show(name, value) for value in (a, b)]
            changes.append(f"{label} {name.replace('_', ' ')}: {texts[0]} \u2192 {texts[1]}")
    return changes


def _show(name: str, value: float | None) -> str:
    if value is None:
        return "n/a"
    if name in ("estimate", "standard_error"):
        return format_percent(value, digits=3)
    return f"{value:g}"


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
    return f'<section class="changed" data-provenance aria-label="Changes">{text}</section>'
