"""Figures of abnormal returns: three ways of measuring one session, the path, and the cumulated path.

Nothing is estimated here; intervals and bands come from the same functions as the tables.
"""

from __future__ import annotations

from itertools import product
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.models import MODEL_LABELS
from event_impact.inference.parametric import interval
from event_impact.inference.windows import WindowEstimate
from event_impact.page import figure_style as style
from event_impact.page.columns import Column, frame_rows
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.figure_style import BLACK, BLUE, MID_GREY, PALE_GREY, VERMILLION, signed_whole
from event_impact.page.format import RETURN_LABELS, format_interval, format_percent, format_session, format_size

LOOKS = {"close_to_close": (BLACK, "o"), "close_to_open": (BLUE, "s"), "open_to_close": (VERMILLION, "D")}
EDGES = {"band90": 0.90, "band95": 0.95}
BANDS = (("band95", "#ececec", ":", "95 % band"), ("band90", "#d9d9d9", "--", "90 % band"))
MAX_KEYED_NEWS = 14
"""Other news named in a caption; the CSV always holds all of it."""


@style.in_house_style
def draw_returns(rows: list[WindowEstimate], significance: float) -> FigureExhibit:
    """The three kinds of return of the event session side by side.

    Parameters
    ----------
    rows : list of WindowEstimate
        Of which the window 0:0 of every return kind is drawn.
    significance : float
        Level at which the study decides; for the caption.
    """
    sets = {row.return_kind for row in rows if row.is_set}
    chosen = [r for r in rows if r.is_set or ((r.first, r.last) == (0, 0) and r.return_kind not in sets)]
    figure, axes = style.new_axes(1.3 + 0.72 * len(chosen))
    labels = [RETURN_LABELS[row.return_kind] + ("\n(headline)" if i == 0 else "") for i, row in enumerate(chosen)]
    style.use_rows(axes, labels, "abnormal return of the event session")
    for place, row in enumerate(chosen):
        _draw_row(axes, -place, row)
    band: dict[str, Any] = {"facecolor": PALE_GREY, "edgecolor": MID_GREY, "hatch": "///"}
    handles = (
        style.key("90 % interval", linewidth=5, alpha=0.55),
        style.key("95 %", linewidth=1.4),
        Patch(**band, label="found less than 4 times in 5"),
    )
    style.legend_above(axes, handles, columns=3)
    spec = chosen[0].specification
    caption = (
        f"Abnormal return of the event session, measured three ways ({MODEL_LABELS[spec.model]}, benchmark "
        f"{spec.benchmark}). Mark: estimate; thick bar: 90 % interval; thin bar: 95 % interval. The hatched band "
        f"reaches from minus to plus the effect that the rule of the study, rank tests at the {100 * significance:g}\u00a0% "
        "level, finds four times in five on that day; the bars are the inversion of that rule."
    )
    description = "Dot-and-interval chart of three returns on one percent scale. " + " ".join(
        map(_describe_row, chosen)
    )
    return FigureExhibit("returns", figure, caption, description, frame_rows(chosen, NUMBERS))


NUMBERS = (
    Column("return_kind"),
    Column("estimate"),
    Column("ci90", kind="interval"),
    Column("ci95", kind="interval"),
    Column("mde80_rule"),
    Column("note", of=lambda row: row.as_record()["note"]),
)


def _draw_row(axes: Axes, y: float, row: WindowEstimate) -> None:
    colour, marker = LOOKS[row.return_kind]
    if row.estimate is None or row.ci90 is None or row.ci95 is None or row.mde80_rule is None:
        style.write_missing(axes, style.plain_label(row.note), (0, y))
        return
    axes.fill_betweenx(
        [y - 0.3, y + 0.3], -row.mde80_rule, row.mde80_rule, facecolor=PALE_GREY, edgecolor="#b5b5b5", hatch="///"
    )
    axes.plot(row.ci95, [y, y], color=colour, linestyle="-", linewidth=1.4, marker="|", markersize=9)
    axes.plot(row.ci90, [y, y], color=colour, linestyle="-", linewidth=5, alpha=0.55, solid_capstyle="butt")
    axes.plot(row.estimate, y, color=colour, marker=marker, markersize=8, markeredgecolor="white")
    said = format_percent(row.estimate)
    axes.text(row.estimate, y + 0.35, said, ha="center", va="bottom", color=colour, bbox={**style.WHITE, "pad": 1})


def _describe_row(row: WindowEstimate) -> str:
    label = RETURN_LABELS[row.return_kind].capitalize()
    if row.estimate is None or row.ci90 is None or row.ci95 is None or row.mde80_rule is None:
        return f"{label}: not available, {row.note}."
    return (
        f"{label}: {format_percent(row.estimate)}, 90 % interval {format_interval(row.ci90)}, 95 % interval "
        f"{format_interval(row.ci95)}, found four times in five from {format_size(row.mde80_rule, digits=1)}."
    )


@style.in_house_style
def draw_abnormal_path(abnormal: AbnormalReturns, *, hull: tuple[int, int] | None = None) -> FigureExhibit:
    """Abnormal returns session by session with the forecast bands of ordinary sessions.

    Parameters
    ----------
    hull : (int, int), optional
        First and last rel_session that report and first denial can have reached; shaded. Without it only
        session 0 is, and the caption says so.
    """
    numbers = _path_frame(abnormal)
    figure, axes = style.new_axes(4.0)
    style.shade_hull(axes, hull or (0, 0))
    _draw_bands(axes, numbers)
    axes.axhline(0, color=MID_GREY, linewidth=0.8)
    axes.vlines(numbers["rel_session"], 0, numbers["ar"], color=MID_GREY, linewidth=0.8)
    has_news = (numbers["key"] != "") & numbers["ar"].notna()
    for is_fitted, is_named in product((True, False), (False, True)):
        part = numbers[(numbers["is_estimation"] == is_fitted) & (has_news == is_named)]
        colour = VERMILLION if is_named else MID_GREY if is_fitted else BLACK
        fill = "white" if is_fitted else colour
        axes.plot(part["rel_session"], part["ar"], "D" if is_named else "o", color=colour, markerfacecolor=fill)
    for row in style.rows_of(numbers[has_news]):
        side = 1 if row.ar >= 0 else -1
        axes.annotate(row.key, (row.rel_session, row.ar), xytext=(0, 6 * side), textcoords="offset points", ha="center",
                      va="bottom" if side > 0 else "top", color=VERMILLION)  # fmt: skip
    axes.margins(y=0.12)
    style.use_event_time(axes)
    style.use_percent(axes.yaxis, "abnormal return")
    handles = [style.key("abnormal return", marker="o", linestyle="")]
    if has_news.any():
        handles.append(style.key("with other known news", VERMILLION, "D", linestyle=""))
    if numbers["is_estimation"].any():
        hollow = style.key("hollow: estimation residual", MID_GREY, "o", markerfacecolor="white", linestyle="")
        handles.append(hollow)
    style.legend_above(axes, [*handles, *_band_handles()])
    caption, description = _path_caption(abnormal, numbers, hull), _path_description(abnormal, numbers)
    return FigureExhibit("abnormal_path", figure, caption, description, numbers)


def _path_frame(abnormal: AbnormalReturns) -> pd.DataFrame:
    """The table of the path with the half widths of its bands and a letter for every session with other news."""
    table = abnormal.table.reset_index()
    for name, level in EDGES.items():
        table[name] = [interval(0.0, std, abnormal.fit.df, level)[1] for std in table["forecast_std"]]
    table["confounders"] = abnormal.confounders.to_numpy()
    letters = (a + b for a, b in product(("", *ascii_lowercase), ascii_lowercase))
    table["key"] = [next(letters) if news else "" for news in table["confounders"]]
    return table[
        [*abnormal.table.index.names, "session", "ar", "forecast_std", *EDGES, "is_estimation", "key", "confounders"]
    ]


def _draw_bands(axes: Axes, numbers: pd.DataFrame, x: str = "rel_session") -> None:
    """Two grey bands around zero; their edges differ in dash, so that they survive without colour."""
    places = numbers[x].to_numpy(dtype=float)
    if len(places) == 1:
        numbers, places = numbers.iloc[[0, 0]], places + np.array([-0.4, 0.4])
    for name, shade, dash, _ in BANDS:
        half = numbers[name].to_numpy(dtype=float)
        axes.fill_between(places, -half, half, facecolor=shade, alpha=0.75, edgecolor="none", zorder=0.5)
        for sign in (-1, 1):
            axes.plot(places, sign * half, color=MID_GREY, linewidth=0.9, linestyle=dash, zorder=0.6)


def _band_handles() -> list[Line2D]:
    return [style.key(label, MID_GREY, linewidth=0.9, linestyle=dash) for *_, dash, label in reversed(BANDS)]


def _path_caption(abnormal: AbnormalReturns, numbers: pd.DataFrame, hull: tuple[int, int] | None) -> str:
    text = (
        f"Abnormal {RETURN_LABELS[abnormal.return_kind]} returns session by session "
        f"({MODEL_LABELS[abnormal.design.model]}). Session 0 is {format_session(abnormal.event_session)}; "
        f"{_say_strip(hull)}. "
    )
    bands = (
        "The bands say where 90 % and 95 % of ordinary sessions would lie: about one mark in twenty falls outside the "
        "wider one by chance."
    )
    text += bands if abnormal.fit.has_error else f"No bands are drawn: {abnormal.fit.why_no_error}."
    if numbers["is_estimation"].any():
        text += " Hollow marks helped to fit the model, so they have no band."
    missing = numbers.loc[numbers["ar"].isna(), "rel_session"]
    if len(missing):
        text += f" No return is recorded for {', '.join(map(signed_whole, missing))}."
    return text + _news_key(numbers)


def _say_strip(hull: tuple[int, int] | None) -> str:
    if hull is None:
        return "the blue strip marks it"
    return "the blue strip reaches from the first to the last session that report and first denial can have reached"


def _news_key(numbers: pd.DataFrame) -> str:
    named = numbers[numbers["key"] != ""]
    if not len(named):
        return " No other news is listed for these sessions."
    shown = named.head(MAX_KEYED_NEWS)
    listed = "; ".join(
        f"{row.key} ({signed_whole(row.rel_session)}) {style.plain_label(row.confounders, 90)}"
        for row in style.rows_of(shown)
    )
    more = f"; {len(named) - len(shown)} more in the CSV" if len(named) > len(shown) else ""
    return f" Other news: {listed}{more}."


def _path_description(abnormal: AbnormalReturns, numbers: pd.DataFrame) -> str:
    event = numbers[numbers["rel_session"] == 0].iloc[0]
    near = numbers[numbers["rel_session"].between(-2, 2) & numbers["ar"].notna()]
    values = ", ".join(f"{signed_whole(row.rel_session)}: {format_percent(row.ar)}" for row in style.rows_of(near))
    return (
        f"Abnormal returns from session {signed_whole(numbers['rel_session'].iloc[0])} to "
        f"{signed_whole(numbers['rel_session'].iloc[-1])} with forecast bands around zero. Session by session near "
        f"the event: {values}. On session 0 {_say_band(event, 'band90', '90')} and "
        f"{_say_band(event, 'band95', '95')}. {int((numbers['key'] != '').sum())} of "
        f"{len(numbers)} sessions carry other known news."
    )


def _say_band(row: pd.Series, band: str, level: str) -> str:
    half = row[band]
    return f"the {level} % band is " + (f"±{format_size(half)}" if half == half else "n/a")


@style.in_house_style
def draw_cumulative(abnormal: AbnormalReturns, *, hull: tuple[int, int] | None = None) -> FigureExhibit:
    """Cumulative abnormal returns from the event session on, and over the run-up, each from zero.

    Every point is a window of its own: its band is the full forecast covariance of its sessions,
    so it grows with their number and with the error of the estimated model.
    """
    numbers = _cumulative_frame(abnormal)
    figure, axes = style.new_axes(3.8)
    style.shade_hull(axes, hull or (0, 0))
    axes.axhline(0, color=MID_GREY, linewidth=0.8)
    looks = {"run-up": (BLUE, "s", "--"), "event": (BLACK, "o", "-")}
    handles = []
    for part, frame in numbers.groupby("part", sort=False):
        colour, marker, dash = looks[str(part)]
        _draw_bands(axes, frame, x="last")
        label = f"from session {signed_whole(frame['first'].iloc[0])}"
        handles += axes.plot(frame["last"], frame["car"], color=colour, marker=marker, linestyle=dash, label=label)
    axes.margins(y=0.1)
    style.use_event_time(axes)
    style.use_percent(axes.yaxis, "cumulative abnormal return")
    style.legend_above(axes, [*handles, *_band_handles()])
    known = numbers[numbers["car"].notna()]
    event, runup = known[known["part"] == "event"], known[known["part"] == "run-up"]
    has_runup = (numbers["part"] == "run-up").any()
    strip = "The blue strip marks session 0" if hull is None else _say_strip(hull).capitalize()
    bands = (
        " and has its own 90 % and 95 % forecast bands: a sum inside them is of a size that ordinary sessions also produce."
        if abnormal.fit.has_error
        else f"; no bands are drawn: {abnormal.fit.why_no_error}."
    )
    caption = (
        f"Cumulative abnormal {RETURN_LABELS[abnormal.return_kind]} returns "
        f"({MODEL_LABELS[abnormal.design.model]}). Circles sum from session 0 "
        f"({format_session(abnormal.event_session)}) to the session below the mark"
        f"{'; squares sum the run-up before it, from its first session' if has_runup else ''}. Each bundle starts from "
        f"zero{bands} Neighbouring points share sessions and are no separate evidence. {strip}."
    )
    for row in style.rows_of(numbers[numbers["car"].isna()].head(1)):
        caption += f" From {signed_whole(row.first)} to {signed_whole(row.last)} the sum is n/a: {row.note}."
    before = "No run-up is drawn."
    if len(runup):
        last = runup.iloc[-1]
        span = f"sessions {signed_whole(last['first'])} to {signed_whole(last['last'])}"
        before = (
            f"Over the run-up, {span}, the sum is {format_percent(last['car'])}, {_say_band(last, 'band95', '95')}."
        )
    first, last = event.iloc[0], event.iloc[-1]
    description = (
        f"Line of cumulative abnormal returns with bands that widen. Session 0: "
        f"{format_percent(first['car'])}, {_say_band(first, 'band95', '95')}. "
        f"Sessions 0 to {signed_whole(last['last'])}: {format_percent(last['car'])}, "
        f"{_say_band(last, 'band95', '95')}. {before}"
    )
    return FigureExhibit("cumulative", figure, caption, description, numbers)


def _cumulative_frame(abnormal: AbnormalReturns) -> pd.DataFrame:
    """One row a window: first, last, car, standard_error, band90, band95, note."""
    table = abnormal.table
    fitted = table.index[table["is_estimation"].to_numpy(dtype=bool)]
    start = int(fitted.max()) + 1 if len(fitted) else int(table.index[0])
    windows = [("run-up", start, last) for last in range(start, 0)]
    windows += [("event", 0, last) for last in range(int(table.index[-1]) + 1)]
    rows = []
    for part, first, last in windows:
        total = abnormal.sum_window(first, last)
        error = np.nan if total.standard_error is None else total.standard_error
        edges = (interval(0.0, error, abnormal.fit.df, level)[1] for level in EDGES.values())
        estimate = np.nan if total.estimate is None else total.estimate
        rows.append((part, first, last, table.loc[last, "session"], estimate, error, *edges, total.note))
    return pd.DataFrame(rows, columns=["part", "first", "last", "session", "car", "standard_error", *EDGES, "note"])
