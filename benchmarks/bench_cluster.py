"""The batch on a cluster of local processes: same numbers, one worker killed, time and memory.

    python benchmarks/bench_cluster.py --panel PRICES.parquet [--events 1000000] [--workers 3] [--no-kill]
    python benchmarks/bench_cluster.py --instants 1000000

PRICES holds ``date,ticker,close``; closes should be adjusted. ``--instants`` measures how many publication
times are aligned a second. Every run prints the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd
from event_impact.many.files import BatchRequest, run_batch

BENCHMARK = "EQUAL"
KILL_AFTER_SECONDS = 25.0


def write_returns(prices: Path, out: Path) -> int:
    """Long returns of every ticker, and their equally weighted mean as the benchmark."""
    table = pd.read_parquet(prices, columns=["date", "ticker", "close"])
    close = table.assign(ticker=table["ticker"].astype(str)).pivot(index="date", columns="ticker", values="close")
    returns = close.astype(float).pct_change(fill_method=None).iloc[1:]
    returns = returns.where(returns.abs() < 1.0)  # recycled tickers
    returns.insert(0, BENCHMARK, returns.mean(axis=1))
    long = returns.stack().rename("ret").rename_axis(["date", "ticker"]).reset_index()
    long.sort_values(["ticker", "date"]).to_parquet(out, index=False, row_group_size=100_000)
    return returns.shape[1] - 1


def write_events(returns: Path, out: Path, n: int) -> int:
    """Up to ``n`` cells of the panel in no order, each once."""
    table = pd.read_parquet(returns, columns=["date", "ticker"])
    table = table[table["ticker"] != BENCHMARK]
    chosen = table.sample(n=min(n, len(table)), random_state=20260202)
    events = pd.DataFrame({"ticker": chosen["ticker"], "session": chosen["date"].dt.strftime("%Y-%m-%d")})
    events.insert(0, "event_id", np.arange(len(events)).astype(str))
    events.to_parquet(out, index=False)
    return len(events)


def ask(folder: Path, **changes: object) -> BatchRequest:
    """The batch of this benchmark."""
    return BatchRequest(
        folder / "returns.parquet", folder / "events.parquet", BENCHMARK, folder / "out", draws=199, **changes
    )


def peak_gb(who: int = resource.RUSAGE_SELF) -> float:
    """Peak resident memory of this process, or the largest of its dead children."""
    return resource.getrusage(who).ru_maxrss / 1e6


def run_here(folder: Path) -> None:
    """In one process; prints time and memory, keeps the numbers."""
    start = time.perf_counter()
    outcome = run_batch(ask(folder))
    seconds = time.perf_counter() - start
    outcome.events.to_parquet(folder / "here.parquet")
    (folder / "here.json").write_text(json.dumps(outcome.sample))
    print(json.dumps({"seconds": seconds, "peak_gb": peak_gb()}))


class MemoryWatch(threading.Thread):
    """Largest resident memory of some processes, looked at ten times a second."""

    def __init__(self, pids: list[int]) -> None:
        super().__init__(daemon=True)
        self.pids, self.peak, self._is_over = pids, dict.fromkeys(pids, 0.0), threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._is_over.wait(0.1):
            for pid in self.pids:
                try:
                    used = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page / 1e9
                except OSError:
                    continue
                self.peak[pid] = max(self.peak[pid], used)

    def stop(self) -> dict[int, float]:
        """The peaks."""
        self._is_over.set()
        return self.peak


def run_on_cluster(folder: Path, n_workers: int, *, is_killing: bool) -> None:
    """On local worker processes, one of them killed; prints time and memory, keeps the numbers."""
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        with Client(cluster) as client:
            pids = list(client.run(os.getpid).values())
        watch = MemoryWatch([os.getpid(), *pids])
        watch.start()
        if is_killing:
            threading.Timer(KILL_AFTER_SECONDS, os.kill, (pids[0], signal.SIGKILL)).start()
        start = time.perf_counter()
        outcome = run_batch(ask(folder, scheduler=cluster.scheduler_address))
        seconds = time.perf_counter() - start
        peaks = watch.stop()
        with Client(cluster) as client:
            after = set(client.run(os.getpid).values())
    outcome.events.to_parquet(folder / "there.parquet")
    (folder / "there.json").write_text(json.dumps(outcome.sample))
    record = {
        "seconds": seconds,
        "killed": [pid for pid in pids if pid not in after],
        "client_peak_gb": peaks[os.getpid()],
        "worker_peak_gb": [peaks[pid] for pid in pids],
    }
    print(json.dumps(record))


def compare(folder: Path) -> dict[str, float]:
    """Largest relative differences between both runs."""
    here, there = (pd.read_parquet(folder / f"{name}.parquet") for name in ("here", "there"))
    text = ["event_id", "ticker", "session", "status", "reason"]
    pd.testing.assert_frame_equal(here[text], there[text])
    worst = 0.0
    for name in here.columns.difference(text):
        a, b = here[name].to_numpy(dtype=float, na_value=np.nan), there[name].to_numpy(dtype=float, na_value=np.nan)
        assert (np.isnan(a) == np.isnan(b)).all(), name
        gap = np.abs(a - b) / np.maximum(np.abs(a), 1e-300)
        worst = max(worst, float(np.nanmax(np.where(a == b, 0.0, gap), initial=0.0)))
    one, other = (json.loads((folder / f"{name}.json").read_text()) for name in ("here", "there"))
    tests = 0.0
    for name, test in one["tests"].items():
        for key in ("statistic", "p"):
            a, b = test[key], other["tests"][name][key]
            assert (a is None) == (b is None), name
            if a is not None:
                tests = max(tests, abs(a - b) / max(abs(a), 1e-300))
    assert one["overlap"] == other["overlap"]
    gap = abs(one["mean_correlation"] - other["mean_correlation"])
    return {"events_worst": worst, "tests_worst": tests, "mean_correlation_gap": gap, "n": one["n"]}


def measure_instants(n: int) -> None:
    """Publication times aligned a second: text in, sessions out."""
    from event_impact.many.file_tables import align_events

    rng = np.random.default_rng(1)
    start = np.datetime64("2015-01-05T00:00:00") + rng.integers(0, 10 * 365 * 86_400, n).astype("timedelta64[s]")
    width = np.where(rng.random(n) < 0.1, 18 * 3_600, 60).astype("timedelta64[s]")
    events = pd.DataFrame(
        {
            "ticker": "T",
            "session": "",
            "published_earliest": np.char.add(np.datetime_as_string(start), "Z"),
            "published_latest": np.char.add(np.datetime_as_string(start + width), "Z"),
            "exchange": rng.choice(["XNYS", "XHKG", "XLON", "XTKS"], n),
        }
    )
    align_events(events.head(1_000))  # calendars are loaded once
    began = time.perf_counter()
    aligned = align_events(events)
    seconds = time.perf_counter() - began
    ambiguous = int(aligned.is_ambiguous.sum())
    print(f"{n:,} intervals in {seconds:.2f} s: {n / seconds:,.0f} a second ({ambiguous:,} ambiguous)")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--no-kill", action="store_true")
    parser.add_argument("--instants", type=int)
    parser.add_argument("--part", choices=["here", "cluster"])
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.part == "here":
        return run_here(asked.folder)
    if asked.part == "cluster":
        return run_on_cluster(asked.folder, asked.workers, is_killing=not asked.no_kill)
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    )
    if asked.instants:
        measure_instants(asked.instants)
    if asked.panel:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            tickers = write_returns(asked.panel, folder / "returns.parquet")
            events = write_events(folder / "returns.parquet", folder / "events.parquet", asked.events)
            print(f"{tickers} tickers, {events:,} events, {asked.workers} workers")
            more = ["--folder", name, "--workers", str(asked.workers), *(["--no-kill"] if asked.no_kill else [])]
            for part in ("here", "cluster"):
                done = subprocess.run(
                    [sys.executable, __file__, "--part", part, *more], stdout=subprocess.PIPE, text=True, check=True
                )
                print(f"{part}: {done.stdout.strip().splitlines()[-1]}", flush=True)
            print(json.dumps(compare(folder)))
    return None


if __name__ == "__main__":
    main()
