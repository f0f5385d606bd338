"""Fixtures that several rooms share: the study itself, and the focal story computed once."""

from __future__ import annotations

import pytest
from stories import ROOT, Computed, compute

from analysis.root import StudyRoot


@pytest.fixture(scope="session")
def root() -> StudyRoot:
    return StudyRoot(ROOT)


@pytest.fixture(scope="session")
def focal() -> Computed:
    return compute()
