"""Verbs of reviewers: list, show, open, print, export, verify and bind runs."""

import sys
from pathlib import Path
from textwrap import fill

import click

from event_impact.cli import context


@click.command("list")
@context.story_option
@click.option("--failed", is_flag=True, help="Only failed attempts.")
@context.reports_option
@click.pass_context
def list_runs(ctx: click.Context, story: str | None, failed: bool, reports: str | None) -> None:
    """List the runs, newest first, one a line."""
    from event_impact.runs.store import read_facts

    facts = read_facts(context.find_reports(ctx, reports))
    held = [s for s in (*(() if failed else facts.good), *facts.failed) if story in (None, s.story)]
    held.sort(key=lambda s: s.order, reverse=True)
    damaged = [] if failed or story else facts.damaged
    lines = [f"{s.run.status:7} {s.folder.name}  {s.run.outcome or s.run.error or ''}" for s in held]
    lines += [f"damaged {name}" for name in damaged]
    records = [
        {"run": s.folder.name, **{k: getattr(s.run, k) for k in ("status", "outcome", "finished_at")}} for s in held
    ]
    records += [{"run": name, "status": "damaged"} for name in damaged]
    context.say(ctx, "\n".join(lines) or "no runs yet", records)


@click.command("export")
@context.run_argument
@click.option("--format", "form", type=click.Choice(["latex", "csv"]), default="latex", show_default=True)
@click.option("--out", metavar="DIR", help="Where the files go (default: a folder named like the run, here).")
@context.reports_option
@click.pass_context
def export(ctx: click.Context, run: str, form: str, out: str | None, reports: str | None) -> None:
    """Write the tables of a RUN as LaTeX (as shown) or CSV (unrounded); prints the folder."""
    from event_impact.runs.export import export_run
    from event_impact.runs.store import find_run

    stored = find_run(context.find_reports(ctx, reports), run)
    target = Path(out).expanduser() if out else Path.cwd() / stored.folder.name
    written = export_run(stored, target, form=form)
    context.say(ctx, str(target), {"folder": str(target), "files": [path.name for path in written]})


@click.command()
@context.run_argument
@context.reports_option
@click.pass_context
def show(ctx: click.Context, run: str, reports: str | None) -> None:
    """Show a RUN: the name of its folder, an unambiguous part of it, or latest."""
    from event_impact.page.first_screen import print_rows
    from event_impact.runs.store import find_run, is_intact

    stored = find_run(context.find_reports(ctx, reports), run)
    facts = stored.run
    lines = [
        str(stored.folder.name),
        f"story     {facts.story}, {facts.notebook}, as of {facts.as_of}",
        f"status    {facts.status}" + ("" if not stored.is_good or is_intact(stored.folder) else " (files changed!)"),
        f"finished  {facts.finished_at}",
    ]
    if source := facts.source:
        age = f"recorded to {source.get('last_session')}, {source.get('age_sessions')} sessions old then"
        lines.append(f"figures   {source.get('vintage')}, {age}")
    said = (("verdict", facts.verdict), ("error", facts.error))
    lines += [fill(f"{name:9} {text}", 110, subsequent_indent=10 * " ") for name, text in said if text]
    if facts.table and facts.table["rows"]:
        lines += ["", *print_rows(facts.table), ""]
    lines.append(f"page      {stored.folder / 'report.html'}")
    context.say(ctx, "\n".join(lines), {"folder": str(stored.folder), **facts.as_json()})


@click.command("open")
@click.argument("run", default="index", shell_complete=context.complete(context.list_folders))
@context.reports_option
@click.pass_context
def open_page(ctx: click.Context, run: str, reports: str | None) -> None:
    """Open a RUN, or the index, in the browser; prints the page's path."""
    import webbrowser

    from event_impact.base.errors import ConfigError
    from event_impact.runs.store import find_run

    folder = context.find_reports(ctx, reports)
    page = folder / "index.html" if run == "index" else find_run(folder, run).folder / "report.html"
    if not page.is_file():
        raise ConfigError(f"{page} does not exist.", "Make a first run with: impact run")
    if not webbrowser.open(page.as_uri()):
        context.make_progress(ctx)("no browser could be opened; open the page yourself")
    context.say(ctx, str(page), {"page": str(page)})


@click.command("print")
@context.run_argument
@click.option("--out", metavar="FILE", help="Where the PDF goes (default: RUN.pdf beside the run).")
@context.reports_option
@click.pass_context
def print_run(ctx: click.Context, run: str, out: str | None, reports: str | None) -> None:
    """Print a RUN to PDF through headless Chromium; prints the file's path."""
    from event_impact.page.paper import print_page
    from event_impact.runs.store import find_run

    stored = find_run(context.find_reports(ctx, reports), run)
    target = Path(out).expanduser() if out else stored.folder.with_name(f"{stored.folder.name}.pdf")
    print_page(stored.folder / "report.html", target)
    context.say(ctx, str(target), {"pdf": str(target)})


@click.command()
@click.option("--keep", type=int, required=True, metavar="N", help="Runs to keep of each story and notebook.")
@click.option("--dry-run", is_flag=True, help="Only context.say what would go.")
@context.reports_option
@click.pass_context
def prune(ctx: click.Context, keep: int, dry_run: bool, reports: str | None) -> None:
    """Remove old runs and failed attempts; never the last good run of a story and notebook."""
    from event_impact.runs.prune import prune_runs

    done = prune_runs(context.find_reports(ctx, reports), keep, is_trial=dry_run)
    progress = context.make_progress(ctx)
    for story in done.busy:
        progress(f"{story} left alone: a run of it is at work")
    context.say(ctx, "\n".join(done.removed) or "nothing to remove", {"removed": done.removed, "busy": done.busy})
    if done.busy:
        sys.exit(75)


@click.command()
@context.run_argument
@click.option("--note", default="", help="Why, or who signed it.")
@context.reports_option
@click.pass_context
def star(ctx: click.Context, run: str, note: str, reports: str | None) -> None:
    """Keep RUN for good: neither prune nor nightly removes it; prints its name."""
    from event_impact.runs.prune import star_run
    from event_impact.runs.store import find_run

    folder = context.find_reports(ctx, reports)
    starred = star_run(find_run(folder, run), folder, note)
    context.say(ctx, starred.name, {"run": starred.name, "note": note})


@click.command()
@context.run_argument
@context.reports_option
@click.pass_context
def verify(ctx: click.Context, run: str, reports: str | None) -> None:
    """Recompute RUN (a folder, or its name) and compare every number; exit 0 only when all agree."""
    from event_impact.runs.store import find_run
    from event_impact.runs.verify import verify_run

    root = context.open_root(ctx)
    folder = Path(run).expanduser()
    if not (folder / "run.json").is_file():
        folder = find_run(context.find_reports(ctx, reports), run).folder
    found = verify_run(folder.resolve(), root, progress=context.make_progress(ctx))
    record = {
        "run": str(found.folder), "inputs": found.n_inputs, "tables": found.n_tables, "numbers": found.n_numbers,
        "changed_tables": list(found.changed_tables), "agrees": True,
    }  # fmt: skip
    text = f"{found.folder}: {found.n_numbers} numbers in {found.n_tables} tables and run.json agree"
    if found.changed_tables:
        text += f", with {', '.join(found.changed_tables)} as of today"
    context.say(ctx, text, record)


@click.command()
@click.argument("story", shell_complete=context.complete(context.list_stories))
@context.as_of_option
@context.source_option
@context.assignments_option
@context.reports_option
@context.limit_option
@context.cold_option
@context.memory_option
@context.force_option
@click.pass_context
def dossier(
    ctx: click.Context, /, assignments: tuple[str, ...], reports: str | None, limit: int, memory: int, force: bool,
    cold: bool, **named: str | None,
) -> None:  # fmt: skip
    """Run all notebooks of STORY and publish the page that binds them; prints its path."""
    from event_impact.base.run_record import DOSSIER
    from event_impact.runs.kernel_launch import KernelLimits

    parameters = context.gather_parameters(assignments, **named)
    limits = KernelLimits(memory_bytes=memory * 2**20, is_cold=cold)
    by = "event_impact.runs.dossier:run_dossier"
    context.publish(ctx, by, DOSSIER, parameters, reports, limits, force, limit=limit)
