"""Files of prices: what is accepted, what is refused, and what returns are made of them."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from event_impact import Study
from event_impact.base.errors import DataError
from event_impact.estimation.models import build_design, choose_estimation
from event_impact.events.calendars import load_hours
from event_impact.market.checks import parse_prices, place_on_calendar, set_aside_figures
from event_impact.market.plausibility import find_doubts
from event_impact.market.returns import faultless_returns, load_panel, total_returns
from event_impact.market.snapshot import open_source
from hypothesis import given, settings
from hypothesis import strategies as st
from stories import ROOT


@pytest.fixture
def raw() -> pd.DataFrame:
    sessions = load_hours("XNYS").between(pd.Timestamp("2024-01-02"), pd.Timestamp("2024-03-28"))
    rng = np.random.default_rng(3)
    close = 20 * np.cumprod(1 + rng.normal(0, 0.01, len(sessions)))
    return pd.DataFrame(
        {
            "date": [s.strftime("%Y-%m-%d") for s in sessions],
            "open": close * 1.001,
            "high": close * 1.01,
            "low": close * 0.99,
            "close": close,
            "volume": 1000,
            "dividend": 0.0,
        }
    )


def check(frame: pd.DataFrame) -> pd.DataFrame:
    figures, _ = set_aside_figures(parse_prices(frame, "file"))
    return place_on_calendar(figures, load_hours("XNYS"), "file")[0]


def change(row: int, column: str, value: object):
    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({column: object})
        frame.loc[row, column] = value
        return frame

    return apply


DAMAGES = {
    "empty": (lambda f: f.iloc[:0], "no rows"),
    "no close": (lambda f: f.drop(columns="close"), "columns close are missing"),
    "no date": (lambda f: f.drop(columns="date"), "columns date are missing"),
    "text": (change(3, "close", "12,5"), "no number"),
    "duplicate": (lambda f: pd.concat([f, f.iloc[[5]]]), "more than once"),
    "order": (lambda f: f.iloc[::-1], "not in order"),
    "zone": (change(3, "date", "2024-01-05T05:00:00+00:00"), "plain YYYY-MM-DD"),
    "clock": (change(3, "date", "2024-01-05 16:00:00"), "plain YYYY-MM-DD"),
    "impossible date": (change(3, "date", "2024-02-31"), "does not exist"),
    "a day late": (lambda f: f.assign(date=pd.to_datetime(f["date"]) + pd.Timedelta(days=1)), "no session of XNYS"),
    "gaps": (lambda f: f.drop(index=range(7, 20)), "has no close"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused(raw, damage):
    apply, message = DAMAGES[damage]
    with pytest.raises(DataError, match=message) as caught:
        check(apply(raw))
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_a_good_file_passes(raw):
    assert len(check(raw)) == len(raw)


def test_opens_may_be_missing(raw):
    parsed = check(raw.drop(columns=["open", "high", "low"]))
    assert parsed["open"].isna().all()
    assert total_returns(parsed)["close_to_close"].notna().all()


def test_returns_against_the_formula(raw):
    raw.loc[4, "dividend"] = 0.25
    parsed = check(raw)
    returns = total_returns(parsed)
    for t in range(1, len(raw)):
        c0, c1 = raw.loc[t - 1, "close"], raw.loc[t, "close"]
        o1, d1 = raw.loc[t, "open"], raw.loc[t, "dividend"]
        row = returns.iloc[t - 1]
        assert row["close_to_close"] == pytest.approx((c1 + d1) / c0 - 1, abs=1e-15)
        assert row["close_to_open"] == pytest.approx((o1 + d1) / c0 - 1, abs=1e-15)
        assert row["open_to_close"] == pytest.approx(c1 / o1 - 1, abs=1e-15)
        assert (1 + row["close_to_open"]) * (1 + row["open_to_close"]) - 1 == pytest.approx(
            row["close_to_close"] + d1 / c0 * row["open_to_close"]
        )


def test_the_snapshot_loads_and_its_returns_follow_the_adjusted_series(root):
    store = open_source("snapshot", root.data)
    for ticker in ("F", "SPY", "GM", "STLA"):
        history = store.load(ticker, "XNYS")
        adjusted = pd.read_csv(root.data / "snapshot" / f"{ticker}.csv")["adj_close"].to_numpy()
        returns, _ = faultless_returns(history)
        difference = np.abs(returns["close_to_close"] - (adjusted[1:] / adjusted[:-1] - 1))
        paid = (history.frame["dividend"] / history.frame["close"].shift()).iloc[1:]
        # the vendor divides by C - D instead of adding D: on an ex-date the two differ by about yield x return
        assert (difference <= 2e-4 + 0.1 * paid).all()


def test_focal_closes(root):
    frame = open_source("snapshot", root.data).load("F", "XNYS").frame
    assert frame.at[pd.Timestamp("2026-01-30"), "close"] == 13.88
    assert frame.at[pd.Timestamp("2026-02-02"), "close"] == 13.81


def test_known_faults_are_masked_and_said(root):
    store = open_source("snapshot", root.data)
    returns, notes = faultless_returns(store.load("TM", "XNYS"))
    assert returns.loc["2025-09-30"].isna().all()
    assert any("2025-09-30" in note for note in notes)
    returns, notes = faultless_returns(store.load("1810.HK", "XHKG"))
    assert returns["close_to_close"].isna().sum() == 12  # six sessions without a row, and the six that follow them
    assert any("6 sessions have no close" in note for note in notes)


def test_files_of_one_ticker_are_joined(root):
    history = open_source("snapshot", root.data).load("TSLA", "XNAS")
    assert len(history.files) == 2
    assert history.frame["open"].isna().any()
    assert history.frame.index.is_monotonic_increasing


@pytest.fixture
def copied_data(root, tmp_path):
    target = tmp_path / "data"
    shutil.copytree(root.data, target, ignore=shutil.ignore_patterns("vintages"))
    return target


def test_a_changed_snapshot_is_refused(copied_data):
    path = copied_data / "snapshot" / "F.csv"
    path.write_text(path.read_text().replace("13.81", "13.91"))
    with pytest.raises(DataError, match="manifest says"):
        open_source("snapshot", copied_data).load("F", "XNYS")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("F.csv", b"", "cannot be read"),
        ("F.parquet", b"PAR1 damaged", "cannot be read"),
        ("F.csv", "date;close\n1;2\n".encode("utf-16"), "F"),
        ("F.txt", b"x", "neither .csv nor .parquet"),
    ],
)
def test_unreadable_files(tmp_path, root, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_source(str(path), root.data).load("F", "XNYS")


def test_missing_source_and_ticker(tmp_path, root):
    with pytest.raises(DataError, match="does not exist"):
        open_source(str(tmp_path / "none"), root.data)
    with pytest.raises(DataError, match="holds no CSV"):
        open_source(str(tmp_path), root.data)
    with pytest.raises(DataError, match="no prices of NOPE"):
        open_source("snapshot", root.data).load("NOPE", "XNYS")


@pytest.mark.parametrize("form", ["file", "folder", "parquet"])
def test_own_files_give_the_same_panel(tmp_path, root, form):
    store = open_source("snapshot", root.data)
    frames = []
    for ticker in ("F", "SPY"):
        frame = store.load(ticker, "XNYS").frame.reset_index().rename(columns={"session": "date"})
        frame.insert(1, "ticker", ticker)
        frames.append(frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d")))
    if form == "folder":
        for ticker, frame in zip(("F", "SPY"), frames, strict=True):
            frame.drop(columns="ticker").to_csv(tmp_path / f"{ticker}.csv", index=False)
        path = tmp_path
    else:
        path = tmp_path / ("own.csv" if form == "file" else "own.parquet")
        both = pd.concat(frames)
        both.to_csv(path, index=False) if form == "file" else both.to_parquet(path)
    arguments = {"benchmark": "SPY", "exchange": "XNYS", "as_of": date(2026, 2, 13)}
    own = load_panel(open_source(str(path), root.data), "F", **arguments)
    embedded = load_panel(store, "F", **arguments)
    for kind, frame in embedded.returns.items():
        pd.testing.assert_frame_equal(own.returns[kind], frame)


def test_the_panel_ends_at_as_of(root):
    store = open_source("snapshot", root.data)
    panel = load_panel(store, "F", benchmark="SPY", exchange="XNYS", as_of=date(2026, 2, 2), with_factors=True)
    assert str(panel.sessions[-1].date()) == "2026-02-02"
    assert str(panel.factors.index[-1].date()) == "2026-02-02"
    assert all(str(f.index[-1].date()) == "2026-02-02" for f in panel.returns.values())
    with pytest.raises(DataError, match="after the last recorded session"):
        load_panel(store, "F", benchmark="SPY", exchange="XNYS", as_of=date(2026, 4, 10))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 60),
    st.sampled_from(["open", "high", "low", "close", "volume", "dividend"]),
    st.text(min_size=1, max_size=4),
)
def test_no_text_in_a_cell_is_read_as_a_price(row, column, text):
    sessions = load_hours("XNYS").between(pd.Timestamp("2024-01-02"), pd.Timestamp("2024-03-28"))
    frame = pd.DataFrame(
        {
            "date": sessions.strftime("%Y-%m-%d"),
            **dict.fromkeys(("open", "high", "low", "close"), 10.0),
            "volume": 5.0,
            "dividend": 0.0,
        }
    ).astype({column: object})
    frame.loc[row, column] = text
    try:
        parsed = check(frame)
    except DataError:
        return
    session = sessions[row]
    if session not in parsed.index or pd.isna(parsed.at[session, column]):
        return  # set aside
    assert float(text) == parsed.at[session, column]


def focal_files() -> pd.DataFrame:
    """The embedded figures of the focal story as one file of the user's own."""
    store, frames = open_source("snapshot", ROOT / "data"), []
    for ticker in ("F", "SPY"):
        frame = store.load(ticker, "XNYS").frame.reset_index().rename(columns={"session": "date"})
        frames.append(frame.assign(ticker=ticker, date=frame["date"].dt.strftime("%Y-%m-%d")))
    return pd.concat(frames, ignore_index=True)


def open_own(both: pd.DataFrame, path: Path) -> Study:
    both.to_csv(path, index=False)
    return Study(source=str(path), root=ROOT)


def test_a_halt_on_the_event_session_is_refused(tmp_path):
    both = focal_files()
    day = (both["ticker"] == "F") & (both["date"] == "2026-02-02")
    study = open_own(both.assign(volume=both["volume"].mask(day, 0)), tmp_path / "own.csv")
    with pytest.raises(DataError, match="no volume on the event session 2026-02-02"):
        study.check()
    study = open_own(both.assign(close=both["close"].mask(day)), tmp_path / "own.csv")
    with pytest.raises(DataError, match="no close on the event session 2026-02-02"):
        study.check()


WRONG = {
    "split": ("close", "2026-01-05", lambda f, late: f.mask(late, f / 2), "another unit"),
    "pence": ("close", "2025-06-10", lambda f, late: f.mask(late, f * 100), "another unit"),
    "dividend": ("dividend", "2025-11-03", lambda f, late: f * 100, "of the close before"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_figures_inside_the_windows_that_look_wrong_stop_a_study_of_own_files(tmp_path, name):
    field, session, spoil, reason = WRONG[name]
    both = focal_files()
    mine = both["ticker"] == "F"
    if field == "close":
        columns = ["open", "high", "low", "close", "dividend"]
        late = mine & (both["date"] >= session)
        both[columns] = both[columns].apply(lambda f: spoil(f, late))
    else:
        both.loc[mine & (both["date"] == session), "dividend"] = 0.15
        both.loc[mine, "dividend"] = both["dividend"].mask(both["date"] == session, 15.0)
    path = tmp_path / "own.csv"
    with pytest.raises(DataError, match=f"F: {field} of {session} doubtful .*{reason}") as caught:
        open_own(both, path).check()
    assert caught.value.exit_code == 3
    data = Path(shutil.copytree(ROOT, tmp_path / "study", ignore=shutil.ignore_patterns("reports", ".git", "tests")))
    with open(data / "data/faults.csv", "a", encoding="utf-8") as table:
        table.write(f"F,{session},{field},Checked against the firm's own record.,accept,here\n")
    study = Study(source=str(path), root=data)
    study.check()
    assert any("accepted" in note for note in study.returns.notes)


def test_figures_outside_the_windows_that_look_wrong_are_said(tmp_path):
    both = focal_files()
    both.loc[(both["ticker"] == "F") & (both["date"] == "2023-05-03"), "dividend"] = 15.0
    study = open_own(both, tmp_path / "own.csv")
    study.check()
    panel = study.returns
    assert any(note.startswith("F: dividend of 2023-05-03 doubtful") for note in panel.notes)


def test_a_missing_close_in_the_estimation_window_costs_its_two_returns_and_is_said(tmp_path):
    both = focal_files()
    both.loc[(both["ticker"] == "F") & (both["date"] == "2025-06-10"), ["open", "high", "low", "close", "volume"]] = (
        np.nan
    )
    study = open_own(both, tmp_path / "own.csv")
    study.check()
    panel = study.returns
    design = build_design(
        "market", panel.returns["close_to_close"], ticker="F", benchmark="SPY", return_kind="close_to_close"
    )
    used, reason = choose_estimation(design, pd.Timestamp("2026-02-02"), length=250, gap=10)
    assert (len(used), reason) == (248, "2 sessions without a usable return")
    whole = Study(root=ROOT).returns
    pd.testing.assert_frame_equal(
        panel.returns["close_to_close"].loc[used], whole.returns["close_to_close"].loc[used], check_exact=True
    )
    assert any("close of 2025-06-10 set aside (there is no figure)" in note for note in panel.notes)


def test_the_embedded_figures_raise_no_doubt(root):
    store = open_source("snapshot", root.data)
    for ticker, exchange in (("F", "XNYS"), ("SPY", "XNYS"), ("GM", "XNYS"), ("TSLA", "XNAS"), ("1810.HK", "XHKG")):
        assert find_doubts(store.load(ticker, exchange).frame.assign(split=0.0, adj_close=np.nan)) == ()


VENDORS = {
    "yahoo": ("Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n", "{d} 00:00:00-05:00,1,2,1,{c},1,5,0.0,0.0"),
    "stooq": ("Date,Open,High,Low,Close,Volume\n", "{d},1,2,1,{c},5"),
    "nasdaq": ("Date,Close/Last,Volume,Open,High,Low\n", "{m},${c},5,$1,$2,$1"),
    "alpha": (
        "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\n", "{d},1,2,1,{c},1,5,0.0,1.0",
    ),
    "tiingo": ("date,close,high,low,open,volume,adjClose,adjHigh,divCash,splitFactor\n", "{d},{c},2,1,1,5,1,2,0.0,1.0"),
    "bare": ("date,close\n", "{d},{c}"),
}  # fmt: skip


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_files_are_read_in_the_forms_that_vendors_write(tmp_path, root, vendor):
    head, line = VENDORS[vendor]
    days = load_hours("XNYS").between(pd.Timestamp("2024-01-02"), pd.Timestamp("2024-02-28"))
    rows = [line.format(d=d.date(), m=d.strftime("%m/%d/%Y"), c=f"{1 + i / 100:.2f}") for i, d in enumerate(days)]
    newest_first = vendor in ("nasdaq", "alpha")
    path = tmp_path / "AAA.csv"
    path.write_text(head + "\n".join(rows[::-1] if newest_first else rows) + "\n", encoding="utf-8")
    history = open_source(str(path), root.data).load("AAA", "XNYS")
    np.testing.assert_allclose(history.frame["close"], 1 + np.arange(len(days)) / 100, atol=1e-12)
    assert list(history.frame.index) == list(days)
    said = " ".join(history.notes)
    assert ("newest first" in said) == newest_first
    assert ("no dividends" in said) == (vendor in ("stooq", "nasdaq", "bare"))
    assert ("no opening prices" in said) == (vendor == "bare")
    assert ("month/day/year" in said) == (vendor == "nasdaq")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Day,Kurs\n2024-01-02,1\n", "no column for date and close .'Day' read as nothing; 'Kurs' read as nothing"),
        ("date,close,Price\n2024-01-02,1,1\n", "two columns for close"),
        ("date,close\n01/02/2024,1\n02/02/2024,1\n", "can be read in two ways"),
        ("Date,Adj Close\n2024-01-02,1\n", "no column for close .'Date' read as date; 'Adj Close' read as adj_close"),
    ],
)
def test_a_file_that_cannot_be_read_shows_what_was_read_as_what(tmp_path, root, text, said):
    path = tmp_path / "AAA.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        open_source(str(path), root.data).load("AAA", "XNYS")
