"""Every window of a study: estimate, tests, intervals, power and outcome in one row.

An abnormal return in money: arithmetic on the estimate, with no evidence of its own.
"""

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from html import escape

import numpy as np
import pandas as pd

from event_impact.base.result import TestResult, frame_of, not_computable, show_tests
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.events.articles import Story
from event_impact.inference import candidate_set as sets
from event_impact.inference.deciding_rule import DecidingRule, describe_rule, find_detectable
from event_impact.inference.parametric import detectable_effect, holm, interval
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.window_tests import run_window_tests

HEADLINE_KIND = "close_to_close"
COMPANION_KIND = "close_to_open"
DECLARED_KINDS = (HEADLINE_KIND, COMPANION_KIND)
DETECTIONS = ("detectable_but_small", "effect", "fragile")
#: How often the effects of ``mde50_rule``, ``mde80_rule`` and ``mde90_rule`` are found.
SHARES = (0.5, 0.8, 0.9)
#: Of ``results/estimates.csv``, in order.
COLUMNS = (
    "return_kind", "model", "benchmark", "mask", "estimation_sessions", "gap_sessions", "first", "last",
    "is_primary", "estimate", "standard_error", "df", "t", "p_t", "p_sample_quantile", "p_conformal", "p_holm",
    "p_fhs", "p_block_conformal", "p_placebo", "n_placebo", "ci90_low", "ci90_high", "ci95_low", "ci95_high",
    "ci_from", "t90_low", "t90_high", "t95_low", "t95_high", "mde80", "mde50_rule", "mde80_rule", "mde90_rule",
    "smallest_bound", "breakdown_volatility", "breakdown_news", "outcome", "n_estimation", "note",
)  # fmt: skip

Ends = tuple[float, float]


@dataclass(frozen=True)
class Specification:
    """What identifies a row besides its window.

    Attributes
    ----------
    return_kind, model, benchmark, mask : str
        As the parameters name them.
    estimation_sessions, gap_sessions : int
        As asked for.
    """

    return_kind: str
    model: str
    benchmark: str
    mask: str
    estimation_sessions: int
    gap_sessions: int


@dataclass(frozen=True)
class WindowEstimate:
    """One window of one return kind, or the candidate sessions of an event as a whole: a row of the results.

    ``estimate`` is None when the row cannot be computed; ``note`` then says why. ``tests`` holds every statistic by name.
    Models without a standard error have an estimate, no t, no t intervals and no ``mde80``. The row of a set of
    candidates has the sessions, the estimate and the tests of the one with the smallest p*.

    Attributes
    ----------
    specification : Specification
    first, last : int
        Of the window.
    is_primary : bool
        Headline or companion: the row that an outcome goes by.
    estimate, standard_error : float or None
        Fractions.
    df : int or None
        L - K.
    judgement : Judgement
        The outcome, empty for one candidate of several, and which tests disagree with it.
    note : str
        What a reader must know of the row.
    tests : dict of str to TestResult
    candidates : CandidateSet or None
        The deciding rule of each session that the row stands for; a window of several sessions counts as one.
    n_candidates : int
        Sessions that the event can have reached, for the row of the set; else 1.
    significance : float
        Level of the rule.
    p_holm : float or None
        Over headline and companion.
    breakdown_volatility, breakdown_news : float or None
        Of a detection, at the level that decided: see :class:`event_impact.inference.deciding_rule.Breakdown`.
    n_estimation, n_placebo : int or None
        Sessions behind the fit and behind the placebo rank.
    is_curve_tested : bool
        False for a detection whose specification curve had too few placebo sessions to be tested.
    other_news : tuple of str
        Recorded news of the listing inside the window.
    caution : str
        What keeps a row from measuring the event.
    """

    specification: Specification
    first: int
    last: int
    is_primary: bool
    estimate: float | None
    judgement: sets.Judgement
    note: str
    tests: dict[str, TestResult]
    standard_error: float | None = None
    df: int | None = None
    candidates: sets.CandidateSet | None = None
    n_candidates: int = 1
    significance: float = 0.05
    p_holm: float | None = None
    breakdown_volatility: float | None = None
    breakdown_news: float | None = None
    n_estimation: int | None = None
    n_placebo: int | None = None
    is_curve_tested: bool = True
    other_news: tuple[str, ...] = ()
    caution: str = ""

    @property
    def return_kind(self) -> str:
        """Kind of return."""
        return self.specification.return_kind

    @property
    def outcome(self) -> str:
        """Its word; empty for one candidate of several, which is not judged alone."""
        return self.judgement.outcome

    @property
    def is_set(self) -> bool:
        """Whether the row stands for several candidate sessions."""
        return self.n_candidates > 1

    @property
    def rule(self) -> DecidingRule | None:
        """The deciding rule of the row; of a set, that of its largest candidate."""
        return self.candidates.largest.rule if self.candidates else None

    def p_value(self, name: str) -> float | None:
        """The p-value of a test, None where it has none."""
        test = self.tests.get(name)
        return test.p_value if test else None

    @property
    def rank_p(self) -> float | None:
        """p*: the larger of the conformal and the volatility-aware p; of a set, k times the smallest of its candidates."""
        return self.candidates.p_star if self.candidates else None

    @cached_property
    def ci90(self) -> Ends | None:
        """Printed 90 % interval: the effects that p* does not reject; of a set, the hull of its candidates' own."""
        if self.candidates is None:
            return None
        lows, highs = zip(*self.candidates.own_intervals, strict=True)
        return _bounded(min(lows), max(highs))

    @cached_property
    def ci95(self) -> Ends | None:
        """Printed 95 % interval; None also where several candidates moved: then each has its own."""
        ends = self.candidates.interval(0.05) if self.candidates else None
        return _bounded(*ends) if ends else None

    @property
    def ci_from(self) -> str | None:
        """Which of ``conformal``, ``fhs`` makes ``ci95`` as wide as it is, or ``both``."""
        return self.candidates.source(0.05) if self.candidates else None

    @property
    def smallest_bound(self) -> float | None:
        """The larger |end| of ``ci90``: beyond it an effect is ruled out."""
        return max(map(abs, self.ci90)) if self.ci90 else None

    def t_interval(self, coverage: float) -> Ends | None:
        """Interval of the t test, beside; none for a set."""
        if self.estimate is None or self.standard_error is None or self.df is None or self.is_set:
            return None
        return interval(self.estimate, self.standard_error, self.df, coverage)

    @property
    def mde80(self) -> float | None:
        """Smallest effect that an unadjusted 5 % t test finds four times in five."""
        known = self.standard_error is not None and self.df is not None
        return detectable_effect(self.standard_error, df=self.df) if known else None  # type: ignore[arg-type]

    @cached_property
    def mde_rule(self) -> tuple[float, ...]:
        """Effects that the rule finds once in two, four times in five, nine times in ten on that day; one session only."""
        if self.candidates is None or self.first != self.last:
            return ()
        needed = self.candidates.needed_effects(self.significance)
        return tuple(float(find_detectable(needed, share)) for share in SHARES)

    @property
    def mde80_rule(self) -> float | None:
        """The second of them, where it is finite: what would have been seen."""
        return self.mde_rule[1] if self.mde_rule and math.isfinite(self.mde_rule[1]) else None

    def _repr_html_(self) -> str:
        parts = ["n/a: " + self.note if self.estimate is None else f"abnormal return {self.estimate:+.4f}"]
        if self.ci95:
            parts.append(f"95 % interval {self.ci95[0]:+.4f} to {self.ci95[1]:+.4f}")
        if self.mde80_rule is not None:
            parts.append(f"found four times in five from {self.mde80_rule:.4f}")
        head = f"<b>{self.return_kind}, rel_sessions {self.first} to {self.last}</b> (fractions)"
        text = "; ".join([*map(escape, parts), f"outcome {self.outcome}"])
        return f"<p>{head}: {text}</p>{show_tests(self.tests.values())}"

    def as_record(self) -> dict[str, object]:
        """The row in the columns of ``results/estimates.csv``; what is unbounded or cannot be found is empty."""
        pairs = {"ci90": self.ci90, "ci95": self.ci95, "t90": self.t_interval(0.90), "t95": self.t_interval(0.95)}
        found = [v if math.isfinite(v) else None for v in self.mde_rule] or [None] * len(SHARES)
        is_declared = (self.first, self.last) == (0, 0) and self.return_kind in DECLARED_KINDS
        news = f"holds other news: {'; '.join(self.other_news)}" if self.other_news else ""
        sides = ((0, "low"), (1, "high"))
        known = {
            **asdict(self.specification),
            **{f"p_{name}": test.p_value for name, test in self.tests.items()},
            **{f"{name}_{side}": pair and pair[at] for name, pair in pairs.items() for at, side in sides},
            **{f"mde{100 * share:.0f}_rule": v for share, v in zip(SHARES, found, strict=True)},
            "is_primary": self.is_primary or is_declared,
            "t": self.tests["t"].statistic if "t" in self.tests else None,
            "outcome": self.outcome or None,
            "note": "; ".join(filter(None, (self.note, self.caution, news))),
        }
        return {name: known[name] if name in known else getattr(self, name, None) for name in COLUMNS}


def _bounded(low: float, high: float) -> Ends | None:
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def unavailable(
    specification: Specification, first: int, last: int, *, is_primary: bool, reason: str
) -> WindowEstimate:
    """A row that cannot be computed, with its reason."""
    tests, judged = {"t": not_computable("t", reason)}, sets.Judgement("insufficient_data")
    return WindowEstimate(specification, first, last, is_primary, None, judged, reason, tests)


def assess_window(
    abnormal: AbnormalReturns,
    first: int,
    last: int,
    *,
    specification: Specification,
    significance: float,
    bound: float,
    seed: int,
    placebo: PlaceboRank | None = None,
) -> WindowEstimate:
    """Estimate one window and run every test that is defined for it.

    Parameters
    ----------
    seed : int
        Of what resamples; each window draws from a stream of its own, so that no row depends on another.
    placebo : PlaceboRank, optional
        The window's ranks among earlier sessions of the firm, when they were computed.

    Returns
    -------
    WindowEstimate
        Complete, or with the reason why it has no number.
    """
    is_primary = (first, last) == (0, 0) and specification.return_kind in DECLARED_KINDS
    total = abnormal.sum_window(first, last)
    if total.estimate is None:
        return unavailable(specification, first, last, is_primary=is_primary, reason=total.note)
    fit, error = abnormal.fit, total.standard_error
    rng = np.random.default_rng([seed % 2**63, *specification.return_kind.encode(), first + 2000, last + 2000])
    tests, rule = run_window_tests(abnormal, total, rng=rng, placebo=placebo)
    used, asked = fit.n_estimation, fit.asked_sessions
    note = "" if used == asked else f"{used} of {asked} estimation sessions: {fit.dropped}"
    row = WindowEstimate(
        specification, first, last, is_primary, total.estimate, sets.Judgement(""),
        "; ".join(filter(None, (note, f"no standard error: {total.note}" if error is None else ""))), tests,
        standard_error=error, df=None if error is None else fit.df,
        candidates=sets.CandidateSet((sets.CandidateSession(first, rule, tests["t"], abnormal.session_of(first)),)),
        significance=significance, n_estimation=fit.n_estimation, n_placebo=placebo.count if placebo else None,
        other_news=_list_news(abnormal, first, last),
    )  # fmt: skip
    return judge_estimate(row, bound=bound)


def join_candidates(
    rows: list[WindowEstimate],
    abnormal: AbnormalReturns,
    rel_sessions: tuple[int, ...],
    *,
    placebo_t: np.ndarray,
    bound: float,
) -> list[WindowEstimate]:
    """The rows with the set of candidate sessions in the place of session 0, which is then not judged alone.

    Parameters
    ----------
    rows : list of WindowEstimate
        Of one return kind.
    abnormal : AbnormalReturns
        Of the same kind.
    rel_sessions : tuple of int
        Sessions that the event can have reached; with one of them the rows stay as they are.
    placebo_t : ndarray (n, k)
        t of the same sessions around every eligible earlier event.
    bound : float
        delta, a fraction.

    Returns
    -------
    list of WindowEstimate
        The row of the set before that of session 0.
    """
    index = next((i for i, row in enumerate(rows) if row.is_primary), None)
    count = len(rel_sessions)
    if index is None or count == 1:
        return rows
    row, complete = rows[index], sum(abnormal.sum_window(r, r).estimate is not None for r in rel_sessions)
    if complete == count:
        joined = _assess_set(row, sets.measure_candidates(abnormal, rel_sessions, placebo_t=placebo_t), abnormal)
    else:
        reason = f"incomplete: {complete} of {count} candidate sessions"
        joined = unavailable(row.specification, rel_sessions[0], rel_sessions[-1], is_primary=True, reason=reason)
    notes = "; ".join(filter(None, (f"candidate 1 of {count}", row.note)))
    alone = replace(
        row, is_primary=False, judgement=sets.Judgement(""), breakdown_volatility=None, breakdown_news=None, note=notes
    )
    joined = judge_estimate(replace(joined, n_candidates=count), bound=bound)
    return [*rows[:index], joined, alone, *rows[index + 1 :]]


def _assess_set(row: WindowEstimate, found: sets.CandidateSet, abnormal: AbnormalReturns) -> WindowEstimate:
    """The row of a set of candidate sessions, named by the largest of them; ``row`` is that of session 0."""
    largest, at = found.largest, found.largest.rel_session
    notes = [row.note, f"the largest of {found.count} candidate sessions"]
    if len(found.moved(0.05)) > 1:
        notes.append("more than one candidate moved: each has an interval of its own")
    if not found.can_detect(row.significance):
        notes.append("too few estimation sessions for the set to detect anything: nothing is bounded")
    return replace(
        row,
        first=at,
        last=at,
        estimate=largest.estimate,
        standard_error=abnormal.sum_window(at, at).standard_error,
        tests={"t": largest.t} | describe_rule(largest.rule),
        candidates=found,
        n_placebo=None,
        note="; ".join(filter(None, notes)),
        other_news=_list_news(abnormal, found.sessions[0].rel_session, found.sessions[-1].rel_session),
    )


def _list_news(abnormal: AbnormalReturns, first: int, last: int) -> tuple[str, ...]:
    """Sessions of a window with recorded other news, in words."""
    labels, sessions = abnormal.confounders.loc[first:last], abnormal.table["session"].loc[first:last]
    return tuple(f"{at.date()}, {label}" for at, label in zip(sessions, labels, strict=True) if label != "")


def judge_estimate(row: WindowEstimate, *, bound: float, p_star: float | None = None, times: int = 1) -> WindowEstimate:
    """The row with its outcome and, for a detection, its breakdown at the level that decided.

    A detection is ``fragile`` until a specification curve supports it: :func:`apply_confirmation`.

    Parameters
    ----------
    row : WindowEstimate
    bound : float
        delta, a fraction.
    p_star : float, optional
        An adjusted p* in place of the row's own.
    times : int
        What the adjustment multiplied each p by.

    Returns
    -------
    WindowEstimate
    """
    if row.candidates is None:
        return row
    tests = row.candidates.weigh(times=times, p_star=p_star)
    judged = sets.judge_row(tests, row.candidates.own_intervals, level=row.significance, bound=bound)
    volatility = news = None
    if judged.outcome in DETECTIONS:
        found = row.candidates.largest.rule.break_down(row.significance / tests.times)
        volatility, news = float(found.volatility[0]), float(found.news[0])
    return replace(row, judgement=judged, breakdown_volatility=volatility, breakdown_news=news)


def adjust_primary(rows: list[WindowEstimate], *, bound: float) -> list[WindowEstimate]:
    """Holm over headline and companion; the adjusted p decides the companion's outcome.

    The headline was declared first and stands unadjusted.

    Parameters
    ----------
    rows : list of WindowEstimate
        Of all kinds and windows.
    bound : float
        delta, a fraction.

    Returns
    -------
    list of WindowEstimate
        In the same order.
    """
    primary = [i for i, row in enumerate(rows) if row.is_primary]
    alone = [rows[i].rank_p for i in primary]
    result = list(rows)
    for index, p, p_holm in zip(primary, alone, holm(alone), strict=True):
        row = replace(rows[index], p_holm=p_holm)
        if row.return_kind == COMPANION_KIND and p is not None and p_holm is not None:
            # The smaller of two is doubled; the larger stands as it is, or at twice the smaller.
            times = 2 if all(other is not None and p <= other for other in alone) and len(alone) > 1 else 1
            row = judge_estimate(row, bound=bound, p_star=p_holm, times=times)
        result[index] = row
    return result


def apply_confirmation(row: WindowEstimate, found: sets.Confirmation) -> WindowEstimate:
    """A detection as ``effect`` or ``fragile`` by its specification curve, the reason in its note.

    Parameters
    ----------
    row : WindowEstimate
        Where it is no detection it stays as it is.
    found : Confirmation
        What its curve says.

    Returns
    -------
    WindowEstimate
    """
    if row.outcome != "fragile":
        return row
    note = "; ".join(filter(None, (row.note, found.reason)))
    judged = replace(row.judgement, outcome="effect" if found.is_confirmed else "fragile")
    return replace(row, judgement=judged, note=note, is_curve_tested=found.is_tested)


def frame_tests(rows: list[WindowEstimate]) -> pd.DataFrame:
    """``results/tests.csv``: one row a test of a window, those that cannot be computed with their reason."""
    shown = [
        (row, {"test": name, "is": test}) for row in rows if row.n_candidates == 1 for name, test in row.tests.items()
    ]
    return frame_of(
        shown,
        "return_kind=0.return_kind first=0.first last=0.last test=1.test statistic=1.is.statistic "
        "p_value=1.is.p_value distribution=1.is.distribution null=1.is.null note=1.is.note",
    )


def estimates_frame(rows: list[WindowEstimate]) -> pd.DataFrame:
    """``results/estimates.csv``: one row a window and return kind; sets of candidates stand apart.

    Parameters
    ----------
    rows : list of WindowEstimate

    Returns
    -------
    pandas.DataFrame
        Fractions; missing numbers stay missing.
    """
    return pd.DataFrame([row.as_record() for row in rows if row.n_candidates == 1])


@dataclass(frozen=True)
class DollarEffect:
    """Shares outstanding times the previous close times the estimate, its interval and the detectable effect.

    Attributes
    ----------
    market_value : float or None
        Shares times previous close, in the currency of the listing.
    estimate, ci95_low, ci95_high, mde80_rule : float or None
        In the same currency; None with ``note`` saying why.
    """

    row: WindowEstimate
    story: Story
    previous_close: float | None = None
    market_value: float | None = None
    estimate: float | None = None
    ci95_low: float | None = None
    ci95_high: float | None = None
    mde80_rule: float | None = None
    note: str = ""


def value_in_currency(
    row: WindowEstimate, closes: pd.Series, event_session: pd.Timestamp, story: Story
) -> DollarEffect:
    """An estimate of one session in money.

    Parameters
    ----------
    row : WindowEstimate
        The window 0:0 of a return that starts at the previous close.
    closes : pandas.Series
        Index session; closing prices in the currency of the listing.
    story : Story
        With its shares outstanding: all classes, counted before the event.

    Returns
    -------
    DollarEffect
        In the currency of the listing; its ``note`` says why a number is missing.
    """
    shown = row.candidates.largest.session if row.candidates else None
    before, counted = closes[closes.index < (shown or event_session)], story.shares_as_of
    if story.shares_outstanding is None:
        why = "no count of shares outstanding is recorded for this story (shares_outstanding in stories.csv)"
    elif not counted or pd.Timestamp(counted) >= event_session:
        why = f"the count of shares is dated {counted or 'nowhere'}, not before the event session"
    elif before.empty:
        why = "no close before the event session is recorded"
    elif row.estimate is None or row.ci95 is None or row.mde80_rule is None:
        why = row.note
    else:
        previous = float(before.iloc[-1])
        value = story.shares_outstanding * previous
        low, high = (value * end for end in row.ci95)
        return DollarEffect(row, story, previous, value, value * row.estimate, low, high, value * row.mde80_rule)
    return DollarEffect(row, story, note=why)
