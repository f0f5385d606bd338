"""Did the peers move on the same day, and what does comparing with them do to the firm's own estimate?

Peers of one day share that day's shocks, so a plain average of their t values rejects far too often; the
adjusted BMP statistic and the portfolio of peers allow for it. A peer with news of its own is no clean
comparison and is marked.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from event_impact.base.errors import EstimationError
from event_impact.base.result import TestResult, not_computable
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.estimators import fit_ridge
from event_impact.events.peer_lists import Peer
from event_impact.inference.deciding_rule import invert_window
from event_impact.inference.parametric import interval, prediction_error_t
from event_impact.inference.ranks import conformal, sample_quantile
from event_impact.many.parametric_tests import adjusted_patell, kp_bmp
from event_impact.many.residual_correlation import FEWEST_SHARED_SESSIONS

RANK_NULL = "the firm's scaled abnormal return is drawn like those of the donors on that day"


@dataclass(frozen=True)
class PeerEstimate:
    """One listing on the day of the event, or the reason why it has no number.

    Attributes
    ----------
    own_news : str
        Recorded news of the listing on that session; empty for none.
    tests : dict of str to TestResult
        ``t``, ``sample_quantile``, ``conformal``.
    lead_t : float or None
        Of a listing with other trading hours, explained by the home sessions before and after its own: t of the home
        session after next, which should be small if the hours are matched rightly.
    n_irregular : int
        Sessions of such a listing that holidays leave without a match.
    """

    ticker: str
    role: str
    exchange: str
    session: pd.Timestamp | None = None
    own_news: str = ""
    abnormal: AbnormalReturns | None = None
    estimate: float | None = None
    standard_error: float | None = None
    ci95: tuple[float, float] | None = None
    tests: dict[str, TestResult] = field(default_factory=dict)
    note: str = ""
    lead_t: float | None = None
    n_irregular: int = 0

    @property
    def is_measured(self) -> bool:
        """Whether there is an estimate."""
        return self.abnormal is not None and self.estimate is not None

    @property
    def is_clean(self) -> bool:
        """Measured, an industry peer, and without recorded news of its own on that session."""
        return self.is_measured and self.role == "peer" and not self.own_news


@dataclass(frozen=True)
class GroupTests:
    """Tests of one group of peers.

    Attributes
    ----------
    mean_correlation : float or None
        Mean pairwise correlation of estimation residuals, pairs of different firms only.
    portfolio : float or None
        Abnormal return of the equally weighted portfolio.
    """

    name: str
    members: tuple[str, ...]
    mean_correlation: float | None
    portfolio: float | None
    tests: tuple[TestResult, ...]


@dataclass(frozen=True)
class AdjustedEstimate:
    """The firm's estimate under one comparison with peers.

    Attributes
    ----------
    weight_sum : float or None
        Sum of the weights on peers: a reaction of the peers by a share of the firm's is deducted times this.
    p_conformal, p_fhs : float or None
    """

    label: str
    donors: tuple[str, ...]
    note: str
    estimate: float | None = None
    residual_std: float | None = None
    weight_sum: float | None = None
    p_conformal: float | None = None
    p_fhs: float | None = None


def measure_peer(abnormal: AbnormalReturns, peer: Peer, *, own_news: str) -> PeerEstimate:
    """The peer's own abnormal return on the event session.

    Parameters
    ----------
    abnormal : AbnormalReturns
        Of the peer, on its own sessions.
    peer : Peer
        Who it is.
    own_news : str
        What it reported itself that day; empty where nothing is recorded.

    Returns
    -------
    PeerEstimate
    """
    total = abnormal.sum_window(0, 0)
    if total.estimate is None or total.standard_error is None:
        return PeerEstimate(peer.ticker, peer.role, peer.exchange, note="no return on the event session")
    found = total.estimate, total.standard_error
    ci95, tests = interval(*found, abnormal.fit.df, 0.95), {test.name: test for test in _test_day(abnormal, *found)}
    session = abnormal.event_session
    return PeerEstimate(peer.ticker, peer.role, peer.exchange, session, own_news, abnormal, *found, ci95, tests)


def _test_day(abnormal: AbnormalReturns, estimate: float, standard_error: float) -> tuple[TestResult, ...]:
    """Was the abnormal return of the event session, with its standard error, an ordinary one?"""
    return (
        prediction_error_t(estimate, standard_error, abnormal.fit.df),
        sample_quantile(np.array([estimate]), abnormal.fit.residuals),
        conformal(abnormal.window_fits(0, 0)),
    )


def correlate_residuals(group: list[AbnormalReturns]) -> float:
    """Mean correlation of estimation residuals over the pairs of different firms, on shared sessions.

    A pair that shares fewer than 20 sessions counts with zero. The diagonal never enters.
    """
    residuals = pd.concat([pd.Series(a.fit.residuals, index=a.fit.sessions) for a in group], axis=1)
    matrix = residuals.corr(min_periods=FEWEST_SHARED_SESSIONS).fillna(0.0).to_numpy()
    return float(matrix[np.triu_indices(len(group), k=1)].mean())


def assess_group(name: str, peers: list[PeerEstimate], portfolio: AbnormalReturns | None) -> GroupTests:
    """Tests of the mean abnormal return of peers that share a day.

    Parameters
    ----------
    peers : list of PeerEstimate
        Measured ones.
    portfolio : AbnormalReturns or None
        The same model on their equally weighted return.

    Returns
    -------
    GroupTests
        Tests that count the peers' correlation, or the reason why there is none.
    """
    members = tuple(p.ticker for p in peers)
    names = ("kp_bmp", "adjusted_patell", "portfolio_t", "portfolio_sample_quantile", "portfolio_conformal")
    if len(peers) < 2 or portfolio is None:
        reason = f"needs at least 2 peers with figures, found {len(peers)}"
        return GroupTests(name, members, None, None, tuple(not_computable(n, reason) for n in names))
    group = [p.abnormal for p in peers if p.abnormal is not None]
    correlation, df = correlate_residuals(group), np.array([a.fit.df for a in group], dtype=float)
    scar = np.array([p.estimate / p.standard_error for p in peers])  # type: ignore[operator]
    total = portfolio.sum_window(0, 0)
    if total.estimate is None or total.standard_error is None:
        raise EstimationError("the portfolio of peers has no return on the event session.", "")
    own = (
        replace(test, name=f"portfolio_{test.name}")
        for test in _test_day(portfolio, total.estimate, total.standard_error)
    )
    tests = kp_bmp(scar, correlation), adjusted_patell(scar, df, correlation), *own
    return GroupTests(name, members, correlation, total.estimate, tests)


def rank_in_space(firm: AbnormalReturns, donors: list[PeerEstimate]) -> TestResult:
    """Rank of the firm's |abnormal return| over its pre-event root mean square among the clean donors'.

    p = #{ratio >= the firm's} / (J + 1), the firm counted, so that it cannot fall below 1 / (J + 1).

    Parameters
    ----------
    firm : AbnormalReturns
        The firm of the story.
    donors : list of PeerEstimate
        Without news of their own.

    Returns
    -------
    TestResult
    """
    if not donors:
        return not_computable("in_space", "no clean donor has figures", null=RANK_NULL)
    own = scaled_gap(firm)
    ratios = [scaled_gap(d.abnormal) for d in donors if d.abnormal is not None]
    count = len(ratios) + 1
    needed = "enough for 5 %" if 1 / count <= 0.05 else "never below 5 %: that takes 19 donors"
    who = f"{count - 1} {'donor' if count == 2 else 'donors'}"
    note = f"{who}: the smallest p it can reach is {1 / count:.2g} ({needed})"
    p_value = (1 + sum(r >= own for r in ratios)) / count
    return TestResult("in_space", RANK_NULL, f"ranks of {count} firms", own, p_value, note=note)


def scaled_gap(abnormal: AbnormalReturns) -> float:
    """|AR| on the event session over the root mean square residual before it."""
    total = abnormal.sum_window(0, 0)
    if total.estimate is None:
        raise EstimationError("no abnormal return on the event session.", "Use a longer history.")
    return abs(total.estimate) / float(np.sqrt(np.mean(abnormal.fit.residuals**2)))


def describe_comparison(label: str, donors: tuple[str, ...], abnormal: AbnormalReturns) -> AdjustedEstimate:
    """The firm's abnormal return under one model, ranked as its own study would rank it.

    Parameters
    ----------
    abnormal : AbnormalReturns
        Of the firm, by the market model or a model with peers.
    """
    fit, rule, note = abnormal.fit, invert_window(abnormal, 0, 0), ""
    if fit.model == "ridge":
        response = abnormal.design.response.loc[fit.sessions].to_numpy(dtype=float)
        note = f"penalty {fit_ridge(response, fit.design_matrix[:, 1:]).penalty:.3g}"
    elif fit.model == "synthetic_control":
        note = "weights sum to 1, none negative"
    return AdjustedEstimate(
        label=label, donors=donors, estimate=float(rule.estimate[0]),
        residual_std=fit.residual_std if fit.has_error else float(np.sqrt(np.mean(fit.residuals**2))),
        weight_sum=float(fit.coefficients.filter(regex="^beta_").sum()), p_conformal=float(rule.p_conformal[0]),
        p_fhs=float(rule.p_fhs[0]), note=note,
    )  # fmt: skip


@dataclass(frozen=True)
class Spillover:
    """Everything that the other firms show on the day of the event.

    Attributes
    ----------
    firm : AbnormalReturns
        The firm of the story.
    peers : tuple of PeerEstimate
        Listings with the same sessions.
    foreign : tuple of PeerEstimate
        Listings with other hours.
    groups : tuple of GroupTests
        Means over peers that share a day.
    in_space : TestResult
        The firm's rank among clean peers.
    adjusted : tuple of AdjustedEstimate
        The firm after its peers are allowed for.
    """

    firm: AbnormalReturns
    peers: tuple[PeerEstimate, ...]
    foreign: tuple[PeerEstimate, ...]
    groups: tuple[GroupTests, ...]
    in_space: TestResult
    adjusted: tuple[AdjustedEstimate, ...]

    @property
    def clean(self) -> tuple[PeerEstimate, ...]:
        """Peers that may serve as donors."""
        return tuple(p for p in self.peers if p.is_clean)
