"""What a user of ``impact batch`` waits for: from files to files, by the command line.

    python benchmarks/bench_files.py                 into benchmarks/history.csv
    python benchmarks/bench_files.py --dry-run       measure and print, record nothing
    python benchmarks/bench_files.py --panel PRICES  a real panel (Parquet: date, ticker, close) in the place of a made one
    python benchmarks/bench_files.py --large         also ten million events on worker processes of limited memory

The made panel has what real ones have: tickers that are listed late or vanish, and single days without a figure. Small
numbers of events are measured beside a loop over statsmodels that reads the same files and tests nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from benchmarks.history import HISTORY, Row, measure, record

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "analysis")}
BENCHMARK = "EQUAL"
N_TICKERS, N_SESSIONS = 637, 1_663
LARGE = 10_000_000
GOALS = {100: "<= .6 CPU-s", 1_000: "<= .6 CPU-s", 10_000: "<= .7 CPU-s", 100_000: "<= 1.5 CPU-s"}


def simulate_returns(n_tickers: int) -> pd.DataFrame:
    """Sessions x tickers: a fifth listed late, a tenth delisted, one figure in ten thousand missing."""
    rng = np.random.default_rng(1)
    market = rng.normal(0, 0.01, (N_SESSIONS, 1))
    returns = 0.0002 + 1.1 * market + rng.normal(0, 0.02, (N_SESSIONS, n_tickers))
    returns[rng.random(returns.shape) < 1e-4] = np.nan
    for ticker in np.flatnonzero(rng.random(n_tickers) < 0.2):
        returns[: rng.integers(N_SESSIONS), ticker] = np.nan
    for ticker in np.flatnonzero(rng.random(n_tickers) < 0.1):
        returns[rng.integers(N_SESSIONS) :, ticker] = np.nan
    days = pd.bdate_range("2019-01-01", periods=N_SESSIONS, name="date")
    return pd.DataFrame(returns, days, pd.Index([f"T{k}" for k in range(n_tickers)], name="ticker"))


def read_returns(prices: Path) -> pd.DataFrame:
    """The same of a file of adjusted closes; what doubled in a day is another firm under the same ticker."""
    table = pd.read_parquet(prices, columns=["date", "ticker", "close"]).astype({"ticker": str, "close": float})
    returns = table.pivot(index="date", columns="ticker", values="close").pct_change(fill_method=None).iloc[1:]
    return returns.where(returns.abs() < 1.0)


def write_files(returns: pd.DataFrame, folder: Path, counts: tuple[int, ...]) -> int:
    """Long returns with their mean as the benchmark, and files of events; gives how many ticker-dates there are."""
    long = returns.stack().rename("ret").rename_axis(["date", "ticker"]).reset_index()
    market = returns.mean(axis=1).rename("ret").rename_axis("date").reset_index().assign(ticker=BENCHMARK)
    held = pd.concat([long, market]).sort_values(["ticker", "date"])
    held.to_parquet(folder / "returns.parquet", index=False, row_group_size=100_000)
    for count in (*counts, len(long)):
        chosen = long.sample(n=count, replace=count > len(long), random_state=20260202)
        events = pd.DataFrame({"ticker": chosen["ticker"], "session": chosen["date"].dt.strftime("%Y-%m-%d")})
        events.insert(0, "event_id", np.arange(count).astype(str))
        events.to_parquet(folder / f"events{count}.parquet", index=False)
    return len(long)


def batch(folder: Path, count: int, *more: str) -> tuple[float, float, float]:
    """The command on some events of a folder."""
    files = {"returns": "returns.parquet", "events": f"events{count}.parquet", "out": f"out{count}"}
    named = [word for name, file in files.items() for word in (f"--{name}", str(folder / file))]
    command = [sys.executable, "-P", "-m", "event_impact.cli.main", "--quiet", "batch", *named]
    return measure([*command, "--benchmark", BENCHMARK, *more], cwd=folder, environment=ENVIRONMENT)


def loop_statsmodels(returns: Path, events: Path) -> None:
    """What most scripts do: one OLS an event, from the same files; three days, no test of the sample."""
    import statsmodels.api as sm

    long = pd.read_parquet(returns)
    wide, asked = long.pivot(index="date", columns="ticker", values="ret"), pd.read_parquet(events)
    places = wide.index.get_indexer(pd.DatetimeIndex(asked["session"]))
    market, cars = wide[BENCHMARK].to_numpy(), []
    columns = {ticker: wide[ticker].to_numpy() for ticker in asked["ticker"].unique()}
    for ticker, at in zip(asked["ticker"], places, strict=True):
        y, rows, days = columns[ticker], slice(max(at - 260, 0), max(at - 10, 0)), slice(at - 1, at + 2)
        known = np.isfinite(y[rows])
        if known.sum() >= 225 and at >= 1:
            fit = sm.OLS(y[rows][known], sm.add_constant(market[rows][known])).fit()
            cars.append((y[days] - fit.params[0] - fit.params[1] * market[days]).sum())
    print(len(cars))


def measure_all(folder: Path, returns: pd.DataFrame) -> list[Row]:
    """Every row, from few events to all."""
    every = write_files(returns, folder, (*GOALS, 1_000_000))
    rows = []
    for count, goal in GOALS.items():
        reference = {}
        if count <= 10_000:
            files = [str(folder / name) for name in ("returns.parquet", f"events{count}.parquet")]
            cpu, wall, _ = measure([sys.executable, __file__, "--loop", *files], cwd=ROOT, environment=ENVIRONMENT)
            reference = {"reference": "a statsmodels loop", "reference_cpu_s": cpu, "reference_wall_s": wall}
        rows.append(Row(f"batch of {count:,} events", *batch(folder, count), **reference, goal=goal))
    alone = batch(folder, 1_000_000)
    rows.append(Row("batch of 1,000,000 events, 3 days", *alone, goal="<= 5 CPU-s, 1 GiB"))
    for width, goal in ((1, 5), (21, 8)):
        spent = batch(folder, every, f"--windows=0:{width - 1}")
        name = f"batch of every date of {returns.shape[1]} tickers, {width} day{'s' * (width > 1)}"
        rows.append(Row(name, *spent, goal=f"<= {goal} CPU-s"))
    spread = batch(folder, 1_000_000, "--scheduler", "local")
    rows.append(Row("the million on local workers", *spread, "one process", alone[0], alone[1], goal="any"))
    return rows


def measure_large(folder: Path) -> list[Row]:
    """Ten million events over ten times as many tickers: in one process, and on local workers."""
    write_files(simulate_returns(10 * N_TICKERS), folder, (LARGE,))
    alone, spread = (
        batch(folder, LARGE, "--draws", "199"),
        batch(folder, LARGE, "--draws", "199", "--scheduler", "local"),
    )
    goal = "<= .7 of the wall time on two cores, 4 GiB"
    return [
        Row("batch of 10,000,000 events", *alone),
        Row("the ten million on local workers", *spread, "one process", alone[0], alone[1], goal=goal),
    ]


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="record nothing")
    parser.add_argument("--panel", type=Path)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--loop", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        return loop_statsmodels(*options.loop)
    returns = read_returns(options.panel) if options.panel else simulate_returns(N_TICKERS)
    with tempfile.TemporaryDirectory(prefix="impact-bench-") as name:
        rows = measure_all(Path(name), returns)
        rows += measure_large(Path(name)) if options.large else []
        record(rows, file=Path(name) / "history.csv" if options.dry_run else HISTORY)
    return None


if __name__ == "__main__":
    main()
