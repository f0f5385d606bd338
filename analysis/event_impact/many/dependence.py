"""Events that share calendar days: how much, how correlated, and tests that allow for it."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from event_impact.base.result import TestResult, not_computable
from event_impact.many.engine import EventEstimates
from event_impact.many.parametric_tests import NULL_CAAR, mean_t, t_result

FULL_LEVERAGE = 1.0 - 1e-8
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
    ticker, session = (each[used].astype(np.int64) for each in (estimates.ticker_index, estimates.session_index))
    windows = estimates.windows
    if ticker.size == 0:
        return Overlap(0, 0, 0, 0, 0, 0)
    per_session = np.bincount(session)
    pairs = int((per_session * (per_session - 1) // 2).sum())
    for shift in range(1, min(windows.n_event, per_session.size)):
        pairs += int((per_session[:-shift] * per_session[shift:]).sum())
    spread = int(session.max()) - windows.estimation_first + windows.n_event + 1  # no window reaches another firm
    keys = ticker * spread + session
    keys.sort()
    gaps = int((np.searchsorted(keys, keys + windows.n_event) - np.arange(1, keys.size + 1)).sum())
    # the last of all keys where there is none before
    before = keys[np.searchsorted(keys, keys + windows.estimation_last, "right") - 1]
    is_inside = (before >= keys + windows.estimation_first) & (before <= keys + windows.estimation_last)
    return Overlap(
        n_sessions=int((per_session > 0).sum()), n_tickers=int(np.count_nonzero(np.bincount(ticker))),
        n_sharing_session=int(per_session[per_session > 1].sum()), n_pairs=pairs, n_same_firm_pairs=gaps,
        n_in_estimation=int(is_inside.sum()),
    )  # fmt: skip


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
    place, sessions = pd.factorize(session_index, sort=True)
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


def dependence_factor(mean_correlation: float, n: int) -> float:
    """What shared days do to the standard error of the mean of n CARs; never below 1."""
    if mean_correlation >= 1.0:
        return math.inf
    return max(1.0, math.sqrt(max(1.0 + (n - 1) * mean_correlation, 0.0) / (1.0 - mean_correlation)))


def calendar_time_t(portfolio: np.ndarray, *, inflation: float = 1.0) -> TestResult:
    """Do the events earn an abnormal return per calendar day? mean / (sd sqrt(inflation / D)), t(D - 1).

    ``portfolio`` holds, for each of the D calendar sessions that lie in some event's window, the
    equally weighted abnormal return of the events that are in theirs. ``inflation`` is the mean of
    1'C_i 1 / W: estimation error moves all days of an event together, which the spread between
    days cannot show. Jaffe (1974); Mandelker (1974).
    """
    null = "the mean daily abnormal return of the portfolio of firms in their event window is zero"
    flat, note = "the portfolio's returns have no spread", f"variance times {inflation:.4g} for the estimation error"
    return mean_t("calendar_time_t", portfolio, "calendar sessions", flat, null, inflation=inflation, note=note)


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
    error = math.sqrt(float(hc3_covariance(x, portfolio - x @ beta, inverse)[0, 0]))
    if not error > 0:
        reason = "the portfolio's returns have no spread, or one session alone decides a coefficient"
        return not_computable(name, reason, null=null)
    return t_result(
        name, float(beta[0]) / error, df, null=null, note=f"alpha {beta[0]:.6g} a day over {portfolio.size} days"
    )


def hc3_covariance(x: np.ndarray, residual: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Covariance of least-squares coefficients by MacKinnon and White (1985); not finite where one row decides alone."""
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
    bread = x @ inverse * (residual / np.where(leverage > FULL_LEVERAGE, np.nan, 1.0 - leverage))[:, None]
    return np.asarray(bread.T @ bread)


def ibragimov_mueller_t(car: np.ndarray, block: np.ndarray) -> TestResult:
    """Do the mean CARs of blocks of dates agree on zero? t of the block means, t(G - 1).

    Whatever the dependence within blocks; conservative where blocks differ in variance. Events of small blocks
    count for more than in the CAAR. Ibragimov and Müller (2010).
    """
    means, of = np.bincount(block, weights=car) / np.bincount(block), "blocks of dates that differ"
    null, flat = "the mean CAR of every block of dates is zero", f"needs at least 2 {of}, found {means.size}"
    return mean_t("ibragimov_mueller_t", means, of, flat, null, note=f"{means.size} blocks")


def cluster_covariance(
    x: np.ndarray, residual: np.ndarray, ticker: np.ndarray, block: np.ndarray
) -> tuple[np.ndarray, tuple[int, int], str]:
    """Covariance of least-squares coefficients, clustered by firm plus by block less by both, the clusters, and a note.

    Each part with G/(G - 1); where the two-way variance of a coefficient is not positive, the larger one-way part
    stands in for all, and the note says so. Cameron, Gelbach and Miller (2011).
    """
    labels = [pd.factorize(each, sort=True)[0] for each in (ticker, block)]
    labels.append(pd.factorize(labels[0] * (labels[1].max(initial=0) + 1) + labels[1])[0])
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
