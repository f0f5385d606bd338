"""A kernel that is a fork of its runner: what is loaded and opened there need not be loaded and opened again.

It sees what the runner had in memory and shares nothing afterwards; nothing that it does reaches the runner or the
next fork. It waits for orders, and ends with them or with its runner.
"""

import contextlib
import gc
import importlib
import os
import random
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from event_impact.base.root import IMPORT_ROOT
from event_impact.base.threads import GRAMMARS
from event_impact.runs.kernel_launch import MEMORY, PARENT, die_with_parent, limit_memory, serve

# What a kernel loads while its runner loads what renders; the first cells of a notebook ask for it.
SERVING = ("event_impact.runs.shell", "event_impact.study.study", "event_impact.page.timelines")


class ForkedProcess:
    """A fork of this process that does some work and ends, shown as :class:`subprocess.Popen` shows a process."""

    returncode: int | None = None

    def __init__(self, work: Callable[[], object]) -> None:
        gc.freeze()  # pages that no collection touches stay shared
        self.pid = os.fork()
        if self.pid == 0:
            try:
                work()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)  # nothing further up the stack is its business

    def wait(self) -> int | None:
        """Its exit code, once it has ended; negative for a signal."""
        return self.poll(0)

    def poll(self, options: int = os.WNOHANG) -> int | None:
        """The same; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def kill(self) -> None:
        """End it at once, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class ForkedKernel(ForkedProcess):
    """A fork that becomes a kernel, with the pipe by which it is ordered and answers.

    Parameters
    ----------
    environment : mapping of str to str
        Its environment, in the place of the runner's.
    folder : pathlib.Path
        Its working folder.
    prepare : callable
        What it does first, with all that the runner has loaded and opened at hand.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, prepare: Callable[[], object]) -> None:
        self.pipe, own = Pipe()
        with own:
            super().__init__(lambda: _become_kernel(own, dict(environment), folder, prepare))

    def close(self) -> None:
        """End it if it still runs, and leave nothing of it."""
        self.kill()
        self.wait()
        self.pipe.close()


def _become_kernel(own: Connection, environment: dict[str, str], folder: Path, prepare: Callable[[], object]) -> None:
    runner = int(environment[PARENT])
    os.setsid()
    die_with_parent(runner)
    forget_runner(keep=own.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:] = [path for path in sys.path if path == str(IMPORT_ROOT) or path not in ("", str(folder))]
    prepare()
    for name in SERVING:
        importlib.import_module(name)
    serve(own)


def compute_meanwhile(work: Callable[[], Iterable[tuple[str, Any]]]) -> Callable[[str], Any]:
    """Gives what some work yields, by its name, computed by a fork of this process from now on.

    None where that failed, and in any other fork of this process.
    """
    receiver, sender = Pipe(duplex=False)
    parent, held = os.getpid(), dict[str, Any]()

    def run() -> None:
        os.setsid()  # whoever interrupts its parent means the parent, which takes it along
        die_with_parent(parent)
        limit_memory(os.environ.get(MEMORY, ""))
        with contextlib.suppress(Exception):  # whoever asks for it meets the same, and says so
            for found in work():
                sender.send(found)

    process = ForkedProcess(run)
    sender.close()

    def take(name: str) -> Any:
        while os.getpid() == parent and name not in held and process.returncode is None:
            try:
                held.update([receiver.recv()])
            except (EOFError, OSError):
                process.wait()
        return held.get(name)

    return take


def forget_runner(*, keep: int) -> None:
    """Take back what a process of its own would not have: open files and locks, signal handlers, streams, filters."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number != keep:
            with contextlib.suppress(OSError):
                os.close(number)
    for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.set_wakeup_fd(-1)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    warnings.resetwarnings()
    for ignored in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", ignored, append=True)
    if sys.modules.get(GRAMMARS, sys) is None:  # kept from the runner alone
        del sys.modules[GRAMMARS]
    random.seed()
