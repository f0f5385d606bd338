"""Log volume and log range: regressors by hand, predictions by statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from event_impact.base.errors import EstimationError
from event_impact.estimation.activity_models import (
    build_range_design,
    build_volume_design,
    drop_unvarying,
    log_range,
    measure_activity,
)
from event_impact.inference.activity_tests import assess_surprises, lacking_surprises, surprise_frame
from event_impact.inference.ranks import sample_quantile_p


def prices(seed: int, *, dividend_on: int | None = 150) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2024-01-01", periods=330, name="session")
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.01, 330)))
    width = np.exp(rng.normal(-4, 0.4, 330))
    frame = pd.DataFrame(
        {
            "high": close * (1 + width),
            "low": close * (1 - width),
            "volume": np.exp(rng.normal(18, 0.3, 330)),
            "dividend": 0.0,
        },
        index=index,
    )
    if dividend_on is not None:
        frame.iloc[dividend_on, frame.columns.get_loc("dividend")] = 0.15
    return frame


@pytest.fixture(scope="module")
def firm():
    return prices(1)


@pytest.fixture(scope="module")
def market():
    return prices(2, dividend_on=None)


LENGTHS = {"estimation_sessions": 250, "gap_sessions": 10}


def test_volume_regressors_are_what_they_say(firm, market):
    design = build_volume_design(firm, market, benchmark="SPY")
    v = np.log(firm["volume"].to_numpy())
    t = 200
    row = design.regressors.iloc[t]
    level = v.mean()
    assert row["log_volume_before"] == pytest.approx(v[t - 1] - level)
    assert row["mean_of_5_before"] == pytest.approx(np.mean(v[t - 5 : t]) - level)
    weekday = firm.index[t].day_of_week
    names = ("tuesday", "wednesday", "thursday", "friday")
    assert [row[n] for n in names] == [float(weekday == d) for d in (1, 2, 3, 4)]
    assert design.regressors["ex_dividend"].sum() == 1.0
    assert design.regressors["ex_dividend"].iloc[150] == 1.0


def test_range_is_parkinsons_and_its_lags_end_before_the_session(firm, market):
    design = build_range_design(firm, market, benchmark="SPY")
    t = 100
    width = np.log(firm["high"] / firm["low"]).to_numpy()
    own = np.log(np.sqrt(width**2 / (4 * np.log(2))))
    assert log_range(firm).iloc[t] == pytest.approx(own[t])
    row = design.regressors.iloc[t]
    assert row["log_range_before"] == pytest.approx(own[t - 1])
    assert row["mean_of_5_before"] == pytest.approx(own[t - 5 : t].mean())
    assert row["mean_of_22_before"] == pytest.approx(own[t - 22 : t].mean())


@pytest.mark.parametrize("build", [build_volume_design, build_range_design])
def test_surprise_is_a_forecast_error_of_statsmodels(firm, market, build):
    design = build(firm, market, benchmark="SPY")
    found = measure_activity(design, firm.index[300], **LENGTHS, path=(0, 2))
    rows = slice(300 - 260, 300 - 10)
    x = design.regressors.to_numpy(dtype=float)
    y = design.response.to_numpy(dtype=float)
    fit = sm.OLS(y[rows], x[rows]).fit()
    forecast = fit.get_prediction(x[300:303])
    for surprise, k in zip(assess_surprises(found, 0, 2), range(3), strict=True):
        error = np.sqrt(forecast.var_pred_mean[k] + fit.mse_resid)
        assert surprise.surprise == pytest.approx(y[300 + k] - forecast.predicted_mean[k], rel=1e-8)
        assert surprise.tests["t"].statistic == pytest.approx(surprise.surprise / error, rel=1e-8)
        assert surprise.tests["sample_quantile"].p_value == sample_quantile_p(surprise.surprise, np.asarray(fit.resid))


def test_the_unit_of_volume_does_not_matter(firm, market):
    scaled = firm.assign(volume=firm["volume"] * 1e6)
    one, other = (
        measure_activity(build_volume_design(p, market, benchmark="SPY"), firm.index[300], **LENGTHS)
        for p in (firm, scaled)
    )
    assert one.table.at[0, "t"] == pytest.approx(other.table.at[0, "t"], rel=1e-9)


def test_a_firm_without_dividends_in_the_window_loses_that_regressor(firm, market):
    early = prices(1, dividend_on=5)
    design = build_volume_design(early, market, benchmark="SPY")
    window = pd.DatetimeIndex(early.index[40:290])
    assert "ex_dividend" not in drop_unvarying(design, window).regressors
    assert "ex_dividend" in drop_unvarying(build_volume_design(firm, market, benchmark="SPY"), window).regressors
    assert measure_activity(design, early.index[300], **LENGTHS).fit.has_error


def test_what_is_not_recorded_is_a_reason(firm, market):
    with pytest.raises(EstimationError, match="no volume of the firm is recorded"):
        build_volume_design(firm.assign(volume=0.0), market, benchmark="SPY")
    with pytest.raises(EstimationError, match="no highs and lows of SPY are recorded"):
        build_range_design(firm, market.assign(high=np.nan), benchmark="SPY")
    silent = firm.copy()
    silent.loc[silent.index[300], "volume"] = 0.0
    found = measure_activity(build_volume_design(silent, market, benchmark="SPY"), firm.index[300], **LENGTHS)
    lacking = assess_surprises(found, 0, 0)[0]
    assert lacking.surprise is None
    assert lacking.note == "incomplete: 0 of 1 sessions"
    frame = surprise_frame([lacking, *lacking_surprises("log_range", 0, 1, "no highs and lows")])
    assert list(frame["note"]) == ["incomplete: 0 of 1 sessions", "no highs and lows", "no highs and lows"]
    assert frame["p_t"].isna().all()
