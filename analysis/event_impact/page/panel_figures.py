"""Many stories on one scale, and their average path."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from event_impact.many.story_panel import PanelResult, PanelStory
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.figure_style import (
    BLACK,
    BLUE,
    MID_GREY,
    PALE_BLUE,
    VERMILLION,
    in_house_style,
    legend_above,
    new_figure,
    plain_label,
    signed_whole,
    use_event_time,
    use_percent,
)
from event_impact.page.format import format_interval, format_percent

STYLES = {"denied": (BLACK, "o"), "denied in part": (BLUE, "s"), "not denied": (VERMILLION, "^")}
POOLED = "mean of the denied"


@in_house_style
def draw_forest(result: PanelResult) -> FigureExhibit:
    """Joint effect of every story with its 95 % interval, the mean of the denied ones, the controls below."""
    numbers = _forest_frame(result)
    figure = new_figure(height=1.3 + 0.33 * max(len(numbers), 2), width=6.6)
    axes = figure.add_subplot()
    axes.axvline(0, color=MID_GREY, linewidth=1)
    if numbers.empty:
        axes.text(0.5, 0.5, "n/a: no story could be measured", ha="center", transform=axes.transAxes)
    for place, row in enumerate(numbers.itertuples()):
        _draw_story(axes, -place, row)
    own = result.panel.study.story.story
    labels = [_label(row, own) for row in numbers.itertuples()]
    axes.set_yticks([-i for i in range(len(numbers))], labels, parse_math=False)
    axes.set_ylim(0.4 - max(len(numbers), 1), 0.7)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    use_percent(axes.xaxis, "abnormal return from the report to the first denial")
    kinds = [k for k in STYLES if k in set(numbers["kind"])]
    handles = [Line2D([], [], color=STYLES[k][0], linestyle="-", marker=STYLES[k][1], label=k) for k in kinds]
    if POOLED in set(numbers["kind"]):
        handles.append(Line2D([], [], color=BLACK, marker="D", linestyle="-", linewidth=3, label=POOLED))
    if handles:
        legend_above(axes, handles, columns=2)
    return FigureExhibit(
        name="forest",
        figure=figure,
        caption=(
            "Joint effect of report and denial, story by story, oldest first. Mark: cumulative abnormal return over every "
            "session that the report or the first denial can have reached; bar: 95 % interval of the story alone. "
            "The diamond is the equally weighted mean of the denied stories, with the interval that their spread "
            "gives; it is drawn only when there are enough of them. Stories that nobody denied stand apart and are no "
            "part of it. The arrow marks the story of this run."
        ),
        description="Dot-and-interval chart, one row a story. " + " ".join(map(_describe, numbers.itertuples())),
        numbers=numbers,
    )


def kind_of(story: PanelStory) -> str:
    """How far the report was denied."""
    return {"yes": "denied", "partial": "denied in part", "no": "not denied"}[story.story.denied]


def _forest_frame(result: PanelResult) -> pd.DataFrame:
    rows = [_story_row(s) for s in result.panel.denied]
    if result.main.estimate is not None and result.main.ci95 is not None:
        low, high = result.main.ci95
        rows.append(
            {
                "story": POOLED, "ticker": "", "kind": POOLED, "event_session": None, "first": None, "last": None,
                "estimate": result.main.estimate, "ci95_low": low, "ci95_high": high,
            }
        )  # fmt: skip
    rows += [_story_row(s) for s in result.panel.controls]
    names = ["story", "ticker", "kind", "event_session", "first", "last", "estimate", "ci95_low", "ci95_high"]
    return pd.DataFrame(rows, columns=names)


def _story_row(story: PanelStory) -> dict[str, object]:
    low, high = story.joint.interval(0.95)
    first, last = story.alignment.hull
    return {
        "story": story.name,
        "ticker": story.story.ticker,
        "kind": kind_of(story),
        "event_session": story.alignment.event_session,
        "first": first,
        "last": last,
        "estimate": story.joint.estimate,
        "ci95_low": low,
        "ci95_high": high,
    }


def _label(row, own: str) -> str:
    if row.kind == POOLED:
        return POOLED
    mark = "\u2192 " if row.story == own else ""
    return mark + plain_label(f"{row.story}, {row.ticker}", 40)


def _draw_story(axes: Axes, y: float, row) -> None:
    if row.kind == POOLED:
        axes.axhspan(y - 0.45, y + 0.45, facecolor=PALE_BLUE, edgecolor="none", zorder=0)
        axes.plot([row.ci95_low, row.ci95_high], [y, y], color=BLACK, linewidth=3, linestyle="-")
        axes.plot(row.estimate, y, color=BLACK, marker="D", markersize=7, markeredgecolor="white")
        return
    colour, marker = STYLES[row.kind]
    axes.plot([row.ci95_low, row.ci95_high], [y, y], color=colour, linewidth=1.5, linestyle="-")
    axes.plot(row.estimate, y, color=colour, marker=marker, markersize=7, markeredgecolor="white")


def _describe(row) -> str:
    own = format_interval((row.ci95_low, row.ci95_high))
    when = "" if row.kind == POOLED else f" ({row.kind}, {row.event_session.date()})"
    return f"{row.story}{when}: {format_percent(row.estimate)}, 95 % interval {own}."


@in_house_style
def draw_story_path(result: PanelResult) -> FigureExhibit:
    """Mean cumulative abnormal return of the denied stories around their event sessions."""
    path = result.path
    figure = new_figure(height=3.8)
    axes = figure.add_subplot()
    axes.axhline(0, color=MID_GREY, linewidth=0.8)
    use_percent(axes.yaxis, "mean cumulative abnormal return")
    use_event_time(axes)
    who = f"{len(path.stories)} denied stories" if path.stories else "no story"
    left = f" Left out, since their figures end too early: {', '.join(path.left_out)}." if path.left_out else ""
    if path.table.empty:
        axes.text(0.5, 0.5, f"n/a: {path.note}", ha="center", transform=axes.transAxes)
        caption = f"The average path is n/a: {path.note}.{left}"
        return FigureExhibit("story_path", figure, caption, caption, path.table)
    table = path.table
    axes.axvline(0, color=MID_GREY, linewidth=0.8, linestyle=":")
    axes.fill_between(table["rel_session"], table["ci95_low"], table["ci95_high"], facecolor=PALE_BLUE, edgecolor=BLUE,
                      linewidth=0.8, linestyle=":")  # fmt: skip
    axes.plot(table["rel_session"], table["caar"], color=BLACK, marker="o", linestyle="-")
    band = Line2D(
        [], [], color=BLUE, linewidth=0.8, linestyle=":", label="95 % interval from the spread of the stories"
    )
    mean = Line2D([], [], color=BLACK, marker="o", linestyle="-", label=f"mean of {len(path.stories)} stories")
    legend_above(axes, [mean, band], columns=2)
    first, last, zero = table.iloc[0], table.iloc[-1], table[table["rel_session"] == 0].iloc[0]
    steps = f"{signed_whole(first['rel_session'])} to {signed_whole(last['rel_session'])}"
    return FigureExhibit(
        name="story_path",
        figure=figure,
        caption=(
            f"Mean cumulative abnormal return of {who}, sessions {steps}, each story on its own calendar with session 0 "
            "the first that its report can have reached. It starts from zero before the event; the band is that of a "
            "mean of so few stories and widens as sessions add up. Neighbouring points share sessions. Denials fall "
            f"on session 0 for some stories and later for others, so the path is no picture of a reversal.{left}"
        ),
        description=(
            f"Line with a band over sessions {steps}. Up to session 0 the mean is {format_percent(zero['caar'])} (95 % "
            f"interval {format_interval((zero['ci95_low'], zero['ci95_high']))}); at the end "
            f"{format_percent(last['caar'])} ({format_interval((last['ci95_low'], last['ci95_high']))})."
        ),
        numbers=table,
    )
