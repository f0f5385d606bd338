"""The minute study in words and tables, composed by rule from the declared windows.

No sentence says why a price moved, calls the stretch before a denial the report's effect, or claims a reversal that the
share taken back does not show.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from event_impact.events.sessions import Alignment
from event_impact.inference.bar_tests import MIN_CLOCK_SESSIONS, BarTest, found_share
from event_impact.inference.minute_result import MinuteResult, MinuteRow, MinuteVariant
from event_impact.inference.windows import WindowEstimate
from event_impact.market.opened import US_EXCHANGES
from event_impact.page.columns import Column, declare_table
from event_impact.page.exhibits import TableExhibit
from event_impact.page.finding import name_exchange, name_firm, say_reach
from event_impact.page.first_screen import FirstScreen, ScreenRow, read_outcome
from event_impact.page.format import NOT_AVAILABLE, format_p, format_percent, format_size, p_equals
from event_impact.page.minute_drawings import draw_bars, draw_effects, say_clock
from event_impact.page.words import read_labels, say

# Declared window -> where a move lies.
PLACES = read_labels("minute_page.places")
TOLD = read_labels("minute_page.told")
# Clocks of New York at which scheduled figures are released.
RELEASES = ("10:00", "14:00")
NO_BARS = "No bars of the event session are recorded, so there is nothing to show here."
SERVED = (
    "Providers serve bars of one minute for about 30 days and of five for about 60: bars of such a venue would have had to "
    "be recorded then."
)
MARKET_WIDE = "News of the whole market moves any benchmark: only its own mean is taken off."


def _one(value: float) -> str:
    return format_percent(value, digits=1)


def _reach(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else f"\u00b1{say_reach(value)}"


def compose_minutes(
    result: MinuteResult, variants: tuple[MinuteVariant, ...], daily: WindowEstimate | None, timing: Alignment
) -> FirstScreen:
    """The first screen of the minute study."""
    zone, story, by_days = timing.hours.timezone, timing.story, MARKET_WIDE * (not timing.story.bar_benchmark)
    finding, beside = say_minutes(result, story.firm_name), None
    if daily is not None and daily.estimate is not None:
        by_days = f"By days it is one number: {_one(daily.estimate)}, {read_outcome(daily.outcome)}."
        beside = (daily.estimate, daily.ci95)
    sentences = (_say_ranks(result), by_days, TOLD.get(result.alignment.identification.kind, ""))
    title, start = f"Price and news by {result.grid.minutes} minutes", say_clock(result.grid.ends[0], zone)
    drawings = (
        draw_bars(result, zone=zone, title=title, subtitle=f"change since {start}, %", description=finding),
        draw_effects(result, beside, zone=zone),
    )
    return FirstScreen(
        firm=name_firm(story, timing), story=story.title, prices_to=result.grid.event_session.date(), status="final",
        outcome=result.outcome, finding=finding, sentences=tuple(filter(None, sentences)), drawings=drawings, csv="minutes",
        columns=(f"return less {result.model}", "estimate", "clock", "95 % interval", "p", "seen 4 in 5 from", "reading"),
        rows=tuple(_screen_row(row, test, zone) for row, test in result.tested),
        notes=tuple(_list_notes(result, variants, timing)),
    )  # fmt: skip


def _screen_row(row: MinuteRow, test: BarTest, zone: str) -> ScreenRow:
    interval = " to ".join(_one(end) for end in test.ci95) if test.ci95 else "not bounded"
    clock = f"{say_clock(row.starts_at, zone)} to {say_clock(row.ends_at, zone)}"
    p, reading, weight = "\u2013", "not tested", "plain" if row.span.name == "in total" else "beside"
    if row.span.is_declared:
        p, reading, weight = (
            format_p(test.p_holm) if test.p_holm is not None else "",
            read_outcome(test.outcome),
            "headline",
        )
    return ScreenRow(row.span.name, (_one(test.estimate), clock, interval, p, _reach(test.mde80), reading), weight)


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
        moved = f"{'fell' if test.estimate < 0 else 'rose'} {format_size(abs(test.estimate), digits=1)} {_place(row, result)}"
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


def _list_notes(
    result: MinuteResult, variants: tuple[MinuteVariant, ...], timing: Alignment
) -> list[tuple[str, str]]:  # fmt: skip
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
    said = [f"{_one(test.estimate)} ({p_equals(test.p_holm) if test.p_holm is not None else 'no verdict'})"
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
        firm=name_firm(story, timing), story=story.title, prices_to=None, status="final", outcome="no_bars", drawings=(),
        finding=f"{story.firm_name}: no prices by the minute are recorded for {session.day} {session:%B %Y}.", columns=(),
        sentences=(reason, opened, SERVED), rows=(), notes=(), csv="minutes",
    )  # fmt: skip


def _note_row(row: MinuteRow, result: MinuteResult) -> str:
    """What must be known beside a window."""
    test, said = row.test, [row.note] if row.note else []
    if test is None:
        return row.note
    if test.p_star > test.p_placebo:
        said.append(
            f"few stretches are independent: the companion decides, its reach is {_reach(test.mde80_companion)}"
        )
    if test.p_own_session is not None:
        said.append(f"rank in its own session {p_equals(test.p_own_session)}")
    clocks = [say_clock(at, "America/New_York").zfill(5) for at in (row.starts_at, row.ends_at)]
    if result.bars.exchange in US_EXCHANGES and any(clocks[0] < clock <= clocks[1] for clock in RELEASES):
        said.append("spans an hour of scheduled releases")
    return "; ".join(said)


def _record(*names: str) -> list[Column]:
    return [Column(name, of=f"test.{name}") for name in names]


def tabulate_windows(result: MinuteResult | None) -> TableExhibit:
    """Every window with all its figures: ``results/minutes.csv``."""
    columns = [
        Column("window", "window", of="span.name"), Column("is_declared", of="span.is_declared"), Column("starts_at"),
        Column("ends_at"), Column("bar_minutes", of=lambda _: result.grid.minutes if result else None),
        Column("n_bars", "bars", "whole", of="span.n_bars"), Column("estimate", "estimate", "percent", why="note"),
        *_record("se_raw", "t_raw", "se_scaled", "t_scaled", "day_factor"),
        Column("p_placebo", "p placebo", "p", of="test.p_placebo"), *_record("p_smallest", "n_effective"),
        Column("p_companion", "p companion", "p", of="test.p_companion"), *_record("p_star", "p_same_clock"),
        Column("p_holm", "p after Holm", "p", of="test.p_holm"), Column("ci90", kind="interval", of="test.ci90"),
        Column("ci95", "95 % interval", "interval", of="test.ci95"), *_record("smallest_bound"),
        Column("mde80", "seen from", "size", of="test.mde80"), *_record("outcome"),
        Column("note", "note", of=lambda row: _note_row(row, result) if result else ""),
    ]  # fmt: skip
    caption = say("minute_page.windows.caption", min_clock_sessions=MIN_CLOCK_SESSIONS, part=2 * MIN_CLOCK_SESSIONS + 1)
    return declare_table("minutes", result.rows if result else (), columns, caption=caption if result else NO_BARS)


def tabulate_variants(result: MinuteResult | None, variants: tuple[MinuteVariant, ...]) -> TableExhibit:
    """The declared windows measured another way, and what a known minute of the report would have bought."""
    columns = [Column("variant", "measured with")]
    rows: list[dict[str, Any]] = [{"variant": v.name, "note": v.reason} for v in variants]
    for number, place in enumerate(("first", "second")):
        columns += [Column(f"{place}_estimate", f"{place} window", "percent"), Column(f"{place}_p", f"p, {place}", "p"),
                    Column(f"{place}_k")]  # fmt: skip
        for row, variant in zip(rows, variants, strict=True):
            declared = variant.result.declared[number:] if variant.result else []
            for name, held in (("estimate", "estimate"), ("p", "p_star"), ("k", "day_factor")):
                row[f"{place}_{name}"] = getattr(declared[0].test, held, None) if declared else None
    caption = "What the findings hang on. The declared windows measured another way; p before Holm."
    if result and result.alignment.identification.kind == "before_denial" and len(result.judged) == 2:
        effect = 6 * float(result.fit.variance) ** 0.5
        one, two = (f"{100 * found_share(test, effect):.0f}" for _, test in result.judged)
        caption += (
            f" The minute of the report would help: a move of {format_size(effect, digits=1)} is found in {one} of 100 cases "
            f"by the first stretch, in {two} by one as short as the second."
        )
    if result:
        left_out = [f"{session:%Y-%m-%d} is left out: {reason}." for session, reason in result.grid.left_out]
        caption = " ".join((caption, *result.grid.notes, *left_out))
    columns.append(Column("note", "note"))
    return declare_table("minute_variants", rows, columns, caption=caption if variants else NO_BARS)
