"""Adding rows to the hand-curated tables: whole or not at all, nothing else touched.

The bytes that stand there are kept as they are; the new content is written beside the file and takes its
place by one rename. Writers of the same folder wait for each other.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import os
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from event_impact.base.errors import DataError


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder against other writers until the block ends."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{folder} cannot be opened ({error.strerror}).", "Check the path.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def append_row(content: bytes, row: dict[str, str], *, name: str) -> bytes:
    """A CSV with one more row, in the order of its own header; columns that the row lacks stay empty.

    Raises
    ------
    DataError
        If the table lacks a column of the row.
    """
    text = content.decode("utf-8-sig")
    header = next(csv.reader(io.StringIO(text)), [])
    missing = [column for column in row if column not in header]
    if missing:
        raise DataError(f"{name} has no column {', '.join(missing)}.", "See data/README.md.")
    end = "\r\n" if text.split("\n", 1)[0].endswith("\r") else "\n"
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator=end).writerow([clean_cell(row.get(c, "")) for c in header])
    between = b"" if content.endswith(b"\n") else end.encode()
    return content + between + buffer.getvalue().encode()


def clean_cell(text: str) -> str:
    """One line without control, direction or unpaired signs, as a table of hand-curated rows holds it."""
    return " ".join("".join(c for c in text if c.isspace() or unicodedata.category(c)[0] != "C").split())


def start_table(columns: tuple[str, ...]) -> bytes:
    """A table of its header alone."""
    return (",".join(columns) + "\n").encode()


def replace_files(contents: dict[Path, bytes]) -> None:
    """Put new content in the place of files: all are written beside them first, then each takes its place by a rename.

    A link is followed: what it names is replaced.

    Raises
    ------
    DataError
        If a folder cannot be written; every file is then as it was.
    """
    staged: list[tuple[Path, str]] = []
    path = next(iter(contents))
    try:
        for named, content in contents.items():
            path = named.resolve()
            descriptor, staging = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            staged.append((path, staging))
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            os.chmod(staging, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        while staged:
            path, staging = staged[0]
            os.replace(staging, path)
            staged.pop(0)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); nothing was changed.",
            "Check permissions and free space, or work on a copy (impact init DIR).",
        ) from error
    finally:
        for _, staging in staged:
            with contextlib.suppress(OSError):
                os.unlink(staging)


def replace_file(path: Path, content: bytes) -> None:
    """Put new content in the place of one file, as :func:`replace_files` does.

    Raises
    ------
    DataError
        If the folder cannot be written; the file is then as it was.
    """
    replace_files({path: content})
