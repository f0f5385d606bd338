"""First code of a kernel process: tie its life to the runner, limit its memory, start ipykernel."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

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


def main() -> None:
    """Become the kernel."""
    die_with_parent(int(os.environ.pop("IMPACT_KERNEL_PARENT", "0") or 0))
    limit_memory(os.environ.pop("IMPACT_KERNEL_MEMORY", ""))
    if sys.path and sys.path[0] in ("", os.getcwd()):  # a file beside the notebook must not shadow a package
        sys.path.pop(0)
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
