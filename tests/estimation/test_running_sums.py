from __future__ import annotations

import numpy as np
import pytest
from event_impact.base.errors import EstimationError
from event_impact.estimation.rolling import fit_rolling, fit_windows
from event_impact.estimation.running_sums import standardise_from_sums, sum_products

LENGTH, GAP = 60, 10


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(400), rng.standard_t(4, (400, 3)) * 0.01])
    y = x @ [0.0003, 1.2, -0.4, 0.2] + rng.standard_t(4, 400) * 0.015
    return y, x


EVENTS = np.array([70, 71, 150, 399])


def forecasts(y, x, usable=None, events=EVENTS):
    usable = np.ones(len(y), bool) if usable is None else usable
    return standardise_from_sums(sum_products(y, x, usable=usable), events=events, estimation_length=LENGTH, gap=GAP)


def test_agrees_with_the_orthogonal_fit_of_every_window(series):
    y, x = series
    found = forecasts(y, x)
    exact = fit_rolling(y, x, events=EVENTS, estimation_length=LENGTH, gap=GAP)
    np.testing.assert_allclose(found, (exact.abnormal_returns / exact.forecast_std)[:, 0], rtol=1e-9)


def test_left_out_sessions_are_deleted(series):
    y, x = series
    usable = np.ones(len(y), bool)
    usable[[95, 100, 139]] = False
    broken = y.copy()
    broken[[95, 100]] = np.nan
    found = forecasts(broken, x, usable, events=np.array([150]))
    window = np.arange(80, 140)
    kept = window[usable[window]]
    exact = fit_windows(y, x, estimation=kept, window=np.array([150]))
    assert found[0] == pytest.approx((exact.abnormal_returns / exact.forecast_std)[0, 0], rel=1e-9)


def test_neither_an_offset_nor_the_unit_changes_anything(series):
    y, x = series
    base = forecasts(y, x)
    moved = forecasts(y + 1e4, x + np.array([0, 5e3, 0, 0]))
    np.testing.assert_allclose(moved, base, atol=1e-7)
    np.testing.assert_allclose(forecasts(100 * y, x), base, rtol=1e-10)


def test_models_without_regressors_and_with_a_constant_alone(series):
    y, _ = series
    nothing = forecasts(y, np.empty((400, 0)), events=np.array([200]))
    window = y[130:190]
    assert nothing[0] == pytest.approx(y[200] / np.sqrt(window @ window / LENGTH))
    mean = forecasts(y, np.ones((400, 1)), events=np.array([200]))
    error = window.std(ddof=1) * np.sqrt(1 + 1 / LENGTH)
    assert mean[0] == pytest.approx((y[200] - window.mean()) / error)


def test_refusals(series):
    _, x = series
    with pytest.raises(EstimationError, match="exactly"):
        forecasts(x @ [1.0, 2.0, 3.0, 4.0], x)
