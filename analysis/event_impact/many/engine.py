"""Abnormal returns of very many events at once.

For each event the engine estimates a linear model over the estimation window and cumulates the
abnormal returns of the event window, from window sums of the series and their products
(:mod:`event_impact.estimation.running_sums`). The cost is O(tickers x sessions) plus a few dozen
array operations an event, whatever the length of the windows. Nothing is dropped: an event that
cannot be estimated keeps its place and carries a reason.

Everything here is a pure function of arrays. The numbers of an event depend on its ticker's
series and the regressors only, so that any partition of the tickers gives the same numbers.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np

from event_impact.base.errors import ConfigError, EstimationError
from event_impact.estimation.running_sums import sum_windows
from event_impact.many.layout import BatchDesign

USABLE_SHARE = 0.9  # of the estimation sessions
DEGENERATE_SHARE = 1e-12  # of a raw sum of squares: below it only rounding is left
COLLINEAR_SHARE = 1e-10  # of a regressor's variation that the other regressors leave
CELLS_PER_BLOCK = 131_072  # ticker-sessions worked on together: measured best from 32 thousand to 262 thousand
EVENTS_PER_BLOCK = 65_536

USED = 0
UNKNOWN_TICKER = 1
UNKNOWN_SESSION = 2
OUTSIDE_CALENDAR = 3
TOO_FEW_SESSIONS = 4
MISSING_EVENT_SESSION = 5
DEPENDENT_REGRESSORS = 6
NO_RESIDUAL_VARIANCE = 7
NOT_FITTED = 8


@dataclass(frozen=True)
class EventWindows:
    """The two windows in rel_sessions, both ends included.

    Attributes
    ----------
    estimation_first, estimation_last : int
        The estimation window, before the event window.
    event_first, event_last : int
        The event window.
    usable_share : float
        Share of the estimation sessions that an event needs.
    """

    estimation_first: int = -260
    estimation_last: int = -11
    event_first: int = -1
    event_last: int = 1
    usable_share: float = USABLE_SHARE

    def __post_init__(self) -> None:
        if self.estimation_first > self.estimation_last or self.event_first > self.event_last:
            raise ConfigError("A window must end after it begins.", "Write it as first:last, for example -260:-11.")
        if self.estimation_last >= self.event_first:
            raise ConfigError(
                f"The estimation window ends at {self.estimation_last}, the event window begins at {self.event_first}.",
                "Choose an estimation window that ends before the event window begins.",
            )
        if not 0 < self.usable_share <= 1:
            raise ConfigError(f"A usable share of {self.usable_share} is not above 0 and at most 1.", "Write 0.9.")

    @property
    def n_estimation(self) -> int:
        """Length L of the estimation window."""
        return self.estimation_last - self.estimation_first + 1

    @property
    def n_event(self) -> int:
        """Length W of the event window."""
        return self.event_last - self.event_first + 1

    def count_needed(self, n_parameters: int) -> int:
        """Usable estimation sessions that an event needs: max(K + 2, share of L)."""
        return max(n_parameters + 2, math.ceil(self.usable_share * self.n_estimation - 1e-9))


@dataclass(frozen=True)
class EventEstimates:
    """Model and cumulative abnormal return of each event, in the order the events were given.

    Attributes
    ----------
    ticker_index, session_index : int arrays (events,)
        Row and column of the event session in the panel; -1 where unknown.
    reason : int8 array (events,)
        ``USED``, or the code of why the event cannot be used.
    n_estimation : int32 array (events,)
        Usable estimation sessions L_i.
    car : array (events,)
        Cumulative abnormal return of the event window.
    residual_std : array (events,)
        s_i, with L_i - K degrees of freedom.
    car_factor : array (events,)
        1'C_i 1 = W + W^2/L_i + d'(X_c'X_c)^-1 d, d the summed deviations of the regressors from
        their estimation means: the variance of the CAR in units of s_i^2.
    outcome_mean : array (events,)
        Estimation mean of the outcome (0 without an intercept).
    slopes, regressor_means : arrays (regressors, events)
        Estimated slopes and the estimation means of the regressors.
    cholesky : array (regressors (regressors + 1) / 2, events)
        Lower factor of X_c'X_c, row by row.
    windows : EventWindows
    n_parameters : int or int array (events,)
        K.
    model : str
    told : array (events,) of str, optional
        Why a model that is fitted event by event could not be.
    controls : array (events,) of tuples of str, optional
        The tickers that explain the event's own beside the benchmark.
    held : dict of str to arrays (events, ...), optional
        Days of a model that is fitted event by event, which no slopes give back; NaN where an event is not used:
        ``residuals`` (events, L), NaN where a session is not usable; ``abnormal``, ``day_factor`` and
        ``cumulative_factor`` (events, W), the last two the forecast variance of each day and of the CAR up to it in units
        of s_i^2; ``conformal`` (events, 1), p of an event window of one session after a refit with it.
    """

    ticker_index: np.ndarray
    session_index: np.ndarray
    reason: np.ndarray
    n_estimation: np.ndarray
    car: np.ndarray
    residual_std: np.ndarray
    car_factor: np.ndarray
    outcome_mean: np.ndarray
    slopes: np.ndarray
    regressor_means: np.ndarray
    cholesky: np.ndarray
    windows: EventWindows
    n_parameters: int | np.ndarray
    model: str = ""
    told: np.ndarray | None = None
    controls: np.ndarray | None = None
    held: dict[str, np.ndarray] | None = None

    @property
    def is_used(self) -> np.ndarray:
        """Which events have an estimate."""
        return np.asarray(self.reason == USED)

    @property
    def df(self) -> np.ndarray:
        """Degrees of freedom L_i - K."""
        return self.n_estimation - self.n_parameters

    @property
    def car_std_error(self) -> np.ndarray:
        """Standard error of the CAR with the whole forecast covariance; s_i sqrt(W) where the model has no error."""
        return np.asarray(self.residual_std * np.sqrt(self.car_factor))

    @property
    def scar(self) -> np.ndarray:
        """CAR over its standard error: t with L_i - K degrees of freedom under normal errors."""
        return np.asarray(self.car / self.car_std_error)

    @property
    def intercept(self) -> np.ndarray:
        """Estimated intercepts."""
        return np.asarray(self.outcome_mean - (self.slopes * self.regressor_means).sum(axis=0))

    def select(self, positions: np.ndarray | slice) -> Self:
        """The same estimates for some of the events."""
        tables = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        n = self.car.size  # a model that was not kept has no events
        parts: dict[str, Any] = {k: v[..., positions] for k, v in tables.items() if v.shape[-1] == n}
        return replace(self, **parts, held=self.held and {k: v[positions] for k, v in self.held.items()})


@dataclass(frozen=True)
class _Sums:
    """Window sums of a block of tickers; rows may be one for all where tickers share them."""

    running_count: np.ndarray
    x: list[np.ndarray]
    xx: list[np.ndarray]
    y: np.ndarray
    xy: list[np.ndarray]
    yy: np.ndarray
    event_x: list[np.ndarray]
    event_y: np.ndarray


def estimate_events(
    design: BatchDesign,
    ticker_index: np.ndarray,
    session_index: np.ndarray,
    *,
    windows: EventWindows,
    workers: int = 1,
    keep_model: bool = True,
) -> EventEstimates:
    """Estimate the model of every event and cumulate its abnormal returns.

    Parameters
    ----------
    design : BatchDesign
        Outcome and regressors, from :func:`event_impact.many.layout.lay_out_model`.
    ticker_index, session_index : int arrays (events,)
        Row and column of each event session; a negative number marks an unknown one.
    windows : EventWindows
    workers : int
        Threads; the numbers do not depend on it.
    keep_model : bool
        Also keep means, slopes and Cholesky factors, which :mod:`event_impact.many.event_days`
        needs; without them those four are empty and the engine is a little faster.

    Returns
    -------
    EventEstimates

    Raises
    ------
    EstimationError
        If rounding has eaten a residual sum of squares, which no sensible input does.

    Notes
    -----
    With an intercept, b = (X_c'X_c)^-1 X_c'y_c, s^2 = (y_c'y_c - b'X_c'y_c)/(L - K),
    CAR = sum(y - ybar) - b' sum(x - xbar), all sums over usable sessions. Series are first
    shifted by a typical value of their own, which changes no abnormal return and keeps all digits
    of data with a large offset. MacKinlay (1997); Salinger (1992) for the variance.
    """
    tickers = np.asarray(ticker_index, dtype=np.int64)
    sessions = np.asarray(session_index, dtype=np.int64)
    if tickers.shape != sessions.shape or tickers.ndim != 1:
        raise ValueError("ticker_index and session_index must be one-dimensional and of one length.")
    output = lay_out_estimates(design, tickers, sessions, windows=windows, keep_model=keep_model)
    blocks = _split_into_blocks(design, output)
    with ThreadPoolExecutor(max_workers=workers) if workers > 1 < len(blocks) else nullcontext() as pool:
        for _ in (pool.map if pool else map)(lambda block: _estimate_block(design, output, *block), blocks):
            pass
    return output


def find_typical_values(series: np.ndarray, *, looked_at: int = 101) -> np.ndarray:
    """A typical finite value of each row, insensitive to a few absurd ones; 0 for an empty row."""
    step = max(1, series.shape[1] // looked_at)
    ordered = np.sort(series[:, ::step], axis=1)  # NaN last
    finite = np.isfinite(ordered).sum(axis=1)
    typical = ordered[np.arange(series.shape[0]), finite // 2 - (finite // 2 >= finite)]
    return np.where(finite > 0, typical, 0.0)


def lay_out_estimates(
    design: BatchDesign, tickers: np.ndarray, sessions: np.ndarray, *, windows: EventWindows, keep_model: bool
) -> EventEstimates:
    """Empty estimates; events that their place alone rules out are marked."""
    n, j = tickers.size, len(design.regressors)
    kept = n if keep_model else 0
    one, stack = partial(np.full, fill_value=np.nan), j * (j + 1) // 2
    output = EventEstimates(
        ticker_index=tickers, session_index=sessions, reason=np.zeros(n, np.int8),
        n_estimation=np.zeros(n, np.int32), car=one(n), residual_std=one(n), car_factor=one(n),
        outcome_mean=one(kept), slopes=one((j, kept)), regressor_means=one((j, kept)),
        cholesky=one((stack, kept)), windows=windows, n_parameters=design.n_parameters, model=design.model,
    )  # fmt: skip
    reason, shape = output.reason, design.outcome.shape
    if not n:
        return output
    if sessions.min() < max(0, -windows.event_first) or sessions.max() >= shape[1] - max(0, windows.event_last):
        leaves = (sessions + windows.event_first < 0) | (sessions + windows.event_last >= shape[1])
        reason[leaves] = OUTSIDE_CALENDAR
        reason[(sessions < 0) | (sessions >= shape[1])] = UNKNOWN_SESSION
    if tickers.min() < 0 or tickers.max() >= shape[0]:
        reason[(tickers < 0) | (tickers >= shape[0])] = UNKNOWN_TICKER
    return output


def _split_into_blocks(
    design: BatchDesign, output: EventEstimates
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Cut the work into (tickers, positions of their events, usable sessions they all share).

    Tickers that have a return wherever the regressors exist share the sums of the regressors.
    """
    n_tickers, n_sessions = design.outcome.shape
    shared = np.ones(n_sessions, dtype=bool)
    can_share = all(regressor.shape[0] == 1 for regressor in design.regressors)
    for regressor in design.regressors:
        shared &= np.isfinite(regressor[0])
    is_whole = np.full(n_tickers, can_share)
    if can_share:
        is_whole = ((np.isfinite(design.outcome) & shared) == shared).all(axis=1)
    rank = np.empty(n_tickers + 1, dtype=np.uint16 if n_tickers < 65_000 else np.int64)
    rows = np.concatenate([np.flatnonzero(is_whole), np.flatnonzero(~is_whole)])
    rank[rows] = np.arange(n_tickers)
    rank[n_tickers] = n_tickers  # a bin at the end for events that have no place
    placed = output.reason == USED
    keys = rank[output.ticker_index] if placed.all() else rank[np.where(placed, output.ticker_index, n_tickers)]
    order = np.argsort(keys, kind="stable")
    edges = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=n_tickers + 1))])
    per_block = max(1, CELLS_PER_BLOCK // max(1, n_sessions))
    blocks = []
    n_whole = int(is_whole.sum())
    for first, stop, common in ((0, n_whole, shared), (n_whole, n_tickers, None)):
        used = first + np.flatnonzero(np.diff(edges[first : stop + 1]))
        for cut in range(0, used.size, per_block):
            part = used[cut : cut + per_block]
            blocks.append((rows[part], np.concatenate([order[edges[k] : edges[k + 1]] for k in part]), common))
    return blocks


def _estimate_block(
    design: BatchDesign, output: EventEstimates, rows: np.ndarray, events: np.ndarray, shared: np.ndarray | None
) -> int:
    windows = output.windows
    lead = max(0, windows.n_estimation - windows.count_needed(design.n_parameters))
    sums, shifts = _sum_block(design, rows, windows=windows, lead=lead, shared=shared)
    local = np.zeros(int(rows.max()) + 1, dtype=np.int64)
    local[rows] = np.arange(rows.size)
    for cut in range(0, events.size, EVENTS_PER_BLOCK):
        chunk = events[cut : cut + EVENTS_PER_BLOCK]
        row = local[output.ticker_index[chunk]]
        at = output.session_index[chunk]
        start = at + (windows.estimation_first + lead)
        has_room = start >= 0
        if not has_room.all():
            early = chunk[~has_room]
            output.reason[early] = TOO_FEW_SESSIONS
            stop = np.maximum(at[~has_room] + windows.estimation_last + 1, 0)
            output.n_estimation[early] = sums.running_count[row[~has_room] % sums.running_count.shape[0], stop]
            chunk, row, at, start = chunk[has_room], row[has_room], at[has_room], start[has_room]
        if chunk.size:
            _solve(
                sums, shifts, output, chunk, row=row, start=start, event_start=at + windows.event_first, design=design
            )
    return events.size


def _sum_block(
    design: BatchDesign, rows: np.ndarray, *, windows: EventWindows, lead: int, shared: np.ndarray | None
) -> tuple[_Sums, tuple[np.ndarray, list[np.ndarray]]]:
    """Window sums of shifted series; sessions that lack anything contribute nothing but a lower count."""
    outcome = design.outcome[rows]
    series = design.regressors if design.instrument is None else (*design.regressors, design.instrument)
    regressors = [x[rows] if x.shape[0] > 1 else x for x in series]
    if shared is not None:
        usable = shared[None, :]
    else:
        usable = np.isfinite(outcome)
        for x in regressors:
            usable = usable & np.isfinite(x)
    y_shift = find_typical_values(outcome) if design.has_intercept else np.zeros(rows.size)
    x_shifts = [find_typical_values(x) for x in regressors]
    some = None if usable.all() else usable
    y = _shift(outcome, y_shift, usable=some, lead=lead)
    xs = [_shift(x, shift, usable=some, lead=lead) for x, shift in zip(regressors, x_shifts, strict=True)]

    def over(values: np.ndarray) -> np.ndarray:
        if values.shape[1] < windows.n_estimation:  # calendar shorter than the window
            values = np.pad(values, ((0, 0), (0, windows.n_estimation - values.shape[1])))
        return sum_windows(values, windows.n_estimation)

    def event(values: np.ndarray) -> np.ndarray:
        return sum_windows(values[:, lead:], windows.n_event)

    pairs = [(a, b) for a in range(len(xs)) for b in range(a + 1)]
    sums = _Sums(
        running_count=np.cumsum(np.pad(usable, ((0, 0), (1, 0))), axis=1),
        x=[over(x) for x in xs],
        xx=[over(xs[a] * xs[b]) for a, b in pairs],
        y=over(y),
        xy=[over(x * y) for x in xs],
        yy=over(y * y),
        event_x=[event(x) for x in xs],
        event_y=event(y),
    )
    return sums, (y_shift, x_shifts)


def _shift(series: np.ndarray, shift: np.ndarray, *, usable: np.ndarray | None, lead: int) -> np.ndarray:
    moved = np.zeros((series.shape[0], series.shape[1] + lead))
    np.subtract(series, shift[:, None], out=moved[:, lead:])
    if usable is not None:
        if usable.shape[0] > moved.shape[0]:
            moved = np.repeat(moved, usable.shape[0], axis=0)
        moved[:, lead:][~np.broadcast_to(usable, moved[:, lead:].shape)] = 0.0
    return moved


def _solve(
    sums: _Sums,
    shifts: tuple[np.ndarray, list[np.ndarray]],
    output: EventEstimates,
    chunk: np.ndarray,
    *,
    row: np.ndarray,
    start: np.ndarray,
    event_start: np.ndarray,
    design: BatchDesign,
) -> None:
    """Solve the centred normal equations of a chunk of events, one array operation a matrix entry."""

    windows, k, j = output.windows, design.n_parameters, len(design.regressors)
    in_estimation = row * sums.y.shape[1] + start
    in_event = row * sums.event_y.shape[1] + event_start

    def at(table: np.ndarray) -> np.ndarray:
        return np.asarray(table[0].take(start) if table.shape[0] == 1 else table.ravel().take(in_estimation))

    def at_event(table: np.ndarray) -> np.ndarray:
        return np.asarray(table[0].take(event_start) if table.shape[0] == 1 else table.ravel().take(in_event))

    width, counts, held = windows.n_event, sums.running_count, row % sums.running_count.shape[0]
    first = event_start - windows.event_first + windows.estimation_first
    count = counts[held, first + windows.n_estimation] - counts[held, np.maximum(first, 0)]
    event_count = counts[held, event_start + width] - counts[held, event_start]
    safe = np.maximum(count, k + 1.0)
    sum_y, raw_yy = at(sums.y), at(sums.yy)
    mean_y = sum_y / safe if design.has_intercept else np.zeros(chunk.size)
    mean_x = [at(x) / safe for x in sums.x]
    gap = [at_event(x) - width * mean for x, mean in zip(sums.event_x, mean_x, strict=True)]
    raw_xx = [at(table) for table in sums.xx]
    cross_y = [at(xy) - sum_y * mean for xy, mean in zip(sums.xy, mean_x, strict=True)]
    ssr = raw_yy - sum_y * mean_y
    if design.instrument is None:
        factor, is_dependent = _factorise(raw_xx, mean_x, safe, j)
        z_y = _forward(cross_y, factor)
    else:
        factor, z_y, surplus, is_dependent = _use_instrument(raw_xx, mean_x, safe, cross_y)
        ssr += surplus
    z_gap = _forward(gap[:j], factor)
    car = at_event(sums.event_y) - width * mean_y
    car_factor = np.full(chunk.size, float(width))
    if design.has_intercept:
        car_factor += width * width / safe
    for a, b in zip(z_y, z_gap, strict=True):
        ssr -= a * a
        car -= a * b
        car_factor += b * b
    reason = _judge(count, event_count, ssr, raw_yy, is_dependent, windows=windows, k=k)
    std = np.sqrt(np.maximum(ssr, 0.0) / (safe - k))
    _store(output, chunk, reason, count, car=car, residual_std=std, car_factor=car_factor)
    y_shift, x_shifts = shifts
    if output.outcome_mean.size == 0:
        return
    output.outcome_mean[chunk] = mean_y + y_shift.take(row)
    for m, slope in enumerate(solve_back(z_y, factor)):
        output.slopes[m, chunk] = slope
        output.regressor_means[m, chunk] = mean_x[m] + x_shifts[m].take(row if x_shifts[m].size > 1 else 0)
    for m, entry in enumerate(factor):
        output.cholesky[m, chunk] = entry


def _factorise(
    raw: list[np.ndarray], means: list[np.ndarray], count: np.ndarray, size: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Cholesky factor of the centred cross products, lower rows in one list, and where it fails."""
    factor: list[np.ndarray] = []
    is_dependent = np.zeros(count.size, dtype=bool)
    for a in range(size):
        base = a * (a + 1) // 2
        for b in range(a + 1):
            entry = raw[base + b] - count * means[a] * means[b]
            if a == b:
                floor = np.maximum(COLLINEAR_SHARE * entry, DEGENERATE_SHARE * raw[base + b])
            for m in range(b):
                entry = entry - factor[base + m] * factor[b * (b + 1) // 2 + m]
            if a == b:
                fails = entry <= floor
                is_dependent |= fails
                factor.append(np.sqrt(np.where(fails, 1.0, entry)))
            else:
                factor.append(entry / factor[b * (b + 1) // 2 + b])
    return factor, is_dependent


def _use_instrument(
    raw: list[np.ndarray], means: list[np.ndarray], count: np.ndarray, cross_y: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray]:
    """One slope cov(z, y)/cov(z, x), in the terms that the least-squares path goes on with.

    The factor f = cov(z, x)/sd(z) gives the slope as b = u/f and the forecast's share as (d/f)^2, as a Cholesky
    factor would; third comes what the sum of squared residuals has beyond -u^2, as b is not the least-squares slope.
    """
    xx, zx, zz = (raw[k] - count * means[a] * means[b] for k, (a, b) in enumerate(((0, 0), (1, 0), (1, 1))))
    fails = np.square(zx) <= COLLINEAR_SHARE * np.maximum(xx * zz, np.finfo(float).tiny)
    factor = np.where(fails, 1.0, zx / np.sqrt(np.where(fails, 1.0, zz)))
    slope = cross_y[1] / np.where(fails, 1.0, zx)
    scaled = slope * factor
    return [factor], [scaled], np.square(scaled) - 2 * slope * cross_y[0] + np.square(slope) * xx, fails


def _forward(right: list[np.ndarray], factor: list[np.ndarray]) -> list[np.ndarray]:
    solved: list[np.ndarray] = []
    for a, value in enumerate(right):
        base = a * (a + 1) // 2
        for m, known in enumerate(solved):
            value = value - factor[base + m] * known
        solved.append(value / factor[base + a])
    return solved


def solve_back(right: list[np.ndarray], factor: list[np.ndarray]) -> list[np.ndarray]:
    """Back substitution with the transpose of a Cholesky factor, its lower rows in one list."""
    solved: list[np.ndarray] = [np.empty(0)] * len(right)
    for a in range(len(right) - 1, -1, -1):
        value = right[a]
        for m in range(a + 1, len(right)):
            value = value - factor[m * (m + 1) // 2 + a] * solved[m]
        solved[a] = value / factor[a * (a + 1) // 2 + a]
    return solved


def _judge(
    count: np.ndarray,
    event_count: np.ndarray,
    ssr: np.ndarray,
    raw_yy: np.ndarray,
    is_dependent: np.ndarray,
    *,
    windows: EventWindows,
    k: int,
) -> np.ndarray:
    reason = np.zeros(count.size, dtype=np.int8)
    reason[ssr <= DEGENERATE_SHARE * raw_yy] = NO_RESIDUAL_VARIANCE
    reason[is_dependent] = DEPENDENT_REGRESSORS
    lost = (ssr < -DEGENERATE_SHARE * np.maximum(raw_yy, np.finfo(float).tiny)) & (reason == NO_RESIDUAL_VARIANCE)
    reason[event_count < windows.n_event] = MISSING_EVENT_SESSION
    reason[count < windows.count_needed(k)] = TOO_FEW_SESSIONS
    lost &= reason == NO_RESIDUAL_VARIANCE
    if lost.any():
        said = f"The residual sum of squares of {int(lost.sum())} events is negative beyond rounding."
        raise EstimationError(said, "Look for regressors that nearly repeat each other.")
    return reason


def _store(
    output: EventEstimates, chunk: np.ndarray, reason: np.ndarray, count: np.ndarray, **numbers: np.ndarray
) -> None:
    output.reason[chunk] = reason
    output.n_estimation[chunk] = count
    fails = reason != USED
    any_fails = bool(fails.any())
    for name, values in numbers.items():
        if any_fails:
            values = np.where(fails, np.nan, values)
        getattr(output, name)[chunk] = values
