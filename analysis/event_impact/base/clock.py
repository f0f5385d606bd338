"""The present instant, and instants as the study writes them: UTC, to the second."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

from event_impact.base.errors import ConfigError

# Gives the present instant; tests inject others.
Clock = Callable[[], datetime]


def read_system_clock() -> datetime:
    """The system's clock, in UTC."""
    return datetime.now(UTC)


def format_instant(instant: datetime) -> str:
    """An instant as ``YYYY-MM-DDTHH:MM:SSZ``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_instant(text: str | datetime) -> datetime:
    """An instant that somebody names, with its zone, as UTC.

    Raises
    ------
    ConfigError
        If it is malformed, carries no zone, or lies outside the calendar.
    """
    instant = None
    with contextlib.suppress(ValueError):
        instant = datetime.fromisoformat(text) if isinstance(text, str) else text
    if not isinstance(instant, datetime):
        raise ConfigError(f"{text!r} is no instant.", "Give a text such as 2026-01-31T18:28:00Z, or a datetime.")
    if instant.tzinfo is None:
        raise ConfigError(f"{str(text)!r} names no zone.", "End it with Z, or with an offset such as +01:00.")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ConfigError(f"{str(text)!r} lies outside the calendar.", "Write a year of our time.") from error
