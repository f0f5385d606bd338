"""Downloads: whole vintages or none, history compared, rate limits waited out."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from event_impact.base.disk import hold_lock
from event_impact.base.errors import BusyError, ConfigError, DataError, RateLimitError, RevisionError, SuspicionError
from event_impact.events.articles import load_story
from event_impact.events.calendars import load_hours
from event_impact.market.bar_files import BarRequest, find_bars
from event_impact.market.checks import tell_stopping
from event_impact.market.download import fetch_vintage, record_bars, wait_out
from event_impact.market.fetch_plan import FetchRequest, guess_exchange, last_closed, plan_fetch
from event_impact.market.providers import load_provider
from event_impact.market.providers.french import fetch_factors, parse_library
from event_impact.market.returns import faultless_returns, load_panel
from event_impact.market.snapshot import open_source
from event_impact.market.vintages import choose_vintage, list_vintages
from market.replay import make_library
from market.toy_provider import ToyProvider, make_earnings, make_history

ROOT = Path(__file__).resolve().parents[2]
OHLCV = ("open", "high", "low", "close", "volume")
FRIDAY = datetime(2026, 2, 13, 22, 0, tzinfo=UTC)
TUESDAY = datetime(2026, 2, 17, 22, 0, tzinfo=UTC)  # Monday 16 February is a holiday


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with the registry and no prices."""
    for name in ("stories.csv", "articles.csv", "confounders.csv", "faults.csv", "manifest.csv", "peers.csv"):
        shutil.copy(ROOT / "data" / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def toy() -> ToyProvider:
    return ToyProvider()


def no_factors(first: str, data: Path) -> pd.DataFrame:
    raise DataError("the library cannot be reached.")


def fetch(data: Path, toy: ToyProvider, *tickers: str, at: datetime = FRIDAY, **changes: object):
    factors = changes.pop("factors", no_factors)
    request = FetchRequest({t: guess_exchange(t) for t in tickers or ("F", "SPY")}, date(2024, 1, 2), **changes)
    return fetch_vintage(request, data, toy, at=at, factors=factors)


def vintage_names(data: Path) -> list[str]:
    return [v.folder.name for v in list_vintages(data / "vintages")[0]]


def test_a_vintage_is_whole_and_says_what_it_holds(data: Path, toy: ToyProvider) -> None:
    done = fetch(data, toy)
    assert done.is_new
    assert done.vintage.folder.name == "20260213T220000Z"
    manifest = json.loads((done.vintage.folder / "manifest.json").read_text())
    assert manifest["tickers"]["F"]["last_session"] == "2026-02-13"
    assert manifest["tickers"]["F"]["listing"]["currency"] == "USD"
    assert set(manifest["versions"]) == {"event-impact", "numpy", "pandas"}
    assert "split-adjusted" in manifest["prices"]
    assert manifest["factors"].startswith("embedded")
    assert done.vintage.find_fault() == ""
    table = pd.read_csv(done.vintage.folder / "F.csv")
    assert list(table.columns) == ["date", "ticker", "open", "high", "low", "close", "volume", "dividend", "split"]
    wanted = make_history("2024-01-02", "2026-02-13", seed=sum(map(ord, "F")))
    np.testing.assert_array_equal(table["close"], wanted["close"])
    assert toy.asked[0] == ("daily", "F", date(2024, 1, 2), date(2026, 2, 13))
    assert done.vintage.name == "toy-20260213T220000Z"
    assert gzip.decompress(done.vintage.read("raw/F.gz")) == b'{"as": "sent"}'
    assert not list((data / "vintages").glob(".staging*"))


def test_the_same_answer_makes_no_second_vintage(data: Path, toy: ToyProvider) -> None:
    first = fetch(data, toy)
    again = fetch(data, toy)
    assert not again.is_new
    assert again.vintage.folder == first.vintage.folder
    later = fetch(data, toy, at=TUESDAY)
    assert later.is_new
    assert later.vintage.manifest["comparison"][0]["against"] == first.vintage.name
    assert not later.vintage.manifest["comparison"][0]["revisions"]


# ---------------------------------------------------------------- what the provider may answer


def bend_rows(position: int, column: str, value: float):
    def bend(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        frame[column] = frame[column].astype(float)
        frame.iloc[position, frame.columns.get_loc(column)] = value
        return frame

    return bend


BAD_ANSWERS = {
    "empty": (lambda f: f.iloc[:0], "empty"),
    "no frame": (lambda f: None, "empty"),
    "two levels": (lambda f: pd.concat({"F": f}, axis=1), "two levels"),
    "column lost": (lambda f: f.drop(columns="dividend"), "dividend"),
    "short at the end": (lambda f: f.iloc[:-1], "has closed"),
    "many holes": (lambda f: f.drop(f.index[100:140]), "no close"),
    "no close at the end": (bend_rows(-1, "close", np.nan), "has closed"),
    "closes lost": (lambda f: f.assign(close=f["close"].where(np.arange(len(f)) % 9 > 0)), "no close"),
    "shifted by a zone": (lambda f: f.set_axis(f.index.tz_localize(None).tz_localize("UTC")), "shifted by a zone"),
    "without a zone": (lambda f: f.tz_localize(None), "no time zone"),
    "a day late": (lambda f: f.set_axis(f.index + pd.Timedelta(days=1)), "shifted|no session"),
    "stale bar": (lambda f: pd.concat([f.iloc[:-1], f.iloc[[-2]].set_axis(f.index[[-1]])]), "repeats"),
    "text": (lambda f: f.assign(close="n/a"), "no number"),
}


@pytest.mark.parametrize("name", sorted(BAD_ANSWERS))
def test_a_bad_answer_leaves_nothing_behind(data: Path, toy: ToyProvider, name: str) -> None:
    good = fetch(data, toy).vintage
    bend, said = BAD_ANSWERS[name]
    toy.bend["SPY"] = bend
    with pytest.raises(DataError, match=said) as caught:
        fetch(data, toy, at=TUESDAY)
    assert caught.value.exit_code == 3
    assert vintage_names(data) == [good.folder.name]
    assert good.find_fault() == ""
    toy.bend.clear()
    assert fetch(data, toy, at=TUESDAY).is_new


ODD_ROWS = {
    "no row": (lambda f: f.drop(f.index[50]), "row", "traded, but there is no row"),
    "null row": (lambda f: f.assign(**{c: f[c].where(f.index != f.index[50]) for c in OHLCV}), "close", "no figure"),
    "open missing": (bend_rows(50, "open", np.nan), "open", "no figure"),
    "open of zero": (bend_rows(50, "open", 0.0), "open", "not positive"),
    "close infinite": (bend_rows(50, "close", np.inf), "close", "infinite"),
    "open above high": (bend_rows(50, "open", 14.0), "open", "above the high"),
    "open below low": (bend_rows(50, "open", 1.0), "open", "below the low"),
    "high below close": (bend_rows(50, "high", 11.0), "high", "the close lies above it"),
    "volume below zero": (bend_rows(50, "volume", -5), "volume", "negative"),
    "came twice": (lambda f: pd.concat([f, f.iloc[[50]]]), "row", "came twice"),
    "two versions": (lambda f: pd.concat([f, f.iloc[[50]] * 1.1]), "row", "came twice"),
    "of a weekend": (
        lambda f: pd.concat([f, f.iloc[[50]].set_axis([pd.Timestamp("2024-03-16", tz=f.index.tz)])]), "row", "closed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ODD_ROWS))
def test_one_odd_row_costs_its_figures_and_nothing_else(data: Path, toy: ToyProvider, name: str) -> None:
    bend, field, reason = ODD_ROWS[name]
    toy.bend["F"] = bend
    done = fetch(data, toy)
    held = done.vintage.manifest["tickers"]["F"]["doubts"]
    (doubt,) = [d for d in held if d["field"] == field and reason in d["reason"]]
    assert doubt["state"] == "set aside"
    assert any(note.startswith(f"F: {field} of {doubt['session']} set aside") for note in done.notes)
    history = open_source("auto", data, ("F", "SPY")).load("F", "XNYS")
    assert doubt["session"] in [d.session for d in history.doubts]
    whole = make_history("2024-01-02", "2026-02-13", seed=sum(map(ord, "F"))).tz_localize(None)
    kept = history.frame.index.intersection(whole.index[whole.index != doubt["session"]])
    assert len(kept) >= len(whole) - 1
    np.testing.assert_array_equal(history.frame.loc[kept, "close"], whole.loc[kept, "close"])
    returns, notes = faultless_returns(history)
    lost = returns["close_to_close"].isna().sum()
    is_close_lost = field == "close" or (field == "row" and name not in ("came twice", "of a weekend"))
    assert lost == (2 if is_close_lost else 0)
    assert any("left out" in note for note in notes) == is_close_lost


def test_rows_out_of_order_are_sorted_and_it_is_said(data: Path, toy: ToyProvider) -> None:
    toy.bend["F"] = lambda f: f.iloc[::-1]
    done = fetch(data, toy)
    assert pd.read_csv(done.vintage.folder / "F.csv")["date"].is_monotonic_increasing
    assert any("out of order" in note for note in done.notes)


def test_an_unfinished_session_is_left_out_and_it_is_said(data: Path, toy: ToyProvider) -> None:
    noon = datetime(2026, 2, 13, 17, 0, tzinfo=UTC)
    toy.bend["F"] = lambda f: make_history("2024-01-02", "2026-02-13", seed=sum(map(ord, "F")))
    done = fetch(data, toy, at=noon)
    assert done.vintage.manifest["tickers"]["F"]["last_session"] == "2026-02-12"
    assert any("had not closed" in note for note in done.notes)


@pytest.mark.parametrize(
    ("at", "session"),
    [
        (datetime(2025, 11, 28, 18, 29, tzinfo=UTC), "2025-11-26"),  # Thanksgiving, then a half day until 18:00 UTC
        (datetime(2025, 11, 28, 18, 30, tzinfo=UTC), "2025-11-28"),
        (datetime(2026, 3, 6, 21, 30, tzinfo=UTC), "2026-03-06"),  # winter time: close 21:00 UTC
        (datetime(2026, 3, 9, 20, 29, tzinfo=UTC), "2026-03-06"),  # summer time: close 20:00 UTC
        (datetime(2026, 3, 9, 20, 30, tzinfo=UTC), "2026-03-09"),
        (datetime(2026, 1, 1, 23, 0, tzinfo=UTC), "2025-12-31"),
    ],
)
def test_the_last_closed_session(at: datetime, session: str) -> None:
    assert last_closed(load_hours("XNYS"), at).date().isoformat() == session


# ---------------------------------------------------------------- history compared


def scale(factor: float):
    def bend(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        columns = ["open", "high", "low", "close", "adj_close", "dividend"]
        frame[columns] = frame[columns] * factor
        return frame

    return bend


def split_on(session: str, ratio: float):
    def bend(frame: pd.DataFrame) -> pd.DataFrame:
        frame = scale(1 / ratio)(frame)
        frame["volume"] = (frame["volume"] * ratio).astype("int64")
        frame.loc[session, "split"] = ratio
        return frame

    return bend


REVISIONS = {
    "in cents": (scale(100.0), "factor of 100 .*cents"),
    "factor": (scale(0.5), "factor of 0.5"),
    "one close": (
        lambda f: f.assign(close=f["close"].where(f.index != f.index[-60], f["high"])),
        "close of 1 sessions",
    ),
    "dividend": (bend_rows(-60, "dividend", 0.2), "dividend of 1 sessions"),
    "history lost": (lambda f: f.iloc[200:], "200 recorded sessions are gone"),
}


@pytest.mark.parametrize("name", sorted(REVISIONS))
def test_revised_history_stops_unless_accepted(data: Path, toy: ToyProvider, name: str) -> None:
    good = fetch(data, toy).vintage
    bend, said = REVISIONS[name]
    toy.bend["F"] = bend
    with pytest.raises(RevisionError, match=said) as caught:
        fetch(data, toy, at=TUESDAY)
    assert caught.value.exit_code == 6
    assert vintage_names(data) == [good.folder.name]
    accepted = fetch(data, toy, at=TUESDAY, accepts_revisions=True)
    assert accepted.is_new
    assert accepted.vintage.manifest["comparison"][0]["revisions"]
    assert good.find_fault() == ""
    assert fetch(data, toy, at=TUESDAY).vintage.folder == accepted.vintage.folder  # the new one is the measure now


def test_adjusted_history_may_change_at_will(data: Path, toy: ToyProvider) -> None:
    fetch(data, toy)
    toy.bend["F"] = lambda f: f.assign(**{"adj_close": f["adj_close"] * 0.98})
    assert fetch(data, toy, at=TUESDAY).is_new


def test_a_split_restates_history_and_is_no_revision(data: Path, toy: ToyProvider) -> None:
    fetch(data, toy)
    toy.bend["F"] = split_on("2026-02-17", 4.0)
    done = fetch(data, toy, at=TUESDAY)
    assert any("split of 4 on 2026-02-17" in note for note in done.notes)
    assert not done.vintage.manifest["comparison"][0]["revisions"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("currency", "EUR", "currency"),
        ("firstTradeDate", "1700000000", "recycled"),
        ("exchangeName", "NMS", "exchange"),
    ],
)
def test_another_listing_under_the_same_ticker_stops(
    data: Path, toy: ToyProvider, key: str, value: str, said: str
) -> None:
    fetch(data, toy)
    toy.listing["F"] = {key: value}
    with pytest.raises(RevisionError, match=said):
        fetch(data, toy, at=TUESDAY)


def test_the_first_download_is_compared_with_the_snapshot(data: Path, toy: ToyProvider) -> None:
    shutil.copytree(ROOT / "data/snapshot", data / "snapshot")
    recorded = pd.read_csv(data / "snapshot/F.csv", index_col="date", parse_dates=True)

    def bend(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        held = recorded.reindex(frame.index.tz_localize(None))
        for name in ("open", "high", "low", "close"):
            frame[name] = held[name].to_numpy()
        return frame

    with pytest.raises(RevisionError, match="closes differ from snapshot-2026-09"):
        fetch(data, toy, "F")
    toy.bend["F"] = lambda f: bend(f).pipe(scale(100.0))
    with pytest.raises(RevisionError, match="factor of 100"):
        fetch(data, toy, "F")
    toy.bend["F"] = bend
    assert fetch(data, toy, "F").vintage.manifest["comparison"][0]["against"] == "snapshot-2026-09"


# ---------------------------------------------------------------- figures that look wrong


SPAN = (pd.Timestamp("2025-01-15"), pd.Timestamp("2026-02-06"))


def at_session(session: str, column: str, factor: float = 1.0, *, add: float = 0.0):
    def bend(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        frame.loc[session, column] = frame.loc[session, column] * factor + add
        return frame

    return bend


def test_a_dividend_times_a_hundred_stops_inside_the_windows_until_it_is_accepted(data: Path, toy: ToyProvider) -> None:
    fetch(data, toy, windows={"F": SPAN})
    toy.bend["F"] = at_session("2025-06-10", "dividend", add=12.0)
    with pytest.raises(SuspicionError, match=r"F: dividend of 2025-06-10 doubtful .* of the close before") as caught:
        fetch(data, toy, at=TUESDAY, windows={"F": SPAN}, accepts_revisions=True)
    assert (caught.value.exit_code, vintage_names(data)) == (6, ["20260213T220000Z"])
    done = fetch(data, toy, at=TUESDAY, windows={"F": SPAN}, accepts_revisions=True, accepts_suspicions=True)
    assert {d["state"] for d in done.vintage.manifest["tickers"]["F"]["doubts"]} == {"accepted"}
    later = datetime(2026, 2, 18, 22, 0, tzinfo=UTC)
    assert fetch(data, toy, at=later, windows={"F": SPAN}).is_new  # accepted once is accepted
    toy.bend["F"] = at_session("2025-06-10", "dividend", add=13.0)
    with pytest.raises(SuspicionError):  # another figure is another doubt
        fetch(data, toy, at=later, windows={"F": SPAN}, accepts_revisions=True)


def test_outside_the_windows_it_is_recorded_and_said(data: Path, toy: ToyProvider) -> None:
    toy.bend["F"] = at_session("2024-06-10", "dividend", add=12.0)
    done = fetch(data, toy, windows={"F": SPAN})
    (doubt,) = done.vintage.manifest["tickers"]["F"]["doubts"]
    assert (doubt["session"], doubt["field"], doubt["found"], doubt["state"]) == (
        "2024-06-10", "dividend", "12", "doubtful",
    )  # fmt: skip
    panel = load_panel(
        open_source("auto", data, ("F", "SPY")), "F", benchmark="SPY", exchange="XNYS", as_of=date(2026, 2, 13)
    )
    assert any(note.startswith("F: dividend of 2024-06-10 doubtful") for note in panel.notes)
    assert panel.doubts["SPY"] == ()
    assert tell_stopping(panel.doubts, {"F": SPAN}) == ""
    longer = tell_stopping(panel.doubts, {"F": (pd.Timestamp("2024-06-10"), SPAN[1])})
    assert longer.startswith("figures inside the estimation or event windows look wrong: F: dividend of 2024-06-10")


def test_a_second_opinion_is_heard_and_may_be_missing(data: Path, toy: ToyProvider) -> None:
    toy.opinions["F"] = at_session("2025-06-10", "dividend", add=0.2)
    with pytest.raises(SuspicionError, match=r"a second reading makes it 0\.2"):
        fetch(data, toy, windows={"F": SPAN})

    def silent(frame: pd.DataFrame) -> pd.DataFrame:
        raise DataError("the repair failed.")

    toy.opinions["F"] = silent
    assert "F: no second opinion: the repair failed." in fetch(data, toy, windows={"F": SPAN}).notes


# ---------------------------------------------------------------- waiting, and what is optional


def test_a_rate_limit_leaves_no_part_and_is_waited_out(data: Path, toy: ToyProvider) -> None:
    toy.errors = [None, *[RateLimitError("wait.")] * 3]
    slept: list[float] = []
    done = wait_out(lambda: fetch(data, toy), 1800.0, sleep=slept.append)
    assert done.is_new
    assert slept == [60.0, 120.0, 240.0]
    toy.errors = [RateLimitError("wait.")] * 50
    slept.clear()
    with pytest.raises(RateLimitError) as caught:
        wait_out(lambda: fetch(data, toy, at=TUESDAY), 1800.0, sleep=slept.append)
    assert (sum(slept), max(slept), caught.value.exit_code) == (1800.0, 600.0, 75)
    assert len(vintage_names(data)) == 1


def test_a_listing_beside_the_story_may_fail_and_is_named(data: Path, toy: ToyProvider) -> None:
    toy.bend["1810.HK"] = lambda f: f.iloc[:0]
    done = fetch(data, toy, "F", "SPY", "1810.HK", optional=("1810.HK",))
    assert "1810.HK" in done.vintage.manifest["not_to_be_had"]
    assert not done.vintage.holds("1810.HK")
    assert any(note.startswith("1810.HK not to be had") for note in done.notes)


def test_bars_are_utc_and_only_what_is_not_recorded_is_asked_for(data: Path, toy: ToyProvider) -> None:
    first = fetch(data, toy, bars=("F",))
    bars = pd.read_csv(first.vintage.folder / "intraday/1m/F.csv")
    assert bars["minute"].iloc[0] == "2026-02-12T14:30:00Z"
    entry = first.vintage.manifest["files"]["intraday/1m/F.csv"]
    assert (entry["bar_minutes"], entry["label"], entry["shift_minutes"], entry["zone"]) == (1, "start", 0, "UTC")
    assert ("bars 1", "F", date(2026, 1, 15), date(2026, 2, 13)) in toy.asked
    assert ("bars 5", "F", date(2025, 12, 16), date(2026, 2, 13)) in toy.asked
    toy.asked.clear()
    second = fetch(data, toy, bars=("F",), at=TUESDAY)
    assert ("bars 1", "F", date(2026, 2, 13), date(2026, 2, 17)) in toy.asked
    new = pd.read_csv(second.vintage.folder / "intraday/1m/F.csv")
    assert new["minute"].str[:10].unique().tolist() == ["2026-02-17"]
    request = BarRequest("auto", data, "XNYS", pd.Timestamp("2026-02-17"), 1)
    joined = find_bars("F", request)
    assert joined is not None
    assert len(joined.files) == 2
    assert len(joined.frame) == len(bars) + len(new)
    assert second.vintage.find_fault() == ""


def test_open_stories_have_their_bars_recorded_whether_or_not_an_evening_is_due(data: Path, toy: ToyProvider) -> None:
    vintage, notes = record_bars([load_story("ford-xiaomi", data)], data, toy, at=FRIDAY)
    assert vintage is not None
    assert sorted(n for n in vintage.manifest["files"] if n.startswith("intraday")) == [
        "intraday/1m/F.csv", "intraday/1m/SPY.csv", "intraday/5m/F.csv", "intraday/5m/SPY.csv",
    ]  # fmt: skip
    assert not notes


def test_earnings_are_asked_of_the_storys_firm_and_kept_as_intervals(data: Path, toy: ToyProvider) -> None:
    toy.announced["F"] = make_earnings(
        ("2026-02-10 16:00", True), ("2026-04-29 00:00", False), ("2025-10-23 16:00", True), ("2025-07-30", True)
    )
    done = fetch(data, toy, firms=("F",))
    table = pd.read_csv(done.vintage.folder / "earnings/F.csv")
    assert table.to_dict("list") == {
        "announced_earliest": [
            "2025-07-30T04:00:00Z", "2025-10-23T20:00:00Z", "2026-02-10T21:00:00Z", "2026-04-29T04:00:00Z",
        ],
        "announced_latest": [
            "2025-07-31T04:00:00Z", "2025-10-23T21:00:00Z", "2026-02-10T22:00:00Z", "2026-04-30T04:00:00Z",
        ],
        "ticker": ["F"] * 4,
        "is_reported": ["yes", "yes", "yes", "no"],
    }  # fmt: skip
    assert list_vintages(data / "vintages")[1] == []
    toy.announced["F"] = DataError("the page cannot be read.")
    later = fetch(data, toy, firms=("F",), at=TUESDAY)
    assert later.vintage.read("earnings/F.csv") == done.vintage.read("earnings/F.csv")
    assert later.vintage.manifest["files"]["earnings/F.csv"]["kept_from"] == done.vintage.name
    assert any(f"Those of {done.vintage.name} are kept" in note for note in later.notes)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (pd.DataFrame(), "it is empty"),
        (make_earnings(("2026-02-10 16:00", True)).tz_localize(None), "no time zone"),
        (
            make_earnings(("2026-02-10 16:00", True)).rename(columns={"is_reported": "past"}),
            "columns is_reported are missing",
        ),
        (DataError("broken page."), "broken page"),
        (RateLimitError("wait."), "wait"),
    ],
)
def test_earnings_that_cannot_be_had_are_named_and_fail_nothing(
    data: Path, toy: ToyProvider, answer: object, said: str
) -> None:
    toy.announced["F"] = answer
    done = fetch(data, toy, firms=("F",))
    assert said in done.vintage.manifest["not_to_be_had"]["earnings/F.csv"]
    assert any(note.startswith("earnings/F.csv not to be had") for note in done.notes)
    assert not (done.vintage.folder / "earnings").exists()


def test_two_downloads_at_once(data: Path, toy: ToyProvider) -> None:
    with hold_lock(data / "vintages", ".lock", "busy"), pytest.raises(BusyError):
        fetch(data, toy)


def test_a_disk_that_refuses_leaves_no_part(data: Path, toy: ToyProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    good = fetch(data, toy).vintage

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("event_impact.base.disk.os.rename", refuse)
        with pytest.raises(DataError, match="No space left"):
            fetch(data, toy, at=TUESDAY)
    assert vintage_names(data) == [good.folder.name]
    assert sorted(p.name for p in (data / "vintages").iterdir()) == [".lock", good.folder.name]


# ---------------------------------------------------------------- what is asked


def test_a_story_brings_its_listings(data: Path) -> None:
    request = plan_fetch(("ford-xiaomi",), data, today=date(2026, 2, 13))
    assert request.exchanges == {"F": "XNYS", "SPY": "XNYS", "1810.HK": "XHKG"}
    assert request.optional == ("1810.HK",)
    assert request.firms == ("F",)
    assert request.start == date(2020, 8, 10)


@pytest.mark.parametrize("name", ["nope", "../F", "F;rm", "f", "", "F\n"])
def test_neither_story_nor_ticker(data: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        plan_fetch((name,), data, today=date(2026, 2, 13))


def test_dates_in_disorder(data: Path) -> None:
    with pytest.raises(ConfigError, match="not before"):
        plan_fetch(("F",), data, today=date(2026, 2, 13), start=date(2026, 2, 13))


def test_exchanges_by_suffix() -> None:
    assert [guess_exchange(t) for t in ("F", "1810.HK", "^GSPC", "EURUSD=X", "A.ZZ", "BRK-B")] == [
        "XNYS", "XHKG", None, None, None, "XNYS",
    ]  # fmt: skip


# ---------------------------------------------------------------- source=auto


def load(data: Path, *tickers: str):
    store = open_source("auto", data, tickers)
    return store, store.load(tickers[0], "XNYS")


def test_auto_takes_the_freshest_whole_vintage(data: Path, toy: ToyProvider) -> None:
    shutil.copytree(ROOT / "data/snapshot", data / "snapshot")
    store, history = load(data, "F", "SPY")
    assert store.origin_of("F") == "snapshot"
    assert "no whole vintage holds F and SPY" in store.note
    old = fetch(data, toy, accepts_revisions=True).vintage
    new = fetch(data, toy, at=TUESDAY, accepts_revisions=True).vintage
    store, history = load(data, "F", "SPY")
    assert history.vintage == new.name
    assert list(history.files) == [f"data/vintages/{new.folder.name}/F.csv"]
    assert history.faults.empty
    fetch(data, toy, "F", at=datetime(2026, 2, 18, 22, 0, tzinfo=UTC))
    assert load(data, "F", "SPY")[1].vintage == new.name  # firm and benchmark come from one download
    (new.folder / "SPY.csv").write_bytes((new.folder / "SPY.csv").read_bytes()[:-500])  # a truncated cache
    store, history = load(data, "F", "SPY")
    assert history.vintage == old.name
    assert "another hash" in store.note


def test_a_clock_set_back_does_not_hide_the_freshest(data: Path, toy: ToyProvider) -> None:
    new = fetch(data, toy, at=TUESDAY).vintage
    request = FetchRequest({"F": "XNYS", "SPY": "XNYS"}, date(2024, 1, 2), end=date(2026, 2, 11))
    later = datetime(2027, 1, 1, tzinfo=UTC)
    fetch_vintage(request, data, toy, at=FRIDAY, recorded_at=later, factors=no_factors)
    assert len(vintage_names(data)) == 2
    vintage, _ = choose_vintage(data / "vintages", ("F", "SPY"))
    assert vintage is not None
    assert vintage.folder == new.folder


@pytest.mark.parametrize(
    "manifest",
    [
        "", "[]", "{}", '{"format": 1, "tickers": {}, "files": {"../../stories.csv": {"sha256": "x"}}}',
        '{"format": 1, "tickers": {"F": {"file": "../F.csv", "last_session": "2026-01-02"}}, "files": {}}',
    ],
)  # fmt: skip
def test_a_damaged_or_hostile_manifest_is_passed_over(data: Path, toy: ToyProvider, manifest: str) -> None:
    good = fetch(data, toy).vintage
    bad = data / "vintages/20990101T000000Z"
    bad.mkdir()
    (bad / "manifest.json").write_text(manifest, encoding="utf-8")
    vintage, note = choose_vintage(data / "vintages", ("F", "SPY"))
    assert vintage is not None
    assert vintage.folder == good.folder
    assert "passed over" in note


def test_a_link_out_of_the_vintages_is_passed_over(data: Path, toy: ToyProvider, tmp_path: Path) -> None:
    good = fetch(data, toy).vintage
    (data / "vintages/20990101T000000Z").symlink_to(good.folder)
    assert vintage_names(data) == [good.folder.name]
    (good.folder / "F.csv").rename(tmp_path / "outside.csv")
    (good.folder / "F.csv").symlink_to(tmp_path / "outside.csv")
    assert good.find_fault() == "F.csv is missing"


# ---------------------------------------------------------------- factors


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("file.csv", text)
    return buffer.getvalue()


def test_factors_are_fractions_and_recorded_with_the_vintage(data: Path, toy: ToyProvider) -> None:
    shutil.copytree(ROOT / "data/snapshot", data / "snapshot")
    library = make_library()

    def factors(first: str, data: Path) -> pd.DataFrame:
        return fetch_factors(first, data, read=lambda address: library[address.rpartition("/")[2]])

    done = fetch(data, toy, factors=factors, accepts_revisions=True)
    frame, files, vintage = open_source("auto", data, ("F", "SPY")).load_factors()
    embedded = open_source("snapshot", data).load_factors()[0]
    pd.testing.assert_frame_equal(frame, embedded["2024-01-02":], check_freq=False)
    assert vintage == f"factors of {done.vintage.name}"
    assert list(files) == [f"data/vintages/{done.vintage.folder.name}/factors.csv"]


@pytest.mark.parametrize("content", [b"no zip", zipped("prose only\n"), zipped(",Mkt-RF\n"), zipped("")])
def test_a_library_of_another_shape_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="library"):
        fetch_factors("2026-01-01", ROOT / "data", read=lambda _: content)
    missing = parse_library(zipped(",Mom\n20260212,-99.99\n"))
    assert missing["Mom"].isna().all()


@pytest.mark.network
def test_the_real_provider(data: Path) -> None:
    shutil.copytree(ROOT / "data/snapshot", data / "snapshot")
    request = plan_fetch(("F", "SPY"), data, today=datetime.now(UTC).date())
    done = fetch_vintage(request, data, load_provider(), at=datetime.now(UTC))
    assert done.vintage.holds("F")
