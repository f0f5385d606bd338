"""Do the tests keep their level for one firm? Everything behind the calibration page, as tables."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from event_impact.base.csv_tables import Tables
from event_impact.base.errors import ConfigError, DataError
from event_impact.base.root import StudyRoot
from event_impact.events.articles import load_stories
from event_impact.events.sessions import align_story
from event_impact.inference import calibration
from event_impact.inference.calibration import calibrate_history
from event_impact.inference.simulation import PROCESSES, RESIDUAL_STD, WINDOW_PROCESSES, Process
from event_impact.market.returns import load_panel
from event_impact.market.snapshot import open_source, read_manifest

#: Effects added to every own session to measure power, fractions.
INJECTED = (-0.02, -0.03)
#: Effects added to the event session of a simulation, fractions, on a residual standard deviation of 1.5 %.
SIMULATED_EFFECTS = (0.02, 0.03, 0.05)
WINDOWS = ((0, 1), (0, 2), (0, 4))
WINDOW_LENGTHS = (1, 3, 5, 11)
MIN_SESSIONS = 100


def find_subject(root: StudyRoot, ticker: str) -> calibration.Subject:
    """The firm as the registry or the manifest of the figures knows it.

    Raises
    ------
    ConfigError
        If neither names the ticker.
    """
    stories = [s for s in load_stories(root.data).values() if s.ticker == ticker]
    embedded = [(s.state == "open", align_story(s).event_session, s) for s in stories if s.is_embedded]
    if embedded:
        _, session, story = max(embedded, key=lambda found: found[:2])
        return calibration.Subject(ticker, story.exchange, story.benchmark, story.story, session)
    if stories:
        return calibration.Subject(ticker, stories[0].exchange, stories[0].benchmark, "", None)
    manifest = read_manifest(Tables(root.data))
    rows = manifest[manifest["ticker"] == ticker]
    if rows.empty:
        held = ", ".join(sorted(set(manifest["ticker"]) - {""}))
        raise ConfigError(f"--ticker: {ticker!r} is in no story and no figure file.", f"The figures hold {held}.")
    return calibration.Subject(ticker, rows["exchange"].iloc[0], "SPY", "", None)


def calibrate_firm(
    root: StudyRoot, ticker: str, *, source: str = "snapshot", estimation_sessions: int = 250, gap_sessions: int = 10,
    n_draws: int, seed: int, processes: tuple[Process, ...] = PROCESSES,
    progress: Callable[[str], None] = lambda _: None,
) -> calibration.FirmCalibration:  # fmt: skip
    """Size and power on the firm's own sessions, then on simulated truth.

    Parameters
    ----------
    n_draws : int
        Simulated histories of each process.
    processes : tuple of Process
        One-session processes that are simulated.

    Raises
    ------
    ConfigError, DataError
        If the firm is unknown or has too few sessions with complete windows.
    """
    subject = find_subject(root, ticker)
    store = open_source(source, root.data, names := (ticker, subject.benchmark))
    progress(f"history of {ticker}")
    last = min(store.load(name, subject.exchange).frame.index[-1] for name in names)
    panel = load_panel(store, ticker, benchmark=subject.benchmark, exchange=subject.exchange, as_of=last.date())
    returns = panel.returns["close_to_close"].dropna()
    if subject.before is not None:
        returns = returns[returns.index < subject.before]
    y, market = (returns[name].to_numpy() for name in names)
    sessions = np.arange(estimation_sessions + gap_sessions, len(y))
    if len(sessions) < MIN_SESSIONS:
        said = f"{ticker} has {len(sessions)} sessions with complete windows; {MIN_SESSIONS} are needed."
        raise DataError(said, "Use a source with a longer history.")
    design = np.column_stack([np.ones(len(y)), market])
    history = calibration.FirmHistory(y, design, sessions, estimation_sessions, gap_sessions)
    power = [calibrate_history(history, levels=(0.05,), effect=each).assign(effect=each) for each in INJECTED]
    progress(f"simulations: {n_draws} draws of each process")
    effects = (0.0, *(effect / RESIDUAL_STD for effect in SIMULATED_EFFECTS))
    lengths: Any = {"estimation_length": estimation_sessions, "seed": seed}
    return calibration.FirmCalibration(
        subject=subject,
        vintage=panel.vintage,
        estimation_sessions=estimation_sessions,
        gap_sessions=gap_sessions,
        n_draws=n_draws,
        seed=seed,
        sessions=pd.DatetimeIndex(returns.index[sessions]),
        sizes=calibrate_history(history),
        power=pd.concat(power, ignore_index=True),
        rule_power=calibration.calibrate_power(history),
        windows=calibration.history_window_rates(history, WINDOWS, levels=(0.05,)),
        simulated=calibration.simulated_sizes(processes, n_draws=n_draws, effects=effects, **lengths),
        simulated_gap=calibration.simulated_sizes(processes, n_draws=n_draws, gap=gap_sessions, **lengths),
        simulated_windows=calibration.simulated_window_sizes(
            WINDOW_PROCESSES, WINDOW_LENGTHS, n_draws=max(n_draws // 2, 100), gap=gap_sessions, **lengths
        ),
    )
