"""From publication intervals to bars: which bars an article can have reached, and what they can tell apart.

``bar(t)`` is the first bar that ends strictly after t. The bars from ``bar(published_earliest)`` to the bar of the last
instant of the interval are an article's candidates. No bound is ever inferred from a price.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from event_impact.base.clock import format_instant
from event_impact.events.articles import Article
from event_impact.events.sessions import Identification

AFTERMATH = pd.Timedelta(minutes=10)
"""A declared window holds the candidate bars and what was traded so much longer."""


@dataclass(frozen=True)
class BarSpan:
    """A stretch from one price to a later one, as places among the instants of a session's prices.

    ``first`` is the price that the stretch starts from, ``last`` the price that it ends with; it holds the returns
    between them. ``reason`` says why there is none (then ``last`` does not lie after ``first``).
    """

    name: str
    is_declared: bool
    first: int
    last: int
    reason: str = ""

    @property
    def n_bars(self) -> int:
        """Returns that the stretch holds."""
        return max(self.last - self.first, 0)


@dataclass(frozen=True)
class BarAlignment:
    """Articles brought onto the bars of one session.

    Attributes
    ----------
    ends : pandas.DatetimeIndex
        Instants of the prices, whether or not one was recorded there; the first is the session's first price.
    report, denial : Article or None
        The first of each role.
    spans : tuple of BarSpan
        The declared windows first.
    candidates : dict of str to (int, int)
        First and last candidate bar of each article, as places in ``ends``; 0 means before the first price and the
        length of ``ends`` after the last.
    """

    ends: pd.DatetimeIndex
    report: Article | None
    denial: Article | None
    identification: Identification
    spans: tuple[BarSpan, ...]
    candidates: dict[str, tuple[int, int]]

    def name_bars(self, article_id: str) -> tuple[str, str]:
        """Ends of an article's first and last candidate bar, empty where they lie outside the bars."""
        first, last = self.candidates[article_id]
        return self._name(first), self._name(last)

    def _name(self, place: int) -> str:
        return format_instant(self.ends[place]) if 0 < place < len(self.ends) else ""


def candidate_bars(ends: pd.DatetimeIndex, article: Article) -> tuple[int, int]:
    """Places of the first and the last bar that an article can have reached."""
    first = int(ends.searchsorted(article.published_earliest, side="right"))
    return first, int(ends.searchsorted(article.published_latest, side="left"))  # that of the last instant before


def align_to_bars(articles: tuple[Article, ...], ends: pd.DatetimeIndex, *, after_minutes: int) -> BarAlignment:
    """Declared and printed windows of report and denial on the bars of one unbroken stretch of trading.

    Report and denial are separable when a price lies after the last candidate instant of the report and not after
    the first of the denial. Otherwise what can be measured is the stretch up to the denial, and from it on; where
    no price lies between the first possible instants of the two, only both together.

    Parameters
    ----------
    articles : tuple of Article
        Tightened by their order.
    ends : pandas.DatetimeIndex
        Instants of the prices of the stretch.
    after_minutes : int
        Length of the total after the last candidate of the denial.
    """
    candidates = {a.article_id: candidate_bars(ends, a) for a in articles}
    report, denial = (_first_of(articles, role) for role in ("report", "denial"))
    both = [candidates[a.article_id] for a in (report, denial) if a is not None]
    if report is None or denial is None:
        name = "report" if report else "denial"
        (low, high), kind = both[0], f"{name}_only"
        declared = [_span(name, ends, low - 1, _later(ends, high, AFTERMATH))]
        reason = f"Only a {name} is recorded: its bars hold it and all other news of their minutes."
    else:
        declared, kind, reason = _split(ends, *both)
    printed = []
    if denial is not None and kind != "joint":
        low, high = candidates[denial.article_id]
        printed = [
            _span("bars that hold the denial", ends, low - 1, high, is_declared=False),
            _span("wholly after the denial", ends, high, _later(ends, high, AFTERMATH), is_declared=False),
        ]
    last = max(high for _, high in both)
    start = max(min(low for low, _ in both) - 1, 0)
    after = pd.Timedelta(minutes=after_minutes)
    printed.append(_span("in total", ends, start, _later(ends, last, after), is_declared=False))
    identified = Identification(kind, reason, "bar" if kind == "separable" else "")
    return BarAlignment(ends, report, denial, identified, (*declared, *printed), candidates)


def _split(
    ends: pd.DatetimeIndex, report: tuple[int, int], denial: tuple[int, int]
) -> tuple[list[BarSpan], str, str]:  # fmt: skip
    """The declared windows of a report and the denial that follows it, and what they tell apart."""
    before = denial[0] - 1
    own = _span("denial", ends, before, _later(ends, denial[1], AFTERMATH))
    if report[0] > 0 and report[1] <= before:
        end = min(_later(ends, report[1], AFTERMATH), before)
        reason = "A price lies after the last possible instant of the report and before the first of the denial."
        return [_span("report", ends, report[0] - 1, end), own], "separable", reason
    start = max(report[0] - 1, 0)
    if start < before:
        end = before if denial[0] < len(ends) else len(ends)  # bars that stop earlier have no price just before it
        reason = (
            "No price is known to lie between the report and the denial: what can be measured is the stretch up to the "
            "denial, with whatever of the report it holds and all other news of it, and the stretch from the denial on."
        )
        return [_span("before the denial", ends, start, end), own], "before_denial", reason
    if before < 0:
        reason = "The denial can have come before the first price of these bars: they hold neither effect on its own."
    else:
        reason = "No price of these bars lies between the first possible instants of report and denial."
    joint = _span(
        "report and denial", ends, min(report[0] - 1, before), _later(ends, max(report[1], denial[1]), AFTERMATH)
    )
    return [joint], "joint", f"{reason} Only their joint effect is measured, with all other news of those minutes."


def _first_of(articles: tuple[Article, ...], role: str) -> Article | None:
    held = [a for a in articles if a.role == role]
    return min(held, key=lambda a: a.published_latest) if held else None


def _later(ends: pd.DatetimeIndex, place: int, wait: pd.Timedelta) -> int:
    """Place of the last price not later than so long after a price."""
    if place >= len(ends):
        return place
    return int(ends.searchsorted(ends[max(place, 0)] + wait, side="right")) - 1


def _span(name: str, ends: pd.DatetimeIndex, first: int, last: int, *, is_declared: bool = True) -> BarSpan:
    reason = ""
    if first < 0:
        reason = "it can have begun before the first price of these bars, in a return that they do not hold"
    elif last >= len(ends):
        reason = "it can end after the last price of these bars"
    elif last <= first:
        reason = "no return lies in it"
    return BarSpan(name, is_declared, first, first if reason else last, reason)
