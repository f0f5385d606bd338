"""The first steps of a study, up to checked returns: what a runner does before it starts a kernel.

Nothing here estimates or tests, so that it loads fast and refuses early; :mod:`event_impact.study.steps` goes on.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pandas as pd

from event_impact.base.config import StudyConfig
from event_impact.base.errors import DataError
from event_impact.base.root import find_root
from event_impact.estimation.models import (
    FACTOR_COLUMNS,
    PEER_MODELS,
    Design,
    build_design,
    choose_estimation,
    read_rows,
)
from event_impact.events.articles import load_story
from event_impact.events.confounders import load_confounders
from event_impact.events.peer_lists import Peer, load_peers
from event_impact.events.sessions import Alignment, align_story
from event_impact.events.venues import first_prices, load_venues
from event_impact.market.checks import refuse_halt
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel, load_panel
from event_impact.market.snapshot import open_source
from event_impact.registry.alignments import embedded_opens
from event_impact.registry.plans import PlanStatus, load_plans, plan_status


def open_study(config: StudyConfig, root: str | Path | None = None) -> OpenedStory:
    """Read the registry and open the price source; nothing is computed yet."""
    found = find_root(root)
    story = load_story(config.story, found.data)
    store = open_source(config.source, found.data, (story.ticker, config.benchmark or story.benchmark))
    alignment = align_story(story, as_of=config.as_of)
    known_at = alignment.hours.schedule.at[pd.Timestamp(config.as_of), "close"]
    confounders = load_confounders(story.ticker, found.data, known_at=known_at, story=story.story)
    return OpenedStory(config, found, story, confounders, store)


def align_articles(study: OpenedStory) -> Alignment:
    """The alignment of a story from its articles alone, before any price is read."""
    opens = embedded_opens(study.story, study.root.data)
    return align_story(study.story, as_of=study.config.as_of, opens=opens)


def find_first_prices(study: OpenedStory, alignment: Alignment) -> pd.DataFrame:
    """First possible price on each venue once report, and once the first denial, were public for sure."""
    venues = load_venues(study.root.data)
    columns = {}
    for role in ("report", "denial"):
        bounds = [e.article.published_latest for e in alignment.articles if e.article.role == role]
        if bounds:
            columns[role] = first_prices(venues, study.story.exchange, min(bounds)).set_index("label")["first_price_at"]
    return pd.DataFrame(columns).rename_axis("venue").sort_values(list(columns), kind="stable")


def same_calendar_peers(study: OpenedStory) -> tuple[Peer, ...]:
    """Peers whose exchange keeps the firm's sessions (New York and Nasdaq do)."""
    us = ("XNYS", "XNAS")
    own = study.story.exchange
    return tuple(
        p
        for p in load_peers(study.story.ticker, study.root.data)
        if p.role == "peer" and (p.exchange == own or {p.exchange, own} <= set(us))
    )


def find_peers(study: OpenedStory) -> tuple[str, ...]:
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


def load_returns(study: OpenedStory) -> ReturnPanel:
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


def align(study: OpenedStory, panel: ReturnPanel) -> Alignment:
    """The sessions that each article can have reached, and what the recorded prices can tell apart."""
    return align_story(study.story, as_of=study.config.as_of, opens=panel.opens)


def state_plan(study: OpenedStory, alignment: Alignment) -> PlanStatus:
    """How the parameters of this run relate to the plans that were frozen for its story."""
    plans = load_plans(study.root.data, study.story.story)
    return plan_status(study.story, study.config, alignment=alignment, plans=plans)


def check_masks(study: OpenedStory, alignment: Alignment) -> None:
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


def check_event(study: OpenedStory, panel: ReturnPanel, alignment: Alignment) -> None:
    """Refuse what would make the event session no measure of the event: a mask inside the windows, or a halt.

    Raises
    ------
    DataError
        Naming the session. One without any price is left to the estimate, which says what is missing.
    """
    check_masks(study, alignment)
    if alignment.event_session in panel.prices.index:
        refuse_halt(panel.prices, alignment.event_session, panel.ticker)


def design_headline(study: OpenedStory, panel: ReturnPanel, return_kind: str) -> Design:
    """Response and regressors of the run's model for one return kind."""
    return build_design(
        study.config.model,
        panel.returns[return_kind],
        ticker=panel.ticker,
        benchmark=panel.benchmark,
        return_kind=return_kind,
        factors=panel.factors,
        peers=tuple(c for c in panel.returns[return_kind].columns if c not in (panel.ticker, panel.benchmark)),
    )


def masked_sessions(study: OpenedStory) -> pd.DatetimeIndex | None:
    """Sessions that the run leaves out of its estimation window."""
    return study.confounders.masked_sessions if study.config.mask == "listed" else None


def list_side_inputs(study: OpenedStory) -> dict[str, str]:
    """Factors and peers that the curve and the spillover use, with their sha256; missing ones are left out."""
    files: dict[str, str] = {}
    with contextlib.suppress(DataError):
        files |= study.store.load_factors()[1]
    for peer in load_peers(study.story.ticker, study.root.data):
        with contextlib.suppress(DataError):
            files |= study.store.load(peer.ticker, peer.exchange).files
    return files


def check_study(study: OpenedStory, *, needs: str) -> ReturnPanel | None:
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
    alignment = align(study, panel)
    check_event(study, panel, alignment)
    design = design_headline(study, panel, "close_to_close")
    used, _ = choose_estimation(
        design,
        alignment.event_session,
        length=study.config.estimation_sessions,
        gap=study.config.gap_sessions,
        masked=masked_sessions(study),
    )
    read_rows(design, used, asked_sessions=study.config.estimation_sessions)
    return panel
