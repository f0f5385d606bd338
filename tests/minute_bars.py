"""The embedded bars, and small ones made by hand, for tests of several rooms."""

from __future__ import annotations

import numpy as np
import pandas as pd
from event_impact.events.calendars import load_hours
from event_impact.market.bar_files import BarRequest, find_bars
from event_impact.market.bars import BarGrid, Bars, Convention, build_bars, make_grid
from stories import ROOT

TESLA = (pd.Timestamp("2024-04-05"), pd.Timestamp("2024-04-05T15:35:33Z"))
TARIFF = (pd.Timestamp("2025-04-07"), pd.Timestamp("2025-04-07T14:11:00Z"))
REFERENCE = {  # first clock and bars of the windows of 5 April 2024: ends of their bars in UTC
    "before": (0, 24),  # 13:36 to 15:31
    "six before": (18, 6),  # 15:06 to 15:31
    "holds": (24, 1),  # 15:36
    "own": (24, 3),  # 15:36 to 15:46
    "two": (24, 2),
    "wholly after": (25, 2),
    "to the last": (24, 6),  # 15:36 to 16:01
    "to 15:46": (0, 27),
    "total": (0, 30),
}


def embedded(ticker: str, event: tuple[pd.Timestamp, pd.Timestamp], minutes: int = 5) -> Bars:
    exchange = "XNYS" if ticker == "RSP" else "XNAS"
    bars = find_bars(ticker, BarRequest("snapshot", ROOT / "data", exchange, event[0], minutes))
    assert bars is not None
    return bars


def grid_of(ticker: str, benchmark: str, event: tuple[pd.Timestamp, pd.Timestamp], minutes: int = 5) -> BarGrid:
    market = embedded(benchmark, event, minutes) if benchmark else None
    return make_grid(embedded(ticker, event, minutes), market, event, minutes=minutes, n_sessions=10)


def make_raw(
    *, exchange: str = "XNYS", sessions: int = 6, minutes: int = 5, end: str = "2024-03-28", column: str = "label"
) -> pd.DataFrame:
    """Bars of whole sessions, labelled by their start, with the volume of an opening first."""
    hours, last = load_hours(exchange), pd.Timestamp(end)
    stretches = hours.stretches(hours.offset(last, 1 - sessions), last)
    rng, rows = np.random.default_rng(5), []
    for row in stretches.itertuples():
        starts = pd.date_range(row.opens_at, row.closes_at, freq=f"{minutes}min", inclusive="left")
        volume = 1000 + 4000 * (np.arange(len(starts)) == 0)
        rows.append(pd.DataFrame({column: starts, "close": 0.0, "volume": volume}))
    raw = pd.concat(rows, ignore_index=True)
    raw["close"] = 50 * np.exp(np.cumsum(rng.normal(0, 0.001, len(raw))))
    raw[column] = raw[column].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return raw


def build(raw: pd.DataFrame, *, exchange: str = "XNYS", minutes: int = 5, **convention: object) -> Bars:
    reading = Convention(**{"bar_minutes": minutes, "label": "start", **convention})
    return build_bars(raw, reading, ticker="F", exchange=exchange, files={"F.csv": "0" * 64}, vintage="test")
