"""The committed example is what today's code computes, number by number."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest
from event_impact.inference.windows import estimates_frame
from event_impact.page.exhibits import write_csv
from event_impact.page.render import check_page
from stories import ROOT

EXAMPLE = ROOT / "reports" / "example"


def test_the_example_is_whole():
    for name in ("report.html", "appendix.html", "run.json"):
        assert (EXAMPLE / name).is_file(), f"{name} is missing: make example"
    check_page((EXAMPLE / "report.html").read_text(encoding="utf-8"))


def test_the_example_holds_todays_numbers(focal):
    held = pd.read_csv(EXAMPLE / "results" / "estimates.csv")
    now = pd.read_csv(io.StringIO(write_csv(estimates_frame(focal.estimates))))
    assert list(held.columns) == list(now.columns), "make example"
    for column in held.columns:
        if pd.api.types.is_numeric_dtype(held[column]) and held[column].dtype != bool:
            assert held[column].to_numpy() == pytest.approx(now[column].to_numpy(), rel=1e-9, nan_ok=True), column
        else:
            pd.testing.assert_series_equal(held[column], now[column])


def test_the_example_is_of_the_focal_story_and_final():
    run = json.loads((EXAMPLE / "run.json").read_text(encoding="utf-8"))
    assert (run["story"], run["as_of"], run["status"]) == ("ford-xiaomi", "2026-02-13", "final")
    assert str(ROOT) not in (EXAMPLE / "appendix.html").read_text(encoding="utf-8")
