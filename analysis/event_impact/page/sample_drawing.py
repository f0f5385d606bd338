"""A sample of events in two drawings: the average path with its band, and every event among the others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from event_impact.many.sample import SampleResult
from event_impact.page.canvas import WIDE_CLOCK, Canvas, Drawing, choose_ticks, measure_text
from event_impact.page.day_drawing import stack_dots
from event_impact.page.format import format_count, format_number

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
HEIGHT, FOOT, LEFT = 360, 46, 46
LARGEST_SCAR = 8.0
"""Standardised returns beyond it are drawn at the edge, so that one event does not flatten the others."""
BEYOND = 1.96


def tabulate_path(result: SampleResult) -> pd.DataFrame:
    """AAR, CAAR and its 95 % band by session; the band ends where the interval of the whole window does."""
    assert result.days is not None
    days, t = result.days, result.days.columns["caar_t"]
    spread = np.abs(days.caar / np.where(t != 0, t, np.nan))
    half = np.full(days.caar.size, np.nan)
    if result.ci95 is not None and np.isfinite(spread[-1]):
        half = spread * ((result.ci95[1] - result.ci95[0]) / 2 / spread[-1])
    columns = {"rel_session": days.rel_session, "aar": days.aar, "caar": days.caar}
    return pd.DataFrame({**columns, "ci95_low": days.caar - half, "ci95_high": days.caar + half})


def draw_average_path(result: SampleResult, declared: tuple[int, int]) -> Drawing:
    """The cumulated average with its band, the single days as bars, the declared window shaded."""
    table = tabulate_path(result)
    session, aar, caar = (table[name].to_numpy() for name in ("rel_session", "aar", "caar"))
    low_end, high_end = (table[name].fillna(table["caar"]).to_numpy() for name in ("ci95_low", "ci95_high"))
    low, high = float(min(low_end.min(), aar.min(), 0.0)), float(max(high_end.max(), aar.max(), 0.0))
    end = f"{format_number(100 * caar[-1])}\u00a0%"

    def draw(width: float) -> Canvas:
        canvas, right = Canvas(width, HEIGHT + FOOT), width - 80
        reach, step = max(high - low, 1e-9), (right - LEFT) / session.size

        def x(k: float) -> float:
            return float(LEFT + (k - session[0] + 0.5) * step)

        def y(value: float) -> float:
            return 24 + (high + 0.06 * reach - value) / (1.12 * reach) * (HEIGHT - 34)

        left, wide = x(declared[0] - 0.5), (declared[1] - declared[0] + 1) * step
        canvas.rect(left, 4, wide, HEIGHT - 4, "zone", title=f"declared window {declared[0]} to {declared[1]}")
        canvas.text(left + wide / 2, 16, "declared", paint="zone-text", size=12, anchor="middle")
        for tick in choose_ticks(100 * low, 100 * high, most=6):
            canvas.line(LEFT, y(tick / 100), right, y(tick / 100), "rule" if abs(tick) < 1e-9 else "faint")
            canvas.text(LEFT - 6, y(tick / 100) + 4, format_number(tick), size=11.5, anchor="end")
        band = [*zip(session, high_end, strict=True), *zip(session[::-1], low_end[::-1], strict=True)]
        canvas.area([(x(k), y(v)) for k, v in band], "dots", opacity=0.3, title="95 % band of the cumulated average")
        for k, day in zip(session, aar, strict=True):
            said = f"{k:+d}: {format_number(100 * day)} %"
            canvas.rect(x(k) - 0.2 * step, min(y(0), y(day)), 0.4 * step, abs(y(day) - y(0)) + 0.5, "rule", title=said)
        points = [(x(k), y(v)) for k, v in zip(session, caar, strict=True)]
        canvas.path(points, "ink", width=2)
        canvas.dots(points, 2.7, "ink")
        for line, text in enumerate(("cumulated", end)):
            canvas.text(right + 6, points[-1][1] - 4 + 15 * line, text, size=12, is_bold=True)
        canvas.line(LEFT, HEIGHT, right, HEIGHT, "ink")
        every = max(1, round(session.size / (11 if width > 400 else 7)))
        for k in session[session % every == 0]:
            canvas.text(x(k), HEIGHT + 17, format_number(k, digits=0), size=12, anchor="middle")
        canvas.text(LEFT, HEIGHT + 36, "sessions from the event; bars: each day", paint="soft", size=12)
        return canvas

    said = f"Average path of {result.n} events from session {session[0]} to {session[-1]}: cumulated {end}."
    return Drawing("average_path", "The average path", f"%, {format_count(result.n)} events", said, table, draw)


def draw_events(scar: Array, labels: list[str]) -> Drawing:
    """Every event by its own standard error: dots, bars where they are too many; those beyond two errors dark."""
    outside, shown = np.abs(scar) > BEYOND, np.clip(scar, -LARGEST_SCAR, LARGEST_SCAR)
    limit = float(max(4.0, np.abs(shown).max(initial=0.0))) * 1.05

    def draw(width: float) -> Canvas:
        canvas = Canvas(width, HEIGHT + FOOT)

        def at(value: float) -> float:
            return width / 2 + value / limit * (width / 2 - 6)

        for left in (-limit, BEYOND):
            canvas.rect(at(left), 4, at(limit) - at(BEYOND), HEIGHT - 4, "zone", title="beyond two standard errors")
        tops = stack_dots(canvas, at, shown, HEIGHT - 1, HEIGHT - 90, is_dark=outside)
        canvas.line(at(0), 48, at(0), HEIGHT, "rule")
        canvas.text(
            10, 20, f"{format_count(outside.sum())} of {format_count(scar.size)} beyond", size=12.5, is_bold=True
        )
        canvas.text(10, 36, f"two errors; {format_count(0.05 * scar.size)} expected", paint="soft", size=12)
        canvas.line(4, HEIGHT, width - 4, HEIGHT, "ink")
        for tick in choose_ticks(-limit, limit, most=9 if width > 400 else 5):
            canvas.text(at(tick), HEIGHT + 17, format_number(tick, digits=0), size=12, anchor="middle")
        canvas.text(4, HEIGHT + 36, "abnormal return in its own standard errors", paint="soft", size=12)
        for k in {int(scar.argmin()), int(scar.argmax())} & set(np.flatnonzero(outside).tolist()):
            said = f"{labels[k]}, {format_number(float(scar[k]), digits=1)}"
            half = measure_text(said, 12) / 2
            place = min(max(at(float(shown[k])), half + 4), width - half - 4)
            level = min([HEIGHT - 46.0, *(y - 6 for x, y in tops if abs(x - place) < half + 6)])
            canvas.line(at(float(shown[k])), HEIGHT - 7, at(float(shown[k])), level, "rule")
            canvas.text(place, level - 4, said, size=12, anchor="middle", has_halo=True)
        return canvas

    numbers = pd.DataFrame({"event": labels, "scar": scar}).sort_values("scar", kind="stable")
    said = f"{scar.size} events by their standardised abnormal return; {outside.sum()} lie beyond two standard errors."
    return Drawing(
        "events_by_size", "Event by event", f"{format_count(scar.size)} events", said, numbers, draw, width=WIDE_CLOCK
    )
