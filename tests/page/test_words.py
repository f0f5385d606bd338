"""The words of the pages: each is used, each place is filled by the code that uses it."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest
from event_impact.page.format import read_labels, read_words, say

ROOMS = Path(__file__).resolve().parents[2] / "analysis" / "event_impact"


def calls() -> list[tuple[str, str, set[str]]]:
    """Function, path and places of every call that asks for words."""
    found = []
    for path in (ROOMS / "page").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("say", "read_labels"):
                found.append((node.func.id, ast.literal_eval(node.args[0]), {k.arg for k in node.keywords}))
    return found


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_is_used_and_every_place_is_filled():
    used = set()
    for function, path, given in calls():
        module, place, *role = path.split(".")
        held = read_words()[module][place]
        if function == "say":
            assert places(held[role[0]]) == given, path
            used.add((module, place, role[0]))
        else:
            used |= {(module, place, name) for name in held}
    written = {(m, p, r) for m, parts in read_words().items() for p, texts in parts.items() for r in texts}
    assert used == written


def test_a_text_that_is_not_there_is_refused():
    with pytest.raises(KeyError):
        say("tables.nothing.caption")


def test_labels_keep_their_order():
    assert list(read_labels("tables.test_labels"))[:2] == ["t", "sample_quantile"]
