"""``impact init``: lay out a study of one's own."""

from __future__ import annotations

import click

from analysis.commands.context import say, tell


@click.command()
@click.argument("folder", metavar="DIR")
@click.pass_context
def init(ctx: click.Context, folder: str) -> None:
    """Copy notebooks and data into DIR, a new or empty folder; prints its path."""
    from pathlib import Path

    from analysis.layout import lay_out_study
    from analysis.root import find_root

    made = lay_out_study(find_root(ctx.obj["root"]), Path(folder))
    tell(ctx, "A study: notebooks/, data/, reports/. Next: impact story new, or impact run 02_event_study")
    say(ctx, str(made), {"root": str(made)})
