"""Small drawings as inline SVG: text that can be selected, titles on marks, colours that follow the page.

Every mark carries its colour as an attribute, so that it stands alone in JupyterLab, and a class, so that the
style sheet of a page can change it in the dark. A drawing is made twice where a phone needs one of its own.

A chart on a canvas: two scales in data units, their axes, and bands and lines that break where a number is missing.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from event_impact.page.exhibits import Exhibit, link_csv
from event_impact.page.format import format_number, signed_whole
from event_impact.page.markup import mark_up

Points = Sequence[tuple[float, float]]

#: Widths for which drawings are laid out, CSS pixels.
WIDE, WIDE_DAYS, WIDE_CLOCK, NARROW = 1120, 656, 416, 358
#: Okabe and Ito's vermilion and blue for report and denial, darker for text; black for their sum.
PAINTS = {
    "ink": "#111111", "soft": "#555555", "rule": "#999999", "faint": "#d4d4d4", "dots": "#a6a6a6", "zone": "#e3eef7",
    "zone-text": "#00598c", "report": "#d55e00", "report-text": "#a34700", "denial": "#0072b2",
    "denial-text": "#00598c", "joint": "#111111", "joint-text": "#111111",
    "paper": "#ffffff",
    "relay": "#767676", "relay-text": "#555555", "other": "#555555", "other-text": "#555555", "panel": "#f3f3f3",
    "band": "#d9dde0", "wide-band": "#ebedef",
}  # fmt: skip
#: Mean width of a character of the page's font, in its size.
CHARACTER_WIDTH = 0.58


def measure_text(text: str, size: float) -> float:
    """Width of a text, near enough to keep labels apart."""
    return len(text) * size * CHARACTER_WIDTH


@dataclass
class Canvas:
    """An SVG under construction, in CSS pixels."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def add(self, tag: str, paint: str, *, title: str = "", content: str = "", **attributes: object) -> None:
        """Append one element in one of the paints."""
        held = ((name.replace("_", "-"), value) for name, value in attributes.items() if value is not None)
        shown = "".join(f' {name}="{_shorten(value)}"' for name, value in held)
        inner = (f"<title>{escape(title)}</title>" if title else "") + content
        head = f'<{tag} class="p-{paint}" color="{PAINTS[paint]}"{shown}'
        self.parts.append(f"{head}>{inner}</{tag}>" if inner else f"{head}/>")

    def rect(self, x: float, y: float, width: float, height: float, paint: str, **look: Any) -> None:
        """A filled rectangle; its look is a title and an opacity."""
        self.add("rect", paint, x=x, y=y, width=width, height=height, fill="currentColor", **look)

    def line(self, x1: float, y1: float, x2: float, y2: float, paint: str, **look: Any) -> None:
        """A straight line, by default one pixel wide; looks as :meth:`path` takes them."""
        self.path([(x1, y1), (x2, y2)], paint, **{"width": 1, **look})

    def path(self, points: Points, paint: str, *, width: float = 1.5, dash: str = "", title: str = "") -> None:
        """A line through points."""
        steps = "L".join(f"{_shorten(x)} {_shorten(y)}" for x, y in points)
        look: dict[str, Any] = {"stroke": "currentColor", "stroke_width": width, "stroke_dasharray": dash or None}
        self.add("path", paint, title=title, d=f"M{steps}", fill="none", **look)

    def strokes(self, ends: Sequence[tuple[float, float, float]], paint: str, *, width: float) -> None:
        """Many vertical strokes, each an x and two y, as one element."""
        steps = "".join(f"M{_shorten(x)} {_shorten(top)}V{_shorten(bottom)}" for x, top, bottom in ends)
        self.add("path", paint, d=steps, stroke="currentColor", stroke_width=width, fill="none")

    def area(self, points: Points, paint: str, *, opacity: float = 1, title: str = "") -> None:
        """A filled polygon."""
        steps = " ".join(f"{_shorten(x)},{_shorten(y)}" for x, y in points)
        self.add("polygon", paint, title=title, points=steps, fill="currentColor", opacity=opacity)

    def dots(self, points: Points, radius: float, paint: str) -> None:
        """Many equal dots as one element: a page carries hundreds of them."""
        steps = "".join(f"M{_shorten(x)} {_shorten(y)}h0" for x, y in points)
        look: dict[str, Any] = {"stroke": "currentColor", "stroke_width": 2 * radius, "stroke_linecap": "round"}
        self.add("path", paint, d=steps, **look, fill="none")

    def mark(self, shape: str, x: float, y: float, paint: str, *, size: float = 7, title: str = "") -> None:
        """An estimate (``diamond``), a close (``square``), an open (``ring``) or a day (``dot``)."""
        if shape == "diamond":
            corners, paper = ((x, y - size), (x + size, y), (x, y + size), (x - size, y)), PAINTS["paper"]
            points = " ".join(f"{_shorten(a)},{_shorten(b)}" for a, b in corners)
            self.add("polygon", paint, title=title, points=points, fill="currentColor", stroke=paper, stroke_width=1.2)
        elif shape == "square":
            self.rect(x - size * 0.65, y - size * 0.65, size * 1.3, size * 1.3, paint, title=title)
        else:
            look = {"fill": "currentColor"}
            if shape == "ring":
                look = {"fill": PAINTS["paper"], "stroke": "currentColor", "stroke_width": "1.6"}
            self.add("circle", paint, title=title, cx=x, cy=y, r=size * 0.68, **look)

    def text(
        self, x: float, y: float, text: str, *, paint: str = "ink", size: float = 12.5, anchor: str = "start",
        is_bold: bool = False, has_halo: bool = False,
    ) -> None:  # fmt: skip
        """A label; a halo keeps it readable over marks."""
        weight: dict[str, Any] = {"font_weight": 700 if is_bold else None}
        shared: dict[str, Any] = {"content": escape(text), "x": x, "y": y, "font_size": size, "text_anchor": anchor}
        if has_halo:
            halo: dict[str, Any] = {"stroke_width": 4, "stroke_linejoin": "round", "aria_hidden": "true", **weight}
            self.add("text", "paper", **shared, fill="none", stroke="currentColor", **halo)
        self.add("text", paint, **shared, fill="currentColor", **weight)

    def label(self, x: float, y: float, text: str, *, margin: float = 0, **look: Any) -> None:
        """A label centred on a place, kept inside the canvas; looks as :meth:`text` takes them."""
        half = measure_text(text, look.get("size", 12.5)) / 2 + margin
        self.text(min(max(x, half), self.width - half), y, text, anchor="middle", **look)

    def to_svg(self, label: str) -> str:
        """The finished picture with its description."""
        return (
            f'<svg viewBox="0 0 {_shorten(self.width)} {_shorten(self.height)}" role="img" '
            f'aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg" '
            f'font-family="system-ui, Segoe UI, Roboto, DejaVu Sans, sans-serif">{"".join(self.parts)}</svg>'
        )


def _shorten(value: object) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else escape(str(value))


@dataclass(frozen=True)
class Drawing(Exhibit):
    """A figure: the same marks laid out for a page and for a phone.

    Attributes
    ----------
    name : str
        Snake-case id; also the name of its CSV.
    title, subtitle : str
        Set above it: what it shows, and how to read it.
    description : str
        Alternative text: what a reader who cannot see it would be told.
    numbers : pandas.DataFrame
        What was drawn.
    draw : callable
        Lays the drawing out for a width.
    caption : str
        What must be known to read it, set below; a figure of a first screen has none, and no number.
    """

    name: str
    title: str
    subtitle: str
    description: str
    numbers: pd.DataFrame
    draw: Callable[[float], Canvas]
    width: float = WIDE_DAYS
    caption: str = ""

    def _repr_html_(self) -> str:
        wide, narrow = (self.draw(width).to_svg(self.description) for width in (self.width, NARROW))
        number = below = ""
        if self.caption:
            number, below = (
                '<span class="number">Figure.</span> ',
                f"<p>{mark_up(self.caption)} {link_csv(self.name)}</p>",
            )
        return (
            f'<figure id="{self.name}" class="drawing"><figcaption>{number}<strong>{escape(self.title)}</strong> '
            f'<span>{escape(self.subtitle)}</span></figcaption><div class="wide">{wide}</div>'
            f'<div class="narrow" hidden>{narrow}</div>{below}</figure>'
        )


def say_ends(ends: Iterable[float]) -> str:
    """The ends of an interval in percent, without the unit; one that nothing bounds is infinite."""
    return " to ".join(format_number(100 * end, digits=1).replace("inf", "\u221e") for end in ends)


def choose_ticks(low: float, high: float, *, most: int) -> list[float]:
    """Round values between two ends, at most so many."""
    span = high - low
    least = math.floor(math.log10(span)) - 2
    for step in (factor * 10.0**power for power in range(least, least + 4) for factor in (1, 2, 5)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [k * step for k in range(first, last + 1)]
    return [low, high]


def label_ticks(low: float, high: float, *, most: int, unit: str = "\u00a0%") -> dict[float, str]:
    """Round percentages between two fractions as a reader sees them, the last with its unit."""
    ticks = choose_ticks(100 * low, 100 * high, most=most)
    digits = next((d for d in (0, 1) if all(abs(t * 10**d - round(t * 10**d)) < 1e-9 for t in ticks)), 2)
    return {t / 100: format_number(t, digits=digits) + unit * (t == ticks[-1]) for t in ticks}


Values = Iterable[float]


@dataclass
class Chart:
    """A pane with two linear scales; its canvas holds what was drawn.

    Attributes
    ----------
    width, height : float
        Of the canvas, CSS pixels.
    x, y : (float, float)
        Ends of the scales, in data units; the first may be a scale of instants.
    canvas : Canvas, optional
        Another chart's, to draw a second pane on.
    """

    width: float
    height: float
    x: tuple[Any, Any]
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

    def at_x(self, value: Any) -> float:
        """A value of the first scale in pixels, held inside the chart."""
        low, high = self.x
        return self.left + float((min(max(value, low), high) - low) / (high - low)) * (
            self.width - self.right - self.left
        )

    def at_y(self, value: float) -> float:
        """A value of the second scale in pixels."""
        low, high = self.y
        return self.base - (float(value) - low) / (high - low) * (self.base - self.top)

    def points(self, xs: Iterable[Any], ys: Values) -> list[tuple[float, float]]:
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
        pairs = [(x, a, b) for x, a, b in zip(xs, low, high, strict=True) if np.isfinite(a) and np.isfinite(b)]
        if len(pairs) == 1:
            pairs = [(pairs[0][0] + side, *pairs[0][1:]) for side in (-0.4, 0.4)]
        edge = [(x, b) for x, _, b in pairs] + [(x, a) for x, a, _ in reversed(pairs)]
        self.canvas.area([(self.at_x(x), self.at_y(y)) for x, y in edge], paint, title=title)

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
        look = {"paint": paint, "is_bold": is_bold, "has_halo": True}
        self.canvas.label(self.at_x(x), self.at_y(y) + lift, text, margin=2, **look)

    def draw_x(self, ticks: Mapping[float, str], label: str) -> None:
        """The axis below."""
        self.canvas.line(self.left, self.base, self.width - self.right, self.base, "ink")
        for value, text in ticks.items():
            self.canvas.line(self.at_x(value), self.base, self.at_x(value), self.base + 5, "ink")
            self.canvas.label(self.at_x(value), self.base + 18, text, size=12)
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
    """The stretches of a line without a missing value."""
    for is_known, part in groupby(points, key=lambda point: bool(np.isfinite(point[1]))):
        if is_known:
            yield list(part)


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
