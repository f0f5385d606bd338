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

from event_impact.base.errors import DataError
from event_impact.market.answers import Answer

ATTEMPTS = 5
MAX_WAIT_S = 90.0
TIMEOUT_S = 30
METADATA = ("currency", "exchangeName", "instrumentType", "firstTradeDate", "exchangeTimezoneName", "longName")
TRANSIENT = {"YFRateLimitError", "YFDataException", "RequestException", "JSONDecodeError"}
"""Errors that may pass by waiting, besides those of the operating system."""
INTRADAY_REACH = {"1m": (29, 7), "5m": (59, 59), "60m": (729, 729)}
"""Interval -> days that the provider reaches back, and days that one request may span."""
EARNINGS_ROWS = 50
"""Announcements asked for, latest first, the expected ones included: some twelve years."""

Question = Callable[[Any], tuple[Any, dict[str, str]]]
"""Asks a Ticker; gives a frame and what the answer says of the listing."""


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
        return self._ask(ticker, _history("1d", start, end + timedelta(days=1)))

    def fetch_intraday(self, ticker: str, interval: str, at: datetime) -> Answer:
        """All bars of an interval that the provider still has at an instant."""
        reach, span = INTRADAY_REACH[interval]
        last = at.date() + timedelta(days=1)
        first = at.date() - timedelta(days=reach)
        pieces: list[Answer] = []
        while first < last:
            stop = min(first + timedelta(days=span), last)
            pieces.append(self._ask(ticker, _history(interval, first, stop)))
            first = stop
        held = [p.frame for p in pieces if isinstance(p.frame, pd.DataFrame) and not p.frame.empty]
        frame = pd.concat(held) if held else pd.DataFrame()
        return Answer(ticker, frame, pieces[-1].metadata)

    def fetch_earnings(self, ticker: str) -> Answer:
        """Earnings announcements of a firm, past and expected, as far as the provider has them.

        Raises
        ------
        DataError
            If the provider refuses, or does not answer within the bounded attempts.
        """
        return self._ask(ticker, _earnings)

    def _ask(self, ticker: str, question: Question) -> Answer:
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=tenacity.wait_random_exponential(multiplier=4, max=MAX_WAIT_S),
            retry=tenacity.retry_if_exception(is_transient),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(lambda: Answer(ticker, *question(self._make(ticker))))
        except Exception as error:  # the provider's package raises many kinds; all mean no answer
            tries = retrying.statistics.get("attempt_number", 1)
            raise DataError(
                f"{ticker}: no answer from Yahoo after {tries} {'attempt' if tries == 1 else 'attempts'} "
                f"({type(error).__name__}: {' '.join(str(error).split())[:200]}).",
                "Nothing was recorded; fetch again later, or give prices of your own with --source PATH."
                if is_transient(error)
                else "Check the ticker, or give prices of your own with --source PATH.",
            ) from error


def _history(interval: str, start: date, end: date) -> Question:
    """Bars from ``start`` to before ``end``, with what the answer says of the listing."""

    def ask(ticker: Any) -> tuple[Any, dict[str, str]]:
        frame = ticker.history(
            interval=interval, start=start.isoformat(), end=end.isoformat(), auto_adjust=False, actions=True,
            timeout=TIMEOUT_S,
        )  # fmt: skip
        return frame, read_metadata(ticker.history_metadata)

    return ask


def _earnings(ticker: Any) -> tuple[Any, dict[str, str]]:
    """The provider's page of announcements; its package gives None where there is none."""
    return ticker.get_earnings_dates(limit=EARNINGS_ROWS), {}


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
