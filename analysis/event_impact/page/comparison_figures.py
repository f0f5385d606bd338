"""Figures that compare: the firm with others on its day, a story with other stories, and their average path."""

from __future__ import annotations

from typing import Any

import pandas as pd

from event_impact.inference.parametric import interval
from event_impact.many.peer_tests import Spillover
from event_impact.many.story_panel import PanelResult, PanelStory
from event_impact.page import figure_style as style
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.format import format_interval, format_percent

PEER_LOOKS = {"firm": (style.BLACK, "o"), "clean": (style.BLUE, "s"), "own news": (style.VERMILLION, "D")}
PEER_LABELS = {"firm": "the firm", "clean": "no news of its own recorded", "own news": "news of its own that session"}


@style.in_house_style
def draw_peers(spillover: Spillover) -> FigureExhibit:
    """Abnormal returns of the firm and of every other listing on the day, with 95 % intervals."""
    numbers = _frame_peers(spillover)
    figure, axes = style.new_axes(1.2 + 0.42 * len(numbers))
    labels = [style.plain_label(ticker, 20) for ticker in numbers["ticker"]]
    style.use_rows(axes, labels, "abnormal return of the session")
    for place, row in enumerate(style.rows_of(numbers)):
        if pd.isna(row.estimate):
            style.write_missing(axes, "see the table", (0, -place))
        else:
            style.draw_interval(axes, -place, row, PEER_LOOKS[row.kind])
    kinds = [k for k in PEER_LOOKS if k in set(numbers["kind"][numbers["estimate"].notna()])]
    style.legend_above(axes, [style.key(PEER_LABELS[k], *PEER_LOOKS[k]) for k in kinds])
    caption = (
        "Everyone on the day of the event. Mark: abnormal return by the firm's own model; bar: 95 % interval. A "
        "diamond had news of its own that session, so its move cannot be read as an answer to this story. Bars "
        "that overlap zero are moves of an ordinary size for that share."
    )
    description = "Dot-and-interval chart, one row a listing. " + " ".join(map(_describe_peer, numbers.itertuples()))
    return FigureExhibit("peers_on_the_day", figure, caption, description, numbers)


def _frame_peers(spillover: Spillover) -> pd.DataFrame:
    total, none = spillover.firm.sum_window(0, 0), (None, None)
    own: tuple[float | None, float | None] = none
    if total.estimate is not None and total.standard_error is not None:
        own = interval(total.estimate, total.standard_error, spillover.firm.fit.df, 0.95)
    rows = [(str(spillover.firm.design.response.name or "the firm"), "firm", total.estimate, *own)]
    for peer in (*spillover.peers, *(f.estimate for f in spillover.foreign)):
        kind = "own news" if peer.own_news else "clean"
        rows.append((peer.ticker, kind, peer.estimate, *(peer.ci95 or none)))
    numbers = ["estimate", "ci95_low", "ci95_high"]
    return pd.DataFrame(rows, columns=["ticker", "kind", *numbers]).astype(dict.fromkeys(numbers, float))


def _describe_peer(row: Any) -> str:
    if pd.isna(row.estimate):
        return f"{row.ticker}: not available."
    own = format_interval((row.ci95_low, row.ci95_high))
    return f"{row.ticker}: {format_percent(row.estimate)}, 95 % interval {own}."


POOLED = "mean of the denied"
STORY_LOOKS = {
    "denied": (style.BLACK, "o"),
    "denied in part": (style.BLUE, "s"),
    "not denied": (style.VERMILLION, "^"),
    POOLED: (style.BLACK, "D"),
}


def kind_of(story: PanelStory) -> str:
    """How far the report was denied."""
    return {"yes": "denied", "partial": "denied in part", "no": "not denied"}[story.story.denied]


FOREST_COLUMNS = ["story", "ticker", "kind", "event_session", "first", "last", "estimate", "ci95_low", "ci95_high"]


def _place_story(story: PanelStory) -> tuple[object, ...]:
    held, effect = story.alignment, story.joint
    where = (story.name, story.story.ticker, kind_of(story), held.event_session, *held.hull)
    return (*where, effect.estimate, *effect.interval(0.95))


@style.in_house_style
def draw_forest(result: PanelResult) -> FigureExhibit:
    """Joint effect of every story with its 95 % interval, the mean of the denied ones, the controls below."""
    rows, main = [_place_story(s) for s in result.panel.denied], result.main
    if main.estimate is not None and main.ci95 is not None:
        rows.append((POOLED, "", POOLED, None, None, None, main.estimate, *main.ci95))
    numbers = pd.DataFrame(rows + [_place_story(s) for s in result.panel.controls], columns=FOREST_COLUMNS)
    own = result.panel.study.story.story
    figure, axes = style.new_axes(1.3 + 0.33 * max(len(numbers), 2))
    if numbers.empty:
        style.write_missing(axes, "no story could be measured")
    labels = [_label(row, own) for row in numbers.itertuples()]
    style.use_rows(axes, labels, "abnormal return from the report to the first denial")
    for place, row in enumerate(style.rows_of(numbers)):
        is_pooled = row.kind == POOLED
        if is_pooled:
            axes.axhspan(-place - 0.45, -place + 0.45, facecolor=style.PALE_BLUE, edgecolor="none", zorder=0)
        style.draw_interval(axes, -place, row, STORY_LOOKS[row.kind], width=3 if is_pooled else 1.5)
    handles = [
        style.key(k, *STORY_LOOKS[k], linewidth=3 if k == POOLED else 1.5)
        for k in STORY_LOOKS
        if k in set(numbers["kind"])
    ]
    if handles:
        style.legend_above(axes, handles)
    caption = (
        "Joint effect of report and denial, story by story, oldest first. Mark: cumulative abnormal return over every "
        "session that the report or the first denial can have reached; bar: 95 % interval of the story alone. "
        "The diamond is the equally weighted mean of the denied stories, with the interval that their spread "
        "gives; it is drawn only when there are enough of them. Stories that nobody denied stand apart and are no "
        "part of it. The arrow marks the story of this run."
    )
    description = "Dot-and-interval chart, one row a story. " + " ".join(map(_describe_story, numbers.itertuples()))
    return FigureExhibit("forest", figure, caption, description, numbers)


def _label(row: Any, own: str) -> str:
    if row.kind == POOLED:
        return POOLED
    return ("\u2192 " if row.story == own else "") + style.plain_label(f"{row.story}, {row.ticker}", 40)


def _describe_story(row: Any) -> str:
    own = format_interval((row.ci95_low, row.ci95_high))
    when = "" if row.kind == POOLED else f" ({row.kind}, {row.event_session.date()})"
    return f"{row.story}{when}: {format_percent(row.estimate)}, 95 % interval {own}."


@style.in_house_style
def draw_story_path(result: PanelResult) -> FigureExhibit:
    """Mean cumulative abnormal return of the denied stories around their event sessions."""
    path = result.path
    table = path.table
    figure, axes = style.new_axes(3.8)
    axes.axhline(0, color=style.MID_GREY, linewidth=0.8)
    style.use_percent(axes.yaxis, "mean cumulative abnormal return")
    style.use_event_time(axes)
    left = f" Left out, since their figures end too early: {', '.join(path.left_out)}." if path.left_out else ""
    if table.empty:
        style.write_missing(axes, path.note)
        caption = f"The average path is n/a: {path.note}.{left}"
        return FigureExhibit("story_path", figure, caption, caption, table)
    axes.axvline(0, color=style.MID_GREY, linewidth=0.8, linestyle=":")
    edge: dict[str, Any] = {"linewidth": 0.8, "linestyle": ":"}
    axes.fill_between(table["rel_session"], table["ci95_low"], table["ci95_high"], facecolor=style.PALE_BLUE,
                      edgecolor=style.BLUE, **edge)  # fmt: skip
    axes.plot(table["rel_session"], table["caar"], color=style.BLACK, marker="o", linestyle="-")
    mean = style.key(f"mean of {len(path.stories)} stories", marker="o")
    style.legend_above(axes, [mean, style.key("95 % interval from the spread of the stories", style.BLUE, **edge)])
    first, last, zero = table.iloc[0], table.iloc[-1], table[table["rel_session"] == 0].iloc[0]
    steps = f"{style.signed_whole(first['rel_session'])} to {style.signed_whole(last['rel_session'])}"
    caption = (
        f"Mean cumulative abnormal return of {len(path.stories)} denied stories, sessions {steps}, each story on its "
        "own calendar with session 0 "
        "the first that its report can have reached. It starts from zero before the event; the band is that of a "
        "mean of so few stories and widens as sessions add up. Neighbouring points share sessions. Denials fall "
        f"on session 0 for some stories and later for others, so the path is no picture of a reversal.{left}"
    )
    description = (
        f"Line with a band over sessions {steps}. Up to session 0 the mean is {format_percent(zero['caar'])} (95 % "
        f"interval {format_interval((zero['ci95_low'], zero['ci95_high']))}); at the end "
        f"{format_percent(last['caar'])} ({format_interval((last['ci95_low'], last['ci95_high']))})."
    )
    return FigureExhibit("story_path", figure, caption, description, table)
