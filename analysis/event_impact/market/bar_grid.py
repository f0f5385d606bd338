"""Prices of a listing and its benchmark at the same instants of an event session and of the sessions before it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from event_impact.base.errors import DataError
from event_impact.events.calendars import load_hours
from event_impact.market.bars import Bars

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
            notes.append(
                f"{benchmark.ticker} has a price at {n_shared} of the {n_own} instants of {bars.ticker}: its bars end at "
                "other minutes, so the model is a constant mean."
            )
            market = None
    known = own.notna() if market is None else own.notna() & market.notna()
    shares = known.mean(axis=1)[same.index < session][::-1]
    used = list(shares[shares >= MIN_SESSION_SHARE].index[:n_sessions][::-1])
    if len(used) < LEAST_SESSIONS:
        raise DataError(
            f"{bars.ticker}: {len(used)} sessions before {session.date()} have its bars; {LEAST_SESSIONS} are needed.",
            "Use a source with earlier bars.",
        )
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
    held = bars.regular[bars.regular["part"] == part]
    return held.pivot(index="session", columns="since", values="close")
