"""Locks, forced writes and renames: what makes files on disk whole or absent.

Stale rule: a lock is a kernel lock (flock) on an open file, so it lasts exactly as long as the
process that took it. A leftover lock file says nothing; it is simply taken.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from event_impact.base.errors import BusyError, RenderError, StudyError


@contextlib.contextmanager
def hold_lock(
    folder: Path, name: str, busy: str, *, wait_s: float = 0.0, refusal: type[StudyError] = RenderError
) -> Iterator[None]:
    """Hold a lock file until the block, or the process, ends.

    Raises
    ------
    BusyError
        If another process holds it for longer than ``wait_s``.
    StudyError
        Of the kind ``refusal``, if the file cannot be written.
    """
    with writing(folder, refusal=refusal):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        _take(descriptor, busy, time.monotonic() + wait_s)
        with contextlib.suppress(OSError):  # who holds it is a courtesy; a full disk must not undo the lock
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"pid {os.getpid()} since {now()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, busy: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                holder = " ".join(os.pread(descriptor, 200, 0).decode(errors="replace").split())
                said = f" ({holder})" if holder else ""
                raise BusyError(f"{busy}{said}.", "Wait for it to end; its lock goes with its process.") from error
            time.sleep(0.02)


def is_locked(path: Path) -> bool:
    """Whether some process holds a lock file now."""
    try:
        with open(path, encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def writing(place: Path, *, refusal: type[StudyError] = RenderError) -> Iterator[None]:
    """Turn a failure of the disk into a refusal with its own exit code.

    Raises
    ------
    StudyError
        If the disk is full, read-only or otherwise unwilling.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise refusal(
            f"{place} cannot be written ({reason}); nothing was published.",
            "Free some space and run again." if full else "Make the folder writable, or choose another.",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write and force to disk."""
    with open(path, "w", encoding="utf-8", newline="\n") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())


def replace_text(path: Path, text: str) -> None:
    """Replace a file at once: readers see the old text or the new one."""
    staging = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        write_text(staging, text)
        os.replace(staging, path)
        sync_folder(path.parent)
    finally:
        staging.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to disk, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def now() -> str:
    """The present instant, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
