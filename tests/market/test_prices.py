"""Files of prices: what is accepted, what is refused, and what returns are made of them."""

from __future__ import annotations

import shutil
from datetime import date

import numpy as np
import pandas as pd
import pytest
from event_impact.base.errors import DataError
from event_impact.events.calendars import load_hours
from event_impact.market.checks import check_prices, check_sessions, parse_prices
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
    parsed = parse_prices(frame, "file")
    check_prices(parsed, "file")
    check_sessions(parsed, load_hours("XNYS"), "file", allowed_missing=pd.DatetimeIndex([]))
    return parsed


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
    "infinite": (change(3, "close", float("inf")), "infinite"),
    "missing": (change(3, "close", float("nan")), "close is missing on 2024-01-05"),
    "zero": (change(3, "close", 0.0), "not positive"),
    "negative": (change(3, "volume", -1), "volume is negative"),
    "duplicate": (lambda f: pd.concat([f, f.iloc[[5]]]), "more than once"),
    "order": (lambda f: f.iloc[::-1], "not in order"),
    "zone": (change(3, "date", "2024-01-05T00:00:00-05:00"), "plain YYYY-MM-DD"),
    "clock": (change(3, "date", "2024-01-05 16:00:00"), "plain YYYY-MM-DD"),
    "impossible date": (change(3, "date", "2024-02-31"), "does not exist"),
    "weekend": (change(3, "date", "2024-01-06"), "no session of XNYS"),
    "gap": (lambda f: f.drop(index=[7]), "has no row"),
    "cents": (lambda f: f.assign(close=np.where(f.index > 9, f["close"] * 100, f["close"])), "lies above high"),
    "scale": (
        lambda f: f.assign(**{c: np.where(f.index > 9, f[c] * 100, f[c]) for c in ("open", "high", "low", "close")}),
        "factor of",
    ),
    "low above open": (change(3, "open", 1.0), "open lies below low"),
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
    assert returns["close_to_close"].isna().sum() == 6
    assert any("span them" in note for note in notes)


def test_files_of_one_ticker_are_joined(root):
    history = open_source("snapshot", root.data).load("TSLA", "XNAS")
    assert len(history.files) == 2
    assert not history.has_open
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
    if parsed.iloc[row][["open", "high", "low"]].isna().any():
        assert text.strip() in ("", "nan", "NaN", "None", "NA")
        return
    assert float(text) == parsed.iloc[row][column]


def test_a_halt_on_the_event_session_is_refused_and_a_possible_split_is_said(tmp_path):
    from event_impact import Study
    from event_impact.market.returns import doubt_steps

    store = open_source("snapshot", ROOT / "data")
    frames = []
    for ticker in ("F", "SPY"):
        frame = store.load(ticker, "XNYS").frame.reset_index().rename(columns={"session": "date"})
        frames.append(frame.assign(ticker=ticker, date=frame["date"].dt.strftime("%Y-%m-%d")))
    both = pd.concat(frames)
    day = (both["ticker"] == "F") & (both["date"] == "2026-02-02")
    path = tmp_path / "own.csv"
    both.assign(volume=both["volume"].mask(day, 0)).to_csv(path, index=False)
    study = Study(source=str(path), root=ROOT)
    with pytest.raises(DataError, match="no volume on the event session 2026-02-02"):
        study.check()
    before = (both["ticker"] == "F") & (both["date"] < "2026-01-05")
    prices = ["open", "high", "low", "close", "dividend"]
    both.assign(**{c: both[c].mask(before, both[c] * 2) for c in prices}).to_csv(path, index=False)
    panel = Study(source=str(path), root=ROOT).returns
    assert any("the close of 2026-01-05 is 0.5" in note and "if that was a split" in note for note in panel.notes)
    assert not any("split" in note for note in Study(root=ROOT).returns.notes)
    closes = pd.Series([10.0, 3.4, 3.3, 4.2], index=pd.bdate_range("2026-01-05", periods=4))
    assert len(doubt_steps(closes, "A")) == 1
