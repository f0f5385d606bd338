"""Tests on bars: the measured figures of two event hours, explicit loops, and every earlier bar as a placebo."""

from __future__ import annotations

import dataclasses
import math
import statistics

import numpy as np
import pytest
from event_impact.estimation.bar_fit import fit_bars, fit_grid, sum_bars
from event_impact.inference.bar_tests import (
    assess_bars,
    critical_placebo,
    decide_bars,
    is_reversal,
    placebo_moves,
    placebo_p,
    power_effect,
    share_taken_back,
)
from event_impact.market.bars import make_grid
from minute_bars import REFERENCE, TARIFF, TESLA, embedded, grid_of
from scipy import stats

# estimate, raw t, t_w, t_w/k, placebos that reach it (of 300), the same without k, mde80 in per cent
MEASURED = {
    "before": (-0.056212, -3.0295, -3.0738, -1.9868, 10, 1, 7.2),
    "six before": (-0.050579, -5.6336, -8.6882, -5.6156, 1, 1, 2.4),
    "holds": (0.025406, 6.9944, 10.9644, 7.0868, 1, 1, 1.0),
    "own": (0.022104, 3.4788, 5.2994, 3.4252, 1, 1, None),
    "two": (0.034851, 6.7494, 10.4262, 6.7389, 1, 1, 1.4),
    "wholly after": (-0.003302, -0.6373, -0.9680, -0.6257, 175, 100, 1.4),
    "to the last": (0.018205, 2.0182, 3.0127, 1.9472, 11, 2, 2.5),
    "to 15:46": (-0.034108, -1.7186, -1.7925, -1.1586, 61, 12, 7.4),
    "total": (-0.038006, -1.8076, -1.9289, -1.2467, 45, 7, 7.5),
}
OPTIONS = {"minutes": 5, "significance": 0.05}


@pytest.fixture(scope="module")
def fit():
    return fit_grid(grid_of("TSLA", "QQQ", TESLA))


@pytest.fixture(scope="module")
def rows(fit):
    return {name: assess_bars(fit, *window, **OPTIONS) for name, window in REFERENCE.items()}


class TestTesla:
    @pytest.mark.parametrize("name", MEASURED)
    def test_the_measured_figures(self, rows, name):
        row, (estimate, raw_t, scaled_t, companion_t, rank, _, mde80) = rows[name], MEASURED[name]
        assert row.estimate == pytest.approx(estimate, abs=5e-7)
        found = (row.t_raw, row.t_scaled, row.t_scaled / row.day_factor)
        assert found == pytest.approx((raw_t, scaled_t, companion_t), abs=5e-5)
        assert row.p_placebo == pytest.approx(rank / 301, rel=1e-12)
        assert row.p_smallest == pytest.approx(1 / 301, rel=1e-12)
        if mde80 is not None:
            assert round(100 * row.mde80, 1) == mde80

    def test_the_declared_pair_after_holm(self, rows):
        before, own = decide_bars([rows["before"], rows["own"]], n_sessions=10, significance=0.05, bound=0.02)
        assert rows["before"].p_companion == pytest.approx(0.0479, abs=5e-5)
        assert rows["own"].p_companion == pytest.approx(0.0007, abs=5e-5)
        assert rows["before"].n_effective == 12.5  # fewer than 20: the larger p decides
        assert rows["before"].p_star == rows["before"].p_companion
        assert (before.p_holm, own.p_holm) == pytest.approx((0.0479, 0.0066), abs=5e-5)
        assert (before.outcome, own.outcome) == ("found", "found")

    def test_the_share_taken_back_and_no_reversal(self, fit, rows):
        share = share_taken_back(fit, REFERENCE["before"], REFERENCE["own"])
        assert (share.estimate, share.lower, share.upper) == pytest.approx((0.393, 0.156, 2.446), abs=5e-4)
        pair = decide_bars([rows["before"], rows["own"]], n_sessions=10, significance=0.05, bound=0.02)
        assert not is_reversal(*pair, share, significance=0.05)

    def test_a_constant_mean_takes_the_first_finding_away(self):
        row = assess_bars(fit_grid(grid_of("TSLA", "", TESLA)), *REFERENCE["before"], **OPTIONS)
        assert row.estimate == pytest.approx(-0.048382, abs=5e-7)
        assert row.p_placebo == pytest.approx(35 / 301, rel=1e-12)

    def test_one_minute_of_label_error_turns_the_story(self):
        """Read as plain ends the post falls into the next bar, 15:35 to 15:40."""
        bars = [embedded(ticker, TESLA) for ticker in ("TSLA", "QQQ")]
        other = [b.read_plainly() for b in bars]
        grid = make_grid(*other, TESLA, minutes=5, n_sessions=10)
        before, own = (assess_bars(fit_grid(grid), *window, **OPTIONS) for window in ((0, 25), (25, 3)))
        assert grid.ends[25].strftime("%H:%M") == "15:35"
        assert (before.estimate, own.estimate) == pytest.approx((-0.030806, -0.003487), abs=5e-7)
        assert (before.p_placebo, own.p_placebo) == pytest.approx((72 / 301, 188 / 301), rel=1e-12)

    def test_the_same_clock_is_silent_with_ten_sessions(self, fit, rows):
        assert all(row.p_same_clock is None for row in rows.values())
        for name in ("before", "own"):  # no earlier session moved as far: 1/11, the smallest there is
            earlier = np.abs((fit.residuals * sum_bars(fit, *REFERENCE[name]).weights).sum(axis=-1))
            assert (earlier < abs(rows[name].estimate)).all()


class TestTariff:
    """RSP by the minute on 7 April 2025, on a constant mean of three sessions."""

    @pytest.mark.parametrize(
        ("first", "n_bars", "estimate", "rank"),
        [("14:10", 1, 0.015055, 1), ("14:11", 1, 0.012906, 2), ("14:11", 41, 0.007733, 305)],
    )
    def test_the_measured_figures(self, first, n_bars, estimate, rank):
        grid = grid_of("RSP", "", TARIFF, 1)
        place = [end.strftime("%H:%M") for end in grid.ends].index(first)
        row = assess_bars(fit_grid(grid), place, n_bars, minutes=1, significance=0.05)
        assert row.estimate == pytest.approx(estimate, abs=5e-7)
        assert row.p_placebo == pytest.approx(rank / 358, rel=1e-12)

    def test_three_sessions_have_no_verdict(self):
        row = assess_bars(fit_grid(grid_of("RSP", "", TARIFF, 1)), 40, 1, minutes=1, significance=0.05)
        (shown,) = decide_bars([row], n_sessions=3, significance=0.05, bound=0.02)
        assert shown.outcome == "insufficient_data"
        assert shown.p_holm is None


def loop_placebos(fit, first: int, m: int) -> list[float]:
    """Every shift, from the formula."""
    pool = [
        float(fit.residuals[s, c] / fit.scale[c] / fit.session_moves[s])
        for s in range(fit.residuals.shape[0])
        for c in range(fit.residuals.shape[1])
    ]
    d = fit.scale[first : first + m]
    return [
        float(fit.event_move) * sum(float(d[i]) * pool[(j + i) % len(pool)] for i in range(m)) for j in range(len(pool))
    ]


@pytest.mark.parametrize("name", ["before", "own", "holds"])
def test_an_explicit_loop_over_every_shift_agrees(fit, rows, name):
    window = sum_bars(fit, *REFERENCE[name])
    expected = loop_placebos(fit, *REFERENCE[name])
    assert placebo_moves(fit.pool, window) == pytest.approx(expected, abs=1e-12)
    size = abs(float(window.estimate)) * float(window.own_share)
    assert rows[name].p_placebo == (1 + sum(abs(p) >= size for p in expected)) / 301


# every bar of the sessions before the event as a placebo, rejected at 5 %, in per cent: windows of 1, 3, 6, 12 bars
REAL_SIZES = {
    ("TSLA", "QQQ", TESLA): (5.0, 5.4, 4.8, 4.7),
    ("QQQ", "", TESLA): (5.0, 5.4, 5.6, 6.8),
    ("QQQ", "", TARIFF): (5.3, 4.3, 4.8, 5.3),
    ("META", "QQQ", TARIFF): (5.9, 5.9, 7.1, 6.1),
}


@pytest.mark.parametrize(("ticker", "benchmark", "event"), REAL_SIZES)
def test_on_real_sessions_without_the_event_the_level_holds(ticker, benchmark, event):
    grid = grid_of(ticker, benchmark, event)
    returns = grid.returns(grid.prices)
    market = None if grid.benchmark is None else grid.returns(grid.benchmark)
    others = [[j for j in range(10) if j != i] for i in range(10)]
    pair = (market[others], market) if market is not None else (None, None)
    fit = fit_bars(returns[others], returns, *pair, middles=grid.middles, minutes=5)
    rates = []
    for m in (1, 3, 6, 12):
        windows = [sum_bars(fit, first, m) for first in range(returns.shape[1] - m + 1)]
        p = [placebo_p(placebo_moves(fit.pool, w), np.abs(w.estimate) * w.own_share) for w in windows]
        rates.append(round(100 * float((np.concatenate(p) <= 0.05).mean()), 1))
    assert tuple(rates) == REAL_SIZES[ticker, benchmark, event]


class TestIntervals:
    @pytest.mark.parametrize("n_draws", [60])
    def test_zero_lies_outside_exactly_when_the_deciding_p_rejects(self, n_draws):
        rng = np.random.default_rng(4)
        middles = (np.arange(30) + 0.5) / 30
        seen = set()
        for i in range(n_draws):
            y, x = rng.standard_t(4, (2, 11, 30))
            fit = fit_bars(y[:10], y[10] * 1.6, x[:10], x[10], middles=middles, minutes=5)
            row = assess_bars(fit, i % 12, (1, 3, 18)[i % 3], **OPTIONS)
            for ends, level in ((row.ci90, 0.10), (row.ci95, 0.05)):
                assert (ends[0] > 0 or ends[1] < 0) == (row.p_star < level)
                seen.add((level, row.p_star < level))
        assert len(seen) == 4

    def test_where_the_companion_decides_the_interval_is_the_wider_one(self, fit, rows):
        row = rows["before"]
        half = stats.t.ppf(0.975, 298) * row.day_factor * row.se_scaled
        assert row.p_companion > row.p_placebo
        assert row.ci95 == pytest.approx((row.estimate - half, row.estimate + half), rel=1e-12)
        assert row.mde80_companion > row.mde80

    def test_too_few_placebos_reject_nothing_and_leave_the_interval_open(self):
        moves = np.linspace(-1, 1, 15)
        assert critical_placebo(moves, 0.05) == math.inf
        assert power_effect(moves, math.inf) is None

    @pytest.mark.parametrize("n", [39, 119, 199])
    def test_the_critical_placebo_agrees_with_the_p_where_level_times_count_is_whole(self, n):
        moves = np.arange(1.0, n + 1)
        threshold = critical_placebo(moves, 0.05)
        assert placebo_p(moves, np.array(threshold)) >= 0.05
        assert placebo_p(moves, np.array(threshold + 0.5)) < 0.05


class TestRanks:
    def test_a_shift_that_meets_a_missing_return_does_not_count(self):
        rng = np.random.default_rng(6)
        y, x = rng.normal(size=(2, 11, 20))
        y[3, 7] = np.nan
        fit = fit_bars(y[:10], y[10], x[:10], x[10], middles=(np.arange(20) + 0.5) / 20, minutes=5)
        row = assess_bars(fit, 4, 3, **OPTIONS)
        assert row.p_smallest == pytest.approx(1 / (200 - 3 + 1), rel=1e-12)

    def test_short_windows_are_ranked_among_the_session_itself(self, fit, rows):
        assert rows["own"].p_own_session is None
        a, d = fit.event_residuals, fit.scale
        carried = [abs(a[j] / d[j]) * d[24] for j in range(30) if j != 24]
        reached = sum(value >= rows["holds"].estimate for value in carried)
        assert rows["holds"].p_own_session == (1 + reached) / 30

    def test_the_same_clock_speaks_from_nineteen_sessions(self):
        rng = np.random.default_rng(7)
        y = rng.normal(size=(20, 16))
        fit = fit_bars(y[:19], y[19], middles=(np.arange(16) + 0.5) / 16, minutes=5)
        row = assess_bars(fit, 3, 2, **OPTIONS)
        window = sum_bars(fit, 3, 2)
        moves = [
            abs(sum(fit.residuals[s, c] for c in (3, 4))) / statistics.median(np.abs(fit.residuals[s] / fit.scale))
            for s in range(19)
        ]
        reached = sum(m * fit.event_move >= abs(window.estimate) * window.own_share for m in moves)
        assert row.p_same_clock == pytest.approx((1 + reached) / 20, rel=1e-12)
        assert row.p_same_clock >= 1 / 20


def row_with(rows, **changes):
    return dataclasses.replace(rows["own"], **changes)


class TestOutcomes:
    @pytest.mark.parametrize(
        ("changes", "outcome"),
        [
            ({"p_star": 0.01}, "found"),
            ({"p_star": 0.01, "ci90": (0.001, 0.015)}, "detectable_but_small"),
            ({"p_star": 0.07, "p_placebo": 0.07, "p_companion": 0.04, "p_raw": 0.3}, "borderline"),
            ({"p_star": 0.07, "p_placebo": 0.07, "p_companion": 0.06, "p_raw": 0.3}, "no_detectable_effect"),
            ({"p_star": 0.30, "p_placebo": 0.30, "p_companion": 0.01}, "no_detectable_effect"),
            ({"p_star": 0.30, "p_placebo": 0.30, "ci90": (-0.012, 0.015)}, "smaller_than_bound"),
            ({"p_star": 0.30, "p_placebo": 0.30, "ci90": None}, "no_detectable_effect"),
        ],
    )
    def test_the_first_that_applies(self, rows, changes, outcome):
        (row,) = decide_bars([row_with(rows, **changes)], n_sessions=10, significance=0.05, bound=0.02)
        assert row.outcome == outcome

    def test_a_window_that_cannot_be_computed_does_not_count_for_holm(self, rows):
        gone, own = decide_bars([None, row_with(rows, p_star=0.03)], n_sessions=10, significance=0.05, bound=0.02)
        assert gone is None
        assert own.p_holm == 0.03


class TestReversal:
    def test_a_full_reversal_is_said_only_when_all_three_hold(self, rows):
        first = row_with(rows, estimate=-0.03, p_holm=0.01)
        second = row_with(rows, estimate=0.03, p_holm=0.01)
        share = share_with(0.7, 1.3)
        assert is_reversal(first, second, share, significance=0.05)
        assert not is_reversal(first, row_with(rows, estimate=-0.03, p_holm=0.01), share, significance=0.05)
        assert not is_reversal(first, row_with(rows, estimate=0.03, p_holm=0.06), share, significance=0.05)
        assert not is_reversal(first, second, share_with(0.45, 1.3), significance=0.05)
        assert not is_reversal(first, second, share_with(0.7, 1.55), significance=0.05)


def share_with(lower: float, upper: float):
    from event_impact.inference.sequence import FiellerSet

    return FiellerSet("interval", 1.0, lower, upper)
