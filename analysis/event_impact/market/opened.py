"""One story, opened once: its articles on the calendar, what else happened, its prices."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import pandas as pd

from event_impact.base.config import StudyConfig
from event_impact.base.csv_tables import Tables
from event_impact.events.articles import Story
from event_impact.events.confounders import Confounders, load_confounders
from event_impact.events.peer_lists import Peer, load_peers
from event_impact.events.sessions import Alignment
from event_impact.market.snapshot import PriceStore

#: They keep the same sessions.
US_EXCHANGES = frozenset(("XNYS", "XNAS"))


class Lengths(TypedDict):
    """Of the estimation window and of the gap after it, in sessions."""

    estimation_sessions: int
    gap_sessions: int


@dataclass(frozen=True)
class OpenedStory:
    """One story with its parameters: its articles, what else happened, and the prices of its source.

    Attributes
    ----------
    config : StudyConfig
        The validated parameters.
    tables : Tables
        The hand-curated tables, open.
    story : Story
        Its articles.
    timing : Alignment
        The articles on the calendar as they were known at ``as_of``, before any price is read.
    store : PriceStore
        The source of its prices.
    """

    config: StudyConfig
    tables: Tables
    story: Story
    timing: Alignment
    store: PriceStore

    @property
    def benchmark(self) -> str:
        """The benchmark asked for, or the story's own."""
        return self.config.benchmark or self.story.benchmark

    @property
    def lengths(self) -> Lengths:
        """As the measuring functions take them."""
        return {"estimation_sessions": self.config.estimation_sessions, "gap_sessions": self.config.gap_sessions}

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters with the story's benchmark filled in: no default stays silent."""
        return {**self.config.as_parameters(), "benchmark": self.benchmark}

    @property
    def as_of(self) -> pd.Timestamp:
        """The last session whose prices may be seen, as a label."""
        return pd.Timestamp(self.config.as_of)

    @property
    def known_at(self) -> pd.Timestamp:
        """The close of that session: what became public later is not seen."""
        return self.timing.hours.close_at(self.as_of)

    def news_of(self, ticker: str) -> Confounders:
        """What else is recorded of a listing; the story itself is no other news."""
        return load_confounders(ticker, self.tables, known_at=self.known_at, story=self.story.story)

    @cached_property
    def confounders(self) -> Confounders:
        """What else is recorded of the story's own listing."""
        return self.news_of(self.story.ticker)

    @property
    def masked(self) -> pd.DatetimeIndex:
        """Sessions that the run leaves out of its estimation window."""
        listed = self.confounders.masked_sessions
        return listed if self.config.mask == "listed" else listed[:0]

    @cached_property
    def listed(self) -> tuple[Peer, ...]:
        """Peers and counterparties of the firm."""
        return load_peers(self.story.ticker, self.tables)

    @property
    def near_peers(self) -> tuple[Peer, ...]:
        """Peers whose exchange keeps the firm's sessions."""
        return tuple(p for p in self.listed if p.role == "peer" and self.shares_sessions(p))

    def shares_sessions(self, peer: Peer) -> bool:
        """Whether a listing trades on the sessions of the firm."""
        return peer.exchange == self.story.exchange or {peer.exchange, self.story.exchange} <= US_EXCHANGES
