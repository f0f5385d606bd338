"""Least squares and forecast errors against exact rational arithmetic and explicit loops."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from event_impact.base.errors import EstimationError
from event_impact.estimation.abnormal import measure_abnormal_returns
from event_impact.estimation.models import build_design, fit_model, regress_with_dummies
from event_impact.inference.parametric import prediction_error_t
from event_impact.inference.ranks import conformal, sample_quantile

REFERENCE = Path(__file__).parents[1] / "reference" / "single_firm"
COLUMNS = {"market_model": ["mkt"], "mm_smb_ind": ["mkt", "smb", "ind"]}


def close(actual: float, expected: str) -> bool:
    return abs(actual - float(expected)) <= 1e-10 * abs(float(expected))


@pytest.fixture(params=list(COLUMNS))
def reference(request):
    table = pd.read_csv(REFERENCE / "returns.csv")
    table.index = pd.bdate_range("2000-01-03", periods=len(table), name="session")
    names = COLUMNS[request.param]
    returns = table[["y", *names]].rename(columns={"y": "FIRM", "mkt": "MARKET"})
    peers = tuple(n for n in names if n != "mkt")
    design = build_design(
        "market_peers" if peers else "market",
        returns,
        ticker="FIRM",
        benchmark="MARKET",
        return_kind="close_to_close",
        peers=peers,
    )
    abnormal = measure_abnormal_returns(design, table.index[160], estimation_sessions=160, gap_sessions=0, path=(0, 2))
    return abnormal, json.loads((REFERENCE / "expected.json").read_text())[request.param]


def test_coefficients_and_prediction_errors_are_exact(reference):
    abnormal, expected = reference
    assert abnormal.fit.n_estimation == expected["n"]
    assert abnormal.fit.df == expected["n"] - expected["k"]
    for value, wanted in zip(abnormal.fit.coefficients, expected["coefficients"], strict=True):
        assert close(value, wanted)
    assert close(abnormal.fit.residual_std, expected["residual_std"])
    for k in range(3):
        assert close(abnormal.table.at[k, "ar"], expected["abnormal"][k])
        assert close(abnormal.table.at[k, "forecast_std"], expected["standard_errors"][k])


@pytest.mark.parametrize("last", [1, 2])
def test_windows_use_the_full_forecast_covariance(reference, last):
    abnormal, expected = reference
    total = abnormal.sum_window(0, last)
    assert close(total.estimate, expected[f"car_0_{last}"]["car"])
    assert close(total.standard_error, expected[f"car_0_{last}"]["se"])
    naive = abnormal.fit.residual_std * np.sqrt(last + 1)
    assert total.standard_error > naive * 1.0005


def test_rank_tests_are_exact(reference):
    abnormal, expected = reference
    fit, total = abnormal.fit, abnormal.sum_window(0, 0)
    ranked = sample_quantile(total.abnormal, fit.residuals)
    assert ranked.p_value == pytest.approx(float(pd.eval(expected["sample_quantile_p"])), abs=0)
    refit = conformal(abnormal.window_fits(0, 0))
    assert refit.p_value == pytest.approx(float(pd.eval(expected["conformal_p"])), abs=0)


def test_dummies_equal_prediction_errors(focal):
    abnormal = focal.headline
    fit, design = abnormal.fit, abnormal.design
    sessions = fit.sessions.append(pd.DatetimeIndex(abnormal.table.loc[0:2, "session"]))
    result = regress_with_dummies(
        design.response.loc[sessions].to_numpy(),
        design.regressors.loc[sessions].to_numpy(),
        [fit.n_estimation, fit.n_estimation + 1, fit.n_estimation + 2],
    )
    assert np.allclose(result.abnormal_returns, abnormal.table.loc[0:2, "ar"], rtol=1e-12, atol=1e-14)
    errors = np.sqrt(np.diag(result.covariance))
    assert np.allclose(errors, abnormal.table.loc[0:2, "forecast_std"], rtol=1e-12)
    window = abnormal.sum_window(0, 2)
    assert np.sqrt(np.ones(3) @ result.covariance @ np.ones(3)) == pytest.approx(window.standard_error, rel=1e-12)
    assert result.df == fit.df
    dummies = np.eye(len(sessions))[:, fit.n_estimation :]
    fitted = sm.OLS(design.response.loc[sessions].to_numpy(),
                    np.hstack([design.regressors.loc[sessions].to_numpy(), dummies])).fit()  # fmt: skip
    np.testing.assert_allclose(result.abnormal_returns, fitted.params[-3:], rtol=1e-12)
    np.testing.assert_allclose(errors, fitted.bse[-3:], rtol=1e-12)


def test_duplicate_dummies_are_refused_where_statsmodels_halves_them():
    rng = np.random.default_rng(1)
    market = rng.normal(0, 0.01, 101)
    firm = 0.9 * market + rng.normal(0, 0.015, 101)
    regressors = sm.add_constant(market)
    double = np.zeros((101, 2))
    double[100] = 1.0
    with warnings.catch_warnings():  # a warning is all that statsmodels gives, and only since 0.15
        warnings.simplefilter("ignore")
        silent = sm.OLS(firm, np.column_stack([regressors, double])).fit()
    single = regress_with_dummies(firm, regressors, [100])
    assert silent.params[2] == pytest.approx(single.abnormal_returns[0] / 2)  # the trap
    with pytest.raises(EstimationError, match="linearly dependent"):
        regress_with_dummies(firm, regressors, [100, 100])


def test_robust_covariance_really_is_degenerate(reference):
    abnormal, expected = reference
    sandwich = float(expected["degenerate_hc0_standard_error"])
    assert sandwich < abnormal.table.at[0, "forecast_std"] / 8


@pytest.fixture
def simulated():
    rng = np.random.default_rng(7)
    market = rng.normal(0, 0.01, 140)
    index = pd.bdate_range("2001-01-01", periods=140, name="session")
    frame = pd.DataFrame({"A": 0.001 + 1.1 * market + rng.normal(0, 0.02, 140), "M": market}, index=index)
    factors = pd.DataFrame(rng.normal(0, 0.01, (140, 7)), index=index, columns=FACTORS)
    return frame, factors.assign(rf=0.0002)


FACTORS = ["mkt_rf", "smb", "hml", "rmw", "cma", "mom", "rf"]


def loop_fit(y, x):
    """Normal equations, solved from the formula."""
    return np.linalg.solve(x.T @ x, x.T @ y)


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        ("constant_mean", []),
        ("market", ["M"]),
        ("capm", ["mkt_rf"]),
        ("ff3", ["mkt_rf", "smb", "hml"]),
        ("carhart", ["mkt_rf", "smb", "hml", "mom"]),
        ("ff5", ["mkt_rf", "smb", "hml", "rmw", "cma"]),
        ("ff5_mom", ["mkt_rf", "smb", "hml", "rmw", "cma", "mom"]),
    ],
)
def test_models_against_the_formula(simulated, model, columns):
    returns, factors = simulated
    design = build_design(model, returns, ticker="A", benchmark="M", return_kind="close_to_close", factors=factors)
    window = returns.index[:120]
    fit = fit_model(design, window, asked_sessions=120)
    y = returns["A"].to_numpy() - (0.0002 if model not in ("constant_mean", "market") else 0.0)
    x = np.column_stack([np.ones(140), *(pd.concat([returns, factors], axis=1)[c] for c in columns)])
    beta = loop_fit(y[:120], x[:120])
    assert np.allclose(fit.coefficients, beta, rtol=1e-10)
    residuals = y[:120] - x[:120] @ beta
    assert fit.residual_std == pytest.approx(np.sqrt(residuals @ residuals / (120 - len(beta))))
    assert fit.leverages.sum() == pytest.approx(len(beta))


def test_market_adjusted_estimates_nothing(simulated):
    returns, _ = simulated
    design = build_design("market_adjusted", returns, ticker="A", benchmark="M", return_kind="close_to_close")
    abnormal = measure_abnormal_returns(
        design, returns.index[130], estimation_sessions=120, gap_sessions=5, path=(0, 1)
    )
    difference = (returns["A"] - returns["M"]).to_numpy()
    assert abnormal.fit.df == 120
    assert abnormal.fit.residual_std == pytest.approx(np.sqrt((difference[5:125] ** 2).sum() / 120))
    total = abnormal.sum_window(0, 1)
    assert total.estimate == pytest.approx(difference[130:132].sum())
    assert total.standard_error == pytest.approx(abnormal.fit.residual_std * np.sqrt(2))
    demeaned = build_design(
        "market_adjusted_demeaned", returns, ticker="A", benchmark="M", return_kind="close_to_close"
    )
    fit = fit_model(demeaned, returns.index[5:125], asked_sessions=120)
    assert fit.df == 119
    assert fit.coefficients["intercept"] == pytest.approx(difference[5:125].mean())


def test_scale_shift_and_order_leave_t_alone(simulated):
    returns, _ = simulated

    def t_of(frame):
        design = build_design("market", frame, ticker="A", benchmark="M", return_kind="close_to_close")
        abnormal = measure_abnormal_returns(
            design, frame.index[130], estimation_sessions=120, gap_sessions=5, path=(0, 0)
        )
        total = abnormal.sum_window(0, 0)
        return prediction_error_t(total.estimate, total.standard_error, abnormal.fit.df).statistic

    base = t_of(returns)
    assert t_of(returns * 7) == pytest.approx(base)
    assert t_of(returns + 0.01) == pytest.approx(base)
    shuffled = returns.copy()
    order = np.random.default_rng(0).permutation(120) + 5
    shuffled.iloc[5:125] = returns.iloc[order].to_numpy()
    assert t_of(shuffled) == pytest.approx(base)


def test_refusals(simulated):
    returns, factors = simulated
    with pytest.raises(EstimationError, match="close_to_close returns only"):
        build_design("ff3", returns, ticker="A", benchmark="M", return_kind="close_to_open", factors=factors)
    with pytest.raises(EstimationError, match="no factors"):
        build_design("ff3", returns, ticker="A", benchmark="M", return_kind="close_to_close")
    design = build_design("market", returns, ticker="A", benchmark="M", return_kind="close_to_close")
    with pytest.raises(EstimationError, match="100 of 120 estimation sessions"):
        fit_model(design, returns.index[:100], asked_sessions=120)
    same = build_design(
        "market", returns.assign(A=returns["M"]), ticker="A", benchmark="M", return_kind="close_to_close"
    )
    with pytest.raises(EstimationError, match="explain the returns exactly"):
        fit_model(same, returns.index[:120], asked_sessions=120)
    flat = build_design("market", returns.assign(A=0.001), ticker="A", benchmark="M", return_kind="close_to_close")
    with pytest.raises(EstimationError, match="constant"):
        fit_model(flat, returns.index[:120], asked_sessions=120)
    twice = returns.assign(P=2 * returns["M"])
    design = build_design("market_peers", twice, ticker="A", benchmark="M", return_kind="close_to_close", peers=("P",))
    with pytest.raises(EstimationError, match="linearly dependent"):
        fit_model(design, returns.index[:120], asked_sessions=120)


def test_incomplete_windows_have_a_reason_and_no_number(simulated):
    returns, _ = simulated
    design = build_design("market", returns, ticker="A", benchmark="M", return_kind="close_to_close")
    abnormal = measure_abnormal_returns(
        design, returns.index[138], estimation_sessions=120, gap_sessions=5, path=(0, 5)
    )
    total = abnormal.sum_window(0, 2)
    assert total.estimate is None
    assert total.standard_error is None
    assert total.note == "incomplete: 2 of 3 sessions"
    with pytest.raises(EstimationError, match="overlaps the estimation window"):
        measure_abnormal_returns(
            design, returns.index[130], estimation_sessions=120, gap_sessions=2, path=(-4, 0)
        ).sum_window(-4, 0)
