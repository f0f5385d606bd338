"""The steps of the spillover notebook: the other firms of a story on the day of its event."""

import contextlib
import dataclasses
from functools import partial

import numpy as np
import pandas as pd

from event_impact.base.errors import DataError, EstimationError
from event_impact.estimation.abnormal import AbnormalReturns, Measured, measure_abnormal_returns
from event_impact.estimation.models import Design, build_design, build_lead_lag_design, match_sessions
from event_impact.events.calendars import load_hours
from event_impact.events.peer_lists import Peer
from event_impact.events.sessions import align_story
from event_impact.inference.windows import HEADLINE_KIND
from event_impact.many import peer_tests
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import faultless_returns
from event_impact.study.event_study import measure_session
from event_impact.study.opened_study import load_beside


def measure_spillover(opened: OpenedStory, measured: Measured) -> peer_tests.Spillover:
    """Peers of the firm's calendar, foreign listings, tests of the group, and peer-adjusted estimates."""
    firm = measured.close_to_close
    listed = [p for p in opened.listed if p.role == "peer" or p.ticker in opened.story.other_tickers]
    peers = tuple(_measure_near(opened, p) for p in listed if opened.shares_sessions(p))
    with_figures = [p for p in peers if p.is_measured and p.role == "peer"]
    clean = [p for p in peers if p.is_clean]
    groups = [peer_tests.assess_group("all peers", with_figures, _average(opened, with_figures))]
    if clean != with_figures:
        groups.append(peer_tests.assess_group("peers without news of their own", clean, _average(opened, clean)))
    return peer_tests.Spillover(
        firm=firm, peers=peers,
        foreign=tuple(_measure_foreign(opened, p) for p in listed if not opened.shares_sessions(p)),
        groups=tuple(groups), in_space=peer_tests.rank_in_space(firm, clean),
        adjusted=_adjust(opened, firm, clean, with_figures),
    )  # fmt: skip


def _measure(opened: OpenedStory, design: Design, session: pd.Timestamp) -> AbnormalReturns:
    return measure_abnormal_returns(design, session, **opened.lengths, path=(0, 0))


def _measure_near(opened: OpenedStory, peer: Peer) -> peer_tests.PeerEstimate:
    try:
        session, returns = opened.timing.event_session, load_beside(opened, peer.ticker).returns[HEADLINE_KIND]
        abnormal = measure_session(opened, returns, peer.ticker, session)
        return peer_tests.measure_peer(abnormal, peer, own_news=opened.news_of(peer.ticker).label_of(session))
    except (DataError, EstimationError) as error:
        return _lack(opened, peer, error.message)


def _lack(opened: OpenedStory, peer: Peer, message: str) -> peer_tests.PeerEstimate:
    """A listing without an estimate: the reason, with the extent of the figures where there are any."""
    with contextlib.suppress(DataError):
        held = opened.store.load(peer.ticker, peer.exchange).frame.index
        message += f" The figures of {peer.ticker} run from {held[0].date()} to {held[-1].date()}."
    return peer_tests.PeerEstimate(peer.ticker, peer.role, peer.exchange, note=message)


def _measure_foreign(opened: OpenedStory, peer: Peer) -> peer_tests.PeerEstimate:
    """A listing of another calendar, its sessions matched by their closing hours."""
    home_exchange = opened.story.exchange
    try:
        own = align_story(dataclasses.replace(opened.timing.story, exchange=peer.exchange))
        matched = match_sessions(load_hours(peer.exchange).schedule["close"], opened.timing.hours.schedule["close"])
        foreign, _ = faultless_returns(opened.store.load(peer.ticker, peer.exchange))
        home, _ = faultless_returns(opened.store.load(opened.benchmark, home_exchange))
        closes = own.hours.schedule["close"].reindex(foreign.index)
        foreign, home = foreign[closes <= opened.known_at], home[home.index <= opened.as_of]
        if own.event_session in matched.irregular:
            raise EstimationError(
                f"a holiday leaves the session {own.event_session.date()} of {peer.exchange} without one session of "
                f"{home_exchange} before and after it.", "",
            )  # fmt: skip
        design = partial(build_lead_lag_design, foreign[HEADLINE_KIND], home[HEADLINE_KIND], matched)
        designs = (design(benchmark=opened.benchmark, has_lead=has_lead) for has_lead in (False, True))
        abnormal, checked = (_measure(opened, each, own.event_session) for each in designs)
    except (DataError, EstimationError) as error:
        return _lack(opened, peer, error.message)
    lead = checked.fit.coefficients.iloc[-1] / checked.fit.coefficient_errors.iloc[-1]
    used = abnormal.fit.sessions
    within = (matched.irregular >= used[0]) & (matched.irregular <= used[-1])
    news = opened.news_of(peer.ticker).label_of(own.event_session)
    estimate = peer_tests.measure_peer(abnormal, peer, own_news=news)
    return dataclasses.replace(estimate, lead_t=float(lead), n_irregular=int(np.count_nonzero(within)))


def _average(opened: OpenedStory, peers: list[peer_tests.PeerEstimate]) -> AbnormalReturns | None:
    """The market model on the equally weighted return of peers."""
    if len(peers) < 2:
        return None
    names = [p.ticker for p in peers]
    returns = load_beside(opened, *names).returns[HEADLINE_KIND]
    returns = returns.assign(portfolio=returns[names].mean(axis=1, skipna=False))
    return measure_session(opened, returns, "portfolio", opened.timing.event_session)


def _adjust(
    opened: OpenedStory,
    firm: AbnormalReturns,
    clean: list[peer_tests.PeerEstimate],
    every: list[peer_tests.PeerEstimate],
) -> tuple[peer_tests.AdjustedEstimate, ...]:
    """The firm's market-model estimate, and the same with peers as comparison."""
    rows = [peer_tests.describe_comparison("market model alone", (), firm)]
    sets = {"clean donors": clean, **({"all peers": every} if clean != every else {})}
    for name, members in sets.items():
        tickers = tuple(p.ticker for p in members)
        why = "no clean donor has figures" if name == "clean donors" else "no peer has figures"
        lacking = [peer_tests.AdjustedEstimate(name, (), why)]
        rows += _compare_with(opened, tickers, name) if tickers else lacking
    return tuple(rows)


def _compare_with(opened: OpenedStory, tickers: tuple[str, ...], name: str) -> list[peer_tests.AdjustedEstimate]:
    """The models with peers; sessions on which one of these has no return are closed up."""
    ticker, benchmark, names = opened.story.ticker, opened.benchmark, list(tickers)
    returns = load_beside(opened, *names).returns[HEADLINE_KIND]
    returns = returns.assign(average=returns[names].mean(axis=1, skipna=False))
    asked: list[tuple[str, str, tuple[str, ...]]] = [("market model with their average", "market_peers", ("average",))]
    asked += [("market model with each of them", "market_peers", tickers)] if len(names) > 1 else []
    asked += [("ridge, with the benchmark", "ridge", tickers)]
    asked += [("synthetic control", "synthetic_control", tickers)] if len(names) > 1 else []
    rows = []
    for how, model, peers in asked:
        frame = returns[[ticker, benchmark, *peers]].dropna()
        design = build_design(model, frame, ticker=ticker, benchmark=benchmark, return_kind=HEADLINE_KIND, peers=peers)
        abnormal = _measure(opened, design, opened.timing.event_session)
        rows.append(peer_tests.describe_comparison(f"{name}: {how}", tickers, abnormal))
    return rows
