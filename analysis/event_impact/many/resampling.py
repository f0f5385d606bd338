"""Tests of many events whose reference distribution is drawn, and regressions of their returns on traits.

Every function that draws takes the seed and says in its result how many draws it made. No p is ever zero:
p = (1 + number of draws at least as extreme)/(draws + 1).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.many.dependence import cluster_covariance, hc3_covariance
from event_impact.many.parametric_tests import NULL_CAAR, SMALLEST_P, Moments, skewness, t_result

FEWEST_EVENTS = 10
FEW_BLOCKS = 50  # below it the wild bootstrap is shown beside the clustered errors
FEWEST_BLOCKS = 6  # 2^6 sign patterns: below it a two-sided 5 % test cannot reject
FEWEST_BHAR = 50  # Lyon, Barber and Tsai (1999): below it the skewness adjustment is unreliable
DRAWS_AT_ONCE = 256
GROUPS_AT_ONCE = 128  # of eight values, whose signed sums lie in a processor's cache
VALUES_PER_RUN, PICKS_AT_ONCE = 2**14, 2**16  # likewise, of values drawn with replacement
TIE_SHARE = 1e-12  # sums of the same numbers in another order differ by rounding only


def sign_flip(car: np.ndarray, *, draws: int, seed: int) -> TestResult:
    """Is the mean CAR further from zero than with random signs?

    Exact under independence and symmetry. All 2^N patterns are enumerated where they are no more
    than the draws, else ``draws`` random ones are taken; the smallest p is 2/2^N. Fisher (1935).
    """
    name, n = "sign_flip", car.size
    null = "the CARs are independent and symmetric about zero"
    if n < 2:
        return not_computable(name, f"needs at least 2 events, found {n}", null=null)
    observed = abs(float(car.sum()))
    floor = observed - TIE_SHARE * float(np.abs(car).sum())
    if n < 63 and 2**n <= draws:
        sums = np.zeros(1)
        for value in car:
            sums = np.concatenate([sums + value, sums - value])
        hits = int((np.abs(sums) >= floor).sum())
        return TestResult(
            name, null, f"all {sums.size} sign patterns", float(car.mean()), hits / sums.size, None, "exact"
        )
    hits = int((np.abs(_draw_signed_sums(car, draws=draws, seed=seed)) >= floor).sum())
    note = f"{draws} draws, seed {seed}"
    return TestResult(name, null, "random signs", float(car.mean()), (1 + hits) / (draws + 1), None, note)


def _draw_signed_sums(values: np.ndarray, *, draws: int, seed: int) -> np.ndarray:
    """Sums of ``values`` under random signs: one random byte looks up the signed sum of eight values."""
    rng, groups, totals = np.random.default_rng(seed), np.zeros((-(-values.size // 8), 8)), np.zeros(draws)
    groups.ravel()[: values.size] = values
    signs = 1.0 - 2.0 * ((np.arange(256)[:, None] >> np.arange(8)[None, :]) & 1)
    for cut in range(0, len(groups), GROUPS_AT_ONCE):
        table = groups[cut : cut + GROUPS_AT_ONCE] @ signs.T
        picks = _draw_words(rng, (draws, len(table)), "u1") + np.arange(0, table.size, 256)
        totals += table.ravel().take(picks, mode="clip").sum(axis=1)  # spares the check that none lies outside
    return totals


def _draw_words(rng: np.random.Generator, shape: tuple[int, int], kind: str) -> np.ndarray:
    """Random whole numbers of every bit that an unsigned type has."""
    count = math.prod(shape)
    words = rng.bit_generator.random_raw(-(-count * np.dtype(kind).itemsize // 8))
    return np.asarray(words.astype("<u8", copy=False).view(f"<{kind}")[:count].reshape(shape))


def wild_bootstrap(car: np.ndarray, block: np.ndarray, *, draws: int, seed: int) -> TestResult:
    """Is the mean CAR zero when events of one block depend on each other in any way?

    Block-robust t against the same t with the CARs of each block multiplied by a common random
    sign, the null imposed. Cameron, Gelbach and Miller (2008).
    """

    def flip(rng: np.random.Generator, shape: tuple[int, int], sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        return _block_t((rng.integers(0, 2, size=shape, dtype=np.int8) * 2.0 - 1.0) * sums, sizes)

    return _draw_blocks("wild_bootstrap", "random signs of blocks", flip, car, block, draws=draws, seed=seed)


def event_block_bootstrap(car: np.ndarray, block: np.ndarray, *, draws: int, seed: int) -> TestResult:
    """Is the mean CAR zero, resampling whole blocks of events that share days?

    Block-robust t against the t of blocks drawn with replacement, centred on the sample mean.
    """

    def resample(rng: np.random.Generator, shape: tuple[int, int], sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        picks = rng.integers(0, sums.size, size=shape)
        return _block_t((sums - sizes * car.mean())[picks], sizes[picks])

    return _draw_blocks("event_block_bootstrap", "resampled blocks", resample, car, block, draws=draws, seed=seed)


def _draw_blocks(
    name: str,
    source: str,
    draw: Callable[..., np.ndarray],
    car: np.ndarray,
    block: np.ndarray,
    *,
    draws: int,
    seed: int,
) -> TestResult:
    """The block-robust t of the mean CAR among that of drawn samples."""
    label = pd.factorize(block, sort=True)[0]
    sums, sizes = np.bincount(label, weights=car), np.bincount(label).astype(float)
    if sums.size < FEWEST_BLOCKS:
        reason = f"needs at least {FEWEST_BLOCKS} blocks of events that share no day, found {sums.size}"
        return not_computable(name, reason, null=NULL_CAAR)
    observed = float(_block_t(sums[None, :], sizes)[0])
    if not math.isfinite(observed):
        return not_computable(name, "the blocks have no spread", null=NULL_CAAR)
    rng, hits = np.random.default_rng(seed), 0
    for first in range(0, draws, DRAWS_AT_ONCE):
        drawn = draw(rng, (min(DRAWS_AT_ONCE, draws - first), sums.size), sums, sizes)
        hits += int((~(np.abs(drawn) < abs(observed) * (1 - TIE_SHARE))).sum())
    note = f"{draws} draws, seed {seed}, {sums.size} blocks"
    return TestResult(name, NULL_CAAR, source, observed, (1 + hits) / (draws + 1), None, note)


def wild_term_test(
    x: np.ndarray, y: np.ndarray, tested: list[int], block: np.ndarray, *, name: str, draws: int, seed: int
) -> TestResult:
    """Are some coefficients of a regression zero, whatever the dependence within blocks?

    Block-robust Wald statistic against those of samples whose residuals, the null imposed, get a common random sign in
    each block. From block sums alone. Cameron, Gelbach and Miller (2008).
    """
    null = "the tested coefficients are zero"
    kept = [column for column in range(x.shape[1]) if column not in tested]
    restricted = y - x[:, kept] @ np.linalg.lstsq(x[:, kept], y, rcond=None)[0]
    label = pd.factorize(block, sort=True)[0]
    n_blocks = int(label.max()) + 1
    scores, moments = np.zeros((n_blocks, x.shape[1])), np.zeros((n_blocks, x.shape[1], x.shape[1]))
    np.add.at(scores, label, x * restricted[:, None])
    np.add.at(moments, label, x[:, :, None] * x[:, None, :])
    inverse = np.linalg.inv(x.T @ x)

    def wald(signs: np.ndarray) -> np.ndarray:
        change = signs @ scores @ inverse
        left = signs[:, :, None] * scores - np.einsum("gij,bj->bgi", moments, change)
        spread = (inverse @ np.einsum("bgi,bgj->bij", left, left) @ inverse)[:, tested][:, :, tested]
        return np.asarray(np.einsum("bi,bij,bj->b", change[:, tested], np.linalg.pinv(spread), change[:, tested]))

    observed = float(wald(np.ones((1, n_blocks)))[0])
    if not math.isfinite(observed) or n_blocks <= len(tested):
        return not_computable(name, "the blocks have no spread", null=null)
    rng, hits = np.random.default_rng(seed), 0
    for first in range(0, draws, DRAWS_AT_ONCE):
        flips = rng.integers(0, 2, size=(min(DRAWS_AT_ONCE, draws - first), n_blocks)) * 2.0 - 1.0
        hits += int((wald(flips) >= observed * (1 - TIE_SHARE)).sum())
    note = f"{draws} draws, seed {seed}, {n_blocks} blocks"
    return TestResult(name, null, "random signs of blocks", observed, (1 + hits) / (draws + 1), None, note)


def _block_t(sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Mean over its block-robust standard error; infinite where that is zero, NaN for 0/0."""
    total = sums.sum(axis=-1)
    n = sizes.sum(axis=-1)
    blocks = sums.shape[-1]
    mean = total / n
    spread = np.square(sums - sizes * mean[..., None]).sum(axis=-1) * (blocks / (blocks - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total / np.sqrt(spread))


def bhar_skewness_adjusted(bhar: np.ndarray, *, draws: int, seed: int) -> TestResult:
    """Is the mean buy-and-hold abnormal return zero? Skewness-adjusted t, bootstrapped.

    sqrt(N)(S + g S^2/3 + g/(6N)); resamples of N/4 events, centred on the sample mean.
    Lyon, Barber and Tsai (1999).
    """
    name, n = "bhar_skewness_adjusted", bhar.size
    null = "the mean buy-and-hold abnormal return is zero"
    if n < FEWEST_BHAR:
        return not_computable(name, f"needs at least {FEWEST_BHAR} events, found {n}", null=null)
    if not np.isfinite(Moments.of(bhar).t):
        return not_computable(name, f"all {n} buy-and-hold returns are equal", null=null)
    s = float(bhar.mean() / bhar.std(ddof=1))
    g = skewness(bhar)
    observed = math.sqrt(n) * (s + g * s**2 / 3 + g / (6 * n))
    size = max(3, n // 4)
    total, square, cube = _draw_power_sums(bhar - bhar.mean(), size, draws=draws, seed=seed)
    centre = total / size
    spread = np.maximum(square - size * centre**2, 0.0)
    cubes = cube - 3.0 * centre * square + 2.0 * size * centre**3
    std = np.where(spread > 0, np.sqrt(spread / (size - 1)), np.inf)
    ratio, skew = centre / std, size / ((size - 1) * (size - 2)) * cubes / std**3
    statistic = math.sqrt(size) * (ratio + skew * ratio**2 / 3 + skew / (6 * size))
    hits = int((np.abs(statistic) >= abs(observed)).sum())
    note = f"{draws} draws of {size} events, seed {seed}"
    return TestResult(name, null, "bootstrap", observed, (1 + hits) / (draws + 1), None, note)


def _draw_power_sums(values: np.ndarray, size: int, *, draws: int, seed: int) -> np.ndarray:
    """Sums of ``size`` values drawn with replacement, of their squares and of their cubes, array (3, draws).

    First how many of a draw fall into each run of values, then which of the run: it stays in a processor's cache.
    """
    rng, sums = np.random.default_rng(seed), np.zeros((3, draws))
    runs = np.split(values, range(VALUES_PER_RUN, values.size, VALUES_PER_RUN))
    counts = rng.multinomial(size, [run.size / values.size for run in runs], size=draws)
    for run, each in zip(runs, counts.T, strict=True):
        at_once = max(1, PICKS_AT_ONCE // max(int(each.max()), 1))
        for first in range(0, draws, at_once):
            part = slice(first, first + at_once)
            shape, fewest = (each[part].size, int(each[part].max())), int(each[part].min())
            if run.size == VALUES_PER_RUN:
                picks = _draw_words(rng, shape, "u2") & (VALUES_PER_RUN - 1)
            else:
                picks = rng.integers(run.size, size=shape, dtype=np.uint16)
            drawn = run.take(picks, mode="clip")
            drawn[:, fewest:] *= np.arange(fewest, shape[1]) < each[part, None]
            square = drawn * drawn
            sums[:, part] += drawn.sum(axis=1), square.sum(axis=1), np.einsum("ij,ij->i", square, drawn)
    return sums


@dataclass(frozen=True)
class TraitColumns:
    """Traits as columns of a regression.

    Attributes
    ----------
    matrix : array (events, columns)
        The intercept first, a column a numeric trait, one a level of a trait in words but its first.
    names : tuple of str
        ``intercept``, ``size``, ``kind=denial``.
    terms : dict of str to list of int
        Columns of each trait.
    """

    matrix: np.ndarray
    names: tuple[str, ...]
    terms: dict[str, list[int]]


@dataclass(frozen=True)
class TraitRegression:
    """Coefficients of CAR_i = b_0 + b'z_i + error.

    Attributes
    ----------
    method : str
        ``wls`` (weights 1/SE_i^2, classical errors), ``ols_hc3``, or ``ols_clustered`` by firm and block of dates.
    names : tuple of str
    coefficients, std_errors : arrays
    tests : tuple of TestResult
        One a coefficient.
    terms : tuple of TestResult
        One a trait in words with its levels taken together; with few blocks of dates the wild bootstrap beside.
    """

    method: str
    names: tuple[str, ...]
    coefficients: np.ndarray
    std_errors: np.ndarray
    tests: tuple[TestResult, ...]
    terms: tuple[TestResult, ...]


def lay_out_traits(traits: Mapping[str, np.ndarray], n: int, *, fewest: int = FEWEST_EVENTS) -> TraitColumns:
    """Columns of the traits of n events.

    Raises
    ------
    EstimationError
        With too few events, no degree of freedom, a trait that is not finite, or traits that repeat each other.
    """
    columns, names, terms = [np.ones(n)], ["intercept"], {}
    for name, values in traits.items():
        if np.issubdtype(np.asarray(values).dtype, np.number):
            found = {name: np.asarray(values, dtype=float)}
        else:
            levels = np.unique(np.asarray(values, dtype=str))
            found = {f"{name}={level}": (np.asarray(values, dtype=str) == level).astype(float) for level in levels[1:]}
        terms[name] = list(range(len(names), len(names) + len(found)))
        columns += found.values()
        names += found
    matrix, k = np.column_stack(columns), len(names)
    if n < fewest or n <= k:
        said = f"A regression on {k - 1} traits needs at least {max(fewest, k + 1)} events, found {n}."
        raise EstimationError(said, "Use fewer traits or more events.")
    for name, column in zip(names, matrix.T, strict=True):
        if not np.isfinite(column).all():
            bad = int((~np.isfinite(column)).sum())
            raise EstimationError(f"Trait {name} is missing or infinite for {bad} of {n} events.", "Fill or drop them.")
    scale = np.abs(matrix).max(axis=0)
    if (scale == 0).any() or np.linalg.matrix_rank(matrix / scale) < k:
        raise EstimationError("The traits and the intercept repeat each other.", "Leave one of them out.")
    return TraitColumns(matrix, tuple(names), terms)


def regress_on_traits(
    car: np.ndarray,
    car_std_error: np.ndarray,
    laid: TraitColumns,
    *,
    ticker: np.ndarray,
    block: np.ndarray,
    draws: int,
    seed: int,
) -> tuple[TraitRegression, ...]:
    """Regress the CARs on traits: by precision weights, with HC3 errors, and with errors clustered by firm and date.

    Weighted least squares is efficient when estimation error is most of the noise; OLS with HC3 (MacKinnon and White
    1985; Karafiath 2014) survives any variance of independent events, clustered errors (Cameron, Gelbach and Miller
    2011) any dependence within a firm or a block of dates, with the smaller number of clusters less one as degrees of
    freedom.

    Parameters
    ----------
    ticker, block : int arrays (events,)
        Firm and block of dates of each event.
    """
    x, n = laid.matrix, car.size
    weighted, scaled = x / car_std_error[:, None], car / car_std_error
    beta, residual, inverse = _fit(weighted, scaled)
    classical = float(residual @ residual) / (n - x.shape[1]) * inverse
    found = [_report("wls", beta, classical, n - x.shape[1], laid)]
    beta, residual, inverse = _fit(x, car)
    found.append(_report("ols_hc3", beta, hc3_covariance(x, residual, inverse), n - x.shape[1], laid))
    clustered, groups, _ = cluster_covariance(x, residual, ticker, block)
    extra = []
    if FEWEST_BLOCKS <= groups[1] < FEW_BLOCKS and draws > 0:
        words = [(name, at) for name, at in laid.terms.items() if at]
        extra = [wild_term_test(x, car, at, block, name=f"wild_{name}", draws=draws, seed=seed) for name, at in words]
    found.append(_report("ols_clustered", beta, clustered, min(groups) - 1, laid, extra))
    return tuple(found)


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ (x.T @ y)
    return beta, y - x @ beta, inverse


def _report(
    method: str, beta: np.ndarray, covariance: np.ndarray, df: int, laid: TraitColumns, extra: Sequence[TestResult] = ()
) -> TraitRegression:
    reason = "there are too few firms or blocks of dates for this coefficient"
    if method == "ols_hc3":
        reason = "one event alone determines a coefficient, so HC3 divides by zero"
    errors = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), np.nan))
    tests = []
    for name, value, error in zip(laid.names, beta, errors, strict=True):
        null = f"the coefficient of {name} is zero"
        if math.isfinite(error) and df > 0:
            tests.append(t_result(f"{method}_{name}", float(value / error), df, null=null))
        else:
            tests.append(not_computable(f"{method}_{name}", reason, null=null))
    joint = [
        _joint_test(f"{method}_{name}", beta[at], covariance[np.ix_(at, at)], df, reason=reason)
        for name, at in laid.terms.items()
        if len(at) > 1 or f"{name}=" in laid.names[at[0]]
    ]
    return TraitRegression(method, laid.names, beta, errors, tuple(tests), (*joint, *extra))


def _joint_test(name: str, beta: np.ndarray, covariance: np.ndarray, df: int, *, reason: str) -> TestResult:
    """Wald test that all levels of a trait share one mean, F(q, df)."""
    q, null = beta.size, "the mean CAR is the same at every level"
    is_regular = df >= q and np.isfinite(covariance).all() and np.linalg.matrix_rank(covariance) == q
    statistic = float(beta @ np.linalg.solve(covariance, beta)) / q if is_regular else -1.0
    if statistic < 0:
        return not_computable(name, reason, null=null)
    return TestResult(
        name, null, f"F({q}, {df})", statistic, max(float(fdtrc(q, df, statistic)), SMALLEST_P), float(df)
    )
