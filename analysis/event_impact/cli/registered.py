"""Verbs that look at what is registered: the stories, and the sessions that their articles can have reached."""

from pathlib import Path

import click

from event_impact.base.clock import read_instant
from event_impact.base.csv_tables import Tables
from event_impact.base.disk import replace_files
from event_impact.base.errors import ConfigError
from event_impact.cli.context import complete, list_stories, open_root, say
from event_impact.events.articles import load_stories
from event_impact.registry import alignments as known
from event_impact.registry.registration import tell_recorded


@click.command()
@click.option("--open", "only_open", is_flag=True, help="Only stories that nightly runs serve.")
@click.pass_context
def stories(ctx: click.Context, only_open: bool) -> None:
    """List the registered stories, one a line: where they trade, whether they are served, where their prices lie."""
    tables = Tables(open_root(ctx).data)
    held = load_stories(tables, with_drafts=True).values()
    shown = [s for s in held if not only_open or s.state == "open"]
    prices = {s.story: "articles lack" if s.is_draft else tell_recorded(tables, s.ticker, s.benchmark) for s in shown}
    lines = [f"{s.story:32} {s.ticker:14} {s.exchange:5} {s.state:7} {prices[s.story]:14} {s.title}" for s in shown]
    named = [{name: getattr(s, name) for name in ("story", "title", "ticker", "state")} for s in shown]
    say(ctx, "\n".join(lines), [record | {"prices": prices[record["story"]]} for record in named])


@click.command()
@click.argument("story", required=False, shell_complete=complete(list_stories))
@click.option("--all", "every", is_flag=True, help="Every story of the registry.")
@click.option("--as-of", "as_of", metavar="DATE", help="Only what was public at the close of that session.")
@click.option("--out", metavar="FILE", help="Write the alignment as CSV.")
@click.option("--at", "instants", multiple=True, metavar="INSTANT", help="Without a story: where that instant falls.")
@click.option("--exchange", metavar="MIC", help="With --at: whose calendar, such as XNYS or XTKS.")
@click.pass_context
def align(
    ctx: click.Context, story: str | None, every: bool, as_of: str | None, out: str | None, instants: tuple[str, ...],
    exchange: str | None,
) -> None:  # fmt: skip
    """Show which sessions the articles of STORY can have reached, and what is identified."""
    if instants or exchange:
        if not (instants and exchange) or story or every or as_of or out:
            raise ConfigError("--at and --exchange go together, and without a story.", "Give both, and nothing else.")
        located = known.align(exchange, [read_instant(text) for text in instants])
        say(ctx, known.describe_instants(exchange, located), located.to_dict("records"))
        return
    if bool(story) == every:
        raise ConfigError("name one story, or --all.", "List them with: impact stories")
    alignments = known.load_alignments(open_root(ctx).data, story, as_of=as_of)
    if out:
        replace_files({Path(out): known.frame_alignments(alignments).to_csv(index=False, lineterminator="\n")})
    text = "\n\n".join(known.describe_alignment(a, is_short=every) for a in alignments)
    say(ctx, text, {a.story.story: a.identification.as_record() for a in alignments})
