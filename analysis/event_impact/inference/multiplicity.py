"""Several tests at once."""

from __future__ import annotations


def holm(p_values: list[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p-values, in the order given; None stays None and is not counted.

    (Holm 1979.) The k-th smallest of n is multiplied by n - k + 1, made monotone, cut at 1.
    """
    known = [i for i, p in enumerate(p_values) if p is not None]
    order = sorted(known, key=lambda i: p_values[i])  # type: ignore[arg-type,return-value]
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p_values[index]))  # type: ignore[operator]
        adjusted[index] = running
    return adjusted
