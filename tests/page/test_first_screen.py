"""The first screen: one heading, one chip with a word, cells under their heads, places for what the runner knows."""

from __future__ import annotations

import datetime
import re

import pandas as pd
import pytest
from event_impact.page.canvas import Canvas, Drawing
from event_impact.page.exhibits import EXHIBIT_MIME
from event_impact.page.first_screen import CHANGES, CHIPS, SIBLINGS, FirstScreen, ScreenRow, chip, print_rows


def screen(**changed: object) -> FirstScreen:
    given: dict[str, object] = {
        "firm": "Ford (F, NYSE)",
        "story": "talks with Xiaomi",
        "prices_to": datetime.date(2026, 2, 3),
        "status": "final",
        "outcome": "no_detectable_effect",
        "finding": "Ford <b> moved",
        "sentences": ("One.", "Two."),
        "drawings": (),
        "columns": ("abnormal return, %", "estimate"),
        "rows": (ScreenRow("Monday", ("\u22121.0",), "headline"),),
        "notes": (("Does it hold?", "Yes & no."),),
        "csv": "estimates",
    }
    return FirstScreen(**{**given, **changed})


def test_the_finding_is_the_only_heading_and_text_is_escaped():
    html = screen()._repr_html_()
    assert re.findall(r"<h1>(.*?)</h1>", html) == ["Ford &lt;b&gt; moved"]
    assert "Yes &amp; no." in html
    assert "prices to 3 Feb 2026" in html


@pytest.mark.parametrize("outcome", CHIPS)
def test_every_outcome_has_a_glyph_and_a_word(outcome):
    glyph, word, _ = CHIPS[outcome]
    assert glyph in chip(outcome)
    assert word in chip(outcome)


def test_the_runner_finds_its_places_once():
    html = screen()._repr_html_()
    assert html.count(SIBLINGS) == html.count(CHANGES) == 1
    before = html[: html.index(SIBLINGS)]
    assert before.count("<p") == before.count("</p>")  # a browser ends a paragraph where a nav begins


def test_a_terminal_shows_heads_and_rows_below_each_other():
    rows = print_rows(screen().table)
    assert rows == ["abnormal return, %  estimate", "Monday                  \u22121.0"]


def test_a_finding_that_claims_too_much_is_refused():
    with pytest.raises(ValueError, match="forbidden wording"):
        screen(finding="Ford: no effect.")


def test_the_drawings_leave_their_numbers_as_files():
    drawing = Drawing("days", "T", "s", "d", pd.DataFrame({"a": [1.5]}), lambda width: Canvas(width, 10))
    bundle = screen(drawings=(drawing,))._repr_mimebundle_()
    assert bundle[EXHIBIT_MIME] == [{"name": "days", "csv": "a\n1.5\n"}]
    linked = re.findall(r'href="results/(\w+)\.csv">', bundle["text/html"])
    assert linked == ["estimates", "days"]
    assert bundle["text/plain"] == "Ford <b> moved One. Two."


def test_a_row_with_too_few_cells_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        screen(rows=(ScreenRow("Monday", ()),))._repr_html_()
