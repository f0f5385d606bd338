"""The kernel of a run: this Python, its own scratch folder, a memory limit, and no life after its runner.

Nothing of the user's own Jupyter or IPython settings takes part: no kernelspec, no start-up
script, no history. Sockets lie in a short private folder, since their paths must be short.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Dict as DictTrait
from traitlets.config import Config

from event_impact.base.root import child_environment
from event_impact.runs.warm import discard_waiting, take_waiting, tell

MAX_SOCKET_PATH = 96
"""A Unix socket address holds 108 bytes (104 on some systems); room is left for the port suffix."""


@dataclass(frozen=True)
class KernelLimits:
    """What one kernel may use.

    ``memory_bytes`` limits its address space; None means no limit.
    """

    execution_timeout_s: int = 600
    start_timeout_s: int = 60
    memory_bytes: int | None = 8 * 2**30


class GuardedKernelManager(AsyncKernelManager):
    """Starts the kernel through :mod:`event_impact.runs.kernel_launch`, with an environment of its own."""

    environment = DictTrait(help="The environment of the kernel").tag(config=True)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """The command line: this interpreter, whatever kernelspecs are installed."""
        return [
            sys.executable,
            "-m",
            "event_impact.runs.kernel_launch",
            "-f",
            os.path.realpath(self.connection_file),
            *(extra_arguments or []),
        ]

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        kw["env"] = self.environment
        return await super()._async_pre_start_kernel(**kw)

    pre_start_kernel = _async_pre_start_kernel

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        """Start the kernel, or let a process that is waiting become it."""
        process, provisioner = take_waiting(), self.provisioner
        if process is None or not isinstance(provisioner, LocalProvisioner):
            discard_waiting()
            await super()._async_launch_kernel(kernel_cmd, **kw)
            return
        arguments = kernel_cmd[kernel_cmd.index("event_impact.runs.kernel_launch") + 1 :]
        tell(process, arguments=arguments, environment=kw["env"], folder=str(kw.get("cwd") or os.getcwd()))
        provisioner.process, provisioner.pid, provisioner.pgid = process, process.pid, os.getpgid(process.pid)
        provisioner.cwd = kw.get("cwd") or os.getcwd()
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


def kernel_options(scratch: Path, *, root: Path, limits: KernelLimits) -> dict[str, Any]:
    """Arguments that make papermill start a guarded kernel.

    Unix sockets are used where their path is short enough, TCP otherwise.
    """
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "connection_file": str(scratch / "connection.json"),
        "environment": kernel_environment(scratch, root=root, limits=limits),
    }
    socket = str(scratch / "k")
    if can_use_sockets(socket):
        settings |= {"transport": "ipc", "ip": socket}
    return {
        "kernel_manager_class": GuardedKernelManager,
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
        IMPACT_ROOT=str(root),
        PYDEVD_DISABLE_FILE_VALIDATION="1",
        IPYTHONDIR=str(scratch / "ipython"),
        IMPACT_KERNEL_MEMORY=str(limits.memory_bytes or ""),
        IMPACT_KERNEL_PARENT=str(os.getpid()),
    )
