"""The log of unattended work: one JSON line a stage, in files that rotate."""

from __future__ import annotations

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

    def __init__(self, folder: Path, clock: Clock, *, max_bytes: int = 1_000_000, kept: int = 5) -> None:
        super().__init__(folder / "nightly.jsonl", maxBytes=max_bytes, backupCount=kept, encoding="utf-8", delay=True)
        self._clock = clock

    def write(self, stage: str, **facts: Any) -> None:
        """One line: the instant, the stage, and what there is to say."""
        line = json.dumps({"at": format_instant(self._clock()), "stage": stage, **facts}, ensure_ascii=False)
        self.handle(logging.makeLogRecord({"msg": line}))
        self.close()

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:
        """Remember what the disk said."""
        error = sys.exc_info()[1]
        self.fault = f"the log cannot be written ({getattr(error, 'strerror', None) or error})"
