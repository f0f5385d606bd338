"""The first screen of the panel: every story with its interval, their mean, and on whom the conclusion hangs."""

from __future__ import annotations

from collections import Counter

from event_impact.many.story_panel import FEWEST_POOLED, PanelResult
from event_impact.page.comparison_figures import draw_forest
from event_impact.page.finding import say_reach
from event_impact.page.first_screen import FirstScreen
from event_impact.page.format import format_interval, format_p, format_percent, p_equals
from event_impact.page.panel_tables import MISSING_LABELS, STATISTIC_LABELS

SELECTION = (
    "the stories were found by searching for denials: reports that nobody denied are nearly absent, and nothing here is a "
    "statement about rumours in general."
)


def compose_panel(result: PanelResult) -> FirstScreen:
    """Mean of the denied stories, its test and reach, the forest, and what is not in it; every sentence by rule."""
    held, config = result.panel, result.panel.study.config
    years = [str(s.alignment.event_session.year) for s in held.denied]
    span = f", {' to '.join(dict.fromkeys((min(years), max(years))))}" if years else ""
    return FirstScreen(
        firm="Panel of stories",
        story=f"{len(held.denied)} denied reports{span}",
        prices_to=config.as_of,
        status="final",
        outcome=result.outcome,
        finding=_head(result),
        sentences=tuple(filter(None, (_say_pooled(result), _say_hang(result)))),
        drawings=(draw_forest(result),),
        columns=(),
        rows=(),
        notes=tuple(_list_notes(result)),
        csv="pooled",
    )


def _mean(result: PanelResult) -> str:
    return f"{format_percent(result.main.estimate or 0.0, digits=1)} on average"


def _head(result: PanelResult) -> str:
    main, config = result.main, result.panel.study.config
    who = f"{main.n} {'story that was' if main.n == 1 else 'stories that were'} denied"
    if main.estimate is None:
        return f"{who[:1].upper()}{who[1:]}: too few to be pooled. They are listed one by one."
    bound = say_reach(config.equivalence_bound)
    said = {
        "no_detectable_effect": f"No detectable mean move in {who}: {_mean(result)}.",
        "borderline": f"{who}: {_mean(result)}. Whether that is more than chance, the tests disagree.",
        "smaller_than_bound": f"{who}: any mean move was smaller than {bound}.",
        "effect": f"{who} returned {_mean(result)}, more than chance explains, however uncertain days are read.",
        "fragile": f"{who} returned {_mean(result)}, but not every reading of uncertain days bears it out.",
        "detectable_but_small": f"{who} returned {_mean(result)}: told from chance, and smaller than {bound}.",
        "insufficient_data": f"{who}: {_mean(result)}; no statistic can judge it.",
    }[result.outcome]
    return f"{said} {_say_reach(result)}" if result.outcome in ("no_detectable_effect", "smaller_than_bound") else said


def _say_reach(result: PanelResult) -> str:
    if result.main.mde80 is None:
        return "No common effect of any size would have been seen reliably."
    return f"Four times in five, only a common effect of {say_reach(result.main.mde80)} would have been seen."


def _say_pooled(result: PanelResult) -> str:
    main = result.main
    if main.estimate is None or main.ci95 is None:
        return f"Nothing is pooled: {main.note}."
    if main.p_value is None:
        return f"95\u00a0% interval from their spread {format_interval(main.ci95, digits=1)}; no statistic can judge the mean."
    level = result.panel.study.config.significance
    verb = "rejects" if main.p_value < level else "does not reject"
    holds = "holds" if main.ci95[0] <= 0 <= main.ci95[1] else "leaves out"
    reach = "" if result.outcome in ("no_detectable_effect", "smaller_than_bound") else f" {_say_reach(result)}"
    return (
        f"The interval of the mean, {format_interval(main.ci95, digits=1)}, {holds} zero; the test to read first, "
        f"{STATISTIC_LABELS[main.recommended]}, {verb} ({p_equals(main.p_value)}).{reach}"
    )


def _say_hang(result: PanelResult) -> str:
    """On which stories the conclusion hangs: those without which the same statistic says otherwise."""
    main, level = result.main, result.panel.study.config.significance
    if main.p_value is None:
        return ""
    name = "p_kp_bmp" if main.recommended == "kp_bmp" else "p_bmp"
    titles = {s.name: s.story.title for s in result.panel.denied}
    found = [(titles[x.story], p) for x in result.left_out if (p := getattr(x, name)) is not None]
    turning = [f"{title} ({p_equals(p)})" for title, p in found if (p < level) != (main.p_value < level)]
    if not turning:
        return "No single story decides: without any of them the test says the same." if found else ""
    listed = " or ".join(turning[:3]) + (f" or {len(turning) - 3} others" if turning[3:] else "")
    verb = "reject" if main.p_value >= level else "not reject"
    return f"It hangs on single stories: without {listed} it would {verb}."


def _say_own(result: PanelResult) -> str:
    found, own = result.shrunk, result.panel.study.story
    if found is None:
        return ""
    drawn = format_percent(found.shrunk, digits=1)
    alone = format_percent(found.estimate, digits=1)
    return f"Drawn towards the others, {own.firm_name}\u2019s {alone} becomes {drawn}: a summary, not a test."


def _list_notes(result: PanelResult) -> list[tuple[str, str]]:
    held, spread = result.panel, result.dispersion
    notes = [("How to read it.", "Last column: the mean if that story is left out, with the p of BMP before shared days are "
              "adjusted for; an arrow marks where it would turn.")]  # fmt: skip
    if spread.p_value is not None:
        notes.append(
            ("Spread:", f"against noise alone {p_equals(spread.p_value)}; signs were not declared and may cancel.")
        )
    notes.append(("This story:", _say_own(result)))
    notes.append(("Readings:", _say_readings(result)))
    counts = Counter(m.kind for m in held.missing)
    listed = "; ".join(f"{counts[k]} {label}" for k, label in MISSING_LABELS.items() if counts[k])
    total = len(held.stories) + len(held.missing)
    notes.append(
        (
            "Not in it:",
            f"{total - len(held.stories)} of {total} registered stories" + (f"; {listed}." if listed else "."),
        )
    )
    searched = [s for s in held.denied if s.story.confounders_searched]
    notes.append(
        (
            "Other news",
            f"was searched for {len(searched)} of the {len(held.denied)}; of the rest it was not researched.",
        )
    )
    notes.append(("Selection:", SELECTION))
    return [(lead, text) for lead, text in notes if text]


def _say_readings(result: PanelResult) -> str:
    others = [r for r in result.resolutions[1:] if r.pooled.estimate is not None and r.pooled.p_value is not None]
    if not others:
        return f"{len(result.separable)} stories can be told apart by a price; at least {FEWEST_POOLED} are pooled."
    estimates = [r.pooled.estimate or 0.0 for r in others]
    p_values = [r.pooled.p_value or 1.0 for r in others]
    uncertain = sum(s.alignment.is_ambiguous for s in result.panel.denied)
    return (
        f"{uncertain} of {len(result.panel.denied)} have an uncertain session; in {len(others)} other readings the mean runs "
        f"from {format_percent(min(estimates), digits=1)} to {format_percent(max(estimates), digits=1)}, p from "
        f"{format_p(min(p_values))} to {format_p(max(p_values))}."
    )
