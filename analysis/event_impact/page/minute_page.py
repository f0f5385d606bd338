"""The minute study in words and tables, composed by rule from the declared windows.

No sentence says why a price moved, calls the stretch before a denial the report's effect, or claims a reversal that the
share taken back does not show.

The two drawings of the minute study: price and news on the clock, and effects beside ordinary stretches.
"""

from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd

from event_impact.events.sessions import Alignment
from event_impact.inference import bar_tests
from event_impact.inference.bar_tests import MinuteResult, MinuteRow, MinuteVariant
from event_impact.inference.windows import WindowEstimate
from event_impact.market.opened import US_EXCHANGES
from event_impact.page import format as form
from event_impact.page.canvas import WIDE_CLOCK, WIDE_DAYS, Canvas, Chart, Drawing, choose_ticks, measure_text
from event_impact.page.exhibits import Column, TableExhibit, declare_table, record, show
from event_impact.page.finding import name_exchange, name_firm
from event_impact.page.first_screen import FirstScreen, ScreenRow, read_outcome
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


def _say_stretch(row: MinuteRow, zone: str) -> str:
    return f"{say_clock(row.starts_at, zone)} to {say_clock(row.ends_at, zone)}"


def say_zone(zone: str, at: pd.Timestamp) -> str:
    """``New York time (UTC less 4 hours)``."""
    hours = (at.tz_convert(zone).tz_localize(None) - at.tz_localize(None)).total_seconds() / 3600
    city = zone.rsplit("/", 1)[-1].replace("_", " ")
    return f"{city} time (UTC {'less' if hours < 0 else 'plus'} {abs(hours):g} hours)"


def _one(value: float) -> str:
    return form.format_percent(value, digits=1)


class _Clock:
    """The first drawing at one width: a panel of lines over a strip of bars."""

    def __init__(self, width: float, result: MinuteResult, zone: str) -> None:
        self.result, self.zone, self.ends, known = result, zone, result.grid.ends, result.grid.is_known
        self.right, self.bottom = width - (126.0 if width > PHONE else 92.0), TOP + PANEL + 14 + BARS
        total = np.concatenate([[0.0], np.cumsum(result.fit.event_residuals)])[known]
        prices = result.grid.prices[-1][known]
        self.at, self.lines = self.ends[known], (prices / prices[0] - 1, total - total[0])
        self.shaded = [(row, ROLES.get(row.span.name, "joint")) for row, _ in result.tested if row.span.is_declared]
        self.risen = [row.span.name for row, _ in self.shaded if (row.estimate or 0.0) >= 0]
        low, high, head = float(np.min(self.lines)), float(np.max(self.lines)), 10.0 + 16 * len(self.risen)
        ends, values = (self.ends[0], self.ends[-1]), (low, max(high, low + 1e-9))
        foot = self.bottom + AXIS - TOP - PANEL + 10  # and the labels of rises stand above the lines
        self.chart = Chart(width, self.bottom + AXIS, ends, values, LEFT, width - self.right, TOP + head, foot)
        self.canvas, self.x, self.y = self.chart.canvas, self.chart.at_x, self.chart.at_y

    def draw(self) -> Canvas:
        canvas = self.canvas
        for row, role in self.shaded:
            near, far = self.x(row.starts_at), self.x(row.ends_at)
            canvas.rect(near, TOP, far - near, self.bottom - TOP, role, opacity=0.12)
        for tick in choose_ticks(*(100 * end for end in self.chart.y), most=5):
            canvas.line(LEFT, self.y(tick / 100), self.right, self.y(tick / 100), "faint" if tick else "rule")
            canvas.text(LEFT - 6, self.y(tick / 100) + 4, form.format_number(tick, digits=0), anchor="end", size=12)
        model = self.result.model if canvas.width > PHONE else self.result.grid.benchmark_ticker or "mean"
        labels = [(self.lines[0], "soft", self.result.grid.ticker), (self.lines[1], "ink", f"less {model}")]
        level = 0.0
        for values, paint, label in sorted(labels, key=lambda line: -float(line[0][-1])):
            points = self.chart.points(self.at, values)
            canvas.path(points, paint, width=2 if paint == "ink" else 1.3)
            canvas.dots(points if paint == "ink" else [], 2.3, paint)
            level = max(points[-1][1] - 2, level)
            for text in (label, _one(values[-1])):
                canvas.text(self.right + 5, level, text, paint=paint, size=11.5, is_bold=paint == "ink")
                level += 16
        self._draw_each_bar()
        self._draw_news()
        for row, role in self.shaded:
            text = f"{row.span.name} {_one(row.estimate or 0.0)}"
            half, name = measure_text(text, 13) / 2, row.span.name
            place = min(max((self.x(row.starts_at) + self.x(row.ends_at)) / 2, LEFT + half + 2), self.right - half)
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
            title = f"to {say_clock(end, self.zone)}: {_one(value)}"
            canvas.rect(middle - wide / 2, base - size * (value > 0), wide, max(size, 0.5), role, title=title)
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


def draw_effects(result: MinuteResult, daily: WindowEstimate | None, *, zone: str) -> Drawing:
    """The declared windows and the total on one scale, with ordinary stretches of their length; a day's number below."""
    rows = [
        EffectRow(f"{row.span.name}, {_say_stretch(row, zone)}", test.estimate, test.ci95,
                  role=ROLES.get(row.span.name, "joint"), dots=test.placebos[np.isfinite(test.placebos)])
        for row, test in result.tested if row.span.is_declared or row.span.name == "in total"
    ]  # fmt: skip
    if daily is not None and daily.estimate is not None:
        rows.append(EffectRow("by days, the whole session", daily.estimate, daily.ci95))
    named = {row.label.split(",")[0]: row for row in rows}
    marks = [(f"ordinary, {name}", float(v)) for name, row in named.items() for v in row.dots]
    marks += [(name, row.estimate or 0.0) for name, row in named.items()]
    return draw_rows(
        rows, ("window", "return, %", "95 % interval"), name="minutes_effects", title="Beside ordinary stretches",
        subtitle="bar: 95 % interval; dots: stretches as long", width=WIDE_CLOCK,
        numbers=pd.DataFrame(marks, columns=["mark", "value"]),
    )  # fmt: skip


# Declared window -> where a move lies.
PLACES = form.read_labels("minute_page.places")
TOLD = form.read_labels("minute_page.told")
# Clocks of New York at which scheduled figures are released.
RELEASES = ("10:00", "14:00")
NO_BARS = "No bars of the event session are recorded, so there is nothing to show here."
SERVED = (
    "Providers serve bars of one minute for about 30 days and of five for about 60: bars of such a venue would have had to "
    "be recorded then."
)
MARKET_WIDE = "News of the whole market moves any benchmark: only its own mean is taken off."


def _reach(value: float | None) -> str:
    return form.NOT_AVAILABLE if value is None else f"\u00b1{form.say_reach(value)}"


def compose_minutes(
    result: MinuteResult, variants: tuple[MinuteVariant, ...], daily: WindowEstimate | None, timing: Alignment
) -> FirstScreen:
    """The first screen of the minute study."""
    zone, story, by_days = timing.hours.timezone, timing.story, MARKET_WIDE * (not timing.story.bar_benchmark)
    finding = say_minutes(result, story.firm_name)
    if daily is not None and daily.estimate is not None:
        by_days = f"By days it is one number: {_one(daily.estimate)}, {read_outcome(daily.outcome)}."
    sentences = (_say_ranks(result), by_days, TOLD.get(result.alignment.identification.kind, ""))
    title, start = f"Price and news by {result.grid.minutes} minutes", say_clock(result.grid.ends[0], zone)
    drawings = (
        draw_bars(result, zone=zone, title=title, subtitle=f"change since {start}, %", description=finding),
        draw_effects(result, daily, zone=zone),
    )
    return FirstScreen(
        firm=name_firm(story, timing), story=story.title, prices_to=result.grid.event_session.date(), status="final",
        outcome=result.outcome, finding=finding, sentences=tuple(filter(None, sentences)), drawings=drawings, csv="minutes",
        columns=(f"return less {result.model}", "estimate", "clock", "95 % interval", "p", "seen 4 in 5 from", "reading"),
        rows=tuple(_screen_row(row, test, zone) for row, test in result.tested),
        notes=tuple(_list_notes(result, variants, timing)),
    )  # fmt: skip


def _screen_row(row: MinuteRow, test: bar_tests.BarTest, zone: str) -> ScreenRow:
    interval = " to ".join(_one(end) for end in test.ci95) if test.ci95 else "not bounded"
    p, reading, weight = "\u2013", "not tested", "plain" if row.span.name == "in total" else "beside"
    if row.span.is_declared:
        p, weight = form.format_p(test.p_holm) if test.p_holm is not None else "", "headline"
        reading = read_outcome(test.outcome)
    cells = (_one(test.estimate), _say_stretch(row, zone), interval, p, _reach(test.mde80), reading)
    return ScreenRow(row.span.name, cells, weight)


def _say_ranks(result: MinuteResult) -> str:
    """How many ordinary stretches went as far as each declared window."""
    ranks = [f"{round(test.p_placebo / test.p_smallest) - 1 or 'none'}{' went as far' * (k == 0)} {_place(row, result)}"
             for k, (row, test) in enumerate(result.judged)]  # fmt: skip
    count = round(1 / result.judged[0][1].p_smallest) - 1 if ranks else 0
    said = f"Of {count} ordinary stretches as long, carried from {len(result.grid.sessions)} earlier sessions to this clock"
    return f"{said} and to so volatile a session, {', '.join(ranks)}." if ranks else ""


def _place(row: MinuteRow, result: MinuteResult) -> str:
    return PLACES[row.span.name].format(row.span.n_bars * result.grid.minutes)


def say_minutes(result: MinuteResult, firm: str) -> str:
    """The heading: what was found in the declared windows, and what would have been."""
    if not result.judged:
        return f"{firm}: these bars cannot measure report or denial: {result.rows[0].note}."
    if result.outcome == "insufficient_data":
        return f"{firm}: too few earlier sessions have bars; figures, and no verdict."
    found, others = [], []
    for row, test in result.judged:
        moved = f"{'fell' if test.estimate < 0 else 'rose'} {form.format_size(abs(test.estimate), digits=1)} {_place(row, result)}"
        if test.outcome in ("found", "detectable_but_small", "borderline"):
            found.append(f"{moved}{' (the tests disagree)' * (test.outcome == 'borderline')}")
        else:
            others.append((_place(row, result), _reach(test.mde80)))
    reaches, places = (f" {word} ".join(pair[k] for pair in others) for k, word in ((1, "and"), (0, "or")))
    unseen = f"no detectable move {places}. Four times in five, only one of {reaches} would have been seen."
    if not found:
        return f"{firm}: {unseen}"
    less = f", less {result.model}" if result.grid.benchmark_ticker else ""
    return f"{firm} {' and '.join(found)}{less}{f'; {unseen}' if others else '.'}"


def _list_notes(result: MinuteResult, variants: tuple[MinuteVariant, ...], timing: Alignment) -> list[tuple[str, str]]:
    """The closing line: how nervous the session was, what the finding hangs on, what is not shown."""
    k, zone, rows = float(result.fit.day_factor), timing.hours.timezone, {r.span.name: (r, t) for r, t in result.tested}
    rate = f"a 5 % test would be one of {'6 to 13' if result.grid.minutes == 1 else '9 to 12'} %."  # calibration/
    notes = [(f"k = {k:.2f}.", f"This session was {k:.1f} times as volatile as usual, and is tested as such throughout; had it "
              f"doubled only with the news, {rate}")]  # fmt: skip
    if held := [_say_variant(v.name, v.result) for v in variants if v.result]:
        notes.append(("Does it hold?", f"{'; '.join(held)}."))
    if (share := result.share) and (result.rows[0].estimate or 0) * (result.rows[1].estimate or 0) < 0:
        span = f"{100 * share.lower:.0f} to {100 * share.upper:.0f} %" if share.is_bounded else "not bounded"
        shown = "shown" if result.is_reversal else "not shown: opposite moves"
        notes.append(("Reversal", f"{shown}, {100 * share.estimate:.0f} % taken back ({span})."))
    if (denial := result.alignment.denial) and {"bars that hold the denial", "wholly after the denial"} <= rows.keys():
        (row, holds), (_, after) = rows["bars that hold the denial"], rows["wholly after the denial"]
        lead = denial.published_earliest - row.starts_at
        notes.append(("The denial's bar", f"begins {lead.seconds // 60} min {lead.seconds % 60} s before it and moved "
                      f"{_one(holds.estimate)}; what followed wholly after it, {_one(after.estimate)}."))  # fmt: skip
    searched = timing.story.confounders_searched
    notes.append(("Other news", f"was searched for on {searched}." if searched else "of these hours: not researched."))
    first, last = (say_clock(result.grid.ends[place], zone) for place in (0, -1))
    inferred = ", what its labels mean inferred" if result.bars.convention.shift_minutes else ""
    return [*notes, ("Bars:", f"prices from {first} to {last}, {result.bars.vintage}{inferred}.")]


def _say_variant(name: str, result: MinuteResult) -> str:
    said = [f"{_one(test.estimate)} ({form.p_equals(test.p_holm) if test.p_holm is not None else 'no verdict'})"
            for _, test in result.judged]  # fmt: skip
    return f"{name} {' and '.join(said) or 'not measured'}"


def compose_no_bars(timing: Alignment, first_prices: pd.DataFrame) -> FirstScreen:
    """The short page of a story without bars: what was open, and what would have had to be recorded."""
    story, session = timing.story, timing.event_session
    held = first_prices.iloc[:, 0].dropna().sort_values().head(3)
    venues = ", ".join(f"{venue} {at:%d %b %H:%M}" for venue, at in held.items())
    reason = timing.identification.reason.replace(timing.hours.exchange, name_exchange(timing))
    opened = f"After the report the first venues to trade were {venues} (UTC)."
    return FirstScreen(
        firm=name_firm(story, timing), story=story.title, outcome="no_bars", csv="minutes",
        finding=f"{story.firm_name}: no prices by the minute are recorded for {session.day} {session:%B %Y}.",
        sentences=(reason, opened, SERVED),
    )  # fmt: skip


def _note_row(row: MinuteRow, result: MinuteResult) -> str:
    """What must be known beside a window."""
    test, said = row.test, [row.note] if row.note else []
    if test is None:
        return row.note
    if test.p_star > test.p_placebo:
        reach = _reach(test.mde80_companion)
        said.append(f"few stretches are independent: the companion decides, its reach is {reach}")
    if test.p_own_session is not None:
        said.append(f"rank in its own session {form.p_equals(test.p_own_session)}")
    clocks = [say_clock(at, "America/New_York").zfill(5) for at in (row.starts_at, row.ends_at)]
    if result.bars.exchange in US_EXCHANGES and any(clocks[0] < clock <= clocks[1] for clock in RELEASES):
        said.append("spans an hour of scheduled releases")
    return "; ".join(said)


def tabulate_windows(result: MinuteResult | None) -> TableExhibit:
    """Every window with all its figures: ``results/minutes.csv``."""
    columns = [
        *show("window=span.name|window", "is_declared=span.is_declared|", "starts_at|", "ends_at|"),
        Column("bar_minutes", of=lambda _: result.grid.minutes if result else None),
        *show("n_bars=span.n_bars|bars|whole"),
        Column("estimate", "estimate", "percent", why="note"),
        *record("se_raw t_raw se_scaled t_scaled day_factor", "test."),
        *show("p_placebo=test.p_placebo|p placebo|p", "p_smallest=test.p_smallest|", "n_effective=test.n_effective|"),
        *show("p_companion=test.p_companion|p companion|p", "p_star=test.p_star|", "p_same_clock=test.p_same_clock|"),
        *show("p_holm=test.p_holm|p after Holm|p", "ci90=test.ci90||interval", "ci95=test.ci95|95 % interval|interval"),
        *show("smallest_bound=test.smallest_bound|", "mde80=test.mde80|seen from|size", "outcome=test.outcome|"),
        Column("note", "note", of=lambda row: _note_row(row, result) if result else ""),
    ]
    caption = form.say(
        "captions.minutes", min_clock_sessions=bar_tests.MIN_CLOCK_SESSIONS, part=2 * bar_tests.MIN_CLOCK_SESSIONS + 1
    )
    return declare_table("minutes", result.rows if result else (), columns, caption=caption if result else NO_BARS)


def tabulate_variants(result: MinuteResult | None, variants: tuple[MinuteVariant, ...]) -> TableExhibit:
    """The declared windows measured another way, and what a known minute of the report would have bought."""
    columns = [*show("variant=name|measured with")]
    for number, place in enumerate(("first", "second")):
        find = partial(_find_declared, number)
        columns.append(Column(f"{place}_estimate", f"{place} window", "percent", of=partial(find, "estimate")))
        columns.append(Column(f"{place}_p", f"p, {place}", "p", of=partial(find, "p_star")))
        columns.append(Column(f"{place}_k", of=partial(find, "day_factor")))
    caption = "What the findings hang on. The declared windows measured another way; p before Holm."
    if result and result.alignment.identification.kind == "before_denial" and len(result.judged) == 2:
        effect = 6 * float(result.fit.variance) ** 0.5
        one, two = (f"{100 * bar_tests.found_share(test, effect):.0f}" for _, test in result.judged)
        caption += (
            f" The minute of the report would help: a move of {form.format_size(effect, digits=1)} is found in {one} of 100 cases "
            f"by the first stretch, in {two} by one as short as the second."
        )
    if result:
        left_out = [f"{session:%Y-%m-%d} is left out: {reason}." for session, reason in result.grid.left_out]
        caption = " ".join((caption, *result.grid.notes, *left_out))
    columns += show("note=reason|note")
    return declare_table("minute_variants", variants, columns, caption=caption if variants else NO_BARS)


def _find_declared(number: int, name: str, variant: MinuteVariant) -> float | None:
    """A figure of one of the declared windows under a variant, where it has one."""
    declared = variant.result.declared[number:] if variant.result else []
    return getattr(declared[0].test, name, None) if declared else None
