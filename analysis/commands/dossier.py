"""``impact dossier``: every notebook of a story at one date, bound by a front page."""

from __future__ import annotations

import click

from analysis.commands.context import REPORTS_HELP, find_reports, make_progress, open_root, say


@click.command()
@click.argument("story")
@click.option("--as-of", "as_of", metavar="DATE", required=True, help="Last session whose prices may be seen.")
@click.option("--source", metavar="SOURCE", default="snapshot", show_default=True, help="snapshot, auto, or a path.")
@click.option("-p", "assignments", multiple=True, metavar="NAME=VALUE", help="A parameter for all notebooks.")
@click.option("--reports", metavar="DIR", help=REPORTS_HELP)
@click.option("--limit", type=click.IntRange(1, 64), default=2, show_default=True, help="Notebooks at a time.")
@click.option("--memory", type=click.IntRange(256, 1 << 20), default=8192, show_default=True, help="MiB a kernel.")
@click.option("--force", is_flag=True, help="Execute again even if published.")
@click.pass_context
def dossier(
    ctx: click.Context,
    story: str,
    as_of: str,
    source: str,
    assignments: tuple[str, ...],
    reports: str | None,
    limit: int,
    memory: int,
    force: bool,
) -> None:
    """Run all notebooks of STORY and publish the page that binds them; prints its path."""
    from analysis.cli import split_assignments
    from analysis.errors import ConfigError
    from analysis.reporting.dossier import DossierRequest, run_dossier
    from analysis.reporting.kernel import KernelLimits

    root = open_root(ctx)
    parameters = split_assignments(assignments)
    doubled = sorted(set(parameters) & {"story", "as_of", "source"})
    if doubled:
        raise ConfigError(f"{doubled[0]} is given twice.", "Leave it out of -p.")
    done = run_dossier(
        DossierRequest(
            root,
            find_reports(root, reports),
            {"story": story, "as_of": as_of, "source": source, **parameters},
            is_forced=force,
            limit=limit,
            limits=KernelLimits(memory_bytes=memory * 2**20),
        ),
        progress=make_progress(ctx),
    )
    say(ctx, str(done.page), {"page": str(done.page), "is_new": done.is_new, **done.run})
