"""Figures and tables as readers meet them: caption, description, and the numbers behind.

An exhibit shows itself the same way in JupyterLab and on the rendered page, and carries the
table from which it was drawn, so that text, picture and CSV come from one object.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass, field
from html import escape

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from analysis.reporting.figure_style import house_style
from analysis.reporting.format import NAME

SHAPE = re.compile(rb'(?<= d=")[^"]*|(?<=translate\()[^)]*')
DECIMALS = re.compile(rb"(\.\d\d)\d+")
SPACES = re.compile(rb"\s*([A-Za-z])\s*")
"""Coordinates are cut to a hundredth of a point and set close: no eye sees more, and pages carry many."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class FigureExhibit:
    """A figure with its caption (how to read it), description (what it contains) and numbers.

    Attributes
    ----------
    name : str
        Snake-case id; also the name of its CSV.
    figure : matplotlib.figure.Figure
        Built without pyplot, never shown by side effect.
    caption : str
        Title sentence and how to read the figure; plain text.
    description : str
        Alternative text: what a reader who cannot see it would be told.
    numbers : pandas.DataFrame
        What was drawn, one row a mark.
    """

    name: str
    figure: Figure
    caption: str
    description: str
    numbers: pd.DataFrame

    def __post_init__(self) -> None:
        _check_exhibit(self.name, self.caption)
        if not self.description.strip():
            raise ValueError(f"{self.name}: a figure needs a description.")

    def to_svg(self) -> bytes:
        """The figure as SVG, the same bytes at every call."""
        buffer = io.BytesIO()
        with house_style(), mpl.rc_context({"svg.hashsalt": self.name}):
            self.figure.draw_without_rendering()
            self.figure.set_layout_engine("none")  # every further layout would move things by rounding errors
            self.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
        return SHAPE.sub(lambda shape: DECIMALS.sub(rb"\1", SPACES.sub(rb"\1", shape[0])), buffer.getvalue())

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.to_svg()).decode("ascii")
        return (
            f'<figure id="{self.name}" class="exhibit"><img alt="{escape(self.description)}" '
            f'src="data:image/svg+xml;base64,{data}">'
            f'<figcaption><span class="number">Figure.</span> {escape(self.caption)}</figcaption></figure>'
        )


@dataclass(frozen=True)
class TableExhibit:
    """A table with its caption, formatted cells for readers and raw numbers for machines.

    Attributes
    ----------
    cells : pandas.DataFrame
        Text as shown; the index holds the row headers, the columns the column headers with units.
    numbers : pandas.DataFrame
        The same facts unrounded.
    """

    name: str
    cells: pd.DataFrame
    caption: str
    numbers: pd.DataFrame
    row_header: str = ""
    row_classes: dict[str, str] = field(default_factory=dict)
    is_folded: bool = False

    def __post_init__(self) -> None:
        _check_exhibit(self.name, self.caption)

    def _repr_html_(self) -> str:
        head = f'<th scope="col">{escape(self.row_header)}</th>' if self.row_header else "<td></td>"
        head += "".join(f'<th scope="col">{escape(str(column))}</th>' for column in self.cells.columns)
        body = []
        for label, row in zip(self.cells.index, self.cells.to_numpy().tolist(), strict=True):
            row_class = self.row_classes.get(str(label), "")
            attribute = f' class="{escape(row_class)}"' if row_class else ""
            cells = "".join(f"<td>{escape(str(value))}</td>" for value in row)
            body.append(f'<tr{attribute}><th scope="row">{escape(str(label))}</th>{cells}</tr>')
        title = escape(self.caption.split(".")[0])
        table = (
            f'<div class="table-frame" role="region" tabindex="0" aria-label="{title}">'
            f'<table id="{self.name}" class="exhibit"><caption><span class="text"><span class="number">Table.</span> '
            f"{escape(self.caption)}</span></caption><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        )
        return f'<details class="fold"><summary>{title}</summary>{table}</details>' if self.is_folded else table

    def to_latex(self) -> str:
        """The table for a paper."""
        return self.cells.to_latex(caption=self.caption, label=f"tab:{self.name}", escape=True)


Exhibit = FigureExhibit | TableExhibit


def _check_exhibit(name: str, caption: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no snake-case name.")
    if not caption.strip():
        raise ValueError(f"{name}: an exhibit needs a caption.")


def write_csv(frame: pd.DataFrame, *, index: bool = False) -> str:
    """A frame as CSV in the conventions of ``results/``.

    Booleans ``true``/``false``, missing empty, floats with full precision, dates plain, and no
    text that a spreadsheet would execute: a text cell that begins like a formula gets an apostrophe.
    """
    return frame.map(_cell).to_csv(index=index, lineterminator="\n")


def _cell(value: object) -> object:
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
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
