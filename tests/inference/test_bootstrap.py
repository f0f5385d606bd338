"""Block bootstrap: literal refits of its draws, its exactness without dependence, and its seed."""

import numpy as np
import pytest
from event_impact.base.errors import EstimationError
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.window_tests import (
    _draw_blocks,
    _studentised,
    bootstrap_test,
    default_block_length,
)
from scipy import stats


@pytest.fixture(scope="module")
def fits():
    rng = np.random.default_rng(12)
    market = rng.normal(0, 0.01, 203)
    y = 1.1 * market + rng.normal(0, 0.01, 203)
    return fit_rolling(y, np.column_stack([np.ones(203), market]), events=[200], estimation_length=200, gap=0, last=2)


def test_a_draw_is_refitted_as_written(fits):
    rng = np.random.default_rng(1)
    sample = rng.normal(0, 0.01, (5, 203))
    basis, window = fits.estimation_coordinates[0], fits.window_coordinates[0]
    total = window.sum(axis=0)
    found = _studentised(sample, basis, window=total, spread=np.sqrt(3 + total @ total), df=198)
    for row, value in zip(sample, found, strict=True):
        b, *_ = np.linalg.lstsq(basis, row[:200], rcond=None)
        e = row[:200] - basis @ b
        scale = np.eye(3) + window @ window.T
        expected = (row[200:] - window @ b).sum() / np.sqrt(e @ e / 198 * scale.sum())
        assert value == pytest.approx(expected, rel=1e-10)


def test_blocks_are_runs_of_consecutive_residuals():
    drawn = _draw_blocks(np.arange(50), np.random.default_rng(0), n_draws=400, length=23, block=6)
    assert drawn.shape == (400, 23)
    breaks = np.diff(drawn, axis=1) != 1
    # Joints lie six apart within a draw and, over draws, at every place.
    for row in breaks:
        joints = np.flatnonzero(row)
        assert (np.diff(joints) % 6 == 0).all()
    assert breaks.any(axis=0).all()


def test_normal_errors_give_the_t_distribution(fits):
    outcome = bootstrap_test(fits, np.random.default_rng(2), n_draws=20_000, block_length=1)
    expected = 2 * stats.t.sf(abs(fits.scar[0]), fits.df)
    assert outcome.p_value == pytest.approx(expected, abs=0.03)


def test_same_seed_same_answer(fits):
    one = bootstrap_test(fits, np.random.default_rng(7), n_draws=2500)
    assert one == bootstrap_test(fits, np.random.default_rng(7), n_draws=2500)
    assert one != bootstrap_test(fits, np.random.default_rng(8), n_draws=2500)


def test_positive_dependence_makes_a_sum_less_unusual():
    rng = np.random.default_rng(3)
    shocks = rng.normal(0, 0.01, 1000)
    y = np.convolve(shocks, np.ones(5) / 5, mode="valid")[:505]
    fits = fit_rolling(y, np.ones((505, 1)), events=[500], estimation_length=500, gap=0, last=4)
    blocks = bootstrap_test(fits, np.random.default_rng(4), n_draws=3000, block_length=20)
    single = bootstrap_test(fits, np.random.default_rng(4), n_draws=3000, block_length=1)
    assert blocks.p_value > 5 * single.p_value


def test_default_blocks_and_refusals(fits):
    assert default_block_length(250, 1) == 6
    assert default_block_length(250, 21) == 21
    assert "blocks of 6 sessions" in bootstrap_test(fits, np.random.default_rng(0), n_draws=200).distribution
    with pytest.raises(EstimationError, match="blocks of 1 to 100"):
        bootstrap_test(fits, np.random.default_rng(0), block_length=101)
    with pytest.raises(EstimationError, match="at least 99"):
        bootstrap_test(fits, np.random.default_rng(0), n_draws=50)
