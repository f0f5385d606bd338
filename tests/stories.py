"""Stories taken through every step, for tests of several rooms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from event_impact.base.config import StudyConfig
from event_impact.estimation.abnormal import AbnormalReturns, Measured
from event_impact.events.sessions import Alignment
from event_impact.inference.windows import WindowEstimate
from event_impact.market.returns import ReturnPanel
from event_impact.study import steps

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Computed:
    """One story taken through every step."""

    study: steps.OpenedStory
    panel: ReturnPanel
    alignment: Alignment
    measured: Measured
    rows: list[WindowEstimate]

    @property
    def headline(self) -> AbnormalReturns:
        abnormal = self.measured["close_to_close"]
        assert isinstance(abnormal, AbnormalReturns)
        return abnormal


def compute(**parameters: object) -> Computed:
    study = steps.open_study(StudyConfig.from_parameters(**parameters), ROOT)
    panel = steps.load_returns(study)
    alignment = steps.align(study, panel)
    measured = steps.measure(study, panel, alignment)
    return Computed(study, panel, alignment, measured, steps.estimate(study, measured, alignment))
