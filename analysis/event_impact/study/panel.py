"""The steps of the panel notebook: all stories of the registry in one sample.

Every story goes through the steps of a single study, up to the last session that its figures and ``as_of``
allow; what cannot be measured is kept with its reason. Pooling is :mod:`event_impact.many.story_panel`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from event_impact.base.config import LAST_WINDOW_SESSION, StudyConfig, Window
from event_impact.base.errors import EstimationError, StudyError
from event_impact.estimation.abnormal import Unmeasured
from event_impact.estimation.models import FACTOR_COLUMNS
from event_impact.events.articles import Story, load_stories
from event_impact.events.sessions import Alignment, align_story
from event_impact.inference.story_sequence import MAX_SESSIONS
from event_impact.inference.windows import HEADLINE_KIND
from event_impact.many import story_panel as panels
from event_impact.market.opened import US_EXCHANGES, OpenedStory
from event_impact.market.snapshot import PriceStore, open_source
from event_impact.study.event_study import assess_story, measure
from event_impact.study.opening import load_returns

DRAWS = 9_999


def gather_panel(study: OpenedStory) -> panels.StoryPanel:
    """Take every story of the registry as far as its figures and ``as_of`` allow.

    Parameters
    ----------
    study : OpenedStory
        The study that was asked for: its parameters hold for all stories; a benchmark that is named too.
    """
    shared = None if study.config.source == "auto" else study.store
    held: list[panels.PanelStory] = []
    missing: list[panels.MissingStory] = []
    for story in load_stories(study.tables).values():
        found = measure_story(study, story, shared)
        (held if isinstance(found, panels.PanelStory) else missing).append(found)  # type: ignore[arg-type]
    held.sort(key=lambda s: (s.alignment.event_session, s.name))
    return panels.StoryPanel(study, tuple(held), tuple(missing))


def measure_story(
    study: OpenedStory, story: Story, store: PriceStore | None = None
) -> panels.PanelStory | panels.MissingStory:
    """One story with the parameters of a study, or why it cannot be measured."""
    alignment = align_story(story)
    if alignment.last_session > study.as_of:
        reason = f"its articles reach {alignment.last_session.date()}, after the as-of session"
        return panels.MissingStory(story, "as_of", reason)
    if alignment.hull[1] - alignment.hull[0] >= MAX_SESSIONS:
        return panels.MissingStory(story, "window", f"its articles span more than {MAX_SESSIONS} sessions")
    if study.config.model in FACTOR_COLUMNS and story.exchange not in US_EXCHANGES:
        return panels.MissingStory(
            story, "model", f"the factors are of the United States, the listing is on {story.exchange}"
        )
    benchmark = study.config.benchmark or story.benchmark
    try:
        store = store or open_source(study.config.source, study.tables, (story.ticker, benchmark))
        first, last = _find_reach(store, story, benchmark)
    except StudyError as error:
        return panels.MissingStory(story, "no figures", error.message.split(";")[0].rstrip("."))
    if first > alignment.event_session or last < alignment.last_session:
        reason = f"its figures run from {first.date()} to {last.date()}, its sessions from "
        reason += f"{alignment.event_session.date()} to {alignment.last_session.date()}"
        return panels.MissingStory(story, "figures elsewhere", reason)
    try:
        return _measure(study, story, store, alignment, min(study.as_of, last))
    except EstimationError as error:
        return panels.MissingStory(story, "too few sessions", error.message.rstrip("."))
    except StudyError as error:
        return panels.MissingStory(story, "refused", error.message.rstrip("."))


def _find_reach(store: PriceStore, story: Story, benchmark: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last session that listing and benchmark both have."""
    frames = [store.load(ticker, story.exchange).frame for ticker in (story.ticker, benchmark)]
    return max(f.index[0] for f in frames), min(f.index[-1] for f in frames)


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
        parts = [rows.get(name) for name in ("report", "denial", "total")]
        if any(part is None for part in parts):
            return "the first candidate of the denial is not after the report's"
        values = [(c.estimate, c.std_error, c.df) for c in parts if c is not None]
        return panels.SeparateEffects(story.name, "close", *values)
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
    config = panel.study.config
    readings = [_read_again(panel.denied, name, label, rule, config) for name, label, rule in READINGS]
    main = readings[0].pooled
    parts = [
        ("unique", "only stories with unique sessions", [s for s in panel.denied if not s.alignment.is_ambiguous]),
        ("in_full", "only stories denied in full", [s for s in panel.denied if s.story.denied == "yes"]),
        ("first_of_firm", "only the first story of each firm", _first_of_firms(panel.denied)),
    ]
    readings += [_read_again(held, name, label, READINGS[0][2], config) for name, label, held in parts]
    apart = [found for s in panel.denied if isinstance(found := separate_effects(s), panels.SeparateEffects)]
    joint = [s.joint for s in panel.denied if s.name in {e.story for e in apart}]
    rule: Any = {"significance": config.significance, "bound": config.equivalence_bound}
    outcome = panels.decide_pooled_outcome(main, **rule, is_confirmed=_is_confirmed(readings[: len(READINGS)], config))
    pooled = panels.pool_windows(joint, draws=DRAWS, seed=config.seed)
    path = panels.trace_path(
        [(s.name, s.abnormal) for s in panel.denied], path=config.path, gap_sessions=config.gap_sessions
    )
    n_inside = panels.count_in_estimation([s.joint for s in panel.denied], [s.joint for s in panel.stories])
    return panels.PanelResult(panel, main, outcome, tuple(readings), tuple(apart), pooled, path, n_inside)


def _first_of_firms(stories: Sequence[panels.PanelStory]) -> list[panels.PanelStory]:
    seen: set[str] = set()
    return [s for s in stories if not (s.story.ticker in seen or seen.add(s.story.ticker))]  # type: ignore[func-returns-value]


def _read_again(
    stories: Sequence[panels.PanelStory],
    name: str,
    label: str,
    rule: Callable[[Alignment], Window],
    config: StudyConfig,
) -> panels.Resolution:
    members, left = [], []
    for story in stories:
        cut = story.cut(rule(story.alignment))
        if isinstance(cut, panels.StoryWindow):
            members.append(cut)
        else:
            left.append((story.name, cut))
    return panels.Resolution(name, label, panels.pool_windows(members, draws=DRAWS, seed=config.seed), tuple(left))


def _is_confirmed(readings: Sequence[panels.Resolution], config: StudyConfig) -> bool:
    """Whether every reading finds the same sign below the level."""
    found = [r.pooled for r in readings]
    if any(p.estimate is None or p.p_value is None for p in found):
        return False
    signs = {(p.estimate or 0.0) > 0 for p in found}
    return len(signs) == 1 and all((p.p_value or 1.0) < config.significance for p in found)
