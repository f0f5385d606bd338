"""``impact calibrate``: do the tests keep their level on a firm's own history?"""

from __future__ import annotations

import os

import click

from analysis.commands.context import REPORTS_HELP, find_reports, make_progress, open_root, say

DEFAULT_DRAWS = 4000


@click.command()
@click.option("--ticker", default="F", show_default=True, help="The firm whose sessions are used.")
@click.option("--draws", type=click.IntRange(200, 200_000), default=DEFAULT_DRAWS, show_default=True,
              help="Simulated histories of each process.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=20260202, show_default=True, help="Of the simulations.")
@click.option(
    "--source", default="snapshot", show_default=True, help="snapshot, auto, or a CSV/Parquet file or folder."
)
@click.option("--reports", metavar="DIR", help=REPORTS_HELP)
@click.pass_context
def calibrate(ctx: click.Context, ticker: str, draws: int, seed: int, source: str, reports: str | None) -> None:
    """Measure size and power of every single-firm test; prints the path of a page of its own."""
    from analysis.calibrate import calibrate_firm
    from analysis.config import parse_benchmark, parse_source
    from analysis.errors import ConfigError
    from analysis.reporting.calibration_page import list_exhibits, render_calibration
    from analysis.reporting.exhibits import write_csv

    name = parse_benchmark("ticker", ticker)
    if not name:
        raise ConfigError("--ticker: expected a ticker such as F, found nothing.", "Name one.")
    root = open_root(ctx)
    found = calibrate_firm(
        root, name, source=parse_source("source", source), n_draws=draws, seed=seed, progress=make_progress(ctx)
    )
    page = render_calibration(found)
    folder = find_reports(root, reports)
    results = folder / f"calibration_{name}"
    results.mkdir(parents=True, exist_ok=True)
    for exhibit in list_exhibits(found):
        (results / f"{exhibit.name}.csv").write_text(write_csv(exhibit.numbers), encoding="utf-8")
    target = folder / f"calibration_{name}.html"
    staging = folder / f".calibration-{os.getpid()}.html"
    staging.write_text(page, encoding="utf-8")
    os.replace(staging, target)
    say(ctx, str(target), {"page": str(target), "ticker": name, "sessions": found.n_sessions, "draws": draws})
