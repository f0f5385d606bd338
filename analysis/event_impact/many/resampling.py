"""Tests of many events whose reference distribution is drawn, never assumed.

Every function takes the seed and says in its result how many draws it made. No p is ever zero:
p = (1 + number of draws at least as extreme)/(draws + 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from event_impact.base.result import TestResult, not_computable
from event_impact.many.parametric_tests import NULL_CAAR, Moments, skewness

FEWEST_BLOCKS = 6  # 2^6 sign patterns: below it a two-sided 5 % test cannot reject
FEWEST_BHAR = 50  # Lyon, Barber and Tsai (1999): below it the skewness adjustment is unreliable
DRAWS_AT_ONCE = 256
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
    rng = np.random.default_rng(seed)
    padded = np.zeros(-(-values.size // 8) * 8)
    padded[: values.size] = values
    signs = 1.0 - 2.0 * ((np.arange(256)[:, None] >> np.arange(8)[None, :]) & 1)
    at_once = max(1, 4_194_304 // (256 * 8))
    totals = np.zeros(draws)
    groups = padded.reshape(-1, 8)
    for cut in range(0, groups.shape[0], at_once):
        table = np.ascontiguousarray(groups[cut : cut + at_once] @ signs.T)
        offset = np.arange(table.shape[0], dtype=np.int32) * 256
        flat = table.ravel()
        for first in range(0, draws, DRAWS_AT_ONCE):
            count = min(DRAWS_AT_ONCE, draws - first)
            picks = rng.integers(0, 256, size=(count, table.shape[0]), dtype=np.uint8)
            totals[first : first + count] += flat.take(picks + offset).sum(axis=1)
    return totals


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
    label = np.unique(block, return_inverse=True)[1]
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
    label = np.unique(block, return_inverse=True)[1]
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
    rng, centred = np.random.default_rng(seed), bhar - bhar.mean()
    size = max(3, n // 4)
    at_once = max(1, 262_144 // size)
    hits = 0
    for first in range(0, draws, at_once):
        picks = rng.integers(0, n, size=(min(at_once, draws - first), size), dtype=np.int32)
        drawn = centred.take(picks, mode="clip")  # spares the check that no draw lies outside
        square = drawn * drawn
        total = np.einsum("ij->i", square), np.einsum("ij,ij->i", square, drawn)
        centre = drawn.mean(axis=1)
        spread = np.maximum(total[0] - size * centre**2, 0.0)
        cubes = total[1] - 3.0 * centre * total[0] + 2.0 * size * centre**3
        std = np.where(spread > 0, np.sqrt(spread / (size - 1)), np.inf)
        ratio, skew = centre / std, size / ((size - 1) * (size - 2)) * cubes / std**3
        statistic = math.sqrt(size) * (ratio + skew * ratio**2 / 3 + skew / (6 * size))
        hits += int((np.abs(statistic) >= abs(observed)).sum())
    note = f"{draws} draws of {size} events, seed {seed}"
    return TestResult(name, null, "bootstrap", observed, (1 + hits) / (draws + 1), None, note)
