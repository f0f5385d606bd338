"""Figures on a clock: publication intervals and prices against the hours of the exchange."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.dates as mdates
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.events.calendars import SessionHours
from analysis.events.sessions import NEW_YORK, Alignment, EventSession, format_both, format_instant
from analysis.market.returns import ReturnPanel
from analysis.reporting.exhibits import FigureExhibit
from analysis.reporting.figure_style import (
    BLACK,
    CLOSED_GREY,
    MID_GREY,
    ROLE_COLOURS,
    ROLE_MARKERS,
    in_house_style,
    new_figure,
    plain_label,
)

MAX_ROWS = 14
"""More articles than this are drawn without their names, relays packed onto few lines."""


def _time_span(alignment: Alignment) -> tuple[pd.Timestamp, pd.Timestamp]:
    """From half a day before the first bound of a report or denial to the end of the last candidate session."""
    main = [e for e in alignment.articles if e.article.role in ("report", "denial")]
    first = min(e.article.published_earliest for e in main)
    previous = alignment.hours.offset(alignment.event_session, -1)
    start = min(first, alignment.hours.schedule.at[previous, "close"]) - pd.Timedelta(hours=8)
    end = alignment.hours.schedule.at[alignment.last_session, "close"] + pd.Timedelta(hours=4)
    return start, end


def _shade_closed(axes: Axes, hours: SessionHours, start: pd.Timestamp, end: pd.Timestamp) -> None:
    """Shade the stretches in which the exchange is closed, breaks included."""
    near = hours.schedule[(hours.schedule["close"] >= start) & (hours.schedule["open"] <= end)]
    edges = [start]
    for _, row in near.iterrows():
        edges += [row["open"]]
        if pd.notna(row["break_start"]):
            edges += [row["break_start"], row["break_end"]]
        edges += [row["close"]]
    edges.append(end)
    for index, (a, b) in enumerate(pairwise(edges)):
        if index % 2 == 0 and b > start and a < end:
            axes.axvspan(max(a, start), min(b, end), color=CLOSED_GREY, lw=0, zorder=0)


def _use_clock(axes: Axes, start: pd.Timestamp, end: pd.Timestamp) -> None:
    """UTC below, New York above; whole days when the span is long."""
    axes.set_xlim(start, end)
    days = (end - start) / pd.Timedelta(days=1)
    step = max(1, round(days / 6))
    axes.xaxis.set_major_locator(mdates.DayLocator(interval=step))
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%a\n%d %b"))
    if days <= 6:
        axes.xaxis.set_minor_locator(mdates.HourLocator(byhour=(6, 12, 18)))
        axes.xaxis.set_minor_formatter(mdates.DateFormatter("%H"))
        axes.tick_params(axis="x", which="minor", labelsize="small")
    axes.set_xlabel("UTC")
    top = axes.secondary_xaxis("top")
    if days <= 6:
        zone = mdates.HourLocator(byhour=(0, 12), tz=NEW_YORK)
        top.xaxis.set_major_locator(zone)
        top.xaxis.set_major_formatter(mdates.DateFormatter("%H", tz=NEW_YORK))
    else:
        top.xaxis.set_major_locator(mdates.DayLocator(interval=step, tz=NEW_YORK))
        top.xaxis.set_major_formatter(mdates.DateFormatter("%d %b", tz=NEW_YORK))
    top.set_xlabel("New York")


def _rows(alignment: Alignment, start: pd.Timestamp, end: pd.Timestamp) -> list[list[EventSession]]:
    """Articles by line: one each for reports and denials, relays and others packed where they are many."""
    order = {"report": 0, "denial": 1, "other": 2, "relay": 3}
    shown = [e for e in alignment.articles if e.article.published_latest > start and e.article.published_earliest < end]
    shown.sort(key=lambda e: (order[e.article.role], e.article.published_latest))
    if len(shown) <= MAX_ROWS:
        return [[e] for e in shown]
    main = [[e] for e in shown if e.article.role in ("report", "denial")]
    return [*main, *([e for e in shown if e.article.role == role] for role in ("other", "relay"))]


@in_house_style
def draw_publication_intervals(alignment: Alignment) -> FigureExhibit:
    """When each article became public, against the hours of the exchange."""
    start, end = _time_span(alignment)
    rows = [row for row in _rows(alignment, start, end) if row]
    figure = new_figure(height=1.5 + 0.3 * len(rows))
    axes = figure.subplots()
    _shade_closed(axes, alignment.hours, start, end)
    labels = []
    for line, events in enumerate(rows):
        role = events[0].article.role
        single = len(events) == 1
        for index, event in enumerate(events):
            a, b = max(event.article.published_earliest, start), min(event.article.published_latest, end)
            y = -line if single else -line + 0.34 - 0.68 * index / max(len(events) - 1, 1)
            axes.plot(
                [a, b], [y, y], color=ROLE_COLOURS[role], ls="-", lw=3.2 if single else 1.4, solid_capstyle="butt"
            )
            axes.plot([b], [y], ROLE_MARKERS[role], color=ROLE_COLOURS[role], ms=5 if single else 3.5)
        name = events[0].article.outlet if single else f"{len(events)} {'relays' if role == 'relay' else 'other items'}"
        labels.append(plain_label(f"{role}: {name}" if single else name, 30))
    axes.set_yticks([-i for i in range(len(rows))], labels)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.grid(visible=False)
    for session in alignment.hours.between(start.tz_localize(None).normalize(), end.tz_localize(None).normalize()):
        close = alignment.hours.schedule.at[session, "close"]
        if start <= close <= end:
            axes.axvline(close, color=BLACK, lw=1, ls=":", zorder=1)
    _use_clock(axes, start, end)
    handles = [
        Patch(color=CLOSED_GREY, label=f"{alignment.hours.exchange} closed"),
        Line2D([], [], color=BLACK, lw=1, ls=":", label="close"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, fontsize="small", frameon=False)
    main = [e for e in alignment.articles if e.article.role in ("report", "denial")]
    spans = "; ".join(
        f"{e.article.role} of {e.article.outlet} between {format_both(e.article.published_earliest)} and "
        f"{format_both(e.article.published_latest)}"
        for e in main
    )
    sessions = ", ".join(str(s.date()) for s in sorted({*alignment.report_sessions, *alignment.denial_sessions}))
    return FigureExhibit(
        name="publication_intervals",
        figure=figure,
        caption=(
            "Publication intervals against trading hours. Each bar runs from the earliest to the latest instant at "
            f"which an article can have become public; the mark sits at the latest. Shaded: {alignment.hours.exchange} "
            "closed. A bar inside one shaded stretch belongs to the session after it."
        ),
        description=f"Bars on a clock. {spans}. Candidate sessions of report and first denial: {sessions}.",
        numbers=alignment.frame(),
    )


@in_house_style
def draw_price_and_articles(panel: ReturnPanel, alignment: Alignment) -> FigureExhibit:
    """Opening and closing prices on the clock, with the intervals of report and denial."""
    start, end = _time_span(alignment)
    hours = alignment.hours
    sessions = hours.between(hours.offset(alignment.event_session, -2), hours.offset(alignment.last_session, 2))
    sessions = sessions[sessions <= panel.sessions[-1]].intersection(panel.sessions)
    points = []
    for session in sessions:
        for kind in ("open", "close"):
            firm, market = panel.prices.at[session, kind], panel.benchmark_prices.at[session, kind]
            if firm == firm:
                points.append((hours.schedule.at[session, kind], session, kind, firm, market))
    frame = pd.DataFrame(points, columns=["at", "session", "kind", "firm", "benchmark"])
    start, end = min(start, frame["at"].iloc[0]), max(end, frame["at"].iloc[-1])
    start, end = start - pd.Timedelta(hours=4), end + pd.Timedelta(hours=4)
    figure = new_figure(height=3.6)
    axes = figure.subplots()
    _shade_closed(axes, hours, start, end)
    rebased = frame["benchmark"] / frame["benchmark"].iloc[0] * frame["firm"].iloc[0]
    axes.plot(
        frame["at"], rebased, color=MID_GREY, ls="--", lw=1.2, label=f"{plain_label(panel.benchmark, 12)}, rebased"
    )
    axes.plot(frame["at"], frame["firm"], color=BLACK, ls="-", lw=1.2, label=plain_label(panel.ticker, 12))
    for kind, marker in (("open", "o"), ("close", "s")):
        part = frame[frame["kind"] == kind]
        face = "white" if kind == "open" else BLACK
        axes.plot(part["at"], part["firm"], marker, color=BLACK, mfc=face, ms=5, ls="none", label=kind)
    low, high = axes.get_ylim()
    for event in alignment.articles:
        role = event.article.role
        if role not in ("report", "denial"):
            continue
        level = low + (high - low) * (0.03 if role == "denial" else 0.08)
        span = [max(event.article.published_earliest, start), min(event.article.published_latest, end)]
        axes.plot(span, [level, level], color=ROLE_COLOURS[role], ls="-", lw=4, solid_capstyle="butt")
        axes.plot(span[1:], [level], ROLE_MARKERS[role], color=ROLE_COLOURS[role], ms=5)
    handles, _ = axes.get_legend_handles_labels()
    handles += [
        Line2D([], [], color=ROLE_COLOURS[r], marker=ROLE_MARKERS[r], ls="-", lw=4, ms=5, label=r)
        for r in ("report", "denial")
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize="small", frameon=False)
    axes.set_ylabel("price")
    _use_clock(axes, start, end)
    between = frame[(frame["at"] > alignment.articles[0].article.published_earliest)]
    first = between.iloc[0] if len(between) else frame.iloc[-1]
    return FigureExhibit(
        name="price_and_articles",
        figure=figure,
        caption=(
            f"Prices of {panel.ticker} and articles on one clock. Open circles are opening, squares closing prices; "
            f"the dashed line is {panel.benchmark} rebased to the first price. Coloured bars are the publication "
            f"intervals; shaded: {hours.exchange} closed. Two articles can be told apart only if a price lies between their bars."
        ),
        description=(
            f"Line of {len(frame)} prices from {frame['firm'].iloc[0]:.2f} to {frame['firm'].iloc[-1]:.2f}. First "
            f"price after the earliest bound: {first['firm']:.2f} at the {first['kind']} of {first['session'].date()}."
        ),
        numbers=frame.assign(at=[format_instant(t) for t in frame["at"]]),
    )
