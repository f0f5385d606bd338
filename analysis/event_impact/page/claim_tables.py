"""The ledger of the articles' claims, the clock without a zone, and the estimate in money.

The declared articles, each opening to the evidence of its time, and the doubts about them.
"""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from html import escape

import pandas as pd

from event_impact.base.errors import StudyError
from event_impact.events.articles import Article
from event_impact.events.claims import CLAIM_STATISTICS, ArticleDoubt
from event_impact.events.sessions import Alignment
from event_impact.inference.claim_checks import CheckedClaim, ClockReading, Finding, read_clock
from event_impact.inference.windows import DollarEffect
from event_impact.page import format as form
from event_impact.page.exhibits import Column, Exhibit, TableExhibit, declare_table, frame_rows, record, show
from event_impact.page.finding import list_tested

STATUS_LABELS = form.read_labels("claim_tables.status_labels")
#: ``results/claims.csv``: every statement; each measured number is in ``measured`` as name=value.
LEDGER = (
    *record("claim_id=claim.claim_id article_id=claim.article_id kind=claim.kind statistic=claim.statistic status"),
    Column("decided_by", of=lambda c: "run" if c.claim.status == "computed" else "table"),
    Column("measured", of=lambda c: "; ".join(f"{n}={v!r}" for n, v, _ in c.finding.measures) if c.finding else ""),
    Column("rule", of=lambda c: c.finding.why if c.finding else CLAIM_STATISTICS[c.claim.statistic]),
    *record("paraphrase=claim.paraphrase reason=claim.reason"),
)
PARAPHRASE = Column("", "the article says (our words)", of="claim.paraphrase")
NO_CLAIMS = "No article of this story that was known at the as-of session is in the ledger."
MEASURED = Column("", "measured", lambda found: say_finding(found), of="finding")
STATUS = Column("", "status", STATUS_LABELS.__getitem__, of="status")


def tabulate_claims(claims: tuple[CheckedClaim, ...]) -> TableExhibit:
    """Claims on which a figure of the study bears: what was measured, the rule, the status."""
    columns = (PARAPHRASE, MEASURED, Column("", "rule, or recorded judgement", of=_why), STATUS)
    summary = ", ".join(f"{n} {label}" for label, n in Counter(STATUS_LABELS[c.status] for c in claims).most_common())
    said = form.say("captions.claims", n_claims=len(claims), summary=summary)
    caption, numbers = said if claims else f"What the articles claim. {NO_CLAIMS}", frame_rows(claims, LEDGER)
    return declare_table("claims", (c for c in claims if c.finding), columns, caption=caption, numbers=numbers)


FIRST_STATUSES = ("contradicted", "impossible", "impossible_in")


def tabulate_key_claims(claims: tuple[CheckedClaim, ...]) -> TableExhibit:
    """What the figures speak against first, then one statement a statistic."""
    held: dict[str, CheckedClaim] = {}
    for claim in sorted(claims, key=lambda c: c.status not in FIRST_STATUSES):
        if claim.status in FIRST_STATUSES or claim.finding is not None:
            held.setdefault(claim.claim.statistic if claim.finding else claim.claim.claim_id, claim)
    said = f"Statements that the figures contradict or bear on, one a statistic; all {len(claims)} are in the appendix."
    caption, numbers = said if claims else NO_CLAIMS, frame_rows(claims, LEDGER)
    return declare_table("key_claims", held.values(), (PARAPHRASE, MEASURED, STATUS), caption=caption, numbers=numbers)


def _why(checked: CheckedClaim) -> str:
    """The rule of a computed status, the recorded reason of a judged one."""
    is_computed = checked.claim.status == "computed" and checked.finding is not None
    return form.say("claim_tables.computed" if is_computed else "claim_tables.recorded", checked=checked)


def tabulate_other_claims(claims: tuple[CheckedClaim, ...]) -> TableExhibit:
    """Every other statement with its recorded status and the reason, folded."""
    shown = [c for c in claims if c.finding is None]
    said = f"The other {len(shown)} statements, on which no figure of this study bears."
    columns = (PARAPHRASE, *show("=claim.kind|kind"), STATUS, *show("=claim.reason|reason"), *LEDGER)
    caption = said if shown else "Other statements: none is recorded."
    return declare_table("other_claims", shown, columns, caption=caption, is_folded=True)


def say_finding(finding: Finding) -> str:
    """The measures of a finding, or ``n/a`` with the reason in the rule."""
    return "; ".join(f"{name} {UNITS[unit](value)}" for name, value, unit in finding.measures) or form.NOT_AVAILABLE


UNITS: dict[str, Callable[[float], str]] = {
    "return": form.format_percent,
    "share": lambda share: form.format_size(share, digits=0),
    "p": form.format_p,
    "hours": lambda hours: f"{hours:.1f}\u00a0h" if hours else "0\u00a0h (possibly at once)",
    "log": form.format_number,
    "count": lambda count: f"{count:.0f}",
}


def tabulate_clock(alignment: Alignment) -> TableExhibit:
    """The first clock time of the story without a zone, read in every zone, against the event session."""
    hours, day = alignment.hours, alignment.event_session.date()
    caption = "Clock times without a zone. No article of this story prints one."
    readings: tuple[ClockReading, ...] = ()
    for article in (e.article for e in alignment.articles if not e.article.zone):
        with suppress(StudyError):  # no minute is printed
            readings = read_clock(article, alignment)
            caption = form.say("captions.clock_zones", article=article, day=day)
            break
    columns = (
        Column("utc_offset", "read in", lambda offset: f"UTC{offset:+d}".replace("-", form.MINUS)),
        *show("instant|UTC|instant"),
        Column("", hours.city, of=lambda r: f"{r.instant.tz_convert(hours.timezone):%a %H:%M}"),
        *show("phase|exchange|words", "is_before_open|", f"is_before_close|before the close of {day}|yes"),
    )
    return declare_table("clock_zones", readings, columns, caption=caption, is_folded=bool(readings))


def tabulate_dollars(effects: tuple[DollarEffect, ...]) -> TableExhibit:
    """The declared pair in money."""
    columns = (
        Column("return_kind", "return", lambda kind: f"{form.RETURN_LABELS[kind]}, session 0", of="row.return_kind"),
        *record("shares=story.shares_outstanding shares_as_of=story.shares_as_of previous_close market_value"),
        *show("estimate|estimate|money|note"),
        Column("", "95 % interval", "written", of=_say_interval),
        *show("ci95_low|", "ci95_high|", "=mde80_rule|detectable 4 in 5 from|amount", "mde80_rule|", "note|"),
    )
    known = [form.say("claim_tables.basis", effect=e) for e in effects if e.market_value is not None]
    return declare_table("dollar_effect", effects, columns, basis=[*known, "No amount can be given."][0])


def _say_interval(effect: DollarEffect) -> str | None:
    ends = [form.format_money(end) for end in (effect.ci95_low, effect.ci95_high) if end is not None]
    return " to ".join(ends) or None


FIELDS = form.read_labels("claim_tables.fields")


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
        names = ("article_id", "role", "outlet", "published_earliest", "published_latest", "url", *FIELDS)
        return frame_rows(self.articles, record(" ".join(names)))

    def _repr_html_(self) -> str:
        items = "".join(map(self._show, self.articles))
        doubts = ""
        for d in self.doubts:
            doubts += f"<li>{escape(d.text)}. {_link(d.source, d.url)}. <strong>{escape(d.consequence)}</strong></li>"
        said = f"<p><strong>Doubts.</strong></p><ul>{doubts}</ul>" if doubts else ""
        return f'<section class="evidence exhibit" id="{self.name}" aria-label="Evidence of the times">{items}{said}</section>'

    def _show(self, article: Article) -> str:
        first, last = article.published_earliest, article.published_latest
        local = f"{first.tz_convert(self.zone):%a %H:%M} to {last.tz_convert(self.zone):%a %H:%M}"
        rows = ""
        for name, label in FIELDS.items():
            if held := getattr(article, name):
                rows += f"<dt>{label}</dt><dd>{escape(self._name_articles(str(held).replace('_', ' ')))}</dd>"
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
    declared = tuple(e.article for e in list_tested(alignment))
    outlets = {e.article.article_id: e.article.outlet for e in alignment.articles}
    return EvidenceExhibit(declared, doubts, alignment.hours.timezone, outlets)


def _link(text: str, url: str) -> str:
    return f'<a href="{escape(url)}">{escape(text)}</a>' if url else f"{escape(text)} (no address)"
