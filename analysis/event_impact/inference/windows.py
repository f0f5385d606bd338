"""Every window of a study: estimate, tests, intervals, power and outcome in one row."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from event_impact.base.result import TestResult, not_computable, show_tests
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.inference.multiplicity import holm
from event_impact.inference.parametric import interval, is_inside
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.power import detectable_effect, smallest_bound
from event_impact.inference.window_tests import run_window_tests

HEADLINE_KIND = "close_to_close"
COMPANION_KIND = "close_to_open"
OUTCOMES = (
    "insufficient_data",
    "depends_on_volatility",
    "detectable_but_small",
    "effect",
    "fragile",
    "smaller_than_bound",
    "no_detectable_effect",
)


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
    """One window of one return kind: a row of ``results/estimates.csv``.

    ``estimate`` is None when the row cannot be computed; ``note`` then says why.
    ``tests`` holds every statistic by name. Models without a standard error have an estimate, no t, no t intervals
    and no power; ``rank_ci95`` is then the interval of effects that the residuals' ranks do not reject.
    ``is_curve_tested`` is False for a detection whose specification curve had too few placebo sessions to be
    tested; ``other_news`` names the recorded news of the listing inside the window; ``caution`` says what
    keeps a row from measuring the event.
    """

    specification: Specification
    first: int
    last: int
    is_primary: bool
    estimate: float | None
    standard_error: float | None
    df: int | None
    tests: dict[str, TestResult]
    p_holm: float | None
    ci90: tuple[float, float] | None
    ci95: tuple[float, float] | None
    mde80: float | None
    smallest_bound: float | None
    outcome: str
    n_estimation: int | None
    note: str
    n_placebo: int | None = None
    rank_ci95: tuple[float, float] | None = None
    is_curve_tested: bool = True
    other_news: tuple[str, ...] = ()
    caution: str = ""

    @property
    def return_kind(self) -> str:
        """Kind of return."""
        return self.specification.return_kind

    def p_value(self, name: str) -> float | None:
        """The p-value of a test, None where it has none."""
        test = self.tests.get(name)
        return test.p_value if test else None

    @property
    def rank_p(self) -> float | None:
        """The larger of the conformal and the volatility-aware p-value: what the outcome goes by."""
        return combine_ranks(self.tests)

    def _repr_html_(self) -> str:
        parts = ["n/a: " + self.note if self.estimate is None else f"abnormal return {self.estimate:+.4f}"]
        if self.ci95:
            parts.append(f"95 % interval {self.ci95[0]:+.4f} to {self.ci95[1]:+.4f}")
        if self.mde80 is not None:
            parts.append(f"found four times in five from {self.mde80:.4f}")
        head = f"<b>{self.return_kind}, rel_sessions {self.first} to {self.last}</b> (fractions)"
        text = "; ".join([*map(escape, parts), f"outcome {self.outcome}"])
        return f"<p>{head}: {text}</p>{show_tests(self.tests.values())}"

    def as_record(self) -> dict[str, object]:
        """The row in the columns of ``results/estimates.csv``."""
        spec, test = self.specification, self.tests.get("t")
        low90, high90 = self.ci90 or (None, None)
        low95, high95 = self.ci95 or (None, None)
        return {
            **dataclasses.asdict(spec),
            "first": self.first,
            "last": self.last,
            "is_primary": self.is_primary,
            "estimate": self.estimate,
            "standard_error": self.standard_error,
            "df": self.df,
            "t": test.statistic if test else None,
            "p_t": self.p_value("t"),
            "p_sample_quantile": self.p_value("sample_quantile"),
            "p_conformal": self.p_value("conformal"),
            "p_fhs": self.p_value("fhs"),
            "p_block_conformal": self.p_value("block_conformal"),
            "p_placebo": self.p_value("placebo"),
            "n_placebo": self.n_placebo,
            "p_holm": self.p_holm,
            "ci90_low": low90,
            "ci90_high": high90,
            "ci95_low": low95,
            "ci95_high": high95,
            "mde80": self.mde80,
            "smallest_bound": self.smallest_bound,
            "outcome": self.outcome,
            "n_estimation": self.n_estimation,
            "note": "; ".join(filter(None, (self.note, self.caution, self.describe_news()))),
        }

    def describe_news(self) -> str:
        """The recorded other news inside the window, in words; empty when none is known."""
        return f"holds other news: {'; '.join(self.other_news)}" if self.other_news else ""


def combine_ranks(tests: dict[str, TestResult]) -> float | None:
    """max(conformal, FHS); longer windows have the block conformal p alone."""
    rank = next((tests[n].p_value for n in ("conformal", "block_conformal") if _has_p(tests, n)), None)
    fhs = tests["fhs"].p_value if _has_p(tests, "fhs") else None
    known = [p for p in (rank, fhs) if p is not None]
    return max(known) if known else None


def unavailable(
    specification: Specification, first: int, last: int, *, is_primary: bool, reason: str
) -> WindowEstimate:
    """A row that cannot be computed, with its reason."""
    return WindowEstimate(
        specification, first, last, is_primary, None, None, None, {"t": not_computable("t", reason)}, None, None, None,
        None, None, "insufficient_data", None, reason,
    )  # fmt: skip


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
    is_primary = (first, last) == (0, 0) and specification.return_kind in (HEADLINE_KIND, COMPANION_KIND)
    total = abnormal.sum_window(first, last)
    if total.estimate is None:
        return unavailable(specification, first, last, is_primary=is_primary, reason=total.note)
    fit, error = abnormal.fit, total.standard_error
    rng = np.random.default_rng([seed % 2**63, *specification.return_kind.encode(), first + 2000, last + 2000])
    found = run_window_tests(abnormal, total, rng=rng, placebo=placebo)
    ci90 = None if error is None else interval(total.estimate, error, fit.df, 0.90)
    note = _note(fit.n_estimation, fit.asked_sessions, fit.dropped)
    return WindowEstimate(
        specification=specification,
        first=first,
        last=last,
        is_primary=is_primary,
        estimate=total.estimate,
        standard_error=error,
        df=None if error is None else fit.df,
        tests=found.tests,
        p_holm=None,
        ci90=ci90,
        ci95=None if error is None else interval(total.estimate, error, fit.df, 0.95),
        mde80=None if error is None else detectable_effect(error, df=fit.df),
        smallest_bound=None if error is None else smallest_bound(total.estimate, error, df=fit.df),
        outcome=decide_outcome(found.tests, ci90, significance=significance, bound=bound),
        n_estimation=fit.n_estimation,
        note="; ".join(filter(None, (note, f"no standard error: {total.note}" if error is None else ""))),
        n_placebo=placebo.count if placebo else None,
        rank_ci95=found.rank_ci95,
        other_news=_list_news(abnormal, first, last),
    )


def _list_news(abnormal: AbnormalReturns, first: int, last: int) -> tuple[str, ...]:
    """Sessions of a window with recorded other news, in words."""
    labels, sessions = abnormal.confounders.loc[first:last], abnormal.table["session"].loc[first:last]
    return tuple(f"{at.date()}, {label}" for at, label in zip(sessions, labels, strict=True) if label != "")


def _note(used: int, asked: int, dropped: str) -> str:
    return "" if used == asked else f"{used} of {asked} estimation sessions: {dropped}"


def decide_outcome(
    tests: dict[str, TestResult],
    ci90: tuple[float, float] | None,
    *,
    significance: float,
    bound: float,
    p_star: float | None = None,
) -> str:
    """The outcome of a row, the first rule that applies.

    A detection is ``fragile`` until a specification curve supports it: :func:`apply_confirmation`.

    Parameters
    ----------
    p_star : float, optional
        Use this adjusted value in place of max(conformal, FHS).
    """
    rank = next((tests[n].p_value for n in ("conformal", "block_conformal") if _has_p(tests, n)), None)
    fhs = tests["fhs"].p_value if _has_p(tests, "fhs") else None
    combined = p_star if p_star is not None else combine_ranks(tests)
    if rank is None or combined is None:
        return "insufficient_data"
    if fhs is not None and (rank < significance) != (fhs < significance):
        return "depends_on_volatility"
    is_detected = combined < significance
    is_small = ci90 is not None and is_inside(*ci90, bound)
    if is_detected:
        return "detectable_but_small" if is_small else "fragile"
    return "smaller_than_bound" if is_small else "no_detectable_effect"


def _has_p(tests: dict[str, TestResult], name: str) -> bool:
    return name in tests and tests[name].p_value is not None


def adjust_primary(rows: list[WindowEstimate], *, significance: float, bound: float) -> list[WindowEstimate]:
    """Holm over headline and companion; the adjusted p decides the companion's outcome.

    The headline was declared first and stands unadjusted.

    Parameters
    ----------
    rows : list of WindowEstimate
        Of all kinds and windows.
    significance, bound : float
        Level, and delta as a fraction.

    Returns
    -------
    list of WindowEstimate
        In the same order.
    """
    primary = [i for i, row in enumerate(rows) if row.is_primary]
    adjusted = holm([rows[i].rank_p for i in primary])
    result = list(rows)
    for index, p_holm in zip(primary, adjusted, strict=True):
        row = rows[index]
        outcome = row.outcome
        if row.estimate is not None and p_holm is not None:
            p_star = p_holm if row.return_kind == COMPANION_KIND else None
            outcome = decide_outcome(row.tests, row.ci90, significance=significance, bound=bound, p_star=p_star)
        result[index] = dataclasses.replace(row, p_holm=p_holm, outcome=outcome)
    return result


def apply_confirmation(
    row: WindowEstimate, *, is_confirmed: bool, reason: str, is_tested: bool = True
) -> WindowEstimate:
    """A detection as ``effect`` or ``fragile`` by its specification curve, the reason in its note.

    Parameters
    ----------
    is_confirmed : bool
        Same sign in most eligible specifications and a small placebo maxT p.
    reason : str
        The numbers behind that, or why there is no curve. Rows that are no detection stay as they are.
    is_tested : bool
        Whether the curve could be tested as a whole.

    Returns
    -------
    WindowEstimate
    """
    if row.outcome != "fragile":
        return row
    note = "; ".join(filter(None, (row.note, reason)))
    return dataclasses.replace(
        row, outcome="effect" if is_confirmed else "fragile", note=note, is_curve_tested=is_tested
    )


def frame_tests(rows: list[WindowEstimate]) -> pd.DataFrame:
    """``results/tests.csv``: one row a test of a window, those that cannot be computed with their reason."""
    return pd.DataFrame(
        [
            {
                "return_kind": row.return_kind,
                "first": row.first,
                "last": row.last,
                "test": name,
                "statistic": test.statistic,
                "p_value": test.p_value,
                "distribution": test.distribution,
                "null": test.null,
                "note": test.note,
            }
            for row in rows
            for name, test in row.tests.items()
        ]
    )


def estimates_frame(rows: list[WindowEstimate]) -> pd.DataFrame:
    """``results/estimates.csv``: one row a window and return kind.

    Parameters
    ----------
    rows : list of WindowEstimate

    Returns
    -------
    pandas.DataFrame
        Fractions; missing numbers stay missing.
    """
    return pd.DataFrame([row.as_record() for row in rows])
