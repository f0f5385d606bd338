"""``impact verify``: does a published run follow from its recorded inputs?"""

from __future__ import annotations

from pathlib import Path

import click

from analysis.commands.context import find_reports, make_progress, open_root, say


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--reports", metavar="DIR", help="Where runs are published (default: reports/ of the study).")
@click.pass_context
def verify(ctx: click.Context, run: str, reports: str | None) -> None:
    """Recompute RUN (a folder, or its name) and compare every number; exit 0 only when all agree."""
    from analysis.reporting.store import find_run
    from analysis.reporting.verify import verify_run

    root = open_root(ctx)
    folder = Path(run).expanduser()
    if not (folder / "run.json").is_file():
        folder = find_run(find_reports(root, reports), run).folder
    found = verify_run(folder.resolve(), root, progress=make_progress(ctx))
    record = {
        "run": str(found.folder),
        "inputs": found.n_inputs,
        "tables": found.n_tables,
        "numbers": found.n_numbers,
        "changed_tables": list(found.changed_tables),
        "agrees": True,
    }
    text = f"{found.folder}: {found.n_numbers} numbers in {found.n_tables} tables and run.json agree"
    if found.changed_tables:
        text += f", with {', '.join(found.changed_tables)} as of today"
    say(ctx, text, record)
