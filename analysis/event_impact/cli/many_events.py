"""The verb for many events over many tickers."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from event_impact.base.errors import ConfigError, DataError
from event_impact.cli import context

if TYPE_CHECKING:
    from event_impact.many.files import BatchRequest


FILE, RULES = click.Path(path_type=Path), click.Choice(["reject", "first", "last"])
INSTANTS = "published_earliest,published_latest,exchange"


@click.command("batch")
@click.option("--returns", required=True, type=FILE, help="Long or wide returns.")
@click.option("--events", required=True, type=FILE, help=f"event_id,ticker,session (or {INSTANTS}).")
@click.option("--benchmark", required=True, help="Ticker of the benchmark in the returns.")
@click.option("--out", default=None, type=FILE, help="Folder for the results.")
@click.option("--page", is_flag=True, help="Publish a page of the sample (notebook 07) under reports/.")
@click.option("--name", default="sample", show_default=True, help="Of the sample, for its page.")
@click.option("--path", default="-5:5", show_default=True, help="Window of the average path on the page.")
@click.option("--model", default="market", show_default=True, help="Model of normal returns.")
@click.option("--windows", default="-1:1", show_default=True, help="Event windows first:last,..., the first declared.")
@click.option("--estimation-sessions", default=250, show_default=True, type=click.IntRange(5))
@click.option("--gap-sessions", default=10, show_default=True, type=click.IntRange(0), help="Between it and session 0.")
@click.option("--estimation", default=None, hidden=True, help="The estimation window as first:last.")
@click.option("--event", default=None, hidden=True, help="One event window, first:last.")
@click.option("--usable-share", default=0.9, show_default=True, help="Of the estimation sessions, that an event needs.")
@click.option("--calendar", default=None, metavar="MIC", help="Exchange whose sessions are counted.")
@click.option("--format", "table_format", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option("--factors", default=None, type=FILE, help="Daily factors: date,rf,mkt_rf,...")
@click.option("--controls", default="", metavar="T1,T2", help="Tickers that explain the shares, for models with peers.")
@click.option("--group", default=None, help="Column of the events that splits the sample.")
@click.option("--trait", "traits", multiple=True, help="Column to regress the CARs on, numbers or words; repeatable.")
@click.option("--measure", type=click.Choice(["returns", "volume", "volatility"]), default="returns", show_default=True)
@click.option("--bhar", default="model", show_default=True, help="model, benchmark, or a column of matched tickers.")
@click.option("--draws", default=1_999, show_default=True, type=click.IntRange(0, 1_000_000))
@click.option("--seed", default=20260202, show_default=True, type=click.IntRange(0))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Threads.")
@click.option("--allow-large", is_flag=True, help="Accept returns of a median size above 0.2.")
@click.option("--ambiguous", type=RULES, default="reject", show_default=True, help="Times that allow several sessions.")
@click.option("--scheduler", default=None, metavar="ADDRESS", help="Dask scheduler tcp://HOST:PORT, or local.")
def batch_command(**options: Any) -> None:
    """Estimate and test many events over many tickers.

    Writes events.csv, aar.csv and sample.json into the folder and prints its path; with --page it publishes a run.
    """
    name, path, has_page = (options.pop(option) for option in ("name", "path", "page"))
    if options["out"] is None and not has_page:
        raise ConfigError("Neither --out nor --page is given.", "Name a folder for the files, or ask for the page.")
    request = _request_batch(**{**options, "out": options["out"] or Path()})
    if options["out"] is not None:
        sample = _write_tables(request)
    if has_page:
        _publish_page(request, name=name, path=path)
    else:
        context.say(str(request.out), sample)


def _write_tables(request: "BatchRequest") -> dict[str, Any]:
    """Estimate the events and write their tables; what is said of the sample."""
    from event_impact.base.disk import check_folder
    from event_impact.many.files import run_batch, write_batch

    if request.out.is_file():
        raise ConfigError(f"{request.out} is a file.", "Name a folder for --out.")
    check_folder(request.out)

    def watch(label: str, total: int) -> Any:
        return click.progressbar(length=max(total, 1), label=label, file=sys.stderr)

    is_watched = sys.stderr.isatty() and not click.get_current_context().obj["quiet"]
    outcome = run_batch(request, watch=watch if is_watched else None)
    write_batch(outcome, request.out, table_format=request.table_format)
    rejected = outcome.sample["n_rejected"]
    if outcome.sample["n"] == 0:
        first = f"All {rejected} events were rejected; of the first: {outcome.events['reason'].iloc[0]}."
        raise DataError(first, f"See {request.out / 'events.csv'}.")
    if rejected:
        context.tell(f"{rejected} events rejected; reasons in {request.out / 'events.csv'}")
    return outcome.sample


def _publish_page(request: "BatchRequest", *, name: str, path: str) -> None:
    """Run notebook 07 on the same files and print where its page lies."""
    from event_impact.many.files import check_request
    from event_impact.runs.requests import RunRequest
    from event_impact.runs.run import run_notebook
    from event_impact.study.sample_study import PASSED_ON

    if request.scheduler:
        raise ConfigError("A page is made in one process.", "Leave --scheduler out.")
    check_request(request)
    parameters = {option: getattr(request, option) for option in PASSED_ON} | {"name": name, "path": path}
    files = ("returns", "events", "calendar", "factors", "group")
    parameters |= {option: str(getattr(request, option) or "") for option in files}
    parameters |= {name: ",".join(getattr(request, name)) for name in ("windows", "traits", "controls")}
    asked = RunRequest("07_sample", parameters, context.open_root(), context.find_reports())
    context.say_run(run_notebook(asked, progress=context.make_progress()))


def _request_batch(*, event: str | None, estimation: str | None, **options: Any) -> "BatchRequest":
    """The request; windows spelled ``--estimation A:B --event A:B`` are understood, and said in today's words."""
    from event_impact.many.files import BatchRequest, parse_window

    options["windows"] = tuple((event or options["windows"]).split(","))
    options["controls"] = tuple(filter(None, options["controls"].split(",")))
    if estimation:
        first, last = parse_window(estimation)
        options |= {"estimation_sessions": last - first + 1, "gap_sessions": -last - 1}
    request = BatchRequest(**options)
    if event or estimation:
        said = f"--estimation-sessions {request.estimation_sessions} --gap-sessions {request.gap_sessions}"
        click.echo(f"Windows read as {said} --windows={','.join(request.windows)}", err=True)
    return request
