"""Effects among ordinary days: one dot a day, estimates with their intervals below, what would have been seen shaded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from event_impact.page.canvas import Canvas, Drawing, label_ticks, measure_text
from event_impact.page.format import format_number

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Scale = Callable[[float], float]
STACK_HEIGHT, ROW_HEIGHT, AXIS_HEIGHT, TOP = 300, 46, 46, 4
LARGEST_DOT, SMALLEST_DOT, MOST_DOTS = 4.0, 1.3, 2_000
"""Radii, and a number; where more stand or even the smallest do not fit, bars take the place of dots."""
N_BARS = 60


@dataclass(frozen=True)
class Effect:
    """One estimate below the dots.

    ``role`` is ``report``, ``denial`` or ``joint``; ends of the interval may be infinite, or missing with it.
    """

    label: str
    role: str
    estimate: float
    interval: tuple[float, float] | None


def draw_days(
    ordinary: Array, effects: Sequence[Effect], *, seen_from: float | None, axis_label: str, **said: Any
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

    def draw(width: float) -> Canvas:
        return _draw(width, ordinary, effects, seen_from, axis_label)

    return Drawing(numbers=numbers, draw=draw, **{"name": "days", **said})


def _draw(
    width: float, ordinary: Array, effects: Sequence[Effect], seen_from: float | None, axis_label: str
) -> Canvas:  # fmt: skip
    stack = STACK_HEIGHT if width > 400 else 220
    base = TOP + stack
    bottom = base + 6 + ROW_HEIGHT * len(effects)
    canvas = Canvas(width, bottom + AXIS_HEIGHT)
    reach = [*np.abs(ordinary), *(abs(e.estimate) for e in effects), seen_from or 0.0]
    reach += [abs(end) for e in effects if e.interval for end in e.interval if np.isfinite(end)]
    limit = 1.06 * float(max(reach))

    def at(value: float) -> float:
        return width / 2 + min(max(value, -limit), limit) / limit * (width / 2 - 4)

    if seen_from is not None:
        _shade(canvas, at, seen_from, limit, bottom)
    stack_dots(canvas, at, ordinary, base, stack - 48)
    canvas.line(4, base, width - 4, base, "faint")
    canvas.line(at(0), TOP + 4, at(0), bottom, "rule")
    for number, effect in enumerate(effects):
        _draw_effect(canvas, at, effect, base + 24 + ROW_HEIGHT * number, stem_from=base)
    canvas.line(4, bottom, width - 4, bottom, "ink")
    for tick, text in label_ticks(-limit, limit, most=7 if width > 400 else 5).items():
        half, x = measure_text(text, 12) / 2, at(tick)
        canvas.line(x, bottom, x, bottom + 5, "ink")
        canvas.text(min(max(x, half), width - half), bottom + 18, text, size=12, anchor="middle")
    canvas.text(4, bottom + 36, axis_label, paint="soft", size=12)
    return canvas


def _shade(canvas: Canvas, at: Scale, seen_from: float, limit: float, bottom: float) -> None:
    left, right = at(-seen_from), at(seen_from)
    said = f"\u00b1{100 * seen_from:.2g}\u00a0%"
    title = f"moves of {said} or more would have been seen four times in five"
    canvas.rect(4, TOP, max(left - 4, 0), bottom - TOP, "zone", title=title)
    canvas.rect(right, TOP, max(canvas.width - 4 - right, 0), bottom - TOP, "zone", title=title)
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
    level: dict[int, int] = {}
    points = []
    for place in column.tolist():
        level[place] = level.get(place, 0) + 1
        points.append((canvas.width / 2 + place * pitch * 1.15, base - radius - 1 - (level[place] - 1) * pitch))
    dark = np.zeros(len(points), dtype=bool) if is_dark is None else is_dark
    for is_out, paint in ((False, "dots"), (True, "ink")):
        if dark.any() or not is_out:
            canvas.dots([p for p, is_dark in zip(points, dark, strict=True) if is_dark == is_out], radius, paint)
    return points


def _draw_effect(canvas: Canvas, at: Scale, effect: Effect, y: float, *, stem_from: float) -> None:
    x = at(effect.estimate)
    said = f"{effect.label} {format_number(100 * effect.estimate, digits=1)}\u00a0%"
    if effect.interval is not None:
        low, high = (at(end) for end in effect.interval)
        interval = " to ".join(
            format_number(100 * end, digits=1) if np.isfinite(end) else ("\u2212\u221e" if end < 0 else "+\u221e")
            for end in effect.interval
        )
        canvas.line(low, y, high, y, effect.role, width=3.5, title=f"95 % interval {interval} %")
        text = f"95\u00a0% interval {interval}" if canvas.width > 400 else interval
        wide = measure_text(text, 12.5)
        place, anchor = (high + 8, "start") if high + 8 + wide < canvas.width else (low - 8, "end")
        if anchor == "end" and low - 8 - wide < 0:
            place, anchor, y_text = canvas.width / 2, "middle", y - 8
        else:
            y_text = y + 4
        canvas.text(place, y_text, text, anchor=anchor, paint=f"{effect.role}-text", has_halo=True)
    canvas.line(x, stem_from, x, y, effect.role, dash="2 3")
    canvas.mark("diamond", x, y, effect.role, title=said)
    half = measure_text(said, 13) / 2
    canvas.text(
        min(max(x, half + 4), canvas.width - half - 4), y + 22, said, paint=f"{effect.role}-text", size=13,
        anchor="middle", is_bold=True, has_halo=True,
    )  # fmt: skip
