"""Figures that compare: the firm with others on its day, a story with other stories, and their average path."""

from typing import Any

import pandas as pd

from event_impact.inference.parametric import interval
from event_impact.many.peer_tests import PeerEstimate, Spillover
from event_impact.many.story_panel import LeftOutStory, PanelResult, PanelStory
from event_impact.page.canvas import WIDE, Canvas, Drawing, chart_sessions, rows_of
from event_impact.page.format import format_interval, format_p, format_percent, say, signed_whole
from event_impact.page.row_drawing import EffectRow, draw_rows

POOLED = "mean of the denied"
DENIED_LABELS = {"yes": "denied", "partial": "denied in part", "no": "not denied"}


def draw_peers(spillover: Spillover, firm_name: str) -> Drawing:
    """Abnormal returns of the firm and of every other listing on the day, with 95 % intervals."""
    total, ticker = spillover.firm.sum_window(0, 0), str(spillover.firm.design.response.name or "the firm")
    own = None
    if total.estimate is not None and total.standard_error is not None:
        own = interval(total.estimate, total.standard_error, spillover.firm.fit.df, 0.95)
    rows = [EffectRow(firm_name, total.estimate, own, cells=("the firm studied",), weight="headline", note=total.note)]
    others = list_others(spillover)
    rows += map(_show_peer, others)
    named = [(ticker, "firm"), *((p.ticker, "own news" if p.own_news else "clean") for p in others)]
    table = [(*names, r.estimate, *(r.interval or (None, None))) for names, r in zip(named, rows, strict=True)]
    columns = ["ticker", "kind", "estimate", "ci95_low", "ci95_high"]
    numbers = pd.DataFrame(table, columns=columns).astype(dict.fromkeys(columns[2:], float))
    under = "abnormal return by each firm\u2019s own model, %, with 95 % intervals by t"
    said: Any = {"title": "Everyone on the day of the event", "subtitle": under, "name": "peers_on_the_day"}
    heads = ("firm", "return, %", "95 % interval", "news of its own that session")
    return draw_rows(rows, heads, numbers=numbers, width=WIDE, **said)


def list_others(spillover: Spillover) -> list[PeerEstimate]:
    """Peers of the firm's calendar, then listings abroad."""
    return [*spillover.peers, *spillover.foreign]


def _show_peer(peer: PeerEstimate) -> EffectRow:
    if not peer.is_measured:
        return EffectRow(peer.ticker, None, note=f"n/a: {peer.note}")
    role, weight = ("report", "beside") if peer.own_news else ("ink", "plain")
    label = f"{peer.ticker} (named in the story)" if peer.role == "counterparty" else peer.ticker
    cells = (peer.own_news or "none recorded",)
    return EffectRow(label, peer.estimate, peer.ci95, cells=cells, role=role, weight=weight)


def kind_of(story: PanelStory) -> str:
    """How far the report was denied."""
    return DENIED_LABELS[story.story.denied]


FOREST_COLUMNS = ["story", "ticker", "kind", "event_session", "first", "last", "estimate", "ci95_low", "ci95_high"]


def _place_story(story: PanelStory) -> tuple[object, ...]:
    held, effect = story.alignment, story.joint
    where = (story.name, story.story.ticker, kind_of(story), held.event_session, *held.hull)
    return (*where, effect.estimate, *effect.interval(0.95))


def draw_forest(result: PanelResult) -> Drawing:
    """Joint effect of every denied story with its 95 % interval, sorted, their mean, and those not denied below."""
    held, main, level = result.panel, result.main, result.panel.study.config.significance
    ranked = sorted(held.denied, key=lambda s: s.joint.estimate)
    own, cells = held.study.story.story, {x.story: (_say_without(x, main.p_value, level),) for x in result.left_out}
    rows = [_show_story(s, own, *cells.get(s.name, ())) for s in ranked]
    table = [_place_story(s) for s in ranked]
    if main.estimate is not None and main.ci95 is not None:
        look: Any = {"cells": ("", f"p {format_p(main.p_value)}" if main.p_value is not None else ""), "role": "report"}
        rows.append(
            EffectRow(f"Mean of the {main.n} denied", main.estimate, main.ci95, size=9, weight="headline", **look)
        )
        table.append((POOLED, "", POOLED, None, None, None, main.estimate, *main.ci95))
    rows += [_show_story(s, "") for s in held.controls]
    table += [_place_story(s) for s in held.controls]
    title, under = "Every story, from its report to its first denial", "abnormal return, %, with 95 % intervals by t"
    heads, mean = ("report and denial", "return, %", "95 % interval", "sessions", "mean without it"), main.estimate
    numbers = pd.DataFrame(table, columns=FOREST_COLUMNS)
    return draw_rows(rows, heads, mean=mean, name="forest", title=title, subtitle=under, numbers=numbers, width=WIDE)


def _show_story(story: PanelStory, own: str, *cells: str) -> EffectRow:
    effect, day = story.joint, story.alignment.event_session
    label = f"{story.story.title}, {day:%b %Y}{'' if story.story.denied != 'no' else ' (not denied)'}"
    weight = "headline" if story.name == own else "beside" if story.story.denied == "no" else "plain"
    return EffectRow(label, effect.estimate, effect.interval(0.95), cells=(str(effect.length), *cells), weight=weight)


def _say_without(left: LeftOutStory, p_all: float | None, level: float) -> str:
    p, mean = left.p_bmp, format_percent(left.estimate, digits=1)
    if p is None:
        return mean
    turns = p_all is not None and (p < level) != (p_all < level)
    return f"{mean} (p {format_p(p)})" + " \u25c0" * turns


def draw_story_path(result: PanelResult) -> Drawing:
    """Mean cumulative abnormal return of the denied stories around their event sessions."""
    path, title = result.path, "The average path of the denied stories"
    table = path.table
    left = f" Left out, since their figures end too early: {', '.join(path.left_out)}." if path.left_out else ""
    if table.empty:
        said = f"The average path is n/a: {path.note}.{left}"
        return Drawing("story_path", title, "", said, table, lambda width: Canvas(width, 20), caption=said)
    first, last, zero = table.iloc[0], table.iloc[-1], table[table["rel_session"] == 0].iloc[0]

    def draw(width: float) -> Canvas:
        chart = chart_sessions(width, table["rel_session"], [*table["ci95_low"], *table["ci95_high"]], (0, 0))
        ends = table["ci95_low"], table["ci95_high"]
        chart.band(table["rel_session"], *ends, "band", title="95 % interval of the mean")
        chart.line(chart.x, (0, 0), "rule", width=1)
        chart.line(table["rel_session"], table["caar"], "ink")
        for row in rows_of(table):
            chart.mark("dot", row.rel_session, row.caar, "ink", title=f"{row.rel_session}: {format_percent(row.caar)}")
        chart.label(last["rel_session"], last["caar"], format_percent(last["caar"], digits=1), is_bold=True)
        return chart.canvas

    spans = [format_interval((row["ci95_low"], row["ci95_high"])) for row in (zero, last)]
    means = [format_percent(row["caar"]) for row in (zero, last)]
    first_to_last = f"sessions {signed_whole(first['rel_session'])} to {signed_whole(last['rel_session'])}"
    told = f"Line with a band, {first_to_last}. Up to session 0 the mean is {means[0]} (95 % interval {spans[0]}); "
    told += f"at the end {means[1]} ({spans[1]})."
    under, caption = f"cumulated abnormal return, %, {len(path.stories)} stories", say("captions.story_path", left=left)
    return Drawing("story_path", title, under, told, table, draw, caption=caption)
