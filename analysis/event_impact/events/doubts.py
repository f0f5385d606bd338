"""Doubts about the bounds of a story's articles, and what would change if each were right."""

from dataclasses import dataclass, replace
from pathlib import Path

from event_impact.base.csv_tables import Tables, check_row, open_tables
from event_impact.events.articles import parse_instant
from event_impact.events.sessions import Alignment, align_story

DOUBT_COLUMNS = ("story", "article_id", "published_earliest", "published_latest", "doubt", "source", "url")


@dataclass(frozen=True)
class ArticleDoubt:
    """One doubt: the article's other bounds, and the sessions and the identification that would follow from them."""

    article_id: str
    text: str
    source: str
    url: str
    consequence: str


def load_doubts(alignment: Alignment, data: Path | Tables) -> tuple[ArticleDoubt, ...]:
    """The doubts that are recorded for a story, each carried to the calendar; none where there is no table.

    Raises
    ------
    DataError
        If a doubt names an article that the story does not have, or no instants.
    """
    tables = open_tables(data)
    if not tables.holds("doubts.csv"):
        return ()
    found = []
    for row in tables.read("doubts.csv", DOUBT_COLUMNS).to_dict("records"):
        if row["story"] != alignment.story.story:
            continue
        where = f"doubts.csv, {row['article_id']}"
        earliest, latest = (parse_instant(row[name], where) for name in DOUBT_COLUMNS[2:4])
        story = alignment.story
        by_id = {a.article_id: a for a in story.articles}
        check_row(row["article_id"] in by_id, where, f"{story.story} has no such article")
        own = by_id[row["article_id"]]
        by_id[own.article_id] = replace(own, published_earliest=earliest, published_latest=latest)
        other = align_story(replace(story, articles=tuple(by_id.values())))
        said = _compare(alignment, other)
        found.append(ArticleDoubt(row["article_id"], row["doubt"], row["source"], row["url"], said))
    return tuple(found)


def _compare(now: Alignment, then: Alignment) -> str:
    """What the other bounds change, in a sentence."""
    same_sessions = list(now.reachable) == list(then.reachable)
    if same_sessions and now.identification.kind == then.identification.kind:
        return "Then the session and what can be told apart stay the same."
    said = []
    if not same_sessions:
        listed = ", ".join(f"{s:%A} {s.day} {s:%B}" for s in then.reachable)
        said.append(f"the news could have reached {listed}")
    if now.identification.kind != then.identification.kind:
        said.append(f"report and denial would be {then.identification.kind.replace('_', ' ')} rather than "
                    f"{now.identification.kind.replace('_', ' ')}")  # fmt: skip
    return f"Then {' and '.join(said)}: a set of days would have to be judged in the place of one."
