"""Volume and range around the event: how busy and how wide the sessions were, without direction."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from event_impact.page.canvas import Canvas, Drawing
from event_impact.page.chart import Chart, draw_session_axis
from event_impact.page.format import format_plain, signed_whole

MEASURES = {"log_volume": ("volume", "ink"), "log_range": ("high-low range", "denial")}
RATIOS = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16)
HEIGHT, PANE = 330.0, 140.0


def draw_volume_and_range(surprise: pd.DataFrame, *, ticker: str, hull: tuple[int, int]) -> Drawing:
    """Volume and high-low range as multiples of their ordinary level, with the band of ordinary sessions.

    Parameters
    ----------
    surprise : pandas.DataFrame
        One row a session: rel_session and, for ``log_volume`` and ``log_range``, the value and its
        ``_low``, ``_mid`` and ``_high`` (5 %, median, 95 % of the estimation window), natural logarithms;
        see :func:`event_impact.inference.activity_bands.band_activity`.
    """

    def draw(width: float) -> Canvas:
        canvas = Canvas(width, HEIGHT)
        for number, name in enumerate(MEASURES):
            _draw_measure(canvas, surprise, name, hull, top=22 + number * PANE)
        return canvas

    return Drawing(
        "volume_and_range",
        f"How busy and how wide the sessions of {ticker} were",
        "times the median of the estimation window",
        " ".join(_describe(surprise, name) for name in MEASURES),
        surprise,
        draw,
        caption="Each step of the scale doubles; in the grey band lie the middle nine tenths of the estimation sessions. Neither "
        "measure has a direction: a busy or wide session shows attention, whatever its reason.",
    )


def _ratios(surprise: pd.DataFrame, name: str, suffix: str = "") -> NDArray[np.float64]:
    """A measure over its median, as it is drawn."""
    middle = surprise[f"{name}_mid"].to_numpy(dtype=float)
    return np.asarray(np.exp(surprise[name + suffix].to_numpy(dtype=float) - middle))


def _draw_measure(canvas: Canvas, surprise: pd.DataFrame, name: str, hull: tuple[int, int], *, top: float) -> None:
    label, paint = MEASURES[name]
    x = surprise["rel_session"]
    low, values, high = (np.log(_ratios(surprise, name, suffix)) for suffix in ("_low", "", "_high"))
    is_empty = not np.isfinite(values).any()
    drawn = [v for v in (*low, *values, *high) if np.isfinite(v)] if not is_empty else [0.0]
    scale = (float(x.min()) - 0.7, float(x.max()) + 0.7), (min(drawn) - 0.1, max(drawn) + 0.1)
    chart = Chart(canvas.width, top + PANE - 26 + 44, *scale, top=top, canvas=canvas)
    chart.strip(hull[0] - 0.5, hull[1] + 0.5, "candidate sessions")
    canvas.text(chart.left, top - 6, label, paint=paint, size=12, is_bold=True)
    if is_empty:
        canvas.text(chart.left + 8, top + 50, f"n/a: no {label} is recorded", paint="soft")
    else:
        chart.band(x, low, high, "band", title="middle nine tenths")
        chart.draw_y({math.log(r): f"{r:g}" for r in RATIOS if chart.y[0] <= math.log(r) <= chart.y[1]})
        chart.line(x, values, paint, width=1.2)
        for session, value in zip(x, values, strict=True):
            said = f"{signed_whole(session)}: {format_plain(math.exp(value))} times" if np.isfinite(value) else ""
            chart.mark("dot" if session else "diamond", session, value, paint if session else "report", title=said)
    if name == list(MEASURES)[-1]:
        draw_session_axis(chart)


def _describe(surprise: pd.DataFrame, name: str) -> str:
    label = MEASURES[name][0].capitalize()
    values = pd.Series(_ratios(surprise, name), index=surprise["rel_session"]).dropna()
    if not len(values):
        return f"{label}: none is recorded."
    low, high = (float(_ratios(surprise, name, suffix)[0]) for suffix in ("_low", "_high"))
    near = ", ".join(f"{signed_whole(k)}: {format_plain(values[k])}" for k in range(-2, 3) if k in values.index)
    top = int(values.index[int(values.argmax())])
    return (
        f"{label} over its median, session by session near the event: {near}; the band runs from "
        f"{format_plain(low)} to {format_plain(high)}, and the largest value is "
        f"{format_plain(values[top])} on session {signed_whole(top)}."
    )
