"""Yahoo's prices through yfinance: the one door to the network, with bounded retries.

``Ticker.history`` is used since it raises where ``download`` returns an empty frame.
``auto_adjust=False``: close, dividends and splits are kept apart, because adjusted history is
rewritten with every dividend. Prices are split-adjusted all the same; the provider has no others.

What went wrong is judged by the HTTP answers themselves: the package words a refused crumb, a page of
consent and an outage alike, as a ticker that it does not know.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd
import tenacity

from event_impact.base.errors import DataError, RateLimitError
from event_impact.market.protocol import Answer

ATTEMPTS = 5
MAX_WAIT_S = 90.0
TIMEOUT_S = 30.0
SIDE_TIMEOUT_S = 10.0
"""For cookies and crumbs, without which figures are served as well."""
METADATA = ("currency", "exchangeName", "instrumentType", "firstTradeDate", "exchangeTimezoneName", "longName")
COLUMNS = {
    "Open": "open", "High": "high", "Low": "low", "Close": "close", "Adj Close": "adj_close", "Volume": "volume",
    "Dividends": "dividend", "Stock Splits": "split",
}  # fmt: skip
BAR_REACH = {1: 29, 5: 59}
"""Minutes of a bar -> days that the provider reaches back (30 and 60, the present one among them)."""
MINUTE_SPAN = 7
"""Days that one request of one-minute bars may span."""
EARNINGS_ROWS = 50
"""Announcements asked for, latest first, the expected ones included: some twelve years."""
FIGURES = ("/v8/finance/chart/", "/calendar/earnings")
LIMITED, UNKNOWN, REFUSED, DOWN, BARE = "limited", "unknown", "refused", "down", "bare"

Question = Callable[[Any], Any]
"""Asks a Ticker; gives a frame, or nothing."""


class Reply(NamedTuple):
    """One HTTP answer of figures."""

    status: int
    content: bytes


class YahooClient:
    """One client of yfinance with a session of its own, so that no earlier answer is read again.

    The package keeps every answer, an outage's too, for the life of the process, and cookies on disk.
    """

    def __init__(self) -> None:
        import yfinance
        from curl_cffi.requests import Session
        from yfinance.cache import get_cookie_cache  # type: ignore[import-untyped]
        from yfinance.data import YfData  # type: ignore[import-untyped]

        logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # what it logs, it also raises
        yfinance.config.debug.hide_exceptions = False
        YfData._instances.clear()
        self._forget = YfData.cache_get.cache_clear
        get_cookie_cache().store("curlCffi", None)
        self.replies: list[Reply] = []
        self._held: dict[str, Any] = {}
        self._make: Any = yfinance.Ticker
        session: Any = Session(impersonate="chrome")
        self._send: Any = session.request
        session.request = self._request
        self._session = session

    def forget(self) -> None:
        """Drop every answer, the package's own store of them too; cookies and crumb stay."""
        self.replies.clear()
        self._held.clear()
        self._forget()

    def ticker(self, symbol: str) -> Any:
        """yfinance's Ticker on this client's session."""
        return self._make(symbol, session=self._session)

    def _request(self, method: str, url: str, **options: Any) -> Any:
        """Send, note what came, and answer the same question of figures only once."""
        is_figures = any(part in url for part in FIGURES)
        asked = {k: v for k, v in dict(options.get("params") or {}).items() if k != "crumb"}
        key = f"{url} {sorted(asked.items())}"
        response = self._held.get(key)
        if response is None:
            response = self._send(method, url, **options | {"timeout": TIMEOUT_S if is_figures else SIDE_TIMEOUT_S})
        if is_figures:
            self.replies.append(Reply(response.status_code, response.content))
            if response.status_code == 200:
                self._held[key] = response
        return response


class _Failure(Exception):
    """Attempts that gave no figures, and of what kind the last one was."""

    def __init__(self, kind: str, error: Exception, replies: list[Reply]) -> None:
        self.kind, self.attempts = kind, 1
        code = f"HTTP {replies[-1].status}" if replies else "no HTTP answer"
        self.reason = f"{code}; {type(error).__name__}: {' '.join(str(error).split())[:160]}"

    def describe(self, ticker: str) -> str:
        tries = f"{self.attempts} attempt{'s' * (self.attempts > 1)}"
        return f"{ticker}: {SAID[self.kind]} ({tries}, the last {self.reason})."

    def refusal(self, ticker: str) -> DataError | RateLimitError:
        hint = HINTS.get(self.kind, "Nothing was recorded; fetch again later, or use --source PATH.")
        return (RateLimitError if self.kind == LIMITED else DataError)(self.describe(ticker), hint)


def find_kind(error: Exception, replies: list[Reply]) -> str:
    """What kind of failure an attempt met: by the last answer of figures, not by the words of the package."""
    last = replies[-1] if replies else None
    if type(error).__name__ == "YFRateLimitError" or (last and last.status == 429):
        return LIMITED
    if last is None or last.status in (401, 403) or last.status >= 500:
        return DOWN
    if last.status == 404:
        return UNKNOWN
    return REFUSED if last.status >= 400 else BARE


SAID = {
    LIMITED: "Yahoo asks to wait (rate limit)",
    UNKNOWN: "Yahoo does not know this ticker (unknown, or delisted)",
    REFUSED: "Yahoo refuses the request",
    DOWN: "Yahoo is down or cannot be reached; that says nothing of the ticker",
    BARE: "Yahoo answered without figures",
}
HINTS = {
    LIMITED: "Nothing was recorded; it is tried again until --wait is over.",
    UNKNOWN: "Check the ticker, or give prices of your own with --source PATH.",
    REFUSED: "Ask for other days; see how far back the provider goes.",
}


class YahooProvider:
    """Asks for one listing at a time.

    Parameters
    ----------
    open_client : callable
        Gives a client with ``ticker(symbol)`` and ``replies``; a fresh one after each attempt that failed.
    sleep : callable
        Waits between attempts.
    """

    name = "yahoo"
    packages: tuple[str, ...] = ("yfinance", "curl_cffi")
    bar_reach: Mapping[int, int] = BAR_REACH

    def __init__(
        self,
        open_client: Callable[[], YahooClient] = YahooClient,
        *,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._open = open_client
        self._sleep = sleep
        self._attempts = attempts
        self._client: YahooClient | None = None

    def daily(self, ticker: str, first: date, last: date) -> Answer:
        """Daily bars from ``first`` to ``last``, both included.

        Raises
        ------
        DataError
            If the provider refuses, or does not answer within the bounded attempts.
        RateLimitError
            If it asks to wait.
        """
        return self._ask(ticker, _history("1d", first, last))

    def bars(self, ticker: str, minutes: int, first: date, last: date) -> Answer:
        """Bars of some days, oldest first; what of them could not be had stands in ``remarks``."""
        got: list[Answer] = []
        remarks: list[str] = []
        failure: _Failure | None = None
        for begin, end in _cut_span(first, last, MINUTE_SPAN if minutes == 1 else (last - first).days + 1):
            try:
                got.append(self._retry(ticker, _history(f"{minutes}m", begin, end)))
            except _Failure as error:
                failure = error
                remarks.append(
                    f"bars of {minutes} min from {begin} to {end} were not to be had: {error.describe(ticker)}"
                )
                if error.kind != REFUSED:  # only days beyond its reach leave hope for later ones
                    break
        if failure is not None and not got:
            raise failure.refusal(ticker) from failure
        frame = pd.concat([answer.frame for answer in got])
        return Answer(ticker, frame, got[-1].metadata, b"\n".join(a.raw for a in got), tuple(remarks))

    def actions(self, ticker: str, first: date, last: date) -> Answer:
        """Daily bars as yfinance's ``repair`` would correct them; the answer of :meth:`daily` is not asked for twice."""
        return self._ask(ticker, _history("1d", first, last, repair=True), attempts=1, knows=True)

    def earnings(self, ticker: str) -> Answer:
        """Earnings announcements of a firm, past and expected, as far as the provider has them."""
        return self._ask(ticker, _earnings)

    def _ask(self, ticker: str, question: Question, **bounds: Any) -> Answer:
        try:
            return self._retry(ticker, question, **bounds)
        except _Failure as failure:
            raise failure.refusal(ticker) from failure

    def _retry(self, ticker: str, question: Question, *, attempts: int | None = None, knows: bool = False) -> Answer:
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(attempts or self._attempts),
            wait=tenacity.wait_random_exponential(multiplier=4, max=MAX_WAIT_S),
            retry=tenacity.retry_if_exception(lambda e: isinstance(e, _Failure) and e.kind not in (UNKNOWN, REFUSED)),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._attempt, ticker, question, knows=knows)
        except _Failure as failure:
            failure.attempts = retrying.statistics["attempt_number"]
            raise

    def _attempt(self, symbol: str, question: Question, *, knows: bool) -> Answer:
        client = self._client = self._client or self._open()
        if not knows:
            client.forget()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the libraries' own affairs: nobody who fetches can act on them
                ticker = client.ticker(symbol)
                frame = question(ticker)
            if not isinstance(frame, pd.DataFrame) or frame.empty:
                raise ValueError("there is no row")
            metadata = {} if question is _earnings else read_metadata(ticker.history_metadata)
            return Answer(symbol, frame, metadata, client.replies[-1].content)
        except Exception as error:  # the package raises many kinds, and its own mistakes; all mean no answer
            self._client = None
            raise _Failure(find_kind(error, client.replies), error, client.replies) from error


def _cut_span(first: date, last: date, days: int) -> Iterator[tuple[date, date]]:
    while first <= last:
        end = min(first + timedelta(days=days - 1), last)
        yield first, end
        first = end + timedelta(days=1)


def _history(interval: str, first: date, last: date, *, repair: bool = False) -> Question:
    """Bars of these days, in the study's columns."""

    def ask(ticker: Any) -> pd.DataFrame:
        if repair:  # daily figures against each other; finer ones are not asked for, nor is what would weigh them
            ticker._lazy_load_price_history()._reconstruct_intervals_batch = lambda frame, *_, **__: frame
        frame = ticker.history(
            interval=interval, start=first.isoformat(), end=(last + timedelta(days=1)).isoformat(), auto_adjust=False,
            actions=True, prepost=interval != "1d", repair=repair, keepna=True, timeout=TIMEOUT_S,
        )  # fmt: skip
        found: pd.DataFrame = frame.rename(columns=COLUMNS)[list(COLUMNS.values())]
        return found

    return ask


def _earnings(ticker: Any) -> pd.DataFrame | None:
    """The provider's page of announcements; its package gives None where there is none."""
    frame = ticker.get_earnings_dates(limit=EARNINGS_ROWS)
    if frame is None:
        return None
    return pd.DataFrame({"is_reported": pd.to_numeric(frame["Reported EPS"], errors="coerce").notna()})


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
