"""A sample of one's own: from its files to the first screen, its record and its page."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from event_impact import SampleStudy
from event_impact.base.errors import ConfigError, DataError
from event_impact.base.run_record import check_schema
from event_impact.many.story_panel import decide_pooled_outcome
from event_impact.page import sample_page
from event_impact.page.exhibits import EXHIBIT_MIME
from event_impact.page.format import find_forbidden
from event_impact.page.provenance import RECORD_MIME
from event_impact.study.sample_study import DEFAULTS
from stories import ROOT

TABLES = (
    sample_page.tabulate_statistics,
    sample_page.tabulate_overlaps,
    sample_page.tabulate_rejected,
    sample_page.tabulate_event_groups,
    sample_page.tabulate_traits,
    sample_page.tabulate_left_out,
    sample_page.tabulate_placebo_dates,
    sample_page.tabulate_average_days,
)


def write_files(folder, *, jump=0.0, n=24):
    """Returns of 12 shares and events fifteen sessions apart; ``jump`` is added to each event session."""
    rng = np.random.default_rng(4)
    days = pd.bdate_range("2022-01-03", periods=700, name="date")
    market = rng.normal(0.0003, 0.009, 700)
    returns = pd.DataFrame(
        {"SPY": market} | {f"T{i}": market + rng.normal(0, 0.015, 700) for i in range(12)}, index=days
    )
    at = 300 + 15 * np.arange(n)
    for k, place in enumerate(at):
        returns.iloc[place, 1 + k % 12] += jump
    returns.to_csv(folder / "returns.csv")
    events = pd.DataFrame({"ticker": [f"T{k % 12}" for k in range(n)], "session": days[at].strftime("%Y-%m-%d")})
    events["kind"] = np.array(["a", "b"])[np.arange(n) % 2]
    late = pd.DataFrame({"ticker": ["T1", "NONE"], "session": ["2031-01-02", "2024-01-02"], "kind": "a"})
    pd.concat([events, late]).to_csv(folder / "events.csv", index=False)
    return {"returns": str(folder / "returns.csv"), "events": str(folder / "events.csv"), "name": "own", "draws": 99}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    return SampleStudy(root=ROOT, **write_files(tmp_path_factory.mktemp("quiet")), group="kind", traits="kind")


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    files = write_files(tmp_path_factory.mktemp("moved"), jump=0.06)
    return SampleStudy(root=ROOT, **files, windows="-1:1,0:0", equivalence_bound=0.01)


def test_a_quiet_sample_says_what_could_have_been_seen(quiet):
    screen, result = quiet.first_screen, quiet.works[0].result
    assert screen.outcome in ("no_detectable_effect", "smaller_than_bound")
    assert screen.story.startswith("24 events of 12 shares on 24 days")
    assert f"{abs(100 * result.caar):.2f}" in screen.sentences[0].replace("\u2212", "-")
    assert "2 events could not be used" in screen.text
    beyond = int((np.abs(quiet.works[0].estimates.scar[:24]) > 1.96).sum())
    assert re.search(rf"(?i){sample_page.NUMBERS[beyond] if beyond else 'none'} of 24 events", screen.text)
    assert screen.rows[0].weight == "headline"
    assert screen.rows[-1].label.endswith("(the path)")


def test_a_jump_is_found_and_confirmed_by_placebo_dates(moved):
    assert moved.view.outcomes == ["effect", "effect"]
    assert moved.placebo.p_value == 1 / (moved.placebo.shifts.size + 1)
    assert "more than chance explains" in moved.first_screen.finding
    assert "On no of" in moved.first_screen.text
    adjusted = [window["p_holm"] for window in moved.view.sample["windows"]]
    assert all(p >= work.result.p_value for p, work in zip(adjusted, moved.works, strict=True))


def test_no_sentence_says_more_than_was_found(quiet, moved):
    for study in (quiet, moved):
        assert not find_forbidden(study.first_screen.text)
        for table in TABLES:
            shown = table(study.view)
            assert shown is None or not find_forbidden(shown.caption)


def test_every_outcome_has_its_finding():
    events = {"events": "9 events", "mde": "1 %", "move": "+1 %", "ruled_out": "2 %"}
    for outcome, finding in sample_page.FINDINGS.items():
        said = finding.format(**events)
        assert "9 events" in said, outcome
        assert len(said) < 140
        assert not find_forbidden(said)


def test_the_drawings_hold_what_they_draw(moved):
    path, dots = moved.first_screen.drawings
    table, days = path.numbers, moved.path.result.days
    np.testing.assert_allclose(table["caar"], days.caar)
    half = (table["ci95_high"] - table["caar"]).to_numpy()
    ends = moved.path.result.ci95
    assert half[-1] == pytest.approx((ends[1] - ends[0]) / 2)
    np.testing.assert_allclose(
        half / half[-1], np.abs(days.caar / days.columns["caar_t"]) / abs(days.caar[-1] / days.columns["caar_t"][-1])
    )
    assert len(dots.numbers) == 24
    for drawing in (path, dots):
        for width in (656, 358):
            svg = drawing.draw(width).to_svg(drawing.description)
            assert "NaN" not in svg
            assert "nan" not in svg


def test_ten_thousand_events_become_bars():
    scar = np.random.default_rng(0).standard_t(4, 10_000)
    drawing = sample_page.draw_events(scar, [str(k) for k in range(10_000)])
    svg = drawing.draw(416).to_svg(drawing.description)
    assert svg.count("<rect") > 30
    assert len(svg) < 20_000


def test_the_tables_say_who_was_left_out_and_why(quiet):
    rejected = sample_page.tabulate_rejected(quiet.view)
    assert rejected.numbers["reason"].tolist() == [quiet.works[0].reasons[24], "ticker 'NONE' has no returns"]
    groups = sample_page.tabulate_event_groups(quiet.view)
    assert groups.numbers["n"].tolist() == [12, 12]
    assert "independent events (HC3) p" in groups.caption
    left = sample_page.tabulate_left_out(quiet.view)
    estimates, result = quiet.works[0].estimates, quiet.works[0].result
    cars = estimates.car[estimates.is_used]
    worst = int(np.argmax(np.abs((cars.sum() - cars) / 23 - result.caar)))
    assert left.numbers["label"][0] == f"without {quiet.view.labels[worst]}"
    assert left.numbers["mean"][0] == pytest.approx(np.delete(cars, worst).mean())
    every = sample_page.tabulate_statistics(quiet.view)
    assert set(every.numbers["test"].str.replace(" (read first)", "")) == {
        sample_page.STATISTIC_LABELS[name] for name in result.tests
    }
    assert (every.numbers["p"].notna() | (every.numbers["note"] != "")).all()


def test_means_and_coefficients_are_recorded_as_numbers(quiet):
    groups, traits = sample_page.tabulate_event_groups(quiet.view), sample_page.tabulate_traits(quiet.view)
    held = {name: group["caar"] for name, group in quiet.view.sample["groups"].items()}
    assert groups.numbers["caar"].to_list() == list(held.values())
    assert traits.numbers["coefficient"].dtype == float
    assert "\u2013" in traits.cells.to_numpy()


def test_leaving_one_out_equals_testing_the_rest(quiet):
    estimates, left = quiet.works[0].estimates, quiet.left_out
    scar = estimates.scar[estimates.is_used]
    for k in (0, 11):
        rest = np.delete(scar, k)
        r = quiet.works[0].result.correlation.value
        t = np.sqrt(rest.size) * rest.mean() / rest.std(ddof=1) * np.sqrt((1 - r) / (1 + (rest.size - 1) * r))
        assert left.statistic[k] == pytest.approx(t)


def test_the_record_fits_the_schema_and_names_its_inputs(moved):
    bundle = moved.record._repr_mimebundle_()[RECORD_MIME]
    run = bundle["run"]
    check_schema({**run, "notebook": "07_sample"})  # which the runner fills in
    assert run["outcome"] == run["panel"]["outcome"] == "effect"
    assert set(run["inputs"]) == {"returns.csv", "events.csv"}
    assert set(run["parameters"]) == set(DEFAULTS)
    assert {"events", "aar", "windows", "average_path", "events_by_size"} <= set(bundle["tables"])
    assert all(EXHIBIT_MIME in table(moved.view)._repr_mimebundle_() for table in (sample_page.tabulate_statistics,))
    json.dumps(bundle, allow_nan=False)


def test_the_registry_is_a_sample_of_its_own():
    study = SampleStudy(root=ROOT, draws=0)
    work = study.works[0]
    assert work.result.n >= 10
    assert len(work.reasons) == len(study.opened.placed.frame) > 50
    assert all(bool(reason) != used for reason, used in zip(work.reasons, work.estimates.is_used, strict=True))
    assert {"data/stories.csv", "data/articles.csv", "data/manifest.csv"} <= set(study.hash_tables())


def test_sessions_of_another_market_do_not_count_as_the_benchmarks():
    """Hong Kong trades on 16 February 2026 and 19 June 2025, New York does not: windows of US shares step over them."""
    study = SampleStudy(root=ROOT, draws=0)
    panel, reasons = (
        study.opened.panel,
        dict(zip(study.opened.placed.frame["event_id"], study.works[0].reasons, strict=True)),
    )
    assert np.isfinite(panel.benchmark).all()
    assert reasons["ford-jv-framework-2026"] == reasons["stellantis-maserati-2025"] == ""
    lost = np.flatnonzero(panel.sessions == np.datetime64("2026-02-17"))[
        0
    ]  # would leave out what Hong Kong did on the 16th
    assert np.isnan(panel.returns[panel.tickers.index("1810.HK"), lost])


def test_parameters_are_read_as_their_defaults_and_wrong_ones_are_refused(tmp_path):
    files = write_files(tmp_path)
    study = SampleStudy(root=ROOT, **{**files, "draws": "9", "usable_share": "0.5", "allow_large": "true"})
    assert (study.request.draws, study.request.usable_share, study.request.allow_large) == (9, 0.5, True)
    for wrong in ({"draws": "many"}, {"name": "No Name"}, {"colour": "red"}, {"windows": "1:"}):
        with pytest.raises(ConfigError):
            SampleStudy(root=ROOT, **{**files, **wrong})
    with pytest.raises(DataError):
        SampleStudy(root=ROOT, **{**files, "returns": str(tmp_path / "none.csv")})


@pytest.mark.parametrize(
    ("caar", "error", "p", "confirmed", "outcome"),
    [
        (0.03, 0.005, 0.001, True, "effect"),
        (0.03, 0.005, 0.001, False, "fragile"),
        (0.004, 0.001, 0.001, False, "detectable_but_small"),
        (0.03, 0.012, 0.07, True, "borderline"),
        (0.03, 0.012, 0.2, True, "no_detectable_effect"),
        (0.001, 0.004, 0.8, True, "smaller_than_bound"),
        (None, None, None, True, "insufficient_data"),
    ],
)
def test_the_outcome_follows_the_rule_of_single_studies(caar, error, p, confirmed, outcome):
    class Given:
        p_value = p
        ci90 = None if caar is None else (caar - 1.65 * error, caar + 1.65 * error)
        ci95 = None if caar is None else (caar - 1.96 * error, caar + 1.96 * error)

    assert decide_pooled_outcome(Given, significance=0.05, bound=0.02, is_confirmed=confirmed) == outcome
