"""``impact schedule``: the nightly run in cron or systemd."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from analysis.commands.context import open_root, say

UNITS = Path("~/.config/systemd/user")


def _options(function):
    function = click.option("--systemd", is_flag=True, help="A systemd user timer instead of cron.")(function)
    function = click.option("--time", default="23:30", show_default=True, help="HH:MM, time of this machine.")(function)
    return click.option("--arguments", default="", metavar="TEXT", help="More for impact nightly.")(function)


def _make(ctx: click.Context, time: str, arguments: str):
    from analysis.commands.fetch import refuse_packaged
    from analysis.reporting.schedule import Schedule

    root = open_root(ctx)
    refuse_packaged(root)
    return Schedule(root.path, time, tuple(shlex.split(arguments)))


@click.group()
def schedule() -> None:
    """Show, install or remove the nightly run in cron or systemd."""


@schedule.command("show")
@_options
@click.pass_context
def show_schedule(ctx: click.Context, systemd: bool, time: str, arguments: str) -> None:
    """Print what would be installed."""
    from analysis.reporting.schedule import cron_block, systemd_units

    made = _make(ctx, time, arguments)
    if systemd:
        units = systemd_units(made)
        say(ctx, "\n".join(f"# {UNITS / name}\n{text}" for name, text in units.items()).rstrip(), units)
    else:
        say(ctx, cron_block(made).rstrip(), {"crontab": cron_block(made)})


@schedule.command("install")
@_options
@click.pass_context
def install(ctx: click.Context, systemd: bool, time: str, arguments: str) -> None:
    """Install it; a second time replaces the first."""
    from analysis.reporting.schedule import install_cron, install_systemd

    made = _make(ctx, time, arguments)
    if systemd:
        install_systemd(made, UNITS.expanduser())
    else:
        install_cron(made)
    where = f"{made.unit}.timer" if systemd else "crontab"
    say(ctx, f"installed in {where}, every day at {time}", {"installed": where, "time": time})


@schedule.command("remove")
@_options
@click.pass_context
def remove(ctx: click.Context, systemd: bool, time: str, arguments: str) -> None:
    """Take it out again; everything else in the crontab stays."""
    from analysis.reporting.schedule import remove_cron, remove_systemd

    made = _make(ctx, time, arguments)
    found = remove_systemd(made, UNITS.expanduser()) if systemd else remove_cron(made.root)
    say(ctx, "removed" if found else "nothing was installed", {"removed": found})
