"""Which traits of the events go with larger abnormal returns?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from event_impact.base.errors import ConfigError, EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.many.engine import EventEstimates
from event_impact.many.layout import BatchDesign
from event_impact.many.parametric_tests import t_result
from event_impact.many.sample import DEFAULT_DRAWS, DEFAULT_SEED, SampleResult, assess_sample

FEWEST_EVENTS = 10
FULL_LEVERAGE = 1.0 - 1e-8


@dataclass(frozen=True)
class TraitRegression:
    """Coefficients of CAR_i = b_0 + b'z_i + error.

    Attributes
    ----------
    method : str
        ``wls`` (weights 1/SE_i^2, classical errors) or ``ols_hc3``.
    n : int
    names : tuple of str
        ``intercept`` and the traits.
    coefficients, std_errors : arrays
    tests : tuple of TestResult
        One a coefficient, t(n - k).
    """

    method: str
    n: int
    names: tuple[str, ...]
    coefficients: np.ndarray
    std_errors: np.ndarray
    tests: tuple[TestResult, ...]


def regress_on_traits(
    car: np.ndarray, car_std_error: np.ndarray, *, traits: Mapping[str, np.ndarray]
) -> tuple[TraitRegression, TraitRegression]:
    """Regress the CARs on traits, once by precision weights and once with HC3 errors.

    Weighted least squares is efficient when estimation error is most of the noise; OLS with HC3
    (MacKinnon and White 1985) survives any variance. Karafiath (2014) on leverage in event samples.

    Raises
    ------
    EstimationError
        With fewer than 10 events, no degree of freedom, a trait that is not finite, or traits
        that repeat each other.
    """
    n, k = car.size, len(traits) + 1
    if n < FEWEST_EVENTS or n <= k:
        raise EstimationError(
            f"A regression on {k - 1} traits needs at least {max(FEWEST_EVENTS, k + 1)} events, found {n}.",
            "Use fewer traits or more events.",
        )
    design = np.column_stack([np.ones(n), *(np.asarray(values, dtype=float) for values in traits.values())])
    for name, column in zip(traits, design.T[1:], strict=True):
        if not np.isfinite(column).all():
            bad = int((~np.isfinite(column)).sum())
            raise EstimationError(f"Trait {name} is missing or infinite for {bad} of {n} events.", "Fill or drop them.")
    scale = np.abs(design).max(axis=0)
    if (scale == 0).any() or np.linalg.matrix_rank(design / scale) < k:
        raise EstimationError("The traits and the intercept repeat each other.", "Leave one of them out.")
    names = ("intercept", *traits)
    return _weighted(car, car_std_error, design, names), _robust(car, design, names)


def _weighted(car: np.ndarray, errors: np.ndarray, design: np.ndarray, names: tuple[str, ...]) -> TraitRegression:
    x, y = design / errors[:, None], car / errors
    inverse = np.linalg.inv(x.T @ x)
    coefficients = inverse @ (x.T @ y)
    residual = y - x @ coefficients
    variance = float(residual @ residual) / (y.size - x.shape[1])
    return _report("wls", y.size, names, coefficients, np.sqrt(variance * np.diag(inverse)))


def _robust(car: np.ndarray, design: np.ndarray, names: tuple[str, ...]) -> TraitRegression:
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ (design.T @ car)
    residual = car - design @ coefficients
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    if (leverage > FULL_LEVERAGE).any():
        errors = np.full(len(names), np.nan)
    else:
        bread = design @ inverse * (residual / (1.0 - leverage))[:, None]
        errors = np.sqrt(np.diag(bread.T @ bread))
    return _report("ols_hc3", car.size, names, coefficients, errors)


def _report(
    method: str, n: int, names: tuple[str, ...], coefficients: np.ndarray, errors: np.ndarray
) -> TraitRegression:
    tests = []
    for name, value, error in zip(names, coefficients, errors, strict=True):
        null = f"the coefficient of {name} is zero"
        if math.isfinite(error) and error > 0:
            tests.append(t_result(f"{method}_{name}", float(value / error), n - len(names), null=null))
        else:
            reason = "one event alone determines a coefficient, so HC3 divides by zero"
            tests.append(not_computable(f"{method}_{name}", reason, null=null))
    return TraitRegression(method, n, names, coefficients, errors, tuple(tests))


def assess_groups(
    design: BatchDesign,
    estimates: EventEstimates,
    labels: np.ndarray,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    on_progress: Callable[[int], object] | None = None,
) -> dict[str, SampleResult]:
    """The whole set of statistics for each group of events, in the order of the labels.

    Raises
    ------
    ConfigError
        If the labels are not one an event.
    """
    labels = np.asarray(labels)
    if labels.shape != estimates.car.shape:
        raise ConfigError(f"Expected one group label an event, {estimates.car.size}, found {labels.size}.")
    return {
        str(label): assess_sample(
            design, estimates.select(np.flatnonzero(labels == label)), draws=draws, seed=seed, on_progress=on_progress
        )
        for label in np.unique(labels)
    }
