"""Stories taken through every step, for tests of several rooms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis import study as steps
from analysis.config import StudyConfig
from analysis.estimation.abnormal import AbnormalReturns
from analysis.events.sessions import Alignment
from analysis.inference.windows import WindowEstimate
from analysis.market.returns import ReturnPanel

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Computed:
    """One story taken through every step."""

    study: steps.Study
    panel: ReturnPanel
    alignment: Alignment
    measured: steps.Measured
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
