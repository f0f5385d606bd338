"""The kernel of a run: this Python, its own scratch folder, a memory limit, and no life after its runner.

Nothing of the user's own Jupyter or IPython settings takes part: no kernelspec, no start-up
script, no history. Sockets lie in a short private folder, since their paths must be short.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import Dict as DictTrait
from traitlets.config import Config

from event_impact.runs.forked import ForkedKernel
from event_impact.runs.kernel_launch import KernelLimits

# A Unix socket address holds 108 bytes (104 on some systems); room is left for the port suffix.
MAX_SOCKET_PATH = 96


class SavedOnce(NBClientEngine):  # type: ignore[misc]  # papermill has no types
    """Runs a notebook as papermill does and saves it when it ends, however it ends, not before and after each cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
        """Run every cell while no file is known to save to."""
        target, nb_man.output_path = nb_man.output_path, None
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            nb_man.output_path = target


papermill_engines.register(SavedOnce.__name__, SavedOnce)


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
        "engine_name": SavedOnce.__name__,
        "kernel_manager_class": type("KernelManager", (GuardedKernelManager,), {"forked": forked}),
        "shutdown_kernel": "immediate",
        "execution_timeout": limits.execution_timeout_s,
        "start_timeout": limits.start_timeout_s,
        "config": Config({"GuardedKernelManager": settings}),
    }


def can_use_sockets(address: str) -> bool:
    """Whether Unix sockets exist here and the address fits."""
    return os.name == "posix" and len(os.fsencode(address)) <= MAX_SOCKET_PATH
