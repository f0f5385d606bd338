"""The steps of the panel notebook: all stories of the registry in one sample.

Every story goes through the steps of a single study, up to the last session that its figures and ``as_of``
allow; what cannot be measured is kept with its reason. Pooling is :mod:`event_impact.many.story_panel`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd

from event_impact.base.config import LAST_WINDOW_SESSION, Window
from event_impact.base.errors import EstimationError, StudyError
from event_impact.estimation.abnormal import Unmeasured
from event_impact.estimation.models import FACTOR_COLUMNS
from event_impact.events.articles import Story, load_stories
from event_impact.events.sessions import Alignment, align_story
from event_impact.inference.sequence import MAX_SESSIONS
from event_impact.inference.windows import HEADLINE_KIND
from event_impact.many import story_panel as panels
from event_impact.market.opened import US_EXCHANGES, OpenedStory
from event_impact.market.snapshot import PriceStore, open_source
from event_impact.study.event_study import assess_story, measure
from event_impact.study.opened_study import load_returns

DRAWS = 9_999


def gather_panel(study: OpenedStory) -> panels.StoryPanel:
    """Take every story of the registry as far as its figures and ``as_of`` allow.

    Parameters
    ----------
    study : OpenedStory
        The study that was asked for: its parameters hold for all stories; a benchmark that is named too.
    """
    shared = None if study.config.source == "auto" else study.store
    found = [measure_story(study, story, shared) for story in load_stories(study.tables).values()]
    held = [s for s in found if isinstance(s, panels.PanelStory)]
    held.sort(key=lambda s: (s.alignment.event_session, s.name))
    return panels.StoryPanel(study, tuple(held), tuple(s for s in found if isinstance(s, panels.MissingStory)))


def measure_story(
    study: OpenedStory, story: Story, store: PriceStore | None = None
) -> panels.PanelStory | panels.MissingStory:
    """One story with the parameters of a study, or why it cannot be measured."""
    alignment, lack = align_story(story), partial(panels.MissingStory, story)
    if alignment.last_session > study.as_of:
        return lack("as_of", f"its articles reach {alignment.last_session.date()}, after the as-of session")
    if alignment.hull[1] - alignment.hull[0] >= MAX_SESSIONS:
        return lack("window", f"its articles span more than {MAX_SESSIONS} sessions")
    if study.config.model in FACTOR_COLUMNS and story.exchange not in US_EXCHANGES:
        return lack("model", f"the factors are of the United States, the listing is on {story.exchange}")
    pair = (story.ticker, study.config.benchmark or story.benchmark)
    try:
        store = store or open_source(study.config.source, study.tables, pair)
        held = [store.load(ticker, story.exchange).frame.index for ticker in pair]
    except StudyError as error:
        return lack("no figures", error.message.split(";")[0].rstrip("."))
    first, last = max(sessions[0] for sessions in held), min(sessions[-1] for sessions in held)
    if first > alignment.event_session or last < alignment.last_session:
        reason = f"its figures run from {first.date()} to {last.date()}, its sessions from "
        return lack("figures elsewhere", f"{reason}{alignment.event_session.date()} to {alignment.last_session.date()}")
    try:
        return _measure(study, story, store, alignment, min(study.as_of, last))
    except StudyError as error:
        kind = "too few sessions" if isinstance(error, EstimationError) else "refused"
        return lack(kind, error.message.rstrip("."))


def _measure(
    study: OpenedStory, story: Story, store: PriceStore, alignment: Alignment, last: pd.Timestamp
) -> panels.PanelStory | panels.MissingStory:
    as_of = alignment.hours.between(alignment.event_session, last)[-1].date()
    after = min(max(study.config.path[1], alignment.hull[1] + 1), LAST_WINDOW_SESSION)
    config = study.config.replace(story=story.story, as_of=as_of, path=(min(study.config.path[0], -1), after))
    own = OpenedStory(config, study.tables, story, align_story(story, as_of=as_of), store)
    panel = load_returns(own)
    own_alignment = own.timing.with_opens(panel.opens)
    measured = measure(own, panel, own_alignment)
    abnormal = measured.close_to_close
    joint = panels.cut_window(abnormal, own_alignment.hull, story=story.story, ticker=story.ticker)
    if isinstance(joint, str):
        return panels.MissingStory(story, "incomplete", joint)
    return panels.PanelStory(own, own_alignment, measured, joint, panel.inputs, panel.vintage)


def separate_effects(story: panels.PanelStory) -> panels.SeparateEffects | str:
    """Report and denial of a story apart, or why not."""
    found = story.alignment.identification
    if found.kind != "separable":
        return found.reason
    if found.price_between == "close":
        rows = {r.name: r.contrast for r in assess_story(story.study, story.measured, story.alignment).rows}
        parts = [c for name in ("report", "denial", "total") if (c := rows.get(name)) is not None]
        if len(parts) < 3:
            return "the first candidate of the denial is not after the report's"
        return panels.SeparateEffects(story.name, "close", *((c.estimate, c.std_error, c.df) for c in parts))
    if story.alignment.hull != (0, 0):
        return "only an opening price lies between them, and they may fall in different sessions"
    values = []
    for kind in ("close_to_open", "open_to_close", HEADLINE_KIND):
        abnormal = getattr(story.measured, kind)
        if isinstance(abnormal, Unmeasured):
            return f"{kind.replace('_', ' ')}: {abnormal.reason}"
        total = abnormal.sum_window(0, 0)
        if total.estimate is None or total.standard_error is None:
            return f"{kind.replace('_', ' ')}: {total.note}"
        values.append((total.estimate, total.standard_error, abnormal.fit.df))
    return panels.SeparateEffects(story.name, "open", *values)


READINGS: tuple[tuple[str, str, Callable[[Alignment], Window]], ...] = (
    ("hull", "all candidate sessions (main)", lambda a: a.hull),
    ("first", "first candidate sessions", lambda a: _resolve(a, 0)),
    ("last", "last candidate sessions", lambda a: _resolve(a, -1)),
    ("wider", "one session more on each side", lambda a: (a.hull[0] - 1, a.hull[1] + 1)),
)
"""Ways to read uncertain sessions: what decides whether a detection is confirmed."""


def _resolve(alignment: Alignment, place: int) -> Window:
    """From the report's candidate to the first denial's, both the first or both the last one."""
    held = filter(None, (alignment.report_sessions, alignment.denial_sessions))
    chosen = [alignment.relative(sessions)[place] for sessions in held]
    return min(chosen), max(chosen)


def assess_panel(panel: panels.StoryPanel) -> panels.PanelResult:
    """Pool the denied stories, read uncertain sessions every way, separate what can be separated."""
    config, denied = panel.study.config, panel.denied
    pool = partial(panels.pool_windows, draws=DRAWS, seed=config.seed)

    def read(
        name: str, label: str, rule: Callable[[Alignment], Window], stories: Sequence[panels.PanelStory] = denied
    ) -> panels.Resolution:
        cuts = {s.name: s.cut(rule(s.alignment)) for s in stories}
        members = [cut for cut in cuts.values() if isinstance(cut, panels.StoryWindow)]
        left = tuple((story, cut) for story, cut in cuts.items() if isinstance(cut, str))
        return panels.Resolution(name, label, pool(members), left)

    readings, of_firm = [read(*reading) for reading in READINGS], {s.story.ticker: s for s in reversed(denied)}
    main = readings[0].pooled
    parts = [
        ("unique", "only stories with unique sessions", [s for s in denied if not s.alignment.is_ambiguous]),
        ("in_full", "only stories denied in full", [s for s in denied if s.story.denied == "yes"]),
        ("first_of_firm", "only the first story of each firm", [s for s in denied if s is of_firm[s.story.ticker]]),
    ]
    apart = [found for s in denied if isinstance(found := separate_effects(s), panels.SeparateEffects)]
    joint = [s.joint for s in denied if s.name in {e.story for e in apart}]
    pooled = [(r.pooled.estimate, r.pooled.p_value) for r in readings]
    is_below = all(e is not None and p is not None and p < config.significance for e, p in pooled)
    is_confirmed = is_below and len({e > 0 for e, _ in pooled if e is not None}) == 1  # by every reading, of one sign
    rule: Any = {"significance": config.significance, "bound": config.equivalence_bound}
    outcome = panels.decide_pooled_outcome(main, **rule, is_confirmed=is_confirmed)
    readings += [read(name, label, READINGS[0][2], held) for name, label, held in parts]
    path = panels.trace_path([(s.name, s.abnormal) for s in denied], path=config.path, gap_sessions=config.gap_sessions)
    n_inside = panels.count_in_estimation([s.joint for s in denied], [s.joint for s in panel.stories])
    return panels.PanelResult(panel, main, outcome, tuple(readings), tuple(apart), pool(joint), path, n_inside)
