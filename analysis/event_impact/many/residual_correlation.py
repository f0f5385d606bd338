"""How correlated the abnormal returns of events are that share calendar days (Kolari and Pynnönen 2010).

Events are taken session by session beside those of the sessions just before, whose windows reach in. Events that lack
only what the regressors lack are summed as unit vectors, so that no pair of them is formed; pairs with an event that
has gaps of its own come out of one product of matrices, corrected on the few columns where somebody is missing.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from event_impact.many.engine import EventEstimates
from event_impact.many.event_days import read_residuals
from event_impact.many.layout import BatchDesign

FEWEST_SHARED_SESSIONS = 20  # for a correlation of two events' residuals
ROWS_AT_ONCE = 1_024


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


def mean_correlation(design: BatchDesign, estimates: EventEstimates, n_pairs: int) -> MeanCorrelation:
    """How correlated are the abnormal returns of events that share event days?

    rho_ij is the correlation of the two events' estimation residuals on the calendar days that
    both estimation windows hold, 1 for two events of one ticker; o_ij counts the calendar days
    that both event windows hold.

    Parameters
    ----------
    n_pairs : int
        Pairs with overlapping event windows; without one there is no correlation, an exact zero, whatever rounding
        makes of lone unit vectors.

    Returns
    -------
    MeanCorrelation
    """
    if not n_pairs:
        return MeanCorrelation(0.0, 0, 0)
    used = np.flatnonzero(estimates.is_used)
    width = estimates.windows.n_event
    order = used[np.lexsort((estimates.ticker_index[used], estimates.session_index[used]))]
    ordered = estimates.select(order)
    sessions, starts = np.unique(ordered.session_index, return_index=True)
    exists = _find_calendar(design)
    recent: deque[_Session] = deque()
    total, short = 0.0, 0
    for session, start, stop in zip(sessions.tolist(), starts, [*starts[1:], used.size], strict=True):
        own = _read_session(design, ordered.select(slice(start, stop)), exists)
        while recent and session - recent[0].session >= width:
            recent.popleft()
        for other in (own, *recent):
            shift = session - other.session
            rho, n_short = _pair_up(own, other, shift)
            total, short = total + (width - shift) * rho, short + n_short
        recent.append(own)
    return MeanCorrelation(2.0 * total / (used.size * (used.size - 1.0) * width), n_pairs, short)


def _find_calendar(design: BatchDesign) -> np.ndarray:
    """Sessions on which some ticker has an outcome and all shared regressors exist."""
    series = (design.outcome, *design.regressors)
    return np.asarray(np.logical_and.reduce([np.isfinite(each).any(axis=0) for each in series]))


@dataclass(frozen=True)
class _Ends:
    """Residuals of a session's events without their last (or first) sessions, for every number of them.

    Attributes
    ----------
    total, square : arrays (events, shifts)
        Sums of what is left and of its squares.
    scale : array (whole events, shifts)
        Inverse length of the deviations, 0 where too few are left.
    units : array (shifts, L)
        Sum of the unit vectors of the events without gaps of their own.
    shared : int array (shifts,)
        Sessions that are left to these.
    """

    total: np.ndarray
    square: np.ndarray
    scale: np.ndarray
    units: np.ndarray
    shared: np.ndarray


@dataclass(frozen=True)
class _Session:
    """The events of one session by ticker, those with gaps of their own last.

    Attributes
    ----------
    filled : array (events, L)
        Estimation residuals, zero where ``gone``.
    n_whole : int
        Events without gaps of their own.
    head, tail : _Ends
        Without the last sessions, to pair with earlier events; without the first, to pair with later ones.
    """

    session: int
    ticker: np.ndarray
    filled: np.ndarray
    gone: np.ndarray
    n_whole: int
    head: _Ends
    tail: _Ends


def _read_session(design: BatchDesign, chosen: EventEstimates, exists: np.ndarray) -> _Session:
    windows, session = chosen.windows, int(chosen.session_index[0])
    residuals = read_residuals(design, chosen)
    gone, length = np.isnan(residuals), windows.n_estimation
    calendar = np.zeros(length, dtype=bool)
    start = session + windows.estimation_first
    calendar[max(-start, 0) :] = exists[max(start, 0) : start + length]
    has_gaps = (gone & calendar).any(axis=1)
    by_gaps = np.argsort(has_gaps, kind="stable")
    if has_gaps.any():
        residuals, gone = residuals[by_gaps], gone[by_gaps]
    residuals[gone] = 0.0
    n_whole, n_shifts = int((~has_gaps).sum()), min(windows.n_event, length)
    head, tail = (
        _cut_ends(residuals[:, ::step], calendar[::step], n_whole=n_whole, n_shifts=n_shifts) for step in (-1, 1)
    )
    ticker = chosen.ticker_index[by_gaps]
    return _Session(session, ticker, residuals, gone, n_whole, head, tail)


def _cut_ends(filled: np.ndarray, present: np.ndarray, *, n_whole: int, n_shifts: int) -> _Ends:
    """What is left without the first columns."""
    edge = np.zeros((filled.shape[0], n_shifts))
    edge[:, 1:] = filled[:, : n_shifts - 1]
    total = filled.sum(axis=1)[:, None] - edge.cumsum(axis=1)
    square = np.einsum("ij,ij->i", filled, filled)[:, None] - np.square(edge).cumsum(axis=1)
    shared = int(present.sum()) - np.concatenate([[0], np.cumsum(present[: n_shifts - 1])]).astype(int)
    mean = total[:n_whole] / np.maximum(shared, 1)
    length = square[:n_whole] - total[:n_whole] * mean
    is_usable = (shared >= FEWEST_SHARED_SESSIONS) & (length > 0)
    scale = np.where(is_usable, 1.0 / np.sqrt(np.where(is_usable, length, 1.0)), 0.0)
    units = scale.T @ filled[:n_whole] - (scale * mean).sum(axis=0)[:, None] * present
    return _Ends(total, square, scale, units, shared)


def _pair_up(own: _Session, other: _Session, shift: int) -> tuple[float, int]:
    """Sum of rho over pairs of two sessions' events, or of one session's, and the pairs with too few shared sessions."""
    i, j = _match(own.ticker, other.ticker)
    span = own.filled.shape[1] - shift
    if not shift:
        i, j = i[i < j], j[i < j]
    n_pairs = own.ticker.size * other.ticker.size if shift else own.ticker.size * (own.ticker.size - 1) // 2
    if span < FEWEST_SHARED_SESSIONS:
        return float(i.size), n_pairs - i.size
    a, b = own.n_whole, other.n_whole
    total, short = float(i.size), 0
    is_whole = (i < a) & (j < b)
    if own.head.shared[shift] < FEWEST_SHARED_SESSIONS:
        short += (a * b if shift else a * (a - 1) // 2) - int(is_whole.sum())
    else:
        # units of the head stand reversed
        cross = float(own.head.units[shift, ::-1][:span] @ other.tail.units[shift, shift:])
        total += cross if shift else (cross - float((own.head.scale[:, 0] > 0).sum())) / 2.0
        total -= _measure_same(own, other, i[is_whole], j[is_whole], shift)
    with_gaps, whole = range(a, own.ticker.size), range(a if shift and b < other.ticker.size else 0)
    blocks = [(with_gaps[k : k + ROWS_AT_ONCE], 0) for k in range(0, len(with_gaps), ROWS_AT_ONCE)]
    blocks += [(whole[k : k + ROWS_AT_ONCE], b) for k in range(0, len(whole), ROWS_AT_ONCE)]
    for rows, first in blocks:
        part, columns = slice(rows.start, rows.stop), slice(first, None)
        rho, shared = _correlate_rows(own, other, part, columns, shift)
        is_counted = own.ticker[part, None] != other.ticker[columns]
        if not shift:
            is_counted &= np.array(rows)[:, None] > np.arange(own.ticker.size)
        total += float(rho[is_counted].sum())
        short += int((shared[is_counted] < FEWEST_SHARED_SESSIONS).sum())
    return total, short


def _match(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of equal values in both, every pair of them."""
    by_value = np.argsort(b, kind="stable")
    low, high = (np.searchsorted(b, a, side, sorter=by_value) for side in ("left", "right"))
    count = high - low
    i = np.repeat(np.arange(a.size), count)
    return i, by_value[np.arange(i.size) - np.repeat(np.cumsum(count) - count - low, count)]


def _measure_same(own: _Session, other: _Session, i: np.ndarray, j: np.ndarray, shift: int) -> float:
    """What the unit vectors say of pairs of one ticker without gaps, which count as 1."""
    if not i.size:
        return 0.0
    left, right = own.filled[:, : own.filled.shape[1] - shift], other.filled[:, shift:]
    if i.size < len(left) or i.size < len(right) or (i != j).any():
        left, right = left[i], right[j]
    cross = np.einsum("ij,ij->i", left, right)
    cross -= own.head.total[i, shift] * other.tail.total[j, shift] / own.head.shared[shift]
    return float((cross * own.head.scale[i, shift] * other.tail.scale[j, shift]).sum())


def _correlate_rows(
    own: _Session, other: _Session, rows: slice, columns: slice, shift: int
) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of some events of one session with some of the other over the sessions both have, and their number."""
    span = own.filled.shape[1] - shift
    a, b = own.filled[rows, :span], other.filled[columns, shift:]
    lacks_a, lacks_b = own.gone[rows, :span], other.gone[columns, shift:]
    at = np.flatnonzero(lacks_a.any(axis=0) | lacks_b.any(axis=0))
    lacks_a, lacks_b = lacks_a[:, at].astype(float), lacks_b[:, at].T.astype(float)
    few_a, few_b = a[:, at], b[:, at].T
    shared = span - lacks_a.sum(axis=1)[:, None] - lacks_b.sum(axis=0) + lacks_a @ lacks_b
    size = np.maximum(shared, 1.0)
    sum_a = own.head.total[rows, shift, None] - few_a @ lacks_b
    sum_b = other.tail.total[columns, shift] - lacks_a @ few_b
    square_a = own.head.square[rows, shift, None] - np.square(few_a) @ lacks_b - sum_a**2 / size
    square_b = other.tail.square[columns, shift] - lacks_a @ np.square(few_b) - sum_b**2 / size
    scale = np.sqrt(np.maximum(square_a, 0.0) * np.maximum(square_b, 0.0))
    rho = (a @ b.T - sum_a * sum_b / size) / np.where(scale > 0, scale, 1.0)
    return np.where((shared >= FEWEST_SHARED_SESSIONS) & (scale > 0), rho, 0.0), np.rint(shared)
