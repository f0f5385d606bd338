"""ffjr-eventstudies: its ``SingleEvent`` and ``MultipleEvents`` on the returns themselves."""

import numpy as np
from eventstudies import MultipleEvents, SingleEvent, models

from conformance.hold import Task

PACKAGE = "ffjr-eventstudies"
NOTE = "zeros at the edges of the series are cut from the firm's returns and not from the market's"
MODELS = {
    "market": models.MarketModel,
    "constant_mean": models.MeanAdjustedModel,
    "market_adjusted": models.MarketAdjustedModel,
}


def compute(task: Task) -> dict[str, float]:
    """CAR, t, p of each event; CAAR and its t."""
    task.require(*MODELS)
    found, sample = {}, []
    for name, ticker, session in task.events.itertuples(index=False):
        y, m, y_event, m_event = task.cut(ticker, session)
        data = {"daily_ret": np.r_[y, y_event]}
        if task.model != "constant_mean":
            data["daily_mkt"] = np.r_[m, m_event]
        event = SingleEvent(MODELS[task.model], data, event_window=task.event, est_size=y.size, buffer_size=0)
        sample.append(event)
        found |= {f"{name}.car": event.CAR[-1], f"{name}.t": event.tstat[-1], f"{name}.p": event.pvalue[-1]}
    if len(sample) > 1:
        pooled = MultipleEvents(sample)
        found |= {"caar": pooled.CAAR[-1], "mean_variance_z": pooled.tstat[-1]}
    return found
