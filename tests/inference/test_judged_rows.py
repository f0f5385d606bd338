"""A row's word after adjustment and confirmation, on rows moved by a known effect."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from event_impact.inference.candidate_set import CandidateSet, Confirmation
from event_impact.inference.deciding_rule import describe_rule
from event_impact.inference.parametric import prediction_error_t
from event_impact.inference.windows import WindowEstimate, adjust_primary, apply_confirmation, judge_estimate
from event_impact.page.finding import find_primary


def shift(row: WindowEstimate, effect: float) -> WindowEstimate:
    """The row with a true effect added to its session, judged again."""
    session = row.candidates.sessions[0]
    moved = CandidateSet((dataclasses.replace(session, rule=session.rule.shift(effect)),))
    tests = row.tests | describe_rule(moved.largest.rule)
    estimate = moved.largest.estimate
    tests["t"] = prediction_error_t(estimate, row.standard_error, row.df)
    return judge_estimate(dataclasses.replace(row, candidates=moved, tests=tests, estimate=estimate), bound=0.02)


def shift_to(row: WindowEstimate, p_star: float) -> WindowEstimate:
    """The row with the smallest rise that brings p* down to a value."""
    for effect in np.linspace(0.0, 0.2, 2001):
        if (found := shift(row, effect - row.estimate)).rank_p <= p_star:
            return found
    raise AssertionError(p_star)


def test_a_detection_is_an_effect_only_where_a_curve_supports_it(focal):
    detected = shift(focal.estimates[0], -0.1)
    assert detected.outcome == "fragile"
    assert apply_confirmation(detected, Confirmation(False, True, "x")).outcome == "fragile"
    confirmed = apply_confirmation(detected, Confirmation(True, True, "x"))
    assert confirmed.outcome == "effect"
    assert confirmed.breakdown_volatility == detected.breakdown_volatility > 1
    plain = focal.estimates[0]
    assert apply_confirmation(plain, Confirmation(True, True, "x")) is plain


def test_holm_decides_the_companion_only(focal):
    """The companion at 3 % is doubled; its breakdown, were it detected, would be taken at half the level."""
    headline, companion = (find_primary(focal.estimates, k) for k in ("close_to_close", "close_to_open"))
    one, other = shift_to(headline, 0.2), shift_to(companion, 0.03)
    adjusted = adjust_primary([one, other], bound=0.02)
    assert other.outcome in ("fragile", "detectable_but_small")
    assert adjusted[1].p_holm == pytest.approx(2 * other.rank_p)
    assert adjusted[1].outcome in ("no_detectable_effect", "smaller_than_bound", "borderline")
    assert adjusted[1].breakdown_volatility is None
    assert adjusted[0].p_holm == one.rank_p
    assert adjusted[0].judgement == one.judgement
    strong = adjust_primary([one, shift_to(companion, 0.02)], bound=0.02)[1]
    assert strong.outcome in ("fragile", "detectable_but_small")
    threshold = strong.rule.thresholds(0.025).up[0]
    assert strong.breakdown_volatility == pytest.approx(strong.estimate / threshold)
    larger = adjust_primary([shift_to(headline, 0.01), other], bound=0.02)[1]
    assert larger.p_holm == pytest.approx(max(2 * shift_to(headline, 0.01).rank_p, other.rank_p))
    assert larger.breakdown_volatility == pytest.approx(larger.estimate / larger.rule.thresholds(0.05).up[0])
