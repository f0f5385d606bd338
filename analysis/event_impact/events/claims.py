"""What the articles of a story claim, statement by statement in our own words, and what is doubted of their bounds.

Each claim names the statistic that could test it. ``computed`` leaves the status to the run; every other status is a
judgement recorded in the table, with its reason and its evidence. Claims about a price are claims of a fall or of a small
move: the vocabulary of statistics says which.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from event_impact.base.csv_tables import Tables, check_row, check_unique, check_words, open_tables
from event_impact.events.articles import Article, parse_instant
from event_impact.events.sessions import Alignment, align_story

CLAIM_COLUMNS = ("claim_id", "article_id", "paraphrase", "kind", "statistic", "status", "reason")
CLAIM_KINDS = ("price", "timing", "mechanism", "documentary", "promotional", "opinion", "outlook")
RECORDED_STATUSES = ("supported", "contradicted", "not_established", "untestable", "documentary")
#: What tables of version 0.1 say, and how it is read now: the zones are counted by the run.
FORMER_STATUSES = {"timing_impossible": "computed"}
#: Figures that tables of version 0.1 set beside statements on which they do not bear.
FORMER_STATISTICS = dict.fromkeys(("prior_letter_ar", "writedown_ar", "volume_surprise", "range_surprise"), "none")
CLAIM_STATUSES = (*RECORDED_STATUSES, "computed")
NO_STATISTIC = "none"
#: What each statistic asks, in words.
CLAIM_STATISTICS = {
    "raw_close_to_close": "the share closed lower than at the close before",
    "raw_close_to_open": "the share opened lower than it had closed",
    "raw_open_to_close": "the share closed lower than it had opened",
    "abs_return_percentile": "the move was small among those of the estimation window",
    "ar_close_to_close": "the abnormal return was negative, close to close",
    "ar_close_to_open": "the abnormal return was negative at the open",
    "ar_open_to_close": "the abnormal return was negative from the open to the close",
    "article_before_close": "the text can describe a finished session",
    "order_report_denial": "each denial followed the report",
    "denial_delay": "the denials came before the next opening price",
    "weekend_window": "report and denials appeared while the exchange was shut",
    NO_STATISTIC: "no figure of this study bears on it",
}


@dataclass(frozen=True)
class Claim:
    """One statement of an article.

    ``evidence`` holds article ids, confounder sessions (``F 2025-12-16``) or addresses, separated by semicolons; it is
    empty where the run decides, and where nothing can bear on the statement.
    """

    claim_id: str
    article_id: str
    paraphrase: str
    kind: str
    statistic: str
    status: str
    reason: str
    evidence: str = ""


def load_claims(articles: tuple[Article, ...], data: Path | Tables) -> tuple[Claim, ...]:
    """Claims of the given articles, in the order of the table; articles not among them are left out.

    Pass the articles that were known at ``as_of``, so that a run never judges what was not yet published.

    Parameters
    ----------
    articles : tuple of Article
        Whose claims are wanted.
    data : pathlib.Path
        Folder of the tables.

    Returns
    -------
    tuple of Claim

    Raises
    ------
    DataError
        For a malformed row, or an id that occurs twice.
    """
    table = open_tables(data).read("claims.csv", CLAIM_COLUMNS)
    table = table.assign(
        status=table["status"].replace(FORMER_STATUSES), statistic=table["statistic"].replace(FORMER_STATISTICS)
    )
    for row in table.to_dict("records"):
        where = f"claims.csv, {row['claim_id'] or 'a row without claim_id'}"
        check_words(row, where, kind=CLAIM_KINDS, statistic=CLAIM_STATISTICS, status=CLAIM_STATUSES)
        is_whole = all(row[name] for name in ("claim_id", "paraphrase", "reason"))
        check_row(is_whole, where, "id, paraphrase and reason are needed")
        is_tested = row["status"] != "computed" or row["statistic"] != NO_STATISTIC
        check_row(is_tested, where, "a computed status needs a statistic", "Name one, or judge the claim by hand.")
    check_unique(table["claim_id"], "claims.csv")
    known = {article.article_id for article in articles}
    rows: pd.DataFrame = table[table["article_id"].isin(known)]
    return tuple(
        Claim(**{name: row[name] for name in CLAIM_COLUMNS}, evidence=row.get("evidence", ""))
        for row in rows.to_dict("records")
    )


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
    found, story, doubts = [], alignment.story, tables.read("doubts.csv", DOUBT_COLUMNS)
    for row in doubts[doubts["story"] == story.story].to_dict("records"):
        where, by_id = f"doubts.csv, {row['article_id']}", {a.article_id: a for a in story.articles}
        earliest, latest = (parse_instant(row[name], where) for name in DOUBT_COLUMNS[2:4])
        check_row(row["article_id"] in by_id, where, f"{story.story} has no such article")
        own = by_id[row["article_id"]]
        by_id[own.article_id] = replace(own, published_earliest=earliest, published_latest=latest)
        said = _compare(alignment, align_story(replace(story, articles=tuple(by_id.values()))))
        found.append(ArticleDoubt(row["article_id"], row["doubt"], row["source"], row["url"], said))
    return tuple(found)


def _compare(now: Alignment, then: Alignment) -> str:
    """What the other bounds change, in a sentence."""
    same_sessions = list(now.reachable) == list(then.reachable)
    before, after = (a.identification.kind.replace("_", " ") for a in (now, then))
    if same_sessions and before == after:
        return "Then the session and what can be told apart stay the same."
    said = []
    if not same_sessions:
        listed = ", ".join(f"{s:%A} {s.day} {s:%B}" for s in then.reachable)
        said.append(f"the news could have reached {listed}")
    if before != after:
        said.append(f"report and denial would be {after} rather than {before}")
    return f"Then {' and '.join(said)}: a set of days would have to be judged in the place of one."
