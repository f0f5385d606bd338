"""Yahoo's prices through yfinance: the one door to the network, with bounded retries.

``Ticker.history`` is used since it raises where ``download`` returns an empty frame.
``auto_adjust=False``: close, dividends and splits are kept apart, because adjusted history is
rewritten with every dividend. Prices are split-adjusted all the same; the provider has no others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import tenacity

from analysis.errors import DataError
from analysis.market.answers import Answer

ATTEMPTS = 5
MAX_WAIT_S = 90.0
TIMEOUT_S = 30
METADATA = ("currency", "exchangeName", "instrumentType", "firstTradeDate", "exchangeTimezoneName", "longName")
TRANSIENT = {"YFRateLimitError", "YFDataException", "RequestException", "JSONDecodeError"}
"""Errors that may pass by waiting, besides those of the operating system."""
INTRADAY_REACH = {"1m": (29, 7), "5m": (59, 59), "60m": (729, 729)}
"""Interval -> days that the provider reaches back, and days that one request may span."""


def is_transient(error: BaseException) -> bool:
    """Whether an error may pass: a rate limit, a broken connection, an answer that is no JSON."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & TRANSIENT) or isinstance(error, OSError)


def make_ticker(symbol: str) -> Any:
    """yfinance's Ticker, told to raise instead of logging."""
    import yfinance

    yfinance.config.debug.hide_exceptions = False
    return yfinance.Ticker(symbol)


class YahooProvider:
    """Asks for one listing at a time.

    Parameters
    ----------
    make : callable
        Symbol -> object with ``history(...)`` and ``history_metadata``; tests put a fake here.
    sleep : callable
        Waits between attempts.
    """

    name = "yahoo"

    def __init__(
        self,
        make: Callable[[str], Any] = make_ticker,
        *,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._make = make
        self._sleep = sleep
        self._attempts = attempts

    def fetch_daily(self, ticker: str, start: date, end: date) -> Answer:
        """Daily bars from ``start`` to ``end``, both included.

        Raises
        ------
        DataError
            If the provider refuses, or does not answer within the bounded attempts.
        """
        return self._ask(ticker, interval="1d", start=start.isoformat(), end=(end + timedelta(days=1)).isoformat())

    def fetch_intraday(self, ticker: str, interval: str, at: datetime) -> Answer:
        """All bars of an interval that the provider still has at an instant."""
        reach, span = INTRADAY_REACH[interval]
        last = at.date() + timedelta(days=1)
        first = at.date() - timedelta(days=reach)
        pieces: list[Answer] = []
        while first < last:
            stop = min(first + timedelta(days=span), last)
            pieces.append(self._ask(ticker, interval=interval, start=first.isoformat(), end=stop.isoformat()))
            first = stop
        held = [p.frame for p in pieces if isinstance(p.frame, pd.DataFrame) and not p.frame.empty]
        frame = pd.concat(held) if held else pd.DataFrame()
        return Answer(ticker, frame, pieces[-1].metadata)

    def _ask(self, ticker: str, **window: str) -> Answer:
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=tenacity.wait_random_exponential(multiplier=4, max=MAX_WAIT_S),
            retry=tenacity.retry_if_exception(is_transient),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._ask_once, ticker, window)
        except Exception as error:  # the provider's package raises many kinds; all mean no answer
            tries = retrying.statistics.get("attempt_number", 1)
            raise DataError(
                f"{ticker}: no answer from Yahoo after {tries} {'attempt' if tries == 1 else 'attempts'} "
                f"({type(error).__name__}: {' '.join(str(error).split())[:200]}).",
                "Nothing was recorded; fetch again later." if is_transient(error) else "Check the ticker.",
            ) from error

    def _ask_once(self, ticker: str, window: dict[str, str]) -> Answer:
        asked = self._make(ticker)
        frame = asked.history(auto_adjust=False, actions=True, timeout=TIMEOUT_S, **window)
        return Answer(ticker, frame, read_metadata(asked.history_metadata))


def read_metadata(metadata: Any) -> dict[str, str]:
    """What the answer says of the listing, as far as it says anything."""
    found = {}
    for key in METADATA:
        try:
            value = metadata[key]
        except (KeyError, TypeError):
            continue
        if value is not None:
            found[key] = str(value)
    return found
