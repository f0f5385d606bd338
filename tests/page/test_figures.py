"""Figures show the numbers of their objects, say them in words, and are the same bytes wherever they are made."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from event_impact.base.result import TestResult
from event_impact.estimation.abnormal import Unmeasured
from event_impact.events.articles import load_stories
from event_impact.events.sessions import align_story
from event_impact.inference.activity_tests import band_activity
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.windows import Specification, assess_window, unavailable
from event_impact.page import fit_figures, return_figures, robustness_figures, timelines
from event_impact.page.canvas import NARROW, Drawing
from event_impact.page.format import cut_label, signed_whole
from scipy import stats
from stories import compute

ROOT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Case:
    """One story with everything that the figures take."""

    panel: object
    alignment: object
    headline: object
    rows: list


def build_case(**parameters: object) -> Case:
    """A story without its placebo ranks, which no figure here needs."""
    study = compute(**parameters)
    rows = []
    for kind, abnormal in study.abnormal.items():
        specification = Specification(kind, "market", study.opened.benchmark, "none", 250, 10)
        if isinstance(abnormal, Unmeasured):
            rows.append(unavailable(specification, 0, 0, is_primary=False, reason=abnormal.reason))
        else:
            rows.append(
                assess_window(abnormal, 0, 0, specification=specification, significance=0.05, bound=0.02, seed=1)
            )
    return Case(study.returns, study.alignment, study.headline, rows)


CASES = {
    "focal": {},
    "event_is_last": {"as_of": "2026-02-02"},
    "two_candidates": {"story": "stellantis-maserati-2025", "as_of": "2025-07-08"},
    "no_opens": {"story": "shell-bp-2025", "as_of": "2025-07-10"},
    "long_hull": {"story": "tsmc-intel-2025-04", "as_of": "2025-05-02"},
    "other_model": {"model": "ff3"},
    "no_gap": {"gap_sessions": 0, "runup": "0:0"},
}


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {name: build_case(**parameters) for name, parameters in CASES.items()}


def curve_frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    estimate = rng.normal(-0.01, 0.004, 12)
    return pd.DataFrame(
        {
            "model": ["market model", "constant mean", "CAPM with a very long name that needs two lines"] * 4,
            "gap": ["10", "20"] * 6,
            "mask": ["kept"] * 12,
            "estimate": estimate,
            "ci95_low": estimate - 0.012,
            "ci95_high": estimate + 0.012,
            "p": [0.2] * 11 + [np.nan],
            "is_headline": [i == 3 for i in range(12)],
        }
    )


def rank_of(t_values: np.ndarray, own: float, sessions: pd.DatetimeIndex, *, p_value: float | None) -> PlaceboRank:
    """A placebo rank as the study would make it."""
    test = TestResult("placebo", "the event is drawn like the others", p_value=p_value, note="too few dates")
    return PlaceboRank(
        {"placebo": test},
        own,
        t_values,
        sessions,
        t_values[:, None],
    )


def draw_all(case: Case) -> dict[str, Drawing]:
    hull = case.alignment.hull
    surprise = band_activity(
        case.panel.prices, case.alignment.event_session, fitted=case.headline.fit.sessions, path=(-20, 10)
    )
    sessions = case.headline.fit.sessions
    drawn = [
        timelines.draw_publication_intervals(case.alignment),
        timelines.draw_price_and_articles(case.panel, case.alignment),
        return_figures.draw_returns(case.rows),
        return_figures.draw_abnormal_path(case.headline, hull=hull),
        return_figures.draw_cumulative(case.headline, hull=hull),
        fit_figures.draw_estimation_scatter(case.headline),
        fit_figures.draw_placebo_rank(rank_of(case.headline.fit.residuals * 50, -0.557, sessions, p_value=0.43)),
        robustness_figures.draw_specification_curve(curve_frame()),
        return_figures.draw_volume_and_range(surprise, ticker=case.panel.ticker, hull=hull),
    ]
    return {exhibit.name: exhibit for exhibit in drawn}


@pytest.fixture(scope="module")
def focal_figures(cases: dict[str, Case]) -> dict[str, Drawing]:
    return draw_all(cases["focal"])


@pytest.mark.parametrize("name", CASES)
def test_every_story_can_be_drawn_and_described(cases: dict[str, Case], name: str) -> None:
    exhibits = draw_all(cases[name])
    assert len(exhibits) == 9
    for exhibit in exhibits.values():
        assert len(exhibit.caption) > 60, exhibit.name
        assert len(exhibit.description) > 40, exhibit.name
        for text in (exhibit.caption, exhibit.description):
            assert not re.search(r"\bnan\b|None|NaT|[^a-z]-\d+\.\d", text), (exhibit.name, text)
        assert len(exhibit.numbers)


def parts_of(svg: str, tag: str) -> list[ElementTree.Element]:
    return [e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith(f"}}{tag}")]


@pytest.mark.parametrize("name", CASES)
def test_every_figure_is_small_svg_whose_text_stays_inside_on_page_and_phone(cases: dict[str, Case], name: str) -> None:
    for exhibit in draw_all(cases[name]).values():
        for width in (exhibit.width, NARROW):
            svg = exhibit.draw(width).to_svg(exhibit.description)
            assert svg == exhibit.draw(width).to_svg(exhibit.description)
            assert len(svg) < 60_000, (exhibit.name, len(svg))
            assert not parts_of(svg, "image")
            assert not re.search(r"\bnan\b", svg), exhibit.name
            for text in parts_of(svg, "text"):
                assert -1 <= float(text.get("x", "nan")) <= width + 1, (exhibit.name, text.text)


def test_a_figure_names_and_links_the_file_with_its_numbers(focal_figures: dict[str, Drawing]) -> None:
    for name, exhibit in focal_figures.items():
        assert f'href="results/{name}.csv"' in exhibit._repr_html_()


def test_the_rows_of_returns_are_the_rows_of_the_table(cases: dict[str, Case]) -> None:
    case = cases["focal"]
    exhibit = return_figures.draw_returns(case.rows)
    for row, drawn in zip(case.rows, exhibit.numbers.itertuples(), strict=True):
        assert drawn.estimate == row.estimate
        assert (drawn.ci90_low, drawn.ci90_high, drawn.ci95_low, drawn.ci95_high) == (*row.ci90, *row.ci95)
        assert drawn.mde80_rule == row.mde80_rule
        assert f"{abs(100 * row.estimate):.2f} %" in exhibit.description
    assert "\u22121.04 %, 95 % interval \u22125.5 to +3.4" in exhibit.description


def test_kinds_without_prices_say_why(cases: dict[str, Case]) -> None:
    exhibit = return_figures.draw_returns(cases["no_opens"].rows)
    assert exhibit.description.count("not available, no opening prices are recorded") == 2
    assert (
        "Rings: opens"
        not in timelines.draw_price_and_articles(cases["no_opens"].panel, cases["no_opens"].alignment).caption
    )


def test_bands_of_the_path_are_the_t_quantiles_of_the_forecast(cases: dict[str, Case]) -> None:
    abnormal = cases["focal"].headline
    numbers = return_figures.draw_abnormal_path(abnormal, hull=(0, 0)).numbers.set_index("rel_session")
    for rel_session, row in abnormal.table.iterrows():
        assert numbers.at[rel_session, "ar"] == row["ar"]
        if row["is_estimation"]:
            assert np.isnan(numbers.at[rel_session, "band95"])
            continue
        for level, column in ((0.95, "band90"), (0.975, "band95")):
            expected = stats.t.ppf(level, abnormal.fit.n_estimation - 2) * row["forecast_std"]
            assert numbers.at[rel_session, column] == pytest.approx(expected, rel=1e-12)


def test_at_most_three_days_of_other_news_are_named_and_the_rest_is_counted(cases: dict[str, Case]) -> None:
    case = cases["focal"]
    exhibit = return_figures.draw_abnormal_path(case.headline, hull=case.alignment.hull)
    held = exhibit.numbers[exhibit.numbers["confounders"] != ""]
    nearest = sorted(held["rel_session"], key=abs)[:3]
    assert all(f"{signed_whole(k)} " in exhibit.caption for k in nearest)
    assert f"{len(held) - 3} more sessions in the CSV" in exhibit.caption
    quiet = return_figures.draw_abnormal_path(cases["other_model"].headline, hull=(0, 0))
    assert "Other news" in quiet.caption


def test_the_strip_reaches_over_all_candidate_sessions(cases: dict[str, Case]) -> None:
    case = cases["two_candidates"]
    wide, narrow = (
        float(parts_of(return_figures.draw_abnormal_path(case.headline, hull=hull).draw(656).to_svg(""), "rect")[0].get("width", 0))
        for hull in (case.alignment.hull, (0, 0))
    )  # fmt: skip
    assert wide == pytest.approx(narrow * (case.alignment.hull[1] + 1), rel=0.01)


def test_cumulative_sums_and_bands_are_windows_of_their_own(cases: dict[str, Case]) -> None:
    abnormal = cases["focal"].headline
    exhibit = return_figures.draw_cumulative(abnormal, hull=(0, 0))
    x = abnormal.fit.design_matrix
    inverse = np.linalg.inv(x.T @ x)
    windows = list(exhibit.numbers[["first", "last"]].itertuples(index=False, name=None))
    assert windows == [(-10, last) for last in range(-10, 0)] + [(0, last) for last in range(10)]
    for row in exhibit.numbers.itertuples():
        assert row.first == (0 if row.part == "event" else -10)
        picked = [k for k in range(len(abnormal.table)) if row.first <= abnormal.table.index[k] <= row.last]
        assert row.car == pytest.approx(abnormal.table["ar"].iloc[picked].sum(), abs=1e-15)
        total = abnormal.regressors[picked].sum(axis=0)
        error = abnormal.fit.residual_std * np.sqrt(len(picked) + total @ inverse @ total)
        assert row.band95 == pytest.approx(stats.t.ppf(0.975, abnormal.fit.df) * error, rel=1e-9)
    assert list(return_figures.draw_cumulative(cases["no_gap"].headline, hull=(0, 0)).numbers["part"].unique()) == [
        "event"
    ]


def test_incomplete_windows_carry_their_reason(cases: dict[str, Case]) -> None:
    abnormal = cases["focal"].headline
    table = abnormal.table.copy()
    table.loc[3, ["ar", "forecast_std"]] = np.nan
    holed = dataclasses.replace(abnormal, table=table)
    exhibit = return_figures.draw_cumulative(holed, hull=(0, 0))
    event = exhibit.numbers[exhibit.numbers["part"] == "event"].set_index("last")
    assert event.loc[2, "note"] == ""
    assert np.isnan(event.loc[5, "car"])
    assert event.loc[5, "note"] == "incomplete: 5 of 6 sessions"
    assert "incomplete: 3 of 4 sessions" in exhibit.caption
    assert "Sessions 0 to +2:" in exhibit.description
    assert "No return is recorded for +3" in return_figures.draw_abnormal_path(holed, hull=(0, 0)).caption


def test_scatter_shows_the_fit_and_labels_the_highest_leverage(cases: dict[str, Case]) -> None:
    abnormal = cases["focal"].headline
    exhibit = fit_figures.draw_estimation_scatter(abnormal)
    numbers = exhibit.numbers
    assert (numbers["part"] == "estimation").sum() == 250
    slope, intercept = np.polyfit(numbers["x"][:250], numbers["y"][:250], 1)
    assert numbers["fitted"].to_numpy() == pytest.approx(intercept + slope * numbers["x"].to_numpy(), abs=1e-12)
    assert f"slope +{slope:.2f}" in exhibit.description
    far = (numbers["x"][:250] - numbers["x"][:250].mean()).abs().idxmax()
    assert list(numbers.index[numbers["is_labelled"]]) == [far]
    assert "no single slope" in fit_figures.draw_estimation_scatter(cases["other_model"].headline).caption


def test_residuals_and_placebos_are_drawn_as_given(cases: dict[str, Case]) -> None:
    abnormal = cases["other_model"].headline
    numbers = fit_figures.draw_estimation_scatter(abnormal).numbers
    assert np.array_equal(numbers["value"][:250], abnormal.fit.residuals)
    assert numbers["value"].iloc[250] == abnormal.table.at[0, "ar"]
    t_values = np.linspace(-3, 3, 40)
    sessions = pd.bdate_range("2020-01-01", periods=40)
    placebo = fit_figures.draw_placebo_rank(rank_of(t_values, -1.5, sessions, p_value=0.0004))
    assert "p\u00a0<\u00a00.001" in placebo.caption
    assert np.array_equal(placebo.numbers["t"], [*t_values, -1.5])


def test_specification_curve_is_sorted_and_needs_one_headline() -> None:
    frame = curve_frame()
    exhibit = robustness_figures.draw_specification_curve(frame)
    assert exhibit.numbers["estimate"].is_monotonic_increasing
    assert sorted(exhibit.numbers["estimate"]) == sorted(frame["estimate"])
    place = 1 + int((frame["estimate"] < frame.at[3, "estimate"]).sum())
    assert f"headline is number {place}" in exhibit.description
    assert "Shared by all: mask: kept" in exhibit.caption
    outside = sum(low > 0 or high < 0 for low, high in zip(frame["ci95_low"], frame["ci95_high"], strict=True))
    assert f"leaves out zero in {outside} of" in exhibit.description
    options = robustness_figures.draw_options(frame)
    held = frame.loc[frame["gap"] == "20", "estimate"]
    said = f"gap: 20: {100 * held.median():+.2f} %, range {100 * held.min():+.1f} to {100 * held.max():+.1f}."
    row = options.numbers.set_index("value").loc["20"]
    assert (row["n_computed"], row["estimate_low"]) == (6, held.min())
    assert said.replace("-", "\u2212") in options.description
    with pytest.raises(ValueError, match="exactly one headline; found 0"):
        robustness_figures.draw_specification_curve(frame.assign(is_headline=False))


def test_activity_bands_are_quantiles_of_the_estimation_window(cases: dict[str, Case]) -> None:
    case = cases["focal"]
    fitted = case.headline.fit.sessions
    frame = band_activity(case.panel.prices, case.alignment.event_session, fitted=fitted, path=(-3, 3))
    assert list(frame["rel_session"]) == [-3, -2, -1, 0, 1, 2, 3]
    prices = case.panel.prices
    event = prices.loc[case.alignment.event_session]
    drawn = frame.set_index("rel_session").loc[0]
    assert drawn["log_volume"] == pytest.approx(np.log(event["volume"]))
    width = np.sqrt(np.log(event["high"] / event["low"]) ** 2 / (4 * np.log(2)))
    assert drawn["log_range"] == pytest.approx(np.log(width))
    volumes = sorted(np.log(prices.at[s, "volume"]) for s in fitted)
    assert drawn["log_volume_mid"] == pytest.approx((volumes[124] + volumes[125]) / 2)
    position = 0.05 * 249
    low = volumes[12] + (position - 12) * (volumes[13] - volumes[12])
    assert drawn["log_volume_low"] == pytest.approx(low)
    lacking = band_activity(
        cases["no_opens"].panel.prices, cases["no_opens"].alignment.event_session,
        fitted=cases["no_opens"].headline.fit.sessions, path=(-3, 3),
    )  # fmt: skip
    assert lacking["log_range"].isna().all()


def test_prices_meet_at_the_last_close_before_the_event(cases: dict[str, Case]) -> None:
    case = cases["focal"]
    numbers = timelines.draw_price_and_articles(case.panel, case.alignment).numbers
    base = numbers[numbers["is_base"]]
    assert list(base["at"]) == ["2026-01-30T21:00:00Z"]
    assert base["benchmark_rebased"].iloc[0] == pytest.approx(base["firm"].iloc[0])
    for row in numbers.itertuples():
        assert row.firm == case.panel.prices.at[row.session, row.kind]
    early = timelines.draw_price_and_articles(cases["event_is_last"].panel, cases["event_is_last"].alignment)
    assert early.numbers["session"].max() == pd.Timestamp("2026-02-02")


def test_ex_dividend_days_are_named() -> None:
    case = build_case(story="ford-jv-framework-2026", as_of="2026-02-27")
    assert "ex-dividend on Fri 2026-02-13" in timelines.draw_price_and_articles(case.panel, case.alignment).caption


STRANGE = ["huawei-baic-2021", "xiaomi-car-2021", "geely-maserati-2019", "vinci-hoax-2016"]


@pytest.mark.parametrize("story", STRANGE)
def test_publication_intervals_of_other_exchanges(story: str) -> None:
    alignment = align_story(load_stories(ROOT / "data")[story])
    exhibit = timelines.draw_publication_intervals(alignment)
    pd.testing.assert_frame_equal(exhibit.numbers, alignment.frame())
    for session in {*alignment.report_sessions, *alignment.denial_sessions}:
        assert str(session.date()) in exhibit.description


def test_labels_are_one_line() -> None:
    assert cut_label("Foo\u202e\u200f\nBar\tBaz", 40) == "Foo Bar Baz"
    assert len(cut_label("x" * 300, 30)) == 30


def test_registry_text_is_text(cases: dict[str, Case]) -> None:
    """Markup, dollar signs, direction marks and long names from the registry break no figure."""
    alignment = cases["focal"].alignment
    hostile = "$\\frac{1$ <script>alert()</script> & \u202e\u798f " + "w" * 300
    first = alignment.articles[0]
    event = dataclasses.replace(first, article=dataclasses.replace(first.article, outlet=hostile))
    changed = dataclasses.replace(alignment, articles=(event, *alignment.articles[1:]))
    exhibit = timelines.draw_publication_intervals(changed)
    ElementTree.fromstring(exhibit.draw(656).to_svg(exhibit.description))
    page = exhibit._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
