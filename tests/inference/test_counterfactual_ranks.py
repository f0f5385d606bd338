"""Ranks for any estimator: with least squares as the estimator they are the closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from event_impact.estimation.estimators import fit_counterfactual, solve_huber
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.ranks import TOLERANCE, SearchedRoots, block_p_values, circular_sums, find_roots


def solve_ols(returns, design):
    return np.array([np.linalg.lstsq(x, y, rcond=None)[0] for y, x in zip(returns, design, strict=True)])


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(12)
    market = rng.normal(0, 0.01, 200)
    y = market + rng.standard_t(4, 200) * 0.01
    y[180:] += 0.012
    return y, np.column_stack([np.ones(200), market])


def fits_of(series, last, solve=solve_ols):
    window = np.arange(180, 181 + last)
    return fit_counterfactual(*series, solve, estimation=np.arange(170), window=window, between=np.arange(170, 180))


@pytest.mark.parametrize("last", [0, 2, 4])
def test_with_least_squares_the_search_finds_the_closed_forms(series, last):
    fits = fits_of(series, last)
    searched = SearchedRoots(fits)
    closed = find_roots(fit_rolling(*series, events=[180], estimation_length=170, gap=10, last=last))
    estimate, spread = fits.abnormal_returns.sum(axis=1), np.sqrt(np.mean(fits.residuals**2))
    for effect in (0.0, 0.02, -0.05):
        assert searched.rank(estimate + effect)[0] == closed.rank(estimate + effect)[0]
    for level in (0.05, 0.10):
        np.testing.assert_allclose(searched.ends(level), closed.ends(level), rtol=0, atol=2 * TOLERANCE * spread)


@pytest.mark.parametrize("effect", [0.0, 0.005, 0.02, -0.015, -0.04, 0.3])
def test_zero_lies_outside_exactly_where_the_refit_rejects_it(series, effect):
    y = series[0].copy()
    y[180] += effect
    fits = fits_of((y, series[1]), 0, solve_huber)
    searched, estimate = SearchedRoots(fits), fits.abnormal_returns.sum()
    p = block_p_values(circular_sums(fits.refit(0.0), 1), 170)[0]
    up, down = (end[0] for end in searched.ends(0.10))
    assert (estimate > up or estimate < -down) == (p < 0.10)


def test_a_search_ends_where_the_refit_begins_to_reject(series):
    fits = fits_of(series, 1, solve_huber)
    up, down = (end[0] for end in SearchedRoots(fits).ends(0.10))
    step = 2 * TOLERANCE * float(np.sqrt(np.mean(fits.residuals**2)))
    total = fits.abnormal_returns.sum()

    def literal(effect):
        """Huber's fit once more on both windows, the effect halved off each event session."""
        y, design = series
        rows = np.r_[np.arange(170), 180, 181]
        moved = y[rows].copy()
        moved[170:] -= effect / 2
        f = moved - design[rows] @ solve_huber(moved[None], design[rows][None])[0]
        sums = [abs(f[k] + f[(k + 1) % 172]) for k in range(172)]
        return sum(k == 170 or sums[k] >= sums[170] for k in range(172)) / 172

    assert literal(total - up) >= 0.10 > literal(total - up - step)
    assert literal(total + down) >= 0.10 > literal(total + down + step)


def test_a_level_out_of_reach_searches_nothing(series):
    assert SearchedRoots(fits_of(series, 0)).ends(0.001)[0][0] == np.inf
