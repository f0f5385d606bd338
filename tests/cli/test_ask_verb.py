"""The verb for one question: answered in the terminal, from what is recorded, a file, or a provider."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from event_impact import Study
from event_impact.cli.main import main
from event_impact.market.snapshot import open_source
from event_impact.page.finding import find_primary
from event_impact.runs.requests import prepare
from market.toy_provider import ToyProvider
from stories import ROOT

AT = "2026-01-31T18:28Z"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: int) -> None:
        raise AssertionError("a provider was asked")

    monkeypatch.setattr("event_impact.cli.scheduler.choose_provider", refuse)


def impact(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["--root", str(ROOT), *arguments])


def test_the_terminal_shows_session_finding_rows_and_days(focal: Study) -> None:
    done = impact("ask", "F", AT)
    assert done.exit_code == 0, done.stderr
    assert "in the return that closes on 2026-02-02" in done.stdout
    assert "Ford: no detectable move after the story." in done.stdout
    assert "44 of 100 ordinary days are at least as far out" in done.stdout
    assert [line.split("  ")[0] for line in done.stdout.splitlines() if line.startswith("Monday")] == [
        "Monday, close to close (headline)", "Monday\u2019s open (companion)", "Monday to Wednesday",
    ]  # fmt: skip
    days = done.stdout.splitlines()
    start = next(i for i, line in enumerate(days) if "250 ordinary days" in line)
    bar, reach = days[start + 3], days[start + 4]
    row = find_primary(focal.estimates, "close_to_close")
    limit = max(abs(focal.headline.fit.residuals).max(), row.mde80_rule)
    assert bar.index("\u25c6") == round((row.estimate / limit + 1) / 2 * 60)
    assert reach.index("\u25ba") == round((row.mde80_rule / limit + 1) / 2 * 60)
    assert "\x1b[" not in done.stdout


def test_the_record_holds_the_rows(focal: Study) -> None:
    record = json.loads(impact("--json", "ask", "F", AT, "-p", "as_of=2026-02-13").stdout)
    assert record["headline"] == json.loads(json.dumps(find_primary(focal.estimates, "close_to_close").as_record()))
    assert (record["sessions"], record["page"]) == (["2026-02-02"], None)


def test_several_possible_sessions_are_one_set() -> None:
    done = impact("ask", "F", "--between", "2026-01-30T15:00Z", "2026-02-02T15:00Z")
    assert "the largest of these, judged as one set" in done.stdout
    assert "2026-02-02T14:59:59Z (Mon 2026-02-02 09:59" in done.stdout


def test_a_saved_page_says_when() -> None:
    page = ROOT / "tests" / "data" / "pages" / "jsonld_offset.html"
    record = json.loads(impact("--json", "ask", "F", "--page", str(page)).stdout)
    assert record["published_earliest"] == "2026-02-03 18:28:00+00:00"
    undated = impact("ask", "F", "--page", str(page.with_name("no_date.html")))
    assert (undated.exit_code, "the page has no date" in undated.stderr) == (3, True)


def test_prices_of_one_s_own(tmp_path: Path, focal: Study) -> None:
    path = tmp_path / "mine.csv"
    open_source("snapshot", ROOT / "data").load("F", "XNYS").frame.rename_axis("date").to_csv(path)
    record = json.loads(impact("--json", "ask", "F", AT, "--prices", str(path), "-p", "as_of=2026-02-13").stdout)
    assert record["headline"]["estimate"] == pytest.approx(focal.estimates[0].estimate, rel=1e-12)


def test_a_provider_is_asked_where_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_impact.cli.scheduler.choose_provider", lambda attempts: ToyProvider())
    monkeypatch.setattr("event_impact.cli.asking.read_system_clock", lambda: datetime(2026, 2, 13, 22, 0, tzinfo=UTC))
    asked = ("ask", "ARVO", "2026-02-03T12:00Z", "--benchmark", "BOLT")
    done = impact(*asked)
    assert done.exit_code == 0, done.stderr
    assert "fetch: ARVO" in done.stderr
    assert "ARVO on NYSE against BOLT, prices to 2026-02-13" in done.stdout
    assert impact("ask", "arvo", *asked[2:]).stdout == done.stdout
    assert not (ROOT / "data" / "vintages").exists()
    offline = impact(*asked, "--offline")
    assert (offline.exit_code, "no prices of ARVO and BOLT are to be had here" in offline.stderr) == (3, True)


def test_beforehand() -> None:
    done = impact("ask", "F", "--before")
    assert done.exit_code == 0, done.stderr
    assert "F against SPY, Wednesday 2026-04-01 (XNYS)" in done.stdout
    assert "would be seen four times in five" in done.stdout
    record = json.loads(impact("--json", "ask", "F", "--before").stdout)
    close, opening = (record["sizes"][kind] for kind in ("close_to_close", "close_to_open"))
    assert opening[1] < close[1] == max(opening[1], close[1])
    assert list(record["chances"].values()) == sorted(record["chances"].values())
    found = {float(effect): chance for effect, chance in record["chances"].items()}
    assert max(c for e, c in found.items() if e < close[1]) < 0.8 <= min(c for e, c in found.items() if e >= close[1])


def test_the_page_is_published_and_opened_when_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The runner finds the lent study whole; its kernel is not started here."""
    opened: list[str] = []

    def publish(request, *, progress):
        prepared = prepare(request)
        assert prepared.story.startswith("ask-f-")
        return SimpleNamespace(page=prepared.folder / "report.html")

    monkeypatch.setattr("event_impact.runs.run.run_notebook", publish)
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)) or True)
    done = impact("ask", "F", AT, "--open", "--reports", str(tmp_path))
    assert done.exit_code == 0, done.stderr
    page = done.stdout.splitlines()[-1]
    assert page.startswith(str(tmp_path / "2026-03-31_ask-f-"))
    assert opened == [Path(page).as_uri()]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("F",), 2, "when is not said once"),
        ((), 2, "Missing argument 'TICKER'. See "),
        (("F", "--bfore"), 2, "'--before'"),
        (("F", AT, "--before"), 2, "when is not said once"),
        (("F", "2026-01-31T18:28"), 2, "names no zone"),
        (("F;", AT), 2, "expected a ticker"),
        *[
            (("F", AT, "-p", f"{name}=x"), 2, f"{name} is no parameter of a question")
            for name in ("story", "source", "root")
        ],
        (("F", AT, "-p", "windows=0:1"), 2, "the headline window 0:0 is missing"),
        (("F", "2026-06-30T18:28Z", "--offline"), 3, "the prices end on 2026-03-31, and the news"),
        (("NVDA", "--before", "--offline"), 3, "no prices of NVDA are to be had here"),
        (("F", AT, "--prices", "nowhere.csv"), 3, "does not exist"),
        (("F", "--page", "nowhere.html"), 3, "cannot be read"),
        (("F", "--page", "https://paper.example/a", "--offline"), 2, "asks no server"),
    ],
)
def test_bad_questions(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = impact("ask", *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
