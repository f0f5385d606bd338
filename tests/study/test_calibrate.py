"""``impact calibrate`` for a firm with a short history: tables, page and refusals."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from event_impact.base.errors import ConfigError, DataError
from event_impact.base.root import StudyRoot
from event_impact.cli.main import main
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.calibration import FirmHistory, history_window_rates, rank_every_test
from event_impact.inference.simulation import PROCESSES
from event_impact.page.calibration_page import list_exhibits, render_calibration
from event_impact.study.calibrate import calibrate_firm, find_subject
from stories import ROOT


@pytest.fixture(scope="module")
def found():
    few = tuple(p for p in PROCESSES if p.name in ("iid_t4", "garch_t4"))
    return calibrate_firm(StudyRoot(ROOT), "GM", n_draws=100, seed=7, processes=few)


def test_the_subject_is_cut_before_its_open_story():
    root = StudyRoot(ROOT)
    ford = find_subject(root, "F")
    assert (ford.story, ford.before, ford.benchmark) == ("ford-xiaomi", pd.Timestamp("2026-02-02"), "SPY")
    assert find_subject(root, "HMC").before is None
    with pytest.raises(ConfigError, match="in no story and no figure file"):
        find_subject(root, "NOPE")


def test_own_sessions_are_those_with_complete_windows(found):
    prices = pd.read_csv(ROOT / "data" / "snapshot" / "GM.csv")
    assert len(found.sessions) == len(prices) - 1 - 260
    rates = found.sizes.query("test == 'p_t' and level == 0.05 and group == 'all'").iloc[0]
    assert rates["n_sessions"] == len(found.sessions)
    moved = found.power.query("test == 'p_t' and group == 'all'").set_index("effect")["rate"]
    assert moved[-0.03] > moved[-0.02] > rates["rate"]


def test_window_rates_are_counted(found):
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(300), rng.normal(0, 0.01, 300)])
    y = x[:, 1] + rng.normal(0, 0.01, 300)
    sessions = np.arange(110, 300)
    table = history_window_rates(FirmHistory(y, x, sessions, 100, 10), [(0, 2)], levels=(0.05,))
    held = sessions[sessions + 2 < 300]
    p = rank_every_test(fit_rolling(y, x, events=held, estimation_length=100, gap=10, last=2))
    row = table[table["test"] == "p_block_conformal"].iloc[0]
    assert row["n_sessions"] == len(held) == 188
    assert row["rate"] == pytest.approx((p["p_block_conformal"] <= 0.05).mean())
    assert set(table["test"]) == {"p_t", "p_block_conformal", "p_fhs", "p_star"}


def test_page_passes_its_gates_and_shows_the_numbers_of_its_tables(found):
    page = render_calibration(found)
    rate = found.sizes.query("test == 'p_fhs' and level == 0.05 and group == 'all'").iloc[0]["rate"]
    assert f"{100 * rate:.1f}\u00a0% (" in page
    assert page.count("<table") == len(list_exhibits(found)) == 9
    assert ">nan" not in page.lower()
    assert "most stressed tenth" in page
    assert render_calibration(found) == page


def test_command_writes_the_page_and_its_tables(tmp_path, monkeypatch, found):
    asked = {}

    def recorded(root, ticker, **options):
        asked.update(options, ticker=ticker)
        return found

    monkeypatch.setattr("event_impact.study.calibrate.calibrate_firm", recorded)
    run = ["--root", str(ROOT), "--quiet", "--json", "calibrate", "--ticker", "HMC", "--draws", "200"]
    result = CliRunner().invoke(main, [*run, "--reports", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert (asked["ticker"], asked["n_draws"], asked["source"]) == ("HMC", 200, "snapshot")
    assert record["page"] == str(tmp_path / "calibration_HMC.html")
    assert (tmp_path / "calibration_HMC.html").read_text().startswith("<!doctype html>")
    table = pd.read_csv(tmp_path / "calibration_HMC" / "own_history_050.csv")
    assert {"test", "group", "rate", "lower", "upper", "effective_sessions"} <= set(table.columns)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--ticker", "NOPE"], 2, "in no story"),
        (["--ticker", "f or g"], 2, "expected a ticker"),
        (["--ticker", ""], 2, "expected a ticker"),
    ],
)
def test_requests_that_are_refused(tmp_path, options, code, words):
    result = CliRunner().invoke(main, ["--root", str(ROOT), "calibrate", *options, "--reports", str(tmp_path / "r")])
    assert result.exit_code == code
    assert words in result.stderr
    assert not (tmp_path / "r").exists()


def test_too_short_a_history_is_refused():
    with pytest.raises(DataError, match="sessions with complete windows"):
        calibrate_firm(StudyRoot(ROOT), "NIO", n_draws=200, seed=1)
