"""Diagnostics of a story's headline, with sessions in place of offsets and the doubts of the data notes."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.inference.diagnostics import Diagnostics, diagnose, slope_without
from analysis.inference.windows import HEADLINE_KIND
from analysis.study import Measured, Study, Unmeasured


@dataclass(frozen=True)
class StudyDiagnostics:
    """Diagnostics of the headline's estimation window, its offsets turned into sessions.

    Attributes
    ----------
    dropped_sessions : tuple of pandas.Timestamp
        The two sessions of highest leverage.
    doubtful_sessions : tuple of pandas.Timestamp
        Sessions of the window whose closing print of the benchmark the data notes call doubtful.
    beta_without_doubtful : float or None
        None when the window holds no such session or the model has no slope.
    """

    diagnostics: Diagnostics
    largest_leverage_session: pd.Timestamp
    average_leverage: float
    dropped_sessions: tuple[pd.Timestamp, ...]
    doubtful_sessions: tuple[pd.Timestamp, ...]
    beta_without_doubtful: float | None


def diagnose_headline(study: Study, measured: Measured) -> StudyDiagnostics | Unmeasured:
    """What in the estimation window of the headline could spoil its tests.

    Models with another estimator than least squares are diagnosed by least squares on their regressors.
    """
    headline = measured[HEADLINE_KIND]
    if isinstance(headline, Unmeasured):
        return headline
    total = headline.sum_window(0, 0)
    if total.estimate is None:
        return Unmeasured(total.note)
    fit = headline.fit
    names = list(fit.coefficients.index)
    slope = next((names.index(name) for name in ("market_beta", "mkt_rf") if name in names), None)
    y = headline.design.response.loc[fit.sessions].to_numpy(dtype=float)
    found = diagnose(headline.window_fits(0, 0), y, fit.design_matrix, slope=slope)
    history = study.store.load(study.benchmark, study.story.exchange)
    notes = history.faults[(history.faults["field"] == "close") & (history.faults["session"] != "")]
    doubtful = fit.sessions.intersection(pd.DatetimeIndex(notes["session"]))
    without = None
    if slope is not None and len(doubtful):
        without = slope_without(y, fit.design_matrix, sessions=fit.sessions.get_indexer(doubtful), slope=slope)
    stability = found.beta_stability
    return StudyDiagnostics(
        diagnostics=found,
        largest_leverage_session=fit.sessions[found.largest_leverage_offset],
        average_leverage=len(names) / fit.n_estimation,
        dropped_sessions=tuple(fit.sessions[list(stability.dropped)]) if stability else (),
        doubtful_sessions=tuple(doubtful),
        beta_without_doubtful=without,
    )
