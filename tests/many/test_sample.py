"""Cross-sectional statistics against the exact panel, explicit loops and other packages."""

import csv
import dataclasses
import doctest
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm
from event_impact.many import event_days, resampling
from event_impact.many import parametric_tests as parametric
from event_impact.many import rank_tests as ranks
from event_impact.many.dependence import (
    calendar_time_t,
    count_overlaps,
    cut_blocks,
    ibragimov_mueller_t,
    two_way_clustered_t,
)
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.event_days import EventDays
from event_impact.many.layout import BatchPanel, lay_out_model
from event_impact.many.residual_correlation import mean_correlation
from event_impact.many.sample import (
    ONE_DATE_NOTE,
    ORDINARY_CORRELATION,
    SKEWED_NOTE,
    STATISTIC_NAMES,
    assess_sample,
    recommend_statistic,
)
from event_impact.many.sample_days import buy_and_hold

from calibration.sample_size import write_pages

REFERENCE = Path(__file__).parents[1] / "reference"
WINDOWS = EventWindows(-70, -11, -1, 3)


def read_event_days(design, estimates, positions):
    return EventDays(design, positions, estimates.select(positions))


def read_reference():
    firm, market = np.zeros((7, 25)), np.zeros((7, 25))
    with (REFERENCE / "panel_returns.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = int(row["event"]), int(row["rel_session"]) + 22
            firm[at], market[at] = float(row["firm_return"]), float(row["market_return"])
    expected = json.loads((REFERENCE / "panel_expected.json").read_text(encoding="utf-8"))
    return firm, market, {k: np.array(v, dtype=float) for k, v in expected.items()}


def assess(returns, market, tickers, sessions, *, windows=WINDOWS, model="market", **options):
    days = np.datetime64("2020-01-01") + np.arange(returns.shape[1])
    panel = BatchPanel(days, [f"T{i}" for i in range(returns.shape[0])], returns, market)
    design = lay_out_model(panel, model)
    estimates = estimate_events(design, np.asarray(tickers), np.asarray(sessions), windows=windows)
    return design, estimates, assess_sample(design, estimates, **options)


def simulate(n_tickers=12, n_sessions=400, seed=2, common=0.0, missing=0.0):
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.01, n_sessions)
    shock = rng.normal(0, 0.02, n_sessions)
    own = rng.normal(0, 0.02, (n_tickers, n_sessions))
    returns = 1.1 * market + math.sqrt(common) * shock + math.sqrt(1 - common) * own
    returns[rng.random(returns.shape) < missing] = np.nan
    return returns, market


@pytest.fixture(scope="module")
def exact():
    firm, market, expected = read_reference()
    windows = EventWindows(-22, -3, -2, 2)
    return (*assess(firm, market, np.arange(7), np.full(7, 22), windows=windows), expected)


NAMED = [
    "cross_sectional_t",
    "skewness_adjusted_t",
    "crude_dependence_t",
    "crude_dependence_t_plain",
    "patell",
    "adjusted_patell",
    "bmp",
    "kp_bmp",
    "corrado",
    "corrado_plain",
    "grank_t",
    "grank_z",
    "sign",
    "generalized_sign",
    "wilcoxon",
]


@pytest.mark.parametrize("name", NAMED)
def test_statistic_equals_the_exact_panel(exact, name):
    assert exact[2].tests[name].statistic == pytest.approx(float(exact[3][name]), rel=1e-10)


def test_days_and_estimates_equal_the_exact_panel(exact):
    design, estimates, result, expected = exact
    days = EventDays(design, np.arange(7), estimates.select(np.arange(7)))
    pairs = {
        "intercept": estimates.intercept,
        "market_beta": estimates.slopes[0],
        "residual_variance": estimates.residual_std**2,
        "car_factor": estimates.car_factor,
        "ar": days.abnormal,
        "day_factor": days.day_factor,
        "aar_day_0": result.days.aar[2],
        "caar": result.caar,
        "patell_day_0": result.days.columns["aar_patell"][2],
        "bmp_day_0": result.days.columns["aar_bmp"][2],
        "corrado_day_0": result.days.columns["aar_corrado"][2],
        "mean_correlation": result.correlation.value,
        "event_0_t_of_car": estimates.scar[0],
        "event_0_t_of_first_day": days.standardised[0, 0],
        "patell_of_summed_sar": days.standardised.sum() / math.sqrt(7 * 5 * 18 / 16),
    }
    for name, found in pairs.items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-10, err_msg=name)
    z = float(expected["grank_ratio"])
    assert z * math.sqrt(19 / (20 - z * z)) == pytest.approx(result.tests["grank_t"].statistic, rel=1e-10)


def test_distributions_and_degrees_of_freedom(exact):
    tests = exact[2].tests
    assert (
        tests["cross_sectional_t"].distribution == tests["bmp"].distribution == tests["kp_bmp"].distribution == "t(6)"
    )
    assert tests["crude_dependence_t"].df == 18
    assert tests["skewness_adjusted_t"].df == 6
    assert tests["grank_t"].df == 19
    assert tests["patell"].distribution == "N(0,1)"
    assert tests["bmp"].p_value == pytest.approx(2 * scipy.stats.t.sf(tests["bmp"].statistic, 6), rel=1e-12)
    assert tests["patell"].p_value == pytest.approx(2 * scipy.stats.norm.sf(tests["patell"].statistic), rel=1e-12)
    for name in ("sign", "wilcoxon", "sign_flip"):  # all seven positive: 2/2^7
        assert tests[name].p_value == pytest.approx(1 / 64)


def test_every_name_is_there_with_a_number_or_a_reason(exact):
    assert tuple(exact[2].tests) == STATISTIC_NAMES
    for test in exact[2].tests.values():
        assert test.p_value is not None or test.note


# ----------------------------------------------------------------------------------- dependence


def loop_mean_correlation(design, estimates):
    """rbar as the definition reads, pair by pair."""
    used = np.flatnonzero(estimates.is_used)
    windows = estimates.windows
    days = EventDays(design, used, estimates.select(used))
    total, short = 0.0, 0
    for i, j in itertools.combinations(range(used.size), 2):
        gap = abs(int(estimates.session_index[used[i]]) - int(estimates.session_index[used[j]]))
        if gap >= windows.n_event:
            continue
        if estimates.ticker_index[used[i]] == estimates.ticker_index[used[j]]:
            total += (windows.n_event - gap) / windows.n_event
            continue
        calendar = {}
        for k in (i, j):
            start = estimates.session_index[used[k]] + windows.estimation_first
            calendar[k] = {start + p: e for p, e in enumerate(days.residuals[k]) if np.isfinite(e)}
        both = sorted(set(calendar[i]) & set(calendar[j]))
        if len(both) < 20:
            short += 1
            continue
        rho = np.corrcoef([calendar[i][t] for t in both], [calendar[j][t] for t in both])[0, 1]
        total += rho * (windows.n_event - gap) / windows.n_event
    return 2 * total / (used.size * (used.size - 1)), short


@pytest.mark.parametrize("model", ["market", "market_adjusted"])
@pytest.mark.parametrize("missing", [0.0, 0.004, 0.03])
@pytest.mark.parametrize("windows", [WINDOWS, EventWindows(-70, -11, 0, 0), EventWindows(-32, -11, -2, 4)])
def test_mean_correlation_equals_the_loop_over_pairs(model, missing, windows):
    returns, market = simulate(common=0.3, missing=missing)
    if missing:
        market[150] = np.nan
    rng = np.random.default_rng(4)
    tickers, sessions = rng.integers(0, 12, 50), rng.integers(190, 205, 50)
    events = sorted({(int(t), int(s)) for t, s in zip(tickers, sessions, strict=True)})
    tickers, sessions = np.array(events).T
    days = np.datetime64("2020-01-01") + np.arange(400)
    design = lay_out_model(BatchPanel(days, [f"T{i}" for i in range(12)], returns, market), model)
    estimates = estimate_events(design, tickers, sessions, windows=windows)
    found = mean_correlation(design, estimates, count_overlaps(estimates).n_pairs)
    value, short = loop_mean_correlation(design, estimates)
    assert estimates.is_used.sum() > 15
    assert found.value == pytest.approx(value, rel=1e-10, abs=1e-14)
    assert found.n_too_short == short


def test_mean_correlation_ignores_units_and_dates_far_apart():
    returns, market = simulate(common=0.4)
    near = np.full(12, 200)
    far = 90 + 20 * np.arange(12)
    _, _, one_date = assess(returns, market, np.arange(12), near, draws=0)
    _, _, in_percent = assess(returns * 100, market * 100, np.arange(12), near, draws=0)
    _, _, apart = assess(returns, market, np.arange(12), far, draws=0)
    assert one_date.correlation.value == pytest.approx(in_percent.correlation.value, rel=1e-10)
    assert one_date.correlation.value > 0.2
    assert apart.correlation.value == 0.0
    assert apart.tests["kp_bmp"].statistic == apart.tests["bmp"].statistic
    assert one_date.recommended == "kp_bmp"
    assert "one session" in one_date.recommendation
    assert apart.recommended == "bmp"


def test_all_pairs_are_the_divisor_when_few_overlap():
    returns, market = simulate(common=0.5)
    sessions = np.array([100, 100, 200, 250, 300, 350])
    design, estimates, result = assess(returns, market, np.arange(6), sessions, draws=0)
    days = EventDays(design, np.arange(2), estimates.select(np.arange(2)))
    rho = np.corrcoef(days.residuals[0], days.residuals[1])[0, 1]
    assert result.correlation.value == pytest.approx(rho / 15, rel=1e-10)
    assert result.overlap.n_pairs == 1
    assert result.overlap.n_sharing_session == 2


def test_overlaps_equal_a_loop():
    returns, market = simulate()
    rng = np.random.default_rng(8)
    tickers, sessions = rng.integers(0, 12, 60), rng.integers(100, 180, 60)
    _, estimates, _ = assess(returns, market, tickers, sessions, draws=0, with_ranks=False)
    found = count_overlaps(estimates)
    pairs = list(itertools.combinations(range(60), 2))
    close = [(i, j) for i, j in pairs if abs(sessions[i] - sessions[j]) < 5]
    assert found.n_pairs == len(close)
    firm = [(i, j) for i, j in close if tickers[i] == tickers[j]]
    assert found.n_same_firm_pairs == len(firm)
    dirty = sum(
        any(tickers[j] == tickers[i] and -70 <= sessions[j] - sessions[i] <= -11 for j in range(60)) for i in range(60)
    )
    assert found.n_in_estimation == dirty
    assert found.n_sharing_session == sum((sessions == s).sum() > 1 for s in sessions)


def test_blocks_are_runs_of_windows_that_touch():
    found = cut_blocks(np.array([10, 14, 19, 30, 12]), 5, at_least=3)
    assert found.label.tolist() == [0, 0, 1, 2, 0]
    assert (found.n_cut, found.note) == (0, "")


def test_chains_are_cut_where_the_fewest_shared_days_are_lost():
    sessions = np.array([0, 0, 1, 1, 2, 6, 7, 7, 8, 8, 40])  # a chain with one weak place, and one event far away
    found = cut_blocks(sessions, 5, at_least=3)
    assert found.label.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]
    across = [(a, b) for a in sessions[:5] for b in sessions[5:10] if b - a < 5]
    assert found.n_cut == len(across) == 1
    assert "1 pairs" in found.note
    assert cut_blocks(np.zeros(9, dtype=int), 3).label.tolist() == [0] * 9  # one date cannot be cut


def test_every_pair_that_is_cut_is_counted():
    rng = np.random.default_rng(8)
    sessions = rng.integers(0, 30, 60)
    found = cut_blocks(sessions, 4)
    assert np.unique(found.label).size == 8
    cut = [
        (i, j)
        for i, j in itertools.combinations(range(60), 2)
        if abs(sessions[i] - sessions[j]) < 4 and found.label[i] != found.label[j]
    ]
    assert found.n_cut == len(cut)
    order = np.argsort(sessions, kind="stable")
    assert (np.diff(found.label[order]) >= 0).all()


def test_staggered_samples_have_every_test_by_blocks():
    returns, market = simulate(n_tickers=40, common=0.2)
    _, _, result = assess(returns, market, np.arange(40), 100 + np.arange(40))
    for name in ("two_way_clustered_t", "ibragimov_mueller_t", "wild_bootstrap", "event_block_bootstrap"):
        assert result.tests[name].is_computed, name
        assert "chains of shared days cut" in result.tests[name].note
    assert "twice as large" in result.recommendation


def test_block_means_are_tested_by_their_own_spread():
    car, block = np.array([0.01, 0.03, -0.02, 0.05, 0.01]), np.array([0, 0, 1, 2, 2])
    found = ibragimov_mueller_t(car, block)
    expected = scipy.stats.ttest_1samp([0.02, -0.02, 0.03], 0)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert not ibragimov_mueller_t(car, np.zeros(5, dtype=int)).is_computed


def test_calendar_time_alpha_equals_an_explicit_regression():
    returns, market = simulate(n_tickers=6, common=0.2)
    tickers, sessions = np.arange(6), np.array([100, 102, 103, 130, 131, 160])
    _, _, result = assess(returns, market, tickers, sessions)
    days, portfolio = sorted({s + k for s in sessions for k in range(-1, 4)}), []
    for day in days:
        inside = [i for i, s in zip(tickers, sessions, strict=True) if s - 1 <= day <= s + 3]
        portfolio.append(returns[inside, day].mean())
    fit = sm.OLS(portfolio, sm.add_constant(market[days])).fit(cov_type="HC3", use_t=True)
    found = result.tests["calendar_time_alpha"]
    assert found.statistic == pytest.approx(fit.tvalues[0], rel=1e-8)
    assert found.df == len(days) - 2
    assert f"alpha {fit.params[0]:.6g} a day" in found.note


def test_statistics_that_do_not_keep_their_size_say_so():
    returns, market = simulate(n_tickers=5)
    _, _, apart = assess(returns, market, np.arange(5), 100 + 20 * np.arange(5))
    assert "rejects some 11 %" in apart.tests["grank_t"].note
    assert "at 1 %" not in apart.tests["kp_bmp"].note
    _, _, together = assess(returns, market, np.arange(5), np.full(5, 100))
    assert "up to 2.1 %" in together.tests["kp_bmp"].note


def test_same_events_in_another_order_say_the_same():
    returns, market = simulate(common=0.2, missing=0.01)
    rng = np.random.default_rng(1)
    tickers, sessions = np.arange(40) % 12, np.repeat(np.arange(100, 140, 4), 4)
    shuffle = rng.permutation(40)
    _, _, a = assess(returns, market, tickers, sessions)
    _, _, b = assess(returns, market, tickers[shuffle], sessions[shuffle])
    for name in STATISTIC_NAMES:
        drawn = name in ("sign_flip", "bhar_skewness_adjusted")
        if a.tests[name].statistic is not None and not drawn:
            assert a.tests[name].statistic == pytest.approx(b.tests[name].statistic, rel=1e-9), name


def test_threads_change_no_number(monkeypatch):
    monkeypatch.setattr(event_days, "EVENTS_AT_ONCE", 7)
    returns, market = simulate(common=0.2, missing=0.01)
    tickers, sessions = np.arange(40) % 12, np.repeat(np.arange(100, 140, 4), 4)
    done = []
    _, _, one = assess(returns, market, tickers, sessions)
    _, _, two = assess(returns, market, tickers, sessions, workers=2, on_progress=done.append)
    assert one.tests == two.tests
    assert len(done) > 6
    assert sum(done) == 2 * one.n


def test_units_change_no_statistic():
    returns, market = simulate(common=0.2, missing=0.01)
    tickers, sessions = np.arange(12), np.repeat(np.arange(100, 160, 5), 1)
    _, _, a = assess(returns, market, tickers, sessions)
    _, _, b = assess(returns * 100, market * 100, tickers, sessions)
    for name in STATISTIC_NAMES:
        if a.tests[name].statistic is not None and name != "sign_flip":  # whose statistic is the mean itself
            assert a.tests[name].statistic == pytest.approx(b.tests[name].statistic, rel=1e-9), name


def test_a_constant_jump_moves_the_day_by_exactly_itself():
    returns, market = simulate()
    tickers, sessions = np.arange(12), np.arange(100, 220, 10)
    jumped = returns.copy()
    jumped[tickers, sessions + 3] += 0.01  # the last session of the window
    _, _, a = assess(returns, market, tickers, sessions, draws=0)
    _, _, b = assess(jumped, market, tickers, sessions, draws=0)
    np.testing.assert_allclose(b.days.aar - a.days.aar, [0, 0, 0, 0, 0.01], atol=1e-16)
    np.testing.assert_allclose(b.days.caar - a.days.caar, [0, 0, 0, 0, 0.01], atol=1e-16)
    assert b.caar - a.caar == pytest.approx(0.01, abs=1e-15)


def test_a_missing_last_day_refuses_the_event_and_a_zero_does_not():
    returns, market = simulate()
    tickers, sessions = np.arange(12), np.arange(100, 220, 10)
    returns[0, 103], returns[1, 113] = np.nan, 0.0
    _, estimates, result = assess(returns, market, tickers, sessions, draws=0)
    assert estimates.is_used.tolist() == [False] + [True] * 11
    assert result.n == 11


def test_day_columns_equal_plain_formulas():
    returns, market = simulate(missing=0.01)
    tickers, sessions = np.arange(12), np.arange(100, 220, 10)
    design, estimates, result = assess(returns, market, tickers, sessions, draws=0)
    used = np.flatnonzero(estimates.is_used)
    days = EventDays(design, used, estimates.select(used))
    n, columns = used.size, result.days.columns
    for t in range(5):
        up_to = days.abnormal[:, : t + 1].sum(axis=1)
        fit = scipy.stats.ttest_1samp(days.abnormal[:, t], 0)
        assert columns["aar_t"][t] == pytest.approx(fit.statistic, rel=1e-10)
        assert columns["aar_t_p"][t] == pytest.approx(fit.pvalue, rel=1e-9)
        assert columns["caar_t"][t] == pytest.approx(scipy.stats.ttest_1samp(up_to, 0).statistic, rel=1e-10)
        scaled = up_to / (estimates.residual_std[used] * np.sqrt(days.cumulative_factor[:, t]))
        assert columns["caar_bmp"][t] == pytest.approx(scipy.stats.ttest_1samp(scaled, 0).statistic, rel=1e-10)
        df = estimates.df[used]
        assert columns["caar_patell"][t] == pytest.approx(scaled.sum() / math.sqrt((df / (df - 2)).sum()), rel=1e-10)
        assert columns["positive_share"][t] == (days.abnormal[:, t] > 0).sum() / n
    assert columns["caar_bmp"][-1] == pytest.approx(result.tests["bmp"].statistic, rel=1e-10)
    assert columns["caar_patell"][-1] == pytest.approx(result.tests["patell"].statistic, rel=1e-10)
    assert np.unique(columns["aar_corrado"]).size == 5


# ----------------------------------------------------------------------- single statistics


def test_small_samples_have_numbers_or_reasons_but_never_blanks():
    returns, market = simulate()
    for n in (0, 1, 2, 3):
        _, _, result = assess(returns, market, np.arange(n), 100 + 20 * np.arange(n))
        for test in result.tests.values():
            assert test.p_value is not None or test.note, test.name
            assert test.statistic is None or math.isfinite(test.statistic)
        assert result.n == n
    _, _, one = assess(returns, market, [0], [100])
    assert [name for name, test in one.tests.items() if test.is_computed] == [
        "crude_dependence_t",
        "crude_dependence_t_plain",
        "patell",
        "adjusted_patell",
        "calendar_time_t",
        "calendar_time_alpha",
    ]
    assert one.recommended == ""
    assert "event itself" in one.recommendation
    _, _, two = assess(returns, market, [0, 1], [100, 120])
    assert two.tests["cross_sectional_t"].df == 1
    assert two.tests["sign"].p_value in (0.5, 1.0)
    assert not two.tests["skewness_adjusted_t"].is_computed


def test_equal_abnormal_returns_have_a_reason_instead_of_an_infinite_t():
    for test in (
        parametric.cross_sectional_t(np.full(5, 0.1)),
        parametric.bmp(np.full(5, 0.1)),
        parametric.kp_bmp(np.full(5, 0.1), 0.1),
        parametric.skewness_adjusted_t(np.full(5, 0.1)),
        two_way_clustered_t(np.full(4, 0.1), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])),
        calendar_time_t(np.full(3, 0.1)),
    ):
        assert not test.is_computed
        assert "spread" in test.note or "equal" in test.note


def test_a_correlation_out_of_range_is_a_reason():
    scar = np.array([0.1, 0.5, -0.2, 0.9])
    assert "-1/(N - 1)" in parametric.kp_bmp(scar, -1 / 3).note
    assert "-1/(N - 1)" in parametric.adjusted_patell(scar, np.full(4, 50), -0.4).note
    assert parametric.kp_bmp(scar, -0.3).is_computed
    assert not parametric.kp_bmp(scar, 1.0).is_computed


def test_patell_needs_more_than_two_degrees_of_freedom():
    assert "degrees of freedom" in parametric.patell(np.ones(3), np.array([2, 5, 5])).note
    assert parametric.patell(np.ones(3), np.array([3, 5, 5])).is_computed


def test_zero_abnormal_returns_are_not_positive():
    car = np.array([0.0, 0.0, 0.1, -0.1])
    assert ranks.sign(car).statistic == pytest.approx((1 - 2) / 1)
    assert ranks.generalized_sign(car, 0.4).statistic == pytest.approx((1 - 1.6) / math.sqrt(4 * 0.4 * 0.6))


@pytest.mark.parametrize("wins", [0, 1, 7, 12])
def test_sign_p_is_exact_when_small_and_normal_when_not(wins):
    car = np.where(np.arange(12) < wins, 0.1, -0.1)
    assert ranks.sign(car).p_value == pytest.approx(scipy.stats.binomtest(wins, 12).pvalue)
    large = np.tile(car, 3)
    z = (3 * wins - 18) / 3
    assert ranks.sign(large).p_value == pytest.approx(2 * scipy.stats.norm.sf(abs(z)))


@pytest.mark.parametrize("n", [6, 11, 25])
def test_wilcoxon_p_equals_scipy_exact(n):
    car = np.random.default_rng(n).normal(0.01, 0.02, n)
    expected = scipy.stats.wilcoxon(car, method="exact")
    assert ranks.wilcoxon(car).p_value == pytest.approx(expected.pvalue, rel=1e-10)


def test_wilcoxon_with_ties_and_zeros():
    tied = np.array([0.0, 0.1, 0.1, -0.1, 0.2, 0.3])
    patterns = list(itertools.product([-1, 1], repeat=5))
    size_ranks = scipy.stats.rankdata(np.abs(tied[1:]))
    totals = np.array([sum(r for r, s in zip(size_ranks, p, strict=True) if s > 0) for p in patterns])
    observed = size_ranks[tied[1:] > 0].sum()
    p = min(1, 2 * min((totals <= observed).mean(), (totals >= observed).mean()))
    assert ranks.wilcoxon(tied).p_value == pytest.approx(p)
    large = np.random.default_rng(0).normal(0.003, 0.02, 60)
    z = ranks.wilcoxon(large)
    assert z.p_value == pytest.approx(
        scipy.stats.wilcoxon(large, method="asymptotic", correction=False).pvalue, rel=1e-9
    )
    assert z.distribution == "N(0,1)"


def test_days_are_ranked_by_midranks_that_skip_gaps_and_further_days_are_placed_among_them():
    values = np.random.default_rng(0).integers(0, 30, (40, 25)).astype(float)
    values[np.random.default_rng(1).random(values.shape) < 0.2] = np.nan
    values[:10] = np.random.default_rng(2).normal(size=(10, 25))  # without ties
    later = np.random.default_rng(3).integers(-2, 33, (40, 3)).astype(float)
    values[-5:, 0] = values[-5:, 1] + 1e-13  # apart by less than a sorting key tells
    for further in (later, later[:, :1]):
        u, variance = np.full((40, 25 + further.shape[1]), np.nan), 0.0
        for i, row in enumerate(np.hstack([values, further])):
            present, m = np.isfinite(row), np.isfinite(row).sum()
            u[i, present] = scipy.stats.rankdata(row[present]) / (1 + m) - 0.5
            variance += (m - 1) / (12 * (m + 1))
        _, found = ranks.rank_days(values, np.isfinite(values).sum(axis=1), [later + 0.25, further])
        np.testing.assert_allclose(found.total, np.nansum(u, axis=0), atol=1e-12)
        np.testing.assert_array_equal(found.count, np.isfinite(u).sum(axis=0))
        assert found.last_variance == pytest.approx(variance, rel=1e-12)


def test_ranks_of_many_wide_tables_do_not_run_out_of_bits(monkeypatch):
    rng = np.random.default_rng(0)
    days, further = rng.normal(size=(64, 40)), [rng.normal(size=(64, 9)), rng.normal(size=(64, 7))]
    whole = ranks.rank_days(days, np.full(64, 40), further)
    monkeypatch.setattr(ranks, "EXACT_BITS", 30)
    for one, other in zip(whole, ranks.rank_days(days, np.full(64, 40), further), strict=True):
        np.testing.assert_allclose(one.total, other.total, atol=1e-12)


def loop_corrado(residuals, abnormal):
    """Corrado and Zivney's statistic with gaps, day by day."""
    values = np.hstack([residuals, abnormal])
    u = np.full(values.shape, np.nan)
    for i, row in enumerate(values):
        present = np.isfinite(row)
        u[i, present] = scipy.stats.rankdata(row[present]) / (1 + present.sum()) - 0.5
    count = np.isfinite(u).sum(axis=0)
    day = np.sqrt(count) * np.nanmean(u, axis=0)
    return day / math.sqrt((day**2).mean())


@pytest.mark.parametrize("width", [1, 5])
def test_rank_statistics_equal_a_loop_with_gaps(width):
    returns, market = simulate(missing=0.02, n_tickers=12)
    tickers, sessions = np.tile(np.arange(12), 2), np.arange(100, 340, 10)
    windows = dataclasses.replace(WINDOWS, event_last=WINDOWS.event_first + width - 1)
    design, estimates, result = assess(returns, market, tickers, sessions, windows=windows, draws=0)
    used = np.flatnonzero(estimates.is_used)
    n = used.size
    days = EventDays(design, used, estimates.select(used))
    day = loop_corrado(days.residuals, days.abnormal)
    plain, factor = day[-width:].sum() / math.sqrt(width), math.sqrt((60 + width - 1) / 60)
    assert result.tests["corrado_plain"].statistic == pytest.approx(plain, rel=1e-10)
    assert result.tests["corrado"].statistic == pytest.approx(plain * factor, rel=1e-10)
    s = estimates.residual_std[used][:, None]
    day = loop_corrado(days.residuals / s, days.standardised / days.standardised.std(axis=0, ddof=1))
    expected = day[-width:].sum() / math.sqrt(width) * factor
    assert result.tests["corrado_zivney"].statistic == pytest.approx(expected, rel=1e-10)
    scar = estimates.scar[used]
    values = np.hstack([days.residuals / s, (scar / scar.std(ddof=1))[:, None]])
    u, variance = np.full(values.shape, np.nan), 0.0
    for i, row in enumerate(values):
        present = np.isfinite(row)
        m = present.sum()
        u[i, present] = scipy.stats.rankdata(row[present]) / (m + 1) - 0.5
        variance += (m - 1) / (12 * (m + 1))
    count, mean = np.isfinite(u).sum(axis=0), np.nanmean(u, axis=0)
    z = mean[-1] / math.sqrt((count / n * mean**2).mean())
    assert result.tests["grank_t"].statistic == pytest.approx(z * math.sqrt(59 / (60 - z * z)), rel=1e-10)
    assert result.tests["grank_t"].df == 59
    assert result.tests["grank_z"].statistic == pytest.approx(u[:, -1].sum() / math.sqrt(variance), rel=1e-10)
    share = np.mean([(row[np.isfinite(row)] > 0).mean() for row in days.residuals])
    w = (estimates.car[used] > 0).sum()
    expected = (w - n * share) / math.sqrt(n * share * (1 - share))
    assert result.tests["generalized_sign"].statistic == pytest.approx(expected, rel=1e-10)
    aar = np.nanmean(days.residuals, axis=0)
    crude = result.caar / (aar.std(ddof=1) * math.sqrt(width * (1 + width / 60)))
    assert result.tests["crude_dependence_t"].statistic == pytest.approx(crude, rel=1e-10)


def test_calendar_time_equals_a_loop():
    returns, market = simulate()
    tickers, sessions = np.arange(12), np.repeat([100, 102, 150, 200], 3)
    design, estimates, result = assess(returns, market, tickers, sessions, draws=0)
    days = EventDays(design, np.arange(12), estimates.select(np.arange(12)))
    book = {}
    for i in range(12):
        for w in range(5):
            book.setdefault(sessions[i] - 1 + w, []).append(days.abnormal[i, w])
    portfolio = np.array([np.mean(v) for v in book.values()])
    fit = scipy.stats.ttest_1samp(portfolio, 0)
    scale = math.sqrt(np.mean(estimates.car_factor) / 5)
    assert result.tests["calendar_time_t"].statistic == pytest.approx(fit.statistic / scale, rel=1e-10)
    assert result.tests["calendar_time_t"].df == portfolio.size - 1 == 16


def test_two_way_clusters_equal_statsmodels():
    rng = np.random.default_rng(0)
    ticker, block = rng.integers(0, 9, 80), rng.integers(0, 7, 80)
    car = rng.normal(0.01, 0.02, 80) + rng.normal(0, 0.02, 7)[block]
    fit = sm.OLS(car, np.ones(80)).fit()
    groups = np.column_stack([ticker, block])
    expected = fit.get_robustcov_results(cov_type="cluster", groups=groups, use_correction=True, df_correction=True)
    found = two_way_clustered_t(car, ticker, block)
    correction = 79 / 79  # one regressor: (n - 1)/(n - k) is one
    assert found.statistic * correction == pytest.approx(float(expected.tvalues[0]), rel=1e-8)
    assert found.df == 6


def test_two_way_clusters_fall_back_when_the_variance_is_negative():
    car = np.array([1.0, -1.0, -1.0, 1.0])
    found = two_way_clustered_t(car + 0.5, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    assert not found.is_computed or "larger one-way" in found.note


# ----------------------------------------------------------------------------- resampling


def test_sign_flip_enumerates_small_samples_and_draws_large_ones():
    car = np.random.default_rng(3).normal(0.01, 0.02, 9)
    patterns = np.array(list(itertools.product([-1, 1], repeat=9)))
    p = (np.abs(patterns @ car) >= abs(car.sum()) - 1e-15).mean()
    assert resampling.sign_flip(car, draws=999, seed=1).p_value == pytest.approx(p)
    drawn = resampling.sign_flip(car, draws=400, seed=1)
    assert drawn.p_value == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 400) + 1 / 400)
    assert "400 draws, seed 1" in drawn.note
    many = np.random.default_rng(3).normal(0.0, 0.02, 3_000)
    assert 0 < resampling.sign_flip(many, draws=99, seed=1).p_value <= 1
    assert drawn == resampling.sign_flip(car, draws=400, seed=1)


def test_signed_sums_have_the_right_mean_variance_and_independence():
    values = np.arange(1.0, 12.0)
    sums = resampling._draw_signed_sums(values, draws=20_000, seed=5)
    variance = (values**2).sum()
    assert abs(sums.mean()) < 4 * math.sqrt(variance / 20_000)
    assert sums.var() == pytest.approx(variance, rel=0.05)
    only_first = resampling._draw_signed_sums(np.array([1.0] + [0.0] * 20), draws=4_000, seed=5)
    assert set(np.unique(only_first)) == {-1.0, 1.0}
    assert abs(only_first.mean()) < 4 / math.sqrt(4_000)


def test_p_is_never_zero():
    car = np.full(50, 0.1) + np.random.default_rng(0).normal(0, 1e-3, 50)
    block = np.arange(50)
    for found in (
        resampling.sign_flip(car, draws=99, seed=0),
        resampling.wild_bootstrap(car, block, draws=99, seed=0),
        resampling.bhar_skewness_adjusted(car, draws=99, seed=0),
        resampling.event_block_bootstrap(car, block, draws=99, seed=0),
    ):
        assert found.p_value == pytest.approx(0.01)
    assert parametric.patell(np.full(10_000, 9.0), np.full(10_000, 200)).p_value > 0


def test_wild_bootstrap_equals_enumeration_of_block_signs():
    rng = np.random.default_rng(2)
    block = np.repeat(np.arange(7), 4)
    car = rng.normal(0.01, 0.02, 28) + rng.normal(0, 0.01, 7)[block]

    def block_t(values):
        gap = values - values.mean()
        sums = np.array([gap[block == b].sum() for b in range(7)])
        return values.mean() / math.sqrt((sums**2).sum() * 7 / 6 / 28**2)

    observed = block_t(car)
    flips = np.array(list(itertools.product([-1, 1], repeat=7)))
    share = np.mean([abs(block_t(car * f[block])) >= abs(observed) * (1 - 1e-12) for f in flips])
    found = resampling.wild_bootstrap(car, block, draws=4_000, seed=3)
    assert found.statistic == pytest.approx(observed, rel=1e-10)
    assert found.p_value == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 4_000) + 1e-3)


def test_block_tests_say_how_many_blocks_they_need():
    few = np.repeat(np.arange(5), 4)
    for function in (resampling.wild_bootstrap, resampling.event_block_bootstrap):
        assert "at least 6 blocks" in function(np.arange(20.0), few, draws=99, seed=0).note


def test_block_tests_keep_their_size_when_blocks_share_shocks():
    rng = np.random.default_rng(11)
    block = np.repeat(np.arange(20), 5)
    rejected = np.zeros(3)
    for k in range(200):
        car = rng.normal(0, 0.02, 100) + rng.normal(0, 0.03, 20)[block]
        rejected += [
            resampling.wild_bootstrap(car, block, draws=199, seed=k).p_value <= 0.05,
            resampling.event_block_bootstrap(car, block, draws=199, seed=k).p_value <= 0.05,
            parametric.cross_sectional_t(car).p_value <= 0.05,
        ]
    assert (rejected[:2] / 200 < 0.11).all()
    assert (rejected[:2] > 0).all()
    assert rejected[2] / 200 > 0.2  # the test that ignores the blocks


def test_buy_and_hold_equals_products_of_returns():
    returns, market = simulate()
    tickers, sessions = np.arange(12), np.arange(100, 220, 10)
    design, estimates, _ = assess(returns, market, tickers, sessions, draws=0, model="market_adjusted")
    for i, found in enumerate(buy_and_hold(design, estimates)):
        at = slice(sessions[i] - 1, sessions[i] + 4)
        assert found == pytest.approx(np.prod(1 + returns[i, at]) - np.prod(1 + market[at]), abs=1e-14)
    design, estimates, _ = assess(returns, market, tickers, sessions, draws=0)
    expected = estimates.intercept[3] + estimates.slopes[0, 3] * market[129:134]
    found = buy_and_hold(design, estimates)[3]
    assert found == pytest.approx(np.prod(1 + returns[3, 129:134]) - np.prod(1 + expected), abs=1e-14)


def test_detectable_effect_formula():
    errors = np.array([0.01, 0.02, 0.03])
    scale = math.sqrt((errors**2).mean() / 3 * (1 + 2 * 0.2))
    expected = (scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(0.8)) * scale
    assert parametric.find_detectable_caar(errors, mean_correlation=0.2) == pytest.approx(expected)
    assert parametric.find_detectable_caar(errors, statistic="bmp") is None  # three events, errors from 1 to 3


@pytest.mark.parametrize(
    ("statistic", "spread", "test"),
    [
        ("cross_sectional_t", 1.0, lambda car, se: parametric.cross_sectional_t(car)),
        ("patell", 1.0, lambda car, se: parametric.patell(car / se, np.full(len(se), 248.0))),
        ("bmp", 1.0, lambda car, se: parametric.bmp(car / se)),
        ("bmp", 2.5, lambda car, se: parametric.bmp(car / se)),
    ],
)
def test_the_detectable_effect_is_seen_four_times_in_five(statistic, spread, test):
    """Thirty events, standard errors from 1 to 4 %: simulated power at the effect that the formula names."""
    rng = np.random.default_rng(20260202)
    errors = np.linspace(0.01, 0.04, 30)
    effect = parametric.find_detectable_caar(errors, statistic=statistic, spread=spread)
    found = [test(effect + spread * errors * rng.standard_normal(30), errors).p_value < 0.05 for _ in range(1500)]
    assert abs(np.mean(found) - 0.80) < 0.045


def test_on_days_three_times_as_variable_more_is_needed_to_be_seen():
    returns, market = simulate(n_tickers=30)
    tickers, sessions = np.arange(30), 90 + 8 * np.arange(30)
    calm = assess(returns, market, tickers, sessions, draws=0)[2]
    for day in range(-1, 4):
        noise = returns[tickers, sessions + day] - 1.1 * market[sessions + day]
        returns[tickers, sessions + day] += 2 * noise
    nervous = assess(returns, market, tickers, sessions, draws=0)[2]
    assert calm.recommended == nervous.recommended == "bmp"
    assert 2.2 < nervous.mde80 / calm.mde80 < 3.5


def test_the_example_of_the_documentation_runs():
    from event_impact.many import sample as cross_section

    finder = doctest.DocTestFinder()
    (example,) = finder.find(cross_section.assess_sample, globs=vars(cross_section).copy())
    assert doctest.DocTestRunner().run(example).failed == 0


def test_moments_of_parts_are_the_moments_of_the_whole():
    values = np.random.default_rng(0).normal(5, 1, (90, 4))
    parts = parametric.Moments.of(values[:7]).merge(parametric.Moments.of(values[7:50]))
    parts = parametric.Moments.of(values[50:]).merge(parts)
    np.testing.assert_allclose(parts.mean, values.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(parts.std, values.std(axis=0, ddof=1), rtol=1e-12)


def test_recommendation_falls_back_when_the_correlation_cannot_be_used(exact):
    tests = dict(exact[2].tests)
    tests["kp_bmp"] = parametric.kp_bmp(np.array([1.0, 2.0]), -1.0)
    name, why = recommend_statistic(exact[2].overlap, 7, n_event=5, tests=tests)
    assert name == "crude_dependence_t"
    assert "-1/(N - 1)" in why


@pytest.mark.parametrize("model", ["market", "market_adjusted", "constant_mean"])
def test_many_events_of_few_firms_pair_as_the_loop_does(model):
    returns, market = simulate(n_tickers=4, common=0.3)
    returns[2, 160] = np.nan
    tickers, sessions = np.append(np.repeat([1, 2, 3], 25), 0), np.append(np.tile(np.arange(190, 215), 3), 230)
    days = np.datetime64("2020-01-01") + np.arange(400)
    for gap in (None, 170):
        if gap:
            market[gap] = np.nan
        design = lay_out_model(BatchPanel(days, list("ABCD"), returns, market), model)
        estimates = estimate_events(design, tickers, sessions, windows=WINDOWS)
        found = mean_correlation(design, estimates, count_overlaps(estimates).n_pairs)
        assert found.value == pytest.approx(loop_mean_correlation(design, estimates)[0], rel=1e-10)
        early = estimate_events(design, np.array([0, 0, 1]), np.array([66, 68, 67]), windows=WINDOWS)
        assert early.is_used.all()  # windows that begin before the calendar
        found = mean_correlation(design, early, count_overlaps(early).n_pairs)
        assert found.value == pytest.approx(loop_mean_correlation(design, early)[0], rel=1e-10)


def test_what_the_notes_say_of_sizes_is_in_the_stored_table():
    """The sizes that notes and recommendations name are those of ``calibration/results/sample_size.csv``."""
    stored = pd.read_csv(Path(__file__).parents[2] / "calibration" / "results" / "sample_size.csv")

    def rates(statistic, level=0.05):
        kept = stored[(stored["statistic"] == statistic) & (stored["level"] == level)]
        return 100 * kept.pivot(index="events", columns="design", values="rate")

    shocked = rates("kp_bmp").pop("common shock x2")
    ordinary = rates("kp_bmp").drop(columns="common shock x2").to_numpy()
    assert f"rejects {shocked.min():.0f} to {shocked.max():.0f} %" in ORDINARY_CORRELATION
    assert 2.5 < ordinary.min() < ordinary.max() < 8
    skewed = np.concatenate([rates(name).loc[[20, 200], "skewed"] for name in ("grank_t", "corrado_zivney")])
    assert all(9 < rates(name).loc[5, "normal"] < 13 for name in ("grank_t", "corrado_zivney"))
    assert f"{skewed.min():.0f} to {skewed.max():.0f} %" in SKEWED_NOTE
    one_date = rates("kp_bmp", 0.01).loc[[20, 200], ["one date, 0", "one date, .1", "one date, .3"]]
    assert f"up to {one_date.max(axis=None):.1f} %" in ONE_DATE_NOTE
    for name in ("wild_bootstrap", "event_block_bootstrap", "two_way_clustered_t", "ibragimov_mueller_t"):
        assert (rates(name).loc[[20, 200], "staggered"] < 8).all()
    assert stored.loc[stored["statistic"] == "recommended", "replications"].min() >= 4000


def test_the_page_of_sizes_is_made_of_the_stored_ones():
    folder = Path(__file__).parents[2] / "calibration"
    page = (folder / "sample_size.md").read_text(encoding="utf-8")
    assert page.endswith(write_pages(pd.read_csv(folder / "results" / "sample_size.csv")))
