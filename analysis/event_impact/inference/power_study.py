"""What the data could have shown, for every window: detectable effects, equivalence, the significance filter."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from event_impact.inference.parametric import detectable_effect, provable_bound, significance_filter
from event_impact.inference.windows import WindowEstimate

#: True effects at which the filter of significance is shown: chosen before any estimate, round.
TRUE_EFFECTS = (0.01, 0.02, 0.03, 0.05)
CURVE_POINTS = 121


@dataclass(frozen=True)
class PowerStudy:
    """What a study could have found and ruled out.

    Attributes
    ----------
    windows : pandas.DataFrame
        One row a window: return_kind, first, last, mde50_rule, mde80_rule, mde90_rule (of the deciding rule),
        smallest_bound, p_equivalence, and by normal theory standard_error, df, mde50, mde80, mde90, provable_bound;
        with a note where there is no number.
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
    declared = [r for r in rows if r.is_primary and r.candidates is not None]
    # points that miss the known ends: there the rule ties, and rounding would decide
    known = [bound, *(r.smallest_bound for r in declared if r.smallest_bound is not None)]
    bounds, columns = np.linspace(0.0, 1.26 * max(known), CURVE_POINTS)[1:], ["return_kind", "bound", "p_equivalence"]
    traced = ((r.return_kind, bounds, r.candidates.rule_out(bounds)) for r in declared if r.candidates is not None)
    parts = [pd.DataFrame(dict(zip(columns, curve, strict=True))) for curve in traced]
    tested = [
        (r.return_kind, r.standard_error, r.df) for r in declared if r.standard_error is not None and r.df is not None
    ]
    curves = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    found = [
        {"return_kind": kind, "effect": effect, **significance_filter(effect, error, df=df, level=significance)}
        for (kind, error, df), effect in product(tested, TRUE_EFFECTS)
    ]
    filtered = pd.DataFrame(found, columns=["return_kind", "effect", "power", "exaggeration", "sign_error"])
    return PowerStudy(pd.DataFrame([_profile(r, bound) for r in rows]), curves, filtered, bound, significance)


def _profile(row: WindowEstimate, bound: float) -> dict[str, object]:
    head = {"return_kind": row.return_kind, "first": row.first, "last": row.last, "is_primary": row.is_primary}
    if row.candidates is None:
        return head | {"note": row.note}
    found, p = row.mde_rule or (None, None, None), float(row.candidates.rule_out(np.array([bound]))[0])
    head |= {f"mde{share}_rule": value for share, value in zip((50, 80, 90), found, strict=True)}
    head |= {"smallest_bound": row.smallest_bound, "p_equivalence": p, "note": row.note}
    error, df = row.standard_error, row.df
    if error is None or df is None:
        return head
    by_t = {f"mde{share}": detectable_effect(error, df=df, power=share / 100) for share in (50, 80, 90)}
    return head | {"standard_error": error, "df": df, **by_t, "provable_bound": provable_bound(error, df=df)}
