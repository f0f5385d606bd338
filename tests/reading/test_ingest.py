"""Saved pages of many shapes, and what becomes of them in the registry."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from event_impact.base.clock import format_instant
from event_impact.base.errors import ConfigError, DataError
from event_impact.base.root import StudyRoot
from event_impact.events.articles import load_stories, load_story
from event_impact.reading import ingest
from event_impact.reading.evidence import Evidence
from event_impact.reading.ingest import ArticleRequest, add_article, examine_page
from event_impact.reading.proposals import bound_by_hand, propose, use
from event_impact.reading.stamps import Interval
from event_impact.registry.new_study import lay_out_study

PAGES = Path(__file__).resolve().parents[1] / "data" / "pages"
SAVED_AT = datetime(2026, 3, 31, tzinfo=UTC)
WRONG = {"masthead_only.html", "template_meta.html", "time_of_matter.html"}
"""Pages whose own marks mislead, and which nothing on the page contradicts."""
ONLY_THE_LIBRARY = "title_attribute.html"


@pytest.fixture
def no_library(monkeypatch):
    """The date library as if it were not installed."""
    monkeypatch.setitem(sys.modules, "htmldate", None)


@pytest.fixture
def own_study(root, tmp_path) -> StudyRoot:
    return StudyRoot(lay_out_study(root, tmp_path / "study"))


def truth() -> list[dict[str, str]]:
    with (PAGES / "truth.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def examine(name: str, **options):
    return examine_page((PAGES / name).read_bytes(), name=name, saved_at=SAVED_AT, **options)


def judge(row: dict[str, str]) -> str:
    """right: the proposal is the truth; wrong: it is not; undecided: none, rightly; missed: none, wrongly."""
    try:
        proposal = examine(row["file"], zone=row["zone"]).proposal
    except DataError:
        return "refused"
    if proposal.interval is None:
        return "missed" if row["earliest"] else "undecided"
    found = (format_instant(proposal.interval.earliest), format_instant(proposal.interval.latest))
    return "right" if found == (row["earliest"], row["latest"]) else "wrong"


@pytest.mark.usefixtures("no_library")
def test_the_table_of_pages():
    outcomes = {row["file"]: judge(row) for row in truth()}
    assert Counter(outcomes.values()) == {"right": 28, "undecided": 10, "wrong": 3, "missed": 1, "refused": 1}
    assert {name for name, outcome in outcomes.items() if outcome == "wrong"} == WRONG
    assert outcomes[ONLY_THE_LIBRARY] == "missed"
    assert outcomes["future.html"] == "refused"
    assert {p.name for p in PAGES.iterdir()} - set(outcomes) == {"truth.csv", ".gitattributes"}


def test_the_table_of_pages_with_the_library():
    pytest.importorskip("htmldate")
    outcomes = {row["file"]: judge(row) for row in truth()}
    assert Counter(outcomes.values()) == {"right": 29, "undecided": 10, "wrong": 3, "refused": 1}
    assert outcomes[ONLY_THE_LIBRARY] == "right"


@pytest.mark.usefixtures("no_library")
class TestProposals:
    @pytest.mark.parametrize(
        ("name", "verdict", "words"),
        [
            ("disagree.html", "disagree", "exclude each other"),
            ("masthead.html", "disagree", "exclude each other"),
            ("numeric_ambiguous.html", "disagree", "read the same characters"),
            ("zone_cst.html", "disagree", "read the same characters"),
            ("no_date.html", "undecided", "the page has no date"),
            ("updated_only.html", "undecided", "bounds from one side"),
            ("embedded_post.txt", "undecided", "no date of its own"),
            ("dst_skipped.html", "undecided", "the clocks skip it"),
        ],
    )
    def test_what_is_not_guessed(self, name, verdict, words):
        zone = "Europe/London" if "dst" in name else ""
        proposal = examine(name, zone=zone).proposal
        assert (proposal.verdict, proposal.chosen, proposal.interval) == (verdict, None, None)
        assert words in proposal.reason

    def test_another_item_tells_two_readings_apart(self):
        page = (PAGES / "numeric_ambiguous.html").read_bytes()
        settled = page.replace(b"</title>", b'</title><meta name="pubdate" content="2026-03-02">')
        proposal = examine_page(settled, name="p", saved_at=SAVED_AT).proposal
        assert proposal.verdict == "found"
        assert format_instant(proposal.interval.earliest) == "2026-03-01T10:00:00Z"

    def test_the_analyst_chooses(self):
        proposal = examine("disagree.html").proposal
        second = use(proposal, 2)
        assert second.printed == "1 February 2026"
        assert "against 1" in second.reason
        with pytest.raises(ConfigError, match="has 2 items"):
            use(proposal, 3)
        with pytest.raises(ConfigError, match="one side only"):
            use(examine("updated_only.html").proposal, 1)

    def test_an_embedded_post_bounds_from_below(self):
        """A post of Sunday 1 February inside, and *Monday*: written on Monday the 2nd or in the six days after."""
        post, monday = examine("embedded_post.txt").proposal.evidence
        assert (post.kind, post.printed) == ("not_earlier_than", "February 1, 2026")
        assert (monday.kind, monday.printed) == ("relative", "Monday")
        chosen = use(examine("embedded_post.txt").proposal, 2).interval
        assert (format_instant(chosen.earliest), format_instant(chosen.latest)) == (
            "2026-02-01T10:00:00Z", "2026-02-09T12:00:00Z",
        )  # fmt: skip
        assert (chosen.earliest_basis, chosen.latest_basis) == ("start_of_named_day", "assumed")

    def test_an_anchor_fixes_relative_days(self):
        from datetime import date

        named = {e.printed: e.interval for e in examine("embedded_post.txt", anchor=date(2026, 2, 4)).proposal.evidence}
        assert format_instant(named["Monday"].earliest) == "2026-02-01T10:00:00Z"
        assert format_instant(named["Monday"].latest) == "2026-02-03T12:00:00Z"
        alone = examine("no_date.html").proposal.evidence
        assert all(e.problem == "no day to count from" for e in alone if e.kind == "relative")

    def test_a_zone_of_the_analyst_does_not_overrule_a_printed_one(self):
        with_zone, without = (examine("text_en_us.html", zone=z).proposal.interval for z in ("Asia/Tokyo", ""))
        assert with_zone == without

    def test_a_decoded_clock_before_the_stamp_contradicts_it(self):
        page = (PAGES / "address_bytedance.html").read_bytes()
        later = page.replace("2026年2月3日".encode(), "2026年2月9日".encode())
        proposal = examine_page(later, name="p", saved_at=SAVED_AT).proposal
        assert proposal.verdict == "disagree"
        assert "lies before" in proposal.reason

    def test_three_readings_need_an_instant_in_common(self):
        """Pairs of a wide interval with two narrow ones overlap; the narrow ones do not."""

        def item(first: int, last: int) -> Evidence:
            day = [datetime(2026, 2, d, tzinfo=UTC) for d in (first, last)]
            return Evidence("published", 1, f"{first}", f"{first}", interval=Interval(*day, "printed", "printed"))

        assert propose([item(1, 9), item(2, 3), item(5, 6)]).verdict == "disagree"
        assert propose([item(1, 9), item(2, 6), item(5, 8)]).verdict == "found"

    def test_bounds_by_hand_are_assumed(self):
        at = [datetime(2026, 2, d, tzinfo=UTC) for d in (1, 2, 3, 4)]
        page = Interval(at[0], at[3], "printed", "printed")
        narrowed = bound_by_hand(page, not_before=at[1], not_after=None)
        assert (narrowed.earliest, narrowed.earliest_basis, narrowed.latest_basis) == (at[1], "assumed", "printed")
        assert bound_by_hand(None, not_before=at[1], not_after=None) is None
        with pytest.raises(DataError):
            bound_by_hand(page, not_before=at[3], not_after=None)


def test_the_missing_library_is_said(no_library):
    assert ingest.LIBRARY_MISSING in examine("no_date.html").remarks
    assert examine("embedded_post.txt").remarks == ()


def test_a_failing_library_is_said(monkeypatch):
    htmldate = pytest.importorskip("htmldate")

    def fail(*args, **options):
        raise ValueError("broken tree")

    monkeypatch.setattr(htmldate, "find_date", fail)
    assert "the date library failed on this page (ValueError)" in examine("no_date.html").remarks


@pytest.mark.parametrize("bad", ["Europe/Dearborn", "CST", "../etc/passwd", "+1"])
def test_unknown_zones_are_wrong_requests(bad):
    with pytest.raises(ConfigError, match="unknown time zone") as caught:
        examine("no_date.html", zone=bad)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Arvo (NYSE: ARVO) and Tessel (HKEX: 700)", (("ARVO", "XNYS"), ("0700.HK", "XHKG"))),
        ("shares of 1810.HK and $GM rose", (("1810.HK", "XHKG"), ("GM", ""))),
        ("(NYSE:STLA; BIT:STLAM)", (("STLA", "XNYS"), ("STLAM.MI", "XMIL"))),
        ("ticker: F, (NYSE: F)", (("F", "XNYS"),)),
        ("costs $500 and US$20", ()),
    ],
)
def test_listings(text, found):
    page = examine_page(text.encode(), name="t", saved_at=SAVED_AT)
    assert page.listings == found


# ---- into the registry --------------------------------------------------------------------------


def days(year: int) -> Interval:
    return Interval(datetime(year, 1, 2, tzinfo=UTC), datetime(year, 1, 3, tzinfo=UTC), "printed", "printed")


def request(examined, role: str = "relay", **changes) -> ArticleRequest:
    base = ArticleRequest("ford-xiaomi", role, examined.proposal.interval, outlet="The Van Courier")
    return dataclasses.replace(base, **changes)


def bytes_of(data: Path) -> dict[str, str]:
    tables = (p for p in sorted(data.iterdir()) if p.is_file() and p.name != ".lock")
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in tables}


@pytest.mark.usefixtures("no_library")
class TestRegistry:
    def test_a_row_is_added_and_nothing_else_touched(self, own_study):
        before = (own_study.data / "articles.csv").read_bytes()
        page = examine("text_en_us.html", address="https://courier.example/arvo")
        added = add_article(own_study.data, page, request(page, paraphrase="A paper reports talks"))
        after = (own_study.data / "articles.csv").read_bytes()
        assert after.startswith(before)
        assert after.count(b"\n") == before.count(b"\n") + 1
        article = next(
            a for a in load_story("ford-xiaomi", own_study.data).articles if a.article_id == added.article_id
        )
        assert article.article_id == "FX-L18"
        assert (article.role, article.source_kind, article.confidence) == ("relay", "relay", "medium")
        assert (article.zone, article.zone_basis, article.precision) == ("America/New_York", "printed", "minute")
        assert format_instant(article.published_earliest) == "2026-02-03T19:05:00Z"
        assert article.url == "https://courier.example/arvo"
        assert page.fingerprint.text_sha256 in article.notes

    def test_no_text_of_the_page_is_kept(self, own_study):
        page = examine("text_en_us.html")
        add_article(own_study.data, page, request(page))
        kept = "".join((own_study.data / n).read_text("utf-8") for n in ("articles.csv", "fingerprints.csv"))
        words = page.page.text.split()
        runs = [" ".join(words[i : i + 5]) for i in range(len(words) - 4)]
        # the stamp is evidence and stays
        assert [run for run in runs if run in kept] == [
            "Feb. 3, 2026 at 2:05",
            "3, 2026 at 2:05 p.m.",
            "2026 at 2:05 p.m. ET",
        ]

    def test_the_same_page_twice_is_one_row(self, own_study):
        page = examine("text_en_us.html")
        first = add_article(own_study.data, page, request(page))
        before = bytes_of(own_study.data)
        second = add_article(own_study.data, page, request(page))
        assert (first.is_new, second.is_new) == (True, False)
        assert second.article_id == first.article_id
        assert bytes_of(own_study.data) == before

    def test_a_copy_elsewhere_becomes_a_relay(self, own_study):
        first = examine("text_en_us.html")
        add_article(own_study.data, first, request(first))
        copy = examine("meta_utc.html")
        added = add_article(own_study.data, copy, request(copy, role="denial"))
        assert (added.row["role"], added.row["source_kind"]) == ("relay", "syndication")
        assert any("FX-L18" in remark for remark in added.remarks)
        assert any("entered as a relay" in remark for remark in added.remarks)
        kept = add_article(
            own_study.data, examine("time_lone.html"), request(examine("time_lone.html"), role="other", keeps_role=True)
        )
        assert kept.row["role"] == "other"

    def test_a_copy_of_another_story_keeps_its_role(self, own_study):
        first = examine("text_en_us.html")
        add_article(own_study.data, first, request(first))
        added = add_article(own_study.data, first, request(first, story="byd-nio-2024", role="other"))
        assert added.is_new
        assert added.row["role"] == "other"
        assert any("story ford-xiaomi" in remark for remark in added.remarks)

    def test_hashes_in_the_notes_stand_in_for_lost_fingerprints(self, own_study):
        page = examine("text_en_us.html")
        add_article(own_study.data, page, request(page))
        (own_study.data / "fingerprints.csv").unlink()
        assert not add_article(own_study.data, page, request(page)).is_new

    def test_fingerprints_of_deleted_articles_do_not_count(self, own_study):
        page = examine("text_en_us.html")
        before = (own_study.data / "articles.csv").read_bytes()
        add_article(own_study.data, page, request(page))
        (own_study.data / "articles.csv").write_bytes(before)
        assert add_article(own_study.data, page, request(page)).is_new
        assert len(pd.read_csv(own_study.data / "fingerprints.csv")) == 1

    @pytest.mark.parametrize(
        ("changes", "error", "words"),
        [
            ({"story": "no-such-story"}, ConfigError, "unknown story"),
            ({"role": "rumour"}, ConfigError, "--role"),
            ({"article_id": "FX-R0"}, ConfigError, "in use"),
            ({"article_id": "a b"}, ConfigError, "is no id"),
            ({"outlet": ""}, ConfigError, "does not name its outlet"),
            ({"confidence": "sure"}, ConfigError, "--confidence"),
            ({"paraphrase": "van " * 23}, ConfigError, "has 23 words"),
            ({"paraphrase": "They said “no”."}, ConfigError, "quotation marks"),
            ({"paraphrase": "Sides met in a hotel, compared drawings and parted without"}, ConfigError, "repeats 8"),
            (
                {"role": "denial", "interval": days(2020)},
                DataError,
                "ends before its report",
            ),
            (
                {"interval": days(1970)},
                ConfigError,
                "before the first known session",
            ),
        ],
    )  # fmt: skip
    def test_nothing_is_half_written(self, own_study, changes, error, words):
        page = examine("text_en_us.html")
        before = bytes_of(own_study.data)
        with pytest.raises(error, match=words):
            add_article(own_study.data, page, request(page, **changes))
        assert bytes_of(own_study.data) == before

    def test_a_full_disk_leaves_the_table_as_it_was(self, own_study, monkeypatch):
        page = examine("text_en_us.html")
        before = (own_study.data / "articles.csv").read_bytes()

        def fail(*args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("event_impact.base.disk.os.fsync", fail)
        with pytest.raises(DataError, match="No space left on device"):
            add_article(own_study.data, page, request(page))
        assert (own_study.data / "articles.csv").read_bytes() == before
        assert sorted(p.name for p in own_study.data.glob(".*")) == [".gitattributes", ".lock"]

    def test_every_page_makes_a_row_that_the_registry_accepts(self, own_study):
        """Rows keep the rules of the shipped registry: bases, widths, edges of named days."""
        bases = {"printed", "start_of_named_day"}, {"printed", "decoded", "end_of_named_day"}
        for row in truth():
            if row["earliest"] == "" or row["file"] == ONLY_THE_LIBRARY:
                continue
            page = examine(row["file"], zone=row["zone"])
            added = add_article(own_study.data, page, request(page, role="other", keeps_role=True))
            assert added.row["earliest_basis"] in bases[0], row["file"]
            assert added.row["latest_basis"] in bases[1], row["file"]
            assert (added.row["zone"] == "") == (added.row["zone_basis"] == "unstated"), row["file"]
        assert len(load_stories(own_study.data)["ford-xiaomi"].articles) > 40


def test_dates_of_the_site_around_an_article_are_no_evidence_of_its_own():
    """A date in the navigation or the footer says when the copy was served, not when the article appeared."""
    page = (
        b"<html><body><nav>Friday, Feb 13, 2026</nav><h1>Talks</h1><p>February 3, 2026, 18:28 GMT</p>"
        b"<p>They talked.</p><footer>Published 14 February 2026</footer></body></html>"
    )
    found = examine_page(page, name="page", saved_at=datetime(2026, 3, 1, tzinfo=UTC)).proposal
    assert found.verdict == "found"
    assert format_instant(found.interval.earliest) == "2026-02-03T18:28:00Z"
    beside = [e for e in found.evidence if "beside the article" in e.source]
    assert len(beside) == 2
    assert all(e.kind == "mention" for e in beside)
    assert "against" not in use(found, 1).reason


HEAD = '<html lang="{lang}"><head>{head}</head><body><h1>Talks</h1>{body}<p>They talked at length about it.</p></body></html>'
DAY = '<meta property="article:published_time" content="2026-02-03">'
WHOLE_DAY = ("2026-02-02T10:00:00Z", "2026-02-04T12:00:00Z")


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize(
    ("lang", "head", "body", "zone", "found"),
    [
        # a French "et" is no Eastern Time
        ("fr", "", "<p>Publié le 3 février 2026 à 14h05 et mis à jour hier</p>", "Europe/Paris",
         ("2026-02-03T13:05:00Z", "2026-02-03T13:06:00Z")),
        # quotes of a market are dated, the page is not by them
        ("en", DAY, "<p>Market data as of Feb 3, 2026 4:00 PM ET</p>", "", WHOLE_DAY),
        # a midnight written with Z holds that midnight whatever zone the analyst knows of
        ("en", DAY.replace("03\"", '03T00:00:00Z"'), "", "America/New_York", WHOLE_DAY),
        # a minus sign, a doubled name, an offset of whole hours
        ("en", "", "<p>3 February 2026 14:05 UTC\u22125</p>", "", ("2026-02-03T19:05:00Z", "2026-02-03T19:06:00Z")),
        ("en", "", "<p>3 February 2026 14:05 UTC/GMT+8</p>", "", ("2026-02-03T06:05:00Z", "2026-02-03T06:06:00Z")),
        ("en", DAY.replace("03\"", '03T14:05:00+00"'), "", "America/New_York",
         ("2026-02-03T14:05:00Z", "2026-02-03T14:06:00Z")),
        # a zone that is printed and not known bars the analyst's
        ("en", "", "<p>3 February 2026, 14:05 MSK</p>", "America/New_York",
         ("2026-02-03T00:05:00Z", "2026-02-04T02:06:00Z")),
        # a clock belongs to one date; an update after the date is one
        ("en", DAY, "<p>Updated Feb 4, 2026 9:00 AM ET | Posted Feb 3, 2026</p>", "", WHOLE_DAY),
        ("zh", "", "<p>2026年2月5日 14:05 更新</p>", "", None),
        # dots in clocks, lengths of videos, halves of the day
        ("en", "", "<p>10.05am GMT, 3 February 2026</p>", "", ("2026-02-03T10:05:00Z", "2026-02-03T10:06:00Z")),
        ("en", "", "<p>February 3, 2026 \u00b7 5:12</p>", "", WHOLE_DAY),
        ("es", "", "<p>3 de febrero de 2026, 2:05 de la tarde</p>", "Europe/Madrid",
         ("2026-02-03T13:05:00Z", "2026-02-03T13:06:00Z")),
        # a sentence about publishing, and a day in a headline, are no stamps
        ("en", "", "<p>Arvo posted record results on 5 November 2025 and spoke.</p>", "", None),
        ("en", "", "<h2>The deal of November 5, 2025</h2>", "", None),
        # two days in one field
        ("en", '<script type="application/ld+json">{"@type":["NewsArticle",null],"datePublished":["2026-02-03",'
         '"2026-02-07"]}</script>', "", "", None),
    ],
)  # fmt: skip
def test_what_misled_once_misleads_no_more(lang, head, body, zone, found):
    page = HEAD.format(lang=lang, head=head, body=body).encode()
    proposal = examine_page(page, name="page", saved_at=datetime(2026, 3, 1, tzinfo=UTC), zone=zone).proposal
    bounds = proposal.interval
    assert (bounds and (format_instant(bounds.earliest), format_instant(bounds.latest))) == found


def test_the_library_is_no_witness_of_its_own_reading():
    pytest.importorskip("htmldate")
    saved = datetime(2026, 3, 5, tzinfo=UTC)
    either = examine_page(HEAD.format(lang="en", head="", body="<p>Published 03/02/2026</p>").encode(),
                          name="page", saved_at=saved)  # fmt: skip
    assert either.proposal.verdict == "disagree"
    changed = DAY.replace("published", "modified")
    only = examine_page(HEAD.format(lang="en", head=changed, body="").encode(), name="page", saved_at=saved)
    assert only.proposal.verdict == "undecided"
    picture = '<meta property="og:image" content="https://a.example/2024/05/06/b.jpg">'
    shown = examine_page(HEAD.format(lang="en", head=picture, body="").encode(), name="page", saved_at=saved)
    assert shown.proposal.verdict == "undecided"


@pytest.mark.usefixtures("no_library")
def test_surroundings_that_two_pages_share_make_no_copy(own_study):
    site = "<nav>" + " ".join(f"Section {n} of the site" for n in range(30)) + "</nav>"

    def page(clock: str, words: str) -> bytes:
        meta = f'<meta property="article:published_time" content="2026-02-18T{clock}:07Z">'
        body = f"{site}<p>{words}</p><footer>{site}</footer>"
        return HEAD.format(lang="en", head=meta, body=body).encode()

    report = page("12:05", " ".join(f"arvo{n} talks{n}" for n in range(30)))
    denial = page("15:05", " ".join(f"tessel{n} denies{n}" for n in range(30)))
    saved = datetime(2026, 3, 1, tzinfo=UTC)
    one, other = (examine_page(p, name="page.html", saved_at=saved) for p in (report, denial))

    def add(examined, role, url):
        wanted = ArticleRequest("ford-jv-framework-2026", role, examined.proposal.interval, "Courier")
        return add_article(own_study.data, dataclasses.replace(examined, address=url), wanted)

    add(one, "report", "https://a.example/1")
    assert add(other, "denial", "https://a.example/2").row["role"] == "denial"
    before = (own_study.data / "articles.csv").read_bytes()
    again = examine_page(report.replace(b"12:05:07", b"16:05:07"), name="again.html", saved_at=saved)
    with pytest.raises(DataError, match=r"repeats .*, a report, and is to be a denial"):
        add(again, "denial", "https://a.example/3")
    assert (own_study.data / "articles.csv").read_bytes() == before


@pytest.mark.parametrize("address", ["courier.example", "ftp://courier.example/x", "https://[x", "https://"])
def test_an_address_that_is_none_is_refused_before_the_page_is_read(address):
    with pytest.raises(ConfigError, match="is no address"):
        examine_page(b"", name="page.html", saved_at=datetime(2026, 3, 1, tzinfo=UTC), address=address)


def test_cells_are_one_line_without_hidden_signs():
    from event_impact.base.csv_tables import clean_cell

    assert clean_cell(" a\x00\x1b[0m\u202e b\n\tc\u200b ") == "a[0m b c"


def test_all_files_or_none(tmp_path, monkeypatch):
    """A disk that fills up at the second file leaves the first as it was; a link is followed."""
    from event_impact.base import csv_tables as tables
    from event_impact.base import disk

    one, two, real = tmp_path / "one.csv", tmp_path / "two.csv", tmp_path / "real.csv"
    one.write_bytes(b"1")
    real.write_bytes(b"r")
    two.symlink_to(real)
    tables.replace_tables({one: b"2", two: b"s"})
    assert (one.read_bytes(), real.read_bytes(), two.is_symlink()) == (b"2", b"s", True)
    stage = disk._stage

    def full(staging, target, content):
        if target.name == "real.csv":
            raise OSError(28, "No space left on device")
        stage(staging, target, content)

    monkeypatch.setattr(disk, "_stage", full)
    with pytest.raises(DataError, match="nothing was changed"):
        tables.replace_tables({one: b"3", two: b"t"})
    assert (one.read_bytes(), real.read_bytes()) == (b"2", b"s")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.csv", "real.csv", "two.csv"]


def test_the_exchange_of_the_story_settles_a_zone_of_several_meanings_and_says_so():
    page = b"<html><body><p>July 1, 2025 4:05 PM BST</p><p>" + b"Long text of the page. " * 20 + b"</p></body></html>"
    assert examine_page(page, name="p", saved_at=SAVED_AT).proposal.verdict == "disagree"
    found = examine_page(page, name="p", saved_at=SAVED_AT, home="Europe/London").proposal
    assert (found.verdict, found.zone) == ("found", "Europe/London")
    assert "the story's exchange is there" in found.basis.note
    assert examine_page(page, name="p", saved_at=SAVED_AT, home="America/New_York").proposal.verdict == "disagree"


def test_more_times_than_are_weighed_are_said():
    meta = b"".join(b'<meta name="pubdate" content="2026-01-31T10:%02d:%02dZ">' % divmod(n, 60) for n in range(3000))
    found = examine_page(b"<html><head>" + meta + b"</head><body><p>x</p></body></html>", name="p", saved_at=SAVED_AT)
    assert any("the first were weighed" in e.problem for e in found.proposal.evidence)


def test_a_site_named_like_a_formula_is_not_taken_for_an_outlet():
    page = b'<html><head><meta property="og:site_name" content="=HYPERLINK(1)"></head><body><p>x</p></body></html>'
    assert examine_page(page, name="p", saved_at=SAVED_AT, address="https://www.courier.example/1").outlet == (
        "courier.example"
    )


def test_pipes_and_devices_are_no_pages(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(DataError, match="no plain file"):
            ingest.read_source(str(place), 10)
