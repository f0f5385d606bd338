"""A saved page taken apart: what it says about itself, and the lines a reader sees.

Only the standard library's parser is used, so a broken page is read as far as it goes. Nothing of the text
is kept beyond the life of the object: the registry records times, hashes and the analyst's own words.
"""

import codecs
import contextlib
import email
import email.policy
import json
import re
from collections import deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from event_impact.base.errors import ConfigError, DataError
from event_impact.reading.filings import Filing, read_filing

#: Larger files are not saved articles.
MAX_BYTES = 25_000_000
MAX_OPEN_TAGS = 10_000
#: Characters of visible text that are searched for dates.
MAX_TEXT = 1_000_000
BLOCKS = re.compile(
    "address|article|aside|blockquote|br|caption|d[dlt]|div|figcaption|figure|footer|form|h[1-6r]|header|li|main|nav|ol|"
    "p|pre|section|table|t[dhr]|ul"
)
OWN_PARTS = ("@graph", "mainEntity", "mainEntityOfPage")
HIDDEN = frozenset({"script", "style", "noscript", "template", "svg", "textarea", "select"})
#: What stands in these belongs to the site or to neighbouring pages.
ASIDES = frozenset({"aside", "nav", "footer"})
#: A day in these is part of what the article says.
HEADLINES = frozenset({"h1", "h2", "h3"})
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9._:-]+)""", re.IGNORECASE)
#: Browsers read these labels as their supersets (WHATWG Encoding Standard).
WIDENED = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932",
    "euc_kr": "cp949",
}  # fmt: skip
GUESSES = ("cp932", "gb18030", "cp949", "big5", "cp1252")
#: By which the second best encoding must look more like noise, as a share of the characters.
CLEAR_MARGIN = 0.05
ENCODING_HEAD = 4096
SAMPLE = 200_000
BINARY_MAGIC = {
    b"%PDF": "a PDF", b"\x89PNG": "a PNG picture", b"\xff\xd8\xff": "a JPEG picture", b"GIF8": "a GIF picture",
    b"PK\x03\x04": "a ZIP archive or Office document", b"\x1f\x8b": "gzip-compressed",
    b"bplist": "a Safari web archive",
}  # fmt: skip


def decode_page(content: bytes, *, name: str, encoding: str = "") -> tuple[str, str, str]:
    """The text of a saved page, the encoding it was read in, and why: given, byte order mark, declared, valid or guessed.

    Raises
    ------
    ConfigError
        If a given encoding is unknown or does not fit.
    DataError
        If the file is empty, binary, or in no encoding that can be told.
    """
    if not content.strip():
        raise DataError(f"{name} is empty.", "Save the page again, or paste its text into a file.")
    for magic, what in BINARY_MAGIC.items():
        if content.startswith(magic):
            raise DataError(f"{name} is {what}, not a saved page or text.", "Save the page as HTML, or paste its text.")
    if b"\x00" in content[:SAMPLE] and not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{name} is binary (it holds null bytes).", "Save the page as HTML, or paste its text.")
    if encoding:
        return _decode_as_given(content, encoding, name)
    for bom, codec in BOMS:
        if content.startswith(bom):
            return content.decode(codec, errors="replace"), codec, "byte order mark"
    named = DECLARED.search(content[:ENCODING_HEAD])
    for label, basis in ((named[1].decode("ascii") if named else "", "declared"), ("utf-8", "valid")):
        with contextlib.suppress(UnicodeError, LookupError):  # none that is known, or a codec that is none of text
            codec = codecs.lookup(label).name
            codec = WIDENED.get(codec, codec)
            return content.decode(codec), codec, basis
    return _guess(content, name)


def _decode_as_given(content: bytes, encoding: str, name: str) -> tuple[str, str, str]:
    try:
        codec = codecs.lookup(encoding).name
        return content.decode(codec), codec, "given"
    except LookupError as error:
        raise ConfigError(f"unknown encoding {encoding!r}.", "For example: --encoding gb18030") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not in {encoding} (byte {error.start}).", "Leave out --encoding.") from error
    except UnicodeError as error:
        raise ConfigError(f"{encoding!r} is no encoding of text.", "For example: --encoding gb18030") from error


def _guess(content: bytes, name: str) -> tuple[str, str, str]:
    """The encoding whose characters look like writing, by a clear margin."""
    from charset_normalizer import from_bytes

    ranked = list(from_bytes(content, cp_isolation=list(GUESSES)))
    if not ranked or (len(ranked) > 1 and ranked[1].chaos - ranked[0].chaos < CLEAR_MARGIN):
        said = f"the encoding of {name} is not declared and cannot be told from its characters."
        raise DataError(said, "Name it, for instance --encoding shift_jis.")
    return content.decode(ranked[0].encoding), ranked[0].encoding, "guessed"


@dataclass(frozen=True)
class SavedPage:
    """What a saved page or text holds.

    Attributes
    ----------
    lines : tuple of str
        Visible text, one block a line, in the order of the page.
    meta : tuple of (str, str)
        Names and contents of meta tags, lower-case names.
    times : tuple of (str, str)
        The attribute of each ``<time>`` element, and ``own`` or ``modified`` as the page marks it, else ``aside`` or
        nothing.
    linked_data : tuple of dict
        The objects of the page itself in its JSON-LD blocks.
    nested_days : tuple of str
        Times of publication deeper in them, which belong to other pages.
    is_truncated : bool
        Whether only the first part of the text was kept.
    aside_lines : frozenset of int
        Places of the lines whose days are not the page's own: in :data:`ASIDES` and :data:`HEADLINES`.
    site_lines : frozenset of int
        Those in :data:`ASIDES` alone.
    filing : Filing or None
        What the page is at EDGAR.
    """

    name: str
    is_html: bool
    encoding: str
    encoding_basis: str
    lines: tuple[str, ...]
    title: str = ""
    language: str = ""
    address: str = ""
    meta: tuple[tuple[str, str], ...] = ()
    times: tuple[tuple[str, str], ...] = ()
    linked_data: tuple[dict[str, Any], ...] = ()
    nested_days: tuple[str, ...] = ()
    broken_linked_data: int = 0
    embedded_posts: tuple[str, ...] = ()
    is_truncated: bool = False
    aside_lines: frozenset[int] = frozenset()
    site_lines: frozenset[int] = frozenset()
    source: str = field(default="", repr=False)
    filing: Filing | None = None

    @property
    def text(self) -> str:
        """All visible lines."""
        return "\n".join(self.lines)

    @property
    def main_text(self) -> str:
        """The visible lines without what belongs to the site; all of them where nothing else is left."""
        return "\n".join([line for i, line in enumerate(self.lines) if i not in self.site_lines] or self.lines)


def read_page(content: bytes, *, name: str, encoding: str = "") -> SavedPage:
    """Take a saved page, an MHTML archive or a plain text apart.

    Raises
    ------
    DataError
        If the file is empty, too large, binary, or holds no readable text.
    ConfigError
        If a given encoding does not fit.
    """
    if len(content) > MAX_BYTES:
        said = f"{name} has {len(content) / 1e6:.0f} MB; a saved article has at most {MAX_BYTES // 1_000_000}."
        raise DataError(said, "Save the page without pictures, or paste its text.")
    address = ""
    if re.match(rb"(?s)(?:From:|MIME-Version:|Snapshot-Content-Location:).{0,2000}multipart/related", content):
        content, address = _unpack_archive(content, name)
    text, codec, basis = decode_page(content, name=name, encoding=encoding)
    is_html = bool(re.search(r"<(?:!doctype html|html|head|body|article|p|div|meta)\b", text[:20_000], re.I))
    parser = _PageParser()
    if is_html:
        # the parser's time grows with the square of the tags that never end; no browser saves such a page
        opened, closed = text.count("<"), text.count(">")
        if opened > MAX_OPEN_TAGS and opened > 4 * closed:
            said = f"the markup of {name} is damaged: {opened} tags begin and {closed} end."
            raise DataError(said, "Save the page again.")
        try:
            parser.feed(text)
            parser.close()
        except AssertionError as error:  # how the standard library refuses unknown declarations
            raise DataError(f"the markup of {name} is damaged ({error}).", "Save the page again.") from error
    else:
        for line in text.splitlines():
            parser.current = [line]
            parser.end_line()
    lines = tuple(parser.lines)
    page = SavedPage(
        name, is_html, codec, basis, lines, title=" ".join(parser.title.split()),
        language=parser.language, address=next(filter(is_sound_address, (address, parser.canonical)), ""),
        meta=tuple(parser.meta), times=tuple(parser.times), linked_data=tuple(parser.linked_data),
        nested_days=tuple(dict.fromkeys(parser.nested)), broken_linked_data=parser.broken,
        embedded_posts=tuple(dict.fromkeys(parser.posts)), is_truncated=parser.is_truncated,
        aside_lines=frozenset(parser.aside_lines), site_lines=frozenset(parser.site_lines),
        source=text if is_html else "", filing=read_filing(text, lines),
    )  # fmt: skip
    if not page.lines and not page.meta and not page.linked_data:
        raise DataError(f"{name} holds no readable text.", "Save the page after it has loaded, or paste its text.")
    return page


def is_sound_address(address: str) -> bool:
    """Whether an address can be taken apart."""
    with contextlib.suppress(ValueError):
        return bool(urlsplit(address).hostname)
    return False


def _unpack_archive(content: bytes, name: str) -> tuple[bytes, str]:
    message = email.message_from_bytes(content, policy=email.policy.default)
    for part in message.walk():
        if part.get_content_type() == "text/html":
            payload, address = part.get_payload(decode=True), message.get("Snapshot-Content-Location", "")
            return payload if isinstance(payload, bytes) else b"", str(address).strip()
    raise DataError(f"{name} is an MHTML archive without a page in it.", "Save the page as HTML.")


class _PageParser(HTMLParser):
    """Collects visible lines, meta tags, ``<time>`` elements, JSON-LD and embedded posts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.aside_lines: set[int] = set()
        self.site_lines: set[int] = set()
        self.meta: list[tuple[str, str]] = []
        self.times: list[tuple[str, str]] = []
        self.linked_data: list[dict[str, Any]] = []
        self.posts: list[str] = []
        self.nested: list[str] = []
        self.title = self.language = self.canonical = ""
        self.broken = self.length = 0
        self.is_truncated = False
        self.current: list[str] = []
        self._hidden: list[str] = []
        self._asides = self._headlines = 0
        self._script: list[str] | None = None
        self._is_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in HIDDEN:
            self._hidden.append(tag)
            self._script = [] if tag == "script" and "ld+json" in values.get("type", "").lower() else None
        if BLOCKS.fullmatch(tag):
            self.end_line()
        self._asides += tag in ASIDES
        self._headlines += tag in HEADLINES
        self._is_title = tag == "title" if tag != "meta" else self._is_title
        self._read_attributes(tag, values)

    def _read_attributes(self, tag: str, values: dict[str, str]) -> None:
        marks = f"{values.get('itemprop', '')} {values.get('class', '')} {values.get('pubdate', '-')}".lower()
        if tag == "html":
            self.language = values.get("lang", values.get("xml:lang", "")).lower()
        elif tag == "meta":
            name = values.get("property") or values.get("name") or values.get("itemprop") or values.get("http-equiv")
            if name and values.get("content"):
                self.meta.append((name.strip().lower(), values["content"].strip()))
        elif tag == "link" and values.get("rel", "").lower() == "canonical":
            self.canonical = values.get("href", "").strip()
        elif tag == "a" and re.search(r"//(?:www\.)?(?:x|twitter)\.com/\w+/status/\d{15,20}", values.get("href", "")):
            self.posts.append(values["href"])
        if (tag == "time" or "datetime" in values) and values.get("datetime"):
            # a bare `pubdate` attribute marks the page's own time, as an itemprop or a class does
            is_own = re.search(r"publi|posted|entry-date|(?<!-)pubdate", marks) or "pubdate" in values
            own = "aside" if self._asides else "own" if is_own else ""
            kind = "modified" if re.search(r"modif|updat", marks) else own
            self.times.append((values["datetime"].strip(), kind))

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()
            if self._script is not None and tag == "script":
                self._read_linked("".join(self._script))
                self._script = None
        if tag == "title":
            self._is_title = False
        if BLOCKS.fullmatch(tag):
            self.end_line()
        self._asides -= tag in ASIDES and self._asides > 0
        self._headlines -= tag in HEADLINES and self._headlines > 0

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script.append(data)
        elif self._is_title:
            self.title += data
        elif not self._hidden:
            self.current.append(data)

    def end_line(self) -> None:
        """Take a line that holds anything, its spaces folded, while there is room."""
        folded, room = " ".join("".join(self.current).split()), MAX_TEXT - self.length
        self.current = []
        if not folded or self.is_truncated:
            return
        if self._asides:
            self.site_lines.add(len(self.lines))
        if self._asides or self._headlines:
            self.aside_lines.add(len(self.lines))
        self.lines.append(folded[:room])
        self.length += len(folded)
        self.is_truncated = len(folded) > room

    def close(self) -> None:
        """Close what the page left open."""
        super().close()
        if self._script is not None:
            self._read_linked("".join(self._script))
        self.end_line()

    def _read_linked(self, text: str) -> None:
        """The objects of the page itself, and the days of publication of what they only mention."""
        try:
            waiting = deque([(json.loads(text, strict=False), True)])
        except (ValueError, RecursionError):
            self.broken += 1
            return
        while waiting:
            item, is_own = waiting.popleft()
            if isinstance(item, list):
                waiting.extend((part, is_own) for part in item)
            elif isinstance(item, dict):
                if is_own:
                    self.linked_data.append(item)
                elif isinstance(item.get("datePublished"), str):
                    self.nested.append(item["datePublished"])
                waiting.extend((value, is_own and name in OWN_PARTS) for name, value in item.items())
