"""The firm and the others on one scale."""

from __future__ import annotations

from typing import Any

import pandas as pd

from event_impact.inference.parametric import interval
from event_impact.many.peer_tests import Spillover
from event_impact.page import figure_style as style
from event_impact.page.exhibits import FigureExhibit
from event_impact.page.format import format_interval, format_percent

LOOKS = {"firm": (style.BLACK, "o"), "clean": (style.BLUE, "s"), "own news": (style.VERMILLION, "D")}
LABELS = {"firm": "the firm", "clean": "no news of its own recorded", "own news": "news of its own that session"}


@style.in_house_style
def draw_peers(spillover: Spillover) -> FigureExhibit:
    """Abnormal returns of the firm and of every other listing on the day, with 95 % intervals."""
    numbers = _frame(spillover)
    figure, axes = style.new_axes(1.2 + 0.42 * len(numbers))
    labels = [style.plain_label(ticker, 20) for ticker in numbers["ticker"]]
    style.use_rows(axes, labels, "abnormal return of the session")
    for place, row in enumerate(numbers.itertuples()):
        if pd.isna(row.estimate):
            style.write_missing(axes, "see the table", (0, -place))
        else:
            style.draw_interval(axes, -place, row, LOOKS[row.kind])
    kinds = [k for k in LOOKS if k in set(numbers["kind"][numbers["estimate"].notna()])]
    style.legend_above(axes, [style.key(LABELS[k], *LOOKS[k]) for k in kinds])
    caption = (
        "Everyone on the day of the event. Mark: abnormal return by the firm's own model; bar: 95 % interval. A "
        "diamond had news of its own that session, so its move cannot be read as an answer to this story. Bars "
        "that overlap zero are moves of an ordinary size for that share."
    )
    description = "Dot-and-interval chart, one row a listing. " + " ".join(map(_describe, numbers.itertuples()))
    return FigureExhibit("peers_on_the_day", figure, caption, description, numbers)


def _frame(spillover: Spillover) -> pd.DataFrame:
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


def _describe(row: Any) -> str:
    if pd.isna(row.estimate):
        return f"{row.ticker}: not available."
    own = format_interval((row.ci95_low, row.ci95_high))
    return f"{row.ticker}: {format_percent(row.estimate)}, 95 % interval {own}."
