from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from event_impact.base.config import MODELS
from event_impact.estimation.models import Design
from event_impact.estimation.rolling import fit_windows
from event_impact.inference.candidate_set import Judgement, RowTests, judge_row
from event_impact.inference.deciding_rule import invert_rule
from event_impact.inference.robustness import (
    Asked,
    Candidate,
    Choice,
    confirm_curve,
    curve_frame,
    estimate_curve,
    locate_estimation,
    placebo_t_values,
)
from event_impact.inference.windows import HEADLINE_KIND
from event_impact.study.event_study import own_news
from event_impact.study.specifications import confirm_detections, list_candidates, trace_curve
from event_impact.study.study import Study
from stories import compute

RULE = {"min_sign_share": 0.8, "max_p": 0.10}
NONE = pd.DatetimeIndex([])


@pytest.fixture(scope="module")
def curve(focal):
    return focal.curve


@pytest.fixture(scope="module")
def candidates(focal):
    return list_candidates(focal.opened, focal.returns, HEADLINE_KIND)[0]


def test_no_estimate_is_counted_twice(curve):
    """State Street has no listed news day in its estimation windows: leaving them out is no choice there."""
    found = compute(story="statestreet-creditsuisse-2022", as_of="2022-06-23")
    other = found.curve
    for held in (curve, other):
        # a riskless rate that stands still makes the CAPM the market model on the factor
        seen = [(e.estimate, e.standard_error) for e in held.computed if not e.choice.model.startswith("CAPM")]
        assert len(set(seen)) == len(seen)
    assert {e.choice.mask for e in other.estimates} == {"none"}
    assert {e.choice.mask for e in curve.estimates} == {"none", "listed"}
    row = found.estimates[0]
    assert (row.outcome, row.is_curve_tested) == ("fragile", False)
    verdict = found.verdict
    assert "too few earlier prices exist to test how well it holds" in verdict.finding


@pytest.mark.parametrize("model", MODELS)
def test_the_declared_model_is_one_of_the_curve(model):
    """Peers, ridge and synthetic control need the firms beside it here as well."""
    study = compute(model=model)
    held, headline = list_candidates(study.opened, study.returns, HEADLINE_KIND)
    (declared,) = (c for c in held if c.choice == headline)
    assert (declared.reason, declared.design is None) == ("", False)


def test_the_headline_of_the_curve_is_the_headline_of_the_study(focal, curve):
    row = next(r for r in focal.estimates if r.is_primary and r.return_kind == HEADLINE_KIND)
    own = curve.headline
    assert own.choice == Choice("market model on SPY", "simple", "none", 250, 10)
    for name in ("estimate", "standard_error"):
        assert getattr(own, name) == pytest.approx(getattr(row, name), rel=1e-10)
    assert own.p_conformal == row.p_value("conformal")
    assert own.p_fhs == row.p_value("fhs")
    assert own.ci95 == pytest.approx(row.ci95, rel=1e-10)
    assert own.outcome == row.outcome == "no_detectable_effect"
    assert sum(e.is_headline for e in curve.estimates) == 1


def test_every_choice_stands_on_the_curve_once(curve):
    frame = curve_frame(curve)
    assert not frame.duplicated(["model", "returns", "mask", "estimation_sessions", "gap_sessions"]).any()
    assert len(frame) == 204
    assert set(frame["estimation_sessions"]) == {120, 250, 500}
    assert set(frame["gap_sessions"]) == {10, 20}
    assert set(frame["mask"]) == {"none", "listed"}
    lacking = frame[frame["estimate"].isna()]
    assert len(lacking) == 16
    assert lacking["note"].str.contains("of 500 estimation sessions are usable").all()
    assert (lacking["outcome"] == "insufficient_data").all()


def ols_t(design: Design, chosen: Choice, masked, event: int) -> float:
    """t by statsmodels with a dummy for the event, sessions picked by a loop."""
    sessions = design.response.index
    picked = [
        i
        for i in range(event - chosen.gap_sessions - chosen.estimation_sessions, event - chosen.gap_sessions)
        if sessions[i] not in set(masked)
    ] + [event]
    x = design.regressors.iloc[picked].to_numpy()
    dummy = np.zeros(len(picked))
    dummy[-1] = 1.0
    return float(sm.OLS(design.response.iloc[picked].to_numpy(), np.column_stack([x, dummy])).fit().tvalues[-1])


@pytest.mark.parametrize(
    "choice",
    [
        Choice("Fama-French five factors and momentum", "simple", "listed", 120, 20),
        Choice("market-adjusted, demeaned on the US market factor", "log", "none", 500, 10),
        Choice("market model on SPY with TM and HMC", "log", "none", 250, 20),
    ],
)
def test_estimates_agree_with_a_dummy_regression(focal, curve, candidates, choice):
    found = next(e for e in curve.estimates if e.choice == choice)
    candidate = next(c for c in candidates if c.choice == choice)
    design = candidate.design
    event = design.response.index.get_loc(focal.alignment.event_session)
    if "TM" not in choice.model:
        assert found.t == pytest.approx(ols_t(design, choice, candidate.masked, event), rel=1e-8)
    returns = focal.returns.returns[HEADLINE_KIND]["F"].iloc[event]
    assert (np.log1p(returns) if choice.returns == "log" else returns) == pytest.approx(
        design.response.iloc[event] + design.offset.iloc[event], abs=2e-4
    )


def loop_t(candidate: Candidate, event: int) -> float:
    """t from the textbook formula on sessions picked one by one."""
    design, chosen = candidate.design, candidate.choice
    first = event - chosen.gap_sessions - chosen.estimation_sessions
    masked = set(candidate.masked)
    picked = [i for i in range(first, event - chosen.gap_sessions) if design.response.index[i] not in masked]
    x, y = design.regressors.to_numpy()[picked], design.response.to_numpy()[picked]
    inverse = np.linalg.inv(x.T @ x)
    b = inverse @ x.T @ y
    variance = np.sum((y - x @ b) ** 2) / (len(picked) - x.shape[1])
    row = design.regressors.to_numpy()[event]
    return float((design.response.iloc[event] - row @ b) / np.sqrt(variance * (1 + row @ inverse @ row)))


def test_joint_tests_agree_with_a_brute_force_loop_over_sessions_and_specifications(focal, candidates):
    """Three specifications, every eligible session by its own regression, every count by its own comparison."""
    wanted = [
        Choice("market model on SPY", "simple", "none", 120, 10),
        Choice("CAPM on excess returns", "simple", "listed", 120, 20),
        Choice("Fama-French five factors", "simple", "none", 250, 10),
    ]
    chosen = [next(c for c in candidates if c.choice == w) for w in wanted]
    event = focal.alignment.event_session
    news = own_news(focal.opened, focal.alignment)
    curve = estimate_curve(chosen, Asked(event, wanted[0], 0.05, 0.02), news=news)
    sessions = chosen[0].design.response.index
    near = [sessions.get_loc(s) for s in news if s in sessions]
    at = sessions.get_loc(event)
    eligible = [i for i in range(260, at - 20) if all(abs(i - n) > 10 for n in near)]
    assert curve.n_placebo == len(eligible) > 800
    own = [loop_t(c, at) for c in chosen]
    t = [[loop_t(c, i) for c in chosen] for i in eligible]
    rms = [(sum(row[k] ** 2 for row in t) / len(t)) ** 0.5 for k in range(3)]
    largest = max(abs(own[k]) / rms[k] for k in range(3))
    reached = sum(max(abs(row[k]) / rms[k] for k in range(3)) >= largest for row in t)
    assert curve.tests.max_t.p_value == (1 + reached) / (len(t) + 1)
    assert curve.tests.max_t.statistic == pytest.approx(largest, rel=1e-9)
    mean = sum(abs(sum(row)) >= abs(sum(own)) for row in t)
    assert curve.tests.mean.p_value == (1 + mean) / (len(t) + 1)
    median = sum(abs(sorted(row)[1]) >= abs(sorted(own)[1]) for row in t)
    assert curve.tests.median.p_value == (1 + median) / (len(t) + 1)


def test_confirmation_follows_the_rule(curve):
    found = confirm_curve(curve, **RULE)
    assert not found.is_confirmed
    assert curve.same_sign_share == 1.0
    assert curve.tests.max_t.p_value > 0.10
    assert found.is_tested
    assert confirm_curve(curve, min_sign_share=0.8, max_p=0.2).is_confirmed
    assert not confirm_curve(curve, min_sign_share=1.01, max_p=0.2).is_confirmed
    untested = dataclasses.replace(curve, tests=None, reason="12 eligible placebo sessions, 200 needed")
    assert not confirm_curve(untested, min_sign_share=0.8, max_p=1.0).is_confirmed
    assert "12 eligible" in confirm_curve(untested, **RULE).reason


def test_flips_and_single_flips_name_the_choice(curve):
    assert curve.flips == ()
    changed = [
        dataclasses.replace(e, outcome="detected") if e.choice.model.startswith("Fama-French three") else e
        for e in curve.estimates
    ]
    flipped = dataclasses.replace(curve, estimates=tuple(changed))
    assert len(flipped.flips) == 12
    assert [(name, e.choice.model) for name, e in flipped.single_flips] == [("model", "Fama-French three factors")]


def test_every_specification_is_judged_by_the_rule_of_the_headline(focal, candidates, curve):
    """Each with its own thresholds: intervals, p-values and outcome of one specification after the other."""
    for candidate, found in list(zip(candidates, curve.estimates, strict=True))[::17]:
        if not found.is_computed:
            continue
        design, choice = candidate.design, candidate.choice
        estimation, event = locate_estimation(
            design,
            focal.alignment.event_session,
            estimation_length=choice.estimation_sessions,
            gap=choice.gap_sessions,
            left_out=candidate.masked,
        )
        fits = fit_windows(
            design.response.to_numpy(),
            design.regressors.to_numpy(),
            estimation=estimation,
            window=np.array([event]),
            between=np.arange(estimation[-1] + 1, event)[design.is_usable[estimation[-1] + 1 : event]],
        )
        rule = invert_rule(fits)
        assert (found.p_conformal, found.p_fhs) == (rule.p_conformal[0], rule.p_fhs[0])
        assert found.ci90 == pytest.approx(np.ravel(rule.interval(0.10)), abs=1e-6)
        assert found.ci95 == pytest.approx(np.ravel(rule.interval(0.05)), abs=1e-6)
        tests = RowTests(found.p_conformal, found.p_fhs, found.p_t, rule.p_star[0])
        assert found.outcome == judge_row(tests, [found.ci90], level=0.05, bound=0.02).outcome


def test_a_set_of_candidates_selects_its_session_at_every_placebo_date_as_at_the_event(focal, candidates):
    """Two specifications on two sessions, every eligible date by its own regression and its own choice of session."""
    wanted = [
        Choice("market model on SPY", "simple", "none", 120, 10),
        Choice("Fama-French five factors", "simple", "none", 120, 10),
    ]
    chosen = [next(c for c in candidates if c.choice == w) for w in wanted]
    event, news = focal.alignment.event_session, own_news(focal.opened, focal.alignment)
    found = estimate_curve(chosen, Asked(event, wanted[0], 0.05, 0.02, (0, 1)), news=news)
    sessions = chosen[0].design.response.index
    near, at = [sessions.get_loc(s) for s in news if s in sessions], sessions.get_loc(event)
    eligible = [i for i in range(130, at - 11) if all(abs(i - n) > 10 for n in near)][::-1][:300]

    def t_of(candidate, date):
        own = (dataclasses.replace(candidate.choice, gap_sessions=10 + j) for j in (0, 1))
        return [loop_t(dataclasses.replace(candidate, choice=choice), date + j) for j, choice in enumerate(own)]

    placebo = placebo_t_values(chosen, np.array(eligible), rel_sessions=(0, 1), lead=0)
    for row, date in list(zip(placebo, eligible, strict=True))[::10]:
        lead, other = t_of(chosen[0], date), t_of(chosen[1], date)
        taken = int(abs(lead[1]) > abs(lead[0]))
        assert row.tolist() == pytest.approx([lead[taken], other[taken]], rel=1e-7)
    assert found.n_placebo > 200
    assert all(e.is_computed for e in found.estimates)


def simulated(rng, effect: float, n: int = 500):
    """Candidates of one simulated firm: two models, two lengths."""
    sessions = pd.bdate_range("2015-01-01", periods=n)
    market = rng.normal(0, 0.01, n)
    firm = pd.Series(1.2 * market + rng.standard_t(4, n) * 0.0106, index=sessions)
    firm.iloc[-5] += effect
    zero = pd.Series(0.0, index=sessions)
    ones = pd.DataFrame({"intercept": 1.0}, index=sessions)
    designs = {
        "market": Design("market", HEADLINE_KIND, "M", zero, firm, ones.assign(m=market), zero),
        "adjusted": Design("market_adjusted_demeaned", HEADLINE_KIND, "M", zero, firm - market, ones, zero),
    }
    return sessions[-5], [
        Candidate(Choice(name, "simple", "none", length, 10), design, NONE)
        for name, design in designs.items()
        for length in (60, 120)
    ]


def run_simulated(rng, effect=0.0):
    event, candidates = simulated(rng, effect)
    return estimate_curve(candidates, Asked(event, candidates[1].choice, 0.05, 0.02), news=NONE)


def test_size_of_max_t_on_simulated_firms_and_power_against_a_large_move():
    """80 firms without an event: maxT rejects about as often as it says (standard error 2.4 and 3.4 points)."""
    rng = np.random.default_rng(7)
    p = np.array([run_simulated(rng).tests.max_t.p_value for _ in range(80)])
    assert abs((p <= 0.05).mean() - 0.05) < 0.073
    assert abs((p <= 0.10).mean() - 0.10) < 0.10
    large = run_simulated(np.random.default_rng(1), effect=-0.12)
    assert large.tests.max_t.p_value < 0.01
    assert large.headline.outcome == "detected"
    assert confirm_curve(large, **RULE).is_confirmed


def test_too_few_placebo_sessions_give_a_count_and_no_p(curve):
    event, candidates = simulated(np.random.default_rng(3), 0.0, n=300)
    found = estimate_curve(candidates, Asked(event, candidates[0].choice, 0.05, 0.02), news=NONE, minimum=400)
    assert found.tests is None
    assert found.n_placebo == 0
    most = max(e.n_placebo for e in found.estimates)
    assert found.reason == f"eligible placebo sessions: at most {most} for any specification, 400 needed"
    assert all(e.p_adjusted is None for e in found.estimates)
    assert found.headline.is_computed


def test_detections_are_confirmed_or_say_why_not(focal):
    row = next(r for r in focal.estimates if r.is_primary and r.return_kind == HEADLINE_KIND)
    other = next(r for r in focal.estimates if not r.is_primary)
    rows = [dataclasses.replace(r, judgement=Judgement("fragile")) for r in (row, other)] + [row]
    found = confirm_detections(rows, focal.trace_curve)
    assert found[0].outcome == "fragile"
    assert "100 % of 188 specifications, placebo maxT p = 0.15" in found[0].note
    assert "declared rows of the event session only" in found[1].note
    assert found[2] is row


def test_a_move_that_all_specifications_see_is_an_effect(focal):
    moved = Study.take(focal)
    moved.returns = dataclasses.replace(
        focal.returns,
        returns={
            HEADLINE_KIND: focal.returns.returns[HEADLINE_KIND].assign(
                F=lambda f: f["F"].where(f.index != focal.alignment.event_session, f["F"] - 0.10)
            )
        },
    )
    row = next(r for r in focal.estimates if r.is_primary and r.return_kind == HEADLINE_KIND)
    fragile = dataclasses.replace(row, judgement=Judgement("fragile"))
    found = confirm_detections([fragile], partial(trace_curve, moved))
    assert found[0].outcome == "effect"
    assert "maxT p = 0.0032" in found[0].note
