"""The fit on bars against explicit loops from its formulas, statsmodels, and the measured figures of two event hours."""

from __future__ import annotations

import dataclasses
import math
import statistics

import numpy as np
import pytest
import statsmodels.api as sm
from event_impact.base.errors import EstimationError
from event_impact.estimation.bar_fit import fit_bars, fit_grid, fit_scale, median_move, sum_bars
from minute_bars import REFERENCE, TARIFF, TESLA, grid_of


@pytest.fixture(scope="module")
def grid():
    return grid_of("TSLA", "QQQ", TESLA)


@pytest.fixture(scope="module")
def fit(grid):
    return fit_grid(grid)


class Loops:
    """Every figure of 5 April 2024 once more, in plain Python without arrays."""

    def __init__(self, grid) -> None:
        firm, market = grid.prices.tolist(), grid.benchmark.tolist()
        self.returns = [[row[c + 1] / row[c] - 1 for c in range(30)] for row in firm]
        self.market = [[row[c + 1] / row[c] - 1 for c in range(30)] for row in market]
        y = [r for row in self.returns[:10] for r in row]
        x = [r for row in self.market[:10] for r in row]
        n, mean_x, mean_y = len(y), sum(x) / len(x), sum(y) / len(y)
        self.sxx = sum((a - mean_x) ** 2 for a in x)
        self.beta = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / self.sxx
        self.alpha = mean_y - self.beta * mean_x
        self.e = [[self._error(s, c) for c in range(30)] for s in range(10)]
        self.a = [self._error(10, c) for c in range(30)]
        self.variance = sum(v * v for row in self.e for v in row) / (n - 2)
        self.mean_x, self.n, self.x = mean_x, n, x
        self.d = self._scale()
        scaled = [[self.e[s][c] / self.d[c] for c in range(30)] for s in range(10)]
        self.scaled_variance = sum(v * v for row in scaled for v in row) / (n - 2)
        self.moves = [statistics.median(abs(v) for v in row) for row in scaled]
        self.event_move = statistics.median(abs(a) / d for a, d in zip(self.a, self.d, strict=True))
        self.k = self.event_move / (sum(self.moves) / 10)

    def _error(self, s: int, c: int) -> float:
        return self.returns[s][c] - self.alpha - self.beta * self.market[s][c]

    def _scale(self) -> list[float]:
        share = [[v * v / (sum(w * w for w in row) / 30) for v in row] for row in self.e]
        v = [sum(row[c] for row in share) / 10 for c in range(30)]
        tau = [(6 + 5 * c - 2.5) / 390 for c in range(30)]
        basis = [[1.0, t, t * t, math.exp(-t / 0.04)] for t in tau]
        g = [0.0] * 4
        for _ in range(60):  # Newton on the gamma quasi-likelihood
            mu = [math.exp(sum(b * h for b, h in zip(row, g, strict=True))) for row in basis]
            score = [sum(basis[c][i] * (v[c] / mu[c] - 1) for c in range(30)) for i in range(4)]
            matrix = [
                [sum(basis[c][i] * basis[c][j] * v[c] / mu[c] for c in range(30)) for j in range(4)] for i in range(4)
            ]
            g = [h + step for h, step in zip(g, solve(matrix, score), strict=True)]
        squared = [math.exp(sum(b * h for b, h in zip(row, g, strict=True))) for row in basis]
        mean = sum(squared) / 30
        return [math.sqrt(value / mean) for value in squared]

    def window(self, first: int, m: int) -> dict[str, float]:
        clocks = range(first, first + m)
        x = sum(self.market[10][c] for c in clocks)
        raw = self.variance * (m + m * m / self.n + (x - m * self.mean_x) ** 2 / self.sxx)
        own = self.scaled_variance * sum(self.d[c] ** 2 for c in clocks)
        # (X0'X0)^-1 applied to (m, x): intercept and slope of a line through the estimation sessions
        slope = (x - m * self.mean_x) / self.sxx
        level = m / self.n - slope * self.mean_x
        parameter = sum(self.d[c] ** 2 * (level + slope * self.market[s][c]) ** 2 for s in range(10) for c in range(30))
        scaled = own + self.scaled_variance * parameter
        return {
            "estimate": sum(self.a[c] for c in clocks),
            "raw": math.sqrt(raw),
            "scaled": math.sqrt(scaled),
            "share": math.sqrt(own / scaled),
        }


def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss with the largest pivot."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    n = len(rows)
    for i in range(n):
        best = max(range(i, n), key=lambda r: abs(rows[r][i]))
        rows[i], rows[best] = rows[best], rows[i]
        for r in range(i + 1, n):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    found = [0.0] * n
    for i in reversed(range(n)):
        found[i] = (rows[i][n] - sum(rows[i][j] * found[j] for j in range(i + 1, n))) / rows[i][i]
    return found


@pytest.fixture(scope="module")
def loops(grid):
    return Loops(grid)


class TestTesla:
    def test_the_measured_figures(self, fit):
        assert fit.coefficients == pytest.approx([0.000120616, 1.044218], abs=5e-7)
        assert math.sqrt(fit.variance) == pytest.approx(0.00362447, abs=5e-9)
        assert math.sqrt(fit.variance * 298 / 300) == pytest.approx(0.0036124, abs=5e-8)
        assert math.sqrt(fit.scaled_variance) == pytest.approx(0.00336524, abs=5e-9)
        assert float(fit.day_factor) == pytest.approx(1.547160, abs=5e-7)
        assert float(fit.event_move) == pytest.approx(0.00346472, abs=5e-9)
        assert fit.scale[[0, 12, 24, 29]] == pytest.approx([2.153314, 0.809602, 0.684686, 0.728485], abs=5e-7)

    def test_an_explicit_loop_agrees(self, fit, loops):
        assert fit.coefficients == pytest.approx([loops.alpha, loops.beta], abs=1e-12)
        assert fit.scale == pytest.approx(loops.d, abs=1e-12)
        assert fit.event_residuals == pytest.approx(loops.a, abs=1e-12)
        assert fit.session_moves == pytest.approx(loops.moves, abs=1e-12)
        assert [float(fit.variance), float(fit.scaled_variance), float(fit.day_factor)] == pytest.approx(
            [loops.variance, loops.scaled_variance, loops.k], abs=1e-12
        )

    @pytest.mark.parametrize("name", REFERENCE)
    def test_an_explicit_loop_agrees_on_every_window(self, fit, loops, name):
        found, expected = sum_bars(fit, *REFERENCE[name]), loops.window(*REFERENCE[name])
        ours = (found.estimate, found.raw_std_error, found.scaled_std_error, found.own_share)
        assert [float(value) for value in ours] == pytest.approx(list(expected.values()), abs=1e-12)

    def test_least_squares_by_another_library(self, grid, fit):
        x = sm.add_constant(grid.returns(grid.benchmark).ravel())
        other = sm.OLS(grid.returns(grid.prices).ravel(), x).fit()
        assert fit.coefficients == pytest.approx(other.params, rel=1e-10)
        assert float(fit.variance) == pytest.approx(other.mse_resid, rel=1e-12)

    def test_the_scale_is_a_gamma_regression_with_a_log_link(self, grid, fit):
        squares = fit.residuals**2
        v = (squares / squares.mean(axis=1, keepdims=True)).mean(axis=0)
        t = grid.middles
        basis = np.column_stack([np.ones(30), t, t**2, np.exp(-t / 0.04)])
        other = sm.GLM(v, basis, family=sm.families.Gamma(sm.families.links.Log())).fit(tol=1e-14)
        squared = other.fittedvalues
        assert fit.scale == pytest.approx(np.sqrt(squared / squared.mean()), rel=1e-7)

    def test_scale_and_forecast_errors_do_not_depend_on_the_unit(self, grid, fit):
        args = [100 * a for a in (grid.returns(grid.prices), grid.event_steps(grid.prices))]
        market = [100 * a for a in (grid.returns(grid.benchmark), grid.event_steps(grid.benchmark))]
        percent = fit_bars(*args, *market, middles=grid.middles, minutes=5)
        assert percent.scale == pytest.approx(fit.scale, rel=1e-10)
        assert sum_bars(percent, 0, 24).scaled_std_error == pytest.approx(
            100 * sum_bars(fit, 0, 24).scaled_std_error, rel=1e-10
        )


@pytest.mark.parametrize(
    ("ticker", "benchmark", "minutes", "factor"), [("QQQ", "", 5, 5.10), ("META", "QQQ", 5, 3.20), ("RSP", "", 1, 4.10)]
)
def test_the_session_of_the_tariff_rumour_was_three_to_five_times_as_volatile(ticker, benchmark, minutes, factor):
    assert float(fit_grid(grid_of(ticker, benchmark, TARIFF, minutes)).day_factor) == pytest.approx(factor, abs=0.005)


def without_price(grid, place):
    prices = grid.prices.copy()
    prices[-1, place] = np.nan
    return dataclasses.replace(grid, prices=prices)


class TestMissingBars:
    def test_an_estimation_return_that_is_missing_is_left_out(self, grid):
        returns, market = grid.returns(grid.prices).copy(), grid.returns(grid.benchmark)
        returns[3, 4] = np.nan
        fit = fit_bars(
            returns, grid.event_steps(grid.prices), market, grid.event_steps(grid.benchmark),
            middles=grid.middles, minutes=5,
        )  # fmt: skip
        kept = np.isfinite(returns)
        other = sm.OLS(returns[kept], sm.add_constant(market[kept])).fit()
        assert fit.coefficients == pytest.approx(other.params, rel=1e-9)
        assert int(fit.df) == 297
        assert np.isnan(fit.residuals[3, 4])

    def test_a_missing_bar_inside_a_window_leaves_its_sum_whole(self, grid, fit):
        grid = without_price(grid_of("TSLA", "QQQ", TESLA), 10)
        found, whole = (float(sum_bars(f, 0, 24).estimate) for f in (fit_grid(grid), fit))
        a, b, c = grid_of("TSLA", "QQQ", TESLA).prices[-1, 9:12]
        x, y, z = grid.benchmark[-1, 9:12]
        beta = float(fit.coefficients[1])
        bridged = (c / a - b / a - c / b + 1) - beta * (z / x - y / x - z / y + 1)
        assert found - whole == pytest.approx(bridged, abs=1e-12)

    def test_returns_that_span_a_gap_do_not_count_for_the_factor_of_the_day(self):
        grid = without_price(grid_of("TSLA", "", TESLA), 10)
        fit = fit_grid(grid)
        sizes = np.delete(np.abs(fit.event_residuals / fit.scale), [9, 10])
        assert float(fit.event_move) == pytest.approx(np.median(sizes), rel=1e-12)


class TestKernels:
    def test_many_draws_at_once_are_the_draws_one_by_one(self):
        rng = np.random.default_rng(8)
        y, x = rng.normal(size=(2, 3, 5, 20))
        middles = (np.arange(20) + 0.5) / 20
        first = np.array([2, 7, 4])
        both = fit_bars(y[:, :-1], y[:, -1], x[:, :-1], x[:, -1], middles=middles, minutes=5)
        together = sum_bars(both, first, 6)
        for i in range(3):
            one = fit_bars(y[i, :-1], y[i, -1], x[i, :-1], x[i, -1], middles=middles, minutes=5)
            alone = sum_bars(one, first[i], 6)
            for name in ("estimate", "raw_std_error", "scaled_std_error", "own_share", "scale"):
                assert getattr(together, name)[i] == pytest.approx(getattr(alone, name), rel=1e-10)

    def test_moves_of_five_minutes_are_overlapping_sums_of_one_minute_bars(self):
        scaled = np.arange(12.0) * np.array([1, -1] * 6)
        sums = [abs(sum(scaled[i : i + 5])) for i in range(8)]
        assert float(median_move(scaled, 5)) == statistics.median(sums)

    def test_the_scale_follows_a_known_curve(self):
        rng = np.random.default_rng(11)
        t = (np.arange(78) + 0.5) / 78
        true = np.exp(0.5 * (-1.0 - 2.0 * t + 2.2 * t**2 + 1.5 * np.exp(-t / 0.04)))
        found = fit_scale(rng.normal(size=(400, 78)) * true, t)
        assert found == pytest.approx(true / math.sqrt((true**2).mean()), rel=0.06)

    def test_one_wild_bar_does_not_rule_the_scale(self):
        rng = np.random.default_rng(12)
        residuals = rng.normal(size=(10, 78))
        t = (np.arange(78) + 0.5) / 78
        residuals[4, 40] = 1e6
        assert fit_scale(residuals, t).max() < math.sqrt(78)

    def test_few_clocks_have_a_flat_scale(self):
        assert (fit_scale(np.random.default_rng(1).normal(size=(10, 7)), np.arange(7) / 7) == 1).all()

    @pytest.mark.parametrize(("y", "x"), [(1.0, None), (None, 0.0)])
    def test_what_does_not_move_cannot_be_fitted(self, y, x):
        rng = np.random.default_rng(2)
        returns = rng.normal(size=(5, 12)) if y is None else np.full((5, 12), 0.0)
        market = rng.normal(size=(5, 12)) if x is None else np.full((5, 12), x)
        with pytest.raises(EstimationError, match=r"not (move|vary)"):
            fit_bars(returns, returns[0], market, market[0], middles=np.arange(12) / 12, minutes=5)
