"""Which encoding a saved page is in: what it declares, if its bytes agree; else what its characters say."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from event_impact.base.errors import ConfigError, DataError

BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9._:-]+)""", re.IGNORECASE)
WIDENED = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932",
    "euc_kr": "cp949",
}  # fmt: skip
"""Browsers read these labels as their supersets (WHATWG Encoding Standard)."""
GUESSES = ("cp932", "gb18030", "cp949", "big5", "cp1252")
ALL_HANGUL = 0.97
HEAD = 4096
SAMPLE = 200_000
BINARY_MAGIC = {
    b"%PDF": "a PDF", b"\x89PNG": "a PNG picture", b"\xff\xd8\xff": "a JPEG picture", b"GIF8": "a GIF picture",
    b"PK\x03\x04": "a ZIP archive or Office document", b"\x1f\x8b": "gzip-compressed",
    b"bplist": "a Safari web archive",
}  # fmt: skip


@dataclass(frozen=True)
class Decoded:
    """Text, with the encoding it was read in and why."""

    text: str
    encoding: str
    basis: str  # given, byte order mark, declared, valid, guessed


def decode_page(content: bytes, *, name: str, encoding: str = "") -> Decoded:
    """The text of a saved page.

    Raises
    ------
    ConfigError
        If a given encoding is unknown or does not fit.
    DataError
        If the file is empty, binary, or in no encoding that can be told.
    """
    if not content.strip():
        raise DataError(f"{name} is empty.", "Save the page again, or paste its text into a file.")
    _refuse_binary(content, name)
    if encoding:
        return _decode_as_given(content, encoding, name)
    for bom, codec in BOMS:
        if content.startswith(bom):
            return Decoded(content.decode(codec, errors="replace"), codec, "byte order mark")
    declared = _declared(content)
    for codec, basis in ((declared, "declared"), ("utf-8", "valid")):
        if codec:
            try:
                return Decoded(content.decode(codec), codec, basis)
            except (UnicodeError, LookupError):  # or a codec that is none of text
                continue
    return _guess(content, name)


def _refuse_binary(content: bytes, name: str) -> None:
    for magic, what in BINARY_MAGIC.items():
        if content.startswith(magic):
            raise DataError(f"{name} is {what}, not a saved page or text.", "Save the page as HTML, or paste its text.")
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\x00" in content[:SAMPLE] and not is_wide:
        raise DataError(f"{name} is binary (it holds null bytes).", "Save the page as HTML, or paste its text.")


def _decode_as_given(content: bytes, encoding: str, name: str) -> Decoded:
    try:
        codec = codecs.lookup(encoding).name
        return Decoded(content.decode(codec), codec, "given")
    except LookupError as error:
        raise ConfigError(f"unknown encoding {encoding!r}.", "For example: --encoding gb18030") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not in {encoding} (byte {error.start}).", "Leave out --encoding.") from error
    except UnicodeError as error:
        raise ConfigError(f"{encoding!r} is no encoding of text.", "For example: --encoding gb18030") from error


def _declared(content: bytes) -> str:
    match = DECLARED.search(content[:HEAD])
    if not match:
        return ""
    try:
        codec = codecs.lookup(match[1].decode("ascii")).name
    except LookupError:
        return ""
    return WIDENED.get(codec, codec)


def _guess(content: bytes, name: str) -> Decoded:
    """The encoding whose characters look like writing, by a clear margin."""
    scores: dict[str, float] = {}
    texts: dict[str, str] = {}
    for codec in GUESSES:
        try:
            texts[codec] = content.decode(codec)
        except UnicodeDecodeError:
            continue
        scores[codec] = _score(texts[codec][:SAMPLE], codec)
    if scores.get("cp949", 0.0) >= ALL_HANGUL:
        # Hangul lies where GB 2312 keeps its commonest characters, but no Chinese text uses those alone
        scores["gb18030"] = scores.get("gb18030", 0.0) / 2
    ranked = sorted(scores, key=lambda codec: -scores[codec])
    if not ranked or scores[ranked[0]] < 0.6 or (len(ranked) > 1 and scores[ranked[0]] - scores[ranked[1]] < 0.1):
        raise DataError(
            f"the encoding of {name} is not declared and cannot be told from its characters.",
            "Name it, for instance --encoding shift_jis.",
        )
    return Decoded(texts[ranked[0]], ranked[0], "guessed")


def _score(text: str, codec: str) -> float:
    """Share of the non-ASCII characters that a text in this encoding would plausibly hold."""
    strange = [c for c in text if c > "\x7f"]
    if not strange:
        return 0.0
    if codec == "cp1252":
        # accents stand inside words: most neighbours of one are ASCII letters or spaces
        accents = re.findall(r"(?<![^\x00-\x7f])[À-ÖØ-öø-ÿ‘’“”–—…€«»£°ß](?![^\x00-\x7f])", text)
        return len(accents) / len(strange)
    if codec == "cp932":
        kana = sum("\u3041" <= c <= "\u30fe" for c in strange)
        half = sum("\uff61" <= c <= "\uff9f" for c in strange)
        return 0.0 if kana < 0.1 * len(strange) else 1 - 2 * half / len(strange)
    if codec == "cp949":
        return sum("\uac00" <= c <= "\ud7a3" and _fits(c, "euc_kr") for c in strange) / len(strange)
    narrow = {"gb18030": "gb2312", "big5": "big5"}[codec]
    han = sum(_is_common(c, narrow) for c in strange)
    return han / len(strange)


def _fits(character: str, codec: str) -> bool:
    try:
        return bool(character.encode(codec))
    except UnicodeEncodeError:
        return False


def _is_common(character: str, codec: str) -> bool:
    """Whether a character is everyday writing in a Chinese encoding: its first level, or punctuation."""
    try:
        lead = character.encode(codec)[0]
    except UnicodeEncodeError:
        return False
    is_han_or_mark = "\u4e00" <= character <= "\u9fff" or "\u3000" <= character <= "\u303f" or character >= "\uff01"
    first_level = lead <= 0xD7 if codec == "gb2312" else lead <= 0xC6
    return is_han_or_mark and first_level
