"""A chart on a canvas: two scales in data units, their axes, and bands and lines that break where a number is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from event_impact.page.canvas import Canvas, choose_ticks, label_ticks, measure_text
from event_impact.page.format import signed_whole

Values = Iterable[float]


@dataclass
class Chart:
    """A pane with two linear scales; its canvas holds what was drawn.

    Attributes
    ----------
    width, height : float
        Of the canvas, CSS pixels.
    x, y : (float, float)
        Ends of the scales, in data units.
    canvas : Canvas, optional
        Another chart's, to draw a second pane on.
    """

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]
    left: float = 46
    right: float = 12
    top: float = 12
    bottom: float = 44
    canvas: Canvas = field(default_factory=lambda: Canvas(0, 0))

    def __post_init__(self) -> None:
        if not self.canvas.width:
            self.canvas = Canvas(self.width, self.height)

    @property
    def base(self) -> float:
        """y of the axis below, in pixels."""
        return self.height - self.bottom

    def at_x(self, value: float) -> float:
        """A value of the first scale in pixels."""
        low, high = self.x
        return self.left + (float(value) - low) / (high - low) * (self.width - self.right - self.left)

    def at_y(self, value: float) -> float:
        """A value of the second scale in pixels."""
        low, high = self.y
        return self.base - (float(value) - low) / (high - low) * (self.base - self.top)

    def points(self, xs: Values, ys: Values) -> list[tuple[float, float]]:
        """Pairs in pixels; a missing y stays missing."""
        return [(self.at_x(x), self.at_y(y)) for x, y in zip(xs, ys, strict=True)]

    def line(
        self, xs: Values, ys: Values, paint: str, *, width: float = 1.8, dash: str = "", title: str = ""
    ) -> None:  # fmt: skip
        """A line, broken where a value is missing."""
        for part in _split(self.points(xs, ys)):
            self.canvas.path(part, paint, width=width, dash=dash, title=title)

    def band(self, xs: Values, low: Values, high: Values, paint: str, *, title: str = "") -> None:
        """The area between two lines; one value alone gets the width of a session."""
        xs = list(xs)
        pairs = [(x, a, b) for x, a, b in zip(xs, low, high, strict=True) if np.isfinite(a) and np.isfinite(b)]
        if len(pairs) == 1:
            pairs = [(pairs[0][0] + side, *pairs[0][1:]) for side in (-0.4, 0.4)]
        edge = [(self.at_x(x), self.at_y(b)) for x, _, b in pairs]
        self.canvas.area([*edge, *((self.at_x(x), self.at_y(a)) for x, a, _ in reversed(pairs))], paint, title=title)

    def mark(self, shape: str, x: float, y: float, paint: str, *, size: float = 5, title: str = "") -> None:
        """A mark at a pair of values; a missing one is left out."""
        if np.isfinite(y):
            self.canvas.mark(shape, self.at_x(x), self.at_y(y), paint, size=size, title=title)

    def strip(self, first: float, last: float, title: str) -> None:
        """A shaded stretch of the first scale."""
        near, far = self.at_x(first), self.at_x(last)
        self.canvas.rect(near, self.top, far - near, self.base - self.top, "zone", title=title)

    def label(
        self, x: float, y: float, text: str, *, paint: str = "ink", lift: float = -8, is_bold: bool = False
    ) -> None:
        """A label over a pair of values, kept inside the canvas."""
        half = measure_text(text, 12.5) / 2 + 2
        place = min(max(self.at_x(x), half), self.width - half)
        self.canvas.text(
            place, self.at_y(y) + lift, text, paint=paint, anchor="middle", is_bold=is_bold, has_halo=True
        )  # fmt: skip

    def draw_x(self, ticks: Mapping[float, str], label: str) -> None:
        """The axis below."""
        self.canvas.line(self.left, self.base, self.width - self.right, self.base, "ink")
        for value, text in ticks.items():
            place, half = self.at_x(value), measure_text(text, 12) / 2
            self.canvas.line(place, self.base, place, self.base + 5, "ink")
            self.canvas.text(min(place, self.width - half), self.base + 18, text, size=12, anchor="middle")
        self.canvas.text(self.left, self.base + 36, label, paint="soft", size=12)

    def draw_y(self, ticks: Mapping[float, str]) -> None:
        """Faint lines across with their values; that of zero is darker."""
        for value, text in ticks.items():
            level = self.at_y(value)
            self.canvas.line(self.left, level, self.width - self.right, level, "faint" if value else "rule")
            self.canvas.text(self.left - 6, level + 4, text, paint="soft", size=12, anchor="end")


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """Rows by the names of their columns."""
    return iter(frame.itertuples())


def _split(points: list[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    part: list[tuple[float, float]] = []
    for point in [*points, (0.0, float("nan"))]:
        if np.isfinite(point[1]):
            part.append(point)
        elif part:
            yield part
            part = []


def pad_range(values: Values, *, share: float = 0.08, with_zero: bool = True) -> tuple[float, float]:
    """Ends of a scale that holds the finite values, and zero, with some room."""
    held = [float(v) for v in values if np.isfinite(v)] + [0.0] * with_zero
    room = share * (max(held) - min(held)) or 0.01
    return min(held) - room, max(held) + room


def chart_sessions(
    width: float, sessions: pd.Series, values: Values, hull: tuple[int, int], *, height: float = 280
) -> Chart:  # fmt: skip
    """A chart of percentages over sessions from the event, the candidate sessions shaded."""
    first, last = float(sessions.min()), float(sessions.max())
    chart = Chart(width, height, (first - 0.7, last + 0.7), pad_range(values))
    chart.strip(hull[0] - 0.5, hull[1] + 0.5, "sessions that report and first denial can have reached")
    chart.draw_y(label_ticks(*chart.y, most=6))
    draw_session_axis(chart)
    return chart


def draw_session_axis(chart: Chart) -> None:
    """Whole sessions below a chart."""
    ticks = [t for t in choose_ticks(*chart.x, most=9 if chart.width > 400 else 6) if t == round(t)]
    chart.draw_x({t: signed_whole(t) for t in ticks}, "sessions from the event session, which is 0")
