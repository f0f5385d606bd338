"""The declared articles, each opening to the evidence of its time, and the doubts about them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

import pandas as pd

from event_impact.events.articles import Article
from event_impact.events.doubts import ArticleDoubt
from event_impact.events.sessions import Alignment
from event_impact.page.exhibits import Exhibit

FIELDS = (
    ("as printed", "time_as_printed"), ("zone", "zone"), ("zone known by", "zone_basis"),
    ("not before", "earliest_basis"), ("not after", "latest_basis"), ("confidence", "confidence"),
    ("what it says", "paraphrase"), ("note", "notes"),
)  # fmt: skip


@dataclass(frozen=True)
class EvidenceExhibit(Exhibit):
    """When each declared article can have appeared, and why; what would change if a doubt were right."""

    articles: tuple[Article, ...]
    doubts: tuple[ArticleDoubt, ...]
    zone: str
    outlets: dict[str, str]
    name: str = "evidence"

    @property
    def numbers(self) -> pd.DataFrame:  # type: ignore[override]  # a field of other exhibits, derived here
        """Bounds, their bases and the address of every declared article."""
        names = ("article_id", "role", "outlet", "published_earliest", "published_latest", "url")
        return pd.DataFrame([{n: getattr(a, n) for n in (*names, *(f for _, f in FIELDS))} for a in self.articles])

    def _repr_html_(self) -> str:
        items = "".join(map(self._show, self.articles))
        doubts = "".join(
            f"<li>{escape(d.text)}. {_link(d.source, d.url)}. <strong>{escape(d.consequence)}</strong></li>"
            for d in self.doubts
        )
        said = f"<p><strong>Doubts.</strong></p><ul>{doubts}</ul>" if doubts else ""
        return f'<section class="evidence exhibit" id="{self.name}" aria-label="Evidence of the times">{items}{said}</section>'

    def _show(self, article: Article) -> str:
        first, last = article.published_earliest, article.published_latest
        local = f"{first.tz_convert(self.zone):%a %H:%M} to {last.tz_convert(self.zone):%a %H:%M}"
        rows = "".join(
            f"<dt>{label}</dt><dd>{escape(self._name_articles(str(getattr(article, name)).replace('_', ' ')))}</dd>"
            for label, name in FIELDS
            if getattr(article, name)
        )
        source = f"<dt>source</dt><dd>{_link(article.outlet, article.url)}</dd>"
        return (
            f"<details><summary><strong>{article.role.capitalize()}</strong>, {escape(article.outlet)}: between "
            f"{first:%a} {first.day} {first:%b %H:%M} and {last:%a} {last.day} {last:%b %H:%M} UTC ({local} at the "
            f"exchange)</summary><dl>{rows}{source}</dl></details>"
        )

    def _name_articles(self, text: str) -> str:
        """A note of the table with its ids of articles as the names of their outlets."""
        return re.sub(r"[\w-]+", lambda found: self.outlets.get(found[0], found[0]), text)


def show_evidence(alignment: Alignment, doubts: tuple[ArticleDoubt, ...]) -> EvidenceExhibit:
    """Reports and denials with the evidence of their times."""
    declared = tuple(e.article for e in alignment.articles if e.article.role in ("report", "denial"))
    outlets = {e.article.article_id: e.article.outlet for e in alignment.articles}
    return EvidenceExhibit(declared, doubts, alignment.hours.timezone, outlets)


def _link(text: str, url: str) -> str:
    shown = escape(text)
    return f'<a href="{escape(url)}">{shown}</a>' if url else f"{shown} (no address)"
