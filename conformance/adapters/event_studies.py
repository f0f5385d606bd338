"""event-studies: takes prices and their logarithms; prices are made so that the logarithms are the returns."""

import numpy as np
import pandas as pd
from event_studies.models.finance import MarketModel, generalized_sign_test, j1, j2, rank_test
from event_studies.models.finance.tests import calculate_aggregations

from conformance.hold import Task

PACKAGE = "event-studies"


def compute(task: Task) -> dict[str, float]:
    """CAR and t of each event, J1, J2, rank and sign tests."""
    task.require("market")
    prices = np.exp(task.returns.cumsum())
    market = prices["MKT"].rename_axis("Date").reset_index()
    sample = []
    for _, ticker, session in task.events.itertuples(index=False):
        at = task.returns.index.get_loc(pd.Timestamp(session))
        cut = [prices[ticker].iloc[at + first - 1 : at + last + 1] for first, last in (task.estimation, task.event)]
        estimation, event = (part.rename_axis("Date").reset_index() for part in cut)
        sample.append(
            {
                "estimation_data": estimation,
                "event_data": event,
                "firm": ticker,
                "date_col": "Date",
                "start": 0,
                "end": task.event[1] - task.event[0],
            }
        )
    parts = calculate_aggregations(MarketModel(market, "MKT"), sample)
    found = {}
    for name, part in zip(task.events["event_id"], parts, strict=True):
        found |= {f"{name}.car": part["parametric"]["car"], f"{name}.t": part["parametric"]["scar"]}
    if len(parts) < 2:
        return found
    pooled = {"mean_variance_z": j1(parts), "patell": j2(parts), "corrado_plain": rank_test(parts)}
    return found | pooled | {"generalized_sign": generalized_sign_test(parts)}
