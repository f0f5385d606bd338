"""One ticker and one instant: the numbers of the registered story, from whatever holds the prices."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pandas as pd
import pytest
from event_impact import Study, ask
from event_impact.base.csv_tables import Tables
from event_impact.base.errors import ConfigError, StudyError
from event_impact.base.root import StudyRoot
from event_impact.events.calendars import load_hours
from event_impact.market.snapshot import open_source
from event_impact.page.finding import find_primary
from event_impact.study.ask import find_listing, imagine_next_session, lend_study, open_prices, read_bounds
from stories import ROOT

AT = "2026-01-31T18:28Z"


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return open_source("snapshot", ROOT / "data").load("F", "XNYS").frame


def headline(study: Study) -> tuple[float, ...]:
    row = find_primary(study.estimates, "close_to_close")
    return (row.estimate, row.rank_p, *row.ci95, row.mde80_rule)


def test_the_recorded_prices_give_the_registered_story_s_numbers(focal: Study) -> None:
    """Report and denial share one session, so one instant of that weekend asks for the same number."""
    found = ask("F", AT, root=ROOT, as_of="2026-02-13")
    assert headline(found) == headline(focal)
    assert (found.story.benchmark, found.story.exchange, found.story.firm_name) == ("SPY", "XNYS", "Ford")
    assert found.alignment.event_session == focal.alignment.event_session
    assert found.alignment.identification.kind == "report_only"


def test_frame_file_and_series_hold_the_same_closes(history: pd.DataFrame, focal: Study, tmp_path) -> None:
    frame = history.rename_axis("date").reset_index()
    path = tmp_path / "my prices.csv"
    frame.to_csv(path, index=False)
    wanted = headline(focal)
    for prices in (frame, history, path, str(path), frame.assign(ticker="F")):
        found = ask(prices, datetime(2026, 1, 31, 18, 28, tzinfo=UTC), ticker="F", root=ROOT, as_of="2026-02-13")
        assert headline(found) == pytest.approx(wanted, rel=1e-12)
    closes = ask(history["close"].rename("F"), AT, root=ROOT)
    assert closes.as_of == history.index[-1].date()
    estimate = find_primary(closes.estimates, "close_to_close").estimate
    assert estimate == pytest.approx(wanted[0], abs=5e-4)  # price returns: the dividends are not in them
    assert find_primary(closes.estimates, "close_to_open").note == "no opening prices are recorded"


def test_frames_as_yfinance_gives_them(history: pd.DataFrame, focal: Study) -> None:
    """One ticker with its dates as index or column, or several below each other's names: ``yfinance.download``."""
    titled = history.rename(columns=str.title).rename(columns={"Dividend": "Dividends"}).rename_axis("Date")
    spread = pd.concat({"F": titled, "GM": titled * 2}, axis=1, names=["Ticker", "Price"]).swaplevel(axis=1)
    for prices in (titled, titled.reset_index(), spread):
        found = ask(prices, [AT, "2026-01-31T18:29Z"], ticker="F", root=ROOT, as_of="2026-02-13")
        assert headline(found) == pytest.approx(headline(focal), rel=1e-12)


def test_a_benchmark_of_one_s_own_is_not_replaced(history: pd.DataFrame) -> None:
    """Against a constant multiple of recorded SPY the numbers are those of SPY: the frame's own column served."""
    market = open_source("snapshot", ROOT / "data").load("SPY", "XNYS").frame
    scaled = market.assign(ticker="MKT", close=market["close"] * 3, dividend=market["dividend"] * 3)
    both = (
        pd.concat([history.assign(ticker="F"), scaled])
        .rename_axis("date")
        .reset_index()[["date", "ticker", "close", "dividend"]]
    )
    found, usual = (ask(both, AT, ticker="F", benchmark=name, root=ROOT) for name in ("MKT", ""))
    assert (found.story.benchmark, usual.story.benchmark) == ("MKT", "SPY")
    assert headline(found) == pytest.approx(headline(usual), rel=1e-9)


def test_two_sessions_are_judged_as_one_set() -> None:
    found = ask("F", ("2026-01-30T15:00Z", "2026-02-02T15:00Z"), root=ROOT)
    assert [str(s.date()) for s in found.alignment.reachable] == ["2026-01-30", "2026-02-02"]
    assert find_primary(found.estimates, "close_to_close").n_candidates == 2


def test_the_story_is_named_by_what_was_asked_and_written_nowhere() -> None:
    def state() -> dict[str, str]:
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (ROOT / "data").glob("*.csv")}

    before = state()
    one, other = ask("F", AT, root=ROOT), ask("F", "2026-01-31T18:29Z", root=ROOT)
    assert one.name.startswith("ask-f-")
    assert len(one.name) == len("ask-f-") + 8
    assert one.name == ask("F", "2026-01-31T13:28-05:00", root=ROOT).name != other.name
    assert ask("STLA", AT, root=ROOT, benchmark="F").name.startswith("ask-stla-")
    assert state() == before


@pytest.mark.parametrize(
    ("prices", "at", "options", "code", "words"),
    [
        ("F", "2026-01-31T18:28", {}, 2, "names no zone"),
        ("F", "noon", {}, 2, "is no instant"),
        ("F", None, {}, 2, "is no instant"),
        ("F", (AT, AT, AT), {}, 2, "3 instants are given"),
        ([13.9, 14.1], AT, {}, 2, "a list holds none"),
        (pd.Series(range(9), name="F"), AT, {}, 3, "no column for date"),
        (pd.Series(-1.0, pd.bdate_range("2026-01-20", "2026-02-06"), name="F"), AT, {}, 3, "has no close"),
        ("F", AT, {"source": "auto"}, 2, "source is no parameter of a question"),
        ("F", "2026-06-30T18:28Z", {}, 3, "the prices end on 2026-03-31"),
        ("F", ("2026-02-02T15:00Z", "2026-02-01T15:00Z"), {}, 2, "does not lie before"),
        ("F", "1990-01-31T18:28Z", {}, 2, "before the first known session"),
        ("f", AT, {}, 2, "expected a ticker"),
        ("F.QQ", AT, {}, 2, "does not say its exchange"),
        ("SPY", AT, {}, 2, "the usual benchmark itself"),
        ("F", AT, {"exchange": "XSAU"}, 2, "is a listing on XNYS"),
        ("RIY.SR", AT, {"exchange": "XSAU"}, 2, "for which none is usual"),
        ("F", AT, {"model": "marke"}, 2, "Did you mean market"),
        ("ARVO", AT, {}, 3, "no prices of ARVO"),
        ("nowhere.csv", AT, {"ticker": "F"}, 3, "does not exist"),
        ("F", AT, {"benchmark": "ARVO"}, 3, "no prices of ARVO"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(prices, at, options, code, words) -> None:
    with pytest.raises(StudyError, match=words) as refusal:
        ask(prices, at, root=ROOT, **options)
    assert refusal.value.exit_code == code


def test_a_frame_of_several_shares_needs_a_name(history: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="Name the share"):
        ask(history, AT, root=ROOT)


def test_beforehand_tells_the_sizes_of_the_next_session() -> None:
    tables = Tables(ROOT / "data")
    listing = find_listing("F", tables)
    store = open_prices("F", listing, tables)
    found = imagine_next_session(listing, store, tables, StudyRoot(ROOT), {})
    last = store.load("F", "XNYS").frame.index[-1]
    assert found.alignment.event_session == load_hours("XNYS").offset(last, 1)
    close, opening = (find_primary(found.estimates, kind).mde_rule for kind in ("close_to_close", "close_to_open"))
    spread = store.load("F", "XNYS").frame["close"].pct_change().tail(250).std()
    assert spread < close[0] < close[1] < close[2] < 4 * spread
    assert opening[1] < close[1]


def test_the_lent_study_reads_as_the_asked_one(history: pd.DataFrame) -> None:
    """What the notebook of the page will open: the same story and prices, from files."""
    asked = ask(history, AT, ticker="F", root=ROOT, as_of="2026-02-13", estimation_sessions=120)
    with lend_study(asked) as (lent, config):
        assert lent.path != ROOT
        read = Study(root=lent.path, **config.as_parameters())
        assert read.story.articles[0].published_latest == asked.story.articles[0].published_latest
        assert headline(read) == pytest.approx(headline(asked), rel=1e-12)
    assert not lent.path.exists()


def test_a_stamp_to_the_minute_lasts_a_minute() -> None:
    minute, second = read_bounds("2026-01-31T18:28Z"), read_bounds("2026-01-31T18:28:07Z")
    assert minute[1] - minute[0] == pd.Timedelta(minutes=1)
    assert second[1] - second[0] == pd.Timedelta(seconds=1)
