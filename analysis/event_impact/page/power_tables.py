"""Tables and the curve of what the data could have shown."""

from __future__ import annotations

from event_impact.inference.power_study import PowerStudy
from event_impact.inference.windows import WindowEstimate
from event_impact.page import figure_style as style
from event_impact.page.columns import Column, declare_table
from event_impact.page.exhibits import FigureExhibit, TableExhibit
from event_impact.page.figure_style import BLACK, BLUE, MID_GREY
from event_impact.page.format import RETURN_LABELS, format_p, format_plain, format_size
from event_impact.page.tables import label_row

CURVE_STYLES = {"close_to_close": (BLACK, "-"), "close_to_open": (BLUE, "--")}


def tabulate_power(power: PowerStudy, rows: list[WindowEstimate]) -> TableExhibit:
    """Detectable effects and the equivalence test of every window."""
    columns = (
        Column("label", "return and window"),
        Column("mde50", "found 1 in 2 from", "size"),
        Column("mde80", "found 4 in 5 from", "size"),
        Column("mde90", "found 9 in 10 from", "size"),
        Column("provable_bound", "bound provable 4 in 5", "size"),
        Column("smallest_bound", "smallest bound", "size"),
        Column("p_equivalence", f"p inside {format_size(power.bound)}", "p"),
    )
    notes = sorted({r.note for r in rows if r.standard_error is None and r.note})
    missing = f" n/a: {'; '.join(notes)}." if notes else ""
    caption = (
        "What could have been found: true effects that an unadjusted 5\u00a0% t test finds once in two, four times in "
        "five, nine times in ten, and the bound that an equivalence test passes four times in five when nothing "
        "happened. These four come from the standard error alone. The last two use the estimate: the tightest "
        f"bound it can be shown to lie inside, and the p of lying inside the bound set beforehand (two one-sided "
        f"t tests).{missing}"
    )
    shown = power.windows.assign(label=list(map(label_row, rows)))
    return declare_table("power", shown, columns, caption=caption, numbers=power.windows)


def tabulate_significance_filter(power: PowerStudy) -> TableExhibit:
    """What reaching significance would have done to the estimate of a true effect."""
    columns = (
        Column("effect", "true effect", "size"),
        Column("return_kind", "return", RETURN_LABELS.__getitem__),
        Column("power", "power", "share"),
        Column("", "exaggerated by", "written", of=lambda row: f"{format_plain(row['exaggeration'], digits=1)} times"),
        Column("sign_error", "wrong sign", "share"),
    )
    none = "" if len(power.filter) else " n/a: the model has no standard error."
    caption = (
        "What significance does to an estimate, before any is seen. If the true effect were as in the first "
        f"column, a t test at {power.significance:g} would reject with the given power; the estimates that it let "
        f"through would be too large by the given factor on average, and have the wrong sign that often.{none}"
    )
    return declare_table("significance_filter", power.filter, columns, caption=caption, numbers=power.filter)


@style.in_house_style
def draw_equivalence(power: PowerStudy) -> FigureExhibit:
    """p of "the effect lies inside the bound" at every bound, for the declared rows."""
    figure, axes = style.new_axes(3.4)
    said = []
    for kind, curve in power.curves.groupby("return_kind", sort=False):
        colour, dash = CURVE_STYLES[str(kind)]
        axes.plot(curve["bound"], curve["p_equivalence"], color=colour, linestyle=dash, label=RETURN_LABELS[str(kind)])
        row = power.windows[(power.windows["return_kind"] == kind) & power.windows["is_primary"]].iloc[0]
        said.append(
            f"{RETURN_LABELS[str(kind)].capitalize()}: p {format_p(row['p_equivalence'])} at {format_size(power.bound)}, below "
            f"0.05 from {format_size(row['smallest_bound'])}."
        )
    axes.axhline(0.05, color=MID_GREY, linewidth=0.9, linestyle=":")
    axes.axvline(
        power.bound, color=MID_GREY, linewidth=0.9, linestyle="-.", label=f"bound set, {format_size(power.bound)}"
    )
    axes.set_ylim(0, 1)
    axes.set_xlim(left=0)
    axes.set_ylabel("equivalence p")
    style.use_percent(axes.xaxis, "bound on the absolute effect")
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
    style.legend_above(axes, columns=3)
    if not said:
        said = ["n/a: the model has no standard error."]
    caption = (
        "How small can the effect be shown to be? At each bound, the p of two one-sided tests that the effect of the "
        "event session lies inside it. Where a curve falls below the dotted line (0.05) the data rule out a larger "
        "effect; read the whole curve rather than the one bound that was set."
    )
    description = "Curves of the equivalence p against the bound. " + " ".join(said)
    return FigureExhibit("equivalence", figure, caption, description, power.curves)
