"""EasyEventStudies: its own steps, windows in calendar days around the event."""

import numpy as np
import pandas as pd
from EasyEventStudies import easy_event_studies as package

from conformance.hold import Task

PACKAGE = "EasyEventStudies"
MODELS = {"market": "market_model", "constant_mean": "constant_model"}


def compute(task: Task) -> dict[str, float]:
    """CAR, t and p of each event over the calendar days that hold the sessions of its windows."""
    task.require(*MODELS)
    mode, found = MODELS[task.model], {}
    factors = pd.DataFrame({"Date": task.returns.index, "Mkt": task.returns["MKT"].to_numpy()})
    for name, ticker, session in task.events.itertuples(index=False):
        day = pd.Timestamp(session)
        at = task.returns.index.get_loc(day)
        stock = pd.DataFrame({"Date": task.returns.index, "Daily_Return": task.returns[ticker].to_numpy()})
        spans = [
            tuple(int((task.returns.index[at + edge] - day).days) for edge in window)
            for window in (task.estimation, task.event)
        ]
        x = package.create_X_matrix(factors, spans[0], day, mode)
        y = package.create_Y_matrix(stock, day, spans[0])
        x_star = package.create_X_star_matrix(day, spans[1], factors, mode)
        y_star = package.create_Y_star_matrix(day, spans[1], stock)
        model, s2 = package.estimate_return_model(x, y, mode)
        normal, abnormal = package.estimate_normal_abnormal_returns(model, x_star, y_star)
        variance = package.estimate_variance_of_abnormal_returns(x, y, x_star, y_star, s2)
        table = package.create_event_study_output(day, stock, factors, normal, abnormal, variance, spans[1], 0, mode)
        last = table.iloc[-1]
        found |= {f"{name}.car": last["CAR"], f"{name}.t": last["t_statistic"], f"{name}.p": last["p_value"]}
    return {key: float(value) for key, value in found.items() if np.isfinite(value)}
