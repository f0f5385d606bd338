"""What the specification curve says, in words and tables."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from event_impact.inference.leave_out import LeftOutDay
from event_impact.inference.robustness import (
    DIMENSIONS,
    Confirmation,
    SpecificationCurve,
    SpecificationEstimate,
    curve_frame,
)
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import (
    OUTCOME_LABELS,
    format_interval,
    format_number,
    format_p,
    format_percent,
    format_session,
    or_reason,
    p_equals,
)
from event_impact.page.verdict import ListedVerdict, find_forbidden

DIMENSION_LABELS = {
    "model": "model",
    "returns": "return form",
    "mask": "news days in the window",
    "estimation_sessions": "estimation sessions",
    "gap_sessions": "gap",
}
SHORT_MODELS = (
    ("market model on ", "market, "),
    ("market-adjusted, demeaned on ", "adjusted, "),
    ("the US market factor", "US factor"),
    ("Fama-French three factors", "FF3"),
    ("Fama-French five factors", "FF5"),
    (" on excess returns", ""),
    ("Carhart four factors", "Carhart"),
)
"""A figure has little room beside its rows."""
VALUE_LABELS = {"none": "kept", "listed": "listed ones left out"}
TEST_LABELS = {
    "max_t": "largest |t| (maxT)",
    "share": "share that rejects",
    "median_t": "median t",
    "mean_t": "mean t",
}
CURVE_OUTCOMES = {**OUTCOME_LABELS, "detected": "detected on its own"}


def compose_robustness(
    curve: SpecificationCurve, confirmation: Confirmation, *, ticker: str, significance: float
) -> ListedVerdict:
    """The choices that would flip the outcome, and what the curve says as a whole.

    Raises
    ------
    ValueError
        If a sentence holds a forbidden wording.
    """
    sentences = (_say_flips(curve), _say_range(curve), _say_tests(curve, significance), _say_rule(curve, confirmation))
    verdict = ListedVerdict("Robustness",
        f"Which choices would flip the outcome for {ticker}?", tuple(s for s in sentences if s)
    )  # fmt: skip
    if broken := find_forbidden(verdict.text):
        raise ValueError(f"the robustness verdict holds a forbidden wording: {', '.join(broken)}")
    return verdict


def _say_flips(curve: SpecificationCurve) -> str:
    headline, count = curve.headline, len(curve.computed)
    if not headline.is_computed:
        return f"The declared specification cannot be estimated: {headline.note}"
    outcome = CURVE_OUTCOMES[headline.outcome]
    if not curve.flips:
        return f"No choice would flip the outcome: all {count} specifications say the same as the headline, {outcome}."
    said = f"{len(curve.flips)} of {count} specifications say something else than the headline ({outcome})."
    kinds = Counter(CURVE_OUTCOMES[e.outcome] for e in curve.flips)
    said += " They say: " + ", ".join(f"{label} ({n})" for label, n in kinds.most_common()) + "."
    if curve.single_flips:
        named = "; ".join(
            f"{DIMENSION_LABELS[name]} = {label_value(name, getattr(e.choice, name))} "
            f"({CURVE_OUTCOMES[e.outcome]}, {format_percent(e.estimate or 0.0)})"
            for name, e in curve.single_flips
        )
        return f"{said} One choice is enough: {named}."
    return f"{said} No single choice is enough; it takes two or more together: {_say_common(curve)}."


def _say_common(curve: SpecificationCurve) -> str:
    """The choice that the flipping specifications share most often."""
    counts = Counter(
        (name, getattr(e.choice, name))
        for e in curve.flips
        for name in DIMENSIONS
        if getattr(e.choice, name) != getattr(curve.headline.choice, name)
    )
    parts = [
        f"{DIMENSION_LABELS[name]} = {label_value(name, value)} ({n} of {len(curve.flips)})"
        for (name, value), n in counts.most_common(3)
    ]
    return "most often " + ", ".join(parts)


def _say_range(curve: SpecificationCurve) -> str:
    share = curve.same_sign_share
    if share is None:
        return ""
    estimates = [e.estimate for e in curve.computed if e.estimate is not None]
    p_values = [e.p_conformal for e in curve.computed if e.p_conformal is not None]
    sign = "all of one sign" if share == 1 else f"{share:.0%} with the sign of the headline".replace("%", "\u00a0%")
    return (
        f"Estimates run from {format_percent(min(estimates))} to {format_percent(max(estimates))}, {sign}; the "
        f"smallest conformal p is {format_p(min(p_values))}, unadjusted for having looked at {len(p_values)}."
    )


def _say_tests(curve: SpecificationCurve, significance: float) -> str:
    if curve.tests is None:
        return f"The curve cannot be tested as a whole: n/a: {curve.reason}."
    p, share = curve.tests.max_t.p_value or 1.0, curve.tests.share
    rejecting = round((share.statistic or 0.0) * curve.n_joint)
    outside = len(curve.computed) - curve.n_joint
    verb = "rejects" if rejecting <= 1 else "reject"
    said = (
        f"As a whole: {p:.0%} of {curve.n_placebo} earlier ordinary sessions have a scaled |t| as large in some specification "
        f"(placebo maxT {p_equals(p)}); {rejecting or 'none'} of {curve.n_joint} specifications {verb} on its own at "
        f"{significance:.0%} (joint {p_equals(share.p_value or 1.0)})."
    ).replace("% ", "\u00a0% ")
    return said + (f" {outside} others have too few earlier sessions for these tests." if outside else "")


def _say_rule(curve: SpecificationCurve, confirmation: Confirmation) -> str:
    if curve.headline.outcome != "detected":
        return (
            "The curve decides between an effect and a fragile detection only where the headline detects something; "
            "otherwise the headline's outcome stands."
        )
    if not confirmation.is_tested:
        return f"Whether the curve supports the detection could not be tested: {confirmation.reason}."
    word = "supports" if confirmation.is_confirmed else "does not support"
    return f"The curve {word} the detection: {confirmation.reason}."


def label_value(name: str, value: object) -> str:
    """A choice in words."""
    return VALUE_LABELS.get(str(value), str(value)) if name == "mask" else str(value)


def shorten_model(label: str) -> str:
    """A model as the figure can print it."""
    for long, short in SHORT_MODELS:
        label = label.replace(long, short)
    return label


def figure_frame(curve: SpecificationCurve) -> pd.DataFrame:
    """The computed specifications as the figure takes them: choices in words, estimate, interval, p, headline."""
    frame = curve_frame(curve)
    frame = frame[frame["estimate"].notna()].reset_index(drop=True)
    labels = {
        label: frame[name].map(lambda value, name=name: label_value(name, value))
        for name, label in DIMENSION_LABELS.items()
    }
    labels["model"] = frame["model"].map(shorten_model)
    numbers = frame[["estimate", "ci95_low", "ci95_high"]].assign(p=frame["p_conformal"])
    return pd.concat([pd.DataFrame(labels), numbers, frame[["is_headline"]]], axis=1)


def tabulate_single_choices(curve: SpecificationCurve) -> TableExhibit:
    """The headline, and every specification that differs from it in one choice."""
    headline = curve.headline
    near = [
        e for e in curve.estimates if len(e.choice.differs_in(headline.choice)) == 1 and (e.is_computed or e.note)
    ]  # fmt: skip
    near.sort(key=lambda e: DIMENSIONS.index(e.choice.differs_in(headline.choice)[0]))
    rows = [headline, *near]
    names = ["headline: " + headline.choice.model, *(_name_difference(e, headline) for e in near)]
    cells = pd.DataFrame(_columns(rows), index=names)
    numbers = curve_frame(curve)
    return TableExhibit(
        name="single_choices",
        cells=cells,
        row_header="what is chosen otherwise",
        row_classes={names[0]: "primary"},
        caption=(
            "One choice at a time. Each row changes a single choice of the headline; leaving listed news days out counts as one "
            "only where such a day lies in the estimation window. The adjusted p is step-down maxT "
            "over the whole curve and n/a where a specification has too few earlier sessions of its own. The CSV holds "
            "every combination."
        ),
        numbers=numbers,
    )


def _name_difference(estimate: SpecificationEstimate, headline: SpecificationEstimate) -> str:
    (name,) = estimate.choice.differs_in(headline.choice)
    value = label_value(name, getattr(estimate.choice, name))
    return value if name == "model" else f"{DIMENSION_LABELS[name]}: {value}"


def _columns(rows: list[SpecificationEstimate]) -> dict[str, list[str]]:
    return {
        "estimate": [or_reason(e.estimate, format_percent, e.note) for e in rows],
        "s.e.": [or_reason(e.standard_error, lambda v: format_percent(v, sign=False), "") for e in rows],
        "95 % interval": [format_interval(e.ci95) if e.ci95 else "n/a" for e in rows],
        "t": [or_reason(e.t, format_number, "") for e in rows],
        "p conformal": [or_reason(e.p_conformal, format_p, "") for e in rows],
        "p FHS": [or_reason(e.p_fhs, format_p, "") for e in rows],
        "p adjusted": [or_reason(e.p_adjusted, format_p, "") for e in rows],
        "outcome": [CURVE_OUTCOMES[e.outcome] for e in rows],
    }


def tabulate_choices(curve: SpecificationCurve) -> TableExhibit:
    """For each value of each choice: how many specifications, their estimates, and how many flip."""
    headline = curve.headline
    records = []
    for name in DIMENSIONS:
        values = dict.fromkeys(getattr(e.choice, name) for e in curve.estimates)
        for value in values:
            members = [e for e in curve.estimates if getattr(e.choice, name) == value]
            known = [e for e in members if e.estimate is not None]
            records.append(
                {
                    "choice": name,
                    "value": value,
                    "n_listed": len(members),
                    "n_computed": len(known),
                    "estimate_low": min((e.estimate for e in known), default=None),
                    "estimate_high": max((e.estimate for e in known), default=None),
                    "p_conformal_low": min((e.p_conformal for e in known), default=None),
                    "n_flips": sum(e.outcome != headline.outcome for e in known),
                    "reason": "" if known else next(e.note for e in members),
                }
            )
    numbers = pd.DataFrame(records)
    cells = pd.DataFrame(
        {
            "specifications": [
                str(r["n_computed"]) if r["n_computed"] == r["n_listed"] else f"{r['n_computed']} of {r['n_listed']}"
                for r in records
            ],
            "lowest estimate": [or_reason(r["estimate_low"], format_percent, r["reason"]) for r in records],
            "highest estimate": [or_reason(r["estimate_high"], format_percent, "") for r in records],
            "smallest conformal p": [or_reason(r["p_conformal_low"], format_p, "") for r in records],
            "outcome flips in": [str(r["n_flips"]) if r["n_computed"] else "n/a" for r in records],
        },
        index=[f"{DIMENSION_LABELS[r['choice']]}: {label_value(r['choice'], r['value'])}" for r in records],
    )
    return TableExhibit(
        name="specification_choices",
        cells=cells,
        row_header="choice",
        caption=(
            "Every choice and what it does. Each row gathers the specifications that share one choice; the smallest p "
            "is not adjusted for the number of specifications."
        ),
        numbers=numbers,
    )


def tabulate_curve_tests(curve: SpecificationCurve) -> TableExhibit:
    """maxT and the joint tests of the curve, or why there are none."""
    if curve.tests is None:
        cells = pd.DataFrame({"p": [f"n/a: {curve.reason}"] * len(TEST_LABELS)}, index=list(TEST_LABELS.values()))
        numbers = pd.DataFrame({"test": list(TEST_LABELS), "statistic": None, "p": None, "note": curve.reason})
    else:
        tests = curve.tests.all
        cells = pd.DataFrame(
            {
                "null hypothesis": [t.null for t in tests],
                "statistic": [_statistic(t.name, t.statistic) for t in tests],
                "p": [or_reason(t.p_value, format_p, t.note) for t in tests],
                "against": [t.distribution for t in tests],
            },
            index=[TEST_LABELS[t.name] for t in tests],
        )
        numbers = pd.DataFrame(
            {
                "test": [t.name for t in tests],
                "statistic": [t.statistic for t in tests],
                "p": [t.p_value for t in tests],
                "n_placebo": curve.n_placebo,
                "n_specifications": curve.n_joint,
                "null": [t.null for t in tests],
            }
        )
    return TableExhibit(
        name="curve_tests",
        cells=cells,
        row_header="test",
        caption=(
            "The curve as a whole. Every test repeats all specifications at the same earlier sessions, so that their "
            "correlation is in the null. maxT divides each |t| by its root mean square there and takes the largest."
        ),
        numbers=numbers,
    )


def _statistic(name: str, value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:.0%}".replace("%", "\u00a0%") if name == "share" else format_number(value, sign=name != "max_t")


def tabulate_unavailable(curve: SpecificationCurve) -> TableExhibit:
    """Specifications that were listed and could not be computed, gathered by reason."""
    lacking = [e for e in curve.estimates if not e.is_computed]
    columns = ["model", "estimation_sessions", "gap_sessions", "reason"]
    listed = [(e.choice.model, e.choice.estimation_sessions, e.choice.gap_sessions, e.note) for e in lacking]
    numbers = pd.DataFrame([(*key, n) for key, n in Counter(listed).items()], columns=[*columns, "count"])
    cells = pd.DataFrame(
        {
            "estimation sessions": numbers["estimation_sessions"].map(str).tolist(),
            "gap": numbers["gap_sessions"].map(str).tolist(),
            "specifications": numbers["count"].map(str).tolist(),
            "reason": [f"n/a: {why}" for why in numbers["reason"]],
        },
        index=numbers["model"].tolist(),
    )
    said = "" if lacking else " There is none."
    return TableExhibit(
        name="specifications_not_computed",
        cells=cells,
        row_header="model",
        caption=f"Specifications that the figures do not allow.{said}",
        numbers=numbers,
        is_folded=len(numbers) > 6,
    )


def tabulate_left_out_days(days: tuple[LeftOutDay, ...], headline: SpecificationEstimate) -> TableExhibit:
    """The headline without each news session of its estimation window."""
    cells = pd.DataFrame(
        {
            "left out": [d.label for d in days],
            "estimate": [format_percent(d.estimate) for d in days],
            "change": [format_percent(d.change, digits=3) for d in days],
            "t": [format_number(d.t) for d in days],
            "p conformal": [format_p(d.p_conformal) for d in days],
        },
        index=[format_session(d.session) for d in days],
    )
    numbers = pd.DataFrame(
        [
            {
                "session": d.session,
                "label": d.label,
                "estimate": d.estimate,
                "standard_error": d.standard_error,
                "change": d.change,
                "p_conformal": d.p_conformal,
            }
            for d in days
        ],
        columns=["session", "label", "estimate", "standard_error", "change", "p_conformal"],
    )
    with_all = or_reason(headline.estimate, format_percent, headline.note)
    said = (
        f" The largest change is {format_percent(max(days, key=lambda d: abs(d.change)).change, digits=3)}."
        if days
        else " No recorded news session lies in the estimation window."
    )
    return TableExhibit(
        name="left_out_days",
        cells=cells,
        row_header="session",
        caption=f"The headline ({with_all} with all) without one news session of the estimation window.{said}",
        numbers=numbers,
    )


def tabulate_left_out_peers(rows: list[SpecificationEstimate]) -> TableExhibit:
    """The market model with all peers of the same calendar, and without each."""
    cells = pd.DataFrame(_columns(rows), index=[e.choice.model for e in rows]).drop(columns="p adjusted")
    numbers = pd.DataFrame(
        [
            {
                "peers": e.choice.model,
                "estimate": e.estimate,
                "standard_error": e.standard_error,
                "t": e.t,
                "p_conformal": e.p_conformal,
                "p_fhs": e.p_fhs,
                "outcome": e.outcome,
                "note": e.note,
            }
            for e in rows
        ]
    )
    return TableExhibit(
        name="left_out_peers",
        cells=cells,
        row_header="peers in the market model",
        caption=(
            "Peers, one left out at a time. Where peers react to the same news, their reaction is deducted from the "
            "estimate; read the difference from the headline as spillover and news of the industry, not as error, "
            "and not as the better number."
        ),
        numbers=numbers,
    )
