"""The present instant, and instants as the study writes them: UTC, to the second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant; tests inject others."""


def read_system_clock() -> datetime:
    """The system's clock, in UTC."""
    return datetime.now(UTC)


def format_instant(instant: datetime) -> str:
    """An instant as ``YYYY-MM-DDTHH:MM:SSZ``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
