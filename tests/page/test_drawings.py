"""Drawings of the first screens: every mark is there, apart from its neighbours, inside the picture."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from event_impact.page.canvas import NARROW, PAINTS, WIDE_CLOCK, WIDE_DAYS, choose_ticks, measure_text
from event_impact.page.clock_drawing import NewsInterval, PricePoint, draw_clock
from event_impact.page.day_drawing import draw_days
from event_impact.page.row_drawing import EffectRow
from event_impact.page.sample_page import draw_events


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def days(n=250, *, effects=(), seen_from=0.05):
    values = np.linspace(-0.06, 0.07, n)
    return draw_days(
        values, effects, seen_from=seen_from, axis_label="abnormal return", title="T", subtitle="s", description="d"
    )


def clock(news, prices):
    hours = [(at("2026-01-30 14:30"), at("2026-01-30 21:00"), ""), (at("2026-02-02 14:30"), at("2026-02-02 21:00"), "")]
    return draw_clock(
        news, prices, hours, zone="America/New_York", between="no price for 65 hours", title="T", subtitle="s",
        description="d",
    )  # fmt: skip


NEWS = [
    NewsInterval("FT report", "report", at("2026-01-31 00:00"), at("2026-01-31 18:28"), True),
    NewsInterval("Ford denies", "denial", at("2026-01-31 12:00"), at("2026-01-31 23:49")),
]
PRICES = [
    PricePoint("close", at("2026-01-30 21:00"), 13.88),
    PricePoint("open", at("2026-02-02 14:30"), 13.86),
    PricePoint("close", at("2026-02-02 21:00"), 13.81),
]
EFFECT = EffectRow("Mon 2 Feb:", -0.0104, (-0.055, 0.034), role="joint")


@pytest.mark.parametrize("n", [1, 30, 250, 1000])
def test_there_is_one_dot_for_each_ordinary_day(n):
    svg = days(n).draw(WIDE_DAYS).to_svg("d")
    assert len(re.findall(r"M[\d.]+ [\d.]+h0", svg)) == n


def test_ten_thousand_days_become_bars_that_count_all_of_them():
    svg = days(10_000).draw(WIDE_DAYS).to_svg("d")
    assert sum(int(n) for n in re.findall(r"<title>(\d+)</title>", svg)) == 10_000


@pytest.mark.parametrize("width", [WIDE_CLOCK, NARROW])
def test_labels_of_the_outermost_events_stand_above_the_others(width):
    scar = np.concatenate([np.full(30, -3.0), np.full(30, 0.1), [-4.0, 3.5]])
    svg = draw_events(scar, [f"T{i} 2025-04-07" for i in range(len(scar))]).draw(width).to_svg("d")
    dots = [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", svg)]
    labels = re.findall(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>(T\d+ 2025-04-07, [^<]+)<', svg)
    assert len(set(labels)) == 2  # each is drawn over its halo
    assert len(dots) == len(scar)
    for x, y, text in labels:
        half = measure_text(text, 12) / 2
        assert all(dot > float(y) for at, dot in dots if abs(at - float(x)) < half)


@pytest.mark.parametrize("width", [WIDE_DAYS, NARROW])
@pytest.mark.parametrize("bounds", [(-0.055, 0.034), (-np.inf, 0.02), (-np.inf, np.inf), (-0.2, 0.3)])
def test_no_label_leaves_the_picture(width, bounds):
    svg = days(effects=(EffectRow("the day", -0.01, bounds, role="joint"),)).draw(width).to_svg("d")
    for x, anchor, text in re.findall(r'<text[^>]* x="([-\d.]+)"[^>]*text-anchor="(\w+)"[^>]*>([^<]+)<', svg):
        wide = len(text) * 12 * 0.5
        left = float(x) - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
        assert left >= -1, text
        assert left + wide <= width + 1, text


def test_numbers_behind_the_days_hold_every_day_and_every_effect():
    numbers = days(30, effects=(EFFECT,)).numbers
    assert len(numbers) == 31
    assert numbers.iloc[-1].tolist() == ["Mon 2 Feb:", -0.0104, -0.055, 0.034]


def test_without_a_known_power_nothing_is_shaded():
    assert PAINTS["zone"] in days(effects=(EFFECT,)).draw(WIDE_DAYS).to_svg("d")
    assert PAINTS["zone"] not in days(effects=(EFFECT,), seen_from=None).draw(WIDE_DAYS).to_svg("d")


def test_marks_say_what_they_are():
    svg = clock(NEWS, PRICES).draw(WIDE_CLOCK).to_svg("d")
    assert "<title>Ford denies: 31 Jan 12:00 to 31 Jan 23:49 UTC</title>" in svg
    assert svg.count("<title>close ") == 2
    assert svg.count("<title>open ") == 1
    assert "no price for 65 hours" in svg


def test_an_article_without_an_earliest_clock_fades_in():
    assert clock(NEWS, PRICES).draw(WIDE_CLOCK).to_svg("d").count("opacity") == 6


def test_an_article_known_to_the_second_is_a_mark_that_can_be_seen():
    second = NewsInterval("post", "denial", at("2026-01-31 15:35:33"), at("2026-01-31 15:35:34"))
    svg = clock([second], PRICES).draw(WIDE_CLOCK).to_svg("d")
    assert 'width="3"' in svg


def test_labels_of_neighbouring_prices_stand_apart():
    svg = clock(NEWS, PRICES).draw(NARROW).to_svg("d")
    found = re.findall(r'<text[^>]* x="([\d.]+)"[^>]*text-anchor="(\w+)"[^>]*>(13\.\d\d)<', svg)
    spans = []
    for x, anchor, text in found:
        wide = len(text) * 13 * 0.58
        left = float(x) - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
        spans.append((left, left + wide))
    assert len(spans) == 3
    assert all(a[1] <= b[0] + 3 for a, b in pairwise(spans))


@pytest.mark.parametrize("width", [WIDE_CLOCK, NARROW])
def test_of_many_closes_only_those_with_room_are_labelled(width):
    closes = [PricePoint("close", at("2026-01-30 21:00") + pd.Timedelta(days=day), 100.0 + day) for day in range(12)]
    svg = clock(NEWS, closes).draw(width).to_svg("d")
    printed = re.findall(r'<text[^>]*x="([\d.]+)"[^>]*>(1\d\d\.00)</text>', svg)
    assert {"100.00", "111.00"} <= {value for _, value in printed}
    assert len(printed) < len(closes)
    assert all(float(b) - float(a) > 40 for (a, _), (b, _) in pairwise(printed[:-1]))


def test_ticks_are_round_and_inside():
    assert choose_ticks(-8.1, 8.1, most=5) == [-5, 0, 5]
    assert choose_ticks(-12.0, 12.0, most=7) == [-10, -5, 0, 5, 10]


def test_a_drawing_is_laid_out_for_page_and_phone():
    html = days(effects=(EFFECT,))._repr_html_()
    assert html.count("<svg") == 2
    assert f'viewBox="0 0 {WIDE_DAYS} ' in html
    assert f'viewBox="0 0 {NARROW} ' in html
