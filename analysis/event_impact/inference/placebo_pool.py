"""Ranks of an event among the earlier sessions of its own firm, for every window of a study.

The whole pipeline is repeated on every eligible earlier session, each with its own estimation
window; all tests of one window share one pass.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from event_impact.base.config import Window
from event_impact.base.places import place_of
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.abnormal import AbnormalReturns, WindowSum, forecast_covariances
from event_impact.estimation.estimators import ESTIMATORS, solve_rolling, standardised_sums
from event_impact.estimation.garch import GarchParameters, estimate_garch
from event_impact.estimation.models import WindowEffects
from event_impact.estimation.rolling import WindowFits, fit_windows
from event_impact.inference.ranks import MIN_PLACEBO_SESSIONS, eligible_placebo_sessions, placebo_p_values, placebo_test

PSEUDO_EVENT_NULL = "the window is drawn like every earlier window of the same firm"


@dataclass(frozen=True)
class PlaceboRank:
    """One window's ranks among earlier sessions.

    Attributes
    ----------
    tests : dict of str to TestResult
        ``placebo`` (sessions away from the story's news), ``joint_f``, and for windows of several sessions
        ``pseudo_event`` (every earlier window).
    statistic : float
        The event's standardised CAR.
    statistics : numpy.ndarray
        (n,) the same at the placebo sessions.
    sessions : pandas.DatetimeIndex
        Their sessions.
    t_values : numpy.ndarray
        (n, m) t of each session of the window there; no rows for a model without a standard error.
    """

    tests: dict[str, TestResult]
    statistic: float
    statistics: np.ndarray
    sessions: pd.DatetimeIndex
    t_values: np.ndarray

    @property
    def test(self) -> TestResult:
        """The placebo rank."""
        return self.tests["placebo"]

    @property
    def count(self) -> int:
        """Eligible placebo sessions."""
        return len(self.sessions)


def rank_windows(
    abnormal: AbnormalReturns, windows: list[Window], *, news: pd.DatetimeIndex, **lengths: int
) -> dict[Window, PlaceboRank]:
    """Rank each window of an event among the same window at earlier sessions.

    Parameters
    ----------
    news : pandas.DatetimeIndex
        Sessions of the story's other articles and masked confounders, which no placebo may be near.
    **lengths : int
        ``estimation_sessions`` and ``gap_sessions``.

    Returns
    -------
    dict of (int, int) to PlaceboRank
        By window; those that are not complete are left out.
    """
    pool = _Pool(abnormal, windows, news, lengths["estimation_sessions"], lengths["gap_sessions"])
    totals = {window: abnormal.sum_window(*window) for window in windows}
    return {window: pool.rank(total) for window, total in totals.items() if total.estimate is not None}


class _Pool:
    """What all windows of one return share: the series, and what is estimated once a session."""

    fits: WindowFits | None = None
    garch: GarchParameters | None = None
    counterfactual: tuple[np.ndarray, np.ndarray] | None = None

    def __init__(
        self, abnormal: AbnormalReturns, windows: list[Window], news: pd.DatetimeIndex, length: int, gap: int
    ) -> None:
        design = abnormal.design
        self.abnormal, self.gap, self.series = abnormal, gap, design.arrays
        self.near = [int(p) for p in design.sessions.get_indexer(news) if p >= 0]
        lengths: Any = {"estimation_length": length, "gap": gap}
        event = place_of(design.sessions, abnormal.event_session)
        self.eligible = partial(eligible_placebo_sessions, design.is_usable, event, **lengths)
        found = [self.eligible(first=first, last=last) for first, last in windows]
        self.positions = np.unique(np.concatenate([np.empty(0, dtype=int), *found]))
        if self.positions.size and abnormal.fit.has_error:
            starts, farthest = self.positions[:, None] - gap, max(last for _, last in windows)
            days = np.minimum(starts + np.arange(gap + farthest + 1), len(design.sessions) - 1)
            # sessions without a return stand only where no window that is ranked reaches
            filled = map(np.nan_to_num, self.series)
            self.fits = fit_windows(*filled, estimation=starts + np.arange(-length, 0), window=days)
            self.garch = estimate_garch(self.fits.residuals) if abnormal.garch is not None else None
        elif self.positions.size:
            solve = ESTIMATORS[abnormal.fit.model].solve
            self.counterfactual = solve_rolling(*self.series, solve, events=self.positions, **lengths)

    def rank(self, total: WindowSum) -> PlaceboRank:
        """All ranks of one window."""
        whole, away = (self.eligible(first=total.first, last=total.last, news=news) for news in ((), self.near))
        is_away, own = np.isin(whole, away), np.searchsorted(self.positions, whole)
        earlier, f_values, t_values = np.empty(0), np.empty(0), np.empty((0, total.length))
        if total.standard_error is None:
            tests = {"joint_f": not_computable("joint_f", total.note)}
            spread = float(np.sqrt(np.mean(self.abnormal.fit.residuals**2)) * np.sqrt(total.length))
            if self.counterfactual is not None:
                coefficients, spreads = (part[own] for part in self.counterfactual)
                found: Any = {"events": whole, "first": total.first, "last": total.last}
                earlier = standardised_sums(*self.series, coefficients, spreads, **found)
        else:
            spread = total.standard_error
            if self.fits is not None:
                fits = self.fits.take(own, total.first + self.gap, total.last + self.gap)
                covariance = forecast_covariances(fits, self.garch and self.garch.take(own))
                earlier = fits.car / np.sqrt(covariance.sum(axis=(1, 2)))
                f_values = joint_f_values(fits.abnormal_returns, covariance)
                errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
                t_values = (fits.abnormal_returns / errors)[is_away]
            tests = {"joint_f": joint_test(effects_of(self.abnormal, total), f_values[is_away])}
        statistic = float(total.abnormal.sum() / spread)
        tests["placebo"] = placebo_test(statistic, earlier[is_away])
        if total.length > 1:
            tests["pseudo_event"] = placebo_test(statistic, earlier, name="pseudo_event", null=PSEUDO_EVENT_NULL)
        return PlaceboRank(tests, statistic, earlier[is_away], self.abnormal.design.sessions[away], t_values)


def joint_f_values(abnormal_returns: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """F = a'C^-1 a / m of n windows, (n, m) and (n, m, m) to (n,); Chow's predictive test."""
    solved = np.linalg.solve(covariance, abnormal_returns[:, :, None])[:, :, 0]
    return np.asarray(np.einsum("nm,nm->n", abnormal_returns, solved) / abnormal_returns.shape[1])


def joint_test(effects: WindowEffects, placebo: np.ndarray) -> TestResult:
    """Are all sessions of the window ordinary? F with its p from placebo windows.

    The F distribution is not used for the p when there are enough placebo windows: it rejects too often under fat
    tails. With too few the statistic is shown without a p, and the note says why.

    Parameters
    ----------
    placebo : ndarray (n,)
        F of the same window at the eligible placebo sessions.
    """
    m, value = len(effects.covariance), joint_f_values(effects.abnormal_returns[None], effects.covariance[None])[0]
    count, null = len(placebo), "every session of the window is ordinary"
    parametric = float(fdtrc(m, effects.df, value))
    if count < MIN_PLACEBO_SESSIONS:
        note = f"no p: {count} eligible placebo windows, {MIN_PLACEBO_SESSIONS} needed; F({m}, {effects.df}) gives "
        note += f"{parametric:.4g}"
        return TestResult("joint_f", null, statistic=float(value), note=note)
    p_value, note = float(placebo_p_values(value, placebo)), f"F({m}, {effects.df}) would give {parametric:.4g}"
    return TestResult("joint_f", null, f"ranks among {count} earlier windows", float(value), p_value, note=note)


def effects_of(abnormal: AbnormalReturns, total: WindowSum) -> WindowEffects:
    """What contrasts and joint tests need of a complete window."""
    return WindowEffects(total.abnormal, abnormal.forecast_covariance(total.first, total.last), abnormal.fit.df)
