"""What the verbs share: the study, where its reports lie, options, completion, how progress and results are said."""

import contextlib
import csv
import json
import pkgutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from event_impact.base.errors import ConfigError, StudyError
from event_impact.base.root import StudyRoot, find_root

if TYPE_CHECKING:
    from event_impact.runs.store import StoredRun

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
#: When the command was loaded; stages are timed from here.
STARTED = time.monotonic()


def open_root(*, to_write: bool = False) -> StudyRoot:
    """The study that the command line names or lies in.

    Raises
    ------
    ConfigError
        If it is to be written to and is the copy that came with the package.
    """
    root = find_root(click.get_current_context().find_root().params.get("root"))
    if to_write and root.is_packaged:
        hint = "Lay out your own with impact init DIR, or name yours with --root."
        raise ConfigError("the study that came with the package is read-only.", hint)
    return root


def find_reports(reports: str | None = None) -> Path:
    """The folder of runs: the one named, else the study's, else one here where the study is the packaged copy."""
    if reports:
        return Path(reports).expanduser().resolve()
    root = open_root()
    return Path.cwd() / "reports" if root.is_packaged else root.reports


def complete(names: Callable[[StudyRoot], list[str]]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Shell completion from what the study holds; where no study is, nothing is offered."""

    def find(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        with contextlib.suppress(StudyError, OSError, KeyError), ctx.scope(cleanup=False):
            return [name for name in names(open_root()) if name.startswith(incomplete)]
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


def find_stored(ctx: click.Context, _: object, run: str) -> "StoredRun":
    """The run that the command line names."""
    from event_impact.runs.store import find_run

    return find_run(ctx.params["reports"], run)


def join_options(*options: Decorator) -> Decorator:
    """Several options as one decorator, in their order in the help."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


story_argument = click.argument("story", shell_complete=complete(list_stories))
story_option = click.option("--story", shell_complete=complete(list_stories), help="Id in data/stories.csv.")
source_option = click.option(
    "--source", metavar="SOURCE",
    help="snapshot, auto, or a CSV/Parquet file or folder (default: snapshot for embedded stories, else auto).",
)  # fmt: skip
assignments_option = click.option(
    "-p", "assignments", multiple=True, metavar="NAME=VALUE", help="Any parameter of the notebook."
)
reports_option = click.option(
    "--reports", metavar="DIR", is_eager=True, callback=lambda _, __, named: find_reports(named),
    help="Where runs are published (default: reports/ of the study).",
)  # fmt: skip
run_argument = join_options(
    click.argument("stored", metavar="RUN", shell_complete=complete(list_folders), callback=find_stored), reports_option
)
limit_option = click.option(
    "--limit", type=click.IntRange(1, 64), default=2, show_default=True, help="Notebooks at a time."
)
kernel_options = join_options(
    click.option(
        "--cold", is_flag=True, help="A separate process for each kernel, not a fork of this one; the same bytes."
    ),
    click.option("--memory", type=click.IntRange(256, 1 << 20), default=8192, show_default=True, help="MiB a kernel."),
)
running_options = join_options(
    click.option("--as-of", metavar="DATE", help="Last session whose prices may be seen (default: the source's last)."),
    source_option, assignments_option, reports_option,
    click.option("--force", is_flag=True, help="Execute again even if this run is published."),
    kernel_options,
)  # fmt: skip


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


def tell(*messages: str) -> None:
    """Lines on stderr, unless the command line asks for quiet."""
    for message in () if click.get_current_context().obj["quiet"] else messages:
        click.echo(message, err=True)


def make_progress() -> Callable[[str], None]:
    """Stages with the seconds since the command began, for functions that know no command line, in any thread."""
    if click.get_current_context().obj["quiet"]:
        return lambda _: None
    return lambda message: click.echo(f"{time.monotonic() - STARTED:6.1f} s  {message}", err=True)


def say(text: str, record: Any) -> str:
    """The result: text, or one JSON line, where numbers that are none are null; what was said."""
    said = text
    if click.get_current_context().obj["as_json"]:
        from event_impact.base.run_record import clean

        said = json.dumps(clean(record), ensure_ascii=False, allow_nan=False)
    click.echo(said)
    return said


def say_again(answer: Callable[[], tuple[str, Any]], *places: Path, is_new: bool = False) -> None:
    """What ``answer`` makes of the options of a verb and the files at ``places``; the same while none of them changes."""
    from event_impact.base.remembered import put_question

    ctx = click.get_current_context()
    question = put_question([ctx.info_name, ctx.params, ctx.obj["as_json"]], *places)
    if not is_new and (said := question.recall()) is not None:
        click.echo(said)
    else:
        question.remember(say(*answer()))


def publish(
    by: str, notebook: str, *, assignments: tuple[str, ...], reports: Path, force: bool, cold: bool, memory: int,
    timeout: int = 600, how: Mapping[str, Any] = {}, **named: str | None,
) -> None:  # fmt: skip
    """Let the function ``by`` (``module:name``) run what is asked, unless that is known to be published; says the page."""
    parameters, root, progress = gather_parameters(assignments, **named), open_root(), make_progress()
    from event_impact.runs.recall import run_unless_known

    def run() -> "StoredRun":
        from event_impact.runs.kernel_launch import KernelLimits
        from event_impact.runs.requests import RunRequest

        limits = KernelLimits(execution_timeout_s=timeout, memory_bytes=memory * 2**20, is_cold=cold)
        asked = RunRequest(notebook, parameters, root, reports, is_forced=force, limits=limits)
        done: StoredRun = pkgutil.resolve_name(by)(asked, progress=progress, **how)
        return done

    say_run(run_unless_known(notebook, parameters, root, reports, is_forced=force, progress=progress, run=run))


def say_run(done: "StoredRun") -> None:
    """The page of a published run, with its record."""
    say(str(done.page), {"page": str(done.page), "is_new": done.is_new, **done.run.as_json()})
