"""Bars of minutes: each with its own start and end, whatever the labels of its source mean.

A bar is ``[starts_at, ends_at)`` in UTC and carries the last price of its minutes, at ``ends_at``. The label of a
source is the start or the end of a bar, by some clock and perhaps off by a minute: a :class:`Convention` says which,
and the volume of the open, the largest of the day, must not contradict it. A missing bar is missing; no price is
carried forward.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from event_impact.base.errors import DataError
from event_impact.events.calendars import load_hours
from event_impact.market.checks import MAX_PRICE_FACTOR, check_table, refuse

LABELS = ("start", "end")
# So long without a bar inside trading hours is listed as a halt.
HALT_MINUTES = 5
# A step of at least so much between two bars of a session, so near (relative) a whole or half ratio, is a split.
SPLIT_FACTOR, SPLIT_NEAR = 1.9, 0.04
# Volume of a first bar that is wholly after the open, over the second's: medians of real files are 1.1 to 1.9.
MIN_OPENING_RATIO = 0.75
# Volume of the last bar before the open over the first after it: larger only where labels are misread.
MAX_EARLY_RATIO = 0.15
# A first bar said to begin after the open that is larger than the next in every of so many sessions, and by so much in
# the median one, holds the open: second bars of real files come to 1.15 to 1.35, and are larger in 64 to 91 % of them.
OPENING_DROP, MIN_DROPS = 1.5, 5
# Returns of two listings that go together better at other minutes than the same, by so many standard errors.
CLOCK_ERRORS, MIN_PAIRS = 3.0, 60
# First two bars over the session's median, where bars begin that late after the open: an opening by a wrong clock.
OPENING_SURGE, LATE_MINUTES = 2.0, 60
MIN_JUDGED_SESSIONS = 3
JUDGE = "Check label, shift_minutes and zone of the file: its labels mean something else."


@dataclass(frozen=True)
class Convention:
    """What the labels of a source mean.

    Attributes
    ----------
    bar_minutes : int
    label : str
        ``start`` or ``end`` of the bar.
    shift_minutes : int
        Minutes from the label to that instant; other than zero only where it was inferred.
    zone : str
        Clock of labels that carry none.
    """

    bar_minutes: int
    label: str
    shift_minutes: int = 0
    zone: str = "UTC"


@dataclass(frozen=True)
class Bars:
    """Checked bars of one ticker.

    Attributes
    ----------
    frame : pandas.DataFrame
        label and ends_at (UTC), close, volume, session and part (0, or 1 after a lunch break), since: minutes from the
        open of that stretch to the end of the bar, and is_extended: outside trading hours, kept and not used.
    files : dict of str to str
        Files read, with their sha256.
    notes : tuple of str
        What a reader must know of them, in words.
    """

    ticker: str
    exchange: str
    convention: Convention
    frame: pd.DataFrame
    files: dict[str, str]
    vintage: str
    notes: tuple[str, ...] = ()

    @property
    def regular(self) -> pd.DataFrame:
        """Bars of trading hours."""
        return self.frame[~self.frame["is_extended"]]

    def read_plainly(self) -> "Bars":
        """The same bars of trading hours without the inferred shift, which their volume may contradict."""
        convention = replace(self.convention, shift_minutes=0)
        frame = place_bars(self.frame, self.exchange, convention).assign(is_extended=self.frame["is_extended"])
        return replace(self, convention=convention, frame=frame)

    def step_overnight(self, session: pd.Timestamp) -> float:
        """Return from the close before a session to its first price; NaN where the bars do not reach that close."""
        held = self.regular[self.regular["session"] <= session]
        before, after = held[held["session"] < session].iloc[-1], held[held["session"] == session].iloc[0]
        has_close = before["ends_at"] >= load_hours(self.exchange).schedule.at[before["session"], "close"]
        return float(after["close"] / before["close"] - 1) if has_close and not after["part"] else math.nan

    def list_halts(self, sessions: tuple[pd.Timestamp, ...]) -> list[str]:
        """Stretches of at least five minutes of trading hours without a bar, in words."""
        held, bar = self.regular[self.regular["session"].isin(sessions)], self.convention.bar_minutes
        steps = held.groupby(["session", "part"])["since"].diff()
        is_halt = steps - bar >= HALT_MINUTES
        begins, ends = (held["ends_at"] - pd.to_timedelta(gap, unit="min") for gap in (steps, bar))
        pairs = zip(begins[is_halt], ends[is_halt], strict=True)
        return [f"{self.ticker}: no bar from {a:%Y-%m-%d %H:%M} to {b:%H:%M} UTC." for a, b in pairs]


def place_bars(raw: pd.DataFrame, exchange: str, convention: Convention) -> pd.DataFrame:
    """Rows with a label (UTC), with the end and the session of each bar.

    A bar that holds any of the trading hours is regular; the part of it before the open held no trading.
    """
    is_start = convention.label == "start"
    ends = raw["label"] + pd.Timedelta(minutes=convention.shift_minutes + is_start * convention.bar_minutes)
    week = pd.Timedelta(days=7)
    days = raw["label"].iloc[[0, -1]].dt.tz_localize(None).dt.normalize()
    stretches = load_hours(exchange).stretches(days.iloc[0] - week, days.iloc[1] + week)
    starts = ends - pd.Timedelta(minutes=convention.bar_minutes)
    held = stretches.iloc[stretches["closes_at"].searchsorted(starts, side="right")].set_index(raw.index)
    since = (ends - held["opens_at"]).dt.total_seconds() / 60
    return raw.assign(ends_at=ends, session=held["session"], part=held["part"], since=since, is_extended=since <= 0)


def build_bars(
    raw: pd.DataFrame, convention: Convention, *, ticker: str, exchange: str, files: dict[str, str], vintage: str
) -> Bars:
    """Check a raw table of label, close and, where recorded, volume.

    Raises
    ------
    DataError
        For labels that are no instants, repeated, out of order or closer than a bar; prices that are none; bars of
        mixed length; a split inside a session; hours or an opening volume that contradict the labels.
    """
    where = f"bars of {ticker} in {', '.join(files)}"
    table = _read_table(raw, convention, where)
    priced = table[table["close"].notna()].reset_index(drop=True)
    check_table(not priced.empty, where, "no bar has a price")
    frame = place_bars(priced, exchange, convention)
    regular = frame[~frame["is_extended"]]
    check_table(not regular.empty, where, f"no bar lies in the hours of {exchange}", "Check the zone of its labels.")
    _check_steps(regular, convention.bar_minutes, where)
    unpriced, extended = len(table) - len(priced), len(frame) - len(regular)
    notes = _judge_volume(frame, regular, convention.bar_minutes, where)
    notes += [f"{unpriced} bars carry no price and count as missing."] * (unpriced > 0)
    notes += [f"{extended} bars lie outside trading hours and are not used."] * (extended > 0)
    return Bars(ticker, exchange, convention, frame, files, vintage, tuple(f"{ticker}: {note}" for note in notes))


def doubt_clocks(bars: Bars, other: Bars) -> str:
    """Whether returns of one listing go with another's at other minutes than the same, in words; empty if not.

    Correlations with the other's returns over minutes shifted by up to a bar, wherever it has prices at both ends,
    against the correlation without a shift: Fisher's z of two correlations with one series in common (Steiger 1980).
    It cannot judge where no minute is shared, and a thinly traded listing may follow late with its labels right.
    """
    held, minutes = bars.regular, bars.convention.bar_minutes
    ends, prices = held["ends_at"], np.log(other.regular.set_index("ends_at")["close"])
    one = np.log(held["close"]).diff().where(ends.diff() == pd.Timedelta(minutes=minutes)).to_numpy()

    def moves(shift: int) -> np.ndarray:
        stops = [prices.reindex(ends + pd.Timedelta(minutes=m)).to_numpy() for m in (shift, shift - minutes)]
        return np.asarray(stops[0] - stops[1])

    same, best, said = moves(0), CLOCK_ERRORS, ""
    for shift in (k for k in range(-minutes, minutes + 1) if k):
        trio = np.stack([one, same, moves(shift)])
        n = int((is_held := np.isfinite(trio).all(axis=0)).sum())
        if n < MIN_PAIRS:
            continue
        (_, at_same, at_other), (_, _, between), _ = np.corrcoef(trio[:, is_held])
        rest = 1 - at_same**2 - at_other**2
        joint = between * rest - at_same * at_other * (rest - between**2) / 2
        error = np.sqrt(2 * (1 - joint / ((1 - at_same**2) * (1 - at_other**2))) / (n - 3))
        if (gap := (np.arctanh(at_other) - np.arctanh(at_same)) / error) > best:
            best, side = gap, "later" if shift > 0 else "earlier"
            said = (
                f"Returns of {bars.ticker} go with those of {other.ticker} {abs(shift)} min {side} (correlation "
                f"{at_other:.2f}, at the same minutes {at_same:.2f}): labels of one of the two may mean something else."
            )
    return said


def _read_table(raw: pd.DataFrame, convention: Convention, where: str) -> pd.DataFrame:
    """Labels in UTC with numbers; refuses what is none, repeated, out of order or overlaps."""
    missing = [name for name in ("label", "close") if name not in raw.columns]
    check_table(not missing, where, f"the columns {', '.join(missing)} are missing")
    check_table(not raw.empty, where, "there are no rows")
    try:
        labels = pd.to_datetime(raw["label"])
        labels = labels if labels.dt.tz is not None else labels.dt.tz_localize(convention.zone)
        numbers = raw.reindex(columns=["close", "volume"]).apply(pd.to_numeric)
    except (ValueError, TypeError, AttributeError) as error:  # no instant, mixed zones, a clock that does not exist
        raise refuse(where, f"a label is no instant, or a figure no number ({error})") from error
    is_odd = (numbers["close"] <= 0) | (numbers["volume"] < 0) | np.isinf(numbers).any(axis=1)
    check_table(not is_odd.any(), where, "a close is not positive, or a volume is negative")
    table: pd.DataFrame = numbers.assign(label=labels.dt.tz_convert("UTC")).reset_index(drop=True)
    steps = table["label"].diff().dt.total_seconds().to_numpy()[1:] / 60
    overlap = (steps < convention.bar_minutes, f"bars of {convention.bar_minutes} minutes overlap")
    for bad, what in ((steps == 0, "a bar occurs more than once"), (steps < 0, "the bars are not in order"), overlap):
        if bad.any():
            raise refuse(where, f"{what} at {table['label'].iloc[int(bad.argmax()) + 1]}")
    return table


def _check_steps(regular: pd.DataFrame, minutes: int, where: str) -> None:
    usual = regular.groupby(["session", "part"])["since"].agg(lambda since: since.diff().median())
    is_even = (regular["since"] % minutes).nunique() == 1 and not (usual > minutes).any()
    check_table(is_even, where, f"its bars are not all of {minutes} minutes", "Give one length of bar a file.")
    step = np.exp(np.abs(np.log(regular["close"]).groupby(regular["session"]).diff().to_numpy()))
    is_split = (step > SPLIT_FACTOR) & (np.abs(step - np.round(2 * step) / 2) < SPLIT_NEAR * step)
    if (broken := is_split | (step > MAX_PRICE_FACTOR)).any():
        at = regular["ends_at"].iloc[int(broken.argmax())]
        said = f"the price changes by a factor of {step[broken].max():.3g} inside a session, at {at}"
        raise refuse(where, said, "A split or another unit: use one adjusted series.")


def _judge_volume(frame: pd.DataFrame, regular: pd.DataFrame, minutes: int, where: str) -> list[str]:
    """Refuse labels that put the opening's volume elsewhere than at the open; gives what could not be judged."""
    traded = regular[regular["volume"].notna() & (regular["part"] == 0)]
    if traded["session"].nunique() < MIN_JUDGED_SESSIONS or not traded["volume"].any():
        return ["Too little volume is recorded to vouch for what the labels mean."]
    first, second = (traded.groupby("session").nth(k).set_index("session") for k in (0, 1))
    outside = frame[frame["is_extended"]].set_index("session")
    early = outside["volume"][outside["since"] > -minutes]
    before = (early / first["volume"].reindex(early.index)).median()
    drops, begins = first["volume"] / second["volume"], first["since"] - minutes
    ratio, is_opening = drops.median(), len(drops) >= MIN_DROPS and (drops > 1).all()
    usual = traded.groupby("session")["volume"].median()
    surge = (first["volume"].combine(second["volume"], max) / usual).median()
    if (begins == 0).all() and ratio < MIN_OPENING_RATIO:
        said = f"the first bar after the open holds {ratio:.2f} times the volume of the second, as part of a bar would"
    elif before > MAX_EARLY_RATIO:
        said = f"the last bar before the open holds {before:.2f} times the volume of the first after it"
    elif (begins > 0).all() and is_opening and ratio > OPENING_DROP:
        said = f"the volume of an opening, {ratio:.2f} times the next bar's, begins {begins.median():.0f} min after the open"
    elif (begins > LATE_MINUTES).all() and surge > OPENING_SURGE:
        said = f"the volume of an opening stands {begins.median():.0f} minutes after the open"
    elif outside["volume"].median() > traded["volume"].median():
        said = "more is traded outside trading hours than in them"
    else:
        said = "No bar holds the open, so its volume cannot vouch for what the labels mean."
        return [said] * bool((begins > 0).all())
    raise refuse(where, said, JUDGE)


# A session with fewer of the event session's bars is left out of the estimation, with the reason.
MIN_SESSION_SHARE = 0.9
# A benchmark with prices at fewer of the listing's instants is not used: the model is then a constant mean.
MIN_SHARED = 0.9
LEAST_SESSIONS = 3


@dataclass(frozen=True)
class BarGrid:
    """Prices at the instants of one unbroken stretch of trading, one row a session.

    Attributes
    ----------
    benchmark_ticker : str
        Empty for a constant mean.
    ends : pandas.DatetimeIndex (C + 1,)
        Instants of the event session; C returns lie between them.
    middles : array (C,)
        Middle of each return's bar, as a share of an ordinary stretch from its open.
    sessions : tuple of pandas.Timestamp (S,)
        Estimation sessions, oldest first.
    prices, benchmark : arrays (S + 1, C + 1)
        The event session last; NaN where no bar ends. ``benchmark`` is None for a constant mean.
    left_out : tuple of (session, reason)
    """

    ticker: str
    benchmark_ticker: str
    minutes: int
    ends: pd.DatetimeIndex
    middles: np.ndarray
    event_session: pd.Timestamp
    sessions: tuple[pd.Timestamp, ...]
    prices: np.ndarray
    benchmark: np.ndarray | None
    left_out: tuple[tuple[pd.Timestamp, str], ...]
    notes: tuple[str, ...]

    @property
    def is_known(self) -> np.ndarray:
        """Instants of the event session with a price, the benchmark's too."""
        known = np.isfinite(self.prices[-1])
        return np.asarray(known if self.benchmark is None else known & np.isfinite(self.benchmark[-1]))

    @property
    def is_single(self) -> np.ndarray:
        """Returns of the event session that are of one bar."""
        return np.asarray(self.is_known[1:] & self.is_known[:-1])

    def returns(self, prices: np.ndarray) -> np.ndarray:
        """Simple returns (S, C) between neighbouring instants of the estimation sessions; NaN where a price is missing."""
        return np.asarray(prices[:-1, 1:] / prices[:-1, :-1] - 1)

    def event_steps(self, prices: np.ndarray) -> np.ndarray:
        """Event session: return to each price from the last one recorded, zero where none is.

        So every sum between two recorded prices is whole, and no price is carried forward.
        """
        before = np.maximum.accumulate(np.where(self.is_known, np.arange(len(self.ends)), 0))[:-1]
        has_step = self.is_known[1:] & self.is_known[before]
        return np.where(has_step, prices[-1, 1:] / prices[-1, before] - 1, 0.0)


def make_grid(
    bars: Bars, benchmark: Bars | None, event: tuple[pd.Timestamp, pd.Timestamp], *, minutes: int, n_sessions: int
) -> BarGrid:
    """Lay bars out by session and instant.

    Parameters
    ----------
    benchmark : Bars or None
        None for a constant mean. Matched by instants, never by labels.
    event : (session, instant)
        The instant chooses the stretch where a lunch break divides the session.
    n_sessions : int
        Estimation sessions wanted, the last ones before the event session.

    Raises
    ------
    DataError
        If fewer than :data:`LEAST_SESSIONS` can be had.
    """
    session, instant = event
    stretches = load_hours(bars.exchange).stretches(bars.regular["session"].iloc[0], session)
    today = stretches[stretches["session"] == session]
    part = min(int((today["closes_at"] <= instant).sum()), len(today) - 1)
    same = stretches[stretches["part"] == part].set_index("session")
    own, market = _lay(bars, part), None
    if session not in own.index:
        raise DataError(f"{bars.ticker}: no bar lies in the hours of the event.", "Use a source that holds them.")
    held = own.columns.to_numpy(dtype=float)[own[own.index == session].notna().to_numpy()[0]]
    own = own.reindex(index=same.index, columns=np.arange(held[0], held[-1] + 1, minutes))
    notes = [*bars.notes]
    if benchmark is not None:
        market = _lay(benchmark, part).reindex_like(own)
        n_own, n_shared = (int(is_held.to_numpy().sum()) for is_held in (own.notna(), own.notna() & market.notna()))
        notes += benchmark.notes
        if n_shared < MIN_SHARED * n_own:
            held_at = f"{benchmark.ticker} has a price at {n_shared} of the {n_own} instants of {bars.ticker}"
            notes.append(f"{held_at}: its bars end at other minutes, so the model is a constant mean.")
            market = None
    known = own.notna() if market is None else own.notna() & market.notna()
    shares = known.mean(axis=1)[same.index < session][::-1]
    used = list(shares[shares >= MIN_SESSION_SHARE].index[:n_sessions][::-1])
    if len(used) < LEAST_SESSIONS:
        said = f"{len(used)} sessions before {session.date()} have its bars; {LEAST_SESSIONS} are needed."
        raise DataError(f"{bars.ticker}: {said}", "Use a source with earlier bars.")
    left_out = shares[(shares < MIN_SESSION_SHARE) & (shares.index > used[0])]
    rows = [*used, session]
    length = (same["closes_at"] - same["opens_at"]).dt.total_seconds().median() / 60
    since = own.columns.to_numpy(dtype=float)
    return BarGrid(
        ticker=bars.ticker, benchmark_ticker=benchmark.ticker if benchmark and market is not None else "",
        minutes=minutes, ends=pd.DatetimeIndex(same["opens_at"][session] + pd.to_timedelta(since, unit="min")),
        middles=(since[1:] - minutes / 2) / length, event_session=session, sessions=tuple(used),
        prices=own.loc[rows].to_numpy(), benchmark=None if market is None else market.loc[rows].to_numpy(),
        left_out=tuple((day, f"{share * len(since):.0f} of {len(since)} prices") for day, share in left_out.items()),
        notes=(*dict.fromkeys(notes), *bars.list_halts(tuple(rows))),
    )  # fmt: skip


def _lay(bars: Bars, part: int) -> pd.DataFrame:
    """Closes by session and minutes since the open."""
    return bars.regular[bars.regular["part"] == part].pivot(index="session", columns="since", values="close")
