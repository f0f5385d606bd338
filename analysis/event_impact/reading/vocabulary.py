"""The words of ``words.json``: months, zones, marks of publication, exchanges, in the languages that pages are written in."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

WORDS: dict[str, Any] = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


def number_words(rows: list[str], *, first: int) -> dict[str, int]:
    """Each word of a row with the number of its row, counted from ``first``."""
    return {word: number for number, row in enumerate(rows, start=first) for word in row.split()}


def any_of(words: Iterable[str]) -> str:
    """A pattern of all words, longer ones first."""
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))
