"""The kernel of a run: this Python, its own scratch folder, a memory limit, and no life after its runner.

Nothing of the user's own Jupyter or IPython settings takes part: no kernelspec, no start-up
script, no history. Sockets lie in a short private folder, since their paths must be short.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Dict as DictTrait
from traitlets.config import Config

from event_impact.base.root import child_environment
from event_impact.base.threads import ONE_THREAD
from event_impact.runs.forked import ForkedKernel
from event_impact.runs.kernel_launch import MEMORY, PARENT

MAX_SOCKET_PATH = 96
"""A Unix socket address holds 108 bytes (104 on some systems); room is left for the port suffix."""


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


class GuardedKernelManager(AsyncKernelManager):
    """Starts the kernel through :mod:`event_impact.runs.kernel_launch`, or takes a fork that waits for its sockets."""

    environment = DictTrait(help="The environment of the kernel").tag(config=True)
    forked: ForkedKernel | None = None

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """The command line: this interpreter, whatever kernelspecs are installed."""
        return [sys.executable, "-m", "event_impact.runs.kernel_launch", os.path.realpath(self.connection_file)]

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        kw["env"] = self.environment
        return await super()._async_pre_start_kernel(**kw)

    pre_start_kernel = _async_pre_start_kernel

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        """Start the kernel, or tell the fork to become it."""
        forked, provisioner = self.forked, self.provisioner
        if forked is None or not isinstance(provisioner, LocalProvisioner):
            await super()._async_launch_kernel(kernel_cmd, **kw)
            return
        forked.tell(kernel_cmd[-1])
        provisioner.process = cast("subprocess.Popen[bytes]", forked)
        provisioner.pid = provisioner.pgid = forked.pid
        provisioner.cwd = kw.get("cwd")
        self._reconcile_connection_info(provisioner.connection_info)

    _launch_kernel = _async_launch_kernel


def scratch_folder(reports: Path, story: str, *, temporary: Path | None = None) -> Path:
    """Where the kernels of one story keep sockets and settings; the holder of the story's lock owns it."""
    name = hashlib.sha256(f"{reports.resolve()}\0{story}".encode()).hexdigest()[:10]
    return (temporary or Path(tempfile.gettempdir())) / f"impact-{os.getuid()}" / name


def clear_scratch(folder: Path) -> None:
    """Remove what dead kernels left, and make the private folder above it.

    Raises
    ------
    OSError
        If the folder above is not a directory of this user alone: another user could have put it there.
    """
    parent = folder.parent
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = os.lstat(parent)
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise PermissionError(f"{parent} is not a private folder of this user")
    shutil.rmtree(folder, ignore_errors=True)


def kernel_options(
    scratch: Path, *, environment: dict[str, str], limits: KernelLimits, forked: ForkedKernel | None
) -> dict[str, Any]:
    """Arguments that make papermill start a guarded kernel, or take the one that was forked for it.

    Unix sockets are used where their path is short enough, TCP otherwise.
    """
    settings: dict[str, Any] = {"connection_file": str(scratch / "connection.json"), "environment": environment}
    socket = str(scratch / "k")
    if can_use_sockets(socket):
        settings |= {"transport": "ipc", "ip": socket}
    return {
        "kernel_manager_class": type("KernelManager", (GuardedKernelManager,), {"forked": forked}),
        "shutdown_kernel": "immediate",
        "execution_timeout": limits.execution_timeout_s,
        "start_timeout": limits.start_timeout_s,
        "config": Config({"GuardedKernelManager": settings}),
    }


def can_use_sockets(address: str) -> bool:
    """Whether Unix sockets exist here and the address fits."""
    return os.name == "posix" and len(os.fsencode(address)) <= MAX_SOCKET_PATH


def kernel_environment(scratch: Path, *, root: Path, limits: KernelLimits) -> dict[str, str]:
    """Environment of the kernel: the study's root, this package importable, settings of its own."""
    return child_environment(
        **ONE_THREAD,
        **{PARENT: str(os.getpid()), MEMORY: str(limits.memory_bytes or "")},
        IMPACT_ROOT=str(root),
        PYDEVD_DISABLE_FILE_VALIDATION="1",
        IPYTHONDIR=str(scratch / "ipython"),
    )
