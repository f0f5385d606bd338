"""What a provider answered, made into the study's own columns; what cannot be right is set aside, never mended."""

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from event_impact.events.calendars import SessionHours
from event_impact.market import checks
from event_impact.market.checks import Doubt, check_table, refuse
from event_impact.market.plausibility import find_doubts
from event_impact.market.protocol import Answer

DAILY = ("date", "ticker", "open", "high", "low", "close", "volume", "dividend", "split")
BARS = ("minute", "ticker", "open", "high", "low", "close", "volume")
EARNINGS = ("announced_earliest", "announced_latest", "ticker", "is_reported")
INSTANT = "%Y-%m-%dT%H:%M:%SZ"
#: The provider prints announcements to the hour.
EARNINGS_HOUR = pd.Timedelta(hours=1)
AGAIN, UNKNOWN = "Fetch again later; nothing was recorded.", "Check the ticker and the dates, or fetch again later."


@dataclass(frozen=True)
class DailyTable:
    """Daily prices in the columns :data:`DAILY`, with what was set aside or is doubted, and what was said."""

    ticker: str
    table: pd.DataFrame
    metadata: dict[str, str]
    doubts: tuple[Doubt, ...]
    notes: tuple[str, ...]
    raw: bytes

    def as_record(self) -> dict[str, Any]:
        """What the manifest says of it."""
        days, doubts = self.table["date"], [asdict(d) for d in self.doubts]
        span = {"first_session": days.iloc[0], "last_session": days.iloc[-1]}
        return {"file": f"{self.ticker}.csv", **span, "listing": self.metadata, "notes": self.notes, "doubts": doubts}

    @property
    def frame(self) -> pd.DataFrame:
        """The figures by session."""
        return self.table.drop(columns=["date", "ticker"]).set_axis(pd.DatetimeIndex(self.table["date"]))


def parse_daily(
    answer: Answer, *, hours: SessionHours | None, expected_last: pd.Timestamp | None, unfinished_after: pd.Timestamp,
    opinion: Answer | None = None, benchmark: pd.Series | None = None,
) -> DailyTable:  # fmt: skip
    """Bring an answer into the study's columns; set aside what cannot be right, doubt what looks wrong.

    Parameters
    ----------
    hours : SessionHours or None
        Calendar of the listing; None where none is known, then sessions cannot be checked and a note says so.
    expected_last : pandas.Timestamp or None
        The last closed session of the request; an answer that ends before it is stale.
    unfinished_after : pandas.Timestamp
        Rows after this label belong to a session that has not closed; they are left out with a note.
    opinion : Answer, optional
        The same days as the provider would correct them.
    benchmark : pandas.Series, optional
        Closes of the benchmark.

    Raises
    ------
    DataError
        For an empty, malformed, zone-shifted or stale answer, or one that belongs to another calendar.
    """
    where = f"the provider's answer for {answer.ticker}"
    frame, doubts, notes = _label_rows(_check_shape(answer.frame, DAILY[2:], where, UNKNOWN), hours, where)
    late = frame.index > unfinished_after
    if late.any():
        notes.append(f"{int(late.sum())} row after {unfinished_after.date()} left out: its session had not closed")
        frame = frame[~late]
    check_table(not frame.empty, where, "there is no row of a closed session", AGAIN)
    figures, aside = checks.keep_figures(checks.parse_prices(frame.reset_index(), where), hours, where)
    if hours is None:
        notes.append("no calendar is known for this listing: missing sessions could not be looked for")
    last = figures.index[-1]
    if expected_last is not None and last < expected_last:
        said = f"it ends with {last.date()}, but {expected_last.date()} has closed"
        raise refuse(where, said, "Fetch again later, or say --end if the listing has ended.")
    bars = figures[[*checks.PRICE_COLUMNS, "volume"]].tail(2)
    is_repeated = len(bars) > 1 and bool((bars.iloc[0] == bars.iloc[1]).all()) and bars["volume"].iloc[1] > 0
    check_table(not is_repeated, where, f"the bar of {last.date()} repeats the one before it in every figure", AGAIN)
    other = None if opinion is None else _label_rows(opinion.frame, hours, where)[0]
    found = find_doubts(figures, currency=answer.metadata.get("currency", ""), benchmark=benchmark, opinion=other)
    table = figures.assign(ticker=answer.ticker, date=pd.DatetimeIndex(figures.index).strftime("%Y-%m-%d"))
    table, remarks = table.reset_index(drop=True)[list(DAILY)], (*notes, *answer.remarks)
    return DailyTable(answer.ticker, table, answer.metadata, (*doubts, *aside, *found), remarks, answer.raw)


def _check_shape(frame: pd.DataFrame, columns: tuple[str, ...], where: str, hint: str = AGAIN) -> pd.DataFrame:
    check_table(isinstance(frame, pd.DataFrame) and not frame.empty, where, "it is empty", hint)
    unsupported = "This version of the provider's package is not supported."
    check_table(frame.columns.nlevels == 1, where, "its columns have two levels", unsupported)
    missing = [name for name in columns if name not in frame.columns]
    check_table(not missing, where, f"the columns {', '.join(missing)} are missing", AGAIN)
    is_zoned = isinstance(frame.index, pd.DatetimeIndex) and frame.index.tz is not None
    check_table(is_zoned, where, "its times carry no time zone", AGAIN)
    return frame


def _label_rows(
    frame: pd.DataFrame, hours: SessionHours | None, where: str
) -> tuple[pd.DataFrame, list[Doubt], list[str]]:
    """Rows by session label, in order; a row that is no midnight or a repeated one is set aside, many are refused."""
    notes = []
    index = pd.DatetimeIndex(frame.index)
    local = index.tz_convert(hours.timezone) if hours else index
    off = local != local.normalize()
    if off.sum() > max(checks.MAX_BAD_SHARE * len(local), 1):
        raise refuse(where, f"{index[off][0]} is no midnight in {local.tz}: the dates are shifted by a zone", AGAIN)
    doubts = [Doubt(str(t), "row", "", "its instant is no session's midnight") for t in index[off]]
    frame = frame.set_axis(local.tz_localize(None).rename("date"))[~off]
    if not frame.index.is_monotonic_increasing:
        frame = frame.sort_index()
        notes.append("rows came out of order and were sorted")
    doubts += [Doubt(f"{s:%Y-%m-%d}", "row", "", "it came twice") for s in frame.index[frame.index.duplicated()]]
    frame = frame[~frame.reset_index().duplicated().to_numpy()]  # the same once more; of two versions, neither
    return frame[~frame.index.duplicated(keep=False)], doubts, notes


def parse_bars(answer: Answer, *, minutes: int, until: pd.Timestamp) -> tuple[pd.DataFrame, tuple[Doubt, ...]]:
    """Finished bars by the UTC instant at which they begin, in the columns :data:`BARS`, and what was set aside.

    Bars without a close are bars in which nothing traded: they are no rows.

    Raises
    ------
    DataError
        For an empty, zoneless or misshapen answer.
    """
    frame = _check_shape(answer.frame, BARS[2:], f"the provider's bars of {answer.ticker}")
    frame = frame.set_axis(pd.DatetimeIndex(frame.index).tz_convert("UTC")).sort_index()
    frame = frame[~frame.index.duplicated() & (frame.index <= until - pd.Timedelta(minutes=minutes))]
    figures, doubts = checks.set_aside_figures(frame[frame["close"].notna()].assign(dividend=0.0), label=INSTANT)
    closes, limit = figures["close"], checks.MAX_PRICE_FACTOR
    usual = closes.groupby(pd.DatetimeIndex(figures.index).date).transform("median")
    far = figures.index[(closes > limit * usual) | (closes < usual / limit)]
    doubts += tuple(Doubt(t.strftime(INSTANT), "row", "", "its close is of another unit than its day's") for t in far)
    table = figures[figures["close"].notna() & ~figures.index.isin(far)]
    table = table.assign(ticker=answer.ticker, minute=pd.DatetimeIndex(table.index).strftime(INSTANT))
    return table.reset_index(drop=True)[list(BARS)], doubts


def parse_earnings(answer: Answer) -> pd.DataFrame:
    """Announcements as intervals in UTC, oldest first, in the columns :data:`EARNINGS`.

    A clock counts as its hour; midnight is what a provider prints when it knows only the day, so it counts
    as the whole day of its zone. ``is_reported`` tells past announcements from expected ones.

    Raises
    ------
    DataError
        If there is none, or the times carry no zone.
    """
    where = f"the provider's earnings dates of {answer.ticker}"
    frame = _check_shape(answer.frame, ("is_reported",), where, "Enter them in data/confounders.csv by hand.")
    local = pd.DatetimeIndex(frame.index)
    is_day = local == local.normalize()
    ends = local.where(~is_day, local + pd.DateOffset(days=1)).where(is_day, local + EARNINGS_HOUR)
    instants = (at.tz_convert("UTC").strftime(INSTANT) for at in (local, ends))
    cells = (*instants, answer.ticker, frame["is_reported"].map({True: "yes", False: "no"}))
    table = pd.DataFrame(dict(zip(EARNINGS, cells, strict=True)))
    return table.drop_duplicates("announced_earliest").sort_values("announced_earliest", ignore_index=True)


def to_bytes(table: pd.DataFrame) -> bytes:
    """A table as CSV, every float with full precision."""
    return table.to_csv(index=False, lineterminator="\n").encode()
