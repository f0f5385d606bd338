"""FHS ranks against a count written out, the golden firm and its own interval."""

import csv
import json
import math
import pathlib

import numpy as np
import pytest
from event_impact.base.errors import EstimationError
from event_impact.estimation.garch import fit_garch
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.fhs import fhs_test, filtered_ranks, rank_filtered

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
    result = fhs_test(fits)
    assert result.p_value == pytest.approx(expected["p_fhs"], abs=1e-12)
    assert result.statistic == pytest.approx(expected["z"], rel=1e-5)


def test_p_is_the_literal_count(series):
    fits = fit_rolling(*series, events=np.arange(210, 320, 9), estimation_length=200, gap=7)
    ranks = filtered_ranks(fits)
    for i in range(len(ranks.p_values)):
        garch = fit_garch(fits.residuals[i], fits.gap_abnormal_returns[i])
        z = fits.abnormal_returns[i, 0] / math.sqrt(garch.forecast_variance[0] * (1 + fits.leverage[i, 0]))
        standardised = [abs(x) / math.sqrt(h) for x, h in zip(fits.residuals[i], garch.variances[0], strict=True)]
        assert ranks.p_values[i] == pytest.approx((1 + sum(s >= abs(z) for s in standardised)) / 201)
        assert ranks.z[i] == pytest.approx(z, rel=1e-9)


def test_interval_is_the_set_of_effects_that_are_not_rejected(series):
    fits = fit_rolling(*series, events=[300], estimation_length=199, gap=7)
    ar, leverage = fits.abnormal_returns[0], fits.leverage[0]
    ranks = filtered_ranks(fits, level=0.05)
    half = ranks.half_width[0]
    for effect, is_rejected in [(ar - half * 0.999, False), (ar - half * 1.001, True), (ar + half * 1.001, True)]:
        moved = rank_filtered(fits.residuals, ar - effect, leverage=leverage, following=fits.gap_abnormal_returns)
        assert bool(moved.p_values[0] <= 0.05) == is_rejected


def test_p_is_never_zero_and_a_tie_counts(series):
    fits = fit_rolling(*series, events=[300], estimation_length=200, gap=7)
    huge = rank_filtered(fits.residuals, [9.0], leverage=[0.0])
    assert huge.p_values[0] == 1 / 201
    alternating = np.tile([0.02, -0.001], 100)  # a constant variance: h is the same on every day
    tied = rank_filtered(alternating, [0.02], leverage=[0.0])
    assert tied.p_values[0] == 101 / 201
    none = rank_filtered(fits.residuals, [0.0], leverage=[0.0])
    assert none.p_values[0] == 1.0


def test_the_level_follows_the_volatility_of_the_day(series):
    """The same abnormal return is ordinary after turbulent gap days and striking after calm ones."""
    rng = np.random.default_rng(4)
    e, h = np.empty(250), 1.0
    for t in range(250):
        e[t] = rng.standard_normal() * math.sqrt(h)
        h = 0.1 + 0.2 * e[t] ** 2 + 0.7 * h
    calm = rank_filtered(e, [2.2], leverage=[0.0], following=np.zeros((1, 10)))
    wild = rank_filtered(e, [2.2], leverage=[0.0], following=np.full((1, 10), 4.0))
    assert calm.garch.volatility_state[0] < 1 < wild.garch.volatility_state[0]
    assert calm.p_values[0] < 0.05 < wild.p_values[0]


def test_too_short_a_window_has_no_interval(series):
    fits = fit_rolling(*series, events=[300], estimation_length=15, gap=2)
    assert math.isinf(filtered_ranks(fits).half_width[0])


def test_windows_are_sent_to_the_block_test(series):
    fits = fit_rolling(*series, events=[300], estimation_length=200, gap=7, last=1)
    with pytest.raises(EstimationError, match="one session"):
        filtered_ranks(fits)
    assert not fhs_test(fits).is_computed
    assert "block-conformal" in fhs_test(fits).note
