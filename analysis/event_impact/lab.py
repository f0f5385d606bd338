"""For analysts at a notebook: parameter sets side by side, and controls that recompute the study.

Nothing here is scheduled or published.
"""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from event_impact.base.config import MASKS, MODELS
from event_impact.base.errors import StudyError
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import OUTCOME_LABELS, format_interval, format_p, format_percent, or_reason
from event_impact.page.return_figures import draw_cumulative
from event_impact.page.tables import tabulate_estimates
from event_impact.page.verdict import find_primary
from event_impact.study.study import Study


def compare(*studies: Study) -> TableExhibit:
    """Headline and companion under several parameter sets, one column each; what differs is named."""
    columns, records = {}, []
    shared = set.intersection(*(set(s.config.as_parameters().items()) for s in studies))
    for number, study in enumerate(studies, start=1):
        own = ", ".join(f"{n}={v}" for n, v in study.config.as_parameters().items() if (n, v) not in shared)
        cells = []
        for kind in ("close_to_close", "close_to_open"):
            row = find_primary(study.estimates, kind)
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


def show_controls(study: Study) -> Any:
    """Controls for window, model, benchmark, estimation sessions and mask; the study is computed anew at each change.

    Raises
    ------
    ModuleNotFoundError
        Without the extra ``lab``.
    """
    import ipywidgets as widgets

    config = study.config
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
    shown = widgets.interactive_output(lambda **changes: show_changed(study, **changes), controls)
    return widgets.VBox([widgets.VBox(list(controls.values())), shown])


def show_changed(study: Study, *, window: tuple[int, int], **changes: object) -> None:
    """Display verdict, estimates and cumulative returns under changed parameters, or why they cannot be had."""
    from IPython.display import HTML, display

    try:
        changed = study.replace(windows=tuple(dict.fromkeys(((0, 0), window))), **changes)
        shown: tuple[object, ...] = (
            changed.verdict,
            tabulate_estimates(changed.estimates),
            draw_cumulative(changed.headline, hull=changed.alignment.hull),
        )
    except StudyError as error:
        shown = (HTML(f"<p>{escape(str(error))}</p>"),)
    display(*shown)
