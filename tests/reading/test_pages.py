"""Saved files that are no pages, or in no declared encoding."""

from __future__ import annotations

import pytest
from event_impact.base.errors import ConfigError, DataError
from event_impact.reading.pages import MAX_BYTES, MAX_TEXT, read_page

GERMAN = "Für Arvo wäre die Übernahme größer als jede zuvor, heißt es."
JAPANESE = "アルボ社は交渉を否定した。広報担当者によると、話し合いの事実はないという。"
CHINESE = "公司发言人说，两家企业没有进行谈判，报道不实。"
KOREAN = "회사는 협의한 사실이 없다고 밝혔다."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\t ", "is empty"),
        (b"%PDF-1.7 ...", "is a PDF"),
        (b"PK\x03\x04....", "is a ZIP archive"),
        (b"\x1f\x8b\x08....", "is gzip-compressed"),
        (b"abc\x00\x01\x02def", "is binary"),
        (b"<html><body><script>var a = 1;</script></body></html>", "holds no readable text"),
        (b"<html>" + b"<a " * 20_000, "markup of page is damaged"),
        (b"a" * (MAX_BYTES + 1), "has 25 MB"),
        (b"<p>" + bytes(range(0x81, 0xFF)) * 3, "cannot be told"),
    ],
)
def test_refused(content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_page(content, name="page")
    assert caught.value.exit_code == 3
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "codec", "read_as"),
    [
        (GERMAN, "cp1252", "cp1252"),
        (JAPANESE, "shift_jis", "cp932"),
        (CHINESE, "gb18030", "gb18030"),
        (KOREAN, "cp949", "cp949"),
        (GERMAN + CHINESE, "utf-8", "utf-8"),
        (JAPANESE, "utf-16", "utf-16"),
    ],
)
def test_encodings_without_a_declaration(text, codec, read_as):
    page = read_page(f"<p>{text}</p>".encode(codec), name="page")
    assert page.lines == (text,)
    assert page.encoding == read_as


@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1252", "ascii"])
def test_declared_latin_is_read_as_browsers_do(label):
    page = read_page(f'<meta charset="{label}"><p>Arvo’s “vans”</p>'.encode("cp1252"), name="page")
    assert (page.lines, page.encoding, page.encoding_basis) == (("Arvo’s “vans”",), "cp1252", "declared")


def test_a_wrong_declaration_gives_way_to_the_bytes():
    page = read_page(f'<meta charset="utf-8"><p>{GERMAN}</p>'.encode("cp1252"), name="page")
    assert (page.lines, page.encoding_basis) == ((GERMAN,), "guessed")
    page = read_page(f'<meta charset="nonsense"><p>{GERMAN}</p>'.encode(), name="page")
    assert (page.lines, page.encoding_basis) == ((GERMAN,), "valid")


def test_a_given_encoding_is_obeyed_or_refused():
    assert read_page(CHINESE.encode("big5", errors="ignore") or b"x", name="p", encoding="big5").encoding == "big5"
    with pytest.raises(ConfigError, match="unknown encoding"):
        read_page(b"abc", name="p", encoding="klingon")
    with pytest.raises(ConfigError, match="is not in utf-8"):
        read_page(GERMAN.encode("cp1252"), name="p", encoding="utf-8")


def test_ten_megabytes_are_read_in_part_and_said_to_be():
    page = read_page(b"<p>Published 3 February 2026</p>" + b"<p>van van van</p>" * 560_000, name="p")
    assert page.is_truncated
    assert len(page.text) <= MAX_TEXT + len(page.lines)
    assert page.lines[0] == "Published 3 February 2026"


def test_what_is_not_shown_is_not_text():
    page = read_page(
        b"<html lang=EN-us><head><title>T <b></title><style>p{}</style></head><body><p>a<script>b</script>c<br>d"
        b"<noscript>e</noscript><template>f</template><textarea>g</textarea>h</body>",
        name="p",
    )
    assert page.lines == ("ac", "dh")
    assert page.language == "en-us"
