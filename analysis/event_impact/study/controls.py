"""Positive and negative controls: the study's own tests on sessions whose answer is known."""

from __future__ import annotations

import pandas as pd

from event_impact.base.errors import DataError, EstimationError
from event_impact.estimation.abnormal import measure_abnormal_returns
from event_impact.estimation.models import Design, build_design
from event_impact.events.control_sessions import Control, load_controls
from event_impact.events.peer_lists import load_peers
from event_impact.inference.control_tests import ControlResult
from event_impact.inference.fhs import fhs_test
from event_impact.inference.parametric import prediction_error_t
from event_impact.inference.sample_quantile import conformal
from event_impact.inference.windows import HEADLINE_KIND
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import load_panel


def run_controls(study: OpenedStory) -> tuple[ControlResult, ...]:
    """Run t, conformal and FHS on the firm's control sessions up to as_of, and on those of its listed peers.

    Always the market model on close-to-close returns with the lengths of the study. Empty when none is recorded
    for the firm.
    """
    ticker = study.story.ticker
    last = pd.Timestamp(study.config.as_of)
    controls = [c for c in load_controls(study.root.data) if c.session <= last]
    own = [c for c in controls if c.ticker == ticker]
    peers = {p.ticker for p in load_peers(ticker, study.root.data) if p.role == "peer"}
    beside = [c for c in controls if c.ticker in peers] if own else []
    designs: dict[str, Design | str] = {}
    for name in dict.fromkeys(c.ticker for c in (*own, *beside)):
        try:
            designs[name] = _market_design(study, name)
        except (DataError, EstimationError) as error:
            designs[name] = error.message.rstrip(".")
    return tuple(_test_one(study, control, designs[control.ticker]) for control in (*own, *beside))


def _market_design(study: OpenedStory, ticker: str) -> Design:
    panel = load_panel(
        study.store, ticker, benchmark=study.benchmark, exchange=study.story.exchange, as_of=study.config.as_of
    )
    returns = panel.returns[HEADLINE_KIND]
    return build_design("market", returns, ticker=ticker, benchmark=study.benchmark, return_kind=HEADLINE_KIND)


def _test_one(study: OpenedStory, control: Control, design: Design | str) -> ControlResult:
    if isinstance(design, str):
        return ControlResult(control, None, {}, design)
    config = study.config
    try:
        abnormal = measure_abnormal_returns(
            design,
            control.session,
            estimation_sessions=config.estimation_sessions,
            gap_sessions=config.gap_sessions,
            path=(0, 0),
        )
    except EstimationError as error:
        return ControlResult(control, None, {}, error.message.rstrip("."))
    total = abnormal.sum_window(0, 0)
    if total.estimate is None or total.standard_error is None:
        return ControlResult(control, None, {}, total.note)
    fits = abnormal.window_fits(0, 0)
    tests = (prediction_error_t(total.estimate, total.standard_error, abnormal.fit.df), conformal(fits), fhs_test(fits))
    return ControlResult(control, total.estimate, {t.name: t for t in tests})
