"""The real client of the provider against a server of ours: how it fails, what is asked again, what is kept."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from event_impact.base.errors import DataError, RateLimitError, StudyError, SuspicionError
from event_impact.market.download import fetch_vintage, record_bars
from event_impact.market.fetch_plan import FetchRequest, guess_exchange, plan_fetch
from event_impact.market.providers.yahoo import ATTEMPTS, MAX_WAIT_S, YahooProvider
from event_impact.market.snapshot import open_source
from market.replay import (
    CHART,
    FAULTS,
    ROOT,
    Listing,
    ReplayServer,
    bend,
    make_library,
    make_listing,
    replaying,
)

FRIDAY = datetime(2026, 2, 13, 22, 0, tzinfo=UTC)
SPAN = (pd.Timestamp("2025-01-15"), pd.Timestamp("2026-02-04"))
DAYS = (date(2026, 1, 5), date(2026, 2, 13))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ReplayServer]:
    with replaying(monkeypatch, tmp_path / "cache") as server:
        for ticker in ("F", "SPY"):
            server.listings[ticker] = make_listing(ticker)
        server.listings["1810.HK"] = make_listing("1810.HK", exchange="XHKG", currency="HKD")
        server.listings["F"].earnings = (
            ("April 29, 2026 at 12 AM EDT", "-"), ("February 10, 2026 at 4 PM EST", "0.13"),
        )  # fmt: skip
        server.factors = make_library()
        yield server


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("vintages", "pairs")))


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def yahoo(server: ReplayServer, slept: list[float]) -> YahooProvider:
    return YahooProvider(sleep=slept.append)


def fetch(data: Path, yahoo: YahooProvider, *tickers: str, at: datetime = FRIDAY, **changes: object):
    request = FetchRequest(
        {t: guess_exchange(t) for t in tickers or ("F",)}, date(2024, 10, 1), windows={"F": SPAN}, **changes
    )
    return fetch_vintage(request, data, yahoo, at=at)


# ---------------------------------------------------------------- what passes, and what does not


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"404"}))
def test_a_fault_that_passes_costs_one_more_attempt(server, yahoo, slept, name, monkeypatch):
    if name == "hanging":
        monkeypatch.setattr("event_impact.market.providers.yahoo.TIMEOUT_S", 3.0)
    server.faults = [FAULTS[name]] * (2 if FAULTS[name].status >= 400 else 1)  # the package itself asks twice then
    answer = yahoo.daily("F", *DAYS)
    assert answer.frame["close"].iloc[-1] == 14.12
    assert len(slept) == 1
    assert 0 <= slept[0] <= MAX_WAIT_S
    assert not server.faults


KINDS = {
    "401": "down", "403": "down", "500": "down", "503": "down", "hanging": "down", "429": "wait", "404": "not know",
    "will be right back": "without figures", "consent page": "without figures", "consent page in place": "without figures",
    "empty": "without figures", "empty result": "without figures", "null": "without figures", "truncated": "without figures",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_that_stays_is_asked_about_each_time_and_named(server, slept, name, monkeypatch):
    if name == "hanging":
        monkeypatch.setattr("event_impact.market.providers.yahoo.TIMEOUT_S", 0.5)
    attempts = 1 if name == "404" else 2 if name == "hanging" else ATTEMPTS
    yahoo = YahooProvider(sleep=slept.append, attempts=2 if name == "hanging" else ATTEMPTS)
    server.steady = FAULTS[name]
    with pytest.raises(StudyError, match=KINDS[name]) as caught:
        yahoo.daily("F", *DAYS)
    assert isinstance(caught.value, RateLimitError if name == "429" else DataError)
    assert f"({attempts} attempt" in caught.value.message
    assert len(slept) == attempts - 1
    assert len(server.figures_asked()) >= attempts
    server.steady = None
    monkeypatch.setattr("event_impact.market.providers.yahoo.TIMEOUT_S", 30.0)
    assert len(yahoo.daily("F", *DAYS).frame) == 29  # nothing of it is remembered


def test_an_unknown_ticker_is_told_from_a_provider_that_cannot_be_reached(server, yahoo, slept):
    with pytest.raises(DataError, match=r"NOPE: Yahoo does not know this ticker .unknown, or delisted. \(1 attempt, "):
        yahoo.daily("NOPE", *DAYS)
    server.close()
    with pytest.raises(DataError, match=r"F: Yahoo is down or cannot be reached; that says nothing of the ticker"):
        yahoo.daily("F", *DAYS)


def test_a_refused_crumb_is_not_kept_on_disk(server, yahoo, slept):
    yahoo.daily("F", *DAYS)
    server.faults = [FAULTS["401"]] * 2
    server.asked.clear()
    assert len(yahoo.daily("F", date(2026, 1, 6), DAYS[1]).frame) == 28
    assert [host for host, path, _ in server.asked if path == "/"] == ["fc.yahoo.com"]  # a cookie of its own


def test_warnings_and_logs_of_the_libraries_stay_out_of_the_way(server, yahoo, capfd, recwarn):
    server.faults = [FAULTS["500"]] * 2
    yahoo.daily("F", *DAYS)
    yahoo.earnings("F")
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


# ---------------------------------------------------------------- a story, whole


def test_a_story_is_fetched_with_bars_earnings_and_factors_through_the_real_client(server, yahoo, data):
    request = plan_fetch(("ford-xiaomi",), data, today=FRIDAY.date())
    done = fetch_vintage(request, data, yahoo, at=FRIDAY)
    manifest = done.vintage.manifest
    assert set(manifest["tickers"]) == {"F", "SPY", "1810.HK"}
    assert manifest["not_to_be_had"] == {}
    assert manifest["factors"].startswith("Kenneth French library, recorded to 2026-03-31")
    assert manifest["files"]["earnings/F.csv"]["rows"] == 2
    assert [d["state"] for t in ("F", "SPY") for d in manifest["tickers"][t]["doubts"]] == []
    assert {d["field"] for d in manifest["tickers"]["1810.HK"]["doubts"]} == {"row"}  # half days without a row
    spans = [
        (int(q["period2"]) - int(q["period1"])) / 86400 for _, q in server.figures_asked() if q.get("interval") == "1m"
    ]
    assert max(spans) <= 8
    assert all(
        q["includePrePost"].lower() == "true" for _, q in server.figures_asked() if q.get("interval") in ("1m", "5m")
    )
    bars = pd.read_csv(done.vintage.folder / "intraday/1m/F.csv")
    assert bars["minute"].iloc[0].startswith("2026-01-15")
    assert {"2026-02-02T13:30:00Z", "2026-02-02T14:30:00Z", "2026-02-02T21:30:00Z"} <= set(bars["minute"])
    raw = json.loads(gzip.decompress(done.vintage.read("raw/F.gz")))
    closes = raw["chart"]["result"][0]["indicators"]["quote"][0]["close"]
    embedded = open_source("snapshot", data).load("F", "XNYS").frame["close"]
    assert closes == embedded[request.start.isoformat() : "2026-02-13"].tolist()
    again = fetch_vintage(request, data, yahoo, at=FRIDAY)
    assert not again.is_new


def test_bars_that_are_about_to_be_lost_are_named(server, yahoo, data):
    from event_impact.events.articles import load_story

    story = load_story("ford-xiaomi", data)
    server.only, server.steady = CHART, FAULTS["503"]
    late = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
    vintage, notes = record_bars([story], data, yahoo, at=late)
    assert vintage is None
    assert any("bars of 1 min of F on the event session 2026-02-02 are not recorded, and leave" in n for n in notes)
    _, notes = record_bars([story], data, yahoo, at=datetime(2026, 3, 20, 22, 0, tzinfo=UTC))
    assert any(
        "bars of 1 min of SPY on the event session 2026-02-02 are not recorded, and have left" in n for n in notes
    )
    assert not any("bars of 5 min" in n and "event session" in n for n in notes)  # thirteen days are left


def test_what_is_optional_fails_nothing_that_is_required(server, yahoo, data):
    first = fetch(data, yahoo, firms=("F",), bars=("F",))
    server.faults = []
    server.only, server.steady = "/calendar/earnings", FAULTS["503"]
    server.factors.clear()
    server.listings["F"].daily = server.listings["F"].daily.copy()
    later = datetime(2026, 2, 17, 22, 0, tzinfo=UTC)
    done = fetch(data, yahoo, firms=("F",), bars=("F",), at=later)
    assert done.is_new
    assert done.vintage.read("earnings/F.csv") == first.vintage.read("earnings/F.csv")
    assert "Yahoo is down" in done.vintage.manifest["not_to_be_had"]["earnings/F.csv"]
    assert done.vintage.manifest["factors"].startswith(
        "embedded: the Kenneth French library gave no factors that can serve (HTTPError"
    )


SPOILED = {
    "a damaged archive": (lambda b: b[:100] + bytes(50) + b[150:], "gave no factors"),
    "half an archive": (lambda b: b[: len(b) // 2], "gave no factors"),
    "nothing": (lambda b: b"", "gave no factors"),
}


@pytest.mark.parametrize("name", sorted(SPOILED))
def test_a_spoiled_factor_file_leaves_the_embedded_factors(server, yahoo, data, name):
    spoil, said = SPOILED[name]
    server.factors = {file: spoil(content) for file, content in server.factors.items()}
    done = fetch(data, yahoo)
    assert said in done.vintage.manifest["factors"]
    assert "factors.csv" not in done.vintage.manifest["files"]


def test_factors_that_are_not_the_embedded_ones_are_refused(server, yahoo, data):
    server.factors = make_library(scale=1.0)  # fractions where percent belong
    assert "they differ from the embedded ones in" in fetch(data, yahoo).vintage.manifest["factors"]
    server.factors = make_library(is_doubled=True)
    later = datetime(2026, 2, 17, 22, 0, tzinfo=UTC)
    assert "repeats a date" in fetch(data, yahoo, at=later).vintage.manifest["factors"]


# ---------------------------------------------------------------- figures that the provider gets wrong


def all_of(listing: Listing, first: str, last: str, factor: float, *, with_dividends: bool = True) -> Listing:
    daily = listing.daily.copy()
    columns = ["open", "high", "low", "close", "adj_close", *(["dividend"] if with_dividends else [])]
    daily.loc[first:last, columns] *= factor
    return Listing(daily, listing.exchange, listing.meta)


def price(session: str, column: str = "close") -> float:
    return float(make_listing("F").daily.at[session, column])


STOPPED = {
    "a dividend times a hundred": (lambda f: bend(f, "2025-11-11", dividend=15.0), "dividend of 2025-11-11"),
    "a day times a hundred": (lambda f: all_of(f, "2025-06-10", "2025-06-10", 100), "close of 2025-06-10 .* close of 2025-06-11"),
    "a week of pence": (lambda f: all_of(f, "2025-06-09", "2025-06-13", 0.01), "close of 2025-06-09"),
    "a missed split": (lambda f: all_of(f, "2020-01-01", "2025-06-09", 2), "close of 2025-06-10"),
    "a split applied twice": (
        lambda f: bend(all_of(f, "2020-01-01", "2025-06-09", 0.25), "2025-06-10", split=4.0), "split of 2025-06-10",
    ),
    "a dividend twice": (
        lambda f: bend(f, "2025-08-12", dividend=float(f.daily.at["2025-08-11", "dividend"])), "dividend of 2025-08-11",
    ),
    "a spike": (
        lambda f: bend(f, "2025-06-10", close=1.3 * price("2025-06-10"), high=1.4 * price("2025-06-10")),
        "close of 2025-06-10",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(STOPPED))
def test_implausible_figures_inside_the_windows_stop_the_download(server, yahoo, data, name):
    spoil, said = STOPPED[name]
    assert server.listings["F"].daily.at["2025-08-11", "dividend"] == 0.15
    server.listings["F"] = spoil(server.listings["F"])
    with pytest.raises(SuspicionError, match=said) as caught:
        fetch(data, yahoo, accepts_revisions=True)
    assert caught.value.exit_code == 6
    assert not list((data / "vintages").glob("2*"))
    done = fetch(data, yahoo, accepts_revisions=True, accepts_suspicions=True)
    assert {d["state"] for d in done.vintage.manifest["tickers"]["F"]["doubts"]} <= {"accepted", "set aside", "noted"}


SET_ASIDE = {
    "an open off by a fraction of a percent": (
        lambda f: bend(f, "2025-06-10", open=1.0005 * price("2025-06-10", "high")), "open", True,
    ),
    "a close off by a fraction of a percent": (
        lambda f: bend(f, "2025-06-10", high=0.9995 * price("2025-06-10")), "high", True,
    ),
    "zeros": (lambda f: bend(f, "2025-06-10", open=0.0, high=0.0, low=0.0), "open", True),
    "a row of nulls": (
        lambda f: bend(f, "2025-06-10", **dict.fromkeys(("open", "high", "low", "close", "adj_close", "volume"), np.nan)),
        "close",
        False,
    ),
    "a volume below zero": (lambda f: bend(f, "2025-06-10", volume=-1.0), "volume", True),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SET_ASIDE))
def test_a_bad_bar_costs_its_own_figures(server, yahoo, data, name):
    spoil, field, has_close = SET_ASIDE[name]
    server.listings["F"] = spoil(server.listings["F"])
    done = fetch(data, yahoo)
    doubts = done.vintage.manifest["tickers"]["F"]["doubts"]
    assert {(d["session"], d["state"]) for d in doubts} == {("2025-06-10", "set aside")}
    assert field in {d["field"] for d in doubts}
    frame = open_source("auto", data, ("F",)).load("F", "XNYS").frame
    assert ("2025-06-10" in frame.index) == has_close
    if has_close:
        assert frame.at[pd.Timestamp("2025-06-10"), "close"] == price("2025-06-10")


def test_bars_of_another_unit_are_set_aside(server, yahoo, data):
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index == pd.Timestamp("2026-02-12T15:00Z"), ["open", "high", "low", "close"]] *= 100
        return frame

    server.listings["F"].spoil_bars = spoil
    done = fetch(data, yahoo, bars=("F",))
    assert any(note.startswith("F, bars of 5 min: row of 2026-02-12T15:00:00Z set aside") for note in done.notes)
    assert "2026-02-12T15:00:00Z" not in set(pd.read_csv(done.vintage.folder / "intraday/5m/F.csv")["minute"])
