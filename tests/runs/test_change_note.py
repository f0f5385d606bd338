"""The change note names what came out otherwise and why; a failed page names what to do next."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from event_impact.base.run_record import RunRecord
from event_impact.runs.compare import describe_changes
from event_impact.runs.publication import say_next

RUN = RunRecord(
    story="ford-xiaomi", as_of="2026-02-13", notebook="02_event_study", outcome="fragile",
    parameters={"story": "ford-xiaomi", "as_of": "2026-02-13", "seed": 1},
    inputs={"data/snapshot/F.csv": "a", "data/articles.csv": "b"}, finished_at="2026-02-14T00:00:00Z",
)  # fmt: skip


def test_a_change_of_outcome_has_its_cause():
    later = dataclasses.replace(RUN, outcome="effect", inputs={**RUN.inputs, "data/snapshot/F.csv": "c"})
    said = describe_changes(RUN, later)
    assert "outcome: detected, but fragile \u2192 abnormal return detected; other prices (F.csv)." in said


def test_other_parameters_without_other_numbers_are_said_too():
    later = dataclasses.replace(RUN, parameters={**RUN.parameters, "seed": 2})
    assert "no number changed; seed: 1 \u2192 2." in describe_changes(RUN, later)
    assert "no number changed; the code of the study changed." in describe_changes(RUN, RUN)


def test_where_nothing_went_in_otherwise_the_code_is_the_cause():
    assert "the code of the study changed" in describe_changes(RUN, dataclasses.replace(RUN, outcome="effect"))


def test_a_failed_page_names_the_command_and_that_nothing_was_published(tmp_path: Path):
    failed = dataclasses.replace(RUN, status="failed", parameters={**RUN.parameters, "seed": 20260202})
    said = say_next(tmp_path, failed)
    assert "impact run 02_event_study --story ford-xiaomi --as-of 2026-02-13</code>" in said
    assert "No run of this page has been published yet" in said
