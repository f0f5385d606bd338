"""Does the estimate depend on choices that a careful reader could have made otherwise?

One window, one return, every exchangeable choice of model, market, return form, mask and lengths. Only choices that
aim at the same quantity belong here (Del Giudice and Gangestad 2021); the declared headline is one of them
and stays the estimate of the study.

Many specifications of one estimate, tested together: placebo maxT and joint tests of the whole curve.

The specifications share their data, so their t values are strongly correlated and no formula knows how. The
same specifications at earlier ordinary sessions of the firm carry that correlation and serve as the null.

What one session of the estimation window, or one peer, contributes to the estimate.
"""

from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from event_impact.base.errors import EstimationError
from event_impact.base.places import place_of
from event_impact.base.result import TestResult, frame_of
from event_impact.estimation.garch import carry_garch, estimate_garch
from event_impact.estimation.models import MIN_USABLE_SHARE, Design, check_length, choose_estimation
from event_impact.estimation.rolling import WindowFits, fit_windows
from event_impact.estimation.running_sums import RunningSums, standardise_from_sums, sum_products
from event_impact.inference import ranks
from event_impact.inference.candidate_set import CandidateSession, CandidateSet, Confirmation, judge_row
from event_impact.inference.deciding_rule import invert_rule
from event_impact.inference.parametric import prediction_error_t

MAX_T_NULL = "in no specification does the event session differ from earlier ordinary sessions"
SHARE_NULL = "the share of specifications that reject is that of an earlier ordinary session"
MEDIAN_NULL = "the median t of the specifications is that of an earlier ordinary session"
MEAN_NULL = "the mean t of the specifications is that of an earlier ordinary session"


@dataclass(frozen=True)
class CurveTests:
    """Joint tests of K specifications against n placebo sessions.

    Attributes
    ----------
    max_t, share, median, mean : TestResult
        Each with p = (1 + #) / (n + 1).
    adjusted : ndarray (K,)
        Step-down adjusted p of each specification, in the order given.
    """

    max_t: TestResult
    share: TestResult
    median: TestResult
    mean: TestResult
    adjusted: np.ndarray

    @property
    def all(self) -> tuple[TestResult, ...]:
        """The four tests."""
        return self.max_t, self.share, self.median, self.mean


def scale_by_placebo(event: np.ndarray, placebo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|t| over each specification's root mean square at the placebo sessions.

    Parameters
    ----------
    event, placebo : ndarray (K,), (n, K)
    """
    spread = np.sqrt(np.mean(placebo**2, axis=0))
    return np.abs(event) / spread, np.abs(placebo) / spread


def step_down(event: np.ndarray, placebo: np.ndarray) -> np.ndarray:
    """Adjusted p of each specification, (K,) (Westfall and Young 1993; Romano and Wolf 2005).

    Sorted by size, the k-th largest is ranked among the placebo maxima over itself and all smaller ones, and no p
    may fall below the one before it. The first is the maxT p.

    Parameters
    ----------
    event, placebo : ndarray (K,), (n, K)
        Already scaled by :func:`scale_by_placebo`.
    """
    order = np.argsort(-event, kind="stable")
    maxima = np.maximum.accumulate(placebo[:, order[::-1]], axis=1)[:, ::-1]
    p_values = (1 + np.count_nonzero(maxima >= event[order], axis=0)) / (len(placebo) + 1)
    adjusted = np.empty(len(event))
    adjusted[order] = np.maximum.accumulate(p_values)
    return adjusted


def assess_curve(event_t: np.ndarray, placebo_t: np.ndarray, *, critical: np.ndarray) -> CurveTests:
    """maxT, step-down p and the joint tests of a specification curve.

    Parameters
    ----------
    event_t : ndarray (K,)
        t of each specification at the event.
    placebo_t : ndarray (n, K)
        The same at the placebo sessions.
    critical : ndarray (K,)
        Two-sided critical value of each specification's own t distribution.
    """
    event, placebo = scale_by_placebo(event_t, placebo_t)
    values = {
        "max_t": (MAX_T_NULL, event.max(), placebo.max(axis=1)),
        "share": (SHARE_NULL, np.mean(np.abs(event_t) > critical), np.mean(np.abs(placebo_t) > critical, axis=1)),
        "median_t": (MEDIAN_NULL, np.median(event_t), np.median(placebo_t, axis=1)),
        "mean_t": (MEAN_NULL, np.mean(event_t), np.mean(placebo_t, axis=1)),
    }
    ranked = f"ranks among {len(placebo)} earlier sessions"
    max_t, share, median, mean = (  # what differs by rounding alone is as large
        TestResult(name, null, ranked, float(value), float(ranks.placebo_p_values(value * (1 - 1e-12), others)))
        for name, (null, value, others) in values.items()
    )
    return CurveTests(max_t, share, median, mean, step_down(event, placebo))


SIMPLE, LOG = "simple", "log"


@dataclass(frozen=True)
class Choice:
    """What one specification chose; two specifications differ in at least one field.

    Attributes
    ----------
    model : str
        Model and what it is fitted on, e.g. ``market model on SPY``.
    returns : str
        ``simple`` or ``log``.
    mask : str
        ``none`` or ``listed``.
    estimation_sessions, gap_sessions : int
        Lengths.
    """

    model: str
    returns: str
    mask: str
    estimation_sessions: int
    gap_sessions: int

    @property
    def lengths(self) -> dict[str, int]:
        """Those of the estimation window and of the gap, as the fits take them."""
        return {"estimation_length": self.estimation_sessions, "gap": self.gap_sessions}

    def differs_in(self, other: "Choice") -> tuple[str, ...]:
        """Names of the fields in which two choices differ."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name))


DIMENSIONS = tuple(f.name for f in fields(Choice))
CURVE_COLUMNS = (
    " ".join(f"{name}=choice.{name}" for name in DIMENSIONS)
    + " is_headline estimate standard_error df t ci95_low=ci95.0 ci95_high=ci95.1 p_t p_conformal p_fhs p_adjusted"
    + " outcome n_estimation n_placebo note"
)


@dataclass(frozen=True)
class Candidate:
    """A specification that may be computable.

    Attributes
    ----------
    design : Design or None
        None when it cannot be built; ``reason`` then says why.
    masked : pandas.DatetimeIndex
        Sessions left out of estimation windows.
    """

    choice: Choice
    design: Design | None
    masked: pd.DatetimeIndex
    reason: str = ""


@dataclass(frozen=True)
class SpecificationEstimate:
    """One specification at the event, or the reason why it has no number.

    Intervals, p-values and outcome follow the rule of the headline. Of several sessions that the event can have
    reached, estimate and p-values are those of the one that the headline shows, intervals and outcome those of the set.
    ``p_adjusted`` is the step-down maxT p; None for specifications without enough placebo sessions of their own.

    Attributes
    ----------
    choice : Choice
        What identifies it.
    is_headline : bool
        Whether it is the declared one.
    estimate, standard_error : float or None
        Of the event session, fractions.
    df : int or None
        L - K.
    p_t, p_conformal, p_fhs : float or None
        Unadjusted.
    ci90, ci95 : (float, float) or None
        Fractions.
    outcome : str
        By the rule of a single row.
    n_estimation : int or None
        Sessions used.
    n_placebo : int
        Its own eligible placebo sessions.
    p_adjusted : float or None
        Step-down maxT.
    note : str
        Why a number is missing.
    """

    choice: Choice
    is_headline: bool
    estimate: float | None = None
    standard_error: float | None = None
    df: int | None = None
    p_t: float | None = None
    p_conformal: float | None = None
    p_fhs: float | None = None
    ci90: tuple[float, float] | None = None
    ci95: tuple[float, float] | None = None
    outcome: str = "insufficient_data"
    n_estimation: int | None = None
    n_placebo: int = 0
    p_adjusted: float | None = None
    note: str = ""

    @property
    def is_computed(self) -> bool:
        """Whether there is an estimate."""
        return self.estimate is not None

    @property
    def t(self) -> float | None:
        """Prediction-error t."""
        if self.estimate is None or self.standard_error is None:
            return None
        return self.estimate / self.standard_error


@dataclass(frozen=True)
class SpecificationCurve:
    """All specifications of one estimate, with the tests of the curve as a whole.

    Attributes
    ----------
    estimates : tuple of SpecificationEstimate
        In the order of the candidates.
    tests : CurveTests or None
        None when fewer than the needed placebo sessions are shared; ``reason`` says so.
    n_joint : int
        Specifications inside the joint tests.
    """

    estimates: tuple[SpecificationEstimate, ...]
    tests: CurveTests | None
    n_joint: int
    n_placebo: int
    reason: str

    @property
    def computed(self) -> tuple[SpecificationEstimate, ...]:
        """Specifications with a number: the eligible ones."""
        return tuple(e for e in self.estimates if e.is_computed)

    @property
    def headline(self) -> SpecificationEstimate:
        """The declared specification."""
        return next(e for e in self.estimates if e.is_headline)

    @property
    def same_sign_share(self) -> float | None:
        """Share of the eligible specifications with the sign of the headline."""
        if self.headline.estimate is None:
            return None
        signs = np.sign([e.estimate for e in self.computed if e.estimate is not None])
        return float(np.mean(signs == np.sign(self.headline.estimate)))

    @property
    def flips(self) -> tuple[SpecificationEstimate, ...]:
        """Eligible specifications whose outcome is not the headline's."""
        return tuple(e for e in self.computed if e.outcome != self.headline.outcome)

    @property
    def single_flips(self) -> tuple[tuple[str, SpecificationEstimate], ...]:
        """Those that differ from the headline in one choice alone, with its name."""
        named = ((e.choice.differs_in(self.headline.choice), e) for e in self.flips)
        return tuple((names[0], e) for names, e in named if len(names) == 1)


@dataclass(frozen=True)
class Asked:
    """What every specification is asked.

    Attributes
    ----------
    event_session : pandas.Timestamp
        rel_session 0.
    headline : Choice
        The declared one, among the candidates.
    significance, bound : float
        Level, and delta as a fraction.
    rel_sessions : tuple of int
        Sessions that the event can have reached.
    """

    event_session: pd.Timestamp
    headline: Choice
    significance: float
    bound: float
    rel_sessions: tuple[int, ...] = (0,)


def estimate_curve(
    candidates: list[Candidate], asked: Asked, *, news: pd.DatetimeIndex, minimum: int = ranks.MIN_PLACEBO_SESSIONS
) -> SpecificationCurve:
    """Estimate every specification at the event and test the curve against placebo sessions.

    Parameters
    ----------
    candidates : list of Candidate
        All on the same sessions.
    news : pandas.DatetimeIndex
        Sessions near which no placebo session may lie.
    minimum : int
        Placebo sessions that a p needs.

    Returns
    -------
    SpecificationCurve
    """
    estimates, nowhere, rel_sessions = estimate_specifications(candidates, asked), np.empty(0, int), asked.rel_sessions
    pools = [
        placebo_positions(c, asked.event_session, news, last=rel_sessions[-1]) if e.is_computed else nowhere
        for c, e in zip(candidates, estimates, strict=True)
    ]
    joint = [i for i, pool in enumerate(pools) if len(pool) >= minimum]
    common = reduce(np.intersect1d, [pools[i] for i in joint]) if joint else nowhere
    tests, reason, adjusted = None, "", {}
    if len(common) < minimum:
        most = max((len(p) for p in pools), default=0)
        held = f"{len(common)} for every specification" if joint else f"at most {most} for any specification"
        reason = f"eligible placebo sessions: {held}, {minimum} needed"
    else:
        lead = next((place for place, i in enumerate(joint) if estimates[i].is_headline), 0)
        placebo = placebo_t_values([candidates[i] for i in joint], common, rel_sessions=rel_sessions, lead=lead)
        event_t = np.array([estimates[i].t for i in joint], dtype=float)
        critical = np.asarray(-stdtrit([estimates[i].df for i in joint], asked.significance / 2))
        tests = assess_curve(event_t, placebo, critical=critical)
        adjusted = dict(zip(joint, tests.adjusted.tolist(), strict=True))
    found = enumerate(zip(estimates, pools, strict=True))
    finished = (replace(e, n_placebo=len(pool), p_adjusted=adjusted.get(i)) for i, (e, pool) in found)
    return SpecificationCurve(tuple(finished), tests, len(adjusted), len(common) if tests else 0, reason)


def estimate_specifications(candidates: list[Candidate], asked: Asked) -> list[SpecificationEstimate]:
    """Estimate every specification at the event, without placebo sessions, in the order of the candidates."""
    found = [_fit_candidate(c, asked) for c in candidates]
    sets = _invert_all([fits for fits, _ in found], asked.rel_sessions)
    declared = next((s for s, c in zip(sets, candidates, strict=True) if c.choice == asked.headline), None)
    shown = asked.rel_sessions.index(declared.largest.rel_session) if declared else 0
    cases = zip(candidates, found, sets, strict=True)
    return [_describe(c, fits, note, own, shown, asked) for c, (fits, note), own in cases]


def confirm_curve(curve: SpecificationCurve, *, min_sign_share: float, max_p: float) -> Confirmation:
    """Whether the curve supports a detection: one sign, and a maximum that placebo sessions rarely reach.

    Parameters
    ----------
    curve : SpecificationCurve
        With its placebo tests, where there are enough sessions for them.
    min_sign_share, max_p : float
        The thresholds, declared in :mod:`event_impact.base.config`.

    Returns
    -------
    Confirmation
    """
    share, p_value = curve.same_sign_share, curve.tests.max_t.p_value if curve.tests else None
    if share is None:
        return Confirmation(False, p_value is not None, f"the declared specification: {curve.headline.note}")
    said = f"same sign in {share:.0%} of {len(curve.computed)} specifications".replace("%", " %")
    if p_value is None:
        return Confirmation(False, False, f"{said}; placebo maxT n/a: {curve.reason}")
    return Confirmation(share >= min_sign_share and p_value < max_p, True, f"{said}, placebo maxT p = {p_value:.2g}")


def _fit_candidate(candidate: Candidate, asked: Asked) -> tuple[list[WindowFits], str]:
    """The fit at each session that the event can have reached, or the reason why there is none."""
    if candidate.design is None:
        return [], candidate.reason
    design, lengths = candidate.design, candidate.choice.lengths
    try:
        used, event = locate_estimation(design, asked.event_session, **lengths, left_out=candidate.masked)
        fits, after = [], int(used[-1]) + 1
        for at in (event + rel_session for rel_session in asked.rel_sessions):
            gap = after + np.flatnonzero(design.is_usable[after:at])
            fits.append(fit_windows(*design.arrays, estimation=used, window=np.array([at]), between=gap))
        return fits, ""
    except EstimationError as error:
        return [], error.message


def locate_estimation(
    design: Design, event_session: pd.Timestamp, *, estimation_length: int, gap: int, left_out: pd.DatetimeIndex
) -> tuple[np.ndarray, int]:
    """Positions of the estimation sessions and of the event in a design's sessions.

    Raises
    ------
    EstimationError
        If the event has no return, or fewer than 90 % of the asked sessions are usable.
    """
    sessions, usable = design.sessions, design.is_usable
    event = int(sessions.searchsorted(event_session))
    if event == len(sessions) or sessions[event] != event_session or not usable[event]:
        known = f"they begin {sessions[usable][0].date()}" if usable.any() else "there is no session with all of them"
        said = f"not all returns exist on the event session {event_session.date()} ({known})."
        raise EstimationError(said, "Use a longer history.")
    used, _ = choose_estimation(design, event_session, length=estimation_length, gap=gap, masked=left_out)
    check_length(design, len(used), asked_sessions=estimation_length)
    return sessions.get_indexer(used), event


def _invert_all(found: list[list[WindowFits]], rel_sessions: tuple[int, ...]) -> list[CandidateSet | None]:
    """The candidate sessions of every specification; volatilities of one length are estimated together."""
    sets: list[CandidateSet | None] = [None] * len(found)
    groups: dict[int, list[int]] = {}
    for i, fits in enumerate(found):
        if fits:
            groups.setdefault(fits[0].n_estimation, []).append(i)
    for members in groups.values():
        garch = estimate_garch(np.concatenate([found[i][0].residuals for i in members]))
        for row, i in enumerate(members):
            own, sessions = garch.take(slice(row, row + 1)), []
            for fit, rel_session in zip(found[i], rel_sessions, strict=True):
                rule = invert_rule(fit, garch=carry_garch(fit.residuals, fit.gap_abnormal_returns, own))
                test = prediction_error_t(float(fit.car[0]), float(fit.forecast_std[0, 0]), fit.df)
                sessions.append(CandidateSession(rel_session, rule, test))
            sets[i] = CandidateSet(tuple(sessions))
    return sets


def _describe(
    candidate: Candidate, fits: list[WindowFits], note: str, own: CandidateSet | None, shown: int, asked: Asked
) -> SpecificationEstimate:
    is_headline = candidate.choice == asked.headline
    if own is None:
        return SpecificationEstimate(candidate.choice, is_headline, note=note)
    session, ends = own.sessions[shown], own.own_intervals
    judged = judge_row(own.weigh(), ends, level=asked.significance, bound=asked.bound)
    return SpecificationEstimate(
        candidate.choice, is_headline, session.estimate,
        standard_error=float(fits[shown].forecast_std[0, 0]), df=fits[shown].df, p_t=session.t.p_value,
        p_conformal=float(session.rule.p_conformal[0]), p_fhs=float(session.rule.p_fhs[0]),
        ci90=(min(low for low, _ in ends), max(high for _, high in ends)),
        ci95=own.interval(0.05) or session.interval(0.05 / own.count),
        outcome="detected" if judged.outcome == "fragile" else judged.outcome, n_estimation=fits[shown].n_estimation,
    )  # fmt: skip


def placebo_positions(
    candidate: Candidate, event_session: pd.Timestamp, news: pd.DatetimeIndex, *, last: int = 0
) -> np.ndarray:
    """Sessions at which this specification can be repeated, up to the ``last`` session after each."""
    design, choice = candidate.design, candidate.choice
    assert design is not None
    sessions = design.sessions
    near, event = [int(p) for p in sessions.get_indexer(news) if p >= 0], place_of(sessions, event_session)
    positions = ranks.eligible_placebo_sessions(design.is_usable, event, **choice.lengths, last=last, news=near)
    if not len(candidate.masked):
        return positions
    kept, last_fitted = np.r_[0, np.cumsum(~sessions.isin(candidate.masked))], positions - choice.gap_sessions
    counts = kept[last_fitted] - kept[last_fitted - choice.estimation_sessions]
    return np.asarray(positions[counts >= MIN_USABLE_SHARE * choice.estimation_sessions])


def placebo_t_values(
    candidates: list[Candidate], positions: np.ndarray, *, rel_sessions: tuple[int, ...] = (0,), lead: int = 0
) -> np.ndarray:
    """t of every specification at every placebo session, (n, K); running sums are shared between lengths.

    Of several sessions that an event there could have reached, the one with the largest |t| under specification
    ``lead`` is taken, as the headline takes its largest.
    """
    sums: dict[tuple[int, bytes], RunningSums] = {}
    columns = []
    for candidate in candidates:
        design, choice = candidate.design, candidate.choice
        assert design is not None
        key = (id(design), candidate.masked.to_numpy().tobytes())
        if key not in sums:
            is_masked = np.asarray(design.sessions.isin(candidate.masked))
            sums[key] = sum_products(*design.arrays, usable=design.is_usable & ~is_masked)
        gap, length = choice.gap_sessions, choice.estimation_sessions
        days = ((positions + r, gap + r) for r in rel_sessions)
        columns.append([standardise_from_sums(sums[key], events=e, gap=g, estimation_length=length) for e, g in days])
    values = np.array(columns)
    taken = np.abs(values[lead]).argmax(axis=0)
    return values[:, taken, np.arange(len(positions))].T


def curve_frame(curve: SpecificationCurve) -> pd.DataFrame:
    """One row a specification: its choices and its numbers, fractions."""
    return frame_of(curve.estimates, CURVE_COLUMNS)


@dataclass(frozen=True)
class LeftOutDay:
    """The estimate when one session is left out of the estimation window.

    Attributes
    ----------
    estimate, standard_error : float
        Without the session, fractions.
    change : float
        Less the estimate with all sessions.
    p_conformal : float
    """

    session: pd.Timestamp
    label: str
    estimate: float
    standard_error: float
    change: float
    p_conformal: float

    @property
    def t(self) -> float:
        """Prediction-error t."""
        return self.estimate / self.standard_error


def leave_out_days(
    design: Design, event_session: pd.Timestamp, labels: pd.Series, **window: Any
) -> tuple[LeftOutDay, ...]:
    """Estimate the event again without each labelled session of the estimation window, one at a time.

    Parameters
    ----------
    labels : pandas.Series
        Index session, text; sessions outside the estimation window are passed over.
    **window
        What :func:`locate_estimation` takes; ``left_out`` are the sessions that the headline leaves out already.

    Returns
    -------
    tuple of LeftOutDay
        One a labelled session of the estimation window, in the order of ``labels``.

    Raises
    ------
    EstimationError
        If the event cannot be estimated at all.
    """
    estimation, event = locate_estimation(design, event_session, **window)
    sessions = design.sessions
    rows = [int(np.flatnonzero(estimation == p)[0]) for p in sessions.get_indexer(labels.index) if p in set(estimation)]
    if not rows:
        return ()
    whole = fit_windows(*design.arrays, estimation=estimation, window=np.array([event]))
    kept = np.stack([np.delete(estimation, row) for row in rows])
    parts = fit_windows(*design.arrays, estimation=kept, window=np.full((len(rows), 1), event))
    days, estimates = sessions[estimation[rows]], parts.abnormal_returns[:, 0]
    changes, p_values = estimates - whole.abnormal_returns[0, 0], ranks.conformal_p_values(parts)
    figures = estimates, parts.forecast_std[:, 0], changes, p_values
    found = zip(days, *(values.tolist() for values in figures), strict=True)
    return tuple(LeftOutDay(day, str(labels.loc[day]), *numbers) for day, *numbers in found)
