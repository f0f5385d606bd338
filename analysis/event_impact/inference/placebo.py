"""Placebo in time: where does the event stand among the ordinary sessions of the same firm?

The whole pipeline is repeated on every eligible earlier session, each with its own estimation window, and the
event's |t| is ranked among theirs. Nothing is assumed about the shape of the returns, only that the
event, under the null, is drawn like an earlier session.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable

#: Fewer eligible sessions than this give no p: a rank among a handful says little.
MIN_PLACEBO_SESSIONS = 200
#: A placebo session closer than this to another article or masked confounder of the story is not ordinary.
MIN_DISTANCE = 10

NULL = "the event session is drawn like an earlier ordinary session of the same firm"


def eligible_placebo_sessions(
    n_sessions: int,
    event: int,
    *,
    estimation_length: int,
    gap: int,
    first: int = 0,
    last: int = 0,
    news: Iterable[int] = (),
    usable: np.ndarray | None = None,
) -> np.ndarray:
    """Positions of the sessions at which the pipeline may be repeated as if nothing had happened, ascending.

    Eligible is a session strictly before the event session minus the gap, whose own estimation and
    event windows are complete and end before that limit too, and which is more than :data:`MIN_DISTANCE`
    sessions away from every other article and masked confounder of the story.

    Parameters
    ----------
    n_sessions : int
        Length of the return series.
    event : int
        Position of the event session.
    estimation_length, gap, first, last : int
        The windows of the study, in sessions.
    news : iterable of int
        Positions of the story's other articles and masked confounders.
    usable : ndarray (n_sessions,) of bool, optional
        False where a series has no return; default all usable.

    Raises
    ------
    EstimationError
        If the event lies outside the sample or ``usable`` does not have one flag a session.
    """
    if not 0 <= event < n_sessions:
        raise EstimationError(
            f"Expected the event within the {n_sessions} sessions, found position {event}.", "Extend the sample."
        )
    earliest = gap + estimation_length
    limit = event - max(gap, -first)
    candidates = np.arange(earliest, max(earliest, limit - max(last, 0)))
    if usable is not None:
        usable = np.asarray(usable, dtype=bool)
        if usable.shape != (n_sessions,):
            raise EstimationError(
                f"Expected {n_sessions} usable flags, found shape {usable.shape}.", "Give one flag a session."
            )
        unusable_before = np.concatenate([[0], np.cumsum(~usable)])
        spoiled = unusable_before[candidates + max(last, 0) + 1] - unusable_before[candidates - earliest]
        candidates = candidates[spoiled == 0]
    others = np.array(sorted(set(news)), dtype=int)
    if others.size:
        distance = np.abs(candidates[:, None] - others[None, :]).min(axis=1)
        candidates = candidates[distance > MIN_DISTANCE]
    return candidates


def placebo_p_values(statistics: np.ndarray | float, placebo: np.ndarray) -> np.ndarray:
    """(1 + #{|placebo| >= |statistic|}) / (n + 1) for one or many statistics."""
    ranked = np.sort(np.abs(np.asarray(placebo, dtype=float)))
    size = np.abs(np.asarray(statistics, dtype=float))
    return np.asarray((1 + len(ranked) - np.searchsorted(ranked, size, side="left")) / (len(ranked) + 1))


def placebo_test(
    statistic: float,
    placebo: np.ndarray,
    *,
    name: str = "placebo",
    null: str = NULL,
    minimum: int = MIN_PLACEBO_SESSIONS,
) -> TestResult:
    """Rank of the event's statistic among the placebo sessions'; n/a with the count below ``minimum``.

    Parameters
    ----------
    statistic : float
        Of the event: t of one session, standardised CAR or joint F of a window.
    placebo : ndarray (n,)
        The same statistic at the eligible placebo sessions.
    """
    count = len(placebo)
    if count < minimum:
        return not_computable(name, f"{count} eligible placebo sessions, {minimum} needed", null=null)
    if not (np.isfinite(statistic) and np.isfinite(placebo).all()):
        raise EstimationError(f"Expected finite statistics to rank for {name}, found some that are not.", "")
    p_value = float(placebo_p_values(statistic, placebo))
    return TestResult(name, null, f"ranks among {count} earlier sessions", float(statistic), p_value)
