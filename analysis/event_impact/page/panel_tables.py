"""The panel of stories in words and tables, and what its run leaves behind.

The first screen of the panel: every story with its interval, their mean, and on whom the conclusion hangs.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from event_impact.inference.parametric import detectable_effect, interval
from event_impact.many.story_panel import FEWEST_POOLED, PanelResult, PanelStory, Resolution, SeparateEffects
from event_impact.page import format as form
from event_impact.page.comparison_figures import draw_forest, kind_of
from event_impact.page.exhibits import Column, TableExhibit, declare_table, record, show
from event_impact.page.first_screen import FirstScreen

STATISTIC_LABELS = form.read_labels("panel_tables.statistic_labels")
RECOMMENDED_LABELS = {"bmp": "BMP", "kp_bmp": "BMP, adjusted"}
MISSING_LABELS = form.read_labels("panel_tables.missing_labels")
#: What a story is called, and where its share is listed.
NAMED = (
    *show("=story.title|story"),
    Column("", "listing", of=lambda held: form.name_listing(held.story.ticker, held.story.exchange)),
)


def _count_missing(result: PanelResult) -> str:
    counts = Counter(m.kind for m in result.panel.missing)
    return "; ".join(f"{counts[k]} {label}" for k, label in MISSING_LABELS.items() if counts[k])


def tabulate_readings(result: PanelResult) -> TableExhibit:
    """The pooled estimate, read every way: the main sample first."""
    shown = result.resolutions
    columns = (
        *show("=label|sample and sessions", "reading=name|", "n=pooled.n|stories|whole"),
        Column("estimate", "mean", "percent", of="pooled.estimate", missing="n/a: too few"),
        *show("standard_error=pooled.standard_error|", "ci90=pooled.ci90||interval"),
        *show("ci95=pooled.ci95|95 % interval|interval", "=pooled.p_value|p|p"),
        Column("recommended", "by", lambda name: RECOMMENDED_LABELS.get(name, "n/a"), of="pooled.recommended"),
        *show("p=pooled.p_value|", "mde80=pooled.mde80|detectable 4 in 5 from|size"),
        Column("", "weighted by precision", of=_say_weighted),
        *record("weighted_estimate=pooled.weighted_estimate weighted_error=pooled.weighted_error"),
        *record("mean_correlation=pooled.correlation.value pairs_sharing_days=pooled.overlap.n_pairs"),
        Column("left_out", of=lambda r: ";".join(name for name, _ in r.left_out)),
        Column("note", of="pooled.note"),
    )
    left = [f"{r.label}: {name} ({why})" for r in shown for name, why in r.left_out]
    longer = f" Without figures for the longer window: {'; '.join(left)}." if left else ""
    return declare_table("pooled", shown, columns, fewest_pooled=FEWEST_POOLED, left=longer)


def _say_weighted(reading: Resolution) -> str | None:
    estimate, error = reading.pooled.weighted_estimate, reading.pooled.weighted_error
    known = estimate is not None and error is not None
    return form.say("panel_tables.weighted", estimate=estimate, error=error) if known else None


def tabulate_panel_tests(result: PanelResult) -> TableExhibit:
    """Every statistic of the main sample, the recommended one marked."""
    main, overlap = result.main, result.main.overlap
    columns = (
        Column("", "test", of=lambda t: STATISTIC_LABELS[t.name] + " (read first)" * (t.name == main.recommended)),
        *record("test=name"),
        *show("statistic|statistic|number|note"),
        Column("distribution", "against", lambda distribution: distribution or "n/a"),
        *show("df|", "p=p_value|p|p"),
        Column("is_recommended", of=lambda t: t.name == main.recommended),
        Column("", "note", of=lambda t: t.note if t.p_value is not None else ""),
        *record("null note"),
    )
    first = f" Read {STATISTIC_LABELS[main.recommended]} first: {main.recommendation}" if main.recommended else ""
    pairs = "pair shares" if overlap.n_pairs == 1 else "pairs share"
    correlation = form.format_number(main.correlation.value, digits=4)
    said: Any = {"overlap": overlap, "pairs": pairs, "first": first, "correlation": correlation, "n": main.n}
    return declare_table("pooled_tests", main.tests.values(), columns, inside=result.n_in_estimation, **said)


def tabulate_stories(stories: Sequence[PanelStory], *, name: str, what: str) -> TableExhibit:
    """Stories one by one: sessions, what is identified, joint effect."""
    columns = (
        *NAMED,
        Column("", "sessions", of=_span),
        *record("story=name ticker=story.ticker exchange=story.exchange benchmark=study.benchmark"),
        Column("denied", "denied", DENIED_LABELS.__getitem__, of="story.denied"),
        Column("kind", of=kind_of),
        *show("identified=alignment.identification.kind|identified|words"),
        *record("event_session=alignment.event_session first=alignment.hull.0 last=alignment.hull.1"),
        *show("is_ambiguous=alignment.is_ambiguous|", "estimate=joint.estimate|joint effect|percent"),
        *record("standard_error=joint.standard_error df=joint.df"),
        Column("ci95", "95 % interval", "interval", of=lambda s: s.joint.interval(0.95)),
        Column("", "MDE 80 %", "size", of=lambda s: detectable_effect(s.joint.standard_error, df=s.joint.df)),
        Column("other_news", "other news", of=_news),
        Column("", "estimation", of=lambda s: s.note or f"{s.abnormal.fit.n_estimation} sessions"),
        *record("n_estimation=abnormal.fit.n_estimation"),
        Column("as_of", of=lambda s: s.study.config.as_of.isoformat()),
        *record("vintage note"),
    )
    caption = form.say("captions.stories", what=what, more="" if stories else " None can be measured here.")
    return declare_table(name, stories, columns, caption=caption)


DENIED_LABELS = {"yes": "yes", "partial": "in part", "no": "no"}


def _span(story: PanelStory) -> str:
    return " to ".join(dict.fromkeys(str(story.joint.sessions[k].date()) for k in (0, -1)))


def _news(story: PanelStory) -> str:
    """What is recorded, and whether anyone looked."""
    if story.story.confounders_searched:
        return "; ".join(story.news) or "none found"
    return "; ".join((*story.news, "not researched"))


def tabulate_separable(result: PanelResult) -> TableExhibit:
    """Report, denial and sum where a price surely lies between them."""
    pooled = result.separable_pooled
    titles = {s.name: s.story.title for s in (*result.panel.denied, *result.panel.controls)}
    columns = [*record("story"), Column("", "story", titles.__getitem__, of="story")]
    columns += show("price_between=price|price between")
    for name, head in (("report", "report"), ("denial", "denial"), ("total", "sum")):
        columns += [
            Column("", head, _say_effect, of=name),
            *record(f"{name}_estimate={name}.0 {name}_standard_error={name}.1 {name}_df={name}.2"),
            Column(f"{name}_ci95", kind="interval", of=partial(_interval_of, name)),
        ]
    is_pooled = pooled.estimate is not None and pooled.ci95 is not None
    mean = form.say("panel_tables.mean_of_sums" if is_pooled else "panel_tables.not_pooled", pooled=pooled)
    return declare_table("separable", result.separable, columns, mean=mean)


def _interval_of(name: str, effects: SeparateEffects) -> tuple[float, float]:
    effect: tuple[float, float, int] = getattr(effects, name)
    return interval(*effect, 0.95)


def _say_effect(effect: tuple[float, float, int]) -> str:
    return f"{form.format_percent(effect[0])} ({form.format_interval(interval(*effect, 0.95))})"


def tabulate_missing(result: PanelResult) -> TableExhibit:
    """Registered stories that are not in the sample, and why."""
    shown = sorted(result.panel.missing, key=lambda m: (list(MISSING_LABELS).index(m.kind), m.story.story))
    named = record("story=story.story ticker=story.ticker exchange=story.exchange kind")
    columns = (*NAMED, *show("=story.denied|denied"), *named, *show("reason|why not"))
    counts = _count_missing(result) or "none"
    return declare_table("missing_stories", shown, columns, is_folded=True, counts=counts)


def compose_panel(result: PanelResult) -> FirstScreen:
    """Mean of the denied stories, its test and reach, the forest, and what is not in it; every sentence by rule."""
    held, config = result.panel, result.panel.study.config
    years = [str(s.alignment.event_session.year) for s in held.denied]
    span = f", {' to '.join(dict.fromkeys((min(years), max(years))))}" if years else ""
    return FirstScreen(
        firm="Panel of stories",
        story=f"{len(held.denied)} denied reports{span}",
        prices_to=config.as_of,
        outcome=result.outcome,
        finding=_head(result),
        sentences=tuple(filter(None, (_say_pooled(result), _say_hang(result)))),
        drawings=(draw_forest(result),),
        notes=tuple(_list_notes(result)),
        csv="pooled",
    )


def _head(result: PanelResult) -> str:
    main, kind = result.main, "unpooled" if result.main.estimate is None else result.outcome
    who = f"{main.n} {'story that was' if main.n == 1 else 'stories that were'} denied"
    bound, seen = result.panel.study.config.equivalence_bound, _say_reach(result)
    return form.say(f"panel_tables.findings.{kind}", who=who, mean=main.estimate, bound=bound, seen=seen)


def _say_reach(result: PanelResult) -> str:
    if result.main.mde80 is None:
        return "No common effect of any size would have been seen reliably."
    return form.say("panel_tables.seen", mde=result.main.mde80)


def _say_pooled(result: PanelResult) -> str:
    main = result.main
    if main.estimate is None or main.ci95 is None:
        return f"Nothing is pooled: {main.note}."
    if main.p_value is None:
        return form.say("panel_tables.unjudged", interval=main.ci95)
    verb = "rejects" if main.p_value < result.panel.study.config.significance else "does not reject"
    holds = "holds" if main.ci95[0] <= 0 <= main.ci95[1] else "leaves out"
    reach = "" if result.outcome in ("no_detectable_effect", "smaller_than_bound") else f" {_say_reach(result)}"
    told = {"interval": main.ci95, "statistic": STATISTIC_LABELS[main.recommended], "p": main.p_value}
    return form.say("panel_tables.pooled", holds=holds, verb=verb, reach=reach, **told)


def _say_hang(result: PanelResult) -> str:
    """On which stories the conclusion hangs: those without which the same statistic says otherwise."""
    main, level = result.main, result.panel.study.config.significance
    if main.p_value is None:
        return ""
    name = "p_kp_bmp" if main.recommended == "kp_bmp" else "p_bmp"
    titles = {s.name: s.story.title for s in result.panel.denied}
    found = [(titles[x.story], p) for x in result.left_out if (p := getattr(x, name)) is not None]
    turning = [f"{title} ({form.p_equals(p)})" for title, p in found if (p < level) != (main.p_value < level)]
    if not turning:
        return "No single story decides: without any of them the test says the same." if found else ""
    listed = " or ".join(turning[:3]) + (f" or {len(turning) - 3} others" if turning[3:] else "")
    verb = "reject" if main.p_value >= level else "not reject"
    return f"It hangs on single stories: without {listed} it would {verb}."


def _say_own(result: PanelResult) -> str:
    found, firm = result.shrunk, result.panel.study.story.firm_name
    return form.say("panel_tables.own", firm=firm, found=found) if found is not None else ""


def _list_notes(result: PanelResult) -> list[tuple[str, str]]:
    held, p, listed = result.panel, result.dispersion.p_value, _count_missing(result)
    searched = sum(bool(s.story.confounders_searched) for s in held.denied)
    n, total = len(held.missing), len(held.stories) + len(held.missing)
    missing = form.say("panel_tables.missing", n=n, total=total, listed=f"; {listed}" if listed else "")
    notes = [
        ("How to read it.", form.say("panel_tables.how_to_read")),
        ("Spread:", form.say("panel_tables.noise", p=p) if p is not None else ""),
        ("This story:", _say_own(result)),
        ("Readings:", _say_readings(result)),
        ("Not in it:", missing),
        ("Other news", form.say("panel_tables.searched", n=searched, total=len(held.denied))),
        ("Selection:", form.say("panel_tables.selection")),
    ]
    return [(lead, text) for lead, text in notes if text]


def _say_readings(result: PanelResult) -> str:
    denied, pooled = result.panel.denied, [r.pooled for r in result.resolutions[1:]]
    others = [(p.estimate, p.p_value) for p in pooled if p.estimate is not None and p.p_value is not None]
    if not others:
        return form.say("panel_tables.apart", n=len(result.separable), fewest=FEWEST_POOLED)
    estimates, p_values = zip(*others, strict=True)
    told = {"mean": (min(estimates), max(estimates)), "lowest": min(p_values), "highest": max(p_values)}
    uncertain = sum(s.alignment.is_ambiguous for s in denied)
    return form.say("panel_tables.readings", uncertain=uncertain, n=len(denied), n_others=len(others), **told)
