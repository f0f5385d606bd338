"""``impact article``: read a saved page's time, and add the article to the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from analysis.commands.context import parse_instant, say, tell
from analysis.errors import ConfigError, DataError


def ask(question: Callable[..., Any], text: str, hint: str, **options: Any) -> Any:
    """A prompt on stderr; a closed input is a refusal with a hint, not a crash."""
    try:
        return question(text, err=True, **options)
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise ConfigError(f"no answer to: {text}.", hint) from error


READING = [
    click.argument("file"),
    click.option("--url", default="", help="Where it was published (default: what the page says)."),
    click.option("--zone", default="", metavar="ZONE", help="IANA zone for stamps that print none."),
    click.option(
        "--zone-basis",
        type=click.Choice(["inferred", "site_convention"]),
        default="inferred",
        help="Why that zone: inferred, or known as the site's habit.",
    ),
    click.option("--anchor", metavar="DATE", help="The day from which words such as Monday are counted."),
    click.option("--encoding", default="", help="Encoding of the file, where it cannot be told."),
    click.option("--saved-at", metavar="INSTANT", help="When the copy was saved (default: now)."),
]


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that decide how a page is read."""
    for option in reversed(READING):
        command = option(command)
    return command


def examine(
    file: str, *, url: str, zone: str, zone_basis: str, anchor: str | None, encoding: str, saved_at: str | None
):
    """Read a file as the command line asks."""
    from datetime import UTC, datetime
    from pathlib import Path

    from analysis.config import parse_date
    from analysis.events.ingest import examine_page, read_file
    from analysis.events.pages import MAX_BYTES

    path = Path(file).expanduser()
    return examine_page(
        read_file(path, MAX_BYTES),
        name=path.name,
        saved_at=parse_instant("--saved-at", saved_at) if saved_at else datetime.now(UTC),
        address=url,
        zone=zone,
        zone_basis=zone_basis,
        encoding=encoding,
        anchor=parse_date("anchor", anchor) if anchor else None,
    )


def show(ctx: click.Context, examined: Any) -> None:
    """The evidence and the decision, for the analyst."""
    from analysis.events.proposals import describe_proposal

    page = examined.page
    tell(ctx, f"{page.name}: {'page' if page.is_html else 'text'}, {page.encoding} ({page.encoding_basis})")
    tell(ctx, describe_proposal(examined.proposal))
    named = ", ".join(t if not e else f"{t} ({e})" for t, e in examined.listings) or "none"
    tell(ctx, f"outlet: {examined.outlet or 'not named'} · listings named: {named}")
    for remark in examined.remarks:
        tell(ctx, f"note: {remark}")
    stamp = examined.proposal.stamp
    if stamp is not None and not stamp.zone:
        tell(ctx, "note: the stamp prints no zone and is read in every zone; if you know the site's, give --zone")


def record_of(examined: Any) -> dict[str, Any]:
    """What was read, as JSON values."""
    from analysis.events.proposals import show_instant

    proposal = examined.proposal
    bounds = proposal.interval
    return {
        "verdict": proposal.verdict,
        "reason": proposal.reason,
        "published_earliest": show_instant(bounds.earliest) if bounds else None,
        "published_latest": show_instant(bounds.latest) if bounds else None,
        "outlet": examined.outlet,
        "listings": [list(entry) for entry in examined.listings],
        "evidence": [
            {
                "number": number,
                "kind": item.kind,
                "source": item.source,
                "printed": item.printed,
                "earliest": show_instant(item.interval.earliest) if item.interval else None,
                "latest": show_instant(item.interval.latest) if item.interval else None,
                "problem": item.problem,
            }
            for number, item in enumerate(proposal.evidence, start=1)
        ],
        "remarks": list(examined.remarks),
    }


@click.group()
def article() -> None:
    """Read saved pages and add them to the registry."""


@article.command()
@reading_options
@click.pass_context
def read(ctx: click.Context, file: str, **options: Any) -> None:
    """Show what FILE says about when it was published; nothing is written."""
    examined = examine(file, **options)
    show(ctx, examined)
    record = record_of(examined)
    bounds = f"{record['published_earliest']}/{record['published_latest']}" if examined.proposal.interval else ""
    say(ctx, bounds or examined.proposal.verdict, record)


@article.command()
@reading_options
@click.option("--story", required=True, help="Id in data/stories.csv.")
@click.option("--role", required=True, type=click.Choice(["report", "denial", "relay", "other"]))
@click.option("--outlet", default="", help="Who published (default: what the page says).")
@click.option("--paraphrase", metavar="TEXT", help="What it says, in your own words, at most 22 of them.")
@click.option("--use", "number", type=int, metavar="N", help="Rest on the N-th item of the evidence.")
@click.option("--not-before", metavar="INSTANT", help="Known not yet public; recorded as assumed.")
@click.option("--not-after", metavar="INSTANT", help="Known public; recorded as assumed.")
@click.option("--id", "article_id", default="", help="Article id (default: the next free one).")
@click.option("--source-kind", default="", metavar="KIND", help="origin, wire, relay, syndication or statement.")
@click.option("--confidence", default="", metavar="LEVEL", help="high, medium or low (default: by the evidence).")
@click.option("--keep-role", is_flag=True, help="Keep the role though the text repeats another article.")
@click.option("--yes", is_flag=True, help="Ask nothing; refused when the evidence does not decide.")
@click.pass_context
def add(
    ctx: click.Context,
    file: str,
    story: str,
    role: str,
    outlet: str,
    paraphrase: str | None,
    number: int | None,
    not_before: str | None,
    not_after: str | None,
    article_id: str,
    source_kind: str,
    confidence: str,
    keep_role: bool,
    yes: bool,
    **options: Any,
) -> None:
    """Add FILE, a saved page or text, to the articles of a story; prints its id."""
    from analysis.config import parse_story
    from analysis.events.ingest import ArticleRequest, add_article, check_paraphrase, with_proposal

    data = writable_data(ctx)
    known_story(data, parse_story("story", story))
    examined = examine(file, **options)
    show(ctx, examined)
    proposal, interval = settle(ctx, examined, number=number, not_before=not_before, not_after=not_after, yes=yes)
    outlet = outlet or examined.outlet
    if not yes:
        outlet = outlet or ask(click.prompt, "Outlet", "Give --outlet.")
        if paraphrase is None:
            paraphrase = ask(click.prompt, "Paraphrase, in your own words", "Give --paraphrase.", default="")
    check_paraphrase(paraphrase or "", examined.page.text)
    if not yes and not ask(click.confirm, f"Add to {story} as {role}?", "Give --yes.", default=False):
        raise ConfigError("not confirmed; nothing was written.", "Run it again when the evidence is settled.")
    request = ArticleRequest(
        story, role, interval, outlet, options["url"], paraphrase or "", article_id, source_kind, confidence, keep_role
    )
    added = add_article(data, with_proposal(examined, proposal), request)
    report_added(ctx, added, examined, data)


def writable_data(ctx: click.Context) -> Any:
    """The data folder of a study of the user's own."""
    from analysis.root import find_root

    root = find_root(ctx.obj["root"])
    if root.is_packaged:
        raise ConfigError(
            "the study inside the installed package is not written to.", "Lay out your own with: impact init DIR"
        )
    return root.data


def known_story(data: Any, story: str) -> Any:
    """A registered story, drafts included; asked before anything is read from a page."""
    from analysis.events.articles import load_stories

    held = load_stories(data, with_drafts=True)
    if story not in held:
        raise ConfigError(f"unknown story {story!r}.", f"Register it first with: impact story new --story {story}")
    return held[story]


def settle(
    ctx: click.Context, examined: Any, *, number: int | None, not_before: str | None, not_after: str | None, yes: bool
) -> tuple[Any, Any]:
    """The proposal that is used and its bounds: the page's, or the analyst's choice."""
    from analysis.events.proposals import bound_by_hand, use

    proposal = examined.proposal
    first = parse_instant("--not-before", not_before) if not_before else None
    last = parse_instant("--not-after", not_after) if not_after else None
    is_bounded = first is not None and last is not None
    if number is None and proposal.chosen is None and not is_bounded:
        if yes:
            raise DataError(
                f"{examined.page.name}: {proposal.reason}",
                "Name the item to rest on with --use N, or both bounds with --not-before and --not-after.",
            )
        hint = "Give --use N, or --not-before and --not-after."
        number = ask(click.prompt, "Number of the item to rest on", hint, type=int)
    if number is not None:
        proposal = use(proposal, number)
        tell(ctx, proposal.reason)
    if first is not None and last is not None and first >= last:
        raise ConfigError("--not-before does not lie before --not-after.", "Exchange them.")
    interval = bound_by_hand(proposal.interval, not_before=first, not_after=last)
    if interval is None:
        raise DataError(f"{examined.page.name}: {proposal.reason}", "Give --use N, or --not-before and --not-after.")
    return proposal, interval


def report_added(ctx: click.Context, added: Any, examined: Any, data: Any) -> None:
    """What was written and what it means for the story."""
    from analysis.alignments import describe_alignment, embedded_opens
    from analysis.events.sessions import align_story

    for remark in added.remarks:
        tell(ctx, f"note: {remark}")
    story = added.story
    named = {ticker for ticker, _ in examined.listings}
    if named and story.ticker not in named:
        tell(ctx, f"note: the page names {', '.join(sorted(named))}, not the story's listing {story.ticker}")
    if story.is_draft:
        tell(ctx, f"{story.story} has no report and no denial yet: nothing is aligned.")
    else:
        alignment = align_story(story, opens=embedded_opens(story, data))
        own = next(e for e in alignment.articles if e.article.article_id == added.article_id)
        tell(ctx, f"{added.article_id}: {own.reason}")
        tell(ctx, describe_alignment(alignment, is_short=True))
        tell(ctx, f"  {alignment.identification.reason}")
    say(ctx, added.article_id, {"article_id": added.article_id, "is_new": added.is_new, **added.row})
