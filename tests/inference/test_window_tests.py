"""Every test of every window has a number or a reason; windows draw from streams of their own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import compute
from event_impact.estimation.models import WindowEffects
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.candidate_set import CandidateSet
from event_impact.inference.parametric import interval
from event_impact.inference.placebo_pool import joint_f_values, joint_test
from event_impact.inference.window_tests import BOOTSTRAP_DRAWS, SINGLE_SESSION, bootstrap_test
from event_impact.inference.windows import (
    WindowEstimate,
    estimates_frame,
    frame_tests,
    join_candidates,
    judge_estimate,
)

CONTRACT = """
return_kind model benchmark mask estimation_sessions gap_sessions first last is_primary estimate standard_error df t p_t
p_sample_quantile p_conformal p_holm p_fhs p_block_conformal p_placebo n_placebo ci90_low ci90_high ci95_low ci95_high
ci_from t90_low t90_high t95_low t95_high mde80 mde50_rule mde80_rule mde90_rule smallest_bound breakdown_volatility
breakdown_news outcome n_estimation note
"""
NAMES = {
    "t", "sample_quantile", "conformal", "block_conformal", "fhs", "block_bootstrap", "placebo", "pseudo_event",
    "joint_f",
}  # fmt: skip


@pytest.fixture(scope="module")
def robust():
    return compute(model="robust")


def row_of(computed, first, last, kind="close_to_close") -> WindowEstimate:
    return next(r for r in computed.estimates if (r.return_kind, r.first, r.last) == (kind, first, last))


def series_of(computed):
    design = computed.headline.design
    usable = design.response.notna()
    return (
        design.response[usable].to_numpy(),
        design.regressors[usable].to_numpy(),
        int(design.response[usable].index.get_loc(computed.alignment.event_session)),
    )


def test_every_row_has_every_test_with_a_number_or_a_reason(focal, robust):
    for row in (*focal.estimates, *robust.estimates):
        assert set(row.tests) == NAMES
        for name, test in row.tests.items():
            assert test.name == name
            assert test.p_value is not None or test.note
            assert test.p_value is None or (0 < test.p_value <= 1 and test.null and test.distribution)


def test_estimates_keep_the_columns_of_the_contract(focal, robust):
    for computed in (focal, robust):
        assert list(estimates_frame(computed.estimates).columns) == CONTRACT.split()


def test_long_form_holds_each_test_once(focal):
    frame = frame_tests(focal.estimates)
    assert ",".join(frame.columns) == "return_kind,first,last,test,statistic,p_value,distribution,null,note"
    assert len(frame) == len(focal.estimates) * len(NAMES)
    assert not frame.duplicated(["return_kind", "first", "last", "test"]).any()
    headline = frame[(frame["return_kind"] == "close_to_close") & (frame["first"] == 0) & (frame["last"] == 0)]
    own = headline.set_index("test")
    assert own.loc["t", "p_value"] == row_of(focal, 0, 0).p_value("t")
    for name, reason in SINGLE_SESSION.items():
        assert pd.isna(own.loc[name, "p_value"])
        assert own.loc[name, "note"] == reason


def literal_scar(y, design, event, last):
    """CAR over its own forecast standard deviation, by a regression of this window alone."""
    rows, days = np.arange(event - 260, event - 10), np.arange(event, event + last + 1)
    b, *_ = np.linalg.lstsq(design[rows], y[rows], rcond=None)
    e, total = y[rows] - design[rows] @ b, design[days].sum(axis=0)
    variance = e @ e / 248 * (len(days) + total @ np.linalg.inv(design[rows].T @ design[rows]) @ total)
    return (y[days] - design[days] @ b).sum() / np.sqrt(variance)


@pytest.mark.parametrize("last", [1, 2])
def test_pseudo_events_and_joint_f_are_the_functions_that_define_them(focal, last):
    y, x, event = series_of(focal)
    earlier = [literal_scar(y, x, t, last) for t in range(260, event - 10 - last)]
    own = literal_scar(y, x, event, last)
    found = row_of(focal, 0, last)
    reached = sum(abs(t) >= abs(own) for t in earlier)
    assert found.tests["pseudo_event"].p_value == (1 + reached) / (len(earlier) + 1)
    assert found.tests["pseudo_event"].statistic == pytest.approx(own, rel=1e-9)
    assert found.n_placebo < len(earlier)

    sessions = focal.headline.design.response.dropna().index
    placebo = fit_rolling(y, x, events=np.arange(260, event - 10 - last), estimation_length=250, gap=10, last=last)
    f_values = joint_f_values(
        placebo.abnormal_returns, placebo.forecast_scale * placebo.residual_std[:, None, None] ** 2
    )
    own = fit_rolling(y, x, events=[event], estimation_length=250, gap=10, last=last)
    effects = WindowEffects(own.abnormal_returns[0], own.forecast_scale[0] * own.residual_std[0] ** 2, own.df)
    test = joint_test(effects, f_values)
    assert found.tests["joint_f"].statistic == pytest.approx(test.statistic, rel=1e-9)
    assert abs(found.tests["joint_f"].p_value - test.p_value) < 0.06
    assert len(sessions) == len(y)


def test_bootstrap_of_a_window_depends_on_seed_and_window_alone(focal):
    row = row_of(focal, 0, 2)
    again = next(r for r in compute(windows="0:0,0:2").estimates if (r.first, r.last) == (0, 2))
    assert again.p_value("block_bootstrap") == row.p_value("block_bootstrap")
    other = next(r for r in compute(windows="0:0,0:2", seed=1).estimates if (r.first, r.last) == (0, 2))
    assert other.p_value("block_bootstrap") != row.p_value("block_bootstrap")
    fits = focal.headline.window_fits(0, 2)
    direct = bootstrap_test(fits, np.random.default_rng(3), n_draws=BOOTSTRAP_DRAWS)
    assert row.tests["block_bootstrap"].statistic == pytest.approx(direct.statistic)
    assert abs(row.p_value("block_bootstrap") - direct.p_value) < 0.05


def test_rows_without_a_standard_error_have_ranks_and_a_reason(robust):
    row = row_of(robust, 0, 0)
    assert row.estimate is not None
    missing = (row.standard_error, row.df, row.t_interval(0.90), row.t_interval(0.95), row.mde80, row.p_value("t"))
    assert missing == (None,) * 6
    assert "no standard error" in row.note
    assert row.outcome == "no_detectable_effect"
    for low, high in (row.ci90, row.ci95):
        assert low < row.estimate < high
    assert 0 < row.mde_rule[0] < row.mde80_rule < row.mde_rule[2]
    assert row.p_value("placebo") is not None
    assert row.rank_p == max(row.p_value("conformal"), row.p_value("fhs"))
    record = row.as_record()
    assert all(record[name] is None for name in ("standard_error", "t", "p_t", "t95_low", "mde80"))


def test_printed_intervals_are_the_inversion_of_the_rule_and_t_stands_beside(focal):
    for row in focal.estimates:
        low, high = row.rule.interval(0.05)
        assert row.ci95 == (low[0], high[0])
        assert row.t_interval(0.95) == pytest.approx(interval(row.estimate, row.standard_error, row.df, 0.95))
        assert row.smallest_bound == max(map(abs, row.ci90))
        assert row.rank_p == max(row.p_value("block_conformal"), row.p_value("fhs"))
        assert (row.ci95[0] > 0 or row.ci95[1] < 0) == (row.rank_p < 0.05)
        assert bool(row.mde_rule) == (row.first == row.last)
    record = row_of(focal, 0, 0).as_record()
    assert record["mde80_rule"] == pytest.approx(0.05502289, abs=1e-6)
    assert (record["ci95_low"], record["ci95_high"]) == pytest.approx((-0.05495287, 0.03384588), abs=1e-8)
    assert record["ci_from"] == "conformal"
    assert record["breakdown_volatility"] is record["breakdown_news"] is None


def test_a_set_whose_second_session_has_no_return_is_incomplete(focal):
    headline = focal.headline
    table = headline.table.copy()
    table.loc[1, "ar"] = np.nan
    lacking = dataclasses.replace(headline, table=table)
    rows = [row_of(focal, 0, 0), row_of(focal, 0, 2)]
    joined, alone, last = join_candidates(rows, lacking, (0, 1), placebo_t=np.empty((0, 2)), bound=0.02)
    assert (joined.outcome, joined.note) == ("insufficient_data", "incomplete: 1 of 2 candidate sessions")
    assert (joined.is_primary, alone.is_primary, alone.outcome) == (True, False, "")
    assert last is rows[1]
    assert join_candidates(rows, lacking, (0,), placebo_t=np.empty((0, 1)), bound=0.02) is rows


def test_session_0_of_a_set_keeps_its_numbers_and_loses_its_word(focal):
    rows = [row_of(focal, 0, 0)]
    joined, alone = join_candidates(rows, focal.headline, (0, 1), placebo_t=np.empty((0, 2)), bound=0.02)
    record = alone.as_record()
    assert (record["is_primary"], record["outcome"]) == (True, None)
    assert record["note"].startswith("candidate 1 of 2")
    assert record["ci95_low"] == rows[0].as_record()["ci95_low"]
    assert len(estimates_frame([joined, alone])) == 1
    assert joined.t_interval(0.95) is None
    assert joined.as_record()["estimate"] == joined.candidates.largest.estimate


def test_a_detection_says_what_would_overturn_it(focal):
    row = row_of(focal, 0, 0)
    session = dataclasses.replace(row.candidates.largest, rule=row.rule.shift(-0.08))
    moved = dataclasses.replace(row, candidates=CandidateSet((session,)))
    found = judge_estimate(moved, bound=0.02)
    assert found.outcome == "fragile"
    assert found.breakdown_volatility == pytest.approx(-moved.rule.estimate[0] / moved.rule.thresholds(0.05).down[0])
    assert found.breakdown_news == pytest.approx(-moved.rule.interval(0.05)[1][0])
    halved = judge_estimate(moved, bound=0.02, p_star=0.03, times=2)
    assert halved.breakdown_volatility < found.breakdown_volatility
    assert judge_estimate(moved, bound=0.02, p_star=0.2).breakdown_news is None


def test_placebo_of_the_robust_model_is_a_loop_of_its_pipeline(robust, focal):
    from event_impact.estimation.estimators import solve_huber

    y, x, event = series_of(robust)
    row = row_of(robust, 0, 0)

    def statistic(position):
        rows = np.arange(position - 260, position - 10)
        b = solve_huber(y[None, rows], x[None, rows])[0]
        spread = np.sqrt(np.mean((y[rows] - x[rows] @ b) ** 2))
        return (y[position] - x[position] @ b) / spread

    assert row.tests["placebo"].statistic == pytest.approx(statistic(event), rel=1e-9)
    everywhere = np.array([statistic(p) for p in range(260, event - 10, 5)])
    share = np.mean(np.abs(everywhere) >= abs(statistic(event)))
    assert abs(row.p_value("placebo") - share) < 0.1
    assert row.n_placebo == row_of(focal, 0, 0).n_placebo


def test_garch_rows_rank_conditional_statistics():
    garch = compute(model="garch_market", windows="0:0,0:2", runup="-5:-1")
    row = row_of(garch, 0, 0)
    assert "GARCH" in row.tests["t"].note
    assert row.tests["t"].statistic == pytest.approx(row.estimate / row.standard_error)
    assert row.tests["placebo"].statistic == pytest.approx(row.tests["t"].statistic)
    fhs = row.tests["fhs"].statistic
    assert row.tests["t"].statistic == pytest.approx(fhs, rel=0.02)
