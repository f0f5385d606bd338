"""A provider at the protocol, without network: frames in the study's names, errors when told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from event_impact.events.calendars import load_hours
from event_impact.market.protocol import Answer

LISTING = {"currency": "USD", "exchangeName": "NYQ", "instrumentType": "EQUITY", "firstTradeDate": "76253400"}


def make_history(first: str, last: str, *, exchange: str = "XNYS", seed: int = 1, price: float = 12.0) -> pd.DataFrame:
    """Daily figures as a provider gives them; each session's bar is its own, whatever the span asked for."""
    hours = load_hours(exchange)
    every = hours.between(pd.Timestamp("2023-01-02"), pd.Timestamp("2026-12-31"))
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0, 0.012, len(every))))
    open_ = close * np.exp(rng.normal(0, 0.004, len(every)))
    frame = pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * 1.004,
            "low": np.minimum(open_, close) * 0.996,
            "close": close,
            "adj_close": close * 0.97,
            "volume": rng.integers(1_000_000, 9_000_000, len(every)),
            "dividend": np.where(np.arange(len(every)) % 63 == 40, 0.15, 0.0),
            "split": 0.0,
        },
        index=every.tz_localize(hours.timezone),
    )
    return frame.loc[first:last]


class ToyProvider:
    """``bend`` changes the daily frame of a ticker on its way out; ``errors`` are raised by the next daily requests."""

    name = "toy"
    packages = ("numpy",)
    bar_reach = {1: 29, 5: 59}

    def __init__(self) -> None:
        self.bend: dict[str, Callable[[pd.DataFrame], Any]] = {}
        self.listing: dict[str, dict[str, str]] = {}
        self.errors: list[Exception | None] = []
        self.asked: list[tuple[str, str, date, date]] = []
        self.announced: dict[str, pd.DataFrame | Exception] = {}
        self.opinions: dict[str, Callable[[pd.DataFrame], Any]] = {}

    def _daily(self, ticker: str, first: date, last: date) -> pd.DataFrame:
        exchange = "XHKG" if ticker.endswith(".HK") else "XNYS"
        return make_history(str(first), str(last), exchange=exchange, seed=sum(map(ord, ticker)))

    def daily(self, ticker: str, first: date, last: date) -> Answer:
        self.asked.append(("daily", ticker, first, last))
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        frame = self.bend.get(ticker, lambda f: f)(self._daily(ticker, first, last))
        return Answer(ticker, frame, {**LISTING, **self.listing.get(ticker, {})}, raw=b'{"as": "sent"}')

    def actions(self, ticker: str, first: date, last: date) -> Answer:
        bent = self.bend.get(ticker, lambda f: f)(self._daily(ticker, first, last))
        return Answer(ticker, self.opinions.get(ticker, lambda f: f)(bent), LISTING)

    def bars(self, ticker: str, minutes: int, first: date, last: date) -> Answer:
        self.asked.append((f"bars {minutes}", ticker, first, last))
        hours = load_hours("XNYS")
        days = hours.between(pd.Timestamp(first), pd.Timestamp(last))[-2:]
        stamps = [t for d in days for t in pd.date_range(hours.schedule.at[d, "open"], periods=4, freq=f"{minutes}min")]
        columns = dict.fromkeys(("open", "high", "low", "close"), 13.0 + np.arange(len(stamps)) / 100)
        return Answer(ticker, pd.DataFrame(columns, index=pd.DatetimeIndex(stamps)).assign(volume=1000), LISTING)

    def earnings(self, ticker: str) -> Answer:
        self.asked.append(("earnings", ticker, date.min, date.max))
        found = self.announced.get(ticker, pd.DataFrame())
        if isinstance(found, Exception):
            raise found
        return Answer(ticker, found, {})


def make_earnings(*announced: tuple[str, bool], zone: str = "America/New_York") -> pd.DataFrame:
    """Announcements as a provider gives them: local clocks, and whether they lie behind us."""
    index = pd.DatetimeIndex([pd.Timestamp(at) for at, _ in announced]).tz_localize(zone)
    return pd.DataFrame({"is_reported": [past for _, past in announced]}, index=index)
