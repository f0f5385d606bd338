"""The ``impact`` command: one thin function a verb.

Progress goes to stderr, the result is the only line on stdout, a refusal is one sentence and an
exit code. Heavy modules are imported by the verbs that need them.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

import click

from event_impact import __version__
from event_impact.base.errors import ConfigError, StudyError
from event_impact.cli.context import make_progress, parse_instant, say

INTERRUPTED = 130
CLOSED_PIPE = 141


LAZY_COMMANDS: dict[str, tuple[str, str]] = {
    "batch": ("event_impact.cli.many_events:batch_command", "Estimate and test many events over many tickers."),
    "article": ("event_impact.cli.analyst:article", "Read saved pages and add them to the registry."),
    "calibrate": ("event_impact.cli.analyst:calibrate", "Measure size and power of the tests for one firm."),
    "doctor": ("event_impact.cli.scheduler:doctor", "Check that this machine can run unattended."),
    "dossier": ("event_impact.cli.reviewer:dossier", "Run all notebooks of a story, bound by one page."),
    "export": ("event_impact.cli.reviewer:export", "Write the tables of a run as LaTeX or CSV."),
    "fetch": ("event_impact.cli.scheduler:fetch", "Download prices into a new vintage."),
    "init": ("event_impact.cli.analyst:init", "Lay out a study of your own in an empty folder."),
    "list": ("event_impact.cli.reviewer:list_runs", "List the runs, newest first."),
    "nightly": ("event_impact.cli.scheduler:nightly", "Serve every open story; for cron."),
    "open": ("event_impact.cli.reviewer:open_page", "Open a run or the index in the browser."),
    "print": ("event_impact.cli.reviewer:print_run", "Print a run to PDF."),
    "prune": ("event_impact.cli.reviewer:prune", "Remove old runs, never the last good one."),
    "schedule": ("event_impact.cli.scheduler:schedule", "Show, install or remove the nightly run."),
    "show": ("event_impact.cli.reviewer:show", "Show a run in the terminal."),
    "story": ("event_impact.cli.analyst:story", "Register a story and freeze its plan."),
    "verify": ("event_impact.cli.reviewer:verify", "Recompute a published run and compare every number."),
}
"""Verb -> (module:function, one line of help); the module is imported when the verb is called."""


class ImpactGroup(click.Group):
    """A group whose commands turn refusals into one sentence and their exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, the lazily loaded ones among them."""
        return sorted({*super().list_commands(ctx), *LAZY_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A verb, imported if need be."""
        if cmd_name in LAZY_COMMANDS:
            module, function = LAZY_COMMANDS[cmd_name][0].split(":")
            command = getattr(importlib.import_module(module), function)
            assert isinstance(command, click.Command)
            return command
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing any module."""
        eager = {name: c.get_short_help_str(70) for name, c in self.commands.items()}
        rows = sorted({**eager, **{name: text for name, (_, text) in LAZY_COMMANDS.items()}}.items())
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; no traceback unless ``--debug``."""
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            return super().invoke(ctx)
        except StudyError as error:
            _refuse(ctx, error, error.exit_code)
        except KeyboardInterrupt as error:
            _refuse(ctx, error, INTERRUPTED, "interrupted; what was not yet published is gone, all else is whole.")
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except BrokenPipeError:  # the reader of stdout went away, as `impact stories | head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(CLOSED_PIPE)
        except Exception as error:  # a defect of ours must not look like success, nor have a code of its own
            text = f"unexpected {type(error).__name__}: {error}. Run again with --debug and report it."
            _refuse(ctx, error, StudyError.exit_code, text)


def _interrupt(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _refuse(ctx: click.Context, error: BaseException, code: int, message: str = "") -> NoReturn:
    settings = ctx.params
    text = " ".join((message or str(error)).split())
    if settings.get("debug"):
        traceback.print_exception(error)
    if settings.get("as_json"):
        print(json.dumps({"error": text, "exit_code": code}, ensure_ascii=False))
    print(f"impact: {text}", file=sys.stderr)
    sys.exit(code)


@click.group(cls=ImpactGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--root", metavar="DIR", help="Top folder of the study (default: found from here).")
@click.option("--quiet", is_flag=True, help="No progress lines.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON line.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__, prog_name="impact")
@click.pass_context
def main(ctx: click.Context, root: str | None, quiet: bool, as_json: bool, debug: bool) -> None:
    """Event studies of published stories: align, estimate, test, render."""
    ctx.obj = ctx.params


def split_assignments(assignments: tuple[str, ...]) -> dict[str, str]:
    """``-p name=value`` pairs as a dictionary.

    Raises
    ------
    ConfigError
        For one without ``=``, or a name given twice.
    """
    parameters: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"-p {assignment!r} has no value.", "Write -p name=value.")
        if name.strip() in parameters:
            raise ConfigError(f"-p {name.strip()} is given twice.", "Give each parameter once.")
        parameters[name.strip()] = value
    return parameters


@main.command()
@click.argument("notebook")
@click.option("--story", help="Id in data/stories.csv.")
@click.option("--as-of", "as_of", metavar="DATE", help="Last session whose prices may be seen.")
@click.option("--source", metavar="SOURCE", help="snapshot, auto, or a CSV/Parquet file or folder.")
@click.option("-p", "assignments", multiple=True, metavar="NAME=VALUE", help="Any parameter of the notebook.")
@click.option("--reports", metavar="DIR", help="Where runs are published (default: reports/ of the study).")
@click.option("--force", is_flag=True, help="Execute again even if this run is published.")
@click.option("--timeout", type=click.IntRange(1, 86400), default=600, show_default=True, help="Seconds a cell.")
@click.option("--memory", type=click.IntRange(256, 1 << 20), default=8192, show_default=True, help="MiB of the kernel.")
@click.pass_context
def run(
    ctx: click.Context,
    notebook: str,
    story: str | None,
    as_of: str | None,
    source: str | None,
    assignments: tuple[str, ...],
    reports: str | None,
    force: bool,
    timeout: int,
    memory: int,
) -> None:
    """Execute NOTEBOOK and publish its rendered report; prints the page's path."""
    from pathlib import Path

    parameters = split_assignments(assignments)
    from event_impact.runs.warm import discard_waiting, start_waiting

    start_waiting()  # before anything heavy is loaded here
    ctx.call_on_close(discard_waiting)
    from event_impact.base.root import find_root
    from event_impact.runs.kernel import KernelLimits
    from event_impact.runs.run import RunRequest, run_notebook

    for name, value in (("story", story), ("as_of", as_of), ("source", source)):
        if value is not None:
            if name in parameters:
                raise ConfigError(f"{name} is given twice.", f"Use either --{name.replace('_', '-')} or -p {name}=.")
            parameters[name] = value
    root = find_root(ctx.obj["root"])
    target = Path(reports).expanduser().resolve() if reports else root.reports
    if not reports and root.is_packaged:
        target = Path.cwd() / "reports"
    limits = KernelLimits(execution_timeout_s=timeout, memory_bytes=memory * 2**20)
    outcome = run_notebook(
        RunRequest(notebook.removesuffix(".ipynb"), parameters, root, target, is_forced=force, limits=limits),
        progress=make_progress(ctx),
    )
    say(ctx, str(outcome.page), {"page": str(outcome.page), "is_new": outcome.is_new, **outcome.run})


@main.command()
@click.option("--open", "only_open", is_flag=True, help="Only stories that nightly runs serve.")
@click.pass_context
def stories(ctx: click.Context, only_open: bool) -> None:
    """List the registered stories, one a line."""
    from event_impact.base.root import find_root
    from event_impact.events.articles import load_stories

    held = load_stories(find_root(ctx.obj["root"]).data, with_drafts=True).values()
    shown = [s for s in held if not only_open or s.state == "open"]
    if ctx.obj["as_json"]:
        print(json.dumps([{"story": s.story, "title": s.title, "ticker": s.ticker, "state": s.state} for s in shown]))
        return
    for s in shown:
        embedded = "needs articles" if s.is_draft else "embedded" if s.is_embedded else "needs prices"
        print(f"{s.story:32} {s.ticker:14} {s.exchange:5} {s.state:7} {embedded:14} {s.title}")


@main.command()
@click.argument("story", required=False)
@click.option("--all", "every", is_flag=True, help="Every story of the registry.")
@click.option("--as-of", "as_of", metavar="DATE", help="Only what was public at the close of that session.")
@click.option("--out", metavar="FILE", help="Write the alignment as CSV.")
@click.option("--at", "instants", multiple=True, metavar="INSTANT", help="Without a story: where that instant falls.")
@click.option("--exchange", metavar="MIC", help="With --at: whose calendar, such as XNYS or XTKS.")
@click.pass_context
def align(
    ctx: click.Context,
    story: str | None,
    every: bool,
    as_of: str | None,
    out: str | None,
    instants: tuple[str, ...],
    exchange: str | None,
) -> None:
    """Show which sessions the articles of STORY can have reached, and what is identified."""
    from pathlib import Path

    from event_impact.base.disk import replace_files
    from event_impact.base.root import find_root
    from event_impact.registry.alignments import describe_alignment, frame_alignments, load_alignments

    if instants or exchange:
        _locate(ctx, instants, exchange, is_alone=not (story or every or as_of or out))
        return
    if bool(story) == every:
        raise ConfigError("name one story, or --all.", "List them with: impact stories")
    alignments = load_alignments(find_root(ctx.obj["root"]).data, story, as_of=as_of)
    if out:
        replace_files({Path(out): frame_alignments(alignments).to_csv(index=False, lineterminator="\n")})
    if ctx.obj["as_json"]:
        print(json.dumps({a.story.story: a.identification.as_record() for a in alignments}, ensure_ascii=False))
        return
    print("\n\n".join(describe_alignment(a, is_short=every) for a in alignments))


def _locate(ctx: click.Context, instants: tuple[str, ...], exchange: str | None, *, is_alone: bool) -> None:
    """Instants on the calendar of an exchange."""
    from event_impact.registry.alignments import describe_instants, locate_instants

    if not (instants and exchange and is_alone):
        raise ConfigError("--at and --exchange go together, and without a story.", "Give both, and nothing else.")
    located = locate_instants(exchange, [parse_instant("--at", text) for text in instants])
    say(ctx, describe_instants(exchange, located), located.to_dict("records"))


if __name__ == "__main__":
    main()
