"""Events that share calendar days: how much, how correlated, and tests that allow for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.estimation.batch import EventEstimates
from analysis.estimation.event_days import read_event_days
from analysis.estimation.panel import Design
from analysis.inference.cross_section_parametric import NULL_CAAR, Moments, t_result
from analysis.inference.result import TestResult, not_computable

FEWEST_SHARED_SESSIONS = 20  # for a correlation of two events' residuals
EVENTS_AT_ONCE = 4_096


@dataclass(frozen=True)
class Overlap:
    """How the used events share firms and days.

    Attributes
    ----------
    n_sessions, n_tickers : int
        Distinct event sessions and tickers.
    n_sharing_session : int
        Events whose session another event has too.
    n_pairs : int
        Pairs of events whose event windows share a day.
    n_same_firm_pairs : int
        Those of one ticker.
    n_in_estimation : int
        Events with an earlier event of the same ticker inside their estimation window.
    """

    n_sessions: int
    n_tickers: int
    n_sharing_session: int
    n_pairs: int
    n_same_firm_pairs: int
    n_in_estimation: int


def count_overlaps(estimates: EventEstimates) -> Overlap:
    """Count shared sessions and overlapping windows among the used events."""
    used = estimates.is_used
    ticker, session = estimates.ticker_index[used], estimates.session_index[used]
    windows = estimates.windows
    if ticker.size == 0:
        return Overlap(0, 0, 0, 0, 0, 0)
    per_session = np.bincount(session)
    pairs = int((per_session * (per_session - 1) // 2).sum())
    same_firm = 0
    for shift in range(1, min(windows.n_event, per_session.size)):
        pairs += int((per_session[:-shift] * per_session[shift:]).sum())
        same_firm += find_same_firm_pairs(ticker, session, shift)[0].size
    return Overlap(
        n_sessions=int((per_session > 0).sum()),
        n_tickers=int(np.unique(ticker).size),
        n_sharing_session=int(per_session[per_session > 1].sum()),
        n_pairs=pairs,
        n_same_firm_pairs=same_firm,
        n_in_estimation=_count_contaminated(ticker, session, windows.estimation_first, windows.estimation_last),
    )


def _count_contaminated(ticker: np.ndarray, session: np.ndarray, first: int, last: int) -> int:
    width = int(session.max()) - first + last + 2
    keys = np.sort(ticker * width + session)
    own = keys // width
    before = np.searchsorted(keys, np.maximum(keys + first, own * width), "left")
    after = np.searchsorted(keys, np.maximum(keys + last, own * width - 1), "right")
    return int((after > before).sum())


def find_same_firm_pairs(ticker: np.ndarray, session: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (earlier, later) of events of one ticker exactly ``shift`` sessions apart."""
    width = int(session.max()) + shift + 1
    keys = ticker * width + session
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    place = np.minimum(np.searchsorted(ordered, ordered + shift), ordered.size - 1)
    found = ordered[place] == ordered + shift
    return order[found], order[place[found]]


def label_blocks(session_index: np.ndarray, n_event: int) -> np.ndarray:
    """Number the runs of events whose windows chain into each other; runs share no event day."""
    sessions = np.unique(session_index)
    starts_run = np.concatenate([[False], np.diff(sessions) >= n_event])
    return np.cumsum(starts_run)[np.searchsorted(sessions, session_index)]


@dataclass(frozen=True)
class MeanCorrelation:
    """Mean pairwise residual correlation of the events, weighted by shared event days.

    Attributes
    ----------
    value : float
        rbar = 2/(N(N-1)) sum_{i<j} rho_ij o_ij / W.
    n_pairs : int
        Pairs with overlapping event windows.
    n_too_short : int
        Those with fewer than 20 shared estimation sessions, counted with rho = 0.
    """

    value: float
    n_pairs: int
    n_too_short: int


def mean_correlation(design: Design, estimates: EventEstimates) -> MeanCorrelation:
    """How correlated are the abnormal returns of events that share event days?

    rho_ij is the correlation of the two events' estimation residuals on the calendar days that
    both estimation windows hold, 1 for two events of one ticker; o_ij counts the calendar days
    that both event windows hold. Events that lack only sessions which the regressors lack too are
    summed as unit vectors, session by session, so that no pair is formed; events with gaps of
    their own are paired one by one. Kolari and Pynnonen (2010), calendar-aligned.

    Returns
    -------
    MeanCorrelation
    """
    used = np.flatnonzero(estimates.is_used)
    n = used.size
    if n < 2:
        return MeanCorrelation(0.0, 0, 0)
    width = estimates.windows.n_event
    session = estimates.session_index[used]
    order = used[np.argsort(session, kind="stable")]
    has_gaps = _find_own_gaps(design, estimates, order)
    whole, gappy = order[~has_gaps], order[has_gaps]
    total, short = _correlate_whole(design, estimates, whole)
    more, more_short = _correlate_gappy(design, estimates, whole, gappy)
    overlap = count_overlaps(estimates)
    value = 2.0 * (total + more) / (n * (n - 1.0) * width)
    return MeanCorrelation(float(value), overlap.n_pairs, round(short + more_short))


def _find_own_gaps(design: Design, estimates: EventEstimates, positions: np.ndarray) -> np.ndarray:
    """Which events lack an estimation session that the shared regressors have."""
    if any(regressor.shape[0] > 1 for regressor in design.regressors):
        exists = np.ones(design.outcome.shape[1], dtype=bool)
    else:
        exists = np.isfinite(design.outcome).any(axis=0)
        for regressor in design.regressors:
            exists = exists & np.isfinite(regressor[0])
    windows = estimates.windows
    totals = np.concatenate([[0], np.cumsum(exists)])
    start = np.maximum(estimates.session_index[positions] + windows.estimation_first, 0)
    stop = estimates.session_index[positions] + windows.estimation_last + 1
    return estimates.n_estimation[positions] < totals[stop] - totals[start]


def _unit_weights(residuals: np.ndarray, shifts: np.ndarray, *, from_end: bool) -> tuple[np.ndarray, np.ndarray]:
    """Means and inverse lengths of residuals without their first (last) ``shift`` columns, for every shift."""
    present = np.isfinite(residuals)
    filled = np.where(present, residuals, 0.0)
    if from_end:
        present, filled = present[:, ::-1], filled[:, ::-1]
    count, total, square = present.sum(axis=1), filled.sum(axis=1), np.einsum("ij,ij->i", filled, filled)
    means, scales = np.zeros((residuals.shape[0], shifts.size)), np.zeros((residuals.shape[0], shifts.size))
    for column, shift in enumerate(shifts):
        cut = filled[:, :shift]
        left = count - present[:, :shift].sum(axis=1)
        sum_left = total - cut.sum(axis=1)
        mean = sum_left / np.maximum(left, 1)
        length = square - np.einsum("ij,ij->i", cut, cut) - sum_left * mean
        is_usable = (left >= FEWEST_SHARED_SESSIONS) & (length > 0)
        means[:, column] = mean
        scales[is_usable, column] = 1.0 / np.sqrt(length[is_usable])
    return means, scales


def _correlate_whole(design: Design, estimates: EventEstimates, whole: np.ndarray) -> tuple[float, int]:
    """Sum of rho_ij o_ij over pairs of gapless events, and the pairs with too few shared sessions."""
    if whole.size < 2:
        return 0.0, 0
    windows = estimates.windows
    width, length = windows.n_event, windows.n_estimation
    shifts = np.arange(min(width, length))
    sessions, first, counts = np.unique(estimates.session_index[whole], return_index=True, return_counts=True)
    recent: dict[int, tuple[np.ndarray, np.ndarray, int]] = {}
    total, short = 0.0, 0
    for session, start, count in zip(sessions, first, counts, strict=True):
        early, late, own, shared = _sum_unit_vectors(
            design, estimates, whole[start : start + count], shifts, need_later=sessions.size > 1
        )
        total += width * 0.5 * (float(early[0] @ early[0]) - own)
        short += count * (count - 1) // 2 * int(shared[0] < FEWEST_SHARED_SESSIONS)
        for shift in range(1, width):
            before = recent.get(int(session) - shift)
            if before is None:
                continue
            if shift >= shifts.size or shared[shift] < FEWEST_SHARED_SESSIONS:
                short += count * before[1]
                continue
            total += (width - shift) * float(before[0][shift, shift:] @ late[shift, : length - shift])
        recent[int(session)] = (early, count)
        recent.pop(int(session) - width, None)
    change, same_short = _replace_same_firm(design, estimates, whole, shifts)
    return total + change, short - same_short


def _sum_unit_vectors(
    design: Design, estimates: EventEstimates, positions: np.ndarray, shifts: np.ndarray, *, need_later: bool
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Add up the unit residual vectors of one session's events, cut by every shift at either end."""
    length = estimates.windows.n_estimation
    used_shifts = shifts if need_later else shifts[:1]
    early, late = np.zeros((used_shifts.size, length)), np.zeros((used_shifts.size, length))
    own, shared = 0.0, np.zeros(used_shifts.size, dtype=int)
    for cut in range(0, positions.size, EVENTS_AT_ONCE):
        days = read_event_days(design, estimates, positions[cut : cut + EVENTS_AT_ONCE])
        present = np.isfinite(days.residuals[0])
        filled = np.where(np.isfinite(days.residuals), days.residuals, 0.0)
        means, scales = _unit_weights(days.residuals, used_shifts, from_end=False)
        early += scales.T @ filled - (scales * means).sum(axis=0)[:, None] * present
        own += float((scales[:, 0] > 0).sum())
        if need_later:
            means, scales = _unit_weights(days.residuals, used_shifts, from_end=True)
            late += scales.T @ filled - (scales * means).sum(axis=0)[:, None] * present
        shared = np.array([present[: length - shift].sum() for shift in used_shifts])
    return early, late, own, shared


def _replace_same_firm(
    design: Design, estimates: EventEstimates, whole: np.ndarray, shifts: np.ndarray
) -> tuple[float, int]:
    """Change of the sum when pairs of one ticker get rho = 1 for the measured one; how many had none."""
    width = estimates.windows.n_event
    ticker, session = estimates.ticker_index[whole], estimates.session_index[whole]
    change, short = 0.0, 0
    for shift in range(1, width):
        earlier, later = find_same_firm_pairs(ticker, session, shift)
        change += (width - shift) * earlier.size
        if shift >= shifts.size:
            short += earlier.size
            continue
        for cut in range(0, earlier.size, EVENTS_AT_ONCE):
            a = read_event_days(design, estimates, whole[earlier[cut : cut + EVENTS_AT_ONCE]]).residuals[:, shift:]
            b = read_event_days(design, estimates, whole[later[cut : cut + EVENTS_AT_ONCE]]).residuals
            rho, shared = correlate_rows(a, b[:, : a.shape[1]])
            change -= (width - shift) * float(rho.sum())
            short += int((shared < FEWEST_SHARED_SESSIONS).sum())
    return change, short


def correlate_rows(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of matching rows over the columns both have, 0 below 20 of them; and their number."""
    both = np.isfinite(first) & np.isfinite(second)
    shared = both.sum(axis=1)
    a, b = np.where(both, first, 0.0), np.where(both, second, 0.0)
    size = np.maximum(shared, 1)[:, None]
    a = np.where(both, a - a.sum(axis=1, keepdims=True) / size, 0.0)
    b = np.where(both, b - b.sum(axis=1, keepdims=True) / size, 0.0)
    scale = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    rho = np.einsum("ij,ij->i", a, b) / np.where(scale > 0, scale, 1.0)
    return np.where((shared >= FEWEST_SHARED_SESSIONS) & (scale > 0), rho, 0.0), shared


def _correlate_gappy(
    design: Design, estimates: EventEstimates, whole: np.ndarray, gappy: np.ndarray
) -> tuple[float, float]:
    """The same sum over pairs with at least one event that has gaps of its own."""
    if gappy.size == 0:
        return 0.0, 0.0
    windows = estimates.windows
    everyone = np.concatenate([whole, gappy])
    is_gappy = np.arange(everyone.size) >= whole.size
    by_session = np.argsort(estimates.session_index[everyone], kind="stable")
    everyone, is_gappy = everyone[by_session], is_gappy[by_session]
    sessions = estimates.session_index[everyone]
    total, short = 0.0, 0.0
    for session in np.unique(estimates.session_index[gappy]):
        lo, hi = np.searchsorted(sessions, [session, session + 1])
        own = everyone[lo:hi][is_gappy[lo:hi]]
        lo = np.searchsorted(sessions, session - windows.n_event + 1)
        hi = np.searchsorted(sessions, session + windows.n_event)
        for cut in range(0, own.size, 256):
            for other_cut in range(lo, hi, 1_024):
                stop = min(hi, other_cut + 1_024)
                part, n_short = _pair_up(
                    design, estimates, own[cut : cut + 256], everyone[other_cut:stop], is_gappy[other_cut:stop]
                )
                total, short = total + part, short + n_short
    return total, short


def _pair_up(
    design: Design, estimates: EventEstimates, own: np.ndarray, others: np.ndarray, is_gappy: np.ndarray
) -> tuple[float, float]:
    """Weighted correlations of some gappy events of one session with some others; gappy pairs count half."""
    windows = estimates.windows
    a = read_event_days(design, estimates, own).residuals
    b = read_event_days(design, estimates, others).residuals
    gap = estimates.session_index[others] - estimates.session_index[own[0]]
    rho = np.zeros((own.size, others.size))
    shared = np.zeros((own.size, others.size), dtype=int)
    for shift in np.unique(gap):
        at = np.flatnonzero(gap == shift)
        span = max(windows.n_estimation - abs(shift), 0)
        if span:
            first = a[:, shift:] if shift >= 0 else a[:, :span]
            second = b[at][:, :span] if shift >= 0 else b[at][:, -shift:]
            rho[:, at], shared[:, at] = _correlate_all(first, second)
    same_firm = estimates.ticker_index[own][:, None] == estimates.ticker_index[others]
    rho[same_firm] = 1.0
    weight = np.maximum(windows.n_event - np.abs(gap), 0)[None, :] * np.where(is_gappy, 0.5, 1.0)
    weight = np.where(own[:, None] == others, 0.0, weight)
    too_short = (shared < FEWEST_SHARED_SESSIONS) & ~same_firm & (weight > 0)
    return float((rho * weight).sum()), float((too_short * np.where(is_gappy, 0.5, 1.0)).sum())


def _correlate_all(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of every row of one with every row of the other over the columns both have."""
    has_a, has_b = np.isfinite(first).astype(float), np.isfinite(second).astype(float)
    a, b = np.where(has_a > 0, first, 0.0), np.where(has_b > 0, second, 0.0)
    shared = has_a @ has_b.T
    size = np.maximum(shared, 1.0)
    sum_a, sum_b = a @ has_b.T, has_a @ b.T
    cross = a @ b.T - sum_a * sum_b / size
    scale = np.sqrt(
        np.maximum((a * a) @ has_b.T - sum_a**2 / size, 0.0) * np.maximum(has_a @ (b * b).T - sum_b**2 / size, 0.0)
    )
    rho = cross / np.where(scale > 0, scale, 1.0)
    return np.where((shared >= FEWEST_SHARED_SESSIONS) & (scale > 0), rho, 0.0), np.rint(shared).astype(int)


def calendar_time_t(portfolio: np.ndarray) -> TestResult:
    """Do the events earn an abnormal return per calendar day? mean / (sd / sqrt(D)), t(D - 1).

    ``portfolio`` holds, for each of the D calendar sessions that lie in some event's window, the
    equally weighted abnormal return of the events that are in theirs. Jaffe (1974); Mandelker (1974).
    """
    null = "the mean daily abnormal return of the portfolio of firms in their event window is zero"
    days = portfolio.size
    if days < 2:
        return not_computable("calendar_time_t", f"needs at least 2 calendar sessions, found {days}", null=null)
    t = float(Moments.of(portfolio).t)
    if not math.isfinite(t):
        return not_computable("calendar_time_t", "the portfolio's returns have no spread", null=null)
    return t_result("calendar_time_t", t, days - 1, null=null)


def two_way_clustered_t(car: np.ndarray, ticker: np.ndarray, block: np.ndarray) -> TestResult:
    """Is the mean CAR zero when events of one firm and events of one date depend on each other?

    Variance of the mean clustered by firm plus by date less by both, each with G/(G - 1);
    t with min(G) - 1 degrees of freedom. Cameron, Gelbach and Miller (2011).
    """
    name, n = "two_way_clustered_t", car.size
    labels = [np.unique(each, return_inverse=True)[1] for each in (ticker, block)]
    labels.append(labels[0] * (labels[1].max(initial=0) + 1) + labels[1])
    sizes = [np.unique(each).size for each in labels]
    if min(sizes[:2]) < 2:
        reason = f"needs at least 2 firms and 2 dates, found {sizes[0]} and {sizes[1]}"
        return not_computable(name, reason, null=NULL_CAAR)
    gap = car - car.mean()
    parts = []
    for label, groups in zip(labels, sizes, strict=True):
        sums = np.bincount(np.unique(label, return_inverse=True)[1], weights=gap)
        parts.append(groups / (groups - 1) * float(np.square(sums).sum()) / n**2)
    variance, note = parts[0] + parts[1] - parts[2], f"{sizes[0]} firms, {sizes[1]} dates"
    if variance <= max(parts[:2]) * 1e-12:
        variance, note = max(parts[:2]), note + "; two-way variance not positive, the larger one-way variance used"
    if variance <= 0:
        return not_computable(name, f"all {n} CARs are equal, so they have no spread", null=NULL_CAAR)
    return t_result(name, float(car.mean()) / math.sqrt(variance), min(sizes[:2]) - 1, note=note)
