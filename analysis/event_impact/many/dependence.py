"""Events that share calendar days: how much, how correlated, and tests that allow for it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from event_impact.base.result import TestResult, not_computable
from event_impact.many.engine import EventEstimates
from event_impact.many.event_days import read_event_days
from event_impact.many.layout import BatchDesign
from event_impact.many.parametric_tests import NULL_CAAR, Moments, t_result
from event_impact.many.residual_pairs import correlate_same_ticker

FEWEST_SHARED_SESSIONS = 20  # for a correlation of two events' residuals
EVENTS_AT_ONCE = 4_096
ENOUGH_BLOCKS = 8  # 2^8 sign patterns, 7 degrees of freedom; the sizes are in calibration/


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
    for shift in range(1, min(windows.n_event, per_session.size)):
        pairs += int((per_session[:-shift] * per_session[shift:]).sum())
    order, gaps = np.lexsort((session, ticker)), 0
    for _, gap in iterate_same_firm_gaps(ticker[order], session[order], windows.n_event):
        gaps += int((gap < windows.n_event).sum())
    return Overlap(
        n_sessions=int((per_session > 0).sum()),
        n_tickers=int(np.unique(ticker).size),
        n_sharing_session=int(per_session[per_session > 1].sum()),
        n_pairs=pairs,
        n_same_firm_pairs=gaps,
        n_in_estimation=_count_contaminated(ticker, session, windows.estimation_first, windows.estimation_last),
    )


def _count_contaminated(ticker: np.ndarray, session: np.ndarray, first: int, last: int) -> int:
    width = int(session.max()) - first + last + 2
    keys = np.sort(ticker * width + session)
    own = keys // width
    before = np.searchsorted(keys, np.maximum(keys + first, own * width), "left")
    after = np.searchsorted(keys, np.maximum(keys + last, own * width - 1), "right")
    return int((after > before).sum())


def iterate_same_firm_gaps(ticker: np.ndarray, session: np.ndarray, width: int) -> Iterator[tuple[int, np.ndarray]]:
    """Sessions between each event and the next, the second next, ... of its ticker, while any is below ``width``.

    ``ticker`` and ``session`` are sorted together; yields the step and one gap for every pair
    ``(k, k + step)``. Pairs of different tickers have a gap of at least ``width``.
    """
    keys = ticker * (int(session.max(initial=0)) + width + 1) + session
    for step in range(1, keys.size):
        gap = keys[step:] - keys[:-step]
        if not (gap < width).any():
            return
        yield step, gap


@dataclass(frozen=True)
class DateBlocks:
    """Groups of events by date, for statistics that allow for any dependence within a group.

    Attributes
    ----------
    label : int array (events,)
        Number of the group of each event, by date.
    n_cut : int
        Pairs of events that share event days and were put into different groups.
    """

    label: np.ndarray
    n_cut: int

    @property
    def note(self) -> str:
        """What was cut; empty where groups share no day."""
        return f"chains of shared days cut where fewest are lost ({self.n_cut} pairs)" if self.n_cut else ""


def cut_blocks(session_index: np.ndarray, n_event: int, *, at_least: int = ENOUGH_BLOCKS) -> DateBlocks:
    """Group events whose windows chain into each other, and cut chains where the least dependence is lost.

    Runs of windows that share no day are blocks. While there are fewer than ``at_least``, the place is cut that
    loses the fewest shared event days for the events on its smaller side; events of one session stay together.
    """
    sessions, place = np.unique(session_index, return_inverse=True)
    count = np.bincount(place)
    days = np.zeros(sessions.size)  # that windows on either side of the gap before each session share
    for step in range(1, min(n_event, sessions.size)):
        gap = sessions[step:] - sessions[:-step]
        shared = np.where(gap < n_event, count[step:] * count[:-step], 0)
        for later in range(step):
            days[later + 1 : later + 1 + shared.size] += shared * np.maximum(n_event - gap, 0)
    starts = days == 0
    while starts.sum() < min(at_least, sessions.size):
        block = np.cumsum(starts) - 1
        before = np.cumsum(count) - count
        left = before - before[starts][block]
        right = np.bincount(block, weights=count)[block] - left
        loss = np.where(starts, np.inf, days / np.maximum(np.minimum(left, right), 1))
        starts[int(np.argmin(loss))] = True
    block, n_cut = np.cumsum(starts) - 1, 0
    for step in range(1, min(n_event, sessions.size)):
        is_cut = (sessions[step:] - sessions[:-step] < n_event) & (block[step:] != block[:-step])
        n_cut += int((count[step:] * count[:-step])[is_cut].sum())
    return DateBlocks(block[place], n_cut)


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


def dependence_factor(mean_correlation: float, n: int) -> float:
    """What shared days do to the standard error of the mean of n CARs; never below 1."""
    if mean_correlation >= 1.0:
        return math.inf
    return max(1.0, math.sqrt(max(1.0 + (n - 1) * mean_correlation, 0.0) / (1.0 - mean_correlation)))


def mean_correlation(design: BatchDesign, estimates: EventEstimates) -> MeanCorrelation:
    """How correlated are the abnormal returns of events that share event days?

    rho_ij is the correlation of the two events' estimation residuals on the calendar days that
    both estimation windows hold, 1 for two events of one ticker; o_ij counts the calendar days
    that both event windows hold. Events that lack only sessions which the regressors lack too are
    summed as unit vectors, session by session, so that no pair is formed; events with gaps of
    their own are paired one by one. Kolari and Pynnönen (2010), calendar-aligned.

    Returns
    -------
    MeanCorrelation
    """
    used = np.flatnonzero(estimates.is_used)
    n = used.size
    overlap = count_overlaps(estimates)
    if not overlap.n_pairs:  # no pair, no correlation: an exact zero, whatever rounding makes of lone unit vectors
        return MeanCorrelation(0.0, 0, 0)
    width = estimates.windows.n_event
    session = estimates.session_index[used]
    order = used[np.argsort(session, kind="stable")]
    has_gaps = _find_own_gaps(design, estimates, order)
    whole, gappy = order[~has_gaps], order[has_gaps]
    total, short = _correlate_whole(design, estimates, whole)
    more, more_short = _correlate_gappy(design, estimates, whole, gappy)
    value = 2.0 * (total + more) / (n * (n - 1.0) * width)
    return MeanCorrelation(float(value), overlap.n_pairs, round(short + more_short))


def _find_own_gaps(design: BatchDesign, estimates: EventEstimates, positions: np.ndarray) -> np.ndarray:
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
    return np.asarray(estimates.n_estimation[positions] < totals[stop] - totals[start])


@dataclass(frozen=True)
class _Cuts:
    """Residuals of some events without their first (or last) ``shift`` sessions, for every shift.

    Attributes
    ----------
    shared : int array (shifts,)
        Sessions left; events without gaps of their own share them.
    means, scales : arrays (events, shifts)
        Mean of what is left and the inverse length of its deviations, 0 where too few are left.
    """

    shared: np.ndarray
    means: np.ndarray
    scales: np.ndarray


def _cut_residuals(filled: np.ndarray, present: np.ndarray, shifts: np.ndarray, *, from_end: bool) -> _Cuts:
    """``filled`` has zeros where ``present`` (sessions,) is False."""
    width = int(shifts[-1])
    edge = filled[:, ::-1][:, :width] if from_end else filled[:, :width]
    mark = present[::-1][:width] if from_end else present[:width]
    gone = np.zeros((filled.shape[0], shifts.size))
    gone_square = np.zeros((filled.shape[0], shifts.size))
    np.cumsum(edge, axis=1, out=gone[:, 1:])
    np.cumsum(edge * edge, axis=1, out=gone_square[:, 1:])
    shared = int(present.sum()) - np.concatenate([[0], np.cumsum(mark)]).astype(int)
    total = filled.sum(axis=1)[:, None] - gone
    means = total / np.maximum(shared, 1)
    length = np.einsum("ij,ij->i", filled, filled)[:, None] - gone_square - total * means
    is_usable = (shared >= FEWEST_SHARED_SESSIONS) & (length > 0)
    return _Cuts(shared, means, np.where(is_usable, 1.0 / np.sqrt(np.where(is_usable, length, 1.0)), 0.0))


def _fill_gaps(residuals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals with zeros for their common gaps, and which sessions are there."""
    present = np.isfinite(residuals[0])
    if not present.all():
        residuals = np.where(present, residuals, 0.0)
    return residuals, present


def _correlate_whole(design: BatchDesign, estimates: EventEstimates, whole: np.ndarray) -> tuple[float, int]:
    """Sum of rho_ij o_ij over pairs of gapless events, and the pairs with too few shared sessions."""
    if whole.size < 2:
        return 0.0, 0
    windows = estimates.windows
    width, length = windows.n_event, windows.n_estimation
    shifts = np.arange(min(width, length))
    sessions, first, counts = np.unique(estimates.session_index[whole], return_index=True, return_counts=True)
    recent: dict[int, tuple[np.ndarray, int]] = {}
    total, short = 0.0, 0
    for session, start, count in zip(sessions.tolist(), first.tolist(), counts.tolist(), strict=True):
        early, late, own, shared = _sum_unit_vectors(
            design, estimates, whole[start : start + count], shifts, need_later=sessions.size > 1
        )
        total += width * 0.5 * (float(early[0] @ early[0]) - own)
        short += count * (count - 1) // 2 * int(shared[0] < FEWEST_SHARED_SESSIONS)
        for shift in range(1, width):
            before = recent.get(session - shift)
            if before is None:
                continue
            if shift >= shifts.size or shared[shift] < FEWEST_SHARED_SESSIONS:
                short += count * before[1]
                continue
            total += (width - shift) * float(before[0][shift, shift:] @ late[shift, : length - shift])
        recent[session] = (early, count)
        recent.pop(session - width, None)
    change, same_short = _replace_same_firm(design, estimates, whole, shifts)
    return total + change, short - same_short


def _sum_unit_vectors(
    design: BatchDesign, estimates: EventEstimates, positions: np.ndarray, shifts: np.ndarray, *, need_later: bool
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Add up the unit residual vectors of one session's events, cut by every shift at either end."""
    length = estimates.windows.n_estimation
    used_shifts = shifts if need_later else shifts[:1]
    early, late = np.zeros((used_shifts.size, length)), np.zeros((used_shifts.size, length))
    own, shared = 0.0, np.zeros(used_shifts.size, dtype=int)
    for cut in range(0, positions.size, EVENTS_AT_ONCE):
        days = read_event_days(design, estimates, positions[cut : cut + EVENTS_AT_ONCE])
        filled, present = _fill_gaps(days.residuals)
        first = _cut_residuals(filled, present, used_shifts, from_end=False)
        early += first.scales.T @ filled - (first.scales * first.means).sum(axis=0)[:, None] * present
        own += float((first.scales[:, 0] > 0).sum())
        if need_later:
            last = _cut_residuals(filled, present, used_shifts, from_end=True)
            late += last.scales.T @ filled - (last.scales * last.means).sum(axis=0)[:, None] * present
            shared = last.shared
        else:
            shared = first.shared
    return early, late, own, shared


def _replace_same_firm(
    design: BatchDesign, estimates: EventEstimates, whole: np.ndarray, shifts: np.ndarray
) -> tuple[float, int]:
    """Change of the sum when pairs of one ticker get rho = 1 for the measured one; how many had none."""
    width = estimates.windows.n_event
    ticker, session = estimates.ticker_index[whole], estimates.session_index[whole]
    order = np.lexsort((session, ticker))
    pairs: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for step, gap in iterate_same_firm_gaps(ticker[order], session[order], width):
        for shift in np.flatnonzero(np.bincount(gap[gap < width])).tolist():
            earlier = np.flatnonzero(gap == shift)
            pairs.setdefault(shift, []).append((order[earlier], order[earlier + step]))
    change, short = 0.0, 0
    for shift, parts in pairs.items():
        earlier, later = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
        by_ticker = np.argsort(ticker[earlier], kind="stable")
        earlier, later = whole[earlier[by_ticker]], whole[later[by_ticker]]
        change += float(width - shift) * earlier.size
        if shift >= shifts.size:
            short += earlier.size
            continue
        measured, too_short = correlate_same_ticker(
            design, estimates, earlier, later, shift=shift, fewest=FEWEST_SHARED_SESSIONS
        )
        change, short = change - (width - shift) * measured, short + too_short
    return change, short


def _correlate_gappy(
    design: BatchDesign, estimates: EventEstimates, whole: np.ndarray, gappy: np.ndarray
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
    design: BatchDesign, estimates: EventEstimates, own: np.ndarray, others: np.ndarray, is_gappy: np.ndarray
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


def calendar_time_t(portfolio: np.ndarray, *, inflation: float = 1.0) -> TestResult:
    """Do the events earn an abnormal return per calendar day? mean / (sd sqrt(inflation / D)), t(D - 1).

    ``portfolio`` holds, for each of the D calendar sessions that lie in some event's window, the
    equally weighted abnormal return of the events that are in theirs. ``inflation`` is the mean of
    1'C_i 1 / W: estimation error moves all days of an event together, which the spread between
    days cannot show. Jaffe (1974); Mandelker (1974).
    """
    null = "the mean daily abnormal return of the portfolio of firms in their event window is zero"
    days = portfolio.size
    if days < 2:
        return not_computable("calendar_time_t", f"needs at least 2 calendar sessions, found {days}", null=null)
    t = float(Moments.of(portfolio).t)
    if not math.isfinite(t):
        return not_computable("calendar_time_t", "the portfolio's returns have no spread", null=null)
    note = f"variance times {inflation:.4g} for the estimation error"
    return t_result("calendar_time_t", t / math.sqrt(inflation), days - 1, null=null, note=note)


def calendar_time_alpha(portfolio: np.ndarray, regressors: np.ndarray) -> TestResult:
    """Does the portfolio of firms in their event window earn more than its factors explain, a calendar day?

    OLS of the portfolio's daily outcome on the model's regressors over the D days, HC3 errors because the number of
    firms changes (MacKinnon and White 1985), t(D - K). Fama (1998); Mitchell and Stafford (2000).

    Parameters
    ----------
    portfolio : array (days,)
        Equally weighted returns, or excess returns, of the firms in their window.
    regressors : array (days, J)
    """
    name, null = "calendar_time_alpha", "the alpha of the portfolio of firms in their event window is zero"
    x = np.column_stack([np.ones(portfolio.size), regressors])
    df = portfolio.size - x.shape[1]
    if df < 2 or np.linalg.matrix_rank(x) < x.shape[1] or not np.isfinite(x).all():
        reason = f"needs {x.shape[1] + 2} calendar sessions with regressors that vary, found {portfolio.size}"
        return not_computable(name, reason, null=null)
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ (x.T @ portfolio)
    leverage = np.minimum(np.einsum("ij,jk,ik->i", x, inverse, x), 1 - 1e-8)
    bread = x @ inverse * ((portfolio - x @ beta) / (1 - leverage))[:, None]
    error = math.sqrt(float((bread.T @ bread)[0, 0]))
    if error <= 0:
        return not_computable(name, "the portfolio's returns have no spread", null=null)
    return t_result(
        name, float(beta[0]) / error, df, null=null, note=f"alpha {beta[0]:.6g} a day over {portfolio.size} days"
    )


def ibragimov_mueller_t(car: np.ndarray, block: np.ndarray) -> TestResult:
    """Do the mean CARs of blocks of dates agree on zero? t of the block means, t(G - 1).

    Whatever the dependence within blocks; conservative where blocks differ in variance. Events of small blocks
    count for more than in the CAAR. Ibragimov and Müller (2010).
    """
    name, null = "ibragimov_mueller_t", "the mean CAR of every block of dates is zero"
    means = np.bincount(block, weights=car) / np.bincount(block)
    t = float(Moments.of(means).t)
    if not math.isfinite(t):
        return not_computable(name, f"needs at least 2 blocks of dates that differ, found {means.size}", null=null)
    return t_result(name, t, means.size - 1, null=null, note=f"{means.size} blocks")


def cluster_covariance(
    x: np.ndarray, residual: np.ndarray, ticker: np.ndarray, block: np.ndarray
) -> tuple[np.ndarray, tuple[int, int], str]:
    """Covariance of least-squares coefficients, clustered by firm plus by block less by both, the clusters, and a note.

    Each part with G/(G - 1); where the two-way variance of a coefficient is not positive, the larger one-way part
    stands in for all, and the note says so. Cameron, Gelbach and Miller (2011).
    """
    labels = [np.unique(each, return_inverse=True)[1] for each in (ticker, block)]
    labels.append(np.unique(labels[0] * (labels[1].max(initial=0) + 1) + labels[1], return_inverse=True)[1])
    scores, parts, sizes = x * residual[:, None], [], []
    for label in labels:
        sizes.append(int(label.max(initial=-1)) + 1)
        sums = np.column_stack([np.bincount(label, weights=column) for column in scores.T])
        parts.append(sizes[-1] / max(sizes[-1] - 1, 1) * sums.T @ sums)
    meat, larger = parts[0] + parts[1] - parts[2], max(parts[:2], key=np.trace)
    inverse = np.linalg.inv(x.T @ x)
    covariance, one_way = inverse @ meat @ inverse, inverse @ larger @ inverse
    is_whole = (np.diag(covariance) > np.diag(one_way) * 1e-12).all()
    note = "" if is_whole else "two-way variance not positive, the larger one-way variance used"
    return (covariance if is_whole else one_way), (sizes[0], sizes[1]), note


def two_way_clustered_t(car: np.ndarray, ticker: np.ndarray, block: np.ndarray) -> TestResult:
    """Is the mean CAR zero when events of one firm and events of one date depend on each other?

    :func:`cluster_covariance` of a mean; t with min(G) - 1 degrees of freedom.
    """
    name = "two_way_clustered_t"
    covariance, sizes, fallback = cluster_covariance(np.ones((car.size, 1)), car - car.mean(), ticker, block)
    if min(sizes) < 2:
        reason = f"needs at least 2 firms and 2 dates, found {sizes[0]} and {sizes[1]}"
        return not_computable(name, reason, null=NULL_CAAR)
    variance = float(covariance[0, 0])
    if variance <= 0:
        return not_computable(name, f"all {car.size} CARs are equal, so they have no spread", null=NULL_CAAR)
    note = f"{sizes[0]} firms, {sizes[1]} dates"
    return t_result(name, float(car.mean()) / math.sqrt(variance), min(sizes) - 1, note=note).with_note(fallback)
