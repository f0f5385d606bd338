"""Verbs for articles: what a saved page says of its time, its row in the registry, the sessions it can have reached."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from event_impact.base.clock import format_instant, read_instant, read_system_clock
from event_impact.base.config import parse_date, parse_story
from event_impact.base.errors import ConfigError, DataError
from event_impact.cli.context import join_options, open_root, say, story_argument, tell
from event_impact.events.articles import find_story, load_stories
from event_impact.events.calendars import load_hours
from event_impact.events.sessions import align_story
from event_impact.reading import ingest
from event_impact.reading.feeds import is_feed, name_feed, read_feed, web_address
from event_impact.reading.pages import MAX_BYTES
from event_impact.reading.proposals import Proposal, bound_by_hand, describe_proposal, use
from event_impact.reading.stamps import Interval
from event_impact.registry import alignments as known
from event_impact.registry.watching import watch_feeds


def ask(question: Callable[..., Any], text: str, hint: str, **options: Any) -> Any:
    """A prompt on stderr; a closed input is a refusal with a hint, not a crash."""
    try:
        return question(text, err=True, **options)
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise ConfigError(f"no answer to: {text}.", hint) from error


#: The options that decide how a page is read.
reading_options = join_options(
    click.argument("file"),
    click.option("--url", default="", help="Where it was published (default: what the page says)."),
    click.option("--zone", default="", metavar="ZONE", help="IANA zone for stamps that print none."),
    click.option("--zone-basis", type=click.Choice(["inferred", "site_convention"]), default="inferred",
                 help="Why that zone: inferred, or known as the site's habit."),
    click.option("--anchor", metavar="DATE", help="The day from which words such as Monday are counted."),
    click.option("--encoding", default="", help="Encoding of the file, where it cannot be told."),
    click.option("--saved-at", type=read_instant, metavar="INSTANT", help="When the copy was saved (default: now)."),
    click.option("--item", default="", metavar="KEY", help="The item of a feed, as impact watch names it."),
)  # fmt: skip


def examine(
    file: str, *, anchor: str | None = None, encoding: str = "", saved_at: datetime | None = None,
    url: str = "", item: str = "", **reading: str,
) -> ingest.Examined:  # fmt: skip
    """Read a file, an address, or an item of a feed as the command line asks."""
    content, at = ingest.read_source(file, MAX_BYTES), saved_at or read_system_clock()
    day = parse_date("anchor", anchor) if anchor else None
    where = web_address(file)
    if is_feed(content):
        page = read_feed(content, name=name_feed(file), address=where).find(item).page
        return ingest.weigh_page(page, saved_at=at, address=url, anchor=day, **reading)
    return ingest.examine_page(
        content, name=name_feed(file), saved_at=at, address=url or where, encoding=encoding, anchor=day, **reading
    )


def show(examined: ingest.Examined) -> None:
    """The evidence and the decision, for the analyst."""
    page = examined.page
    tell(f"{page.name}: {'page' if page.is_html else 'text'}, {page.encoding} ({page.encoding_basis})")
    tell(describe_proposal(examined.proposal))
    named = ", ".join(t if not e else f"{t} ({e})" for t, e in examined.listings) or "none"
    notes = (f"note: {remark}" for remark in examined.remarks)
    tell(f"outlet: {examined.outlet or 'not named'} · listings named: {named}", *notes)
    stamp = examined.proposal.stamp
    if stamp is not None and not stamp.zone:
        why = "prints a zone that is not known, or midnight," if stamp.is_zone_fixed else "prints no zone and"
        tell(f"note: the stamp {why} is read in every zone; if you know the site's, give --zone")


def record_of(examined: ingest.Examined) -> dict[str, Any]:
    """What was read, as JSON values."""
    proposal = examined.proposal
    evidence = [
        {"number": number, **{name: getattr(item, name) for name in ("kind", "source", "printed", "problem")}}
        | _name_ends("", item.interval)
        for number, item in enumerate(proposal.evidence, start=1)
    ]
    return _name_ends("published_", proposal.interval) | {
        "verdict": proposal.verdict, "reason": proposal.reason, "outlet": examined.outlet,
        "listings": list(map(list, examined.listings)), "evidence": evidence, "remarks": list(examined.remarks),
    }  # fmt: skip


def _name_ends(prefix: str, bounds: Interval | None) -> dict[str, str | None]:
    return {f"{prefix}{e}": format_instant(getattr(bounds, e)) if bounds else None for e in ("earliest", "latest")}


@click.group()
def article() -> None:
    """Read saved pages and add them to the registry."""


@article.command()
@reading_options
def read(file: str, **options: Any) -> None:
    """Show what FILE says about when it was published; nothing is written."""
    examined = examine(file, **options)
    show(examined)
    record = record_of(examined)
    bounds = f"{record['published_earliest']}/{record['published_latest']}" if examined.proposal.interval else ""
    say(bounds or examined.proposal.verdict, record)


@article.command()
@reading_options
@click.option("--story", required=True, help="Id in data/stories.csv.")
@click.option("--role", required=True, type=click.Choice(["report", "denial", "relay", "other"]))
@click.option("--outlet", default="", help="Who published (default: what the page says).")
@click.option("--paraphrase", metavar="TEXT", help="What it says, in your own words, at most 22 of them.")
@click.option("--use", "number", type=int, metavar="N", help="Rest on the N-th item of the evidence.")
@click.option("--not-before", type=read_instant, metavar="INSTANT", help="Known not yet public; recorded as assumed.")
@click.option("--not-after", type=read_instant, metavar="INSTANT", help="Known public; recorded as assumed.")
@click.option("--id", "article_id", default="", help="Article id (default: the next free one).")
@click.option("--source-kind", default="", metavar="KIND", help="origin, wire, relay, syndication or statement.")
@click.option("--confidence", default="", metavar="LEVEL", help="high, medium or low (default: by the evidence).")
@click.option("--keep-role", is_flag=True, help="Keep the role though the text repeats another article.")
@click.option("--yes", is_flag=True, help="Ask nothing; refused when the evidence does not decide.")
def add(
    file: str, story: str, role: str, outlet: str, paraphrase: str | None, number: int | None,
    not_before: datetime | None, not_after: datetime | None, article_id: str, source_kind: str, confidence: str, keep_role: bool,
    yes: bool, **options: Any,
) -> None:  # fmt: skip
    """Add FILE, a saved page, text, feed or address, to the articles of a story; prints its id."""
    data = open_root(to_write=True).data
    held = find_story(parse_story("story", story), load_stories(data, with_drafts=True))  # before the page is read
    examined = examine(file, home=load_hours(held.exchange).timezone, **options)
    proposal, interval = settle(examined, number=number, not_before=not_before, not_after=not_after, yes=yes)
    outlet = outlet or examined.outlet
    if not yes:
        outlet = outlet or ask(click.prompt, "Outlet", "Give --outlet.")
        if paraphrase is None:
            paraphrase = ask(click.prompt, "Paraphrase, in your own words", "Give --paraphrase.", default="")
    ingest.check_paraphrase(paraphrase or "", examined.page.text)
    if not yes and not ask(click.confirm, f"Add to {story} as {role}?", "Give --yes.", default=False):
        raise ConfigError("not confirmed; nothing was written.", "Run it again when the evidence is settled.")
    request = ingest.ArticleRequest(
        story, role, interval, outlet, paraphrase or "", article_id, source_kind, confidence, keep_role
    )
    report_added(ingest.add_article(data, replace(examined, proposal=proposal), request), examined, data)


def settle(
    examined: ingest.Examined, *, number: int | None = None, not_before: datetime | None = None,
    not_after: datetime | None = None, yes: bool,
) -> tuple[Proposal, Interval]:  # fmt: skip
    """Show what a page proves; the proposal that is used and its bounds: the page's, or the analyst's choice."""
    show(examined)
    proposal = examined.proposal
    if number is None and proposal.chosen is None and None in (not_before, not_after):
        if yes:
            advice = "Name the item to rest on with --use N, or both bounds with --not-before and --not-after."
            raise DataError(f"{examined.page.name}: {proposal.reason}", advice)
        hint = "Give --use N, or --not-before and --not-after."
        number = ask(click.prompt, "Number of the item to rest on", hint, type=int)
    if number is not None:
        proposal = use(proposal, number)
        tell(proposal.reason)
    if not_before is not None and not_after is not None and not_before >= not_after:
        raise ConfigError("--not-before does not lie before --not-after.", "Exchange them.")
    interval = bound_by_hand(proposal.interval, not_before=not_before, not_after=not_after)
    if interval is None:
        raise DataError(f"{examined.page.name}: {proposal.reason}", "Give --use N, or --not-before and --not-after.")
    return proposal, interval


def report_added(added: ingest.Added, examined: ingest.Examined, data: Path) -> None:
    """What was written and what it means for the story."""
    tell(*(f"note: {remark}" for remark in added.remarks))
    story = added.story
    named = {ticker for ticker, _ in examined.listings}
    if named and story.ticker not in named:
        tell(f"note: the page names {', '.join(sorted(named))}, not the story's listing {story.ticker}")
    if story.is_draft:
        tell(f"{story.story} has no report and no denial yet: nothing is aligned.")
    else:
        alignment = align_story(story, opens=known.embedded_opens(story, data))
        own = next(e for e in alignment.articles if e.article.article_id == added.article_id)
        said = known.describe_alignment(alignment, is_short=True)
        tell(f"{added.article_id}: {own.reason}", said, f"  {alignment.identification.reason}")
    say(added.article_id, {"article_id": added.article_id, "is_new": added.is_new, **added.row})


@click.command()
@story_argument
@click.option("--feed", "feeds", multiple=True, required=True, metavar="FEED", help="Address or file; may be repeated.")
def watch(story: str, feeds: tuple[str, ...]) -> None:
    """Record new items of feeds that name the firm of STORY; prints them, takes none. For cron too."""
    data, at = open_root(to_write=True).data, read_system_clock()
    held = find_story(parse_story("story", story), load_stories(data, with_drafts=True))
    found = watch_feeds(held, feeds, data, at=at, read=ingest.read_source)
    tell(*(f"note: {remark}" for remark in (*found.remarks, *found.faults[1:])))  # the first is the refusal
    lines = [
        f"{p.row['item']}  {p.row['published_earliest'] or 'undecided':20}  {p.title[:90]}\n"
        f"            {p.row['url'] or p.row['feed']}; {p.row['why']}"
        for p in found.proposed
    ]
    if lines:
        tell(f"Take one with: impact article add FEED --item KEY --story {story} --role report")
    say("\n".join(lines) or "nothing new", [p.row | {"title": p.title} for p in found.proposed])
    if found.faults:
        raise found.faults[0]
