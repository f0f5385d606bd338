"""What ``from event_impact import ...`` gives: light to import, each name with an example that runs."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import event_impact
import pytest
from event_impact.base.root import IMPORT_ROOT

NAMES = sorted(set(event_impact.__all__) - {"__version__"})


@pytest.mark.parametrize("name", NAMES)
def test_its_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctest.DocTestFinder(recurse=False).find(getattr(event_impact, name), name, globs={})
    (example,) = [test for test in found if test.name == name]
    assert example.examples, f"{name} has no example"
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert not said, "".join(said)


def test_importing_the_package_loads_nothing_heavy_and_shows_its_names() -> None:
    code = "import sys, event_impact; print({'numpy', 'pandas'} & set(sys.modules), *dir(event_impact))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=IMPORT_ROOT, check=True)
    assert done.stdout.split() == ["set()", *sorted(event_impact.__all__)]


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Stury'"):
        event_impact.Stury  # noqa: B018
