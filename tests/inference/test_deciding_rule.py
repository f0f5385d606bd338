"""The thresholds of the deciding rule against literal refits and loops, and their numbers on recorded days."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from event_impact.base.errors import EstimationError
from event_impact.estimation.abnormal import measure_abnormal_returns
from event_impact.estimation.garch import fit_garch
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.deciding_rule import chance_to_find, find_detectable, invert_rule
from event_impact.inference.ranks import conformal_p_values, is_rejected, quantile_order
from scipy import stats
from stories import compute

GAP = 5
EXACT, BY_GARCH = 1e-8, 1e-6
"""Conformal thresholds are closed forms; FHS rests on a likelihood's maximum."""


def make_series(seed: int, sessions: int = 420) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    market, other = rng.normal(0, 0.01, sessions), rng.normal(0, 0.01, sessions)
    y = 0.0003 + 1.2 * market + 0.4 * other + 0.018 * rng.standard_t(4, sessions) / math.sqrt(2)
    return y, np.column_stack([np.ones(sessions), market, other])


def fit_once(series, *, length: int, event: int = 380, m: int = 1):
    return fit_rolling(*series, events=[event], estimation_length=length, gap=GAP, last=m - 1)


def literal_conformal(series, *, length: int, effect: float, event: int = 380, m: int = 1) -> float:
    """Take an effect off the event sessions, refit on all sessions and count the blocks one by one."""
    y, design = series
    rows = np.r_[np.arange(event - GAP - length, event - GAP), np.arange(event, event + m)]
    returns, n = y[rows].copy(), length + m
    returns[length:] -= effect / m
    b, *_ = np.linalg.lstsq(design[rows], returns, rcond=None)
    f = returns - design[rows] @ b
    sums = [abs(sum(f[(k + j) % n] for j in range(m))) for k in range(n)]
    return sum(k == length or sums[k] >= sums[length] for k in range(n)) / n


def literal_fhs(fits, *, effect: float) -> float:
    """Carry the variance by hand through the gap and the window, and count block sums one by one."""
    e, m = fits.residuals[0], fits.window_length
    garch = fit_garch(fits.residuals, fits.gap_abnormal_returns)
    a, b, s2 = garch.alpha[0], garch.beta[0], float(np.mean(e**2))
    variances, h = [], s2
    for past in (*e, *fits.gap_abnormal_returns[0]):
        variances.append(h)
        h = s2 * (1 - a - b) + a * past**2 + b * h
    ahead = 0.0
    for _ in range(m):
        ahead += h
        h = s2 * (1 - a - b) + (a + b) * h
    z = (fits.car[0] - effect) / math.sqrt(ahead * fits.forecast_scale[0].sum() / m)
    standard = [x / math.sqrt(v) for x, v in zip(e, variances, strict=False)]
    n = len(standard)
    sums = [abs(sum(standard[(k + j) % n] for j in range(m))) / math.sqrt(m) for k in range(n)]
    return (1 + sum(s >= abs(z) for s in sums)) / (n + 1)


@pytest.mark.parametrize(
    ("level", "count", "order"),
    [
        (0.05, 251, 12),
        (0.05, 120, 5),
        (0.05, 200, 9),
        (0.05, 240, 11),
        (0.05 / 3, 120, 1),
        (0.05, 20, 0),
        (0.10, 251, 25),
    ],
)
def test_a_p_of_the_level_itself_is_no_rejection(level, count, order):
    assert quantile_order(level, count) == order
    assert is_rejected(order / count, level) or order == 0
    assert not is_rejected((order + 1) / count, level)


def test_three_times_two_of_120_is_the_level_and_not_below_it():
    assert not is_rejected(3 * (2 / 120), 0.05)
    assert not is_rejected(None, 0.05)


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("length", [60, 119, 199, 239, 250])
@pytest.mark.parametrize("level", [0.05, 0.10])
def test_interval_ends_where_the_literal_tests_begin_to_reject(length, level, m):
    series = make_series(3)
    fits = fit_once(series, length=length, m=m)
    rule = invert_rule(fits)
    found, car, step = rule.thresholds(level), fits.car[0], 1e-9
    for side, ends in ((-1, found.conformal_up[0]), (1, found.conformal_down[0])):
        end = car + side * ends
        inside, outside = (literal_conformal(series, length=length, effect=end + s * side * step, m=m) for s in (-1, 1))
        assert not is_rejected(inside, level)
        assert is_rejected(outside, level)
    for side in (-1, 1):
        end = car + side * found.fhs[0]
        inside, outside = (literal_fhs(fits, effect=end + s * side * step) for s in (-1, 1))
        assert not is_rejected(inside, level)
        assert is_rejected(outside, level)
    low, high = rule.interval(level)
    assert low[0] == car - max(found.conformal_up[0], found.fhs[0])
    assert high[0] == car + max(found.conformal_down[0], found.fhs[0])


@pytest.mark.parametrize("length", [119, 250])
def test_thresholds_of_one_session_are_the_closed_forms(length):
    fits = fit_once(make_series(8), length=length)
    e, g = fits.residuals[0], fits.estimation_coordinates[0] @ fits.window_coordinates[0, 0]
    h = float(fits.leverage[0, 0])
    ends = [sorted(pair) for pair in zip(-e / (1 - g), e / (1 + g), strict=True)]
    q = math.ceil(round(0.05 * (length + 1), 9)) - 1
    found = invert_rule(fits).thresholds(0.05)
    assert found.conformal_up[0] == pytest.approx(
        (1 + h) * sorted((hi for _, hi in ends), reverse=True)[q - 1], rel=1e-9
    )
    assert found.conformal_down[0] == pytest.approx(-(1 + h) * sorted(lo for lo, _ in ends)[q - 1], rel=1e-9)


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_ranks_are_those_of_the_tests_and_the_thresholds_agree_with_them(m):
    """At L = 119 the level times N is whole at m = 1: a p of exactly the level must go with an interval that holds zero."""
    y, design = make_series(11, 900)
    y[200:] += np.random.default_rng(1).normal(0, 0.012, 700)
    fits = fit_rolling(y, design, events=np.arange(140, 890), estimation_length=119, gap=GAP, last=m - 1)
    rule = invert_rule(fits)
    np.testing.assert_array_equal(rule.p_conformal, conformal_p_values(fits))
    for i in range(0, 750, 50):
        assert rule.p_fhs[i] == pytest.approx(
            literal_fhs(
                fit_rolling(y, design, events=[140 + i], estimation_length=119, gap=GAP, last=m - 1), effect=0.0
            )
        )
    for level in (0.05, 0.10):
        detected = np.array([is_rejected(p, level) for p in rule.p_star])
        low, high = rule.interval(level)
        np.testing.assert_array_equal(rule.is_detected(level), detected)
        np.testing.assert_array_equal((low > 0) | (high < 0), detected)
        assert 0 < detected.sum() < 200
        if m == 1:
            assert np.isclose(rule.p_star, level).any()


def test_an_added_effect_shifts_the_estimate_and_nothing_else():
    series = make_series(5)
    moved = (series[0].copy(), series[1])
    moved[0][380] += 0.04
    one, other = invert_rule(fit_once(series, length=250)).shift(0.04), invert_rule(fit_once(moved, length=250))
    assert one.estimate[0] == pytest.approx(other.estimate[0], abs=1e-15)
    assert one.p_star[0] == other.p_star[0]
    assert one.thresholds(0.05).up[0] == pytest.approx(other.thresholds(0.05).up[0], rel=1e-9)


def test_a_level_out_of_reach_bounds_nothing_and_detects_nothing():
    rule = invert_rule(fit_once(make_series(5), length=30)).shift(0.9)
    low, high = rule.interval(0.02)
    assert (low[0], high[0]) == (-math.inf, math.inf)
    assert not rule.is_detected(0.02)[0]
    assert rule.thresholds(0.02).sources == ["both"]
    assert np.isnan(rule.break_down(0.02).volatility[0])
    assert find_detectable(rule.needed_effects(0.02), 0.5)[0] == math.inf
    assert rule.is_detected(0.05)[0]


def test_sources_name_the_wider_test_on_each_side():
    fits = fit_rolling(*make_series(6), events=np.arange(270, 415), estimation_length=250, gap=GAP)
    found = invert_rule(fits).thresholds(0.05)
    named = set()
    for up, down, fhs, source in zip(found.conformal_up, found.conformal_down, found.fhs, found.sources, strict=True):
        wider = {"conformal" if end > fhs else "fhs" for end in (up, down)}
        assert source == (wider.pop() if len(wider) == 1 else "both")
        named.add(source)
    assert named == {"conformal", "fhs", "both"}


def test_power_is_the_share_of_draws_that_the_rule_finds():
    rule = invert_rule(fit_once(make_series(9), length=120))
    found, errors, needed = rule.thresholds(0.05), rule.filtered.errors[0], rule.needed_effects(0.05)[0]
    for effect in (0.01, 0.03, 0.05):
        hits = sum(effect + x > found.up[0] for x in errors) + sum(-effect + x < -found.down[0] for x in errors)
        assert chance_to_find(needed, [effect])[0] == hits / 240
    for share in (0.5, 0.8, 0.9):
        least = find_detectable(needed, share)
        assert chance_to_find(needed, [least])[0] >= share > chance_to_find(needed, [least - 1e-12])[0]


def test_an_effect_is_ruled_out_where_the_interval_lies_inside_the_bound():
    rule = invert_rule(fit_once(make_series(9), length=250)).shift(0.01)
    bound = max(abs(float(end[0])) for end in rule.interval(0.10))
    inside, outside, tight = rule.rule_out(np.array([bound * (1 + 1e-9), bound * (1 - 1e-9), 0.001]))
    assert inside < 0.05 <= outside
    assert tight == 0.5
    curve = rule.rule_out(np.linspace(0.001, 0.2, 60))
    assert (np.diff(curve) <= 0).all()
    ends = [max(rule.shift(b).p_star[0], rule.shift(-b).p_star[0]) / 2 for b in (0.05, 0.08)]
    assert rule.rule_out(np.array([0.05, 0.08])).tolist() == ends


def test_power_is_measured_on_single_sessions():
    with pytest.raises(EstimationError, match="one session"):
        invert_rule(fit_once(make_series(9), length=120, m=2)).needed_effects(0.05)


def test_a_day_as_nervous_as_the_breakdown_volatility_would_just_not_reject():
    rule = invert_rule(fit_once(make_series(4), length=250)).shift(-0.07)
    found = rule.break_down(0.05)
    assert found.volatility[0] > 1
    for factor, is_rejecting in ((1 + 1e-9, False), (1 - 1e-9, True)):
        granted = rule.shift(rule.estimate / (factor * found.volatility) - rule.estimate)
        assert is_rejected(granted.p_star[0], 0.05) == is_rejecting
    _, high = rule.interval(0.05)
    assert found.news[0] == pytest.approx(-high[0])
    other_news = rule.shift(found.news + 1e-9)
    assert not is_rejected(other_news.p_star[0], 0.05)


# Recorded days: the numbers below were computed by an independent implementation.


@pytest.fixture(scope="module")
def ford():
    return compute()


def test_thresholds_interval_and_power_of_the_focal_close(ford):
    rule = invert_rule(ford.abnormal.close_to_close.window_fits(0, 0))
    found, needed = rule.thresholds(0.05), rule.needed_effects(0.05)[0]
    assert found.conformal_down[0] == pytest.approx(0.04419694, abs=EXACT)
    assert found.conformal_up[0] == pytest.approx(0.04460182, abs=EXACT)
    assert found.fhs[0] == pytest.approx(0.03534620, abs=BY_GARCH)
    assert found.sources == ["conformal"]
    assert np.ravel(rule.interval(0.05)) == pytest.approx([-0.05495287, 0.03384588], abs=EXACT)
    assert np.ravel(rule.interval(0.10)) == pytest.approx([-0.03616957, 0.01528260], abs=EXACT)
    shares = [find_detectable(needed, share) for share in (0.5, 0.8, 0.9)]
    assert shares == pytest.approx([0.04432029, 0.05502289, 0.06207553], abs=BY_GARCH)
    assert chance_to_find(needed, [0.02, 0.03, 0.04, 0.05, 0.05222]).tolist() == [0.046, 0.144, 0.354, 0.668, 0.728]


def test_thresholds_interval_and_power_of_the_focal_open(ford):
    rule = invert_rule(ford.abnormal.close_to_open.window_fits(0, 0))
    found, needed = rule.thresholds(0.05), rule.needed_effects(0.05)[0]
    assert found.conformal_down[0] == pytest.approx(0.01608994, abs=EXACT)
    assert found.conformal_up[0] == pytest.approx(0.01595671, abs=EXACT)
    assert found.fhs[0] == pytest.approx(0.01538438, abs=BY_GARCH)
    assert np.ravel(rule.interval(0.05)) == pytest.approx([-0.01435616, 0.01769049], abs=EXACT)
    assert np.ravel(rule.interval(0.10)) == pytest.approx([-0.00868679, 0.01183243], abs=EXACT)
    assert find_detectable(needed, 0.8) == pytest.approx(0.01965734, abs=BY_GARCH)
    assert chance_to_find(needed, [0.01, 0.02]).tolist() == [0.108, 0.810]


@pytest.mark.parametrize(
    ("ticker", "day", "estimate", "interval", "conformal", "fhs", "t", "news"),
    [
        ("F", "2025-02-06", -7.783678, (-11.708500, -3.858857), 1.985425, 1.983193, 1.888265, 3.858857),
        ("F", "2025-10-07", -5.844833, (-9.552432, -2.169776), 1.590406, 1.802271, 1.707817, 2.169776),
        ("F", "2025-10-24", 11.441335, (7.492138, 15.390532), 3.083163, 2.897129, 3.274975, 7.492138),
        ("F", "2026-01-08", 4.698100, (0.893377, 8.471961), 1.234807, 1.432955, 1.306894, 0.893377),
        ("STLA", "2026-02-06", -26.927884, (-32.246111, -21.609656), 5.142651, 5.063319, 5.334766, 21.609656),
    ],
)
def test_breakdown_of_the_days_that_must_be_found(ford, ticker, day, estimate, interval, conformal, fhs, t, news):
    design = ford.headline.design
    if ticker == "STLA":
        design = compute(story="stellantis-xiaomi-xpeng-2026", as_of="2026-03-31").headline.design
    abnormal = measure_abnormal_returns(
        design, pd.Timestamp(day), estimation_sessions=250, gap_sessions=10, path=(0, 0)
    )
    rule = invert_rule(abnormal.window_fits(0, 0))
    found, down = rule.break_down(0.05), rule.thresholds(0.05)
    facing = down.conformal_down if estimate < 0 else down.conformal_up
    assert 100 * rule.estimate[0] == pytest.approx(estimate, abs=1e-6)
    assert 100 * np.ravel(rule.interval(0.05)) == pytest.approx(interval, abs=1e-4)
    assert abs(rule.estimate[0]) / facing[0] == pytest.approx(conformal, abs=1e-6)
    assert abs(rule.estimate[0]) / down.fhs[0] == pytest.approx(fhs, abs=5e-6)
    assert found.volatility[0] == pytest.approx(min(conformal, fhs), abs=5e-6)
    assert 100 * found.news[0] == pytest.approx(news, abs=1e-4)
    statistic = abnormal.table.loc[0, "t"]
    assert abs(statistic) / stats.t.isf(0.025, abnormal.fit.df) == pytest.approx(t, abs=1e-6)


def test_the_split_of_ford_in_2022_is_no_detection_and_breaks_down_at_nothing():
    computed = compute(story="ford-ev-spinoff-2022", as_of="2022-03-31")
    assert computed.alignment.event_session == pd.Timestamp("2022-02-18")
    rule = invert_rule(computed.headline.window_fits(0, 0))
    assert 100 * rule.estimate[0] == pytest.approx(3.490082, abs=1e-6)
    assert 100 * np.ravel(rule.interval(0.05)) == pytest.approx([-1.971040, 8.899520], abs=1e-4)
    assert rule.p_star[0] == pytest.approx(0.111554, abs=1e-6)
    assert rule.estimate[0] / rule.thresholds(0.05).up[0] == pytest.approx(0.639078, abs=1e-6)
    assert np.isnan(rule.break_down(0.05).volatility[0])
    assert np.isnan(rule.break_down(0.05).news[0])
