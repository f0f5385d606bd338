"""FHS ranks: the golden firm, ties, the volatility of the day, and windows of several sessions."""

import csv
import json
import math
import pathlib

import numpy as np
import pytest
from event_impact.estimation.garch import fit_garch
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.deciding_rule import describe_rule, invert_rule
from event_impact.inference.ranks import filter_fits, filter_windows

REFERENCE = pathlib.Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(21)
    market = rng.normal(0, 0.01, 320)
    return 1.1 * market + rng.standard_t(4, 320) * 0.01, np.column_stack([np.ones(320), market])


def test_golden_firm():
    rows = list(csv.DictReader((REFERENCE / "single_firm_garch_returns.csv").read_text().splitlines()))
    expected = json.loads((REFERENCE / "single_firm_garch.json").read_text())
    firm = np.array([float(r["firm"]) for r in rows])
    design = np.column_stack([np.ones(len(rows)), [float(r["market"]) for r in rows]])
    event = [r["rel_session"] for r in rows].index("0")
    fits = fit_rolling(firm, design, events=[event], estimation_length=250, gap=10)
    result = describe_rule(invert_rule(fits))["fhs"]
    assert result.p_value == pytest.approx(expected["p_fhs"], abs=1e-12)
    assert result.statistic == pytest.approx(expected["z"], rel=1e-5)


def rank(residuals, abnormal, *, following=None):
    """p of one session under a model without a leverage."""
    residuals = np.atleast_2d(residuals)
    filtered = filter_windows(residuals, fit_garch(residuals, following), 1.0, 1)
    return float(filtered.rank(np.array([abnormal]))[0]), filtered


def test_p_is_the_literal_count(series):
    fits = fit_rolling(*series, events=np.arange(210, 320, 9), estimation_length=200, gap=7)
    rule = invert_rule(fits)
    for i in range(len(rule.estimate)):
        garch = fit_garch(fits.residuals[i], fits.gap_abnormal_returns[i])
        z = fits.abnormal_returns[i, 0] / math.sqrt(garch.forecast_variance[0] * (1 + fits.leverage[i, 0]))
        standardised = [abs(x) / math.sqrt(h) for x, h in zip(fits.residuals[i], garch.variances[0], strict=True)]
        assert rule.p_fhs[i] == pytest.approx((1 + sum(s >= abs(z) for s in standardised)) / 201)
        assert rule.estimate[i] / rule.filtered.scale[i] == pytest.approx(z, rel=1e-6)


def test_p_is_never_zero_and_a_tie_counts(series):
    fits = fit_rolling(*series, events=[300], estimation_length=200, gap=7)
    assert rank(fits.residuals, 9.0)[0] == 1 / 201
    alternating = np.tile([0.02, -0.001], 100)  # a constant variance: h is the same on every day
    assert rank(alternating, 0.02)[0] == 101 / 201
    assert rank(fits.residuals, 0.0)[0] == 1.0


def test_the_level_follows_the_volatility_of_the_day(series):
    """The same abnormal return is ordinary after turbulent gap days and striking after calm ones."""
    rng = np.random.default_rng(4)
    e, h = np.empty(250), 1.0
    for t in range(250):
        e[t] = rng.standard_normal() * math.sqrt(h)
        h = 0.1 + 0.2 * e[t] ** 2 + 0.7 * h
    calm_p, calm = rank(e, 2.2, following=np.zeros((1, 10)))
    wild_p, wild = rank(e, 2.2, following=np.full((1, 10), 4.0))
    assert calm.garch.volatility_state[0] < 1 < wild.garch.volatility_state[0]
    assert calm_p < 0.05 < wild_p
    assert wild.ends(0.05)[0] > calm.ends(0.05)[0]


def test_a_day_of_twice_the_spread_has_twice_the_threshold(series):
    fits = fit_rolling(*series, events=[300], estimation_length=200, gap=7)
    filtered = filter_fits(fits, fit_garch(fits.residuals, fits.gap_abnormal_returns))
    double = filtered.stretch(2.0)
    assert double.ends(0.05)[0] == pytest.approx(2 * filtered.ends(0.05)[0])
    np.testing.assert_allclose(double.errors, 2 * filtered.errors)
    np.testing.assert_allclose(double.scale, 2 * filtered.scale)


def test_too_short_a_window_has_no_threshold(series):
    fits = fit_rolling(*series, events=[300], estimation_length=15, gap=2)
    assert math.isinf(invert_rule(fits).filtered.ends(0.05)[0])


def test_a_result_says_what_it_ranked(series):
    one, three = (
        describe_rule(invert_rule(fit_rolling(*series, events=[300], estimation_length=200, gap=7, last=last)))["fhs"]
        for last in (0, 2)
    )
    assert one.distribution == "ranks of 201 standardised returns"
    assert three.distribution == "ranks of 201 standardised sums of 3 sessions"
    assert "times that of the estimation window" in one.note
