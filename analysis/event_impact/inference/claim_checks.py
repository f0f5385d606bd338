"""Each claim of the articles against the figures of this run, by explicit rule.

A raw price is a fact: its sign decides. An abnormal return has an error: its sign counts only when the 95 %
interval leaves out zero. A motive is never tested. What the table already judges stays as judged, with
the measurement beside it.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from event_impact.base.config import MAX_SMALL_PERCENTILE
from event_impact.base.errors import StudyError
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.events.articles import Article
from event_impact.events.claims import NO_STATISTIC, Claim
from event_impact.events.sessions import Alignment
from event_impact.inference.deciding_rule import invert_window
from event_impact.market.returns import RETURN_KINDS, ReturnPanel

#: Offsets from UTC, in hours, that a clock on the wall can have.
EASTERNMOST, WESTERNMOST = 14, -12
SHUT = ("weekend", "holiday", "after_close", "pre_open")


@dataclass(frozen=True)
class Finding:
    """What the figures say about one statistic.

    Attributes
    ----------
    decision : str
        ``supported``, ``contradicted``, ``not_established`` (a figure bears on it and leaves it open), ``impossible``,
        or ``impossible_in`` (some of the readings of its clock; the measures count them).
    measures : tuple of (str, float, str)
        Name, value and unit (``return``, ``share``, ``hours``, ``count``).
    why : str
        The rule that led to the decision.
    """

    statistic: str
    decision: str
    measures: tuple[tuple[str, float, str], ...]
    why: str


#: Decision, measures and why: what a check returns, the statistic is the claim's.
Found = tuple[str, tuple[tuple[str, float, str], ...], str]


@dataclass(frozen=True)
class CheckedClaim:
    """A claim with its status in this run."""

    claim: Claim
    status: str
    finding: Finding | None


@dataclass(frozen=True)
class ClaimContext:
    """What the checks may look at.

    Attributes
    ----------
    abnormal : dict of str to AbnormalReturns
        By return kind; a kind that cannot be measured is absent.
    """

    panel: ReturnPanel
    alignment: Alignment
    abnormal: dict[str, AbnormalReturns]


def check_claims(claims: tuple[Claim, ...], context: ClaimContext) -> tuple[CheckedClaim, ...]:
    """Decide every ``computed`` claim and measure beside every other that names a statistic.

    Parameters
    ----------
    claims : tuple of Claim
        Those of the articles known at ``as_of``.
    context : ClaimContext
        What the study measured.

    Returns
    -------
    tuple of CheckedClaim
        In the same order.
    """
    found: dict[tuple[str, str], Finding] = {}
    checked = []
    for claim in claims:
        key = (claim.statistic, claim.article_id if claim.statistic == "article_before_close" else "")
        if claim.statistic != NO_STATISTIC and key not in found:
            found[key] = find(claim, context)
        finding = found.get(key)
        status = finding.decision if finding and claim.status == "computed" else claim.status
        checked.append(CheckedClaim(claim, status, finding))
    return tuple(checked)


def find(claim: Claim, context: ClaimContext) -> Finding:
    """The finding for the statistic of a claim; what cannot be measured is not established, with the reason."""
    try:
        return Finding(claim.statistic, *FINDERS[claim.statistic](claim, context))
    except StudyError as error:
        return Finding(claim.statistic, "not_established", (), f"n/a: {error.message}")


def find_raw_sign(claim: Claim, context: ClaimContext) -> Found:
    """Supported when the raw return of the event session is below zero."""
    value = _raw_return(claim.statistic.removeprefix("raw_"), context)
    decision = "supported" if value < 0 else "contradicted"
    return decision, (("raw return", value, "return"),), "supported if the raw return is below zero"


def _raw_return(kind: str, context: ClaimContext) -> float:
    series = context.panel.returns[kind][context.panel.ticker]
    value = float(series.get(context.alignment.event_session, np.nan))
    if not np.isfinite(value):
        raise StudyError(f"no {kind.replace('_', ' ')} return is recorded on the event session.")
    return value


def find_small_move(claim: Claim, context: ClaimContext) -> Found:
    """Supported when |raw return| ranks at or below the limit among the estimation sessions."""
    value = _raw_return("close_to_close", context)
    fit = context.abnormal["close_to_close"].fit
    sizes = context.panel.returns["close_to_close"][context.panel.ticker].reindex(fit.sessions).abs().to_numpy()
    share = float(np.mean(sizes <= abs(value)))
    decision = "supported" if share <= MAX_SMALL_PERCENTILE else "contradicted"
    measures = (("raw return", value, "return"), ("sessions with a move no larger", share, "share"))
    return decision, measures, "supported if no more than the set share of the estimation sessions moved as little"


def find_abnormal_sign(claim: Claim, context: ClaimContext) -> Found:
    """Supported when the 95 % interval of the abnormal return lies below zero."""
    kind = claim.statistic.removeprefix("ar_")
    if kind not in context.abnormal:
        raise StudyError(f"{kind.replace('_', ' ')} returns cannot be measured.")
    total = context.abnormal[kind].sum_window(0, 0)
    if total.estimate is None:
        raise StudyError(total.note)
    low, high = invert_window(context.abnormal[kind], 0, 0).first_interval(0.05)
    named = {"abnormal return": total.estimate, "95 % low": low, "95 % high": high}
    measures, lies = tuple((label, value, "return") for label, value in named.items()), "the 95 % interval lies"
    if high < 0:
        return "supported", measures, f"{lies} below zero; it belongs to all news of the session together"
    if low > 0:
        return "contradicted", measures, f"{lies} above zero"
    return "not_established", measures, "the 95 % interval holds zero: the figures cannot tell the sign"


@dataclass(frozen=True)
class ClockReading:
    """A clock time without a zone, read in one zone."""

    utc_offset: int
    instant: pd.Timestamp
    phase: str
    is_before_open: bool
    is_before_close: bool


def read_clock(article: Article, alignment: Alignment) -> tuple[ClockReading, ...]:
    """The printed clock of an article in every whole-hour zone, against the event session.

    Parameters
    ----------
    article : Article
        With the time that its page prints.
    alignment : Alignment
        Of its story.

    Returns
    -------
    tuple of ClockReading
        From the easternmost zone to the westernmost.

    Raises
    ------
    StudyError
        If the article prints no minute.
    """
    local = None
    with contextlib.suppress(ValueError):
        local = pd.Timestamp(article.time_as_printed)
    if not isinstance(local, pd.Timestamp) or local.tz is not None or article.precision not in ("minute", "second"):
        raise StudyError(f"{article.article_id} prints no clock time without a zone.")
    hours, session = alignment.hours, alignment.event_session
    opens, closes = hours.open_at(session), hours.close_at(session)
    offsets = range(EASTERNMOST, WESTERNMOST - 1, -1)
    read = {offset: (local - pd.Timedelta(hours=offset)).tz_localize("UTC") for offset in offsets}
    return tuple(ClockReading(k, at, hours.phase(at), at < opens, at < closes) for k, at in read.items())


def find_clock(claim: Claim, context: ClaimContext) -> Found:
    """Impossible in so many of the zones in which the stamp precedes the close, all counted.

    A stamp before the close cannot describe the session as finished.
    """
    article = next(e.article for e in context.alignment.articles if e.article.article_id == claim.article_id)
    readings = read_clock(article, context.alignment)
    before, before_open = sum(r.is_before_close for r in readings), sum(r.is_before_open for r in readings)
    counts = {"zones in which the stamp precedes the close": before, "zones in which it precedes the open": before_open}
    measures = tuple((label, float(n), "count") for label, n in (counts | {"zones tried": len(readings)}).items())
    decision = "impossible" if before == len(readings) else "impossible_in" if before else "supported"
    return decision, measures, "impossible in a zone in which the stamp precedes the close"


def find_order(claim: Claim, context: ClaimContext) -> Found:
    """Supported when the bounds of every denial begin after those of the report end."""
    earliest, latest, denials = _report_and_denials(context)
    after = sum(d.published_earliest >= latest for d in denials)
    before = sum(d.published_latest <= earliest for d in denials)
    decision = "contradicted" if before else "supported" if after == len(denials) else "not_established"
    why = "supported only if every denial begins after the last possible instant of the report"
    measures = (("denials", float(len(denials)), "count"), ("surely after the report", float(after), "count"))
    return decision, measures, why


def find_delay(claim: Claim, context: ClaimContext) -> Found:
    """The shortest and the longest possible delay; fast has no agreed limit, so they establish nothing."""
    (first, last, denials), hour = _report_and_denials(context), pd.Timedelta(hours=1)
    shortest = [max(d.published_earliest - last, pd.Timedelta(0)) / hour for d in denials]
    longest = [(d.published_latest - first) / hour for d in denials]
    measures = (
        ("first denial after at least", min(shortest), "hours"),
        ("last denial after at most", max(longest), "hours"),
    )
    return "not_established", measures, "no limit of what is fast is agreed; the bounds are shown"


def _report_and_denials(context: ClaimContext) -> tuple[pd.Timestamp, pd.Timestamp, tuple[Article, ...]]:
    """Bounds of the first report, and the denials."""
    reports, denials = (context.alignment.story.with_role(role) for role in ("report", "denial"))
    if not reports or not denials:
        raise StudyError("a report and a denial with times of their own are needed.")
    return min(a.published_earliest for a in reports), min(a.published_latest for a in reports), denials


def find_closed_window(claim: Claim, context: ClaimContext) -> Found:
    """Supported when report and denials fall into one stretch in which the exchange is shut."""
    articles = [e.article for e in context.alignment.articles if e.article.role in ("report", "denial")]
    first, last = min(a.published_earliest for a in articles), max(a.last_instant for a in articles)
    hours = context.alignment.hours
    session = hours.open_session(first)
    is_one = session == hours.open_session(last) and hours.close_session(first) == session
    is_shut = is_one and hours.phase(first) in SHUT and hours.phase(last) in SHUT
    possible = any(hours.phase(a.published_earliest) in SHUT or hours.phase(a.last_instant) in SHUT for a in articles)
    decision = "supported" if is_shut else "not_established" if possible else "contradicted"
    span = (hours.open_at(session) - first) / pd.Timedelta(hours=1)
    measures = (("hours from the earliest bound to the next open", float(span), "hours"),)
    return decision, measures, "supported if every bound lies between one close and the next open"


#: Statistic -> its check.
FINDERS: dict[str, Callable[[Claim, ClaimContext], Found]] = {
    **{f"raw_{kind}": find_raw_sign for kind in RETURN_KINDS},
    **{f"ar_{kind}": find_abnormal_sign for kind in RETURN_KINDS},
    "article_before_close": find_clock,
    "abs_return_percentile": find_small_move,
    "order_report_denial": find_order,
    "denial_delay": find_delay,
    "weekend_window": find_closed_window,
}
