"""The first steps of a study, up to checked returns: what a runner does before it starts a kernel.

Nothing here estimates or tests, so that it loads fast and refuses early.
"""

import contextlib
from datetime import date

import pandas as pd

from event_impact.base.errors import DataError
from event_impact.estimation import models
from event_impact.events.articles import Story
from event_impact.events.sessions import Alignment, align_story
from event_impact.market.checks import refuse_halt, tell_stopping
from event_impact.market.opened import OpenedStory
from event_impact.market.returns import ReturnPanel, load_panel
from event_impact.market.snapshot import PriceStore

ACCEPT_HINT = (
    "Mend the file; where they are right, fetch with --accept-suspicions, or give each a row with the action accept in "
    "data/faults.csv."
)


def find_last_session(store: PriceStore, story: Story, benchmark: str) -> date:
    """The last session that a source has of both the listing and its benchmark: the ``as_of`` that nobody named.

    Raises
    ------
    DataError
        If it lacks one of them.
    """
    ends = []
    for ticker in (story.ticker, benchmark):
        try:
            ends.append(store.load(ticker, story.exchange).frame.index[-1])
        except DataError as error:
            if store.holds(ticker):
                raise
            named = f"a session from {align_story(story).event_session.date()} on with --as-of"
            raise DataError(f"as_of is not given, and {error.message}", f"Name {named}, or: {error.hint}") from error
    return pd.Timestamp(min(ends)).date()


def find_peers(opened: OpenedStory) -> tuple[str, ...]:
    """Peers that may explain the firm: same calendar, with figures, and no recorded news on the story's sessions.

    A peer that moved for reasons of its own would carry them into the firm's abnormal return.

    Raises
    ------
    DataError
        If none is left; the sentence says why each peer is not.
    """
    first, last = opened.timing.candidates[0], opened.timing.candidates[-1]
    usable, reasons = [], []
    for peer in opened.near_peers:
        own_news = opened.news_of(peer.ticker).between(first, last)
        try:
            opened.store.load(peer.ticker, opened.story.exchange)
        except DataError:
            reasons.append(f"{peer.ticker} has no figures")
            continue
        if len(own_news):
            reasons.append(f"{peer.ticker} has news of its own ({own_news['label'].iloc[0]})")
        else:
            usable.append(peer.ticker)
    if not usable:
        why = "; ".join(reasons) or "data/peers.csv lists none"
        raise DataError(f"model {opened.config.model}: no peer of {opened.story.ticker} can be used: {why}.",
                        "Use model=market.")  # fmt: skip
    return tuple(usable)


def load_beside(
    opened: OpenedStory, *others: str, ticker: str | None = None, with_factors: bool = False
) -> ReturnPanel:  # fmt: skip
    """Returns of the firm, or of another listing, its benchmark, and others of the same sessions, cut at as_of.

    Raises
    ------
    DataError
        If the source lacks one of them.
    """
    return load_panel(
        opened.store, ticker or opened.story.ticker, benchmark=opened.benchmark, exchange=opened.story.exchange,
        as_of=opened.config.as_of, others=others, with_factors=with_factors,
    )  # fmt: skip


def load_returns(opened: OpenedStory) -> ReturnPanel:
    """Returns of the firm and its benchmark, and of what else the model asks for, cut at as_of."""
    model = opened.config.model
    peers = find_peers(opened) if model in models.PEER_MODELS else ()
    return load_beside(opened, *peers, with_factors=model in models.FACTOR_COLUMNS)


def check_event(opened: OpenedStory, panel: ReturnPanel, alignment: Alignment) -> None:
    """Refuse what would make the event session no measure of the event: masks or wrong figures in windows, or a halt.

    Raises
    ------
    DataError
        Naming the session. One without any price is left to the estimate, which says what is missing.
    """
    hours, event, config = alignment.hours, alignment.event_session, opened.config
    last = hours.offset(event, max(last for _, last in (*config.windows, alignment.hull)))
    first = hours.offset(event, -config.gap_sessions - config.estimation_sessions)
    if said := tell_stopping(panel.doubts, dict.fromkeys(panel.doubts, (first, last))):
        raise DataError(said, ACCEPT_HINT)
    if len(opened.masked):
        first = hours.offset(event, min(first for first, _ in config.windows))
        inside = opened.masked.intersection(hours.between(first, last))
        if len(inside):
            told = f"mask: listed would mask {inside[0].date()}, which lies inside a tested window."
            raise DataError(told, "Use mask=none, or shorter windows.")
    if event in panel.prices.index:
        refuse_halt(panel.prices, event, panel.ticker)


def design_model(opened: OpenedStory, panel: ReturnPanel, return_kind: str) -> models.Design:
    """Response and regressors of the run's model for one return kind."""
    return models.build_design(
        opened.config.model, panel.returns[return_kind], ticker=panel.ticker, benchmark=panel.benchmark,
        return_kind=return_kind, factors=panel.factors,
        peers=tuple(c for c in panel.returns[return_kind].columns if c not in (panel.ticker, panel.benchmark)),
    )  # fmt: skip


def check_prices_serve(opened: OpenedStory, panel: ReturnPanel, alignment: Alignment) -> None:
    """Run every step that can refuse, before a kernel is started.

    Raises
    ------
    StudyError
        Whatever the steps themselves raise.
    """
    check_event(opened, panel, alignment)
    design = design_model(opened, panel, "close_to_close")
    length, gap = opened.config.estimation_sessions, opened.config.gap_sessions
    used, _ = models.choose_estimation(design, alignment.event_session, length=length, gap=gap, masked=opened.masked)
    models.read_rows(design, used, asked_sessions=length)


def hash_inputs(opened: OpenedStory, panel: ReturnPanel) -> dict[str, str]:
    """sha256 of every price file that the numbers rest on, also those that curve and peers are made from.

    Factors and peers without figures are left out.
    """
    files: dict[str, str] = {}
    with contextlib.suppress(DataError):
        files |= opened.store.load_factors()[1]
    for peer in opened.listed:
        with contextlib.suppress(DataError):
            files |= opened.store.load(peer.ticker, peer.exchange).files
    return files | panel.inputs
