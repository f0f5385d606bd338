"""``impact doctor``: can this machine be trusted with unattended runs?"""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from analysis.commands.context import REPORTS_HELP, find_reports, open_root, parse_at, say


@click.command()
@click.option("--at", "at", metavar="INSTANT", help="As if it were then (default: now).")
@click.option("--no-kernel", is_flag=True, help="Do not start a kernel.")
@click.option("--reports", metavar="DIR", help=REPORTS_HELP)
@click.pass_context
def doctor(ctx: click.Context, at: str | None, no_kernel: bool, reports: str | None) -> None:
    """Check Python, packages, kernel, calendar, disk, clock, figures, locks and leftovers."""
    from analysis.reporting.doctor import examine, verdict_code

    root = open_root(ctx)
    found = examine(root, find_reports(root, reports), at=parse_at(at), with_kernel=not no_kernel)
    width = max(len(f.question) for f in found)
    say(ctx, "\n".join(f"{f.state:4}  {f.question:{width}}  {f.answer}" for f in found), [asdict(f) for f in found])
    sys.exit(verdict_code(found))
