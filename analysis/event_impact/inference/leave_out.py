"""What one session of the estimation window, or one peer, contributes to the estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from event_impact.estimation.models import Design
from event_impact.estimation.rolling import fit_windows
from event_impact.inference.block_conformal import conformal_p_values
from event_impact.inference.robustness import locate_estimation


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
    design: Design, event_session: pd.Timestamp, labels: pd.Series, *, length: int, gap: int, left_out: pd.DatetimeIndex
) -> tuple[LeftOutDay, ...]:
    """Estimate the event again without each labelled session of the estimation window, one at a time.

    Parameters
    ----------
    labels : pandas.Series
        Index session, text; sessions outside the estimation window are passed over.
    left_out : pandas.DatetimeIndex
        Sessions that the headline leaves out already.

    Returns
    -------
    tuple of LeftOutDay
        One a labelled session of the estimation window, in the order of ``labels``.

    Raises
    ------
    EstimationError
        If the event cannot be estimated at all.
    """
    estimation, event = locate_estimation(design, event_session, length=length, gap=gap, left_out=left_out)
    sessions = design.sessions
    rows = [int(np.flatnonzero(estimation == p)[0]) for p in sessions.get_indexer(labels.index) if p in set(estimation)]
    if not rows:
        return ()
    whole = fit_windows(*design.arrays, estimation=estimation, window=np.array([event]))
    parts = fit_windows(
        *design.arrays,
        estimation=np.stack([np.delete(estimation, row) for row in rows]),
        window=np.full((len(rows), 1), event),
        between=np.empty((len(rows), 0), dtype=int),
    )
    p_values = conformal_p_values(parts)
    return tuple(
        LeftOutDay(
            session=sessions[estimation[row]],
            label=str(labels.loc[sessions[estimation[row]]]),
            estimate=float(parts.abnormal_returns[i, 0]),
            standard_error=float(parts.forecast_std[i, 0]),
            change=float(parts.abnormal_returns[i, 0] - whole.abnormal_returns[0, 0]),
            p_conformal=float(p_values[i]),
        )
        for i, row in enumerate(rows)
    )
