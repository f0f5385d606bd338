"""One firm, 60 sessions of one-minute bars: the fit and every placebo minute, beside a loop over pandas.

    python benchmarks/bench_minutes.py            into benchmarks/history.csv
    python benchmarks/bench_minutes.py --dry-run  measure and print, record nothing

The loop sums the same scaled residuals at each placebo minute of each window by pandas, one at a time; it is measured
on a share of them and scaled up. Both give the same sums, which is checked.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd
from event_impact.estimation.bar_fit import BarFit, BarSum, sum_bars
from event_impact.inference.bar_tests import placebo_moves

from benchmarks.history import HISTORY, Row, record
from calibration.minute_size import MinuteDesign, fit_draws, simulate_bars

SESSIONS, MINUTES = 60, 1
WINDOWS = (1, 5, 10, 30, 60)
LOOPED = 1_000
"""Placebo minutes that the loop is measured on."""


def spend(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds, best of three."""
    spent = []
    for _ in range(3):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        spent.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(spent)


def sum_by_pandas(fit: BarFit, window: BarSum, shifts: range) -> np.ndarray:
    """The placebo sums of some shifts, one after the other."""
    pool, weights = pd.Series(fit.pool[0]), np.asarray(window.scale)[0]
    n, m = len(pool), len(weights)
    return np.array([(pool.iloc[[(shift + i) % n for i in range(m)]] * weights).sum() for shift in shifts])


def main() -> None:
    """Measure, compare, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="record nothing")
    options = parser.parse_args()
    design = MinuteDesign(minutes=MINUTES, sessions=SESSIONS)
    returns, market, first = simulate_bars(design, 1, np.random.default_rng(1))
    fit = fit_draws(design, returns, market)

    def rank_all() -> list[np.ndarray]:
        fitted = fit_draws(design, returns, market)
        return [placebo_moves(fitted.pool, sum_bars(fitted, first, m)) for m in WINDOWS]

    moves = rank_all()
    windows = [sum_bars(fit, first, m) for m in WINDOWS]
    shifts = range(0, moves[0].shape[-1], max(moves[0].shape[-1] // LOOPED, 1))
    for found, window in zip(moves, windows, strict=True):
        assert np.allclose(found[0, list(shifts)], sum_by_pandas(fit, window, shifts), rtol=1e-9, equal_nan=True)
    cpu, wall = spend(rank_all)
    scale = moves[0].shape[-1] / len(shifts)
    loop = tuple(scale * s for s in spend(lambda: [sum_by_pandas(fit, w, shifts) for w in windows]))
    name = f"minutes: {len(WINDOWS)} windows x {moves[0].shape[-1]} placebo minutes"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "history.csv" if options.dry_run else HISTORY
        record([Row(name, cpu, wall, None, "a pandas loop", *loop)], file=file)


if __name__ == "__main__":
    main()
