"""Days that a text names without a date: *Monday*, *yesterday*, *over the weekend*.

Such a word means nothing without an anchor. From the day on which a page was published it tells on
which days the matter happened; from a day before which the page cannot have been written it tells
when the page can have been written at the earliest.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from event_impact.reading.stamps import Interval, interval_of_days
from event_impact.reading.text_dates import DATE
from event_impact.reading.vocabulary import WORDS, any_of, number_words

WEEKDAYS = number_words(WORDS["weekdays"], first=0)
NEAR_DAYS_OF_LANGUAGE: dict[str, dict[str, int]] = WORDS["near_days_of_language"]
"""Words that mean something else in other languages."""
WEEKEND = re.compile(
    r"(?<!\w)(?:weekend|week-end|Wochenende|fin de semana|fine settimana)\b|周末|週末|주말", re.IGNORECASE
)
MAX_FOUND = 6
DATE_REACH = 40


@dataclass(frozen=True)
class RelativeDay:
    """One such word. ``back`` counts days before the anchor; ``weekday`` is 0 for Monday."""

    word: str
    weekday: int | None = None
    back: int | None = None
    is_weekend: bool = False


def find_relative_days(lines: tuple[str, ...], *, language: str = "") -> list[RelativeDay]:
    """The distinct relative days of a text, in their order, weekdays beside a full date left out."""
    near: dict[str, int] = WORDS["near_days"] | NEAR_DAYS_OF_LANGUAGE.get(language[:2], {})
    pattern = re.compile(
        rf"(?<![A-Za-zÀ-ÿ])(?:{any_of([*WEEKDAYS, *near])})(?![A-Za-zÀ-ÿ])|{WEEKEND.pattern}", re.IGNORECASE
    )
    found: dict[str, RelativeDay] = {}
    for line in lines:
        for match in pattern.finditer(line):
            word = match[0].lower()
            if word in found or (word in WEEKDAYS and _is_dated(line, match)):
                continue
            found[word] = RelativeDay(
                match[0], weekday=WEEKDAYS.get(word), back=near.get(word),
                is_weekend=word not in WEEKDAYS and word not in near,
            )  # fmt: skip
        if len(found) >= MAX_FOUND:
            break
    return list(found.values())[:MAX_FOUND]


def _is_dated(line: str, match: re.Match[str]) -> bool:
    """Whether a full date stands beside a word."""
    first = max(0, match.start() - DATE_REACH)
    around = DATE.finditer(line[first : match.end() + DATE_REACH])
    spans = ((first + dated.start(), first + dated.end()) for dated in around)
    return any(start - 6 <= match.end() and match.start() <= end + 6 for start, end in spans)


def resolve_from_publication(relative: RelativeDay, anchor: date, zone: str = "") -> Interval:
    """The days that a word means when it was written on ``anchor``: the latest not after it."""
    if relative.is_weekend:
        saturday = anchor - timedelta(days=(anchor.weekday() - 5) % 7)
        return interval_of_days(saturday, saturday + timedelta(days=1), zone)
    if relative.back is not None:
        day = anchor - timedelta(days=relative.back)
    else:
        day = anchor - timedelta(days=(anchor.weekday() - int(relative.weekday or 0)) % 7)
    return interval_of_days(day, day, zone)


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
