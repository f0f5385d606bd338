"""What a provider of prices promises, whoever it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pandas as pd


@dataclass(frozen=True)
class Answer:
    """One answer of a provider.

    Attributes
    ----------
    frame : pandas.DataFrame
        Index instants with a zone; columns in the study's names (see :class:`Provider`).
    metadata : dict of str to str
        What the answer says of the listing: ``currency``, ``exchangeName``, ``instrumentType``, ``firstTradeDate``.
    raw : bytes
        The answer as it was sent, before anything read it; empty where the provider cannot give it.
    remarks : tuple of str
        What of the request could not be had, in words.
    """

    ticker: str
    frame: pd.DataFrame
    metadata: dict[str, str]
    raw: bytes = b""
    remarks: tuple[str, ...] = ()


class Provider(Protocol):
    """Where prices come from. A distribution offers one under the entry point group ``event_impact.providers``.

    The entry point names a callable without arguments that gives the provider. Every method raises
    :class:`~event_impact.base.errors.DataError` with a sentence where there is no answer (say whether the
    provider is down or the ticker unknown), and :class:`~event_impact.base.errors.RateLimitError` where it asks
    to wait; it repeats what may pass, within bounds, and never gives an empty frame. Missing figures are NaN.

    Attributes
    ----------
    name : str
        Lower-case; vintages are cited by it.
    bar_reach : mapping of int to int
        Minutes of a bar -> days for which the provider still has such bars; empty where it has none.
    packages : tuple of str
        Distributions whose versions a vintage names.
    """

    name: str
    packages: tuple[str, ...]
    bar_reach: Mapping[int, int]

    def daily(self, ticker: str, first: date, last: date) -> Answer:
        """Sessions of these days, both included: index midnights of the exchange; open, high, low, close, volume,
        dividend, split (new shares for an old one, 0 where none), and adj_close where there is one. Prices are
        corrected for splits, not for dividends; dividends stand on their ex-date, in the unit of the prices."""

    def bars(self, ticker: str, minutes: int, first: date, last: date) -> Answer:
        """Bars of these days, both included, extended hours too: index the instants at which they begin;
        open, high, low, close, volume."""

    def actions(self, ticker: str, first: date, last: date) -> Answer:
        """A second opinion: the columns of :meth:`daily` as the provider, or its package, would correct them."""

    def earnings(self, ticker: str) -> Answer:
        """Announcements, past and expected: index their clocks (midnight where only the day is known); is_reported."""
