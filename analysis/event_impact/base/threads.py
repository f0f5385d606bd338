"""Before anything else is loaded: one thread a process, and nothing that costs seconds and serves nobody.

One thread gives the same bytes on every machine, no cores lost to spinning, and forks that cannot hang.
"""

import atexit
import contextlib
import gc
import os
import sys
from pathlib import Path

# Environment that keeps linear algebra and Arrow's memory to one thread; read when they are first loaded.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ONE_THREAD["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
# jsonschema compiles 38 grammars of addresses as it is loaded, two seconds long, where JupyterLab brought them along.
GRAMMARS = "rfc3987_syntax"


def pin_threads() -> None:
    """Keep to one thread in this process and in those it starts, and from grammars that no notebook needs.

    What is loaded stays: garbage is looked for less often than Python does by itself, and not once more at the end.
    """
    gc.set_threshold(200_000, 20, 50)
    atexit.register(gc.freeze)
    os.environ.update(ONE_THREAD)
    sys.modules.setdefault(GRAMMARS, None)  # type: ignore[arg-type]  # what is None here cannot be imported


def keep_freed_memory(largest: int = 2**25) -> None:
    """Ask glibc not to give back what arrays of up to ``largest`` bytes leave: the system would zero each page anew.

    Other systems' allocators are left alone.
    """
    import ctypes

    with contextlib.suppress(AttributeError, OSError, TypeError):
        for option, size in ((-1, 2**27), (-3, largest)):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            ctypes.CDLL(None).mallopt(option, size)


def can_fork() -> bool:
    """Whether a fork of this process is safe: on Linux, while no other thread runs that could hold a lock."""
    return sys.platform == "linux" and len(list(Path("/proc/self/task").iterdir())) == 1
