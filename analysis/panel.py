"""All stories of the registry in one sample: the steps of the panel notebook.

Every story goes through the steps of a single study, up to the last session that its figures and ``as_of``
allow; what cannot be measured is kept with its reason. Pooling is :mod:`analysis.inference.story_panel`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from analysis import study as steps
from analysis.config import LAST_WINDOW_SESSION, StudyConfig
from analysis.errors import EstimationError, StudyError
from analysis.estimation.abnormal import AbnormalReturns
from analysis.estimation.models import FACTOR_COLUMNS
from analysis.events.articles import Story, load_stories
from analysis.events.confounders import load_confounders
from analysis.events.sessions import Alignment, align_story
from analysis.inference.story_panel import (
    PooledEffect,
    StoryWindow,
    count_in_estimation,
    cut_window,
    decide_pooled_outcome,
    pool_windows,
)
from analysis.inference.story_path import StoryPath, trace_path
from analysis.inference.story_sequence import MAX_SESSIONS
from analysis.inference.windows import HEADLINE_KIND
from analysis.market.snapshot import PriceStore, open_source
from analysis.study import Study

DRAWS = 9_999
US_EXCHANGES = ("XNYS", "XNAS")
Window = tuple[int, int]


@dataclass(frozen=True)
class PanelStory:
    """One story measured like a study of its own.

    Attributes
    ----------
    study : Study
        With the story's own as_of: the last session that the run's as_of and the figures allow.
    joint : StoryWindow
        Effect over the hull of candidate sessions of report and first denial.
    inputs : dict of str to str
        Price files read, with their sha256.
    """

    study: Study
    alignment: Alignment
    measured: steps.Measured
    joint: StoryWindow
    inputs: dict[str, str]
    vintage: str

    @property
    def story(self) -> Story:
        """The story."""
        return self.study.story

    @property
    def name(self) -> str:
        """Its id."""
        return self.story.story

    @property
    def abnormal(self) -> AbnormalReturns:
        """Close-to-close abnormal returns."""
        found = self.measured[HEADLINE_KIND]
        assert isinstance(found, AbnormalReturns)  # else the story is a MissingStory
        return found

    @property
    def is_control(self) -> bool:
        """Whether nobody denied the report."""
        return self.story.denied == "no"

    @property
    def note(self) -> str:
        """What a reader must know of its figures."""
        fit = self.abnormal.fit
        return "" if fit.n_estimation == fit.asked_sessions else f"{fit.n_estimation} of {fit.asked_sessions} sessions"

    def cut(self, window: Window) -> StoryWindow | str:
        """Another window of the same fit, or why there is none."""
        return cut_window(self.abnormal, window, story=self.name, ticker=self.story.ticker)


@dataclass(frozen=True)
class MissingStory:
    """A registered story that is not in the sample, and why."""

    story: Story
    kind: str
    reason: str


@dataclass(frozen=True)
class StoryPanel:
    """Every story of the registry: measured, or missing with its reason."""

    study: Study
    stories: tuple[PanelStory, ...]
    missing: tuple[MissingStory, ...]

    @cached_property
    def denied(self) -> tuple[PanelStory, ...]:
        """Stories whose report was denied, in whole or in part, by event session."""
        return tuple(s for s in self.stories if not s.is_control)

    @cached_property
    def controls(self) -> tuple[PanelStory, ...]:
        """Stories that nobody denied."""
        return tuple(s for s in self.stories if s.is_control)

    @property
    def inputs(self) -> dict[str, str]:
        """Price files of all stories."""
        return {file: sha for s in self.stories for file, sha in sorted(s.inputs.items())}

    @property
    def vintage(self) -> str:
        """Recordings that the figures come from."""
        held = {part for s in self.stories for part in s.vintage.split("; ")}
        return "; ".join(sorted(held)) or "none: no story could be measured"


def gather_panel(study: Study) -> StoryPanel:
    """Take every story of the registry as far as its figures and ``as_of`` allow.

    Parameters
    ----------
    study : Study
        The study that was asked for: its parameters hold for all stories; a benchmark that is named too.
    """
    shared = None if study.config.source == "auto" else study.store
    held: list[PanelStory] = []
    missing: list[MissingStory] = []
    for story in load_stories(study.root.data).values():
        found = measure_story(study, story, shared)
        (held if isinstance(found, PanelStory) else missing).append(found)  # type: ignore[arg-type]
    held.sort(key=lambda s: (s.alignment.event_session, s.name))
    return StoryPanel(study, tuple(held), tuple(missing))


def measure_story(study: Study, story: Story, store: PriceStore | None = None) -> PanelStory | MissingStory:
    """One story with the parameters of a study, or why it cannot be measured."""
    label = pd.Timestamp(study.config.as_of)
    alignment = align_story(story)
    if alignment.last_session > label:
        return MissingStory(story, "as_of", f"its articles reach {alignment.last_session.date()}, after as_of")
    if alignment.hull[1] - alignment.hull[0] >= MAX_SESSIONS:
        return MissingStory(story, "window", f"its articles span more than {MAX_SESSIONS} sessions")
    if study.config.model in FACTOR_COLUMNS and story.exchange not in US_EXCHANGES:
        return MissingStory(story, "model", f"the factors are of the United States, the listing is on {story.exchange}")
    benchmark = study.config.benchmark or story.benchmark
    try:
        store = store or open_source(study.config.source, study.root.data, (story.ticker, benchmark))
        first, last = _find_reach(store, story, benchmark)
    except StudyError as error:
        return MissingStory(story, "no figures", error.message.split(";")[0].rstrip("."))
    if first > alignment.event_session or last < alignment.last_session:
        reason = f"its figures run from {first.date()} to {last.date()}, its sessions from "
        reason += f"{alignment.event_session.date()} to {alignment.last_session.date()}"
        return MissingStory(story, "figures elsewhere", reason)
    try:
        return _measure(study, story, store, alignment, min(label, last))
    except EstimationError as error:
        return MissingStory(story, "too few sessions", error.message.rstrip("."))
    except StudyError as error:
        return MissingStory(story, "refused", error.message.rstrip("."))


def _find_reach(store: PriceStore, story: Story, benchmark: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last session that listing and benchmark both have."""
    frames = [store.load(ticker, story.exchange).frame for ticker in (story.ticker, benchmark)]
    return max(f.index[0] for f in frames), min(f.index[-1] for f in frames)


def _measure(
    study: Study, story: Story, store: PriceStore, alignment: Alignment, last: pd.Timestamp
) -> PanelStory | MissingStory:
    hours = alignment.hours
    as_of = hours.between(alignment.event_session, last)[-1]
    after = min(max(study.config.path[1], alignment.hull[1] + 1), LAST_WINDOW_SESSION)
    config = study.config.replace(
        story=story.story, as_of=as_of.date(), path=f"{min(study.config.path[0], -1)}:{after}"
    )
    known_at = hours.schedule.at[as_of, "close"]
    confounders = load_confounders(story.ticker, study.root.data, known_at=known_at, story=story.story)
    own = Study(config, study.root, story, confounders, store)
    panel = steps.load_returns(own)
    own_alignment = steps.align(own, panel)
    measured = steps.measure(own, panel, own_alignment)
    abnormal = measured[HEADLINE_KIND]
    assert isinstance(abnormal, AbnormalReturns)  # measure() raises where the headline has none
    joint = cut_window(abnormal, own_alignment.hull, story=story.story, ticker=story.ticker)
    if isinstance(joint, str):
        return MissingStory(story, "incomplete", joint)
    return PanelStory(own, own_alignment, measured, joint, panel.inputs, panel.vintage)


@dataclass(frozen=True)
class SeparateEffects:
    """Report, denial and sum of one story whose articles a price surely separates.

    Attributes
    ----------
    price : str
        ``close`` or ``open``: the price between report and denial.
    report, denial, total : (estimate, standard_error, df)
        With an opening price between them the report is the return up to the open, the denial the rest
        of the session, and the total the whole session from its own fit.
    """

    story: str
    price: str
    report: tuple[float, float, int]
    denial: tuple[float, float, int]
    total: tuple[float, float, int]


def separate_effects(story: PanelStory) -> SeparateEffects | str:
    """Report and denial of a story apart, or why not."""
    found = story.alignment.identification
    if found.kind != "separable":
        return found.reason
    if found.price_between == "close":
        rows = {r.name: r.contrast for r in steps.assess_story(story.study, story.measured, story.alignment).rows}
        parts = [rows.get(name) for name in ("report", "denial", "total")]
        if any(part is None for part in parts):
            return "the first candidate of the denial is not after the report's"
        values = [(c.estimate, c.std_error, c.df) for c in parts if c is not None]
        return SeparateEffects(story.name, "close", *values)
    if story.alignment.hull != (0, 0):
        return "only an opening price lies between them, and they may fall in different sessions"
    values = []
    for kind in ("close_to_open", "open_to_close", HEADLINE_KIND):
        abnormal = story.measured[kind]
        if not isinstance(abnormal, AbnormalReturns):
            return f"{kind.replace('_', ' ')}: {abnormal.reason}"
        total = abnormal.sum_window(0, 0)
        if total.estimate is None or total.standard_error is None:
            return f"{kind.replace('_', ' ')}: {total.note}"
        values.append((total.estimate, total.standard_error, abnormal.fit.df))
    return SeparateEffects(story.name, "open", *values)


@dataclass(frozen=True)
class Resolution:
    """The sample once more, with one choice made differently."""

    name: str
    label: str
    pooled: PooledEffect
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PanelResult:
    """What the stories say together.

    Attributes
    ----------
    main : PooledEffect
        Joint effect of the denied stories.
    outcome : str
        By the rule of :func:`analysis.inference.story_panel.decide_pooled_outcome`.
    resolutions : tuple of Resolution
        The readings of uncertain sessions, the first of them the main sample, then parts of it.
    separable : tuple of SeparateEffects
    separable_pooled : PooledEffect
        Of the sums, pooled only when there are enough.
    path : StoryPath
    n_in_estimation : int
        Pooled stories whose estimation window holds another measured story of the same firm, controls among them.
    """

    panel: StoryPanel
    main: PooledEffect
    outcome: str
    resolutions: tuple[Resolution, ...]
    separable: tuple[SeparateEffects, ...]
    separable_pooled: PooledEffect
    path: StoryPath
    n_in_estimation: int


READINGS: tuple[tuple[str, str, Callable[[Alignment], Window]], ...] = (
    ("hull", "all candidate sessions (main)", lambda a: a.hull),
    ("first", "first candidate sessions", lambda a: _resolve(a, 0)),
    ("last", "last candidate sessions", lambda a: _resolve(a, -1)),
    ("wider", "one session more on each side", lambda a: (a.hull[0] - 1, a.hull[1] + 1)),
)
"""Ways to read uncertain sessions: what decides whether a detection is confirmed."""


def _resolve(alignment: Alignment, place: int) -> Window:
    """From the report's candidate to the first denial's, both the first or both the last one."""
    chosen = [
        alignment.relative(sessions)[place]
        for sessions in (alignment.report_sessions, alignment.denial_sessions)
        if sessions
    ]
    return min(chosen), max(chosen)


def assess_panel(panel: StoryPanel) -> PanelResult:
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
    apart = [found for s in panel.denied if isinstance(found := separate_effects(s), SeparateEffects)]
    joint = [s.joint for s in panel.denied if s.name in {e.story for e in apart}]
    return PanelResult(
        panel=panel,
        main=main,
        outcome=decide_pooled_outcome(
            main,
            significance=config.significance,
            bound=config.equivalence_bound,
            is_confirmed=_is_confirmed(readings[: len(READINGS)], config),
        ),
        resolutions=tuple(readings),
        separable=tuple(apart),
        separable_pooled=pool_windows(joint, draws=DRAWS, seed=config.seed),
        path=trace_path(
            [(s.name, s.abnormal) for s in panel.denied],
            path=config.path,
            estimation_sessions=config.estimation_sessions,
            gap_sessions=config.gap_sessions,
        ),
        n_in_estimation=count_in_estimation([s.joint for s in panel.denied], [s.joint for s in panel.stories]),
    )


def _first_of_firms(stories: Sequence[PanelStory]) -> list[PanelStory]:
    seen: set[str] = set()
    return [s for s in stories if not (s.story.ticker in seen or seen.add(s.story.ticker))]  # type: ignore[func-returns-value]


def _read_again(
    stories: Sequence[PanelStory], name: str, label: str, rule: Callable[[Alignment], Window], config: StudyConfig
) -> Resolution:
    members, left = [], []
    for story in stories:
        cut = story.cut(rule(story.alignment))
        if isinstance(cut, StoryWindow):
            members.append(cut)
        else:
            left.append((story.name, cut))
    return Resolution(name, label, pool_windows(members, draws=DRAWS, seed=config.seed), tuple(left))


def _is_confirmed(readings: Sequence[Resolution], config: StudyConfig) -> bool:
    """Whether every reading finds the same sign below the level."""
    found = [r.pooled for r in readings]
    if any(p.estimate is None or p.p_value is None for p in found):
        return False
    signs = {(p.estimate or 0.0) > 0 for p in found}
    return len(signs) == 1 and all((p.p_value or 1.0) < config.significance for p in found)
