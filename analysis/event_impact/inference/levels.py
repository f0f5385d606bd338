"""Levels and ranks: what counts as below a level, and which order statistic that is."""

from __future__ import annotations

import math

import numpy as np

ROUNDING = 1e-9
"""Where level times N is whole (L = 119, 199, 239 at 5 %), what is left beyond this is the rounding of the product."""


def quantile_order(level: float, count: int) -> int:
    """q = ceil(level N) - 1: with q others as large, p among N values is not below the level; 0: nothing can reject."""
    return max(math.ceil(level * count - ROUNDING) - 1, 0)


def is_rejected(p_value: float | None, level: float) -> bool:
    """p < level; a p that differs from the level by rounding alone equals it."""
    return p_value is not None and p_value < level - ROUNDING


def take_largest(values: np.ndarray, order: int) -> np.ndarray:
    """The ``order``-th largest value of each row; infinite for order 0."""
    if order == 0:
        return np.full(len(values), np.inf)
    return -np.partition(-values, order - 1, axis=1)[:, order - 1]
