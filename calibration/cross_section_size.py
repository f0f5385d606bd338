"""How often does each statistic of a sample reject when nothing happened?

    python calibration/cross_section_size.py                         simulated designs
    python calibration/cross_section_size.py --errors t4
    python calibration/cross_section_size.py --panel PRICES          every date of a real panel as a placebo

The designs: A long estimation window and long event window; B short estimation window; C, F one
date with correlated residuals (.10, .40); D one-day window; E ten events; G event variance 2.25
times the ordinary; H five overlapping dates with correlation .10; I ten dates far apart, .30.
A panel is a CSV or Parquet file with ``date,ticker`` and ``close`` (prices adjusted for dividends)
or ``ret``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.layout import BatchDesign, BatchPanel, lay_out_model
from event_impact.many.sample import STATISTIC_NAMES, SampleResult, assess_sample, judge_events

LEVELS = (0.05, 0.01)
RECOMMENDED = "recommended"  # whatever statistic a sample's own recommendation names
LARGEST_RETURN = 0.75  # of a real daily return; beyond it a recycled ticker is likelier than news


@dataclass(frozen=True)
class SizeDesign:
    """One simulated situation without any effect."""

    label: str
    n_events: int
    n_estimation: int
    n_event: int
    correlation: float = 0.0
    event_variance: float = 1.0
    n_dates: int = 1
    spacing: int = 2

    @property
    def windows(self) -> EventWindows:
        """Event window from rel_session 0, estimation window right before a gap of ten."""
        return EventWindows(-10 - self.n_estimation, -11, 0, self.n_event - 1)


DESIGNS = (
    SizeDesign("A: N=50 L=250 W=21", 50, 250, 21),
    SizeDesign("B: N=50 L=60 W=21", 50, 60, 21),
    SizeDesign("C: one date, corr .10, N=50 L=250 W=5", 50, 250, 5, correlation=0.10),
    SizeDesign("D: N=50 L=250 W=1", 50, 250, 1),
    SizeDesign("E: N=10 L=120 W=11", 10, 120, 11),
    SizeDesign("F: one date, corr .40, N=20 L=250 W=1", 20, 250, 1, correlation=0.40),
    SizeDesign("G: event variance x2.25, N=50 L=250 W=1", 50, 250, 1, event_variance=2.25),
    SizeDesign("H: five dates two apart, corr .10, N=50 L=250 W=5", 50, 250, 5, correlation=0.10, n_dates=5),
    SizeDesign("I: ten dates 30 apart, corr .30, N=50 L=250 W=3", 50, 250, 3, correlation=0.30, n_dates=10, spacing=30),
)


def draw_errors(rng: np.random.Generator, shape: tuple[int, ...], errors: str) -> np.ndarray:
    """Unit-variance errors: ``normal`` or ``t4``."""
    return rng.normal(size=shape) if errors == "normal" else rng.standard_t(4, size=shape) / np.sqrt(2.0)


def simulate_sample(design: SizeDesign, rng: np.random.Generator, *, errors: str) -> SampleResult:
    """One sample without an effect: sd of the market 1 %, of the residual 2 %, beta 0.5 to 1.5.

    With correlation 0 every firm has a market of its own, so that events on one position of the
    calendar are independent all the same; otherwise all share one market.
    """
    windows, n = design.windows, design.n_events
    n_sessions = -windows.estimation_first + windows.n_event + design.spacing * (design.n_dates - 1)
    shared = design.correlation > 0
    market = 0.01 * draw_errors(rng, (1 if shared else n, n_sessions), errors)
    noise = np.sqrt(1 - design.correlation) * draw_errors(rng, (n, n_sessions), errors)
    noise += np.sqrt(design.correlation) * draw_errors(rng, (1, n_sessions), errors)
    sessions = -windows.estimation_first + design.spacing * (np.arange(n) % design.n_dates)
    for day in range(windows.n_event):
        noise[np.arange(n), sessions + day] *= np.sqrt(design.event_variance)
    returns = 0.0002 + rng.uniform(0.5, 1.5, (n, 1)) * market + 0.02 * noise
    days = np.datetime64("2000-01-01") + np.arange(n_sessions)
    panel = BatchPanel(days, [f"E{i}" for i in range(n)], returns, market[0] if shared else market)
    layout = lay_out_model(panel, "market")
    return assess_sample(layout, estimate_events(layout, np.arange(n), sessions, windows=windows), draws=199)


@dataclass
class Rejections:
    """Counts of computed and rejecting samples, by statistic."""

    computed: dict[str, int]
    rejected: dict[tuple[str, float], int]

    @classmethod
    def count(cls, results: Iterable[SampleResult]) -> Rejections:
        """Run through samples."""
        names = (*STATISTIC_NAMES, RECOMMENDED)
        counts = cls(dict.fromkeys(names, 0), {(n, a): 0 for n in names for a in LEVELS})
        for result in results:
            for name, test in result.tests.items():
                if test.p_value is None:
                    continue
                counts.computed[name] += 1
                for level in LEVELS:
                    counts.rejected[name, level] += test.p_value <= level
        return counts

    def share(self, name: str, level: float) -> float:
        """Rejection rate, NaN where the statistic was never computed."""
        return self.rejected[name, level] / self.computed[name] if self.computed[name] else float("nan")


def simulate_sizes(design: SizeDesign, *, replications: int, errors: str, seed: int) -> Rejections:
    """Rejections over many samples of one design."""
    rng = np.random.default_rng(seed)
    return Rejections.count(simulate_sample(design, rng, errors=errors) for _ in range(replications))


def print_table(columns: dict[str, Rejections], level: float) -> None:
    """Rejection rates in percent, one statistic a row."""
    print(f"\nRejections at {level:.0%}, percent")
    print("| statistic | " + " | ".join(columns) + " |\n|---" + "|---" * len(columns) + "|")
    for name in STATISTIC_NAMES:
        cells = [f"{100 * c.share(name, level):.1f}" if c.computed[name] else "n/a" for c in columns.values()]
        print(f"| {name} | " + " | ".join(cells) + " |")


def read_panel(path: Path, benchmark: str) -> tuple[BatchDesign, int]:
    """Returns of a real panel on the market model; absurd returns become gaps, and are counted."""
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    value = "ret" if "ret" in table.columns else "close"
    table = table.assign(date=pd.to_datetime(table["date"]), ticker=table["ticker"].astype(str))
    wide = table.pivot(index="date", columns="ticker", values=value).sort_index().astype(float)
    returns = wide if value == "ret" else (wide / wide.shift(1) - 1).iloc[1:]
    absurd = returns.abs() > LARGEST_RETURN
    returns = returns.mask(absurd)
    if benchmark not in returns:
        returns[benchmark] = returns.mean(axis=1)
    market = returns.pop(benchmark).to_numpy()
    panel = BatchPanel(returns.index.to_numpy(), tuple(returns.columns), returns.to_numpy().T, market)
    return lay_out_model(panel, "market"), int(absurd.to_numpy().sum())


def run_placebos(design: BatchDesign, *, windows: EventWindows, samples: int, sample_size: int, seed: int) -> None:
    """Every session of a panel as a sample of all its tickers, and random samples of single events."""
    n_tickers, n_sessions = design.outcome.shape
    tickers, sessions = (a.ravel() for a in np.meshgrid(np.arange(n_tickers), np.arange(n_sessions), indexing="ij"))
    estimates = estimate_events(design, tickers, sessions, windows=windows)
    used = np.flatnonzero(estimates.is_used)
    print(f"{used.size} placebo events of {n_tickers} tickers on {np.unique(sessions[used]).size} sessions")
    p = judge_events(design, estimates)
    for name, values in (("t", p.t), ("sample_quantile", p.sample_quantile), ("conformal", p.conformal)):
        values = values[np.isfinite(values)]
        if values.size:
            print(
                f"single events, p_{name}: {(values <= 0.05).mean():.2%} at 5 %, {(values <= 0.01).mean():.2%} at 1 %"
            )
    rng = np.random.default_rng(seed)
    by_session = np.split(used[np.argsort(sessions[used], kind="stable")], np.cumsum(np.bincount(sessions[used]))[:-1])
    one_date = Rejections.count(
        assess_sample(design, estimates.select(group), draws=199) for group in by_session if group.size >= 20
    )
    drawn = Rejections.count(
        assess_sample(design, estimates.select(rng.choice(used, sample_size, replace=False)), draws=199)
        for _ in range(samples)
    )
    for level in LEVELS:
        print_table({"all tickers, every date": one_date, f"{samples} random samples of {sample_size}": drawn}, level)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=600)
    parser.add_argument("--errors", choices=["normal", "t4"], default="normal")
    parser.add_argument("--seed", type=int, default=20260202)
    parser.add_argument("--panel", type=Path)
    parser.add_argument("--benchmark", default="SPY", help="ticker; the equally weighted mean if the panel lacks it")
    parser.add_argument("--last", type=int, default=0, help="last rel_session of the event window, from 0")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--sample-size", type=int, default=50)
    options = parser.parse_args()
    if options.panel:
        design, absurd = read_panel(options.panel, options.benchmark)
        print(f"{absurd} returns beyond +-{LARGEST_RETURN:.0%} left out")
        windows = EventWindows(-260, -11, 0, options.last)
        run_placebos(
            design, windows=windows, samples=options.samples, sample_size=options.sample_size, seed=options.seed
        )
        return
    print(
        f"{options.replications} replications, {options.errors} errors, seed {options.seed}; standard error of a "
        f"5 % rate {100 * (0.05 * 0.95 / options.replications) ** 0.5:.1f} points"
    )
    columns = {
        design.label: simulate_sizes(
            design, replications=options.replications, errors=options.errors, seed=options.seed + k
        )
        for k, design in enumerate(DESIGNS)
    }
    for level in LEVELS:
        print_table(columns, level)


if __name__ == "__main__":
    main()
