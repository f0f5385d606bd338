"""The other firms on the day of the event, in words and tables.

The first screen of the other firms: who moved on the day, and what a rank among few can reach at best.
"""

import dataclasses
from typing import Any

from event_impact.events.sessions import Alignment
from event_impact.many.peer_tests import GroupTests, PeerEstimate, Spillover
from event_impact.page import format as form
from event_impact.page.comparison_figures import draw_peers, list_others
from event_impact.page.exhibits import Column, TableExhibit, declare_table, record, show
from event_impact.page.finding import say_day
from event_impact.page.first_screen import FirstScreen, ScreenRow, read_outcome

GROUP_TEST_LABELS = form.read_labels("spillover_tables.group_test_labels")
ROLE_LABELS = {"peer": "peer", "counterparty": "named in the story"}


def tabulate_peers(spillover: Spillover) -> TableExhibit:
    """Each firm on its own, with its own recorded news."""
    columns = (
        *record("ticker"),
        Column("", "firm", of=lambda p: form.name_listing(p.ticker, p.exchange)),
        Column("role", "role", ROLE_LABELS.__getitem__),
        *record("exchange"),
        Column("session", "session", lambda at: str(at.date())),
        *show("estimate|abnormal return|percent|note", "standard_error|", "ci95|95 % interval|interval"),
        *show("=tests.t.statistic|t|number", "p_t=tests.t.p_value|"),
        *show("p_sample_quantile=tests.sample_quantile.p_value|", "p_conformal=tests.conformal.p_value|p conformal|p"),
        Column("", "own news of that session", of=lambda p: (p.own_news or "none recorded") if p.is_measured else None),
        Column("", "reading", of=_read_peer),
        *record("n_estimation=abnormal.fit.n_estimation own_news is_clean note"),
    )
    return declare_table("peers", list_others(spillover), columns)


def _read_peer(peer: PeerEstimate) -> str | None:
    if not peer.is_measured:
        return None
    if peer.own_news:
        return "uninterpretable: own news"
    return "donor" if peer.is_clean else "descriptive"


def tabulate_groups(spillover: Spillover) -> TableExhibit:
    """Tests of the peers together."""
    space = spillover.in_space
    rows: list[dict[str, object]] = []
    for g in spillover.groups:
        shared = {"portfolio": g.portfolio, "mean_correlation": g.mean_correlation}
        rows += [{"group": g.name, "members": ";".join(g.members), "test": test, **shared} for test in g.tests]
    donors = ";".join(d.ticker for d in spillover.clean)
    rows.append({"group": "the firm among clean donors", "members": donors, "test": space, "why": "one firm"})
    columns = (
        Column("", "group and test", of=lambda r: f"{r['group']}: {GROUP_TEST_LABELS[r['test'].name]}"),
        *show("group|", "members|", "portfolio|average abnormal return|percent|why"),
        *show("mean_correlation|mean correlation|number|why", "test=test.name|"),
        Column("statistic", "statistic", "number", of="test.statistic", why=_why_no_statistic),
        *show("df=test.df|", "p=test.p_value|p|p|test.note", "note=test.note|"),
    )
    return declare_table("peer_groups", rows, columns, note=space.note)


def _why_no_statistic(row: dict[str, Any]) -> str:
    return "a rank" if row["test"].p_value is not None else ""


def tabulate_adjusted(spillover: Spillover) -> TableExhibit:
    """The market model beside every comparison with peers."""
    columns = (
        *show("label|comparison"),
        Column("", "peers", of=lambda a: ", ".join(a.donors) or "none"),
        Column("donors", of=lambda a: ";".join(a.donors)),
        *show("estimate|estimate|percent|note", "residual_std|residual s.d.|size"),
        *show("weight_sum|sum of peer weights|number", "p_conformal|p conformal|p", "p_fhs|p FHS|p", "note|"),
    )
    return declare_table("peer_adjusted", spillover.adjusted, columns, has_headline=True)


FOREIGN = ("quantity", "value", "standard_error")
FOREIGN_LABELS = form.read_labels("spillover_tables.foreign_labels")


def tabulate_foreign(spillover: Spillover) -> TableExhibit:
    """Coefficients of listings that trade at other hours."""
    rows: list[dict[str, object]] = []
    for peer in spillover.foreign:
        if peer.abnormal is None:
            rows.append({"ticker": peer.ticker, "quantity": "estimate", "note": peer.note})
            continue
        fit = peer.abnormal.fit
        held = [
            *zip(fit.coefficients.index, fit.coefficients.tolist(), fit.coefficient_errors.tolist(), strict=True),
            ("lead_check_t", peer.lead_t, None),
            ("n_irregular", float(peer.n_irregular), None),
            ("n_estimation", float(fit.n_estimation), None),
            ("abnormal_return", peer.estimate, peer.standard_error),
        ]
        rows += [dict(zip(("ticker", *FOREIGN), (peer.ticker, *each), strict=True)) for each in held]
    columns = (
        Column("", "listing and quantity", of=_name_foreign),
        Column("", "value", of=_say_foreign, why="note"),
        *record("ticker quantity value standard_error note"),
    )
    return declare_table("foreign_listings", rows, columns, none="" if rows else " The story names none.")


def _name_foreign(row: dict[str, Any]) -> str:
    return f"{row['ticker']}: {FOREIGN_LABELS.get(row['quantity'], row['quantity'])}"


def _say_foreign(row: dict[str, Any]) -> str | None:
    value, name, error = row.get("value"), row["quantity"], row.get("standard_error")
    if value is None:
        return None
    if name in ("n_irregular", "n_estimation"):
        return f"{value:.0f}"
    if name == "abnormal_return":
        return form.format_percent(value) + ("" if error is None else f" (s.e. {form.format_size(error)})")
    if error is None:
        return form.format_number(value)
    return f"{form.format_number(value, digits=4)} (s.e. {form.format_plain(error, digits=4)})"


COLUMNS = tuple(form.say("spillover_tables.heads").split("|"))


def compose_spillover(
    spillover: Spillover, alignment: Alignment, daily: FirstScreen, *, significance: float
) -> FirstScreen:
    """Who moved, what cannot be read, and what the comparison with peers deducts.

    Parameters
    ----------
    daily : FirstScreen
        Of the study of the firm itself: firm, story and dates are its own.
    """
    firm = alignment.story.firm_name
    groups = {g.name: _judge(g, significance) for g in spillover.groups}
    lead = spillover.groups[-1]
    return dataclasses.replace(
        daily,
        reading=groups[lead.name],
        finding=_head(spillover, firm, alignment, groups[lead.name]),
        sentences=(_say_rank(spillover, firm), _say_unreadable(spillover)),
        drawings=(draw_peers(spillover, firm),),
        columns=COLUMNS,
        rows=(*(_show_group(g, groups[g.name]) for g in spillover.groups), _show_rank(spillover, firm)),
        notes=(
            ("Against peers:", _say_adjusted(spillover)),
            ("News of their own", form.say("spillover_tables.own_news")),
        ),
        csv="peers",
    )


def _list_p(group: GroupTests) -> list[float | None]:
    """Of the two tests that judge a group."""
    held = {t.name: t.p_value for t in group.tests}
    return [held.get(name) for name in ("kp_bmp", "portfolio_conformal")]


def _judge(group: GroupTests, significance: float) -> str:
    """The outcome of a group: both of its tests must reject."""
    known = [p for p in _list_p(group) if p is not None]
    if group.portfolio is None or not known:
        return "insufficient_data"
    return "found" if max(known) < significance else "no_detectable_effect"


def _head(spillover: Spillover, firm: str, alignment: Alignment, outcome: str) -> str:
    group, day = spillover.groups[-1], say_day(alignment.event_session)
    kind = "unknown" if group.portfolio is None else "found" if outcome == "found" else "none"
    peers = f"{len(group.members)} peers{'' if group.name == 'all peers' else ' without news of their own'}"
    return form.say(f"spillover_tables.findings.{kind}", firm=firm, peers=peers, day=day, average=group.portfolio)


def _say_rank(spillover: Spillover, firm: str) -> str:
    kind = "unranked" if spillover.in_space.p_value is None else "ranked"
    return form.say(f"spillover_tables.ranks.{kind}", firm=firm, test=spillover.in_space)


def _say_unreadable(spillover: Spillover) -> str:
    measured = [p for p in list_others(spillover) if p.is_measured]
    said = [p.ticker for p in measured if p.own_news]
    if not measured:
        lacking = ", ".join(p.ticker for p in spillover.peers) or "none is listed"
        return f"No peer is measured ({lacking}); the reasons stand in the figure."
    if not said:
        return "None of the firms measured has recorded news of its own that session."
    count = f"{len(said)} of {len(measured)}"
    return f"{count} other firms had news of their own and answer to that too: {', '.join(said)}."


def _show_group(group: GroupTests, outcome: str) -> ScreenRow:
    if group.portfolio is None:
        return ScreenRow(f"{group.name}: {group.tests[0].note}", ("n/a", str(len(group.members)), "", "", "", ""))
    shown = (form.format_p(p) if p is not None else "n/a" for p in _list_p(group))
    average = form.format_number(100 * group.portfolio, digits=1)
    return ScreenRow(group.name, (average, str(len(group.members)), *shown, "", read_outcome(outcome)))


def _show_rank(spillover: Spillover, firm: str) -> ScreenRow:
    label, test, n = f"{firm} by its rank among them", spillover.in_space, len(spillover.clean) + 1
    if test.p_value is None:
        return ScreenRow(f"{label}: {test.note}", ("n/a", "", "", "", "", ""), "beside")
    cells = ("", str(n), form.format_p(test.p_value), "", form.format_p(1 / n), "descriptive")
    return ScreenRow(label, cells, "beside")


def _say_adjusted(spillover: Spillover) -> str:
    base, *others = (a for a in spillover.adjusted if a.estimate is not None)
    if not others:
        return "no comparison can be made."
    estimates = [a.estimate for a in others if a.estimate is not None]
    sums = [a.weight_sum for a in others if a.weight_sum is not None]
    told = {"estimates": (min(estimates), max(estimates)), "least": min(sums), "most": max(sums)}
    return form.say("spillover_tables.adjusted", base=base, **told)
