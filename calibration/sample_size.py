"""Sizes of every statistic of a sample for 5, 20 and 200 events in ten designs without any effect.

    python -m calibration.sample_size                    what is missing of 8,000 samples a design, an hour of all
    python -m calibration.sample_size --events 20 --designs staggered --anew
    python -m calibration.sample_size --table            the stored sizes as the page shows them

Market model on 120 sessions, event window of three. Independent events lie on dates whose windows share no day, each
with a market of its own; ``one date`` and ``staggered`` share market and a shock of the stated share of variance.
``common shock x2`` is one date with correlation .1 whose shared shock is twice as large on the event days.
Samples come in lots of 2,000, each with a seed of its own that follows from design, N and lot, and every lot is stored
with those before it: a run that was interrupted goes on where it stopped and gives the same numbers.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.layout import BatchPanel, lay_out_model
from event_impact.many.sample import SampleResult, assess_sample

from calibration.cross_section_size import RECOMMENDED, Rejections

WINDOWS = EventWindows(-130, -11, -1, 1)
FIRST = 131  # session of the first event
DRAWS = 199
LOT = 2_000
KEY = ["events", "design", "statistic", "level"]
RESULTS, PAGE = Path(__file__).parent / "results" / "sample_size.csv", Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Situation:
    """One design.

    Attributes
    ----------
    errors : str
        ``normal``, ``t4``, ``garch_t5`` or ``skewed``, of unit variance.
    spacing : int
        Sessions from one event to the next; 0 puts all on one date.
    correlation : float
        Share of the variance that a common shock has.
    own_sd, shock_sd : float
        Standard deviation of own and common errors on event days, in units of other days.
    """

    errors: str = "normal"
    spacing: int = 3
    correlation: float = 0.0
    own_sd: float = 1.0
    shock_sd: float = 1.0


SITUATIONS = {
    "normal": Situation(),
    "t4": Situation("t4"),
    "GARCH-t5": Situation("garch_t5"),
    "skewed": Situation("skewed"),
    "one date, 0": Situation("t4", spacing=0),
    "one date, .1": Situation("t4", spacing=0, correlation=0.1),
    "one date, .3": Situation("t4", spacing=0, correlation=0.3),
    "staggered": Situation("t4", spacing=1, correlation=0.1),
    "event variance x2": Situation("t4", own_sd=2**0.5),
    "common shock x2": Situation("t4", spacing=0, correlation=0.1, shock_sd=2.0),
}


def draw_errors(rng: np.random.Generator, shape: tuple[int, int], kind: str) -> np.ndarray:
    """Errors of unit variance, rows independent."""
    if kind == "normal":
        return rng.normal(size=shape)
    if kind == "t4":
        return rng.standard_t(4, size=shape) / np.sqrt(2.0)
    if kind == "skewed":
        return (rng.chisquare(4, size=shape) - 4) / np.sqrt(8.0)
    shocks = rng.standard_t(5, size=shape) * np.sqrt(3 / 5)
    found, variance = np.empty(shape), np.ones(shape[0])
    for day in range(shape[1]):
        found[:, day] = np.sqrt(variance) * shocks[:, day]
        variance = 0.05 + 0.10 * found[:, day] ** 2 + 0.85 * variance
    return found


def simulate(situation: Situation, n: int, rng: np.random.Generator) -> SampleResult:
    """One sample of n events."""
    sessions = FIRST + situation.spacing * np.arange(n)
    length = int(sessions[-1]) + 2
    is_shared = situation.spacing < 3
    own = draw_errors(rng, (n, length), situation.errors)
    rows = np.arange(n)
    for day in range(WINDOWS.event_first, WINDOWS.event_last + 1):
        own[rows, sessions + day] *= situation.own_sd
    if situation.correlation:
        shock = draw_errors(rng, (1, length), situation.errors)
        shock[:, FIRST - 1 : int(sessions[-1]) + 2] *= situation.shock_sd
        own = np.sqrt(1 - situation.correlation) * own + np.sqrt(situation.correlation) * shock
    market = 0.01 * rng.normal(size=(1 if is_shared else n, length))
    returns = 0.0002 + rng.uniform(0.5, 1.5, (n, 1)) * market + 0.02 * own
    days = np.datetime64("2000-01-01") + np.arange(length)
    panel = BatchPanel(days, tuple(f"E{i}" for i in rows), returns, market[0] if is_shared else market)
    layout = lay_out_model(panel, "market")
    return assess_sample(layout, estimate_events(layout, rows, sessions, windows=WINDOWS), draws=DRAWS)


def measure(name: str, n: int, *, first: int, seed: int) -> pd.DataFrame:
    """One lot of samples: every statistic, and the one that each sample's own recommendation names, in one design.

    Parameters
    ----------
    first : int
        Samples measured before, 0 for the first lot.

    Returns
    -------
    pandas.DataFrame
        One row a statistic and level: events, design, statistic, level, replications (computed ones), rate; fractions.
    """
    rng = np.random.default_rng([seed, n, list(SITUATIONS).index(name), first])
    results = (simulate(SITUATIONS[name], n, rng) for _ in range(LOT))
    found = Rejections.count(replace(r, tests=r.tests | {RECOMMENDED: r.tests[r.recommended]}) for r in results)
    return pd.DataFrame(
        [
            (n, name, statistic, level, found.computed[statistic], found.share(statistic, level))
            for statistic, level in found.rejected
        ],
        columns=[*KEY, "replications", "rate"],
    )


def pool(lots: list[pd.DataFrame]) -> pd.DataFrame:
    """Several lots as one, with the Monte Carlo error of every rate; rates are whole counts again before they add up."""
    rows = pd.concat(lots)
    rows["rejected"] = (rows["rate"] * rows["replications"]).round()
    table = rows.groupby(KEY, sort=False)[["replications", "rejected"]].sum().reset_index()
    table["rate"] = table.pop("rejected") / table["replications"].where(table["replications"] > 0)
    table["error"] = np.sqrt(table["rate"] * (1 - table["rate"]) / table["replications"])
    return table.sort_values(["events", "level"], ascending=[True, False], kind="stable")


def write_pages(table: pd.DataFrame) -> str:
    """The tables as they stand in the documentation, percent."""
    found = []
    for (n, level), part in table.groupby(["events", "level"], sort=False):
        wide = 100 * part.pivot(index="statistic", columns="design", values="rate")
        wide = wide.loc[part["statistic"].unique(), list(SITUATIONS)]
        count = int(part["replications"].max())
        error = 100 * (level * (1 - level) / count) ** 0.5
        found += [f"## {n} events, rejections at {level:.0%}, percent", ""]
        found += [f"{count:,} samples a design; Monte Carlo error of {100 * level:.0f} %: {error:.2f} points.", ""]
        found += ["| statistic | " + " | ".join(wide.columns) + " |", "|---" + "|---" * len(wide.columns) + "|"]
        for name, row in wide.iterrows():
            found.append(f"| {name} | " + " | ".join(f"{v:.1f}" if v == v else "n/a" for v in row) + " |")
        found.append("")
    return "\n".join(found).rstrip() + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=8_000, help="a design, in lots of 2,000")
    parser.add_argument("--events", type=int, nargs="*", default=[5, 20, 200])
    parser.add_argument("--designs", nargs="*", default=list(SITUATIONS))
    parser.add_argument("--seed", type=int, default=20260202)
    parser.add_argument("--anew", action="store_true", help="forget what is stored of these")
    parser.add_argument("--table", action="store_true", help="render the stored sizes, simulate nothing")
    options = parser.parse_args()
    asked = [] if options.table else list(product(options.events, range(0, options.replications, LOT), options.designs))
    for n, first, name in asked:
        stored = pd.read_csv(RESULTS)
        is_own = (stored["events"] == n) & (stored["design"] == name)
        if options.anew and first == 0:
            stored, is_own = stored[~is_own], is_own[~is_own]
        if stored.loc[is_own, "replications"].max() > first:  # NaN where nothing is stored
            continue
        table = pool([stored, measure(name, n, first=first, seed=options.seed)])
        table.to_csv(RESULTS, index=False, float_format="%.6g", lineterminator="\n")
        print(f"{n} events, {name}: {first + LOT} samples", flush=True)
    text = PAGE.read_text(encoding="utf-8").split("## 5 events")[0]
    PAGE.write_text(text + write_pages(pd.read_csv(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
