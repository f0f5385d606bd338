"""``impact fetch``: download prices into a new vintage. The only verb, with ``nightly``, that uses the network."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from analysis.commands.context import make_progress, open_root, say
from analysis.config import parse_date
from analysis.errors import ConfigError

if TYPE_CHECKING:
    from analysis.market.fetch import FetchOutcome
    from analysis.root import StudyRoot


def fetch_story(root: StudyRoot, story: str, at: datetime, progress) -> FetchOutcome:
    """Fetch what one story needs, up to the sessions that closed by an instant."""
    from analysis.market.fetch import fetch_vintage, plan_fetch
    from analysis.market.yahoo import YahooProvider

    refuse_packaged(root)
    request = plan_fetch((story,), root.data, today=at.date())
    return fetch_vintage(request, root.data, YahooProvider(), at=at, recorded_at=datetime.now(UTC), progress=progress)


def refuse_packaged(root: StudyRoot) -> None:
    """Downloads belong into a study folder of the user's own."""
    if root.is_packaged:
        raise ConfigError(
            "the study that came with the package is read-only.", "Name a study folder of your own with --root."
        )


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="STORY|TICKERS...")
@click.option("--start", metavar="DATE", help="First day (default: 2,000 days before the story's first article).")
@click.option("--end", metavar="DATE", help="Last day (default: the last closed session).")
@click.option("--intraday", is_flag=True, help="Also bars of 1, 5 and 60 minutes, as far back as the provider goes.")
@click.option("--accept-revisions", is_flag=True, help="Record even if earlier history changed.")
@click.pass_context
def fetch(
    ctx: click.Context,
    names: tuple[str, ...],
    start: str | None,
    end: str | None,
    intraday: bool,
    accept_revisions: bool,
) -> None:
    """Download prices of a STORY or of TICKERS into data/vintages; prints the new folder."""
    import dataclasses

    from analysis.market.fetch import fetch_vintage, plan_fetch
    from analysis.market.yahoo import YahooProvider

    root = open_root(ctx)
    refuse_packaged(root)
    now = datetime.now(UTC)
    request = plan_fetch(
        names,
        root.data,
        today=now.date(),
        start=parse_date("--start", start) if start else None,
        end=parse_date("--end", end) if end else None,
    )
    request = dataclasses.replace(request, has_intraday=intraday, accepts_revisions=accept_revisions)
    progress = make_progress(ctx)
    outcome = fetch_vintage(request, root.data, YahooProvider(), at=now, progress=progress)
    for note in outcome.notes:
        progress(note)
    folder = str(outcome.vintage.folder)
    say(ctx, folder, {"folder": folder, "is_new": outcome.is_new, "notes": list(outcome.notes)})
