"""The kernel of a run: a process of this Python that runs cells one after the other, and no life after its runner.

papermill hands parameters over and writes what came out; its engine here asks our own kernel, by a pipe, in the
place of a Jupyter server: nothing of the user's own Jupyter or IPython settings takes part, no socket and no port.
"""

import json
import subprocess
import sys
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.engines import Engine, papermill_engines

from event_impact.base.errors import ExecutionError, shorten
from event_impact.runs.forked import ForkedProcess
from event_impact.runs.kernel_launch import KernelLimits, kernel_environment

#: How often a kernel that does not answer is looked after.
LOOK_S = 0.5


class Kernel:
    """A process that answers the code of a cell with its outputs, over a pipe."""

    def __init__(self, process: "ForkedProcess | subprocess.Popen[bytes]", pipe: Connection) -> None:
        self._process, self._pipe = process, pipe

    def run(self, code: str | None, limit_s: float) -> dict[str, Any]:
        """The outputs of a cell and its number; without code, the word that the kernel is there.

        Raises
        ------
        CellTimeoutError, DeadKernelError
            If it takes longer, or the process ended, though another may hold its end of the pipe.
        """
        deadline = time.monotonic() + limit_s
        try:
            if code is not None:
                self._pipe.send_bytes(json.dumps(code).encode())
            while not self._pipe.poll(0 if self._process.poll() is not None else LOOK_S):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    break
            else:
                answer: dict[str, Any] = json.loads(self._pipe.recv_bytes())
                return answer
        except (EOFError, OSError) as error:
            raise DeadKernelError from error
        raise DeadKernelError if self._process.poll() is not None else CellTimeoutError

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()


def start_kernel(root: Path, limits: KernelLimits) -> Kernel:
    """A kernel that loads everything anew."""
    pipe, own = Pipe()
    words = [sys.executable, "-m", "event_impact.runs.kernel_launch", str(own.fileno())]
    environment, nothing = kernel_environment(root, limits), subprocess.DEVNULL
    with own:
        process = subprocess.Popen(
            words, cwd=root, env=environment, pass_fds=[own.fileno()], start_new_session=True,
            stdin=nothing, stdout=nothing, stderr=nothing,
        )  # fmt: skip
    return Kernel(process, pipe)


class OwnKernel(Engine):  # type: ignore[misc]  # papermill has no types
    """Runs the cells of a notebook up to the first that fails."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, kernel: Kernel, limits: KernelLimits, **_: Any
    ) -> None:
        """Run every cell; the file is saved when all is over, however it ends, not before and after each cell.

        Raises
        ------
        ExecutionError
            Beginning with the number of the cell that failed.
        """
        target, nb_man.output_path = nb_man.output_path, None
        try:
            kernel.run(None, limits.start_timeout_s)
            number = 0  # as a reader counts them in the notebook file: injected cells left out
            for index, cell in enumerate(nb_man.nb.cells):
                number += "injected-parameters" not in cell.metadata.get("tags", [])
                nb_man.cell_start(cell, index)
                if cell.cell_type == "code" and cell.source.strip():
                    answer = kernel.run(cell.source, limits.execution_timeout_s)
                    cell.execution_count = answer["count"]
                    cell.outputs = [nbformat.from_dict(output) for output in answer["outputs"]]
                    for output in cell.outputs:
                        if output.output_type == "error":
                            said = shorten(f"{output.ename}: {output.evalue}")
                            raise ExecutionError(f"cell {number}: {said}.")
                nb_man.cell_complete(cell, index)
        finally:
            nb_man.output_path = target


papermill_engines.register(OwnKernel.__name__, OwnKernel)
