"""Figures of what the event is compared with: the sessions that fit the model, and placebo dates.

How often a move of each size would have been found by the rule that decides, and how small it can be shown to be.
"""

from functools import partial

import numpy as np
import pandas as pd

from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.models import MODEL_LABELS
from event_impact.inference.deciding_rule import chance_to_find
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.power_study import PowerStudy
from event_impact.inference.windows import WindowEstimate
from event_impact.page import format as form
from event_impact.page.canvas import Canvas, Chart, Drawing, choose_ticks, label_ticks, pad_range
from event_impact.page.day_drawing import draw_days, stack_dots
from event_impact.page.row_drawing import EffectRow

SCATTER_HEIGHT, PLACEBO_HEIGHT = 360.0, 300.0


def draw_estimation_scatter(abnormal: AbnormalReturns) -> Drawing:
    """Firm against benchmark over the estimation window with the fitted line and the event session.

    Models with another number of regressors than one have no such picture; for them the residuals
    are drawn instead, with the reason in the caption.
    """
    fit, model = abnormal.fit, MODEL_LABELS[abnormal.design.model]
    slopes = [name for name in fit.coefficients.index if name != "intercept"]
    if len(slopes) != 1 or len(fit.coefficients) != 2:
        return _draw_residuals(abnormal, model)
    slope, numbers = slopes[0], _scatter_frame(abnormal, slopes[0])
    over = ("the market", " over the riskless rate")
    benchmark, excess = over if slope == "mkt_rf" else (abnormal.design.benchmark, "")
    event, far = numbers.iloc[-1], numbers[numbers["is_labelled"]].iloc[0]
    error = f"standard error {form.format_plain(fit.coefficient_errors[slope])}"
    description = (
        f"Scatter of {fit.n_estimation} sessions with a fitted line: intercept "
        f"{form.format_percent(fit.coefficients['intercept'], digits=3)}, slope {form.format_number(fit.coefficients[slope])} "
        f"({error if fit.has_error else 'no standard error'}), R squared {fit.r_squared:.2f}. On the event session "
        f"{benchmark} returned {form.format_percent(event['x'])} and the firm {form.format_percent(event['y'])}, against "
        f"{form.format_percent(event['fitted'])} on the line. The session of highest leverage is {far['session'].date()} with "
        f"{form.format_percent(far['x'])} and {form.format_percent(far['y'])}."
    )
    title, ends = (
        f"The {fit.n_estimation} sessions that fit the {model}",
        map(form.format_session, fit.sessions[[0, -1]]),
    )
    under = f"{' to '.join(ends)}; firm{excess} against {benchmark}, %"
    caption = form.say("captions.estimation_scatter", leverage=far["leverage"], k=len(fit.coefficients))
    draw = partial(_draw_scatter, numbers=numbers, label=benchmark + excess)
    return Drawing("estimation_scatter", title, under, description, numbers, draw, caption=caption)


def _scatter_frame(abnormal: AbnormalReturns, slope: str) -> pd.DataFrame:
    """One row a mark: the estimation sessions, then the event session."""
    design, fit = abnormal.design, abnormal.fit
    sessions, leverages = fit.sessions.append(pd.DatetimeIndex([abnormal.event_session])), fit.leverages
    x, y = (held.loc[sessions].to_numpy(dtype=float) for held in (design.regressors[slope], design.response))
    frame = pd.DataFrame({"session": sessions, "part": "estimation", "x": x, "y": y})
    frame["fitted"] = y - np.append(fit.residuals, abnormal.table["ar"].loc[0])
    frame["leverage"] = np.append(leverages, np.nan)
    frame["is_labelled"] = frame.index == leverages.argmax()
    frame.loc[frame.index[-1], "part"] = "event"
    return frame


def _draw_scatter(width: float, numbers: pd.DataFrame, label: str) -> Canvas:
    chart = Chart(width, SCATTER_HEIGHT, pad_range(numbers["x"]), pad_range(numbers["y"]))
    chart.draw_y(label_ticks(*chart.y, most=7))
    chart.draw_x(label_ticks(*chart.x, most=8 if width > 400 else 5), f"return of {label}, %")
    chart.line((0, 0), chart.y, "rule", width=1)
    cloud, event, far = numbers.iloc[:-1], numbers.iloc[-1], numbers[numbers["is_labelled"]].iloc[0]
    chart.canvas.dots(chart.points(cloud["x"], cloud["y"]), 2.6, "dots")
    ends = numbers.sort_values("x").iloc[[0, -1]]
    chart.line(ends["x"], ends["fitted"], "denial", title="fitted line")
    chart.line((event["x"],) * 2, (event["fitted"], event["y"]), "report", dash="2 3")
    said = f"event session {event['session'].date()}"
    chart.mark("diamond", event["x"], event["y"], "report", size=7, title=said)
    chart.label(event["x"], event["y"], said, paint="report-text", lift=-11, is_bold=True)
    chart.label(far["x"], far["y"], str(far["session"].date()), paint="soft")
    return chart.canvas


def _draw_residuals(abnormal: AbnormalReturns, model: str) -> Drawing:
    fit, total = abnormal.fit, abnormal.sum_window(0, 0)
    effects = [EffectRow("event session", total.estimate, role="joint")] if total.estimate is not None else []
    said = form.format_percent(total.estimate) if total.estimate is not None else f"n/a: {total.note}"
    span = f"{form.format_percent(fit.residuals.min())} to {form.format_percent(fit.residuals.max())}"
    told = f"Residuals of {fit.n_estimation} sessions from {span}; the event session's abnormal return is {said}."
    title, axis = f"The event session among {fit.n_estimation} residuals", "residual of one session"
    why = f"The {model.removesuffix(' model')} model has no single slope, so its residuals stand in place of a scatter."
    text = {"title": title, "subtitle": "one dot each", "description": told, "caption": why}
    return draw_days(fit.residuals, effects, seen_from=None, axis_label=axis, name="estimation_scatter", **text)


def draw_placebo_rank(rank: PlaceboRank) -> Drawing:
    """The same t statistic on dates without the event, and where the event's lies among them."""
    values, own, n = rank.statistics, rank.statistic, form.format_count(rank.count)
    span = f"{rank.sessions.min().date()} to {rank.sessions.max().date()}" if len(values) else "none of which exists"
    parts = ["placebo"] * len(values) + ["event"]
    numbers = pd.DataFrame({"session": [*rank.sessions, pd.NaT], "part": parts, "t": [*values, own]})
    said = f"n/a: {rank.test.note}" if rank.test.p_value is None else form.p_equals(rank.test.p_value)

    def draw(width: float) -> Canvas:
        chart = Chart(width, PLACEBO_HEIGHT, pad_range([*values, own, -own]), (0, 1), left=8, right=8)
        for near, far in ((chart.x[0], -abs(own)), (abs(own), chart.x[1])):
            chart.strip(near, far, "at least as far out")
        if len(values):
            stack_dots(chart.canvas, chart.at_x, values, chart.base, chart.base - 40)
        ticks = {t: form.format_number(t, digits=0) for t in choose_ticks(*chart.x, most=9) if t == round(t)}
        chart.draw_x(ticks, "t statistic of one session")
        chart.line((own, own), (0, 0.93), "report", width=2)
        chart.label(own, 0.95, f"event, t = {form.format_number(own)}", paint="report-text", lift=0, is_bold=True)
        return chart.canvas

    title, under = f"The whole procedure on {n} dates without the event", f"{span}, one dot each"
    told = f"Stacked dots of {n} placebo t statistics; the event's is {form.format_number(own)}, placebo p: {said}."
    caption = "The share of dates in the shaded parts, at least as far from zero, is what the placebo p measures "
    return Drawing("placebo", title, under, told, numbers, draw, caption=f"{caption}({said}).")


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
    table = [(label, *point) for label, curve in curves.items() for point in zip(*curve, strict=True)]
    numbers = pd.DataFrame(table, columns=["curve", "effect", "share_found"])
    said = "; ".join(
        f"{k}: four times in five from {form.two_digits(100 * (rows[k].mde80_rule or 0))} %" for k in curves
    )
    shares = {0.5: "50\u00a0%", 0.8: "80\u00a0%", 1.0: "100\u00a0%"}
    draw = partial(_draw_curves, curves=curves, levels=shares, label="size of a true move")
    title, under = "How often a move of each size would have been found", "by the rule that decides, on that day"
    told = f"Curves of the chance to find a true move against its size. {said or 'None can be drawn'}."
    made = f"{said}. That day\u2019s own errors and thresholds make the curve; the estimate does not enter it."
    caption = made if said else "No window of one session has a rule to draw."
    return Drawing("power_curve", title, under, told, numbers, draw, caption=caption)


def draw_equivalence(power: PowerStudy) -> Drawing:
    """p of "the effect lies inside the bound" at every bound, for the declared rows."""
    curves: dict[str, Curve] = {}
    said = []
    for kind, curve in power.curves.groupby("return_kind", sort=False):
        label = form.RETURN_LABELS[str(kind)]
        curves[label] = (curve["bound"].to_numpy(), curve["p_equivalence"].to_numpy())
        row = power.windows[(power.windows["return_kind"] == kind) & power.windows["is_primary"]].iloc[0]
        bound, least = map(form.format_size, (power.bound, row["smallest_bound"]))
        said.append(f"{label}: p {form.format_p(row['p_equivalence'])} at {bound}, below 0.05 from {least}")
    told = "; ".join(said) or "n/a: the model has no standard error"
    axis, levels = "bound on the absolute effect", {0.05: ".05", 0.5: ".5", 1.0: "1"}
    draw = partial(_draw_curves, curves=curves, levels=levels, label=axis, mark=power.bound)
    title, under = "How small can the effect be shown to be?", "p of lying inside the bound, at every bound"
    caption, told = (
        form.say("captions.equivalence", told=told),
        f"Curves of the equivalence p against the bound. {told}.",
    )
    return Drawing("equivalence", title, under, told, power.curves, draw, caption=caption)


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
        paint, place = PAINTS[number % len(PAINTS)], int(np.abs(y - 0.35 - 0.2 * number).argmin())
        chart.line(x, y, paint, title=name)
        chart.label(x[place], y[place], name, paint=paint if paint == "ink" else f"{paint}-text", lift=4)
    return chart.canvas
