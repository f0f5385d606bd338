"""The calibration of one firm's tests as a page of its own, through the template of every report."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from event_impact.base.code_digest import VERSION
from event_impact.inference.calibration import LEVELS, FirmCalibration
from event_impact.inference.simulation import RESIDUAL_STD
from event_impact.page.exhibits import Column, TableExhibit, declare_table
from event_impact.page.format import format_count, format_size, name_listing, read_labels, say
from event_impact.page.render import TEMPLATES, PageFacts, render_page

#: The text of the page; the tables of a section stand where it is parted.
PROSE = TEMPLATES / "calibration.md"
TESTS = {"p_t": "t", "p_sample_quantile": "sample quantile", "p_conformal": "conformal", "p_fhs": "FHS"}
TESTS |= {"p_star": "the rule, p*"}
WINDOW_TESTS = {"p_t": "t", "p_block_conformal": "block conformal", "p_fhs": "FHS", "p_star": "the rule, p*"}
GROUPS = read_labels("calibration_page.groups")
SIMULATED_GROUPS = {"all": "", "stressed": ", most stressed tenth", "calm": ", calmest tenth"}
PROCESS_LABELS = read_labels("calibration_page.process_labels")


def render_calibration(found: FirmCalibration) -> str:
    """The whole page, checked by the gates of every page.

    Raises
    ------
    RenderError
        If the page cannot be rendered or fails a gate.
    """
    subject = found.subject
    call = (
        f'found = calibrate_firm(root, "{subject.ticker}", n_draws={found.n_draws}, seed={found.seed}, '
        f"estimation_sessions={found.estimation_sessions}, gap_sessions={found.gap_sessions})"
    )
    opening, *texts = PROSE.read_text(encoding="utf-8").format(ticker=subject.ticker).split("<!-- tables -->\n")
    cells = [new_markdown_cell(opening), new_code_cell(call, execution_count=1)]
    for exhibits, text in zip(_list_sections(found), texts, strict=True):
        cells += [_show(source, exhibit) for source, exhibit in exhibits.items()]
        cells.append(new_markdown_cell(text))
    cut = f"before {subject.before.date()} ({subject.story})" if subject.before is not None else "to the last session"
    span = f"{found.sessions[0].date()} to {found.sessions[-1].date()}"
    facts = {
        "listing": name_listing(subject.ticker, subject.exchange),
        "sessions": f"{format_count(len(found.sessions))}, {span}, {cut}",
        "windows": f"{found.estimation_sessions} sessions, gap {found.gap_sessions}",
        "draws": f"{format_count(found.n_draws)}, seed {found.seed}",
        "figures": found.vintage,
    }
    title = f"Calibration of the single-firm tests: {subject.ticker}"
    kicker = f"Calibration \u00b7 {subject.ticker} \u00b7 market model on {subject.benchmark}"
    verb = f"impact calibrate --ticker {subject.ticker} --draws {found.n_draws} --seed {found.seed}"
    footer = f"Made by event-impact {VERSION} with {verb}."
    return render_page(new_notebook(cells=cells), PageFacts(title, kicker, tuple(facts.items()), footer))


def _list_sections(found: FirmCalibration) -> list[dict[str, TableExhibit]]:
    """The tables of each section, each under the call that makes it."""
    calls: list[list[tuple[Any, ...]]] = [
        [(tabulate_history, level) for level in LEVELS],
        [(tabulate_history_power,), (tabulate_rule_power,)],
        [(tabulate_history_windows,)],
        [(tabulate_simulated_sizes, level) for level in LEVELS]
        + [(tabulate_simulated_power,), (tabulate_simulated_windows,)],
    ]
    return [
        {
            f"{tabulate.__name__}({', '.join(map(str, ('found', *level)))})": tabulate(found, *level)
            for tabulate, *level in section
        }
        for section in calls
    ]


def list_exhibits(found: FirmCalibration) -> tuple[TableExhibit, ...]:
    """Every table of the page, for its CSV files."""
    return tuple(exhibit for exhibits in _list_sections(found) for exhibit in exhibits.values())


def _show(source: str, exhibit: TableExhibit) -> Any:
    """An exhibit as an executed cell, its call as the source."""
    data = {"text/html": exhibit._repr_html_(), "text/plain": exhibit.name}
    output = new_output("execute_result", data=data, execution_count=1)
    return new_code_cell(source, execution_count=1, outputs=[output])


def _test_columns(tests: dict[str, str], tell: Callable[..., str]) -> list[Column]:
    """A column a test; a row of these tables is the conditions that single out a rate of each."""
    return [Column("", label, "written", of=partial(tell, test)) for test, label in tests.items()]


def _say_rate(table: pd.DataFrame, test: str, conditions: dict[str, object]) -> str:
    """A rate of a test, with its interval where the table has one."""
    row = table[(table[list(conditions)] == pd.Series(conditions)).all(axis=1) & (table["test"] == test)].iloc[0]
    rate, *bounds = (format_size(row[name], digits=1) for name in ("rate", "lower", "upper") if name in row)
    return f"{rate} ({' to '.join(bounds)})" if bounds else rate


def _tabulate(
    name: str, tests: dict[str, str], table: pd.DataFrame, rows: Any, *heads: Column, **said: Any
) -> TableExhibit:
    """The rates of each test under the conditions of each row."""
    columns = (*heads, *_test_columns(tests, partial(_say_rate, table)))
    return declare_table(name, rows, columns, numbers=table, **said)


def _unique(table: pd.DataFrame, *names: str) -> list[dict[Hashable, Any]]:
    return table[list(names)].drop_duplicates().to_dict("records")


def tabulate_history(found: FirmCalibration, level: float) -> TableExhibit:
    """Size on the firm's own sessions by volatility state."""
    rates = found.sizes[found.sizes["level"] == level]
    counts = rates.groupby("group", sort=False)["n_sessions"].first()
    head = Column("group", "sessions of", GROUPS.__getitem__)
    size = Column("", "sessions", "whole", of=lambda row: counts[row["group"]])
    name, caption = f"own_history_{round(1000 * level):03d}", say("captions.own_history", level=_level(level))
    rows = [{"group": group} for group in GROUPS if group in counts.index]
    return _tabulate(name, TESTS, rates, rows, head, size, caption=caption)


def tabulate_history_power(found: FirmCalibration) -> TableExhibit:
    """Power on own sessions with an injected effect."""
    table = found.power[found.power["group"] == "all"]
    head = Column("effect", "injected effect", "percent.0")
    return _tabulate("own_history_power", TESTS, table, _unique(table, "effect"), head)


def tabulate_rule_power(found: FirmCalibration) -> TableExhibit:
    """Power of the deciding rule at multiples of what it states for each session."""
    table = found.rule_power

    def tell(multiple: float, row: dict[str, object]) -> str:
        return _say_rate(table, "p_star", {**row, "multiple": multiple})

    shown = [g for g in GROUPS if g in set(table["group"]) - {"left", "right"}]
    columns = (
        Column("group", "sessions of", GROUPS.__getitem__),
        *(Column("", f"{m:g} times", "written", of=partial(tell, m)) for m in table["multiple"].unique()),
    )
    return declare_table("own_history_rule_power", [{"group": group} for group in shown], columns, numbers=table)


def tabulate_history_windows(found: FirmCalibration) -> TableExhibit:
    """Size of the window tests on own sessions."""
    head = Column("", "window", of=lambda row: f"sessions {row['first']} to +{row['last']}")
    rows = _unique(found.windows, "first", "last")
    return _tabulate("own_history_windows", WINDOW_TESTS, found.windows, rows, head)


def tabulate_simulated_sizes(found: FirmCalibration, level: float) -> TableExhibit:
    """Size on simulated returns without a gap and with the study's."""
    plain = found.simulated[(found.simulated["effect"] == 0) & (found.simulated["level"] == level)]
    gapped = found.simulated_gap[found.simulated_gap["level"] == level]

    def tell(test: str, row: dict[str, object]) -> str:
        return f"{_say_rate(plain, test, row)} / {_say_rate(gapped, test, row)}"

    columns = (
        Column("", "returns", of=lambda row: PROCESS_LABELS[row["process"]] + SIMULATED_GROUPS[row["group"]]),
        *_test_columns(TESTS, tell),
    )
    error = 100 * (level * (1 - level) / found.n_draws) ** 0.5
    said = {"gap": found.gap_sessions, "n_draws": found.n_draws, "points": 2 * error, "tenths": 2 * error * 10**0.5}
    caption = say("captions.simulated_size", level=_level(level), **said)
    name, rows = f"simulated_size_{round(1000 * level):03d}", _unique(plain, "process", "group")
    numbers = pd.concat([plain.assign(gap=0), gapped.assign(gap=found.gap_sessions)], ignore_index=True)
    return declare_table(name, rows, columns, caption=caption, numbers=numbers)


def tabulate_simulated_power(found: FirmCalibration) -> TableExhibit:
    """Power on simulated returns."""
    table = found.simulated.query("effect > 0 and level == 0.05 and group == 'all'")
    shown = table[table["process"].isin(("iid_t4", "garch_t4", "four_jumps"))]

    def label(row: dict[str, Any]) -> str:
        return f"{PROCESS_LABELS[row['process']]}: {format_size(row['effect'] * RESIDUAL_STD, digits=0)}"

    head, rows = Column("", "returns and effect", of=label), _unique(shown, "process", "effect")
    return _tabulate("simulated_power", TESTS, table, rows, head)


def tabulate_simulated_windows(found: FirmCalibration) -> TableExhibit:
    """Size of the window tests on simulated returns."""
    table = found.simulated_windows[found.simulated_windows["level"] == 0.05]

    def label(row: dict[str, Any]) -> str:
        return f"{PROCESS_LABELS[row['process']]}: {row['window_length']} session{'s' * (row['window_length'] > 1)}"

    head, rows = Column("", "returns and window", of=label), _unique(table, "process", "window_length")
    said = {"gap": found.gap_sessions, "n_draws": int(table["n_draws"].iloc[0])}
    return _tabulate("simulated_windows", WINDOW_TESTS, table, rows, head, **said)


def _level(level: float) -> str:
    return f"{100 * level:g}\u00a0%"
