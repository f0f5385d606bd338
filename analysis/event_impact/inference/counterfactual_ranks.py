"""Conformal thresholds of models whose forecasts have no standard error.

Their refit has no closed form, so that the ends of the interval are found by bisection, one refit a step. Without a
leverage of known meaning none is corrected for, which matters at order K / L.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from event_impact.estimation.rolling_estimators import CounterfactualFits
from event_impact.inference.block_conformal import block_p_values, circular_sums
from event_impact.inference.levels import quantile_order

TOLERANCE = 1e-6
"""Of an end, in standard deviations of the residuals."""


@dataclass(frozen=True)
class SearchedRoots:
    """What :class:`event_impact.inference.block_conformal.ConformalRoots` says, for one window of any estimator."""

    fits: CounterfactualFits
    found: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """N = L + m blocks."""
        return self.fits.n_estimation + self.fits.window_length

    def rank(self, estimate: np.ndarray) -> np.ndarray:
        """p of a true effect of zero, (1,)."""
        effect = float(self.fits.abnormal_returns.sum() - estimate[0])
        sums = circular_sums(self.fits.refit(effect), self.fits.window_length)
        return block_p_values(sums, self.fits.n_estimation)

    def ends(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """C+ and C-, (1,) each."""
        order = quantile_order(level, self.count)
        if order not in self.found:
            self.found[order] = self._search(order, 1.0), self._search(order, -1.0)
        return self.found[order]

    def _search(self, order: int, sign: float) -> np.ndarray:
        """Largest distance of a true effect below (above) the estimate at which ``order`` other blocks are as large."""
        if order == 0:
            return np.array([np.inf])
        own = self.fits.abnormal_returns.sum()
        spread = float(np.sqrt(np.mean(self.fits.residuals**2)))

        def holds(distance: float) -> bool:
            return bool(self.rank(np.array([sign * distance]))[0] * self.count > order + 0.5)

        low, high = 0.0, 8.0 * spread
        # The estimate itself is probed first: zero then lies outside the interval exactly where the test rejects it.
        if sign * own > 0:
            low, high = (abs(own), max(high, 2 * abs(own))) if holds(abs(own)) else (0.0, abs(own))
        while holds(high):
            low, high = high, 2.0 * high
        while high - low > TOLERANCE * spread:
            middle = (low + high) / 2.0
            low, high = (middle, high) if holds(middle) else (low, middle)
        return np.array([low])
