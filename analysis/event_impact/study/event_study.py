"""The steps of the event-study notebook: abnormal returns, tests, sequence, and what stands beside them."""

import dataclasses
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from event_impact.base.config import Window
from event_impact.base.errors import DataError, EstimationError
from event_impact.estimation.abnormal import AbnormalReturns, Measured, Unmeasured, measure_abnormal_returns
from event_impact.estimation.activity_models import build_range_design, build_volume_design, measure_activity
from event_impact.estimation.estimators import ESTIMATORS
from event_impact.estimation.models import WindowEffects, build_design, regress_with_dummies
from event_impact.events.confounders import Control, load_controls
from event_impact.events.sessions import Alignment
from event_impact.inference.activity_tests import Surprise, assess_surprises, lacking_surprises
from event_impact.inference.deciding_rule import describe_rule, invert_window
from event_impact.inference.diagnostics import StudyDiagnostics, diagnose, slope_without
from event_impact.inference.placebo_pool import PlaceboRank, rank_windows
from event_impact.inference.sequence import StorySequence, assess_sequence
from event_impact.inference.window_tests import ControlResult, describe_t
from event_impact.inference.windows import (
    COMPANION_KIND,
    HEADLINE_KIND,
    Specification,
    WindowEstimate,
    adjust_primary,
    assess_window,
    join_candidates,
    unavailable,
)
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import RETURN_KINDS, ReturnPanel
from event_impact.study.opened_study import check_event, design_model, load_beside

#: What must be said of a return that ends at the open of the event session.
CAUTIONS = {
    "yes": "",
    "no": "that opening price was made before the article was public and holds none of the news",
    "perhaps": "whether that opening price was made before or after the article is not known",
}
#: By kind of return and window.
Ranks = dict[str, dict[Window, PlaceboRank]]
#: Sessions shown on either side of the hull of candidates.
ACTIVITY_SESSIONS = 2


def measure(opened: OpenedStory, panel: ReturnPanel, alignment: Alignment) -> Measured:
    """Abnormal returns of all three kinds.

    Raises
    ------
    DataError
        If the headline cannot be measured; other kinds carry their reason instead.
    """
    config = opened.config
    check_event(opened, panel, alignment)
    labels = {session: opened.confounders.label_of(session) for session in opened.confounders.table.index}
    reach = [*config.windows, *config.runup, config.path, alignment.hull]
    measured: dict[str, AbnormalReturns | Unmeasured] = {}
    for kind in RETURN_KINDS:
        try:
            measured[kind] = measure_abnormal_returns(
                design_model(opened, panel, kind), alignment.event_session, **opened.lengths,
                path=(min(first for first, _ in reach), max(last for _, last in reach)), masked=opened.masked,
                labels=labels,
            )  # fmt: skip
        except EstimationError as error:
            if kind == HEADLINE_KIND:
                raise
            why = error.message.rstrip(".") if panel.has_open else "no opening prices are recorded"
            measured[kind] = Unmeasured(why)
    return Measured(**measured)  # type: ignore[arg-type]  # the headline's are returns: else it was raised


def list_windows(opened: OpenedStory, alignment: Alignment) -> list[Window]:
    """Every window of a study, each once."""
    return list(dict.fromkeys((*opened.config.windows, alignment.hull, *opened.config.runup)))


def estimate(opened: OpenedStory, measured: Measured, alignment: Alignment, ranks: Ranks) -> list[WindowEstimate]:
    """Every window of every return kind, tested, with the declared pair adjusted."""
    config, windows = opened.config, list_windows(opened, alignment)
    reachable = alignment.relative(alignment.reachable)
    rule: Any = {"significance": config.significance, "bound": config.equivalence_bound, "seed": config.seed}
    rows: list[WindowEstimate] = []
    for kind, abnormal in measured.items():
        specification = Specification(kind, config.model, opened.benchmark, config.mask, **opened.lengths)
        if isinstance(abnormal, Unmeasured):
            declared, why = (0, 0) if kind == COMPANION_KIND else None, abnormal.reason
            rows += [unavailable(specification, *w, is_primary=w == declared, reason=why) for w in windows]
            continue
        rank_of, fixed = ranks[kind].get, {"specification": specification, **rule}
        own = [assess_window(abnormal, *w, **fixed, placebo=rank_of(w)) for w in windows]
        hull = rank_of(alignment.hull)
        earlier = hull.t_values[:, list(reachable)] if hull else np.empty((0, len(reachable)))
        rows += join_candidates(own, abnormal, reachable, placebo_t=earlier, bound=config.equivalence_bound)
    for place, row in enumerate(rows):
        if row.return_kind == COMPANION_KIND and row.last == 0:
            rows[place] = dataclasses.replace(row, caution=CAUTIONS[alignment.open_holds_news])
    return adjust_primary(rows, bound=config.equivalence_bound)


def assess_story(opened: OpenedStory, measured: Measured, alignment: Alignment) -> StorySequence:
    """Report, denial and total effect as far as closing prices identify them."""
    found, candidates = alignment.identification, alignment.relative(alignment.denial_sessions)
    is_apart = found.kind == "separable" and found.price_between == "close" and min(candidates) > alignment.hull[0]
    return assess_sequence(
        measured.close_to_close, alignment.hull, denial_from=min(candidates) if is_apart else None, **opened.lengths,
        news=own_news(opened, alignment), bound=opened.config.equivalence_bound,
        significance=opened.config.significance,
    )  # fmt: skip


def own_news(opened: OpenedStory, alignment: Alignment) -> pd.DatetimeIndex:
    """Sessions of the story's articles and of masked confounders: no placebo may be near them."""
    own = [s for event in alignment.articles for s in event.sessions]
    return pd.DatetimeIndex(own).union(opened.confounders.masked_sessions)


def rank_among_placebos(opened: OpenedStory, measured: Measured, alignment: Alignment) -> Ranks:
    """Ranks of every window, and of the event session, among earlier sessions away from the story's own news."""
    windows, news = [*list_windows(opened, alignment), (0, 0)], own_news(opened, alignment)
    return {
        kind: rank_windows(abnormal, windows, **opened.lengths, news=news)
        for kind, abnormal in measured.items()
        if isinstance(abnormal, AbnormalReturns)
    }


def list_news(opened: OpenedStory, alignment: Alignment) -> pd.DataFrame:
    """Recorded news inside the windows: of the listing from the run-up on, of benchmark and peers from the event on.

    Returns
    -------
    pandas.DataFrame
        Index session; columns listing, label, known_from (UTC), source, url, is_masked, notes.
    """
    config, hours = opened.config, alignment.hours
    ends = max(end for _, end in (*config.windows, alignment.hull))
    last = min(hours.offset(alignment.event_session, ends), opened.as_of)
    first = hours.offset(alignment.event_session, min(f for f, _ in (*config.windows, *config.runup)))
    held = [opened.confounders.between(first, last).assign(listing=opened.story.ticker)]
    for listing in dict.fromkeys((opened.benchmark, *(p.ticker for p in opened.near_peers))):
        held.append(opened.news_of(listing).between(alignment.event_session, last).assign(listing=listing))
    frame = pd.concat([part for part in held if len(part)] or held[:1])
    return frame[["listing", *(c for c in frame.columns if c != "listing")]]


def regress_dummies(abnormal: AbnormalReturns, windows: tuple[Window, ...]) -> WindowEffects | Unmeasured:
    """The complete windows once more, as one regression with a dummy for each of their sessions.

    Least squares with one dummy a session gives the prediction errors as coefficients: an independent way
    to the same numbers, by another library.
    """
    design = abnormal.design
    if design.model in ESTIMATORS or abnormal.garch is not None or not len(design.regressors.columns):
        return Unmeasured(f"{design.model} is not a regression with an intercept fitted by least squares")
    last = max((last for _, last in windows if abnormal.sum_window(0, last).estimate is not None), default=None)
    if last is None:
        return Unmeasured("no window from the event session on is complete")
    sessions = abnormal.fit.sessions.append(pd.DatetimeIndex(abnormal.table.loc[0:last, "session"]))
    y, x = (part.loc[sessions].to_numpy(dtype=float) for part in (design.response, design.regressors))
    return regress_with_dummies(y, x, list(range(abnormal.fit.n_estimation, len(sessions))))


def diagnose_headline(opened: OpenedStory, measured: Measured) -> StudyDiagnostics | Unmeasured:
    """What in the estimation window of the headline could spoil its tests, with the doubts of the data notes.

    Models with another estimator than least squares are diagnosed by least squares on their regressors.
    """
    headline = measured.close_to_close
    total = headline.sum_window(0, 0)
    if total.estimate is None:
        return Unmeasured(total.note)
    fit = headline.fit
    names = list(fit.coefficients.index)
    slope = next((names.index(name) for name in ("market_beta", "mkt_rf") if name in names), None)
    y = headline.design.response.loc[fit.sessions].to_numpy(dtype=float)
    found = diagnose(headline.window_fits(0, 0), y, fit.design_matrix, slope=slope)
    history = opened.store.load(opened.benchmark, opened.story.exchange)
    notes = history.faults[(history.faults["field"] == "close") & (history.faults["session"] != "")]
    doubtful = fit.sessions.intersection(pd.DatetimeIndex(notes["session"]))
    places, stability, without = fit.sessions.get_indexer(doubtful), found.beta_stability, None
    if slope is not None and len(doubtful):
        without = slope_without(y, fit.design_matrix, sessions=places, slope=slope)
    return StudyDiagnostics(
        diagnostics=found, largest_leverage_session=fit.sessions[found.largest_leverage_offset],
        average_leverage=len(names) / fit.n_estimation,
        dropped_sessions=tuple(fit.sessions[list(stability.dropped)]) if stability else (),
        doubtful_sessions=tuple(doubtful), beta_without_doubtful=without,
    )  # fmt: skip


def list_controls(opened: OpenedStory) -> list[Control]:
    """The firm's control sessions up to as_of, then those of its listed peers; none when the firm has none."""
    controls = [c for c in load_controls(opened.tables) if c.session <= opened.as_of]
    own = [c for c in controls if c.ticker == opened.story.ticker]
    peers = {p.ticker for p in opened.listed if p.role == "peer"}
    return [*own, *(c for c in controls if own and c.ticker in peers)]


def run_controls(opened: OpenedStory) -> tuple[ControlResult, ...]:
    """Run t, conformal and FHS on the control sessions: the market model, close to close, with the study's lengths."""
    load = cache(partial(load_beside, opened))
    return tuple(_test_control(opened, control, load) for control in list_controls(opened))


def measure_session(opened: OpenedStory, returns: pd.DataFrame, ticker: str, session: pd.Timestamp) -> AbnormalReturns:
    """One session of a listing under the market model, close to close."""
    design = build_design("market", returns, ticker=ticker, benchmark=opened.benchmark, return_kind=HEADLINE_KIND)
    return measure_abnormal_returns(design, session, **opened.lengths, path=(0, 0))


def _test_control(opened: OpenedStory, control: Control, load: Callable[..., ReturnPanel]) -> ControlResult:
    try:
        returns = load(ticker=control.ticker).returns[HEADLINE_KIND]
        abnormal = measure_session(opened, returns, control.ticker, control.session)
    except (DataError, EstimationError) as error:
        return ControlResult(control, None, {}, error.message.rstrip("."))
    total = abnormal.sum_window(0, 0)
    if total.estimate is None or total.standard_error is None:
        return ControlResult(control, None, {}, total.note)
    tests = {"t": describe_t(abnormal, total)} | describe_rule(invert_window(abnormal, 0, 0))
    return ControlResult(control, total.estimate, tests)


def surprise_activity(opened: OpenedStory, panel: ReturnPanel, alignment: Alignment) -> list[Surprise]:
    """Surprise in volume and range from two sessions before the first candidate to two after the last.

    Both prices come from the source of the run: volumes of two vendors cannot be compared.
    """
    first, last = -ACTIVITY_SESSIONS, alignment.hull[1] + ACTIVITY_SESSIONS
    surprises: list[Surprise] = []
    for kind, build in {"log_volume": build_volume_design, "log_range": build_range_design}.items():
        try:
            design = build(panel.prices, panel.benchmark_prices, benchmark=panel.benchmark)
            found = measure_activity(design, alignment.event_session, **opened.lengths, path=(first, last))
            surprises += assess_surprises(found, max(first, -opened.config.gap_sessions), last)
        except EstimationError as error:
            surprises += lacking_surprises(kind, first, last, error.message.rstrip("."))
    return surprises
