"""What a story's own order of sessions allows to be said: before the denial, after it, in total.

Report and denial in different sessions give one effect each, as contrasts of the abnormal returns of
one fit. In one session, or where the session itself is uncertain, there is only a total.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from event_impact.base.config import Window
from event_impact.base.result import TestResult, frame_of, not_computable
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.inference.deciding_rule import DecidingRule, invert_window
from event_impact.inference.parametric import detectable_effect
from event_impact.inference.placebo_pool import effects_of, rank_windows
from event_impact.inference.sequence import (
    Contrast,
    FiellerSet,
    ReversalClaim,
    contrast,
    fieller_set,
    reversal_claim,
)

MAX_SESSIONS = 40
"""A story that spans more sessions is not one event window."""


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
