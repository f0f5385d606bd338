"""The conformance suite: its values are derived, its harness tells mistakes apart, and the engine passes it."""

import json
from decimal import Decimal

import numpy as np
import pytest
import scipy.stats

from conformance import derive, draw, exact, hold
from conformance.adapters import event_impact_engine as engine

EXPECTED = json.loads((hold.HERE / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rows():
    return hold.hold(engine.compute)


def test_the_engine_agrees_with_every_figure_it_computes(rows):
    assert [row for row in rows if row["verdict"] == "differs"] == []
    assert {row["figure"] for row in rows if row["verdict"] == "not computed"} == {"mean_variance_z"}
    assert sum(row["verdict"] == "agrees" for row in rows) > 650


def test_the_stored_results_and_the_table_are_those_of_today(rows):
    results = {title.split()[0]: table for (title, _), table in hold.read_results().items()}
    assert results["event-impact"]["verdict"].tolist() == [row["verdict"] for row in rows]
    assert all(len(table) == len(rows) for table in results.values())
    assert hold.tabulate() in (hold.HERE / "README.md").read_text(encoding="utf-8")


def test_the_inputs_and_the_expected_values_are_those_that_the_scripts_make(tmp_path, monkeypatch):
    monkeypatch.setattr(draw, "INPUTS", tmp_path)
    draw.main()
    for path in (hold.HERE / "inputs").rglob("*.csv"):
        assert (tmp_path / path.parent.name / path.name).read_bytes() == path.read_bytes(), path
    suite = json.loads((hold.HERE / "cases.json").read_text(encoding="utf-8"))
    assert set(suite["cases"]) == set(EXPECTED["cases"])
    for name in ("overlapping", "ties", "single"):
        derived = derive.derive_case(name, suite["cases"][name])
        assert {k: derive.tell_apart(v) for k, v in derived.items()} == EXPECTED["cases"][name]


def test_tail_probabilities_are_exact():
    for df in (1, 2, 5, 28, 37):
        for t in ("0.3", "-2.1", "6.5"):
            wanted = 2 * scipy.stats.t.sf(abs(float(t)), df)
            assert float(exact.p_of_t(Decimal(t), df)) == pytest.approx(wanted, rel=1e-11)
    assert float(exact.p_of_z(Decimal("-1.7"))) == pytest.approx(2 * scipy.stats.norm.sf(1.7), rel=1e-13)
    assert float(exact.p_of_signs(7, 8)) == pytest.approx(scipy.stats.binomtest(7, 8).pvalue)
    assert [float(v) for v in exact.midranks([3, 1, 3, 2])] == scipy.stats.rankdata([3, 1, 3, 2]).tolist()


def test_a_mistake_is_named():
    def forgets_the_forecast_error(task):
        task.require("market")
        found = {}
        for name, ticker, session in task.events.itertuples(index=False):
            y, m, y_event, m_event = task.cut(ticker, session)
            slope, intercept = np.polyfit(m, y, 1)
            s = np.sqrt(np.square(y - intercept - slope * m).sum() / (y.size - 2))
            car = (y_event - intercept - slope * m_event).sum()
            found |= {f"{name}.car": car, f"{name}.t": car / (s * np.sqrt(y_event.size))}
        return found

    judged = {(row["case"], row["figure"]): row for row in hold.hold(forgets_the_forecast_error)}
    assert judged["one_date", "e1.car"]["verdict"] == "agrees"
    wrong = judged["one_date", "e1.t"]
    assert (wrong["verdict"], wrong["same_as"]) == ("differs", "no forecast error")
    assert judged["ties", "e1.car"]["same_as"] == "no model market_adjusted"
    assert judged["gaps", "e1.car"]["verdict"] == "not computed"


@pytest.mark.parametrize(
    ("case", "figure", "mistake"),
    [
        ("overlapping", "kp_bmp", "residuals paired by position"),
        ("overlapping", "mean_correlation", "only pairs that share a day averaged"),
        ("one_date_percent", "mean_correlation", "residuals multiplied, not correlated"),
        ("one_date", "patell", "no (L - K)/(L - K - 2)"),
        ("one_date", "grank_t", "SCAR over the standard error of its mean"),
        ("jump", "e1.t", "variance over estimation and event days"),
        ("ties", "sign", "a CAR of zero counted as positive"),
        ("one_date", "bmp.p", "normal in place of t"),
    ],
)
def test_the_suite_tells_the_known_mistakes_from_the_right_value(case, figure, mistake):
    known = EXPECTED["cases"][case][figure]
    assert hold.judge(float(known[mistake]), known) == ("differs", mistake)
    assert hold.judge(float(known["right"]), known) == ("agrees", "")
    assert abs(float(known[mistake]) - float(known["right"])) > 1e-6
