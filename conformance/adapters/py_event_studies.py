"""py-event-studies: its regression and the statistics it makes of residuals."""

import contextlib

import numpy as np
from py_event_studies import _car_statistic_tests as tests
from py_event_studies._calibration import reg

from conformance.hold import Task

PACKAGE = "py-event-studies"
METHODS, MARKET = 10, 4  # its arrays hold ten methods, of which the fifth has the market alone


def compute(task: Task) -> dict[str, float]:
    """Statistics of the sample."""
    task.require("market")
    if len(task.events) < 2:
        raise NotImplementedError("needs a sample")
    before, during, leverage, found = [], [], [], {}
    for name, ticker, session in task.events.itertuples(index=False):
        y, m, y_event, m_event = task.cut(ticker, session)
        residuals, abnormal, _, d = reg(m[:, None], y, m_event[:, None], y_event)
        before.append(residuals)
        during.append(abnormal)
        leverage.append(d)
        found[f"{name}.car"] = abnormal.sum()
    stack = [
        np.broadcast_to(np.array(part).T, (1, METHODS, *np.array(part).T.shape)) for part in (during, before, leverage)
    ]
    event, estimation, d = stack
    rbar = tests.create_avg_corrs(estimation)
    found |= {
        "caar": float(np.mean(list(found.values()))),
        "mean_variance_z": tests.standard_test(event, estimation)[0, MARKET],
        "cross_sectional_t": tests.ordinary_cross_sec_test(event)[0, MARKET],
        "mean_correlation": rbar[0, MARKET],
    }
    with contextlib.suppress(ValueError):  # windows of several days end in a broadcasting error
        found["bmp"] = tests.bmp_test(event, estimation, d)[0, MARKET]
    with contextlib.suppress(ValueError):
        found["kp_bmp"] = tests.kp_test(event, estimation, rbar)[0, MARKET]
    return found
