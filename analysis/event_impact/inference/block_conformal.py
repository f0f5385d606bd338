"""Conformal test of a window of sessions: circular blocks of the refitted residuals.

Under the null the event days are ordinary, so the model is refitted on the L + m sessions without a dummy, and
the event's block sum is ranked among all circular blocks of m consecutive residuals
(Chernozhukov, Wuethrich & Zhu 2021, JASA 116:1849). With m = 1 this is the conformal test of one session.
No refit is run: the refitted residuals follow from those of the estimation window,

    f_E = G^-1 a,    f_t = e_t - x_t'(X0'X0)^-1 X1' G^-1 a.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from event_impact.estimation.rolling import WindowFits
from event_impact.inference.levels import quantile_order, take_largest

NULL = "the sessions of the window are drawn like those of the estimation window"


@dataclass(frozen=True)
class ConformalRoots:
    """Circular blocks of the refitted residuals as functions of the true effect of n windows.

    Attributes
    ----------
    rises, falls : ndarray (n, L + m - 1)
        For each other block, how far below and above the estimate a true effect may lie with the block still as
        large as the event's; infinite for a block that moves as much as the event's own.
    """

    rises: np.ndarray
    falls: np.ndarray

    def rank(self, estimate: np.ndarray) -> np.ndarray:
        """p of a true effect of zero: the share of blocks as large, the event's own counted."""
        as_large = (self.rises >= estimate[:, None]) & (self.falls >= -estimate[:, None])
        return np.asarray((1 + np.count_nonzero(as_large, axis=1)) / (self.rises.shape[1] + 1))

    def ends(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """C+ and C-, (n,) each."""
        order = quantile_order(level, self.rises.shape[1] + 1)
        return take_largest(self.rises, order), take_largest(self.falls, order)


def refit_residuals(fits: WindowFits, *, effect: np.ndarray | None = None) -> np.ndarray:
    """Residuals of the fit on all L + m sessions, (n, L + m), estimation days first.

    Parameters
    ----------
    fits : WindowFits
        Fits on the estimation windows alone.
    effect : ndarray (n, m), optional
        Subtracted from the event days before the refit; default none.
    """
    abnormal = fits.abnormal_returns if effect is None else fits.abnormal_returns - effect
    event = np.linalg.solve(fits.forecast_scale, abnormal[:, :, None])[:, :, 0]
    pulled = np.einsum("nmk,nm->nk", fits.window_coordinates, event)
    before = fits.residuals - np.einsum("nlk,nk->nl", fits.estimation_coordinates, pulled)
    return np.concatenate([before, event], axis=1)


def circular_sums(residuals: np.ndarray, block: int) -> np.ndarray:
    """Sums of ``block`` consecutive values on a circle, starting at each position; (n, N) to (n, N)."""
    total = residuals.copy()
    for offset in range(1, block):
        total += np.roll(residuals, -offset, axis=1)
    return total


def block_p_values(sums: np.ndarray, event_position: int) -> np.ndarray:
    """Share of blocks at least as large in absolute value as the event's, which counts itself by its index."""
    size = np.abs(sums)
    others = np.count_nonzero(size >= size[:, event_position : event_position + 1], axis=1)
    return np.asarray(others / sums.shape[1])


def conformal_p_values(fits: WindowFits) -> np.ndarray:
    """p of every window, without the intervals, (n,).

    Parameters
    ----------
    fits : WindowFits
        n windows of m sessions.

    Returns
    -------
    ndarray (n,)
    """
    sums = circular_sums(refit_residuals(fits), fits.window_length)
    return block_p_values(sums, fits.n_estimation)


def find_roots(fits: WindowFits) -> ConformalRoots:
    """Where each circular block stops being as large as the event's.

    A total effect c is spread evenly, c / m a session, and taken off before the refit. Every block sum is then linear
    in c, A_k - c B_k, and block k is as large as the event's between the two roots of |A_k - c B_k| = |A_E - c B_E|.
    With m = 1 these are the closed forms (1 + h) e_t / (1 -+ g_t), g_t = x_t'(X0'X0)^-1 x_E, h = g_E.
    """
    m, event = fits.window_length, fits.n_estimation
    plain = refit_residuals(fits)
    flat = np.full_like(fits.abnormal_returns, -1.0 / m)
    sums = circular_sums(plain, m)
    weights = circular_sums(refit_residuals(fits, effect=flat) - plain, m)
    keep = np.arange(sums.shape[1]) != event
    a, b, a_event, b_event = sums[:, keep], weights[:, keep], sums[:, ~keep], weights[:, ~keep]
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.stack([(a_event - a) / (b_event - b), (a_event + a) / (b_event + b)])
    # Where a block moves as much as the event's own (long windows only), it is taken to stay as large: wider.
    moves_less = np.abs(b) < np.abs(b_event)
    estimate = fits.car[:, None]
    return ConformalRoots(
        rises=np.where(moves_less, estimate - roots.min(axis=0), np.inf),
        falls=np.where(moves_less, roots.max(axis=0) - estimate, np.inf),
    )
