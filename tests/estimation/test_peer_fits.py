from __future__ import annotations

import numpy as np
import pytest
from event_impact.base.errors import EstimationError
from event_impact.estimation.estimators import PENALTIES, fit_ridge, fit_synthetic_control
from scipy import optimize


@pytest.fixture(scope="module")
def returns():
    rng = np.random.default_rng(11)
    common = rng.normal(0, 0.01, 80)
    donors = common[:, None] * [1.0, 0.7, 1.4, 0.2] + rng.normal(0, 0.01, (80, 4))
    return 0.001 + donors @ [0.5, 0.3, 0.0, 0.1] + rng.normal(0, 0.008, 80), donors


def ridge_by_hand(y, x, penalty):
    mean, spread = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / spread
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(x.shape[1]), z.T @ (y - y.mean())) / spread
    return y.mean() - mean @ weights, weights


def leave_one_out_error(y, x, penalty):
    """Each session predicted from a fit whose design keeps the overall standardisation."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    z = np.column_stack([np.ones(len(y)), (x - mean) / spread])
    cost = np.diag([0.0, *[penalty] * x.shape[1]])
    errors = []
    for t in range(len(y)):
        keep = np.arange(len(y)) != t
        b = np.linalg.solve(z[keep].T @ z[keep] + cost, z[keep].T @ y[keep])
        errors.append(y[t] - z[t] @ b)
    return np.mean(np.square(errors))


def test_ridge_takes_the_penalty_of_least_leave_one_out_error(returns):
    y, x = returns
    fit = fit_ridge(y, x)
    errors = [leave_one_out_error(y, x, p) for p in PENALTIES]
    assert fit.penalty == PENALTIES[int(np.argmin(errors))]
    assert PENALTIES[0] < fit.penalty < PENALTIES[-1]
    intercept, weights = ridge_by_hand(y, x, fit.penalty)
    np.testing.assert_allclose(fit.weights, weights, rtol=1e-10)
    assert fit.intercept == pytest.approx(intercept, rel=1e-10)
    np.testing.assert_allclose(fit.residuals, y - (fit.intercept + x @ fit.weights), atol=1e-15)


def test_ridge_without_penalty_is_least_squares(returns):
    y, x = returns
    fit = fit_ridge(y, x, penalties=(0.0,))
    beta = np.linalg.lstsq(np.column_stack([np.ones(80), x]), y, rcond=None)[0]
    np.testing.assert_allclose([fit.intercept, *fit.weights], beta, rtol=1e-9)


def test_synthetic_control_agrees_with_a_numerical_optimiser(returns):
    y, x = returns
    fit = fit_synthetic_control(y, x)
    z, centred = x - x.mean(axis=0), y - y.mean()

    def loss(w):
        return float(np.sum((centred - z @ w) ** 2)) * 1e4

    found = optimize.minimize(
        loss, np.full(4, 0.25), bounds=[(0, 1)] * 4, constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP", options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    np.testing.assert_allclose(fit.weights, found.x, atol=1e-5)
    assert loss(fit.weights) <= found.fun + 1e-12
    assert fit.weights.sum() == pytest.approx(1.0)
    assert (fit.weights >= 0).all()
    assert fit.residuals.mean() == pytest.approx(0.0, abs=1e-15)


def test_synthetic_control_puts_weight_on_a_corner(returns):
    _, x = returns
    fit = fit_synthetic_control(x[:, 2] * 1.0 + 0.004, x)
    np.testing.assert_allclose(fit.weights, [0, 0, 1, 0], atol=1e-9)
    negative = fit_synthetic_control(2 * x[:, 0] - x[:, 1], x)
    assert (negative.weights >= 0).all()
    assert negative.weights[1] == 0.0
    assert negative.weights.sum() == pytest.approx(1.0)


def test_refusals(returns):
    y, x = returns
    with pytest.raises(EstimationError, match="constant"):
        fit_ridge(y, np.column_stack([x, np.zeros(80)]))
    with pytest.raises(EstimationError, match="missing"):
        fit_ridge(np.where(np.arange(80) == 3, np.nan, y), x)
    with pytest.raises(EstimationError, match="at most"):
        fit_synthetic_control(y, np.random.default_rng(0).normal(size=(80, 11)))
    with pytest.raises(EstimationError, match="shapes"):
        fit_ridge(y[:5], x[:5])
