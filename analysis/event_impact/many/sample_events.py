"""Tests of single events, for all events of a sample at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from event_impact.many.engine import EventEstimates, estimate_events, solve_back
from event_impact.many.event_days import EventDays, has_intercept, iterate_event_days, read_estimation_regressors
from event_impact.many.layout import BatchDesign
from event_impact.many.parametric_tests import ROUNDING_SHARE, SMALLEST_P, bmp

KEPT_SHARE = 0.9  # of the events, at a placebo date


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
    if design.instrument is not None:  # its slope is no least-squares fit, and a refit has no short form
        return quantile, np.full(ar.shape[0], np.nan)
    own = days.day_factor - 1.0
    cross = np.zeros_like(days.residuals)
    if has_intercept(days.estimates):
        cross += 1.0 / days.estimates.n_estimation[:, None]
    for direction, gap in zip(
        solve_back(list(days.whitened[:, :, 0]), list(days.estimates.cholesky)),
        read_estimation_regressors(design, days.estimates),
        strict=True,
    ):
        gap *= direction[:, None]
        cross += gap
    refitted = ar / (1.0 + own)
    cross *= -refitted
    cross += days.residuals
    conformal = ((np.abs(cross) >= np.abs(refitted)).sum(axis=1) + 1.0) / size
    return quantile, conformal


@dataclass(frozen=True)
class PlaceboDates:
    """The same events with all their dates moved back together, so that firms, calendar and clustering stay.

    Attributes
    ----------
    shifts : int array (dates,)
        Sessions that the events were moved back by; only moves that keep nine events in ten.
    caar, statistic : arrays (dates,)
        Mean CAR and BMP statistic at each.
    p_value : float or None
        (1 + #{|statistic| at least the sample's}) / (dates + 1).
    """

    shifts: np.ndarray
    caar: np.ndarray
    statistic: np.ndarray
    p_value: float | None


def replay_at_placebo_dates(design: BatchDesign, estimates: EventEstimates, *, most: int = 199) -> PlaceboDates:
    """How would the sample have looked on earlier dates, when nothing of the kind was announced?

    Each move is a whole number of event windows, the smallest of them past the gap. The rank of the sample's own BMP
    statistic among those allows for whatever ties the events to each other, as that is the same at every move.
    """
    windows, used = estimates.windows, np.flatnonzero(estimates.is_used)
    ticker, session = estimates.ticker_index[used], estimates.session_index[used]
    first = windows.event_last - windows.estimation_last
    room = int(session.min(initial=0)) + windows.estimation_first
    found: list[tuple[int, float, float]] = []
    for shift in first + windows.n_event * np.arange(most):
        if used.size < 2 or (
            shift > room and not (session - shift + windows.estimation_first >= 0).mean() >= KEPT_SHARE
        ):
            break
        moved = estimate_events(design, ticker, session - shift, windows=windows, keep_model=False)
        scar = moved.scar[moved.is_used]
        statistic = bmp(scar).statistic if scar.size >= KEPT_SHARE * used.size else None
        if statistic is not None:
            found.append((int(shift), float(moved.car[moved.is_used].mean()), statistic))
    shifts, caar, statistics = (np.array([each[k] for each in found]) for k in range(3))
    own = bmp(estimates.scar[used]).statistic
    p = None if own is None or not found else (1 + int((np.abs(statistics) >= abs(own)).sum())) / (len(found) + 1)
    return PlaceboDates(shifts, caar, statistics, p)


@dataclass(frozen=True)
class LeftOutEvents:
    """The sample without each of its used events in turn, arrays (events,)."""

    caar: np.ndarray
    statistic: np.ndarray
    p_value: np.ndarray


def leave_each_out(car: np.ndarray, scar: np.ndarray, mean_correlation: float = 0.0) -> LeftOutEvents | None:
    """CAAR and Kolari and Pynnönen's statistic without each event, the mean correlation kept; None below 3 events."""
    n = scar.size
    shared = 1.0 + (n - 2) * mean_correlation
    if n < 3 or shared <= 0 or mean_correlation >= 1:
        return None
    mean = (scar.sum() - scar) / (n - 1)
    spread = (np.square(scar - scar.mean()).sum() - np.square(scar - scar.mean()) * n / (n - 1)) / (n - 2)
    spread = np.where(spread > np.square(ROUNDING_SHARE * mean), spread, np.nan)
    statistic = np.sqrt((n - 1) / spread * (1.0 - mean_correlation) / shared) * mean
    return LeftOutEvents((car.sum() - car) / (n - 1), statistic, 2.0 * stdtr(n - 2, -np.abs(statistic)))
