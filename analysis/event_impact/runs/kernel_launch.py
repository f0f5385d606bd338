"""First code of a kernel process: tie its life to the runner, limit its memory, start ipykernel."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import signal
import sys

from event_impact.runs.warm import WAIT

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when its parent dies."""


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when the runner dies; elsewhere ipykernel polls for it."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:  # it died before the request
        os._exit(1)


def limit_memory(limit: str) -> None:
    """Bound the address space of this process, in bytes; an empty text means no bound."""
    if limit:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(limit), int(limit)))


def wait_for_order() -> None:
    """Load what a notebook will ask for, then read from the runner which kernel to become.

    The end of the input means that no kernel is needed.
    """
    for name in ("ipykernel.kernelapp", "event_impact.study.study", "event_impact.page.timelines"):
        importlib.import_module(name)
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit(0)
    order = json.loads(line)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.environ.pop("IMPACT_KERNEL_PARENT", None)
    os.chdir(order["folder"])
    sys.argv[1:] = order["arguments"]


def main() -> None:
    """Become the kernel."""
    die_with_parent(int(os.environ.pop("IMPACT_KERNEL_PARENT", "0") or 0))
    if sys.argv[1:] == [WAIT]:
        wait_for_order()
    limit_memory(os.environ.pop("IMPACT_KERNEL_MEMORY", ""))
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
