"""Volume and price range with their own habits: designs for the market's share, persistence and weekday.

Both are logarithms, so they carry no direction: they can show attention, never a mood. Raw ratios are never tested.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.errors import EstimationError
from analysis.estimation.models import Design

WEEKDAYS = ("tuesday", "wednesday", "thursday", "friday")
PARKINSON = 4.0 * np.log(2.0)


def build_volume_design(prices: pd.DataFrame, market: pd.DataFrame, *, benchmark: str) -> Design:
    """Log volume on the market's log volume, its own lag and five-session mean, weekdays and ex-dividend days.

    Parameters
    ----------
    prices, market : pandas.DataFrame
        Index session; ``volume`` in shares, ``dividend``.

    Raises
    ------
    EstimationError
        If a session has no volume.
    """
    if not ((prices["volume"] > 0).all() and (market["volume"] > 0).all()):
        raise EstimationError("sessions without volume have no logarithm.", "Use another source.")
    own, other = np.log(prices["volume"]), np.log(market["volume"])
    columns = {
        "market_volume": other,
        "lag": own.shift(),
        "mean_5": own.shift().rolling(5).mean(),
        **_weekdays(prices.index),
    }
    is_ex = (prices["dividend"] > 0).astype(float)
    if is_ex.any():
        columns["ex_dividend"] = is_ex
    return _design("log volume", own, other, columns, benchmark)


def build_range_design(prices: pd.DataFrame, market: pd.DataFrame, *, benchmark: str) -> Design:
    """Log Parkinson range on the market's, and its own lag and means over 5 and 22 sessions.

    ln sqrt(ln(H/L)^2 / (4 ln 2)); Parkinson (1980), lags as in Corsi (2009).

    Raises
    ------
    EstimationError
        If highs and lows are not recorded or a range is zero.
    """
    own, other = log_range(prices), log_range(market)
    lagged = own.shift()
    columns = {
        "market_range": other,
        "lag": lagged,
        "mean_5": lagged.rolling(5).mean(),
        "mean_22": lagged.rolling(22).mean(),
    }
    return _design("log range", own, other, columns, benchmark)


def log_range(prices: pd.DataFrame) -> pd.Series:
    """Log of the Parkinson standard deviation of each session."""
    width = np.log(prices["high"] / prices["low"])
    if width.isna().any():
        raise EstimationError("highs and lows are not recorded.", "Use a source that has them.")
    if (width <= 0).any():
        raise EstimationError("a session without a price range has no logarithm.", "Use another source.")
    return np.log(width) - 0.5 * np.log(PARKINSON)


def _weekdays(sessions: pd.DatetimeIndex) -> dict[str, pd.Series]:
    return {
        name: pd.Series((sessions.dayofweek == day).astype(float), index=sessions)
        for day, name in enumerate(WEEKDAYS, start=1)
    }


def _design(kind: str, own: pd.Series, other: pd.Series, columns: dict[str, pd.Series], benchmark: str) -> Design:
    regressors = pd.DataFrame({"intercept": 1.0, **columns}, index=own.index)
    zero = pd.Series(0.0, index=own.index)
    return Design("market", kind, benchmark, other, own, regressors, zero)
