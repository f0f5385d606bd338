"""Frozen plans: append-only, hashed, and what a report says of them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from event_impact.base.config import StudyConfig
from event_impact.base.errors import DataError
from event_impact.events.articles import load_story
from event_impact.events.sessions import align_story
from event_impact.registry.plans import PLANNED, build_plan, freeze_plan, hash_plan, load_plans, plan_status

# New York opens on the event session, 2026-02-02, at 14:30 UTC
EARLY, EARLIER = datetime(2026, 2, 2, 14, 29, 59, tzinfo=UTC), datetime(2026, 2, 1, 9, tzinfo=UTC)
LATE, LATER = datetime(2026, 2, 2, 14, 30, tzinfo=UTC), datetime(2026, 2, 9, tzinfo=UTC)
PLAN = StudyConfig()
OTHER = StudyConfig.from_parameters(model="capm")


@pytest.fixture(scope="module")
def alignment(root):
    return align_story(load_story("ford-xiaomi", root.data))


@pytest.mark.parametrize(
    ("frozen", "run", "kind", "words"),
    [
        ([], PLAN, "none", "No plan was frozen"),
        ([(EARLY, PLAN)], PLAN, "before", "frozen before the event session 2026-02-02 opened"),
        ([(LATE, PLAN)], PLAN, "after", "frozen after the event session 2026-02-02 opened"),
        ([(EARLY, PLAN)], OTHER, "departs", "in model (market to capm)"),
        ([(LATE, PLAN)], OTHER, "departs", "frozen after"),
        ([(EARLIER, OTHER), (EARLY, PLAN)], PLAN, "before", "2026-02-02T14:29:59Z"),
        ([(EARLIER, OTHER), (EARLY, PLAN)], OTHER, "departs", "was replaced before"),
        ([(EARLY, PLAN), (LATE, OTHER)], OTHER, "changed_after", "changed after its event session"),
        ([(EARLY, PLAN), (LATE, OTHER)], PLAN, "changed_after", "this run follows the first"),
        ([(EARLY, PLAN), (LATE, OTHER), (LATER, PLAN)], PLAN, "changed_after", "this run follows the first"),
        ([(LATE, PLAN), (LATER, OTHER)], OTHER, "changed_after", "changed 1 time(s) since"),
    ],
)
def test_what_the_report_says(tmp_path, alignment, frozen, run, kind, words):
    for now, config in frozen:
        assert freeze_plan(tmp_path, alignment, config, now=now)[1]
    plans = load_plans(tmp_path, "ford-xiaomi")
    status = plan_status(alignment.story, run, alignment=alignment, plans=plans)
    assert status.kind == kind
    assert words in status.sentence


def test_a_plan_is_frozen_once_and_rows_are_only_appended(tmp_path, alignment):
    first, is_new = freeze_plan(tmp_path, alignment, PLAN, now=EARLY)
    content = (tmp_path / "plans.csv").read_bytes()
    assert is_new
    assert freeze_plan(tmp_path, alignment, PLAN, now=LATE) == (first, False)
    assert (tmp_path / "plans.csv").read_bytes() == content
    freeze_plan(tmp_path, alignment, OTHER, now=LATE)
    assert (tmp_path / "plans.csv").read_bytes().startswith(content)
    assert len(load_plans(tmp_path, "ford-xiaomi")) == 2
    assert load_plans(tmp_path, "byd-nio-2024") == ()


def test_the_hash_is_of_canonical_json(alignment):
    plan = build_plan(alignment.story, PLAN)
    assert set(plan) == {"story", "ticker", "exchange", *PLANNED}
    assert plan["benchmark"] == "SPY"
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hash_plan(plan) == hashlib.sha256(text.encode()).hexdigest()


def test_what_decides_nothing_is_not_planned(alignment):
    one, other = (
        PLAN,
        StudyConfig.from_parameters(as_of="2026-02-06", path="-5:5", source="elsewhere.csv", benchmark="SPY"),
    )
    assert hash_plan(build_plan(alignment.story, one)) == hash_plan(build_plan(alignment.story, other))


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ('""market""', '""capm""', "does not have the hash"),
        ("{", "", "is not readable"),
        ("2026-02-02T14:29:59Z", "yesterday", "is not an instant"),
    ],
)
def test_a_tampered_plan_is_refused(tmp_path, alignment, was, now, words):
    freeze_plan(tmp_path, alignment, PLAN, now=EARLY)
    path = tmp_path / "plans.csv"
    path.write_text(path.read_text().replace(was, now, 1))
    with pytest.raises(DataError, match=words):
        load_plans(tmp_path, "ford-xiaomi")


def test_a_plan_from_the_future_stops_the_next(tmp_path, alignment):
    freeze_plan(tmp_path, alignment, PLAN, now=LATER)
    with pytest.raises(DataError, match="dated in the future"):
        freeze_plan(tmp_path, alignment, OTHER, now=EARLY)
    table = pd.read_csv(tmp_path / "plans.csv", dtype=str)
    pd.concat([table, table.assign(frozen_at="2026-02-01T00:00:00Z")]).to_csv(tmp_path / "plans.csv", index=False)
    with pytest.raises(DataError, match="not in the order of time"):
        load_plans(tmp_path, "ford-xiaomi")
