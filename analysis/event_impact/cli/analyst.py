"""Verbs of analysts: stories, their plans and other news, calibration, a study of one's own."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from event_impact.base.clock import read_system_clock
from event_impact.base.config import StudyConfig, parse_choice, parse_source, parse_story
from event_impact.base.disk import make_folder, replace_files
from event_impact.base.errors import ConfigError, DataError, StudyError
from event_impact.base.root import ROOT_VARIABLE, SHIPPED, find_root, holds_study
from event_impact.cli import context, scheduler
from event_impact.cli.article_pages import ask, examine, settle
from event_impact.events.articles import DENIED, ROLES, Story, load_stories, load_story
from event_impact.events.calendars import load_hours
from event_impact.events.sessions import Alignment
from event_impact.reading.filings import Filing, is_submissions, read_submissions
from event_impact.reading.ingest import ArticleRequest, Examined, add_article, read_source
from event_impact.reading.pages import MAX_BYTES, read_page
from event_impact.registry import registration
from event_impact.registry.alignments import describe_alignment
from event_impact.registry.new_study import lay_out_study
from event_impact.registry.other_news import add_confounders, find_other_news, span_of_windows
from event_impact.registry.plans import build_plan, find_slips, freeze_plan, hash_plan, load_plans, plan_status


@click.group()
def story() -> None:
    """Register a story and freeze its plan."""


@story.command()
@click.option("--title", help="Your own title, at most 22 words.")
@click.option("--story", help="Its id: lower-case words joined by hyphens (default: made from the title).")
@click.option("--ticker", help="The one listing used for inference.")
@click.option("--exchange", help="Market identifier of its calendar, such as XNYS (default: by the ticker).")
@click.option("--benchmark", help="Ticker of the market return (default: the usual one of the exchange).")
@click.option("--peers", help="Further listings, separated by commas.")
@click.option("--counterparty", "counterparties", multiple=True, help="Another firm of the matter; may be repeated.")
@click.option("--denied", type=click.Choice(DENIED), help="Whether the report was denied.")
@click.option("--closed", is_flag=True, help="Nightly runs do not serve it.")
@click.option("--notes", default="", help="Judgements worth keeping.")
@click.option("--article", "articles", multiple=True, metavar="ROLE=FILE", help="A saved page, added at once.")
@click.option("--zone", default="", metavar="ZONE", help="IANA zone for stamps of these pages that print none.")
@click.option("--prices", metavar="WHERE", help="fetch: download them now; or the path of your own file or folder.")
@click.option("--yes", is_flag=True, help="Ask nothing; what is missing is refused.")
def new(
    counterparties: tuple[str, ...], closed: bool, notes: str, articles: tuple[str, ...], zone: str,
    prices: str | None, yes: bool, **given: str | None,
) -> None:  # fmt: skip
    """Register a story, with its pages if they are saved; prints its id.

    Then it is aligned, and what will be identified is said before any return is computed.
    """
    data = context.open_root(to_write=True).data
    answers = _ask_story(data, given, yes=yes)
    other = answers.pop("peers").replace(",", " ").replace(";", " ").split()
    if not articles and not yes:
        articles = _ask_pages()
    wanted = registration.NewStory(
        **answers, other_tickers=tuple(other), counterparties=counterparties, state="closed" if closed else "open",
        notes=notes,
    )  # fmt: skip
    registration.check_new_story(data, wanted)
    if prices and not articles:
        raise ConfigError("--prices needs the articles, which say from when.", "Give --article, or fetch later.")
    if pages := [_read_page(item, wanted.story, zone=zone, yes=yes) for item in articles]:
        with registration.rehearsal(data) as copy:
            registration.register_story(copy, wanted)
            for page in pages:
                add_article(copy, *page)
    held = registration.register_story(data, wanted)
    context.tell(f"{held.story} is registered: {held.ticker} on {held.exchange}, against {held.benchmark}.")
    for page in pages:
        added = add_article(data, *page)
        context.tell(f"{added.article_id}: {added.row['role']}", *(f"note: {remark}" for remark in added.remarks))
    held = load_stories(data, with_drafts=True)[held.story]
    if held.is_draft:
        follows = f"impact article add FILE --story {held.story} --role report"
        context.tell(f"It has no report and no denial yet. Next: {follows}")
    else:
        _say_what_follows(data, held, prices, yes=yes)
    context.say(held.story, {"story": held.story, "ticker": held.ticker, "exchange": held.exchange})


def _ask_story(data: Path, given: dict[str, str | None], *, yes: bool) -> dict[str, str]:
    """What a story needs, from the command line, by rule or from the analyst, each answer checked as it comes."""
    answers: dict[str, str] = {}
    questions: tuple[tuple[str, str, Callable[[], str | None], Callable[[str], object]], ...] = (
        ("title", "Title", lambda: None, registration.check_title),
        ("story", "Story id", lambda: registration.suggest_id(data, answers["title"]),
         lambda v: registration.check_new_id(data, v)),
        ("ticker", "Ticker", lambda: None, lambda v: registration.parse_ticker("ticker", v)),
        ("exchange", "Exchange", lambda: registration.find_exchange(data, answers["ticker"]),
         lambda v: load_hours(registration.find_exchange(data, answers["ticker"], v))),
        ("benchmark", "Benchmark", lambda: registration.find_benchmark(data, answers["exchange"]),
         lambda v: registration.parse_ticker("benchmark", v)),
        ("denied", "Denied (yes, no, partial)", lambda: None, lambda v: parse_choice("denied", v, DENIED)),
        ("peers", "Peers, separated by commas (nothing: none)", lambda: "", str),
    )  # fmt: skip
    for option, text, default, check in questions:
        if (value := given[option]) is None:
            value = _answer(text, f"--{option}", default, yes=yes, check=check)
        check(value.strip())
        answers[option] = value.strip()
    return answers


def _answer(
    text: str, option: str, default: Callable[[], str | None], *, yes: bool, check: Callable[[str], object]
) -> str:
    """The default where nothing is to be asked, else the analyst's answer, asked for until it can be used."""
    if yes:
        if (offered := default()) is None:
            raise ConfigError(f"{option} is missing.", "Give it, or leave out --yes to be asked.")
        return offered
    try:
        offered = default()
    except ConfigError:
        offered = None

    def convert(answer: str) -> str:
        try:
            check(answer.strip())
        except StudyError as error:
            raise click.UsageError(str(error)) from error  # the prompt says it and asks again
        return answer.strip()

    hint = f"Give {option}, and --yes to leave out what has a default."
    return str(ask(click.prompt, text, hint, default=offered, show_default=bool(offered), value_proc=convert))


def _ask_pages() -> tuple[str, ...]:
    """Saved pages of report and denial as ROLE=FILE, those that the analyst has."""

    def check(path: str) -> None:
        if path and not Path(path).expanduser().is_file():
            raise ConfigError(f"there is no file {path}.", "Name a saved page, or nothing.")

    questions = {role: f"Saved page of the {role} (nothing: later)" for role in ("report", "denial")}
    given = {role: _answer(text, "--article", str, yes=False, check=check) for role, text in questions.items()}
    return tuple(f"{role}={file}" for role, file in given.items() if file)


def _read_page(item: str, story_id: str, *, zone: str, yes: bool) -> tuple[Examined, ArticleRequest]:
    """A page given as ROLE=FILE, examined and settled before anything is written."""
    role, equals, file = item.partition("=")
    if not equals or role not in ROLES:
        raise ConfigError(f"--article {item!r} names no role and file.", "For example: --article report=page.html")
    examined = examine(file, zone=zone)
    proposal, interval = settle(examined, yes=yes)
    if not examined.outlet and yes:
        hint = "Leave the page out, and add it afterwards with: impact article add --outlet NAME"
        raise DataError(f"{examined.page.name} does not name its outlet, and nothing was registered.", hint)
    outlet = examined.outlet or ask(
        click.prompt, f"Outlet of {examined.page.name}", "Leave the page out, and add it afterwards with --outlet."
    )
    return replace(examined, proposal=proposal), ArticleRequest(story_id, role, interval, outlet)


def _say_what_follows(data: Path, held: Story, prices: str | None, *, yes: bool) -> None:
    """What will be identified, said before any return is computed; then whether prices can serve it."""
    alignment = registration.align_recorded(held, data)
    context.tell(describe_alignment(alignment))
    lack = registration.tell_recorded(data, held.ticker, held.benchmark) == registration.TO_FETCH
    if prices is None and lack and not yes:
        question = f"Prices of {held.ticker} and {held.benchmark} (fetch, the path of your own, or nothing for later)"
        prices = ask(click.prompt, question, "Give --prices.", default="", show_default=False).strip()
    if prices == "fetch":
        _fetch_prices(held)
    usual = registration.default_source(held)
    source = usual if prices in (None, "", "fetch") else prices
    config = StudyConfig.from_parameters(story=held.story, source=source)
    try:
        sentences = foresee(alignment, config, data)
    except DataError as error:
        if prices:
            raise DataError(f"{held.story} is registered, but: {error.message}", error.hint) from error
        sentences = [str(error)]
    option = "" if source == usual else f" --source {source}"
    context.tell(*sentences, f"Next: impact story plan {held.story}{option} --freeze")


def _fetch_prices(held: Story) -> None:
    try:
        outcome = scheduler.fetch_story(context.open_root(), held.story, read_system_clock(), context.make_progress())
    except StudyError as error:
        said = f"{held.story} is registered, but its prices were not: {error.message}"
        raise type(error)(said, error.hint) from error
    context.tell(*outcome.notes)


def foresee(alignment: Alignment, config: StudyConfig, data: Path) -> list[str]:
    """Whether prices can serve, what else is known within the windows, and how to enter what is not recorded."""
    ready = registration.check_readiness(alignment.story, alignment, config, data)
    found = find_other_news(alignment, config, data)
    lines = [*ready, *found.describe(*span_of_windows(alignment, config))]
    if found.proposed:
        usual = registration.default_source(alignment.story)
        source = "" if config.source == usual else f" --source {config.source}"
        lines.append(f"To enter what is not recorded: impact story confounders {config.story}{source} --add")
    return lines


plan_options = context.join_options(context.story_argument, context.source_option, context.assignments_option)


def open_plan(
    story: str, source: str | None, assignments: tuple[str, ...], *, to_write: bool
) -> tuple[Path, StudyConfig, Alignment]:
    """The tables, the parameters that the command line gives, and the story aligned."""
    data = context.open_root(to_write=to_write).data
    held = load_story(parse_story("story", story), data)
    given = context.gather_parameters(assignments, story=story, source=source)
    config = StudyConfig.from_parameters(**{"source": registration.default_source(held), **given})
    return data, config, registration.align_recorded(held, data, config.source)


def load_filings(where: str) -> tuple[Filing, ...]:
    """The filings of a file or address of EDGAR: one, or a list of submissions."""
    content = read_source(where, MAX_BYTES)
    if is_submissions(content):
        return tuple(read_submissions(content, name=where))
    if (filing := read_page(content, name=where).filing) is None:
        raise DataError(f"{where} is no filing of EDGAR.", "Name its index page, its header, or the submissions JSON.")
    return (filing,)


@story.command()
@plan_options
@click.option("--add", is_flag=True, help="Append them to data/confounders.csv.")
@click.option("--filings", metavar="FILE", help="A filing of the firm, or its list of submissions, from EDGAR.")
def confounders(add: bool, filings: str | None, **asked: Any) -> None:
    """List ex-dividend days and earnings of STORY's listing that are not recorded; prints how many.

    Earnings are entered as masked, so that mask=listed leaves them out of the estimation window.
    """
    data, config, alignment = open_plan(**asked, to_write=add)
    found = find_other_news(alignment, config, data, load_filings(filings) if filings else ())
    rows = [
        f"{row['session']}  {row['label']:40} {'' if row['is_masked'] == 'yes' else 'not '}masked, known from {row['known_from']}"
        for row in found.proposed
    ]
    context.tell(*rows, *found.expected, *found.sentences)
    entered = add_confounders(data, found.proposed) if add else 0
    if found.proposed and not add:
        context.tell("Nothing was written; --add enters them.")
    context.say(str(entered if add else len(found.proposed)), {"proposed": found.proposed, "entered": entered})


@story.command()
@plan_options
@click.option("--freeze", is_flag=True, help="Append the plan to data/plans.csv.")
@click.option("--yes", is_flag=True, help="Freeze it also where it looks like a slip.")
def plan(freeze: bool, yes: bool, **asked: Any) -> None:
    """Show what will be done to STORY, before any return is computed; freeze it with a hash and the time."""
    data, config, alignment = open_plan(**asked, to_write=freeze)
    held = alignment.story
    planned = build_plan(held, config)
    context.tell(
        describe_alignment(alignment),
        *(f"  {name:20} {value}" for name, value in planned.items()),
        *foresee(alignment, config, data),
    )
    if freeze:
        for slip in find_slips(held, config, load_plans(data, held.story)):
            context.tell(f"note: {slip}")
            if sys.stdin.isatty() and not yes and not ask(click.confirm, "Freeze it all the same?", "Give --yes."):
                raise ConfigError("not confirmed; nothing was frozen.", "Run it again as you mean it.")
        frozen, is_new = freeze_plan(data, alignment, config, now=read_system_clock())
        context.tell(f"{'frozen' if is_new else 'frozen already'} at {frozen.frozen_at}; prices: {config.source}")
    status = plan_status(held, config, alignment=alignment, plans=load_plans(data, held.story))
    context.tell(status.sentence)
    record = {"plan_sha256": hash_plan(planned), "status": status.kind, "sentence": status.sentence, "plan": planned}
    context.say(hash_plan(planned), record)


@click.command()
@click.option("--ticker", default="F", show_default=True, help="The firm whose sessions are used.")
@click.option("--draws", type=click.IntRange(200, 200_000), default=4000, show_default=True,
              help="Simulated histories of each process.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=20260202, show_default=True, help="Of the simulations.")
@click.option(
    "--source", default="snapshot", show_default=True, help="snapshot, auto, or a CSV/Parquet file or folder."
)
@context.reports_option
def calibrate(ticker: str, draws: int, seed: int, source: str, reports: Path) -> None:
    """Measure size and power of every single-firm test; prints the path of a page of its own."""
    from event_impact.page.calibration_page import list_exhibits, render_calibration
    from event_impact.page.exhibits import write_csv
    from event_impact.study.calibrate import calibrate_firm

    name = registration.parse_ticker("--ticker", ticker)
    found = calibrate_firm(
        context.open_root(), name, source=parse_source("source", source), n_draws=draws, seed=seed,
        progress=context.make_progress(),
    )  # fmt: skip
    page = render_calibration(found)
    target, results = reports / f"calibration_{name}.html", make_folder(reports / f"calibration_{name}")
    tables = {results / f"{exhibit.name}.csv": write_csv(exhibit.numbers) for exhibit in list_exhibits(found)}
    replace_files({**tables, target: page})
    context.say(str(target), {"page": str(target), "ticker": name, "sessions": len(found.sessions), "draws": draws})


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--with-examples", is_flag=True, help="With the stories that come with the package.")
def init(folder: str, with_examples: bool) -> None:
    """Lay out a study without stories in DIR, a new or empty folder; prints its path."""
    named, target = os.environ.get(ROOT_VARIABLE, ""), Path(folder).expanduser().resolve()
    is_named = bool(named) and Path(named).expanduser().resolve() == target  # where there is nothing yet
    origin = find_root(next(filter(holds_study, SHIPPED))) if is_named else context.open_root()
    made = lay_out_study(origin, Path(folder), with_examples=with_examples)
    following = "impact run 02_event_study" if with_examples else "impact story new"
    context.tell(f"A study: notebooks/, data/, reports/. Next, in there: {following}")
    context.say(str(made), {"root": str(made)})
