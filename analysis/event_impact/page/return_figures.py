"""Figures of abnormal returns: three ways of measuring one session, the path, and the cumulated path.

Nothing is estimated here; intervals and bands come from the same functions as the tables.

Volume and range around the event: how busy and how wide the sessions were, without direction.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.inference.parametric import interval
from event_impact.inference.windows import WindowEstimate
from event_impact.page import format as form
from event_impact.page.canvas import Canvas, Chart, Drawing, chart_sessions, draw_session_axis, rows_of
from event_impact.page.exhibits import Column, frame_rows, record
from event_impact.page.finding import say_explained
from event_impact.page.row_drawing import EffectRow, draw_rows

ROLES = {"close_to_close": "ink", "close_to_open": "denial", "open_to_close": "report"}
EDGES = {"band90": 0.90, "band95": 0.95}
BANDS = {"band95": "wide-band", "band90": "band"}
#: Days of other news that a figure names; the CSV always holds all of them.
MOST_NAMED = 3
NUMBERS = (
    *record("return_kind estimate"),
    Column("ci90", kind="interval"),
    Column("ci95", kind="interval"),
    Column("mde80_rule"),
    Column("note", of=lambda row: row.as_record()["note"]),
)


def draw_returns(rows: list[WindowEstimate]) -> Drawing:
    """The three kinds of return of the event session side by side; of the rows given, the window 0:0 of each kind."""
    sets = {row.return_kind for row in rows if row.is_set}
    chosen = [r for r in rows if r.is_set or ((r.first, r.last) == (0, 0) and r.return_kind not in sets)]
    shown = [
        EffectRow(
            form.RETURN_LABELS[row.return_kind] + " (headline)" * (k == 0), row.estimate, row.ci95, row.ci90,
            role=ROLES[row.return_kind], weight="headline" if k == 0 else "plain", note=row.note, seen_from=row.mde80_rule,
        )
        for k, row in enumerate(chosen)
    ]  # fmt: skip
    heads, under = ("return", "estimate, %", "95 % interval"), f"return less what {say_explained(chosen[0])}, %"
    title, caption = "The event session, measured three ways", form.say("captions.returns")
    numbers = frame_rows(chosen, NUMBERS)
    return draw_rows(shown, heads, name="returns", title=title, subtitle=under, numbers=numbers, caption=caption)


def draw_abnormal_path(abnormal: AbnormalReturns, *, hull: tuple[int, int]) -> Drawing:
    """Abnormal returns session by session with the forecast bands of ordinary sessions.

    Parameters
    ----------
    hull : (int, int)
        First and last rel_session that report and first denial can have reached; shaded.
    """
    numbers = _path_frame(abnormal)
    caption = f"Session 0 is {form.format_session(abnormal.event_session)}. {_say_bands(abnormal)}"
    if numbers["is_estimation"].any():
        caption += " Rings helped to fit the model, so they have no band."
    if len(missing := numbers.loc[numbers["ar"].isna(), "rel_session"]):
        caption += f" No return is recorded for {', '.join(map(form.signed_whole, missing))}."
    named = _choose_news(numbers)
    others = int((numbers["confounders"] != "").sum()) - len(named)
    if len(named):
        listed = "; ".join(
            f"{form.signed_whole(r.rel_session)} {form.cut_label(r.confounders, 60)}" for r in rows_of(named)
        )
        caption += f" Other news (orange): {listed}{f'; {others} more sessions in the CSV' if others else ''}."
    near = numbers[numbers["rel_session"].between(-2, 2) & numbers["ar"].notna()]
    values = ", ".join(f"{form.signed_whole(row.rel_session)}: {form.format_percent(row.ar)}" for row in rows_of(near))
    event, ends = numbers[numbers["rel_session"] == 0].iloc[0], numbers["rel_session"].iloc[[0, -1]]
    description = (
        f"Abnormal returns from session {' to '.join(map(form.signed_whole, ends))}. Near the event: {values}. On session 0 "
        f"{_say_band(event, 'band90', '90')} and {_say_band(event, 'band95', '95')}."
    )

    def draw(width: float) -> Canvas:
        chart = chart_sessions(width, numbers["rel_session"], [*numbers["ar"], *_edges(numbers)], hull)
        _draw_bands(chart, numbers)
        chart.line(chart.x, (0, 0), "rule", width=1)
        for row in rows_of(numbers.dropna(subset="ar")):
            paint = "report" if row.confounders else "rule" if row.is_estimation else "ink"
            chart.line((row.rel_session,) * 2, (0, row.ar), "rule", width=1)
            when = f"{form.signed_whole(row.rel_session)}, {row.session.date()}"
            said = f"{when}: {form.format_percent(row.ar)} {row.confounders}".strip()
            chart.mark("ring" if row.is_estimation else "dot", row.rel_session, row.ar, paint, title=said)
        for number, row in enumerate(rows_of(named)):
            away = 9 + 15 * number  # neighbours stand above each other
            text, lift = form.cut_label(row.confounders, 26 if width > 400 else 16), -away if row.ar >= 0 else away + 10
            chart.label(row.rel_session, row.ar, text, paint="report-text", lift=lift)
        return chart.canvas

    title, under = "Abnormal returns session by session", f"{form.RETURN_LABELS[abnormal.return_kind]}, %"
    return Drawing("abnormal_path", title, under, description, numbers, draw, caption=caption)


def _choose_news(numbers: pd.DataFrame) -> pd.DataFrame:
    """The sessions nearest to the event that carry other recorded news."""
    held = numbers[(numbers["confounders"] != "") & numbers["ar"].notna()]
    return held.loc[held["rel_session"].abs().sort_values(kind="stable").index[:MOST_NAMED]].sort_index()


def _path_frame(abnormal: AbnormalReturns) -> pd.DataFrame:
    """The table of the path with the half widths of its bands."""
    table = abnormal.table.reset_index()
    for name, level in EDGES.items():
        table[name] = [interval(0.0, std, abnormal.fit.df, level)[1] for std in table["forecast_std"]]
    table["confounders"] = abnormal.confounders.to_numpy()
    names = [*abnormal.table.index.names, "session", "ar", "forecast_std", *EDGES, "is_estimation", "confounders"]
    return table[names]


def _edges(numbers: pd.DataFrame) -> list[float]:
    return [*numbers["band95"], *-numbers["band95"]]


def _draw_bands(chart: Chart, numbers: pd.DataFrame, x: str = "rel_session") -> None:
    for name, paint in BANDS.items():
        chart.band(numbers[x], -numbers[name], numbers[name], paint, title=f"{name.removeprefix('band')} % of ordinary")


def _say_bands(abnormal: AbnormalReturns) -> str:
    if not abnormal.fit.has_error:
        return f"No bands are drawn: {abnormal.fit.why_no_error}."
    return "In the grey bands lie 90 and 95 % of ordinary sessions, so that one mark in twenty is outside by chance."


def _say_band(row: pd.Series, band: str, level: str) -> str:
    half = row[band]
    return f"the {level} % band is " + (f"±{form.format_size(half)}" if half == half else "n/a")


def draw_cumulative(abnormal: AbnormalReturns, *, hull: tuple[int, int]) -> Drawing:
    """Cumulative abnormal returns from the event session on, and over the run-up, each from zero.

    Every point is a window of its own: its band is the full forecast covariance of its sessions,
    so it grows with their number and with the error of the estimated model.
    """
    numbers = _cumulative_frame(abnormal)
    looks = {"run-up": ("denial", "denial-text", "square"), "event": ("ink", "ink", "dot")}
    own = "Every sum has its own band: inside it, it is of a size that ordinary sessions also produce."
    caption = own if abnormal.fit.has_error else _say_bands(abnormal)
    caption += " Each bundle starts from zero; neighbouring points share sessions and are no separate evidence."
    for row in rows_of(numbers[numbers["car"].isna()].head(1)):
        caption += f" From {form.signed_whole(row.first)} to {form.signed_whole(row.last)} the sum is n/a: {row.note}."
    ends = [part.iloc[-1] for _, part in numbers[numbers["car"].notna()].groupby("part", sort=False)]
    description = "Lines of cumulative abnormal returns with bands that widen. " + " ".join(
        f"Sessions {form.signed_whole(end['first'])} to {form.signed_whole(end['last'])}: "
        f"{form.format_percent(end['car'])}, {_say_band(end, 'band95', '95')}."
        for end in ends
    )

    def draw(width: float) -> Canvas:
        chart = chart_sessions(width, numbers["last"], [*numbers["car"], *_edges(numbers)], hull)
        for name, part in numbers.groupby("part", sort=False):
            paint, _, shape = looks[str(name)]
            _draw_bands(chart, part, x="last")
            chart.line(part["last"], part["car"], paint)
            for row in rows_of(part):
                span = f"{form.signed_whole(row.first)} to {form.signed_whole(row.last)}"
                chart.mark(shape, row.last, row.car, paint, title=f"{span}: {form.format_percent(row.car)}")
        chart.line(chart.x, (0, 0), "rule", width=1)
        for end in ends:
            text = "run-up" if end["part"] == "run-up" else f"from 0: {form.format_percent(end['car'], digits=1)}"
            chart.label(end["last"], end["car"], text, paint=looks[end["part"]][1], is_bold=True)
        return chart.canvas

    title, under = "Cumulated from the event on, and over the run-up", f"{form.RETURN_LABELS[abnormal.return_kind]}, %"
    return Drawing("cumulative", title, under, description, numbers, draw, caption=caption)


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
        estimate, error = (np.nan if x is None else x for x in (total.estimate, total.standard_error))
        edges = (interval(0.0, error, abnormal.fit.df, level)[1] for level in EDGES.values())
        rows.append((part, first, last, table.loc[last, "session"], estimate, error, *edges, total.note))
    return pd.DataFrame(rows, columns=["part", "first", "last", "session", "car", "standard_error", *EDGES, "note"])


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
        see :func:`event_impact.inference.activity_tests.band_activity`.
    """

    def draw(width: float) -> Canvas:
        canvas = Canvas(width, HEIGHT)
        for number, name in enumerate(MEASURES):
            _draw_measure(canvas, surprise, name, hull, top=22 + number * PANE)
        return canvas

    title, under = f"How busy and how wide the sessions of {ticker} were", "times the median of the estimation window"
    told, caption = " ".join(_describe(surprise, name) for name in MEASURES), form.say("captions.volume_and_range")
    return Drawing("volume_and_range", title, under, told, surprise, draw, caption=caption)


def _ratios(surprise: pd.DataFrame, name: str, suffix: str = "") -> NDArray[np.float64]:
    """A measure over its median, as it is drawn."""
    middle = surprise[f"{name}_mid"].to_numpy(dtype=float)
    return np.asarray(np.exp(surprise[name + suffix].to_numpy(dtype=float) - middle))


def _draw_measure(canvas: Canvas, surprise: pd.DataFrame, name: str, hull: tuple[int, int], *, top: float) -> None:
    label, paint = MEASURES[name]
    x = surprise["rel_session"]
    low, values, high = (np.log(_ratios(surprise, name, suffix)) for suffix in ("_low", "", "_high"))
    is_empty = not np.isfinite(values).any()
    drawn = [0.0] if is_empty else [v for v in (*low, *values, *high) if np.isfinite(v)]
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
            said = (
                f"{form.signed_whole(session)}: {form.format_plain(math.exp(value))} times"  # a missing one is left out
            )
            chart.mark("dot" if session else "diamond", session, value, paint if session else "report", title=said)
    if name == list(MEASURES)[-1]:
        draw_session_axis(chart)


def _describe(surprise: pd.DataFrame, name: str) -> str:
    label = MEASURES[name][0].capitalize()
    values = pd.Series(_ratios(surprise, name), index=surprise["rel_session"]).dropna()
    if not len(values):
        return f"{label}: none is recorded."
    low, high = (float(_ratios(surprise, name, suffix)[0]) for suffix in ("_low", "_high"))
    near = ", ".join(f"{form.signed_whole(k)}: {form.format_plain(values[k])}" for k in values.loc[-2:2].index)
    top = int(values.index[int(values.argmax())])
    return (
        f"{label} over its median, session by session near the event: {near}; the band runs from "
        f"{form.format_plain(low)} to {form.format_plain(high)}, and the largest value is "
        f"{form.format_plain(values[top])} on session {form.signed_whole(top)}."
    )
