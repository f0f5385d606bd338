"""The panel of stories: hand checks against single studies, explicit loops, and what it refuses to pool."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from event_impact.many import story_panel
from event_impact.many.story_panel import (
    StoryWindow,
    correlate_stories,
    decide_pooled_outcome,
    pool_windows,
    trace_path,
)
from event_impact.page import comparison_figures, panel_tables
from event_impact.page.format import find_forbidden
from event_impact.page.panel_tables import compose_panel
from event_impact.study.panel import READINGS
from scipy import stats
from stories import compute


@pytest.fixture(scope="module")
def result():
    return compute().panel


def find(result, name):
    return next(s for s in result.panel.stories if s.name == name)


@pytest.mark.parametrize("name", ["ford-xiaomi", "tsmc-intel-2025-04"])
def test_the_joint_effect_is_the_hull_row_of_the_single_study(result, name):
    story = find(result, name)
    single = compute(story=name, as_of=story.study.config.as_of.isoformat())
    hull = single.alignment.hull
    row = next(r for r in single.estimates if (r.first, r.last) == hull and r.return_kind == "close_to_close")
    assert story.joint.estimate == pytest.approx(row.estimate, abs=1e-15)
    assert story.joint.standard_error == pytest.approx(row.standard_error, rel=1e-12)
    assert story.joint.interval(0.95) == pytest.approx(row.t_interval(0.95), abs=1e-14)


def test_every_story_is_measured_or_missing_with_a_reason(result):
    panel = result.panel
    names = [s.name for s in panel.stories] + [m.story.story for m in panel.missing]
    assert len(names) == len(set(names)) == 57
    assert all(m.reason and m.kind in panel_tables.MISSING_LABELS for m in panel.missing)
    assert {s.name for s in panel.controls} == {"ford-byd-2026", "ford-geely-2026"}
    reasons = {m.story.story: m.kind for m in panel.missing}
    assert reasons["stellantis-xiaomi-xpeng-2026"] == "as_of"
    assert reasons["nokia-juniper-2017"] == "no figures"
    assert reasons["honda-nissan-2024"] == "too few sessions"
    assert reasons["byd-nio-2024"] == "figures elsewhere"
    embedded = {m.story.story for m in panel.missing if m.story.is_embedded}
    assert embedded == {"stellantis-xiaomi-xpeng-2026", "ford-jv-framework-2026"}  # both end after as_of


def test_news_of_the_benchmark_reaches_a_story_and_a_story_that_nobody_searched_says_so(result):
    story = find(result, "tsmc-intel-2025-04")
    assert any(label.startswith("SPY: ") for label in story.news)
    table = panel_tables.tabulate_stories(result.panel.denied, name="denied", what="Denied reports").numbers.set_index(
        "story"
    )
    for held in result.panel.denied:
        shown = table.loc[held.name, "other_news"]
        assert ("not researched" in shown) is (not held.story.confounders_searched), held.name
        assert all(label in shown for label in held.news)


def test_the_pooled_numbers_are_those_of_the_formulas(result):
    car = np.array([s.joint.estimate for s in result.panel.denied])
    error = np.array([s.joint.standard_error for s in result.panel.denied])
    n, z = car.size, car / error
    main = result.main
    assert main.n == n == 13
    assert main.estimate == pytest.approx(car.sum() / n, rel=1e-12)
    bmp = math.sqrt(n) * z.mean() / z.std(ddof=1)
    assert main.tests["bmp"].statistic == pytest.approx(bmp, rel=1e-12)
    assert main.tests["kp_bmp"].statistic == pytest.approx(
        bmp * math.sqrt((1 - main.correlation.value) / (1 + (n - 1) * main.correlation.value)), rel=1e-12
    )
    assert main.recommended == "kp_bmp"
    assert main.overlap.n_pairs == 1
    scale = math.sqrt((1 + (n - 1) * main.correlation.value) / (1 - main.correlation.value))
    half = stats.t.ppf(0.975, n - 1) * car.std(ddof=1) / math.sqrt(n) * scale
    assert main.ci95 == pytest.approx((car.mean() - half, car.mean() + half), rel=1e-12)
    assert main.recommended == "kp_bmp"
    reach = (stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1)) * math.sqrt(1 + (n - 1) * main.correlation.value)
    inverse = 1 / error
    ex_ante = reach / math.sqrt(n * inverse.mean() ** 2 - reach**2 * inverse.var(ddof=1))
    assert main.mde80 == pytest.approx(ex_ante, rel=1e-12)


def test_controls_count_among_the_stories_inside_an_estimation_window(result):
    """The BYD story of January 2026, which nobody denied, lies inside the window of the focal story."""
    inside = 0
    for story in result.panel.denied:
        window = story.abnormal.fit.sessions
        others = [s for s in result.panel.stories if s.name != story.name and s.story.ticker == story.story.ticker]
        inside += any(window[0] <= day <= window[-1] for s in others for day in s.joint.sessions)
    assert result.n_in_estimation == inside == 5
    assert result.main.overlap.n_in_estimation == 4


def test_the_mde_does_not_look_at_the_effects(result):
    members = [s.joint for s in result.panel.denied]
    moved = [dataclasses.replace(m, estimate=m.estimate + 0.05) for m in members]
    assert pool_windows(moved, draws=99, seed=1).mde80 == pool_windows(members, draws=99, seed=1).mde80


def window(story, ticker, days, seed, start=0):
    rng = np.random.default_rng(seed)
    calendar = pd.bdate_range("2024-01-01", periods=400)
    residuals = pd.Series(rng.normal(0, 0.01, 200), index=calendar[start : start + 200])
    abnormal = rng.normal(0, 0.01, len(days))
    return StoryWindow(
        story, ticker, calendar[list(days)], abnormal, float(abnormal.sum()), 0.01 * math.sqrt(len(days)), 198,
        residuals, 0.01,
    )  # fmt: skip


def test_correlation_is_weighted_by_shared_calendar_days():
    a = window("a", "A", range(300, 302), 1)
    b = window("b", "B", range(301, 304), 2, start=50)
    c = window("c", "A", range(301, 302), 3)
    d = window("d", "D", range(390, 391), 4)
    both = a.residuals.index.intersection(b.residuals.index)
    rho_ab = np.corrcoef(a.residuals[both], b.residuals[both])[0, 1]
    shared = c.residuals.index.intersection(b.residuals.index)
    rho_cb = np.corrcoef(c.residuals[shared], b.residuals[shared])[0, 1]
    total = rho_ab / math.sqrt(2 * 3) + 1.0 / math.sqrt(2 * 1) + rho_cb / math.sqrt(3)
    found = correlate_stories([a, b, c, d])
    assert found.value == pytest.approx(2 * total / 12, rel=1e-12)
    assert found.n_pairs == 3
    assert correlate_stories([a, d]).value == 0.0
    short = dataclasses.replace(b, residuals=b.residuals.iloc[-15:])
    assert correlate_stories([a, short]).n_too_short == 1
    assert story_panel.label_story_blocks([a, d, b, c]).tolist() == [0, 1, 0, 0]
    overlap = story_panel.count_story_overlaps([a, b, c, d])
    assert (overlap.n_same_firm_pairs, overlap.n_tickers, overlap.n_sharing_session) == (1, 3, 2)


def test_fewer_than_ten_are_not_pooled():
    members = [window(f"s{k}", f"T{k}", [300 + k], k) for k in range(10)]
    assert pool_windows(members, draws=99, seed=1).estimate is not None
    few = pool_windows(members[:9], draws=99, seed=1)
    assert few.estimate is None
    assert few.p_value is None
    assert "9 stories; at least 10" in few.note
    assert all(not t.is_computed for t in few.tests.values())
    assert decide_pooled_outcome(few, significance=0.05, bound=0.02, is_confirmed=True) == "insufficient_data"


@pytest.mark.parametrize(
    ("shift", "bound", "is_confirmed", "outcome"),
    [
        (0.0, 0.0001, False, "no_detectable_effect"),
        (0.0, 0.2, False, "smaller_than_bound"),
        (0.1, 0.02, False, "fragile"),
        (0.1, 0.02, True, "effect"),
        (0.1, 0.2, True, "detectable_but_small"),
    ],
)
def test_outcomes_follow_their_rule_and_have_words(result, shift, bound, is_confirmed, outcome):
    members = [window(f"s{k}", f"T{k}", [300 + k], k) for k in range(12)]
    mean = np.mean([m.estimate for m in members])
    moved = [dataclasses.replace(m, estimate=m.estimate - mean + shift) for m in members]
    pooled = pool_windows(moved, draws=99, seed=1)
    found = decide_pooled_outcome(pooled, significance=0.05, bound=bound, is_confirmed=is_confirmed)
    assert found == outcome
    screen = compose_panel(dataclasses.replace(result, main=pooled, outcome=found))
    notes = " ".join(text for _, text in screen.notes)
    assert not find_forbidden(screen.text + notes)
    assert screen.reading in ("", found)
    assert "searching for denials" in notes


def test_the_panel_is_borderline_and_hangs_on_either_of_two_stories(result):
    """The plain interval excludes zero, the recommended p does not reject; without one story it would."""
    assert result.main.p_value == pytest.approx(0.080, abs=5e-4)
    assert result.outcome == "borderline"
    text = compose_panel(result).text
    assert "the tests disagree" in text
    assert "without Ford weighs separating its electric business" in text
    assert "Shell in talks to buy BP" in text
    without = {left.story: left for left in result.left_out}
    assert len(without) == result.main.n
    assert without["ford-ev-spinoff-2022"].p_bmp == pytest.approx(0.022, abs=5e-4)
    assert without["shell-bp-2025"].p_bmp == pytest.approx(0.034, abs=5e-4)
    assert [left.story for left in result.left_out if left.p_bmp < 0.05] == ["ford-ev-spinoff-2022", "shell-bp-2025"]
    rest = [s.joint for s in result.panel.denied if s.name != "shell-bp-2025"]
    again = pool_windows(rest, draws=99, seed=1)
    assert without["shell-bp-2025"].p_kp_bmp == pytest.approx(again.tests["kp_bmp"].p_value)
    assert without["shell-bp-2025"].estimate == pytest.approx(again.estimate)


def test_signs_that_cancel_in_the_mean_add_up_in_the_dispersion(result):
    found = result.dispersion
    assert found.statistic == pytest.approx(19.9, abs=0.05)
    assert found.df == 13
    assert found.p_value == pytest.approx(0.097, abs=5e-4)
    both = [window("up", "A", [300], 1), window("down", "B", [301], 2)]
    both = [dataclasses.replace(m, estimate=e, standard_error=0.01) for m, e in zip(both, (0.03, -0.03), strict=True)]
    assert story_panel.measure_spread(both).p_value == pytest.approx(math.exp(-18.0 / 2), rel=1e-9)
    assert not story_panel.measure_spread([]).is_computed


def test_one_story_is_drawn_towards_the_others_by_the_formula(result):
    own, rest = None, []
    for story in result.panel.denied:
        if story.name == "ford-xiaomi":
            own = story.joint
        else:
            rest.append((story.joint.estimate, story.joint.standard_error**2))
    w = [1 / v for _, v in rest]
    fixed = sum(wi * x for wi, (x, _) in zip(w, rest, strict=True)) / sum(w)
    q = sum(wi * (x - fixed) ** 2 for wi, (x, _) in zip(w, rest, strict=True))
    between = max(0.0, (q - (len(rest) - 1)) / (sum(w) - sum(wi**2 for wi in w) / sum(w)))
    w = [1 / (v + between) for _, v in rest]
    mean = sum(wi * x for wi, (x, _) in zip(w, rest, strict=True)) / sum(w)
    prior = between + 1 / sum(w)
    share = prior / (prior + own.standard_error**2)
    found = result.shrunk
    assert (found.mean, found.spread) == pytest.approx((mean, math.sqrt(prior)))
    assert found.shrunk == pytest.approx(share * own.estimate + (1 - share) * mean)
    assert found.shrunk_error == pytest.approx(math.sqrt(share) * own.standard_error)
    assert min(mean, own.estimate) <= found.shrunk <= max(mean, own.estimate)
    assert story_panel.shrink_story([s.joint for s in result.panel.denied], "nobody") is None


def test_readings_resolve_uncertain_sessions(result):
    saudi = find(result, "tesla-saudi-2023")
    assert saudi.alignment.is_ambiguous
    by_name = {name: rule(saudi.alignment) for name, _, rule in READINGS}
    assert by_name == {"hull": (0, 1), "first": (0, 0), "last": (0, 1), "wider": (-1, 2)}
    first = next(r for r in result.resolutions if r.name == "first").pooled
    expected = np.mean([s.cut(READINGS[1][2](s.alignment)).estimate for s in result.panel.denied])
    assert first.estimate == pytest.approx(expected, rel=1e-12)
    assert {r.name for r in result.resolutions if r.pooled.estimate is None} == {"unique", "first_of_firm"}


def test_separable_stories_add_up(result):
    assert {e.story for e in result.separable} == {"statestreet-creditsuisse-2022", "tsmc-intel-2025-04"}
    for effects in result.separable:
        assert effects.report[0] + effects.denial[0] == pytest.approx(effects.total[0], abs=1e-12)
        assert effects.total[:2] == pytest.approx(
            (find(result, effects.story).joint.estimate, find(result, effects.story).joint.standard_error), rel=1e-10
        )
    assert result.separable_pooled.estimate is None


def test_the_path_is_the_mean_of_the_studies(result):
    studies = [s.abnormal for s in result.panel.denied]
    table = result.path.table.set_index("rel_session")
    by_hand = np.mean([s.table.loc[-10:0, "ar"].sum() for s in studies])
    assert table.loc[0, "caar"] == pytest.approx(by_hand, rel=1e-9)
    sums = [s.sum_window(-10, 0) for s in studies]
    scar = np.array([each.estimate / each.standard_error for each in sums])
    expected = scar.mean() / scar.std(ddof=1) * len(scar) ** 0.5
    assert table.loc[0, "caar_bmp"] == pytest.approx(expected, rel=1e-9)
    assert table.index[-1] == 9  # the focal story has nine sessions after its own by as_of
    short = trace_path([("one", studies[0])], path=(-10, 10), gap_sessions=10)
    assert short.note
    assert short.table.empty


def test_an_early_date_has_too_few_stories_and_still_a_page():
    study = compute(story="statestreet-creditsuisse-2022", as_of="2022-06-22")
    early = study.panel
    assert early.outcome == "insufficient_data"
    assert {s.name for s in early.panel.stories} == {"ford-ev-spinoff-2022", "statestreet-creditsuisse-2022"}
    verdict = compose_panel(early)
    assert "Nothing is pooled" in verdict.text
    for exhibit in (
        comparison_figures.draw_story_path(early),
        panel_tables.tabulate_readings(early),
        panel_tables.tabulate_panel_tests(early),
        panel_tables.tabulate_stories(early.panel.controls, name="controls", what="Undenied stories"),
        panel_tables.tabulate_missing(early),
    ):
        assert exhibit.caption or exhibit.description
    record = study.panel_record
    assert record.run.outcome is None
    assert record.run.panel["outcome"] == "insufficient_data"


def test_tables_hold_the_numbers_of_the_result(result):
    table = panel_tables.tabulate_readings(result).numbers.set_index("reading")
    assert table.loc["hull", "estimate"] == result.main.estimate
    assert len(table) == 7
    stories = panel_tables.tabulate_stories(result.panel.denied, name="panel_stories", what="Denied stories").numbers
    assert stories["estimate"].tolist() == [s.joint.estimate for s in result.panel.denied]
    record = compute().panel_record
    assert {"data/snapshot/F.csv", "data/pairs/TSM.csv", "data/stories.csv"} <= set(record.run.inputs)
