"""Plans: what will be done to a story, fixed with a hash and a time before it is done.

``data/plans.csv`` is only ever appended to. The report compares its own parameters with the
plans of its story and says whether they were fixed before the event session opened, after it, or not at all.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from event_impact.base import csv_tables
from event_impact.base.clock import format_instant
from event_impact.base.config import StudyConfig
from event_impact.base.errors import DataError
from event_impact.events.articles import Story, parse_instant
from event_impact.events.sessions import Alignment
from event_impact.registry.registration import default_source

PLAN_COLUMNS = ("story", "frozen_at", "plan_sha256", "event_session", "plan")
#: Parameters that decide results. ``as_of``, ``source`` and ``path`` decide what is seen of them.
PLANNED = (
    "benchmark", "model", "estimation_sessions", "gap_sessions", "windows", "runup", "mask", "equivalence_bound",
    "significance", "seed",
)  # fmt: skip

RESTORE = "Restore the file; it is append-only."
NO_PLAN = (
    "No plan was frozen for this story: nothing shows that its parameters, the bound for small effects among them, were "
    "chosen before prices were seen."
)
PlanKind = Literal["none", "before", "after", "changed_after", "departs"]


@dataclass(frozen=True)
class FrozenPlan:
    """One row of ``plans.csv``."""

    story: str
    frozen_at: pd.Timestamp
    plan_sha256: str
    event_session: str
    plan: dict[str, Any]


@dataclass(frozen=True)
class PlanStatus:
    """How a run relates to the plans of its story.

    ``kind``: ``none`` no plan; ``before`` the run follows a plan frozen before the event session opened,
    and none replaced it; ``after`` it follows one frozen later, the first of the story; ``changed_after`` the
    plan was changed after the event session opened; ``departs`` the run follows no plan.
    """

    kind: PlanKind
    sentence: str

    def _repr_html_(self) -> str:
        from html import escape

        return f'<p class="plan"><b>The plan.</b> {escape(self.sentence)}</p>'


def build_plan(story: Story, config: StudyConfig) -> dict[str, Any]:
    """What a plan fixes: the listing, and every parameter that decides a result.

    Parameters
    ----------
    story : Story
    config : StudyConfig

    Returns
    -------
    dict
        Plain JSON values.
    """
    parameters = config.as_parameters()
    parameters["benchmark"] = config.benchmark or story.benchmark
    chosen = {name: parameters[name] for name in PLANNED}
    return {"story": story.story, "ticker": story.ticker, "exchange": story.exchange, **chosen}


def hash_plan(plan: dict[str, Any]) -> str:
    """sha256 of the plan as canonical JSON."""
    return hashlib.sha256(_canonical(plan).encode()).hexdigest()


def _canonical(plan: dict[str, Any]) -> str:
    return json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def load_plans(data: Path | csv_tables.Tables, story: str) -> tuple[FrozenPlan, ...]:
    """The frozen plans of a story in the order in which they were frozen.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the tables.
    story : str
        Its id.

    Returns
    -------
    tuple of FrozenPlan

    Raises
    ------
    DataError
        If a row is damaged, or its plan does not have the hash beside it.
    """
    tables = csv_tables.open_tables(data)
    if not tables.holds("plans.csv"):
        return ()
    table, found = tables.read("plans.csv", PLAN_COLUMNS), list[FrozenPlan]()
    for row in table[table["story"] == story].to_dict("records"):
        where = f"plans.csv, {story} {row['frozen_at']}"
        try:
            plan = json.loads(row["plan"])
        except ValueError as error:
            raise DataError(f"{where}: the plan is not readable.", RESTORE) from error
        is_own = isinstance(plan, dict) and hash_plan(plan) == row["plan_sha256"]
        csv_tables.check_row(is_own, where, "the plan does not have the hash that stands beside it", RESTORE)
        at = parse_instant(row["frozen_at"], where)
        is_later = not found or at >= found[-1].frozen_at
        csv_tables.check_row(is_later, where, "the plans are not in the order of time", RESTORE)
        found.append(FrozenPlan(story, at, row["plan_sha256"], row["event_session"], plan))
    return tuple(found)


def freeze_plan(data: Path, alignment: Alignment, config: StudyConfig, *, now: datetime) -> tuple[FrozenPlan, bool]:
    """Append the plan of a story, unless the last one frozen is the same; returns it and whether it is new.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the tables.
    alignment : Alignment
        Of the story.
    config : StudyConfig
        The parameters that are fixed.
    now : datetime.datetime
        The present instant; it is written down with the plan.

    Returns
    -------
    plan : FrozenPlan
    is_new : bool

    Raises
    ------
    DataError
        If ``plans.csv`` is damaged, lies in the future, or cannot be written.
    """
    story = alignment.story
    plan = build_plan(story, config)
    sessions = ";".join(str(s.date()) for s in alignment.candidates)
    at = pd.Timestamp(now).tz_convert("UTC").floor("s")
    frozen = FrozenPlan(story.story, at, hash_plan(plan), sessions, plan)
    with csv_tables.locked(data):
        held = load_plans(data, story.story)
        if held and held[-1].plan_sha256 == frozen.plan_sha256:
            return held[-1], False
        if held and held[-1].frozen_at > at:
            raise DataError("the last plan of this story is dated in the future.", "Check the clock of this machine.")
        path = data / "plans.csv"
        content = path.read_bytes() if path.exists() else csv_tables.start_table(PLAN_COLUMNS)
        row = asdict(frozen) | {"frozen_at": format_instant(at), "plan": _canonical(plan)}
        csv_tables.replace_tables({path: csv_tables.append_rows(content, [row], name="plans.csv")})
    return frozen, True


def find_slips(story: Story, config: StudyConfig, plans: tuple[FrozenPlan, ...]) -> list[str]:
    """What about a plan that is to be frozen may be a mistake: other prices than usual, or another plan before it."""
    slips, usual = [], default_source(story)
    if config.source != usual:
        slips.append(f"its prices come from {config.source}, those of {story.story} usually from {usual}.")
    plan = build_plan(story, config)
    if plans and hash_plan(plan) != plans[-1].plan_sha256:
        slips.append(f"it changes the plan frozen {_when(plans[-1])} in {_differences(plans[-1].plan, plan)}.")
    return slips


def plan_status(
    story: Story, config: StudyConfig, *, alignment: Alignment, plans: tuple[FrozenPlan, ...]
) -> PlanStatus:
    """How the parameters of a run relate to the frozen plans of its story, as one sentence for the report.

    A plan counts as frozen before the event session when it was frozen before that session opened.

    Parameters
    ----------
    story : Story
    config : StudyConfig
        Of the run.
    alignment : Alignment
        Of the story.
    plans : tuple of FrozenPlan
        In the order in which they were frozen.

    Returns
    -------
    PlanStatus
    """
    if not plans:
        return PlanStatus("none", NO_PLAN)
    session, plan, last = alignment.event_session, build_plan(story, config), plans[-1]
    own, opening, label = hash_plan(plan), alignment.hours.open_at(session), f"the event session {session.date()}"
    before = [p for p in plans if p.frozen_at < opening]
    after = [p for p in plans if p.frozen_at >= opening]
    if own not in {p.plan_sha256 for p in plans}:
        side, what = "after" if after else "before", _differences(last.plan, plan)
        return PlanStatus("departs", f"This run departs from the plan frozen {side} {label} ({_when(last)}) in {what}.")
    if before:
        standing = before[-1]
        if changes := [p for p in after if p.plan_sha256 != standing.plan_sha256]:
            which = {standing.plan_sha256: "the first", changes[-1].plan_sha256: "the changed one"}.get(own, "neither")
            what = f"({_when(changes[-1])}) in {_differences(standing.plan, changes[-1].plan)}"
            said = f"was changed after its event session {what}; this run follows {which}."
            return PlanStatus("changed_after", f"The plan frozen before {label} ({_when(standing)}) {said}")
        if own != standing.plan_sha256:
            said = f"it departs from the last one ({_when(standing)}) in {_differences(standing.plan, plan)}."
            return PlanStatus("departs", f"This run follows a plan that was replaced before {label}; {said}")
        return PlanStatus("before", f"This run follows the plan frozen before {label} opened ({_when(standing)}).")
    late = f"was frozen after {label} opened ({_when(after[0])})"
    if len(after) > 1:
        followed = next(p for p in reversed(after) if p.plan_sha256 == own)
        said = f"{len(after) - 1} time(s) since; this run follows the one of {format_instant(followed.frozen_at)}."
        return PlanStatus("changed_after", f"The plan {late} and changed {said}")
    return PlanStatus("after", f"The plan that this run follows {late}.")


def _when(plan: FrozenPlan) -> str:
    return f"{format_instant(plan.frozen_at)}, {plan.plan_sha256[:8]}"


def _differences(was: dict[str, Any], now: dict[str, Any]) -> str:
    names = [name for name in now if was.get(name) != now[name]]
    return ", ".join(f"{name} ({was.get(name)} to {now[name]})" for name in names) or "nothing that is named"
