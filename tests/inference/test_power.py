"""Power, equivalence and the significance filter against simulation and hand-checked anchors."""

import numpy as np
import pytest
from event_impact.inference.parametric import (
    detectable_effect,
    provable_bound,
    significance_filter,
)
from scipy import stats


@pytest.fixture(scope="module")
def draws():
    """A million estimates with their own standard errors, 40 degrees of freedom, truth 1, spread 1."""
    rng = np.random.default_rng(5)
    return 1.0 + rng.standard_normal(1_000_000), np.sqrt(rng.chisquare(40, 1_000_000) / 40)


def test_detectable_effect_is_the_sum_of_two_quantiles():
    se, df = 0.0185, 248
    expected = (stats.t(df).ppf(0.975) + stats.t(df).ppf(0.8)) * se
    assert detectable_effect(se, df=df) == pytest.approx(expected)
    assert detectable_effect(se, df=df) / se == pytest.approx(2.81, abs=0.01)
    # A standard deviation of 1.85 % over one session: about 3.7, 5.2 and 6.0 %.
    found = [detectable_effect(se * (1 + 1 / 250) ** 0.5, df=df, power=p) for p in (0.5, 0.8, 0.9)]
    np.testing.assert_allclose(found, [0.037, 0.052, 0.060], atol=6e-4)


def test_filter_agrees_with_simulation(draws):
    estimates, errors = draws
    hits = np.abs(estimates) > stats.t.ppf(0.975, 40) * errors
    found = significance_filter(1.0, 1.0, df=40)
    assert found["power"] == pytest.approx(hits.mean(), abs=0.0015)
    assert found["exaggeration"] == pytest.approx(np.abs(estimates[hits]).mean(), abs=0.01)
    assert found["sign_error"] == pytest.approx(np.mean(estimates[hits] < 0), abs=0.002)
    assert significance_filter(-1.0, 1.0, df=40) == found


def test_filter_of_a_small_effect():
    found = significance_filter(0.01, 0.016, df=248)
    assert found["power"] == pytest.approx(0.095, abs=0.002)
    assert found["exaggeration"] == pytest.approx(3.86, abs=0.05)
    assert found["sign_error"] == pytest.approx(0.05, abs=0.003)


def test_a_large_effect_is_not_exaggerated():
    found = significance_filter(0.1, 0.01, df=248)
    assert found["exaggeration"] == pytest.approx(1.0, abs=1e-6)
    assert found["sign_error"] < 1e-12


def test_provable_bound_passes_as_often_as_it_says():
    rng = np.random.default_rng(6)
    estimates, errors = rng.standard_normal(400_000), np.sqrt(rng.chisquare(248, 400_000) / 248)
    bound = provable_bound(1.0, df=248)
    assert bound == pytest.approx(2.93, abs=0.01)
    passed = np.abs(estimates) + stats.t.ppf(0.95, 248) * errors < bound
    assert passed.mean() == pytest.approx(0.80, abs=0.005)
