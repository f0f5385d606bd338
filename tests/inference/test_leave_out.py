from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from event_impact.inference.robustness import leave_out_days


def test_each_day_agrees_with_a_regression_without_it(focal):
    days = focal.left_out_days
    design = focal.headline.design
    fit = focal.headline.fit
    event = focal.alignment.event_session
    assert {d.session for d in days} <= set(fit.sessions)
    assert len(days) == sum(s in set(fit.sessions) for s in focal.opened.confounders.table.index.unique())
    for day in days[::5]:
        kept = [s for s in fit.sessions if s != day.session]
        x = design.regressors.loc[[*kept, event]].assign(dummy=[0.0] * len(kept) + [1.0])
        result = sm.OLS(design.response.loc[[*kept, event]].to_numpy(), x.to_numpy()).fit()
        assert day.estimate == pytest.approx(result.params[-1], rel=1e-9)
        assert day.t == pytest.approx(result.tvalues[-1], rel=1e-9)
        assert day.change == pytest.approx(result.params[-1] - focal.headline.table.loc[0, "ar"], abs=1e-12)


def test_days_outside_the_window_are_passed_over(focal):
    labels = pd.Series(["x"], index=pd.DatetimeIndex([focal.alignment.event_session]))
    arguments = {"estimation_length": 250, "gap": 10, "left_out": pd.DatetimeIndex([])}
    assert leave_out_days(focal.headline.design, focal.alignment.event_session, labels, **arguments) == ()


def test_peers_leave_one_by_one(focal):
    rows = focal.left_out_peers
    assert rows[0].choice.model == "with GM, STLA, TSLA, TM, HMC"
    assert [r.choice.model for r in rows[1:]] == [f"without {p}" for p in ("GM", "STLA", "TSLA", "TM", "HMC")]
    assert all(r.is_computed for r in rows)
    assert len({round(r.estimate, 8) for r in rows}) == 6
    assert np.isfinite([r.p_fhs for r in rows]).all()
