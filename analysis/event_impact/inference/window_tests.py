"""Every test that is defined for one window, and the reason for each that is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.abnormal import AbnormalReturns, WindowSum
from event_impact.inference.block_conformal import block_conformal_test
from event_impact.inference.bootstrap import bootstrap_test
from event_impact.inference.counterfactual_ranks import rank_counterfactual
from event_impact.inference.fhs import fhs_test
from event_impact.inference.parametric import prediction_error_t
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.sample_quantile import conformal, sample_quantile

BOOTSTRAP_DRAWS = 1999
"""Draws a window; the smallest p is then 1 in 2,000."""
SINGLE_SESSION = {
    "block_bootstrap": "one session: resampled residuals are the sample-quantile test",
    "pseudo_event": "one session: the placebo rank is this test away from other news",
    "joint_f": "one session: F is the square of t",
}


@dataclass(frozen=True)
class WindowTests:
    """Tests by name, and for models without a standard error the interval that the ranks give.

    Attributes
    ----------
    rank_ci95 : (float, float) or None
        Effects that no rank of the residuals rejects at 5 %.
    """

    tests: dict[str, TestResult]
    rank_ci95: tuple[float, float] | None = None


def run_window_tests(
    abnormal: AbnormalReturns, total: WindowSum, *, rng: np.random.Generator, placebo: PlaceboRank | None
) -> WindowTests:
    """All tests of one complete window.

    Parameters
    ----------
    total : WindowSum
        Estimate of the window.
    rng : numpy.random.Generator
        For the bootstrap.
    placebo : PlaceboRank, optional
        Ranks among earlier windows, where they were computed.
    """
    if total.standard_error is None:
        ranked = rank_counterfactual(abnormal.counterfactual_fits(total.first, total.last))
        tests = {"t": not_computable("t", total.note), **ranked.tests}
        tests["block_bootstrap"] = not_computable("block_bootstrap", total.note)
    else:
        ranked = None
        tests = _least_squares_tests(abnormal, total, rng)
    tests |= placebo.tests if placebo else {}
    if total.length == 1:
        tests |= {name: not_computable(name, why) for name, why in SINGLE_SESSION.items()}
    return WindowTests(tests, ranked.interval if ranked else None)


def _least_squares_tests(
    abnormal: AbnormalReturns, total: WindowSum, rng: np.random.Generator
) -> dict[str, TestResult]:
    fit, fits = abnormal.fit, abnormal.window_fits(total.first, total.last)
    assert total.estimate is not None
    assert total.standard_error is not None
    note = "" if abnormal.garch is None else "the standard error is the GARCH forecast made before the window"
    tests = {
        "t": prediction_error_t(total.estimate, total.standard_error, fit.df, note=note),
        "sample_quantile": sample_quantile(total.abnormal, fit.residuals),
        "conformal": conformal(fits),
        "block_conformal": block_conformal_test(fits),
        "fhs": fhs_test(fits),
    }
    if total.length > 1:
        try:
            tests["block_bootstrap"] = bootstrap_test(fits, rng, n_draws=BOOTSTRAP_DRAWS)
        except EstimationError as error:
            tests["block_bootstrap"] = not_computable("block_bootstrap", error.message)
    return tests
