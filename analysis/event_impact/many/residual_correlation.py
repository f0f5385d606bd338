"""How correlated the abnormal returns of events are that share calendar days (Kolari and Pynnönen 2010).

Events are taken some sessions at a time, beside those whose windows reach in. Events that lack only what the regressors
lack are summed as unit vectors, a product of weights and returns, so that no pair of them is formed and no residual of
them is read but on the days by which two windows differ. Pairs with an event that has gaps of its own are formed. Parts
of the tickers add up: unit vectors are summed, the residuals of events with gaps shown to every part.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from event_impact.many.engine import EventEstimates, EventWindows
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


def mean_correlation(
    design: BatchDesign, estimates: EventEstimates, n_pairs: int, *, workers: int = 1
) -> MeanCorrelation:
    """How correlated are the abnormal returns of events that share event days?

    rho_ij is the correlation of the two events' estimation residuals on the calendar days that
    both estimation windows hold, 1 for two events of one ticker; o_ij counts the calendar days
    that both event windows hold.

    Parameters
    ----------
    n_pairs : int
        Pairs with overlapping event windows; without one there is no correlation, an exact zero, whatever rounding
        makes of lone unit vectors.
    workers : int
        Threads; the number does not depend on it.

    Returns
    -------
    MeanCorrelation
    """
    total, short = sum_pairs(design, estimates, workers) if n_pairs else (0.0, 0)
    return MeanCorrelation.of(total, estimates, n_pairs, short)


def sum_pairs(design: BatchDesign, estimates: EventEstimates, workers: int = 1) -> tuple[float, int]:
    """Sum of rho_ij o_ij over pairs of used events, and how many of them share too few sessions."""

    def sum_block(block: SessionBlock) -> tuple[float, int]:
        events = BlockEvents(design, estimates, block)
        part = events.sum_up()
        (total, short), (more, more_short) = pair_sums(part, block), events.pair_gappy(part)
        return total + more, short + more_short

    with ThreadPoolExecutor(max_workers=workers) as pool:
        found = [(0.0, 0), *pool.map(sum_block, cut_sessions(estimates, find_days(design)))]
    total, short = (sum(each) for each in zip(*found, strict=True))
    return float(total), int(short)


def find_days(design: BatchDesign) -> np.ndarray:
    """The days on which some ticker has an outcome, and some a value of every regressor."""
    series = (design.outcome, *design.regressors)
    return np.asarray(np.logical_and.reduce([np.isfinite(each).any(axis=0) for each in series]))


class SessionBlock:
    """Sessions ``first`` to ``stop - 1`` behind those whose event windows reach in, and the days of their estimation windows.

    An event ``at`` session k of the block has the columns k to k + L - 1 of the days.

    Parameters
    ----------
    exists : bool array (sessions,)
        The days that an event without gaps of its own has.
    """

    def __init__(self, first: int, stop: int, windows: EventWindows, exists: np.ndarray) -> None:
        self.width, self.length = windows.n_event, windows.n_estimation
        self.begin, self.stop, self.own = first - self.width + 1, stop, self.width - 1
        self.n_sessions, self.first_day = stop - self.begin, self.begin + windows.estimation_first
        self.span = self.n_sessions + self.length - 1
        self.exists = self.cut(exists[None], fill=False)[0]
        days = np.append(0, np.cumsum(self.exists))
        k, shift = np.arange(self.n_sessions)[:, None], np.arange(self.width)
        ends = k + np.minimum(shift, self.length), k + self.length - np.minimum(shift, self.length)
        self.shared = days[k + self.length] - days[ends[TAIL]], days[ends[HEAD]] - days[k]

    def cut(self, series: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """The columns of the days; ``fill`` before the calendar begins."""
        found = series[:, max(self.first_day, 0) : self.first_day + self.span]
        return np.pad(found, ((0, 0), (max(-self.first_day, 0), 0)), constant_values=fill)


def cut_sessions(estimates: EventEstimates, exists: np.ndarray, most: int = SESSIONS_AT_ONCE) -> list[SessionBlock]:
    """Blocks of the sessions of used events, at ``most`` so many at a time."""
    sessions = np.unique(estimates.session_index[estimates.is_used])
    firsts, stop = sessions[0] + np.unique((sessions - sessions[0]) // most) * most, sessions[-1] + 1
    return [SessionBlock(low, min(low + most, stop), estimates.windows, exists) for low in firsts.tolist()]


@dataclass(frozen=True)
class BlockPart:
    """What events of one part of the tickers need of those of another, over one block.

    Attributes
    ----------
    tails, heads : arrays (sessions, shifts, columns)
        Sums of the unit vectors of events without gaps of their own.
    count, lone : arrays (sessions,)
        Those events, and those with a unit vector.
    same, short : float, int
        Pairs of one firm, less what the unit vectors make of them.
    at, firm, residuals, held : arrays (gappy events, ...)
        Events with gaps: their session and ticker, residuals on all columns, 0 where there is none, and where there is one.
    """

    tails: np.ndarray
    heads: np.ndarray
    count: np.ndarray
    lone: np.ndarray
    same: float
    short: int
    at: np.ndarray
    firm: np.ndarray
    residuals: np.ndarray
    held: np.ndarray


def merge_parts(parts: Sequence[BlockPart]) -> BlockPart:
    """All parts of a block as one."""
    laid: dict[str, Any] = {name: [vars(part)[name] for part in parts] for name in vars(parts[0])}
    stacked: dict[str, Any] = {name: np.concatenate(laid.pop(name)) for name in ("at", "firm", "residuals", "held")}
    order = np.argsort(stacked["at"], kind="stable")
    summed = {name: sum(each) for name, each in laid.items()}
    return BlockPart(**summed, **{name: each[order] for name, each in stacked.items()})


def pair_sums(part: BlockPart, block: SessionBlock) -> tuple[float, int]:
    """Pairs of one firm, pairs without gaps of their own, and pairs in which both events have some."""
    total, short, own = part.same, part.short, block.own
    for shift in range(block.width):
        later, earlier = slice(own, None), slice(own - shift, block.n_sessions - shift)
        pairs = part.count[later] * (part.count[earlier] if shift else part.count[later] - 1)
        short_pairs = int(pairs[block.shared[HEAD][later, shift] < FEWEST_SHARED_SESSIONS].sum())
        short += short_pairs if shift else short_pairs // 2
        if shift < part.heads.shape[1]:
            cross = float(np.einsum("ij,ij->", part.heads[later, shift], part.tails[earlier, shift]))
            total += (block.width - shift) * (cross if shift else (cross - float(part.lone[later].sum())) / 2.0)
    held = part.held.astype(float)
    for at in np.unique(part.at[part.at >= own]).tolist():
        first, low, high = np.searchsorted(part.at, [at - own, at, at + 1])
        here, earlier, columns = slice(low, high), slice(first, high), slice(at, at + block.length)
        tables = (table[rows, columns] for rows in (here, earlier) for table in (part.residuals, held))
        found, shared = _correlate_rows(*tables)
        counts = (part.firm[here, None] != part.firm[earlier]) & np.tri(high - low, high - first, low - first - 1, bool)
        total += float((found * counts * (block.width - at + part.at[earlier])).sum())
        short += int((shared[counts] < FEWEST_SHARED_SESSIONS).sum())
    return total, short


class BlockEvents:
    """The used events of a block, of all tickers or of a part of them, by session.

    Series are centred on the days of the block, which keeps the digits of data with a large offset.

    Parameters
    ----------
    first_ticker : int
        Number of the first ticker, where these are a part of them.
    """

    def __init__(
        self, design: BatchDesign, estimates: EventEstimates, block: SessionBlock, first_ticker: int = 0
    ) -> None:
        sessions = estimates.session_index
        chosen = np.flatnonzero(estimates.is_used & (sessions >= block.begin) & (sessions < block.stop))
        chosen = chosen[np.lexsort((estimates.ticker_index[chosen], sessions[chosen]))]
        self.block, self.near, self.first_ticker = block, estimates.select(chosen), first_ticker
        near, self.width, self.length, self.own = self.near, block.width, block.length, block.own
        self.n_sessions, self.span, self.exists, self.shared = block.n_sessions, block.span, block.exists, block.shared
        self.at = near.session_index - block.begin
        rows, self.row = np.unique(near.ticker_index, return_inverse=True)
        if np.any((np.diff(self.at) == 0) & (np.diff(near.ticker_index) == 0)):  # twice the same: a row an event
            rows, self.row = near.ticker_index, np.arange(near.car.size)
        self.tickers = rows
        shared = design.regressors if near.held is None else ()
        y, *xs = (block.cut(s) if s.shape[0] == 1 else block.cut(s)[rows] for s in (design.outcome, *shared))
        self.there = np.isfinite(y)
        for x in xs:
            self.there = self.there & np.isfinite(x)
        self.y, y_centre = _centre(np.where(self.there, y, np.nan))
        centred = [_centre(x) for x in xs]
        self.xs, self.slopes = [x for x, _ in centred], near.slopes
        self.intercept = near.outcome_mean - y_centre[self.row]
        for slope, mean, (_, centre) in zip(near.slopes, near.regressor_means, centred, strict=True):
            self.intercept = self.intercept - slope * (mean - centre[self.row if centre.size > 1 else 0])
        self.y_by_day = np.ascontiguousarray(self.y.T)
        self.is_whole = (near.n_estimation == self.shared[TAIL][self.at, 0]) & (near.held is None)
        self.is_least_squares = design.has_intercept and design.model != "scholes_williams"

    def _residuals(self, events: slice, first: int, length: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Residuals of some events on ``length`` sessions of their estimation windows, and the regressors there.

        0 where there is none; of events with gaps of their own they mean nothing.
        """
        start, row = self.at[events] + first, self.row[events]

        def cut(series: np.ndarray) -> np.ndarray:
            views = np.lib.stride_tricks.sliding_window_view(series, length, axis=1)
            return np.asarray(views[row if len(series) != 1 else 0, start])

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
        starts = np.searchsorted(self.at, np.arange(self.n_sessions + 1))
        has = np.diff(starts) > 0

        def add_up(values: np.ndarray) -> np.ndarray:
            found = np.zeros((self.n_sessions, shifts.size))
            found[has] = np.add.reduceat(values, starts[:-1][has], axis=0)
            return found[:, :, None]

        def weigh(values: np.ndarray, series: np.ndarray) -> np.ndarray:
            if series.shape[0] == 1:
                return np.asarray(add_up(values) * series)
            found = np.zeros((self.n_sessions, shifts.size, self.span))
            for k in np.flatnonzero(has):
                events = slice(starts[k], starts[k + 1])
                np.matmul(values[events].T, series.take(self.row[events], axis=0), out=found[k])
            return found

        units = weigh(scale, self.y)
        units -= add_up(scale * (self.intercept[:, None] + total / count))
        for slope, x in zip(self.slopes, self.xs, strict=True):
            units -= weigh(scale * slope[:, None], x)
        k = np.arange(self.n_sessions)[:, None, None]
        low, high = k, k + self.length
        low, high = (low + shifts[:, None], high) if side == TAIL else (low, high - shifts[:, None])
        return np.asarray(units * ((day >= low) & (day < high) & self.exists))

    def sum_up(self) -> BlockPart:
        """What the other events of the block need of these."""
        heads = self._sum_units(HEAD)
        tails = heads if self.width == 1 else self._sum_units(TAIL)
        count = np.bincount(self.at[self.is_whole], minlength=self.n_sessions)
        lone = np.bincount(self.at, weights=self._ends[HEAD][3][:, 0] > 0, minlength=self.n_sessions)
        gappy = np.flatnonzero(~self.is_whole)
        places = self.at[gappy], self.near.ticker_index[gappy] + self.first_ticker
        return BlockPart(tails, heads, count, lone, *self._sum_same(), *places, *self._lay_out(gappy))

    def _sum_same(self) -> tuple[float, int]:
        """Pairs of one firm, which count as 1, less what unit vectors make of them."""
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

    def pair_gappy(self, part: BlockPart) -> tuple[float, int]:
        """Pairs of an event without gaps of its own, of these, and one with gaps, of all; those of one firm left out."""
        total, short, whole = 0.0, 0, np.flatnonzero(self.is_whole)
        starts, mine = (np.searchsorted(at, np.arange(self.n_sessions + 1)) for at in (self.at[whole], part.at))
        for at in np.unique(part.at).tolist() if whole.size else ():
            here, columns = slice(mine[at], mine[at + 1]), slice(at, at + self.length)
            residuals, present = part.residuals[here, columns], part.held[here, columns].astype(float)
            lacks = np.zeros((len(present), self.span))
            lacks[:, columns] = self.exists[columns] - present
            firm = part.firm[here, None] == self.tickers + self.first_ticker
            low, high = max(at - self.own, 0), min(at + self.width, self.n_sessions)
            # tickers of all its partners
            near = np.flatnonzero(np.bincount(self.row[whole[starts[low] : starts[high]]]))
            for partner, sums in self._iterate_partners(at, residuals, present, near):
                if starts[partner] < starts[partner + 1]:
                    partners = whole[starts[partner] : starts[partner + 1]]
                    rho, n_short = self._pair_gappy(at, partners, (firm, lacks, near), sums)
                    total, short = total + rho, short + n_short
        return total, short

    def _lay_out(self, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals of some events on all columns, 0 where there is none, and where there is one."""
        day, row = np.arange(self.span), self.row[events]
        held = (day >= self.at[events, None]) & (day < self.at[events, None] + self.length)
        held &= self.there[row]
        if self.near.held is not None:  # fitted event by event: no slopes give the residuals back
            own, laid = self.near.held["residuals"][events], np.full(held.shape, np.nan)
            np.put_along_axis(laid, self.at[events, None] + np.arange(self.length), own, axis=1)
            return np.nan_to_num(laid), np.isfinite(laid)
        residuals = self.y[row] - self.intercept[events, None]
        for slope, x in zip(self.slopes, self.xs, strict=True):
            residuals -= slope[events, None] * (x[row] if x.shape[0] > 1 else x)
        return residuals * held, held

    def _iterate_partners(
        self, at: int, residuals: np.ndarray, present: np.ndarray, near: np.ndarray
    ) -> Iterator[tuple[int, list[np.ndarray]]]:
        """Sessions whose events pair with gappy ones of one session, and the latter's sums over the shared columns.

        Sums of their residuals, squares and number, and of residuals times the outcome of near tickers and each regressor.
        """
        window = slice(at, at + self.length)
        y = self.y[:, window] if near.size == len(self.y) else self.y[near, window]
        series = [np.ones((1, self.length)), y, *(x[:, window] for x in self.xs)]
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
        self, at: int, partners: np.ndarray, gappy: tuple[np.ndarray, ...], sums: list[np.ndarray]
    ) -> tuple[float, int]:
        """Pairs of the gappy events of session ``at`` with others of one session, weighted by shared event days.

        Parameters
        ----------
        gappy : (bool array (gappy events, rows), array (gappy events, columns), int array)
            The event's own ticker, 1 where it lacks a column that others have, and the rows of the sums' outcome.
        sums : list of arrays
            From :meth:`_iterate_partners`.
        """
        (firm, lacks, near), partner = gappy, int(self.at[partners[0]])
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
        cross = outcome.take(np.searchsorted(near, row), axis=1)
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
