"""``impact batch`` from files to files: tables in, reasons, numbers and exit codes out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from click.testing import CliRunner
from event_impact.base.errors import ConfigError, DataError, RenderError
from event_impact.base.root import IMPORT_ROOT
from event_impact.cli.many_events import batch_command
from event_impact.many import file_tables as batch_tables
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.files import BatchRequest, run_batch
from event_impact.many.layout import BatchPanel, lay_out_model
from event_impact.many.sample import STATISTIC_NAMES

EVENT_COLUMNS = (
    "event_id,ticker,session,status,reason,n_estimation,car,car_std_error,scar,t,p_t,p_sample_quantile,p_conformal,"
    "bhar,first,last"
)


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(20260202)
    dates = pd.bdate_range("2024-01-02", periods=420, name="date").astype("datetime64[s]")
    market = rng.normal(0.0003, 0.009, 420)
    firms = {f"T{i:02d}": 0.0001 + (0.6 + i / 15) * market + rng.normal(0, 0.015, 420) for i in range(14)}
    return pd.DataFrame({"SPY": market, **firms}, index=dates)


@pytest.fixture
def files(tmp_path, wide):
    wide.to_csv(tmp_path / "returns.csv")
    sessions = wide.index[280:406:9]
    events = pd.DataFrame({"event_id": [f"e{i}" for i in range(14)], "ticker": wide.columns[1:]})
    events["session"] = sessions.strftime("%Y-%m-%d")
    events["kind"] = np.where(np.arange(14) % 2, "report", "denial")
    events["size"] = np.linspace(0, 1, 14) ** 2
    events.to_csv(tmp_path / "events.csv", index=False)
    return tmp_path


def request(folder, **changes):
    defaults = {
        "returns": folder / "returns.csv",
        "events": folder / "events.csv",
        "benchmark": "SPY",
        "out": folder / "out",
        "draws": 199,
    }
    return BatchRequest(**{**defaults, **changes})


def call(folder, *more, expect=None, as_json=False):
    arguments = ["--returns", str(folder / "returns.csv"), "--events", str(folder / "events.csv")]
    arguments += ["--benchmark", "SPY", "--out", str(folder / "out"), "--draws", "199", *more]
    result = CliRunner().invoke(batch_command, arguments, obj={"quiet": as_json, "as_json": as_json})
    if expect is not None:
        assert isinstance(result.exception, expect), result.output
    elif result.exception is not None:
        raise result.exception
    return result


def test_files_hold_the_engine_s_numbers_under_the_agreed_names(files, wide):
    result = call(files)
    assert result.stdout.strip() == str(files / "out")
    lines = (files / "out" / "events.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == EVENT_COLUMNS
    table = pd.read_csv(files / "out" / "events.csv", dtype={"event_id": str})
    panel = BatchPanel(wide.index.to_numpy(), tuple(wide.columns), wide.to_numpy().T, wide["SPY"].to_numpy())
    places = wide.index.get_indexer(pd.to_datetime(table["session"]))
    expected = estimate_events(lay_out_model(panel, "market"), np.arange(1, 15), places, windows=EventWindows())
    np.testing.assert_array_equal(table["car"], expected.car)
    np.testing.assert_array_equal(table["t"], expected.scar)
    assert (table["status"] == "used").all()
    assert (table["n_estimation"] == 250).all()
    assert table["p_t"].between(0, 1).all()
    assert table[["p_sample_quantile", "p_conformal", "reason"]].isna().all().all()
    sample = json.loads((files / "out" / "sample.json").read_text(encoding="utf-8"))
    assert sample["n"] == 14
    assert sample["window"] == "-1:1"
    assert sample["caar"] == pytest.approx(table["car"].mean(), rel=1e-12)
    assert tuple(sample["tests"]) == STATISTIC_NAMES
    for test in sample["tests"].values():
        assert set(test) == {"statistic", "distribution", "df", "p", "null", "note"}
        assert test["p"] is not None or test["note"]
    days = pd.read_csv(files / "out" / "aar.csv")
    assert days["rel_session"].tolist() == [-1, 0, 1]
    assert days.drop(columns="note").notna().all().all()
    assert days["note"].isna().all()
    assert days["caar"].iloc[-1] == pytest.approx(sample["caar"], rel=1e-12)


def test_long_wide_csv_and_parquet_say_the_same(files, wide):
    first = run_batch(request(files))
    long = wide.rename_axis(columns="ticker").stack().rename("ret").reset_index()
    shuffled = long.sample(frac=1, random_state=1)
    shuffled.to_csv(files / "long.csv", index=False)
    shuffled.to_parquet(files / "long.parquet", index=False)
    wide.reset_index().to_parquet(files / "wide.parquet", index=False)
    for name in ("long.csv", "long.parquet", "wide.parquet"):
        other = run_batch(request(files, returns=files / name))
        np.testing.assert_allclose(other.events["t"], first.events["t"], rtol=1e-12)


def test_rejected_events_are_listed_with_their_reasons(files, wide):
    rows = [
        ("a", "T01", "2025-06-02", ""),
        ("b", "ZZZ", "2025-06-02", "ticker 'ZZZ' has no returns"),
        ("c", "T01", "2025-06-01", "is not a session; its neighbours are 2025-05-30 and 2025-06-02"),
        ("d", "T01", "2031-01-02", "after the last session"),
        ("e", "T01", "1999-01-04", "before the first session"),
        ("f", "T01", "soon", "is not a session date"),
        ("g", "T01", "2025-06-02", "same ticker and session as event a"),
        ("h", "T02", "2024-03-04", "of 250 estimation sessions usable, 225 needed"),
        ("i", "T02", "2024-01-02", "leaves the calendar"),
        ("j", "T03", "2025-06-02", "no return on 2025-06-03: suspended, or missing in the file"),
        ("k", "T03", "2025-06-02T14:30Z", "is not a session date"),
        ("l", "", "2025-06-02", "no ticker is given"),
        ("m", "T04", "", "no session is given"),
    ]
    returns = wide.copy()
    returns.loc["2025-06-03", "T03"] = np.nan
    returns.to_csv(files / "returns.csv")
    pd.DataFrame(rows, columns=["event_id", "ticker", "session", "_"]).drop(columns="_").to_csv(
        files / "events.csv", index=False
    )
    result = call(files)
    table = pd.read_csv(files / "out" / "events.csv", keep_default_na=False)
    assert table["event_id"].tolist() == [row[0] for row in rows]
    for (_, _, _, reason), (_, found) in zip(rows, table.iterrows(), strict=True):
        assert found["status"] == ("rejected" if reason else "used")
        assert reason in found["reason"]
        assert bool(found["reason"]) == bool(reason)
        assert (found["car"] == "") == bool(reason)
    assert "12 events rejected" in result.stderr
    sample = json.loads((files / "out" / "sample.json").read_text(encoding="utf-8"))
    assert (sample["n"], sample["n_rejected"], sample["recommended"]) == (1, 12, None)
    days = pd.read_csv(files / "out" / "aar.csv")
    assert days["aar_t"].isna().all()
    assert (days["note"] == "empty: needs at least 2 events").all()


def test_every_event_rejected_is_exit_3_with_the_list_written(files):
    pd.DataFrame({"ticker": ["X", "Y"], "session": "2025-06-02"}).to_csv(files / "events.csv", index=False)
    result = call(files, expect=DataError)
    assert result.exception.exit_code == 3
    assert "All 2 events were rejected" in str(result.exception)
    table = pd.read_csv(files / "out" / "events.csv")
    assert table["event_id"].tolist() == [1, 2]
    assert (table["status"] == "rejected").all()


def change(frame, row, column, value):
    frame = frame.astype(object)
    frame.iloc[row, frame.columns.get_loc(column)] = value
    return frame


BAD_RETURNS = {
    "percent": (lambda f: f * 100, "look like percent"),
    "prices": (lambda f: 50 * (1 + f).cumprod(), "look like prices"),
    "text": (lambda f: change(f, 7, "T03", "n.a."), "Expected a number for T03 on 2024-01-11"),
    "no benchmark": (lambda f: f.drop(columns="SPY"), "Benchmark SPY is not among the 14 tickers"),
    "empty benchmark": (lambda f: f.assign(SPY=np.nan), "Benchmark SPY has no return"),
    "nothing": (lambda f: f * np.nan, "holds no return"),
    "twice": (lambda f: pd.concat([f, f.iloc[:1]]), "Date 2024-01-02 appears twice"),
    "dates": (lambda f: f.set_axis([*f.index[:-1].strftime("%Y-%m-%d"), "yesterday"]).rename_axis("date"), "yesterday"),
    "names": (lambda f: f.rename_axis("day"), "a first column date"),
}


@pytest.mark.parametrize("name", BAD_RETURNS)
def test_bad_returns_are_refused_in_one_sentence(files, wide, name):
    spoil, words = BAD_RETURNS[name]
    spoil(wide).to_csv(files / "returns.csv")
    result = call(files, expect=DataError)
    assert words in result.exception.message
    assert not (files / "out").exists()


def test_large_returns_pass_when_asked_for(files, wide):
    (wide * 100).to_csv(files / "returns.csv")
    plain = run_batch(request(files, returns=files / "returns.csv", allow_large=True))
    wide.to_csv(files / "returns.csv")
    np.testing.assert_allclose(plain.events["t"], run_batch(request(files)).events["t"], rtol=1e-9)


def test_missing_marks_are_gaps_and_tickers_called_na_are_tickers(files, wide):
    marked = change(wide.rename(columns={"T05": "NA", "T06": "NAN"}), 300, "T03", "NaN")
    marked.to_csv(files / "returns.csv")
    events = pd.DataFrame({"ticker": ["NA", "NAN", "T03"], "session": wide.index[[300, 310, 300]]})
    events.to_csv(files / "events.csv", index=False)
    assert run_batch(request(files)).events["status"].tolist() == ["used", "used", "rejected"]


def test_repeated_rows_of_a_long_table_are_refused(files, wide):
    long = wide.rename_axis(columns="ticker").stack().rename("ret").reset_index()
    pd.concat([long, long.iloc[[5]]]).to_csv(files / "returns.csv", index=False)
    assert "1 repeated rows" in call(files, expect=DataError).exception.message


BAD_EVENTS = {
    "ticker": (pd.DataFrame({"session": ["2025-06-02"]}), "Expected the columns ticker"),
    "empty": (pd.DataFrame({"ticker": [], "session": []}), "holds no event"),
    "ids": (pd.DataFrame({"event_id": ["a", "a"], "ticker": "T01", "session": "2025-06-02"}), "more than once"),
    "no id": (pd.DataFrame({"event_id": ["a", None], "ticker": "T01", "session": "2025-06-02"}), "no event_id"),
}


@pytest.mark.parametrize("name", BAD_EVENTS)
def test_bad_event_tables_are_refused(files, name):
    frame, words = BAD_EVENTS[name]
    frame.to_csv(files / "events.csv", index=False)
    assert words in call(files, expect=DataError).exception.message


@pytest.mark.parametrize(
    "options",
    [
        ("--model", "ridge"),
        ("--model", "ridge", "--controls", "NOBODY"),
        ("--model", "ff3"),
        ("--estimation", "-260"),
        ("--estimation", "a:b"),
        ("--estimation", "-11:-260"),
        ("--event", "-20:1"),
        ("--calendar", "NOPE"),
        ("--group", "colour"),
        ("--trait", "colour"),
    ],
)
def test_wrong_requests_are_exit_2(files, options):
    assert call(files, *options, expect=ConfigError).exception.exit_code == 2
    assert not (files / "out").exists()


def test_missing_files_are_exit_3(files):
    (files / "events.csv").unlink()
    assert call(files, expect=DataError).exception.exit_code == 3
    (files / "returns.csv").write_bytes(b"\xff\xfe\x00bad")
    assert call(files, expect=DataError).exception.exit_code == 3


def test_out_that_is_a_file_is_exit_2(files):
    (files / "out").write_text("", encoding="utf-8")
    call(files, expect=ConfigError)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_out_that_cannot_be_written_is_exit_5_before_any_work(files, monkeypatch):
    monkeypatch.setattr("event_impact.many.files.run_batch", lambda *_, **__: pytest.fail("work was begun"))
    refused = call(files, "--out", "/proc/foo", expect=RenderError).exception
    assert refused.exit_code == 5
    assert refused.message.startswith("/proc/foo cannot be written")


def test_text_cannot_become_a_spreadsheet_formula(files, wide):
    events = pd.DataFrame({"event_id": ["=1+1", "+x", "@y", "ok"], "ticker": ["-T", "=cmd", "T01", "T02"]})
    events["session"] = ["2025-06-02", "=A1", "2025-06-02", "2025-06-03"]
    events.to_csv(files / "events.csv", index=False)
    call(files)
    table = pd.read_csv(files / "out" / "events.csv", dtype=str, keep_default_na=False)
    for name in ("event_id", "ticker", "session", "reason"):
        assert not table[name].str.startswith(("=", "+", "-", "@")).any()
    assert table["event_id"].tolist() == ["'=1+1", "'+x", "'@y", "ok"]


def test_exchange_calendar_counts_its_sessions(files, wide):
    frame = wide.iloc[:0]
    import exchange_calendars

    sessions = exchange_calendars.get_calendar("XNYS").sessions_in_range("2024-01-02", "2025-08-15").tz_localize(None)
    frame = pd.DataFrame(wide.to_numpy()[: len(sessions)], index=sessions.rename("date"), columns=wide.columns)
    gone = frame.drop(index=frame.index[200])
    gone.to_csv(files / "returns.csv")
    events = pd.DataFrame({"ticker": ["T01", "T02"], "session": [frame.index[320], frame.index[340]]})
    events.to_csv(files / "events.csv", index=False)
    with_calendar = run_batch(request(files, calendar="XNYS")).events
    without = run_batch(request(files)).events
    assert with_calendar["n_estimation"].tolist() == [249, 249]
    assert without["n_estimation"].tolist() == [250, 250]
    wide.to_csv(files / "returns.csv")  # weekdays include holidays
    assert "closed, the first 2024-01-15" in call(files, "--calendar", "XNYS", expect=DataError).exception.message


def test_one_session_windows_have_rank_p_values_from_the_definitions(files, wide):
    outcome = run_batch(request(files, windows=("0:0",)))
    for i in range(0, 14, 3):
        row = outcome.events.iloc[i]
        at = wide.index.get_loc(pd.Timestamp(row["session"]))
        rows = list(range(at - 260, at - 10))
        x = np.column_stack([np.ones(420), wide["SPY"]])
        y = wide[row["ticker"]].to_numpy()
        beta = np.linalg.lstsq(x[rows], y[rows], rcond=None)[0]
        e, a = (y - x @ beta)[rows], (y - x @ beta)[at]
        p = min(1, 2 * min(1 + (e <= a).sum(), 1 + (e >= a).sum()) / 251)
        assert row["p_sample_quantile"] == pytest.approx(p, rel=1e-12)
        both = [*rows, at]
        refit = y[both] - x[both] @ np.linalg.lstsq(x[both], y[both], rcond=None)[0]
        conformal = (np.abs(refit) >= np.abs(refit[-1]) * (1 - 1e-12)).sum() / 251
        assert row["p_conformal"] == pytest.approx(conformal, rel=1e-12)


def test_factor_models_read_their_factors(files, wide):
    rng = np.random.default_rng(0)
    names = ("rf", "mkt_rf", "smb", "hml")
    factors = pd.DataFrame(rng.normal(0, 0.005, (420, 4)), index=wide.index, columns=names)
    factors.to_csv(files / "factors.csv")
    outcome = run_batch(request(files, model="ff3", factors=files / "factors.csv"))
    row = outcome.events.iloc[4]
    at = wide.index.get_loc(pd.Timestamp(row["session"]))
    y = (wide[row["ticker"]] - factors["rf"]).to_numpy()
    x = np.column_stack([np.ones(420), factors[["mkt_rf", "smb", "hml"]]])
    rows = slice(at - 260, at - 10)
    beta = np.linalg.lstsq(x[rows], y[rows], rcond=None)[0]
    assert row["car"] == pytest.approx((y - x @ beta)[at - 1 : at + 2].sum(), rel=1e-9)
    (factors * 100).to_csv(files / "factors.csv")
    with pytest.raises(DataError, match="percent"):
        run_batch(request(files, model="ff3", factors=files / "factors.csv"))
    factors.drop(columns="smb").to_csv(files / "factors.csv")
    with pytest.raises(DataError, match="smb"):
        run_batch(request(files, model="ff3", factors=files / "factors.csv"))


def test_groups_and_traits_are_in_the_sample(files):
    sample = run_batch(request(files, group="kind", traits=("size",))).sample
    assert {name: group["n"] for name, group in sample["groups"].items()} == {"denial": 7, "report": 7}
    assert set(sample["traits"]) == {"wls", "ols_hc3", "ols_clustered"}
    assert set(sample["traits"]["wls"]) == {"intercept", "size"}
    events = run_batch(request(files)).events
    kind = pd.read_csv(files / "events.csv")["kind"]
    cars = [events.loc[kind == name, "car"] for name in ("denial", "report")]
    difference = sample["group_difference"]["ols_hc3"]
    assert difference["kind=report"]["coefficient"] == pytest.approx(cars[1].mean() - cars[0].mean())
    assert difference["ols_hc3_kind"]["statistic"] == pytest.approx(difference["kind=report"]["statistic"] ** 2)
    events = pd.read_csv(files / "events.csv").head(9)
    events.to_csv(files / "events.csv", index=False)
    assert "at least 10 events" in run_batch(request(files, traits=("size",))).sample["traits"]["note"]


def test_more_than_two_groups_are_compared_at_once(files):
    events = pd.read_csv(files / "events.csv")
    events["kind"] = np.array(["a", "b", "c"])[np.arange(14) % 3]
    events.to_csv(files / "events.csv", index=False)
    sample = run_batch(request(files, group="kind")).sample
    joint = sample["group_difference"]["ols_hc3"]["ols_hc3_kind"]
    assert joint["distribution"] == "F(2, 11)"
    cars = run_batch(request(files)).events["car"].to_numpy()
    x = sm.add_constant(pd.get_dummies(events["kind"], drop_first=True).to_numpy(dtype=float))
    expected = sm.OLS(cars, x).fit(cov_type="HC3", use_t=True).f_test(np.eye(3)[1:])
    assert joint["p"] == pytest.approx(float(expected.pvalue), rel=1e-7)


def test_several_windows_are_adjusted_for_their_number(files):
    result = call(files, "--windows", "-1:1,0:0,0:4")
    assert result.exit_code == 0
    sample = json.loads((files / "out" / "sample.json").read_text(encoding="utf-8"))
    windows = sample["windows"]
    assert [(w["first"], w["last"]) for w in windows] == [(-1, 1), (0, 0), (0, 4)]
    assert windows[0]["tests"] == sample["tests"]
    assert (sample["window"], windows[0]["caar"]) == ("-1:1", sample["caar"])
    p = sorted(w["p"] for w in windows)
    assert min(w["p_holm"] for w in windows) == pytest.approx(min(1, 3 * p[0]))
    events = pd.read_csv(files / "out" / "events.csv")
    assert len(events) == 3 * 14
    alone = run_batch(request(files, windows=("0:4",)))
    np.testing.assert_array_equal(events.loc[events["last"] == 4, "car"], alone.events["car"])
    assert windows[1]["ci95_low"] < windows[1]["caar"] < windows[1]["ci95_high"]
    assert pd.read_csv(files / "out" / "aar.csv")["first"].tolist() == [-1] * 3 + [0] * 6


def test_both_spellings_of_the_estimation_window_say_the_same(files):
    call(files, "--estimation-sessions", "120", "--gap-sessions", "5")
    first = json.loads((files / "out" / "sample.json").read_text(encoding="utf-8"))
    said = call(files, "--estimation", "-125:-6", "--event", "-1:1").stderr
    assert "Windows read as --estimation-sessions 120 --gap-sessions 5 --windows=-1:1" in said
    assert first == json.loads((files / "out" / "sample.json").read_text(encoding="utf-8"))
    assert first["estimation_window"] == "-125:-6"


def test_the_usable_share_admits_an_event_with_a_short_history(files):
    events = pd.DataFrame({"ticker": ["T01", "T02"], "session": ["2025-06-02", "2024-10-01"]})
    events.to_csv(files / "events.csv", index=False)
    assert "225 needed" in run_batch(request(files)).events["reason"][1]
    assert run_batch(request(files, usable_share=0.6)).events["status"].tolist() == ["used", "used"]


def test_impossible_returns_cost_only_the_events_that_hold_them(files, wide):
    returns = wide.copy()
    returns.loc["2025-06-03", "T03"] = -16.75
    returns.loc["2024-05-02", "T04"] = -1.2
    returns.loc["2024-05-03", "T05"] = np.inf
    returns.to_csv(files / "returns.csv")
    events = pd.DataFrame({"ticker": ["T03", "T04", "T05"], "session": "2025-06-02"})
    events.to_csv(files / "events.csv", index=False)
    outcome = run_batch(request(files, estimation_sessions=290))
    assert outcome.events["status"].tolist() == ["rejected", "used", "used"]
    assert outcome.events["reason"].tolist() == ["the return of -16.75 on 2025-06-03 is impossible", "", ""]
    assert outcome.events["n_estimation"].tolist() == [290, 289, 289]
    assert outcome.sample["impossible_returns"] == 3


def test_a_delisted_share_is_named_as_such(files, wide):
    returns = wide.copy()
    returns.loc["2025-06-03":, "T03"] = np.nan
    returns.to_csv(files / "returns.csv")
    pd.DataFrame({"ticker": ["T03", "T04"], "session": "2025-06-02"}).to_csv(files / "events.csv", index=False)
    found = run_batch(request(files)).events["reason"]
    assert found.tolist() == ["no return from 2025-06-03 on: delisted, or the file ends", ""]


def test_a_workbook_is_refused_in_one_sentence(files):
    (files / "returns.csv").write_bytes(b"PK\x03\x04" + bytes(40))
    with pytest.raises(DataError, match="is a workbook, no CSV"):
        run_batch(request(files))


SPREADSHEETS = {
    "semicolons": ({"sep": ";"}, "utf-8", ""),
    "decimal commas": ({"sep": ";", "decimal": ","}, "utf-8-sig", ""),
    "a line that names the separator": ({"sep": ";", "decimal": ","}, "utf-8-sig", "sep=;\n"),
    "tabs in UTF-16": ({"sep": "\t", "decimal": ","}, "utf-16", ""),
    "dotted days": ({"sep": ";", "decimal": ",", "date_format": "%d.%m.%Y"}, "utf-8-sig", ""),
    "commas and a mark": ({}, "utf-8-sig", ""),
}


@pytest.mark.parametrize("name", SPREADSHEETS)
def test_what_a_spreadsheet_wrote_is_read(files, wide, name):
    expected = run_batch(request(files)).events
    options, encoding, before = SPREADSHEETS[name]
    (files / "returns.csv").write_text(before + wide.to_csv(**options), encoding=encoding)
    events = pd.read_csv(files / "events.csv", parse_dates=["session"])
    (files / "events.csv").write_text(before + events.to_csv(index=False, **options), encoding=encoding)
    pd.testing.assert_frame_equal(run_batch(request(files)).events, expected)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: f.to_csv(sep=";", decimal=",").replace(",", ".", 5), "decimal commas and decimal points"),
        (lambda f: f.to_csv(date_format="%m/%d/%Y"), "Expected dates like 2026-02-02"),
        (lambda f: f.stack().rename("move").rename_axis(["date", "ticker"]).to_csv(), "found move beside"),
    ],
)
def test_what_can_be_read_two_ways_is_refused_in_one_sentence(files, wide, spoil, words):
    (files / "returns.csv").write_text(spoil(wide), encoding="utf-8")
    error = call(files, expect=DataError).exception
    assert words in error.message
    assert error.message.count(". ") == 0


def test_a_long_table_may_call_its_returns_returns(files, wide):
    expected = run_batch(request(files)).events
    wide.stack().rename("returns").rename_axis(["date", "ticker"]).to_csv(files / "returns.csv")
    pd.testing.assert_frame_equal(run_batch(request(files)).events, expected)


def test_buy_and_hold_is_compared_as_asked(files, wide):
    events = pd.read_csv(files / "events.csv").assign(match="T01 T02")
    events.loc[3, "match"] = "T01 NOPE"
    events.to_csv(files / "events.csv", index=False)
    at = wide.index.get_indexer(pd.to_datetime(events["session"]))

    def held(tickers, k):
        return np.mean([np.prod(1 + wide[t].to_numpy()[at[k] - 1 : at[k] + 2]) - 1 for t in tickers])

    own = np.array([held([t], k) for k, t in enumerate(events["ticker"])])
    against = run_batch(request(files, bhar="benchmark")).events["bhar"]
    np.testing.assert_allclose(against, own - [held(["SPY"], k) for k in range(14)], rtol=1e-9)
    matched = run_batch(request(files, bhar="match"))
    expected = own - [held(["T01", "T02"], k) for k in range(14)]
    assert np.isnan(matched.events["bhar"][3])
    np.testing.assert_allclose(matched.events["bhar"].drop(3), np.delete(expected, 3), rtol=1e-9)
    assert "found 13" in matched.sample["tests"]["bhar_skewness_adjusted"]["note"]


def test_volume_and_volatility_are_measured_in_logarithms(files, wide):
    volume = np.exp(15 + 0.3 * wide / 0.01)
    volume.to_csv(files / "volume.csv")
    outcome = run_batch(request(files, returns=files / "volume.csv", measure="volume"))
    (np.log(volume) / 1000).to_csv(files / "returns.csv")
    logs = run_batch(request(files))
    np.testing.assert_allclose(outcome.events["t"], logs.events["t"], rtol=1e-6)
    assert outcome.events["bhar"].isna().all()
    assert "only returns are held" in outcome.sample["tests"]["bhar_skewness_adjusted"]["note"]
    assert "persistent" in outcome.sample["recommendation"]
    wide.to_csv(files / "returns.csv")
    found = run_batch(request(files, measure="volatility", model="constant_mean")).events
    k = wide.index.get_loc(pd.Timestamp(found["session"][2]))
    gap = np.log((wide["T02"] - wide["SPY"]).abs().to_numpy())
    assert found["car"][2] == pytest.approx(gap[k - 1 : k + 2].sum() - 3 * gap[k - 260 : k - 10].mean(), rel=1e-9)
    with pytest.raises(ConfigError, match="its own mean"):
        run_batch(request(files, measure="volatility"))


def test_parquet_beside_the_csv_and_json_on_request(files):
    result = call(files, "--format", "parquet", as_json=True)
    assert json.loads(result.stdout)["n"] == 14
    pd.testing.assert_frame_equal(
        pd.read_parquet(files / "out" / "events.parquet")[["event_id", "car"]],
        pd.read_csv(files / "out" / "events.csv")[["event_id", "car"]],
        check_dtype=False,
    )
    assert not list((files / "out").glob(".*"))


def test_running_again_gives_the_same_bytes(files):
    call(files)
    first = {path.name: path.read_bytes() for path in (files / "out").iterdir()}
    call(files, "--workers", "1")
    assert {path.name: path.read_bytes() for path in (files / "out").iterdir()} == first


def test_windows_are_read_from_text():
    request = BatchRequest(Path(), Path(), "SPY", Path(), estimation_sessions=100, gap_sessions=20)
    assert request.lay_window("0:0") == EventWindows(-120, -21, 0, 0)


def test_progress_goes_to_whoever_watches(files):
    seen = []

    class Bar:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        update = staticmethod(seen.append)

    run_batch(request(files), watch=lambda label, total: seen.append((label, total)) or Bar())
    assert seen[0] == ("testing", 28)
    assert sum(seen[1:]) == 28


def test_importing_the_command_loads_nothing_heavy():
    code = (
        "import sys, event_impact.cli.many_events; print([m for m in ('numpy', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=IMPORT_ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_a_batch_loads_only_what_it_computes_with(files):
    """No calendars, no cluster, no locks, no page: a small batch is mostly the start of its process."""
    unneeded = [
        "filelock",
        "exchange_calendars",
        "dask",
        "distributed",
        "statsmodels",
        "scipy.stats",
    ]
    unneeded += [
        "matplotlib",
        "jinja2",
        "fastjsonschema",
        "yaml",
        "requests",
        "event_impact.estimation.garch",
        "event_impact.events",
        "event_impact.inference.ranks",
        "event_impact.page",
    ]
    code = (
        "import sys; from event_impact.cli.main import main; "
        "main(['--quiet', 'batch', '--returns', 'returns.csv', '--events', 'events.csv', '--benchmark', 'SPY', '--out', "
        f"'out', '--draws', '99'], standalone_mode=False); print([m for m in {unneeded} if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(IMPORT_ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=files, env=environment, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("cells", [["a", None, "b", "a"], [1.5, np.nan, 2.0], [3, 4, 3], [None], []])
def test_categories_become_the_words_that_the_same_cells_become(cells):
    column = pd.Series(cells, range(7, 7 + len(cells)), name="kind")
    pd.testing.assert_series_equal(
        batch_tables.as_words(column.astype("category")), column.astype("category").astype("str").fillna("")
    )


def test_formula_quoting_leaves_other_text_alone():
    quoted = batch_tables.quote_formulas(pd.Series(["=a", "a=", "\tb", ""]))
    assert quoted.tolist() == ["'=a", "a=", "'\tb", ""]
