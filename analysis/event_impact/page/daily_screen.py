"""The first screen of a daily study, made from its nouns."""

from typing import Any

import numpy as np
import pandas as pd

from event_impact.base.config import StudyConfig
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.events.sessions import Alignment
from event_impact.inference.candidate_set import CandidateSession
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.robustness import SpecificationCurve
from event_impact.inference.sequence import SequenceRow, StorySequence
from event_impact.inference.windows import COMPANION_KIND, HEADLINE_KIND, WindowEstimate
from event_impact.market.returns import ReturnPanel
from event_impact.page import finding
from event_impact.page.canvas import Drawing
from event_impact.page.clock_drawing import PricePoint, draw_clock, show_article
from event_impact.page.day_drawing import Effect, draw_days
from event_impact.page.first_screen import FirstScreen, ScreenRow, read_outcome
from event_impact.page.format import format_number, format_p, say, say_reach, two_digits

COLUMNS = tuple(say("daily_screen.heads").split("|"))
UNKNOWN = ("n/a", "", "", "", "", "")
MOST_NEWS = 3
"""Items of other news that the closing line names."""


def compose_daily_screen(
    rows: list[WindowEstimate],
    sequence: StorySequence,
    alignment: Alignment,
    config: StudyConfig,
    *,
    returns: ReturnPanel,
    abnormal: AbnormalReturns,
    curve: SpecificationCurve,
    placebo: PlaceboRank | None,
    news: pd.DataFrame,
) -> FirstScreen:
    """Finding, three sentences, the day among ordinary days, the clock, three rows, one line."""
    row, companion = (finding.find_primary(rows, kind) for kind in (HEADLINE_KIND, COMPANION_KIND))
    story = alignment.story
    notes = {
        "Does it hold?": f"{_say_curve(curve)} {_say_placebo(placebo)}",
        "It would fall if": _say_breakdown(row),
        "Taken back?": finding.say_reversal(sequence, config),
        "Other news:": _say_news(alignment, news),
    }
    return FirstScreen(
        firm=finding.name_firm(story, alignment),
        story=story.title,
        prices_to=config.as_of,
        status="final" if finding.is_complete(rows, config) else "open",
        outcome=row.outcome,
        reading=screen_outcome(row),
        companion_outcome=companion.outcome,
        finding=finding.compose_heading(row, sequence, story, config),
        sentences=finding.compose_sentences(row, companion, alignment, config),
        drawings=(_draw_days(row, sequence, alignment, abnormal), _draw_clock(alignment, returns)),
        columns=COLUMNS,
        rows=tuple(list_rows(rows, sequence, alignment)),
        notes=tuple((lead, text) for lead, text in notes.items() if text),
        csv="estimates",
    )


def _say_breakdown(row: WindowEstimate) -> str:
    if row.breakdown_volatility is None or row.breakdown_news is None:
        return ""
    said = f"the day was {row.breakdown_volatility:.2g} times as nervous as forecast or more, or other "
    said += f"news took {100 * row.breakdown_news:.1f} points or more."
    return said + " That is nothing to lean on." * (row.breakdown_volatility < 1.5)


def screen_outcome(row: WindowEstimate) -> str:
    """The outcome of a row; of a detection that could not be tested against earlier days, that it was not."""
    return "untested" if row.outcome == "fragile" and not row.is_curve_tested else row.outcome


def _draw_days(
    row: WindowEstimate, sequence: StorySequence, alignment: Alignment, abnormal: AbnormalReturns
) -> Drawing:
    parts = [sequence.row(name) for name in ("report", "denial")]
    apart = [p for p in parts if p is not None and p.estimate is not None]
    effects = [Effect(p.name, p.name, p.estimate or 0.0, p.interval(0.05)) for p in apart]
    if row.estimate is None:
        effects = []
    elif not apart:
        is_set = row.candidates is not None and finding.is_set(row)
        day = row.candidates.largest.day if row.candidates is not None and is_set else alignment.event_session
        effects = [Effect(f"{day:%a} {day.day} {day:%b}:", "joint", row.estimate, row.ci95)]
    count, explained = abnormal.fit.n_estimation, finding.say_explained(row)
    what = "what " * explained.endswith(("explains", "explain", "returned"))
    told = f"Abnormal returns of {count} ordinary days as dots; below them "
    told += "; ".join(f"{e.label} {100 * e.estimate:+.1f} %" for e in effects) + " with its 95 % interval"
    if row.mde80_rule:
        told += f", those from {say_reach(row.mde80_rule)} on would have been seen four times in five"
    title, axis = (
        f"{'Two effects' if apart else 'The day'} among {count} ordinary days",
        f"return of the day less {what}",
    )
    said = {"title": title, "subtitle": "one dot each", "description": f"{told}."}
    return draw_days(abnormal.fit.residuals, effects, seen_from=row.mde80_rule, axis_label=axis + explained, **said)


def _draw_clock(alignment: Alignment, returns: ReturnPanel) -> Drawing:
    hours, declared = alignment.hours, [e.article for e in finding.list_tested(alignment)]
    sessions = hours.between(alignment.event_session, alignment.last_session)
    before = hours.offset(sessions[0], -1)
    points, prices = [], returns.prices.reindex([before, *sessions])
    for session in prices.index:
        recorded = prices.loc[session]
        if session != before and len(sessions) == 1 and np.isfinite(recorded["open"]):
            points.append(PricePoint("open", hours.open_at(session), float(recorded["open"])))
        if np.isfinite(recorded["close"]):
            points.append(PricePoint("close", hours.close_at(session), float(recorded["close"])))
    gap = (hours.open_at(sessions[0]) - hours.close_at(before)) / pd.Timedelta(hours=1)
    between = f"no price for {gap:.0f} hours" if alignment.identification.is_closed_between else ""
    open_hours = [(hours.open_at(s), hours.close_at(s), "") for s in hours.between(before, sessions[-1])]
    first = f"{min(a.published_earliest for a in declared):%d %B %Y %H:%M} UTC"
    told = (
        f"Publication intervals of {len(declared)} articles from {first} on, over the open hours of the exchange, and "
    )
    said: Any = {
        "title": "When the news came, and the prices around it",
        "subtitle": "shaded: exchange open",
        "description": f"{told}{len(points)} prices of {alignment.story.firm_name}.",
    }
    news = list(map(show_article, declared))
    return draw_clock(news, points, open_hours, zone=hours.timezone, between=between, **said)


def list_rows(rows: list[WindowEstimate], sequence: StorySequence, alignment: Alignment) -> list[ScreenRow]:
    """The rows of the first table: the declared pair and a longer window, or what is told apart, or the candidates."""
    row, companion = (finding.find_primary(rows, kind) for kind in (HEADLINE_KIND, COMPANION_KIND))
    if row.candidates is not None and finding.is_set(row):
        listed = [_candidate_row(s) for s in row.candidates.sessions]
        listed.append(_row(row, "the largest of these, judged as one set", "headline"))
        total = sequence.row("total")
        return [*listed, _sequence_row(total, "sum over these sessions", "beside")] if total else listed
    day = f"{alignment.event_session:%A}"
    headline = _row(row, f"{day}, close to close (headline)", "headline")
    report, denial, total = map(sequence.row, ("report", "denial", "total"))
    if denial is not None:
        several = report if report is not None and report.first != report.last else None
        told = ((several, "before the denial"), (denial, "from the denial on"), (total, "both together"))
        return [headline, *(_sequence_row(r, label, "plain") for r, label in told if r is not None)]
    longer = [r for r in rows if r.return_kind == HEADLINE_KIND and r.first == 0 and r.last > 0 and not r.is_primary]
    found = [headline, _row(companion, f"{day}\u2019s open (companion)", "plain")]
    if longer:
        last = alignment.hours.offset(alignment.event_session, longer[-1].last)
        found.append(_row(longer[-1], f"{day} to {last:%A}", "beside"))
    return found


def _row(row: WindowEstimate, label: str, weight: str) -> ScreenRow:
    if row.estimate is None:
        return ScreenRow(f"{label}: {row.note}", UNKNOWN, weight)
    reading = read_outcome(screen_outcome(row)) if row.outcome else ""
    cells = (*_numbers(row.estimate, row.ci95, row.rank_p), _size(row.mde80_rule), _size(row.smallest_bound), reading)
    return ScreenRow(label, cells, weight)


def _candidate_row(found: CandidateSession) -> ScreenRow:
    ends = found.interval(0.10)
    estimate, _, p = _numbers(found.estimate, None, found.p_star)
    interval = f"{' to '.join(map(_end, ends))} (90\u00a0%)"
    cells = (estimate, interval, p, "", _size(max(map(abs, ends))), "")
    return ScreenRow(finding.say_day(found.day), cells)


def _sequence_row(row: SequenceRow, label: str, weight: str) -> ScreenRow:
    if row.estimate is None:
        return ScreenRow(f"{label}: {row.note}", UNKNOWN, weight)
    ends = row.interval(0.10)
    bound = _size(max(map(abs, ends))) if ends else ""
    return ScreenRow(label, (*_numbers(row.estimate, row.interval(0.05), row.rank_p), "", bound, ""), weight)


def _numbers(estimate: float, interval: tuple[float, float] | None, p: float | None) -> tuple[str, str, str]:
    ends = " to ".join(_end(end) for end in interval) if interval else ""
    return format_number(100 * estimate, digits=1), ends, format_p(p) if p is not None else ""


def _end(value: float) -> str:
    return format_number(100 * value, digits=1) if np.isfinite(value) else "unbounded"


def _size(value: float | None) -> str:
    return f"\u00b1{two_digits(100 * value)}" if value is not None and np.isfinite(value) else ""


def _say_curve(curve: SpecificationCurve) -> str:
    values = [e.estimate for e in curve.computed if e.estimate is not None]
    detected = sum(e.outcome == "detected" for e in curve.computed)
    span = f"{format_number(100 * min(values), digits=1)} to {format_number(100 * max(values), digits=1)} %"
    said = "none detects" if not detected else "all detect" if detected == len(values) else f"{detected} detect"
    return f"{len(values)} specifications: {span}, {said}; they share the day\u2019s shock."


def _say_placebo(placebo: PlaceboRank | None) -> str:
    if placebo is None or placebo.test.p_value is None:
        count = placebo.count if placebo else 0
        return f"{count} placebo days, too few to rank among."
    return f"{placebo.count} placebo days: {finding.say_share(placebo.test.p_value)} are as far out."


def _say_news(alignment: Alignment, news: pd.DataFrame) -> str:
    held = news[(news.index >= alignment.event_session) & (news["listing"] == alignment.story.ticker)]
    is_searched = bool(alignment.story.confounders_searched)
    if held.empty:
        return "none recorded." if is_searched else "not researched."
    named = [f"{label} ({day:%a} {day.day} {day:%b})" for day, label in zip(held.index, held["label"], strict=True)]
    more = f"; {len(named) - MOST_NEWS} more" if len(named) > MOST_NEWS else ""
    return f"{'; '.join(named[:MOST_NEWS])}{more}{'' if is_searched else '; not researched for this story'}."
