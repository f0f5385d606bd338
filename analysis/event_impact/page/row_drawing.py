"""Effects below each other on one scale, each with its interval, its numbers printed beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from event_impact.page.canvas import Canvas, Chart, Drawing, label_ticks, measure_text, pad_range, say_ends
from event_impact.page.format import cut_label, format_number

Interval = tuple[float, float]
HEAD, ROW, AXIS = 24.0, 25.0, 30.0
#: Height of a row whose label stands over its bar, and the width below which it does.
STACKED_ROW, STACKED_BELOW = 42.0, 450
#: Most of the width that labels may take, and most characters of a cell.
LABEL_SHARE, CELL_LENGTH = 0.42, 44


@dataclass(frozen=True)
class EffectRow:
    """One row: an estimate with its interval, or why there is none.

    Attributes
    ----------
    interval, inner : (float, float) or None
        95 % interval; one inside it, drawn thicker.
    cells : tuple of str
        Printed under the heads at the right, on a page only.
    weight : str
        ``headline`` (set off), ``plain`` or ``beside`` (dashed: shown apart).
    seen_from : float or None
        Size found four times in five; what lies inside is shaded.
    dots : sequence of float
        Further values, drawn small.
    """

    label: str
    estimate: float | None
    interval: Interval | None = None
    inner: Interval | None = None
    cells: tuple[str, ...] = ()
    role: str = "ink"
    size: float = 6
    weight: str = "plain"
    note: str = ""
    seen_from: float | None = None
    dots: Sequence[float] = field(default=(), compare=False)


def draw_rows(rows: Sequence[EffectRow], heads: tuple[str, ...], *, mean: float | None = None, **said: Any) -> Drawing:
    """Rows on one percent scale.

    Parameters
    ----------
    heads : tuple of str
        Over the labels, the estimate, the interval and the cells.
    mean : float, optional
        Where a dotted line runs down.
    **said
        Name, title, numbers and the like, as :class:`Drawing` takes them.
    """
    told = " ".join(f"{r.label}: {_say(r, heads)}." for r in rows)

    return Drawing(description=told, draw=lambda wide: _Rows(wide, rows, heads, mean).draw(), **said)


def _say(row: EffectRow, heads: tuple[str, ...]) -> str:
    if row.estimate is None:
        return f"not available, {row.note}"
    return f"{format_number(100 * row.estimate)} %" + (f", {heads[2]} {say_ends(row.interval)}" if row.interval else "")


class _Rows:
    """The rows at one width."""

    def __init__(self, width: float, rows: Sequence[EffectRow], heads: tuple[str, ...], mean: float | None) -> None:
        self.rows, self.heads, self.mean = rows, heads, mean
        self.is_stacked = width < STACKED_BELOW
        self.step = STACKED_ROW if self.is_stacked else ROW
        self.texts = [self._print(row) for row in rows]
        self.left, self.right, self.columns = 4.0, width - 4, [width - 4]
        if not self.is_stacked:
            wanted = max(measure_text(row.label, 13.5) for row in rows) + 14 if rows else 0.0
            self.left = min(wanted, LABEL_SHARE * width)
            sizes = [max(measure_text(t[k], 13) for t in [heads[1:], *self.texts]) + 16 for k in range(len(heads) - 1)]
            self.columns = [width - sum(sizes[k + 1 :]) for k in range(len(sizes))]
            self.right = width - sum(sizes) - 8
        reach = [v for r in rows for v in (r.estimate, *(r.interval or ()), r.seen_from, *r.dots) if v is not None]
        if any(row.seen_from for row in rows):
            reach.append(-max(row.seen_from or 0.0 for row in rows))
        height, ends, right = HEAD + self.step * len(rows) + 4 + AXIS, pad_range(reach, share=0.04), width - self.right
        self.chart = Chart(width, height, ends, (0, 1), left=self.left, right=right, bottom=AXIS)
        self.canvas, self.x = self.chart.canvas, self.chart.at_x

    def _print(self, row: EffectRow) -> tuple[str, ...]:
        own = "n/a" if row.estimate is None else format_number(100 * row.estimate, digits=1)
        span = say_ends(row.interval or ()) if row.estimate is not None else ""
        held = (own, span, *(cut_label(cell, CELL_LENGTH) for cell in row.cells))
        return (*held, *("",) * (len(self.heads) - 1 - len(held)))

    def draw(self) -> Canvas:
        canvas, base = self.canvas, self.chart.base
        ticks = label_ticks(*self.chart.x, most=max(3, min(7, int((self.right - self.left) / 46))))
        for value in ticks:
            canvas.line(self.x(value), HEAD, self.x(value), base, "faint" if value else "rule")
        self._draw_heads()
        for number, row in enumerate(self.rows):
            self._draw_row(row, self.texts[number], HEAD + self.step * number)
        if self.mean is not None:
            canvas.line(self.x(self.mean), HEAD, self.x(self.mean), base, "ink", dash="2 3")
        canvas.line(self.left, base, self.right, base, "ink")
        for value, text in ticks.items():
            canvas.label(self.x(value), base + 17, text, size=12)
        return canvas

    def _draw_heads(self) -> None:
        self.canvas.text(0, 14, self.heads[0], is_bold=True)
        columns = [self.canvas.width] if self.is_stacked else self.columns
        for place, head in zip(columns, self.heads[1:], strict=False):
            self.canvas.text(place, 14, head, is_bold=True, anchor="end")
        self.canvas.line(0, HEAD - 3, self.canvas.width, HEAD - 3, "ink")

    def _draw_row(self, row: EffectRow, texts: tuple[str, ...], top: float) -> None:
        canvas, is_bold = self.canvas, row.weight == "headline"
        is_soft = "soft" if row.weight == "beside" else "ink"
        if is_bold:
            canvas.rect(0, top, canvas.width, self.step, "panel")
        level, written, room = top + self.step / 2, top + self.step / 2 + 4, self.left
        if self.is_stacked:
            level, written, room = top + 29, top + 15, canvas.width - measure_text(texts[0], 14)
        most = int(room / measure_text("x", 13.5 if is_bold else 12.8))
        canvas.text(4 * is_bold, written, cut_label(row.label, most), paint=is_soft, is_bold=is_bold)
        for place, text in zip(self.columns, texts, strict=False):
            canvas.text(place - 4 * is_bold, written, text, paint=is_soft, anchor="end", is_bold=is_bold)
        if row.estimate is None:
            where = self.left if self.is_stacked else self.left + 4
            most = int((self.right - where) / measure_text("x", 12))
            canvas.text(where, level + 4, cut_label(row.note, most), paint="soft", size=12, has_halo=True)
            return
        if row.seen_from is not None:
            near, far = self.x(-row.seen_from), self.x(row.seen_from)
            canvas.rect(near, level - 9, far - near, 18, "band", title="found less than four times in five")
        if len(row.dots):
            canvas.dots([(self.x(v), level) for v in row.dots], 1.6, "dots")
        said = f"{row.label}: {_say(row, self.heads)}"
        for ends, width in ((row.interval, 3), (row.inner, 6)):
            if ends is not None:
                (left, right), dash = map(self.x, ends), "4 2" if row.weight == "beside" else ""
                canvas.line(left, level, right, level, row.role, width=width, dash=dash, title=said)
        canvas.mark("diamond", self.x(row.estimate), level, row.role, size=row.size, title=said)
