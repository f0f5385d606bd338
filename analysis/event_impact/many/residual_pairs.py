"""Correlation of the estimation residuals of two events of one ticker, without forming residuals.

Both events see the same returns and regressors and differ in their coefficients only. With S the
covariance of (y, x_1..x_J) over the sessions that both estimation windows hold and
c_i = (1, -b_i), the residuals' covariance is c_i'S c_j: a few window sums answer any number of pairs.
"""

from __future__ import annotations

import numpy as np

from event_impact.estimation.window_sums import sum_windows
from event_impact.many.engine import CELLS_PER_BLOCK, EVENTS_PER_BLOCK, EventEstimates, find_typical_values
from event_impact.many.layout import BatchDesign


def correlate_same_ticker(
    design: BatchDesign, estimates: EventEstimates, first: np.ndarray, second: np.ndarray, *, shift: int, fewest: int
) -> tuple[float, int]:
    """Sum of the residual correlations of pairs of events, and the pairs with too few shared sessions.

    Parameters
    ----------
    design, estimates
        The layout and the estimates made from it.
    first, second : int arrays (pairs,)
        Places of the earlier and the later event of each pair, sorted by ticker.
    shift : int
        Sessions from the earlier to the later event, the same for all pairs, below L.
    fewest : int
        Shared usable sessions below which a correlation counts as 0.

    Returns
    -------
    tuple of float and int
    """
    tickers = estimates.ticker_index[first]
    rows = np.unique(tickers)
    edges = np.searchsorted(tickers, rows)
    per_block = max(1, CELLS_PER_BLOCK // design.outcome.shape[1])
    total, short = 0.0, 0
    for cut in range(0, rows.size, per_block):
        stop = edges[cut + per_block] if cut + per_block < rows.size else first.size
        block = slice(edges[cut], stop)
        more, more_short = _correlate_block(
            design, estimates, first[block], second[block], rows[cut : cut + per_block], shift=shift, fewest=fewest
        )
        total, short = total + more, short + more_short
    return total, short


def _correlate_block(
    design: BatchDesign,
    estimates: EventEstimates,
    first: np.ndarray,
    second: np.ndarray,
    rows: np.ndarray,
    *,
    shift: int,
    fewest: int,
) -> tuple[float, int]:
    windows = estimates.windows
    start = estimates.session_index[first] + (windows.estimation_first + shift)
    lead = max(0, -int(start.min()))
    series, usable = _fill_series(design, rows, lead=lead)
    length = windows.n_estimation - shift
    count = sum_windows(usable, length)
    sums = [sum_windows(each, length) for each in series]
    products = {(a, b): sum_windows(series[a] * series[b], length) for a in range(len(series)) for b in range(a + 1)}
    place = np.searchsorted(rows, estimates.ticker_index[first]) * count.shape[1] + (start + lead)
    total, short = 0.0, 0
    for cut in range(0, first.size, EVENTS_PER_BLOCK):
        at = slice(cut, cut + EVENTS_PER_BLOCK)
        shared = count.ravel().take(place[at])
        means = [each.ravel().take(place[at]) / np.maximum(shared, 1.0) for each in sums]
        left, right = (
            [np.ones(shared.size), *(-slope[events[at]] for slope in estimates.slopes)] for events in (first, second)
        )
        own, other, cross = np.zeros(shared.size), np.zeros(shared.size), np.zeros(shared.size)
        for (a, b), table in products.items():
            covariance = table.ravel().take(place[at]) - shared * means[a] * means[b]
            double = 1.0 if a == b else 2.0
            own += double * left[a] * left[b] * covariance
            other += double * right[a] * right[b] * covariance
            cross += (left[a] * right[b] if a == b else left[a] * right[b] + left[b] * right[a]) * covariance
        is_usable = (shared >= fewest) & (own > 0) & (other > 0)
        total += float((cross[is_usable] / np.sqrt(own[is_usable] * other[is_usable])).sum())
        short += int((shared < fewest).sum())
    return total, short


def _fill_series(design: BatchDesign, rows: np.ndarray, *, lead: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Outcome and regressors shifted by typical values, zeros where a session is not usable."""
    parts = [design.outcome[rows], *(x[rows] if x.shape[0] > 1 else x for x in design.regressors)]
    usable = np.ones(parts[0].shape, dtype=bool)
    for part in parts:
        usable &= np.isfinite(part)
    filled = [np.where(usable, part - find_typical_values(part)[:, None], 0.0) for part in parts]
    pad = ((0, 0), (lead, 0))
    return [np.pad(each, pad) for each in filled], np.pad(usable.astype(float), pad)
