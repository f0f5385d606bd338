"""The minute study in words and tables, composed by rule from the declared windows.

No sentence says why a price moved, calls the stretch before a denial the report's effect, or claims a reversal that the
share taken back does not show.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from event_impact.events.sessions import Alignment
from event_impact.inference.bar_tests import MIN_CLOCK_SESSIONS, BarTest, found_share
from event_impact.inference.minute_result import MinuteResult, MinuteRow, MinuteVariant
from event_impact.inference.windows import WindowEstimate
from event_impact.page.columns import Column, declare_table
from event_impact.page.exhibits import TableExhibit
from event_impact.page.finding import name_firm, say_reach
from event_impact.page.first_screen import FirstScreen, ScreenRow, read_outcome
from event_impact.page.format import NOT_AVAILABLE, format_percent, format_size, p_equals
from event_impact.page.minute_drawings import draw_bars, draw_effects, say_clock

PLACES = {
    "before the denial": "before the denial",
    "report": "with the report",
    "denial": "in the {minutes} minutes that hold it",
    "report and denial": "in the {minutes} minutes that hold report and denial",
}
"""Declared window -> where a move lies."""
RANKED = {"before the denial": "before the denial", "report": "with the report", "denial": "at the denial",
          "report and denial": "around the two"}  # fmt: skip
TOLD = {
    "before_denial": "When the report appeared is not known: the first stretch holds what of it was priced by then, and "
    "all other news of its hours.",
    "separable": "A price lies between the two.",
    "joint": "No price is known to lie between the two; a rise and a fall inside one window cancel, which is no sign of "
    "calm.",
}
RELEASES = ("10:00", "14:00")
"""Clocks of New York at which scheduled figures are released."""
NO_BARS = "No bars of the event session are recorded, so there is nothing to show here."
SERVED = "Providers serve bars of one minute for about 30 days and of five for about 60"


def _one(value: float) -> str:
    return format_percent(value, digits=1)


def _reach(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else f"\u00b1{say_reach(value)}"


def compose_minutes(
    result: MinuteResult, variants: tuple[MinuteVariant, ...], daily: WindowEstimate | None, timing: Alignment
) -> FirstScreen:
    """The first screen of the minute study."""
    zone, story, sessions = timing.hours.timezone, timing.story, len(result.grid.sessions)
    finding, by_days, beside = (
        say_minutes(result, story.firm_name),
        "No daily prices are recorded to set beside it.",
        None,
    )
    if daily is not None and daily.estimate is not None:
        beside = (daily.estimate, daily.ci95)
        by_days = f"By days it is one number: {_one(daily.estimate)}, {read_outcome(daily.outcome)}."
    tests = [(row.span.name, test) for row, test in result.tested if row.span.is_declared]
    ranks = [
        f"{round(test.p_placebo / test.p_smallest) - 1 or 'none'} went as far {RANKED[name]}" for name, test in tests
    ]
    sentences = (
        f"Of {round(1 / tests[0][1].p_smallest) - 1} ordinary stretches as long, carried from {sessions} earlier sessions to "
        f"this clock and to so volatile a session, {' and '.join(ranks)}."
        if tests
        else "",
        by_days,
        TOLD.get(result.alignment.identification.kind, ""),
    )
    start = say_clock(result.grid.ends[0], zone)
    drawings = (
        draw_bars(result, zone=zone, title=f"Price and news by {result.grid.minutes} minutes",
                  subtitle=f"change since {start}, %", description=finding),
        draw_effects(result, beside, zone=zone, description=" ".join(sentences)),
    )  # fmt: skip
    return FirstScreen(
        firm=name_firm(story, timing), story=story.title, prices_to=result.grid.event_session.date(), status="final",
        outcome=result.outcome, finding=finding, sentences=sentences, drawings=drawings,
        columns=(f"return less {result.model}", "estimate", "clock", "95 % interval", "p", "seen 4 in 5 from", "reading"),
        rows=tuple(_screen_row(row, test, zone) for row, test in result.tested),
        notes=tuple(_list_notes(result, variants, timing)), csv="minutes",
    )  # fmt: skip


def _screen_row(row: MinuteRow, test: BarTest, zone: str) -> ScreenRow:
    interval = " to ".join(_one(end) for end in test.ci95) if test.ci95 else "not bounded"
    decided = (Column("p_holm", kind="p").cell(test), _reach(test.mde80), read_outcome(test.outcome or "aligned"))
    if not row.span.is_declared:
        decided = ("\u2013", _reach(test.mde80), "not tested")
    weight = "headline" if row.span.is_declared else "plain" if row.span.name == "in total" else "beside"
    clock = f"{say_clock(row.starts_at, zone)} to {say_clock(row.ends_at, zone)}"
    return ScreenRow(row.span.name, (_one(test.estimate), clock, interval, *decided), weight)


def say_minutes(result: MinuteResult, firm: str) -> str:
    """The heading: what was found in the declared windows, and what would have been."""
    rows = [(row, test) for row, test in result.tested if row.span.is_declared]
    if not rows:
        return f"{firm}: these bars cannot measure report or denial: {result.rows[0].note}."
    if result.outcome == "insufficient_data":
        return f"{firm}: too few earlier sessions have bars; figures, and no verdict."
    found, others = [], []
    for row, test in rows:
        place = PLACES[row.span.name].format(minutes=test.n_bars * result.grid.minutes)
        if test.outcome in ("found", "detectable_but_small"):
            found.append(
                f"{'fell' if test.estimate < 0 else 'rose'} {format_size(abs(test.estimate), digits=1)} {place}"
            )
        elif test.outcome == "borderline":
            found.append(f"moved {_one(test.estimate)} {place}, which the tests judge differently")
        else:
            others.append((place, _reach(test.mde80)))
    unseen = " or ".join(place for place, _ in others)
    seen = f"Four times in five, only one of {' and '.join(reach for _, reach in others)} would have been seen."
    if not found:
        return f"{firm}: no detectable move {unseen}. {seen}"
    against = f", less {result.model}" if result.grid.benchmark_ticker else ""
    moved = f"{firm} {' and '.join(found)}{against}"
    return f"{moved}; no detectable move {unseen}. {seen}" if others else f"{moved}."


def _list_notes(
    result: MinuteResult, variants: tuple[MinuteVariant, ...], timing: Alignment
) -> list[tuple[str, str]]:  # fmt: skip
    """The closing line: how nervous the session was, what the finding hangs on, what is not shown."""
    k, zone, rows = float(result.fit.day_factor), timing.hours.timezone, {r.span.name: (r, t) for r, t in result.tested}
    notes = [(
        f"k = {k:.2f}.",
        f"This session was {k:.1f} times as volatile as usual, and is tested as such throughout; had it doubled only with "
        f"the news, a 5 % test would really be one of 9 to {17 if result.grid.minutes == 1 else 12} %.",
    )]  # fmt: skip
    if held := [_say_variant(v) for v in variants if v.result]:
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
    tests = [test for row, test in result.tested if row.span.is_declared]
    if result.alignment.identification.kind == "before_denial" and len(tests) == 2:
        effect = 6 * float(result.fit.variance) ** 0.5
        shares = [f"{100 * found_share(test, effect):.0f}" for test in tests]
        notes.append(("A known minute", f"of the report would help: a move of {format_size(effect, digits=1)} is found in "
                      f"{shares[0]} of 100 cases by the first stretch, in {shares[1]} by one as short as the second."))  # fmt: skip
    searched = timing.story.confounders_searched
    notes.append(("Other news", f"was searched for on {searched}." if searched else "of these hours: not researched."))
    if not timing.story.bar_benchmark:
        notes.append(
            ("No benchmark", "is named for these bars, since the news would move it too: the mean is taken off.")
        )
    first, last = (say_clock(result.grid.ends[place], zone) for place in (0, -1))
    inferred = ", what its labels mean inferred" if result.bars.convention.shift_minutes else ""
    notes.append(("Bars:", f"prices from {first} to {last}, {result.bars.vintage}{inferred}."))
    return notes


def _say_variant(variant: MinuteVariant) -> str:
    tests = [row.test for row in variant.result.declared if row.test] if variant.result else []
    said = [f"{_one(t.estimate)} ({p_equals(t.p_holm) if t.p_holm is not None else 'no verdict'})" for t in tests]
    return f"{variant.name} {' and '.join(said) or 'not measured'}"


def compose_no_bars(timing: Alignment, first_prices: pd.DataFrame) -> FirstScreen:
    """The short page of a story without bars: what was open, and what would have had to be recorded."""
    story, session = timing.story, timing.event_session
    finding = f"{story.firm_name}: no prices by the minute are recorded for {session.day} {session:%B %Y}."
    venues = ", ".join(
        f"{v} {at:%d %b %H:%M}" for v, at in first_prices.iloc[:, 0].dropna().sort_values().head(3).items()
    )
    opened = f"After the report the first venues to trade were {venues} (UTC)."
    recorded = f"{SERVED}: bars of such a venue would have had to be recorded then."
    return FirstScreen(
        firm=name_firm(story, timing), story=story.title, prices_to=None, status="final", outcome="no_bars", finding=finding,
        sentences=(timing.identification.reason, opened, recorded), drawings=(), columns=(), rows=(), notes=(),
        csv="minutes",
    )  # fmt: skip


def _note_row(row: MinuteRow, result: MinuteResult) -> str:
    """What must be known beside a window."""
    said, test = [row.note] if row.note else [], row.test
    if test is not None:
        if test.p_star > test.p_placebo:
            said.append(
                f"few stretches are independent, so the companion decides; its own reach is {_reach(test.mde80_companion)}"
            )
        if test.p_own_session is not None:
            said.append(f"rank in its own session {p_equals(test.p_own_session)}")
        clocks = [say_clock(at, "America/New_York").zfill(5) for at in (row.starts_at, row.ends_at)]
        if result.bars.exchange in ("XNYS", "XNAS") and any(clocks[0] < clock <= clocks[1] for clock in RELEASES):
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
    caption = (
        "Windows. The declared ones stand first and decide, after Holm; the others are printed and not tested. Intervals "
        "invert the p that decides: the placebo's, or the larger of the two where few stretches are independent. The same "
        f"clock alone needs {MIN_CLOCK_SESSIONS} sessions to reject, {2 * MIN_CLOCK_SESSIONS + 1} after Holm."
    )
    return declare_table("minutes", result.rows if result else (), columns, caption=caption if result else NO_BARS)


def tabulate_variants(variants: tuple[MinuteVariant, ...]) -> TableExhibit:
    """The declared windows measured another way."""

    def held(number: int, name: str) -> Callable[[MinuteVariant], object]:
        def get(variant: MinuteVariant) -> object:
            rows = variant.result.declared if variant.result else []
            return getattr(rows[number].test, name, None) if number < len(rows) else None

        return get

    columns = [Column("variant", "measured with", of="name")]
    for number, place in enumerate(("first", "second")):
        columns += [
            Column(f"{place}_estimate", f"{place} window", "percent", of=held(number, "estimate")),
            Column(f"{place}_p", f"p, {place}", "p", of=held(number, "p_star")),
            Column(f"{place}_k", of=held(number, "day_factor")),
        ]
    columns.append(Column("note", "note", of="reason"))
    caption = "What the findings hang on. The declared windows measured another way; p before Holm."
    return declare_table("minute_variants", variants, columns, caption=caption if variants else NO_BARS)
