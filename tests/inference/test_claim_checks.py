from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.events.claims import Claim
from event_impact.inference.claim_checks import ClaimContext, check_claims, find, read_clock
from event_impact.inference.deciding_rule import invert_window
from stories import compute


def make_context(computed, **changes) -> ClaimContext:
    base = ClaimContext(
        panel=computed.returns,
        alignment=computed.alignment,
        abnormal={k: a for k, a in computed.abnormal.items() if isinstance(a, AbnormalReturns)},
    )
    return dataclasses.replace(base, **changes)


def claim(statistic: str, status: str = "computed", article: str = "FX-S0") -> Claim:
    return Claim("X-1", article, "words", "price", statistic, status, "why")


@pytest.fixture(scope="module")
def checked(focal):
    found = focal.claims
    return {c.claim.claim_id: c for c in found}


def measures(check) -> dict[str, float]:
    return {name: value for name, value, _ in check.finding.measures}


def with_return(focal, value: float):
    """The focal panel with another raw close-to-close return on the event session."""
    returns = {k: f.copy() for k, f in focal.returns.returns.items()}
    for frame in returns.values():
        frame.loc[focal.alignment.event_session, "F"] = value
    return dataclasses.replace(focal.returns, returns=returns)


def test_the_ledger_of_the_focal_story(checked):
    assert len(checked) == 114
    statuses = {key: checked[key].status for key in checked}
    assert statuses["S0-09"] == statuses["S0-10"] == statuses["S0-11"] == statuses["S0-12"] == "supported"
    assert statuses["S0-24"] == statuses["S0-25"] == statuses["S0-26"] == "not_established"
    assert statuses["S0-13"] == "impossible_in"
    zones = measures(checked["S0-13"])
    assert (zones["zones in which the stamp precedes the close"], zones["zones tried"]) == (20, 27)
    assert statuses["S0-19"] == statuses["S0-20"] == statuses["S1-04"] == "not_established"
    assert statuses["S0-22"] == statuses["S0-27"] == "untestable"
    assert measures(checked["S0-09"])["raw return"] == pytest.approx(13.81 / 13.88 - 1, rel=1e-12)
    assert "computed" not in statuses.values()


def test_recorded_judgements_agree_with_what_the_run_finds(checked):
    """Where a rule exists for a judged claim, it must not contradict the judgement."""
    for check in checked.values():
        if check.finding and check.claim.status == "supported":
            assert check.finding.decision == "supported", check.claim.claim_id


@pytest.mark.parametrize(("value", "status"), [(-0.001, "supported"), (0.001, "contradicted"), (0.0, "contradicted")])
def test_a_raw_fall_is_decided_by_its_sign(focal, value, status):
    context = make_context(focal, panel=with_return(focal, value))
    for name in ("raw_close_to_close", "raw_close_to_open", "raw_open_to_close"):
        assert check_claims((claim(name),), context)[0].status == status


def test_smallness_is_a_rank_of_the_size(focal):
    raw = focal.returns.returns["close_to_close"]["F"]
    sizes = raw.reindex(focal.headline.fit.sessions).abs()
    small = check_claims((claim("abs_return_percentile"),), make_context(focal))[0]
    share = sum(s <= abs(raw[focal.alignment.event_session]) for s in sizes) / len(sizes)
    assert measures(small)["sessions with a move no larger"] == pytest.approx(share)
    large = check_claims((claim("abs_return_percentile"),), make_context(focal, panel=with_return(focal, -0.08)))[0]
    assert (small.status, large.status) == ("supported", "contradicted")


@pytest.mark.parametrize(
    ("shift", "status"), [(-0.08, "supported"), (0.10, "contradicted"), (0.0, "not_established"), (-0.05, "supported")]
)
def test_an_abnormal_sign_needs_an_interval_without_zero(focal, shift, status):
    headline = focal.headline
    table = headline.table.copy()
    table.loc[0, "ar"] += shift
    response = headline.design.response.copy()
    response.loc[focal.alignment.event_session] += shift
    moved = dataclasses.replace(headline, table=table, design=dataclasses.replace(headline.design, response=response))
    low, high = (float(ends[0]) for ends in invert_window(moved, 0, 0).interval(0.05))
    expected = "supported" if high < 0 else "contradicted" if low > 0 else "not_established"
    assert expected == status
    context = make_context(focal, abnormal={"close_to_close": moved})
    assert check_claims((claim("ar_close_to_close"),), context)[0].status == status


def test_one_fact_has_one_status_wherever_it_occurs(checked):
    for fact in (("S0-49", "S1-14", "S1-34", "S1-48"), ("S0-50", "S1-15", "S1-35"), ("S0-36", "S1-25", "S1-29")):
        assert {checked[key].status for key in fact} == {"documentary"}


def test_the_clock_is_read_in_every_zone(focal):
    article = next(e.article for e in focal.alignment.articles if e.article.article_id == "FX-S0")
    readings = {r.utc_offset: r for r in read_clock(article, focal.alignment)}
    assert list(readings) == list(range(14, -13, -1))
    assert readings[8].instant == pd.Timestamp("2026-02-02T07:40Z")
    assert all(readings[o].is_before_close for o in range(-5, 15))
    assert not any(readings[o].is_before_close for o in range(-12, -5))
    assert [o for o in readings if readings[o].is_before_open] == list(range(14, 1, -1))
    assert readings[-5].phase == "in_session"


def test_a_stamp_after_the_close_can_describe_the_session(focal):
    def decide(stamp):
        moved = [
            dataclasses.replace(e, article=dataclasses.replace(e.article, time_as_printed=stamp))
            if e.article.article_id == "FX-S0"
            else e
            for e in focal.alignment.articles
        ]
        alignment = dataclasses.replace(focal.alignment, articles=tuple(moved))
        return check_claims((claim("article_before_close"),), make_context(focal, alignment=alignment))[0].status

    assert decide("2026/02/02 15:40") == "impossible_in"
    assert decide("2026/02/01 06:00") == "impossible"
    assert decide("2026/02/03 12:00") == "supported"
    assert decide("no stamp") == "not_established"


def test_order_needs_every_denial_after_the_last_instant_of_the_report(focal):
    found = find(claim("order_report_denial"), make_context(focal))
    assert {n: v for n, v, _ in found.measures} == {"denials": 2.0, "surely after the report": 1.0}
    later = compute(story="statestreet-creditsuisse-2022", as_of="2022-06-15")
    assert find(claim("order_report_denial"), make_context(later)).decision == "supported"


def test_how_fast_is_shown_and_never_judged(focal):
    found = find(claim("denial_delay"), make_context(focal))
    values = {n: v for n, v, _ in found.measures}
    assert values["last denial after at most"] == pytest.approx(24 + 11 + 43 / 60)
    assert values["first denial after at least"] == 0.0
    assert found.decision == "not_established"


def test_a_closed_window_is_one_stretch_without_trading(focal):
    assert find(claim("weekend_window"), make_context(focal)).decision == "supported"
    moved = [
        dataclasses.replace(
            e, article=dataclasses.replace(e.article, published_latest=pd.Timestamp("2026-02-02T15:00Z"))
        )
        if e.article.article_id == "FX-D2"
        else e
        for e in focal.alignment.articles
    ]
    alignment = dataclasses.replace(focal.alignment, articles=tuple(moved))
    assert find(claim("weekend_window"), make_context(focal, alignment=alignment)).decision == "not_established"


def test_articles_that_were_not_yet_public_are_left_out():
    early = compute(as_of="2026-02-02", windows="0:0")
    found = early.claims
    assert {c.claim.article_id for c in found} == {"FX-S1"}


def test_what_cannot_be_measured_says_why(focal):
    context = make_context(focal, abnormal={"close_to_close": focal.headline})
    check = check_claims((claim("ar_close_to_open"),), context)[0]
    assert check.status == "not_established"
    assert check.finding.why == "n/a: close to open returns cannot be measured."
