"""cron and systemd, with stand-ins for their programs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from event_impact.base.errors import ConfigError, DataError
from event_impact.runs import schedule as cron
from event_impact.runs.schedule import Schedule, cron_block, replace_block, systemd_units

OWN = "MAILTO=me\n0 5 * * * backup  # mine\n"
FAKE_CRONTAB = """#!/bin/sh
if [ "$1" = "-l" ]; then
  if [ -f "$CRONTAB_FILE" ]; then cat "$CRONTAB_FILE"; else echo "no crontab for user" >&2; exit 1; fi
else cat > "$CRONTAB_FILE"; fi
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A crontab program that keeps its table in a file."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("crontab", FAKE_CRONTAB), ("systemctl", '#!/bin/sh\necho "$@" >> "$SYSTEMCTL_LOG"\n')):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CRONTAB_FILE", str(tmp_path / "table"))
    monkeypatch.setenv("SYSTEMCTL_LOG", str(tmp_path / "log"))
    return tmp_path / "table"


def put(made: Schedule) -> bool:
    return cron.change_cron(made.root, cron_block(made))


def test_a_line_in_cron_comes_and_goes_and_nothing_else_moves(table: Path) -> None:
    made = Schedule(Path("/srv/study"))
    assert put(made)
    assert not put(made)
    assert table.read_text() == cron_block(made)
    table.write_text(OWN)
    put(made)
    put(Schedule(Path("/srv/study"), "07:05"))
    put(Schedule(Path("/srv/other")))
    text = table.read_text()
    assert text.startswith(OWN)
    assert text.count("5 7 * * * cd /srv/study && ") == 1
    assert text.count("30 23 * * *") == 1
    assert cron.change_cron(Path("/srv/study"), "")
    assert not cron.change_cron(Path("/srv/study"), "")
    assert table.read_text() == OWN + cron_block(Schedule(Path("/srv/other")))


def test_a_crontab_that_cannot_be_read_is_not_overwritten(table: Path) -> None:
    table.write_text(OWN)
    program = table.parent / "bin/crontab"
    program.write_text('#!/bin/sh\n[ "$1" = "-l" ] && { echo denied >&2; exit 1; }\ncat > "$CRONTAB_FILE"\n')
    with pytest.raises(DataError, match="denied"):
        put(Schedule(Path("/srv/study")))
    assert table.read_text() == OWN


def test_without_the_program_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="not installed"):
        put(Schedule(Path("/srv/study")))


def test_odd_folders_reach_the_shell_as_one_word(tmp_path: Path) -> None:
    odd = tmp_path / "it's $(touch bad); 100% odd"
    odd.mkdir()
    made = Schedule(odd, arguments=("--notify", "mail -s 'x y' me"), python="/bin/echo")
    assert "%" not in cron_block(made).splitlines()[1].replace(r"\%", "")
    command = cron_block(made).splitlines()[1].split(None, 5)[5].replace(r"\%", "%")  # as cron hands it on
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == f"-P -m event_impact.cli.main --root {odd} --quiet nightly --notify mail -s 'x y' me\n"
    assert not list(tmp_path.rglob("bad"))
    with pytest.raises(ConfigError):
        Schedule(Path("/srv/a\nb"))
    assert replace_block("x", Path("/r"), "") == "x"


@pytest.mark.parametrize("time", ["24:00", "7:5", "23:60", "x", "23:30\n* * * * * rm"])
def test_times_are_checked(time: str) -> None:
    with pytest.raises(ConfigError):
        Schedule(Path("/srv/study"), time)


def test_systemd_units_come_and_go(table: Path) -> None:
    made = Schedule(Path('/srv/100% "odd" $HOME'), "22:15")
    units = table.parent / "units"
    cron.install_systemd(made, units)
    assert {p.name for p in units.iterdir()} == set(systemd_units(made))
    service = (units / f"{made.unit}.service").read_text()
    assert r'"/srv/100%% \"odd\" $$HOME"' in service
    assert "OnCalendar=*-*-* 22:15:00" in (units / f"{made.unit}.timer").read_text()
    assert cron.remove_systemd(made, units)
    assert not cron.remove_systemd(made, units)
    log = (table.parent / "log").read_text().splitlines()
    assert log == [
        "--user daemon-reload",
        f"--user enable --now {made.unit}.timer",
        f"--user disable --now {made.unit}.timer",
        "--user daemon-reload",
    ]
