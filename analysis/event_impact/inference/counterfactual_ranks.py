"""Rank tests for models whose forecasts have no standard error.

The event is ranked among residuals, the refitted ones for the conformal tests and GARCH-standardised ones for FHS.
Without a leverage of known meaning none is corrected for, which matters at order K / L.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.rolling_estimators import CounterfactualFits
from event_impact.inference.block_conformal import NULL as BLOCK_NULL
from event_impact.inference.block_conformal import block_p_values, circular_sums
from event_impact.inference.fhs import NULL as FHS_NULL
from event_impact.inference.fhs import rank_filtered
from event_impact.inference.sample_quantile import CONFORMAL_NULL, sample_quantile


@dataclass(frozen=True)
class CounterfactualRanks:
    """Tests by name and the interval of effects that the ranks do not reject."""

    tests: dict[str, TestResult]
    interval: tuple[float, float] | None


def rank_counterfactual(fits: CounterfactualFits, *, level: float = 0.05) -> CounterfactualRanks:
    """Rank the first window of ``fits`` among its own residuals.

    The interval is the estimate and on both sides the ceil((1 - level)(L + 1))-th smallest circular block sum of the
    estimation residuals, in absolute value; None when the window is too short for the level.
    """
    length, m = fits.n_estimation, fits.window_length
    sums = circular_sums(fits.refit_residuals, m)
    p_value = float(block_p_values(sums, length)[0])
    blocks = f"ranks of {length + m} circular blocks of {m} session{'s' if m > 1 else ''}"
    tests = {
        "sample_quantile": sample_quantile(fits.abnormal_returns[0], fits.residuals[0]),
        "conformal": not_computable("conformal", "defined for one-session windows only", null=CONFORMAL_NULL),
        "block_conformal": TestResult(
            name="block_conformal",
            null=BLOCK_NULL,
            distribution=blocks,
            statistic=float(sums[0, length]),
            p_value=p_value,
            note="refitted without a dummy on the estimation and event sessions together",
        ),
        "fhs": _filtered(fits),
    }
    if m == 1:
        tests["conformal"] = TestResult(
            name="conformal",
            null=CONFORMAL_NULL,
            distribution=f"ranks of {length + 1} refitted residuals",
            p_value=p_value,
            note=f"smallest reachable p is {1 / (length + 1):.3g}",
        )
    return CounterfactualRanks(tests, _interval(fits, level))


def _filtered(fits: CounterfactualFits) -> TestResult:
    if fits.window_length != 1:
        reason = f"FHS ranks one session; this window has {fits.window_length}: see the block-conformal p."
        return not_computable("fhs", reason, null=FHS_NULL)
    ranks = rank_filtered(
        fits.residuals, fits.abnormal_returns[:, 0], leverage=np.zeros(1), following=fits.gap_abnormal_returns
    )
    state = float(ranks.garch.volatility_state[0])
    return TestResult(
        name="fhs",
        null=FHS_NULL,
        distribution=f"ranks of {fits.n_estimation + 1} sessions",
        statistic=float(ranks.z[0]),
        p_value=float(ranks.p_values[0]),
        note=f"volatility of the event day {state:.2f} times that of the estimation window; no leverage in the scale",
    )


def _interval(fits: CounterfactualFits, level: float) -> tuple[float, float] | None:
    sizes = np.sort(np.abs(circular_sums(fits.residuals, fits.window_length)[0]))
    order = int(np.ceil(np.round((1.0 - level) * (len(sizes) + 1), 9)))
    if order > len(sizes):
        return None
    estimate, half = float(fits.abnormal_returns.sum()), float(sizes[order - 1])
    return estimate - half, estimate + half
