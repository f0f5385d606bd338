"""First code of a kernel process: tie its life to the runner, limit its memory, run cells."""

import base64
import contextlib
import ctypes
import json
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from event_impact.base.root import child_environment
from event_impact.base.threads import ONE_THREAD

# prctl(2): the signal that this process gets when its parent dies.
PR_SET_PDEATHSIG = 1
# What the runner tells a kernel through its environment: its own process id, and a number of bytes.
PARENT, MEMORY = "IMPACT_KERNEL_PARENT", "IMPACT_KERNEL_MEMORY"
STREAMS = {1: "stdout", 2: "stderr"}


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


def kernel_environment(root: Path, limits: KernelLimits) -> dict[str, str]:
    """Environment of the kernel: the study's root, this package importable, settings of its own."""
    return child_environment(
        **ONE_THREAD, **{PARENT: str(os.getpid()), MEMORY: str(limits.memory_bytes or "")}, IMPACT_ROOT=str(root),
    )  # fmt: skip


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when the runner dies; elsewhere the end of its orders tells."""
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


def serve(pipe: Connection) -> None:
    """Be the kernel, as the environment asks: the code of a cell is answered by its outputs, until all is said."""
    die_with_parent(int(os.environ.pop(PARENT, "0") or 0))
    limit_memory(os.environ.pop(MEMORY, ""))
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    from event_impact.runs.shell import open_shell

    outputs, shell = open_shell()
    for number in STREAMS:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), number)
    with contextlib.suppress(EOFError, ConnectionError):  # nobody asks any more
        pipe.send_bytes(b"{}")
        while order := pipe.recv_bytes():
            count = shell.execution_count
            shell.run_cell(json.loads(order), store_history=True)
            for number, name in STREAMS.items():
                if text := _take(number):
                    outputs.append({"output_type": "stream", "name": name, "text": text})
            pipe.send_bytes(json.dumps({"count": count, "outputs": outputs}, default=_encode).encode())
            outputs.clear()


def _take(number: int) -> str:
    """What was written to a stream past Python, by a library or a process that a cell started."""
    size = os.fstat(number).st_size
    os.lseek(number, 0, os.SEEK_SET)
    text = os.read(number, size).decode(errors="replace")
    os.ftruncate(number, 0)
    os.lseek(number, 0, os.SEEK_SET)
    return text


def _encode(value: object) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
