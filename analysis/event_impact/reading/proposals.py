"""From the evidence of a page to a proposal, or to the plain statement that there is none.

Evidence that speaks of publication must agree: the intervals need an instant in common. When they
do, the narrowest is proposed and upper bounds shorten a bare day. When they do not, or when nothing
speaks of publication, the analyst chooses; nothing is guessed.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from event_impact.base.clock import format_instant
from event_impact.base.errors import ConfigError, DataError
from event_impact.reading.evidence import LIBRARY, MENTION, RANK_NAMES, Evidence, combine_clock_of_day
from event_impact.reading.pages import SavedPage
from event_impact.reading.relative_days import find_relative_days, resolve_from_earlier, resolve_from_publication
from event_impact.reading.stamps import Interval, Stamp, name_zone

Verdict = Literal["found", "disagree", "undecided"]


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
    published = [i for i, e in enumerate(items) if e.kind == "published"]
    usable = [i for i in published if items[i].is_usable]
    broken = [i for i in published if not items[i].is_usable]
    if published and not usable and all("in the future" in items[i].problem for i in published):
        raise DataError(
            f"the page is dated {items[published[0]].printed}, which lies in the future of the copy.",
            "Check the date, or name when the copy was saved with --saved-at.",
        )
    if not usable:
        return Proposal(items, "undecided", None, None, _why_undecided(items, broken))
    usable = _settle_readings(items, usable)
    if conflict := _find_conflict(items, usable, broken):
        return Proposal(items, "disagree", None, None, conflict)
    read = [i for i in usable if items[i].rank != LIBRARY]
    chosen = min(read or usable, key=lambda i: (items[i].interval.width, items[i].rank))  # type: ignore[union-attr]
    interval, note, is_contradicted = _apply_bounds(items, chosen)
    if is_contradicted:
        return Proposal(items, "disagree", None, None, note)
    many = f"{len(usable)} items agree; the narrowest is"
    reason = f"{many if len(usable) > 1 else 'one item speaks of publication:'} {items[chosen].source}"
    return Proposal(items, "found", chosen, interval, f"{reason}{'; ' + note if note else ''}.")


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
        raise ConfigError(
            f"--use {number}: this item bounds the time from one side only.",
            "Give the other side with --not-before or --not-after, or name another item.",
        )
    others = [
        i + 1
        for i, e in enumerate(proposal.evidence)
        if e.kind == "published" and not (e.is_usable and _overlap(proposal.evidence, number - 1, i))
    ]
    reason = f"chosen by hand: {item.source}" + (f"; against {', '.join(map(str, others))}" if others else "")
    interval, note, is_contradicted = _apply_bounds(proposal.evidence, number - 1)
    if is_contradicted:
        interval = item.interval
    return replace(
        proposal, chosen=number - 1, interval=interval, reason=f"{reason}{'; ' + note if note else ''}.",
        verdict="found",
    )  # fmt: skip


def _settle_readings(items: tuple[Evidence, ...], usable: list[int]) -> list[int]:
    """Of several readings of the same characters, keep the one that everything else agrees with."""
    kept = list(usable)
    for i in usable:
        twins = _twins(items, usable, i)
        if len(twins) < 2:
            continue
        others = [j for j in usable if j not in twins and items[j].rank != LIBRARY]  # it read the same characters
        if not others:
            continue
        fitting = [t for t in twins if all(_overlap(items, t, j) for j in others)]
        if len(fitting) == 1:
            kept = [j for j in kept if j not in twins or j == fitting[0]]
    return kept


def _twins(items: tuple[Evidence, ...], usable: list[int], i: int) -> list[int]:
    own = items[i]
    if "readings" not in own.note:
        return [i]
    return [j for j in usable if (items[j].printed, items[j].source) == (own.printed, own.source)]


def _overlap(items: tuple[Evidence, ...], i: int, j: int) -> bool:
    one, other = items[i].interval, items[j].interval
    return one is not None and other is not None and one.overlaps(other)


def _find_conflict(items: tuple[Evidence, ...], usable: list[int], broken: list[int]) -> str:
    for i in usable:
        twins = _twins(items, usable, i)
        if len(twins) > 1:
            numbers = " and ".join(str(t + 1) for t in twins)
            return f"items {numbers} read the same characters ({items[i].printed}) differently."
    last_start = max(usable, key=lambda i: items[i].interval.earliest)  # type: ignore[union-attr]
    first_end = min(usable, key=lambda i: items[i].interval.latest)  # type: ignore[union-attr]
    if not _overlap(items, last_start, first_end):
        early, late = sorted((first_end, last_start))
        return (
            f"items {early + 1} ({items[early].source}: {items[early].printed}) and {late + 1} "
            f"({items[late].source}: {items[late].printed}) exclude each other."
        )
    if broken:
        item = items[broken[0]]
        return f"item {broken[0] + 1} ({item.source}: {item.printed}) cannot be right: {item.problem}."
    return ""


def _why_undecided(items: tuple[Evidence, ...], broken: list[int]) -> str:
    if broken:
        item = items[broken[0]]
        return f"the page's own time ({item.source}: {item.printed}) cannot be used: {item.problem}."
    if any(e.rank == MENTION for e in items):
        return "the page has no date of its own; days that it mentions are listed, not used."
    return "the page has no date." if not items else "only bounds from one side were found."


def _apply_bounds(items: tuple[Evidence, ...], chosen: int) -> tuple[Interval, str, bool]:
    """Shorten a bare day by what must be later than it; a bound before the day contradicts."""
    interval = items[chosen].interval
    assert interval is not None
    notes: list[str] = []
    for number, item in enumerate(items, start=1):
        if item.kind != "not_later_than" or item.problem:
            continue
        bound = combine_clock_of_day(item.of_day, interval) if item.of_day else item.interval
        if bound is None:
            continue
        if bound.latest <= interval.earliest:
            return interval, f"item {number} ({item.source}: {item.printed}) lies before item {chosen + 1}.", True
        if interval.earliest_basis == "start_of_named_day" and bound.latest < interval.latest:
            basis = "decoded" if bound.latest_basis == "decoded" else "printed"
            interval = Interval(interval.earliest, bound.latest, interval.earliest_basis, basis)
            notes.append(f"item {number} ends it ({item.source})")
    return interval, "; ".join(notes), False


def add_relative_days(
    evidence: list[Evidence], page: SavedPage, *, anchor: date | None, zone: str = ""
) -> list[Evidence]:
    """Days named without a date, as intervals relative to an anchor when there is one.

    The anchor is the analyst's, else the day of the page's own agreed time, else the last day of
    an embedded post, before which the page cannot have been written in its present form.
    """
    items = list(evidence)
    found = find_relative_days(page.lines, language=page.language)
    day, where, is_publication = anchor, "the day given", True
    if day is None:
        day, where, is_publication = _find_anchor(evidence)
    for relative in found:
        if day is None:
            items.append(Evidence("relative", MENTION, "relative day", relative.word, problem="no day to count from"))
            continue
        interval = (
            resolve_from_publication(relative, day, zone)
            if is_publication
            else resolve_from_earlier(relative, day, zone)
        )
        meaning = "when the matter happened" if is_publication else "when the page was written"
        if interval is None:
            items.append(Evidence("relative", MENTION, "relative day", relative.word, problem=f"not fixed by {where}"))
        else:
            note = f"{meaning}, counted from {where} {day}"
            items.append(Evidence("relative", MENTION, "relative day", relative.word, interval=interval, note=note))
    return items


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
        if not_before is None or not_after is None:
            return None
        return Interval(not_before, not_after, "assumed", "assumed")
    earliest, latest = interval.earliest, interval.latest
    bases = [interval.earliest_basis, interval.latest_basis]
    if not_before is not None and not_before > earliest:
        earliest, bases[0] = not_before, "assumed"
    if not_after is not None and not_after < latest:
        latest, bases[1] = not_after, "assumed"
    return Interval(earliest, latest, *bases)


def describe_proposal(proposal: Proposal) -> str:
    """The evidence as a table for a terminal, then the decision."""
    lines = []
    for number, item in enumerate(proposal.evidence, start=1):
        mark = "*" if proposal.chosen == number - 1 else " "
        when = _show(item.interval) if item.interval else ""
        why = "; ".join(filter(None, (item.problem and f"not usable: {item.problem}", item.note, _zone_words(item))))
        head = f"{mark}{number:>3}  {RANK_NAMES[item.rank]:13} {item.printed[:44]:44} {when}"
        lines.append(head.rstrip())
        lines.append(f"      {item.source}{'; ' + why if why else ''}")
    lines.append(f"{proposal.verdict}: {proposal.reason}")
    if proposal.interval is not None:
        bases = f"{proposal.interval.earliest_basis}, {proposal.interval.latest_basis}"
        lines.append(f"proposed: {_show(proposal.interval)} ({bases})")
    return "\n".join(lines)


def _zone_words(item: Evidence) -> str:
    if item.stamp is None or item.interval is None:
        return ""
    if item.stamp.zone:
        return f"zone {item.stamp.zone} ({item.stamp.zone_basis})"
    return "no zone: every zone from UTC+14 to UTC-12"


def _show(interval: Interval) -> str:
    return f"[{format_instant(interval.earliest)}, {format_instant(interval.latest)})"
