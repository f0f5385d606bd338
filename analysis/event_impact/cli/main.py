"""The ``impact`` command: one thin function a verb.

Progress goes to stderr, the result is the only line on stdout, a refusal is one sentence and an
exit code. ``verbs.toml`` says which verbs there are; their modules are imported when they are called.
"""

import functools
import importlib
import json
import os
import signal
import sys
import tomllib
from pathlib import Path
from typing import Any, NoReturn

import click

from event_impact.base.code_digest import VERSION
from event_impact.base.errors import StudyError, did_you_mean
from event_impact.base.threads import pin_threads
from event_impact.cli import context

INTERRUPTED = 130
CLOSED_PIPE = 141


@functools.cache
def read_verbs() -> dict[str, dict[str, dict[str, Any]]]:
    """Group of the help -> verb -> where it lies, what it does, an example."""
    return tomllib.loads(Path(__file__).with_name("verbs.toml").read_text(encoding="utf-8"))


class ImpactGroup(click.Group):
    """The verbs by their users; refusals become one sentence and their exit code."""

    @property
    def verbs(self) -> dict[str, dict[str, Any]]:
        """Every verb with its entry."""
        return {name: entry for verbs in read_verbs().values() for name, entry in verbs.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs; none is imported."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A verb, imported if need be, with its example."""
        if cmd_name not in self.verbs:
            return None
        entry = self.verbs[cmd_name]
        module, function = entry["call"].split(":")
        home = sys.modules[__name__] if module == "main" else importlib.import_module(f"event_impact.cli.{module}")
        command: click.Command = getattr(home, function)
        own = dict(command.commands) if isinstance(command, click.Group) else {}
        for verb, example in zip([*own.values()] or [command], _list_examples(entry, own), strict=True):
            verb.epilog = f"Example: {example}"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that is called, or those that look like it."""
        if args and args[0] not in self.verbs and (near := did_you_mean(args[0], self.verbs)):
            ctx.fail(f"No such command {args[0]!r}. {near}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs by group, without importing any module."""
        for group, verbs in read_verbs().items():
            with formatter.section(group):
                formatter.write_dl([(f"{name:9}", entry["help"]) for name, entry in verbs.items()])

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
        except (click.exceptions.Exit, click.Abort, click.exceptions.NoArgsIsHelpError):
            raise
        except click.UsageError as error:
            asked = error.ctx.command_path if error.ctx else "impact"
            said = f"{error.format_message()} See {asked} --help."
            if isinstance(error, click.NoSuchOption) and any(error.option_name in p.opts for p in self.params):
                said = f"{error.option_name} stands before the verb: impact {error.option_name} {ctx.invoked_subcommand} ..."
            _refuse(ctx, error, error.exit_code, said)
        except BrokenPipeError:  # the reader of stdout went away, as `impact stories | head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(CLOSED_PIPE)
        except Exception as error:  # a defect of ours must not look like success, nor have a code of its own
            text = f"unexpected {type(error).__name__}: {error}. Run again with --debug and report it."
            _refuse(ctx, error, StudyError.exit_code, text)


def _list_examples(entry: dict[str, Any], own: dict[str, click.Command]) -> list[str]:
    return [entry["example"][name] for name in own] or [entry["example"]]


def _interrupt(signum: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _refuse(ctx: click.Context, error: BaseException, code: int, message: str = "") -> NoReturn:
    settings = ctx.params
    text = " ".join((message or str(error)).split())
    if settings.get("debug"):
        import traceback

        traceback.print_exception(error)
    if settings.get("as_json"):
        print(json.dumps({"error": text, "exit_code": code}, ensure_ascii=False))
    click.echo(f"{click.style('impact:', fg='red')} {text}", err=True)
    sys.exit(code)


@click.group(cls=ImpactGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--root", metavar="DIR", help="Top folder of the study (default: found from here).")
@click.option("--quiet", is_flag=True, help="No progress lines.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON line.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(VERSION, prog_name="impact")
@click.pass_context
def main(ctx: click.Context, root: str | None, quiet: bool, as_json: bool, debug: bool) -> None:
    """Event studies of published stories: align, estimate, test, render."""
    ctx.obj = ctx.params
    ctx.color = False if os.environ.get("NO_COLOR") else None  # None: colour where the output is a terminal


class RunCommand(click.Command):
    """The verb whose help says what can be run."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Notebooks of the study, parameters and models, then the example."""
        from event_impact.base.config import MODELS, PARSERS

        held = {"Notebooks": context.list_notebooks(context.open_root(ctx)), "Parameters": PARSERS, "Models": MODELS}
        for title, names in held.items():
            with formatter.section(title):
                formatter.write_text(", ".join(names))
        super().format_epilog(ctx, formatter)


@click.command(cls=RunCommand)
@click.argument("notebook", shell_complete=context.complete(context.list_notebooks))
@context.story_option
@context.as_of_option
@context.source_option
@context.assignments_option
@context.reports_option
@context.force_option
@context.cold_option
@click.option("--timeout", type=click.IntRange(1, 86400), default=600, show_default=True, help="Seconds a cell.")
@context.memory_option
@click.pass_context
def run(
    ctx: click.Context, /, notebook: str, assignments: tuple[str, ...], reports: str | None, force: bool, cold: bool,
    timeout: int, memory: int, **named: str | None,
) -> None:  # fmt: skip
    """Execute NOTEBOOK and publish its rendered report; prints the page's path."""
    parameters = context.gather_parameters(assignments, **named)
    from event_impact.runs.kernel_launch import KernelLimits

    limits = KernelLimits(execution_timeout_s=timeout, memory_bytes=memory * 2**20, is_cold=cold)
    by = "event_impact.runs.run:run_notebook"
    context.publish(ctx, by, notebook.removesuffix(".ipynb"), parameters, reports, limits, force)


if __name__ == "__main__":
    main()
