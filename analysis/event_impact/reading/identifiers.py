"""Clocks inside addresses: upper bounds of when a page was public, never more.

Some sites number their pages by the time. The number is given when the page is made, so a page
with it was public *about* then at the earliest; what such a clock supports is "not later than",
and only because others could already quote the page. Every such bound is marked ``decoded``.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from urllib.parse import parse_qs, urlsplit

SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
"""First millisecond of X's identifiers, 2010-11-04."""
BYTEDANCE_HOSTS = ("toutiao.com", "dongchedi.com", "douyin.com", "ixigua.com", "tiktok.com")
FIRST_PLAUSIBLE = datetime(2006, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DecodedClock:
    """A clock found in an address.

    ``at`` is an instant; for sites whose address holds only the time of day (UTC), ``of_day``
    is set instead and the day must come from elsewhere.
    """

    scheme: str
    text: str
    at: datetime | None = None
    of_day: time | None = None


def _host_is(host: str, *names: str) -> bool:
    return any(host == name or host.endswith("." + name) for name in names)


def decode_address(url: str) -> DecodedClock | None:
    """The clock that an address carries, if its site is known to number pages by the time."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    found: DecodedClock | None = None
    if _host_is(host, "x.com", "twitter.com") and (match := re.search(r"/status(?:es)?/(\d{15,20})\b", parts.path)):
        found = decode_snowflake(match[1])
    elif _host_is(host, *BYTEDANCE_HOSTS) and (match := re.search(r"(?<!\d)(\d{19})(?!\d)", parts.path)):
        found = _at_second("ByteDance id", match[1], int(match[1]) >> 32)
    elif _host_is(host, "myzaker.com"):
        key = (parse_qs(parts.query).get("pk") or [""])[0] or parts.path.rstrip("/").rsplit("/", 1)[-1]
        if re.fullmatch(r"[0-9a-f]{24}", key):
            found = _at_second("ZAKER id", key, int(key[:8], 16))
    elif _host_is(host, "yahoo.com") and (match := re.search(r"-(\d{9})\.html$", parts.path)):
        found = _clock_of_day(match[1])
    return found


def decode_snowflake(identifier: str) -> DecodedClock | None:
    """The instant in an X post id: its upper bits are milliseconds since :data:`SNOWFLAKE_EPOCH_MS`."""
    milliseconds = (int(identifier) >> 22) + SNOWFLAKE_EPOCH_MS
    return _at_second("X post id", identifier, milliseconds // 1000)


def _at_second(scheme: str, text: str, seconds: int) -> DecodedClock | None:
    if not 0 < seconds < 2**33:
        return None
    at = datetime.fromtimestamp(seconds, tz=UTC)
    return DecodedClock(scheme, text, at=at) if at >= FIRST_PLAUSIBLE else None


def _clock_of_day(digits: str) -> DecodedClock | None:
    try:
        clock = time(int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        return None
    return DecodedClock("Yahoo suffix", digits, of_day=clock)


def last_occurrence(clock: time, earliest: datetime, latest: datetime) -> datetime | None:
    """The last instant within ``[earliest, latest)`` at which the UTC clock shows a time of day."""
    at = datetime.combine(latest.date(), clock, tzinfo=UTC)
    while at >= latest:
        at -= timedelta(days=1)
    return at if at >= earliest else None
