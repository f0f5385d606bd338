"""Sign and rank tests of many events: few assumptions on the shape of returns.

Signs: an abnormal return of exactly zero counts as not positive. Ranks: midranks within an
event over the sessions it has; U = rank/(1 + M_i) - 1/2 with M_i ranked sessions, so that an
event with gaps is neither dropped nor filled (Corrado and Zivney 1992).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr

from event_impact.base.result import TestResult, not_computable
from event_impact.many.parametric_tests import SMALLEST_P, SumsOfEvents, normal_result, t_result

EXACT_SIGN_BELOW = 30
EXACT_WILCOXON_UP_TO = 25
EXACT_BITS = 53  # of a double, in which whole numbers are summed
ONE_EVENT = "a rank or sign of one event cannot reach the 5 % level; read the event's own tests"


def sign(car: np.ndarray) -> TestResult:
    """Are gains and losses equally likely? (w - N/2)/sqrt(N/4), exact binomial p below 30 events."""
    return _sign_result("sign", car, 0.5, null="a positive CAR has probability one half")


def generalized_sign(car: np.ndarray, positive_share: float) -> TestResult:
    """Are gains as likely as on estimation days? (w - N p)/sqrt(N p (1 - p)). Cowan (1992).

    Parameters
    ----------
    car : array (events,)
    positive_share : float
        Mean over events of the share of positive estimation residuals.
    """
    null = "a positive CAR is as likely as a positive residual of the estimation window"
    if not 0.0 < positive_share < 1.0:
        return not_computable("generalized_sign", f"the share of positive residuals is {positive_share}", null=null)
    return _sign_result("generalized_sign", car, positive_share, null=null)


def _sign_result(name: str, car: np.ndarray, share: float, *, null: str) -> TestResult:
    n = car.size
    if n < 2:
        return not_computable(name, ONE_EVENT if n else "no event could be used", null=null)
    wins = int((car > 0).sum())
    z = (wins - n * share) / math.sqrt(n * share * (1 - share))
    if n >= EXACT_SIGN_BELOW:
        return normal_result(name, z, null=null, note=f"{wins} of {n} positive")
    below = float(bdtr(wins, n, share))
    above = 1.0 - float(bdtr(wins - 1, n, share)) if wins else 1.0
    p = min(1.0, 2.0 * min(below, above))
    note = f"{wins} of {n} positive; exact p"
    return TestResult(name, null, f"binomial({n}, {share:.4g})", z, max(p, SMALLEST_P), None, note)


def wilcoxon(car: np.ndarray) -> TestResult:
    """Are the CARs symmetric about zero? Signed ranks, zeros dropped; exact p up to 25 events.

    z = (W+ - n(n+1)/4)/sqrt(n(n+1)(2n+1)/24 - ties), without continuity correction. Wilcoxon (1945).
    """
    name, null = "wilcoxon", "the CARs are symmetric about zero"
    values = car[car != 0]
    n = values.size
    if n < 2:
        return not_computable(name, ONE_EVENT if car.size == 1 else f"{n} CARs differ from zero", null=null)
    keys = (np.abs(values).view(np.uint64) << 1) | (
        values > 0
    )  # ordered as the numbers are, the sign of each beside it
    keys.sort()
    first = np.flatnonzero(np.append(True, np.diff(keys >> 1) != 0))
    count = np.diff(first, append=n)
    ranks = first + (count + 1) / 2
    total = float(ranks @ np.add.reduceat(keys & 1, first))
    z = (total - n * (n + 1) / 4) / math.sqrt(float(np.square(ranks) @ count) / 4)
    if n > EXACT_WILCOXON_UP_TO:
        return normal_result(name, z, null=null)
    p = _exact_signed_rank_p(np.repeat(ranks, count), total)
    note = "exact p" + ("; fewer than 6 events cannot reach 5 %" if n < 6 else "")
    return TestResult(name, null, f"signed ranks of {n} events", z, p, None, note)


def _exact_signed_rank_p(ranks: np.ndarray, total: float) -> float:
    """Two-sided p by counting all sign patterns; doubled midranks keep ties whole numbers."""
    doubled = np.rint(2 * ranks).astype(int)
    ways = np.zeros(doubled.sum() + 1)
    ways[0] = 1.0
    for rank in doubled:
        moved = np.zeros_like(ways)
        moved[rank:] = ways[: ways.size - rank]
        ways += moved
    ways /= ways.sum()
    at = round(2 * total)
    return min(1.0, 2.0 * min(float(ways[: at + 1].sum()), float(ways[at:].sum())))


@dataclass(frozen=True)
class RankSums(SumsOfEvents):
    """Sums of U over events for each ranked day; sums of parts add up.

    Attributes
    ----------
    total : array (days,)
        Sum of U over the events that have the day.
    count : array (days,)
        Number of those events.
    last_variance : float
        Sum over events of (M_i - 1)/(12 (M_i + 1)), the variance of one U.
    """

    total: np.ndarray
    count: np.ndarray
    last_variance: float


def rank_days(days: np.ndarray, present: np.ndarray, further: Sequence[np.ndarray]) -> list[RankSums]:
    """Sums of U over days and, after them, further days that every event has: one result for each table of those.

    Parameters
    ----------
    days : array (events, L)
        NaN where an event lacks the day.
    present : int array (events,)
        How many each event has.
    further : sequence of arrays (events, W)
    """
    found: list[RankSums] = []
    counts = np.unique(present)
    for count in counts.tolist():
        rows = slice(None) if counts.size == 1 else present == count
        part = _rank_rows(days[rows], count, [table[rows] for table in further])
        found = [a.merge(b) for a, b in zip(part, found, strict=True)] if found else part
    return found


def _rank_rows(days: np.ndarray, present: int, further: list[np.ndarray]) -> list[RankSums]:
    """:func:`rank_days` of events with equally many days.

    Days and further tables are sorted once. Twice a midrank is one more than the values below and those up to and
    including it: both are counted for every table at once, in fields of one integer, and summed over the events by
    column.
    """
    n, length = days.shape
    widths = [length, *(table.shape[1] for table in further)]
    bits = [(n * width).bit_length() for width in widths]
    if sum(bits) > EXACT_BITS and n > 1:
        halves = [[table[part] for table in (days, *further)] for part in (slice(n // 2), slice(n // 2, None))]
        first, second = (_rank_rows(table, present, more) for table, *more in halves)
        return [a.merge(b) for a, b in zip(first, second, strict=True)]
    shifts = np.cumsum([0, *bits[:-1]])
    units = np.repeat(np.left_shift(1, shifts), widths)
    held = np.full(length, n) if present == length else n - np.isnan(days).sum(axis=0)
    has = np.append(held, np.full(units.size - length, n))
    packed = _sum_places(np.concatenate([days, *further], axis=1), present + units.size - length, units, has)
    places = sum(each >> shifts[:, None] & np.left_shift(1, bits)[:, None] - 1 for each in packed)
    fields, found = np.split(places, np.cumsum(widths[:-1]), axis=1), []
    for at, width in enumerate(widths[1:], 1):
        among, own = (fields[block][0] + fields[block][at] for block in (0, at))
        count, ranked = np.append(held, np.full(width, n)), present + width
        total = 0.5 / (1.0 + ranked) * (np.append(among, own) + count) - 0.5 * count
        found.append(RankSums(total, count, n * (ranked - 1) / (12.0 * (ranked + 1))))
    return found


def _sum_places(values: np.ndarray, kept: int, units: np.ndarray, has: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over rows, by column, of the units of what lies below a value of its row, and of what lies up to it.

    Rows are sorted as integers that carry their column in the lower bits and, above them, how far the value lies
    between the row's extremes. Where two of a row are alike to that precision, the row is sorted by its values.

    Parameters
    ----------
    kept : int
        Values that each row has; the others are NaN.
    has : int array (columns,)
        Values that each column has.
    """
    width = values.shape[1]
    bits = (width - 1).bit_length()
    last = 2 ** (32 - bits) - 1
    low, high = (extreme.reduce(values, axis=1) for extreme in (np.fmin, np.fmax))
    spread = high - low
    scale = np.where(spread > SMALLEST_P * last, (last - 1) / np.where(spread > 0, spread, 1.0), 0.0)
    scaled = values - low[:, None]
    scaled *= scale[:, None]
    if kept < width:
        scaled[np.isnan(scaled)] = last
    keys = scaled.astype(np.int32).view(np.uint32)
    keys <<= bits
    keys |= np.arange(width, dtype=np.uint32)
    keys.sort(axis=1)
    keys = keys[:, :kept]
    close = np.flatnonzero(((keys[:, 1:] ^ keys[:, :-1]) < 2**bits).any(axis=1))
    order = (np.delete(keys, close, axis=0) if close.size else keys).astype(np.int64) & 2**bits - 1
    sums = _sum_by_column(order, np.cumsum(units.take(order), axis=1), width)
    if not close.size:
        return sums - has * units, sums
    below, up_to = _sum_tied_places(values[close], kept, units)
    return below + sums - (has - np.isfinite(values[close]).sum(axis=0)) * units, up_to + sums


def _sum_by_column(order: np.ndarray, weights: np.ndarray, width: int) -> np.ndarray:
    """Sums of whole numbers by the column that they belong to."""
    return np.bincount(order.ravel(), weights=weights.ravel(), minlength=width).astype(np.int64)


def _sum_tied_places(values: np.ndarray, kept: int, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """:func:`_sum_places` of rows in which values may be equal."""
    order = np.argsort(values, axis=1)[:, :kept]  # NaN last
    ordered = np.take_along_axis(values, order, axis=1)
    before, place = np.zeros((len(values), kept + 1), dtype=np.int64), np.arange(kept)
    np.cumsum(units.take(order), axis=1, out=before[:, 1:])
    differs = np.pad(ordered[:, 1:] != ordered[:, :-1], ((0, 0), (1, 1)), constant_values=True)
    first = np.maximum.accumulate(np.where(differs[:, :-1], place, 0), axis=1)
    stop = np.minimum.accumulate(np.where(differs[:, 1:], place + 1, kept)[:, ::-1], axis=1)[:, ::-1]
    below, up_to = (np.take_along_axis(before, to, axis=1) for to in (first, stop))
    return _sum_by_column(order, below, units.size), _sum_by_column(order, up_to, units.size)


def day_rank_statistics(sums: RankSums) -> np.ndarray:
    """Corrado's T for each ranked day: sqrt(N_t) Ubar_t / S, S^2 = mean of N_t Ubar_t^2 over all days.

    Days that no event has are NaN. Corrado (1989); Corrado and Zivney (1992) for the counts.
    """
    present = sums.count > 0
    scaled = np.full(sums.total.shape, np.nan)
    scaled[present] = sums.total[present] / np.sqrt(sums.count[present])
    variance = np.square(scaled[present]).mean() if present.any() else 0.0
    return scaled / math.sqrt(variance) if variance > 0 else np.full(scaled.shape, np.nan)


def cumulative_rank_tests(sums: RankSums, *, n_event: int, n_events: int, name: str) -> tuple[TestResult, TestResult]:
    """Are the ranks of the event days those of ordinary days?

    Sum of the daily T over sqrt(W) (``_plain``, conservative because ranks are drawn without
    replacement), and the same times sqrt((T - 1)/(T - W)) (first result). N(0,1). Corrado (1989);
    the factor follows Luoma and Pynnönen (2010).
    """
    names = (name, f"{name}_plain")
    null = "the event days rank like the estimation days"
    days = int((sums.count > 0).sum())
    statistics = day_rank_statistics(sums)[-n_event:]
    if n_events < 2 or not np.isfinite(statistics).all() or days <= n_event:
        reason = ONE_EVENT if n_events == 1 else "the ranks have no spread" if n_events else "no event could be used"
        return not_computable(names[0], reason, null=null), not_computable(names[1], reason, null=null)
    plain = float(statistics.sum()) / math.sqrt(n_event)
    factor = math.sqrt((days - 1) / (days - n_event))
    note = f"times sqrt((T - 1)/(T - W)), T = {days}"
    return normal_result(names[0], plain * factor, null=null, note=note), normal_result(names[1], plain, null=null)


def grank_tests(sums: RankSums, *, n_events: int) -> tuple[TestResult, TestResult]:
    """Does the standardised CAR rank like an ordinary standardised day?

    The last day of ``sums`` is SCAR / sd(SCAR). Z = Ubar_0/S, S^2 = mean over the T = L + 1 days
    of (n_t/n) Ubar_t^2; ``grank_t`` = Z sqrt((T - 2)/(T - 1 - Z^2)), t(T - 2); ``grank_z`` is
    Ubar_0 over its standard deviation under independence, N(0,1). Kolari and Pynnönen (2011).
    """
    null = "the standardised CARs rank like standardised estimation days"
    present = sums.count > 0
    days = int(present.sum())
    if n_events < 2 or days < 4:
        reason = ONE_EVENT if n_events == 1 else f"needs two events and 3 estimation sessions, found {n_events} events"
        return not_computable("grank_t", reason, null=null), not_computable("grank_z", reason, null=null)
    mean = sums.total[present] / sums.count[present]
    variance = float((sums.count[present] / n_events * np.square(mean)).mean())
    z_independent = float(sums.total[-1]) / math.sqrt(sums.last_variance)
    second = normal_result("grank_z", z_independent, null=null, note="needs independent events")
    z = mean[-1] / math.sqrt(variance) if variance > 0 else math.nan
    room = days - 1 - z * z
    if not room > 0:
        reason = "the event day carries all the spread of the ranks"
        return not_computable("grank_t", reason, null=null), second
    note = "over-rejects a little when daily tails are fat and the window is long"
    return t_result("grank_t", z * math.sqrt((days - 2) / room), days - 2, null=null, note=note), second
