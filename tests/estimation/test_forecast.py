"""The forecast covariance under GARCH, written out session by session."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from event_impact.estimation.abnormal import forecast_covariances, measure_abnormal_returns
from event_impact.estimation.garch import GarchParameters, estimate_garch, fit_garch
from event_impact.estimation.models import build_design
from event_impact.estimation.rolling import fit_rolling
from scipy import stats


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(5)
    market = rng.normal(0, 0.01, 330)
    spread = 0.01 * np.exp(0.5 * np.sin(np.arange(330) / 25))
    return 1.2 * market + spread * rng.standard_normal(330), np.column_stack([np.ones(330), market])


def literal_covariance(y, x, *, event, length, gap, first, last, alpha, beta):
    """Loops over the formula: recursion through the gap, forecasts ahead, sandwich of known variances."""
    rows = range(event - gap - length, event - gap)
    x0 = x[list(rows)]
    b = np.linalg.solve(x0.T @ x0, x0.T @ y[list(rows)])
    errors = [y[t] - x[t] @ b for t in range(rows[0], event + first)]
    target = sum(e**2 for e in errors[:length]) / length
    h = [target]
    for e in errors:
        h.append(target * (1 - alpha - beta) + alpha * e**2 + beta * h[-1])
    inverse = np.linalg.inv(x0.T @ x0)
    meat = sum(h[i] * np.outer(x0[i], x0[i]) for i in range(length))
    x1 = x[event + first : event + last + 1]
    covariance = x1 @ inverse @ meat @ inverse @ x1.T
    for j in range(last - first + 1):
        covariance[j, j] += target + (alpha + beta) ** j * (h[-1] - target)
    return covariance


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 2), (-3, 1)])
def test_garch_covariance_is_its_formula(series, first, last):
    y, x = series
    fits = fit_rolling(y, x, events=[300, 310], estimation_length=250, gap=10, first=first, last=last)
    parameters = GarchParameters(np.array([0.1, 0.2]), np.array([0.8, 0.3]))
    found = forecast_covariances(fits, parameters)
    for i, event in enumerate((300, 310)):
        expected = literal_covariance(
            y, x, event=event, length=250, gap=10, first=first, last=last,
            alpha=parameters.alpha[i], beta=parameters.beta[i],
        )  # fmt: skip
        np.testing.assert_allclose(found[i], expected, rtol=1e-10)


def test_without_clustering_the_covariance_is_that_of_a_constant_variance(series):
    fits = fit_rolling(*series, events=[300], estimation_length=250, gap=10, last=2)
    flat = forecast_covariances(fits, GarchParameters(np.zeros(1), np.zeros(1)))[0]
    per_session = np.mean(fits.residuals[0] ** 2)
    np.testing.assert_allclose(flat, per_session * fits.forecast_scale[0], rtol=1e-10)
    np.testing.assert_allclose(
        forecast_covariances(fits)[0], fits.residual_std[0] ** 2 * fits.forecast_scale[0], rtol=1e-12
    )


def test_garch_model_changes_the_error_and_not_the_estimate(series):
    y, x = series
    index = pd.bdate_range("2024-01-01", periods=330, name="session")
    returns = pd.DataFrame({"FIRM": y, "MARKET": x[:, 1]}, index=index)
    args = {"ticker": "FIRM", "benchmark": "MARKET", "return_kind": "close_to_close"}
    lengths = {"estimation_sessions": 250, "gap_sessions": 10, "path": (-15, 4)}
    plain = measure_abnormal_returns(build_design("market", returns, **args), index[300], **lengths)
    garch = measure_abnormal_returns(build_design("garch_market", returns, **args), index[300], **lengths)
    np.testing.assert_allclose(garch.table["ar"], plain.table["ar"], rtol=1e-12)
    fitted = fit_garch(plain.fit.residuals)
    assert estimate_garch(plain.fit.residuals[None]).alpha == pytest.approx(fitted.alpha)
    assert fitted.alpha[0] > 0.0
    for first, last in ((0, 0), (0, 2), (-5, -1)):
        expected = literal_covariance(
            y, x, event=300, length=250, gap=10, first=first, last=last, alpha=fitted.alpha[0], beta=fitted.beta[0]
        )
        total = garch.sum_window(first, last)
        assert total.standard_error == pytest.approx(np.sqrt(expected.sum()), rel=1e-9)
        assert total.standard_error != pytest.approx(plain.sum_window(first, last).standard_error, rel=1e-3)
    row = garch.table.loc[3]
    assert row["forecast_std"] == pytest.approx(garch.sum_window(3, 3).standard_error)
    assert row["t"] == pytest.approx(row["ar"] / row["forecast_std"])
    assert row["p_t"] == pytest.approx(2 * stats.t.sf(abs(row["t"]), 248))
    inside = garch.table["is_estimation"]
    assert inside.any()
    assert garch.table.loc[inside, "forecast_std"].isna().all()


def test_a_large_move_before_the_window_widens_it(series):
    y, x = series
    shocked = y.copy()
    shocked[299] += 0.08
    fits = [fit_rolling(s, x, events=[300], estimation_length=250, gap=10) for s in (y, shocked)]
    parameters = GarchParameters(np.array([0.1]), np.array([0.85]))
    calm, stressed = (forecast_covariances(f, parameters)[0, 0, 0] for f in fits)
    assert stressed > calm * 1.5
