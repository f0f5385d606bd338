"""Firms that share the market of a story's firm, and the other side of the story, with their exchanges."""

from dataclasses import dataclass
from pathlib import Path

from event_impact.base.csv_tables import Tables, check_row, check_unique, check_words, open_tables

PEER_COLUMNS = ("ticker", "peer", "exchange", "role", "peer_set", "notes")
PEER_ROLES = ("peer", "counterparty")


@dataclass(frozen=True)
class Peer:
    """One listing beside the firm's.

    Attributes
    ----------
    ticker, exchange : str
        The listing and the MIC of its calendar.
    role : str
        ``peer`` (same industry) or ``counterparty`` (named in the story: never a donor).
    peer_set : str
        Peers of one set join the market model together; empty for none.
    """

    ticker: str
    exchange: str
    role: str
    peer_set: str
    notes: str


def load_peers(ticker: str, data: Path | Tables) -> tuple[Peer, ...]:
    """The peers and counterparties of a firm, in the order of ``peers.csv``; empty when none is listed.

    Parameters
    ----------
    ticker : str
        The firm.
    data : pathlib.Path
        Folder of the tables.

    Returns
    -------
    tuple of Peer

    Raises
    ------
    DataError
        For a malformed row.
    """
    table = open_tables(data).read("peers.csv", PEER_COLUMNS)
    rows = table[table["ticker"] == ticker]
    peers = []
    for row in rows.to_dict("records"):
        where = f"peers.csv, {ticker} {row['peer']}"
        check_words(row, where, role=PEER_ROLES)
        is_other = bool(row["exchange"]) and row["peer"] not in ("", ticker)
        check_row(is_other, where, "a peer is another listing with its exchange")
        peers.append(Peer(row["peer"], row["exchange"], row["role"], row["peer_set"], row["notes"]))
    check_unique(rows["peer"], f"peers.csv, {ticker}")
    return tuple(peers)
