"""The record of a run: what ``run.json`` holds, in the one shape that is written, read and checked.

``run.schema.json`` beside this module is its JSON Schema. Every record is checked against it when it is
written and when it is read; records of the first version are brought into today's shape.
"""

import functools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from event_impact.base.errors import DataError

SCHEMA_VERSION = 2
SCHEMA_FILE = Path(__file__).with_name("run.schema.json")
# What stands in the place of a notebook where a record binds several runs.
DOSSIER = "dossier"
# Fields that are left out where they are None.
NOW_AND_THEN = ("table", "panel", "agreement", "parts", "error", "exit_code")


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything that machines read of a run.

    Attributes
    ----------
    title : str
        Of the story.
    status : str
        ``final`` when every declared window is complete at as_of, else ``open``; ``failed`` for an attempt.
    outcome, companion_outcome : str or None
        Of headline and companion; None where no return of the story is tested.
    verdict, finding, plain : str
        The verdict of the study; the heading of the page; a paragraph for readers without statistics.
    table : dict or None
        ``heads`` and ``rows`` of the first table of the page, as text.
    identified : dict
        What prices can tell apart: kind, report, denial, joint, reason.
    headline, companion : dict or None
        The two rows of ``results/estimates.csv``.
    candidates : list of dict
        The rows of ``results/candidates.csv``: each session that the event can have reached.
    panel : dict or None
        The pooled effect, for a run about many stories.
    parameters : dict
        All of them, no default silent.
    inputs : dict of str to str
        sha256 of every file that the numbers rest on.
    source : dict or None
        Origin and age of the prices.
    files : dict of str to str
        sha256 of what was published with this record.
    agreement, parts : str, list of dict
        Of a dossier: where its runs agree, and each of them.
    error, exit_code : str, int
        Of a failed attempt.
    """

    story: str
    as_of: str
    notebook: str = ""
    title: str = ""
    status: str = "final"
    outcome: str | None = None
    companion_outcome: str | None = None
    verdict: str = ""
    finding: str = ""
    plain: str = ""
    table: dict[str, Any] | None = None
    identified: dict[str, Any] = field(default_factory=dict)
    event_session: str = ""
    headline: dict[str, Any] | None = None
    companion: dict[str, Any] | None = None
    candidates: list[dict[str, Any]] = field(default_factory=list)
    panel: dict[str, Any] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    source: dict[str, Any] | None = None
    vintage: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    commit: str | None = None
    started_at: str = ""
    finished_at: str = ""
    files: dict[str, str] = field(default_factory=dict)
    agreement: str | None = None
    parts: list[dict[str, Any]] | None = None
    error: str | None = None
    exit_code: int | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def is_good(self) -> bool:
        """Whether it was published."""
        return self.status != "failed"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values under the names of the fields; numbers that are none are null."""
        values = clean(vars(self)).items()
        return {name: value for name, value in values if value is not None or name not in NOW_AND_THEN}

    def as_text(self) -> str:
        """The content of ``run.json``, checked.

        Raises
        ------
        DataError
            Naming what does not fit the schema.
        """
        values = self.as_json()
        check_schema(values)
        return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(values: Any) -> RunRecord:
    """A record from the JSON of a ``run.json``, of this version or the first.

    Raises
    ------
    DataError
        If it is no record, or does not fit the schema.
    """
    if isinstance(values, dict) and values.get("schema_version", 1) == 1:
        # of the first version: what it lacks is empty, what is unknown goes
        known, blank = {f.name for f in fields(RunRecord)}, RunRecord(story="", as_of="", status="").as_json()
        values = {name: value for name, value in values.items() if name in known}
        values = blank | values | {"schema_version": SCHEMA_VERSION}
    check_schema(values)
    return RunRecord(**values)


def check_schema(values: Any) -> None:
    """Compare a record with the schema.

    Raises
    ------
    DataError
        Naming the first field that does not fit.
    """
    from fastjsonschema import JsonSchemaValueException

    try:
        _validator()(values)
    except JsonSchemaValueException as error:
        said = f"run.json: {error.message.removeprefix('data.')}."
        raise DataError(said, "See run.schema.json in the package.") from error


@functools.cache
def _validator() -> Callable[[Any], Any]:
    import fastjsonschema

    compiled: Callable[[Any], Any] = fastjsonschema.compile(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    return compiled


def clean(value: object) -> Any:
    """Plain JSON values; numbers that are none become null."""
    if isinstance(value, dict):
        return {str(k): clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "item"):
        return clean(value.item())
    return str(value)
