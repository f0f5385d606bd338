"""The log of unattended work: one JSON line a stage, in files that rotate."""

import json
import logging
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from event_impact.base.clock import Clock, format_instant


class Journal(RotatingFileHandler):
    """Appends lines to ``nightly.jsonl``; a disk that refuses them is remembered, not raised.

    Parameters
    ----------
    folder : pathlib.Path
        ``reports/.logs``.
    clock : callable
        Gives the present instant.
    """

    fault = ""

    def __init__(
        self, folder: Path, clock: Clock, *, file: str = "nightly.jsonl", max_bytes: int = 1_000_000, kept: int = 5
    ) -> None:
        super().__init__(folder / file, maxBytes=max_bytes, backupCount=kept, encoding="utf-8", delay=True)
        self.clock = clock

    def write(self, stage: str, **facts: Any) -> None:
        """One line: the instant, the stage, and what there is to say."""
        self.append(json.dumps({"at": format_instant(self.clock()), "stage": stage, **facts}, ensure_ascii=False))

    def append(self, line: str) -> None:
        """One line as it is."""
        self.handle(logging.makeLogRecord({"msg": line}))
        self.close()

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:
        """Remember what the disk said."""
        error = sys.exc_info()[1]
        self.fault = f"the log cannot be written ({getattr(error, 'strerror', None) or error})"
