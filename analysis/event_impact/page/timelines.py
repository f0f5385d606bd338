"""Figures on a clock: publication intervals and prices against the hours of the exchange."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import matplotlib.dates as mdates
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from event_impact.base.clock import format_instant
from event_impact.events.calendars import SessionHours
from event_impact.events.sessions import Alignment, EventSession, format_both
from event_impact.market.returns import ReturnPanel
from event_impact.page import figure_style as style
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.figure_style import BLACK, BLUE, MID_GREY, PALE_BLUE, signed_whole
from event_impact.page.format import format_session

MAX_NAMED_RELAYS = 3
"""More articles of a role that tests nothing are packed into one unnamed group."""
MARGIN = pd.Timedelta(hours=2)
DAYS_WITH_HOURS, DAYS_WITH_HOURS_BESIDE_PRICES = 5.3, 3.8
"""A longer axis has no room for hours, only for days; labels of prices take room from it."""
ABOVE: dict[str, Any] = {"loc": "outside upper left", "columnspacing": 1.2}
DASHES = {"open": (0, (4, 3)), "close": "-"}
GROUP_NAMES = {"relay": "relays", "other": "other items", "report": "reports", "denial": "denials"}


Instant = Any
"""A pandas.Timestamp: matplotlib draws it, while its types know floats only."""


@dataclass(frozen=True)
class _Span:
    """What a clock axis shows."""

    start: Instant
    end: Instant

    @property
    def days(self) -> float:
        return float((self.end - self.start) / pd.Timedelta(days=1))

    def holds(self, event: EventSession) -> bool:
        return bool(event.article.published_latest > self.start and event.article.published_earliest < self.end)


def _tested(alignment: Alignment) -> list[EventSession]:
    return [e for e in alignment.articles if e.article.role in ("report", "denial")]


def _candidates(alignment: Alignment) -> set[pd.Timestamp]:
    """Sessions that report or first denial can have reached."""
    return {*alignment.report_sessions, *alignment.denial_sessions}


def _sessions_in(hours: SessionHours, span: _Span) -> pd.DataFrame:
    start, end = pd.Timestamp(span.start), pd.Timestamp(span.end)
    return hours.schedule[(hours.schedule["close"] > start) & (hours.schedule["open"] < end)]


def _closed_stretches(hours: SessionHours, span: _Span) -> list[tuple[Instant, Instant]]:
    """Stretches without trading, breaks included."""
    stretches, last = [], span.start
    for row in style.rows_of(_sessions_in(hours, span)):
        opens = [(last, row.open)]
        if pd.notna(row.break_start):
            opens.append((row.break_start, row.break_end))
        stretches += opens
        last = row.close
    stretches.append((last, span.end))
    cut = [(max(a, span.start), min(b, span.end)) for a, b in stretches]
    return [(a, b) for a, b in cut if a < b]


def _draw_hours(axes: Axes, alignment: Alignment, span: _Span) -> None:
    """Closed hours grey, open hours of candidate sessions blue, opens dashed and closes solid."""
    for a, b in _closed_stretches(alignment.hours, span):
        axes.axvspan(a, b, facecolor=style.CLOSED_GREY, edgecolor="none", zorder=0)
    for session, row in _sessions_in(alignment.hours, span).iterrows():
        if session in _candidates(alignment):
            axes.axvspan(max(row["open"], span.start), min(row["close"], span.end), facecolor=PALE_BLUE, hatch="///",
                         edgecolor="#9cc7e2", linewidth=0, zorder=-0.1)  # fmt: skip
        for kind, dash in DASHES.items():
            if span.start < row[kind] < span.end:
                axes.axvline(row[kind], color=MID_GREY, linewidth=0.9, linestyle=dash, zorder=0.2)


def _hours_handles(exchange: str) -> list[Artist]:
    return [
        Patch(facecolor=style.CLOSED_GREY, label=f"{exchange} closed"),
        Patch(facecolor=PALE_BLUE, edgecolor="#9cc7e2", hatch="///", linewidth=0, label="candidate session"),
        *(style.key(kind, MID_GREY, linewidth=0.9, linestyle=dash) for kind, dash in DASHES.items()),
    ]


def _use_clock(axes: Axes, span: _Span, hours: SessionHours, *, top: Axes, longest: float) -> None:
    """UTC below ``axes``, the clock of the exchange above ``top``; hours where the span is no longer than ``longest`` days."""
    axes.set_xlim(span.start, span.end)
    above = top.secondary_xaxis("top")
    has_hours = span.days <= longest
    first = span.start.tz_localize(None).normalize()
    step = 1 if has_hours else max(1, math.ceil(span.days / 9))
    days = pd.date_range(first, span.end.tz_localize(None), freq=f"{step}D")
    for axis, zone in ((axes.xaxis, "UTC"), (above.xaxis, hours.timezone)):
        _set_ticks(axis, days.tz_localize(zone), span, "%a %d %b" if has_hours else "%a\n%d %b", is_minor=False)
        if has_hours:
            _set_ticks(axis, (days + pd.Timedelta(hours=12)).tz_localize(zone), span, "%H:%M", is_minor=True)
        axis.set_tick_params(which="both", labelsize=9.5, length=4)
        axis.set_tick_params(which="minor", labelcolor="#555555")
    axes.set_xlabel("UTC")
    above.set_xlabel(hours.city)


def _set_ticks(axis: Axis, instants: pd.DatetimeIndex, span: _Span, form: str, *, is_minor: bool) -> None:
    shown = [at for at in instants if span.start <= at <= span.end]
    axis.set_ticks(mdates.date2num(shown), [at.strftime(form) for at in shown], minor=is_minor)


# --- publication intervals -------------------------------------------------------------------


def _publication_span(alignment: Alignment) -> _Span:
    """From the session before to the session after all that report and denial can have reached."""
    hours = alignment.hours
    first = min(e.article.published_earliest for e in _tested(alignment))
    before = hours.open_at(hours.offset(alignment.event_session, -1))
    after = hours.close_at(hours.offset(alignment.last_session, 1))
    last = max(e.article.published_latest for e in _tested(alignment))
    return _Span(min(first, before) - MARGIN, max(last, after) + MARGIN)


def _arrange(alignment: Alignment, span: _Span) -> list[tuple[str, list[EventSession]]]:
    """Rows of the figure: reports and denials each by name, the rest by name only where they are few."""
    shown = [e for e in alignment.articles if span.holds(e)]
    rows = []
    for role in ("report", "denial", "other", "relay"):
        events = sorted((e for e in shown if e.article.role == role), key=lambda e: e.article.published_latest)
        if role in ("report", "denial") or len(events) <= MAX_NAMED_RELAYS:
            rows += [(f"{role}: {_name(e)}", [e]) for e in events]
        else:
            rows.append((f"{len(events)} {GROUP_NAMES[role]}", events))
    return rows


def _name(event: EventSession) -> str:
    """The outlet of an article, or its id where the figures' font lacks the signs of its writing."""
    label = style.plain_label(event.article.outlet, 48)
    return event.article.article_id if "\u25a1" in label else label


def pack_lanes(events: list[EventSession], gap: pd.Timedelta) -> list[int]:
    """A lane for every interval, so that no two in one lane touch: first fit by earliest instant."""
    lanes = [0] * len(events)
    ends: list[pd.Timestamp] = []
    for index in sorted(range(len(events)), key=lambda i: events[i].article.published_earliest):
        article = events[index].article
        lane = next((k for k, end in enumerate(ends) if end + gap <= article.published_earliest), len(ends))
        ends[lane : lane + 1] = [article.published_latest]
        lanes[index] = lane
    return lanes


def _draw_interval(axes: Axes, event: EventSession, span: _Span, y: float, *, width: float, mark: float) -> None:
    """A bar between the bounds with the role's mark at both ends; an arrow where the axis cuts it."""
    article, colour = event.article, style.ROLE_COLOURS[event.article.role]
    a: Instant
    b: Instant
    a, b = max(article.published_earliest, span.start), min(article.published_latest, span.end)
    axes.plot([a, b], [y, y], color=colour, linewidth=width, linestyle="-", solid_capstyle="butt")
    for at, bound, arrow in ((a, article.published_earliest, "<"), (b, article.published_latest, ">")):
        marker = style.ROLE_MARKERS[article.role] if at == bound else arrow
        axes.plot([at], [y], marker, color=colour, markersize=mark, clip_on=False)


def _label_sessions(axes: Axes, alignment: Alignment, span: _Span, y: float) -> None:
    """Names of the sessions over their hours; numbers of the candidates where days are too narrow for names."""
    is_wide = span.days <= DAYS_WITH_HOURS
    for row in style.rows_of(_sessions_in(alignment.hours, span)):
        session, opens, closes = row.Index, max(row.open, span.start), min(row.close, span.end)
        is_candidate = session in _candidates(alignment)
        number = len(alignment.hours.between(alignment.event_session, session)) - 1
        if not (is_wide or session in (alignment.event_session, alignment.last_session)):
            continue
        name = f"session {signed_whole(number)}" if is_wide else signed_whole(number)
        text = name if is_candidate else session.strftime("%a %d")
        axes.text(opens + (closes - opens) / 2, y, text, ha="center", va="center", fontsize=9.5,
                  fontweight="bold" if is_candidate else None,
                  bbox={**style.WHITE, "alpha": 0.85, "pad": 1})  # fmt: skip


@style.in_house_style
def draw_publication_intervals(alignment: Alignment) -> FigureExhibit:
    """When each article can have become public, against the hours of the exchange."""
    span = _publication_span(alignment)
    rows = _arrange(alignment, span)
    lanes = [pack_lanes(events, (span.end - span.start) / 80) for _, events in rows]
    heights = [
        1.0 if len(events) == 1 else 0.75 + 0.3 * max(lane) for (_, events), lane in zip(rows, lanes, strict=True)
    ]
    figure, axes = style.new_axes(1.75 + 0.43 * sum(heights))
    _draw_hours(axes, alignment, span)
    y = 0.75
    for (label, events), lane, height in zip(rows, lanes, heights, strict=True):
        axes.text(0.01, y, label, transform=axes.get_yaxis_transform(), va="center", parse_math=False, zorder=4,
                  bbox={**style.WHITE, "alpha": 0.75, "pad": 1})  # fmt: skip
        for event, k in zip(events, lane, strict=True):
            is_named = len(events) == 1
            _draw_interval(axes, event, span, y + 0.42 + 0.3 * k, width=5 if is_named else 2, mark=7 if is_named else 5)
        y += height + (0.1 if len(events) > 1 else 0)
    axes.set_ylim(y - 0.15, -0.35)
    _label_sessions(axes, alignment, span, 0.0)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.spines["top"].set_visible(True)
    _use_clock(axes, span, alignment.hours, top=axes, longest=DAYS_WITH_HOURS)
    figure.legend(handles=_hours_handles(alignment.hours.exchange), ncols=4, **ABOVE)
    caption, description = _publication_caption(alignment, span), _publication_description(alignment)
    return FigureExhibit("publication_intervals", figure, caption, description, alignment.frame())


def _publication_caption(alignment: Alignment, span: _Span) -> str:
    text = (
        "Publication intervals against trading hours. Each bar runs from the earliest to the latest instant at which "
        f"an article can have become public; a lone mark is a known instant. Grey: {alignment.hours.exchange} closed; "
        "hatched blue: open hours of the candidate sessions, of which the first is session 0. News inside one grey stretch "
        "meets its first price at the next open."
    )
    if any(
        e.article.published_latest > span.end or e.article.published_earliest < span.start for e in alignment.articles
    ):
        text += " An arrow, or absence, marks what lies beyond this axis; the CSV holds every article."
    return text


def _publication_description(alignment: Alignment) -> str:
    said = ". ".join(
        f"{e.article.role.capitalize()}, {style.plain_label(e.article.outlet, 60)}: between "
        f"{format_both(e.article.published_earliest, alignment.hours)} and "
        f"{format_both(e.article.published_latest, alignment.hours)}"
        for e in _tested(alignment)
    )
    rest = [e for e in alignment.articles if e.article.role not in ("report", "denial")]
    names = [("report", alignment.report_sessions), ("first denial", alignment.denial_sessions)]
    found = "; ".join(
        f"{role} {', '.join(str(s.date()) for s in sessions)}" for role, sessions in names if len(sessions)
    )
    return (
        f"Bars on a clock. {said}. {len(rest)} further articles. Candidate sessions of {alignment.hours.exchange}: "
        f"{found}."
    )


# --- prices ----------------------------------------------------------------------------------

SESSIONS_BEFORE, SESSIONS_AFTER = 2, 3


def _price_frame(panel: ReturnPanel, alignment: Alignment) -> pd.DataFrame:
    """One row a recorded price: at, session, kind, firm, benchmark, benchmark_rebased, dividend.

    The benchmark is scaled to the firm's last close before the event session, or its first price
    where that is not recorded.
    """
    hours = alignment.hours
    first = hours.offset(alignment.event_session, -SESSIONS_BEFORE)
    sessions = hours.between(first, hours.offset(alignment.last_session, SESSIONS_AFTER)).intersection(panel.sessions)
    rows = [
        {
            "at": hours.schedule.at[session, kind],
            "session": session,
            "kind": kind,
            "firm": panel.prices.at[session, kind],
            "benchmark": panel.benchmark_prices.at[session, kind],
            "dividend": panel.prices.at[session, "dividend"] if kind == "open" or not panel.has_open else 0.0,
        }
        for session in sessions
        for kind in ("open", "close")
        if pd.notna(panel.prices[kind].loc[session])
    ]
    frame = pd.DataFrame(rows)
    before = frame[(frame["session"] < alignment.event_session) & (frame["kind"] == "close")]
    base = (before if len(before) else frame).iloc[-1 if len(before) else 0]
    frame["benchmark_rebased"] = frame["benchmark"] / base["benchmark"] * base["firm"]
    frame["is_base"] = frame["at"] == base["at"]
    return frame


def _draw_prices(axes: Axes, frame: pd.DataFrame, panel: ReturnPanel) -> list[Line2D]:
    """Firm black with open and close marks, solid while the exchange trades; benchmark dashed."""
    firm, market = style.plain_label(panel.ticker, 12), style.plain_label(panel.benchmark, 12)
    handles = axes.plot(frame["at"], frame["benchmark_rebased"], color=BLUE, linestyle="--", linewidth=1.2,
                        label=f"{market}, rebased")  # fmt: skip
    axes.plot(frame["at"], frame["firm"], color=BLACK, linestyle=":", linewidth=1.2)
    for _, day in frame.groupby("session"):
        axes.plot(day["at"], day["firm"], color=BLACK, linestyle="-", linewidth=1.8)
    for kind, face, marker in (("open", "white", "o"), ("close", BLACK, "s")):
        part = frame[frame["kind"] == kind]
        if len(part):
            handles += axes.plot(part["at"], part["firm"], marker, color=BLACK, markerfacecolor=face, markersize=6,
                                 label=f"{firm} {kind}")  # fmt: skip
    return handles


@style.in_house_style
def draw_price_and_articles(panel: ReturnPanel, alignment: Alignment) -> FigureExhibit:
    """Prices and publication intervals on one clock."""
    frame = _price_frame(panel, alignment)
    first = min(e.article.published_earliest for e in _tested(alignment))
    span = _Span(min(first, frame["at"].iloc[0]) - 3 * MARGIN, frame["at"].iloc[-1] + 3 * MARGIN)
    shown = [e for e in alignment.articles if span.holds(e)]
    roles = [role for role in ("report", "denial", "relay", "other") if any(e.article.role == role for e in shown)]
    figure = style.new_figure(3.9 + 0.22 * len(roles))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 0.26 * max(len(roles), 1)])
    for axes in (upper, lower):
        _draw_hours(axes, alignment, span)
    handles = _draw_prices(upper, frame, panel)
    engine: Any = figure.get_layout_engine()
    engine.set(hspace=0, h_pad=0.01)
    for event in shown:
        is_named = event.article.role in ("report", "denial")
        place = -roles.index(event.article.role)
        _draw_interval(lower, event, span, place, width=3.5 if is_named else 2, mark=5.5 if is_named else 4)
    lower.set_yticks([-i for i in range(len(roles))], roles)
    lower.set_ylim(0.5 - len(roles), 0.5)
    lower.tick_params(axis="y", length=0)
    for row in style.rows_of(frame[frame["dividend"] > 0]):
        upper.annotate("ex-dividend", (row.at, row.firm), xytext=(0, -9), textcoords="offset points", ha="center",
                       va="top", fontsize=9.5)  # fmt: skip
    upper.margins(y=0.12)
    upper.tick_params(axis="x", length=0, which="both", labelbottom=False)
    upper.spines["bottom"].set_visible(False)
    upper.spines["top"].set_visible(True)
    upper.set_ylabel(f"price of {style.plain_label(panel.ticker, 12)}", parse_math=False)
    _use_clock(lower, span, alignment.hours, top=upper, longest=DAYS_WITH_HOURS_BESIDE_PRICES)
    upper.tick_params(axis="x", which="both", labelbottom=False)
    figure.legend(handles=[*handles, *_hours_handles(alignment.hours.exchange)], ncols=3, **ABOVE)
    caption, description = _price_caption(panel, alignment, frame), _price_description(panel, frame, first)
    numbers = frame.assign(at=[format_instant(t) for t in frame["at"]])
    return FigureExhibit("price_and_articles", figure, caption, description, numbers)


def _price_caption(panel: ReturnPanel, alignment: Alignment, frame: pd.DataFrame) -> str:
    kinds = "Circles are opening and squares closing prices" if panel.has_open else "Squares are closing prices"
    base = frame[frame["is_base"]].iloc[0]
    text = (
        f"Prices of {panel.ticker} and articles on one clock. {kinds}, as recorded, without dividends; the dotted line "
        f"bridges closed hours. The dashed line is {panel.benchmark}, scaled to meet {panel.ticker} at the "
        f"{base['kind']} of {format_session(base['session'])}. Below: publication intervals by role, as in the figure of "
        f"publication intervals. Grey: {alignment.hours.exchange} closed; hatched blue: candidate sessions. Two articles can "
        "be told apart only where a price lies between their bars."
    )
    days = frame.loc[frame["dividend"] > 0, "session"]
    if len(days):
        text += f" The share went ex-dividend on {', '.join(map(format_session, days))}."
    return text


def _price_description(panel: ReturnPanel, frame: pd.DataFrame, first: pd.Timestamp) -> str:
    after = frame[frame["at"] > first]
    before = frame[frame["at"] <= first]
    parts = [
        f"Line of {len(frame)} prices of {panel.ticker}, from {frame['firm'].min():.2f} to {frame['firm'].max():.2f}."
    ]
    for part, place, label in ((before, -1, "Last price before"), (after, 0, "First price after")):
        if len(part):
            row = part.iloc[place]
            parts.append(
                f"{label} the earliest bound of report and denial: {row['firm']:.2f} at the {row['kind']} of "
                f"{format_session(row['session'])}."
            )
    return " ".join(parts)
