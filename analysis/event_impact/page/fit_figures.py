"""Figures of what the event is compared with: the estimation window, its residuals, the placebo dates."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.models import MODEL_LABELS, ModelFit
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.power import detectable_effect
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.figure_style import (
    BLUE,
    MID_GREY,
    VERMILLION,
    in_house_style,
    legend_above,
    new_figure,
    use_percent,
)
from event_impact.page.format import (
    MINUS,
    RETURN_LABELS,
    format_count,
    format_number,
    format_percent,
    format_session,
    p_equals,
)

REGRESSOR_LABELS = {"market_beta": "benchmark return", "mkt_rf": "market return over the riskless rate"}
MOST_BINS = 45


@in_house_style
def draw_estimation_scatter(abnormal: AbnormalReturns) -> FigureExhibit:
    """Firm against benchmark over the estimation window with the fitted line and the event session.

    Models with another number of regressors than one have no such picture; for them the residuals
    are drawn instead, with the reason in the caption.
    """
    slopes = [name for name in abnormal.fit.coefficients.index if name != "intercept"]
    if len(slopes) != 1 or "intercept" not in abnormal.fit.coefficients.index:
        exhibit = _draw_residuals(abnormal, name="estimation_scatter")
        why = (
            f" The {MODEL_LABELS[abnormal.design.model]} model has no single slope, so its residuals are shown in "
            "place of a scatter."
        ).replace("model model", "model")
        return FigureExhibit(exhibit.name, exhibit.figure, exhibit.caption + why, exhibit.description, exhibit.numbers)
    slope = slopes[0]
    numbers = _scatter_frame(abnormal, slope)
    figure = new_figure(height=4.4)
    axes = figure.add_subplot()
    _draw_scatter(axes, numbers, abnormal)
    benchmark = "the market" if slope == "mkt_rf" else abnormal.design.benchmark
    use_percent(axes.xaxis, REGRESSOR_LABELS.get(slope, slope) + ("" if slope == "mkt_rf" else f", {benchmark}"))
    use_percent(axes.yaxis, "firm return" + (" over the riskless rate" if slope == "mkt_rf" else ""))
    fit = abnormal.fit
    event = numbers[numbers["part"] == "event"].iloc[0]
    far = numbers[numbers["is_labelled"]].iloc[0]
    return FigureExhibit(
        name="estimation_scatter",
        figure=figure,
        caption=(
            f"Firm and {benchmark} on the {fit.n_estimation} sessions that fit the "
            f"{MODEL_LABELS[abnormal.design.model]} (circles), {format_session(fit.sessions[0])} to "
            f"{format_session(fit.sessions[-1])}, {RETURN_LABELS[abnormal.return_kind]}. The line is the fitted normal "
            "return; the diamond is the event session, which did not help to fit it, and its abnormal return is its "
            "distance from the line, straight up or down. The session with a date pulls at the line hardest (leverage "
            f"{far['leverage']:.2f}; all leverages sum to {len(fit.coefficients)})."
        ),
        description=(
            f"Scatter of {fit.n_estimation} sessions with a fitted line: intercept "
            f"{format_percent(fit.coefficients['intercept'], digits=3)}, slope "
            f"{format_number(fit.coefficients[slope])} ({_slope_error(fit, slope)}), R squared "
            f"{fit.r_squared:.2f}. On the event session the benchmark returned {format_percent(event['x'])} and the "
            f"firm {format_percent(event['y'])}, against {format_percent(event['fitted'])} on the line. The session of "
            f"highest leverage is {far['session'].date()} with {format_percent(far['x'])} and "
            f"{format_percent(far['y'])}."
        ),
        numbers=numbers,
    )


def _slope_error(fit: ModelFit, slope: str) -> str:
    if not fit.has_error:
        return "no standard error"
    return f"standard error {format_number(fit.coefficient_errors[slope], sign=False)}"


def _scatter_frame(abnormal: AbnormalReturns, slope: str) -> pd.DataFrame:
    """One row a mark: the estimation sessions, then the event session."""
    design, fit = abnormal.design, abnormal.fit
    sessions = fit.sessions.append(pd.DatetimeIndex([abnormal.event_session]))
    n = fit.n_estimation
    leverages = fit.leverages
    y = design.response.loc[sessions].to_numpy(dtype=float)
    gap = np.append(fit.residuals, abnormal.table.at[0, "ar"])
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
    event = numbers[numbers["part"] == "event"].iloc[0]
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
    legend_above(axes, columns=2)


@in_house_style
def draw_residual_ranks(abnormal: AbnormalReturns) -> FigureExhibit:
    """Residuals of the estimation window with the event session's abnormal return among them."""
    return _draw_residuals(abnormal, name="residual_ranks")


def _draw_residuals(abnormal: AbnormalReturns, *, name: str) -> FigureExhibit:
    fit = abnormal.fit
    total = abnormal.sum_window(0, 0)
    numbers = pd.DataFrame({"session": fit.sessions, "part": "estimation", "ar": fit.residuals})
    event = pd.DataFrame({"session": [abnormal.event_session], "part": "event", "ar": [total.estimate]})
    figure = new_figure(height=3.8)
    axes = figure.add_subplot()
    _draw_histogram(axes, fit.residuals)
    handles = []
    text = f"The event session's abnormal return is n/a: {total.note}."
    has_mde = total.standard_error is not None
    if total.estimate is not None and total.standard_error is None:
        numbers = pd.concat([numbers, event], ignore_index=True)
        handles = [_mark_event(axes, total.estimate, f"event session {format_percent(total.estimate)}")]
        text = (
            f"The event session's abnormal return is {format_percent(total.estimate)}; there is no minimum detectable "
            f"effect: {total.note}."
        )
    elif total.estimate is not None and total.standard_error is not None:
        numbers = pd.concat([numbers, event], ignore_index=True)
        mde = detectable_effect(total.standard_error, df=fit.df)
        handles = [
            _mark_event(axes, total.estimate, f"event session {format_percent(total.estimate)}"),
            _mark_pair(axes, mde, f"±MDE, {format_percent(mde, sign=False)}"),
        ]
        text = (
            f"The event session's abnormal return is {format_percent(total.estimate)}; the minimum detectable effect "
            f"is {format_percent(mde, sign=False)}."
        )
    use_percent(axes.xaxis, "abnormal return or residual of one session")
    axes.set_ylabel("sessions")
    legend_above(axes, [_histogram_handle(f"{fit.n_estimation} residuals"), *handles], columns=2)
    return FigureExhibit(
        name=name,
        figure=figure,
        caption=(
            f"Residuals of the {fit.n_estimation} estimation sessions ({RETURN_LABELS[abnormal.return_kind]}, "
            f"{MODEL_LABELS[abnormal.design.model]}): how far ordinary sessions lay from the model. The diamond "
            "is the event session; the more residuals lie beyond it, the more ordinary it was. The rank tests count "
            "them."
            + (
                " Dashed lines: minus and plus the minimum detectable effect (80 % power, 5 % level)."
                if has_mde
                else ""
            )
        )
        .replace("80 %", "80\u00a0%")
        .replace("5 % level", "5\u00a0% level"),
        description=(
            f"Histogram of {fit.n_estimation} residuals from {format_percent(fit.residuals.min())} to "
            f"{format_percent(fit.residuals.max())}, standard deviation "
            f"{format_percent(fit.residual_std, sign=False)}. {text}"
        ),
        numbers=numbers,
    )


@in_house_style
def draw_placebo(
    t_values: np.ndarray,
    event_t: float,
    *,
    sessions: pd.DatetimeIndex,
    p_value: float | None,
    n: int,
    reason: str = "",
) -> FigureExhibit:
    """The same t statistic on dates without the event, and where the event's lies among them.

    Parameters
    ----------
    t_values : numpy.ndarray
        (n,) prediction-error t of the placebo dates.
    event_t : float
        The event session's own.
    sessions : pandas.DatetimeIndex
        (n,) the placebo dates.
    p_value : float or None
        Of the placebo test, as computed; None where there are too few dates.
    n : int
        Number of placebo dates, as the test counts them.
    reason : str
        Why there is no p.
    """
    figure = new_figure(height=3.8)
    axes = figure.add_subplot()
    if n:
        _draw_histogram(axes, t_values)
    handles = [
        _histogram_handle(f"{format_count(n)} placebo dates"),
        _mark_event(axes, event_t, f"event, t = {format_number(event_t)}"),
        axes.axvline(-event_t, color=BLUE, linestyle="--", linewidth=1.4, label="equally far on the other side"),
    ]
    axes.set_xlabel("t statistic of one session")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:+g}".replace("-", MINUS) if x else "0")
    axes.set_ylabel("placebo dates")
    legend_above(axes, handles, columns=2)
    numbers = pd.DataFrame({"session": sessions, "part": "placebo", "t": t_values})
    event = pd.DataFrame({"session": [pd.NaT], "part": ["event"], "t": [event_t]})
    said = f"n/a: {reason}" if p_value is None else p_equals(p_value)
    span = f"{sessions.min().date()} to {sessions.max().date()}" if n else "none of which exists"
    extent = (
        f"from {format_number(float(t_values.min()))} to {format_number(float(t_values.max()))}" if n else "is empty"
    )
    return FigureExhibit(
        name="placebo",
        figure=figure,
        caption=(
            f"The whole procedure run on {format_count(n)} sessions on which no event of this story fell, "
            f"{span}. Bars: t statistics of those dates; diamond: the event session. The share of dates at least as far "
            f"from zero, on either side, is what the placebo p-value measures ({said})."
        ),
        description=(
            f"Histogram of {format_count(n)} placebo t statistics {extent}; the event's is {format_number(event_t)}, "
            f"placebo p: {said}."
        ),
        numbers=pd.concat([numbers, event], ignore_index=True),
    )


def _draw_histogram(axes: Axes, values: np.ndarray) -> None:
    """Outlined bars whose edges fall on zero, of one width, at most MOST_BINS of them."""
    edges = np.histogram_bin_edges(values, bins="fd")
    width = max(edges[1] - edges[0], (edges[-1] - edges[0]) / MOST_BINS)
    first, last = np.floor(values.min() / width), np.ceil(values.max() / width)
    grid = np.arange(first, last + 1.5) * width
    axes.hist(values, bins=grid, histtype="stepfilled", facecolor="#d9d9d9", edgecolor=MID_GREY, linewidth=0.9)
    axes.margins(y=0.12)


def _histogram_handle(label: str) -> Line2D:
    return Line2D(
        [], [], marker="s", markersize=9, color="#d9d9d9", markeredgecolor=MID_GREY, linestyle="", label=label
    )


def _mark_event(axes: Axes, value: float, label: str) -> Line2D:
    axes.axvline(value, color=VERMILLION, linewidth=1.8)
    return axes.plot([value], [0.94], "D", color=VERMILLION, markersize=9, markeredgecolor="white", label=label,
                     transform=axes.get_xaxis_transform(), clip_on=False)[0]  # fmt: skip


def _mark_pair(axes: Axes, value: float, label: str) -> Line2D:
    for sign in (-1, 1):
        line = axes.axvline(sign * value, color=BLUE, linestyle="--", linewidth=1.4, label=label)
    return line


def draw_placebo_rank(rank: PlaceboRank) -> FigureExhibit:
    """The placebo sessions of one window with the event among them."""
    return draw_placebo(
        rank.statistics,
        rank.statistic,
        sessions=rank.sessions,
        p_value=rank.test.p_value,
        n=rank.count,
        reason=rank.test.note,
    )
