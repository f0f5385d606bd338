"""Draws the inputs of the conformance suite: returns of a few firms and a market, and events.

    python -m conformance.draw

The figures are pseudo-random and mean nothing; they lie on real sessions of the New York exchange in 2019, so
that packages which bring a calendar of their own find the dates they expect. Every return is a decimal of six
places (``ties``: a multiple of 1/1024, which binary arithmetic adds without rounding).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

INPUTS = Path(__file__).parent / "inputs"
CLOSED = ("2019-01-21", "2019-02-18", "2019-04-19", "2019-05-27", "2019-07-04", "2019-09-02")
Table = dict[str, list[str]]


def list_sessions(count: int) -> list[str]:
    """The first sessions of 2019."""

    def walk() -> Iterator[str]:
        day = date(2019, 1, 2)
        while True:
            if day.weekday() < 5 and day.isoformat() not in CLOSED:
                yield day.isoformat()
            day += timedelta(days=1)

    days = walk()
    return [next(days) for _ in range(count)]


def draw_returns(seed: int, firms: int, sessions: int, *, common: float = 0.0) -> Table:
    """Market of 1 % a day, firms of 2 % about it, sharing a shock of ``common`` of their variance."""
    rng = random.Random(seed)
    market = [rng.gauss(0.0003, 0.01) for _ in range(sessions)]
    shock = [rng.gauss(0, 1) for _ in range(sessions)]
    table = {"MKT": [f"{value:.6f}" for value in market]}
    for firm in range(firms):
        beta = rng.uniform(0.5, 1.5)
        table[f"F{firm + 1}"] = [
            f"{0.0002 + beta * m + 0.02 * (common**0.5 * s + (1 - common) ** 0.5 * rng.gauss(0, 1)):.6f}"
            for m, s in zip(market, shock, strict=True)
        ]
    return table


def write(name: str, returns: Table, events: list[tuple[str, str, str]]) -> None:
    """``returns.csv`` (date, one column a ticker, empty for no return) and ``events.csv``."""
    folder = INPUTS / name
    folder.mkdir(parents=True, exist_ok=True)
    days = list_sessions(len(returns["MKT"]))
    rows = [",".join(("date", *returns))]
    rows += [",".join((day, *(column[k] for column in returns.values()))) for k, day in enumerate(days)]
    (folder / "returns.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    lines = ["event_id,ticker,session", *(",".join(event) for event in events)]
    (folder / "events.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def place(firms: list[int], positions: list[int], count: int) -> list[tuple[str, str, str]]:
    """Events of some firms on some positions of the calendar."""
    days = list_sessions(count)
    pairs = zip(firms, positions, strict=True)
    return [(f"e{k + 1}", f"F{firm}", days[at]) for k, (firm, at) in enumerate(pairs)]


def add(returns: Table, ticker: str, at: int, value: float) -> None:
    """Move one return by a known amount."""
    returns[ticker][at] = f"{float(returns[ticker][at]) + value:.6f}"


def main() -> None:
    """Write all inputs."""
    one_date = draw_returns(1, 8, 45, common=0.3)
    write("one_date", one_date, place(list(range(1, 9)), [37] * 8, 45))

    apart = draw_returns(2, 8, 100)
    write("staggered", apart, place(list(range(1, 9)), [37, 43, 49, 55, 61, 67, 73, 79], 100))

    overlapping = draw_returns(3, 6, 60, common=0.4)
    write("overlapping", overlapping, place([1, 2, 3, 4, 5, 6, 1], [37, 37, 38, 39, 41, 50, 40], 60))

    gaps = draw_returns(4, 6, 90)
    for ticker, positions in {"F1": [12], "F2": [10, 20, 30], "F3": [57], "F4": [30, 31, 32, 33], "MKT": [70]}.items():
        for at in positions:
            gaps[ticker][at] = ""
    write("gaps", gaps, place([1, 2, 3, 4, 5, 6], [37, 44, 57, 51, 65, 80], 90))

    single = draw_returns(5, 1, 60)
    write("single", single, place([1], [50], 60))

    jump = draw_returns(6, 1, 60)
    add(jump, "F1", 50, 0.2)
    write("jump", jump, place([1], [50], 60))

    zeros = draw_returns(9, 3, 60)
    for ticker, at in (("F1", 6), ("F1", 7), ("F2", 53), ("F3", 30)):  # first days of estimation, last of the event
        zeros[ticker][at] = "0.000000"
    write("zeros", zeros, place([1, 2, 3], [50, 50, 50], 60))

    rng = random.Random(7)
    ties = {
        name: [f"{rng.randint(-6, 6) / 1024:.10f}" for _ in range(45)]
        for name in ("MKT", *(f"F{i}" for i in range(1, 7)))
    }
    for day in range(35, 40):
        ties["F6"][day] = ties["MKT"][day]  # five abnormal returns of exactly zero
    write("ties", ties, place(list(range(1, 7)), [37] * 6, 45))

    weekend = draw_returns(8, 4, 60)
    days = list_sessions(60)
    saturday = (date.fromisoformat(days[46]) + timedelta(days=5 - date.fromisoformat(days[46]).weekday())).isoformat()
    events = place([1, 2, 3], [45, 46, 47], 60)
    write("weekend", weekend, [*events, ("e4", "F4", saturday)])


if __name__ == "__main__":
    main()
