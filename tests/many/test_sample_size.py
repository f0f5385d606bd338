"""A short calibration: the statistics keep their size where they claim to, and only there.

The long tables come from ``calibration/cross_section_size.py``; here few replications of small
designs with a fixed seed must fall inside generous binomial bounds.
"""

import math

import pytest
from event_impact.many.sample import STATISTIC_NAMES

from calibration.cross_section_size import SizeDesign, simulate_sizes

REPLICATIONS = 150
HIGHEST = 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / REPLICATIONS)
RESAMPLED_BY_BLOCK = {"two_way_clustered_t", "wild_bootstrap", "event_block_bootstrap"}
ALLOW_FOR_DEPENDENCE = [
    "crude_dependence_t",
    "adjusted_patell",
    "kp_bmp",
    "corrado",
    "corrado_plain",
    "corrado_zivney",
    "grank_t",
    "calendar_time_t",
]
IGNORE_DEPENDENCE = [
    "cross_sectional_t",
    "patell",
    "bmp",
    "grank_z",
    "sign",
    "generalized_sign",
    "wilcoxon",
    "sign_flip",
]


def run(design):
    return simulate_sizes(design, replications=REPLICATIONS, errors="normal", seed=7)


def test_independent_events_with_a_long_event_window():
    counts = run(SizeDesign("", 30, 100, 11))
    for name in STATISTIC_NAMES:
        if counts.computed[name]:
            assert counts.share(name, 0.05) < HIGHEST, name
    assert not any(counts.computed[name] for name in RESAMPLED_BY_BLOCK)  # one block of days


def test_one_date_with_correlated_residuals():
    counts = run(SizeDesign("", 30, 100, 3, correlation=0.3))
    for name in ALLOW_FOR_DEPENDENCE:
        assert counts.share(name, 0.05) < HIGHEST, name
    for name in IGNORE_DEPENDENCE:
        assert counts.share(name, 0.05) > 0.25, name


def test_variance_that_rises_at_the_event():
    counts = run(SizeDesign("", 30, 100, 1, event_variance=4.0))
    for name in ("cross_sectional_t", "bmp", "kp_bmp", "sign_flip", "wilcoxon", "sign", "corrado_zivney", "grank_t"):
        assert counts.share(name, 0.05) < HIGHEST, name
    for name in ("patell", "crude_dependence_t", "corrado"):
        assert counts.share(name, 0.05) > 0.12, name


def test_many_dates_of_several_events():
    design = SizeDesign("", 40, 60, 3, correlation=0.5, n_dates=10, spacing=15)
    counts = run(design)
    for name in ("wild_bootstrap", "event_block_bootstrap", "kp_bmp"):
        assert counts.computed[name] == REPLICATIONS
        assert counts.share(name, 0.05) < HIGHEST, name
    assert counts.share("bmp", 0.05) > 0.2


@pytest.mark.parametrize("n", [2, 3])
def test_tiny_samples_keep_their_size(n):
    counts = run(SizeDesign("", n, 60, 1))
    for name in ("cross_sectional_t", "bmp", "patell", "crude_dependence_t"):
        assert counts.share(name, 0.05) < HIGHEST, name
