"""For analysts at a notebook: parameter sets side by side, and controls that recompute the study.

Nothing here is scheduled or published.
"""

from functools import partial
from html import escape
from typing import Any

import pandas as pd

from event_impact.base.config import MASKS, MODELS
from event_impact.base.errors import ConfigError, StudyError
from event_impact.events.articles import load_stories
from event_impact.inference.windows import COMPANION_KIND, HEADLINE_KIND, WindowEstimate
from event_impact.market.snapshot import read_manifest
from event_impact.page.exhibits import Column, TableExhibit, declare_table
from event_impact.page.finding import find_primary
from event_impact.page.format import OUTCOME_LABELS
from event_impact.page.return_figures import draw_cumulative
from event_impact.page.tables import tabulate_estimates
from event_impact.study.study import Study

#: What is compared of a row; here they stand below each other.
QUANTITIES = (
    Column("estimate", "estimate", "percent", why="note"),
    Column("ci95", "95 % interval", "interval"),
    Column("rank_p", "p (rank)", "p"),
    Column("mde80_rule", "seen 4 in 5 from", "size"),
    Column("outcome", "outcome", OUTCOME_LABELS.__getitem__),
)
KINDS = {"headline": HEADLINE_KIND, "companion": COMPANION_KIND}
#: Of what the controls change: it scrolls beside them, so that they stay in sight.
PANE = {"flex": "1 1 0", "min_width": "0", "max_height": "85vh", "overflow": "auto"}


def compare(*studies: Study) -> TableExhibit:
    """Headline and companion under several parameter sets, one column each; what differs is named."""
    columns, records = [Column("", "quantity", of=lambda line: f"{line[0]}, {line[1].head}")], []
    shared = set.intersection(*(set(s.config.as_parameters().items()) for s in studies))
    for number, study in enumerate(studies, start=1):
        own = ", ".join(f"{n}={v}" for n, v in study.config.as_parameters().items() if (n, v) not in shared)
        found = {label: find_primary(study.estimates, kind) for label, kind in KINDS.items()}
        columns.append(Column("", f"{number}: {own or 'as above'}", of=partial(_say_line, found)))
        records += [{"set": number, "parameters": own, **row.as_record()} for row in found.values()]
    lines = [(label, quantity) for label in KINDS for quantity in QUANTITIES]
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
    """Controls beside what they change; the study is computed anew at each change, and what differs is named.

    Raises
    ------
    ConfigError
        Where ipywidgets is not installed.
    """
    try:
        import ipywidgets as widgets
    except ModuleNotFoundError as error:
        raise ConfigError("ipywidgets is not installed.", "Install it: pip install 'event-impact[lab]'.") from error
    config, tables = study.config, study.opened.tables
    listings = read_manifest(tables)
    kin = sorted(set(listings["ticker"][listings["exchange"].isin((study.story.exchange, "XNYS", "XNAS"))]) - {""})
    declared = (0, max(last for _, last in config.windows))
    controls = {
        "story": widgets.Dropdown(options=sorted({*load_stories(tables), study.name}), value=study.name),
        "window": widgets.IntRangeSlider(value=declared, min=-config.gap_sessions, max=20),
        "model": widgets.Dropdown(options=MODELS, value=config.model),
        "benchmark": widgets.Dropdown(options=["", *kin], value=config.benchmark),
        "estimation_sessions": widgets.IntSlider(value=config.estimation_sessions, min=60, max=500),
        "mask": widgets.Dropdown(options=MASKS, value=config.mask),
    }
    for name, control in controls.items():
        control.continuous_update, control.description = False, name.removeprefix("estimation_")
    busy = widgets.HTML()

    def recompute(window: tuple[int, int], **changes: Any) -> None:
        busy.value = "<b>computing \u2026</b>"
        show_changed(study, window=None if window == declared else window, **changes)
        busy.value = ""

    pane = widgets.interactive_output(recompute, controls)
    pane.layout = widgets.Layout(**PANE)
    panel = widgets.VBox([*controls.values(), busy], layout=widgets.Layout(flex="0 0 auto"))
    return widgets.HBox([panel, pane])


def show_changed(study: Study, *, window: tuple[int, int] | None = None, story: str = "", **changes: Any) -> None:
    """Display what changed, verdict, estimates and cumulative returns, or why they cannot be had."""
    from IPython.display import HTML, display

    try:
        base = study if story in ("", study.name) else Study(story, root=study.root.path)
        if window:
            changes["windows"] = tuple(dict.fromkeys(((0, 0), window)))
        changed = base.replace(**changes)
        was, now = study.config.as_parameters(), changed.config.as_parameters()
        marks = [f"{n}: {was[n]} \u2192 <mark>{v}</mark>" for n, v in now.items() if v != was[n]]
        path = draw_cumulative(changed.headline, hull=changed.alignment.hull)
        told = HTML(f"<p>{'; '.join(marks) or 'as declared'}</p>")
        shown: tuple[Any, ...] = (told, changed.verdict, tabulate_estimates(changed.estimates), path)
    except StudyError as error:
        shown = (HTML(f"<p>{escape(str(error))}</p>"),)
    display(*shown)
