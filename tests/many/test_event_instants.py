"""Events given as publication times: aligned, resolved or refused, and never without a word."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from event_impact.base.errors import DataError
from event_impact.cli.many_events import batch_command
from event_impact.events.articles import load_stories
from event_impact.events.calendars import load_hours
from event_impact.events.sessions import align_article
from event_impact.many.file_tables import align_events
from event_impact.many.files import BatchRequest, run_batch


def frame(*rows):
    columns = ["ticker", "published_earliest", "published_latest", "exchange"]
    return pd.DataFrame(rows, columns=columns)


def test_every_article_of_the_registry_gets_the_sessions_of_the_single_rule(root):
    articles, rows = [], []
    for story in load_stories(root.data).values():
        for article in story.articles:
            articles.append(align_article(article, load_hours(story.exchange)))
            bounds = (article.published_earliest.isoformat(), article.published_latest.isoformat())
            rows.append((story.ticker, *bounds, story.exchange))
    first, last = (align_events(frame(*rows), ambiguous=how) for how in ("first", "last"))
    refused = align_events(frame(*rows))
    assert len(articles) > 100
    for k, event in enumerate(articles):
        assert first.session[k] == str(event.sessions[0].date())
        assert last.session[k] == str(event.sessions[-1].date())
        assert refused.is_ambiguous[k] == (len(event.sessions) > 1)
        assert refused.session[k] == (str(event.sessions[0].date()) if len(event.sessions) == 1 else "")
        assert bool(refused.reason[k]) == (len(event.sessions) > 1)


def test_reasons_name_what_is_wrong():
    rows = [
        ("A", "2026-01-31T19:00:00Z", "2026-02-01T08:00:00Z", "XNYS", "2026-02-02", ""),
        ("A", "2026-02-02T22:30:00+01:00", "", "XNYS", "2026-02-03", ""),
        ("A", "2026-02-02T22:30:00+0100", "2026-02-02T16:35:00-0500", "XNYS", "2026-02-03", ""),
        ("A", "2026-02-02T22:30:00+01", "", "XNYS", "", "is no instant"),
        ("A", "2026-02-02T15:00:00Z", "2026-02-03T15:00:00Z", "XNYS", "", "2026-02-02 and 2026-02-03"),
        ("A", "2026-02-02T15:00:00Z", "2026-02-01T15:00:00Z", "XNYS", "", "lies before published_earliest"),
        ("A", "2026-02-02T15:00:00", "", "XNYS", "", "is no instant"),
        ("A", "2026-02-02", "", "XNYS", "", "is no instant"),
        ("A", "2026-02-30T15:00:00Z", "", "XNYS", "", "is no instant"),
        ("A", "", "", "XNYS", "", "no published_earliest is given"),
        ("A", "2026-02-02T15:00:00Z", "soon", "XNYS", "", "published_latest 'soon'"),
        ("A", "2026-02-02T15:00:00Z", "", "XXXX", "", "unknown exchange"),
        ("A", "2026-02-02T15:00:00Z", "", "", "", "no exchange is given"),
        ("A", "1950-02-02T15:00:00Z", "", "XNYS", "", "outside the known calendar"),
    ]
    found = align_events(frame(*(row[:4] for row in rows)))
    assert list(found.session) == [row[4] for row in rows]
    for said, row in zip(found.reason, rows, strict=True):
        assert (row[5] in said) if row[5] else said == ""
    assert found.is_ambiguous.tolist() == [k == 4 for k in range(14)]


def test_one_calendar_can_serve_all_and_parquet_times_need_a_zone():
    events = pd.DataFrame({"ticker": ["A"], "published_earliest": pd.to_datetime(["2026-02-02T21:00:00Z"])})
    assert align_events(events, calendar="XNYS").session.tolist() == ["2026-02-03"]
    with pytest.raises(DataError, match="no column exchange"):
        align_events(events)
    with pytest.raises(DataError, match="no instants in UTC"):
        align_events(
            events.assign(published_earliest=events["published_earliest"].dt.tz_localize(None)), calendar="XNYS"
        )


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(3)
    dates = load_hours("XNYS").between(pd.Timestamp("2024-06-03"), pd.Timestamp("2026-02-20"))
    market = rng.normal(0, 0.01, len(dates))
    returns = pd.DataFrame({"SPY": market}, index=dates.rename("date"))
    for i in range(5):
        returns[f"T{i}"] = market + rng.normal(0, 0.02, len(dates))
    returns.to_csv(tmp_path / "returns.csv")
    times = [("2026-01-31T10:00:00Z", ""), ("2026-02-02T20:59:00Z", ""), ("2026-02-02T21:00:00Z", ""),
             ("2026-02-02T15:00:00Z", "2026-02-03T22:00:00Z"), ("bad", "")]  # fmt: skip
    rows = [(f"T{i}", *bounds, "XNYS") for i, bounds in enumerate(times)]
    frame(*rows).to_csv(tmp_path / "events.csv", index=False)
    return tmp_path


def ask(files, **changes):
    return BatchRequest(files / "returns.csv", files / "events.csv", "SPY", files / "out", draws=99, **changes)


def test_a_batch_of_times_is_the_batch_of_their_sessions(files):
    outcome = run_batch(ask(files))
    table = outcome.events
    assert table["session"].tolist() == ["2026-02-02", "2026-02-02", "2026-02-03", "", ""]
    assert table["status"].tolist() == ["used"] * 3 + ["ambiguous", "rejected"]
    assert "3 sessions of XNYS are possible, 2026-02-02 to 2026-02-04" in table["reason"][3]
    assert outcome.sample["n_ambiguous"] == 1
    assert outcome.sample["n_rejected"] == 2
    by_session = table.loc[:2, ["event_id", "ticker", "session"]]
    by_session.to_csv(files / "events.csv", index=False)
    again = run_batch(ask(files))
    np.testing.assert_array_equal(again.events["car"], table["car"][:3])
    assert "n_ambiguous" not in again.sample


def test_ambiguous_times_are_resolved_as_asked_and_say_so(files):
    for how, session in (("first", "2026-02-02"), ("last", "2026-02-04")):
        table = run_batch(ask(files, ambiguous=how)).events
        assert table["session"][3] == session
        assert table["status"][3] == "used"
        assert table["reason"][3].startswith(f"{how} taken: 3 sessions")
    arguments = ["--returns", str(files / "returns.csv"), "--events", str(files / "events.csv"), "--benchmark", "SPY"]
    arguments += ["--out", str(files / "o"), "--ambiguous", "last"]
    result = CliRunner().invoke(batch_command, arguments, obj={"quiet": False, "as_json": False})
    assert result.exception is None
    assert json.loads((files / "o" / "sample.json").read_text())["ambiguous"] == "last"
