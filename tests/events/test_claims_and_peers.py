from __future__ import annotations

import pandas as pd
import pytest
from event_impact.base.errors import DataError
from event_impact.events.articles import load_stories, load_story
from event_impact.events.claims import CLAIM_STATISTICS, load_claims
from event_impact.events.confounders import load_confounders
from event_impact.events.peer_lists import load_peers
from stories import ROOT


def edit(tmp_path, root, name, **changes):
    table = pd.read_csv(root.data / name, dtype=str, keep_default_na=False)
    for column, value in changes.items():
        table.loc[0, column] = value
    table.to_csv(tmp_path / name, index=False)
    return tmp_path


def test_every_claim_is_loaded_and_only_of_the_articles_given(root):
    articles = load_story("ford-xiaomi", root.data).articles
    claims = load_claims(articles, root.data)
    assert len(claims) == 114
    assert {c.article_id for c in claims} == {"FX-S0", "FX-S1"}
    assert len([c for c in claims if c.status == "computed"]) == 14
    without = tuple(a for a in articles if a.article_id != "FX-S0")
    assert {c.article_id for c in load_claims(without, root.data)} == {"FX-S1"}
    assert load_claims((), root.data) == ()


def test_every_statistic_of_the_table_is_known_and_used(root):
    table = pd.read_csv(root.data / "claims.csv", dtype=str, keep_default_na=False)
    assert set(table["statistic"]) == set(CLAIM_STATISTICS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"statistic": "vibes"}, "statistic 'vibes'"),
        ({"status": "true"}, "status 'true'"),
        ({"kind": "rumour"}, "kind 'rumour'"),
        ({"paraphrase": ""}, "paraphrase"),
        ({"claim_id": "S0-02"}, "more than once"),
        ({"statistic": "none", "status": "computed"}, "needs a statistic"),
    ],
)
def test_malformed_claims_are_refused(tmp_path, root, changes, said):
    articles = load_story("ford-xiaomi", root.data).articles
    with pytest.raises(DataError, match=said):
        load_claims(articles, edit(tmp_path, root, "claims.csv", **changes))


def test_peers_of_the_focal_firm(root):
    peers = load_peers("F", root.data)
    assert [p.ticker for p in peers] == ["GM", "STLA", "TSLA", "TM", "HMC", "1810.HK"]
    assert peers[-1].role == "counterparty"
    assert {p.peer_set for p in peers} == {"domestic", "japan", ""}
    assert load_peers("NOBODY", root.data) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"role": "rival"}, "rival"), ({"peer": "F"}, "another listing"), ({"peer": "TM"}, "more than once")],
)
def test_malformed_peers_are_refused(tmp_path, root, changes, said):
    with pytest.raises(DataError, match=said):
        load_peers("F", edit(tmp_path, root, "peers.csv", **changes))


def test_shares_outstanding_travel_with_the_story(root):
    story = load_story("ford-xiaomi", root.data)
    assert story.shares_outstanding == 3_913_646_490 + 70_852_076
    assert story.shares_as_of == "2025-10-21"
    assert load_story("ford-ev-spinoff-2022", root.data).shares_outstanding is None


def test_a_report_is_no_other_news_of_its_own_story():
    """The item stays news for every other story of the firm, and for its own story what else the session held stays."""
    everyone = load_confounders("F", ROOT / "data").table
    byd = load_confounders("F", ROOT / "data", story="ford-byd-2026").table
    geely = load_confounders("F", ROOT / "data", story="ford-geely-2026").table
    assert set(everyone.index) - set(byd.index) == {pd.Timestamp("2026-01-15")}
    assert geely.at[pd.Timestamp("2026-02-04"), "label"] == "January US sales down 5.3%"
    assert "Geely" in byd.at[pd.Timestamp("2026-02-04"), "label"]
    assert len(load_confounders("F", ROOT / "data", story="ford-xiaomi").table) == len(everyone)


def test_own_stories_are_registered_and_share_their_listing():
    table = pd.read_csv(ROOT / "data" / "confounders.csv", dtype=str, keep_default_na=False)
    stories = load_stories(ROOT / "data")
    for row in table[table["own_story"] != ""].itertuples():
        assert stories[row.own_story].ticker == row.ticker
        assert row.label_without_it in row.label
        assert row.label_without_it != row.label


def test_a_comma_too_many_is_refused_and_loses_no_row(tmp_path):
    text = (ROOT / "data" / "confounders.csv").read_text().splitlines()
    (tmp_path / "confounders.csv").write_text("\n".join([text[0], *(line + "," for line in text[1:])]) + "\n")
    with pytest.raises(DataError, match="more cells than its header"):
        load_confounders("F", tmp_path)


@pytest.mark.parametrize("session", ["03/02/2026", "today", "", "2026-02-30", "2026-02-03T14:00"])
def test_a_session_is_a_date_and_nothing_else(tmp_path, root, session):
    edit(tmp_path, root, "confounders.csv", ticker="F", session=session)
    with pytest.raises(DataError, match="the session is no date"):
        load_confounders("F", tmp_path)
