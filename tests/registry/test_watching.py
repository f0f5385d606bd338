"""Watching: each item proposed once, whoever watches; a feed that is down hides no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pandas as pd
import pytest
from event_impact.base.errors import DataError
from event_impact.base.root import StudyRoot
from event_impact.cli.main import main
from event_impact.events.articles import load_story
from event_impact.registry.new_study import lay_out_study
from event_impact.registry.watching import watch_feeds

pytest.importorskip("feedparser")
AT = datetime(2026, 2, 3, tzinfo=UTC)
ITEM = "<item><title>{}</title><guid>{}</guid><link>https://c.example/{}</link><pubDate>{}</pubDate></item>"
STAMP = "Sat, 31 Jan 2026 14:05:33 GMT"


def rss(*titles: str) -> bytes:
    items = "".join(ITEM.format(title, n, n, STAMP) for n, title in enumerate(titles))
    return f'<rss version="2.0"><channel><title>C</title>{items}</channel></rss>'.encode()


@pytest.fixture
def own_study(root, tmp_path) -> StudyRoot:
    return StudyRoot(lay_out_study(root, tmp_path / "study"))


def look(study: StudyRoot, content: bytes, feeds=("https://c.example/feed",)):
    story = load_story("ford-xiaomi", study.data)
    return watch_feeds(story, feeds, study.data, at=AT, read=lambda where, limit: content)


def test_new_items_are_recorded_once_with_their_bounds(own_study):
    articles = (own_study.data / "articles.csv").read_bytes()
    first = look(own_study, rss("Ford in talks", "Other news"))
    second = look(own_study, rss("Ford in talks", "Ford denies"))
    assert [p.title for p in first.proposed] == ["Ford in talks"]
    assert [p.title for p in second.proposed] == ["Ford denies"]
    table = pd.read_csv(own_study.data / "watched.csv", dtype=str)
    assert table["published_earliest"].tolist() == ["2026-01-31T14:05:33Z"] * 2
    assert table["time_as_printed"].tolist() == [STAMP] * 2
    assert "Ford" not in (own_study.data / "watched.csv").read_text()  # no text of an item is kept
    assert (own_study.data / "articles.csv").read_bytes() == articles


def test_two_watchers_at_once_record_each_item_once(own_study):
    content = rss(*(f"Ford {n}" for n in range(5)))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: look(own_study, content), range(4)))
    assert sum(len(f.proposed) for f in found) == 5
    assert len(pd.read_csv(own_study.data / "watched.csv")) == 5


def test_a_feed_that_is_down_hides_no_other(own_study):
    def read(where: str, limit: int) -> bytes:
        if "down" in where:
            raise DataError("nobody answers.", "Later.")
        return rss("Ford in talks")

    story = load_story("ford-xiaomi", own_study.data)
    feeds = ("https://down.example/", "https://c.example/feed")
    found = watch_feeds(story, feeds, own_study.data, at=AT, read=read)
    assert len(found.proposed) == 1
    assert [fault.exit_code for fault in found.faults] == [3]


def test_an_item_of_the_future_is_recorded_without_bounds(own_study):
    future = rss("Ford in talks", "Ford denies").replace(STAMP.encode(), b"Mon, 1 Feb 2027 00:10:00 GMT", 1)
    found = look(own_study, future)
    assert [p.row["published_earliest"] for p in found.proposed] == ["", "2026-01-31T14:05:33Z"]
    assert "in the future" in found.proposed[0].row["why"]


class TestVerbs:
    def run(self, capsys, *words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(list(words))
        said = capsys.readouterr()
        return caught.value.code or 0, said.out, said.err

    def test_watch_proposes_and_add_takes_what_is_named(self, own_study, tmp_path, capsys):
        feed = tmp_path / "feed.xml"
        feed.write_bytes(rss("Ford speaks with a rival", "Ford opens a works"))
        head = ("--root", str(own_study.path))
        code, out, _ = self.run(capsys, *head, "watch", "ford-xiaomi", "--feed", str(feed))
        key = out.split()[0]
        assert (code, out.count("2026-01-31T14:05:33Z")) == (0, 2)
        add = (*head, "article", "add", str(feed), "--story", "ford-xiaomi", "--role", "relay", "--yes")
        code, _, err = self.run(capsys, *add)
        assert (code, "none is chosen" in err, key in err) == (2, True, True)
        code, out, _ = self.run(capsys, *add, "--item", key)
        assert code == 0
        row = pd.read_csv(own_study.data / "articles.csv", dtype=str).set_index("article_id").loc[out.strip()]
        assert (row["published_earliest"], row["published_latest"]) == ("2026-01-31T14:05:33Z", "2026-01-31T14:05:34Z")
        assert (row["zone"], row["zone_basis"], row["confidence"]) == ("UTC", "printed", "high")

    def test_a_missing_feed_is_code_3(self, own_study, tmp_path, capsys):
        code, out, err = self.run(
            capsys, "--root", str(own_study.path), "watch", "ford-xiaomi", "--feed", str(tmp_path / "none.xml")
        )
        assert (code, out) == (3, "nothing new\n")
        assert "cannot be read" in err
