"""A new download against what was recorded before, session by session over their overlap."""

from dataclasses import dataclass

import pandas as pd

CENT_TOLERANCE = 0.0051
#: Relative and absolute, in the currency of the listing: recorded prices are rounded to cents and stored in single
#: precision by the provider. Both must be exceeded.
TOLERANCES = {"close": (5e-4, CENT_TOLERANCE), "open": (5e-4, CENT_TOLERANCE), "dividend": (0.0, 0.00051)}
SNAPSHOT_TOLERANCE = 0.005
#: Another vendor's closes may differ on a few sessions; more than this share is another series.
SNAPSHOT_SHARE = 0.01
FACTOR_TOLERANCE = 0.01
IDENTITY = {
    "currency": "the currency",
    "exchangeName": "the exchange",
    "instrumentType": "the kind of instrument",
    "firstTradeDate": "the first trading day (a recycled ticker)",
}


@dataclass(frozen=True)
class Comparison:
    """What changed in the history of one ticker.

    Attributes
    ----------
    against : str
        The recording compared with; empty for the first.
    sessions : int
        Length of the overlap.
    revisions : tuple of str
        Changes beyond tolerance; each stops a download that is not told to accept them.
    notes : tuple of str
        What is worth saying and stops nothing, such as a split since then.
    """

    ticker: str
    against: str
    sessions: int
    revisions: tuple[str, ...]
    notes: tuple[str, ...]


def adjust_for_splits(old: pd.DataFrame, new: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The old history on the new one's footing: prices and dividends divided by every split since."""
    old, notes = old.copy(), []
    known = old["split"] if "split" in old.columns else pd.Series(0.0, index=old.index)
    splits = new["split"][~new["split"].isin([0.0, 1.0])]
    splits = splits[known.reindex(splits.index).fillna(0.0) != splits]
    for session, ratio in zip(splits.index, splits, strict=True):
        before = old.index < session
        old.loc[before, ["open", "high", "low", "close", "dividend"]] /= ratio
        old.loc[before, "volume"] *= ratio
        notes.append(f"split of {ratio:g} on {session.date()}: all earlier prices were restated by the provider")
    return old, notes


def compare_history(
    ticker: str, old: pd.DataFrame, new: pd.DataFrame, *, against: str, listings: tuple[dict[str, str], dict[str, str]]
) -> Comparison:
    """Compare with the last download of the same provider.

    Parameters
    ----------
    old, new : pandas.DataFrame
        Index session; open, high, low, close, volume, dividend, split. ``old`` cut to the sessions asked for now.
    """
    was, now = listings
    changes = [key for key in IDENTITY if key in was and key in now and was[key] != now[key]]
    revisions = [f"{IDENTITY[key]} changed from {was[key]} to {now[key]}" for key in changes]
    old, notes = adjust_for_splits(old, new)
    gone = old.index.difference(new.index)
    if len(gone):
        revisions.append(f"{len(gone)} recorded sessions are gone, the first {gone[0].date()}")
    both = old.index.intersection(new.index)
    filled = new.index[(new.index > old.index[0]) & (new.index < old.index[-1])].difference(old.index)
    if len(filled):
        notes.append(f"{len(filled)} sessions that were missing are there now, the first {filled[0].date()}")
    before, after = old.loc[both], new.loc[both]
    if (factor := find_factor(before["close"], after["close"])) is not None:
        unit = " (another unit, such as cents)" if abs(factor * 0.01 - 1) < 0.02 or abs(factor * 100 - 1) < 0.02 else ""
        revisions.append(f"all closes changed by a factor of {factor:.4g} without a split{unit}")
    else:
        for name, (relative, absolute) in TOLERANCES.items():
            changed = differs(before[name], after[name], relative, absolute)
            if changed.any():
                day = changed.index[changed][0]
                figures = f"from {before[name].at[day]:.6g} to {after[name].at[day]:.6g}"
                revisions.append(f"{name} of {int(changed.sum())} sessions changed, the first {day.date()} {figures}")
    moved = int(((before["volume"] - after["volume"]).abs() > 0.05 * before["volume"]).sum())
    if moved and factor is None:
        notes.append(f"volume of {moved} sessions changed by more than 5 %")
    return Comparison(ticker, against, len(both), tuple(revisions), tuple(notes))


def compare_snapshot(ticker: str, old: pd.DataFrame, new: pd.DataFrame, *, against: str) -> Comparison:
    """Compare a first download with the embedded figures of another vendor, by closes alone."""
    both = old.index.intersection(new.index)
    before, after = old.loc[both, "close"], new.loc[both, "close"]
    changed = differs(before, after, SNAPSHOT_TOLERANCE, CENT_TOLERANCE)
    revision, note = "", "no session in common" if both.empty else ""
    if (factor := find_factor(before, after)) is not None:
        factored = f"all closes differ from {against} by a factor of {factor:.4g}"
        revision = f"{factored}: another unit, a split or another listing"
    elif changed.any():
        note = f"{int(changed.sum())} of {len(both)} closes differ from {against} by more than {SNAPSHOT_TOLERANCE:.1%}"
        if changed.mean() > SNAPSHOT_SHARE:
            revision, note = f"{note}, the first on {changed.index[changed][0].date()}", ""
    return Comparison(ticker, against, len(both), (revision,) if revision else (), (note,) if note else ())


def differs(before: pd.Series, after: pd.Series, relative: float, absolute: float) -> pd.Series:
    """Where two series disagree beyond both tolerances, or the second lacks a figure; one that it has gained is none."""
    gap = (after - before).abs()
    return ((gap > relative * before.abs()) & (gap > absolute)) | (before.notna() & after.isna())


def find_factor(before: pd.Series, after: pd.Series) -> float | None:
    """The one factor, other than 1, between two series; None where there is none."""
    if len(before) < 3:
        return None
    ratio = after / before
    middle = float(ratio.median())
    is_constant = bool(((ratio / middle - 1).abs() < FACTOR_TOLERANCE).mean() > 0.98)
    return middle if is_constant and abs(middle - 1) > 2 * FACTOR_TOLERANCE else None
