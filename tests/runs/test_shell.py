"""A cell leaves what a notebook shows: values, displays, streams of Python and of processes, errors."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from event_impact.runs.kernel import Kernel, start_kernel
from event_impact.runs.kernel_launch import KernelLimits


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = start_kernel(tmp_path_factory.mktemp("study"), KernelLimits())
    kernel.run(None, 60)
    yield kernel
    kernel.end()


@pytest.mark.parametrize(
    ("code", "kinds", "said"),
    [
        ("print('a', end=''); print('b')", ["stream"], "ab\n"),
        ("1 + 1", ["execute_result"], "2"),
        ("1 + 1;", [], None),
        ("display('x'); 'y'", ["display_data", "execute_result"], "'x'"),
        ("import os; os.system('echo past Python')", ["execute_result", "stream"], "0"),
        ("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);", ["display_data"], "<Figure"),
        ("await __import__('asyncio').sleep(0)", [], None),
        ("1 / 0", ["error"], "division by zero"),
        ("def f(:", ["error"], "invalid syntax"),
        ("import sys; sys.exit(0)", ["error"], "0"),
        ("input()", ["error"], "EOF"),
    ],
)  # fmt: skip
def test_what_a_cell_leaves(kernel: Kernel, code: str, kinds: list[str], said: str | None) -> None:
    outputs = [o for o in kernel.run(code, 60)["outputs"] if o.get("name") != "stderr"]
    assert [o["output_type"] for o in outputs] == kinds
    if said is not None:
        first = outputs[0]
        assert said in (first.get("text") or first.get("evalue") or first["data"]["text/plain"])


def test_cells_are_counted_and_what_they_said_can_be_read(kernel: Kernel) -> None:
    first = kernel.run("held = 5", 60)["count"]
    answer = kernel.run("print(In[-2], held)", 60)
    assert answer["count"] == first + 1
    assert answer["outputs"][0]["text"] == "held = 5 5\n"


def test_an_image_travels_as_text(kernel: Kernel) -> None:
    code = "from IPython.display import Image\nImage(data=b'\\x89PNG\\r\\n\\x1a\\nrest', format='png')"
    (shown,) = kernel.run(code, 60)["outputs"]
    assert shown["data"]["image/png"].startswith("iVBOR")


def test_nothing_of_the_user_is_read_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = tmp_path / "profile_default/startup"
    start.mkdir(parents=True)
    (start / "00.py").write_text("spoiled = 1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    kernel = start_kernel(tmp_path, KernelLimits())
    kernel.run(None, 60)
    assert kernel.run("'spoiled' in globals()", 60)["outputs"][0]["data"]["text/plain"] == "False"
    kernel.end()
    assert sorted(tmp_path.rglob("*")) == before
    assert isinstance(kernel._process, subprocess.Popen)
    assert kernel._process.returncode == -9
