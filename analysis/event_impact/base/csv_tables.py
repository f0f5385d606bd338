"""The hand-curated tables: read as text, added to whole or not at all, nothing else touched.

The bytes that stand there are kept as they are. Writers of the same folder wait for each other.
"""

import csv
import hashlib
import io
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd

from event_impact.base.disk import hold_lock, replace_files
from event_impact.base.errors import DataError

# How the inputs of a run name the folder of the tables.
TABLE_PREFIX = "data/"
# A writer of tables is done within a moment; after a minute something is wrong.
WAIT_S = 60.0


def locked(folder: Path) -> AbstractContextManager[None]:
    """Hold the tables of a folder against other writers until the block ends.

    Raises
    ------
    BusyError
        If another writer holds them for longer than a minute.
    DataError
        If the folder cannot be written.
    """
    return hold_lock(folder, ".lock", f"the tables in {folder} are being written", wait_s=WAIT_S, refusal=DataError)


def is_table(file: str) -> bool:
    """Whether an input of a run is a hand-curated table, not prices."""
    return file.startswith(TABLE_PREFIX) and "/" not in file.removeprefix(TABLE_PREFIX)


class Tables:
    """The hand-curated tables of a folder, each opened once: what was parsed is what is hashed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._contents: dict[str, bytes] = {}
        self._parsed: dict[str, pd.DataFrame] = {}

    def holds(self, name: str) -> bool:
        """Whether there is such a table."""
        return name in self._contents or (self.folder / name).is_file()

    def read(self, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
        """A table as text, with exactly the expected columns at its left.

        Raises
        ------
        DataError
            If the file is missing, unreadable or has other columns.
        """
        if name not in self._parsed:
            self._parsed[name] = parse_table(self._open(name), columns, name=name)
        return self._parsed[name]

    def _open(self, name: str) -> bytes:
        if name not in self._contents:
            try:
                self._contents[name] = (self.folder / name).read_bytes()
            except FileNotFoundError as error:
                raise DataError(f"{name} is missing in {self.folder}.", "Restore it from the repository.") from error
            except OSError as error:
                said = f"{name} cannot be read ({error.strerror})."
                raise DataError(said, "Check the file and its rights.") from error
        return self._contents[name]

    def hash(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """sha256 of the tables that were read so far, or of those named that there are."""
        names = sorted(self._parsed) if names is None else [name for name in names if self.holds(name)]
        return {f"{TABLE_PREFIX}{name}": hashlib.sha256(self._open(name)).hexdigest() for name in names}


def open_tables(data: Path | Tables) -> Tables:
    """The tables of a folder, or the same tables where they are open already."""
    return data if isinstance(data, Tables) else Tables(data)


def read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """One such file, as :meth:`Tables.read` gives it.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    columns : tuple of str
        Its header up to there, in order; more may follow.

    Returns
    -------
    pandas.DataFrame
        Text throughout; an empty cell is an empty text.

    Raises
    ------
    DataError
        If the file is missing, unreadable or has other columns.
    """
    return Tables(path.parent).read(path.name, columns)


def parse_table(content: bytes, columns: tuple[str, ...], *, name: str) -> pd.DataFrame:
    """The content of such a file as :func:`read_table` gives it.

    Raises
    ------
    DataError
        If it is no CSV, or has other columns.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the header would be lost
            table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, index_col=False)
    except pd.errors.ParserWarning as error:
        said = f"{name} has rows with more cells than its header."
        raise DataError(said, "Take out commas at the ends of lines.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{name} is not a readable CSV: {error}.", "Restore it from the repository.") from error
    if tuple(table.columns[: len(columns)]) != columns:
        said = f"{name} has the columns {', '.join(table.columns)}; expected {', '.join(columns)}."
        raise DataError(said, "See data/README.md.")
    return table


def append_rows(content: bytes, rows: Iterable[Mapping[str, str]], *, name: str) -> bytes:
    """A CSV with more rows, in the order of its own header; columns that a row lacks stay empty.

    Raises
    ------
    DataError
        If the table lacks a column of a row, or a cell is no plain text.
    """
    text = content.decode("utf-8-sig")
    header = next(csv.reader(io.StringIO(text)), [])
    end = "\r\n" if text.split("\n", 1)[0].endswith("\r") else "\n"
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator=end)
    for row in rows:
        if missing := [column for column in row if column not in header]:
            raise DataError(f"{name} has no column {', '.join(missing)}.", "See data/README.md.")
        for column, cell in row.items():
            is_plain = not any(unicodedata.category(c) == "Cc" and not c.isspace() for c in cell)
            said = f"{cell[:40]!r} begins like a formula or holds a control character"
            check_row(is_plain and not is_executable(cell), f"{name}, {column}", said, "Write it as plain text.")
        writer.writerow([clean_cell(row.get(c, "")) for c in header])
    return content + (b"" if content.endswith(b"\n") else end.encode()) + buffer.getvalue().encode()


def check_row(is_sound: bool, where: str, what: str, hint: str = "Mend the row; see data/README.md.") -> None:
    """Refuse a row of a table that is not sound.

    Raises
    ------
    DataError
        Saying where it stands and what is wrong.
    """
    if not is_sound:
        raise DataError(f"{where}: {what}.", hint)


def check_words(row: Mapping[Any, str], where: str, **known: Iterable[str]) -> None:
    """Refuse a row whose cell is none of the words that its column knows, as :func:`check_row`."""
    for name, words in known.items():
        check_row(row[name] in words, where, f"{name} {row[name]!r} is none of {', '.join(words)}")


def check_unique(keys: pd.Series, where: str) -> None:
    """Refuse a table in which a key stands twice, as :func:`check_row`."""
    doubled = ", ".join(sorted(keys[keys.duplicated()]))
    check_row(not doubled, where, f"{keys.name} {doubled} occurs more than once", "Give each row its own.")


def is_executable(cell: str) -> bool:
    """Whether a spreadsheet would compute a cell rather than show it; a number with its sign is shown."""
    return cell.lstrip()[:1] in tuple("=+-@") and not re.fullmatch(r"[+-]?[\d.,]+ ?%?|-+", cell.strip())


def clean_cell(text: str) -> str:
    """One line without control, direction or unpaired signs, as a table of hand-curated rows holds it."""
    return " ".join("".join(c for c in text if c.isspace() or unicodedata.category(c)[0] != "C").split())


def start_table(columns: tuple[str, ...]) -> bytes:
    """A table of its header alone."""
    return (",".join(columns) + "\n").encode()


def replace_tables(contents: Mapping[Path, bytes]) -> None:
    """Put new content in the place of tables, of all or none; a link is followed: what it names is replaced.

    Raises
    ------
    DataError
        If a folder cannot be written; every file is then as it was.
    """
    replace_files({path.resolve(): content for path, content in contents.items()}, refusal=DataError)
