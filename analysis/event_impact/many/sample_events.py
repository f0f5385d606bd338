"""Tests of single events, for all events of a sample at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from event_impact.base.result import TestResult, not_computable
from event_impact.many.engine import EventEstimates, EventWindows, estimate_events
from event_impact.many.event_days import EventDays, has_intercept, iterate_event_days, read_estimation_regressors
from event_impact.many.layout import BatchDesign
from event_impact.many.parametric_tests import SMALLEST_P, normal_result

FEWEST_PSEUDO_EVENTS = 20
TICKERS_AT_ONCE = 64


@dataclass(frozen=True)
class EventPValues:
    """Two-sided p of every event, NaN where there is none.

    Attributes
    ----------
    t : array (events,)
        Of the standardised CAR against t(L_i - K).
    sample_quantile, conformal : arrays (events,)
        Rank tests for event windows of one session; all NaN for longer windows.
    """

    t: np.ndarray
    sample_quantile: np.ndarray
    conformal: np.ndarray


def judge_events(design: BatchDesign, estimates: EventEstimates) -> EventPValues:
    """p of each event on its own.

    ``sample_quantile`` = min(1, 2 min(1 + #{e <= a}, 1 + #{e >= a})/(L + 1)) with a the abnormal
    return and e the estimation residuals (Gelbach, Helland and Klick 2013). ``conformal`` fits the
    model to the L + 1 sessions together and gives the share of |f_t| at least as large as |f_E|
    (Chernozhukov, Wuethrich and Zhu 2021), here without a refit: f_E = a/(1 + h),
    f_t = e_t - h_tE a/(1 + h), h_tE = 1/L + (x_t - xbar)'(X_c'X_c)^-1(x_E - xbar).
    """
    n = estimates.car.size
    used = np.flatnonzero(estimates.is_used)
    t, quantile, conformal = (np.full(n, np.nan) for _ in range(3))
    t[used] = np.maximum(2.0 * stdtr(estimates.df[used], -np.abs(estimates.scar[used])), SMALLEST_P)
    if estimates.windows.n_event == 1:
        for days in iterate_event_days(design, estimates):
            quantile[days.positions], conformal[days.positions] = _judge_single_sessions(design, days)
    return EventPValues(t, quantile, conformal)


def _judge_single_sessions(design: BatchDesign, days: EventDays) -> tuple[np.ndarray, np.ndarray]:
    ar = days.abnormal
    present = np.isfinite(days.residuals)
    size = present.sum(axis=1) + 1.0
    low, high = (days.residuals <= ar).sum(axis=1), (days.residuals >= ar).sum(axis=1)
    quantile = np.minimum(1.0, 2.0 * (1 + np.minimum(low, high)) / size)
    own = days.day_factor - 1.0
    cross = np.zeros_like(days.residuals)
    if has_intercept(days.estimates):
        cross += 1.0 / days.estimates.n_estimation[:, None]
    for direction, gap in zip(_unwhiten(days), read_estimation_regressors(design, days.estimates), strict=True):
        gap *= direction[:, None]
        cross += gap
    refitted = ar / (1.0 + own)
    cross *= -refitted
    cross += days.residuals
    conformal = ((np.abs(cross) >= np.abs(refitted)).sum(axis=1) + 1.0) / size
    return quantile, conformal


def _unwhiten(days: EventDays) -> list[np.ndarray]:
    """(X_c'X_c)^-1 (x_E - xbar) of one-session windows, a list of arrays (events,)."""
    factor, right = days.estimates.cholesky, days.whitened[:, :, 0]
    solved: list[np.ndarray] = [np.empty(0)] * right.shape[0]
    for a in range(right.shape[0] - 1, -1, -1):
        value = right[a]
        for m in range(a + 1, right.shape[0]):
            value = value - factor[m * (m + 1) // 2 + a] * solved[m]
        solved[a] = value / factor[a * (a + 1) // 2 + a]
    return solved


@dataclass(frozen=True)
class PseudoEventRanks:
    """Each event among the earlier sessions of its own ticker, run through the same pipeline.

    Attributes
    ----------
    p_value : array (events,)
        (1 + #{|SCAR_pseudo| >= |SCAR|})/(n + 1); NaN with fewer than 20 pseudo-events.
    n_pseudo : int array (events,)
    test : TestResult
        Signed ranks of all events together, for events that share no days.
    """

    p_value: np.ndarray
    n_pseudo: np.ndarray
    test: TestResult


def rank_among_pseudo_events(design: BatchDesign, estimates: EventEstimates) -> PseudoEventRanks:
    """How unusual is each SCAR among those of all earlier start dates of the same ticker?

    Estimation and event window are moved to every earlier session whose event window ends before
    the real estimation window does (so that the gap before the event stays untouched), and |SCAR|
    is ranked. No distribution is assumed and a sum over a window is compared with sums over
    windows, which one-day ranks do not do. The common test adds U = rank/(n + 1) - 1/2 of the
    signed SCARs over their standard deviation, sum of n/(12(n + 2)) for ranks 1..n + 1 over n + 2.
    """
    windows = estimates.windows
    used = np.flatnonzero(estimates.is_used)
    p, count, signed = np.full(estimates.car.size, np.nan), np.zeros(estimates.car.size, int), []
    spread = 0.0
    tickers = np.unique(estimates.ticker_index[used])
    n_sessions = design.outcome.shape[1]
    order = used[np.argsort(estimates.ticker_index[used], kind="stable")]
    edges = np.searchsorted(estimates.ticker_index[order], tickers)
    for cut in range(0, tickers.size, TICKERS_AT_ONCE):
        some = tickers[cut : cut + TICKERS_AT_ONCE]
        all_scars = _scar_of_every_session(design, some, n_sessions, windows=windows)
        for k, row in enumerate(all_scars):
            place = cut + k
            stop = edges[place + 1] if place + 1 < edges.size else order.size
            for event in order[edges[place] : stop]:
                last = estimates.session_index[event] + windows.estimation_last - windows.event_last
                pseudo = row[: max(last + 1, 0)]
                pseudo = pseudo[np.isfinite(pseudo)]
                count[event] = pseudo.size
                if pseudo.size < FEWEST_PSEUDO_EVENTS:
                    continue
                own = estimates.scar[event]
                p[event] = (1 + (np.abs(pseudo) >= abs(own)).sum()) / (pseudo.size + 1)
                rank = 1 + (pseudo < own).sum() + 0.5 * (pseudo == own).sum()
                signed.append(rank / (pseudo.size + 2) - 0.5)
                spread += pseudo.size / (12.0 * (pseudo.size + 2))
    return PseudoEventRanks(p, count, _pool_ranks(np.array(signed), spread))


def _scar_of_every_session(
    design: BatchDesign, tickers: np.ndarray, n_sessions: int, *, windows: EventWindows
) -> np.ndarray:
    sessions = np.tile(np.arange(n_sessions), tickers.size)
    found = estimate_events(design, np.repeat(tickers, n_sessions), sessions, windows=windows, keep_model=False)
    return found.scar.reshape(tickers.size, n_sessions)


def _pool_ranks(signed: np.ndarray, spread: float) -> TestResult:
    name, null = "pseudo_event_rank", "the events rank like earlier windows of their own tickers"
    if signed.size < 2:
        reason = f"{signed.size} events have at least {FEWEST_PSEUDO_EVENTS} pseudo-events"
        return not_computable(name, reason, null=null)
    note = f"{signed.size} events with at least {FEWEST_PSEUDO_EVENTS} pseudo-events each; needs independent events"
    return normal_result(name, signed.sum() / np.sqrt(spread), null=null, note=note)
