"""Answers that were given before, found again by all that decides them before anything heavy is loaded.

They lie in the folder of all caches and can be thrown away at any time: a question is asked again as soon as a file,
the code or a library that decides its answer is not the very one that it was.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from event_impact.base.code_digest import digest_package
from event_impact.base.disk import make_folder, replace_files
from event_impact.base.errors import StudyError

#: Packages whose versions can change an answer.
LIBRARIES = ("exchange_calendars", "pandas", "tzdata")
#: A file that changed less than this before a question may change again within one tick of the disk's clock.
SETTLED_NS = 1_000_000_000


def find_caches() -> Path | None:
    """This package's part of the folder of all caches (``XDG_CACHE_HOME``, else ``~/.cache``); None without a home."""
    with contextlib.suppress(RuntimeError):
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "event-impact"
    return None


@dataclass(frozen=True)
class Question:
    """Where the answer to what is asked lies, and the state of all that decides it; no place: it cannot be kept."""

    place: Path | None
    state: str

    def recall(self) -> str | None:
        """The answer, where it was given in this very state."""
        with contextlib.suppress(OSError, ValueError):
            state, _, answer = self.place.read_bytes().decode().partition("\n") if self.place else ("", "", "")
            return answer if state == self.state else None
        return None

    def remember(self, answer: str) -> None:
        """Keep the answer; a disk that refuses is no matter."""
        with contextlib.suppress(StudyError):
            if self.place:
                make_folder(self.place.parent)
                replace_files({self.place: f"{self.state}\n{answer}"})


def put_question(asked: object, *places: Path) -> Question:
    """A question, as text of JSON names it, that the files at ``places`` decide, and those below them."""
    now, caches, newest = time.time_ns(), find_caches(), 0
    specs = filter(None, map(importlib.util.find_spec, LIBRARIES))
    total = hashlib.sha256(f"{digest_package()}{sys.version}".encode())
    for path in _list_files([*places, *(Path(str(spec.origin)) for spec in specs)]):
        with contextlib.suppress(OSError):
            held = path.stat()
            newest = max(newest, held.st_mtime_ns, held.st_ctime_ns)
            total.update(f"{path}\0{held.st_size}\0{held.st_mtime_ns}\0{held.st_ctime_ns}\0{held.st_ino}\n".encode())
    name = hashlib.sha256(json.dumps([asked, *map(str, places)], sort_keys=True).encode()).hexdigest()
    is_settled = newest <= now - SETTLED_NS
    return Question(caches / "answers" / name[:32] if caches and is_settled else None, total.hexdigest())


def _list_files(places: list[Path]) -> Iterator[Path]:
    """Files at some places and below them, in an order that is always the same."""
    for place in places:
        yield place
        for folder, folders, names in os.walk(place, followlinks=True):
            folders.sort()
            yield from (Path(folder, name) for name in sorted(names))
