"""Verbs that look at what is registered: the stories, and the sessions that their articles can have reached.

What reads the tables is loaded only where an answer is not known already.
"""

from pathlib import Path
from typing import Any

import click

from event_impact.base.clock import read_instant
from event_impact.base.errors import ConfigError
from event_impact.cli.context import complete, list_stories, open_root, say_again


@click.command()
@click.option("--open", "only_open", is_flag=True, help="Only stories that nightly runs serve.")
def stories(only_open: bool) -> None:
    """List the registered stories, one a line: where they trade, whether they are served, where their prices lie."""
    data = open_root().data

    def answer() -> tuple[str, Any]:
        from event_impact.base.csv_tables import Tables
        from event_impact.events.articles import load_stories
        from event_impact.registry.registration import tell_recorded

        tables = Tables(data)
        shown = [s for s in load_stories(tables, with_drafts=True).values() if not only_open or s.state == "open"]
        prices = ["articles lack" if s.is_draft else tell_recorded(tables, s.ticker, s.benchmark) for s in shown]
        held = list(zip(shown, prices, strict=True))
        lines = [f"{s.story:32} {s.ticker:14} {s.exchange:5} {s.state:7} {found:14} {s.title}" for s, found in held]
        named = ("story", "title", "ticker", "state")
        return "\n".join(lines), [{name: getattr(s, name) for name in named} | {"prices": p} for s, p in held]

    say_again(answer, data)


@click.command()
@click.argument("story", required=False, shell_complete=complete(list_stories))
@click.option("--all", "every", is_flag=True, help="Every story of the registry.")
@click.option("--as-of", "as_of", metavar="DATE", help="Only what was public at the close of that session.")
@click.option("--out", metavar="FILE", help="Write the alignment as CSV.")
@click.option("--at", "instants", multiple=True, metavar="INSTANT", help="Without a story: where that instant falls.")
@click.option("--exchange", metavar="MIC", help="With --at: whose calendar, such as XNYS or XTKS.")
def align(
    story: str | None, every: bool, as_of: str | None, out: str | None, instants: tuple[str, ...],
    exchange: str | None,
) -> None:  # fmt: skip
    """Show which sessions the articles of STORY can have reached, and what is identified."""
    has_instant = bool(instants or exchange)
    if has_instant and (not (instants and exchange) or story or every or as_of or out):
        raise ConfigError("--at and --exchange go together, and without a story.", "Give both, and nothing else.")
    if not has_instant and bool(story) == every:
        raise ConfigError("name one story, or --all.", "List them with: impact stories")
    data = [] if exchange else [open_root().data]

    def answer() -> tuple[str, Any]:
        from event_impact.base.disk import replace_files
        from event_impact.registry import alignments as known

        if exchange:
            located = known.align(exchange, [read_instant(text) for text in instants])
            return known.describe_instants(exchange, located), located.to_dict("records")
        alignments = known.load_alignments(data[0], story, as_of=as_of)
        if out:
            replace_files({Path(out): known.frame_alignments(alignments).to_csv(index=False, lineterminator="\n")})
        text = "\n\n".join(known.describe_alignment(a, is_short=every) for a in alignments)
        return text, {a.story.story: a.identification.as_record() for a in alignments}

    say_again(answer, *data, is_new=bool(out))
