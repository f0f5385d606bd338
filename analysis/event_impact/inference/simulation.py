"""Returns with a known truth, on which tests are held to their level.

    y = 0.0002 + 1.2 m + u

m, the market, is GARCH(1,1) with t(4) innovations and a standard deviation of 1 % a session; u, 1.5 % a
session, follows the process asked for. No effect is in it unless one is added.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

INTERCEPT, MARKET_BETA = 0.0002, 1.2
MARKET_STD, RESIDUAL_STD = 0.01, 0.015
BURN_IN = 500
#: Size of a jump in residual standard deviations.
JUMP_SIZE = 5.0


@dataclass(frozen=True)
class Process:
    """How the residual behaves.

    Attributes
    ----------
    name : str
        Identifier in tables.
    has_fat_tails : bool
        t innovations with ``tail_df`` degrees of freedom, scaled to variance one; otherwise normal.
    has_garch : bool
        GARCH(1,1) variance; otherwise constant.
    n_jumps : int
        Jumps of either sign added to random sessions of the estimation window.
    recent_factor : float
        Multiplies the residual of the last ``recent_sessions`` before the event and of the event.
    event_variance_factor : float
        Multiplies the variance of the event sessions: a variance effect without a mean effect.
    autocorrelation : float
        First-order, of the residual.
    garch : (float, float)
        alpha and beta.
    """

    name: str
    has_fat_tails: bool = True
    has_garch: bool = False
    n_jumps: int = 0
    recent_factor: float = 1.0
    event_variance_factor: float = 1.0
    autocorrelation: float = 0.0
    tail_df: int = 4
    recent_sessions: int = 20
    garch: tuple[float, float] = (0.08, 0.90)


MARKET = Process("market", has_garch=True)

PROCESSES = (
    Process("iid_normal", has_fat_tails=False),
    Process("iid_t4"),
    Process("garch_normal", has_fat_tails=False, has_garch=True),
    Process("garch_t4", has_garch=True),
    Process("recent_std_x1.6", recent_factor=1.6),
    Process("event_variance_x2.25", event_variance_factor=2.25),
    Process("four_jumps", n_jumps=4),
)

WINDOW_PROCESSES = (Process("garch_t4", has_garch=True), Process("garch_t4_ar1", has_garch=True, autocorrelation=0.10))


@dataclass(frozen=True)
class SimulatedReturns:
    """n draws of a firm and its market; estimation sessions first, then the gap, then the event.

    Attributes
    ----------
    firm, market : ndarray (n, L + gap + m)
        Returns, fractions.
    event_std : ndarray (n,)
        True conditional standard deviation of the first event session given its past, before any
        ``event_variance_factor``.
    """

    firm: np.ndarray
    market: np.ndarray
    event_std: np.ndarray


def simulate(
    process: Process, rng: Generator, *, n_draws: int, estimation_length: int, gap: int = 0, window_length: int = 1
) -> SimulatedReturns:
    """Draw firms and markets under ``process``, each with its own volatility history.

    Parameters
    ----------
    process : Process
        Of the residual.
    rng : numpy.random.Generator
        Source of the draws; seed it.
    """
    event = estimation_length + gap
    n_sessions = event + window_length
    market, _ = _garch_path(rng, n_draws, n_sessions, MARKET)
    if process.has_garch:
        residual, variance = _garch_path(rng, n_draws, n_sessions, process)
    else:
        residual = _innovations(rng, (n_draws, n_sessions), process)
        variance = np.ones_like(residual)
    event_std = RESIDUAL_STD * np.sqrt(variance[:, event])
    residual[:, max(0, event - process.recent_sessions) :] *= process.recent_factor
    residual[:, event:] *= np.sqrt(process.event_variance_factor)
    if process.n_jumps:  # of either sign, on distinct sessions of the estimation window
        place = rng.random((n_draws, estimation_length)).argpartition(process.n_jumps, axis=1)[:, : process.n_jumps]
        residual[np.arange(n_draws)[:, None], place] += rng.choice([-JUMP_SIZE, JUMP_SIZE], place.shape)
    if rho := process.autocorrelation:  # u_t = rho u_{t-1} + e_t, scaled back to the variance of e
        residual[:, 1:] *= np.sqrt(1.0 - rho**2)
        for t in range(1, n_sessions):
            residual[:, t] += rho * residual[:, t - 1]
    market *= MARKET_STD
    return SimulatedReturns(INTERCEPT + MARKET_BETA * market + RESIDUAL_STD * residual, market, event_std)


def _innovations(rng: Generator, shape: tuple[int, ...], process: Process) -> np.ndarray:
    """Independent, variance one."""
    if not process.has_fat_tails:
        return rng.standard_normal(shape)
    return np.asarray(rng.standard_t(process.tail_df, shape) / np.sqrt(process.tail_df / (process.tail_df - 2)))


def _garch_path(rng: Generator, n_draws: int, n_sessions: int, process: Process) -> tuple[np.ndarray, np.ndarray]:
    """Values and conditional variances after the burn-in, unconditional variance one; both (n, T)."""
    values, variances = np.empty((2, n_sessions, n_draws))
    variance, (alpha, beta) = np.ones(n_draws), process.garch
    for t in range(-BURN_IN, n_sessions):
        value = np.sqrt(variance) * _innovations(rng, (n_draws,), process)
        if t >= 0:
            values[t], variances[t] = value, variance
        variance = (1.0 - alpha - beta) + alpha * value**2 + beta * variance
    return np.ascontiguousarray(values.T), np.ascontiguousarray(variances.T)
