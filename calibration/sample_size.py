"""Sizes of every statistic of a sample for 5, 20 and 200 events in ten designs without any effect.

    python -m calibration.sample_size                    all of them, some minutes
    python -m calibration.sample_size --events 20 --designs staggered

Market model on 120 sessions, event window of three. Independent events lie on dates whose windows share no day, each
with a market of its own; ``one date`` and ``staggered`` share market and a shock of the stated share of variance.
``common shock x2`` is one date with correlation .1 whose shared shock is twice as large on the event days.
The table in ``sample_size.md`` was made with the defaults.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.layout import BatchPanel, lay_out_model
from event_impact.many.sample import STATISTIC_NAMES, SampleResult, assess_sample

from calibration.cross_section_size import LEVELS, Rejections

WINDOWS = EventWindows(-130, -11, -1, 1)
FIRST = 131  # session of the first event
DRAWS = 199


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


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=1_000)
    parser.add_argument("--events", type=int, nargs="*", default=[5, 20, 200])
    parser.add_argument("--designs", nargs="*", default=list(SITUATIONS))
    parser.add_argument("--seed", type=int, default=20260202)
    options = parser.parse_args()
    error = 100 * (0.05 * 0.95 / options.replications) ** 0.5
    print(f"{options.replications} replications, seed {options.seed}, standard error of a 5 % rate {error:.1f} points")
    for n in options.events:
        found = {}
        for k, name in enumerate(options.designs):
            rng = np.random.default_rng([options.seed, n, k])
            found[name] = Rejections.count(simulate(SITUATIONS[name], n, rng) for _ in range(options.replications))
        for level in LEVELS:
            print(f"\n## {n} events, rejections at {level:.0%}, percent\n")
            print("| statistic | " + " | ".join(found) + " |\n|---" + "|---" * len(found) + "|")
            for name in STATISTIC_NAMES:
                cells = [f"{100 * c.share(name, level):.1f}" if c.computed[name] else "n/a" for c in found.values()]
                print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
