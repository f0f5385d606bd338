"""How often each outcome word falls on days on which nothing happened, and how often the intervals hold the truth.

    nice python -m calibration.outcome_rates --draws 8000 --seed 20260202

Firms that follow their market with a slope of 1.2 and a residual of the kind named, 250 estimation sessions, a gap of
ten, and one, two or three candidate sessions. Every draw goes through the functions that judge a study. Writes
``results/outcome_rates.csv`` and ``results/interval_coverage.csv`` beside this file; a rate of 5 % over 8,000 draws has
a standard error of a quarter of a point, over a tenth of them of three quarters.

There ``fragile`` stands for every detection that is not small. ``results/curve_words.csv`` tells ``effect`` from
``fragile`` among the detections of as many other firms, with 480 sessions more each for the placebo days of the
specification curve: the specifications share the shock of the day, so that nearly every chance detection passes them.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from event_impact.base.config import CURVE_ESTIMATION_SESSIONS, CURVE_GAP_SESSIONS
from event_impact.estimation.garch import GarchParameters, carry_garch, estimate_garch
from event_impact.estimation.models import build_design
from event_impact.estimation.rolling import WindowFits, fit_stack
from event_impact.inference.candidate_set import RowTests, judge_row
from event_impact.inference.deciding_rule import DecidingRule, find_detectable, invert_rule
from event_impact.inference.robustness import LOG, SIMPLE, Asked, Candidate, Choice, estimate_curve
from event_impact.inference.simulation import Process, SimulatedReturns, simulate
from event_impact.study.specifications import ON_BENCHMARK, judge_curve
from scipy import stats

DESIGNS = (
    Process("normal", has_fat_tails=False),
    Process("t4"),
    Process("garch", has_fat_tails=False, has_garch=True, garch=(0.07, 0.91)),
    Process("garch_t5", has_garch=True, tail_df=5, garch=(0.10, 0.85)),
    Process("break_x1.6", recent_factor=1.6, recent_sessions=40),
    Process("event_std_x1.5", event_variance_factor=2.25),
)
"""The break covers the last 30 estimation sessions, the gap and the event; the last raises the event sessions alone."""
LENGTH, GAP, LEVEL = 250, 10, 0.05
CANDIDATES = (1, 2, 3)
BOUND = 3.08
"""Of the claim of smallness, in residual standard deviations: 2 % for a share with .65 %."""
MDE = float(stats.t.ppf(0.975, LENGTH - 2) + stats.t.ppf(0.80, LENGTH - 2))
EFFECTS = {"0.5 mde": 0.5, "1 mde": 1.0}
"""In units of the smallest effect that a t test finds four times in five; one candidate only."""
MULTIPLES = (1.0, 2.0, 3.0)
"""Of the effect that the rule states for the day."""
CHUNK = 1000
HISTORY = 480
"""Sessions before the estimation window, for the longer windows and the placebo days of the curve."""
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class JudgedDraws:
    """One chunk of draws: the rule and t of each candidate session, the first session's volatility state."""

    rules: tuple[DecidingRule, ...]
    p_t: tuple[np.ndarray, ...]
    residual_std: np.ndarray
    forecast_std: np.ndarray

    @property
    def state(self) -> np.ndarray:
        """Forecast over average standard deviation, as a study would see it."""
        return self.rules[0].filtered.garch.volatility_state


def fit_candidates(returns: SimulatedReturns, length: int, gap: int) -> list[WindowFits]:
    """The market model once, with each candidate session as the event and the sessions before it in the gap."""
    design = np.stack([np.ones_like(returns.market), returns.market], axis=-1)
    fits = []
    for event in range(length + gap, returns.firm.shape[1]):
        fits.append(
            fit_stack(*((returns.firm[:, d], design[:, d]) for d in (slice(length), [event], slice(length, event))))
        )
    return fits


def judge_draws(process: Process, rng: np.random.Generator, n_draws: int, *, length: int, gap: int) -> JudgedDraws:
    """Simulate a chunk and invert the rule on every candidate session."""
    returns = simulate(process, rng, n_draws=n_draws, estimation_length=length, gap=gap, window_length=max(CANDIDATES))
    fits = fit_candidates(returns, length, gap)
    garch: GarchParameters = estimate_garch(fits[0].residuals)
    rules = tuple(invert_rule(fit, garch=carry_garch(fit.residuals, fit.gap_abnormal_returns, garch)) for fit in fits)
    p_t = tuple(2.0 * stats.t.sf(np.abs(fit.scar), fit.df) for fit in fits)
    return JudgedDraws(rules, p_t, fits[0].residual_std, fits[0].forecast_std[:, 0])


def outcomes(rules: list[DecidingRule], p_t: list[np.ndarray], bounds: np.ndarray) -> np.ndarray:
    """The word of every draw for a set of candidate sessions, (n,)."""
    k = len(rules)
    conformal, fhs, t = (
        np.min(values, axis=0) for values in ([r.p_conformal for r in rules], [r.p_fhs for r in rules], p_t)
    )
    p_star = np.minimum(1.0, k * np.min([r.p_star for r in rules], axis=0))
    ends = [np.stack(r.interval(0.10), axis=1) for r in rules]
    return np.array(
        [
            judge_row(
                RowTests(conformal[i], fhs[i], t[i], p_star[i], times=k),
                [tuple(e[i]) for e in ends],
                level=LEVEL,
                bound=bounds[i],
            ).outcome
            for i in range(len(p_star))
        ]
    )


def groups_of(state: np.ndarray) -> dict[str, np.ndarray]:
    """All draws, and the tenths that a study would call calm and nervous."""
    low, high = np.quantile(state, [0.1, 0.9])
    return {"all": np.ones(len(state), dtype=bool), "calm": state <= low, "nervous": state >= high}


def measure_design(process: Process, *, seed: int, n_draws: int, length: int, gap: int) -> tuple[list, list]:
    """Rows of both tables for one design."""
    rng = np.random.default_rng([seed, *process.name.encode()])
    state, words, holds, widths, finds = [], {}, {}, {}, {}
    for start in range(0, n_draws, CHUNK):
        draws = judge_draws(process, rng, min(CHUNK, n_draws - start), length=length, gap=gap)
        state.append(draws.state)
        one = draws.rules[0]
        bounds = BOUND * draws.residual_std
        for k in CANDIDATES:
            found = outcomes(list(draws.rules[:k]), list(draws.p_t[:k]), bounds)
            words.setdefault((k, "none"), []).append(found)
        effects = {name: multiple * MDE * draws.forecast_std for name, multiple in EFFECTS.items()}
        for name, effect in {**effects, "bound": bounds}.items():
            moved = one.shift(effect)
            t = 2.0 * stats.t.sf(np.abs(moved.estimate / draws.forecast_std), length - 2)
            words.setdefault((1, name), []).append(outcomes([moved], [t], bounds))
        for level in (0.10, 0.05):
            low, high = one.interval(level)
            holds.setdefault(level, []).append((low <= 0) & (high >= 0))
            widths.setdefault(level, []).append((high - low) / draws.residual_std)
        stated = find_detectable(one.needed_effects(LEVEL), 0.8)
        for multiple in MULTIPLES:
            both = [one.shift(sign * multiple * stated).is_detected(LEVEL) for sign in (1.0, -1.0)]
            finds.setdefault(multiple, []).append(np.mean(both, axis=0))
    groups = groups_of(np.concatenate(state))
    rates, coverage = [], []
    for group, members in groups.items():
        head = {"design": process.name, "group": group, "n_draws": int(members.sum())}
        for (k, effect), parts in words.items():
            counted = Counter(np.concatenate(parts)[members])
            rates += [
                head | {"candidates": k, "effect": effect, "outcome": word, "rate": counted[word] / members.sum()}
                for word in sorted(counted)
            ]
        for multiple, parts in finds.items():
            share = float(np.concatenate(parts)[members].mean())
            rates.append(
                head | {"candidates": 1, "effect": f"{multiple:g} stated", "outcome": "detected", "rate": share}
            )
        for level in holds:
            held, width = (np.concatenate(parts[level])[members] for parts in (holds, widths))
            coverage.append(
                head | {"nominal": 1 - level, "coverage": float(held.mean()), "mean_width": float(width.mean())}
            )
    return rates, coverage


def is_borne_out(firm: np.ndarray, market: np.ndarray, *, bound: float) -> bool:
    """Whether the specification curve of one simulated firm bears its detection out: ``effect``, not ``fragile``."""
    sessions = pd.bdate_range("2000-01-03", periods=len(firm))
    simple = pd.DataFrame({"FIRM": firm, "MARKET": market}, index=sessions)
    candidates = []
    for model, form in product(ON_BENCHMARK, (SIMPLE, LOG)):
        returns = simple if form == SIMPLE else pd.DataFrame(np.log1p(simple))
        design = build_design(model, returns, ticker="FIRM", benchmark="MARKET", return_kind="close_to_close")
        for length, gap in product(CURVE_ESTIMATION_SESSIONS, CURVE_GAP_SESSIONS):
            candidates.append(Candidate(Choice(model, form, "none", length, gap), design, sessions[:0]))
    asked = Asked(sessions[-1], Choice("market", SIMPLE, "none", LENGTH, GAP), LEVEL, bound)
    curve = estimate_curve(candidates, asked, news=sessions[:0])
    return judge_curve(curve).is_confirmed


def measure_words(process: Process, *, seed: int, n_draws: int) -> list[dict[str, object]]:
    """How many of the detections under no effect are called ``effect``, how many ``fragile``; rates over all draws."""
    rng = np.random.default_rng([seed, HISTORY, *process.name.encode()])
    borne_out = []
    for start in range(0, n_draws, CHUNK):
        count = min(CHUNK, n_draws - start)
        drawn = simulate(process, rng, n_draws=count, estimation_length=HISTORY + LENGTH, gap=GAP)
        recent = SimulatedReturns(drawn.firm[:, HISTORY:], drawn.market[:, HISTORY:], drawn.event_std)
        (fit,) = fit_candidates(recent, LENGTH, GAP)
        rule = invert_rule(
            fit, garch=carry_garch(fit.residuals, fit.gap_abnormal_returns, estimate_garch(fit.residuals))
        )
        low, high = rule.interval(0.10)
        bounds = BOUND * fit.residual_std
        for i in np.flatnonzero(rule.is_detected(LEVEL) & ~((low > -bounds) & (high < bounds))):
            borne_out.append(is_borne_out(drawn.firm[i], drawn.market[i], bound=float(bounds[i])))
    found = {"effect": sum(borne_out), "fragile": len(borne_out) - sum(borne_out)}
    return [
        {"design": process.name, "outcome": word, "n_draws": n_draws, "count": count, "rate": count / n_draws}
        for word, count in found.items()
    ]


def measure_all(*, seed: int, n_draws: int, length: int = LENGTH, gap: int = GAP) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables over every design; each draws from a generator of its own."""
    rates, coverage = [], []
    for process in DESIGNS:
        own, held = measure_design(process, seed=seed, n_draws=n_draws, length=length, gap=gap)
        rates += own
        coverage += held
    return pd.DataFrame(rates), pd.DataFrame(coverage)


def main() -> None:
    """Simulate, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=8000, help="of each design")
    parser.add_argument("--seed", type=int, default=20260202)
    options = parser.parse_args()
    started = time.process_time()
    rates, coverage = measure_all(seed=options.seed, n_draws=options.draws)
    words = pd.DataFrame(
        [row for process in DESIGNS for row in measure_words(process, seed=options.seed, n_draws=options.draws)]
    )
    RESULTS.mkdir(exist_ok=True)
    for name, table in (("outcome_rates", rates), ("interval_coverage", coverage), ("curve_words", words)):
        table.round(6).to_csv(RESULTS / f"{name}.csv", index=False, lineterminator="\n")
    print(f"{len(rates)} rates, {len(coverage)} coverages, {time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main()
