"""The firm and the others on one scale."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D

from event_impact.inference.parametric import interval
from event_impact.many.peer_tests import Spillover
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.figure_style import (
    BLACK,
    BLUE,
    MID_GREY,
    VERMILLION,
    in_house_style,
    legend_above,
    new_figure,
    plain_label,
    use_percent,
)
from event_impact.page.format import format_interval, format_percent

STYLES = {"firm": (BLACK, "o"), "clean": (BLUE, "s"), "own news": (VERMILLION, "D")}
LABELS = {"firm": "the firm", "clean": "no news of its own recorded", "own news": "news of its own that session"}


@in_house_style
def draw_peers(spillover: Spillover) -> FigureExhibit:
    """Abnormal returns of the firm and of every other listing on the day, with 95 % intervals."""
    numbers = _frame(spillover)
    figure = new_figure(height=1.2 + 0.42 * len(numbers))
    axes = figure.add_subplot()
    axes.axvline(0, color=MID_GREY, linewidth=1)
    for place, row in enumerate(numbers.itertuples()):
        if pd.isna(row.estimate):
            axes.text(0, -place, "n/a: see the table", ha="center", va="center", color=MID_GREY,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 2})  # fmt: skip
            continue
        colour, marker = STYLES[row.kind]
        axes.plot([row.ci95_low, row.ci95_high], [-place, -place], color=colour, linewidth=1.6, linestyle="-")
        axes.plot(row.estimate, -place, color=colour, marker=marker, markersize=7, markeredgecolor="white")
    axes.set_yticks([-i for i in range(len(numbers))], [plain_label(t, 20) for t in numbers["ticker"]])
    axes.set_ylim(0.6 - len(numbers), 0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    use_percent(axes.xaxis, "abnormal return of the session")
    kinds = [k for k in STYLES if k in set(numbers["kind"][numbers["estimate"].notna()])]
    handles = [Line2D([], [], color=STYLES[k][0], linestyle="-", marker=STYLES[k][1], label=LABELS[k]) for k in kinds]
    legend_above(axes, handles, columns=2)
    return FigureExhibit(
        name="peers_on_the_day",
        figure=figure,
        caption=(
            "Everyone on the day of the event. Mark: abnormal return by the firm's own model; bar: 95 % interval. A "
            "diamond had news of its own that session, so its move cannot be read as an answer to this story. Bars "
            "that overlap zero are moves of an ordinary size for that share."
        ),
        description="Dot-and-interval chart, one row a listing. " + " ".join(map(_describe, numbers.itertuples())),
        numbers=numbers,
    )


def _frame(spillover: Spillover) -> pd.DataFrame:
    total = spillover.firm.sum_window(0, 0)
    firm = (None, None)
    if total.estimate is not None and total.standard_error is not None:
        firm = interval(total.estimate, total.standard_error, spillover.firm.fit.df, 0.95)
    name = str(spillover.firm.design.response.name or "the firm")
    rows = [{"ticker": name, "kind": "firm", "estimate": total.estimate, "ci95_low": firm[0], "ci95_high": firm[1]}]
    for peer in (*spillover.peers, *(f.estimate for f in spillover.foreign)):
        low, high = peer.ci95 or (None, None)
        kind = "own news" if peer.own_news else "clean"
        rows.append(
            {"ticker": peer.ticker, "kind": kind, "estimate": peer.estimate, "ci95_low": low, "ci95_high": high}
        )  # fmt: skip
    return pd.DataFrame(rows).astype({"estimate": float, "ci95_low": float, "ci95_high": float})


def _describe(row) -> str:
    if pd.isna(row.estimate):
        return f"{row.ticker}: not available."
    own = format_interval((row.ci95_low, row.ci95_high))
    return f"{row.ticker}: {format_percent(row.estimate)}, 95 % interval {own}."
