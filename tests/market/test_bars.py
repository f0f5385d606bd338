"""Bars of minutes: what their labels mean, what is refused, what is kept and said."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from event_impact.base.errors import DataError
from event_impact.events.calendars import load_hours
from event_impact.market.bar_files import BarRequest, find_bars
from event_impact.market.bars import doubt_clocks, make_grid
from minute_bars import TARIFF, TESLA, build, embedded, grid_of, make_raw
from stories import ROOT

EVENT = (pd.Timestamp("2024-03-28"), pd.Timestamp("2024-03-28T15:00:00Z"))


class TestLabels:
    def test_five_files_with_three_conventions_end_where_their_prices_are(self):
        ends = {
            (ticker, event[0].year): embedded(ticker, event, minutes).regular["ends_at"].iloc[0].strftime("%H:%M")
            for ticker, event, minutes in (
                ("TSLA", TESLA, 5), ("QQQ", TESLA, 5), ("QQQ", TARIFF, 5), ("META", TARIFF, 5), ("RSP", TARIFF, 1),
            )
        }  # fmt: skip
        assert ends == {
            ("TSLA", 2024): "13:31", ("QQQ", 2024): "13:31", ("QQQ", 2025): "13:31", ("META", 2025): "13:35",
            ("RSP", 2025): "13:31",
        }  # fmt: skip

    def test_the_same_bars_labelled_by_start_and_by_end_are_the_same_bars(self):
        raw = make_raw()
        by_end = raw.assign(label=pd.to_datetime(raw["label"]) + pd.Timedelta(minutes=5))
        ours, theirs = build(raw).frame, build(by_end, label="end").frame
        pd.testing.assert_frame_equal(ours.drop(columns="label"), theirs.drop(columns="label"))

    def test_labels_without_a_zone_are_read_by_the_clock_of_the_manifest(self):
        raw = make_raw()
        local = pd.to_datetime(raw["label"]).dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d %H:%M:%S")
        pd.testing.assert_frame_equal(build(raw.assign(label=local), zone="America/New_York").frame, build(raw).frame)

    def test_a_shift_is_inferred_and_the_labels_can_be_read_as_they_stand(self):
        bars = embedded("TSLA", TESLA)
        other = bars.read_plainly()
        assert (bars.frame["ends_at"] - other.frame["ends_at"]).unique() == pd.Timedelta(minutes=1)
        assert len(other.regular) == len(bars.regular)  # the same bars, although the first then ends at the open

    @pytest.mark.parametrize(
        ("ticker", "event", "minutes", "reading", "message"),
        [
            ("TSLA", TESLA, 5, {"label": "end"}, "last bar before the open holds 0.46 times"),
            (
                "TSLA",
                TESLA,
                5,
                {"label": "start"},
                "first bar after the open holds 0.46 times the volume of the second",
            ),
            ("QQQ", TARIFF, 5, {"label": "end"}, "last bar before the open holds 0.51 times"),
            ("RSP", TARIFF, 1, {"label": "end"}, "last bar before the open holds 2.26 times"),
            (
                "META",
                TARIFF,
                5,
                {"label": "start"},
                "an opening, 1.78 times the next bar's, begins 5 min after the open",
            ),
            ("META", TARIFF, 5, {"label": "end", "shift_minutes": 1}, "1.78 times the next bar's, begins 1 min after"),
        ],
    )
    def test_the_volume_of_the_open_contradicts_a_wrong_reading(self, ticker, event, minutes, reading, message):
        raw = embedded(ticker, event, minutes).frame[["label", "close", "volume"]]
        with pytest.raises(DataError, match=message) as refused:
            build(raw, exchange="XNAS", minutes=minutes, **reading)
        assert refused.value.exit_code == 3

    def test_a_file_whose_first_bars_were_left_out_is_not_taken_for_a_misread_one(self):
        raw = embedded("TSLA", TESLA).frame[["label", "close", "volume"]]
        late = raw[raw["label"].dt.strftime("%H:%M") != "13:30"]
        assert "cannot vouch" in build(late, exchange="XNAS", label="end", shift_minutes=1).notes[0]

    @pytest.mark.parametrize(
        ("ticker", "reading", "found"),
        [
            ("META", {"label": "end"}, ""),
            ("META", {"label": "end", "shift_minutes": -1}, "1 min later (correlation 0.90, at the same minutes 0.81)"),
            ("META", {"label": "end", "shift_minutes": -4}, "4 min later"),
            ("QQQ", {"label": "end", "shift_minutes": 1}, ""),
            ("QQQ", {"label": "end", "shift_minutes": 2}, "1 min earlier (correlation 0.94, at the same minutes 0.82)"),
            ("QQQ", {"label": "start", "shift_minutes": 1}, "5 min earlier"),
        ],
    )
    def test_another_listing_by_the_minute_tells_what_labels_mean(self, ticker, reading, found):
        raw, other = embedded(ticker, TARIFF).frame[["label", "close", "volume"]], embedded("RSP", TARIFF, 1)
        said = doubt_clocks(build(raw, exchange="XNAS", **reading), other)
        assert found in said
        assert bool(said) == bool(found)

    @pytest.mark.parametrize(
        ("zone", "message"),
        [("America/New_York", "the volume of an opening stands 236 minutes after"), ("Asia/Tokyo", "no bar lies in")],
    )
    def test_a_wrong_zone_is_refused(self, zone, message):
        raw = embedded("TSLA", TESLA).frame[["label", "close", "volume"]]
        naive = raw.assign(label=raw["label"].dt.tz_localize(None))
        with pytest.raises(DataError, match=message):
            build(naive, exchange="XNAS", label="end", shift_minutes=1, zone=zone)

    def test_where_volume_cannot_judge_it_is_said(self):
        raw = make_raw()
        assert "F: Too little volume is recorded" in build(raw.drop(columns="volume")).notes[0]
        late = raw[pd.to_datetime(raw["label"]).dt.strftime("%H:%M") != "13:30"]
        assert build(late).notes == ("F: No bar holds the open, so its volume cannot vouch for what the labels mean.",)


def put(column, row, value):
    def damage(raw):
        raw = raw.astype({column: object})
        raw.loc[row, column] = value
        return raw

    return damage


class TestRefusals:
    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda raw: raw.iloc[::-1], "not in order at"),
            (lambda raw: pd.concat([raw, raw.iloc[[-1]]]), "occurs more than once"),
            (put("label", 7, "2024-03-21T14:03:00Z"), "bars of 5 minutes overlap at 2024-03-21 14:03"),
            (lambda raw: pd.concat([raw.iloc[:78], raw.iloc[78::3]]), "not all of 5 minutes"),
            (lambda raw: raw.assign(close=raw["close"].where(raw.index < 100, raw["close"] / 3)), "factor of 3 inside"),
            (
                lambda raw: raw.assign(close=raw["close"].where(raw.index < 100, raw["close"] * 7.3)),
                "factor of 7.29 ins",
            ),
            (put("close", 4, -1.0), "not positive"),
            (put("close", 4, "n.n."), "a figure no number"),
            (put("label", 4, "at noon"), "no instant"),
            (lambda raw: raw.drop(columns="close"), "columns close are missing"),
            (lambda raw: raw.iloc[:0], "no rows"),
            (lambda raw: raw.assign(close=np.nan), "no bar has a price"),
        ],
    )
    def test_what_is_no_series_of_bars_is_refused_with_code_3(self, damage, message):
        with pytest.raises(DataError, match=message) as refused:
            build(damage(make_raw()))
        assert refused.value.exit_code == 3

    def test_a_split_between_two_sessions_touches_no_return_of_a_bar(self):
        raw = make_raw()
        cut = build(raw.assign(close=raw["close"].where(raw.index < 156, raw["close"] / 3)))
        ours, plain = (make_grid(b, None, EVENT, minutes=5, n_sessions=5) for b in (cut, build(raw)))
        np.testing.assert_allclose(ours.returns(ours.prices), plain.returns(plain.prices), rtol=0, atol=1e-15)

    def test_a_bar_without_a_price_is_missing_and_counted(self):
        bars = build(put("close", 4, np.nan)(make_raw()))
        assert bars.notes == ("F: 1 bars carry no price and count as missing.",)
        assert len(bars.frame) == 6 * 78 - 1


class TestHours:
    def test_bars_outside_trading_hours_are_kept_and_not_used(self):
        raw = make_raw()
        early = raw.assign(label=pd.to_datetime(raw["label"]) - pd.Timedelta(hours=2))[lambda f: f.index % 78 < 24]
        both = pd.concat([early.assign(volume=20), raw.assign(label=pd.to_datetime(raw["label"]))]).sort_values("label")
        bars = build(both)
        assert len(bars.frame) == 6 * (78 + 24)
        pd.testing.assert_frame_equal(bars.regular.reset_index(drop=True), build(raw).frame)
        assert bars.notes == ("F: 144 bars lie outside trading hours and are not used.",)

    def test_more_volume_outside_the_hours_than_in_them_is_a_wrong_clock(self):
        raw = make_raw()
        late = raw.assign(label=pd.to_datetime(raw["label"]) + pd.Timedelta(hours=6.5))
        both = pd.concat([late.assign(volume=9000), raw.assign(label=pd.to_datetime(raw["label"]))]).sort_values(
            "label"
        )
        with pytest.raises(DataError, match="more is traded outside trading hours"):
            build(both)

    def test_a_half_day_has_fewer_bars_and_is_left_out_with_the_reason(self):
        session = pd.Timestamp("2024-12-02")
        bars = build(make_raw(end="2024-12-02"))
        grid = make_grid(bars, None, (session, session.tz_localize("UTC")), minutes=5, n_sessions=4)
        assert grid.left_out == ((pd.Timestamp("2024-11-29"), "42 of 78 prices"),)
        assert grid.sessions[-1] == pd.Timestamp("2024-11-27")

    def test_half_a_recorded_session_is_left_out_with_the_reason(self):
        raw = make_raw()
        bars = build(raw[(raw.index < 156) | (raw.index >= 200)])
        grid = make_grid(bars, None, EVENT, minutes=5, n_sessions=4)
        assert grid.left_out == ((pd.Timestamp("2024-03-25"), "34 of 78 prices"),)
        assert len(grid.sessions) == 4

    def test_a_lunch_break_divides_the_session(self):
        session = pd.Timestamp("2024-03-28")
        bars = build(make_raw(exchange="XHKG"), exchange="XHKG")
        morning, afternoon = (
            make_grid(bars, None, (session, pd.Timestamp(at)), minutes=5, n_sessions=5)
            for at in ("2024-03-28T02:00:00Z", "2024-03-28T05:30:00Z")
        )
        assert [grid.ends[0].strftime("%H:%M") for grid in (morning, afternoon)] == ["01:35", "05:05"]
        assert [len(grid.ends) for grid in (morning, afternoon)] == [30, 36]
        assert bars.list_halts((session,)) == []

    def test_a_halt_is_listed_and_its_prices_are_missing(self):
        raw = make_raw()
        bars = build(raw.drop(index=range(-78 + len(raw) + 10, len(raw) - 60)))
        grid = make_grid(bars, None, EVENT, minutes=5, n_sessions=5)
        assert grid.notes == ("F: no bar from 2024-03-28 14:20 to 15:00 UTC.",)
        steps = grid.event_steps(grid.prices)
        assert not steps[9:17].any()
        assert steps[17] == grid.prices[-1, 18] / grid.prices[-1, 9] - 1
        assert not grid.is_single[9:18].any()
        assert grid.is_single.sum() == 77 - 9

    def test_stretches_follow_the_calendar(self):
        held = load_hours("XHKG").stretches(pd.Timestamp("2024-03-28"), pd.Timestamp("2024-03-28"))
        assert [(row.opens_at.hour, row.closes_at.hour) for row in held.itertuples()] == [(1, 4), (5, 8)]


class TestMatching:
    def test_pairs_are_matched_by_instants_never_by_labels(self):
        raw = make_raw()
        market = raw.assign(label=pd.to_datetime(raw["label"]) + pd.Timedelta(minutes=5), close=raw["close"] * 2)
        grid = make_grid(build(raw), build(market, label="end"), EVENT, minutes=5, n_sessions=5)
        np.testing.assert_allclose(grid.returns(grid.prices), grid.returns(grid.benchmark), atol=1e-15)

    def test_without_a_shared_instant_the_model_is_a_constant_mean_and_that_is_said(self):
        grid = grid_of("META", "QQQ", TARIFF)
        assert grid.benchmark is None
        assert grid.benchmark_ticker == ""
        assert "QQQ has a price at 0 of the 330 instants of META" in grid.notes[-1]

    def test_longer_bars_are_every_third_price_counted_from_the_first(self):
        five, fifteen = (grid_of("TSLA", "QQQ", TESLA, minutes) for minutes in (5, 15))
        np.testing.assert_array_equal(fifteen.prices, five.prices[:, ::3])

    def test_too_few_sessions_are_refused(self):
        with pytest.raises(DataError, match="2 sessions before 2024-03-28 have its bars; 3 are needed"):
            make_grid(build(make_raw(sessions=3)), None, EVENT, minutes=5, n_sessions=10)


def request(source: object = "snapshot", *, data=ROOT / "data", minutes: int = 5, event=EVENT) -> BarRequest:
    return BarRequest(str(source), data, "XNYS", event[0], minutes)


class TestSources:
    def test_a_session_without_bars_has_none(self):
        assert find_bars("F", request()) is None
        assert find_bars("TSLA", request(event=TARIFF)) is None

    def test_only_longer_bars_are_refused(self):
        with pytest.raises(DataError, match="bars of 5 minutes are recorded, not of 1"):
            find_bars("TSLA", request(minutes=1, event=TESLA))

    def test_an_embedded_file_that_was_changed_is_refused(self, tmp_path):
        shutil.copy(ROOT / "data/manifest.csv", tmp_path)
        (tmp_path / "bars").mkdir()
        text = (ROOT / "data/bars/TSLA_5m_2024.csv").read_text()
        (tmp_path / "bars/TSLA_5m_2024.csv").write_text(text.replace("176.75", "176.76", 1))
        with pytest.raises(DataError, match="another hash than the manifest"):
            find_bars("TSLA", request(data=tmp_path, event=TESLA))

    def test_a_desk_whose_manifest_knows_no_bars_has_none(self, tmp_path):
        manifest = pd.read_csv(ROOT / "data/manifest.csv", dtype=str, keep_default_na=False)
        manifest[~manifest["file"].str.startswith("bars/")].iloc[:, :11].to_csv(tmp_path / "manifest.csv", index=False)
        assert find_bars("TSLA", request(data=tmp_path, event=TESLA)) is None

    @pytest.mark.parametrize("column", ["starts_at", "ends_at"])
    def test_own_files_say_by_their_column_what_their_clock_is(self, tmp_path, column):
        raw = make_raw(column=column)
        if column == "ends_at":
            raw[column] = (pd.to_datetime(raw[column]) + pd.Timedelta(minutes=5)).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        raw.to_csv(tmp_path / "F_any.csv", index=False)
        make_raw(column="starts_at").to_csv(tmp_path / "GM.csv", index=False)
        bars = find_bars("F", request(tmp_path))
        pd.testing.assert_frame_equal(bars.frame.drop(columns="label"), build(make_raw()).frame.drop(columns="label"))
        assert bars.vintage == "own file: F_any.csv"

    def test_own_files_may_be_one_table_of_several_tickers(self, tmp_path):
        both = [make_raw(column="starts_at").assign(ticker=ticker) for ticker in ("F", "GM")]
        pd.concat(both).to_parquet(tmp_path / "desk.parquet")
        bars = find_bars("GM", request(tmp_path / "desk.parquet"))
        assert len(bars.frame) == 6 * 78
        assert find_bars("TM", request(tmp_path / "desk.parquet")) is None

    def test_a_manifest_beside_own_files_says_what_their_labels_mean(self, tmp_path):
        raw = make_raw()
        local = pd.to_datetime(raw["label"]).dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d %H:%M:%S")
        raw.assign(label=local).to_csv(tmp_path / "F.csv", index=False)
        (tmp_path / "manifest.csv").write_text(
            "file,bar_minutes,label,shift_minutes,zone\nF.csv,5,start,0,America/New_York\n"
        )
        pd.testing.assert_frame_equal(find_bars("F", request(tmp_path)).frame, build(raw).frame)

    def test_labels_of_which_nothing_is_said_are_refused(self, tmp_path):
        make_raw().to_csv(tmp_path / "F.csv", index=False)
        with pytest.raises(DataError, match="nothing says whether its labels are the start or the end of a bar"):
            find_bars("F", request(tmp_path))

    @pytest.mark.parametrize("row", ["5,middle,0,UTC", "0,start,0,UTC", "5,start,soon,UTC", "5,start,0,Mars"])
    def test_a_manifest_that_cannot_be_read_is_refused(self, tmp_path, row):
        make_raw().to_csv(tmp_path / "F.csv", index=False)
        (tmp_path / "manifest.csv").write_text(f"file,bar_minutes,label,shift_minutes,zone\nF.csv,{row}\n")
        with pytest.raises(DataError, match="a file of bars says bar_minutes="):
            find_bars("F", request(tmp_path))

    def test_a_path_that_does_not_exist_is_refused(self, tmp_path):
        with pytest.raises(DataError, match="does not exist"):
            find_bars("F", request(tmp_path / "none.csv"))


def record(folder, name: str, raw: pd.DataFrame, *, file: str = "intraday/5m/F.csv") -> None:
    """A vintage as a download leaves it."""
    path = folder / "vintages" / name / file
    path.parent.mkdir(parents=True)
    raw.rename(columns={"label": "minute"}).assign(ticker="F").to_csv(path, index=False)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = {"format": 1, "tickers": {}, "files": {file: {"sha256": sha, "rows": len(raw)}}}
    (folder / "vintages" / name / "manifest.json").write_text(json.dumps(manifest))


class TestVintages:
    @pytest.fixture
    def data(self, tmp_path):
        shutil.copy(ROOT / "data/manifest.csv", tmp_path)
        return tmp_path

    def test_bars_of_several_downloads_are_joined_each_as_it_was_recorded_first(self, data):
        raw = make_raw()
        record(data, "20240326T220000Z", raw[raw.index < 312])
        record(data, "20240328T220000Z", raw[raw.index >= 234].assign(close=lambda f: f["close"] + 1))
        bars = find_bars("F", request("auto", data=data))
        closes = bars.frame["close"].to_numpy()
        np.testing.assert_array_equal(closes[:312], raw["close"][:312])
        np.testing.assert_array_equal(closes[312:], raw["close"][312:] + 1)
        assert list(bars.files) == [
            f"data/vintages/{name}/intraday/5m/F.csv" for name in ("20240326T220000Z", "20240328T220000Z")
        ]

    def test_a_bar_that_was_still_running_at_the_download_is_no_bar(self, data):
        record(data, "20240328T140200Z", make_raw())
        assert find_bars("F", request("auto", data=data)).frame["ends_at"].iloc[-1] == pd.Timestamp("2024-03-28T14:00Z")

    def test_a_damaged_download_is_passed_over(self, data):
        record(data, "20240328T220000Z", make_raw())
        (data / "vintages/20240328T220000Z/intraday/5m/F.csv").write_text("minute,close\n")
        assert find_bars("F", request("auto", data=data)) is None

    def test_bars_of_a_minute_make_bars_of_five(self, data):
        record(data, "20240328T220000Z", make_raw(minutes=1), file="intraday/1m/F.csv")
        bars = find_bars("F", request("auto", data=data))
        grid = make_grid(bars, None, EVENT, minutes=5, n_sessions=5)
        assert bars.convention.bar_minutes == 1
        assert [end.strftime("%H:%M") for end in grid.ends[[0, 1, -1]]] == ["13:31", "13:36", "19:56"]
