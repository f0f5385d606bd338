"""What the verbs share: where reports lie, how progress and results are said."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from event_impact.base.errors import ConfigError
from event_impact.base.root import StudyRoot, find_root

REPORTS_HELP = "Where runs are published (default: reports/ of the study)."


def open_root(ctx: click.Context) -> StudyRoot:
    """The study that the command line names or lies in."""
    return find_root(ctx.obj["root"])


def find_reports(root: StudyRoot, reports: str | None) -> Path:
    """The folder of runs: the one named, else the study's, else one here where the study is the packaged copy."""
    if reports:
        return Path(reports).expanduser().resolve()
    return Path.cwd() / "reports" if root.is_packaged else root.reports


def tell(ctx: click.Context, message: str) -> None:
    """A progress line on stderr, unless the command line asks for quiet."""
    if not ctx.obj["quiet"]:
        print(message, file=sys.stderr, flush=True)


def make_progress(ctx: click.Context) -> Callable[[str], None]:
    """:func:`tell` for functions that know no command line."""
    return lambda message: tell(ctx, message)


def say(ctx: click.Context, text: str, record: Any) -> None:
    """The result: text, or one JSON line."""
    print(json.dumps(record, ensure_ascii=False, default=str) if ctx.obj["as_json"] else text)


def parse_instant(option: str, text: str) -> datetime:
    """An instant with its zone, as UTC.

    Raises
    ------
    ConfigError
        If it is malformed or carries no zone.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {text!r} is no instant.", "Write for instance 2026-01-31T18:28:00Z.") from error
    if instant.tzinfo is None:
        raise ConfigError(f"{option}: {text!r} names no zone.", "End it with Z, or with an offset such as +01:00.")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ConfigError(f"{option}: {text!r} lies outside the calendar.", "Write a year of our time.") from error


def parse_at(text: str | None) -> datetime:
    """The instant of ``--at``, now when none is given."""
    return datetime.now(UTC) if text is None else parse_instant("--at", text)
