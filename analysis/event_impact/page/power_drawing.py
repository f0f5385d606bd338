"""How often a move of each size would have been found by the rule that decides, and how small it can be shown to be."""

from __future__ import annotations

import numpy as np
import pandas as pd

from event_impact.inference.deciding_rule import chance_to_find
from event_impact.inference.power_study import PowerStudy
from event_impact.inference.windows import WindowEstimate
from event_impact.page.canvas import Canvas, Drawing, label_ticks
from event_impact.page.chart import Chart
from event_impact.page.finding import two_digits
from event_impact.page.format import RETURN_LABELS, format_p, format_size

HEIGHT = 250.0
N_POINTS = 120
PAINTS = ("ink", "denial", "report")
Curve = tuple[np.ndarray, np.ndarray]


def draw_power(rows: dict[str, WindowEstimate], *, level: float) -> Drawing:
    """Curves of the chance that a true move is found, one a label; no estimate enters them.

    Parameters
    ----------
    rows : dict of str to WindowEstimate
        Rows with the deciding rule of one session; others are left out.
    """
    needed = {
        label: (row.candidates.needed_effects(level) if row.candidates else row.rule.needed_effects(level).ravel())
        for label, row in rows.items()
        if row.mde80_rule is not None and row.rule is not None
    }
    finite = [float(v) for values in needed.values() for v in values[np.isfinite(values)]]
    effects = np.linspace(0, max(finite, default=0.01), N_POINTS)
    curves = {label: (effects, chance_to_find(values, effects)) for label, values in needed.items()}
    numbers = pd.DataFrame(
        [{"curve": label, "effect": e, "share_found": s} for label, c in curves.items() for e, s in zip(*c, strict=True)],
        columns=["curve", "effect", "share_found"],
    )  # fmt: skip
    said = "; ".join(f"{k}: four times in five from {two_digits(100 * (rows[k].mde80_rule or 0))} %" for k in curves)
    shares = {0.5: "50\u00a0%", 0.8: "80\u00a0%", 1.0: "100\u00a0%"}
    return Drawing(
        "power_curve",
        "How often a move of each size would have been found",
        "by the rule that decides, on that day",
        f"Curves of the chance to find a true move against its size. {said or 'None can be drawn'}.",
        numbers,
        lambda width: _draw_curves(width, curves, shares, "size of a true move"),
        caption=f"{said}. That day\u2019s own errors and thresholds make the curve; the estimate does not enter it."
        if said
        else "No window of one session has a rule to draw.",
    )


def draw_equivalence(power: PowerStudy) -> Drawing:
    """p of "the effect lies inside the bound" at every bound, for the declared rows."""
    curves: dict[str, Curve] = {}
    said = []
    for kind, curve in power.curves.groupby("return_kind", sort=False):
        label = RETURN_LABELS[str(kind)]
        curves[label] = (curve["bound"].to_numpy(), curve["p_equivalence"].to_numpy())
        row = power.windows[(power.windows["return_kind"] == kind) & power.windows["is_primary"]].iloc[0]
        said.append(
            f"{label}: p {format_p(row['p_equivalence'])} at {format_size(power.bound)}, below 0.05 from "
            f"{format_size(row['smallest_bound'])}"
        )
    told = "; ".join(said) or "n/a: the model has no standard error"
    levels = {0.05: ".05", 0.5: ".5", 1.0: "1"}

    def draw(width: float) -> Canvas:
        return _draw_curves(width, curves, levels, "bound on the absolute effect", mark=power.bound)

    return Drawing(
        "equivalence",
        "How small can the effect be shown to be?",
        "p of lying inside the bound, at every bound",
        f"Curves of the equivalence p against the bound. {told}.",
        power.curves,
        draw,
        caption=f"{told}. Half the larger p* of the two ends of the bound; where a curve falls below .05 the data rule out a "
        "larger effect. The dotted line is the bound that was set; read the whole curve.",
    )


def _draw_curves(
    width: float, curves: dict[str, Curve], levels: dict[float, str], label: str, *, mark: float | None = None
) -> Canvas:  # fmt: skip
    largest = max((float(x[-1]) for x, _ in curves.values()), default=0.01)
    chart = Chart(width, HEIGHT, (0.0, largest), (0.0, 1.04))
    chart.draw_y(levels)
    chart.draw_x(label_ticks(0, largest, most=7 if width > 400 else 5), label)
    if mark is not None and mark < largest:
        chart.line((mark, mark), (0, 1), "rule", dash="2 3", title="bound that was set")
    for number, (name, (x, y)) in enumerate(curves.items()):
        paint = PAINTS[number % len(PAINTS)]
        chart.line(x, y, paint, title=name)
        place = int(np.abs(y - 0.35 - 0.2 * number).argmin())
        chart.label(x[place], y[place], name, paint="ink" if paint == "ink" else f"{paint}-text", lift=4)
    return chart.canvas
