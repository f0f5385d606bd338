"""event-impact, through the engine that ``impact batch`` uses."""

import numpy as np
import pandas as pd
from event_impact import __version__ as VERSION  # noqa: F401
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.layout import BatchPanel, lay_out_model
from event_impact.many.sample import assess_sample, judge_events

from conformance.hold import Task

PACKAGE = "event-impact"
WITH_P = ("cross_sectional_t", "bmp", "sign", "wilcoxon")


def compute(task: Task) -> dict[str, float]:
    """Every figure of a case."""
    panel = BatchPanel(
        task.returns.index.to_numpy(), tuple(task.returns), task.returns.to_numpy().T, task.returns["MKT"].to_numpy()
    )
    design = lay_out_model(panel, task.model)
    ticker = np.array([panel.tickers.index(name) for name in task.events["ticker"]])
    session = task.returns.index.get_indexer(pd.to_datetime(task.events["session"]))
    estimates = estimate_events(design, ticker, session, windows=EventWindows(*task.estimation, *task.event))
    p = judge_events(design, estimates)
    found = {"events_accounted_for": estimates.car.size, "events_used": int(estimates.is_used.sum())}
    for k, name in enumerate(task.events["event_id"]):
        if estimates.is_used[k]:
            found |= {f"{name}.car": estimates.car[k], f"{name}.t": estimates.scar[k], f"{name}.p": p.t[k]}
            found |= {f"{name}.n_estimation": int(estimates.n_estimation[k])}
            found |= {f"{name}.p_sample_quantile": p.sample_quantile[k], f"{name}.p_conformal": p.conformal[k]}
    result = assess_sample(design, estimates, draws=0)
    found |= {name: test.statistic for name, test in result.tests.items()}
    found |= {f"{name}.p": result.tests[name].p_value for name in WITH_P}
    return found | {"caar": result.caar, "mean_correlation": result.correlation.value}
