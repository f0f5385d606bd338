"""The first screen of the other firms: who moved on the day, and what a rank among few can reach at best."""

from __future__ import annotations

import dataclasses

from event_impact.base.result import TestResult
from event_impact.events.sessions import Alignment
from event_impact.many.peer_tests import GroupTests, Spillover
from event_impact.page.comparison_figures import draw_peers, list_others
from event_impact.page.finding import say_day
from event_impact.page.first_screen import FirstScreen, ScreenRow, read_outcome
from event_impact.page.format import format_number, format_p, format_percent, p_equals

COLUMNS = (
    "together",
    "average return, %",
    "firms",
    "p, adjusted BMP",
    "p, portfolio",
    "smallest p possible",
    "reading",
)


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
            ("News of their own", "was compiled around this story, not around its peers: that none is recorded shows little."),
        ),
        csv="peers",
    )  # fmt: skip


def _tests(group: GroupTests) -> dict[str, TestResult]:
    return {t.name: t for t in group.tests}


def _judge(group: GroupTests, significance: float) -> str:
    """The outcome of a group: both of its tests must reject."""
    held = [_tests(group)[name].p_value for name in ("kp_bmp", "portfolio_conformal") if name in _tests(group)]
    known = [p for p in held if p is not None]
    if group.portfolio is None or not known:
        return "insufficient_data"
    return "found" if max(known) < significance else "no_detectable_effect"


def _head(spillover: Spillover, firm: str, alignment: Alignment, outcome: str) -> str:
    group, day = spillover.groups[-1], say_day(alignment.event_session)
    if group.portfolio is None:
        return f"{firm}: too few peers have figures to say whether they moved on {day}."
    average = format_percent(group.portfolio, digits=1)
    which = "" if group.name == "all peers" else " without news of their own"
    if outcome == "found":
        return f"{firm}: its {len(group.members)} peers{which} moved together on {day}, by {average} on average."
    return f"{firm}: no common move of its {len(group.members)} peers{which} is detectable on {day}; average {average}."


def _say_rank(spillover: Spillover, firm: str) -> str:
    test = spillover.in_space
    if test.p_value is None:
        return f"{firm} cannot be ranked among its peers: {test.note}."
    return f"Ranked by size among peers without news of their own, {firm} has {p_equals(test.p_value)}: {test.note}."


def _say_unreadable(spillover: Spillover) -> str:
    measured = [p for p in list_others(spillover) if p.is_measured]
    said = [p.ticker for p in measured if p.own_news]
    if not measured:
        lacking = ", ".join(p.ticker for p in spillover.peers) or "none is listed"
        return f"No peer is measured ({lacking}); the reasons stand in the figure."
    if not said:
        return "None of the firms measured has recorded news of its own that session."
    return (
        f"{len(said)} of {len(measured)} other firms had news of their own and answer to that too: {', '.join(said)}."
    )


def _show_group(group: GroupTests, outcome: str) -> ScreenRow:
    if group.portfolio is None:
        return ScreenRow(f"{group.name}: {group.tests[0].note}", ("n/a", str(len(group.members)), "", "", "", ""))
    tests = _tests(group)
    ps = (tests[name].p_value for name in ("kp_bmp", "portfolio_conformal"))
    shown = (format_p(p) if p is not None else "n/a" for p in ps)
    average = format_number(100 * group.portfolio, digits=1)
    return ScreenRow(group.name, (average, str(len(group.members)), *shown, "", read_outcome(outcome)))


def _show_rank(spillover: Spillover, firm: str) -> ScreenRow:
    label, test, n = f"{firm} by its rank among them", spillover.in_space, len(spillover.clean) + 1
    if test.p_value is None:
        return ScreenRow(f"{label}: {test.note}", ("n/a", "", "", "", "", ""), "beside")
    return ScreenRow(label, ("", str(n), format_p(test.p_value), "", format_p(1 / n), "descriptive"), "beside")


def _say_adjusted(spillover: Spillover) -> str:
    base, *others = (a for a in spillover.adjusted if a.estimate is not None)
    if not others:
        return "no comparison can be made."
    estimates = [a.estimate for a in others if a.estimate is not None]
    sums = [a.weight_sum for a in others if a.weight_sum is not None]
    return (
        f"the estimate of {format_percent(base.estimate or 0.0, digits=1)} becomes "
        f"{format_percent(min(estimates), digits=1)} to {format_percent(max(estimates), digits=1)}; weights on peers sum "
        f"to {min(sums):.2f} to {max(sums):.2f}, and that share of anything they did in common is deducted."
    )
