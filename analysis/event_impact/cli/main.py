"""The ``impact`` command: one thin function a verb.

Progress goes to stderr, the result is the only line on stdout, a refusal is one sentence and an
exit code. ``verbs.toml`` says which verbs there are; their modules are imported when they are called.
"""

import functools
import os
import pkgutil
import signal
import sys
import tomllib
from pathlib import Path
from typing import Any, NoReturn

import click

from event_impact.base.code_digest import VERSION
from event_impact.base.errors import StudyError, did_you_mean
from event_impact.base.threads import pin_threads

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
        command: click.Command = pkgutil.resolve_name(f"event_impact.cli.{entry['call']}")
        own = command.commands if isinstance(command, click.Group) else {}
        for name, verb in own.items() or [("", command)]:
            verb.epilog = f"Example: {entry['example'][name] if name else entry['example']}"
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
        signal.signal(signal.SIGTERM, signal.default_int_handler)
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


def _refuse(ctx: click.Context, error: BaseException, code: int, message: str = "") -> NoReturn:
    settings = ctx.params
    text = " ".join((message or str(error)).split())
    if settings.get("debug"):
        import traceback

        traceback.print_exception(error)
    if settings.get("as_json"):
        import json

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


if __name__ == "__main__":
    main()
