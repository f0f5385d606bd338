"""The first screen of the specification curve: what other careful readers would have come to."""

from __future__ import annotations

import dataclasses
from collections import Counter

from event_impact.inference.robustness import DIMENSIONS, Confirmation, SpecificationCurve, SpecificationEstimate
from event_impact.page.first_screen import FirstScreen, ScreenRow
from event_impact.page.format import format_number, format_p, format_percent, p_equals
from event_impact.page.robustness_figures import draw_specification_strip
from event_impact.page.robustness_tables import CURVE_OUTCOMES, DIMENSION_LABELS, figure_frame, label_value

COLUMNS = ("changed alone", "estimates, %", "options", "smallest p", "other outcome in")
SHARED = "They share the day\u2019s shock: agreement shows that the model matters little, not that chance is excluded."


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
        sentences=(_say_flips(curve), SHARED) if is_known else (curve.headline.note,),
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
    span = f"{format_percent(min(values), digits=1)} to {format_percent(max(values), digits=1)}"
    if not curve.flips:
        return f"{firm}: no choice of method changes the outcome. {len(values)} specifications run from {span}."
    enough = "One choice is enough." if curve.single_flips else "No single choice is enough."
    return f"{firm}: {len(curve.flips)} of {len(values)} specifications, {span}, come to another outcome. {enough}"


def _say_flips(curve: SpecificationCurve) -> str:
    headline = curve.headline
    outcome = CURVE_OUTCOMES[headline.outcome]
    if not curve.flips:
        return f"All say the same as the headline, {outcome}, {_say_sign(curve)}."
    kinds = Counter(CURVE_OUTCOMES[e.outcome] for e in curve.flips)
    said = f"The headline says {outcome}, the others {', '.join(f'{label} ({n})' for label, n in kinds.most_common())}."
    if not curve.single_flips:
        return f"{said} It takes two choices or more together, {_say_common(curve)}."
    named = "; ".join(
        f"{DIMENSION_LABELS[name]} = {label_value(name, getattr(e.choice, name))} "
        f"({CURVE_OUTCOMES[e.outcome]}, {format_percent(e.estimate or 0.0)})"
        for name, e in curve.single_flips
    )
    return f"{said} One choice is enough: {named}."


def _say_sign(curve: SpecificationCurve) -> str:
    share = curve.same_sign_share or 0.0
    return "all with one sign" if share == 1 else f"{100 * share:.0f}\u00a0% with its sign"


def _say_common(curve: SpecificationCurve) -> str:
    """The choice that the flipping specifications share most often."""
    counts = Counter(
        (name, getattr(e.choice, name)) for e in curve.flips for name in e.choice.differs_in(curve.headline.choice)
    )
    parts = [
        f"{DIMENSION_LABELS[name]} = {label_value(name, value)} ({n} of {len(curve.flips)})"
        for (name, value), n in counts.most_common(3)
    ]
    return "most often " + ", ".join(parts)


def _vary(curve: SpecificationCurve, name: str) -> list[SpecificationEstimate]:
    return [e for e in curve.computed if e.choice.differs_in(curve.headline.choice) == (name,)]


def _show_choice(curve: SpecificationCurve, name: str) -> ScreenRow:
    held = _vary(curve, name)
    values = [e.estimate for e in held if e.estimate is not None]
    ends = dict.fromkeys(format_number(100 * end, digits=1) for end in (min(values), max(values)))
    p = min((e.p_conformal for e in held if e.p_conformal is not None), default=None)
    flips = sum(e.outcome != curve.headline.outcome for e in held)
    cells = (" to ".join(ends), str(len(held)), format_p(p) if p is not None else "", str(flips or "none"))
    return ScreenRow(DIMENSION_LABELS[name], cells)


def _say_tests(curve: SpecificationCurve, significance: float) -> str:
    if curve.tests is None:
        return f"the curve cannot be tested: n/a: {curve.reason}."
    p, share = curve.tests.max_t.p_value or 1.0, curve.tests.share
    rejecting = round((share.statistic or 0.0) * curve.n_joint)
    outside = len(curve.computed) - curve.n_joint
    said = (
        f"{100 * p:.0f} of 100 earlier sessions have a scaled |t| as large in some specification (placebo maxT "
        f"{p_equals(p)}, {curve.n_placebo} sessions); {rejecting or 'none'} of {curve.n_joint} specifications "
        f"reject{'s' * (rejecting <= 1)} on its own at {100 * significance:g}\u00a0% (joint {p_equals(share.p_value or 1.0)})."
    )
    return said + (f" {outside} others have too few earlier sessions for these tests." if outside else "")


def _say_rule(curve: SpecificationCurve, confirmation: Confirmation) -> str:
    if curve.headline.outcome != "detected":
        return "it decides between an effect and a fragile detection only where the headline detects something."
    if not confirmation.is_tested:
        return f"whether it supports the detection could not be tested: {confirmation.reason}."
    word = "supports" if confirmation.is_confirmed else "does not support"
    return f"it {word} the detection: {confirmation.reason}."
