"""From a saved page to a frozen plan by commands alone, and every way in which they refuse."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from event_impact.base.errors import ConfigError, DataError
from event_impact.base.root import StudyRoot, holds_study
from event_impact.cli.main import main
from event_impact.events.articles import load_stories, load_story
from event_impact.market.download import fetch_vintage
from event_impact.market.fetch_plan import plan_fetch
from event_impact.registry.new_study import lay_out_study
from market.toy_provider import ToyProvider, make_earnings

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "tests" / "data" / "pages"
SAVED = ("--saved-at", "2026-03-31T00:00:00Z")
NEW = (
    "--story",
    "arvo-tessel",
    "--title",
    "Arvo and Tessel talk",
    "--ticker",
    "GM",
    "--benchmark",
    "SPY",
    "--denied",
    "yes",
)


@pytest.fixture(autouse=True)
def no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "htmldate", None)


@pytest.fixture
def own(tmp_path) -> StudyRoot:
    return StudyRoot(lay_out_study(StudyRoot(ROOT), tmp_path / "study"))


def impact(own: StudyRoot, *arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(main, ["--root", str(own.path), *map(str, arguments)], input=answers)


def state_of(own: StudyRoot) -> dict[str, str]:
    files = [p for p in own.path.rglob("*") if p.is_file() and p.name != ".lock"]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def page(name: str) -> str:
    return str(PAGES / name)


# ---- article ------------------------------------------------------------------------------------


def test_read_shows_and_writes_nothing(own):
    before = state_of(own)
    result = impact(own, "article", "read", page("jsonld_offset.html"), *SAVED)
    assert result.exit_code == 0
    assert result.stdout == "2026-02-03T18:28:00Z/2026-02-03T18:29:00Z\n"
    assert "JSON-LD datePublished" in result.stderr
    record = json.loads(impact(own, "--json", "article", "read", page("disagree.html"), *SAVED).stdout)
    assert record["verdict"] == "disagree"
    assert [e["number"] for e in record["evidence"]] == [1, 2]
    assert state_of(own) == before


def test_add_with_yes(own):
    result = impact(
        own, "article", "add", page("text_fr_zone.html"), "--story", "ford-xiaomi", "--role", "relay", "--yes", *SAVED,
        "--zone", "Europe/Paris", "--zone-basis", "site_convention", "--url", "https://courrier.example/a",
        "--outlet", "Le Courrier",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "FX-L18\n"
    article = load_story("ford-xiaomi", own.data).articles[-1]
    assert (article.zone, article.zone_basis, article.url) == (
        "Europe/Paris", "site_convention", "https://courrier.example/a",
    )  # fmt: skip
    again = impact(
        own, "--json", "article", "add", page("text_fr_zone.html"), "--story", "ford-xiaomi", "--role", "relay",
        "--outlet", "x", "--zone", "Europe/Paris", "--yes", *SAVED,
    )  # fmt: skip
    assert json.loads(again.stdout)["is_new"] is False


def test_add_asks_and_obeys(own):
    arguments = ("article", "add", page("disagree.html"), "--story", "ford-xiaomi", "--role", "relay", *SAVED)
    before = state_of(own)
    declined = impact(own, *arguments, answers="1\nCourier\nTalks are reported\nn\n")
    assert (declined.exit_code, declined.stdout) == (2, "")
    assert "nothing was written" in declined.stderr
    assert state_of(own) == before
    accepted = impact(own, *arguments, answers="2\nCourier\nTalks are reported\ny\n")
    assert accepted.exit_code == 0, accepted.stderr
    article = load_story("ford-xiaomi", own.data).articles[-1]
    assert (article.time_as_printed, article.paraphrase) == ("1 February 2026", "Talks are reported")


@pytest.mark.parametrize(
    ("name", "options", "code", "words"),
    [
        ("disagree.html", ("--yes",), 3, "exclude each other"),
        ("no_date.html", ("--yes",), 3, "the page has no date"),
        ("embedded_post.txt", ("--yes",), 3, "no date of its own"),
        ("future.html", ("--yes",), 3, "lies in the future"),
        ("zone_cst.html", ("--yes",), 3, "read the same characters"),
        ("dst_skipped.html", ("--yes", "--zone", "Europe/London"), 3, "the clocks skip it"),
        ("no_such_page.html", ("--yes",), 3, "cannot be read"),
        ("meta_utc.html", ("--yes", "--zone", "Mars/Olympus"), 2, "unknown time zone"),
        ("meta_utc.html", ("--yes", "--use", "9"), 2, "the page has 1 items"),
        ("time_lone.html", ("--yes",), 2, "does not name its outlet"),
        ("meta_utc.html", ("--yes", "--encoding", "klingon"), 2, "unknown encoding"),
        ("meta_utc.html", ("--yes", "--not-before", "2026-02-03"), 2, "names no zone"),
        ("meta_utc.html", ("--yes", "--not-before", "soon"), 2, "is no instant"),
        ("meta_utc.html", ("--yes", "--not-before", "2026-02-05T00:00Z"), 3, "no time is left"),
        ("meta_utc.html", ("--yes", "--anchor", "Monday"), 2, "expected a date"),
        ("meta_utc.html", ("--yes", "--story", "nobody"), 2, "unknown story"),
        ("meta_utc.html", ("--yes", "--story", "../etc"), 2, "expected a story id"),
        ("meta_utc.html", ("--yes", "--role", "rumour"), 2, "rumour"),
        ("meta_utc.html", (), 2, "no answer to"),
    ],
)
def test_add_refuses_and_writes_nothing(own, name, options, code, words):
    before = state_of(own)
    base = {"--story": "ford-xiaomi", "--role": "relay"}
    given = [x for key, value in base.items() if key not in options for x in (key, value)]
    result = impact(own, "article", "add", page(name), *given, *options, *SAVED)
    assert result.exit_code == code, result.stderr
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert state_of(own) == before


def test_bounds_by_hand_serve_a_page_without_a_date(own):
    result = impact(
        own, "article", "add", page("no_date.html"), "--story", "ford-xiaomi", "--role", "relay", "--outlet", "x",
        "--yes", "--not-before", "2026-02-01T00:00:00Z", "--not-after", "2026-02-01T12:00:00+01:00", *SAVED,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    article = load_story("ford-xiaomi", own.data).articles[-1]
    assert (article.earliest_basis, article.latest_basis, article.confidence) == ("assumed", "assumed", "low")
    assert str(article.published_latest) == "2026-02-01 11:00:00+00:00"


# ---- story --------------------------------------------------------------------------------------


def test_a_story_from_nothing_to_a_frozen_plan(own):
    registered = impact(own, "story", "new", *NEW, "--peers", "F, TM", "--counterparty", "Tessel", "--yes")
    assert (registered.exit_code, registered.stdout) == (0, "arvo-tessel\n")
    assert "no report and no denial yet" in registered.stderr
    # GM has F among its peers already; TM is entered
    peers = (own.data / "peers.csv").read_text("utf-8").splitlines()
    assert [row for row in peers if row.startswith("GM,")] == [
        "GM,F,XNYS,peer,domestic,Closest rival at home.",
        "GM,TM,XNYS,peer,,Entered with the story arvo-tessel.",
    ]
    # a draft harms nobody else
    assert "arvo-tessel" not in load_stories(own.data)
    assert impact(own, "align", "--all").exit_code == 0
    assert "articles lack" in impact(own, "stories").stdout
    early = impact(own, "align", "arvo-tessel")
    assert (early.exit_code, "no report and no denial yet" in early.stderr) == (3, True)

    report = impact(
        own, "article", "add", page("meta_utc.html"), "--story", "arvo-tessel", "--role", "report", "--yes", *SAVED
    )
    denial = impact(
        own,
        "article",
        "add",
        page("text_es.html"),
        "--story",
        "arvo-tessel",
        "--role",
        "denial",
        "--outlet",
        "Arvo",
        "--yes",
        *SAVED,
    )
    assert (report.stdout, denial.stdout) == ("AT-R1\n", "AT-D1\n"), denial.stderr
    assert "identify only their joint effect" in denial.stderr
    listed = {line.split()[0]: line for line in impact(own, "stories").stdout.splitlines()}
    assert " embedded " in listed["arvo-tessel"]  # the prices of GM and SPY come with the study
    assert " to be fetched " in listed["nissan-apple-2021"]
    story = load_story("arvo-tessel", own.data)
    assert (story.ticker, story.exchange, story.other_tickers, story.counterparties) == (
        "GM", "XNYS", ("F", "TM"), ("Tessel",),
    )  # fmt: skip

    shown = impact(own, "story", "plan", "arvo-tessel")
    assert shown.exit_code == 0, shown.stderr
    assert "GM: 399 sessions before the event session, enough." in shown.stderr
    assert "No plan was frozen" in shown.stderr
    assert not (own.data / "plans.csv").exists()
    frozen = impact(own, "story", "plan", "arvo-tessel", "--freeze", "-p", "equivalence_bound=0.03")
    assert frozen.exit_code == 0, frozen.stderr
    table = pd.read_csv(own.data / "plans.csv", dtype=str)
    assert frozen.stdout.strip() == table["plan_sha256"].iloc[0]
    assert json.loads(table["plan"].iloc[0])["equivalence_bound"] == 0.03
    departing = json.loads(impact(own, "--json", "story", "plan", "arvo-tessel").stdout)
    assert departing["status"] == "departs"
    assert "equivalence_bound (0.03 to 0.02)" in departing["sentence"]


def test_a_story_with_its_pages_at_once(own):
    pages = ("--article", f"report={page('meta_utc.html')}", "--article", f"relay={page('jsonld_offset.html')}")
    result = impact(own, "story", "new", *NEW, *pages, "--yes")
    assert result.exit_code == 0, result.stderr
    assert "report_only; event session 2026-02-03" in result.stderr
    assert [a.role for a in load_story("arvo-tessel", own.data).articles] == ["report", "relay"]


def test_the_questions_of_a_new_story(own):
    asked = "Arvo and Tessel talk\narvo-tessel\nGM\n\n\nyes\n\n"
    result = impact(own, "story", "new", answers=f"{asked}\n\n")
    assert (result.exit_code, result.stdout) == (0, "arvo-tessel\n"), result.stderr
    assert load_stories(own.data, with_drafts=True)["arvo-tessel"].is_draft


def test_the_questions_reach_the_pages_and_the_prices(own, tmp_path):
    prices = tmp_path / "prices.csv"
    frame = pd.read_csv(own.data / "snapshot" / "GM.csv")
    benchmark = pd.read_csv(own.data / "snapshot" / "SPY.csv")
    both = pd.concat([frame.assign(ticker="ARVO"), benchmark[benchmark["date"] >= "2024-07-01"].assign(ticker="SPY")])
    both.drop(columns="adj_close").to_csv(prices, index=False)
    asked = "Arvo and Tessel talk\narvo-tessel\nARVO\nXNYS\nSPY\nyes\n\n"
    result = impact(own, "story", "new", answers=f"{asked}{page('meta_utc.html')}\n\n{prices}\n")
    assert (result.exit_code, result.stdout) == (0, "arvo-tessel\n"), result.stderr
    assert "event session 2026-02-03" in result.stderr
    held = (frame["date"] < "2026-02-03").sum()
    assert f"ARVO: {held} sessions before the event session, enough." in result.stderr
    assert "To enter what is not recorded" in result.stderr
    assert f"Next: impact story plan arvo-tessel --source {prices} --freeze" in result.stderr


def test_an_answer_that_cannot_be_used_is_asked_again_at_once(own):
    answers = [
        "They \u201ctalk\u201d", "Arvo and Tessel talk", "Arvo Tessel", "arvo-tessel", "arvo", "ARVO.XX", "XMRS", "NYSE",
        "spy", "SPY", "perhaps", "yes", "", "no_such.html", "", "",
    ]  # fmt: skip
    result = impact(own, "story", "new", answers="\n".join(answers) + "\n")
    assert (result.exit_code, result.stdout) == (0, "arvo-tessel\n"), result.stderr
    for words in (
        "expected a story id", "quotation marks", "expected a ticker", "unknown exchange",
        "found 'perhaps'", "there is no file no_such.html",
    ):  # fmt: skip
        assert result.stderr.count(words) >= 1, words
    held = load_stories(own.data, with_drafts=True)["arvo-tessel"]
    assert (held.ticker, held.exchange, held.benchmark) == ("ARVO.XX", "XNYS", "SPY")


def test_prices_are_fetched_when_asked(own, monkeypatch):
    def fetch(root, story, at, progress):
        request = plan_fetch((story,), root.data, today=date(2026, 2, 13))
        at = datetime(2026, 2, 13, 22, 0, tzinfo=UTC)
        return fetch_vintage(request, root.data, toy, at=at, progress=progress, factors=no_factors)

    def no_factors(first, data):
        raise DataError("the library cannot be reached.")

    toy = ToyProvider()
    toy.announced["ARVO"] = make_earnings(("2026-02-03 07:00", True), ("2025-10-21 07:00", True))
    monkeypatch.setattr("event_impact.cli.scheduler.fetch_story", fetch)
    new = dict(zip(NEW[::2], NEW[1::2], strict=True)) | {
        "--ticker": "ARVO",
        "--benchmark": "BOLT",
        "--exchange": "XNYS",
    }
    words = [x for pair in new.items() for x in pair]
    report = ("--article", f"report={page('meta_utc.html')}")
    refused = impact(own, "story", "new", *words, "--prices", "fetch", "--yes")
    assert (refused.exit_code, "needs the articles" in refused.stderr) == (2, True)
    done = impact(own, "story", "new", *words, *report, "--prices", "fetch", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "2026-02-03: Earnings announcement (not recorded)" in done.stderr
    assert "BOLT:" in done.stderr
    assert "impact story plan arvo-tessel --freeze" in done.stderr
    entered = impact(own, "--json", "story", "confounders", "arvo-tessel", "--source", "auto", "--add")
    rows = json.loads(entered.stdout)["proposed"]
    assert {r["session"] for r in rows if r["is_masked"] == "yes"} == {"2025-10-21", "2026-02-03"}
    toy.errors = [DataError("ARVO: the ticker is unknown.")] * 2
    words[1] = "arvo-again"
    failed = impact(own, "story", "new", *words, *report, "--prices", "fetch", "--yes")
    assert (failed.exit_code, failed.stdout) == (3, "")
    assert "arvo-again is registered, but its prices were not: ARVO: the ticker is unknown" in failed.stderr
    assert "arvo-again" in load_stories(own.data)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"--story": "ford-xiaomi"}, 2, "is in use"),
        ({"--story": "Arvo Tessel"}, 2, "expected a story id"),
        ({"--story": "../etc"}, 2, "expected a story id"),
        ({"--ticker": "gm"}, 2, "expected a ticker"),
        ({"--ticker": "ARVO.XX"}, 2, "does not say its exchange"),
        ({"--ticker": "GM", "--exchange": "XLON"}, 2, "is a listing on XNYS, not on XLON"),
        ({"--ticker": "1810.HK", "--exchange": "XNYS"}, 2, "is a listing on XHKG"),
        ({"--ticker": "ARVO", "--exchange": "XMRS"}, 2, "unknown exchange"),
        ({"--benchmark": "GM"}, 2, "own ticker"),
        ({"--peers": "F,F"}, 2, "named twice"),
        ({"--peers": "F,VAN.XX"}, 2, "does not say its exchange"),
        ({"--title": "They “talk”"}, 2, "quotation marks"),
        ({"--denied": "perhaps"}, 2, "perhaps"),
        ({"--article": "report"}, 2, "names no role and file"),
        ({"--article": f"report={page('no_date.html')}"}, 3, "the page has no date"),
        ({"--article": f"report={page('time_lone.html')}"}, 3, "does not name its outlet"),
    ],
)
def test_new_refuses_and_writes_nothing(own, options, code, words):
    before = state_of(own)
    given = dict(zip(NEW[::2], NEW[1::2], strict=True)) | options
    result = impact(own, "story", "new", *(x for pair in given.items() for x in pair), "--yes")
    assert result.exit_code == code, result.stderr
    assert words in result.stderr
    assert state_of(own) == before


def test_a_ticker_that_the_study_knows_on_two_exchanges(own):
    stories = pd.read_csv(own.data / "stories.csv", dtype=str, keep_default_na=False)
    stories.loc[stories["story"] == "vinci-hoax-2016", ["ticker", "exchange"]] = ["GM", "XLON"]
    stories.to_csv(own.data / "stories.csv", index=False, lineterminator="\n")
    result = impact(own, "story", "new", *NEW, "--yes")
    assert result.exit_code == 2
    assert "names listings on XLON and XNYS" in result.stderr
    assert impact(own, "story", "new", *NEW, "--exchange", "XNYS", "--yes").exit_code == 0


def test_pages_that_contradict_each_other_register_nothing(own):
    """The denial of page two ends before the report of page one begins: found in rehearsal."""
    denial = own.path.parent / "denial.html"
    denial.write_text(
        '<html><meta property="article:published_time" content="2026-02-03T12:05:41Z">'
        '<meta property="og:site_name" content="Arvo"><p>There is nothing to this, says the maker of vans.</p></html>'
    )
    before = state_of(own)
    pages = ("--article", f"report={page('jsonld_offset.html')}", "--article", f"denial={denial}")
    result = impact(own, "story", "new", *NEW, *pages, "--yes")
    assert result.exit_code == 3, result.stderr
    assert "ends before its report" in result.stderr
    assert state_of(own) == before


# ---- prices that cannot serve -------------------------------------------------------------------


def own_prices(path: Path, first: str, last: str, volume: dict[str, float] | None = None, drop: str = "") -> Path:
    """Flat prices of GM and SPY on New York sessions."""
    from event_impact.events.calendars import load_hours

    days = load_hours("XNYS").between(pd.Timestamp(first), pd.Timestamp(last))
    frames = []
    for ticker, level in (("GM", 50.0), ("SPY", 600.0)):
        frame = pd.DataFrame(
            {"date": days.strftime("%Y-%m-%d"), "ticker": ticker, "close": level, "volume": 1000.0, "dividend": 0.0}
        )
        for name in ("open", "high", "low"):
            frame[name] = level
        if ticker == "GM":
            for day, value in (volume or {}).items():
                frame.loc[frame["date"] == day, "volume"] = value
            frame = frame[frame["date"] != drop]
        frames.append(frame)
    pd.concat(frames).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("prices", "code", "words"),
    [
        ({"first": "2026-02-05", "last": "2026-03-05"}, 3, "lies before the first recorded price of GM, 2026-02-05"),
        (
            {"first": "2025-12-01", "last": "2026-03-05", "volume": {"2026-02-03": 0.0}},
            3,
            "has no volume on the event session",
        ),
        ({"first": "2025-12-01", "last": "2026-02-02"}, 0, "prices end on 2026-02-02, before the event session"),
        ({"first": "2025-12-01", "last": "2026-03-05"}, 0, "fewer than the 261 that the plan needs"),
        ({"first": "2025-12-01", "last": "2026-03-05", "drop": "2026-02-03"}, 3, "2026-02-03"),
    ],
)
def test_prices_that_cannot_serve(own, tmp_path, prices, code, words):
    impact(own, "story", "new", *NEW, "--article", f"report={page('meta_utc.html')}", "--yes")
    source = own_prices(tmp_path / "prices.csv", **prices)
    result = impact(own, "story", "plan", "arvo-tessel", "--source", source, "--freeze")
    assert result.exit_code == code, result.stderr
    assert words in result.stderr
    assert (own.data / "plans.csv").exists() == (code == 0)


def test_a_listing_without_recorded_prices_can_be_planned(own):
    """A plan may be frozen before prices exist: that is what makes it one."""
    new = dict(zip(NEW[::2], NEW[1::2], strict=True)) | {"--ticker": "ARVO", "--exchange": "XNYS"}
    pages = ("--article", f"report={page('meta_utc.html')}", "--yes")
    assert impact(own, "story", "new", *(x for pair in new.items() for x in pair), *pages).exit_code == 0
    result = impact(own, "story", "plan", "arvo-tessel", "--freeze")
    assert result.exit_code == 0, result.stderr
    assert "ARVO: no prices are recorded. Fetch them" in result.stderr


# ---- init ---------------------------------------------------------------------------------------


def test_init_lays_out_a_study_that_works(tmp_path):
    target = tmp_path / "a" / "desk"
    result = CliRunner().invoke(main, ["--root", str(ROOT), "init", str(target), "--with-examples"])
    assert (result.exit_code, result.stdout) == (0, f"{target}\n")
    assert holds_study(target)
    assert (target / "reports" / "README.md").is_file()
    assert not (target / "data" / "vintages").exists()
    assert (target / "data" / "snapshot" / "F.csv").read_bytes() == (ROOT / "data" / "snapshot" / "F.csv").read_bytes()
    assert impact(StudyRoot(target), "align", "ford-xiaomi").exit_code == 0


def test_init_makes_the_study_that_the_environment_names(tmp_path, monkeypatch):
    """A shell profile may name the desk before there is one."""
    monkeypatch.setenv("IMPACT_ROOT", str(tmp_path / "desk"))
    assert CliRunner().invoke(main, ["init", str(tmp_path / "desk")]).exit_code == 0
    assert holds_study(tmp_path / "desk")
    elsewhere = CliRunner().invoke(main, ["init", str(tmp_path / "other")], env={"IMPACT_ROOT": str(tmp_path / "none")})
    assert elsewhere.exit_code == 2


def test_init_lays_out_an_empty_study_in_place(tmp_path):
    """The folder stays the one that a shell stands in, and what is hidden in it is left alone."""
    (tmp_path / ".git").mkdir()
    stands_in = tmp_path.stat().st_ino
    assert CliRunner().invoke(main, ["--root", str(ROOT), "init", str(tmp_path)]).exit_code == 0
    assert tmp_path.stat().st_ino == stands_in
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "matplotlibrc") == [
        ".git",
        "data",
        "notebooks",
        "reports",
    ]
    assert holds_study(tmp_path)
    assert impact(StudyRoot(tmp_path), "stories").stdout.strip() == ""
    night = impact(StudyRoot(tmp_path), "--json", "nightly", "--source", "snapshot", "--at", "2026-02-13T23:30:00Z")
    assert night.exit_code == 0
    assert "no story is open" in night.stdout


def test_in_a_study_without_stories_the_usual_benchmark_is_that_of_the_package(tmp_path):
    lay_out_study(StudyRoot(ROOT), tmp_path / "desk", with_examples=False)
    desk = StudyRoot(tmp_path / "desk")
    words = ("--title", "Its talks over the airline", "--denied", "no", "--yes")
    for ticker, benchmark in (("BA", "SPY"), ("7203.T", "^N225")):
        done = impact(desk, "story", "new", *words, "--ticker", ticker, "--story", f"x{ticker[0].lower()}")
        assert f"against {benchmark}." in done.stderr, done.stderr
    asked = impact(desk, "ask", "F", "2026-01-31T18:28Z")
    assert asked.exit_code == 0, asked.stderr


def test_init_takes_an_empty_folder_and_refuses_any_other(tmp_path):
    (tmp_path / "empty").mkdir()
    assert CliRunner().invoke(main, ["--root", str(ROOT), "init", str(tmp_path / "empty")]).exit_code == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name, words in (
        ("full", "holds files already"),
        ("file", "is no folder"),
        ("file/inside", "cannot be written"),
    ):
        result = CliRunner().invoke(main, ["--root", str(ROOT), "init", str(tmp_path / name)])
        assert result.exit_code == (3 if "inside" in name else 2), result.stderr
        assert words in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file", "full"]
    own = lay_out_study(StudyRoot(ROOT), tmp_path / "origin")
    inside = CliRunner().invoke(main, ["--root", str(own), "init", str(own / "data" / "copy")])
    assert inside.exit_code == 2
    assert "lies inside the study" in inside.stderr


def test_an_interrupted_init_leaves_the_folder_as_it_was_or_says_what_to_remove(tmp_path, monkeypatch):
    target, rename = tmp_path / "desk", Path.rename
    target.mkdir()

    def stop(path: Path, to: Path) -> Path:
        if to == target / "reports":
            raise KeyboardInterrupt
        return rename(path, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", stop)
        with pytest.raises(KeyboardInterrupt):
            lay_out_study(StudyRoot(ROOT), target)
    assert list(target.iterdir()) == []
    assert [p.name for p in tmp_path.iterdir()] == ["desk"]
    (target / "notebooks").mkdir()  # what a kill in that instant leaves
    with pytest.raises(ConfigError, match="are copies: remove them first"):
        lay_out_study(StudyRoot(ROOT), target)


def test_the_packaged_study_is_not_written_to(own, monkeypatch):
    monkeypatch.setattr("event_impact.base.root.PACKAGED_STUDY", own.path.resolve())
    before = state_of(own)
    for arguments in (
        ("article", "add", page("meta_utc.html"), "--story", "ford-xiaomi", "--role", "relay", "--yes"),
        ("story", "new", *NEW, "--yes"),
        ("story", "plan", "ford-xiaomi", "--freeze"),
    ):
        result = impact(own, *arguments)
        assert result.exit_code == 2
        assert "impact init DIR" in result.stderr
    assert state_of(own) == before
