"""The ledger of the articles' claims, the clock without a zone, and the estimate in money."""

from __future__ import annotations

import pandas as pd

from event_impact.base.errors import StudyError
from event_impact.events.claims import CLAIM_STATISTICS
from event_impact.events.sessions import Alignment
from event_impact.inference.claim_checks import CheckedClaim, Finding, read_clock
from event_impact.inference.dollar_effect import DollarEffect
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import MINUS, RETURN_LABELS, format_count, format_p, format_percent

STATUS_LABELS = {
    "supported": "supported",
    "contradicted": "contradicted",
    "untestable": "untestable",
    "documentary": "documentary",
    "timing_impossible": "impossible in time",
}
LEDGER_COLUMNS = (
    "claim_id", "article_id", "kind", "statistic", "status", "decided_by", "measured", "rule", "paraphrase", "reason",
)  # fmt: skip


def tabulate_claims(claims: tuple[CheckedClaim, ...]) -> TableExhibit:
    """Claims on which a figure of the study bears: what was measured, the rule, the status."""
    shown = [c for c in claims if c.finding is not None]
    cells = pd.DataFrame(
        {
            "the article says (our words)": [c.claim.paraphrase for c in shown],
            "measured": [say_finding(c.finding) for c in shown],
            "rule, or recorded judgement": [_why(c) for c in shown],
            "status": [STATUS_LABELS[c.status] for c in shown],
        },
        index=[f"{c.claim.claim_id} ({c.claim.article_id})" for c in shown],
    )
    counts = pd.Series([STATUS_LABELS[c.status] for c in claims], dtype=object).value_counts()
    summary = ", ".join(f"{n} {label}" for label, n in counts.items()) or "none"
    caption = (
        f"What the articles claim and the figures can speak to. Of all {len(claims)} statements: {summary}. A raw "
        "price decides by its sign; an abnormal return only when its 95 % interval leaves out zero; a motive is never "
        "tested. Statuses that no rule computes are recorded judgements."
        if claims
        else "What the articles claim. No article of this story that was known at the as-of session is in the ledger."
    )
    return TableExhibit(
        name="claims",
        cells=cells,
        row_header="claim",
        caption=caption,
        numbers=ledger_frame(claims),
    )


def _why(checked: CheckedClaim) -> str:
    """The rule of a computed status, the recorded reason of a judged one."""
    if checked.claim.status != "computed" or checked.finding is None:
        return f"recorded: {checked.claim.reason}"
    return f"computed: {checked.finding.why}"


def tabulate_other_claims(claims: tuple[CheckedClaim, ...]) -> TableExhibit:
    """Every other statement with its recorded status and the reason, folded."""
    shown = [c for c in claims if c.finding is None]
    cells = pd.DataFrame(
        {
            "the article says (our words)": [c.claim.paraphrase for c in shown],
            "kind": [c.claim.kind for c in shown],
            "status": [STATUS_LABELS[c.status] for c in shown],
            "reason": [c.claim.reason for c in shown],
        },
        index=[f"{c.claim.claim_id} ({c.claim.article_id})" for c in shown],
    )
    return TableExhibit(
        name="other_claims",
        cells=cells,
        row_header="claim",
        caption=(
            f"The other {len(shown)} statements, on which no figure of this study bears."
            if shown
            else "Other statements: none is recorded."
        ),
        numbers=ledger_frame(tuple(shown)),
        is_folded=True,
    )


def ledger_frame(claims: tuple[CheckedClaim, ...]) -> pd.DataFrame:
    """``results/claims.csv``: every statement, one row each measured number is in ``measured`` as name=value."""
    return pd.DataFrame(
        [
            {
                "claim_id": c.claim.claim_id,
                "article_id": c.claim.article_id,
                "kind": c.claim.kind,
                "statistic": c.claim.statistic,
                "status": c.status,
                "decided_by": "run" if c.claim.status == "computed" else "table",
                "measured": "; ".join(f"{n}={v!r}" for n, v, _ in c.finding.measures) if c.finding else "",
                "rule": c.finding.why if c.finding else CLAIM_STATISTICS[c.claim.statistic],
                "paraphrase": c.claim.paraphrase,
                "reason": c.claim.reason,
            }
            for c in claims
        ],
        columns=list(LEDGER_COLUMNS),
    )


def say_finding(finding: Finding | None) -> str:
    """The measures of a finding, or ``n/a`` with the reason in the rule."""
    if finding is None or not finding.measures:
        return "n/a"
    return "; ".join(f"{name} {_say_measure(value, unit)}" for name, value, unit in finding.measures)


def _say_measure(value: float, unit: str) -> str:
    if unit == "return":
        return format_percent(value)
    if unit == "share":
        return format_percent(value, digits=0, sign=False)
    if unit == "p":
        return format_p(value)
    if unit == "hours":
        return f"{value:.1f}\u00a0h"
    if unit == "log":
        return f"{value:+.2f}".replace("-", MINUS)
    return f"{value:.0f}"


def tabulate_clock(alignment: Alignment, article_id: str = "") -> TableExhibit:
    """A clock time without a zone, read in every zone, against the event session.

    Parameters
    ----------
    article_id : str
        Default: the first article of the story that prints a minute without a zone.
    """
    session = alignment.event_session
    unzoned = [
        e.article
        for e in alignment.articles
        if not e.article.zone and (e.article.article_id == article_id or not article_id)
    ]
    readings, article = (), None
    for candidate in unzoned:
        try:
            readings, article = read_clock(candidate, alignment), candidate
            break
        except StudyError:
            continue
    frame = pd.DataFrame(
        {
            "utc_offset": [r.utc_offset for r in readings],
            "instant": [r.instant for r in readings],
            "phase": [r.phase for r in readings],
            "is_before_open": [r.is_before_open for r in readings],
            "is_before_close": [r.is_before_close for r in readings],
        }
    )
    cells = pd.DataFrame(
        {
            "UTC": [r.instant.strftime("%a %Y-%m-%d %H:%M") for r in readings],
            alignment.hours.city: [f"{r.instant.tz_convert(alignment.hours.timezone):%a %H:%M}" for r in readings],
            "exchange": [r.phase.replace("_", " ") for r in readings],
            f"before the close of {session.date()}": ["yes" if r.is_before_close else "no" for r in readings],
        },
        index=[f"UTC{r.utc_offset:+d}".replace("-", MINUS) for r in readings],
    )
    caption = (
        f"The stamp {article.time_as_printed} of {article.article_id}, which names no zone, read in every whole-hour "
        f"zone. A text stamped before the close cannot describe the session of {session.date()} as finished."
        if article
        else "Clock times without a zone. No article of this story prints one."
    )
    return TableExhibit(
        name="clock_zones",
        cells=cells,
        row_header="read in",
        caption=caption,
        numbers=frame,
        is_folded=bool(readings),
    )


def tabulate_dollars(effects: tuple[DollarEffect, ...]) -> TableExhibit:
    """The declared pair in money."""
    cells = pd.DataFrame(
        {
            "estimate": [_money(e.estimate, e.note) for e in effects],
            "95 % interval": [
                f"{_money(e.ci95_low, '')} to {_money(e.ci95_high, '')}" if e.ci95_low is not None else "n/a"
                for e in effects
            ],
            "detectable 4 in 5 from": [_money(e.mde80, "", sign=False) for e in effects],
        },
        index=[RETURN_LABELS[e.row.return_kind] + ", session 0" for e in effects],
    )
    numbers = pd.DataFrame(
        [
            {
                "return_kind": e.row.return_kind,
                "shares": e.shares,
                "shares_as_of": e.shares_as_of,
                "previous_close": e.previous_close,
                "market_value": e.market_value,
                "estimate": e.estimate,
                "ci95_low": e.ci95_low,
                "ci95_high": e.ci95_high,
                "mde80": e.mde80,
                "note": e.note,
            }
            for e in effects
        ]
    )
    known = next((e for e in effects if e.market_value is not None), None)
    basis = (
        f"{format_count(known.shares or 0)} shares on {known.shares_as_of} ({known.shares_source}) times the close "
        f"before of {known.previous_close:.2f}: a market value of {_money(known.market_value, '', sign=False)}."
        if known
        else "No amount can be given."
    )
    return TableExhibit(
        name="dollar_effect",
        cells=cells,
        row_header="return",
        caption=(
            f"The same estimates in money, billions in the currency of the listing. Arithmetic, not evidence: {basis} "
            "The interval is as wide as that of the return, and it belongs to all news of the session."
        ),
        numbers=numbers,
    )


def _money(value: float | None, note: str, *, sign: bool = True) -> str:
    if value is None:
        return f"n/a: {note}" if note else "n/a"
    text = f"{abs(value) / 1e9:.2f}\u00a0bn"
    if float(f"{abs(value) / 1e9:.2f}") == 0 or not sign:
        return text
    return (MINUS if value < 0 else "+") + text
