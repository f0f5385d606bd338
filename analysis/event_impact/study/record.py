"""The results of one executed notebook, as the runner will publish them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from event_impact.estimation.abnormal import AbnormalReturns, Measured
from event_impact.events.sessions import Alignment
from event_impact.inference.windows import COMPANION_KIND, HEADLINE_KIND, WindowEstimate, estimates_frame
from event_impact.many.story_panel import (
    PanelResult,
)
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel
from event_impact.page.exhibits import Exhibit, write_csv
from event_impact.page.markup import frame_table, mark_up_row
from event_impact.page.provenance import RECORD_MIME, SCHEMA_VERSION, clean
from event_impact.page.verdict import Verdict, find_primary, say_alignment
from event_impact.study import steps
from event_impact.study.opening import list_side_inputs

PATH_COLUMNS = (
    "return_kind", "model", "benchmark", "mask", "rel_session", "session", "firm_return", "benchmark_return",
    "expected_return", "ar", "forecast_std", "t", "p_t", "confounders",
)  # fmt: skip


@dataclass(frozen=True)
class RunRecord:
    """The results of one executed notebook: what becomes ``run.json`` and ``results/*.csv``.

    It travels inside the executed notebook as an output of its own media type, so that any way of
    executing the notebook keeps its numbers.
    """

    run: dict[str, object]
    tables: dict[str, str]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        payload = {"run": self.run, "tables": self.tables}
        return {
            "text/html": self._repr_html_(),
            "text/plain": "run record",
            RECORD_MIME: json.loads(json.dumps(clean(payload), allow_nan=False)),
        }

    def _repr_html_(self) -> str:
        parameters = dict(self.run["parameters"])  # type: ignore[call-overload]
        inputs = dict(self.run["inputs"])  # type: ignore[call-overload]
        caption = f"Input files with their sha256. Figures from vintage {self.run['vintage']}."
        return frame_table(
            "Parameters of this run.",
            ("parameter", "value"),
            "".join(mark_up_row(name, [value]) for name, value in parameters.items()),
        ) + frame_table(caption, ("file", "sha256"), "".join(mark_up_row(name, [sha]) for name, sha in inputs.items()))


def record_study(
    study: OpenedStory,
    panel: ReturnPanel,
    measured: Measured,
    rows: list[WindowEstimate],
    verdict: Verdict,
    *,
    alignment: Alignment,
    notebook: str,
    exhibits: tuple[Exhibit, ...] = (),
    finding: Verdict | None = None,
) -> RunRecord:
    """Gather everything that a run of one story publishes.

    Parameters
    ----------
    finding : Verdict, optional
        What the page itself opens with, where that is not the verdict of the study.
    """
    headline, companion = find_primary(rows, HEADLINE_KIND), find_primary(rows, COMPANION_KIND)
    run = {
        "schema_version": SCHEMA_VERSION,
        "story": study.story.story,
        "notebook": notebook,
        "as_of": study.config.as_of.isoformat(),
        "status": verdict.status,
        "outcome": verdict.outcome,
        "companion_outcome": verdict.companion_outcome,
        "verdict": verdict.text,
        "finding": finding.text if finding else verdict.text,
        "plain": verdict.plain,
        "identified": alignment.identification.as_record(),
        "event_session": alignment.event_session.date().isoformat(),
        "headline": headline.as_record(),
        "companion": companion.as_record(),
        "parameters": resolved_parameters(study),
        "inputs": input_hashes(study, panel),
        "vintage": panel.vintage,
    }
    tables = {exhibit.name: write_csv(exhibit.numbers) for exhibit in exhibits}
    tables |= {
        "estimates": write_csv(estimates_frame(rows)),
        "abnormal_returns": write_csv(path_frame(study, measured)),
        "alignment": write_csv(alignment.frame()),
    }
    return RunRecord(run=run, tables=tables)


def record_alignment(
    study: OpenedStory, alignment: Alignment, *, notebook: str, exhibits: tuple[Exhibit, ...] = ()
) -> RunRecord:
    """Gather what the alignment of one story publishes; it has no outcome, since no price is tested."""
    run = {
        "schema_version": SCHEMA_VERSION,
        "story": study.story.story,
        "notebook": notebook,
        "as_of": study.config.as_of.isoformat(),
        "status": "final",
        "outcome": None,
        "companion_outcome": None,
        "verdict": say_alignment(alignment),
        "finding": say_alignment(alignment),
        "plain": say_alignment(alignment),
        "identified": alignment.identification.as_record(),
        "event_session": alignment.event_session.date().isoformat(),
        "headline": None,
        "companion": None,
        "parameters": resolved_parameters(study),
        "inputs": input_hashes(study),
        "vintage": "none: no price is used",
    }
    tables = {exhibit.name: write_csv(exhibit.numbers) for exhibit in exhibits}
    return RunRecord(run=run, tables=tables | {"alignment": write_csv(alignment.frame())})


def path_frame(study: OpenedStory, measured: Measured) -> pd.DataFrame:
    """``results/abnormal_returns.csv``."""
    parts = []
    for kind, abnormal in measured.items():
        if not isinstance(abnormal, AbnormalReturns):
            continue
        part = abnormal.table.reset_index()
        part["confounders"] = abnormal.confounders.to_numpy()
        part = part.assign(
            return_kind=kind, model=study.config.model, benchmark=study.benchmark, mask=study.config.mask
        )
        parts.append(part.loc[:, list(PATH_COLUMNS)])
    return pd.concat(parts, ignore_index=True)


def record_panel(
    result: PanelResult, verdict: Verdict, *, notebook: str, exhibits: tuple[Exhibit, ...] = ()
) -> RunRecord:
    """Gather what a run of the panel publishes.

    ``outcome`` stays null: it is that of one story's headline. The pooled outcome stands in ``panel``.
    """
    study, main = result.panel.study, result.main
    own = next((s.alignment for s in result.panel.stories if s.name == study.story.story), None)
    alignment = own or steps.align_articles(study)
    run = {
        "schema_version": SCHEMA_VERSION,
        "story": study.story.story,
        "notebook": notebook,
        "as_of": study.config.as_of.isoformat(),
        "status": "final",
        "outcome": None,
        "companion_outcome": None,
        "verdict": verdict.text,
        "finding": verdict.text,
        "plain": verdict.plain,
        "identified": alignment.identification.as_record(),
        "event_session": alignment.event_session.date().isoformat(),
        "headline": None,
        "companion": None,
        "panel": {
            "outcome": result.outcome,
            "n": main.n,
            "n_controls": len(result.panel.controls),
            "n_separable": len(result.separable),
            "n_missing": len(result.panel.missing),
            "estimate": main.estimate,
            "standard_error": main.standard_error,
            "ci95_low": main.ci95[0] if main.ci95 else None,
            "ci95_high": main.ci95[1] if main.ci95 else None,
            "mde80": main.mde80,
            "recommended": main.recommended or None,
            "p": main.p_value,
        },
        "parameters": resolved_parameters(study),
        "inputs": {**study.table_hashes, **result.panel.inputs},
        "vintage": result.panel.vintage,
    }
    return RunRecord(run=run, tables={e.name: write_csv(e.numbers) for e in exhibits})


def resolved_parameters(study: OpenedStory) -> dict[str, object]:
    """The parameters with the story's benchmark filled in: no default stays silent."""
    return {**study.config.as_parameters(), "benchmark": study.benchmark}


def input_hashes(study: OpenedStory, panel: ReturnPanel | None = None) -> dict[str, str]:
    """sha256 of every file that the numbers rest on; with prices, also what curve and peers are made from."""
    return {**study.table_hashes, **({**list_side_inputs(study), **panel.inputs} if panel else {})}
