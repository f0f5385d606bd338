"""Eligibility written out as a rule for one session at a time, and ranks counted."""

import numpy as np
import pytest
from event_impact.base.errors import EstimationError
from event_impact.inference.ranks import eligible_placebo_sessions, placebo_p_values, placebo_test


def literal(n, event, *, length, gap, first=0, last=0, news=(), usable=None, distance=10):
    """The rule of one session, asked of every session."""
    usable = [True] * n if usable is None else usable
    kept = []
    for t in range(n):
        is_before = t < event - gap and t + max(last, 0) < event - gap and t + max(last, 0) < event + min(first, 0)
        has_windows = t - gap - length >= 0
        if is_before and has_windows:
            is_complete = all(usable[t - gap - length : t + max(last, 0) + 1])
            is_far = all(abs(t - other) > distance for other in news)
            if is_complete and is_far:
                kept.append(t)
    return kept


@pytest.mark.parametrize("window", [(0, 0), (0, 4), (-5, 5), (-15, 2)])
def test_eligible_sessions_are_those_of_the_literal_rule(window):
    first, last = window
    usable = np.ones(400, dtype=bool)
    usable[150] = False
    news = [260, 263]
    args = {"gap": 10, "first": first, "last": last, "news": news}
    found = eligible_placebo_sessions(usable, 380, estimation_length=60, **args)
    assert found.tolist() == literal(400, 380, length=60, usable=usable.tolist(), **args)


def test_ends_of_the_default_window():
    found = eligible_placebo_sessions(np.ones(1400, dtype=bool), 1316, estimation_length=250, gap=10)
    assert (found[0], found[-1]) == (260, 1305)
    assert len(found) == 1046


def test_distance_is_strict():
    found = eligible_placebo_sessions(np.ones(200, dtype=bool), 180, estimation_length=20, gap=5, news=[100])
    assert 90 not in found
    assert 110 not in found
    assert {89, 111} <= set(found.tolist())


def test_too_early_an_event_leaves_no_session():
    assert eligible_placebo_sessions(np.ones(300, dtype=bool), 100, estimation_length=250, gap=10).size == 0


def test_p_counts_ties_and_signs_and_is_never_zero():
    placebo = np.array([-3.0, -1.0, 0.5, 2.0])
    np.testing.assert_allclose(placebo_p_values(np.array([2.0, -2.5, 9.0, 0.0]), placebo), [3 / 5, 2 / 5, 1 / 5, 1.0])


def test_below_the_minimum_the_count_is_the_answer():
    result = placebo_test(2.0, np.zeros(199))
    assert result.p_value is None
    assert result.note == "199 eligible placebo sessions, 200 needed"
    assert placebo_test(2.0, np.zeros(200)).p_value == pytest.approx(1 / 201)


def test_refusals():
    with pytest.raises(EstimationError, match="finite"):
        placebo_test(2.0, np.full(250, np.nan))
