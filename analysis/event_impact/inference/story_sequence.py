"""What a story's own order of sessions allows to be said: before the denial, after it, in total.

Report and denial in different sessions give one effect each, as contrasts of the abnormal returns of
one fit. In one session, or where the session itself is uncertain, there is only a total.
"""

from dataclasses import dataclass

import pandas as pd

from event_impact.base.result import TestResult, frame_of, not_computable
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.inference.deciding_rule import DecidingRule, invert_window
from event_impact.inference.parametric import detectable_effect
from event_impact.inference.placebo_pool import effects_of, rank_windows
from event_impact.inference.sequence import (
    Contrast,
    FiellerSet,
    ReversalClaim,
    fieller_set,
    reversal_claim,
    sequence_effects,
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
    abnormal: AbnormalReturns,
    *,
    hull: tuple[int, int],
    kind: str,
    denial_candidates: tuple[int, ...],
    estimation_sessions: int,
    gap_sessions: int,
    news: pd.DatetimeIndex,
    bound: float,
    significance: float,
) -> StorySequence:
    """Effects of a story over its hull of candidate sessions.

    Parameters
    ----------
    hull : (int, int)
        First and last rel_session that report or first denial can have reached.
    kind : str
        What is identified from closing prices: ``separable`` splits the hull at the denial's first
        candidate; every other kind has a total only.
    denial_candidates : tuple of int
        Candidate rel_sessions; empty where there is no such article.

    Returns
    -------
    StorySequence
    """
    total = abnormal.sum_window(*hull)
    if total.estimate is None or hull[1] - hull[0] + 1 > MAX_SESSIONS:
        reason = total.note or f"the articles span more than {MAX_SESSIONS} sessions: no event window"
        return StorySequence((SequenceRow("total", *hull, None, reason),), not_computable("joint_f", reason))
    is_separable = kind == "separable" and bool(denial_candidates) and min(denial_candidates) > hull[0]
    before = min(denial_candidates) - hull[0] if is_separable else 0
    spans = {"total": hull}
    if before:
        spans = {"report": (hull[0], hull[0] + before - 1), "denial": (hull[0] + before, hull[1]), **spans}
    rules = {name: invert_window(abnormal, *span) for name, span in spans.items()}
    if total.standard_error is None:
        note = f"no standard error: {total.note}"
        rows = tuple(SequenceRow(name, *span, None, note, rules[name]) for name, span in spans.items())
        return StorySequence(rows, not_computable("joint_f", total.note))
    effects = effects_of(abnormal, total)
    lengths = {"estimation_sessions": estimation_sessions, "gap_sessions": gap_sessions}
    joint = rank_windows(abnormal, [hull], **lengths, news=news)[hull].tests["joint_f"]
    split = sequence_effects(effects, n_report_sessions=before)
    rows = tuple(SequenceRow(name, *span, getattr(split, name), "", rules[name]) for name, span in spans.items())
    if split.report is None or split.denial is None:
        return StorySequence(rows, joint)
    claim = reversal_claim(
        split,
        p_report=float(rules["report"].p_star[0]),
        p_denial=float(rules["denial"].p_star[0]),
        total_interval=rules["total"].first_interval(0.10),
        bound=bound,
        level=significance,
    )
    return StorySequence(rows, joint, fieller_set(split.report, split.denial, effects=effects), claim)
