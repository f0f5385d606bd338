"""A provider faked at the Ticker boundary, with frames shaped like real answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from event_impact.events.calendars import load_hours

METADATA = {
    "currency": "USD",
    "exchangeName": "NYQ",
    "instrumentType": "EQUITY",
    "firstTradeDate": 76253400,
    "exchangeTimezoneName": "America/New_York",
    "longName": "A Company",
}


def make_history(first: str, last: str, *, exchange: str = "XNYS", seed: int = 1, price: float = 12.0) -> pd.DataFrame:
    """A daily frame as ``Ticker.history(auto_adjust=False, actions=True)`` gives it; each session's bar is its own."""
    hours = load_hours(exchange)
    every = hours.between(pd.Timestamp("2023-01-02"), pd.Timestamp("2026-12-31"))
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0, 0.012, len(every))))
    open_ = close * np.exp(rng.normal(0, 0.004, len(every)))
    frame = pd.DataFrame(
        {
            "Open": open_,
            "High": np.maximum(open_, close) * 1.004,
            "Low": np.minimum(open_, close) * 0.996,
            "Close": close,
            "Adj Close": close * 0.97,
            "Volume": rng.integers(1_000_000, 9_000_000, len(every)),
            "Dividends": np.where(np.arange(len(every)) % 63 == 40, 0.15, 0.0),
            "Stock Splits": 0.0,
        },
        index=every.tz_localize(hours.timezone).rename("Date"),
    )
    return frame.loc[first:last]


class FakeYahoo:
    """Stands where ``yfinance.Ticker`` stands.

    ``bend`` changes a frame on its way out; ``errors`` are raised by the next calls, first to last.
    """

    def __init__(self) -> None:
        self.bend: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {}
        self.metadata: dict[str, dict] = {}
        self.errors: list[Exception] = []
        self.calls: list[tuple[str, dict]] = []
        self.last = "2026-12-31"
        self.earnings: dict[str, object] = {}
        self.asked_earnings: list[str] = []

    def __call__(self, symbol: str) -> _FakeTicker:
        return _FakeTicker(self, symbol)


class _FakeTicker:
    def __init__(self, provider: FakeYahoo, symbol: str) -> None:
        self._provider, self._symbol = provider, symbol

    @property
    def history_metadata(self) -> dict:
        return {**METADATA, **self._provider.metadata.get(self._symbol, {})}

    def get_earnings_dates(self, *, limit: int) -> object:
        assert limit <= 100
        self._provider.asked_earnings.append(self._symbol)
        answer = self._provider.earnings.get(self._symbol)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def history(self, *, interval: str, start: str, end: str, auto_adjust: bool, actions: bool, timeout: int):
        assert not auto_adjust
        assert actions
        self._provider.calls.append((self._symbol, {"interval": interval, "start": start, "end": end}))
        if self._provider.errors:
            error = self._provider.errors.pop(0)
            if error is not None:
                raise error
        if interval != "1d":
            return make_bars(interval, start, end)
        before = pd.Timestamp(end) - pd.Timedelta(days=1)  # the provider leaves the end out
        exchange = "XHKG" if self._symbol.endswith(".HK") else "XNYS"
        frame = make_history(
            start, min(before, pd.Timestamp(self._provider.last)).strftime("%Y-%m-%d"), exchange=exchange,
            seed=sum(map(ord, self._symbol)),
        )  # fmt: skip
        return self._provider.bend.get(self._symbol, lambda f: f)(frame)


def make_earnings(*announced: tuple[str, str | None], zone: str = "America/New_York") -> pd.DataFrame:
    """Announcements as ``Ticker.get_earnings_dates`` gives them: local clock and reported earnings, None if to come."""
    index = pd.DatetimeIndex([pd.Timestamp(at) for at, _ in announced]).tz_localize(zone).rename("Earnings Date")
    columns = {"EPS Estimate": 0.3, "Reported EPS": [eps for _, eps in announced], "Surprise(%)": 1.5}
    return pd.DataFrame(columns, index=index)


def make_bars(interval: str, start: str, end: str) -> pd.DataFrame:
    """Intraday bars of the first hour of a few sessions."""
    step = {"1m": "1min", "5m": "5min", "60m": "60min"}[interval]
    days = load_hours("XNYS").between(pd.Timestamp(start), pd.Timestamp(end) - pd.Timedelta(days=1))[-2:]
    stamps = [t for day in days for t in pd.date_range(f"{day.date()} 09:30", periods=4, freq=step)]
    index = pd.DatetimeIndex(stamps).tz_localize("America/New_York").rename("Datetime")
    columns = ("Open", "High", "Low", "Close", "Adj Close")
    frame = pd.DataFrame({c: 13.0 + np.arange(len(index)) / 100 for c in columns}, index=index)
    return frame.assign(Volume=1000, Dividends=0.0, **{"Stock Splits": 0.0})


class FakeRateLimit(Exception):
    """Named like the provider's own error, below."""


FakeRateLimit.__name__ = "YFRateLimitError"
