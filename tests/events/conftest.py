"""Saved pages and studies of one's own for the tests of ingestion."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from analysis.layout import lay_out_study
from analysis.root import StudyRoot

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def no_library(monkeypatch):
    """The date library as if it were not installed."""
    monkeypatch.setitem(sys.modules, "htmldate", None)


@pytest.fixture
def own_study(tmp_path) -> StudyRoot:
    return StudyRoot(lay_out_study(StudyRoot(ROOT), tmp_path / "study"))
