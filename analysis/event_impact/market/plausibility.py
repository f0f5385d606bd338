"""Figures that can be read and still look wrong: dividends, splits and closes against what lies around them.

Nothing is mended here. Each rule names a session, the figure and what speaks against it; thresholds are far
from what shares do, since a doubt inside a window stops a download.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from event_impact.market.checks import DOUBTFUL, NOTED, Doubt

NEIGHBOURS = 61
"""Sessions around one that give its scale (median absolute log return times 1.4826)."""
MIN_SCALE = 0.002
UNIT_STEP = np.log(1.9)
"""Larger steps between two closes are more often splits, unit errors or another company than returns."""
SPLIT_STEP, SPLIT_TOLERANCE = np.log(1.5), 0.04
"""A step of 3 for 2 may be a split, and is as often a return: it is noted."""
SPIKE_SCALES, MIN_SPIKE, SPIKE_TOLERANCE = 10.0, 0.1, 0.2
"""A close that jumps so far and comes back next session, to within a fifth of the jump, was no price."""
DROP_SCALES, MIN_YIELD = 5.0, 0.03
"""From this yield on, in scales and by itself, a price must show that a dividend went."""
HUNDREDFOLD = (50.0, 200.0)
MIN_SUBUNIT_YIELD = 0.0004
"""A ratio between dividends, and a yield of one of them, that is pence taken for pounds."""
SUBUNITS = ("GBp", "GBX", "GBP", "ZAc", "ZAR", "ILA", "ILS", "KWF")
"""Listings of these currencies are quoted in a subunit, and mix it up with the unit."""
TWICE_SESSIONS, TWICE_TOLERANCE, PAYING_SESSIONS = 12, 0.15, 40
"""Two dividends so close and so alike, of a firm that pays more seldom than that, are one."""
OPINION_TOLERANCE = 0.1
MIN_IMPLIED = 0.003
"""A step of the adjusted series below that share of the price is rounding."""


def find_doubts(
    frame: pd.DataFrame,
    *,
    currency: str = "",
    benchmark: pd.Series[float] | None = None,
    opinion: pd.DataFrame | None = None,
) -> tuple[Doubt, ...]:
    """What looks wrong in one price history, by session.

    Parameters
    ----------
    frame : pandas.DataFrame
        Index session; close, dividend, split, volume, adj_close; NaN where not known.
    currency : str
        As the provider writes it.
    benchmark : pandas.Series, optional
        Closes of the benchmark: a jump that it shares is no doubt.
    opinion : pandas.DataFrame, optional
        Close and dividend of the same sessions as another reading corrects them.
    """
    closes = frame["close"]
    step = _log(closes / closes.shift())
    total = _log((closes + frame["dividend"]) / closes.shift())
    scale = (1.4826 * step.abs().rolling(NEIGHBOURS, center=True, min_periods=2).median()).fillna(0).clip(MIN_SCALE)
    market = step * 0 if benchmark is None else _log(benchmark / benchmark.shift()).reindex(step.index).fillna(0)
    found: dict[tuple[Any, str], tuple[str, str]] = {}
    for field, state, doubted in (
        ("split", DOUBTFUL, _doubt_splits(frame, step, scale)),
        ("close", DOUBTFUL, _doubt_units(step, total)),
        ("close", DOUBTFUL, _doubt_spikes(step - market, scale)),
        ("close", NOTED, _doubt_ratios(total - market)),
        ("dividend", DOUBTFUL, _doubt_unpaid(frame, step, scale)),
        ("dividend", DOUBTFUL, _doubt_twice(frame)),
        ("dividend", DOUBTFUL, _doubt_subunits(frame, currency)),
        ("dividend", DOUBTFUL, _doubt_other_dividends(frame, opinion)),
        ("close", DOUBTFUL, _doubt_other_steps(step, opinion)),
    ):
        for session, reason in doubted.items():
            found.setdefault((session, field), (state, reason))
    return tuple(
        Doubt(f"{session:%Y-%m-%d}", field, f"{frame[field].at[session]:.6g}", reason, state)
        for (session, field), (state, reason) in sorted(found.items())
    )


Reasons = dict[Any, str]
"""Session -> why a figure of it is doubted."""


def _each(values: pd.Series[float]) -> Iterator[tuple[Any, float]]:
    return zip(values.index, values, strict=True)


def _log(values: pd.Series[float]) -> pd.Series[float]:
    return pd.Series(np.log(values.to_numpy()), index=values.index)


def _doubt_units(step: pd.Series[float], total: pd.Series[float]) -> Reasons:
    """Steps that no share price makes, unless a dividend explains them."""
    far = (step.abs() > UNIT_STEP) & (total.abs() > UNIT_STEP)
    return {
        s: f"it is {np.exp(v):.4g} times the close before: another unit, a split or another company"
        for s, v in step[far].items()
    }


def _doubt_splits(frame: pd.DataFrame, step: pd.Series[float], scale: pd.Series[float]) -> Reasons:
    """Recorded splits that the closes still show, once or twice."""
    reasons = {}
    for session, ratio in _each(frame["split"][~frame["split"].isin([0.0, 1.0]) & frame["split"].notna()]):
        left, whole = step[session], np.log(ratio)
        if min(abs(left + whole), abs(left - whole)) < abs(whole) / 3 and abs(left) > DROP_SCALES * scale[session]:
            reasons[session] = f"the close is {np.exp(left):.3g} times the one before, which it should not show"
    return reasons


def _doubt_ratios(step: pd.Series[float]) -> Reasons:
    """Steps of a common split that nobody recorded, and that may be returns as well."""
    times = np.exp(step.abs())
    near = (step.abs() <= UNIT_STEP) & ((times - np.exp(SPLIT_STEP)).abs() < SPLIT_TOLERANCE * times)
    return {s: f"it is {np.exp(v):.2f} times the one before; no split is recorded" for s, v in step[near].items()}


def _doubt_spikes(step: pd.Series[float], scale: pd.Series[float]) -> Reasons:
    """A jump away from the market that the next session takes back whole."""
    back = step.shift(-1)
    far = step.abs() > np.maximum(SPIKE_SCALES * scale, MIN_SPIKE)
    spikes = far & ((step + back).abs() < SPIKE_TOLERANCE * step.abs())
    after = spikes.shift(fill_value=False)
    return {
        **{s: f"it jumps by {np.expm1(v):+.1%} and is back the next session" for s, v in step[spikes].items()},
        **dict.fromkeys(step.index[after & ~spikes], "it takes back the jump of the session before"),
    }


def _doubt_unpaid(frame: pd.DataFrame, step: pd.Series[float], scale: pd.Series[float]) -> Reasons:
    """Dividends so large that the price would have shown them, and did not."""
    yields = (frame["dividend"] / frame["close"].shift())[frame["dividend"] > 0]
    reasons = {}
    still = frame["volume"] == 0
    for session, value in _each(yields):
        room = max(DROP_SCALES * scale[session], value / 2)
        if still[session]:  # nobody traded: the price had no occasion
            continue
        large = value > max(DROP_SCALES * scale[session], MIN_YIELD)
        if value >= 1 or (large and step[session] - np.log1p(-value) > room):
            reasons[session] = f"it is {value:.1%} of the close before, which moved by {np.expm1(step[session]):+.1%}"
    return reasons


def _doubt_twice(frame: pd.DataFrame) -> Reasons:
    """One dividend entered on two days."""
    paid = frame["dividend"][frame["dividend"] > 0]
    places = frame.index.get_indexer(paid.index)
    gaps = np.diff(places)
    usual = np.median(gaps[gaps > TWICE_SESSIONS]) if (gaps > TWICE_SESSIONS).any() else np.inf
    reasons: Reasons = {}
    for i, gap in enumerate(gaps):
        one, two = paid.iloc[i], paid.iloc[i + 1]
        if gap <= TWICE_SESSIONS and usual > PAYING_SESSIONS and abs(one / two - 1) < TWICE_TOLERANCE:
            for here, there in ((i, i + 1), (i + 1, i)):
                reasons[paid.index[here]] = (
                    f"nearly the same stands on {paid.index[there]:%Y-%m-%d}: one dividend twice"
                )
    return reasons


def _doubt_subunits(frame: pd.DataFrame, currency: str) -> Reasons:
    """Dividends a hundredth, or a hundredfold, of the firm's others, where prices are quoted in a subunit."""
    paid = frame["dividend"][frame["dividend"] > 0]
    reasons: Reasons = {}
    for session, value in _each(paid) if currency in SUBUNITS else ():
        ratio, share = value / paid.drop(session).median(), value / frame["close"].at[session]
        if HUNDREDFOLD[0] < max(ratio, 1 / ratio) < HUNDREDFOLD[1] and len(paid) > 2:
            reasons[session] = f"it is {ratio:.3g} times the firm's usual one: pence and pounds may be mixed up"
        elif share < MIN_SUBUNIT_YIELD:
            reasons[session] = f"it is {share:.2%} of the close: pence and pounds may be mixed up"
    return reasons


def _doubt_other_dividends(frame: pd.DataFrame, opinion: pd.DataFrame | None) -> Reasons:
    """Dividends that a second reading changes; where there is none, the step of the adjusted series is asked."""
    paid = frame["dividend"]
    if opinion is not None:
        theirs = opinion["dividend"].reindex(frame.index).fillna(paid)
        changed = (paid - theirs).abs() > OPINION_TOLERANCE * np.maximum(paid, theirs)
        return {s: f"a second reading makes it {theirs[s]:.6g}" for s in frame.index[changed]}
    kept = frame["adj_close"] / frame["close"]
    implied = (1 - kept.shift() / kept) * frame["close"].shift()
    apart = (implied > MIN_IMPLIED * frame["close"]) & ((implied > 2 * paid) | (implied < paid / 2))
    return {s: f"the adjusted series takes off {implied[s]:.4g}" for s in frame.index[apart]}


def _doubt_other_steps(step: pd.Series[float], opinion: pd.DataFrame | None) -> Reasons:
    """Closes whose step a second reading changes."""
    if opinion is None:
        return {}
    theirs = opinion["close"].reindex(step.index)
    moved = (_log(theirs / theirs.shift()) - step).abs() > OPINION_TOLERANCE
    return {s: f"a second reading makes it {theirs[s]:.6g}" for s in step.index[moved]}
