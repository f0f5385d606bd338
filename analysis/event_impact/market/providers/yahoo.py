"""Yahoo's prices through yfinance: the one door to the network, with bounded retries.

``Ticker.history`` is used since it raises where ``download`` returns an empty frame.
``auto_adjust=False``: close, dividends and splits are kept apart, because adjusted history is
rewritten with every dividend. Prices are split-adjusted all the same; the provider has no others.

What went wrong is judged by the HTTP answers themselves: the package words a refused crumb, a page of
consent and an outage alike, as a ticker that it does not know.
"""

import logging
import random
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd

from event_impact.base.errors import DataError, RateLimitError
from event_impact.market.protocol import Answer

ATTEMPTS = 5
#: Between attempts: anything up to so much, doubled each time.
FIRST_WAIT_S, MAX_WAIT_S = 8.0, 90.0
TIMEOUT_S = 30.0
#: For cookies and crumbs, without which figures are served as well.
SIDE_TIMEOUT_S = 10.0
METADATA = ("currency", "exchangeName", "instrumentType", "firstTradeDate", "exchangeTimezoneName", "longName")
COLUMNS = {
    "Open": "open", "High": "high", "Low": "low", "Close": "close", "Adj Close": "adj_close", "Volume": "volume",
    "Dividends": "dividend", "Stock Splits": "split",
}  # fmt: skip
#: Minutes of a bar -> days that the provider reaches back (30 and 60, the present one among them).
BAR_REACH = {1: 29, 5: 59}
#: Days that one request of one-minute bars may span.
MINUTE_SPAN = 7
#: Announcements asked for, latest first, the expected ones included: some twelve years.
EARNINGS_ROWS = 50
FIGURES = ("/v8/finance/chart/", "/calendar/earnings")
#: Asks a Ticker; gives a frame, or nothing.
Question = Callable[[Any], Any]


class RefusedError(DataError):
    """The provider does not serve these days; others it may."""


AGAIN = "Nothing was recorded; fetch again later, or give prices of your own."
KINDS: dict[str, tuple[type[DataError | RateLimitError], str, str]] = {
    "limited": (RateLimitError, "Yahoo asks to wait (rate limit)", AGAIN),
    "unknown": (DataError, "Yahoo does not know this ticker (unknown, or delisted)", "Check the ticker."),
    "refused": (RefusedError, "Yahoo refuses the request", "Ask for other days; see how far back it goes."),
    "down": (DataError, "Yahoo is down or cannot be reached; that says nothing of the ticker", AGAIN),
    "bare": (DataError, "Yahoo answered without figures", AGAIN),
}
#: Kinds of failure that no further attempt can change.
FINAL = ("unknown", "refused")


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
        get_cookie_cache().store("curlCffi", None)
        session: Any = Session(impersonate="chrome")
        self.replies: list[Any] = []
        self._held: dict[str, Any] = {}
        self._forget, self._send = YfData.cache_get.cache_clear, session.request
        session.request = self._request
        self.ticker: Callable[[str], Any] = lambda symbol: yfinance.Ticker(symbol, session=session)

    def forget(self) -> None:
        """Drop every answer, the package's own store of them too; cookies and crumb stay."""
        self.replies.clear()
        self._held.clear()
        self._forget()

    def _request(self, method: str, url: str, **options: Any) -> Any:
        """Send, note what came, and answer the same question of figures only once."""
        if not any(part in url for part in FIGURES):
            return self._send(method, url, **options | {"timeout": SIDE_TIMEOUT_S})
        asked = {k: v for k, v in dict(options.get("params") or {}).items() if k != "crumb"}
        key = f"{url} {sorted(asked.items())}"
        response = self._held.get(key) or self._send(method, url, **options | {"timeout": TIMEOUT_S})
        self.replies.append(response)
        if response.status_code == 200:
            self._held[key] = response
        return response


def find_kind(error: Exception, replies: list[Any]) -> str:
    """What kind of failure an attempt met: by the last answer of figures, not by the words of the package."""
    status = replies[-1].status_code if replies else 0
    if type(error).__name__ == "YFRateLimitError" or status == 429:
        return "limited"
    if status in (0, 401, 403) or status >= 500:
        return "down"
    return "unknown" if status == 404 else "refused" if status >= 400 else "bare"


class YahooProvider:
    """Asks for one listing at a time.

    Parameters
    ----------
    sleep : callable
        Waits between attempts.
    """

    name = "yahoo"
    packages: tuple[str, ...] = ("yfinance", "curl_cffi")
    bar_reach: Mapping[int, int] = BAR_REACH

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep, attempts: int = ATTEMPTS) -> None:
        self._sleep, self._attempts = sleep, attempts
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
        failure: DataError | RateLimitError | None = None
        days = timedelta(days=MINUTE_SPAN if minutes == 1 else BAR_REACH[minutes] + 1)
        for begin in (first + i * days for i in range((last - first) // days + 1)):
            end = min(begin + days - timedelta(days=1), last)
            try:
                got.append(self._ask(ticker, _history(f"{minutes}m", begin, end)))
            except (DataError, RateLimitError) as error:
                failure = error
                remarks.append(f"bars of {minutes} min from {begin} to {end} were not to be had: {error.message}")
                if not isinstance(error, RefusedError):  # only days beyond its reach leave hope for later ones
                    break
        if failure is not None and not got:
            raise failure
        frame = pd.concat([answer.frame for answer in got])
        return Answer(ticker, frame, got[-1].metadata, b"\n".join(a.raw for a in got), tuple(remarks))

    def actions(self, ticker: str, first: date, last: date) -> Answer:
        """Daily bars as yfinance's ``repair`` would correct them; the answer of :meth:`daily` is not asked for twice."""
        return self._ask(ticker, _history("1d", first, last, repair=True), attempts=1, knows=True)

    def earnings(self, ticker: str) -> Answer:
        """Earnings announcements of a firm, past and expected, as far as the provider has them."""
        return self._ask(ticker, _earnings)

    def _ask(self, symbol: str, question: Question, *, attempts: int | None = None, knows: bool = False) -> Answer:
        """Ask until there are figures, within bounds; a client that was answered without them is not used again."""
        limit, attempt = attempts or self._attempts, 1
        while True:
            client = self._client = self._client or YahooClient()
            if not knows:
                client.forget()
            try:
                return _answer(symbol, question, client)
            except Exception as error:  # the package raises many kinds, and its own mistakes; all mean no answer
                self._client = None
                kind = find_kind(error, client.replies)
                if kind in FINAL or attempt == limit:
                    refusal, said, hint = KINDS[kind]
                    tries = f"{attempt} attempt{'s' * (attempt > 1)}"
                    code = f"HTTP {client.replies[-1].status_code}" if client.replies else "no HTTP answer"
                    reason = f"{code}; {type(error).__name__}: {' '.join(str(error).split())[:160]}"
                    raise refusal(f"{symbol}: {said} ({tries}, the last {reason}).", hint) from error
            self._sleep(random.uniform(0, min(FIRST_WAIT_S * 2 ** (attempt - 1), MAX_WAIT_S)))
            attempt += 1


def _answer(symbol: str, question: Question, client: YahooClient) -> Answer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own affairs: nobody who fetches can act on them
        ticker = client.ticker(symbol)
        frame = question(ticker)
    if not isinstance(frame, pd.DataFrame) or frame.empty:
        raise ValueError("there is no row")
    said = {} if question is _earnings else ticker.history_metadata
    metadata = {key: str(said[key]) for key in METADATA if said.get(key) is not None}
    return Answer(symbol, frame, metadata, client.replies[-1].content)


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
    if (frame := ticker.get_earnings_dates(limit=EARNINGS_ROWS)) is None:
        return None
    reported: pd.Series = pd.to_numeric(frame["Reported EPS"], errors="coerce")
    return reported.notna().to_frame("is_reported")
