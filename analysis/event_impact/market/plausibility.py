"""Figures that can be read and still look wrong: dividends, splits and closes against what lies around them.

Nothing is mended here. Each rule names a session, the figure and what speaks against it; thresholds are far
from what shares do, since a doubt inside a window stops a download.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from event_impact.market.checks import DOUBTFUL, NOTED, Doubt

#: Sessions around one that give its scale (median absolute log return times 1.4826).
NEIGHBOURS = 61
MIN_SCALE = 0.002
#: Larger steps between two closes are more often splits, unit errors or another company than returns.
UNIT_STEP = np.log(1.9)
OTHER_UNIT = "another unit, a split or another company"
#: A step of 3 for 2 may be a split, and is as often a return: it is noted.
SPLIT_STEP, SPLIT_TOLERANCE = 1.5, 0.04
#: A close that jumps so far and comes back next session, to within a fifth of the jump, was no price: unless so many
#: times the usual volume was traded, as when a report is denied the day after.
SPIKE_SCALES, MIN_SPIKE, SPIKE_TOLERANCE, SURGE = 10.0, 0.1, 0.2, 1.5
#: From this yield on, in scales and by itself, a price must show that a dividend went.
DROP_SCALES, MIN_YIELD = 5.0, 0.03
HUNDREDFOLD = (50.0, 200.0)
#: A ratio between dividends, and a yield of one of them, that is pence taken for pounds.
MIN_SUBUNIT_YIELD = 0.0004
#: Listings of these currencies are quoted in a subunit, and mix it up with the unit.
SUBUNITS = ("GBp", "GBX", "GBP", "ZAc", "ZAR", "ILA", "ILS", "KWF")
#: Two dividends so close and so alike, of a firm that pays more seldom than that, are one.
TWICE_SESSIONS, TWICE_TOLERANCE, PAYING_SESSIONS = 12, 0.15, 40
OPINION_TOLERANCE = 0.1
#: A step of the adjusted series below that share of the price is rounding.
MIN_IMPLIED = 0.003


Series = pd.Series  # of figures, index session
#: Session -> why a figure of it is doubted.
Reasons = dict[Any, str]
#: Field, state, and the reasons.
Rules = list[tuple[str, str, Reasons]]


def find_doubts(
    frame: pd.DataFrame, *, currency: str = "", benchmark: Series | None = None, opinion: pd.DataFrame | None = None
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
    closes, paid, before = frame["close"], frame["dividend"], frame["close"].shift()
    step, total = _log(closes / before), _log((closes + paid) / before)
    scale = (1.4826 * step.abs().rolling(NEIGHBOURS, center=True, min_periods=2).median()).fillna(0).clip(MIN_SCALE)
    alone = total if benchmark is None else total - _log(benchmark / benchmark.shift()).reindex(step.index).fillna(0)
    far = (step.abs() > UNIT_STEP) & (total.abs() > UNIT_STEP)
    times = pd.Series(np.exp(alone.abs()), index=step.index)
    near = (alone.abs() <= UNIT_STEP) & ((times - SPLIT_STEP).abs() < SPLIT_TOLERANCE * times)
    unsplit = _tell(near, lambda s: f"it is {np.exp(step[s]):.2f} times the one before; no split is recorded")
    rules = (
        ("split", DOUBTFUL, _doubt_splits(frame["split"], step, scale)),
        ("close", DOUBTFUL, _tell(far, lambda s: f"it is {np.exp(step[s]):.4g} times the close before: {OTHER_UNIT}")),
        *_doubt_spikes(alone, scale, frame["volume"]),
        ("close", NOTED, unsplit),
        ("dividend", DOUBTFUL, _doubt_unpaid(frame, step, scale)),
        ("dividend", DOUBTFUL, _doubt_twice(frame)),
        ("dividend", DOUBTFUL, _doubt_subunits(frame, currency)),
        *_doubt_by_opinion(frame, step, opinion),
    )
    doubts = [
        Doubt(f"{session:%Y-%m-%d}", field, f"{frame[field].at[session]:.6g}", reason, state)
        for field, state, reasons in rules
        for session, reason in reasons.items()
    ]
    first = {(doubt.session, doubt.field): doubt for doubt in reversed(doubts)}  # what an earlier rule says stays
    return tuple(first[key] for key in sorted(first))


def _log(values: Series) -> Series:
    return pd.Series(np.log(values.to_numpy()), index=values.index)


def _tell(is_odd: Series, say: Callable[[Any], str]) -> Reasons:
    """A reason for each session of a mask."""
    return {session: say(session) for session in is_odd.index[is_odd]}


def _doubt_splits(splits: Series, step: Series, scale: Series) -> Reasons:
    """Recorded splits that the closes still show, once or twice."""
    whole = _log(splits.where((splits > 0) & (splits != 1)))
    off = (step + whole).abs().clip(upper=(step - whole).abs())
    shown = (off < whole.abs() / 3) & (step.abs() > DROP_SCALES * scale)
    return _tell(shown, lambda s: f"the close is {np.exp(step[s]):.3g} times the one before, which it should not show")


def _doubt_spikes(step: Series, scale: Series, volume: Series) -> Rules:
    """A jump away from the market that the next session takes back whole; doubtful where hardly anybody traded."""
    far = step.abs() > (SPIKE_SCALES * scale).clip(lower=MIN_SPIKE)
    spikes = far & ((step + step.shift(-1)).abs() < SPIKE_TOLERANCE * step.abs())
    is_calm = volume <= SURGE * volume.rolling(NEIGHBOURS, center=True, min_periods=2).median()
    reasons = _tell(spikes, lambda s: f"it jumps by {np.expm1(step[s]):+.1%} and is back the next session")
    after = _tell(spikes & is_calm, lambda s: reasons[s])
    back = _tell((spikes & is_calm).shift(fill_value=False), lambda s: "it takes back the jump of the session before")
    return [("close", DOUBTFUL, back | after), ("close", NOTED, reasons)]


def _doubt_unpaid(frame: pd.DataFrame, step: Series, scale: Series) -> Reasons:
    """Dividends so large that the price would have shown them, and did not; one that stood still had no occasion."""
    share = frame["dividend"] / frame["close"].shift()
    large = share > (DROP_SCALES * scale).clip(lower=MIN_YIELD)
    kept = step - _log(1 - share.clip(upper=0.999999)) > (DROP_SCALES * scale).clip(lower=share / 2)
    odd = ((share >= 1) | (large & kept)) & (frame["volume"] != 0)
    return _tell(odd, lambda s: f"it is {share[s]:.1%} of the close before, which moved by {np.expm1(step[s]):+.1%}")


def _doubt_twice(frame: pd.DataFrame) -> Reasons:
    """One dividend entered on two days."""
    paid = frame["dividend"][frame["dividend"] > 0]
    gaps = np.diff(frame.index.get_indexer(paid.index))
    usual = np.quantile(gaps, 0.75) if len(gaps) > 1 else np.inf
    alike = np.abs(paid.to_numpy()[:-1] / paid.to_numpy()[1:] - 1) < TWICE_TOLERANCE
    pairs = [int(i) for i in np.flatnonzero((gaps <= TWICE_SESSIONS) & alike & (usual > PAYING_SESSIONS))]
    said = "nearly the same stands on {:%Y-%m-%d}: one dividend twice"
    return {paid.index[i + k]: said.format(paid.index[i + 1 - k]) for i in pairs for k in (0, 1)}


def _doubt_subunits(frame: pd.DataFrame, currency: str) -> Reasons:
    """Dividends a hundredth, or a hundredfold, of what is usual, where prices are quoted in a subunit."""
    paid = frame["dividend"][frame["dividend"] > 0]
    if currency not in SUBUNITS:
        return {}
    ratio, share = paid / paid.median(), paid / frame["close"].reindex(paid.index)
    odd = (ratio.where(ratio >= 1, 1 / ratio).between(*HUNDREDFOLD) & (len(paid) > 2)) | (share < MIN_SUBUNIT_YIELD)
    said = "{:.2%} of the close and {:.3g} times the firm's usual one: pence and pounds may be mixed up"
    return _tell(odd, lambda s: said.format(share[s], ratio[s]))


def _doubt_by_opinion(frame: pd.DataFrame, step: Series, opinion: pd.DataFrame | None) -> Rules:
    """What a second reading changes; where there is none, the step of the adjusted series is asked of dividends."""
    paid, closes = frame["dividend"], frame["close"]
    if opinion is None:
        kept = frame["adj_close"] / closes
        implied = (1 - kept.shift() / kept) * closes.shift()
        apart = (implied > MIN_IMPLIED * closes) & ((implied > 2 * paid) | (implied < paid / 2))
        return [("dividend", DOUBTFUL, _tell(apart, lambda s: f"the adjusted series takes off {implied[s]:.4g}"))]
    other = opinion.reindex(frame.index)
    theirs = other["dividend"].fillna(paid)
    changed = (paid - theirs).abs() > OPINION_TOLERANCE * paid.clip(lower=theirs)
    moved = (_log(other["close"] / other["close"].shift()) - step).abs() > OPINION_TOLERANCE
    return [
        ("dividend", DOUBTFUL, _tell(changed, lambda s: f"a second reading makes it {theirs[s]:.6g}")),
        ("close", DOUBTFUL, _tell(moved, lambda s: f"a second reading makes it {other['close'][s]:.6g}")),
    ]
