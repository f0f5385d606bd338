"""Text of captions and cells: nothing is lost, nothing is markup, lines break where they may."""

from __future__ import annotations

import html
import re

import pytest
from event_impact.page.markup import (
    DENSE_COLUMNS,
    STACK_COLUMNS,
    STACK_ROWS,
    find_title,
    frame_table,
    mark_up,
    mark_up_caption,
    mark_up_row,
)
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(alphabet="<>&\"' a0-9:T-\u2212+%\u00a0to\u202e", max_size=80))
def test_no_character_is_lost_and_only_our_tags_appear(text: str) -> None:
    marked = mark_up(text)
    assert set(re.findall(r"<[^>]*>", marked)) <= {"<time>", "</time>", "<wbr>"}
    read = html.unescape(re.sub(r"</?time>|<wbr>", "", marked))
    assert read.replace("\u00a0", " ") == text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Mon 2026-02-02, then", "Mon <time>2026-02-02</time>, then"),
        ("at 2026-02-13 22:05", "at <time>2026-02-13 22:05</time>"),
        ("\u22124.69\u00a0% to +2.62\u00a0%", "\u22124.69\u00a0%\u00a0to\u00a0+2.62\u00a0%"),
        ("2025-04-03 to 2025-04-17", "<time>2025-04-03</time> to <time>2025-04-17</time>"),
        ("w" * 24, "w" * 24),
        ("w" * 25, "w" * 24 + "<wbr>w"),
        ("<b>&" + "x" * 22, "&lt;b&gt;&amp;" + "x" * 20 + "<wbr>xx"),
    ],
)
def test_lines_break_where_a_reader_would_break_them(text: str, marked: str) -> None:
    assert mark_up(text) == marked


def test_the_title_is_the_first_sentence() -> None:
    assert find_title("Effects of 2.00 % or more. How to read it.") == "Effects of 2.00 % or more"
    assert find_title("No stop") == "No stop"
    assert mark_up_caption("A & B. More.", "Table") == (
        '<span class="number">Table.</span> <span class="title">A &amp; B.</span> More.'
    )


def test_long_cells_get_room() -> None:
    row = mark_up_row("x", ["short", "a sentence of more than a few words"])
    assert row.startswith('<tr><th scope="row">x</th><td>short</td><td class="long">a sentence')


def make_table(*, columns: int, rows: int) -> str:
    heads = ["", *(f"head {k}" for k in range(1, columns))]
    body = "".join(mark_up_row(f"row {i}", [f"{i}.{k}" for k in range(1, columns)]) for i in range(rows))
    return frame_table("A table.", heads, body, name="made")


def test_a_small_wide_table_names_every_cell_for_a_phone() -> None:
    text = make_table(columns=STACK_COLUMNS, rows=2)
    assert 'class="table-frame stack"' in text
    assert text.count('role="table"') == 1
    assert text.count('role="rowgroup"') == 2
    assert text.count('role="row"') == 3
    assert text.count('role="rowheader"') == 2
    assert text.count('role="columnheader"') == STACK_COLUMNS - 1
    for row in range(2):
        for column in range(1, STACK_COLUMNS):
            assert f'<td role="cell" data-label="head {column}">{row}.{column}</td>' in text


@pytest.mark.parametrize(
    ("columns", "rows", "layout"),
    [
        (STACK_COLUMNS, STACK_ROWS, " stack"),
        (STACK_COLUMNS, STACK_ROWS + 1, ""),
        (STACK_COLUMNS - 1, 1, ""),
        (DENSE_COLUMNS - 1, STACK_ROWS + 1, ""),
        (DENSE_COLUMNS, STACK_ROWS + 1, " dense"),
        (DENSE_COLUMNS, STACK_ROWS, " stack dense"),
    ],
)
def test_tables_are_laid_out_by_their_size(columns: int, rows: int, layout: str) -> None:
    text = make_table(columns=columns, rows=rows)
    assert f'class="table-frame{layout}" role="region" tabindex="0" aria-label="A table"' in text
    assert ("data-label" in text) == ("stack" in layout) == ('role="cell"' in text)


def test_labels_and_cells_stay_text() -> None:
    heads = ("", 'a "b" <td>', "p & q", "c")
    text = frame_table("T.", heads, mark_up_row("<th >", ["<td>", "<tr>", "<td x>"]))
    assert 'data-label="a &quot;b&quot; &lt;td&gt;">&lt;td&gt;</td>' in text
    assert 'data-label="p &amp; q">&lt;tr&gt;</td>' in text
    assert text.count("<td") == 4  # the empty head and three cells
    assert text.count("<tr") == 2


def test_a_table_without_rows_is_a_sentence():
    import pandas as pd
    from event_impact.page.exhibits import TableExhibit

    empty = pd.DataFrame({"a": [], "b": []})
    shown = TableExhibit("nothing", empty, "What else happened. None is recorded.", empty)._repr_html_()
    assert "<table" not in shown
    assert "None is recorded." in shown
