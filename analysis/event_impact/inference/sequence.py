"""Report, then denial: contrasts over one dummy a session, joint tests and the bar for a reversal.

With a dummy for every session of the window the coefficients are the abnormal returns a, with covariance
s^2 G (Salkever 1976). Every effect of the sequence is a contrast c'a; a single dummy over several sessions is
another estimator and is not used. Sessions from the denial on belong to the denial, though drift of the report may
be in them.

What a story's own order of sessions allows to be said: before the denial, after it, in total.

Report and denial in different sessions give one effect each, as contrasts of the abnormal returns of
one fit. In one session, or where the session itself is uncertain, there is only a total.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from event_impact.base.config import Window
from event_impact.base.result import TestResult, frame_of, not_computable
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.models import WindowEffects
from event_impact.inference.deciding_rule import DecidingRule, invert_window
from event_impact.inference.parametric import chance_to_show_reversal, detectable_effect, is_inside
from event_impact.inference.placebo_pool import effects_of, rank_windows
from event_impact.inference.ranks import is_rejected

Ends = tuple[float, float]


@dataclass(frozen=True)
class Contrast:
    """A linear combination of abnormal returns, c'a, with variance c'Cc and t(L - K).

    Attributes
    ----------
    weights : ndarray (m,)
        c.
    estimate, std_error : float
        Fractions.
    df : int
        L - K.
    """

    weights: np.ndarray
    estimate: float
    std_error: float
    df: int

    @property
    def t_value(self) -> float:
        """Estimate over standard error."""
        return self.estimate / self.std_error

    @property
    def p_value(self) -> float:
        """Two-sided p of t(L - K)."""
        return float(2.0 * stdtr(self.df, -abs(self.t_value)))


@dataclass(frozen=True)
class FiellerSet:
    """Confidence set of the reversed fraction -denial / report.

    Attributes
    ----------
    shape : str
        ``interval`` [lower, upper]; ``two_rays`` (-inf, lower] and [upper, inf); ``whole_line``.
    estimate : float
        -denial / report.
    lower, upper : float
        Ends as the shape says; infinite for ``whole_line``.
    """

    shape: str
    estimate: float
    lower: float
    upper: float

    @property
    def is_bounded(self) -> bool:
        """False when the report's own effect is not distinguishable from zero: print "not bounded"."""
        return self.shape == "interval"


@dataclass(frozen=True)
class ReversalClaim:
    """The three conditions without which nothing may be called a reversal, and whether the third could have held.

    Attributes
    ----------
    is_report_significant : bool
        The report's effect is distinguishable from zero.
    is_denial_significant_and_opposite : bool
        So is the denial's, with the other sign.
    is_total_equivalent_to_zero : bool
        The 90 % interval of the sum lies inside the bound; that the sum is not distinguishable from zero is not
        enough.
    p_report, p_denial : float
        The p* behind the first two.
    total_interval : (float, float)
    bound : float
        The equivalence bound, a fraction.
    chance : float or None
        That a perfect reversal would be shown with these prices; None where none could have been: the half-width of
        the interval reaches the bound.
    """

    is_report_significant: bool
    is_denial_significant_and_opposite: bool
    is_total_equivalent_to_zero: bool
    p_report: float
    p_denial: float
    total_interval: Ends
    bound: float
    chance: float | None

    @property
    def is_reversal(self) -> bool:
        """All three."""
        legs = self.is_report_significant and self.is_denial_significant_and_opposite
        return legs and self.is_total_equivalent_to_zero

    @property
    def half_width(self) -> float:
        """Of the sum's 90 % interval: no smaller bound could be proved with these prices."""
        return (self.total_interval[1] - self.total_interval[0]) / 2.0


def contrast(effects: WindowEffects, weights: np.ndarray) -> Contrast:
    """c'a with its standard error sqrt(c'Cc); one weight a session of the window."""
    variance = float(weights @ effects.covariance @ weights)
    return Contrast(weights, float(weights @ effects.abnormal_returns), math.sqrt(variance), effects.df)


def fieller_set(report: Contrast, denial: Contrast, *, effects: WindowEffects, coverage: float = 0.95) -> FiellerSet:
    """Set of reversed fractions r with (denial + r report)^2 <= t^2 (c_DD + 2 r c_RD + r^2 c_RR).

    A ratio of two estimates has no symmetric interval; the delta method is never used (Fieller 1954).
    """
    bar, c = float(stdtrit(effects.df, 0.5 + coverage / 2.0)) ** 2, effects.covariance
    r, d = report.weights, denial.weights
    quadratic = report.estimate**2 - bar * float(r @ c @ r)
    half_linear = denial.estimate * report.estimate - bar * float(r @ c @ d)
    constant = denial.estimate**2 - bar * float(d @ c @ d)
    estimate = -denial.estimate / report.estimate if report.estimate else math.nan
    discriminant = half_linear**2 - quadratic * constant
    if quadratic == 0.0 or (quadratic < 0.0 and discriminant <= 0.0):
        return FiellerSet("whole_line", estimate, -math.inf, math.inf)
    root = math.sqrt(max(discriminant, 0.0))
    ends = sorted(((-half_linear - root) / quadratic, (-half_linear + root) / quadratic))
    return FiellerSet("interval" if quadratic > 0.0 else "two_rays", estimate, *ends)


def reversal_claim(
    legs: dict[str, Contrast], *, p_report: float, p_denial: float, total_interval: Ends, bound: float, level: float
) -> ReversalClaim:
    """Check the three conditions of a reversal.

    Parameters
    ----------
    legs : dict of str to Contrast
        ``report``, ``denial`` and their ``total``.
    p_report, p_denial : float
        p* of both effects.
    total_interval : (float, float)
        Printed 90 % interval of the sum.
    bound : float
        Equivalence bound on the total, a positive fraction set beforehand.
    level : float
        Of the first two tests.
    """
    report, denial, total = (legs[name] for name in ("report", "denial", "total"))
    is_opposite = report.estimate * denial.estimate < 0.0
    half = (total_interval[1] - total_interval[0]) / 2.0
    return ReversalClaim(
        is_report_significant=is_rejected(p_report, level),
        is_denial_significant_and_opposite=is_rejected(p_denial, level) and is_opposite,
        is_total_equivalent_to_zero=is_inside(*total_interval, bound), p_report=p_report, p_denial=p_denial,
        total_interval=total_interval, bound=bound,
        chance=chance_to_show_reversal(total.std_error, df=total.df, half_width=half, bound=bound),
    )  # fmt: skip


#: A story that spans more sessions is not one event window.
MAX_SESSIONS = 40


@dataclass(frozen=True)
class SequenceRow:
    """One effect of the story: ``report``, ``denial`` or ``total``.

    ``rule`` is the deciding rule of its sessions; ``contrast`` is None where the model gives no standard error.
    """

    name: str
    first: int
    last: int
    contrast: Contrast | None
    note: str
    rule: DecidingRule | None = None

    @property
    def estimate(self) -> float | None:
        """Cumulative abnormal return."""
        return None if self.rule is None else float(self.rule.estimate[0])

    @property
    def rank_p(self) -> float | None:
        """p*."""
        return None if self.rule is None else float(self.rule.p_star[0])

    @property
    def mde80(self) -> float | None:
        """Smallest effect that a 5 % t test of these sessions finds four times in five."""
        return detectable_effect(self.contrast.std_error, df=self.contrast.df) if self.contrast else None

    def interval(self, level: float) -> tuple[float, float] | None:
        """Effects that p* does not reject at the level."""
        return self.rule.first_interval(level) if self.rule else None

    @property
    def ends(self) -> tuple[float, ...] | None:
        """Of the 90 and of the 95 % interval."""
        return (*self.rule.first_interval(0.10), *self.rule.first_interval(0.05)) if self.rule else None


@dataclass(frozen=True)
class StorySequence:
    """Effects of a story over the sessions that its articles can have reached.

    Attributes
    ----------
    rows : tuple of SequenceRow
        What is identified.
    joint : TestResult
        All sessions of the window ordinary at once.
    fieller : FiellerSet or None
        Set of the reversed fraction, when report and denial are separate.
    reversal : ReversalClaim or None
        The three conditions of a reversal, when report and denial are separate.
    """

    rows: tuple[SequenceRow, ...]
    joint: TestResult
    fieller: FiellerSet | None = None
    reversal: ReversalClaim | None = None

    def row(self, name: str) -> SequenceRow | None:
        """The row of a name, None when the story has none."""
        return next((row for row in self.rows if row.name == name), None)

    def frame(self) -> pd.DataFrame:
        """``results/sequence.csv``: one row an effect."""
        return frame_of(
            self.rows,
            "effect=name first last estimate standard_error=contrast.std_error df=contrast.df t=contrast.t_value "
            "p_t=contrast.p_value p_rank=rank_p ci90_low=ends.0 ci90_high=ends.1 ci95_low=ends.2 ci95_high=ends.3 mde80 "
            "note",
        )


def assess_sequence(
    abnormal: AbnormalReturns, hull: Window, *, denial_from: int | None, bound: float, significance: float, **pool: Any
) -> StorySequence:
    """Effects of a story over its hull of candidate sessions.

    Parameters
    ----------
    hull : (int, int)
        First and last rel_session that report or first denial can have reached.
    denial_from : int or None
        First candidate rel_session of the denial, where closing prices tell it from the report; None has a total only.
    **pool
        What :func:`rank_windows` takes.

    Returns
    -------
    StorySequence
    """
    total = abnormal.sum_window(*hull)
    if total.estimate is None or hull[1] - hull[0] + 1 > MAX_SESSIONS:
        reason = total.note or f"the articles span more than {MAX_SESSIONS} sessions: no event window"
        return StorySequence((SequenceRow("total", *hull, None, reason),), not_computable("joint_f", reason))
    spans = {"total": hull}
    if denial_from is not None:
        spans = {"report": (hull[0], denial_from - 1), "denial": (denial_from, hull[1]), **spans}
    rules = {name: invert_window(abnormal, *span) for name, span in spans.items()}
    if total.standard_error is None:
        note = f"no standard error: {total.note}"
        rows = tuple(SequenceRow(name, *span, None, note, rules[name]) for name, span in spans.items())
        return StorySequence(rows, not_computable("joint_f", total.note))
    effects = effects_of(abnormal, total)
    joint, at = rank_windows(abnormal, [hull], **pool)[hull].tests["joint_f"], np.arange(hull[0], hull[1] + 1)
    legs = {n: contrast(effects, ((at >= first) & (at <= last)).astype(float)) for n, (first, last) in spans.items()}
    rows = tuple(SequenceRow(name, *span, legs[name], "", rules[name]) for name, span in spans.items())
    if denial_from is None:
        return StorySequence(rows, joint)
    p_values = {f"p_{name}": float(rules[name].p_star[0]) for name in ("report", "denial")}
    interval = rules["total"].first_interval(0.10)
    claim = reversal_claim(legs, **p_values, total_interval=interval, bound=bound, level=significance)
    return StorySequence(rows, joint, fieller_set(legs["report"], legs["denial"], effects=effects), claim)
