"""Tests of single events in bulk against refits and loops."""

import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from event_impact.base.errors import EstimationError
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.layout import BatchPanel, lay_out_model
from event_impact.many.resampling import lay_out_traits, regress_on_traits, wild_term_test
from event_impact.many.sample import judge_events, replay_at_placebo_dates

ONE_DAY = EventWindows(-70, -11, 0, 0)


def make(model, windows=ONE_DAY, missing=0.0):
    rng = np.random.default_rng(6)
    market = rng.normal(0, 0.01, 330)
    returns = 0.9 * market + rng.standard_t(4, (5, 330)) * 0.012
    returns[rng.random(returns.shape) < missing] = np.nan
    factors = {name: rng.normal(0, 0.005, 330) for name in ("rf", "mkt_rf", "smb", "hml")}
    panel = BatchPanel(np.datetime64("2020-01-01") + np.arange(330), list("ABCDE"), returns, market, factors)
    design = lay_out_model(panel, model)
    tickers, sessions = np.repeat(np.arange(5), 6), np.tile(np.arange(80, 320, 41), 5)
    return design, estimate_events(design, tickers, sessions, windows=windows)


@pytest.mark.parametrize("model", ["market", "ff3", "constant_mean", "market_adjusted", "market_adjusted_demeaned"])
@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_single_event_p_values_equal_refits(model, missing):
    design, estimates = make(model, missing=missing)
    found = judge_events(design, estimates)
    columns = [np.ones(330)] * design.has_intercept
    checked = 0
    for i in np.flatnonzero(estimates.is_used):
        ticker, at = estimates.ticker_index[i], estimates.session_index[i]
        y = design.outcome[ticker]
        x = np.column_stack([*columns, *(r[0] for r in design.regressors)]) if columns else np.empty((330, 0))
        rows = [t for t in range(at - 70, at - 10) if np.isfinite(y[t])]

        def fit(where, y=y, x=x):
            return y[where] - x[where] @ np.linalg.lstsq(x[where], y[where], rcond=None)[0] if x.size else y[where]

        e, a = fit(rows), estimates.car[i]
        size = len(rows) + 1
        assert found.sample_quantile[i] == pytest.approx(min(1, 2 * min(1 + (e <= a).sum(), 1 + (e >= a).sum()) / size))
        both = fit([*rows, at])
        own = abs(both[-1]) * (1 - 1e-9)
        assert found.conformal[i] == pytest.approx((np.abs(both) >= own).sum() / size)
        t = estimates.scar[i]
        assert found.t[i] == pytest.approx(2 * scipy.stats.t.sf(abs(t), len(rows) - x.shape[1]), rel=1e-9)
        checked += 1
    assert checked > 15


def test_longer_windows_have_no_rank_p_values():
    design, estimates = make("market", EventWindows(-70, -11, 0, 1))
    found = judge_events(design, estimates)
    assert np.isnan(found.sample_quantile).all()
    assert np.isnan(found.conformal).all()
    assert np.isfinite(found.t[estimates.is_used]).all()


def test_placebo_dates_move_the_whole_sample_back():
    windows = EventWindows(-50, -11, -1, 1)
    design, estimates = make("market", windows)
    chosen = estimates.select(np.flatnonzero(estimates.session_index > 240))
    found = replay_at_placebo_dates(design, chosen, most=9)
    assert found.shifts.tolist() == [12 + 3 * k for k in range(9)]
    for k in (0, 8):
        moved = estimate_events(design, chosen.ticker_index, chosen.session_index - found.shifts[k], windows=windows)
        assert found.caar[k] == pytest.approx(moved.car.mean())
        expected = scipy.stats.ttest_1samp(moved.scar, 0).statistic
        assert found.statistic[k] == pytest.approx(expected, rel=1e-8)
    own = scipy.stats.ttest_1samp(chosen.scar, 0).statistic
    assert found.p_value == (1 + (np.abs(found.statistic) >= abs(own)).sum()) / 10


def test_placebo_dates_end_where_the_history_does():
    design, estimates = make("market")
    found = replay_at_placebo_dates(design, estimates)
    assert found.shifts.size == 0
    assert found.p_value is None


def make_traits(n=40):
    rng = np.random.default_rng(2)
    traits = {"size": rng.normal(0, 1, n), "is_denial": (rng.random(n) < 0.5) * 1.0}
    errors = rng.uniform(0.01, 0.04, n)
    return 0.01 + 0.02 * traits["size"] + rng.normal(0, errors), errors, traits


def regress(car, errors, traits, *, ticker=None, block=None, draws=0, fewest=10):
    n = car.size
    return regress_on_traits(
        car,
        errors,
        lay_out_traits(traits, n, fewest=fewest),
        ticker=np.arange(n) if ticker is None else ticker,
        block=np.arange(n) if block is None else block,
        draws=draws,
        seed=1,
    )


def test_trait_regressions_equal_statsmodels():
    car, errors, traits = make_traits()
    ticker, block = np.arange(40) % 9, np.arange(40) // 6
    weighted, robust, clustered = regress(car, errors, traits, ticker=ticker, block=block)
    x = sm.add_constant(np.column_stack(list(traits.values())))
    wls = sm.WLS(car, x, weights=1 / errors**2).fit()
    hc3 = sm.OLS(car, x).fit(cov_type="HC3", use_t=True)
    for found, expected in ((weighted, wls), (robust, hc3)):
        np.testing.assert_allclose(found.coefficients, expected.params, rtol=1e-9)
        np.testing.assert_allclose(found.std_errors, expected.bse, rtol=1e-9)
        np.testing.assert_allclose([t.p_value for t in found.tests], expected.pvalues, rtol=1e-8)
    assert weighted.names == ("intercept", "size", "is_denial")
    two_way = (
        sm.OLS(car, x)
        .fit()
        .get_robustcov_results(
            cov_type="cluster", groups=np.column_stack([ticker, block]), use_correction=True, df_correction=True
        )
    )
    correction = math.sqrt(39 / 37)  # statsmodels also counts the regressors
    np.testing.assert_allclose(clustered.std_errors, two_way.bse / correction, rtol=1e-8)
    assert {test.df for test in clustered.tests} == {6}


def test_words_are_categories_tested_together():
    car, errors, _ = make_traits()
    kind = np.array(["report", "denial", "rumour", "denial"] * 10)
    _, robust, clustered = regress(car, errors, {"kind": kind}, block=np.arange(40) // 4, draws=199)
    assert robust.names == ("intercept", "kind=report", "kind=rumour")
    x = sm.add_constant(np.column_stack([kind == "report", kind == "rumour"]).astype(float))
    expected = sm.OLS(car, x).fit(cov_type="HC3", use_t=True).f_test(np.eye(3)[1:])
    assert robust.terms[0].statistic == pytest.approx(float(expected.statistic), rel=1e-8)
    assert robust.terms[0].p_value == pytest.approx(float(expected.pvalue), rel=1e-8)
    assert [test.name for test in clustered.terms] == ["ols_clustered_kind", "wild_kind"]
    assert 0 < clustered.terms[1].p_value <= 1


def test_wild_term_test_equals_refits():
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(24), rng.normal(size=24), rng.normal(size=24)])
    y, block = rng.normal(size=24), np.repeat(np.arange(8), 3)

    def wald(outcome):
        beta = np.linalg.lstsq(x, outcome, rcond=None)[0]
        scores = np.array([x[block == g].T @ (outcome - x @ beta)[block == g] for g in range(8)])
        inverse = np.linalg.inv(x.T @ x)
        spread = (inverse @ scores.T @ scores @ inverse)[1:, 1:]
        return beta[1:] @ np.linalg.solve(spread, beta[1:])

    found = wild_term_test(x, y, [1, 2], block, name="wild", draws=99, seed=5)
    assert found.statistic == pytest.approx(wald(y), rel=1e-8)
    flips = np.random.default_rng(5).integers(0, 2, size=(99, 8)) * 2.0 - 1.0
    drawn = [wald(y.mean() + (y - y.mean()) * signs[block]) for signs in flips]
    assert found.p_value == (1 + sum(d >= wald(y) * (1 - 1e-12) for d in drawn)) / 100


def test_trait_regressions_refuse_what_they_cannot_answer():
    car, errors, traits = make_traits(9)
    with pytest.raises(EstimationError, match="at least 10 events, found 9"):
        regress(car, errors, traits)
    car, errors, traits = make_traits()
    with pytest.raises(EstimationError, match="repeat each other"):
        regress(car, errors, {**traits, "again": traits["size"] * 3})
    with pytest.raises(EstimationError, match="size is missing or infinite for 1 of 40"):
        regress(car, errors, {"size": np.r_[np.nan, traits["size"][1:]]})
    _, robust, _ = regress(car, errors, {"only": np.eye(40)[0]})
    assert "HC3 divides by zero" in robust.tests[1].note
    *_, one_date = regress(car, errors, traits, block=np.zeros(40, dtype=int))
    assert "too few firms or blocks" in one_date.tests[1].note
