"""Tables of results for readers; every cell is formatted from the same object that the CSV holds."""

from __future__ import annotations

import math

import pandas as pd

from analysis.config import StudyConfig
from analysis.errors import StudyError
from analysis.estimation.abnormal import AbnormalReturns
from analysis.estimation.models import MODEL_LABELS
from analysis.events.confounders import Confounders
from analysis.events.sessions import NEW_YORK, Alignment
from analysis.inference.windows import WindowEstimate, estimates_frame
from analysis.market.returns import ReturnPanel
from analysis.reporting.exhibits import TableExhibit
from analysis.reporting.format import (
    OUTCOME_LABELS,
    RETURN_LABELS,
    format_interval,
    format_number,
    format_p,
    format_percent,
    format_session,
    or_reason,
)


def tabulate_headline(rows: list[WindowEstimate], config: StudyConfig) -> TableExhibit:
    """The first table of a page: the event session and each declared window, close to close and at the open."""
    shown = [
        r for r in rows if r.is_primary or (r.return_kind == "close_to_close" and (r.first, r.last) in config.windows)
    ]
    shown.sort(key=lambda r: (not r.is_primary, r.return_kind != "close_to_close", r.first, r.last))
    cells = pd.DataFrame(
        {
            "estimate": [or_reason(r.estimate, format_percent, r.note) for r in shown],
            "95 % interval": [format_interval(r.ci95) if r.ci95 else "n/a" for r in shown],
            "p (t)": [or_reason(r.p_value("t"), format_p, "") for r in shown],
            "p (rank)": [or_reason(r.rank_p, format_p, _why_no_rank(r)) for r in shown],
            "detectable 4 in 5 from": [or_reason(r.mde80, lambda v: format_percent(v, sign=False), "") for r in shown],
            "sessions": [or_reason(r.n_estimation, str, "") for r in shown],
        },
        index=[label_row(r) for r in shown],
    )
    return TableExhibit(
        name="headline_windows",
        cells=cells,
        row_header="return and window",
        caption=(
            "What was measured. Cumulative abnormal returns in percent; the two declared rows come first. The rank p "
            "is the larger of the tests that need no normal distribution; sessions counts the estimation window."
        ),
        numbers=estimates_frame(shown),
    )


def tabulate_estimates(rows: list[WindowEstimate]) -> TableExhibit:
    """Every row with every test: the main table of the study."""
    tests = [n for n in TEST_LABELS if any(n in r.tests for r in rows)]
    columns: dict[str, list[str]] = {
        "estimate": [or_reason(r.estimate, format_percent, r.note) for r in rows],
        "s.e.": [or_reason(r.standard_error, lambda v: format_percent(v, sign=False), "") for r in rows],
        "t": [or_reason(r.tests["t"].statistic, format_number, "") for r in rows],
    }
    for name in tests:
        columns[TEST_LABELS[name]] = [or_reason(r.p_value(name), format_p, "") for r in rows]
    columns["p Holm"] = [or_reason(r.p_holm, format_p, "") for r in rows]
    columns["90 % interval"] = [format_interval(r.ci90) if r.ci90 else "n/a" for r in rows]
    columns["95 % interval"] = [format_interval(r.ci95) if r.ci95 else "n/a" for r in rows]
    columns["MDE 80 %"] = [or_reason(r.mde80, lambda v: format_percent(v, sign=False), "") for r in rows]
    columns["smallest bound"] = [or_reason(r.smallest_bound, lambda v: format_percent(v, sign=False), "") for r in rows]
    columns["outcome"] = [OUTCOME_LABELS[r.outcome] for r in rows]
    cells = pd.DataFrame(columns, index=[label_row(r) for r in rows])
    return TableExhibit(
        name="estimates",
        cells=cells,
        row_header="return and window",
        caption=(
            "All windows and tests. A test that is defined for single sessions only is n/a for longer windows; Holm "
            "adjusts the declared pair. MDE is stated before looking at the estimate, for an unadjusted 5 % t test. "
            "Windows before session 0 check for leakage and never enter the verdict."
        ),
        numbers=estimates_frame(rows),
    )


TEST_LABELS = {
    "t": "p t",
    "sample_quantile": "p sample quantile",
    "conformal": "p conformal",
    "block_conformal": "p block conformal",
    "fhs": "p FHS",
    "placebo": "p placebo",
}


def label_row(row: WindowEstimate) -> str:
    """``close to close, session 0`` or ``..., sessions 0 to +2``."""
    if row.first == row.last:
        window = f"session {row.first:+d}" if row.first else "session 0"
    else:
        window = f"sessions {row.first:+d} to {row.last:+d}".replace("+0", "0")
    mark = ""
    if row.is_primary:
        mark = " (headline)" if row.return_kind == "close_to_close" else " (companion)"
    return f"{RETURN_LABELS[row.return_kind]}, {window.replace('-', chr(0x2212))}{mark}"


def _why_no_rank(row: WindowEstimate) -> str:
    return "" if row.estimate is None else "single sessions only"


def tabulate_alignment(alignment: Alignment) -> TableExhibit:
    """Each article, its bounds in UTC and New York, and the sessions it can have reached."""
    events = alignment.articles
    cells = pd.DataFrame(
        {
            "role": [e.article.role for e in events],
            "outlet": [e.article.outlet for e in events],
            "public between (UTC)": [
                f"{_clock(e.article.published_earliest)} and {_clock(e.article.published_latest)}" for e in events
            ],
            "New York": [
                f"{_clock(e.article.published_earliest.tz_convert(NEW_YORK))} and "
                f"{_clock(e.article.published_latest.tz_convert(NEW_YORK))}"
                for e in events
            ],
            "bounds rest on": [
                f"{e.article.earliest_basis} / {e.article.latest_basis}".replace("_", " ") for e in events
            ],
            "phase": [e.phase.replace("_", " ") + (", near close" if e.is_near_close else "") for e in events],
            "candidate sessions": [", ".join(str(s.date()) for s in e.sessions) for e in events],
        },
        index=[e.article.article_id for e in events],
    )
    return TableExhibit(
        name="alignment",
        cells=cells,
        row_header="article",
        caption=(
            "Articles and sessions. Each article became public within an interval, never at a point; a candidate "
            f"session is one of {alignment.hours.exchange} whose closing price is the first that can contain it."
        ),
        numbers=alignment.frame(),
    )


def _clock(instant: pd.Timestamp) -> str:
    return instant.strftime("%a %Y-%m-%d %H:%M")


def tabulate_fit(abnormal: AbnormalReturns) -> TableExhibit:
    """The estimation window and what least squares found on it."""
    fit = abnormal.fit
    pairs: list[tuple[str, str, object]] = [
        ("model", MODEL_LABELS[fit.model], fit.model),
        ("estimation window", f"{fit.sessions[0].date()} to {fit.sessions[-1].date()}", fit.sessions[0]),
        ("sessions used", f"{fit.n_estimation} of {fit.asked_sessions}", fit.n_estimation),
    ]
    for name, value in fit.coefficients.items():
        error = fit.coefficient_errors[name]
        pairs.append((str(name), f"{value:.4f} (s.e. {error:.4f})".replace("-", chr(0x2212)), value))
    largest = int(fit.leverages.argmax()) if len(fit.coefficients) else 0
    r_squared = "n/a: nothing is estimated" if math.isnan(fit.r_squared) else f"{fit.r_squared:.3f}"
    pairs += [
        ("residual standard deviation", format_percent(fit.residual_std, sign=False), fit.residual_std),
        ("R squared", r_squared, fit.r_squared),
        (
            "largest leverage in the window",
            f"{fit.leverages.max():.3f} on {fit.sessions[largest].date()}",
            fit.leverages.max(),
        ),
    ]
    return TableExhibit(
        name="model_fit",
        cells=pd.DataFrame({"value": [text for _, text, _ in pairs]}, index=[name for name, _, _ in pairs]),
        row_header="quantity",
        caption=(
            f"The estimation window, {RETURN_LABELS[abnormal.return_kind]} returns. A session with large leverage "
            "pulls the fitted line towards itself."
        ),
        numbers=pd.DataFrame({"quantity": [name for name, _, _ in pairs], "value": [value for _, _, value in pairs]}),
    )


def tabulate_confounders(confounders: Confounders, alignment: Alignment, config: StudyConfig) -> TableExhibit:
    """Other news inside the windows and around them."""
    hours = alignment.hours
    reach = [*config.windows, *config.runup, alignment.hull]
    first = hours.offset(alignment.event_session, min(f for f, _ in reach))
    last = min(hours.offset(alignment.event_session, max(end for _, end in reach)), pd.Timestamp(config.as_of))
    rows = confounders.between(first, last)
    origin = hours.sessions.get_loc(alignment.event_session)
    relative = [int(hours.sessions.get_loc(s)) - int(origin) for s in rows.index]
    cells = pd.DataFrame(
        {
            "session relative": [format_number(r, digits=0) for r in relative],
            "what": rows["label"].tolist(),
            "source": rows["source"].tolist(),
            "known from (UTC)": [_clock(t) for t in rows["known_from"]],
            "listed for masking": ["yes" if m else "no" for m in rows["is_masked"]],
        },
        index=[format_session(s) for s in rows.index],
    )
    numbers = rows.reset_index()
    numbers.insert(0, "rel_session", relative)
    note = "" if len(rows) else " None is recorded."
    return TableExhibit(
        name="confounders",
        cells=cells,
        row_header="session",
        caption=(
            f"Other news of {confounders.ticker} inside the windows. An abnormal return of such a session belongs "
            f"to all of its news together.{note}"
        ),
        numbers=numbers,
    )


def tabulate_data(panel: ReturnPanel, alignment: Alignment) -> TableExhibit:
    """Where the figures come from, and the sessions around the event as recorded."""
    near = panel.prices.loc[
        alignment.hours.offset(alignment.event_session, -1) : alignment.hours.offset(alignment.event_session, 2)
    ]
    if near.empty:
        raise StudyError("no prices around the event session.", "Use a longer history.")
    market = panel.benchmark_prices.loc[near.index]
    cells = pd.DataFrame(
        {
            f"{panel.ticker} open": near["open"].map(_price).tolist(),
            f"{panel.ticker} close": near["close"].map(_price).tolist(),
            f"{panel.benchmark} open": market["open"].map(_price).tolist(),
            f"{panel.benchmark} close": market["close"].map(_price).tolist(),
            f"{panel.ticker} close to close": _returns(panel, panel.ticker, near.index),
            f"{panel.benchmark} close to close": _returns(panel, panel.benchmark, near.index),
        },
        index=[format_session(s) for s in near.index],
    )
    return TableExhibit(
        name="prices_near_event",
        cells=cells,
        row_header="session",
        caption=(
            f"Prices around the event, as recorded in vintage {panel.vintage}, not as known on the day. Prices in the "
            "currency of the listing; returns are simple and total."
        ),
        numbers=near.reset_index(),
    )


def _price(value: float) -> str:
    return "n/a: not recorded" if value != value else f"{value:.2f}"


def _returns(panel: ReturnPanel, ticker: str, sessions: pd.DatetimeIndex) -> list[str]:
    column = panel.returns["close_to_close"][ticker].reindex(sessions)
    return [or_reason(float(v), format_percent, "first recorded session") for v in column]
