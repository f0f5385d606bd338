"""The stored rates of the outcome words, drawn again in small, and what they must show."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.candidate_set import CandidateSession, CandidateSet, judge_row
from event_impact.inference.deciding_rule import invert_rule
from event_impact.inference.parametric import prediction_error_t
from event_impact.inference.simulation import simulate

from calibration.outcome_rates import (
    BOUND,
    DESIGNS,
    GAP,
    LENGTH,
    RESULTS,
    fit_candidates,
    is_borne_out,
    judge_draws,
    measure_design,
    measure_words,
    outcomes,
)

BY_NAME = {process.name: process for process in DESIGNS}
STORED = pd.read_csv(RESULTS / "outcome_rates.csv", dtype={"effect": str}, keep_default_na=False)
CURVE = pd.read_csv(RESULTS / "curve_words.csv")
COVERAGE = pd.read_csv(RESULTS / "interval_coverage.csv")


def stored(outcome, *, design, group="all", candidates=1, effect="none"):
    rows = STORED.query(
        "design == @design and group == @group and candidates == @candidates and effect == @effect"
        " and outcome == @outcome"
    )
    return rows["rate"].sum()


def coverage(design, group, nominal):
    return COVERAGE.query("design == @design and group == @group and nominal == @nominal")["coverage"].item()


@pytest.mark.parametrize("design", ["t4", "garch_t5"])
def test_a_short_run_agrees_with_the_stored_table(design):
    drawn = 500
    rates, held = measure_design(BY_NAME[design], seed=6, n_draws=drawn, length=LENGTH, gap=GAP)
    compared = 0
    for row in rates:
        if row["group"] != "all":
            continue
        kept = {name: row[name] for name in ("candidates", "effect")}
        value = stored(row["outcome"], design=design, **kept)
        error = math.sqrt(max(value * (1 - value), 0.002) * (1 / drawn + 1 / 8000))
        assert abs(row["rate"] - value) < 4 * error, row
        compared += 1
    assert compared > 15
    for row in held:
        if row["group"] == "all":
            assert row["coverage"] == pytest.approx(coverage(design, "all", round(row["nominal"], 2)), abs=0.05)


def test_many_draws_at_once_are_judged_as_one_study_after_the_other():
    process, length, gap = BY_NAME["garch_t5"], 80, 6
    draws = judge_draws(process, np.random.default_rng(3), 60, length=length, gap=gap)
    returns = simulate(
        process, np.random.default_rng(3), n_draws=60, estimation_length=length, gap=gap, window_length=3
    )
    bounds = BOUND * draws.residual_std
    for k in (1, 2, 3):
        found = outcomes(list(draws.rules[:k]), list(draws.p_t[:k]), bounds)
        for i in range(60):
            design = np.column_stack([np.ones(length + gap + 3), returns.market[i]])
            sessions = []
            for j in range(k):
                fits = fit_rolling(
                    returns.firm[i], design, events=[length + gap + j], estimation_length=length, gap=gap + j
                )
                t = prediction_error_t(float(fits.car[0]), float(fits.forecast_std[0, 0]), fits.df)
                sessions.append(CandidateSession(j, invert_rule(fits), t))
            alone = CandidateSet(tuple(sessions))
            judged = judge_row(alone.weigh(), alone.own_intervals, level=0.05, bound=bounds[i])
            assert judged.outcome == found[i]


def test_candidates_share_the_estimation_window_and_lengthen_the_gap():
    returns = simulate(BY_NAME["t4"], np.random.default_rng(1), n_draws=2, estimation_length=60, gap=4, window_length=3)
    fits = fit_candidates(returns, 60, 4)
    assert [f.gap_abnormal_returns.shape[1] for f in fits] == [4, 5, 6]
    assert fits[1].gap_abnormal_returns[0, -1] == pytest.approx(fits[0].abnormal_returns[0, 0])


def test_every_draw_has_one_word():
    words = STORED[STORED["outcome"] != "detected"]
    totals = words.groupby(["design", "group", "candidates", "effect"])["rate"].sum()
    np.testing.assert_allclose(totals, 1.0, atol=1e-5)
    assert (STORED.query("group == 'all'")["n_draws"] == 8000).all()


@pytest.mark.parametrize("design", ["normal", "t4", "garch", "garch_t5"])
def test_intervals_and_detections_keep_their_level_where_a_test_can(design):
    assert 0.898 <= coverage(design, "all", 0.90) <= 0.93
    assert 0.945 <= coverage(design, "all", 0.95) <= 0.97
    assert coverage(design, "nervous", 0.95) > 0.92
    detected = stored("fragile", design=design) + stored("detectable_but_small", design=design)
    assert 0.03 < detected < 0.055
    for k in (2, 3):
        assert stored("fragile", design=design, candidates=k) < 0.055


@pytest.mark.parametrize("design", ["normal", "t4", "garch", "garch_t5"])
def test_borderline_is_rare_on_ordinary_days(design):
    assert stored("borderline", design=design) < 0.03
    assert stored("borderline", design=design, group="nervous") < 0.08


@pytest.mark.parametrize("design", ["normal", "t4", "garch", "garch_t5"])
def test_an_effect_as_large_as_the_bound_is_rarely_called_small(design):
    assert stored("smaller_than_bound", design=design, effect="bound") < 0.055
    assert stored("smaller_than_bound", design=design) > 0.75


@pytest.mark.parametrize("design", ["normal", "t4", "garch", "garch_t5"])
def test_the_rule_finds_what_it_states_four_times_in_five_in_every_state(design):
    for group in ("all", "calm", "nervous"):
        share = stored("detected", design=design, group=group, effect="1 stated")
        assert share == pytest.approx(0.80, abs=0.045)
        assert stored("detected", design=design, group=group, effect="2 stated") > 0.96


def test_what_no_single_event_can_tell_is_on_record():
    """A day of more than its forecast spread looks like a move: both designs detect too often, and the table says so."""
    for design in ("break_x1.6", "event_std_x1.5"):
        assert 0.08 < stored("fragile", design=design) < 0.16
        assert coverage(design, "all", 0.95) < 0.93


def test_of_the_detections_of_a_short_run_as_many_are_called_effect_as_in_the_stored_table():
    drawn = 400
    (effect, fragile) = measure_words(BY_NAME["t4"], seed=6, n_draws=drawn)
    value = CURVE.query("design == 't4' and outcome == 'effect'")["rate"].item()
    assert abs(effect["rate"] - value) < 4 * math.sqrt(value * (1 - value) * (1 / drawn + 1 / 8000))
    assert effect["count"] + fragile["count"] > 5


def test_the_curve_bears_out_what_every_choice_shows_and_not_what_one_choice_shows():
    rng = np.random.default_rng(5)
    market = 0.01 * rng.standard_normal(741)
    firm = market + 0.015 * rng.standard_normal(741)
    firm[-1] = market[-1] + 0.09
    assert is_borne_out(firm, market, bound=0.02)
    firm[-1] = market[-1]
    assert not is_borne_out(firm, market, bound=0.02)


@pytest.mark.parametrize(
    ("design", "published"), [("t4", 0.042), ("garch_t5", 0.045), ("break_x1.6", 0.085), ("event_std_x1.5", 0.077)]
)
def test_the_word_effect_falls_as_rarely_as_the_detection_it_rests_on(design, published):
    """Nearly every chance detection is borne out: the specifications share its shock; the check is of the model alone."""
    rates = CURVE[CURVE["design"] == design].set_index("outcome")["rate"]
    assert rates["effect"] > 0.85 * rates.sum()
    assert rates.sum() == pytest.approx(stored("fragile", design=design), abs=0.015)
    assert rates["effect"] < 1.8 * published
