"""Which code this is: its version, and one number over its files, which names every run and tells edited code."""

import functools
from pathlib import Path

from event_impact.base.root import PACKAGE

VERSION = "0.2.0.dev0"
#: Folders of bytecode, and of the study that an installed package carries: its files are hashed where they are read.
NO_CODE = {"__pycache__", "_study"}


@functools.cache
def digest_package() -> str:
    """sha256 over the package as it is when first asked: what this process runs."""
    return read_package()


def read_package(package: Path = PACKAGE) -> str:
    """The same as it is now: code, templates, words and schemas, by relative path."""
    import hashlib  # here, as every command waits for this module and few need a digest

    total = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        place = path.relative_to(package)
        if path.is_file() and not NO_CODE & set(place.parts):
            total.update(place.as_posix().encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
