"""Verbs of schedulers: prices, the nightly run, its timetable, the state of the machine."""

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from event_impact.base.clock import read_instant, read_system_clock
from event_impact.base.config import parse_date
from event_impact.cli import context
from event_impact.runs import schedule as timetable

if TYPE_CHECKING:
    from event_impact.base.root import StudyRoot
    from event_impact.events.articles import Story
    from event_impact.market.download import FetchOutcome
    from event_impact.market.protocol import Provider

PROVIDER_VARIABLE = "IMPACT_PROVIDER"
WAIT_HELP = "Minutes to go on trying while the provider asks to wait."
wait_option = click.option("--wait", type=click.IntRange(0, 1440), default=30, show_default=True, help=WAIT_HELP)


def fetch_story(root: "StudyRoot", story: str, at: datetime, progress: Callable[[str], None]) -> "FetchOutcome":
    """Fetch what one story needs, up to the sessions that closed by an instant."""
    from event_impact.market.download import fetch_vintage
    from event_impact.market.fetch_plan import plan_fetch

    request = plan_fetch((story,), root.data, today=at.date())
    provider = choose_provider()
    return fetch_vintage(request, root.data, provider, at=at, recorded_at=read_system_clock(), progress=progress)


def choose_provider(name: str | None = None, **options: Any) -> "Provider":
    """The provider asked for, by option or by the environment, else the default one."""
    from event_impact.market.providers import DEFAULT_PROVIDER, load_provider

    return load_provider(name or os.environ.get(PROVIDER_VARIABLE) or DEFAULT_PROVIDER, **options)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="STORY|TICKERS...")
@click.option("--start", metavar="DATE", help="First day (default: 2,000 days before the story's first article).")
@click.option("--end", metavar="DATE", help="Last day (default: the last closed session).")
@click.option("--intraday", is_flag=True, help="Bars of 1 and 5 minutes also of what is no open story.")
@click.option("--accept-revisions", is_flag=True, help="Record even if earlier history changed.")
@click.option("--accept-suspicions", is_flag=True, help="Record even if figures inside the windows look wrong.")
@click.option("--provider", metavar="NAME", help=f"Who is asked (or {PROVIDER_VARIABLE}; default: yahoo).")
@wait_option
def fetch(names: tuple[str, ...], **asked: Any) -> None:
    """Download prices of a STORY or of TICKERS into data/vintages; prints the new folder."""

    from event_impact.events.articles import load_stories
    from event_impact.market.download import fetch_vintage, wait_out, warn_of_loss
    from event_impact.market.fetch_plan import plan_fetch

    root, progress, now = context.open_root(to_write=True), context.make_progress(), read_system_clock()
    dates = {name: parse_date(f"--{name}", asked[name]) if asked[name] else None for name in ("start", "end")}
    request = plan_fetch(names, root.data, today=now.date(), **dates)
    bars = tuple(t for t in request.exchanges if t not in request.optional) if asked["intraday"] else request.bars
    accepted = {f"accepts_{what}": asked[f"accept_{what}"] for what in ("revisions", "suspicions")}
    request, chosen = replace(request, bars=bars, **accepted), choose_provider(asked["provider"])
    work = partial(fetch_vintage, request, root.data, chosen, at=now, progress=progress)
    outcome = wait_out(work, 60.0 * asked["wait"], progress=progress)
    asked_stories = [story for name, story in load_stories(root.data).items() if name in names]
    lost = warn_of_loss(asked_stories, root.data / "vintages", chosen, at=now)
    for note in (*outcome.notes, *lost):
        progress(note)
    folder = str(outcome.vintage.folder)
    context.say(folder, {"folder": folder, "is_new": outcome.is_new, "notes": [*outcome.notes, *lost]})


NOTIFY_HELP = "Told of failures, changed outcomes, new pages: an address (mailto://, ...) or command (IMPACT_NOTIFY)."


@click.command()
@context.limit_option
@click.option("--at", type=read_instant, metavar="INSTANT", help="Serve the evenings due then (default: now).")
@click.option("--source", default="auto", show_default=True, help="auto fetches first; snapshot or a path does not.")
@context.reports_option
@context.kernel_options
@click.option("--notify", metavar="TARGET", envvar="IMPACT_NOTIFY", default="", help=NOTIFY_HELP)
@click.option("--keep", type=click.IntRange(0), default=60, show_default=True, help="Runs and vintages kept; 0: all.")
@wait_option
def nightly(
    limit: int, at: datetime | None, source: str, reports: Path, memory: int, cold: bool, notify: str, keep: int,
    wait: int,
) -> None:  # fmt: skip
    """Serve every open story after the close of its exchange; exits with the worst code; prints the summary's path."""
    from event_impact.base.run_record import DOSSIER
    from event_impact.market.download import record_bars
    from event_impact.runs import notification
    from event_impact.runs.dossier import run_dossier
    from event_impact.runs.kernel_launch import KernelLimits
    from event_impact.runs.nightly import SUMMARY, run_nightly
    from event_impact.runs.requests import RunRequest
    from event_impact.runs.workers import run_parts

    root = context.open_root(to_write=source == "auto")
    instant, progress = at or read_system_clock(), context.make_progress()
    if notify:
        notification.check_target(notify)  # one that cannot be used is refused before the work, not after
    limits = KernelLimits(memory_bytes=memory * 2**20, is_cold=cold)

    def bring(story: str, instant: datetime) -> str:
        done = fetch_story(root, story, instant, progress)
        return f"{done.vintage.name}{'' if done.is_new else ' (nothing new)'}; {'; '.join(done.notes)}"

    def bind(story: str, as_of: str) -> str:
        asked = {"story": story, "as_of": as_of, "source": source}
        request = RunRequest(DOSSIER, asked, root, reports, limits=limits, is_evening=True)
        (done,) = run_parts([request], run=partial(run_dossier, limit=limit), progress=progress)
        return done.settle()

    def record(stories: "list[Story]") -> str:
        provider, recorded_at = choose_provider(), read_system_clock()
        done = record_bars(stories, root.data, provider, at=instant, recorded_at=recorded_at, progress=progress)
        return "; ".join(done[1])

    downloads = {"fetch": bring, "record": record} if source == "auto" else {"fetch": None}
    summary = run_nightly(
        root, reports, at=instant, dossier=bind, wait_s=60.0 * wait, keep=keep, progress=progress, **downloads
    )
    for note in summary.notes:
        progress(note)
    if notify and (fault := notification.notify(notify, summary)):
        print(f"impact: {fault}", file=sys.stderr)
    context.say(str(reports / ".logs" / SUMMARY), summary.as_record())
    sys.exit(summary.exit_code)


@click.group()
def site() -> None:
    """A folder of pages for readers."""


@site.command("build")
@click.argument("folder", metavar="DIR")
@click.option("--address", default="", metavar="URL", help="Where it will stand, for the links of its feed.")
@click.option("--runs", "runs_kept", type=click.IntRange(1), default=30, show_default=True, help="Pages a notebook.")
@context.reports_option
def build(folder: str, address: str, runs_kept: int, reports: Path) -> None:
    """Bring the site in DIR to the state of the runs: index, histories, feed, JSON; prints its index."""
    from event_impact.runs.site import build_site

    target = Path(folder).expanduser().absolute()
    count = build_site(reports, target, at=read_system_clock(), runs_kept=runs_kept, address=address)
    context.say(str(target / "index.html"), {"index": str(target / "index.html"), "runs": count})


UNITS = Path("~/.config/systemd/user")


@click.command()
@click.argument("action", type=click.Choice(["show", "install", "remove"]))
@click.option("--systemd", is_flag=True, help="A systemd user timer instead of cron.")
@click.option("--time", default="23:30", show_default=True, help="HH:MM, time of this machine.")
@click.option("--arguments", default="", metavar="TEXT", help="More for impact nightly.")
def schedule(action: str, systemd: bool, time: str, arguments: str) -> None:
    """Show what would be installed in cron or systemd, install it (again replaces), or take it out again."""
    made = timetable.Schedule(context.open_root(to_write=True).path, time, tuple(shlex.split(arguments)))
    folder, block, units = UNITS.expanduser(), timetable.cron_block(made), timetable.systemd_units(made)
    if action == "show":
        text = "\n".join(f"# {UNITS / name}\n{unit}" for name, unit in units.items()) if systemd else block
        context.say(text.rstrip(), units if systemd else {"crontab": block})
    elif action == "install":
        if systemd:
            timetable.install_systemd(made, folder)
        else:
            timetable.change_cron(made.root, block)
        where = f"{made.unit}.timer" if systemd else "crontab"
        context.say(f"installed in {where}, every day at {time}", {"installed": where, "time": time})
    else:
        is_gone = timetable.remove_systemd(made, folder) if systemd else timetable.change_cron(made.root, "")
        context.say("removed" if is_gone else "nothing was installed", {"removed": is_gone})


@click.command()
@click.option("--at", type=read_instant, metavar="INSTANT", help="As if it were then (default: now).")
@click.option("--no-kernel", is_flag=True, help="Do not start a kernel.")
@context.reports_option
def doctor(at: datetime | None, no_kernel: bool, reports: Path) -> None:
    """Check Python, packages, kernel, calendar, disk, clock, figures, locks and leftovers."""
    from event_impact.runs.doctor import examine, verdict_code

    found = examine(context.open_root(), reports, at=at or read_system_clock(), with_kernel=not no_kernel)
    width = max(len(f.question) for f in found)
    lines = [f"{f.state:4}  {f.question:{width}}  {f.answer}" for f in found]
    context.say("\n".join(lines), [asdict(f) for f in found])
    sys.exit(verdict_code(found))
