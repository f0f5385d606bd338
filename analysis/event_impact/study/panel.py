"""The steps of the panel notebook: all stories of the registry in one sample.

Every story goes through the steps of a single study, up to the last session that its figures and ``as_of``
allow; what cannot be measured is kept with its reason. Pooling is :mod:`event_impact.many.story_panel`.
"""

from collections.abc import Callable
from functools import partial

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
    missing = tuple(s for s in found if isinstance(s, panels.MissingStory))
    return panels.StoryPanel(study, tuple(sorted(held, key=lambda s: (s.alignment.event_session, s.name))), missing)


def measure_story(
    study: OpenedStory, story: Story, store: PriceStore | None
) -> panels.PanelStory | panels.MissingStory:
    """One story with the parameters of a study, or why it cannot be measured."""
    alignment, tickers = align_story(story), (story.ticker, study.config.benchmark or story.benchmark)
    missing = partial(panels.MissingStory, story)
    if alignment.last_session > study.as_of:
        return missing("as_of", f"its articles reach {alignment.last_session.date()}, after the as-of session")
    if alignment.hull[1] - alignment.hull[0] >= MAX_SESSIONS:
        return missing("window", f"its articles span more than {MAX_SESSIONS} sessions")
    if study.config.model in FACTOR_COLUMNS and story.exchange not in US_EXCHANGES:
        return missing("model", f"the factors are of the United States, the listing is on {story.exchange}")
    try:
        store = store or open_source(study.config.source, study.tables, tickers)
        held = [store.load(ticker, story.exchange).frame.index for ticker in tickers]
    except StudyError as error:
        return missing("no figures", error.message.split(";")[0].rstrip("."))
    first, last = max(days[0] for days in held), min(days[-1] for days in held)
    if first > alignment.event_session or last < alignment.last_session:
        spans = ((first, last), (alignment.event_session, alignment.last_session))
        figures, sessions = (f"from {low.date()} to {high.date()}" for low, high in spans)
        return missing("figures elsewhere", f"its figures run {figures}, its sessions {sessions}")
    try:
        as_of = alignment.hours.between(alignment.event_session, min(study.as_of, last))[-1].date()
        after = min(max(study.config.path[1], alignment.hull[1] + 1), LAST_WINDOW_SESSION)
        config = study.config.replace(story=story.story, as_of=as_of, path=(min(study.config.path[0], -1), after))
        own = OpenedStory(config, study.tables, story, align_story(story, as_of=as_of), store)
        panel = load_returns(own)
        alignment = own.timing.with_opens(panel.opens)
        measured = measure(own, panel, alignment)
        joint = panels.cut_window(measured.close_to_close, alignment.hull, story=story.story, ticker=story.ticker)
    except StudyError as error:
        kind = "too few sessions" if isinstance(error, EstimationError) else "refused"
        return missing(kind, error.message.rstrip("."))
    if isinstance(joint, str):
        return missing("incomplete", joint)
    return panels.PanelStory(own, alignment, measured, joint, panel.inputs, panel.vintage)


def separate_effects(story: panels.PanelStory) -> panels.SeparateEffects | None:
    """Report and denial of a story apart; None where no price surely lies between them, or a part is not measured.

    With nothing but an opening price between them, they must not fall in different sessions.
    """
    found, values = story.alignment.identification, []
    if found.kind == "separable" and found.price_between == "close":
        rows = {r.name: r.contrast for r in assess_story(story.study, story.measured, story.alignment).rows}
        parts = [rows.get(name) for name in ("report", "denial", "total")]
        values = [(c.estimate, c.std_error, c.df) for c in parts if c is not None]
    elif found.kind == "separable" and story.alignment.hull == (0, 0):
        spans = [getattr(story.measured, kind) for kind in ("close_to_open", "open_to_close", HEADLINE_KIND)]
        sums = [(a.sum_window(0, 0), a.fit.df) for a in spans if not isinstance(a, Unmeasured)]
        values = [(total.estimate, total.standard_error, df) for total, df in sums if total.standard_error is not None]
    return panels.SeparateEffects(story.name, found.price_between, *values) if len(values) == 3 else None


#: Ways to read uncertain sessions: what decides whether a detection is confirmed.
READINGS: tuple[tuple[str, str, Callable[[Alignment], Window]], ...] = (
    ("hull", "all candidate sessions (main)", lambda a: a.hull),
    ("first", "first candidate sessions", lambda a: _resolve(a, 0)),
    ("last", "last candidate sessions", lambda a: _resolve(a, -1)),
    ("wider", "one session more on each side", lambda a: (a.hull[0] - 1, a.hull[1] + 1)),
)


def _resolve(alignment: Alignment, place: int) -> Window:
    """From the report's candidate to the first denial's, both the first or both the last one."""
    held = filter(None, (alignment.report_sessions, alignment.denial_sessions))
    chosen = [alignment.relative(sessions)[place] for sessions in held]
    return min(chosen), max(chosen)


def assess_panel(panel: panels.StoryPanel) -> panels.PanelResult:
    """Pool the denied stories, read uncertain sessions every way, separate what can be separated."""
    config = panel.study.config
    denied, pool = panel.denied, partial(panels.pool_windows, draws=DRAWS, seed=config.seed)
    first = {s.story.ticker: s.name for s in reversed(denied)}
    parts = (
        ("unique", "only stories with unique sessions", [s for s in denied if not s.alignment.is_ambiguous]),
        ("in_full", "only stories denied in full", [s for s in denied if s.story.denied == "yes"]),
        ("first_of_firm", "only the first story of each firm", [s for s in denied if first[s.story.ticker] == s.name]),
    )
    asked = [(name, label, denied, rule) for name, label, rule in READINGS]
    asked += [(name, label, tuple(held), READINGS[0][2]) for name, label, held in parts]
    readings = []
    for name, label, stories, rule in asked:
        cuts = {s.name: s.cut(rule(s.alignment)) for s in stories}
        pooled = pool([cut for cut in cuts.values() if isinstance(cut, panels.StoryWindow)])
        left = tuple((story, cut) for story, cut in cuts.items() if isinstance(cut, str))
        readings.append(panels.Resolution(name, label, pooled, left))
    main, again = readings[0].pooled, [r.pooled for r in readings[: len(READINGS)]]
    is_confirmed = len({(p.estimate or 0.0) > 0 for p in again}) == 1 and all(
        p.p_value is not None and p.p_value < config.significance for p in again
    )
    bounds = {"significance": config.significance, "bound": config.equivalence_bound}
    outcome = panels.decide_pooled_outcome(main, **bounds, is_confirmed=is_confirmed)
    apart = tuple(filter(None, map(separate_effects, denied)))
    pooled = pool([s.joint for s in denied if s.name in {e.story for e in apart}])
    path = panels.trace_path([(s.name, s.abnormal) for s in denied], path=config.path, gap_sessions=config.gap_sessions)
    n_inside = panels.count_in_estimation([s.joint for s in denied], [s.joint for s in panel.stories])
    return panels.PanelResult(panel, main, outcome, tuple(readings), apart, pooled, path, n_inside)
