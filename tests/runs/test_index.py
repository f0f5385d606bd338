"""The index: one row a story, bounded pages however many runs there are, true after every path, a cache that may be lost."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from event_impact.base.run_record import RunRecord
from event_impact.runs import index
from event_impact.runs import store as cache
from event_impact.runs.index import draw_bar, rebuild_index, tell_difference
from event_impact.runs.run import run_notebook
from event_impact.runs.store import FACTS, StoredRun, read_facts
from small_study import check_index, execute_fake, make_study, render_index, request

AT = datetime(2026, 12, 1, tzinfo=UTC)
HEADLINE = {"estimate": -0.0104, "ci95_low": -0.055, "ci95_high": 0.034}


def put(reports: Path, number: int, story: str = "acme", **changes) -> StoredRun:
    """A run as far as the index reads it."""
    record = RunRecord(
        story=story, notebook="02_event_study", as_of="2026-02-13", outcome="no_detectable_effect", headline=HEADLINE,
        title=f"Title of {story}", finished_at=f"2026-03-{number // 1440 % 28 + 1:02}T{number // 60 % 24:02}:{number % 60:02}:00Z",
        parameters={"story": story, "as_of": "2026-02-13", "benchmark": "SPY"}, vintage="snapshot-2026-09",
    )  # fmt: skip
    record = dataclasses.replace(record, **changes)
    folder = reports / f"{record.as_of}_{story}_event-study_{number:08x}"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(record.as_text(), encoding="utf-8")
    return StoredRun(folder, record)


def test_a_story_is_one_row_with_estimate_interval_and_its_newest_runs(tmp_path):
    for number in range(20):
        put(tmp_path, number)
    put(tmp_path, 0, "bolt", headline=None, outcome=None)
    page = render_index(tmp_path, at=AT)
    check_index(page)
    assert page.count('<details class="fold">') == 2
    assert page.count("<li>") == index.RUNS_SHOWN + 1
    assert "\u22121.04\u00a0%" in page
    assert 'class="bar"' in page
    assert "Title of acme" in page
    assert page.count(">days</a>") == 2  # one sibling page a story, however many runs
    assert 'href="history/acme.html">all 20 runs' in page


def test_many_runs_make_more_pages_and_none_larger(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "ROWS_OF_A_PAGE", 10)
    for number in range(57):
        put(tmp_path, number)
    rebuild_index(tmp_path, clock=lambda: AT)
    names = sorted(p.name for p in (tmp_path / "history").iterdir())
    assert names == ["acme-1.html", "acme-2.html", "acme-3.html", "acme-4.html", "acme-5.html", "acme.html"]
    listed = Counter()
    for path in (tmp_path / "history").iterdir():
        page = check_index(path.read_text(encoding="utf-8"))
        assert page.count('<th scope="row">') <= 10
        listed.update(name for name in (p.name for p in tmp_path.glob("2026*")) if name in page)
    assert set(listed.values()) == {1}
    assert len(listed) == 57


def test_full_pages_of_a_history_are_written_once(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "ROWS_OF_A_PAGE", 10)
    for number in range(35):
        put(tmp_path, number)
    rebuild_index(tmp_path, clock=lambda: AT)
    written = []
    replace = index.replace_files
    monkeypatch.setattr(index, "replace_files", lambda files: (written.extend(p.name for p in files), replace(files)))
    put(tmp_path, 36)
    rebuild_index(tmp_path, clock=lambda: AT)
    assert sorted(written) == ["acme.html", "index.html", "pages.json"]


def test_many_stories_are_paged_too(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "ROWS_OF_A_PAGE", 3)
    for number in range(7):
        put(tmp_path, number, f"story-{number}")
    rebuild_index(tmp_path, clock=lambda: AT)
    pages = [(tmp_path / name).read_text(encoding="utf-8") for name in ("index.html", "index-2.html", "index-3.html")]
    assert [page.count('<details class="fold">') for page in pages] == [3, 3, 1]
    assert 'href="index-2.html">older' in pages[0]


def test_pages_of_what_is_gone_are_gone(tmp_path):
    first = put(tmp_path, 1)
    put(tmp_path, 2, "bolt")
    rebuild_index(tmp_path, clock=lambda: AT)
    (first.folder / "run.json").unlink()
    first.folder.rmdir()
    rebuild_index(tmp_path, clock=lambda: AT)
    assert [p.name for p in (tmp_path / "history").iterdir()] == ["bolt.html"]
    assert "acme" not in (tmp_path / "index.html").read_text(encoding="utf-8")


# ---------------------------------------------------------------- the cache


def test_each_record_is_read_once_and_again_only_where_it_changed(tmp_path, monkeypatch):
    runs = [put(tmp_path, number) for number in range(6)]
    reads = []
    read = cache.read_stored
    monkeypatch.setattr(cache, "read_stored", lambda folder: (reads.append(folder.name), read(folder))[1])
    first = render_index(tmp_path, at=AT)
    assert len(reads) == 6
    assert render_index(tmp_path, at=AT) == first
    assert len(reads) == 6
    changed = dataclasses.replace(runs[3].run, outcome="effect")
    (runs[3].folder / "run.json").write_text(changed.as_text(), encoding="utf-8")
    assert "abnormal return detected" in render_index(tmp_path, at=AT)
    assert reads[6:] == [runs[3].folder.name]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-40],
        lambda text: "{}\nnull\n[1]\n" + text,
        lambda text: text.replace("run", "rum"),
    ],
    ids=["empty", "cut off", "other lines", "other names"],
)
def test_a_lost_or_damaged_cache_is_made_again(tmp_path, damage):
    for number in range(4):
        put(tmp_path, number)
    first = render_index(tmp_path, at=AT)
    text = (tmp_path / FACTS).read_text(encoding="utf-8")
    (tmp_path / FACTS).write_text(damage(text), encoding="utf-8")
    assert render_index(tmp_path, at=AT) == first
    put(tmp_path, 9)
    assert len(read_facts(tmp_path).good) == 5
    assert len(read_facts(tmp_path).good) == 5


def test_the_cache_holds_what_lies_there_and_nothing_else(tmp_path):
    stored, other = put(tmp_path, 1), put(tmp_path, 2)
    for number in range(3):
        changed = dataclasses.replace(stored.run, verdict=f"{number}")
        (stored.folder / "run.json").write_text(changed.as_text(), encoding="utf-8")
        assert read_facts(tmp_path).good[0].run.verdict == f"{number}"
    shutil.rmtree(other.folder)
    read_facts(tmp_path)
    assert list(json.loads((tmp_path / FACTS).read_text(encoding="utf-8"))) == [stored.folder.name]


# ---------------------------------------------------------------- rows


def test_what_differs_from_the_run_above_is_told_and_own_files_are_named(tmp_path):
    above = put(tmp_path, 2)
    parameters = above.run.parameters | {
        "as_of": "2026-02-12",
        "benchmark": "VTI",
        "source": "/home/desk/own prices.csv",
    }
    below = StoredRun(
        tmp_path, dataclasses.replace(above.run, parameters=parameters, vintage="own files: own prices.csv")
    )
    assert tell_difference(below, above) == (
        "benchmark VTI; source own files own prices.csv; prices of own files: own prices.csv"
    )
    assert tell_difference(above, above) == ""
    assert tell_difference(above, None) == ""


@pytest.mark.parametrize("odd", [None, True, float("1e9"), "x"])
def test_a_bar_needs_three_numbers(tmp_path, odd):
    run = dataclasses.replace(put(tmp_path, 1).run, headline=HEADLINE | {"ci95_low": odd})
    assert "svg" not in draw_bar(StoredRun(tmp_path, run), 0.05)


def test_bars_of_a_page_share_one_scale(tmp_path):
    wide, narrow = put(tmp_path, 1), put(tmp_path, 2, headline={"estimate": 0.01, "ci95_low": 0.0, "ci95_high": 0.0275})
    scale = index.find_scale([wide, narrow])
    assert scale == 0.055
    assert 'x1="80.0" x2="118.0"' in draw_bar(narrow, scale)  # half of 76 units to the right of zero


def test_hostile_titles_are_text(tmp_path):
    put(tmp_path, 1, title='<script>alert(1)</script>"&', verdict="<img src=x onerror=y>")
    rebuild_index(tmp_path, clock=lambda: AT)
    for page in (tmp_path / "index.html", tmp_path / "history/acme.html"):
        text = check_index(page.read_text(encoding="utf-8"))
        assert "<script>alert" not in text
        assert "<img" not in text


# ---------------------------------------------------------------- every path ends with a true index


def test_a_run_that_was_published_without_its_index_is_listed_when_asked_for_again(tmp_path, monkeypatch):
    root = make_study(tmp_path / "study")
    with monkeypatch.context() as patched:
        patched.setattr(
            "event_impact.runs.publication.rebuild_index", lambda *a, **o: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            run_notebook(request(root), execute=execute_fake)
    assert not (root.reports / "index.html").exists()
    again = run_notebook(request(root), execute=execute_fake)
    assert not again.is_new
    assert again.folder.name in (root.reports / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_thirty_thousand_runs_are_indexed(tmp_path):
    """Bytes of the largest page and lines of the cache are bounded; times are printed, not asserted."""
    import time

    figures = {}
    for size in (3000, 30_000):
        reports = tmp_path / str(size)
        template = put(reports, 1).run
        for number in range(2, size + 1):
            story = f"story-{number % 5}"
            folder = reports / f"2026-02-13_{story}_event-study_{number:08x}"
            folder.mkdir()
            finished = f"20{26 + number // 12_000}-{number // 900 % 12 + 1:02}-{number // 60 % 28 + 1:02}T01:{number % 60:02}:00Z"
            changed = dataclasses.replace(template, story=story, title=story, finished_at=finished)
            (folder / "run.json").write_text(json.dumps(changed.as_json()), encoding="utf-8")
        times = []
        for _ in range(2):
            begun = time.process_time()
            rebuild_index(reports, clock=lambda: AT)
            times.append(time.process_time() - begun)
        pages = [*reports.glob("*.html"), *(reports / "history").glob("*.html")]
        figures[size] = (times, max(p.stat().st_size for p in pages), len(pages))
        assert figures[size][1] < 1_500_000
    print(figures)
