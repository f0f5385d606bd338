"""Files of prices as vendors write them: which of their columns are which of ours."""

import re

import pandas as pd

from event_impact.market.checks import refuse

ALIASES = {
    "date": ("date", "datetime", "timestamp", "session", "tradedate"), "ticker": ("ticker", "symbol"),
    "open": ("open",), "high": ("high",), "low": ("low",), "close": ("close", "closelast", "last", "price"),
    "adj_close": ("adjclose", "adjustedclose"), "volume": ("volume", "vol"),
    "dividend": ("dividend", "dividends", "dividendamount", "divcash"),
    "split": ("split", "stocksplits", "splitcoefficient", "splitfactor"),
}  # fmt: skip
"""Ours -> theirs, without signs and case: Yahoo!, Stooq, Nasdaq, Alpha Vantage, Tiingo and the like."""
SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


def rename_columns(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """The columns that are understood, under our names.

    Raises
    ------
    DataError
        If two columns mean the same, or date or close is missing: then with what was read as what.
    """
    theirs = {str(name): re.sub(r"[^a-z]", "", str(name).lower()) for name in frame.columns}
    read = {name: ours for name, plain in theirs.items() for ours, known in ALIASES.items() if plain in known}
    held = list(read.values())
    missing = [name for name in ("date", "close") if name not in held]
    twice = [name for name in ALIASES if held.count(name) > 1]
    if missing or twice:
        found = "; ".join(f"{name!r} read as {read.get(name, 'nothing')}" for name in list(theirs)[:12])
        what = f"no column for {' and '.join(missing)}" if missing else f"two columns for {twice[0]}"
        raise refuse(where, f"{what} ({found})", "Separate by commas, and give at least the columns date and close.")
    return frame.set_axis(list(theirs), axis=1)[list(read)].rename(columns=read)


def read_vendor_cells(frame: pd.DataFrame, where: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows oldest first, dates with a year first, prices without a currency sign; and what had to be read that way.

    Raises
    ------
    DataError
        If dates with slashes can be read in two ways.
    """
    frame, said = frame.reset_index(drop=True), []
    parts = frame["date"].astype(str).str.extract(SLASHED).astype(float)
    if parts.notna().all().all() and len(parts):
        later = [int(parts[i].max()) > 12 for i in (0, 1)]
        if sum(later) != 1:
            raise refuse(
                where, "dates such as " + str(frame["date"].iloc[0]) + " can be read in two ways", "Write YYYY-MM-DD."
            )
        month, day = (parts[0], parts[1]) if later[1] else (parts[1], parts[0])
        frame["date"] = [f"{y:04.0f}-{m:02.0f}-{d:02.0f}" for y, m, d in zip(parts[2], month, day, strict=True)]
        said.append(f"dates were read as {'month/day' if later[1] else 'day/month'}/year")
    for name in frame.columns.difference(["date", "ticker"]):
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = frame[name].map(
                lambda cell: cell.strip().removeprefix("$") if isinstance(cell, str) else cell
            )
    if len(frame) > 1 and frame["date"].is_monotonic_decreasing and frame["date"].is_unique:
        frame = frame.iloc[::-1].reset_index(drop=True)
        said.append("rows came newest first")
    if "dividend" not in frame.columns or frame["dividend"].isna().all():
        frame = frame.drop(columns=["dividend", "adj_close"], errors="ignore")
        said.append("there are no dividends, so that returns are of the price alone")
    if "open" not in frame.columns or frame["open"].isna().all():
        said.append("there are no opening prices, so that no return to the open can be had")
    return frame, tuple(said)
