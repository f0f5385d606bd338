"""Pseudo-events: estimation and window repeated at every earlier start date, ranked by |SCAR|.

Overlapping sums of estimation residuals understate the spread of a window's sum: they carry no estimation
error and few independent blocks. A pseudo-event carries both, because each has its own estimation window.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from event_impact.base.result import TestResult
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.placebo import MIN_PLACEBO_SESSIONS, eligible_placebo_sessions, placebo_test

NULL = "the window is drawn like every earlier window of the same firm"


def pseudo_event_scars(
    y: np.ndarray, design: np.ndarray, *, starts: np.ndarray, estimation_length: int, gap: int, first: int, last: int
) -> np.ndarray:
    """CAR over its own forecast standard deviation at every start, (n,)."""
    fits = fit_rolling(y, design, events=starts, estimation_length=estimation_length, gap=gap, first=first, last=last)
    return fits.scar


def pseudo_event_test(
    y: np.ndarray,
    design: np.ndarray,
    *,
    event: int,
    estimation_length: int,
    gap: int,
    first: int,
    last: int,
    starts: np.ndarray | None = None,
    minimum: int = MIN_PLACEBO_SESSIONS,
) -> TestResult:
    """Rank the event's |SCAR| among those of earlier windows, p = (1 + #) / (n + 1).

    Parameters
    ----------
    y, design : ndarray (T,), (T, K)
        One firm.
    event : int
        Position of the event session.
    starts : ndarray (n,), optional
        Pseudo-event sessions; default every earlier session whose windows end before the event's gap.
    """
    windows: Any = {"estimation_length": estimation_length, "gap": gap, "first": first, "last": last}
    if starts is None:
        starts = eligible_placebo_sessions(len(y), event, **windows).positions
    statistic = pseudo_event_scars(y, design, starts=np.array([event]), **windows)[0]
    earlier = (
        pseudo_event_scars(y, design, starts=starts, **windows) if len(starts) >= minimum else np.zeros(len(starts))
    )
    return placebo_test(float(statistic), earlier, name="pseudo_event", null=NULL, minimum=minimum)
