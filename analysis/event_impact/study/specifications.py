"""The steps of the robustness notebook: every specification that a story's prices allow, and what they say together."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import product
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from event_impact.base.config import (
    CURVE_ESTIMATION_SESSIONS,
    CURVE_GAP_SESSIONS,
    MASKS,
    MAX_T_LEVEL,
    MIN_SPECIFICATION_SIGN_SHARE,
)
from event_impact.base.errors import DataError, EstimationError
from event_impact.estimation.abnormal import Measured
from event_impact.estimation.models import FACTOR_COLUMNS, MODEL_LABELS, Design, build_design
from event_impact.events.sessions import Alignment
from event_impact.inference.candidate_set import Confirmation
from event_impact.inference.robustness import (
    LOG,
    SIMPLE,
    Asked,
    Candidate,
    Choice,
    LeftOutDay,
    SpecificationCurve,
    SpecificationEstimate,
    confirm_curve,
    estimate_curve,
    estimate_specifications,
    leave_out_days,
)
from event_impact.inference.windows import HEADLINE_KIND, WindowEstimate, apply_confirmation
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel
from event_impact.study.event_study import own_news, run_controls
from event_impact.study.opened_study import OpenedStudy, load_beside

#: The value-weighted market of the factor library: excess return plus riskless rate.
FACTOR_MARKET = "US market factor"
ON_BENCHMARK = ("market", "market_adjusted_demeaned")
#: Models without the benchmark, or whose label names it.
NOT_ON_BENCHMARK = (*FACTOR_COLUMNS, "constant_mean", "ridge", "synthetic_control")
FORMS = (SIMPLE, LOG)
NOT_COVERED = Confirmation(False, True, "the specification curve covers the declared rows of the event session only")
T = TypeVar("T")
LoadFactors = Callable[[], tuple[pd.DataFrame, Any, str]]


def compute_longest(study: OpenedStudy, nouns: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """The nouns of a study that take longest, in the order in which a page asks for them."""
    for noun in nouns:
        yield noun, trace_curve(study, HEADLINE_KIND) if noun == "curve" else run_controls(study.opened)


def trace_curve(study: OpenedStudy, return_kind: str) -> SpecificationCurve:
    """The estimate of the event, or of all its candidate sessions, under every exchangeable choice, tested as a whole."""
    opened, panel, alignment = study.opened, study.returns, study.alignment
    candidates, headline = list_candidates(opened, panel, return_kind)
    known = tuple(s for s in alignment.reachable if s <= panel.sessions[-1])
    return estimate_curve(
        candidates, _ask(opened, alignment, headline, alignment.relative(known)), news=own_news(opened, alignment)
    )


def _ask(opened: OpenedStory, alignment: Alignment, headline: Choice, rel_sessions: tuple[int, ...] = (0,)) -> Asked:
    config = opened.config
    return Asked(alignment.event_session, headline, config.significance, config.equivalence_bound, rel_sessions)


def judge_curve(curve: SpecificationCurve) -> Confirmation:
    """The rule of the study on a curve: one sign in most specifications, and a small placebo maxT p."""
    return confirm_curve(curve, min_sign_share=MIN_SPECIFICATION_SIGN_SHARE, max_p=MAX_T_LEVEL)


def confirm_detections(rows: list[WindowEstimate], trace: Callable[[str], SpecificationCurve]) -> list[WindowEstimate]:
    """Decide between ``effect`` and ``fragile`` where something was detected; without a detection nothing is run.

    The curve covers the event session; detections in other windows stay fragile and say so.

    Parameters
    ----------
    trace : callable
        Gives the curve of a return kind.
    """
    confirmed = []
    for row in rows:
        if row.outcome == "fragile":
            row = apply_confirmation(row, judge_curve(trace(row.return_kind)) if row.is_primary else NOT_COVERED)
        confirmed.append(row)
    return confirmed


def leave_out_news(opened: OpenedStory, measured: Measured, alignment: Alignment) -> tuple[LeftOutDay, ...]:
    """The headline without each recorded news session of its estimation window, one at a time."""
    sessions = pd.DatetimeIndex(opened.confounders.table.index.unique())
    labels = pd.Series([opened.confounders.label_of(s) for s in sessions], sessions, dtype=object)
    lengths: Any = {"estimation_length": opened.config.estimation_sessions, "gap": opened.config.gap_sessions}
    design = measured.close_to_close.design
    return leave_out_days(design, alignment.event_session, labels, **lengths, left_out=opened.masked)


def leave_out_peers(opened: OpenedStory, alignment: Alignment) -> list[SpecificationEstimate]:
    """The market model with all peers, then without each; peers without figures carry the reason."""
    candidates, whole = list_peer_candidates(opened)
    return estimate_specifications(candidates, _ask(opened, alignment, whole))


def list_candidates(opened: OpenedStory, panel: ReturnPanel, return_kind: str) -> tuple[list[Candidate], Choice]:
    """Every exchangeable specification of one return, and the declared one among them.

    Models with long-short factors have no logarithm and exist for close-to-close returns only; what cannot be
    built stays in the list with its reason. Leaving listed news days out is a choice only where one lies in the
    estimation window: else the same estimate would be counted twice.
    """
    config = opened.config
    designs = list_designs(opened, panel, return_kind)
    lengths = sorted({*CURVE_ESTIMATION_SESSIONS, config.estimation_sessions})
    gaps = sorted({*CURVE_GAP_SESSIONS, config.gap_sessions})
    listed = opened.confounders.masked_sessions
    event = int(panel.sessions.searchsorted(opened.timing.event_session))
    candidates = []
    for (label, form, design, reason), mask, length, gap in product(designs, MASKS, lengths, gaps):
        window = panel.sessions[max(event - gap - length, 0) : max(event - gap, 0)]
        if mask == config.mask or listed.isin(window).any():
            masked = listed if mask == "listed" else listed[:0]
            candidates.append(Candidate(Choice(label, form, mask, length, gap), design, masked, reason))
    return candidates, Choice(_name_model(opened, config.model), SIMPLE, config.mask, **opened.lengths)


def _name_model(opened: OpenedStory, model: str) -> str:
    return MODEL_LABELS[model] + ("" if model in NOT_ON_BENCHMARK else f" on {opened.benchmark}")


def list_designs(
    opened: OpenedStory, panel: ReturnPanel, return_kind: str
) -> list[tuple[str, str, Design | None, str]]:
    """(label, return form, design or None, reason) of every model of the curve."""
    load, load_factors = cache(partial(load_beside, opened)), cache(opened.store.load_factors)
    extra = () if opened.config.model in (*ON_BENCHMARK, *FACTOR_COLUMNS) else (opened.config.model,)
    returns, makers = panel.returns[return_kind], list[tuple[str, str, Callable[[], Design]]]()
    for model, form in product((*ON_BENCHMARK, *extra), FORMS):
        makers.append(
            (_name_model(opened, model), form, partial(_design, panel, model, returns, return_kind, form=form))
        )
    if return_kind == HEADLINE_KIND:
        for model, form in product(ON_BENCHMARK, FORMS):
            label = f"{MODEL_LABELS[model]} on the {FACTOR_MARKET}"
            makers.append((label, form, partial(_on_factor_market, load_factors, panel, model, form)))
        makers += [(MODEL_LABELS[m], SIMPLE, partial(_on_factors, load_factors, panel, m)) for m in FACTOR_COLUMNS]
    near = opened.near_peers  # those of a set join the market model together
    for peer_set, form in product(dict.fromkeys(p.peer_set for p in near if p.peer_set), FORMS):
        members = tuple(p.ticker for p in near if p.peer_set == peer_set)
        label = f"market model on {opened.benchmark} with {' and '.join(members)}"
        makers.append((label, form, partial(_with_peers, load, members, form, return_kind)))
    return [(label, form, *_try(make)) for label, form, make in makers]


def _try(make: Callable[[], T]) -> tuple[T | None, str]:
    """What can be built, or the reason why it cannot."""
    try:
        return make(), ""
    except (DataError, EstimationError) as error:
        return None, error.message


def _design(
    panel: ReturnPanel, model: str, returns: pd.DataFrame, kind: str, *, form: str = SIMPLE,
    benchmark: str = "", factors: pd.DataFrame | None = None, peers: tuple[str, ...] = (),
) -> Design:  # fmt: skip
    beside = peers or tuple(returns.columns.drop([panel.ticker, panel.benchmark], errors="ignore"))
    return build_design(
        model, returns if form == SIMPLE else pd.DataFrame(np.log1p(returns)), ticker=panel.ticker,
        benchmark=benchmark or panel.benchmark, return_kind=kind, factors=factors, peers=beside,
    )  # fmt: skip


def _on_factor_market(load_factors: LoadFactors, panel: ReturnPanel, model: str, form: str) -> Design:
    firm = panel.returns[HEADLINE_KIND][[panel.ticker]]
    factors = load_factors()[0].reindex(firm.index)
    returns = firm.assign(**{FACTOR_MARKET: factors["mkt_rf"] + factors["rf"]})
    return _design(panel, model, returns, HEADLINE_KIND, form=form, benchmark=FACTOR_MARKET)


def _on_factors(load_factors: LoadFactors, panel: ReturnPanel, model: str) -> Design:
    return _design(panel, model, panel.returns[HEADLINE_KIND], HEADLINE_KIND, factors=load_factors()[0])


def _with_peers(load: Callable[..., ReturnPanel], peers: tuple[str, ...], form: str, kind: str) -> Design:
    panel = load(*peers)
    return _design(panel, "market_peers", panel.returns[kind], kind, form=form, peers=peers)


def list_peer_candidates(opened: OpenedStory) -> tuple[list[Candidate], Choice]:
    """The market model with all peers of the same calendar, then without each; peers without figures are named.

    The second value is the choice with all peers.
    """
    tried = {peer.ticker: _try(partial(load_beside, opened, peer.ticker)) for peer in opened.near_peers}
    held, masked = [name for name, (_, reason) in tried.items() if not reason], opened.masked

    def choose(label: str) -> Choice:
        return Choice(label, SIMPLE, opened.config.mask, **opened.lengths)

    whole = choose(f"with {', '.join(held)}" if held else "with all peers")
    lacking = {name: reason for name, (_, reason) in tried.items() if reason}
    candidates = [Candidate(choose(f"with {name}"), None, masked, reason) for name, reason in lacking.items()]
    if not held:
        return [*candidates, Candidate(whole, None, masked, "no peer of the same calendar has figures")], whole
    sets = {whole: tuple(held)}
    if len(held) > 1:
        sets |= {choose(f"without {name}"): tuple(p for p in held if p != name) for name in held}
    for choice, members in sets.items():
        design, reason = _try(partial(_with_peers, partial(load_beside, opened), members, SIMPLE, HEADLINE_KIND))
        candidates.append(Candidate(choice, design, masked, reason))
    return candidates, whole
