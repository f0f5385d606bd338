"""Calendars kept on disk between runs, by the versions that made them; without a place for them nothing is lost."""

import contextlib
import io
import os
import re
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from event_impact.base.disk import make_folder, replace_files
from event_impact.base.errors import StudyError

MAKERS = ("exchange_calendars", "tzdata")
"""Packages that decide what a calendar holds."""


def find_kept(exchange: str, span: str) -> Path | None:
    """Where the calendar of an exchange over a span is kept; None where there is no place for it.

    ``XDG_CACHE_HOME`` names the folder of all caches, else it is ``~/.cache``.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]{1,32}", exchange):
        return None
    made = []
    for package in MAKERS:
        with contextlib.suppress(PackageNotFoundError):
            made.append(version(package))
    with contextlib.suppress(RuntimeError):  # no home
        caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        return caches / "event-impact" / "-".join([exchange, *made, f"{span}.npz"])
    return None


def read_kept(place: Path | None) -> dict[str, np.ndarray] | None:
    """The arrays kept there; None where there are none, or they cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        if place is not None:
            with np.load(io.BytesIO(place.read_bytes()), allow_pickle=False) as held:
                return dict(held)
    return None


def keep_arrays(place: Path | None, arrays: dict[str, np.ndarray]) -> None:
    """Keep arrays for the next process, whole or not at all; a disk that refuses is no matter."""
    if place is not None:
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **arrays)
        with contextlib.suppress(StudyError):
            make_folder(place.parent)
            replace_files({place: content.getvalue()})
