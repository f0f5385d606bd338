"""Figures on a clock: publication intervals and prices against the hours of the exchange.

The first screen of an alignment: which sessions report and denial can have reached, before any price is read.
"""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from event_impact.base.clock import format_instant
from event_impact.events.sessions import Alignment, EventSession, format_both
from event_impact.market.returns import ReturnPanel
from event_impact.page.canvas import WIDE, WIDE_DAYS, Canvas, Chart, Drawing, choose_ticks, pad_range, rows_of
from event_impact.page.clock_drawing import (
    NewsInterval,
    OpenHours,
    Span,
    draw_clock,
    draw_day_ticks,
    draw_interval,
    show_article,
)
from event_impact.page.finding import name_exchange, name_firm, name_matter, say_day
from event_impact.page.first_screen import FirstScreen, ScreenRow
from event_impact.page.format import cut_label, format_number, format_session, read_labels, say, signed_whole

MOST_RELAYS = 3
"""More articles of a role that tests nothing share one row."""
MARGIN = pd.Timedelta(hours=2)
SESSIONS_BEFORE, SESSIONS_AFTER = 2, 3
PRICE_PANE, ARTICLE_ROW, FOOT = 220.0, 22.0, 38.0


def draw_publication_intervals(alignment: Alignment, *, is_whole: bool = False) -> Drawing:
    """When each article can have become public, against the hours of the exchange; whole, it has a first screen to itself."""
    hours = alignment.hours
    first = min(e.article.published_earliest for e in _tested(alignment))
    last = max(e.article.published_latest for e in _tested(alignment))
    before = hours.open_at(hours.offset(alignment.event_session, -1))
    after = hours.close_at(hours.offset(alignment.last_session, 1))
    span = (min(first, before) - MARGIN, max(last, after) + MARGIN)
    told = ". ".join(
        f"{e.article.role.capitalize()}, {cut_label(e.article.outlet, 60)}: between "
        f"{format_both(e.article.published_earliest, hours)} and {format_both(e.article.published_latest, hours)}"
        for e in _tested(alignment)
    )
    names = [("report", alignment.report_sessions), ("first denial", alignment.denial_sessions)]
    found = "; ".join(f"{role} {', '.join(str(s.date()) for s in held)}" for role, held in names if len(held))
    return draw_clock(
        _arrange(alignment, span),
        None,
        list_open_hours(alignment, span),
        zone=hours.timezone,
        title="When each article can have become public",
        subtitle=f"shaded: {name_exchange(alignment)} open; days of {hours.city}",
        description=f"Bars on a clock. {told}. Candidate sessions of {name_exchange(alignment)}: {found}.",
        name="publication_intervals",
        width=WIDE if is_whole else WIDE_DAYS,
        span=span,
        caption="" if is_whole else say("captions.publication_intervals"),
        numbers=alignment.frame(),
    )


def _tested(alignment: Alignment) -> list[EventSession]:
    return [e for e in alignment.articles if e.article.role in ("report", "denial")]


def list_open_hours(alignment: Alignment, span: Span) -> list[OpenHours]:
    """Stretches with trading, breaks left out; candidate sessions by their number, others by their day."""
    hours, found = alignment.hours, []
    candidates = {*alignment.report_sessions, *alignment.denial_sessions}
    held = hours.schedule[(hours.schedule["close"] > span[0]) & (hours.schedule["open"] < span[1])]
    for row in rows_of(held):
        number = len(hours.between(alignment.event_session, row.Index)) - 1
        label = f"session {signed_whole(number)}" if row.Index in candidates else ""
        is_broken = pd.notna(row.break_start)
        found.append((row.open, row.break_start if is_broken else row.close, label))
        if is_broken:
            found.append((row.break_end, row.close, ""))
    return found


def _arrange(alignment: Alignment, span: Span) -> list[NewsInterval]:
    """Rows of the figure: reports and denials each by name, the rest by name only where they are few."""
    articles = [e.article for e in alignment.articles]
    rows = []
    for role in ("report", "denial", "other", "relay"):
        held = [
            a for a in articles if a.role == role and a.published_latest > span[0] and a.published_earliest < span[1]
        ]
        held.sort(key=lambda a: a.published_latest)
        if role in ("report", "denial") or len(held) <= MOST_RELAYS:
            rows += [show_article(a) for a in held]
        else:
            parts = tuple((a.published_earliest, a.published_latest) for a in held)
            ends = min(a for a, _ in parts), max(b for _, b in parts)
            rows.append(
                NewsInterval(f"{len(held)} {'relays' if role == 'relay' else 'other items'}", role, *ends, parts=parts)
            )
    return rows


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


def draw_price_and_articles(panel: ReturnPanel, alignment: Alignment) -> Drawing:
    """Prices of firm and benchmark, and publication intervals by role, on one clock."""
    frame = _price_frame(panel, alignment)
    first = min(e.article.published_earliest for e in _tested(alignment))
    span = (min(first, frame["at"].iloc[0]) - 3 * MARGIN, frame["at"].iloc[-1] + 3 * MARGIN)
    base = frame[frame["is_base"]].iloc[0]
    days = frame.loc[frame["dividend"] > 0, "session"]
    dividends = f" The share went ex-dividend on {', '.join(map(format_session, days))}." if len(days) else ""
    marks = "Rings: opens; squares: closes" if panel.has_open else "Squares: closes"
    caption = say(
        "captions.price_and_articles", marks=marks, benchmark=panel.benchmark, ticker=panel.ticker, kind=base["kind"],
        session=format_session(base["session"]), dividends=dividends,
    )  # fmt: skip
    told = [
        f"Line of {len(frame)} prices of {panel.ticker}, from {frame['firm'].min():.2f} to {frame['firm'].max():.2f}."
    ]
    sides = (
        (frame[frame["at"] <= first].tail(1), "Last price before"),
        (frame[frame["at"] > first].head(1), "First after"),
    )
    told += [
        f"{label} the earliest bound of report and denial: {row.firm:.2f} at the {row.kind} of {format_session(row.session)}."
        for part, label in sides
        for row in rows_of(part)
    ]
    return Drawing(
        "price_and_articles", f"Prices of {panel.ticker} and articles on one clock",
        f"shaded: {name_exchange(alignment)} open; days of {alignment.hours.city}", " ".join(told),
        frame.assign(at=[format_instant(t) for t in frame["at"]]),
        lambda width: _draw_prices(width, frame, panel, alignment, span), caption=caption,
    )  # fmt: skip


def _draw_prices(width: float, frame: pd.DataFrame, panel: ReturnPanel, alignment: Alignment, span: Span) -> Canvas:
    rows = [r for r in _arrange(alignment, span) if r.role in ("report", "denial")]
    height = PRICE_PANE + ARTICLE_ROW * len(rows) + FOOT
    ends = pad_range([*frame["firm"], *frame["benchmark_rebased"]], with_zero=False)
    scale = tuple(at.timestamp() for at in span)
    chart = Chart(width, height, (scale[0], scale[1]), ends, bottom=height - PRICE_PANE, right=64)
    canvas = chart.canvas

    def at(instant: pd.Timestamp) -> float:
        return min(max(chart.at_x(instant.timestamp()), chart.left), width - chart.right)

    for opens, closes, _ in list_open_hours(alignment, span):
        canvas.rect(
            at(opens), chart.top, at(closes) - at(opens), height - FOOT - chart.top, "zone", title="exchange open"
        )
    ticks = choose_ticks(*ends, most=6)
    chart.draw_y({t: format_number(t, digits=0 if t == round(t) and len(ticks) > 1 else 2, sign=False) for t in ticks})
    x = [instant.timestamp() for instant in frame["at"]]
    level = -1e9
    lines = sorted(("firm", "benchmark_rebased"), key=lambda name: -frame[name].to_numpy()[-1])
    for name in lines:
        paint, label = ("ink", panel.ticker) if name == "firm" else ("denial", panel.benchmark)
        chart.line(x, frame[name], paint, dash="" if name == "firm" else "4 3")
        level = max(chart.at_y(frame[name].iloc[-1]) + 4, level + 15)
        canvas.text(width - chart.right + 5, level, label, paint=paint, size=12, is_bold=name == "firm")
    for row in rows_of(frame):
        said = f"{row.session.date()} {row.kind} {row.firm:.2f}{', ex-dividend' if row.dividend else ''}"
        chart.mark("square" if row.kind == "close" else "ring", row.at.timestamp(), row.firm, "ink", title=said)
        if row.dividend:
            chart.label(row.at.timestamp(), row.firm, "ex-dividend", paint="soft", lift=20)
    for number, item in enumerate(rows):
        draw_interval(canvas, item, at(item.earliest), at(item.latest), PRICE_PANE + ARTICLE_ROW * (number + 0.5))
    canvas.line(chart.left, height - FOOT, width - chart.right, height - FOOT, "ink")
    draw_day_ticks(canvas, span, at, height - FOOT, alignment.hours.timezone)
    return canvas


COLUMNS = ("article", "sessions", "not before", "not after", "while the exchange was")
COUNTED = read_labels("timing_screen.counted")
"""What daily prices can say, counted over stories."""


def say_sessions(sessions: Sequence[pd.Timestamp]) -> str:
    """One session by its day, several by the first and the last."""
    if len(sessions) == 1:
        return say_day(sessions[0])
    return f"any of {len(sessions)} sessions from {say_day(sessions[0])} to {say_day(sessions[-1])}"


def compose_timing(alignment: Alignment, registry: Sequence[Alignment]) -> FirstScreen:
    """Finding, the reason, the clock, each declared article, and how many stories are of which kind."""
    story = alignment.story
    declared = [e for e in alignment.articles if e.article.role in ("report", "denial")]
    reason = alignment.identification.reason.replace(alignment.hours.exchange, name_exchange(alignment))
    counts = Counter(a.identification.kind for a in registry)
    listed = "; ".join(f"{counts[kind]} {said}" for kind, said in COUNTED.items() if counts[kind])
    return FirstScreen(
        firm=name_firm(story, alignment),
        story=story.title,
        outcome="aligned",
        finding=_head(alignment),
        sentences=(f"{reason.rstrip('.')}.",),
        drawings=(draw_publication_intervals(alignment, is_whole=True),),
        columns=COLUMNS,
        rows=tuple(_show_row(e, alignment) for e in declared),
        notes=(
            ("Read it so:", f"clocks are those of {alignment.hours.city}; a session counts on {name_exchange(alignment)} "
             "when its close is the first that can hold the article."),
            ("All stories:", f"of {len(registry)} registered, {listed}."),
        ),
        csv="alignment",
    )  # fmt: skip


def _head(alignment: Alignment) -> str:
    firm, matter = alignment.story.firm_name, name_matter(alignment.story)
    report, denial = alignment.report_sessions, alignment.denial_sessions
    kind = alignment.identification.kind
    if kind == "report_only":
        return f"{firm}: the report of {matter} reached {say_sessions(report)}; no denial is recorded."
    if kind == "denial_only":
        return f"{firm}: the denial of {matter} reached {say_sessions(denial)}; its report has no time of its own."
    where = f"the report reached {say_sessions(report)}, the denial {say_sessions(denial)}"
    if tuple(report) == tuple(denial):
        where = f"report and denial reached {say_sessions(report)}"
    so = {
        "separable": "a price lies between them",
        "joint": "by days they are one number",
        "ambiguous": "whether a price lies between depends on their times",
    }[kind]
    return f"{firm}: {where}; {so}."


def _show_row(event: EventSession, alignment: Alignment) -> ScreenRow:
    article, zone = event.article, alignment.hours.timezone
    days = [f"{s:%a} {s.day} {s:%b}" for s in event.sessions]
    sessions = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    clocks = (f"{at.tz_convert(zone):%a %d %b %H:%M}" for at in (article.published_earliest, article.published_latest))
    phase = event.phase.replace("_", " ") + ", near its close" * event.is_near_close
    return ScreenRow(f"{article.role}: {article.outlet}", (sessions, *clocks, phase))
