"""Diagnostics against their formulas written out."""

import numpy as np
import pytest
import statsmodels.api as sm
from event_impact.base.errors import EstimationError
from event_impact.estimation.garch import fit_garch
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.diagnostics import arch_lm_test, beta_stability, diagnose, jarque_bera_test, ljung_box_test
from scipy import stats


@pytest.fixture(scope="module")
def window():
    rng = np.random.default_rng(14)
    market = rng.standard_t(4, 261) * 0.01
    market[40], market[77] = 0.10, -0.08
    return 0.8 * market + rng.standard_t(5, 261) * 0.01, np.column_stack([np.ones(261), market])


@pytest.fixture(scope="module")
def fits(window):
    return fit_rolling(*window, events=[260], estimation_length=250, gap=10)


def test_ljung_box_is_its_formula(fits):
    e = fits.residuals[0]
    centred = e - e.mean()
    r = [centred[k:] @ centred[:-k] / (centred @ centred) for k in range(1, 11)]
    q = 250 * 252 * sum(v**2 / (250 - k) for k, v in enumerate(r, start=1))
    assert ljung_box_test(e).statistic == pytest.approx(q, rel=1e-10)
    assert ljung_box_test(e).p_value == pytest.approx(stats.chi2.sf(q, 10), rel=1e-8)


def test_arch_lm_is_n_times_r_squared(fits):
    squares = fits.residuals[0] ** 2
    lagged = np.column_stack([np.ones(240)] + [squares[10 - k : 250 - k] for k in range(1, 11)])
    r_squared = sm.OLS(squares[10:], lagged).fit().rsquared
    assert arch_lm_test(fits.residuals[0]).statistic == pytest.approx(240 * r_squared, rel=1e-9)


def test_jarque_bera_is_its_formula(fits):
    e = fits.residuals[0] - fits.residuals[0].mean()
    skew, kurtosis = np.mean(e**3) / np.mean(e**2) ** 1.5, np.mean(e**4) / np.mean(e**2) ** 2
    expected = 250 / 6 * (skew**2 + (kurtosis - 3) ** 2 / 4)
    assert jarque_bera_test(fits.residuals[0]).statistic == pytest.approx(expected, rel=1e-10)


def test_leverage_volatility_and_moments_are_reported(window, fits):
    y, design = window
    found = diagnose(fits, y[:250], design[:250])
    hat = design[:250] @ np.linalg.inv(design[:250].T @ design[:250]) @ design[:250].T
    assert found.largest_leverage_offset == 40
    assert found.largest_leverage == pytest.approx(hat[40, 40], rel=1e-10)
    assert found.event_leverage == pytest.approx(fits.leverage[0, 0])
    garch = fit_garch(fits.residuals, fits.gap_abnormal_returns)
    assert found.volatility_state == pytest.approx(garch.volatility_state[0])
    e = fits.residuals[0]
    assert found.kurtosis == pytest.approx(np.mean(e**4) / np.mean(e**2) ** 2, rel=1e-8)


def test_beta_without_its_two_most_influential_sessions(window, fits):
    y, design = window
    found = beta_stability(y[:250], design[:250], leverage=fits.estimation_leverage[0])
    assert found.dropped == (40, 77)
    keep = np.delete(np.arange(250), [40, 77])
    assert found.without_two_highest_leverage == pytest.approx(np.polyfit(design[keep, 1], y[keep], 1)[0])
    assert found.first_half == pytest.approx(np.polyfit(design[:125, 1], y[:125], 1)[0])
    assert found.second_half == pytest.approx(np.polyfit(design[125:250, 1], y[125:250], 1)[0])
    assert found.full == pytest.approx(np.polyfit(design[:250, 1], y[:250], 1)[0])


def test_chow_is_the_test_of_interactions(window, fits):
    y, design = window
    late = (np.arange(250) >= 125).astype(float)[:, None]
    expected = sm.OLS(y[:250], np.hstack([design[:250], design[:250] * late])).fit().f_test(np.eye(4)[2:])
    found = beta_stability(y[:250], design[:250], leverage=fits.estimation_leverage[0]).test
    assert found.statistic == pytest.approx(float(expected.fvalue), rel=1e-9)
    assert found.p_value == pytest.approx(float(expected.pvalue), rel=1e-9)


def test_a_changed_beta_is_seen():
    rng = np.random.default_rng(2)
    market = rng.normal(0, 0.01, 250)
    beta = np.where(np.arange(250) < 125, 0.5, 1.5)
    y = beta * market + rng.normal(0, 0.005, 250)
    design = np.column_stack([np.ones(250), market])
    assert beta_stability(y, design, leverage=np.ones(250)).test.p_value < 1e-6


def test_refusals(window, fits):
    y, design = window
    with pytest.raises(EstimationError, match="250 fitted sessions"):
        diagnose(fits, y, design)
    half_dummy = np.column_stack([design[:250], (np.arange(250) < 100).astype(float)])
    with pytest.raises(EstimationError, match="part of the window"):
        beta_stability(y[:250], half_dummy, leverage=np.ones(250))


def test_a_model_without_a_slope_has_no_beta(window):
    y, _ = window
    constant = np.ones((261, 1))
    fits = fit_rolling(y, constant, events=[260], estimation_length=250, gap=10)
    assert diagnose(fits, y[:250], constant[:250], slope=None).beta_stability is None
