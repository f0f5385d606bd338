"""A story that can have reached two sessions, end to end: what happens on the second is never called small."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from event_impact import Study
from event_impact.page.finding import find_primary
from stories import ROOT, compute


def with_a_fall_on(session: str, size: float) -> Study:
    """Stellantis in March 2026, whose report can have reached two sessions, with a fall on one of them."""
    prices = pd.concat(pd.read_csv(ROOT / f"data/snapshot/{t}.csv").assign(ticker=t) for t in ("STLA", "SPY"))
    moved = (prices["ticker"] == "STLA") & (prices["date"] >= session)
    prices.loc[moved, ["open", "high", "low", "close"]] *= 1.0 - size
    prices = prices.drop(columns="adj_close")
    return Study("stellantis-xiaomi-xpeng-2026", as_of="2026-03-31", root=ROOT, prices=prices)


def test_a_fall_on_the_second_candidate_session_is_never_called_small():
    """Session 0 alone is ordinary; the set is not, and says which session moved."""
    story = with_a_fall_on("2026-03-13", 0.12)
    headline = find_primary(story.estimates, "close_to_close")
    assert headline.outcome in ("effect", "fragile")
    assert headline.candidates.largest.rel_session == 1
    assert headline.estimate == headline.candidates.sessions[1].estimate < -0.12
    assert headline.ci95[1] < 0
    assert headline.breakdown_volatility > 1
    assert headline.smallest_bound > 0.12
    text = story.verdict.text
    assert "ruled out" not in text.split("At the open")[0]
    assert "13 March" in text
    assert story.curve.headline.estimate == pytest.approx(headline.estimate)
    assert story.curve.headline.outcome == "detected"
    record = story.record().run
    assert record.outcome == headline.outcome
    assert [c["is_smallest"] for c in record.candidates] == [False, True]
    assert record.headline["estimate"] == headline.estimate


def test_session_0_stands_in_the_table_without_a_word():
    story = compute(story="stellantis-maserati-2025", as_of="2025-07-02")
    headline = find_primary(story.estimates, "close_to_close")
    assert headline.rank_p == min(1, 2 * min(s.p_star for s in headline.candidates.sessions))
    assert "232 of 250 estimation sessions" in headline.note
    assert [r.name for r in story.sequence.rows] == ["total"]
    tables = story.record().tables
    estimates = pd.read_csv(io.StringIO(tables["estimates"]))
    alone = estimates[
        (estimates["return_kind"] == "close_to_close") & (estimates["first"] == 0) & (estimates["last"] == 0)
    ]
    assert len(alone) == 1
    assert alone["is_primary"].item()
    assert pd.isna(alone["outcome"].item())
    assert alone["note"].item().startswith("candidate 1 of 2")
    candidates = pd.read_csv(io.StringIO(tables["candidates"]))
    assert candidates["p_set"].nunique() == 1
    assert candidates["is_smallest"].sum() == 1
    assert candidates["max_t_null"].unique().tolist() == ["blocks"]


def test_one_candidate_is_a_table_of_one_row_that_is_the_plain_row(focal):
    candidates = pd.read_csv(io.StringIO(focal.record().tables["candidates"]))
    headline = find_primary(focal.estimates, "close_to_close")
    assert candidates["session"].tolist() == ["2026-02-02"]
    row = candidates.iloc[0]
    assert (row["set95_low"], row["set95_high"]) == headline.ci95
    assert (row["p_star"], row["p_set"]) == (headline.rank_p, headline.rank_p)
    assert row["mde80_rule_set"] == headline.mde80_rule
