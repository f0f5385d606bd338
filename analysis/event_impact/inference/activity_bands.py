"""How busy and how wide were the sessions around an event, against the sessions that fit the model?

Medians and quantiles only, for the eye: what a surprise is worth is tested with its own model.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from event_impact.base.places import place_of

LOW, HIGH = 0.05, 0.95
PARKINSON = 4 * np.log(2)
MEASURES = ("log_volume", "log_range")


def compute_log_activity(prices: pd.DataFrame) -> pd.DataFrame:
    """Log volume and log Parkinson range of every session.

    ``ln V`` and ``ln sqrt(ln(H/L)^2 / (4 ln 2))`` (Parkinson 1980); missing where volume, high or low is
    not recorded, or where a session has no volume or no range.

    Parameters
    ----------
    prices : pandas.DataFrame
        Index session; volume, high, low.

    Returns
    -------
    pandas.DataFrame
        Same index; columns :data:`MEASURES`, natural logarithms.
    """
    width = pd.Series(np.log(prices["high"].astype(float) / prices["low"].astype(float)))
    volume = prices["volume"].astype(float)
    return pd.DataFrame(
        {
            "log_volume": np.log(volume.where(volume > 0)),
            "log_range": np.log(width.where(width > 0)) - np.log(PARKINSON) / 2,
        }
    )


def band_activity(
    prices: pd.DataFrame, event_session: pd.Timestamp, *, fitted: pd.DatetimeIndex, path: tuple[int, int]
) -> pd.DataFrame:
    """Activity along a path of rel_sessions with the quantiles of the estimation window beside it.

    Parameters
    ----------
    fitted : pandas.DatetimeIndex
        Sessions of the estimation window.
    path : (int, int)
        First and last rel_session, cut where the prices begin and end.

    Returns
    -------
    pandas.DataFrame
        One row a session: rel_session, session and, for each of :data:`MEASURES`, the value and
        ``_low`` (5 %), ``_mid`` (median), ``_high`` (95 %) of the estimation window; missing where nothing
        is recorded.
    """
    activity = compute_log_activity(prices)
    origin = place_of(activity.index, event_session)
    first, last = max(origin + path[0], 0), min(origin + path[1], len(activity) - 1)
    shown = activity.iloc[first : last + 1]
    columns: dict[str, object] = {"rel_session": np.arange(first, last + 1) - origin, "session": shown.index}
    for name in MEASURES:
        known = activity.loc[fitted, name].dropna()
        low, middle, high = known.quantile([LOW, 0.5, HIGH]) if len(known) else (np.nan,) * 3
        columns |= {name: shown[name].to_numpy(), f"{name}_low": low, f"{name}_mid": middle, f"{name}_high": high}
    return pd.DataFrame(columns)
