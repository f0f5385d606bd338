"""What a sample of events looks like day by day: sums that add up over chunks and partitions."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from scipy.special import ndtr, stdtr

from event_impact.many import parametric_tests as parametric
from event_impact.many import rank_tests as ranks
from event_impact.many.each_event import WITHOUT_PATELL
from event_impact.many.engine import EventEstimates
from event_impact.many.event_days import (
    WINDOWS_AT_ONCE,
    EventDays,
    count_by_row,
    find_event_sessions,
    iterate_event_days,
    map_event_days,
)
from event_impact.many.layout import BatchDesign

S = TypeVar("S", "DaySums", "ResidualSums")


@dataclass(frozen=True)
class DayTable:
    """Average abnormal returns by rel_session.

    Attributes
    ----------
    rel_session : int array (W,)
    n : int
        Events on every day.
    aar, caar : arrays (W,)
        Average abnormal return of the day, and from the first event session up to it.
    columns : dict of str to array (W,)
        ``aar_t, aar_patell, aar_bmp, aar_corrado, aar_generalized_sign, caar_t, caar_patell, caar_bmp`` with
        their ``_p``, and ``positive_share``; NaN where the sample is too small for them.
    """

    rel_session: np.ndarray
    n: int
    aar: np.ndarray
    caar: np.ndarray
    columns: dict[str, np.ndarray]


@dataclass(frozen=True)
class DaySums(parametric.SumsOfEvents):
    """Sums over events that the first pass gathers; those of two parts merge.

    Attributes
    ----------
    abnormal, standardised, cumulative, cumulative_standardised : Moments
        Of AR, SAR, and the CAR and SCAR up to each day, over events.
    positive : array (W,)
        Events with a positive abnormal return.
    portfolio_total, portfolio_count : arrays (sessions,)
        Sum and number of abnormal returns of events in their window, by calendar session.
    """

    abnormal: parametric.Moments
    standardised: parametric.Moments
    cumulative: parametric.Moments
    cumulative_standardised: parametric.Moments
    positive: np.ndarray
    portfolio_total: np.ndarray
    portfolio_count: np.ndarray

    @property
    def n(self) -> int:
        """Events."""
        return self.abnormal.n

    @classmethod
    def of(cls, days: EventDays) -> Self:
        """Sums of one chunk of events."""
        cumulative = days.abnormal.cumsum(axis=1)
        std = days.estimates.residual_std[:, None]
        places, n_sessions = find_event_sessions(days.estimates).ravel(), days.design.outcome.shape[1]
        return cls(
            abnormal=parametric.Moments.of(days.abnormal),
            standardised=parametric.Moments.of(days.standardised),
            cumulative=parametric.Moments.of(cumulative),
            cumulative_standardised=parametric.Moments.of(cumulative / (std * np.sqrt(days.cumulative_factor))),
            positive=(days.abnormal > 0).sum(axis=0),
            portfolio_total=np.bincount(places, weights=days.abnormal.ravel(), minlength=n_sessions),
            portfolio_count=np.bincount(places, minlength=n_sessions),
        )


@dataclass(frozen=True)
class ResidualSums(parametric.SumsOfEvents):
    """Sums over events of their estimation residuals; those of two parts merge.

    Attributes
    ----------
    n : int
        Events.
    total, count : arrays (L,)
        Sum and number of residuals by estimation session.
    positive_share : float
        Sum over events of their share of positive residuals.
    """

    n: int
    total: np.ndarray
    count: np.ndarray
    positive_share: float

    @classmethod
    def of(cls, days: EventDays) -> Self:
        """Sums of one chunk of events."""
        residuals, n = days.residuals, days.positions.size
        above = count_by_row(residuals > 0) / days.estimates.n_estimation
        if (days.estimates.n_estimation == residuals.shape[1]).all():
            return cls(n, np.ones(n) @ residuals, np.full(residuals.shape[1], n), float(above.sum()))
        present = np.isfinite(residuals)
        return cls(n, np.where(present, residuals, 0.0).sum(axis=0), present.sum(axis=0), float(above.sum()))


@dataclass(frozen=True)
class RankedSums(ResidualSums):
    """The same with sums of ranks: of raw days, of days scaled by the day's spread, with the scaled SCAR."""

    corrado: ranks.RankSums
    corrado_zivney: ranks.RankSums
    grank: ranks.RankSums


def gather_day_sums(
    design: BatchDesign, chosen: EventEstimates, *, workers: int = 1, on_progress: Callable[[int], object] | None = None
) -> DaySums:
    """First pass over used events, at least one: their event windows."""
    parts = map_event_days(design, chosen, DaySums.of, workers=workers, at_once=WINDOWS_AT_ONCE)
    return add_up(parts, on_progress)


def gather_residual_sums(
    design: BatchDesign,
    chosen: EventEstimates,
    spread: np.ndarray | None,
    *,
    workers: int = 1,
    on_progress: Callable[[int], object] | None = None,
) -> ResidualSums:
    """Second pass: estimation residuals, and the ranks among them.

    Parameters
    ----------
    design, chosen
        Layout and estimates of used events.
    spread : array (1 + W,), optional
        Standard deviation over all events of the SCAR and of the SAR of each day, 0 counting as 1; None leaves the
        ranks out.
    """

    def sum_chunk(days: EventDays) -> ResidualSums:
        sums, std = ResidualSums.of(days), days.estimates.residual_std[:, None]
        if spread is None:
            return sums
        by = np.where(spread > 0, spread, 1.0)  # further days stand in the unit of the residuals
        further = [days.abnormal, days.standardised / by[1:] * std, days.estimates.scar[:, None] / by[0] * std]
        if days.abnormal.shape[1] == 1:  # the cumulative return of one day is that day
            further.pop()
        ranked = ranks.rank_days(days.residuals, days.estimates.n_estimation, further)
        ranked += ranked[1:] * (3 - len(ranked))
        return RankedSums(sums.n, sums.total, sums.count, sums.positive_share, *ranked)

    return add_up(map_event_days(design, chosen, sum_chunk, workers=workers), on_progress)


def add_up(parts: Iterable[S], on_progress: Callable[[int], object] | None) -> S:
    """The sums of all parts, at least one."""
    total: S | None = None
    for part in parts:
        total = part.merge(total)
        if on_progress is not None:
            on_progress(part.n)
    assert total is not None  # the caller has at least one used event
    return total


def total_by_session(design: BatchDesign, chosen: EventEstimates) -> np.ndarray:
    """Sum over the events of their outcome on every calendar session of their event window; parts add up."""
    at = find_event_sessions(chosen)
    outcome = design.outcome[chosen.ticker_index[:, None], at]
    return np.bincount(at.ravel(), weights=outcome.ravel(), minlength=design.outcome.shape[1])


def buy_and_hold(design: BatchDesign, chosen: EventEstimates, held: np.ndarray | None = None) -> np.ndarray:
    """Buy-and-hold abnormal return of each event: prod(1 + y) - prod(1 + expected y) over the event window.

    y is the total return: what the model took off (benchmark, risk-free rate) is put back on both
    sides, so that under ``market_adjusted`` the expectation is the benchmark itself.

    Parameters
    ----------
    held : array (events,), optional
        What the comparison earned over each window (the benchmark, a matched firm, a portfolio of them), in place of
        the model's expectation.
    """
    bhar = np.empty(chosen.car.size)
    for days in iterate_event_days(design, chosen, WINDOWS_AT_ONCE):
        at, ticker = find_event_sessions(days.estimates), days.estimates.ticker_index
        taken_off = design.subtracted[np.minimum(ticker, design.subtracted.shape[0] - 1)[:, None], at]
        realised = design.outcome[ticker[:, None], at] + taken_off
        compared = np.prod(1 + realised - days.abnormal, axis=1) if held is None else 1 + held[days.positions]
        bhar[days.positions] = np.prod(1 + realised, axis=1) - compared
    return bhar


def hold_shares(returns: np.ndarray, rows: np.ndarray, chosen: EventEstimates) -> np.ndarray:
    """What holding row ``rows[i]`` of the returns over event i's window earned; NaN where a return is missing."""
    return np.asarray(np.prod(1 + returns[rows[:, None], find_event_sessions(chosen)], axis=1) - 1)


def tabulate_days(chosen: EventEstimates, sums: DaySums, more: ResidualSums) -> DayTable:
    """AAR and CAAR by rel_session with their statistics."""
    windows, n = chosen.windows, chosen.car.size
    with np.errstate(divide="ignore", invalid="ignore"):
        has_patell = chosen.model not in WITHOUT_PATELL and (chosen.df > 2).all()
        patell_scale = math.sqrt(float((chosen.df / (chosen.df - 2.0)).sum())) if has_patell else math.nan
    share, none = more.positive_share / n, np.full(windows.n_event, np.nan)
    sign = (sums.positive - n * share) / math.sqrt(n * share * (1 - share)) if 0 < share < 1 else none
    ranked = ranks.day_rank_statistics(more.corrado)[-none.size :] if isinstance(more, RankedSums) else none
    columns = {
        "aar_t": sums.abnormal.t,
        "aar_patell": n * sums.standardised.mean / patell_scale,
        "aar_bmp": sums.standardised.t,
        "aar_corrado": ranked,
        "aar_generalized_sign": sign,
        "caar_t": sums.cumulative.t,
        "caar_patell": n * sums.cumulative_standardised.mean / patell_scale,
        "caar_bmp": sums.cumulative_standardised.t,
    }
    with_p: dict[str, np.ndarray] = {"positive_share": sums.positive / n}
    for name, values in columns.items():
        is_t, least = name.endswith(("_t", "_bmp")), -np.abs(values)
        with_p |= {name: values, f"{name}_p": 2.0 * (stdtr(max(n - 1, 1), least) if is_t else ndtr(least))}
    return DayTable(
        np.arange(windows.event_first, windows.event_last + 1), n, sums.abnormal.mean, sums.cumulative.mean, with_p
    )
