"""The specification curve: every declared combination of choices, sorted by its estimate."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from event_impact.page import figure_style as style
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.figure_style import BLACK, BLUE, MID_GREY, VERMILLION
from event_impact.page.format import format_count, format_interval, format_percent, p_equals

NUMBER_COLUMNS = ("estimate", "ci95_low", "ci95_high", "p", "is_headline")
MOST_MARKS = 150
"""Longer curves are drawn as a line: their marks would run together."""
ROW_INCHES = 0.21
LABEL_WIDTH = 27
"""Characters a line of the labels beside the choices; longer ones take more lines."""


@style.in_house_style
def draw_specification_curve(frame: pd.DataFrame) -> FigureExhibit:
    """Estimates of all specifications above the choices that made them, the headline marked.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a specification: ``estimate``, ``ci95_low``, ``ci95_high`` (fractions), ``p`` (may be
        missing), ``is_headline``; every other column is a choice, its values in words.

    Raises
    ------
    ValueError
        For a frame without rows, or with another number of headlines than one.
    """
    if not len(frame) or int(frame["is_headline"].sum()) != 1:
        raise ValueError(
            f"a specification curve needs exactly one headline; found {int(frame['is_headline'].sum())} in "
            f"{len(frame)} specifications."
        )
    numbers = frame.sort_values("estimate", kind="stable", ignore_index=True)
    numbers.insert(0, "place", np.arange(1, len(numbers) + 1))
    choices = [name for name in frame.columns if name not in NUMBER_COLUMNS]
    varied = {name: list(dict.fromkeys(frame[name])) for name in choices if frame[name].nunique() > 1}
    rows = sum(_wrap(text).count("\n") + 1 for name, options in varied.items() for text in (name, *options))
    figure = style.new_figure(3.0 + ROW_INCHES * rows)
    if varied:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, max(ROW_INCHES * rows, 0.4)])
        _draw_choices(lower, numbers, varied)
        bottom = lower
    else:
        bottom = upper = figure.add_subplot()
    _draw_estimates(upper, numbers)
    bottom.set_xlabel("specifications, sorted by estimate")
    upper.set_xlim(0.3, len(numbers) + 0.7)
    shared = [f"{name}: {frame[name].iloc[0]}" for name in choices if name not in varied]
    caption, description = _caption(numbers, shared), _description(numbers, varied)
    return FigureExhibit("specification_curve", figure, caption, description, numbers)


def _excludes_zero(numbers: pd.DataFrame) -> pd.Series:
    return (numbers["ci95_low"] > 0) | (numbers["ci95_high"] < 0)


def _draw_estimates(axes: Axes, numbers: pd.DataFrame) -> None:
    outside = _excludes_zero(numbers)
    is_long = len(numbers) > MOST_MARKS
    look: dict[str, Any] = {"linestyle": "-" if is_long else "", "marker": "" if is_long else "o"}
    handles = [
        style.key("estimate", **look),
        style.key("headline", VERMILLION, "D", markersize=8, linestyle="--", linewidth=1),
    ]
    for mask, colour, label in ((~outside, "#b5b5b5", "95 % interval holds zero"), (outside, BLUE, "does not")):
        part = numbers[mask]
        if len(part):
            _draw_strokes(axes, part["place"], part["ci95_low"], part["ci95_high"], colour, len(numbers))
            handles.append(style.key(label, colour, linewidth=4))
    size = float(np.clip(250 / len(numbers), 1.8, 5))
    axes.plot(numbers["place"], numbers["estimate"], color=BLACK, markersize=size, **look)
    axes.axhline(0, color=BLACK, linewidth=0.8)
    head = _mark_headline(axes, numbers)
    axes.plot(head["place"], head["estimate"], "D", color=VERMILLION, markersize=8, markeredgecolor="white")
    style.use_percent(axes.yaxis, "abnormal return", ticks=6)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    style.legend_above(axes, handles)


def _draw_strokes(axes: Axes, x: pd.Series, low: ArrayLike, high: ArrayLike, colour: str, n: int) -> None:
    """Vertical strokes as one broken line, which takes a tenth of the space of separate ones."""
    gap = np.full(len(x), np.nan)
    xs, ys = np.column_stack([x, x, gap]).ravel(), np.column_stack([low, high, gap]).ravel()
    width = float(np.clip(260 / n, 0.8, 4))
    axes.plot(xs, ys, color=colour, linewidth=width, linestyle="-", solid_capstyle="butt")


def _mark_headline(axes: Axes, numbers: pd.DataFrame) -> pd.Series:
    head = numbers[numbers["is_headline"]].iloc[0]
    axes.axvline(head["place"], color=VERMILLION, linewidth=1, linestyle="--", zorder=0.9)
    return head


def _draw_choices(axes: Axes, numbers: pd.DataFrame, varied: dict[str, list[Any]]) -> None:
    """One line an option, a tick where a specification takes it; options stand under their choice."""
    head = _mark_headline(axes, numbers)
    y, places, labels, headings = 0.0, [], [], []
    for name, options in varied.items():
        for option in (None, *options):
            label = _wrap(name if option is None else option)
            extra = 0.9 * label.count("\n") / 2
            y += extra
            places.append(y)
            labels.append(label)
            if option is None:
                headings.append(y)
            else:
                taken = numbers.loc[numbers[name] == option, "place"]
                _draw_strokes(
                    axes, taken, np.full(len(taken), y - 0.34), np.full(len(taken), y + 0.34), MID_GREY, len(numbers)
                )
                if head[name] == option:
                    axes.plot(head["place"], y, "D", color=VERMILLION, markersize=5.5, markeredgecolor="white")
            y += 1 + extra
    axes.set_yticks(places, labels, parse_math=False, linespacing=0.95)
    for place, text in zip(places, axes.get_yticklabels(), strict=True):
        text.set_fontweight("bold" if place in headings else "normal")
        text.set_fontsize(9.5)
    axes.set_ylim(y - 0.4, -0.6)
    axes.tick_params(axis="both", length=0, labelbottom=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _wrap(text: object) -> str:
    return "\n".join(wrap(style.plain_label(str(text), 2 * LABEL_WIDTH), LABEL_WIDTH)) or "none"


def _caption(numbers: pd.DataFrame, fixed: list[str]) -> str:
    text = (
        f"Specification curve: the abnormal return of the event session under {format_count(len(numbers))} "
        "combinations of choices, smallest estimate first. Upper part: estimate and 95 % interval; lower part: a tick "
        "shows which option of each choice a specification takes. The diamond and the dashed line are the headline, "
        "declared before the others were computed. All use the same prices: the curve shows how far choices matter, "
        "and is no vote."
    )
    return text + (f" Shared by all: {'; '.join(fixed)}." if fixed else "")


def _description(numbers: pd.DataFrame, varied: dict[str, list[Any]]) -> str:
    head = numbers[numbers["is_headline"]].iloc[0]
    p = f", {p_equals(float(head['p']))}" if pd.notna(head["p"]) else ""
    made = "; ".join(f"{name} ({len(options)})" for name, options in varied.items()) or "none varied"
    return (
        f"{format_count(len(numbers))} estimates from {format_percent(numbers['estimate'].iloc[0])} to "
        f"{format_percent(numbers['estimate'].iloc[-1])}; the 95 % interval leaves out zero in "
        f"{format_count(int(_excludes_zero(numbers).sum()))} of them. The headline is number {int(head['place'])}: "
        f"{format_percent(head['estimate'])}, 95 % interval {format_interval((head['ci95_low'], head['ci95_high']))}"
        f"{p}. Choices and their numbers of options: {made}."
    )
