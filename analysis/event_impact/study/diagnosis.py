"""Diagnostics of a story's headline, with sessions in place of offsets and the doubts of the data notes."""

from __future__ import annotations

import pandas as pd

from event_impact.estimation.abnormal import Measured, Unmeasured
from event_impact.inference.diagnostics import StudyDiagnostics, diagnose, slope_without
from event_impact.inference.windows import HEADLINE_KIND
from event_impact.study.steps import OpenedStory


def diagnose_headline(study: OpenedStory, measured: Measured) -> StudyDiagnostics | Unmeasured:
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
