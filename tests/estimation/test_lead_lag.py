from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from event_impact.base.errors import EstimationError
from event_impact.estimation.models import EARLIER, LATER, build_lead_lag_design, match_sessions
from event_impact.events.calendars import load_hours


def closes(labels, hour):
    index = pd.DatetimeIndex(labels)
    return pd.Series([d.tz_localize("UTC") + pd.Timedelta(hours=hour) for d in index], index=index)


WEEK = ["2026-01-28", "2026-01-29", "2026-01-30", "2026-02-02", "2026-02-03", "2026-02-04"]


def test_sessions_are_matched_by_the_clock_not_by_the_date():
    matched = match_sessions(closes(WEEK, 8), closes(WEEK, 21))
    row = matched.table.loc["2026-02-02"]
    assert row[EARLIER] == pd.Timestamp("2026-01-30")
    assert row[LATER] == pd.Timestamp("2026-02-02")
    assert not len(matched.irregular)
    assert list(matched.table.index) == list(pd.DatetimeIndex(WEEK[1:5]))


def test_a_holiday_on_either_side_leaves_its_sessions_out():
    home = closes([d for d in WEEK if d != "2026-02-02"], 21)
    matched = match_sessions(closes(WEEK, 8), home)
    # Monday's foreign session looks ahead to Tuesday's home close, which Tuesday's session shares
    assert set(matched.irregular) == {pd.Timestamp("2026-02-02"), pd.Timestamp("2026-02-03")}
    foreign = closes([d for d in WEEK if d != "2026-02-02"], 8)
    assert set(match_sessions(foreign, closes(WEEK, 21)).irregular) == {pd.Timestamp("2026-02-03")}


def test_the_real_calendars_around_the_focal_session():
    hong_kong, new_york = load_hours("XHKG").schedule["close"], load_hours("XNYS").schedule["close"]
    matched = match_sessions(hong_kong, new_york)
    row = matched.table.loc["2026-02-02"]
    assert row[EARLIER] == pd.Timestamp("2026-01-30")
    assert row[LATER] == pd.Timestamp("2026-02-02")
    for session, pair in matched.table.loc["2025-01-01":"2026-02-28"].iterrows():
        assert new_york[pair[EARLIER]] <= hong_kong[session] < new_york[pair[LATER]]


def test_separate_coefficients_remove_the_lag_that_one_date_leaves_in():
    rng = np.random.default_rng(5)
    sessions = pd.bdate_range("1990-01-01", periods=9000)
    night, day = rng.normal(0, 0.006, 9000), rng.normal(0, 0.009, 9000)
    home = pd.Series(night + day, index=sessions)
    # the foreign session holds the home day before and the home night of its own date
    foreign = pd.Series(1.2 * (np.r_[0.0, day[:-1]] + night) + rng.normal(0, 0.01, 9000), index=sessions)
    matched = match_sessions(closes(sessions, 8), closes(sessions, 21))
    design = build_lead_lag_design(foreign, home, matched, benchmark="home", has_lead=True)
    x = design.regressors.to_numpy()
    beta = np.linalg.lstsq(x, design.response.to_numpy(), rcond=None)[0]
    share = 0.006**2 / (0.006**2 + 0.009**2)
    assert beta[1] == pytest.approx(1.2 * (1 - share), abs=0.05)
    assert beta[2] == pytest.approx(1.2 * share, abs=0.05)
    assert abs(beta[3]) < 0.05
    residual = design.response.to_numpy() - x @ beta
    after_fall = design.regressors[EARLIER].to_numpy() < -0.01
    by_date = np.polyfit(home.loc[design.response.index], design.response, 1)
    naive = design.response - np.polyval(by_date, home.loc[design.response.index])
    assert abs(residual[after_fall].mean()) < 0.001
    assert naive[after_fall].mean() < -0.008


def test_nothing_to_match_is_refused():
    matched = match_sessions(closes(WEEK, 8), closes(WEEK, 21))
    with pytest.raises(EstimationError, match="no foreign session"):
        build_lead_lag_design(
            pd.Series([0.1], index=pd.DatetimeIndex(["2020-01-01"])), pd.Series(dtype=float), matched,
            benchmark="SPY", has_lead=False,
        )  # fmt: skip
