"""Day by day: estimation residuals and abnormal returns of a set of events.

The engine of :mod:`event_impact.many.engine` never looks at single days. Tests that rank days,
count signs or correlate residuals do; they read them here, a few hundred events at a time, so
that a million events need no more memory than that.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from event_impact.many.engine import EventEstimates
from event_impact.many.layout import BatchDesign

EVENTS_AT_ONCE = 512  # their estimation days stay near a processor's own cache
WINDOWS_AT_ONCE = 4_096  # the same, for event windows alone
T = TypeVar("T")


@dataclass(frozen=True)
class EventDays:
    """Days of some events, all of them used ones; each table is read when it is first asked for.

    Attributes
    ----------
    design : BatchDesign
    positions : int array (events,)
        Their places among the estimates.
    estimates : EventEstimates
        The estimates of these events.
    """

    design: BatchDesign
    positions: np.ndarray
    estimates: EventEstimates

    @cached_property
    def residuals(self) -> np.ndarray:
        """Estimation residuals, array (events, L), NaN where a session is not usable."""
        return read_residuals(self.design, self.estimates)

    @cached_property
    def _gaps(self) -> list[np.ndarray]:
        """Event-day regressors less their estimation means, arrays (events, W)."""
        pairs = zip(self.design.regressors, self.estimates.regressor_means, strict=True)
        return [_cut_window(x, mean, self.estimates, is_event=True) for x, mean in pairs]

    @cached_property
    def abnormal(self) -> np.ndarray:
        """Abnormal returns of the event window, array (events, W); complete by construction."""
        if self.estimates.held is not None:
            return self.estimates.held["abnormal"]
        abnormal = _cut_window(self.design.outcome, self.estimates.outcome_mean, self.estimates, is_event=True)
        for slope, gap in zip(self.estimates.slopes, self._gaps, strict=True):
            abnormal -= slope[:, None] * gap
        return abnormal

    @cached_property
    def whitened(self) -> np.ndarray:
        """Array (regressors, events, W): event-day regressors less their estimation means, times the inverse of the
        Cholesky factor of their cross products, so that sums of squares are the regressors' share of C.
        """
        whitened = np.empty((len(self._gaps), self.positions.size, self.estimates.windows.n_event))
        for a, gap in enumerate(self._gaps):
            base = a * (a + 1) // 2
            for m in range(a):
                gap = gap - self.estimates.cholesky[base + m][:, None] * whitened[m]
            whitened[a] = gap / self.estimates.cholesky[base + a][:, None]
        return whitened

    @property
    def _mean_share(self) -> np.ndarray:
        count = self.estimates.n_estimation[:, None]
        return 1.0 / count if self.design.has_intercept else np.zeros(count.shape)

    @property
    def day_factor(self) -> np.ndarray:
        """C_it = 1 + 1/L_i + (x - xbar)'(X_c'X_c)^-1(x - xbar), array (events, W)."""
        if self.estimates.held is not None:
            return self.estimates.held["day_factor"]
        return np.asarray(1.0 + self._mean_share + np.square(self.whitened).sum(axis=0))

    @property
    def cumulative_factor(self) -> np.ndarray:
        """Variance of the CAR from the first event session to each, in units of s^2, (events, W)."""
        if self.estimates.held is not None:
            return self.estimates.held["cumulative_factor"]
        days = np.arange(1, self.abnormal.shape[1] + 1)
        return np.asarray(days + days**2 * self._mean_share + np.square(self.whitened.cumsum(axis=2)).sum(axis=0))

    @property
    def standardised(self) -> np.ndarray:
        """SAR_it = AR_it / (s_i sqrt(C_it)), array (events, W)."""
        return np.asarray(self.abnormal / (self.estimates.residual_std[:, None] * np.sqrt(self.day_factor)))


def read_residuals(design: BatchDesign, chosen: EventEstimates) -> np.ndarray:
    """Estimation residuals of used events, array (events, L), NaN where a session is not usable."""
    if chosen.held is not None:
        return chosen.held["residuals"].copy()
    residuals = _cut_window(design.outcome, chosen.outcome_mean, chosen)
    for slope, x in zip(chosen.slopes, read_estimation_regressors(design, chosen), strict=True):
        x *= slope[:, None]
        residuals -= x
    return residuals


def iterate_event_days(
    design: BatchDesign, estimates: EventEstimates, at_once: int | None = None
) -> Iterator[EventDays]:
    """All used events, a chunk at a time: those with equally many estimation sessions together, then by ticker."""
    positions = np.flatnonzero(estimates.is_used)
    order = np.lexsort((estimates.ticker_index[positions], estimates.n_estimation[positions]))
    positions, size = positions[order], at_once or EVENTS_AT_ONCE
    ordered = estimates.select(positions)
    for cut in range(0, positions.size, size):
        part = slice(cut, cut + size)
        yield EventDays(design, positions[part], ordered.select(part))


def map_event_days(
    design: BatchDesign,
    estimates: EventEstimates,
    task: Callable[[EventDays], T],
    *,
    workers: int = 1,
    at_once: int | None = None,
) -> Iterator[T]:
    """``task`` of every chunk of used events, in order, on some threads; the results do not depend on them."""
    chunks = iterate_event_days(design, estimates, at_once)
    if workers <= 1 or estimates.car.size <= EVENTS_AT_ONCE:
        yield from map(task, chunks)
        return
    with ThreadPoolExecutor(max_workers=workers) as pool:
        yield from pool.map(task, chunks)


def find_event_sessions(estimates: EventEstimates) -> np.ndarray:
    """Places of the event sessions on the calendar, array (events, W)."""
    return estimates.session_index[:, None] + np.arange(estimates.windows.event_first, estimates.windows.event_last + 1)


def count_by_row(is_so: np.ndarray) -> np.ndarray:
    """How many of each row are true, in half the time of a count along an axis."""
    return np.asarray(np.add.reduce(is_so.view(np.uint8), axis=1, dtype=np.int32))


def _cut_window(
    series: np.ndarray, mean: np.ndarray, estimates: EventEstimates, *, is_event: bool = False
) -> np.ndarray:
    """The estimation window of each event, or its event window, less the event's mean; NaN before the calendar begins."""
    windows = estimates.windows
    first, length = windows.estimation_first, windows.n_estimation
    if is_event:
        first, length = windows.event_first, windows.n_event
    start = estimates.session_index + first
    row = estimates.ticker_index if series.shape[0] > 1 else np.zeros_like(start)
    if start.size and start.min() < 0:
        columns = start[:, None] + np.arange(length)
        cut: np.ndarray = series[row[:, None], np.maximum(columns, 0)]
        cut[columns < 0] = np.nan
    else:
        cut = np.lib.stride_tricks.sliding_window_view(series, length, axis=1)[row, start]
    cut -= mean[:, None]
    return cut


def read_estimation_regressors(design: BatchDesign, estimates: EventEstimates) -> Iterator[np.ndarray]:
    """For each regressor, its estimation window less its mean, array (events, L), NaN where it has a gap."""
    for x, mean in zip(design.regressors, estimates.regressor_means, strict=True):
        yield _cut_window(x, mean, estimates)
