"""What the bars of an event session say of report and denial: windows with their tests, and the fit behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from event_impact.estimation.bar_fit import BarFit
from event_impact.events.bar_windows import BarAlignment, BarSpan
from event_impact.inference.bar_tests import BarTest
from event_impact.inference.sequence import FiellerSet
from event_impact.market.bar_grid import BarGrid
from event_impact.market.bars import Bars


@dataclass(frozen=True)
class MinuteRow:
    """A window on the clock: tested, only measured (``untested``), or why it cannot be."""

    span: BarSpan
    starts_at: pd.Timestamp = pd.NaT  # type: ignore[assignment]
    ends_at: pd.Timestamp = pd.NaT  # type: ignore[assignment]
    test: BarTest | None = None
    untested: float | None = None
    note: str = ""

    @property
    def estimate(self) -> float | None:
        """The abnormal return of the window."""
        return self.test.estimate if self.test else self.untested


@dataclass(frozen=True)
class MinuteResult:
    """The windows of report and denial on the bars of one listing, the declared rows first.

    ``share`` is the part of the first declared move that the second takes back, None where there is one window only.
    """

    bars: Bars
    files: dict[str, str]
    grid: BarGrid
    alignment: BarAlignment
    fit: BarFit
    rows: tuple[MinuteRow, ...]
    share: FiellerSet | None
    is_reversal: bool

    @property
    def declared(self) -> list[MinuteRow]:
        """The windows that decide."""
        return [row for row in self.rows if row.span.is_declared]

    @property
    def judged(self) -> list[tuple[MinuteRow, BarTest]]:
        """The declared windows with a test."""
        return [pair for pair in self.tested if pair[0].span.is_declared]

    @property
    def tested(self) -> list[tuple[MinuteRow, BarTest]]:
        """The windows with a test."""
        return [(row, row.test) for row in self.rows if row.test]

    @property
    def outcome(self) -> str:
        """Of the first declared window."""
        return self.rows[0].test.outcome if self.rows[0].test else "insufficient_data"

    @property
    def model(self) -> str:
        """What is taken off a return: ``1.04 x QQQ``, or its own mean."""
        slope = f"{float(self.fit.coefficients[-1]):.2f} \u00d7 {self.grid.benchmark_ticker}"
        return slope if self.grid.benchmark_ticker else "its own mean"


class MinuteVariant(NamedTuple):
    """The declared windows measured another way, or on another listing; or why they cannot be."""

    name: str
    result: MinuteResult | None
    reason: str = ""
