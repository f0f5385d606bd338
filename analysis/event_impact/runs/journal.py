"""The log of unattended work: one JSON line a stage, in files that rotate."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MAX_BYTES = 1_000_000
KEPT_FILES = 5


class Journal:
    """Appends lines to ``nightly.jsonl``; a disk that refuses them is remembered, not raised.

    Parameters
    ----------
    folder : pathlib.Path
        ``reports/.logs``.
    clock : callable
        Gives the present instant.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], datetime],
        *,
        max_bytes: int = MAX_BYTES,
        kept: int = KEPT_FILES,
    ) -> None:
        self.path = folder / "nightly.jsonl"
        self.fault = ""
        self._clock = clock
        self._max_bytes = max_bytes
        self._kept = kept

    def write(self, stage: str, **facts: Any) -> None:
        """One line: the instant, the stage, and what there is to say."""
        line = json.dumps(
            {"at": self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "stage": stage, **facts},
            ensure_ascii=False,
        )
        try:
            self._rotate()
            with open(self.path, "a", encoding="utf-8") as handle:
                handle.write(line + "\n")
        except OSError as error:
            self.fault = f"the log cannot be written ({error.strerror})"

    def _rotate(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists() or self.path.stat().st_size < self._max_bytes:
            return
        for number in range(self._kept - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(self._numbered(number), self._numbered(number + 1))
        os.replace(self.path, self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
