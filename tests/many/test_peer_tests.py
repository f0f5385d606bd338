from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from event_impact.estimation.abnormal import measure_abnormal_returns
from event_impact.estimation.models import build_design
from event_impact.many.peer_tests import (
    assess_group,
    correlate_residuals,
    describe_comparison,
    rank_in_space,
    scaled_gap,
)
from scipy import stats
from stories import compute


@pytest.fixture(scope="module")
def found(focal):
    return focal.spillover


def test_each_peer_with_its_own_news(found):
    peers = {p.ticker: p for p in found.peers}
    assert list(peers) == ["GM", "STLA", "TSLA", "TM", "HMC"]
    assert "Project Vault" in peers["GM"].own_news
    assert "Project Vault" in peers["STLA"].own_news
    assert [p.ticker for p in found.clean] == ["TSLA", "TM", "HMC"]
    assert [f.ticker for f in found.foreign] == ["1810.HK"]
    assert "January deliveries" in found.foreign[0].own_news
    assert not found.foreign[0].is_clean


def test_news_that_was_not_known_at_as_of_does_not_unmake_a_donor(focal, found):
    news = focal.opened.confounders
    assert news.ticker == "F"
    early = compute(story="ford-byd-2026", as_of="2026-01-15")
    peers = early.spillover
    assert {p.ticker for p in peers.clean} == {"GM", "STLA", "TSLA", "TM", "HMC"}


def market_model(returns: pd.Series, market: pd.Series, event: pd.Timestamp):
    """Estimate, forecast standard error and residuals by plain algebra."""
    sessions = returns.index
    at = sessions.get_loc(event)
    window = sessions[at - 260 : at - 10]
    pair = pd.DataFrame({"y": returns, "x": market}).loc[window].dropna()
    b = np.cov(pair["x"], pair["y"])[0, 1] / pair["x"].var()
    a = pair["y"].mean() - b * pair["x"].mean()
    e = pair["y"] - a - b * pair["x"]
    s = np.sqrt(np.sum(e**2) / (len(e) - 2))
    h = 1 / len(e) + (market[event] - pair["x"].mean()) ** 2 / np.sum((pair["x"] - pair["x"].mean()) ** 2)
    return returns[event] - a - b * market[event], s * np.sqrt(1 + h), e


def closes(ticker):
    frame = pd.read_csv(f"data/snapshot/{ticker}.csv", index_col="date", parse_dates=True)
    returns = (frame["close"] + frame["dividend"].fillna(0)) / frame["close"].shift() - 1
    faults = {"TM": "2025-09-30", "HMC": "2025-09-29"}
    if ticker in faults:
        returns[faults[ticker]] = np.nan
    return returns.iloc[1:]


@pytest.fixture(scope="module")
def by_hand(focal, monkeypatch_module):
    market = closes("SPY")
    event = focal.alignment.event_session
    return {
        t: market_model(closes(t), market.reindex(closes(t).index), event) for t in ("GM", "STLA", "TSLA", "TM", "HMC")
    }


@pytest.fixture(scope="module")
def monkeypatch_module(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root.path)
        yield patch


def test_estimates_and_the_group_tests_by_hand(found, by_hand):
    for peer in found.peers:
        estimate, error, _ = by_hand[peer.ticker]
        assert peer.estimate == pytest.approx(estimate, rel=1e-9)
        assert peer.standard_error == pytest.approx(error, rel=1e-9)
    group = found.groups[0]
    names = [p.ticker for p in found.peers]
    rho = [
        by_hand[a][2].corr(by_hand[b][2]) for i, a in enumerate(names) for b in names[i + 1 :]
    ]  # pairs of different firms only
    assert len(rho) == 10
    assert group.mean_correlation == pytest.approx(np.mean(rho), rel=1e-9)
    scar = np.array([by_hand[n][0] / by_hand[n][1] for n in names])
    bmp = np.sqrt(5) * scar.mean() / scar.std(ddof=1)
    factor = np.sqrt((1 - np.mean(rho)) / (1 + 4 * np.mean(rho)))
    tests = {t.name: t for t in group.tests}
    assert tests["kp_bmp"].statistic == pytest.approx(bmp * factor, rel=1e-8)
    assert tests["kp_bmp"].p_value == pytest.approx(2 * stats.t.sf(abs(bmp * factor), 4), rel=1e-8)
    assert tests["portfolio_t"].statistic == pytest.approx(
        group.portfolio / (abs(group.portfolio) / abs(tests["portfolio_t"].statistic)), rel=1e-9
    )
    assert group.portfolio == pytest.approx(np.mean([by_hand[n][0] for n in names]), abs=2e-4)


def test_the_portfolio_is_one_series(focal, found, by_hand, monkeypatch_module):
    names = ["TSLA", "TM", "HMC"]
    average = pd.concat([closes(n) for n in names], axis=1).mean(axis=1, skipna=False)
    estimate, error, residuals = market_model(
        average, closes("SPY").reindex(average.index), focal.alignment.event_session
    )
    group = found.groups[1]
    tests = {t.name: t for t in group.tests}
    assert group.members == tuple(names)
    assert group.portfolio == pytest.approx(estimate, rel=1e-9)
    assert tests["portfolio_t"].statistic == pytest.approx(estimate / error, rel=1e-9)
    below, above = 1 + (residuals <= estimate).sum(), 1 + (residuals >= estimate).sum()
    assert tests["portfolio_sample_quantile"].p_value == pytest.approx(2 * min(below, above) / (len(residuals) + 1))


def test_the_diagonal_never_enters_the_mean_correlation(found):
    two = [p.abnormal for p in found.peers[:2]]
    same = [two[0], two[0]]
    assert correlate_residuals(same) == pytest.approx(1.0)
    value = correlate_residuals(two)
    full = np.corrcoef(two[0].fit.residuals, two[1].fit.residuals)
    assert value == pytest.approx(full[0, 1], rel=1e-9)
    assert value < 0.9 < full.mean() + 0.5


def test_in_space_rank_counts_the_firm_and_states_its_floor(found):
    donors = list(found.clean)
    ratios = [scaled_gap(d.abnormal) for d in donors]
    own = scaled_gap(found.firm)
    assert found.in_space.p_value == (1 + sum(r >= own for r in ratios)) / 4
    assert "smallest p it can reach is 0.25" in found.in_space.note
    assert "never below 5 %" in found.in_space.note
    assert rank_in_space(found.firm, []).p_value is None
    many = [donors[0]] * 19
    assert "enough for 5 %" in rank_in_space(found.firm, many).note


def test_one_or_no_peer_gives_reasons_not_numbers(found):
    alone = assess_group("alone", list(found.peers[:1]), None)
    assert alone.portfolio is None
    assert {t.note for t in alone.tests} == {"needs at least 2 peers with figures, found 1"}


def test_adjusted_estimates_share_the_sessions_and_name_their_donors(found):
    rows = {a.label: a for a in found.adjusted}
    assert rows["market model alone"].estimate == pytest.approx(found.firm.table.loc[0, "ar"], rel=1e-9)
    assert rows["market model alone"].weight_sum == 0.0
    assert rows["clean donors: synthetic control"].weight_sum == pytest.approx(1.0)
    assert len(rows) == 9
    for label, row in rows.items():
        assert 0 < row.p_conformal <= 1
        assert 0 < row.p_fhs <= 1
        assert row.donors or label == "market model alone"
    assert rows["all peers: market model with each of them"].residual_std < rows["market model alone"].residual_std


def compare(firm, donors):
    """The ridge comparison of a firm on its last session, ten sessions after the estimation window."""
    days = pd.bdate_range("2024-01-01", periods=len(firm))
    names = [f"P{i}" for i in range(donors.shape[1])]
    frame = pd.DataFrame(donors, days, names).assign(F=firm, M=np.random.default_rng(1).normal(0, 0.01, len(firm)))
    design = build_design("ridge", frame, ticker="F", benchmark="M", return_kind="close_to_close", peers=tuple(names))
    lengths = {"estimation_sessions": len(firm) - 11, "gap_sessions": 10}
    return describe_comparison("r", tuple(names), measure_abnormal_returns(design, days[-1], **lengths, path=(0, 0)))


def test_a_spillover_is_deducted_by_the_sum_of_weights(found):
    """Add a common jump to the donors' event day: the peer-adjusted estimate falls by the weights times it."""
    rng = np.random.default_rng(4)
    donors = rng.normal(0, 0.01, (121, 3))
    firm = donors @ [0.3, 0.3, 0.2] + rng.normal(0, 0.01, 121)
    before = compare(firm, donors)
    moved = donors.copy()
    moved[-1] += 0.03
    after = compare(firm, moved)
    assert before.estimate - after.estimate == pytest.approx(0.03 * before.weight_sum, rel=1e-9)
    assert after.weight_sum == before.weight_sum
    assert before.note.startswith("penalty ")


def test_penalised_conformal_p_counts_refitted_residuals():
    rng = np.random.default_rng(6)
    donors = rng.normal(0, 0.01, (110, 2))
    firm = donors @ [0.5, 0.5] + rng.normal(0, 0.01, 110)
    firm[-1] += 0.2
    found = compare(firm, donors)
    assert found.p_conformal == pytest.approx(1 / 100)
    assert found.p_fhs == pytest.approx(1 / 100)


def test_a_story_before_the_peers_figures_degrades_with_reasons():
    early = compute(story="ford-ev-spinoff-2022", as_of="2022-03-01")
    found = early.spillover
    assert not any(p.is_measured for p in found.peers)
    assert all("The figures of" in p.note for p in found.peers)
    assert "2024-07-01" in found.peers[0].note
    assert found.foreign == ()  # Xiaomi has no part in that story
    assert found.in_space.p_value is None
    assert [a.note for a in found.adjusted[1:]] == ["no clean donor has figures"]


def test_the_foreign_session_is_the_one_that_follows_the_news(found):
    foreign = found.foreign[0]
    assert foreign.session == pd.Timestamp("2026-02-02")
    used = foreign.abnormal.design.regressors.loc["2026-02-02"]
    spy = found.firm.design.regressors["market_beta"]
    assert used["home_session_before"] == pytest.approx(spy["2026-01-30"])
    assert used["home_session_after"] == pytest.approx(spy["2026-02-02"])
    assert foreign.n_irregular > 10
    assert abs(foreign.lead_t) < 3


def test_peer_estimate_without_a_return_is_a_reason(found):
    gone = dataclasses.replace(found.peers[0], estimate=None)
    assert not gone.is_measured
    assert not gone.is_clean
