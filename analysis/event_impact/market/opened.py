"""One story, opened once: its articles, what else happened, its prices."""

from __future__ import annotations

from dataclasses import dataclass

from event_impact.base.config import StudyConfig
from event_impact.base.root import StudyRoot
from event_impact.events.articles import Story
from event_impact.events.confounders import Confounders
from event_impact.market.snapshot import PriceStore, digest

TABLES = (
    "stories.csv", "articles.csv", "confounders.csv", "claims.csv", "peers.csv", "controls.csv", "faults.csv",
    "manifest.csv", "venues.csv",
)  # fmt: skip


OPTIONAL_TABLES = ("plans.csv",)


@dataclass(frozen=True)
class OpenedStory:
    """One story, opened: its articles, what else happened, and the prices of its source.

    Attributes
    ----------
    config : StudyConfig
        The validated parameters.
    root : StudyRoot
        The folders of the study.
    story : Story
        Its articles.
    confounders : Confounders
        Other recorded news of the listing, as known at ``as_of``.
    store : PriceStore
        The source of its prices.
    """

    config: StudyConfig
    root: StudyRoot
    story: Story
    confounders: Confounders
    store: PriceStore

    @property
    def benchmark(self) -> str:
        """The benchmark asked for, or the story's own."""
        return self.config.benchmark or self.story.benchmark

    @property
    def table_hashes(self) -> dict[str, str]:
        """sha256 of the hand-curated tables, and of the frozen plans where there are any."""
        held = [*TABLES, *(name for name in OPTIONAL_TABLES if (self.root.data / name).is_file())]
        return {f"data/{name}": digest((self.root.data / name).read_bytes()) for name in held}
