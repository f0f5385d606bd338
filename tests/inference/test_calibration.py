"""Fixed-seed sizes that would show a size wrong by a third, literal p-values, and honest intervals."""

import math

import numpy as np
import pandas as pd
import pytest
from event_impact.estimation.garch import fit_garch
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.calibration import (
    FirmHistory,
    calibrate_history,
    calibrate_power,
    fit_simulated,
    history_rates,
    rank_every_test,
    rate_interval,
    simulated_sizes,
    simulated_window_sizes,
)
from event_impact.inference.deciding_rule import invert_rule
from event_impact.inference.simulation import PROCESSES, WINDOW_PROCESSES, Process, simulate
from scipy import stats

BY_NAME = {process.name: process for process in PROCESSES}


def rate(table, test, **conditions):
    for column, value in conditions.items():
        table = table[table[column] == value]
    row = table[table["test"] == test]
    assert len(row) == 1
    return row["rate"].item()


@pytest.fixture(scope="module")
def sizes():
    """8,000 draws a process: standard error .24 points at 5 %, against 1.67 points for a size wrong by a third."""
    wanted = [BY_NAME[name] for name in ("iid_normal", "iid_t4", "garch_t4", "four_jumps")]
    return simulated_sizes(wanted, seed=77, n_draws=8000, effects=(0.0, 2.0), has_fhs=False, levels=(0.05, 0.01))


@pytest.mark.parametrize("test", ["p_t", "p_sample_quantile", "p_conformal"])
@pytest.mark.parametrize("process", ["iid_normal", "iid_t4"])
def test_five_per_cent_tests_reject_five_per_cent(sizes, process, test):
    size = rate(sizes, test, process=process, group="all", effect=0.0, level=0.05)
    assert abs(size - 0.05) < 0.05 / 3 / 2


def test_sizes_agree_with_earlier_simulations(sizes):
    """Monte Carlo values of 40,000 draws; tolerance 3 sqrt(se1^2 + se2^2) + .05 points."""
    earlier = {
        ("iid_t4", "all", 0.05, "p_t"): 0.053,
        ("garch_t4", "all", 0.05, "p_t"): 0.058,
        ("garch_t4", "all", 0.05, "p_conformal"): 0.052,
        ("garch_t4", "all", 0.01, "p_t"): 0.028,
        ("garch_t4", "all", 0.01, "p_conformal"): 0.010,
        ("garch_t4", "stressed", 0.05, "p_t"): 0.145,
        ("garch_t4", "stressed", 0.05, "p_conformal"): 0.133,
        ("garch_t4", "calm", 0.05, "p_conformal"): 0.022,
        ("four_jumps", "all", 0.05, "p_t"): 0.032,
    }
    for (process, group, level, test), value in earlier.items():
        row = sizes.query(
            "process == @process and group == @group and level == @level and test == @test and effect == 0"
        )
        share = 1.0 if group == "all" else 0.1
        tolerance = 3 * math.sqrt(row["std_error"].item() ** 2 + value * (1 - value) / (40_000 * share)) + 0.0005
        assert abs(row["rate"].item() - value) < tolerance, (process, group, level, test)


def test_power_agrees_with_earlier_simulations(sizes):
    for process, test, value in [
        ("iid_t4", "p_t", 0.519),
        ("iid_t4", "p_conformal", 0.482),
        ("garch_t4", "p_t", 0.654),
        ("four_jumps", "p_conformal", 0.347),
    ]:
        found = rate(sizes, test, process=process, group="all", effect=2.0, level=0.05)
        assert found == pytest.approx(value, abs=0.026)


def test_fhs_keeps_its_level_in_stressed_and_calm_markets():
    table = simulated_sizes([BY_NAME["garch_t4"]], seed=5, n_draws=5000, levels=(0.05,), gap=10)
    # Standard error .31 points: three of them, still short of a third of the size.
    assert abs(rate(table, "p_fhs", group="all") - 0.053) < 0.010
    # 500 draws in each tenth: standard error 1 point; the conformal test is far outside in both.
    assert abs(rate(table, "p_fhs", group="stressed") - 0.055) < 0.035
    assert abs(rate(table, "p_fhs", group="calm") - 0.055) < 0.035
    assert rate(table, "p_conformal", group="stressed") > 0.09


def test_blocks_keep_the_level_of_windows():
    table = simulated_window_sizes(WINDOW_PROCESSES, (3, 5), seed=6, n_draws=4000, levels=(0.05,), has_fhs=False)
    for process in ("garch_t4", "garch_t4_ar1"):
        assert abs(rate(table, "p_block_conformal", process=process, window_length=5) - 0.05) < 0.010
    assert rate(table, "p_t", process="garch_t4_ar1", window_length=5) > 0.06


def test_rows_do_not_depend_on_their_company():
    one = simulated_sizes([BY_NAME["iid_t4"]], seed=1, n_draws=300, has_fhs=False)
    both = simulated_sizes([BY_NAME["iid_normal"], BY_NAME["iid_t4"]], seed=1, n_draws=300, has_fhs=False)
    pd.testing.assert_frame_equal(one, both[both["process"] == "iid_t4"].reset_index(drop=True))


def test_p_values_are_the_literal_ones():
    returns = simulate(BY_NAME["garch_t4"], np.random.default_rng(3), n_draws=6, estimation_length=40, gap=3)
    fits = fit_simulated(returns, estimation_length=40, gap=3)
    found = rank_every_test(fits, garch=fit_garch(fits.residuals, fits.gap_abnormal_returns))
    for i in range(6):
        x = np.column_stack([np.ones(44), returns.market[i]])
        b, *_ = np.linalg.lstsq(x[:40], returns.firm[i, :40], rcond=None)
        e = returns.firm[i, :40] - x[:40] @ b
        a = returns.firm[i, 43] - x[43] @ b
        spread = math.sqrt(e @ e / 38 * (1 + x[43] @ np.linalg.inv(x[:40].T @ x[:40]) @ x[43]))
        assert found["p_t"][i] == pytest.approx(2 * stats.t.sf(abs(a) / spread, 38), rel=1e-9)
        low, high = 1 + sum(v <= a for v in e), 1 + sum(v >= a for v in e)
        assert found["p_sample_quantile"][i] == pytest.approx(min(1, 2 * min(low, high) / 41))
        rows = np.r_[np.arange(40), 43]
        b, *_ = np.linalg.lstsq(x[rows], returns.firm[i, rows], rcond=None)
        f = np.abs(returns.firm[i, rows] - x[rows] @ b)
        assert found["p_conformal"][i] == pytest.approx(np.sum(f >= f[-1] * (1 - 1e-12)) / 41)
        assert found["p_star"][i] == max(found["p_conformal"][i], found["p_fhs"][i])


def test_simulated_moments():
    rng = np.random.default_rng(8)
    returns = simulate(Process("plain", has_fat_tails=False), rng, n_draws=4000, estimation_length=50)
    residual = returns.firm - 0.0002 - 1.2 * returns.market
    assert residual.std() == pytest.approx(0.015, rel=0.01)
    assert np.polyfit(returns.market.ravel(), returns.firm.ravel(), 1)[0] == pytest.approx(1.2, abs=0.02)
    assert returns.market.std() == pytest.approx(0.01, rel=0.03)
    clustered = simulate(Process("garch", has_fat_tails=False, has_garch=True), rng, n_draws=4000, estimation_length=50)
    shock = clustered.firm - 0.0002 - 1.2 * clustered.market
    assert np.corrcoef(shock[:, :-1].ravel() ** 2, shock[:, 1:].ravel() ** 2)[0, 1] > 0.15
    standardised = shock[:, 50] / clustered.event_std
    assert standardised.std() == pytest.approx(1.0, abs=0.04)
    serial = simulate(Process("ar", autocorrelation=0.3, has_fat_tails=False), rng, n_draws=4000, estimation_length=50)
    shock = serial.firm - 0.0002 - 1.2 * serial.market
    assert np.corrcoef(shock[:, :-1].ravel(), shock[:, 1:].ravel())[0, 1] == pytest.approx(0.3, abs=0.01)


def test_disturbances_fall_where_they_are_declared():
    rng = np.random.default_rng(9)
    recent = simulate(
        Process("r", has_fat_tails=False, recent_factor=3.0), rng, n_draws=3000, estimation_length=50, gap=10
    )
    spread = (recent.firm - 1.2 * recent.market).std(axis=0)
    np.testing.assert_allclose(spread[:40], 0.015, rtol=0.06)
    np.testing.assert_allclose(spread[40:], 0.045, rtol=0.06)
    event = simulate(
        Process("e", has_fat_tails=False, event_variance_factor=4.0), rng, n_draws=3000, estimation_length=50
    )
    spread = (event.firm - 1.2 * event.market).std(axis=0)
    np.testing.assert_allclose(spread[:50], 0.015, rtol=0.06)
    assert spread[50] == pytest.approx(0.03, rel=0.06)
    jumps = simulate(Process("j", has_fat_tails=False, n_jumps=4), rng, n_draws=500, estimation_length=50)
    is_large = np.abs(jumps.firm - 1.2 * jumps.market) > 3.5 * 0.015
    assert is_large[:, :50].sum(axis=1).mean() == pytest.approx(4.0, abs=0.4)
    assert not is_large[:, 50].any()


@pytest.fixture(scope="module")
def history():
    rng = np.random.default_rng(10)
    market = rng.normal(0, 0.01, 400)
    y = 1.2 * market + rng.standard_t(4, 400) * 0.01
    return y, np.column_stack([np.ones(400), market])


def own(history, sessions=range(110, 400)):
    return FirmHistory(*history, np.array(sessions), 100, 10)


def test_history_counts_what_its_sessions_say(history):
    sessions = np.arange(110, 400)
    table, rates = own(history).rank(), calibrate_history(own(history))
    fits = fit_rolling(*history, events=sessions, estimation_length=100, gap=10)
    np.testing.assert_allclose(table["t"], (fits.abnormal_returns / fits.forecast_std)[:, 0])
    rejected = table["p_conformal"] <= 0.05
    assert rate(rates, "p_conformal", group="all", level=0.05) == pytest.approx(rejected.mean())
    left, right = (rate(rates, "p_conformal", group=side, level=0.05) for side in ("left", "right"))
    assert left + right == pytest.approx(rejected.mean())
    assert left == pytest.approx((rejected & (table["abnormal_return"] < 0)).mean())
    stressed = table["volatility_state"] >= table["volatility_state"].quantile(0.9)
    assert rate(rates, "p_fhs", group="stressed_tenth", level=0.05) == pytest.approx(
        (table["p_fhs"] <= 0.05)[stressed].mean()
    )
    counts = rates.query("test == 'p_t' and level == 0.05").set_index("group")["n_sessions"]
    assert counts["below_average"] + counts["constant"] + counts["above_average"] == counts["all"] == 290


def test_an_injected_effect_is_recovered_exactly_and_found_more_often(history):
    plain, moved = own(history).rank(), own(history).rank(effect=-0.04)
    np.testing.assert_allclose(moved["abnormal_return"] - plain["abnormal_return"], -0.04)
    rates = calibrate_history(own(history)), calibrate_history(own(history), effect=-0.04)
    for test in ("p_t", "p_fhs"):
        before, after = (rate(table, test, group="all", level=0.05) for table in rates)
        assert after > before + 0.3


def test_power_of_the_rule_is_counted_at_multiples_of_what_each_session_states(history):
    """One loop a session: state the effect, add it, take it off, ask the rule."""
    sessions = np.arange(150, 400, 5)
    table = calibrate_power(own(history, sessions))
    assert set(table["test"]) == {"p_star"}
    rates = []
    for multiple in (1.0, 2.0, 3.0):
        hits = 0
        for session in sessions:
            fits = fit_rolling(*history, events=[session], estimation_length=100, gap=10)
            rule = invert_rule(fits)
            needed = np.sort(rule.needed_effects(0.05)[0])
            stated = needed[math.ceil(0.8 * 200) - 1]
            for sign in (1, -1):
                hits += bool(rule.shift(sign * multiple * stated).p_star[0] < 0.05)
        rates.append(hits / 100)
        row = table[(table["multiple"] == multiple) & (table["group"] == "all")]
        assert row["rate"].item() == pytest.approx(hits / 100)
    assert 0.6 < rates[0] < 0.95
    assert rates[1] > 0.95


def test_interval_of_evenly_spread_rejections_is_binomial():
    flags = np.tile(np.arange(20) == 0, 50)
    found = rate_interval(flags, np.arange(1000), block_length=100)
    assert (found["rate"], found["n_rejections"], found["effective_sessions"]) == (0.05, 50, 1000)
    expected = stats.binomtest(50, 1000).proportion_ci(method="exact")
    assert (found["lower"], found["upper"]) == pytest.approx((expected.low, expected.high))


def test_clustered_rejections_shrink_the_sample_by_the_variance_of_their_blocks():
    flags = np.arange(1000) < 50
    found = rate_interval(flags, np.arange(1000), block_length=100)
    shares = [flags[i : i + 100].mean() for i in range(0, 1000, 100)]
    of_mean = np.var(shares, ddof=1) / 10
    assert found["effective_sessions"] == pytest.approx(0.05 * 0.95 / of_mean)


def test_interval_widens_when_rejections_cluster():
    spread, clustered = np.tile(np.arange(20) == 0, 50), np.arange(1000) < 50
    wide = rate_interval(clustered, np.arange(1000), block_length=100)
    narrow = rate_interval(spread, np.arange(1000), block_length=100)
    assert wide["rate"] == narrow["rate"]
    assert wide["effective_sessions"] < narrow["effective_sessions"] / 10
    assert wide["upper"] > narrow["upper"]
    assert wide["lower"] < narrow["lower"]


def test_interval_without_a_rejection_starts_at_zero():
    found = rate_interval(np.zeros(1000, dtype=bool), np.arange(1000), block_length=250)
    assert found["lower"] == 0.0
    assert 0.0 < found["upper"] < 0.02


def test_groups_too_small_for_a_rate_have_no_row(history):
    flat = own(history).rank().assign(volatility_state=1.0)
    groups = set(history_rates(flat, block_length=100)["group"])
    assert "above_average" not in groups
    assert "constant" in groups


def test_without_a_garch_fit_only_the_other_tests_are_run(history):
    fits = fit_rolling(*history, events=[200], estimation_length=100, gap=5, last=1)
    assert list(rank_every_test(fits).columns) == ["p_t", "p_block_conformal"]
