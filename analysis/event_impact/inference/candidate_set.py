"""Several sessions that one event can have reached, judged as a whole.

    p*_set = min(1, k times the smallest p* of the k candidates)

Each candidate has its own p*, with the realised abnormal returns of the sessions before it in its variance forecast.
The product holds its level for any model and any sessions, also apart from each other, and inverts exactly: candidate
j is judged at level / k. One candidate alone is the plain row.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd

from event_impact.base.result import TestResult
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.rolling import WindowFits
from event_impact.inference.block_conformal import refit_residuals
from event_impact.inference.deciding_rule import DecidingRule, invert_rule, quantile_order
from event_impact.inference.parametric import prediction_error_t
from event_impact.inference.placebo import MIN_PLACEBO_SESSIONS, placebo_test

MAX_T_NULL = "no candidate session differs from an ordinary one"


@dataclass(frozen=True)
class CandidateSession:
    """One session that the event can have reached.

    Attributes
    ----------
    rule : DecidingRule
        Of this session alone, one window.
    p_t : float or None
        None for a model without a standard error.
    """

    rel_session: int
    session: pd.Timestamp
    rule: DecidingRule
    p_t: float | None

    @property
    def estimate(self) -> float:
        """Abnormal return."""
        return float(self.rule.estimate[0])

    @property
    def p_star(self) -> float:
        """Its own, unadjusted."""
        return float(self.rule.p_star[0])

    def interval(self, level: float) -> tuple[float, float]:
        """Effects on this session that its own p* does not reject."""
        low, high = self.rule.interval(level)
        return float(low[0]), float(high[0])


@dataclass(frozen=True)
class CandidateSet:
    """The k candidate sessions of one event.

    Attributes
    ----------
    sessions : tuple of CandidateSession
        In order of time, complete all of them.
    max_t : TestResult
        Largest |t| with its rank; shown beside, it does not decide.
    max_t_null : str
        ``placebo``: earlier windows; ``blocks``: circular blocks of k refitted residuals; empty without a rank.
    """

    sessions: tuple[CandidateSession, ...]
    max_t: TestResult
    max_t_null: str

    @property
    def count(self) -> int:
        """k."""
        return len(self.sessions)

    @property
    def largest(self) -> CandidateSession:
        """The candidate of the smallest p*; of equals, the one that moved most."""
        return min(self.sessions, key=lambda s: (s.p_star, -abs(s.estimate)))

    @property
    def p_star(self) -> float:
        """p*_set."""
        return self.multiply(self.largest.p_star)

    def multiply(self, smallest: float) -> float:
        """Bonferroni over the candidates."""
        return min(1.0, self.count * smallest)

    def can_detect(self, level: float) -> bool:
        """Whether any move could be a detection: not where level (L + 1) / k is at most one."""
        ranked = self.sessions[0].rule.filtered.sizes.shape[1] + 1
        return quantile_order(level / self.count, ranked) > 0

    def moved(self, level: float) -> tuple[CandidateSession, ...]:
        """Candidates beyond their thresholds at level / k; one or more exactly where p*_set < level."""
        return tuple(s for s in self.sessions if s.rule.is_detected(level / self.count)[0])

    def interval(self, level: float) -> tuple[float, float] | None:
        """Effects on the one unknown session that are not rejected, the other sessions being ordinary.

        The hull of the candidates' intervals at level / k where none moved, the interval of the one that did; None
        where several did: then more than one candidate moved, and each has its own.
        """
        moved = self.moved(level)
        if len(moved) > 1:
            return None
        ends = np.array([s.interval(level / self.count) for s in moved or self.sessions])
        return float(ends[:, 0].min()), float(ends[:, 1].max())

    @property
    def smallest_bound(self) -> float:
        """The largest |end| of the candidates' own 90 % intervals: what is ruled out on any one of them.

        An intersection-union test, each at the full level (Berger 1982).
        """
        return float(np.abs([s.interval(0.10) for s in self.sessions]).max())

    def needed_effects(self, level: float) -> np.ndarray:
        """Effects that the set finds, pooled over the candidates: thresholds at level / k, (2 L k,).

        What could be found is asked before the event, so the variance of a later candidate is the forecast made
        before the first one, not the one that the first candidate's move led to.
        """
        first = self.sessions[0].rule.filtered.garch
        pooled = []
        for candidate in self.sessions:
            steps = candidate.rel_session - self.sessions[0].rel_session
            ahead = first.forecast_ahead(steps)
            own = candidate.rule.filtered
            stretched = own.stretch(float(np.sqrt(ahead / own.garch.forecast_variance)[0]))
            rule = DecidingRule(candidate.rule.estimate, candidate.rule.conformal, stretched)
            pooled.append(rule.needed_effects(level / self.count).ravel())
        return np.concatenate(pooled)


def measure_candidates(
    abnormal: AbnormalReturns, rel_sessions: tuple[int, ...], *, placebo_t: np.ndarray
) -> CandidateSet:
    """The candidates of one event, each with its own fit of the deciding rule.

    Parameters
    ----------
    rel_sessions : tuple of int
        In order of time; all complete.
    placebo_t : ndarray (n, k)
        t of the same sessions around every eligible earlier event.
    """
    sessions, statistics = [], []
    for rel_session in rel_sessions:
        total = abnormal.sum_window(rel_session, rel_session)
        assert total.estimate is not None
        assert total.standard_error is not None
        test = prediction_error_t(total.estimate, total.standard_error, abnormal.fit.df)
        rule = invert_rule(abnormal.window_fits(rel_session, rel_session))
        session = abnormal.table["session"].loc[rel_session]
        sessions.append(CandidateSession(rel_session, session, rule, test.p_value))
        statistics.append(abs(total.estimate / total.standard_error))
    largest = max(statistics)
    if len(placebo_t) >= MIN_PLACEBO_SESSIONS:
        test = placebo_test(largest, np.abs(placebo_t).max(axis=1), name="max_t", null=MAX_T_NULL)
        return CandidateSet(tuple(sessions), test, "placebo")
    first, last = rel_sessions[0], rel_sessions[-1]
    fits = pick_sessions(abnormal.window_fits(first, last), [r - first for r in rel_sessions])
    test = TestResult(
        name="max_t",
        null=MAX_T_NULL,
        distribution=f"ranks of {fits.n_estimation + fits.window_length} circular blocks of {fits.window_length} sessions",
        statistic=largest,
        p_value=rank_largest(fits),
        note=f"{len(placebo_t)} eligible placebo windows, {MIN_PLACEBO_SESSIONS} needed: ranked among refitted residuals",
    )
    return CandidateSet(tuple(sessions), test, "blocks")


def pick_sessions(fits: WindowFits, columns: list[int]) -> WindowFits:
    """The same fits with some sessions of their windows only."""
    return dataclasses.replace(
        fits,
        abnormal_returns=fits.abnormal_returns[:, columns],
        window_coordinates=fits.window_coordinates[:, columns],
    )


def rank_largest(fits: WindowFits) -> float:
    """p of the largest |refitted residual| of the window's sessions among circular blocks of as many sessions.

    The conformal null of a set of candidates where too few earlier windows exist; for the sessions of the window, which
    need not follow one another.
    """
    size, width = np.abs(refit_residuals(fits)), fits.window_length
    largest = np.maximum.reduce([np.roll(size, -offset, axis=1) for offset in range(width)])[0]
    return float(np.count_nonzero(largest >= largest[fits.n_estimation]) / len(largest))
