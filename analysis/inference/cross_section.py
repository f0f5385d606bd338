"""Every statistic of a sample of events, side by side, with the one to read first.

One pass over the days of the events gathers sums, a second one ranks. Both work a few thousand
events at a time and their sums add up, so that neither the number of events nor a partition of
them changes what is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtr

from analysis.estimation.batch import EventEstimates, EventWindows
from analysis.estimation.event_days import EventDays, iterate_event_days
from analysis.estimation.panel import Design
from analysis.inference import cross_section_parametric as parametric
from analysis.inference import cross_section_ranks as ranks
from analysis.inference import cross_section_resampling as resampling
from analysis.inference.cross_section_dependence import (
    MeanCorrelation,
    Overlap,
    calendar_time_t,
    count_overlaps,
    label_blocks,
    mean_correlation,
    two_way_clustered_t,
)
from analysis.inference.result import TestResult, not_computable

DEFAULT_DRAWS = 1_999
DEFAULT_SEED = 20260202


@dataclass(frozen=True)
class DayTable:
    """Average abnormal returns by rel_session.

    Attributes
    ----------
    rel_session : int array (W,)
    n : int
        Events on every day.
    aar, caar : arrays (W,)
        Average abnormal return of the day, and from the first event session up to it.
    columns : dict of str to array (W,)
        ``aar_t, aar_patell, aar_bmp, aar_corrado, aar_generalized_sign, caar_t, caar_patell, caar_bmp`` with
        their ``_p``, and ``positive_share``; NaN where the sample is too small for them.
    """

    rel_session: np.ndarray
    n: int
    aar: np.ndarray
    caar: np.ndarray
    columns: dict[str, np.ndarray]


@dataclass(frozen=True)
class SampleResult:
    """What a sample of events says.

    Attributes
    ----------
    n : int
        Events used.
    caar : float or None
        Mean CAR; None without a usable event.
    windows : EventWindows
    tests : dict of str to TestResult
        Every statistic by its name.
    days : DayTable or None
    overlap : Overlap
    correlation : MeanCorrelation
    mde80 : float or None
        Smallest CAAR that a 5 % test finds with probability 0.8.
    recommended, recommendation : str
        Name of the statistic to read first (empty if none), and why.
    """

    n: int
    caar: float | None
    windows: EventWindows
    tests: dict[str, TestResult]
    days: DayTable | None
    overlap: Overlap
    correlation: MeanCorrelation
    mde80: float | None
    recommended: str
    recommendation: str


@dataclass(frozen=True)
class _DaySums:
    """Sums over events that the first pass gathers; those of two parts merge."""

    abnormal: parametric.Moments
    standardised: parametric.Moments
    cumulative: parametric.Moments
    cumulative_standardised: parametric.Moments
    positive: np.ndarray
    residual_total: np.ndarray
    residual_count: np.ndarray
    positive_share: float
    portfolio_total: np.ndarray
    portfolio_count: np.ndarray

    @classmethod
    def of(cls, days: EventDays, n_sessions: int) -> _DaySums:
        windows = days.estimates.windows
        present = np.isfinite(days.residuals)
        cumulative = days.abnormal.cumsum(axis=1)
        std = days.estimates.residual_std[:, None]
        places = days.estimates.session_index[:, None] + np.arange(windows.event_first, windows.event_last + 1)
        above = (days.residuals > 0).sum(axis=1) / present.sum(axis=1)
        return cls(
            abnormal=parametric.Moments.of(days.abnormal),
            standardised=parametric.Moments.of(days.standardised),
            cumulative=parametric.Moments.of(cumulative),
            cumulative_standardised=parametric.Moments.of(cumulative / (std * np.sqrt(days.cumulative_factor))),
            positive=(days.abnormal > 0).sum(axis=0),
            residual_total=np.where(present, days.residuals, 0.0).sum(axis=0),
            residual_count=present.sum(axis=0),
            positive_share=float(above.sum()),
            portfolio_total=np.bincount(places.ravel(), weights=days.abnormal.ravel(), minlength=n_sessions),
            portfolio_count=np.bincount(places.ravel(), minlength=n_sessions),
        )

    def merge(self, other: _DaySums | None) -> _DaySums:
        if other is None:
            return self
        merged = {}
        for name, value in vars(self).items():
            more = getattr(other, name)
            merged[name] = value.merge(more) if isinstance(value, parametric.Moments) else value + more
        return _DaySums(**merged)


def assess_sample(
    design: Design,
    estimates: EventEstimates,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    with_ranks: bool = True,
    on_progress: Callable[[int], object] | None = None,
) -> SampleResult:
    """What do these events say together?

    Parameters
    ----------
    design : Design
        The layout that the estimates were made from.
    estimates : EventEstimates
        With their models kept.
    draws, seed : int
        For the resampling tests; ``draws=0`` leaves them out, with that reason.
    with_ranks : bool
        False leaves out the rank tests of single days, which need a sort per event.
    on_progress : callable, optional
        Called with the number of events just passed over.

    Returns
    -------
    SampleResult
    """
    used = np.flatnonzero(estimates.is_used)
    overlap = count_overlaps(estimates)
    if used.size == 0:
        tests = {name: not_computable(name, "no event could be used") for name in STATISTIC_NAMES}
        nothing = MeanCorrelation(0.0, 0, 0)
        reason = "no event could be used"
        return SampleResult(0, None, estimates.windows, tests, None, overlap, nothing, None, "", reason)
    chosen = estimates.select(used)
    sums = _gather_days(design, chosen, on_progress)
    correlation = mean_correlation(design, chosen)
    ranked = _gather_ranks(design, chosen, sums, on_progress) if with_ranks and used.size > 1 else None
    tests = _parametric_tests(chosen, sums, correlation.value)
    tests |= _rank_tests(chosen, sums, ranked)
    tests |= _dependence_tests(chosen, sums)
    tests |= _drawn_tests(design, chosen, draws=draws, seed=seed)
    recommended, why = recommend_statistic(overlap, used.size, n_event=estimates.windows.n_event, tests=tests)
    return SampleResult(
        n=used.size,
        caar=float(chosen.car.mean()),
        windows=estimates.windows,
        tests={name: tests[name] for name in STATISTIC_NAMES},
        days=_tabulate_days(chosen, sums, ranked),
        overlap=overlap,
        correlation=correlation,
        mde80=parametric.find_detectable_caar(chosen.car_std_error, mean_correlation=correlation.value),
        recommended=recommended,
        recommendation=why,
    )


STATISTIC_NAMES = (
    "cross_sectional_t",
    "skewness_adjusted_t",
    "crude_dependence_t",
    "crude_dependence_t_plain",
    "patell",
    "adjusted_patell",
    "bmp",
    "kp_bmp",
    "corrado",
    "corrado_plain",
    "corrado_zivney",
    "grank_t",
    "grank_z",
    "sign",
    "generalized_sign",
    "wilcoxon",
    "sign_flip",
    "calendar_time_t",
    "two_way_clustered_t",
    "wild_bootstrap",
    "event_block_bootstrap",
    "bhar_skewness_adjusted",
)


def recommend_statistic(overlap: Overlap, n: int, *, n_event: int, tests: dict[str, TestResult]) -> tuple[str, str]:
    """Which statistic to read first, and why, from how the events share days and firms."""
    if n < 2:
        return "", "With one event nothing can be pooled: read the t and the conformal p of the event itself."
    if overlap.n_pairs == 0:
        why = "No two event windows share a day, and standardised CARs allow the variance to rise at the event."
        return "bmp", why
    if overlap.n_sessions == 1:
        why = f"All {n} events fall on one session, so that they share its shocks"
    else:
        shared = n * (n - 1) / 2
        why = f"{overlap.n_pairs} of {shared:.0f} pairs of events share days of their windows of {n_event}"
    if overlap.n_same_firm_pairs:
        why += f", {overlap.n_same_firm_pairs} of them within one firm"
    if tests["kp_bmp"].is_computed:
        return "kp_bmp", why + ": the correlation of residuals on common calendar days is allowed for."
    why += f"; kp_bmp: {tests['kp_bmp'].note}. The average return's own variation over the estimation window is used."
    return "crude_dependence_t", why


def _gather_days(design: Design, chosen: EventEstimates, on_progress: Callable[[int], object] | None) -> _DaySums:
    total: _DaySums | None = None
    for days in iterate_event_days(design, chosen):
        total = _DaySums.of(days, design.outcome.shape[1]).merge(total)
        if on_progress is not None:
            on_progress(days.positions.size)
    assert total is not None  # the caller has at least one used event
    return total


def _gather_ranks(
    design: Design, chosen: EventEstimates, sums: _DaySums, on_progress: Callable[[int], object] | None
) -> dict[str, ranks.RankSums]:
    """Second pass: ranks of raw days, of days scaled by the day's spread, and with the scaled SCAR."""
    day_spread = np.where(sums.standardised.std > 0, sums.standardised.std, 1.0)
    scar_spread = float(parametric.Moments.of(chosen.scar).std)
    scaled_scar = chosen.scar / (scar_spread if scar_spread > 0 else 1.0)
    totals: dict[str, ranks.RankSums] = {}
    for days in iterate_event_days(design, chosen):
        scaled = days.residuals / days.estimates.residual_std[:, None]
        parts = {
            "corrado": np.hstack([days.residuals, days.abnormal]),
            "corrado_zivney": np.hstack([scaled, days.standardised / day_spread]),
            "grank": np.hstack([scaled, scaled_scar[days.positions][:, None]]),
        }
        for name, values in parts.items():
            totals[name] = ranks.RankSums.of(values).merge(totals.get(name))
        if on_progress is not None:
            on_progress(days.positions.size)
    return totals


def _parametric_tests(chosen: EventEstimates, sums: _DaySums, rbar: float) -> dict[str, TestResult]:
    with np.errstate(invalid="ignore"):
        estimation_aar = np.where(
            sums.residual_count > 0, sums.residual_total / np.maximum(sums.residual_count, 1), np.nan
        )
    crude = parametric.crude_dependence_t(
        estimation_aar, float(chosen.car.mean()), n_event=chosen.windows.n_event, n_parameters=chosen.n_parameters
    )
    found = [
        parametric.cross_sectional_t(chosen.car),
        parametric.skewness_adjusted_t(chosen.car),
        *crude,
        parametric.patell(chosen.scar, chosen.df),
        parametric.adjusted_patell(chosen.scar, chosen.df, rbar),
        parametric.bmp(chosen.scar),
        parametric.kp_bmp(chosen.scar, rbar),
    ]
    return {test.name: test for test in found}


def _rank_tests(
    chosen: EventEstimates, sums: _DaySums, ranked: dict[str, ranks.RankSums] | None
) -> dict[str, TestResult]:
    n, width = chosen.car.size, chosen.windows.n_event
    found = [
        ranks.sign(chosen.car),
        ranks.generalized_sign(chosen.car, sums.positive_share / n),
        ranks.wilcoxon(chosen.car),
    ]
    if ranked is None:
        reason = ranks.ONE_EVENT if n == 1 else "ranks were not asked for"
        names = ("corrado", "corrado_plain", "corrado_zivney", "grank_t", "grank_z")
        found += [not_computable(name, reason) for name in names]
    else:
        found += ranks.cumulative_rank_tests(ranked["corrado"], n_event=width, n_events=n, name="corrado")
        scaled = ranks.cumulative_rank_tests(ranked["corrado_zivney"], n_event=width, n_events=n, name="corrado_zivney")
        found += [scaled[0], *ranks.grank_tests(ranked["grank"], n_events=n)]
    return {test.name: test for test in found}


def _dependence_tests(chosen: EventEstimates, sums: _DaySums) -> dict[str, TestResult]:
    present = sums.portfolio_count > 0
    portfolio = sums.portfolio_total[present] / sums.portfolio_count[present]
    block = label_blocks(chosen.session_index, chosen.windows.n_event)
    inflation = float(chosen.car_factor.mean()) / chosen.windows.n_event
    found = [
        calendar_time_t(portfolio, inflation=inflation),
        two_way_clustered_t(chosen.car, chosen.ticker_index, block),
    ]
    return {test.name: test for test in found}


def _drawn_tests(design: Design, chosen: EventEstimates, *, draws: int, seed: int) -> dict[str, TestResult]:
    names = ("sign_flip", "wild_bootstrap", "event_block_bootstrap", "bhar_skewness_adjusted")
    if draws < 1:
        return {name: not_computable(name, "no draws were asked for") for name in names}
    block = label_blocks(chosen.session_index, chosen.windows.n_event)
    found = [
        resampling.sign_flip(chosen.car, draws=draws, seed=seed),
        resampling.wild_bootstrap(chosen.car, block, draws=draws, seed=seed),
        resampling.event_block_bootstrap(chosen.car, block, draws=draws, seed=seed),
        resampling.bhar_skewness_adjusted(buy_and_hold(design, chosen), draws=draws, seed=seed),
    ]
    return {test.name: test for test in found}


def buy_and_hold(design: Design, chosen: EventEstimates) -> np.ndarray:
    """Buy-and-hold abnormal return of each event: prod(1 + y) - prod(1 + expected y) over the event window.

    y is the total return: what the model took off (benchmark, risk-free rate) is put back on both
    sides, so that under ``market_adjusted`` the expectation is the benchmark itself.
    """
    windows = chosen.windows
    bhar = np.empty(chosen.car.size)
    places = np.arange(windows.event_first, windows.event_last + 1)
    for days in iterate_event_days(design, chosen):
        at = days.estimates.session_index[:, None] + places
        ticker = days.estimates.ticker_index
        taken_off = design.subtracted[np.minimum(ticker, design.subtracted.shape[0] - 1)[:, None], at]
        realised = design.outcome[ticker[:, None], at] + taken_off
        expected = realised - days.abnormal
        bhar[days.positions] = np.prod(1 + realised, axis=1) - np.prod(1 + expected, axis=1)
    return bhar


def _tabulate_days(chosen: EventEstimates, sums: _DaySums, ranked: dict[str, ranks.RankSums] | None) -> DayTable:
    windows, n = chosen.windows, chosen.car.size
    with np.errstate(divide="ignore", invalid="ignore"):
        patell_scale = math.sqrt(float((chosen.df / (chosen.df - 2.0)).sum())) if (chosen.df > 2).all() else math.nan
    share = sums.positive_share / n
    columns = {
        "aar_t": sums.abnormal.t,
        "aar_patell": n * sums.standardised.mean / patell_scale,
        "aar_bmp": sums.standardised.t,
        "aar_corrado": np.full(windows.n_event, np.nan),
        "aar_generalized_sign": (sums.positive - n * share) / math.sqrt(n * share * (1 - share))
        if 0 < share < 1
        else np.full(windows.n_event, np.nan),
        "caar_t": sums.cumulative.t,
        "caar_patell": n * sums.cumulative_standardised.mean / patell_scale,
        "caar_bmp": sums.cumulative_standardised.t,
    }
    if ranked is not None:
        columns["aar_corrado"] = ranks.day_rank_statistics(ranked["corrado"])[-windows.n_event :]
    with_p: dict[str, np.ndarray] = {"positive_share": sums.positive / n}
    for name, values in columns.items():
        is_t = name.endswith(("_t", "_bmp"))
        with_p[name] = values
        with_p[f"{name}_p"] = 2.0 * (stdtr(max(n - 1, 1), -np.abs(values)) if is_t else ndtr(-np.abs(values)))
    rel_session = np.arange(windows.event_first, windows.event_last + 1)
    return DayTable(rel_session, n, sums.abnormal.mean, sums.cumulative.mean, with_p)
