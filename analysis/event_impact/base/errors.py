"""Every way in which the study refuses, each with the exit code that a scheduler sees.

An error is one sentence that says what was expected, what was found and where,
followed by what to do next. The command line prints it without a traceback.

Examples
--------
>>> from event_impact import StudyConfig, errors
>>> try:
...     StudyConfig(as_of="2 February")
... except errors.ConfigError as error:
...     print(error.exit_code, error.hint)
2 For example: --as-of 2026-02-13
"""

from collections.abc import Iterable

MAX_REASON = 300


class StudyError(Exception):
    """Base of all refusals.

    Parameters
    ----------
    message : str
        What was expected, what was found, and where.
    hint : str, optional
        What to do next; printed after the message.
    """

    exit_code: int = 4

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(f"{message} {hint}".strip())


class ConfigError(StudyError):
    """The request is wrong: a parameter, a story, a date or a path."""

    exit_code = 2


class AlignmentError(ConfigError):
    """The articles and the calendar cannot be brought together as asked."""


class DataError(StudyError):
    """The data cannot serve the request."""

    exit_code = 3


class EstimationError(DataError):
    """A model cannot be estimated from these numbers, for instance a rank-deficient design."""


class ExecutionError(StudyError):
    """A notebook failed, or did not run whole."""

    exit_code = 4


class RenderError(StudyError):
    """The page could not be rendered, or did not pass its gates."""

    exit_code = 5


class RevisionError(StudyError):
    """A download disagrees with the history recorded before, beyond tolerance."""

    exit_code = 6


class SuspicionError(StudyError):
    """A download holds figures inside the windows of a study that look wrong."""

    exit_code = 6


class BusyError(StudyError):
    """Another run of the same story is at work."""

    exit_code = 75


class RateLimitError(StudyError):
    """A provider asks to wait, and the waiting that was allowed is over."""

    exit_code = 75


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known names that look like one that is unknown, as a question; empty where none does."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=3)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def shorten(text: str) -> str:
    """One line of bounded length: what travels on of somebody else's message; the page of a failed run holds the rest."""
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_REASON else flat[: MAX_REASON - 3] + "..."
