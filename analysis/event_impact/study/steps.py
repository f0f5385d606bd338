"""One story from its id to its verdict: the steps that the notebooks and the command line share.

Each step takes the nouns of the step before and the validated parameters, and is one line in
a notebook. The rooms know nothing of each other's parameters; this module hands them over.
"""

from __future__ import annotations

import dataclasses

import pandas as pd

from event_impact.base.config import (
    MAX_SMALL_PERCENTILE,
    MAX_T_LEVEL,
    MIN_SPECIFICATION_SIGN_SHARE,
    Window,
)
from event_impact.base.errors import DataError, EstimationError
from event_impact.estimation.abnormal import AbnormalReturns, Measured, Unmeasured, measure_abnormal_returns
from event_impact.estimation.dummies import DummyRegression, regress_with_dummies
from event_impact.estimation.estimators import ESTIMATORS
from event_impact.events.claims import load_claims
from event_impact.events.confounders import load_confounders
from event_impact.events.sessions import Alignment
from event_impact.inference.claim_checks import CheckedClaim, ClaimContext, check_claims
from event_impact.inference.dollar_effect import DollarEffect, value_in_currency
from event_impact.inference.leave_out import LeftOutDay, leave_out_days
from event_impact.inference.placebo_pool import PlaceboRank, rank_windows
from event_impact.inference.robustness import (
    Confirmation,
    SpecificationCurve,
    SpecificationEstimate,
    confirm_curve,
    estimate_curve,
    estimate_specifications,
)
from event_impact.inference.story_sequence import StorySequence, assess_sequence
from event_impact.inference.windows import (
    COMPANION_KIND,
    HEADLINE_KIND,
    Specification,
    WindowEstimate,
    adjust_primary,
    apply_confirmation,
    assess_window,
    unavailable,
)
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import RETURN_KINDS, ReturnPanel
from event_impact.study.opening import align as align
from event_impact.study.opening import align_articles as align_articles
from event_impact.study.opening import check_event, design_headline, masked_sessions, same_calendar_peers
from event_impact.study.opening import find_first_prices as find_first_prices
from event_impact.study.opening import find_peers as find_peers
from event_impact.study.opening import load_returns as load_returns
from event_impact.study.opening import open_study as open_study
from event_impact.study.opening import state_plan as state_plan
from event_impact.study.specifications import list_candidates, list_peer_candidates

CAUTIONS = {
    "yes": "",
    "no": "that opening price was made before the article was public and holds none of the news",
    "perhaps": "whether that opening price was made before or after the article is not known",
}
"""What must be said of a return that ends at the open of the event session."""


def measure(study: OpenedStory, panel: ReturnPanel, alignment: Alignment) -> Measured:
    """Abnormal returns of all three kinds.

    Raises
    ------
    DataError
        If the headline cannot be measured; other kinds carry their reason instead.
    """
    config = study.config
    check_event(study, panel, alignment)
    labels = {session: study.confounders.label_of(session) for session in study.confounders.table.index}
    reach = [*config.windows, *config.runup, config.path, alignment.hull]
    measured: Measured = {}
    for kind in RETURN_KINDS:
        try:
            design = design_headline(study, panel, kind)
            measured[kind] = measure_abnormal_returns(
                design,
                alignment.event_session,
                estimation_sessions=config.estimation_sessions,
                gap_sessions=config.gap_sessions,
                path=(min(first for first, _ in reach), max(last for _, last in reach)),
                masked=masked_sessions(study),
                labels=labels,
            )
        except EstimationError as error:
            if kind == HEADLINE_KIND:
                raise
            measured[kind] = Unmeasured(
                error.message.rstrip(".") if panel.has_open else "no opening prices are recorded"
            )
    return measured


def estimate(study: OpenedStory, measured: Measured, alignment: Alignment) -> list[WindowEstimate]:
    """Every window of every return kind, tested, with the declared pair adjusted."""
    config = study.config
    windows = list(config.windows)
    if alignment.hull not in windows:
        windows.append(alignment.hull)
    windows += [w for w in config.runup if w not in windows]
    rows = []
    for kind, abnormal in measured.items():
        specification = Specification(
            return_kind=kind,
            model=config.model,
            benchmark=study.benchmark,
            mask=config.mask,
            estimation_sessions=config.estimation_sessions,
            gap_sessions=config.gap_sessions,
        )
        ranks = {} if isinstance(abnormal, Unmeasured) else rank_among_placebos(study, abnormal, alignment, windows)
        for first, last in windows:
            if isinstance(abnormal, Unmeasured):
                is_primary = (first, last) == (0, 0) and kind == "close_to_open"
                rows.append(unavailable(specification, first, last, is_primary=is_primary, reason=abnormal.reason))
            else:
                rows.append(
                    assess_window(
                        abnormal,
                        first,
                        last,
                        specification=specification,
                        significance=config.significance,
                        bound=config.equivalence_bound,
                        seed=config.seed,
                        placebo=ranks.get((first, last)),
                    )
                )
    caution = CAUTIONS[alignment.open_holds_news]
    rows = [
        dataclasses.replace(r, caution=caution) if r.return_kind == COMPANION_KIND and r.last == 0 else r for r in rows
    ]
    return adjust_primary(rows, significance=config.significance, bound=config.equivalence_bound)


def assess_story(study: OpenedStory, measured: Measured, alignment: Alignment) -> StorySequence:
    """Report, denial and total effect as far as closing prices identify them, and each candidate session."""
    config = study.config
    headline = measured[HEADLINE_KIND]
    if isinstance(headline, Unmeasured):
        raise DataError(headline.reason, "Use another source.")
    found = alignment.identification
    return assess_sequence(
        headline,
        hull=alignment.hull,
        kind=found.kind if found.price_between == "close" else "joint",
        report_candidates=alignment.relative(alignment.report_sessions),
        denial_candidates=alignment.relative(alignment.denial_sessions),
        estimation_sessions=config.estimation_sessions,
        gap_sessions=config.gap_sessions,
        news=own_news(study, alignment),
        bound=config.equivalence_bound,
        significance=config.significance,
    )


def list_news(study: OpenedStory, alignment: Alignment) -> pd.DataFrame:
    """Recorded news inside the windows: of the listing from the run-up on, of benchmark and peers from the event on.

    Returns
    -------
    pandas.DataFrame
        Index session; columns listing, label, known_from (UTC), source, url, is_masked, notes.
    """
    config, hours = study.config, alignment.hours
    known_at = hours.schedule.at[pd.Timestamp(config.as_of), "close"]
    ends = max(end for _, end in (*config.windows, alignment.hull))
    last = min(hours.offset(alignment.event_session, ends), pd.Timestamp(config.as_of))
    first = hours.offset(alignment.event_session, min(f for f, _ in (*config.windows, *config.runup)))
    held = [study.confounders.between(first, last).assign(listing=study.story.ticker)]
    for listing in dict.fromkeys((study.benchmark, *(p.ticker for p in same_calendar_peers(study)))):
        found = load_confounders(listing, study.root.data, known_at=known_at, story=study.story.story)
        held.append(found.between(alignment.event_session, last).assign(listing=listing))
    frame = pd.concat([part for part in held if len(part)] or held[:1])
    return frame[["listing", *(c for c in frame.columns if c != "listing")]]


def regress_dummies(abnormal: AbnormalReturns, windows: tuple[Window, ...]) -> DummyRegression | Unmeasured:
    """The complete windows once more, as one regression with a dummy for each of their sessions.

    Least squares with one dummy a session gives the prediction errors as coefficients: an independent way
    to the same numbers, by another library.
    """
    if abnormal.design.model in ESTIMATORS or abnormal.garch is not None or not len(abnormal.design.regressors.columns):
        return Unmeasured(f"{abnormal.design.model} is not a regression with an intercept fitted by least squares")
    last = max((last for _, last in windows if abnormal.sum_window(0, last).estimate is not None), default=None)
    if last is None:
        return Unmeasured("no window from the event session on is complete")
    design = abnormal.design
    event = pd.DatetimeIndex(abnormal.table.loc[0:last, "session"])
    sessions = abnormal.fit.sessions.append(event)
    return regress_with_dummies(
        design.response.loc[sessions].to_numpy(dtype=float),
        design.regressors.loc[sessions].to_numpy(dtype=float),
        list(range(abnormal.fit.n_estimation, len(sessions))),
    )


def own_news(study: OpenedStory, alignment: Alignment) -> pd.DatetimeIndex:
    """Sessions of the story's articles and of masked confounders: no placebo may be near them."""
    own = [s for event in alignment.articles for s in event.sessions]
    return pd.DatetimeIndex(own).union(study.confounders.masked_sessions)


def rank_among_placebos(
    study: OpenedStory, abnormal: AbnormalReturns, alignment: Alignment, windows: list[Window]
) -> dict[Window, PlaceboRank]:
    """Ranks of the event among earlier sessions away from the story's own news."""
    return rank_windows(
        abnormal,
        windows,
        estimation_sessions=study.config.estimation_sessions,
        gap_sessions=study.config.gap_sessions,
        news=own_news(study, alignment),
    )


def rank_headline(study: OpenedStory, measured: Measured, alignment: Alignment) -> PlaceboRank:
    """The headline's rank among earlier sessions, with the statistics behind it.

    Raises
    ------
    DataError
        If the headline has no estimate.
    """
    headline = measured[HEADLINE_KIND]
    if isinstance(headline, Unmeasured):
        raise DataError(headline.reason, "Use another source.")
    ranks = rank_among_placebos(study, headline, alignment, [(0, 0)])
    if (0, 0) not in ranks:
        raise DataError(headline.sum_window(0, 0).note, "Use another source.")
    return ranks[0, 0]


def trace_curve(
    study: OpenedStory, panel: ReturnPanel, alignment: Alignment, *, return_kind: str = HEADLINE_KIND
) -> SpecificationCurve:
    """The estimate of the event session under every exchangeable choice, tested as a whole."""
    candidates, headline = list_candidates(study, panel, return_kind)
    return estimate_curve(
        candidates,
        alignment.event_session,
        headline=headline,
        significance=study.config.significance,
        bound=study.config.equivalence_bound,
        news=own_news(study, alignment),
    )


def confirm(
    study: OpenedStory, panel: ReturnPanel, alignment: Alignment, *, return_kind: str = HEADLINE_KIND
) -> Confirmation:
    """Whether the specification curve supports a detection at the event session."""
    return judge_curve(trace_curve(study, panel, alignment, return_kind=return_kind))


def judge_curve(curve: SpecificationCurve) -> Confirmation:
    """The rule of the study on a curve: one sign in most specifications, and a small placebo maxT p."""
    return confirm_curve(curve, min_sign_share=MIN_SPECIFICATION_SIGN_SHARE, max_p=MAX_T_LEVEL)


def confirm_detections(
    study: OpenedStory, panel: ReturnPanel, alignment: Alignment, rows: list[WindowEstimate]
) -> list[WindowEstimate]:
    """Decide between ``effect`` and ``fragile`` where something was detected; without a detection nothing is run.

    The curve covers the event session; detections in other windows stay fragile and say so.
    """
    confirmed = []
    for row in rows:
        if row.outcome == "fragile" and row.is_primary:
            found = confirm(study, panel, alignment, return_kind=row.return_kind)
            row = apply_confirmation(
                row, is_confirmed=found.is_confirmed, reason=found.reason, is_tested=found.is_tested
            )
        elif row.outcome == "fragile":
            reason = "the specification curve covers the declared rows of the event session only"
            row = apply_confirmation(row, is_confirmed=False, reason=reason)
        confirmed.append(row)
    return confirmed


def leave_out_news(study: OpenedStory, measured: Measured, alignment: Alignment) -> tuple[LeftOutDay, ...]:
    """The headline without each recorded news session of its estimation window, one at a time."""
    headline = measured[HEADLINE_KIND]
    if isinstance(headline, Unmeasured):
        raise DataError(headline.reason, "Use another source.")
    sessions = study.confounders.table.index.unique()
    labels = pd.Series({s: study.confounders.label_of(s) for s in sessions}, dtype=object)
    labels.index = pd.DatetimeIndex(labels.index)
    return leave_out_days(
        headline.design,
        alignment.event_session,
        labels,
        length=study.config.estimation_sessions,
        gap=study.config.gap_sessions,
        left_out=study.confounders.masked_sessions if study.config.mask == "listed" else pd.DatetimeIndex([]),
    )


def leave_out_peers(study: OpenedStory, panel: ReturnPanel, alignment: Alignment) -> list[SpecificationEstimate]:
    """The market model with all peers, then without each; peers without figures carry the reason."""
    candidates, whole = list_peer_candidates(study, panel)
    return estimate_specifications(
        candidates,
        alignment.event_session,
        headline=whole,
        significance=study.config.significance,
        bound=study.config.equivalence_bound,
    )


def judge_claims(
    study: OpenedStory, panel: ReturnPanel, measured: Measured, alignment: Alignment
) -> tuple[CheckedClaim, ...]:
    """What the articles that were known at as_of claim, and what the figures say of each statement."""
    claims = load_claims(tuple(event.article for event in alignment.articles), study.root.data)
    context = ClaimContext(
        panel=panel,
        alignment=alignment,
        abnormal={kind: a for kind, a in measured.items() if isinstance(a, AbnormalReturns)},
        estimation_sessions=study.config.estimation_sessions,
        gap_sessions=study.config.gap_sessions,
        max_small_percentile=MAX_SMALL_PERCENTILE,
    )
    return check_claims(claims, context)


def value_effect(
    study: OpenedStory, panel: ReturnPanel, alignment: Alignment, rows: list[WindowEstimate]
) -> tuple[DollarEffect, ...]:
    """The declared pair in money: shares outstanding times the close before, times the estimate."""
    story = study.story
    return tuple(
        value_in_currency(
            row,
            panel.prices["close"],
            alignment.event_session,
            shares=story.shares_outstanding,
            shares_as_of=story.shares_as_of,
            shares_source=story.shares_source,
        )
        for row in rows
        if row.is_primary
    )
