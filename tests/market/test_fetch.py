"""Downloads: whole vintages or none, history compared, rate limits waited out."""

from __future__ import annotations

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
from event_impact.base.errors import BusyError, ConfigError, DataError, RevisionError
from event_impact.events.calendars import load_hours
from event_impact.market.download import FetchRequest, fetch_vintage, guess_exchange, last_closed, plan_fetch
from event_impact.market.providers.french import fetch_factors, parse_library
from event_impact.market.providers.yahoo import YahooProvider, is_transient
from event_impact.market.snapshot import open_source
from event_impact.market.vintages import choose_vintage, list_vintages
from market.fake_yahoo import FakeRateLimit, FakeYahoo, make_earnings, make_history

ROOT = Path(__file__).resolve().parents[2]
FRIDAY = datetime(2026, 2, 13, 22, 0, tzinfo=UTC)
TUESDAY = datetime(2026, 2, 17, 22, 0, tzinfo=UTC)  # Monday 16 February is a holiday


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with the registry and no prices."""
    for name in ("stories.csv", "articles.csv", "confounders.csv", "faults.csv", "manifest.csv", "peers.csv"):
        shutil.copy(ROOT / "data" / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def yahoo() -> FakeYahoo:
    return FakeYahoo()


def no_factors(first: str) -> pd.DataFrame:
    raise DataError("the library cannot be reached.")


def fetch(data: Path, yahoo: FakeYahoo, *tickers: str, at: datetime = FRIDAY, **changes: object):
    slept = changes.pop("slept", [])
    factors = changes.pop("factors", no_factors)
    request = FetchRequest({t: guess_exchange(t) for t in tickers or ("F", "SPY")}, date(2024, 1, 2), **changes)
    provider = YahooProvider(yahoo, sleep=slept.append)
    return fetch_vintage(request, data, provider, at=at, factors=factors)


def vintage_names(data: Path) -> list[str]:
    return [v.folder.name for v in list_vintages(data / "vintages")[0]]


def test_a_vintage_is_whole_and_says_what_it_holds(data: Path, yahoo: FakeYahoo) -> None:
    done = fetch(data, yahoo)
    assert done.is_new
    assert done.vintage.folder.name == "20260213T220000Z"
    manifest = json.loads((done.vintage.folder / "manifest.json").read_text())
    assert manifest["tickers"]["F"]["last_session"] == "2026-02-13"
    assert manifest["tickers"]["F"]["listing"]["currency"] == "USD"
    assert set(manifest["versions"]) == {"event-impact", "yfinance", "pandas"}
    assert "split-adjusted" in manifest["prices"]
    assert manifest["factors"].startswith("embedded")
    assert done.vintage.find_fault() == ""
    table = pd.read_csv(done.vintage.folder / "F.csv")
    assert list(table.columns) == ["date", "ticker", "open", "high", "low", "close", "volume", "dividend", "split"]
    wanted = make_history("2024-01-02", "2026-02-13", seed=sum(map(ord, "F")))
    np.testing.assert_array_equal(table["close"], wanted["Close"])
    assert yahoo.calls[0] == ("F", {"interval": "1d", "start": "2024-01-02", "end": "2026-02-14"})
    assert not list((data / "vintages").glob(".staging*"))


def test_the_same_answer_makes_no_second_vintage(data: Path, yahoo: FakeYahoo) -> None:
    first = fetch(data, yahoo)
    again = fetch(data, yahoo)
    assert not again.is_new
    assert again.vintage.folder == first.vintage.folder
    later = fetch(data, yahoo, at=TUESDAY)
    assert later.is_new
    assert later.vintage.manifest["comparison"][0]["against"] == first.vintage.name
    assert later.vintage.manifest["comparison"][0]["accepted_revisions"] == []


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
    "column lost": (lambda f: f.drop(columns="Dividends"), "Dividends"),
    "short at the end": (lambda f: f.iloc[:-1], "has closed"),
    "hole in the middle": (lambda f: f.drop(f.index[100]), "no row"),
    "duplicated": (lambda f: pd.concat([f, f.iloc[-1:]]), "more than once"),
    "close missing": (bend_rows(50, "Close", np.nan), "close is missing"),
    "open missing": (bend_rows(50, "Open", np.nan), "open is missing"),
    "infinite": (bend_rows(50, "Close", np.inf), "infinite"),
    "negative": (bend_rows(50, "Close", -1.0), "not positive"),
    "one day in cents": (bend_rows(50, "Close", 1300.0), "above high"),
    "shifted by a zone": (lambda f: f.set_axis(f.index.tz_localize(None).tz_localize("UTC")), "shifted by a zone"),
    "without a zone": (lambda f: f.tz_localize(None), "no time zone"),
    "a day late": (lambda f: f.set_axis(f.index + pd.Timedelta(days=1)), "shifted|no session"),
    "weekend row": (
        lambda f: pd.concat([f, f.iloc[[-2]].set_axis(f.index[[-2]] + pd.Timedelta(days=1))]).sort_index(),
        "no session",
    ),
    "stale bar": (lambda f: pd.concat([f.iloc[:-1], f.iloc[[-2]].set_axis(f.index[[-1]])]), "repeats"),
    "text": (lambda f: f.assign(Close="n/a"), "no number"),
}


@pytest.mark.parametrize("name", sorted(BAD_ANSWERS))
def test_a_bad_answer_leaves_nothing_behind(data: Path, yahoo: FakeYahoo, name: str) -> None:
    good = fetch(data, yahoo).vintage
    bend, said = BAD_ANSWERS[name]
    yahoo.bend["SPY"] = bend
    with pytest.raises(DataError, match=said) as caught:
        fetch(data, yahoo, at=TUESDAY)
    assert caught.value.exit_code == 3
    assert vintage_names(data) == [good.folder.name]
    assert good.find_fault() == ""
    yahoo.bend.clear()
    assert fetch(data, yahoo, at=TUESDAY).is_new


def test_rows_out_of_order_are_sorted_and_it_is_said(data: Path, yahoo: FakeYahoo) -> None:
    yahoo.bend["F"] = lambda f: f.iloc[::-1]
    done = fetch(data, yahoo)
    assert pd.read_csv(done.vintage.folder / "F.csv")["date"].is_monotonic_increasing
    assert any("out of order" in note for note in done.notes)


def test_an_unfinished_session_is_left_out_and_it_is_said(data: Path, yahoo: FakeYahoo) -> None:
    noon = datetime(2026, 2, 13, 17, 0, tzinfo=UTC)
    yahoo.bend["F"] = lambda f: make_history("2024-01-02", "2026-02-13", seed=sum(map(ord, "F")))
    done = fetch(data, yahoo, at=noon)
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
        columns = ["Open", "High", "Low", "Close", "Adj Close", "Dividends"]
        frame[columns] = frame[columns] * factor
        return frame

    return bend


def split_on(session: str, ratio: float):
    def bend(frame: pd.DataFrame) -> pd.DataFrame:
        frame = scale(1 / ratio)(frame)
        frame["Volume"] = (frame["Volume"] * ratio).astype("int64")
        frame.loc[session, "Stock Splits"] = ratio
        return frame

    return bend


REVISIONS = {
    "in cents": (scale(100.0), "factor of 100 .*cents"),
    "factor": (scale(0.5), "factor of 0.5"),
    "one close": (bend_rows(-60, "Close", 0.0), None),
    "dividend": (bend_rows(-60, "Dividends", 0.2), "dividend of 1 sessions"),
    "history lost": (lambda f: f.iloc[200:], "200 recorded sessions are gone"),
}


@pytest.mark.parametrize("name", sorted(REVISIONS))
def test_revised_history_stops_unless_accepted(data: Path, yahoo: FakeYahoo, name: str) -> None:
    good = fetch(data, yahoo).vintage
    bend, said = REVISIONS[name]
    if name == "one close":

        def bend(frame: pd.DataFrame) -> pd.DataFrame:
            frame = frame.copy()
            frame.iloc[-60, frame.columns.get_loc("Close")] = frame["High"].iloc[-60]
            return frame

        said = "close of 1 sessions changed"
    yahoo.bend["F"] = bend
    with pytest.raises(RevisionError, match=said) as caught:
        fetch(data, yahoo, at=TUESDAY)
    assert caught.value.exit_code == 6
    assert vintage_names(data) == [good.folder.name]
    accepted = fetch(data, yahoo, at=TUESDAY, accepts_revisions=True)
    assert accepted.is_new
    assert accepted.vintage.manifest["comparison"][0]["accepted_revisions"]
    assert good.find_fault() == ""
    assert fetch(data, yahoo, at=TUESDAY).vintage.folder == accepted.vintage.folder  # the new one is the measure now


def test_adjusted_history_may_change_at_will(data: Path, yahoo: FakeYahoo) -> None:
    fetch(data, yahoo)
    yahoo.bend["F"] = lambda f: f.assign(**{"Adj Close": f["Adj Close"] * 0.98})
    assert fetch(data, yahoo, at=TUESDAY).is_new


def test_a_split_restates_history_and_is_no_revision(data: Path, yahoo: FakeYahoo) -> None:
    fetch(data, yahoo)
    yahoo.bend["F"] = split_on("2026-02-17", 4.0)
    done = fetch(data, yahoo, at=TUESDAY)
    assert any("split of 4 on 2026-02-17" in note for note in done.notes)
    assert done.vintage.manifest["comparison"][0]["accepted_revisions"] == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("currency", "EUR", "currency"), ("firstTradeDate", 1700000000, "recycled"), ("exchangeName", "NMS", "exchange")],
)
def test_another_listing_under_the_same_ticker_stops(
    data: Path, yahoo: FakeYahoo, key: str, value: object, said: str
) -> None:
    fetch(data, yahoo)
    yahoo.metadata["F"] = {key: value}
    with pytest.raises(RevisionError, match=said):
        fetch(data, yahoo, at=TUESDAY)


def test_the_first_download_is_compared_with_the_snapshot(data: Path, yahoo: FakeYahoo) -> None:
    shutil.copytree(ROOT / "data/snapshot", data / "snapshot")
    recorded = pd.read_csv(data / "snapshot/F.csv", index_col="date", parse_dates=True)

    def bend(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        held = recorded.reindex(frame.index.tz_localize(None))
        for column, name in (("Open", "open"), ("High", "high"), ("Low", "low"), ("Close", "close")):
            frame[column] = held[name].to_numpy()
        return frame

    with pytest.raises(RevisionError, match="closes differ from snapshot-2026-09"):
        fetch(data, yahoo, "F")
    yahoo.bend["F"] = lambda f: bend(f).pipe(scale(100.0))
    with pytest.raises(RevisionError, match="factor of 100"):
        fetch(data, yahoo, "F")
    yahoo.bend["F"] = bend
    assert fetch(data, yahoo, "F").vintage.manifest["comparison"][0]["against"] == "snapshot-2026-09"


# ---------------------------------------------------------------- the network


@pytest.mark.parametrize("error", [FakeRateLimit("Too Many Requests"), ConnectionError("reset"), TimeoutError("slow")])
def test_a_passing_error_is_waited_out(data: Path, yahoo: FakeYahoo, error: Exception) -> None:
    yahoo.errors = [error, error]
    slept: list[float] = []
    assert fetch(data, yahoo, slept=slept).is_new
    assert len(slept) == 2
    assert all(0 <= seconds <= 90 for seconds in slept)


def test_an_endless_rate_limit_ends(data: Path, yahoo: FakeYahoo) -> None:
    yahoo.errors = [FakeRateLimit("Too Many Requests")] * 50
    slept: list[float] = []
    with pytest.raises(DataError, match="after 5 attempts") as caught:
        fetch(data, yahoo, slept=slept)
    assert caught.value.exit_code == 3
    assert len(slept) == 4
    assert len(yahoo.calls) == 5
    assert vintage_names(data) == []


def test_a_limit_at_the_second_ticker_leaves_no_part(data: Path, yahoo: FakeYahoo) -> None:
    yahoo.errors = [None, *[FakeRateLimit("Too Many Requests")] * 50]
    with pytest.raises(DataError, match="SPY"):
        fetch(data, yahoo)
    assert vintage_names(data) == []


def test_an_unknown_ticker_is_not_tried_again(data: Path, yahoo: FakeYahoo) -> None:
    yahoo.errors = [ValueError("no timezone found")]
    with pytest.raises(DataError, match="after 1 attempt "):
        fetch(data, yahoo)
    assert not is_transient(ValueError("x"))


def test_a_listing_beside_the_story_may_fail_and_is_named(data: Path, yahoo: FakeYahoo) -> None:
    yahoo.bend["1810.HK"] = lambda f: f.iloc[:0]
    done = fetch(data, yahoo, "F", "SPY", "1810.HK", optional=frozenset({"1810.HK"}))
    assert "1810.HK" in done.vintage.manifest["left_out"]
    assert not done.vintage.holds("1810.HK")
    assert any(note.startswith("1810.HK left out") for note in done.notes)


def test_intraday_bars_are_utc_and_asked_for_within_reach(data: Path, yahoo: FakeYahoo) -> None:
    done = fetch(data, yahoo, "F", has_intraday=True)
    bars = pd.read_csv(done.vintage.folder / "intraday/1m/F.csv")
    assert bars["minute"].iloc[0].endswith("T14:30:00Z")
    minute = [window for _, window in yahoo.calls if window["interval"] == "1m"]
    spans = [(pd.Timestamp(w["end"]) - pd.Timestamp(w["start"])).days for w in minute]
    assert max(spans) <= 7
    assert sum(spans) == 30
    assert done.vintage.find_fault() == ""


def test_earnings_are_asked_of_the_storys_firm_and_kept_as_intervals(data: Path, yahoo: FakeYahoo) -> None:
    yahoo.earnings["F"] = make_earnings(
        ("2026-02-10 16:00", "0.13"), ("2026-04-29 00:00", None), ("2025-10-23 16:00", "0.45"), ("2025-07-30", "0.37")
    )
    done = fetch(data, yahoo, firms=("F",))
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
    assert done.vintage.find_fault() == ""
    assert list_vintages(data / "vintages")[1] == []
    assert yahoo.asked_earnings == ["F"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "there is none"),
        (make_earnings(("2026-02-10 16:00", "0.13")).tz_localize(None), "no zone"),
        (make_earnings(("2026-02-10 16:00", "0.13")).drop(columns="Reported EPS"), "Reported EPS is missing"),
        (ValueError("broken page"), "no answer from Yahoo after 1 attempt"),
    ],
)
def test_earnings_that_cannot_be_had_are_named_and_fail_nothing(
    data: Path, yahoo: FakeYahoo, answer: object, said: str
) -> None:
    yahoo.earnings["F"] = answer
    done = fetch(data, yahoo, firms=("F",))
    assert said in done.vintage.manifest["earnings_not_to_be_had"]["F"]
    assert any(note.startswith("F, earnings dates not to be had") for note in done.notes)
    assert not (done.vintage.folder / "earnings").exists()


def test_two_downloads_at_once(data: Path, yahoo: FakeYahoo) -> None:
    with hold_lock(data / "vintages", ".lock", "busy"), pytest.raises(BusyError):
        fetch(data, yahoo)


def test_a_disk_that_refuses_leaves_no_part(data: Path, yahoo: FakeYahoo, monkeypatch: pytest.MonkeyPatch) -> None:
    good = fetch(data, yahoo).vintage

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("event_impact.base.disk.os.rename", refuse)
        with pytest.raises(DataError, match="No space left"):
            fetch(data, yahoo, at=TUESDAY)
    assert vintage_names(data) == [good.folder.name]
    assert sorted(p.name for p in (data / "vintages").iterdir()) == [".lock", good.folder.name]


# ---------------------------------------------------------------- what is asked


def test_a_story_brings_its_listings(data: Path) -> None:
    request = plan_fetch(("ford-xiaomi",), data, today=date(2026, 2, 13))
    assert request.exchanges == {"F": "XNYS", "SPY": "XNYS", "1810.HK": "XHKG"}
    assert request.optional == {"1810.HK"}
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


def test_auto_takes_the_freshest_whole_vintage(data: Path, yahoo: FakeYahoo) -> None:
    shutil.copytree(ROOT / "data/snapshot", data / "snapshot")
    store, history = load(data, "F", "SPY")
    assert store.origin_of("F") == "snapshot"
    assert "no whole vintage holds F and SPY" in store.note
    old = fetch(data, yahoo, accepts_revisions=True).vintage
    new = fetch(data, yahoo, at=TUESDAY, accepts_revisions=True).vintage
    store, history = load(data, "F", "SPY")
    assert history.vintage == new.name
    assert list(history.files) == [f"data/vintages/{new.folder.name}/F.csv"]
    assert history.faults.empty
    fetch(data, yahoo, "F", at=datetime(2026, 2, 18, 22, 0, tzinfo=UTC))
    assert load(data, "F", "SPY")[1].vintage == new.name  # firm and benchmark come from one download
    (new.folder / "SPY.csv").write_bytes((new.folder / "SPY.csv").read_bytes()[:-500])  # a truncated cache
    store, history = load(data, "F", "SPY")
    assert history.vintage == old.name
    assert "another hash" in store.note


def test_a_clock_set_back_does_not_hide_the_freshest(data: Path, yahoo: FakeYahoo) -> None:
    new = fetch(data, yahoo, at=TUESDAY).vintage
    request = FetchRequest({"F": "XNYS", "SPY": "XNYS"}, date(2024, 1, 2), end=date(2026, 2, 11))
    later = datetime(2027, 1, 1, tzinfo=UTC)
    fetch_vintage(request, data, YahooProvider(yahoo), at=FRIDAY, recorded_at=later, factors=no_factors)
    assert len(vintage_names(data)) == 2
    choice = choose_vintage(data / "vintages", ("F", "SPY"))
    assert choice.vintage is not None
    assert choice.vintage.folder == new.folder


@pytest.mark.parametrize(
    "manifest",
    [
        "", "[]", "{}", '{"format": 1, "tickers": {}, "files": {"../../stories.csv": {"sha256": "x"}}}',
        '{"format": 1, "tickers": {"F": {"file": "../F.csv", "last_session": "2026-01-02"}}, "files": {}}',
    ],
)  # fmt: skip
def test_a_damaged_or_hostile_manifest_is_passed_over(data: Path, yahoo: FakeYahoo, manifest: str) -> None:
    good = fetch(data, yahoo).vintage
    bad = data / "vintages/20990101T000000Z"
    bad.mkdir()
    (bad / "manifest.json").write_text(manifest, encoding="utf-8")
    choice = choose_vintage(data / "vintages", ("F", "SPY"))
    assert choice.vintage is not None
    assert choice.vintage.folder == good.folder
    assert "passed over" in choice.note


def test_a_link_out_of_the_vintages_is_passed_over(data: Path, yahoo: FakeYahoo, tmp_path: Path) -> None:
    good = fetch(data, yahoo).vintage
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


FIVE = (
    "prose\n\n,Mkt-RF,SMB,HML,RMW,CMA,RF\n"
    "20260212,  -0.67,  0.10, 0.20,0.30,0.40,0.015\n20260213,1.00,0,0,0,0,0.015\n\n"
)
MOMENTUM = "prose\n,Mom   \n20260212,   0.50\n20260213,  -0.25\n\nCopyright\n"


def test_factors_are_fractions_and_recorded_with_the_vintage(data: Path, yahoo: FakeYahoo) -> None:
    def read(address: str) -> bytes:
        return zipped(MOMENTUM if "Momentum" in address else FIVE)

    done = fetch(data, yahoo, factors=lambda first: fetch_factors(first, read=read))
    store = open_source("auto", data, ("F", "SPY"))
    frame, files, vintage = store.load_factors()
    assert frame.loc["2026-02-12", "mkt_rf"] == pytest.approx(-0.0067)
    assert frame.loc["2026-02-13", "mom"] == pytest.approx(-0.0025)
    assert vintage == f"factors of {done.vintage.name}"
    assert list(files) == [f"data/vintages/{done.vintage.folder.name}/factors.csv"]


@pytest.mark.parametrize("content", [b"no zip", zipped("prose only\n"), zipped(",Mkt-RF\n"), zipped("")])
def test_a_library_of_another_shape_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="library"):
        fetch_factors("2026-01-01", read=lambda _: content)
    missing = parse_library(zipped(",Mom\n20260212,-99.99\n"))
    assert missing["Mom"].isna().all()


@pytest.mark.network
def test_the_real_provider(data: Path) -> None:
    shutil.copytree(ROOT / "data/snapshot", data / "snapshot")
    request = plan_fetch(("F", "SPY"), data, today=datetime.now(UTC).date())
    done = fetch_vintage(request, data, YahooProvider(), at=datetime.now(UTC))
    assert done.vintage.holds("F")
