"""A foreign listing explained by the home market, matched by hours and not by date.

A Hong Kong session ends before New York opens on the same date. Its return holds what New York did after the Hong
Kong close before, and shares the overnight hours with the New York session that follows. Both get a
coefficient of their own; the sum of the two times one day's return would be wrong in both (the sum-beta serves
the cost of capital, not abnormal returns).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from event_impact.base.errors import EstimationError
from event_impact.estimation.models import Design

EARLIER, LATER = "home_session_before", "home_session_after"


@dataclass(frozen=True)
class MatchedSessions:
    """Foreign sessions with the home sessions on either side.

    Attributes
    ----------
    table : pandas.DataFrame
        Index foreign session; ``home_session_before`` (the one home session that closed since the foreign
        close before), ``home_session_after`` (the first that closes after it) and
        ``home_session_lead`` (the one after that); only sessions where each is unique.
    irregular : pandas.DatetimeIndex
        Foreign sessions left out because a holiday on one side breaks the pattern of one to one.
    """

    table: pd.DataFrame
    irregular: pd.DatetimeIndex


def match_sessions(foreign_closes: pd.Series, home_closes: pd.Series) -> MatchedSessions:
    """Match every foreign session with the home closes before and after its own close.

    Parameters
    ----------
    foreign_closes, home_closes : pandas.Series
        Index session label, values closing instants in UTC, ascending.

    Returns
    -------
    MatchedSessions
    """
    foreign = foreign_closes.to_numpy()
    home = home_closes.to_numpy()
    position = np.searchsorted(home, foreign, side="right")
    closed_since = np.diff(position, prepend=position[0])
    unique_after = np.concatenate([np.diff(position) > 0, [True]])
    has_home = (position >= 1) & (position + 1 < len(home))
    regular = has_home & (closed_since == 1) & unique_after
    regular[0] = False
    kept = position[regular]
    table = pd.DataFrame(
        {
            EARLIER: home_closes.index[kept - 1],
            LATER: home_closes.index[kept],
            "home_session_lead": home_closes.index[kept + 1],
        },
        index=foreign_closes.index[regular],
    )
    outside = has_home & ~regular
    outside[0] = False
    return MatchedSessions(table, pd.DatetimeIndex(foreign_closes.index[outside]))


def build_lead_lag_design(
    foreign_returns: pd.Series, home_returns: pd.Series, matched: MatchedSessions, *, benchmark: str, has_lead: bool
) -> Design:
    """Regress the foreign return on an intercept and the home returns before and after, coefficients separate.

    Parameters
    ----------
    foreign_returns, home_returns : pandas.Series
        Simple close-to-close total returns by own session, fractions.
    has_lead : bool
        Add the home session after next; its coefficient should be near zero, which checks the matching.

    Returns
    -------
    Design
        Index foreign session.

    Raises
    ------
    EstimationError
        If no foreign session can be matched.
    """
    table = matched.table[matched.table.index.isin(foreign_returns.index)]
    if table.empty:
        raise EstimationError("no foreign session has one home session before and after it.", "Check the calendars.")
    names = [EARLIER, LATER, *(["home_session_lead"] if has_lead else [])]
    columns = {
        name: home_returns.reindex(pd.DatetimeIndex(table[name])).to_numpy(dtype=float) for name in names
    }  # fmt: skip
    regressors = pd.DataFrame({"intercept": 1.0, **columns}, index=table.index)
    response = foreign_returns.reindex(table.index).astype(float)
    zero = pd.Series(0.0, index=table.index)
    return Design("lead_lag", "close_to_close", benchmark, regressors[LATER], response, regressors, zero)
