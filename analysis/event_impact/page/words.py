"""The words of the pages, kept apart from the code that fills them, ``templates/words.toml``; those that no page may hold."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

WORDS = Path(__file__).parent / "templates" / "words.toml"


FORBIDDEN = (
    r"no effect",
    r"no impact",
    r"shrugged? off",
    r"ignored the",
    r"denial (reversed|offset|calmed)",
    r"because of",
    r"caused by",
    r"sent the stock",
    r"trend(ing|ed)? towards? significan",
    r"almost significant",
    r"observed power",
    r"robust standard error",
    r"proves? that",
)
"""Wordings that claim more than one event can show; no generated text may match."""


@cache
def read_words() -> dict[str, Any]:
    """Every text by module, place and role, as it is written."""
    return tomllib.loads(WORDS.read_text(encoding="utf-8"))


def _find(path: str) -> Any:
    found: Any = read_words()
    for part in path.split("."):
        found = found[part]
    return found


def say(path: str, **values: object) -> str:
    """A text with its places filled.

    Parameters
    ----------
    path : str
        Module, place and role, such as ``tables.tests.caption``.

    Raises
    ------
    KeyError
        If there is no such text, or one of its places is not filled.
    """
    return str(_find(path)).format(**values)


def read_labels(path: str) -> dict[str, str]:
    """Words for the values of a column or a choice, in their order."""
    return dict(_find(path))


def find_forbidden(text: str) -> list[str]:
    """Forbidden wordings that a text contains."""
    return [pattern for pattern in FORBIDDEN if re.search(pattern, text, flags=re.IGNORECASE)]
