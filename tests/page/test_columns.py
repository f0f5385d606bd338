"""A column is described once; cells, CSV, LaTeX and alignment follow from it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd
import pytest
from event_impact.page.exhibits import Column, Fact, declare_table, write_csv
from event_impact.page.markup import align_decimals


@dataclass(frozen=True)
class Row:
    name: str
    estimate: float | None
    ci95: tuple[float, float] | None = None
    note: str = ""
    tests: dict[str, float] | None = None


ROWS = [Row("first", -0.0104, (-0.02, 0.01)), Row("second", None, note="no price"), Row("third", float("nan"))]
COLUMNS = (
    Column("name", "firm"),
    Column("estimate", "estimate", "percent", why="note"),
    Column("ci95", "interval", "interval"),
    Column("", "size", "size.1", of=lambda row: row.estimate and abs(row.estimate), missing="none"),
    Column("note"),
)


def test_a_cell_is_written_by_its_kind_and_a_missing_one_gives_its_reason():
    table = declare_table("made", ROWS, COLUMNS, caption="Made up. Nothing more.")
    assert table.cells.index.name == "firm"
    assert list(table.cells.index) == ["first", "second", "third"]
    assert table.cells["estimate"].tolist() == ["\u22121.04\u00a0%", "n/a: no price", "n/a"]
    assert table.cells["interval"].tolist() == ["\u22122.00\u00a0% to +1.00\u00a0%", "n/a", "n/a"]
    assert table.cells["size"].tolist() == ["1.0\u00a0%", "none", "none"]
    assert table.aligned == (True, True, True)


def test_the_csv_holds_the_named_columns_unrounded_in_their_order():
    table = declare_table("made", ROWS, COLUMNS, caption="Made up.")
    assert write_csv(table.numbers).splitlines() == [
        "name,estimate,ci95_low,ci95_high,note", "first,-0.0104,-0.02,0.01,", "second,,,,no price", "third,,,,",
    ]  # fmt: skip
    nothing = declare_table("made", [], COLUMNS, caption="Made up.")
    assert write_csv(nothing.numbers) == "name,estimate,ci95_low,ci95_high,note\n"
    assert "<table" not in nothing._repr_html_()


def test_values_are_found_along_paths_of_attributes_and_keys():
    columns = (Column("name", "firm"), Column("tests.t", "t", "number"), Column("tests.f", "F", "plain"))
    rows = [Row("a", None, tests={"t": -2.0}), Row("b", None)]
    assert declare_table("made", rows, columns, caption="Made up.").cells.to_numpy().tolist() == [
        ["\u22122.00", "n/a"], ["n/a", "n/a"],
    ]  # fmt: skip
    with pytest.raises(AttributeError):
        Column("nome", "firm").cell(rows[0])
    frame = pd.DataFrame({"name": ["a"], "n": [1234]})
    (cells,) = declare_table(
        "made", frame, (Column("name", "firm"), Column("n", "n", "whole")), caption="M."
    ).cells.to_numpy()
    assert cells.tolist() == ["1\u202f234"]
    fact = Fact("kurtosis", "5.04", 5.0371)
    assert Column("value").record(fact) == {"value": 5.0371}


def test_numbers_stand_with_their_points_below_each_other():
    assert align_decimals(["0.44", "0.031", "<\u00a00.001", "n/a: too few", "n/a"]) == [1, 0, 0, None, 0]
    assert align_decimals(["12", "3"]) == [0, 0]
    columns = (Column("name", "firm"), Column("p", "p", "p"), Column("note", "note"))
    frame = pd.DataFrame({"name": ["a", "b"], "p": [0.44, 0.031], "note": ["x", "y"]})
    table = declare_table("made", frame, columns, caption="Made up.")
    page = table._repr_html_()
    assert '<th scope="col" class="num">p</th><th scope="col">note</th>' in page
    assert '<td class="num d1">0.44</td><td>x</td>' in page
    assert '<td class="num d0">0.031</td><td>y</td>' in page
    latex = table.to_latex()
    assert r"\begin{tabular}{lrl}" in latex
    assert r"a & 0.44\phantom{0} & x \\" in latex


def test_the_declared_row_is_set_off():
    table = declare_table("made", ROWS, COLUMNS, caption="Made up.", has_headline=True)
    rows = re.findall("<tr[^>]*>", table._repr_html_())
    assert ['class="headline"' in row for row in rows] == [False, True, False, False]
