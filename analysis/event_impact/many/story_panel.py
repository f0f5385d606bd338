"""Many stories, each with a window of its own length: one estimate, its tests and what it could have shown.

The statistics are those of the batch engine. What differs is that windows are as long as each story's articles
need, so that overlap and correlation are found pair by pair, on calendar days.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, zip_longest
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc, stdtrit

from event_impact.base.config import Window
from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.abnormal import AbnormalReturns, Measured
from event_impact.events.articles import Story
from event_impact.events.sessions import Alignment
from event_impact.inference.parametric import interval, is_inside
from event_impact.many import parametric_tests as parametric
from event_impact.many import rank_tests as ranks
from event_impact.many import resampling
from event_impact.many.dependence import Overlap, calendar_time_t, two_way_clustered_t
from event_impact.many.residual_correlation import FEWEST_SHARED_SESSIONS, MeanCorrelation
from event_impact.many.sample import PooledTests, measure_mean, recommend_statistic, run_car_tests
from event_impact.market.opened import OpenedStory

#: Fewer stories are listed one by one: a mean of them says more about the choice than about such stories.
FEWEST_POOLED = 10
#: Sessions after the event that every story of the path must have; later stories are left out.
SHORTEST_PATH = 5
#: The last two are defined for windows of one length only, which is said in their place.
PANEL_STATISTICS = (
    "bmp", "kp_bmp", "cross_sectional_t", "skewness_adjusted_t", "patell", "adjusted_patell", "calendar_time_t",
    "two_way_clustered_t", "wild_bootstrap", "sign_flip", "wilcoxon", "sign", "generalized_sign", "grank_t",
    "crude_dependence_t", "corrado",
)  # fmt: skip


@dataclass(frozen=True)
class StoryWindow:
    """One story's cumulative abnormal return with what pooling needs of its fit.

    Attributes
    ----------
    sessions : pandas.DatetimeIndex
        The W calendar days of the window.
    abnormal : numpy.ndarray
        (W,) abnormal returns, fractions.
    estimate, standard_error : float
        Their sum and its standard error with the whole forecast covariance.
    df : int
        L - K.
    residuals : pandas.Series
        Index session, (L,) residuals of the estimation window.
    residual_std : float
    """

    story: str
    ticker: str
    sessions: pd.DatetimeIndex
    abnormal: np.ndarray
    estimate: float
    standard_error: float
    df: int
    residuals: pd.Series
    residual_std: float

    @property
    def scar(self) -> float:
        """The estimate in standard errors."""
        return self.estimate / self.standard_error

    @property
    def length(self) -> int:
        """W."""
        return len(self.abnormal)

    def interval(self, level: float) -> tuple[float, float]:
        """The story's own t interval."""
        return interval(self.estimate, self.standard_error, self.df, level)


def cut_window(abnormal: AbnormalReturns, window: tuple[int, int], *, story: str, ticker: str) -> StoryWindow | str:
    """One window of one story, or the reason why there is none.

    Parameters
    ----------
    abnormal : AbnormalReturns
        Of the story.
    window : (int, int)
        First and last rel_session.
    story, ticker : str
        Whose it is.

    Returns
    -------
    StoryWindow or str
        The reason, where the window is not complete.
    """
    try:
        total = abnormal.sum_window(*window)
    except EstimationError as error:
        return error.message.rstrip(".")
    if total.estimate is None or total.standard_error is None:
        return total.note
    fit = abnormal.fit
    return StoryWindow(
        story=story, ticker=ticker, sessions=pd.DatetimeIndex(abnormal.table.loc[window[0] : window[1], "session"]),
        abnormal=total.abnormal, estimate=total.estimate, standard_error=total.standard_error, df=fit.df,
        residuals=pd.Series(fit.residuals, index=fit.sessions), residual_std=fit.residual_std,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PooledEffect(PooledTests):
    """What a sample of stories says together; the numbers are None where it is too small to be pooled.

    Its ``mde80`` is from the standard errors of the stories alone.

    Attributes
    ----------
    estimate : float or None
        Equally weighted mean of the cumulative abnormal returns.
    weighted_estimate, weighted_error : float or None
        Mean weighted by 1/SE^2 of each story, and its standard error from the stories' own; it trusts the
        ordinary variance of each share and is shown beside, never tested.
    note : str
        Why there is no number.
    """

    estimate: float | None = None
    weighted_estimate: float | None = None
    weighted_error: float | None = None
    note: str = ""


def pool_windows(members: Sequence[StoryWindow], *, draws: int, seed: int, fewest: int = FEWEST_POOLED) -> PooledEffect:
    """The mean effect of some stories with every statistic that is defined for windows of several lengths.

    Parameters
    ----------
    draws, seed : int
        Of the resampling tests.
    fewest : int
        Below this number nothing is pooled, and ``note`` says so.

    Returns
    -------
    PooledEffect
        With its ``note`` where nothing is pooled.
    """
    n, correlation = len(members), correlate_stories(members)
    held: dict[str, Any] = {"n": n, "overlap": count_story_overlaps(members), "correlation": correlation}
    if n < max(fewest, 2):
        note = f"{n} {'story' if n == 1 else 'stories'}; at least {max(fewest, 2)} are pooled"
        tests = {name: not_computable(name, note) for name in PANEL_STATISTICS}
        return PooledEffect(tests=tests, recommendation=note, note=note, **held)
    tests = _run_tests(members, correlation.value, draws=draws, seed=seed)
    longest = max(m.length for m in members)
    recommended, why = recommend_statistic(held["overlap"], n, n_event=longest, tests=tests)
    car, errors = _stack(members, "estimate"), _stack(members, "standard_error")
    weights = 1.0 / np.square(errors)
    spread = math.sqrt(max(1.0 + (n - 1) * correlation.value, 0.0))
    return PooledEffect(
        estimate=float(car.mean()), weighted_estimate=float((weights * car).sum() / weights.sum()),
        weighted_error=spread / math.sqrt(float(weights.sum())), tests=tests,
        mde80=parametric.find_detectable_caar(errors, mean_correlation=correlation.value, statistic=recommended),
        recommended=recommended if tests[recommended].p_value is not None else "",
        recommendation=why.replace(f"windows of {longest}", f"windows of 1 to {longest} sessions"),
        **held, **measure_mean(car, correlation.value),
    )  # fmt: skip


def _stack(members: Sequence[StoryWindow], name: str) -> np.ndarray:
    """One number of every story."""
    return np.array([getattr(m, name) for m in members], dtype=float)


def _run_tests(members: Sequence[StoryWindow], rbar: float, *, draws: int, seed: int) -> dict[str, TestResult]:
    car, scar = _stack(members, "estimate"), _stack(members, "scar")
    ticker = np.unique([m.ticker for m in members], return_inverse=True)[1]
    block = label_story_blocks(members)
    share = float(np.mean([(m.residuals > 0).mean() for m in members]))
    inflation = float(np.mean([(m.standard_error / m.residual_std) ** 2 / m.length for m in members]))
    # standardised residuals, counted back from the event, with SCAR / sd(SCAR) as the last day
    backwards = (m.residuals.to_numpy()[::-1] / m.residual_std for m in members)
    days = np.array([*zip_longest(*backwards, fillvalue=np.nan)])[::-1].T
    scaled = scar[:, None] / (float(scar.std(ddof=1)) or 1.0)
    ranked = ranks.rank_days(days, np.isfinite(days).sum(axis=1), [scaled])[0]
    by_day = pd.concat([pd.Series(m.abnormal, index=m.sessions) for m in members])
    found = [
        *run_car_tests(car, scar, _stack(members, "df"), rbar, share),
        calendar_time_t(by_day.groupby(level=0).mean().to_numpy(), inflation=inflation),
        two_way_clustered_t(car, ticker, block),
        resampling.wild_bootstrap(car, block, draws=draws, seed=seed),
        resampling.sign_flip(car, draws=draws, seed=seed),
        ranks.grank_tests(ranked, n_events=len(members))[0],
    ]
    named = {test.name: test for test in found}
    reason = "is defined for windows of one length only"
    return {name: named.get(name) or not_computable(name, reason) for name in PANEL_STATISTICS}


def pair_stories(members: Sequence[StoryWindow]) -> list[tuple[StoryWindow, StoryWindow, int]]:
    """Every two stories whose event windows share calendar days, and how many."""
    pairs = ((a, b, len(a.sessions.intersection(b.sessions))) for a, b in combinations(members, 2))
    return [pair for pair in pairs if pair[2]]


def count_story_overlaps(members: Sequence[StoryWindow]) -> Overlap:
    """How the stories share firms and days."""
    first = pd.Series([m.sessions[0] for m in members], dtype="datetime64[ns]")
    pairs = pair_stories(members)
    return Overlap(
        n_sessions=first.nunique(),
        n_tickers=len({m.ticker for m in members}),
        n_sharing_session=int(first.duplicated(keep=False).sum()),
        n_pairs=len(pairs),
        n_same_firm_pairs=sum(a.ticker == b.ticker for a, b, _ in pairs),
        n_in_estimation=count_in_estimation(members, members),
    )


def count_in_estimation(members: Sequence[StoryWindow], stories: Sequence[StoryWindow]) -> int:
    """Members whose estimation window, which ends before their own sessions, holds one of a story of the same firm."""
    spans = [(m, m.residuals.index[0], m.residuals.index[-1]) for m in members]
    return sum(
        any(o.ticker == m.ticker and ((o.sessions >= low) & (o.sessions <= high)).any() for o in stories)
        for m, low, high in spans
    )


def correlate_stories(members: Sequence[StoryWindow]) -> MeanCorrelation:
    """Mean correlation of the cumulative abnormal returns: 2/(N(N-1)) sum rho_ij o_ij / sqrt(W_i W_j).

    rho_ij from the residuals on shared calendar days (1 for one firm, 0 below 20 days), o_ij the
    calendar days that both windows hold; with equal windows the weight is the engine's o_ij / W.
    """
    n, pairs, total, short = len(members), pair_stories(members), 0.0, 0
    for one, other, days in pairs:
        rho = 1.0
        if one.ticker != other.ticker:
            both = one.residuals.index.intersection(other.residuals.index)
            is_short = len(both) < FEWEST_SHARED_SESSIONS
            short += is_short
            rho = 0.0 if is_short else float(np.corrcoef(one.residuals[both], other.residuals[both])[0, 1])
        total += rho * days / math.sqrt(one.length * other.length)
    return MeanCorrelation(2.0 * total / (n * (n - 1)) if n > 1 else 0.0, len(pairs), short)


def label_story_blocks(members: Sequence[StoryWindow]) -> np.ndarray:
    """Number the groups of stories whose windows chain into each other; groups share no day."""
    block = np.arange(len(members))
    for i, one in enumerate(members):
        for j in range(i):
            if pair_stories((one, members[j])):
                block[block == block[i]] = block[j]
    return np.unique(block, return_inverse=True)[1]


@dataclass(frozen=True)
class LeftOutStory:
    """The pooled mean without one story, with p of BMP and of BMP adjusted for shared days."""

    story: str
    estimate: float
    p_bmp: float | None
    p_kp_bmp: float | None


def leave_out_stories(members: Sequence[StoryWindow]) -> tuple[LeftOutStory, ...]:
    """Each story left out in turn: does the conclusion hang on one of them?"""
    found = []
    for own in members:
        rest = [m for m in members if m is not own]
        mean, scar = float(_stack(rest, "estimate").mean()), _stack(rest, "scar")
        adjusted = parametric.kp_bmp(scar, correlate_stories(rest).value)
        found.append(LeftOutStory(own.story, mean, parametric.bmp(scar).p_value, adjusted.p_value))
    return tuple(found)


def measure_spread(members: Sequence[StoryWindow]) -> TestResult:
    """Did stories move, whatever their signs? Sum of SCAR^2 against chi-squared with N degrees of freedom.

    Effects of either sign cancel in a mean; here they add up. A variance that rises at the event counts too.
    """
    null = "no story moved: the standardised effects spread like ordinary windows"
    scar = _stack(members, "scar")
    if not scar.size:
        return not_computable("dispersion", "no story is measured", null=null)
    total, n = float(scar @ scar), scar.size
    p_value = float(chdtrc(n, total))
    return TestResult("dispersion", null, f"chi2({n})", total, p_value, n, "windows that share days count as apart")


@dataclass(frozen=True)
class ShrunkEffect:
    """One story's estimate drawn towards what the other stories show; a summary, not a test.

    Attributes
    ----------
    estimate, standard_error : float
        Of the story alone.
    mean, spread : float
        Of the effects of the other stories: their random-effects mean, and the standard deviation of one more effect
        around it.
    shrunk, shrunk_error : float
        Both together, each weighted by its precision.
    """

    story: str
    estimate: float
    standard_error: float
    mean: float
    spread: float
    shrunk: float
    shrunk_error: float


def shrink_story(members: Sequence[StoryWindow], story: str) -> ShrunkEffect | None:
    """Empirical Bayes for one story, the others as its prior (DerSimonian and Laird 1986); None without two others."""
    rest = [m for m in members if m.story != story]
    if not 2 <= len(rest) < len(members):
        return None
    (own,) = (m for m in members if m.story == story)
    x, variance = _stack(rest, "estimate"), _stack(rest, "standard_error") ** 2
    weight = 1.0 / variance
    excess = weight @ np.square(x - weight @ x / weight.sum()) - (len(rest) - 1)
    between = max(0.0, float(excess / (weight.sum() - weight @ weight / weight.sum())))
    weight = 1.0 / (variance + between)
    mean, prior = float(weight @ x / weight.sum()), between + 1.0 / float(weight.sum())
    precision = 1.0 / prior + 1.0 / own.standard_error**2
    shrunk = (mean / prior + own.estimate / own.standard_error**2) / precision
    return ShrunkEffect(
        story, own.estimate, own.standard_error, mean, math.sqrt(prior), shrunk, 1.0 / math.sqrt(precision)
    )


def decide_pooled_outcome(pooled: PooledTests, *, significance: float, bound: float, is_confirmed: bool) -> str:
    """The outcome of a pooled effect, by the rule of single studies with the recommended p.

    ``borderline``: p from the level to twice the level, while the 95 % interval of the mean excludes zero.

    Parameters
    ----------
    is_confirmed : bool
        Another look agrees (every reading of uncertain sessions; placebo dates); without it a
        detection is ``fragile``.
    """
    if pooled.p_value is None or pooled.ci90 is None or pooled.ci95 is None:
        return "insufficient_data"
    is_small = is_inside(*pooled.ci90, bound)
    if pooled.p_value < significance:
        return "detectable_but_small" if is_small else ("effect" if is_confirmed else "fragile")
    if pooled.p_value < 2 * significance and not pooled.ci95[0] <= 0 <= pooled.ci95[1]:
        return "borderline"
    return "smaller_than_bound" if is_small else "no_detectable_effect"


@dataclass(frozen=True)
class StoryPath:
    """Average and cumulated abnormal returns by rel_session.

    Attributes
    ----------
    table : pandas.DataFrame
        rel_session, n, aar, aar_t, caar, caar_t, caar_bmp, ci95_low, ci95_high (of the CAAR, from the
        spread of the stories, t(N - 1)).
    stories, left_out : tuple of str
        Stories on the path, and those whose figures end too early for it.
    note : str
        Why there is no path.
    """

    table: pd.DataFrame
    stories: tuple[str, ...]
    left_out: tuple[str, ...]
    note: str = ""


def trace_path(
    members: Sequence[tuple[str, AbnormalReturns]], *, path: tuple[int, int], gap_sessions: int
) -> StoryPath:
    """Cumulate the abnormal returns of all stories from before the event, session by session.

    The path begins where the gap does and ends where the first story's figures end.

    Parameters
    ----------
    path : (int, int)
        Asked first and last rel_session.

    Returns
    -------
    StoryPath
    """
    first = max(path[0], -gap_sessions)
    reach = [min(path[1], int(a.table.index[a.table["ar"].notna()].max())) for _, a in members]
    floor = min(path[1], SHORTEST_PATH)
    last = min((r for r in reach if r >= floor), default=floor)
    totals = [a.sum_window(first, last) for _, a in members]
    used = [k for k, total in enumerate(totals) if reach[k] >= floor and total.estimate is not None]
    names = tuple(members[k][0] for k in used)
    left = tuple(name for name, _ in members if name not in names)
    if len(used) < 2:
        note = f"{len(used)} of {len(members)} stories reach {floor} sessions after the event; a path needs two"
        return StoryPath(pd.DataFrame(), names, left, note)
    abnormal = np.array([totals[k].abnormal for k in used])
    cumulated = abnormal.cumsum(axis=1)
    variance = [members[k][1].forecast_covariance(first, last).cumsum(axis=0).cumsum(axis=1).diagonal() for k in used]
    day, sums, scaled = map(parametric.Moments.of, (abnormal, cumulated, cumulated / np.sqrt(variance)))
    half = float(stdtrit(len(used) - 1, 0.975)) * sums.std / math.sqrt(len(used))
    columns = {"rel_session": range(first, last + 1), "n": len(used), "aar": day.mean, "caar": sums.mean}
    columns |= {"aar_t": day.t, "caar_t": sums.t, "caar_bmp": scaled.t}
    table = pd.DataFrame(columns | {"ci95_low": sums.mean - half, "ci95_high": sums.mean + half})
    return StoryPath(table, names, left)


@dataclass(frozen=True)
class PanelStory:
    """One story measured like a study of its own.

    Attributes
    ----------
    study : OpenedStory
        With the story's own as_of: the last session that the run's as_of and the figures allow.
    joint : StoryWindow
        Effect over the hull of candidate sessions of report and first denial.
    inputs : dict of str to str
        Price files read, with their sha256.
    """

    study: OpenedStory
    alignment: Alignment
    measured: Measured
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
        return self.measured.close_to_close

    @property
    def note(self) -> str:
        """What a reader must know of its figures."""
        fit = self.abnormal.fit
        return "" if fit.n_estimation == fit.asked_sessions else f"{fit.n_estimation} of {fit.asked_sessions} sessions"

    @cached_property
    def news(self) -> tuple[str, ...]:
        """Recorded other news of its sessions: of the listing, and of the benchmark with its ticker before it."""
        market = self.study.benchmark
        held = (("", self.study.confounders), (f"{market}: ", self.study.news_of(market)))
        labels = ((head, news.label_of(s)) for s in self.joint.sessions for head, news in held)
        return tuple(head + label for head, label in labels if label)

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

    study: OpenedStory
    stories: tuple[PanelStory, ...]
    missing: tuple[MissingStory, ...]

    @cached_property
    def denied(self) -> tuple[PanelStory, ...]:
        """Stories whose report was denied, in whole or in part, by event session."""
        return tuple(s for s in self.stories if s.story.denied != "no")

    @cached_property
    def controls(self) -> tuple[PanelStory, ...]:
        """Stories that nobody denied."""
        return tuple(s for s in self.stories if s.story.denied == "no")

    @property
    def inputs(self) -> dict[str, str]:
        """Price files of all stories."""
        return {file: sha for s in self.stories for file, sha in sorted(s.inputs.items())}

    @property
    def vintage(self) -> str:
        """Recordings that the figures come from."""
        held = {part for s in self.stories for part in s.vintage.split("; ")}
        return "; ".join(sorted(held)) or "none: no story could be measured"


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
        By the rule of :func:`event_impact.many.story_panel.decide_pooled_outcome`.
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

    @cached_property
    def left_out(self) -> tuple[LeftOutStory, ...]:
        """The pooled mean without each story."""
        return leave_out_stories([s.joint for s in self.panel.denied])

    @cached_property
    def dispersion(self) -> TestResult:
        """Whether stories moved in either direction."""
        return measure_spread([s.joint for s in self.panel.denied])

    @cached_property
    def shrunk(self) -> ShrunkEffect | None:
        """The effect of the run's own story, drawn towards the others."""
        return shrink_story([s.joint for s in self.panel.denied], self.panel.study.story.story)
