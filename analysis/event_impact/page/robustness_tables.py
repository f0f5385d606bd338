"""What the specification curve says, in words and tables."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from event_impact.base.result import TestResult, not_computable
from event_impact.inference.leave_out import LeftOutDay
from event_impact.inference.robustness import (
    DIMENSIONS,
    SpecificationCurve,
    SpecificationEstimate,
    curve_frame,
)
from event_impact.page.columns import Column, declare_table
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import (
    OUTCOME_LABELS,
    format_number,
    format_percent,
    format_size,
)
from event_impact.page.words import read_labels, say

DIMENSION_LABELS = read_labels("robustness_tables.dimension_labels")
SHORT_MODELS = read_labels("robustness_tables.short_models")
"""A figure has little room beside its rows."""
VALUE_LABELS = {"none": "kept", "listed": "listed ones left out"}
TEST_LABELS = {"max_t": "largest |t| (maxT)", "share": "share that rejects", "median_t": "median t", "mean_t": "mean t"}
CURVE_OUTCOMES = {**OUTCOME_LABELS, "detected": "detected on its own"}


def label_value(name: str, value: object) -> str:
    """A choice in words."""
    return VALUE_LABELS.get(str(value), str(value)) if name == "mask" else str(value)


def figure_frame(curve: SpecificationCurve) -> pd.DataFrame:
    """The computed specifications as the figure takes them: choices in words, estimate, interval, p, headline."""
    frame = curve_frame(curve)
    frame = frame[frame["estimate"].notna()].reset_index(drop=True)
    labels = pd.DataFrame(
        {label: [label_value(name, v) for v in frame[name]] for name, label in DIMENSION_LABELS.items()}
    )
    for long, short in SHORT_MODELS.items():
        labels["model"] = labels["model"].str.replace(long, short, regex=False)
    numbers = frame[["estimate", "ci95_low", "ci95_high"]].assign(p=frame["p_conformal"])
    return pd.concat([labels, numbers, frame[["is_headline"]]], axis=1)


ESTIMATE = Column("estimate", "estimate", "percent", why="note")
ADJUSTED = Column("p_adjusted", "p adjusted", "p")
JUDGED = (
    ESTIMATE,
    Column("standard_error", "s.e.", "size"),
    Column("", "95 % interval", "interval", of="ci95"),
    Column("t", "t", "number"),
    Column("p_conformal", "p conformal", "p"),
    Column("p_fhs", "p FHS", "p"),
    ADJUSTED,
    Column("", "outcome", CURVE_OUTCOMES.__getitem__, of="outcome"),
)
"""What is read of a specification."""


def tabulate_single_choices(curve: SpecificationCurve) -> TableExhibit:
    """The headline, and every specification that differs from it in one choice."""
    headline = curve.headline
    near = [e for e in curve.estimates if len(e.choice.differs_in(headline.choice)) == 1 and (e.is_computed or e.note)]
    near.sort(key=lambda e: DIMENSIONS.index(e.choice.differs_in(headline.choice)[0]))

    def label(estimate: SpecificationEstimate) -> str:
        if estimate is headline:
            return f"headline: {headline.choice.model}"
        (name,) = estimate.choice.differs_in(headline.choice)
        value = label_value(name, getattr(estimate.choice, name))
        return value if name == "model" else f"{DIMENSION_LABELS[name]}: {value}"

    columns = (Column("", "what is chosen otherwise", of=label), *JUDGED)
    caption = say("robustness_tables.single_choices.caption")
    return declare_table(
        "single_choices", [headline, *near], columns, caption=caption, numbers=curve_frame(curve), has_headline=True
    )


def tabulate_curve_tests(curve: SpecificationCurve) -> TableExhibit:
    """maxT and the joint tests of the curve, or why there are none."""
    columns = [Column("test", "test", TEST_LABELS.__getitem__, of="name"), Column("statistic")]
    p_value = Column("p", "p", "p", of="p_value", why="note")
    if curve.tests is None:
        tests = tuple(not_computable(name, curve.reason) for name in TEST_LABELS)
        columns += [p_value, Column("note")]
    else:
        tests = curve.tests.all
        columns += [
            Column("", "null hypothesis", of="null"),
            Column("", "statistic", "written", of=_say_statistic),
            p_value,
            Column("", "against", of="distribution"),
            Column("n_placebo", of=lambda _: curve.n_placebo),
            Column("n_specifications", of=lambda _: curve.n_joint),
            Column("null"),
        ]
    caption = (
        "The curve as a whole. Every test repeats all specifications at the same earlier sessions, so that their "
        "correlation is in the null. maxT divides each |t| by its root mean square there and takes the largest."
    )
    return declare_table("curve_tests", tests, columns, caption=caption)


def _say_statistic(test: TestResult) -> str | None:
    if test.statistic is None:
        return None
    if test.name == "share":
        return format_size(test.statistic, digits=0)
    return format_number(test.statistic, sign=test.name != "max_t")


def tabulate_unavailable(curve: SpecificationCurve) -> TableExhibit:
    """Specifications that were listed and could not be computed, gathered by reason."""
    lacking = (e for e in curve.estimates if not e.is_computed)
    counts = Counter((e.choice.model, e.choice.estimation_sessions, e.choice.gap_sessions, e.note) for e in lacking)
    columns = (
        Column("model", "model"),
        Column("estimation_sessions", "estimation sessions", "whole"),
        Column("gap_sessions", "gap", "whole"),
        Column("", "specifications", "whole", of="count"),
        Column("reason", "reason", "n/a: {}".format),
        Column("count"),
    )
    names = ("model", "estimation_sessions", "gap_sessions", "reason")
    rows = [{**dict(zip(names, key, strict=True)), "count": n} for key, n in counts.items()]
    caption = f"Specifications that the figures do not allow.{'' if rows else ' There is none.'}"
    return declare_table("specifications_not_computed", rows, columns, caption=caption, is_folded=len(rows) > 6)


def tabulate_left_out_days(days: tuple[LeftOutDay, ...], headline: SpecificationEstimate) -> TableExhibit:
    """The headline without each news session of its estimation window."""
    columns = (
        Column("session", "session", "session"),
        Column("label", "left out"),
        Column("estimate", "estimate", "percent"),
        Column("standard_error"),
        Column("change", "change", "percent", digits=3),
        Column("", "t", "number", of="t"),
        Column("p_conformal", "p conformal", "p"),
    )
    with_all = ESTIMATE.cell(headline)
    said = "No recorded news session lies in the estimation window."
    if days:
        said = f"The largest change is {format_percent(max((d.change for d in days), key=abs), digits=3)}."
    caption = f"The headline ({with_all} with all) without one news session of the estimation window. {said}"
    return declare_table("left_out_days", days, columns, caption=caption)


def tabulate_left_out_peers(rows: list[SpecificationEstimate]) -> TableExhibit:
    """The market model with all peers of the same calendar, and without each."""
    columns = (
        Column("peers", "peers in the market model", of="choice.model"),
        *(column for column in JUDGED if column is not ADJUSTED),
        Column("outcome"),
        Column("note"),
    )
    caption = say("robustness_tables.left_out_peers.caption")
    return declare_table("left_out_peers", rows, columns, caption=caption)
