"""Figures and tables as readers meet them: caption, description, and the numbers behind.

An exhibit shows itself the same way in JupyterLab and on the rendered page, and carries the
table from which it was drawn, so that text, picture and CSV come from one object.

One declaration of a table's columns makes its cells, its CSV, its LaTeX and its alignment.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

import pandas as pd

from event_impact.base.result import read_path
from event_impact.page import format as written
from event_impact.page.format import NAME, NUMERALS
from event_impact.page.markup import align_decimals, find_title, frame_table, mark_up, mark_up_caption, mark_up_row

#: An exhibit that is displayed carries its numbers under this media type: so it is recorded by being displayed.
EXHIBIT_MIME = "application/vnd.event-impact.exhibit+json"
#: Signs that LaTeX would take for commands, or that not every engine can set.
LATEX_SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "\u2212": "$-$", "\u2192": r"$\to$",
    "\u00a0": "~", "\u202f": r"\,", "\u2011": "-", "\u2013": "--", "\n": " ", "\r": " ",
}  # fmt: skip
#: Direction marks: nothing to print, and a trap in a source file.
UNSEEN = dict.fromkeys("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Exhibit:
    """An exhibit in a notebook: what readers see, and the numbers that a runner keeps."""

    name: str
    numbers: pd.DataFrame

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no snake-case name.")

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        return {
            "text/html": self._repr_html_(),
            "text/plain": self.name,
            EXHIBIT_MIME: [{"name": self.name, "csv": write_csv(self.numbers)}],
        }

    def _repr_html_(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class TableExhibit(Exhibit):
    """A table with its caption, formatted cells for readers and raw numbers for machines.

    Attributes
    ----------
    cells : pandas.DataFrame
        Text as shown; the index holds the row headers, the columns the column headers with units.
    numbers : pandas.DataFrame
        The same facts unrounded.
    aligned : tuple of bool
        Which columns of the cells hold numbers.
    has_headline : bool
        Whether the first row is set off.
    """

    name: str
    cells: pd.DataFrame
    caption: str
    numbers: pd.DataFrame
    aligned: tuple[bool, ...] = ()
    is_folded: bool = False
    has_headline: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.caption.strip():
            raise ValueError(f"{self.name}: a table needs a caption.")

    def _repr_html_(self) -> str:
        if self.cells.empty:  # a frame of heads over nothing: its caption says why
            return f'<p class="empty-table">{mark_up_caption(self.caption, "")}</p>'
        rooms = zip(*self._rooms(), strict=True)
        rows = [
            mark_up_row(label, row, row_class="headline" * (self.has_headline and not k), rooms=room)
            for k, (label, row, room) in enumerate(zip(self.cells.index, self.cells.to_numpy(), rooms, strict=True))
        ]
        heads = (str(self.cells.index.name or ""), *map(str, self.cells.columns))
        table = frame_table(self.caption, heads, "".join(rows), name=self.name, aligned=self.aligned)
        if not self.is_folded:
            return table
        return f'<details class="fold"><summary>{mark_up(find_title(self.caption))}</summary>{table}</details>'

    def _rooms(self) -> Iterator[list[int | None]]:
        """For each column the room after its numbers; None in columns of text."""
        for k, is_number in zip_longest(range(self.cells.shape[1]), self.aligned):
            yield align_decimals(self.cells.iloc[:, k]) if is_number else [None] * len(self.cells)

    def to_latex(self) -> str:
        """The table for a paper, in the booktabs package and for any engine."""
        plain = pd.DataFrame({"": [_escape_latex(label) for label in self.cells.index]})
        for k, rooms in enumerate(self._rooms()):
            cells = zip(self.cells.iloc[:, k], rooms, strict=True)
            plain[k] = [_escape_latex(cell) + r"\phantom{0}" * (room or 0) for cell, room in cells]
        plain.columns = [_escape_latex(head) for head in (self.cells.index.name or "", *self.cells.columns)]
        return plain.to_latex(
            index=False, escape=False, caption=_escape_latex(self.caption), label=f"tab:{self.name}", position="htbp",
            column_format="l" + "".join("lr"[bool(a)] for _, a in zip_longest(self.cells.columns, self.aligned)),
        )  # fmt: skip


def link_csv(name: str) -> str:
    """A link to the numbers behind an exhibit, beside the page."""
    return f'<a class="csv" href="results/{name}.csv">Numbers (CSV)</a>'


def _escape_latex(text: object) -> str:
    return "".join(LATEX_SIGNS.get(sign, sign) for sign in str(text) if sign not in UNSEEN)


def write_csv(frame: pd.DataFrame) -> str:
    """A frame as CSV in the conventions of ``results/``.

    Booleans ``true``/``false``, missing empty, floats with full precision, dates plain, and no
    text that a spreadsheet would execute: a text cell that begins like a formula gets an apostrophe.
    """
    columns = [map(_cell, frame.iloc[:, k].tolist()) for k in range(frame.shape[1])]
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([frame.columns, *zip(*columns, strict=True)])
    return stream.getvalue()


def _cell(value: object) -> object:
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "true" if value else "false"
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d") if value.tz is None else value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, str):
        # a lone carriage return would stay unquoted, and what follows it would begin a row of its own
        text = value.replace("\r\n", "\n").replace("\r", "\n")
        return "'" + text if value.startswith(FORMULA_STARTS) else text
    return value


#: Where a row holds something: a path of attributes, keys and places, or a function of the row.
Getter = str | Callable[[Any], Any]


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
        How a value is written: a key of ``NUMERALS``, aligned on the decimal point, with its decimals where they are
        not those of the kind (``percent.1``); a key of ``TEXTS``; or a function that makes text.
    of : str or callable
        Where the row holds the value; by default under ``name``.
    why : str or callable
        Where the row holds the reason for a missing value.
    missing : str
        What is shown for a missing value, before its reason.
    """

    name: str = ""
    head: str = ""
    kind: str | Callable[[Any], str] = "text"
    of: Getter = ""
    why: Getter = ""
    missing: str = written.NOT_AVAILABLE

    @property
    def is_number(self) -> bool:
        """Whether the cells are aligned on the decimal point."""
        return isinstance(self.kind, str) and self.kind.partition(".")[0] in NUMERALS

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the CSV."""
        ends = ("_low", "_high") if self.kind == "interval" else ("",)
        return tuple(f"{self.name}{end}" for end in ends if self.name)

    def cell(self, row: object) -> str:
        """The value as a reader sees it, or why there is none."""
        value = _get(row, self.of or self.name)
        if value is None or value != value:  # None and NaN are missing
            return ": ".join(filter(None, (self.missing, _get(row, self.why) if self.why else "")))
        return written.write(value, self.kind) if isinstance(self.kind, str) else self.kind(value)

    def record(self, row: object) -> dict[str, object]:
        """The value as a machine reads it."""
        value = _get(row, self.of or self.name)
        return dict(zip(self.names, (value or (None, None)) if len(self.names) > 1 else (value,), strict=False))


def _get(row: object, where: Getter) -> Any:
    return read_path(row, where) if isinstance(where, str) else where(row)


def record(spec: str, inside: str = "") -> Iterator[Column]:
    """Columns that are only recorded: names, each followed by ``=`` and its path where that is another."""
    for name, _, path in (each.partition("=") for each in spec.split()):
        yield Column(name, of=f"{inside}{path or name}")


def show(*specs: str) -> Iterator[Column]:
    """Columns that are ``name=path|head|kind|why``; left out, the path is the name, the kind text, and no reason held."""
    for spec in specs:
        where, head, kind, why, *_ = f"{spec}|||".split("|")
        name, _, path = where.partition("=")
        yield Column(name, head, kind or "text", of=path, why=why)


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
    numbers: pd.DataFrame | None = None,
    caption: str = "",
    is_folded: bool = False,
    has_headline: bool = False,
    **said: object,
) -> TableExhibit:
    """A table of which every part comes from its columns; the first that is shown heads the rows.

    Parameters
    ----------
    rows : iterable of object
        What the columns are read from; the rows of a DataFrame are taken as mappings.
    numbers : pandas.DataFrame, optional
        The CSV, where it is a table of an earlier room and the cells are an extract of it.
    caption : str, optional
        Where it is not the one that ``words.toml`` holds under the table's name, its places filled with ``said``.
    has_headline : bool
        Whether the first row is the declared one, and set off.
    """
    caption = caption or written.say(f"captions.{name}", **said)
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
