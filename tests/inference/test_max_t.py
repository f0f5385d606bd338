from __future__ import annotations

import numpy as np
import pytest
from event_impact.inference.robustness import assess_curve, scale_by_placebo, step_down


@pytest.fixture(scope="module")
def t_values():
    rng = np.random.default_rng(8)
    common = rng.standard_normal((121, 1))
    t = 0.8 * common + 0.6 * rng.standard_normal((121, 7)) * [1, 1, 1, 1, 2, 1, 1]
    event = t[0] + [0, 1.5, 0, -2.5, 0, 0.3, 0]
    return event, t[1:]


def brute_force(event, placebo):
    """Every count by its own loop, straight from the definition."""
    n, k = placebo.shape
    rms = [sum(placebo[i, j] ** 2 for i in range(n)) / n for j in range(k)]
    size = [abs(event[j]) / rms[j] ** 0.5 for j in range(k)]
    m_event = max(size)
    overall = (1 + sum(max(abs(placebo[i, j]) / rms[j] ** 0.5 for j in range(k)) >= m_event for i in range(n))) / (
        n + 1
    )
    adjusted, floor = [None] * k, 0.0
    left = sorted(range(k), key=lambda j: -size[j])
    while left:
        count = sum(max(abs(placebo[i, j]) / rms[j] ** 0.5 for j in left) >= size[left[0]] for i in range(n))
        floor = max(floor, (1 + count) / (n + 1))
        adjusted[left[0]] = floor
        left = left[1:]
    return overall, adjusted


def test_max_t_and_step_down_agree_with_a_brute_force_loop(t_values):
    event, placebo = t_values
    found = assess_curve(event, placebo, critical=np.full(7, 1.98))
    overall, adjusted = brute_force(event, placebo)
    assert found.max_t.p_value == overall
    np.testing.assert_array_equal(found.adjusted, adjusted)
    assert len(set(adjusted)) > 3


def test_joint_tests_agree_with_a_brute_force_loop(t_values):
    event, placebo = t_values
    critical = np.array([1.9, 2.0, 2.1, 1.8, 1.98, 1.97, 1.99])
    found = assess_curve(event, placebo, critical=critical)

    def share(row):
        return sum(abs(x) > c for x, c in zip(row, critical, strict=True)) / 7

    def middle(row):
        return sorted(row)[3]

    for test, statistic in ((found.share, share), (found.median, middle), (found.mean, lambda r: sum(r) / 7)):
        own = statistic(event)
        count = sum(abs(statistic(row)) >= abs(own) - 1e-12 for row in placebo)
        assert test.statistic == pytest.approx(own)
        assert test.p_value == (1 + count) / 121


def test_adjusted_p_is_monotone_in_size_and_at_least_the_plain_rank(t_values):
    event, placebo = t_values
    scaled, others = scale_by_placebo(event, placebo)
    adjusted = step_down(scaled, others)
    order = np.argsort(-scaled)
    assert (np.diff(adjusted[order]) >= 0).all()
    plain = (1 + (others >= scaled).sum(axis=0)) / 121
    assert (adjusted >= plain).all()
    assert adjusted.min() == adjusted[order[0]]


def test_no_adjusted_p_falls_below_that_of_a_larger_specification():
    """Once the wild first specification has left, the second would reject on its own."""
    placebo = np.column_stack([np.tile([0.1, 3.0], 50), np.full(100, 0.5)])
    adjusted = step_down(np.array([2.0, 1.99]), placebo)
    assert adjusted[0] == 51 / 101
    assert adjusted[1] == adjusted[0] > 1 / 101


def test_one_specification_is_its_plain_rank():
    rng = np.random.default_rng(1)
    placebo = rng.standard_normal((50, 1))
    found = assess_curve(np.array([1.0]), placebo, critical=np.array([2.0]))
    assert found.max_t.p_value == (1 + int((np.abs(placebo) >= 1.0).sum())) / 51


def test_a_noisy_specification_does_not_drown_the_others():
    rng = np.random.default_rng(2)
    placebo = rng.standard_normal((300, 2)) * [1.0, 10.0]
    assert assess_curve(np.array([5.0, 1.0]), placebo, critical=np.full(2, 2.0)).max_t.p_value < 0.01


def test_size_on_exchangeable_sessions():
    """400 worlds without an effect: the p-values reject as often as they say (standard error 1.1 and 1.5 points)."""
    rng = np.random.default_rng(20260202)
    p_max, p_mean = [], []
    for _ in range(400):
        common = rng.standard_t(5, (201, 1))
        t = 0.9 * common + 0.4 * rng.standard_normal((201, 12))
        found = assess_curve(t[0], t[1:], critical=np.full(12, 1.97))
        p_max.append(found.max_t.p_value)
        p_mean.append(found.mean.p_value)
    for p in (np.array(p_max), np.array(p_mean)):
        assert abs((p <= 0.05).mean() - 0.05) < 0.033
        assert abs((p <= 0.10).mean() - 0.10) < 0.045
