"""First code of a kernel process: tie its life to the runner, limit its memory, start ipykernel."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when its parent dies."""
PARENT, MEMORY = "IMPACT_KERNEL_PARENT", "IMPACT_KERNEL_MEMORY"
"""What the runner tells a kernel through its environment: its own process id, and a number of bytes."""


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


def serve(connection_file: str) -> None:
    """Become the kernel, as the environment asks, until it is told to end."""
    die_with_parent(int(os.environ.pop(PARENT, "0") or 0))
    limit_memory(os.environ.pop(MEMORY, ""))
    from ipykernel import kernelapp

    arguments = ["-f", connection_file, "--InteractiveShellApp.ignore_cwd=True"]
    kernelapp.launch_new_instance(argv=arguments, parent_handle=os.getppid())


if __name__ == "__main__":
    serve(sys.argv[1])
