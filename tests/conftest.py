"""Fixtures that several rooms share: the study itself, and the focal story computed once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from event_impact.base.threads import ONE_THREAD

for _name, _number in ONE_THREAD.items():  # before linear algebra is loaded: only then can this process be forked
    os.environ.setdefault(_name, _number)

from event_impact import Study
from event_impact.base.root import StudyRoot
from event_impact.runs.requests import RunRequest
from event_impact.runs.run import run_notebook
from event_impact.runs.store import StoredRun
from stories import ROOT, compute

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell leaves it for what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> StudyRoot:
    return StudyRoot(ROOT)


@pytest.fixture(scope="session")
def focal() -> Study:
    return compute()


@pytest.fixture(scope="session")
def focal_reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("focal") / "reports"


@pytest.fixture(scope="session")
def publish_focal(root: StudyRoot, focal_reports: Path) -> Callable[[str], StoredRun]:
    """Executes a notebook on the focal story, once however many tests look at its page."""
    return cache(lambda notebook: run_notebook(RunRequest(notebook, {}, root, focal_reports)))
