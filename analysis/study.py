"""One story from its id to its verdict: the steps that the notebooks and the command line share.

Each step takes the nouns of the step before and the validated parameters, and is one line in
a notebook. The rooms know nothing of each other's parameters; this module hands them over.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.alignments import tickers_with_opens
from analysis.config import (
    MAX_SMALL_PERCENTILE,
    MAX_T_LEVEL,
    MIN_SPECIFICATION_SIGN_SHARE,
    StudyConfig,
    Window,
)
from analysis.errors import DataError, EstimationError
from analysis.estimation.abnormal import AbnormalReturns, measure_abnormal_returns
from analysis.estimation.models import FACTOR_COLUMNS, PEER_MODELS, build_design
from analysis.events.articles import Story, load_story
from analysis.events.claims import load_claims
from analysis.events.confounders import Confounders, load_confounders
from analysis.events.peers import load_peers
from analysis.events.sessions import Alignment, align_story
from analysis.events.venues import first_prices, load_venues
from analysis.inference.claim_checks import CheckedClaim, ClaimContext, check_claims
from analysis.inference.dollar_effect import DollarEffect, value_in_currency
from analysis.inference.leave_out import LeftOutDay, leave_out_days
from analysis.inference.placebo_pool import PlaceboRank, rank_windows
from analysis.inference.robustness import (
    Confirmation,
    SpecificationCurve,
    SpecificationEstimate,
    confirm_curve,
    estimate_curve,
    estimate_specifications,
)
from analysis.inference.story_sequence import StorySequence, assess_sequence
from analysis.inference.windows import (
    HEADLINE_KIND,
    Specification,
    WindowEstimate,
    adjust_primary,
    apply_confirmation,
    assess_window,
    unavailable,
)
from analysis.market.returns import RETURN_KINDS, ReturnPanel, load_panel
from analysis.market.snapshot import PriceStore, digest, open_source
from analysis.root import StudyRoot, find_root
from analysis.specifications import list_candidates, list_peer_candidates, same_calendar_peers

TABLES = (
    "stories.csv", "articles.csv", "confounders.csv", "claims.csv", "peers.csv", "controls.csv", "faults.csv",
    "manifest.csv", "venues.csv",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """One story, opened: its articles, what else happened, and the prices of its source."""

    config: StudyConfig
    root: StudyRoot
    story: Story
    confounders: Confounders
    store: PriceStore

    @property
    def benchmark(self) -> str:
        """The benchmark asked for, or the story's own."""
        return self.config.benchmark or self.story.benchmark

    @property
    def table_hashes(self) -> dict[str, str]:
        """sha256 of the hand-curated tables."""
        return {f"data/{name}": digest((self.root.data / name).read_bytes()) for name in TABLES}


@dataclass(frozen=True)
class Unmeasured:
    """A return kind that cannot be measured, with the reason."""

    reason: str


Measured = dict[str, AbnormalReturns | Unmeasured]


def open_study(config: StudyConfig, root: str | Path | None = None) -> Study:
    """Read the registry and open the price source; nothing is computed yet."""
    found = find_root(root)
    story = load_story(config.story, found.data)
    store = open_source(config.source, found.data, (story.ticker, config.benchmark or story.benchmark))
    alignment = align_story(story, as_of=config.as_of)
    known_at = alignment.hours.schedule.at[pd.Timestamp(config.as_of), "close"]
    confounders = load_confounders(story.ticker, found.data, known_at=known_at)
    return Study(config, found, story, confounders, store)


def align_articles(study: Study) -> Alignment:
    """The alignment of a story from its articles alone, before any price is read."""
    has_open = study.story.ticker in tickers_with_opens(study.root.data)
    return align_story(study.story, as_of=study.config.as_of, has_open=has_open)


def find_first_prices(study: Study, alignment: Alignment) -> pd.DataFrame:
    """First possible price on each venue once report, and once the first denial, were public for sure."""
    venues = load_venues(study.root.data)
    columns = {}
    for role in ("report", "denial"):
        bounds = [e.article.published_latest for e in alignment.articles if e.article.role == role]
        if bounds:
            columns[role] = first_prices(venues, study.story.exchange, min(bounds)).set_index("label")["first_price_at"]
    return pd.DataFrame(columns).rename_axis("venue").sort_values(list(columns), kind="stable")


def load_returns(study: Study) -> ReturnPanel:
    """Returns of the firm and its benchmark, and of what else the model asks for, cut at as_of."""
    peers = find_peers(study) if study.config.model in PEER_MODELS else ()
    return load_panel(
        study.store,
        study.story.ticker,
        benchmark=study.benchmark,
        exchange=study.story.exchange,
        as_of=study.config.as_of,
        others=peers,
        with_factors=study.config.model in FACTOR_COLUMNS,
    )


def find_peers(study: Study) -> tuple[str, ...]:
    """Peers that may explain the firm: same calendar, with figures, and no recorded news on the story's sessions.

    A peer that moved for reasons of its own would carry them into the firm's abnormal return.

    Raises
    ------
    DataError
        If none is left; the sentence says why each peer is not.
    """
    alignment = align_articles(study)
    known_at = alignment.hours.schedule.at[pd.Timestamp(study.config.as_of), "close"]
    first, last = alignment.candidates[0], alignment.candidates[-1]
    usable, reasons = [], []
    for peer in same_calendar_peers(study):
        own_news = load_confounders(peer.ticker, study.root.data, known_at=known_at).between(first, last)
        try:
            study.store.load(peer.ticker, study.story.exchange)
        except DataError:
            reasons.append(f"{peer.ticker} has no figures")
            continue
        if len(own_news):
            reasons.append(f"{peer.ticker} has news of its own ({own_news['label'].iloc[0]})")
        else:
            usable.append(peer.ticker)
    if not usable:
        why = "; ".join(reasons) or "data/peers.csv lists none"
        raise DataError(f"model {study.config.model}: no peer of {study.story.ticker} can be used: {why}.",
                        "Use model=market.")  # fmt: skip
    return tuple(usable)


def align(study: Study, panel: ReturnPanel) -> Alignment:
    """The sessions that each article can have reached, and what the recorded prices can tell apart."""
    return align_story(study.story, as_of=study.config.as_of, has_open=panel.has_open)


def measure(study: Study, panel: ReturnPanel, alignment: Alignment) -> Measured:
    """Abnormal returns of all three kinds.

    Raises
    ------
    DataError
        If the headline cannot be measured; other kinds carry their reason instead.
    """
    config = study.config
    check_masks(study, alignment)
    labels = {session: study.confounders.label_of(session) for session in study.confounders.table.index}
    masked = study.confounders.masked_sessions if config.mask == "listed" else None
    reach = [*config.windows, *config.runup, config.path, alignment.hull]
    measured: Measured = {}
    for kind in RETURN_KINDS:
        try:
            design = build_design(
                config.model,
                panel.returns[kind],
                ticker=panel.ticker,
                benchmark=panel.benchmark,
                return_kind=kind,
                factors=panel.factors,
                peers=tuple(c for c in panel.returns[kind].columns if c not in (panel.ticker, panel.benchmark)),
            )
            measured[kind] = measure_abnormal_returns(
                design,
                alignment.event_session,
                estimation_sessions=config.estimation_sessions,
                gap_sessions=config.gap_sessions,
                path=(min(first for first, _ in reach), max(last for _, last in reach)),
                masked=masked,
                labels=labels,
            )
        except EstimationError as error:
            if kind == HEADLINE_KIND:
                raise
            measured[kind] = Unmeasured(
                error.message.rstrip(".") if panel.has_open else "no opening prices are recorded"
            )
    return measured


def check_masks(study: Study, alignment: Alignment) -> None:
    """Refuse a mask that would remove what is being tested.

    Raises
    ------
    DataError
        If ``mask = listed`` names a session inside a tested window.
    """
    if study.config.mask != "listed":
        return
    first = min(first for first, _ in study.config.windows)
    last = max(last for _, last in (*study.config.windows, alignment.hull))
    inside = study.confounders.masked_sessions.intersection(
        alignment.hours.between(
            alignment.hours.offset(alignment.event_session, first),
            alignment.hours.offset(alignment.event_session, last),
        )
    )
    if len(inside):
        raise DataError(
            f"mask: listed would mask {inside[0].date()}, which lies inside a tested window.",
            "Use mask=none, or shorter windows.",
        )


def estimate(study: Study, measured: Measured, alignment: Alignment) -> list[WindowEstimate]:
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
    return adjust_primary(rows, significance=config.significance, bound=config.equivalence_bound)


def assess_story(study: Study, measured: Measured, alignment: Alignment) -> StorySequence:
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


def own_news(study: Study, alignment: Alignment) -> pd.DatetimeIndex:
    """Sessions of the story's articles and of masked confounders: no placebo may be near them."""
    own = [s for event in alignment.articles for s in event.sessions]
    return pd.DatetimeIndex(own).union(study.confounders.masked_sessions)


def rank_among_placebos(
    study: Study, abnormal: AbnormalReturns, alignment: Alignment, windows: list[Window]
) -> dict[Window, PlaceboRank]:
    """Ranks of the event among earlier sessions away from the story's own news."""
    return rank_windows(
        abnormal,
        windows,
        estimation_sessions=study.config.estimation_sessions,
        gap_sessions=study.config.gap_sessions,
        news=own_news(study, alignment),
    )


def rank_headline(study: Study, measured: Measured, alignment: Alignment) -> PlaceboRank:
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
    study: Study, panel: ReturnPanel, alignment: Alignment, *, return_kind: str = HEADLINE_KIND
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
    study: Study, panel: ReturnPanel, alignment: Alignment, *, return_kind: str = HEADLINE_KIND
) -> Confirmation:
    """Whether the specification curve supports a detection at the event session."""
    return judge_curve(trace_curve(study, panel, alignment, return_kind=return_kind))


def judge_curve(curve: SpecificationCurve) -> Confirmation:
    """The rule of the study on a curve: one sign in most specifications, and a small placebo maxT p."""
    return confirm_curve(curve, min_sign_share=MIN_SPECIFICATION_SIGN_SHARE, max_p=MAX_T_LEVEL)


def confirm_detections(
    study: Study, panel: ReturnPanel, alignment: Alignment, rows: list[WindowEstimate]
) -> list[WindowEstimate]:
    """Decide between ``effect`` and ``fragile`` where something was detected; without a detection nothing is run.

    The curve covers the event session; detections in other windows stay fragile and say so.
    """
    confirmed = []
    for row in rows:
        if row.outcome == "fragile" and row.is_primary:
            found = confirm(study, panel, alignment, return_kind=row.return_kind)
            row = apply_confirmation(row, is_confirmed=found.is_confirmed, reason=found.reason)
        elif row.outcome == "fragile":
            reason = "the specification curve covers the declared rows of the event session only"
            row = apply_confirmation(row, is_confirmed=False, reason=reason)
        confirmed.append(row)
    return confirmed


def leave_out_news(study: Study, measured: Measured, alignment: Alignment) -> tuple[LeftOutDay, ...]:
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


def leave_out_peers(study: Study, panel: ReturnPanel, alignment: Alignment) -> list[SpecificationEstimate]:
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
    study: Study, panel: ReturnPanel, measured: Measured, alignment: Alignment
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
    study: Study, panel: ReturnPanel, alignment: Alignment, rows: list[WindowEstimate]
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


def list_side_inputs(study: Study) -> dict[str, str]:
    """Factors and peers that the curve and the spillover use, with their sha256; missing ones are left out."""
    files: dict[str, str] = {}
    with contextlib.suppress(DataError):
        files |= study.store.load_factors()[1]
    for peer in load_peers(study.story.ticker, study.root.data):
        with contextlib.suppress(DataError):
            files |= study.store.load(peer.ticker, peer.exchange).files
    return files


def check_study(study: Study, *, needs: str) -> ReturnPanel | None:
    """Run every step that can refuse, before a kernel is started.

    Parameters
    ----------
    needs : str
        ``registry`` for notebooks that use articles and calendars only, ``prices`` for the others.

    Raises
    ------
    StudyError
        Whatever the steps themselves raise.
    """
    if needs == "registry":
        return None
    panel = load_returns(study)
    measure(study, panel, align(study, panel))
    return panel
