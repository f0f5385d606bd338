"""The other firms of a story on the day of its event: the steps of the spillover notebook."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd

from event_impact.base.errors import DataError, EstimationError
from event_impact.estimation.abnormal import AbnormalReturns, Measured, Unmeasured, measure_abnormal_returns
from event_impact.estimation.lead_lag import build_lead_lag_design, match_sessions
from event_impact.estimation.models import Design, build_design
from event_impact.estimation.peer_fits import fit_ridge, fit_synthetic_control
from event_impact.estimation.rolling import fit_windows
from event_impact.events.calendars import load_hours
from event_impact.events.confounders import load_confounders
from event_impact.events.peer_lists import Peer, load_peers
from event_impact.events.sessions import Alignment, align_story
from event_impact.inference.robustness import locate_estimation
from event_impact.inference.windows import HEADLINE_KIND
from event_impact.many.peer_tests import (
    AdjustedEstimate,
    ForeignListing,
    PeerEstimate,
    Spillover,
    assess_group,
    describe_linear,
    describe_penalised,
    lacking_peer,
    measure_peer,
    rank_in_space,
)
from event_impact.market.returns import faultless_returns
from event_impact.study.specifications import load_peer_panel, same_calendar_peers
from event_impact.study.steps import OpenedStory


def measure_spillover(study: OpenedStory, measured: Measured, alignment: Alignment) -> Spillover:
    """Peers of the firm's calendar, foreign listings, tests of the group, and peer-adjusted estimates."""
    firm = measured[HEADLINE_KIND]
    if isinstance(firm, Unmeasured):
        raise DataError(firm.reason, "Use another source.")
    near = {p.ticker for p in same_calendar_peers(study)}
    listed = tuple(
        p
        for p in load_peers(study.story.ticker, study.root.data)
        if p.role == "peer" or p.ticker in study.story.other_tickers
    )
    peers = tuple(_measure_near(study, alignment, p) for p in listed if p.ticker in near or _shares_hours(study, p))
    known = {p.ticker for p in peers}
    foreign = tuple(_measure_foreign(study, alignment, p) for p in listed if p.ticker not in known)
    with_figures = [p for p in peers if p.is_measured and p.role == "peer"]
    clean = [p for p in peers if p.is_clean]
    groups = [assess_group("all peers", with_figures, _average(study, alignment, with_figures))]
    if clean != with_figures:
        groups.append(assess_group("peers without news of their own", clean, _average(study, alignment, clean)))
    return Spillover(
        firm=firm,
        peers=peers,
        foreign=foreign,
        groups=tuple(groups),
        in_space=rank_in_space(firm, clean),
        adjusted=_adjust(study, alignment, firm, clean, with_figures),
    )


def _shares_hours(study: OpenedStory, peer: Peer) -> bool:
    return peer.role == "counterparty" and {peer.exchange, study.story.exchange} <= {"XNYS", "XNAS"}


def _own_news(study: OpenedStory, alignment: Alignment, ticker: str, session: pd.Timestamp) -> str:
    known_at = alignment.hours.schedule.at[pd.Timestamp(study.config.as_of), "close"]
    return load_confounders(ticker, study.root.data, known_at=known_at).label_of(session)


def _market_model(study: OpenedStory, returns: pd.DataFrame, ticker: str, session: pd.Timestamp) -> AbnormalReturns:
    design = build_design(
        "market", returns, ticker=ticker, benchmark=study.benchmark, return_kind=HEADLINE_KIND
    )  # fmt: skip
    return _measure(study, design, session)


def _measure(study: OpenedStory, design: Design, session: pd.Timestamp) -> AbnormalReturns:
    return measure_abnormal_returns(
        design,
        session,
        estimation_sessions=study.config.estimation_sessions,
        gap_sessions=study.config.gap_sessions,
        path=(0, 0),
    )


def _measure_near(study: OpenedStory, alignment: Alignment, peer: Peer) -> PeerEstimate:
    facts = {"role": peer.role, "exchange": peer.exchange}
    try:
        panel = load_peer_panel(study, (peer.ticker,))
        abnormal = _market_model(study, panel.returns[HEADLINE_KIND], peer.ticker, alignment.event_session)
        news = _own_news(study, alignment, peer.ticker, alignment.event_session)
        return measure_peer(abnormal, ticker=peer.ticker, **facts, own_news=news)
    except (DataError, EstimationError) as error:
        return lacking_peer(peer.ticker, **facts, reason=_explain_lack(study, peer, error.message))


def _explain_lack(study: OpenedStory, peer: Peer, message: str) -> str:
    """The reason of a missing estimate, with the extent of the figures where there are any."""
    try:
        held = study.store.load(peer.ticker, peer.exchange).frame.index
    except DataError:
        return message
    return f"{message} The figures of {peer.ticker} run from {held[0].date()} to {held[-1].date()}."


def _measure_foreign(study: OpenedStory, alignment: Alignment, peer: Peer) -> ForeignListing:
    """A listing of another calendar, its sessions matched by their closing hours."""
    facts = {"role": peer.role, "exchange": peer.exchange}
    try:
        own = align_story(dataclasses.replace(alignment.story, exchange=peer.exchange))
        limit = alignment.hours.schedule.at[pd.Timestamp(study.config.as_of), "close"]
        matched = match_sessions(load_hours(peer.exchange).schedule["close"], alignment.hours.schedule["close"])
        history = study.store.load(peer.ticker, peer.exchange)
        foreign, _ = faultless_returns(history)
        home, _ = faultless_returns(study.store.load(study.benchmark, study.story.exchange))
        closes = own.hours.schedule["close"].reindex(foreign.index)
        foreign, home = foreign[closes <= limit], home[home.index <= pd.Timestamp(study.config.as_of)]
        arguments = (foreign[HEADLINE_KIND], home[HEADLINE_KIND], matched)
        if own.event_session in matched.irregular:
            raise EstimationError(
                f"a holiday leaves the session {own.event_session.date()} of {peer.exchange} without one session of "
                f"{study.story.exchange} before and after it.", "",
            )  # fmt: skip
        design = build_lead_lag_design(*arguments, benchmark=study.benchmark, has_lead=False)
        abnormal = _measure(study, design, own.event_session)
        checked = _measure(
            study,
            build_lead_lag_design(*arguments, benchmark=study.benchmark, has_lead=True),
            own.event_session,
        )
    except (DataError, EstimationError) as error:
        reason = _explain_lack(study, peer, error.message)
        return ForeignListing(lacking_peer(peer.ticker, **facts, reason=reason), None, 0)
    lead = checked.fit.coefficients.iloc[-1] / checked.fit.coefficient_errors.iloc[-1]
    used = abnormal.fit.sessions
    within = (matched.irregular >= used[0]) & (matched.irregular <= used[-1])
    news = _own_news(study, alignment, peer.ticker, own.event_session)
    estimate = measure_peer(abnormal, ticker=peer.ticker, **facts, own_news=news)
    return ForeignListing(estimate, float(lead), int(np.count_nonzero(within)))


def _average(study: OpenedStory, alignment: Alignment, peers: list[PeerEstimate]) -> AbnormalReturns | None:
    """The market model on the equally weighted return of peers."""
    if len(peers) < 2:
        return None
    names = tuple(p.ticker for p in peers)
    returns = load_peer_panel(study, names).returns[HEADLINE_KIND]
    average = returns[list(names)].mean(axis=1, skipna=False)
    return _market_model(study, returns.assign(portfolio=average), "portfolio", alignment.event_session)


def _adjust(
    study: OpenedStory,
    alignment: Alignment,
    firm: AbnormalReturns,
    clean: list[PeerEstimate],
    every: list[PeerEstimate],
) -> tuple[AdjustedEstimate, ...]:
    """The firm's market-model estimate, and the same with peers as comparison."""
    fits = firm.window_fits(0, 0)
    rows = [describe_linear("market model alone", (), fits, peer_columns=slice(0, 0))]
    sets = {"clean donors": clean, **({"all peers": every} if clean != every else {})}
    for name, members in sets.items():
        tickers = tuple(p.ticker for p in members)
        if not tickers:
            why = "no clean donor has figures" if name == "clean donors" else "no peer has figures"
            rows.append(AdjustedEstimate(name, (), None, None, None, None, None, why))
            continue
        rows += _compare_with(study, alignment, tickers, name)
    return tuple(rows)


def _compare_with(
    study: OpenedStory, alignment: Alignment, tickers: tuple[str, ...], name: str
) -> list[AdjustedEstimate]:  # fmt: skip
    ticker, benchmark = study.story.ticker, study.benchmark
    returns = load_peer_panel(study, tickers).returns[HEADLINE_KIND][[ticker, benchmark, *tickers]]
    average = returns[list(tickers)].mean(axis=1, skipna=False)
    frames = {
        "their average": returns.assign(average=average)[[ticker, benchmark, "average"]],
        "each of them": returns,
    }
    rows = []
    for how, frame in frames.items():
        y, x, estimation, event = _arrays(study, alignment, frame, ticker)
        if how == "each of them" and len(tickers) == 1:
            continue
        fits = fit_windows(
            y,
            np.column_stack([np.ones(len(x)), x]),
            estimation=estimation,
            window=np.array([event]),
            between=np.arange(estimation[-1] + 1, event),
        )
        rows.append(describe_linear(f"{name}: market model with {how}", tickers, fits, peer_columns=slice(2, None)))
    y, x, estimation, event = _arrays(study, alignment, returns, ticker)
    order = np.r_[estimation, estimation[-1] + 1 : event + 1]
    fitters: list[tuple[str, Callable, int]] = [("ridge, with the benchmark", fit_ridge, 0)]
    if len(tickers) > 1:
        fitters.append(("synthetic control", fit_synthetic_control, 1))
    for label, fit, first in fitters:
        rows.append(
            describe_penalised(
                f"{name}: {label}",
                tickers,
                y[order],
                x[order][:, first:],
                fit=fit,
                n_estimation=len(estimation),
                first_peer=1 - first,
            )
        )
    return rows


def _arrays(
    study: OpenedStory, alignment: Alignment, frame: pd.DataFrame, ticker: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Returns, regressors, estimation positions and event position; sessions with a gap are closed up."""
    complete = frame.dropna()
    regressors = complete.drop(columns=ticker)
    zero = pd.Series(0.0, index=complete.index)
    design = Design("market_peers", HEADLINE_KIND, study.benchmark, zero, complete[ticker], regressors, zero)
    positions, event = locate_estimation(
        design,
        alignment.event_session,
        length=study.config.estimation_sessions,
        gap=study.config.gap_sessions,
        left_out=pd.DatetimeIndex([]),
    )
    return complete[ticker].to_numpy(dtype=float), regressors.to_numpy(dtype=float), positions, event
