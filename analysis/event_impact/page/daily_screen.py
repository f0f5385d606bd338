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
from event_impact.page.day_drawing import draw_days
from event_impact.page.first_screen import FirstScreen, ScreenRow, read_outcome
from event_impact.page.format import format_number, format_p, say, say_reach, two_digits
from event_impact.page.row_drawing import EffectRow

COLUMNS = tuple(say("daily_screen.heads").split("|"))
#: Items of other news that the closing line names.
MOST_NEWS = 3


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
        sentences=finding.compose_sentences(row, companion, alignment),
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
    effects = [EffectRow(p.name, p.estimate, p.interval(0.05), role=p.name) for p in apart]
    if row.estimate is None:
        effects = []
    elif not apart:
        is_set = row.candidates is not None and finding.is_set(row)
        day = row.candidates.largest.day if row.candidates is not None and is_set else alignment.event_session
        effects = [EffectRow(f"{day:%a} {day.day} {day:%b}:", row.estimate, row.ci95, role="joint")]
    count, explained = abnormal.fit.n_estimation, finding.say_explained(row)
    what = "what " * explained.endswith(("explains", "explain", "returned"))
    told = f"Abnormal returns of {count} ordinary days as dots; below them "
    told += "; ".join(f"{e.label} {100 * (e.estimate or 0.0):+.1f} %" for e in effects) + " with its 95 % interval"
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
    report, denial, total = map(sequence.row, ("report", "denial", "total"))
    if row.candidates is not None and finding.is_set(row):
        listed = [_show_candidate(s) for s in row.candidates.sessions]
        listed.append(_show(row, "the largest of these, judged as one set", "headline"))
        return [*listed, _show(total, "sum over these sessions", "beside")] if total else listed
    day = f"{alignment.event_session:%A}"
    found = [_show(row, f"{day}, close to close (headline)", "headline")]
    if denial is not None:
        several = report if report is not None and report.first != report.last else None
        told = ((several, "before the denial"), (denial, "from the denial on"), (total, "both together"))
        return found + [_show(r, label, "plain") for r, label in told if r is not None]
    found.append(_show(companion, f"{day}\u2019s open (companion)", "plain"))
    longer = [r for r in rows if r.return_kind == HEADLINE_KIND and r.first == 0 < r.last and not r.is_primary]
    for last in longer[-1:]:
        until = alignment.hours.offset(alignment.event_session, last.last)
        found.append(_show(last, f"{day} to {until:%A}", "beside"))
    return found


def _show(row: WindowEstimate | SequenceRow, label: str, weight: str) -> ScreenRow:
    if row.estimate is None:
        return ScreenRow(f"{label}: {row.note}", ("n/a", "", "", "", "", ""), weight)
    if isinstance(row, WindowEstimate):
        ends, seen, bound = row.ci95, row.mde80_rule, row.smallest_bound
        reading = read_outcome(screen_outcome(row)) if row.outcome else ""
    else:
        ends, seen, reading = row.interval(0.05), None, ""
        bound = max(map(abs, row.interval(0.10) or ()), default=None)
    interval, p = " to ".join(map(_end, ends or ())), format_p(row.rank_p) if row.rank_p is not None else ""
    return ScreenRow(label, (_end(row.estimate), interval, p, _size(seen), _size(bound), reading), weight)


def _show_candidate(found: CandidateSession) -> ScreenRow:
    ends = found.interval(0.10)
    cells = (f"{' to '.join(map(_end, ends))} (90\u00a0%)", format_p(found.p_star), "", _size(max(map(abs, ends))), "")
    return ScreenRow(finding.say_day(found.day), (_end(found.estimate), *cells))


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
