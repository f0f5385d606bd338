"""Contrasts against a dummy regression by statsmodels, Fieller's set against a scan, and the bar for reversals."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from event_impact.estimation.models import WindowEffects
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.parametric import interval
from event_impact.inference.placebo_pool import joint_f_values, joint_test
from event_impact.inference.sequence import (
    contrast,
    fieller_set,
    reversal_claim,
)
from scipy import stats

LENGTH, M = 120, 4


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(31)
    market = rng.normal(0, 0.01, LENGTH + M)
    return 0.9 * market + rng.normal(0, 0.012, LENGTH + M), np.column_stack([np.ones(LENGTH + M), market])


def window_effects(y, design):
    fits = fit_rolling(y, design, events=[LENGTH], estimation_length=LENGTH, gap=0, last=M - 1)
    return WindowEffects(fits.abnormal_returns[0], fits.forecast_scale[0] * fits.residual_std[0] ** 2, fits.df)


@pytest.fixture(scope="module")
def effects(series):
    return window_effects(*series)


@pytest.fixture(scope="module")
def dummies(series):
    y, design = series
    return sm.OLS(y, np.column_stack([design, np.eye(LENGTH + M)[:, -M:]])).fit()


def made_up(a, *, sd=0.01, correlation=0.05):
    scale = np.full((len(a), len(a)), correlation) + np.eye(len(a))
    return WindowEffects(np.array(a), scale * sd**2, 248)


@pytest.mark.parametrize("weights", [(1, 0, 0, 0), (1, 1, 1, 1), (0, 1, -1, 0), (0.5, 0.5, 0, -1)])
def test_contrasts_are_those_of_one_dummy_a_session(effects, dummies, weights):
    found = contrast(effects, np.array(weights))
    expected = dummies.t_test(np.r_[0, 0, weights])
    assert found.estimate == pytest.approx(expected.effect.item(), rel=1e-10, abs=1e-15)
    assert found.std_error == pytest.approx(expected.sd.item(), rel=1e-10)
    assert found.p_value == pytest.approx(expected.pvalue.item(), rel=1e-9)
    assert found.t_value == pytest.approx(expected.tvalue.item(), rel=1e-9)


def test_joint_f_is_the_wald_test_of_the_dummies(effects, dummies):
    expected = dummies.f_test(np.eye(M + 2)[2:])
    f = joint_f_values(effects.abnormal_returns[None], effects.covariance[None])
    assert f[0] == pytest.approx(float(expected.fvalue), rel=1e-10)
    placebo = np.linspace(0, 3, 300)
    result = joint_test(effects, placebo)
    assert result.p_value == pytest.approx((1 + np.sum(placebo >= f[0])) / 301)
    assert f"{float(expected.pvalue):.4g}" in result.note


def test_joint_f_without_enough_placebo_windows_has_no_p(effects):
    result = joint_test(effects, np.linspace(0, 3, 50))
    assert result.p_value is None
    assert result.statistic > 0
    assert "50 eligible" in result.note


def legs_of(effects):
    """Report in the first session, denial in the others, and their sum."""
    first = np.eye(len(effects.covariance))[0]
    return {n: contrast(effects, w) for n, w in (("report", first), ("denial", 1 - first), ("total", 0 * first + 1))}


def literal_fieller(effects, weights, fraction, critical=1.9695756534654):
    """Is the fraction accepted by the t test of denial + r report = 0?"""
    c = weights[1] + fraction * weights[0]
    return abs(c @ effects.abnormal_returns) <= critical * math.sqrt(c @ effects.covariance @ c)


def holds(found, fraction):
    """Whether the set holds a reversed fraction, read from its shape and ends."""
    if found.shape == "interval":
        return found.lower <= fraction <= found.upper
    return found.shape == "whole_line" or fraction <= found.lower or fraction >= found.upper


@pytest.mark.parametrize(
    ("a", "shape"),
    [
        ((0.05, -0.03), "interval"),
        ((0.01, -0.03), "two_rays"),
        ((0.002, 0.001), "whole_line"),
        ((-0.06, 0.0), "interval"),
    ],
)
def test_fieller_set_accepts_what_the_t_test_accepts(a, shape):
    effects = made_up(a)
    sequence = legs_of(effects)
    found = fieller_set(sequence["report"], sequence["denial"], effects=effects)
    assert found.shape == shape
    assert found.is_bounded == (abs(sequence["report"].t_value) > 1.9695756534654)
    weights = np.eye(2)
    for fraction in np.r_[np.linspace(-8, 8, 641), -1e4, 1e4]:
        assert holds(found, fraction) == literal_fieller(effects, weights, fraction)
    assert holds(found, found.estimate)


def claim(legs, *, bound, **p_values):
    """With the t tests of the contrasts in the place of p*, and the t interval of the sum."""
    own = {f"p_{name}": legs[name].p_value for name in ("report", "denial")} | p_values
    total = legs["total"]
    ends = interval(total.estimate, total.std_error, total.df, 0.90)
    return reversal_claim(legs, **own, total_interval=ends, bound=bound, level=0.05)


def test_reversal_needs_all_three():
    large = claim(legs_of(made_up((0.10, -0.10))), bound=0.045)
    assert large.is_reversal
    # A total that is not distinguishable from zero, but not shown to be small either.
    vague = claim(legs_of(made_up((0.05, -0.03))), bound=0.02)
    assert vague.is_report_significant
    assert vague.is_denial_significant_and_opposite
    assert not vague.is_total_equivalent_to_zero
    assert not vague.is_reversal
    same_sign = claim(legs_of(made_up((0.05, 0.05))), bound=0.2)
    assert not same_sign.is_denial_significant_and_opposite
    nothing = claim(legs_of(made_up((0.001, -0.001))), bound=0.045)
    assert nothing.is_total_equivalent_to_zero
    assert not nothing.is_reversal


def test_a_reversal_that_no_prices_could_show_has_no_chance():
    """Both legs are seen, the sum is near zero, and its interval is wider than the bound."""
    sequence = legs_of(made_up((0.10, -0.10), sd=0.018))
    tight, wide = claim(sequence, bound=0.02), claim(sequence, bound=0.08)
    assert tight.is_report_significant
    assert tight.is_denial_significant_and_opposite
    assert tight.half_width == pytest.approx(stats.t.ppf(0.95, 248) * sequence["total"].std_error)
    assert tight.half_width > tight.bound
    assert tight.chance is None
    expected = 2 * stats.t.cdf((0.08 - wide.half_width) / sequence["total"].std_error, 248) - 1
    assert wide.chance == pytest.approx(expected)


def test_other_p_values_may_decide():
    sequence = legs_of(made_up((0.10, -0.10)))
    assert not claim(sequence, bound=0.045, p_report=0.2).is_reversal
    assert not claim(sequence, bound=0.045, p_denial=0.2).is_reversal
