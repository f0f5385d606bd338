"""``impact verify``: does a published run follow from its recorded inputs?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--reports", metavar="DIR", help="Where runs are published (default: reports/ of the study).")
@click.pass_context
def verify(ctx: click.Context, run: str, reports: str | None) -> None:
    """Recompute RUN (a folder, or its name) and compare every number; exit 0 only when all agree."""
    from analysis.reporting.store import find_run
    from analysis.reporting.verify import verify_run
    from analysis.root import find_root

    root = find_root(ctx.obj["root"])
    folder = Path(run).expanduser()
    if not (folder / "run.json").is_file():
        held = Path(reports).expanduser().resolve() if reports else root.reports
        folder = find_run(held, run).folder
    quiet = ctx.obj["quiet"]
    found = verify_run(
        folder.resolve(),
        root,
        progress=lambda message: None if quiet else print(message, file=sys.stderr, flush=True),
    )
    record = {
        "run": str(found.folder),
        "inputs": found.n_inputs,
        "tables": found.n_tables,
        "numbers": found.n_numbers,
        "agrees": True,
    }
    text = f"{found.folder}: {found.n_numbers} numbers in {found.n_tables} tables and run.json agree"
    print(json.dumps(record, ensure_ascii=False) if ctx.obj["as_json"] else text)
