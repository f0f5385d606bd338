"""What one executed notebook hands to its runner: its record, and the tables that no exhibit shows."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from event_impact.base.result import record_of
from event_impact.base.run_record import RunRecord
from event_impact.estimation.abnormal import AbnormalReturns, Measured
from event_impact.events.sessions import Alignment
from event_impact.inference.bar_tests import MinuteResult
from event_impact.inference.windows import WindowEstimate, estimates_frame
from event_impact.many.story_panel import PanelResult
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel
from event_impact.page.exhibits import write_csv
from event_impact.page.finding import find_primary
from event_impact.page.first_screen import FirstScreen
from event_impact.page.markup import frame_table, mark_up_row
from event_impact.page.minute_page import tabulate_windows
from event_impact.page.provenance import RECORD_MIME
from event_impact.study.opened_study import hash_inputs

PATH_COLUMNS = (
    "return_kind", "model", "benchmark", "mask", "rel_session", "session", "firm_return", "benchmark_return",
    "expected_return", "ar", "forecast_std", "t", "p_t", "confounders",
)  # fmt: skip


@dataclass(frozen=True)
class Provenance:
    """What the last cell of a notebook shows: parameters and inputs for readers, the record for the runner.

    It travels inside the executed notebook as an output of its own media type, so that any way of
    executing the notebook keeps its numbers.
    """

    run: RunRecord
    tables: dict[str, str]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        payload = {"run": self.run.as_json(), "tables": self.tables}
        return {
            "text/html": self._repr_html_(),
            "text/plain": "run record",
            RECORD_MIME: json.loads(json.dumps(payload, allow_nan=False)),
        }

    def _repr_html_(self) -> str:
        blocks = (
            ("Parameters of this run.", "parameter", "value", self.run.parameters),
            (f"Input files with their sha256. Figures from vintage {self.run.vintage}.", "file", "sha256", self.run.inputs),
        )  # fmt: skip
        return "".join(
            frame_table(caption, heads, "".join(mark_up_row(name, [value]) for name, value in rows.items()))
            for caption, *heads, rows in blocks
        )


def record_study(
    opened: OpenedStory, panel: ReturnPanel, measured: Measured, rows: list[WindowEstimate], *, alignment: Alignment,
    verdict: FirstScreen, finding: FirstScreen | None = None,
) -> Provenance:  # fmt: skip
    """Gather everything that a run of one story publishes.

    Parameters
    ----------
    finding : FirstScreen, optional
        What the page itself opens with, where that is not the verdict of the study.
    """
    prices = hash_inputs(opened, panel)
    headline, companion = (find_primary(rows, kind) for kind in ("close_to_close", "close_to_open"))
    candidates = headline.candidates.frame(headline.significance) if headline.candidates else pd.DataFrame()
    run = RunRecord(
        **_describe(opened, alignment, verdict, finding), status=verdict.status, outcome=verdict.outcome,
        companion_outcome=verdict.companion_outcome, headline=headline.as_record(),
        companion=companion.as_record(),
        candidates=[{str(k): v for k, v in row.items()} for row in candidates.to_dict("records")],
        inputs=opened.tables.hash() | prices, vintage=panel.vintage,
    )  # fmt: skip
    tables = {
        "estimates": estimates_frame(rows), "candidates": candidates,
        "abnormal_returns": path_frame(opened, measured), "alignment": alignment.frame(),
    }  # fmt: skip
    return Provenance(run, {name: write_csv(frame) for name, frame in tables.items() if len(frame)})


def record_timing(opened: OpenedStory, verdict: FirstScreen) -> Provenance:
    """Gather what the alignment of one story publishes; it has no outcome, since no price is tested."""
    run = RunRecord(
        **_describe(opened, opened.timing, verdict), inputs=opened.tables.hash(), vintage="none: no price is used",
    )  # fmt: skip
    return Provenance(run, {"alignment": write_csv(opened.timing.frame())})


def record_minutes(
    opened: OpenedStory, result: MinuteResult | None, screen: FirstScreen, files: dict[str, str]
) -> Provenance:
    """Gather what a run on bars of minutes publishes: the first declared window is the headline, the second the companion."""
    about, frame = _describe(opened, opened.timing, screen), opened.timing.frame()
    rows: list[dict[Any, Any]] = []
    outcomes = [screen.outcome, None]
    if result is not None:
        about["identified"] = result.alignment.identification.as_record()
        ends, places = result.grid.ends, result.alignment.candidates
        for column, number in (("first_bar", 0), ("last_bar", 1)):
            inside = [places[name][number] for name in frame["article_id"]]
            frame[column] = [ends[place] if 0 < place < len(ends) else None for place in inside]
        declared = tabulate_windows(result).numbers.iloc[: len(result.declared)]
        rows = declared.to_dict("records")
        outcomes = [*declared["outcome"], None]
    run = RunRecord(
        **about, outcome=outcomes[0], companion_outcome=outcomes[1], headline=rows[0] if rows else None,
        companion=rows[1] if len(rows) > 1 else None, inputs=opened.tables.hash() | files,
        vintage=result.bars.vintage if result else "none: no bars are recorded",
    )  # fmt: skip
    return Provenance(run, {"alignment": write_csv(frame)})


def record_panel(result: PanelResult, verdict: FirstScreen) -> Provenance:
    """Gather what a run of the panel publishes.

    ``outcome`` stays null: it is that of one story's headline. The pooled outcome stands in ``panel``.
    """
    opened, main = result.panel.study, result.main
    own = next((s.alignment for s in result.panel.stories if s.name == opened.story.story), opened.timing)
    run = RunRecord(
        **_describe(opened, own, verdict),
        panel={
            "outcome": result.outcome,
            **record_of(main, "n estimate standard_error ci95_low=ci95.0 ci95_high=ci95.1 mde80 p=p_value"),
            "recommended": main.recommended or None,
            "n_controls": len(result.panel.controls),
            "n_separable": len(result.separable),
            "n_missing": len(result.panel.missing),
            "without_one_story": [asdict(left) for left in result.left_out],
            "dispersion": asdict(result.dispersion),
            "shrunk": asdict(result.shrunk) if result.shrunk else None,
        },
        inputs=opened.tables.hash() | result.panel.inputs,
        vintage=result.panel.vintage,
    )
    return Provenance(run, {})


def _describe(
    opened: OpenedStory, alignment: Alignment, verdict: FirstScreen, finding: FirstScreen | None = None
) -> dict[str, Any]:
    """What every record says of its story, and of the page, which opens with ``finding`` or with the verdict."""
    return {
        "verdict": verdict.text, "plain": verdict.text, "finding": (finding or verdict).finding,
        "table": (finding or verdict).table, "story": opened.story.story, "as_of": opened.config.as_of.isoformat(),
        "identified": alignment.identification.as_record(),
        "event_session": alignment.event_session.date().isoformat(), "parameters": opened.parameters,
    }  # fmt: skip


def path_frame(opened: OpenedStory, measured: Measured) -> pd.DataFrame:
    """``results/abnormal_returns.csv``."""
    shared = {"model": opened.config.model, "benchmark": opened.benchmark, "mask": opened.config.mask}
    parts = [
        abnormal.table.reset_index().assign(confounders=abnormal.confounders.to_numpy(), return_kind=kind, **shared)
        for kind, abnormal in measured.items()
        if isinstance(abnormal, AbnormalReturns)
    ]
    return pd.concat(parts, ignore_index=True)[list(PATH_COLUMNS)]
