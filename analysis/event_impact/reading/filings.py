"""Filings of EDGAR: acceptance times to the second, form and items, from each shape in which EDGAR gives them.

The clock of a header or an index page is New York time and prints no zone; that of the submissions JSON is UTC.
A filing that begins after 17:30 mostly counts as filed on the next business day (17 CFR 232.13) and is "disseminated
the next business day" (sec.gov, Accessing EDGAR Data), at no stated hour; EDGAR's day begins at 06:00, filing agents name
06:00 and Calcbench saw 07:30. Nothing says when a filing was first shown, only when it was accepted.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from event_impact.base.errors import DataError
from event_impact.reading.stamps import Interval, Stamp, interval_of, load_zone

EDGAR_ZONE = "America/New_York"
HEADER = re.compile(r"<ACCEPTANCE-DATETIME>\s*(\d{14})")
INDEX_PAGE = re.compile(r"SEC Accession No\.?")
INDEX_CLOCK = re.compile(r"^Accepted\s+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
FILED = (re.compile(r"FILED AS OF DATE:\s*(\d{8})"), re.compile(r"^Filing Date\s+(\d{4}-\d\d-\d\d)", re.MULTILINE))
FORM = (re.compile(r"CONFORMED SUBMISSION TYPE:\s*(\S+)"), re.compile(r"^Form\s+(\S+(?:/A)?)\s*-", re.MULTILINE))
ITEM = re.compile(r"\bItem (\d\.\d\d)\b")
#: How headers name an item that is looked for: by its title alone.
ITEM_WORDS = {"Results of Operations and Financial Condition": "2.02"}
EARNINGS_ITEM = "2.02"
#: New York's clock on the filing date of what came after hours: assumed, later than any hour named, before trading.
SHOWN_BY = time(8)
HEAD = 20_000


@dataclass(frozen=True)
class Filing:
    """One filing: what it is, when it was accepted, when it counts as filed."""

    form: str
    accepted: Stamp
    filed: date | None
    items: tuple[str, ...] = ()
    address: str = ""

    @property
    def is_amended(self) -> bool:
        """Whether it mends an earlier filing, which was public before it."""
        return self.form.endswith("/A")

    @property
    def bounds(self) -> Interval:
        """From acceptance: its second, or the morning of the filing date where that is a later day."""
        accepted = interval_of(self.accepted)
        if self.filed is None or self.filed <= accepted.earliest.astimezone(load_zone(EDGAR_ZONE)).date():
            return accepted
        shown = datetime.combine(self.filed, SHOWN_BY, tzinfo=load_zone(EDGAR_ZONE)).astimezone(UTC)
        return Interval(accepted.earliest, shown, "printed", "assumed")

    def describe(self) -> str:
        """What it is and on what its time rests, for the evidence."""
        named = f"form {self.form or 'not named'}{', item ' + ', '.join(self.items) if self.items else ''}"
        clock = "UTC as printed" if self.accepted.zone == "UTC" else "EDGAR's header clocks are New York time"
        clock += "; accepted then, first shown at a time that nobody records"
        is_late = self.bounds.latest_basis == "assumed"
        later = "; accepted after hours, shown on its filing date, by 08:00 as assumed: EDGAR states no hour" * is_late
        mended = "; it amends a filing that was public earlier" * self.is_amended
        return f"{named}; {clock}{later}{mended}"


def read_filing(source: str, lines: tuple[str, ...]) -> Filing | None:
    """The filing of an SGML header or of an index page of EDGAR; None where the page is neither.

    Raises
    ------
    DataError
        If its acceptance time is none.
    """
    head, shown = source[:HEAD], "\n".join(lines)[:HEAD]
    if match := HEADER.search(head):
        text, form, template = head, "%Y%m%d%H%M%S", 0
    elif INDEX_PAGE.search(shown) and (match := INDEX_CLOCK.search(shown)):
        text, form, template = shown, "%Y-%m-%d %H:%M:%S", 1
    else:
        return None
    try:
        at = datetime.strptime(match[1], form)
    except ValueError as error:
        raise DataError(f"the acceptance time {match[1]} is none.", "Save the page of the filing again.") from error
    filed, kind = FILED[template].search(text), FORM[template].search(text)
    accepted = Stamp(match[1], at.date(), at.time(), "second", EDGAR_ZONE, "site_convention")
    items = dict.fromkeys([*ITEM.findall(text), *(item for words, item in ITEM_WORDS.items() if words in text)])
    return Filing(kind[1] if kind else "", accepted, date.fromisoformat(filed[1]) if filed else None, tuple(items))


def read_submissions(content: bytes, *, name: str) -> list[Filing]:
    """The filings of EDGAR's submissions JSON, newest first as it lists them.

    Raises
    ------
    DataError
        If it is not that JSON, or its columns differ in length.
    """
    try:
        whole = json.loads(content)
        recent = whole["filings"]["recent"]
        columns = ("accessionNumber", "filingDate", "acceptanceDateTime", "form", "items")
        rows = zip(*(recent[column] for column in columns), strict=True)
        return [_read_row(int(whole["cik"]), *row) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        said = f"{name} is no list of submissions of EDGAR ({type(error).__name__}: {error})."
        raise DataError(said, "Save CIK##########.json of data.sec.gov.") from error


def _read_row(cik: int, accession: str, filed: str, accepted: str, form: str, items: str) -> Filing:
    at = datetime.fromisoformat(accepted).astimezone(UTC)
    stamp = Stamp(accepted, at.date(), at.time().replace(microsecond=0), "second", "UTC", "printed")
    address = f"https://www.sec.gov/Archives/edgar/data/{cik}/{accession.replace('-', '')}/{accession}-index.htm"
    return Filing(form, stamp, date.fromisoformat(filed), tuple(filter(None, items.split(","))), address)


def is_submissions(content: bytes) -> bool:
    """Whether a file looks like the submissions JSON."""
    return content.lstrip()[:1] == b"{" and b'"acceptanceDateTime"' in content
