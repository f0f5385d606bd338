"""The verb for one question: a ticker and an instant, answered in the terminal."""

import webbrowser
from pathlib import Path

import click
import numpy as np
import pandas as pd

from event_impact.base.clock import read_system_clock
from event_impact.base.csv_tables import Tables
from event_impact.base.errors import ConfigError, DataError
from event_impact.cli import context, scheduler
from event_impact.inference.deciding_rule import chance_to_find
from event_impact.inference.windows import COMPANION_KIND, HEADLINE_KIND
from event_impact.market.download import fetch_passing
from event_impact.page.daily_screen import COLUMNS, list_rows
from event_impact.page.finding import compose_heading, compose_sentences, find_primary, name_exchange
from event_impact.page.first_screen import print_rows
from event_impact.reading.feeds import web_address
from event_impact.registry.alignments import align, describe_instants
from event_impact.study import ask as question
from event_impact.study.study import Study

NOTEBOOK = "02_event_study"
#: True effects whose chance to be seen is told beforehand: round, and chosen before any share was.
EFFECTS = (0.01, 0.02, 0.03, 0.05, 0.10)
#: How often a provider that does not answer is asked: somebody waits.
ATTEMPTS = 2
WIDTH = 61
BLOCKS = " ▁▂▃▄▅▆▇█"
LAYERS = 3


@click.command()
@click.argument("ticker")
@click.argument("instant", required=False)
@click.option("--between", nargs=2, metavar="A B", help="Published not before A and before B, in the place of INSTANT.")
@click.option("--page", metavar="URL_OR_FILE", help="The page whose time is asked about, in the place of INSTANT.")
@click.option("--before", is_flag=True, help="No news yet: what the share could show on its next session.")
@click.option("--prices", metavar="FILE", help="Your own prices (default: recorded ones, else the provider's).")
@click.option("--exchange", default="", metavar="MIC", help="Calendar (default: by the ticker).")
@click.option("--benchmark", default="", help="Ticker of the market return (default: the usual one of the exchange).")
@context.assignments_option
@click.option("--offline", is_flag=True, help="Never ask a provider, nor fetch a page.")
@click.option("--open", "has_page", is_flag=True, help="Publish the whole page and open it.")
@context.reports_option
def ask(
    ticker: str, instant: str | None, between: tuple[str, str] | None, page: str | None,
    before: bool, prices: str | None, exchange: str, benchmark: str, assignments: tuple[str, ...], offline: bool,
    has_page: bool, reports: Path,
) -> None:  # fmt: skip
    """Say what TICKER did at news of INSTANT (with its zone), how sure that is and what would have been seen.

    Nothing is registered and nothing written, unless --open asks for the page.
    """
    if sum(map(bool, (instant, between, page, before))) != 1:
        raise ConfigError("when is not said once.", "Give one of INSTANT, --between A B, --page, or --before.")
    root, now = context.open_root(), read_system_clock()
    tables, ticker = Tables(root.data), ticker.upper()
    parameters = context.gather_parameters(assignments)
    listing = question.find_listing(ticker, tables, exchange=exchange, benchmark=benchmark)
    when = between or (instant or now,)
    bounds, known = _read_page(page, offline=offline) if page else (question.read_bounds(*when), {})
    story = question.make_story(listing, bounds, tables, **known)
    store = question.open_prices(question.read_prices(Path(prices)) if prices else ticker, listing, tables)
    pair, since = (ticker, listing.benchmark), bounds[0].date()
    if lack := question.tell_lack(store, story, needs_event=not before):
        if prices or offline:
            raise DataError(lack, question.LACK_HINT)
        provider, progress = scheduler.choose_provider(attempts=ATTEMPTS), context.make_progress()
        store = fetch_passing(pair, listing.exchange, since, tables, provider, at=now, progress=progress)
    if before:
        _say_beforehand(question.imagine_next_session(listing, store, tables, root, parameters))
        return
    if not has_page:  # only the page shows a run-up
        parameters = {"runup": "0:0"} | parameters
    study = question.pose(story, store, root, parameters)
    published = str(_publish(study, reports)) if has_page else None
    row, companion = (find_primary(study.estimates, kind) for kind in (HEADLINE_KIND, COMPANION_KIND))
    finding = compose_heading(row, study.sequence, story, study.config)
    sentences = compose_sentences(row, companion, study.alignment)
    rows = list_rows(study.estimates, study.sequence, study.alignment)
    table = {"heads": [list(COLUMNS)], "rows": [[listed.label, *listed.cells] for listed in rows]}
    located = align(listing.exchange, [bounds[0], bounds[1] - pd.Timedelta(seconds=1)])
    lines = [
        f"{story.title}: {ticker} on {name_exchange(study.alignment)} against {study.opened.benchmark}, prices to {study.as_of}",
        describe_instants(listing.exchange, located.drop_duplicates("close_session")),
        "", click.style(finding, bold=True), *sentences, "",
        *print_rows(table), "", *_draw(study), *filter(None, ["", published] if published else []),
    ]  # fmt: skip
    record = {
        "story": study.name, "ticker": ticker, "exchange": listing.exchange, "benchmark": study.opened.benchmark,
        "published_earliest": bounds[0], "published_latest": bounds[1], "as_of": study.as_of,
        "sessions": [str(s.date()) for s in study.alignment.reachable], "outcome": row.outcome or None,
        "finding": finding, "sentences": sentences, "headline": row.as_record(),
        "companion": companion.as_record(), "page": published,
    }  # fmt: skip
    context.say("\n".join(lines), record)


def _read_page(page: str, *, offline: bool) -> tuple[tuple[pd.Timestamp, pd.Timestamp], dict[str, str]]:
    """Bounds of a page's time, and the fields of an article that it proves."""
    if offline and web_address(page):
        raise ConfigError(f"{page} is an address, and --offline asks no server.", "Save the page and name its file.")
    from event_impact.cli import article_pages

    examined = article_pages.examine(page)
    proposal = examined.proposal
    if proposal.interval is None or proposal.chosen is None:
        raise DataError(f"{examined.page.name}: {proposal.reason}", "Ask by an instant, or by --between A B.")
    interval, stamp = proposal.interval, proposal.stamp
    known = {
        "earliest_basis": interval.earliest_basis, "latest_basis": interval.latest_basis, "outlet": examined.outlet,
        "url": examined.address, "time_as_printed": proposal.printed, "zone": proposal.zone,
        "zone_basis": stamp.zone_basis if stamp else "unstated", "precision": stamp.precision if stamp else "day",
    }  # fmt: skip
    return question.read_bounds(interval.earliest, interval.latest), known


def _publish(study: Study, reports: Path) -> Path:
    """The page of the asked story, made by its notebook, and opened."""
    from event_impact.runs.requests import RunRequest, read_parameters
    from event_impact.runs.run import run_notebook

    with question.lend_study(study) as (root, config):
        declared = read_parameters(root, NOTEBOOK)
        parameters = {name: value for name, value in config.as_parameters().items() if name in declared}
        done = run_notebook(RunRequest(NOTEBOOK, parameters, root, reports), progress=context.make_progress())
    webbrowser.open(done.page.as_uri())
    return done.page


def _draw(study: Study) -> list[str]:
    """Ordinary days as columns, the estimate with its interval below, and from where a move would have been seen."""
    row, ordinary = find_primary(study.estimates, HEADLINE_KIND), study.headline.fit.residuals
    if row.estimate is None:
        return []
    ends, seen = row.ci95 or (row.estimate, row.estimate), row.mde80_rule or 0.0
    reach = [*ordinary, row.estimate, seen, *(end for end in ends if np.isfinite(end))]
    limit = float(np.abs(reach).max())

    def place(value: float) -> int:
        return round((min(max(value / limit, -1.0), 1.0) + 1) / 2 * (WIDTH - 1))

    counts = np.bincount([place(value) for value in ordinary], minlength=WIDTH)
    heights = np.ceil(8 * LAYERS * counts / counts.max()).astype(int)
    layers = ["".join(BLOCKS[min(max(h - 8 * k, 0), 8)] for h in heights) for k in reversed(range(LAYERS))]
    low, high, at = place(ends[0]), place(ends[1]), place(row.estimate)
    bar = [" "] * low + ["─"] * (high - low + 1) + [" "] * (WIDTH - high - 1)
    bar[at] = "◆"
    edges = [" "] * WIDTH
    for value, sign in ((-seen, "◄"), (seen, "►")):
        edges[place(value)] = sign if seen else " "
    scale = f"\u2212{100 * limit:.1f} %".ljust(WIDTH // 2) + "0" + f"{100 * limit:+.1f} %".rjust(WIDTH // 2)
    lines = [
        f"{layers[0]}  {len(ordinary)} ordinary days", *layers[1:],
        f"{''.join(bar)}  ◆ the day, with its 95 % interval",
        f"{''.join(edges)}  ◄ ► seen four times in five from here on", scale,
    ]  # fmt: skip
    return [line.rstrip() for line in lines]


def _say_beforehand(study: Study) -> None:
    """From which size a move of the next session would be seen, and how often smaller ones are."""
    kinds = {HEADLINE_KIND: "at the close", COMPANION_KIND: "at the open"}
    rows = [row for kind in kinds if (row := find_primary(study.estimates, kind)).candidates is not None]
    told = [
        f"  {kinds[row.return_kind]}: a move of {100 * most:.2g} % would be seen four times in five "
        f"({100 * half:.2g} % every second time, {100 * nearly:.2g} % nine times in ten)"
        for row in rows
        for half, most, nearly in [row.mde_rule]
    ]
    rule, story, session = rows[0].candidates, study.story, study.alignment.event_session
    assert rule is not None
    found = chance_to_find(rule.needed_effects(study.config.significance), EFFECTS)
    chances = dict(zip(EFFECTS, map(float, found), strict=True))
    seen = " · ".join(f"{100 * effect:.0f} %: {100 * chance:.0f}" for effect, chance in chances.items())
    head = f"{story.ticker} against {study.opened.benchmark}, {session:%A} {session.date()} ({story.exchange})"
    lines = [f"{head}, by its own history:", *told, f"  of 100 moves at the close, seen of the size {seen}"]
    record = {
        "ticker": story.ticker, "exchange": story.exchange, "benchmark": study.opened.benchmark, "session": session.date(),
        "sizes": {row.return_kind: row.mde_rule for row in rows}, "chances": chances,
    }  # fmt: skip
    context.say("\n".join(lines), record)
