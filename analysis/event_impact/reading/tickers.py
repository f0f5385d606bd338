"""Listings that a page names, so that the analyst sees whether it speaks of the story's firm."""

import re

from event_impact.base.errors import ConfigError
from event_impact.reading.vocabulary import WORDS

EXCHANGE_WORDS: dict[str, str] = WORDS["exchange_words"]
#: Endings of Yahoo! Finance tickers and the calendar that serves them; a bare ticker is American.
SUFFIXES: dict[str, str] = WORDS["ticker_suffixes"]
AMERICAN = ("XNYS", "XNAS")
BARE = re.compile(r"[A-Z]{1,5}(-[A-Z])?")
_WORDS = "|".join(EXCHANGE_WORDS)
_SUFFIXES = "|".join(SUFFIXES)
LISTING = re.compile(rf"\b({_WORDS})\s?:\s?\$?([A-Z0-9]{{1,6}}(?:\.[A-Z]{{1,2}})?)\b", re.IGNORECASE)
SUFFIXED = re.compile(rf"(?<![\w.])([A-Z0-9]{{2,9}}\.(?:{_SUFFIXES}))(?![\w.])")
CASHTAG = re.compile(r"(?<![\w$])\$([A-Z]{1,5})(?![\w.])")
LABELLED = re.compile(r"\b(?:ticker|symbol)(?:\s+symbol)?\s?:?\s+([A-Z]{1,5})\b")
MAX_FOUND = 8

Listing = tuple[str, str]


def find_listings(text: str) -> tuple[Listing, ...]:
    """Tickers that a text names, each with the exchange it names or an empty string, in their order."""
    found: list[tuple[int, Listing]] = []
    for match in LISTING.finditer(text):
        exchange = EXCHANGE_WORDS[match[1].upper()]
        found.append((match.start(), (add_suffix(match[2].upper(), exchange), exchange)))
    found += [(m.start(), (m[1], SUFFIXES[m[1].rsplit(".", 1)[1]])) for m in SUFFIXED.finditer(text)]
    found += [(m.start(), (m[1], "")) for pattern in (CASHTAG, LABELLED) for m in pattern.finditer(text)]
    listings = list(dict.fromkeys(listing for _, listing in sorted(found)))
    named = {ticker for ticker, exchange in listings if exchange}
    return tuple(entry for entry in listings if entry[1] or entry[0] not in named)[:MAX_FOUND]


def add_suffix(ticker: str, exchange: str) -> str:
    """A local code as the price vendor writes it: 1810 on Hong Kong is 1810.HK."""
    if "." in ticker or exchange in AMERICAN:
        return ticker
    suffix = next((ending for ending, mic in SUFFIXES.items() if mic == exchange), "")
    padded = ticker.zfill(4) if exchange == "XHKG" and ticker.isdigit() else ticker
    return f"{padded}.{suffix}" if suffix else ticker


def resolve_exchange(ticker: str, exchange: str, known: dict[str, set[str]]) -> str:
    """The exchange whose calendar a ticker keeps.

    Parameters
    ----------
    ticker : str
        As the price vendor writes it.
    exchange : str
        As asked for; empty to find it from the ticker's ending or from what is registered; a bare one is American.
    known : dict
        Exchanges under which the study already knows each ticker.

    Returns
    -------
    str
        Market identifier.

    Raises
    ------
    ConfigError
        If none or several fit, or if the one asked for contradicts the ticker.
    """
    ending = ticker.rsplit(".", 1)[1] if "." in ticker else ""
    implied = {SUFFIXES[ending]} if ending in SUFFIXES else set()
    held = known.get(ticker, set())
    if not exchange:
        found = held or implied or ({AMERICAN[0]} if BARE.fullmatch(ticker) else set())
        if len(found) == 1:
            return next(iter(found))
        what = f"names listings on {' and '.join(sorted(found))}" if found else "does not say its exchange"
        raise ConfigError(f"ticker {ticker} {what}.", "Name the one used for inference with --exchange.")
    wanted = held | implied
    is_american = not ending and exchange in AMERICAN
    if wanted and exchange not in wanted and not (is_american and wanted & set(AMERICAN)):
        said = f"ticker {ticker} is a listing on {' and '.join(sorted(wanted))}, not on {exchange}."
        raise ConfigError(said, "One listing is used for inference: name its own ticker and exchange.")
    return exchange
