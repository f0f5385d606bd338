"""For analysts at a notebook: parameter sets side by side, and controls that recompute the study.

Nothing here is scheduled or published.
"""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Any

import pandas as pd

from event_impact.base.config import MASKS, MODELS
from event_impact.base.errors import StudyError
from event_impact.inference.windows import WindowEstimate
from event_impact.page.columns import Column, declare_table
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import OUTCOME_LABELS
from event_impact.page.return_figures import draw_cumulative
from event_impact.page.tables import tabulate_estimates
from event_impact.page.verdict import find_primary
from event_impact.study.study import Study

QUANTITIES = (
    Column("estimate", "estimate", "percent", why="note"),
    Column("ci95", "95 % interval", "interval"),
    Column("rank_p", "p (rank)", "p"),
    Column("mde80", "detectable from", "size"),
    Column("outcome", "outcome", OUTCOME_LABELS.__getitem__),
)
"""What is compared of a row; here they stand below each other."""


def compare(*studies: Study) -> TableExhibit:
    """Headline and companion under several parameter sets, one column each; what differs is named."""
    columns, records = [Column("", "quantity", of=lambda line: f"{line[0]}, {line[1].head}")], []
    shared = set.intersection(*(set(s.config.as_parameters().items()) for s in studies))
    for number, study in enumerate(studies, start=1):
        own = ", ".join(f"{n}={v}" for n, v in study.config.as_parameters().items() if (n, v) not in shared)
        kinds = {"headline": "close_to_close", "companion": "close_to_open"}
        found = {label: find_primary(study.estimates, kind) for label, kind in kinds.items()}
        columns.append(Column("", f"{number}: {own or 'as above'}", of=partial(_say_line, found)))
        records += [{"set": number, "parameters": own, **row.as_record()} for row in found.values()]
    lines = [(label, quantity) for label in ("headline", "companion") for quantity in QUANTITIES]
    caption = "Parameter sets side by side. Looking at several and reporting the one that is liked is not a test."
    return declare_table("comparison", lines, columns, caption=caption, numbers=pd.DataFrame(records))


def plot_paths(*studies: Study, axes: Any = None) -> Any:
    """Cumulative abnormal returns from the event session on, one line a parameter set, on matplotlib axes.

    Parameters
    ----------
    axes : matplotlib.axes.Axes, optional
        Drawn into; new ones if left out.

    Returns
    -------
    matplotlib.axes.Axes
        To go on with: percent against sessions after the event; a session without a sum is a gap in its line.
    """
    from matplotlib import pyplot

    axes = pyplot.subplots()[1] if axes is None else axes
    for number, study in enumerate(studies, start=1):
        sums = [study.headline.sum_window(0, last) for last in study.headline.table.index if last >= 0]
        percent = [float("nan") if total.estimate is None else 100 * total.estimate for total in sums]
        axes.plot([total.last for total in sums], percent, marker="o", label=f"set {number}")
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set(xlabel="sessions after the event session", ylabel="cumulative abnormal return, %")
    axes.legend()
    return axes


def _say_line(found: dict[str, WindowEstimate], line: tuple[str, Column]) -> str:
    label, quantity = line
    return quantity.cell(found[label])


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
        path = draw_cumulative(changed.headline, hull=changed.alignment.hull)
        shown: tuple[Any, ...] = (changed.verdict, tabulate_estimates(changed.estimates), path)
    except StudyError as error:
        shown = (HTML(f"<p>{escape(str(error))}</p>"),)
    display(*shown)
