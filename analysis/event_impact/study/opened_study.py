"""A study as far as a runner needs it to judge a request: parameters, tables, calendar and prices, each opened once.

Nothing here estimates, tests or draws, so that it loads fast and refuses early.
"""

from collections.abc import Callable, Iterable
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from event_impact.base.config import StudyConfig, parse_story
from event_impact.base.csv_tables import Tables
from event_impact.base.root import StudyRoot, find_root
from event_impact.events.articles import Story, load_story
from event_impact.events.sessions import Alignment, align_story
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel
from event_impact.market.snapshot import PriceStore, open_source
from event_impact.page.format import name_listing
from event_impact.registry.alignments import embedded_opens
from event_impact.registry.registration import default_source
from event_impact.study import opening


class OpenedStudy:
    """One story with its parameters, its articles on the calendar, and its prices; see :class:`Study`."""

    offered: "ClassVar[OpenedStudy | None]" = None
    """What the runner of this notebook opened before it forked the kernel."""
    ahead: Callable[[str], Any] = dict[str, Any]().get
    """Gives what another process computes already, by the name of its noun; None where none does."""

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
            config = config.replace(as_of=opening.find_last_session(store, held, benchmark))
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
        return opening.load_returns(self.opened)

    @cached_property
    def alignment(self) -> Alignment:
        """The sessions once more, and what the recorded prices can tell apart."""
        return self.timing.with_opens(self.returns.opens)

    def check(self) -> dict[str, str]:
        """Refuse now what later steps would refuse: prices that cannot serve. Gives the sha256 of their files."""
        opening.check_prices_serve(self.opened, self.returns, self.alignment)
        return opening.hash_inputs(self.opened, self.returns)
