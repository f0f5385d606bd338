"""Parametric tests of the mean abnormal return of many events.

Each function takes the few arrays that its formula needs and returns a
:class:`~event_impact.base.result.TestResult`, or one that says why there is no number.
Notation: N events, CAR_i with standard error from the whole forecast covariance,
SCAR_i = CAR_i / SE_i, L_i - K degrees of freedom of event i.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from event_impact.base.result import TestResult, not_computable

#: Statistics that average CAR / SE and divide by its spread over the events.
SCALED_BY_SPREAD = ("bmp", "kp_bmp", "grank_t", "grank_z")

NULL_CAAR = "the mean cumulative abnormal return of the events is zero"
SMALLEST_P = float(np.finfo(float).tiny)
ROUNDING_SHARE = 1e-13  # a spread below this share of the size of the numbers is rounding


def normal_result(name: str, statistic: float, *, null: str = NULL_CAAR, note: str = "") -> TestResult:
    """A statistic against N(0,1), its two-sided p never exactly zero."""
    p_value = max(float(2.0 * ndtr(-abs(statistic))), SMALLEST_P)
    return TestResult(name, null, "N(0,1)", float(statistic), p_value, None, note)


def t_result(name: str, statistic: float, df: float, *, null: str = NULL_CAAR, note: str = "") -> TestResult:
    """A statistic against Student's t, its two-sided p never exactly zero."""
    p_value = max(float(2.0 * stdtr(df, -abs(statistic))), SMALLEST_P)
    return TestResult(name, null, f"t({df:g})", float(statistic), p_value, float(df), note)


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations along the first axis, mergeable over chunks.

    Attributes
    ----------
    n : int
    mean, squares : float or array
        Mean, and the sum of squared deviations from it.
    """

    n: int
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Moments of an array with one row an event."""
        mean = values.mean(axis=0)
        return cls(values.shape[0], mean, np.square(values - mean).sum(axis=0))

    def merge(self, other: Self | None) -> Self:
        """Moments of both parts together (Chan, Golub and LeVeque 1983)."""
        if other is None:
            return self
        n = self.n + other.n
        gap = other.mean - self.mean
        return type(self)(
            n, self.mean + gap * (other.n / n), self.squares + other.squares + gap * gap * (self.n * other.n / n)
        )

    @property
    def std(self) -> np.ndarray:
        """Standard deviation with n - 1; needs two rows."""
        return np.sqrt(self.squares / (self.n - 1))

    @property
    def t(self) -> np.ndarray:
        """sqrt(n) mean / std, NaN where the spread is nothing but rounding."""
        if self.n < 2:
            return np.full(np.shape(self.mean), np.nan)
        std = np.asarray(self.std)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = math.sqrt(self.n) * self.mean / std
        return np.where(std > ROUNDING_SHARE * np.abs(self.mean), t, np.nan)


class SumsOfEvents:
    """A dataclass of sums over events, numbers or moments, which add up over parts of them."""

    def merge(self, other: Self | None) -> Self:
        """Sums of both parts."""
        if other is None:
            return self
        pairs = ((name, value, vars(other)[name]) for name, value in vars(self).items())
        return type(self)(**{k: a.merge(b) if isinstance(a, Moments | SumsOfEvents) else a + b for k, a, b in pairs})


def mean_t(
    name: str, values: np.ndarray, of: str, flat: str, null: str = NULL_CAAR, *, inflation: float = 1.0, note: str = ""
) -> TestResult:
    """sqrt(n) mean / sd against t(n - 1), the variance times ``inflation``; ``of`` names the values, ``flat`` equal ones."""
    n = values.size
    if n < 2:
        return not_computable(name, f"needs at least 2 {of}, found {n}", null=null)
    t = float(Moments.of(values).t)
    if not math.isfinite(t):
        return not_computable(name, flat, null=null)
    return t_result(name, t / math.sqrt(inflation), n - 1, null=null, note=note)


def cross_sectional_t(car: np.ndarray) -> TestResult:
    """Is the mean CAR zero, judged by the spread of the CARs? sqrt(N) mean / sd, t(N - 1).

    Valid when the variance rises at the event; not when events share dates. Brown and Warner (1980).
    """
    return mean_t("cross_sectional_t", car, "events", _say_flat(car, "CARs"))


def bmp(scar: np.ndarray) -> TestResult:
    """Is the mean standardised CAR zero? sqrt(N) mean(SCAR)/sd(SCAR), t(N - 1).

    Boehmer, Musumeci and Poulsen (1991), who use N(0,1).
    """
    return mean_t("bmp", scar, "events", _say_flat(scar, "standardised CARs"))


def kp_bmp(scar: np.ndarray, mean_correlation: float) -> TestResult:
    """BMP for events that share calendar days: t_BMP sqrt((1 - rbar)/(1 + (N - 1) rbar)), t(N - 1).

    Kolari and Pynnönen (2010).
    """
    plain, spread = bmp(scar), 1.0 + (scar.size - 1) * mean_correlation
    if plain.statistic is None or spread <= 0 or mean_correlation >= 1:
        return _explain_correlation("kp_bmp", plain, mean_correlation, scar.size)
    factor = math.sqrt((1.0 - mean_correlation) / spread)
    return t_result("kp_bmp", plain.statistic * factor, scar.size - 1, note=f"rbar = {mean_correlation:.6g}")


def patell(scar: np.ndarray, df: np.ndarray) -> TestResult:
    """Is the sum of standardised CARs zero? sum SCAR / sqrt(sum (L_i - K)/(L_i - K - 2)), N(0,1).

    With the covariance between the days of a window in SCAR. Patell (1976).
    """
    if scar.size == 0:
        return not_computable("patell", "no event could be used", null=NULL_CAAR)
    if (df <= 2).any():
        few = int((df <= 2).sum())
        return not_computable("patell", f"{few} events have 2 or fewer degrees of freedom", null=NULL_CAAR)
    return normal_result("patell", scar.sum() / math.sqrt((df / (df - 2.0)).sum()))


def adjusted_patell(scar: np.ndarray, df: np.ndarray, mean_correlation: float) -> TestResult:
    """Patell for events that share calendar days: Z / sqrt(1 + (N - 1) rbar). Kolari and Pynnönen (2010)."""
    plain, spread = patell(scar, df), 1.0 + (scar.size - 1) * mean_correlation
    if plain.statistic is None or spread <= 0:
        return _explain_correlation("adjusted_patell", plain, mean_correlation, scar.size)
    return normal_result("adjusted_patell", plain.statistic / math.sqrt(spread), note=f"rbar = {mean_correlation:.6g}")


def skewness_adjusted_t(car: np.ndarray) -> TestResult:
    """Is the mean CAR zero, allowing for skewness? Hall's transformed t, t(N - 1).

    sqrt(N)(S + g S^2/3 + g^2 S^3/27 + g/(6N)), S = mean/sd, g = N/((N-1)(N-2)) sum z^3.
    Johnson (1978); Hall (1992). The limit is N(0,1); with ten events that rejects 8.5 % at 5 %.
    """
    name, n = "skewness_adjusted_t", car.size
    if n < 3:
        return not_computable(name, f"skewness needs at least 3 events, found {n}", null=NULL_CAAR)
    moments = Moments.of(car)
    if not np.isfinite(moments.t):
        return not_computable(name, _say_flat(car, "CARs"), null=NULL_CAAR)
    s = float(moments.mean / moments.std)
    g = skewness(car)
    return t_result(name, math.sqrt(n) * (s + g * s**2 / 3 + g**2 * s**3 / 27 + g / (6 * n)), n - 1)


def skewness(values: np.ndarray) -> float:
    """Sample skewness g = N/((N-1)(N-2)) sum z^3 with z by the N - 1 standard deviation."""
    n = values.size
    moments = Moments.of(values)
    return float(n / ((n - 1) * (n - 2)) * (((values - moments.mean) / moments.std) ** 3).sum())


def crude_dependence_t(
    estimation_aar: np.ndarray, caar: float, *, n_event: int, n_parameters: int
) -> tuple[TestResult, TestResult]:
    """Is the CAAR zero, judged by the average abnormal returns of the estimation window?

    CAAR / (s_A sqrt(W)), s_A^2 = sum (AAR_tau - mean)^2/(L - 1), t(L - K) (L - 1 where K < 1).
    The first result multiplies the variance by 1 + W/L for the estimation error, the second
    (``_plain``) does not. Answers clustering on one date; with many dates AAR_tau mixes calendar
    days. Brown and Warner (1980).

    Parameters
    ----------
    estimation_aar : array (L,)
        Mean residual of the events on each estimation session, NaN where none is usable.
    caar : float
    n_event, n_parameters : int
        W and K.
    """
    names = ("crude_dependence_t", "crude_dependence_t_plain")
    aar = estimation_aar[np.isfinite(estimation_aar)]
    length, df = aar.size, aar.size - max(1, n_parameters)
    std = float(aar.std(ddof=1)) if df > 0 else 0.0
    if std <= 0:
        reason = "the average abnormal returns of the estimation window have no spread"
        if df < 1:
            reason = f"needs more than {max(1, n_parameters)} estimation sessions, found {length}"
        return not_computable(names[0], reason, null=NULL_CAAR), not_computable(names[1], reason, null=NULL_CAAR)
    plain = caar / (std * math.sqrt(n_event))
    corrected = plain / math.sqrt(1.0 + n_event / length)
    return t_result(names[0], corrected, df, note="variance times 1 + W/L"), t_result(names[1], plain, df)


def find_detectable_caar(
    car_std_error: np.ndarray,
    *,
    mean_correlation: float = 0.0,
    significance: float = 0.05,
    power: float = 0.80,
    statistic: str = "cross_sectional_t",
    spread: float = 1.0,
) -> float | None:
    """Smallest true effect d, common to all events, that a two-sided test finds with the given power.

    A test of the mean CAR: (z_{1-a/2} + z_power) sqrt(mean Var(CAR)/N) f with f = sqrt(max(1 + (N - 1) rbar, 0)).
    Patell's tests see d as d m, m = mean(1/SE): (z_{1-a/2} + z_power) f / (sqrt(N) m). BMP and its relatives divide by
    the spread s of the SCAR, to which unequal d/SE add, v = Var(1/SE): with q = (t_{1-a/2} + t_power) f at N - 1 degrees
    of freedom, d = q s / sqrt(N m^2 - q^2 v); None when the standard errors are too unequal for that power.

    Parameters
    ----------
    car_std_error : numpy.ndarray
        (N,) standard errors of the cumulative abnormal returns, event-induced variance not in them.
    spread : float
        s, for the tests that divide by it: that of events without an effect, 1 where their variance is ordinary.
    statistic : str
        Name of the test.
    """
    n = car_std_error.size
    dependence = math.sqrt(max(1.0 + (n - 1) * mean_correlation, 0.0))
    reach = float(ndtri(1 - significance / 2) + ndtri(power)) * dependence
    inverse = 1.0 / car_std_error
    if statistic in ("patell", "adjusted_patell"):
        return reach / (math.sqrt(n) * float(inverse.mean()))
    if statistic in SCALED_BY_SPREAD:
        reach = float(stdtrit(n - 1, 1 - significance / 2) + stdtrit(n - 1, power)) * dependence
        left = n * float(inverse.mean()) ** 2 - reach**2 * float(inverse.var(ddof=1))
        return spread * reach / math.sqrt(left) if left > 0 else None
    return reach * math.sqrt(float(np.square(car_std_error).mean()) / n)


def _say_flat(values: np.ndarray, what: str) -> str:
    return f"all {values.size} {what} are equal, so they have no spread"


def _explain_correlation(name: str, plain: TestResult, mean_correlation: float, n: int) -> TestResult:
    """Why there is no statistic adjusted for shared days: no plain one, or a correlation that none can have."""
    least = -1 / max(1, n - 1)
    said = f"the mean correlation {mean_correlation:.4g} is not above -1/(N - 1) = {least:.4g} and below 1"
    return not_computable(name, said if plain.is_computed else plain.note, null=NULL_CAAR)
