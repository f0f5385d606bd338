"""eventstudy: its ``Single`` and ``Multiple`` on the returns themselves."""

import numpy as np
from eventstudy import Multiple, Single, models

from conformance.hold import Task

PACKAGE = "eventstudy"


def compute(task: Task) -> dict[str, float]:
    """CAR, t, p of each event; CAAR and its t."""
    task.require("market", "constant_mean")
    found, sample = {}, []
    for name, ticker, session in task.events.itertuples(index=False):
        y, m, y_event, m_event = task.cut(ticker, session)
        data = {"security_returns": np.r_[y, y_event]}
        if task.model == "market":
            data["market_returns"] = np.r_[m, m_event]
        model = models.market_model if task.model == "market" else models.constant_mean
        event = Single(model, data, event_window=task.event, estimation_size=y.size, buffer_size=0)
        sample.append(event)
        found |= {f"{name}.car": event.CAR[-1], f"{name}.t": event.tstat[-1], f"{name}.p": event.pvalue[-1]}
    if len(sample) > 1:
        pooled = Multiple(sample)
        found |= {"caar": pooled.CAAR[-1], "mean_variance_z": pooled.tstat[-1]}
    return found
