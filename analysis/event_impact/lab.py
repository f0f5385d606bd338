"""For analysts at a notebook: parameter sets side by side, and controls that recompute the study.

Nothing here is scheduled or published.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from event_impact.base.config import MASKS, MODELS, StudyConfig
from event_impact.base.errors import StudyError
from event_impact.estimation.abnormal import AbnormalReturns, Measured
from event_impact.events.sessions import Alignment
from event_impact.inference.story_sequence import StorySequence
from event_impact.inference.windows import WindowEstimate
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel
from event_impact.page.exhibits import TableExhibit
from event_impact.page.figures import draw_cumulative
from event_impact.page.format import OUTCOME_LABELS, format_interval, format_p, format_percent, or_reason
from event_impact.page.tables import tabulate_estimates
from event_impact.page.verdict import Verdict, compose_verdict, find_primary
from event_impact.study import steps


@dataclass(frozen=True)
class Computed:
    """A study taken from its parameters to its verdict, every stage kept."""

    study: OpenedStory
    panel: ReturnPanel
    alignment: Alignment
    measured: Measured
    rows: list[WindowEstimate]
    sequence: StorySequence
    verdict: Verdict

    @property
    def headline(self) -> AbnormalReturns:
        """Abnormal returns from close to close."""
        return self.measured["close_to_close"]  # type: ignore[return-value]

    def _repr_html_(self) -> str:
        return self.verdict._repr_html_()


def compute_study(config: StudyConfig) -> Computed:
    """All steps of ``02_event_study`` up to its verdict.

    Raises
    ------
    StudyError
        As the steps do, each with what to do next.
    """
    study = steps.open_study(config)
    panel = steps.load_returns(study)
    alignment = steps.align(study, panel)
    measured = steps.measure(study, panel, alignment)
    rows = steps.confirm_detections(study, panel, alignment, steps.estimate(study, measured, alignment))
    sequence = steps.assess_story(study, measured, alignment)
    verdict = compose_verdict(rows, alignment, config, sequence=sequence)
    return Computed(study, panel, alignment, measured, rows, sequence, verdict)


def compare(*configs: StudyConfig) -> TableExhibit:
    """Headline and companion under several parameter sets, one column each; what differs is named."""
    columns, records = {}, []
    shared = set.intersection(*(set(c.as_parameters().items()) for c in configs))
    for number, config in enumerate(configs, start=1):
        rows = compute_study(config).rows
        own = ", ".join(f"{n}={v}" for n, v in config.as_parameters().items() if (n, v) not in shared)
        cells = []
        for kind in ("close_to_close", "close_to_open"):
            row = find_primary(rows, kind)
            cells += [
                or_reason(row.estimate, format_percent, row.note),
                format_interval(row.ci95) if row.ci95 else "n/a",
                or_reason(row.rank_p, format_p, ""),
                or_reason(row.mde80, lambda v: format_percent(v, sign=False), ""),
                OUTCOME_LABELS[row.outcome],
            ]
            records.append({"set": number, "parameters": own, **row.as_record()})
        columns[f"{number}: {own or 'as above'}"] = cells
    names = ("estimate", "95 % interval", "p (rank)", "detectable from", "outcome")
    index = [f"{label}, {name}" for label in ("headline", "companion") for name in names]
    return TableExhibit(
        name="comparison",
        cells=pd.DataFrame(columns, index=pd.Index(index, name="quantity")),
        caption="Parameter sets side by side. Looking at several and reporting the one that is liked is not a test.",
        numbers=pd.DataFrame(records),
    )


def show_controls(config: StudyConfig) -> Any:
    """Controls for window, model, benchmark, estimation sessions and mask; the study is computed anew at each change.

    Raises
    ------
    ModuleNotFoundError
        Without the extra ``lab``.
    """
    import ipywidgets as widgets

    controls = {
        "window": widgets.IntRangeSlider(
            value=(0, max(last for _, last in config.windows)), min=-config.gap_sessions, max=20, description="window"
        ),
        "model": widgets.Dropdown(options=MODELS, value=config.model, description="model"),
        "benchmark": widgets.Text(value=config.benchmark, placeholder="the story's", description="benchmark"),
        "estimation_sessions": widgets.IntSlider(
            value=config.estimation_sessions, min=60, max=500, description="sessions"
        ),
        "mask": widgets.Dropdown(options=MASKS, value=config.mask, description="mask"),
    }
    for control in controls.values():
        control.continuous_update = False
    shown = widgets.interactive_output(lambda **changes: show_changed(config, **changes), controls)
    return widgets.VBox([widgets.VBox(list(controls.values())), shown])


def show_changed(config: StudyConfig, *, window: tuple[int, int], **changes: object) -> None:
    """Display verdict, estimates and cumulative returns under changed parameters, or why they cannot be had."""
    from IPython.display import HTML, display

    windows = ",".join(dict.fromkeys(("0:0", f"{window[0]}:{window[1]}")))
    try:
        computed = compute_study(config.replace(windows=windows, **changes))
    except StudyError as error:
        display(HTML(f"<p>{escape(str(error))}</p>"))
        return
    display(computed.verdict, tabulate_estimates(computed.rows))
    display(draw_cumulative(computed.headline, hull=computed.alignment.hull))
