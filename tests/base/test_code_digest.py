"""The digest of the package: whatever a page is made of counts, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from event_impact.base.code_digest import digest_package, read_package
from event_impact.base.root import PACKAGE


@pytest.mark.parametrize("suffix", sorted({p.suffix for p in PACKAGE.rglob("*.*") if p.suffix != ".pyc"}))
def test_a_changed_file_of_every_kind_in_the_package_is_other_code(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / "page" / f"one{suffix}"
    file.parent.mkdir()
    file.write_text("a")
    before = read_package(tmp_path)
    file.write_text("b")
    assert read_package(tmp_path) != before


def test_bytecode_and_the_packaged_study_are_no_code(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("a")
    before = read_package(tmp_path)
    for name in ("__pycache__/one.cpython-311.pyc", "_study/data/stories.csv"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("a")
    assert read_package(tmp_path) == before
    (tmp_path / "one.py").rename(tmp_path / "two.py")
    assert read_package(tmp_path) != before


def test_a_process_keeps_the_digest_of_what_it_loaded() -> None:
    assert digest_package() == digest_package() == read_package()
