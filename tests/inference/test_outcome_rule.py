"""One table of outcomes, each row a situation; the first rule that applies decides."""

from __future__ import annotations

import numpy as np
import pytest
from event_impact.inference.candidate_set import RowTests, judge_row
from event_impact.inference.deciding_rule import invert_rule
from event_impact.inference.parametric import chance_to_show_reversal, prediction_error_t
from scipy import stats
from stories import compute

SMALL, WIDE = (-0.01, 0.012), (-0.04, 0.03)


def judge(conformal, fhs, t, *, p_star=None, times=1, intervals=(WIDE,), level=0.05):
    combined = max(p for p in (conformal, fhs, -1) if p is not None) if p_star is None else p_star
    found = RowTests(conformal, fhs, t, combined, times)
    return judge_row(found, intervals, level=level, bound=0.02)


@pytest.mark.parametrize(
    ("conformal", "fhs", "t", "interval", "outcome", "rejecting", "day"),
    [
        (None, 0.01, 0.01, WIDE, "insufficient_data", (), ""),
        (0.01, None, 0.01, WIDE, "insufficient_data", (), ""),
        (0.04, 0.03, 0.2, WIDE, "fragile", (), ""),
        (0.04, 0.03, 0.2, SMALL, "detectable_but_small", (), ""),
        (0.052, 0.052, 0.04, WIDE, "borderline", ("t",), ""),
        (0.04, 0.09, 0.2, WIDE, "borderline", ("conformal",), ""),
        (0.09, 0.04, 0.01, SMALL, "borderline", ("fhs", "t"), ""),
        (0.06, 0.09, 0.06, WIDE, "no_detectable_effect", (), ""),
        (0.04, 0.10, 0.2, WIDE, "no_detectable_effect", ("conformal",), "nervous"),
        (0.30, 0.01, 0.2, WIDE, "no_detectable_effect", ("fhs",), "calm"),
        (0.30, 0.01, None, SMALL, "smaller_than_bound", ("fhs",), "calm"),
        (0.30, 0.20, 0.04, WIDE, "no_detectable_effect", ("t",), ""),
        (0.30, 0.20, 0.4, SMALL, "smaller_than_bound", (), ""),
        (0.05, 0.05, 0.5, WIDE, "no_detectable_effect", (), ""),
        (0.05, 0.05, 0.049, WIDE, "borderline", ("t",), ""),
    ],
)  # fmt: skip
def test_the_first_rule_that_applies_decides(conformal, fhs, t, interval, outcome, rejecting, day):
    found = judge(conformal, fhs, t, intervals=(interval,))
    assert (found.outcome, found.rejecting, found.day) == (outcome, rejecting, day)


def test_a_set_is_small_only_where_every_candidate_is():
    assert judge(0.3, 0.3, 0.3, intervals=(SMALL, SMALL)).outcome == "smaller_than_bound"
    assert judge(0.3, 0.3, 0.3, intervals=(SMALL, WIDE)).outcome == "no_detectable_effect"
    assert judge(0.3, 0.3, 0.3, intervals=()).outcome == "no_detectable_effect"
    assert judge(0.3, 0.3, 0.3, intervals=((-np.inf, np.inf),)).outcome == "no_detectable_effect"


def test_what_was_tested_together_multiplies_every_test():
    assert judge(0.02, 0.03, 0.03, p_star=0.06, times=2).outcome == "borderline"
    assert judge(0.02, 0.03, 0.03, p_star=0.06, times=2).rejecting == ("conformal",)
    assert judge(0.03, 0.03, 0.03, p_star=0.06, times=2).outcome == "no_detectable_effect"


def test_tesla_in_april_2024_is_borderline():
    """Both rank tests miss by little, t rejects, and the printed interval holds zero."""
    abnormal = compute(story="tesla-model2-2024", as_of="2024-04-19").headline
    assert str(abnormal.event_session.date()) == "2024-04-05"
    total = abnormal.sum_window(0, 0)
    rule = invert_rule(abnormal.window_fits(0, 0))
    t = prediction_error_t(total.estimate, total.standard_error, abnormal.fit.df)
    assert 100 * total.estimate == pytest.approx(-5.587379, abs=1e-6)
    assert rule.p_conformal[0] == pytest.approx(0.0517928, abs=1e-7)
    assert rule.p_fhs[0] == pytest.approx(0.0517928, abs=1e-7)
    assert t.p_value < 0.05
    assert 100 * np.ravel(rule.interval(0.05)) == pytest.approx([-11.489307, 0.316066], abs=1e-4)
    ends = np.ravel(rule.interval(0.10))
    found = RowTests(rule.p_conformal[0], rule.p_fhs[0], t.p_value, rule.p_star[0])
    judged = judge_row(found, [tuple(ends)], level=0.05, bound=0.02)
    assert (judged.outcome, judged.rejecting) == ("borderline", ("t",))


def test_a_reversal_can_be_shown_only_within_bounds_wider_than_the_interval():
    se, df = 0.031, 248
    width = stats.t.ppf(0.95, df) * se
    assert chance_to_show_reversal(se, df=df, half_width=width, bound=0.02) is None
    assert chance_to_show_reversal(se, df=df, half_width=width, bound=width) is None
    for multiple, chance in ((2.33, 0.50), (2.94, 0.80)):
        found = chance_to_show_reversal(se, df=df, half_width=width, bound=multiple * se)
        assert found == pytest.approx(chance, abs=0.005)


def test_the_chance_of_showing_a_perfect_reversal_is_that_of_repeated_draws():
    rng = np.random.default_rng(3)
    df, bound = 248, 0.08
    sums = 0.031 * rng.standard_normal(200_000)
    errors = 0.031 * np.sqrt(rng.chisquare(df, 200_000) / df)
    shown = np.abs(sums) + stats.t.ppf(0.95, df) * errors < bound
    width = stats.t.ppf(0.95, df) * 0.031
    assert shown.mean() == pytest.approx(chance_to_show_reversal(0.031, df=df, half_width=width, bound=bound), abs=0.01)
