"""Does the estimate depend on choices that a careful reader could have made otherwise?

One window, one return, every exchangeable choice of model, market, return form, mask and lengths. Only choices that
aim at the same quantity belong here (Del Giudice and Gangestad 2021); the declared headline is one of them
and stays the estimate of the study.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from scipy import stats

from event_impact.base.errors import EstimationError
from event_impact.base.places import place_of
from event_impact.estimation.models import MIN_USABLE_SHARE, Design
from event_impact.estimation.rolling import WindowFits, fit_windows
from event_impact.estimation.running_sums import RunningSums, forecast_from_sums, sum_products
from event_impact.inference.block_conformal import conformal_p_values
from event_impact.inference.fhs import rank_filtered
from event_impact.inference.max_t import CurveTests, assess_curve
from event_impact.inference.parametric import interval, is_inside
from event_impact.inference.placebo import MIN_PLACEBO_SESSIONS, eligible_placebo_sessions

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

    def differs_in(self, other: Choice) -> tuple[str, ...]:
        """Names of the fields in which two choices differ."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name))


DIMENSIONS = tuple(f.name for f in fields(Choice))


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
class Confirmation:
    """Whether a specification curve supports a detection.

    Attributes
    ----------
    is_confirmed : bool
        Same sign in enough specifications and a small enough maxT p.
    """

    is_confirmed: bool
    n_specifications: int
    same_sign_share: float | None
    p_max_t: float | None
    reason: str

    @property
    def is_tested(self) -> bool:
        """Whether there were placebo sessions enough to test the curve as a whole."""
        return self.p_max_t is not None


def estimate_curve(
    candidates: list[Candidate],
    event_session: pd.Timestamp,
    *,
    headline: Choice,
    significance: float,
    bound: float,
    news: pd.DatetimeIndex,
    minimum: int = MIN_PLACEBO_SESSIONS,
) -> SpecificationCurve:
    """Estimate every specification at the event and test the curve against placebo sessions.

    Parameters
    ----------
    candidates : list of Candidate
        All on the same sessions.
    headline : Choice
        One of the candidates.
    news : pandas.DatetimeIndex
        Sessions near which no placebo session may lie.
    minimum : int
        Placebo sessions that a p needs.

    Returns
    -------
    SpecificationCurve
    """
    estimates = estimate_specifications(
        candidates, event_session, headline=headline, significance=significance, bound=bound
    )
    pools = [
        placebo_positions(c, event_session, news) if e.is_computed else np.empty(0, dtype=int)
        for c, e in zip(candidates, estimates, strict=True)
    ]
    joint = [i for i, pool in enumerate(pools) if len(pool) >= minimum]
    common = _intersect([pools[i] for i in joint])
    tests, reason, adjusted = None, "", {}
    if len(common) < minimum:
        most = max((len(p) for p in pools), default=0)
        held = f"{len(common)} for every specification" if joint else f"at most {most} for any specification"
        reason = f"eligible placebo sessions: {held}, {minimum} needed"
    else:
        placebo = placebo_t_values([candidates[i] for i in joint], common)
        event_t = np.array([estimates[i].t for i in joint], dtype=float)
        critical = np.asarray(stats.t.isf(significance / 2, [estimates[i].df for i in joint]))
        tests = assess_curve(event_t, placebo, critical=critical)
        adjusted = dict(zip(joint, tests.adjusted, strict=True))
    finished = tuple(
        _with(e, n_placebo=len(pools[i]), p_adjusted=float(adjusted[i]) if i in adjusted else None)
        for i, e in enumerate(estimates)
    )
    return SpecificationCurve(finished, tests, len(adjusted), len(common) if tests else 0, reason)


def estimate_specifications(
    candidates: list[Candidate], event_session: pd.Timestamp, *, headline: Choice, significance: float, bound: float
) -> list[SpecificationEstimate]:
    """Estimate every specification at the event, without placebo sessions.

    Parameters
    ----------
    candidates : list of Candidate
        All on the same sessions.
    event_session : pandas.Timestamp
        rel_session 0.
    headline : Choice
        One of the candidates.
    significance, bound : float
        Level, and delta as a fraction.

    Returns
    -------
    list of SpecificationEstimate
        In the order of the candidates.
    """
    fits = [_fit_candidate(c, event_session) for c in candidates]
    p_filtered = _filter_all([f for f, _ in fits])
    return [
        _describe(c, fit, note, p, headline=headline, significance=significance, bound=bound)
        for c, (fit, note), p in zip(candidates, fits, p_filtered, strict=True)
    ]


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
    share, count = curve.same_sign_share, len(curve.computed)
    p_value = curve.tests.max_t.p_value if curve.tests else None
    if share is None:
        return Confirmation(False, count, None, p_value, f"the declared specification: {curve.headline.note}")
    said = f"same sign in {share:.0%} of {count} specifications".replace("%", " %")
    if p_value is None:
        return Confirmation(False, count, share, None, f"{said}; placebo maxT n/a: {curve.reason}")
    is_confirmed = share >= min_sign_share and p_value < max_p
    return Confirmation(is_confirmed, count, share, p_value, f"{said}, placebo maxT p = {p_value:.2g}")


def _with(estimate: SpecificationEstimate, **changes: object) -> SpecificationEstimate:
    return SpecificationEstimate(**{**estimate.__dict__, **changes})


def _fit_candidate(candidate: Candidate, event_session: pd.Timestamp) -> tuple[WindowFits | None, str]:
    """The event's own fit, or the reason why there is none."""
    if candidate.design is None:
        return None, candidate.reason
    design, choice = candidate.design, candidate.choice
    try:
        estimation, event = locate_estimation(
            design,
            event_session,
            length=choice.estimation_sessions,
            gap=choice.gap_sessions,
            left_out=candidate.masked,
        )
        fit = fit_windows(
            design.response.to_numpy(dtype=float),
            design.regressors.to_numpy(dtype=float),
            estimation=estimation,
            window=np.array([event]),
            between=locate_gap(design, estimation, event),
        )
    except EstimationError as error:
        return None, error.message
    return fit, ""


def locate_estimation(
    design: Design, event_session: pd.Timestamp, *, length: int, gap: int, left_out: pd.DatetimeIndex
) -> tuple[np.ndarray, int]:
    """Positions of the estimation sessions and of the event in a design's sessions.

    Raises
    ------
    EstimationError
        If the event has no return, or fewer than 90 % of the asked sessions are usable.
    """
    sessions = pd.DatetimeIndex(design.response.index)
    usable = np.asarray(sessions.isin(design.usable))
    event = int(sessions.searchsorted(event_session))
    if event == len(sessions) or sessions[event] != event_session or not usable[event]:
        known = f"they begin {sessions[usable][0].date()}" if usable.any() else "there is no session with all of them"
        raise EstimationError(
            f"not all returns exist on the event session {event_session.date()} ({known}).", "Use a longer history."
        )
    window = np.arange(max(event - gap - length, 0), max(event - gap, 0))
    used = window[usable[window] & ~np.asarray(sessions[window].isin(left_out))]
    needed = max(design.regressors.shape[1] + 2, int(np.ceil(MIN_USABLE_SHARE * length)))
    if len(used) < needed:
        raise EstimationError(
            f"{len(used)} of {length} estimation sessions are usable; at least {needed} are needed.",
            "Use a source with a longer history.",
        )
    return used, event


def locate_gap(design: Design, estimation: np.ndarray, event: int) -> np.ndarray:
    """Positions after the estimation window and before the event that have a return."""
    between = np.arange(estimation[-1] + 1, event)
    sessions = pd.DatetimeIndex(design.response.index)
    return between[np.asarray(sessions[between].isin(design.usable))]


def _filter_all(fits: list[WindowFits | None]) -> list[float | None]:
    """FHS p of every fit; fits of one length are filtered together."""
    p_values: list[float | None] = [None] * len(fits)
    groups: dict[tuple[int, int], list[int]] = {}
    for i, fit in enumerate(fits):
        if fit is not None:
            groups.setdefault((fit.n_estimation, fit.gap_abnormal_returns.shape[1]), []).append(i)
    for members in groups.values():
        own = [fit for i in members if (fit := fits[i]) is not None]
        ranks = rank_filtered(
            np.concatenate([f.residuals for f in own]),
            np.concatenate([f.abnormal_returns[:, 0] for f in own]),
            leverage=np.concatenate([f.leverage[:, 0] for f in own]),
            following=np.concatenate([f.gap_abnormal_returns for f in own]),
        )
        for i, p in zip(members, ranks.p_values, strict=True):
            p_values[i] = float(p)
    return p_values


def _describe(
    candidate: Candidate,
    fit: WindowFits | None,
    note: str,
    p_fhs: float | None,
    *,
    headline: Choice,
    significance: float,
    bound: float,
) -> SpecificationEstimate:
    is_headline = candidate.choice == headline
    if fit is None or p_fhs is None:
        return SpecificationEstimate(candidate.choice, is_headline, note=note)
    estimate, error = float(fit.abnormal_returns[0, 0]), float(fit.forecast_std[0, 0])
    ci90 = interval(estimate, error, fit.df, 0.90)
    p_conformal = float(conformal_p_values(fit)[0])
    return SpecificationEstimate(
        choice=candidate.choice,
        is_headline=is_headline,
        estimate=estimate,
        standard_error=error,
        df=fit.df,
        p_t=float(2 * stats.t.sf(abs(estimate / error), fit.df)),
        p_conformal=p_conformal,
        p_fhs=p_fhs,
        ci90=ci90,
        ci95=interval(estimate, error, fit.df, 0.95),
        outcome=judge(p_conformal, p_fhs, is_small=is_inside(*ci90, bound), significance=significance),
        n_estimation=fit.n_estimation,
    )


def judge(p_conformal: float, p_fhs: float, *, is_small: bool, significance: float) -> str:
    """The outcome of one specification by the rule of the headline; a detection is called ``detected`` here."""
    if (p_conformal < significance) != (p_fhs < significance):
        return "depends_on_volatility"
    if p_conformal < significance:
        return "detectable_but_small" if is_small else "detected"
    return "smaller_than_bound" if is_small else "no_detectable_effect"


def placebo_positions(candidate: Candidate, event_session: pd.Timestamp, news: pd.DatetimeIndex) -> np.ndarray:
    """Sessions at which this specification can be repeated."""
    design, choice = candidate.design, candidate.choice
    assert design is not None
    sessions = pd.DatetimeIndex(design.response.index)
    positions = eligible_placebo_sessions(
        len(sessions),
        place_of(sessions, event_session),
        estimation_length=choice.estimation_sessions,
        gap=choice.gap_sessions,
        news=[int(p) for p in sessions.get_indexer(news) if p >= 0],
        usable=np.asarray(sessions.isin(design.usable)),
    ).positions
    if not len(candidate.masked):
        return positions
    kept = np.concatenate([[0], np.cumsum(~sessions.isin(candidate.masked))])
    counts = kept[positions - choice.gap_sessions] - kept[positions - choice.gap_sessions - choice.estimation_sessions]
    return np.asarray(positions[counts >= MIN_USABLE_SHARE * choice.estimation_sessions])


def _intersect(pools: Iterable[np.ndarray]) -> np.ndarray:
    common: np.ndarray | None = None
    for pool in pools:
        common = pool if common is None else np.intersect1d(common, pool, assume_unique=True)
    return np.empty(0, dtype=int) if common is None else common


def placebo_t_values(candidates: list[Candidate], positions: np.ndarray) -> np.ndarray:
    """t of every specification at every placebo session, (n, K); running sums are shared between lengths."""
    sums: dict[tuple[int, bytes], RunningSums] = {}
    columns = []
    for candidate in candidates:
        design, choice = candidate.design, candidate.choice
        assert design is not None
        key = (id(design), candidate.masked.to_numpy().tobytes())
        if key not in sums:
            sessions = pd.DatetimeIndex(design.response.index)
            sums[key] = sum_products(
                design.response.to_numpy(dtype=float),
                design.regressors.to_numpy(dtype=float),
                usable=np.asarray(sessions.isin(design.usable) & ~sessions.isin(candidate.masked)),
            )
        columns.append(
            forecast_from_sums(
                sums[key], events=positions, estimation_length=choice.estimation_sessions, gap=choice.gap_sessions
            ).t
        )
    return np.column_stack(columns)


def curve_frame(curve: SpecificationCurve) -> pd.DataFrame:
    """One row a specification: its choices and its numbers, fractions."""
    rows = []
    for e in curve.estimates:
        low, high = e.ci95 or (None, None)
        rows.append(
            {
                **{name: getattr(e.choice, name) for name in DIMENSIONS},
                "is_headline": e.is_headline,
                "estimate": e.estimate,
                "standard_error": e.standard_error,
                "df": e.df,
                "t": e.t,
                "ci95_low": low,
                "ci95_high": high,
                "p_t": e.p_t,
                "p_conformal": e.p_conformal,
                "p_fhs": e.p_fhs,
                "p_adjusted": e.p_adjusted,
                "outcome": e.outcome,
                "n_estimation": e.n_estimation,
                "n_placebo": e.n_placebo,
                "note": e.note,
            }
        )
    return pd.DataFrame(rows)
