"""What changed since the previous run of the same story and notebook, and which other pages of the story there are."""

from html import escape
from pathlib import Path
from typing import Any, TypeGuard

from event_impact.base.run_record import RunRecord
from event_impact.page.first_screen import CHANGES, SIBLINGS
from event_impact.page.format import OUTCOME_LABELS, format_percent
from event_impact.runs.store import PAGE_NAMES, read_runs

# Numbers that differ by less, relatively, are the same.
ROUNDING = 1e-9
COMPARED_NUMBERS = ("estimate", "standard_error", "p_conformal", "n_estimation")


def find_previous(reports: Path, run: RunRecord, *, exclude: str) -> RunRecord | None:
    """The newest other run of this story and notebook."""
    for stored in reversed(read_runs(reports)):
        if (stored.story, stored.notebook) == (run.story, run.notebook) and stored.folder.name != exclude:
            return stored.run
    return None


def link_siblings(run: RunRecord, *places: Path | None) -> str:
    """Links to the newest page of each other notebook of the story, and to the index of all."""
    newest = {s.notebook: s.address for place in places if place for s in read_runs(place) if s.story == run.story}
    pages = {label: newest[name] for name, label in PAGE_NAMES.items() if name in newest and name != run.notebook}
    pages["all stories"] = "index.html"
    listed = " \u00b7 ".join(f'<a href="../{address}">{label}</a>' for label, address in pages.items())
    return SIBLINGS.replace("></nav>", f">{listed}</nav>")


def list_results(previous: RunRecord, run: RunRecord) -> list[str]:
    """What came out otherwise: outcome, status, numbers of the declared pair, most telling first."""
    changes = []
    for key, label in (("outcome", "outcome"), ("companion_outcome", "companion outcome"), ("status", "status")):
        values = [getattr(record, key) for record in (previous, run)]
        if values[0] != values[1]:
            changes.append(f"{label}: " + " \u2192 ".join(OUTCOME_LABELS.get(str(v), str(v)) for v in values))
    for label in ("headline", "companion"):
        changes += _compare_rows(getattr(previous, label) or {}, getattr(run, label) or {}, label)
    return changes


def list_causes(previous: RunRecord, run: RunRecord) -> list[str]:
    """What went in otherwise: parameters, prices, tables, versions."""
    causes = []
    for before, after in ((previous.parameters, run.parameters), (previous.versions, run.versions)):
        for name in sorted(set(before) | set(after)):
            if before.get(name) != after.get(name):
                causes.append(f"{name}: {before.get(name, 'absent')} \u2192 {after.get(name, 'absent')}")
    names = set(previous.inputs) | set(run.inputs)
    moved = sorted(name for name in names if previous.inputs.get(name) != run.inputs.get(name))
    for word, held in (
        ("tables", [n for n in moved if n.count("/") == 1]),
        ("prices", [n for n in moved if n.count("/") != 1]),
    ):
        if held:
            causes.append(f"other {word} ({', '.join(name.rsplit('/', 1)[-1] for name in held)})")
    return causes


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


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _show(name: str, value: Any) -> str:
    if not _is_number(value):
        return "n/a"
    if name in ("estimate", "standard_error"):
        return format_percent(value, digits=3)
    return f"{value:g}"


def describe_age(run: RunRecord) -> str:
    """How old the figures were when the run was made, in one sentence; empty where none were used,
    and where every declared window is complete: then later prices change nothing."""
    source = run.source
    if not source or run.status == "final":
        return ""
    age = source["age_sessions"]
    old = {0: "no session has", 1: "one session has"}.get(age, f"{age} sessions have")
    said = f"{source['vintage']} ends with {source['last_session']}; {old} closed since, up to this run."
    return f" <strong>Age of the prices:</strong> {escape(said)}"


def describe_changes(previous: RunRecord | None, run: RunRecord) -> str:
    """One sentence on what changed and why; part of the provenance, not of the results."""
    if previous is None:
        said = "no earlier run of this page lies here."
    else:
        results, causes = list_results(previous, run), list_causes(previous, run)
        what = (
            f"{results[0]}{f', and {len(results) - 1} more' if results[1:] else ''}" if results else "no number changed"
        )
        why = "; ".join(causes) or "the code of the study changed"  # else it would be the same run
        relation = ", after this one" if previous.as_of > run.as_of else ""
        said = f"(as of {previous.as_of}{relation}, finished {previous.finished_at}) {what}; {why}."
    lead = "<strong>Since the previous run:</strong>"
    return CHANGES.replace("></span>", f">{lead} {escape(said)}{describe_age(run)}</span>")
