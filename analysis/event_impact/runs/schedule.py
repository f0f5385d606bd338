"""Put the nightly run into cron or a systemd user timer, show it, take it out again.

In cron our line stands between two marker lines, and nothing outside them is ever touched.
"""

import hashlib
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from event_impact.base.disk import make_folder, replace_files
from event_impact.base.errors import ConfigError, DataError

TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
BLOCK = re.compile(r"# >>> event-impact nightly: (?P<root>[^\n]*)\n.*?# <<< event-impact nightly\n?", re.DOTALL)
TIMEOUT_S = 30


@dataclass(frozen=True)
class Schedule:
    """When and how the nightly run of one study starts.

    Attributes
    ----------
    root : pathlib.Path
        Top folder of the study.
    time : str
        ``HH:MM`` in the time zone of the machine.
    arguments : tuple of str
        More for ``impact nightly``.
    """

    root: Path
    time: str = "23:30"
    arguments: tuple[str, ...] = ()
    python: str = sys.executable

    def __post_init__(self) -> None:
        if not TIME.fullmatch(self.time):
            raise ConfigError(f"--time: expected HH:MM, found {self.time!r}.", "For example: --time 23:30")
        for text in (str(self.root), self.python, *self.arguments):
            if any(ord(c) < 32 for c in text):
                raise ConfigError(f"{text!r} holds a control character.", "A schedule is one line; rename the folder.")

    @property
    def words(self) -> list[str]:
        """The command, word by word."""
        head = [self.python, "-P", "-m", "event_impact.cli.main", "--root", str(self.root), "--quiet", "nightly"]
        return [*head, *self.arguments]

    @property
    def unit(self) -> str:
        """Name of the systemd units: one pair a study."""
        return f"impact-nightly-{hashlib.sha256(str(self.root).encode()).hexdigest()[:8]}"


def cron_block(schedule: Schedule) -> str:
    """The lines for crontab; ``%`` is escaped, since cron takes it for a line break."""
    hour, minute = schedule.time.split(":")
    command = f"cd {shlex.quote(str(schedule.root))} && {shlex.join(schedule.words)}".replace("%", r"\%")
    return (
        f"# >>> event-impact nightly: {schedule.root}\n"
        f"{int(minute)} {int(hour)} * * * {command}\n"
        "# <<< event-impact nightly\n"
    )


def replace_block(crontab: str, root: Path, block: str) -> str:
    """A crontab with the block of one study put in, replaced, or (empty block) taken out."""
    kept = BLOCK.sub(lambda m: "" if m["root"] == str(root) else m[0], crontab)
    if block and kept and not kept.endswith("\n"):
        kept += "\n"
    return kept + block


def systemd_units(schedule: Schedule) -> dict[str, str]:
    """Text of the service and the timer, by file name."""
    command = " ".join(quote_systemd(word) for word in schedule.words)
    return {
        f"{schedule.unit}.service": (
            "[Unit]\nDescription=Nightly event studies\n\n[Service]\nType=oneshot\n"
            f"WorkingDirectory={str(schedule.root).replace('%', '%%')}\nExecStart={command}\n"
            "TimeoutStartSec=6h\n"
        ),
        f"{schedule.unit}.timer": (
            "[Unit]\nDescription=Nightly event studies\n\n[Timer]\n"
            f"OnCalendar=*-*-* {schedule.time}:00\nPersistent=true\nRandomizedDelaySec=120\n\n"
            "[Install]\nWantedBy=timers.target\n"
        ),
    }


def quote_systemd(word: str) -> str:
    """One word of ExecStart: in double quotes, with the characters that systemd expands doubled."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"'


def _run(command: list[str], what: str, text: str | None = None, *, nothing: str = "") -> str:
    """What a command prints; empty where it fails because there is ``nothing`` yet, as it says."""
    if (path := shutil.which(command[0])) is None:
        raise DataError(f"{command[0]} is not installed.", "Choose the other kind (--systemd or cron).")
    try:
        done = subprocess.run([path, *command[1:]], input=text, text=True, capture_output=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{command[0]} did not answer: {error}.", "Look into the machine's own log.") from error
    said = " ".join(done.stderr.split())[:200]
    if done.returncode and not (nothing and nothing in said.lower()):
        raise DataError(f"{what} failed with exit code {done.returncode}: {said}.", "Nothing was changed by it.")
    return "" if done.returncode else done.stdout


def change_cron(root: Path, block: str) -> bool:
    """Put the block of a study into the user's crontab in the place of an earlier one, or (empty block) take it out.

    Returns
    -------
    bool
        Whether anything had to be changed.

    Raises
    ------
    DataError
        If the crontab is there and cannot be read: then it must not be overwritten.
    """
    before = _run(["crontab", "-l"], "reading the crontab", nothing="no crontab")
    after = replace_block(before, root, block)
    if after != before:
        _run(["crontab", "-"], "writing the crontab", after)
    return after != before


def install_systemd(schedule: Schedule, units: Path) -> None:
    """Write service and timer, and start the timer."""
    make_folder(units, refusal=DataError)
    replace_files({units / name: text for name, text in systemd_units(schedule).items()}, refusal=DataError)
    _run(["systemctl", "--user", "daemon-reload"], "systemctl daemon-reload")
    _run(["systemctl", "--user", "enable", "--now", f"{schedule.unit}.timer"], "starting the timer")


def remove_systemd(schedule: Schedule, units: Path) -> bool:
    """Stop the timer and remove both units; False when there were none."""
    paths = [units / name for name in systemd_units(schedule)]
    if not any(path.exists() for path in paths):
        return False
    _run(["systemctl", "--user", "disable", "--now", f"{schedule.unit}.timer"], "stopping the timer")
    for path in paths:
        path.unlink(missing_ok=True)
    _run(["systemctl", "--user", "daemon-reload"], "systemctl daemon-reload")
    return True
