"""The prediction-error t test and the intervals built on it (exact under iid normal errors).

What normal theory says of data like these: detectable effects, provable bounds, what significance does to estimates.

All of it is ex ante, a function of the standard error and not of the estimate found. Power at the observed estimate
is never computed: it is the p-value in other clothes (Hoenig & Heisey 2001). The power of the rule that decides, and
what it rules out, are in :mod:`event_impact.inference.deciding_rule`.

Several tests at once.
"""

import math
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv, ndtr, stdtr, stdtrit

from event_impact.base.result import TestResult


def prediction_error_t(estimate: float, standard_error: float, df: int, *, note: str = "") -> TestResult:
    """Is the abnormal return zero, if sessions are independent and normal?

    ``t = a / (s sqrt(w'Gw))`` against t(L - K), two-sided (Karafiath and Spencer 1991).

    Parameters
    ----------
    estimate, standard_error : float
        Fractions.
    df : int
        L - K.
    note : str
        Said with the result.

    Returns
    -------
    TestResult
    """
    statistic = estimate / standard_error
    p_value = float(2 * stdtr(df, -abs(statistic)))
    return TestResult("t", "the abnormal return of the window is zero", f"t({df})", statistic, p_value, df, note)


def interval(estimate: float, standard_error: float, df: int, level: float) -> tuple[float, float]:
    """The t interval with confidence ``level`` (0.90, 0.95), fractions.

    Parameters
    ----------
    estimate, standard_error : float
        Fractions.
    df : int
        L - K.
    level : float
        Confidence.

    Returns
    -------
    low, high : float
        Fractions.
    """
    half = float(stdtrit(df, 0.5 + level / 2)) * standard_error
    return estimate - half, estimate + half


def is_inside(low: float, high: float, bound: float) -> bool:
    """Whether an interval lies inside +-bound.

    Parameters
    ----------
    low, high : float
        Ends of an interval, fractions.
    bound : float
        delta, positive.

    Returns
    -------
    bool
    """
    return math.isfinite(low) and -bound < low and high < bound


#: Of Gauss and Legendre; power agrees with the noncentral t within 1e-6 from 20 degrees of freedom on.
QUADRATURE_NODES = 200


def detectable_effect(std_error: float, *, df: float, power: float = 0.80, level: float = 0.05) -> float:
    """Smallest effect an unadjusted two-sided t test finds with the given power.

    (t_{1 - level/2} + t_{power}) se; the usual central-t approximation, 2.82 se at 5 % and 80 %.

    Parameters
    ----------
    std_error : float
        A fraction.
    df : float
        Degrees of freedom.
    power, level : float
        Of the test.

    Returns
    -------
    float
        A fraction.
    """
    return float((stdtrit(df, 1.0 - level / 2.0) + stdtrit(df, power)) * std_error)


def provable_bound(std_error: float, *, df: float, power: float = 0.80, level: float = 0.05) -> float:
    """Bound that an equivalence test passes with the given power when the true effect is zero.

    Passing needs |estimate| <= bound - t_{1-level} se, which at zero has probability ``power`` at
    (t_{1 - level} + t_{(1 + power)/2}) se.
    """
    return float((stdtrit(df, 1.0 - level) + stdtrit(df, (1.0 + power) / 2.0)) * std_error)


def chance_to_show_reversal(std_error: float, *, df: float, half_width: float, bound: float) -> float | None:
    """Chance that the sum of a perfect reversal would be shown to lie inside the bound.

    The interval of the sum, ``half_width`` to each side, must lie inside +-bound, which an estimate around zero does with
    probability 2 F_t((bound - half_width) / se) - 1. None where the half-width reaches the bound: no data could have
    shown it, and the half-width is the least that could be proved.
    """
    return None if half_width >= bound else float(2.0 * stdtr(df, (bound - half_width) / std_error) - 1.0)


def significance_filter(effect: float, std_error: float, *, df: float, level: float = 0.05) -> dict[str, float]:
    """Power, exaggeration and sign error of significant estimates of a true effect, by exact integration.

    The estimate is normal around the effect with standard deviation ``std_error``; the standard error
    that the test uses is that times sqrt(chi2_df / df), independent of it. Given that ratio w, significance is
    |estimate| > t w, and the conditional moments of a normal are closed forms; the integral runs over w.

    Returns
    -------
    dict of str to float
        ``power``, the probability that the two-sided t test rejects; ``exaggeration``, the mean |estimate| among
        rejections over the true |effect| (type M); ``sign_error``, the share of rejections with the wrong sign (type S)
        (Gelman & Carlin 2014).
    """
    ratios, weights = _ratio_nodes(df)
    shift, c = abs(effect) / std_error, float(stdtrit(df, 1.0 - level / 2.0)) * ratios
    above, below = ndtr(shift - c), ndtr(-c - shift)
    moments = above, below, shift * above + _density(c - shift) - shift * below + _density(c + shift)
    right, wrong, size = (float(weights @ moment) for moment in moments)
    power = right + wrong
    return {"power": power, "exaggeration": size / power / shift, "sign_error": wrong / power}


def _density(z: np.ndarray) -> np.ndarray:
    """Of the standard normal distribution."""
    return np.asarray(np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi))


@lru_cache(maxsize=16)
def _ratio_nodes(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the ratio w = sqrt(chi2_df / df): through its quantiles the integral is one over (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(QUADRATURE_NODES)
    return np.sqrt(2.0 * gammaincinv(df / 2.0, (nodes + 1.0) / 2.0) / df), weights / 2.0


def holm(p_values: list[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p-values, in the order given; None stays None and is not counted.

    (Holm 1979.) The k-th smallest of n is multiplied by n - k + 1, made monotone, cut at 1.
    """
    known = [i for i, p in enumerate(p_values) if p is not None]
    order = sorted(known, key=lambda i: p_values[i])  # type: ignore[arg-type,return-value]
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p_values[index]))  # type: ignore[operator]
        adjusted[index] = running
    return adjusted
