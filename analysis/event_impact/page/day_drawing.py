"""Effects among ordinary days: one dot a day, estimates with their intervals below, what would have been seen shaded."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from event_impact.page.canvas import Canvas, Chart, Drawing, label_ticks, measure_text, say_ends
from event_impact.page.format import format_percent
from event_impact.page.row_drawing import EffectRow

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Scale = Callable[[float], float]
STACK_HEIGHT, ROW_HEIGHT, AXIS_HEIGHT, TOP = 300, 46, 46, 4
#: Radii, and a number; where more stand or even the smallest do not fit, bars take the place of dots.
LARGEST_DOT, SMALLEST_DOT, MOST_DOTS = 4.0, 1.3, 2_000
N_BARS = 60


def draw_days(
    ordinary: Array, effects: Sequence[EffectRow], *, seen_from: float | None, axis_label: str, **said: Any
) -> Drawing:
    """Ordinary days as dots, effects below them, and the zone that would have been seen four times in five.

    Parameters
    ----------
    ordinary : array, shape (n,)
        Abnormal returns of ordinary days, fractions.
    seen_from : float or None
        Smallest size found four times in five, a fraction; None where it is not known.
    **said
        Title, subtitle, description and the like, as :class:`Drawing` takes them.
    """
    marks = [("ordinary", float(value), None, None) for value in ordinary]
    below = [(e.label, e.estimate, *(e.interval or (None, None))) for e in effects]
    numbers = pd.DataFrame([*marks, *below], columns=["mark", "value", "low", "high"])

    draw = partial(_draw, ordinary=ordinary, effects=effects, seen_from=seen_from, axis_label=axis_label)
    return Drawing(numbers=numbers, draw=draw, **{"name": "days", **said})


def _draw(
    width: float, ordinary: Array, effects: Sequence[EffectRow], seen_from: float | None, axis_label: str
) -> Canvas:  # fmt: skip
    stack = STACK_HEIGHT if width > 400 else 220
    base = TOP + stack
    reach = [*np.abs(ordinary), *(abs(e.estimate or 0.0) for e in effects), seen_from or 0.0]
    reach += [abs(end) for e in effects if e.interval for end in e.interval if np.isfinite(end)]
    limit = 1.06 * float(max(reach))
    height = base + 6 + ROW_HEIGHT * len(effects) + AXIS_HEIGHT
    chart = Chart(width, height, (-limit, limit), (0, 1), left=4, right=4, top=TOP, bottom=AXIS_HEIGHT)
    canvas, at = chart.canvas, chart.at_x
    if seen_from is not None:
        _shade(chart, seen_from)
    stack_dots(canvas, at, ordinary, base, stack - 48)
    canvas.line(4, base, width - 4, base, "faint")
    canvas.line(at(0), TOP + 4, at(0), chart.base, "rule")
    for number, effect in enumerate(effects):
        _draw_effect(canvas, at, effect, base + 24 + ROW_HEIGHT * number, stem_from=base)
    chart.draw_x(label_ticks(-limit, limit, most=7 if width > 400 else 5), axis_label)
    return canvas


def _shade(chart: Chart, seen_from: float) -> None:
    canvas, left, right = chart.canvas, chart.at_x(-seen_from), chart.at_x(seen_from)
    said = f"\u00b1{100 * seen_from:.2g}\u00a0%"
    for near, far in ((chart.x[0], -seen_from), (seen_from, chart.x[1])):
        chart.strip(near, far, f"moves of {said} or more would have been seen four times in five")
    lines = ("would have been", "seen 4 times in 5", f"from {said}")
    room = canvas.width - 4 - right
    x, anchor = (right + 8, "start") if room > measure_text(lines[1], 12.5) + 8 else (canvas.width - 8, "end")
    for number, line in enumerate(lines):
        canvas.text(x, TOP + 16 + 16 * number, line, paint="zone-text", anchor=anchor, has_halo=anchor == "end")
    if left - 4 > measure_text(lines[0], 12.5) + 8:
        canvas.text(left - 8, TOP + 16, "would have been", paint="zone-text", anchor="end")
        canvas.text(left - 8, TOP + 32, "seen", paint="zone-text", anchor="end")


def stack_dots(
    canvas: Canvas, at: Scale, values: Array, base: float, room: float, *, is_dark: np.ndarray | None = None
) -> list[tuple[float, float]]:
    """Values as dots in columns, as large as the room allows; bars where even small dots would not fit. Gives their tops."""
    x = np.array([at(v) for v in values])
    radius = LARGEST_DOT if len(values) <= MOST_DOTS else 0.0
    while radius >= SMALLEST_DOT:
        pitch = 2 * radius + 0.4
        column = np.round((x - canvas.width / 2) / (pitch * 1.15)).astype(int)
        heights = np.bincount(column - column.min()) if len(column) else np.zeros(1, dtype=int)
        if heights.max() * pitch <= room:
            break
        radius -= 0.2
    if radius < SMALLEST_DOT:
        counts, edges = np.histogram(x, bins=N_BARS)
        tops = [(float(x), base - float(room * n / counts.max())) for n, x in zip(counts, edges, strict=False)]
        for count, (left, top) in zip(counts, tops, strict=True):
            canvas.rect(left, top, float(edges[1] - edges[0]) - 0.5, base - top, "dots", title=f"{count}")
        return tops
    below = pd.Series(column).groupby(column).cumcount() * pitch
    points = list(zip(canvas.width / 2 + column * pitch * 1.15, base - radius - 1 - below, strict=True))
    dark = np.zeros(len(points), dtype=bool) if is_dark is None else is_dark
    for is_out, paint in ((False, "dots"), (True, "ink")):
        if dark.any() or not is_out:
            canvas.dots([p for p, is_dark in zip(points, dark, strict=True) if is_dark == is_out], radius, paint)
    return points


def _draw_effect(canvas: Canvas, at: Scale, effect: EffectRow, y: float, *, stem_from: float) -> None:
    estimate = effect.estimate or 0.0
    x, said = at(estimate), f"{effect.label} {format_percent(estimate, digits=1)}"
    if effect.interval is not None:
        (low, high), interval = map(at, effect.interval), say_ends(effect.interval)
        canvas.line(low, y, high, y, effect.role, width=3.5, title=f"95 % interval {interval} %")
        text = f"95\u00a0% interval {interval}" if canvas.width > 400 else interval
        wide = measure_text(text, 12.5)
        place, anchor = (high + 8, "start") if high + 8 + wide < canvas.width else (low - 8, "end")
        level = y + 4
        if anchor == "end" and low - 8 - wide < 0:
            place, anchor, level = canvas.width / 2, "middle", y - 8
        canvas.text(place, level, text, anchor=anchor, paint=f"{effect.role}-text", has_halo=True)
    canvas.line(x, stem_from, x, y, effect.role, dash="2 3")
    canvas.mark("diamond", x, y, effect.role, title=said)
    look = {"paint": f"{effect.role}-text", "size": 13, "is_bold": True, "has_halo": True}
    canvas.label(x, y + 22, said, margin=4, **look)
