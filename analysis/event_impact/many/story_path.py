"""The average path of many stories around their event sessions, by the batch engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from event_impact.base.places import place_of
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.layout import BatchDesign
from event_impact.many.sample_days import gather_day_sums, tabulate_days

SHORTEST_PATH = 5
"""Sessions after the event that every story of the path must have; later stories are left out."""


@dataclass(frozen=True)
class StoryPath:
    """Average and cumulated abnormal returns by rel_session.

    Attributes
    ----------
    table : pandas.DataFrame
        rel_session, n, aar, aar_t, caar, caar_t, caar_bmp, ci95_low, ci95_high (of the CAAR, from the
        spread of the stories, t(N - 1)).
    stories, left_out : tuple of str
        Stories on the path, and those whose figures end too early for it.
    note : str
        Why there is no path.
    """

    table: pd.DataFrame
    stories: tuple[str, ...]
    left_out: tuple[str, ...]
    note: str = ""


def trace_path(
    members: Sequence[tuple[str, AbnormalReturns]],
    *,
    path: tuple[int, int],
    estimation_sessions: int,
    gap_sessions: int,
) -> StoryPath:
    """Cumulate the abnormal returns of all stories from before the event, session by session.

    All stories are laid on one axis of rel_sessions, so that the engine estimates each on its own
    window. The path begins where the gap does and ends where the first story's figures end.

    Parameters
    ----------
    path : (int, int)
        Asked first and last rel_session.

    Returns
    -------
    StoryPath
    """
    first = max(path[0], -gap_sessions)
    reach = [min(path[1], int(a.table.index[a.table["ar"].notna()].max())) for _, a in members]
    floor = min(path[1], SHORTEST_PATH)
    kept = [(name, a) for (name, a), last in zip(members, reach, strict=True) if last >= floor]
    left = tuple(name for (name, _), last in zip(members, reach, strict=True) if last < floor)
    if len(kept) < 2:
        note = f"{len(kept)} of {len(members)} stories reach {floor} sessions after the event; a path needs two"
        return StoryPath(pd.DataFrame(), tuple(name for name, _ in kept), left, note)
    last = min(r for r in reach if r >= floor)
    windows = EventWindows(-(gap_sessions + estimation_sessions), -(gap_sessions + 1), first, last)
    design = lay_out_stories([a for _, a in kept], first=windows.estimation_first, last=last)
    at = np.full(len(kept), -windows.estimation_first)
    estimates = estimate_events(design, np.arange(len(kept)), at, windows=windows)
    used = np.flatnonzero(estimates.is_used)
    left += tuple(kept[i][0] for i in np.flatnonzero(~estimates.is_used))
    names = tuple(kept[i][0] for i in used)
    if used.size < 2:
        return StoryPath(pd.DataFrame(), names, left, "fewer than two stories have every session of the path")
    chosen = estimates.select(used)
    days = tabulate_days(chosen, gather_day_sums(design, chosen), None)
    half = float(stdtrit(days.n - 1, 0.975)) * np.abs(days.caar / days.columns["caar_t"])
    columns = {name: days.columns[name] for name in ("aar_t", "caar_t", "caar_bmp")}
    table = pd.DataFrame(
        {
            "rel_session": days.rel_session, "n": days.n, "aar": days.aar, "caar": days.caar, **columns,
            "ci95_low": days.caar - half, "ci95_high": days.caar + half,
        }
    )  # fmt: skip
    return StoryPath(table, names, left)


def lay_out_stories(members: Sequence[AbnormalReturns], *, first: int, last: int) -> BatchDesign:
    """Responses and regressors of several studies on one axis of rel_sessions, NaN where one has none.

    Sessions of the estimation range that a study left out stay left out.
    """
    width, names = last - first + 1, list(members[0].design.regressors.columns)
    response = np.full((len(members), width), np.nan)
    regressors = {name: np.full((len(members), width), np.nan) for name in names if name != "intercept"}
    for row, study in enumerate(members):
        sessions = pd.DatetimeIndex(study.design.response.index)
        origin = place_of(sessions, study.event_session)
        start, stop = max(origin + first, 0), min(origin + last + 1, len(sessions))
        place = slice(start - origin - first, stop - origin - first)
        is_kept = (sessions[start:stop] > study.fit.sessions[-1]) | sessions[start:stop].isin(study.fit.sessions)
        response[row, place] = np.where(is_kept, study.design.response.to_numpy(dtype=float)[start:stop], np.nan)
        for name, values in regressors.items():
            values[row, place] = study.design.regressors[name].to_numpy(dtype=float)[start:stop]
    nothing = np.zeros((1, width))
    model = members[0].design.model
    return BatchDesign(response, tuple(regressors.values()), "intercept" in names, model, nothing)
