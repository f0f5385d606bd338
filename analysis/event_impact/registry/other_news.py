"""Other news of a story's listing that recordings know of: ex-dividend days and earnings announcements.

They are proposed, with the sessions that they can have reached, and enter ``confounders.csv`` only when asked.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from event_impact.base.clock import format_instant
from event_impact.base.config import StudyConfig
from event_impact.base.csv_tables import append_rows, locked, read_table, replace_tables
from event_impact.base.errors import DataError
from event_impact.events.articles import parse_instant
from event_impact.events.calendars import SessionHours
from event_impact.events.confounders import CONFOUNDER_COLUMNS, load_confounders
from event_impact.events.sessions import Alignment
from event_impact.market.answers import EARNINGS, EARNINGS_HOUR
from event_impact.market.fetch_plan import span_needed
from event_impact.market.snapshot import PriceHistory, open_source
from event_impact.market.vintages import Vintage, find_file
from event_impact.reading.filings import EARNINGS_ITEM, Filing
from event_impact.reading.stamps import load_zone, start_of_day


@dataclass(frozen=True)
class OtherNews:
    """What was found beside the story, in the span from the first estimation session to the last window.

    Attributes
    ----------
    recorded : pandas.DataFrame
        Rows of ``confounders.csv`` in the span, index session.
    proposed : tuple of dict
        Rows that ``confounders.csv`` lacks, in its columns, by session.
    expected : tuple of str
        Announcements that are only expected, in words: nothing to enter yet.
    sentences : tuple of str
        What was looked at, and what could not be.
    """

    recorded: pd.DataFrame
    proposed: tuple[dict[str, str], ...]
    expected: tuple[str, ...]
    sentences: tuple[str, ...]

    def describe(self, first: pd.Timestamp, last: pd.Timestamp) -> list[str]:
        """Sentences for a terminal; what falls from ``first`` to ``last`` is listed one by one."""
        inside = self.recorded[(self.recorded.index >= first) & (self.recorded.index <= last)]
        lines = [f"{s.date()}: {label} (recorded)" for s, label in zip(inside.index, inside["label"], strict=True)]
        near = [r for r in self.proposed if first <= pd.Timestamp(r["session"]) <= last]
        lines += [f"{r['session']}: {r['label']} (not recorded)" for r in near]
        lines = lines or [f"no other news is known from {first.date()} to {last.date()}, the windows of the plan"]
        rest = len(self.proposed) - len(near)
        more = [f"{rest} more of the estimation window are not recorded"] if rest else []
        return [*lines, *more, *self.expected, *self.sentences]


def span_of_windows(alignment: Alignment, config: StudyConfig) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last session of all windows of a plan and of every candidate session."""
    origin = alignment.event_session
    first = alignment.hours.offset(origin, min(f for f, _ in (*config.windows, *config.runup)))
    return first, alignment.hours.offset(origin, max(e for _, e in (*config.windows, alignment.hull)))


def find_other_news(
    alignment: Alignment, config: StudyConfig, data: Path, filings: tuple[Filing, ...] = ()
) -> OtherNews:
    """Look for ex-dividend days in the recorded prices and for earnings in the downloads and in filings at hand.

    Parameters
    ----------
    alignment : Alignment
        Of the story.
    config : StudyConfig
        Its source and windows.
    data : pathlib.Path
        Folder of the tables.
    filings : tuple of Filing
        Of the firm; those with results of operations (Form 8-K, item 2.02) are announcements of earnings.

    Returns
    -------
    OtherNews
        What is recorded, what could be, and what could not be looked for.

    Raises
    ------
    DataError
        If the recorded earnings dates or the tables are unsound; prices that cannot be read are a sentence.
    """
    story, hours = alignment.story, alignment.hours
    first, last = span_needed(alignment, config)
    recorded = load_confounders(story.ticker, data, story=story.story).between(first, last)
    rows, sentences, expected = list[dict[str, str]](), list[str](), list[str]()
    store = open_source(config.source, data, (story.ticker, config.benchmark or story.benchmark))
    try:
        history = store.load(story.ticker, story.exchange)
    except DataError as error:
        sentences.append(f"ex-dividend days of {story.ticker} could not be read: {error.message}")
    else:
        rows += _from_dividends(history, alignment)
    vintage = find_file(data / "vintages", story.ticker, f"earnings/{story.ticker}.csv")
    if vintage is None:
        told = f"none downloaded; impact fetch {story.story} asks for them, or enter them in data/confounders.csv"
        sentences.append(f"earnings dates of {story.ticker}: {told}")
    else:
        until = hours.offset(alignment.event_session, max(config.path[1], alignment.hull[1]))
        found, expected = _from_earnings(story.ticker, vintage, alignment, until=until)
        rows += found
    rows += _from_filings(story.ticker, filings, alignment)
    if amended := sum(f.is_amended and EARNINGS_ITEM in f.items for f in filings):
        sentences.append(f"{amended} amended filing(s) with results are left out: what they amend was public earlier")
    missing = set(hours.between(first, last).difference(pd.DatetimeIndex(recorded.index)).strftime("%Y-%m-%d"))
    kept = [row for row in rows if row["session"] in missing]
    return OtherNews(recorded, tuple(_merge_sessions(kept)), tuple(expected), tuple(sentences))


def add_confounders(data: Path, rows: tuple[dict[str, str], ...]) -> int:
    """Append proposed rows to ``confounders.csv``, all or none; returns how many were new.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the tables.
    rows : tuple of dict
        Text by column of ``confounders.csv``.

    Returns
    -------
    int

    Raises
    ------
    DataError
        If the table is damaged or cannot be written.
    """
    path = data / "confounders.csv"
    with locked(data):
        table = read_table(path, CONFOUNDER_COLUMNS)
        held = set(zip(table["ticker"], table["session"], strict=True))
        if new := [row for row in rows if (row["ticker"], row["session"]) not in held]:
            replace_tables({path: append_rows(path.read_bytes(), new, name=path.name)})
    return len(new)


def _from_dividends(history: PriceHistory, alignment: Alignment) -> Iterator[dict[str, str]]:
    zone, source = load_zone(alignment.hours.timezone), f"dividend column of {history.vintage}"
    paid = history.frame["dividend"][history.frame["dividend"] > 0]
    notes = "Total returns add it back. Declared earlier; the day itself stands"
    for session, amount in zip(paid.index, paid, strict=True):
        begins, label = pd.Timestamp(start_of_day(session.date(), zone)), f"Ex-dividend day ({amount:g} a share)"
        yield _row(history.ticker, session, begins, source, is_masked=False, label=label, notes=notes)


def _from_earnings(
    ticker: str, vintage: Vintage, alignment: Alignment, *, until: pd.Timestamp
) -> tuple[list[dict[str, str]], list[str]]:
    """Rows of past announcements, one for every session that each can have reached; expected ones in words."""
    where = f"{vintage.name}, earnings/{ticker}.csv"
    table = pd.read_csv(io.BytesIO(vintage.read(f"earnings/{ticker}.csv")), dtype=str)
    if list(table.columns) != list(EARNINGS):
        raise DataError(f"{where}: the columns are not {', '.join(EARNINGS)}.", "Fetch again.")
    rows, expected = [], []
    for record in table.to_dict("records"):
        earliest, latest = (parse_instant(record[name], where) for name in EARNINGS[:2])
        sessions = _find_sessions(alignment.hours, earliest, latest)
        if record["is_reported"] != "yes":
            if len(sessions) and sessions[-1] >= alignment.event_session and sessions[0] <= until:
                expected.append(f"{sessions[0].date()}: earnings of {ticker} are expected")
            continue
        is_exact = latest - earliest <= EARNINGS_HOUR
        clock = "the hour as the provider has it" if is_exact else "only the day is known, so each session it can move"
        notes = f"Announced from {format_instant(earliest)}: {clock}. Check it against the firm's release"
        source = f"earnings dates of {vintage.name}"
        rows += [_row(ticker, s, earliest, source, label="Earnings announcement", notes=notes) for s in sessions]
    return rows, expected


def _from_filings(ticker: str, filings: tuple[Filing, ...], alignment: Alignment) -> Iterator[dict[str, str]]:
    """Rows of results that a firm filed, first filings only, by their time of acceptance."""
    label = f"Earnings announcement (Form 8-K, item {EARNINGS_ITEM})"
    for filing in (filing for filing in filings if filing.form == "8-K" and EARNINGS_ITEM in filing.items):
        first, last = (pd.Timestamp(bound) for bound in (filing.bounds.earliest, filing.bounds.latest))
        notes = f"Accepted {filing.accepted.text}: {filing.describe()}. The release may have come before"
        for session in _find_sessions(alignment.hours, first, last):
            yield _row(ticker, session, first, "EDGAR", label=label, notes=notes, url=filing.address)


def _find_sessions(hours: SessionHours, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """Sessions that news of ``[first, last)`` can move; none outside the known calendar."""
    closes = hours.schedule["close"]
    if not closes.iloc[0] < first < closes.iloc[-2]:
        return pd.DatetimeIndex([])
    return hours.between(hours.close_session(first), hours.close_session(last - pd.Timedelta(seconds=1)))


def _row(
    ticker: str, session: pd.Timestamp, known_from: pd.Timestamp, source: str, *, is_masked: bool = True, **cells: str
) -> dict[str, str]:
    dates = {"session": f"{session:%Y-%m-%d}", "known_from": format_instant(known_from)}
    row = {"ticker": ticker, "source": source, "is_masked": "yes" if is_masked else "no"}
    return dict.fromkeys(CONFOUNDER_COLUMNS, "") | dates | row | cells


def _merge_sessions(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """One row a session, in order: what falls together is named together, masked if any part is."""
    merged: dict[str, dict[str, str]] = {}
    for row in sorted(rows, key=lambda r: (r["session"], r["label"])):
        if first := merged.get(row["session"]):
            joined = {key: f"{first[key]}; {row[key]}" for key in ("label", "source", "notes")}
            latest = {key: max(first[key], row[key]) for key in ("known_from", "is_masked")}  # yes before no
            row = first | joined | latest
        merged[row["session"]] = row
    return list(merged.values())
