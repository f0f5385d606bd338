"""What in the estimation window could spoil the tests: dependence, tails, an unstable beta, a few decisive days."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtrc, fdtrc

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult
from event_impact.estimation.garch import fit_garch
from event_impact.estimation.rolling import WindowFits

#: Lags of the two tests for dependence.
LAGS = 10
EQUAL_HALVES = "the coefficients are the same in both halves of the estimation window"


@dataclass(frozen=True)
class BetaStability:
    """One slope over parts of the estimation window.

    Attributes
    ----------
    full, first_half, second_half : float
        Slope on all sessions and on each half.
    without_two_highest_leverage : float
        Slope without the two sessions of highest leverage.
    dropped : tuple of int
        Their offsets in the estimation window, the highest first.
    test : TestResult
        F test of equal coefficients in both halves (Chow 1960).
    """

    full: float
    first_half: float
    second_half: float
    without_two_highest_leverage: float
    dropped: tuple[int, int]
    test: TestResult


@dataclass(frozen=True)
class Diagnostics:
    """Diagnostics of one event's estimation window.

    Attributes
    ----------
    ljung_box, arch_lm, jarque_bera : TestResult
        Autocorrelation of the residuals, of their squares, and normality.
    kurtosis, skewness : float
        Of the residuals; kurtosis of a normal is 3.
    event_leverage : float
        x_E'(X0'X0)^-1 x_E of the event's first session.
    largest_leverage : float
        Of an estimation session, between K / L and 1.
    largest_leverage_offset : int
        Its offset in the estimation window, for the caller to date.
    volatility_state : float
        GARCH forecast of the event session's standard deviation over the window's root mean square.
    beta_stability : BetaStability or None
        None for a model without a slope.
    """

    ljung_box: TestResult
    arch_lm: TestResult
    jarque_bera: TestResult
    kurtosis: float
    skewness: float
    event_leverage: float
    largest_leverage: float
    largest_leverage_offset: int
    volatility_state: float
    beta_stability: BetaStability | None


def diagnose(fits: WindowFits, returns: np.ndarray, design: np.ndarray, *, slope: int | None = 1) -> Diagnostics:
    """Diagnostics of the first window of ``fits``.

    Parameters
    ----------
    fits : WindowFits
        The event's fit.
    returns, design : ndarray (L,), (L, K)
        The estimation window that was fitted, in order of time.
    slope : int or None
        Column of the design whose stability is checked; None for a model without a slope.

    Returns
    -------
    Diagnostics

    Raises
    ------
    EstimationError
        If the window given is not the one that was fitted.
    """
    residuals = fits.residuals[0]
    if len(returns) != len(residuals) or design.shape[0] != len(residuals):
        said = f"Expected the {len(residuals)} fitted sessions, found {len(returns)}."
        raise EstimationError(said, "Pass the estimation window.")
    leverage = fits.estimation_leverage[0]
    garch = fit_garch(residuals, fits.gap_abnormal_returns[:1])
    largest = int(np.argmax(leverage))
    return Diagnostics(
        ljung_box=ljung_box_test(residuals), arch_lm=arch_lm_test(residuals),
        jarque_bera=jarque_bera_test(residuals), kurtosis=_moment_ratio(residuals, 4),
        skewness=_moment_ratio(residuals, 3), event_leverage=float(fits.leverage[0, 0]),
        largest_leverage=float(leverage[largest]), largest_leverage_offset=largest,
        volatility_state=float(garch.volatility_state[0]),
        beta_stability=None if slope is None else beta_stability(returns, design, leverage=leverage, slope=slope),
    )  # fmt: skip


def ljung_box_test(residuals: np.ndarray, *, lags: int = LAGS) -> TestResult:
    """Are the residuals uncorrelated up to ``lags`` sessions (Ljung and Box 1978)?"""
    e, n = residuals - np.mean(residuals), len(residuals)
    shares = np.array([e[lag:] @ e[:-lag] for lag in range(1, lags + 1)]) / (e @ e)
    statistic = float(n * (n + 2) * np.sum(shares**2 / (n - np.arange(1, lags + 1))))
    return _chi_squared("ljung_box", f"residuals are uncorrelated up to lag {lags}", statistic, lags)


def arch_lm_test(residuals: np.ndarray, *, lags: int = LAGS) -> TestResult:
    """Does the size of residuals depend on the sizes before (Engle 1982)? n R^2 of squares on their lags."""
    squares = np.asarray(residuals, dtype=float) ** 2
    now = squares[lags:]
    lagged = np.lib.stride_tricks.sliding_window_view(squares[:-1], lags)
    _, ssr = _least_squares(now, np.column_stack([np.ones(len(now)), lagged]))
    statistic = len(now) * (1.0 - ssr / float(np.sum((now - now.mean()) ** 2)))
    return _chi_squared("arch_lm", f"squared residuals are uncorrelated up to lag {lags}", float(statistic), lags)


def _moment_ratio(residuals: np.ndarray, power: int) -> float:
    """A central moment over that power of the standard deviation."""
    e = residuals - np.mean(residuals)
    return float(np.mean(e**power) / np.mean(e**2) ** (power / 2))


def jarque_bera_test(residuals: np.ndarray) -> TestResult:
    """Are the residuals normal? The t test needs it, the rank tests do not."""
    skewness, excess = _moment_ratio(residuals, 3), _moment_ratio(residuals, 4) - 3.0
    statistic = len(residuals) / 6.0 * (skewness**2 + excess**2 / 4.0)
    return _chi_squared("jarque_bera", "residuals are normal", statistic, 2)


def _chi_squared(name: str, null: str, statistic: float, df: int) -> TestResult:
    return TestResult(name, null, f"chi2({df})", statistic, float(chdtrc(df, statistic)), float(df))


def beta_stability(returns: np.ndarray, design: np.ndarray, *, leverage: np.ndarray, slope: int = 1) -> BetaStability:
    """One slope in the halves of the window and without its two most influential sessions.

    Parameters
    ----------
    returns, design : ndarray (L,), (L, K)
        Estimation window in order of time.
    leverage : ndarray (L,)
        Of its sessions.
    """
    length, n_regressors = design.shape
    halves = slice(None, length // 2), slice(length // 2, None)
    (b1, ssr1), (b2, ssr2) = (_least_squares(returns[part], design[part]) for part in halves)
    b, ssr = _least_squares(returns, design)
    order = np.argsort(-leverage, kind="stable")
    without = slope_without(returns, design, sessions=order[:2], slope=slope)
    df = length - 2 * n_regressors
    value = (ssr - ssr1 - ssr2) / n_regressors / ((ssr1 + ssr2) / df)
    p_value = float(fdtrc(n_regressors, df, value))
    return BetaStability(
        full=float(b[slope]), first_half=float(b1[slope]), second_half=float(b2[slope]),
        without_two_highest_leverage=without, dropped=(int(order[0]), int(order[1])),
        test=TestResult("chow", EQUAL_HALVES, f"F({n_regressors}, {df})", float(value), p_value, float(df)),
    )  # fmt: skip


def slope_without(returns: np.ndarray, design: np.ndarray, *, sessions: np.ndarray, slope: int = 1) -> float:
    """The slope with some sessions left out, for instance two days of a doubtful closing print.

    Parameters
    ----------
    sessions : ndarray of int
        Offsets in the estimation window.

    Returns
    -------
    float
    """
    kept = np.setdiff1d(np.arange(len(returns)), sessions)
    b, _ = _least_squares(returns[kept], design[kept])
    return float(b[slope])


def _least_squares(returns: np.ndarray, design: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and sum of squared residuals."""
    b, _, rank, _ = np.linalg.lstsq(design, returns, rcond=None)
    if rank < design.shape[1]:
        said = f"Expected {design.shape[1]} independent regressors in a part of the window, found {rank}."
        raise EstimationError(said, "A regressor varies in one half only; leave it out or lengthen the window.")
    e = returns - design @ b
    return b, float(e @ e)


@dataclass(frozen=True)
class StudyDiagnostics:
    """Diagnostics of the headline's estimation window, its offsets turned into sessions.

    Attributes
    ----------
    dropped_sessions : tuple of pandas.Timestamp
        The two sessions of highest leverage.
    doubtful_sessions : tuple of pandas.Timestamp
        Sessions of the window whose closing print of the benchmark the data notes call doubtful.
    beta_without_doubtful : float or None
        None when the window holds no such session or the model has no slope.
    """

    diagnostics: Diagnostics
    largest_leverage_session: pd.Timestamp
    average_leverage: float
    dropped_sessions: tuple[pd.Timestamp, ...]
    doubtful_sessions: tuple[pd.Timestamp, ...]
    beta_without_doubtful: float | None
