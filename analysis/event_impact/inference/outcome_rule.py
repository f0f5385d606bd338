"""The word over the numbers: one rule for windows, candidate sets, companions and specifications alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from event_impact.inference.levels import is_rejected
from event_impact.inference.parametric import is_inside

BORDERLINE_FACTOR = 2.0
"""Missed by little: p* below this many levels. Without the cap the word falls on 13 % of nervous days that are ordinary."""
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
        return tuple(name for name, p in named if p is not None and is_rejected(self.times * p, level))


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
    if is_rejected(found.p_star, level):
        return Judgement("detectable_but_small" if is_small else "fragile")
    rejecting = found.below(level)
    if rejecting and is_rejected(found.p_star, BORDERLINE_FACTOR * level):
        return Judgement("borderline", rejecting)
    day = ""
    if {"conformal", "fhs"} & set(rejecting):
        day = NERVOUS_DAY if found.fhs > found.conformal else CALM_DAY
    return Judgement("smaller_than_bound" if is_small else "no_detectable_effect", rejecting, day)
