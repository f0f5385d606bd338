"""First code of a kernel process: tie its life to the runner, limit its memory, start ipykernel."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from event_impact.base.root import child_environment
from event_impact.base.threads import ONE_THREAD

# prctl(2): the signal that this process gets when its parent dies.
PR_SET_PDEATHSIG = 1
# What the runner tells a kernel through its environment: its own process id, and a number of bytes.
PARENT, MEMORY = "IMPACT_KERNEL_PARENT", "IMPACT_KERNEL_MEMORY"


@dataclass(frozen=True)
class KernelLimits:
    """What one kernel may use, and how it starts.

    ``memory_bytes`` limits its address space; None means no limit. A cold kernel is a process of its own from the
    start; others are forks of their runner where that is safe, and give the same bytes.
    """

    execution_timeout_s: int = 600
    start_timeout_s: int = 60
    memory_bytes: int | None = 8 * 2**30
    is_cold: bool = False


def kernel_environment(scratch: Path, *, root: Path, limits: KernelLimits) -> dict[str, str]:
    """Environment of the kernel: the study's root, this package importable, settings of its own."""
    return child_environment(
        **ONE_THREAD, **{PARENT: str(os.getpid()), MEMORY: str(limits.memory_bytes or "")}, IMPACT_ROOT=str(root),
        PYDEVD_DISABLE_FILE_VALIDATION="1", IPYTHONDIR=str(scratch / "ipython"),
    )  # fmt: skip


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
