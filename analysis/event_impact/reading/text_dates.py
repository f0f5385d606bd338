"""Dates in visible text, in several languages, with what their place in the page makes of them.

A date on a short line above the article, or beside a word such as *published*, is a stamp of the
page. Any other date is only mentioned: it may belong to the matter, to a neighbouring headline or
to a post that the page embeds. An order of day and month that cannot be told gives both readings.
"""

import contextlib
import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import date, time

from event_impact.reading.stamps import Stamp, read_abbreviation
from event_impact.reading.vocabulary import WORDS, any_of, number_words

MONTHS = number_words(WORDS["months"], first=1)
_MONTH = any_of(MONTHS)
NUMERALS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_CHINESE = "〇零一二三四五六七八九十"

DATE = re.compile(
    rf"""
    (?<![\w])(?P<d1>\d{{1,2}})(?:st|nd|rd|th|er|\.|º)?\s*(?:de\s+|of\s+|-)?(?P<m1>{_MONTH})\b\.?,?[\s-]*(?:de\s+|del\s+)?(?P<y1>\d{{4}})(?!\d)
  | (?<![\w])(?P<m2>{_MONTH})\b\.?\s*(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y2>\d{{4}})(?!\d)
  | (?<![\d/.-])(?P<y3>\d{{4}})(?P<s3>[-/.])(?P<m3>\d{{1,2}})(?P=s3)(?P<d3>\d{{1,2}})(?!\d)
  | (?<![\d/.-])(?P<a4>\d{{1,2}})(?P<s4>[-/.])(?P<b4>\d{{1,2}})(?P=s4)(?P<y4>\d{{4}})(?!\d|[/.-]\d)
  | (?P<y5>\d{{4}})\s*[年년]\s*(?P<m5>\d{{1,2}})\s*[月월]\s*(?P<d5>\d{{1,2}})\s*[日일号號]
  | 令和\s*(?P<e6>\d{{1,2}}|元)\s*年\s*(?P<m6>\d{{1,2}})\s*月\s*(?P<d6>\d{{1,2}})\s*日
  | (?P<y7>[〇零一二三四五六七八九]{{4}})年(?P<m7>[{_CHINESE}]{{1,2}})月(?P<d7>[{_CHINESE}]{{1,3}})[日号號]
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ZONE_NAMES = any_of([*WORDS["zones"], *WORDS["zone_names"]])
_ZONE = (
    rf"\(?\s*(?P<zone>(?:(?:UTC|GMT)(?:/(?:UTC|GMT))?\s?[+-]\s?\d{{1,2}}(?::?\d\d)?)|[+-]\d\d(?::?\d\d)?(?!\d)|"
    rf"(?<![A-Za-z])(?:{_ZONE_NAMES})(?![A-Za-z]))\s*\)?"
)
AFTERNOON = ("晚上", "晚间", "晚間", "下午", "午後", "오후")
_HALF = "上午|下午|晚上|晚间|晚間|凌晨|早上|中午|午前|午後|오전|오후"
_CLOCK = rf"""
    (?P<half>{_HALF})?\s*
    (?:
      (?P<h1>\d{{1,2}})(?::|\.(?=\d\d\s?[ap]\.?\s?m\b))(?P<i1>\d\d)(?::(?P<c1>\d\d)(?:\.\d+)?)?(?!\d)
    | (?P<h2>\d{{1,2}})\s?h\s?(?P<i2>\d\d)?(?![\w])(?!\s*(?:ago\b|old\b))
    | (?P<h3>\d{{1,2}})[.:]?(?P<i3>(?<=[.:])\d\d)?\s?Uhr
    | (?P<h4>\d{{1,2}})\s*[时時시点點]\s*(?:(?P<i4>\d{{1,2}})\s*[分분])?(?:\s*(?P<c4>\d{{1,2}})\s*[秒초])?
    | (?P<h5>\d{{1,2}})(?=\s?[ap]\.?m\b)
    )
    (?:\s?(?:Uhr\b))?(?:\s?(?P<ap>[ap])\.?\s?m\b\.?)?
    (?P<part>\s+d[ae]\s+la?\s+(?:tarde|noche|noite|ma[ñn]ana|manh[ãa])|\s+da\s+(?:tarde|noite|manh[ãa]))?
"""
_JOIN = (
    r"(?:\s*\([^()\d]{1,9}\)|\s*(?:星期|周|週)[一二三四五六日天])?[\s,;·|•/–—-]*"
    r"(?:T|at|um|à|a\s+las|às|alle\s+ore|kl\.)?\s*"
)
CLOCK_AFTER = re.compile(rf"{_JOIN}{_CLOCK}\s*(?:{_ZONE})?", re.IGNORECASE | re.VERBOSE)
CLOCK_BEFORE = re.compile(
    rf"{_CLOCK}\s*(?:{_ZONE})?[\s,;·|•–—-]*(?:on|am|le|el|vom)?\s*(?:[A-Za-zÀ-ÿ]{{2,10}}\.?,?\s*)?$",
    re.IGNORECASE | re.VERBOSE,
)
PUBLISHED_WORDS = re.compile("|".join(WORDS["published_words"]), re.IGNORECASE)
UPDATED_WORDS = re.compile("|".join(WORDS["updated_words"]), re.IGNORECASE)
#: Between a label and its date stand a small word, a weekday and signs; more words make a sentence.
LABEL_END = re.compile(
    r"(?:\s*(?:on|at|am|le|el|il|em|den|by|par|von|por|the|um)\b)?"
    r"[^A-Za-zÀ-ÿ]*(?:[A-Za-zÀ-ÿ]{2,10}\.?)?[^A-Za-zÀ-ÿ]*"
)
UPDATED_AFTER = re.compile(rf"\s*[(\[]?\s*(?:{UPDATED_WORDS.pattern})", re.IGNORECASE)
#: A word for updating that stands before another date or clock belongs to that one.
NEXT_STAMP = re.compile(rf"{UPDATED_AFTER.pattern}[^.;)\]\d]{{0,30}}\d", re.IGNORECASE)
#: A line of market quotes is dated, and the page is not.
QUOTED_WORDS = re.compile(r"\b(?:as of|at the close|market data|delayed by)\b", re.IGNORECASE)
MINUS_OF_ZONE = re.compile(r"(?<=UTC)[\u2212\u2013](?=\d)|(?<=GMT)[\u2212\u2013](?=\d)")
#: Zones that are printed and not read: another one must not be put in their place.
UNREAD_ZONE = re.compile(rf"\s*\(?(?:{any_of(WORDS['unread_zones'].split())})\b")
EMBEDDED_POST = re.compile(r"\(@\w{1,15}\)\s*$")
LABEL_REACH = 40
CLOCK_REACH = 80
#: A page with more is no article; the first are weighed, and that is said.
MAX_DATES = 1000
REST_OF_STAMP_LINE = 40
LONG_PARAGRAPH = 200
DATELINE_REACH = 60
DATELINE_END = re.compile(r"^[^.]{0,40}?(?:\s[-–—]{1,2}\s|—|\)\s?[-–—:])")
MONTH_FIRST = ("en-us",)
DAY_FIRST = ("de", "fr", "es", "it", "pt", "nl", "en-gb", "en-au", "en-nz", "en-ie", "en-in", "en-za", "en-hk", "en-sg")


@dataclass(frozen=True)
class TextDate:
    """A date in the text.

    ``place`` is ``stamp`` (of the page), ``updated``, ``embedded_post`` or ``mention``; several
    ``stamps`` mean that the same characters can be read in several ways.
    """

    place: str
    printed: str
    stamps: tuple[Stamp, ...]
    why: str


def find_dates(lines: tuple[str, ...], *, language: str = "", asides: frozenset[int] = frozenset()) -> list[TextDate]:
    """The first :data:`MAX_DATES` dates in the visible lines; in the lines ``asides`` they are only mentioned.

    What is looked at beside a date does not grow with its line, so that the work grows with the text alone.
    """
    found: list[TextDate] = []
    is_above = True
    for number, raw in enumerate(lines):
        line = MINUS_OF_ZONE.sub("-", unicodedata.normalize("NFKC", raw))
        taken = 0  # a clock belongs to one date
        is_quoted = QUOTED_WORDS.search(line) is not None
        for match in DATE.finditer(line):
            if len(found) == MAX_DATES:
                return found
            if days := _read_days(match, language):
                one, taken = _build(line, match, days, is_above=is_above, taken=taken)
                if number in asides:
                    one = replace(one, place="mention", why="in a headline or beside the article")
                elif is_quoted and one.place != "embedded_post":
                    one = replace(one, place="mention", why="beside quotes of a market")
                found.append(one)
        # an ideograph or syllable block says more than a letter of an alphabet
        is_above = is_above and len(line) + sum(2 for c in line if "\u3040" <= c <= "\ud7a3") < LONG_PARAGRAPH
    return found


def _read_days(match: re.Match[str], language: str) -> tuple[date, ...]:
    """The day of the one form that matched; both readings where day and month cannot be told apart."""
    g = {name[0]: text for name, text in match.groupdict().items() if text}
    if "a" in g:
        first, second, year = g["a"], g["b"], g["y"]
        if g["s"] == "." or language.startswith(DAY_FIRST):
            return _days((year, second, first))
        both = (year, first, second), (year, second, first)
        return _days(both[0]) if language.startswith(MONTH_FIRST) else _days(*both[::-1])
    with contextlib.suppress(ValueError):  # signs for ten that make no number
        year = 2018 + (1 if g["e"] == "元" else int(g["e"])) if "e" in g else _read_number(g["y"])
        return _days((year, MONTHS.get(g["m"].lower()) or _read_number(g["m"]), _read_number(g["d"])))
    return ()


def _read_number(numeral: str) -> int:
    """A number in digits or in Chinese numerals, read as digits or, below a hundred, with a sign for ten."""
    tens, found, units = numeral.translate(NUMERALS).rpartition("十")
    return int(units or 0) + (10 * int(tens or 1) if found else 0)


def _days(*triples: tuple[int | str, int | str, int | str]) -> tuple[date, ...]:
    days: list[date] = []
    for triple in triples:
        with contextlib.suppress(ValueError):
            days.append(date(*map(int, triple)))
    return tuple(dict.fromkeys(day for day in days if 1990 <= day.year <= 2100))


def _build(
    line: str, match: re.Match[str], days: tuple[date, ...], *, is_above: bool, taken: int
) -> tuple[TextDate, int]:
    """The date with its clock, and where the next one may begin to look for its own."""
    start, end = match.span()
    found = CLOCK_AFTER.match(line, end, end + CLOCK_REACH)
    clock, zone = (None, None) if found is None or _is_length(found) else _read_clock(found)
    if clock and found:
        end = found.end() if zone or not found["zone"] else found.start("zone")
    else:
        reach = max(0, start - 40, taken)
        found = CLOCK_BEFORE.search(line[reach:start])
        clock, zone = _read_clock(found) if found else (None, None)
        start = reach + found.start() if clock and found else start
    printed = line[start:end].strip(" ,;·|()")
    stamps = tuple(Stamp(printed, day, *(clock or ())) for day in days)
    if clock and zone:
        zoned = [(s, read_zone(zone, s.day, s.clock)) for s in stamps]
        stamps = tuple(replace(s, zone=name, zone_basis="printed") for s, names in zoned for name in names)
    elif clock and UNREAD_ZONE.match(line, end):
        stamps = tuple(replace(s, is_zone_fixed=True) for s in stamps)
    before, after = line[max(0, start - LABEL_REACH) : start], line[end : end + DATELINE_REACH]
    place, why = _place(before, after, start, len(line) - (end - start), is_above=is_above)
    if place == "updated" and clock is not None and NEXT_STAMP.match(after):
        place, why = "stamp", "before the time of an update"
    return TextDate(place, printed, stamps, why), end


def _is_length(match: re.Match[str]) -> bool:
    """Whether a clock behind a dot or bar may as well be the length of a video: neither half of the day nor zone."""
    g = match.groupdict()
    is_bare = g["h1"] and not (g["c1"] or g["ap"] or g["half"] or g["part"] or g["zone"])
    return bool(is_bare and len(g["h1"]) == 1 and re.match(r"\s*[·•|]", match[0]))


def _read_clock(match: re.Match[str]) -> tuple[tuple[time, str] | None, str | None]:
    """A clock with what it is exact to, and the zone beside it."""
    g = {name.rstrip("12345"): text for name, text in match.groupdict().items() if text}
    zone = g.get("zone", "")
    if zone.isascii() and zone.strip().isalpha() and zone != zone.upper():
        zone = ""  # letters count only in capitals, so that a French `et` is no Eastern Time
    hour, minute, second = (int(g[name]) if name in g else None for name in "hic")
    assert hour is not None
    half, meridiem = g.get("half", ""), g.get("ap", "").lower()
    if "part" in g:
        meridiem = "a" if "ma" in g["part"].lower() else "p"
    if half in AFTERNOON[:3] and hour == 12:
        return None, None  # the midnight before or after: only the day is sure
    if meridiem and not 1 <= hour <= 12:
        return None, None
    is_afternoon = meridiem == "p" or half in AFTERNOON or (half == "中午" and hour < 11)
    is_morning = meridiem == "a" or half in ("上午", "凌晨", "早上", "午前", "오전")
    hour += 12 * (is_afternoon and hour < 12) - 12 * (is_morning and not is_afternoon and hour == 12)
    with contextlib.suppress(ValueError):
        precision = "second" if second is not None else "minute" if minute is not None else "hour"
        return (time(hour, minute or 0, second or 0), precision), zone
    return None, None


def read_zone(printed: str, day: date, clock: time | None) -> tuple[str, ...]:
    """The zones that characters beside a clock can mean: an offset, or one or more named zones."""
    offset = re.fullmatch(r"(?:(?:UTC|GMT)/?){0,2}\s?([+-])\s?(\d{1,2}):?(\d\d)?", printed.strip(), re.IGNORECASE)
    if offset:
        sign, hours, minutes = offset[1], int(offset[2]), int(offset[3] or 0)
        return ("UTC",) if not hours and not minutes else (f"{sign}{hours:02}:{minutes:02}",)
    return read_abbreviation(printed.strip(), day, clock)


def _place(before: str, after: str, start: int, rest: int, *, is_above: bool) -> tuple[str, str]:
    """What a date is, from the characters around it, where it begins in its line, and how much else the line holds."""
    if EMBEDDED_POST.search(before):
        return "embedded_post", "the day of a post that the page embeds"
    if UPDATED_AFTER.match(after):
        return "updated", "before a word for updating"
    labels = [(m.end(), "stamp") for m in PUBLISHED_WORDS.finditer(before) if LABEL_END.fullmatch(before, m.end())]
    labels += [(m.end(), "updated") for m in UPDATED_WORDS.finditer(before)]
    # a label belongs to the nearest date, and a sentence about publishing is no label
    if labels and rest <= 3 * REST_OF_STAMP_LINE:
        place = max(labels)[1]
        return place, "beside a word for publishing" if place == "stamp" else "beside a word for updating"
    if is_above and rest <= REST_OF_STAMP_LINE:
        return "stamp", "on a short line above the text"
    if is_above and start <= DATELINE_REACH and DATELINE_END.match(after):
        return "stamp", "in the dateline that opens the text"
    return "mention", "within the text"
