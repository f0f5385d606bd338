"""Ranks of an event among the earlier sessions of its own firm, for every window of a study.

The whole pipeline is repeated on every eligible earlier session, each with its own estimation
window; all tests of one window share one pass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from event_impact.base.config import Window
from event_impact.base.places import place_of
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.abnormal import AbnormalReturns, WindowSum, forecast_covariances
from event_impact.estimation.estimators import ESTIMATORS, solve_rolling, standardised_sums
from event_impact.estimation.garch import GarchParameters, estimate_garch
from event_impact.estimation.rolling import WindowFits, fit_windows
from event_impact.inference.ranks import eligible_placebo_sessions, placebo_test
from event_impact.inference.sequence import WindowEffects, joint_f_values, joint_test

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
    pool = _Pool.gather(abnormal, windows, lengths["estimation_sessions"], lengths["gap_sessions"])
    near = [int(p) for p in pool.sessions.get_indexer(news) if p >= 0]
    ranks = {}
    for window in windows:
        total = abnormal.sum_window(*window)
        if total.estimate is not None:
            ranks[window] = pool.rank(abnormal, total, near)
    return ranks


@dataclass(frozen=True)
class _Pool:
    """What all windows of one return share: the series, and what is estimated once a session."""

    sessions: pd.DatetimeIndex
    y: np.ndarray
    design: np.ndarray
    eligible: Callable[..., np.ndarray]
    length: int
    gap: int
    positions: np.ndarray
    fits: WindowFits | None
    garch: GarchParameters | None
    counterfactual: tuple[np.ndarray, np.ndarray] | None

    @classmethod
    def gather(cls, abnormal: AbnormalReturns, windows: list[tuple[int, int]], length: int, gap: int) -> "_Pool":
        (y, design), usable = abnormal.design.arrays, abnormal.design.is_usable
        sessions = abnormal.design.sessions
        event = place_of(sessions, abnormal.event_session)
        eligible = partial(eligible_placebo_sessions, usable, event, estimation_length=length, gap=gap)
        found = [eligible(first=first, last=last) for first, last in windows]
        positions = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=int)
        fits = garch = counterfactual = None
        if positions.size and abnormal.fit.has_error:
            days = positions[:, None] + np.arange(-gap, max(last for _, last in windows) + 1)
            fits = fit_windows(  # sessions without a return stand only where no window that is ranked reaches
                np.nan_to_num(y),
                np.nan_to_num(design),
                estimation=positions[:, None] + np.arange(-gap - length, -gap),
                window=np.minimum(days, len(y) - 1),
            )
        if fits is not None and abnormal.garch is not None:
            garch = estimate_garch(fits.residuals)
        if positions.size and not abnormal.fit.has_error:
            solve = ESTIMATORS[abnormal.fit.model].solve
            counterfactual = solve_rolling(y, design, solve, events=positions, estimation_length=length, gap=gap)
        return cls(sessions, y, design, eligible, length, gap, positions, fits, garch, counterfactual)

    def rank(self, abnormal: AbnormalReturns, total: WindowSum, near: list[int]) -> PlaceboRank:
        """All ranks of one window."""
        window = (total.first, total.last)
        whole, away = (self.eligible(first=total.first, last=total.last, news=news) for news in ((), near))
        is_away = np.isin(whole, away)
        t_values = np.empty((0, total.length))
        if total.standard_error is None:
            statistic, earlier = self._rank_counterfactual(abnormal, total, whole)
            tests = {"joint_f": not_computable("joint_f", total.note)}
        else:
            statistic = float(total.estimate / total.standard_error)  # type: ignore[operator]
            earlier, f_values, at_all = self._standardise(window, whole)
            tests, t_values = {"joint_f": joint_test(effects_of(abnormal, total), f_values[is_away])}, at_all[is_away]
        tests["placebo"] = placebo_test(statistic, earlier[is_away])
        if total.length > 1:
            tests["pseudo_event"] = placebo_test(statistic, earlier, name="pseudo_event", null=PSEUDO_EVENT_NULL)
        return PlaceboRank(tests, statistic, earlier[is_away], self.sessions[away], t_values)

    def _standardise(self, window: tuple[int, int], positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Standardised CAR, joint F and t of each session at every position."""
        first, last = window
        if not positions.size or self.fits is None:
            return np.empty(0), np.empty(0), np.empty((0, last - first + 1))
        own = np.searchsorted(self.positions, positions)
        fits = self.fits.take(own, first + self.gap, last + self.gap)
        covariance = forecast_covariances(fits, self.garch and self.garch.take(own))
        f_values = joint_f_values(fits.abnormal_returns, covariance)
        t_values = fits.abnormal_returns / np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        return fits.car / np.sqrt(covariance.sum(axis=(1, 2))), f_values, t_values

    def _rank_counterfactual(
        self, abnormal: AbnormalReturns, total: WindowSum, positions: np.ndarray
    ) -> tuple[float, np.ndarray]:
        spread = float(np.sqrt(np.mean(abnormal.fit.residuals**2)) * np.sqrt(total.length))
        statistic = float(total.estimate / spread)  # type: ignore[operator]
        if not positions.size or self.counterfactual is None:
            return statistic, np.empty(0)
        own = np.searchsorted(self.positions, positions)
        coefficients, spreads = (part[own] for part in self.counterfactual)
        window = {"first": total.first, "last": total.last}
        return statistic, standardised_sums(self.y, self.design, coefficients, spreads, events=positions, **window)


def effects_of(abnormal: AbnormalReturns, total: WindowSum) -> WindowEffects:
    """What contrasts and joint tests need of a complete window."""
    return WindowEffects(total.abnormal, abnormal.forecast_covariance(total.first, total.last), abnormal.fit.df)
