"""What the verbs share: the study, where its reports lie, parameters, how progress and results are said."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from event_impact.base.clock import read_system_clock
from event_impact.base.errors import ConfigError
from event_impact.base.root import StudyRoot, find_root

reports_option = click.option(
    "--reports", metavar="DIR", help="Where runs are published (default: reports/ of the study)."
)

cold_option = click.option(
    "--cold", is_flag=True, help="A separate process for each kernel, not a fork of this one; the same bytes."
)


def open_root(ctx: click.Context) -> StudyRoot:
    """The study that the command line names or lies in."""
    return find_root(ctx.obj["root"])


def open_own_root(ctx: click.Context) -> StudyRoot:
    """The same, to be written to.

    Raises
    ------
    ConfigError
        If it is the copy that came with the package.
    """
    root = open_root(ctx)
    if root.is_packaged:
        raise ConfigError(
            "the study that came with the package is read-only.",
            "Lay out your own with impact init DIR, or name yours with --root.",
        )
    return root


def find_reports(ctx: click.Context, reports: str | None) -> Path:
    """The folder of runs: the one named, else the study's, else one here where the study is the packaged copy."""
    if reports:
        return Path(reports).expanduser().resolve()
    root = open_root(ctx)
    return Path.cwd() / "reports" if root.is_packaged else root.reports


def gather_parameters(assignments: tuple[str, ...], **named: str | None) -> dict[str, Any]:
    """The parameters that have options of their own and the ``-p name=value`` pairs, as one dictionary.

    Raises
    ------
    ConfigError
        For a pair without ``=``, or a name given twice.
    """
    parameters: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"-p {assignment!r} has no value.", "Write -p name=value.")
        if name.strip() in parameters:
            raise ConfigError(f"{name.strip()} is given twice.", "Give each parameter once.")
        parameters[name.strip()] = value
    return parameters


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


def parse_at(text: str | None, option: str = "--at") -> datetime:
    """The instant of an option, now when none is given."""
    return read_system_clock() if text is None else parse_instant(option, text)
