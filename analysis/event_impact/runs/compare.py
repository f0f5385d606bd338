"""What changed since the previous run of the same story and notebook, and which other pages of the story there are."""

import math
from html import escape
from pathlib import Path
from typing import Any, TypeGuard

from event_impact.base.run_record import RunRecord
from event_impact.page.first_screen import CHANGES, SIBLINGS
from event_impact.page.format import OUTCOME_LABELS, format_percent
from event_impact.page.provenance import provenance_html
from event_impact.page.render import PageFacts
from event_impact.runs.store import PAGE_NAMES, StoredRun, read_runs

# Numbers that differ by less, relatively, are the same.
ROUNDING = 1e-9
COMPARED_NUMBERS = ("estimate", "standard_error", "p_conformal", "n_estimation")


def frame_run(
    run: RunRecord, heading: tuple[str, str], figures: str, folder: Path, *, shelf: Path | None = None, **own: str
) -> PageFacts:
    """What stands around the page of a run: its subject, what changed since the previous one, the story's other pages.

    Parameters
    ----------
    folder : pathlib.Path
        Where it will lie: it is not its own predecessor.
    shelf : pathlib.Path, optional
        Where finished runs of the same story wait.
    """
    held = [s for place in (folder.parent, shelf) if place for s in read_runs(place) if s.run.story == run.story]
    same = [s.run for s in held if s.run.notebook == run.notebook and s.folder.name != folder.name]
    facts = (heading, ("as of", run.as_of), ("status", run.status), ("figures", figures))
    changed, provenance = describe_changes(same[-1] if same else None, run), provenance_html(run, run.notebook)
    around = {"changed_html": changed, "provenance_html": provenance, "siblings_html": link_siblings(run, held)}
    return PageFacts(kicker="Event study", facts=facts, **around, **own)


def link_siblings(run: RunRecord, held: list[StoredRun]) -> str:
    """Links to the newest page of each other notebook of the story, and to the index of all."""
    newest = {s.run.notebook: s.address for s in held}
    pages = {label: newest[name] for name, label in PAGE_NAMES.items() if name in newest and name != run.notebook}
    pages["all stories"] = "index.html"
    listed = " \u00b7 ".join(f'<a href="../{address}">{label}</a>' for label, address in pages.items())
    return SIBLINGS.replace("></nav>", f">{listed}</nav>")


def list_results(previous: RunRecord, run: RunRecord) -> list[str]:
    """What came out otherwise: outcome, status, numbers of the declared pair, most telling first."""
    changes = []
    for key in ("outcome", "companion_outcome", "status"):
        values = [getattr(record, key) for record in (previous, run)]
        if values[0] != values[1]:
            words = [OUTCOME_LABELS.get(str(value), str(value)) for value in values]
            changes.append(f"{key.replace('_', ' ')}: {words[0]} \u2192 {words[1]}")
    for label in ("headline", "companion"):
        before, after = (getattr(record, label) or {} for record in (previous, run))
        for name in COMPARED_NUMBERS:
            a, b = before.get(name), after.get(name)
            if not (math.isclose(a, b, rel_tol=ROUNDING) if _is_number(a) and _is_number(b) else a == b):
                changes.append(f"{label} {name.replace('_', ' ')}: {_show(name, a)} \u2192 {_show(name, b)}")
    return changes


def list_causes(previous: RunRecord, run: RunRecord) -> list[str]:
    """What went in otherwise: parameters, prices, tables, versions."""
    causes = [
        f"{name}: {before.get(name, 'absent')} \u2192 {after.get(name, 'absent')}"
        for before, after in ((previous.parameters, run.parameters), (previous.versions, run.versions))
        for name in find_changed(before, after)
    ]
    moved = find_changed(previous.inputs, run.inputs)
    for word, is_table in (("tables", True), ("prices", False)):
        if held := [name.rsplit("/", 1)[-1] for name in moved if (name.count("/") == 1) is is_table]:
            causes.append(f"other {word} ({', '.join(held)})")
    return causes


def find_changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names whose values differ, or that stand on one side alone."""
    return sorted(name for name in before.keys() | after if before.get(name) != after.get(name))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _show(name: str, value: Any) -> str:
    if not _is_number(value):
        return "n/a"
    return format_percent(value, digits=3) if name in ("estimate", "standard_error") else f"{value:g}"


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
        more = f", and {len(results) - 1} more" if results[1:] else ""
        what = f"{results[0]}{more}" if results else "no number changed"
        why = "; ".join(causes) or "the code of the study changed"  # else it would be the same run
        relation = ", after this one" if previous.as_of > run.as_of else ""
        said = f"(as of {previous.as_of}{relation}, finished {previous.finished_at}) {what}; {why}."
    lead = "<strong>Since the previous run:</strong>"
    return CHANGES.replace("></span>", f">{lead} {escape(said)}{describe_age(run)}</span>")
