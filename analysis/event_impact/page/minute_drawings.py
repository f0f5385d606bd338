"""The two drawings of the minute study: price and news on the clock, and effects beside ordinary stretches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from event_impact.inference.minute_result import MinuteResult
from event_impact.page.canvas import WIDE_CLOCK, WIDE_DAYS, Canvas, Drawing, choose_ticks, measure_text
from event_impact.page.format import format_number
from event_impact.page.row_drawing import EffectRow, draw_rows

# Narrower drawings are laid out for a phone.
PHONE = 400
LEFT, TOP, PANEL, BARS, AXIS = 38.0, 50.0, 150.0, 58.0, 40.0
# Half-width of the band of ordinary bars, in standard deviations of their clock.
BAND = 2.0
# Declared window -> the role that gives its colour; what holds both is black.
ROLES = {"report": "report", "before the denial": "report", "denial": "denial"}


def say_clock(at: pd.Timestamp, zone: str, style: str = "%H:%M") -> str:
    """The local clock of an instant, such as ``9:31``."""
    return at.tz_convert(zone).strftime(style).lstrip("0")


def say_zone(zone: str, at: pd.Timestamp) -> str:
    """``New York time (UTC less 4 hours)``."""
    hours = (at.tz_convert(zone).tz_localize(None) - at.tz_localize(None)).total_seconds() / 3600
    city = zone.rsplit("/", 1)[-1].replace("_", " ")
    return f"{city} time (UTC {'less' if hours < 0 else 'plus'} {abs(hours):g} hours)"


def _say(value: float) -> str:
    return f"{format_number(100 * value, digits=1)}\u00a0%"


class _Clock:
    """The first drawing at one width: a panel of lines over a strip of bars."""

    def __init__(self, width: float, result: MinuteResult, zone: str) -> None:
        self.result, self.zone, self.ends = result, zone, result.grid.ends
        self.right, self.bottom = width - (126.0 if width > PHONE else 92.0), TOP + PANEL + 14 + BARS
        self.canvas = Canvas(width, self.bottom + AXIS)
        known = result.grid.is_known
        prices, total = (
            result.grid.prices[-1][known],
            np.concatenate([[0.0], np.cumsum(result.fit.event_residuals)])[known],
        )
        self.at, self.lines = self.ends[known], (prices / prices[0] - 1, total - total[0])
        self.low, self.high = float(np.min(self.lines)), float(np.max(self.lines))
        self.shaded = [(row, ROLES.get(row.span.name, "joint")) for row, _ in result.tested if row.span.is_declared]
        self.risen = [row.span.name for row, _ in self.shaded if (row.estimate or 0.0) >= 0]
        self.head = 10.0 + 16 * len(self.risen)  # the labels of rises stand above the lines

    def x(self, at: pd.Timestamp) -> float:
        share = float((min(max(at, self.ends[0]), self.ends[-1]) - self.ends[0]) / (self.ends[-1] - self.ends[0]))
        return LEFT + (self.right - LEFT) * share

    def y(self, value: float) -> float:
        return TOP + self.head + (self.high - value) * (PANEL - 10 - self.head) / max(self.high - self.low, 1e-9)

    def draw(self) -> Canvas:
        canvas = self.canvas
        for row, role in self.shaded:
            near, far = self.x(row.starts_at), self.x(row.ends_at)
            canvas.add("rect", role, x=near, y=TOP, width=far - near, height=self.bottom - TOP, fill="currentColor",
                       opacity=0.12)  # fmt: skip
        for tick in choose_ticks(100 * self.low, 100 * self.high, most=5):
            canvas.line(LEFT, self.y(tick / 100), self.right, self.y(tick / 100), "faint" if tick else "rule")
            canvas.text(LEFT - 6, self.y(tick / 100) + 4, format_number(tick, digits=0), anchor="end", size=12)
        model = self.result.model if canvas.width > PHONE else self.result.grid.benchmark_ticker or "mean"
        labels = [(self.lines[0], "soft", self.result.grid.ticker), (self.lines[1], "ink", f"less {model}")]
        level = 0.0
        for values, paint, label in sorted(labels, key=lambda line: -float(line[0][-1])):
            points = [(self.x(at), self.y(float(value))) for at, value in zip(self.at, values, strict=True)]
            canvas.path(points, paint, width=2 if paint == "ink" else 1.3)
            canvas.dots(points if paint == "ink" else [], 2.3, paint)
            level = max(points[-1][1] - 2, level)
            for text in (label, _say(float(values[-1]))):
                canvas.text(self.right + 5, level, text, paint=paint, size=11.5, is_bold=paint == "ink")
                level += 16
        self._draw_each_bar()
        self._draw_news()
        for row, role in self.shaded:
            text = f"{row.span.name} {_say(row.estimate or 0.0)}"
            half = measure_text(text, 13) / 2
            place = min(max((self.x(row.starts_at) + self.x(row.ends_at)) / 2, LEFT + half + 2), self.right - half)
            name = row.span.name
            level = TOP + (16 + 16 * self.risen.index(name) if name in self.risen else PANEL - 4)
            canvas.text(place, level, text, paint=f"{role}-text", size=13, anchor="middle", is_bold=True, has_halo=True)
        return canvas

    def _draw_each_bar(self) -> None:
        """Each bar's abnormal return on the band of ordinary bars of its clock, and the clock below."""
        canvas, bars, base = self.canvas, self.result.fit.event_residuals, self.bottom - BARS / 2
        band = BAND * np.sqrt(self.result.fit.scaled_variance) * self.result.fit.scale
        unit = (BARS / 2 - 4) / float(max(np.abs(bars).max(), band.max()))
        places = [self.x(at) for at in self.ends]
        middles = [(a + b) / 2 for a, b in pairwise(places)]
        upper = [(m, base - unit * float(b)) for m, b in zip(middles, band, strict=True)]
        canvas.area([*upper, *((m, 2 * base - y) for m, y in reversed(upper))], "faint", title="usual for its clock")
        for middle, end, value in zip(middles, self.ends[1:], bars, strict=True):
            role = next((role for row, role in self.shaded if row.starts_at < end <= row.ends_at), "soft")
            size, wide = unit * abs(float(value)), 0.6 * (places[1] - places[0])
            canvas.rect(middle - wide / 2, base - size * (value > 0), wide, max(size, 0.5), role,
                        title=f"to {say_clock(end, self.zone)}: {_say(float(value))}")  # fmt: skip
        canvas.line(LEFT, base, self.right, base, "ink", width=0.8)
        for number, text in enumerate(("each bar;", "grey: usual", "for its clock")):
            canvas.text(self.right + 6, base - 10 + 14 * number, text, paint="soft", size=11)
        canvas.line(LEFT, self.bottom, self.right, self.bottom, "ink")
        for at in self.ends[:: max(round(len(self.ends) / (5 if canvas.width > PHONE else 3)), 1)]:
            canvas.line(self.x(at), self.bottom, self.x(at), self.bottom + 5, "ink")
            canvas.text(self.x(at), self.bottom + 18, say_clock(at, self.zone), size=12, anchor="middle")
        canvas.text(LEFT, self.bottom + 35, say_zone(self.zone, self.ends[0]), paint="soft", size=12)

    def _draw_news(self) -> None:
        """Intervals above the panel, fading in where nothing within the session bounds them; a known second runs down."""
        canvas, aligned = self.canvas, self.result.alignment
        for number, article in enumerate(a for a in (aligned.report, aligned.denial) if a):
            near, far, level = self.x(article.published_earliest), self.x(article.published_latest), 6.0 + 22 * number
            is_open, is_instant = article.published_earliest < self.ends[0], far - near < 3
            label = f"{article.outlet}: at an unknown time before" if is_open else article.outlet
            if is_instant:
                label += f", {say_clock(article.published_earliest, self.zone, '%H:%M:%S')}"
                canvas.line(near, level + 2, near, self.bottom, article.role, width=2, title=label)
            steps = 0 if is_instant else 8 if is_open else 1
            for step in range(steps):
                canvas.add("rect", article.role, title=label, x=near + (far - near) * step / steps, y=level + 11, height=5,
                           width=(far - near) / steps, fill="currentColor", opacity=(step + 1) / steps)  # fmt: skip
            start = min(near + 6 * is_instant, canvas.width - measure_text(label, 12.5))
            canvas.text(start, level + 7, label, paint=f"{article.role}-text", has_halo=True)


def draw_bars(result: MinuteResult, *, zone: str, title: str, subtitle: str, description: str) -> Drawing:
    """Price and abnormal return through the session, every bar below, the news above, the declared windows shaded."""
    clock = _Clock(WIDE_DAYS, result, zone)
    numbers = pd.DataFrame({"ends_at": clock.at, "price_change": clock.lines[0], "abnormal": clock.lines[1]})
    return Drawing("minutes_clock", title, subtitle, description, numbers,
                   lambda width: _Clock(width, result, zone).draw(), WIDE_DAYS)  # fmt: skip


def draw_effects(
    result: MinuteResult, daily: tuple[float, tuple[float, float] | None] | None, *, zone: str
) -> Drawing:  # fmt: skip
    """The declared windows and the total on one scale, with ordinary stretches of their length; a day's number below."""
    rows = [
        EffectRow(f"{row.span.name}, {say_clock(row.starts_at, zone)} to {say_clock(row.ends_at, zone)}", test.estimate,
                  test.ci95, role=ROLES.get(row.span.name, "joint"), dots=test.placebos[np.isfinite(test.placebos)])
        for row, test in result.tested if row.span.is_declared or row.span.name == "in total"
    ]  # fmt: skip
    rows += [EffectRow("by days, the whole session", *daily)] if daily else []
    numbers = pd.DataFrame(
        [(f"ordinary, {row.label.split(',')[0]}", float(v)) for row in rows for v in row.dots]
        + [(row.label.split(",")[0], row.estimate) for row in rows],
        columns=["mark", "value"],
    )
    return draw_rows(
        rows, ("window", "return, %", "95 % interval"), name="minutes_effects", title="Beside ordinary stretches",
        subtitle="bar: 95 % interval; dots: stretches as long", numbers=numbers, width=WIDE_CLOCK,
    )  # fmt: skip
