"""Other news that recordings know of: which rows are proposed, for which sessions, and what is written."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from event_impact.base.config import StudyConfig
from event_impact.events.articles import load_story
from event_impact.events.confounders import load_confounders
from event_impact.events.sessions import align_story
from event_impact.market.answers import Answer, parse_earnings, to_bytes
from event_impact.market.vintages import write_vintage
from event_impact.registry.other_news import add_confounders, find_other_news, span_of_windows
from stories import ROOT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "data", tmp_path / "data"))


def announce(*announced: tuple[str, str | None]) -> pd.DataFrame:
    index = pd.DatetimeIndex([pd.Timestamp(at) for at, _ in announced]).tz_localize("America/New_York")
    return parse_earnings(
        Answer("BP", pd.DataFrame({"is_reported": [e is not None for _, e in announced]}, index=index), {})
    )


def record_earnings(data: Path, table: pd.DataFrame) -> None:
    """A download that holds BP's embedded prices and earnings dates."""
    import hashlib

    prices = pd.read_csv(data / "pairs" / "BP.csv").assign(ticker="BP")
    files = {"BP.csv": to_bytes(prices), "earnings/BP.csv": to_bytes(table)}
    manifest = {
        "format": 1,
        "tickers": {"BP": {"file": "BP.csv", "last_session": prices["date"].iloc[-1]}},
        "files": {name: {"sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()},
    }
    write_vintage(data / "vintages", "20250816T000000Z", files, manifest)


def look(data: Path, **changes: object):
    config = StudyConfig.from_parameters(story="shell-bp-2025", **changes)
    alignment = align_story(load_story("shell-bp-2025", data))
    return find_other_news(alignment, config, data), span_of_windows(alignment, config)


def test_dividends_of_the_recorded_prices_are_proposed(data: Path) -> None:
    found, _ = look(data)
    prices = pd.read_csv(data / "pairs" / "BP.csv")
    paid = prices[(prices["dividend"] > 0) & (prices["date"] >= "2024-06-07") & (prices["date"] <= "2025-06-27")]
    assert [row["session"] for row in found.proposed] == paid["date"].tolist()
    row = found.proposed[0]
    assert (row["ticker"], row["is_masked"], row["known_from"]) == ("BP", "no", f"{row['session']}T04:00:00Z")
    assert "earnings dates of BP: none downloaded" in found.sentences[0]


def test_earnings_reach_the_session_whose_close_follows_them(data: Path) -> None:
    record_earnings(
        data,
        announce(
            ("2025-02-11 16:00", "0.44"),  # at the close: the next session
            ("2025-04-29 06:00", "0.53"),  # before the open: the same one
            ("2025-05-06 11:00", "0.5"),  # within the session: the same one
            ("2024-07-30", "1.0"),  # a day: this session and the next
            ("2024-05-01 16:00", "1.0"),  # before the estimation window
            ("2025-06-26 07:00", None),  # expected inside the windows
            ("2025-11-04 07:00", None),  # expected long after them
        ),
    )
    found, span = look(data)
    earnings = [row for row in found.proposed if row["label"] == "Earnings announcement"]
    assert [row["session"] for row in earnings] == [
        "2024-07-30",
        "2024-07-31",
        "2025-02-12",
        "2025-04-29",
        "2025-05-06",
    ]
    assert {row["is_masked"] for row in earnings} == {"yes"}
    assert earnings[2]["known_from"] == "2025-02-11T21:00:00Z"
    assert "only the day is known" in earnings[0]["notes"]
    assert found.expected == ("2025-06-26: earnings of BP are expected",)
    assert found.sentences == ()
    assert "9 more of the estimation window are not recorded" in found.describe(*span)


def test_what_is_entered_is_masked_by_a_run_and_not_proposed_again(data: Path) -> None:
    record_earnings(data, announce(("2025-02-11 16:00", "0.44"), ("2025-05-16 07:00", "0.5")))
    before = (data / "confounders.csv").read_bytes()
    found, _ = look(data)
    both = next(row for row in found.proposed if row["session"] == "2025-05-16")
    assert both["label"] == "Earnings announcement; Ex-dividend day (0.48 a share)"
    assert (both["is_masked"], both["known_from"]) == ("yes", "2025-05-16T11:00:00Z")
    assert add_confounders(data, found.proposed) == len(found.proposed) == 5
    assert (data / "confounders.csv").read_bytes().startswith(before)
    held = load_confounders("BP", data)
    assert list(held.masked_sessions.strftime("%Y-%m-%d")) == ["2025-02-12", "2025-05-16"]
    again, _ = look(data)
    assert again.proposed == ()
    assert len(again.recorded) == 6  # one of them stood there before
    assert add_confounders(data, found.proposed) == 0


def test_news_inside_the_windows_is_named_one_by_one(data: Path) -> None:
    record_earnings(data, announce(("2025-06-25 17:00", "0.44")))
    found, (first, last) = look(data)
    lines = found.describe(first, last)
    assert "2025-06-26: Earnings announcement (not recorded)" in lines
    assert "2025-06-24: Oil settles 6% lower on the ceasefire of Israel and Iran (recorded)" in lines
    assert (first.date(), last.date()) == (date(2025, 6, 10), date(2025, 6, 27))


def test_the_verb_lists_and_enters(data: Path) -> None:
    from click.testing import CliRunner
    from event_impact.cli.main import main

    shutil.copytree(ROOT / "notebooks", data.parent / "notebooks")

    def ask(*words: str):
        return CliRunner().invoke(main, ["--root", str(data.parent), *words])

    before = (data / "confounders.csv").read_bytes()
    listed = ask("story", "confounders", "shell-bp-2025")
    assert (listed.exit_code, listed.stdout) == (0, "4\n")
    assert "Nothing was written" in listed.stderr
    assert (data / "confounders.csv").read_bytes() == before
    entered = ask("--json", "story", "confounders", "shell-bp-2025", "--add")
    assert json.loads(entered.stdout)["entered"] == 4
    assert ask("story", "confounders", "shell-bp-2025", "--add").stdout == "0\n"
    plan = ask("story", "plan", "shell-bp-2025")
    assert "2025-06-24: Oil settles 6% lower on the ceasefire of Israel and Iran (recorded)" in plan.stderr
