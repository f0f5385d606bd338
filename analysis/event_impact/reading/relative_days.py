"""Days that a text names without a date: *Monday*, *yesterday*, *over the weekend*.

Such a word means nothing without an anchor. From the day on which a page was published it tells on
which days the matter happened; from a day before which the page cannot have been written it tells
when the page can have been written at the earliest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from event_impact.reading.stamps import Interval, interval_of_days
from event_impact.reading.text_dates import DATE

WEEKDAY_NAMES = (
    "monday montag lundi lunes lunedì 星期一 周一 週一 月曜 월요일",
    "tuesday dienstag mardi martes martedì 星期二 周二 週二 火曜 화요일",
    "wednesday mittwoch mercredi miércoles mercoledì 星期三 周三 週三 水曜 수요일",
    "thursday donnerstag jeudi jueves giovedì 星期四 周四 週四 木曜 목요일",
    "friday freitag vendredi viernes venerdì 星期五 周五 週五 金曜 금요일",
    "saturday samstag sonnabend samedi sábado sabato 星期六 周六 週六 土曜 토요일",
    "sunday sonntag dimanche domingo domenica 星期日 星期天 周日 週日 日曜 일요일",
)
WEEKDAYS = {name: number for number, names in enumerate(WEEKDAY_NAMES) for name in names.split()}
NEAR_DAYS = {
    "yesterday": 1, "gestern": 1, "ayer": 1, "昨天": 1, "昨日": 1, "어제": 1,
    "today": 0, "heute": 0, "aujourd'hui": 0, "aujourd’hui": 0, "今天": 0, "今日": 0, "오늘": 0,
}  # fmt: skip
NEAR_DAYS_OF_LANGUAGE = {"fr": {"hier": 1}, "es": {"hoy": 0}, "it": {"ieri": 1, "oggi": 0}}
"""Words that mean something else in other languages."""
WEEKEND = re.compile(
    r"(?<!\w)(?:weekend|week-end|Wochenende|fin de semana|fine settimana)\b|周末|週末|주말", re.IGNORECASE
)
MAX_FOUND = 6


@dataclass(frozen=True)
class RelativeDay:
    """One such word. ``back`` counts days before the anchor; ``weekday`` is 0 for Monday."""

    word: str
    line: int
    weekday: int | None = None
    back: int | None = None
    is_weekend: bool = False


def find_relative_days(lines: tuple[str, ...], *, language: str = "") -> list[RelativeDay]:
    """The distinct relative days of a text, in their order, weekdays beside a full date left out."""
    near = NEAR_DAYS | NEAR_DAYS_OF_LANGUAGE.get(language[:2], {})
    words = "|".join(sorted(map(re.escape, [*WEEKDAYS, *near]), key=len, reverse=True))
    pattern = re.compile(rf"(?<![A-Za-zÀ-ÿ])(?:{words})(?![A-Za-zÀ-ÿ])|{WEEKEND.pattern}", re.IGNORECASE)
    found: dict[str, RelativeDay] = {}
    for number, line in enumerate(lines):
        dated = [match.span() for match in DATE.finditer(line)]
        for match in pattern.finditer(line):
            word = match[0].lower()
            is_dated = any(start - 6 <= match.end() and match.start() <= end + 6 for start, end in dated)
            if word in found or (word in WEEKDAYS and is_dated):
                continue
            found[word] = RelativeDay(
                match[0],
                number,
                weekday=WEEKDAYS.get(word),
                back=near.get(word),
                is_weekend=word not in WEEKDAYS and word not in near,
            )
        if len(found) >= MAX_FOUND:
            break
    return list(found.values())[:MAX_FOUND]


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
