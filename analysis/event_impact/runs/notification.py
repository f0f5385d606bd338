"""Word of a night to people: three lines, by services or by a command of one's own, when there is something to say."""

import json
import shlex
import subprocess
import sys
import textwrap

from event_impact.base.errors import ConfigError
from event_impact.base.root import child_environment
from event_impact.page.format import OUTCOME_LABELS
from event_impact.runs.evenings import Summary

NOTIFY_TIMEOUT_S = 60
MISSING = "sending to services needs the extra `notify` (pip install apprise)"
MAX_LINE = 200


def is_service(target: str) -> bool:
    """Whether a target is an address of a service (`mailto://`, `slack://`, ...) rather than a command."""
    return "://" in target.split(maxsplit=1)[0] if target.split() else False


def split_command(command: str) -> list[str]:
    """A command line as its words, as a shell would read it but run by none.

    Raises
    ------
    ConfigError
        If it is empty, or its quotes are not closed.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"the notification command cannot be read ({error}).", "Close its quotes.") from error
    if not words:
        raise ConfigError("the notification command is empty.", "Name a program.")
    return words


def check_target(target: str) -> None:
    """Refuse a target that cannot be used, before the work and not after it.

    Raises
    ------
    ConfigError
        Saying why.
    """
    if not is_service(target):
        split_command(target)
        return
    try:
        import apprise
    except ImportError as error:
        raise ConfigError(f"{MISSING}.", "Install it, or name a command.") from error
    if not apprise.Apprise().add(target):
        raise ConfigError("the address of the notification is of no known service.", "For example: ntfy://topic")


def compose_digest(summary: Summary) -> tuple[str, ...]:
    """What a night has to say, one line each; nothing when nothing failed, changed or is new."""
    evenings = [(s.story, e) for s in summary.stories for e in s.evenings if not e.exit_code and not e.is_unchanged]
    if not (summary.exit_code or evenings):
        return ()
    state = f"FAILED, code {summary.exit_code}" if summary.exit_code else "all well"
    lines = [f"Night of {summary.at[:10]}: {state}"]
    for failed in (s for s in summary.stories if s.exit_code):
        said = next((e.message for e in failed.evenings if e.exit_code), "")
        lines.append(f"{failed.story} failed: {failed.fetched or said or failed.note}")
    for story, e in sorted(evenings, key=lambda pair: not pair[1].changed):
        new = f"new page as of {e.as_of}, {OUTCOME_LABELS.get(e.outcome, 'no outcome')}"
        lines.append(f"{story}: {f'{e.changed} (as of {e.as_of})' if e.changed else new}")
    return tuple(textwrap.shorten(line, MAX_LINE, placeholder=" ...") for line in lines)


def shorten_digest(lines: tuple[str, ...]) -> tuple[str, ...]:
    """At most three lines; the third says how many more there are."""
    return lines if len(lines) <= 3 else (*lines[:2], f"{lines[2]}; and {len(lines) - 3} more in the digest")


def notify(target: str, summary: Summary, *, timeout_s: float = NOTIFY_TIMEOUT_S) -> str:
    """Tell of a night where there is something to say; returns what went wrong, and never fails the night.

    A command gets the summary as JSON on its standard input, its lines under ``message``; no shell runs it.
    """
    if not (lines := shorten_digest(compose_digest(summary))):
        return ""
    try:
        if is_service(target):  # by a process of its own, so that one that hangs can be left
            words, told = [sys.executable, "-m", __name__], {"target": target, "message": lines}
        else:
            words, told = split_command(target), {"message": lines, **summary.as_record()}
        done = subprocess.run(
            words, input=json.dumps(told, ensure_ascii=False), text=True, timeout=timeout_s, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=child_environment() if is_service(target) else None,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"the notification failed: no answer within {timeout_s:.0f} s"
    except (OSError, ValueError, ConfigError) as error:
        return f"the notification failed: {error}"
    said = " ".join(done.stderr.split())[-MAX_LINE:]
    return f"the notification ended with exit code {done.returncode}{said and ': ' + said}" if done.returncode else ""


def deliver(target: str, message: list[str]) -> None:
    """Send a title and its lines to a service; ends this process where the service does not take them."""
    import apprise

    service, (title, *lines) = apprise.Apprise(), message
    body = "\n".join(lines) or title
    if not (service.add(target) and service.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)):
        sys.exit("the service refused it")


if __name__ == "__main__":
    deliver(**json.load(sys.stdin))
