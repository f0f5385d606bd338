"""How often a move of each size would have been found, by the rule that decides."""

from __future__ import annotations

import numpy as np
import pandas as pd

from event_impact.inference.deciding_rule import chance_to_find
from event_impact.inference.windows import WindowEstimate
from event_impact.page.canvas import Canvas, Drawing, choose_ticks
from event_impact.page.finding import two_digits
from event_impact.page.format import format_number

HEIGHT, LEFT, BOTTOM, TOP = 250, 44, 40, 14
N_POINTS = 120
SHARES = (0.5, 0.8, 1.0)


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
    largest = max(finite, default=0.01)
    effects = np.linspace(0, largest, N_POINTS)
    curves = {label: chance_to_find(values, effects) for label, values in needed.items()}
    numbers = pd.DataFrame(
        [{"curve": label, "effect": e, "share_found": s} for label, c in curves.items() for e, s in zip(effects, c, strict=True)],
        columns=["curve", "effect", "share_found"],
    )  # fmt: skip
    said = "; ".join(f"{k}: four times in five from {two_digits(100 * (rows[k].mde80_rule or 0))} %" for k in curves)

    def draw(width: float) -> Canvas:
        return _draw(width, effects, curves)

    return Drawing(
        "power_curve",
        "How often a move of each size would have been found",
        "by the rule that decides, on that day",
        f"Curves of the chance to find a true move against its size. {said or 'None can be drawn.'}.",
        numbers,
        draw,
    )


def _draw(width: float, effects: np.ndarray, curves: dict[str, np.ndarray]) -> Canvas:
    canvas = Canvas(width, HEIGHT)
    right, base = width - 12, HEIGHT - BOTTOM

    def at(effect: float, share: float) -> tuple[float, float]:
        return LEFT + effect / float(effects[-1]) * (right - LEFT), base - share * (base - TOP)

    for share in SHARES:
        y = at(0, share)[1]
        canvas.line(LEFT, y, right, y, "faint", dash="3 3" if share != 0.8 else "")
        canvas.text(LEFT - 6, y + 4, f"{share:.0%}".replace("%", "\u00a0%"), paint="soft", size=12, anchor="end")
    canvas.line(LEFT, base, right, base, "ink")
    for tick in choose_ticks(0, 100 * float(effects[-1]), most=7 if width > 400 else 5):
        x = at(tick / 100, 0)[0]
        canvas.line(x, base, x, base + 5, "ink")
        canvas.text(
            x,
            base + 18,
            format_number(tick, digits=0 if tick == round(tick) else 1, sign=False),
            size=12,
            anchor="middle",
        )
    canvas.text(right, base + 34, "size of a true move, %", paint="soft", size=12, anchor="end")
    for number, (label, shares) in enumerate(curves.items()):
        paint = ("ink", "denial", "report")[number % 3]
        canvas.path([at(float(e), float(s)) for e, s in zip(effects, shares, strict=True)], paint, width=2, title=label)
        place = int(np.searchsorted(shares, 0.35 + 0.2 * number))
        x, y = at(float(effects[min(place, len(effects) - 1)]), float(shares[min(place, len(shares) - 1)]))
        canvas.text(
            min(x + 10, right - 6 * len(label)),
            y + 4,
            label,
            paint="ink" if paint == "ink" else f"{paint}-text",
            has_halo=True,
        )
    return canvas
