"""Every test that is defined for one window, and the reason for each that is not.

Moving-block bootstrap of a cumulative abnormal return.

Residuals are drawn in blocks of consecutive sessions, so that short-lived dependence survives, over the
estimation and event sessions together; each draw is refitted, so that estimation error is in it too; and the CAR
is divided by its own standard error, because that ratio depends least on the unknown variance
(Kunsch 1989; Hall & Wilson 1991).

The tests on sessions whose answer is known.
"""

import math
from dataclasses import dataclass

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.abnormal import AbnormalReturns, WindowSum
from event_impact.estimation.rolling import WindowFits
from event_impact.events.confounders import Control
from event_impact.inference.deciding_rule import DecidingRule, describe_rule, invert_window
from event_impact.inference.parametric import prediction_error_t
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.ranks import is_rejected, placebo_p_values, sample_quantile

BOOTSTRAP_NULL = "the abnormal returns of the window sum to zero"
#: Draws refitted together.
CHUNK = 2000


def default_block_length(n_sessions: int, window_length: int) -> int:
    """L^(1/3), the rate that minimises the error of a block variance, but not less than the window."""
    return max(window_length, round(math.pow(n_sessions, 1.0 / 3.0)))


def bootstrap_test(
    fits: WindowFits, rng: np.random.Generator, *, n_draws: int = 9999, block_length: int | None = None
) -> TestResult:
    """Studentised moving-block bootstrap of the first window of ``fits``.

    Parameters
    ----------
    fits : WindowFits
        The event's fit.
    rng : numpy.random.Generator
        Source of the draws; seed it.
    n_draws : int
        Bootstrap samples.
    block_length : int, optional
        Sessions a block; default ``default_block_length``.

    Raises
    ------
    EstimationError
        If the block does not fit the estimation window or there are fewer than 99 draws.
    """
    length, m = fits.n_estimation, fits.window_length
    block = default_block_length(length, m) if block_length is None else block_length
    if not 1 <= block <= length // 2 or n_draws < 99:
        said = f"Expected blocks of 1 to {length // 2} sessions and at least 99 draws, found {block} and {n_draws}."
        raise EstimationError(said, "Shorten the window or lengthen the estimation window.")
    # Least squares shrinks residuals by sqrt(1 - leverage); undo it, and centre.
    source = fits.residuals[0] / np.sqrt(1.0 - fits.estimation_leverage[0])
    source = source - source.mean()
    basis, window = fits.estimation_coordinates[0], fits.window_coordinates[0].sum(axis=0)
    spread = np.sqrt(m + window @ window)
    t_draws = np.empty(n_draws)
    for start in range(0, n_draws, CHUNK):
        count = min(CHUNK, n_draws - start)
        sample = _draw_blocks(source, rng, n_draws=count, length=length + m, block=block)
        t_draws[start : start + count] = _studentised(sample, basis, window=window, spread=spread, df=fits.df)
    statistic, drawn = float(fits.scar[0]), f"{n_draws} draws of blocks of {block} sessions"
    return TestResult("block_bootstrap", BOOTSTRAP_NULL, drawn, statistic, float(placebo_p_values(statistic, t_draws)))


def _draw_blocks(source: np.ndarray, rng: np.random.Generator, *, n_draws: int, length: int, block: int) -> np.ndarray:
    """Series of ``length`` sessions made of blocks of consecutive residuals, (n_draws, length).

    The first block is cut at a random place, so that block joints fall anywhere in the event window.
    """
    n_blocks = -(-length // block) + 1
    starts = rng.integers(0, len(source) - block + 1, (n_draws, n_blocks))
    sessions = np.arange(length)[None, :] + rng.integers(0, block, n_draws)[:, None]
    return source[np.take_along_axis(starts, sessions // block, axis=1) + sessions % block]


def _studentised(sample: np.ndarray, basis: np.ndarray, *, window: np.ndarray, spread: float, df: int) -> np.ndarray:
    """CAR of each refitted sample over its own standard error."""
    before, after = sample[:, : len(basis)], sample[:, len(basis) :]
    projected = before @ basis
    ssr = np.einsum("nl,nl->n", before, before) - np.einsum("nk,nk->n", projected, projected)
    return np.asarray((after.sum(axis=1) - projected @ window) / (np.sqrt(ssr / df) * spread))


#: Draws a window; the smallest p is then 1 in 2,000.
BOOTSTRAP_DRAWS = 1999
SINGLE_SESSION = {
    "block_bootstrap": "one session: resampled residuals are the sample-quantile test",
    "pseudo_event": "one session: the placebo rank is this test away from other news",
    "joint_f": "one session: F is the square of t",
}


def run_window_tests(
    abnormal: AbnormalReturns, total: WindowSum, *, rng: np.random.Generator, placebo: PlaceboRank | None
) -> tuple[dict[str, TestResult], DecidingRule]:
    """All tests of one complete window by name, and the rule behind those that decide.

    Parameters
    ----------
    total : WindowSum
        Estimate of the window.
    rng : numpy.random.Generator
        For the bootstrap.
    placebo : PlaceboRank, optional
        Ranks among earlier windows, where they were computed.
    """
    rule = invert_window(abnormal, total.first, total.last)
    ranked = {"sample_quantile": sample_quantile(total.abnormal, abnormal.fit.residuals), **describe_rule(rule)}
    tests = {"t": describe_t(abnormal, total), **ranked, "block_bootstrap": _bootstrap(abnormal, total, rng)}
    single = SINGLE_SESSION if total.length == 1 else {}
    left_out = {name: not_computable(name, why) for name, why in single.items()}
    return tests | (placebo.tests if placebo else {}) | left_out, rule


def describe_t(abnormal: AbnormalReturns, total: WindowSum) -> TestResult:
    """The t test of a window, or why a model has none."""
    if total.estimate is None or total.standard_error is None:
        return not_computable("t", total.note)
    note = "" if abnormal.garch is None else "the standard error is the GARCH forecast made before the window"
    return prediction_error_t(total.estimate, total.standard_error, abnormal.fit.df, note=note)


def _bootstrap(abnormal: AbnormalReturns, total: WindowSum, rng: np.random.Generator) -> TestResult:
    if total.standard_error is None or total.length == 1:
        return not_computable("block_bootstrap", total.note or SINGLE_SESSION["block_bootstrap"])
    try:
        return bootstrap_test(abnormal.window_fits(total.first, total.last), rng, n_draws=BOOTSTRAP_DRAWS)
    except EstimationError as error:
        return not_computable("block_bootstrap", error.message)


@dataclass(frozen=True)
class ControlResult:
    """One control with its estimate and tests, or the reason why it has none.

    Attributes
    ----------
    estimate : float or None
        Abnormal return of the session, market model, close to close.
    tests : dict of str to TestResult
        ``t``, ``conformal``, ``fhs``.
    """

    control: Control
    estimate: float | None
    tests: dict[str, TestResult]
    note: str = ""

    @property
    def rank_p(self) -> float | None:
        """The larger of conformal and FHS, by which outcomes are decided."""
        known = [self.tests[n].p_value for n in ("conformal", "fhs") if n in self.tests]
        return max((p for p in known if p is not None), default=None)

    def is_as_expected(self, significance: float) -> bool | None:
        """Whether the rank p rejects where it should and only there; None without a p."""
        if self.rank_p is None:
            return None
        return is_rejected(self.rank_p, significance) == (self.control.expected == "must_reject")
