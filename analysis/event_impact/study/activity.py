"""Volume and range around a story's event session: the step of the event-study notebook."""

from __future__ import annotations

import pandas as pd

from event_impact.base.errors import DataError, EstimationError
from event_impact.estimation.abnormal import Measured, Unmeasured
from event_impact.estimation.activity_models import (
    ACTIVITY_KINDS,
    build_range_design,
    build_volume_design,
    measure_activity,
)
from event_impact.events.sessions import Alignment
from event_impact.inference.activity_bands import band_activity
from event_impact.inference.activity_tests import Surprise, assess_surprises, lacking_surprises
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel

SESSIONS_SHOWN = (-2, 2)
"""Around the hull of candidate sessions."""


def surprise_activity(study: OpenedStory, panel: ReturnPanel, alignment: Alignment) -> list[Surprise]:
    """Surprise in volume and range from two sessions before the first candidate to two after the last.

    Both prices come from the source of the run: volumes of two vendors cannot be compared.
    """
    first, last = SESSIONS_SHOWN[0], alignment.hull[1] + SESSIONS_SHOWN[1]
    builders = dict(zip(ACTIVITY_KINDS, (build_volume_design, build_range_design), strict=True))
    surprises: list[Surprise] = []
    for kind, build in builders.items():
        try:
            design = build(panel.prices, panel.benchmark_prices, benchmark=panel.benchmark)
            found = measure_activity(
                design,
                alignment.event_session,
                estimation_sessions=study.config.estimation_sessions,
                gap_sessions=study.config.gap_sessions,
                path=(first, last),
            )
            surprises += assess_surprises(found, max(first, -study.config.gap_sessions), last)
        except EstimationError as error:
            surprises += lacking_surprises(kind, first, last, error.message.rstrip("."))
    return surprises


def band_headline(study: OpenedStory, panel: ReturnPanel, measured: Measured) -> pd.DataFrame:
    """Volume and range along the path of the figures, with the quantiles of the estimation window."""
    headline = measured["close_to_close"]
    if isinstance(headline, Unmeasured):
        raise DataError(headline.reason, "Use another source.")
    return band_activity(panel.prices, headline.event_session, fitted=headline.fit.sessions, path=study.config.path)
