"""Sign and rank tests of many events: few assumptions on the shape of returns.

Signs: an abnormal return of exactly zero counts as not positive. Ranks: midranks within an
event over the sessions it has; U = rank/(1 + M_i) - 1/2 with M_i ranked sessions, so that an
event with gaps is neither dropped nor filled (Corrado and Zivney 1992).
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import bdtr

from event_impact.base.result import TestResult, not_computable
from event_impact.many.parametric_tests import SMALLEST_P, SumsOfEvents, normal_result, t_result

EXACT_SIGN_BELOW = 30
EXACT_WILCOXON_UP_TO = 25
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
    ranks = rank_values(np.abs(values))
    total = float(ranks[values > 0].sum())
    z = (total - n * (n + 1) / 4) / math.sqrt(float(np.square(ranks).sum()) / 4)
    if n > EXACT_WILCOXON_UP_TO:
        return normal_result(name, z, null=null)
    p = _exact_signed_rank_p(ranks, total)
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


def rank_values(values: np.ndarray) -> np.ndarray:
    """Midranks 1..n of finite values."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2.0)[place]


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


@dataclass(frozen=True)
class RankedDays:
    """Days of some events, ranked once; other days are then placed among them.

    Attributes
    ----------
    doubled : int array (events, days)
        Twice the midrank within the event, 0 where the value is missing.
    ordered : array (events, days)
        The values of each event by size, missing ones last.
    """

    doubled: np.ndarray
    ordered: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Rank along each row, missing values left out."""
        n, days = values.shape
        order = np.argsort(values, axis=1)  # NaN last
        ordered = np.sort(values, axis=1)
        kind = np.int16 if days < 10_000 else np.int32  # of doubled ranks, further days among them
        place = np.arange(days, dtype=kind)
        twice = np.broadcast_to(2 * place + 2, (n, days))
        is_tied = ordered[:, 1:] == ordered[:, :-1]
        if is_tied.any():
            first, stop = np.tile(place, (n, 1)), np.tile(place + 1, (n, 1))
            first[:, 1:][is_tied], stop[:, :-1][is_tied] = 0, days
            stop = np.minimum.accumulate(stop[:, ::-1], axis=1)[:, ::-1]
            twice = np.maximum.accumulate(first, axis=1) + 1 + stop
        doubled = np.empty((n, days), dtype=kind)
        np.put_along_axis(doubled, order, twice, axis=1)
        if np.isnan(ordered[:, -1]).any():
            doubled[np.isnan(values)] = 0
        return cls(doubled, ordered)

    def place(self, values: np.ndarray) -> RankSums:
        """Sums of U over the ranked days and, after them, further days (events, W) that every event has."""
        low = self._count_below(values, np.less)
        nearest = np.take_along_axis(self.ordered, np.minimum(low, self.ordered.shape[1] - 1), axis=1)
        high = self._count_below(values, np.less_equal) if (nearest == values).any() else low
        passed = np.zeros(self.doubled.shape, dtype=np.int8 if values.shape[1] < 64 else self.doubled.dtype)
        for below in (low, high):
            for day in (2 * below).T.astype(self.doubled.dtype):
                passed += (self.doubled > day[:, None]).view(np.int8)
        own = np.stack(
            [(values < each[:, None]).sum(axis=1) + (values <= each[:, None]).sum(axis=1) for each in values.T]
        )
        present = self.doubled > 0
        ranked = present.sum(axis=1) + values.shape[1]
        share = 0.5 / (1.0 + ranked)
        count = np.append(present.sum(axis=0), np.full(values.shape[1], len(values)))
        among = np.einsum("i,ij->j", share, self.doubled + passed)
        total = np.append(among, np.einsum("i,ij->j", share, own.T + 1 + low + high))
        return RankSums(total - 0.5 * count, count, float(((ranked - 1) / (12.0 * (ranked + 1))).sum()))

    def _count_below(self, values: np.ndarray, is_below: np.ufunc) -> np.ndarray:
        """How many ranked days of its event lie below each value, by bisection."""
        days = self.ordered.shape[1]
        found = np.zeros(values.shape, dtype=np.int64)
        rows = np.arange(len(values))[:, None] * days - 1
        for step in 2 ** np.arange(days.bit_length())[::-1]:
            probe = found + step
            reached = is_below(self.ordered.ravel().take(rows + np.minimum(probe, days)), values) & (probe <= days)
            found = np.where(reached, probe, found)
        return found


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
