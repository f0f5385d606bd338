"""A study as far as a runner needs it to judge a request: parameters, tables, calendar and prices, each opened once.

Nothing here estimates, tests or draws, so that it loads fast and refuses early.
"""

import contextlib
from collections.abc import Callable, Iterable
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from event_impact.base.config import StudyConfig, parse_story
from event_impact.base.csv_tables import Tables
from event_impact.base.errors import DataError
from event_impact.base.root import StudyRoot, find_root
from event_impact.estimation import models
from event_impact.events.articles import Story, load_story
from event_impact.events.sessions import Alignment, align_story
from event_impact.market.checks import refuse_halt, tell_stopping
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel, load_panel
from event_impact.market.snapshot import PriceStore, open_source
from event_impact.page.format import name_listing
from event_impact.registry.alignments import embedded_opens
from event_impact.registry.registration import default_source

ACCEPT_HINT = (
    "Mend the file; where they are right, fetch with --accept-suspicions, or give each a row with the action accept in "
    "data/faults.csv."
)


class OpenedStudy:
    """One story with its parameters, its articles on the calendar, and its prices; see :class:`Study`."""

    #: What the runner of this notebook opened before it forked the kernel.
    offered: "ClassVar[OpenedStudy | None]" = None
    #: Gives what another process computes already, by the name of its noun; None where none does.
    ahead: Callable[[str], Any] = dict[str, Any]().get

    def __init__(
        self, story: str | Story = StudyConfig.story, *, root: str | Path | None = None,
        prices: PriceStore | pd.DataFrame | None = None, **parameters: Any,
    ) -> None:  # fmt: skip
        self.root: StudyRoot = find_root(root)
        tables = Tables(self.root.data)
        held = story if isinstance(story, Story) else load_story(parse_story("story", story), tables)
        if isinstance(prices, pd.DataFrame):
            prices = PriceStore.of_frame(prices, tables)
        parameters["source"] = prices.source if prices is not None else parameters.get("source", default_source(held))
        config = StudyConfig.from_parameters(**parameters, story=held.story)
        benchmark = config.benchmark or held.benchmark
        store = prices or open_source(config.source, tables, (held.ticker, benchmark))
        if "as_of" not in parameters and held.story != StudyConfig.story:
            config = config.replace(as_of=find_last_session(store, held, benchmark))
        timing = align_story(held, as_of=config.as_of, opens=embedded_opens(held, tables))
        self.config, self.opened = config, OpenedStory(config, tables, held, timing, store)
        self._given = {"root": self.root.path, "prices": prices, "story": story}

    def offer(self) -> None:
        """Let a notebook that asks for the same study take this one, open as it is."""
        OpenedStudy.offered = self

    def serves(self, tables: Iterable[str], **parameters: Any) -> bool:
        """Whether it is the study of these parameters, and has opened none but these tables."""
        if self.config != StudyConfig.from_parameters(**{"source": default_source(self.story), **parameters}):
            return False
        return self.opened.tables.hash().keys() <= self.hash_tables(tables).keys()

    @property
    def name(self) -> str:
        """Id of the story."""
        return self.story.story

    @property
    def title(self) -> str:
        """What the story is about."""
        return self.story.title

    @property
    def as_of(self) -> date:
        """The last session whose prices may be seen."""
        return self.config.as_of

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters, with the story's benchmark filled in."""
        return self.opened.parameters

    @property
    def arguments(self) -> dict[str, Any]:
        """The parameters as they were asked for."""
        return self.config.as_parameters()

    def hash_tables(self, names: Iterable[str]) -> dict[str, str]:
        """sha256 of the named tables, of those that there are."""
        return self.opened.tables.hash(names)

    @property
    def heading(self) -> tuple[str, str]:
        """The first fact at the head of a page."""
        return "listing", name_listing(self.story.ticker, self.story.exchange)

    @property
    def story(self) -> Story:
        """The story with its articles."""
        return self.opened.story

    @property
    def timing(self) -> Alignment:
        """The sessions that each article can have reached, before any price is read."""
        return self.opened.timing

    @cached_property
    def returns(self) -> ReturnPanel:
        """Checked returns of the firm, its benchmark, and what else the model asks for."""
        return load_returns(self.opened)

    @cached_property
    def alignment(self) -> Alignment:
        """The sessions once more, and what the recorded prices can tell apart."""
        return self.timing.with_opens(self.returns.opens)

    def check(self) -> dict[str, str]:
        """Refuse now what later steps would refuse: prices that cannot serve. Gives the sha256 of their files.

        Raises
        ------
        StudyError
            Whatever the steps themselves raise.
        """
        check_event(self.opened, self.returns, self.alignment)
        design = design_model(self.opened, self.returns, "close_to_close")
        event, length, gap = self.alignment.event_session, self.config.estimation_sessions, self.config.gap_sessions
        used, _ = models.choose_estimation(design, event, length=length, gap=gap, masked=self.opened.masked)
        models.read_rows(design, used, asked_sessions=length)
        return hash_inputs(self.opened, self.returns)


def find_last_session(store: PriceStore, story: Story, benchmark: str) -> date:
    """The last session that a source has of both the listing and its benchmark: the ``as_of`` that nobody named.

    Raises
    ------
    DataError
        If it lacks one of them.
    """
    ends = []
    for ticker in (story.ticker, benchmark):
        try:
            ends.append(store.load(ticker, story.exchange).frame.index[-1])
        except DataError as error:
            if store.holds(ticker):
                raise
            named = f"a session from {align_story(story).event_session.date()} on with --as-of"
            raise DataError(f"as_of is not given, and {error.message}", f"Name {named}, or: {error.hint}") from error
    return pd.Timestamp(min(ends)).date()


def find_peers(opened: OpenedStory) -> tuple[str, ...]:
    """Peers that may explain the firm: same calendar, with figures, and no recorded news on the story's sessions.

    A peer that moved for reasons of its own would carry them into the firm's abnormal return.

    Raises
    ------
    DataError
        If none is left; the sentence says why each peer is not.
    """
    first, last = opened.timing.candidates[0], opened.timing.candidates[-1]
    usable, reasons = [], []
    for peer in opened.near_peers:
        own_news = opened.news_of(peer.ticker).between(first, last)
        try:
            opened.store.load(peer.ticker, opened.story.exchange)
        except DataError:
            reasons.append(f"{peer.ticker} has no figures")
            continue
        if len(own_news):
            reasons.append(f"{peer.ticker} has news of its own ({own_news['label'].iloc[0]})")
        else:
            usable.append(peer.ticker)
    if not usable:
        why = "; ".join(reasons) or "data/peers.csv lists none"
        raise DataError(f"model {opened.config.model}: no peer of {opened.story.ticker} can be used: {why}.",
                        "Use model=market.")  # fmt: skip
    return tuple(usable)


def load_beside(
    opened: OpenedStory, *others: str, ticker: str | None = None, with_factors: bool = False
) -> ReturnPanel:  # fmt: skip
    """Returns of the firm, or of another listing, its benchmark, and others of the same sessions, cut at as_of.

    Raises
    ------
    DataError
        If the source lacks one of them.
    """
    return load_panel(
        opened.store, ticker or opened.story.ticker, benchmark=opened.benchmark, exchange=opened.story.exchange,
        as_of=opened.config.as_of, others=others, with_factors=with_factors,
    )  # fmt: skip


def load_returns(opened: OpenedStory) -> ReturnPanel:
    """Returns of the firm and its benchmark, and of what else the model asks for, cut at as_of."""
    model = opened.config.model
    peers = find_peers(opened) if model in models.PEER_MODELS else ()
    return load_beside(opened, *peers, with_factors=model in models.FACTOR_COLUMNS)


def check_event(opened: OpenedStory, panel: ReturnPanel, alignment: Alignment) -> None:
    """Refuse what would make the event session no measure of the event: masks or wrong figures in windows, or a halt.

    Raises
    ------
    DataError
        Naming the session. One without any price is left to the estimate, which says what is missing.
    """
    hours, event, config = alignment.hours, alignment.event_session, opened.config
    last = hours.offset(event, max(last for _, last in (*config.windows, alignment.hull)))
    first = hours.offset(event, -config.gap_sessions - config.estimation_sessions)
    if said := tell_stopping(panel.doubts, dict.fromkeys(panel.doubts, (first, last))):
        raise DataError(said, ACCEPT_HINT)
    if len(opened.masked):
        first = hours.offset(event, min(first for first, _ in config.windows))
        inside = opened.masked.intersection(hours.between(first, last))
        if len(inside):
            told = f"mask: listed would mask {inside[0].date()}, which lies inside a tested window."
            raise DataError(told, "Use mask=none, or shorter windows.")
    if event in panel.prices.index:
        refuse_halt(panel.prices, event, panel.ticker)


def design_model(opened: OpenedStory, panel: ReturnPanel, return_kind: str) -> models.Design:
    """Response and regressors of the run's model for one return kind."""
    return models.build_design(
        opened.config.model, panel.returns[return_kind], ticker=panel.ticker, benchmark=panel.benchmark,
        return_kind=return_kind, factors=panel.factors,
        peers=tuple(c for c in panel.returns[return_kind].columns if c not in (panel.ticker, panel.benchmark)),
    )  # fmt: skip


def hash_inputs(opened: OpenedStory, panel: ReturnPanel) -> dict[str, str]:
    """sha256 of every price file that the numbers rest on, also those that curve and peers are made from.

    Factors and peers without figures are left out.
    """
    files: dict[str, str] = {}
    with contextlib.suppress(DataError):
        files |= opened.store.load_factors()[1]
    for peer in opened.listed:
        with contextlib.suppress(DataError):
            files |= opened.store.load(peer.ticker, peer.exchange).files
    return files | panel.inputs
