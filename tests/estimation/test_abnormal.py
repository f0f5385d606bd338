from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from event_impact.base.errors import EstimationError
from event_impact.estimation.abnormal import measure_abnormal_returns
from event_impact.estimation.models import Design


def design_with(missing: list[int]) -> Design:
    rng = np.random.default_rng(2)
    sessions = pd.bdate_range("2020-01-01", periods=120)
    market = rng.normal(0, 0.01, 120)
    firm = pd.Series(market + rng.normal(0, 0.01, 120), index=sessions)
    firm.iloc[missing] = np.nan
    regressors = pd.DataFrame({"intercept": 1.0, "market_beta": market}, index=sessions)
    zero = pd.Series(0.0, index=sessions)
    return Design("market", "close_to_close", "M", zero, firm, regressors, zero)


def measure(design: Design):
    return measure_abnormal_returns(
        design, design.response.index[110], estimation_sessions=80, gap_sessions=10, path=(-5, 2)
    )


def test_a_gap_session_without_a_return_is_closed_up():
    whole, holed = measure(design_with([])), measure(design_with([104]))
    fits, shorter = whole.window_fits(0, 1), holed.window_fits(0, 1)
    assert fits.gap_abnormal_returns.shape == (1, 10)
    assert shorter.gap_abnormal_returns.shape == (1, 9)
    np.testing.assert_allclose(shorter.gap_abnormal_returns[0], np.delete(fits.gap_abnormal_returns[0], 4))
    np.testing.assert_allclose(shorter.abnormal_returns, fits.abnormal_returns)


def test_a_window_over_a_missing_return_is_incomplete_not_closed_up():
    holed = measure(design_with([108]))
    assert holed.sum_window(-3, -1).note == "incomplete: 2 of 3 sessions"
    with pytest.raises(EstimationError, match="finite"):
        holed.window_fits(-3, -1)
    assert holed.window_fits(0, 0).abnormal_returns.shape == (1, 1)
