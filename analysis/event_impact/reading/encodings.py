"""Which encoding a saved page is in: what it declares, if its bytes agree; else what its characters say."""

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
CLEAR_MARGIN = 0.05
"""By which the second best encoding must look more like noise, as a share of the characters."""
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
    from charset_normalizer import from_bytes

    ranked = list(from_bytes(content, cp_isolation=list(GUESSES)))
    if not ranked or (len(ranked) > 1 and ranked[1].chaos - ranked[0].chaos < CLEAR_MARGIN):
        raise DataError(
            f"the encoding of {name} is not declared and cannot be told from its characters.",
            "Name it, for instance --encoding shift_jis.",
        )
    return Decoded(content.decode(ranked[0].encoding), ranked[0].encoding, "guessed")
