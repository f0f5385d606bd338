"""Verbs of reviewers: run notebooks, list, show, open, print, export, verify and bind their runs."""

import sys
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import Any

import click

from event_impact.base.errors import BusyError, ConfigError
from event_impact.base.run_record import DOSSIER
from event_impact.cli import context
from event_impact.runs.store import StoredRun, find_run, is_intact, read_facts


class RunCommand(click.Command):
    """The verb whose help says what can be run."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Notebooks of the study, parameters and models, then the example."""
        from event_impact.base.config import MODELS, PARAMETERS

        held = {"Notebooks": context.list_notebooks(context.open_root()), "Parameters": PARAMETERS, "Models": MODELS}
        for title, names in held.items():
            with formatter.section(title):
                formatter.write_text(", ".join(names))
        super().format_epilog(ctx, formatter)


@click.command(cls=RunCommand)
@click.argument("notebook", shell_complete=context.complete(context.list_notebooks))
@context.story_option
@context.running_options
@click.option("--timeout", type=click.IntRange(1, 86400), default=600, show_default=True, help="Seconds a cell.")
def run(notebook: str, **asked: Any) -> None:
    """Execute NOTEBOOK and publish its rendered report; prints the page's path."""
    context.publish("event_impact.runs.run:run_notebook", notebook.removesuffix(".ipynb"), **asked)


@click.command()
@context.story_argument
@context.running_options
@context.limit_option
def dossier(limit: int, **asked: Any) -> None:
    """Run all notebooks of STORY and publish the page that binds them; prints its path."""
    context.publish("event_impact.runs.dossier:run_dossier", DOSSIER, how={"limit": limit}, **asked)


@click.command("list")
@context.story_option
@click.option("--failed", is_flag=True, help="Only failed attempts.")
@context.reports_option
def list_runs(story: str | None, failed: bool, reports: Path) -> None:
    """List the runs, newest first, one a line."""
    facts = read_facts(reports)
    held = [s for s in (*(() if failed else facts.good), *facts.failed) if story in (None, s.run.story)]
    held.sort(key=lambda s: s.order, reverse=True)
    damaged = [] if failed or story else facts.damaged
    lines = [f"{s.run.status:7} {s.folder.name}  {s.run.outcome or s.run.error or ''}" for s in held]
    lines += [f"damaged {name}" for name in damaged]
    told = ("status", "outcome", "finished_at")
    records = [{"run": s.folder.name, **{name: getattr(s.run, name) for name in told}} for s in held]
    records += [{"run": name, "status": "damaged"} for name in damaged]
    context.say("\n".join(lines) or "no runs yet", records)


@click.command("export")
@context.run_argument
@click.option("--format", "form", type=click.Choice(["latex", "csv"]), default="latex", show_default=True)
@click.option("--out", metavar="DIR", help="Where the files go (default: a folder named like the run, here).")
def export(stored: StoredRun, form: str, out: str | None, **_: Path) -> None:
    """Write the tables of a RUN as LaTeX (as shown) or CSV (unrounded); prints the folder."""
    from event_impact.runs.export import export_run

    target = Path(out).expanduser() if out else Path.cwd() / stored.folder.name
    written = export_run(stored, target, form=form)
    context.say(str(target), {"folder": str(target), "files": [path.name for path in written]})


@click.command()
@context.run_argument
def show(stored: StoredRun, **_: Path) -> None:
    """Show a RUN: the name of its folder, an unambiguous part of it, or latest."""
    from event_impact.page.first_screen import print_rows

    facts = stored.run
    lines = [
        str(stored.folder.name),
        f"story     {facts.story}, {facts.notebook}, as of {facts.as_of}",
        f"status    {facts.status}"
        + ("" if not stored.run.is_good or is_intact(stored.folder) else " (files changed!)"),
        f"finished  {facts.finished_at}",
    ]
    if source := facts.source:
        age = f"recorded to {source.get('last_session')}, {source.get('age_sessions')} sessions old then"
        lines.append(f"figures   {source.get('vintage')}, {age}")
    said = (("verdict", facts.verdict), ("error", facts.error))
    lines += [fill(f"{name:9} {text}", 110, subsequent_indent=10 * " ") for name, text in said if text]
    if facts.table and facts.table["rows"]:
        lines += ["", *print_rows(facts.table), ""]
    lines.append(f"page      {stored.page}")
    context.say("\n".join(lines), {"folder": str(stored.folder), **facts.as_json()})


@click.command("open")
@click.argument("run", default="index", shell_complete=context.complete(context.list_folders))
@context.reports_option
def open_page(run: str, reports: Path) -> None:
    """Open a RUN, or the index, in the browser; prints the page's path."""
    import webbrowser

    page = reports / "index.html" if run == "index" else find_run(reports, run).page
    if not page.is_file():
        raise ConfigError(f"{page} does not exist.", "Make a first run with: impact run")
    if not webbrowser.open(page.as_uri()):
        context.make_progress()("no browser could be opened; open the page yourself")
    context.say(str(page), {"page": str(page)})


@click.command("print")
@context.run_argument
@click.option("--out", metavar="FILE", help="Where the PDF goes (default: RUN.pdf beside the run).")
def print_run(stored: StoredRun, out: str | None, **_: Path) -> None:
    """Print a RUN to PDF through headless Chromium; prints the file's path."""
    from event_impact.page.paper import print_page

    target = Path(out).expanduser() if out else stored.folder.with_name(f"{stored.folder.name}.pdf")
    print_page(stored.page, target)
    context.say(str(target), {"pdf": str(target)})


@click.command()
@click.option("--keep", type=int, required=True, metavar="N", help="Runs to keep of each story and notebook.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@context.reports_option
def prune(keep: int, dry_run: bool, reports: Path) -> None:
    """Remove old runs and failed attempts; never the last good run of a story and notebook."""
    from event_impact.runs.prune import prune_runs

    done = prune_runs(reports, keep, is_trial=dry_run)
    progress = context.make_progress()
    for story in done.busy:
        progress(f"{story} left alone: a run of it is at work")
    context.say("\n".join(done.removed) or "nothing to remove", {"removed": done.removed, "busy": done.busy})
    if done.busy:
        sys.exit(BusyError.exit_code)


@click.command()
@context.run_argument
@click.option("--note", default="", help="Why, or who signed it.")
def star(stored: StoredRun, note: str, reports: Path) -> None:
    """Keep RUN for good: neither prune nor nightly removes it; prints its name."""
    from event_impact.runs.prune import star_run

    starred = star_run(stored, reports, note)
    context.say(starred.name, {"run": starred.name, "note": note})


@click.command()
@click.argument("run", shell_complete=context.complete(context.list_folders))
@context.reports_option
def verify(run: str, reports: Path) -> None:
    """Recompute RUN (a folder, or its name) and compare every number; exit 0 only when all agree."""
    from event_impact.runs.verify import verify_run

    root, folder = context.open_root(), Path(run).expanduser()
    if not (folder / "run.json").is_file():
        folder = find_run(reports, run).folder
    found = verify_run(folder.resolve(), root, progress=context.make_progress())
    text = f"{found.run}: {found.numbers} numbers in {found.tables} tables and run.json agree"
    if found.changed_tables:
        text += f", with {', '.join(found.changed_tables)} as of today"
    context.say(text, asdict(found))
