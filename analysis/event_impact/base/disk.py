"""Locks and the one atomic writer: what the study publishes is whole on disk, or absent.

A file is written beside its target, forced to disk, and takes its place by one rename; a folder is filled in a
staging folder of its own and published the same way. Wherever a writer is stopped, readers find the old or the new.

Stale rule: a lock is a kernel lock on an open file, so it lasts exactly as long as the process that took it. A
leftover lock file says nothing; it is simply taken. A file system without such locks is refused, not worked around.
"""

import contextlib
import errno
import itertools
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from event_impact.base.clock import format_instant, read_system_clock
from event_impact.base.errors import BusyError, RenderError, StudyError

#: Codes of an error of the system that more room would mend.
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
Content = str | bytes | Callable[[BinaryIO], object]


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
    from filelock import FileLock, Timeout  # here, as few who write files hold a lock

    path = folder / name
    lock = FileLock(path, timeout=wait_s, mode=0o644, poll_interval=0.02, on_acquired=_say_who_holds)
    with writing(folder, refusal=refusal):
        try:
            lock.acquire()
        except Timeout as error:
            said = f"{busy} ({holder})." if (holder := read_holder(path)) else f"{busy}."
            raise BusyError(said, "Wait for it to end; its lock goes with its process.") from error
    try:
        yield
    finally:
        lock.release()


def _say_who_holds(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # a courtesy; a full disk must not undo the lock
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"pid {os.getpid()} since {format_instant(read_system_clock())}\n".encode())


def read_holder(path: Path) -> str:
    """Who a lock file names; empty where it names nobody."""
    try:
        return " ".join(path.read_text(encoding="utf-8", errors="replace")[:200].split())
    except OSError:  # Windows locks the content too
        return ""


def is_locked(path: Path) -> bool:
    """Whether some process holds a lock file now."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(path, timeout=0) if path.is_file() else contextlib.nullcontext():
            return False
    except OSError as error:
        return isinstance(error, Timeout)


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
        full = error.errno in (*FULL_DISK, errno.EFBIG)
        hint = "Free some space and run again." if full else "Make the folder writable, or choose another."
        raise refusal(f"{place} cannot be written ({reason}); nothing was changed.", hint) from error


def make_folder(folder: Path, *, refusal: type[StudyError] = RenderError) -> Path:
    """A folder that can be written into, made with those above it where it is missing.

    Raises
    ------
    StudyError
        Of the kind ``refusal``, if it cannot be made or nothing can be written into it.
    """
    with writing(folder, refusal=refusal):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    return folder


def check_folder(folder: Path, *, refusal: type[StudyError] = RenderError) -> None:
    """Refuse a folder that could not be written into, before any work for it; leave no trace of the question.

    Raises
    ------
    StudyError
        Of the kind ``refusal``, as :func:`make_folder`.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder, refusal=refusal)
    for path in missing:
        path.rmdir()


def replace_files(contents: Mapping[Path, Content], *, refusal: type[StudyError] = RenderError) -> None:
    """Give files new content: all are written beside their targets first, then each takes its place by one rename.

    A file that stands there keeps its rights, a new one has those that the user gives new files.

    Parameters
    ----------
    contents : mapping of pathlib.Path to str, bytes or callable
        New content by file; a callable writes it to the open file that it is given.
    refusal : type
        Of the error.

    Raises
    ------
    StudyError
        Of the kind ``refusal``, if one cannot be written; every file is then as it was.
    """
    mark = f"{os.getpid()}-{secrets.token_hex(4)}"
    staged = {target: target.with_name(f".{target.name}-{mark}") for target in contents}
    try:
        for target, content in contents.items():
            with writing(target, refusal=refusal):
                _stage(staged[target], target, content)
        for target, staging in staged.items():
            with writing(target, refusal=refusal):
                os.replace(staging, target)
                _sync(target.parent)
    finally:
        for staging in staged.values():
            with contextlib.suppress(OSError):
                staging.unlink()


def _stage(staging: Path, target: Path, content: Content) -> None:
    """Write a file beside its target, with the target's rights, forced to disk."""
    with open(staging, "xb") as handle:
        if callable(content):
            content(handle)
        else:
            handle.write(content.encode() if isinstance(content, str) else content)
        handle.flush()
        os.fsync(handle.fileno())
    if target.exists():
        shutil.copymode(target, staging)


def write_text(path: Path, text: str) -> None:
    """A text file of a staging folder: UTF-8, its line ends as they are."""
    path.write_bytes(text.encode())


@contextlib.contextmanager
def staging_folder(folder: Path, *, refusal: type[StudyError] = RenderError) -> Iterator[Path]:
    """An empty folder to fill and to publish by :func:`publish_folder`; what is left of it goes with the block.

    Only one process at a time may use the name: what stands there belongs to a dead one.
    """
    with writing(folder, refusal=refusal):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish_folder(staging: Path, target: Path, *, refusal: type[StudyError] = RenderError) -> Path:
    """Force a filled staging folder to disk and move it into place by one rename.

    Parameters
    ----------
    staging : pathlib.Path
        Filled, on the same disk.
    target : pathlib.Path
        Where it is to stand.
    refusal : type
        Of the error.

    Returns
    -------
    pathlib.Path
        ``target``.

    Raises
    ------
    StudyError
        Of the kind ``refusal``, if the disk refuses, or something stands there already.
    """
    with writing(target, refusal=refusal):
        for path in (*staging.rglob("*"), staging):
            _sync(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(staging, target)  # fails where a folder with content appeared meanwhile
        _sync(target.parent)
    return target


def remove_folder(folder: Path, trash: Path) -> None:
    """Take a folder away by one rename first, so that no reader ever sees half of it."""
    with writing(folder):
        trash.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(trash, ignore_errors=True)
        os.rename(folder, trash)
        _sync(folder.parent)
    shutil.rmtree(trash, ignore_errors=True)


def numbered_names(folder: Path) -> Iterator[Path]:
    """The path given, then the same with ``-2``, ``-3``, ... behind it."""
    yield folder
    for number in itertools.count(2):
        yield folder.with_name(f"{folder.name}-{number}")


def find_free_name(folder: Path) -> Path:
    """The first of :func:`numbered_names` where nothing stands."""
    return next(path for path in numbered_names(folder) if not os.path.lexists(path))


def _sync(path: Path) -> None:
    """Force a file or the entries of a folder to disk, so that it survives a power cut."""
    if os.name == "nt" and path.is_dir():  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
