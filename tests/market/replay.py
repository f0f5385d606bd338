"""The provider's servers on 127.0.0.1: answers made from the project's own figures, and every way they go wrong.

The real yfinance and curl_cffi are sent here. Their addresses stay as they are, hosts and all; only where the
sockets lead is changed, so that cookies, crumbs, redirects and consent pages are theirs to handle.
"""

from __future__ import annotations

import dataclasses
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest
from event_impact.events.calendars import load_hours

ROOT = Path(__file__).resolve().parents[2]
CHART = "/v8/finance/chart/"
CALENDAR = "/calendar/earnings"
FRENCH = "/pages/faculty/ken.french/ftp/"
CONSENT_PAGE = '<html><body><form action="/v2/collectConsent"><input name="csrfToken" value="t"></form></body></html>'
NOT_FOUND = {
    "chart": {"result": None, "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"}}
}
UNAUTHORIZED = {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}
NULL = {"chart": {"result": None, "error": None}}
EMPTY = {"chart": {"result": [], "error": None}}


@dataclass(frozen=True)
class Fault:
    """What the server does instead of answering: a status with a body, half a body, silence, or a closed door."""

    status: int = 200
    body: str = ""
    kind: str = "text/html"
    is_cut: bool = False
    is_silent: bool = False
    redirect: str = ""


FAULTS = {
    "401": Fault(401, json.dumps(UNAUTHORIZED), "application/json"),
    "403": Fault(403, "Forbidden"),
    "404": Fault(404, json.dumps(NOT_FOUND), "application/json"),
    "429": Fault(429, "Too Many Requests"),
    "500": Fault(500, "<html>Internal Server Error</html>"),
    "503": Fault(503, "<html>Our engineers are working quickly to resolve the issue</html>"),
    "will be right back": Fault(200, "<html>Will be right back...</html>"),
    "consent page": Fault(302, redirect="http://consent.yahoo.com:{port}/v2/collectConsent?sessionId=1"),
    "consent page in place": Fault(200, CONSENT_PAGE),
    "empty": Fault(200, ""),
    "empty result": Fault(200, json.dumps(EMPTY), "application/json"),
    "null": Fault(200, json.dumps(NULL), "application/json"),
    "truncated": Fault(is_cut=True),
    "hanging": Fault(is_silent=True),
}
"""By name. A real answer follows once they are over."""


@dataclass
class Listing:
    """One listing as the provider holds it."""

    daily: pd.DataFrame
    exchange: str = "XNYS"
    meta: dict[str, Any] = field(default_factory=dict)
    earnings: tuple[tuple[str, str], ...] | None = None
    spoil_bars: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame


@cache
def read_daily(ticker: str) -> pd.DataFrame:
    """The project's figures of a listing, index session; every session's own."""
    frame = pd.read_csv(ROOT / "data/snapshot" / f"{ticker}.csv", parse_dates=["date"]).set_index("date")
    frame["adj_close"] = frame["adj_close"].fillna(frame["close"])
    return frame.assign(dividend=frame["dividend"].fillna(0.0), split=0.0)


def make_listing(ticker: str, *, exchange: str = "XNYS", **meta: Any) -> Listing:
    """A listing with the project's own figures."""
    return Listing(read_daily(ticker).copy(), exchange, meta)


class ReplayServer:
    """Answers like the provider; counts what it is asked.

    ``faults`` are met by the next requests of figures, first to last; ``steady`` by all of them.
    """

    def __init__(self) -> None:
        self.listings: dict[str, Listing] = {}
        self.faults: list[Fault] = []
        self.steady: Fault | None = None
        self.only = ""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.factors: dict[str, bytes] = {}
        self.at = pd.Timestamp("2026-02-13 22:00", tz="UTC")
        self._wake = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._wake.set()
        self._http.shutdown()
        self._http.server_close()

    def figures_asked(self, part: str = CHART) -> list[tuple[str, dict[str, str]]]:
        """Requests of figures (not of cookies and crumbs): path and query."""
        return [(path, query) for _, path, query in self.asked if path.startswith(part)]

    def take_fault(self, path: str) -> Fault | None:
        """The fault that a request of figures meets, if any."""
        if not path.startswith((CHART, CALENDAR, FRENCH)) or self.only not in path:
            return None
        return self.faults.pop(0) if self.faults else self.steady

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        """Status, content type and body for a sound request."""
        if path.startswith(CHART):
            listing = self.listings.get(path.removeprefix(CHART))
            found = NOT_FOUND if listing is None else make_chart(path.removeprefix(CHART), listing, query, self.at)
            status = 404 if listing is None else 400 if found["chart"]["error"] else 200
            return status, "application/json", json.dumps(found).encode()
        if path.startswith(CALENDAR):
            listing = self.listings.get(query.get("symbol", ""))
            return 200, "text/html", make_calendar(query.get("symbol", ""), listing and listing.earnings).encode()
        if path.startswith(FRENCH):
            name = path.removeprefix(FRENCH)
            return (200, "application/zip", self.factors[name]) if name in self.factors else (404, "text/html", b"none")
        if path.startswith("/v1/test/getcrumb"):
            return 200, "text/plain", b"Nb.5aBcDeFg"
        if path.startswith(("/v10/finance/quoteSummary", "/v7/finance/quote")):
            return 404, "application/json", json.dumps(NOT_FOUND).encode()
        return 200, "text/html", CONSENT_PAGE.encode()


def _handler_of(server: ReplayServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            host = (self.headers.get("Host") or "").split(":")[0]
            server.asked.append((host, parts.path, query))
            fault = server.take_fault(parts.path)
            if fault is None:
                self._send(*server.answer(parts.path, query), cookie=host == "fc.yahoo.com")
            elif fault.is_silent:
                server._wake.wait(30)
                self.close_connection = True
            elif fault.is_cut:
                _, kind, body = server.answer(parts.path, query)
                self._send(200, kind, body[: len(body) // 2])
            elif fault.redirect:
                self._send(fault.status, fault.kind, b"", location=fault.redirect.format(port=server.port))
            else:
                self._send(fault.status, fault.kind, fault.body.encode())

        do_POST = do_GET

        def _send(self, status: int, kind: str, body: bytes, *, cookie: bool = False, location: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if cookie:
                self.send_header("Set-Cookie", "A3=d=AQAB; Domain=.yahoo.com; Path=/; Max-Age=31536000")
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def make_chart(symbol: str, listing: Listing, query: dict[str, str], at: pd.Timestamp) -> dict[str, Any]:
    """The v8 envelope of a listing for a span, as the provider wraps it."""
    hours, interval = load_hours(listing.exchange), query["interval"]
    meta = {
        "currency": "USD", "symbol": symbol, "exchangeName": "NYQ", "instrumentType": "EQUITY", "firstTradeDate": 76253400,
        "regularMarketTime": int(at.timestamp()), "gmtoffset": -18000, "timezone": "EST",
        "exchangeTimezoneName": str(hours.timezone), "longName": "A Company", "priceHint": 2, "dataGranularity": interval,
        "range": "", "validRanges": ["1d", "5d", "1mo", "1y", "max"], **listing.meta,
    }  # fmt: skip
    if "period1" not in query:  # the client asks for the zone first
        return {"chart": {"result": [{"meta": meta, "indicators": {"quote": [{}]}}], "error": None}}
    first, last = (pd.Timestamp(int(query[name]), unit="s", tz="UTC") for name in ("period1", "period2"))
    if interval == "1d":
        frame = listing.daily
        stamps = (frame.index + pd.Timedelta(hours=9, minutes=30)).tz_localize(hours.timezone)
    else:
        reach = {"1m": 30, "5m": 60}.get(interval, 730)
        if first < at - pd.Timedelta(days=reach + 1) or (interval == "1m" and last - first > pd.Timedelta(days=8)):
            said = f"{interval} data not available for startTime={query['period1']} and endTime={query['period2']}."
            return {"chart": {"result": None, "error": {"code": "Unprocessable Entity", "description": said}}}
        frame = listing.spoil_bars(make_bars(listing, interval, first, min(last, at)))
        stamps = frame.index
    held = (stamps >= first) & (stamps < last)
    frame, stamps = frame[held], stamps[held]
    quote = {name: _list(frame[name]) for name in ("open", "high", "low", "close", "volume")}
    result = {"meta": meta, "timestamp": [int(s.timestamp()) for s in stamps], "indicators": {"quote": [quote]}}
    if interval == "1d":
        result["indicators"]["adjclose"] = [{"adjclose": _list(frame["adj_close"])}]
        paid, cut = frame["dividend"] != 0, frame["split"] != 0
        events: dict[str, Any] = {}
        if paid.any():
            rows = zip(stamps[paid], frame["dividend"][paid], strict=True)
            events["dividends"] = {str(int(s.timestamp())): {"amount": d, "date": int(s.timestamp())} for s, d in rows}
        if cut.any():
            rows = zip(stamps[cut], frame["split"][cut], strict=True)
            events["splits"] = {
                str(int(s.timestamp())): {
                    "date": int(s.timestamp()),
                    "numerator": r,
                    "denominator": 1,
                    "splitRatio": f"{r}:1",
                }
                for s, r in rows
            }
        if events:
            result["events"] = events
    return {"chart": {"result": [result], "error": None}}


def _list(column: pd.Series) -> list[float | None]:
    return [None if pd.isna(v) else float(v) for v in column]


def make_bars(listing: Listing, interval: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Bars that walk each session from its open to its close, an hour before it and an hour after it too."""
    hours, step = (
        load_hours(listing.exchange),
        pd.Timedelta(minutes=int(interval.rstrip("mh")) * (60 if interval[-1] == "h" else 1)),
    )
    pieces = []
    days = hours.between(first.tz_localize(None).normalize() - pd.Timedelta(days=1), last.tz_localize(None).normalize())
    for day in days.intersection(listing.daily.index):
        opens, closes = hours.schedule.at[day, "open"], hours.schedule.at[day, "close"]
        stamps = pd.date_range(
            opens - pd.Timedelta(hours=1), closes + pd.Timedelta(hours=1), freq=step, inclusive="left"
        )
        row = listing.daily.loc[day]
        walked = np.clip((stamps - opens) / (closes - opens), 0, 1)
        price = row["open"] + (row["close"] - row["open"]) * walked
        inside = (stamps >= opens) & (stamps < closes)
        frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), price), index=stamps)
        pieces.append(frame.assign(volume=np.where(inside, 1000, 0)))
    empty = pd.DataFrame(columns=["open", "high", "low", "close", "volume"], index=pd.DatetimeIndex([], tz="UTC"))
    return pd.concat(pieces) if pieces else empty


def make_calendar(symbol: str, earnings: tuple[tuple[str, str], ...] | None) -> str:
    """The provider's page of announcements; without a table where it has none."""
    if not earnings:
        return "<html><body><p>No results</p></body></html>"
    names = ("Symbol", "Company", "Earnings Date", "EPS Estimate", "Reported EPS", "Surprise (%)")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(
        f"<tr><td>{symbol}</td><td>A Company</td><td>{at}</td><td>0.3</td><td>{eps}</td><td>+1.5</td></tr>"
        for at, eps in earnings
    )
    return f"<html><body><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></body></html>"


def zip_library(table: pd.DataFrame, columns: dict[str, str], *, scale: float = 100.0) -> bytes:
    """A zipped file of the factor library, in percent, from the project's own factors."""
    lines = ["prose", "", "," + ",".join(columns.values())]
    for day, row in table.iterrows():
        lines.append(f"{day:%Y%m%d}," + ",".join(f"{scale * row[name]:.4f}" for name in columns))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("file.csv", "\n".join([*lines, "", "Copyright"]))
    return buffer.getvalue()


def make_library(*, scale: float = 100.0, is_doubled: bool = False) -> dict[str, bytes]:
    """The files of the factor library, by name, with the project's own factors."""
    table = pd.read_csv(ROOT / "data/snapshot/factors.csv", parse_dates=["date"]).set_index("date")
    table = pd.concat([table, table.iloc[-1:]]) if is_doubled else table
    five = {"mkt_rf": "Mkt-RF", "smb": "SMB", "hml": "HML", "rmw": "RMW", "cma": "CMA", "rf": "RF"}
    return {
        "F-F_Research_Data_5_Factors_2x3_daily_CSV.zip": zip_library(table, five, scale=scale),
        "F-F_Momentum_Factor_daily_CSV.zip": zip_library(table, {"mom": "Mom   "}, scale=scale),
    }


@contextmanager
def replaying(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[ReplayServer]:
    """A server, with every socket of the provider's package led to it."""
    import yfinance
    from curl_cffi import CurlOpt
    from curl_cffi.requests import Session

    server = ReplayServer()
    send = Session.request

    def request(session: Session, method: str, url: str, **options: Any):
        parts = urlsplit(url)
        if parts.scheme == "https":
            url = parts._replace(scheme="http", netloc=f"{parts.hostname}:{server.port}").geturl()
        session.curl_options = {CurlOpt.RESOLVE: [f"*:{server.port}:127.0.0.1"]}
        session.trust_env = False
        return send(session, method, url, **options)

    monkeypatch.setattr(Session, "request", request)
    monkeypatch.setattr("event_impact.market.providers.french.BASE", f"http://127.0.0.1:{server.port}{FRENCH}")
    yfinance.set_tz_cache_location(str(folder))
    try:
        yield server
    finally:
        server.close()


def bend(listing: Listing, session: str, **cells: float) -> Listing:
    """The listing with cells of one session replaced."""
    daily = listing.daily.copy()
    for name, value in cells.items():
        daily[name] = daily[name].astype(float)
        daily.loc[session, name] = value
    return dataclasses.replace(listing, daily=daily)
