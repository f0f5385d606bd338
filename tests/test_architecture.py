"""The path of the data is the layout: rooms import rooms above them, and no notebook reaches the network."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from stories import ROOT

ROOMS = ("events", "market", "estimation", "inference", "reporting")
FOUNDATIONS = {"__init__", "config", "errors", "root", "disk"}
STEPS = {"opening", "study", "specifications", "spillover", "panel", "activity", "controls", "diagnosis", "calibrate"}
STEPS |= {"alignments", "plans"}
PACKAGE = ROOT / "analysis"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(p): p for p in PACKAGE.rglob("*.py")}


def imports_of(module: str) -> set[str]:
    """Modules of the package that a module imports, anywhere in its code."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & set(MODULES)


def place_of(module: str) -> str:
    """The room of a module, or its own name beside the rooms."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_before_it(room):
    allowed = {*ROOMS[: ROOMS.index(room) + 1], *FOUNDATIONS, *(STEPS if room == "reporting" else ())}
    for module in MODULES:
        if place_of(module) == room:
            reached = {place_of(name) for name in imports_of(module)}
            assert reached <= allowed, f"{module} imports {sorted(reached - allowed)}"


def test_the_steps_import_no_report_and_no_verb():
    for module in MODULES:
        if place_of(module) in STEPS:
            reached = {place_of(name) for name in imports_of(module)}
            assert reached.isdisjoint({"reporting", "cli", "commands", "workbench"}), module


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
    assert "analysis.study" in reached
    assert reached.isdisjoint({"analysis.market.yahoo", "analysis.market.french", "analysis.market.fetch"})
