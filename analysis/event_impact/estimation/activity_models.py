"""Normal trading volume and normal daily range, as models with the same interface as returns.

Log volume is explained by the benchmark's, by its own last session and the mean of its last five, by the day of the
week and by ex-dividend days (Ajinkya and Jain 1989; Campbell and Wasley 1996). The daily range is Parkinson's
log standard deviation, explained by the benchmark's and by its own means over 1, 5 and 22 sessions (Parkinson
1980; Corsi 2009). The response is a logarithm: a surprise of 0.7 is twice the expected volume or range.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from event_impact.base.errors import EstimationError
from event_impact.estimation.abnormal import AbnormalReturns, measure_abnormal_returns
from event_impact.estimation.models import Design, estimation_sessions_before

#: (ln H/L)^2 over this is an unbiased variance of a day without drift.
PARKINSON = 4.0 * np.log(2.0)
WEEKDAYS = ("tuesday", "wednesday", "thursday", "friday")
RANGE_LAGS = (5, 22)


def log_volume(prices: pd.DataFrame) -> pd.Series:
    """ln(shares traded), missing where none were."""
    volume = prices["volume"].astype(float)
    return pd.Series(np.log(volume.where(volume > 0.0)))


def log_range(prices: pd.DataFrame) -> pd.Series:
    """ln of Parkinson's standard deviation, sqrt((ln H/L)^2 / (4 ln 2)); missing where high equals low."""
    width = pd.Series(np.log(prices["high"].astype(float) / prices["low"].astype(float)))
    return pd.Series(np.log(width.where(width > 0.0)) - 0.5 * np.log(PARKINSON))


def build_volume_design(prices: pd.DataFrame, benchmark_prices: pd.DataFrame, *, benchmark: str) -> Design:
    """Log volume of a firm with its regressors; days of the week against Monday.

    Parameters
    ----------
    prices, benchmark_prices : pandas.DataFrame
        Same index session; ``volume`` in shares, ``dividend`` on its ex-date.

    Returns
    -------
    Design
        Natural logarithms of shares; index session.

    Raises
    ------
    EstimationError
        If no volume is recorded.
    """
    own, market = (log_volume(p) for p in (prices, benchmark_prices))
    own, market = own - own.mean(), market - market.mean()  # nothing is lost to rounding at levels near 18
    weekday = pd.DatetimeIndex(prices.index).day_of_week
    regressors = {
        "benchmark_log_volume": market,
        "log_volume_before": own.shift(1),
        "mean_of_5_before": own.shift(1).rolling(5).mean(),
        **{name: (weekday == day).astype(float) for day, name in enumerate(WEEKDAYS, start=1)},
        "ex_dividend": (prices["dividend"].fillna(0.0) > 0.0).astype(float),
    }
    return _design("log_volume", benchmark, market, own, regressors, recorded="volume of {} is")


def build_range_design(prices: pd.DataFrame, benchmark_prices: pd.DataFrame, *, benchmark: str) -> Design:
    """Log range of a firm with its own means over 1, 5 and 22 sessions and the benchmark's range.

    Parameters
    ----------
    prices, benchmark_prices : pandas.DataFrame
        Same index session; ``high`` and ``low`` in the currency of each listing.
    benchmark : str
        Its ticker, for labels.

    Returns
    -------
    Design
        Natural logarithms of Parkinson's standard deviation; index session.

    Raises
    ------
    EstimationError
        If no highs and lows are recorded.
    """
    own, market = log_range(prices), log_range(benchmark_prices)
    regressors = {
        "benchmark_log_range": market,
        "log_range_before": own.shift(1),
        **{f"mean_of_{lag}_before": own.shift(1).rolling(lag).mean() for lag in RANGE_LAGS},
    }
    return _design("log_range", benchmark, market, own, regressors, recorded="highs and lows of {} are")


def drop_unvarying(design: Design, sessions: pd.DatetimeIndex) -> Design:
    """Without the regressors that are zero on all given sessions, such as ex-dividend days of a firm that pays none."""
    varies = (design.regressors.loc[design.regressors.index.isin(sessions)] != 0.0).any()
    return replace(design, regressors=design.regressors.loc[:, varies])


def measure_activity(
    design: Design, event_session: pd.Timestamp, *, path: tuple[int, int] = (0, 0), **lengths: Any
) -> AbnormalReturns:
    """Prediction errors of log volume or log range around a session; regressors that never vary are left out.

    Parameters
    ----------
    design : Design
        From :func:`build_volume_design` or :func:`build_range_design`.
    event_session : pandas.Timestamp
        rel_session 0.
    path : (int, int)
        First and last rel_session.
    **lengths : int
        ``estimation_sessions`` and ``gap_sessions``.

    Returns
    -------
    AbnormalReturns
        In units of the design: natural logarithms, not fractions.

    Raises
    ------
    EstimationError
        If too few sessions are usable.
    """
    length, gap = lengths["estimation_sessions"], lengths["gap_sessions"]
    window = estimation_sessions_before(design.sessions, event_session, length=length, gap=gap)
    return measure_abnormal_returns(drop_unvarying(design, window), event_session, **lengths, path=path)


def _design(
    kind: str, benchmark: str, market: pd.Series, own: pd.Series, columns: dict[str, Any], *, recorded: str
) -> Design:
    for values, whose in ((own, "the firm"), (market, benchmark)):
        if not values.notna().any():
            raise EstimationError(f"no {recorded.format(whose)} recorded.", "")
    regressors = pd.DataFrame({"intercept": 1.0, **columns}, index=own.index)
    return Design(kind, kind, benchmark, market, own, regressors, pd.Series(0.0, index=own.index))
