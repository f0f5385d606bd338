"""The other firms on the day of the event, in words and tables."""

from __future__ import annotations

from typing import Any

from event_impact.many.peer_tests import PeerEstimate, Spillover
from event_impact.page.columns import Column, declare_table
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import format_number, format_percent, format_plain, format_size, name_listing
from event_impact.page.words import read_labels, say

GROUP_TEST_LABELS = read_labels("spillover_tables.group_test_labels")
ROLE_LABELS = {"peer": "peer", "counterparty": "named in the story"}


def tabulate_peers(spillover: Spillover) -> TableExhibit:
    """Each firm on its own, with its own recorded news."""
    columns = (
        Column("ticker"),
        Column("", "firm", of=lambda p: name_listing(p.ticker, p.exchange)),
        Column("role", "role", ROLE_LABELS.__getitem__),
        Column("exchange"),
        Column("session", "session", lambda at: str(at.date())),
        Column("estimate", "abnormal return", "percent", why="note"),
        Column("standard_error"),
        Column("ci95", "95 % interval", "interval"),
        Column("", "t", "number", of="tests.t.statistic"),
        Column("p_t", of="tests.t.p_value"),
        Column("p_sample_quantile", of="tests.sample_quantile.p_value"),
        Column("p_conformal", "p conformal", "p", of="tests.conformal.p_value"),
        Column("n_estimation", of="abnormal.fit.n_estimation"),
        Column("", "own news of that session", of=lambda p: (p.own_news or "none recorded") if p.is_measured else None),
        Column("own_news"),
        Column("is_clean"),
        Column("", "reading", of=_read_peer),
        Column("note"),
    )
    caption = say("spillover_tables.peers.caption")
    everyone = [*spillover.peers, *(f.estimate for f in spillover.foreign)]
    return declare_table("peers", everyone, columns, caption=caption)


def _read_peer(peer: PeerEstimate) -> str | None:
    if not peer.is_measured:
        return None
    if peer.own_news:
        return "uninterpretable: own news"
    return "donor" if peer.is_clean else "descriptive"


def tabulate_groups(spillover: Spillover) -> TableExhibit:
    """Tests of the peers together."""
    space = spillover.in_space
    rows: list[dict[str, object]] = [
        {
            "group": g.name, "members": ";".join(g.members), "portfolio": g.portfolio,
            "mean_correlation": g.mean_correlation, "test": t,
        }
        for g in spillover.groups
        for t in g.tests
    ]  # fmt: skip
    donors = ";".join(d.ticker for d in spillover.clean)
    rows.append({"group": "the firm among clean donors", "members": donors, "test": space, "why": "one firm"})
    columns = (
        Column("", "group and test", of=lambda r: f"{r['group']}: {GROUP_TEST_LABELS[r['test'].name]}"),
        Column("group"),
        Column("members"),
        Column("portfolio", "average abnormal return", "percent", why="why"),
        Column("mean_correlation", "mean correlation", "number", why="why"),
        Column("test", of="test.name"),
        Column("statistic", "statistic", "number", of="test.statistic", why=_why_no_statistic),
        Column("df", of="test.df"),
        Column("p", "p", "p", of="test.p_value", why="test.note"),
        Column("note", of="test.note"),
    )
    caption = say("spillover_tables.groups.caption", note=space.note)
    return declare_table("peer_groups", rows, columns, caption=caption)


def _why_no_statistic(row: dict[str, Any]) -> str:
    return "a rank" if row["test"].p_value is not None else ""


def tabulate_adjusted(spillover: Spillover) -> TableExhibit:
    """The market model beside every comparison with peers."""
    columns = (
        Column("label", "comparison"),
        Column("", "peers", of=lambda a: ", ".join(a.donors) or "none"),
        Column("donors", of=lambda a: ";".join(a.donors)),
        Column("estimate", "estimate", "percent", why="note"),
        Column("residual_std", "residual s.d.", "size"),
        Column("weight_sum", "sum of peer weights", "number"),
        Column("p_conformal", "p conformal", "p"),
        Column("p_fhs", "p FHS", "p"),
        Column("note"),
    )
    caption = say("spillover_tables.adjusted.caption")
    return declare_table("peer_adjusted", spillover.adjusted, columns, caption=caption, has_headline=True)


FOREIGN_LABELS = read_labels("spillover_tables.foreign_labels")


def tabulate_foreign(spillover: Spillover) -> TableExhibit:
    """Coefficients of listings that trade at other hours."""
    rows: list[dict[str, object]] = []
    for found in spillover.foreign:
        peer, abnormal = found.estimate, found.estimate.abnormal
        if abnormal is None:
            rows.append({"ticker": peer.ticker, "quantity": "estimate", "note": peer.note})
            continue
        fit = abnormal.fit
        for name, value, error in (
            *(
                (str(name), float(fit.coefficients[name]), float(fit.coefficient_errors[name]))
                for name in fit.coefficients.index
            ),
            ("lead_check_t", found.lead_t, None),
            ("n_irregular", float(found.n_irregular), None),
            ("n_estimation", float(fit.n_estimation), None),
            ("abnormal_return", peer.estimate, peer.standard_error),
        ):
            rows.append({"ticker": peer.ticker, "quantity": name, "value": value, "standard_error": error})
    columns = (
        Column(
            "",
            "listing and quantity",
            of=lambda r: f"{r['ticker']}: {FOREIGN_LABELS.get(r['quantity'], r['quantity'])}",
        ),
        Column("ticker"),
        Column("quantity"),
        Column("", "value", of=_say_foreign, why="note"),
        Column("value"),
        Column("standard_error"),
        Column("note"),
    )
    none = "" if rows else " The story names none."
    caption = say("spillover_tables.foreign.caption", none=none)
    return declare_table("foreign_listings", rows, columns, caption=caption)


def _say_foreign(row: dict[str, Any]) -> str | None:
    value, name, error = row.get("value"), row["quantity"], row.get("standard_error")
    if value is None:
        return None
    if name in ("n_irregular", "n_estimation"):
        return f"{value:.0f}"
    if name == "abnormal_return":
        return format_percent(value) + ("" if error is None else f" (s.e. {format_size(error)})")
    if error is None:
        return format_number(value)
    return f"{format_number(value, digits=4)} (s.e. {format_plain(error, digits=4)})"
