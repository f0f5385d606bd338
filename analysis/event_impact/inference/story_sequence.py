"""What a story's own order of sessions allows to be said: before the denial, after it, in total.

Report and denial in different sessions give one effect each, as contrasts of the abnormal returns of
one fit. In one session there is only a total. Where the session itself is uncertain, every candidate
is shown, their sum, and the largest |t| with its null taken from earlier sessions of the firm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from event_impact.base.places import place_of
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.forecast import estimate_garch, forecast_covariances
from event_impact.estimation.rolling import fit_rolling
from event_impact.inference.block_conformal import conformal_p_values
from event_impact.inference.counterfactual_ranks import rank_counterfactual
from event_impact.inference.fhs import filtered_ranks
from event_impact.inference.placebo import eligible_placebo_sessions, placebo_test
from event_impact.inference.power import detectable_effect
from event_impact.inference.sequence import (
    Contrast,
    FiellerSet,
    ReversalClaim,
    WindowEffects,
    contrast,
    fieller_set,
    joint_f_values,
    joint_test,
    reversal_claim,
    sequence_effects,
)

MAX_SESSIONS = 40
"""A story that spans more sessions is not one event window."""


@dataclass(frozen=True)
class SequenceRow:
    """One effect of the story: ``report``, ``denial``, ``total`` or one candidate session.

    ``rank_p`` is the larger of the conformal and the FHS p-value of its sessions, the block conformal p for
    several; ``estimate`` stands alone where the model gives no standard error.
    """

    name: str
    first: int
    last: int
    contrast: Contrast | None
    mde80: float | None
    note: str
    rank_p: float | None = None
    estimate: float | None = None


@dataclass(frozen=True)
class StorySequence:
    """Effects of a story over the sessions that its articles can have reached.

    Attributes
    ----------
    rows : tuple of SequenceRow
        What is identified, and for uncertain sessions each candidate.
    max_t : TestResult
        Largest |t| over the candidates, ranked among earlier windows of the same length.
    joint : TestResult
        All sessions of the window ordinary at once.
    fieller : FiellerSet or None
        Set of the reversed fraction, when report and denial are separate.
    reversal : ReversalClaim or None
        The three conditions of a reversal, when report and denial are separate.
    """

    rows: tuple[SequenceRow, ...]
    max_t: TestResult
    joint: TestResult
    fieller: FiellerSet | None
    reversal: ReversalClaim | None

    def row(self, name: str) -> SequenceRow | None:
        """The row of a name, None when the story has none."""
        return next((row for row in self.rows if row.name == name), None)

    def frame(self) -> pd.DataFrame:
        """``results/sequence.csv``: one row an effect."""
        records = []
        for row in self.rows:
            c = row.contrast
            low, high = c.interval(0.95) if c else (None, None)
            records.append(
                {
                    "effect": row.name,
                    "first": row.first,
                    "last": row.last,
                    "estimate": c.estimate if c else row.estimate,
                    "standard_error": c.std_error if c else None,
                    "df": c.df if c else None,
                    "t": c.t_value if c else None,
                    "p_t": c.p_value if c else None,
                    "p_rank": row.rank_p,
                    "ci95_low": low,
                    "ci95_high": high,
                    "mde80": row.mde80,
                    "note": row.note,
                }
            )
        return pd.DataFrame(records)


def assess_sequence(
    abnormal: AbnormalReturns,
    *,
    hull: tuple[int, int],
    kind: str,
    report_candidates: tuple[int, ...],
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
    report_candidates, denial_candidates : tuple of int
        Candidate rel_sessions; empty where there is no such article.

    Returns
    -------
    StorySequence
    """
    total = abnormal.sum_window(*hull)
    if total.estimate is None or hull[1] - hull[0] + 1 > MAX_SESSIONS:
        reason = total.note or f"the articles span more than {MAX_SESSIONS} sessions: no event window"
        empty = SequenceRow("total", *hull, None, None, reason)
        return StorySequence((empty,), not_computable("max_t", reason), not_computable("joint_f", reason), None, None)
    is_separable = kind == "separable" and bool(denial_candidates) and min(denial_candidates) > hull[0]
    before = min(denial_candidates) - hull[0] if is_separable else 0
    if total.standard_error is None:
        return _without_errors(abnormal, hull, before, total.note)
    effects = _effects_of(abnormal, hull)
    placebo = _placebo_windows(abnormal, hull, estimation_sessions, gap_sessions, news)
    split = sequence_effects(effects, n_report_sessions=before)
    rows = []
    if split.report is not None and split.denial is not None:
        rows.append(_row("report", hull[0], hull[0] + before - 1, split.report, abnormal))
        rows.append(_row("denial", hull[0] + before, hull[1], split.denial, abnormal))
    rows.append(_row("total", *hull, split.total, abnormal))
    rows += _candidate_rows(abnormal, effects, hull, report_candidates, denial_candidates)
    ranks = {row.name: row.rank_p for row in rows}
    return StorySequence(
        rows=tuple(rows),
        max_t=_max_t(effects, placebo),
        joint=joint_test(effects, placebo.f_values),
        fieller=fieller_set(split.report, split.denial, effects=effects) if split.report and split.denial else None,
        reversal=reversal_claim(
            split, bound=bound, level=significance, p_report=ranks["report"], p_denial=ranks["denial"]
        )
        if split.report
        else None,
    )


def rank_sessions(abnormal: AbnormalReturns, first: int, last: int) -> float | None:
    """The larger of conformal and FHS p of one session, the block conformal p of several."""
    if abnormal.fit.has_error:
        fits = abnormal.window_fits(first, last)
        block = float(conformal_p_values(fits)[0])
        return block if last > first else max(block, float(filtered_ranks(fits).p_values[0]))
    tests = rank_counterfactual(abnormal.counterfactual_fits(first, last)).tests
    return max(t.p_value for t in (tests["block_conformal"], tests["fhs"]) if t.p_value is not None)


def _without_errors(abnormal: AbnormalReturns, hull: tuple[int, int], before: int, why: str) -> StorySequence:
    """Estimates and ranks of a model whose forecasts have no standard error."""
    spans = [("total", hull[0], hull[1])]
    if before:
        spans = [("report", hull[0], hull[0] + before - 1), ("denial", hull[0] + before, hull[1]), *spans]
    rows = tuple(
        SequenceRow(
            name, first, last, None, None, f"no standard error: {why}", rank_sessions(abnormal, first, last),
            abnormal.sum_window(first, last).estimate,
        )
        for name, first, last in spans
    )  # fmt: skip
    return StorySequence(rows, not_computable("max_t", why), not_computable("joint_f", why), None, None)


@dataclass(frozen=True)
class _PlaceboWindows:
    t_values: np.ndarray
    f_values: np.ndarray


def _effects_of(abnormal: AbnormalReturns, hull: tuple[int, int]) -> WindowEffects:
    rows = abnormal.table.loc[hull[0] : hull[1]]
    return WindowEffects(
        abnormal_returns=rows["ar"].to_numpy(dtype=float),
        forecast_scale=abnormal.forecast_covariance(*hull) / abnormal.fit.residual_std**2,
        residual_variance=abnormal.fit.residual_std**2,
        df=abnormal.fit.df,
    )


def _row(name: str, first: int, last: int, found: Contrast, abnormal: AbnormalReturns, note: str = "") -> SequenceRow:
    mde80 = detectable_effect(found.std_error, df=found.df)
    return SequenceRow(name, first, last, found, mde80, note, rank_sessions(abnormal, first, last), found.estimate)


def _candidate_rows(
    abnormal: AbnormalReturns,
    effects: WindowEffects,
    hull: tuple[int, int],
    report: tuple[int, ...],
    denial: tuple[int, ...],
) -> list[SequenceRow]:
    """One row a candidate session, where the session of an article is uncertain."""
    if len(report) <= 1 and len(denial) <= 1:
        return []
    rows = []
    for rel_session in sorted({*report, *denial}):
        weights = np.zeros(hull[1] - hull[0] + 1)
        weights[rel_session - hull[0]] = 1.0
        roles = [role for role, held in (("report", report), ("denial", denial)) if rel_session in held]
        found = contrast(effects, weights, name=f"session {rel_session}")
        note = f"candidate of the {' and the '.join(roles)}"
        rows.append(_row(f"session {rel_session}", rel_session, rel_session, found, abnormal, note))
    return rows


def _placebo_windows(
    abnormal: AbnormalReturns, hull: tuple[int, int], length: int, gap: int, news: pd.DatetimeIndex
) -> _PlaceboWindows:
    """t of every session and joint F of the same window at the eligible earlier sessions."""
    sessions = pd.DatetimeIndex(abnormal.design.response.index)
    windows = {"estimation_length": length, "gap": gap, "first": hull[0], "last": hull[1]}
    eligible = eligible_placebo_sessions(
        len(sessions),
        place_of(sessions, abnormal.event_session),
        **windows,
        news=[int(p) for p in sessions.get_indexer(news) if p >= 0],
        usable=np.asarray(sessions.isin(abnormal.design.usable)),
    )
    m = hull[1] - hull[0] + 1
    if not eligible.count:
        return _PlaceboWindows(np.empty((0, m)), np.empty(0))
    fits = fit_rolling(
        abnormal.design.response.to_numpy(dtype=float),
        abnormal.design.regressors.to_numpy(dtype=float),
        events=eligible.positions,
        **windows,
    )
    garch = None if abnormal.garch is None else estimate_garch(fits.residuals)
    covariance = forecast_covariances(fits, garch)
    t_values = fits.abnormal_returns / np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    return _PlaceboWindows(
        t_values, joint_f_values(fits.abnormal_returns, covariance, residual_std=np.ones(eligible.count))
    )


def _max_t(effects: WindowEffects, placebo: _PlaceboWindows) -> TestResult:
    """Largest |t| of the hull; with one session it is the session's own rank."""
    errors = np.sqrt(effects.residual_variance * np.diag(effects.forecast_scale))
    largest = float(np.max(np.abs(effects.abnormal_returns / errors)))
    return placebo_test(
        largest,
        np.abs(placebo.t_values).max(axis=1) if len(placebo.t_values) else np.empty(0),
        name="max_t",
        null="no candidate session differs from an ordinary one",
    )
