"""The minute study: what bars of the event session say of report and denial, and what that hangs on."""

import dataclasses
from typing import Any

from event_impact.base.config import NO_BENCHMARK
from event_impact.base.errors import StudyError
from event_impact.estimation.bar_fit import BarFit, fit_grid
from event_impact.events.bar_windows import BarSpan, align_to_bars
from event_impact.inference.bar_tests import (
    MinuteResult,
    MinuteRow,
    MinuteVariant,
    assess_bars,
    decide_bars,
    is_reversal,
    share_taken_back,
)
from event_impact.market.bar_files import BarRequest, find_bars
from event_impact.market.bars import BarGrid, Bars, doubt_clocks, make_grid
from event_impact.market.opened import OpenedStory

# Lengths of bar that the windows are measured with once more.
CHECKED_MINUTES = (1, 5, 15)
GAP = BarSpan("gap at the open", is_declared=False, first=0, last=0)
NO_CLOSE = "the bars of the session before do not reach its close"


def measure_minutes(
    opened: OpenedStory, *, ticker: str = "", has_next_reading: bool = False
) -> MinuteResult | None:  # fmt: skip
    """Measure the declared and the printed windows; None where no bars of the event session are recorded.

    Parameters
    ----------
    ticker : str
        Another listing, on a constant mean, in the place of the story's.
    has_next_reading : bool
        Read the labels as they stand, without the inferred shift.

    Raises
    ------
    DataError
        If the bars cannot serve.
    """
    config, story, timing = opened.config, opened.story, opened.timing
    session = (timing.denial_sessions or timing.report_sessions)[0]
    request = BarRequest(config.bars, opened.tables, story.exchange, session, config.bar_minutes)
    wanted = "" if ticker else config.bar_benchmark or story.bar_benchmark
    bars = find_bars(ticker or story.ticker, request)
    market = find_bars(wanted, request) if wanted not in ("", NO_BENCHMARK) else None
    if bars is None:
        return None
    if has_next_reading:
        bars, market = bars.read_plainly(), market and market.read_plainly()
    articles = tuple(event.article for event in timing.articles)
    role = "denial" if timing.denial_sessions else "report"
    instant = min(a.published_latest for a in articles if a.role == role)
    grid = make_grid(bars, market, (session, instant), minutes=config.bar_minutes, n_sessions=config.bar_sessions)
    said = doubt_clocks(bars, market) if market else ""
    if market is None and wanted not in ("", NO_BENCHMARK):
        said = f"No bars of {wanted} are recorded: the model is a constant mean."
    grid = dataclasses.replace(grid, notes=(*grid.notes, *filter(None, [said])))
    alignment, fit = align_to_bars(articles, grid.ends, after_minutes=config.after_minutes), fit_grid(grid)
    rows = [_test_span(span, grid, fit, config.significance) for span in alignment.spans]
    rules = {"significance": config.significance, "bound": config.equivalence_bound}
    declared = [row for row in rows if row.span.is_declared]
    tests = decide_bars([row.test for row in declared], n_sessions=len(grid.sessions), **rules)
    rows[: len(tests)] = [dataclasses.replace(row, test=test) for row, test in zip(declared, tests, strict=True)]
    used = [b for b in (bars, market if grid.benchmark is not None else None) if b]
    steps = [b.step_overnight(session) for b in used]
    gap = steps[0] - sum(float(beta) * step for beta, step in zip(fit.coefficients[1:], steps[1:], strict=True))
    rows.append(MinuteRow(GAP, ends_at=grid.ends[0], untested=gap) if gap == gap else MinuteRow(GAP, note=NO_CLOSE))
    share, turned = None, False
    if len(tests) == 2 and tests[0] and tests[1]:
        share = share_taken_back(fit, *((row.span.first, row.span.n_bars) for row in declared))
        turned = is_reversal(tests[0], tests[1], share, significance=config.significance)
    files = {name: sha for b in (bars, market) if b for name, sha in b.files.items()}
    return MinuteResult(bars, files, grid, alignment, fit, tuple(rows), share, turned)


def _test_span(span: BarSpan, grid: BarGrid, fit: BarFit, significance: float) -> MinuteRow:
    if span.reason:
        return MinuteRow(span, note=span.reason)
    ends = (grid.ends[span.first], grid.ends[span.last])
    missing = [at for at, place in zip(ends, (span.first, span.last), strict=True) if not grid.is_known[place]]
    if missing:
        return MinuteRow(span, *ends, note=f"no price ends at {missing[0]:%H:%M} UTC: the last one is older than a bar")
    return MinuteRow(
        span, *ends, assess_bars(fit, span.first, span.n_bars, minutes=grid.minutes, significance=significance)
    )


def vary_minutes(opened: OpenedStory, result: MinuteResult) -> tuple[MinuteVariant, ...]:
    """The declared windows without the benchmark, with other bars, with labels as they stand, on other listings."""
    asked: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    if result.grid.benchmark is not None:
        asked.append(("constant mean", {"bar_benchmark": NO_BENCHMARK}, {}))
    asked += [(f"bars of {m} min", {"bar_minutes": m}, {}) for m in CHECKED_MINUTES if m != result.grid.minutes]
    if result.bars.convention.shift_minutes:
        asked.append(("labels as they stand", {}, {"has_next_reading": True}))
    asked += [(f"{ticker} by {m} min", {"bar_minutes": m}, {"ticker": ticker})
              for ticker in opened.story.other_tickers for m in CHECKED_MINUTES[:2]]  # fmt: skip
    return tuple(_vary(opened, result.bars, *change) for change in asked)


def _vary(opened: OpenedStory, bars: Bars, name: str, change: dict[str, Any], options: dict[str, Any]) -> MinuteVariant:
    try:
        result = measure_minutes(dataclasses.replace(opened, config=opened.config.replace(**change)), **options)
    except StudyError as error:
        return MinuteVariant(name, None, error.message.rstrip("."))
    if result is None:
        return MinuteVariant(name, None, "no such bars are recorded")
    notes = [f"{len(result.grid.sessions)} earlier sessions: no verdict"] * (result.outcome == "insufficient_data")
    notes += [doubt_clocks(bars, result.bars)] if result.bars.ticker != bars.ticker else []
    return MinuteVariant(name, result, "; ".join(filter(None, notes)))
