"""What the data could have shown, for every window: detectable effects, equivalence, the significance filter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from event_impact.inference.power import (
    detectable_effect,
    equivalence_curve,
    equivalence_p_value,
    provable_bound,
    significance_filter,
)
from event_impact.inference.windows import WindowEstimate

TRUE_EFFECTS = (0.01, 0.02, 0.03, 0.05)
"""True effects at which the filter of significance is shown: chosen before any estimate, round."""
CURVE_POINTS = 121


@dataclass(frozen=True)
class PowerStudy:
    """What a study could have found, from its standard errors alone.

    Attributes
    ----------
    windows : pandas.DataFrame
        One row a window: return_kind, first, last, standard_error, df, mde50, mde80, mde90, provable_bound,
        smallest_bound, p_equivalence; empty with a note where there is no standard error.
    curves : pandas.DataFrame
        The declared rows: return_kind, bound, p_equivalence.
    filter : pandas.DataFrame
        The declared rows: return_kind, effect, power, exaggeration, sign_error.
    bound, significance : float
        Of the study.
    """

    windows: pd.DataFrame
    curves: pd.DataFrame
    filter: pd.DataFrame
    bound: float
    significance: float


def study_power(rows: list[WindowEstimate], *, bound: float, significance: float) -> PowerStudy:
    """Power, equivalence and the filter of significance of a study's rows.

    The table of windows and the filter are ex ante. The curve is the equivalence p at every bound, so that no
    conclusion hangs on the bound that was chosen.
    """
    declared = [r for r in rows if r.is_primary and r.standard_error is not None]
    widest = max((r.smallest_bound or 0.0 for r in declared), default=0.0)
    bounds = np.linspace(0.0, 1.25 * max(widest, bound), CURVE_POINTS)[1:]
    return PowerStudy(
        windows=pd.DataFrame([_profile(r, bound) for r in rows]),
        curves=pd.concat([_trace(r, bounds) for r in declared], ignore_index=True) if declared else _no_curves(),
        filter=pd.DataFrame(
            [_filter(r, effect, significance) for r in declared for effect in TRUE_EFFECTS],
            columns=["return_kind", "effect", "power", "exaggeration", "sign_error"],
        ),
        bound=bound,
        significance=significance,
    )


def _profile(row: WindowEstimate, bound: float) -> dict[str, object]:
    head = {"return_kind": row.return_kind, "first": row.first, "last": row.last, "is_primary": row.is_primary}
    error, df = row.standard_error, row.df
    if row.estimate is None or error is None or df is None:
        return head | {"note": row.note}
    return head | {
        "standard_error": error,
        "df": df,
        **{f"mde{share:.0f}": detectable_effect(error, df=df, power=share / 100) for share in (50, 80, 90)},
        "provable_bound": provable_bound(error, df=df),
        "smallest_bound": row.smallest_bound,
        "p_equivalence": equivalence_p_value(row.estimate, error, df=df, bound=bound),
        "note": row.note,
    }


def _trace(row: WindowEstimate, bounds: np.ndarray) -> pd.DataFrame:
    assert row.estimate is not None
    assert row.standard_error is not None
    assert row.df is not None
    p_values = equivalence_curve(row.estimate, row.standard_error, df=row.df, bounds=bounds)
    return pd.DataFrame({"return_kind": row.return_kind, "bound": bounds, "p_equivalence": p_values})


def _no_curves() -> pd.DataFrame:
    return pd.DataFrame({"return_kind": [], "bound": [], "p_equivalence": []})


def _filter(row: WindowEstimate, effect: float, level: float) -> dict[str, object]:
    assert row.standard_error is not None
    assert row.df is not None
    found = significance_filter(effect, row.standard_error, df=row.df, level=level)
    return {"return_kind": row.return_kind, "effect": effect, **vars(found)}
