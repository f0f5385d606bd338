"""Copies are found by hashes alone; overlap is checked against exact sets."""

from __future__ import annotations

import random

import pytest
from event_impact.base.errors import DataError
from event_impact.reading.fingerprints import (
    COPY_SHARE,
    RUN,
    estimate_overlap,
    find_copied_run,
    find_copy,
    fingerprint_text,
    load_fingerprints,
    tokenize,
)


def words(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choice("abcdefghij") for _ in range(6)) for _ in range(count)]


def exact_overlap(one: str, other: str) -> float:
    def runs(text: str) -> set[tuple[str, ...]]:
        t = tokenize(text)
        return {tuple(t[i : i + RUN]) for i in range(len(t) - RUN + 1)}

    a, b = runs(one), runs(other)
    return len(a & b) / min(len(a), len(b))


@pytest.mark.parametrize("kept", [0, 100, 300, 500, 600])
def test_overlap_is_near_the_exact_share(kept):
    own, other = words(600, 1), words(600, 2)
    one, two = " ".join(own), " ".join(own[:kept] + other[kept:])
    estimate = estimate_overlap(fingerprint_text(one), fingerprint_text(two))
    # 128 hashes of about 1,200: a standard error below 0.05
    assert estimate == pytest.approx(exact_overlap(one, two), abs=0.12)


def test_a_copy_with_other_surroundings_is_found():
    body, before, after = words(500, 1), words(60, 2), words(200, 3)
    original, reprint = fingerprint_text(" ".join(body)), fingerprint_text(" ".join(before + body + after))
    other = fingerprint_text(" ".join(words(500, 4)))
    copy = find_copy(reprint, {"OTHER": other, "A-R1": original})
    assert copy is not None
    assert (copy.article_id, copy.is_identical) == ("A-R1", False)
    assert copy.share >= COPY_SHARE
    assert find_copy(other, {"A-R1": original}) is None


def test_spacing_case_and_marks_do_not_matter():
    one, two = fingerprint_text("Vans sell, well.\n In winter"), fingerprint_text("VANS  sell well in winter!")
    assert one == two
    assert find_copy(one, {"A": two}).is_identical


def test_nothing_of_a_text_can_be_read_back():
    row = fingerprint_text(" ".join(words(300, 1))).as_row("A-R1")
    assert set(row["sketch"]) <= set("0123456789abcdef ")
    assert len(row["sketch"].split()) == 128


@pytest.mark.parametrize(
    ("paraphrase", "found"),
    [
        ("one two three four five six seven eight", True),
        ("He said: One, two three FOUR five six seven eight.", True),
        ("one two three four five six seven and eight", False),
        ("one two three four five six seven eigh", False),  # part of a word is no word
        ("ero one two three four five six seven", False),
        ("zero one two three four five six seven", True),  # the first words of a page
        ("three four five six seven eight nine 发言", True),  # and a run to its last letters
        ("", False),
        ("两家公司没有进行任何谈判报道不属实吗", True),
        ("两家公司没有谈判", False),
    ],
)
def test_a_paraphrase_may_not_copy_eight_words(paraphrase, found):
    page = "Zero one two three four five six seven eight nine. 发言人说两家公司没有进行任何谈判报道不属实吗。"
    assert bool(find_copied_run(paraphrase, page)) == found


def test_a_damaged_table_is_refused(tmp_path):
    (tmp_path / "fingerprints.csv").write_text("article_id,text_sha256,runs,sketch\nA,ab,200,zz\n")
    with pytest.raises(DataError, match=r"fingerprints.csv, A"):
        load_fingerprints(tmp_path)
