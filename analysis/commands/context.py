"""What the verbs share: where reports lie, how progress and results are said."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from analysis.errors import ConfigError
from analysis.root import StudyRoot, find_root

REPORTS_HELP = "Where runs are published (default: reports/ of the study)."


def open_root(ctx: click.Context) -> StudyRoot:
    """The study that the command line names or lies in."""
    return find_root(ctx.obj["root"])


def find_reports(root: StudyRoot, reports: str | None) -> Path:
    """The folder of runs: the one named, else the study's, else one here where the study is the packaged copy."""
    if reports:
        return Path(reports).expanduser().resolve()
    return Path.cwd() / "reports" if root.is_packaged else root.reports


def make_progress(ctx: click.Context) -> Callable[[str], None]:
    """Progress lines on stderr, unless the command line asks for quiet."""
    if ctx.obj["quiet"]:
        return lambda _: None
    return lambda message: print(message, file=sys.stderr, flush=True)


def say(ctx: click.Context, text: str, record: Any) -> None:
    """The result: text, or one JSON line."""
    print(json.dumps(record, ensure_ascii=False, default=str) if ctx.obj["as_json"] else text)


def parse_at(text: str | None) -> datetime:
    """An instant ``YYYY-MM-DDTHH:MM:SSZ``, now when none is given.

    Raises
    ------
    ConfigError
        If it is malformed or carries no zone.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ConfigError(
            f"--at: expected an instant with its zone, found {text!r}.", "For example 2026-02-13T22:00:00Z"
        )
    return instant.astimezone(UTC)
