"""The other firms on the day of the event, in words and tables."""

from __future__ import annotations

import pandas as pd

from event_impact.events.sessions import Alignment
from event_impact.many.peer_tests import PeerEstimate, Spillover
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import (
    format_interval,
    format_number,
    format_p,
    format_percent,
    format_session,
    or_reason,
    p_equals,
)
from event_impact.page.verdict import ListedVerdict, find_forbidden

GROUP_TEST_LABELS = {
    "kp_bmp": "adjusted BMP (Kolari and Pynnönen)",
    "adjusted_patell": "adjusted Patell",
    "portfolio_t": "portfolio, t",
    "portfolio_sample_quantile": "portfolio, sample quantile",
    "portfolio_conformal": "portfolio, conformal",
    "in_space": "rank of the scaled gap",
}
ROLE_LABELS = {"peer": "peer", "counterparty": "named in the story"}


def compose_spillover(spillover: Spillover, alignment: Alignment, *, significance: float) -> ListedVerdict:
    """Who moved, what the comparison with peers deducts, and what cannot be read at all.

    Raises
    ------
    ValueError
        If a sentence holds a forbidden wording.
    """
    question = f"Did other firms move on {format_session(alignment.event_session)}, with {alignment.story.ticker}?"
    sentences = (
        _say_group(spillover, significance),
        _say_adjusted(spillover),
        _say_in_space(spillover),
        _say_unreadable(spillover),
    )
    verdict = ListedVerdict("Spillover", question, tuple(s for s in sentences if s))
    if broken := find_forbidden(verdict.text):
        raise ValueError(f"the spillover verdict holds a forbidden wording: {', '.join(broken)}")
    return verdict


def _say_group(spillover: Spillover, significance: float) -> str:
    group = spillover.groups[-1]
    test = {t.name: t for t in group.tests}
    if group.portfolio is None:
        lacking = ", ".join(p.ticker for p in spillover.peers) or "none is listed"
        return (
            f"Nothing can be said of the peers ({lacking}): n/a: {group.tests[0].note}. The reasons stand in the table."
        )
    p_values = [test[n].p_value for n in ("kp_bmp", "portfolio_conformal") if test[n].p_value is not None]
    moved = "a common move is" if max(p_values) < significance else "no common move is"
    return (
        f"Among {group.name} ({', '.join(group.members)}) {moved} detectable: their average abnormal return is "
        f"{format_percent(group.portfolio)} (adjusted BMP {p_equals(test['kp_bmp'].p_value or 1.0)}, portfolio "
        f"conformal {p_equals(test['portfolio_conformal'].p_value or 1.0)})."
    )


def _say_adjusted(spillover: Spillover) -> str:
    base, *others = (a for a in spillover.adjusted if a.estimate is not None)
    if not others:
        return ""
    estimates = [a.estimate for a in others if a.estimate is not None]
    sums = [a.weight_sum for a in others if a.weight_sum is not None]
    return (
        f"Compared with peers the estimate of {format_percent(base.estimate or 0.0)} becomes "
        f"{format_percent(min(estimates))} to {format_percent(max(estimates))}; weights on peers sum to "
        f"{min(sums):.2f} to {max(sums):.2f}, and that share of anything the peers did in common is deducted."
    )


def _say_in_space(spillover: Spillover) -> str:
    test = spillover.in_space
    if test.p_value is None:
        return f"Rank among donors: n/a: {test.note}."
    return f"Rank among donors on the day: {p_equals(test.p_value)}; {test.note}."


def _say_unreadable(spillover: Spillover) -> str:
    said = [
        f"{p.ticker} ({p.own_news})"
        for p in (*spillover.peers, *(f.estimate for f in spillover.foreign))
        if p.is_measured and p.own_news
    ]
    if not said:
        return ""
    return f"Not readable as an answer to this story, since each had news of its own that session: {'; '.join(said)}."


def tabulate_peers(spillover: Spillover) -> TableExhibit:
    """Each firm on its own, with its own recorded news."""
    everyone = [*spillover.peers, *(f.estimate for f in spillover.foreign)]
    cells = pd.DataFrame(
        {
            "role": [ROLE_LABELS[p.role] for p in everyone],
            "session": [f"{p.session.date()}, {p.exchange}" if p.session else p.exchange for p in everyone],
            "abnormal return": [or_reason(p.estimate, format_percent, p.note) for p in everyone],
            "95 % interval": [format_interval(p.ci95) if p.ci95 else "n/a" for p in everyone],
            "t": [_statistic(p, "t") for p in everyone],
            "p conformal": [_p(p, "conformal") for p in everyone],
            "own news of that session": [_own_news(p) for p in everyone],
            "reading": [_reading(p) for p in everyone],
        },
        index=[p.ticker for p in everyone],
    )
    return TableExhibit(
        name="peers",
        cells=cells,
        row_header="firm",
        caption=(
            "Other firms, each by its own model. A firm with recorded news of its own that session shows that news "
            "together with everything else, so it is set apart from the clean donors. That no news is recorded "
            "does not mean that there was none."
        ),
        numbers=pd.DataFrame([_peer_record(p) for p in everyone]),
    )


def _statistic(peer: PeerEstimate, name: str) -> str:
    return or_reason(peer.tests[name].statistic, format_number, "") if name in peer.tests else "n/a"


def _p(peer: PeerEstimate, name: str) -> str:
    return or_reason(peer.tests[name].p_value, format_p, "") if name in peer.tests else "n/a"


def _own_news(peer: PeerEstimate) -> str:
    return "n/a" if not peer.is_measured else peer.own_news or "none recorded"


def _reading(peer: PeerEstimate) -> str:
    if not peer.is_measured:
        return "n/a"
    if peer.own_news:
        return "uninterpretable: own news"
    return "donor" if peer.is_clean else "descriptive"


def _peer_record(peer: PeerEstimate) -> dict[str, object]:
    low, high = peer.ci95 or (None, None)
    tests = {
        f"p_{n}": peer.tests[n].p_value if n in peer.tests else None for n in ("t", "sample_quantile", "conformal")
    }
    return {
        "ticker": peer.ticker,
        "role": peer.role,
        "exchange": peer.exchange,
        "session": peer.session,
        "estimate": peer.estimate,
        "standard_error": peer.standard_error,
        "ci95_low": low,
        "ci95_high": high,
        **tests,
        "n_estimation": peer.abnormal.fit.n_estimation if peer.abnormal else None,
        "own_news": peer.own_news,
        "is_clean": peer.is_clean,
        "note": peer.note,
    }


def tabulate_groups(spillover: Spillover) -> TableExhibit:
    """Tests of the peers together."""
    records = [
        {
            "group": g.name,
            "members": ";".join(g.members),
            "portfolio": g.portfolio,
            "mean_correlation": g.mean_correlation,
            "test": t.name,
            "statistic": t.statistic,
            "df": t.df,
            "p": t.p_value,
            "note": t.note,
        }
        for g in spillover.groups
        for t in g.tests
    ]
    space, donors = spillover.in_space, spillover.clean
    records.append(
        {
            "group": "the firm among clean donors",
            "members": ";".join(d.ticker for d in donors),
            "portfolio": None,
            "mean_correlation": None,
            "test": space.name,
            "statistic": space.statistic,
            "df": None,
            "p": space.p_value,
            "note": space.note,
        }
    )
    numbers = pd.DataFrame(records)
    cells = pd.DataFrame(
        {
            "average abnormal return": [or_reason(r["portfolio"], format_percent, _why_no_average(r)) for r in records],
            "mean correlation": [or_reason(r["mean_correlation"], format_number, _why_no_average(r)) for r in records],
            "statistic": [_group_statistic(r) for r in records],
            "p": [or_reason(r["p"], format_p, str(r["note"])) for r in records],
        },
        index=[f"{r['group']}: {GROUP_TEST_LABELS[str(r['test'])]}" for r in records],
    )
    return TableExhibit(
        name="peer_groups",
        cells=cells,
        row_header="group and test",
        caption=(
            "The peers together. Firms of one day share its shocks, so plain averages of their t values reject far too "
            "often; the adjusted statistics divide by what the mean correlation of their residuals implies, and the "
            "portfolio tests one series; the null is a mean abnormal return of zero. The last row ranks the firm "
            f"itself, its gap over its root mean square before the event, among clean donors: {space.note}."
        ),
        numbers=numbers,
    )


def _why_no_average(record: dict[str, object]) -> str:
    return "one firm" if record["test"] == "in_space" else ""


def _group_statistic(record: dict[str, object]) -> str:
    value = record["statistic"]
    if not isinstance(value, float):
        return "n/a: a rank" if record["p"] is not None else "n/a"
    return format_number(value)


def tabulate_adjusted(spillover: Spillover) -> TableExhibit:
    """The market model beside every comparison with peers."""
    rows = spillover.adjusted
    cells = pd.DataFrame(
        {
            "peers": [", ".join(a.donors) or "none" for a in rows],
            "estimate": [or_reason(a.estimate, format_percent, a.note) for a in rows],
            "residual s.d.": [or_reason(a.residual_std, lambda v: format_percent(v, sign=False), "") for a in rows],
            "sum of peer weights": [or_reason(a.weight_sum, format_number, "") for a in rows],
            "p conformal": [or_reason(a.p_conformal, format_p, "") for a in rows],
            "p FHS": [or_reason(a.p_fhs, format_p, "") for a in rows],
        },
        index=[a.label for a in rows],
    )
    return TableExhibit(
        name="peer_adjusted",
        cells=cells,
        row_header="comparison",
        row_classes={rows[0].label: "primary"},
        caption=(
            "The firm against its peers. If peers react by a share of the firm's reaction, that share times the sum of "
            "weights is missing from the estimate: a smaller number is no better number. Ridge and synthetic control "
            "have no standard error here and are ranked after a refit with the event session."
        ),
        numbers=pd.DataFrame(
            [
                {
                    "label": a.label,
                    "donors": ";".join(a.donors),
                    "estimate": a.estimate,
                    "residual_std": a.residual_std,
                    "weight_sum": a.weight_sum,
                    "p_conformal": a.p_conformal,
                    "p_fhs": a.p_fhs,
                    "note": a.note,
                }
                for a in rows
            ]
        ),
    )


def tabulate_foreign(spillover: Spillover) -> TableExhibit:
    """Coefficients of listings that trade at other hours."""
    records = []
    for found in spillover.foreign:
        abnormal = found.estimate.abnormal
        if abnormal is None:
            records.append({"ticker": found.estimate.ticker, "quantity": "estimate", "note": found.estimate.note})
            continue
        fit = abnormal.fit
        base = {"ticker": found.estimate.ticker}
        for name, value in fit.coefficients.items():
            error = float(fit.coefficient_errors[name])
            records.append({**base, "quantity": str(name), "value": float(value), "standard_error": error})
        records.append({**base, "quantity": "lead_check_t", "value": found.lead_t})
        records.append({**base, "quantity": "n_irregular", "value": float(found.n_irregular)})
        records.append({**base, "quantity": "n_estimation", "value": float(fit.n_estimation)})
        records.append({**base, "quantity": "abnormal_return", "value": found.estimate.estimate,
                        "standard_error": found.estimate.standard_error})  # fmt: skip
    numbers = pd.DataFrame(records, columns=["ticker", "quantity", "value", "standard_error", "note"])
    cells = pd.DataFrame(
        {"value": [_foreign_value(r) for r in records]},
        index=[f"{r['ticker']}: {FOREIGN_LABELS.get(r['quantity'], r['quantity'])}" for r in records],
    )
    none = "" if records else " The story names none."
    return TableExhibit(
        name="foreign_listings",
        cells=cells,
        row_header="listing and quantity",
        caption=(
            "Listings with other trading hours, explained by the home session that closed before their own and by the "
            "one that closes after it, with a coefficient each. Dates are never matched blindly: a foreign session "
            f"ends before the home session of the same date begins.{none}"
        ),
        numbers=numbers,
    )


FOREIGN_LABELS = {
    "home_session_before": "coefficient of the home session before",
    "home_session_after": "coefficient of the home session after",
    "lead_check_t": "t of the home session after next (should be small)",
    "n_irregular": "sessions without a match within the estimation window (holidays)",
    "n_estimation": "estimation sessions",
    "abnormal_return": "abnormal return",
}


def _foreign_value(record: dict[str, object]) -> str:
    value, name = record.get("value"), record["quantity"]
    if value is None:
        return f"n/a: {record.get('note', '')}"
    if name in ("n_irregular", "n_estimation"):
        return f"{value:.0f}"
    if name == "abnormal_return":
        return f"{format_percent(float(value))} (s.e. {format_percent(float(record['standard_error']), sign=False)})"
    if name == "lead_check_t":
        return format_number(float(value))
    error = format_number(float(record["standard_error"]), digits=4, sign=False)
    return f"{format_number(float(value), digits=4)} (s.e. {error})"
