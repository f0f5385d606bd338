"""Several sessions that one event can have reached, judged as a whole.

    p*_set = min(1, k times the smallest p* of the k candidates)

Each candidate has its own p*, with the realised abnormal returns of the sessions before it in its variance forecast.
The product holds its level for any model and any sessions, also apart from each other, and inverts exactly: candidate
j is judged at level / k. One candidate alone is the plain row.

The word over the numbers: one rule for windows, candidate sets, companions and specifications alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.rolling import WindowFits
from event_impact.inference import ranks
from event_impact.inference.deciding_rule import DecidingRule, find_detectable, invert_window
from event_impact.inference.parametric import is_inside
from event_impact.inference.window_tests import describe_t

#: Missed by little: p* below this many levels. Without the cap the word falls on 13 % of nervous days that are ordinary.
BORDERLINE_FACTOR = 2.0
NERVOUS_DAY, CALM_DAY = "nervous", "calm"


@dataclass(frozen=True)
class RowTests:
    """p-values of one row, each multiplied by ``times`` for what was tested together with it.

    Attributes
    ----------
    conformal, fhs, t : float or None
        Of circular blocks for several sessions; the smallest of the candidates for a set; None where not computed.
    p_star : float or None
        What decides.
    """

    conformal: float | None
    fhs: float | None
    t: float | None
    p_star: float | None
    times: int = 1

    def below(self, level: float) -> tuple[str, ...]:
        """Names of the tests that reject."""
        named = (("conformal", self.conformal), ("fhs", self.fhs), ("t", self.t))
        return tuple(name for name, p in named if p is not None and ranks.is_rejected(self.times * p, level))


@dataclass(frozen=True)
class Judgement:
    """An outcome and what a sentence must add to it.

    Attributes
    ----------
    outcome : str
    rejecting : tuple of str
        Tests (``conformal``, ``fhs``, ``t``) below the level where p* is not; they and the others disagree.
    day : str
        Where one rank test rejects and p* is far from it: ``nervous``, large for an ordinary day but not for one
        expected to be so nervous; ``calm``, large for so calm a day but not for an ordinary one. Else empty.
    """

    outcome: str
    rejecting: tuple[str, ...] = ()
    day: str = ""


def judge_row(found: RowTests, intervals: Sequence[tuple[float, float]], *, level: float, bound: float) -> Judgement:
    """The first outcome that applies; a detection is ``fragile`` until specifications support it.

    Parameters
    ----------
    intervals : sequence of (float, float)
        The printed 90 % interval of the row, or of every candidate session: all must lie inside the bound.
    """
    if found.p_star is None or found.conformal is None or found.fhs is None:
        return Judgement("insufficient_data")
    is_small = bool(intervals) and all(is_inside(*ends, bound) for ends in intervals)
    if ranks.is_rejected(found.p_star, level):
        return Judgement("detectable_but_small" if is_small else "fragile")
    rejecting = found.below(level)
    if rejecting and ranks.is_rejected(found.p_star, BORDERLINE_FACTOR * level):
        return Judgement("borderline", rejecting)
    day = ""
    if {"conformal", "fhs"} & set(rejecting):
        day = NERVOUS_DAY if found.fhs > found.conformal else CALM_DAY
    return Judgement("smaller_than_bound" if is_small else "no_detectable_effect", rejecting, day)


@dataclass(frozen=True)
class Confirmation:
    """Whether a specification curve supports a detection.

    Attributes
    ----------
    is_confirmed : bool
        Same sign in enough specifications and a small enough maxT p.
    is_tested : bool
        Whether there were placebo sessions enough to test the curve as a whole.
    """

    is_confirmed: bool
    is_tested: bool
    reason: str


COLUMNS = (
    "session estimate p_star ci90_low ci90_high is_smallest p_set set95_low set95_high smallest_bound_set mde80_rule_set "
    "max_t p_max_t max_t_null"
)
MAX_T_NULL = "no candidate session differs from an ordinary one"


@dataclass(frozen=True)
class CandidateSession:
    """One session that the event can have reached.

    Attributes
    ----------
    rule : DecidingRule
        Of this session alone, one window.
    t : TestResult
        Without a p for a model without a standard error.
    """

    rel_session: int
    rule: DecidingRule
    t: TestResult
    session: pd.Timestamp | None = None

    @property
    def day(self) -> pd.Timestamp:
        """The session; those of a specification are ranked only and do not name it."""
        assert self.session is not None
        return self.session

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
        return self.rule.first_interval(level)


@dataclass(frozen=True)
class CandidateSet:
    """The k candidate sessions of one event.

    Attributes
    ----------
    sessions : tuple of CandidateSession
        In order of time, complete all of them.
    max_t : TestResult or None
        Largest |t| with its rank, where that is asked for; shown beside, it does not decide.
    max_t_null : str
        ``placebo``: earlier windows; ``blocks``: circular blocks of k refitted residuals; empty without a rank.
    """

    sessions: tuple[CandidateSession, ...]
    max_t: TestResult | None = None
    max_t_null: str = ""

    @property
    def count(self) -> int:
        """k."""
        return len(self.sessions)

    @cached_property
    def largest(self) -> CandidateSession:
        """The candidate of the smallest p*; of equals, the one that moved most."""
        return min(self.sessions, key=lambda s: (s.p_star, -abs(s.estimate)))

    @property
    def p_star(self) -> float:
        """p*_set."""
        return min(1.0, self.count * self.largest.p_star)

    def can_detect(self, level: float) -> bool:
        """Whether any move could be a detection: not where level (L + 1) / k is at most one."""
        ranked = self.sessions[0].rule.filtered.sizes.shape[1] + 1
        return ranks.quantile_order(level / self.count, ranked) > 0

    def moved(self, level: float) -> tuple[CandidateSession, ...]:
        """Candidates beyond their thresholds at level / k; one or more exactly where p*_set < level."""
        return tuple(s for s in self.sessions if bool(s.rule.is_detected(level / self.count)[0]))

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

    def source(self, level: float) -> str:
        """Which test makes the interval as wide as it is: ``conformal``, ``fhs``, or ``both``."""
        found = {s.rule.thresholds(level / self.count).sources[0] for s in self.sessions}
        return found.pop() if len(found) == 1 else "both"

    def rule_out(self, bounds: np.ndarray) -> np.ndarray:
        """p of "the effect lies inside +-bound" at each bound: the largest of the candidates."""
        return np.asarray(np.max([s.rule.rule_out(bounds) for s in self.sessions], axis=0))

    @property
    def own_intervals(self) -> list[tuple[float, float]]:
        """The 90 % interval of each candidate, at its full level."""
        return [s.interval(0.10) for s in self.sessions]

    def weigh(self, *, times: int = 1, p_star: float | None = None) -> RowTests:
        """The smallest p of each test over the candidates, as the outcome rule takes them.

        Parameters
        ----------
        times, p_star
            What else was tested together with the set, and p*_set adjusted for it.
        """
        rules, known = [s.rule for s in self.sessions], [s.t.p_value for s in self.sessions if s.t.p_value is not None]
        conformal, fhs = (min(float(getattr(rule, n)[0]) for rule in rules) for n in ("p_conformal", "p_fhs"))
        decides = self.p_star if p_star is None else p_star
        return RowTests(conformal, fhs, min(known, default=None), decides, times * self.count)

    @property
    def smallest_bound(self) -> float:
        """The largest |end| of the candidates' own 90 % intervals: what is ruled out on any one of them.

        An intersection-union test, each at the full level (Berger 1982).
        """
        return float(np.abs(self.own_intervals).max())

    def frame(self, significance: float) -> pd.DataFrame:
        """``results/candidates.csv``: one row a candidate, what belongs to the set repeated on each."""
        joint, detectable = self.interval(0.05), float(find_detectable(self.needed_effects(significance), 0.8))
        largest = (self.max_t.statistic, self.max_t.p_value) if self.max_t else (None, None)
        shared = self.smallest_bound, detectable, *largest, self.max_t_null or None
        rows = []
        for s in self.sessions:
            day, ends = s.session.date().isoformat() if s.session is not None else None, s.interval(0.10)
            own = joint or s.interval(0.05 / self.count)
            rows.append((day, s.estimate, s.p_star, *ends, s is self.largest, self.p_star, *own, *shared))
        return pd.DataFrame(rows, columns=COLUMNS.split()).replace([np.inf, -np.inf], None)

    def needed_effects(self, level: float) -> np.ndarray:
        """Effects that the set finds, pooled over the candidates: thresholds at level / k, (2 L k,).

        What could be found is asked before the event, so the variance of a later candidate is the forecast made
        before the first one, not the one that the first candidate's move led to.
        """
        first = self.sessions[0].rule.filtered.garch
        pooled = []
        for candidate in self.sessions:
            ahead = first.forecast_ahead(candidate.rel_session - self.sessions[0].rel_session)
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
        In order of time, each with its abnormal return.
    placebo_t : ndarray (n, k)
        t of the same sessions around every eligible earlier event.
    """
    sessions = []
    for at in rel_sessions:
        test, rule = describe_t(abnormal, abnormal.sum_window(at, at)), invert_window(abnormal, at, at)
        sessions.append(CandidateSession(at, rule, test, abnormal.session_of(at)))
    return CandidateSet(tuple(sessions), *_rank_max_t(abnormal, sessions, placebo_t))


def _rank_max_t(
    abnormal: AbnormalReturns, sessions: list[CandidateSession], placebo_t: np.ndarray
) -> tuple[TestResult, str]:
    values = [abs(s.t.statistic) for s in sessions if s.t.statistic is not None]
    if len(values) < len(sessions):
        return not_computable("max_t", sessions[0].t.note, null=MAX_T_NULL), ""
    if len(placebo_t) >= ranks.MIN_PLACEBO_SESSIONS:
        earlier = np.abs(placebo_t).max(axis=1)
        return ranks.placebo_test(max(values), earlier, name="max_t", null=MAX_T_NULL), "placebo"
    first, last = sessions[0].rel_session, sessions[-1].rel_session
    fits, count = abnormal.window_fits(first, last), len(sessions)
    blocks = f"ranks of {fits.n_estimation + count} circular blocks of {count} sessions"
    p_value = rank_largest(fits, [s.rel_session - first for s in sessions])
    note = f"{len(placebo_t)} eligible placebo windows, {ranks.MIN_PLACEBO_SESSIONS} needed: ranked among refitted residuals"
    return TestResult("max_t", MAX_T_NULL, blocks, max(values), p_value, note=note), "blocks"


def rank_largest(fits: WindowFits, columns: list[int]) -> float:
    """p of the largest |refitted residual| of some sessions of the window among circular blocks of as many sessions.

    The conformal null of a set of candidates where too few earlier windows exist; the sessions need not follow one
    another.
    """
    days = {name: getattr(fits, name)[:, columns] for name in ("abnormal_returns", "window_coordinates")}
    size, width = np.abs(ranks.refit_residuals(replace(fits, **days))), len(columns)
    largest = np.maximum.reduce([np.roll(size, -offset, axis=1) for offset in range(width)])[0]
    return float(np.count_nonzero(largest >= largest[fits.n_estimation]) / len(largest))
