"""Numbers as readers see them: signs always shown, two or three significant figures, never p = 0.

The words of the pages, kept apart from the code that fills them, ``templates/words.toml``; those that no page may hold.
"""

import math
import re
import string
import tomllib
import unicodedata
from collections.abc import Callable
from datetime import date
from functools import cache, partial, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pandas as pd

WORDS = Path(__file__).parent / "templates" / "words.toml"


@cache
def read_words() -> dict[str, Any]:
    """Every text by module, place and role, as it is written."""
    return tomllib.loads(WORDS.read_text(encoding="utf-8"))


def _find(path: str) -> Any:
    return reduce(getitem, path.split("."), read_words())


def say(path: str, **values: object) -> str:
    """A text with its places filled; ``{move:percent.1}`` is written as the kind of a column, with one decimal.

    Parameters
    ----------
    path : str
        Module, place and, where a place holds several, which, such as ``captions.tests`` or ``finding.apart.joint``.

    Raises
    ------
    KeyError
        If there is no such text, or one of its places is not filled.
    """
    return _Writer().vformat(str(_find(path)), (), values)


def read_labels(path: str) -> dict[str, str]:
    """Words for the values of a column or a choice, in their order."""
    return dict(_find(path))


def find_forbidden(text: str) -> list[str]:
    """Wordings of a text that claim more than one event can show."""
    return [found[0] for found in re.finditer(say("forbidden.wordings"), text, flags=re.IGNORECASE)]


MINUS = "\u2212"
NOT_AVAILABLE = "n/a"
#: Names of exhibits, and of the CSV files that hold their numbers.
NAME = re.compile(r"[a-z][a-z0-9_]*")


def format_percent(value: float, *, digits: int = 2, sign: bool = True) -> str:
    """A fraction as a percentage, e.g. 0.0123 as ``+1.23 %``."""
    return f"{format_number(100 * value, digits=digits, sign=sign)}\u00a0%"


def format_share(value: float) -> str:
    """A share or probability as a percentage."""
    return format_size(value, digits=1) if value >= 0.001 else "<\u00a00.1\u00a0%"


def format_interval(bounds: tuple[float, float], *, digits: int = 2) -> str:
    """An interval of fractions, e.g. ``−4.69 % to +2.62 %``."""
    return f"{format_percent(bounds[0], digits=digits)} to {format_percent(bounds[1], digits=digits)}"


def format_p(value: float) -> str:
    """A p-value with two significant figures: ``0.44``, ``0.031``, ``< 0.001``."""
    return "<\u00a00.001" if value < 0.001 else f"{value:.{3 if value < 0.1 else 2}f}"


def p_equals(value: float) -> str:
    """``p = 0.44`` or ``p < 0.001``."""
    text = format_p(value)
    return f"p\u00a0{text}" if text.startswith("<") else f"p\u00a0=\u00a0{text}"


def format_number(value: float, *, digits: int = 2, sign: bool = True) -> str:
    """A plain number with its sign; what rounds to zero has none."""
    text = f"{abs(value):.{digits}f}"
    return ("" if float(text) == 0 else MINUS if value < 0 else "+" if sign else "") + text


def format_size(value: float, *, digits: int = 2) -> str:
    """A fraction as a percentage without a sign."""
    return format_percent(value, digits=digits, sign=False)


def format_plain(value: float, *, digits: int = 2) -> str:
    """A plain number that shows a sign only below zero."""
    return format_number(value, digits=digits, sign=False)


def format_count(value: float) -> str:
    """A whole number with thin groups."""
    return f"{value:,.0f}".replace(",", "\u202f")


def format_money(value: float, *, sign: bool = True) -> str:
    """An amount in billions."""
    return f"{format_number(value / 1e9, sign=sign)}\u00a0bn"


def format_times(log_ratio: float) -> str:
    """The logarithm of a ratio as the ratio."""
    return format_plain(math.exp(log_ratio))


def format_session(value: pd.Timestamp | date) -> str:
    """A session with its weekday, e.g. ``Mon 2026-02-02``."""
    return value.strftime("%a %Y-%m-%d")


def format_yes(value: bool) -> str:
    """``yes`` or ``no``."""
    return "yes" if value else "no"


def name_words(name: str) -> str:
    """A name of the tables as words: ``after_close`` as ``after close``."""
    return name.replace("_", " ")


RETURN_LABELS = {"close_to_close": "close to close", "close_to_open": "close to open", "open_to_close": "open to close"}
OUTCOME_LABELS = read_labels("format.outcome_labels")
EXCHANGE_NAMES = read_labels("format.exchange_names")


def two_digits(value: float) -> str:
    """Two significant digits, a trailing zero among them."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"


def say_reach(value: float) -> str:
    """A size in two significant digits: ``5.5 %``, ``0.82 %``, ``12 %``."""
    return f"{two_digits(100 * value)}\u00a0%"


#: Kinds of numbers and how each is written, in a column and in a sentence.
NUMERALS: dict[str, Callable[..., str]] = {
    "percent": format_percent,
    "size": format_size,
    "reach": say_reach,
    "share": format_share,
    "number": format_number,
    "plain": format_plain,
    "p": format_p,
    "p_equals": p_equals,
    "whole": format_count,
    "money": format_money,
    "amount": partial(format_money, sign=False),
    "times": format_times,
    "interval": format_interval,
    "written": str,
}
#: Kinds of text.
TEXTS: dict[str, Callable[..., str]] = {
    "text": str,
    "words": name_words,
    "session": format_session,
    "instant": "{:%a %Y-%m-%d %H:%M}".format,
    "yes": format_yes,
}
KINDS = NUMERALS | TEXTS


def write(value: object, kind: str) -> str:
    """A value as its kind writes it, with the decimals that follow the kind: ``percent``, ``percent.1``."""
    name, _, digits = kind.partition(".")
    return KINDS[name](value, digits=int(digits)) if digits else KINDS[name](value)


class _Writer(string.Formatter):
    """Fills the places of a text."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        is_kind = format_spec.partition(".")[0] in KINDS
        return write(value, format_spec) if is_kind else super().format_field(value, format_spec)


def name_listing(ticker: str, exchange: str) -> str:
    """``F (NYSE)``; an exchange without a name of its own here keeps its code."""
    return f"{ticker} ({EXCHANGE_NAMES.get(exchange, exchange)})"


def signed_whole(value: float) -> str:
    """A whole number with its sign: ``−5``, ``0``, ``+10``."""
    return format_number(round(value), digits=0)


def cut_label(text: str, length: int) -> str:
    """Text of a table as a label: one line without control and direction marks, cut to a length."""
    spaced = "".join(" " if c.isspace() else c for c in text)
    kept = " ".join("".join(c for c in spaced if unicodedata.category(c)[0] != "C").split())
    return kept if len(kept) <= length else kept[: length - 1].rstrip() + "\u2026"
