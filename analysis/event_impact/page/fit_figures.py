"""Figures of what the event is compared with: the estimation window, its residuals, placebo dates, and bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.models import MODEL_LABELS
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.power import detectable_effect
from event_impact.inference.power_study import PowerStudy
from event_impact.page import figure_style as style
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.figure_style import BLACK, BLUE, MID_GREY, VERMILLION, key
from event_impact.page.format import (
    MINUS,
    RETURN_LABELS,
    format_count,
    format_number,
    format_p,
    format_percent,
    format_plain,
    format_session,
    format_size,
    p_equals,
)

MOST_BINS = 45
CURVE_STYLES = {"close_to_close": (BLACK, "-"), "close_to_open": (BLUE, "--")}


@style.in_house_style
def draw_estimation_scatter(abnormal: AbnormalReturns) -> FigureExhibit:
    """Firm against benchmark over the estimation window with the fitted line and the event session.

    Models with another number of regressors than one have no such picture; for them the residuals
    are drawn instead, with the reason in the caption.
    """
    fit, model = abnormal.fit, MODEL_LABELS[abnormal.design.model]
    slopes = [name for name in fit.coefficients.index if name != "intercept"]
    if len(slopes) != 1 or len(fit.coefficients) != 2:
        found = _draw_residuals(abnormal, name="estimation_scatter")
        kind = model.removesuffix(" model")
        why = f" The {kind} model has no single slope, so its residuals are shown in place of a scatter."
        return FigureExhibit(found.name, found.figure, found.caption + why, found.description, found.numbers)
    slope = slopes[0]
    numbers = _scatter_frame(abnormal, slope)
    figure, axes = style.new_axes(4.4)
    _draw_scatter(axes, numbers, abnormal)
    benchmark, x_label, y_label = (
        ("the market", "market return over the riskless rate", "firm return over the riskless rate")
        if slope == "mkt_rf"
        else (abnormal.design.benchmark, f"benchmark return, {abnormal.design.benchmark}", "firm return")
    )
    style.use_percent(axes.xaxis, x_label)
    style.use_percent(axes.yaxis, y_label)
    event, far = numbers.iloc[-1], numbers[numbers["is_labelled"]].iloc[0]
    error = f"standard error {format_plain(fit.coefficient_errors[slope])}" if fit.has_error else "no standard error"
    caption = (
        f"Firm and {benchmark} on the {fit.n_estimation} sessions that fit the "
        f"{model} (circles), {format_session(fit.sessions[0])} to "
        f"{format_session(fit.sessions[-1])}, {RETURN_LABELS[abnormal.return_kind]}. The line is the fitted normal "
        "return; the diamond is the event session, which did not help to fit it, and its abnormal return is its "
        "distance from the line, straight up or down. The session with a date pulls at the line hardest (leverage "
        f"{far['leverage']:.2f}; all leverages sum to {len(fit.coefficients)})."
    )
    description = (
        f"Scatter of {fit.n_estimation} sessions with a fitted line: intercept "
        f"{format_percent(fit.coefficients['intercept'], digits=3)}, slope "
        f"{format_number(fit.coefficients[slope])} ({error}), R squared "
        f"{fit.r_squared:.2f}. On the event session the benchmark returned {format_percent(event['x'])} and the "
        f"firm {format_percent(event['y'])}, against {format_percent(event['fitted'])} on the line. The session of "
        f"highest leverage is {far['session'].date()} with {format_percent(far['x'])} and "
        f"{format_percent(far['y'])}."
    )
    return FigureExhibit("estimation_scatter", figure, caption, description, numbers)


def _scatter_frame(abnormal: AbnormalReturns, slope: str) -> pd.DataFrame:
    """One row a mark: the estimation sessions, then the event session."""
    design, fit = abnormal.design, abnormal.fit
    sessions = fit.sessions.append(pd.DatetimeIndex([abnormal.event_session]))
    n = fit.n_estimation
    leverages = fit.leverages
    y = design.response.loc[sessions].to_numpy(dtype=float)
    gap = np.append(fit.residuals, abnormal.table["ar"].loc[0])
    return pd.DataFrame(
        {
            "session": sessions,
            "part": ["estimation"] * n + ["event"],
            "x": design.regressors.loc[sessions, slope].to_numpy(dtype=float),
            "y": y,
            "fitted": y - gap,
            "leverage": np.append(leverages, np.nan),
            "is_labelled": np.arange(n + 1) == int(leverages.argmax()),
        }
    )


def _draw_scatter(axes: Axes, numbers: pd.DataFrame, abnormal: AbnormalReturns) -> None:
    cloud = numbers[numbers["part"] == "estimation"]
    event = numbers.iloc[-1]
    axes.axhline(0, color="#cccccc", linewidth=0.7)
    axes.axvline(0, color="#cccccc", linewidth=0.7)
    axes.plot(cloud["x"], cloud["y"], "o", color=MID_GREY, markerfacecolor="none", markersize=4.5, markeredgewidth=0.8,
              label=f"{len(cloud)} estimation sessions")  # fmt: skip
    ordered = numbers.sort_values("x")
    axes.plot(ordered["x"].iloc[[0, -1]], ordered["fitted"].iloc[[0, -1]], color=BLUE, label="fitted line")
    axes.plot([event["x"]] * 2, [event["fitted"], event["y"]], color=VERMILLION, linestyle=":")
    axes.plot(event["x"], event["y"], "D", color=VERMILLION, markersize=9, markeredgecolor="white",
              label=f"event session {abnormal.event_session.date()}")  # fmt: skip
    far = numbers[numbers["is_labelled"]].iloc[0]
    is_right = far["x"] > (cloud["x"].min() + cloud["x"].max()) / 2
    axes.annotate(str(far["session"].date()), (far["x"], far["y"]), xytext=(-7 if is_right else 7, 7),
                  textcoords="offset points", ha="right" if is_right else "left")  # fmt: skip
    axes.margins(0.07)
    style.legend_above(axes)


@style.in_house_style
def draw_residual_ranks(abnormal: AbnormalReturns) -> FigureExhibit:
    """Residuals of the estimation window with the event session's abnormal return among them."""
    return _draw_residuals(abnormal, name="residual_ranks")


def _draw_residuals(abnormal: AbnormalReturns, *, name: str) -> FigureExhibit:
    fit, total = abnormal.fit, abnormal.sum_window(0, 0)
    numbers = pd.DataFrame({"session": fit.sessions, "part": "estimation", "ar": fit.residuals})
    figure, axes = style.new_axes(3.8)
    _draw_histogram(axes, fit.residuals)
    handles, text, lines = [_histogram_key(f"{fit.n_estimation} residuals")], f"n/a: {total.note}", ""
    if total.estimate is not None:
        event: Any = [abnormal.event_session, "event", total.estimate]
        numbers.loc[len(numbers)] = event
        text = format_percent(total.estimate)
        handles.append(_mark_event(axes, total.estimate, f"event session {text}"))
        if total.standard_error is None:
            text += f"; there is no minimum detectable effect: {total.note}"
        else:
            size = format_size(mde := detectable_effect(total.standard_error, df=fit.df))
            for side in (-mde, mde):
                axes.axvline(side, color=BLUE, linestyle="--", linewidth=1.4)
            handles.append(key(f"±MDE, {size}", BLUE, linestyle="--", linewidth=1.4))
            text += f"; the minimum detectable effect is {size}"
            lines = " Dashed lines: minus and plus the minimum detectable effect (80\u00a0% power, 5\u00a0% level)."
    style.use_percent(axes.xaxis, "abnormal return or residual of one session")
    axes.set_ylabel("sessions")
    style.legend_above(axes, handles)
    caption = (
        f"Residuals of the {fit.n_estimation} estimation sessions ({RETURN_LABELS[abnormal.return_kind]}, "
        f"{MODEL_LABELS[abnormal.design.model]}): how far ordinary sessions lay from the model. The diamond "
        "is the event session; the more residuals lie beyond it, the more ordinary it was. The rank tests count "
        f"them.{lines}"
    )
    description = (
        f"Histogram of {fit.n_estimation} residuals from {format_percent(fit.residuals.min())} to "
        f"{format_percent(fit.residuals.max())}, standard deviation {format_size(fit.residual_std)}. The event "
        f"session's abnormal return is {text}."
    )
    return FigureExhibit(name, figure, caption, description, numbers)


@style.in_house_style
def draw_placebo_rank(rank: PlaceboRank) -> FigureExhibit:
    """The same t statistic on dates without the event, and where the event's lies among them."""
    values, own, n = rank.statistics, rank.statistic, format_count(rank.count)
    figure, axes = style.new_axes(3.8)
    span, extent = "none of which exists", "is empty"
    if len(values):
        _draw_histogram(axes, values)
        span = f"{rank.sessions.min().date()} to {rank.sessions.max().date()}"
        extent = f"from {format_number(float(values.min()))} to {format_number(float(values.max()))}"
    handles = [
        _histogram_key(f"{n} placebo dates"),
        _mark_event(axes, own, f"event, t = {format_number(own)}"),
        axes.axvline(-own, color=BLUE, linestyle="--", linewidth=1.4, label="equally far on the other side"),
    ]
    axes.set_xlabel("t statistic of one session")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:+g}".replace("-", MINUS) if x else "0")
    axes.set_ylabel("placebo dates")
    style.legend_above(axes, handles)
    parts = ["placebo"] * len(values) + ["event"]
    numbers = pd.DataFrame({"session": [*rank.sessions, pd.NaT], "part": parts, "t": [*values, own]})
    said = f"n/a: {rank.test.note}" if rank.test.p_value is None else p_equals(rank.test.p_value)
    caption = (
        f"The whole procedure run on {n} sessions on which no event of this story fell, "
        f"{span}. Bars: t statistics of those dates; diamond: the event session. The share of dates at least as far "
        f"from zero, on either side, is what the placebo p-value measures ({said})."
    )
    description = (
        f"Histogram of {n} placebo t statistics {extent}; the event's is {format_number(own)}, placebo p: {said}."
    )
    return FigureExhibit("placebo", figure, caption, description, numbers)


@style.in_house_style
def draw_equivalence(power: PowerStudy) -> FigureExhibit:
    """p of "the effect lies inside the bound" at every bound, for the declared rows."""
    figure, axes = style.new_axes(3.4)
    said = []
    for kind, curve in power.curves.groupby("return_kind", sort=False):
        colour, dash = CURVE_STYLES[str(kind)]
        axes.plot(curve["bound"], curve["p_equivalence"], color=colour, linestyle=dash, label=RETURN_LABELS[str(kind)])
        row = power.windows[(power.windows["return_kind"] == kind) & power.windows["is_primary"]].iloc[0]
        said.append(
            f"{RETURN_LABELS[str(kind)].capitalize()}: p {format_p(row['p_equivalence'])} at {format_size(power.bound)}, below "
            f"0.05 from {format_size(row['smallest_bound'])}."
        )
    axes.axhline(0.05, color=MID_GREY, linewidth=0.9, linestyle=":")
    axes.axvline(
        power.bound, color=MID_GREY, linewidth=0.9, linestyle="-.", label=f"bound set, {format_size(power.bound)}"
    )
    axes.set_ylim(0, 1)
    axes.set_xlim(left=0)
    axes.set_ylabel("equivalence p")
    style.use_percent(axes.xaxis, "bound on the absolute effect")
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
    style.legend_above(axes, columns=3)
    if not said:
        said = ["n/a: the model has no standard error."]
    caption = (
        "How small can the effect be shown to be? At each bound, the p of the rule that the effect of the event session "
        "lies inside it (half the larger p* of its two ends). Where a curve falls below the dotted line (0.05) the data "
        "rule out a larger effect; read the whole curve rather than the one bound that was set."
    )
    description = "Curves of the equivalence p against the bound. " + " ".join(said)
    return FigureExhibit("equivalence", figure, caption, description, power.curves)


def _draw_histogram(axes: Axes, values: NDArray[np.float64]) -> None:
    """Outlined bars whose edges fall on zero, of one width, at most MOST_BINS of them."""
    edges = np.histogram_bin_edges(values, bins="fd")
    width = max(edges[1] - edges[0], (edges[-1] - edges[0]) / MOST_BINS)
    first, last = np.floor(values.min() / width), np.ceil(values.max() / width)
    grid = np.arange(first, last + 1.5) * width
    axes.hist(values, bins=grid, histtype="stepfilled", facecolor="#d9d9d9", edgecolor=MID_GREY, linewidth=0.9)
    axes.margins(y=0.12)


def _histogram_key(label: str) -> Line2D:
    return key(label, "#d9d9d9", "s", markersize=9, markeredgecolor=MID_GREY, linestyle="")


def _mark_event(axes: Axes, value: float, label: str) -> Line2D:
    axes.axvline(value, color=VERMILLION, linewidth=1.8)
    look: dict[str, Any] = {"color": VERMILLION, "markersize": 9, "markeredgecolor": "white", "clip_on": False}
    return axes.plot([value], [0.94], "D", label=label, transform=axes.get_xaxis_transform(), **look)[0]
