"""For analysts at a notebook: parameter sets side by side, and controls that recompute the study.

Nothing here is scheduled or published.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis import study as steps
from analysis.config import MASKS, MODELS, StudyConfig
from analysis.inference.windows import WindowEstimate
from analysis.reporting.exhibits import TableExhibit
from analysis.reporting.format import OUTCOME_LABELS, format_interval, format_p, format_percent, or_reason
from analysis.reporting.verdict import Verdict, compose_verdict, find_primary


def compute_rows(config: StudyConfig) -> tuple[list[WindowEstimate], Verdict]:
    """A study from its parameters to its verdict."""
    study = steps.open_study(config)
    panel = steps.load_returns(study)
    alignment = steps.align(study, panel)
    measured = steps.measure(study, panel, alignment)
    rows = steps.confirm_detections(study, panel, alignment, steps.estimate(study, measured, alignment))
    return rows, compose_verdict(rows, alignment, config, sequence=steps.assess_story(study, measured, alignment))


def compare(*configs: StudyConfig) -> TableExhibit:
    """Headline and companion under several parameter sets, one column each; what differs is named."""
    columns, records = {}, []
    shared = set.intersection(*(set(c.as_parameters().items()) for c in configs))
    for number, config in enumerate(configs, start=1):
        rows, _ = compute_rows(config)
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
        cells=pd.DataFrame(columns, index=index),
        caption="Parameter sets side by side. Looking at several and reporting the one that is liked is not a test.",
        numbers=pd.DataFrame(records),
        row_header="quantity",
    )


def show_controls(config: StudyConfig) -> Any:
    """Controls for model, benchmark, estimation window and mask; the verdict is computed anew at each change.

    Raises
    ------
    ModuleNotFoundError
        Without the extra ``lab``.
    """
    import ipywidgets as widgets

    controls = {
        "model": widgets.Dropdown(options=MODELS, value=config.model, description="model"),
        "benchmark": widgets.Text(value=config.benchmark, placeholder="the story's", description="benchmark"),
        "estimation_sessions": widgets.IntSlider(value=config.estimation_sessions, min=60, max=500, description="L"),
        "mask": widgets.Dropdown(options=MASKS, value=config.mask, description="mask"),
    }

    def show(**changes: object) -> None:
        from IPython.display import HTML, display

        from analysis.errors import StudyError

        try:
            _, verdict = compute_rows(config.replace(**changes))
            display(verdict)
        except StudyError as error:
            display(HTML(f"<p>{error}</p>"))

    for control in controls.values():
        control.continuous_update = False
    return widgets.VBox([widgets.VBox(list(controls.values())), widgets.interactive_output(show, controls)])
