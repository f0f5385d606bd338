"""Block-conformal p against literal refits; its thresholds are scanned beside those of FHS."""

import numpy as np
import pytest
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.deciding_rule import describe_rule, invert_rule
from event_impact.inference.ranks import (
    block_p_values,
    circular_sums,
    conformal_p_values,
    find_roots,
    refit_residuals,
)

LENGTH, GAP = 80, 4


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(17)
    market, other = rng.normal(0, 0.01, 260), rng.normal(0, 0.01, 260)
    return 0.001 + 1.1 * market + 0.3 * other + rng.standard_t(4, 260) * 0.01, np.column_stack(
        [np.ones(260), market, other]
    )


def literal(y, design, event, m, *, effect=0.0):
    """Refit on the L + m sessions and count blocks one by one."""
    rows = np.r_[np.arange(event - GAP - LENGTH, event - GAP), np.arange(event, event + m)]
    returns = y[rows].copy()
    returns[LENGTH:] -= effect / m
    b, *_ = np.linalg.lstsq(design[rows], returns, rcond=None)
    f = returns - design[rows] @ b
    n = LENGTH + m
    sums = [abs(sum(f[(k + j) % n] for j in range(m))) for k in range(n)]
    return f, sum(k == LENGTH or sums[k] >= sums[LENGTH] for k in range(n)) / n


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_p_and_refitted_residuals_equal_the_literal_refit(series, m):
    events = np.arange(90, 250, 13)
    fits = fit_rolling(*series, events=events, estimation_length=LENGTH, gap=GAP, last=m - 1)
    f, p = refit_residuals(fits), conformal_p_values(fits)
    for i, event in enumerate(events):
        expected, p_expected = literal(*series, event, m)
        np.testing.assert_allclose(f[i], expected, rtol=0, atol=1e-14)
        assert p[i] == pytest.approx(p_expected, abs=1e-12)


def test_injected_effect_moves_the_event_sum_and_p_never_reaches_zero(series):
    y, design = series
    moved = y.copy()
    moved[200:203] += 0.5
    fits = fit_rolling(moved, design, events=[200], estimation_length=LENGTH, gap=GAP, last=2)
    assert conformal_p_values(fits)[0] == pytest.approx(1 / 83)
    plain = fit_rolling(y, design, events=[200], estimation_length=LENGTH, gap=GAP, last=2)
    assert fits.car[0] - plain.car[0] == pytest.approx(1.5, abs=1e-12)
    np.testing.assert_allclose(find_roots(fits).rises, find_roots(plain).rises, atol=1e-12)
    np.testing.assert_allclose(find_roots(fits).falls, find_roots(plain).falls, atol=1e-12)


def test_ties_count_against_the_event_which_counts_itself():
    sums = np.array([[1.0, -2.0, 2.0, 0.5], [0.1, 0.2, 0.3, 0.0]])
    np.testing.assert_allclose(block_p_values(sums, 2), [2 / 4, 1 / 4])


def test_circular_sums_wrap():
    np.testing.assert_array_equal(circular_sums(np.array([[1.0, 10.0, 100.0, 1000.0]]), 3), [[111, 1110, 1101, 1011]])


def test_one_session_ignores_the_order_of_estimation_days(series):
    y, design = series
    shuffled = np.r_[np.random.default_rng(2).permutation(250), np.arange(250, 260)]
    args = {"events": [250], "estimation_length": 250, "gap": 0}
    one = conformal_p_values(fit_rolling(y, design, **args))
    other = conformal_p_values(fit_rolling(y[shuffled], design[shuffled], **args))
    assert one == other


def test_result_says_what_it_ranked(series):
    fits = fit_rolling(*series, events=[200], estimation_length=LENGTH, gap=GAP, last=1)
    result = describe_rule(invert_rule(fits))["block_conformal"]
    assert result.distribution == "ranks of 82 circular blocks of 2 sessions"
    assert 1 / 82 <= result.p_value <= 1
