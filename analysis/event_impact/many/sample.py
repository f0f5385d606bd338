"""Every statistic of a sample of events, side by side, with the one to read first.

One pass over the days of the events gathers sums, a second one ranks. Both work a few thousand
events at a time and their sums add up, so that neither the number of events nor a partition of
them changes what is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from event_impact.base.result import TestResult, not_computable
from event_impact.many import parametric_tests as parametric
from event_impact.many import rank_tests as ranks
from event_impact.many import resampling
from event_impact.many.dependence import (
    MeanCorrelation,
    Overlap,
    calendar_time_t,
    count_overlaps,
    label_blocks,
    mean_correlation,
    two_way_clustered_t,
)
from event_impact.many.engine import EventEstimates, EventWindows
from event_impact.many.layout import BatchDesign
from event_impact.many.sample_days import (
    DaySums,
    DayTable,
    buy_and_hold,
    gather_day_sums,
    gather_rank_sums,
    tabulate_days,
)

DEFAULT_DRAWS = 1_999
DEFAULT_SEED = 20260202


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


def assess_sample(
    design: BatchDesign,
    estimates: EventEstimates,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    with_ranks: bool = True,
    workers: int = 1,
    on_progress: Callable[[int], object] | None = None,
) -> SampleResult:
    """What do these events say together?

    Parameters
    ----------
    design : BatchDesign
        The layout that the estimates were made from.
    estimates : EventEstimates
        With their models kept.
    draws, seed : int
        For the resampling tests; ``draws=0`` leaves them out, with that reason.
    with_ranks : bool
        False leaves out the rank tests of single days, which need a sort per event.
    workers : int
        Threads; the numbers do not depend on it.
    on_progress : callable, optional
        Called with the number of events just passed over.

    Returns
    -------
    SampleResult

    Examples
    --------
    Thirty tickers on a simulated market, one event each, ten sessions apart:

    >>> import numpy as np
    >>> from event_impact.many.engine import EventWindows, estimate_events
    >>> from event_impact.many.layout import BatchPanel, lay_out_model
    >>> rng = np.random.default_rng(1)
    >>> market = rng.normal(0, 0.01, 600)
    >>> returns = 0.9 * market + rng.normal(0, 0.02, (30, 600))
    >>> sessions = np.datetime64("2020-01-01") + np.arange(600)
    >>> panel = BatchPanel(sessions, [f"T{i}" for i in range(30)], returns, market)
    >>> design = lay_out_model(panel, "market")
    >>> windows = EventWindows(-260, -11, -1, 1)
    >>> estimates = estimate_events(design, np.arange(30), 270 + 10 * np.arange(30), windows=windows)
    >>> result = assess_sample(design, estimates)
    >>> result.n, result.recommended, result.tests["bmp"].distribution
    (30, 'bmp', 't(29)')
    """
    used = np.flatnonzero(estimates.is_used)
    if used.size == 0:
        overlap = count_overlaps(estimates)
        tests = {name: not_computable(name, "no event could be used") for name in STATISTIC_NAMES}
        nothing = MeanCorrelation(0.0, 0, 0)
        reason = "no event could be used"
        return SampleResult(0, None, estimates.windows, tests, None, overlap, nothing, None, "", reason)
    chosen = estimates.select(used)
    sums = gather_day_sums(design, chosen, workers=workers, on_progress=on_progress)
    correlation = mean_correlation(design, chosen)
    ranked = None
    if with_ranks and used.size > 1:
        ranked = gather_rank_sums(
            design,
            chosen,
            day_spread=sums.standardised.std,
            scar_spread=find_scar_spread(chosen),
            workers=workers,
            on_progress=on_progress,
        )
    bhar = buy_and_hold(design, chosen) if draws > 0 else None
    return compose_sample(chosen, SampleParts(sums, ranked, correlation, bhar), draws=draws, seed=seed)


@dataclass(frozen=True)
class SampleParts:
    """All that the statistics of a sample need besides its CARs; each part adds up over partitions of the events.

    Attributes
    ----------
    sums : DaySums
    ranked : dict of str to RankSums, or None
        None leaves the rank tests out.
    correlation : MeanCorrelation
    bhar : array (events,) or None
        Buy-and-hold abnormal returns; only drawn tests need them.
    """

    sums: DaySums
    ranked: dict[str, ranks.RankSums] | None
    correlation: MeanCorrelation
    bhar: np.ndarray | None


def find_scar_spread(chosen: EventEstimates) -> float:
    """Standard deviation of the standardised CARs of at least two used events."""
    return float(parametric.Moments.of(chosen.scar).std)


def compose_sample(
    chosen: EventEstimates, parts: SampleParts, *, draws: int = DEFAULT_DRAWS, seed: int = DEFAULT_SEED
) -> SampleResult:
    """Every statistic of some used events, from what was gathered of their days.

    Parameters
    ----------
    chosen : EventEstimates
        Used events only, at least one.
    parts : SampleParts
        Gathered here or on several machines: the statistics cannot tell.
    """
    n, overlap = chosen.car.size, count_overlaps(chosen)
    tests = _parametric_tests(chosen, parts.sums, parts.correlation.value)
    tests |= _rank_tests(chosen, parts.sums, parts.ranked)
    tests |= _dependence_tests(chosen, parts.sums)
    tests |= _drawn_tests(chosen, parts.bhar, draws=draws, seed=seed)
    recommended, why = recommend_statistic(overlap, n, n_event=chosen.windows.n_event, tests=tests)
    return SampleResult(
        n=n,
        caar=float(chosen.car.mean()),
        windows=chosen.windows,
        tests={name: tests[name] for name in STATISTIC_NAMES},
        days=tabulate_days(chosen, parts.sums, parts.ranked),
        overlap=overlap,
        correlation=parts.correlation,
        mde80=parametric.find_detectable_caar(
            chosen.car_std_error,
            mean_correlation=parts.correlation.value,
            statistic=recommended,
        ),
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


def _parametric_tests(chosen: EventEstimates, sums: DaySums, rbar: float) -> dict[str, TestResult]:
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
    chosen: EventEstimates, sums: DaySums, ranked: dict[str, ranks.RankSums] | None
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


def _dependence_tests(chosen: EventEstimates, sums: DaySums) -> dict[str, TestResult]:
    present = sums.portfolio_count > 0
    portfolio = sums.portfolio_total[present] / sums.portfolio_count[present]
    block = label_blocks(chosen.session_index, chosen.windows.n_event)
    inflation = float(chosen.car_factor.mean()) / chosen.windows.n_event
    found = [
        calendar_time_t(portfolio, inflation=inflation),
        two_way_clustered_t(chosen.car, chosen.ticker_index, block),
    ]
    return {test.name: test for test in found}


def _drawn_tests(chosen: EventEstimates, bhar: np.ndarray | None, *, draws: int, seed: int) -> dict[str, TestResult]:
    names = ("sign_flip", "wild_bootstrap", "event_block_bootstrap", "bhar_skewness_adjusted")
    if draws < 1 or bhar is None:
        return {name: not_computable(name, "no draws were asked for") for name in names}
    block = label_blocks(chosen.session_index, chosen.windows.n_event)
    found = [
        resampling.sign_flip(chosen.car, draws=draws, seed=seed),
        resampling.wild_bootstrap(chosen.car, block, draws=draws, seed=seed),
        resampling.event_block_bootstrap(chosen.car, block, draws=draws, seed=seed),
        resampling.bhar_skewness_adjusted(bhar, draws=draws, seed=seed),
    ]
    return {test.name: test for test in found}
