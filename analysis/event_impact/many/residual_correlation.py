"""How correlated the abnormal returns of events are that share calendar days (Kolari and Pynnönen 2010).

Events are taken some sessions at a time, beside those whose windows reach in. Events that lack only what the regressors
lack are summed as unit vectors, a product of weights and returns, so that no pair of them is formed and no residual of
them is read but on the days by which two windows differ. Pairs with an event that has gaps of its own are formed. Parts
of the tickers add up: unit vectors are summed, the residuals of events with gaps shown to every part.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

from event_impact.many.engine import EventEstimates, EventWindows
from event_impact.many.layout import BatchDesign

FEWEST_SHARED_SESSIONS = 20  # for a correlation of two events' residuals
SESSIONS_AT_ONCE = 48
PARTNERS_AT_ONCE = 1_024  # of events with gaps: cutting the 600 of a session in two took a fifth longer
FEW_LACKS = 4_096  # cells of a table of gaps, below which it is multiplied as it is
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
    def of(cls, total: float, n: int, windows: EventWindows, n_pairs: int, n_too_short: int) -> Self:
        """From the sum of rho_ij o_ij over pairs of n used events."""
        return cls(2.0 * total / (n * (n - 1.0) * windows.n_event) if n_pairs else 0.0, n_pairs, n_too_short)


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
    return MeanCorrelation.of(total, int(estimates.is_used.sum()), estimates.windows, n_pairs, short)


def sum_pairs(design: BatchDesign, estimates: EventEstimates) -> tuple[float, int]:
    """Sum of rho_ij o_ij over pairs of used events, and how many of them share too few sessions."""
    found = [(0.0, 0)]
    for block in cut_sessions(estimates, find_days(design)):
        events = BlockEvents(design, estimates, block)
        gappy = events.lay_gappy()
        found.append(pair_sums([events.sum_up(gappy)], gappy, block))
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

    def find_gappy(self, near: EventEstimates) -> np.ndarray:
        """Which events of the block have gaps of their own, or were fitted event by event."""
        lacks = near.n_estimation != self.shared[TAIL][near.session_index - self.begin, 0]
        return lacks if near.held is None else np.ones_like(lacks)

    def cut(self, series: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """The columns of the days; ``fill`` before the calendar begins."""
        found = series[:, max(self.first_day, 0) : self.first_day + self.span]
        return np.pad(found, ((0, 0), (max(-self.first_day, 0), 0)), constant_values=fill)


def cut_sessions(estimates: EventEstimates, exists: np.ndarray, most: int = SESSIONS_AT_ONCE) -> list[SessionBlock]:
    """Blocks of the sessions of used events, at ``most`` so many at a time."""
    sessions = np.flatnonzero(np.bincount(estimates.session_index[estimates.is_used]))
    firsts, stop = sessions[0] + np.unique((sessions - sessions[0]) // most) * most, sessions[-1] + 1
    return [SessionBlock(low, min(low + most, stop), estimates.windows, exists) for low in firsts.tolist()]


@dataclass(frozen=True)
class GappyEvents:
    """Events with gaps of their own, over one block, arrays (events, ...) by session.

    Attributes
    ----------
    at, firm : int arrays (events,)
        Their session and ticker.
    residuals, held : arrays (events, columns)
        Residuals on all columns, 0 where there is none, and where there is one.
    """

    at: np.ndarray
    firm: np.ndarray
    residuals: np.ndarray
    held: np.ndarray

    @classmethod
    def merge(cls, parts: Sequence["GappyEvents"]) -> Self:
        """Those of all parts of the tickers."""
        order = np.argsort(np.concatenate([part.at for part in parts]), kind="stable")
        return cls(*(np.concatenate([vars(part)[name] for part in parts])[order] for name in vars(parts[0])))


@dataclass(frozen=True)
class BlockSums:
    """Sums over the events of one part of the tickers, over one block; those of all parts add up.

    Attributes
    ----------
    tails, heads : arrays (sessions, shifts, columns)
        Sums of the unit vectors of events without gaps of their own.
    count, lone : arrays (sessions,)
        Those events, and those with a unit vector.
    total, short : float, int
        Pairs of one firm, less what the unit vectors make of them, and pairs of these with events that have gaps.
    """

    tails: np.ndarray
    heads: np.ndarray
    count: np.ndarray
    lone: np.ndarray
    total: float
    short: int


def pair_sums(parts: Sequence[BlockSums], gappy: GappyEvents, block: SessionBlock) -> tuple[float, int]:
    """All pairs of a block: those of its parts, pairs without gaps of their own, and pairs in which both events have some."""
    part = BlockSums(*(sum(each) for each in zip(*(vars(part).values() for part in parts), strict=True)))
    total, short, own = part.total, part.short, block.own
    for shift in range(block.width):
        later, earlier = slice(own, None), slice(own - shift, block.n_sessions - shift)
        pairs = part.count[later] * (part.count[earlier] if shift else part.count[later] - 1)
        short_pairs = int(pairs[block.shared[HEAD][later, shift] < FEWEST_SHARED_SESSIONS].sum())
        short += short_pairs if shift else short_pairs // 2
        if shift < part.heads.shape[1]:
            cross = float(np.einsum("ij,ij->", part.heads[later, shift], part.tails[earlier, shift]))
            total += (block.width - shift) * (cross if shift else (cross - float(part.lone[later].sum())) / 2.0)
    held, firm = gappy.held.astype(float), gappy.firm
    for at in np.unique(gappy.at[gappy.at >= own]).tolist():
        first, low, high = np.searchsorted(gappy.at, [at - own, at, at + 1])
        here, earlier, columns = slice(low, high), slice(first, high), slice(at, at + block.length)
        tables = (table[rows, columns] for rows in (here, earlier) for table in (gappy.residuals, held))
        found, shared = _correlate_rows(*tables)
        counts = np.tri(high - low, high - first, low - first - 1, bool) & (firm[here, None] != firm[earlier])
        total += float((found * counts * (block.width - at + gappy.at[earlier])).sum())
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
        self.near, self.first_ticker = estimates.select(chosen), first_ticker
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
        self.is_whole = ~block.find_gappy(near)
        self.is_least_squares = design.has_intercept and design.model != "scholes_williams"

    def _residuals(self, first: int, length: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Residuals of the events on ``length`` sessions of their estimation windows, and the regressors there.

        0 where there is none; of events with gaps of their own they mean nothing.
        """
        start = self.at + first

        def cut(series: np.ndarray) -> np.ndarray:
            views = np.lib.stride_tricks.sliding_window_view(series, length, axis=1)
            return np.asarray(views[self.row if len(series) != 1 else 0, start])

        xs = [cut(x) for x in self.xs]
        found = cut(self.y) - self.intercept[:, None]
        for slope, x in zip(self.slopes, xs, strict=True):
            found -= slope[:, None] * x
        if not self.exists.all():
            found *= cut(self.exists[None])
        return found, xs

    @cached_property
    def _ends(self) -> list[tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]]:
        """For tail and head, arrays (events, W): sums of residuals left, of their squares, of their products with each
        regressor, and the inverse length of the deviations from their mean, 0 where too few sessions are left.

        Of events with gaps of their own they mean nothing.
        """
        square, n_shifts = np.square(self.near.residual_std) * self.near.df, min(self.width - 1, self.length)
        total, products = np.zeros(square.size), [np.zeros(square.size)] * len(self.xs)  # those of least squares
        if not self.is_least_squares:
            residuals, xs = self._residuals(0, self.length)
            total, products = residuals.sum(axis=1), [(residuals * x).sum(axis=1) for x in xs]
        found = []
        for side, first in ((TAIL, 0), (HEAD, self.length - n_shifts)):
            edge, xs = self._residuals(first, n_shifts)
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

    def lay_gappy(self) -> GappyEvents:
        """Those with gaps of their own, for the events of all parts."""
        gappy = np.flatnonzero(~self.is_whole)
        return GappyEvents(self.at[gappy], self.near.ticker_index[gappy] + self.first_ticker, *self._lay_out(gappy))

    def sum_up(self, gappy: GappyEvents) -> BlockSums:
        """Sums of these, and their pairs with events of all parts that have gaps."""
        heads = self._sum_units(HEAD)
        tails = heads if self.width == 1 else self._sum_units(TAIL)
        count = np.bincount(self.at[self.is_whole], minlength=self.n_sessions)
        lone = np.bincount(self.at, weights=self._ends[HEAD][3][:, 0] > 0, minlength=self.n_sessions)
        (same, short), (cross, short_cross) = self._sum_same(), self._pair_gappy(gappy)
        return BlockSums(tails, heads, count, lone, same + cross, short + short_cross)

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

    def _pair_gappy(self, others: GappyEvents) -> tuple[float, int]:
        """Pairs of an event without gaps of its own, of these, and one with gaps, of all; those of one firm left out."""
        total, short, whole, n_shifts = 0.0, 0, np.flatnonzero(self.is_whole), min(self.own, self.length)
        starts, places = (np.searchsorted(at, np.arange(self.n_sessions + 1)) for at in (self.at[whole], others.at))
        laid: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for at in np.unique(others.at).tolist() if whole.size else ():
            here, window = slice(places[at], places[at + 1]), slice(at, at + self.length)
            residuals, present = others.residuals[here, window], others.held[here, window].astype(float)
            gaps = np.flatnonzero((self.exists[window] > present).any(axis=0))
            lacks = (self.exists[window] - present)[:, gaps]
            gappy = others.firm[here, None], gaps, csr_array(lacks) if lacks.size > FEW_LACKS else lacks
            tables, edges = (np.square(residuals), present, residuals), (slice(None, None, -1), slice(None))
            # less what is not shared with earlier partners, with later ones
            sums = [[_take_off(x.sum(axis=1), x[:, edge][:, :n_shifts]) for x in tables] for edge in edges]
            near = range(max(at - self.own, 0 if at >= self.own else self.own), min(at + self.width, self.n_sessions))
            cuts = [(cut, starts[k + 1]) for k in near for cut in range(starts[k], starts[k + 1], PARTNERS_AT_ONCE)]
            laid = {cut: laid.get(cut) or self._lay_partners(whole[cut:stop][:PARTNERS_AT_ONCE]) for cut, stop in cuts}
            for partners, table, cross in self._multiply(at, residuals, list(laid.values())) if laid else ():
                partner = int(self.at[partners[0]])
                shift, side = abs(partner - at), HEAD if partner >= at else TAIL
                lost, firm = min(shift, n_shifts), self.near.ticker_index[partners] + self.first_ticker
                ends = [each[partners, lost] for each in self._ends[side][:2]]
                own, held = [each[:, lost] for each in sums[side]], (firm, table[window], ends)
                rho, n_short = _sum_correlations(gappy, own, held, cross)
                total, short = total + (self.width - shift) * rho, short + n_short
        return total, short

    def _multiply(self, at: int, residuals: np.ndarray, laid: list[Any]) -> Iterator[tuple[np.ndarray, ...]]:
        """Laid partners of gappy events of session ``at``, and products of both residuals summed over the shared days.

        Where tickers have several events near, sums are formed once a ticker, and days added or taken off from session
        to session: all events of a ticker have the same outcome.
        """
        window, rows = slice(at, at + self.length), np.concatenate([self.row[partners] for partners, _ in laid])
        is_near = np.bincount(rows, minlength=len(self.y)) > 0
        if rows.size <= 2 * (n := int(is_near.sum())) or any(len(x) > 1 for x in self.xs):
            yield from ((*each, residuals @ each[1][window]) for each in laid)
            return
        series = np.vstack([s[:, window] for s in (self.y[is_near], np.ones((1, self.span)), *self.xs)])
        place, first, stop, sums = np.cumsum(is_near) - 1, 0, 0, np.zeros((len(residuals), len(series)))
        for partners, table in laid:
            shift = int(self.at[partners[0]]) - at
            begin, end = min(max(shift, 0), self.length), self.length + min(max(shift, -self.length), 0)
            for sign, days in ((1, slice(stop, end)), (-1, slice(first, begin))):
                if days.start < days.stop:
                    sums += sign * residuals[:, days] @ series[:, days].T
            first, stop, cross = begin, end, sums.take(place[self.row[partners]], axis=1)
            cross -= sums[:, n:] @ np.vstack([self.intercept[partners], self.slopes[:, partners]])
            yield partners, table, cross

    def _lay_partners(self, partners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Events without gaps of one session, and their residuals by day, on all columns, 0 where there is none."""
        at, row = int(self.at[partners[0]]), self.row[partners]
        window, table = slice(at, at + self.length), np.zeros((self.span, partners.size))
        residuals = table[window]
        self.y_by_day[window].take(row, axis=1, out=residuals, mode="clip")  # spares the check that none lies outside
        residuals -= self.intercept[partners]
        for slope, x in zip(self.slopes, self.xs, strict=True):
            residuals -= x.T[window][:, row if len(x) > 1 else slice(None)] * slope[partners]
        residuals[~self.exists[window]] = 0.0  # no event of the block has these days
        return partners, table

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


def _sum_correlations(
    gappy: tuple[Any, ...], own: list[np.ndarray], others: tuple[Any, ...], cross: np.ndarray
) -> tuple[float, int]:
    """Sum of rho over pairs of gappy events of one session and others of one session, and how many share too little.

    Parameters
    ----------
    gappy : (array (events, 1), int array (gaps,), sparse array (events, gaps))
        Firm, days that some of them lack and others have, and 1 where an event lacks one.
    own : list of arrays (events,)
        Of the days that both windows hold: sum of squares and number of days and sum of the gappy events' residuals.
    others : (array (partners,), array (L, partners), list of arrays (partners,))
        Firm, residuals on the days of the gappy events, and the sums of those and of their squares.
    cross : array (events, partners)
        Summed products of their residuals; overwritten.
    """
    (firm, gaps, lacks), (square, count, total), (other_firm, table, ends) = gappy, own, others
    is_firm, is_enough, size = firm == other_firm, count >= FEWEST_SHARED_SESSIONS, np.maximum(count, 1.0)
    short = int(np.count_nonzero(~is_firm[~is_enough]))
    if not is_enough.any():
        return 0.0, short
    lost = table[gaps]
    sums = ends[0] - lacks @ lost
    squares = ends[1] - lacks @ np.square(lost, out=lost)
    cross -= (total / size)[:, None] * sums
    np.square(sums, out=sums)
    sums /= size[:, None]
    squares -= sums
    np.copyto(squares, np.inf, where=(squares <= 0) | is_firm)
    cross /= np.sqrt(squares, out=squares)
    length = square - np.square(total) / size
    scale = 1.0 / np.sqrt(np.where(is_enough & (length > 0), length, np.inf))
    return float(scale @ cross.sum(axis=1)), short


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
