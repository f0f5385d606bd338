"""Every test that is defined for one window, and the reason for each that is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.abnormal import AbnormalReturns, WindowSum
from event_impact.inference.bootstrap import bootstrap_test
from event_impact.inference.deciding_rule import DecidingRule, describe_rule, invert_window
from event_impact.inference.parametric import prediction_error_t
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.sample_quantile import sample_quantile

BOOTSTRAP_DRAWS = 1999
"""Draws a window; the smallest p is then 1 in 2,000."""
SINGLE_SESSION = {
    "block_bootstrap": "one session: resampled residuals are the sample-quantile test",
    "pseudo_event": "one session: the placebo rank is this test away from other news",
    "joint_f": "one session: F is the square of t",
}


@dataclass(frozen=True)
class WindowTests:
    """Tests by name, and the rule behind those that decide."""

    tests: dict[str, TestResult]
    rule: DecidingRule


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
    rule = invert_window(abnormal, total.first, total.last)
    tests = {
        "t": describe_t(abnormal, total),
        "sample_quantile": sample_quantile(total.abnormal, abnormal.fit.residuals),
    }
    tests |= describe_rule(rule)
    tests["block_bootstrap"] = _bootstrap(abnormal, total, rng)
    tests |= placebo.tests if placebo else {}
    if total.length == 1:
        tests |= {name: not_computable(name, why) for name, why in SINGLE_SESSION.items()}
    return WindowTests(tests, rule)


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
