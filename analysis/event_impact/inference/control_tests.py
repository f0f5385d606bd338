"""The tests on sessions whose answer is known."""

from __future__ import annotations

from dataclasses import dataclass

from event_impact.base.result import TestResult
from event_impact.events.control_sessions import Control
from event_impact.inference.levels import is_rejected


@dataclass(frozen=True)
class ControlResult:
    """One control with its estimate and tests, or the reason why it has none.

    Attributes
    ----------
    estimate : float or None
        Abnormal return of the session, market model, close to close.
    tests : dict of str to TestResult
        ``t``, ``conformal``, ``fhs``.
    """

    control: Control
    estimate: float | None
    tests: dict[str, TestResult]
    note: str = ""

    @property
    def rank_p(self) -> float | None:
        """The larger of conformal and FHS, by which outcomes are decided."""
        known = [self.tests[n].p_value for n in ("conformal", "fhs") if n in self.tests]
        return max((p for p in known if p is not None), default=None)

    def is_as_expected(self, significance: float) -> bool | None:
        """Whether the rank p rejects where it should and only there; None without a p."""
        if self.rank_p is None:
            return None
        return is_rejected(self.rank_p, significance) == (self.control.expected == "must_reject")
