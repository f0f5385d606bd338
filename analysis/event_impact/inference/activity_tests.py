"""Was a session unusually busy or unusually wide? Prediction-error t and ranks, both tails, per session.

Volume and range have no direction: they can speak of attention, never of what it was for.

How busy and how wide were the sessions around an event, against the sessions that fit the model?

Medians and quantiles only, for the eye: what a surprise is worth is tested with its own model.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from event_impact.base.places import place_of
from event_impact.base.result import TestResult, frame_of, not_computable
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.activity_models import log_range, log_volume
from event_impact.inference.parametric import prediction_error_t
from event_impact.inference.ranks import sample_quantile


@dataclass(frozen=True)
class Surprise:
    """One session's log volume or log range against what was expected from the sessions before it.

    Attributes
    ----------
    kind : str
        ``log_volume`` or ``log_range``.
    surprise : float or None
        Log of observed over expected; None with the reason in ``note``.
    tests : dict of str to TestResult
        ``t`` and ``sample_quantile``, both two-sided.
    """

    kind: str
    rel_session: int
    session: pd.Timestamp | None
    surprise: float | None
    standard_error: float | None
    tests: dict[str, TestResult]
    note: str = ""


def assess_surprises(found: AbnormalReturns, first: int, last: int) -> list[Surprise]:
    """Surprise of every session from ``first`` to ``last``, each predicted from the sessions before it.

    The skewed residuals of log volume make the t test reject too often above and too rarely below; the ranks do not.

    Parameters
    ----------
    found : AbnormalReturns
        Of log volume or log range.
    first, last : int
        rel_sessions, both included.

    Returns
    -------
    list of Surprise
    """
    surprises = []
    for k in range(first, last + 1):
        total = found.sum_window(k, k)
        if total.estimate is None or total.standard_error is None:
            surprises += lacking_surprises(found.design.model, k, k, total.note)
            continue
        t = prediction_error_t(total.estimate, total.standard_error, found.fit.df)
        tests = {"t": t, "sample_quantile": sample_quantile(total.abnormal, found.fit.residuals)}
        known = total.estimate, total.standard_error
        surprises.append(Surprise(found.design.model, k, found.session_of(k), *known, tests))
    return surprises


def lacking_surprises(kind: str, first: int, last: int, reason: str) -> list[Surprise]:
    """Rows that cannot be computed, with their reason."""
    tests = {name: not_computable(name, reason) for name in ("t", "sample_quantile")}
    return [Surprise(kind, k, None, None, None, tests, reason) for k in range(first, last + 1)]


def surprise_frame(surprises: list[Surprise]) -> pd.DataFrame:
    """One row a kind and session: rel_session, session, surprise, standard_error, t, p_t, p_sample_quantile, note."""
    columns = "kind rel_session session surprise standard_error t=tests.t.statistic p_t=tests.t.p_value"
    return frame_of(surprises, f"{columns} p_sample_quantile=tests.sample_quantile.p_value note")


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
