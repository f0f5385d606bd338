"""Which traits of the events go with larger abnormal returns, and do groups of events differ?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.many.dependence import cluster_covariance
from event_impact.many.parametric_tests import SMALLEST_P, t_result
from event_impact.many.resampling import FEWEST_BLOCKS, wild_term_test

FEWEST_EVENTS = 10
FEW_BLOCKS = 50  # below it the wild bootstrap is shown beside the clustered errors
FULL_LEVERAGE = 1.0 - 1e-8


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
    n : int
    names : tuple of str
    coefficients, std_errors : arrays
    tests : tuple of TestResult
        One a coefficient.
    terms : tuple of TestResult
        One a trait in words with its levels taken together; with few blocks of dates the wild bootstrap beside.
    """

    method: str
    n: int
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
        raise EstimationError(
            f"A regression on {k - 1} traits needs at least {max(fewest, k + 1)} events, found {n}.",
            "Use fewer traits or more events.",
        )
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
    found = [_report("wls", beta, classical, n - x.shape[1], laid=laid, n=n)]
    beta, residual, inverse = _fit(x, car)
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
    if (leverage > FULL_LEVERAGE).any():
        robust = np.full(inverse.shape, np.nan)
    else:
        bread = x @ inverse * (residual / (1.0 - leverage))[:, None]
        robust = bread.T @ bread
    found.append(_report("ols_hc3", beta, robust, n - x.shape[1], laid=laid, n=n))
    clustered, groups, _ = cluster_covariance(x, residual, ticker, block)
    extra = []
    if FEWEST_BLOCKS <= groups[1] < FEW_BLOCKS and draws > 0:
        words = [(name, at) for name, at in laid.terms.items() if at]
        extra = [wild_term_test(x, car, at, block, name=f"wild_{name}", draws=draws, seed=seed) for name, at in words]
    found.append(_report("ols_clustered", beta, clustered, min(groups) - 1, laid=laid, n=n, extra=extra))
    return tuple(found)


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ (x.T @ y)
    return beta, y - x @ beta, inverse


def _report(
    method: str,
    beta: np.ndarray,
    covariance: np.ndarray,
    df: int,
    *,
    laid: TraitColumns,
    n: int,
    extra: list[TestResult] | None = None,
) -> TraitRegression:
    errors = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), np.nan))
    tests = []
    for name, value, error in zip(laid.names, beta, errors, strict=True):
        null = f"the coefficient of {name} is zero"
        if math.isfinite(error) and df > 0:
            tests.append(t_result(f"{method}_{name}", float(value / error), df, null=null))
        else:
            tests.append(not_computable(f"{method}_{name}", _explain(method), null=null))
    joint = [
        _joint_test(f"{method}_{name}", beta[at], covariance[np.ix_(at, at)], df, reason=_explain(method))
        for name, at in laid.terms.items()
        if len(at) > 1 or f"{name}=" in laid.names[at[0]]
    ]
    return TraitRegression(method, n, laid.names, beta, errors, tuple(tests), (*joint, *(extra or [])))


def _explain(method: str) -> str:
    if method == "ols_hc3":
        return "one event alone determines a coefficient, so HC3 divides by zero"
    return "there are too few firms or blocks of dates for this coefficient"


def _joint_test(name: str, beta: np.ndarray, covariance: np.ndarray, df: int, *, reason: str) -> TestResult:
    """Wald test that all levels of a trait share one mean, F(q, df)."""
    q, null = beta.size, "the mean CAR is the same at every level"
    if df < q or not np.isfinite(covariance).all() or np.linalg.matrix_rank(covariance) < q:
        return not_computable(name, reason, null=null)
    statistic = float(beta @ np.linalg.solve(covariance, beta)) / q
    if statistic < 0:
        return not_computable(name, reason, null=null)
    return TestResult(
        name, null, f"F({q}, {df})", statistic, max(float(fdtrc(q, df, statistic)), SMALLEST_P), float(df)
    )
