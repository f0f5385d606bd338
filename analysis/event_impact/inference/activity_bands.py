"""How busy and how wide were the sessions around an event, against the sessions that fit the model?

Medians and quantiles only, for the eye: what a surprise is worth is tested with its own model.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from event_impact.base.places import place_of
from event_impact.estimation.activity_models import log_range, log_volume

LOW, HIGH = 0.05, 0.95
MEASURES = {"log_volume": log_volume, "log_range": log_range}


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
    activity = pd.DataFrame({name: measure(prices) for name, measure in MEASURES.items()})
    origin = place_of(activity.index, event_session)
    first, last = max(origin + path[0], 0), min(origin + path[1], len(activity) - 1)
    shown = activity.iloc[first : last + 1]
    columns: dict[str, object] = {"rel_session": np.arange(first, last + 1) - origin, "session": shown.index}
    for name in MEASURES:
        known = activity.loc[fitted, name].dropna()
        low, middle, high = known.quantile([LOW, 0.5, HIGH]) if len(known) else (np.nan,) * 3
        columns |= {name: shown[name].to_numpy(), f"{name}_low": low, f"{name}_mid": middle, f"{name}_high": high}
    return pd.DataFrame(columns)
