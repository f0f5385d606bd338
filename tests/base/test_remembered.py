"""An answer is given again while nothing that decides it has changed, and never otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from event_impact.base import remembered
from event_impact.base.remembered import put_question


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files have not changed for a while, as far as a question is concerned."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remembered, "SETTLED_NS", -(10**18))
    folder = tmp_path / "data"
    (folder / "vintages").mkdir(parents=True)
    (folder / "stories.csv").write_text("story\na\n")
    put_question("which", folder).remember("these")
    return folder


def test_the_same_question_of_the_same_files_has_the_same_answer(tables: Path) -> None:
    assert put_question("which", tables).recall() == "these"
    assert put_question("which else", tables).recall() is None
    assert put_question("which", tables, tables / "more").recall() is None


@pytest.mark.parametrize("change", ["content", "rights", "new", "gone", "times"])
def test_a_file_that_is_not_the_very_same_asks_again(tables: Path, change: str) -> None:
    path = tables / "stories.csv"
    held = path.stat()
    if change == "content":  # of the same length, with its old times put back
        path.write_text("story\nb\n")
        os.utime(path, ns=(held.st_atime_ns, held.st_mtime_ns))
    elif change == "rights":
        path.chmod(0o600)
    elif change == "new":
        (tables / "vintages" / "F.csv").write_text("date\n")
    elif change == "gone":
        path.unlink()
    else:
        os.utime(path, ns=(0, 0))
    assert put_question("which", tables).recall() is None


def test_other_code_or_another_library_asks_again(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(remembered, "digest_package", lambda: "edited")
        assert put_question("which", tables).recall() is None
    monkeypatch.setattr(remembered, "LIBRARIES", ("pandas",))
    assert put_question("which", tables).recall() is None


def test_a_file_that_may_still_change_within_one_tick_is_not_trusted(
    tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "SETTLED_NS", 10**18)
    asked = put_question("which", tables)
    asked.remember("too early")
    assert (asked.place, asked.recall()) == (None, None)


def test_a_damaged_answer_or_a_disk_that_refuses_is_no_matter(tables: Path) -> None:
    asked = put_question("which", tables)
    assert asked.place is not None
    asked.place.write_bytes(b"\xff\xfe")
    assert asked.recall() is None
    asked.place.unlink()
    asked.place.mkdir()
    asked.remember("lost")
    assert asked.recall() is None
