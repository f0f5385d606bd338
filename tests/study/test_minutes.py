"""The minute study of the embedded stories, and of one's own bars where they are damaged around the event."""

from __future__ import annotations

import pandas as pd
import pytest
from event_impact import Study
from event_impact.base.errors import ConfigError, DataError
from minute_bars import make_raw
from stories import ROOT

TESLA = {"story": "tesla-model2-2024", "as_of": "2024-04-05"}


@pytest.fixture(scope="module")
def tesla() -> Study:
    return Study(**TESLA, root=ROOT)


@pytest.fixture(scope="module")
def tariff() -> Study:
    return Study("tariff-pause-2025", as_of="2025-04-07", root=ROOT)


def show(result) -> dict[str, tuple[str, str]]:
    return {r.span.name: (f"{r.starts_at:%H:%M}", f"{r.ends_at:%H:%M}") for r, _ in result.tested}


class TestTesla:
    def test_the_windows_follow_from_the_clock_of_the_post(self, tesla):
        assert show(tesla.minutes) == {
            "before the denial": ("13:31", "15:31"),
            "denial": ("15:31", "15:46"),
            "bars that hold the denial": ("15:31", "15:36"),
            "wholly after the denial": ("15:36", "15:46"),
            "in total": ("13:31", "16:01"),
        }
        assert tesla.minutes.alignment.identification.kind == "before_denial"

    def test_two_effects_are_found_and_no_reversal(self, tesla):
        found = tesla.minutes
        assert [round(100 * row.estimate, 2) for row in found.declared] == [-5.62, 2.21]
        assert [row.test.outcome for row in found.declared] == ["found", "found"]
        assert not found.is_reversal
        assert found.model == "1.04 \u00d7 QQQ"

    def test_the_gap_at_the_open_is_not_in_these_bars(self, tesla):
        gap = tesla.minutes.rows[-1]
        assert (gap.span.name, gap.estimate) == ("gap at the open", None)
        assert gap.note == "the bars of the session before do not reach its close"

    def test_what_the_findings_hang_on(self, tesla):
        variants = {v.name: v for v in tesla.minute_variants}
        first = {name: round(100 * v.result.declared[0].estimate, 1) for name, v in variants.items() if v.result}
        assert first == {"constant mean": -4.8, "bars of 15 min": -5.1, "labels as they stand": -3.1}
        assert variants["bars of 1 min"].reason == "TSLA: bars of 5 minutes are recorded, not of 1"

    def test_the_record_carries_both_rows_the_bars_and_the_daily_prices(self, tesla):
        record = tesla.minute_record
        assert (record.run.outcome, record.run.companion_outcome) == ("found", "found")
        assert record.run.headline["window"] == "before the denial"
        assert record.run.companion["p_holm"] == pytest.approx(0.0066, abs=5e-5)
        assert {"data/bars/TSLA_5m_2024.csv", "data/bars/QQQ_5m_2024.csv", "data/pairs/TSLA.csv"} <= set(
            record.run.inputs
        )
        table = record.tables["alignment"].splitlines()
        assert table[0].endswith("first_bar,last_bar")
        denial = next(line for line in table if line.startswith("P26-D"))
        assert denial.endswith("2024-04-05T15:36:00Z,2024-04-05T15:36:00Z")

    def test_a_constant_mean_can_be_asked_for(self, tesla):
        other = tesla.replace(bar_benchmark="none")
        assert other.minutes.model == "its own mean"
        assert other.minutes.declared[0].test.outcome == "no_detectable_effect"


class TestTariff:
    def test_report_and_denial_share_one_window(self, tariff):
        found = tariff.minutes
        assert found.alignment.identification.kind == "joint"
        assert show(found) == {"report and denial": ("14:11", "14:56"), "in total": ("14:11", "15:46")}
        assert found.share is None
        assert found.model == "its own mean"
        assert float(found.fit.day_factor) == pytest.approx(5.10, abs=0.005)

    def test_the_checks_by_other_series(self, tariff):
        variants = {v.name: v for v in tariff.minute_variants}
        rsp = variants["RSP by 1 min"].result
        assert len(rsp.grid.sessions) == 3
        assert rsp.declared[0].test.outcome == "insufficient_data"
        assert variants["RSP by 1 min"].reason == "3 earlier sessions: no verdict"
        assert rsp.declared[0].estimate == pytest.approx(0.007733, abs=5e-7)
        assert variants["META by 5 min"].result.declared[0].test.n_bars == 9
        assert variants["META by 1 min"].result is None

    def test_its_daily_pages_are_refused(self, tariff):
        with pytest.raises(DataError, match="the snapshot has no prices of QQQ") as refused:
            tariff.check()
        assert refused.value.exit_code == 3
        assert tariff.by_days is None


class TestRequests:
    def test_a_story_without_bars_has_none(self):
        focal = Study(root=ROOT)
        assert focal.minutes is None
        assert focal.minute_variants == ()
        assert focal.minute_record.run.outcome == "no_bars"

    def test_what_is_known_after_the_last_session_of_the_bars_changes_nothing(self, tesla):
        later = Study("tesla-model2-2024", as_of="2024-04-08", root=ROOT).minutes
        assert [row.test and row.test.estimate for row in later.rows] == [
            row.test and row.test.estimate for row in tesla.minutes.rows
        ]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("bar_minutes", 0), ("bar_minutes", 61), ("bar_sessions", 2), ("after_minutes", 4), ("bar_benchmark", "qqq")],
    )
    def test_parameters_out_of_range_are_refused(self, name, value):
        with pytest.raises(ConfigError, match=name):
            Study(**TESLA, root=ROOT, **{name: value})


@pytest.fixture
def own_bars(tmp_path):
    """Whole sessions of TSLA to the event day, by five minutes from their start."""

    def write(change=lambda raw: raw):
        raw = make_raw(exchange="XNAS", sessions=11, end="2024-04-05", column="starts_at")
        change(raw).to_csv(tmp_path / "TSLA.csv", index=False)
        return Study(**TESLA, root=ROOT, bars=str(tmp_path), bar_benchmark="none").minutes

    return write


def between(first: str, last: str):
    """Drop the bars of the event session that begin from one clock to before another."""

    def change(raw: pd.DataFrame) -> pd.DataFrame:
        stamp = "2024-04-05T{}:00Z"
        return raw[~raw["starts_at"].between(stamp.format(first), stamp.format(last), inclusive="left")]

    return change


class TestOwnBars:
    def test_whole_sessions_also_measure_the_gap_at_the_open(self, own_bars):
        found = own_bars()
        closes = found.bars.regular["close"].to_numpy()
        assert found.rows[-1].estimate == pytest.approx(closes[-78] / closes[-79] - 1, rel=1e-12)
        assert found.rows[-1].test is None

    def test_a_halt_at_the_event_leaves_rows_with_their_reason(self, own_bars):
        found = own_bars(between("15:35", "15:50"))
        notes = {row.span.name: row.note for row in found.rows}
        assert notes["denial"] == "no price ends at 15:50 UTC: the last one is older than a bar"
        assert notes["before the denial"] == notes["in total"] == ""
        assert "TSLA: no bar from 2024-04-05 15:35 to 15:50 UTC." in found.grid.notes

    def test_a_missing_bar_inside_a_window_leaves_its_sum_whole(self, own_bars):
        whole, cut = own_bars(), own_bars(between("14:00", "14:05"))
        prices = whole.grid.prices[-1]
        total = (prices[1:25] / prices[:24]).sum() - 24
        bridged = prices[7] / prices[5] - prices[6] / prices[5] - prices[7] / prices[6] + 1
        mean = float(cut.fit.coefficients[0])
        span = cut.rows[0].span
        assert cut.rows[0].estimate == pytest.approx(total + bridged - mean * span.n_bars, abs=1e-12)

    def test_bars_that_end_before_the_denial_cannot_measure_it(self, own_bars):
        found = own_bars(between("15:00", "21:00"))
        assert [row.note for row in found.declared] == ["it can end after the last price of these bars"] * 2
        assert found.outcome == "insufficient_data"

    def test_fewer_than_five_sessions_have_no_verdict(self, tmp_path):
        make_raw(exchange="XNAS", sessions=5, end="2024-04-05", column="starts_at").to_csv(
            tmp_path / "TSLA.csv", index=False
        )
        found = Study(**TESLA, root=ROOT, bars=str(tmp_path), bar_benchmark="none").minutes
        assert found.outcome == "insufficient_data"

    def test_a_benchmark_without_bars_gives_a_constant_mean_that_says_so(self, tmp_path):
        make_raw(exchange="XNAS", sessions=11, end="2024-04-05", column="starts_at").to_csv(
            tmp_path / "TSLA.csv", index=False
        )
        found = Study(**TESLA, root=ROOT, bars=str(tmp_path)).minutes
        assert found.model == "its own mean"
        assert found.grid.notes[-1] == "No bars of QQQ are recorded: the model is a constant mean."
