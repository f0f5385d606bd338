"""Every statistic of a sample of events, side by side, with the one to read first; then the tests of single events.

One pass over the days of the events gathers sums, a second one ranks. Both work a few thousand
events at a time and their sums add up, so that neither the number of events nor a partition of
them changes what is computed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtr

from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.estimators import ESTIMATORS
from event_impact.inference.parametric import interval
from event_impact.many import dependence, resampling, sample_days
from event_impact.many import parametric_tests as parametric
from event_impact.many import rank_tests as ranks
from event_impact.many.each_event import WITHOUT_PATELL, estimate_sample
from event_impact.many.engine import EventEstimates, EventWindows, solve_back
from event_impact.many.event_days import EventDays, count_by_row, iterate_event_days, read_estimation_regressors
from event_impact.many.layout import BatchDesign
from event_impact.many.residual_correlation import MeanCorrelation, mean_correlation

KEPT_SHARE = 0.9  # of the events, at a placebo date
DEFAULT_DRAWS = 1_999
DEFAULT_SEED = 20260202


@dataclass(frozen=True, kw_only=True)
class PooledTests:
    """What a sample says of the mean of its CARs.

    Attributes
    ----------
    n : int
        Events used.
    tests : dict of str to TestResult
        Every statistic by its name.
    overlap : Overlap
    correlation : MeanCorrelation
    standard_error : float or None
        Of the mean: spread of the CARs, times what shared days add to it.
    ci90, ci95 : (float, float) or None
        t intervals of the mean; None without a standard error.
    mde80 : float or None
        Smallest common effect that the recommended test finds at 5 % with probability 0.8.
    recommended, recommendation : str
        Name of the statistic to read first (empty if none), why, and what it assumes.
    """

    n: int
    tests: dict[str, TestResult]
    overlap: dependence.Overlap
    correlation: MeanCorrelation
    standard_error: float | None = None
    ci90: tuple[float, float] | None = None
    ci95: tuple[float, float] | None = None
    mde80: float | None = None
    recommended: str = ""
    recommendation: str

    @property
    def p_value(self) -> float | None:
        """p of the recommended statistic."""
        return self.tests[self.recommended].p_value if self.recommended else None


@dataclass(frozen=True, kw_only=True)
class SampleResult(PooledTests):
    """What a sample of events says; its ``mde80`` is where events spread as these do, no less than their standard errors say.

    Attributes
    ----------
    caar : float or None
        Mean CAR; None without a usable event.
    windows : EventWindows
    days : DayTable or None
    bhar : array (events,) or None
        Buy-and-hold abnormal returns of the used events, where they were asked for.
    """

    caar: float | None
    windows: EventWindows
    days: sample_days.DayTable | None
    bhar: np.ndarray | None = None


def assess_sample(
    design: BatchDesign,
    estimates: EventEstimates,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    with_ranks: bool = True,
    held: np.ndarray | None = None,
    is_activity: bool = False,
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
    held : array (events,), optional
        What buy-and-hold returns are compared with, in place of the model's expectation.
    is_activity : bool
        The outcome is a logarithm of volume or volatility: nothing is held, and it says how persistent such series are.
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
        reason, shared = "no event could be used", dependence.count_overlaps(estimates)
        tests = {name: not_computable(name, reason) for name in STATISTIC_NAMES}
        none: dict[str, Any] = {"overlap": shared, "correlation": MeanCorrelation(0.0, 0, 0), "tests": tests}
        return SampleResult(n=0, caar=None, windows=estimates.windows, days=None, recommendation=reason, **none)
    chosen = estimates.select(used)
    sums = sample_days.gather_day_sums(design, chosen, workers=workers, on_progress=on_progress)
    overlap = dependence.count_overlaps(chosen)
    correlation = mean_correlation(design, chosen, overlap.n_pairs)
    spread = find_spread(sums, chosen) if with_ranks else None
    more = sample_days.gather_residual_sums(design, chosen, spread, workers=workers, on_progress=on_progress)
    compared = None if held is None else held[used]
    bhar = sample_days.buy_and_hold(design, chosen, compared) if draws > 0 and not is_activity else None
    portfolio = lay_out_portfolio(design, sample_days.total_by_session(design, chosen))
    parts = SampleParts(sums, more, overlap, correlation, bhar, portfolio)
    result = compose_sample(chosen, parts, draws=draws, seed=seed)
    return replace(result, recommendation=f"{result.recommendation} {PERSISTENT}") if is_activity else result


def lay_out_portfolio(design: BatchDesign, total: np.ndarray) -> np.ndarray:
    """Summed outcome of the events by session, then the regressors that all tickers share, one column each."""
    return np.column_stack([total, *(x[0] for x in design.regressors if x.shape[0] == 1)])


@dataclass(frozen=True)
class SampleParts:
    """All that the statistics of a sample need besides its CARs; what was summed adds up over partitions of the events.

    Attributes
    ----------
    sums : DaySums
    more : ResidualSums
        Those of ranks too, unless the rank tests are left out.
    overlap : Overlap
    correlation : MeanCorrelation
    bhar : array (events,) or None
        Buy-and-hold abnormal returns; only drawn tests need them.
    portfolio : array (sessions, 1 + J)
        Summed outcome of the events by session, then the shared regressors.
    """

    sums: sample_days.DaySums
    more: sample_days.ResidualSums
    overlap: dependence.Overlap
    correlation: MeanCorrelation
    bhar: np.ndarray | None
    portfolio: np.ndarray


def find_scar_spread(chosen: EventEstimates) -> float:
    """Standard deviation of the standardised CARs of at least two used events."""
    return float(parametric.Moments.of(chosen.scar).std)


def find_spread(sums: sample_days.DaySums, chosen: EventEstimates) -> np.ndarray | None:
    """What the ranks of the second pass need of the first; None for one event, which has no ranks."""
    return np.append(find_scar_spread(chosen), sums.standardised.std) if chosen.car.size > 1 else None


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
    n, overlap, rbar = chosen.car.size, parts.overlap, parts.correlation.value
    tests = _note_over_rejection(_run_all(chosen, parts, draws=draws, seed=seed), overlap, n)
    recommended, why = recommend_statistic(overlap, n, n_event=chosen.windows.n_event, tests=tests)
    held: dict[str, Any] = {"overlap": overlap, "correlation": parts.correlation, "bhar": parts.bhar}
    held |= {"tests": {name: tests[name] for name in STATISTIC_NAMES}, "recommended": recommended}
    held["days"] = sample_days.tabulate_days(chosen, parts.sums, parts.more)
    reach: dict[str, Any] = {"statistic": recommended, "spread": max(1.0, find_scar_spread(chosen)) if n > 1 else 1.0}
    held["mde80"] = parametric.find_detectable_caar(chosen.car_std_error, mean_correlation=rbar, **reach)
    held |= measure_mean(chosen.car, rbar)
    return SampleResult(n=n, caar=float(chosen.car.mean()), windows=chosen.windows, recommendation=why, **held)


def measure_mean(car: np.ndarray, mean_correlation: float) -> dict[str, Any]:
    """Standard error and t intervals of a mean CAR under their names; none of one event, or where shared days leave none."""
    error = math.inf
    if car.size > 1:
        spread = dependence.dependence_factor(mean_correlation, car.size)
        error = float(car.std(ddof=1)) / math.sqrt(car.size) * spread
    if not error < math.inf:
        return {}
    ci90, ci95 = (interval(float(car.mean()), error, car.size - 1, level) for level in (0.90, 0.95))
    return {"standard_error": error, "ci90": ci90, "ci95": ci95}


STATISTIC_NAMES = (
    "cross_sectional_t", "skewness_adjusted_t", "crude_dependence_t", "crude_dependence_t_plain", "patell",
    "adjusted_patell", "bmp", "kp_bmp", "corrado", "corrado_plain", "corrado_zivney", "grank_t", "grank_z", "sign",
    "generalized_sign", "wilcoxon", "sign_flip", "calendar_time_t", "calendar_time_alpha", "two_way_clustered_t",
    "ibragimov_mueller_t", "wild_bootstrap", "event_block_bootstrap", "bhar_skewness_adjusted",
)  # fmt: skip


ORDINARY_CORRELATION = (
    "It assumes that firms move together on the event days as they did before: with a common shock twice as large it "
    "rejects 12 to 27 % in place of 5, and nothing on a single day can tell."
)
PERSISTENT = (
    "Volume and volatility are persistent: statistics that take the variance of a window from single estimation days "
    "reject too often, the spread between events does not."
)
FEW_NOTE = "rejects some 11 % at 5 % with five independent events"
SKEWED_NOTE = "rejects 9 to 11 % at 5 % where returns are skewed"
ONE_DATE_NOTE = "at 1 % it rejects up to 2.1 % with twenty or more events of one date"
FEW_EVENTS = 10


def recommend_statistic(
    overlap: dependence.Overlap, n: int, *, n_event: int, tests: dict[str, TestResult]
) -> tuple[str, str]:
    """Which statistic to read first, why, and what it assumes, from how the events share days and firms."""
    if n < 2:
        return "", "With one event nothing can be pooled: read the t and the conformal p of the event itself."
    if overlap.n_pairs == 0:
        why = "No two event windows share a day, and standardised CARs allow the variance to rise at the event."
        return "bmp", f"{why} It assumes that events on different days are independent."
    if overlap.n_sessions == 1:
        why = f"All {n} events fall on one session, so that they share its shocks"
    else:
        shared = n * (n - 1) / 2
        why = f"{overlap.n_pairs} of {shared:.0f} pairs of events share days of their windows of {n_event}"
    if overlap.n_same_firm_pairs:
        why += f", {overlap.n_same_firm_pairs} of them within one firm"
    if tests["kp_bmp"].is_computed:
        why += ": the correlation of residuals on common calendar days is allowed for."
        return "kp_bmp", f"{why} {ORDINARY_CORRELATION}"
    why += f"; kp_bmp: {tests['kp_bmp'].note}. The average return's own variation over the estimation window is used."
    return "crude_dependence_t", f"{why} {ORDINARY_CORRELATION}"


def _note_over_rejection(tests: dict[str, TestResult], overlap: dependence.Overlap, n: int) -> dict[str, TestResult]:
    """Measured sizes beside the statistics that do not keep theirs in such a sample."""
    notes = dict.fromkeys(("grank_t", "corrado_zivney"), FEW_NOTE if n <= FEW_EVENTS else SKEWED_NOTE)
    notes |= {"kp_bmp": ONE_DATE_NOTE} if overlap.n_sessions == 1 < n else {}
    return tests | {name: tests[name].with_note(note) for name, note in notes.items()}


def run_car_tests(
    car: np.ndarray, scar: np.ndarray, df: np.ndarray, mean_correlation: float, positive_share: float
) -> list[TestResult]:
    """The statistics that need no more of the events than their CAR, SCAR and degrees of freedom."""
    return [
        parametric.cross_sectional_t(car),
        parametric.skewness_adjusted_t(car),
        parametric.patell(scar, df),
        parametric.adjusted_patell(scar, df, mean_correlation),
        parametric.bmp(scar),
        parametric.kp_bmp(scar, mean_correlation),
        ranks.sign(car),
        ranks.generalized_sign(car, positive_share),
        ranks.wilcoxon(car),
    ]


def _run_all(chosen: EventEstimates, parts: SampleParts, *, draws: int, seed: int) -> dict[str, TestResult]:
    """Every statistic by its name."""
    n, width, car, sums, more = chosen.car.size, chosen.windows.n_event, chosen.car, parts.sums, parts.more
    found = run_car_tests(car, chosen.scar, chosen.df, parts.correlation.value, more.positive_share / n)
    aar, k = np.where(more.count > 0, more.total / np.maximum(more.count, 1), np.nan), np.max(chosen.n_parameters)
    found += parametric.crude_dependence_t(aar, float(car.mean()), n_event=width, n_parameters=int(k))
    lacking: dict[str, str] = {}
    if isinstance(more, sample_days.RankedSums):
        for name in ("corrado", "corrado_zivney"):
            found += ranks.cumulative_rank_tests(getattr(more, name), n_event=width, n_events=n, name=name)
        found += ranks.grank_tests(more.grank, n_events=n)
    else:
        unranked = (name for name in STATISTIC_NAMES if name.startswith(("corrado", "grank")))
        lacking |= dict.fromkeys(unranked, ranks.ONE_EVENT if n == 1 else "ranks were not asked for")
    present = sums.portfolio_count > 0
    inflation = 1.0 if chosen.model in WITHOUT_PATELL else float(chosen.car_factor.mean()) / width
    held, counted = parts.portfolio[present], sums.portfolio_count[present]
    found += [
        dependence.calendar_time_t(sums.portfolio_total[present] / counted, inflation=inflation),
        dependence.calendar_time_alpha(held[:, 0] / counted, held[:, 1:]),
    ]
    block, drawn = dependence.cut_blocks(chosen.session_index, width), {"draws": draws, "seed": seed}
    by_block = [
        dependence.two_way_clustered_t(car, chosen.ticker_index, block.label),
        dependence.ibragimov_mueller_t(car, block.label),
    ]
    if draws < 1:
        names = ("sign_flip", "wild_bootstrap", "event_block_bootstrap", "bhar_skewness_adjusted")
        lacking |= dict.fromkeys(names, "no draws were asked for")
    else:
        found.append(resampling.sign_flip(car, **drawn))
        for test in (resampling.wild_bootstrap, resampling.event_block_bootstrap):
            by_block.append(test(car, block.label, **drawn))
        if parts.bhar is None:
            lacking["bhar_skewness_adjusted"] = "only returns are held"
        else:
            found.append(resampling.bhar_skewness_adjusted(parts.bhar[np.isfinite(parts.bhar)], **drawn))
    found += [test.with_note(block.note) for test in by_block]
    if chosen.model in WITHOUT_PATELL:
        lacking |= dict.fromkeys(("patell", "adjusted_patell"), WITHOUT_PATELL[chosen.model])
    return {test.name: test for test in found} | {name: not_computable(name, why) for name, why in lacking.items()}


class EventPValues(NamedTuple):
    """Two-sided p of every event, NaN where there is none.

    Attributes
    ----------
    t : array (events,)
        Of the standardised CAR against t(L_i - K).
    sample_quantile, conformal : arrays (events,)
        Rank tests for event windows of one session; all NaN for longer windows.
    """

    t: np.ndarray
    sample_quantile: np.ndarray
    conformal: np.ndarray


def judge_events(design: BatchDesign, estimates: EventEstimates) -> EventPValues:
    """p of each event on its own.

    ``sample_quantile`` = min(1, 2 min(1 + #{e <= a}, 1 + #{e >= a})/(L + 1)) with a the abnormal
    return and e the estimation residuals (Gelbach, Helland and Klick 2013). ``conformal`` fits the
    model to the L + 1 sessions together and gives the share of |f_t| at least as large as |f_E|
    (Chernozhukov, Wuethrich and Zhu 2021), here without a refit: f_E = a/(1 + h),
    f_t = e_t - h_tE a/(1 + h), h_tE = 1/L + (x_t - xbar)'(X_c'X_c)^-1(x_E - xbar).
    """
    n = estimates.car.size
    used = np.flatnonzero(estimates.is_used)
    t, (quantile, conformal) = np.full(n, np.nan), np.broadcast_to(np.nan, (2, n))
    if estimates.model not in ESTIMATORS:
        t[used] = np.maximum(2.0 * stdtr(estimates.df[used], -np.abs(estimates.scar[used])), parametric.SMALLEST_P)
    if estimates.windows.n_event == 1:
        quantile, conformal = np.full((2, n), np.nan)
        for days in iterate_event_days(design, estimates):
            quantile[days.positions], conformal[days.positions] = _judge_single_sessions(design, days)
    return EventPValues(t, quantile, conformal)


def _judge_single_sessions(design: BatchDesign, days: EventDays) -> tuple[np.ndarray, np.ndarray]:
    ar, residuals, size = days.abnormal, days.residuals, days.estimates.n_estimation + 1.0
    low, high = count_by_row(residuals <= ar), count_by_row(residuals >= ar)
    quantile = np.minimum(1.0, 2.0 * (1 + np.minimum(low, high)) / size)
    if days.estimates.held is not None:
        return quantile, days.estimates.held["conformal"][:, 0]
    if design.instrument is not None:  # its slope is no least-squares fit, and a refit has no short form
        return quantile, np.full(ar.shape[0], np.nan)
    refitted = ar / days.day_factor
    left = residuals - refitted / days.estimates.n_estimation[:, None] if design.has_intercept else residuals
    directions = solve_back(list(days.whitened[:, :, 0]), list(days.estimates.cholesky))
    for direction, gap in zip(directions, read_estimation_regressors(design, days.estimates), strict=True):
        gap *= direction[:, None] * refitted
        left = np.subtract(left, gap, out=gap)
    conformal = (count_by_row(np.abs(left) >= np.abs(refitted)) + 1.0) / size
    return quantile, conformal


@dataclass(frozen=True)
class PlaceboDates:
    """The same events with all their dates moved back together, so that firms, calendar and clustering stay.

    Attributes
    ----------
    shifts : int array (dates,)
        Sessions that the events were moved back by; only moves that keep nine events in ten.
    caar, statistic : arrays (dates,)
        Mean CAR and BMP statistic at each.
    p_value : float or None
        (1 + #{|statistic| at least the sample's}) / (dates + 1).
    """

    shifts: np.ndarray
    caar: np.ndarray
    statistic: np.ndarray
    p_value: float | None


def replay_at_placebo_dates(design: BatchDesign, estimates: EventEstimates, *, most: int = 199) -> PlaceboDates:
    """How would the sample have looked on earlier dates, when nothing of the kind was announced?

    Each move is a whole number of event windows, the smallest of them past the gap. The rank of the sample's own BMP
    statistic among those allows for whatever ties the events to each other, as that is the same at every move.
    """
    windows, used = estimates.windows, np.flatnonzero(estimates.is_used)
    ticker, session = estimates.ticker_index[used], estimates.session_index[used]
    controls = None if estimates.controls is None else estimates.controls[used]
    first = windows.event_last - windows.estimation_last
    room = int(session.min(initial=0)) + windows.estimation_first
    found: list[tuple[int, float, float]] = []
    for shift in first + windows.n_event * np.arange(most):
        if used.size < 2 or (
            shift > room and not (session - shift + windows.estimation_first >= 0).mean() >= KEPT_SHARE
        ):
            break
        moved = estimate_sample(design, ticker, session - shift, windows=windows, keep_model=False, controls=controls)
        scar = moved.scar[moved.is_used]
        statistic = parametric.bmp(scar).statistic if scar.size >= KEPT_SHARE * used.size else None
        if statistic is not None:
            found.append((int(shift), float(moved.car[moved.is_used].mean()), statistic))
    shifts, caar, statistics = (np.array([each[k] for each in found]) for k in range(3))
    own = parametric.bmp(estimates.scar[used]).statistic
    p = None if own is None or not found else (1 + int((np.abs(statistics) >= abs(own)).sum())) / (len(found) + 1)
    return PlaceboDates(shifts, caar, statistics, p)


@dataclass(frozen=True)
class LeftOutEvents:
    """The sample without each of its used events in turn, arrays (events,)."""

    caar: np.ndarray
    statistic: np.ndarray
    p_value: np.ndarray


def leave_each_out(car: np.ndarray, scar: np.ndarray, mean_correlation: float = 0.0) -> LeftOutEvents | None:
    """CAAR and Kolari and Pynnönen's statistic without each event, the mean correlation kept; None below 3 events."""
    n = scar.size
    shared = 1.0 + (n - 2) * mean_correlation
    if n < 3 or shared <= 0 or mean_correlation >= 1:
        return None
    mean = (scar.sum() - scar) / (n - 1)
    spread = (np.square(scar - scar.mean()).sum() - np.square(scar - scar.mean()) * n / (n - 1)) / (n - 2)
    spread = np.where(spread > np.square(parametric.ROUNDING_SHARE * mean), spread, np.nan)
    statistic = np.sqrt((n - 1) / spread * (1.0 - mean_correlation) / shared) * mean
    return LeftOutEvents((car.sum() - car) / (n - 1), statistic, 2.0 * stdtr(n - 2, -np.abs(statistic)))
