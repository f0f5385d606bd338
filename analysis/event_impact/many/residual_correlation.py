"""How correlated the abnormal returns of events are that share calendar days (Kolari and Pynnönen 2010).

Events are taken some sessions at a time, beside those whose windows reach in. Events that lack only what the regressors
lack are summed as unit vectors, a product of weights and returns, so that no pair of them is formed and no residual of
them is read but on the days by which two windows differ. Pairs with an event that has gaps of its own are formed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from event_impact.many.engine import EventEstimates
from event_impact.many.event_days import has_intercept
from event_impact.many.layout import BatchDesign

FEWEST_SHARED_SESSIONS = 20  # for a correlation of two events' residuals
SESSIONS_AT_ONCE = 48
TAIL, HEAD = 0, 1  # an estimation window without its first sessions, shared with a later event; without its last


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

    @classmethod
    def of(cls, total: float, estimates: EventEstimates, n_pairs: int, n_too_short: int) -> Self:
        """From the sum of rho_ij o_ij over pairs of used events."""
        n = float(estimates.is_used.sum())
        return cls(2.0 * total / (n * (n - 1.0) * estimates.windows.n_event) if n_pairs else 0.0, n_pairs, n_too_short)


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
    total, short = sum_pairs(design, estimates) if n_pairs else (0.0, 0)
    return MeanCorrelation.of(total, estimates, n_pairs, short)


def sum_pairs(design: BatchDesign, estimates: EventEstimates, first: int = 0) -> tuple[float, int]:
    """Sum of rho_ij o_ij over pairs of used events, and how many of them share too few sessions.

    Parameters
    ----------
    first : int
        Only pairs whose later event is of this session or a later one.
    """
    used = np.flatnonzero(estimates.is_used)
    order = used[np.lexsort((estimates.ticker_index[used], estimates.session_index[used]))]
    ordered, width = estimates.select(order), estimates.windows.n_event
    series = (design.outcome, *design.regressors)
    exists = np.logical_and.reduce([np.isfinite(each).any(axis=0) for each in series])
    sessions, total, short = ordered.session_index, 0.0, 0
    for low in range(max(first, int(sessions[0])), int(sessions[-1]) + 1, SESSIONS_AT_ONCE):
        stop = min(low + SESSIONS_AT_ONCE, int(sessions[-1]) + 1)
        start, own, end = np.searchsorted(sessions, [low - width + 1, low, stop])
        if own < end:
            block = _Block(design, ordered.select(slice(start, end)), exists, low, stop)
            for rho, n_short in (block.sum_whole(), block.sum_same(), block.sum_gappy()):
                total, short = total + rho, short + n_short
    return total, short


class _Block:
    """Events of sessions ``low`` to ``stop - 1`` by session, behind those whose event windows reach in.

    Columns of all tables are the calendar days that the estimation windows cover; series are centred there, which
    keeps the digits of data with a large offset. An event ``at`` session k of the block has the columns k to k + L - 1.
    """

    def __init__(self, design: BatchDesign, near: EventEstimates, exists: np.ndarray, low: int, stop: int) -> None:
        windows = near.windows
        self.near, self.width, self.length = near, windows.n_event, windows.n_estimation
        begin = low - self.width + 1
        self.own, self.at = self.width - 1, near.session_index - begin
        self.n_sessions, self.first_day = stop - begin, begin + windows.estimation_first
        self.span = self.n_sessions + self.length - 1
        rows, self.row = np.unique(near.ticker_index, return_inverse=True)
        if np.any((np.diff(self.at) == 0) & (np.diff(near.ticker_index) == 0)):  # twice the same: a row an event
            rows, self.row = near.ticker_index, np.arange(near.car.size)
        self.tickers = rows
        shared = design.regressors if near.held is None else ()
        cut, outside = max(self.first_day, 0), ((0, 0), (max(-self.first_day, 0), 0))
        columns = slice(cut, self.first_day + self.span)
        series = [s if s.shape[0] == 1 else s[rows] for s in (design.outcome, *shared)]
        y, *xs = (np.pad(s[:, columns], outside, constant_values=np.nan) for s in series)
        self.there = np.isfinite(y)
        for x in xs:
            self.there = self.there & np.isfinite(x)
        self.exists = np.pad(exists[columns], outside[1])
        self.y, y_centre = _centre(np.where(self.there, y, np.nan))
        centred = [_centre(x) for x in xs]
        self.xs, self.slopes = [x for x, _ in centred], near.slopes
        self.intercept = near.outcome_mean - y_centre[self.row]
        for slope, mean, (_, centre) in zip(near.slopes, near.regressor_means, centred, strict=True):
            self.intercept = self.intercept - slope * (mean - centre[self.row if centre.size > 1 else 0])
        self.y_by_day = np.ascontiguousarray(self.y.T)
        days = np.append(0, np.cumsum(self.exists))
        k, shift = np.arange(self.n_sessions)[:, None], np.arange(self.width)
        ends = k + np.minimum(shift, self.length), k + self.length - np.minimum(shift, self.length)
        self.shared = days[k + self.length] - days[ends[TAIL]], days[ends[HEAD]] - days[k]
        self.is_whole = (near.n_estimation == self.shared[TAIL][self.at, 0]) & (near.held is None)
        self.is_least_squares = has_intercept(near) and design.model != "scholes_williams"

    def _residuals(self, events: slice, first: int, length: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Residuals of some events on ``length`` sessions of their estimation windows, and the regressors there.

        0 where there is none; of events with gaps of their own they mean nothing.
        """
        start, row = self.at[events] + first, self.row[events]

        def cut(series: np.ndarray) -> np.ndarray:
            views = np.lib.stride_tricks.sliding_window_view(series, length, axis=1)
            return np.asarray(views[row if len(series) > 1 else 0, start])

        xs = [cut(x) for x in self.xs]
        found = cut(self.y) - self.intercept[events, None]
        for slope, x in zip(self.slopes, xs, strict=True):
            found -= slope[events, None] * x
        if not self.exists.all():
            found *= cut(self.exists[None])
        return found, xs

    @cached_property
    def _whole_sums(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Sums of residuals over the estimation window, and of their products with the regressors: 0 in least squares."""
        n = self.near.car.size
        if self.is_least_squares:
            return np.zeros(n), [np.zeros(n)] * len(self.xs)
        residuals, xs = self._residuals(slice(None), 0, self.length)
        return residuals.sum(axis=1), [(residuals * x).sum(axis=1) for x in xs]

    @cached_property
    def _ends(self) -> list[tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]]:
        """For tail and head, arrays (events, W): sums of residuals left, of their squares, of their products with each
        regressor, and the inverse length of the deviations from their mean, 0 where too few sessions are left.

        Of events with gaps of their own they mean nothing.
        """
        total, products = self._whole_sums
        square, n_shifts = np.square(self.near.residual_std) * self.near.df, min(self.width - 1, self.length)
        found = []
        for side, first in ((TAIL, 0), (HEAD, self.length - n_shifts)):
            edge, xs = self._residuals(slice(None), first, n_shifts)
            if side == HEAD:
                edge, xs = edge[:, ::-1], [x[:, ::-1] for x in xs]
            sums, squares = _take_off(total, edge), _take_off(square, np.square(edge))
            count = self.shared[side][self.at, : edge.shape[1] + 1]
            length = squares - np.square(sums) / np.maximum(count, 1)
            is_usable = (count >= FEWEST_SHARED_SESSIONS) & (length > 0) & self.is_whole[:, None]
            scale = 1.0 / np.sqrt(np.where(is_usable, length, np.inf))
            products_left = [_take_off(whole, edge * x) for whole, x in zip(products, xs, strict=True)]
            found.append((sums, squares, products_left, scale))
        return found

    def _sum_units(self, side: int) -> np.ndarray:
        """Sum of the unit vectors of the events without gaps of their own, array (sessions, shifts, columns)."""
        total, _, _, scale = self._ends[side]
        shifts, day = np.arange(scale.shape[1]), np.arange(self.span)
        count = np.maximum(self.shared[side][self.at, : shifts.size], 1)
        starts = np.searchsorted(self.at, np.arange(self.n_sessions))
        has = np.diff(starts, append=self.at.size) > 0

        def add_up(values: np.ndarray) -> np.ndarray:
            found = np.zeros((self.n_sessions, shifts.size))
            found[has] = np.add.reduceat(values, starts[has], axis=0)
            return found[:, :, None]

        def weigh(values: np.ndarray, series: np.ndarray) -> np.ndarray:
            if series.shape[0] == 1:
                return np.asarray(add_up(values) * series)
            weights = np.zeros((self.n_sessions, shifts.size, series.shape[0]))
            weights[self.at, :, self.row] = values
            return np.asarray(weights @ series)

        units = weigh(scale, self.y)
        units -= add_up(scale * (self.intercept[:, None] + total / count))
        for slope, x in zip(self.slopes, self.xs, strict=True):
            units -= weigh(scale * slope[:, None], x)
        k = np.arange(self.n_sessions)[:, None, None]
        low, high = k, k + self.length
        low, high = (low + shifts[:, None], high) if side == TAIL else (low, high - shifts[:, None])
        return np.asarray(units * ((day >= low) & (day < high) & self.exists))

    def sum_whole(self) -> tuple[float, int]:
        """Pairs without gaps of their own, those of one firm among them."""
        heads, total, short = self._sum_units(HEAD), 0.0, 0
        tails = heads if self.width == 1 else self._sum_units(TAIL)
        count = np.bincount(self.at[self.is_whole], minlength=self.n_sessions)
        lone = np.bincount(self.at, weights=self._ends[HEAD][3][:, 0] > 0, minlength=self.n_sessions)
        for shift in range(self.width):
            later, earlier = slice(self.own, None), slice(self.own - shift, self.n_sessions - shift)
            pairs = count[later] * (count[earlier] if shift else count[later] - 1)
            short_pairs = int(pairs[self.shared[HEAD][later, shift] < FEWEST_SHARED_SESSIONS].sum())
            short += short_pairs if shift else short_pairs // 2
            if shift < heads.shape[1]:
                cross = float(np.einsum("ij,ij->", heads[later, shift], tails[earlier, shift]))
                total += (self.width - shift) * (cross if shift else (cross - float(lone[later].sum())) / 2.0)
        return total, short

    def sum_same(self) -> tuple[float, int]:
        """Pairs of one firm, which count as 1, less what :meth:`sum_whole` makes of them."""
        order, total, short = np.lexsort((self.at, self.near.ticker_index)), 0.0, 0
        ticker, at = self.near.ticker_index[order], self.at[order]
        keys = ticker * (self.n_sessions + self.width) + at  # two firms are W apart or more
        for step in range(1, keys.size):
            gap = keys[step:] - keys[:-step]
            if not (gap < self.width).any():
                break
            place = np.flatnonzero((gap < self.width) & (at[step:] >= self.own))
            i, j, shift = order[place + step], order[place], gap[place]
            total += float((self.width - shift).sum())
            is_whole = self.is_whole[i] & self.is_whole[j]
            i, j, shift = i[is_whole], j[is_whole], shift[is_whole]
            shared = self.shared[HEAD][self.at[i], shift]
            short -= int((shared < FEWEST_SHARED_SESSIONS).sum())
            i, j, shift, shared = (each[shared >= FEWEST_SHARED_SESSIONS] for each in (i, j, shift, shared))
            sums, squares, products, scale = self._ends[HEAD]
            cross = squares[i, shift] + (self.intercept[i] - self.intercept[j]) * sums[i, shift]
            for slope, product in zip(self.slopes, products, strict=True):
                cross += (slope[i] - slope[j]) * product[i, shift]
            others = self._ends[TAIL]
            cross -= sums[i, shift] * others[0][j, shift] / shared
            total -= float(((self.width - shift) * scale[i, shift] * others[3][j, shift] * cross).sum())
        return total, short

    def sum_gappy(self) -> tuple[float, int]:
        """Pairs in which an event has gaps of its own, those of one firm left out."""
        total, short, ticker = 0.0, 0, self.near.ticker_index
        gappy, whole = np.flatnonzero(~self.is_whole), np.flatnonzero(self.is_whole)
        filled, held = self._lay_out(gappy)
        starts, mine = (np.searchsorted(self.at[each], np.arange(self.n_sessions + 1)) for each in (whole, gappy))
        for at in np.unique(self.at[gappy]).tolist():
            here, columns = slice(mine[at], mine[at + 1]), slice(at, at + self.length)
            events, residuals, present = gappy[here], filled[here, columns], held[here, columns]
            lacks = np.zeros((events.size, self.span))
            lacks[:, columns] = self.exists[columns] - present
            firm = ticker[events, None] == self.tickers
            for partner, sums in self._iterate_partners(at, residuals, present) if whole.size else ():
                if starts[partner] < starts[partner + 1]:
                    partners = whole[starts[partner] : starts[partner + 1]]
                    rho, n_short = self._pair_gappy(at, partners, (firm, lacks), sums)
                    total, short = total + rho, short + n_short
            if at >= self.own:
                earlier = slice(mine[max(at - self.width + 1, 0)], here.stop)
                found, shared = _correlate_rows(residuals, present, filled[earlier, columns], held[earlier, columns])
                other = gappy[earlier]
                counts = (ticker[events, None] != ticker[other]) & (events[:, None] > other)
                total += float((found * counts * (self.width - at + self.at[other])).sum())
                short += int((shared[counts] < FEWEST_SHARED_SESSIONS).sum())
        return total, short

    def _lay_out(self, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals of some events on all columns, 0 where there is none, and where there is one."""
        day, row = np.arange(self.span), self.row[events]
        held = (day >= self.at[events, None]) & (day < self.at[events, None] + self.length)
        held &= self.there[row]
        if self.near.held is not None:  # fitted event by event: no slopes give the residuals back
            own, laid = self.near.held["residuals"][events], np.full(held.shape, np.nan)
            np.put_along_axis(laid, self.at[events, None] + np.arange(self.length), own, axis=1)
            return np.nan_to_num(laid), np.isfinite(laid).astype(float)
        residuals = self.y[row] - self.intercept[events, None]
        for slope, x in zip(self.slopes, self.xs, strict=True):
            residuals -= slope[events, None] * (x[row] if x.shape[0] > 1 else x)
        return residuals * held, held.astype(float)

    def _iterate_partners(
        self, at: int, residuals: np.ndarray, present: np.ndarray
    ) -> Iterator[tuple[int, list[np.ndarray]]]:
        """Sessions whose events pair with gappy ones of one session, and the latter's sums over the shared columns.

        Sums of their residuals, squares and number, and of residuals times the outcome of each ticker and each regressor.
        """
        window = slice(at, at + self.length)
        series = [np.ones((1, self.length)), self.y[:, window], *(x[:, window] for x in self.xs)]
        whole = [np.square(residuals).sum(axis=1), present.sum(axis=1), *(residuals @ each.T for each in series)]
        for step in (1, -1):
            sums = [each.copy() for each in whole]
            last = min(self.n_sessions - 1 - at, self.width - 1) if step == 1 else min(at, self.width - 1)
            for shift in range(last + 1):
                if 0 < shift <= self.length:
                    day = shift - 1 if step == 1 else self.length - shift
                    lost = residuals[:, day]
                    sums[0] -= lost * lost
                    sums[1] -= present[:, day]
                    for total, each in zip(sums[2:], series, strict=True):
                        total -= lost[:, None] * each[:, day]
                if max(at, at + step * shift) >= self.own and (shift or step == 1):
                    yield at + step * shift, sums

    def _pair_gappy(
        self, at: int, partners: np.ndarray, gappy: tuple[np.ndarray, np.ndarray], sums: list[np.ndarray]
    ) -> tuple[float, int]:
        """Pairs of the gappy events of session ``at`` with others of one session, weighted by shared event days.

        Parameters
        ----------
        gappy : (bool array (gappy events, rows), array (gappy events, columns))
            The event's own ticker, and 1 where it lacks a column that others have.
        sums : list of arrays
            From :meth:`_iterate_partners`.
        """
        (firm, lacks), partner = gappy, int(self.at[partners[0]])
        shift, side = abs(partner - at), HEAD if partner >= at else TAIL
        square, count, total, outcome, *regressors = sums
        is_enough, row = count >= FEWEST_SHARED_SESSIONS, self.row[partners]
        short = 0 if is_enough.all() else int((partners.size - firm[:, row].sum(axis=1))[~is_enough].sum())
        if not is_enough.any():
            return 0.0, short
        first, stop = max(at, partner), min(at, partner) + self.length
        gaps = first + np.flatnonzero(lacks[:, first:stop].any(axis=0))
        lacked, size = lacks[:, gaps], np.maximum(count, 1.0)[:, None]
        lost = self.y_by_day[gaps].take(row, axis=1)
        lost -= self.intercept[partners]
        cross = outcome.take(row, axis=1)
        cross -= total * self.intercept[partners]
        for slope, x, product in zip(self.slopes, self.xs, regressors, strict=True):
            own = row if len(x) > 1 else slice(None)
            lost -= x.T[gaps][:, own] * slope[partners]
            cross -= product[:, own] * slope[partners]
        sums_j = self._ends[side][0][partners, shift] - lacked @ lost
        length = self._ends[side][1][partners, shift] - lacked @ np.square(lost, out=lost)
        cross -= total / size * sums_j
        length -= np.square(sums_j, out=sums_j) / size
        np.copyto(length, np.inf, where=(length <= 0) | firm[:, row])
        left = square - np.square(total[:, 0]) / size[:, 0]
        scale = 1.0 / np.sqrt(np.where(is_enough & (left > 0), left, np.inf))
        cross /= np.sqrt(length, out=length)
        return (self.width - shift) * float(scale @ cross.sum(axis=1)), short


def _centre(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows less their mean, 0 where there is none, and the means."""
    known = np.isfinite(series)
    filled = np.where(known, series, 0.0)
    mean = filled.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known, filled - mean[:, None], 0.0), mean


def _take_off(whole: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """A sum without none, one, two, ... of its first terms."""
    return np.asarray(np.subtract.accumulate(np.column_stack([whole, edge]), axis=1))


def _correlate_rows(
    a: np.ndarray, held_a: np.ndarray, b: np.ndarray, held_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of rows of one table with rows of another over the columns both hold, and the number of those."""
    shared = held_a @ held_b.T
    size = np.maximum(shared, 1.0)
    sum_a, sum_b = a @ held_b.T, held_a @ b.T
    square_a = np.square(a) @ held_b.T - sum_a**2 / size
    square_b = held_a @ np.square(b).T - sum_b**2 / size
    scale = np.sqrt(np.maximum(square_a, 0.0) * np.maximum(square_b, 0.0))
    rho = (a @ b.T - sum_a * sum_b / size) / np.where(scale > 0, scale, 1.0)
    return np.where((shared >= FEWEST_SHARED_SESSIONS) & (scale > 0), rho, 0.0), shared
