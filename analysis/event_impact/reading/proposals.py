"""From the evidence of a page to a proposal, or to the plain statement that there is none.

Evidence that speaks of publication must agree: the intervals need an instant in common. When they
do, the narrowest is proposed and upper bounds shorten a bare day. When they do not, or when nothing
speaks of publication, the analyst chooses; nothing is guessed.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from event_impact.base.clock import format_instant
from event_impact.base.errors import ConfigError, DataError
from event_impact.reading.evidence import LIBRARY, MENTION, RANK_NAMES, Evidence, find_twins, last_occurrence
from event_impact.reading.pages import SavedPage
from event_impact.reading.stamps import Interval, Stamp, interval_of_days, name_zone
from event_impact.reading.text_dates import DATE
from event_impact.reading.vocabulary import WORDS, any_of, number_words

Verdict = Literal["found", "disagree", "undecided"]
WEEKDAYS = number_words(WORDS["weekdays"], first=0)
#: Words that mean something else in other languages.
NEAR_DAYS_OF_LANGUAGE: dict[str, dict[str, int]] = WORDS["near_days_of_language"]
WEEKEND = r"(?<!\w)(?:weekend|week-end|Wochenende|fin de semana|fine settimana)\b|周末|週末|주말"
MAX_FOUND = 6
DATE_REACH = 40


@dataclass(frozen=True)
class Proposal:
    """What is proposed for one page.

    Attributes
    ----------
    evidence : tuple of Evidence
        All of it, ranked; ``number`` 1 is the first.
    verdict : str
        ``found``: one time, on which all evidence agrees; ``disagree``: several that exclude each
        other; ``undecided``: nothing speaks of the publication itself.
    chosen : int or None
        Position in ``evidence`` of what is proposed.
    interval : Interval or None
        The proposed bounds, upper bounds included.
    reason : str
        The decision in words.
    """

    evidence: tuple[Evidence, ...]
    verdict: Verdict
    chosen: int | None
    interval: Interval | None
    reason: str

    @property
    def basis(self) -> Evidence:
        """The evidence on which the proposal rests."""
        if self.chosen is None:
            raise DataError("nothing is proposed for this page.", "Choose a number with --use.")
        return self.evidence[self.chosen]

    @property
    def printed(self) -> str:
        """The stamp as printed."""
        return self.basis.printed

    @property
    def stamp(self) -> Stamp | None:
        """The stamp behind the proposal, None for a relative day, a decoded clock or bounds by hand."""
        return None if self.chosen is None else self.basis.stamp

    @property
    def zone(self) -> str:
        """IANA name of the zone of the stamp, empty when none is stated."""
        return name_zone(self.stamp.zone) if self.stamp else ""


def propose(evidence: list[Evidence]) -> Proposal:
    """Decide what ranked evidence supports.

    Raises
    ------
    DataError
        If everything that speaks of publication lies in the future.
    """
    items = tuple(evidence)
    published = [e for e in items if e.kind == "published"]
    usable, broken = ([e for e in published if e.is_usable is is_good] for is_good in (True, False))
    if published and not usable and all("in the future" in e.problem for e in published):
        said = f"the page is dated {published[0].printed}, which lies in the future of the copy."
        raise DataError(said, "Check the date, or name when the copy was saved with --saved-at.")
    if not usable:
        return Proposal(items, "undecided", None, None, _why_undecided(items, broken))
    usable = _settle_readings(usable)
    if conflict := _find_conflict(items, usable, broken):
        return Proposal(items, "disagree", None, None, conflict)
    chosen = min([e for e in usable if e.rank != LIBRARY] or usable, key=lambda e: (e.span.width, e.rank))
    interval, note, is_contradicted = _apply_bounds(items, chosen)
    if is_contradicted:
        return Proposal(items, "disagree", None, None, note)
    many = f"{len(usable)} items agree; the narrowest is"
    reason = f"{many if len(usable) > 1 else 'one item speaks of publication:'} {chosen.source}"
    return Proposal(items, "found", items.index(chosen), interval, f"{reason}{'; ' + note if note else ''}.")


def use(proposal: Proposal, number: int) -> Proposal:
    """The proposal that rests on one item, named by its number, whatever the others say.

    Parameters
    ----------
    proposal : Proposal
        With its evidence, ranked.
    number : int
        As :func:`describe_proposal` prints it.

    Returns
    -------
    Proposal

    Raises
    ------
    ConfigError
        If there is no such item, or it gives no interval.
    """
    if not 1 <= number <= len(proposal.evidence):
        raise ConfigError(f"--use {number}: the page has {len(proposal.evidence)} items.", "Name one that is listed.")
    item = proposal.evidence[number - 1]
    if item.problem or (item.interval is None):
        why = item.problem or item.note or "it gives no interval"
        raise ConfigError(f"--use {number}: this item cannot be used ({why}).", "Name another, or give --zone.")
    if item.kind in ("not_later_than", "not_earlier_than"):
        hint = "Give the other side with --not-before or --not-after, or name another item."
        raise ConfigError(f"--use {number}: this item bounds the time from one side only.", hint)
    own = [(i, e) for i, e in enumerate(proposal.evidence, start=1) if e.kind == "published"]
    others = [str(i) for i, e in own if not (e.is_usable and e.span.overlaps(item.span))]
    reason = f"chosen by hand: {item.source}{'; against ' + ', '.join(others) if others else ''}"
    bounded, note, is_contradicted = _apply_bounds(proposal.evidence, item)
    reason = f"{reason}{'; ' + note if note else ''}."
    return Proposal(proposal.evidence, "found", number - 1, item.interval if is_contradicted else bounded, reason)


def _settle_readings(usable: list[Evidence]) -> list[Evidence]:
    """Of several readings of the same characters, keep the one that everything else agrees with."""
    kept = list(usable)
    for item in usable:
        twins = find_twins(usable, item)
        others = [e for e in usable if e not in twins and e.rank != LIBRARY]  # it read the same characters
        fitting = [t for t in twins if all(t.span.overlaps(e.span) for e in others)]
        if len(fitting) == 1 < len(twins) and others:
            kept = [e for e in kept if e not in twins or e in fitting]
    return kept


def _find_conflict(items: tuple[Evidence, ...], usable: list[Evidence], broken: list[Evidence]) -> str:
    for item in usable:
        if len(twins := find_twins(usable, item)) > 1:
            numbers = " and ".join(str(items.index(t) + 1) for t in twins)
            return f"items {numbers} read the same characters ({item.printed}) differently."
    ends = max(usable, key=lambda e: e.span.earliest), min(usable, key=lambda e: e.span.latest)
    if not ends[0].span.overlaps(ends[1].span):
        early, late = (_name_item(items, e) for e in sorted(ends, key=items.index))
        return f"items {early} and {late} exclude each other."
    return f"item {_name_item(items, broken[0])} cannot be right: {broken[0].problem}." if broken else ""


def _name_item(items: tuple[Evidence, ...], item: Evidence) -> str:
    return f"{items.index(item) + 1} ({item.source}: {item.printed})"


def _why_undecided(items: tuple[Evidence, ...], broken: list[Evidence]) -> str:
    if broken:
        item = broken[0]
        return f"the page's own time ({item.source}: {item.printed}) cannot be used: {item.problem}."
    if any(e.rank == MENTION for e in items):
        return "the page has no date of its own; days that it mentions are listed, not used."
    return "the page has no date." if not items else "only bounds from one side were found."


def _apply_bounds(items: tuple[Evidence, ...], chosen: Evidence) -> tuple[Interval, str, bool]:
    """Shorten a bare day by what must be later than it; a bound before the day contradicts."""
    interval, notes = chosen.span, []
    for item in items:
        bound = last_occurrence(item.of_day, interval) if item.of_day else item.interval
        if item.kind != "not_later_than" or item.problem or bound is None:
            continue
        if bound.latest <= interval.earliest:
            return interval, f"item {_name_item(items, item)} lies before item {items.index(chosen) + 1}.", True
        if interval.earliest_basis == "start_of_named_day" and bound.latest < interval.latest:
            basis = "decoded" if bound.latest_basis == "decoded" else "printed"
            interval = Interval(interval.earliest, bound.latest, interval.earliest_basis, basis)
            notes.append(f"item {items.index(item) + 1} ends it ({item.source})")
    return interval, "; ".join(notes), False


@dataclass(frozen=True)
class RelativeDay:
    """A day named without a date: *Monday*, *yesterday*, *over the weekend*; it means nothing without an anchor.

    ``weekday`` is 0 for Monday, ``back`` counts days before the anchor; a weekend has neither.
    """

    word: str
    weekday: int | None = None
    back: int | None = None


def find_relative_days(lines: tuple[str, ...], *, language: str = "") -> list[RelativeDay]:
    """The distinct relative days of a text, in their order, weekdays beside a full date left out."""
    near: dict[str, int] = WORDS["near_days"] | NEAR_DAYS_OF_LANGUAGE.get(language[:2], {})
    words, found = any_of([*WEEKDAYS, *near]), dict[str, RelativeDay]()
    pattern = re.compile(rf"(?<![A-Za-zÀ-ÿ])(?:{words})(?![A-Za-zÀ-ÿ])|{WEEKEND}", re.IGNORECASE)
    for match in (match for line in lines for match in pattern.finditer(line)):
        word = match[0].lower()
        if word not in found and not (word in WEEKDAYS and _is_dated(match)):
            found[word] = RelativeDay(match[0], WEEKDAYS.get(word), near.get(word))
        if len(found) == MAX_FOUND:
            break
    return list(found.values())


def _is_dated(match: re.Match[str]) -> bool:
    """Whether a full date stands beside a word."""
    first = max(0, match.start() - DATE_REACH)
    around = DATE.finditer(match.string[first : match.end() + DATE_REACH])
    spans = ((first + dated.start(), first + dated.end()) for dated in around)
    return any(start - 6 <= match.end() and match.start() <= end + 6 for start, end in spans)


def resolve_from_publication(relative: RelativeDay, anchor: date, zone: str = "") -> Interval:
    """The days that a word means when it was written on ``anchor``: the latest not after it."""
    weekday = 5 if relative.weekday is None else relative.weekday
    back = (anchor.weekday() - weekday) % 7 if relative.back is None else relative.back
    first = anchor - timedelta(days=back)
    is_weekend = relative.weekday is None and relative.back is None
    return interval_of_days(first, first + timedelta(days=is_weekend), zone)


def resolve_from_earlier(relative: RelativeDay, anchor: date, zone: str = "") -> Interval | None:
    """When a page can have been written that names a weekday without a date, not before ``anchor``.

    Written on that weekday or later, and, since a bare weekday means the last one, before the next of its name:
    the second bound is a habit of writing and is recorded as assumed. Other words say nothing here.
    """
    if relative.weekday is None:
        return None
    first = anchor + timedelta(days=(relative.weekday - anchor.weekday()) % 7)
    days = interval_of_days(first, first + timedelta(days=6), zone)
    return Interval(days.earliest, days.latest, "start_of_named_day", "assumed")


def add_relative_days(
    evidence: list[Evidence], page: SavedPage, *, anchor: date | None, zone: str = ""
) -> list[Evidence]:
    """Days named without a date, as intervals relative to an anchor when there is one.

    The anchor is the analyst's, else the day of the page's own agreed time, else the last day of
    an embedded post, before which the page cannot have been written in its present form.
    """
    day, where, is_publication = (anchor, "the day given", True) if anchor else _find_anchor(evidence)
    resolve = resolve_from_publication if is_publication else resolve_from_earlier
    meaning = "when the matter happened" if is_publication else "when the page was written"
    items = []
    for relative in find_relative_days(page.lines, language=page.language):
        interval = resolve(relative, day, zone) if day else None
        problem = "" if interval else f"not fixed by {where}" if day else "no day to count from"
        note = f"{meaning}, counted from {where} {day}" if interval else ""
        items.append(Evidence("relative", MENTION, "relative day", relative.word, None, interval, problem, note))
    return [*evidence, *items]


def _find_anchor(evidence: list[Evidence]) -> tuple[date | None, str, bool]:
    own = [e for e in evidence if e.kind == "published" and e.is_usable and e.stamp]
    days = {e.stamp.day for e in own if e.stamp}
    if len(days) == 1:
        return days.pop(), "the page's own day", True
    posts = [e.stamp.day for e in evidence if e.kind == "not_earlier_than" and e.is_usable and e.stamp]
    return (max(posts), "an embedded post of", False) if posts and not own else (None, "", True)


def bound_by_hand(
    interval: Interval | None, *, not_before: datetime | None, not_after: datetime | None
) -> Interval | None:
    """The analyst's own bounds laid over a proposal, recorded as assumed.

    Parameters
    ----------
    interval : Interval or None
        Of the evidence.
    not_before, not_after : datetime.datetime or None
        What the analyst knows.

    Returns
    -------
    Interval or None

    Raises
    ------
    DataError
        If nothing is left.
    """
    if interval is None:
        return Interval(not_before, not_after, "assumed", "assumed") if not_before and not_after else None
    first, last = (interval.earliest, interval.earliest_basis), (interval.latest, interval.latest_basis)
    if not_before and not_before > interval.earliest:
        first = (not_before, "assumed")
    if not_after and not_after < interval.latest:
        last = (not_after, "assumed")
    return Interval(first[0], last[0], first[1], last[1])


def describe_proposal(proposal: Proposal) -> str:
    """The evidence as a table for a terminal, then the decision."""
    lines = []
    for number, item in enumerate(proposal.evidence, start=1):
        mark = "*" if proposal.chosen == number - 1 else " "
        when, stamp = _show(item.interval) if item.interval else "", item.stamp if item.interval else None
        zone = f"zone {stamp.zone} ({stamp.zone_basis})" if stamp else ""
        zone = zone if stamp is None or stamp.zone else "no zone: every zone from UTC+14 to UTC-12"
        why = "; ".join(filter(None, (item.problem and f"not usable: {item.problem}", item.note, zone)))
        head = f"{mark}{number:>3}  {RANK_NAMES[item.rank]:13} {item.printed[:44]:44} {when}"
        lines += [head.rstrip(), f"      {item.source}{'; ' + why if why else ''}"]
    lines.append(f"{proposal.verdict}: {proposal.reason}")
    if proposal.interval is not None:
        bases = f"{proposal.interval.earliest_basis}, {proposal.interval.latest_basis}"
        lines.append(f"proposed: {_show(proposal.interval)} ({bases})")
    return "\n".join(lines)


def _show(interval: Interval) -> str:
    return f"[{format_instant(interval.earliest)}, {format_instant(interval.latest)})"
