"""The path of the data is the layout: rooms import rooms above them, and no notebook reaches the network."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest
from stories import ROOT

PACKAGE = ROOT / "analysis" / "event_impact"
ROOMS = (
    "base", "events", "reading", "market", "estimation", "inference", "many", "registry", "page", "study", "runs",
    "lab", "cli",
)  # fmt: skip
"""In the order in which the data travels; ``lab`` is a module, the others are folders."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(p): p for p in PACKAGE.rglob("*.py") if "_study" not in p.parts}


def imports_of(module: str) -> set[str]:
    """Modules of the package that a module imports, anywhere in its code, relative imports among them."""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            origin = ".".join(filter(None, (above, node.module)))
            found |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
    return found & set(MODULES)


def room_of(module: str) -> str | None:
    """The room of a module; None for the package itself, which only names the public doors."""
    return module.split(".")[1] if "." in module else None


def test_every_module_has_a_room():
    assert {room_of(module) for module in MODULES} == {None, *ROOMS}


@pytest.mark.parametrize("module", sorted(m for m in MODULES if room_of(m)))
def test_a_room_imports_only_rooms_above_it(module):
    own = ROOMS.index(room_of(module))
    found = imports_of(module)
    back = {name for name in found if not room_of(name) or ROOMS.index(room_of(name)) > own}
    assert back == set()  # nor the door of the package, which opens on every room


def test_no_file_name_and_no_public_name_stands_twice():
    files, names = defaultdict(set), defaultdict(set)
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            continue
        files[path.name].add(module)
        if room_of(module) == "cli":  # verbs are named for their users, and nobody imports them
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                names[node.name].add(module)
    assert {name: held for held_by in (files, names) for name, held in held_by.items() if len(held) > 1} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_says_what_enters_what_leaves_and_what_it_may_not_do(room):
    if room == "lab":
        pytest.skip("one module")
    said = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text())) or ""
    assert all(word in said for word in ("Enters:", "Leaves:", "May not:")), room


def test_the_tests_mirror_the_rooms():
    beside = {
        "browser",
        "data",
        "notebooks",
        "reference",
        "calibration",
        "benchmarks",
        "conformance",
        "docs",
        "simulated",
    }
    folders = {p.name for p in (ROOT / "tests").iterdir() if p.is_dir() and not p.name.startswith("__")}
    assert folders - beside <= set(ROOMS)


def reach(start: set[str]) -> set[str]:
    seen, left = set(), list(start)
    while left:
        module = left.pop()
        if module not in seen:
            seen.add(module)
            left += imports_of(module)
    return seen


def test_nothing_that_a_notebook_imports_reaches_the_network():
    import nbformat

    wanted = set()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        for node in ast.walk(ast.parse("\n".join(c.source for c in cells if c.cell_type == "code"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                wanted |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    reached = reach(wanted & set(MODULES))
    assert "event_impact.study.study" in reached
    assert not [name for name in reached if ".providers." in name or name == "event_impact.market.download"]
