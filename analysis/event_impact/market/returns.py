"""Simple total returns of a listing and of what it is compared with, cut at ``as_of``.

Three kinds (contract of the study, all simple, dividends added on the ex-date):
close_to_close ``(C_t + D_t) / C_{t-1} - 1``, close_to_open ``(O_t + D_t) / C_{t-1} - 1``,
open_to_close ``C_t / O_t - 1``.
"""

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

import pandas as pd

from event_impact.base.errors import DataError
from event_impact.events.calendars import load_hours
from event_impact.market.checks import Doubt, describe_doubts
from event_impact.market.snapshot import PriceHistory, PriceStore

RETURN_KINDS = ("close_to_close", "close_to_open", "open_to_close")


@dataclass(frozen=True)
class ReturnPanel:
    """Returns of a firm, its benchmark and others on the firm's sessions.

    Attributes
    ----------
    returns : dict of str to pandas.DataFrame
        For each return kind: index session, one column a ticker, fractions. A missing return is NaN
        and its reason stands in ``notes``.
    prices : pandas.DataFrame
        The firm's own open, high, low, close, volume, dividend.
    benchmark_prices : pandas.DataFrame
        The same of the benchmark.
    factors : pandas.DataFrame or None
        Daily factors as fractions, where a model asks for them.
    inputs : dict of str to str
        Files read, with their sha256.
    vintage : str
        Name of the recording.
    notes : tuple of str
        Known faults that touch these figures, and what was set aside or is doubted, in words.
    doubts : dict of str to tuple of Doubt
        The same by ticker, up to as_of.
    """

    ticker: str
    benchmark: str
    exchange: str
    as_of: date
    returns: dict[str, pd.DataFrame]
    prices: pd.DataFrame
    benchmark_prices: pd.DataFrame
    factors: pd.DataFrame | None
    inputs: dict[str, str]
    vintage: str
    notes: tuple[str, ...]
    doubts: dict[str, tuple[Doubt, ...]] = field(default_factory=dict)

    @property
    def opens(self) -> pd.DatetimeIndex:
        """Sessions whose opening price is recorded."""
        return pd.DatetimeIndex(self.prices.index[self.prices["open"].notna()])

    @property
    def has_open(self) -> bool:
        """Whether any session has an opening price."""
        return len(self.opens) > 0

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """Sessions of the firm up to as_of."""
        return pd.DatetimeIndex(self.prices.index)

    def _repr_html_(self) -> str:
        last = self.returns["close_to_close"].tail(5).map(lambda r: f"{100 * r:+.2f} %")
        return f"<p>{len(self.sessions)} sessions, last five close-to-close returns:</p>{last.to_html()}"


def total_returns(prices: pd.DataFrame) -> pd.DataFrame:
    """The three simple total returns of one price history.

    Parameters
    ----------
    prices : pandas.DataFrame
        Index session; open, close, dividend in one currency.

    Returns
    -------
    pandas.DataFrame
        Same index without its first session; columns :data:`RETURN_KINDS`, fractions.
    """
    previous = prices["close"].shift()
    ends = [(prices[name] + prices["dividend"]) / previous - 1 for name in ("close", "open")]
    columns = (*ends, prices["close"] / prices["open"] - 1)
    return pd.DataFrame(dict(zip(RETURN_KINDS, columns, strict=True))).iloc[1:]


@lru_cache(maxsize=64)
def faultless_returns(history: PriceHistory) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Total returns with those that are known to be wrong taken out, and what was taken out; the same object each time.

    Parameters
    ----------
    history : PriceHistory
        Prices with the faults that are known of them.

    Returns
    -------
    returns : pandas.DataFrame
        As :func:`total_returns` on every session of the exchange, fractions; missing where they are known to be
        wrong, or a close that they need is not recorded.
    notes : tuple of str
        What was taken out, in words.
    """
    sessions = load_hours(history.exchange).between(history.frame.index[0], history.frame.index[-1])
    returns = total_returns(history.frame.reindex(sessions))
    notes = [f"{history.ticker}: {note}." for note in history.notes]
    wrong = history.faults["session"][history.faults["action"] == "mask_return"]
    masked = returns.index.intersection(pd.DatetimeIndex(pd.to_datetime(wrong)))
    if len(masked):
        returns.loc[masked] = float("nan")
        days = ", ".join(str(d.date()) for d in masked)
        notes.append(f"{history.ticker}: returns of {days} left out (the recording misses a dividend).")
    if gaps := len(sessions) - len(history.frame):
        said = "sessions have no close in the recording; their returns, and those that span them, are left out."
        notes.append(f"{history.ticker}: {gaps} {said}")
    return returns, tuple(notes)


def load_panel(
    store: PriceStore, ticker: str, *, benchmark: str, exchange: str, as_of: date, others: tuple[str, ...] = (),
    with_factors: bool = False,
) -> ReturnPanel:  # fmt: skip
    """Returns of a firm and its benchmark (and peers of the same sessions), cut at ``as_of``.

    Parameters
    ----------
    store : PriceStore
        Where prices come from.
    ticker, benchmark : str
        The listing, and what explains its ordinary sessions.
    exchange : str
        Market identifier of both.
    as_of : datetime.date
        The last session whose close may be seen.
    others : tuple of str
        Peers of the same sessions.
    with_factors : bool
        Whether daily factors are read as well.

    Returns
    -------
    ReturnPanel
        On the sessions of the exchange from the first to the last that firm and benchmark share, up to ``as_of``.

    Raises
    ------
    DataError
        If ``as_of`` lies after the last recorded session, or firm and benchmark trade on
        different sessions.
    """
    histories = {name: store.load(name, exchange) for name in dict.fromkeys((ticker, benchmark, *others))}
    firm, market = histories[ticker], histories[benchmark]
    label = pd.Timestamp(as_of)
    for history in histories.values():
        if label > (last := history.frame.index[-1]):
            told = f"as_of: {as_of} lies after the last recorded session of {history.ticker}, {last.date()}."
            raise DataError(told, "Choose an earlier as_of, or fetch newer figures.")
    shared = firm.frame.index.intersection(market.frame.index)
    shared = shared[shared <= label]
    if len(shared) < 2:
        raise DataError(f"{ticker} and {benchmark} share no sessions up to {as_of}.", "Check the files.")
    sessions = load_hours(exchange).between(shared[0], shared[-1])
    doubts = {n: tuple(d for d in h.doubts if d.session <= as_of.isoformat()) for n, h in histories.items()}
    pieces, notes = {}, list[str]()
    for name, history in histories.items():
        pieces[name], said = faultless_returns(history)
        notes.extend((*said, *describe_doubts(name, doubts[name])))
    columns = {kind: {name: piece[kind] for name, piece in pieces.items()} for kind in RETURN_KINDS}
    returns = {kind: pd.DataFrame(held).reindex(sessions[1:]) for kind, held in columns.items()}
    inputs = {file: sha for history in histories.values() for file, sha in history.files.items()}
    vintages = [history.vintage for history in histories.values()]
    factors = None
    if with_factors:
        factors, files, vintage = store.load_factors()
        factors = factors[factors.index <= label]
        inputs.update(files)
        vintages.append(vintage)
    return ReturnPanel(
        ticker=ticker, benchmark=benchmark, exchange=exchange, as_of=as_of, returns=returns,
        prices=firm.frame.reindex(sessions), benchmark_prices=market.frame.reindex(sessions), factors=factors,
        inputs=inputs, vintage="; ".join(dict.fromkeys(vintages)), notes=tuple(notes), doubts=doubts,
    )  # fmt: skip
