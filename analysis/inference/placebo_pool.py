"""Ranks of an event among the earlier sessions of its own firm, for every window of a study.

The whole pipeline is repeated on every eligible earlier session, each with its own estimation
window; all windows of one return kind share one pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.estimation.abnormal import AbnormalReturns
from analysis.estimation.rolling import WindowFits, fit_rolling
from analysis.inference.placebo import PlaceboSessions, eligible_placebo_sessions, placebo_test
from analysis.inference.result import TestResult


@dataclass(frozen=True)
class PlaceboRank:
    """One window's rank among placebo sessions.

    Attributes
    ----------
    statistics : numpy.ndarray
        (n,) standardised CARs at the placebo sessions.
    sessions : pandas.DatetimeIndex
        Their sessions.
    """

    test: TestResult
    eligible: PlaceboSessions
    statistics: np.ndarray
    sessions: pd.DatetimeIndex

    @property
    def count(self) -> int:
        """Eligible placebo sessions."""
        return self.eligible.count


def rank_windows(
    abnormal: AbnormalReturns,
    windows: list[tuple[int, int]],
    *,
    estimation_sessions: int,
    gap_sessions: int,
    news: pd.DatetimeIndex,
) -> dict[tuple[int, int], PlaceboRank]:
    """Rank each window of an event among the same window at earlier sessions.

    Parameters
    ----------
    news : pandas.DatetimeIndex
        Sessions of the story's other articles and masked confounders, which no placebo may be near.
    """
    sessions = pd.DatetimeIndex(abnormal.design.response.index)
    event = int(sessions.get_loc(abnormal.event_session))
    usable = np.asarray(sessions.isin(abnormal.design.usable))
    y = abnormal.design.response.to_numpy(dtype=float)
    design = abnormal.design.regressors.to_numpy(dtype=float)
    near = [int(p) for p in sessions.get_indexer(news) if p >= 0]
    ranks = {}
    for first, last in windows:
        total = abnormal.sum_window(first, last)
        if total.estimate is None or total.standard_error is None:
            continue
        eligible = eligible_placebo_sessions(
            len(sessions),
            event,
            estimation_length=estimation_sessions,
            gap=gap_sessions,
            first=first,
            last=last,
            news=near,
            usable=usable,
        )
        scars = np.empty(0)
        if eligible.count:
            fits: WindowFits = fit_rolling(
                y,
                design,
                events=eligible.positions,
                estimation_length=estimation_sessions,
                gap=gap_sessions,
                first=first,
                last=last,
            )
            scars = fits.scar
        test = placebo_test(total.estimate / total.standard_error, scars)
        ranks[first, last] = PlaceboRank(test, eligible, scars, sessions[eligible.positions])
    return ranks
