"""Returns of bars: a market model whose errors follow the clock, fitted on the sessions before an event.

All arrays may have any number of leading axes (draws of a simulation), so that one kernel serves one event and many.
"""

from dataclasses import dataclass

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.market.bars import BarGrid

# Share of a session over which the volatility of the open dies away by a factor of e.
OPENING_DECAY = 0.04
# Returns a session below which no curve of four terms is fitted: the scale is then flat.
MIN_CLOCKS = 8
# Length of the moves whose median size tells how volatile a session was as a whole.
MOVE_MINUTES = 5
MAX_STEPS, STEP_TOLERANCE = 1000, 1e-12


@dataclass(frozen=True)
class BarFit:
    """A fit on L = S x C returns of earlier sessions, and the event session's abnormal returns.

    Attributes
    ----------
    coefficients : array (..., K)
        Intercept and, with a benchmark, its slope.
    residuals : array (..., S, C)
        NaN where a return is missing.
    variance, scaled_variance : array (...)
        e'e / (L - K), and of e / d.
    scale : array (..., C)
        Diurnal scale d(c), mean square 1.
    leverage, scaled_leverage : array (..., K, K)
        (X0'X0)^-1, and M = (X0'X0)^-1 X0' diag(d^2) X0 (X0'X0)^-1.
    event_residuals : array (..., C)
        y1 - X1 b of the event session.
    event_design : array (..., C, K)
    session_moves : array (..., S)
        Median size of the scaled five-minute moves of each session.
    event_move : array (...)
        The same of the event session.
    df : array (...)
        L - K.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    variance: np.ndarray
    scaled_variance: np.ndarray
    scale: np.ndarray
    leverage: np.ndarray
    scaled_leverage: np.ndarray
    event_residuals: np.ndarray
    event_design: np.ndarray
    session_moves: np.ndarray
    event_move: np.ndarray
    df: np.ndarray

    @property
    def day_factor(self) -> np.ndarray:
        """k: how volatile the event session was as a whole, over the mean of the estimation sessions."""
        return np.asarray(self.event_move / self.session_moves.mean(axis=-1))

    @property
    def pool(self) -> np.ndarray:
        """Scaled residuals carried to the event session's moves, the sessions joined end to end, (..., L)."""
        scaled = self.residuals / self.scale[..., None, :] / self.session_moves[..., None]
        return np.asarray((scaled * self.event_move[..., None, None]).reshape(*scaled.shape[:-2], -1))


@dataclass(frozen=True)
class BarSum:
    """The abnormal returns of one window, added up.

    Attributes
    ----------
    estimate : array (...)
        A = w'a: sums, not compounded.
    raw_std_error, scaled_std_error : array (...)
        s sqrt(w'(I + X1 (X0'X0)^-1 X1')w), and sqrt(w'Vw) with V = s_w^2 (diag d^2 + X1 M X1'); for one and the same
        estimate.
    own_share : array (...)
        h: root of the share of w'Vw that is not error of the coefficients.
    scale : array (..., m)
        d(c) of the window's returns.
    weights : array (..., C)
    """

    estimate: np.ndarray
    raw_std_error: np.ndarray
    scaled_std_error: np.ndarray
    own_share: np.ndarray
    scale: np.ndarray
    weights: np.ndarray


def fit_bars(
    returns: np.ndarray,
    event_returns: np.ndarray,
    market: np.ndarray | None = None,
    event_market: np.ndarray | None = None,
    *,
    middles: np.ndarray,
    minutes: int,
    is_single: np.ndarray | None = None,
) -> BarFit:
    """Least squares with an intercept on every known return, then the scale by clock and the moves by session.

    Parameters
    ----------
    returns, market : arrays (..., S, C)
        NaN where missing; without ``market`` the model is a constant mean.
    event_returns, event_market : arrays (..., C)
        Complete; zero where no price ends, the next return then covers the gap.
    middles : array (C,)
        Middle of each bar as a share of the session.
    minutes : int
        Length of a bar.
    is_single : boolean array (C,), optional
        Event returns of one bar only, which the session's median move is taken from.

    Raises
    ------
    EstimationError
        If returns do not vary, or the benchmark's do not.
    """
    known = np.isfinite(returns) if market is None else np.isfinite(returns) & np.isfinite(market)
    y = np.where(known, returns, 0.0)
    design, event_design = known[..., None].astype(float), np.ones((*event_returns.shape, 1))
    if market is not None and event_market is not None:
        design = np.concatenate([design, np.where(known, market, 0.0)[..., None]], axis=-1)
        event_design = np.concatenate([event_design, event_market[..., None]], axis=-1)
    flat = design.reshape(*design.shape[:-3], -1, design.shape[-1])
    turned = np.swapaxes(flat, -1, -2)
    if np.any(np.linalg.matrix_rank(flat) < flat.shape[-1]):
        raise EstimationError("the benchmark does not move in the estimation sessions.", "Use another benchmark.")
    leverage = np.linalg.inv(turned @ flat)
    coefficients = leverage @ turned @ y.reshape(*y.shape[:-2], -1, 1)
    residuals = np.where(known, y - (design @ coefficients[..., None, :, :])[..., 0], np.nan)
    df = known.sum(axis=(-2, -1)) - flat.shape[-1]
    variance = np.nansum(residuals**2, axis=(-2, -1)) / df
    if not np.all(variance > 0):
        raise EstimationError("the returns do not vary in the estimation sessions.", "Use another source of bars.")
    scale = fit_scale(residuals, middles)
    scaled = residuals / scale[..., None, :]
    squares = np.broadcast_to(scale[..., None, :] ** 2, known.shape).reshape(*flat.shape[:-1], 1)
    event_residuals = event_returns - (event_design @ coefficients)[..., 0]
    moves = event_residuals / scale
    n_bars = max(round(MOVE_MINUTES / minutes), 1)
    return BarFit(
        coefficients=coefficients[..., 0], residuals=residuals, variance=variance,
        scaled_variance=np.nansum(scaled**2, axis=(-2, -1)) / df, scale=scale, leverage=leverage,
        scaled_leverage=leverage @ (turned @ (squares * flat)) @ leverage, event_residuals=event_residuals,
        event_design=event_design, session_moves=median_move(scaled, n_bars), df=df,
        event_move=median_move(moves if is_single is None else np.where(is_single, moves, np.nan), n_bars),
    )  # fmt: skip


def fit_grid(grid: BarGrid) -> BarFit:
    """The fit of one event on its grid of prices."""
    held = [grid.prices] if grid.benchmark is None else [grid.prices, grid.benchmark]
    pairs = [step for prices in held for step in (grid.returns(prices), grid.event_steps(prices))]
    return fit_bars(*pairs, middles=grid.middles, minutes=grid.minutes, is_single=grid.is_single)


def fit_scale(residuals: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """Smooth diurnal scale d(c) of residuals (..., S, C), mean square 1.

    v(c) is the mean over sessions of e(s, c)^2 over the session's own mean square, so that one wild bar stays below C.
    log d^2 = B g with B = [1, tau, tau^2, exp(-tau / .04)]; g solves B'(v / exp(B g) - 1) = 0, the gamma
    quasi-likelihood with a log link.
    """
    squares = residuals**2
    v = np.nanmean(squares / np.nanmean(squares, axis=-1, keepdims=True), axis=-2)
    if v.shape[-1] < MIN_CLOCKS:
        return np.ones_like(v)
    basis = np.stack([np.ones_like(middles), middles, middles**2, np.exp(-middles / OPENING_DECAY)], axis=-1)
    seen = np.where(np.isfinite(v), 1.0, 0.0)
    v = np.where(seen > 0, v, 0.0)
    inner = np.linalg.inv(np.swapaxes(basis, -1, -2) @ (seen[..., None] * basis))
    g = np.zeros((*v.shape[:-1], basis.shape[-1]))
    for _ in range(MAX_STEPS):
        score = (seen * (v / np.exp(g @ basis.T) - 1)) @ basis
        step = (inner @ score[..., None])[..., 0]
        g = g + step
        if np.max(np.abs(step)) < STEP_TOLERANCE:
            break
    else:
        raise EstimationError("the scale by clock does not settle.", "Use more sessions, or longer bars.")
    squared = np.exp(g @ basis.T)
    return np.asarray(np.sqrt(squared / squared.mean(axis=-1, keepdims=True)))


def median_move(scaled: np.ndarray, n_bars: int) -> np.ndarray:
    """Median size of all overlapping sums of so many neighbouring scaled returns: (..., C) to (...)."""
    sums = np.lib.stride_tricks.sliding_window_view(scaled, min(n_bars, scaled.shape[-1]), axis=-1).sum(axis=-1)
    return np.asarray(np.nanmedian(np.abs(sums), axis=-1))


def sum_bars(fit: BarFit, first: int | np.ndarray, n_bars: int) -> BarSum:
    """Sum of the event session's abnormal returns over ``n_bars`` clocks from ``first`` on (one a draw, or one for all)."""
    weights = np.zeros(fit.event_residuals.shape)
    places = np.broadcast_to(np.asarray(first)[..., None] + np.arange(n_bars), (*weights.shape[:-1], n_bars))
    np.put_along_axis(weights, places, 1.0, axis=-1)
    x = (weights[..., None, :] @ fit.event_design)[..., 0, :]
    raw = fit.variance * (n_bars + _quadratic(fit.leverage, x))
    own = fit.scaled_variance * (weights * fit.scale**2).sum(axis=-1)
    scaled = own + fit.scaled_variance * _quadratic(fit.scaled_leverage, x)
    estimate = np.asarray((weights * fit.event_residuals).sum(axis=-1))
    scale = np.take_along_axis(fit.scale, places, axis=-1)
    return BarSum(estimate, np.sqrt(raw), np.sqrt(scaled), np.sqrt(own / scaled), scale, weights)


def _quadratic(matrix: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.asarray((x[..., None, :] @ matrix @ x[..., None])[..., 0, 0])
