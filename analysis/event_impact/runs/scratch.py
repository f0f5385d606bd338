"""The private folders in which kernels keep sockets and settings while they run."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path


def scratch_folder(reports: Path, story: str, *, temporary: Path | None = None) -> Path:
    """Where the kernels of one story keep sockets and settings; the holder of the story's lock owns it."""
    name = hashlib.sha256(f"{reports.resolve()}\0{story}".encode()).hexdigest()[:10]
    return (temporary or Path(tempfile.gettempdir())) / f"impact-{os.getuid()}" / name


def clear_scratch(folder: Path) -> None:
    """Remove what dead kernels left, and make the private folder above it.

    Raises
    ------
    OSError
        If the folder above is not a directory of this user alone: another user could have put it there.
    """
    parent = folder.parent
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = os.lstat(parent)
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise PermissionError(f"{parent} is not a private folder of this user")
    shutil.rmtree(folder, ignore_errors=True)
