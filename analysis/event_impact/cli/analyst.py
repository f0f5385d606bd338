"""Verbs of analysts: articles, stories, plans, calibration, a study of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from event_impact.base.errors import ConfigError, DataError, StudyError
from event_impact.cli.context import REPORTS_HELP, find_reports, make_progress, open_root, parse_instant, say, tell

if TYPE_CHECKING:
    from event_impact.reading.ingest import Examined


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
) -> Examined:
    """Read a file as the command line asks."""
    from datetime import UTC, datetime
    from pathlib import Path

    from event_impact.base.config import parse_date
    from event_impact.reading.ingest import examine_page, read_file
    from event_impact.reading.pages import MAX_BYTES

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
    from event_impact.reading.proposals import describe_proposal

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
    from event_impact.base.clock import format_instant

    proposal = examined.proposal
    bounds = proposal.interval
    return {
        "verdict": proposal.verdict,
        "reason": proposal.reason,
        "published_earliest": format_instant(bounds.earliest) if bounds else None,
        "published_latest": format_instant(bounds.latest) if bounds else None,
        "outlet": examined.outlet,
        "listings": [list(entry) for entry in examined.listings],
        "evidence": [
            {
                "number": number,
                "kind": item.kind,
                "source": item.source,
                "printed": item.printed,
                "earliest": format_instant(item.interval.earliest) if item.interval else None,
                "latest": format_instant(item.interval.latest) if item.interval else None,
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
def read(ctx: click.Context, /, file: str, **options: Any) -> None:
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
    /,
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
    from event_impact.base.config import parse_story
    from event_impact.reading.ingest import ArticleRequest, add_article, check_paraphrase, with_proposal

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
    from event_impact.base.root import find_root

    root = find_root(ctx.obj["root"])
    if root.is_packaged:
        raise ConfigError(
            "the study inside the installed package is not written to.", "Lay out your own with: impact init DIR"
        )
    return root.data


def known_story(data: Any, story: str) -> Any:
    """A registered story, drafts included; asked before anything is read from a page."""
    from event_impact.events.articles import load_stories

    held = load_stories(data, with_drafts=True)
    if story not in held:
        raise ConfigError(f"unknown story {story!r}.", f"Register it first with: impact story new --story {story}")
    return held[story]


def settle(
    ctx: click.Context, examined: Any, *, number: int | None, not_before: str | None, not_after: str | None, yes: bool
) -> tuple[Any, Any]:
    """The proposal that is used and its bounds: the page's, or the analyst's choice."""
    from event_impact.reading.proposals import bound_by_hand, use

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
    from event_impact.events.sessions import align_story
    from event_impact.registry.alignments import describe_alignment, embedded_opens

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
    from event_impact.events.articles import load_stories
    from event_impact.events.calendars import load_hours, resolve_alias
    from event_impact.reading.tickers import resolve_exchange
    from event_impact.registry.registration import (
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
    from event_impact.cli.analyst import examine, settle, show
    from event_impact.events.articles import ROLES
    from event_impact.reading.ingest import with_proposal

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
    from event_impact.reading.ingest import ArticleRequest, add_article

    added = add_article(data, examined, ArticleRequest(story_id, role, interval, outlet))
    return (f"{added.article_id}: {added.row['role']}", *(f"note: {remark}" for remark in added.remarks))


def _say_what_follows(ctx: click.Context, data: Any, held: Any, prices: str | None, *, yes: bool) -> None:
    """What will be identified, said before any return is computed; then whether prices can serve it."""
    from event_impact.base.config import StudyConfig
    from event_impact.registry.alignments import describe_alignment
    from event_impact.registry.registration import align_recorded, check_readiness, is_embedded

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

    from event_impact.cli.context import make_progress, open_root
    from event_impact.cli.scheduler import fetch_story

    try:
        outcome = fetch_story(open_root(ctx), held.story, datetime.now(UTC), make_progress(ctx))
    except DataError as error:
        raise DataError(f"{held.story} is registered, but its prices were not: {error.message}", error.hint) from error
    for note in outcome.notes:
        tell(ctx, note)
    return "auto"


def describe_other_news(alignment: Any, config: Any, data: Any) -> list[str]:
    """What else is known of the listing within the windows, and how to enter what is not recorded."""
    from event_impact.registry.other_news import find_other_news, span_of_windows

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
    from event_impact.base.root import find_root
    from event_impact.registry.other_news import add_confounders, find_other_news
    from event_impact.registry.registration import align_recorded

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
    from event_impact.base.config import StudyConfig
    from event_impact.cli.main import split_assignments
    from event_impact.events.articles import load_story

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

    from event_impact.base.root import find_root
    from event_impact.registry.alignments import describe_alignment
    from event_impact.registry.plans import build_plan, freeze_plan, hash_plan, load_plans, plan_status
    from event_impact.registry.registration import align_recorded, check_readiness

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


DEFAULT_DRAWS = 4000


@click.command()
@click.option("--ticker", default="F", show_default=True, help="The firm whose sessions are used.")
@click.option("--draws", type=click.IntRange(200, 200_000), default=DEFAULT_DRAWS, show_default=True,
              help="Simulated histories of each process.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=20260202, show_default=True, help="Of the simulations.")
@click.option(
    "--source", default="snapshot", show_default=True, help="snapshot, auto, or a CSV/Parquet file or folder."
)
@click.option("--reports", metavar="DIR", help=REPORTS_HELP)
@click.pass_context
def calibrate(ctx: click.Context, ticker: str, draws: int, seed: int, source: str, reports: str | None) -> None:
    """Measure size and power of every single-firm test; prints the path of a page of its own."""
    from event_impact.base.config import parse_benchmark, parse_source
    from event_impact.base.disk import make_folder, replace_files
    from event_impact.base.errors import ConfigError
    from event_impact.page.calibration_page import list_exhibits, render_calibration
    from event_impact.page.exhibits import write_csv
    from event_impact.study.calibrate import calibrate_firm

    name = parse_benchmark("ticker", ticker)
    if not name:
        raise ConfigError("--ticker: expected a ticker such as F, found nothing.", "Name one.")
    root = open_root(ctx)
    found = calibrate_firm(
        root, name, source=parse_source("source", source), n_draws=draws, seed=seed, progress=make_progress(ctx)
    )
    page = render_calibration(found)
    folder = find_reports(root, reports)
    target, results = folder / f"calibration_{name}.html", make_folder(folder / f"calibration_{name}")
    tables = {results / f"{exhibit.name}.csv": write_csv(exhibit.numbers) for exhibit in list_exhibits(found)}
    replace_files({**tables, target: page})
    say(ctx, str(target), {"page": str(target), "ticker": name, "sessions": found.n_sessions, "draws": draws})


@click.command()
@click.argument("folder", metavar="DIR")
@click.pass_context
def init(ctx: click.Context, folder: str) -> None:
    """Copy notebooks and data into DIR, a new or empty folder; prints its path."""
    from pathlib import Path

    from event_impact.base.root import find_root
    from event_impact.registry.new_study import lay_out_study

    made = lay_out_study(find_root(ctx.obj["root"]), Path(folder))
    tell(ctx, "A study: notebooks/, data/, reports/. Next: impact story new, or impact run 02_event_study")
    say(ctx, str(made), {"root": str(made)})
