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
from event_impact.base.errors import StudyError
from event_impact.base.threads import pin_threads
from event_impact.cli.context import (
    cold_option,
    find_reports,
    gather_parameters,
    make_progress,
    open_root,
    reports_option,
    say,
)

INTERRUPTED = 130
CLOSED_PIPE = 141


LAZY_COMMANDS: dict[str, tuple[str, str]] = {
    "align": ("event_impact.cli.article_pages:align", "Show which sessions the articles of a story can have reached."),
    "batch": ("event_impact.cli.many_events:batch_command", "Estimate and test many events over many tickers."),
    "article": ("event_impact.cli.article_pages:article", "Read saved pages and add them to the registry."),
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
    "stories": ("event_impact.cli.article_pages:stories", "List the registered stories, one a line."),
    "story": ("event_impact.cli.analyst:story", "Register a story and freeze its plan."),
    "watch": ("event_impact.cli.article_pages:watch", "Record new items of feeds that name a story's firm."),
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
        pin_threads()
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


@main.command()
@click.argument("notebook")
@click.option("--story", help="Id in data/stories.csv.")
@click.option("--as-of", "as_of", metavar="DATE", help="Last session whose prices may be seen.")
@click.option("--source", metavar="SOURCE", help="snapshot, auto, or a CSV/Parquet file or folder.")
@click.option("-p", "assignments", multiple=True, metavar="NAME=VALUE", help="Any parameter of the notebook.")
@reports_option
@click.option("--force", is_flag=True, help="Execute again even if this run is published.")
@cold_option
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
    cold: bool,
    timeout: int,
    memory: int,
) -> None:
    """Execute NOTEBOOK and publish its rendered report; prints the page's path."""
    parameters = gather_parameters(assignments, story=story, as_of=as_of, source=source)
    from event_impact.runs.kernel import KernelLimits
    from event_impact.runs.run import RunRequest, run_notebook

    root, target = open_root(ctx), find_reports(ctx, reports)
    limits = KernelLimits(execution_timeout_s=timeout, memory_bytes=memory * 2**20, is_cold=cold)
    outcome = run_notebook(
        RunRequest(notebook.removesuffix(".ipynb"), parameters, root, target, is_forced=force, limits=limits),
        progress=make_progress(ctx),
    )
    say(ctx, str(outcome.page), {"page": str(outcome.page), "is_new": outcome.is_new, **outcome.run.as_json()})


if __name__ == "__main__":
    main()
