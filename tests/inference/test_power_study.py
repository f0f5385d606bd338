"""The power tables of a study against the formulas and a simulation-free integral."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import compute
from event_impact.inference.power_study import TRUE_EFFECTS, study_power
from event_impact.page.check_tables import tabulate_power, tabulate_significance_filter
from event_impact.page.fit_figures import draw_equivalence, draw_power
from event_impact.page.format import format_p
from scipy import integrate, stats


@pytest.fixture(scope="module")
def power(focal):
    return study_power(focal.estimates, bound=0.02, significance=0.05)


def test_effects_and_bounds_are_their_quantiles(focal, power):
    row = focal.estimates[0]
    own = power.windows.iloc[0]
    t = stats.t(row.df).ppf
    assert own[["mde50_rule", "mde80_rule", "mde90_rule"]].tolist() == list(row.mde_rule)
    assert own["mde50"] == pytest.approx((t(0.975) + 0.0) * row.standard_error)
    assert own["mde80"] == pytest.approx(row.mde80)
    assert own["mde90"] == pytest.approx((t(0.975) + t(0.9)) * row.standard_error)
    assert own["smallest_bound"] == row.smallest_bound == max(map(abs, row.ci90))
    ends = (row.rule.shift(0.02).p_star[0], row.rule.shift(-0.02).p_star[0])
    assert own["p_equivalence"] == max(ends) / 2


def test_the_curve_of_power_passes_the_stated_effects(focal):
    curve = draw_power({"headline": focal.estimates[0]}, level=0.05).numbers
    assert curve["share_found"].is_monotonic_increasing
    for share, effect in zip((0.5, 0.8, 0.9), focal.estimates[0].mde_rule, strict=True):
        below, above = curve[curve["effect"] < effect], curve[curve["effect"] >= effect]
        assert below["share_found"].max() < share <= above["share_found"].min()


def test_curve_crosses_the_level_at_the_smallest_bound(focal, power):
    curve = power.curves[power.curves["return_kind"] == "close_to_close"]
    is_below = curve["bound"] < focal.estimates[0].smallest_bound
    assert curve["p_equivalence"][is_below].min() >= 0.05 > curve["p_equivalence"][~is_below].max()
    assert curve["p_equivalence"].is_monotonic_decreasing
    assert curve["bound"].iloc[-1] > focal.estimates[0].smallest_bound


def test_filter_integrates_the_estimate_and_its_error(focal, power):
    row = focal.estimates[0]
    own = power.filter[(power.filter["return_kind"] == "close_to_close") & (power.filter["effect"] == 0.02)].iloc[0]
    critical = stats.t.ppf(0.975, row.df)
    shift = 0.02 / row.standard_error

    def conditional(w, moment):
        c = critical * w
        density = stats.chi.pdf(w * np.sqrt(row.df), row.df) * np.sqrt(row.df)
        return density * sum(
            integrate.quad(lambda z: moment(z) * stats.norm.pdf(z - shift), *span)[0]
            for span in ((c, 40.0), (-40.0, -c))
        )

    def over_ratio(moment):
        return integrate.quad(conditional, 0.7, 1.3, args=(moment,), limit=100)[0]

    share = over_ratio(lambda z: 1.0)
    assert own["power"] == pytest.approx(share, rel=1e-5)
    assert own["exaggeration"] == pytest.approx(over_ratio(abs) / share / shift, rel=1e-5)
    assert own["sign_error"] == pytest.approx(over_ratio(lambda z: float(z < 0)) / share, rel=1e-4)
    assert set(power.filter["effect"]) == set(TRUE_EFFECTS)


def test_tables_say_why_a_model_has_no_power(focal, power):
    robust = compute(model="robust", windows="0:0", runup="-1:-1")
    empty = study_power(robust.estimates, bound=0.02, significance=0.05)
    assert "no standard error" in tabulate_power(empty, robust.estimates).caption
    shown = tabulate_power(empty, robust.estimates).cells
    assert set(shown[["4 in 5 by t", "bound provable 4 in 5"]].to_numpy().ravel()) == {"n/a"}
    assert "n/a" not in shown.drop(columns=["4 in 5 by t", "bound provable 4 in 5"]).to_numpy()
    assert "no standard error" in tabulate_significance_filter(empty).caption
    assert "below 0.05 from" in draw_equivalence(empty).description
    full = tabulate_power(power, focal.estimates).cells
    by_rule = full.columns[:3]
    is_one = [r.first == r.last for r in focal.estimates]
    assert "n/a" not in full.drop(columns=by_rule).to_numpy()
    assert ((full[by_rule] != "n/a").all(axis=1) == is_one).all()
    assert f"p {format_p(power.windows['p_equivalence'].iloc[0])} at 2.00" in draw_equivalence(power).description
