"""The tables of a published run for a paper: LaTeX as shown on the page, CSV as recorded.

LaTeX is made from the cells of the page itself, so that a paper shows what reviewers saw, digit by
digit; the unrounded numbers are the run's own CSV files.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

from event_impact.base.disk import make_folder, replace_files
from event_impact.base.errors import ConfigError
from event_impact.page.exhibits import TableExhibit
from event_impact.runs.store import StoredRun

FORMATS = ("latex", "csv")


def export_run(stored: StoredRun, target: Path, *, form: str) -> list[Path]:
    """Write every table of a run into ``target``; files of the same name are replaced.

    Raises
    ------
    ConfigError
        If the form is unknown or the run has no table, as failed ones have none.
    RenderError
        If a file cannot be written.
    """
    if form not in FORMATS:
        raise ConfigError(f"unknown format {form!r}.", f"Formats: {', '.join(FORMATS)}.")
    tables = sorted((stored.folder / "results").glob("*.csv"))
    if not stored.is_good or not tables:
        raise ConfigError(f"{stored.folder.name} holds no tables.", "Name a run that ended well: impact list")
    page = read_tables((stored.folder / "report.html").read_text(encoding="utf-8")) if form == "latex" else {}
    if form == "latex" and not page:
        raise ConfigError(f"the page of {stored.folder.name} names no table.", "Export its CSV: --format csv.")
    contents: dict[Path, str | bytes] = {target / path.name: path.read_bytes() for path in tables}
    if form == "latex":
        contents = {target / f"{name}.tex": exhibit.to_latex() for name, exhibit in page.items()}
    make_folder(target)
    replace_files(contents)
    return list(contents)


def read_tables(page: str) -> dict[str, TableExhibit]:
    """Every named table of a page, as far as it shows: the first column becomes the index."""
    reader = _TableReader()
    reader.feed(page)
    tables = {}
    for name, (caption, rows) in reader.tables.items():
        (corner, *heads), *body = rows
        index = pd.Index([row[0] for row in body], name=corner or None)
        cells = pd.DataFrame([row[1:] for row in body], index=index, columns=heads)
        tables[name] = TableExhibit(name, cells, caption, cells, tuple(reader.aligned[name][1:]))
    return tables


class _TableReader(HTMLParser):
    """Text of the cells and captions of tables that have an id."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, tuple[str, list[list[str]]]] = {}
        self.aligned: dict[str, list[bool]] = {}
        self._name = ""
        self._place = ""
        self._is_number = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "table":
            self._name = values.get("id") or ""
            if self._name:
                self.tables[self._name], self.aligned[self._name] = ("", []), []
        elif tag == "tr" and self._name:
            self.tables[self._name][1].append([])
        elif tag in ("td", "th", "caption"):
            self._place = tag
            if self._name and tag != "caption":
                rows = self.tables[self._name][1]
                rows[-1].append("")
                if len(rows) == 1:
                    self.aligned[self._name].append(values.get("class") == "num")
        self._is_number = values.get("class") == "number"

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._name = ""
        elif tag in ("td", "th", "caption"):
            self._place = ""
        self._is_number = False

    def handle_data(self, data: str) -> None:
        if not self._name or not self._place or self._is_number:
            return
        caption, rows = self.tables[self._name]
        if self._place == "caption":
            self.tables[self._name] = (caption + data).lstrip(), rows
        else:
            rows[-1][-1] += data
