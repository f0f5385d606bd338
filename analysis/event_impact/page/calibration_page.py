"""The calibration of one firm's tests as a page of its own, through the template of every report."""

from __future__ import annotations

import nbformat
import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from event_impact import __version__
from event_impact.inference.calibration import LEVELS, FirmCalibration
from event_impact.inference.simulation import RESIDUAL_STD
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import format_count, format_percent
from event_impact.page.render import PageFacts, check_page, render_page

TESTS = {"p_t": "t", "p_sample_quantile": "sample quantile", "p_conformal": "conformal", "p_fhs": "FHS"}
WINDOW_TESTS = {"p_t": "t", "p_block_conformal": "block conformal"}
GROUPS = {
    "all": "all sessions",
    "calm_tenth": "calmest tenth",
    "below_average": "volatility below its window's",
    "constant": "no volatility clustering found",
    "above_average": "volatility above its window's",
    "stressed_tenth": "most stressed tenth",
    "left": "falls only (nominal half)",
    "right": "rises only (nominal half)",
}
SIMULATED_GROUPS = {"all": "", "stressed": ", most stressed tenth", "calm": ", calmest tenth"}
PROCESS_LABELS = {
    "iid_normal": "independent, normal",
    "iid_t4": "independent, t(4)",
    "garch_normal": "GARCH, normal",
    "garch_t4": "GARCH, t(4)",
    "garch_t4_ar1": "GARCH, t(4), autocorrelated",
    "recent_std_x1.6": "spread 1.6 times since 20 sessions",
    "event_variance_x2.25": "variance 2.25 times on the event session",
    "four_jumps": "four jumps in the estimation window",
}


def render_calibration(found: FirmCalibration) -> str:
    """The whole page, checked by the gates of every page.

    Raises
    ------
    RenderError
        If the page cannot be rendered or fails a gate.
    """
    subject = found.subject
    own, own_power, own_windows, sizes, power, windows = (
        [(f"tabulate_history(found, {level})", tabulate_history(found, level)) for level in LEVELS],
        [("tabulate_history_power(found)", tabulate_history_power(found))],
        [("tabulate_history_windows(found)", tabulate_history_windows(found))],
        [(f"tabulate_simulated_sizes(found, {level})", tabulate_simulated_sizes(found, level)) for level in LEVELS],
        [("tabulate_simulated_power(found)", tabulate_simulated_power(found))],
        [("tabulate_simulated_windows(found)", tabulate_simulated_windows(found))],
    )
    call = (
        f'found = calibrate_firm(root, "{subject.ticker}", n_draws={found.n_draws}, seed={found.seed}, '
        f"estimation_sessions={found.estimation_sessions}, gap_sessions={found.gap_sessions})"
    )
    cells = [
        new_markdown_cell(_OPENING.format(ticker=subject.ticker)),
        new_code_cell(call, execution_count=1),
        *_show(own),
        new_markdown_cell(_POWER),
        *_show(own_power),
        new_markdown_cell(_WINDOWS),
        *_show(own_windows),
        new_markdown_cell(_SIMULATED),
        *_show([*sizes, *power, *windows]),
        new_markdown_cell(_LIMITS),
    ]
    notebook = new_notebook(cells=cells)
    cut = f"before {subject.before.date()} ({subject.story})" if subject.before is not None else "to the last session"
    page = render_page(
        notebook,
        PageFacts(
            title=f"Calibration of the single-firm tests: {subject.ticker}",
            kicker=f"Calibration \u00b7 {subject.ticker} \u00b7 market model on {subject.benchmark}",
            facts=(
                ("ticker", f"{subject.ticker} ({subject.exchange})"),
                ("sessions", f"{format_count(found.n_sessions)}, {found.first.date()} to {found.last.date()}, {cut}"),
                ("windows", f"{found.estimation_sessions} sessions, gap {found.gap_sessions}"),
                ("draws", f"{format_count(found.n_draws)}, seed {found.seed}"),
                ("figures", found.vintage),
            ),
            footer=f"Made by event-impact {__version__} with impact calibrate --ticker {subject.ticker} "
            f"--draws {found.n_draws} --seed {found.seed}.",
        ),
    )
    check_page(page)
    return page


def _show(exhibits: list[tuple[str, TableExhibit]]) -> list[nbformat.NotebookNode]:
    """Each exhibit as an executed cell, its call as the source."""
    cells = []
    for source, exhibit in exhibits:
        data = {"text/html": exhibit._repr_html_(), "text/plain": exhibit.name}
        cells.append(new_code_cell(source, execution_count=1))
        cells[-1].outputs = [new_output("execute_result", data=data, execution_count=1)]
    return cells


def tabulate_history(found: FirmCalibration, level: float) -> TableExhibit:
    """Size on the firm's own sessions by volatility state."""
    rates = found.sizes[found.sizes["level"] == level]
    counts = rates.groupby("group", sort=False)["n_sessions"].first()
    shown = [g for g in GROUPS if g in counts.index]
    cells = pd.DataFrame({label: [_cell(rates, test, group=g) for g in shown] for test, label in TESTS.items()})
    cells.insert(0, "sessions", [format_count(int(counts[g])) for g in shown])
    cells.index = [GROUPS[g] for g in shown]
    return TableExhibit(
        name=f"own_history_{round(1000 * level):03d}",
        cells=cells,
        row_header="sessions of",
        caption=(
            f"Own sessions, level {_level(level)}: how often each test rejects where no event is assumed; in "
            "brackets 95 % intervals whose sample size is shrunk where rejections cluster within one estimation window. "
            f"A sound test stays near {_level(level)} in every row, near half of it in the last two."
        ),
        numbers=rates,
    )


def tabulate_history_power(found: FirmCalibration) -> TableExhibit:
    """Power on own sessions with an injected effect."""
    table = found.power[found.power["group"] == "all"]
    effects = list(dict.fromkeys(table["effect"]))
    cells = pd.DataFrame(
        {label: [_cell(table, test, effect=effect) for effect in effects] for test, label in TESTS.items()},
        index=[format_percent(effect, digits=0) for effect in effects],
    )
    return TableExhibit(
        name="own_history_power",
        cells=cells,
        row_header="injected effect",
        caption=(
            "Power at 5 %: the share of own sessions on which each test finds an effect that was added to the session, "
            "with intervals as above. Each session has its own estimation window, so nothing added leaks into another."
        ),
        numbers=table,
    )


def tabulate_history_windows(found: FirmCalibration) -> TableExhibit:
    """Size of the window tests on own sessions."""
    table = found.windows
    windows = list(dict.fromkeys(zip(table["first"], table["last"], strict=True)))
    cells = pd.DataFrame(
        {
            label: [_cell(table, test, first=first, last=last) for first, last in windows]
            for test, label in WINDOW_TESTS.items()
        },
        index=[f"sessions {first} to +{last}" for first, last in windows],
    )
    return TableExhibit(
        name="own_history_windows",
        cells=cells,
        row_header="window",
        caption="Rejections at 5 % for windows that begin on each own session, intervals as above.",
        numbers=table,
    )


def tabulate_simulated_sizes(found: FirmCalibration, level: float) -> TableExhibit:
    """Size on simulated returns without a gap and with the study's."""
    plain = found.simulated[(found.simulated["effect"] == 0) & (found.simulated["level"] == level)]
    gapped = found.simulated_gap[found.simulated_gap["level"] == level]
    keys = list(dict.fromkeys(zip(plain["process"], plain["group"], strict=True)))
    columns = {}
    for test, label in TESTS.items():
        columns[label] = [
            f"{_rate(plain, test, process=p, group=g)} / {_rate(gapped, test, process=p, group=g)}" for p, g in keys
        ]
    error = 100 * (level * (1 - level) / found.n_draws) ** 0.5
    return TableExhibit(
        name=f"simulated_size_{round(1000 * level):03d}",
        cells=pd.DataFrame(columns, index=[PROCESS_LABELS[p] + SIMULATED_GROUPS[g] for p, g in keys]),
        row_header="returns",
        caption=(
            f"Simulated returns, level {_level(level)}: how often each test rejects without an effect, gap 0 / gap "
            f"{found.gap_sessions}. "
            f"{format_count(found.n_draws)} draws, so a sound test lies within about {2 * error:.1f} points of "
            f"{_level(level)}, in the tenths within about {2 * error * 10**0.5:.1f}. No test can tell a more volatile "
            "event session from a shift of its mean; the row that raises the variance of the event session shows it."
        ),
        numbers=pd.concat([plain.assign(gap=0), gapped.assign(gap=found.gap_sessions)], ignore_index=True),
    )


def tabulate_simulated_power(found: FirmCalibration) -> TableExhibit:
    """Power on simulated returns."""
    table = found.simulated[
        (found.simulated["effect"] > 0) & (found.simulated["level"] == 0.05) & (found.simulated["group"] == "all")
    ]
    processes = [p for p in ("iid_t4", "garch_t4", "four_jumps") if p in set(table["process"])]
    keys = [(p, e) for p in processes for e in sorted(set(table["effect"]))]
    return TableExhibit(
        name="simulated_power",
        cells=pd.DataFrame(
            {
                label: [_rate(table, test, process=p, group="all", effect=e) for p, e in keys]
                for test, label in TESTS.items()
            },
            index=[f"{PROCESS_LABELS[p]}: {format_percent(e * RESIDUAL_STD, digits=0, sign=False)}" for p, e in keys],
        ),
        row_header="returns and effect",
        caption=(
            "Power at 5 % on simulated returns with a residual standard deviation of 1.5 %, gap 0: the share of draws in "
            "which each test finds the effect."
        ),
        numbers=table,
    )


def tabulate_simulated_windows(found: FirmCalibration) -> TableExhibit:
    """Size of the window tests on simulated returns."""
    table = found.simulated_windows[found.simulated_windows["level"] == 0.05]
    keys = list(dict.fromkeys(zip(table["process"], table["window_length"], strict=True)))
    return TableExhibit(
        name="simulated_windows",
        cells=pd.DataFrame(
            {
                label: [_rate(table, test, process=p, window_length=m) for p, m in keys]
                for test, label in WINDOW_TESTS.items()
            },
            index=[f"{PROCESS_LABELS[p]}: {m} session{'s' if m > 1 else ''}" for p, m in keys],
        ),
        row_header="returns and window",
        caption=(
            f"Rejections at 5 % for windows on simulated returns without an effect, gap {found.gap_sessions}, "
            f"{format_count(int(table['n_draws'].iloc[0]))} draws."
        ),
        numbers=table,
    )


def list_exhibits(found: FirmCalibration) -> tuple[TableExhibit, ...]:
    """Every table of the page, for its CSV files."""
    return (
        *(tabulate_history(found, level) for level in LEVELS),
        tabulate_history_power(found),
        tabulate_history_windows(found),
        *(tabulate_simulated_sizes(found, level) for level in LEVELS),
        tabulate_simulated_power(found),
        tabulate_simulated_windows(found),
    )


def _pick(table: pd.DataFrame, test: str, conditions: dict[str, object]) -> pd.Series:
    kept = table["test"] == test
    for column, value in conditions.items():
        kept &= table[column] == value
    return table[kept].iloc[0]


def _cell(table: pd.DataFrame, test: str, **conditions: object) -> str:
    row = _pick(table, test, conditions)
    return f"{_percent(row['rate'])} ({_percent(row['lower'])} to {_percent(row['upper'])})"


def _rate(table: pd.DataFrame, test: str, **conditions: object) -> str:
    return _percent(_pick(table, test, conditions)["rate"])


def _level(level: float) -> str:
    return f"{100 * level:g}\u00a0%"


def _percent(value: float) -> str:
    return format_percent(float(value), digits=1, sign=False)


_OPENING = """# Do the tests of {ticker} keep their level?

A test with a level of five per cent should reject on five of a hundred ordinary sessions, in nervous markets as in calm
ones. Here the tests of the event study run on sessions of the same firm on which nothing is assumed to have happened, and
on simulated returns whose truth is known.

## How often do they reject on the firm's own sessions?

Every session has its own estimation window and gap, as the event has. Neighbouring sessions share most of their window,
so rejections may come in clusters; the intervals allow for that.
"""
_POWER = """## What would they have found?

The same sessions with an effect added to each.
"""
_WINDOWS = """## And over several sessions?

The t test of a window takes the covariance of all its forecast errors; the conformal test ranks the window among
blocks of the same length.
"""
_SIMULATED = """## What do they do when the truth is known?

The firm follows its market with a slope of 1.2 and a residual of the kind named; nothing else happens. The market is
GARCH with t(4) innovations throughout.
"""
_LIMITS = """## Limits

- The own sessions include days with news. A large move is likely to be a rejection on its own day, and makes rejections
  rarer on the sessions whose estimation window holds it.
- The simulations use one set of GARCH parameters and symmetric errors.
- The level of a test says nothing about any one event.
"""
