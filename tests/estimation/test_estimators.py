"""Other estimators than least squares against statsmodels, loops and the functions that they wrap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from event_impact.base.config import MODELS
from event_impact.base.errors import EstimationError
from event_impact.estimation.abnormal import measure_abnormal_returns
from event_impact.estimation.estimators import (
    ESTIMATORS,
    fit_counterfactual,
    fit_ridge,
    fit_synthetic_control,
    solve_huber,
    solve_rolling,
    standardised_sums,
)
from event_impact.estimation.models import FACTOR_COLUMNS, MODEL_LABELS, PEER_MODELS, build_design


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(31)
    market = rng.standard_t(4, 400) * 0.01
    peer = 0.6 * market + rng.standard_t(4, 400) * 0.008
    firm = 0.0003 + 1.1 * market + 0.3 * peer + rng.standard_t(3, 400) * 0.01
    firm[50] += 0.15
    return firm, np.column_stack([np.ones(400), market, peer])


def test_huber_is_the_m_estimator_of_statsmodels(series):
    y, x = series
    for start in (0, 45, 140):
        rows = slice(start, start + 250)
        expected = sm.RLM(y[rows], x[rows], M=sm.robust.norms.HuberT()).fit(conv="coefs", tol=1e-12, maxiter=500)
        found = solve_huber(y[None, rows], x[None, rows])[0]
        np.testing.assert_allclose(found, expected.params, rtol=1e-6, atol=1e-10)


def test_huber_is_less_moved_by_a_jump_than_least_squares(series):
    y, x = series
    quiet = y.copy()
    quiet[50] -= 0.15
    ols = [np.linalg.lstsq(x[:250], r[:250], rcond=None)[0] for r in (y, quiet)]
    huber = solve_huber(np.stack([y[:250], quiet[:250]]), np.stack([x[:250]] * 2))
    assert np.abs(huber[0] - huber[1]).max() < 0.25 * np.abs(ols[0] - ols[1]).max()


def test_rows_are_solved_independently(series):
    y, x = series
    rows = np.arange(5)[:, None] * 20 + np.arange(200)
    together = solve_huber(y[rows], x[rows])
    for i, row in enumerate(rows):
        np.testing.assert_allclose(together[i], solve_huber(y[None, row], x[None, row])[0], rtol=1e-12)


@pytest.mark.parametrize(("model", "fit"), [("ridge", fit_ridge), ("synthetic_control", fit_synthetic_control)])
def test_peer_models_are_the_functions_they_name(series, model, fit):
    y, x = series
    found = ESTIMATORS[model].solve(y[None, :250], x[None, :250])[0]
    expected = fit(y[:250], x[:250, 1:])
    np.testing.assert_allclose(found, [expected.intercept, *expected.weights], rtol=1e-12)


def test_counterfactual_errors_are_literal(series):
    y, x = series
    estimation, window, between = np.arange(200), np.array([210, 211]), np.arange(200, 210)
    fits = fit_counterfactual(y, x, solve_huber, estimation=estimation, window=window, between=between)
    b = solve_huber(y[None, :200], x[None, :200])[0]
    both = [*range(200), 210, 211]
    refitted = solve_huber(y[None, both], x[None, both])[0]
    assert fits.abnormal_returns[0] == pytest.approx([y[t] - x[t] @ b for t in window])
    assert fits.gap_abnormal_returns[0] == pytest.approx([y[t] - x[t] @ b for t in between])
    assert fits.residuals[0] == pytest.approx([y[t] - x[t] @ b for t in estimation])
    assert fits.refit(0.0)[0] == pytest.approx([y[t] - x[t] @ refitted for t in both])
    moved = y.copy()
    moved[window] -= 0.01
    again = solve_huber(moved[None, both], x[None, both])[0]
    assert fits.refit(0.02)[0] == pytest.approx([moved[t] - x[t] @ again for t in both])


def test_rolling_sums_are_a_loop(series):
    y, x = series
    events = np.array([230, 260, 333])
    b, spread = solve_rolling(y, x, solve_huber, events=events, estimation_length=200, gap=10)
    found = standardised_sums(y, x, b, spread, events=events, first=0, last=2)
    for i, event in enumerate(events):
        rows = np.arange(event - 210, event - 10)
        own = solve_huber(y[None, rows], x[None, rows])[0]
        rms = np.sqrt(np.mean((y[rows] - x[rows] @ own) ** 2))
        total = sum(y[t] - x[t] @ own for t in range(event, event + 3))
        assert found[i] == pytest.approx(total / (rms * np.sqrt(3)))


def test_collinear_regressors_are_refused(series):
    y, x = series
    with pytest.raises(EstimationError, match="dependent"):
        solve_huber(y[None], np.column_stack([x, np.zeros(400)])[None])


def test_every_model_of_the_parameters_has_a_label_and_a_design(series):
    y, x = series
    index = pd.bdate_range("2024-01-01", periods=400, name="session")
    returns = pd.DataFrame({"FIRM": y, "MARKET": x[:, 1], "PEER": x[:, 2]}, index=index)
    factors = pd.DataFrame(
        np.random.default_rng(0).normal(0, 0.01, (400, 7)),
        index=index,
        columns=["mkt_rf", "smb", "hml", "rmw", "cma", "mom", "rf"],
    )
    assert set(MODELS) <= set(MODEL_LABELS)
    for model in MODELS:
        design = build_design(
            model,
            returns,
            ticker="FIRM",
            benchmark="MARKET",
            return_kind="close_to_close",
            factors=factors if model in FACTOR_COLUMNS else None,
            peers=("PEER",) if model in PEER_MODELS else (),
        )
        found = measure_abnormal_returns(design, index[380], estimation_sessions=250, gap_sessions=10, path=(0, 2))
        assert found.fit.has_error == (model not in ESTIMATORS)
        total = found.sum_window(0, 2)
        assert total.estimate is not None
        assert (total.standard_error is None) == (model in ESTIMATORS)
        assert bool(total.note) == (model in ESTIMATORS)
        assert found.table["forecast_std"].notna().all() == (model not in ESTIMATORS)


def test_lead_lag_keeps_both_coefficients_apart(series):
    y, x = series
    index = pd.bdate_range("2024-01-01", periods=400, name="session")
    late = np.concatenate([[0.0], 0.8 * x[:-1, 1]]) + 0.4 * x[:, 1]
    returns = pd.DataFrame({"FIRM": late + 1e-4 * y, "MARKET": x[:, 1]}, index=index)
    args = {"ticker": "FIRM", "benchmark": "MARKET"}
    design = build_design("lead_lag", returns, return_kind="close_to_close", **args)
    found = measure_abnormal_returns(design, index[380], estimation_sessions=250, gap_sessions=10, path=(0, 0))
    assert found.fit.coefficients["market_beta_before"] == pytest.approx(0.8, abs=0.01)
    assert found.fit.coefficients["market_beta"] == pytest.approx(0.4, abs=0.01)
    assert index[0] not in design.sessions[design.is_usable]
    with pytest.raises(EstimationError, match="close_to_close"):
        build_design("lead_lag", returns, return_kind="close_to_open", **args)


@pytest.mark.parametrize("model", PEER_MODELS)
def test_peer_models_without_peers_say_so(series, model):
    y, x = series
    returns = pd.DataFrame({"FIRM": y, "MARKET": x[:, 1]}, index=pd.bdate_range("2024-01-01", periods=400))
    with pytest.raises(EstimationError, match="no peers"):
        build_design(model, returns, ticker="FIRM", benchmark="MARKET", return_kind="close_to_close")
