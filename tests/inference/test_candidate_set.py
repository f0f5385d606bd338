"""A set of candidate sessions against loops over its members, and on stories whose session is uncertain."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from event_impact.base.result import TestResult
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.candidate_set import (
    CandidateSession,
    CandidateSet,
    measure_candidates,
    rank_largest,
)
from event_impact.inference.deciding_rule import find_detectable, invert_rule
from event_impact.inference.ranks import is_rejected
from stories import compute

LENGTH, GAP, EVENT = 250, 10, 300


def make_series(shifts: dict[int, float], seed: int = 2):
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.01, 320)
    spread = np.where(np.arange(320) // 25 % 2, 0.008, 0.016)  # volatility clusters
    y = 1.2 * market + rng.standard_t(5, 320) * spread
    for offset, effect in shifts.items():
        y[EVENT + offset] += effect
    return y, np.column_stack([np.ones(320), market])


def make_set(shifts: dict[int, float], *, offsets: tuple[int, ...] = (0, 1), length: int = LENGTH) -> CandidateSet:
    """Candidates at some offsets, the sessions before each in its gap."""
    sessions = []
    for offset in offsets:
        fits = fit_rolling(
            *make_series(shifts), events=[EVENT + offset], estimation_length=length, gap=GAP + offset
        )  # fmt: skip
        day = pd.Timestamp("2026-01-05") + pd.Timedelta(days=offset)
        sessions.append(CandidateSession(offset, invert_rule(fits), TestResult("t", "", p_value=0.5), day))
    return CandidateSet(tuple(sessions))


def test_one_candidate_is_the_plain_row():
    alone = make_set({}, offsets=(0,))
    rule = alone.sessions[0].rule
    assert alone.p_star == rule.p_star[0]
    assert alone.interval(0.05) == pytest.approx(np.ravel(rule.interval(0.05)).tolist(), abs=0)
    assert alone.smallest_bound == np.abs(rule.interval(0.10)).max()
    np.testing.assert_array_equal(alone.needed_effects(0.05), rule.needed_effects(0.05)[0])


def test_p_is_the_smallest_times_the_number_and_never_above_one():
    found = make_set({1: 0.06}, offsets=(0, 1, 2))
    assert found.p_star == pytest.approx(3 * min(s.p_star for s in found.sessions))
    assert found.largest.rel_session == 1
    assert make_set({}, offsets=(0, 1, 2, 3, 5, 6)).p_star <= 1.0


def test_without_a_move_the_interval_is_the_hull_at_the_level_of_each_and_holds_zero():
    found = make_set({})
    assert not found.moved(0.05)
    ends = [s.interval(0.025) for s in found.sessions]
    low, high = found.interval(0.05)
    assert (low, high) == (min(e[0] for e in ends), max(e[1] for e in ends))
    assert low < 0 < high


def test_a_move_on_the_second_candidate_is_found_and_is_not_small():
    """Session 0 alone would have been called small: the word must not look at it alone."""
    found = make_set({1: -0.08})
    assert [s.rel_session for s in found.moved(0.05)] == [1]
    assert is_rejected(found.p_star, 0.05)
    low, high = found.interval(0.05)
    assert (low, high) == found.sessions[1].interval(0.025)
    assert high < 0
    assert found.smallest_bound == pytest.approx(abs(found.sessions[1].interval(0.10)[0]))
    assert found.smallest_bound > 0.08


def test_two_moves_have_an_interval_each():
    found = make_set({0: 0.09, 1: -0.09})
    assert len(found.moved(0.05)) == 2
    assert found.interval(0.05) is None


@pytest.mark.parametrize("effect", [0.0, 0.02, 0.035, 0.05, 0.09])
@pytest.mark.parametrize("offsets", [(0, 1), (0, 1, 2), (0, 3)])
def test_something_moved_exactly_where_the_set_rejects(offsets, effect):
    found = make_set({offsets[-1]: effect}, offsets=offsets)
    assert bool(found.moved(0.05)) == is_rejected(found.p_star, 0.05)
    interval = found.interval(0.05)
    assert interval is None or (interval[0] > 0 or interval[1] < 0) == is_rejected(found.p_star, 0.05)


def test_too_many_candidates_for_the_window_cannot_be_detected():
    """level (L + 1) / k <= 1."""
    assert make_set({}, offsets=(0, 1), length=49).can_detect(0.05)
    few = make_set({0: 0.9}, offsets=(0, 1, 2), length=49)
    assert not few.can_detect(0.05)
    assert not few.moved(0.05)
    assert few.interval(0.05) == (-math.inf, math.inf)
    assert find_detectable(few.needed_effects(0.05), 0.5) == math.inf


def test_what_could_be_found_is_asked_before_the_first_candidate_moved():
    """A jump on session 0 makes session 1 nervous; the power of the set must not learn from it."""
    plain, jumped = make_set({}), make_set({0: 0.2})
    garch = [s.rule.filtered.garch for s in plain.sessions]
    assert garch[0].alpha[0] > 0.001
    ahead = garch[0].target_variance[0] + (garch[0].alpha + garch[0].beta)[0] * (
        garch[0].forecast_variance - garch[0].target_variance
    )
    assert garch[0].forecast_ahead(1)[0] == pytest.approx(ahead[0])
    np.testing.assert_allclose(jumped.needed_effects(0.05), plain.needed_effects(0.05), rtol=1e-9)
    own = jumped.sessions[1].rule.needed_effects(0.025)[0]
    assert find_detectable(own, 0.8) > find_detectable(plain.sessions[1].rule.needed_effects(0.025)[0], 0.8)


def test_largest_block_is_a_literal_count():
    y, design = make_series({1: 0.03})
    for columns in ([0, 1], [0, 1, 2], [0, 2]):
        fits = fit_rolling(y, design, events=[EVENT], estimation_length=120, gap=GAP, last=columns[-1])
        rows = np.r_[np.arange(EVENT - GAP - 120, EVENT - GAP), EVENT + np.array(columns)]
        b, *_ = np.linalg.lstsq(design[rows], y[rows], rcond=None)
        f, k = np.abs(y[rows] - design[rows] @ b), len(columns)
        n = 120 + k
        blocks = [max(f[(i + j) % n] for j in range(k)) for i in range(n)]
        expected = sum(i == 120 or blocks[i] >= blocks[120] for i in range(n)) / n
        assert rank_largest(fits, columns) == pytest.approx(expected)


# Recorded stories: the numbers below were computed by an independent implementation, per cent.
STORIES = {
    "tesla-saudi-2023": (
        {"as_of": "2023-10-31"}, (-3.354844, 0.882151), (0.211155, 0.752988), 0.422311, (-12.238123, 9.786954), 11.116951, 8.911090,
        (-2.472693, 0.537849, -12.345396, 7.400011),
    ),
    "tsmc-intel-2025-09": (
        {"as_of": "2025-11-14"}, (-0.928643, -2.097575), (0.585657, 0.254980), 0.509960, (-6.989933, 3.973801), 6.167294,
        5.341185, (-3.026218, 0.247012, -8.473790, 1.913756),
    ),
    "stellantis-xiaomi-xpeng-2026": (
        {"as_of": "2026-03-31"}, (2.295988, -4.080905), (0.302789, 0.115538), 0.231076, (-11.666074, 9.810618), 9.423476,
        8.323866, (-1.784917, 0.559524, -9.621841, 6.037656),
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_stories_with_two_candidate_sessions(story):
    parameters, estimates, p_values, p_set, interval, mde80, ruled_out, hull = STORIES[story]
    computed = compute(story=story, **parameters)
    assert computed.alignment.hull == (0, 1)
    found = measure_candidates(computed.headline, (0, 1), placebo_t=np.empty((0, 2)))
    assert [100 * s.estimate for s in found.sessions] == pytest.approx(estimates, abs=1e-6)
    assert [s.p_star for s in found.sessions] == pytest.approx(p_values, abs=1e-6)
    assert found.p_star == pytest.approx(p_set, abs=1e-6)
    assert 100 * np.array(found.interval(0.05)) == pytest.approx(interval, abs=1e-4)
    assert 100 * find_detectable(found.needed_effects(0.05), 0.8) == pytest.approx(mde80, abs=1e-4)
    assert 100 * found.smallest_bound == pytest.approx(ruled_out, abs=1e-4)
    assert found.max_t_null == "blocks"
    assert 0.03 < found.max_t.p_value <= 1
    total = invert_rule(computed.headline.window_fits(0, 1))
    estimate, p_star, low, high = hull
    assert 100 * total.estimate[0] == pytest.approx(estimate, abs=1e-6)
    assert total.p_star[0] == pytest.approx(p_star, abs=1e-6)
    assert 100 * np.ravel(total.interval(0.05)) == pytest.approx((low, high), abs=1e-4)


def test_with_enough_earlier_windows_max_t_is_ranked_among_them(focal):
    earlier = np.linspace(0, 2, 400).reshape(200, 2)
    found = measure_candidates(focal.headline, (0, 1), placebo_t=earlier)
    largest = max(abs(focal.headline.table.loc[j, "t"]) for j in (0, 1))
    assert found.max_t_null == "placebo"
    assert found.max_t.statistic == pytest.approx(largest)
    assert found.max_t.p_value == (1 + sum(row.max() >= largest for row in earlier)) / 201


def test_the_table_repeats_what_belongs_to_the_set_and_leaves_empty_what_is_unbounded():
    found = make_set({1: -0.08})
    frame = found.frame(0.05)
    assert ",".join(frame.columns) == (
        "session,estimate,p_star,ci90_low,ci90_high,is_smallest,p_set,set95_low,set95_high,smallest_bound_set,"
        "mde80_rule_set,max_t,p_max_t,max_t_null"
    )
    assert frame["is_smallest"].tolist() == [False, True]
    assert frame["p_set"].nunique() == frame["set95_low"].nunique() == 1
    assert frame["p_star"].tolist() == [s.p_star for s in found.sessions]
    several = make_set({0: 0.09, 1: -0.09}).frame(0.05)
    assert several["set95_low"][0] > 0 > several["set95_high"][1]
    short = make_set({}, offsets=(0, 1, 2), length=49).frame(0.05)
    assert short[["set95_low", "set95_high", "mde80_rule_set"]].isna().all().all()


def test_the_outcome_rule_weighs_the_smallest_of_each_test():
    found = make_set({1: 0.03}, offsets=(0, 1, 2))
    tests = found.weigh(times=2, p_star=0.4)
    assert tests.conformal == min(s.rule.p_conformal[0] for s in found.sessions)
    assert tests.fhs == min(s.rule.p_fhs[0] for s in found.sessions)
    assert (tests.t, tests.p_star, tests.times) == (0.5, 0.4, 6)
    assert found.weigh().p_star == found.p_star
