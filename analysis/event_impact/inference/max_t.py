"""Many specifications of one estimate, tested together: placebo maxT and joint tests of the whole curve.

The specifications share their data, so their t values are strongly correlated and no formula knows how. The
same specifications at earlier ordinary sessions of the firm carry that correlation and serve as the null.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult

MAX_T_NULL = "in no specification does the event session differ from earlier ordinary sessions"
SHARE_NULL = "the share of specifications that reject is that of an earlier ordinary session"
MEDIAN_NULL = "the median t of the specifications is that of an earlier ordinary session"
MEAN_NULL = "the mean t of the specifications is that of an earlier ordinary session"


@dataclass(frozen=True)
class CurveTests:
    """Joint tests of K specifications against n placebo sessions.

    Attributes
    ----------
    max_t, share, median, mean : TestResult
        Each with p = (1 + #) / (n + 1).
    adjusted : ndarray (K,)
        Step-down adjusted p of each specification, in the order given.
    placebo_maxima : ndarray (n,)
        max_k |t_k| / rms_k at the placebo sessions.
    """

    max_t: TestResult
    share: TestResult
    median: TestResult
    mean: TestResult
    adjusted: np.ndarray
    placebo_maxima: np.ndarray

    @property
    def n_placebo(self) -> int:
        """Placebo sessions behind every p."""
        return len(self.placebo_maxima)

    @property
    def all(self) -> tuple[TestResult, ...]:
        """The four tests."""
        return self.max_t, self.share, self.median, self.mean


def scale_by_placebo(event: np.ndarray, placebo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|t| over each specification's root mean square at the placebo sessions.

    Parameters
    ----------
    event, placebo : ndarray (K,), (n, K)

    Raises
    ------
    EstimationError
        If the shapes do not fit, a value is not finite, or a specification never varies.
    """
    event, placebo = np.asarray(event, dtype=float), np.asarray(placebo, dtype=float)
    if placebo.ndim != 2 or event.shape != placebo.shape[1:] or not placebo.size:
        raise EstimationError(
            f"Expected K event values and (n, K) placebo values, found shapes {event.shape} and {placebo.shape}.",
            "Give one column a specification.",
        )
    spread = np.sqrt(np.mean(placebo**2, axis=0))
    if not (np.isfinite(event).all() and np.isfinite(spread).all() and (spread > 0).all()):
        raise EstimationError("Expected finite t values that vary, found some that do not.", "Check the returns.")
    return np.abs(event) / spread, np.abs(placebo) / spread


def step_down(event: np.ndarray, placebo: np.ndarray) -> np.ndarray:
    """Adjusted p of each specification, (K,) (Westfall and Young 1993; Romano and Wolf 2005).

    Sorted by size, the k-th largest is ranked among the placebo maxima over itself and all smaller ones, and no p
    may fall below the one before it. The first is the maxT p.

    Parameters
    ----------
    event, placebo : ndarray (K,), (n, K)
        Already scaled by :func:`scale_by_placebo`.
    """
    order = np.argsort(-event, kind="stable")
    maxima = np.maximum.accumulate(placebo[:, order[::-1]], axis=1)[:, ::-1]
    p_values = (1 + np.count_nonzero(maxima >= event[order], axis=0)) / (len(placebo) + 1)
    adjusted = np.empty(len(event))
    adjusted[order] = np.maximum.accumulate(p_values)
    return adjusted


def assess_curve(event_t: np.ndarray, placebo_t: np.ndarray, *, critical: np.ndarray) -> CurveTests:
    """maxT, step-down p and the joint tests of a specification curve.

    Parameters
    ----------
    event_t : ndarray (K,)
        t of each specification at the event.
    placebo_t : ndarray (n, K)
        The same at the placebo sessions.
    critical : ndarray (K,)
        Two-sided critical value of each specification's own t distribution.
    """
    event, placebo = scale_by_placebo(event_t, placebo_t)
    adjusted = step_down(event, placebo)
    maxima = placebo.max(axis=1)
    distribution = f"ranks among {len(placebo)} earlier sessions"
    values = {
        "share": (np.mean(np.abs(event_t) > critical), np.mean(np.abs(placebo_t) > critical, axis=1), SHARE_NULL),
        "median_t": (np.median(event_t), np.median(placebo_t, axis=1), MEDIAN_NULL),
        "mean_t": (np.mean(event_t), np.mean(placebo_t, axis=1), MEAN_NULL),
    }
    joint = {
        name: TestResult(name, null, distribution, float(value), rank_size(value, others))
        for name, (value, others, null) in values.items()
    }
    max_t = TestResult("max_t", MAX_T_NULL, distribution, float(event.max()), float(adjusted.min()))
    return CurveTests(max_t, joint["share"], joint["median_t"], joint["mean_t"], adjusted, maxima)


def rank_size(value: float, others: np.ndarray) -> float:
    """(1 + #{|other| >= |value|}) / (n + 1), rounding aside."""
    return (1 + int(np.count_nonzero(np.abs(others) >= abs(value) * (1 - 1e-12)))) / (len(others) + 1)
