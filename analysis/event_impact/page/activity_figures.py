"""Volume and range around the event: how busy and how wide the sessions were, without direction."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from event_impact.events.sessions import Alignment
from event_impact.market.returns import ReturnPanel
from event_impact.page import figure_style as style
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.figure_style import BLACK, BLUE, MID_GREY, VERMILLION, signed_whole
from event_impact.page.format import format_plain, format_session

MEASURES = {"log_volume": ("volume", BLACK, "o"), "log_range": ("high-low range", BLUE, "s")}
RATIOS = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16)


@style.in_house_style
def draw_volume_and_range(panel: ReturnPanel, alignment: Alignment, *, surprise: pd.DataFrame) -> FigureExhibit:
    """Volume and high-low range as multiples of their ordinary level, with the band of ordinary sessions.

    Parameters
    ----------
    surprise : pandas.DataFrame
        One row a session: rel_session and, for ``log_volume`` and ``log_range``, the value and its
        ``_low``, ``_mid`` and ``_high`` (5 %, median, 95 % of the estimation window), natural logarithms;
        see :func:`event_impact.inference.activity_bands.band_activity`.
    """
    figure = style.new_figure(4.6)
    panes = figure.subplots(2, 1, sharex=True)
    for axes, name in zip(panes, MEASURES, strict=True):
        _draw_measure(axes, surprise, name, alignment.hull)
    style.use_event_time(panes[1])
    handles = (
        *(style.key(label, colour, marker, linewidth=1) for label, colour, marker in MEASURES.values()),
        Patch(facecolor="#dcdcdc", edgecolor=MID_GREY, label="90 % of the estimation window"),
        style.key("session 0", VERMILLION, "D", linestyle=""),
    )
    style.legend_above(panes[0], handles)
    caption = (
        f"Volume and high-low range of {panel.ticker} as multiples of their median in the estimation window; each "
        "step of the scale doubles. In the grey band lie the middle nine tenths of the estimation sessions. Session "
        f"0 is {format_session(alignment.event_session)}; the blue strip reaches from the first to the last "
        "candidate session. Neither "
        "measure has a direction: a busy or wide session shows attention, whatever its reason."
    )
    description = " ".join(_describe(surprise, name) for name in MEASURES)
    return FigureExhibit("volume_and_range", figure, caption, description, surprise)


def _ratios(surprise: pd.DataFrame, name: str, suffix: str = "") -> NDArray[np.float64]:
    """A measure over its median, as it is drawn."""
    middle = surprise[f"{name}_mid"].to_numpy(dtype=float)
    return np.asarray(np.exp(surprise[name + suffix].to_numpy(dtype=float) - middle))


def _draw_measure(axes: Axes, surprise: pd.DataFrame, name: str, hull: tuple[int, int]) -> None:
    label, colour, marker = MEASURES[name]
    x = surprise["rel_session"].to_numpy()
    style.shade_hull(axes, hull)
    values = _ratios(surprise, name)
    axes.set_yscale("log")
    axes.set_ylabel(f"{label}\n(× median)")
    if not np.isfinite(values).any():
        style.write_missing(axes, f"no {label} is recorded")
        for locate in (axes.yaxis.set_major_locator, axes.yaxis.set_minor_locator):
            locate(NullLocator())
        return
    low, high = _ratios(surprise, name, "_low"), _ratios(surprise, name, "_high")
    axes.fill_between(x, low, high, facecolor="#dcdcdc", alpha=0.8, edgecolor=MID_GREY, linewidth=0.7, zorder=0.5)
    axes.axhline(1, color=MID_GREY, linewidth=0.9)
    axes.plot(x, values, color=colour, marker=marker, markersize=4.5, linewidth=1)
    axes.plot(x[x == 0], values[x == 0], "D", color=VERMILLION, markersize=8, markeredgecolor="white")
    drawn = np.concatenate([values, low, high])
    axes.set_ylim(np.nanmin(drawn) / 1.12, np.nanmax(drawn) * 1.12)
    axes.yaxis.set_major_locator(FixedLocator(RATIOS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}"))


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
