"""An abnormal return in money: arithmetic on the estimate, with no evidence of its own."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from event_impact.inference.windows import WindowEstimate


@dataclass(frozen=True)
class DollarEffect:
    """Shares outstanding times the previous close times the estimate, its interval and the detectable effect.

    Attributes
    ----------
    market_value : float or None
        Shares times previous close, in the currency of the listing.
    estimate, ci95_low, ci95_high, mde80_rule : float or None
        In the same currency; None with ``note`` saying why.
    """

    row: WindowEstimate
    shares: int | None
    shares_as_of: str
    shares_source: str
    previous_close: float | None
    market_value: float | None
    estimate: float | None
    ci95_low: float | None
    ci95_high: float | None
    mde80_rule: float | None
    note: str


def value_in_currency(
    row: WindowEstimate,
    closes: pd.Series,
    event_session: pd.Timestamp,
    *,
    shares: int | None,
    shares_as_of: str,
    shares_source: str,
) -> DollarEffect:
    """An estimate of one session in money.

    Parameters
    ----------
    row : WindowEstimate
        The window 0:0 of a return that starts at the previous close.
    closes : pandas.Series
        Index session; closing prices in the currency of the listing.
    shares : int or None
        All classes, counted before the event.

    Returns
    -------
    DollarEffect
        In the currency of the listing; its ``note`` says why a number is missing.
    """
    shown = row.candidates.largest.session if row.candidates else None
    before = closes[closes.index < (shown or event_session)]
    reason = ""
    if shares is None:
        reason = "no count of shares outstanding is recorded for this story (shares_outstanding in stories.csv)"
    elif not shares_as_of or pd.Timestamp(shares_as_of) >= event_session:
        reason = f"the count of shares is dated {shares_as_of or 'nowhere'}, not before the event session"
    elif before.empty:
        reason = "no close before the event session is recorded"
    elif row.estimate is None or row.ci95 is None or row.mde80_rule is None:
        reason = row.note
    if reason:
        return DollarEffect(row, shares, shares_as_of, shares_source, None, None, None, None, None, None, reason)
    assert shares is not None
    assert row.estimate is not None
    assert row.ci95 is not None
    assert row.mde80_rule is not None
    previous = float(before.iloc[-1])
    value = shares * previous
    return DollarEffect(
        row, shares, shares_as_of, shares_source, previous, value, value * row.estimate, value * row.ci95[0],
        value * row.ci95[1], value * row.mde80_rule, "",
    )  # fmt: skip
