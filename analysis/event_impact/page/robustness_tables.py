"""What the specification curve says, in words and tables.

The first screen of the specification curve: what other careful readers would have come to.
"""

import dataclasses
from collections import Counter

import pandas as pd

from event_impact.base.result import TestResult, not_computable
from event_impact.inference import robustness
from event_impact.inference.candidate_set import Confirmation
from event_impact.inference.robustness import DIMENSIONS, LeftOutDay, SpecificationCurve, SpecificationEstimate
from event_impact.page import format as form
from event_impact.page.exhibits import Column, TableExhibit, declare_table, record, show
from event_impact.page.first_screen import FirstScreen, ScreenRow
from event_impact.page.robustness_figures import draw_specification_strip
from event_impact.page.tables import ESTIMATE

DIMENSION_LABELS = form.read_labels("robustness_tables.dimension_labels")
#: A figure has little room beside its rows.
SHORT_MODELS = form.read_labels("robustness_tables.short_models")
VALUE_LABELS = {"none": "kept", "listed": "listed ones left out"}
TEST_LABELS = {"max_t": "largest |t| (maxT)", "share": "share that rejects", "median_t": "median t", "mean_t": "mean t"}
CURVE_OUTCOMES = {**form.OUTCOME_LABELS, "detected": "detected on its own"}


def label_value(name: str, value: object) -> str:
    """A choice in words."""
    return VALUE_LABELS.get(str(value), str(value)) if name == "mask" else str(value)


def figure_frame(curve: SpecificationCurve) -> pd.DataFrame:
    """The computed specifications as the figure takes them: choices in words, estimate, interval, p, headline."""
    frame = robustness.curve_frame(curve).dropna(subset="estimate", ignore_index=True)
    labels = {label: [label_value(name, v) for v in frame[name]] for name, label in DIMENSION_LABELS.items()}
    numbers = frame[["estimate", "ci95_low", "ci95_high", "is_headline"]].assign(**labels, p=frame["p_conformal"])
    for long, short in SHORT_MODELS.items():
        numbers["model"] = numbers["model"].str.replace(long, short, regex=False)
    return numbers[[*labels, "estimate", "ci95_low", "ci95_high", "p", "is_headline"]]


ADJUSTED = Column("p_adjusted", "p adjusted", "p")
#: What is read of a specification.
JUDGED = (
    ESTIMATE,
    *show("standard_error|s.e.|size", "=ci95|95 % interval|interval", "t|t|number"),
    *show("p_conformal|p conformal|p", "p_fhs|p FHS|p"),
    ADJUSTED,
    Column("", "outcome", CURVE_OUTCOMES.__getitem__, of="outcome"),
)


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
    return declare_table(
        "single_choices", [headline, *near], columns, numbers=robustness.curve_frame(curve), has_headline=True
    )


def tabulate_curve_tests(curve: SpecificationCurve) -> TableExhibit:
    """maxT and the joint tests of the curve, or why there are none."""
    columns = [Column("test", "test", TEST_LABELS.__getitem__, of="name"), *record("statistic")]
    (p_value,) = show("p=p_value|p|p|note")
    if curve.tests is None:
        tests = [not_computable(name, curve.reason) for name in TEST_LABELS]
        return declare_table("curve_tests", tests, [*columns, p_value, *record("note")])
    columns += [*show("=null|null hypothesis"), Column("", "statistic", "written", of=_say_statistic), p_value]
    columns += [*show("=distribution|against"), Column("n_placebo", of=lambda _: curve.n_placebo)]
    columns += [Column("n_specifications", of=lambda _: curve.n_joint), *record("null")]
    return declare_table("curve_tests", curve.tests.all, columns)


def _say_statistic(test: TestResult) -> str | None:
    if test.statistic is None:
        return None
    if test.name == "share":
        return form.format_size(test.statistic, digits=0)
    return form.format_number(test.statistic, sign=test.name != "max_t")


def tabulate_unavailable(curve: SpecificationCurve) -> TableExhibit:
    """Specifications that were listed and could not be computed, gathered by reason."""
    lacking = (e for e in curve.estimates if not e.is_computed)
    counts = Counter((e.choice.model, e.choice.estimation_sessions, e.choice.gap_sessions, e.note) for e in lacking)
    columns = (
        *show("model=0.0|model", "estimation_sessions=0.1|estimation sessions|whole", "gap_sessions=0.2|gap|whole"),
        *show("=1|specifications|whole"),
        Column("reason", "reason", "n/a: {}".format, of="0.3"),
        *record("count=1"),
    )
    folded, none = len(counts) > 6, "" if counts else " There is none."
    return declare_table("specifications_not_computed", counts.items(), columns, is_folded=folded, none=none)


def tabulate_left_out_days(days: tuple[LeftOutDay, ...], headline: SpecificationEstimate) -> TableExhibit:
    """The headline without each news session of its estimation window."""
    columns = (
        *show("session|session|session", "label|left out", "estimate|estimate|percent"),
        *show("standard_error|", "change|change|percent.3", "=t|t|number", "p_conformal|p conformal|p"),
    )
    said = "No recorded news session lies in the estimation window."
    if days:
        said = f"The largest change is {form.format_percent(max((d.change for d in days), key=abs), digits=3)}."
    return declare_table("left_out_days", days, columns, estimate=ESTIMATE.cell(headline), said=said)


def tabulate_left_out_peers(rows: list[SpecificationEstimate]) -> TableExhibit:
    """The market model with all peers of the same calendar, and without each."""
    judged = (column for column in JUDGED if column is not ADJUSTED)
    columns = (*show("peers=choice.model|peers in the market model"), *judged, *record("outcome note"))
    return declare_table("left_out_peers", rows, columns)


COLUMNS = ("changed alone", "estimates, %", "options", "smallest p", "other outcome in")


def compose_robustness(
    curve: SpecificationCurve, confirmation: Confirmation, daily: FirstScreen, *, significance: float
) -> FirstScreen:
    """Whether a choice would flip the outcome, the curve, each choice alone, and the curve as a whole.

    Parameters
    ----------
    daily : FirstScreen
        Of the study whose headline the curve varies: firm, story, dates and outcome are its own.
    """
    firm = daily.firm.split(" (")[0]
    is_known = curve.headline.is_computed
    return dataclasses.replace(
        daily,
        finding=_head(curve, firm),
        sentences=(_say_flips(curve), form.say("robustness_tables.shared")) if is_known else (curve.headline.note,),
        drawings=(draw_specification_strip(figure_frame(curve), is_whole=True),) if is_known else (),
        columns=COLUMNS,
        rows=tuple(_show_choice(curve, name) for name in DIMENSIONS if _vary(curve, name)) if is_known else (),
        notes=(
            ("As a whole:", _say_tests(curve, significance)),
            ("Does it bear the outcome?", _say_rule(curve, confirmation)),
        ),
        csv="single_choices",
    )


def _head(curve: SpecificationCurve, firm: str) -> str:
    if not curve.headline.is_computed:
        return f"{firm}: the declared specification cannot be estimated."
    values = [e.estimate for e in curve.computed if e.estimate is not None]
    kind = ("one" if curve.single_flips else "several") if curve.flips else "none"
    told = {"n": len(values), "flips": len(curve.flips), "span": (min(values), max(values))}
    return form.say(f"robustness_tables.findings.{kind}", firm=firm, **told)


def _say_flips(curve: SpecificationCurve) -> str:
    outcome = CURVE_OUTCOMES[curve.headline.outcome]
    if not curve.flips:
        share = curve.same_sign_share or 0.0
        signs = "all with one sign" if share == 1 else f"{100 * share:.0f}\u00a0% with its sign"
        return f"All say the same as the headline, {outcome}, {signs}."
    kinds = Counter(CURVE_OUTCOMES[e.outcome] for e in curve.flips)
    said = f"The headline says {outcome}, the others {', '.join(f'{label} ({n})' for label, n in kinds.most_common())}."
    if not curve.single_flips:
        return f"{said} It takes two choices or more together, {_say_common(curve)}."
    named = [
        f"{_say_choice(name, e)} ({CURVE_OUTCOMES[e.outcome]}, {form.format_percent(e.estimate or 0.0)})"
        for name, e in curve.single_flips
    ]
    return f"{said} One choice is enough: {'; '.join(named)}."


def _say_choice(name: str, estimate: SpecificationEstimate) -> str:
    return f"{DIMENSION_LABELS[name]} = {label_value(name, getattr(estimate.choice, name))}"


def _say_common(curve: SpecificationCurve) -> str:
    """The choice that the flipping specifications share most often."""
    counts = Counter(_say_choice(name, e) for e in curve.flips for name in e.choice.differs_in(curve.headline.choice))
    return "most often " + ", ".join(f"{said} ({n} of {len(curve.flips)})" for said, n in counts.most_common(3))


def _vary(curve: SpecificationCurve, name: str) -> list[SpecificationEstimate]:
    return [e for e in curve.computed if e.choice.differs_in(curve.headline.choice) == (name,)]


def _show_choice(curve: SpecificationCurve, name: str) -> ScreenRow:
    held = _vary(curve, name)
    values = [e.estimate for e in held if e.estimate is not None]
    ends = dict.fromkeys(form.format_number(100 * end, digits=1) for end in (min(values), max(values)))
    p = min((e.p_conformal for e in held if e.p_conformal is not None), default=None)
    flips = sum(e.outcome != curve.headline.outcome for e in held)
    cells = (" to ".join(ends), str(len(held)), form.format_p(p) if p is not None else "", str(flips or "none"))
    return ScreenRow(DIMENSION_LABELS[name], cells)


def _say_tests(curve: SpecificationCurve, significance: float) -> str:
    if curve.tests is None:
        return f"the curve cannot be tested: n/a: {curve.reason}."
    p, share, outside = curve.tests.max_t.p_value or 1.0, curve.tests.share, len(curve.computed) - curve.n_joint
    rejecting = round((share.statistic or 0.0) * curve.n_joint)
    verb, told = "rejects" if rejecting <= 1 else "reject", {"p": p, "joint": share.p_value or 1.0, "curve": curve}
    said = form.say(
        "robustness_tables.tests", in100=100 * p, n=rejecting or "none", verb=verb, level=100 * significance, **told
    )
    return said + (f" {outside} others have too few earlier sessions for these tests." if outside else "")


def _say_rule(curve: SpecificationCurve, confirmation: Confirmation) -> str:
    kind = ("supports" if confirmation.is_confirmed else "contradicts") if confirmation.is_tested else "untested"
    idle = curve.headline.outcome != "detected"
    return form.say(f"robustness_tables.rule.{'idle' if idle else kind}", reason=confirmation.reason)
