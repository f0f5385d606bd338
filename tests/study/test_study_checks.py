"""Controls, diagnostics and activity of real stories, and peers that may explain a firm."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from event_impact.base.errors import DataError
from event_impact.estimation.abnormal import Unmeasured
from event_impact.events.confounders import load_controls
from event_impact.page.check_tables import tabulate_activity, tabulate_controls, tabulate_diagnostics
from event_impact.page.tables import tabulate_estimates, tabulate_tests, tabulate_window_tests
from event_impact.study.event_study import CAUTIONS
from event_impact.study.opened_study import find_peers
from stories import ROOT, compute


def test_controls_of_the_focal_firm_are_as_expected(focal):
    found = focal.controls
    assert len(found) == 11
    assert [c.control.ticker for c in found] == ["F"] * 10 + ["STLA"]
    assert all(c.is_as_expected(0.05) for c in found)
    table = tabulate_controls(found, 0.05)
    assert "11 of 11" in table.caption
    stla = table.numbers.set_index("ticker").loc["STLA"]
    assert stla["p_conformal"] == pytest.approx(1 / 251)
    assert stla["estimate"] == pytest.approx(-0.269, abs=0.002)


def test_a_control_is_the_same_as_the_event_it_names(focal):
    same = compute(story="ford-geely-2026", as_of="2026-02-13", windows="0:0", runup="-1:-1")
    control = next(c for c in focal.controls if str(c.control.session.date()) == "2026-02-04")
    assert same.alignment.event_session == control.control.session
    row = same.estimates[0]
    assert control.estimate == pytest.approx(row.estimate, rel=1e-12)
    assert control.tests["fhs"].p_value == row.p_value("fhs")
    assert control.tests["conformal"].p_value == row.p_value("conformal")


def test_controls_that_another_process_computed_are_an_input_all_the_same(focal):
    other = compute()
    other.ahead = {"controls": focal.controls}.get
    assert other.controls is focal.controls
    assert "data/controls.csv" in other.opened.tables.hash()


def test_controls_after_as_of_and_of_other_firms_are_not_shown(focal):
    early = compute(as_of="2026-02-02")
    assert max(c.control.session for c in early.controls) == pd.Timestamp("2026-01-29")
    other = compute(story="tsmc-intel-2025-04", as_of="2025-05-30", windows="0:0", runup="-1:-1")
    table = tabulate_controls(other.controls, 0.05)
    assert "no controls are recorded" in table.caption
    assert len(table.cells) == 0


def test_a_failed_expectation_is_told(focal):
    found = focal.controls
    assert not found[0].is_as_expected(0.001)
    assert "must reject" in tabulate_controls(found, 0.001).cells["expected"].tolist()


def test_malformed_controls_are_refused(tmp_path):
    shutil.copy(ROOT / "data" / "controls.csv", tmp_path / "controls.csv")
    assert len(load_controls(tmp_path)) == 11
    for old, new, words in (("must_reject", "should", "expected .* is none of"), ("2025-02-06", "someday", "no date")):
        text = (ROOT / "data" / "controls.csv").read_text().replace(old, new, 1)
        (tmp_path / "controls.csv").write_text(text)
        with pytest.raises(DataError, match=words):
            load_controls(tmp_path)


def test_diagnostics_date_the_sessions_that_decide_beta(focal):
    found = focal.diagnostics
    assert found.largest_leverage_session == pd.Timestamp("2025-04-09")
    assert found.diagnostics.largest_leverage == pytest.approx(focal.headline.fit.leverages.max())
    assert [str(s.date()) for s in found.doubtful_sessions] == ["2025-04-09", "2025-04-10"]
    fit, design = focal.headline.fit, focal.headline.design
    kept = fit.sessions.difference(pd.DatetimeIndex(found.doubtful_sessions))
    y, market = design.response.loc[kept], design.regressors.loc[kept, "market_beta"]
    assert found.beta_without_doubtful == pytest.approx(np.polyfit(market, y, 1)[0], rel=1e-9)
    table = tabulate_diagnostics(found)
    assert "2025-04-09, 2025-04-10" in " ".join(table.cells["how to read it"])
    assert len(table.cells) == len(table.numbers) == 14


def test_diagnostics_of_a_model_without_a_slope(focal):
    mean = compute(model="constant_mean", windows="0:0", runup="-1:-1")
    found = mean.diagnostics
    assert found.beta_without_doubtful is None
    assert "no slope" in tabulate_diagnostics(found).cells["how to read it"].iloc[-1]
    refused = tabulate_diagnostics(Unmeasured("nothing recorded"))
    assert refused.cells.iloc[0, 0] == "n/a: nothing recorded"


def test_activity_of_the_focal_story_agrees_with_a_plain_regression(focal):
    surprises = focal.activity
    table = tabulate_activity(surprises)
    assert len(table.cells) == 5
    assert [s.rel_session for s in surprises if s.kind == "log_volume"] == [-2, -1, 0, 1, 2]
    assert all(s.surprise is not None for s in surprises)
    assert not any(word in table.caption for word in ("caution", "mood", "nervous"))


def test_activity_without_highs_and_lows_has_a_reason(focal):
    other = compute(story="bny-northern-trust-2025", as_of="2025-07-31", windows="0:0", runup="-1:-1")
    surprises = other.activity
    ranges = [s for s in surprises if s.kind == "log_range"]
    assert {s.note for s in ranges} == {"no highs and lows of the firm are recorded"}
    assert all(s.surprise is not None for s in surprises if s.kind == "log_volume")


def test_peers_with_news_of_their_own_explain_nothing(focal):
    study = compute(model="market_peers")
    assert find_peers(study.opened) == ("TSLA", "TM", "HMC")
    panel = study.returns
    assert list(panel.returns["close_to_close"].columns) == ["F", "SPY", "TSLA", "TM", "HMC"]
    assert "data/snapshot/TM.csv" in panel.inputs
    lonely = compute(story="shell-bp-2025", as_of="2025-07-31", model="ridge")
    with pytest.raises(DataError, match=r"no peer of BP can be used: data/peers.csv lists none"):
        _ = lonely.returns


def test_news_of_market_and_peers_is_listed_beside_the_firms(focal):
    news = focal.news
    own = news[news["listing"] == "F"]
    assert {"SPY", "GM", "STLA"} <= set(news["listing"])
    assert "Regular $0.15 dividend declared" in own.loc[pd.Timestamp("2026-02-02"), "label"]
    others = news[news["listing"] != "F"]
    assert others.index.min() >= focal.alignment.event_session
    assert news.index.max() <= pd.Timestamp("2026-02-04")
    row = next(r for r in focal.estimates if r.return_kind == "close_to_close" and (r.first, r.last) == (0, 2))
    assert row.other_news[-1].startswith("2026-02-04, January US sales")
    assert row.as_record()["note"].startswith("holds other news: 2026-02-02")


def test_an_opening_price_before_the_report_is_no_measure_of_it():
    found = compute(story="shell-bp-2025", as_of="2025-07-09")
    assert found.alignment.open_holds_news == "no"
    companion = next(r for r in found.estimates if r.is_primary and r.return_kind == "close_to_open")
    assert companion.caution == CAUTIONS["no"]


def test_a_return_without_any_number_takes_one_row():
    found = compute(story="shell-bp-2025", as_of="2025-07-09")
    for table in (
        tabulate_estimates(found.estimates),
        tabulate_tests(found.estimates),
        tabulate_window_tests(found.estimates),
    ):
        lacking = [label for label in table.cells.index if "every window" in label]
        assert lacking == ["close to open, every window", "open to close, every window"]
        assert len(set(table.cells.index)) == len(table.cells)
    assert len(tabulate_estimates(found.estimates).numbers) == len(found.estimates)
