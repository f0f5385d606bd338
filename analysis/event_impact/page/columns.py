"""One declaration of a table's columns makes its cells, its CSV, its LaTeX and its alignment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from event_impact.base.result import read_path
from event_impact.page import format as written
from event_impact.page.exhibits import TableExhibit

Getter = str | Callable[[Any], Any]
"""Where a row holds something: a path of attributes, keys and places, or a function of the row."""
NUMERALS: dict[str, Callable[..., str]] = {
    "percent": written.format_percent,
    "size": written.format_size,
    "share": written.format_share,
    "number": written.format_number,
    "plain": written.format_plain,
    "p": written.format_p,
    "whole": written.format_count,
    "money": written.format_money,
    "times": written.format_times,
    "interval": written.format_interval,
    "written": str,
}
"""Kinds of numbers and how each is written; their columns are aligned on the decimal point."""
WORDS: dict[str, Callable[..., str]] = {"text": str, "session": written.format_session, "yes": written.format_yes}
"""Kinds of text."""


@dataclass(frozen=True)
class Column:
    """One quantity of a table, described once.

    Attributes
    ----------
    name : str
        Its column in the CSV; empty for what is only shown. An interval has two, ``_low`` and ``_high``.
    head : str
        Its header as read, with the unit; empty for what is only recorded.
    kind : str or callable
        How a value is written: a key of ``NUMERALS`` or ``WORDS``, or a function that makes text.
    of : str or callable
        Where the row holds the value; by default under ``name``.
    why : str or callable
        Where the row holds the reason for a missing value.
    missing : str
        What is shown for a missing value, before its reason.
    digits : int, optional
        Decimals, where they are not those of the kind.
    """

    name: str = ""
    head: str = ""
    kind: str | Callable[[Any], str] = "text"
    of: Getter = ""
    why: Getter = ""
    missing: str = written.NOT_AVAILABLE
    digits: int | None = None

    @property
    def is_number(self) -> bool:
        """Whether the cells are aligned on the decimal point."""
        return self.kind in NUMERALS

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the CSV."""
        return tuple(
            f"{self.name}{end}" for end in (("_low", "_high") if self.kind == "interval" else ("",)) if self.name
        )

    def cell(self, row: object) -> str:
        """The value as a reader sees it, or why there is none."""
        value = _get(row, self.of or self.name)
        if value is None or value != value:  # None and NaN are missing
            return ": ".join(filter(None, (self.missing, _get(row, self.why) if self.why else "")))
        show: Callable[..., str] = (NUMERALS | WORDS)[self.kind] if isinstance(self.kind, str) else self.kind
        return show(value) if self.digits is None else show(value, digits=self.digits)

    def record(self, row: object) -> dict[str, object]:
        """The value as a machine reads it."""
        value = _get(row, self.of or self.name)
        return dict(zip(self.names, (value or (None, None)) if len(self.names) > 1 else (value,), strict=False))


def _get(row: object, where: Getter) -> Any:
    return read_path(row, where) if isinstance(where, str) else where(row)


class Fact(NamedTuple):
    """A row of a table of single quantities: its name, how it is said, its value, a p, and how to read it."""

    quantity: str
    said: str
    value: object
    p_value: float | None = None
    note: str = ""


def declare_table(
    name: str,
    rows: Iterable[object],
    columns: Iterable[Column],
    *,
    caption: str,
    numbers: pd.DataFrame | None = None,
    is_folded: bool = False,
    has_headline: bool = False,
) -> TableExhibit:
    """A table of which every part comes from its columns; the first that is shown heads the rows.

    Parameters
    ----------
    rows : iterable of object
        What the columns are read from; the rows of a DataFrame are taken as mappings.
    numbers : pandas.DataFrame, optional
        The CSV, where it is a table of an earlier room and the cells are an extract of it.
    has_headline : bool
        Whether the first row is the declared one, and set off.
    """
    rows = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else list(rows)
    columns = list(columns)
    header, *shown = (c for c in columns if c.head)
    cells = pd.DataFrame({c.head: [c.cell(row) for row in rows] for c in shown}, dtype=object)
    cells.index = pd.Index([header.cell(row) for row in rows], name=header.head, dtype=object)
    numbers = frame_rows(rows, columns) if numbers is None else numbers
    aligned = tuple(c.is_number for c in shown)
    return TableExhibit(name, cells, caption, numbers, aligned, is_folded=is_folded, has_headline=has_headline)


def frame_rows(rows: Iterable[object], columns: Iterable[Column]) -> pd.DataFrame:
    """What the columns record, as the CSV holds it."""
    columns = list(columns)
    records = [{k: v for c in columns for k, v in c.record(row).items()} for row in rows]
    return pd.DataFrame(records, columns=[n for c in columns for n in c.names])
