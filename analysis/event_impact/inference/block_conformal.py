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

from event_impact.base.result import TestResult
from event_impact.estimation.rolling import WindowFits

NULL = "the sessions of the window are drawn like those of the estimation window"


@dataclass(frozen=True)
class BlockConformal:
    """Block-conformal tests of n windows of m sessions.

    Attributes
    ----------
    p_values : ndarray (n,)
        #{S(k) >= S(event)} / (L + m) over the circular blocks k, the event's own counted by its index;
        between 1 / (L + m) and 1.
    event_sums : ndarray (n,)
        Sum of the refitted residuals of the window.
    lower, upper : ndarray (n,)
        Total effects over the window that the test does not reject; infinite where nothing can be rejected at
        that level.
    """

    p_values: np.ndarray
    event_sums: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


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


def block_conformal(fits: WindowFits, *, level: float = 0.05) -> BlockConformal:
    """p and interval of every window.

    A total effect c is spread evenly, c / m a session, and taken off before the refit. Each block sum is then
    linear in c, A_k - c B_k, and block k stays at least as large as the event's between the two roots of
    |A_k - c B_k| = |A_E - c B_E|, an interval that always holds c = A_E / B_E. The effects that are not rejected
    form an interval whose ends are order statistics of the roots: no search is needed.
    """
    m, length = fits.window_length, fits.n_estimation
    sums = circular_sums(refit_residuals(fits), m)
    flat = np.full_like(fits.abnormal_returns, -1.0 / m)
    weights = circular_sums(refit_residuals(fits, effect=flat) - refit_residuals(fits), m)
    lower, upper = _invert(sums, weights, event_position=length, level=level)
    return BlockConformal(
        p_values=block_p_values(sums, length), event_sums=sums[:, length].copy(), lower=lower, upper=upper
    )


def _invert(
    sums: np.ndarray, weights: np.ndarray, *, event_position: int, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of {c : #{k : |A_k - c B_k| >= |A_E - c B_E|} > level N}."""
    n, total = sums.shape
    keep = np.arange(total) != event_position
    a, b = sums[:, keep], weights[:, keep]
    a_event, b_event = sums[:, ~keep], weights[:, ~keep]
    # Where a block moves as much as the event's own (long windows only), it is taken to stay as large: wider.
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.stack([(a_event - a) / (b_event - b), (a_event + a) / (b_event + b)])
    moves_less = np.abs(b) < np.abs(b_event)
    low = np.where(moves_less, roots.min(axis=0), -np.inf)
    high = np.where(moves_less, roots.max(axis=0), np.inf)
    # Accepted while 1 + (others that hold) > level N, that is while at least floor(level N) others hold.
    needed = int(np.floor(np.round(level * total, 9)))
    if needed == 0:
        return np.full(n, -np.inf), np.full(n, np.inf)
    lower = np.partition(low, needed - 1, axis=1)[:, needed - 1]
    upper = np.partition(high, total - 1 - needed, axis=1)[:, total - 1 - needed]
    return lower, upper


def block_conformal_test(fits: WindowFits) -> TestResult:
    """Block-conformal test of the first window of ``fits`` as a test result."""
    outcome = block_conformal(fits)
    m = fits.window_length
    return TestResult(
        name="block_conformal",
        null=NULL,
        distribution=f"ranks of {fits.n_estimation + m} circular blocks of {m} session{'s' if m > 1 else ''}",
        statistic=float(outcome.event_sums[0]),
        p_value=float(outcome.p_values[0]),
        note="refitted without a dummy on the estimation and event sessions together",
    )
