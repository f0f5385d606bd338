"""The specification curve: every declared combination of choices, sorted by its estimate."""

from typing import Any

import numpy as np
import pandas as pd

from event_impact.page.canvas import WIDE, WIDE_DAYS, Canvas, Chart, Drawing, label_ticks, pad_range, rows_of
from event_impact.page.format import cut_label, format_count, format_interval, format_p, format_percent, p_equals, say
from event_impact.page.row_drawing import EffectRow, draw_rows

NUMBER_COLUMNS = ("estimate", "ci95_low", "ci95_high", "p", "is_headline")
SHORT_NAMES = {"return form": "returns", "news days in the window": "news days", "estimation sessions": "sessions"}
STRIP_HEIGHT, OPTION_ROW, LABELS = 230.0, 15.0, 200.0


def sort_curve(frame: pd.DataFrame) -> pd.DataFrame:
    """Specifications by their estimate, with their place.

    Raises
    ------
    ValueError
        For a frame without rows, or with another number of headlines than one.
    """
    if (found := int(frame["is_headline"].sum())) != 1:
        raise ValueError(
            f"a specification curve needs exactly one headline; found {found} in {len(frame)} specifications."
        )
    numbers = frame.sort_values("estimate", kind="stable", ignore_index=True)
    numbers.insert(0, "place", np.arange(1, len(numbers) + 1))
    return numbers


def _list_options(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """The choices that vary, with their options."""
    choices = [name for name in frame.columns if name not in (*NUMBER_COLUMNS, "place")]
    return {name: list(dict.fromkeys(frame[name])) for name in choices if frame[name].nunique() > 1}


def draw_specification_strip(frame: pd.DataFrame, *, is_whole: bool = False) -> Drawing:
    """Estimates of all specifications with their intervals, smallest first; whole, it has a first screen to itself."""
    numbers = sort_curve(frame)
    title, under = f"{format_count(len(numbers))} specifications", "smallest estimate first, with 95 % intervals"
    caption = "" if is_whole else "They share prices and shock: it shows how far the model matters."

    def draw(width: float) -> Canvas:
        return _draw_strip(width, numbers, STRIP_HEIGHT).canvas

    wide = WIDE if is_whole else WIDE_DAYS
    return Drawing("specification_strip", title, under, _describe(numbers), numbers, draw, wide, caption)


def draw_options(frame: pd.DataFrame) -> Drawing:
    """What each option does: a bar from the smallest to the largest estimate of the specifications that take it."""
    numbers = sort_curve(frame)
    head = numbers[numbers["is_headline"]].iloc[0]
    rows, table = [], []
    for name, option in ((name, option) for name, options in _list_options(frame).items() for option in options):
        taken = numbers[numbers[name] == option]
        low, middle, high = (float(end) for end in taken["estimate"].quantile([0, 0.5, 1]))
        smallest, weight = float(taken["p"].min()), "headline" if head[name] == option else "plain"
        label = str(option) if name == "model" else f"{SHORT_NAMES.get(name, name)}: {option}"
        cells = (str(len(taken)), format_p(smallest) if smallest == smallest else "n/a")
        rows.append(EffectRow(label, middle, (low, high), cells=cells, size=4, weight=weight))
        table.append((name, option, len(taken), low, high, smallest))
    return draw_rows(
        rows, ("choice", "median", "range", "number", "smallest p"), name="specification_choices",
        title="What each choice does", subtitle="estimates of the specifications that share it, %",
        numbers=pd.DataFrame(table, columns=["choice", "value", "n_computed", "estimate_low", "estimate_high", "p_low"]),
        mean=float(head["estimate"]), caption=say("captions.specification_choices"),
    )  # fmt: skip


def draw_specification_curve(frame: pd.DataFrame) -> Drawing:
    """Estimates of all specifications above the choices that made them, the headline marked.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a specification: ``estimate``, ``ci95_low``, ``ci95_high`` (fractions), ``p`` (may be
        missing), ``is_headline``; every other column is a choice, its values in words.
    """
    numbers, options = sort_curve(frame), _list_options(frame)
    fixed = [f"{name}: {frame[name].iloc[0]}" for name in frame.columns if name not in (*NUMBER_COLUMNS, *options)]

    def draw(width: float) -> Canvas:
        rows = sum(1 + len(held) for held in options.values())
        chart = _draw_strip(width, numbers, STRIP_HEIGHT + OPTION_ROW * rows, below=OPTION_ROW * rows)
        _draw_choices(chart, numbers, options)
        return chart.canvas

    under = f"{format_count(len(numbers))} combinations of choices, smallest estimate first"
    counted = "; ".join(f"{name} ({len(held)})" for name, held in options.items()) or "none varied"
    told = f"{_describe(numbers)} Choices and their numbers of options: {counted}."
    caption = say("captions.specification_curve", shared=f" Shared by all: {'; '.join(fixed)}." if fixed else "")
    return Drawing("specification_curve", "The specification curve", under, told, numbers, draw, caption=caption)


def _excludes_zero(numbers: pd.DataFrame) -> pd.Series:
    return (numbers["ci95_low"] > 0) | (numbers["ci95_high"] < 0)


def _draw_strip(width: float, numbers: pd.DataFrame, height: float, *, below: float = 0.0) -> Chart:
    ends = pad_range([*numbers["ci95_low"], *numbers["ci95_high"]])
    left, outside = (LABELS if width > 400 else 120.0) if below else 46.0, _excludes_zero(numbers)
    chart = Chart(width, height, (0.3, len(numbers) + 0.7), ends, left=left, bottom=below + 24)
    chart.draw_y(label_ticks(*ends, most=6))
    stroke = float(np.clip(0.7 * (width - left) / len(numbers), 0.6, 5))
    for part, paint in ((numbers[~outside], "dots"), (numbers[outside], "denial")):
        strokes = [(chart.at_x(r.place), chart.at_y(r.ci95_high), chart.at_y(r.ci95_low)) for r in rows_of(part)]
        if strokes:
            chart.canvas.strokes(strokes, paint, width=stroke)
    chart.canvas.dots(chart.points(numbers["place"], numbers["estimate"]), min(max(stroke * 0.7, 1.2), 3), "ink")
    head = numbers[numbers["is_headline"]].iloc[0]
    chart.line((head["place"],) * 2, ends, "report", width=1, dash="3 2")
    said = f"headline {format_percent(head['estimate'], digits=1)}"
    chart.mark("diamond", head["place"], head["estimate"], "report", size=7, title=said)
    chart.label(head["place"], ends[1], said, paint="report-text", lift=4, is_bold=True)
    count = int(outside.sum())
    said = f"blue: the interval leaves out zero ({count})" if count else "every interval holds zero"
    chart.canvas.text(left, chart.base + 15, said, paint="denial-text" if count else "soft", size=12)
    return chart


def _draw_choices(chart: Chart, numbers: pd.DataFrame, options: dict[str, list[Any]]) -> None:
    """One line an option, a tick where a specification takes it; options stand under their choice."""
    canvas, level, most = chart.canvas, chart.base + 34, 32 if chart.width > 400 else 18
    head = numbers[numbers["is_headline"]].iloc[0]
    for name, held in options.items():
        canvas.text(0, level, name, size=11.5, is_bold=True)
        level += OPTION_ROW
        for option in held:
            is_head = head[name] == option
            taken = numbers.loc[numbers[name] == option, "place"]
            strokes = [(chart.at_x(place), level - 9, level + 1) for place in taken]
            canvas.strokes(strokes, "rule", width=max((chart.width - chart.left) / len(numbers) * 0.7, 0.6))
            canvas.text(8, level, cut_label(str(option), most), paint="report-text" if is_head else "ink", size=11)
            if is_head:
                canvas.mark("diamond", chart.at_x(head["place"]), level - 4, "report", size=5)
            level += OPTION_ROW


def _describe(numbers: pd.DataFrame) -> str:
    head = numbers[numbers["is_headline"]].iloc[0]
    p = f", {p_equals(float(head['p']))}" if pd.notna(head["p"]) else ""
    return (
        f"{format_count(len(numbers))} estimates from {format_percent(numbers['estimate'].iloc[0])} to "
        f"{format_percent(numbers['estimate'].iloc[-1])}; the 95 % interval leaves out zero in "
        f"{format_count(int(_excludes_zero(numbers).sum()))} of them. The headline is number {int(head['place'])}: "
        f"{format_percent(head['estimate'])}, 95 % interval {format_interval((head['ci95_low'], head['ci95_high']))}{p}."
    )
