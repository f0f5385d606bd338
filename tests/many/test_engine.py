"""The batch engine against loops, exact fractions and a regression with one dummy a day."""

from fractions import Fraction

import numpy as np
import pytest
import statsmodels.api as sm
from event_impact.base.errors import ConfigError, DataError
from event_impact.estimation.running_sums import sum_windows
from event_impact.many import engine as batch
from event_impact.many import event_days
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.event_days import EventDays, iterate_event_days
from event_impact.many.layout import BatchPanel, lay_out_model

WINDOWS = EventWindows(-70, -11, -2, 2)
FACTORS = ("rf", "mkt_rf", "smb", "hml", "rmw", "cma", "mom")
MODELS = ("market", "market_adjusted", "market_adjusted_demeaned", "constant_mean", "capm", "ff3", "carhart", "ff5_mom")


def make_panel(*, n_tickers=6, n_sessions=300, seed=1, missing=0.0, benchmark_missing=0):
    rng = np.random.default_rng(seed)
    sessions = np.datetime64("2020-01-01") + np.arange(n_sessions)
    market = rng.normal(0.0003, 0.01, n_sessions)
    returns = 0.0002 + rng.uniform(0.5, 1.6, (n_tickers, 1)) * market + rng.normal(0, 0.02, (n_tickers, n_sessions))
    returns[rng.random(returns.shape) < missing] = np.nan
    market[rng.choice(n_sessions, benchmark_missing, replace=False)] = np.nan
    factors = {name: rng.normal(0, 0.006, n_sessions) for name in FACTORS}
    factors["rf"] = np.abs(factors["rf"]) / 60
    return BatchPanel(sessions, [f"T{i}" for i in range(n_tickers)], returns, market, factors)


def all_events(panel):
    shape = panel.returns.shape
    tickers, sessions = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    return tickers.ravel(), sessions.ravel()


def explain(panel, model, ticker):
    """Outcome and regressors (without intercept) of one ticker, written out model by model."""
    y, m, f = panel.returns[ticker], panel.benchmark, panel.factors
    names = {"ff3": 3, "carhart": 3, "ff5": 5, "ff5_mom": 5}
    if model == "market":
        return y, [m]
    if model.startswith("market_adjusted"):
        return y - m, []
    if model == "constant_mean":
        return y, []
    if model == "capm":
        return y - f["rf"], [m - f["rf"]]
    chosen = ["mkt_rf", "smb", "hml", "rmw", "cma"][: names[model]]
    chosen += ["mom"] if model in ("carhart", "ff5_mom") else []
    return y - f["rf"], [f[name] for name in chosen]


def regress_event(panel, model, ticker, session, windows=WINDOWS):
    """Least squares and the full forecast covariance, one event, no shortcuts; None if it must be refused."""
    y, xs = explain(panel, model, ticker)
    has_mean = model != "market_adjusted"
    design = (
        np.column_stack([*([np.ones(y.size)] if has_mean else []), *xs]) if has_mean or xs else np.empty((y.size, 0))
    )
    usable = np.isfinite(y) & np.isfinite(design).all(axis=1)
    rows = [t for t in range(session + windows.estimation_first, session + windows.estimation_last + 1) if t >= 0]
    rows = [t for t in rows if usable[t]]
    days = list(range(session + windows.event_first, session + windows.event_last + 1))
    if min(days) < 0 or max(days) >= y.size or not usable[days].all():
        return None
    k = design.shape[1]
    if len(rows) < max(k + 2, 0.9 * windows.n_estimation):
        return None
    x0, x1 = design[rows], design[days]
    beta = np.linalg.lstsq(x0, y[rows], rcond=None)[0] if k else np.empty(0)
    residual = y[rows] - x0 @ beta
    s2 = residual @ residual / (len(rows) - k)
    ar = y[days] - x1 @ beta
    cov = s2 * (np.eye(len(days)) + (x1 @ np.linalg.inv(x0.T @ x0) @ x1.T if k else 0.0))
    return {
        "beta": beta,
        "s": np.sqrt(s2),
        "ar": ar,
        "car": ar.sum(),
        "se": np.sqrt(cov.sum()),
        "cov": cov,
        "n": len(rows),
    }


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("missing", "benchmark_missing"), [(0.0, 0), (0.0, 3), (0.03, 3)])
def test_every_event_agrees_with_least_squares(model, missing, benchmark_missing):
    panel = make_panel(missing=missing, benchmark_missing=benchmark_missing)
    tickers, sessions = all_events(panel)
    found = estimate_events(lay_out_model(panel, model), tickers, sessions, windows=WINDOWS)
    checked = 0
    for i in range(0, tickers.size, 7):
        expected = regress_event(panel, model, tickers[i], sessions[i])
        assert found.is_used[i] == (expected is not None), (tickers[i], sessions[i], found.reason[i])
        if expected is None:
            assert np.isnan(found.car[i])
            continue
        checked += 1
        assert found.n_estimation[i] == expected["n"]
        assert found.df[i] == expected["n"] - expected["beta"].size
        np.testing.assert_allclose(found.residual_std[i], expected["s"], rtol=1e-11)
        np.testing.assert_allclose(found.car[i], expected["car"], rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(found.car_std_error[i], expected["se"], rtol=1e-11)
        slopes = expected["beta"][1:]
        np.testing.assert_allclose(found.slopes[:, i], slopes, rtol=1e-9, atol=1e-12)
        if expected["beta"].size:
            np.testing.assert_allclose(found.intercept[i], expected["beta"][0], rtol=1e-8, atol=1e-14)
    assert checked > 50


@pytest.mark.parametrize("model", ["market", "ff3", "market_adjusted"])
def test_days_agree_with_least_squares(model):
    panel = make_panel(missing=0.02)
    tickers, sessions = all_events(panel)
    design = lay_out_model(panel, model)
    found = estimate_events(design, tickers, sessions, windows=WINDOWS)
    positions = np.flatnonzero(found.is_used)[::23]
    days = EventDays(design, positions, found.select(positions))
    for row, i in enumerate(positions):
        expected = regress_event(panel, model, tickers[i], sessions[i])
        np.testing.assert_allclose(days.abnormal[row], expected["ar"], rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(days.day_factor[row], np.diag(expected["cov"]) / expected["s"] ** 2, rtol=1e-10)
        steps = [expected["cov"][:w, :w].sum() / expected["s"] ** 2 for w in range(1, 6)]
        np.testing.assert_allclose(days.cumulative_factor[row], steps, rtol=1e-10)
        present = np.isfinite(days.residuals[row])
        assert present.sum() == expected["n"]
        sse = (days.residuals[row, present] ** 2).sum()
        np.testing.assert_allclose(sse, expected["s"] ** 2 * (expected["n"] - expected["beta"].size), rtol=1e-11)


def test_hundred_windows_agree_with_exact_fractions():
    panel = make_panel(n_sessions=200)
    rng = np.random.default_rng(5)
    tickers, sessions = rng.integers(0, 6, 100), rng.integers(70, 198, 100)
    found = estimate_events(lay_out_model(panel, "market"), tickers, sessions, windows=WINDOWS)
    for i in range(100):
        y = [Fraction(v) for v in panel.returns[tickers[i]]]
        x = [Fraction(v) for v in panel.benchmark]
        at = range(sessions[i] - 70, sessions[i] - 10)
        days = range(sessions[i] - 2, sessions[i] + 3)
        mx, my = sum(x[t] for t in at) / 60, sum(y[t] for t in at) / 60
        sxx = sum((x[t] - mx) ** 2 for t in at)
        slope = sum((x[t] - mx) * (y[t] - my) for t in at) / sxx
        s2 = sum((y[t] - my - slope * (x[t] - mx)) ** 2 for t in at) / 58
        car = sum(y[t] - my - slope * (x[t] - mx) for t in days)
        variance = s2 * (5 + Fraction(25, 60) + sum(x[t] - mx for t in days) ** 2 / sxx)
        exact = float(car) / float(variance) ** 0.5
        assert found.scar[i] == pytest.approx(exact, rel=1e-11, abs=1e-13)


def test_equals_the_regression_with_one_dummy_a_day():
    panel = make_panel()
    found = estimate_events(lay_out_model(panel, "market"), np.array([2]), np.array([150]), windows=WINDOWS)
    rows = np.r_[80:140, 148:153]
    dummies = np.vstack([np.zeros((60, 5)), np.eye(5)])
    fit = sm.OLS(panel.returns[2, rows], np.column_stack([np.ones(65), panel.benchmark[rows], dummies])).fit()
    test = fit.t_test(np.r_[0, 0, np.ones(5)])
    assert found.car[0] == pytest.approx(test.effect[0], rel=1e-10)
    assert found.scar[0] == pytest.approx(test.tvalue.item(), rel=1e-10)
    assert found.df[0] == fit.df_resid


@pytest.mark.parametrize("length", [1, 2, 3, 6, 7, 8, 21, 50])
@pytest.mark.parametrize("sessions", [50, 51, 63, 100])
def test_window_sums_equal_plain_sums_at_every_start(length, sessions):
    values = np.random.default_rng(0).normal(size=(3, sessions))
    direct = np.array([[row[a : a + length].sum() for a in range(sessions - length + 1)] for row in values])
    np.testing.assert_allclose(sum_windows(values, length), direct, rtol=0, atol=1e-13)
    with pytest.raises(ValueError, match="does not fit"):
        sum_windows(values, sessions + 1)


@pytest.mark.parametrize("model", ["market", "constant_mean"])
def test_an_offset_of_ten_thousand_costs_no_digits(model):
    panel = make_panel()
    moved = BatchPanel(panel.sessions, panel.tickers, panel.returns + 1e4, panel.benchmark + 1e4)
    tickers, sessions = all_events(panel)
    plain = estimate_events(lay_out_model(panel, model), tickers, sessions, windows=WINDOWS)
    offset = estimate_events(lay_out_model(moved, model), tickers, sessions, windows=WINDOWS)
    assert (plain.reason == offset.reason).all()
    assert np.nanmax(np.abs(plain.scar - offset.scar)) < 1e-9


@pytest.mark.parametrize("model", ["market", "ff3"])
def test_a_bad_tick_is_forgotten_once_it_has_left_the_window(model):
    panel = make_panel()
    returns = panel.returns.copy()
    returns[:, 100] = 1e4
    spoiled = BatchPanel(panel.sessions, panel.tickers, returns, panel.benchmark, panel.factors)
    tickers, sessions = all_events(panel)
    clean = estimate_events(lay_out_model(panel, model), tickers, sessions, windows=WINDOWS)
    after = estimate_events(lay_out_model(spoiled, model), tickers, sessions, windows=WINDOWS)
    unaffected = clean.is_used & ((sessions >= 171) | (sessions <= 97))
    touched = clean.is_used & (sessions >= 111) & (sessions <= 170)
    assert unaffected.sum() > 500
    np.testing.assert_allclose(after.scar[unaffected], clean.scar[unaffected], rtol=1e-9, atol=1e-12)
    assert (after.residual_std[touched] > 1000).all()


def test_scale_of_the_returns_does_not_matter():
    panel = make_panel(missing=0.02)
    percent = BatchPanel(panel.sessions, panel.tickers, panel.returns * 100, panel.benchmark * 100)
    tickers, sessions = all_events(panel)
    a = estimate_events(lay_out_model(panel, "market"), tickers, sessions, windows=WINDOWS)
    b = estimate_events(lay_out_model(percent, "market"), tickers, sessions, windows=WINDOWS)
    np.testing.assert_allclose(a.scar, b.scar, rtol=1e-10)
    np.testing.assert_allclose(a.car * 100, b.car, rtol=1e-9, atol=1e-12)


def test_order_partition_and_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(batch, "CELLS_PER_BLOCK", 600)
    monkeypatch.setattr(batch, "EVENTS_PER_BLOCK", 100)
    panel = make_panel(missing=0.01)
    panel = BatchPanel(
        panel.sessions, panel.tickers, np.vstack([make_panel().returns[:2], panel.returns[2:]]), panel.benchmark
    )
    tickers, sessions = all_events(panel)
    whole = estimate_events(lay_out_model(panel, "market"), tickers, sessions, windows=WINDOWS)
    threaded = estimate_events(lay_out_model(panel, "market"), tickers, sessions, windows=WINDOWS, workers=2)
    shuffle = np.random.default_rng(3).permutation(tickers.size)
    shuffled = estimate_events(lay_out_model(panel, "market"), tickers[shuffle], sessions[shuffle], windows=WINDOWS)
    for name in ("reason", "n_estimation", "car", "residual_std", "car_factor", "outcome_mean"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(threaded, name))
        np.testing.assert_array_equal(getattr(whole, name)[shuffle], getattr(shuffled, name))
    monkeypatch.setattr(batch, "CELLS_PER_BLOCK", 10**6)
    for part in ([0, 3], [1, 2, 4, 5]):
        own = BatchPanel(panel.sessions, [panel.tickers[i] for i in part], panel.returns[part], panel.benchmark)
        mine = np.isin(tickers, part)
        local = np.searchsorted(part, tickers[mine])
        found = estimate_events(lay_out_model(own, "market"), local, sessions[mine], windows=WINDOWS)
        np.testing.assert_allclose(found.scar, whole.scar[mine], rtol=1e-12)


def test_every_event_keeps_its_place_and_its_reason():
    panel = make_panel()
    returns = panel.returns.copy()
    returns[1, 150] = np.nan
    returns[3, 60:200] = 0.001
    market = panel.benchmark.copy()
    panel = BatchPanel(panel.sessions, panel.tickers, returns, market)
    cases = [
        (0, 150, batch.USED),
        (-1, 150, batch.UNKNOWN_TICKER),
        (0, -1, batch.UNKNOWN_SESSION),
        (0, 300, batch.UNKNOWN_SESSION),
        (0, 298, batch.OUTSIDE_CALENDAR),
        (0, 1, batch.OUTSIDE_CALENDAR),
        (0, 50, batch.TOO_FEW_SESSIONS),
        (1, 150, batch.MISSING_EVENT_SESSION),
        (1, 148, batch.MISSING_EVENT_SESSION),
        (1, 147, batch.USED),
        (3, 150, batch.NO_RESIDUAL_VARIANCE),
    ]
    tickers, sessions, reasons = (np.array(column) for column in zip(*cases, strict=True))
    found = estimate_events(lay_out_model(panel, "market"), tickers, sessions, windows=WINDOWS)
    assert found.reason.tolist() == reasons.tolist()
    assert np.isfinite(found.car).tolist() == (reasons == batch.USED).tolist()
    assert found.n_estimation[6] == 40


@pytest.mark.parametrize(("n_missing", "is_used"), [(6, True), (7, False)])
def test_nine_tenths_of_the_estimation_sessions_are_needed(n_missing, is_used):
    panel = make_panel()
    returns = panel.returns.copy()
    returns[0, 85 : 85 + n_missing] = np.nan
    panel = BatchPanel(panel.sessions, panel.tickers, returns, panel.benchmark)
    found = estimate_events(lay_out_model(panel, "market"), np.array([0]), np.array([150]), windows=WINDOWS)
    assert bool(found.is_used[0]) is is_used
    assert found.n_estimation[0] == 60 - n_missing


@pytest.mark.parametrize(("before", "is_used"), [(64, True), (63, False)])
def test_a_window_that_begins_before_the_calendar_needs_nine_tenths_too(before, is_used):
    panel = make_panel()
    found = estimate_events(lay_out_model(panel, "market"), np.array([0]), np.array([before]), windows=WINDOWS)
    assert bool(found.is_used[0]) is is_used
    assert found.n_estimation[0] == before - 10
    if is_used:
        expected = regress_event(panel, "market", 0, before)
        assert found.scar[0] == pytest.approx(expected["car"] / expected["se"], rel=1e-10)


def test_short_estimation_windows_need_two_more_sessions_than_parameters():
    panel = make_panel()
    for length, is_used in ((3, False), (4, True)):
        windows = EventWindows(-10 - length, -11, 0, 0)
        found = estimate_events(lay_out_model(panel, "market"), np.array([0]), np.array([150]), windows=windows)
        assert bool(found.is_used[0]) is is_used
        if is_used:
            expected = regress_event(panel, "market", 0, 150, windows)
            assert found.scar[0] == pytest.approx(expected["car"] / expected["se"], rel=1e-9)


def test_a_calendar_shorter_than_the_estimation_window_is_a_reason():
    panel = make_panel(n_sessions=40)
    found = estimate_events(lay_out_model(panel, "market"), np.array([0, 0]), np.array([30, 3]), windows=WINDOWS)
    assert found.reason.tolist() == [batch.TOO_FEW_SESSIONS] * 2
    assert found.n_estimation.tolist() == [20, 0]


def test_constant_and_repeated_regressors_are_a_reason():
    panel = make_panel()
    flat = BatchPanel(panel.sessions, panel.tickers, panel.returns, np.full(300, 0.0123))
    twice = dict(panel.factors, smb=panel.factors["hml"] * 2 + 0.001)
    repeated = BatchPanel(panel.sessions, panel.tickers, panel.returns, panel.benchmark, twice)
    for design in (lay_out_model(flat, "market"), lay_out_model(repeated, "ff3")):
        found = estimate_events(design, np.array([0]), np.array([150]), windows=WINDOWS)
        assert found.reason[0] == batch.DEPENDENT_REGRESSORS
    spell = panel.benchmark.copy()
    spell[70:160] = 0.5
    spelled = BatchPanel(panel.sessions, panel.tickers, panel.returns, spell)
    found = estimate_events(lay_out_model(spelled, "market"), np.array([0]), np.array([150]), windows=WINDOWS)
    assert found.reason[0] == batch.DEPENDENT_REGRESSORS


def test_a_return_that_the_market_explains_wholly_is_a_reason():
    panel = make_panel()
    returns = np.vstack([panel.benchmark * 1.7 + 0.001, panel.returns[1:]])
    panel = BatchPanel(panel.sessions, panel.tickers, returns, panel.benchmark)
    found = estimate_events(lay_out_model(panel, "market"), np.array([0]), np.array([150]), windows=WINDOWS)
    assert found.reason[0] == batch.NO_RESIDUAL_VARIANCE


def test_a_jump_at_the_event_moves_the_estimate_by_exactly_itself_and_no_variance():
    panel = make_panel()
    returns = panel.returns.copy()
    returns[0, 152] += 0.2  # the last event session counts
    jumped = BatchPanel(panel.sessions, panel.tickers, returns, panel.benchmark)
    for model in ("market", "constant_mean", "market_adjusted"):
        a = estimate_events(lay_out_model(panel, model), np.array([0]), np.array([150]), windows=WINDOWS)
        b = estimate_events(lay_out_model(jumped, model), np.array([0]), np.array([150]), windows=WINDOWS)
        assert b.car[0] - a.car[0] == pytest.approx(0.2, abs=1e-14)
        assert b.residual_std[0] == a.residual_std[0]


def test_two_events_of_one_firm_have_their_own_windows():
    panel = make_panel()
    found = estimate_events(lay_out_model(panel, "market"), np.array([2, 2]), np.array([150, 250]), windows=WINDOWS)
    for i, session in enumerate((150, 250)):
        expected = regress_event(panel, "market", 2, session)
        assert found.scar[i] == pytest.approx(expected["car"] / expected["se"], rel=1e-10)


def test_each_ticker_may_have_its_own_benchmark():
    panel = make_panel()
    own = np.random.default_rng(9).normal(0, 0.01, panel.returns.shape)
    own[4, 120] = np.nan
    both = BatchPanel(panel.sessions, panel.tickers, panel.returns, own)
    tickers, sessions = np.repeat(np.arange(6), 3), np.tile([140, 150, 200], 6)
    found = estimate_events(lay_out_model(both, "market"), tickers, sessions, windows=WINDOWS)
    for i in range(tickers.size):
        single = BatchPanel(panel.sessions, panel.tickers, panel.returns, own[tickers[i]])
        expected = regress_event(single, "market", tickers[i], sessions[i])
        assert found.scar[i] == pytest.approx(expected["car"] / expected["se"], rel=1e-10)


def test_single_precision_input_is_widened_first():
    panel = make_panel()
    single = BatchPanel(panel.sessions, panel.tickers, panel.returns.astype(np.float32), panel.benchmark)
    widened = BatchPanel(panel.sessions, panel.tickers, panel.returns.astype(np.float32).astype(float), panel.benchmark)
    at = (np.array([0]), np.array([150]))
    a = estimate_events(lay_out_model(single, "market"), *at, windows=WINDOWS)
    b = estimate_events(lay_out_model(widened, "market"), *at, windows=WINDOWS)
    assert a.scar[0] == b.scar[0]
    assert a.car.dtype == np.float64


def test_without_its_model_an_estimate_has_the_same_numbers_and_no_days():
    panel = make_panel()
    tickers, sessions = all_events(panel)
    design = lay_out_model(panel, "market")
    full = estimate_events(design, tickers, sessions, windows=WINDOWS)
    lean = estimate_events(design, tickers, sessions, windows=WINDOWS, keep_model=False)
    np.testing.assert_array_equal(full.scar, lean.scar)
    assert lean.slopes.size == 0


def test_days_come_in_chunks_that_cover_every_used_event_once(monkeypatch):
    monkeypatch.setattr(event_days, "EVENTS_AT_ONCE", 37)
    panel = make_panel(missing=0.01)
    tickers, sessions = all_events(panel)
    design = lay_out_model(panel, "market")
    found = estimate_events(design, tickers, sessions, windows=WINDOWS)
    seen = np.concatenate([days.positions for days in iterate_event_days(design, found)])
    assert sorted(seen.tolist()) == np.flatnonzero(found.is_used).tolist()


def test_an_empty_table_of_events_gives_empty_estimates():
    found = estimate_events(
        lay_out_model(make_panel(), "market"), np.array([], int), np.array([], int), windows=WINDOWS
    )
    assert found.car.size == 0


@pytest.mark.parametrize("bounds", [(-70, -11, -11, 2), (-11, -70, 0, 0), (-70, -11, 2, 0), (-70, 5, 0, 0)])
def test_windows_that_overlap_or_run_backwards_are_refused(bounds):
    with pytest.raises(ConfigError):
        EventWindows(*bounds)


def test_bad_panels_are_refused_with_the_place():
    panel = make_panel()
    infinite = panel.returns.copy()
    infinite[2, 7] = np.inf
    with pytest.raises(DataError, match="T2 on 2020-01-08"):
        BatchPanel(panel.sessions, panel.tickers, infinite, panel.benchmark)
    with pytest.raises(DataError, match="unique"):
        BatchPanel(panel.sessions, ["A"] * 6, panel.returns)
    with pytest.raises(DataError, match="increasing"):
        BatchPanel(panel.sessions[::-1], panel.tickers, panel.returns)
    with pytest.raises(DataError, match="must be"):
        BatchPanel(panel.sessions, panel.tickers, panel.returns[:, 1:])
    with pytest.raises(DataError, match="benchmark"):
        lay_out_model(BatchPanel(panel.sessions, panel.tickers, panel.returns), "market")
    with pytest.raises(DataError, match="smb"):
        lay_out_model(BatchPanel(panel.sessions, panel.tickers, panel.returns, panel.benchmark), "ff3")
    with pytest.raises(ConfigError, match="garch"):
        lay_out_model(panel, "garch")


@pytest.mark.parametrize("model", ["scholes_williams", "lead_lag"])
def test_thin_trading_models_equal_explicit_fits(model):
    rng = np.random.default_rng(0)
    market = rng.normal(0, 0.01, 300)
    returns = 0.9 * market + 0.3 * np.r_[0, market[:-1]] + rng.normal(0, 0.02, (2, 300))
    returns[1, 150] = np.nan
    panel = BatchPanel(np.datetime64("2020-01-01") + np.arange(300), ("A", "B"), returns, market)
    design = lay_out_model(panel, model)
    windows = EventWindows(-130, -11, -1, 1)
    found = estimate_events(design, np.array([0, 1, 0]), np.array([131, 200, 298]), windows=windows)
    assert found.is_used.tolist() == [True, True, False]  # the last session has no next one
    around = np.column_stack([np.r_[np.nan, market[:-1]], market, np.r_[market[1:], np.nan]])
    days = np.array([t for t in range(70, 190) if t != 150])
    one = np.column_stack([np.ones(300), market if model == "scholes_williams" else around])
    instrument = np.column_stack([np.ones(300), around.sum(axis=1)]) if model == "scholes_williams" else one
    x, z = one[days], instrument[days]
    solve = np.linalg.inv(z.T @ x)
    beta = solve @ z.T @ returns[1, days]
    residual = returns[1, days] - x @ beta
    total = one[199:202].sum(axis=0)
    assert found.car[1] == pytest.approx((returns[1, 199:202] - one[199:202] @ beta).sum(), rel=1e-9)
    assert found.residual_std[1] == pytest.approx(np.sqrt(residual @ residual / (119 - x.shape[1])), rel=1e-9)
    assert found.car_factor[1] == pytest.approx(3 + total @ solve @ (z.T @ z) @ solve.T @ total, rel=1e-9)
    sums = EventDays(design, np.arange(2), found.select(np.arange(2)))
    np.testing.assert_allclose(sums.abnormal.sum(axis=1), found.car[:2], rtol=1e-9)
    np.testing.assert_allclose(sums.cumulative_factor[:, -1], found.car_factor[:2], rtol=1e-9)


def test_the_usable_share_is_a_choice():
    assert EventWindows(-100, -11, 0, 0).count_needed(2) == 81
    assert EventWindows(-100, -11, 0, 0, usable_share=0.5).count_needed(2) == 45
    with pytest.raises(ConfigError, match="usable share"):
        EventWindows(usable_share=0.0)
