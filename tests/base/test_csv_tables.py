"""What the hand-curated tables refuse: cells that a spreadsheet computes, control characters."""

from __future__ import annotations

import pytest
from event_impact.base.csv_tables import append_rows
from event_impact.base.errors import DataError

TABLE = b"name,notes\n"


@pytest.mark.parametrize("cell", ["=HYPERLINK(1)", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", " =1", "a\x07b", "\x00"])
def test_refused(cell):
    with pytest.raises(DataError, match=r"t\.csv, notes: "):
        append_rows(TABLE, [{"name": "a", "notes": cell}], name="t.csv")


@pytest.mark.parametrize("cell", ["-1.5", "+3 %", "a=b", "--", "", "two\nlines", "1810.HK", "^GSPC"])
def test_kept(cell):
    content = append_rows(TABLE, [{"name": "a", "notes": cell}], name="t.csv").decode()
    assert content == f"name,notes\na,{' '.join(cell.split())}\n"
