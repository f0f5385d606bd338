"""Models without window sums: many events get the numbers that the study of each of them gets."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from event_impact import SampleStudy, Study
from event_impact.base.errors import ConfigError
from event_impact.estimation import estimators
from event_impact.estimation.abnormal import measure_abnormal_returns
from event_impact.estimation.models import PEER_MODELS, build_design
from event_impact.inference.deciding_rule import invert_window
from event_impact.inference.ranks import sample_quantile_p
from event_impact.inference.window_tests import describe_t
from event_impact.many import each_event
from event_impact.many.files import BatchRequest, run_batch
from event_impact.many.layout import EACH_EVENT_MODELS
from scipy import optimize
from stories import ROOT

SESSIONS, CONTROLS = 420, ("C0", "C1", "C2")
PLACES = {"a": ("F0", 300), "b": ("F1", 311), "c": ("F0", 330), "d": ("F2", 330), "e": ("F3", 344), "f": ("F1", 402)}


@pytest.fixture(scope="module")
def wide():
    """Four firms with changing volatility and fat tails, one with gaps, on a market and three other firms."""
    rng = np.random.default_rng(5)
    market = rng.normal(0, 0.01, SESSIONS)
    others = 0.8 * market[:, None] + rng.normal(0, 0.012, (SESSIONS, 3))
    volatility = np.exp(0.4 * np.sin(np.arange(SESSIONS) / 25))[:, None]
    noise = 0.012 * volatility * rng.standard_t(4, (SESSIONS, 4))
    firms = 0.0003 + 0.7 * market[:, None] + 0.3 * others[:, :1] + noise
    firms[[150, 220, 221], 1] = np.nan
    days = pd.bdate_range("2023-01-02", periods=SESSIONS, name="date")
    names = ["SPY", *CONTROLS, "F0", "F1", "F2", "F3"]
    return pd.DataFrame(np.column_stack([market, others, firms]), index=days, columns=names)


@pytest.fixture
def ask(tmp_path, wide):
    """A request on these files, changed as a test needs it."""

    def make(wide=wide, events=None, **changes):
        wide.reset_index().to_csv(tmp_path / "returns.csv", index=False)
        rows = [(k, name, f"{wide.index[at]:%Y-%m-%d}") for k, (name, at) in PLACES.items()]
        table = pd.DataFrame(rows, columns=["event_id", "ticker", "session"]) if events is None else events
        table.to_csv(tmp_path / "events.csv", index=False)
        needs = changes.get("model") in PEER_MODELS and "controls" not in table
        given = {"controls": CONTROLS if needs else (), "estimation_sessions": 240, "draws": 99, **changes}
        files = tmp_path / "returns.csv", tmp_path / "events.csv"
        return BatchRequest(*files, benchmark="SPY", out=tmp_path, **given)

    return make


@pytest.mark.parametrize("window", ["0:0", "-2:3"])
@pytest.mark.parametrize("model", EACH_EVENT_MODELS)
def test_every_event_has_the_numbers_of_its_own_study(ask, wide, model, window):
    found = run_batch(ask(model=model, windows=(window,))).events.set_index("event_id")
    first, last = map(int, window.split(":"))
    for event, (ticker, at) in PLACES.items():
        design = build_design(model, wide, ticker=ticker, benchmark="SPY", return_kind="close_to_close", peers=CONTROLS)
        own = measure_abnormal_returns(
            design, wide.index[at], estimation_sessions=240, gap_sessions=10, path=(first, last)
        )
        total, row = own.sum_window(first, last), found.loc[event]
        assert row["status"] == "used"
        assert row["car"] == pytest.approx(total.estimate, rel=1e-10)
        assert row["n_estimation"] == own.fit.n_estimation
        test = describe_t(own, total)
        if total.standard_error is None:
            assert row[["car_std_error", "t", "p_t"]].isna().all()
            assert row["scar"] * own.fit.residual_std * (last - first + 1) ** 0.5 == pytest.approx(total.estimate)
        else:
            assert row["car_std_error"] == pytest.approx(total.standard_error, rel=1e-10)
            assert row["t"] == pytest.approx(test.statistic, rel=1e-10)
            assert row["p_t"] == pytest.approx(test.p_value, rel=1e-9)
        if first == last:
            assert row["p_conformal"] == invert_window(own, 0, 0).p_conformal[0]
            assert row["p_sample_quantile"] == sample_quantile_p(total.estimate, own.fit.residuals)


@pytest.mark.parametrize("model", ["robust", "garch_market"])
def test_registered_stories_have_the_numbers_of_their_own_pages(model):
    table = SampleStudy(root=ROOT, model=model, windows="0:0", draws=0).described.events.set_index("event_id")
    for story in ("ford-byd-2026", "ford-ev-spinoff-2022"):
        study = Study(root=ROOT, story=story, model=model, mask="none", source="snapshot")
        one = study.headline.sum_window(0, 0)
        assert table.loc[story, "session"] == f"{study.alignment.event_session:%Y-%m-%d}"
        assert table.loc[story, "car"] == pytest.approx(one.estimate, rel=1e-10)
        if model == "garch_market":
            assert table.loc[story, "car_std_error"] == pytest.approx(one.standard_error, rel=1e-10)


def rows_of(wide, ticker, at, regressors):
    """Estimation rows and the event session's, in levels, those with a gap left out."""
    held = wide[[ticker, *regressors]].iloc[at - 250 : at - 10].dropna()
    now = wide[[ticker, *regressors]].iloc[at]
    return held[ticker].to_numpy(), held[list(regressors)].to_numpy(), now[ticker], now[list(regressors)].to_numpy()


def explain_robust(y, x):
    fit = sm.RLM(y, sm.add_constant(x), M=sm.robust.norms.HuberT(1.345)).fit(tol=1e-12, maxiter=500)
    return fit.params[0], fit.params[1:]


def explain_ridge(y, x):
    """Closed form at each penalty, left-out errors by refitting without each session."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / spread

    def solve(penalty):
        whole = np.column_stack([np.ones(len(y)), z])
        inverse = np.linalg.inv(whole.T @ whole + np.diag([0.0, *[penalty] * z.shape[1]]))
        hat = whole @ inverse @ whole.T
        return inverse @ whole.T @ y, np.mean(((y - hat @ y) / (1 - np.diag(hat))) ** 2)

    best = min((solve(penalty) for penalty in np.logspace(-3, 4, 36)), key=lambda found: found[1])[0]
    return best[0] - mean / spread @ best[1:], best[1:] / spread


def explain_synthetic(y, x):
    z, centred = x - x.mean(axis=0), y - y.mean()
    start = np.full(x.shape[1], 1 / x.shape[1])
    total = {"type": "eq", "fun": lambda w: w.sum() - 1}
    found = optimize.minimize(
        lambda w: 1e4 * ((centred - z @ w) ** 2).sum(), start, bounds=[(0, 1)] * x.shape[1], constraints=total,
        method="SLSQP", options={"ftol": 1e-15, "maxiter": 1000},
    )  # fmt: skip
    return y.mean() - x.mean(axis=0) @ found.x, found.x


LOOPS = {
    "robust": (("SPY",), explain_robust, 1e-6),
    "ridge": (("SPY", *CONTROLS), explain_ridge, 1e-9),
    "synthetic_control": (CONTROLS, explain_synthetic, 1e-5),
}


@pytest.mark.parametrize("model", LOOPS)
def test_models_without_an_error_agree_with_an_explicit_loop(ask, wide, model):
    regressors, explain, tolerance = LOOPS[model]
    found = run_batch(ask(model=model, windows=("0:0",)))
    for (ticker, at), car in zip(PLACES.values(), found.events["car"], strict=True):
        y, x, now, beside = rows_of(wide, ticker, at, regressors)
        intercept, slopes = explain(y, x)
        assert car == pytest.approx(now - intercept - beside @ slopes, abs=tolerance * y.std()), (ticker, at)
    for name in ("patell", "adjusted_patell"):
        assert found.sample["tests"][name]["statistic"] is None
        assert "the event is ranked instead" in found.sample["tests"][name]["note"]
    assert {"cross_sectional_t", "bmp", "grank_t", "corrado", "sign"} <= {
        name for name, test in found.sample["tests"].items() if test["statistic"] is not None
    }
    assert found.aar["aar_patell"].isna().all()
    assert found.aar["note"].str.startswith("no Patell").all()


def test_peers_agree_with_least_squares_by_statsmodels(ask, wide):
    found = run_batch(ask(model="market_peers", windows=("0:0",)))
    regressors = ("SPY", *CONTROLS)
    for (ticker, at), row in zip(PLACES.values(), found.events.itertuples(), strict=True):
        y, x, now, beside = rows_of(wide, ticker, at, regressors)
        fit = sm.OLS(np.append(y, now), np.column_stack([np.ones(len(y) + 1), np.vstack([x, beside]),
                                                         np.eye(len(y) + 1)[-1]])).fit()  # fmt: skip
        assert row.car == pytest.approx(fit.params[-1], rel=1e-9)
        assert (row.car_std_error, row.p_t) == pytest.approx((fit.bse[-1], fit.pvalues[-1]), rel=1e-9)
    assert found.sample["tests"]["patell"]["statistic"] is not None


def carry_variance(a, b, squares, target):
    """h of every session and of the one after them, one after the other."""
    path = [target]
    for square in squares:
        path.append(target * (1 - a - b) + a * square + b * path[-1])
    return np.array(path)


def maximise_likelihood(e):
    """alpha and beta of residuals with their mean square as target, by scipy from several starts."""
    target = e @ e / len(e)

    def loss(p):
        h = np.maximum(carry_variance(*p, e[:-1] ** 2, target), 1e-12)
        return (np.log(h / target) + e**2 / h).sum()

    limit = {"type": "ineq", "fun": lambda p: 0.998 - p.sum()}
    how = {"bounds": [(0, 0.998)] * 2, "constraints": limit, "method": "SLSQP", "options": {"ftol": 1e-13}}
    tries = [optimize.minimize(loss, s, **how) for s in ((0.05, 0.9), (0.1, 0.5), (0.3, 0.3), (0.02, 0.02))]
    return min((t for t in tries if t.success), key=lambda t: t.fun).x


def test_the_variance_of_garch_events_agrees_with_a_loop_over_sessions(ask, wide):
    found = run_batch(ask(model="garch_market", windows=("0:1",)))
    assert "depends on the days before" in found.sample["tests"]["patell"]["note"]
    assert found.sample["recommended"] == "kp_bmp"
    assert found.sample["tests"]["calendar_time_t"]["note"] == "variance times 1 for the estimation error"
    for (ticker, at), row in zip(PLACES.values(), found.events.itertuples(), strict=True):
        y, x, _, _ = rows_of(wide, ticker, at, ("SPY",))
        design = np.column_stack([np.ones(len(y)), x])
        beta = np.linalg.lstsq(design, y, rcond=None)[0]
        e = y - design @ beta
        later = wide[[ticker, "SPY"]].iloc[at - 10 : at].dropna().to_numpy()
        gap, target = later[:, 0] - beta[0] - beta[1] * later[:, 1], e @ e / len(e)
        a, b = maximise_likelihood(e)
        h = carry_variance(a, b, np.append(e, gap) ** 2, target)
        ahead = [target + (a + b) ** step * (h[-1] - target) for step in range(2)]
        event = np.column_stack([np.ones(2), wide["SPY"].iloc[at : at + 2]])
        pull = event @ np.linalg.inv(design.T @ design)
        covariance = pull @ (design.T * h[: len(e)]) @ design @ pull.T + np.diag(ahead)
        assert row.car_std_error == pytest.approx(np.sqrt(covariance.sum()), rel=2e-3), (ticker, at)


def test_controls_with_an_event_of_their_own_are_left_out_and_counted(ask, wide):
    day = [f"{wide.index[at]:%Y-%m-%d}" for at in (300, 302, 303, 360)]
    rows = [("a", "F0", day[0]), ("b", "F1", day[1]), ("c", "F2", day[2]), ("d", "F3", day[3])]
    events = pd.DataFrame(rows, columns=["event_id", "ticker", "session"])
    firms = ("F0", "F1", "F2", "F3", "C0", "SPY")
    done = run_batch(ask(events=events, model="market_peers", controls=firms, windows=("-1:1",)))
    # a and b share a day, b and c do, a and c (three sessions apart) do not
    kept = {"a": "F2 F3 C0", "b": "F3 C0", "c": "F0 F3 C0", "d": "F0 F1 F2 C0"}
    assert done.events.set_index("event_id")["controls"].to_dict() == kept
    assert done.sample["controls_left_out_for_an_event_of_their_own"] == 4
    assert done.sample["controls_left_out_as_share_or_benchmark"] == 8
    design = build_design(
        "market_peers", wide, ticker="F1", benchmark="SPY", return_kind="close_to_close", peers=("F3", "C0")
    )
    own = measure_abnormal_returns(design, wide.index[302], estimation_sessions=240, gap_sessions=10, path=(-1, 1))
    assert done.events["car"][1] == pytest.approx(own.sum_window(-1, 1).estimate, rel=1e-10)

    named = events.assign(controls=["F1 F2", "F0 F2", "C0 NOBODY", "C1"])
    done = run_batch(ask(events=named, model="ridge", windows=("-1:1",))).events.set_index("event_id")
    assert done.loc["a", "controls"] == "F2"
    assert done.loc["b", "reason"] == "no control is left: F0 has an event in the window; F2 has an event in the window"
    assert done.loc["c", "reason"] == "control NOBODY has no returns"
    assert list(done["status"]) == ["used", "rejected", "rejected", "used"]


def test_wrong_controls_are_refused_in_one_sentence(ask):
    for changes, words in (
        ({"model": "ridge", "controls": ()}, "neither --controls nor a column controls"),
        ({"model": "ridge", "controls": ("C0", "X1", "X2")}, "Controls X1, X2 are not among the 8 tickers"),
        ({"model": "robust", "controls": ("C0",)}, "Model robust takes no controls"),
    ):
        with pytest.raises(ConfigError, match=words) as error:
            run_batch(ask(**changes))
        assert error.value.exit_code == 2


def test_an_event_that_cannot_be_fitted_is_rejected_alone_with_its_reason(ask, wide, monkeypatch):
    spoilt = wide.assign(F2=0.0)
    spoilt.iloc[345, spoilt.columns.get_loc("C1")] = np.nan
    done = run_batch(ask(wide=spoilt, model="synthetic_control")).events.set_index("event_id")
    assert "constant on most sessions" in done.loc["d", "reason"]
    assert done.loc["e", "reason"] == "no return of C1 in the event window"
    assert list(done.index[done["status"] == "used"]) == ["a", "b", "c", "f"]

    whole = run_batch(ask(model="robust")).events
    steps = estimators.MAX_STEPS
    settled = []
    for steps in range(2, 60):  # some need more steps than others
        monkeypatch.setattr(estimators, "MAX_STEPS", steps)
        part = run_batch(ask(model="robust")).events
        settled.append((part["status"] == "used").sum())
        if 0 < settled[-1] < len(PLACES):
            break
    used = part["status"] == "used"
    assert 0 < used.sum() < len(PLACES)
    assert (part["reason"][~used] == f"the robust fit does not settle in {steps} steps").all()
    pd.testing.assert_series_equal(part["car"][used], whole["car"][used], rtol=1e-12)


def test_the_usable_share_and_a_short_history_count_as_in_the_other_models(ask, wide):
    short = wide.copy()
    short.loc[short.index[:130], "F3"] = np.nan
    for model in ("market", "robust"):
        asked = {"wide": short, "model": model}
        refused = run_batch(ask(**asked)).events.set_index("event_id").loc["e"]
        assert refused["reason"] == "204 of 240 estimation sessions usable, 216 needed"
        assert run_batch(ask(**asked, usable_share=0.8)).events.set_index("event_id").loc["e", "status"] == "used"


def test_events_are_told_as_they_are_fitted_and_their_number_does_not_matter(ask, monkeypatch):
    whole = run_batch(ask(model="garch_market")).events
    monkeypatch.setattr(each_event, "EVENTS_AT_ONCE", 2)
    told = {}

    class Bar:
        def __init__(self, label):
            self.label = label

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, n):
            told[self.label] = told.get(self.label, 0) + n

    part = run_batch(ask(model="garch_market"), watch=lambda label, _: Bar(label)).events
    assert told["fitting"] == len(PLACES)
    pd.testing.assert_frame_equal(part, whole, rtol=1e-9)
