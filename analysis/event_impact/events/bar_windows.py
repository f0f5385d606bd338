"""From publication intervals to bars: which bars an article can have reached, and what they can tell apart.

``bar(t)`` is the first bar that ends strictly after t. The bars from ``bar(published_earliest)`` to the bar of the last
instant of the interval are an article's candidates. No bound is ever inferred from a price.
"""

from dataclasses import dataclass

import pandas as pd

from event_impact.events.articles import Article
from event_impact.events.sessions import Identification

# A declared window holds the candidate bars and what was traded so much longer.
AFTERMATH = pd.Timedelta(minutes=10)
BEFORE_DENIAL = (
    "No price is known to lie between the report and the denial: what can be measured is the stretch up to the denial, "
    "with whatever of the report it holds and all other news of it, and the stretch from the denial on."
)
JOINT_ONLY = "Only their joint effect is measured, with all other news of those minutes."
JOINT = f"No price of these bars lies between the first possible instants of report and denial. {JOINT_ONLY}"
TOO_EARLY = (
    f"The denial can have come before the first price of these bars, which hold neither effect alone. {JOINT_ONLY}"
)


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
    held = {r: [a for a in articles if a.role == r] for r in ("report", "denial")}
    first = {r: min(found, key=lambda a: a.published_latest) for r, found in held.items() if found}
    places = {role: candidates[article.article_id] for role, article in first.items()}
    declared, kind, reason = _declare(ends, **places)
    printed = []
    if "denial" in places and kind != "joint":
        low, high = places["denial"]
        printed = [("bars that hold the denial", low - 1, high), ("wholly after the denial", high, _later(ends, high))]
    start, last = max(min(low for low, _ in places.values()) - 1, 0), max(high for _, high in places.values())
    printed.append(("in total", start, _later(ends, last, pd.Timedelta(minutes=after_minutes))))
    identified = Identification(kind, reason, "bar" if kind == "separable" else "")
    spans = [_check_span(ends, *span, is_declared=k < len(declared)) for k, span in enumerate([*declared, *printed])]
    return BarAlignment(ends, first.get("report"), first.get("denial"), identified, tuple(spans), candidates)


def _declare(
    ends: pd.DatetimeIndex, report: tuple[int, int] | None = None, denial: tuple[int, int] | None = None
) -> tuple[list[tuple[str, int, int]], str, str]:
    """The windows that decide, what they tell apart, and why."""
    if report is None or denial is None:
        name, (low, high) = ("report", report) if report else ("denial", denial or (0, 0))
        said = f"Only a {name} is recorded: its bars hold it and all other news of their minutes."
        return [(name, low - 1, _later(ends, high))], f"{name}_only", said
    start, before = report[0] - 1, denial[0] - 1
    own = ("denial", before, _later(ends, denial[1]))
    if start >= 0 and report[1] <= before:
        said = "A price lies after the last possible instant of the report and before the first of the denial."
        return [("report", start, min(_later(ends, report[1]), before)), own], "separable", said
    if max(start, 0) < before:
        end = before if denial[0] < len(ends) else len(ends)  # bars that stop earlier have no price just before it
        return [("before the denial", max(start, 0), end), own], "before_denial", BEFORE_DENIAL
    both = ("report and denial", min(start, before), _later(ends, max(report[1], denial[1])))
    return [both], "joint", TOO_EARLY if before < 0 else JOINT


def _later(ends: pd.DatetimeIndex, place: int, wait: pd.Timedelta = AFTERMATH) -> int:
    """Place of the last price not later than so long after a price."""
    return place if place >= len(ends) else int(ends.searchsorted(ends[max(place, 0)] + wait, side="right")) - 1


def _check_span(ends: pd.DatetimeIndex, name: str, first: int, last: int, *, is_declared: bool) -> BarSpan:
    reason = ""
    if first < 0:
        reason = "it can have begun before the first price of these bars, in a return that they do not hold"
    elif last >= len(ends):
        reason = "it can end after the last price of these bars"
    elif last <= first:
        reason = "no return lies in it"
    return BarSpan(name, is_declared, first, first if reason else last, reason)
