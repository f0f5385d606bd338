"""Figures of abnormal returns: three ways of measuring one session, the path, and the cumulated path.

Nothing is estimated here; intervals and bands come from the same functions as the tables.
"""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.models import MODEL_LABELS
from event_impact.inference.parametric import interval
from event_impact.inference.windows import WindowEstimate
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.figure_style import (
    BLACK,
    BLUE,
    MID_GREY,
    PALE_GREY,
    VERMILLION,
    in_house_style,
    legend_above,
    new_figure,
    plain_label,
    shade_hull,
    signed_whole,
    use_event_time,
    use_percent,
)
from event_impact.page.format import (
    RETURN_LABELS,
    format_interval,
    format_percent,
    format_session,
)

KIND_STYLES = {
    "close_to_close": (BLACK, "o"),
    "close_to_open": (BLUE, "s"),
    "open_to_close": (VERMILLION, "D"),
}
MAX_KEYED_NEWS = 14
"""Other news named in a caption; the CSV always holds all of it."""


@in_house_style
def draw_returns(rows: list[WindowEstimate], significance: float) -> FigureExhibit:
    """The three kinds of return of the event session side by side.

    Parameters
    ----------
    rows : list of WindowEstimate
        Of which the window 0:0 of every return kind is drawn.
    significance : float
        Level at which the study decides; for the caption.
    """
    chosen = [row for row in rows if (row.first, row.last) == (0, 0)]
    figure = new_figure(height=1.3 + 0.72 * len(chosen))
    axes = figure.add_subplot()
    axes.axvline(0, color=MID_GREY, linewidth=1)
    for place, row in enumerate(chosen):
        _draw_row(axes, -place, row)
    labels = [RETURN_LABELS[row.return_kind] + ("\n(headline)" if i == 0 else "") for i, row in enumerate(chosen)]
    axes.set_yticks([-i for i in range(len(chosen))], labels)
    axes.set_ylim(0.6 - len(chosen), 0.75)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    use_percent(axes.xaxis, "abnormal return of the event session")
    legend_above(
        axes,
        [
            Line2D([], [], color=BLACK, linewidth=5, alpha=0.55, label="90 % interval"),
            Line2D([], [], color=BLACK, linewidth=1.4, label="95 %"),
            Patch(facecolor=PALE_GREY, edgecolor=MID_GREY, hatch="///", label="below the MDE (80 % power)"),
        ],
        columns=3,
    )
    spec = chosen[0].specification
    caption = (
        f"Abnormal return of the event session, measured three ways ({MODEL_LABELS[spec.model]}, benchmark "
        f"{spec.benchmark}). Mark: estimate; thick bar: 90 % interval; thin bar: 95 % interval. The hatched band "
        "reaches from minus to plus the minimum detectable effect: a true effect inside it would be found by a "
        f"5 % t test less than four times in five. The study decides by rank tests at the {significance:.0%} level, "
        "not by whether a bar crosses zero."
    ).replace("5 % t", "5\u00a0% t")
    return FigureExhibit(
        name="returns",
        figure=figure,
        caption=caption,
        description="Dot-and-interval chart of three returns on one percent scale. "
        + " ".join(map(_describe_row, chosen)),
        numbers=_returns_frame(chosen),
    )


def _draw_row(axes: Axes, y: float, row: WindowEstimate) -> None:
    colour, marker = KIND_STYLES[row.return_kind]
    if row.estimate is None or row.ci90 is None or row.ci95 is None or row.mde80 is None:
        axes.text(0, y, f"n/a: {plain_label(row.note)}", ha="center", va="center", parse_math=False,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 2})  # fmt: skip
        return
    axes.fill_betweenx([y - 0.3, y + 0.3], -row.mde80, row.mde80, facecolor=PALE_GREY, edgecolor="#b5b5b5", hatch="///")
    axes.plot(row.ci95, [y, y], color=colour, linestyle="-", linewidth=1.4, marker="|", markersize=9)
    axes.plot(row.ci90, [y, y], color=colour, linestyle="-", linewidth=5, alpha=0.55, solid_capstyle="butt")
    axes.plot(row.estimate, y, color=colour, marker=marker, markersize=8, markeredgecolor="white")
    axes.text(row.estimate, y + 0.35, format_percent(row.estimate), ha="center", va="bottom", color=colour,
              bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip


def _describe_row(row: WindowEstimate) -> str:
    label = RETURN_LABELS[row.return_kind].capitalize()
    if row.estimate is None or row.ci90 is None or row.ci95 is None or row.mde80 is None:
        return f"{label}: not available, {row.note}."
    return (
        f"{label}: {format_percent(row.estimate)}, 90 % interval {format_interval(row.ci90)}, 95 % interval "
        f"{format_interval(row.ci95)}, minimum detectable effect {format_percent(row.mde80, sign=False)}."
    )


def _returns_frame(rows: list[WindowEstimate]) -> pd.DataFrame:
    names = ["return_kind", "estimate", "ci90_low", "ci90_high", "ci95_low", "ci95_high", "mde80", "note"]
    return pd.DataFrame([row.as_record() for row in rows])[names]


@in_house_style
def draw_abnormal_path(abnormal: AbnormalReturns, *, hull: tuple[int, int] | None = None) -> FigureExhibit:
    """Abnormal returns session by session with the forecast bands of ordinary sessions.

    Parameters
    ----------
    hull : (int, int), optional
        First and last rel_session that report and first denial can have reached; shaded. Without it only
        session 0 is, and the caption says so.
    """
    numbers = _path_frame(abnormal)
    figure = new_figure(height=4.0)
    axes = figure.add_subplot()
    shade_hull(axes, hull or (0, 0))
    _draw_bands(axes, numbers)
    axes.axhline(0, color=MID_GREY, linewidth=0.8)
    outside = numbers[~numbers["is_estimation"]]
    inside = numbers[numbers["is_estimation"] & (numbers["key"] == "")]
    axes.vlines(numbers["rel_session"], 0, numbers["ar"], color=MID_GREY, linewidth=0.8)
    axes.plot(inside["rel_session"], inside["ar"], "o", color=MID_GREY, markerfacecolor="white")
    quiet = outside[outside["key"] == ""]
    axes.plot(quiet["rel_session"], quiet["ar"], "o", color=BLACK)
    named = numbers[(numbers["key"] != "") & numbers["ar"].notna()]
    for is_fitted, fill in ((False, VERMILLION), (True, "white")):
        part = named[named["is_estimation"] == is_fitted]
        axes.plot(part["rel_session"], part["ar"], "D", color=VERMILLION, markerfacecolor=fill)
    for row in named.itertuples():
        axes.annotate(row.key, (row.rel_session, row.ar), xytext=(0, 6 if row.ar >= 0 else -6),
                      textcoords="offset points", ha="center", va="bottom" if row.ar >= 0 else "top",
                      color=VERMILLION)  # fmt: skip
    axes.margins(y=0.12)
    use_event_time(axes)
    use_percent(axes.yaxis, "abnormal return")
    legend_above(axes, _path_handles(bool(numbers["is_estimation"].any()), bool(len(named))), columns=2)
    return FigureExhibit(
        name="abnormal_path",
        figure=figure,
        caption=_path_caption(abnormal, numbers, hull),
        description=_path_description(abnormal, numbers),
        numbers=numbers,
    )


def _path_frame(abnormal: AbnormalReturns) -> pd.DataFrame:
    """The table of the path with the half widths of its bands and a letter for every session with other news."""
    table = abnormal.table.reset_index()
    for level, name in ((0.90, "band90"), (0.95, "band95")):
        table[name] = [interval(0.0, std, abnormal.fit.df, level)[1] for std in table["forecast_std"]]
    table["confounders"] = abnormal.confounders.to_numpy()
    has_news = table["confounders"] != ""
    keys = iter(_letters(int(has_news.sum())))
    table["key"] = [next(keys) if news else "" for news in has_news]
    columns = ["rel_session", "session", "ar", "forecast_std", "band90", "band95", "is_estimation", "key"]
    return table[[*columns, "confounders"]]


def _letters(count: int) -> list[str]:
    doubled = [a + b for a in ascii_lowercase for b in ascii_lowercase]
    return [*ascii_lowercase, *doubled][:count]


def _draw_bands(axes: Axes, numbers: pd.DataFrame, x: str = "rel_session") -> None:
    """Two grey bands around zero; their edges differ in dash, so that they survive without colour."""
    places = numbers[x].to_numpy(dtype=float)
    if len(places) == 1:
        numbers, places = numbers.iloc[[0, 0]], places + np.array([-0.4, 0.4])
    for name, shade, dash in (("band95", "#ececec", ":"), ("band90", "#d9d9d9", "--")):
        half = numbers[name].to_numpy(dtype=float)
        axes.fill_between(places, -half, half, facecolor=shade, alpha=0.75, edgecolor="none", zorder=0.5)
        for sign in (-1, 1):
            axes.plot(places, sign * half, color=MID_GREY, linewidth=0.9, linestyle=dash, zorder=0.6)


def _band_handles() -> list:
    return [
        Line2D([], [], color=MID_GREY, linewidth=0.9, linestyle="--", label="90 % band"),
        Line2D([], [], color=MID_GREY, linewidth=0.9, linestyle=":", label="95 % band"),
    ]


def _path_handles(has_estimation: bool, has_news: bool) -> list:
    handles = [Line2D([], [], color=BLACK, marker="o", linestyle="", label="abnormal return")]
    if has_news:
        handles.append(Line2D([], [], color=VERMILLION, marker="D", linestyle="", label="with other known news"))
    if has_estimation:
        handles.append(
            Line2D(
                [],
                [],
                color=MID_GREY,
                marker="o",
                markerfacecolor="white",
                linestyle="",
                label="hollow: estimation residual",
            )
        )
    return [*handles, *_band_handles()]


def _path_caption(abnormal: AbnormalReturns, numbers: pd.DataFrame, hull: tuple[int, int] | None) -> str:
    text = (
        f"Abnormal {RETURN_LABELS[abnormal.return_kind]} returns session by session "
        f"({MODEL_LABELS[abnormal.design.model]}). Session 0 is {format_session(abnormal.event_session)}; "
        f"{_say_strip(hull)}. "
    )
    if abnormal.fit.has_error:
        text += (
            "The bands say where 90 % and 95 % of ordinary sessions would lie: about one mark in twenty falls outside "
            "the wider one by chance."
        )
    else:
        text += f"No bands are drawn: {abnormal.fit.why_no_error}."
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
        f"{row.key} ({signed_whole(row.rel_session)}) {plain_label(row.confounders, 90)}" for row in shown.itertuples()
    )
    more = f"; {len(named) - len(shown)} more in the CSV" if len(named) > len(shown) else ""
    return f" Other news: {listed}{more}."


def _path_description(abnormal: AbnormalReturns, numbers: pd.DataFrame) -> str:
    event = numbers[numbers["rel_session"] == 0].iloc[0]
    near = numbers[numbers["rel_session"].between(-2, 2) & numbers["ar"].notna()]
    values = ", ".join(f"{signed_whole(row.rel_session)}: {format_percent(row.ar)}" for row in near.itertuples())
    return (
        f"Abnormal returns from session {signed_whole(numbers['rel_session'].iloc[0])} to "
        f"{signed_whole(numbers['rel_session'].iloc[-1])} with forecast bands around zero. Session by session near "
        f"the event: {values}. On session 0 {_say_band(event, 'band90', '90')} and "
        f"{_say_band(event, 'band95', '95')}. {int((numbers['key'] != '').sum())} of "
        f"{len(numbers)} sessions carry other known news."
    )


def _say_band(row: pd.Series, band: str, level: str) -> str:
    half = row[band]
    return f"the {level} % band is " + (f"±{format_percent(half, sign=False)}" if half == half else "n/a")


@in_house_style
def draw_cumulative(abnormal: AbnormalReturns, *, hull: tuple[int, int] | None = None) -> FigureExhibit:
    """Cumulative abnormal returns from the event session on, and over the run-up, each from zero.

    Every point is a window of its own: its band is the full forecast covariance of its sessions,
    so it grows with their number and with the error of the estimated model.
    """
    numbers = _cumulative_frame(abnormal)
    figure = new_figure(height=3.8)
    axes = figure.add_subplot()
    shade_hull(axes, hull or (0, 0))
    axes.axhline(0, color=MID_GREY, linewidth=0.8)
    styles = {"run-up": (BLUE, "s", "--"), "event": (BLACK, "o", "-")}
    handles = []
    for part, frame in numbers.groupby("part", sort=False):
        colour, marker, dash = styles[str(part)]
        _draw_bands(axes, frame, x="last")
        label = f"from session {signed_whole(frame['first'].iloc[0])}"
        handles += axes.plot(frame["last"], frame["car"], color=colour, marker=marker, linestyle=dash, label=label)
    axes.margins(y=0.1)
    use_event_time(axes)
    use_percent(axes.yaxis, "cumulative abnormal return")
    legend_above(axes, [*handles, *_band_handles()], columns=2)
    event = numbers[numbers["part"] == "event"]
    known = event[event["car"].notna()]
    last = known.iloc[-1]
    caption = (
        f"Cumulative abnormal {RETURN_LABELS[abnormal.return_kind]} returns "
        f"({MODEL_LABELS[abnormal.design.model]}). Circles sum from session 0 "
        f"({format_session(abnormal.event_session)}) to the session below the mark"
        + ("; squares sum the run-up before it, from its first session" if (numbers["part"] == "run-up").any() else "")
        + (
            ". Each bundle starts from zero and has its own 90 % and 95 % forecast bands: a sum inside them is of a "
            "size that ordinary sessions also produce."
            if abnormal.fit.has_error
            else f". Each bundle starts from zero; no bands are drawn: {abnormal.fit.why_no_error}."
        )
        + " Neighbouring points share sessions and are no separate evidence. "
        + ("The blue strip marks session 0." if hull is None else f"{_say_strip(hull).capitalize()}.")
    )
    notes = numbers.loc[numbers["car"].isna(), ["first", "last", "note"]]
    if len(notes):
        row = notes.iloc[0]
        caption += f" From {signed_whole(row['first'])} to {signed_whole(row['last'])} the sum is n/a: {row['note']}."
    runup = numbers[(numbers["part"] == "run-up") & numbers["car"].notna()]
    before = (
        f"Over the run-up, sessions {signed_whole(runup['first'].iloc[-1])} to {signed_whole(runup['last'].iloc[-1])}, "
        f"the sum is {format_percent(runup['car'].iloc[-1])}, {_say_band(runup.iloc[-1], 'band95', '95')}."
        if len(runup)
        else "No run-up is drawn."
    )
    return FigureExhibit(
        name="cumulative",
        figure=figure,
        caption=caption,
        description=(
            f"Line of cumulative abnormal returns with bands that widen. Session 0: "
            f"{format_percent(known['car'].iloc[0])}, {_say_band(known.iloc[0], 'band95', '95')}. "
            f"Sessions 0 to {signed_whole(last['last'])}: {format_percent(last['car'])}, "
            f"{_say_band(last, 'band95', '95')}. {before}"
        ),
        numbers=numbers,
    )


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
        rows.append(
            {
                "part": part,
                "first": first,
                "last": last,
                "session": table.loc[last, "session"],
                "car": np.nan if total.estimate is None else total.estimate,
                "standard_error": error,
                "band90": interval(0.0, error, abnormal.fit.df, 0.90)[1],
                "band95": interval(0.0, error, abnormal.fit.df, 0.95)[1],
                "note": total.note,
            }
        )
    return pd.DataFrame(rows)
