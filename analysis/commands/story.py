"""``impact story``: register a story, see what will be identified, freeze the plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from analysis.commands.article import ask, writable_data
from analysis.commands.context import say, tell
from analysis.errors import ConfigError, DataError, StudyError

NOTHING = {"default": "", "show_default": False}
"""A question that may be left unanswered."""


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
@click.option("--prices", metavar="WHERE", help="fetch: download them now; or the path of your own file or folder.")
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
    prices: str | None,
    yes: bool,
) -> None:
    """Register a story, with its pages if they are saved; prints its id.

    Then it is aligned, and what will be identified is said before any return is computed.
    """
    from analysis.events.articles import load_stories
    from analysis.events.calendars import load_hours, resolve_alias
    from analysis.events.tickers import resolve_exchange
    from analysis.registration import (
        NewStory,
        check_denied,
        check_new_id,
        check_new_story,
        check_title,
        known_exchanges,
        parse_ticker,
        register_story,
        rehearsal,
    )

    data = writable_data(ctx)
    exchanges = known_exchanges(data)
    answers = {
        "story": _complete(story_id, "Story id", "--story", yes=yes, check=lambda v: check_new_id(data, v)),
        "title": _complete(title, "Title", "--title", yes=yes, check=check_title),
        "ticker": _complete(ticker, "Ticker", "--ticker", yes=yes, check=lambda v: parse_ticker("ticker", v)),
    }
    answers["exchange"] = _complete(
        exchange, "Exchange (nothing: by the ticker)", "--exchange", yes=yes, default="",
        check=lambda v: load_hours(resolve_exchange(answers["ticker"], resolve_alias(v), exchanges)),
    )  # fmt: skip
    answers["benchmark"] = _complete(
        benchmark, "Benchmark", "--benchmark", yes=yes, check=lambda v: parse_ticker("benchmark", v)
    )
    answers["denied"] = _complete(denied, "Denied (yes, no, partial)", "--denied", yes=yes, check=check_denied)
    other = _complete(peers, "Peers, separated by commas (nothing: none)", "--peers", yes=yes, default="")
    if not articles and not yes:
        articles = _ask_pages()
    wanted = NewStory(
        **answers,
        other_tickers=split_list(other),
        counterparties=counterparties,
        state="closed" if closed else "open",
        notes=notes,
    )
    check_new_story(data, wanted)
    if prices and not articles:
        raise ConfigError("--prices needs the articles, which say from when.", "Give --article, or fetch later.")
    pages = [_read_page(ctx, item, zone=zone, yes=yes) for item in articles]
    if pages:
        with rehearsal(data) as copy:
            register_story(copy, wanted)
            for page in pages:
                _add_page(copy, wanted.story, *page)
    registered = register_story(data, wanted)
    tell(ctx, f"{registered.story} is registered: {registered.ticker} on {registered.exchange}.")
    for page in pages:
        for remark in _add_page(data, registered.story, *page):
            tell(ctx, remark)
    held = load_stories(data, with_drafts=True)[registered.story]
    if held.is_draft:
        tell(
            ctx, f"It has no report and no denial yet. Next: impact article add FILE --story {held.story} --role report"
        )
    else:
        _say_what_follows(ctx, data, held, prices, yes=yes)
    record = {"story": registered.story, "ticker": registered.ticker, "exchange": registered.exchange}
    say(ctx, registered.story, record)


def _complete(
    value: str | None,
    text: str,
    option: str,
    *,
    yes: bool,
    default: str | None = None,
    check: Callable[[str], object] = lambda _: None,
) -> str:
    """An answer from the command line, else from the analyst, who is asked again until it can be used."""
    if value is not None:
        return value.strip()
    if yes:
        if default is None:
            raise ConfigError(f"{option} is missing.", "Give it, or leave out --yes to be asked.")
        return default
    options = {} if default is None else {"default": default, "show_default": False}
    while True:
        hint = f"Give {option}, and --yes to leave out what has a default."
        answer = str(ask(click.prompt, text, hint, **options)).strip()
        try:
            check(answer)
        except StudyError as error:
            click.echo(str(error), err=True)
            continue
        return answer


def _ask_pages() -> tuple[str, ...]:
    """Saved pages of report and denial as ROLE=FILE, those that the analyst has."""
    given = {
        role: _complete(
            None, f"Saved page of the {role} (nothing: later)", "--article", yes=False, default="", check=_check_file
        )
        for role in ("report", "denial")
    }
    return tuple(f"{role}={file}" for role, file in given.items() if file)


def _check_file(path: str) -> None:
    from pathlib import Path

    if path and not Path(path).expanduser().is_file():
        raise ConfigError(f"there is no file {path}.", "Name a saved page, or nothing.")


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
        raise DataError(
            f"{examined.page.name} does not name its outlet, and nothing was registered.",
            "Leave the page out, and add it afterwards with: impact article add --outlet NAME",
        )
    outlet = examined.outlet or ask(
        click.prompt, f"Outlet of {examined.page.name}", "Leave the page out, and add it afterwards with --outlet."
    )
    return role, with_proposal(examined, proposal), interval, outlet


def _add_page(data: Any, story_id: str, role: str, examined: Any, interval: Any, outlet: str) -> tuple[str, ...]:
    from analysis.events.ingest import ArticleRequest, add_article

    added = add_article(data, examined, ArticleRequest(story_id, role, interval, outlet))
    return (f"{added.article_id}: {added.row['role']}", *(f"note: {remark}" for remark in added.remarks))


def _say_what_follows(ctx: click.Context, data: Any, held: Any, prices: str | None, *, yes: bool) -> None:
    """What will be identified, said before any return is computed; then whether prices can serve it."""
    from analysis.alignments import describe_alignment
    from analysis.config import StudyConfig
    from analysis.registration import align_recorded, check_readiness, is_embedded

    alignment = align_recorded(held, data)
    tell(ctx, describe_alignment(alignment))
    if prices is None and not is_embedded(held, data) and not yes:
        question = f"Prices of {held.ticker} and {held.benchmark} (fetch, the path of your own, or nothing for later)"
        prices = ask(click.prompt, question, "Give --prices.", **NOTHING).strip()
    source = _take_prices(ctx, held, prices or "")
    config = StudyConfig.from_parameters(story=held.story, source=source)
    try:
        sentences = check_readiness(held, alignment, config, data).sentences
        sentences += tuple(describe_other_news(alignment, config, data))
    except DataError as error:
        if prices:
            raise DataError(f"{held.story} is registered, but: {error.message}", error.hint) from error
        sentences = (str(error),)
    for sentence in sentences:
        tell(ctx, sentence)
    option = "" if source == "snapshot" else f" --source {source}"
    tell(ctx, f"Next: impact story plan {held.story}{option} --freeze")


def _take_prices(ctx: click.Context, held: Any, prices: str) -> str:
    """The ``source`` that serves the story: a download made now, the analyst's own file, or what is embedded."""
    if prices != "fetch":
        return prices or "snapshot"
    from datetime import UTC, datetime

    from analysis.commands.context import make_progress, open_root
    from analysis.commands.fetch import fetch_story

    try:
        outcome = fetch_story(open_root(ctx), held.story, datetime.now(UTC), make_progress(ctx))
    except DataError as error:
        raise DataError(f"{held.story} is registered, but its prices were not: {error.message}", error.hint) from error
    for note in outcome.notes:
        tell(ctx, note)
    return "auto"


def describe_other_news(alignment: Any, config: Any, data: Any) -> list[str]:
    """What else is known of the listing within the windows, and how to enter what is not recorded."""
    from analysis.other_news import find_other_news, span_of_windows

    found = find_other_news(alignment, config, data)
    lines = found.describe(*span_of_windows(alignment, config))
    if found.proposed:
        source = "" if config.source == "snapshot" else f" --source {config.source}"
        lines.append(f"To enter what is not recorded: impact story confounders {config.story}{source} --add")
    return lines


@story.command()
@click.argument("story_id", metavar="STORY")
@click.option("--source", metavar="SOURCE", help="Where prices come from (default: snapshot).")
@click.option("-p", "assignments", multiple=True, metavar="NAME=VALUE", help="A parameter of the plan.")
@click.option("--add", is_flag=True, help="Append them to data/confounders.csv.")
@click.pass_context
def confounders(ctx: click.Context, story_id: str, source: str | None, assignments: tuple[str, ...], add: bool) -> None:
    """List ex-dividend days and earnings of STORY's listing that are not recorded; prints how many.

    Earnings are entered as masked, so that mask=listed leaves them out of the estimation window.
    """
    from analysis.other_news import add_confounders, find_other_news
    from analysis.registration import align_recorded
    from analysis.root import find_root

    data = writable_data(ctx) if add else find_root(ctx.obj["root"]).data
    config, held = open_plan(data, story_id, source, assignments)
    found = find_other_news(align_recorded(held, data, config.source), config, data)
    for row in found.proposed:
        mask = "masked" if row["is_masked"] == "yes" else "not masked"
        tell(ctx, f"{row['session']}  {row['label']:40} {mask}, known from {row['known_from']}")
    for sentence in (*found.expected, *found.sentences):
        tell(ctx, sentence)
    entered = add_confounders(data, found.proposed) if add else 0
    if found.proposed and not add:
        tell(ctx, "Nothing was written; --add enters them.")
    count = entered if add else len(found.proposed)
    record = {"proposed": list(found.proposed), "entered": entered}
    say(ctx, str(count), record)


def open_plan(data: Any, story_id: str, source: str | None, assignments: tuple[str, ...]) -> tuple[Any, Any]:
    """The parameters that the command line gives, and the story."""
    from analysis.cli import split_assignments
    from analysis.config import StudyConfig
    from analysis.events.articles import load_story

    parameters = split_assignments(assignments)
    if source is not None:
        parameters["source"] = source
    if "story" in parameters:
        raise ConfigError("the story is named twice.", "Name it once, as the argument.")
    config = StudyConfig.from_parameters(**parameters, story=story_id)
    return config, load_story(config.story, data)


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
    from analysis.plans import build_plan, freeze_plan, hash_plan, load_plans, plan_status
    from analysis.registration import align_recorded, check_readiness
    from analysis.root import find_root

    data = writable_data(ctx) if freeze else find_root(ctx.obj["root"]).data
    config, held = open_plan(data, story_id, source, assignments)
    alignment = align_recorded(held, data, config.source)
    planned = build_plan(held, config)
    tell(ctx, describe_alignment(alignment))
    for name, value in planned.items():
        tell(ctx, f"  {name:20} {value}")
    for sentence in check_readiness(held, alignment, config, data).sentences:
        tell(ctx, sentence)
    for sentence in describe_other_news(alignment, config, data):
        tell(ctx, sentence)
    if freeze:
        frozen, is_new = freeze_plan(data, alignment, config, now=datetime.now(UTC))
        tell(ctx, f"{'frozen' if is_new else 'frozen already'} at {frozen.frozen_at}")
    status = plan_status(held, config, alignment=alignment, plans=load_plans(data, held.story))
    tell(ctx, status.sentence)
    record = {"plan_sha256": hash_plan(planned), "status": status.kind, "sentence": status.sentence, "plan": planned}
    say(ctx, hash_plan(planned), record)
