"""The panel of stories in words and tables, and what its run leaves behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from event_impact.inference.parametric import interval
from event_impact.inference.power import detectable_effect
from event_impact.many.story_panel import FEWEST_POOLED, PanelResult, PanelStory, Resolution, SeparateEffects
from event_impact.page.columns import Column, declare_table
from event_impact.page.comparison_figures import kind_of
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import format_interval, format_number, format_p, format_percent, format_size, p_equals
from event_impact.page.verdict import Verdict

STATISTIC_LABELS = {
    "bmp": "BMP", "kp_bmp": "BMP, adjusted for shared days (Kolari and Pynnönen)", "cross_sectional_t": "cross-sectional t",
    "skewness_adjusted_t": "skewness-adjusted t", "patell": "Patell", "adjusted_patell": "Patell, adjusted for shared days",
    "calendar_time_t": "calendar-time t", "calendar_time_alpha": "calendar-time alpha",
    "two_way_clustered_t": "t clustered by firm and date", "ibragimov_mueller_t": "t of blocks (Ibragimov and Müller)",
    "wild_bootstrap": "wild bootstrap by blocks", "event_block_bootstrap": "bootstrap of blocks", "sign_flip": "sign flips",
    "wilcoxon": "Wilcoxon", "sign": "sign", "generalized_sign": "generalised sign", "grank_t": "GRANK t", "grank_z": "GRANK z",
    "crude_dependence_t": "crude dependence t", "crude_dependence_t_plain": "crude dependence t, no estimation error",
    "corrado": "Corrado rank", "corrado_plain": "Corrado rank, with replacement",
    "corrado_zivney": "Corrado and Zivney rank", "bhar_skewness_adjusted": "buy-and-hold, skewness-adjusted bootstrap",
}  # fmt: skip
RECOMMENDED_LABELS = {"bmp": "BMP", "kp_bmp": "BMP, adjusted"}
MISSING_LABELS = {
    "no figures": "without figures in this source",
    "figures elsewhere": "with figures of other years only",
    "too few sessions": "with too short a history",
    "as_of": "not finished by the as-of session",
    "window": "spread over too many sessions",
    "model": "outside the reach of the factors",
    "incomplete": "with missing returns in their window",
    "refused": "refused by a check",
}
SELECTION = (
    "The stories were found by searching for denials: reports that nobody denied are nearly absent, and nothing here is a "
    "statement about rumours in general."
)


def compose_panel(result: PanelResult) -> Verdict:
    """The verdict of the panel, every sentence chosen by rule."""
    return Verdict(
        "Panel",
        f"Is the mean effect of {result.main.n} stories that were reported and denied distinguishable from zero?",
        (
            _say_pooled(result),
            SELECTION,
            _say_statistic(result),
            _say_readings(result),
            _say_separable(result),
            _say_controls(result),
            _say_missing(result),
        ),
        plain=_say_plainly(result),
        outcome=result.outcome,
    )


def _say_pooled(result: PanelResult) -> str:
    main, config = result.main, result.panel.study.config
    if main.estimate is None or main.ci95 is None or main.ci90 is None:
        return f"Nothing is pooled: {main.note}. The stories are listed one by one."
    if main.p_value is None:
        return f"The mean of {main.n} denied stories is {format_percent(main.estimate)}; no statistic can judge it."
    bound = format_size(config.equivalence_bound)
    measure = (
        f"{format_percent(main.estimate)} over {main.n} denied stories (95\u00a0% interval {format_interval(main.ci95)} from "
        f"their spread; {STATISTIC_LABELS[main.recommended]} {p_equals(main.p_value)})"
    )
    reach = (
        f"By that statistic an effect of {format_size(main.mde80)} or more in every story would have been seen four times in five"
        if main.mde80 is not None
        else "The stories are too unequally noisy for that statistic to see any common effect four times in five"
    )
    text = {
        "no_detectable_effect": (
            f"No detectable mean abnormal return over the sessions of report and denial: {measure}. {reach}; means "
            "anywhere in the interval remain compatible with the data."
        ),
        "borderline": (
            f"Borderline, and no detection: the mean abnormal return over the sessions of report and denial is {measure}; the "
            f"tests disagree. {reach}."
        ),
        "smaller_than_bound": (
            f"Any mean abnormal return was smaller than {bound} in absolute value: {measure}; 90\u00a0% interval "
            f"{format_interval(main.ci90)}. {reach}."
        ),
        "effect": (
            f"The mean abnormal return over the sessions of report and denial is {measure}, with the same sign below the "
            f"level in every reading of uncertain sessions. It coincides with all news of those sessions. {reach}."
        ),
        "fragile": (
            f"A detection that is fragile: the mean abnormal return is {measure}, but not every reading of uncertain "
            f"sessions supports it. {reach}."
        ),
        "detectable_but_small": f"Detectable but smaller than {bound}: the mean abnormal return is {measure}. {reach}.",
    }[result.outcome]
    if main.p_value >= config.significance and main.ci95[0] * main.ci95[1] > 0:
        text += (
            " The 95\u00a0% interval of the plain mean excludes zero although the recommended statistic, which scales each "
            "story by its own noise, does not reject: read both."
        )
    return text


def _say_statistic(result: PanelResult) -> str:
    main = result.main
    if not main.recommended:
        return ""
    inside = result.n_in_estimation
    more = (
        f" {inside} stories have another story of their firm inside their estimation window, which is left in."
        if inside
        else ""
    )
    return f"Read {STATISTIC_LABELS[main.recommended]} first: {main.recommendation}{more}"


def _say_readings(result: PanelResult) -> str:
    others = [r for r in result.resolutions[1:] if r.pooled.estimate is not None and r.pooled.p_value is not None]
    if not others:
        return ""
    estimates = [r.pooled.estimate or 0.0 for r in others]
    p_values = [r.pooled.p_value or 1.0 for r in others]
    uncertain = sum(s.alignment.is_ambiguous for s in result.panel.denied)
    return (
        f"{uncertain} of {len(result.panel.denied)} stories have an uncertain session. Read in the {len(others)} other ways "
        f"shown below, the mean runs from {format_percent(min(estimates))} to {format_percent(max(estimates))}, p from "
        f"{format_p(min(p_values))} to {format_p(max(p_values))}."
    )


def _say_separable(result: PanelResult) -> str:
    n = len(result.separable)
    if result.separable_pooled.estimate is not None:
        return f"In {n} stories a price surely lies between report and denial; their effects are pooled below."
    stories = "story" if n == 1 else "stories"
    return f"A price surely lies between report and denial in {n} {stories}: listed, not pooled (at least {FEWEST_POOLED} are)."


def _say_controls(result: PanelResult) -> str:
    held = result.panel.controls
    if not held:
        return "No undenied report has figures here."
    listed = "; ".join(f"{s.name} {format_percent(s.joint.estimate)}" for s in held)
    return f"Not denied, listed apart: {listed}."


def _say_missing(result: PanelResult) -> str:
    held, parts = result.panel, _count_missing(result)
    total = len(held.stories) + len(held.missing)
    return f"Of {total} registered stories {len(held.stories)} are measured" + (f"; {parts}." if parts else ".")


def _count_missing(result: PanelResult) -> str:
    counts = Counter(m.kind for m in result.panel.missing)
    return "; ".join(f"{counts[k]} {label}" for k, label in MISSING_LABELS.items() if counts[k])


def _say_plainly(result: PanelResult) -> str:
    main = result.main
    if main.estimate is None:
        return f"There are too few stories with prices to say anything about their average: {main.note}."
    size = format_size(abs(main.estimate), digits=1)
    direction = "less" if main.estimate < 0 else "more"
    middle = {
        "no_detectable_effect": "Given how much these shares move anyway, that is not enough to be told from chance.",
        "borderline": "That missed the rule of this study by little: one test would have seen it, the recommended one does not.",
        "smaller_than_bound": "Whatever the news did on average, it was smaller than the bound for small effects.",
        "effect": "That is more than chance would usually give, however the uncertain days are read.",
        "fragile": "That is more than chance would usually give, but not however the uncertain days are read.",
        "detectable_but_small": "That is small, and more than chance would usually give.",
        "insufficient_data": "There is no good way to judge it.",
    }[result.outcome]
    reach = "No average of any size would have been noticed reliably"
    if main.mde80 is not None:
        least = format_size(main.mde80, digits=1)
        reach = f"Only an effect of about {least} or more would have been noticed reliably"
    return (
        f"Across {main.n} stories that were reported and then denied, the shares returned on average about {size} {direction} "
        f"than usual over the days of report and denial. {middle} {reach}, "
        "and these stories are no fair draw: they are known because they were denied."
    )


def tabulate_readings(result: PanelResult) -> TableExhibit:
    """The pooled estimate, read every way: the main sample first."""
    shown = result.resolutions
    columns = (
        Column("", "sample and sessions", of="label"),
        Column("reading", of="name"),
        Column("n", "stories", "whole", of="pooled.n"),
        Column("estimate", "mean", "percent", of="pooled.estimate", missing="n/a: too few"),
        Column("standard_error", of="pooled.standard_error"),
        Column("ci90", kind="interval", of="pooled.ci90"),
        Column("ci95", "95 % interval", "interval", of="pooled.ci95"),
        Column("", "p", "p", of="pooled.p_value"),
        Column("recommended", "by", lambda name: RECOMMENDED_LABELS.get(name, "n/a"), of="pooled.recommended"),
        Column("p", of="pooled.p_value"),
        Column("mde80", "detectable 4 in 5 from", "size", of="pooled.mde80"),
        Column("", "weighted by precision", of=_say_weighted),
        Column("weighted_estimate", of="pooled.weighted_estimate"),
        Column("weighted_error", of="pooled.weighted_error"),
        Column("mean_correlation", of="pooled.correlation.value"),
        Column("pairs_sharing_days", of="pooled.overlap.n_pairs"),
        Column("left_out", of=lambda r: ";".join(name for name, _ in r.left_out)),
        Column("note", of="pooled.note"),
    )
    left = [f"{r.label}: {name} ({why})" for r in shown for name, why in r.left_out]
    caption = (
        "Mean joint effect of the denied stories. The first rows read uncertain sessions in every way, the last ones "
        f"take parts of the sample; fewer than {FEWEST_POOLED} stories are not pooled. p is that of the recommended "
        "statistic (BMP, adjusted where event windows share days). What could have been detected is "
        "an effect common to all stories, by the same statistic, from the standard errors of the stories and not from "
        "the estimate; events that raise the variance need more. Weighted by precision, each story counts by one "
        "over its squared standard error; that takes ordinary noise for the noise of the event, so it is shown and "
        "not tested." + (f" Without figures for the longer window: {'; '.join(left)}." if left else "")
    )
    return declare_table("pooled", shown, columns, caption=caption)


def _say_weighted(reading: Resolution) -> str | None:
    estimate, error = reading.pooled.weighted_estimate, reading.pooled.weighted_error
    return None if estimate is None or error is None else f"{format_percent(estimate)} (s.e. {format_size(error)})"


def tabulate_panel_tests(result: PanelResult) -> TableExhibit:
    """Every statistic of the main sample, the recommended one marked."""
    main, overlap = result.main, result.main.overlap
    columns = (
        Column("", "test", of=lambda t: STATISTIC_LABELS[t.name] + " (read first)" * (t.name == main.recommended)),
        Column("test", of="name"),
        Column("statistic", "statistic", "number", why="note"),
        Column("distribution", "against", lambda distribution: distribution or "n/a"),
        Column("df"),
        Column("p", "p", "p", of="p_value"),
        Column("is_recommended", of=lambda t: t.name == main.recommended),
        Column("null"),
        Column("", "note", of=lambda t: t.note if t.p_value is not None else ""),
        Column("note"),
    )
    caption = (
        f"Every statistic of the main sample: {main.n} stories of {overlap.n_tickers} firms on {overlap.n_sessions} "
        f"event sessions; {overlap.n_pairs} "
        f"{'pair shares' if overlap.n_pairs == 1 else 'pairs share'} days of their windows, mean correlation "
        f"{format_number(main.correlation.value, digits=4)}. Null of most: a mean effect of zero; the rank and "
        "sign tests compare with ordinary days or with symmetry. One of many small p-values is no finding: the "
        "recommended statistic was chosen by the overlaps alone."
    )
    return declare_table("pooled_tests", main.tests.values(), columns, caption=caption)


def tabulate_stories(stories: Sequence[PanelStory], *, name: str, what: str) -> TableExhibit:
    """Stories one by one: sessions, what is identified, joint effect."""
    columns = (
        Column("story", "story", of="name"),
        Column("ticker", of="story.ticker"),
        Column("exchange", of="story.exchange"),
        Column("benchmark", of="study.benchmark"),
        Column("", "listing", of=lambda s: f"{s.story.ticker} ({s.story.exchange})"),
        Column("", "sessions", of=_span),
        Column("denied", "denied", DENIED_LABELS.__getitem__, of="story.denied"),
        Column("kind", of=kind_of),
        Column("identified", "identified", lambda kind: kind.replace("_", " "), of="alignment.identification.kind"),
        Column("event_session", of="alignment.event_session"),
        Column("first", of="alignment.hull.0"),
        Column("last", of="alignment.hull.1"),
        Column("is_ambiguous", of="alignment.is_ambiguous"),
        Column("estimate", "joint effect", "percent", of="joint.estimate"),
        Column("standard_error", of="joint.standard_error"),
        Column("df", of="joint.df"),
        Column("ci95", "95 % interval", "interval", of=lambda s: s.joint.interval(0.95)),
        Column("", "MDE 80 %", "size", of=lambda s: detectable_effect(s.joint.standard_error, df=s.joint.df)),
        Column("other_news", "other news", of=_news),
        Column("", "estimation", of=lambda s: s.note or f"{s.abnormal.fit.n_estimation} sessions"),
        Column("n_estimation", of="abnormal.fit.n_estimation"),
        Column("as_of", of=lambda s: s.study.config.as_of.isoformat()),
        Column("vintage"),
        Column("note"),
    )
    caption = (
        f"{what}, story by story: abnormal return over every session that the report or the first denial can have "
        "reached, each from the market model or the model asked for, on the story's own estimation window. Other "
        f"news listed for those sessions is part of the effect.{'' if stories else ' None can be measured here.'}"
    )
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
    columns = [Column("story", "story"), Column("price_between", "price between", of="price")]
    for name, head in (("report", "report"), ("denial", "denial"), ("total", "sum")):
        columns += [
            Column("", head, _say_effect, of=name),
            Column(f"{name}_estimate", of=f"{name}.0"),
            Column(f"{name}_standard_error", of=f"{name}.1"),
            Column(f"{name}_df", of=f"{name}.2"),
            Column(f"{name}_ci95", kind="interval", of=partial(_interval_of, name)),
        ]
    mean = (
        f"Mean of the sums: {format_percent(pooled.estimate)}, 95 % interval {format_interval(pooled.ci95)}."
        if pooled.estimate is not None and pooled.ci95 is not None
        else f"Not pooled: {pooled.note}."
    )
    caption = (
        "Stories whose report and denial a price surely separates: effect of the sessions before the denial, from the "
        f"denial on, and both together, with 95 % intervals. {mean} Where articles may have fallen on "
        "either side of a price the story is not listed here."
    )
    return declare_table("separable", result.separable, columns, caption=caption)


def _interval_of(name: str, effects: SeparateEffects) -> tuple[float, float]:
    estimate, error, df = getattr(effects, name)
    return interval(estimate, error, df, 0.95)


def _say_effect(effect: tuple[float, float, int]) -> str:
    return f"{format_percent(effect[0])} ({format_interval(interval(*effect, 0.95))})"


def tabulate_missing(result: PanelResult) -> TableExhibit:
    """Registered stories that are not in the sample, and why."""
    shown = sorted(result.panel.missing, key=lambda m: (list(MISSING_LABELS).index(m.kind), m.story.story))
    columns = (
        Column("story", "story", of="story.story"),
        Column("ticker", of="story.ticker"),
        Column("exchange", of="story.exchange"),
        Column("", "listing", of=lambda m: f"{m.story.ticker} ({m.story.exchange})"),
        Column("", "denied", of="story.denied"),
        Column("kind"),
        Column("reason", "why not"),
    )
    caption = (
        f"Registered stories that are not measured here: {_count_missing(result) or 'none'}. Fetched figures "
        "(source=auto), or your own, bring in those that lack them."
    )
    return declare_table("missing_stories", shown, columns, caption=caption, is_folded=True)
