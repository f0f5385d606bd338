"""What one executed notebook hands to its runner: its record, and the tables that no exhibit shows."""

import json
from dataclasses import dataclass

import pandas as pd

from event_impact.base.run_record import RunRecord
from event_impact.estimation.abnormal import AbnormalReturns, Measured
from event_impact.market.opened import OpenedStory
from event_impact.page.markup import frame_table, mark_up_row
from event_impact.page.provenance import RECORD_MIME

PATH_COLUMNS = (
    "return_kind", "model", "benchmark", "mask", "rel_session", "session", "firm_return", "benchmark_return",
    "expected_return", "ar", "forecast_std", "t", "p_t", "confounders",
)  # fmt: skip


@dataclass(frozen=True)
class Provenance:
    """What the last cell of a notebook shows: parameters and inputs for readers, the record for the runner.

    It travels inside the executed notebook as an output of its own media type, so that any way of
    executing the notebook keeps its numbers.
    """

    run: RunRecord
    tables: dict[str, str]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        payload = {"run": self.run.as_json(), "tables": self.tables}
        return {
            "text/html": self._repr_html_(),
            "text/plain": "run record",
            RECORD_MIME: json.loads(json.dumps(payload, allow_nan=False)),
        }

    def _repr_html_(self) -> str:
        blocks = (
            ("Parameters of this run.", "parameter", "value", self.run.parameters),
            (f"Input files with their sha256. Figures from vintage {self.run.vintage}.", "file", "sha256", self.run.inputs),
        )  # fmt: skip
        return "".join(
            frame_table(caption, heads, "".join(mark_up_row(name, [value]) for name, value in rows.items()))
            for caption, *heads, rows in blocks
        )


def path_frame(opened: OpenedStory, measured: Measured) -> pd.DataFrame:
    """``results/abnormal_returns.csv``."""
    shared = {"model": opened.config.model, "benchmark": opened.benchmark, "mask": opened.config.mask}
    parts = [
        abnormal.table.reset_index().assign(confounders=abnormal.confounders.to_numpy(), return_kind=kind, **shared)
        for kind, abnormal in measured.items()
        if isinstance(abnormal, AbnormalReturns)
    ]
    return pd.concat(parts, ignore_index=True)[list(PATH_COLUMNS)]
