"""The tables of a published run for a paper: LaTeX as shown on the page, CSV as recorded.

LaTeX is made from the cells of the page itself, so that a paper shows what reviewers saw, digit by
digit; the unrounded numbers are the run's own CSV files.
"""

from pathlib import Path

import pandas as pd
from bs4 import BeautifulSoup

from event_impact.base.disk import Content, make_folder, replace_files
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
    if not stored.run.is_good or not tables:
        raise ConfigError(f"{stored.folder.name} holds no tables.", "Name a run that ended well: impact list")
    contents: dict[Path, Content] = {target / path.name: path.read_bytes() for path in tables}
    if form == "latex":
        page = read_tables(stored.page.read_text(encoding="utf-8"))
        contents = {target / f"{name}.tex": exhibit.to_latex() for name, exhibit in page.items()}
    if not contents:
        raise ConfigError(f"the page of {stored.folder.name} names no table.", "Export its CSV: --format csv.")
    make_folder(target)
    replace_files(contents)
    return list(contents)


def read_tables(page: str) -> dict[str, TableExhibit]:
    """Every named table of a page, as far as it shows: the first column becomes the index."""
    tables = {}
    for table in BeautifulSoup(page, "html.parser").select("table[id]"):
        for number in table.select("caption .number"):
            number.decompose()
        top, *rows = ([*row.find_all(("th", "td"))] for row in table.find_all("tr"))
        corner, *heads = (cell.get_text() for cell in top)
        body = [[cell.get_text() for cell in row] for row in rows]
        index = pd.Index([row[0] for row in body], name=corner or None)
        cells = pd.DataFrame([row[1:] for row in body], index=index, columns=heads)
        name, caption = str(table["id"]), table.caption.get_text().lstrip() if table.caption else ""
        aligned = tuple(cell.get("class") == ["num"] for cell in top[1:])
        tables[name] = TableExhibit(name, cells, caption, cells, aligned)
    return tables
