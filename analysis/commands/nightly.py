"""``impact nightly``: fetch and dossier of every open story; meant for cron."""

from __future__ import annotations

import os
import sys

import click

from analysis.commands.context import REPORTS_HELP, find_reports, make_progress, open_root, parse_at, say

NOTIFY_VARIABLE = "IMPACT_NOTIFY"


@click.command()
@click.option("--limit", type=click.IntRange(1, 64), default=2, show_default=True, help="Notebooks at a time.")
@click.option("--at", "at", metavar="INSTANT", help="Serve the evenings due at this instant (default: now).")
@click.option("--source", default="auto", show_default=True, help="auto fetches first; snapshot or a path does not.")
@click.option("--reports", metavar="DIR", help=REPORTS_HELP)
@click.option("--memory", type=click.IntRange(256, 1 << 20), default=8192, show_default=True, help="MiB a kernel.")
@click.option("--notify", metavar="COMMAND", help=f"Run on failure, summary on stdin (or {NOTIFY_VARIABLE}).")
@click.pass_context
def nightly(
    ctx: click.Context, limit: int, at: str | None, source: str, reports: str | None, memory: int, notify: str | None
) -> None:
    """Serve every open story after the close of its exchange; exits with the worst code; prints the summary's path."""
    from analysis.commands.fetch import fetch_story
    from analysis.reporting.dossier import DossierRequest, run_dossier
    from analysis.reporting.kernel import KernelLimits
    from analysis.reporting.nightly import SUMMARY, run_nightly, split_command
    from analysis.reporting.nightly import notify as send

    root, instant, progress = open_root(ctx), parse_at(at), make_progress(ctx)
    target = find_reports(root, reports)
    command = notify or os.environ.get(NOTIFY_VARIABLE, "")
    if command:
        split_command(command)  # a malformed one is refused before the work, not after
    limits = KernelLimits(memory_bytes=memory * 2**20)

    def bring(story: str, instant) -> str:
        done = fetch_story(root, story, instant, progress)
        return f"{done.vintage.name}{'' if done.is_new else ' (nothing new)'}; {'; '.join(done.notes)}"

    def bind(story: str, as_of: str):
        parameters = {"story": story, "as_of": as_of, "source": source}
        return run_dossier(DossierRequest(root, target, parameters, limit=limit, limits=limits), progress=progress)

    summary = run_nightly(
        root, target, at=instant, fetch=bring if source == "auto" else None, dossier=bind, progress=progress
    )
    if summary.exit_code and command:
        fault = send(command, summary)
        if fault:
            print(f"impact: {fault}", file=sys.stderr)
    path = target / ".logs" / SUMMARY
    say(ctx, str(path), summary.as_record())
    sys.exit(summary.exit_code)
