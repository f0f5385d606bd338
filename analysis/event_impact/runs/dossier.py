"""All notebooks of one story at one date, bound by a front page that says what each adds.

The dossier's folder holds the runs themselves (hard links where the disk allows, copies otherwise), so
that it can be passed on whole; its front page needs none of them to be read.
"""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from html import escape
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from event_impact.base.clock import format_instant
from event_impact.base.code_digest import digest_package
from event_impact.base.disk import writing
from event_impact.base.errors import ConfigError, DataError, ExecutionError, StudyError
from event_impact.base.result import record_of
from event_impact.base.root import StudyRoot
from event_impact.base.run_record import DOSSIER, RunRecord
from event_impact.page.exhibits import write_csv
from event_impact.page.finding import name_firm
from event_impact.page.first_screen import FirstScreen, ScreenRow
from event_impact.page.format import NOT_AVAILABLE, OUTCOME_LABELS, format_interval, format_percent
from event_impact.page.markup import frame_table, mark_up_cell, mark_up_row
from event_impact.page.outcomes import worst_code
from event_impact.page.provenance import read_commit, read_versions
from event_impact.page.render import render_page
from event_impact.runs import store
from event_impact.runs.compare import frame_run
from event_impact.runs.evenings import find_before, says_the_same
from event_impact.runs.freshness import describe_source
from event_impact.runs.index import rebuild_index
from event_impact.runs.publication import keep_attempt
from event_impact.runs.recall import ALREADY
from event_impact.runs.requests import Prepared, Progress, RunRequest, prepare, read_parameters, short_name
from event_impact.runs.run import own_story
from event_impact.runs.store import StoredRun
from event_impact.runs.workers import PartOutcome, run_parts
from event_impact.study.opened_study import OpenedStudy

HEADLINE_NOTEBOOK = "02_event_study"
Perform = Callable[..., list[PartOutcome]]


#: Notebook -> the results in which it computes the move of the headline in other ways, and what they are.
COMPUTED_ELSEWHERE = {
    "03_robustness": ("specification_curve", "reasonable specifications"),
    "04_spillover": ("peer_adjusted", "comparisons with its peers"),
}


def find_story_notebooks(root: StudyRoot) -> dict[str, list[str]]:
    """Notebooks that study one story, those with a parameter ``story``, each with the parameters that it declares.

    Raises
    ------
    ConfigError
        If there is none.
    """
    held = sorted(path.stem for path in root.notebooks.glob("[0-9][0-9]_*.ipynb"))
    declared = {name: read_parameters(root, name) for name in held}
    found = {name: names for name, names in declared.items() if "story" in names}
    if not found:
        raise ConfigError("no notebook studies one story.", "Say what each reads in its metadata: impact.parameters.")
    return found


def run_dossier(
    request: RunRequest, *, limit: int = 2, progress: Progress = lambda _: None, perform: Perform = run_parts
) -> StoredRun:
    """Run every notebook of a story, ``limit`` at a time, and publish the dossier that binds them.

    The parameters of the request go to every notebook that knows them. For an evening that says what the session
    before said, the dossier of that session is returned and nothing is published.

    Raises
    ------
    StudyError
        With the worst exit code of the parts; the runs that succeeded stay published.
    """
    progress("check: notebooks, parameters, articles and prices")
    shared: list[OpenedStudy] = []
    tried = [_prepare_part(asked, shared, progress) for asked in _part_requests(request)]  # refuses before it writes
    parts = [part for part in tried if part]
    story = parts[0].story
    with own_story(request.reports, story, progress), store.open_staging(request.reports, story, "shelf") as shelf:
        started = format_instant(request.clock())
        if request.is_evening:
            parts = [dataclasses.replace(p, request=dataclasses.replace(p.request, shelf=shelf)) for p in parts]
        outcomes = perform(parts, limit=limit, progress=progress)
        runs = [s for o in outcomes if o.exit_code == 0 and (s := store.read_stored(Path(o.said)))]
        failed = [o for o in outcomes if o.notebook not in {s.run.notebook for s in runs}]
        computed = list_computations(runs)
        run = None if failed else compose_run(request, runs, computed, started)
        if request.is_evening and run and (before := _find_same(request, run, runs)):
            return before
        runs = [_bring_out(s, request.reports) if s.folder.parent == shelf else s for s in runs]
        if run is None:
            raise _keep(parts[0], outcomes, failed, started)
        run = dataclasses.replace(run, parts=list_parts(runs))
        identity = json.dumps({"parts": [s.folder.name for s in runs], "analysis": digest_package()}, sort_keys=True)
        sha = hashlib.sha256(identity.encode()).hexdigest()[:8]
        target = request.reports / f"{run.as_of}_{story}_{DOSSIER}_{sha}"
        found = None if request.is_forced else store.find_finished(target)
        progress(ALREADY if found else "bind: front page")
        bound = found or _bind(parts, run, runs, computed, target, progress)
        rebuild_index(request.reports, clock=request.clock)
        return bound


def _find_same(request: RunRequest, run: RunRecord, runs: list[StoredRun]) -> StoredRun | None:
    """The dossier of the session before, where one of these runs would say the same."""
    before = find_before(store.read_runs(request.reports), run.story, run.as_of)
    return before if before and store.is_intact(before.folder) and says_the_same(before, run, runs) else None


def _bring_out(stored: StoredRun, reports: Path) -> StoredRun:
    """Publish a run that waited on the shelf."""
    return store.read_stored(store.publish(reports / stored.folder.name, stored.folder)[0]) or stored


def _prepare_part(request: RunRequest, shared: list[OpenedStudy], progress: Progress) -> Prepared | None:
    """A part found good; None for the notebook of bars where the event session has none, which is said."""
    missing = "no bars of the event session are recorded"
    try:
        part = prepare(request, shared)
        if "bars" not in part.parameters or getattr(part.study, "minutes", None) is not None:
            return part
    except DataError as error:
        if "bars" not in find_story_notebooks(request.root)[request.notebook]:
            raise
        missing = error.message
    progress(f"skip: {request.notebook}, {missing}")
    return None


def _part_requests(request: RunRequest) -> list[RunRequest]:
    parameters = request.parameters
    if "as_of" not in parameters:  # settled once, so that no two parts differ
        shared = {key: parameters[key] for key in ("story", "source", "benchmark") if key in parameters}
        parameters = {**parameters, "as_of": OpenedStudy(root=request.root.path, **shared).as_of.isoformat()}
    known = find_story_notebooks(request.root)
    own = {name: {key: parameters[key] for key in parameters if key in names} for name, names in known.items()}
    return [dataclasses.replace(request, notebook=name, parameters=p, has_lock=True) for name, p in own.items()]


def _keep(part: Prepared, outcomes: list[PartOutcome], failed: list[PartOutcome], started: str) -> StudyError:
    names, said = (", ".join(o.notebook for o in failed), " ".join(o.said for o in failed))
    error = ExecutionError(f"{len(failed)} of {len(outcomes)} notebooks failed: {names}.", said)
    error.exit_code = worst_code(o.exit_code or 4 for o in failed)
    items = "".join(
        f"<li><b>{escape(o.notebook)}</b>: {escape(o.said if o.exit_code else 'published: ' + o.said)}</li>"
        for o in outcomes
    )
    body = f"<h2>The notebooks</h2><ul>{items}</ul>"
    return keep_attempt(part, error, started, notebook=DOSSIER, body_html=body)


def _bind(
    parts: list[Prepared], run: RunRecord, runs: list[StoredRun], computed: pd.DataFrame, target: Path,
    progress: Progress,
) -> StoredRun:  # fmt: skip
    page = render_dossier(parts, run, runs, computed, target)
    with store.open_staging(target.parent, run.story, target.name) as staging:
        with writing(staging):
            for stored in runs:
                link_tree(stored.folder, staging / "runs" / short_name(stored.run.notebook))
            run = store.write_run(staging, run, {"report.html": page}, {"computations": write_csv(computed)})
        progress("publish")
        folder, is_new = store.publish(target, staging)
    progress("index")
    return StoredRun(folder, run, is_new)


def link_tree(source: Path, target: Path) -> None:
    """A published run inside the dossier: the same bytes, by hard links where the disk allows."""

    def place(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except OSError:
            shutil.copyfile(one, other)

    shutil.copytree(source, target, copy_function=place)


def find_lead(runs: list[StoredRun]) -> StoredRun:
    """The run whose verdict leads the page: the event study, else the first with a headline, else the first."""
    with_headline = [s for s in runs if s.run.headline]
    return next((s for s in runs if s.run.notebook == HEADLINE_NOTEBOOK), (with_headline or runs)[0])


def list_computations(runs: list[StoredRun]) -> pd.DataFrame:
    """``results/computations.csv``: the move as the leading page has it, and as other pages compute it otherwise.

    Returns
    -------
    pandas.DataFrame
        Columns ``computation, notebook, n, low, high``, the last two fractions; no row where nothing is estimated.
    """
    rows: list[tuple[str, str, int, float, float]] = []
    stored = {s.run.notebook: s for s in runs}
    lead = stored[HEADLINE_NOTEBOOK].run.headline if HEADLINE_NOTEBOOK in stored else None
    if lead and (estimate := lead.get("estimate")) is not None:
        rows.append(("the declared model", HEADLINE_NOTEBOOK, 1, estimate, estimate))
        for notebook, (name, what) in COMPUTED_ELSEWHERE.items():
            if notebook in stored and (path := stored[notebook].folder / f"results/{name}.csv").exists():
                held = pd.read_csv(path)
                values = held.dropna(subset=[c for c in ("estimate", "donors") if c in held])["estimate"]
                if len(values):
                    rows.append((f"{len(values)} {what}", notebook, len(values), values.min(), values.max()))
    return pd.DataFrame(rows, columns=["computation", "notebook", "n", "low", "high"])


def say_agreement(computed: pd.DataFrame) -> str:
    """Whether the ways to compute the move have one sign, and what that can mean."""
    if len(computed) < 2:
        return "No other page computes this move in another way."
    is_one = (computed["low"] > 0).all() or (computed["high"] < 0).all()
    return (
        f"All of them {'have one sign' if is_one else 'together hold values on both sides of zero'}. They share the "
        "day, so this tells how much hangs on the method, and nothing of chance."
    )


def list_parts(runs: list[StoredRun]) -> list[dict[str, Any]]:
    """Every part of a dossier by name, as its record has them."""
    more = "status outcome verdict"
    return [{"notebook": s.run.notebook, "folder": s.folder.name, **record_of(s.run, more)} for s in runs]


def compose_run(request: RunRequest, runs: list[StoredRun], computed: pd.DataFrame, started: str) -> RunRecord:
    """``run.json`` of the dossier: the leading verdict, and every part."""
    return dataclasses.replace(
        find_lead(runs).run, notebook=DOSSIER, status="final" if all(s.run.status == "final" for s in runs) else "open",
        panel=None, agreement=say_agreement(computed), parts=list_parts(runs),
        inputs={file: sha for s in runs for file, sha in s.run.inputs.items()}, versions=read_versions(),
        commit=read_commit(request.root.path), started_at=started, finished_at=format_instant(request.clock()), files={},
    )  # fmt: skip


def render_dossier(
    parts: list[Prepared], run: RunRecord, runs: list[StoredRun], computed: pd.DataFrame, target: Path
) -> str:
    """The front page, checked by the gates of every page."""
    study = parts[0].study
    assert isinstance(study, OpenedStudy)  # a dossier binds the notebooks of one story
    screen = compose_screen(study, run, find_lead(runs))
    body = (
        f'{screen._repr_html_()}<h2 id="notebooks">What each page adds</h2>{_tabulate_runs(runs)}'
        f'<h2 id="computations">The same move, computed otherwise</h2><p>{escape(str(run.agreement))}</p>'
        f"{_tabulate_computations(computed)}"
    )
    figures = next((describe_source(p.source) for p in parts if p.source), "none: articles and calendar only")
    title = f"{study.title}: dossier, {run.as_of}"
    footer = "Made by event-impact from the runs in the folder runs/ beside this page."
    facts = frame_run(run, study.heading, figures, target, title=title, footer=footer, failure_html=body)
    return render_page(nbformat.v4.new_notebook(), facts)


def compose_screen(study: OpenedStudy, run: RunRecord, lead: StoredRun) -> FirstScreen:
    """What the leading page opens with, without its drawings: they stand there."""
    finding = lead.run.finding or lead.run.verdict
    weights = chain(("headline", "plain"), repeat("beside"))
    held = lead.run.table or {"heads": [["abnormal return"]], "rows": []}
    leading = f"runs/{short_name(lead.run.notebook)}"
    return FirstScreen(
        firm=name_firm(study.story, study.timing), story=study.title, prices_to=study.as_of, status=run.status,
        outcome=run.outcome or "aligned", finding=finding,
        sentences=(lead.run.verdict.removeprefix(finding).strip(),), drawings=(), columns=tuple(held["heads"][0]),
        rows=tuple(ScreenRow(label, tuple(cells), next(weights)) for label, *cells in held["rows"]),
        notes=(), csv="computations",
        links=f'<a href="results/{{name}}.csv">Numbers (CSV)</a> \u00b7 <a href="{leading}/report.html">Its page</a>',
    )  # fmt: skip


def _tabulate_runs(runs: list[StoredRun]) -> str:
    rows = ""
    for stored in runs:
        name, run = stored.page_name, stored.run
        rows += (
            f'<tr><th scope="row"><a href="runs/{escape(short_name(stored.run.notebook))}/report.html">{escape(name)}</a></th>'
            f'<td><span class="badge {run.status}">{run.status}</span></td>'
            f"{mark_up_cell(_word_outcome(run))}{mark_up_cell(run.finding or run.verdict)}</tr>"
        )
    heads = ("page", "status", "outcome", "what it opens with")
    return frame_table("The runs bound here. Their pages lie in runs/.", heads, rows, name="parts")


def _word_outcome(run: RunRecord) -> str:
    """The outcome of the story's headline, or of the pooled stories where a run is about many."""
    if pooled := OUTCOME_LABELS.get((run.panel or {}).get("outcome", "")):
        return f"{pooled} (stories pooled)"
    return OUTCOME_LABELS.get(run.outcome or "") or f"{NOT_AVAILABLE}: tests no return of the story"


def _tabulate_computations(computed: pd.DataFrame) -> str:
    rows = ""
    for row in computed.to_dict("records"):
        low, high = row["low"], row["high"]
        said = format_percent(low) if low == high else format_interval((low, high))
        rows += mark_up_row(row["computation"], [said, store.PAGE_NAMES[row["notebook"]]])
    heads = ("computation", "abnormal return", "page")
    caption = "The move by each computation; several of one page as the span from the smallest to the largest."
    return frame_table(caption, heads, rows, name="computations") if rows else ""
