"""Batched GARCH against a literal likelihood loop, a dense grid and a golden firm."""

import csv
import json
import math
import pathlib

import numpy as np
import pytest
from event_impact.base.errors import EstimationError
from event_impact.estimation.garch import MAX_PERSISTENCE, fit_garch, variance_path
from event_impact.estimation.rolling import fit_rolling

REFERENCE = pathlib.Path(__file__).parents[1] / "reference"


def literal_log_likelihood(e, a, b):
    s2 = float(np.mean(e**2))
    h, total = s2, 0.0
    for x in e:
        total += -0.5 * (math.log(2 * math.pi * h) + x * x / h)
        h = s2 * (1 - a - b) + a * x * x + b * h
    return total


def simulate_garch(rng, n, length, *, a=0.08, b=0.90, jumps=0):
    e, h = np.empty((n, length + 200)), np.ones(n)
    for t in range(length + 200):
        e[:, t] = rng.standard_normal(n) * np.sqrt(h)
        h = 1 - a - b + a * e[:, t] ** 2 + b * h
    e = e[:, 200:]
    for row in e[: n // 2]:
        row[rng.integers(0, length, jumps)] = 5.0
    return e * 0.015


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(3)
    return np.vstack(
        [
            simulate_garch(rng, 6, 250, jumps=3),
            simulate_garch(rng, 4, 250, a=0.3, b=0.3),
            rng.standard_t(4, (6, 250)) * 0.01,
        ]
    )


def test_golden_firm():
    rows = list(csv.DictReader((REFERENCE / "single_firm_garch_returns.csv").read_text().splitlines()))
    expected = json.loads((REFERENCE / "single_firm_garch.json").read_text())
    firm = np.array([float(r["firm"]) for r in rows])
    market = np.array([float(r["market"]) for r in rows])
    event = [r["rel_session"] for r in rows].index("0")
    design = np.column_stack([np.ones(len(rows)), market])
    fits = fit_rolling(firm, design, events=[event], estimation_length=250, gap=10)
    garch = fit_garch(fits.residuals, fits.gap_abnormal_returns)
    assert garch.alpha[0] == pytest.approx(expected["garch_alpha"], abs=1e-5)
    assert garch.beta[0] == pytest.approx(expected["garch_beta"], abs=1e-5)
    assert garch.forecast_variance[0] == pytest.approx(expected["forecast_variance"], rel=1e-5)
    assert (fits.abnormal_returns / fits.forecast_std)[0, 0] == pytest.approx(expected["t"], rel=1e-10)
    assert fits.forecast_std[0, 0] == pytest.approx(expected["standard_error"], rel=1e-10)


def test_log_likelihood_and_variances_are_those_of_the_literal_loop(windows):
    fit = fit_garch(windows)
    for e, a, b, h in zip(windows, fit.alpha, fit.beta, fit.variances, strict=True):
        value = -0.5 * np.sum(np.log(2 * np.pi * h) + e**2 / h)
        assert value == pytest.approx(literal_log_likelihood(e, a, b), abs=1e-8)
    np.testing.assert_allclose(fit.target_variance, np.mean(windows**2, axis=1))
    np.testing.assert_allclose(fit.variances[:, 0], fit.target_variance)


def test_no_point_of_a_dense_grid_is_better(windows):
    fit = fit_garch(windows)
    best = np.full(len(windows), -np.inf)
    for a in np.r_[0.002, np.linspace(0.01, 0.95, 40)]:
        for persistence in np.r_[np.linspace(0.02, 0.95, 30), np.linspace(0.96, MAX_PERSISTENCE, 12)]:
            if persistence < a:
                continue
            point = np.full(len(windows), a), np.full(len(windows), persistence - a)
            h = variance_path(windows**2 / fit.target_variance[:, None], *point)[:, :-1] * fit.target_variance[:, None]
            best = np.maximum(best, -0.5 * np.sum(np.log(2 * np.pi * h) + windows**2 / h, axis=1))
    found = [literal_log_likelihood(*row) for row in zip(windows, fit.alpha, fit.beta, strict=True)]
    assert (np.array(found) >= best - 1e-6).all()


def test_no_nearby_point_is_better(windows):
    fit = fit_garch(windows)
    for e, a, b in zip(windows, fit.alpha, fit.beta, strict=True):
        value = literal_log_likelihood(e, a, b)
        for da, db in [(1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3), (1e-3, -1e-3), (-1e-3, 1e-3)]:
            if a + da >= 0 and b + db >= 0 and a + b + da + db <= MAX_PERSISTENCE and a + b > 0:
                assert literal_log_likelihood(e, a + da, b + db) <= value + 1e-9


def test_what_another_processor_rounds_otherwise_changes_no_digit_that_is_shown(windows):
    rng = np.random.default_rng(4)
    rounded = windows * (1.0 + 4e-16 * rng.choice([-1, 0, 1], windows.shape))
    fit, other = fit_garch(windows), fit_garch(rounded)
    for name in ("alpha", "beta", "forecast_variance"):
        np.testing.assert_allclose(getattr(other, name), getattr(fit, name), rtol=1e-11, atol=1e-12)


def test_parameters_stay_in_the_triangle_and_recover_the_truth():
    e = simulate_garch(np.random.default_rng(1), 3, 6000)
    fit = fit_garch(e)
    assert ((fit.alpha >= 0) & (fit.beta >= 0) & (fit.alpha + fit.beta <= MAX_PERSISTENCE)).all()
    np.testing.assert_allclose(fit.alpha, 0.08, rtol=0, atol=0.03)
    np.testing.assert_allclose(fit.beta, 0.90, rtol=0, atol=0.04)


def test_constant_variance_where_garch_is_no_better():
    # Large squares follow small ones and the reverse: clustering only worsens the likelihood.
    e = np.tile([0.02, -0.001], 100)
    fit = fit_garch(e)
    assert (fit.alpha[0], fit.beta[0]) == (0.0, 0.0)
    np.testing.assert_allclose(fit.variances[0], np.mean(e**2))
    np.testing.assert_allclose(fit.forecast_variance, np.mean(e**2))


def test_forecast_runs_through_the_gap_with_realised_returns(windows):
    following = np.random.default_rng(8).normal(0, 0.03, (len(windows), 10))
    fit = fit_garch(windows, following)
    for i, e in enumerate(windows):
        h = fit.variances[i, -1]
        for x in [e[-1], *following[i]]:
            h = fit.target_variance[i] * (1 - fit.alpha[i] - fit.beta[i]) + fit.alpha[i] * x * x + fit.beta[i] * h
        assert fit.forecast_variance[i] == pytest.approx(h, rel=1e-12)
    assert fit.volatility_state[0] == pytest.approx(math.sqrt(fit.forecast_variance[0] / fit.target_variance[0]))


def test_scale_changes_nothing_but_the_unit_and_rows_do_not_see_each_other(windows):
    fit, scaled, alone = fit_garch(windows), fit_garch(windows * 100.0), fit_garch(windows[7])
    np.testing.assert_allclose(scaled.alpha, fit.alpha, rtol=0, atol=1e-5)
    np.testing.assert_allclose(scaled.variances, fit.variances * 1e4, rtol=1e-4)
    assert alone.alpha[0] == pytest.approx(fit.alpha[7], abs=1e-9)


def test_refuses_what_cannot_be_fitted():
    with pytest.raises(EstimationError, match="vary"):
        fit_garch(np.zeros((2, 50)))
    with pytest.raises(EstimationError, match="finite"):
        fit_garch(np.array([0.01, np.nan, 0.02]))
