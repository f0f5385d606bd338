"""Pseudo-event ranks against one regression per start, and their level."""

import numpy as np
import pytest
from event_impact.inference.pseudo_event import pseudo_event_scars, pseudo_event_test

WINDOWS = {"estimation_length": 60, "gap": 5, "first": -1, "last": 3}


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(9)
    market = rng.normal(0, 0.01, 420)
    return 1.3 * market + rng.standard_t(4, 420) * 0.01, np.column_stack([np.ones(420), market])


def literal_scar(y, design, event):
    rows, days = np.arange(event - 65, event - 5), np.arange(event - 1, event + 4)
    b, *_ = np.linalg.lstsq(design[rows], y[rows], rcond=None)
    e = y[rows] - design[rows] @ b
    total = design[days].sum(axis=0)
    variance = e @ e / 58 * (5 + total @ np.linalg.inv(design[rows].T @ design[rows]) @ total)
    return (y[days] - design[days] @ b).sum() / np.sqrt(variance)


def test_every_scar_equals_a_regression_of_its_own(series):
    starts = np.arange(65, 410, 11)
    found = pseudo_event_scars(*series, starts=starts, **WINDOWS)
    np.testing.assert_allclose(found, [literal_scar(*series, t) for t in starts], rtol=1e-10)


def test_p_is_the_literal_rank(series):
    result = pseudo_event_test(*series, event=400, **WINDOWS)
    earlier = [literal_scar(*series, t) for t in range(65, 400 - 5 - 3)]
    own = literal_scar(*series, 400)
    assert result.statistic == pytest.approx(own, rel=1e-10)
    assert result.p_value == pytest.approx((1 + sum(abs(s) >= abs(own) for s in earlier)) / (len(earlier) + 1))


def test_too_few_starts_give_a_reason(series):
    result = pseudo_event_test(*series, event=200, **WINDOWS)
    assert result.p_value is None
    assert "200 needed" in result.note


def test_an_injected_effect_is_found(series):
    y, design = series
    moved = y.copy()
    moved[400] += 0.2
    assert pseudo_event_test(moved, design, event=400, **WINDOWS).p_value < 0.01
