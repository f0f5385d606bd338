"""``impact story``: register a story, see what will be identified, freeze the plan."""

from __future__ import annotations

import json
from typing import Any

import click

from analysis.commands.article import ask, say, writable_data
from analysis.errors import ConfigError, DataError


@click.group()
def story() -> None:
    """Register a story and freeze its plan."""


def split_list(text: str) -> tuple[str, ...]:
    """Tickers separated by commas, semicolons or spaces."""
    return tuple(text.replace(",", " ").replace(";", " ").split())


@story.command()
@click.option("--story", "story_id", help="Its id: lower-case words joined by hyphens.")
@click.option("--title", help="Your own title, at most 22 words.")
@click.option("--ticker", help="The one listing used for inference.")
@click.option("--exchange", help="Market identifier of its calendar, such as XNYS (default: by the ticker).")
@click.option("--benchmark", help="Ticker of the market return.")
@click.option("--peers", help="Further listings, separated by commas.")
@click.option("--counterparty", "counterparties", multiple=True, help="Another firm of the matter; may be repeated.")
@click.option("--denied", type=click.Choice(["yes", "no", "partial"]), help="Whether the report was denied.")
@click.option("--closed", is_flag=True, help="Nightly runs do not serve it.")
@click.option("--notes", default="", help="Judgements worth keeping.")
@click.option("--article", "articles", multiple=True, metavar="ROLE=FILE", help="A saved page, added at once.")
@click.option("--zone", default="", metavar="ZONE", help="IANA zone for stamps of these pages that print none.")
@click.option("--yes", is_flag=True, help="Ask nothing; what is missing is refused.")
@click.pass_context
def new(
    ctx: click.Context,
    story_id: str | None,
    title: str | None,
    ticker: str | None,
    exchange: str | None,
    benchmark: str | None,
    peers: str | None,
    counterparties: tuple[str, ...],
    denied: str | None,
    closed: bool,
    notes: str,
    articles: tuple[str, ...],
    zone: str,
    yes: bool,
) -> None:
    """Register a story, with its pages if they are saved; prints its id."""
    from analysis.registration import NewStory, check_new_story, register_story, rehearsal

    data = writable_data(ctx)
    answers = {
        "story": _complete(story_id, "Story id", "--story", yes=yes),
        "title": _complete(title, "Title", "--title", yes=yes),
        "ticker": _complete(ticker, "Ticker", "--ticker", yes=yes),
        "exchange": _complete(exchange, "Exchange (empty: by the ticker)", "--exchange", yes=yes, default=""),
        "benchmark": _complete(benchmark, "Benchmark", "--benchmark", yes=yes),
        "denied": _complete(denied, "Denied (yes, no, partial)", "--denied", yes=yes),
    }
    other = _complete(peers, "Peers, separated by commas", "--peers", yes=yes, default="")
    wanted = NewStory(
        **answers,
        other_tickers=split_list(other),
        counterparties=counterparties,
        state="closed" if closed else "open",
        notes=notes,
    )
    check_new_story(data, wanted)
    pages = [_read_page(ctx, item, zone=zone, yes=yes) for item in articles]
    if pages:
        with rehearsal(data) as copy:
            register_story(copy, wanted)
            for page in pages:
                _add_page(copy, wanted.story, *page)
    registered = register_story(data, wanted)
    say(ctx, f"{registered.story} is registered: {registered.ticker} on {registered.exchange}.")
    for page in pages:
        for remark in _add_page(data, registered.story, *page):
            say(ctx, remark)
    _say_what_follows(ctx, data, registered.story)
    record = {"story": registered.story, "ticker": registered.ticker, "exchange": registered.exchange}
    print(json.dumps(record) if ctx.obj["as_json"] else registered.story)


def _complete(value: str | None, text: str, option: str, *, yes: bool, default: str | None = None) -> str:
    """An answer from the command line, else from the analyst."""
    if value is not None:
        return value.strip()
    if yes:
        if default is None:
            raise ConfigError(f"{option} is missing.", "Give it, or leave out --yes to be asked.")
        return default
    options = {} if default is None else {"default": default, "show_default": False}
    return str(ask(click.prompt, text, f"Give {option}.", **options)).strip()


def _read_page(ctx: click.Context, item: str, *, zone: str, yes: bool) -> tuple[str, Any, Any, str]:
    """A page given as ROLE=FILE, examined and settled before anything is written."""
    from analysis.commands.article import examine, settle, show
    from analysis.events.articles import ROLES
    from analysis.events.ingest import with_proposal

    role, equals, file = item.partition("=")
    if not equals or role not in ROLES:
        raise ConfigError(f"--article {item!r} names no role and file.", "For example: --article report=page.html")
    examined = examine(file, url="", zone=zone, zone_basis="inferred", anchor=None, encoding="", saved_at=None)
    show(ctx, examined)
    proposal, interval = settle(ctx, examined, number=None, not_before=None, not_after=None, yes=yes)
    if not examined.outlet and yes:
        raise DataError(f"{examined.page.name} does not name its outlet.", "Add it later with: impact article add")
    outlet = examined.outlet or ask(click.prompt, f"Outlet of {examined.page.name}", "Add it later, with --outlet.")
    return role, with_proposal(examined, proposal), interval, outlet


def _add_page(data: Any, story_id: str, role: str, examined: Any, interval: Any, outlet: str) -> tuple[str, ...]:
    from analysis.events.ingest import ArticleRequest, add_article

    added = add_article(data, examined, ArticleRequest(story_id, role, interval, outlet))
    return (f"{added.article_id}: {added.row['role']}", *(f"note: {remark}" for remark in added.remarks))


def _say_what_follows(ctx: click.Context, data: Any, story_id: str) -> None:
    """What will be identified, said before any return is computed."""
    from analysis.alignments import describe_alignment
    from analysis.config import StudyConfig
    from analysis.events.articles import load_stories
    from analysis.registration import align_recorded, check_readiness, list_confounders

    held = load_stories(data, with_drafts=True)[story_id]
    if held.is_draft:
        say(ctx, f"It has no report and no denial yet. Next: impact article add FILE --story {story_id} --role report")
        return
    alignment = align_recorded(held, data)
    say(ctx, describe_alignment(alignment))
    config = StudyConfig.from_parameters(story=story_id)
    try:
        sentences = check_readiness(held, alignment, config, data).sentences
    except DataError as error:
        sentences = (str(error),)
    for sentence in (*sentences, *list_confounders(held, alignment, config, data)):
        say(ctx, sentence)
    say(ctx, f"Next: impact story plan {story_id} --freeze")


@story.command()
@click.argument("story_id", metavar="STORY")
@click.option("--freeze", is_flag=True, help="Append the plan to data/plans.csv.")
@click.option("--source", metavar="SOURCE", help="Where prices will come from (default: snapshot).")
@click.option("-p", "assignments", multiple=True, metavar="NAME=VALUE", help="A parameter of the plan.")
@click.pass_context
def plan(ctx: click.Context, story_id: str, freeze: bool, source: str | None, assignments: tuple[str, ...]) -> None:
    """Show what will be done to STORY, before any return is computed; freeze it with a hash and the time."""
    from datetime import UTC, datetime

    from analysis.alignments import describe_alignment
    from analysis.cli import split_assignments
    from analysis.config import StudyConfig
    from analysis.events.articles import load_story
    from analysis.plans import build_plan, freeze_plan, hash_plan, load_plans, plan_status
    from analysis.registration import align_recorded, check_readiness, list_confounders
    from analysis.root import find_root

    data = writable_data(ctx) if freeze else find_root(ctx.obj["root"]).data
    parameters = split_assignments(assignments)
    if source is not None:
        parameters["source"] = source
    if "story" in parameters:
        raise ConfigError("the story is named twice.", "Name it once, as the argument.")
    config = StudyConfig.from_parameters(**parameters, story=story_id)
    held = load_story(config.story, data)
    alignment = align_recorded(held, data, config.source)
    planned = build_plan(held, config)
    say(ctx, describe_alignment(alignment))
    for name, value in planned.items():
        say(ctx, f"  {name:20} {value}")
    for sentence in check_readiness(held, alignment, config, data).sentences:
        say(ctx, sentence)
    for sentence in list_confounders(held, alignment, config, data):
        say(ctx, sentence)
    if freeze:
        frozen, is_new = freeze_plan(data, alignment, config, now=datetime.now(UTC))
        say(ctx, f"{'frozen' if is_new else 'frozen already'} at {frozen.frozen_at}")
    status = plan_status(held, config, alignment=alignment, plans=load_plans(data, held.story))
    say(ctx, status.sentence)
    record = {"plan_sha256": hash_plan(planned), "status": status.kind, "sentence": status.sentence, "plan": planned}
    print(json.dumps(record, ensure_ascii=False) if ctx.obj["as_json"] else hash_plan(planned))
