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
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "id", getattr(called, "attr", ""))
            given = {k.arg for k in node.keywords} if called else set()
            for asked in paths(node.args[0]) if called and node.args else ():
                if name in ("say", "read_labels") and asked.count(".") in (1, 2):
                    found.append((name, asked, given))
                elif name in ("declare_table", "_tabulate") and "caption" not in given:
                    found.append(("say", f"captions.{asked}", given - {"numbers", "is_folded", "has_headline"}))
    return found


def paths(asked: ast.expr) -> list[str]:
    """What an argument can name: a text, one of two, or one of the several that a place holds (``module.place.``)."""
    if isinstance(asked, ast.IfExp):
        return [*paths(asked.body), *paths(asked.orelse)]
    fixed = asked.values[0] if isinstance(asked, ast.JoinedStr) else asked
    text = fixed.value if isinstance(fixed, ast.Constant) else None
    return [text] if isinstance(text, str) and (fixed is asked or text.count(".") == 2) else []


def places(text: str) -> set[str]:
    return {name.partition(".")[0] for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_is_used_and_every_place_is_filled():
    used = set()
    for function, path, given in calls():
        module, place, *several = path.split(".")
        held = read_words()[module][place]
        if function == "say" and several:
            assert None in given or set().union(*map(places, held.values())) <= given, path
        elif function == "say":
            assert places(held) == given or None in given, path  # None: a mapping
        used.add((module, place))
    assert used == {(module, place) for module, parts in read_words().items() for place in parts}


def test_a_text_that_is_not_there_is_refused():
    with pytest.raises(KeyError):
        say("captions.nothing")


def test_labels_keep_their_order():
    assert list(read_labels("tables.test_labels"))[:2] == ["t", "sample_quantile"]
