"""Figures on a clock: publication intervals and prices against the hours of the exchange.

The first screen of an alignment: which sessions report and denial can have reached, before any price is read.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import product

import pandas as pd

from event_impact.base.clock import format_instant
from event_impact.events.sessions import Alignment, EventSession, format_both
from event_impact.market.returns import ReturnPanel
from event_impact.page import clock_drawing as clock
from event_impact.page.canvas import WIDE, WIDE_DAYS, Canvas, Chart, Drawing, choose_ticks, pad_range, rows_of
from event_impact.page.finding import list_tested, name_exchange, name_firm, name_matter, say_day
from event_impact.page.first_screen import FirstScreen, ScreenRow
from event_impact.page.format import cut_label, format_number, format_session, read_labels, say, signed_whole

#: More articles of a role that tests nothing share one row.
MOST_RELAYS = 3
MARGIN = pd.Timedelta(hours=2)
SESSIONS_BEFORE, SESSIONS_AFTER = 2, 3
PRICE_PANE, ARTICLE_ROW, FOOT = 220.0, 22.0, 38.0


def draw_publication_intervals(alignment: Alignment, *, is_whole: bool = False) -> Drawing:
    """When each article can have become public, against the hours of the exchange; whole, it has a first screen to itself."""
    hours = alignment.hours
    tested = [e.article for e in list_tested(alignment)]
    before = hours.open_at(hours.offset(alignment.event_session, -1))
    after = hours.close_at(hours.offset(alignment.last_session, 1))
    first, last = min(a.published_earliest for a in tested), max(a.published_latest for a in tested)
    span = (min(first, before) - MARGIN, max(last, after) + MARGIN)
    told = ". ".join(
        f"{a.role.capitalize()}, {cut_label(a.outlet, 60)}: between "
        f"{format_both(a.published_earliest, hours)} and {format_both(a.published_latest, hours)}"
        for a in tested
    )
    names = {"report": alignment.report_sessions, "first denial": alignment.denial_sessions}
    found = "; ".join(f"{role} {', '.join(str(s.date()) for s in held)}" for role, held in names.items() if len(held))
    told = f"Bars on a clock. {told}. Candidate sessions of {name_exchange(alignment)}: {found}."
    return clock.draw_clock(
        _arrange(alignment, span),
        None,
        list_open_hours(alignment, span),
        zone=hours.timezone,
        title="When each article can have become public",
        subtitle=f"shaded: {name_exchange(alignment)} open; days of {hours.city}",
        description=told,
        name="publication_intervals",
        width=WIDE if is_whole else WIDE_DAYS,
        span=span,
        caption="" if is_whole else say("captions.publication_intervals"),
        numbers=alignment.frame(),
    )


def list_open_hours(alignment: Alignment, span: clock.Span) -> list[clock.OpenHours]:
    """Stretches with trading, breaks left out; candidate sessions by their number, others by their day."""
    hours, found = alignment.hours, []
    candidates = {*alignment.report_sessions, *alignment.denial_sessions}
    held = hours.schedule[(hours.schedule["close"] > span[0]) & (hours.schedule["open"] < span[1])]
    for row in rows_of(held):
        number = len(hours.between(alignment.event_session, row.Index)) - 1
        label = f"session {signed_whole(number)}" if row.Index in candidates else ""
        if pd.isna(row.break_start):
            found.append((row.open, row.close, label))
        else:
            found += [(row.open, row.break_start, label), (row.break_end, row.close, "")]
    return found


def _arrange(alignment: Alignment, span: clock.Span) -> list[clock.NewsInterval]:
    """Rows of the figure: reports and denials each by name, the rest by name only where they are few."""
    articles = sorted((e.article for e in alignment.articles), key=lambda a: a.published_latest)
    shown = [a for a in articles if a.published_latest > span[0] and a.published_earliest < span[1]]
    rows = []
    for role, name in {"report": "", "denial": "", "other": "other items", "relay": "relays"}.items():
        held = [a for a in shown if a.role == role]
        if not name or len(held) <= MOST_RELAYS:
            rows += [clock.show_article(a) for a in held]
        else:
            parts = tuple((a.published_earliest, a.published_latest) for a in held)
            ends = min(a for a, _ in parts), max(b for _, b in parts)
            rows.append(clock.NewsInterval(f"{len(held)} {name}", role, *ends, parts=parts))
    return rows


def _price_frame(panel: ReturnPanel, alignment: Alignment) -> pd.DataFrame:
    """One row a recorded price: at, session, kind, firm, benchmark, benchmark_rebased, dividend.

    The benchmark is scaled to the firm's last close before the event session, or its first price
    where that is not recorded.
    """
    hours = alignment.hours
    first = hours.offset(alignment.event_session, -SESSIONS_BEFORE)
    sessions = hours.between(first, hours.offset(alignment.last_session, SESSIONS_AFTER)).intersection(panel.sessions)
    names = ["at", "session", "kind", "firm", "benchmark", "dividend"]
    tables = hours.schedule, panel.prices, panel.benchmark_prices
    rows = []
    for session, kind in product(sessions, ("open", "close")):
        at, firm, benchmark = (table.at[session, kind] for table in tables)
        is_first = kind == "open" or not panel.has_open
        rows.append((at, session, kind, firm, benchmark, panel.prices.at[session, "dividend"] if is_first else 0.0))
    frame = pd.DataFrame(rows, columns=names).dropna(subset="firm", ignore_index=True)
    before = frame[(frame["session"] < alignment.event_session) & (frame["kind"] == "close")]
    base = before.iloc[-1] if len(before) else frame.iloc[0]
    frame["benchmark_rebased"] = frame["benchmark"] / base["benchmark"] * base["firm"]
    frame["is_base"] = frame["at"] == base["at"]
    return frame


def draw_price_and_articles(panel: ReturnPanel, alignment: Alignment) -> Drawing:
    """Prices of firm and benchmark, and publication intervals by role, on one clock."""
    frame = _price_frame(panel, alignment)
    first = min(e.article.published_earliest for e in list_tested(alignment))
    span = (min(first, frame["at"].iloc[0]) - 3 * MARGIN, frame["at"].iloc[-1] + 3 * MARGIN)
    base = frame[frame["is_base"]].iloc[0]
    days = ", ".join(map(format_session, frame.loc[frame["dividend"] > 0, "session"]))
    dividends = f" The share went ex-dividend on {days}." if days else ""
    marks = "Rings: opens; squares: closes" if panel.has_open else "Squares: closes"
    caption = say(
        "captions.price_and_articles", marks=marks, benchmark=panel.benchmark, ticker=panel.ticker, kind=base["kind"],
        session=format_session(base["session"]), dividends=dividends,
    )  # fmt: skip
    ends = frame["firm"].min(), frame["firm"].max()
    told = "Line of {} prices of {}, from {:.2f} to {:.2f}.".format(len(frame), panel.ticker, *ends)
    is_before = frame["at"] <= first
    sides = {"Last price before": frame[is_before].tail(1), "First after": frame[~is_before].head(1)}
    for label, part in sides.items():
        for row in rows_of(part):
            when = f"{row.firm:.2f} at the {row.kind} of {format_session(row.session)}"
            told += f" {label} the earliest bound of report and denial: {when}."
    title = f"Prices of {panel.ticker} and articles on one clock"
    under = f"shaded: {name_exchange(alignment)} open; days of {alignment.hours.city}"
    draw = partial(_draw_prices, frame=frame, panel=panel, alignment=alignment, span=span)
    numbers = frame.assign(at=frame["at"].map(format_instant))
    return Drawing("price_and_articles", title, under, told, numbers, draw, caption=caption)


def _draw_prices(
    width: float, frame: pd.DataFrame, panel: ReturnPanel, alignment: Alignment, span: clock.Span
) -> Canvas:
    rows = [r for r in _arrange(alignment, span) if r.role in ("report", "denial")]
    height = PRICE_PANE + ARTICLE_ROW * len(rows) + FOOT
    ends = pad_range([*frame["firm"], *frame["benchmark_rebased"]], with_zero=False)
    chart = Chart(width, height, span, ends, bottom=height - PRICE_PANE, right=64)
    canvas, at = chart.canvas, chart.at_x
    for opens, closes, _ in list_open_hours(alignment, span):
        wide, high = at(closes) - at(opens), height - FOOT - chart.top
        canvas.rect(at(opens), chart.top, wide, high, "zone", title="exchange open")
    ticks = choose_ticks(*ends, most=6)
    chart.draw_y({t: format_number(t, digits=0 if t == round(t) and len(ticks) > 1 else 2, sign=False) for t in ticks})
    looks = {"firm": ("ink", panel.ticker, ""), "benchmark_rebased": ("denial", panel.benchmark, "4 3")}
    level = -1e9
    for name in sorted(looks, key=lambda name: -frame[name].to_numpy()[-1]):
        paint, label, dash = looks[name]
        chart.line(frame["at"], frame[name], paint, dash=dash)
        level = max(chart.at_y(frame[name].iloc[-1]) + 4, level + 15)
        canvas.text(width - chart.right + 5, level, label, paint=paint, size=12, is_bold=name == "firm")
    for row in rows_of(frame):
        said = f"{row.session.date()} {row.kind} {row.firm:.2f}{', ex-dividend' if row.dividend else ''}"
        chart.mark("square" if row.kind == "close" else "ring", row.at, row.firm, "ink", title=said)
        if row.dividend:
            chart.label(row.at, row.firm, "ex-dividend", paint="soft", lift=20)
    for number, item in enumerate(rows):
        clock.draw_interval(canvas, item, at(item.earliest), at(item.latest), PRICE_PANE + ARTICLE_ROW * (number + 0.5))
    clock.draw_day_axis(chart, height - FOOT, alignment.hours.timezone)
    return canvas


COLUMNS = ("article", "sessions", "not before", "not after", "while the exchange was")
#: What daily prices can say, counted over stories.
COUNTED = read_labels("timing_screen.counted")


def say_sessions(sessions: Sequence[pd.Timestamp]) -> str:
    """One session by its day, several by the first and the last."""
    if len(sessions) == 1:
        return say_day(sessions[0])
    return f"any of {len(sessions)} sessions from {say_day(sessions[0])} to {say_day(sessions[-1])}"


def compose_timing(alignment: Alignment, registry: Sequence[Alignment]) -> FirstScreen:
    """Finding, the reason, the clock, each declared article, and how many stories are of which kind."""
    story = alignment.story
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
        rows=tuple(_show_row(e, alignment) for e in list_tested(alignment)),
        notes=(
            ("Read it so:", f"clocks are those of {alignment.hours.city}; a session counts on {name_exchange(alignment)} "
             "when its close is the first that can hold the article."),
            ("All stories:", f"of {len(registry)} registered, {listed}."),
        ),
        csv="alignment",
    )  # fmt: skip


def _head(alignment: Alignment) -> str:
    firm, matter = alignment.story.firm_name, name_matter(alignment.story)
    report, denial, kind = alignment.report_sessions, alignment.denial_sessions, alignment.identification.kind
    if kind == "report_only":
        return f"{firm}: the report of {matter} reached {say_sessions(report)}; no denial is recorded."
    if kind == "denial_only":
        return f"{firm}: the denial of {matter} reached {say_sessions(denial)}; its report has no time of its own."
    where = f"report and denial reached {say_sessions(report)}"
    if tuple(report) != tuple(denial):
        where = f"the report reached {say_sessions(report)}, the denial {say_sessions(denial)}"
    so = {
        "separable": "a price lies between them",
        "joint": "by days they are one number",
        "ambiguous": "whether a price lies between depends on their times",
    }[kind]
    return f"{firm}: {where}; {so}."


def _show_row(event: EventSession, alignment: Alignment) -> ScreenRow:
    article, zone = event.article, alignment.hours.timezone
    sessions = " to ".join(dict.fromkeys(f"{s:%a} {s.day} {s:%b}" for s in (event.sessions[0], event.sessions[-1])))
    clocks = (f"{at.tz_convert(zone):%a %d %b %H:%M}" for at in (article.published_earliest, article.published_latest))
    phase = event.phase.replace("_", " ") + ", near its close" * event.is_near_close
    return ScreenRow(f"{article.role}: {article.outlet}", (sessions, *clocks, phase))
