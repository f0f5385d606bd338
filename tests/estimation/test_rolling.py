"""Batched window fits against one least-squares call per window and exact algebra."""

import numpy as np
import pytest
from event_impact.base.errors import EstimationError
from event_impact.estimation.rolling import fit_rolling, fit_stack, fit_windows

LENGTH, GAP = 60, 5


@pytest.fixture
def series():
    rng = np.random.default_rng(11)
    market, size = rng.normal(0.0003, 0.01, 400), rng.normal(0.0, 0.006, 400)
    y = 0.0002 + 1.2 * market - 0.4 * size + rng.standard_t(4, 400) * 0.012
    return y, np.column_stack([np.ones(400), market, size])


def literal_window(y, design, event, *, first, last):
    """The formulas of one event written out with an explicit inverse."""
    rows = np.arange(event - GAP - LENGTH, event - GAP)
    days = np.arange(event + first, event + last + 1)
    b, *_ = np.linalg.lstsq(design[rows], y[rows], rcond=None)
    e = y[rows] - design[rows] @ b
    inverse = np.linalg.inv(design[rows].T @ design[rows])
    s = np.sqrt(e @ e / (LENGTH - design.shape[1]))
    scale = np.eye(len(days)) + design[days] @ inverse @ design[days].T
    leverage = np.einsum("ij,jk,ik->i", design[rows], inverse, design[rows])
    return b, s, e, y[days] - design[days] @ b, scale, leverage


def test_every_number_of_a_window_equals_the_literal_formula(series):
    y, design = series
    events = np.arange(LENGTH + GAP, 398)
    fits = fit_rolling(y, design, events=events, estimation_length=LENGTH, gap=GAP, first=-1, last=2)
    for i in range(0, len(events), 17):
        _, s, e, ar, scale, leverage = literal_window(y, design, events[i], first=-1, last=2)
        np.testing.assert_allclose(fits.residual_std[i], s, rtol=1e-12)
        np.testing.assert_allclose(fits.residuals[i], e, rtol=0, atol=1e-15)
        np.testing.assert_allclose(fits.abnormal_returns[i], ar, rtol=0, atol=1e-15)
        np.testing.assert_allclose(fits.forecast_scale[i], scale, rtol=0, atol=1e-12)
        np.testing.assert_allclose(fits.estimation_leverage[i], leverage, rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            (fits.abnormal_returns / fits.forecast_std)[i], ar / (s * np.sqrt(np.diag(scale))), rtol=1e-11
        )
        np.testing.assert_allclose(fits.scar[i], ar.sum() / (s * np.sqrt(scale.sum())), rtol=1e-11)


def test_the_gap_holds_the_realised_abnormal_returns_in_order(series):
    y, design = series
    fits = fit_rolling(y, design, events=[300], estimation_length=LENGTH, gap=GAP)
    b = literal_window(y, design, 300, first=0, last=0)[0]
    np.testing.assert_allclose(fits.gap_abnormal_returns[0], y[295:300] - design[295:300] @ b, rtol=0, atol=1e-15)
    wide = fit_rolling(y, design, events=[300], estimation_length=LENGTH, gap=GAP, first=-2)
    assert wide.gap_abnormal_returns.shape == (1, 3)


def test_dummy_regression_gives_the_same_abnormal_returns_and_errors(series):
    y, design = series
    fits = fit_rolling(y, design, events=[200], estimation_length=LENGTH, gap=0, last=1)
    rows = np.arange(140, 202)
    full = np.column_stack([design[rows], np.eye(62)[:, -2:]])
    b, *_ = np.linalg.lstsq(full, y[rows], rcond=None)
    e = y[rows] - full @ b
    covariance = e @ e / (62 - 5) * np.linalg.inv(full.T @ full)
    np.testing.assert_allclose(fits.abnormal_returns[0], b[-2:], rtol=0, atol=1e-14)
    np.testing.assert_allclose((fits.car / fits.scar)[0] ** 2, covariance[-2:, -2:].sum(), rtol=1e-11)


def test_leverages_sum_to_the_number_of_coefficients(series):
    y, design = series
    fits = fit_rolling(y, design, events=[150, 390], estimation_length=LENGTH, gap=GAP)
    np.testing.assert_allclose(fits.estimation_leverage.sum(axis=1), 3.0, rtol=1e-12)


def test_without_regressors_the_return_itself_is_tested(series):
    y, design = series
    spread = y - design[:, 1]
    fits = fit_rolling(spread, np.empty((400, 0)), events=[100], estimation_length=LENGTH, gap=GAP)
    assert fits.df == LENGTH
    assert fits.abnormal_returns[0, 0] == spread[100]
    np.testing.assert_allclose(fits.residual_std[0] ** 2, np.mean(spread[35:95] ** 2), rtol=1e-13)
    np.testing.assert_allclose(
        (fits.abnormal_returns / fits.forecast_std)[0, 0], spread[100] / fits.residual_std[0], rtol=1e-13
    )


def test_scale_and_shift_leave_t_unchanged(series):
    y, design = series
    events = np.arange(80, 390, 7)
    base = fit_rolling(y, design, events=events, estimation_length=LENGTH, gap=GAP).scar
    moved = design.copy()
    moved[:, 1:] = moved[:, 1:] * 100.0 + 1e4
    again = fit_rolling(y * 100.0 + 1e4, moved, events=events, estimation_length=LENGTH, gap=GAP).scar
    np.testing.assert_allclose(again, base, rtol=0, atol=1e-9)


def test_a_level_costs_no_digits(series):
    """Shifting back is exact in floating point, so any difference is the algorithm's own cancellation."""
    y, design = series
    raised = design + np.array([0.0, 1e4, 1e4])
    args = {"events": np.arange(80, 390, 7), "estimation_length": LENGTH, "gap": GAP}
    found = fit_rolling(y + 1e4, raised, **args).scar
    back = fit_rolling((y + 1e4) - 1e4, raised - np.array([0.0, 1e4, 1e4]), **args).scar
    np.testing.assert_allclose(found, back, rtol=0, atol=1e-13)


def test_nearly_collinear_regressors_stay_orthogonal(series):
    y, design = series
    twin = design[:, 1] + 1e-7 * design[:, 2]
    fits = fit_rolling(y, np.column_stack([design[:, :2], twin]), events=[300], estimation_length=LENGTH, gap=GAP)
    basis = fits.estimation_coordinates[0]
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), rtol=0, atol=1e-14)
    plain = fit_rolling(y, design, events=[300], estimation_length=LENGTH, gap=GAP)
    np.testing.assert_allclose(
        (fits.abnormal_returns / fits.forecast_std), (plain.abnormal_returns / plain.forecast_std), rtol=1e-6
    )


def test_a_bad_tick_is_forgotten_once_it_has_left_the_window(series):
    y, design = series
    spoiled = y.copy()
    spoiled[100] = 1e4
    events = np.arange(101 + GAP + LENGTH, 398)
    args = {"events": events, "estimation_length": LENGTH, "gap": GAP}
    np.testing.assert_array_equal(fit_rolling(spoiled, design, **args).scar, fit_rolling(y, design, **args).scar)


def test_order_of_estimation_days_is_irrelevant(series):
    y, design = series
    rows = np.arange(100, 160)
    shuffled = np.random.default_rng(0).permutation(rows)
    plain = fit_windows(y, design, estimation=rows, window=np.array([170]))
    mixed = fit_windows(y, design, estimation=shuffled, window=np.array([170]))
    np.testing.assert_allclose(
        (mixed.abnormal_returns / mixed.forecast_std), (plain.abnormal_returns / plain.forecast_std), rtol=1e-12
    )


def test_stacked_windows_may_each_have_their_own_market(series):
    y, design = series
    rows, days = np.arange(60)[None] + np.array([[0], [200]]), np.array([[90], [290]])
    fits = fit_stack((y[rows], design[rows]), (y[days], design[days]))
    alone = fit_windows(y, design, estimation=rows[1], window=days[1])
    np.testing.assert_allclose(
        (fits.abnormal_returns / fits.forecast_std)[1], (alone.abnormal_returns / alone.forecast_std)[0], rtol=1e-13
    )


@pytest.mark.parametrize("extra", ["duplicate", "second constant", "sum of two"])
def test_collinear_designs_are_refused(series, extra):
    y, design = series
    column = {
        "duplicate": design[:, 1],
        "second constant": np.full(400, 0.1),
        "sum of two": design[:, 1] + 2 * design[:, 2],
    }[extra]
    with pytest.raises(EstimationError, match="linearly independent"):
        fit_rolling(y, np.column_stack([design, column]), events=[300], estimation_length=LENGTH, gap=GAP)


def test_a_dummy_that_never_fires_is_refused(series):
    y, design = series
    with pytest.raises(EstimationError, match="linearly independent"):
        fit_rolling(y, np.column_stack([design, np.zeros(400)]), events=[300], estimation_length=LENGTH, gap=GAP)


def test_refusals_say_what_was_found(series):
    y, design = series
    with pytest.raises(EstimationError, match="positions -1 to"):
        fit_rolling(y, design, events=[64], estimation_length=LENGTH, gap=GAP)
    with pytest.raises(EstimationError, match="positions 130 to 400"):
        fit_rolling(y, design, events=[195, 399], estimation_length=LENGTH, gap=GAP, last=1)
    holed = y.copy()
    holed[180] = np.nan
    with pytest.raises(EstimationError, match="finite returns"):
        fit_rolling(holed, design, events=[195], estimation_length=LENGTH, gap=GAP)
    with pytest.raises(EstimationError, match="explain exactly"):
        fit_rolling(design[:, 1] * 2.0, design, events=[195], estimation_length=LENGTH, gap=GAP)
