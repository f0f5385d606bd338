"""What the verbs share: the study, where its reports lie, options, completion, how progress and results are said."""

import contextlib
import csv
import importlib
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from event_impact.base.clock import read_instant, read_system_clock
from event_impact.base.errors import ConfigError, StudyError
from event_impact.base.root import StudyRoot, find_root

if TYPE_CHECKING:
    from event_impact.runs.kernel_launch import KernelLimits
    from event_impact.runs.store import RunOutcome

Names = Callable[[StudyRoot], list[str]]
STARTED = time.monotonic()
"""When the command was loaded; stages are timed from here."""

cold_option = click.option(
    "--cold", is_flag=True, help="A separate process for each kernel, not a fork of this one; the same bytes."
)


def open_root(ctx: click.Context) -> StudyRoot:
    """The study that the command line names or lies in."""
    return find_root(ctx.find_root().params.get("root"))


def open_own_root(ctx: click.Context) -> StudyRoot:
    """The same, to be written to.

    Raises
    ------
    ConfigError
        If it is the copy that came with the package.
    """
    root = open_root(ctx)
    if root.is_packaged:
        hint = "Lay out your own with impact init DIR, or name yours with --root."
        raise ConfigError("the study that came with the package is read-only.", hint)
    return root


def find_reports(ctx: click.Context, reports: str | None) -> Path:
    """The folder of runs: the one named, else the study's, else one here where the study is the packaged copy."""
    if reports:
        return Path(reports).expanduser().resolve()
    root = open_root(ctx)
    return Path.cwd() / "reports" if root.is_packaged else root.reports


def complete(names: Names) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Shell completion from what the study holds; where no study is, nothing is offered."""

    def find(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        with contextlib.suppress(StudyError, OSError, KeyError):
            return [name for name in names(open_root(ctx)) if name.startswith(incomplete)]
        return []

    return find


def list_stories(root: StudyRoot) -> list[str]:
    """Ids of the registered stories."""
    with (root.data / "stories.csv").open(encoding="utf-8", newline="") as table:
        return [row["story"] for row in csv.DictReader(table)]


def list_notebooks(root: StudyRoot) -> list[str]:
    """Names of the notebooks that can be run."""
    return sorted(path.stem for path in root.notebooks.glob("[0-9][0-9]_*.ipynb"))


def list_folders(root: StudyRoot) -> list[str]:
    """Names of the published runs of the study."""
    return ["latest", *sorted(path.parent.name for path in root.reports.glob("*/run.json"))]


run_argument = click.argument("run", shell_complete=complete(list_folders))
story_option = click.option("--story", shell_complete=complete(list_stories), help="Id in data/stories.csv.")
source_option = click.option(
    "--source", metavar="SOURCE",
    help="snapshot, auto, or a CSV/Parquet file or folder (default: snapshot for embedded stories, else auto).",
)  # fmt: skip
as_of_option = click.option(
    "--as-of", metavar="DATE", help="Last session whose prices may be seen (default: the last of the source)."
)
assignments_option = click.option(
    "-p", "assignments", multiple=True, metavar="NAME=VALUE", help="Any parameter of the notebook."
)
reports_option = click.option(
    "--reports", metavar="DIR", help="Where runs are published (default: reports/ of the study)."
)
force_option = click.option("--force", is_flag=True, help="Execute again even if this run is published.")
limit_option = click.option(
    "--limit", type=click.IntRange(1, 64), default=2, show_default=True, help="Notebooks at a time."
)
memory_option = click.option(
    "--memory", type=click.IntRange(256, 1 << 20), default=8192, show_default=True, help="MiB of a kernel."
)


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
    """A line on stderr, unless the command line asks for quiet."""
    if not ctx.obj["quiet"]:
        click.echo(message, err=True)


def make_progress(ctx: click.Context) -> Callable[[str], None]:
    """Stages with the seconds since the command began, for functions that know no command line."""
    return lambda message: tell(ctx, f"{time.monotonic() - STARTED:6.1f} s  {message}")


def say(ctx: click.Context, text: str, record: Any) -> str:
    """The result: text, or one JSON line, where numbers that are none are null; what was said."""
    said = text
    if ctx.obj["as_json"]:
        from event_impact.base.run_record import clean

        said = json.dumps(clean(record), ensure_ascii=False, allow_nan=False)
    click.echo(said)
    return said


def say_again(ctx: click.Context, answer: Callable[[], tuple[str, Any]], *places: Path, is_new: bool = False) -> None:
    """What ``answer`` makes of the options of a verb and the files at ``places``; the same while none of them changes."""
    from event_impact.base.remembered import put_question

    question = put_question([ctx.info_name, ctx.params, ctx.obj["as_json"]], *places)
    if not is_new and (said := question.recall()) is not None:
        click.echo(said)
    else:
        question.remember(say(ctx, *answer()))


def publish(
    ctx: click.Context, by: str, notebook: str, parameters: dict[str, Any], reports: str | None, limits: "KernelLimits",
    is_forced: bool, **more: Any,
) -> None:  # fmt: skip
    """Let the function ``by`` (``module:name``) run what is asked, unless that is known to be published; says the page."""
    from event_impact.runs.recall import run_unless_known

    root, target, progress = open_root(ctx), find_reports(ctx, reports), make_progress(ctx)
    module, _, name = by.partition(":")

    def run() -> "RunOutcome":
        from event_impact.runs.requests import RunRequest

        asked = RunRequest(notebook, parameters, root, target, is_forced=is_forced, limits=limits)
        done: RunOutcome = getattr(importlib.import_module(module), name)(asked, progress=progress, **more)
        return done

    say_run(ctx, run_unless_known(notebook, parameters, root, target, is_forced=is_forced, progress=progress, run=run))


def say_run(ctx: click.Context, done: "RunOutcome") -> None:
    """The page of a published run, with its record."""
    say(ctx, str(done.page), {"page": str(done.page), "is_new": done.is_new, **done.run.as_json()})


def parse_at(text: str | None) -> datetime:
    """The instant of an option, now when none is given."""
    return read_system_clock() if text is None else read_instant(text)
