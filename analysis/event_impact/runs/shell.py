"""What runs the cells in a kernel: IPython without a terminal, a server or a history, whose outputs are a notebook's."""

import io
import sys
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

Outputs = list[dict[str, Any]]
#: Of the cell that runs, in the form of a notebook.
OUTPUTS: Outputs = []


class Stream(io.TextIOBase):
    """Standard output or error of Python."""

    encoding = "utf-8"

    def __init__(self, name: str) -> None:
        self._name = name

    def fileno(self) -> int:
        """What a process that a cell starts may write to."""
        return 1 if self._name == "stdout" else 2

    def write(self, text: str) -> int:
        """Join what one stream says in a row."""
        if OUTPUTS and OUTPUTS[-1].get("name") == self._name:
            OUTPUTS[-1]["text"] += text
        else:
            OUTPUTS.append({"output_type": "stream", "name": self._name, "text": text})
        return len(text)


class Hook(DisplayHook):
    """Takes the value of the last expression of a cell."""

    def __call__(self, result: Any = None) -> None:
        """Keep it as IPython shows it."""
        own: Any = self  # the methods of its base have no types
        own.check_for_underscore()
        if result is None or own.quiet():
            return
        data, metadata = own.compute_format_data(result)
        own.update_user_ns(result)
        own.fill_exec_result(result)
        shown = {"execution_count": own.prompt_count, "data": data, "metadata": metadata or {}}
        OUTPUTS.extend([{"output_type": "execute_result", **shown}] * bool(data))


class Publisher(DisplayPublisher):
    """Takes what a cell displays."""

    def publish(self, data: Any, metadata: Any = None, source: Any = None, **_: Any) -> None:
        """Keep it."""
        OUTPUTS.append({"output_type": "display_data", "data": data, "metadata": metadata or {}})


class Shell(InteractiveShell):
    """IPython whose outputs are kept."""

    displayhook_class = Type(Hook)
    display_pub_class = Type(Publisher)

    def _leave_out(self, *_: Any) -> None:
        """No folder of the user is read or written, and there is no window."""

    init_ipython_dir = init_profile_dir = enable_gui = _leave_out

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        OUTPUTS.append({"output_type": "error", "ename": etype.__name__, "evalue": str(evalue), "traceback": stb})


def open_shell() -> tuple[Outputs, Any]:
    """The outputs of the cell that runs, and the shell that runs it."""
    sys.stdout, sys.stderr = Stream("stdout"), Stream("stderr")
    return OUTPUTS, Shell.instance(config=Config({"HistoryManager": {"enabled": False, "hist_file": ":memory:"}}))
