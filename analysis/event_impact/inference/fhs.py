"""Filtered historical simulation: is the abnormal return large for the volatility of its own day?

The residuals are divided by their GARCH standard deviations, the abnormal return by its forecast, and the
event is ranked among the standardised residuals (Barone-Adesi, Giannopoulos & Vosper 1999). No tail is assumed,
and the level holds in stressed and in calm markets alike, where unconditional tests reject far too often or
far too rarely. A window of m sessions is ranked among circular sums of m standardised residuals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from event_impact.estimation.garch import GarchFit
from event_impact.estimation.rolling import WindowFits
from event_impact.inference.block_conformal import circular_sums
from event_impact.inference.levels import quantile_order, take_largest

NULL = "the standardised abnormal return is drawn like the standardised residuals of the estimation window"


@dataclass(frozen=True)
class FilteredSizes:
    """Standardised residuals of n windows in the unit of the window's own return.

    Attributes
    ----------
    sizes : ndarray (n, L)
        |sum of m consecutive e_t / sqrt(h_t)| / sqrt(m) on a circle, times ``scale``.
    errors : ndarray (n, L)
        e_t / sqrt(h_t) times ``scale``; for one session, draws of the error of that very day.
    scale : ndarray (n,)
        sqrt(sum of the forecast variances times 1'G1 / m).
    garch : GarchFit
        Behind both; its forecast is that of the first session of the window.
    window_length : int
        m.
    """

    sizes: np.ndarray
    errors: np.ndarray
    scale: np.ndarray
    garch: GarchFit
    window_length: int

    def rank(self, estimate: np.ndarray) -> np.ndarray:
        """p: (1 + #) / (L + 1)."""
        as_large = self.sizes >= np.abs(estimate)[:, None]
        return np.asarray((1 + np.count_nonzero(as_large, axis=1)) / (self.sizes.shape[1] + 1))

    def ends(self, level: float) -> np.ndarray:
        """F, (n,)."""
        return take_largest(self.sizes, quantile_order(level, self.sizes.shape[1] + 1))

    def stretch(self, factor: float) -> FilteredSizes:
        """The same residuals on a day whose standard deviation is ``factor`` times as large."""
        return replace(self, sizes=factor * self.sizes, errors=factor * self.errors, scale=factor * self.scale)


def filter_windows(residuals: np.ndarray, garch: GarchFit, spread: np.ndarray | float, length: int) -> FilteredSizes:
    """Standardised residuals in the unit of a window of ``length`` sessions.

    Parameters
    ----------
    residuals : ndarray (n, L)
    garch : GarchFit
        Its forecast is made for the first session of the window; the later ones follow from it alone.
    spread : ndarray (n,) or float
        1'G1 / m, what the estimation error of the coefficients adds; 1 for a model without one.
    """
    scale = np.sqrt(sum(garch.forecast_ahead(steps) for steps in range(length)) * spread)
    standardised = residuals / np.sqrt(garch.variances)
    sizes = np.abs(circular_sums(standardised, length)) / math.sqrt(length)
    return FilteredSizes(sizes * scale[:, None], standardised * scale[:, None], scale, garch, length)


def filter_fits(fits: WindowFits, garch: GarchFit) -> FilteredSizes:
    """The standardised residuals of least-squares fits, with the estimation error of their coefficients."""
    spread = fits.forecast_scale.sum(axis=(1, 2)) / fits.window_length
    return filter_windows(fits.residuals, garch, spread, fits.window_length)
