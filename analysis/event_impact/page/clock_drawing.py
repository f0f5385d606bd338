"""When the news came, and the first prices after it: articles' intervals over the hours of the exchange."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from event_impact.events.articles import Article
from event_impact.page.canvas import WIDE_CLOCK, Canvas, Chart, Drawing, measure_text
from event_impact.page.format import cut_label

TOP, ROW, PRICE_ROOM, AXIS_ROOM = 10, 56, 96, 34
MOST_WIDE_ROWS, MOST_PRICES, PRICE_WIDTH = 4, 4, 64
Span = tuple[pd.Timestamp, pd.Timestamp]
#: A stretch with trading, and what is written over it.
OpenHours = tuple[pd.Timestamp, pd.Timestamp, str]
#: Bases of an earliest bound that no clock printed.
UNCLOCKED = ("start_of_named_day", "order", "assumed")
FADE_STEPS = 6
#: An article known to the second is drawn as a mark of this width, in pixels.
SHORTEST_BAR = 3.0


@dataclass(frozen=True)
class NewsInterval:
    """When one article became public.

    ``is_open_ended`` says that no printed clock gives its earliest bound: the bar fades in. Several articles that share
    a row are its ``parts``.
    """

    label: str
    role: str
    earliest: pd.Timestamp
    latest: pd.Timestamp
    is_open_ended: bool = False
    parts: tuple[Span, ...] = ()


def show_article(article: Article) -> NewsInterval:
    """One article as a row."""
    label = f"{article.role}: {cut_label(article.outlet, 40)}" if article.outlet else "the news"
    bounds = article.published_earliest, article.published_latest
    return NewsInterval(label, article.role, *bounds, is_open_ended=article.earliest_basis in UNCLOCKED)


@dataclass(frozen=True)
class PricePoint:
    """A price on the clock: ``close`` or ``open``."""

    kind: str
    at: pd.Timestamp
    price: float


def draw_clock(
    news: Sequence[NewsInterval],
    prices: Sequence[PricePoint] | None,
    open_hours: Sequence[OpenHours],
    *,
    zone: str,
    between: str = "",
    span: Span | None = None,
    **said: Any,
) -> Drawing:
    """Articles as bars over the open hours, prices as marks below; no row of prices where they are None.

    Parameters
    ----------
    between : str
        Said above the dotted line between the prices, such as ``no price for 65 hours``.
    zone : str
        Zone of the day labels, the exchange's.
    span : (Timestamp, Timestamp), optional
        What the clock shows; by default all that is drawn.
    **said
        Title, subtitle, description and the like, as :class:`Drawing` takes them.
    """
    if "numbers" not in said:
        marks: list[tuple[object, ...]] = [(n.label, n.role, n.earliest, n.latest, None) for n in news]
        marks += [(p.kind, "price", p.at, p.at, p.price) for p in prices or ()]
        said["numbers"] = pd.DataFrame(marks, columns=["mark", "kind", "earliest", "latest", "price"])
    instants = [at for n in news for at in (n.earliest, n.latest)] + [p.at for p in prices or ()]
    pad = (max(instants) - min(instants)) * 0.06
    shown = span or (min(instants) - pad, max(instants) + pad)

    draw = partial(_draw, news=news, prices=prices, open_hours=open_hours, span=shown, zone=zone, between=between)
    return Drawing(draw=draw, **{"name": "clock", "width": WIDE_CLOCK, **said})


def _draw(
    width: float, news: Sequence[NewsInterval], prices: Sequence[PricePoint] | None, open_hours: Sequence[OpenHours],
    span: Span, zone: str, between: str,
) -> Canvas:  # fmt: skip
    row = ROW if width > 400 and len(news) <= MOST_WIDE_ROWS else 36
    top = TOP + 14 * any(label for *_, label in open_hours)
    bottom = top + row * len(news) + (PRICE_ROOM if prices is not None else 6)
    chart = Chart(width, bottom + AXIS_ROOM, span, (0, 1), left=4, right=4, bottom=AXIS_ROOM)
    canvas, at = chart.canvas, chart.at_x
    for opens, closes, label in open_hours:
        left, right = at(opens), at(closes)
        if left < right:
            canvas.rect(left, top - 6, right - left, bottom - top + 6, "zone", title="exchange open")
        if label and len(open_hours) * measure_text(label, 12) < width:
            canvas.label((left + right) / 2, top - 10, label, paint="zone-text", size=12, is_bold=True)
    for number, item in enumerate(news):
        level = top + row * (number + 0.5)
        draw_interval(canvas, item, at(item.earliest), at(item.latest), level)
        for first, last in item.parts:
            canvas.rect(at(first), level - 5, max(at(last) - at(first), 2), 10, item.role, opacity=0.3)
    if prices is not None:
        _draw_prices(canvas, prices, [at(p.at) for p in prices], bottom - PRICE_ROOM + 34, between)
    draw_day_axis(chart, bottom, zone)
    return canvas


def draw_interval(canvas: Canvas, item: NewsInterval, left: float, right: float, y: float) -> None:
    """A bar between two places with its label beside it; one known to the second is an upright mark."""
    said = f"{item.label}: {item.earliest:%d %b %H:%M} to {item.latest:%d %b %H:%M} UTC"
    if item.parts:
        pass  # drawn one by one
    elif right - left < SHORTEST_BAR:
        canvas.rect(left - SHORTEST_BAR / 2, y - 11, SHORTEST_BAR, 22, item.role, title=said)
    elif item.is_open_ended:
        for step in range(FADE_STEPS):
            place, wide = left + (right - left) * step / FADE_STEPS, (right - left) / FADE_STEPS
            canvas.rect(place, y - 3, wide, 6, item.role, title=said, opacity=(step + 1) / FADE_STEPS)
    else:
        canvas.rect(left, y - 3, right - left, 6, item.role, title=said)
    paint, wide = f"{item.role}-text", measure_text(item.label, 12.5)
    if right + 8 + wide <= canvas.width:
        canvas.text(right + 8, y + 4, item.label, paint=paint, has_halo=True)
    elif left - 8 - wide >= 0:
        canvas.text(left - 8, y + 4, item.label, paint=paint, anchor="end", has_halo=True)
    else:
        canvas.label((left + right) / 2, y - 9, item.label, margin=2, paint=paint, has_halo=True)


def _draw_prices(canvas: Canvas, prices: Sequence[PricePoint], x: list[float], y: float, between: str) -> None:
    if not prices:
        canvas.text(canvas.width / 2, y, "no price recorded", paint="soft", anchor="middle", has_halo=True)
        return
    canvas.line(x[0], y, x[-1], y, "rule", dash="1.5 3")
    if between:
        canvas.label((x[0] + x[-1]) / 2, y - 12, between, margin=2, paint="soft", has_halo=True)
    for point, place in zip(prices, x, strict=True):
        shape = "square" if point.kind == "close" else "ring"
        canvas.mark(shape, place, y, "ink", title=f"{point.kind} {point.price:g}")
    if len(prices) > MOST_PRICES:  # many closes: the ends are labelled, and between them what has room
        held = [0]
        for number in range(1, len(x) - 1):
            if min(x[number] - x[held[-1]], x[-1] - x[number]) > PRICE_WIDTH:
                held.append(number)
        held.append(len(x) - 1)
        prices, x = [prices[k] for k in held], [x[k] for k in held]
    reach = -1e9
    for point, place, following in zip(prices, x, [*x[1:], 1e9], strict=True):
        value = f"{point.price:.2f}"
        wide = max(measure_text(point.kind, 12.5), measure_text(value, 13) * 1.08)
        if following - place < wide + 6:  # the next one is near
            anchor, left, place_text = "end", place - wide, place + 5
        else:
            anchor, left = "middle", place - wide / 2
            place_text = min(max(place, wide / 2 + 1), canvas.width - wide / 2 - 1)
        if left < reach:
            anchor, left = "start", max(place - 5, reach)
            anchor, place_text = ("end", canvas.width - 1) if left + wide > canvas.width else ("start", left)
        canvas.text(place_text, y + 24, point.kind, paint="soft", anchor=anchor)
        canvas.text(place_text, y + 40, value, size=13, anchor=anchor, is_bold=True)
        reach = left + wide + 6


def draw_day_axis(chart: Chart, bottom: float, zone: str) -> None:
    """An axis with local midnights, labelled with the day that begins; as many as have room."""
    canvas, (start, end) = chart.canvas, (instant.tz_convert(zone) for instant in chart.x)
    canvas.line(chart.left, bottom, chart.width - chart.right, bottom, "ink")
    reach = -1e9
    for day in [d for d in pd.date_range(start.normalize(), end, freq="D") if d >= start] or [start]:
        x, text = chart.at_x(day.tz_convert("UTC")), f"{day:%a} {day.day} {day:%b}"
        wide = measure_text(text, 12)
        left = min(max(x - wide / 2, 0), canvas.width - wide)
        canvas.line(x, bottom, x, bottom + 5, "ink")
        if left > reach + 8:
            canvas.text(left, bottom + 20, text, size=12)
            reach = left + wide
