"""eventstudystatistics: takes abnormal returns and residuals, here those of an exact least-squares fit."""

import numpy as np
from eventstudystatistics import adjBMP, grank

from conformance.hold import Task

PACKAGE = "eventstudystatistics"
NOTE = "the p of the form named for its statistic, from a normal"


def compute(task: Task) -> dict[str, float]:
    """BMP, its adjusted form and GRANK."""
    task.require("market")
    if len(task.events) < 2:
        raise NotImplementedError("needs a sample")
    residuals, abnormal, before, during = [], [], [], []
    for _, ticker, session in task.events.itertuples(index=False):
        y, m, y_event, m_event = task.cut(ticker, session)
        slope, intercept = np.polyfit(m, y, 1)
        residuals.append(y - intercept - slope * m)
        abnormal.append(y_event - intercept - slope * m_event)
        before.append(m)
        during.append(m_event)
    given = [np.array(part) for part in (abnormal, residuals, before, during)]
    window = [0, given[0].shape[1] - 1]
    plain = adjBMP(*given, window, adjustment=False)
    return {
        "bmp": float(plain.statistic),
        "bmp.p": float(plain.pvalue),
        "kp_bmp": float(np.squeeze(adjBMP(*given, window).statistic)),
        "grank_t": float(grank(*given, window).statistic),
    }
