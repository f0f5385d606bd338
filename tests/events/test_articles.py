"""The registry tables: each rule has a row that breaks it."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
from event_impact.base.errors import ConfigError, DataError
from event_impact.events.articles import load_stories, load_story
from event_impact.events.sessions import tighten_by_order
from events.test_sessions import article
from stories import ROOT


@pytest.fixture
def data(tmp_path):
    for name in ("stories.csv", "articles.csv"):
        shutil.copy(ROOT / "data" / name, tmp_path / name)
    return tmp_path


def change(data, name, key, **values):
    path = data / name
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    column = "story" if name == "stories.csv" else "article_id"
    for field, value in values.items():
        table.loc[table[column] == key, field] = value
    table.to_csv(path, index=False)


BROKEN = {
    "empty interval": ("articles.csv", "FX-R0", {"published_latest": "2026-01-31T00:00:00Z"}, "is not before"),
    "no zone designator": ("articles.csv", "FX-R0", {"published_latest": "2026-01-31T18:29:00"}, "not an instant"),
    "impossible instant": ("articles.csv", "FX-R0", {"published_latest": "2026-02-31T18:29:00Z"}, "not an instant"),
    "unknown zone": ("articles.csv", "FX-R0", {"zone": "Europe/Detroit"}, "zone 'Europe/Detroit' is unknown"),
    "unknown role": ("articles.csv", "FX-R0", {"role": "rumour"}, "role 'rumour'"),
    "unknown precision": ("articles.csv", "FX-R0", {"precision": "week"}, "precision 'week'"),
    "no address": ("articles.csv", "FX-D1", {"url": "evxl.co/x"}, "is no address"),
    "decoded lower bound": ("articles.csv", "FX-R0", {"earliest_basis": "decoded"}, "upper bound only"),
    "denial before its report": (
        "articles.csv",
        "FX-D1",
        {"published_earliest": "2026-01-29T00:00:00Z", "published_latest": "2026-01-30T00:00:00Z"},
        "ends before its report",
    ),
    "orphan": ("articles.csv", "FX-R0", {"story": "nobody"}, "no story nobody"),
    "two listings": ("stories.csv", "ford-xiaomi", {"ticker": "F;1810.HK"}, "exactly one listing"),
    "state": ("stories.csv", "ford-xiaomi", {"state": "ajar"}, "state 'ajar'"),
    "denied": ("stories.csv", "ford-xiaomi", {"denied": "maybe"}, "denied 'maybe'"),
    "embedded": ("stories.csv", "ford-xiaomi", {"embedded": ""}, "none of yes, no"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_rows_are_refused(data, case):
    name, key, values, message = BROKEN[case]
    change(data, name, key, **values)
    with pytest.raises(DataError, match=message) as caught:
        load_stories(data)
    assert caught.value.hint


def test_the_registry_loads():
    stories = load_stories(ROOT / "data")
    assert len(stories) == 57
    assert sum(len(s.articles) for s in stories.values()) == 129


def test_an_unknown_story_is_named_with_its_neighbours():
    with pytest.raises(ConfigError, match="ford-byd-2026"):
        load_story("ford-byd", ROOT / "data")


def test_only_a_single_report_is_bounded_by_the_denial():
    first = article("report", "2026-02-02 12:00", "2026-02-02 13:00", "a")
    second = article("report", "2026-02-02 12:00", "2026-02-04 12:00", "b")
    denial = article("denial", "2026-02-02 12:00", "2026-02-03 12:00", "c")
    moved = {a.article_id: a for a in tighten_by_order((first, second, denial))}
    assert moved["b"].published_latest == second.published_latest
    alone = {a.article_id: a for a in tighten_by_order((second, denial))}
    assert alone["b"].published_latest == denial.published_latest
