"""Tests of single events in bulk against refits and loops."""

import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from event_impact.base.errors import ConfigError, EstimationError
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.layout import BatchPanel, lay_out_model
from event_impact.many.sample import assess_sample
from event_impact.many.sample_events import judge_events, rank_among_pseudo_events
from event_impact.many.traits import assess_groups, regress_on_traits

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


def test_pseudo_event_ranks_equal_a_loop_over_earlier_starts():
    windows = EventWindows(-50, -11, -1, 2)
    design, estimates = make("market", windows, missing=0.01)
    found = rank_among_pseudo_events(design, estimates)
    signed, spread = 0.0, 0.0
    for i in np.flatnonzero(estimates.is_used):
        ticker, session = estimates.ticker_index[i], estimates.session_index[i]
        earlier = np.array([s for s in range(330) if s + 2 <= session - 11])
        scars = np.array([])
        if earlier.size:
            pseudo = estimate_events(design, np.full(earlier.size, ticker), earlier, windows=windows)
            scars = pseudo.scar[pseudo.is_used]
        assert found.n_pseudo[i] == scars.size
        if scars.size < 20:
            assert np.isnan(found.p_value[i])
            continue
        own = estimates.scar[i]
        assert found.p_value[i] == pytest.approx((1 + (np.abs(scars) >= abs(own)).sum()) / (scars.size + 1))
        n = scars.size
        signed += (1 + (scars < own).sum()) / (n + 2) - 0.5
        spread += n / (12 * (n + 2))
    assert found.test.statistic == pytest.approx(signed / math.sqrt(spread))
    assert np.isfinite(found.p_value).sum() > 10


def test_pseudo_events_need_a_history():
    design, estimates = make("market")
    few = rank_among_pseudo_events(design, estimates.select(np.array([0, 6])))
    assert "0 events" in few.test.note


def make_traits(n=40):
    rng = np.random.default_rng(2)
    traits = {"size": rng.normal(0, 1, n), "is_denial": (rng.random(n) < 0.5) * 1.0}
    errors = rng.uniform(0.01, 0.04, n)
    return 0.01 + 0.02 * traits["size"] + rng.normal(0, errors), errors, traits


def test_trait_regressions_equal_statsmodels():
    car, errors, traits = make_traits()
    weighted, robust = regress_on_traits(car, errors, traits=traits)
    x = sm.add_constant(np.column_stack(list(traits.values())))
    wls = sm.WLS(car, x, weights=1 / errors**2).fit()
    hc3 = sm.OLS(car, x).fit(cov_type="HC3", use_t=True)
    for found, expected in ((weighted, wls), (robust, hc3)):
        np.testing.assert_allclose(found.coefficients, expected.params, rtol=1e-9)
        np.testing.assert_allclose(found.std_errors, expected.bse, rtol=1e-9)
        np.testing.assert_allclose([t.p_value for t in found.tests], expected.pvalues, rtol=1e-8)
    assert weighted.names == ("intercept", "size", "is_denial")


def test_trait_regressions_refuse_what_they_cannot_answer():
    car, errors, traits = make_traits(9)
    with pytest.raises(EstimationError, match="at least 10 events, found 9"):
        regress_on_traits(car, errors, traits=traits)
    car, errors, traits = make_traits()
    with pytest.raises(EstimationError, match="repeat each other"):
        regress_on_traits(car, errors, traits={**traits, "again": traits["size"] * 3})
    with pytest.raises(EstimationError, match="size is missing or infinite for 1 of 40"):
        regress_on_traits(car, errors, traits={"size": np.r_[np.nan, traits["size"][1:]]})
    _, robust = regress_on_traits(car, errors, traits={"only": np.eye(40)[0]})
    assert "HC3 divides by zero" in robust.tests[1].note


def test_groups_are_samples_of_their_own():
    design, estimates = make("market", EventWindows(-70, -11, 0, 1))
    labels = np.where(estimates.ticker_index < 2, "a", "b")
    found = assess_groups(design, estimates, labels, draws=0)
    alone = assess_sample(design, estimates.select(np.flatnonzero(labels == "b")), draws=0)
    assert list(found) == ["a", "b"]
    assert found["b"].tests["bmp"] == alone.tests["bmp"]
    assert found["a"].n + found["b"].n == int(estimates.is_used.sum())
    with pytest.raises(ConfigError, match="one group label"):
        assess_groups(design, estimates, labels[1:])
