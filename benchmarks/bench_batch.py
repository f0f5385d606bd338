"""Speed and memory of the batch engine.

    python benchmarks/bench_batch.py                 1e3 .. 1e6 events on a simulated panel
    python benchmarks/bench_batch.py --quick         up to 1e5
    python benchmarks/bench_batch.py --panel PRICES  a real panel too: every ticker and date as an event

Rates are events per CPU-second of one thread unless said otherwise, best of three; memory is the
peak of a fresh process that does nothing else. The peers are a loop over statsmodels and a loop
over numpy's least squares. Every run prints the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from event_impact.estimation.models import PEER_MODELS
from event_impact.many import parametric_tests as cross_section_parametric
from event_impact.many import resampling as cross_section_resampling
from event_impact.many import sample as cross_section
from event_impact.many.each_event import estimate_sample
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.layout import EACH_EVENT_MODELS, BatchDesign, BatchPanel, lay_out_model
from event_impact.many.sample import judge_events

N_TICKERS, N_SESSIONS = 637, 1_663


def simulate_panel(n_sessions: int = N_SESSIONS) -> BatchDesign:
    """Returns of 637 tickers over six years, one in ten thousand missing, as real ones are."""
    rng = np.random.default_rng(1)
    market = rng.normal(0, 0.01, n_sessions)
    returns = 0.0002 + 1.1 * market + rng.normal(0, 0.02, (N_TICKERS, n_sessions))
    returns[rng.random(returns.shape) < 1e-4] = np.nan
    days = np.datetime64("2000-01-01") + np.arange(n_sessions)
    factors = {name: rng.normal(0, 0.005, n_sessions) for name in ("rf", "mkt_rf", "smb", "hml", "rmw", "cma", "mom")}
    return lay_out_model(BatchPanel(days, [f"T{i}" for i in range(N_TICKERS)], returns, market, factors), "market")


def draw_events(design: BatchDesign, n: int, windows: EventWindows) -> tuple[np.ndarray, np.ndarray]:
    """Random cells of the panel that have room for both windows, in no order."""
    rng = np.random.default_rng(n)
    first, stop = -windows.estimation_first, design.outcome.shape[1] - max(windows.event_last, 0)
    return rng.integers(0, design.outcome.shape[0], n), rng.integers(first, stop, n)


def measure(task: Callable[[], object], repeats: int = 3) -> tuple[float, float]:
    """Best CPU seconds and best wall seconds."""
    cpu, wall = [], []
    for _ in range(repeats):
        start_cpu, start = time.process_time(), time.perf_counter()
        task()
        cpu.append(time.process_time() - start_cpu)
        wall.append(time.perf_counter() - start)
    return min(cpu), min(wall)


def run_core(design: BatchDesign, tickers: np.ndarray, sessions: np.ndarray, windows: EventWindows, workers: int = 1):
    """Model, CAR, t, Patell and BMP."""
    found = estimate_events(design, tickers, sessions, windows=windows, workers=workers, keep_model=False)
    scar = found.scar
    if not found.is_used.all():
        scar = scar[found.is_used]
    return cross_section_parametric.patell(scar, found.df[found.is_used]), cross_section_parametric.bmp(scar)


def run_all(
    design: BatchDesign, tickers: np.ndarray, sessions: np.ndarray, windows: EventWindows, *, ranks: bool, draws: int
):
    """Every statistic, with or without the day ranks and the resampling."""
    found = estimate_events(design, tickers, sessions, windows=windows)
    return cross_section.assess_sample(design, found, with_ranks=ranks, draws=draws)


def loop_statsmodels(
    design: BatchDesign, tickers: np.ndarray, sessions: np.ndarray, windows: EventWindows
) -> np.ndarray:
    """What most scripts do: one OLS an event; NaN where a day is missing."""
    import statsmodels.api as sm

    market, scars = design.regressors[0][0], np.empty(tickers.size)
    for i, (ticker, at) in enumerate(zip(tickers, sessions, strict=True)):
        y = design.outcome[ticker]
        rows = slice(at + windows.estimation_first, at + windows.estimation_last + 1)
        days = slice(at + windows.event_first, at + windows.event_last + 1)
        fit = sm.OLS(y[rows], sm.add_constant(market[rows])).fit()
        gap = market[days] - market[rows].mean()
        sxx = ((market[rows] - market[rows].mean()) ** 2).sum()
        width = windows.n_event
        factor = width + width**2 / windows.n_estimation + gap.sum() ** 2 / sxx
        ar = y[days] - fit.params[0] - fit.params[1] * market[days]
        scars[i] = ar.sum() / np.sqrt(fit.mse_resid * factor)
    return scars


def peak_memory(kind: str, n: int) -> float:
    """Gigabytes that a fresh process needs at its peak."""
    command = [sys.executable, __file__, "--memory", kind, "--events", str(n)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])["peak_gb"]


def report_memory(kind: str, n: int) -> None:
    """Run one task and print the peak of this process."""
    design, windows = simulate_panel(), EventWindows(-260, -11, -10, 10)
    tickers, sessions = draw_events(design, n, windows)
    if kind == "core":
        run_core(design, tickers, sessions, windows)
    else:
        run_all(design, tickers, sessions, windows, ranks=True, draws=0)
    print(json.dumps({"peak_gb": read_peak()}))


def read_peak() -> float:
    """Peak resident gigabytes of this process; getrusage would inherit the parent's on Linux."""
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def describe_machine() -> str:
    """Processor, cores, versions."""
    name = platform.processor() or "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}"


def print_sizes(design: BatchDesign, largest: int) -> None:
    """Events per CPU-second and peak memory as the number of events grows."""
    windows = EventWindows(-260, -11, -10, 10)
    three = EventWindows(-260, -11, -1, 1)
    print("\nL = 250, W = 21 (W = 3 in the third column); memory with W = 21 and every statistic but resampling")
    heads = ["events", "core", "all but ranks and draws, W = 3", "same, W = 21", "with ranks, W = 21"]
    heads += ["core on 2 threads: events/s, gain", "GB core", "GB all"]
    print("| " + " | ".join(heads) + " |")
    print("|---" * 8 + "|")
    for n in [10**k for k in range(3, 7) if 10**k <= largest]:
        tickers, sessions = draw_events(design, n, windows)
        repeats = 5 if n < 10**6 else 3
        core, wall = measure(lambda t=tickers, s=sessions: run_core(design, t, s, windows), repeats)
        _, both = measure(lambda t=tickers, s=sessions: run_core(design, t, s, windows, workers=2), repeats)
        rates = []
        for chosen, ranks in ((three, False), (windows, False), (windows, True)):
            cpu, _ = measure(
                lambda t=tickers, s=sessions, w=chosen, r=ranks: run_all(design, t, s, w, ranks=r, draws=0), 1
            )
            rates.append(f"{n / cpu:,.0f}")
        print(
            f"| {n:,} | {n / core:,.0f} | {' | '.join(rates)} | {n / both:,.0f}, {wall / both:.2f} "
            f"| {peak_memory('core', n):.2f} | {peak_memory('all', n):.2f} |",
            flush=True,
        )


def print_growth(n: int) -> None:
    """Cost as the windows grow: the core must not feel L."""
    design = simulate_panel(3_000)
    print(f"\nCore and every statistic but draws, {n:,} events, 3,000 sessions, events per CPU-second")
    print("| L | W | core | all |\n|---|---|---|---|")
    for length, width in ((60, 3), (120, 3), (250, 1), (250, 3), (250, 11), (250, 21), (500, 3), (1000, 3)):
        windows = EventWindows(-10 - width - length, -11 - width, -(width // 2), width - 1 - width // 2)
        tickers, sessions = draw_events(design, n, windows)
        core, _ = measure(lambda t=tickers, s=sessions, w=windows: run_core(design, t, s, w))
        every, _ = measure(lambda t=tickers, s=sessions, w=windows: run_all(design, t, s, w, ranks=True, draws=0), 1)
        print(f"| {length} | {width} | {n / core:,.0f} | {n / every:,.0f} |", flush=True)


def print_single_events(design: BatchDesign, n: int) -> None:
    """Tests of single events, and resampling."""
    windows = EventWindows(-260, -11, 0, 0)
    tickers, sessions = draw_events(design, n, windows)
    found = estimate_events(design, tickers, sessions, windows=windows)
    cpu, _ = measure(lambda: judge_events(design, found), 1)
    print(f"\nt, sample-quantile and conformal p of single events: {n / cpu:,.0f} events per CPU-second")
    car = found.car[found.is_used]
    block, resampling = np.arange(car.size) % 500, cross_section_resampling
    for name, task in (
        ("sign_flip", lambda: resampling.sign_flip(car, draws=1_999, seed=1)),
        ("wild_bootstrap, 500 blocks", lambda: resampling.wild_bootstrap(car, block, draws=1_999, seed=1)),
        (
            "event_block_bootstrap, 500 blocks",
            lambda: resampling.event_block_bootstrap(car, block, draws=1_999, seed=1),
        ),
        ("bhar_skewness_adjusted", lambda: resampling.bhar_skewness_adjusted(car, draws=1_999, seed=1)),
    ):
        cpu, _ = measure(task, 1)
        print(f"{name}: {1_999 * car.size / cpu:,.0f} draws x N per CPU-second")


def print_peers(design: BatchDesign, n: int = 1_000) -> None:
    """The loop that the engine replaces."""
    windows = EventWindows(-260, -11, -10, 10)
    tickers, sessions = draw_events(design, n, windows)
    cpu, _ = measure(lambda: loop_statsmodels(design, tickers, sessions, windows), 1)
    found = estimate_events(design, tickers, sessions, windows=windows)
    gap = np.nanmax(np.abs(loop_statsmodels(design, tickers, sessions, windows) - found.scar))
    print(f"\nstatsmodels loop: {n / cpu:,.0f} events per CPU-second (largest difference of a SCAR {gap:.1e})")


def print_each_event(n: int = 1_000) -> None:
    """Models that are fitted event by event, with five controls where they need any."""
    panel, windows = simulate_panel(), EventWindows(-260, -11, -1, 1)
    names = [f"T{i}" for i in range(N_TICKERS)]
    panel = BatchPanel(
        np.datetime64("2000-01-01") + np.arange(N_SESSIONS), names, panel.outcome, panel.regressors[0][0]
    )
    tickers, sessions = draw_events(lay_out_model(panel, "market"), n, windows)
    controls = np.empty(n, dtype=object)
    for at, row in enumerate(tickers):
        controls[at] = tuple(f"T{(row + k) % N_TICKERS}" for k in range(1, 6))
    for model in ("market", *EACH_EVENT_MODELS):
        design = lay_out_model(panel, model)
        given = {"windows": windows, "controls": controls if model in PEER_MODELS else None}
        cpu, _ = measure(lambda d=design, g=given: estimate_sample(d, tickers, sessions, **g), 1)
        every, _ = measure(lambda d=design, g=given: assess_any(d, tickers, sessions, **g), 1)
        print(f"{model}: {n / cpu:,.0f} events per CPU-second, {n / every:,.0f} with every statistic")


def assess_any(design: BatchDesign, tickers: np.ndarray, sessions: np.ndarray, **given: object) -> object:
    """Every statistic of a sample, whatever its model."""
    return cross_section.assess_sample(design, estimate_sample(design, tickers, sessions, **given))


def print_panel(path: Path, benchmark: str) -> None:
    """All dates of a real panel as placebo events."""
    from calibration.cross_section_size import read_panel

    design, _ = read_panel(path, benchmark)
    tickers, sessions = (a.ravel() for a in np.meshgrid(*(np.arange(k) for k in design.outcome.shape), indexing="ij"))
    for width in (1, 21):
        windows = EventWindows(-260, -11, 0, width - 1)
        cpu, wall = measure(lambda w=windows: run_core(design, tickers, sessions, w))
        _, both = measure(lambda w=windows: run_core(design, tickers, sessions, w, workers=2))
        used = int(estimate_events(design, tickers, sessions, windows=windows, keep_model=False).is_used.sum())
        print(
            f"real panel, W = {width}: {tickers.size:,} ticker-dates, {used:,} usable placebo events: {cpu:.2f} CPU s, "
            f"{wall:.2f} s, two threads {both:.2f} s"
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--panel", type=Path)
    parser.add_argument("--benchmark", default="SPY")
    parser.add_argument("--memory", choices=["core", "all"], help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, default=1_000, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        report_memory(options.memory, options.events)
        return
    print(describe_machine())
    design = simulate_panel()
    print_sizes(design, 10**5 if options.quick else 10**6)
    print_growth(10**5)
    print_single_events(design, 10**5)
    print_peers(design)
    print_each_event()
    if options.panel:
        print_panel(options.panel, options.benchmark)


if __name__ == "__main__":
    main()
