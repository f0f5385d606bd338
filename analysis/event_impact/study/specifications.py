"""The specifications that a story's prices allow: the list that the robustness curve goes through."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from event_impact.base.config import CURVE_ESTIMATION_SESSIONS, CURVE_GAP_SESSIONS, MASKS
from event_impact.base.errors import DataError, EstimationError
from event_impact.estimation.models import FACTOR_COLUMNS, MODEL_LABELS, Design, build_design
from event_impact.inference.robustness import LOG, SIMPLE, Candidate, Choice
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel, load_panel
from event_impact.study.opening import align_articles, same_calendar_peers

FACTOR_MARKET = "US market factor"
"""The value-weighted market of the factor library: excess return plus riskless rate."""
ON_BENCHMARK = ("market", "market_adjusted_demeaned")


def load_peer_panel(study: OpenedStory, peers: tuple[str, ...]) -> ReturnPanel:
    """The firm's panel with peers of the same calendar beside it.

    Raises
    ------
    DataError
        If the source lacks one of them.
    """
    return load_panel(
        study.store,
        study.story.ticker,
        benchmark=study.benchmark,
        exchange=study.story.exchange,
        as_of=study.config.as_of,
        others=peers,
    )


def list_candidates(study: OpenedStory, panel: ReturnPanel, return_kind: str) -> tuple[list[Candidate], Choice]:
    """Every exchangeable specification of one return, and the declared one among them.

    Models with long-short factors have no logarithm and exist for close-to-close returns only; what cannot be
    built stays in the list with its reason. Leaving listed news days out is a choice only where one lies in the
    estimation window: else the same estimate would be counted twice.
    """
    config = study.config
    designs = list_designs(study, panel, return_kind)
    lengths = sorted({*CURVE_ESTIMATION_SESSIONS, config.estimation_sessions})
    gaps = sorted({*CURVE_GAP_SESSIONS, config.gap_sessions})
    none, listed = pd.DatetimeIndex([]), study.confounders.masked_sessions
    event = int(panel.sessions.searchsorted(align_articles(study).event_session))
    candidates = []
    for (label, form, design, reason), mask, length, gap in product(designs, MASKS, lengths, gaps):
        window = panel.sessions[max(event - gap - length, 0) : max(event - gap, 0)]
        if mask == config.mask or listed.isin(window).any():
            masked = listed if mask == "listed" else none
            candidates.append(Candidate(Choice(label, form, mask, length, gap), design, masked, reason))
    headline = Choice(
        headline_label(study), SIMPLE, config.mask, config.estimation_sessions, config.gap_sessions
    )  # fmt: skip
    return candidates, headline


def headline_label(study: OpenedStory) -> str:
    """The name under which the declared model stands in the curve."""
    model = study.config.model
    return MODEL_LABELS[model] if model in FACTOR_COLUMNS else f"{MODEL_LABELS[model]} on {study.benchmark}"


def list_designs(study: OpenedStory, panel: ReturnPanel, return_kind: str) -> list[tuple[str, str, Design | None, str]]:
    """(label, return form, design or None, reason) of every model of the curve."""
    found: list[tuple[str, str, Design | None, str]] = []

    def add(label: str, form: str, make) -> None:
        try:
            found.append((label, form, make(), ""))
        except (DataError, EstimationError) as error:
            found.append((label, form, None, error.message))

    extra = () if study.config.model in (*ON_BENCHMARK, *FACTOR_COLUMNS) else (study.config.model,)
    for model in (*ON_BENCHMARK, *extra):
        for form in (SIMPLE, LOG):
            name = f"{MODEL_LABELS[model]} on {study.benchmark}"
            add(name, form, lambda m=model, f=form: _on_benchmark(panel, m, f, return_kind))
    if return_kind == "close_to_close":
        for model in ON_BENCHMARK:
            for form in (SIMPLE, LOG):
                name = f"{MODEL_LABELS[model]} on the {FACTOR_MARKET}"
                add(name, form, lambda m=model, f=form: _on_factor_market(study, panel, m, f))
        for model in FACTOR_COLUMNS:
            add(MODEL_LABELS[model], SIMPLE, lambda m=model: _on_factors(study, panel, m))
    for members in peer_sets(study).values():
        for form in (SIMPLE, LOG):
            label = f"market model on {study.benchmark} with {' and '.join(members)}"
            add(label, form, lambda p=members, f=form: _with_peers(study, p, f, return_kind))
    return found


def peer_sets(study: OpenedStory) -> dict[str, tuple[str, ...]]:
    """Peers that join the market model together, by the name of their set."""
    sets: dict[str, list[str]] = {}
    for peer in same_calendar_peers(study):
        if peer.peer_set:
            sets.setdefault(peer.peer_set, []).append(peer.ticker)
    return {name: tuple(members) for name, members in sets.items()}


def _in_form(returns: pd.DataFrame, form: str) -> pd.DataFrame:
    return returns if form == SIMPLE else np.log1p(returns)


def _on_benchmark(panel: ReturnPanel, model: str, form: str, kind: str) -> Design:
    return build_design(
        model,
        _in_form(panel.returns[kind], form),
        ticker=panel.ticker,
        benchmark=panel.benchmark,
        return_kind=kind,
    )


def _on_factor_market(study: OpenedStory, panel: ReturnPanel, model: str, form: str) -> Design:
    factors, _, _ = study.store.load_factors()
    firm = panel.returns["close_to_close"][[panel.ticker]]
    factors = factors.reindex(firm.index)
    returns = firm.assign(**{FACTOR_MARKET: factors["mkt_rf"] + factors["rf"]})
    return build_design(
        model,
        _in_form(returns, form),
        ticker=panel.ticker,
        benchmark=FACTOR_MARKET,
        return_kind="close_to_close",
    )


def _on_factors(study: OpenedStory, panel: ReturnPanel, model: str) -> Design:
    factors, _, _ = study.store.load_factors()
    return build_design(
        model,
        panel.returns["close_to_close"],
        ticker=panel.ticker,
        benchmark=panel.benchmark,
        return_kind="close_to_close",
        factors=factors,
    )


def _with_peers(study: OpenedStory, peers: tuple[str, ...], form: str, kind: str) -> Design:
    panel = load_peer_panel(study, peers)
    return build_design(
        "market_peers",
        _in_form(panel.returns[kind], form),
        ticker=panel.ticker,
        benchmark=panel.benchmark,
        return_kind=kind,
        peers=peers,
    )


def list_peer_candidates(study: OpenedStory, panel: ReturnPanel) -> tuple[list[Candidate], Choice]:
    """The market model with all peers of the same calendar, then without each; peers without figures are named.

    The second value is the choice with all peers.
    """
    held, lacking = split_by_figures(study)
    config = study.config
    masked = study.confounders.masked_sessions if config.mask == "listed" else pd.DatetimeIndex([])

    def choose(label: str) -> Choice:
        return Choice(label, SIMPLE, config.mask, config.estimation_sessions, config.gap_sessions)

    whole = choose(f"with {', '.join(held)}" if held else "with all peers")
    candidates = [Candidate(choose(f"with {name}"), None, masked, reason) for name, reason in lacking.items()]
    if not held:
        return [*candidates, Candidate(whole, None, masked, "no peer of the same calendar has figures")], whole
    sets = [(whole, held)]
    if len(held) > 1:
        sets += [(choose(f"without {name}"), tuple(p for p in held if p != name)) for name in held]
    for choice, members in sets:
        try:
            candidates.append(Candidate(choice, _with_peers(study, members, SIMPLE, "close_to_close"), masked))
        except (DataError, EstimationError) as error:
            candidates.append(Candidate(choice, None, masked, error.message))
    return candidates, whole


def split_by_figures(study: OpenedStory) -> tuple[tuple[str, ...], dict[str, str]]:
    """Peers of the same calendar with figures, and those without, each with the reason."""
    held, lacking = [], {}
    for peer in same_calendar_peers(study):
        try:
            load_peer_panel(study, (peer.ticker,))
            held.append(peer.ticker)
        except DataError as error:
            lacking[peer.ticker] = error.message
    return tuple(held), lacking
