"""A kernel process that loads its libraries while its runner still checks the request.

Most of a run is spent on loading: the runner loads what renders, the kernel what computes. Started
first, a waiting kernel does its part at the same time. Nothing is lost when it is not used.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

from event_impact.base.root import child_environment

WAIT = "--wait"
_waiting: list[subprocess.Popen[bytes]] = []


def start_waiting() -> None:
    """Start a process that will become the next kernel of this runner."""
    own = str(os.getpid())
    environment = child_environment(IMPACT_KERNEL_PARENT=own, JPY_PARENT_PID=own)  # both are read at the start
    with contextlib.suppress(OSError):  # without one, the kernel is started when it is needed
        _waiting.append(
            subprocess.Popen(
                [sys.executable, "-m", "event_impact.runs.kernel_launch", WAIT],
                stdin=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        )


def take_waiting() -> subprocess.Popen[bytes] | None:
    """The waiting process, None where there is none or it has died."""
    while _waiting:
        process = _waiting.pop()
        if process.poll() is None:
            return process
        process.communicate()
    return None


def tell(process: subprocess.Popen[bytes], *, arguments: list[str], environment: dict[str, str], folder: str) -> None:
    """Say which kernel a waiting process is to become.

    Raises
    ------
    OSError
        If it has died.
    """
    order = json.dumps({"arguments": arguments, "environment": environment, "folder": folder}) + "\n"
    assert process.stdin is not None
    process.stdin.write(order.encode())
    process.stdin.flush()


def discard_waiting() -> None:
    """End a process that was not needed."""
    while _waiting:
        process = _waiting.pop()
        process.kill()
        process.communicate()
