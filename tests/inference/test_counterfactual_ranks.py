"""Ranks for any estimator: with least squares as the estimator they are the closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from event_impact.estimation.rolling import fit_rolling
from event_impact.estimation.rolling_estimators import fit_counterfactual
from event_impact.inference.block_conformal import conformal_p_values
from event_impact.inference.counterfactual_ranks import rank_counterfactual
from event_impact.inference.sample_quantile import sample_quantile_p


def solve_ols(returns, design):
    return np.array([np.linalg.lstsq(x, y, rcond=None)[0] for y, x in zip(returns, design, strict=True)])


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(12)
    market = rng.normal(0, 0.01, 200)
    y = market + rng.standard_t(4, 200) * 0.01
    y[180:] += 0.012
    return y, np.column_stack([np.ones(200), market])


def fits_of(series, last):
    window = np.arange(180, 181 + last)
    return fit_counterfactual(
        *series, solve_ols, estimation=np.arange(170), window=window, between=np.arange(170, 180)
    )  # fmt: skip


@pytest.mark.parametrize("last", [0, 2, 4])
def test_with_least_squares_the_ranks_are_the_closed_forms(series, last):
    found = rank_counterfactual(fits_of(series, last)).tests
    closed = fit_rolling(*series, events=[180], estimation_length=170, gap=10, last=last)
    assert found["block_conformal"].p_value == conformal_p_values(closed)[0]
    if last:
        assert not found["conformal"].is_computed
        assert not found["fhs"].is_computed
        assert not found["sample_quantile"].is_computed
    else:
        assert found["conformal"].p_value == found["block_conformal"].p_value
        assert found["sample_quantile"].p_value == sample_quantile_p(
            float(closed.abnormal_returns[0, 0]), closed.residuals[0]
        )
        assert 0 < found["fhs"].p_value <= 1


def test_interval_is_the_order_statistic_of_the_blocks(series):
    fits = fits_of(series, 1)
    low, high = rank_counterfactual(fits).interval
    e = fits.residuals[0]
    sums = sorted(abs(e[i] + e[(i + 1) % 170]) for i in range(170))
    half = sums[int(np.ceil(0.95 * 171)) - 1]
    estimate = fits.abnormal_returns.sum()
    assert (low, high) == pytest.approx((estimate - half, estimate + half))
    assert rank_counterfactual(fits, level=0.001).interval is None
