"""Feeds good and bad: items as small pages, none lost without a word, none about another firm."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from event_impact.base.errors import ConfigError, DataError
from event_impact.events.articles import load_story
from event_impact.reading.feeds import is_feed, name_feed, pick_items, read_feed
from event_impact.reading.ingest import weigh_page

pytest.importorskip("feedparser")
AT = datetime(2026, 2, 3, tzinfo=UTC)


def rss(*items: str, head: str = "") -> bytes:
    body = "".join(f"<item>{item}</item>" for item in items)
    text = f'{head}<rss version="2.0"><channel><title>The Van Courier</title>{body}</channel></rss>'
    return text.encode()


def item(title="Ford in talks", guid="1", link="https://courier.example/1", date="Sat, 31 Jan 2026 14:05:33 EST"):
    dated = f"<pubDate>{date}</pubDate>" if date else ""
    return f"<title>{title}</title><guid>{guid}</guid><link>{link}</link>{dated}"


@pytest.fixture
def ford(root):
    return load_story("ford-xiaomi", root.data)


def weigh(feed, n=0):
    return weigh_page(feed.items[n].page, saved_at=AT)


def test_an_item_is_bounded_by_the_time_that_it_prints():
    found = weigh(read_feed(rss(item()), name="f"))
    assert found.proposal.interval.earliest == datetime(2026, 1, 31, 19, 5, 33, tzinfo=UTC)
    assert found.proposal.interval.width.total_seconds() == 1
    assert (found.proposal.basis.printed, found.proposal.zone) == ("Sat, 31 Jan 2026 14:05:33 EST", "America/New_York")
    assert (found.outlet, found.address) == ("The Van Courier", "https://courier.example/1")


def test_a_date_in_a_title_is_part_of_the_matter():
    found = weigh(read_feed(rss(item(title="Ford results of 29 January 2026")), name="f"))
    assert found.proposal.verdict == "found"


def test_atom_with_and_without_publication():
    entry = "<entry><title>Ford</title><id>{0}</id><link href='https://a.example/{0}'/><{1}>2026-01-31T14:05:33Z</{1}></entry>"
    body = entry.format("a", "published") + entry.format("b", "updated")
    feed = read_feed(f'<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title>{body}</feed>'.encode(), name="f")
    assert weigh(feed, 0).proposal.verdict == "found"
    assert "bounds from one side" in weigh(feed, 1).proposal.reason


def test_future_and_missing_dates_are_not_used():
    feed = read_feed(rss(item(date="Sat, 31 Jan 2027 14:05:33 GMT"), item(guid="2", date="")), name="f")
    with pytest.raises(DataError, match="in the future"):
        weigh(feed, 0)
    assert weigh(feed, 1).proposal.verdict == "undecided"


def test_repeated_items_are_named_once_and_said_and_reused_ids_are_kept():
    feed = read_feed(rss(item(), item(), item(title="Ford denies", link="https://courier.example/2")), name="f")
    assert [i.title for i in feed.items] == ["Ford in talks", "Ford denies"]
    assert feed.remarks == ("1 item(s) of f repeat another and are named once",)


def test_relative_links_are_read_against_the_feed_or_left_out():
    content = rss(item(link="/n/1"))
    assert weigh(read_feed(content, name="f", address="https://b.example/feed")).address == "https://b.example/n/1"
    assert weigh(read_feed(content, name="f")).address == ""


@pytest.mark.parametrize(
    ("title", "is_named"),
    [
        ("Ford in talks", True),
        ("Reports: Ford's plan", True),
        ("(NYSE: F) rises", True),
        ("Stratford council cannot afford it", False),
        ("Fordham wins", False),
        ("ford a river", False),
        ("Grade F for the plan", False),
    ],
)
def test_only_whole_names_and_listings_name_the_firm(title, is_named, ford):
    found = pick_items(read_feed(rss(item(title=title)), name="f").items, ford)
    assert bool(found) is is_named


def test_a_story_without_a_name_of_its_firm_is_found_by_its_listing_alone(ford):
    bare = dataclasses.replace(ford, firm="")
    items = read_feed(rss(item(), item(guid="2", title="(NYSE: F) rises")), name="f").items
    assert [i.title for i in pick_items(items, bare)] == ["(NYSE: F) rises"]


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (rss(item(title="&b;"), head=BOMB), "declares entities"),
        (rss(item()) + b" " * 10_000_000, "more than the 8 MB"),
        (b"<html><body><p>no feed</p></body></html>", "no feed"),
    ],
    ids=["entities", "ten megabytes", "page"],
)
def test_bad_feeds_are_refused(content, what):
    with pytest.raises(DataError, match=what):
        read_feed(content, name="f")


def test_damaged_markup_is_said():
    feed = read_feed(rss(item()).replace(b"</channel>", b""), name="f")
    assert feed.remarks == ("the markup of f is damaged; what could be read is shown",)


def test_a_feed_is_told_from_a_page_and_an_item_must_be_named():
    assert is_feed(rss(item()))
    assert not is_feed(b"<html><body>rss and feed</body></html>")
    feed = read_feed(rss(item()), name="f")
    assert feed.find(feed.items[0].key) is feed.items[0]
    with pytest.raises(ConfigError, match="none is chosen") as caught:
        feed.find("")
    assert feed.items[0].key in caught.value.hint


def test_logins_and_queries_of_a_feed_are_not_named():
    assert name_feed("https://user:word@a.example/f.xml?token=1") == "a.example/f.xml"
    assert name_feed("saved/f.xml") == "f.xml"
